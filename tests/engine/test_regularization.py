"""Share and streams of dropout. Batch normalization is tested with whole networks in `test_torch_stack`."""

from __future__ import annotations

import pytest
import torch

from winit.engine.regularization import Dropout


def test_dropout_drops_its_share_and_keeps_the_mean():
    factors = Dropout(0.2, [1, 2, 1]).factors(500, 400, torch.zeros(()))
    assert factors.unique().tolist() == pytest.approx([0.0, 1.25])
    share = (factors == 0).double().mean(dim=(1, 2))
    assert (share - 0.2).abs().max() < 5 * (0.2 * 0.8 / 200_000) ** 0.5  # five standard errors
    assert torch.equal(factors[0], factors[2]) and not torch.equal(factors[0], factors[1])
