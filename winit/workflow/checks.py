"""Checks before anything is changed on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from winit.store.schema import COLLECTED, COPIED, TABLES
from winit.study.compose import read
from winit.study.model import Study
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE


def check_paths(study: Study, paths: StudyPaths) -> None:
    """Check that the files of a study can be written. Creates nothing.

    Raises:
        ValueError: there is a file where a folder is needed, or the reverse, or no permission to write.
    """
    store, workloads = paths.store.root, [w.name for w in study.workloads]
    folders = [paths.results, paths.folder, paths.folder / "workloads", paths.folder / "logs", store]
    folders += [paths.reports, paths.report.parent, paths.report.parent / "figures"]
    folders += [store / name for name in workloads]
    for folder in folders:
        if os.path.lexists(folder) and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder, but winit needs a folder there; move it, or set name=…")
        existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise ValueError(f"no permission to write to {existing}; change it, or run in another folder")
    files = [paths.study, paths.lock, paths.provenance, paths.folder / FILE, paths.report, paths.findings]
    files += [paths.folder / f"{name}.parquet" for name in TABLES] + [paths.folder / f"{name}.csv" for name in COPIED]
    files += [paths.manifest(name) for name in workloads] + [store / name / ".lock" for name in workloads]
    for file in files:
        if file.is_dir():
            raise ValueError(f"{file} is a folder, but winit writes a file there; move it, or set name=…")


def other_question(study: Study, paths: StudyPaths) -> str | None:
    """Return the error message if a study would replace the tables of a different study; None if nothing would be lost.

    A study may replace existing tables of the same name if its runs include all of theirs.
    """
    made = [paths.provenance, paths.report, *(paths.folder / f"{name}.parquet" for name in COLLECTED)]
    if not paths.study.exists() or not any(path.exists() for path in made):
        return None
    advice = "use another name=…, or replace its tables with --force (plain snakemake: --config force=1); stored runs are kept"
    try:
        other = read(paths.study)
    except ValueError:
        return f"{paths.study} cannot be read, so its tables may belong to another study; {advice}"
    if other.digest == study.digest or _contains(study, other):
        return None
    before, now = dict(_leaves(other.settings)), dict(_leaves(study.settings))
    keys = [key for key in {**now, **before} if before.get(key) != now.get(key)]
    named = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return f"study '{study.name}' already has different results in {paths.folder} (it differs in {named}); {advice}"


def _contains(study: Study, other: Study) -> bool:
    """Return whether the arms of a study include those of another study, with at least the same runs."""
    workloads = {workload.name: workload for workload in study.workloads}
    if any(workload.name not in workloads for workload in other.workloads):
        return False
    return all(
        any(ours.contains(theirs) for ours in workloads[workload.name].arms)
        for workload in other.workloads
        for theirs in workload.arms
    )


def _leaves(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of nested settings with their values."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
