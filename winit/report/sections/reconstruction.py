"""Section: how well does a deep autoencoder give back its inputs?"""

from __future__ import annotations

import pandas as pd

from winit.analysis.select import SETTING
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import reconstruction as figures
from winit.report.wording import count


def reconstruction(context: PageContext) -> Section:
    """Show the error of deep autoencoders beside the mean predictor and principal components."""
    tables = context.tables
    runs, summary, curves = tables["judged_runs"], tables["all_summary"], tables["all_curves"]
    over = f"over {count(runs['replicate'].nunique(), 'replicate')}"
    encoder = "-".join(map(str, context.study.task.encoder))

    def baselines(runs: pd.DataFrame) -> pd.DataFrame:
        return tables["baselines"][tables["baselines"]["dataset"].isin(runs["dataset"].unique())]

    return Section(
        "reconstruction",
        "How well does a deep autoencoder give back its inputs?",
        f"An encoder of {encoder} units and its mirror, against the mean of the training data and as many principal components as the "
        "code has units.",
        [
            *context.gallery.each(
                SETTING,
                runs,
                (summary,),
                "reconstruction",
                "Reconstruction error by start",
                lambda runs, summary: figures.errors(runs, summary, baselines(runs)),
                Caption(
                    shows="Squared error, summed over the outputs and averaged over the test examples (Hinton & Salakhutdinov 2006), one "
                    "mark a replicate; dashed: the baselines.",
                    see="Left is better. Hollow marks are controls: they share the values or the moments of pretrained weights, or the "
                    "longer training. An arm at the mean predictor's line has learned nothing.",
                    basis=f"{context.at_rate[:1].upper()}{context.at_rate[1:]}; all have the same mini-batches, and the same number of updates after "
                    "pretraining. Updates of pretraining are not counted here.",
                ),
            ),
            *context.gallery.each(
                SETTING,
                runs,
                (summary,),
                "reconstruction-curves",
                "Reconstruction error against updates",
                lambda runs, summary: figures.error_curves(curves, runs, summary, baselines(runs)),
                Caption(
                    shows=f"Median squared error per test example {over}, against all updates: a pretrained network begins where its "
                    "pretraining ends.",
                    see="Where curves cross is where pretraining has paid for itself.",
                    basis="An update of pretraining moves one layer and costs less than one of the whole network.",
                ),
            ),
        ],
    )
