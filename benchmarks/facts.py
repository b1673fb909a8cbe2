"""What the documents say of a study, computed from its tables: counts, costs, claims, and the errors of deep autoencoders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis.select import ARM, CELL, at_chosen_rate, chosen_rates, judged, of_budget
from winit.schemes import Layer, statistics
from winit.store import files
from winit.study.compose import read
from winit.study.model import Study
from winit.vocabulary.factors import OPTIMIZERS
from winit.vocabulary.pretraining import pretraining_label
from winit.workflow.paths import StudyPaths
from winit.workflow.progress import FILE as PROGRESS

MB = 1e6
PLAIN_ACTIVATIONS = ("tanh", "relu")
MOST_LAYERS = 10


def minutes(progress: str) -> float | None:
    """Return how long the training took, from the lines of `progress.tsv`; None if it began with stored runs.

    Args:
        progress: its text; the first column holds seconds, the first line how many runs were done.
    """
    head, *chunks = [line.split("\t") for line in progress.splitlines()]
    if int(head[1]) or not chunks:
        return None
    return (float(chunks[-1][0]) - float(head[0])) / 60


def gain(initializer: str, activation: str, width: int) -> float | None:
    """Return n·Var(w) of a square hidden layer of n units; None where the weights are not independent.

    Args:
        initializer: scheme with its parameters.
        activation: of the hidden layers.
        width: n.
    """
    of_layer = statistics(initializer, Layer(width, width, activation))
    return None if of_layer is None else width * of_layer.weight_variance


def plainly_trained(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the share of judged runs that are ok where an initializer should leave nothing in the way, by dataset.

    These are tanh and ReLU, up to 10 layers, n·Var(w) from 1 to 2, without pretraining, batch normalization or dropout, at
    the chosen rate.

    Args:
        summary: of one budget.

    Returns:
        `dataset`, `activation` (or all), `runs` and `ok`.
    """
    rows = chosen_rates(summary)
    rows = rows[rows["activation"].isin(PLAIN_ACTIVATIONS) & (rows["depth"] <= MOST_LAYERS)]
    rows = rows[(rows["pretraining"] == "none") & ~rows["batch_norm"] & (rows["dropout"] == 0)]
    gains = [gain(*key) for key in zip(rows["initializer"], rows["activation"], rows["width"], strict=True)]
    rows = rows[[g is not None and 1 - 1e-9 <= g <= 2 + 1e-9 for g in gains]]
    together = pd.concat([rows, rows.assign(activation="all")])
    everywhere = pd.concat([together, together.assign(dataset="all")])
    return everywhere.groupby(["dataset", "activation"], sort=False)[["runs", "ok"]].sum().reset_index()


def study_facts(
    study: Study,
    tables: Mapping[str, pd.DataFrame],
    progress: str,
    cores: int,
    operations: float,
    store_bytes: int,
) -> dict[str, Any]:
    """Return what `docs/figures/study.json` holds.

    Args:
        study: whose tables these are.
        tables: its `runs` and `summary`.
        progress: the text of its `progress.tsv`.
        cores: of the machine that trained it.
        operations: floating-point operations of its training, pretraining not counted.
        store_bytes: what its workloads take in the run store.
    """
    runs, of_judged = tables["runs"], judged(tables["runs"])
    took = minutes(progress)
    trained = plainly_trained(of_budget(tables["summary"]))
    return {
        "study": study.name,
        "digest": study.digest,
        "runs": len(runs),
        "judged": len(of_judged),
        "workloads": len(study.workloads),
        "budgets": sorted({*study.measure.budgets, study.training.steps}),
        "replicates": study.grid.replicates,
        "tuning_replicates": study.grid.tuning_replicates,
        "tflop": round(operations / 1e12, 3),
        "cores": cores,
        "minutes": None if took is None else round(took, 1),
        "store_mb": round(store_bytes / MB, 1),
        "ok_share": round(float((of_judged["status"] == "ok").mean()), 4),
        "plainly_trained": trained.to_dict("records"),
    }


def with_time(known: dict[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a study with the time that its training took, where only an earlier record knows it.

    `progress.tsv` begins anew with every session, so it does not hold the time any more once the runs are stored.

    Args:
        known: as `study_facts` returns them.
        earlier: those that were written before, of any study.
    """
    if known["minutes"] is None and earlier.get("digest") == known["digest"]:
        return known | {name: earlier[name] for name in ("minutes", "cores")}
    return known


def scope(cells: pd.DataFrame) -> str:
    """Return what something was tested on: data, optimizers, widths, layers and budgets.

    Args:
        cells: its rows of `claims_evidence` or of `cell_sets`.
    """
    if cells.empty:
        return "–"
    optimizers = [OPTIMIZERS[name] for name in sorted(cells["optimizer"].unique())]
    budgets = sorted(cells["budget"].dropna().unique())
    parts = [
        ", ".join(sorted(cells["dataset"].unique())),
        ", ".join(optimizers),
        f"width {_numbers(cells['width'])}",
        f"{_numbers(cells['depth'])} layers",
        *([f"{_numbers(budgets)} updates"] if budgets else []),
    ]
    return "; ".join(parts)


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(f"{int(v):,}" for v in sorted(set(values)))


def claims_rows(claims: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `docs/figures/claims.csv`: id, verdict, numbers of cells, and scope.

    Args:
        claims, evidence: the tables `claims` and `claims_evidence`.
    """
    scopes = [scope(evidence[evidence["claim"] == name]) for name in claims["claim"]]
    return claims[["claim", "verdict", "cells", "supporting", "refuting", "without_evidence"]].assign(scope=scopes)


def ranking_rows(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `docs/figures/ranking.csv`: the tuned view, by budget, activation and initializer.

    Args:
        ranking: the table.
    """
    tuned = ranking[ranking["view"] == "tuned"]
    return tuned[["budget", "activation", "initializer", "cells", "runs", "ok", "verdict"]]


def set_rows(cell_sets: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `docs/figures/cell_sets.csv`: the set of each budget, cell and initializer.

    Args:
        cell_sets: the table.
    """
    return cell_sets[["budget", *CELL, "initializer", "membership"]]


def autoencoder_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return what `docs/figures/deep_autoencoder.json` holds: the test error of every start of a study of deep autoencoders.

    Args:
        study: whose tables these are.
        tables: its `runs`, `summary` and `baselines`.
    """
    baselines = tables["baselines"]
    starts = [
        {"start": _baseline(row["baseline"], row["components"]), "median": row["test_loss"]}
        for row in baselines[baselines["components"].isin([0, study.task.encoder[-1]])].to_dict("records")
    ]
    runs = at_chosen_rate(tables["runs"], of_budget(tables["summary"]))
    for (initializer, pretraining), own in runs.groupby(ARM, sort=False):
        loss = own["test_loss"].to_numpy()
        name = schemes.label(str(initializer))
        starts.append({
            "start": name if pretraining == "none" else f"{name}, {pretraining_label(str(pretraining))}",
            "median": float(np.median(loss)), "low": float(loss.min()), "high": float(loss.max()),
        })  # fmt: skip
    pretrained = runs[runs["pretraining_updates"] > 0]
    return {
        "updates": study.training.steps,
        "replicates": study.grid.replicates,
        "pretraining_updates": study.pretraining.steps,
        "pretraining_seconds": round(float(pretrained["pretraining_time_s"].median()), 1) if len(pretrained) else None,
        "starts": [{k: round(v, 2) if isinstance(v, float) else v for k, v in start.items()} for start in starts],
    }


def _baseline(name: str, components: int) -> str:
    return f"{name}, {components} components" if components else name


def tables_of(folder: Path, names: Sequence[str]) -> tuple[Study, dict[str, pd.DataFrame]]:
    """Return the study of a results folder, and some of its tables.

    Raises:
        ValueError: one sentence, where the study or a table is not there.
    """
    return read(folder / "study.yaml"), {name: files.read(folder, name) for name in names}


def write_study(results: Path, folder: Path) -> None:
    """Write `study.json`, `claims.csv`, `ranking.csv` and `cell_sets.csv` from the tables of a study.

    Args:
        results: its folder, `results/<name>`.
        folder: of the figures.
    """
    study, tables = tables_of(results, ("runs", "summary", "claims", "claims_evidence", "ranking", "cell_sets"))
    paths = StudyPaths(study.name, results.parent)
    progress = (results / PROGRESS).read_text()
    operations = sum(json.loads(paths.manifest(w.name).read_text())["runs"] * w.flops_per_run for w in study.workloads)
    parts = [part for workload in study.workloads for part in paths.store.parts_of(workload.name).parts]
    stored = sum(part.stat().st_size for part in parts)
    cores = int(json.loads(paths.provenance.read_text())["cores"])
    facts = study_facts(study, tables, progress, cores, operations, stored)
    file = folder / "study.json"
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    write_json(file, with_time(facts, earlier))
    for name, rows in (
        ("claims", claims_rows(tables["claims"], tables["claims_evidence"])),
        ("ranking", ranking_rows(tables["ranking"])),
        ("cell_sets", set_rows(tables["cell_sets"])),
    ):
        files.write_bytes(folder / f"{name}.csv", rows.to_csv(index=False).encode())


def write_autoencoder(results: Path, folder: Path) -> None:
    """Write `deep_autoencoder.json` from the tables of a study of deep autoencoders.

    Args:
        results: its folder, `results/<name>`.
        folder: of the figures.
    """
    write_json(
        folder / "deep_autoencoder.json", autoencoder_facts(*tables_of(results, ("runs", "summary", "baselines")))
    )


def write_json(path: Path, facts: object) -> None:
    """Write facts as JSON that a person can read and compare."""
    files.write_bytes(path, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
