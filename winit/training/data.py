"""The data of a replicate on its device."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from winit import datasets
from winit.engine.engine import Engine
from winit.study.seeds import seed
from winit.study.workload import Workload
from winit.training.calibration import CALIBRATION_EXAMPLES, Calibration
from winit.training.engines import network_spec
from winit.training.pretraining import Pretrainer

SAMPLE = 1000  # number of training examples on which curves are evaluated


class Examples(NamedTuple):
    """Inputs x (N, D), and targets y: labels (N,), or for reconstruction the inputs."""

    x: Tensor
    y: Tensor


class WorkloadData:
    """The data of one replicate of a workload on its device, in the parts that training and measuring use.

    Every replicate has its own split and, for generated datasets, its own data.

    Attributes:
        train, validation, test: the parts of the dataset, with inputs from the engine's `prepare`.
        train_sample: as many training examples as validation examples, at most SAMPLE, also prepared.
        probe: the examples on which layers are measured, not prepared.
        spec: common properties of the networks of the workload.
        calibration: for data-dependent initializers.
        pretrainer: for pretrained runs.
    """

    def __init__(self, workload: Workload, engine: type[Engine], device: torch.device, replicate: int = 0) -> None:
        source = seed(workload.seed, "data", dataset=workload.dataset, replicate=replicate)
        split = datasets.load(
            workload.dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling
        )
        reconstructs = workload.task.is_reconstruction

        def examples(part: datasets.Part, count: int | None = None) -> Examples:
            # Copy, because torch aligns its memory and numpy does not.
            x = torch.tensor(part.x[:count], device=device)
            return Examples(x, x if reconstructs else torch.tensor(part.y[:count], device=device))

        def prepared(part: datasets.Part, count: int | None = None) -> Examples:
            x, y = examples(part, count)
            return Examples(engine.prepare(x), y)

        self.train, self.validation, self.test = map(prepared, (split.train, split.validation, split.test))
        # The split is shuffled, so the first examples are a random sample.
        self.train_sample = prepared(split.train, min(len(split.validation.y), SAMPLE))
        self.probe = examples(split.train, workload.measure.probe_examples)
        mean = torch.tensor(split.train.x.mean(axis=0, dtype=float)).float().to(device) if reconstructs else 0.0
        self.spec = network_spec(workload, mean)
        self.calibration = _calibration(workload, split.train, replicate)
        self.pretrainer = Pretrainer(workload, split, device, engine.name)


def _calibration(workload: Workload, train: datasets.Part, replicate: int) -> Calibration:
    """Return the calibration of a replicate's networks, on a batch of the training data."""
    rng = np.random.default_rng(
        seed(workload.seed, "calibration", dataset=workload.dataset, replicate=replicate, of="batch")
    )
    batch = rng.permutation(len(train.y))[:CALIBRATION_EXAMPLES]
    return Calibration(
        torch.tensor(train.x[batch]).double(),
        torch.tensor(train.y[batch]),
        workload.activation,
        workload.training.batch_size,
        workload.batch_norm,
        uses_sign=workload.training.optimizer in ("adam", "adamw"),
    )
