"""Keys of settings: which exist, which are text, and how older versions named them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from winit.study.fields import CheckedText
from winit.study.schema import DATASET_SETTINGS, SettingsSection, StudySettings


def _fields(model: type[SettingsSection], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, SettingsSection):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        elif prefix or name not in ("dataset", "extra_grids"):
            yield f"{prefix}{name}", field


_SETTINGS = dict(_fields(StudySettings))
DATASET_KEYS = [f"dataset.{name}.{key}" for name, model in DATASET_SETTINGS.items() for key in model.model_fields]
# Every dotted key that has a value.
KEYS = [*_SETTINGS, *DATASET_KEYS]
# Keys that hold other keys.
SECTIONS = list(dict.fromkeys(key.rpartition(".")[0] for key in KEYS if "." in key))
# Keys whose values are text as written: `name: 2024_01` is not a number.
TEXT_KEYS = [
    key
    for key, field in _SETTINGS.items()
    if any(isinstance(kind, CheckedText) and kind.is_verbatim for kind in field.metadata)
]

BUDGET = (
    "grid.learning_rate", "grid.pretraining_rate", "grid.extensions", "grid.replicates", "grid.tuning_replicates",
)  # fmt: skip
# Keys that change the question of a study. Learning rates and replicates do not.
ASKS_ANEW = {"dataset", "task", "task.name"} | {key for key in KEYS if key.startswith("grid.") and key not in BUDGET}

_RENAMED = {"arms": "extra_grids"}  # since 0.2


def keys_of(section: str) -> list[str]:
    """Return the keys of a section, without its name: those of `grid` are `initializer`, `activation`, …"""
    return [key.removeprefix(f"{section}.") for key in KEYS if key.startswith(f"{section}.")]


def current_key(key: str) -> str:
    """Return the current name of a key that may come from an older version: `arms.x` is `extra_grids.x`."""
    first, dot, rest = key.partition(".")
    return _RENAMED.get(first, first) + dot + rest


def with_current_keys(tree: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a tree of settings with the current names of its keys, in the same order.

    Raises:
        ValueError: a key is given with both names.
    """
    refuse_both_names(map(str, tree))
    return {current_key(key) if isinstance(key, str) else key: value for key, value in tree.items()}


def refuse_both_names(given: Iterable[str]) -> None:
    """Raise an error if keys or overrides use both the old and the current name of a key."""
    firsts = {re.split(r"[.=]", text.lstrip("+~"), maxsplit=1)[0] for text in given}
    for old, new in _RENAMED.items():
        if {old, new} <= firsts:
            raise ValueError(f"{old}: got {old} and {new}, but {old} is the old name of {new}; use only {new}")


def flatten(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of nested mappings with their values."""
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def speaks_of_extra_grids(keys: set[str]) -> bool:
    """Return whether keys of a file or of overrides set extra grids."""
    return any(key.partition(".")[0] == "extra_grids" for key in keys)


def drops_extra_grids(keys: set[str]) -> bool:
    """Return whether keys change the question without setting extra grids, so that inherited extra grids are dropped.

    The rule is the same for a study's own file and for overrides.
    """
    return bool(ASKS_ANEW & keys) and not speaks_of_extra_grids(keys)


def takes_all_datasets(keys: set[str]) -> bool:
    """Return whether keys choose datasets without setting grid.dataset, so that the main grid uses all of them."""
    return "dataset" in keys and "grid.dataset" not in keys
