"""Small studies, trained and reported, for the tests of the report."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from tests.runs import fill
from winit.analysis import replay
from winit.analysis.collect import collect
from winit.report.context import page_tables
from winit.report.page import write
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import TABLES
from winit.workflow.session import write_record


def make(study, root):
    """Train and report a study below a folder."""
    store, folder = RunStore(root / "store"), root / "results"
    fill(store, study)
    collect(study, store, folder)
    files.write(folder, "replay", replay.replay(0, draws=20))
    write_record(study, folder, TABLES)
    write(study, folder, root / "report" / "index.html")


def made_at(study, root):
    """Return the tables of a study, as they were written below a folder, and its page."""
    tables = {name: files.read(root / "results", name) for name in TABLES}
    return page_tables(study, tables), root / "report" / "index.html"


def made_of(study, root):
    """Train and report a study below a folder; return its tables and its page."""
    make(study, root)
    return made_at(study, root)


def drawn_lines(axes):
    return {
        tuple(np.asarray(line.get_xydata()).round(9).ravel()) for line in axes.get_lines() if len(line.get_xdata()) > 1
    }


def digits(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["dataset"] == "digits"]


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = []
        self.ids, self.links, self.tags, self.loads = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs))
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            elif tag == "a" and key == "href":
                self.links.append(value)
            elif key in ("src", "href", "xlink:href", "data"):
                self.loads.append(value)
