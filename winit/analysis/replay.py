"""The tutorial's own experiment: 100 inputs through five tanh layers of 50 units, at three scales of random weights.

x ~ N(0, I₁₀₀),   h_l = tanh(h_{l−1} W_l),   W_l drawn by the scheme,   l = 1 … 5
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit.schemes import Layer, draw
from winit.study.seeds import seed

INPUTS, UNITS, LAYERS = 100, 50, 5
SCHEMES = ("normal:0.01", "normal:1", "lecun_normal")
DRAWS = 400
BINS = np.linspace(-1, 1, 42)  # an odd number, so that one bin is centred on 0
SATURATED = 0.97


def replay(root: int, draws: int = DRAWS) -> pd.DataFrame:
    """Return the `replay` table: histogram, standard deviation and saturation of every layer, over many draws.

    Layer 0 is the input, clipped into the outermost bins. All schemes use the same inputs and the same noise.
    """
    rows = []
    for scheme in SCHEMES:
        values: list[list[np.ndarray]] = [[] for _ in range(LAYERS + 1)]  # by layer and draw
        for index in range(draws):
            h = np.random.default_rng(seed(root, "replay input", draw=index)).standard_normal(INPUTS)
            values[0].append(h)
            for layer in range(1, LAYERS + 1):
                rng = np.random.default_rng(seed(root, "replay weights", draw=index, layer=layer))
                weights, biases = draw(scheme, Layer(len(h), UNITS, "tanh", rng))
                h = np.tanh(h @ weights + biases)
                values[layer].append(h)
        for layer in range(LAYERS + 1):
            stack = np.stack(values[layer])
            counts, _ = np.histogram(stack.clip(-1, 1), BINS)
            rows.append(
                pd.DataFrame(
                    {
                        "scheme": scheme,
                        "layer": layer,
                        "bin_low": BINS[:-1],
                        "bin_high": BINS[1:],
                        "count": counts,
                        "std": stack.std(axis=1).mean(),
                        "saturated": (np.abs(stack) > SATURATED).mean(),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)
