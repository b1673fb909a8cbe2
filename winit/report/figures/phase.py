"""The phase diagram."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.lines import Line2D

from winit import schemes
from winit.analysis.select import chosen_rates
from winit.report.figures.style import Drawn, NothingToDraw, panels, sorted_activations
from winit.report.figures.trainability import FACETS
from winit.theory.activations import ACTIVATIONS

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
    best = chosen_rates(summary).merge(limits[["activation", "width", "initializer", "sigma_w2", "sigma_b2"]]
                                                  .drop_duplicates(), on=["activation", "width", "initializer"])  # fmt: skip
    is_point = best["initializer"].isin(list(schemes.diagram_points(best["initializer"].unique())))
    if phase.empty or not is_point.any():
        raise NothingToDraw(
            "it needs several mean_field initializers that differ in both variances, without batch normalization"
        )
    activations, depths = sorted_activations(best["activation"]), sorted(best["depth"].unique())
    named = schemes.in_order(best.loc[~is_point, "initializer"])
    figure, grid = panels(len(activations), len(depths), 2.9, 3.5, sharex=True, sharey="row")
    mesh = None
    for row, activation in enumerate(activations):
        theory = phase[phase["activation"] == activation].pivot(index="sigma_b2", columns="sigma_w2")
        plane = np.meshgrid(theory["chi_1"].columns, theory.index)
        for axes, depth in zip(grid[row], depths, strict=True):
            here = (best["activation"] == activation) & (best["depth"] == depth)
            cells = best[here & is_point].pivot(index="sigma_b2", columns="sigma_w2", values="test_score")
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
                look = schemes.style(one["initializer"])
                axes.plot(one["sigma_w2"], one["sigma_b2"], look["marker"], color=look["color"], markersize=8,
                          markeredgecolor="white", markeredgewidth=0.9, clip_on=False)  # fmt: skip
            axes.grid(False)
            axes.set_title(f"{ACTIVATIONS[activation].label}, {depth} layers")
            axes.set(xlabel="σ_w² = fan_in · Var(w)", ylabel="σ_b² = Var(b)" if depth == depths[0] else "")
            axes.set_xlim(right=max(cells.columns.max(), phase["sigma_w2"].max()) * 1.06)
    figure.colorbar(mesh, ax=grid.ravel().tolist(), label="test accuracy", shrink=0.8)
    if named:
        handles = [
            Line2D([], [], color=schemes.style(n)["color"], marker=schemes.style(n)["marker"], linestyle="",
                   markersize=6, label=schemes.label(n))
            for n in named
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    columns = [*FACETS, "initializer", "sigma_w2", "sigma_b2", "learning_rate", "test_score", "ok", "runs"]
    return Drawn(figure, best[columns])
