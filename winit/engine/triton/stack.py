"""The fused CUDA engine: one Triton program trains one network through all steps of a call.

A call is one launch. Every program trains one network independently, so the numbers of a network depend neither on the chunk
nor on how steps are split over calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from winit.engine.engine import TRACE, Advance, Engine, NetworkSpec
from winit.engine.objectives import Classification
from winit.engine.optimizers import ADAM_BETAS, STATES, Optimizer
from winit.engine.triton.constants import Constants
from winit.engine.triton.kernel import train_networks

ACTIVATIONS = ("identity", "relu", "tanh", "sigmoid")
MOST_CLASSES = 256  # a row of logits is one tile
# A tile of 64 × 64 is 32 registers of each of 128 threads. For SGD the compiler then needs 168 registers a thread on an
# H100 and spills none, so three programs share a multiprocessor. Not measured on a card.
TILE, INNER, WARPS, STAGES = 64, 32, 4, 2


def obstacle(spec: NetworkSpec, classes: int) -> str | None:
    """Return why the kernel cannot train such networks, as the end of a sentence; None if it can."""
    if not isinstance(spec.objective, Classification):
        return "it trains only classifiers"
    if spec.batch_norm or spec.dropout:
        return "it has neither batch normalization nor dropout"
    if spec.corruption:
        return "it does not corrupt inputs"
    if not isinstance(spec.activation, str):
        return "it needs one activation, given by name, not functions or several activations"
    if spec.activation not in ACTIVATIONS or spec.optimizer.name not in STATES:
        return f"it has no code for {spec.activation} with {spec.optimizer.name}"
    if classes > MOST_CLASSES:
        return f"it takes at most {MOST_CLASSES} classes"
    return None


def tile(size: int, most: int = TILE) -> int:
    """Return the smallest power of two that is large enough, at least 16 as products in Triton need, and at most `most`."""
    return min(most, max(16, 1 << (size - 1).bit_length()))


def step_factors(optimizer: Optimizer, rates: Tensor, steps_done: int) -> Tensor:
    """Return what the kernel's `step` reads, (steps, K, 3) float32, for rates (steps, K) after so many steps."""
    rates = rates.double()
    steps = steps_done + 1 + torch.arange(len(rates), dtype=torch.float64, device=rates.device)[:, None]
    shrink = 1 - rates * optimizer.weight_decay
    if not optimizer.name.startswith("adam"):
        return torch.stack([rates, torch.ones_like(rates), shrink], dim=2).float()
    first, second = (1 - beta**steps for beta in ADAM_BETAS)
    return torch.stack([rates / first, second.rsqrt().expand_as(rates), shrink], dim=2).float()


class TritonStack(Engine):
    """K networks of one width, each trained by one program.

    Args:
        weights, biases, spec, seeds: as for `Engine`; on a CUDA device, or on the CPU under Triton's interpreter.
        precision: of the products: `ieee`, or `tf32x3` for those of tensor cores, nearly as exact.

    Raises:
        ValueError: the kernel cannot train such networks.
    """

    name = "triton"

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], spec: NetworkSpec, seeds: Sequence[int] = (),
        precision: str = "ieee",
    ) -> None:  # fmt: skip
        (networks, inputs, width), classes, rule = weights[0].shape, weights[-1].shape[2], spec.optimizer
        if reason := obstacle(spec, classes):
            raise ValueError(f"the Triton kernel cannot train these networks: {reason}; the torch engine can")
        self._optimizer, self._steps_done = rule, 0
        self._constants = Constants(
            inputs, width, classes, len(weights) - 1, spec.batch_size, str(spec.activation),
            rule.name, rule.momentum, rule.weight_decay,
            tile(spec.batch_size), tile(width), tile(classes, MOST_CLASSES), INNER, precision, False,
        )  # fmt: skip
        self._memory = weights[0].new_zeros(1 + STATES[rule.name], networks, self._constants.size)
        super().__init__(*self._views(), spec, seeds)
        for mine, given in zip([*self.weights, *self.biases], [*weights, *biases], strict=True):
            mine.copy_(given)

    def _views(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return weights and biases, as views of the memory."""
        constants, weights, biases, start = self._constants, [], [], 0
        for fan_in, fan_out in constants.layers:
            rows = self._memory[0, :, start : start + (fan_in + 1) * fan_out].unflatten(1, (fan_in + 1, fan_out))
            weights.append(rows[:, :-1])
            biases.append(rows[:, -1:])
            start += (fan_in + 1) * fan_out
        return weights, biases

    def keep(self, networks: Tensor) -> None:
        self._memory = self._memory[:, networks]
        self.weights, self.biases = self._views()

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        order = order.expand(-1, self.size, -1)
        constants, count, networks = replace(self._constants, traced=traced), len(order), self.size
        scratch = self._memory.new_empty(networks, constants.room)
        shape = networks, count, len(self.weights) if traced else 0, len(TRACE)
        trace = torch.full(shape, torch.nan, dtype=torch.float64, device=x.device)
        done = torch.full((networks,), count, dtype=torch.int32, device=x.device)
        factors = step_factors(self._optimizer, rates, self._steps_done)
        train_networks[(networks,)](
            self._memory, scratch, x.contiguous(), y, order.contiguous(), factors, trace, done, count, constants,
            num_warps=WARPS, num_stages=STAGES, enable_fp_fusion=True,
        )  # fmt: skip
        self._steps_done += count
        diverged = {}
        for k in torch.nonzero(done < count).flatten().tolist():
            step = int(done[k])
            trace[k, step:] = torch.nan
            diverged[k] = step, self.first_non_finite_layer(k, x[order[step, k]])
        return Advance(diverged, trace if traced else None)
