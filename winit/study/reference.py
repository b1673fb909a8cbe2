"""The reference of all settings, generated from their fields: a JSON Schema for editors, and a table for the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from winit.datasets import DATASETS
from winit.study.compose import compose
from winit.study.fields import JsonSchema, allowed
from winit.study.keys import KEYS, flatten
from winit.study.schema import StudySettings


def json_schema() -> JsonSchema:
    """Return the JSON Schema of a study's file, in conf/study/ or frozen.

    No key is required, because a file states only what differs from the files under `defaults`.
    """
    schema = StudySettings.model_json_schema()
    for node in _objects(schema):
        node.pop("required", None)
        node.pop("title", None)
    properties = schema["properties"]
    for key in ("name", "extra_grids"):
        description = properties[key].pop("description")
        properties[key] = {"description": description, "anyOf": [properties[key], {"type": "null"}]}
    for key, value in _defaults().items():
        if not key.startswith("dataset."):
            property_of(schema, key)["default"] = value
    properties["defaults"] = {
        "description": "Files that this one builds on, as in Hydra: [default, override /dataset: [digits]].",
        "type": "array",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A study of winit", **schema}


def property_of(schema: JsonSchema, key: str) -> JsonSchema:
    """Return the part of a JSON Schema that describes a dotted key."""
    node = schema
    for part in key.split("."):
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        node = node["properties"][part]
    return node


def _objects(node: Any) -> Iterator[JsonSchema]:
    """Yield every schema within a schema."""
    if isinstance(node, dict):
        if "type" in node or "anyOf" in node or "$ref" in node:
            yield node
        for child in list(node.values()):
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)


def _defaults() -> dict[str, object]:
    """Return the values of the default study, and the defaults of every dataset."""
    every = compose([f"dataset=[{','.join(DATASETS)}]"]).settings
    return {key: value for key, value in flatten(every) if key in KEYS and key not in ("name", "question")}


def table() -> str:
    """Return all settings as a Markdown table: key, what is allowed, default, meaning."""
    schema, defaults = StudySettings.model_json_schema(), _defaults()
    lines = ["| key | allowed | default | meaning |", "|---|---|---|---|"]
    for key in KEYS:
        field = property_of(schema, key)
        words = allowed(field)
        if field.get("anyOf", [{}])[-1].get("type") == "array":
            is_choice = words.startswith("one of ")
            words = f"one or more of {words.removeprefix('one of ')}" if is_choice else f"one or more, each {words}"
        lines.append(f"| `{key}` | {words} | {_default_text(defaults, key)} | {field['description']} |")
    return "\n".join(lines)


def _default_text(defaults: Mapping[str, object], key: str) -> str:
    if key not in defaults:
        return "–"
    value = defaults[key]
    text = json.dumps(value, ensure_ascii=False).replace('"', "")
    return f"`{text}`" if len(text) <= 40 else f"{len(value)} values" if isinstance(value, list) else "–"
