"""The documentation builds strictly and without a network, and what it tells readers to type is valid."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from winit import cli
from winit.analysis.claims import reading
from winit.study.compose import from_arguments

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# What makes a browser ask for another file.
ASKS = re.compile(
    r"<(?:script|link|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|href|data)=[\"']?([^\"'\s>]+)"
)


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (page, text) of every block of code in a language."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [
            (page.name, block) for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        ]
    return found


def commands() -> list[str]:
    """Return every command of winit in the documents that has arguments, without its comment."""
    lines = [line for _, block in blocks("sh") for line in block.splitlines()]
    inline = [text for page in PAGES for text in re.findall(r"`(winit [^`\n]+)`", page.read_text(encoding="utf-8"))]
    return sorted({line.split("  #")[0].strip() for line in [*lines, *inline] if re.match(r"winit \S+ \S", line)})


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_word_in_angle_brackets_is_taken_for_html(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"<[a-z]\w*>", re.sub(r"`[^`]*`", "", text)) == []


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The documentation, built strictly."""
    pytest.importorskip("mkdocs", reason="MkDocs is not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_makes_no_external_requests(site):
    pages = [page for page in site.rglob("*.html") if page.parent.name != "example"]
    assert len(pages) > 20
    for page in pages:
        outside = [url for url in ASKS.findall(page.read_text(encoding="utf-8")) if re.match(r"(?:https?:)?//", url)]
        assert not outside, f"{page.name} asks for {outside}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_the_site_has_its_tables_picture_example_and_llms_txt(site):
    assert (site / "reference" / "settings.html").read_text(encoding="utf-8").count("<tr>") > 60
    assert (site / "trainability-digits.svg").is_file() and (site / "example" / "quick.html").is_file()
    assert (site / "llms.txt").read_bytes() == (ROOT / "llms.txt").read_bytes()
    signature = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert "winit.theory.maps.length_map" in signature


# The studies that a page tells its reader to write, by page.
TOLD = {"own-study.md": "wide", "tutorial.md": "gelu"}


@pytest.fixture(scope="module")
def told_studies(tmp_path_factory) -> Path:
    """A working directory with the studies of the documents."""
    folder = tmp_path_factory.mktemp("told")
    studies = folder / "conf" / "study"
    studies.mkdir(parents=True)
    for page, text in blocks("yaml"):
        if text.startswith("# @package _global_"):
            (studies / f"{TOLD[page]}.yaml").write_text(text, encoding="utf-8")
    assert all((studies / f"{name}.yaml").is_file() for name in TOLD.values())
    return folder


@pytest.mark.parametrize("command", commands())
def test_commands_are_valid(command, told_studies, monkeypatch):
    monkeypatch.chdir(told_studies)
    name, *arguments = shlex.split(command.split(" > ")[0])
    assert name == "winit"
    if {"VERB", "NAME"} & set(arguments) or "glorot_tanh" in command:
        return  # placeholders, and the scheme that a page adds
    given = cli.parser().parse_args(arguments)
    if getattr(given, "overrides", None) and not given.overrides[0].startswith("results/"):
        assert from_arguments(given.overrides).workloads


def test_claims_in_the_documents_can_be_declared(tmp_path):
    claims = [text for _, text in blocks("yaml") if isinstance(yaml.safe_load(text), list)]
    assert claims
    for index, text in enumerate(claims):
        (tmp_path / f"{index}.yaml").write_text(text, encoding="utf-8")
    assert reading.read(tmp_path.glob("*.yaml"))


def test_python_in_the_documents_runs(capsys):
    (program,) = [text for page, text in blocks("python") if page == "python.md"]
    exec(compile(program, "python.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.example/x.js">', "<link rel=stylesheet href=//fonts.example/css>",
        '<img loading="lazy" src="http://example/x.png">',
    ],
)  # fmt: skip
def test_what_a_browser_would_ask_for_is_found(tag):
    (url,) = ASKS.findall(tag)
    assert re.match(r"(?:https?:)?//", url)
