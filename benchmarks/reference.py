"""The reference of the documents, made from the code: settings, tables, schemes, activations, datasets, claims, studies, verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping

from benchmarks.markdown import Values, block, table
from winit import cli, schemes
from winit.analysis.cell_sets import CELL_MARGIN
from winit.analysis.claims import reading
from winit.analysis.claims.declaration import Claim
from winit.analysis.decisions import FEWEST_DECIDED, SUCCESS_MARGIN
from winit.datasets import DATASETS
from winit.schemes import MODIFIERS, SCHEMES
from winit.schemes.papers import Paper
from winit.store.schema import documentation
from winit.study import conf
from winit.study import reference as settings
from winit.study.compose import compose
from winit.theory.activations import ACTIVATIONS
from winit.theory.gains import gains
from winit.vocabulary.pretraining import CONTROLS, PRETRAINING

NO_PAPER = "from libraries and textbooks"

# What winit ships of conf/. A clone may have studies and claims of its user beside them.
STUDIES = ("default", "quick", "full", "smoke", "phase_diagram", "deep_autoencoder")
CLAIMS = ("tutorial",)


def code(names: Iterable[str]) -> str:
    """Return names as code, with commas between them."""
    return ", ".join(f"`{name}`" for name in names)


def papers() -> str:
    """Return which paper proposed each scheme and modifier, by year; those of no paper come last."""
    by_paper: dict[Paper | None, list[str]] = {}
    entries = [(scheme.paper, scheme.example) for scheme in SCHEMES.values()]
    for paper, name in [*entries, *((m.paper, f"…+{name}") for name, m in MODIFIERS.items())]:
        by_paper.setdefault(paper, []).append(name)
    others = by_paper.pop(None, [])
    known = sorted(((p, names) for p, names in by_paper.items() if p), key=lambda pair: (pair[0].year, pair[0].authors))
    lines = [[code(names), str(paper.year), paper.reference] for paper, names in known]
    return table(["scheme", "year", "paper"], [*lines, [code(others), "–", NO_PAPER]])


def catalogue() -> str:
    """Return what each scheme draws."""
    heads = ["name", "called", "Var(w)", "distribution", "biases", "other names", "source"]
    return table(heads, (
        [
            code([scheme.example]), schemes.label(scheme.example), scheme.variance, scheme.distribution.replace("_", " "),
            scheme.bias, code(scheme.aliases), "; ".join(filter(None, [scheme.source, scheme.caveat])),
        ]
        for scheme in SCHEMES.values()
    ))  # fmt: skip


def libraries() -> str:
    """Return the lines that do the same in torch, Keras and JAX."""
    cards = [schemes.card(scheme.example) for scheme in SCHEMES.values()]
    lines = [
        [code([card.name]), *(f"`{line}`" if line else "–" for line in (card.torch, card.keras, card.jax))]
        for card in cards
        if card.torch or card.keras or card.jax
    ]
    return table(["name", "torch", "Keras", "JAX"], lines)


def modifiers() -> str:
    """Return what each modifier does."""
    lines = (
        [code([name]), m.rule, code([m.stands_for]) if m.stands_for else "–", m.source] for name, m in MODIFIERS.items()
    )
    return table(["modifier", "what it does", "the bare name means", "source"], lines)


def pretraining() -> str:
    """Return the ways of pretraining."""
    lines = ([code([name]), method.rule, method.source] for name, method in PRETRAINING.items())
    return table(["name", "what it does", "source"], lines)


def controls() -> str:
    """Return the controls of pretraining."""
    names = {name: f"…+{name}" if control.is_pretrained else f"none+{name}" for name, control in CONTROLS.items()}
    return table(["control", "what it is"], ([code([names[name]]), control.rule] for name, control in CONTROLS.items()))


def activations() -> str:
    """Return what is known of each activation."""
    heads = ["name", "called", "φ(z)", "φ(0)", "φ′(0)", "gain that keeps signals", "gain that keeps gradients"]
    lines = []
    for name, phi in ACTIVATIONS.items():
        kept = gains(phi)
        slope = "kink" if phi.slope_at_0 is None else f"{phi.slope_at_0:g}"
        numbers = [f"{phi.value_at_0:.4g}", slope, f"{kept.forward:.4f}", f"{kept.backward:.4f}"]
        lines.append([code([name]), phi.label, phi.formula, *numbers])
    return table(heads, lines, 3)


def datasets() -> str:
    """Return the sizes and the source of each dataset."""
    heads = ["name", "source", "parameters", "files", "examples", "inputs", "classes", "training / validation / test"]
    return table(heads, (
        [
            code([name]), data.source, ", ".join(f"`{key}` = {value:g}" for key, value in data.parameters.items()) or "–",
            "read or downloaded" if data.needs_files else "none",
            f"{data.examples:,}", f"{data.inputs:,}", str(data.classes), " / ".join(f"{size:,}" for size in data.part_sizes),
        ]
        for name, data in DATASETS.items()
    ), 4)  # fmt: skip


def declared() -> list[Claim]:
    """Return the claims that winit ships."""
    return reading.read([conf.files("claims")[name] for name in CLAIMS])


def claims() -> str:
    """Return the claims as they were declared."""
    parts = []
    for claim in declared():
        parts += [f"### `{claim.id}`", "", f"*{claim.statement}*", ""]
        parts += [f"- Source: {claim.source}.", f"- Measured: {claim.measured}", f"- Rule: {claim.rule}.", ""]
    return block("\n".join(parts).rstrip())


def studies() -> str:
    """Return what each study of `conf/study/` asks, and how many runs it has."""
    heads = ["study", "question", "datasets", "updates", "workloads", "runs, at least", "runs, at most"]
    lines = []
    for name in STUDIES:
        study = compose([f"study={name}"])
        sizes = [len(study.workloads), study.counts.tuning + study.counts.least, study.counts.bound]
        names = code(sorted({workload.dataset for workload in study.workloads}))
        updates = ", ".join(f"{budget:,}" for budget in study.budgets)
        lines.append([code([name]), study.question, names, updates, *(f"{size:,}" for size in sizes)])
    return table(heads, lines, 4)


def commands() -> str:
    """Return every verb that the help shows, with its arguments."""
    parts = []
    for name, parser in cli.parser().verbs.items():
        parts += [f"### `winit {name}`", "", parser.description or "", ""]
        rows = [(spelling(action), action.help or "") for action in parser._actions if action.dest != "help"]
        if rows:
            parts += [table(["argument", "meaning"], rows).strip(), ""]
    return block("\n".join(parts).rstrip())


def spelling(action: argparse.Action) -> str:
    """Return how an argument is written: `--cores N`."""
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        return f"`{value}`"
    takes = f" {value}" if action.nargs != 0 else ""
    return ", ".join(f"`{option}{takes}`" for option in action.option_strings)


def columns() -> str:
    """Return the columns of all tables."""
    return block(documentation())


def keys() -> str:
    """Return all settings."""
    return block(settings.table())


SOURCES: Mapping[str, Callable[[], str]] = {
    "papers.table": papers,
    "schemes.table": catalogue,
    "schemes.libraries": libraries,
    "schemes.modifiers": modifiers,
    "methods.table": pretraining,
    "methods.controls": controls,
    "activations.table": activations,
    "datasets.table": datasets,
    "declared.claims": claims,
    "studies.table": studies,
    "commands.verbs": commands,
    "tables.columns": columns,
    "settings.table": keys,
}


def values() -> Values:
    """Return every part of the reference, by the name of its place."""
    rules = {
        "rules.success_margin": f"±{100 * SUCCESS_MARGIN:g} points",
        "rules.cell_margin": f"{100 * CELL_MARGIN:g} points",
        "rules.fewest_decided": f"{FEWEST_DECIDED} replicates",
    }
    return rules | {name: source() for name, source in SOURCES.items()}
