"""Choose the device and engine of a workload, and the number of networks to train at once."""

from __future__ import annotations

import logging
from functools import cache
from itertools import pairwise

import torch

from winit.engine.engine import Engine, NetworkSpec
from winit.engine.objectives import Classification, Reconstruction
from winit.engine.optimizers import STATES, Optimizer
from winit.engine.torch_stack import TorchStack
from winit.study.workload import Workload
from winit.training.pretraining import activations

LOG = logging.getLogger("winit")

# Weights and activations of a chunk should fit into the caches of a core. A GPU needs hundreds of networks instead.
CHUNK_BYTES = {"cpu": 6 << 20, "cuda": 4 << 30}
CHUNK_NETWORKS = {"cpu": 64, "cuda": 2048}


@cache  # logs the choice for `auto` once per process
def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: cuda is requested but not available.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device: got cuda, but torch sees no CUDA device here; allowed is cpu, or auto to use what is available"
        )
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    if wanted == "auto":
        LOG.info(
            "device: auto takes %s", "the CUDA device" if device.type == "cuda" else "the CPU: there is no CUDA device"
        )
    return device


def network_spec(workload: Workload, mean: torch.Tensor | float = 0.0) -> NetworkSpec:
    """Return the common properties of the networks of a workload.

    Args:
        workload: the workload.
        mean: of the training inputs (D,), for the score of a reconstruction.
    """
    training, reconstructs = workload.training, workload.task.is_reconstruction
    return NetworkSpec(
        tuple(activations(workload)) if reconstructs else workload.activation,
        Optimizer(training.optimizer, training.momentum, training.weight_decay),
        training.batch_size,
        Reconstruction(workload.task.loss, mean) if reconstructs else Classification(),
        workload.batch_norm,
        workload.dropout,
    )


def _kernel(workload: Workload, device: torch.device) -> type[Engine] | str:
    """Return the fused engine of the CPU, or why it cannot train a workload, as the end of a sentence."""
    if device.type != "cpu":
        return f"it runs on the CPU, not on {device.type}"
    try:
        from winit.engine.kernel.shape import obstacle
        from winit.engine.kernel.stack import KernelStack
    except ImportError as error:
        return f"{error.name} is not installed"
    return obstacle(network_spec(workload)) or KernelStack


def _triton(workload: Workload, device: torch.device) -> type[Engine] | str:
    """Return the fused engine of CUDA devices, or why it cannot train a workload, as the end of a sentence."""
    if device.type != "cuda":
        return f"it runs on a CUDA device, not on {device.type}"
    try:
        from winit.engine.triton.stack import TritonStack, obstacle
    except ImportError as error:
        return f"{error.name} is not installed"
    return obstacle(network_spec(workload), workload.widths[-1]) or TritonStack


FUSED = {"kernel": _kernel, "triton": _triton}


def choose_engine(wanted: str, workload: Workload, device: torch.device) -> type[Engine]:
    """Return the engine for `auto`, `kernel`, `triton` or `torch`.

    `auto` chooses the fused engine of the device if it supports the workload. The choice depends only on the shape of the
    workload, not on the number of runs to train, so a run has the same bits whenever it is trained.

    Raises:
        ValueError: a fused engine is requested that cannot train the workload.
    """
    if wanted == "torch":
        return TorchStack
    name = wanted if wanted in FUSED else "kernel" if device.type == "cpu" else "triton"
    found = FUSED[name](workload, device)
    if not isinstance(found, str):
        return found
    if wanted == name:
        raise ValueError(f"engine: got {wanted}, but {found}; allowed is torch, or auto to choose an engine that can")
    return TorchStack


def chunk_size(workload: Workload, device: torch.device) -> int:
    """Return how many networks to train in one stack."""
    n = workload.widths
    copies = 2 + STATES[workload.training.optimizer]  # the weights, their gradient, the optimizer's state
    weights = sum(a * b for a, b in pairwise(n)) * copies
    bytes_each = 4 * (weights + workload.training.batch_size * sum(n))
    return max(1, min(CHUNK_NETWORKS[device.type], CHUNK_BYTES[device.type] // bytes_each))
