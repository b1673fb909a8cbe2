"""Figures of training: where it works, how fast, at which rates, and symmetry."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn as sns

from winit import schemes
from winit.analysis.select import at_chosen_rate, chosen_rates, curves_as_worst
from winit.report.figures.style import (
    FOREGROUND,
    MUTED,
    THIN_LINES,
    Drawn,
    NothingToDraw,
    legend,
    levels,
    lines,
    panels,
    some,
    step_axis,
)


def trainability(summary: pd.DataFrame, not_applicable: pd.DataFrame) -> Drawn:
    """Draw the map initializer × depth for every activation: test accuracy at the chosen rate, and how many succeeded."""
    best = some(chosen_rates(summary), "no run has a chosen learning rate")
    names, depths = levels(best["initializer"]), levels(best["depth"])
    height, width = 0.31 * len(names) + 0.35, 0.62 * len(depths) + 0.45
    figure, layout = panels(best, "activation", height=height, width=width, sharey=True)
    for panel in layout:
        axes = panel.axes
        cells = panel.of(best).pivot(index="initializer", columns="depth")
        accuracy = cells["test_score"].reindex(index=names, columns=depths)
        text = accuracy.map(lambda v: "" if np.isnan(v) else f"{100 * v:.0f}")
        ok, runs = (cells[c].reindex(index=names, columns=depths) for c in ("ok", "runs"))
        partial = (ok > 0) & (ok < runs)
        text = text.where(
            ~partial,
            text + " (" + ok.fillna(0).astype(int).astype(str) + "/" + runs.fillna(0).astype(int).astype(str) + ")",
        )
        text = text.where(~(ok == runs), text + " ✓")
        sns.heatmap(
            accuracy, ax=axes, vmin=0, vmax=1, cmap="cividis", annot=text, fmt="", annot_kws={"size": 7.5},
            linewidths=0.6, linecolor="white", cbar=False,
        )  # fmt: skip
        for row, name in enumerate(names):
            if name in set(panel.of(not_applicable)["initializer"]):
                axes.text(
                    len(depths) / 2, row + 0.5, "not trained", ha="center", va="center", size=7.5, color=MUTED, style="italic"
                )  # fmt: skip
        axes.set(xlabel="depth (hidden layers)", ylabel="")
        axes.set_yticklabels([schemes.label(n) for n in names], rotation=0)
        axes.tick_params(length=0)
        axes.grid(False)
    columns = [*FACETS, "initializer", "learning_rate", "test_score", "ok", "runs", "success_low", "success_high"]
    return Drawn(figure, best[columns])


FACETS = ["dataset", "activation", "depth", "width", "batch_norm", "dropout", "optimizer", "pretraining"]


MANY_PANELS, FEWER_STEPS = 20, 15  # with more panels, curves are drawn through this many steps only


def drawn_steps(steps: Iterable[int], panels: int) -> list[int]:
    """Return the steps at which the curves of a figure are drawn, including the first and the last.

    Args:
        steps: steps at which networks were evaluated.
        panels: number of panels. Many small panels do not need all steps, which would make the page large.
    """
    ordered = sorted(set(steps))
    if panels <= MANY_PANELS or len(ordered) <= FEWER_STEPS:
        return ordered
    return [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, FEWER_STEPS)]


def has_thin_lines(runs: pd.DataFrame) -> bool:
    """Return whether curves of single runs are drawn. Many of them would hide the medians."""
    return bool(runs["replicate"].nunique() <= THIN_LINES)


def convergence(
    curves: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, metric: str, has_single_runs: bool = True
) -> Drawn:
    """Draw a metric against the step, at the chosen rates: median over replicates, with thin lines for single runs if wanted and few."""
    chosen = at_chosen_rate(runs, summary)[["run_id", "activation", "depth", "initializer", "replicate", "chance"]]
    data = curves_as_worst(some(curves.merge(chosen, on="run_id"), "no run has a chosen learning rate"))
    names = levels(data["initializer"])
    keys = ["activation", "depth", "initializer", "step"]
    median = data.groupby(keys, as_index=False)[metric].median()
    figure, layout = panels(data, "activation", "depth", height=1.75, sharex=True, sharey=True)
    finite = data.loc[np.isfinite(data[metric]) & (data[metric] > 0), metric]
    steps = drawn_steps(data["step"], len(layout))
    data, shown = (rows[rows["step"].isin(steps)] for rows in (data, median))
    for panel in layout:
        axes = panel.axes
        if has_single_runs and has_thin_lines(data):
            single = panel.of(data).pivot(index=["initializer", "replicate"], columns="step", values=metric)
            for name in names:
                if name in single.index.get_level_values("initializer"):
                    colour = schemes.style(name)["color"]
                    axes.plot(single.columns, single.loc[name].T, color=colour, linewidth=0.35, alpha=0.45)
        lines(axes, panel.of(shown), "step", metric, names)
        axes.set(xlabel="step" if panel.is_bottom else "", ylabel=f"depth {panel.levels['depth']}")
    axes = layout[0].axes  # All panels share its scales.
    step_axis(axes, data["step"].max())
    if "score" in metric:
        axes.set_ylim(0, 1)
    else:
        axes.set_yscale("log")
    if "score" not in metric and len(finite):
        low = min(max(finite.min() * 0.8, 1e-4), 3.0)
        axes.set_ylim(low, max(min(finite.max() * 1.2, 30), 2 * low))
    figure.supylabel(metric.replace("_", " ").replace("score", "accuracy"), size=9)
    legend(figure, names)
    return Drawn(figure, median)


def learning_rate(tuned: pd.DataFrame) -> Drawn:
    """Draw the mean validation accuracy of the tuning runs against the learning rate.

    A ring is the chosen rate, a square a chosen rate at the edge of the grid, a cross a rate that tuning added.
    """
    if tuned["learning_rate"].nunique() < 2:
        raise NothingToDraw("every run has the same learning rate")
    factors = tuned.loc[tuned["is_chosen"], ["activation", "depth", "initializer", "pretraining_rate"]]
    tuned = tuned.merge(
        factors.drop_duplicates()
    )  # other factors on the rates of pretraining were tried at only one learning rate
    names, rates = levels(tuned["initializer"]), levels(tuned["learning_rate"])
    figure, layout = panels(tuned, "activation", "depth", height=1.75, sharex=True, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(tuned)
        lines(axes, shown, "learning_rate", "mean_score", names)
        for _, best in shown[shown["is_chosen"]].iterrows():
            axes.plot(
                best["learning_rate"], best["mean_score"], marker="s" if best["is_edge"] else "o", markersize=8,
                fillstyle="none", color=schemes.style(best["initializer"])["color"], markeredgewidth=0.8,
            )  # fmt: skip
        added = shown[shown["is_extension"]]
        axes.plot(added["learning_rate"], added["mean_score"], "x", color=FOREGROUND, markersize=5, markeredgewidth=0.8)
        axes.set(xlabel="learning rate" if panel.is_bottom else "", ylabel=f"depth {panel.levels['depth']}")
    axes = layout[0].axes  # All panels share its scales.
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    figure.supylabel("validation accuracy at the end", size=9)
    legend(figure, names)
    columns = [
        *FACETS,
        "initializer",
        "learning_rate",
        "mean_score",
        "diverged",
        "runs",
        "is_chosen",
        "is_edge",
        "is_extension",
    ]
    return Drawn(figure, tuned[columns])


def symmetry(layers: pd.DataFrame, runs: pd.DataFrame, depth: int) -> Drawn:
    """Draw the share of distinct units in the hidden layers over the steps, mean over all runs of an initializer."""
    chosen = runs[runs["depth"] == depth]
    data = layers[layers["layer"] <= depth].merge(chosen[["run_id", "activation", "initializer"]], on="run_id")
    data = some(data, "no layer of a network was measured")
    data = data.assign(distinct_share=data["distinct_units"] / data["units"])
    keys = ["activation", "initializer", "step"]
    mean = data.groupby(keys, as_index=False).agg(
        distinct_share=("distinct_share", "mean"), lowest=("distinct_units", "min"), highest=("distinct_units", "max")
    )
    names = levels(mean["initializer"])
    figure, layout = panels(mean, "activation", height=2.2, sharey=True)
    for panel in layout:
        lines(panel.axes, panel.of(mean), "step", "distinct_share", names)
        step_axis(panel.axes, mean["step"].max())
        panel.axes.set(xlabel="step", ylabel="share of distinct units", ylim=(-0.03, 1.05))
    legend(figure, names)
    return Drawn(figure, mean)
