"""The command line: its verbs, and one line and exit code 2 for invalid input."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.test_workflow import SMALL, original
from winit import cli
from winit.cli import main

__all__ = ["original"]  # a fixture


@pytest.mark.parametrize(
    "override",
    [
        "grid.activation=['ta\nnh']",
        "grid.depth\n=[2]",
        "stu\ndy=smoke",
        "study=sm\noke",
        "grid.initializer=['he\nnormal']",
        "name='a\nb'",
    ],
)
def test_an_error_with_a_line_break_is_printed_in_one_line(override, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["plan", "study=smoke", override] if not override.startswith("stu") else ["plan", override])
    told = capsys.readouterr()
    assert end.value.code == 2 and told.out == ""
    assert told.err.startswith("winit: ") and told.err.count("\n") == 1


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    """Return the exit code of a command, what it prints, and what it says on stderr."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return end.value.code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["pla"], "unknown verb 'pla'; did you mean 'plan'? choose from run, plan, list, gain, card, schema"),
        (["collect", "x"], "unknown verb 'collect'; choose from run, plan, list, gain, card, schema"),
        (
            ["list", "studis"],
            "unknown kind 'studis'; did you mean 'studies'? choose from initializers, activations, datasets, studies",
        ),
        ([], "the following arguments are required: VERB; see winit --help"),
        (["card"], "the following arguments are required: initializer; see winit card --help"),
        (["gain", "tanh", "--jso"], None),
        (["gain", "tanh", "--no"], "unrecognized arguments: --no; see winit --help"),
        (
            ["plan", "--cores", "0"],
            "argument --cores: got '0'; allowed is a whole number of at least 1; see winit plan --help",
        ),
    ],
)
def test_wrong_arguments_cost_one_sentence(capsys, arguments, sentence):
    code, out, err = said(capsys, *arguments)
    if sentence is None:  # argparse takes a beginning of an option for it
        assert code == 0
    else:
        assert (code, out, err) == (2, "", f"winit: {sentence}\n")


def test_the_help_shows_the_daily_verbs_and_not_the_workflows(capsys):
    code, out, err = said(capsys, "--help")
    assert (code, err) == (0, "")
    for verb, sub in cli.parser().verbs.items():
        assert f"\n    {verb} " in out
        assert said(capsys, verb, "--help")[1].startswith(f"usage: {sub.prog} ")
    assert "workflow" not in out and "train " not in out.split("verbs:")[1].replace("train runs", "")
    for job in ("train", "collect", "replay", "report"):
        assert f"    {job} " in said(capsys, "workflow", "--help")[1]


@pytest.mark.parametrize("kind", ["initializers", "activations", "datasets", "studies"])
def test_lists_are_for_people_and_for_programs(capsys, monkeypatch, tmp_path, kind):
    monkeypatch.chdir(tmp_path)
    code, out, _ = said(capsys, "list", kind, "--json")
    names = [row["name"] for row in json.loads(out)]
    assert code == 0 and names
    assert [line.split()[0] for line in said(capsys, "list", kind)[1].splitlines()] == names


def test_verbose_shows_the_log_and_the_page_is_opened_at_the_end(original, tmp_path, capsys, monkeypatch):
    for name in ("results", "reports"):
        shutil.copytree(original / name, tmp_path / name)
    opened = []
    monkeypatch.setattr(cli.webbrowser, "open", lambda url: opened.append(url) or False)
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "run", *SMALL, "--cores", "2", "--verbose", "--open")
    assert code == 0 and opened == [(tmp_path / "reports" / "small" / "index.html").as_uri()]
    assert "Nothing to be done" in err and "no browser found; open reports/small/index.html" in err
