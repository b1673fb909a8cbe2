"""Figures of batch normalization and dropout."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from winit import schemes
from winit.analysis.select import since_pretraining
from winit.report.figures.style import Drawn, panels, some, sorted_activations, step_axis
from winit.theory.activations import ACTIVATIONS


def normalization(chosen: pd.DataFrame) -> Drawn:
    """Draw test accuracy with and without batch normalization by initializer: one dot a run, at its arm's chosen rate.

    Args:
        chosen: judged runs at chosen rates, of cells that exist with and without.
    """
    some(chosen, "no initializer was trained both with and without batch normalization")
    activations = sorted_activations(chosen["activation"])
    names = schemes.in_order(chosen["initializer"])
    figure, grid = panels(1, len(activations), 0.27 * len(names) + 0.35, 2.7, sharex=True, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        here = chosen[chosen["activation"] == activation]
        for place, name in enumerate(names):
            mine = here[here["initializer"] == name]
            look = schemes.style(name)
            for normalized, shift in ((False, -0.14), (True, 0.14)):
                values = mine.loc[mine["batch_norm"] == normalized, "test_score"]
                axes.plot(values, [place + shift] * len(values), look["marker"], color=look["color"], markersize=4.5,
                          fillstyle="full" if normalized else "none", alpha=0.9)  # fmt: skip
        axes.set(
            title=ACTIVATIONS[activation].label,
            xlabel="test accuracy",
            xlim=(-0.02, 1.03),
            ylim=(len(names) - 0.4, -0.6),
        )
    grid[0][0].set_yticks(range(len(names)), [schemes.label(n) for n in names], fontsize=8)
    columns = [
        "dataset",
        "activation",
        "depth",
        "initializer",
        "batch_norm",
        "learning_rate",
        "replicate",
        "test_score",
    ]
    return Drawn(figure, chosen[columns].sort_values(columns[:-1], ignore_index=True))


def dropout_symmetry(layers: pd.DataFrame, runs: pd.DataFrame) -> Drawn:
    """Draw the share of distinct units over the steps with and without dropout: mean over runs and hidden layers.

    Args:
        layers: the table.
        runs: those of arms that exist with and without.
    """
    data = since_pretraining(layers, runs).merge(
        runs[["run_id", "activation", "depth", "initializer", "dropout"]], on="run_id"
    )
    data = data[data["layer"] <= data["depth"]]
    data = data.assign(distinct_share=data["distinct_units"] / data["units"])
    keys = ["activation", "initializer", "dropout", "step"]
    mean = data.groupby(keys, as_index=False)["distinct_share"].mean()
    activations = sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.2, 2.75, sharey=True)
    handles: dict[str, Line2D] = {}
    for axes, activation in zip(grid[0], activations, strict=True):
        for (name, share), rows in mean[mean["activation"] == activation].groupby(["initializer", "dropout"]):
            look = schemes.style(name)
            line = {"color": look["color"], "marker": look["marker"], "linestyle": "-" if share else ":"}
            axes.plot(rows["step"], rows["distinct_share"], **line, markersize=4.5, markeredgewidth=0)
            label = f"{schemes.label(name)}, {f'dropout {share:g}' if share else 'no dropout'}"
            handles[label] = Line2D([], [], **line, label=label)
        step_axis(axes, mean["step"].max())
        axes.set(
            title=ACTIVATIONS[activation].label, xlabel="step", ylabel="distinct share of units", ylim=(-0.03, 1.05)
        )
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=2)
    return Drawn(figure, mean)
