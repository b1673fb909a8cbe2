"""The theory of infinitely wide random networks: how signals, gradients and angles travel with depth.

In a wide layer with weights W ~ N(0, σ_w²/fan_in) and biases b ~ N(0, σ_b²), pre-activations z are Gaussian. Their mean
square q, the correlation c of two inputs and the variance of gradients then follow one-dimensional maps, evaluated here
in float64 by Gauss–Legendre quadrature on panels that are split at the kinks of φ.

Sources: Poole et al. 2016 (arXiv:1606.05340); Schoenholz et al. 2017 (arXiv:1611.01232).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from math import inf, log, sqrt

import numpy as np
from scipy.optimize import brentq

from winit import catalog
from winit.functions import FUNCTIONS, Phi

REACH = 10.0  # standard deviations; the mass beyond is 1e-23
POINTS = 24  # nodes of a panel
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(POINTS)
# φ varies where its argument is of order 1, so the panels are laid out in units of z and, again, of √q·z.
_BREAKS = np.array([-REACH, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, REACH])
_SCALES = np.array([-20.0, -8.0, -3.0, -1.0, 1.0, 3.0, 8.0, 20.0])


@lru_cache(maxsize=4096)
def gauss(q: float, kinks: tuple[float, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes u and weights with Σ wᵢ g(uᵢ) = E[g(√q z)], z ~ N(0, 1), for a g that is smooth between the kinks."""
    if q <= 0:
        return np.zeros(1), np.ones(1)
    root = sqrt(q)
    inner = np.concatenate([_SCALES, np.asarray(kinks, float)]) / root
    breaks = np.unique(np.concatenate([_BREAKS, inner[np.abs(inner) < REACH]]))
    half = np.diff(breaks)[:, None] / 2
    z = (breaks[:-1, None] + half * (1 + _NODES)).ravel()
    weights = (half * _WEIGHTS).ravel() * np.exp(-z * z / 2) / sqrt(2 * np.pi)
    return root * z, weights


@dataclass(frozen=True)
class Moments:
    """Gaussian moments of φ at one q, u = √q z.

    Attributes:
        mean, square, slope: E φ, E φ², E φ′².
        growth: d(E φ²)/dq = E[φφ′u]/q.
        variance_growth: d(Var φ)/dq.
        slope_growth: d(E φ′²)/dq.
        square_noise, variance_noise, slope_noise: E X²/(E X)² − 1 for X = φ², (φ − E φ)² and g²φ′² with g ~ N(0, 1):
            times 1/n the relative variance of their mean over n units.
    """

    mean: float
    square: float
    slope: float
    growth: float
    variance_growth: float
    slope_growth: float
    square_noise: float
    variance_noise: float
    slope_noise: float

    @property
    def variance(self) -> float:
        return self.square - self.mean**2


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else 0.0


def _kurtosis(weights: np.ndarray, values: np.ndarray) -> float:
    """Return E X²/(E X)² of values X ≥ 0, scaled so that nothing overflows; 1, no noise, where all are 0."""
    top = values.max()
    scaled = values / top if 0 < top < inf else np.ones_like(values)
    return float(weights @ (scaled * scaled)) / float(weights @ scaled) ** 2


@lru_cache(maxsize=16384)
def _moments(phi: Phi, q: float) -> Moments:
    u, weights = gauss(q, phi.kinks)
    f, df = phi.phi(u), phi.dphi(u)
    squares, slopes = f * f, df * df
    mean, square, slope = float(weights @ f), float(weights @ squares), float(weights @ slopes)
    centred = (f - mean) ** 2
    if q > 0:
        # d/dq of the Gaussian density: E[g(u)]′ = E[g(u)(u²/q − 1)]/(2q), whatever the kinks of g.
        score = weights * (u * u / q - 1) / (2 * q)
        growth = float(weights @ (f * df * u)) / q
        mean_growth, slope_growth = float(score @ f), float(score @ slopes)
    else:
        growth, mean_growth, slope_growth = float(df[0] ** 2), 0.0, 0.0
    return Moments(
        mean,
        square,
        slope,
        growth,
        growth - 2 * mean * mean_growth,
        slope_growth,
        _kurtosis(weights, squares) - 1,
        _kurtosis(weights, centred) - 1,
        3 * _kurtosis(weights, slopes) - 1,
    )


def moments(activation: str | Phi, q: float) -> Moments:
    """Return the moments of φ(√q z), z ~ N(0, 1), for a named activation or any function."""
    return _moments(FUNCTIONS[activation] if isinstance(activation, str) else activation, float(q))


# --- gains --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gains:
    """Standard deviations of weights, times √fan, that keep a signal, a gradient, or both, at q = 1."""

    forward: float
    backward: float

    @property
    def mean(self) -> float:
        """The geometric mean of the two."""
        return sqrt(self.forward * self.backward)


def gains(activation: str | Phi) -> Gains:
    """Return the gains of φ: 1/√E[φ(z)²] forward, 1/√E[φ′(z)²] backward, z ~ N(0, 1).

    For ReLU both are √2 (He et al. 2015).
    """
    m = moments(activation, 1.0)
    return Gains(1 / sqrt(m.square), 1 / sqrt(m.slope))


# --- the length map -----------------------------------------------------------------------------------------------


def length_map(activation: str | Phi, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """Return the next layer's q: F(q) = σ_w² E[φ(√q z)²] + σ_b² (Poole et al. 2016, eq. 3)."""
    return sigma_w2 * moments(activation, q).square + sigma_b2


def lengths(
    activation: str | Phi, depth: int, sigma_w2: float, sigma_b2: float = 0.0, q: float | None = None
) -> np.ndarray:
    """Return q of layers 1 … depth, the first being σ_w² + σ_b² (inputs of mean square 1) unless given."""
    values = np.empty(depth)
    q = sigma_w2 + sigma_b2 if q is None else q
    for layer in range(depth):
        values[layer] = q
        following = length_map(activation, q, sigma_w2, sigma_b2)
        if abs(following - q) <= 1e-15 * q:  # it has arrived
            values[layer:] = q
            break
        q = following
    return values


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point q* of the length map, and what happens there.

    `slope` is F′(q*): the point is stable where it is below 1. `chi_1` is σ_w² E[φ′(√q* z)²], the factor by which
    gradients grow with every layer: ordered below 1, critical at 1, chaotic above.
    """

    q_star: float
    slope: float
    chi_1: float

    @property
    def is_stable(self) -> bool:
        return self.slope < 1

    @property
    def xi_q(self) -> float:
        """Depth, in layers, over which a deviation of q falls to 1/e; infinite at an unstable point."""
        return -1 / log(self.slope) if 0 < self.slope < 1 else (0.0 if self.slope <= 0 else inf)

    @property
    def xi_c(self) -> float:
        """Depth, in layers, over which gradients change by a factor of e: 1/|log χ₁| (Schoenholz et al. 2017, eq. 9)."""
        return inf if self.chi_1 == 1 else 1 / abs(log(self.chi_1))


_SCAN = np.geomspace(1e-9, 1e9, 145)


def _roots(function, grid: np.ndarray = _SCAN) -> list[float]:
    """Return the roots of a function on a logarithmic grid."""
    values = [function(q) for q in grid]
    return [
        brentq(function, low, high, xtol=1e-14, rtol=1e-13)
        for low, high, a, b in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True)
        if np.isfinite(a) and np.isfinite(b) and a * b < 0
    ]


def fixed_points(activation: str | Phi, sigma_w2: float, sigma_b2: float = 0.0) -> list[FixedPoint]:
    """Return the fixed points of the length map with q* between 1e-9 and 1e9, smallest first; there may be none."""
    found = []
    for q in _roots(lambda q: length_map(activation, q, sigma_w2, sigma_b2) - q):
        m = moments(activation, q)
        found.append(FixedPoint(q, sigma_w2 * m.growth, sigma_w2 * m.slope))
    return found


@dataclass(frozen=True)
class Critical:
    """A point (σ_w², σ_b²) of the critical line χ₁ = 1, with its fixed point q* and the slope F′(q*) there."""

    sigma_w2: float
    sigma_b2: float
    q_star: float
    slope: float

    @property
    def is_stable(self) -> bool:
        return self.slope < 1


def critical(activation: str | Phi, sigma_b2: float) -> list[Critical]:
    """Return the points of the critical line at one σ_b²: σ_w² E[φ′(√q z)²] = 1 and F(q) = q; there may be none."""

    def gap(q: float) -> float:
        m = moments(activation, q)
        return m.square / m.slope + sigma_b2 - q if m.slope > 1e-300 else inf

    found = []
    for q in _roots(gap):
        m = moments(activation, q)
        found.append(Critical(1 / m.slope, sigma_b2, q, m.growth / m.slope))
    return found


# --- the correlation map ------------------------------------------------------------------------------------------


@lru_cache(maxsize=16384)
def correlation_map(activation: str | Phi, c: float, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """Return the next layer's correlation of two inputs, both of mean square q and correlation c now.

        c′ = (σ_w² E[φ(u₁)φ(u₂)] + σ_b²) / F(q),   u₁ = √q z₁,   u₂ = √q (c z₁ + √(1 − c²) z₂)

    Source: Poole et al. 2016, eq. 5.
    """
    phi = FUNCTIONS[activation] if isinstance(activation, str) else activation
    u, outer = gauss(q, phi.kinks)
    rest = q * (1 - c * c)
    if rest <= 1e-15 * q:
        inner = phi.phi(np.sign(c) * u)
    else:
        root = sqrt(rest)
        # For each u₁ the inner integral is split where u₂ meets a kink.
        shifts = (np.asarray(phi.kinks, float)[None, :] - c * u[:, None]) / root
        base = np.unique(np.concatenate([_BREAKS, _SCALES / root]).clip(-REACH, REACH))
        rows = np.broadcast_to(base, (len(u), len(base)))
        breaks = np.sort(np.concatenate([rows, shifts.clip(-REACH, REACH)], axis=1), axis=1)
        half = np.diff(breaks, axis=1)[:, :, None] / 2
        z = breaks[:, :-1, None] + half * (1 + _NODES)
        weights = half * _WEIGHTS * np.exp(-z * z / 2) / sqrt(2 * np.pi)
        inner = (weights * phi.phi(c * u[:, None, None] + root * z)).sum(axis=(1, 2))
    joint = float(outer @ (phi.phi(u) * inner))
    return (sigma_w2 * joint + sigma_b2) / length_map(phi, q, sigma_w2, sigma_b2)


# --- one activation in numbers ------------------------------------------------------------------------------------

CARD = {
    "mean": "mean E[φ]",
    "square": "mean square E[φ²]",
    "slope": "mean square slope E[φ′²]",
    "forward_gain": "gain that keeps signals, 1/√E[φ²]",
    "backward_gain": "gain that keeps gradients, 1/√E[φ′²]",
    "mean_gain": "geometric mean of the two",
    "chi_1": "gradient's factor a layer at the forward gain, χ₁",
    "growth": "slope of the log-length map at the forward gain",
    "kumar_gain": "Kumar's std · √fan_in",
}


def card(activation: str) -> dict[str, object]:
    """Return the numbers `CARD` of one activation at q = 1, and its critical points at σ_b² = 0.01, 0.05 and 0.2."""
    phi = FUNCTIONS[activation]
    m, g = moments(phi, 1.0), gains(phi)
    at_0, slope_at_0 = catalog.ACTIVATIONS[activation].value_at_0, catalog.ACTIVATIONS[activation].slope_at_0
    kumar = 1 / sqrt(slope_at_0**2 * (1 + at_0**2)) if slope_at_0 else None
    points = [point for sigma_b2 in (0.01, 0.05, 0.2) for point in critical(phi, sigma_b2)]
    return {
        "mean": m.mean,
        "square": m.square,
        "slope": m.slope,
        "forward_gain": g.forward,
        "backward_gain": g.backward,
        "mean_gain": g.mean,
        "chi_1": m.slope / m.square,
        "growth": m.growth / m.square,
        "kumar_gain": kumar,
        "critical": [asdict(point) | {"is_stable": point.is_stable} for point in points],
    }


# --- networks of any shape ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prediction:
    """What the theory expects in each layer of a network at initialization, hidden layers first, the output last.

    Attributes:
        q: mean square of the pre-activations.
        h_variance: variance of the hidden activations, over units and examples; NaN for the output layer.
        delta: mean square of ∂ℓ/∂z relative to that of the output layer.
        q_spread, h_spread, delta_spread: what a finite width does to them: the standard deviation, over networks, of the
            logarithm of each, for one input. Averages over many inputs vary less.
        amplification: by what factor a small relative deviation of q in the first layer has grown here.
    """

    q: np.ndarray
    h_variance: np.ndarray
    delta: np.ndarray
    q_spread: np.ndarray
    h_spread: np.ndarray
    delta_spread: np.ndarray
    amplification: np.ndarray


def predict(
    activation: str | Phi,
    widths: list[int],
    weight_variances: list[float],
    bias_variances: list[float],
    input_squares: float | np.ndarray = 1.0,
) -> Prediction:
    """Return the theory of one network, layer by layer.

        q_l = n_{l−1} Var(w_l) E[h_{l−1}²] + Var(b_l),   h = φ(√q z)
        E[δ_l²] = n_{l+1} Var(w_{l+1}) E[δ_{l+1}²] E[φ′(√q_l z)²]

    Inputs of different length have different q and are averaged. The spreads follow from linear propagation of the
    noise that each layer's finite number of units adds; for ReLU, 5/n a layer in both directions.

    Args:
        activation: φ of the hidden layers.
        widths: units of every layer, inputs first and outputs last.
        weight_variances, bias_variances: of every layer.
        input_squares: mean square of the inputs' components, one number or one for each of several inputs.

    Source: He et al. 2015, §2.2, without the assumption that φ is ReLU; for the spread of ReLU networks Hanin & Rolnick
    2018, theorem 5.
    """
    squares = np.atleast_1d(np.asarray(input_squares, float))
    paths = [_path(activation, widths, weight_variances, bias_variances, square) for square in squares]
    q, square, mean, delta = (np.mean(values, axis=0) for values in zip(*paths, strict=True))
    spreads = _spreads(activation, widths, weight_variances, bias_variances, float(squares.mean()))
    return Prediction(q, square - mean**2, delta, *spreads)


def _path(
    activation: str | Phi, widths: list[int], weights: list[float], biases: list[float], square: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return q, E h², E h and the relative E δ² of every layer for one length of the input."""
    layers = len(widths) - 1
    q, h_square, h_mean, slopes = np.empty(layers), np.full(layers, np.nan), np.full(layers, np.nan), np.ones(layers)
    for layer in range(layers):
        q[layer] = widths[layer] * weights[layer] * square + biases[layer]
        if layer < layers - 1:
            m = moments(activation, q[layer])
            square, h_square[layer], h_mean[layer], slopes[layer] = m.square, m.square, m.mean, m.slope
    delta = np.ones(layers)
    for layer in range(layers - 2, -1, -1):
        delta[layer] = delta[layer + 1] * widths[layer + 2] * weights[layer + 1] * slopes[layer]
    return q, h_square, h_mean, delta


def _spreads(
    activation: str | Phi, widths: list[int], weights: list[float], biases: list[float], square: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the spreads of log q, log Var h and log E δ², and the amplification, of every layer.

    Layer i adds the noise ξ_i to log E h_i², of variance `square_noise`/n_i. `carried[l, i]` is the derivative of log q_l
    by ξ_i.
    """
    layers = len(widths) - 1
    carried, noise = np.zeros((layers, layers)), np.zeros(layers)
    h_spread, amplification = np.full(layers, np.nan), np.ones(layers)
    elasticity = 0.0  # d log E φ²/d log q of the layer below
    back, fresh = np.zeros(layers), np.zeros(layers)  # d log E φ′²/d log q; noise of the way back
    for layer in range(layers):
        q = widths[layer] * weights[layer] * square + biases[layer]
        if layer:
            share = _ratio(widths[layer] * weights[layer] * square, q)  # of the weights, in q
            carried[layer] = share * elasticity * carried[layer - 1]
            carried[layer, layer - 1] = share
            amplification[layer] = amplification[layer - 1] * share * elasticity
        if layer == layers - 1:
            break
        m, n = moments(activation, q), widths[layer + 1]
        elasticity = _ratio(q * m.growth, m.square)
        noise[layer] = m.square_noise / n
        back[layer], fresh[layer] = _ratio(q * m.slope_growth, m.slope), max(m.slope_noise, 0.0) / n
        own = _ratio(q * m.variance_growth, m.variance) ** 2 * float(carried[layer] ** 2 @ noise)
        h_spread[layer] = sqrt(own + max(m.variance_noise, 0.0) / n)
        square = m.square
    sizes = np.array(widths[1:])
    q_spread = np.sqrt(carried**2 @ noise + 2 / sizes)
    # δ of layer l meets φ′ of layers l … L − 1: their elasticities add up, noise by noise.
    delta_spread = np.zeros(layers)
    for layer in range(layers - 1):
        together = back[layer:-1] @ carried[layer:-1]
        delta_spread[layer] = sqrt(float(together**2 @ noise) + fresh[layer:-1].sum())
    return q_spread, h_spread, delta_spread, amplification


def tolerance(spread: float | np.ndarray, replicates: int) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Return the factors, below and above 1, within which a geometric mean over networks agrees with the theory.

        exp(−3 s/√R − s²/2)  to  exp(3 s/√R),   at least 10 % either way

    s is the spread of the logarithm for one input. A lognormal's logarithm lies s²/2 below its mean on average; a value
    that many inputs average lies between the two.
    """
    error = 3 * spread / np.sqrt(replicates)
    return np.exp(-np.maximum(error + spread**2 / 2, -np.log(0.9))), np.exp(np.maximum(error, np.log(1.1)))


# --- how deep ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DepthScale:
    """Where the length map leads, and how far a gradient gets there.

    Attributes:
        q: after many layers; 0 or infinite where the map goes there.
        chi_1: σ_w² E[φ′(√q z)²] there.
        xi: 1/|log χ₁|, the layers in which gradients change by a factor e; 0 where φ′ is 0 there.
    """

    q: float
    chi_1: float
    xi: float

    @property
    def depth_limit(self) -> float:
        """Layers beyond which training is not expected to work: 6 ξ (Schoenholz et al. 2017, §5, an empirical factor)."""
        return 6 * self.xi


def depth_scale(activation: str | Phi, sigma_w2: float, sigma_b2: float = 0.0, q: float = 1.0) -> DepthScale:
    """Return the depth scale of networks that start at q, followed through 1,000 layers or until q settles."""
    for _ in range(1000):
        following = length_map(activation, q, sigma_w2, sigma_b2)
        settled = abs(following - q) <= 1e-12 * q
        q = following
        if settled or not 1e-100 < q < 1e100:
            break
    chi_1 = sigma_w2 * moments(activation, q).slope
    if not settled:
        q = 0.0 if q < 1e-50 else inf if q > 1e50 else q
    xi = (inf if abs(log(chi_1)) < 1e-9 else 1 / abs(log(chi_1))) if 0 < chi_1 < inf else 0.0
    return DepthScale(q, chi_1, xi)
