"""How far a running study is: one line appended for every finished chunk, by whichever process finished it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

FILE = "progress.tsv"


@dataclass(frozen=True)
class Progress:
    """The progress file of a study. Its first line says what there was to do: `start<TAB>done<TAB>total<TAB>flops`."""

    path: Path

    @classmethod
    def begin(cls, folder: Path, done: int, total: int, flops: float) -> Progress:
        """Start the file: `done` of at most `total` runs are in the store, `flops` operations are to be computed."""
        folder.mkdir(parents=True, exist_ok=True)
        progress = cls(folder / FILE)
        progress.path.write_text(f"{time.time()}\t{done}\t{total}\t{flops}\n")
        return progress

    def add(self, runs: int, flops: float) -> None:
        """Record a finished chunk. One short append is atomic, so processes need no lock."""
        with open(self.path, "a") as file:
            file.write(f"{time.time()}\t{runs}\t{flops}\n")

    def drop(self, runs: int, flops: float) -> None:
        """Record that so many runs turned out not to be needed, because budgets share the rates that they chose."""
        with open(self.path, "a") as file:
            file.write(f"{time.time()}\t{-runs}\t{flops}\n")

    def line(self) -> str:
        """Return the sentence for a person: runs done of how many, share of the work, time left."""
        head, *chunks = [line.split("\t") for line in self.path.read_text().splitlines()]
        start, done, total, todo = float(head[0]), int(head[1]), int(head[2]), float(head[3])
        chunks = [c for c in chunks if len(c) == 3]
        done += sum(max(int(c[1]), 0) for c in chunks)
        total += sum(min(int(c[1]), 0) for c in chunks)
        computed = sum(float(c[2]) for c in chunks)
        text = f"{done:,} of up to {total:,} runs"
        if computed and computed < todo:
            left = (time.time() - start) * (todo - computed) / computed
            text += f", {computed / todo:.0%} of the work, about {duration(left)} left"
        return text


def duration(seconds: float) -> str:
    """Return a time as a person says it: '42 s', '4 min 10 s', '2 h 5 min'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
