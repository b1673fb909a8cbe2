"""The order of training examples."""

from __future__ import annotations

import numpy as np


def shuffled_epochs(rng: np.random.Generator, examples: int, steps: int, batch_size: int) -> np.ndarray:
    """Return indices (steps, B) of mini-batches: shuffled epochs, one after another."""
    needed = steps * batch_size
    epochs = [rng.permutation(examples) for _ in range(-(-needed // examples))]
    return np.concatenate(epochs)[:needed].reshape(steps, batch_size)
