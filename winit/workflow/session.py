"""The joint between studies and Snakemake: where things lie, what is missing, and what happens before the first job."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from winit import __version__
from winit.store import locks, provenance
from winit.store.files import write_bytes
from winit.store.parts import RunStore
from winit.study.compose import dump, resolve
from winit.study.identity import REVISION
from winit.study.model import Run, Study, Workload
from winit.workflow.checks import check_places, other_question
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import Progress

PACKAGE = Path(__file__).resolve().parent.parent


def missing(workload: Workload, store: RunStore) -> list[Run]:
    """Return the runs of a workload that the store does not hold."""
    held = store.shelf(workload.name).run_ids
    return [run for run in workload.runs if run.id not in held]


def write_manifest(path: Path, workload: Workload, store: RunStore) -> None:
    """Declare a workload trained."""
    parts = [part.name for part in store.shelf(workload.name).parts]
    facts = {"workload": workload.name, "runs": workload.run_count, "digest": workload.runs_digest, "parts": parts}
    write_bytes(path, (json.dumps(facts, indent=1) + "\n").encode())


def write_record(study: Study, folder: Path, tables: Iterable[str]) -> None:
    """Record beside a study's tables what made them."""
    record = provenance.record(
        study.name, study.digest, version=__version__, revision=REVISION, folder=folder, tables=tables
    )
    write_bytes(folder / "provenance.json", record)


def sources(*patterns: str, folder: Path = PACKAGE) -> list[str]:
    """Return the files below a folder that match a pattern, sorted: the source files that a rule depends on.

    `**` stands for any number of folders. The paths are relative to the working directory.
    """
    found = {path for p in patterns for path in glob.glob(f"{glob.escape(str(folder))}/{p}", recursive=True)}
    return sorted(os.path.relpath(path) for path in found)


def as_inputs(paths: Iterable[str]) -> list[str]:
    """Return the paths that Snakemake can take for inputs: it reads braces as wildcards, and nothing escapes them."""
    return [path for path in paths if "{" not in path]


def content_digest(paths: Iterable[str]) -> str:
    """Return twelve hexadecimal digits of the files' contents: a parameter of rules, whatever the paths look like."""
    sums = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    return hashlib.sha256("".join(sums).encode()).hexdigest()[:12]


def open_study(config: Mapping[str, object]) -> tuple[Study, bool]:
    """Return the study of a workflow's configuration, and whether it may replace another study's tables (`force=1`).

    Changes nothing on disk, because Snakemake reads the Snakefile in dry runs and in jobs, too.

    Raises:
        ValueError: one sentence, where the configuration is wrong.
    """
    locks.require()
    config = dict(config)
    force = config.pop("force", False)
    if force not in (True, False):
        raise ValueError(f"force: got {force!r}; it takes 0 or 1")
    study = resolve(config)
    check_places(study, StudyPaths(study.name))
    return study, bool(force)


def due(study: Study, places: StudyPaths) -> dict[Path, str]:
    """Return the files that are there and must be made again, each with the reason, whatever Snakemake remembers.

    These are the manifests of workloads whose runs are missing from the store, and the record of tables that are
    another form of the study's, or whose SHA-256 sums are not the recorded ones.
    """
    found: dict[Path, str] = {}
    for workload in study.workloads:
        manifest = places.manifest(workload.name)
        if manifest.exists() and missing(workload, places.store):
            found[manifest] = f"runs of {workload.name} are missing from the store; they are trained"
    record = places.provenance
    if record.exists():
        altered = [] if provenance.read(record).get("digest") != study.digest else provenance.altered(record)
        if altered:
            more = f" (nor are {len(altered) - 1} others)" if len(altered) > 1 else ""
            found[record] = f"{altered[0]} is not what was recorded{more}; the tables are collected again"
        elif provenance.read(record).get("digest") != study.digest:
            found[record] = "the tables are those of other settings; they are collected again"
    return found


def needs_gpu(study: Study) -> bool:
    """Return whether jobs will want the GPU: asked for, or left to `auto` on a machine that has one.

    Looks for the driver's device file, because asking torch would cost a light process two seconds.
    """
    return study.device == "cuda" or (study.device == "auto" and Path("/dev/nvidiactl").exists())


def lock(study: Study, places: StudyPaths) -> IO[str]:
    """Return the locked lock file of a study; closing it unlocks, and so does the end of the process.

    Raises:
        ValueError: another process is running this study.
    """
    places.folder.mkdir(parents=True, exist_ok=True)
    file = open(places.lock, "a")  # noqa: SIM115 (the caller holds it)
    if not locks.acquire(file, wait=False):
        file.close()
        raise ValueError(
            f"study '{study.name}' is already running in {places.results.resolve()}; wait for it, or set name=…"
        )
    return file


_held: list[IO[str]] = []  # keeps Snakemake's lock open for the life of its process


def start(study: Study, force: bool, planned: Mapping[Path, str]) -> None:
    """Lock and begin a study: what Snakemake does before the first job.

    Args:
        study: the study.
        force: whether it may replace the tables of another question.
        planned: the files that were `due` when the jobs were planned.

    Raises:
        ValueError: another process is running the study, or was when the jobs were planned; or its name is taken.
    """
    places = StudyPaths(study.name)
    inherited = locks.handed_down(places.lock)
    _held.append(inherited or lock(study, places))
    if not inherited:  # else `winit run` has seen to it before the jobs were planned
        taken = None if force else other_question(study, places)
        if taken:
            raise ValueError(taken)
        if due(study, places) != planned:
            raise ValueError(f"another process has just changed the results of study '{study.name}'; start again")
    begin(study, places)


def begin(study: Study, places: StudyPaths) -> None:
    """Freeze a study and start its progress file."""
    freeze(study, places)
    todo = [(w, len(missing(w, places.store))) for w in study.workloads]
    done = study.run_count - sum(n for _, n in todo)
    Progress.begin(places.folder, done, study.run_count, sum(w.flops_per_run * n for w, n in todo))


def freeze(study: Study, places: StudyPaths) -> None:
    """Write results/<study>/study.yaml, if it says something else than it does now."""
    content = dump(study).encode()
    if not places.study.is_file() or places.study.read_bytes() != content:
        write_bytes(places.study, content)
