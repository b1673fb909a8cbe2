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
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from winit import __version__, datasets
from winit.store import locks
from winit.study import yaml_files
from winit.study.compose import from_arguments, read
from winit.study.model import Study
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name
from winit.workflow import checks, session
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE, Progress, duration

ROOT = Path(__file__).resolve().parent.parent
LOG = logging.getLogger("winit")

# Operations per second and core that the engine reaches on small networks; used until the store has measured better.
NOMINAL_FLOPS = 4e10
# What a job costs before it trains, and the tables and the page after the last one, in seconds.
JOB_SECONDS, PAGE_SECONDS = 3, 15


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; a mistake of the caller's costs one line on stderr and exit code 2."""
    try:
        code = _run_verb(arguments)
        sys.stdout.flush()
    except ValueError as reason:
        print(f"winit: {reason}", file=sys.stderr)
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
        return end.code
    if rest and hasattr(given, "overrides") and all("=" in text and not text.startswith("-") for text in rest):
        given.overrides += rest  # overrides may stand behind options, too
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    locks.require()
    return given.verb(given) or 0


def _of_system(error: OSError) -> str:
    """Return the sentence for what the system refused; a path that fills the screen is cut."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return reason
    path = os.fspath(error.filename)
    return f"{reason}: {path if len(path) <= 120 else path[:60] + '…' + path[-40:]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="winit", description="How much do a network's initial weights help or hinder?"
    )
    parser.add_argument("--version", action="version", version=f"winit {__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    editors = verbs.add_parser("schema", help="print the JSON Schema of a study's file, for editors")
    editors.set_defaults(verb=schema)
    editors.add_argument("--table", action="store_true", help="print all settings as a Markdown table instead")

    def verb(name: str, function, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(verb=function)
        return sub

    for name, function, text in (
        ("run", run, "run a study: train what the store lacks, then write its tables and its report"),
        ("plan", plan, "say how many runs a study has, how many are stored, and what the rest will cost"),
    ):
        sub = verb(name, function, text)
        sub.add_argument(
            "overrides", nargs="*", metavar="KEY=VALUE",
            help="study=smoke 'grid.depth=[2,4]' training.steps=100 … in Hydra's syntax; or one frozen study.yaml",
        )  # fmt: skip
        sub.add_argument(
            "--cores", type=_positive, default=os.cpu_count(), metavar="N", help="processes (default: all)"
        )
    verbs.choices["run"].add_argument("-n", "--dry-run", action="store_true", help="show the jobs, run nothing")
    verbs.choices["run"].add_argument(
        "--force", action="store_true",
        help="replace the tables of another question under the same name; without it, a study that lacks some of their runs "
        "is refused. Stored runs are kept in any case",
    )  # fmt: skip

    sub = verb(
        "gain", gain, "say what the theory of wide networks knows of an activation: gains, fixed points, criticality"
    )
    sub.add_argument("activation", help=f"one of {', '.join(ACTIVATIONS)}")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = verb("card", card, "say what an initializer is, and how torch, Keras and JAX write it")
    sub.add_argument("initializer", help="he_normal, normal:0.01, orthogonal:1+lsuv, …")
    sub.add_argument("--activation", help="for schemes whose scale depends on it")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = verb("train", train, "train one workload of a frozen study (a rule of the workflow)")
    sub.add_argument("study", type=Path)
    sub.add_argument("workload")
    sub.add_argument("--runs", required=True, help="the digest of the workload's run ids that the workflow expects")
    sub.add_argument("--output", type=Path, required=True, help="the manifest to write")
    sub.add_argument("--log", type=Path)
    for name, function, text in (
        ("collect", collect, "join the runs of a frozen study into its tables (a rule of the workflow)"),
        ("replay", replay, "compute the tutorial's forward pass (a rule of the workflow)"),
        ("report", report, "write the page of a study from its tables (a rule of the workflow)"),
    ):
        sub = verb(name, function, text)
        sub.add_argument("study", type=Path)
        sub.add_argument("--log", type=Path)
    return parser


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
    chosen = from_arguments(given.overrides)
    store = StudyPaths(chosen.name).store
    for line in _plan_lines(chosen, store, given.cores):
        print(line)
    for line in session.due(chosen, StudyPaths(chosen.name)).values():
        print(line)


def _plan_lines(chosen: Study, store, cores: int) -> list[str]:
    lines = [f"study {chosen.name}: {chosen.run_count:,} runs in {len(chosen.workloads)} workloads ({chosen.product})"]
    for initializer, pretraining, activation, reason in chosen.not_applicable:
        lines.append(f"not applicable: {initializer or pretraining} with {activation}: {reason}")

    todo, jobs, flops, seconds, computed = 0, 0, 0.0, 0.0, 0.0
    for workload in chosen.workloads:
        shelf = store.shelf(workload.name)
        lines += [f"not a part of the store: {path}: {reason}" for path, reason in shelf.broken.items()]
        held = shelf.run_ids
        lacking = sum(run.id not in held for run in workload.runs) if held else workload.run_count
        todo += lacking
        jobs += lacking > 0
        flops += lacking * workload.flops_per_run
        if shelf.parts:
            times = shelf.read(["wall_time_s"])["wall_time_s"].to_pylist()  # to_numpy would import pandas
            seconds += sum(times)
            computed += len(times) * workload.flops_per_run
    lines.append(f"stored: {chosen.run_count - todo:,} of {chosen.run_count:,} runs")
    if todo:
        rate = computed / seconds if seconds else NOMINAL_FLOPS
        basis = "at the rate of the stored runs" if seconds else "a rough guess, nothing of it being stored yet"
        left = (flops / rate + jobs * JOB_SECONDS) / min(cores, jobs) + PAGE_SECONDS
        lines.append(
            f"to train: {todo:,} runs, {flops / 1e12:,.2f} TFLOP, about {duration(left)} on {cores} cores ({basis})"
        )
    else:
        lines.append("to train: nothing")
    return lines


def gain(given: argparse.Namespace) -> None:
    """Print the theory of one activation."""
    from winit.theory.gains import CARD_LINES, activation_card

    if given.activation not in ACTIVATIONS:
        raise ValueError(unknown_name("activation", given.activation, ACTIVATIONS))
    facts = activation_card(given.activation)
    facts["torch_gain"] = _torch_gain(given.activation)
    if given.json:
        print(json.dumps({"activation": given.activation, **facts}, indent=1))
        return
    phi = ACTIVATIONS[given.activation]
    print(f"{phi.label}: φ(z) = {phi.formula}; z ~ N(0, 1)")
    for key, text in CARD_LINES.items():
        value = facts[key]
        print(f"  {text:58s} {'none' if value is None else f'{value:.6g}'}")
    for point in facts["critical"]:
        stable = "stable" if point["is_stable"] else "unstable"
        print(
            f"  critical at σ_b² = {point['sigma_b2']:g}: σ_w² = {point['sigma_w2']:.5g} "
            f"(σ_w = {point['sigma_w2'] ** 0.5:.4g}), q* = {point['q_star']:.4g}, {stable}"
        )
    if not facts["critical"]:
        print("  critical with biases: nowhere")
    print(f"  torch.nn.init.calculate_gain: {facts['torch_gain'] or 'refuses'}")


def card(given: argparse.Namespace) -> None:
    """Print the card of one initializer."""
    from winit import schemes

    found = schemes.card(given.initializer, given.activation)
    if given.json:
        print(json.dumps(asdict(found), indent=1, ensure_ascii=False))
        return
    print(found.label)
    for heading, text in schemes.lines(found):
        print(f"  {heading:28s} {text}")


def _torch_gain(activation: str) -> float | None:
    """Return torch's own gain, or None where it has none."""
    from torch.nn.init import calculate_gain

    try:
        return float(calculate_gain("linear" if activation == "identity" else activation))
    except ValueError:
        return None


def run(given: argparse.Namespace) -> int:
    """Run a study through Snakemake, and say where the page lies and what it took."""
    started = time.time()
    chosen = from_arguments(given.overrides)
    if chosen.device == "cuda":
        from winit.training.engines import choose_device  # imports torch: paid only by those who insist on CUDA

        choose_device(chosen.device)
    places = StudyPaths(chosen.name)
    checks.check_places(chosen, places)
    if given.dry_run:
        taken = None if given.force else checks.other_question(chosen, places)
        if taken:
            print(f"winit: without -n, this is refused: {taken}", file=sys.stderr)
        return 1 if _snakemake(given, chosen) else 0
    for name in chosen.settings["dataset"]:
        datasets.ensure(name, chosen.settings["data"]["dir"])
    with session.lock(chosen, places) as lock:
        taken = None if given.force else checks.other_question(chosen, places)
        if taken:
            raise ValueError(taken)
        session.freeze(chosen, places)
        code = _snakemake(given, chosen, lock.fileno())
    if code:
        print(f"winit: the study did not finish; its logs lie in {places.folder / 'logs'}", file=sys.stderr)
        return 1
    progress = places.folder / FILE
    fresh = progress.is_file() and progress.stat().st_mtime >= started
    took = duration(time.time() - started)
    print(f"{'done' if fresh else 'nothing to do: tables and report are up to date'}, after {took}")
    print(f"report: {places.report}")
    return 0


def _snakemake(given: argparse.Namespace, chosen: Study, lock: int | None = None) -> int:
    """Print the plan of a study, run Snakemake, to which the study's lock is handed down, and return its exit code."""
    for line in _plan_lines(chosen, StudyPaths(chosen.name).store, given.cores):
        print(line, flush=True)

    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(given.cores)]
    command += ["--profile", str(ROOT / "profiles" / "default")]
    if given.dry_run:
        command.append("--dry-run")
    # The arguments as they are, a frozen study's path included: its file is read by winit's reader, not by Snakemake's.
    command += ["--config", f"overrides={yaml_files.dump_line(list(given.overrides))}"]
    if lock is None:
        return subprocess.run(command, check=False).returncode
    environment = {**os.environ, locks.VARIABLE: str(lock)}
    return subprocess.run(command, check=False, pass_fds=[lock], env=environment).returncode


def train(given: argparse.Namespace) -> None:
    """Train what the store lacks of one workload, a chunk at a time."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: one thread a process
    _log_to(given.log)
    chosen = read(given.study)
    workload = chosen.workload(given.workload)
    if workload.runs_digest != given.runs:
        raise ValueError(
            f"{given.study} asks for other runs of {workload.name} (digest {workload.runs_digest}) than the workflow "
            f"(digest {given.runs}); run the study again: winit run"
        )
    places = _places(chosen, given.study)
    store = places.store
    with store.training(workload.name):
        for path, reason in store.set_aside(workload.name).items():
            LOG.warning("%s was set aside, and its runs are trained again: %s", path, reason)
        lacking = session.missing(workload, store)
        if lacking:
            from winit.training.engines import choose_device
            from winit.training.workload import train as train_runs

            progress = Progress(places.folder / FILE)
            spoken = time.time()
            for rows in train_runs(workload, lacking, choose_device(chosen.device), chosen.engine):
                store.commit(workload.name, rows)
                progress.add(len(rows), len(rows) * workload.flops_per_run)
                if time.time() - spoken > 5:
                    spoken = time.time()
                    LOG.info("%s", progress.line())
            LOG.info("%s; %s is trained", progress.line(), workload.name)
        session.write_manifest(given.output, workload, store)


def collect(given: argparse.Namespace) -> None:
    """Write the tables of a study, and the record of what made them."""
    from winit.analysis.collect import tables
    from winit.store import files

    _log_to(given.log)
    chosen = read(given.study)
    places = _places(chosen, given.study)
    found = tables(chosen, places.store)
    for name, frame in found.items():
        files.write(places.folder, name, frame)
    session.write_record(chosen, places.folder, found)


def replay(given: argparse.Namespace) -> None:
    """Write the table of the tutorial's forward pass."""
    from winit.analysis.replay import replay as compute
    from winit.store import files

    _log_to(given.log)
    chosen = read(given.study)
    files.write(given.study.parent, "replay", compute(chosen.seed))


def report(given: argparse.Namespace) -> None:
    """Draw the figures and write the page."""
    from winit.report import page

    _log_to(given.log)
    chosen = read(given.study)
    places = _places(chosen, given.study)
    page.write(chosen, places.folder, places.report)


def _places(chosen: Study, frozen: Path) -> StudyPaths:
    """Return the places of a frozen study that lies at results/<name>/study.yaml."""
    results = frozen.parent.parent
    return StudyPaths(chosen.name, results, results.parent / "reports")


def schema(given: argparse.Namespace) -> None:
    """Print the JSON Schema of a study's file, or the table of its settings."""
    from winit.study import reference  # composes a study

    print(reference.table() if given.table else json.dumps(reference.json_schema(), indent=1, ensure_ascii=False))
