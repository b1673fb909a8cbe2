"""Section: is the symmetry broken?"""

from __future__ import annotations

import pandas as pd

from winit import schemes
from winit.analysis.select import since_pretraining
from winit.report.context import PageContext, shallowest
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures
from winit.report.wording import PRETRAINED_SETTING


def _with_constants(context: PageContext) -> pd.DataFrame:
    """Return the runs of the main grid, and those from constant weights of every grid, without dropout."""
    main, _ = context.named
    runs = context.tables["judged_runs"]
    runs = runs[(runs["dropout"] == 0) & (runs["pretraining"] == "none")]
    is_constant = runs["initializer"].map(lambda name: schemes.parse(name).scheme.family == "constant").astype(bool)
    return pd.concat([main, runs[is_constant]]).drop_duplicates("run_id")


def symmetry(context: PageContext) -> Section:
    """Show how many units of a layer differ from one another."""
    layers = since_pretraining(context.tables["all_layers"], context.tables["all_runs"])
    return Section(
        "symmetry",
        "Is the symmetry broken?",
        "Two units that start with the same weights get the same gradient and stay identical.",
        context.gallery.each(
            PRETRAINED_SETTING,
            _with_constants(context),
            (),
            "symmetry",
            "Distinct units over the steps",
            lambda runs: figures.symmetry(layers, runs, shallowest(runs)),
            Caption(
                shows="Share of hidden units with distinct incoming weights and bias, in the shallowest networks. Mean over all hidden "
                "layers, learning rates and replicates.",
                see="Zero and constant weights start with one distinct unit per layer. If a line stays at the bottom, every layer works like "
                "a single unit; random weights start at the top.",
                basis="Units are compared bit by bit, in float32. Runs from constant weights are those of all grids, without dropout.",
            ),
        ),
    )
