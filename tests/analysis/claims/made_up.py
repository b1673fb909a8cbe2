"""Tables and claims made up for tests: arms of a few runs each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from winit.analysis.claims.declaration import Claim
from winit.analysis.claims.reading import read
from winit.analysis.select import OUTCOME, at_budget
from winit.analysis.summary import summarise, tuning_table

RUN = {
    "dataset": "digits", "activation": "tanh", "depth": 3, "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "initializer": "normal:0.01", "pretraining": "none", "pretraining_rate": 1.0, "learning_rate": 0.1, "role": "judged",
    "replicate": 0, "is_extension": False, "chance": 0.1, "status": "ok", "steps_to_target": 100.0, "train_loss": 0.01,
    "train_score": 1.0, "validation_loss": 0.5, "validation_score": 0.9, "test_loss": 0.5, "test_score": 0.9,
}  # fmt: skip

LAYER = {
    "stage": "drawn", "step": 0, "h_variance": 1.0, "h_example_variance": 1.0, "delta_variance": 1.0, "saturated": 0.0,
    "h_mean": 0.0, "distinct_units": 8,
}  # fmt: skip

EFFECT = {
    "budget": 2000, "dataset": "digits", "activation": "sigmoid", "depth": 10, "width": 8, "batch_norm": False, "dropout": 0.0,
    "optimizer": "sgd", "initializer": "normal:0.01", "pretraining": "rbm", "compared_at": "equal updates",
    "compared_with": "best random start", "reference_initializer": "kumar", "pairs": 10,
    "level": 0.95, "is_cut_short": False, "trained_pairs": 10, "success_difference": 0.0,
    "success_difference_low": -0.3, "success_difference_high": 0.3, "difference": 0.05, "difference_low": 0.04,
    "difference_high": 0.06, "verdict": "better",
}  # fmt: skip

TEXTS = {"statement": "It is so.", "source": "the tutorial", "measured": "how it is", "figure": "signals"}
FULL_BUDGET = 2000


def arm(initializer: str, replicates: int = 5, **columns: object) -> list[dict]:
    """Return the judged runs of an arm; a list in a column has one value for each replicate."""
    return [
        RUN
        | {"initializer": initializer, "replicate": r}
        | {k: v[r] if isinstance(v, list) else v for k, v in columns.items()}
        for r in range(replicates)
    ]


def tuned(initializer: str, score: float, **columns: object) -> list[dict]:
    """Return two tuning runs of an arm with this validation score."""
    runs = arm(initializer, 2, validation_score=score, **columns)
    return [run | {"role": "tuning", "replicate": -1 - run["replicate"]} for run in runs]


def tables(
    *arms: list[dict],
    layers: Mapping[str, list[dict]] | None = None,
    earlier: Mapping[int, Mapping[str, dict]] | None = None,
    predictions: Mapping[str, tuple[list, list]] | None = None,
    effects: list[dict] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of some arms.

    Args:
        arms: their runs, with the outcomes at the full budget.
        layers: by initializer, of each of its runs, from the first layer to the last.
        earlier: by shorter budget and initializer, what differs there in the outcomes of its runs.
        predictions: by initializer, of each of its runs: classes and probabilities, of one test example after another.
        effects: what differs from `EFFECT` in rows of `pretraining_effects`, or at equal time of `pretraining_time_effects`.
    """
    runs = pd.DataFrame([run for some in arms for run in some])
    runs["run_id"] = [f"{i:016x}" for i in range(len(runs))]
    rows = [
        LAYER | {"run_id": run["run_id"], "layer": i} | layer
        for _, run in runs.iterrows()
        for i, layer in enumerate((layers or {}).get(run["initializer"], [{}] * (run["depth"] + 1)), start=1)
    ]
    outcomes = [runs[["run_id", *OUTCOME]].assign(budget=FULL_BUDGET)]
    for budget, by_initializer in (earlier or {}).items():
        differing = [run[OUTCOME].to_dict() | by_initializer.get(run["initializer"], {}) for _, run in runs.iterrows()]
        outcomes.append(pd.DataFrame(differing).assign(run_id=runs["run_id"], budget=budget))
    outcomes = pd.concat(outcomes, ignore_index=True)
    made = {"runs": runs, "outcomes": outcomes, "layers": pd.DataFrame(rows)}
    of_budgets = []
    for budget in sorted(outcomes["budget"].unique()):
        at = at_budget(runs, outcomes, budget)
        chosen = tuning_table(at)
        of_budgets.append((chosen.assign(budget=budget), summarise(at, chosen).assign(budget=budget)))
    made["tuning"], made["summary"] = (pd.concat(frames, ignore_index=True) for frames in zip(*of_budgets, strict=True))
    predicted = [
        {"run_id": run["run_id"], "example": i, "prediction": prediction, "probability": probability}
        for _, run in runs.iterrows()
        for i, (prediction, probability) in enumerate(
            zip(*(predictions or {}).get(run["initializer"], ([], [])), strict=True)
        )
    ]
    made["predictions"] = pd.DataFrame(predicted, columns=["run_id", "example", "prediction", "probability"])
    all_effects = pd.DataFrame([EFFECT | effect for effect in effects or []], columns=list(EFFECT))
    is_time = all_effects["compared_at"] == "equal time"
    made["pretraining_effects"], made["pretraining_time_effects"] = all_effects[~is_time], all_effects[is_time]
    return made


def contrast(measure: str, supported_if: dict, refuted_if: dict, **parameters: object) -> dict:
    return {"measure": measure, "supported_if": supported_if, "refuted_if": refuted_if, **parameters}


def declared(folder: Path, *contrasts: dict, **more: object) -> list[Claim]:
    """Write a claim to a file and read it."""
    entry = {"id": "so", **TEXTS, "contrast": list(contrasts), **more}
    (folder / "claims.yaml").write_text(yaml.safe_dump([entry]))
    return read(folder.glob("*.yaml"))


SYMMETRIC = contrast("distinct_units", {"at_most": 1}, {"at_least": 2}, initializer=["zeros", "constant:0.1"])


def units(*counts: int, step: int = 50) -> list[dict]:
    """Return three hidden layers and an output layer with given numbers of distinct units."""
    return [{"stage": "training", "step": step, "distinct_units": n} for n in (*counts, 10)]


TRAINS = ({"at_least": 0.5}, {"at_most": 0.5})
GAINS = ({"at_least": 0.01}, {"at_most": 0.01})
MORE_OFTEN = ({"at_least": 0}, {"at_most": 0})


def gain(*ours: str, **more: object) -> dict:
    return contrast("accuracy_gain", *GAINS, initializer=list(ours), compared_with=["glorot_normal"], **more)


def trains(*initializers: str, **more: object) -> dict:
    return contrast("success", *TRAINS, initializer=list(initializers), **more)


def trains_more(ours: str, theirs: str, **more: object) -> dict:
    return contrast("success_difference", *MORE_OFTEN, initializer=[ours], compared_with=[theirs], **more)


FASTER = {"initializer": ["he_normal"], "compared_with": ["normal:0.01"]}
