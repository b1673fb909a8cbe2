"""Seeds of named random streams."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

# What a random stream is for. The name is part of the seed, so renaming a stream changes its numbers.
Stream = Literal[
    "data",  # generation and split of a dataset
    "weights",  # of a replicate and a layer
    "batches",  # order of the training examples of a replicate
    "dropout",
    "calibration",  # examples and draws of data-dependent initialization
    "pretraining",
    "pretraining weights",  # of decoders and of the classifiers of supervised layers
    "pretraining control",
    "analysis",  # bootstrap resamples
    "replay input",
    "replay weights",
]


def seed(root: int, stream: Stream, **factors: str | int) -> int:
    """Return the seed of a random stream: 63 bits of a hash of the root, the stream's name and its factors.

    Initializers and learning rates are never factors: all schemes share noise and mini-batches, so comparisons are
    paired.

    Args:
        root: the seed of the study.
        stream: what the random numbers are for.
        factors: what else the stream depends on, such as dataset, replicate and layer.
    """
    name = json.dumps([root, stream, sorted(factors.items())])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1  # 63 bits fit into a C long
