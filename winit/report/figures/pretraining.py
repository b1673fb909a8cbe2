"""Figures of pretraining.

Colour and marker encode the way of pretraining, dashes its controls. Panels are activations and initializers.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from winit import schemes
from winit.analysis.select import at_chosen_rate, before_training, curves_as_worst, is_pretrained
from winit.analysis.stats import geometric_mean
from winit.report.figures.style import (
    MUTED,
    SHOWN_RANGE,
    Drawn,
    Panel,
    legend_below,
    levels,
    line_options,
    panels,
    some,
    step_axis,
    whole_numbers,
)
from winit.vocabulary.pretraining import parse_pretraining, pretraining_label, pretraining_style

ARM = ["activation", "depth", "initializer", "pretraining"]
DOTTED = (0, (1, 1.2))


def _line(axes: Axes, x: ArrayLike, y: ArrayLike, pretraining: str) -> None:
    """Draw a line with the look of a way of pretraining."""
    options = line_options(pretraining_style(pretraining))
    axes.plot(x, y, **options, markersize=4.5, markeredgewidth=0, linewidth=1.4)


def _legend(figure: Figure, names: list[str], more: tuple[Line2D, ...] = (), has_lines: bool = True) -> None:
    """Add a legend of ways of pretraining below a figure."""
    handles = []
    for name in names:
        options = line_options(pretraining_style(name))
        if not has_lines:
            options["linestyle"] = ""
        handles.append(Line2D([], [], **options, markersize=5, label=pretraining_label(name)))
    legend_below(figure, [*handles, *more], 3)


def _name_start(panel: Panel) -> None:
    """Write the initializer of a row of panels into its first panel."""
    if panel.is_left:
        panel.axes.annotate(
            f"from {panel.name('initializer')}", (0.02, 0.03), xycoords="axes fraction", fontsize=7.5, color=MUTED
        )


def accuracy_by_depth(runs: pd.DataFrame, summary: pd.DataFrame, initializers: list[str]) -> Drawn:
    """Draw test accuracy against depth for every way of pretraining: median over replicates, single runs as dots."""
    chosen = at_chosen_rate(runs, summary)
    chosen = chosen[chosen["initializer"].isin(initializers) & chosen["pretraining"].map(_is_method)]
    depths, names = levels(chosen["depth"]), levels(chosen["pretraining"])
    figure, layout = panels(chosen, "activation", "initializer", height=1.9, sharex=True, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(chosen)
        for i, name in enumerate(names):
            rows, shift = shown[shown["pretraining"] == name], 0.07 * (i - (len(names) - 1) / 2)
            colour = pretraining_style(name)["color"]
            axes.plot(
                rows["depth"].map(depths.index) + shift,
                rows["test_score"],
                ".",
                color=colour,
                markersize=2.5,
                alpha=0.6,
            )
            median = rows.groupby("depth")["test_score"].median()
            _line(axes, [depths.index(depth) + shift for depth in median.index], median.to_numpy(), name)
        axes.set_xticks(range(len(depths)), [str(depth) for depth in depths])
        axes.set(ylim=(0, 1.02), xlabel="depth (hidden layers)" if panel.is_bottom else "",
                 ylabel="test accuracy" if panel.is_left else "")  # fmt: skip
        _name_start(panel)
    _legend(figure, names)
    columns = [*ARM, "learning_rate", "replicate", "pretraining_updates", "test_score"]
    return Drawn(figure, chosen[columns].sort_values(columns, ignore_index=True))


def _is_method(pretraining: str) -> bool:
    """Return whether a name is a way of pretraining or `none+longer`, not a control of weights."""
    return parse_pretraining(pretraining).control in ("", "longer")


def gains(effects: pd.DataFrame, initializer: str) -> Drawn:
    """Draw the gain in success of each way of pretraining and each control over the best random start, with intervals."""
    of_start = (effects["compared_with"] == "best random start") & (effects["initializer"] == initializer)
    data = some(effects[of_start], "no random start is trained for as long as pretraining and training take")
    names = levels(data["pretraining"])
    figure, layout = panels(data, "activation", "depth", height=0.17 * len(names) + 0.35, sharex=True, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(data).set_index("pretraining")
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for y, name in enumerate(names):
            if name not in shown.index:
                continue
            row, look = shown.loc[name], pretraining_style(name)
            fill = "none" if parse_pretraining(name).control else "full"
            axes.plot(row["success_difference"], y, look["marker"], color=look["color"], markersize=5.5, fillstyle=fill)
            ends = [row["success_difference_low"], row["success_difference_high"]]
            axes.plot(ends, [y, y], color=look["color"], linewidth=1.2)
        axes.set_yticks(range(len(names)), [pretraining_label(name) for name in names], fontsize=7)
        axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(-1.08, 1.08))
        axes.set_xlabel("gain in the share of runs that train" if panel.is_bottom else "")
        axes.set_title(f"{panel.name('activation')}, {panel.levels['depth']} layers", size=8.5)
    return Drawn(figure, data.reset_index(drop=True))


def on_the_clock(
    curves: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, initializers: list[str], depth: int
) -> Drawn:
    """Draw median test accuracy against all updates, including those of pretraining, where curves start."""
    chosen = at_chosen_rate(runs[runs["depth"] == depth], summary)
    chosen = chosen[chosen["initializer"].isin(initializers) & chosen["pretraining"].map(_is_method)]
    data = curves.merge(chosen[["run_id", *ARM, "replicate", "pretraining_updates", "chance"]], on="run_id")
    data["updates"] = data["pretraining_updates"] + data["step"]
    median = curves_as_worst(data).groupby([*ARM, "updates"], as_index=False)["test_score"].median()
    names = levels(median["pretraining"])
    figure, layout = panels(median, "activation", "initializer", height=1.9, sharex=True, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(median)
        for name in names:
            rows = shown[shown["pretraining"] == name]
            _line(axes, rows["updates"], rows["test_score"], name)
        axes.set(ylim=(0, 1.02), xlabel="updates, including pretraining" if panel.is_bottom else "",
                 ylabel="test accuracy" if panel.is_left else "")  # fmt: skip
        _name_start(panel)
    _legend(figure, names)
    return Drawn(figure, median)


def layer_errors(pretraining: pd.DataFrame, runs: pd.DataFrame, depth: int, initializer: str) -> Drawn:
    """Draw each layer's error during pretraining, relative to its baseline: geometric mean over replicates.

    Lightness encodes the layer, from the first (dark) to the last (light).
    """
    chosen = runs[(runs["depth"] == depth) & (runs["initializer"] == initializer)]
    chosen = chosen[chosen["pretraining"].map(lambda p: not parse_pretraining(p).control)]
    # All learning rates share the pretraining, so use one of them.
    chosen = chosen.drop_duplicates([*ARM, "replicate"])
    data = pretraining.merge(chosen[["run_id", *ARM, "replicate"]], on="run_id")
    some(data, f"no network of {depth} layers was pretrained layer by layer from {schemes.label(initializer)}")
    data["relative"] = data["error"] / data["baseline"].where(data["baseline"] > 0)
    mean = data.groupby([*ARM, "layer", "step"], as_index=False)["relative"].agg(geometric_mean)
    figure, layout = panels(mean, "activation", "pretraining", height=1.5, width=2.6, sharex=True, sharey=True)
    shades = [mpl.colors.to_hex(c) for c in mpl.colormaps["viridis"](np.linspace(0.05, 0.85, mean["layer"].max()))]
    for panel in layout:
        axes, shown = panel.axes, panel.of(mean)
        axes.axhline(1, color=MUTED, linewidth=0.8)
        for layer, rows in shown.groupby("layer"):
            axes.plot(rows["step"], rows["relative"].clip(1e-3, 1e3), color=shades[layer - 1], linewidth=1.2)
        if shown.empty:
            axes.annotate(
                "not applicable", (0.5, 0.5), xycoords="axes fraction", ha="center", color=MUTED, style="italic", fontsize=8
            )  # fmt: skip
        axes.set_yscale("log")
        step_axis(axes, mean["step"].max())
        axes.set_ylabel(panel.name("pretraining") if panel.is_left else "", fontsize=7.5)
        axes.set_xlabel("updates of the layer" if panel.is_bottom else "")
    handles = [Line2D([], [], color=shade, label=f"layer {i}") for i, shade in enumerate(shades, start=1)]
    legend_below(figure, handles, min(len(shades), 6))
    return Drawn(figure, mean)


def signal_through_pretraining(
    layers: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, depth: int, initializer: str
) -> Drawn:
    """Draw the variance of activations by layer as drawn, as pretrained, and after training at the chosen rate."""
    chosen = at_chosen_rate(runs[(runs["depth"] == depth) & (runs["initializer"] == initializer)], summary)
    chosen = chosen[chosen["pretraining"].map(lambda p: not parse_pretraining(p).control)]
    data = _three_stages(layers[layers["h_variance"].notna()], chosen)
    data = some(data, "no layer of these networks has finite activations")
    mean = data.groupby([*ARM, "stage", "layer"], as_index=False)["h_variance"].agg(geometric_mean)
    mean["shown"] = mean["h_variance"].clip(*SHOWN_RANGE)
    names = levels(mean["pretraining"])
    figure, layout = panels(mean, "activation", height=2.4, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(mean)
        for name in names:
            look = pretraining_style(name)
            for stage, dashes, width in (("start", "-", 1.5), ("end", DOTTED, 1.2)):
                rows = shown[(shown["pretraining"] == name) & (shown["stage"] == stage)]
                axes.plot(rows["layer"], rows["shown"], color=look["color"], marker=look["marker"], markersize=4,
                          markeredgewidth=0, linestyle=dashes, linewidth=width)  # fmt: skip
        axes.set_yscale("log")
        axes.set(xlabel="layer", ylabel="variance of activations h" if panel.is_left else "")
        whole_numbers(axes)
    stages = (
        Line2D([], [], color=MUTED, linestyle="-", label="before training"),
        Line2D([], [], color=MUTED, linestyle=DOTTED, label="after training"),
    )
    _legend(figure, names, stages, has_lines=False)
    return Drawn(figure, mean.drop(columns="shown"))


def _three_stages(layers: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the layers as drawn (if pretrained), at the start of training and at its end, by `stage`."""
    pretrained = runs[is_pretrained(runs["pretraining"])]
    drawn = layers[layers["stage"] == "drawn"].merge(pretrained[["run_id", *ARM]], on="run_id")
    end = layers.merge(runs[["run_id", *ARM, "steps"]], left_on=["run_id", "step"], right_on=["run_id", "steps"])
    start = before_training(layers, runs, ARM)
    return pd.concat([drawn.assign(stage="drawn"), start.assign(stage="start"), end.assign(stage="end")])
