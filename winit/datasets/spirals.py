"""Three interleaved spiral arms in the plane, generated."""

from __future__ import annotations

import numpy as np

from winit.datasets.dataset import Dataset, Examples

EXAMPLES, ARMS = 1800, 3


def spirals(rng: np.random.Generator, turns: float, noise: float) -> Examples:
    """Generate three interleaved spiral arms in the plane.

        r = √u, θ = 2π(turns · r + class/3), x = r (cos θ, sin θ) + noise · ε,  u ~ U(0.01, 1), ε ~ N(0, I)

    √u spreads the points evenly over the disc. The boundary between two arms winds `turns` times around the origin, so a
    network must compose folds to represent it, and depth helps.

    Returns:
        x (1800, 2) and y (1800,).
    """
    y = np.arange(EXAMPLES) % ARMS
    r = np.sqrt(rng.uniform(0.01, 1.0, EXAMPLES))
    theta = 2 * np.pi * (turns * r + y / ARMS)
    x = np.stack([r * np.cos(theta), r * np.sin(theta)], axis=1) + noise * rng.standard_normal((EXAMPLES, 2))
    return x, y


SPIRALS = Dataset(
    name="spirals",
    label="spirals",
    examples=EXAMPLES,
    inputs=2,
    classes=ARMS,
    source="three interleaved spiral arms in the plane, generated",
    read=lambda rng, folder, parameters: spirals(rng, **parameters),
    parameters={"turns": 1.25, "noise": 0.02},
)
