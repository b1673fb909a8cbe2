"""Text and names are kept as typed: in overrides, files and frozen studies, and through Snakemake."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from snakemake.cli import parse_config
from snakemake.common.configfile import load_configfile

from winit.cli import main
from winit.study.compose import compose, dump, from_arguments, read, resolve, validate
from winit.study.model import Study

NAMES = ["2024_01", "1.10", "1e5", "007", "true", "1_000", "0x10", "1.", "2026-01-01", "no", "1e-3"]
TEXT = "Does it help 🙂? \"q\" 's' <b> {x} $x ${y} 日本\u0085z\u2028w\nline, [a] = b \\ "
BASE = compose(["study=smoke"])


@pytest.fixture
def conf(tmp_path, monkeypatch) -> Path:
    (tmp_path / "conf" / "study").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "conf"


def handed_over(monkeypatch, *arguments: str) -> Study:
    """Return the study that Snakemake resolves when `winit run` hands it these arguments."""
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr("winit.cli.subprocess.run", run)
    with pytest.raises(SystemExit):
        main(["run", *arguments, "-n", "--cores", "1"])
    (command,) = commands
    return resolve(parse_config([command[command.index("--config") + 1]]))


def typed_by_snakemake(tmp_path: Path, text: str) -> dict:
    path = tmp_path / "configfile.yaml"
    path.write_bytes(text.encode())
    return load_configfile(path)


def frozen_with(**texts: str) -> Study:
    return validate({**BASE.settings, **texts})


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept_as_typed_on_the_way_through_snakemake(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert compose(["study=smoke", f"name={name}"]).name == name
    assert handed_over(monkeypatch, "study=smoke", f"name={name}").name == name
    assert resolve(parse_config(["study=smoke", f"overrides=name={name}"])).name == name
    text = dump(frozen_with(name=name))
    assert resolve(typed_by_snakemake(tmp_path, text)).name == name
    plain = text.replace(f"name: '{name}'", f"name: {name}")
    (tmp_path / "mine.yaml").write_text(plain)
    assert read(tmp_path / "mine.yaml").name == name
    assert handed_over(monkeypatch, "mine.yaml").name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_studys_file_and_of_it_is_kept(conf, name):
    (conf / "study" / "mine.yaml").write_text(
        f"# @package _global_\ndefaults: [smoke]\nname: {name}\nquestion: {name}\n"
    )
    assert (compose(["study=mine"]).name, compose(["study=mine"]).question) == (name, name)
    (conf / "study" / f"{name}.yaml").write_text("# @package _global_\ndefaults: [smoke]\n")
    assert compose([f"study={name}"]).name == name
    assert resolve(parse_config([f"study={name}"])).name == name


def test_a_studys_name_that_snakemake_made_a_number_of_is_asked_for(conf):
    for name in ("1e5", "1.0e5"):
        (conf / "study" / f"{name}.yaml").write_text("# @package _global_\ndefaults: [smoke]\n")
    with pytest.raises(ValueError, match=r'^study: got 100000.0, .*; write overrides="study=<name>" instead$'):
        resolve(parse_config(["study=1e5"]))
    assert resolve(parse_config(["overrides=study=1e5"])).name == "1e5"


@pytest.mark.parametrize("value", [202401, 1.1, datetime.date(2026, 1, 1)])
def test_a_name_that_another_reader_has_changed_is_refused(value):
    with pytest.raises(ValueError, match=r"^name: got .*, which is not text; quote the name: name: '"):
        resolve({**BASE.settings, "name": value})


def test_odd_text_arrives_as_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert handed_over(monkeypatch, "study=smoke", f"question={TEXT}", f"data.dir={TEXT}").question == TEXT
    assert compose([f"data.dir={TEXT}"]).settings["data"]["dir"] == TEXT
    frozen = frozen_with(question=TEXT)
    assert resolve(typed_by_snakemake(tmp_path, dump(frozen))).question == TEXT


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_text_survives_being_frozen(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("frozen")
    frozen = frozen_with(question=text)
    (folder / "study.yaml").write_bytes(dump(frozen).encode())
    assert read(folder / "study.yaml").settings == frozen.settings
    assert resolve(typed_by_snakemake(folder, dump(frozen))).settings == frozen.settings


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("'What now?'", "What now?"), ('"What now?"', "What now?"), (r"'It\'s'", "It's"), ("a=b", "a=b"), (" a ", " a "),
        ("'a' or 'b'", "'a' or 'b'"), ("[1, 2", "[1, 2"), ("${name}", "${name}"), ("'${name}'", "${name}"), ("1e5", "1e5"),
    ],
)  # fmt: skip
def test_hydras_quotes_are_removed_and_everything_else_is_kept(typed, text):
    assert compose(["study=smoke", f"question={typed}"]).question == text


def test_a_file_has_its_text_as_written(conf):
    text = "Costs ${x}? 100 % 🙂"
    (conf / "study" / "mine.yaml").write_text(
        f"# @package _global_\ndefaults: [smoke]\nquestion: '{text}'\n", encoding="utf-8"
    )
    assert compose(["study=mine"]).question == text


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(ValueError, match=r"^cannot read 'question=.*': it is not UTF-8$"):
        compose(["question=" + os.fsdecode(b"\xff")])
    with pytest.raises(ValueError, match=r"^question: got text with half a character"):
        validate({**BASE.settings, "question": "\ud83d"})


def test_small_numbers_are_numbers_in_a_frozen_study(tmp_path):
    text = dump(BASE).replace("margin: 0.01", "margin: 1e-3")
    assert "1e-3" in text
    (tmp_path / "study.yaml").write_text(text)
    assert read(tmp_path / "study.yaml").settings["analysis"]["margin"] == 0.001
    assert resolve(typed_by_snakemake(tmp_path, text)).settings["analysis"]["margin"] == 0.001


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("grid", 3, "grid: got 3; it needs a mapping with the keys dataset, initializer, "),
        ("training", 3, "training: got 3; it needs a mapping with the keys optimizer, "),
        ("measure", [1], "measure: got [1]; it needs a mapping with the keys budgets, curve_points, "),
        ("task", "reconstruction", 'task: got "reconstruction"; it needs a mapping with the keys name, encoder, loss'),
        ("dataset", ["digits"], "dataset: "),
        (
            "dataset",
            {"digits": 3},
            "dataset.digits: got 3; it needs a mapping with the keys target_accuracy",
        ),
    ],
)
def test_a_section_needs_a_mapping(key, value, sentence):
    with pytest.raises(ValueError) as error:
        resolve({**BASE.settings, key: value})
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("grid={depth:[2]}", "grid: set its keys one by one: 'grid.depth=[2]'"),
        ("training={steps:3}", "training: set its keys one by one: training.steps=3"),
        ("measure=3", "measure: got 3; set its keys one by one: measure.budgets=…"),
    ],
)
def test_a_section_is_set_key_by_key(override, sentence):
    with pytest.raises(ValueError) as error:
        compose(["study=smoke", override])
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "content", [b"\x93NUMPY\xff\xfe", b"", b"# @package _global_\na: [1", b"# @package _global_\n- 1\n"]
)
def test_a_studys_file_that_cannot_be_read_is_named(conf, content):
    (conf / "study" / "mine.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"conf/study/mine\.yaml") as error:
        compose(["study=mine"])
    assert "\n" not in str(error.value)
    assert compose(["study=smoke"]).settings == BASE.settings, "others do not care"


def test_a_folder_that_is_called_like_a_study_is_named(conf):
    (conf / "study" / "mine.yaml").mkdir()
    with pytest.raises(ValueError, match=r"conf/study/mine\.yaml: is a directory"):
        compose(["study=mine"])


@pytest.mark.parametrize("path", ["x" * 5000 + ".yaml", "a/" * 3000 + "b.yaml"])
def test_a_long_path_gives_a_short_error(path):
    with pytest.raises(ValueError, match=r"^no study at ") as error:
        from_arguments([path])
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("key", ["depth", "width"])
@pytest.mark.parametrize("start", [["study=smoke", "task=reconstruction"], ["study=deep_autoencoder"]])
def test_the_shape_of_a_deep_autoencoder_follows_only_from_its_encoder(start, key):
    sentence = (
        rf"^grid\.{key}: got \[2\], but with task=reconstruction depth and width follow from task\.encoder; remove it$"
    )
    with pytest.raises(ValueError, match=sentence):
        compose([*start, f"grid.{key}=[2]"])
    frozen = yaml.safe_load(dump(compose(start)))
    assert validate(frozen).settings == compose(start).settings
    frozen["grid"][key] = [2]
    with pytest.raises(ValueError, match=sentence):
        validate(frozen)


def test_the_shape_of_a_deep_autoencoder_in_a_file_follows_from_its_encoder(conf):
    (conf / "study" / "mine.yaml").write_text("# @package _global_\ndefaults: [deep_autoencoder]\ngrid: {depth: [3]}\n")
    with pytest.raises(ValueError, match=r"^grid\.depth: got \[3\], but with task=reconstruction"):
        compose(["study=mine"])


def test_the_page_has_the_question_as_typed_and_the_study_is_unchanged(tmp_path):
    small = ["study=smoke", "name=1e5", "extra_grids=null", "grid.depth=[2]", "grid.width=[8]", "grid.activation=[tanh]",
             "grid.initializer=[he_normal,zeros]", "training.steps=20", "grid.replicates=1", "--cores", "1"]  # fmt: skip
    command = [sys.executable, "-m", "winit", "run", *small, f"question={TEXT}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    import html
    import re

    page = (tmp_path / "reports" / "1e5" / "index.html").read_bytes().decode()
    assert html.unescape(re.search("<h1>(.*?)</h1>", page, re.DOTALL)[1]) == TEXT
    frozen = tmp_path / "results" / "1e5" / "study.yaml"
    assert frozen.read_bytes() == dump(compose([*small[:-2], f"question={TEXT}"])).encode()
