"""Snakemake in `winit run`: its command, its log, and why a job failed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from winit.store import locks
from winit.study import conf, yaml_files
from winit.workflow.paths import StudyPaths

# Prefixes of warnings and of the reason of a failure in the logs of jobs.
WARNING, ERROR = "winit: warning: ", "winit: error: "


def command(arguments: Sequence[str], cores: int, is_dry_run: bool = False) -> list[str]:
    """Return the command that runs a study. It overrides `quiet` of the profile, which would hide the failed job.

    Args:
        arguments: overrides, or the path of a frozen study.
        cores: number of cores that its jobs may use.
        is_dry_run: whether jobs are only shown.
    """
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(conf.shipped("Snakefile")), "--cores", str(cores)]
    words += [
        "--profile",
        str(conf.shipped("profiles") / "default"),
        *(["--dry-run"] if is_dry_run else ["--quiet", "host"]),
    ]
    return [*words, "--config", f"overrides={yaml_files.dump_line(list(arguments))}"]


def start(words: Sequence[str], log: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start Snakemake, and return its process. All output goes to a file, which remains if this process is killed.

    Args:
        words: the command.
        log: the file.
        lock: file descriptor of the study's lock, which is passed on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        environment = {**os.environ, locks.VARIABLE: str(lock)}
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, pass_fds=[lock], env=environment
        )


@dataclass
class LogReader:
    """Reads a log that another process is writing."""

    path: Path
    _position: int = field(default=0, init=False)

    def new_lines(self) -> Iterator[str]:
        """Yield the complete lines since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._position += len(line)
                yield line.decode(errors="replace").rstrip("\n")


class Failure(NamedTuple):
    """A job that failed.

    Attributes:
        job: its name, such as `train_01`.
        reason: why it failed, as the end of a sentence.
        log: its log file.
    """

    job: str
    reason: str
    log: Path


def failures(log: Path) -> list[Failure]:
    """Return the failed jobs, in the order of Snakemake's log."""
    text = log.read_text(errors="replace")
    found = re.findall(r"^Error in rule (\S+):\n(?:    .*\n)*?    log: (.+?) \(check log", text, re.MULTILINE)
    return [Failure(job, _reason(Path(path)), Path(path)) for job, path in dict(found).items()]


def _reason(log: Path) -> str:
    """Return the last error of a job's log."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return (
        errors[-1]
        if errors
        else "it ended without an error message, for example because it was killed or ran out of memory"
    )


def explanation(paths: StudyPaths) -> str:
    """Return why a study did not finish, in two sentences: the job and the reason, and where to read more."""
    log = paths.log("snakemake")
    failed = failures(log)
    if failed:
        first, others = failed[0], len(failed) - 1
        more = f" (and {others} more)" if others else ""
        return f"job {first.job}{more} failed: {first.reason.rstrip('.')}. Its log is {first.log}"
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"Snakemake stopped: {said[-1].strip().rstrip('.') if said else 'it gave no reason'}. Its log is {log}"


def stage(paths: StudyPaths, since: float) -> str:
    """Return the stage of a running study: `training`, `tables` or `page`. A job creates its log when it starts.

    Args:
        paths: of the study.
        since: when the workflow was started, in seconds since the epoch.
    """
    for name, rule in (("page", "report"), ("tables", "collect")):
        log = paths.log(rule)
        if log.is_file() and log.stat().st_mtime >= since:
            return name
    return "training"
