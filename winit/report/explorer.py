"""Interactive charts of the page: aggregated data, Vega-Lite specifications written by Altair, and Vega.

The extra `interactive` installs Altair and vl-convert. Without them the page has no interactive charts but is otherwise
complete. Data are aggregated over replicates and chosen rates, so their size grows with the number of arms, not of runs.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from markupsafe import Markup

from winit import schemes
from winit.analysis.select import Tables, before_training, chosen_rates, curves_as_worst, one_rate
from winit.report.figures.style import SHOWN_RANGE, sorted_activations
from winit.report.wording import PRETRAINED_SETTING, number, setting_name
from winit.theory.activations import ACTIVATIONS

BUDGET = 1_000_000  # approximate bytes of data in the page
CAP = 30.0  # nats: larger losses, including infinite ones, are drawn at this edge
CHECKED = 8  # largest number of initializers that are all selected at first; with more, the first of every family

# In order of importance: what does not fit into the budget is dropped from the end.
METRICS = {
    "test_score": "test accuracy",
    "train_loss": "training loss",
    "test_loss": "test loss",
    "train_score": "training accuracy",
}
LAYERS = {"h_variance": ("h_variance", "Var(h)"), "delta_variance": ("delta_ratio", "Var(∂ℓ/∂z)")}
_ARM = [*PRETRAINED_SETTING, "activation", "depth", "initializer"]

# matplotlib's markers as Vega's symbols: names, or paths in a square from −1 to 1.
SHAPES = {
    "o": "circle",
    ".": "M-.5,0a.5,.5 0 1,0 1,0a.5,.5 0 1,0 -1,0z",
    "s": "square",
    "D": "diamond",
    "d": "M0,-1L.6,0L0,1L-.6,0z",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "P": "cross",
    "X": "M-1,-.5L-.5,-1L0,-.5L.5,-1L1,-.5L.5,0L1,.5L.5,1L0,.5L-.5,1L-1,.5L-.5,0z",
    "*": "M0,-1L.22,-.31L.95,-.31L.36,.12L.59,.81L0,.38L-.59,.81L-.36,.12L-.95,-.31L-.22,-.31z",
    "p": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31z",
    "h": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5z",
}


@dataclass(frozen=True)
class InitializerChoice:
    """An initializer that a reader can select, and how it is drawn.

    Attributes:
        name: as written in studies.
        label: for tables and figures.
        color: of its lines and markers.
        dashes: lengths of dashes and gaps; empty for a solid line.
        shape: its marker in Vega, a name or a path.
        is_checked: whether it is selected at first.
    """

    name: str
    label: str
    color: str
    dashes: tuple[float, ...]
    shape: str
    is_checked: bool


@dataclass(frozen=True)
class Explorer:
    """The interactive charts of a page: choices, data as CSV, specifications, code."""

    settings: list[str]
    activations: list[tuple[str, str]]  # name, label
    depths: list[int]
    initializers: list[InitializerChoice]
    metrics: dict[str, str]  # name, label
    arms: str
    curves: str
    layers: str
    specs: dict[str, object]
    cap: str  # the largest loss that is drawn
    note: str
    bundle: str

    @property
    def state(self) -> dict[str, object]:
        """What report.js needs in addition to the data."""
        return {
            "settings": self.settings,
            "activations": [name for name, _ in self.activations],
            "initializers": [{"name": choice.name, "label": choice.label} for choice in self.initializers],
            "metrics": self.metrics,
            "specs": self.specs,
        }


@cache
def bundle() -> str | None:
    """Return Vega, Vega-Lite and vega-embed as one script; None if vl-convert or Altair is not installed."""
    try:
        import altair  # noqa: F401
        import vl_convert
    except ImportError:
        return None
    # These would end the script element, or begin a comment that hides its end. The backslash has no effect in
    # JavaScript strings.
    code = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def packed(text: str) -> str:
    """Return text as base64 of gzip, about a third of the size for code and numbers. The result is deterministic."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def curves(tables: Tables, arms: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of the arms: the median over replicates at the chosen rate; diverged runs are scored as random guessing.

    Args:
        tables: the tables.
        arms: `_ARM` and `learning_rate`, with the number of the arm as `arm`.
    """
    chosen = tables["runs"][[*_ARM, "learning_rate", "run_id", "chance"]].merge(arms)[["run_id", "arm", "chance"]]
    rows = tables["curves"].astype(dict.fromkeys(METRICS, float)).merge(chosen, on="run_id")
    return curves_as_worst(rows).groupby(["arm", "step"], as_index=False)[list(METRICS)].median()


def signals(tables: Tables, arms: pd.DataFrame) -> pd.DataFrame:
    """Return the variances by layer of the untrained arms, geometric means over replicates, with those of the theory.

    Initial weights do not depend on the learning rate, so the runs at the smallest rate are used. The theory is for random
    weights without batch normalization and dropout; for δ it starts from the measured value of the output layer.
    """
    chosen = one_rate(tables["runs"]).merge(arms.drop(columns="learning_rate"))
    rows = before_training(tables["layers"][["run_id", "stage", "layer", *LAYERS]], chosen, ["arm"])
    for quantity in LAYERS:
        with np.errstate(divide="ignore"):  # a variance of 0 gives a mean of 0
            rows[quantity] = np.log(rows[quantity])
    means = rows.groupby(["arm", "layer"], as_index=False)[list(LAYERS)].mean()
    means[list(LAYERS)] = np.exp(means[list(LAYERS)])
    spoken_of = arms[~arms["batch_norm"] & (arms["pretraining"] == "none")]
    keys = ["dataset", "activation", "depth", "width", "initializer"]
    theory = spoken_of[["arm", *keys]].merge(tables["theory"][[*keys, "layer", "h_variance", "delta_ratio"]])
    theory = theory.rename(columns={"h_variance": "h_variance_theory"})
    means = means.merge(theory[["arm", "layer", "h_variance_theory", "delta_ratio"]], on=["arm", "layer"], how="left")
    top = means.loc[means.groupby("arm")["layer"].idxmax(), ["arm", "delta_variance"]].set_index("arm")[
        "delta_variance"
    ]
    means["delta_variance_theory"] = means["delta_ratio"] * means["arm"].map(top)
    return means.drop(columns="delta_ratio")


def _csv(frame: pd.DataFrame, digits: int = 4) -> str:
    return frame.to_csv(index=False, float_format=f"%.{digits}g", lineterminator="\n")


def _within(
    arms: pd.DataFrame, of_curves: pd.DataFrame, of_layers: pd.DataFrame, budget: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Return the data that fit, dropping the least important first, and a sentence about what is missing."""
    metrics, dropped = list(METRICS), []

    def size() -> int:
        return len(_csv(of_curves)) + len(_csv(of_layers))

    while size() > budget and len(metrics) > 2:
        metric = metrics.pop()
        dropped.append(METRICS[metric])
        of_curves = of_curves.drop(columns=metric)
    while (too_much := size() / budget) > 1 and arms["setting"].nunique() > 1:
        settings = arms["setting"].unique()
        kept = settings[: max(1, int(len(settings) / max(too_much, 1.1)))]
        dropped.append(f"{len(settings) - len(kept)} settings")
        arms = arms[arms["setting"].isin(kept)]
        of_curves, of_layers = (frame[frame["arm"].isin(arms["arm"])] for frame in (of_curves, of_layers))
    if not dropped:
        return arms, of_curves, of_layers, ""
    return (
        arms,
        of_curves,
        of_layers,
        f"To keep the page small, {', '.join(dropped)} are left out here. The study's tables have all of them.",
    )


def specifications(initializers: list[InitializerChoice], last_step: int) -> dict[str, object]:
    """Return the charts as Vega-Lite without data. report.js fills in the selected rows and the titles."""
    import altair as alt

    labels = [choice.label for choice in initializers]
    looks = {
        "color": alt.Color("initializer:N", legend=None).scale(
            domain=labels, range=[choice.color for choice in initializers]
        ),
        "strokeDash": alt.StrokeDash("initializer:N", legend=None).scale(
            domain=labels, range=[list(choice.dashes) or [1, 0] for choice in initializers]
        ),
    }
    shape = alt.Shape("initializer:N", legend=None).scale(
        domain=labels, range=[choice.shape for choice in initializers]
    )
    rows = alt.Data(name="rows")

    def chart(x: alt.X, x_tip: alt.Tooltip, theory: bool) -> dict[str, object]:
        y = alt.Y("value:Q", title="")
        tips = [alt.Tooltip("initializer:N"), x_tip, alt.Tooltip("value:Q", format=".4~g")]
        layers = []
        if theory:
            tips.append(alt.Tooltip("theory:Q", format=".4~g"))
            layers.append(
                alt.Chart().mark_line(style="theory", strokeDash=[5, 4], strokeWidth=1.2)
                .encode(x=x, y=alt.Y("theory:Q", title=""), detail="initializer:N").transform_filter("isValid(datum.theory)")
            )  # fmt: skip
        layers.append(alt.Chart().mark_line(strokeWidth=1.8).encode(x=x, y=y, **looks))
        points = alt.Chart().mark_point(filled=True, size=42, opacity=1)
        layers.append(points.encode(x=x, y=y, color=looks["color"], shape=shape, tooltip=tips))
        spec = alt.layer(*layers, data=rows).properties(width="container", height=300)
        return spec.to_dict(validate=True)

    ticks = [
        0,
        *(m * 10**e for e in range(9) for m in (1, 3) if m * 10**e <= last_step),
    ]  # the default ticks of Vega are linear
    step = alt.X("step:Q", title="step").scale(type="symlog", constant=1).axis(values=ticks, format="d")
    layer = alt.X("layer:Q", title="layer").axis(tickMinStep=1, format="d").scale(zero=False, nice=False)
    return {
        "curves": chart(step, alt.Tooltip("step:Q", format="d"), theory=False),
        "signals": chart(layer, alt.Tooltip("layer:Q", format="d"), theory=True),
    }


def explorer(tables: Tables, is_reconstruction: bool = False, budget: int = BUDGET) -> Explorer | None:
    """Return the interactive charts of a study's page; None if libraries are missing or there is nothing to show.

    Args:
        tables: the tables, of the main grid.
        is_reconstruction: whether scores are shares of explained error, and losses squared errors.
        budget: approximate limit on the bytes of data.
    """
    arms = _arms(tables["summary"])
    code = bundle()
    if code is None or arms.empty:
        return None
    of_curves, of_layers = curves(tables, arms[[*_ARM, "learning_rate", "arm"]]), signals(tables, arms)
    losses = [metric for metric in METRICS if "loss" in metric]
    highest = of_curves[losses].where(np.isfinite(of_curves[losses])).max().max()
    cap = float(highest) if is_reconstruction and np.isfinite(highest) else CAP
    of_curves[losses] = of_curves[losses].clip(upper=cap)
    variances = [f"{quantity}{suffix}" for quantity in LAYERS for suffix in ("", "_theory")]
    of_layers[variances] = of_layers[variances].clip(*SHOWN_RANGE)
    arms, of_curves, of_layers, note = _within(arms, of_curves, of_layers, budget)

    settings, activations = list(arms["setting"].unique()), sorted_activations(arms["activation"])
    initializers = _choices(schemes.in_order(arms["initializer"]))
    metrics = {name: text for name, text in METRICS.items() if name in of_curves}
    if is_reconstruction:
        metrics = {name: text.replace("accuracy", "share of error explained") for name, text in metrics.items()}
    return Explorer(
        settings=settings,
        activations=[(name, ACTIVATIONS[name].label) for name in activations],
        depths=sorted(int(depth) for depth in arms["depth"].unique()),
        initializers=initializers,
        metrics=metrics,
        arms=_csv(_codes(arms, settings, activations, [choice.name for choice in initializers])),
        curves=_csv(of_curves),
        layers=_csv(of_layers),
        specs=specifications(initializers, int(of_curves["step"].max())),
        cap=f"{number(cap)}" if is_reconstruction else f"{number(cap)} nats",
        note=note,
        bundle=code,
    )


def _arms(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the arms at their chosen rates, numbered, with the names of their settings, without points of phase diagrams."""
    arms = chosen_rates(summary)[[*_ARM, "learning_rate", "runs"]]
    # A phase diagram has hundreds of points and its own figure.
    arms = arms[~arms["initializer"].isin(list(schemes.diagram_points(arms["initializer"].unique())))]
    settings = arms[PRETRAINED_SETTING].drop_duplicates().sort_values(PRETRAINED_SETTING)
    settings["setting"] = [setting_name(settings, **row) for row in settings.to_dict("records")]
    arms = arms.merge(settings).reset_index(drop=True)
    return arms.assign(arm=np.arange(len(arms)))


def _choices(names: list[str]) -> list[InitializerChoice]:
    """Return the initializers to choose from. If there are many, only the first of every colour is selected."""
    first_of_colour = {schemes.style(name)["color"]: name for name in reversed(names)}
    choices = []
    for name in names:
        look = schemes.style(name)
        is_checked = len(names) <= CHECKED or first_of_colour[look["color"]] == name
        shape = SHAPES.get(look["marker"], "circle")
        choices.append(
            InitializerChoice(name, schemes.label(name), look["color"], tuple(look["dashes"] or ()), shape, is_checked)
        )
    return choices


def _codes(arms: pd.DataFrame, settings: list[str], activations: list[str], initializers: list[str]) -> pd.DataFrame:
    """Return the arms as report.js reads them, with indices instead of names."""
    return pd.DataFrame(
        {
            "arm": arms["arm"],
            "setting": arms["setting"].map(settings.index),
            "activation": arms["activation"].map(activations.index),
            "depth": arms["depth"],
            "initializer": arms["initializer"].map(initializers.index),
            "learning_rate": arms["learning_rate"],
            "runs": arms["runs"],
        }
    )


def swatch(choice: InitializerChoice) -> Markup:
    """Return the line and the marker of an initializer as a small SVG for the label of its checkbox."""
    shapes = {
        "circle": "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0z", "square": "M-.8,-.8H.8V.8H-.8z", "diamond": "M0,-1.1L1.1,0L0,1.1L-1.1,0z",
        "triangle-up": "M0,-1L1,.8H-1z", "triangle-down": "M0,1L1,-.8H-1z", "triangle-left": "M-1,0L.8,-1V1z",
        "triangle-right": "M1,0L-.8,-1V1z", "cross": "M-.35,-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35z",
    }  # fmt: skip
    path = shapes.get(choice.shape, choice.shape)
    dashes = ",".join(str(d) for d in choice.dashes)
    return Markup(
        '<svg class="swatch" width="34" height="12" viewBox="-17 -6 34 12" aria-hidden="true">'
        '<path d="M-16,0H16" fill="none" stroke="{0}" stroke-width="2" stroke-dasharray="{1}"/>'
        '<path d="{2}" transform="scale(4.2)" fill="{0}"/></svg>'
    ).format(choice.color, dashes, path)
