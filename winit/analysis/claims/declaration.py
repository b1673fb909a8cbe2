"""The claims ledger: what the tutorial says, declared before the data, and what a study's own tables say to it.

A claim is an entry in a YAML file. It names one or more *contrasts*: a measure of this module, what it is taken of, and
two conditions on its number, written down beforehand. A measure gives one number for each *cell* (dataset × activation ×
depth × width × optimizer, and often initializer), with a 95 % interval where there are at least three replicates. A cell
supports the claim if its whole interval meets the one condition, refutes it if it meets the other, and is undecided
otherwise: an effect within its own interval of a threshold decides nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

from winit import datasets, schemes
from winit.analysis.claims.measures import MEASURES, Parameters
from winit.study import yaml_files
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.pretraining import parse_pretraining

FIGURES = (
    "trainability", "convergence", "signals", "gradients", "saturation", "symmetry", "learning-rate", "pretraining",
    "regularization",
)  # fmt: skip
OUTCOMES = ("supports", "refutes", "undecided")
VERDICTS = ("supported", "refuted", "mixed", "undecided", "not tested here")


@dataclass(frozen=True)
class Condition:
    """Where a number must lie: `at_least` or `at_most` one end, `between` or `outside` two; the ends belong to it."""

    word: str
    ends: tuple[float, ...]

    def holds(self, low: float, high: float) -> bool:
        """Return whether the condition holds for every number from low to high."""
        first, last = self.ends[0], self.ends[-1]
        return {
            "at_least": low >= first,
            "at_most": high <= last,
            "between": first <= low and high <= last,
            "outside": high <= first or low >= last,
        }[self.word]

    def text(self, write: Callable[[float], str]) -> str:
        """Return the condition in words, its numbers as `write` writes them."""
        first, last = write(self.ends[0]), write(self.ends[-1])
        return {
            "at_least": f"at least {first}",
            "at_most": f"at most {last}",
            "between": f"between {first} and {last}",
            "outside": f"at most {first} or at least {last}",
        }[self.word]


CONDITIONS = {"at_least": 1, "at_most": 1, "between": 2, "outside": 2}  # and how many numbers each has


@dataclass(frozen=True)
class Contrast:
    """One measure with its parameters, and what its number must be for a cell to support or to refute."""

    measure: str
    parameters: Parameters
    supported_if: Condition
    refuted_if: Condition

    @property
    def title(self) -> str:
        """What its number says, and of which initializers, by name if they are few."""

        def listed(key: str) -> str:
            names = self.parameters.get(key, ())
            return " or ".join(map(schemes.label, names)) if len(names) < 3 else f"{len(names)} initializers"

        ours, theirs = listed("initializer"), listed("compared_with")
        if "pretraining" in self.parameters:
            ours += " with pretraining"
        return MEASURES[self.measure].quantity + (f", {ours}" if ours else "") + (f" over {theirs}" if theirs else "")

    @property
    def rule(self) -> str:
        """The rule in words and numbers."""
        write = MEASURES[self.measure].threshold
        return f"{self.title}: supports if {self.supported_if.text(write)}, refutes if {self.refuted_if.text(write)}"

    def outcome(self, value: float, low: float, high: float) -> str:
        """Return what a cell's number says, by its interval where it has one."""
        if math.isnan(value):
            return "undecided"
        ends = (value, value) if math.isnan(low) or math.isnan(high) else (low, high)
        supports, refutes = self.supported_if.holds(*ends), self.refuted_if.holds(*ends)
        if supports == refutes:  # neither; or both, on the point where the conditions meet
            return "undecided"
        return "supports" if supports else "refutes"


@dataclass(frozen=True)
class Claim:
    """One claim, as it was declared before the data."""

    id: str
    statement: str
    source: str
    measured: str
    figure: str
    contrast: tuple[Contrast, ...]
    correction: str = ""

    @property
    def rule(self) -> str:
        """The rules of all its contrasts."""
        return "; ".join(contrast.rule for contrast in self.contrast)


@dataclass(frozen=True)
class Rule:
    """What a value of a declaration may be: `allowed` says it in words, `check` returns the value as it is kept."""

    allowed: str
    check: Callable[[object], object]
    many: bool = False  # a non-empty list without repetitions; one bare value stands for a list of one


def _one_of(kind: str, names: Sequence[str], many: bool = False) -> Rule:
    def check(value: object) -> str:
        if str(value) not in names:
            raise ValueError(unknown_name(kind, str(value), names))
        return str(value)

    return Rule(f"one of {', '.join(names)}", check, many)


def _words(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return " ".join(value.split())


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not value or not set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"):
        raise ValueError
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _depth(value: object) -> object:
    if value not in ("all", "deepest") and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError
    return value


def _dropout(value: object) -> float:
    if not 0 <= _number(value) < 1:
        raise ValueError
    return float(value)


def _initializer(value: object) -> str:
    return schemes.canonical(str(value))


def _pretraining(value: object) -> str:
    parse_pretraining(str(value))
    return str(value)


TEXTS: dict[str, Rule] = {
    "id": Rule("lower-case letters, digits and '-'", _identifier),
    "statement": Rule("a sentence", _words),
    "source": Rule("who claims it", _words),
    "measured": Rule("what is measured, in words", _words),
    "figure": _one_of("figure", FIGURES),
    "correction": Rule("a sentence", _words),
}
PARAMETERS: dict[str, Rule] = {
    "dataset": _one_of("dataset", list(datasets.DATASETS), many=True),
    "activation": _one_of("activation", list(ACTIVATIONS), many=True),
    "depth": Rule("all, deepest, or a whole number: so many layers and more", _depth),
    "initializer": Rule("a list of initializers", _initializer, many=True),
    "compared_with": Rule("a list of initializers", _initializer, many=True),
    "pretraining": Rule("a list of ways of pretraining", _pretraining, many=True),
    "dropout": Rule("a number from 0 to below 1", _dropout),
}
EVERYWHERE = ("dataset", "activation", "depth")  # every measure may be narrowed by these
KEYS = [field.name for field in fields(Claim)]


def _apply(place: str, rule: Rule, value: object) -> object:
    """Return a value as it is kept, a tuple where there may be many."""

    def one(item: object) -> object:
        try:
            return rule.check(item)
        except ValueError as reason:
            text = str(reason) or f"got {_given(item)}; allowed is {rule.allowed}"
            raise ValueError(f"{place}: {text}") from None

    if value is None or value == []:
        raise ValueError(f"{place}: nothing given; it needs {rule.allowed}")
    if not rule.many:
        return one(value)
    kept = tuple(one(item) for item in (value if isinstance(value, list) else [value]))
    for item in kept:
        if kept.count(item) > 1:
            raise ValueError(f"{place}: got {_given(value)}, which lists {item} twice; once is enough")
    return kept


def _given(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _mapping(place: str, value: object, allowed: Sequence[str], what: str) -> Mapping[str, object]:
    """Return a mapping that has no keys but the allowed ones."""
    if not isinstance(value, Mapping) or not value:
        given = "nothing given" if value is None or value == {} else f"got {_given(value)}"
        raise ValueError(f"{place}: {given}; it needs a mapping with {what}")
    for key in value:
        if key not in allowed:
            raise ValueError(f"{place}: {unknown_name('key', str(key), allowed)}")
    return value


def _condition(place: str, value: object) -> Condition:
    tree = _mapping(place, value, list(CONDITIONS), f"one of {', '.join(CONDITIONS)}")
    if len(tree) != 1:
        raise ValueError(f"{place}: got {' and '.join(tree)}; allowed is one of {', '.join(CONDITIONS)}")
    [(word, ends)] = tree.items()
    allowed = "a number" if CONDITIONS[word] == 1 else "two numbers [a, b], the smaller first"
    try:
        numbers = [_number(end) for end in (ends if isinstance(ends, list) else [ends])]
        if len(numbers) != CONDITIONS[word] or numbers != sorted(set(numbers)):
            raise ValueError
    except ValueError:
        raise ValueError(f"{place}.{word}: got {_given(ends)}; allowed is {allowed}") from None
    return Condition(word, tuple(numbers))


def _contrast(place: str, value: object) -> Contrast:
    conditions = ("supported_if", "refuted_if")
    tree = _mapping(place, value, ["measure", *conditions, *PARAMETERS], f"a measure, {' and '.join(conditions)}")
    name = _apply(f"{place}.measure", _one_of("measure", list(MEASURES)), tree.get("measure"))
    measure = MEASURES[name]
    takes = (*EVERYWHERE, *measure.needs, *measure.offers)
    for key in tree:
        if key in PARAMETERS and key not in takes:
            raise ValueError(f"{place}: the measure {name} has no parameter {key}; it has {', '.join(takes)}")
    parameters = {
        key: _apply(f"{place}.{key}", PARAMETERS[key], tree.get(key))
        for key in takes
        if key in tree or key in measure.needs
    }
    supported_if, refuted_if = (_condition(f"{place}.{key}", tree.get(key)) for key in conditions)
    ends = [-math.inf, *sorted({*supported_if.ends, *refuted_if.ends}), math.inf]
    for low, high in pairwise(ends):
        if supported_if.holds(low, high) and refuted_if.holds(low, high):
            both = f"supported_if {supported_if.text('{:g}'.format)} and refuted_if {refuted_if.text('{:g}'.format)}"
            raise ValueError(f"{place}: {both} overlap; a number may meet only one of them")
    return Contrast(name, parameters, supported_if, refuted_if)


def _claim(file: str, index: int, value: object) -> Claim:
    place = f"{file}, claim {index}"
    tree = _mapping(place, value, KEYS, f"the keys {', '.join(KEYS)}")
    name = _apply(f"{place}: id", TEXTS["id"], tree.get("id"))
    place = f"{file}, claim {name}"
    texts = {
        key: _apply(f"{place}: {key}", rule, tree.get(key))
        for key, rule in TEXTS.items()
        if key != "correction" or key in tree
    }
    given = tree.get("contrast")
    several = given if isinstance(given, list) and given else [given]
    places = [f"{place}: contrast" + (f" {i}" if len(several) > 1 else "") for i in range(1, len(several) + 1)]
    return Claim(**texts, contrast=tuple(map(_contrast, places, several)))


def read(folder: Path) -> list[Claim]:
    """Read every claim declared in a folder, its files by name, the claims of each in their order.

    Args:
        folder: with YAML files, each a list of claims.

    Raises:
        ValueError: with one sentence that names the file, the claim, the key, what was given and what is allowed.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise ValueError(f"no claims at {folder}; it needs a file *.yaml with a list of claims")
    claims: dict[str, Claim] = {}
    for file in files:
        tree = yaml_files.read(file)
        if not isinstance(tree, list) or not tree:
            raise ValueError(f"{file.name}: got {_given(tree)[:60]}; allowed is a list of claims")
        for index, entry in enumerate(tree, start=1):
            claim = _claim(file.name, index, entry)
            if claim.id in claims:
                raise ValueError(
                    f"{file.name}, claim {index}: id: got {claim.id}, which another claim has; take another"
                )
            claims[claim.id] = claim
    return list(claims.values())
