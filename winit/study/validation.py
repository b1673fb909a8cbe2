"""Validate the settings of a study. The first error is reported in one sentence: the key, the value, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from winit.datasets import DATASETS
from winit.study import rules
from winit.study.fields import NAME_ALLOWED, REPEATED, JsonSchema, allowed, shown
from winit.study.keys import DATASET_KEYS, KEYS, keys_of, with_current_keys
from winit.study.schema import ExtraGrid, StudySettings
from winit.vocabulary.errors import unknown_name

LIST_OF_KEYS = "`winit schema`"  # lists all keys

_UNKNOWN = ("extra_forbidden", "invalid_key")
_NO_MAPPING = ("model_type", "dict_type")


def check(tree: Mapping[Any, Any]) -> StudySettings:
    """Return the complete settings of a study, in canonical order and spelling.

    Args:
        tree: nested mappings, as read from YAML or composed by Hydra.

    Raises:
        ValueError: the settings are invalid; one sentence names the key, the value and what is allowed.
    """
    tree = rules.with_encoder_shape(with_current_keys(tree))
    if isinstance(tree.get("extra_grids"), Mapping):
        tree["extra_grids"] = {str(name): grid for name, grid in tree["extra_grids"].items()}
    try:
        settings = StudySettings.model_validate(tree)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=_rank)
        raise ValueError(_sentence(first, tree)) from None
    rules.check(settings)
    return settings


def _rank(error: ErrorDetails) -> int:
    """Return the sort key of errors: sections that are not mappings first, then datasets, unknown keys, and all others."""
    of_datasets = error["loc"][0] == "dataset" and len(error["loc"]) <= 2
    is_no_section = error["type"] == "model_type" and error["loc"] != ("dataset",)
    order = [is_no_section, of_datasets, error["type"] in _UNKNOWN, True]
    return order.index(True)


def _sentence(error: ErrorDetails, tree: Mapping[Any, Any]) -> str:
    """Return the message for one of pydantic's errors."""
    kind, where = error["type"], error["loc"]
    if kind in _UNKNOWN:
        return _unknown_key([str(part) for part in where], tree)
    if where[-1] == "[key]":
        return f"extra_grids: {_reason(error) or f'got {shown(where[1])}; allowed is {NAME_ALLOWED}'}"
    path = _path(where)
    key, given = ".".join(path), _value_at(tree, path)
    if kind == REPEATED:
        return f"{key}: got {shown(given)}, which lists {error['ctx']['value']} twice; list it once"
    if path == ["dataset"] or (path[0] == "extra_grids" and len(path) < 3):
        return _wrong_mapping(path, given)
    words = _allowed(path)
    if given is None and path[0] != "extra_grids":
        return f"{key}: nothing given; it needs {words}"
    if kind == "too_short":
        return f"{key}: got an empty list []; it needs at least one value, {words}"
    if kind in _NO_MAPPING:
        return f"{key}: got {shown(given)}; it needs {words}"
    return f"{key}: {_reason(error) or f'got {shown(_value_at(tree, where))}; allowed is {words}'}"


def _reason(error: ErrorDetails) -> str:
    """Return the message of a type's own check, if there is one."""
    return str(error.get("ctx", {}).get("error", "")) if error["type"] == "value_error" else ""


def _unknown_key(path: Sequence[str], tree: Mapping[Any, Any]) -> str:
    if path[0] == "extra_grids":
        return f"extra_grids.{path[1]}: {unknown_name('key', path[-1], ExtraGrid.model_fields)}"
    if path[0] == "dataset" and len(path) == 2:
        return f"dataset: {unknown_name('dataset', path[1], DATASETS)}"
    chosen = tree.get("dataset", ())
    known = [key for key in KEYS if key not in DATASET_KEYS or key.split(".")[1] in chosen]
    return unknown_name("key", ".".join(path), known, LIST_OF_KEYS)


def _wrong_mapping(path: Sequence[str], given: object) -> str:
    """Return the message for datasets or extra grids that are not a mapping, or an empty mapping."""
    if path[0] == "dataset":
        what = f"got {shown(given)}" if given else "nothing given"
        return f"dataset: {what}; it needs a mapping from {', '.join(DATASETS)} to their settings"
    if len(path) == 1:
        return f"extra_grids: got {shown(given)}; allowed is a mapping from names to grids, or null"
    return f"extra_grids.{path[1]}: got {shown(given)}; it needs some of {', '.join(ExtraGrid.model_fields)}"


def _path(where: Sequence[int | str]) -> list[str]:
    """Return the parts of the key of an error, without the list index or union branch that pydantic adds."""
    parts = [str(part) for part in where]
    if parts[0] == "extra_grids":
        return parts[:3]
    keys = (parts[:n] for n in range(1, len(parts) + 1))
    return next((key for key in keys if ".".join(key) in KEYS), parts)


def _value_at(tree: Mapping[Any, Any], where: Sequence[int | str]) -> object:
    """Return the value of an error: the item of a list, or the whole value; None if nothing was given."""
    value: Any = tree
    for part in where:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int):
            value = value[part]
    return value


@cache
def _schemas() -> tuple[JsonSchema, JsonSchema]:
    return StudySettings.model_json_schema(), ExtraGrid.model_json_schema()


def _allowed(path: Sequence[str]) -> str:
    """Return what the JSON Schema allows at a key, as text."""
    study, grid = _schemas()
    if path[0] == "extra_grids":
        return allowed(grid["properties"][path[2]])
    if not keys_of(".".join(path)):
        schema = study
        for part in path:
            schema = study["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            schema = schema["properties"][part]
        return allowed(schema)
    return f"a mapping with the keys {', '.join(keys_of('.'.join(path)))}"
