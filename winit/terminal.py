"""What a person sees while a study runs, and when it has ended."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from winit.workflow import snakemake
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE, Progress, State

REFRESH = 0.2  # seconds between two looks at the files of a running study
LINE_EVERY = 60.0  # seconds between two lines where there is no terminal
LINE_SHARE = 0.25  # and this share of the time so far, so that a study of hours does not print hundreds
MOST_FINDINGS = 3

STAGES = {"training": "planning the jobs", "tables": "making the tables", "page": "drawing the page"}


class Watch:
    """Looks at the files of a study that is running."""

    def __init__(self, paths: StudyPaths) -> None:
        self.started = time.time()
        self._paths = paths
        self._progress = Progress(paths.folder / FILE)

    def look(self) -> tuple[str, State | None]:
        """Return the stage that the study is in, and how far its training is; None before it begins."""
        return snakemake.stage(self._paths, self.started), self._progress.state(self.started)


class Display:
    """Shows a study that is running. This one shows warnings alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, line: str) -> None:
        """Take a new line of the workflow's log."""
        if line.startswith(snakemake.WARNING):
            print(line, file=sys.stderr, flush=True)

    def refresh(self) -> None:
        """Show what the study does now."""


class LiveDisplay(Display):
    """One display that is drawn again and again, on a terminal."""

    def __init__(self, watch: Watch, console: Console) -> None:
        self._watch = watch
        self._console = console
        self._spinner = Spinner("dots")
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def read(self, line: str) -> None:
        if line.startswith(snakemake.WARNING):
            self._console.print(Text(line, style="yellow"))

    def refresh(self) -> None:
        self._live.update(self._rows(*self._watch.look()), refresh=True)

    def _rows(self, stage: str, state: State | None) -> Table:
        """Return a row for each stage: done, at work, or to come."""
        rows = Table.grid(padding=(0, 1))
        rows.add_column(width=1)
        rows.add_column(width=max(map(len, STAGES)))
        rows.add_column(ratio=1)
        now = list(STAGES).index(stage)
        for place, name in enumerate(STAGES):
            mark: RenderableType = "✓" if place < now else self._spinner if place == now else ""
            rows.add_row(mark, Text(name, style="" if place <= now else "dim"), _training(state) if not place else "")
        return rows


def _training(state: State | None) -> RenderableType:
    """Return how far the training is, as a bar and in words."""
    if state is None:
        return STAGES["training"]
    if state.share >= 1:
        return str(state)
    return Group(Text(str(state)), ProgressBar(total=1.0, completed=state.share))


class LineDisplay(Display):
    """A line now and then, where there is no terminal."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._last = watch.started

    def refresh(self) -> None:
        now = time.time()
        if now - self._last < max(LINE_EVERY, LINE_SHARE * (now - self._watch.started)):
            return
        self._last = now
        stage, state = self._watch.look()
        said = f"training: {state}" if stage == "training" and state else STAGES[stage]
        print(f"winit: {said}", file=sys.stderr, flush=True)


class LogDisplay(Display):
    """Everything that Snakemake and its jobs say."""

    def read(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def display(paths: StudyPaths, is_verbose: bool = False) -> Display:
    """Return what shows a study that is about to run: all, one live display, or a line now and then."""
    if is_verbose:
        return LogDisplay()
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(Watch(paths), console)
    return LineDisplay(Watch(paths))


def follow(process: subprocess.Popen[bytes], log: Path, shown: Display) -> int:
    """Show what a study does until its process has ended, and return its exit code. Whatever ends this ends the process, too."""
    reader = snakemake.LogReader(log)
    try:
        with shown:
            while True:
                code = _ended(process)
                for line in reader.new_lines():
                    shown.read(line)
                if code is not None:
                    return code
                shown.refresh()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """Wait a moment, and return the exit code of a process that has ended."""
    try:
        return process.wait(timeout=REFRESH)
    except subprocess.TimeoutExpired:
        return None


def findings(path: Path) -> list[str]:
    """Return the first findings of a page, one for each figure that bears them out, and how many more there are."""
    if not path.is_file():
        return []
    every = json.loads(path.read_text())["findings"]
    firsts = list({finding["figure"]: finding["text"] for finding in reversed(every)}.values())[::-1][:MOST_FINDINGS]
    more = len(every) - len(firsts)
    return [*firsts, *([f"{more} more on the page"] if more else [])]
