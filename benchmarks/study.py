"""Measure a whole study: its share of the cores' peak, where the time goes, and what an idiomatic PyTorch loop would take.

    python -m benchmarks.study [--study default] [--cores 2] [--sample 6] [--folder PATH]

The study runs in a fresh folder, as `winit run` runs it; `--folder` keeps what it makes. The FLOPs of the training that
it did, pretraining included, are compared with cores × wall time × the peak of fused multiply-adds, which is measured on
all these cores at once before and after. One judged and one tuning replicate of each workload are then trained again under
a stopwatch, and one run of each by the loop; a workload's cost is extrapolated by FLOPs. Tables and page are made again,
each alone. `--sample N` takes two judged replicates and one tuning replicate of the study, and N of its workloads for what
is extrapolated: about two minutes. Prints a table, and writes docs/figures/study_speed.json from a whole study.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before any library counts cores
    os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from benchmarks import idiomatic, scaling
from benchmarks.engine import peak
from benchmarks.facts import write_json
from benchmarks.figures import FIGURES
from benchmarks.peers import Method
from benchmarks.stopwatch import INNERMOST, REST, WATCHED, Stopwatch
from winit.engine.torch_stack import TorchStack
from winit.store.parts import RunStore
from winit.store.provenance import processor
from winit.study.compose import compose
from winit.study.model import Study
from winit.study.protocol import Role, Run
from winit.study.workload import Workload
from winit.training.data import WorkloadData
from winit.training.pretraining import PretrainingKey
from winit.training.workload import train
from winit.vocabulary.pretraining import parse_pretraining
from winit.workflow.paths import StudyPaths

SAMPLED = ["grid.replicates=2", "grid.tuning_replicates=1"]  # of a study's replicates, where a sample will do
CPU = torch.device("cpu")
REPEATS = 20  # of the peak, each a twentieth of a second or so
TABLES, PAGE, OTHER = "tables", "page", "processes, imports, scheduling"


def pretraining_flops(workload: Workload, method: str) -> float:
    """Return the operations of pretraining one network.

    Of a layer of n units on D inputs and a mini-batch of B, an autoencoder takes 10 BDn a step (two products forward, three
    back), CD-k 2 (3 + 2k) BDn, and a classifier of C classes above the layer 4 BDn + 6 BnC.
    """
    recipe, widths = workload.pretraining, workload.widths
    classes, total = widths[-1], 0
    for inputs, units in list(pairwise(widths))[: workload.pretrained_layers]:
        total += {
            "none": 0,
            "autoencoder": 10 * inputs * units,
            "denoising_autoencoder": 10 * inputs * units,
            "rbm": 2 * (3 + 2 * recipe.rbm.gibbs_steps) * inputs * units,
            "supervised": 4 * inputs * units + 6 * units * classes,
        }[method]
    return float(total * recipe.steps * recipe.batch_size)


def pretrained_networks(runs: Iterable[Run]) -> Counter[str]:
    """Return how many networks are pretrained for some runs, by method: all rates and controls share one."""
    return Counter(key.method for key in {PretrainingKey.of(run) for run in runs} if key)


@dataclass(frozen=True)
class Trained:
    """What a study trained of one workload.

    Attributes:
        workload: the workload.
        steps: by run, the steps that were taken: fewer than all where it diverged.
        pretrained: by method, networks that were pretrained.
    """

    workload: Workload
    steps: Mapping[Run, int]
    pretrained: Mapping[str, int]

    @classmethod
    def of(cls, workload: Workload, store: RunStore) -> Trained:
        """Return what the store holds of a workload's runs."""
        parts, most = store.parts_of(workload.name), workload.training.steps
        table = parts.read(["run_id", "diverged_step"])
        ended = dict(zip(table["run_id"].to_pylist(), table["diverged_step"].to_pylist(), strict=True))
        runs = workload.schedule(parts.validation_scores).runs
        steps = {run: min(most if ended[run.id] is None else ended[run.id], most) for run in runs}
        return cls(workload, steps, pretrained_networks(runs))

    @property
    def training_flops(self) -> float:
        """The operations of its training."""
        return sum(self.steps.values()) / self.workload.training.steps * self.workload.flops_per_run

    @property
    def pretraining_flops(self) -> float:
        """The operations of its pretraining."""
        return sum(count * pretraining_flops(self.workload, method) for method, count in self.pretrained.items())

    def of_first_replicates(self) -> Iterator[tuple[list[Run], float]]:
        """Yield, for each role, the runs of one replicate, and how many times as much the role's runs are, by steps."""
        for role in Role:
            own = [run for run in self.steps if run.role is role]
            first = [run for run in own if run.replicate == own[0].replicate]
            if own:
                yield first, sum(self.steps[run] for run in own) / sum(self.steps[run] for run in first)


@dataclass(frozen=True)
class WholeRun:
    """What running a study took.

    Attributes:
        wall_s: from start to end.
        processor_s: of all its processes.
        largest_process_mb: the peak memory of the largest of them.
    """

    wall_s: float
    processor_s: float
    largest_process_mb: float


def run_study(overrides: Sequence[str], cores: int, folder: Path) -> WholeRun:
    """Run a study in a folder, from an empty store to its page."""
    environment = os.environ | {"PYTHONPATH": str(scaling.ROOT)}
    command = [sys.executable, "-m", "winit", "run", *overrides, "--cores", str(cores)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return WholeRun(wall, processor_s, after.ru_maxrss / 1024)


def peak_of(cores: int) -> float:
    """Return the operations per second of one core, while so many run fused multiply-adds at once."""
    methods = [peak() for _ in range(cores)]  # compiled here, because one process compiles in one thread

    def measured(method: Method) -> float:
        function, operations = method
        times = []
        for _ in range(REPEATS):
            start = time.thread_time()
            function()
            times.append(time.thread_time() - start)
        return operations / median(times)

    with ThreadPoolExecutor(cores) as pool:
        return mean(pool.map(measured, methods))


def tables_and_page(study: Study, folder: Path) -> dict[str, float]:
    """Return the processor time of making the tables and the page of a trained study again."""
    commands = scaling.stages(StudyPaths(study.name))
    seconds = {stage: scaling.run(commands[stage], folder).seconds for stage in ("replay", "collect", "report")}
    return {TABLES: seconds["replay"] + seconds["collect"], PAGE: seconds["report"]}


def extrapolation(all_of: Sequence[Trained], sample: Sequence[Trained]) -> float:
    """Return by how much a cost of some workloads grows to that of all, by FLOPs."""
    of_all, of_sample = (sum(t.training_flops + t.pretraining_flops for t in each) for each in (all_of, sample))
    return of_all / of_sample


def parts_of_training(sample: Iterable[Trained]) -> dict[str, float]:
    """Return the processor time of each part of training some workloads, extrapolated from one replicate of each role."""
    total: dict[str, float] = defaultdict(float)
    for trained in sample:
        for runs, times in trained.of_first_replicates():
            watch = Stopwatch()
            with watch.watching():
                for _ in train(trained.workload, runs, CPU):
                    pass
            for part, seconds in watch.seconds.items():
                total[part] += seconds * (1 if part == INNERMOST else times)  # a shape is compiled once
    return dict(total)


def idiomatic_seconds(sample: Iterable[Trained]) -> float:
    """Return the processor time in which the PyTorch loop would train some workloads, from one run of each role."""
    total = 0.0
    for trained in sample:
        workload = trained.workload
        for runs, times in trained.of_first_replicates():
            data = WorkloadData(workload, TorchStack, CPU, runs[0].replicate)
            run = max(runs, key=lambda run: trained.steps[run])
            like_it = sum(trained.steps[r] for r in runs) / trained.steps[run]
            start = time.process_time()
            idiomatic.train(workload, run, data)
            total += (time.process_time() - start) * like_it * times
        for method, count in trained.pretrained.items():
            run = next(r for r in trained.steps if parse_pretraining(r.pretraining).method == method)
            data = WorkloadData(workload, TorchStack, CPU, run.replicate)
            start = time.process_time()
            idiomatic.pretrain(workload, run, data, method)
            total += (time.process_time() - start) * count
    return total


def facts(
    all_of: Sequence[Trained], whole: WholeRun, parts: Mapping[str, float], peak: float, cores: int, loop: float
) -> dict[str, Any]:
    """Return what `docs/figures/study_speed.json` holds of a study.

    Args:
        all_of: what it trained.
        whole: what running it took.
        parts: processor time of training's parts, of the tables and of the page, in seconds.
        peak: of one core, in operations per second.
        cores: that it ran on.
        loop: processor time of the idiomatic loop, in seconds, without tables and page.
    """
    training, pretraining = sum(t.training_flops for t in all_of), sum(t.pretraining_flops for t in all_of)
    parts = {**parts, OTHER: max(whole.processor_s - sum(parts.values()), 0.0)}
    ours = whole.processor_s - parts[TABLES] - parts[PAGE]
    return {
        "runs": sum(len(t.steps) for t in all_of),
        "tflop": round((training + pretraining) / 1e12, 3),
        "tflop_of_pretraining": round(pretraining / 1e12, 3),
        "processor": processor(),
        "cores": cores,
        "peak_gflops": round(peak / 1e9, 1),
        "wall_s": round(whole.wall_s, 1),
        "processor_s": round(whole.processor_s, 1),
        "largest_process_mb": round(whole.largest_process_mb),
        "of_the_peak": round((training + pretraining) / (cores * whole.wall_s * peak), 4),
        "of_the_peak_of_processor_time": round((training + pretraining) / (whole.processor_s * peak), 4),
        "parts": {part: round(seconds, 1) for part, seconds in parts.items()},
        "idiomatic_s": round(loop, 1),
        "to_idiomatic": round(loop / ours, 2),
    }


def table(study: str, known: Mapping[str, Any]) -> str:
    """Return the table of a study, in Markdown."""
    total = known["processor_s"]
    lines = [f"| {study} | seconds of a core | share |", "|---|--:|--:|"]
    lines += [f"| {part} | {seconds:,.1f} | {seconds / total:.0%} |" for part, seconds in known["parts"].items()]
    lines += [f"| all of it | {total:,.1f} | 100% |"]
    lines += [
        f"| idiomatic PyTorch, tables and page aside | {known['idiomatic_s']:,.0f} | × {known['to_idiomatic']:.1f} |"
    ]
    return "\n".join(lines)


def measure(study: Study, overrides: Sequence[str], cores: int, workloads: int | None, folder: Path) -> dict[str, Any]:
    """Run a study and return its facts.

    Args:
        study: the study.
        overrides: what composes it.
        cores: to run it on.
        workloads: how many to extrapolate from; None for all.
        folder: where to run it, without results.
    """
    peaks = [peak_of(cores)]
    whole = run_study(overrides, cores, folder)
    peaks.append(peak_of(cores))
    store = StudyPaths(study.name, folder / "results").store
    all_of = [Trained.of(workload, store) for workload in study.workloads]
    parts = tables_and_page(study, folder)
    count = min(workloads or len(all_of), len(all_of))
    sample = [all_of[i * len(all_of) // count] for i in range(count)]
    grows = extrapolation(all_of, sample)
    train_parts = {part: seconds * grows for part, seconds in parts_of_training(sample).items()}
    ordered = {part: train_parts.get(part, 0.0) for part in (*reversed(WATCHED), REST)} | parts
    return facts(all_of, whole, ordered, mean(peaks), cores, idiomatic_seconds(sample) * grows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="default")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--sample", type=int, metavar="N", help="take few replicates, and extrapolate from N workloads")
    parser.add_argument("--folder", type=Path, metavar="PATH", help="an empty folder to run in, which is kept")
    given = parser.parse_args()
    if given.folder and given.folder.exists() and any(given.folder.iterdir()):
        sys.exit(f"study: {given.folder} is not empty; --folder takes an empty or a new folder")
    torch.set_num_threads(1)
    overrides = [f"study={given.study}", *(SAMPLED if given.sample else [])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        known = measure(compose(overrides), overrides, given.cores, given.sample, folder)
    print(
        f"\n{table(given.study, known)}\n\n{known['tflop']:.2f} TFLOP in {known['wall_s']:,.0f} s on {given.cores} cores of "
        f"{known['peak_gflops']:.0f} GFLOP/s: {known['of_the_peak']:.1%} of the peak, "
        f"{known['of_the_peak_of_processor_time']:.1%} of that of the processor time; {known['processor']}"
    )
    if not given.sample:
        file = FIGURES / "study_speed.json"
        earlier = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        write_json(file, earlier | {given.study: known})


if __name__ == "__main__":
    main()
