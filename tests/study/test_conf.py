"""Files of conf/: those of the user in the working directory come before the installed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from winit.study import conf
from winit.study.compose import compose, resolve


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a file below conf/ in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> None:
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def test_a_checkout_has_its_files_at_the_top():
    root = Path(__file__).resolve().parents[2]
    assert [conf.shipped(name) for name in ("conf", "Snakefile")] == [root / "conf", root / "Snakefile"]


def test_an_installed_package_has_them_in_a_folder_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "shipped").mkdir()
    monkeypatch.setattr(conf, "PACKAGE", tmp_path)
    assert conf.shipped("conf") == tmp_path / "shipped" / "conf"


def test_a_study_of_the_working_directory_inherits_from_a_shipped_one(write):
    write("study/mine.yaml", "# @package _global_\ndefaults: [smoke]\ngrid: {depth: [3]}\n")
    study = compose(["study=mine"])
    assert study.name == "mine" and study.settings["grid"]["depth"] == [3]
    assert study.settings["training"] == compose(["study=smoke"]).settings["training"]
    assert resolve({"study": "mine"}).settings == study.settings


def test_a_file_of_the_working_directory_takes_the_place_of_a_shipped_one(write):
    before = compose(["study=smoke"])
    write("training/sgd.yaml", conf.files("training")["sgd"].read_text().replace("momentum: 0.9", "momentum: 0.8"))
    after = compose(["study=smoke"])
    momenta = [study.settings["training"]["momentum"] for study in (before, after)]
    assert momenta == [0.9, 0.8]
    assert list(conf.files("training").values()).count(Path("conf/training/sgd.yaml")) == 1


def test_another_projects_conf_changes_nothing(write):
    before = compose(["study=smoke"])
    write("config.yaml", "defaults: [model: vit]\n")
    write("model/vit.yaml", "layers: 12\n")
    assert compose(["study=smoke"]).settings == before.settings
    with pytest.raises(ValueError, match=r"^model: unknown key 'model'|unknown key 'model'"):
        compose(["study=smoke", "model=vit"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("defaults: [mine]", "conf/study/mine.yaml: defaults: mine inherits from itself"),
        ("defaults: [nosuch]", "conf/study/mine.yaml: defaults: unknown study 'nosuch'"),
        ("defaults: [default, {model: vit}]", "conf/study/mine.yaml: defaults: unknown group 'model'"),
    ],
)
def test_mistakes_in_a_defaults_list_get_one_sentence(write, text, sentence):
    write("study/mine.yaml", f"# @package _global_\n{text}\n")
    with pytest.raises(ValueError) as error:
        compose(["study=mine"])
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)
