"""The theory of infinitely wide random networks: how signals, gradients and angles change with depth.

In a wide layer with weights W ~ N(0, σ_w²/fan_in) and biases b ~ N(0, σ_b²), pre-activations z are Gaussian. Their mean
square q, the correlation c of two inputs and the variance of gradients then follow one-dimensional maps, evaluated here
in float64 by Gauss–Legendre quadrature on panels that are split at the kinks of φ.

Sources: Poole et al. 2016 (arXiv:1606.05340); Schoenholz et al. 2017 (arXiv:1611.01232).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from math import exp, inf, log, nan

import numpy as np
import scipy  # loads its modules when they are first used

from winit.theory.activations import Activation, resolve
from winit.theory.quadrature import moments, offset, pair_mean


def length_map(activation: str | Activation, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """Return the next layer's q: F(q) = σ_w² E[φ(√q z)²] + σ_b² (Poole et al. 2016, eq. 3)."""
    return sigma_w2 * moments(activation, q).square + sigma_b2


def lengths(
    activation: str | Activation, depth: int, sigma_w2: float, sigma_b2: float = 0.0, q: float | None = None
) -> np.ndarray:
    """Return q of layers 1 … depth, starting from σ_w² + σ_b² (inputs of mean square 1) by default."""
    values = np.empty(depth)
    q = sigma_w2 + sigma_b2 if q is None else q
    for layer in range(depth):
        values[layer] = q
        following = length_map(activation, q, sigma_w2, sigma_b2)
        if abs(following - q) <= 1e-15 * q:  # converged
            values[layer:] = q
            break
        q = following
    return values


# Tolerance when comparing with a threshold: the error of the quadrature is 1e-14.
_NOISE = 1e-12
_SCAN = np.geomspace(1e-15, 1e15, 241)
_SMALLEST, _LARGEST = 1e-30, 1e15  # q at which the limits q → 0 and q → ∞ of moments are evaluated


def _scale(factor: float) -> float:
    """Return the number of layers over which a quantity changes by a factor of e if every layer multiplies it by `factor`."""
    if not factor > 0:
        return 0.0 if factor <= 0 else factor
    return inf if abs(log(factor)) < 1e-9 else 1 / abs(log(factor))


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point q* of the length map, and its properties.

    Attributes:
        q_star: the mean square that a layer leaves unchanged.
        slope: F′(q*). The point is stable if it is below 1; it is never below −1/2.
        chi_1: σ_w² E[φ′(√q* z)²], the factor by which the variance of gradients grows per layer: ordered below 1,
            critical at 1, chaotic above.
        c_star: correlation to which two inputs of this length converge: 1 unless the point is chaotic.
        chi_c: slope of the correlation map at c*, σ_w² E[φ′(u₁) φ′(u₂)]; equal to χ₁ unless the point is chaotic.

    Source: Poole et al. 2016; Schoenholz et al. 2017.
    """

    q_star: float
    slope: float
    chi_1: float
    c_star: float
    chi_c: float

    @property
    def is_stable(self) -> bool:
        return self.slope < 1

    @property
    def xi_q(self) -> float:
        """Depth, in layers, over which a deviation of q falls to 1/e; infinite at an unstable point."""
        return _scale(abs(self.slope)) if self.is_stable else inf

    @property
    def xi_c(self) -> float:
        """Depth, in layers, over which a deviation from c* falls to 1/e: ξ_c = −1/log χ_c (Schoenholz et al. 2017, eq. 9)."""
        return _scale(self.chi_c)

    @property
    def xi_gradient(self) -> float:
        """Depth, in layers, over which gradients change by a factor of e: ξ_∇ = 1/|log χ₁| (Schoenholz et al. 2017, §4)."""
        return _scale(self.chi_1)


def _roots(function: Callable[[float], float]) -> list[float]:
    """Return the points at which a function of q changes sign by more than the quadrature error, in ascending order.

    The scan is logarithmic. Two roots within one step of the scan are found through the extremum between them.
    """
    grid, values = _SCAN, np.array([function(q) for q in _SCAN])
    signs, inner = np.sign(values), np.abs(values)[1:-1]
    turns = 1 + np.flatnonzero((inner < np.abs(values[:-2])) & (inner < np.abs(values[2:])) & (inner > _NOISE))
    for i in turns[(signs[turns - 1] == signs[turns]) & (signs[turns + 1] == signs[turns])]:
        lowest = scipy.optimize.minimize_scalar(
            lambda x, sign=signs[i]: sign * function(exp(x)),
            bounds=np.log(_SCAN[[i - 1, i + 1]]),
            method="bounded",
            options={"xatol": 1e-10},
        )
        at = np.searchsorted(grid, exp(lowest.x))
        grid, values = np.insert(grid, at, exp(lowest.x)), np.insert(values, at, signs[i] * lowest.fun)
    known = np.isfinite(values) & (np.abs(values) > _NOISE)
    grid, values = grid[known], values[known]
    return [
        float(scipy.optimize.brentq(function, grid[i], grid[i + 1], xtol=1e-14 * grid[i], rtol=1e-14))
        for i in np.flatnonzero(values[:-1] * values[1:] < 0)
    ]


def _growth(activation: Activation, q: float, sigma_w2: float, sigma_b2: float) -> float:
    """Return F(q)/q − 1, the relative growth of q in a layer."""
    return length_map(activation, q, sigma_w2, sigma_b2) / q - 1


def fixed_point_at(activation: str | Activation, q: float, sigma_w2: float) -> FixedPoint:
    """Return the properties of a fixed point q > 0 of the length map."""
    phi, m = resolve(activation), moments(activation, q)
    chi_1 = sigma_w2 * m.slope
    return FixedPoint(q, sigma_w2 * m.growth, chi_1, *_correlation_point(phi, q, sigma_w2, chi_1))


def fixed_points(activation: str | Activation, sigma_w2: float, sigma_b2: float = 0.0) -> list[FixedPoint]:
    """Return the isolated fixed points of the length map with q* between 1e-15 and 1e15, smallest first.

    There may be none. If σ_w² equals `any_length` and there are no biases, every q is a fixed point and none is isolated.
    """
    phi = resolve(activation)
    return [
        fixed_point_at(phi, q, sigma_w2) for q in _roots(partial(_growth, phi, sigma_w2=sigma_w2, sigma_b2=sigma_b2))
    ]


def any_length(activation: str | Activation) -> float | None:
    """Return the σ_w² at which every q is a fixed point, without biases; None if φ is not homogeneous.

    It gives χ₁ = 1. It is 2 for ReLU (He et al. 2015), 1 for the identity, 2/(1 + a²) for leaky ReLU.
    """
    phi = resolve(activation)
    return 1 / moments(phi, 1.0).square if phi.is_homogeneous else None


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
    """Return the points of the critical line at one σ_b²: σ_w² E[φ′(√q z)²] = 1 and F(q) = q, with q* > 0.

    There may be none. A homogeneous φ has none with biases; without biases, it is critical if every q is a fixed point
    (`any_length`).
    """

    def gap(q: float) -> float:
        m = moments(activation, q)
        return (m.square / m.slope + sigma_b2) / q - 1 if m.slope > 1e-300 else inf

    points = []
    for q in _roots(gap):
        m = moments(activation, q)
        points.append(Critical(1 / m.slope, sigma_b2, q, m.growth / m.slope))
    return points


@lru_cache(maxsize=16384)
def correlation_map(activation: str | Activation, c: float, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """Return the correlation of two inputs in the next layer, given their mean square q and correlation c in this layer.

        c′ = (σ_w² E[φ(u₁)φ(u₂)] + σ_b²) / F(q),   u₁ = √q z₁,   u₂ = √q (c z₁ + √(1 − c²) z₂)

    Source: Poole et al. 2016, eq. 5.
    """
    phi = resolve(activation)
    joint = pair_mean(lambda a, b: phi.phi(a) * phi.phi(b), c, q, phi.kinks) - offset(phi, q) ** 2
    return (sigma_w2 * joint + sigma_b2) / length_map(phi, q, sigma_w2, sigma_b2)


def _correlation_point(phi: Activation, q: float, sigma_w2: float, chi_1: float) -> tuple[float, float]:
    """Return the stable fixed point c* of the correlation map at a fixed point q of the length map, and the slope there.

    The map is convex on [0, 1] and has a fixed point at 1, with slope χ₁. If χ₁ > 1, it therefore has another one, c* < 1.
    With d = 1 − c, it is the solution of

        σ_w² E[(φ(u₁) − φ(u₂))²] / (2 q d) = 1,

    whose left side decreases in d from χ₁, without cancellation near the critical line. The slope is σ_w² E[φ′(u₁) φ′(u₂)].
    """
    if _scale(chi_1) == inf or chi_1 < 1:
        return 1.0, chi_1

    @cache
    def excess(log_d: float) -> float:
        c = 1 - exp(log_d)
        return (
            sigma_w2 * pair_mean(lambda a, b: (phi.phi(a) - phi.phi(b)) ** 2, c, q, phi.kinks) / (2 * q * (1 - c)) - 1
        )

    if excess(0.0) > -_NOISE:  # two orthogonal inputs stay orthogonal
        c = 0.0
    elif excess(log(1e-14)) < 0:
        return 1.0, 1.0  # critical, within the error of the quadrature
    else:
        c = 1 - exp(scipy.optimize.brentq(excess, log(1e-14), 0.0, xtol=1e-12))
    return c, sigma_w2 * pair_mean(lambda a, b: phi.dphi(a) * phi.dphi(b), c, q, phi.kinks)


UNBOUNDED = "q grows without bound"
HOMOGENEOUS = "q has no scale (homogeneous, no biases)"


@dataclass(frozen=True)
class DepthScale:
    """The limit of the length map, and the depth scales of correlations and gradients there.

    Attributes:
        q: limit after many layers, possibly 0 or infinite.
        chi_1: σ_w² E[φ′(√q z)²] there.
        c_star: correlation to which two inputs converge there; NaN if there is no depth limit.
        chi_c: slope of the correlation map at c*; NaN if there is no depth limit.
        why_no_limit: why the theory has no depth limit, as text; "" if it has one.
    """

    q: float
    chi_1: float
    c_star: float
    chi_c: float
    why_no_limit: str = ""

    @property
    def xi_c(self) -> float:
        """Number of layers over which the correlation of two inputs approaches c* by a factor of e: ξ_c = −1/log χ_c."""
        return _scale(self.chi_c)

    @property
    def xi_gradient(self) -> float:
        """Number of layers over which gradients change by a factor of e: ξ_∇ = 1/|log χ₁|."""
        return _scale(self.chi_1)

    @property
    def depth_limit(self) -> float:
        """Depth beyond which training is not expected to work: 6 ξ_c (Schoenholz et al. 2017, §5, an empirical factor).

        NaN if there is no limit.
        """
        return 6 * self.xi_c


def _destination(phi: Activation, sigma_w2: float, sigma_b2: float, q: float) -> float:
    """Return the limit of the length map from q: a fixed point, 0 or infinity."""
    growth = partial(_growth, phi, sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    if abs(growth(q)) <= _NOISE:
        return q
    roots = _roots(growth)
    if growth(q) > 0:
        return min([root for root in roots if root > q], default=inf)
    return max([root for root in roots if root < q], default=0.0)


def depth_scale(activation: str | Activation, sigma_w2: float, sigma_b2: float = 0.0, q: float = 1.0) -> DepthScale:
    """Return the depth scales of networks whose mean square starts at q, at the limit of the length map.

    There is no depth limit if q grows without bound, and for a homogeneous φ without biases: correlations then converge to 1
    more slowly than exponentially.
    """
    phi = resolve(activation)
    end = _destination(phi, sigma_w2, sigma_b2, q)
    m = moments(phi, min(max(end, _SMALLEST), _LARGEST))
    chi_1 = sigma_w2 * m.slope
    why = ""
    if end == inf:
        why = UNBOUNDED
    elif phi.is_homogeneous and sigma_b2 == 0:
        why = HOMOGENEOUS
    if why:
        return DepthScale(end, chi_1, nan, nan, why)
    point = (1.0, chi_1) if end == 0 else _correlation_point(phi, end, sigma_w2, chi_1)
    return DepthScale(end, chi_1, *point)
