"""Overrides in Hydra's syntax: `grid.depth=[2,4]`. Hydra's grammar parses them; every error is one sentence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from winit.study import yaml_files
from winit.study.keys import KEYS, SECTIONS, TEXT_KEYS, current_key, speaks_of_extra_grids
from winit.study.validation import LIST_OF_KEYS
from winit.vocabulary.errors import unknown_name


@dataclass(frozen=True)
class Override:
    """One override: its current key, its text as given, and its value. `hydra` is passed to Hydra; it is '' for text."""

    key: str
    given: str
    value: object
    hydra: str


def parse_override(given: str, groups: Mapping[str, Collection[str]]) -> Override:
    """Parse an override such as `grid.depth=[2,4]`.

    Args:
        given: in Hydra's syntax. The value of a text key (`name`, `question`, `data.dir`) is everything after the first
            equals sign, unless it is quoted.
        groups: the names in each group of settings.

    Raises:
        ValueError: the override is invalid; one sentence says what to write instead.
    """
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ValueError(f"cannot read '{yaml_files.shortened(given)}': it is not UTF-8") from None
    name, equals, after = given.partition("=")
    key = current_key(name.lstrip("+~"))
    sign, rest = name[: len(name) - len(name.lstrip("+~"))], equals + after
    if sign != "~" and rest and key in TEXT_KEYS:
        return Override(key, given, _text(rest[1:]), "")
    if key in groups and sign != "~":
        sign = ""  # choices from groups have no plus sign
    if key in groups and re.fullmatch(r"=[\w.-]+", rest):
        rest = f"='{rest[1:]}'"  # keep the name as typed: study=1e5 is not a number
    if sign in ("", "+") and speaks_of_extra_grids({key}):
        sign = "++"  # a new extra grid needs no plus sign
    override = _hydra_override(sign + key + rest, given)
    if override.package is not None:  # key@package
        raise ValueError(_unreadable(given))
    if override.is_sweep_override():
        raise ValueError(f"cannot sweep with '{given}'; give a list instead: {key}=[…]")
    if override.is_delete():
        remedy = (
            f"write {key}=null" if speaks_of_extra_grids({key}) else "every key is needed, so set it to another value"
        )
        raise ValueError(f"cannot delete with '{given}'; {remedy}")
    value = override.value()
    if key in groups and not isinstance(value, Mapping):
        _check_choice(key, given, value, groups[key])
    elif key in groups or key in SECTIONS:
        raise ValueError(_one_by_one(key, value))
    elif key not in KEYS and not speaks_of_extra_grids({key}):
        raise ValueError(f"{unknown_name('key', key, [*groups, *KEYS], LIST_OF_KEYS)} (given: {given})")
    return Override(key, given, value, sign + key + rest)


def _hydra_override(text: str, given: str) -> Any:  # Hydra has no types
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        raise ValueError(_unreadable(given)) from None


def _unreadable(given: str) -> str:
    return f"cannot read '{yaml_files.shortened(given)}'; write key=value, and quote lists: 'grid.depth=[2,4]'"


def _text(value: str) -> str | None:
    """Return the text of a value: the part between Hydra's quotes, otherwise the value itself; None for null."""
    if value == "null":
        return None
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        from hydra.core.override_parser.types import QuotedString

        try:
            parsed = _hydra_override(f"text={value}", value)
        except ValueError:
            return value
        if isinstance(parsed._value, QuotedString):
            return parsed.value()
    return value


def _check_choice(group: str, given: str, chosen: object, names: Collection[str]) -> None:
    if isinstance(chosen, list) and group != "dataset":
        raise ValueError(f"{group}: got {given}; it takes one of {', '.join(names)}")
    for name in chosen if isinstance(chosen, list) else [chosen]:
        if name not in names:
            raise ValueError(f"{group}: {unknown_name(group, str(name), names)}")


def _one_by_one(section: str, value: object) -> str:
    """Return the error message for an override of a whole section."""
    first = next(key for key in KEYS if key.startswith(f"{section}."))
    example = f"{first}=…"
    if isinstance(value, Mapping) and value:
        name, inner = next(iter(value.items()))
        example = shlex.quote(f"{section}.{name}={yaml_files.dump_line([inner])[1:-1]}")
    given = "" if isinstance(value, Mapping) else f"got {value}; "
    return f"{section}: {given}set its keys one by one: {example}"
