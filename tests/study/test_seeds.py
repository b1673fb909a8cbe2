"""Seeds of named random streams."""

from __future__ import annotations

from winit.study.seeds import seed


def test_seeds_are_named_streams():
    assert seed(0, "weights", replicate=1, layer=2) == seed(0, "weights", layer=2, replicate=1)
    names = [(0, "weights", 1, 2), (0, "weights", 2, 1), (1, "weights", 1, 2), (0, "batches", 1, 2)]
    seeds = {seed(root, purpose, replicate=r, layer=layer) for root, purpose, r, layer in names}
    assert len(seeds) == 4 and all(0 <= s < 2**63 for s in seeds)
