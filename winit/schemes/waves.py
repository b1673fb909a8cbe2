"""Deterministic sinusoidal weights: one wave per unit."""

from __future__ import annotations

from math import ceil, pi, sqrt

import numpy as np

from winit.schemes import papers
from winit.schemes.scheme import Layer, MatrixScheme, Scheme


def _of_glorots_variance(waves: np.ndarray, ddof: int) -> np.ndarray:
    """Scale waves to the variance 2/(fan_in + fan_out); constant ones are returned unchanged."""
    variance = waves.var(ddof=ddof) if waves.size > ddof else 0.0
    return waves * sqrt(2 / (variance * sum(waves.shape))) if variance > 0 else waves


def sinusoidal(layer: Layer) -> np.ndarray:
    """Return w_ij = a sin(2π j i/n + 2π j/m), i = 0 … n − 1, j = 1 … m, with the sample variance 2/(n + m).

    n is fan_in and m fan_out. Frequencies above n/2 are aliases of lower ones, so units repeat other units with the opposite
    sign, and the rank of a square layer is less than half of its width.

    Source: Fernández-Hernández et al. 2025, arXiv:2505.12909, the authors' code.
    """
    n, m = layer.shape
    unit = np.arange(1, m + 1)
    position = 2 * pi * (np.arange(n)[:, None] / n + 1 / m)
    return _of_glorots_variance(np.sin(position * unit), ddof=1)


def sinusoidal_nyquist(layer: Layer) -> np.ndarray:
    """Return sinusoids of the frequencies 1 … ⌊(n − 1)/2⌋, those of one frequency with phases π s/S, s = 0 … S − 1.

    n is fan_in, and S is the number of units that share a frequency. No unit repeats another, and the weights of a unit sum
    to 0. Layers with one or two inputs have no such frequency and use frequency 1.

    Source: AnyInit's distribution `sinusoidal` (github.com/jmiravet/AnyInit), with Glorot's variance.
    """
    n, m = layer.shape
    frequencies = max(1, (n - 1) // 2)
    slot, frequency = np.divmod(np.arange(m), frequencies)
    phase = pi * slot / ceil(m / frequencies)
    waves = np.sin(2 * pi * np.arange(n)[:, None] * (frequency + 1) / n + phase)
    return _of_glorots_variance(waves, ddof=0)


SCHEMES: tuple[Scheme, ...] = (
    MatrixScheme(
        name="sinusoidal",
        label="sinusoidal",
        family="structured",
        distribution="deterministic",
        variance="2/(fan_in + fan_out), of the sample",
        source="Fernández-Hernández et al. 2025, arXiv:2505.12909 (the authors' code)",
        paper=papers.FERNANDEZ,
        fill=sinusoidal,
        marker="p",
    ),
    MatrixScheme(
        name="sinusoidal_nyquist",
        label="sinusoidal below Nyquist",
        family="structured",
        distribution="deterministic",
        variance="2/(fan_in + fan_out), of the sample",
        source="AnyInit's distribution `sinusoidal` (github.com/jmiravet/AnyInit), after arXiv:2505.12909",
        caveat="AnyInit computes the scale with a solver; here it is Glorot's, so that the two sinusoidal schemes differ only in their waves",
        fill=sinusoidal_nyquist,
        marker="p",
        dashes=(4, 2),
    ),
)
