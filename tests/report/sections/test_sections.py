"""Every section stands in one file and in a list of the page's sections."""

from __future__ import annotations

import importlib
import pkgutil

from winit.report import sections


def test_every_file_is_a_section_of_some_page():
    files = {module.name for module in pkgutil.iter_modules(sections.__path__)}
    listed = {function.__name__ for functions in sections.SECTIONS.values() for function in functions}
    assert listed == files
    for name in files:
        assert callable(getattr(importlib.import_module(f"winit.report.sections.{name}"), name))
