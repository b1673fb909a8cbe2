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
    """Gaussian moments of φ at one q: E φ, E φ², E φ′², and d(E φ²)/dq = E[φφ′z]/√q."""

    mean: float
    square: float
    slope: float
    growth: float


@lru_cache(maxsize=4096)
def _moments(phi: Phi, q: float) -> Moments:
    u, weights = gauss(q, phi.kinks)
    f, df = phi.phi(u), phi.dphi(u)
    growth = float(weights @ (f * df * u)) / q if q > 0 else float(df[0] ** 2)
    return Moments(float(weights @ f), float(weights @ (f * f)), float(weights @ (df * df)), growth)


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
    """

    q: np.ndarray
    h_variance: np.ndarray
    delta: np.ndarray


def predict(
    activation: str | Phi,
    widths: list[int],
    weight_variances: list[float],
    bias_variances: list[float],
    input_square: float = 1.0,
) -> Prediction:
    """Return the theory of one network, layer by layer.

        q_l = n_{l−1} Var(w_l) E[h_{l−1}²] + Var(b_l),   h = φ(√q z)
        E[δ_l²] = n_{l+1} Var(w_{l+1}) E[δ_{l+1}²] E[φ′(√q_l z)²]

    Args:
        activation: φ of the hidden layers.
        widths: units of every layer, inputs first and outputs last.
        weight_variances, bias_variances: of every layer.
        input_square: mean square of the inputs.

    Source: He et al. 2015, §2.2, without the assumption that φ is ReLU.
    """
    layers = len(widths) - 1
    q, h_variance, slopes = np.empty(layers), np.full(layers, np.nan), np.ones(layers)
    below = input_square
    for layer in range(layers):
        q[layer] = widths[layer] * weight_variances[layer] * below + bias_variances[layer]
        if layer < layers - 1:
            m = moments(activation, q[layer])
            below, h_variance[layer] = m.square, m.square - m.mean**2
            slopes[layer] = m.slope
    delta = np.ones(layers)
    for layer in range(layers - 2, -1, -1):
        delta[layer] = delta[layer + 1] * widths[layer + 2] * weight_variances[layer + 1] * slopes[layer]
    return Prediction(q, h_variance, delta)
