"""The joint between studies and Snakemake: where things lie, what is missing, and what happens before the first job."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from winit import locks, provenance
from winit import study as studies
from winit.progress import FILE, Progress
from winit.store import Store
from winit.study import Study, Workload
from winit.tables import COLLECTED, COPIED, TABLES, write_bytes

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Places:
    """Where a study's files lie, below the folder in which it runs."""

    name: str
    results: Path = Path("results")
    reports: Path = Path("reports")

    @property
    def folder(self) -> Path:
        return self.results / self.name

    @property
    def study(self) -> Path:
        return self.folder / "study.yaml"

    @property
    def provenance(self) -> Path:
        return self.folder / "provenance.json"

    @property
    def lock(self) -> Path:
        return self.folder / ".lock"

    @property
    def report(self) -> Path:
        return self.reports / self.name / "index.html"

    def manifest(self, workload: str) -> Path:
        """The file that says that a workload is trained: what Snakemake looks at."""
        return self.folder / "workloads" / f"{workload}.json"

    @property
    def store(self) -> Store:
        return Store(self.results / "store")


def missing(workload: Workload, store: Store) -> list[studies.Run]:
    """Return the runs of a workload that the store does not hold."""
    held = store.shelf(workload.name).run_ids
    return [run for run in workload.runs if run.id not in held]


def write_manifest(path: Path, workload: Workload, store: Store) -> None:
    """Declare a workload trained."""
    parts = [part.name for part in store.shelf(workload.name).parts]
    facts = {"workload": workload.name, "runs": workload.run_count, "digest": workload.runs_digest, "parts": parts}
    write_bytes(path, (json.dumps(facts, indent=1) + "\n").encode())


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
    study = studies.resolve(config)
    check_places(study, Places(study.name))
    return study, bool(force)


def due(study: Study, places: Places) -> dict[Path, str]:
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


def check_places(study: Study, places: Places) -> None:
    """Check that a study's files can be written where they belong. Creates nothing.

    Raises:
        ValueError: a file lies where a folder is needed, or the reverse; or there is no permission to write.
    """
    store, workloads = places.store.root, [w.name for w in study.workloads]
    folders = [places.results, places.folder, places.folder / "workloads", places.folder / "logs", store]
    folders += [places.reports, places.report.parent, places.report.parent / "figures"]
    folders += [store / name for name in workloads]
    for folder in folders:
        if os.path.lexists(folder) and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder, but winit needs one there; move it away, or set name=…")
        existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise ValueError(f"no permission to write to {existing}; change it, or run in another folder")
    files = [places.study, places.lock, places.provenance, places.folder / FILE, places.report]
    files += [places.folder / f"{name}.parquet" for name in TABLES] + [places.folder / f"{name}.csv" for name in COPIED]
    files += [places.manifest(name) for name in workloads] + [store / name / ".lock" for name in workloads]
    for file in files:
        if file.is_dir():
            raise ValueError(f"{file} is a folder, but winit writes a file there; move it away, or set name=…")


def other_question(study: Study, places: Places) -> str | None:
    """Return the sentence that refuses to replace the tables of another question; None if nothing would be lost.

    A study may replace the tables of its name if its runs contain all of theirs.
    """
    made = [places.provenance, places.report, *(places.folder / f"{name}.parquet" for name in COLLECTED)]
    if not places.study.exists() or not any(path.exists() for path in made):
        return None
    advice = "take another name=…, or replace its tables with --force (plain snakemake: --config force=1); stored runs are kept"
    try:
        other = studies.read(places.study)
    except ValueError:
        return f"{places.study} cannot be read, so the tables beside it may be another study's; {advice}"
    if other.digest == study.digest or _contains(study, other):
        return None
    before, now = dict(_leaves(other.settings)), dict(_leaves(study.settings))
    keys = [key for key in {**now, **before} if before.get(key) != now.get(key)]
    named = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return f"study '{study.name}' already has results of another question in {places.folder} (it differs in {named}); {advice}"


def _contains(study: Study, other: Study) -> bool:
    """Return whether the runs of a study contain those of another one."""
    runs = {workload.name: workload for workload in study.workloads}
    if any(workload.name not in runs for workload in other.workloads):
        return False
    return all({run.id for run in w.runs} <= {run.id for run in runs[w.name].runs} for w in other.workloads)


def _leaves(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of nested settings, and their values."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def lock(study: Study, places: Places) -> IO[str]:
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
    places = Places(study.name)
    inherited = locks.handed_down(places.lock)
    _held.append(inherited or lock(study, places))
    if not inherited:  # else `winit run` has seen to it before the jobs were planned
        taken = None if force else other_question(study, places)
        if taken:
            raise ValueError(taken)
        if due(study, places) != planned:
            raise ValueError(f"another process has just changed the results of study '{study.name}'; start again")
    begin(study, places)


def begin(study: Study, places: Places) -> None:
    """Freeze a study and start its progress file."""
    freeze(study, places)
    todo = [(w, len(missing(w, places.store))) for w in study.workloads]
    done = study.run_count - sum(n for _, n in todo)
    Progress.begin(places.folder, done, study.run_count, sum(w.flops_per_run * n for w, n in todo))


def freeze(study: Study, places: Places) -> None:
    """Write results/<study>/study.yaml, if it says something else than it does now."""
    content = studies.dump(study).encode()
    if not places.study.is_file() or places.study.read_bytes() != content:
        write_bytes(places.study, content)
