"""The phase diagram."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet
from matplotlib.lines import Line2D

from winit import schemes
from winit.analysis.select import chosen_rates
from winit.report.figures.style import Drawn, NothingToDraw, Panel, legend_below, panels
from winit.report.figures.trainability import FACETS

DEPTH_CONTOURS = (5, 10, 20, 50, 100)  # layers


def phase_diagram(summary: pd.DataFrame, phase: pd.DataFrame, limits: pd.DataFrame) -> Drawn:
    """Draw measured trainability over the plane (σ_w², σ_b²), with the critical line and depth contours of the theory.

    One panel per activation and depth. Cells are `mean_field` arms at their chosen rates. The solid line is χ₁ = 1. Dashed
    lines bound the region in which 6 ξ_c exceeds the panel's depth, dotted lines the regions for other depths. Other
    initializers are markers.
    """
    plane = limits[["activation", "width", "initializer", "sigma_w2", "sigma_b2"]].drop_duplicates()
    best = chosen_rates(summary).merge(plane, on=["activation", "width", "initializer"])
    is_point = best["initializer"].isin(list(schemes.diagram_points(best["initializer"].unique())))
    points, named = best[is_point], best[~is_point]
    if phase.empty or points.empty:
        raise NothingToDraw(
            "it needs several mean_field initializers that differ in both variances, without batch normalization"
        )
    figure, layout = panels(best, "depth", "activation", height=2.9, width=3.5, sharex=True, sharey="row")
    mesh = None
    for panel in layout:
        mesh = _draw_cells(panel, panel.of(points)) or mesh
        if not panel.axes.axison:
            continue
        _draw_theory(panel.axes, phase[phase["activation"] == panel.levels["activation"]], panel.levels["depth"])
        for _, row in panel.of(named).iterrows():
            look = schemes.style(row["initializer"])
            panel.axes.plot(row["sigma_w2"], row["sigma_b2"], look["marker"], color=look["color"], markersize=8,
                            markeredgecolor="white", markeredgewidth=0.9, clip_on=False)  # fmt: skip
        panel.axes.set_xlim(right=max(panel.of(points)["sigma_w2"].max(), phase["sigma_w2"].max()) * 1.06)
    assert mesh is not None, "a panel with points has a mesh"
    figure.colorbar(mesh, ax=[panel.axes for panel in layout], label="test accuracy", shrink=0.8)
    if len(named):
        legend_below(figure, _marks(named), 4)
    columns = [*FACETS, "initializer", "sigma_w2", "sigma_b2", "learning_rate", "test_score", "ok", "runs"]
    return Drawn(figure, best[columns])


def _draw_cells(panel: Panel, points: pd.DataFrame) -> QuadMesh | None:
    """Draw accuracy over the plane, or switch the panel off if nothing was trained."""
    axes = panel.axes
    if points.empty:
        axes.set_title("")
        axes.set_axis_off()
        return None
    cells = points.pivot(index="sigma_b2", columns="sigma_w2", values="test_score")
    mesh = axes.pcolormesh(
        cells.columns, cells.index, cells, shading="nearest", cmap="cividis", vmin=0, vmax=1, linewidth=0
    )
    axes.grid(False)
    axes.set_title(f"{panel.name('activation')}, {panel.levels['depth']} layers")
    axes.set(xlabel="σ_w² = fan_in · Var(w)", ylabel="σ_b² = Var(b)" if panel.is_left else "")
    return mesh


def _draw_theory(axes: Axes, phase: pd.DataFrame, depth: int) -> None:
    """Draw the critical line, and contours where the depth limit equals the panel's depth and some other depths."""
    theory = phase.pivot(index="sigma_b2", columns="sigma_w2")
    # Black with a white rim is visible on every colour of the map.
    line = {"colors": "black", "path_effects": [patheffects.withStroke(linewidth=2.6, foreground="white")]}
    _contour(axes, theory["chi_1"], [1.0], linewidths=1.5, **line)
    limit = np.log(theory["depth_limit"].clip(1e-3, 1e6))
    _contour(axes, limit, [np.log(depth)], linewidths=1, linestyles="dashed", **line)
    others = [np.log(level) for level in DEPTH_CONTOURS if level != depth]
    thin = _contour(axes, limit, others, linewidths=0.5, linestyles="dotted", colors="black")
    if thin is not None:
        axes.clabel(thin, fmt=lambda value: f"{np.exp(value):.0f}", fontsize=6.5, colors="black")


def _contour(axes: Axes, height: pd.DataFrame, contours: list[float], **options: Any) -> QuadContourSet | None:
    """Draw the contours that a surface has and return them; None if there are none."""
    low, high = height.min().min(), height.max().max()  # matplotlib warns if a plot has no contours
    if not any(low <= level <= high for level in contours):
        return None
    return axes.contour(*np.meshgrid(height.columns, height.index), height, levels=contours, **options)


def _marks(named: pd.DataFrame) -> list[Line2D]:
    """Return the legend entries of named initializers."""
    return [
        Line2D([], [], color=schemes.style(name)["color"], marker=schemes.style(name)["marker"], linestyle="",
               markersize=6, label=schemes.label(name))
        for name in schemes.in_order(named["initializer"])
    ]  # fmt: skip
