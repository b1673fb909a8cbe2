"""Figures of deep autoencoders."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from winit import schemes
from winit.analysis.select import at_chosen_rate, curves_as_worst
from winit.report.figures.style import MUTED, Drawn, blank, legend_below, line_options
from winit.vocabulary.pretraining import parse_pretraining, pretraining_label, pretraining_style


def arm_label(initializer: str, pretraining: str) -> str:
    """Return the name of an arm: its initializer and, if any, its pretraining."""
    label = schemes.label(initializer)
    return label if pretraining == "none" else f"{label}: {pretraining_label(pretraining)}"


def errors(runs: pd.DataFrame, summary: pd.DataFrame, baselines: pd.DataFrame) -> Drawn:
    """Draw the test error of deep autoencoders by arm, one dot per replicate, with the mean predictor and PCA."""
    chosen = at_chosen_rate(runs, summary)
    medians = chosen.groupby(["initializer", "pretraining"])["test_loss"].median()
    arms = list(medians.sort_values().index)
    figure, grid = blank(1, 1, 0.27 * len(arms) + 0.3, 6.2)
    axes = grid[0][0]
    for y, (initializer, pretraining) in enumerate(arms):
        rows = chosen[(chosen["initializer"] == initializer) & (chosen["pretraining"] == pretraining)]
        look = pretraining_style(pretraining)
        fill = "none" if parse_pretraining(pretraining).control else "full"
        axes.plot(
            rows["test_loss"], [y] * len(rows), look["marker"], color=look["color"], fillstyle=fill, markersize=5.5
        )
    for _, line in baselines.iterrows():
        axes.axvline(line["test_loss"], color=MUTED, linewidth=1, linestyle="--")
        axes.annotate(
            line["baseline"] + (f", {line['components']} components" if line["components"] else ""),
            (line["test_loss"], 1.01), xycoords=("data", "axes fraction"), fontsize=7.5, color=MUTED, ha="center",
        )  # fmt: skip
    axes.set_yticks(range(len(arms)), [arm_label(*arm) for arm in arms], fontsize=8)
    axes.set(ylim=(len(arms) - 0.4, -0.6), xlabel="squared error per test example, log scale", xscale="log")
    factors = ["initializer", "pretraining", "learning_rate", "replicate"]
    columns = [*factors, "pretraining_updates", "test_loss", "test_score"]
    return Drawn(figure, chosen[columns].sort_values(factors, ignore_index=True))


def error_curves(curves: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, baselines: pd.DataFrame) -> Drawn:
    """Draw the test error of deep autoencoders against all updates, including pretraining: median over replicates."""
    chosen = at_chosen_rate(runs, summary)
    data = curves.merge(chosen[["run_id", "initializer", "pretraining", "pretraining_updates", "chance"]], on="run_id")
    data["updates"] = data["pretraining_updates"] + data["step"]
    arms = curves_as_worst(data).groupby(["initializer", "pretraining", "updates"], as_index=False)
    median = arms["test_loss"].median()
    figure, grid = blank(1, 1, 3.2, 6.2)
    axes, handles = grid[0][0], []
    for (initializer, pretraining), rows in median.groupby(["initializer", "pretraining"]):
        look = schemes.style(initializer) if pretraining == "none" else pretraining_style(pretraining)
        options = line_options(look)
        axes.plot(rows["updates"], rows["test_loss"], **options, markersize=4, markeredgewidth=0, linewidth=1.3)
        handles.append(Line2D([], [], **options, markersize=5, label=arm_label(initializer, pretraining)))
    for _, line in baselines.iterrows():
        axes.axhline(line["test_loss"], color=MUTED, linewidth=1, linestyle="--")
    axes.set(xlabel="updates, including pretraining", ylabel="squared error per test example", yscale="log")
    legend_below(figure, handles, 2)
    return Drawn(figure, median)
