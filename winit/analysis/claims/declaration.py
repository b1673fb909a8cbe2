"""Declarations of claims: the tutorial's claims, declared before the data are collected and tested on a study's tables.

A claim has one or more *contrasts*: a measure with its parameters, and two conditions on its value. A measure gives one
value with an interval for each *cell* (dataset × activation × depth × width × optimizer, and often initializer). A cell
supports the claim if its whole interval meets `supported_if`, refutes it if the interval meets `refuted_if`, and is undecided
otherwise. `winit.analysis.claims.judging` determines the levels of the intervals and combines cells and contrasts to
verdicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from winit import schemes
from winit.analysis.claims.evidence import Parameters
from winit.analysis.claims.measures import MEASURES

FIGURES = (
    "trainability", "convergence", "signals", "gradients", "saturation", "symmetry", "learning-rate", "pretraining",
    "regularization",
)  # fmt: skip
OUTCOMES = ("supports", "refutes", "undecided", "no evidence")
VERDICTS = ("supported", "refuted", "mixed", "undecided", "not tested here")


@dataclass(frozen=True)
class Condition:
    """A condition on a value: `at_least` or `at_most` one end, `between` or `outside` two ends, inclusive."""

    word: str
    ends: tuple[float, ...]

    def holds(self, low: float, high: float) -> bool:
        """Return whether the condition holds for all values from low to high."""
        first, last = self.ends[0], self.ends[-1]
        return {
            "at_least": low >= first,
            "at_most": high <= last,
            "between": first <= low and high <= last,
            "outside": high <= first or low >= last,
        }[self.word]

    def text(self, write: Callable[[float], str]) -> str:
        """Return the condition as text, with numbers formatted by `write`."""
        first, last = write(self.ends[0]), write(self.ends[-1])
        return {
            "at_least": f"at least {first}",
            "at_most": f"at most {last}",
            "between": f"between {first} and {last}",
            "outside": f"at most {first} or at least {last}",
        }[self.word]


# Budgets at which a contrast is judged, and their text in a rule.
BUDGETS = {"first": "at the shortest budget", "last": "at the full budget", "all": "at every budget"}

CONDITIONS = {"at_least": 1, "at_most": 1, "between": 2, "outside": 2}  # and the number of ends


@dataclass(frozen=True)
class Contrast:
    """A measure with its parameters, and the conditions for a cell to support or refute the claim."""

    measure: str
    parameters: Parameters
    supported_if: Condition
    refuted_if: Condition

    @property
    def title(self) -> str:
        """What is measured, with the names of the initializers if there are at most two."""

        def listed(names: tuple[str, ...]) -> str:
            return " or ".join(map(schemes.label, names)) if len(names) < 3 else f"{len(names)} initializers"

        ours, theirs = (
            listed(self.parameters.get("initializer", ())),
            listed(self.parameters.get("compared_with", ())),
        )
        if "pretraining" in self.parameters:
            ours = f"{ours} with pretraining".strip()
        theirs += ", trained for as many additional updates" if theirs and "pretraining" in self.parameters else ""
        equal = self.parameters.get("compared_at", "")
        return (
            MEASURES[self.measure].quantity
            + (f", {ours}" if ours else "")
            + (f" over {theirs}" if theirs else "")
            + (f", at {equal}" if equal else "")
        )

    @property
    def budget(self) -> str:
        """The budgets at which it is judged: a key of `BUDGETS`, or empty for measures of layers."""
        return "" if MEASURES[self.measure].moment == "layers" else self.parameters.get("budget", "last")

    @property
    def overlap(self) -> str:
        """The error message if a value could meet both conditions; otherwise empty."""
        ends = [-inf, *sorted({*self.supported_if.ends, *self.refuted_if.ends}), inf]
        if not any(self.supported_if.holds(*span) and self.refuted_if.holds(*span) for span in pairwise(ends)):
            return ""
        supported_if, refuted_if = (side.text("{:g}".format) for side in (self.supported_if, self.refuted_if))
        return f"supported_if {supported_if} and refuted_if {refuted_if} overlap; a value may meet only one of them"

    @property
    def rule(self) -> str:
        """The rule as text."""
        write = MEASURES[self.measure].threshold
        when = f" {BUDGETS[self.budget]}" if self.budget else ""
        return (
            f"{self.title}{when}: supports if {self.supported_if.text(write)}, refutes if {self.refuted_if.text(write)}"
        )

    def outcome(self, low: float, high: float) -> str:
        """Return the outcome of a cell whose interval is from low to high."""
        supports, refutes = self.supported_if.holds(low, high), self.refuted_if.holds(low, high)
        if supports == refutes:  # neither, or both at the point where the conditions meet
            return "undecided"
        return "supports" if supports else "refutes"


@dataclass(frozen=True)
class Claim:
    """A claim, as declared before the data are collected."""

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
