"""The page of a study: tables and figures in, one self-contained HTML file out.

The page needs no network, and is complete without scripts. Figures are inline SVG whose colours follow the reader's light
or dark theme; each is also written beside the page, with the data it draws. `templates/report.js` adds what scripts can do:
files made from the page alone, tables that sort and filter, charts for chosen initializers (`winit.interactive`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winit import (
    cards,
    catalog,
    chapters,
    compact,
    comparisons,
    figures,
    findings,
    interactive,
    ranking_figures,
    state_figures,
    tables,
)
from winit import pretraining_figures as drawings
from winit.figures import Drawn, NothingToDraw
from winit.study import Study, dump, log_spaced
from winit.study import main_grid as in_main_grid

# The figures' stand-in colours, and the variables of the page that replace them.
THEME = {figures.FOREGROUND: "var(--fg)", figures.MUTED: "var(--muted)", figures.GRID: "var(--grid)"}


@dataclass(frozen=True)
class DataTable:
    """The data of a figure as a reader sees them: cells as text, columns that say the same in every row apart."""

    columns: list[tuple[str, bool]]  # name, and whether it holds numbers
    cells: list[list[str]]  # the first SHOWN_ROWS
    constants: list[tuple[str, str]]
    rows: int  # of all data


@dataclass(frozen=True)
class Exhibit:
    """A figure on the page: its id, title, caption in three parts, the drawing and its data.

    `csv` is the text of its file, for the page to offer; None where that would make the page large.
    """

    id: str
    title: str
    shows: str
    see: str
    basis: str
    svg: Markup
    data: DataTable
    csv: str | None

    @property
    def height(self) -> int:
        """Height of the drawing where there is room for it, in pixels."""
        drawn = re.search(r'width="(\d+)" viewBox="0 0 ([\d.]+) ([\d.]+)"', self.svg)
        return round(int(drawn[1]) * float(drawn[3]) / float(drawn[2]))


@dataclass(frozen=True)
class Omission:
    """A figure that the study has no data for: its title, and what the study lacks."""

    title: str
    reason: str


@dataclass(frozen=True)
class Section:
    """A part of the page: a question, and the figures that answer it. Without any figure it is not shown."""

    id: str
    title: str
    lead: str
    figures: list[Exhibit | Omission]

    @property
    def exhibits(self) -> list[Exhibit]:
        """The figures that were drawn."""
        return [figure for figure in self.figures if isinstance(figure, Exhibit)]

    @property
    def omissions(self) -> list[Omission]:
        """The figures that were left out."""
        return [figure for figure in self.figures if isinstance(figure, Omission)]

    @property
    def reasons(self) -> list[str]:
        """Why figures were left out, each reason once."""
        return list(dict.fromkeys(figure.reason for figure in self.omissions))


SHOWN_ROWS = 200  # of a figure's data, on the page
EMBEDDED_ROWS = 2_000  # of a figure's data, in the page


def svg(drawn: Drawn, name: str, title: str) -> str:
    """Return the figure as SVG text: the same bytes for the same data, ids that cannot clash, a title for screen readers."""
    return compact.compact(_svg(drawn, name, title))


def _tag(name: str) -> str:
    """Return the beginning of the ids of a figure, which keeps figures on one page apart."""
    return f"{zlib.crc32(name.encode()):x}"


def _svg(drawn: Drawn, name: str, title: str) -> str:
    buffer = io.StringIO()
    # Ids are hashes with this salt, so two figures on one page share none; a fixed date keeps the bytes fixed.
    with figures.style(), mpl.rc_context({"svg.hashsalt": name}):
        drawn.figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Short names for what is referred to, and none for the rest.
    tag = _tag(name)
    short = {m: f"{tag}-{i:x}" for i, m in enumerate(dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^")]+)', text)))}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", text)
    text = re.sub(r'(url\(#|href="#)([^")]+)', lambda m: m[1] + short[m[2]], text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A tenth of a point is finer than any screen; with the blanks between tags and in styles gone, it halves the file.
    # Inside tags alone: what stands between them is text for the reader.
    text = re.sub(r"<[^>]+>", lambda m: re.sub(r"(\d\.\d)\d+", r"\1", m[0]), text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r'style="([^"]*)"', lambda m: f'style="{m[1].replace("; ", ";").replace(": ", ":")}"', text)
    # As wide as drawn, and no wider: text keeps its size from figure to figure.
    size = r'width="([\d.]+)pt" height="[\d.]+pt"'
    text = re.sub(size, lambda m: f'width="{1.45 * float(m[1]):.0f}"', text.replace("\n", " "), count=1)
    escaped = str(Markup.escape(title))
    return re.sub(r"(<svg [^>]*>)", rf'\g<1><title id="{name}-title">{escaped}</title>', text, count=1)


def _page_svg(text: str, name: str) -> Markup:
    text = compact.compact(text, _tag(name)).replace(' xlink:href="#', ' href="#')
    for colour, variable in THEME.items():
        text = text.replace(colour, variable)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-title" ', 1))


_LABELS = {
    "initializer": catalog.label,
    "reference_initializer": catalog.label,
    "scheme": catalog.label,
    "activation": lambda name: catalog.ACTIVATIONS[name].label,
    "pretraining": catalog.pretraining_label,
    "reference_pretraining": catalog.pretraining_label,
}


def data_table(frame: pd.DataFrame) -> DataTable:
    """Return a figure's data for the page: the first rows, what is the same in all of them said once."""
    head = frame.head(SHOWN_ROWS)
    columns, texts, constants = [], [], []
    for name in frame.columns:
        column = head[name]
        is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if pd.api.types.is_bool_dtype(column):
            cells = ["yes" if value else "no" for value in column]
        elif pd.api.types.is_integer_dtype(column):
            cells = ["–" if value is pd.NA else str(value) for value in column]
        elif is_number:
            cells = [number(float(value)) for value in column]
        else:
            known = {v: "" if pd.isna(v) else _LABELS.get(name, str)(v) for v in column.unique()}
            cells = [known[value] for value in column]
        heading = str(name).replace("_", " ")
        if len(frame) > 1 and frame[name].nunique(dropna=False) == 1:
            constants.append((heading, cells[0]))
        else:
            columns.append((heading, is_number))
            texts.append(cells)
    return DataTable(columns, [list(row) for row in zip(*texts, strict=True)], constants, len(frame))


def in_script(text: str) -> Markup:
    """Return text for a script element that is not code: its parser ends at no tag and undoes no entity, report.js does."""
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;"))


def json_in_script(value: object) -> Markup:
    """Return a value as JSON that no text in it can end."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


class Gallery:
    """Turns drawings into exhibits, and writes each beside the page: the SVG, and the data it draws.

    A figure function raises `NothingToDraw` where it has no data. The gallery alone catches it, so that such a figure is
    left out with a sentence wherever it stands.
    """

    def __init__(self, folder: Path, found: dict[str, pd.DataFrame]) -> None:
        self.folder, self.found = folder, found

    def exhibit(self, name: str, title: str, draw: Callable[[], Drawn], *caption: str) -> Exhibit | Omission:
        """Return one figure for the page, or what the study lacks for it."""
        try:
            with figures.style():
                drawn = draw()
        except NothingToDraw as lacking:
            return Omission(title, str(lacking))
        return self._hang(name, title, drawn, *caption)

    def _hang(self, name: str, title: str, drawn: Drawn, shows: str, see: str, basis: str) -> Exhibit:
        text = _svg(drawn, name, title)
        # Six digits: more than any drawing shows, and half as long; the study's tables have them all.
        csv = drawn.data.to_csv(index=False, float_format="%.6g")
        tables.write_bytes(self.folder / f"{name}.svg", _standalone(compact.compact(text)).encode())
        tables.write_bytes(self.folder / f"{name}.csv", csv.encode())
        shown = data_table(drawn.data)
        return Exhibit(
            name, title, shows, see, basis, _page_svg(text, name), shown, csv if shown.rows <= EMBEDDED_ROWS else None
        )

    def each(
        self, factors: list[str], runs: pd.DataFrame, frames: tuple[pd.DataFrame, ...], kind: str, title: str,
        draw: Callable[..., Drawn], *caption: str,
    ) -> list[Exhibit | Omission]:  # fmt: skip
        """Return one figure for each setting, a combination of levels of the factors in `runs`.

        `draw` takes the setting's part of `runs` and of each of the frames.
        """
        exhibits = []
        for setting in runs[factors].drop_duplicates().itertuples(index=False):
            mine = [f[(f[factors] == list(setting)).all(axis=1)] for f in (runs, *frames)]
            part = findings.setting_name(runs, **{"pretraining": "", **setting._asdict()})
            name = "-".join([kind, *re.sub(r"[^a-z0-9]+", " ", part.lower()).split()])
            exhibits.append(self.exhibit(name, f"{title}: {part}", lambda mine=mine: draw(*mine), *caption))
        return exhibits


def main_grid(study: Study, found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables with the judged runs of the main grid alone; those of all runs as `all_runs`, `all_summary` and so on.

    The arms beside the grid have sections of their own; `judged_runs` are theirs and the grid's. Tuning replicates choose
    learning rates and are counted, and shown nowhere else.
    """
    mine = found | {f"all_{name}": found[name] for name in ("runs", "summary", "curves", "layers")}
    mine["judged_runs"] = found["runs"][found["runs"]["replicate"] >= 0]
    mine["runs"], mine["summary"] = (in_main_grid(study, frame) for frame in (mine["judged_runs"], found["summary"]))
    if len(mine["runs"]) < len(found["runs"]):
        for name in ("curves", "layers", "jacobians", "histograms"):
            mine[name] = found[name][found[name]["run_id"].isin(mine["runs"]["run_id"])]
    mine["layers"] = mine["layers"][mine["layers"]["step"] >= 0]
    return mine


def _sections(study: Study, found: dict[str, pd.DataFrame], folder: Path) -> Iterator[Section]:
    """Draw every figure of the study; write each beside the page; yield the page's sections."""
    gallery = Gallery(folder, found)
    if len(found["baselines"]):
        yield from _reconstruction(study, found, gallery)
    else:
        yield from _classification(study, found, gallery)


PRETRAINED_SETTING = [f for f in findings.SETTING if f != "pretraining"]


def _reconstruction(study: Study, found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the sections of a study of deep autoencoders."""
    runs, summary, curves = found["judged_runs"], found["all_summary"], found["all_curves"]
    layers, baselines = found["all_layers"], found["baselines"]
    over = f"over {findings.count(runs['replicate'].nunique(), 'replicate')}"
    encoder = "-".join(map(str, [*study.settings["task"]["encoder"]]))

    def lines(frame: pd.DataFrame) -> pd.DataFrame:
        return baselines[baselines["dataset"].isin(frame["dataset"].unique())]

    yield Section(
        "reconstruction", "How well does a deep autoencoder give back its inputs?",
        f"An encoder of {encoder} units and its mirror, against the mean of the training data and as many principal components as the code "
        "has units.",
        [
            *gallery.each(
                PRETRAINED_SETTING, runs, (summary,), "reconstruction", "Reconstruction error by start",
                lambda r, s: drawings.reconstruction_errors(r, s, lines(r)),
                "Squared error, summed over the outputs and averaged over the test examples (Hinton & Salakhutdinov 2006), one mark a replicate; "
                "dashed: the baselines.",
                "Left is better. Hollow marks are controls: they share the values or the moments of pretrained weights, or the longer training. "
                "An arm at the mean predictor's line has learned nothing.",
                "Each arm at its chosen rate; all have the same optimizer, mini-batches and number of updates after pretraining.",
            ),
            *gallery.each(
                PRETRAINED_SETTING, runs, (summary,), "reconstruction-curves", "Reconstruction error against updates",
                lambda r, s: drawings.reconstruction_curves(curves, r, s, lines(r)),
                f"Median squared error per validation example {over}, against all updates: a pretrained network begins where its pretraining ends.",
                "Where curves cross is where pretraining has paid for itself.",
                "An update of pretraining moves one layer and costs less than one of the whole network.",
            ),
        ],
    )  # fmt: skip
    yield from _pretraining(found, gallery, runs, summary, curves, layers)


def _pretraining(
    found: dict[str, pd.DataFrame], gallery: Gallery, runs: pd.DataFrame, summary: pd.DataFrame, curves: pd.DataFrame,
    layers: pd.DataFrame,
) -> Iterator[Section]:  # fmt: skip
    """Yield the section on greedy pretraining."""
    id_, title = "pretraining", "Does greedy layerwise pretraining help?"
    lead = (
        "It is where deep learning began again in 2006. Here it is an arm beside the best random weights, with controls that tell scale from "
        "structure."
    )
    effects = found["pretraining_effects"]
    is_arm = runs["pretraining"] != "none"
    if not is_arm.any():
        yield Section(id_, title, lead, [Omission(title, "no network was pretrained")])
        return
    arms = runs.loc[is_arm, [*comparisons.SETTING, "initializer"]].drop_duplicates()
    runs = runs.merge(arms)  # those from the starts that are pretrained
    replicates = runs["replicate"].nunique()
    over, of_few = f"over {findings.count(replicates, 'replicate')}", f"{replicates} pairs of replicates"
    initializers = catalog.in_order(runs["initializer"])
    small = comparisons.small_weights(initializers) or initializers[0]
    is_reconstruction = bool(len(found["baselines"]))

    def deepest(frame: pd.DataFrame) -> int:
        return int(frame.loc[frame["pretraining"] != "none", "depth"].max())

    exhibits: list[Exhibit | Omission] = []
    if not is_reconstruction:
        exhibits += gallery.each(
            PRETRAINED_SETTING, runs, (summary,), "pretraining", "Test accuracy with and without pretraining",
            lambda r, s: drawings.accuracy_by_depth(r, s, initializers),
            f"Median test accuracy {over} at each arm's chosen rate, single runs as dots; one row for each start.",
            "Grey is the same start without pretraining, dash-dotted with as many updates more as pretraining takes. "
            "Where coloured lines stay up and grey falls, pretraining carries the depth.",
            "A diverged run counts as 0. RBMs have binary or linear hidden units, so they fit sigmoid and identity alone.",
        )  # fmt: skip
        for initializer in initializers:
            exhibits += gallery.each(
                PRETRAINED_SETTING, runs, (effects,), f"pretraining-gain-{re.sub('[^a-z0-9]+', '-', initializer)}",
                f"What pretraining gains from {catalog.label(initializer)}",
                lambda r, e, initializer=initializer: drawings.gains(e, initializer),
                f"Mean difference in test accuracy to the same start without pretraining, {of_few}, with its 95 % t-interval.",
                "Filled: the method. Hollow: its controls. If normal weights with the moments of the pretrained ones gain as much, the gain is "
                "scale; what the method gains beyond them is structure.",
                "Every arm at its own best rate of the same grid, chosen on validation; differences within a point are called equivalent.",
            )  # fmt: skip
        exhibits += gallery.each(
            PRETRAINED_SETTING, runs, (summary,), "pretraining-clock", "Validation accuracy, with the cost of pretraining on the clock",
            lambda r, s: drawings.on_the_clock(curves, r, s, initializers, deepest(r)),
            f"Median validation accuracy {over} in the deepest pretrained networks, against all updates: curves begin where pretraining ends.",
            "Pretraining pays where a coloured curve overtakes the grey ones.",
            "An update of pretraining moves one layer and costs less than one of the whole network, so the axis is unkind to pretraining.",
        )  # fmt: skip
    exhibits += gallery.each(
        PRETRAINED_SETTING, runs, (), "pretraining-layers", "How each layer learns",
        lambda r: drawings.layer_errors(found["pretraining"], r, deepest(r), small),
        f"Error of each layer while it is pretrained from {catalog.label(small)}, relative to that of the mean of its inputs (supervised "
        f"layers: cross-entropy relative to log C); geometric mean {over}.",
        "Above 1 a layer is worse than knowing nothing of its inputs; a layer that stays there passes nothing on worth learning from.",
        "On a fixed sample of training examples, uncorrupted, in the deepest pretrained networks.",
    )  # fmt: skip
    exhibits += gallery.each(
        PRETRAINED_SETTING, runs, (summary,), "pretraining-signal", "Signals before and after training",
        lambda r, s: drawings.signal_through_pretraining(layers, r, s, deepest(r), small),
        f"Variance of the activations by layer, from {catalog.label(small)}: as fine-tuning begins, and at its end; geometric mean {over}.",
        "Grey is what was drawn; what pretraining does to it before the first step of training shows in the other solid lines.",
        "Deepest pretrained networks, each arm at its chosen rate; edges as in the section on signals.",
    )  # fmt: skip
    yield Section(id_, title, lead, exhibits)


def _ranking(study: Study, found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the section that compares the field over all cells."""
    ranking, baseline = found["ranking"], catalog.label(study.settings["analysis"]["baseline"])
    exhibits = [
        gallery.exhibit(
            "ranking", "The field over all cells", lambda: ranking_figures.intervals(ranking, "tuned"),
            "Share of runs that reached the target (Wilson's interval), interquartile mean score (replicates drawn anew within cells), and the "
            f"probability of a better score than {baseline} in a cell at random (cells drawn anew, then replicates); 95 % intervals.",
            "Sorted by success. The small bars are the mean of the worst tenth of scores: an initializer can be good in the middle and "
            "fail at the edge. On the dashed line it is no better and no worse than the baseline.",
            "Main grid, each initializer at the rate chosen for it on the tuning replicates; diverged runs score 0. Cells in which nobody "
            "learns are left out of the scores, not of the success rate.",
        ),
        gallery.exhibit(
            "ranking-speed", "Who arrives, and how fast",
            lambda: ranking_figures.speed(found["profiles"], found["arrivals"], "tuned"),
            "Left: the share of cells in which an initializer's median steps to the target are at most τ times the fewest of any. Right: the "
            "share of runs that have arrived by each step (Kaplan and Meier).",
            "High on the left edge: often the fastest. High on the right edge: arrives nearly everywhere, if late.",
            "A run that never arrives, or diverges, takes infinitely many steps on the left and is censored at the budget on the right. The profile "
            "depends on who else is in the study.",
        ),
        gallery.exhibit(
            "ranking-tuning", "What tuning is worth", lambda: ranking_figures.tuning_gain(ranking),
            "Share of runs at the target when all train at one rate, against that when each has its own.",
            "Far above the line: an initializer that needs its own rate. On the line: one that does not care.",
            "The fixed rate is declared in analysis.fixed_rate; equal budgets of tuning for all.",
        ),
    ]  # fmt: skip
    yield Section(
        "ranking", "Who wins overall?",
        f"All initializers over all cells of the main grid, against the declared baseline, {baseline}.",
        exhibits,
    )


def _regularization(found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the section on batch normalization and dropout."""
    exhibits: list[Exhibit | Omission] = []
    factors = [f for f in comparisons.SETTING if f != "batch_norm"]
    chosen = comparisons.at_best_rate(found["judged_runs"], found["all_summary"])
    chosen = chosen[(chosen["pretraining"] == "none") & (chosen["dropout"] == 0)]
    kinds = chosen.groupby([*factors, "initializer"])["batch_norm"].transform("nunique")
    both = chosen[kinds == 2]
    for depth in sorted(chosen.loc[chosen["batch_norm"], "depth"].unique()):
        exhibits.append(gallery.exhibit(
            f"regularization-norm-{depth}", f"With and without batch normalization, {depth} layers",
            lambda depth=depth: ranking_figures.normalization(both[both["depth"] == depth]),
            "Test accuracy of every judged run at its arm's chosen rate: hollow without batch normalization, filled with it.",
            "If filled marks stand in one column, normalization has made the initialization matter less.",
            "Batch normalization lies between weights and activation; the initializer draws the weights all the same.",
        ))  # fmt: skip
    dropped = found["judged_runs"][found["judged_runs"]["dropout"] > 0]
    if len(dropped):
        same = dropped[["dataset", "activation", "depth", "initializer"]].drop_duplicates()
        runs = found["judged_runs"].merge(same)
        exhibits.append(gallery.exhibit(
            "regularization-dropout", "Can dropout break the symmetry?",
            lambda: ranking_figures.dropout_symmetry(found["all_layers"], runs),
            "Distinct units of the hidden layers as a share of all, over the steps, with and without dropout; mean over runs and layers.",
            "A line that leaves the bottom is a symmetry that broke: units that were dropped at different steps are no longer alike.",
            "Equality is exact, in float32.",
        ))  # fmt: skip
    title = "Do batch normalization and dropout change the picture?"
    yield Section(
        "regularization", title, "In passing, as in the tutorial: arms beside the main grid, each against its twin without.",
        exhibits or [Omission(title, "no network has batch normalization or dropout")],
    )  # fmt: skip


def _classification(study: Study, found: dict[str, pd.DataFrame], gallery: Gallery) -> Iterator[Section]:
    """Yield the sections of a study of classifiers."""
    runs, curves, layers, summary = (found[name] for name in ("runs", "curves", "layers", "summary"))
    replicates, examples = runs["replicate"].nunique(), study.settings["measure"]["probe_examples"]
    over = f"over {findings.count(replicates, 'replicate')}"

    def each_setting(kind: str, title: str, draw: Callable[..., Drawn], *caption: str) -> list[Exhibit | Omission]:
        return gallery.each(findings.SETTING, runs, (summary,), kind, title, draw, *caption)

    yield Section(
        "phase", "Where in the phase diagram does training work?",
        "Every point is a variance of the weights and one of the biases. Left of the solid line signals from different inputs flow "
        "together (order), right of it neighbours are torn apart (chaos); on it, depth costs nothing.",
        each_setting(
            "phase", "Test accuracy over (σ_w², σ_b²)",
            lambda r, s: figures.phase_diagram(s, found["phase"], found["depth_limits"]),
            f"Median test accuracy {over} at each point's chosen rate. Solid line: χ₁ = 1, critical in wide networks. "
            "Dashed: where the theory's limit of 6/|log χ₁| layers equals the panel's depth; dotted: other limits, in layers.",
            "If the theory holds, the bright region follows the solid line and narrows with depth to what lies between the dashed ones. "
            "Markers show where named initializers lie.",
            "Schoenholz et al. 2017, figure 5, on other data and at a smaller width. Biases beyond the named schemes' 0 exist "
            "on the diagram alone.",
        ),
    )  # fmt: skip
    if len(found["phase"]) and len(found["depth_limits"]):  # no theory with batch normalization alone
        # Lines and maps by name are for the named initializers: a diagram's points would drown them.
        named = ~runs["initializer"].isin(list(catalog.diagram_points(runs["initializer"].unique())))
        if named.any():
            runs, summary = runs[named], summary[summary["initializer"].isin(runs.loc[named, "initializer"])]

    def deepest(frame: pd.DataFrame) -> int:
        return int(frame["depth"].max())

    def shallowest(frame: pd.DataFrame) -> int:
        return int(frame["depth"].min())

    yield Section(
        "trainability", "Where does training work?",
        "Each cell is one initializer at one depth, at the learning rate that served it best on validation.",
        each_setting(
            "trainability", "Test accuracy by initializer and depth",
            lambda r, s: figures.trainability(s, found["not_applicable"]),
            f"Median test accuracy in per cent {over}, at the learning rate with the best median validation accuracy.",
            "✓: every replicate reached the target on validation; (2/5): two of five did; no mark: none did. "
            "Read along a row: where it turns dark, that initialization has run out of depth.",
            "A diverged run counts as 0. Rates are chosen on validation, and ✓ is read there too; accuracy is reported on test, with the "
            "same replicates.",
        ),
    )  # fmt: skip
    yield from _ranking(study, found, gallery)
    yield Section(
        "convergence", "How fast does it train?",
        "The same runs, step by step. A network that never leaves the floor has not started to learn.",
        [
            *each_setting(
                "convergence", "Validation accuracy against step",
                lambda r, s: figures.convergence(curves, r, s, "validation_accuracy"),
                f"Median validation accuracy {over} at each initializer's chosen rate; thin lines are single runs.",
                "The further left a line rises, the fewer updates that initialization needs. Rows are depths: the field thins out downwards.",
                "Evaluated at log-spaced steps; step 0 is the untrained network. A diverged run counts as 0 from then on.",
            ),
            *each_setting(
                "loss", "Training loss against step",
                lambda r, s: figures.convergence(curves, r, s, "train_loss", has_single_runs=False),
                f"Median cross-entropy in nats on a fixed sample of training examples {over}, at each initializer's chosen rate.",
                "A flat line at log(classes) is a network that has learned nothing but the class frequencies.",
                "Losses beyond 30 nats run off the panel. A diverged run counts as infinite from then on.",
            ),
        ],
    )  # fmt: skip
    yield Section(
        "signals", "Does the signal arrive?",
        "Before any training: the variance of the activations, layer by layer, in the deepest networks of the grid.",
        each_setting(
            "signals", "Variance of activations by layer at initialization",
            lambda r, s: figures.signal(layers, r, "h_variance", deepest(r), found["theory"]),
            f"Variance of h over {examples} training examples and all units of a layer, geometric mean {over}; log scale.",
            "A straight falling line is a signal that shrinks by the same factor in every layer (vanishing); a level one is kept; "
            "tanh and sigmoid bound the variance from above, so large weights show there as saturation instead (below).",
            "Values outside 10⁻²⁴ to 10¹² are drawn at that edge; so are exact zeros. Dotted: what the theory of infinitely wide networks expects; "
            "shaded: within this, a mean over networks of this width and number agrees with it.",
        ),
    )  # fmt: skip
    yield Section(
        "gradients", "Does the gradient return?",
        "The same networks, read from right to left: what is left of the error when it reaches the first layer?",
        [
            *each_setting(
                "gradients", "Variance of the back-propagated gradient by layer at initialization",
                lambda r, s: figures.signal(layers, r, "delta_variance", deepest(r), found["theory"]),
                f"Variance of ∂ℓ/∂z, the gradient of one example's loss by a layer's pre-activations, geometric mean {over}.",
                "A signal can keep its variance on the way up and the gradient still vanish on the way down: compare sigmoid here and above.",
                "Layer 1 is next to the inputs, the last layer is the output. Edges as above. Dotted: the theory of infinitely wide networks, "
                "begun at the output layer's measured value.",
            ),
            *each_setting(
                "weight-gradients", "Variance of the weights' gradient by layer at initialization",
                lambda r, s: figures.signal(layers, r, "gradient_variance", deepest(r)),
                f"Variance of ∂L/∂W over the weights of a layer, L being the mean loss of the probe batch; geometric mean {over}.",
                "This is what moves the weights. It mixes the signal from below with the gradient from above, so it can look level "
                "while both change (Glorot & Bengio 2010).",
                "Edges as above.",
            ),
        ],
    )  # fmt: skip
    yield Section(
        "angles", "Do two inputs stay apart?",
        "A network can tell two examples apart only as long as their signals differ. At 1 they have become the same direction.",
        each_setting(
            "angles", "Correlation of two inputs by layer at initialization",
            lambda r, s: figures.correlation(layers, r, deepest(r), found["theory"]),
            f"Mean cosine of the pre-activations of two different examples, over {examples // 2} pairs and all replicates.",
            "Ordered networks pull inputs together until nothing is left to learn from; chaotic ones push neighbours apart. "
            "Biases and activations with a mean other than 0 pull, too (sigmoid, ReLU).",
            "Not centred: the quantity c of the correlation map (Poole et al. 2016). Dotted: the map, begun at the mean cosine of the inputs.",
        ),
    )  # fmt: skip
    yield Section(
        "saturation", "Do units saturate or die?",
        "Large weights push tanh and sigmoid into their tails, where the slope is nearly zero; a ReLU unit can be off for every example.",
        each_setting(
            "saturation", "Saturated and dead share by layer at initialization",
            lambda r, s: figures.saturation(layers, r, deepest(r)),
            f"Share of activations beyond ±0.97 (tanh), or outside 0.03 to 0.97 (sigmoid); for ReLU the share of units with zero slope "
            f"on every probe example. Mean {over}.",
            "A high line is a layer in which most units pass hardly any gradient. Whether such a network trains all the same is a question "
            "for the map above, not for this figure.",
            "Activations that neither saturate nor die stay at 0.",
        ),
    )  # fmt: skip
    yield Section(
        "state", "What do untrained networks do to their inputs, and updates to weights?",
        "Three more looks at the same networks: how strongly outputs depend on inputs, how much that varies from draw to draw, and how large "
        "the steps of training are.",
        [
            *each_setting(
                "jacobians", "Singular values of the Jacobian at initialization",
                lambda r, s: state_figures.jacobians(found["jacobians"], r),
                f"Median and quartiles of the singular values of ∂logits/∂inputs over 8 training examples, median {over}; log scale.",
                "On the dashed line small changes of an input arrive as they are. Long bars: some directions explode while others vanish.",
                "Not for networks with batch normalization, in which no example has a Jacobian of its own. Edges as in the section on signals.",
            ),
            *each_setting(
                "spread", "How much lengths vary from draw to draw",
                lambda r, s: state_figures.length_spread(s),
                f"Standard deviation {over} of log mean z² in the last hidden layer, before training.",
                "A line that rises with depth is an initialization whose networks differ more and more from one another: the mean of the "
                "theory is then no typical network.",
                "The second failure of Hanin & Rolnick 2018. Bounded activations cannot fluctuate so.",
            ),
            *each_setting(
                "updates", "Size of updates relative to weights",
                lambda r, s: state_figures.update_ratio(layers, r, s, deepest(r)),
                f"‖ΔW‖/‖W‖ of the next update, median over hidden layers and {findings.count(replicates, 'replicate')}, at each initializer's "
                "chosen rate, in the deepest networks.",
                "Far below the dashed line (10⁻³, a rule of thumb) layers hardly move; far above it they are overwritten.",
                "Zero weights that move have an infinite ratio, drawn at the upper edge; what does not move is at the lower one.",
            ),
        ],
    )  # fmt: skip
    yield Section(
        "learning-rate", "How much does the learning rate matter?",
        "An initialization that trains at one rate alone is a fragile one. Every initializer had the same rates to choose from.",
        each_setting(
            "learning-rate", "Validation accuracy against learning rate",
            lambda r, s: figures.learning_rate(s),
            f"Median validation accuracy at the end {over}; the ring marks the chosen rate.",
            "Wide plateaus are forgiving; a ring on the edge of the grid says that a better rate may lie outside.",
            "A diverged run counts as 0.",
        ),
    )  # fmt: skip
    yield Section(
        "symmetry", "Is the symmetry broken?",
        "Two units that start with the same weights get the same gradient and stay the same unit, for ever.",
        each_setting(
            "symmetry", "Distinct units over the steps",
            lambda r, s: figures.symmetry(layers, r, shallowest(r)),
            "Units of the hidden layers that differ from one another, bit for bit, in their incoming weights or bias, as a share of the "
            f"layer's units, in the shallowest networks. Mean over all hidden layers, learning rates and {findings.count(replicates, 'replicate')}.",
            "Zero and constant weights start with one distinct unit a layer. A line that stays at the bottom is a wide network that works "
            "as if it had one unit a layer; any random weights start at the top.",
            "Equality is exact, in float32.",
        ),
    )  # fmt: skip
    yield from _pretraining(
        found, gallery, found["judged_runs"], found["all_summary"], found["all_curves"], found["all_layers"]
    )
    yield from _regularization(found, gallery)
    yield Section(
        "histograms", "How are the values distributed?",
        "The deepest networks before training, layer by layer: brighter is more common.",
        [
            shown
            for quantity, what in (("h_count", "activations"), ("delta_count", "gradients ∂ℓ/∂z"))
            for shown in each_setting(
                f"histograms-{what.split()[0]}", f"Distribution of {what} by layer at initialization",
                lambda r, s, quantity=quantity: figures.histograms(found["histograms"], r, quantity, deepest(r)),
                f"Counts of {what} over units and {examples} examples, all of {findings.count(replicates, 'replicate')} together.",
                "Two bright columns apart are saturated units; one bright column at 0 with faint tails is a layer where few units speak.",
                "Each layer in units of its own root mean square, so that shapes can be compared where sizes vanish.",
            )
        ],
    )  # fmt: skip
    yield Section(
        "replay", "The tutorial's own experiment",
        "100 normal inputs through five tanh layers of 50 units: small weights, large weights, and the 1/n rule.",
        [
            gallery.exhibit(
                "replay", "Histograms of activations in five tanh layers", lambda: figures.replay(found["replay"]),
                "Distribution of the activations of each layer over 400 draws of inputs and weights.",
                "σ = 0.01: the activations collapse onto 0, layer by layer. σ = 1: they pile up at ±1. σ = 1/√n: they stay spread out, "
                "shrinking slowly.",
                "“std” is the standard deviation over a layer's units, averaged over the draws.",
            )
        ],
    )  # fmt: skip


def number(value: float) -> str:
    """Return a number of three digits as a table shows it; a dash for one that is missing."""
    if value != value:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.3g}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}·10".replace("-", "−") + str(int(exponent)).translate(
        str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    )


def _standalone(text: str) -> str:
    """Return an SVG file of its own: with a white ground, because its ink is dark."""
    text = text.replace("<svg ", '<svg style="background:#fff" ', 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'


def recommendation(summary: pd.DataFrame) -> list[dict[str, object]]:
    """Return, for every setting, activation and depth, the initializer that did best, and its equals.

    Best is the highest success rate, then the highest median test accuracy. Its equals are those whose Wilson interval
    of success and range of test accuracy over the replicates both overlap its own: too few replicates to tell them apart.
    """
    order = list(catalog.ACTIVATIONS)
    best = summary[summary["is_best_rate"]].sort_values(
        [*findings.SETTING, "activation", "depth"],
        key=lambda column: column.map(order.index) if column.name == "activation" else column,
    )
    rows = []
    for key, cells in best.groupby([*findings.SETTING, "activation", "depth"], sort=False):
        *setting, activation, depth = key
        place = {"setting": findings.setting_name(best, *setting), "activation": activation, "depth": depth}
        cells = cells.sort_values(["success_rate", "test_accuracy"], ascending=False)
        first = cells.iloc[0]
        if first["success_rate"] == 0:
            rows.append(place | {"first": None, "equals": [], "of": len(cells)})
            continue
        alike = (cells["test_accuracy_high"] >= first["test_accuracy_low"]) & (
            cells["success_high"] >= first["success_low"]
        )
        equals = cells[alike].iloc[1:]
        rows.append(
            place | {"first": first, "equals": [catalog.label(i) for i in equals["initializer"]], "of": len(cells)}
        )
    return rows


FARTHEST = 10  # comparisons with the theory that are shown even where all agree


def departures(agreement: pd.DataFrame) -> list[dict[str, object]]:
    """Return the comparisons with the theory that disagree, and of the others those nearest to it; the farthest first.

    `share` is the departure as a part of what would still agree, on a log scale.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        departure = np.log(agreement["measured"] / agreement["predicted"])
        edge = np.where(departure > 0, agreement["high"], agreement["low"]) / agreement["predicted"]
        share = (departure / np.log(edge)).fillna(0.0)
    ranked = agreement.assign(share=share).sort_values("share", ascending=False, kind="stable")
    ranked = ranked[~ranked["agrees"] | (np.arange(len(ranked)) < FARTHEST)]
    rows = ranked.to_dict("records")
    for row in rows:
        if row["agrees"]:
            row["reason"] = (
                f"within what this width does: single networks spread by a factor of {np.exp(row['spread']):.2g}"
            )
    return rows


def ratio_range(agreement: pd.DataFrame) -> tuple[float, float, float] | None:
    """Return the 5th, 50th and 95th percentile of measured/predicted; None where there is nothing to compare."""
    ratio = (agreement["measured"] / agreement["predicted"]).dropna()
    return tuple(ratio.quantile([0.05, 0.5, 0.95])) if len(ratio) else None


def initial(found: dict[str, pd.DataFrame]) -> list[dict[str, object]]:
    """Return what the deepest untrained networks are like, by setting, activation and initializer.

    Initial weights do not depend on the learning rate, so the smallest stands for all. The spread that theory expects is
    missing where there is no theory.
    """
    runs, summary = found["runs"], found["summary"]
    first = runs["learning_rate"] == runs["learning_rate"].min()
    deep = runs["depth"] == runs["depth"].max()
    keys = [*findings.SETTING, "activation", "depth", "initializer"]
    chosen = runs.loc[first & deep, ["run_id", *keys]]
    layers = found["layers"][found["layers"]["step"] == 0].merge(chosen, on="run_id")
    last = (
        layers[layers["layer"] == layers["depth"]]
        .groupby(keys)[["correlation", "activation_rank", "weight_rank"]]
        .mean()
    )
    jacobians = found["jacobians"][found["jacobians"]["step"] == 0].merge(chosen, on="run_id").groupby(keys)
    values = jacobians[["lower_quartile", "median", "upper_quartile", "mean"]].median()
    theory = found["theory"].set_index(["dataset", "activation", "depth", "width", "initializer", "layer"])["z_spread"]
    rows = []
    for _, row in (
        summary[summary["learning_rate"] == runs["learning_rate"].min()]
        .merge(chosen[keys].drop_duplicates())
        .iterrows()
    ):
        key = tuple(row[keys])
        place = *(row[name] for name in ("dataset", "activation", "depth", "width", "initializer")), row["depth"]
        facts = {name: last.at[key, name] if key in last.index else float("nan") for name in last.columns}
        facts |= {f"jacobian_{name}": values.at[key, name] if key in values.index else float("nan") for name in values}
        facts |= {
            "setting": findings.setting_name(summary, *(row[name] for name in findings.SETTING)),
            "activation": row["activation"],
            "initializer": row["initializer"],
            "loss": row["initial_loss"] / np.log(catalog.DATASETS[row["dataset"]].classes),
            "spread": row["log_length_spread"],
            "expected_spread": theory.get(place, float("nan")) if not row["batch_norm"] else float("nan"),
        }
        rows.append(facts)
    activations = list(catalog.ACTIVATIONS)
    order = {name: i for i, name in enumerate(catalog.in_order(summary["initializer"]))}
    return sorted(rows, key=lambda r: (r["setting"], activations.index(r["activation"]), order[r["initializer"]]))


def effects(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of the page's table of pretraining: every method against everything it is compared with."""
    rows = []
    order = ["same start", "trained longer", "small weights", "best scaled", "moments", "shuffled"]
    methods = table[~table["pretraining"].str.contains("+", regex=False)]
    factors = [*comparisons.SETTING, "initializer", "pretraining"]
    for key, cells in methods.groupby(factors, sort=False):
        facts = dict(zip(factors, key, strict=True))
        of = cells.set_index("compared_with")
        rows.append(
            facts
            | {
                "setting": findings.setting_name(table, **{f: facts[f] for f in PRETRAINED_SETTING}, pretraining=""),
                "cells": [of.loc[name].to_dict() | {"compared_with": name} if name in of.index else None for name in order],
            }
        )
    activations = list(catalog.ACTIVATIONS)
    return sorted(rows, key=lambda r: (r["setting"], activations.index(r["activation"]), r["depth"]))


def reconstructions(summary: pd.DataFrame) -> list[dict[str, object]]:
    """Return the arms of a study of deep autoencoders, best first, by setting."""
    best = summary[summary["is_best_rate"]].sort_values([*PRETRAINED_SETTING, "test_loss"])
    return [
        row | {"setting": findings.setting_name(best, **{f: row[f] for f in PRETRAINED_SETTING}, pretraining="")}
        for row in best.to_dict("records")
    ]


def rankings(ranking: pd.DataFrame) -> list[tuple[str, float, list[dict[str, object]]]]:
    """Return the page's tables of the ranking: view, its rate, rows in their order."""
    return [(view, rows["rate"].iloc[0], rows.to_dict("records")) for view, rows in ranking.groupby("view", sort=False)]


def outcomes(runs: pd.DataFrame) -> list[dict[str, object]]:
    """Return how the runs of each initializer ended, over all learning rates, and where those that diverged did so first."""
    rows = []
    for name in catalog.in_order(runs["initializer"]):
        mine = runs[runs["initializer"] == name]
        lost = mine[mine["status"] == "diverged"]
        row = {"label": catalog.label(name), "runs": len(mine)}
        row |= {s: int((mine["status"] == s).sum()) for s in catalog.STATUSES}
        row["where"] = (
            "" if lost.empty else f"{lost['diverged_step'].median():.0f} / {lost['diverged_layer'].median():.0f}"
        )
        rows.append(row)
    return rows


SHOWN_ARMS = 2_000  # rows of the page's table of runs
SHOWN_FAILURES = 200


def _ordered(frame: pd.DataFrame, leading: list[str]) -> pd.DataFrame:
    """Return a frame of arms in the catalogue's order, by these columns first, with the name of each setting."""
    settings = frame[PRETRAINED_SETTING].drop_duplicates()
    names = {
        tuple(key): findings.setting_name(frame, **dict(zip(PRETRAINED_SETTING, key, strict=True)), pretraining="")
        for key in settings.itertuples(index=False)
    }
    names = {key: re.sub(", no (normalization|dropout)", "", name) for key, name in names.items()}  # rows are narrow
    frame = frame.assign(setting=[names[key] for key in frame[PRETRAINED_SETTING].itertuples(index=False, name=None)])
    ranks = {
        "activation": list(catalog.ACTIVATIONS),
        "initializer": catalog.in_order(frame["initializer"]),
        "pretraining": catalog.pretrainings_in_order(frame["pretraining"]),
        "status": list(catalog.STATUSES),
    }
    ranks = {column: {name: i for i, name in enumerate(names)} for column, names in ranks.items()}
    return frame.sort_values(
        [*leading, *PRETRAINED_SETTING, "activation", "depth", "initializer", "pretraining"],
        key=lambda column: column.map(ranks[column.name]) if column.name in ranks else column,
        kind="stable",
    )


def arms(summary: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of the page's table of runs: every arm at its chosen learning rate, in the catalogue's order."""
    return _ordered(summary[summary["is_best_rate"]], []).head(SHOWN_ARMS).to_dict("records")


def failures(runs: pd.DataFrame) -> tuple[list[dict[str, object]], int]:
    """Return which arms had runs that diverged or got stuck, over all learning rates, and how many such rows there are.

    Args:
        runs: the table.

    Returns:
        The rows of at most `SHOWN_FAILURES` arms and statuses, most runs first; the number of all.
    """
    keys = [*PRETRAINED_SETTING, "activation", "depth", "initializer", "pretraining"]
    lost = runs[runs["status"].isin(["diverged", "stuck"])]
    if lost.empty:
        return [], 0
    rows = lost.groupby(["status", *keys], as_index=False).agg(
        lost=("run_id", "size"), lowest_rate=("learning_rate", "min"), highest_rate=("learning_rate", "max"),
        step=("diverged_step", "median"), layer=("diverged_layer", "median"),
    )  # fmt: skip
    rows = rows.merge(runs.groupby(keys, as_index=False).agg(runs=("run_id", "size")))
    rows[["step", "layer"]] = rows[["step", "layer"]].astype("float64")
    rows["order"] = -rows["lost"]
    return _ordered(rows, ["status", "order"]).head(SHOWN_FAILURES).to_dict("records"), len(rows)


def facets(rows: list[dict[str, object]]) -> list[str]:
    """Return the factors that tell the rows of the table of runs apart."""
    names = ["setting", "activation", "depth", "initializer", "pretraining"]
    return [name for name in names if len({row[name] for row in rows}) > 1]


def _script(name: str) -> Markup:
    return Markup((Path(__file__).parent / "templates" / name).read_text())


def _allowed(scripts: list[str]) -> str:
    """Return the sources of scripts for the page's security policy: these texts, by their hashes, and no others."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return " ".join(f"'sha256-{value}'" for value in hashes)


def write(study: Study, folder: Path, page: Path) -> None:
    """Write the page of a study, and its figures and their data beside it.

    Args:
        study: the study.
        folder: where its tables lie.
        page: the HTML file to write.

    Raises:
        ValueError: a table is missing.
    """
    found = {name: tables.read(folder, name) for name in tables.TABLES}
    found = main_grid(study, found)
    provenance = json.loads((folder / "provenance.json").read_text())
    runs = found["all_runs"]
    environment = Environment(
        loader=PackageLoader("winit"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": findings.percent,
        "label": catalog.label,
        "phi": lambda name: catalog.ACTIVATIONS[name].label,
        "pretraining": catalog.pretraining_label,
        "points": lambda value: "–" if value != value else f"{100 * value:+.1f}".replace("-", "−"),
        "number": number,
        "steps": lambda value: f"{value:g}" if np.isfinite(value) else number(value),
        "swatch": interactive.swatch,
        "packed": interactive.packed,
        "in_script": in_script,
        "json_in_script": json_in_script,
    }
    settings = study.settings
    script = _script("report.js")
    explorer = interactive.explorer(found)
    lost, all_lost = failures(runs)
    best = arms(found["all_summary"])
    drawn = list(_sections(study, found, page.parent / "figures"))
    sections = [section for section in drawn if section.exhibits]
    ledger = found["claims"].to_dict("records")
    schemes = {catalog.parse_initializer(i).name for i in runs["initializer"].unique()}
    lessons = chapters.of_study(schemes, bool((runs["pretraining"] != "none").any()))
    html = environment.get_template("report.html").render(
        study=study,
        settings=settings,
        runs=len(runs),
        statuses=[(s, text, int((runs["status"] == s).sum())) for s, text in catalog.STATUSES.items()],
        findings=findings.headlines(found),
        of_section=lambda section: findings.of_section(section, found),
        sections=sections,
        section_ids={section.id for section in sections},
        left_out=[section for section in drawn if not section.exhibits],
        claims=ledger,
        chapters=[(lesson, [c for c in ledger if c["claim"] in lesson.claims]) for lesson in lessons],
        glossary=sorted(chapters.GLOSSARY.items()),
        bibliography=(Path(__file__).parent / "templates" / "references.bib").read_text(),
        rankings=rankings(found["ranking"]),
        recommendation=[] if len(found["baselines"]) else recommendation(found["summary"]),
        outcomes=outcomes(runs),
        arms=best,
        facets=facets(best),
        all_arms=int(found["all_summary"]["is_best_rate"].sum()),
        failures=lost,
        all_failures=all_lost,
        explorer=explorer,
        script=script,
        script_sources=_allowed([script, explorer.bundle] if explorer else [script]),
        notices=(Path(__file__).parent / "templates" / "licences.txt").read_text() if explorer else "",
        ink={variable[4:-1]: colour for colour, variable in THEME.items()},
        effects=effects(found["pretraining_effects"]),
        baselines=found["baselines"].to_dict("records"),
        reconstructions=reconstructions(found["all_summary"]) if len(found["baselines"]) else [],
        initial=[] if len(found["baselines"]) else initial(found),
        deepest=int(found["runs"]["depth"].max()),
        compared=len(found["agreement"]),
        agreeing=int(found["agreement"]["agrees"].sum()),
        departures=departures(found["agreement"]),
        ratio_range=ratio_range(found["agreement"]),
        depth_limits=found["depth_limits"].to_dict("records"),
        not_applicable=found["not_applicable"].to_dict("records"),
        cards=[(card, cards.lines(card)) for card in map(cards.card, catalog.in_order(study.initializers))],
        other_cards=[(card, cards.lines(card)) for card in cards.catalogue() if card.name not in study.initializers],
        activations=[(name, catalog.ACTIVATIONS[name]) for name in study.activations],
        datasets=[(name, catalog.DATASETS[name], p) for name, p in settings["dataset"].items()],
        curve_steps=log_spaced(settings["training"]["steps"], settings["measure"]["curve_points"]),
        layer_steps=log_spaced(settings["training"]["steps"], settings["measure"]["layer_points"]),
        machines=sorted(set(runs["device"] + ", " + runs["engine"] + " engine")),
        scaling=catalog.SCALINGS[settings["data"]["scaling"]],
        schedule=catalog.SCHEDULES[settings["training"]["schedule"]],
        provenance=provenance,
        frozen=dump(study),
    )
    tables.write_bytes(page, html.encode())
