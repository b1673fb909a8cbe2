"""Tables and claims made up for tests: arms of a few runs each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from winit.analysis.claims.declaration import Claim
from winit.analysis.claims.reading import read
from winit.analysis.select import RATE_FACTORS

RUN = {
    "dataset": "digits", "activation": "tanh", "depth": 3, "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "initializer": "normal:0.01", "pretraining": "none", "learning_rate": 0.1, "role": "judged", "replicate": 0, "status": "ok",
    "steps_to_target": 100.0, "test_score": 0.9, "validation_score": 0.9, "validation_loss": 0.5,
}  # fmt: skip


LAYER = {
    "stage": "drawn",
    "step": 0,
    "h_variance": 1.0,
    "delta_variance": 1.0,
    "saturated": 0.0,
    "h_mean": 0.0,
    "distinct_units": 8,
}


TEXTS = {"statement": "It is so.", "source": "the tutorial", "measured": "how it is", "figure": "signals"}


def arm(initializer: str, replicates: int = 3, **columns: object) -> list[dict]:
    """Return the runs of an arm; a list in a column has one value for each replicate."""
    return [
        RUN
        | {"initializer": initializer, "replicate": r}
        | {k: v[r] if isinstance(v, list) else v for k, v in columns.items()}
        for r in range(replicates)
    ]


def tables(*arms: list[dict], layers: dict[str, list[dict]] | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of some arms: of each initializer's runs the layers, given from the first to the last."""
    runs = pd.DataFrame([run for some in arms for run in some])
    runs["run_id"] = [f"{i:016x}" for i in range(len(runs))]
    rows = [
        LAYER | {"run_id": run["run_id"], "layer": i} | layer
        for _, run in runs.iterrows()
        for i, layer in enumerate((layers or {}).get(run["initializer"], [{}] * (run["depth"] + 1)), start=1)
    ]
    factors = [name for name in RUN if name in RATE_FACTORS]
    summary = runs.groupby(factors, as_index=False)["validation_score"].max()
    group = summary.groupby([name for name in factors if name != "learning_rate"])["validation_score"]
    summary["is_best_rate"] = summary["validation_score"] == group.transform("max")
    return {"runs": runs, "summary": summary, "layers": pd.DataFrame(rows)}


def contrast(measure: str, supported_if: dict, refuted_if: dict, **parameters: object) -> dict:
    return {"measure": measure, "supported_if": supported_if, "refuted_if": refuted_if, **parameters}


def declared(folder: Path, *contrasts: dict, **more: object) -> list[Claim]:
    """Write a claim to a file and read it."""
    entry = {"id": "so", **TEXTS, "contrast": list(contrasts), **more}
    (folder / "claims.yaml").write_text(yaml.safe_dump([entry]))
    return read(folder)


SYMMETRIC = contrast("distinct_units", {"at_most": 1}, {"at_least": 2}, initializer=["zeros", "constant:0.1"])


def units(*counts: int, step: int = 50) -> list[dict]:
    """Return three hidden layers and an output with so many distinct units."""
    return [{"stage": "training", "step": step, "distinct_units": n} for n in (*counts, 10)]


TRAINS = ({"at_least": 0.5}, {"at_most": 0.5})


GAINS = ({"at_least": 0.01}, {"at_most": 0.01})


def gain(*ours: str, **more: object) -> dict:
    return contrast("accuracy_gain", *GAINS, initializer=list(ours), compared_with=["glorot_normal"], **more)


FASTER = {"initializer": ["he_normal"], "compared_with": ["normal:0.01"]}
