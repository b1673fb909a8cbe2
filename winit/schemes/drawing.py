"""Initial weights and biases of one layer, by named scheme.

Every scheme is a function `(layer) -> weights` in float64, written for weights of shape (fan_in, fan_out). All random
schemes draw from the layer's own generator, which does not know the scheme: two normal schemes in the same replicate
are the same noise at two scales, and so are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, exp, sqrt

import numpy as np
from scipy.linalg import hadamard
from scipy.special import ndtri

from winit.schemes.catalog import parse, why_not_applicable
from winit.theory.activations import ACTIVATIONS
from winit.theory.gains import gains
from winit.theory.maps import critical
from winit.vocabulary.errors import unknown_name

# Standard deviation of a standard normal cut at ±2 (its variance is 1 − 4φ(2)/(2Φ(2) − 1) = 0.7737413).
TRUNCATED_STD = 0.87962566103423978
CUT = 0.02275013194817921  # Φ(−2), the mass below the cut


@dataclass(frozen=True)
class Layer:
    """What a scheme may know about the layer it fills."""

    fan_in: int
    fan_out: int
    activation: str
    rng: np.random.Generator | None  # None where nothing is drawn
    is_output: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return self.fan_in, self.fan_out


def _independent(rng: np.random.Generator, shape: tuple[int, ...], std: float, distribution: str) -> np.ndarray:
    """Draw independent numbers of mean 0: `normal`; `uniform`, on ±√3 std; or `truncated_normal`, cut at two standard
    deviations of its parent, which is so wide that the standard deviation is as stated.
    """
    if distribution == "normal":
        return std * rng.standard_normal(shape)
    u = rng.uniform(-1.0, 1.0, shape)
    if distribution == "uniform":
        return sqrt(3.0) * std * u
    if distribution == "truncated_normal":
        return std / TRUNCATED_STD * ndtri(0.5 + (0.5 - CUT) * u)  # inverse of the cut distribution function
    raise ValueError(unknown_name("distribution", distribution, ["normal", "truncated_normal", "uniform"]))


@dataclass(frozen=True)
class VarianceScaling:
    """Independent weights with Var(w) = scale / fan.

    Attributes:
        scale: the variance times the fan, 1 for LeCun and Glorot, 2 for He; or a function of the layer and of the
            scheme's parameters that returns it.
        fan: `fan_in`, `fan_out`, `fan_avg`, their mean, or `one`.
        distribution: `normal`, `truncated_normal` or `uniform`.
    """

    scale: float | Callable[..., float]
    fan: str
    distribution: str

    def std(self, layer: Layer, **parameters: float) -> float:
        """Return √Var(w)."""
        fan_in, fan_out = layer.fan_in, layer.fan_out
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2, "one": 1}
        scale = self.scale(layer, **parameters) if callable(self.scale) else self.scale
        return sqrt(scale / fans[self.fan])

    def __call__(self, layer: Layer, **parameters: float) -> np.ndarray:
        """Draw weights (fan_in, fan_out), float64."""
        return _independent(layer.rng, layer.shape, self.std(layer, **parameters), self.distribution)

    def biases(self, layer: Layer, **parameters: float) -> np.ndarray:
        """Draw biases (fan_out,), float64."""
        return _independent(layer.rng, (layer.fan_out,), self.std(layer, **parameters), self.distribution)


def _refuse(scheme: str, layer: Layer) -> None:
    reason = why_not_applicable(scheme, layer.activation)
    if reason:
        raise ValueError(reason)


def kumar(layer: Layer) -> float:
    """Return 1 / (φ′(0)² (1 + φ(0)²)): 1 for tanh; 12.8 for sigmoid, a standard deviation of 3.6/√fan_in.

    Raises:
        ValueError: the activation is not differentiable at 0.

    Source: Kumar 2017, arXiv:1704.08863.
    """
    _refuse("kumar", layer)
    phi = ACTIVATIONS[layer.activation]
    return 1 / (phi.slope_at_0**2 * (1 + phi.value_at_0**2))


def moment_matched(layer: Layer) -> float:
    """Return 1/E[φ(z)²], z ~ N(0, 1): pre-activations of variance 1 keep it. For ReLU this is He's 2."""
    return gains(layer.activation).forward ** 2


def moment_matched_backward(layer: Layer) -> float:
    """Return 1/E[φ′(z)²], z ~ N(0, 1): times 1/fan_out, gradients keep their variance."""
    return gains(layer.activation).backward ** 2


def edge_of_chaos(layer: Layer, bias_variance: float) -> float:
    """Return σ_w² of the critical point with biases N(0, σ_b²); of several, that with the smallest q*.

    Source: Poole et al. 2016; Schoenholz et al. 2017.

    Raises:
        ValueError: there is none.
    """
    points = critical(layer.activation, bias_variance)
    if not points:
        raise ValueError(f"edge_of_chaos: {layer.activation} has no critical point at σ_b² = {bias_variance:g}")
    return points[0].sigma_w2


def random_walk(layer: Layer) -> float:
    """Return g²; g corrects He's and LeCun's gains for the drift of log-lengths at a finite width.

        ReLU: g = √2 e^{1.2/(max(n, 6) − 2.4)},   identity: g = e^{1/(2n)},   n = fan_in

    Source: Sussillo & Abbott 2014, arXiv:1412.6558.

    Raises:
        ValueError: another activation.
    """
    _refuse("random_walk", layer)
    n = layer.fan_in
    return (sqrt(2) * exp(1.2 / (max(n, 6) - 2.4)) if layer.activation == "relu" else exp(1 / (2 * n))) ** 2


def theano_glorot(layer: Layer) -> float:
    """Return 16, four times Glorot's bound; a rule for sigmoid alone."""
    _refuse("theano_glorot", layer)
    return 16


def sklearn_default(layer: Layer) -> float:
    """Return 1, as Glorot & Bengio 2010, eq. 16; for sigmoid a third of it."""
    return 1 / 3 if layer.activation == "sigmoid" else 1


def orthogonal(layer: Layer, gain: float) -> np.ndarray:
    """Draw a matrix uniformly among those with WᵀW = g²I or, where the layer expands, WWᵀ = g²I.

    QR of a normal matrix gives it, once the signs of R's diagonal are taken out (Mezzadri 2007, §5).

    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120.
    """
    long, short = max(layer.shape), min(layer.shape)
    q, r = np.linalg.qr(layer.rng.standard_normal((long, short)))
    q *= np.sign(np.diag(r))
    return gain * (q if layer.fan_in >= layer.fan_out else q.T)


def zero_hadamard(layer: Layer) -> np.ndarray:
    """Return the ZerO matrix: a partial identity or, where the layer expands, I H I/2^{k/2} with Hadamard's H of size 2ᵏ.

    k = ⌈log₂ fan_out⌉. Source: Zhao, Schäfer & Anandkumar 2022, arXiv:2110.12661, algorithm 1.
    """
    if layer.fan_out <= layer.fan_in:
        return np.eye(*layer.shape)
    k = (layer.fan_out - 1).bit_length()
    return hadamard(2**k)[: layer.fan_in, : layer.fan_out] / 2 ** (k / 2)


def martens_sparse(layer: Layer, connections: float) -> np.ndarray:
    """Draw k incoming weights of every unit from N(0, 1), and leave the others 0.

    Source: Martens 2010, Deep learning via Hessian-free optimization, §5.
    """
    k = min(round(connections), layer.fan_in)
    chosen = layer.rng.random(layer.shape).argsort(axis=0) < k
    return np.where(chosen, layer.rng.standard_normal(layer.shape), 0.0)


def torch_sparse(layer: Layer, sparsity: float) -> np.ndarray:
    """Draw weights from N(0, 0.01²) and set ⌈s·fan_out⌉ outgoing weights of every input to 0, as torch's sparse_ does."""
    zeros = ceil(sparsity * layer.fan_out)
    dropped = layer.rng.random(layer.shape).argsort(axis=1) < zeros
    return np.where(dropped, 0.0, 0.01 * layer.rng.standard_normal(layer.shape))


Scheme = Callable[..., np.ndarray]
scaled = VarianceScaling

SCHEMES: dict[str, Scheme] = {
    "zeros": lambda layer: np.zeros(layer.shape),
    "constant": lambda layer, value: np.full(layer.shape, value),
    "normal": scaled(lambda layer, std: std**2, "one", "normal"),
    "uniform": scaled(lambda layer, bound: bound**2 / 3, "one", "uniform"),
    "lecun_normal": scaled(1, "fan_in", "normal"),
    "lecun_truncated_normal": scaled(1, "fan_in", "truncated_normal"),
    "lecun_uniform": scaled(1, "fan_in", "uniform"),
    "glorot_normal": scaled(1, "fan_avg", "normal"),
    "glorot_truncated_normal": scaled(1, "fan_avg", "truncated_normal"),
    "glorot_uniform": scaled(1, "fan_avg", "uniform"),
    "he_normal": scaled(2, "fan_in", "normal"),
    "he_truncated_normal": scaled(2, "fan_in", "truncated_normal"),
    "he_uniform": scaled(2, "fan_in", "uniform"),
    "he_fan_avg": scaled(2, "fan_avg", "normal"),
    "he_fan_out": scaled(2, "fan_out", "normal"),
    "kumar": scaled(kumar, "fan_in", "normal"),
    "torch_default": scaled(1 / 3, "fan_in", "uniform"),
    "sklearn_default": scaled(sklearn_default, "fan_avg", "uniform"),
    "theano_glorot": scaled(theano_glorot, "fan_avg", "uniform"),
    "mup": scaled(lambda layer: 1 / layer.fan_in if layer.is_output else 1, "fan_in", "normal"),
    "variance": scaled(lambda layer, scale: scale, "fan_in", "normal"),
    "mean_field": scaled(lambda layer, weight_variance, bias_variance: weight_variance, "fan_in", "normal"),
    "moment_matched": scaled(moment_matched, "fan_in", "normal"),
    "moment_matched_backward": scaled(moment_matched_backward, "fan_out", "normal"),
    "edge_of_chaos": scaled(edge_of_chaos, "fan_in", "normal"),
    "random_walk": scaled(random_walk, "fan_in", "normal"),
    "orthogonal": orthogonal,
    "identity": lambda layer: np.eye(*layer.shape),
    "zero_hadamard": zero_hadamard,
    "martens_sparse": martens_sparse,
    "torch_sparse": torch_sparse,
}

# Biases are zero unless a scheme says otherwise.
BIASES: Mapping[str, VarianceScaling] = {
    "torch_default": scaled(1 / 3, "fan_in", "uniform"),
    "sklearn_default": scaled(sklearn_default, "fan_avg", "uniform"),
    "mean_field": scaled(lambda layer, weight_variance, bias_variance: bias_variance, "one", "normal"),
    "edge_of_chaos": scaled(lambda layer, bias_variance: bias_variance, "one", "normal"),
}


def variances(initializer: str, layer: Layer) -> tuple[float, float] | None:
    """Return Var(w) and Var(b) of a layer, or None where the weights are not independent, or depend on data."""
    parsed = parse(initializer)
    scheme, biases = SCHEMES[parsed.name], BIASES.get(parsed.name)
    if not isinstance(scheme, VarianceScaling) or parsed.is_data_dependent:
        return None
    if layer.is_output and "last_layer_zero" in parsed.modifiers:
        return 0.0, 0.0
    of_biases = biases.std(layer, **parsed.parameters) ** 2 if biases else 0.0
    return scheme.std(layer, **parsed.parameters) ** 2, of_biases


def draw(initializer: str, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (fan_in, fan_out) and biases (fan_out,) of one layer, in float64, before any data is seen.

    Args:
        initializer: a scheme, its parameters and modifiers, such as `he_normal`, `normal:0.01` or
            `he_normal+last_layer_zero`. What a data-dependent modifier does next is in `calibrate`.
        layer: the layer to fill; its generator is advanced.

    Raises:
        ValueError: unknown scheme, wrong parameters, or a scheme that has no meaning for the activation.
    """
    name, parameters, modifiers = parse(initializer)
    if layer.is_output and "last_layer_zero" in modifiers:
        return np.zeros(layer.shape), np.zeros(layer.fan_out)
    weights = SCHEMES[name](layer, **parameters)
    biases = BIASES[name].biases(layer, **parameters) if name in BIASES else np.zeros(layer.fan_out)
    return weights, biases
