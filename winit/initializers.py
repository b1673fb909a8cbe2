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

from winit import catalog, meanfield

# Standard deviation of a standard normal cut at ±2 (its variance is 1 − 4φ(2)/(2Φ(2) − 1) = 0.7737413).
TRUNCATED_STD = 0.87962566103423978
CUT = 0.02275013194817921  # Φ(−2), the mass below the cut


@dataclass(frozen=True)
class Layer:
    """What a scheme may know about the layer it fills."""

    fan_in: int
    fan_out: int
    activation: str
    rng: np.random.Generator
    is_output: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return self.fan_in, self.fan_out


def variance_scaling(layer: Layer, scale: float, fan: str, distribution: str) -> np.ndarray:
    """Draw weights with Var(w) = scale / fan.

    Args:
        layer: the layer to fill.
        scale: the variance times the fan: 1 for LeCun and Glorot, 2 for He.
        fan: `fan_in`, `fan_out` or `fan_avg`, their mean.
        distribution: `normal`; `truncated_normal`, cut at two standard deviations and widened again so that the
            variance is as stated; or `uniform`, on ±√(3 Var).

    Returns:
        (fan_in, fan_out), float64.
    """
    fan_in, fan_out = layer.fan_in, layer.fan_out
    std = sqrt(scale / {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[fan])
    if distribution == "normal":
        return std * layer.rng.standard_normal(layer.shape)
    u = layer.rng.uniform(-1.0, 1.0, layer.shape)
    if distribution == "uniform":
        return sqrt(3.0) * std * u
    if distribution == "truncated_normal":
        return std / TRUNCATED_STD * ndtri(0.5 + (0.5 - CUT) * u)  # inverse of the cut distribution function
    raise ValueError(catalog.unknown("distribution", distribution, ["normal", "truncated_normal", "uniform"]))


def kumar(layer: Layer) -> np.ndarray:
    """Draw normal weights with Var(w) = 1 / (fan_in φ′(0)² (1 + φ(0)²)).

    For tanh this is 1/fan_in; for sigmoid 12.8/fan_in, a standard deviation of 3.6/√fan_in.

    Raises:
        ValueError: the activation is not differentiable at 0.

    Source: Kumar 2017, arXiv:1704.08863.
    """
    reason = catalog.why_not_applicable("kumar", layer.activation)
    if reason:
        raise ValueError(reason)
    phi = catalog.ACTIVATIONS[layer.activation]
    return variance_scaling(layer, 1 / (phi.slope_at_0**2 * (1 + phi.value_at_0**2)), "fan_in", "normal")


def orthogonal(layer: Layer, gain: float) -> np.ndarray:
    """Draw a matrix uniformly among those with WᵀW = g²I or, where the layer expands, WWᵀ = g²I.

    QR of a normal matrix gives it, once the signs of R's diagonal are taken out (Mezzadri 2007, §5).

    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120.
    """
    long, short = max(layer.shape), min(layer.shape)
    q, r = np.linalg.qr(layer.rng.standard_normal((long, short)))
    q *= np.sign(np.diag(r))
    return gain * (q if layer.fan_in >= layer.fan_out else q.T)


def moment_matched(layer: Layer) -> np.ndarray:
    """Draw normal weights with Var(w) = 1/(fan_in E[φ(z)²]), z ~ N(0, 1): pre-activations of variance 1 keep it.

    For ReLU this is He's rule, 2/fan_in.
    """
    return variance_scaling(layer, meanfield.gains(layer.activation).forward ** 2, "fan_in", "normal")


def moment_matched_backward(layer: Layer) -> np.ndarray:
    """Draw normal weights with Var(w) = 1/(fan_out E[φ′(z)²]), z ~ N(0, 1): gradients keep their variance."""
    return variance_scaling(layer, meanfield.gains(layer.activation).backward ** 2, "fan_out", "normal")


def _critical(layer: Layer, bias_variance: float) -> meanfield.Critical:
    """Return the critical point with the smallest q*.

    Raises:
        ValueError: there is none.
    """
    points = meanfield.critical(layer.activation, bias_variance)
    if not points:
        raise ValueError(f"edge_of_chaos: {layer.activation} has no critical point at σ_b² = {bias_variance:g}")
    return points[0]


def random_walk(layer: Layer) -> np.ndarray:
    """Draw normal weights with Var(w) = g²/fan_in; g corrects He's and LeCun's for the drift of log-lengths at width n.

        ReLU: g = √2 e^{1.2/(max(n, 6) − 2.4)},   identity: g = e^{1/(2n)},   n = fan_in

    Source: Sussillo & Abbott 2014, arXiv:1412.6558.

    Raises:
        ValueError: another activation.
    """
    reason = catalog.why_not_applicable("random_walk", layer.activation)
    if reason:
        raise ValueError(reason)
    n = layer.fan_in
    gain = sqrt(2) * exp(1.2 / (max(n, 6) - 2.4)) if layer.activation == "relu" else exp(1 / (2 * n))
    return variance_scaling(layer, gain**2, "fan_in", "normal")


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


def _sklearn_bound(layer: Layer) -> float:
    """Return scikit-learn's bound: √(6/(fan_in + fan_out)), for sigmoid √(2/(fan_in + fan_out))."""
    return sqrt((2 if layer.activation == "sigmoid" else 6) / (layer.fan_in + layer.fan_out))


Scheme = Callable[..., np.ndarray]

SCHEMES: dict[str, Scheme] = {
    "zeros": lambda layer: np.zeros(layer.shape),
    "constant": lambda layer, value: np.full(layer.shape, value),
    "normal": lambda layer, std: std * layer.rng.standard_normal(layer.shape),
    "uniform": lambda layer, bound: bound * layer.rng.uniform(-1.0, 1.0, layer.shape),
    "lecun_normal": lambda layer: variance_scaling(layer, 1, "fan_in", "normal"),
    "lecun_truncated_normal": lambda layer: variance_scaling(layer, 1, "fan_in", "truncated_normal"),
    "lecun_uniform": lambda layer: variance_scaling(layer, 1, "fan_in", "uniform"),
    "glorot_normal": lambda layer: variance_scaling(layer, 1, "fan_avg", "normal"),
    "glorot_truncated_normal": lambda layer: variance_scaling(layer, 1, "fan_avg", "truncated_normal"),
    "glorot_uniform": lambda layer: variance_scaling(layer, 1, "fan_avg", "uniform"),
    "he_normal": lambda layer: variance_scaling(layer, 2, "fan_in", "normal"),
    "he_truncated_normal": lambda layer: variance_scaling(layer, 2, "fan_in", "truncated_normal"),
    "he_uniform": lambda layer: variance_scaling(layer, 2, "fan_in", "uniform"),
    "he_fan_avg": lambda layer: variance_scaling(layer, 2, "fan_avg", "normal"),
    "he_fan_out": lambda layer: variance_scaling(layer, 2, "fan_out", "normal"),
    "kumar": kumar,
    "torch_default": lambda layer: variance_scaling(layer, 1 / 3, "fan_in", "uniform"),
    "sklearn_default": lambda layer: _sklearn_bound(layer) * layer.rng.uniform(-1.0, 1.0, layer.shape),
    "theano_glorot": lambda layer: variance_scaling(layer, 16, "fan_avg", "uniform"),
    "mup": lambda layer: variance_scaling(layer, 1 / layer.fan_in if layer.is_output else 1, "fan_in", "normal"),
    "variance": lambda layer, scale: variance_scaling(layer, scale, "fan_in", "normal"),
    "moment_matched": moment_matched,
    "moment_matched_backward": moment_matched_backward,
    "edge_of_chaos": lambda layer, bias_variance: variance_scaling(
        layer, _critical(layer, bias_variance).sigma_w2, "fan_in", "normal"
    ),
    "random_walk": random_walk,
    "orthogonal": orthogonal,
    "identity": lambda layer: np.eye(*layer.shape),
    "zero_hadamard": zero_hadamard,
    "martens_sparse": martens_sparse,
    "torch_sparse": torch_sparse,
}

# Biases are zero unless a scheme says otherwise.
BIASES: Mapping[str, Scheme] = {
    "torch_default": lambda layer: layer.rng.uniform(-1.0, 1.0, layer.fan_out) / sqrt(layer.fan_in),
    "sklearn_default": lambda layer: _sklearn_bound(layer) * layer.rng.uniform(-1.0, 1.0, layer.fan_out),
    "edge_of_chaos": lambda layer, bias_variance: sqrt(bias_variance) * layer.rng.standard_normal(layer.fan_out),
}


def draw(initializer: str, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (fan_in, fan_out) and biases (fan_out,) of one layer, in float64.

    Args:
        initializer: a scheme and its parameters, such as `he_normal` or `normal:0.01`.
        layer: the layer to fill; its generator is advanced.

    Raises:
        ValueError: unknown scheme, wrong parameters, or a scheme that has no meaning for the activation.
    """
    name, parameters = catalog.parse_initializer(initializer)
    weights = SCHEMES[name](layer, **parameters)
    biases = BIASES[name](layer, **parameters) if name in BIASES else np.zeros(layer.fan_out)
    return weights, biases
