"""A workload's data on its device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from winit import datasets
from winit.engine.engine import Engine
from winit.study.model import Workload
from winit.study.seeds import seed
from winit.training.calibration import CALIBRATION_EXAMPLES, Calibration
from winit.training.engines import network_spec
from winit.training.pretraining import Pretrainer


class WorkloadData:
    """A workload's data on its device, in the parts that training and measuring use."""

    def __init__(self, workload: Workload, engine: type[Engine], device: torch.device) -> None:
        source = seed(workload.seed, "data", dataset=workload.dataset)
        split = datasets.load(
            workload.dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling
        )
        reconstructs = workload.task.is_reconstruction

        def part(of: datasets.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            # Copied, because torch aligns its memory and numpy does not.
            x = torch.tensor(of.x[:examples], device=device)
            return x, x if reconstructs else torch.tensor(of.y[:examples], device=device)

        def prepared(of: datasets.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            x, y = part(of, examples)
            return engine.prepare(x), y

        self.x, self.y = prepared(split.train)
        self.validation = prepared(split.validation)
        self.test = prepared(split.test)
        # The split is shuffled, so the first examples are a fair sample.
        self.train_sample = prepared(split.train, len(split.validation.y))
        self.probe = part(split.train, workload.measure.probe_examples)
        self.pretrainer = Pretrainer(workload, split, device)
        mean = torch.tensor(split.train.x.mean(axis=0, dtype=float)).float().to(device) if reconstructs else 0.0
        self.spec = network_spec(workload, mean)

        rng = np.random.default_rng(seed(workload.seed, "calibration", dataset=workload.dataset))
        chosen = rng.permutation(len(split.train.y))[:CALIBRATION_EXAMPLES]
        self.calibration = Calibration(
            torch.tensor(split.train.x[chosen]).double(),
            torch.tensor(split.train.y[chosen]),
            workload.activation,
            workload.training.batch_size,
            workload.batch_norm,
            uses_sign=workload.training.optimizer in ("adam", "adamw"),
        )
