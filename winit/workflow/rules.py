"""Functions of the Snakefile: errors in one sentence, files that are due, and the command of jobs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from winit.study import conf


@contextmanager
def one_sentence() -> Iterator[None]:
    """Convert errors of invalid input to Snakemake's kind of error, which it prints without a traceback."""
    try:
        yield
    except (ValueError, OSError) as reason:
        raise WorkflowError(str(reason)) from None


def making_due(workflow: Any, paths: Iterable[Path]) -> Callable[[object], list[str]]:
    """Return an input function that adds files to those of --forcerun. It must be an input function, because the graph has to exist.

    Deleting the files is not possible, because Snakemake also reads the Snakefile in dry runs and in jobs.

    Args:
        workflow: Snakemake's workflow.
        paths: the files that are due.
    """

    def inputs(_: object) -> list[str]:
        workflow.dag.forcefiles.update(map(str, paths))
        return []

    return inputs


def shell_prefix() -> str:
    """Return the prefix of every shell command: `winit` in the Python that runs Snakemake, with one thread.

    With several threads, the bits of a product depend on how it is split.
    """
    threads = " ".join(f"{library}_NUM_THREADS=1" for library in ("OMP", "OPENBLAS", "MKL"))
    commands = f'export {threads}; winit() {{ {shlex.quote(sys.executable)} -m winit "$@"; }}; '
    return _escaped(commands)


def environment() -> str:
    """Return the conda environment of every rule. It documents dependencies; jobs run in the Python that runs Snakemake."""
    return _escaped(str(conf.shipped("environment.yml")))


def _escaped(text: str) -> str:
    """Escape a text so that Snakemake's formatting leaves it unchanged."""
    return text.replace("{", "{{").replace("}", "}}")
