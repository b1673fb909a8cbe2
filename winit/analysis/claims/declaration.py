"""The claims ledger: what the tutorial says, declared before the data, to be tested on a study's own tables.

A claim names one or more *contrasts*: a measure, what it is taken of, and two conditions on its number, written down
beforehand. A measure gives one number for each *cell* (dataset × activation × depth × width × optimizer, and often
initializer), with an interval. A cell supports the claim if its whole interval meets the one condition, refutes it if it
meets the other, and is undecided otherwise: an effect within its own interval of a threshold decides nothing.
`winit.analysis.claims.judging` says how wide an interval is, and what the cells of a contrast and the contrasts of a claim
come to.
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


# Where outcomes are read, and how a rule says it.
BUDGETS = {"first": "at the shortest budget", "last": "at the full budget", "all": "at every budget"}

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

        def listed(names: tuple[str, ...]) -> str:
            return " or ".join(map(schemes.label, names)) if len(names) < 3 else f"{len(names)} initializers"

        ours, theirs = (
            listed(self.parameters.get("initializer", ())),
            listed(self.parameters.get("compared_with", ())),
        )
        if "pretraining" in self.parameters:
            ours = f"{ours} with pretraining".strip()
        theirs += ", trained as much longer" if theirs and "pretraining" in self.parameters else ""
        equal = self.parameters.get("compared_at", "")
        return (
            MEASURES[self.measure].quantity
            + (f", {ours}" if ours else "")
            + (f" over {theirs}" if theirs else "")
            + (f", at {equal}" if equal else "")
        )

    @property
    def budget(self) -> str:
        """Which budgets it is read at: a word of `BUDGETS`; empty where it is of layers."""
        return "" if MEASURES[self.measure].moment == "layers" else self.parameters.get("budget", "last")

    @property
    def overlap(self) -> str:
        """The sentence that says where a number would meet both conditions; empty where none does."""
        ends = [-inf, *sorted({*self.supported_if.ends, *self.refuted_if.ends}), inf]
        if not any(self.supported_if.holds(*span) and self.refuted_if.holds(*span) for span in pairwise(ends)):
            return ""
        supported_if, refuted_if = (side.text("{:g}".format) for side in (self.supported_if, self.refuted_if))
        return f"supported_if {supported_if} and refuted_if {refuted_if} overlap; a number may meet only one of them"

    @property
    def rule(self) -> str:
        """The rule in words and numbers."""
        write = MEASURES[self.measure].threshold
        when = f" {BUDGETS[self.budget]}" if self.budget else ""
        return (
            f"{self.title}{when}: supports if {self.supported_if.text(write)}, refutes if {self.refuted_if.text(write)}"
        )

    def outcome(self, low: float, high: float) -> str:
        """Return what a cell says whose number lies between low and high."""
        supports, refutes = self.supported_if.holds(low, high), self.refuted_if.holds(low, high)
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
