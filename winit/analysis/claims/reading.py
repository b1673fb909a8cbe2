"""Read claims from YAML files. The first error is reported in one sentence: file, claim, key, value, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from winit.analysis.claims.declaration import BUDGETS, CONDITIONS, FIGURES, Claim, Condition, Contrast
from winit.analysis.claims.evidence import Parameters
from winit.analysis.claims.measures import MEASURES
from winit.datasets import DATASETS
from winit.study import yaml_files
from winit.study.fields import (
    NUMBER,
    REPEATED,
    CheckedText,
    Initializer,
    Integer,
    Levels,
    Pretraining,
    Sentence,
    allowed,
    one_of,
    shown,
)
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name

Value = TypeVar("Value")


@dataclass(frozen=True)
class Key(Generic[Value]):
    """One key of a declaration: its type, and what is allowed, as text."""

    adapter: TypeAdapter[Value]
    allowed: str

    @classmethod
    def of(cls, type_: Any, words: str = "") -> Key[Value]:
        """Return the key for a type. Its schema describes what is allowed unless text is given."""
        adapter = TypeAdapter(type_)
        return cls(adapter, words or allowed(adapter.json_schema()))

    def read(self, where: str, value: object) -> Value:
        """Return the normalized value.

        Raises:
            ValueError: the value is not allowed; the message starts with `where`.
        """
        if value is None or value == []:
            raise ValueError(f"{where}: nothing given; it needs {self.allowed}")
        try:
            return self.adapter.validate_python(value)
        except ValidationError as mistakes:
            error = mistakes.errors(include_url=False)[0]
        if error["type"] == REPEATED:
            raise ValueError(f"{where}: got {shown(value)}, which lists {error['ctx']['value']} twice; list it once")
        item = next((part for part in error["loc"] if isinstance(part, int)), None)
        wrong = value[item] if isinstance(value, list) and item is not None else value
        reason = str(error.get("ctx", {}).get("error", "")) if error["type"] == "value_error" else ""
        raise ValueError(f"{where}: {reason or f'got {shown(wrong)}; allowed is {self.allowed}'}")


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not value or not set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"):
        raise ValueError
    return value


Text = Annotated[Sentence, AfterValidator(lambda text: " ".join(text.split()))]  # files may fold long lines
Number = Annotated[float, Field(allow_inf_nan=False), NUMBER]
Layers = Annotated[Integer, Field(ge=1)]
COMPARED_AT = ("equal updates", "equal time")

TEXTS: dict[str, Key[str]] = {
    "id": Key.of(Annotated[str, CheckedText(_identifier, "lower-case letters, digits and '-'")]),
    "statement": Key.of(Text),
    "source": Key.of(Text, "the source of the claim"),
    "measured": Key.of(Text, "what is measured, as text"),
    "figure": Key.of(Annotated[str, one_of("figure", FIGURES)]),
    "correction": Key.of(Text),
}
PARAMETERS: dict[str, Key[Any]] = {
    "dataset": Key.of(Levels[Annotated[str, one_of("dataset", DATASETS)]]),
    "activation": Key.of(Levels[Annotated[str, one_of("activation", ACTIVATIONS)]]),
    "depth": Key.of(
        Literal["all"] | Layers | Levels[Layers],
        "all, a whole number (at least that many layers), or a list of whole numbers (exactly these depths)",
    ),
    "budget": Key.of(Annotated[str, one_of("budget", BUDGETS)]),
    "initializer": Key.of(Levels[Initializer], "a list of initializers"),
    "compared_with": Key.of(Levels[Initializer], "a list of initializers"),
    "compared_at": Key.of(Annotated[str, one_of("comparison", COMPARED_AT)]),
    "pretraining": Key.of(Levels[Pretraining], "a list of ways of pretraining"),
    "dropout": Key.of(Annotated[float, Field(ge=0, lt=1), NUMBER]),
}
MEASURE: Key[str] = Key.of(Annotated[str, one_of("measure", MEASURES)])
NUMBERS: TypeAdapter[list[float]] = TypeAdapter(list[Number])

KEYS = [field.name for field in fields(Claim)]


def _mapping(where: str, value: object, keys: Iterable[str], what: str) -> Mapping[str, object]:
    """Return a mapping after checking that it has only allowed keys."""
    if not isinstance(value, Mapping) or not value:
        given = "nothing given" if value is None or value == {} else f"got {shown(value)}"
        raise ValueError(f"{where}: {given}; it needs a mapping with {what}")
    for key in value:
        if key not in keys:
            raise ValueError(f"{where}: {unknown_name('key', str(key), keys)}")
    return value


def _condition(where: str, value: object) -> Condition:
    tree = _mapping(where, value, CONDITIONS, f"one of {', '.join(CONDITIONS)}")
    if len(tree) != 1:
        raise ValueError(f"{where}: got {' and '.join(tree)}; allowed is one of {', '.join(CONDITIONS)}")
    [(word, ends)] = tree.items()
    try:
        numbers = NUMBERS.validate_python(ends if isinstance(ends, list) else [ends])
    except ValidationError:
        numbers = []
    if len(numbers) != CONDITIONS[word] or numbers != sorted(set(numbers)):
        words = "a number" if CONDITIONS[word] == 1 else "two numbers [a, b], the smaller first"
        raise ValueError(f"{where}.{word}: got {shown(ends)}; allowed is {words}")
    return Condition(word, tuple(numbers))


def _parameters(where: str, tree: Mapping[str, object], name: str) -> Parameters:
    """Return the parameters of a contrast that its measure takes."""
    measure = MEASURES[name]
    for key in tree:
        if key in PARAMETERS and key not in measure.takes:
            raise ValueError(f"{where}: the measure {name} has no parameter {key}; it has {', '.join(measure.takes)}")
    given = [key for key in measure.takes if key in tree or key in measure.needs]
    values = {key: PARAMETERS[key].read(f"{where}.{key}", tree.get(key)) for key in given}
    kept = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return cast(Parameters, kept)  # PARAMETERS has the type of every key


def _contrast(where: str, value: object) -> Contrast:
    conditions = ("supported_if", "refuted_if")
    tree = _mapping(where, value, ["measure", *conditions, *PARAMETERS], f"a measure, {' and '.join(conditions)}")
    name = MEASURE.read(f"{where}.measure", tree.get("measure"))
    parameters = _parameters(where, tree, name)
    supported_if, refuted_if = (_condition(f"{where}.{key}", tree.get(key)) for key in conditions)
    contrast = Contrast(name, parameters, supported_if, refuted_if)
    if contrast.overlap:
        raise ValueError(f"{where}: {contrast.overlap}")
    return contrast


def _claim(file: str, index: int, value: object) -> Claim:
    where = f"{file}, claim {index}"
    tree = _mapping(where, value, KEYS, f"the keys {', '.join(KEYS)}")
    where = f"{file}, claim {TEXTS['id'].read(f'{where}: id', tree.get('id'))}"
    needed = [key for key in TEXTS if key != "correction" or key in tree]
    texts = {key: TEXTS[key].read(f"{where}: {key}", tree.get(key)) for key in needed}
    given = tree.get("contrast")
    several = given if isinstance(given, list) and given else [given]
    places = [f"{where}: contrast" + (f" {i}" if len(several) > 1 else "") for i in range(1, len(several) + 1)]
    return Claim(**texts, contrast=tuple(map(_contrast, places, several)))


def read(files: Iterable[Path]) -> list[Claim]:
    """Read the claims declared in files, in order.

    Args:
        files: YAML files, each with a list of claims.

    Raises:
        ValueError: a declaration is invalid; one sentence names the file, claim, key, value and what is allowed.
    """
    claims: dict[str, Claim] = {}
    for file in files:
        tree = yaml_files.read(file)
        if not isinstance(tree, list) or not tree:
            raise ValueError(f"{file.name}: got {shown(tree)[:60]}; allowed is a list of claims")
        for index, entry in enumerate(tree, start=1):
            claim = _claim(file.name, index, entry)
            if claim.id in claims:
                raise ValueError(
                    f"{file.name}, claim {index}: id: got {claim.id}, which another claim already has; use another id"
                )
            claims[claim.id] = claim
    return list(claims.values())
