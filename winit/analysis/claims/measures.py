"""The measures of claims: how they are computed, described and formatted.

Every measure takes the study's tables, restricted to the selection of a contrast and evaluated at one budget, and the
contrast's parameters. It returns one value per cell, with its interval at any level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from winit.analysis.claims import outcomes, solutions, untrained
from winit.analysis.claims.evidence import Evidence, Parameters
from winit.analysis.select import Tables

ANYWHERE = ("dataset", "activation", "depth")  # every measure can be restricted by these


@dataclass(frozen=True)
class Measure:
    """A measure.

    A value is multiplied by `factor`, formatted with `form` and followed by the unit.

    Attributes:
        rows: function that returns its rows.
        quantity: what is measured, as text.
        form, factor, unit: how a value is formatted.
        needs, offers: its required and optional parameters in addition to `ANYWHERE`.
        moment: when it is measured: at a budget of the contrast, at the end of the full budget, or on layers.
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
        """Return a value, or the two ends of an interval, rounded and with the unit."""
        text = " to ".join(format(self.factor * value, self.form) for value in values)
        return text.replace("-", "−").replace("inf", "∞") + self.unit

    def threshold(self, value: float) -> str:
        """Return a declared value, not rounded, with the unit."""
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
        "change of the variance of the activations over examples, from the first to the last hidden layer before training", **_DECADES,
    ),
    "gradient_factor": Measure(
        untrained.gradient_factor,
        "change of the variance of the gradient ∂ℓ/∂z, from the last to the first hidden layer before training", **_DECADES,
    ),
    "saturated_share": Measure(
        untrained.saturated_share, "share of units and examples with a slope below 5 % of the largest, before training",
        **_SHARE, moment="layers",
    ),
    "success": Measure(outcomes.success, "share of runs at the target", **_SHARE),
    "best_success": Measure(outcomes.best_success, "share of runs at the target, for the best", **_SHARE),
    "success_difference": Measure(
        outcomes.success_difference, "gain in the share of runs at the target", **_POINTS, **_VERSUS
    ),
    "accuracy_gain": Measure(
        outcomes.accuracy_gain, "gain in test accuracy over pairs that both train", **_POINTS, **_VERSUS
    ),
    "speed": Measure(outcomes.speed, "speed-up of reaching the target, over pairs that both reach it", ".3g", **_VERSUS),
    "success_spread": Measure(
        outcomes.success_spread, "share of replicates in which success depends on the initializer, without minus with batch normalization",
        **_POINTS, **_ALL,
    ),
    "accuracy_spread": Measure(
        outcomes.accuracy_spread,
        "range of test accuracy over the initializers that train, without minus with batch normalization", **_POINTS, **_ALL,
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
        solutions.distance, "mean absolute difference between two solutions in the probability of the true class", ".3f", **_ALL, moment="end"
    ),
}  # fmt: skip
