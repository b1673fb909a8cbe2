"""Modifiers change the drawn weights and biases of any scheme. They are written after it: `he_normal+lsuv`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from winit.schemes import papers
from winit.schemes.papers import Paper
from winit.schemes.scheme import Layer


@dataclass(frozen=True, kw_only=True)
class Modifier:
    """One modifier.

    Attributes:
        name: as written after a scheme.
        label: for tables and figures.
        rule: what it does, in one line.
        source: the paper, or who recommends it.
        paper: the paper that proposed it; None if there is none.
        stands_for: the initializer for which the bare name stands; None if the name must follow a scheme.
        zeroes: the layers whose weights and biases it sets to 0 instead of drawing them.
        is_data_dependent: whether it uses training data, at the cost of passes through the network. The function is
            registered under the same name in `winit.training.calibration.METHODS`.
    """

    name: str
    label: str
    rule: str
    source: str
    paper: Paper | None = None
    stands_for: str | None = None
    zeroes: Callable[[Layer], bool] = lambda layer: False
    is_data_dependent: bool = False


# In the order in which they are applied.
_ALL = (
    Modifier(
        name="last_layer_zero",
        label="zero output layer",
        rule="weights and biases of the output layer are 0, so that the first loss is log C",
        source="recommended by the μP authors (github.com/microsoft/mup); Karpathy, makemore part 3",
        zeroes=lambda layer: layer.is_last,
    ),
    Modifier(
        name="lsuv",
        label="LSUV",
        rule="layer by layer, W ← W/√Var(z) until |Var(z) − 1| < 0.02, at most 20 times, on a calibration batch; Var(z) is over units "
        "and examples; if the scheme draws biases, it is over examples only (mean over units), and biases are kept",
        source="Mishkin & Matas 2016, arXiv:1511.06422",
        paper=papers.MISHKIN,
        stands_for="orthogonal:1+lsuv",
        is_data_dependent=True,
    ),
    Modifier(
        name="gradinit",
        label="GradInit",
        rule="one factor for each tensor, learned so that the loss after a first step is small; the step is 0.1 ∇L/‖∇L‖ while "
        "‖∇L‖ ≤ 1 for SGD, 0.001 sign(∇L) while ‖∇L‖₁ ≤ 1000 for Adam",
        source="Zhu et al. 2021, arXiv:2102.08098, algorithm 1, settings of the authors' scripts",
        paper=papers.ZHU,
        stands_for="he_normal+gradinit",
        is_data_dependent=True,
    ),
    Modifier(
        name="metainit",
        label="MetaInit",
        rule="one norm for each weight matrix, learned so that a gradient step changes the gradient little",
        source="Dauphin & Schoenholz 2019 (NeurIPS), MetaInit",
        paper=papers.DAUPHIN,
        stands_for="he_normal+metainit",
        is_data_dependent=True,
    ),
)
MODIFIERS: dict[str, Modifier] = {modifier.name: modifier for modifier in _ALL}
