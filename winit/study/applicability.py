"""Which ways of pretraining fit an activation and a task."""

from __future__ import annotations

from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.pretraining import PRETRAINING, parse_pretraining


def why_not_pretrainable(pretraining: str, activation: str, task: str = "classification") -> str | None:
    """Return why the combination is not applicable, as a sentence, or None if it is applicable.

    Args:
        pretraining: a method, optionally with a control: `rbm+shuffled`.
        activation: of the hidden layers, by name.
        task: `classification` or `reconstruction`.
    """
    method = PRETRAINING[parse_pretraining(pretraining).method]
    if method.activations and activation not in method.activations:
        return f"the hidden units of an RBM must be binary (sigmoid) or linear (identity), not {ACTIVATIONS[activation].label}"
    if method.needs_labels and task == "reconstruction":
        return "supervised layers need labels, and reconstruction has none"
    return None
