"""Section: does greedy layerwise pretraining help?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from winit import schemes
from winit.analysis.select import CELL, SETTING, is_pretrained, of_budget, small_weights
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import pretraining as figures
from winit.report.figures.style import Drawn
from winit.vocabulary.words import count

Figures = list[Exhibit | Omission]


def pretraining(context: PageContext) -> Section:
    """Compare pretrained networks with random starts at equal updates and at equal time, and with controls."""
    title = "Does greedy layerwise pretraining help?"
    arms = _PretrainedArms.of(context)
    shown: Figures
    if arms is None:
        shown = [Omission(title, "no network was pretrained")]
    elif context.is_reconstruction:
        shown = [*_layers(arms), *_signal(arms)]
    else:
        shown = [*_accuracy(arms), *_gains(arms), *_clock(arms), *_layers(arms), *_signal(arms)]
    return Section(
        "pretraining",
        title,
        "Pretraining restarted deep learning in 2006. Here it is compared with the best random weights, at equal updates and at equal "
        "time, and with controls that separate scale from structure.",
        shown,
    )


@dataclass(frozen=True)
class _PretrainedArms:
    """The runs of all initializers that are pretrained anywhere, in the main grid or in extra grids."""

    context: PageContext
    runs: pd.DataFrame
    initializers: list[str]

    @classmethod
    def of(cls, context: PageContext) -> _PretrainedArms | None:
        """Return the arms of a study; None if no network is pretrained."""
        runs = context.tables["judged_runs"]
        pretrained = runs[is_pretrained(runs["pretraining"])]
        if pretrained.empty:
            return None
        # All arms need the same replicates; a random start of the main grid may have more.
        runs = runs[runs["replicate"].isin(pretrained["replicate"])]
        runs = runs.merge(pretrained[[*CELL, "initializer"]].drop_duplicates())
        return cls(context, runs, schemes.in_order(runs["initializer"]))

    @property
    def replicates(self) -> int:
        """Number of judged replicates."""
        return self.runs["replicate"].nunique()

    @property
    def over(self) -> str:
        """What medians and means are taken over, in words."""
        return f"over {count(self.replicates, 'replicate')}"

    @property
    def small(self) -> str:
        """The initializer with the smallest random weights, or the first one."""
        return small_weights(self.initializers) or self.initializers[0]

    def each(
        self, tables: tuple[pd.DataFrame, ...], name: str, title: str, draw: Callable[..., Drawn], caption: Caption
    ) -> Figures:
        """Return one figure for each setting; `draw` takes the setting's runs and its part of the tables."""
        return self.context.gallery.each(SETTING, self.runs, tables, name, title, draw, caption)


def _deepest(runs: pd.DataFrame) -> int:
    """Return the largest depth that is pretrained."""
    return int(runs.loc[is_pretrained(runs["pretraining"]), "depth"].max())


def _accuracy(arms: _PretrainedArms) -> Figures:
    return arms.each(
        (arms.context.tables["all_summary"],),
        "pretraining",
        "Test accuracy with and without pretraining",
        lambda runs, summary: figures.accuracy_by_depth(runs, summary, arms.initializers),
        Caption(
            shows=f"Median test accuracy {arms.over} at each arm's chosen rate, with single runs as dots; one row per initializer.",
            see="Grey lines are the same initializer without pretraining (dash-dotted: trained longer, by the updates of pretraining). "
            "Pretraining helps where coloured lines stay high and grey lines fall.",
            basis="A diverged run is scored as random guessing. RBMs have binary or linear hidden units, so they work only with sigmoid and "
            "identity.",
        ),
    )


# How a comparison is named, and what makes it equal.
COMPARISONS = {
    "updates": "It is trained for as many additional updates as pretraining takes; an update of one layer counts like one of the whole network.",
    "time": "It is trained for as many seconds as pretraining and fine-tuning took. Measured times vary between runs and machines; "
    "a random start whose training ended earlier is marked `is_cut_short` in the data.",
}


def _gains(arms: _PretrainedArms) -> Figures:
    tables = arms.context.tables
    effects = {"updates": tables["pretraining_effects"], "time": tables["pretraining_time_effects"]}
    return [
        figure
        for equal, what in COMPARISONS.items()
        for initializer in arms.initializers
        for figure in arms.each(
            (of_budget(effects[equal]),),
            f"pretraining-{equal}-{re.sub('[^a-z0-9]+', '-', initializer)}",
            f"What pretraining gains at equal {equal}, from {schemes.label(initializer)}",
            lambda runs, rows, equal=equal, initializer=initializer: figures.gains(
                rows[rows["compared_at"] == f"equal {equal}"], initializer
            ),
            Caption(
                shows="Difference in the share of runs that train between each arm and the best random start of its cell, at equal "
                f"{equal}, with Bonett-Price intervals over {count(arms.replicates, 'pair')} of replicates.",
                see="Filled marks are methods, hollow marks their controls. Normal weights with the same moments as the pretrained ones "
                "show what scale alone gains; what the method gains beyond that is structure.",
                basis=f"The best random start is chosen on tuning runs, among all arms without pretraining. {what} The intervals of a cell are "
                "simultaneous 95 % intervals.",
            ),
        )
    ]


def _clock(arms: _PretrainedArms) -> Figures:
    tables = arms.context.tables
    return arms.each(
        (tables["all_summary"],),
        "pretraining-clock",
        "Test accuracy, with the updates of pretraining counted",
        lambda runs, summary: figures.on_the_clock(
            tables["all_curves"], runs, summary, arms.initializers, _deepest(runs)
        ),
        Caption(
            shows=f"Median test accuracy {arms.over} in the deepest pretrained networks against all updates. Curves start where "
            "pretraining ends.",
            see="Pretraining pays off where a coloured curve overtakes the grey ones.",
            basis="An update of pretraining changes one layer only. The comparison at equal time accounts for its cost in seconds.",
        ),
    )


def _layers(arms: _PretrainedArms) -> Figures:
    return arms.each(
        (),
        "pretraining-layers",
        "How each layer learns",
        lambda runs: figures.layer_errors(arms.context.tables["pretraining"], runs, _deepest(runs), arms.small),
        Caption(
            shows=f"Error of each layer during pretraining from {schemes.label(arms.small)}, relative to the error of predicting the mean "
            f"of its inputs (supervised layers: cross-entropy relative to log C); geometric mean {arms.over}.",
            see="A layer that stays at 1 or above is no better than a constant prediction and passes no useful codes on.",
            basis="Measured on a fixed sample of uncorrupted training examples, in the deepest pretrained networks.",
        ),
    )


def _signal(arms: _PretrainedArms) -> Figures:
    tables = arms.context.tables
    return arms.each(
        (tables["all_summary"],),
        "pretraining-signal",
        "Signals before and after training",
        lambda runs, summary: figures.signal_through_pretraining(
            tables["all_layers"], runs, summary, _deepest(runs), arms.small
        ),
        Caption(
            shows=f"Variance of the activations by layer, from {schemes.label(arms.small)}, when fine-tuning starts and when it ends; "
            f"geometric mean {arms.over}.",
            see="The grey solid line is the network as drawn. The other solid lines show how pretraining changed it.",
            basis="The deepest pretrained networks, each arm at its chosen rate. Values below 10⁻²⁴ or above 10¹² are drawn at the edge.",
        ),
    )
