"""Figures of untrained networks: signals, gradients, correlations, histograms."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from winit import schemes
from winit.analysis import stats
from winit.analysis.select import before_training, one_rate
from winit.report.figures.style import (
    QUANTITIES,
    SHOWN_RANGE,
    Drawn,
    legend,
    levels,
    lines,
    panels,
    some,
    whole_numbers,
)
from winit.theory import prediction
from winit.theory.activations import ACTIVATIONS


def _at_start(table: pd.DataFrame, runs: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Return measurements of networks of one depth at the start of training, with their factors."""
    return before_training(table, one_rate(runs[runs["depth"] == depth]), ["activation", "initializer", "replicate"])


# Measured quantity → the theory's column, and that of its spread.
_THEORY = {
    "h_variance": ("h_variance", "h_spread"),
    "delta_variance": ("delta_ratio", "delta_spread"),
    "correlation": ("correlation", None),
}


def _expected(theory: pd.DataFrame, runs: pd.DataFrame, mean: pd.DataFrame, quantity: str, depth: int) -> pd.DataFrame:
    """Return the prediction for a quantity and the range in which a mean agrees with it, by activation, initializer, layer.

    The prediction for δ is relative to the output layer, so it is multiplied by the measured value of the output layer.
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
        low, high = prediction.tolerance(rows[spread].to_numpy(), runs["replicate"].nunique())
        rows["low"], rows["high"] = rows["theory"] * low, rows["theory"] * high
    return rows[[*keys, "theory", *(["low", "high"] if spread else [])]]


def signal(
    layers: pd.DataFrame, runs: pd.DataFrame, quantity: str, depth: int, theory: pd.DataFrame | None = None
) -> Drawn:
    """Draw a variance against the layer at initialization, on a log scale: geometric mean over replicates.

    Zeros are drawn at the lower edge, and values outside the shown range at its edges. Dotted lines are the theory of
    infinitely wide networks, shaded where a mean over networks of this width agrees with it.
    """
    data = _at_start(layers, runs, depth)
    data = some(data[data[quantity].notna()], f"no untrained network has a finite {QUANTITIES[quantity]}")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)[quantity].agg(stats.geometric_mean)
    mean["shown"] = mean[quantity].clip(*SHOWN_RANGE)
    if theory is not None:
        mean = mean.merge(_expected(theory, runs, mean, quantity, depth), on=keys, how="left")
    names = levels(mean["initializer"])
    figure, layout = panels(mean, "activation", height=2.7, sharey=True)
    low, high = mean["shown"].min(), mean["shown"].max()
    for panel in layout:
        axes, shown = panel.axes, panel.of(mean)
        if theory is not None:
            _draw_theory(
                axes, shown.assign(**{name: shown[name].clip(*SHOWN_RANGE) for name in ("theory", "low", "high")})
            )
        lines(axes, shown, "layer", "shown", names)
        axes.set_yscale("log")
        axes.set_ylim(low / 3, high * 3)
        axes.set(xlabel="layer", ylabel=QUANTITIES[quantity])
        whole_numbers(axes)
    legend(figure, names)
    return Drawn(figure, mean.drop(columns="shown"))


def _draw_theory(axes: Axes, mean: pd.DataFrame) -> None:
    """Draw the theory as dotted lines, and shade the range that agrees with it if the spread is known."""
    for name, rows in mean.dropna(subset=["theory"]).groupby("initializer"):
        colour = schemes.style(name)["color"]
        axes.plot(rows["layer"], rows["theory"], color=colour, linestyle=":", linewidth=1)
        if "low" in rows:
            axes.fill_between(rows["layer"], rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0)


def correlation(layers: pd.DataFrame, runs: pd.DataFrame, depth: int, theory: pd.DataFrame) -> Drawn:
    """Draw the correlation of two inputs against the layer at initialization, mean over replicates, with the theory as dotted lines."""
    data = _at_start(layers, runs, depth)
    data = some(data[data["correlation"].notna()], "no untrained network has a defined correlation of two inputs")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)["correlation"].mean()
    mean = mean.merge(_expected(theory, runs, mean, "correlation", depth), on=keys, how="left")
    names = levels(mean["initializer"])
    figure, layout = panels(mean, "activation", height=2.4, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(mean)
        _draw_theory(axes, shown)
        lines(axes, shown, "layer", "correlation", names)
        axes.set(xlabel="layer", ylabel=QUANTITIES["correlation"])
        axes.set_ylim(min(-0.1, mean["correlation"].min() - 0.05), 1.05)
        whole_numbers(axes)
    legend(figure, names)
    return Drawn(figure, mean)


def histograms(table: pd.DataFrame, runs: pd.DataFrame, quantity: str, depth: int) -> Drawn:
    """Draw the histograms of every layer at initialization as rows of a map, one map per initializer and activation.

    Shares of the counts of all replicates, against the value in root mean squares of the layer.
    """
    data = some(_at_start(table, runs, depth), "no histograms were measured (measure.histogram_bins)")
    keys = ["initializer", "activation", "layer", "bin_low", "bin_high"]
    data = data.groupby(keys, as_index=False)[quantity].sum()
    totals = data.groupby(["initializer", "activation", "layer"])[quantity].transform("sum")
    data = some(data[totals > 0].assign(share=data[quantity] / totals), "no layer has finite values to count")
    figure, layout = panels(data, "activation", "initializer", height=0.85, width=2.2, sharex=True, sharey=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(data)
        axes.grid(False)
        if not shown.empty:
            shares = shown.pivot(index="layer", columns="bin_low", values="share")
            left, right = shown["bin_low"].min(), shown["bin_high"].max()
            extent = (left, right, shares.index.max() + 0.5, shares.index.min() - 0.5)
            axes.imshow(shares, aspect="auto", extent=extent, cmap="cividis", vmin=0, interpolation="nearest")
        if panel.is_left:
            axes.set_ylabel(panel.name("initializer"), size=7, rotation=0, ha="right", va="center")
    figure.supxlabel("value in root mean squares of the layer (rows: layers, from top to bottom)", size=9)
    return Drawn(figure, data)


def saturation(layers: pd.DataFrame, runs: pd.DataFrame, depth: int) -> Drawn:
    """Draw the saturated share of activations by layer at initialization, or of dead units if φ does not saturate."""
    data = _at_start(layers, runs, depth)
    data = some(data[data["dead"].notna()], "no untrained network has finite activations")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)[["saturated", "dead"]].mean()
    names = levels(mean["initializer"])
    figure, layout = panels(mean, "activation", height=2.4, sharey=True)
    for panel in layout:
        axes = panel.axes
        quantity = "dead" if ACTIVATIONS[panel.levels["activation"]].steepest is None else "saturated"
        lines(axes, panel.of(mean), "layer", quantity, names)
        title = f"{panel.name('activation')}: {QUANTITIES[quantity]}"
        axes.set(title=title, xlabel="layer", ylabel="share", ylim=(-0.03, 1.03))
        whole_numbers(axes)
    legend(figure, names)
    return Drawn(figure, mean)


def replay(table: pd.DataFrame) -> Drawn:
    """Draw the histograms of the tutorial's five tanh layers, one row per scheme, with standard deviations."""
    figure, layout = panels(table[table["layer"] > 0], "layer", "scheme", height=1.25, width=1.62, sharex=True)
    for panel in layout:
        axes, shown = panel.axes, panel.of(table)
        axes.bar(
            shown["bin_low"], shown["count"] / shown["count"].sum(), shown["bin_high"] - shown["bin_low"], align="edge",
            color=schemes.style(panel.levels["scheme"])["color"], linewidth=0,
        )  # fmt: skip
        axes.set_title(f"layer {panel.levels['layer']}: std {shown['std'].iloc[0]:.2g}", size=8.5)
        axes.set_yticks([])
        axes.grid(False)
        if panel.is_left:
            axes.set_ylabel(panel.name("scheme"), size=8.5)
    figure.supxlabel("activation tanh(z)", size=9)
    return Drawn(figure, table)
