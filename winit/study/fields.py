"""The types of settings: numbers, names, text and lists of them, checked by pydantic.

A type determines which values are valid, how they are normalized, and their JSON Schema. `allowed` turns the schema into
the words of an error message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from winit import schemes
from winit.study import yaml_files
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.pretraining import CONTROLS, PRETRAINING, parse_pretraining

JsonSchema = dict[str, Any]
Value = TypeVar("Value")
Item = TypeVar("Item")

REPEATED = "repeated"  # type of pydantic's error for a list with a repeated item


@dataclass(frozen=True)
class CheckedText:
    """A text type with its own check. Use it as `Annotated[str, CheckedText(...)]`.

    Attributes:
        check: returns the normalized value; raises ValueError, with a sentence or empty, if it is not allowed.
        allowed: what is allowed, as text.
        schema: the JSON Schema.
        is_verbatim: whether a plain value in a file or an override is kept as written: `name: 2024_01` is not a number.
    """

    check: Callable[[object], str]
    allowed: str
    schema: Mapping[str, object] = field(default_factory=dict)
    is_verbatim: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        # Editors show `errorMessage`, although it is not part of the standard.
        return {"type": "string", **self.schema, "errorMessage": f"allowed is {self.allowed}"}


def one_of(kind: str, names: Iterable[str]) -> CheckedText:
    """Return the type of a name from a list; `kind` is what it names."""
    names = list(names)

    def check(value: object) -> str:
        if str(value) not in names:
            raise ValueError(unknown_name(kind, str(value), names))
        return str(value)

    return CheckedText(check, f"one of {', '.join(names)}", {"enum": names})


def _initializer(value: object) -> str:
    return schemes.canonical(str(value))


def _pretraining(value: object) -> str:
    parse_pretraining(str(value))
    return str(value)


def _words(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("got text with half a character (a lone surrogate); write the character itself") from None
    return value


_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def check_name(value: object) -> str:
    """Return the name if it is valid as a folder name.

    Raises:
        ValueError: the name is not valid; the message is empty if `allowed` says everything.
    """
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        # another YAML reader has changed 2024_01 to 202401
        raise ValueError(f"got {value}, which is not text; quote the name: name: '{value}'")
    if not isinstance(value, str) or not re.fullmatch(_NAME[1:-1], value):
        raise ValueError
    if value.lower() == "store":
        raise ValueError(f"got {value}, but results/store/ is the folder of the run store; use another name")
    return value


NAME_ALLOWED = "letters, digits, '_', '-' and '.', at most 64"
Name = Annotated[str, CheckedText(check_name, NAME_ALLOWED, {"pattern": _NAME}, is_verbatim=True)]
Sentence = Annotated[str, CheckedText(_words, "a sentence", {"minLength": 1}, is_verbatim=True)]
Folder = Annotated[str, CheckedText(_words, "a folder's path, or auto", {"minLength": 1}, is_verbatim=True)]
_INITIALIZER = {
    "pattern": f"^({'|'.join(map(re.escape, [*schemes.SCHEMES, *schemes.ALIASES]))})([:+].+)?$",
    "examples": ["he_normal", "normal:0.01", "orthogonal:1+lsuv"],
}
_WAYS = f"one of {', '.join(PRETRAINING)}, with or without a control: rbm+shuffled"
_PRETRAINING = {
    "pattern": rf"^({'|'.join(PRETRAINING)})(\+({'|'.join(CONTROLS)}))?$",
    "examples": ["none", "rbm", "rbm+shuffled"],
}
Initializer = Annotated[str, CheckedText(_initializer, "an initializer", _INITIALIZER)]
Pretraining = Annotated[str, CheckedText(_pretraining, _WAYS, _PRETRAINING)]


def _number(value: object) -> float:
    """Return a normalized number. Snakemake's reader reads 1e-3 as text."""
    if isinstance(value, str):
        value = yaml_files.number(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError
    try:
        return float(value)
    except OverflowError:
        raise ValueError from None


Integer = Annotated[int, Strict()]
NUMBER = BeforeValidator(_number)  # after the bounds: Annotated[float, Field(ge=0), NUMBER]
Truth = Annotated[bool, Strict()]


def _listed(value: object) -> list[object]:
    """Return a list. A single value is a list with one item."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _once_each(values: list[Item]) -> list[Item]:
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError(REPEATED, "{value}", {"value": str(value)})
    return values


@dataclass(frozen=True)
class _BareOrListed:
    """Adds to the JSON Schema that a single value is allowed instead of a list with one item."""

    is_unique: bool = False

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        listed = handler(schema)
        description = {"description": listed.pop("description")} if "description" in listed else {}
        return description | {"anyOf": [listed["items"], listed | ({"uniqueItems": True} if self.is_unique else {})]}


Listed = Annotated[list[Item], BeforeValidator(_listed), _BareOrListed()]
# The levels of a factor: at least one, without repetition.
Levels = Annotated[
    list[Item], Field(min_length=1), BeforeValidator(_listed), AfterValidator(_once_each), _BareOrListed(is_unique=True)
]


def allowed(schema: JsonSchema) -> str:
    """Return what a JSON Schema allows as text: 'a whole number from 1 to 1000'. For a list, describe its items."""
    if "errorMessage" in schema:
        return str(schema["errorMessage"]).removeprefix("allowed is ")
    if "anyOf" in schema:
        choices = [choice for choice in schema["anyOf"] if choice.get("type") != "array"]
        return ", or ".join(map(allowed, choices))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "boolean":
        return "true or false"
    if schema.get("type") in ("integer", "number"):
        return _span(schema)
    return f"a mapping with the keys {', '.join(schema['properties'])}"


def _span(schema: JsonSchema) -> str:
    is_integer = schema["type"] == "integer"
    what = "a whole number" if is_integer else "a number"

    def text(bound: float) -> str:
        return str(bound) if is_integer else f"{bound:g}"

    if "exclusiveMinimum" in schema:
        high = f" and below {text(schema['exclusiveMaximum'])}" if "exclusiveMaximum" in schema else ""
        return f"{what} above {text(schema['exclusiveMinimum'])}{high}"
    if "exclusiveMaximum" in schema:
        return f"{what} from {text(schema['minimum'])} to below {text(schema['exclusiveMaximum'])}"
    if "maximum" in schema:
        return f"{what} from {text(schema['minimum'])} to {text(schema['maximum'])}"
    return f"{what} of at least {text(schema['minimum'])}"


def shown(value: object) -> str:
    """Return a value as error messages show it."""
    return json.dumps(value, default=str, ensure_ascii=False)
