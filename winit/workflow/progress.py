"""How far a running study is: one line appended for every finished chunk, by whichever process finished it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FILE = "progress.tsv"

# Seconds of training a processor before the time left is told: until then a chunk or two would decide it.
EVIDENCE = 10.0
# The share of the work that has to be done before finished workloads say more than the plan about how much is needed.
PLANNED = 0.05


class Todo(NamedTuple):
    """What there is to do when a study starts.

    Attributes:
        done, total: runs that the store holds, and that there will be at most.
        flops, least_flops: floating-point operations of the runs that are lacking: at most, and at least.
        processors: jobs that train side by side.
    """

    done: int
    total: int
    flops: float
    least_flops: float
    processors: int


class State(NamedTuple):
    """How far the training of a study is.

    Attributes:
        done, total: runs that are trained, and that there will be at most.
        share: of the work that is done or turned out not to be needed, from 0 to 1.
        seconds_left: of training, or None until enough has been measured.
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
    """The progress file of a study: a line for what there is to do, and one for everything that was done.

    The first line holds the time and the fields of `Todo`; the others hold the time, `trained` or `unneeded`, the workload,
    its runs, their floating-point operations and the seconds that they took.
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
        """Record a finished chunk, and what it took one process."""
        self._append("trained", workload, runs, flops, seconds)

    def unneeded(self, workload: str, runs: int, flops: float) -> None:
        """Record that a workload is finished, and how many runs it did not need, because budgets share the rates that they chose."""
        self._append("unneeded", workload, runs, flops, 0.0)

    def _append(self, *entry: object) -> None:
        with open(self.path, "a") as file:  # one short append is atomic, so processes need no lock
            file.write("\t".join(map(str, (time.time(), *entry))) + "\n")

    def state(self, since: float = 0.0) -> State | None:
        """Return how far the study is; None if it has not started.

        Args:
            since: seconds since the epoch; a file that was started before then is another session's.
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
    """Return how far a study is.

    The time left is the work left ÷ the rate of one process in this session ÷ the processes at work. How much of the most
    there can be is needed follows from the workloads that are finished; until then it is the plan's middle.
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
    """Return a time as a person says it: '42 s', '4 min 10 s', '2 h 5 min'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
