"""The theory of infinitely wide random networks: how signals, gradients and angles travel with depth.

In a wide layer with weights W ~ N(0, σ_w²/fan_in) and biases b ~ N(0, σ_b²), pre-activations z are Gaussian. Their mean
square q, the correlation c of two inputs and the variance of gradients then follow one-dimensional maps, evaluated here
in float64 by Gauss–Legendre quadrature on panels that are split at the kinks of φ.

Sources: Poole et al. 2016 (arXiv:1606.05340); Schoenholz et al. 2017 (arXiv:1611.01232).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log, sqrt

import numpy as np
from scipy.optimize import brentq

from winit.theory.activations import Activation, resolve
from winit.theory.quadrature import BREAKS, NODES, REACH, SCALES, WEIGHTS, gauss, moments


def length_map(activation: str | Activation, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """Return the next layer's q: F(q) = σ_w² E[φ(√q z)²] + σ_b² (Poole et al. 2016, eq. 3)."""
    return sigma_w2 * moments(activation, q).square + sigma_b2


def lengths(
    activation: str | Activation, depth: int, sigma_w2: float, sigma_b2: float = 0.0, q: float | None = None
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


def _roots(function: Callable[[float], float], grid: np.ndarray = _SCAN) -> list[float]:
    """Return the roots of a function on a logarithmic grid."""
    values = [function(q) for q in grid]
    return [
        brentq(function, low, high, xtol=1e-14, rtol=1e-13)
        for low, high, a, b in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True)
        if np.isfinite(a) and np.isfinite(b) and a * b < 0
    ]


def fixed_points(activation: str | Activation, sigma_w2: float, sigma_b2: float = 0.0) -> list[FixedPoint]:
    """Return the fixed points of the length map with q* between 1e-9 and 1e9, smallest first; there may be none."""
    points = []
    for q in _roots(lambda q: length_map(activation, q, sigma_w2, sigma_b2) - q):
        m = moments(activation, q)
        points.append(FixedPoint(q, sigma_w2 * m.growth, sigma_w2 * m.slope))
    return points


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


def critical(activation: str | Activation, sigma_b2: float) -> list[Critical]:
    """Return the points of the critical line at one σ_b²: σ_w² E[φ′(√q z)²] = 1 and F(q) = q; there may be none."""

    def gap(q: float) -> float:
        m = moments(activation, q)
        return m.square / m.slope + sigma_b2 - q if m.slope > 1e-300 else inf

    points = []
    for q in _roots(gap):
        m = moments(activation, q)
        points.append(Critical(1 / m.slope, sigma_b2, q, m.growth / m.slope))
    return points


@lru_cache(maxsize=16384)
def correlation_map(activation: str | Activation, c: float, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """Return the next layer's correlation of two inputs, both of mean square q and correlation c now.

        c′ = (σ_w² E[φ(u₁)φ(u₂)] + σ_b²) / F(q),   u₁ = √q z₁,   u₂ = √q (c z₁ + √(1 − c²) z₂)

    Source: Poole et al. 2016, eq. 5.
    """
    phi = resolve(activation)
    u, outer = gauss(q, phi.kinks)
    rest = q * (1 - c * c)
    if rest <= 1e-15 * q:
        inner = phi.phi(np.sign(c) * u)
    else:
        root = sqrt(rest)
        # For each u₁ the inner integral is split where u₂ meets a kink.
        shifts = (np.asarray(phi.kinks, float)[None, :] - c * u[:, None]) / root
        base = np.unique(np.concatenate([BREAKS, SCALES / root]).clip(-REACH, REACH))
        rows = np.broadcast_to(base, (len(u), len(base)))
        breaks = np.sort(np.concatenate([rows, shifts.clip(-REACH, REACH)], axis=1), axis=1)
        half = np.diff(breaks, axis=1)[:, :, None] / 2
        z = breaks[:, :-1, None] + half * (1 + NODES)
        weights = half * WEIGHTS * np.exp(-z * z / 2) / sqrt(2 * np.pi)
        inner = (weights * phi.phi(c * u[:, None, None] + root * z)).sum(axis=(1, 2))
    joint = float(outer @ (phi.phi(u) * inner))
    return (sigma_w2 * joint + sigma_b2) / length_map(phi, q, sigma_w2, sigma_b2)


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


def depth_scale(activation: str | Activation, sigma_w2: float, sigma_b2: float = 0.0, q: float = 1.0) -> DepthScale:
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
