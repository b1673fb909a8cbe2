"""The reference in the documents is complete and has no duplicates."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import figures, markdown, reference
from winit.datasets import DATASETS
from winit.schemes import MODIFIERS, SCHEMES
from winit.store.schema import TABLES
from winit.study.keys import KEYS
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.pretraining import CONTROLS, PRETRAINING


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.values()


def first_column(table: str) -> list[str]:
    """Return the names in the first column of a table, without the parameters of schemes."""
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return [
        name.split(":")[0].removeprefix("…+") for row in rows for name in re.findall(r"`(.*?)`", row.split(" | ")[0])
    ]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("papers.table", [*SCHEMES, *MODIFIERS]), ("schemes.table", SCHEMES), ("schemes.modifiers", MODIFIERS),
        ("methods.table", PRETRAINING), ("activations.table", ACTIVATIONS), ("datasets.table", DATASETS), ("settings.table", KEYS),
    ],
)  # fmt: skip
def test_everything_stands_in_its_table_once(page, names, pages):
    assert sorted(first_column(pages[page])) == sorted(names)


def test_every_table_and_column_is_there(pages):
    assert re.findall(r"^## `(\w+)`$", pages["tables.columns"], re.MULTILINE) == list(TABLES)
    assert first_column(pages["tables.columns"]) == [name for table in TABLES.values() for name in table]


@pytest.mark.parametrize(("group", "names"), [("study", reference.STUDIES), ("claims", reference.CLAIMS)])
def test_what_is_shipped_of_conf_is_named(group, names):
    listed = subprocess.run(["git", "ls-files", f"conf/{group}"], cwd=figures.ROOT, capture_output=True, text=True)
    tracked = [Path(line).stem for line in listed.stdout.splitlines()]
    assert sorted(names) == sorted(tracked or names), "without git nothing is known"


def test_controls_are_written_as_in_a_grid(pages):
    assert [name.partition("+")[2] or name for name in first_column(pages["methods.controls"])] == list(CONTROLS)


def test_papers_stand_in_the_order_of_their_years(pages):
    years = [int(year) for year in re.findall(r"\| (\d{4}) \|", pages["papers.table"])]
    assert years == sorted(years) and years[0] == 1998


def test_a_cell_may_have_a_bar_and_words_in_angle_brackets():
    (_, _, row) = markdown.table(["a", "b"], [["|x| < 1", "results/<name>/ and `<name>`"]]).strip().splitlines()
    assert row == r"| \|x\| < 1 | results/&lt;name>/ and `<name>` |"


def test_an_argument_is_written_as_it_is_typed():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", help="one of all")
    parser.add_argument("-n", "--number", metavar="N", help="how many")
    assert [reference.spelling(action) for action in parser._actions[1:]] == ["`WHAT`", "`-n N`, `--number N`"]


def test_the_workflows_own_verbs_are_left_out():
    page = reference.commands()
    assert "### `winit run`" in page and "### `winit list`" in page
    assert not any(f"`winit {verb}`" in page for verb in ("workflow", "train", "collect", "replay", "report"))
