"""Rows of the page's tables."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from winit import datasets, schemes
from winit.analysis.decisions import UNDECIDED
from winit.analysis.select import CELL, SETTING, Tables, before_training, chosen_rates, of_budget, one_rate
from winit.report.wording import PRETRAINED_SETTING, setting_name
from winit.study.model import Study
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import STATUSES
from winit.vocabulary.pretraining import pretrainings_in_order

Row = dict[str, Any]  # a row of a table of the page, as its template needs it


MEMBERSHIPS = ("works", "worse", "fails", UNDECIDED)


def recommendation(cell_sets: pd.DataFrame) -> list[tuple[int, list[Row], list[str]]]:
    """Return the sets of initializers of every cell, in the catalogue's order, for every budget, the full budget first.

    Also return the reasons other than success for which initializers are undecided.

    Args:
        cell_sets: the table.
    """
    order = list(ACTIVATIONS)
    ordered = cell_sets.sort_values(
        [*SETTING, "activation", "depth"],
        key=lambda column: column.map(order.index) if column.name == "activation" else column,
        kind="stable",
    )
    found = []
    for budget, rows in sorted(ordered.groupby("budget"), reverse=True, key=lambda pair: pair[0]):
        cells = []
        for _, of_cell in rows.groupby([*SETTING, "activation", "depth"], sort=False):
            first = of_cell.iloc[0]
            cell = {"setting": setting_name(rows, *first[SETTING]), **first[["activation", "depth"]]}
            for name in MEMBERSHIPS:
                cell[name] = of_cell[of_cell["membership"] == name].to_dict("records")
            cell["reference"] = of_cell.loc[of_cell["is_reference"], "initializer"].iloc[0]
            cells.append(cell)
        undecided = rows.loc[(rows["membership"] == UNDECIDED) & (rows["reason"] != "success"), "reason"]
        found.append((int(budget), cells, list(undecided.unique())))
    return found


def targets(study: Study, tables: Tables) -> list[Row]:
    """Return the target of every classification dataset, with the scores of random guessing and of a linear model."""
    linear = tables["baselines"].query("baseline == 'linear model'").set_index("dataset")["test_score"]
    chance = tables["all_runs"].groupby("dataset")["chance"].first()
    return [
        {"dataset": name, "target": given.target_accuracy, "linear": linear[name], "chance": chance[name]}
        for name, given in study.datasets.items()
        if name in linear
    ]


FARTHEST = 10  # number of comparisons with the theory that are shown even if all agree


def departures(agreement: pd.DataFrame) -> list[Row]:
    """Return the comparisons with the theory that disagree, and the others that come closest to it, in order of distance.

    `share` is the deviation relative to the largest one that still agrees, on a log scale.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        departure = np.log(agreement["measured"] / agreement["predicted"])
        edge = np.where(departure > 0, agreement["high"], agreement["low"]) / agreement["predicted"]
        share = (departure / np.log(edge)).fillna(0.0)
    ranked = agreement.assign(share=share).sort_values("share", ascending=False, kind="stable")
    ranked = ranked[~ranked["agrees"] | (np.arange(len(ranked)) < FARTHEST)]
    rows = ranked.to_dict("records")
    for row in rows:
        if row["agrees"]:
            with np.errstate(over="ignore"):
                factor = f"{np.exp(row['spread']):.2g}".replace("inf", "∞")
            row["reason"] = f"within the spread of this width: single networks vary by a factor of {factor}"
    return rows


def ratio_range(agreement: pd.DataFrame) -> tuple[float, float, float] | None:
    """Return the 5th, 50th and 95th percentile of measured/predicted; None if there is nothing to compare."""
    ratio = (agreement["measured"] / agreement["predicted"]).dropna()
    return tuple(ratio.quantile([0.05, 0.5, 0.95])) if len(ratio) else None


def initial(tables: Tables) -> list[Row]:
    """Return statistics of the deepest untrained networks, by setting, activation and initializer.

    Initial weights do not depend on the learning rate, so one row of the summary represents all rates of an arm. The
    predicted spread is missing where the theory does not apply.
    """
    runs, summary = tables["runs"], tables["summary"]
    keys = [*PRETRAINED_SETTING, "activation", "depth", "initializer"]
    chosen = one_rate(runs[runs["depth"] == runs["depth"].max()])
    layers = before_training(tables["layers"], chosen, keys)
    last = (
        layers[layers["layer"] == layers["depth"]]
        .groupby(keys)[["correlation", "activation_rank", "weight_rank"]]
        .mean()
    )
    jacobians = before_training(tables["jacobians"], chosen, keys).groupby(keys)
    values = jacobians[["lower_quartile", "median", "upper_quartile", "mean"]].median()
    theory = tables["theory"].set_index(["dataset", "activation", "depth", "width", "initializer", "layer"])["z_spread"]
    rows = []
    for _, row in summary.drop_duplicates(keys).merge(chosen[keys].drop_duplicates()).iterrows():
        key = tuple(row[keys])
        predicted = *(row[name] for name in ("dataset", "activation", "depth", "width", "initializer")), row["depth"]
        facts = {name: last.at[key, name] if key in last.index else float("nan") for name in last.columns}
        facts |= {f"jacobian_{name}": values.at[key, name] if key in values.index else float("nan") for name in values}
        facts |= {
            "setting": setting_name(summary, *(row[name] for name in PRETRAINED_SETTING)),
            "activation": row["activation"],
            "initializer": row["initializer"],
            "loss": row["initial_loss"] / np.log(datasets.DATASETS[row["dataset"]].classes),
            "spread": row["log_length_spread"],
            "expected_spread": theory.get(predicted, float("nan")) if not row["batch_norm"] else float("nan"),
        }
        rows.append(facts)
    activations = list(ACTIVATIONS)
    order = {name: i for i, name in enumerate(schemes.in_order(summary["initializer"]))}
    return sorted(rows, key=lambda r: (r["setting"], activations.index(r["activation"]), order[r["initializer"]]))


EFFECTS = (  # the columns of the page's table of pretraining
    ("equal training", "same start"),
    ("equal updates", "same start"),
    ("equal updates", "best random start"),
    ("equal time", "best random start"),
    ("equal updates", "moments"),
    ("equal updates", "shuffled"),
)


def effects(tables: Tables) -> list[Row]:
    """Return the rows of the page's table of pretraining: every method with its comparisons, in the order of `EFFECTS`."""
    table = pd.concat([tables["pretraining_effects"], tables["pretraining_time_effects"]])
    methods = table[~table["pretraining"].str.contains("+", regex=False)]
    factors = [*CELL, "budget", "initializer", "pretraining"]
    rows = []
    for key, cells in methods.groupby(factors, sort=False):
        facts = dict(zip(factors, key, strict=True))
        of = {(cell["compared_at"], cell["compared_with"]): cell for cell in cells.to_dict("records")}
        setting = setting_name(table, **{f: facts[f] for f in SETTING})
        rows.append(facts | {"setting": setting, "cells": [of.get(name) for name in EFFECTS]})
    activations = list(ACTIVATIONS)
    return sorted(rows, key=lambda r: (r["setting"], activations.index(r["activation"]), r["depth"], r["budget"]))


def reconstructions(summary: pd.DataFrame) -> list[Row]:
    """Return the arms of a study of deep autoencoders, best first, by setting."""
    best = chosen_rates(summary).sort_values([*SETTING, "test_loss"])
    return [row | {"setting": setting_name(best, **{f: row[f] for f in SETTING})} for row in best.to_dict("records")]


def rankings(ranking: pd.DataFrame) -> list[tuple[int, str, float, list[tuple[str, list[Row]]]]]:
    """Return the page's tables of the ranking, the full budget first: budget, view, its rate, and the rows by activation."""
    found = []
    for budget in sorted(ranking["budget"].unique(), reverse=True):
        for view, rows in of_budget(ranking, budget).groupby("view", sort=False):
            parts = [(name, of.to_dict("records")) for name, of in rows.groupby("activation", sort=False)]
            found.append((int(budget), view, rows["rate"].iloc[0], parts))
    return found


def outcomes(runs: pd.DataFrame) -> list[Row]:
    """Return how the runs of each initializer ended, over all learning rates, and the median step and layer of divergence."""
    rows = []
    for name in schemes.in_order(runs["initializer"]):
        of_scheme = runs[runs["initializer"] == name]
        lost = of_scheme[of_scheme["status"] == "diverged"]
        row: Row = {"label": schemes.label(name), "runs": len(of_scheme)}
        row |= {status: int((of_scheme["status"] == status).sum()) for status in STATUSES}
        row["where"] = (
            "" if lost.empty else f"{lost['diverged_step'].median():.0f} / {lost['diverged_layer'].median():.0f}"
        )
        rows.append(row)
    return rows


SHOWN_ARMS = 2_000  # rows of the page's table of runs
SHOWN_FAILURES = 200


def _ordered(frame: pd.DataFrame, leading: list[str]) -> pd.DataFrame:
    """Return a frame of arms sorted by these columns, then in the catalogue's order, with the name of each setting."""
    settings = frame[SETTING].drop_duplicates()
    names = {
        tuple(key): setting_name(frame, **dict(zip(SETTING, key, strict=True)))
        for key in settings.itertuples(index=False)
    }
    names = {
        key: re.sub(", no (normalization|dropout)", "", name) for key, name in names.items()
    }  # to keep rows narrow
    frame = frame.assign(setting=[names[key] for key in frame[SETTING].itertuples(index=False, name=None)])
    orders = {
        "activation": list(ACTIVATIONS),
        "initializer": schemes.in_order(frame["initializer"]),
        "pretraining": pretrainings_in_order(frame["pretraining"]),
        "status": list(STATUSES),
    }
    ranks = {column: {name: i for i, name in enumerate(order)} for column, order in orders.items()}
    return frame.sort_values(
        [*leading, *SETTING, "activation", "depth", "initializer", "pretraining"],
        key=lambda column: column.map(ranks[column.name]) if column.name in ranks else column,
        kind="stable",
    )


def arms(summary: pd.DataFrame) -> list[Row]:
    """Return the rows of the page's table of runs: every arm at its chosen learning rate, in the catalogue's order."""
    return _ordered(chosen_rates(summary), []).head(SHOWN_ARMS).to_dict("records")


def failures(runs: pd.DataFrame) -> tuple[list[Row], int]:
    """Return the arms with runs that diverged or got stuck, over all learning rates, and the number of such rows.

    Args:
        runs: the table.

    Returns:
        The rows of at most `SHOWN_FAILURES` arms and statuses, most runs first, and the number of all rows.
    """
    keys = [*SETTING, "activation", "depth", "initializer", "pretraining"]
    lost = runs[runs["status"].isin(["diverged", "stuck"])]
    if lost.empty:
        return [], 0
    rows = lost.groupby(["status", *keys], as_index=False).agg(
        lost=("run_id", "size"), lowest_rate=("learning_rate", "min"), highest_rate=("learning_rate", "max"),
        step=("diverged_step", "median"), layer=("diverged_layer", "median"),
    )  # fmt: skip
    rows = rows.merge(runs.groupby(keys, as_index=False).agg(runs=("run_id", "size")))
    rows[["step", "layer"]] = rows[["step", "layer"]].astype("float64")
    rows["order"] = -rows["lost"]
    return _ordered(rows, ["status", "order"]).head(SHOWN_FAILURES).to_dict("records"), len(rows)


def facets(rows: list[Row]) -> list[str]:
    """Return the factors in which rows of the table of runs differ."""
    names = ["setting", "activation", "depth", "initializer", "pretraining"]
    return [name for name in names if len({row[name] for row in rows}) > 1]
