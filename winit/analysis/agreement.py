"""Compare measurement and theory before training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from winit.analysis import stats
from winit.analysis.select import before_training, judged
from winit.store.schema import TABLES
from winit.theory import prediction

UNSTABLE = 3  # growth of deviations over the depth that counts as unstable


NETWORK = ["dataset", "activation", "depth", "width", "initializer"]


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # values of 0, infinity and NaN never agree
def agreement(layers: pd.DataFrame, runs: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Compare measurement and theory before training: the signal in the last hidden layer, the gradient in the first.

    They agree if the geometric mean over replicates is within `prediction.tolerance` of the theory. For disagreements,
    `reason` gives the likely cause.

    Args:
        layers: with `run_id`, `stage`, `layer`, `h_variance` and `delta_variance`.
        runs: with `run_id`, `role`, `replicate`, `batch_norm`, `pretraining` and `NETWORK`.
        expected: the table `theory`.
    """
    plain = judged(runs)
    plain = plain[~plain["batch_norm"] & (plain["pretraining"] == "none")]
    first = plain.drop_duplicates(
        [*NETWORK, "replicate"]
    )  # initial weights do not depend on optimizer, rate and dropout
    initial = before_training(layers, first, [*NETWORK, "replicate"])
    initial = initial[[*NETWORK, "replicate", "layer", "h_variance", "delta_variance"]]
    measured = dict(list(initial.groupby(NETWORK, sort=False)))
    rows = []
    for key, of_network in expected.groupby(NETWORK, sort=False):
        networks = measured.get(key, initial.head(0))
        by_layer = {layer: values.set_index("replicate") for layer, values in networks.groupby("layer")}
        depth = key[NETWORK.index("depth")]
        if depth in by_layer:
            facts = dict(zip(NETWORK, key, strict=True))
            rows += [facts | row for row in _compare(by_layer, of_network.set_index("layer"), depth)]
    return pd.DataFrame(rows, columns=list(TABLES["agreement"]))


def _compare(by_layer: Mapping[int, pd.DataFrame], expected: pd.DataFrame, depth: int) -> Iterator[dict[str, object]]:
    """Yield the comparisons of one kind of network: h in the last hidden layer, δ in the first relative to the output."""
    h = {layer: by_layer[layer]["h_variance"] for layer in (1, depth)}
    delta = by_layer[1]["delta_variance"] / by_layer[depth + 1]["delta_variance"].replace(0.0, np.nan)
    low, high = prediction.tolerance(expected.at[1, "h_spread"], len(h[1]))
    is_off_at_once = not low <= _mean(h[1]) / expected.at[1, "h_variance"] <= high
    for quantity, layer, sample, value, spread in (
        ("h_variance", depth, h[depth], expected.at[depth, "h_variance"], expected.at[depth, "h_spread"]),
        ("delta_ratio", 1, delta, expected.at[1, "delta_ratio"], expected.at[1, "delta_spread"]),
    ):
        measured = _mean(sample)
        low, high = prediction.tolerance(spread, len(sample))
        agrees = bool(value * low <= measured <= value * high)
        reason = _reason(measured, value, spread, is_off_at_once, expected.at[depth, "amplification"])
        yield {
            "quantity": quantity,
            "layer": layer,
            "replicates": len(sample),
            "measured": measured,
            "predicted": value,
            "spread": spread,
            "low": value * low,
            "high": value * high,
            "agrees": agrees,
            "reason": "" if agrees else reason,
        }


def _mean(sample: pd.Series) -> float:
    """Return the geometric mean; NaN if nothing was measured."""
    return float(stats.geometric_mean(sample.dropna())) if sample.notna().any() else np.nan


def _reason(measured: float, value: float, spread: float, is_off_at_once: bool, amplification: float) -> str:
    """Return the likely cause of a disagreement: the first of these that applies."""
    if not (measured > 0 and np.isfinite(measured)):
        return "the measured value is not a positive number"
    if is_off_at_once:
        return "different from the first layer on: few inputs, or inputs of very different length"
    if amplification > UNSTABLE:
        return f"unstable: a deviation of q in the first layer grows by a factor of {amplification:.2g} up to the last layer"
    if abs(np.log(measured / value)) <= 3 * spread:
        return "finite width: single networks of this width vary as much, and most replicates deviate in the same direction"
    return "finite width, but more than linear propagation of noise predicts"
