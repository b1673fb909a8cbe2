"""Fixtures that several test modules share."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from math import pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from winit.datasets import mnist
from winit.engine.kernel import code_cache
from winit.study import compose as compose_module
from winit.study.model import Study
from winit.theory.activations import Activation

# Triton's kernels run in its interpreter, on the CPU, unless TRITON_INTERPRET=0 sends them to a card. It reads this once.
os.environ.setdefault("TRITON_INTERPRET", "1")

# An activation that is not catalogued, with closed forms for what theory computes.
ERF = Activation(
    "erf", "erf", "erf z", erf, lambda z: 2 / sqrt(pi) * np.exp(-z * z), slope_at_0=2 / sqrt(pi), torch="torch.erf"
)

# Tests of real MNIST run where its files are at hand, and download nothing.
BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mnist"
if mnist.VARIABLE not in os.environ and BESIDE.is_dir():
    os.environ[mnist.VARIABLE] = str(BESIDE)
needs_mnist = pytest.mark.skipif(
    mnist.VARIABLE not in os.environ, reason=f"{mnist.VARIABLE} names no folder with the files of MNIST"
)
ON_DISK = [pytest.param("mnist", marks=needs_mnist)]


# Seconds that the longest tests take, setup included: they start first, so that no worker waits for another at the end.
# `python -m pytest --durations=30` prints them. The first two need no study in common.
# The other tests of a file that is named here take about so long, each.
SECONDS: dict[str, float] = {
    "test_kill_9_loses_at_most_the_chunks_in_flight": 60,
    "test_any_study_that_trained_has_a_page": 50,
    "test_a_larger_grid_trains_only_what_is_new_and_a_smaller_one_nothing": 40,
    "test_accuracy_is_drawn_by_depth": 25,
    "test_the_page_has_the_question_as_typed_and_the_study_is_unchanged": 25,
    "test_the_same_tables_give_the_same_bytes": 20,
    "test_plain_snakemake_makes_the_same_tables_from_the_frozen_study_on_one_core": 15,
    "test_lost_and_damaged_parts_are_named_and_trained_again": 15,
    "test_an_orphaned_job_and_a_new_workflow_do_not_train_twice": 15,
    "test_intervals_are_those_of_the_ranking_in_its_order": 15,
    "tests/test_wheel.py": 15,
    "test_style_types_and_spelling": 15,  # mypy's is the longest
    "test_two_processes_at_once_and_a_third_have_the_same_bits": 10,
    "test_the_phase_diagram_lies_on_the_theory": 8,
    "tests/test_workflow.py": 6,
    "tests/test_workflow_safety.py": 5,
    "tests/test_report_property.py": 4,
}


def module_fixture(item: pytest.Item) -> bool:
    """Return whether a test uses a fixture that its module makes once, such as a finished study."""
    names = [name for name in getattr(item, "fixturenames", ()) if not name.startswith("_")]
    made_by = item._fixtureinfo.name2fixturedefs if names else {}
    return any(definition.scope == "module" for name in names for definition in made_by.get(name, ()))


def pytest_configure(config: pytest.Config) -> None:
    """Give a test run a folder of its own for machine code, which its workers and all their processes share.

    These have one thread each: with more, they wait for one another. Garbage is looked for less often, which otherwise takes
    a tenth of the time, because a worker holds millions of objects.
    """
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    gc.set_threshold(20_000, 10, 10)
    if code_cache.VARIABLE not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="winit-kernel-")
        os.environ[code_cache.VARIABLE] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share a module's fixture on one worker, and start what takes longest first."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        file = item.nodeid.split("::")[0]
        shares = module_fixture(item)
        if shares:
            item.add_marker(pytest.mark.xdist_group(file))
        groups.setdefault(file if shares else item.nodeid, []).append(item)

    def seconds(group: list[pytest.Item]) -> float:
        files = [SECONDS.get(item.nodeid.split("::")[0], 0) for item in group]
        names = [getattr(item, "originalname", item.name) for item in group]
        return sum(SECONDS.get(name, other) for name, other in zip(names, files, strict=True))

    items[:] = [item for group in sorted(groups.values(), key=seconds, reverse=True) for item in group]


@pytest.fixture(autouse=True)
def _torch_state() -> Iterator[None]:
    """Run each test on one thread, as training does, and undo training's treatment of subnormals.

    On one thread a network's bits do not depend on its stack, and small products are many times as fast: several threads,
    and several workers, wait for one another.
    """
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)
    yield
    torch = sys.modules.get("torch")
    if torch:
        torch.set_flush_denormal(False)


@pytest.fixture
def tiny():
    """Return a function that composes a study small enough to train in a test."""

    def compose(*overrides: str) -> Study:
        small = ["study=smoke", "extra_grids=null", "grid.depth=[2]", "grid.width=[12]", "training.steps=20", "measure.budgets=[]",
                 "grid.replicates=2", "grid.tuning_replicates=0"]  # fmt: skip
        if "task=reconstruction" in overrides:  # depth and width follow from the encoder
            small = [text for text in small if not text.startswith(("grid.depth", "grid.width"))]
        return compose_module.compose([*small, *overrides])

    return compose


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that makes a folder once for all workers of a test run: `shared(name, make)`.

    The first worker that asks makes it and the others wait. Tests read it, or copy it before they change anything.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = root / "shared" / name, root / f"{name}.done"
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # half made by a worker in which `make` failed
                folder.mkdir(parents=True)
                make(folder)
                done.touch()
        return folder

    return folder_of
