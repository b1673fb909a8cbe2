"""Compare measurement and theory before training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit.analysis import stats
from winit.store.schema import TABLES
from winit.theory import prediction

UNSTABLE = 3  # from here on, growth of deviations over the depth is called unstable


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # lengths that vanish or run away agree with nothing
def agreement(layers: pd.DataFrame, runs: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Compare measurement and theory before training: the signal in the last hidden layer, the gradient in the first.

    They agree if the geometric mean over replicates lies within `meanfield.tolerance` of the theory; where they do not,
    `reason` says what stands out.
    """
    place = ["dataset", "activation", "depth", "width"]
    plain = ~runs["batch_norm"] & (runs["pretraining"] == "none") & (runs["replicate"] >= 0)
    first = runs[plain].drop_duplicates([*place, "initializer", "replicate"])
    initial = layers[layers["step"] == 0].merge(first[["run_id", *place, "initializer", "replicate"]], on="run_id")
    measured_at = dict(list(initial.groupby([*place, "initializer"], sort=False)))
    rows = []
    for key, theory_rows in expected.groupby([*place, "initializer"], sort=False):
        mine = measured_at.get(key, initial.head(0))
        depth, of = key[2], theory_rows.set_index("layer")
        amplification = of.at[depth, "amplification"]
        by_layer = {layer: rows.set_index("replicate") for layer, rows in mine.groupby("layer")}
        if depth not in by_layer:
            continue
        # h already in the first layer, h in the last, δ in the first relative to the output.
        h = {layer: by_layer[layer]["h_variance"] for layer in (1, depth)}
        delta = by_layer[1]["delta_variance"] / by_layer[depth + 1]["delta_variance"].replace(0.0, np.nan)
        low, high = prediction.tolerance(of.at[1, "h_spread"], len(h[1]))
        is_off_at_once = not low <= _mean(h[1]) / of.at[1, "h_variance"] <= high
        for quantity, layer, sample, value, spread in (
            ("h_variance", depth, h[depth], of.at[depth, "h_variance"], of.at[depth, "h_spread"]),
            ("delta_ratio", 1, delta, of.at[1, "delta_ratio"], of.at[1, "delta_spread"]),
        ):
            measured = _mean(sample)
            low, high = prediction.tolerance(spread, len(sample))
            agrees = bool(value * low <= measured <= value * high)
            rows.append(
                dict(zip([*place, "initializer"], key, strict=True))
                | {
                    "quantity": quantity,
                    "layer": layer,
                    "replicates": len(sample),
                    "measured": measured,
                    "predicted": value,
                    "spread": spread,
                    "low": value * low,
                    "high": value * high,
                    "agrees": agrees,
                    "reason": "" if agrees else _reason(measured, value, spread, is_off_at_once, amplification),
                }
            )
    return pd.DataFrame(rows, columns=list(TABLES["agreement"]))


def _mean(sample: pd.Series) -> float:
    """Return the geometric mean; NaN where nothing was measured."""
    return float(stats.geometric_mean(sample.dropna())) if sample.notna().any() else np.nan


def _reason(measured: float, value: float, spread: float, is_off_at_once: bool, amplification: float) -> str:
    """Say, of a disagreement, what stands out: the first of these that holds."""
    if not (measured > 0 and np.isfinite(measured)):
        return "the measured value is not a positive number"
    if is_off_at_once:
        return "off in the first layer already: few inputs, or inputs unlike one another in length"
    if amplification > UNSTABLE:
        return f"unstable: a deviation of q in the first layer is {amplification:.2g} times as large in the last"
    if abs(np.log(measured / value)) <= 3 * spread:
        return "finite width: single networks of this width spread as far, and these replicates lean to one side"
    return "finite width, beyond what linear propagation of its noise explains"
