"""The networks that the kernel can train, and its errors for others."""

from __future__ import annotations

import pytest
import torch

from tests.engine.networks import make
from winit.engine.corruption import Corruption
from winit.engine.engine import NetworkSpec
from winit.engine.kernel.activations import CHAIN, PHI
from winit.engine.kernel.shape import obstacle
from winit.engine.kernel.stack import KernelStack
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import RULES, Optimizer

UNNAMED = "it needs one activation, given by name, not functions or several activations"
REFUSED = [
    (NetworkSpec("tanh", Optimizer(), 4, Reconstruction()), "it trains only classifiers"),
    (NetworkSpec("tanh", Optimizer(), 4, corruption=Corruption("masking", 0.1)), "it does not corrupt inputs"),
    (NetworkSpec("gelu", Optimizer("adam"), 4), "it has no vector code for gelu with adam"),
    (NetworkSpec(("tanh", "relu"), Optimizer(), 4), UNNAMED),
    (NetworkSpec(torch.sin, Optimizer(), 4), UNNAMED),
]


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("optimizer", RULES)
def test_the_kernel_trains_its_activations_with_every_optimizer(activation, optimizer):
    assert activation in CHAIN
    assert obstacle(NetworkSpec(activation, Optimizer(optimizer), 4)) is None
    assert obstacle(NetworkSpec(activation, Optimizer(optimizer), 4, batch_norm=True, dropout=0.1)) is None


@pytest.mark.parametrize(("spec", "reason"), REFUSED)
def test_what_the_kernel_cannot_train_is_refused_with_the_reason(spec, reason):
    assert obstacle(spec) == reason
    with pytest.raises(ValueError, match=f"^the kernel cannot train these networks: {reason}; the torch engine can"):
        KernelStack(*make(torch.float32), spec)
