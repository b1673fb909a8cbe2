"""Measure how the cost of a whole study grows with its number of runs, up to 100,000 synthetic runs.

    python -m benchmarks.scaling [--runs 1000 10000 100000]

For every size a study is composed and its run store filled with synthetic rows, drawn at random and committed through the
store itself; they never touch results/. Then every stage runs as a user's process does: plan, schedule (a dry run of the
workflow, all of whose jobs are done), collect and report in two processes. Training is measured apart, with real runs of one
small workload, because its cost is that of the engine (see benchmarks.engine). Prints, by stage and number of runs, seconds
of processor time, seconds on the clock and the peak memory of the largest process, then the size of the page, and the
exponent of the growth between the two largest sizes: 1 is linear. With the largest size it writes docs/figures/scaling.json,
from which `make figures` fills in docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from math import log, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.facts import write_json
from benchmarks.figures import FIGURES
from winit.datasets import TEST_PART, part_sizes
from winit.store.schema import FIELDS
from winit.store.schema.column import Axis
from winit.study.compose import compose
from winit.study.model import Study
from winit.study.protocol import Role, Run
from winit.study.seeds import seed
from winit.study.steps import log_spaced
from winit.study.workload import Workload
from winit.workflow import session
from winit.workflow.paths import StudyPaths

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 64  # runs committed together, as in training
RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
# A larger study has more of everything: (widths, depths, optimizers, judged replicates) by about how many runs it has.
GRIDS = {
    1_000: (1, 2, 1, 4),
    5_000: (1, 6, 1, 10),
    10_000: (2, 6, 1, 10),
    30_000: (3, 8, 1, 16),
    100_000: (3, 8, 2, 41),
}

PROCESSES = 2  # of the stages that have several
STAGES = ("plan", "schedule", "collect", "report")  # whose cost docs/performance.md states


def study_of(runs: int) -> Study:
    """Return a study of about so many runs."""
    widths, depths, optimizers, replicates = GRIDS[runs]
    return compose(
        [
            "study=default", "name=scaling", "dataset=[digits]", "grid.tuning_replicates=2",
            "grid.extensions=0", f"grid.learning_rate={RATES}", f"grid.replicates={replicates}",
            f"grid.width={[16, 32, 64][:widths]}", f"grid.depth={[2, 3, 4, 5, 6, 8, 10, 12][:depths]}",
            f"training.optimizer={['sgd', 'momentum'][:optimizers]}".replace("'", ""),
        ]
    )  # fmt: skip


def synthetic_row(workload: Workload, run: Run, rng: np.random.Generator) -> dict[str, object]:
    """Return a row of the run store: plausible in form, drawn at random. Of tuning runs little is recorded.

    Args:
        workload: the run's.
        run: its factors and its role.
        rng: what to draw with.
    """
    is_judged, measure = run.role is Role.JUDGED, workload.measure
    budgets = list(workload.budgets)
    curve_steps = sorted({*(log_spaced(budgets[-1], measure.curve_points) if is_judged else [0]), *budgets})
    layer_steps = log_spaced(budgets[-1], measure.layer_points) if is_judged else []
    sizes: dict[Axis, int] = {
        "curve_step": len(curve_steps), "budget": len(budgets), "layer_step": len(layer_steps), "layer": workload.depth + 1,
        "test_example": part_sizes(workload.dataset)[TEST_PART] if is_judged else 0,
        "bin": 0, "trace_step": 0, "pretraining_step": 0, "pretraining_layer": 0,
    }  # fmt: skip
    lists = {
        field.name: np.exp(rng.normal(-2, 2, prod(sizes[axis] for axis in field.axes))).astype(field.type)
        for field in FIELDS.values()
        if field.axes
    }
    level, speed, diverged = rng.uniform(0.1, 1), rng.uniform(0.0005, 0.05), rng.random() < 0.05
    scores = {"train": curve_steps, "test": curve_steps, "validation": budgets}
    rises = {part: level * (1 - np.exp(-speed * np.array(steps))) for part, steps in scores.items()}
    lists |= {f"{part}_accuracy": rise.astype(lists[f"{part}_accuracy"].dtype) for part, rise in rises.items()}
    lists |= {f"{part}_loss": (2.3 - 2 * rise).astype(lists[f"{part}_loss"].dtype) for part, rise in rises.items()}
    lists |= {name: lists[name].clip(0, 1) for name in ("saturated", "dead", "test_probability")}
    entries = len(lists["distinct_units"])
    return {
        **lists,
        "distinct_units": np.full(entries, 1.0 + (workload.width - 1) * (rng.random() < 0.9)),
        "test_prediction": rng.integers(0, 10, len(lists["test_prediction"])),
        "curve_step": curve_steps,
        "budget": budgets,
        "layer_step": layer_steps,
        "run_id": run.id,
        "initializer": run.initializer,
        "pretraining": run.pretraining,
        "pretraining_rate": run.pretraining_rate,
        "learning_rate": run.learning_rate,
        "replicate": run.replicate,
        "diverged_step": 20 if diverged else None,
        "diverged_layer": 1 if diverged else None,
        "device": "cpu",
        "engine": "synthetic",
        "wall_time_s": 0.05,
        **dict.fromkeys(
            ("calibration_time_s", "calibration_forward", "calibration_backward", "pretraining_time_s"), 0.0
        ),
    }


def fill(study: Study, places: StudyPaths) -> int:
    """Commit synthetic runs to the store, tuning before judging, and declare every workload trained.

    Returns:
        How many runs there are.
    """
    session.begin(study, places)
    count = 0
    for workload in study.workloads:
        rng = np.random.default_rng(seed(0, "synthetic", workload=workload.name))
        while runs := session.lacking(workload, places.store):
            count += len(runs)
            for start in range(0, len(runs), CHUNK):
                rows = [synthetic_row(workload, run, rng) for run in runs[start : start + CHUNK]]
                places.store.commit(workload.name, rows)
        session.write_manifest(places.manifest(workload.name), workload, places.store)
    return count


def stages(places: StudyPaths) -> dict[str, list[str]]:
    """Return the commands of the stages, to be run in the folder of the results."""
    winit, frozen = [sys.executable, "-m", "winit"], str(places.study)
    jobs = [*winit, "workflow"]
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run"]
    return {
        "plan": [*winit, "plan", frozen],
        "schedule": [*snakemake, "--quiet", "all", "--profile", str(ROOT / "profiles/default"), "--configfile", frozen],
        "collect": [*jobs, "collect", frozen, "--processes", str(PROCESSES)],
        "replay": [*jobs, "replay", frozen],
        "report": [*jobs, "report", frozen, "--processes", str(PROCESSES)],
    }


class Cost(NamedTuple):
    """What a command has cost, the processes that it started included.

    Attributes:
        seconds: of processor time.
        wall_seconds: on the clock.
        peak_memory_mb: of the largest process.
    """

    seconds: float
    wall_seconds: float
    peak_memory_mb: float


def run(command: list[str], folder: Path) -> Cost:
    """Run a command, one thread a process, and return what it has cost."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    with open(folder / "log.txt", "a") as log_file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log_file, stderr=log_file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024)


def train(replicates: int) -> dict[str, Any]:
    """Train the smallest workload of the smoke study with so many replicates, and return its row."""
    import torch

    from winit.training.workload import train as train_runs

    smoke = ["study=smoke", "grid.depth=[2]", "grid.tuning_replicates=0", f"grid.replicates={replicates}"]
    workload = compose(smoke).workloads[0]
    runs = workload.schedule({}).runs
    start = time.process_time()
    count = sum(len(rows) for rows in train_runs(workload, runs, torch.device("cpu")))
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"stage": "train", "runs": count, "seconds": seconds, "peak_memory_mb": memory}


def measure(size: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the cost of every stage of a study of about so many runs, and the facts of it that no stage has."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, study = Path(temporary), study_of(size)
        places = StudyPaths(study.name, Path("results"))
        start = time.process_time()
        count = fill(study, StudyPaths(study.name, folder / "results"))
        made = time.process_time() - start
        print(f"{count:,} runs in {len(study.workloads)} workloads; made in {made:.0f} s")
        for stage, command in stages(places).items():
            cost = run(command, folder)
            rows.append({"stage": stage, "runs": count} | cost._asdict())
            per = 1000 * cost.seconds / count
            print(
                f"  {stage:9s} {cost.seconds:7.1f} s  {per:6.3f} s per 1,000 runs  {cost.wall_seconds:7.1f} s on the clock  "
                f"{cost.peak_memory_mb:6.0f} MB",
                flush=True,
            )
        page = (folder / "reports" / study.name / "index.html").stat().st_size / 1e6
        print(f"  the page  {page:7.1f} MB")
    return rows, {"workloads": len(study.workloads), "page_mb": round(page, 1)}


def exponent(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return p where seconds grow as runs to the power of p from one size to another."""
    return log(second["seconds"] / first["seconds"]) / log(second["runs"] / first["runs"])


def summary(rows: list[dict[str, Any]], facts: dict[str, Any]) -> dict[str, Any]:
    """Return what `docs/figures/scaling.json` holds: the costs at the largest size, and how they grow up to it.

    Args:
        rows: of all sizes, ascending.
        facts: of the largest, as `measure` returns them.
    """
    of_stages = {stage: [row for row in rows if row["stage"] == stage][-2:] for stage in STAGES}
    smaller, largest = of_stages["plan"]
    return {
        "runs": largest["runs"],
        **facts,
        "smaller": smaller["runs"],
        "peak_memory_mb": round(max(row["peak_memory_mb"] for _, row in of_stages.values())),
        "stages": [
            {
                "stage": stage,
                "seconds": round(b["seconds"], 1),
                "wall_seconds": round(b["wall_seconds"], 1),
                "exponent": round(exponent(a, b), 2),
            }
            for stage, (a, b) in of_stages.items()
        ],
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="*", default=list(GRIDS), choices=list(GRIDS))
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}
    for size in sorted(given.runs):
        of_size, facts = measure(size)
        rows += of_size
    if len(given.runs) > 1 and max(GRIDS) in given.runs:
        write_json(FIGURES / "scaling.json", summary(rows, facts))
    train(1)  # compiles
    for replicates in (10, 30, 100):
        rows.append(train(replicates))
        per = 1000 * rows[-1]["seconds"] / rows[-1]["runs"]
        print(f"{rows[-1]['runs']:,} runs trained: {rows[-1]['seconds']:.1f} s, {per:.2f} s per 1,000 runs", flush=True)
    for stage in dict.fromkeys(row["stage"] for row in rows):
        pair = [row for row in rows if row["stage"] == stage][-2:]
        if len(pair) > 1:
            print(f"{stage:9s} grows as runs^{exponent(*pair):.2f} from {pair[0]['runs']:,} to {pair[1]['runs']:,}")


if __name__ == "__main__":
    main()
