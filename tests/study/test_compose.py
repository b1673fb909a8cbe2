"""Composition from conf/ and overrides, frozen studies, and configurations of workflows."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from winit.study import conf
from winit.study.compose import compose, dump, from_arguments, resolve, validate

STUDIES = list(conf.files("study"))


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_composes_and_its_frozen_form_is_the_same_study(name):
    s = compose([f"study={name}"])
    assert s.name == name
    again = validate(yaml.safe_load(dump(s)))
    assert again.settings == s.settings and again.digest == s.digest
    assert [w.arms_digest for w in again.workloads] == [w.arms_digest for w in s.workloads]


def test_one_resolver_for_every_way_to_start(tmp_path):
    direct = compose(["study=smoke", "grid.depth=[2,4]"])
    assert resolve({"study": "smoke", "overrides": "grid.depth=[2,4]"}).settings == direct.settings
    assert resolve({"overrides": ["study=smoke", "grid.depth=[2,4]"]}).settings == direct.settings
    assert resolve(dict(direct.settings)).settings == direct.settings
    assert resolve({}).settings == compose().settings
    frozen = tmp_path / "study.yaml"
    frozen.write_text(dump(direct))
    assert from_arguments([str(frozen)]).settings == direct.settings


def test_another_grid_is_another_question_and_leaves_the_extra_grids_out():
    assert compose(["study=smoke"]).settings["extra_grids"]
    assert not compose(["study=smoke", "grid.depth=[3]"]).settings["extra_grids"]
    assert not compose(["study=smoke", "dataset=spirals"]).settings["extra_grids"]
    assert compose(["study=smoke", "grid.replicates=4"]).settings["extra_grids"]
    kept = compose(["study=smoke", "grid.depth=[7]", "extra_grids.pretraining.depth=[4]"])
    assert kept.settings["extra_grids"]["pretraining"]["depth"] == [4]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"studdy": "smoke"}, "unknown key 'studdy' in --config; choose from study, overrides"),
        ({"overrides": 3}, "overrides: got 3; write overrides="),
        ({"study": "smok"}, "study: unknown study 'smok'"),
        ({"grid": {"depth": [2]}}, "dataset: nothing given"),
    ],
)
def test_bad_workflow_configuration_gets_one_clear_line(config, sentence):
    with pytest.raises(ValueError) as caught:
        resolve(config)
    assert str(caught.value).startswith(sentence)


def test_a_frozen_study_takes_no_overrides_and_must_exist(tmp_path):
    with pytest.raises(ValueError, match="a frozen study takes no overrides; got grid"):
        from_arguments(["x.yaml", "grid.depth=[2]"])
    with pytest.raises(ValueError, match="no study at"):
        from_arguments([str(tmp_path / "x.yaml")])
    (tmp_path / "x.yaml").write_text("just words\n")
    with pytest.raises(ValueError, match="is not a study"):
        from_arguments([str(tmp_path / "x.yaml")])


def test_files_that_cannot_be_read_are_named(tmp_path):
    for content in (b"a: [1", b"\xff\xfe\x00"):
        (tmp_path / "x.yaml").write_bytes(content)
        with pytest.raises(ValueError, match=r"^cannot read .*x\.yaml as YAML: ") as caught:
            from_arguments([str(tmp_path / "x.yaml")])
        assert "\n" not in str(caught.value)


def test_a_study_is_named_after_its_file_unless_it_says_otherwise(tmp_path, monkeypatch):
    (tmp_path / "conf" / "study").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "study" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [default]\ngrid:\n  depth: [3]\n"
    )
    study = compose(["study=mine"])
    assert study.name == "mine" and study.settings["grid"]["depth"] == [3]
    assert compose(["study=mine", "name=2024"]).name == "2024"
    (tmp_path / "conf" / "study" / "bare.yaml").write_text("defaults: [default]\n")
    (tmp_path / "conf" / "study" / "bare.yaml").write_text("grid:\n  depth: [3]\n")
    with pytest.raises(ValueError, match=r"conf/study/bare.yaml must begin with the line '# @package _global_'"):
        compose(["study=bare"])


def test_blanks_within_brackets_do_not_end_an_override():
    assert resolve({"study": "smoke", "overrides": "grid.depth=[2, 4] training.steps=9"}).settings["grid"]["depth"] == [
        2,
        4,
    ]


def test_planning_imports_neither_torch_nor_pandas():
    code = (
        "import sys; from winit.cli import main\n"
        "try: main(['plan', 'study=smoke'])\n"
        "except SystemExit as e: assert not e.code\n"
        "assert not {'torch', 'pandas', 'seaborn', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True)


def test_datasets_and_levels_keep_the_order_in_which_they_were_given():
    """The digest of a study is made of its settings in their order."""
    study = compose(["study=smoke", "dataset=[spirals,digits]", "extra_grids.x={depth:[3],initializer:[kumar]}"])
    assert list(study.settings["dataset"]) == list(study.datasets) == ["spirals", "digits"]
    assert list(study.settings["extra_grids"]["x"]) == ["depth", "initializer"]
