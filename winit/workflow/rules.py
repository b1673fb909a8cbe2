"""What the Snakefile needs of Snakemake: errors in one sentence, files that are due, and the command of every job."""

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
    """Turn the mistakes of a caller into Snakemake's own kind of error, which it prints without a traceback."""
    try:
        yield
    except (ValueError, OSError) as reason:
        raise WorkflowError(str(reason)) from None


def making_due(workflow: Any, paths: Iterable[Path]) -> Callable[[object], list[str]]:
    """Return an input function that adds files to what --forcerun names, because there is no graph before it is called.

    Deleting the files would do as well, but Snakemake reads the Snakefile in dry runs and in jobs, too.

    Args:
        workflow: Snakemake's workflow.
        paths: the files that are due.
    """

    def inputs(_: object) -> list[str]:
        workflow.dag.forcefiles.update(map(str, paths))
        return []

    return inputs


def shell_prefix() -> str:
    """Return what stands before every shell command: `winit` in the Python that runs Snakemake, on one thread.

    With several threads, the bits of a product depend on how it was split.
    """
    threads = " ".join(f"{library}_NUM_THREADS=1" for library in ("OMP", "OPENBLAS", "MKL"))
    commands = f'export {threads}; winit() {{ {shlex.quote(sys.executable)} -m winit "$@"; }}; '
    return _escaped(commands)


def environment() -> str:
    """Return the conda environment of every rule. It says what a job needs; jobs run in the Python that runs Snakemake."""
    return _escaped(str(conf.shipped("environment.yml")))


def _escaped(text: str) -> str:
    """Return a text that Snakemake formats to itself."""
    return text.replace("{", "{{").replace("}", "}}")
