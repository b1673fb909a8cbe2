"""The command line: one function per verb. Only this module parses arguments."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NoReturn

from winit import __version__, datasets, jobs
from winit.store import locks
from winit.study.compose import from_arguments
from winit.study.model import Study
from winit.theory.activations import ACTIVATIONS
from winit.tools import card as cards
from winit.tools import gain as gains
from winit.tools import listing
from winit.tools import plan as planning
from winit.vocabulary.errors import sentence_of, unknown_name
from winit.workflow import checks, session, snakemake
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE, duration

Verb = Callable[[argparse.Namespace], int | None]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, like all other errors of invalid input.

    Attributes:
        verbs: parsers of the verbs in its help, by name.
    """

    verbs: dict[str, argparse.ArgumentParser]

    def error(self, message: str) -> NoReturn:
        """Raise an error about the arguments."""
        raise ValueError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb. Invalid input gives one line on stderr and exit code 2."""
    try:
        code = _run_verb(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python prints an error at exit
        code = 128 + signal.SIGPIPE
    except (ValueError, OSError) as error:
        print(f"winit: {sentence_of(error)}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(
            "winit: interrupted; finished chunks are kept, and the same command continues from there", file=sys.stderr
        )
        code = 130
    sys.exit(code)


def _run_verb(arguments: list[str]) -> int:
    top = parser()
    _check_verb(top, arguments)
    try:
        given, rest = top.parse_known_args(arguments)
    except SystemExit as end:  # --help and --version end here, with unflushed output
        return int(end.code or 0)
    if rest and hasattr(given, "overrides") and all("=" in text and not text.startswith("-") for text in rest):
        given.overrides += rest  # overrides may also follow options
    elif rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    locks.require()
    verb: Verb = given.verb
    return verb(given) or 0


def _check_verb(top: Parser, arguments: Sequence[str]) -> None:
    """Check the first word that is not an option. The error of argparse would include usage and hidden verbs.

    Raises:
        ValueError: the word is not a verb.
    """
    words = [word for word in arguments if not word.startswith("-")]
    if words and words[0] not in [*top.verbs, "workflow"]:
        raise ValueError(unknown_name("verb", words[0], top.verbs))


def parser() -> Parser:
    """Return the parser of the command line, from which its reference is generated."""
    top = Parser(prog="winit", description="How much do a network's initial weights help or hinder its training?")
    top.add_argument("--version", action="version", version=f"winit {__version__}")
    subs = top.add_subparsers(title="verbs", required=True, metavar="VERB")
    top.verbs = {}

    def add(name: str, verb: Verb, text: str) -> argparse.ArgumentParser:
        sub = subs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(verb=verb)
        top.verbs[name] = sub
        return sub

    _add_studies(add)
    _add_tools(add)
    _add_jobs(subs.add_parser("workflow", description="What the rules of the workflow call."))  # no help: not shown
    return top


def _add_studies(add: Callable[[str, Verb, str], argparse.ArgumentParser]) -> None:
    """Add the verbs that take a study."""
    runner = add(
        "run", run, "run a study: train runs that are missing from the store, then write its tables and its report"
    )
    planner = add("plan", plan, "show how many runs a study has, how many are stored, and the cost of the rest")
    for sub in (runner, planner):
        sub.add_argument(
            "overrides", nargs="*", metavar="KEY=VALUE",
            help="study=smoke 'grid.depth=[2,4]' training.steps=100 … in Hydra's syntax; or one frozen study.yaml",
        )  # fmt: skip
        sub.add_argument(
            "--cores", type=_positive, default=os.cpu_count(), metavar="N", help="processes (default: all)"
        )
    runner.add_argument("-n", "--dry-run", action="store_true", help="show the jobs without running them")
    runner.add_argument("-v", "--verbose", action="store_true", help="show the output of Snakemake and its jobs")
    runner.add_argument("--open", action="store_true", help="open the page in a browser at the end")
    runner.add_argument(
        "--force", action="store_true",
        help="replace the tables of a different study with the same name, which is an error by default. Stored runs are "
        "always kept",
    )  # fmt: skip


def _add_tools(add: Callable[[str, Verb, str], argparse.ArgumentParser]) -> None:
    """Add the verbs that take no study."""
    sub = add("list", list_, "list initializers, activations, datasets, or studies with their state")
    sub.add_argument("kind", metavar="KIND", help=f"one of {', '.join(listing.KINDS)}")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = add("gain", gain, "print mean-field quantities of an activation: gains, fixed points, criticality")
    sub.add_argument("activation", help=f"one of {', '.join(ACTIVATIONS)}")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = add("card", card, "show what an initializer draws, and the equivalent code in torch, Keras and JAX")
    sub.add_argument("initializer", help="he_normal, normal:0.01, orthogonal:1+lsuv, …")
    sub.add_argument("--activation", help="for schemes whose scale depends on it")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = add("schema", schema, "print the JSON Schema of a study's file, for editors")
    sub.add_argument("--table", action="store_true", help="print all settings as a Markdown table instead")


def _add_jobs(noun: argparse.ArgumentParser) -> None:
    """Add the verbs that the workflow's rules call."""
    subs = noun.add_subparsers(required=True, metavar="JOB")
    for name, job, text in (
        ("train", jobs.train, "train one bundle of workloads of a frozen study"),
        ("collect", jobs.collect, "join the runs of a frozen study into its tables"),
        ("replay", jobs.replay, "compute the tutorial's forward pass"),
        ("report", jobs.report, "write the page of a study from its tables"),
    ):
        sub = subs.add_parser(name, help=text)
        sub.set_defaults(verb=partial(jobs.run, job))
        sub.add_argument("study", type=Path)
        if name == "train":
            sub.add_argument("bundle")
            sub.add_argument("--arms", required=True, help="digest of the bundle's arms that the workflow expects")
        elif name != "replay":
            sub.add_argument("--processes", type=_positive, default=1, metavar="N", help="number of processes")
        sub.add_argument("--log", type=Path)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got '{text}'; allowed is a whole number of at least 1")
    return int(text)


def plan(given: argparse.Namespace) -> None:
    """Print the plan of a study, and change nothing."""
    study = from_arguments(given.overrides)
    paths = StudyPaths(study.name)
    checks.check_paths(study, paths)
    _print_plan(study, paths, given.cores)
    for line in session.due(study, paths).values():
        print(line)


def _print_plan(study: Study, paths: StudyPaths, cores: int) -> None:
    for line in planning.lines(planning.plan(study, paths.store), cores):
        print(line, flush=True)


def list_(given: argparse.Namespace) -> None:
    """Print everything of a kind."""
    rows = listing.rows(given.kind)
    if given.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for line in listing.lines(given.kind, rows):
        print(line)


def gain(given: argparse.Namespace) -> None:
    """Print the theory of one activation."""
    theory = gains.gain(given.activation)
    if given.json:
        print(json.dumps(theory.as_dict(), indent=1))
        return
    for line in gains.lines(theory):
        print(line)


def card(given: argparse.Namespace) -> None:
    """Print the card of one initializer."""
    shown = cards.card(given.initializer, given.activation)
    if given.json:
        print(json.dumps(asdict(shown), indent=1, ensure_ascii=False))
        return
    for line in cards.lines(shown):
        print(line)


def schema(given: argparse.Namespace) -> None:
    """Print the JSON Schema of a study's file, or the table of its settings."""
    from winit.study import reference  # composes a study

    print(reference.table() if given.table else json.dumps(reference.json_schema(), indent=1, ensure_ascii=False))


def run(given: argparse.Namespace) -> int:
    """Run a study with Snakemake, and print the findings, the path of the page and the time it took."""
    started = time.time()
    study = from_arguments(given.overrides)
    if study.device == "cuda":
        from winit.training.engines import choose_device  # imports torch, which takes time, only for device=cuda

        choose_device(study.device)
    paths = StudyPaths(study.name)
    checks.check_paths(study, paths)
    if given.dry_run:
        return _dry_run(given, study, paths)
    for name in {workload.dataset for workload in study.workloads}:
        datasets.ensure(name, study.data.dir)
    with session.lock(study, paths) as lock:
        taken = None if given.force else checks.other_question(study, paths)
        if taken:
            raise ValueError(taken)
        session.freeze(study, paths)
        _print_plan(study, paths, given.cores)
        code = _snakemake(given, paths, lock.fileno())
    if code:
        print(f"winit: {snakemake.explanation(paths)}", file=sys.stderr)
        return 1
    _print_end(paths, started)
    if given.open and not webbrowser.open(paths.report.resolve().as_uri()):
        print(f"winit: no browser found; open {paths.report}", file=sys.stderr)
    return 0


def _dry_run(given: argparse.Namespace, study: Study, paths: StudyPaths) -> int:
    """Let Snakemake show the jobs of a study. Nothing is frozen, so Snakemake resolves the overrides."""
    taken = None if given.force else checks.other_question(study, paths)
    if taken:
        print(f"winit: without -n, this is an error: {taken}", file=sys.stderr)
    _print_plan(study, paths, given.cores)
    command = snakemake.command(given.overrides, given.cores, is_dry_run=True)
    return 1 if subprocess.run(command, check=False).returncode else 0


def _snakemake(given: argparse.Namespace, paths: StudyPaths, lock: int) -> int:
    """Run Snakemake, show its progress, and return its exit code. Reading the frozen study is faster than composing it."""
    from winit import terminal

    log = paths.log("snakemake")
    shown = terminal.display(paths, given.verbose)
    process = snakemake.start(snakemake.command([str(paths.study)], given.cores), log, lock)
    return terminal.follow(process, log, shown)


def _print_end(paths: StudyPaths, started: float) -> None:
    """Print the summary of a finished study."""
    from winit import terminal

    progress = paths.folder / FILE
    fresh = progress.is_file() and progress.stat().st_mtime >= started
    took = duration(time.time() - started)
    print(f"{'done' if fresh else 'nothing to do: tables and report are up to date'}, after {took}")
    for line in terminal.findings(paths.findings):
        print(f"  {line}")
    print(f"report: {paths.report}")
