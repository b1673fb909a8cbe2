"""The JSON Schema of a study accepts valid studies, and rejects errors that an editor can detect."""

from __future__ import annotations

import copy
import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from winit.cli import main
from winit.datasets import DATASETS
from winit.study import conf, yaml_files
from winit.study.compose import compose, dump
from winit.study.keys import KEYS, TEXT_KEYS
from winit.study.reference import json_schema, property_of, table
from winit.study.schema import DATASET_SETTINGS

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
STUDIES = list(conf.files("study").values())
FROZEN = yaml.safe_load(dump(compose(["study=default"])))


def test_it_is_a_json_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_it_takes_every_study_of_conf(path):
    VALIDATOR.validate(yaml_files.read(path, TEXT_KEYS))
    VALIDATOR.validate(yaml.safe_load(dump(compose([f"study={path.stem}"]))))


def test_it_takes_one_bare_value_for_a_list_and_null_for_an_extra_grid():
    VALIDATOR.validate(
        {
            "grid": {"depth": 3, "initializer": "normal:0.01", "pretraining": "rbm+shuffled"},
            "extra_grids": {"dropout": None, "wide": {"width": [64, 128]}},
        }
    )
    VALIDATOR.validate({"extra_grids": None, "name": None, "pretraining": {"layers": 2}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grid.dept", [2]),
        ("grid.depth", [0]),
        ("grid.depth", ["2"]),
        ("grid.depth", []),
        ("grid.depth", [2, 2]),
        ("grid.depth", [True]),
        ("grid.initializer", ["he_normall"]),
        ("grid.activation", ["rely"]),
        ("grid.dropout", [1]),
        ("grid.batch_norm", [1]),
        ("grid.pretraining", ["rbn"]),
        ("grid.replicates", 0),
        ("training.steps", 1.5),
        ("training.momentum", 1),
        ("training.schedule", "cosin"),
        ("pretraining.layers", "most"),
        ("pretraining.rbm.gibs_steps", 1),
        ("analysis.margin", 0),
        ("dataset.digits.turns", 2),
        ("dataset.mnits", {}),
        ("extra_grids.x", {"dept": [2]}),
        ("extra_grids.x", 3),
        ("name", "a/b"),
        ("seed", -1),
        ("device", "gpu"),
        ("measure", 3),
    ],
)
def test_it_refuses_what_winit_refuses(key, value):
    *path, last = key.split(".")
    tree = copy.deepcopy(FROZEN)
    node = tree
    for part in path:
        node = node.setdefault(part, {})
    node[last] = value
    assert not VALIDATOR.is_valid(tree)


def test_every_setting_is_described():
    described = [property_of(SCHEMA, key).get("description", "") for key in KEYS]
    assert all(text.endswith(".") and text[0] != " " for text in described)
    assert property_of(SCHEMA, "training.batch_size")["default"] == 32


@pytest.mark.parametrize("option", [[], ["--table"]])
def test_it_is_printed(capsys, option):
    with pytest.raises(SystemExit) as end:
        main(["schema", *option])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    assert printed == table() + "\n" if option else json.loads(printed) == SCHEMA


def test_settings_of_a_dataset_are_its_parameters_and_its_target():
    for name, model in DATASET_SETTINGS.items():
        assert set(model.model_fields) == {"target_accuracy", *DATASETS[name].parameters}
