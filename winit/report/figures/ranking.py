"""Figures that compare all initializers, from the tables of the ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from winit import schemes
from winit.report.figures.style import MUTED, Drawn, NothingToDraw, blank, legend, line_options

INTERVALS = {
    "success_rate": ("success_low", "success_high", "reached the target"),
    "mean_score": ("mean_score_low", "mean_score_high", "mean score"),
    "success_difference": ("success_difference_low", "success_difference_high", "success minus the baseline's"),
}


def _field(frame: pd.DataFrame, view: str) -> pd.DataFrame:
    """Return the rows of a view over all cells, with at least two initializers."""
    rows = frame[(frame["view"] == view) & (frame["activation"] == "all")]
    if rows["initializer"].nunique() < 2:
        raise NothingToDraw("it needs at least two initializers that were tried in every cell of the main grid")
    return rows


def intervals(ranking: pd.DataFrame, view: str) -> Drawn:
    """Draw success, mean score and the difference in success to the baseline, with intervals, sorted by success."""
    rows = _field(ranking, view).reset_index(drop=True)
    figure, grid = blank(1, len(INTERVALS), 0.25 * len(rows) + 0.35, 2.2, sharey=True)
    for axes, (value, (low, high, label)) in zip(grid[0], INTERVALS.items(), strict=True):
        for y, row in rows.iterrows():
            look = schemes.style(row["initializer"])
            if np.isfinite(row[low]):
                axes.plot([row[low], row[high]], [y, y], color=look["color"], linewidth=1.4)
            axes.plot(row[value], y, look["marker"], color=look["color"], markersize=5.5, markeredgewidth=0)
        axes.set(xlabel=label, ylim=(len(rows) - 0.4, -0.6))
        if value == "success_difference":
            axes.axvline(0, color=MUTED, linewidth=0.8, linestyle="--")
        else:
            axes.set_xlim(-0.03, 1.03)
        if value == "mean_score":
            axes.plot(rows["worst_score"], rows.index, "|", color=MUTED, markersize=7)
    grid[0][0].set_yticks(range(len(rows)), [schemes.label(i) for i in rows["initializer"]], fontsize=8)
    columns = ["view", "initializer", "cells", "runs", "worst_score", "level", "verdict"]
    columns += [c for value, (low, high, _) in INTERVALS.items() for c in (value, low, high)]
    return Drawn(figure, rows[columns])


def _draw_steps(axes: Axes, data: pd.DataFrame, x: str) -> None:
    for name, rows in data.groupby("initializer", sort=False):
        look = schemes.style(name)
        style = line_options(look)["linestyle"]
        axes.step(rows[x], rows["share"], where="post", color=look["color"], linewidth=1.3, linestyle=style)
        last = rows.iloc[-1]
        axes.plot(
            last[x], last["share"], look["marker"], color=look["color"], markersize=5, markeredgewidth=0, clip_on=False
        )


def speed(profiles: pd.DataFrame, arrivals: pd.DataFrame, view: str) -> Drawn:
    """Draw the performance profile of steps to target, and the share of runs at the target by each step."""
    arrived = _field(arrivals, view)
    profile = profiles[(profiles["view"] == view) & (profiles["activation"] == "all")]
    names = schemes.in_order(arrived["initializer"])
    figure, grid = blank(1, 2, 2.8, 3.4, sharey=True)
    left, right = grid[0]
    _draw_steps(left, profile, "tau")
    left.set(
        xlabel="τ: times the fewest steps of the cell", ylabel="share of cells", xlim=(1, 4.05), ylim=(-0.02, 1.02)
    )
    _draw_steps(right, arrived, "step")
    right.set_xscale("symlog", linthresh=1)
    right.set(xlabel="step", ylabel="share of runs at the target")
    legend(figure, names)
    data = pd.concat(
        [
            profile.rename(columns={"tau": "at"}).assign(drawn="profile"),
            arrived.rename(columns={"step": "at"}).assign(drawn="arrivals"),
        ]
    )
    return Drawn(figure, data[["drawn", "view", "initializer", "at", "share"]].reset_index(drop=True))


def tuning_gain(ranking: pd.DataFrame) -> Drawn:
    """Draw each initializer's success at its own rate against its success at one rate for all."""
    if _field(ranking, "tuned").empty or "fixed" not in set(ranking["view"]):
        raise NothingToDraw("every run has the same learning rate")
    both = (
        ranking[ranking["activation"] == "all"]
        .pivot(index="initializer", columns="view", values="success_rate")
        .dropna()
    )
    figure, grid = blank(1, 1, 3.0, 3.4)
    axes = grid[0][0]
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
    handles = []
    for name in schemes.in_order(both.index):
        look = schemes.style(name)
        axes.plot(
            both.at[name, "fixed"],
            both.at[name, "tuned"],
            look["marker"],
            color=look["color"],
            markersize=6.5,
            markeredgewidth=0,
        )
        handles.append(
            Line2D([], [], color=look["color"], marker=look["marker"], linestyle="", label=schemes.label(name))
        )
    axes.set(
        xlabel="success at one rate for all", ylabel="success at its own rate", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03)
    )
    figure.legend(handles=handles, loc="outside right center", fontsize=7.5)
    return Drawn(figure, both.reset_index())
