"""Jobs of the workflow: train a bundle of workloads, collect tables, replay, write the page."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from winit.store.parts import RunStore
from winit.store.schema import COLLECTED, REPLAYED
from winit.study.compose import read
from winit.study.model import Study
from winit.study.workload import Workload
from winit.vocabulary.errors import sentence_of
from winit.workflow import bundles, session, snakemake
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE, Progress

LOG = logging.getLogger("winit")

# Smallest number of seconds between two progress messages of a job.
PAUSE = 5.0

Job = Callable[[argparse.Namespace, Study, StudyPaths], None]


class _Marked(logging.Formatter):
    """Marks messages that `winit run` shows, and the reason of a failure."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = {logging.WARNING: snakemake.WARNING, logging.ERROR: snakemake.ERROR}.get(record.levelno, "winit: ")
        return prefix + super().format(record)


def _log_to(path: Path | None) -> None:
    """Send messages to the terminal and, in a rule, to its log file, which is cleared first."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        handlers.append(logging.FileHandler(path))  # append, so that an orphaned job does not overwrite messages
    for handler in handlers:
        handler.setFormatter(_Marked("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)


def run(job: Job, given: argparse.Namespace) -> int:
    """Run a job of the workflow for the frozen study results/<name>/study.yaml. Its log has the reason of a failure."""
    _log_to(given.log)
    try:
        results = given.study.parent.parent
        study = read(given.study)
        job(given, study, StudyPaths(study.name, results, results.parent / "reports"))
    except (ValueError, OSError) as reason:
        LOG.error("%s", sentence_of(reason))
        return 2
    except Exception as error:
        LOG.info("traceback of the error:", exc_info=True)
        LOG.error("%s", sentence_of(error))
        return 1
    return 0


def train(given: argparse.Namespace, study: Study, paths: StudyPaths) -> None:
    """Train the missing runs of a bundle's workloads, one workload after another, one chunk at a time."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: one thread per process
    bundle = bundles.bundle(study, given.bundle)
    if bundle.arms_digest != given.arms:
        raise ValueError(
            f"{given.study} asks for other runs of bundle {bundle.name} (digest {bundle.arms_digest}) than the workflow "
            f"(digest {given.arms}); run the study again: winit run"
        )
    store = paths.store
    for workload in bundle.workloads:
        with store.training(workload.name):
            for path, reason in store.set_aside(workload.name).items():
                LOG.warning("%s was set aside, and its runs are trained again: %s", path, reason)
            if session.lacking(workload, store):
                _train(study, workload, store, Progress(paths.folder / FILE))
            session.write_manifest(paths.manifest(workload.name), workload, store)


def _train(study: Study, workload: Workload, store: RunStore, progress: Progress) -> None:
    """Train the missing runs of a workload until no further runs follow from the scores."""
    from winit.training.engines import choose_device
    from winit.training.workload import train as train_runs

    finished = spoken = time.monotonic()
    device = choose_device(study.device)
    unneeded = session.Needed.of(workload, store).todo
    while lacking := session.lacking(workload, store):
        for rows in train_runs(workload, lacking, device, study.engine):
            store.commit(workload.name, rows)
            begun, finished = finished, time.monotonic()
            progress.trained(workload.name, len(rows), len(rows) * workload.flops_per_run, finished - begun)
            unneeded -= len(rows)
            if finished - spoken > PAUSE:
                spoken = finished
                LOG.info("%s", progress.state())
    progress.unneeded(workload.name, unneeded, unneeded * workload.flops_per_run)
    LOG.info("%s; %s is trained", progress.state(), workload.name)


def collect(given: argparse.Namespace, study: Study, paths: StudyPaths) -> None:
    """Write the tables of a study, and their provenance."""
    from winit.analysis import collect as collecting

    collecting.collect(study, paths.store, paths.folder, given.processes)
    session.write_record(study, paths.folder, [*COLLECTED, *REPLAYED])


def replay(given: argparse.Namespace, study: Study, paths: StudyPaths) -> None:
    """Write the table of the tutorial's forward pass."""
    from winit.analysis import replay as replaying
    from winit.store import files

    files.write(paths.folder, "replay", replaying.replay(study.seed))


def report(given: argparse.Namespace, study: Study, paths: StudyPaths) -> None:
    """Draw the figures and write the page."""
    from winit.report import page

    page.write(study, paths.folder, paths.report, given.processes)
