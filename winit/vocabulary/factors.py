"""Names of optimizers, tasks, losses, devices and statuses, and how a reader sees them."""

from __future__ import annotations

from dataclasses import dataclass

OPTIMIZERS: dict[str, str] = {
    "sgd": "SGD",
    "momentum": "SGD with momentum",
    "nesterov": "SGD with Nesterov momentum",
    "adam": "Adam",
    "adamw": "AdamW",
}
SCHEDULES: dict[str, str] = {
    "constant": "constant",
    "linear": "falling linearly to 0",
    "cosine": "falling to 0 along half a cosine",
}


@dataclass(frozen=True)
class TaskNames:
    """What a network is trained for: how its loss and its score are called, and the score of knowing nothing."""

    label: str
    loss: str
    score: str


TASKS: dict[str, TaskNames] = {
    "classification": TaskNames("classification", "mean cross-entropy, nats", "accuracy"),
    "reconstruction": TaskNames(
        "reconstruction",
        "squared error, summed over the outputs, mean over examples",
        "share of the mean predictor's error that is explained",
    ),
}

LOSSES = ("squared_error", "cross_entropy")  # of autoencoders
PRETRAINING_LOSSES = ("auto", *LOSSES)  # of their layers, each learned by itself
CORRUPTIONS = ("masking", "gaussian")
DECODERS = ("tied", "free")
VISIBLE = ("binary", "gaussian")  # units of RBMs
SCALINGS: dict[str, str] = {
    "standard": "standardised on the training part",
    "unit": "brought to [0, 1] by the smallest and largest values of the training part",
}

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "kernel", "torch", "triton")

# In the order in which a reader should meet them: success first.
STATUSES: dict[str, str] = {
    "ok": "is at the target at the end of the budget, on test data",
    "lost_target": "was at the target at an earlier step, but not at the end of the budget",
    "missed_target": "learned, but never reached the target",
    "stuck": "ended within three standard errors of guessing; it counts as guessing",
    "diverged": "produced a non-finite value; it counts as guessing",
}
