"""Output while a study runs, and when it has ended."""

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

REFRESH = 0.2  # seconds between updates of the display
LINE_EVERY = 60.0  # seconds between two lines without a terminal
LINE_SHARE = (
    0.25  # and at least this share of the time so far, so that a study of hours does not print hundreds of lines
)
MOST_FINDINGS = 3

STAGES = {"training": "planning the jobs", "tables": "making the tables", "page": "drawing the page"}


class Watch:
    """Reads the state of a running study from its files."""

    def __init__(self, paths: StudyPaths) -> None:
        self.started = time.time()
        self._paths = paths
        self._progress = Progress(paths.folder / FILE)

    def look(self) -> tuple[str, State | None]:
        """Return the current stage of the study and the progress of training; None before it begins."""
        return snakemake.stage(self._paths, self.started), self._progress.state(self.started)


class Display:
    """Shows a running study. This base class shows only warnings."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, line: str) -> None:
        """Process a new line of the workflow's log."""
        if line.startswith(snakemake.WARNING):
            print(line, file=sys.stderr, flush=True)

    def refresh(self) -> None:
        """Show the current state of the study."""


class LiveDisplay(Display):
    """One live display on a terminal."""

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
        """Return a row for each stage: done, active or pending."""
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
    """Return the progress of training as a bar and as text."""
    if state is None:
        return STAGES["training"]
    if state.share >= 1:
        return str(state)
    return Group(Text(str(state)), ProgressBar(total=1.0, completed=state.share))


class LineDisplay(Display):
    """Prints a line from time to time, without a terminal."""

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
    """Prints all output of Snakemake and its jobs."""

    def read(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def display(paths: StudyPaths, is_verbose: bool = False) -> Display:
    """Return the display for a study: all output, one live display, or a line from time to time."""
    if is_verbose:
        return LogDisplay()
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(Watch(paths), console)
    return LineDisplay(Watch(paths))


def follow(process: subprocess.Popen[bytes], log: Path, shown: Display) -> int:
    """Show a running study until its process ends, and return the exit code. If this is interrupted, end the process too."""
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
    """Wait a moment, and return the exit code of the process if it has ended."""
    try:
        return process.wait(timeout=REFRESH)
    except subprocess.TimeoutExpired:
        return None


def findings(path: Path) -> list[str]:
    """Return the first findings of a page, one per figure, and the number of further findings."""
    if not path.is_file():
        return []
    every = json.loads(path.read_text())["findings"]
    firsts = list({finding["figure"]: finding["text"] for finding in reversed(every)}.values())[::-1][:MOST_FINDINGS]
    more = len(every) - len(firsts)
    return [*firsts, *([f"{more} more on the page"] if more else [])]
