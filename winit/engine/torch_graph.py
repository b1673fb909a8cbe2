"""Training steps as a CUDA graph: a step is recorded once and then launched as a whole.

For small networks, launching the operations of a step one by one takes longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3  # steps before the capture, in which libraries allocate memory

Launch = Callable[[], object]


def as_graph(step: Launch) -> Launch:
    """Return a function that launches the operations of `step` as one CUDA graph. `step` is called a few times before.

    Raises:
        RuntimeError: the step cannot be captured, for example because it waits for a value.

    Source: PyTorch, "CUDA semantics", section "CUDA Graphs".
    """
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


class CapturedSteps:
    """Steps whose launch is recorded once, with fixed buffers for inputs that differ between steps.

    Args:
        step: takes one step, given the indices (K, B) of its mini-batch and the rates (K,); returns which networks have
            finite logits, (K,). It must not read values on the host.
        state: all tensors that a step changes and the next step reads.
        order, rates: of any step.
        capture: returns a function that launches a step; it may take steps itself.
    """

    def __init__(
        self,
        step: Callable[[Tensor, Tensor], Tensor],
        state: Sequence[Tensor],
        order: Tensor,
        rates: Tensor,
        capture: Callable[[Launch], Launch] = as_graph,
    ) -> None:
        self._state, self._order, self._rates = state, order.clone(), rates.clone()
        self._finite = torch.ones(rates.shape, dtype=torch.bool, device=rates.device)
        before = self._copies()
        try:
            self._launch = capture(lambda: self._finite.logical_and_(step(self._order, self._rates)))
        finally:
            self._restore(before)

    def _copies(self) -> list[Tensor]:
        return [tensor.clone() for tensor in self._state]

    def _restore(self, copies: Sequence[Tensor]) -> None:
        for tensor, copy in zip(self._state, copies, strict=True):
            tensor.copy_(copy)

    def take(self, order: Tensor, rates: Tensor) -> bool:
        """Take steps with mini-batches (steps, K, B) and rates (steps, K), and return whether all logits were finite.

        If some were not finite, nothing is changed, and the caller takes the steps one by one.
        """
        before = self._copies()
        self._finite.fill_(True)
        for batch, rate in zip(order, rates, strict=True):
            self._order.copy_(batch)
            self._rates.copy_(rate)
            self._launch()
        if self._finite.all():
            return True
        self._restore(before)
        return False
