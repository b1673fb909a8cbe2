"""Update rules on stacked parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from winit.engine.alignment import align, aligned

ADAM_BETAS = (0.9, 0.999)  # Kingma & Ba 2015, §2
ADAM_EPSILON = 1e-8


@dataclass(frozen=True)
class Optimizer:
    """An update rule and its options, for a gradient g and a rate η given at every step.

    `name` is one of: sgd, W ← W − ηg; momentum, V ← μV + g, W ← W − ηV (Polyak's heavy ball, as in torch.optim.SGD);
    nesterov, W ← W − η(g + μV); adam (Kingma & Ba 2015, algorithm 1); adamw (Loshchilov & Hutter 2019, algorithm 2, as in
    torch.optim.AdamW). Weight decay applies to all parameters: g ← g + λW; with adamw W ← (1 − ηλ)W.

    Attributes:
        name: of the rule.
        momentum: μ.
        weight_decay: λ.
    """

    name: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0


class SGD:
    """W ← W − ηg, on stacked parameters (K, m, n)."""

    def __init__(self, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        self.options = optimizer
        self.state: dict[str, list[Tensor]] = {}

    def _remember(self, name: str, parameters: Sequence[Tensor]) -> None:
        self.state[name] = [aligned(p.shape, like=p).zero_() for p in parameters]

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors that the updates of a step change, except the parameters."""
        return [tensor for tensors in self.state.values() for tensor in tensors]

    def begin_step(self) -> None:
        """Prepare for the updates of one step."""

    def update(self, index: int, parameter: Tensor, gradient: Tensor, rate: Tensor) -> None:
        """Update one parameter (K, m, n) with its gradient, which is overwritten, at rates (K, 1, 1)."""
        if self.options.weight_decay:
            gradient.add_(parameter, alpha=self.options.weight_decay)
        parameter.addcmul_(self.direction(index, gradient), rate, value=-1)

    def direction(self, index: int, gradient: Tensor) -> Tensor:
        """Return the direction that is multiplied by the rate."""
        return gradient

    def keep(self, networks: Tensor) -> None:
        """Drop the state of all networks except these."""
        self.state = {name: [align(t[networks]) for t in tensors] for name, tensors in self.state.items()}


class Momentum(SGD):
    """V ← μV + g; W ← W − ηV, or W − η(g + μV) with Nesterov."""

    def __init__(self, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().__init__(parameters, optimizer)
        self._remember("velocity", parameters)

    def direction(self, index: int, gradient: Tensor) -> Tensor:
        velocity, momentum = self.state["velocity"][index], self.options.momentum
        velocity.mul_(momentum).add_(gradient)
        return gradient.add_(velocity, alpha=momentum) if self.options.name == "nesterov" else velocity


class Adam(SGD):
    """Adam with bias correction, elementwise, so that bits do not depend on the stack.

    Steps are counted on the device, because a CUDA graph does not repeat computations on the host.
    """

    def __init__(self, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().__init__(parameters, optimizer)
        self._remember("mean", parameters)
        self._remember("square", parameters)
        self._step = torch.zeros((), dtype=torch.float64, device=parameters[0].device)

    @property
    def tensors(self) -> list[Tensor]:
        return [*super().tensors, self._step]

    def begin_step(self) -> None:
        beta1, beta2 = ADAM_BETAS
        self._step.add_(1)
        self._of_mean, self._of_square = 1 - beta1**self._step, (1 - beta2**self._step).sqrt()

    def direction(self, index: int, gradient: Tensor) -> Tensor:
        beta1, beta2 = ADAM_BETAS
        mean, square = self.state["mean"][index], self.state["square"][index]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        size = torch.sqrt(square, out=gradient).div_(self._of_square).add_(ADAM_EPSILON)
        return torch.div(mean, size, out=gradient).div_(self._of_mean)


class AdamW(Adam):
    """Adam with weight decay separate from the gradient: W ← (1 − ηλ)W first."""

    def update(self, index: int, parameter: Tensor, gradient: Tensor, rate: Tensor) -> None:
        if self.options.weight_decay:
            parameter.mul_(1 - rate * self.options.weight_decay)
        parameter.addcmul_(self.direction(index, gradient), rate, value=-1)


STATES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2}  # tensors kept for each parameter
RULES: dict[str, type[SGD]] = {"sgd": SGD, "momentum": Momentum, "nesterov": Momentum, "adam": Adam, "adamw": AdamW}
