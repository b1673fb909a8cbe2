"""One function a figure: tables of one setting in, a matplotlib figure and the drawn data out.

A *setting* is one dataset, width and optimizer; activations and depths are facets. Colour, marker and dash of an
initializer come from the catalogue. Nothing is drawn that is not in the returned data.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from winit import catalog, meanfield, stats

# Stand-ins that the page replaces by its own variables, so that a figure follows the light and the dark theme.
FOREGROUND, MUTED, GRID = "#1f2328", "#59636e", "#d1d9e0"

SHOWN_RANGE = (1e-24, 1e12)  # variances beyond it are drawn at the edge
THIN_LINES = 10  # with more replicates than this, single runs are not drawn


@dataclass(frozen=True)
class Drawn:
    """A figure and the data it draws."""

    figure: Figure
    data: pd.DataFrame


class NothingToDraw(Exception):
    """A figure has no data; its message says what the study lacks. The page shows it in place of the figure."""


def some(frame: pd.DataFrame, lacking: str) -> pd.DataFrame:
    """Return a frame that has rows.

    Raises:
        NothingToDraw: it has none; `lacking` is the reason, a sentence without its full stop.
    """
    if frame.empty:
        raise NothingToDraw(lacking)
    return frame


@contextmanager
def style():
    """Set the look of every figure; nothing outside the block changes."""
    with sns.axes_style("ticks"), mpl.rc_context(
        {
            "svg.fonttype": "none",  # text stays text: small, searchable, readable aloud
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.labelsize": 9,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": FOREGROUND,
            "axes.titlecolor": FOREGROUND,
            "text.color": FOREGROUND,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": GRID,
            "grid.linewidth": 0.6,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "legend.frameon": False,
            "legend.fontsize": 8,
        }
    ):  # fmt: skip
        yield


def sorted_activations(names: Iterable[str]) -> list[str]:
    """Return the activations in the catalogue's order, each once."""
    names = set(names)
    return [a for a in catalog.ACTIVATIONS if a in names]


def panels(rows: int, columns: int, height: float, width: float, **options) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes (rows, columns), each of that size in inches.

    Raises:
        NothingToDraw: there are no rows or no columns.
    """
    if not rows or not columns:
        raise NothingToDraw("no run of this study has data for it")
    figure = Figure(figsize=(1.2 + width * columns, 0.9 + height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def _looks(initializers: list[str]) -> dict[str, dict]:
    """Return seaborn's palette, markers and dashes for a list of initializers."""
    looks = {i: catalog.style(i) for i in initializers}
    return {
        "palette": {i: s["color"] for i, s in looks.items()},
        "markers": {i: s["marker"] for i, s in looks.items()},
        "dashes": {i: s["dashes"] or "" for i, s in looks.items()},
    }


def legend(figure: Figure, initializers: list[str], columns: int) -> None:
    """Set a legend of initializers below a figure."""
    handles = []
    for name in initializers:
        look = catalog.style(name)
        line = (0, look["dashes"]) if look["dashes"] else "-"
        handles.append(
            Line2D(
                [],
                [],
                color=look["color"],
                marker=look["marker"],
                linestyle=line,
                markersize=5,
                label=catalog.label(name),
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def lines(axes, data: pd.DataFrame, x: str, y: str, initializers: list[str]) -> None:
    """Draw one median or mean line an initializer, in the catalogue's look."""
    sns.lineplot(
        data=data, x=x, y=y, hue="initializer", style="initializer", hue_order=initializers, style_order=initializers,
        estimator=None, errorbar=None, legend=False, ax=axes, linewidth=1.4, markersize=4.5, markeredgewidth=0,
        **_looks(initializers),
    )  # fmt: skip


def step_axis(axes, last: int) -> None:
    """Lay steps out on a log scale that has room for step 0."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(-0.35, last * 1.3)


def trainability(summary: pd.DataFrame, not_applicable: pd.DataFrame) -> Drawn:
    """Draw the map initializer × depth for every activation: test accuracy at the chosen rate, and how many succeeded."""
    best = some(summary[summary["is_best_rate"]], "no run has a chosen learning rate")
    names, depths = catalog.in_order(best["initializer"]), sorted(best["depth"].unique())
    activations = sorted_activations(best["activation"])
    figure, grid = panels(1, len(activations), 0.31 * len(names) + 0.35, 0.62 * len(depths) + 0.45, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        cells = best[best["activation"] == activation].pivot(index="initializer", columns="depth")
        accuracy = cells["test_accuracy"].reindex(index=names, columns=depths)
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
            if ((not_applicable["initializer"] == name) & (not_applicable["activation"] == activation)).any():
                axes.text(
                    len(depths) / 2,
                    row + 0.5,
                    "not applicable",
                    ha="center",
                    va="center",
                    size=7.5,
                    color=MUTED,
                    style="italic",
                )
        axes.set(title=catalog.ACTIVATIONS[activation].label, xlabel="depth (hidden layers)", ylabel="")
        axes.set_yticklabels([catalog.label(n) for n in names], rotation=0)
        axes.tick_params(length=0)
        axes.grid(False)
    columns = [*_FACETS, "initializer", "learning_rate", "test_accuracy", "ok", "runs", "success_low", "success_high"]
    return Drawn(figure, best[columns])


_FACETS = ["dataset", "activation", "depth", "width", "batch_norm", "dropout", "optimizer", "pretraining"]


def _of_best_rate(frame: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `frame` that belong to runs at their initializer's chosen rate, with the runs' factors."""
    best = summary.loc[summary["is_best_rate"], [*_FACETS, "initializer", "learning_rate"]]
    chosen = runs.merge(best)[["run_id", "activation", "depth", "initializer", "replicate"]]
    return frame.merge(chosen, on="run_id")


DEPTH_CONTOURS = (5, 10, 20, 50, 100)  # layers


def _contour(axes, plane: list[np.ndarray], height: pd.DataFrame, levels: list[float], **look):
    """Draw the contours of the levels that a surface crosses; return them, or None where it crosses none."""
    low, high = height.min().min(), height.max().max()  # matplotlib warns of a figure without any contour
    if not any(low <= level <= high for level in levels):
        return None
    return axes.contour(*plane, height, levels=levels, **look)


def phase_diagram(summary: pd.DataFrame, phase: pd.DataFrame, limits: pd.DataFrame) -> Drawn:
    """Draw measured trainability over the plane (σ_w², σ_b²), under the theory's critical line and depth contours.

    One panel an activation and depth. Cells are `mean_field` arms at their chosen rates; the solid line is χ₁ = 1; the
    dashed ones bound the region in which 6ξ exceeds the panel's depth, dotted ones do so for other depths. Other
    initializers are marked where they lie.
    """
    best = summary[summary["is_best_rate"]].merge(limits[["activation", "width", "initializer", "sigma_w2", "sigma_b2"]]
                                                  .drop_duplicates(), on=["activation", "width", "initializer"])  # fmt: skip
    is_point = best["initializer"].isin(list(catalog.diagram_points(best["initializer"].unique())))
    if phase.empty or not is_point.any():
        raise NothingToDraw("it needs several mean_field initializers that differ in both variances, without batch normalization")
    activations, depths = sorted_activations(best["activation"]), sorted(best["depth"].unique())
    named = catalog.in_order(best.loc[~is_point, "initializer"])
    figure, grid = panels(len(activations), len(depths), 2.9, 3.5, sharex=True, sharey="row")
    mesh = None
    for row, activation in enumerate(activations):
        theory = phase[phase["activation"] == activation].pivot(index="sigma_b2", columns="sigma_w2")
        plane = np.meshgrid(theory["chi_1"].columns, theory.index)
        for axes, depth in zip(grid[row], depths, strict=True):
            here = (best["activation"] == activation) & (best["depth"] == depth)
            cells = best[here & is_point].pivot(index="sigma_b2", columns="sigma_w2", values="test_accuracy")
            if cells.empty:
                axes.set_axis_off()
                continue
            mesh = axes.pcolormesh(
                cells.columns, cells.index, cells, shading="nearest", cmap="cividis", vmin=0, vmax=1, linewidth=0
            )
            # Black with a white rim is seen on every colour of the map.
            rim = [patheffects.withStroke(linewidth=2.6, foreground="white")]
            line = {"colors": "black", "path_effects": rim}
            _contour(axes, plane, theory["chi_1"], [1.0], linewidths=1.5, **line)
            limit = np.log(theory["depth_limit"].clip(1e-3, 1e6))
            _contour(axes, plane, limit, [np.log(depth)], linewidths=1, linestyles="dashed", **line)
            others = [np.log(level) for level in DEPTH_CONTOURS if level != depth]
            thin = _contour(axes, plane, limit, others, linewidths=0.5, linestyles="dotted", colors="black")
            if thin is not None:
                axes.clabel(thin, fmt=lambda value: f"{np.exp(value):.0f}", fontsize=6.5, colors="black")
            for _, one in best[here & ~is_point].iterrows():
                look = catalog.style(one["initializer"])
                axes.plot(one["sigma_w2"], one["sigma_b2"], look["marker"], color=look["color"], markersize=8,
                          markeredgecolor="white", markeredgewidth=0.9, clip_on=False)  # fmt: skip
            axes.grid(False)
            axes.set_title(f"{catalog.ACTIVATIONS[activation].label}, {depth} layers")
            axes.set(xlabel="σ_w² = fan_in · Var(w)", ylabel="σ_b² = Var(b)" if depth == depths[0] else "")
            axes.set_xlim(right=max(cells.columns.max(), phase["sigma_w2"].max()) * 1.06)
    figure.colorbar(mesh, ax=grid.ravel().tolist(), label="test accuracy", shrink=0.8)
    if named:
        handles = [
            Line2D([], [], color=catalog.style(n)["color"], marker=catalog.style(n)["marker"], linestyle="",
                   markersize=6, label=catalog.label(n))
            for n in named
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    columns = [*_FACETS, "initializer", "sigma_w2", "sigma_b2", "learning_rate", "test_accuracy", "ok", "runs"]
    return Drawn(figure, best[columns])


def convergence(
    curves: pd.DataFrame, runs: pd.DataFrame, summary: pd.DataFrame, metric: str, has_single_runs: bool = True
) -> Drawn:
    """Draw a metric against the step, at each initializer's chosen rate: median over replicates, single runs thin if wanted."""
    data = some(_of_best_rate(curves, runs, summary), "no run has a chosen learning rate")
    worst = 0.0 if "accuracy" in metric else np.inf
    data = data.assign(**{metric: data[metric].fillna(worst)})  # a diverged run counts as the worst from there on
    activations, depths = sorted_activations(data["activation"]), sorted(data["depth"].unique())
    names = catalog.in_order(data["initializer"])
    keys = ["activation", "depth", "initializer", "step"]
    median = data.groupby(keys, as_index=False)[metric].median()
    figure, grid = panels(len(depths), len(activations), 1.75, 2.75, sharex=True, sharey=True)
    finite = data.loc[np.isfinite(data[metric]) & (data[metric] > 0), metric]
    for row, depth in enumerate(depths):
        for axes, activation in zip(grid[row], activations, strict=True):
            here = (data["activation"] == activation) & (data["depth"] == depth)
            if has_single_runs and data["replicate"].nunique() <= THIN_LINES:
                sns.lineplot(
                    data=data[here], x="step", y=metric, hue="initializer", units="run_id", estimator=None, legend=False,
                    palette=_looks(names)["palette"], hue_order=names, linewidth=0.35, alpha=0.45, ax=axes,
                )  # fmt: skip
            lines(
                axes, median[(median["activation"] == activation) & (median["depth"] == depth)], "step", metric, names
            )
            step_axis(axes, data["step"].max())
            axes.set(xlabel="step" if row == len(depths) - 1 else "", ylabel=f"depth {depth}")
            if row == 0:
                axes.set_title(catalog.ACTIVATIONS[activation].label)
            if "accuracy" in metric:
                axes.set_ylim(0, 1)
            else:
                axes.set_yscale("log")
            if "accuracy" not in metric and len(finite):
                low = min(max(finite.min() * 0.8, 1e-4), 3.0)
                axes.set_ylim(low, max(min(finite.max() * 1.2, 30), 2 * low))
    figure.supylabel(metric.replace("_", " "), size=9)
    legend(figure, names, 4)
    return Drawn(figure, median)


def _at_start(layers: pd.DataFrame, runs: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Return the layer statistics of untrained networks of one depth, with their factors.

    Initial weights do not depend on the learning rate, so the runs of one rate stand for all.
    """
    chosen = runs[(runs["depth"] == depth) & (runs["learning_rate"] == runs["learning_rate"].min())]
    return layers[layers["step"] == 0].merge(chosen[["run_id", "activation", "initializer", "replicate"]], on="run_id")


# Measured quantity → the theory's column, and that of its spread.
_THEORY = {
    "h_variance": ("h_variance", "h_spread"),
    "delta_variance": ("delta_ratio", "delta_spread"),
    "correlation": ("correlation", None),
}


def _expected(theory: pd.DataFrame, runs: pd.DataFrame, mean: pd.DataFrame, quantity: str, depth: int) -> pd.DataFrame:
    """Return the theory of a measured quantity, and between what a mean agrees with it, by activation, initializer, layer.

    That of δ is relative to the output layer, so it is multiplied with the output layer's measured value.
    """
    keys = ["activation", "initializer", "layer"]
    column, spread = _THEORY[quantity]
    rows = theory[theory["depth"] == depth].merge(runs[["dataset", "width"]].drop_duplicates())
    if runs["batch_norm"].any():
        rows = rows.head(0)
    rows = rows[[*keys, column, *([spread] if spread else [])]].assign(theory=rows[column])
    if quantity == "delta_variance":
        top = mean[mean["layer"] == depth + 1][["activation", "initializer", quantity]].rename(
            columns={quantity: "top"}
        )
        rows = rows.merge(top, on=["activation", "initializer"])
        rows["theory"] *= rows["top"]
    if spread:
        low, high = meanfield.tolerance(rows[spread].to_numpy(), runs["replicate"].nunique())
        rows["low"], rows["high"] = rows["theory"] * low, rows["theory"] * high
    return rows[[*keys, "theory", *(["low", "high"] if spread else [])]]


def signal(
    layers: pd.DataFrame, runs: pd.DataFrame, quantity: str, depth: int, theory: pd.DataFrame | None = None
) -> Drawn:
    """Draw a variance against the layer at initialization, on a log scale: geometric mean over replicates.

    Exact zeros are drawn at the lower edge, values beyond the shown range at the edge they cross. What the theory of
    infinitely wide networks expects is dotted, and shaded as far as a mean over networks of this width agrees with it.
    """
    data = _at_start(layers, runs, depth)
    data = some(data[data[quantity].notna()], f"no untrained network has a finite {_QUANTITIES[quantity]}")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)[quantity].agg(stats.geometric_mean)
    mean["shown"] = mean[quantity].clip(*SHOWN_RANGE)
    if theory is not None:
        mean = mean.merge(_expected(theory, runs, mean, quantity, depth), on=keys, how="left")
    names = catalog.in_order(mean["initializer"])
    activations = sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.7, 2.75, sharey=True)
    low, high = mean["shown"].min(), mean["shown"].max()
    for axes, activation in zip(grid[0], activations, strict=True):
        here = mean[mean["activation"] == activation]
        for name, rows in here.dropna(subset=["theory"]).groupby("initializer") if theory is not None else ():
            colour = catalog.style(name)["color"]
            axes.plot(rows["layer"], rows["theory"].clip(*SHOWN_RANGE), color=colour, linestyle=":", linewidth=1)
            edges = rows["low"].clip(*SHOWN_RANGE), rows["high"].clip(*SHOWN_RANGE)
            axes.fill_between(rows["layer"], *edges, color=colour, alpha=0.12, linewidth=0)
        lines(axes, here, "layer", "shown", names)
        axes.set_yscale("log")
        axes.set_ylim(low / 3, high * 3)
        axes.set(title=catalog.ACTIVATIONS[activation].label, xlabel="layer", ylabel=_QUANTITIES[quantity])
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    legend(figure, names, 4)
    return Drawn(figure, mean.drop(columns="shown"))


def correlation(layers: pd.DataFrame, runs: pd.DataFrame, depth: int, theory: pd.DataFrame) -> Drawn:
    """Draw the correlation of two inputs against the layer at initialization, mean over replicates; theory dotted."""
    data = _at_start(layers, runs, depth)
    data = some(data[data["correlation"].notna()], "no untrained network tells two inputs apart by an angle")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)["correlation"].mean()
    mean = mean.merge(_expected(theory, runs, mean, "correlation", depth), on=keys, how="left")
    names, activations = catalog.in_order(mean["initializer"]), sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.4, 2.75, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        here = mean[mean["activation"] == activation]
        for name, rows in here.dropna(subset=["theory"]).groupby("initializer"):
            colour = catalog.style(name)["color"]
            axes.plot(rows["layer"], rows["theory"], color=colour, linestyle=":", linewidth=1)
        lines(axes, here, "layer", "correlation", names)
        axes.set(title=catalog.ACTIVATIONS[activation].label, xlabel="layer", ylabel=_QUANTITIES["correlation"])
        axes.set_ylim(min(-0.1, mean["correlation"].min() - 0.05), 1.05)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    legend(figure, names, 4)
    return Drawn(figure, mean)


def histograms(table: pd.DataFrame, runs: pd.DataFrame, quantity: str, depth: int) -> Drawn:
    """Draw the histograms of every layer at initialization as rows of a map, one map an initializer and activation.

    Shares of all replicates' counts, against the value in root mean squares of its layer.
    """
    data = some(_at_start(table, runs, depth), "no histograms were measured (measure.histogram_bins)")
    keys = ["initializer", "activation", "layer", "bin_low", "bin_high"]
    data = data.groupby(keys, as_index=False)[quantity].sum()
    totals = data.groupby(["initializer", "activation", "layer"])[quantity].transform("sum")
    data = some(data[totals > 0].assign(share=data[quantity] / totals), "no layer has finite values to count")
    names, activations = catalog.in_order(data["initializer"]), sorted_activations(data["activation"])
    figure, grid = panels(len(names), len(activations), 0.85, 2.2, sharex=True, sharey=True)
    for row, name in enumerate(names):
        for axes, activation in zip(grid[row], activations, strict=True):
            here = data[(data["initializer"] == name) & (data["activation"] == activation)]
            axes.grid(False)
            if not here.empty:
                shares = here.pivot(index="layer", columns="bin_low", values="share")
                extent = (
                    here["bin_low"].min(),
                    here["bin_high"].max(),
                    shares.index.max() + 0.5,
                    shares.index.min() - 0.5,
                )
                axes.imshow(shares, aspect="auto", extent=extent, cmap="cividis", vmin=0, interpolation="nearest")
            if row == 0:
                axes.set_title(catalog.ACTIVATIONS[activation].label)
        grid[row][0].set_ylabel(catalog.label(name), size=7, rotation=0, ha="right", va="center")
    figure.supxlabel("value, in root mean squares of its layer; downwards: layers", size=9)
    return Drawn(figure, data)


_QUANTITIES = {
    "z_variance": "variance of pre-activations z",
    "h_variance": "variance of activations h",
    "delta_variance": "variance of ∂ℓ/∂z",
    "gradient_variance": "variance of ∂L/∂W",
    "correlation": "correlation of two inputs",
    "saturated": "saturated share",
    "dead": "dead share",
}


def saturation(layers: pd.DataFrame, runs: pd.DataFrame, depth: int) -> Drawn:
    """Draw, by layer at initialization, the saturated share of activations, or of dead units where φ does not saturate."""
    data = _at_start(layers, runs, depth)
    data = some(data[data["dead"].notna()], "no untrained network has finite activations")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)[["saturated", "dead"]].mean()
    names, activations = catalog.in_order(mean["initializer"]), sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.4, 2.75, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        quantity = "saturated" if catalog.ACTIVATIONS[activation].saturated else "dead"
        lines(axes, mean[mean["activation"] == activation], "layer", quantity, names)
        title = f"{catalog.ACTIVATIONS[activation].label}: {_QUANTITIES[quantity]}"
        axes.set(title=title, xlabel="layer", ylabel="share", ylim=(-0.03, 1.03))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    legend(figure, names, 4)
    return Drawn(figure, mean)


def learning_rate(summary: pd.DataFrame) -> Drawn:
    """Draw the median validation accuracy at the end against the learning rate; the chosen rate is ringed."""
    if summary["learning_rate"].nunique() < 2:
        raise NothingToDraw("every run has the same learning rate")
    activations, depths = sorted_activations(summary["activation"]), sorted(summary["depth"].unique())
    names, rates = catalog.in_order(summary["initializer"]), sorted(summary["learning_rate"].unique())
    figure, grid = panels(len(depths), len(activations), 1.75, 2.75, sharex=True, sharey=True)
    for row, depth in enumerate(depths):
        for axes, activation in zip(grid[row], activations, strict=True):
            here = summary[(summary["activation"] == activation) & (summary["depth"] == depth)]
            lines(axes, here, "learning_rate", "validation_accuracy", names)
            for _, best in here[here["is_best_rate"]].iterrows():
                axes.plot(
                    best["learning_rate"], best["validation_accuracy"], marker="o", markersize=8, fillstyle="none",
                    color=catalog.style(best["initializer"])["color"], markeredgewidth=0.8,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
            axes.minorticks_off()
            axes.set(xlabel="learning rate" if row == len(depths) - 1 else "", ylabel=f"depth {depth}", ylim=(0, 1))
            if row == 0:
                axes.set_title(catalog.ACTIVATIONS[activation].label)
    figure.supylabel("validation accuracy at the end", size=9)
    legend(figure, names, 4)
    columns = [*_FACETS, "initializer", "learning_rate", "validation_accuracy", "diverged", "runs", "is_best_rate"]
    return Drawn(figure, summary[columns])


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
    names, activations = catalog.in_order(mean["initializer"]), sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.2, 2.75, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        lines(axes, mean[mean["activation"] == activation], "step", "distinct_share", names)
        step_axis(axes, mean["step"].max())
        axes.set(
            title=catalog.ACTIVATIONS[activation].label,
            xlabel="step",
            ylabel="distinct share of units",
            ylim=(-0.03, 1.05),
        )
    legend(figure, names, 4)
    return Drawn(figure, mean)


def replay(table: pd.DataFrame) -> Drawn:
    """Draw the histograms of the tutorial's five tanh layers, one row a scheme, with the standard deviation of each."""
    schemes, layers = list(dict.fromkeys(table["scheme"])), sorted(set(table["layer"]) - {0})
    figure, grid = panels(len(schemes), len(layers), 1.25, 1.62, sharex=True)
    for row, scheme in enumerate(schemes):
        for axes, layer in zip(grid[row], layers, strict=True):
            here = table[(table["scheme"] == scheme) & (table["layer"] == layer)]
            density = here["count"] / here["count"].sum()
            axes.bar(
                here["bin_low"], density, here["bin_high"] - here["bin_low"], align="edge",
                color=catalog.style(scheme)["color"], linewidth=0,
            )  # fmt: skip
            axes.set_title(f"layer {layer}: std {here['std'].iloc[0]:.2g}", size=8.5)
            axes.set_yticks([])
            axes.grid(False)
        grid[row][0].set_ylabel(catalog.label(scheme), size=8.5)
    figure.supxlabel("activation tanh(z)", size=9)
    return Drawn(figure, table)
