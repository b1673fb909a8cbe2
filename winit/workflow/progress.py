"""Progress of a running study: every process appends a line for each chunk that it finishes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FILE = "progress.tsv"

# Seconds of training per processor before the time left is estimated. Earlier estimates depend on one or two chunks.
EVIDENCE = 10.0
# Share of the work after which finished workloads predict the remaining work better than the plan.
PLANNED = 0.05


class Todo(NamedTuple):
    """The work of a study when it starts.

    Attributes:
        done, total: runs in the store, and the largest possible number of runs.
        flops, least_flops: largest and smallest number of floating-point operations of the missing runs.
        processors: number of jobs that train in parallel.
    """

    done: int
    total: int
    flops: float
    least_flops: float
    processors: int


class State(NamedTuple):
    """The progress of training.

    Attributes:
        done, total: trained runs, and the largest possible number of runs.
        share: share of the work that is done or not needed, from 0 to 1.
        seconds_left: estimated seconds of training left; None until enough has been measured.
    """

    done: int
    total: int
    share: float
    seconds_left: float | None

    def __str__(self) -> str:
        if self.share >= 1:
            return f"{self.done:,} runs"
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} left"
        return f"{self.done:,} of up to {self.total:,} runs, {int(100 * self.share)}% of the work{left}"


class _Entry(NamedTuple):
    """A line of the file: a finished chunk, or the runs that a finished workload did not need."""

    kind: str
    workload: str
    runs: int
    flops: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """The progress file of a study: a first line with the work to do, and a line for each finished piece of work.

    The first line has the time and the fields of `Todo`. The others have the time, `trained` or `unneeded`, the workload, its
    runs, their floating-point operations and the seconds that they took.
    """

    path: Path

    @classmethod
    def begin(cls, folder: Path, todo: Todo) -> Progress:
        """Start the file of a study."""
        folder.mkdir(parents=True, exist_ok=True)
        progress = cls(folder / FILE)
        progress.path.write_text("\t".join(map(str, (time.time(), *todo))) + "\n")
        return progress

    def trained(self, workload: str, runs: int, flops: float, seconds: float) -> None:
        """Record a finished chunk, and the time that it took one process."""
        self._append("trained", workload, runs, flops, seconds)

    def unneeded(self, workload: str, runs: int, flops: float) -> None:
        """Record that a workload is finished, and how many runs it did not need because budgets chose the same rates."""
        self._append("unneeded", workload, runs, flops, 0.0)

    def _append(self, *entry: object) -> None:
        with open(self.path, "a") as file:  # one short append is atomic, so processes need no lock
            file.write("\t".join(map(str, (time.time(), *entry))) + "\n")

    def state(self, since: float = 0.0) -> State | None:
        """Return the progress of the study; None if it has not started.

        Args:
            since: seconds since the epoch; a file that was started before then is of an earlier call.
        """
        try:
            head, *lines = self.path.read_text().splitlines()
        except (OSError, ValueError):
            return None
        start, *numbers = head.split("\t")
        if float(start) < since or len(numbers) != len(Todo._fields):
            return None
        done, total, flops, least, processors = numbers
        todo = Todo(int(done), int(total), float(flops), float(least), int(processors))
        return _state(todo, [_entry(line) for line in lines])


def _entry(line: str) -> _Entry:
    _, kind, workload, runs, flops, seconds = line.split("\t")
    return _Entry(kind, workload, int(runs), float(flops), float(seconds))


def _state(todo: Todo, entries: Iterable[_Entry]) -> State:
    """Return the progress of a study.

    The time left is the work left ÷ the rate of one process in this call ÷ the number of processes. The share of the largest
    possible work that is needed is estimated from finished workloads; before, it is the middle of the plan's range.
    """
    trained: Counter[str] = Counter()
    unneeded: dict[str, float] = {}
    done, total, seconds = todo.done, todo.total, 0.0
    for entry in entries:
        if entry.kind == "trained":
            trained[entry.workload] += entry.flops  # type: ignore[assignment]
            done, seconds = done + entry.runs, seconds + entry.seconds
        else:
            unneeded[entry.workload] = entry.flops
            total -= entry.runs
    computed, dropped = sum(trained.values()), sum(unneeded.values())
    share = min((computed + dropped) / todo.flops, 1.0) if todo.flops else 1.0
    if share >= 1 or seconds < EVIDENCE * todo.processors:
        return State(done, total, share, None)
    finished = sum(trained[name] for name in unneeded)
    planned = PLANNED * todo.flops
    middle = (todo.least_flops + todo.flops) / (2 * todo.flops)
    needed = (finished + middle * planned) / (finished + dropped + planned)
    left = max(finished + needed * (todo.flops - finished - dropped) - computed, 0.0)
    return State(done, total, share, left / (computed / seconds) / todo.processors)


def duration(seconds: float) -> str:
    """Return a time as text: '42 s', '4 min 10 s', '2 h 5 min'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
