"""Figures of pretraining and of deep autoencoders: tables of one setting in, a figure and the drawn data out.

Colour and marker stand for the way of pretraining, dashes for its controls; facets are activations and initializers.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from winit import schemes
from winit.analysis.select import at_chosen_rate, before_training, curves_as_worst, is_pretrained
from winit.analysis.stats import geometric_mean
from winit.report.figures.style import MUTED, SHOWN_RANGE, Drawn, panels, some, sorted_activations, step_axis
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.pretraining import parse_pretraining, pretraining_label, pretraining_style, pretrainings_in_order

ARM = ["activation", "depth", "initializer", "pretraining"]


def _line(axes, x, y, pretraining: str, **options) -> None:
    look = pretraining_style(pretraining)
    axes.plot(
        x, y, color=look["color"], marker=look["marker"], linestyle=(0, look["dashes"]) if look["dashes"] else "-",
        markersize=4.5, markeredgewidth=0, linewidth=1.4, **options,
    )  # fmt: skip


def _legend(figure: Figure, names: list[str], more: tuple[Line2D, ...] = (), lines: bool = True) -> None:
    handles = []
    for name in names:
        look = pretraining_style(name)
        style = ((0, look["dashes"]) if look["dashes"] else "-") if lines else ""
        handles.append(
            Line2D([], [], color=look["color"], marker=look["marker"], linestyle=style, markersize=5,
                   label=pretraining_label(name))
        )  # fmt: skip
    figure.legend(handles=[*handles, *more], loc="outside lower center", ncols=3)


def _title(axes, row: int, column: int, activation: str, initializer: str) -> None:
    if row == 0:
        axes.set_title(ACTIVATIONS[activation].label)
    if column == 0:
        axes.annotate(
            f"from {schemes.label(initializer)}", (0.02, 0.03), xycoords="axes fraction", fontsize=7.5, color=MUTED
        )


def accuracy_by_depth(runs: pd.DataFrame, summary: pd.DataFrame, initializers: list[str]) -> Drawn:
    """Draw test accuracy against depth for every way of pretraining: median over replicates, single runs as dots."""
    chosen = at_chosen_rate(runs, summary)
    chosen = chosen[chosen["initializer"].isin(initializers) & chosen["pretraining"].map(_is_method)]
    activations, depths = sorted_activations(chosen["activation"]), sorted(chosen["depth"].unique())
    names = pretrainings_in_order(chosen["pretraining"])
    figure, grid = panels(len(initializers), len(activations), 1.9, 2.75, sharex=True, sharey=True)
    for row, initializer in enumerate(initializers):
        for column, activation in enumerate(activations):
            axes = grid[row][column]
            here = chosen[(chosen["initializer"] == initializer) & (chosen["activation"] == activation)]
            for i, name in enumerate(names):
                mine = here[here["pretraining"] == name]
                at = mine["depth"].map(depths.index) + 0.07 * (i - (len(names) - 1) / 2)
                look = pretraining_style(name)
                axes.plot(at, mine["test_score"], ".", color=look["color"], markersize=2.5, alpha=0.6)
                middle = mine.groupby("depth")["test_score"].median()
                shift = 0.07 * (i - (len(names) - 1) / 2)
                _line(axes, [depths.index(d) + shift for d in middle.index], middle.to_numpy(), name)
            axes.set_xticks(range(len(depths)), [str(d) for d in depths])
            axes.set(ylim=(0, 1.02), xlabel="depth (hidden layers)" if row == len(initializers) - 1 else "",
                     ylabel="test accuracy" if column == 0 else "")  # fmt: skip
            _title(axes, row, column, activation, initializer)
    _legend(figure, names)
    columns = [*ARM, "learning_rate", "replicate", "pretraining_updates", "test_score"]
    return Drawn(figure, chosen[columns].sort_values(columns, ignore_index=True))


def _is_method(pretraining: str) -> bool:
    """Return whether it is a way of pretraining or the longer training, and no control of the weights."""
    return parse_pretraining(pretraining).control in ("", "longer")


def gains(effects: pd.DataFrame, initializer: str) -> Drawn:
    """Draw what each way gains over the same start, and what its controls gain: mean of pairs and 95 % t-interval."""
    data = effects[(effects["compared_with"] == "same start") & (effects["initializer"] == initializer)]
    some(data, "the study has no such networks without pretraining to compare with")
    activations, depths = sorted_activations(data["activation"]), sorted(data["depth"].unique())
    names = pretrainings_in_order(data["pretraining"])
    figure, grid = panels(len(depths), len(activations), 0.17 * len(names) + 0.35, 2.75, sharex=True, sharey=True)
    for row, depth in enumerate(depths):
        for column, activation in enumerate(activations):
            axes = grid[row][column]
            here = data[(data["activation"] == activation) & (data["depth"] == depth)].set_index("pretraining")
            axes.axvline(0, color=MUTED, linewidth=0.8)
            for place, name in enumerate(names):
                if name not in here.index:
                    continue
                one, look = here.loc[name], pretraining_style(name)
                is_control = bool(parse_pretraining(name).control)
                axes.plot(
                    one["difference"], place, marker=look["marker"], color=look["color"], markersize=5.5, linestyle="",
                    fillstyle="none" if is_control else "full",
                )  # fmt: skip
                if np.isfinite(one["difference_low"]):
                    ends = np.clip([one["difference_low"], one["difference_high"]], -1.05, 1.05)
                    axes.plot(ends, [place, place], color=look["color"], linewidth=1.2)
            axes.set_yticks(range(len(names)), [pretraining_label(n) for n in names], fontsize=7)
            axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(-1.08, 1.08))
            axes.set_xlabel("gain in test accuracy" if row == len(depths) - 1 else "")
            axes.set_title(f"{ACTIVATIONS[activation].label}, {depth} layers", size=8.5)
    return Drawn(figure, data.reset_index(drop=True))


def on_the_clock(
    curves: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, initializers: list[str], depth: int
) -> Drawn:
    """Draw median validation accuracy against all updates, those of pretraining included: a curve begins where they end."""
    chosen = at_chosen_rate(runs[runs["depth"] == depth], summary)
    chosen = chosen[chosen["initializer"].isin(initializers) & chosen["pretraining"].map(_is_method)]
    data = curves.merge(chosen[["run_id", *ARM, "replicate", "pretraining_updates"]], on="run_id")
    data["updates"] = data["pretraining_updates"] + data["step"]
    median = curves_as_worst(data).groupby([*ARM, "updates"], as_index=False)["validation_score"].median()
    activations, names = sorted_activations(median["activation"]), pretrainings_in_order(median["pretraining"])
    figure, grid = panels(len(initializers), len(activations), 1.9, 2.75, sharex=True, sharey=True)
    for row, initializer in enumerate(initializers):
        for column, activation in enumerate(activations):
            axes = grid[row][column]
            here = median[(median["initializer"] == initializer) & (median["activation"] == activation)]
            for name in names:
                mine = here[here["pretraining"] == name]
                _line(axes, mine["updates"], mine["validation_score"], name)
            axes.set(ylim=(0, 1.02), xlabel="updates, of pretraining included" if row == len(initializers) - 1 else "",
                     ylabel="validation accuracy" if column == 0 else "")  # fmt: skip
            _title(axes, row, column, activation, initializer)
    _legend(figure, names)
    return Drawn(figure, median)


def layer_errors(pretraining: pd.DataFrame, runs: pd.DataFrame, depth: int, initializer: str) -> Drawn:
    """Draw each layer's error while it learns, relative to that of knowing nothing: geometric mean over replicates.

    Layers by lightness, from the first (dark) to the last (light).
    """
    chosen = runs[(runs["depth"] == depth) & (runs["initializer"] == initializer)]
    chosen = chosen[chosen["pretraining"].map(lambda p: not parse_pretraining(p).control)]
    # All rates share the pretraining, so one of them stands for all.
    chosen = chosen.drop_duplicates([*ARM, "replicate"])
    data = pretraining.merge(chosen[["run_id", *ARM, "replicate"]], on="run_id")
    some(data, f"no network of {depth} layers was pretrained layer by layer from {schemes.label(initializer)}")
    data["relative"] = data["error"] / data["baseline"].where(data["baseline"] > 0)
    mean = data.groupby([*ARM, "layer", "step"], as_index=False)["relative"].agg(geometric_mean)
    activations, names = sorted_activations(mean["activation"]), pretrainings_in_order(mean["pretraining"])
    figure, grid = panels(len(names), len(activations), 1.5, 2.6, sharex=True, sharey=True)
    deepest = mean["layer"].max()
    shades = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, deepest))
    for row, name in enumerate(names):
        for column, activation in enumerate(activations):
            axes = grid[row][column]
            here = mean[(mean["pretraining"] == name) & (mean["activation"] == activation)]
            axes.axhline(1, color=MUTED, linewidth=0.8)
            for layer, mine in here.groupby("layer"):
                axes.plot(
                    mine["step"],
                    mine["relative"].clip(1e-3, 1e3),
                    color=mpl.colors.to_hex(shades[layer - 1]),
                    linewidth=1.2,
                )
            if here.empty:
                axes.annotate(
                    "not applicable",
                    (0.5, 0.5),
                    xycoords="axes fraction",
                    ha="center",
                    color=MUTED,
                    style="italic",
                    fontsize=8,
                )
            axes.set_yscale("log")
            step_axis(axes, mean["step"].max())
            if row == 0:
                axes.set_title(ACTIVATIONS[activation].label)
            axes.set_ylabel(pretraining_label(name) if column == 0 else "", fontsize=7.5)
            axes.set_xlabel("updates of the layer" if row == len(names) - 1 else "")
    handles = [Line2D([], [], color=mpl.colors.to_hex(s), label=f"layer {i + 1}") for i, s in enumerate(shades)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(deepest, 6))
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
    activations, names = sorted_activations(mean["activation"]), pretrainings_in_order(mean["pretraining"])
    figure, grid = panels(1, len(activations), 2.4, 2.75, sharey=True)
    for column, activation in enumerate(activations):
        axes = grid[0][column]
        for name in names:
            here = mean[(mean["pretraining"] == name) & (mean["activation"] == activation)]
            look = pretraining_style(name)
            for stage, dashes, width in (("start", "-", 1.5), ("end", (0, (1, 1.2)), 1.2)):
                mine = here[here["stage"] == stage]
                axes.plot(mine["layer"], mine["shown"], color=look["color"], marker=look["marker"], markersize=4,
                          markeredgewidth=0, linestyle=dashes, linewidth=width)  # fmt: skip
        axes.set_yscale("log")
        axes.set(xlabel="layer", ylabel="variance of activations h" if column == 0 else "")
        axes.set_title(ACTIVATIONS[activation].label)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    stages = (
        Line2D([], [], color=MUTED, linestyle="-", label="before training"),
        Line2D([], [], color=MUTED, linestyle=(0, (1, 1.2)), label="after training"),
    )
    _legend(figure, names, stages, lines=False)
    return Drawn(figure, mean.drop(columns="shown"))


def _three_stages(layers: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the layers of networks as drawn if they were pretrained, at the start of training, and at its end, by `stage`."""
    pretrained = runs[is_pretrained(runs["pretraining"])]
    drawn = layers[layers["stage"] == "drawn"].merge(pretrained[["run_id", *ARM]], on="run_id")
    end = layers.merge(runs[["run_id", *ARM, "steps"]], left_on=["run_id", "step"], right_on=["run_id", "steps"])
    start = before_training(layers, runs, ARM)
    return pd.concat([drawn.assign(stage="drawn"), start.assign(stage="start"), end.assign(stage="end")])
