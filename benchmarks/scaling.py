"""Measure how the cost of a whole study grows with its number of runs, up to 100,000 synthetic runs.

    python -m benchmarks.scaling [--runs 1000 10000 100000]

For every size a study is composed and its run store filled with synthetic rows, drawn at random and committed through the
store itself; they never touch results/. Then every stage runs as a user's process does: plan, schedule (a dry run of the
workflow, all of whose jobs are done), collect, report. Training is measured apart, with real runs of one small workload,
because its cost is that of the engine (see benchmarks.engine). Prints a table, and writes results/benchmarks/scaling.json: seconds
of processor time and peak memory by stage and number of runs, and the exponent of the growth between the two largest
sizes: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from math import log
from pathlib import Path

import numpy as np

from winit.store.files import write_bytes
from winit.store.schema import stored_columns
from winit.study.compose import compose
from winit.study.model import Study
from winit.study.seeds import seed
from winit.study.steps import log_spaced
from winit.study.workload import Workload
from winit.workflow import session
from winit.workflow.paths import StudyPaths

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 64  # runs committed together, as in training
# A larger study has more of everything: (widths, depths, optimizers, judged replicates) by how many runs it should have.
GRIDS = {
    1_000: (1, 2, 1, 1),
    5_000: (1, 4, 1, 5),
    10_000: (2, 4, 1, 5),
    30_000: (2, 6, 1, 12),
    100_000: (3, 8, 2, 10),
}


def study_of(runs: int) -> Study:
    """Return a study of about so many runs."""
    widths, depths, optimizers, replicates = GRIDS[runs]
    return compose(
        [
            "study=default", "name=scaling", "dataset=[digits]", "grid.tuning_replicates=2", "grid.learning_rate=[0.01,0.03,0.1,0.3,1.0]",
            f"grid.width={[16, 32, 64][:widths]}", f"grid.depth={[2, 3, 4, 5, 6, 8, 10, 12][:depths]}",
            f"training.optimizer={['sgd', 'momentum'][:optimizers]}".replace("'", ""), f"grid.replicates={replicates}",
        ]
    )  # fmt: skip


def synthetic_rows(workload: Workload) -> list[dict[str, object]]:
    """Return rows of the run store for every run of a workload: plausible in form, drawn at random."""
    rng = np.random.default_rng(seed(0, "synthetic", workload=workload.name))
    steps = workload.training.steps
    curve_steps = log_spaced(steps, workload.measure.curve_points)
    layer_steps = log_spaced(steps, workload.measure.layer_points)
    entries = len(layer_steps) * (workload.depth + 1)
    rows = []
    for run in workload.runs:
        level, diverged = rng.uniform(0.1, 1), rng.random() < 0.05
        rise = level * (1 - np.exp(-np.arange(len(curve_steps)) * rng.uniform(0.05, 0.6)))
        curves = {
            name: (rise if "accuracy" in name else 2.3 - 2 * rise).astype(np.float32)
            for name in stored_columns("curves")
        }
        layers = {name: np.exp(rng.normal(-2, 2, entries)) for name in stored_columns("layers")}
        layers |= {"distinct_units": np.full(entries, 1.0 + workload.width * (rng.random() < 0.9))}
        layers |= {name: np.clip(layers[name], 0, 1) for name in ("saturated", "dead")}
        rows.append(
            {
                "run_id": run.id,
                "initializer": run.initializer,
                "pretraining": run.pretraining,
                "learning_rate": run.learning_rate,
                "replicate": run.replicate,
                "diverged_step": 20 if diverged else None,
                "diverged_layer": 1 if diverged else None,
                "test_loss": 2.3 - 2 * level,
                "test_accuracy": level,
                "device": "cpu",
                "engine": "synthetic",
                "wall_time_s": 0.05,
                "calibration_time_s": 0.0,
                "calibration_forward": 0.0,
                "calibration_backward": 0.0,
                "pretraining_time_s": 0.0,
                "pretraining_step": [],
                "pretraining_error": [],
                "pretraining_baseline": [],
                "curve_step": curve_steps,
                "layer_step": layer_steps,
                "trace_step": [],
                **curves,
                **layers,
                **{name: [] for name in stored_columns("histograms")},
                **{name: rng.uniform(0.1, 10, len(layer_steps)) for name in stored_columns("jacobians")},
                **{name: [] for name in stored_columns("traces")},
            }
        )
    return rows


def fill(study: Study, places: StudyPaths) -> None:
    """Commit synthetic runs to the store and declare every workload trained."""
    session.begin(study, places)
    for workload in study.workloads:
        rows = synthetic_rows(workload)
        for start in range(0, len(rows), CHUNK):
            places.store.commit(workload.name, rows[start : start + CHUNK])
        session.write_manifest(places.manifest(workload.name), workload, places.store)


def stages(places: StudyPaths) -> dict[str, list[str]]:
    """Return the commands of the stages, to be run in the folder of the results."""
    winit, frozen = [sys.executable, "-m", "winit"], str(places.study)
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run"]
    return {
        "plan": [*winit, "plan", frozen],
        "schedule": [*snakemake, "--quiet", "all", "--profile", str(ROOT / "profiles/default"), "--configfile", frozen],
        "collect": [*winit, "collect", frozen],
        "replay": [*winit, "replay", frozen],
        "report": [*winit, "report", frozen],
    }


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return its processor time in seconds and its peak memory in MB."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with open(folder / "log.txt", "a") as log_file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log_file, stderr=log_file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def train(replicates: int) -> dict[str, object]:
    """Train the smallest workload of the smoke study with so many replicates, and return its row."""
    import torch

    from winit.training.workload import train as train_runs

    workload = compose(["study=smoke", "grid.depth=[2]", f"grid.replicates={replicates}"]).workloads[0]
    start = time.process_time()
    count = sum(len(rows) for rows in train_runs(workload, workload.runs, torch.device("cpu")))
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"stage": "train", "runs": count, "seconds": seconds, "peak_memory_mb": memory}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="*", default=list(GRIDS), choices=list(GRIDS))
    given = parser.parse_args()
    rows = []
    for runs in sorted(given.runs):
        with tempfile.TemporaryDirectory() as temporary:
            folder, study = Path(temporary), study_of(runs)
            places = StudyPaths(study.name, Path("results"))
            start = time.process_time()
            fill(study, StudyPaths(study.name, folder / "results"))
            print(
                f"{study.run_count:,} runs in {len(study.workloads)} workloads; made in {time.process_time() - start:.0f} s"
            )
            for stage, command in stages(places).items():
                seconds, memory = run(command, folder)
                rows.append({"stage": stage, "runs": study.run_count, "seconds": seconds, "peak_memory_mb": memory})
                per = 1000 * seconds / study.run_count
                print(f"  {stage:9s} {seconds:7.1f} s  {per:6.3f} s per 1,000 runs  {memory:6.0f} MB", flush=True)
            page = folder / "reports" / study.name / "index.html"
            print(f"  the page  {page.stat().st_size / 1e6:7.1f} MB")
    train(1)  # compiles
    for replicates in (10, 30, 100):
        rows.append(train(replicates))
        per = 1000 * rows[-1]["seconds"] / rows[-1]["runs"]
        print(f"{rows[-1]['runs']:,} runs trained: {rows[-1]['seconds']:.1f} s, {per:.2f} s per 1,000 runs", flush=True)
    for stage in dict.fromkeys(row["stage"] for row in rows):
        of_stage = [row for row in rows if row["stage"] == stage]
        if len(of_stage) > 1:
            a, b = of_stage[-2:]
            exponent = log(b["seconds"] / a["seconds"]) / log(b["runs"] / a["runs"])
            print(f"{stage:9s} grows as runs^{exponent:.2f} from {a['runs']:,} to {b['runs']:,}")
            b["exponent"] = exponent
    write_bytes(Path("results/benchmarks/scaling.json"), (json.dumps(rows, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
