"""Gaussian moments of φ, and means over pairs, by Gauss–Legendre quadrature on panels that are split at φ's kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf, sqrt

import numpy as np

from winit.theory.activations import Activation, resolve

REACH = 10.0  # standard deviations; the probability beyond is 1e-23
POINTS = 24  # nodes per panel
PAIR_POINTS = 16  # nodes per panel and direction for pairs: less than half of the work, with errors below 1e-10
# φ varies where its argument is of order 1, so panels are laid out both in units of z and in units of √q·z.
BREAKS = np.array([-REACH, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, REACH])
SCALES = np.array([-20.0, -8.0, -3.0, -1.0, 1.0, 3.0, 8.0, 20.0])


@cache
def _legendre(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of a panel from −1 to 1."""
    return np.polynomial.legendre.leggauss(points)


@lru_cache(maxsize=4096)
def gauss(q: float, kinks: tuple[float, ...] = (), points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes u and weights with Σ wᵢ g(uᵢ) = E[g(√q z)], z ~ N(0, 1), for g that are smooth between the kinks."""
    if q <= 0:
        return np.zeros(1), np.ones(1)
    root, (nodes, panel) = sqrt(q), _legendre(points)
    inner = np.concatenate([SCALES, np.asarray(kinks, float)]) / root
    breaks = np.unique(np.concatenate([BREAKS, inner[np.abs(inner) < REACH]]))
    half = np.diff(breaks)[:, None] / 2
    z = (breaks[:-1, None] + half * (1 + nodes)).ravel()
    weights = (half * panel).ravel() * np.exp(-z * z / 2) / sqrt(2 * np.pi)
    return root * z, weights


def pair_mean(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], c: float, q: float, kinks: tuple[float, ...] = ()
) -> float:
    """Return E[g(u₁, u₂)] for two Gaussian inputs with mean square q and correlation c.

        u₁ = √q z₁,   u₂ = √q (c z₁ + √(1 − c²) z₂)

    Args:
        function: g, elementwise on arrays with broadcasting.
        c: the correlation, from −1 to 1.
        q: the mean square.
        kinks: points in u₁ and u₂ where g may not be smooth.
    """
    spread = sqrt(max((1 - c) * (1 + c), 0.0) * q)  # standard deviation of u₂ given u₁
    if spread <= 1e-12 * sqrt(q):
        u, outer = gauss(q, kinks)
        return float(outer @ function(u, np.sign(c) * u))
    # The mean over u₂ is smooth in u₁, but changes quickly, over `spread`, where u₂ crosses a kink.
    u, outer = gauss(q, tuple(kink + spread * step for kink in kinks for step in (-8, -3, -1, 0, 1, 3, 8)), PAIR_POINTS)
    nodes, panel = _legendre(PAIR_POINTS)
    breaks = np.unique(np.concatenate([BREAKS, SCALES / spread]).clip(-REACH, REACH))[None, :]
    if kinks:
        crossings = (np.asarray(kinks, float)[None, :] - c * u[:, None]) / spread
        rows = np.broadcast_to(breaks, (len(u), breaks.shape[1]))
        breaks = np.sort(np.concatenate([rows, crossings.clip(-REACH, REACH)], axis=1), axis=1)
    half = np.diff(breaks, axis=1)[:, :, None] / 2
    z = breaks[:, :-1, None] + half * (1 + nodes)
    weights = half * panel * np.exp(-z * z / 2) / sqrt(2 * np.pi)
    z, weights = (part.reshape(len(breaks), -1) for part in (z, weights))
    values = function(u[:, None], c * u[:, None] + spread * z)
    return float(outer @ (weights * values).sum(axis=1)) if kinks else float(outer @ (values @ weights[0]))


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


def ratio(numerator: float, denominator: float) -> float:
    """Return numerator/denominator, or 0 if the denominator is 0."""
    return numerator / denominator if denominator > 0 else 0.0


def _kurtosis(weights: np.ndarray, values: np.ndarray) -> float:
    """Return E X²/(E X)² of values X ≥ 0, scaled to avoid overflow; 1 (no noise) if all are 0."""
    top = values.max()
    scaled = values / top if 0 < top < inf else np.ones_like(values)
    return float(weights @ (scaled * scaled)) / float(weights @ scaled) ** 2


def offset(phi: Activation, q: float) -> float:
    """Return what a centred activation subtracts from φ(√q z), its mean E φ; 0 for others."""
    if not phi.is_centred:
        return 0.0
    u, weights = gauss(q, phi.kinks)
    return float(weights @ phi.phi(u))


@lru_cache(maxsize=16384)
def _moments(phi: Activation, q: float) -> Moments:
    u, weights = gauss(q, phi.kinks)
    f, df = phi.phi(u) - offset(phi, q), phi.dphi(u)
    squares, slopes = f * f, df * df
    mean, square, slope = float(weights @ f), float(weights @ squares), float(weights @ slopes)
    centred = (f - mean) ** 2
    if q > 0:
        # From d/dq of the Gaussian density: E[g(u)]′ = E[g(u)(u²/q − 1)]/(2q), also for g with kinks.
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


def moments(activation: str | Activation, q: float) -> Moments:
    """Return the moments of φ(√q z), z ~ N(0, 1), for an activation or the name of one."""
    return _moments(resolve(activation), float(q))
