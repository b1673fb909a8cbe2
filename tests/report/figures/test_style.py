"""Legends fit into their figures, as rendered."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from winit.report.figures.style import legend_below

LABELS = ["no pretraining", "no pretraining, trained longer", "denoising autoencoders", "supervised layers"]


@pytest.mark.parametrize(("width", "columns"), [(3.1, 1), (5.6, 2), (12.0, 4)])
def test_a_legend_is_not_wider_than_its_figure(width, columns):
    figure = Figure(figsize=(width, 3), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.add_subplot()
    legend_below(figure, [Line2D([], [], label=label) for label in LABELS], 4)
    canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == columns  # no fewer than fit
