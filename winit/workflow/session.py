"""The interface between studies and Snakemake: what is missing, what is due, and what happens before the first job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from winit import __version__
from winit.store import locks, provenance
from winit.store.files import write_bytes
from winit.store.parts import RunStore
from winit.store.schema import REPLAYED
from winit.study.compose import dump, resolve
from winit.study.identity import REVISION
from winit.study.model import Study
from winit.study.protocol import Run
from winit.study.workload import Workload
from winit.workflow.bundles import bundles
from winit.workflow.checks import check_paths, other_question
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import Progress, Todo


def lacking(workload: Workload, store: RunStore) -> list[Run]:
    """Return the runs that a workload needs next and that are missing from the store; none once it is done.

    Further runs may follow from the scores of these runs.
    """
    scores = store.parts_of(workload.name).validation_scores
    return [run for run in workload.schedule(scores).runs if run.id not in scores]


class Needed(NamedTuple):
    """Numbers of runs of a workload: done, and the smallest and largest total, which are equal once its rates are chosen."""

    done: int
    least: int
    total: int

    @classmethod
    def of(cls, workload: Workload, store: RunStore) -> Needed:
        scores = store.parts_of(workload.name).validation_scores
        runs, is_complete = workload.schedule(scores)
        done = sum(run.id in scores for run in runs)
        if is_complete:
            return cls(done, len(runs), len(runs))
        counts = workload.counts
        return cls(done, max(len(runs), counts.tuning + counts.least), max(len(runs), counts.bound))

    @property
    def todo(self) -> int:
        """The largest possible number of remaining runs."""
        return self.total - self.done


def write_manifest(path: Path, workload: Workload, store: RunStore) -> None:
    """Declare a workload trained."""
    stored = store.parts_of(workload.name)
    runs = len(workload.schedule(stored.validation_scores).runs)
    parts = [part.name for part in stored.parts]
    facts = {"workload": workload.name, "runs": runs, "digest": workload.arms_digest, "parts": parts}
    write_bytes(path, (json.dumps(facts, indent=1) + "\n").encode())


def write_record(study: Study, folder: Path, tables: Iterable[str]) -> None:
    """Record the provenance of a study's tables, with the hash of each existing table."""
    written = [name for name in tables if (folder / f"{name}.parquet").is_file()]
    record = provenance.record(
        study.name, study.digest, version=__version__, revision=REVISION, folder=folder, tables=written
    )
    write_bytes(folder / "provenance.json", record)


def open_study(config: Mapping[str, object]) -> tuple[Study, bool]:
    """Return the study of a workflow's configuration, and whether it may replace another study's tables (`force=1`).

    Changes nothing on disk, because Snakemake also reads the Snakefile in dry runs and in jobs.

    Raises:
        ValueError: the configuration is invalid; the message is one sentence.
    """
    locks.require()
    config = dict(config)
    force = config.pop("force", False)
    if force not in (True, False):
        raise ValueError(f"force: got {force!r}; it takes 0 or 1")
    study = resolve(config)
    check_paths(study, StudyPaths(study.name))
    return study, bool(force)


def due(study: Study, paths: StudyPaths) -> dict[Path, str]:
    """Return the existing files that must be made again, each with the reason, independently of Snakemake's records.

    These are manifests of workloads whose runs are missing from the store, the record of tables with other settings or with
    SHA-256 sums that differ from the recorded ones, and a replay whose sum differs from the recorded one.
    """
    reasons: dict[Path, str] = {}
    for workload in study.workloads:
        manifest = paths.manifest(workload.name)
        if manifest.exists() and lacking(workload, paths.store):
            reasons[manifest] = f"runs of {workload.name} are missing from the store; they are trained"
    record = paths.provenance
    if not record.exists():
        return reasons
    if provenance.read(record).get("digest") != study.digest:
        reasons[record] = "the tables were made with other settings; they are collected again"
        return reasons
    altered = provenance.altered(record)
    for replayed in [path for path in altered if path.stem in REPLAYED]:
        altered.remove(replayed)
        reasons[replayed] = f"{replayed} was changed; it is computed again"
    if altered:
        more = f" (and {len(altered) - 1} others)" if len(altered) > 1 else ""
        reasons[record] = f"{altered[0]} was changed{more}; the tables are collected again"
    return reasons


def needs_gpu(study: Study) -> bool:
    """Return whether jobs will use the GPU: if it is requested, or with `auto` on a machine that has one.

    This looks for the driver's device file, because importing torch would take two seconds.
    """
    return study.device == "cuda" or (study.device == "auto" and Path("/dev/nvidiactl").exists())


def lock(study: Study, paths: StudyPaths) -> IO[str]:
    """Return the locked lock file of a study. It is unlocked when it is closed or the process ends.

    Raises:
        ValueError: another process is running this study.
    """
    paths.folder.mkdir(parents=True, exist_ok=True)
    file = open(paths.lock, "a")  # noqa: SIM115 (the caller holds it)
    if not locks.acquire(file, wait=False):
        file.close()
        raise ValueError(
            f"study '{study.name}' is already running in {paths.results.resolve()}; wait for it, or set name=…"
        )
    return file


_held: list[IO[str]] = []  # keeps Snakemake's lock open for the life of its process


def start(study: Study, force: bool, planned: Mapping[Path, str], cores: int) -> None:
    """Lock and start a study, before Snakemake's first job.

    Args:
        study: the study.
        force: whether it may replace the tables of a different study.
        planned: the files that were `due` when the jobs were planned.
        cores: number of cores that jobs may use.

    Raises:
        ValueError: another process is running the study, or was when the jobs were planned, or the name is in use.
    """
    paths = StudyPaths(study.name)
    inherited = locks.handed_down(paths.lock)
    _held.append(inherited or lock(study, paths))
    if not inherited:  # otherwise `winit run` has done this before the jobs were planned
        taken = None if force else other_question(study, paths)
        if taken:
            raise ValueError(taken)
        if due(study, paths) != planned:
            raise ValueError(f"another process has just changed the results of study '{study.name}'; start again")
    begin(study, paths, cores)


def begin(study: Study, paths: StudyPaths, cores: int = 1) -> None:
    """Freeze a study and start its progress file."""
    freeze(study, paths)
    needed = {workload.name: Needed.of(workload, paths.store) for workload in study.workloads}
    flops = {workload.name: workload.flops_per_run for workload in study.workloads}
    jobs = sum(any(needed[workload.name].todo for workload in bundle.workloads) for bundle in bundles(study))
    todo = Todo(
        done=sum(each.done for each in needed.values()),
        total=sum(each.total for each in needed.values()),
        flops=sum(each.todo * flops[name] for name, each in needed.items()),
        least_flops=sum((each.least - each.done) * flops[name] for name, each in needed.items()),
        processors=1 if needs_gpu(study) else max(min(cores, jobs), 1),
    )
    Progress.begin(paths.folder, todo)


def freeze(study: Study, paths: StudyPaths) -> None:
    """Write results/<study>/study.yaml if its content changes."""
    content = dump(study).encode()
    if not paths.study.is_file() or paths.study.read_bytes() != content:
        write_bytes(paths.study, content)
