"""Recipes of a study: training, pretraining, task and measurement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import cos, pi


@dataclass(frozen=True)
class TrainingRecipe:
    """One training recipe."""

    optimizer: str
    steps: int
    batch_size: int
    momentum: float
    weight_decay: float
    schedule: str
    warmup: int

    def rate_factor(self, step: int) -> float:
        """Return what the learning rate is multiplied with at a step, from 0: warm-up, then the schedule.

        (t + 1)/warmup for t < warmup;  then, with s = (t − warmup)/(steps − warmup),
        constant: 1,   linear: 1 − s,   cosine: (1 + cos πs)/2
        """
        if step < self.warmup:
            return (step + 1) / self.warmup
        share = min((step - self.warmup) / (self.steps - self.warmup), 1.0)
        return {"constant": 1.0, "linear": 1 - share, "cosine": (1 + cos(pi * share)) / 2}[self.schedule]


@dataclass(frozen=True)
class BoltzmannRecipe:
    """How restricted Boltzmann machines are trained.

    Attributes:
        visible: units of the first machine: `binary`, `gaussian`, or `auto`, as the inputs are.
        gibbs_steps: k of CD-k.
        learning_rate, real_rate: of machines with binary units alone, and of those with Gaussian or linear units.
        momentum, late_momentum: in the first `early_share` of the steps, and then.
        weight_cost: λ.
    """

    visible: str
    gibbs_steps: int
    learning_rate: float
    real_rate: float
    momentum: float
    late_momentum: float
    early_share: float
    weight_cost: float


@dataclass(frozen=True)
class PretrainingRecipe:
    """How layers are pretrained: `layers` of them from the input (`all`: every hidden one), `steps` updates each."""

    layers: int | str
    steps: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    decoder: str
    loss: str
    corruption: str
    corruption_amount: float
    rbm: BoltzmannRecipe

    def facts(self, method: str) -> dict[str, object]:
        """Return those settings that the method uses: what fixes its numbers."""
        facts: dict[str, object] = {"layers": self.layers, "steps": self.steps, "batch_size": self.batch_size}
        if method == "rbm":
            return facts | asdict(self.rbm)
        facts |= {"optimizer": self.optimizer, "learning_rate": self.learning_rate}
        if self.optimizer in ("momentum", "nesterov"):
            facts["momentum"] = self.momentum
        if method in ("autoencoder", "denoising_autoencoder"):
            facts |= {"decoder": self.decoder, "loss": self.loss}
        if method == "denoising_autoencoder":
            facts |= {"corruption": self.corruption, "corruption_amount": self.corruption_amount}
        return facts


@dataclass(frozen=True)
class TaskRecipe:
    """What is learned: to classify or, with an encoder, to reconstruct the inputs by a deep autoencoder."""

    name: str
    encoder: tuple[int, ...]
    loss: str

    @property
    def is_reconstruction(self) -> bool:
        return self.name == "reconstruction"


@dataclass(frozen=True)
class MeasureRecipe:
    """When and on how much a run is measured."""

    curve_points: int
    layer_points: int
    trace_points: int
    probe_examples: int
    histogram_bins: int
