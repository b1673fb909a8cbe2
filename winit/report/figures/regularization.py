"""Figures of batch normalization and dropout."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from winit import schemes
from winit.analysis.select import since_pretraining
from winit.report.figures.style import Drawn, legend_below, levels, line_options, panels, some, step_axis


def normalization(chosen: pd.DataFrame) -> Drawn:
    """Draw test accuracy with and without batch normalization by initializer, one dot per run at the chosen rate.

    Args:
        chosen: judged runs at chosen rates, of cells that exist with and without batch normalization.
    """
    some(chosen, "no initializer was trained both with and without batch normalization")
    names = levels(chosen["initializer"])
    height = 0.27 * len(names) + 0.35
    figure, layout = panels(chosen, "activation", height=height, width=2.7, sharex=True, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(chosen)
        for y, name in enumerate(names):
            rows, look = shown[shown["initializer"] == name], schemes.style(name)
            for normalized, shift in ((False, -0.14), (True, 0.14)):
                values = rows.loc[rows["batch_norm"] == normalized, "test_score"]
                axes.plot(values, [y + shift] * len(values), look["marker"], color=look["color"], markersize=4.5,
                          fillstyle="full" if normalized else "none", alpha=0.9)  # fmt: skip
        axes.set(xlabel="test accuracy", xlim=(-0.02, 1.03), ylim=(len(names) - 0.4, -0.6))
    layout[0].axes.set_yticks(range(len(names)), [schemes.label(n) for n in names], fontsize=8)
    factors = ["dataset", "activation", "depth", "initializer", "batch_norm", "learning_rate", "replicate"]
    return Drawn(figure, chosen[[*factors, "test_score"]].sort_values(factors, ignore_index=True))


def dropout_symmetry(layers: pd.DataFrame, runs: pd.DataFrame) -> Drawn:
    """Draw the share of distinct units over the steps with and without dropout: mean over runs and hidden layers.

    Args:
        layers: the table.
        runs: runs of arms that exist with and without dropout.
    """
    data = since_pretraining(layers, runs).merge(
        runs[["run_id", "activation", "depth", "initializer", "dropout"]], on="run_id"
    )
    data = data[data["layer"] <= data["depth"]]
    data = data.assign(distinct_share=data["distinct_units"] / data["units"])
    keys = ["activation", "initializer", "dropout", "step"]
    mean = data.groupby(keys, as_index=False)["distinct_share"].mean()
    figure, layout = panels(mean, "activation", height=2.2, sharey=True)
    handles: dict[str, Line2D] = {}
    for panel in layout:
        axes = panel.axes
        for (name, share), rows in panel.of(mean).groupby(["initializer", "dropout"]):
            line = line_options(schemes.style(name))
            line["linestyle"] = "-" if share else ":"
            axes.plot(rows["step"], rows["distinct_share"], **line, markersize=4.5, markeredgewidth=0)
            label = f"{schemes.label(name)}, {f'dropout {share:g}' if share else 'no dropout'}"
            handles[label] = Line2D([], [], **line, label=label)
        step_axis(axes, mean["step"].max())
        axes.set(xlabel="step", ylabel="share of distinct units", ylim=(-0.03, 1.05))
    legend_below(figure, list(handles.values()), 2)
    return Drawn(figure, mean)
