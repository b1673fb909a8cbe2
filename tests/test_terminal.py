"""Output while a study runs: on wide and narrow terminals, without colours, and without a terminal."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from tests.test_workflow import SMALL, original
from winit import terminal
from winit.study.compose import compose
from winit.workflow import session, snakemake
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import State

ROOT = Path(__file__).resolve().parent.parent
TINY = [
    "study=smoke", "name=x", "extra_grids=null", "dataset=[digits]", "grid.depth=[1]", "grid.activation=[tanh]",
    "grid.initializer=[he_normal]", "grid.learning_rate=[0.1]", "grid.replicates=1", "grid.tuning_replicates=0",
    "training.steps=5", "measure.budgets=[]",
]  # fmt: skip
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|9[0-7]|38;|48;)")
MOST_LINES = 40  # of a study that is run in a pipe

__all__ = ["original"]  # a fixture


class FixedWatch:
    """Sees always the same."""

    started = 0.0

    def __init__(self, stage: str, state: State | None) -> None:
        self.seen = stage, state

    def look(self) -> tuple[str, State | None]:
        return self.seen


def drawn(stage: str, state: State | None, width: int = 80, **options: object) -> list[str]:
    """Return the lines that a terminal of some width shows, less their codes."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, **options)
    display = terminal.LiveDisplay(FixedWatch(stage, state), console)
    with display:
        display.refresh()
        text = console.file.getvalue()
    return [CODES.sub("", line).rstrip("\r") for line in text.split("\n")]


HALF = State(1_234, 12_345, 0.5, 750.0)


def test_the_display_shows_runs_work_and_time_and_what_comes_next():
    training, bar, tables, page = drawn("training", HALF)
    assert "training 1,234 of up to 12,345 runs, 50% of the work, about 12 min 30 s left" in training
    assert "━" in bar and tables.split() == ["tables"] and page.split() == ["page"]
    training, tables, page = drawn("page", State(900, 900, 1.0, None))
    assert training.split() == ["✓", "training", "900", "runs"] and tables.split() == ["✓", "tables"]
    assert page.split()[-1] == "page" and not page.startswith("✓")
    assert "planning" in drawn("training", None)[0]


@pytest.mark.parametrize("width", [40, 20])
@pytest.mark.parametrize("options", [{}, {"no_color": True}])
def test_the_display_fits_a_narrow_terminal(width, options):
    lines = drawn("training", HALF, width, **options)
    assert all(len(line) <= width for line in lines)
    words = " ".join(lines).split()
    for word in ("1,234", "12,345", "50%", "left"):
        assert word in words, f"{word} is cut off"


def test_warnings_are_said_and_chatter_is_not(capsys):
    display = terminal.Display()
    display.read("Building DAG of jobs...")
    display.read("winit: 82 of up to 352 runs")
    display.read(f"{snakemake.WARNING}x is trained again")
    assert capsys.readouterr().err == f"{snakemake.WARNING}x is trained again\n"
    terminal.LogDisplay().read("Building DAG of jobs...")
    assert capsys.readouterr().err == "Building DAG of jobs...\n"


def test_without_a_terminal_there_is_at_most_a_line_a_minute_and_few_of_a_long_study(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "time", lambda: now[0])
    display = terminal.LineDisplay(FixedWatch("training", HALF))
    times = []
    for second in range(0, 24 * 3600, 5):
        now[0] = float(second)
        display.refresh()
        if said := capsys.readouterr().err:
            assert said == f"winit: training: {HALF}\n"
            times.append(second)
    assert times[0] == 60 and min(b - a for a, b in pairwise(times)) >= 60
    assert times[1] == 120 and len(times) < MOST_LINES - 10


@pytest.mark.parametrize(
    ("environment", "is_live"), [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "CI": "1"}, True)]
)  # fmt: skip
def test_only_a_terminal_that_can_draw_has_a_live_display(monkeypatch, environment, is_live):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    main, other = pty.openpty()
    with os.fdopen(other, "w") as file, os.fdopen(main):
        monkeypatch.setattr(sys, "stderr", file)
        assert isinstance(terminal.display(StudyPaths("x")), terminal.LiveDisplay) == is_live
        assert isinstance(terminal.display(StudyPaths("x"), is_verbose=True), terminal.LogDisplay)


def test_three_findings_are_told_of_different_figures(tmp_path):
    texts = [("a", "one"), ("b", "two"), ("c", "two"), ("d", "three"), ("e", "four")]
    contents = {"findings": [{"text": text, "figure": figure} for text, figure in texts]}
    (tmp_path / "findings.json").write_text(json.dumps(contents))
    assert terminal.findings(tmp_path / "findings.json") == ["a", "b", "d", "2 more on the page"]
    assert terminal.findings(tmp_path / "none.json") == []


def test_in_a_pipe_a_study_prints_few_lines_and_none_of_snakemakes(original):
    out, err = (original / "stdout").read_text(), (original / "stderr").read_text()
    assert len((out + err).splitlines()) <= MOST_LINES
    assert "Building DAG" not in out + err
    log = (original / "log").read_text()
    assert "Building DAG of jobs" in log and "is trained" in log
    found = json.loads((original / "reports" / "small" / "findings.json").read_text())["findings"]
    assert f"\n  {found[0]['text']}\n" in out, "what was found is told"
    assert len([line for line in out.splitlines() if line.startswith("  ")]) <= 1 + terminal.MOST_FINDINGS


def in_terminal(command: list[str], cwd: Path, columns: int, **environment: str) -> tuple[int, str]:
    """Run a command on a terminal, and return its exit code and all that it wrote."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES", "CI")}
    process = subprocess.Popen(
        command, cwd=cwd, stdin=other, stdout=other, stderr=other, env={**known, "TERM": "xterm", **environment}
    )
    os.close(other)
    parts = []
    while True:
        try:
            part = os.read(main, 1 << 16)
        except OSError:  # nobody has the other end open any more
            break
        if not part:
            break
        parts.append(part)
    os.close(main)
    return process.wait(), b"".join(parts).decode()


def test_a_run_on_a_terminal_of_40_columns_without_colours(original, tmp_path):
    for name in ("results", "reports"):
        shutil.copytree(original / name, tmp_path / name)
    command = [sys.executable, "-m", "winit", "run", *SMALL, "--cores", "2"]
    code, text = in_terminal(command, tmp_path, 40, NO_COLOR="1")
    assert code == 0 and not COLOUR.search(text) and "Building DAG" not in text
    shown = text[text.index("\x1b[?25l") : text.index("\x1b[?25h")]
    lines = [CODES.sub("", line) for line in re.split(r"[\r\n]+", shown)]
    assert max(map(len, lines)) <= 40 and "planning the jobs" in " ".join(lines)
    assert (
        "nothing to do: tables and report are up to date, after" in text and "report: reports/small/index.html" in text
    )


def test_a_failure_says_which_job_why_and_where_to_read_more(tmp_path):
    """A job fails whose engine cannot run here: it is the job that looks for a CUDA device."""
    command = [sys.executable, "-m", "winit", "run", *TINY, "device=cpu", "engine=triton", "--cores", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("winit: job train_01 failed: engine: got triton, but it runs on a CUDA device")
    assert done.stderr.endswith(". Its log is results/x/logs/train-01.log\n") and done.stderr.count("\n") == 1


def test_an_interrupt_says_what_is_kept_and_leaves_nothing_running(tmp_path, monkeypatch):
    command = [sys.executable, "-m", "winit", "run", *TINY, "training.steps=100000", "--cores", "2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    log, deadline = tmp_path / "results" / "x" / "logs" / "train-01.log", time.time() + 120
    while not log.is_file() and process.poll() is None and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "winit: interrupted; finished chunks are kept, and the same command continues from there\n"
    monkeypatch.chdir(tmp_path)
    with session.lock(compose(TINY), StudyPaths("x")):  # nobody holds it any more
        pass
