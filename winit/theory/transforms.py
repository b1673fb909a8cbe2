"""Affine transforms of activations that make wide networks critical. Each is an initialization of a plain network.

A network of φ̂(z) = γ (φ(αz + β) + δ) with weights W and no biases is, exactly, a network of φ with

    first layer:   W′ = αW,    b′ = β
    hidden layers: W′ = αγ W,  b′ = β + δ Σ_i W′_ij
    output layer:  W′ = γ W,   b′ = δ Σ_i W′_ij

so the weights and biases with which training starts can do what a transform does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import sqrt

import numpy as np
import scipy  # loads its modules when they are first used

from winit.theory.activations import Activation, resolve
from winit.theory.layers import PLAIN, LayerStatistics, effective_activation
from winit.theory.quadrature import gauss, moments

ALPHAS, BETAS = (1.0, 0.1), (0.0, 1.0, -1.0)  # starting points of the search for α, β and δ
SOLVED, STEP = 1e-9, 1e-3  # the largest error of a solution; the step of differences of φ′, whose error is 1e-13
STEEPEST = 2.0  # the largest αγ φ′ of tailored activations
SAME_SLOPE, NOISE = 1e-9, 1e-12  # slopes that differ by less are equal; smaller numbers are 0


@dataclass(frozen=True)
class Transform:
    """φ̂(z) = γ (φ(αz + β) + δ)."""

    alpha: float = 1.0
    beta: float = 0.0
    gamma: float = 1.0
    delta: float = 0.0

    def statistics(self, fan_in: int, is_first: bool, is_last: bool) -> LayerStatistics:
        """Return the statistics of a layer of the plain network, for weights W of variance 1/fan_in."""
        gain = self.gain(is_first, is_last)
        return LayerStatistics(
            gain**2 / fan_in,
            bias_mean=0.0 if is_last else self.beta,
            shift=0.0 if is_first else self.delta,
        )

    def gain(self, is_first: bool, is_last: bool) -> float:
        """Return the factor of W in a layer of the plain network."""
        return (1.0 if is_first else self.gamma) * (1.0 if is_last else self.alpha)


@dataclass(frozen=True)
class GaussianPoincare:
    """The normalization φ̂ = aφ + b with E φ̂² = E φ̂′² = 1, z ~ N(0, 1).

    Attributes:
        a: 1/√E φ′².
        b: the root of E φ̂² = 1 that is used.
        slope: Q′(1) = E[φ̂ φ̂′ z], the slope of the length map at its fixed point q = 1. Lengths are stable if it is below 1.
        other_b, other_slope: the same for the other root.
    """

    a: float
    b: float
    slope: float
    other_b: float
    other_slope: float

    @property
    def transform(self) -> Transform:
        """φ̂ as a transform."""
        return Transform(gamma=self.a, delta=self.b / self.a)


@lru_cache(maxsize=256)
def gaussian_poincare(activation: str | Activation) -> GaussianPoincare:
    """Return the Gaussian–Poincaré normalization of φ, which makes q = 1 a fixed point and χ₁ = 1 there.

        a = 1/√E φ′²,   b = −a E φ ± √(1 − a² Var φ)

    It exists for every φ, because Var φ ≤ E φ′² (the Gaussian Poincaré inequality). The two roots have the same correlation
    map and differ in the slope of the length map. The root with the smaller slope is used, and the one with + if they are
    equal.

    Source: Lu, Gould & Ajanthan 2020, arXiv:2006.12169, for the two conditions; the choice of the root is winit's.
    """
    phi = resolve(activation)
    m = moments(phi, 1.0)
    a = 1 / sqrt(m.slope)
    gap = 1 - m.variance / m.slope
    root = sqrt(gap) if gap > NOISE else 0.0
    roots = [b if abs(b) > NOISE else 0.0 for b in (root - a * m.mean, -root - a * m.mean)]
    shifted = [effective_activation(phi, PLAIN, LayerStatistics(1.0, shift=b / a)) for b in roots]
    slopes = [a * a * moments(phi_hat, 1.0).growth for phi_hat in shifted]
    if slopes[1] < slopes[0] - SAME_SLOPE:
        roots.reverse()
        slopes.reverse()
    return GaussianPoincare(a, roots[0], slopes[0], roots[1], slopes[1])


class _Shape:
    """φ(αz + β) and its derivative by z on the nodes of a quadrature over z ~ N(0, 1)."""

    def __init__(self, phi: Activation, alpha: float, beta: float) -> None:
        kinks = tuple(float((kink - beta) / alpha) for kink in phi.kinks)
        self.z, self.weights = gauss(1.0, kinks)
        self.phi, self.alpha, self.u = phi, alpha, alpha * self.z + beta
        self.f, self.df = phi.phi(self.u), alpha * phi.dphi(self.u)

    def mean(self, values: np.ndarray) -> float:
        return float(self.weights @ values)

    def length_slope(self, phi_hat: Transform) -> float:
        """Return E[φ̂ φ̂′ z]."""
        return phi_hat.gamma**2 * self.mean((self.f + phi_hat.delta) * self.df * self.z)

    def curvature(self) -> np.ndarray:
        """Return the second derivative by z, from φ′ by differences of fourth order."""
        near, far = (self.phi.dphi(self.u + i * STEP) - self.phi.dphi(self.u - i * STEP) for i in (1, 2))
        return self.alpha**2 * (8 * near - far) / (12 * STEP)


def _steepest(phi: Activation) -> float:
    return float(np.abs(phi.dphi(np.linspace(-10, 10, 2001))).max())


def _solved(
    errors: Callable[[np.ndarray], list[float]],
    starts: Iterable[tuple[float, ...]],
    is_accepted: Callable[[np.ndarray], bool] = lambda point: True,
) -> list[float] | None:
    """Return the first root with α > 0 that is found and accepted, or None."""
    for start in starts:
        with np.errstate(all="ignore"):
            try:
                solution = scipy.optimize.root(errors, start, tol=1e-12)
            except (ValueError, ZeroDivisionError):  # α became 0, or φ̂ constant
                continue
        if np.abs(solution.fun).max() < SOLVED and solution.x[0] > 0 and is_accepted(solution.x):
            return solution.x.tolist()
    return None


@lru_cache(maxsize=256)
def deep_kernel_shaping(activation: str | Activation, slope: float) -> Transform | None:
    """Return φ̂ of deep kernel shaping, or None if φ′ is discontinuous or no solution was found.

        E φ̂ = 0,   E φ̂² = 1,   E[φ̂ φ̂′ z] = 1,   E φ̂′² = `slope`

    The third condition makes the slope of the length map 1. The fourth sets the slope of the correlation map at 1: with the
    L-th root of ζ in each of L layers, the slope for the network is ζ.

    Source: Martens et al. 2021, arXiv:2110.01765; the search starts from the same points as the authors' code.
    """
    phi = resolve(activation)

    def transform(alpha: float, beta: float) -> Transform:
        m = _Shape(phi, alpha, beta)
        delta = -m.mean(m.f)
        return Transform(alpha, beta, 1 / sqrt(m.mean((m.f + delta) ** 2)), delta)

    def errors(point: np.ndarray) -> list[float]:
        phi_hat, m = transform(*point), _Shape(phi, *point)
        return [m.length_slope(phi_hat) - 1, phi_hat.gamma**2 * m.mean(m.df**2) - slope]

    found = None if phi.slope_at_0 is None else _solved(errors, product(ALPHAS, BETAS))
    return None if found is None else transform(*found)


@lru_cache(maxsize=256)
def tailored(activation: str | Activation, curvature: float) -> Transform | None:
    """Return φ̂ of tailored activation transformations, or None if φ has kinks or no solution was found.

        E φ̂² = 1,   E[φ̂ φ̂′ z] = 1,   E φ̂′² = 1,   E φ̂″² = `curvature`

    The last condition sets the second derivative of the correlation map at 1: with τ/L in each of L layers, the derivative
    for the network is τ. Solutions with αγ max|φ′| ≥ 2 are rejected, because their lengths are unstable.

    Source: Zhang, Botev & Martens 2022, ICLR, for smooth φ; the search starts from the same points as the authors' code,
    which rejects solutions with αγ ≥ 2.
    """
    phi = resolve(activation)

    def transform(alpha: float, beta: float, delta: float) -> Transform:
        m = _Shape(phi, alpha, beta)
        return Transform(alpha, beta, 1 / sqrt(m.mean((m.f + delta) ** 2)), delta)

    def errors(point: np.ndarray) -> list[float]:
        phi_hat, m = transform(*point), _Shape(phi, *point[:2])
        squares = [(m.df, 1.0), (m.curvature(), curvature)]
        return [m.length_slope(phi_hat) - 1, *(phi_hat.gamma**2 * m.mean(f**2) - target for f, target in squares)]

    def is_accepted(point: np.ndarray) -> bool:
        return transform(*point).gain(False, False) * _steepest(phi) < STEEPEST

    found = None if phi.kinks else _solved(errors, product(ALPHAS, BETAS, BETAS), is_accepted)
    return None if found is None else transform(*found)
