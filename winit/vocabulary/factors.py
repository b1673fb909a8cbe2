"""Names of optimizers, tasks, losses, devices and statuses, and their labels."""

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
    """What a network is trained for, and the names of its loss and its score."""

    label: str
    loss: str
    score: str


TASKS: dict[str, TaskNames] = {
    "classification": TaskNames("classification", "mean cross-entropy, nats", "accuracy"),
    "reconstruction": TaskNames(
        "reconstruction",
        "squared error, summed over the outputs, mean over examples",
        "explained share of the mean predictor's error",
    ),
}

LOSSES = ("squared_error", "cross_entropy")  # of autoencoders
PRETRAINING_LOSSES = ("auto", *LOSSES)  # of layers during pretraining
CORRUPTIONS = ("masking", "gaussian")
DECODERS = ("tied", "free")
VISIBLE = ("binary", "gaussian")  # units of RBMs
SCALINGS: dict[str, str] = {
    "standard": "standardized with the mean and standard deviation of the training part",
    "unit": "scaled to [0, 1] with the minimum and maximum of the training part",
}

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "kernel", "torch", "triton")

# In the order in which they are listed: success first.
STATUSES: dict[str, str] = {
    "ok": "at the target at the end of the budget, on test data",
    "lost_target": "at the target at an earlier step, but not at the end of the budget",
    "missed_target": "learned, but never reached the target",
    "stuck": "ended within three standard errors of random guessing, and is scored as such",
    "diverged": "produced a non-finite value, and is scored as random guessing",
}
