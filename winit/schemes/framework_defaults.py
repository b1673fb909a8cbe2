"""Rules from libraries and tutorials: torch, scikit-learn, Theano, μP."""

from __future__ import annotations

from winit.schemes import papers
from winit.schemes.scheme import Layer, Scheme
from winit.schemes.variance_scaling import Scaling, VarianceScaling
from winit.theory.activations import Activation


def sklearn_scale(layer: Layer) -> float:
    """Return 1, as in Glorot & Bengio 2010, eq. 16, or 1/3 for sigmoid."""
    return 1 / 3 if layer.activation == "sigmoid" else 1


def _needs_sigmoid(activation: Activation) -> str | None:
    if activation.name == "sigmoid":
        return None
    return f"4 × Glorot uniform is a rule for sigmoid only, and the activation is {activation.label}"


SCHEMES: tuple[Scheme, ...] = (
    VarianceScaling(
        name="torch_default",
        label="torch nn.Linear default",
        family="framework",
        variance="1/(3 fan_in)",
        source="torch.nn.Linear.reset_parameters (pytorch issues 15314, 57109)",
        bias="uniform ±1/√fan_in",
        aliases=("std_heuristic",),  # U(±1/√fan_in): the rule that Glorot & Bengio 2010 criticize is torch's
        scale=1 / 3,
        fan="fan_in",
        distribution="uniform",
        biases=Scaling(1 / 3, "fan_in", "uniform"),
        marker="h",
        dashes=(3, 1, 1, 1),
        torch="layer.reset_parameters()  # as constructed",
    ),
    VarianceScaling(
        name="sklearn_default",
        label="scikit-learn's MLP rule",
        family="framework",
        variance="2/(fan_in + fan_out); sigmoid: a third of that",
        source="sklearn.neural_network.MLPClassifier",
        bias="uniform, with the bound of the weights",
        scale=sklearn_scale,
        fan="fan_avg",
        distribution="uniform",
        biases=Scaling(sklearn_scale, "fan_avg", "uniform"),
        marker="p",
        dashes=(1, 2),
    ),
    VarianceScaling(
        name="theano_glorot",
        label="4 × Glorot uniform",
        family="framework",
        variance="32/(fan_in + fan_out)",
        source="Theano's deep learning tutorials (LISA lab), for sigmoid",
        needs=_needs_sigmoid,
        scale=lambda layer: 16,  # four times Glorot's bound
        fan="fan_avg",
        distribution="uniform",
        marker="<",
        dashes=(4, 1, 1, 1),
    ),
    VarianceScaling(
        name="mup",
        label="μP's variances",
        family="framework",
        variance="1/fan_in; output layer 1/fan_in²",
        source="Yang & Hu 2021 (arXiv:2011.14522), table 1; its learning rates are not part of this",
        paper=papers.YANG,
        scale=lambda layer: 1 / layer.fan_in if layer.is_last else 1,
        fan="fan_in",
        distribution="normal",
        marker="d",
        dashes=(2, 1),
        remark="hidden layers",
    ),
)
