"""The arithmetic of the benchmark on a card, and its methods where Triton's interpreter stands in for one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from benchmarks import gpu
from tests import house

TINY = replace(gpu.SHAPE, inputs=5, width=6, depth=2, batch=4, networks=2, steps=2)


def test_the_limits_of_an_h100_and_an_h200():
    h100, h200 = (gpu.limits(gpu.SHAPE, gpu.CARDS[name]) for name in ("H100", "H200"))
    assert h100 == pytest.approx({"arithmetic": 1.43e6, "layers": 0.61e6, "persistent": 1.34e6}, rel=0.01)
    assert h200 == pytest.approx({"arithmetic": 1.43e6, "layers": 0.88e6, "persistent": 1.92e6}, rel=0.01)
    assert gpu.limit_of("triton", gpu.SHAPE, gpu.CARDS["H200"]) == h200["arithmetic"]
    for method in ("torch", "torch graph", "jax"):
        assert gpu.limit_of(method, gpu.SHAPE, gpu.CARDS["H100"]) == h100["layers"]


def test_the_table_sets_rates_beside_limits_and_bars():
    rates = gpu.best_of_jax(
        {"torch graph": 0.305e6, "triton": 0.91e6, "triton tf32x3": 1.5e6, "jax 256": 0.2e6, "jax 1024": 0.1e6}
    )
    graph, triton, tensor_cores, jax = gpu.table(rates, gpu.SHAPE, gpu.CARDS["H100"]).splitlines()[2:]
    assert graph == "| torch graph | 305,000 | 1.52 | 614,923 | 50% | 400,000: missed |"
    assert triton.startswith("| triton | 910,000 | 4.55 | 1,3") and triton.endswith("| 68% | 900,000: reached |")
    assert tensor_cores == "| triton tf32x3 | 1,500,000 | 7.50 | – | – | – |"  # float32's limit is not its own
    assert jax.startswith("| jax | 200,000 | 1.00 |")
    (alone,) = gpu.table({"torch": 1000.0}, gpu.SHAPE, None).splitlines()[2:]
    assert alone == "| torch | 1,000 | – | – | – | – |"


def test_rates_are_medians_and_the_first_call_does_not_count(monkeypatch):
    clock = iter([0.0, 1.0, 0.0, 2.0, 0.0, 6.0])  # start and end of three rounds
    monkeypatch.setattr(gpu.time, "perf_counter", lambda: next(clock))
    calls: list[str] = []
    rates = gpu.measure({"it": (lambda: calls.append("it"), 10)}, 3, lambda: calls.append("wait"))
    assert rates == {"it": 5.0}
    assert calls == ["it"] + ["wait", "it", "wait"] * 3


def test_every_method_trains_the_same_networks():
    pytest.importorskip("triton", reason="triton is not installed: pip install -e '.[gpu]'")
    trained = {name: train() for name, (train, count) in gpu.engines(TINY, "cpu") if count == 4}
    assert list(trained) == ["torch", "torch graph", "triton", "triton tf32x3"]
    for stack in trained.values():
        for ours, theirs in zip(stack.weights, trained["torch"].weights, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_card_it_says_so():
    done = subprocess.run([sys.executable, "-m", "benchmarks.gpu"], cwd=house.ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == "benchmark-gpu: torch sees no CUDA device here, and nothing was measured; it needs a card\n"
