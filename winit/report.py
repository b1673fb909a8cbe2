"""The page of a study: tables and figures in, one self-contained HTML file out.

The page needs no network and no script. Figures are inline SVG whose colours follow the reader's light or dark theme;
each is also written beside the page, with the data it draws.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winit import cards, catalog, figures, findings, tables
from winit.figures import Drawn
from winit.study import Study, dump, log_spaced

# The figures' stand-in colours, and the variables of the page that replace them.
THEME = {figures.FOREGROUND: "var(--fg)", figures.MUTED: "var(--muted)", figures.GRID: "var(--grid)"}


@dataclass(frozen=True)
class Exhibit:
    """A figure on the page: its id, title, caption in three parts, and the drawing."""

    id: str
    title: str
    shows: str
    see: str
    basis: str
    svg: Markup
    rows: int


@dataclass(frozen=True)
class Section:
    """A part of the page: a question, and the figures that answer it."""

    id: str
    title: str
    lead: str
    exhibits: list[Exhibit]


def svg(drawn: Drawn, name: str, title: str) -> str:
    """Return the figure as SVG text: the same bytes for the same data, ids that cannot clash, a title for screen readers."""
    buffer = io.StringIO()
    # Ids are hashes with this salt, so two figures on one page share none; a fixed date keeps the bytes fixed.
    with figures.style(), mpl.rc_context({"svg.hashsalt": name}):
        drawn.figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)([^")]+)', rf"\g<1>{name}-\g<2>", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)  # a hundredth of a point is finer than any screen, and halves the file
    # As wide as drawn, and no wider: text keeps its size from figure to figure.
    size = r'width="([\d.]+)pt" height="[\d.]+pt"'
    text = re.sub(size, lambda m: f'width="{1.45 * float(m[1]):.0f}"', text.replace("\n", " "), count=1)
    escaped = str(Markup.escape(title))
    return re.sub(r"(<svg [^>]*>)", rf'\g<1><title id="{name}-title">{escaped}</title>', text, count=1)


def _page_svg(text: str, name: str) -> Markup:
    for colour, variable in THEME.items():
        text = text.replace(colour, variable)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-title" ', 1))


def _sections(study: Study, found: dict[str, pd.DataFrame], folder: Path) -> Iterator[Section]:
    """Draw every figure of the study; write each beside the page; yield the page's sections."""
    runs, curves, layers, summary = (found[name] for name in ("runs", "curves", "layers", "summary"))
    replicates, examples = runs["replicate"].nunique(), study.settings["measure"]["probe_examples"]
    over = f"over {findings.count(replicates, 'replicate')}"
    settings = list(runs[findings.SETTING].drop_duplicates().itertuples(index=False))

    def exhibit(name: str, title: str, drawn: Drawn, shows: str, see: str, basis: str) -> Exhibit:
        text = svg(drawn, name, title)
        tables.write_bytes(folder / f"{name}.svg", _standalone(text).encode())
        tables.write_bytes(folder / f"{name}.csv", drawn.data.to_csv(index=False).encode())
        return Exhibit(name, title, shows, see, basis, _page_svg(text, name), len(drawn.data))

    def each_setting(kind: str, title: str, draw, shows: str, see: str, basis: str) -> list[Exhibit]:
        exhibits = []
        for setting in settings:
            mine = [f[(f[list(setting._fields)] == list(setting)).all(axis=1)] for f in (runs, summary)]
            part = findings.setting_name(runs, *setting)
            name = "-".join([kind, *re.sub(r"[^a-z0-9]+", " ", part.lower()).split()])
            with figures.style():
                drawn = draw(*mine)
            exhibits.append(exhibit(name, f"{title}: {part}", drawn, shows, see, basis))
        return exhibits

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
                lambda r, s: figures.convergence(curves, r, s, "train_loss"),
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
            "Values outside 10⁻²⁴ to 10¹² are drawn at that edge; so are exact zeros. Dotted: what the theory of infinitely wide networks expects.",
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
    if runs["learning_rate"].nunique() > 1:
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
    if "replay" in found:
        with figures.style():
            drawn = figures.replay(found["replay"])
        yield Section(
            "replay", "The tutorial's own experiment",
            "100 normal inputs through five tanh layers of 50 units: small weights, large weights, and the 1/n rule.",
            [
                exhibit(
                    "replay", "Histograms of activations in five tanh layers", drawn,
                    "Distribution of the activations of each layer over 400 draws of inputs and weights.",
                    "σ = 0.01: the activations collapse onto 0, layer by layer. σ = 1: they pile up at ±1. σ = 1/√n: they stay spread out, "
                    "shrinking slowly.",
                    "“std” is the standard deviation over a layer's units, averaged over the draws.",
                )
            ],
        )  # fmt: skip


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
    provenance = json.loads((folder / "provenance.json").read_text())
    runs = found["runs"]
    environment = Environment(
        loader=PackageLoader("winit"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": findings.percent, "label": catalog.label}
    settings = study.settings
    html = environment.get_template("report.html").render(
        study=study,
        settings=settings,
        runs=len(runs),
        statuses=[(s, text, int((runs["status"] == s).sum())) for s, text in catalog.STATUSES.items()],
        findings=findings.headlines(found),
        of_section=lambda section: findings.of_section(section, found),
        sections=list(_sections(study, found, page.parent / "figures")),
        recommendation=recommendation(found["summary"]),
        outcomes=outcomes(runs),
        not_applicable=found["not_applicable"].to_dict("records"),
        cards=[(card, cards.lines(card)) for card in map(cards.card, catalog.in_order(study.initializers))],
        other_cards=[(card, cards.lines(card)) for card in cards.catalogue() if card.name not in study.initializers],
        activations=[(name, catalog.ACTIVATIONS[name]) for name in study.activations],
        datasets=[(name, catalog.DATASETS[name], p) for name, p in settings["dataset"].items()],
        curve_steps=log_spaced(settings["training"]["steps"], settings["measure"]["curve_points"]),
        layer_steps=log_spaced(settings["training"]["steps"], settings["measure"]["layer_points"]),
        machines=sorted(set(runs["device"] + ", " + runs["engine"] + " engine")),
        schedule=catalog.SCHEDULES[settings["training"]["schedule"]],
        provenance=provenance,
        frozen=dump(study),
    )
    tables.write_bytes(page, html.encode())
