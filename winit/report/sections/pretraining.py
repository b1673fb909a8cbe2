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
from winit.report.wording import count

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
        "It is where deep learning began again in 2006. Here it is compared with the best random weights, at equal updates and at equal "
        "time, and with controls that tell scale from structure.",
        shown,
    )


@dataclass(frozen=True)
class _PretrainedArms:
    """The runs of all starts that are pretrained anywhere, in the main grid or beside it."""

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
        # The same replicates on all sides: a random start of the main grid may have more.
        runs = runs[runs["replicate"].isin(pretrained["replicate"])]
        runs = runs.merge(pretrained[[*CELL, "initializer"]].drop_duplicates())
        return cls(context, runs, schemes.in_order(runs["initializer"]))

    @property
    def replicates(self) -> int:
        """Number of judged replicates."""
        return self.runs["replicate"].nunique()

    @property
    def over(self) -> str:
        """What medians and means are taken over."""
        return f"over {count(self.replicates, 'replicate')}"

    @property
    def small(self) -> str:
        """The start with the smallest random weights, or the first of all."""
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
            shows=f"Median test accuracy {arms.over} at each arm's chosen rate, single runs as dots; one row for each start.",
            see="Grey is the same start without pretraining, dash-dotted with as many updates more as pretraining takes. "
            "Where coloured lines stay up and grey falls, pretraining carries the depth.",
            basis="A diverged run counts as guessing. RBMs have binary or linear hidden units, so they fit sigmoid and identity alone.",
        ),
    )


# How a comparison is named, and what makes it equal.
COMPARISONS = {
    "updates": "it is trained longer by as many updates as pretraining takes, each counted like one of the whole network",
    "time": "it is trained for as many seconds, those of pretraining included, as they were measured here: they differ between "
    "two computations of a study, and between machines; where its training ends before, it has had less (in the data: is cut short)",
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
                shows=f"Difference to the best random start of the cell in the share of runs that train, at equal {equal}: "
                f"{count(arms.replicates, 'pair')} of replicates, with the interval of Bonett & Price; those of all arms of a cell "
                "hold together with 95 %.",
                see="Filled: the method. Hollow: its controls. If normal weights with the moments of the pretrained ones gain as much, "
                "the gain is scale; what the method gains beyond them is structure.",
                basis=f"The best random start is chosen on tuning runs among all of the table; {what}. Every arm has its own learning "
                "rate, chosen on validation, and pretraining's own rate is tuned in the same way where the grid has several.",
            ),
        )
    ]


def _clock(arms: _PretrainedArms) -> Figures:
    tables = arms.context.tables
    return arms.each(
        (tables["all_summary"],),
        "pretraining-clock",
        "Test accuracy, with the cost of pretraining on the clock",
        lambda runs, summary: figures.on_the_clock(
            tables["all_curves"], runs, summary, arms.initializers, _deepest(runs)
        ),
        Caption(
            shows=f"Median test accuracy {arms.over} in the deepest pretrained networks, against all updates: curves begin where "
            "pretraining ends.",
            see="Pretraining pays where a coloured curve overtakes the grey ones.",
            basis="An update of pretraining moves one layer. What it costs in time is in the comparison at equal time.",
        ),
    )


def _layers(arms: _PretrainedArms) -> Figures:
    return arms.each(
        (),
        "pretraining-layers",
        "How each layer learns",
        lambda runs: figures.layer_errors(arms.context.tables["pretraining"], runs, _deepest(runs), arms.small),
        Caption(
            shows=f"Error of each layer while it is pretrained from {schemes.label(arms.small)}, relative to that of the mean of its inputs "
            f"(supervised layers: cross-entropy relative to log C); geometric mean {arms.over}.",
            see="Above 1 a layer is worse than knowing nothing of its inputs; a layer that stays there passes nothing on worth learning "
            "from.",
            basis="On a fixed sample of training examples, uncorrupted, in the deepest pretrained networks.",
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
            shows=f"Variance of the activations by layer, from {schemes.label(arms.small)}: as fine-tuning begins, and at its end; geometric "
            f"mean {arms.over}.",
            see="Grey is what was drawn; what pretraining does to it before the first step of training shows in the other solid lines.",
            basis="Deepest pretrained networks, each arm at its chosen rate; edges as in the section on signals.",
        ),
    )
