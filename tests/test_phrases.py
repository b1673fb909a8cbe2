"""Phrases that were replaced do not come back, in no text of the repository: documents, docstrings, captions, help, settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_name("phrases.txt")
SUFFIXES = {".html", ".js", ".md", ".py", ".rst", ".toml", ".txt", ".yaml", ".yml"}
NAMES = {"Makefile", "Snakefile"}


def phrases() -> list[tuple[str, str]]:
    """Return the phrases, each with what is written instead."""
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(" -> ")) for line in lines]


def running(text: str) -> str:
    """Return a text as one line: comment signs, and quotes between the parts of a string, are left out."""
    text = re.sub(r"[\"']\s*\n\s*[rf]?[\"']", "", text)
    text = re.sub(r"\n\s*#", "\n", text)
    return " ".join(text.split()).lower()


def texts() -> list[Path]:
    """Return the files of the repository that hold text."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    paths = [ROOT / name for name in found.stdout.split("\0") if name] or list(ROOT.glob("*.md"))
    wanted = [p for p in paths if p.suffix in SUFFIXES or p.name in NAMES]
    return [p for p in wanted if p.is_file() and p not in (LIST, Path(__file__))]


@pytest.fixture(scope="module")
def repository() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): running(path.read_text(encoding="utf-8")) for path in texts()}


@pytest.mark.parametrize(("phrase", "instead"), phrases(), ids=[phrase for phrase, _ in phrases()])
def test_a_phrase_that_was_replaced_does_not_come_back(phrase, instead, repository):
    found = [path for path, text in repository.items() if re.search(rf"(?<!\w){re.escape(phrase.lower())}(?!\w)", text)]
    assert not found, f"'{phrase}' is back in {', '.join(found)}; write: {instead}"


@pytest.mark.parametrize(
    "source",
    [
        "Networks\n    leave guessing.",
        "# Networks\n# leave guessing.",
        'x = (\n    "Networks "\n    f"leave guessing"\n)',
        "x = 'networks LEAVE '\n 'guessing'",
    ],
)
def test_a_phrase_is_found_over_the_end_of_a_line(source):
    assert "networks leave guessing" in running(source)
