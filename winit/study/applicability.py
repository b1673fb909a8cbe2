"""Which ways of pretraining fit an activation and a task."""

from __future__ import annotations

from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.pretraining import PRETRAINING, parse_pretraining


def why_not_pretrainable(pretraining: str, activation: str, task: str = "classification") -> str | None:
    """Return the sentence that says why the combination has no meaning, or None where it has one.

    Args:
        pretraining: a method, perhaps with a control: `rbm+shuffled`.
        activation: of the hidden layers, by name.
        task: `classification` or `reconstruction`.
    """
    method = PRETRAINING[parse_pretraining(pretraining).method]
    if method.activations and activation not in method.activations:
        return f"the hidden units of an RBM are binary (sigmoid) or linear (identity), and {ACTIVATIONS[activation].label} is neither"
    if method.needs_labels and task == "reconstruction":
        return "supervised layers learn from labels, and reconstruction has none"
    return None
