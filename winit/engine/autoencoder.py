"""Autoencoders with one hidden layer whose decoder is the transposed encoder.

Other autoencoders are engines with a `Reconstruction` as objective. Greedy layerwise pretraining trains autoencoders with
one hidden layer (Bengio et al. 2007; with corrupted inputs Vincent et al. 2010). Hinton & Salakhutdinov 2006 fine-tune deep
autoencoders.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from winit.engine.alignment import product
from winit.engine.engine import NetworkSpec
from winit.engine.torch_stack import TorchStack


class TiedAutoencoder(TorchStack):
    """K autoencoders with one hidden layer and tied weights: x → φ(xW + b) → hWᵀ + c.

    Args:
        weights: W (K, D, n).
        biases: b (K, 1, n).
        visible_biases: c (K, 1, D).
        spec, seeds: as for `Engine`.

    Source: Vincent et al. 2010, §3.
    """

    def __init__(
        self, weights: Tensor, biases: Tensor, visible_biases: Tensor, spec: NetworkSpec, seeds: Sequence[int] = ()
    ) -> None:
        super().__init__([weights, weights.mT], [biases, visible_biases], spec, seeds)

    @property
    def parameters(self) -> list[Tensor]:
        return [self.weights[0], *self.biases]

    def _allocate(self) -> None:
        self.weights[1] = self.weights[0].mT  # one tensor in two roles
        super()._allocate()

    def backward(self, x: Tensor, y: Tensor, rates: Tensor, trace: Tensor | None = None) -> None:
        rate = rates.reshape(-1, 1, 1)
        delta = self.objective.gradient_(self._logits, y).mT  # (K, B, D)
        self._rule.begin_step()
        below = self._back(0, delta, rate)  # (K, B, n)
        of_weights = product(delta.mT, self._h[0], out=self._gradient[0])
        of_weights.add_(product(x.mT, below))
        of_biases = (product(self._ones, d, out=g) for d, g in zip((below, delta), self._gradient[1:], strict=True))
        for index, (parameter, gradient) in enumerate(zip(self.parameters, (of_weights, *of_biases), strict=True)):
            self._rule.update(index, parameter, gradient, rate)
