"""Ways of pretraining and their controls: names, labels, looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from winit.vocabulary.errors import unknown_name
from winit.vocabulary.looks import Look


@dataclass(frozen=True)
class PretrainingMethod:
    """A method of training layer by layer before the whole network is trained.

    Attributes:
        label: for tables and figures.
        rule: what the method does, in one line.
        source: the paper.
        colour, marker: of its lines in figures.
        activations: activations of hidden layers it is defined for; empty for all.
        needs_labels: whether it needs labels.
    """

    label: str
    rule: str
    source: str
    colour: str
    marker: str
    activations: tuple[str, ...] = ()
    needs_labels: bool = False


PRETRAINING: dict[str, PretrainingMethod] = {
    "none": PretrainingMethod("none", "the network is trained as drawn", "–", "#7a7a7a", "o"),
    "autoencoder": PretrainingMethod(
        "autoencoders",
        "each layer learns to reconstruct the codes of the layer below",
        "Bengio et al. 2007",
        "#0072b2",
        "s",
    ),
    "denoising_autoencoder": PretrainingMethod(
        "denoising autoencoders", "the same, from corrupted codes", "Vincent et al. 2010", "#56b4e9", "D"
    ),
    "rbm": PretrainingMethod(
        "RBMs",
        "each layer is a restricted Boltzmann machine on the codes of the layer below, trained by contrastive divergence",
        "Hinton & Salakhutdinov 2006",
        "#d55e00",
        "^",
        activations=("sigmoid", "identity"),
    ),
    "supervised": PretrainingMethod(
        "supervised layers",
        "each layer is the hidden layer of a classifier of the codes of the layer below, whose output layer is then discarded",
        "Bengio et al. 2007",
        "#009e73",
        "v",
        needs_labels=True,
    ),
}


@dataclass(frozen=True)
class PretrainingControl:
    """A control, which shares one property with a pretrained network. It is written after a method: `rbm+shuffled`.

    Attributes:
        label: text after the label of the method.
        rule: what the control is, in one line.
        dashes: of its line in figures.
        is_pretrained: whether it belongs to a method of pretraining; otherwise it belongs to `none`.
    """

    label: str
    rule: str
    dashes: tuple[float, ...]
    is_pretrained: bool = True


CONTROLS: dict[str, PretrainingControl] = {
    "shuffled": PretrainingControl(
        ", shuffled", "the pretrained weights, permuted within each layer: the values without the structure", (1, 1)
    ),
    "moments": PretrainingControl(
        ", moments only",
        "normal weights with the mean and standard deviation of each pretrained layer: the scale only",
        (4, 2),
    ),
    "longer": PretrainingControl(
        ", trained longer",
        "no pretraining, but as many additional updates as pretraining all layers would take",
        (6, 1, 1, 1),
        is_pretrained=False,
    ),
}


class ParsedPretraining(NamedTuple):
    """A parsed pretraining: the method, and the control or an empty string."""

    method: str
    control: str


def parse_pretraining(text: str) -> ParsedPretraining:
    """Parse a pretraining such as `rbm+shuffled` into method and control.

    Raises:
        ValueError: the method or control is unknown, or the pair is not applicable.
    """
    method, plus, control = text.partition("+")
    if method not in PRETRAINING:
        raise ValueError(unknown_name("pretraining", method, PRETRAINING))
    fitting = [name for name, facts in CONTROLS.items() if facts.is_pretrained == (method != "none")]
    if plus and control not in fitting:
        raise ValueError(f"pretraining '{text}': {unknown_name(f'control of {method}', control, fitting)}")
    return ParsedPretraining(method, control)


def pretraining_label(text: str) -> str:
    """Return the label of a pretraining: `rbm+shuffled` is 'RBMs, shuffled'."""
    method, control = parse_pretraining(text)
    label = "no pretraining" if method == "none" else PRETRAINING[method].label
    return label + CONTROLS[control].label if control else label


def pretraining_style(text: str) -> Look:
    """Return colour, marker and dash pattern of a pretraining. A control has the colour of its method."""
    method, control = parse_pretraining(text)
    facts = PRETRAINING[method]
    return {"color": facts.colour, "marker": facts.marker, "dashes": CONTROLS[control].dashes if control else ()}


def pretrainings_in_order(names: Iterable[str]) -> list[str]:
    """Sort pretrainings in the order of `PRETRAINING`, each method followed by its controls."""
    order = [f"{m}{c}" for m in PRETRAINING for c in ("", *(f"+{c}" for c in CONTROLS))]
    return sorted(set(names), key=order.index)
