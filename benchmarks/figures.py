"""Fill in the documents: measured numbers from docs/figures/, and the reference from the code.

    python -m benchmarks.figures [--study results/default] [--autoencoder results/deep_autoencoder]

A number or a table of a document stands between two comments, `<!-- study.runs -->14,184<!-- / -->`. Measured numbers come
from the small files of `docs/figures/`. The benchmarks write some of these, and this module those of a study, if its
results are there. The reference comes from `benchmarks.reference`. The tests compare the documents with their sources, and
look for measured numbers outside such comments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import facts, reference
from benchmarks.markdown import Values, fill, table
from winit import schemes
from winit.analysis.select import CELL
from winit.report.wording import percent
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import OPTIMIZERS
from winit.vocabulary.words import count

# The claims that the README shows.
SELECTED_CLAIMS = (
    "small-weights-vanish", "he-repairs-relu", "glorot-suits-sigmoid", "kumar-repairs-sigmoid", "better-weights-train-faster",
    "pretraining-beats-random-at-equal-updates",
)  # fmt: skip

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
# These are written as a whole, and compared by tests of their own.
WRITTEN = {"coverage.md", "stability.md"}

METHODS = {
    "idiomatic": "idiomatic PyTorch", "sklearn": "scikit-learn", "vmap": "torch.func", "jax": "JAX", "torch": "our torch",
    "kernel": "our kernel", "traced": "traced",
}  # fmt: skip


def documents() -> list[Path]:
    """Return the documents that are filled in."""
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if p.name not in WRITTEN)]


def engine(rows: pd.DataFrame) -> Values:
    """Return the table of networks·steps per second.

    Args:
        rows: by shape and optimizer, a column for each method that was measured; our kernel's rate relative to idiomatic
            PyTorch and to JAX, and its share of the peak.
    """
    names = [name for name in METHODS if name in rows]
    heads = ["shape", "optimizer", *(METHODS[name] for name in names)]
    lines = [
        [
            row["shape"], row["optimizer"], *(_or_dash(row[name], ",.0f") for name in names), f"{row['to_idiomatic']:.1f}",
            _or_dash(row["to_jax"], ".2f"), f"{row['of_the_peak']:.0%}",
        ]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    return {"table": table([*heads, "kernel ÷ idiomatic", "kernel ÷ JAX", "of the peak"], lines, 2)}


def _or_dash(value: float, form: str) -> str:
    return format(value, form) if value == value else "–"


def theory(known: Mapping[str, Any]) -> Values:
    """Return how far the theory agrees with wide networks."""
    sets = known["within"]
    return {
        "replicates": str(known["replicates"]),
        "errors": f"{100 * known['smallest_error']:.1f} to {100 * known['largest_error']:.1f} %",
        "within": f"{' and '.join(map(str, sets))} of {known['means']}",
        "gradients": f"{100 * known['largest_gradient']:.0f} %",
        "farthest": f"{100 * known['largest_deviation']:.0f} %",
    }


def scaling(known: Mapping[str, Any]) -> Values:
    """Return what the stages of a large study cost."""
    heads = ["stage", "seconds of one core", "seconds on the clock", "grows as runs to the power of"]
    stages = [
        [s["stage"], f"{s['seconds']:.0f}", f"{s['wall_seconds']:.0f}", f"{s['exponent']:.1f}"] for s in known["stages"]
    ]
    return {
        "runs": f"{known['runs']:,}",
        "workloads": f"{known['workloads']:,}",
        "smaller": f"{known['smaller']:,}",
        "memory": f"{known['peak_memory_mb'] / 1000:.1f} GB",
        "page": f"{known['page_mb']:.1f} MB",
        "table": table(heads, stages, 1),
    }


def study_speed(known: Mapping[str, Any]) -> Values:
    """Return how fast the default study is as a whole, and where its time goes.

    Args:
        known: by study, as `benchmarks.study` measures them.
    """
    speed = known["default"]
    total = speed["processor_s"]
    parts = [[part, f"{seconds:,.0f}", f"{100 * seconds / total:.0f} %"] for part, seconds in speed["parts"].items()]
    return {
        "minutes": f"{speed['wall_s'] / 60:.0f} minutes",
        "cores": count(speed["cores"], "core"),
        "processor": f"{speed['processor']}, {speed['peak_gflops']:.0f} GFLOP/s a core",
        "of_the_peak": f"{100 * speed['of_the_peak']:.0f} %",
        "memory": f"{speed['largest_process_mb'] / 1000:.1f} GB",
        "to_idiomatic": f"{speed['to_idiomatic']:.1f} times",
        "table": table(["part", "seconds of one core", "share"], parts, 1),
    }


def pretraining(known: Mapping[str, Any]) -> Values:
    """Return how many times as fast as the torch engine the kernel pretrains."""
    return {name: f"{low:.1f} to {high:.1f} times" for name, (low, high) in known.items()}


def deep_autoencoder(known: Mapping[str, Any]) -> Values:
    """Return the test errors of deep autoencoders, and what they were trained with."""
    lines = []
    least = min(start["median"] for start in known["starts"])
    for start in known["starts"]:
        median = f"{start['median']:.2f}"
        median = f"**{median}**" if start["median"] == least else median
        spread = f" ({start['low']:.2f} to {start['high']:.2f})" if "low" in start else ""
        lines.append([start["start"], median + spread])
    return {
        "updates": f"{known['updates']:,} updates",
        "pretraining_updates": f"{known['pretraining_updates']:,} updates",
        "replicates": count(known["replicates"], "replicate"),
        "seconds": f"{known['pretraining_seconds']:.0f} s",
        "table": table(["start", "test error"], lines, 2),
    }


def study(known: Mapping[str, Any]) -> Values:
    """Return the size and the cost of a study, and how many of its runs train."""
    took = known["minutes"]
    trained = {(r["dataset"], r["activation"]): r for r in known["plainly_trained"]}
    datasets = sorted({dataset for dataset, _ in trained} - {"all"})
    activations = [a for a in facts.PLAIN_ACTIVATIONS if ("all", a) in trained]
    lines = [
        [d, *(_share(trained.get((d, a))) for a in activations), _share(trained[d, "all"])] for d in (*datasets, "all")
    ] if trained else []  # fmt: skip
    *shorter, full = [f"{budget:,}" for budget in known["budgets"]]
    return {
        "name": f"`{known['study']}`",
        "runs": f"{known['runs']:,} networks",
        "judged": f"{known['judged']:,}",
        "workloads": f"{known['workloads']:,} workloads",
        "tflop": f"{known['tflop']:,.3g} TFLOP",
        "minutes": "`winit plan` estimates how long that takes."
        if took is None
        else f"Training took {count(round(took), 'minute')} on {count(known['cores'], 'core')}.",
        "store": f"{known['store_mb']:.0f} MB",
        "ok": percent(known["ok_share"]),
        "full_budget": f"{full} steps",
        "budgets": f"{', '.join(shorter)} and {full} updates" if shorter else f"{full} updates",
        "replicates": count(known["replicates"], "replicate"),
        "tuning_replicates": count(known["tuning_replicates"], "replicate"),
        "trained": table(["data", *(ACTIVATIONS[a].label for a in activations), "both"], lines, 1),
    }


def _share(counts: Mapping[str, int] | None) -> str:
    return "–" if counts is None else f"{100 * counts['ok'] / counts['runs']:.0f} % of {counts['runs']:,}"


def claims(rows: pd.DataFrame) -> Values:
    """Return the table of what the study says to each claim, and a shorter one of a few.

    Args:
        rows: as `facts.claims_rows` returns them.
    """
    statements = {claim.id: claim.statement for claim in reference.declared()}
    by_id = {
        row["claim"]: [
            statements.get(row["claim"], row["claim"]), row["verdict"], row["scope"], str(row["cells"] - row["without_evidence"]),
            str(row["supporting"]), str(row["refuting"]),
        ]
        for row in rows.to_dict("records")
    }  # fmt: skip
    heads = ["claim", "verdict", "tested on", "cells", "support it", "refute it"]
    return {
        "table": table(heads, by_id.values(), 3),
        "selection": table(heads, (by_id[name] for name in SELECTED_CLAIMS if name in by_id), 3),
    }


def ranking(rows: pd.DataFrame) -> Values:
    """Return the table of verdicts against the baseline, by budget and initializer, one column for each group of cells.

    Args:
        rows: as `facts.ranking_rows` returns them.
    """
    groups = ["all", *(name for name in ACTIVATIONS if name in set(rows["activation"]))]
    heads = ["all activations", *(ACTIVATIONS[name].label for name in groups[1:])]
    lines = []
    for budget, at in rows.groupby("budget"):
        cells = {(r["initializer"], r["activation"]): r for r in at.to_dict("records")}
        for name in schemes.in_order(at["initializer"]):
            known = [cells.get((name, group)) for group in groups]
            texts = ["–" if r is None else f"{r['verdict']}, {percent(r['ok'] / r['runs'])}" for r in known]
            lines.append([f"{budget:,}", schemes.label(name), *texts])
    return {"table": table(["updates", "initializer", *heads], lines, len(heads) + 2)}


def cell_sets(rows: pd.DataFrame) -> Values:
    """Return the table of what works in each cell at the full budget, and what of it works at the shortest one already.

    Args:
        rows: as `facts.set_rows` returns them.
    """
    first, full = rows["budget"].min(), rows["budget"].max()
    soon = [f"work after {first:,} updates"] if first < full else []
    heads = [*soon, f"work after {full:,}" + (", not before" if soon else " updates"), "do worse", "fail", "undecided"]
    lines = []
    for _, cell in rows.groupby(CELL, sort=False):
        names = schemes.in_order(cell["initializer"])
        sets = cell.set_index(["budget", "initializer"])["membership"]
        at_first, at_full = ({name: sets[budget, name] for name in names} for budget in (first, full))
        works = [name for name in names if at_full[name] == "works"]
        early = [name for name in works if at_first[name] == "works"]
        groups = [early, [name for name in works if name not in early]] if soon else [works]
        groups += [[n for n in names if at_full[n] == word] for word in ("worse", "fails", "undecided")]
        scope = cell.iloc[0]
        lines.append([
            _setting(scope), ACTIVATIONS[scope["activation"]].label, str(scope["depth"]),
            *(", ".join(map(schemes.label, group)) or "–" for group in groups),
        ])  # fmt: skip
    shown = table(["data", "activation", "layers", *heads], lines, len(heads) + 3)
    return {"table": shown, "scope": facts.scope(rows)}


def _setting(cell: pd.Series) -> str:
    """Return the scope of a cell: data, optimizer and width, and batch normalization or dropout where there is any."""
    parts = [cell["dataset"], OPTIMIZERS[cell["optimizer"]], f"width {cell['width']}"]
    if cell["batch_norm"]:
        parts.append("batch normalization")
    if cell["dropout"] > 0:
        parts.append(f"dropout {cell['dropout']:g}")
    return "; ".join(parts)


SECTIONS: dict[str, Callable[[Any], Values]] = {
    "engine.csv": engine,
    "theory.json": theory,
    "scaling.json": scaling,
    "study_speed.json": study_speed,
    "pretraining.json": pretraining,
    "deep_autoencoder.json": deep_autoencoder,
    "study.json": study,
    "claims.csv": claims,
    "ranking.csv": ranking,
    "cell_sets.csv": cell_sets,
}


def values(folder: Path = FIGURES) -> Values:
    """Return everything that the documents can show, by name: `study.runs` comes from `study.json`.

    Args:
        folder: of the files with measured numbers.
    """
    result = reference.values()
    for file, section in SECTIONS.items():
        path = folder / file
        known = pd.read_csv(path) if path.suffix == ".csv" else json.loads(path.read_text(encoding="utf-8"))
        result |= {f"{path.stem}.{name}": value for name, value in section(known).items()}
    return result


def main() -> None:
    """Compute what there are results of, and fill in all documents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=Path("results/default"))
    parser.add_argument("--autoencoder", type=Path, default=Path("results/deep_autoencoder"))
    given = parser.parse_args()
    try:
        for results, write in ((given.study, facts.write_study), (given.autoencoder, facts.write_autoencoder)):
            if (results / "provenance.json").is_file():
                write(results, FIGURES)
            else:
                print(f"{results} holds no finished study: its figures stay as they are")
        known = values()
        for document in documents():
            text = document.read_text(encoding="utf-8")
            if (filled := fill(text, known)) != text:
                document.write_text(filled, encoding="utf-8")
                print(f"filled in: {document.relative_to(ROOT)}")
    except ValueError as error:
        sys.exit(f"figures: {error}")


if __name__ == "__main__":
    main()
