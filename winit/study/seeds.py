"""Seeds of named random streams."""

from __future__ import annotations

import hashlib
import json


def seed(root: int, purpose: str, **factors: str | int) -> int:
    """Return the seed of a named random stream: a hash of the root, the purpose and the factors it may depend on.

    The streams are *data* (dataset), *batches*, *dropout* and *pretraining* (dataset, replicate) and *weights* (replicate,
    layer), and those of the tutorial's replay.
    An initializer or a learning rate is never among the factors: schemes share noise and mini-batches, so that they
    are compared in pairs.
    """
    name = json.dumps([root, purpose, sorted(factors.items())])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1  # 63 bits: a C long for any library
