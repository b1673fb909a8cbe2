"""The files of winit that each rule's results depend on. Training depends on REVISION instead."""

from __future__ import annotations

import glob
import hashlib
import os
from pathlib import Path

from winit.study import conf

ROOT = conf.PACKAGE.parent


def _packages(*names: str) -> tuple[str, ...]:
    return tuple(f"winit/{name}/**/*.py" for name in names)


# Patterns relative to the folder of the package, for each rule.
PATTERNS: dict[str, tuple[str, ...]] = {
    "replay": ("winit/analysis/replay.py", "winit/study/seeds.py", *_packages("schemes", "theory", "vocabulary")),
    "collect": _packages("analysis", "schemes", "theory", "datasets", "study", "store", "vocabulary"),
    "report": (
        *_packages("report", "analysis", "schemes", "theory", "datasets", "study", "store", "vocabulary"),
        "winit/report/templates/**/*.*",
    ),
}


def matching(patterns: tuple[str, ...], folder: Path) -> list[str]:
    """Return the files below a folder that match any of the patterns, sorted and relative to the working directory.

    `**` matches any number of folders. The name of the folder may contain any character.
    """
    root = glob.escape(str(folder))
    paths = {path for pattern in patterns for path in glob.glob(f"{root}/{pattern}", recursive=True)}
    return sorted(os.path.relpath(path) for path in paths)


def _files(rule: str) -> list[str]:
    """Return the files that a rule depends on. The tables also depend on the claims."""
    claims = conf.files("claims").values() if rule == "collect" else ()
    return matching(PATTERNS[rule], ROOT) + [os.path.relpath(path) for path in claims]


def inputs(rule: str) -> list[str]:
    """Return the files that can be inputs of a rule. Snakemake reads braces as wildcards, which cannot be escaped."""
    return [path for path in _files(rule) if "{" not in path]


def digest(rule: str) -> str:
    """Return twelve hexadecimal digits, a hash of the files' contents. As a parameter of a rule it also works with braces."""
    sums = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in _files(rule)]
    return hashlib.sha256("".join(sums).encode()).hexdigest()[:12]
