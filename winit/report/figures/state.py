"""Figures of the state of networks: updates relative to weights, Jacobians, the spread of lengths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis.select import at_chosen_rate, before_training, one_rate
from winit.report.figures.style import (
    MUTED,
    SHOWN_RANGE,
    Drawn,
    legend,
    levels,
    lines,
    panels,
    some,
    step_axis,
    whole_numbers,
)

HEALTHY_UPDATE = 1e-3  # a rule of thumb of practitioners for ‖ΔW‖/‖W‖ (Karpathy, makemore part 3)


def update_ratio(layers: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, depth: int) -> Drawn:
    """Draw ‖ΔW‖/‖W‖ over the steps at each initializer's chosen rate: median over hidden layers and replicates.

    The ratio is infinite if weights are zero and the update is not, and zero if the update is zero. Both are drawn at the
    edges.
    """
    chosen = at_chosen_rate(runs[runs["depth"] == depth], summary)[["run_id", "activation", "initializer"]]
    data = layers[layers["layer"] <= depth].merge(chosen, on="run_id")
    data = some(data[data["update_ratio"].notna()], "no network has a finite update at its chosen rate")
    median = data.groupby(["activation", "initializer", "step"], as_index=False)["update_ratio"].median()
    median["shown"] = median["update_ratio"].clip(1e-9, 1e3)
    names = levels(median["initializer"])
    figure, layout = panels(median, "activation", height=2.3, sharey=True)
    for panel in layout:
        axes = panel.axes
        axes.axhline(HEALTHY_UPDATE, color=MUTED, linewidth=0.8, linestyle="--")
        lines(axes, panel.of(median), "step", "shown", names)
        axes.set_yscale("log")
        step_axis(axes, median["step"].max())
        axes.set(xlabel="step", ylabel="‖ΔW‖/‖W‖ of an update")
    legend(figure, names)
    return Drawn(figure, median.drop(columns="shown"))


def jacobians(table: pd.DataFrame, runs: pd.DataFrame) -> Drawn:
    """Draw the singular values of ∂logits/∂inputs of untrained networks against depth: median, and quartiles as a bar.

    All are medians over replicates.
    """
    data = before_training(table, one_rate(runs), ["activation", "initializer", "depth"])
    some(data, "no untrained network has a finite Jacobian; with batch normalization, none has one")
    columns = ["lower_quartile", "median", "upper_quartile"]
    middle = data.groupby(["activation", "initializer", "depth"], as_index=False)[columns].median()
    names, depths = levels(middle["initializer"]), levels(middle["depth"])
    figure, layout = panels(middle, "activation", height=2.5, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(middle)
        axes.axhline(1, color=MUTED, linewidth=0.8, linestyle="--")
        for i, name in enumerate(names):
            rows = shown[shown["initializer"] == name]
            look, shift = schemes.style(name), 0.05 * (i - (len(names) - 1) / 2)
            at = rows["depth"].map(depths.index) + shift
            low, middle_value, high = (rows[c].clip(*SHOWN_RANGE) for c in columns)
            axes.vlines(at, low, high, color=look["color"], linewidth=1)
            axes.plot(at, middle_value, look["marker"], color=look["color"], markersize=4, markeredgewidth=0)
        axes.set_yscale("log")
        axes.set_xticks(range(len(depths)), [str(d) for d in depths])
        axes.set(xlabel="depth (hidden layers)", ylabel="singular values of ∂logits/∂x")
    legend(figure, names)
    return Drawn(figure, middle)


def length_spread(summary: pd.DataFrame) -> Drawn:
    """Draw the spread over replicates of log(mean z²) in the last hidden layer of untrained networks against depth.

    Source: the second failure of Hanin & Rolnick 2018, §3: lengths that fluctuate from draw to draw.
    """
    # Initial weights do not depend on the rate, and arms are judged at different rates: one row represents all.
    first = summary.drop_duplicates(["activation", "initializer", "depth"])
    data = first.loc[first["log_length_spread"].notna(), ["activation", "initializer", "depth", "log_length_spread"]]
    some(data, "it needs two replicates whose untrained networks have a nonzero signal in the last hidden layer")
    names = levels(data["initializer"])
    figure, layout = panels(data, "activation", height=2.2, sharey=True)
    for panel in layout:
        axes = panel.axes
        lines(axes, panel.of(data), "depth", "log_length_spread", names)
        axes.set(xlabel="depth (hidden layers)", ylabel="spread of log mean z²")
        axes.set_ylim(0, max(1.0, 1.05 * float(np.nanmax(data["log_length_spread"], initial=0.0))))
        whole_numbers(axes)
    legend(figure, names)
    return Drawn(figure, data.sort_values(["activation", "initializer", "depth"], ignore_index=True))
