"""Figures of untrained networks: signals, gradients, correlations, histograms."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd

from winit import schemes
from winit.analysis import stats
from winit.analysis.select import before_training, one_rate
from winit.report.figures.style import QUANTITIES, SHOWN_RANGE, Drawn, legend, lines, panels, some, sorted_activations
from winit.schemes import label, style
from winit.theory import prediction
from winit.theory.activations import ACTIVATIONS


def _at_start(table: pd.DataFrame, runs: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Return what was measured in networks of one depth as training begins, with their factors."""
    return before_training(table, one_rate(runs[runs["depth"] == depth]), ["activation", "initializer", "replicate"])


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
        low, high = prediction.tolerance(rows[spread].to_numpy(), runs["replicate"].nunique())
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
    data = some(data[data[quantity].notna()], f"no untrained network has a finite {QUANTITIES[quantity]}")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)[quantity].agg(stats.geometric_mean)
    mean["shown"] = mean[quantity].clip(*SHOWN_RANGE)
    if theory is not None:
        mean = mean.merge(_expected(theory, runs, mean, quantity, depth), on=keys, how="left")
    names = schemes.in_order(mean["initializer"])
    activations = sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.7, 2.75, sharey=True)
    low, high = mean["shown"].min(), mean["shown"].max()
    for axes, activation in zip(grid[0], activations, strict=True):
        here = mean[mean["activation"] == activation]
        for name, rows in here.dropna(subset=["theory"]).groupby("initializer") if theory is not None else ():
            colour = schemes.style(name)["color"]
            axes.plot(rows["layer"], rows["theory"].clip(*SHOWN_RANGE), color=colour, linestyle=":", linewidth=1)
            edges = rows["low"].clip(*SHOWN_RANGE), rows["high"].clip(*SHOWN_RANGE)
            axes.fill_between(rows["layer"], *edges, color=colour, alpha=0.12, linewidth=0)
        lines(axes, here, "layer", "shown", names)
        axes.set_yscale("log")
        axes.set_ylim(low / 3, high * 3)
        axes.set(title=ACTIVATIONS[activation].label, xlabel="layer", ylabel=QUANTITIES[quantity])
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
    names, activations = schemes.in_order(mean["initializer"]), sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.4, 2.75, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        here = mean[mean["activation"] == activation]
        for name, rows in here.dropna(subset=["theory"]).groupby("initializer"):
            colour = schemes.style(name)["color"]
            axes.plot(rows["layer"], rows["theory"], color=colour, linestyle=":", linewidth=1)
        lines(axes, here, "layer", "correlation", names)
        axes.set(title=ACTIVATIONS[activation].label, xlabel="layer", ylabel=QUANTITIES["correlation"])
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
    names, activations = schemes.in_order(data["initializer"]), sorted_activations(data["activation"])
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
                axes.set_title(ACTIVATIONS[activation].label)
        grid[row][0].set_ylabel(schemes.label(name), size=7, rotation=0, ha="right", va="center")
    figure.supxlabel("value, in root mean squares of its layer; downwards: layers", size=9)
    return Drawn(figure, data)


def saturation(layers: pd.DataFrame, runs: pd.DataFrame, depth: int) -> Drawn:
    """Draw, by layer at initialization, the saturated share of activations, or of dead units where φ does not saturate."""
    data = _at_start(layers, runs, depth)
    data = some(data[data["dead"].notna()], "no untrained network has finite activations")
    keys = ["activation", "initializer", "layer"]
    mean = data.groupby(keys, as_index=False)[["saturated", "dead"]].mean()
    names, activations = schemes.in_order(mean["initializer"]), sorted_activations(mean["activation"])
    figure, grid = panels(1, len(activations), 2.4, 2.75, sharey=True)
    for axes, activation in zip(grid[0], activations, strict=True):
        quantity = "saturated" if ACTIVATIONS[activation].saturated else "dead"
        lines(axes, mean[mean["activation"] == activation], "layer", quantity, names)
        title = f"{ACTIVATIONS[activation].label}: {QUANTITIES[quantity]}"
        axes.set(title=title, xlabel="layer", ylabel="share", ylim=(-0.03, 1.03))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
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
                color=style(scheme)["color"], linewidth=0,
            )  # fmt: skip
            axes.set_title(f"layer {layer}: std {here['std'].iloc[0]:.2g}", size=8.5)
            axes.set_yticks([])
            axes.grid(False)
        grid[row][0].set_ylabel(label(scheme), size=8.5)
    figure.supxlabel("activation tanh(z)", size=9)
    return Drawn(figure, table)
