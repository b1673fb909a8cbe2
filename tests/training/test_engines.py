"""The choice of device and engine for a workload."""

from __future__ import annotations

import sys

import pytest
import torch

from winit.engine.torch_stack import TorchStack
from winit.training.engines import choose_device, choose_engine

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_cuda_is_refused_where_there_is_none(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    choose_device.cache_clear()
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
    regularized = tiny("grid.dropout=[0.1]", "grid.batch_norm=[true]").workloads[0]
    assert choose_engine("auto", regularized, CPU) is KernelStack
    unusual = tiny("grid.activation=[gelu]").workloads[0]
    assert choose_engine("auto", unusual, CPU) is TorchStack
    with pytest.raises(ValueError, match="engine: got kernel, but it has no vector code for gelu with sgd"):
        choose_engine("kernel", unusual, CPU)
    with pytest.raises(
        ValueError, match="engine: got triton, but it runs on a CUDA device, not on cpu; allowed is torch"
    ):
        choose_engine("triton", workload, CPU)
    with pytest.raises(ValueError, match="engine: got kernel, but it runs on the CPU, not on cuda"):
        choose_engine("kernel", workload, CUDA)


def test_cuda_takes_the_triton_kernel_where_it_can_run(tiny):
    pytest.importorskip("triton", reason="triton is not installed: pip install -e '.[gpu]'")
    from winit.engine.triton.stack import TritonStack

    workload = tiny("grid.activation=[tanh]").workloads[0]
    assert choose_engine("auto", workload, CUDA) is choose_engine("triton", workload, CUDA) is TritonStack
    assert choose_engine("torch", workload, CUDA) is TorchStack
    for override in ("grid.dropout=[0.1]", "grid.batch_norm=[true]", "grid.activation=[gelu]"):
        other = tiny(override).workloads[0]
        assert choose_engine("auto", other, CUDA) is TorchStack
        with pytest.raises(ValueError, match="engine: got triton, but it has n"):
            choose_engine("triton", other, CUDA)


def test_without_triton_torch_trains_on_cuda(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    for name in [name for name in sys.modules if name.startswith("winit.engine.triton")]:
        monkeypatch.delitem(sys.modules, name)
    workload = tiny().workloads[0]
    assert choose_engine("auto", workload, CUDA) is TorchStack
    with pytest.raises(ValueError, match="engine: got triton, but triton is not installed; allowed is torch, or auto"):
        choose_engine("triton", workload, CUDA)
