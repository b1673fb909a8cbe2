"""The joint between studies and Snakemake: where things lie, what is missing, and what happens before the first job."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from winit import study as studies
from winit.progress import Progress
from winit.store import Store
from winit.study import Study, Workload
from winit.tables import write_bytes


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


def open_study(config: Mapping[str, object], results: Path = Path("results")) -> Study:
    """Resolve the study of a workflow, and withdraw every manifest that the store does not bear out.

    A part that was truncated, altered or deleted thus makes its workload due again, whatever Snakemake remembers; so
    are tables that another form of the study has left.

    Raises:
        ValueError: one sentence, where the configuration is wrong.
    """
    study = studies.resolve(config)
    places = Places(study.name, results)
    for workload in study.workloads:
        manifest = places.manifest(workload.name)
        if manifest.exists() and missing(workload, places.store):
            manifest.unlink()
    provenance = places.folder / "provenance.json"
    if provenance.exists() and json.loads(provenance.read_text()).get("digest") != study.digest:
        provenance.unlink()  # the tables are another study's, even if Snakemake's memory of it is gone
    return study


def needs_gpu(study: Study) -> bool:
    """Return whether jobs will want the GPU: asked for, or left to `auto` on a machine that has one.

    Looks for the driver's device file, because asking torch would cost a light process two seconds.
    """
    return study.device == "cuda" or (study.device == "auto" and Path("/dev/nvidiactl").exists())


_locks: list[IO[str]] = []  # held open for the life of the process


def begin(study: Study, results: Path = Path("results")) -> None:
    """Freeze the study and start its progress file: called once, before the first job.

    Raises:
        ValueError: another process is running this study. The lock dies with its holder, so a killed run leaves none.
    """
    places = Places(study.name, results)
    places.folder.mkdir(parents=True, exist_ok=True)
    lock = open(places.folder / ".lock", "w")  # noqa: SIM115 (held until the process ends)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"study '{study.name}' is already running in {results.resolve()}; wait for it, or set name=…"
        ) from None
    _locks.append(lock)
    freeze(study, places)
    todo = [(w, len(missing(w, places.store))) for w in study.workloads]
    done = study.run_count - sum(n for _, n in todo)
    Progress.begin(places.folder, done, study.run_count, sum(w.flops_per_run * n for w, n in todo))


def freeze(study: Study, places: Places) -> None:
    """Write results/<study>/study.yaml, if it says something else than it does now."""
    content = studies.dump(study).encode()
    if not places.study.is_file() or places.study.read_bytes() != content:
        write_bytes(places.study, content)
