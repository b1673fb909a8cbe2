"""Which device and engine train a workload."""

from __future__ import annotations

import pytest
import torch

from winit.engine.torch_stack import TorchStack
from winit.training.engines import choose_device, choose_engine

CPU = torch.device("cpu")


def test_cuda_is_refused_where_there_is_none(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level("INFO", logger="winit"):
        assert choose_device("auto").type == "cpu"
    assert caplog.messages == ["device: auto takes the CPU: there is no CUDA device"]
    with pytest.raises(ValueError, match="device: got cuda, but torch sees no CUDA device"):
        choose_device("cuda")


def test_the_engine_does_not_depend_on_how_many_runs_there_are(tiny):
    from winit.engine.kernel.stack import KernelStack

    workload = tiny().workloads[0]
    assert choose_engine("auto", workload, CPU) is KernelStack
    assert choose_engine("torch", workload, CPU) is TorchStack
    assert choose_engine("auto", workload, torch.device("cuda")) is TorchStack
    regularized = tiny("grid.dropout=[0.1]", "grid.batch_norm=[true]").workloads[0]
    assert choose_engine("auto", regularized, CPU) is KernelStack
    unusual = tiny("grid.activation=[gelu]").workloads[0]
    assert choose_engine("auto", unusual, CPU) is TorchStack
    with pytest.raises(ValueError, match="engine: got kernel, but it has no vector code for gelu with sgd"):
        choose_engine("kernel", unusual, CPU)
    with pytest.raises(ValueError, match="engine: got kernel, but it runs on the CPU, not on cuda"):
        choose_engine("kernel", workload, torch.device("cuda"))
