"""The command line: `winit run` and `winit plan` for people, one verb for every rule of the workflow."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from winit import __version__, datasets
from winit.store import locks
from winit.store.parts import RunStore
from winit.store.schema import COLLECTED, REPLAYED
from winit.study import conf, yaml_files
from winit.study.compose import from_arguments, read
from winit.study.model import Study
from winit.study.workload import Workload
from winit.theory.activations import ACTIVATIONS
from winit.tools import card as cards
from winit.tools import gain as gains
from winit.tools import plan as planning
from winit.workflow import bundles, checks, session
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE, Progress, duration

LOG = logging.getLogger("winit")

Verb = Callable[[argparse.Namespace], int | None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; a mistake of the caller's costs one line on stderr and exit code 2."""
    try:
        code = _run_verb(arguments)
        sys.stdout.flush()
    except ValueError as reason:
        print(f"winit: {' '.join(str(reason).splitlines())}", file=sys.stderr)  # what was given may have several lines
        code = 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain when it ends
        code = 128 + signal.SIGPIPE
    except OSError as error:
        print(f"winit: {_of_system(error)}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("winit: interrupted; finished chunks are kept, and the same command goes on from there", file=sys.stderr)
        code = 130
    sys.exit(code)


def _run_verb(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        given, rest = parser.parse_known_args(arguments)
    except SystemExit as end:  # --help and --version end here, with their text still in the buffer
        return int(end.code or 0)
    if rest and hasattr(given, "overrides") and all("=" in text and not text.startswith("-") for text in rest):
        given.overrides += rest  # overrides may stand behind options, too
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    locks.require()
    verb: Verb = given.verb
    return verb(given) or 0


def _of_system(error: OSError) -> str:
    """Return the sentence for what the system refused; a path that fills the screen is cut."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return reason
    path = os.fspath(error.filename)
    return f"{reason}: {path if len(path) <= 120 else path[:60] + '…' + path[-40:]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="winit", description="How much do a network's initial weights help or hinder its training?"
    )
    parser.add_argument("--version", action="version", version=f"winit {__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    def add(name: str, verb: Verb, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(verb=verb)
        return sub

    _add_studies(add)
    _add_tools(add)
    _add_rules(add)
    return parser


def _add_studies(add: Callable[[str, Verb, str], argparse.ArgumentParser]) -> None:
    """Add the verbs that take a study."""
    runner = add("run", run, "run a study: train what the store lacks, then write its tables and its report")
    planner = add("plan", plan, "say how many runs a study has, how many are stored, and what the rest will cost")
    for sub in (runner, planner):
        sub.add_argument(
            "overrides", nargs="*", metavar="KEY=VALUE",
            help="study=smoke 'grid.depth=[2,4]' training.steps=100 … in Hydra's syntax; or one frozen study.yaml",
        )  # fmt: skip
        sub.add_argument(
            "--cores", type=_positive, default=os.cpu_count(), metavar="N", help="processes (default: all)"
        )
    runner.add_argument("-n", "--dry-run", action="store_true", help="show the jobs, run nothing")
    runner.add_argument(
        "--force", action="store_true",
        help="replace the tables of another question under the same name; without it, a study that lacks some of their runs "
        "is refused. Stored runs are kept in any case",
    )  # fmt: skip


def _add_tools(add: Callable[[str, Verb, str], argparse.ArgumentParser]) -> None:
    """Add the verbs that take no study."""
    sub = add("gain", gain, "print mean-field quantities of an activation: gains, fixed points, criticality")
    sub.add_argument("activation", help=f"one of {', '.join(ACTIVATIONS)}")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = add("schema", schema, "print the JSON Schema of a study's file, for editors")
    sub.add_argument("--table", action="store_true", help="print all settings as a Markdown table instead")

    sub = add("card", card, "say what an initializer is, and how torch, Keras and JAX write it")
    sub.add_argument("initializer", help="he_normal, normal:0.01, orthogonal:1+lsuv, …")
    sub.add_argument("--activation", help="for schemes whose scale depends on it")
    sub.add_argument("--json", action="store_true", help="for programs")


def _add_rules(add: Callable[[str, Verb, str], argparse.ArgumentParser]) -> None:
    """Add the verbs that the workflow's rules call."""
    sub = add("train", train, "train one bundle of workloads of a frozen study (a rule of the workflow)")
    sub.add_argument("study", type=Path)
    sub.add_argument("bundle")
    sub.add_argument("--arms", required=True, help="the digest of the bundle's arms that the workflow expects")
    sub.add_argument("--log", type=Path)
    for name, verb, text in (
        ("collect", collect, "join the runs of a frozen study into its tables (a rule of the workflow)"),
        ("replay", replay, "compute the tutorial's forward pass (a rule of the workflow)"),
        ("report", report, "write the page of a study from its tables (a rule of the workflow)"),
    ):
        sub = add(name, verb, text)
        sub.add_argument("study", type=Path)
        if name != "replay":
            sub.add_argument("--processes", type=_positive, default=1, metavar="N", help="how many work side by side")
        sub.add_argument("--log", type=Path)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got '{text}'; allowed is a whole number of at least 1")
    return int(text)


def _log_to(path: Path | None) -> None:
    """Send messages to the terminal and, under a rule, to its log file."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path))
    logging.basicConfig(level=logging.INFO, format="winit: %(message)s", handlers=handlers)


def plan(given: argparse.Namespace) -> None:
    """Print what a study will do; change nothing."""
    study = from_arguments(given.overrides)
    paths = StudyPaths(study.name)
    checks.check_paths(study, paths)
    _print_plan(study, paths, given.cores)
    for line in session.due(study, paths).values():
        print(line)


def _print_plan(study: Study, paths: StudyPaths, cores: int) -> None:
    for line in planning.lines(planning.plan(study, paths.store), cores):
        print(line, flush=True)


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
    """Run a study through Snakemake, and say where the page lies and what it took."""
    started = time.time()
    study = from_arguments(given.overrides)
    if study.device == "cuda":
        from winit.training.engines import choose_device  # imports torch: paid only by those who insist on CUDA

        choose_device(study.device)
    paths = StudyPaths(study.name)
    checks.check_paths(study, paths)
    if given.dry_run:
        taken = None if given.force else checks.other_question(study, paths)
        if taken:
            print(f"winit: without -n, this is refused: {taken}", file=sys.stderr)
        return 1 if _snakemake(given, study, paths) else 0
    for name in {workload.dataset for workload in study.workloads}:
        datasets.ensure(name, study.data.dir)
    with session.lock(study, paths) as lock:
        taken = None if given.force else checks.other_question(study, paths)
        if taken:
            raise ValueError(taken)
        session.freeze(study, paths)
        code = _snakemake(given, study, paths, lock.fileno())
    if code:
        print(f"winit: the study did not finish; its logs lie in {paths.folder / 'logs'}", file=sys.stderr)
        return 1
    progress = paths.folder / FILE
    fresh = progress.is_file() and progress.stat().st_mtime >= started
    took = duration(time.time() - started)
    print(f"{'done' if fresh else 'nothing to do: tables and report are up to date'}, after {took}")
    print(f"report: {paths.report}")
    return 0


def _snakemake(given: argparse.Namespace, study: Study, paths: StudyPaths, lock: int | None = None) -> int:
    """Print the plan of a study, run Snakemake, to which the study's lock is handed down, and return its exit code."""
    _print_plan(study, paths, given.cores)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(conf.shipped("Snakefile")),
        "--cores",
        str(given.cores),
    ]
    command += ["--profile", str(conf.shipped("profiles") / "default")]
    if given.dry_run:
        command.append("--dry-run")
    # The frozen study is read faster than it is composed. A dry run has frozen nothing.
    arguments = list(given.overrides) if lock is None else [str(paths.study)]
    command += ["--config", f"overrides={yaml_files.dump_line(arguments)}"]
    if lock is None:
        return subprocess.run(command, check=False).returncode
    environment = {**os.environ, locks.VARIABLE: str(lock)}
    return subprocess.run(command, check=False, pass_fds=[lock], env=environment).returncode


def train(given: argparse.Namespace) -> None:
    """Train what the store lacks of a bundle's workloads, one after the other, a chunk at a time."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: one thread a process
    study, paths = _frozen(given)
    bundle = bundles.bundle(study, given.bundle)
    if bundle.arms_digest != given.arms:
        raise ValueError(
            f"{given.study} asks for other runs of bundle {bundle.name} (digest {bundle.arms_digest}) than the workflow "
            f"(digest {given.arms}); run the study again: winit run"
        )
    store = paths.store
    for workload in bundle.workloads:
        with store.training(workload.name):
            for path, reason in store.set_aside(workload.name).items():
                LOG.warning("%s was set aside, and its runs are trained again: %s", path, reason)
            if session.lacking(workload, store):
                _train(study, workload, store, Progress(paths.folder / FILE))
            session.write_manifest(paths.manifest(workload.name), workload, store)


def _train(study: Study, workload: Workload, store: RunStore, progress: Progress) -> None:
    """Train the runs that a workload lacks, until no more follow from the scores of those that are there."""
    from winit.training.engines import choose_device
    from winit.training.workload import train as train_runs

    device, spoken = choose_device(study.device), time.time()
    unneeded = session.Needed.of(workload, store).todo
    while lacking := session.lacking(workload, store):
        for rows in train_runs(workload, lacking, device, study.engine):
            store.commit(workload.name, rows)
            progress.add(len(rows), len(rows) * workload.flops_per_run)
            unneeded -= len(rows)
            if time.time() - spoken > 5:
                spoken = time.time()
                LOG.info("%s", progress.line())
    progress.drop(unneeded, unneeded * workload.flops_per_run)
    LOG.info("%s; %s is trained", progress.line(), workload.name)


def collect(given: argparse.Namespace) -> None:
    """Write the tables of a study, and the record of what made them."""
    from winit.analysis import collect as collecting

    study, paths = _frozen(given)
    collecting.collect(study, paths.store, paths.folder, given.processes)
    session.write_record(study, paths.folder, [*COLLECTED, *REPLAYED])


def replay(given: argparse.Namespace) -> None:
    """Write the table of the tutorial's forward pass."""
    from winit.analysis import replay as replaying
    from winit.store import files

    study, paths = _frozen(given)
    files.write(paths.folder, "replay", replaying.replay(study.seed))


def report(given: argparse.Namespace) -> None:
    """Draw the figures and write the page."""
    from winit.report import page

    study, paths = _frozen(given)
    page.write(study, paths.folder, paths.report, given.processes)


def _frozen(given: argparse.Namespace) -> tuple[Study, StudyPaths]:
    """Return the frozen study that lies at results/<name>/study.yaml, and its paths. Start the log of the rule."""
    _log_to(given.log)
    study = read(given.study)
    results = given.study.parent.parent
    return study, StudyPaths(study.name, results, results.parent / "reports")
