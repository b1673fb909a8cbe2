"""Section: how well does a deep autoencoder reconstruct its inputs?"""

from __future__ import annotations

import pandas as pd

from winit.analysis.select import SETTING
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import reconstruction as figures
from winit.vocabulary.words import count


def reconstruction(context: PageContext) -> Section:
    """Show the error of deep autoencoders next to the mean predictor and principal components."""
    tables = context.tables
    runs, summary, curves = tables["judged_runs"], tables["all_summary"], tables["all_curves"]
    over = f"over {count(runs['replicate'].nunique(), 'replicate')}"
    encoder = "-".join(map(str, context.study.task.encoder))

    def baselines(runs: pd.DataFrame) -> pd.DataFrame:
        return tables["baselines"][tables["baselines"]["dataset"].isin(runs["dataset"].unique())]

    return Section(
        "reconstruction",
        "How well does a deep autoencoder reconstruct its inputs?",
        f"An encoder of {encoder} units and its mirror, compared with the mean of the training data and with as many principal components "
        "as the code has units.",
        [
            *context.gallery.each(
                SETTING,
                runs,
                (summary,),
                "reconstruction",
                "Reconstruction error by arm",
                lambda runs, summary: figures.errors(runs, summary, baselines(runs)),
                Caption(
                    shows="Squared error, summed over the outputs and averaged over the test examples (Hinton & Salakhutdinov 2006), one "
                    "mark per replicate. Dashed lines: the baselines.",
                    see="Left is better. Hollow marks are controls. An arm at the line of the mean predictor has learned nothing.",
                    basis=f"{context.at_rate[:1].upper()}{context.at_rate[1:]}. All arms have the same mini-batches and the same number of updates "
                    "after pretraining; the updates of pretraining are not counted here.",
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
                    shows=f"Median squared error per test example {over}, against all updates. Curves of pretrained networks start where "
                    "pretraining ends.",
                    see="Pretraining has paid off where its curve crosses below the others.",
                    basis="An update of pretraining changes one layer only and costs less than an update of the whole network.",
                ),
            ),
        ],
    )
