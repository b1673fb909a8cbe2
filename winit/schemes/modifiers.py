"""Modifiers change the drawn weights and biases of any scheme. They are written after it: `he_normal+lsuv`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from winit.schemes import papers
from winit.schemes.papers import Paper
from winit.schemes.scheme import Layer, Parameters
from winit.theory.layers import LayerStatistics

FEWEST_INPUTS = 8  # of a layer whose incoming weights are made to sum to 0; with 2 inputs, its rank would be 1


@dataclass(frozen=True, kw_only=True)
class Modifier:
    """One modifier.

    Attributes:
        name: as written after a scheme.
        label: for tables and figures.
        rule: what it does, in one line.
        source: the paper, or who recommends it.
        paper: the paper that proposed it; None if there is none.
        bias: what it adds to the rule for the biases; "" for nothing.
        stands_for: the initializer for which the bare name stands; None if the name must follow a scheme.
        zeroes: the layers whose weights and biases it sets to 0 instead of drawing them.
        change: `change(parameters, layer, mean)` returns new weights and biases of a layer. `mean` is the mean of the
            activations below, including the shift that the scheme's own biases add to them.
        restate: the same for the statistics of the layer. A `mean` of None stands for the exact mean at any length.
        is_data_dependent: whether it uses training data, at the cost of passes through the network. The function is
            registered under the same name in `winit.training.calibration.METHODS`.
    """

    name: str
    label: str
    rule: str
    source: str
    paper: Paper | None = None
    bias: str = ""
    stands_for: str | None = None
    zeroes: Callable[[Layer], bool] = lambda layer: False
    change: Callable[[Parameters, Layer, float], Parameters] | None = None
    restate: Callable[[LayerStatistics, Layer, float | None], LayerStatistics] | None = None
    is_data_dependent: bool = False


def zero_sum(parameters: Parameters, layer: Layer, mean: float) -> Parameters:
    """Subtract the mean from the incoming weights of every unit, w_ij ← w_ij − mean_i w_ij, except in narrow layers."""
    weights, biases = parameters
    return (weights - weights.mean(axis=0) if layer.fan_in >= FEWEST_INPUTS else weights), biases


def _without_sum(statistics: LayerStatistics, layer: Layer, mean: float | None) -> LayerStatistics:
    """Return the statistics of weights that sum to 0. Biases that depended on the sums are now independent of the weights."""
    if layer.fan_in < FEWEST_INPUTS or statistics.shift is None:
        return statistics
    of_sum = layer.fan_in * statistics.weight_variance
    return statistics._replace(
        weight_variance=statistics.weight_variance * (1 - 1 / layer.fan_in),
        bias_variance=statistics.bias_variance + statistics.shift**2 * of_sum,
        shift=None,
    )


def centered(parameters: Parameters, layer: Layer, mean: float) -> Parameters:
    """Subtract the contribution of the mean of the activations below, b_j ← b_j − E φ Σ_i w_ij, except in the first layer."""
    weights, biases = parameters
    return weights, biases - mean * weights.sum(axis=0)


def _shifted(statistics: LayerStatistics, layer: Layer, mean: float | None) -> LayerStatistics:
    if statistics.shift is None or mean is None:
        return statistics._replace(shift=None)
    return statistics._replace(shift=statistics.shift - mean)


# In the order in which they are applied.
_ALL = (
    Modifier(
        name="zero_sum",
        label="zero sums",
        rule="the mean of the incoming weights of every unit is subtracted, in layers with at least 8 inputs",
        source="AnyInit's option `center` (github.com/jmiravet/AnyInit), without its rescaling",
        change=zero_sum,
        restate=_without_sum,
    ),
    Modifier(
        name="centered",
        label="centred",
        rule="bⱼ ← bⱼ − m Σᵢ wᵢⱼ, where m = E φ(√q z) of the layer below, except in the first layer; q follows from theory, for inputs of "
        "mean square 1 and layers of equal width; it is 1 if the weights are not independent",
        source="the biases that make sigmoid and tanh networks equivalent, for any activation",
        bias="− m Σᵢ wᵢⱼ, m = E φ of the layer below",
        change=centered,
        restate=_shifted,
    ),
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
        name="unit_norm",
        label="unit norm",
        rule="layer by layer and for every unit, w ← w/σ and b ← −μ/σ, where μ and σ are those of Σᵢ wᵢ hᵢ on a calibration batch",
        source="Salimans & Kingma 2016, arXiv:1602.07868 (weight normalization; read in summaries), as an initialization",
        paper=papers.SALIMANS,
        bias="−μ/σ of every unit on a calibration batch",
        is_data_dependent=True,
    ),
    Modifier(
        name="unit_jacobian",
        label="unit Jacobian",
        rule="layer by layer from the second, W ← W/√J, where J = 1/fan_out Σ wᵢⱼ² E φ′(zᵢ)² on a calibration batch",
        source="He, Doshi & Gromov 2022, arXiv:2206.13568 (only the abstract was read; the correction in one pass is winit's)",
        paper=papers.HE_JACOBIAN,
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
