"""The measures of the claims ledger: what makes their numbers, what these say, and how they are written.

Every measure takes the study's tables, their runs narrowed to what a contrast asks for and read at one budget, and the
contrast's parameters. It gives one number a cell, with its interval at any level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from winit.analysis.claims import outcomes, solutions, untrained
from winit.analysis.claims.evidence import Evidence, Parameters
from winit.analysis.select import Tables

ANYWHERE = ("dataset", "activation", "depth")  # every measure may be narrowed by these


@dataclass(frozen=True)
class Measure:
    """A measure.

    A number is written times `factor`, by the format `form`, with the unit behind it.

    Attributes:
        rows: what makes its rows.
        quantity: what its number says.
        form, factor, unit: how it is written.
        needs, offers: its parameters beside `ANYWHERE`: those that it must have, and those that it may.
        moment: when it is taken: at a budget that a contrast may choose, at the end of the full one, or of layers.
    """

    rows: Callable[[Tables, Parameters], list[Evidence]]
    quantity: str
    form: str
    factor: float = 1.0
    unit: str = ""
    needs: tuple[str, ...] = ("initializer",)
    offers: tuple[str, ...] = ()
    moment: Literal["budget", "end", "layers"] = "budget"

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of all its parameters."""
        return (*ANYWHERE, *self.needs, *self.offers, *(("budget",) if self.moment == "budget" else ()))

    def write(self, *values: float) -> str:
        """Return a number, or the two ends of an interval, rounded and with the unit."""
        text = " to ".join(format(self.factor * value, self.form) for value in values)
        return text.replace("-", "−").replace("inf", "∞") + self.unit

    def threshold(self, value: float) -> str:
        """Return a number as it was declared, not rounded, with the unit."""
        text = format(self.factor * value, ".10g").replace("-", "−")
        return text + (self.unit.removesuffix("s") if text in ("1", "−1") else self.unit)


_SHARE: dict[str, Any] = {"form": ".0f", "factor": 100, "unit": " %"}
_POINTS: dict[str, Any] = {"form": "+.1f", "factor": 100, "unit": " points"}
_DECADES: dict[str, Any] = {"form": "+.2f", "unit": " decades", "moment": "layers"}
_VERSUS: dict[str, Any] = {"needs": ("initializer", "compared_with"), "offers": ("pretraining",)}
_ALL: dict[str, Any] = {"needs": (), "offers": ("initializer",)}

MEASURES: dict[str, Measure] = {
    "distinct_units": Measure(
        untrained.distinct_units, "largest number of distinct units in a hidden layer after training", ".0f",
        offers=("dropout",), moment="layers",
    ),
    "activation_factor": Measure(
        untrained.activation_factor,
        "factor of the activations' variance over examples, from the first to the last hidden layer before training", **_DECADES,
    ),
    "gradient_factor": Measure(
        untrained.gradient_factor,
        "factor of the variance of the gradient ∂ℓ/∂z, from the last to the first hidden layer before training", **_DECADES,
    ),
    "saturated_share": Measure(
        untrained.saturated_share, "share of units and examples with a slope below 5 % of the largest, before training",
        **_SHARE, moment="layers",
    ),
    "success": Measure(outcomes.success, "share of runs at the target", **_SHARE),
    "best_success": Measure(outcomes.best_success, "share of runs at the target, of the best", **_SHARE),
    "success_difference": Measure(
        outcomes.success_difference, "gain in the share of runs at the target", **_POINTS, **_VERSUS
    ),
    "accuracy_gain": Measure(
        outcomes.accuracy_gain, "gain in test accuracy where both train", **_POINTS, **_VERSUS
    ),
    "speed": Measure(outcomes.speed, "factor of speed to the target where both arrive", ".3g", **_VERSUS),
    "success_spread": Measure(
        outcomes.success_spread, "share of replicates in which success depends on the initializer, without − with batch normalization",
        **_POINTS, **_ALL,
    ),
    "accuracy_spread": Measure(
        outcomes.accuracy_spread,
        "range of test accuracy over the initializers that train, without − with batch normalization", **_POINTS, **_ALL,
    ),
    "pretraining_gain": Measure(
        outcomes.pretraining_gain, "gain over the best random start", **_POINTS,
        needs=("pretraining", "compared_at"), offers=("initializer",),
    ),
    "disagreement": Measure(
        solutions.disagreement, "share of test examples that two solutions classify differently", form=".1f", factor=100,
        unit=" %", **_ALL, moment="end",
    ),
    "distance": Measure(
        solutions.distance, "mean distance of two solutions in the probability of the true class", ".3f", **_ALL, moment="end"
    ),
}  # fmt: skip
