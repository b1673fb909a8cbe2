"""Ways of pretraining and their controls: names, labels, looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name


@dataclass(frozen=True)
class PretrainingMethod:
    """One way to train layer by layer before the whole network is trained; `rule` says it in one line.

    `activations` are those it has a meaning for, all if there are none; `needs_labels` says that it learns from labels.
    """

    label: str
    rule: str
    source: str
    colour: str
    marker: str
    activations: tuple[str, ...] = ()
    needs_labels: bool = False


PRETRAINING: dict[str, PretrainingMethod] = {
    "none": PretrainingMethod("none", "the network is trained as it was drawn", "–", "#7a7a7a", "o"),
    "autoencoder": PretrainingMethod(
        "autoencoders",
        "each layer learns to give back the codes of the one below",
        "Bengio et al. 2007",
        "#0072b2",
        "s",
    ),
    "denoising_autoencoder": PretrainingMethod(
        "denoising autoencoders", "the same, from corrupted codes", "Vincent et al. 2010", "#56b4e9", "D"
    ),
    "rbm": PretrainingMethod(
        "RBMs",
        "each layer is a restricted Boltzmann machine on the codes of the one below, trained by contrastive divergence",
        "Hinton & Salakhutdinov 2006",
        "#d55e00",
        "^",
        activations=("sigmoid", "identity"),
    ),
    "supervised": PretrainingMethod(
        "supervised layers",
        "each layer is the hidden layer of a classifier of the codes of the one below, whose output layer is then dropped",
        "Bengio et al. 2007",
        "#009e73",
        "v",
        needs_labels=True,
    ),
}

# What is written behind a way of pretraining, `rbm+shuffled`: an arm that shares one thing with it and lacks another.
CONTROLS: dict[str, str] = {
    "shuffled": "its weights, permuted within each layer: the values without the structure",
    "moments": "normal weights with the mean and deviation of each of its layers: the scale, nothing else",
    "longer": "no pretraining, and as many updates more as pretraining every layer would have taken",
}


class ParsedPretraining(NamedTuple):
    """A pretraining taken apart: the method, and the control or an empty string."""

    method: str
    control: str


def parse_pretraining(text: str) -> ParsedPretraining:
    """Take `rbm+shuffled` apart: the method and its control.

    Raises:
        ValueError: an unknown method or control, or a pair without meaning.
    """
    method, plus, control = text.partition("+")
    if method not in PRETRAINING:
        raise ValueError(unknown_name("pretraining", method, PRETRAINING))
    fitting = ["longer"] if method == "none" else ["shuffled", "moments"]
    if plus and control not in fitting:
        raise ValueError(f"pretraining '{text}': {unknown_name(f'control of {method}', control, fitting)}")
    return ParsedPretraining(method, control)


def pretraining_label(text: str) -> str:
    """Return the name of a pretraining as a reader sees it: `rbm+shuffled` is 'RBMs, shuffled'."""
    method, control = parse_pretraining(text)
    if method == "none":
        return "no pretraining, trained longer" if control else "no pretraining"
    return PRETRAINING[method].label + {"": "", "shuffled": ", shuffled", "moments": ", their moments alone"}[control]


def pretraining_style(text: str) -> dict[str, object]:
    """Return colour, marker and dash pattern of a pretraining: a control has its method's colour."""
    method, control = parse_pretraining(text)
    dashes = {"": (), "shuffled": (1, 1), "moments": (4, 2), "longer": (6, 1, 1, 1)}[control]
    return {"color": PRETRAINING[method].colour, "marker": PRETRAINING[method].marker, "dashes": dashes}


def pretrainings_in_order(names: Iterable[str]) -> list[str]:
    """Sort pretrainings in the catalogue's order, controls behind what they control."""
    order = [f"{m}{c}" for m in PRETRAINING for c in ("", *(f"+{c}" for c in CONTROLS))]
    return sorted(set(names), key=order.index)


def why_not_pretrainable(pretraining: str, activation: str, task: str = "classification") -> str | None:
    """Return the sentence that says why the combination has no meaning, or None where it has one."""
    method = parse_pretraining(pretraining).method
    facts = PRETRAINING[method]
    if facts.activations and activation not in facts.activations:
        return f"the hidden units of an RBM are binary (sigmoid) or linear (identity), and {ACTIVATIONS[activation].label} is neither"
    if facts.needs_labels and task == "reconstruction":
        return "supervised layers learn from labels, and reconstruction has none"
    return None
