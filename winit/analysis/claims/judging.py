"""Judge claims by a study's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from winit.analysis.claims.declaration import OUTCOMES, Claim, Contrast
from winit.analysis.claims.measures import MEASURES, PLAIN_CELL, Row, median
from winit.analysis.select import Tables, judged
from winit.store.schema import TABLES


def verdict(outcomes: Sequence[str]) -> str:
    """Return the verdict on a claim, given what each of its cells says."""
    if not outcomes:
        return "not tested here"
    supporting, refuting = outcomes.count("supports"), outcomes.count("refutes")
    if supporting and refuting:
        return "mixed"
    if 2 * supporting > len(outcomes):
        return "supported"
    return "refuted" if 2 * refuting > len(outcomes) else "undecided"


def _at_depth(rows: list[Row], depth: object) -> list[Row]:
    """Return the rows of all depths, of each cell's deepest networks, or of networks at least so deep."""
    if depth == "all":
        return rows
    if depth != "deepest":
        return [row for row in rows if row["depth"] >= depth]
    rest = [name for name in PLAIN_CELL if name != "depth"]
    deepest: dict[tuple, int] = {}
    for row in rows:
        key = tuple(row[name] for name in rest)
        deepest[key] = max(deepest.get(key, 0), row["depth"])
    return [row for row in rows if row["depth"] == deepest[tuple(row[name] for name in rest)]]


def evidence(contrast: Contrast, tables: Tables) -> list[Row]:
    """Return what each cell says of one contrast."""
    runs, parameters = judged(tables["runs"]), contrast.parameters
    for name in ("dataset", "activation"):
        if name in parameters:
            runs = runs[runs[name].isin(parameters[name])]
    measure = MEASURES[contrast.measure]
    rows = _at_depth(measure.rows(dict(tables) | {"runs": runs}, parameters), parameters.get("depth", "all"))
    for row in rows:
        row["value"] = row.pop("mean")
        row["quantity"] = measure.quantity
        row["outcome"] = contrast.outcome(row["value"], row["low"], row["high"])
    return rows


def _sentence(contrast: Contrast, rows: list[Row]) -> str:
    """Say what the cells of one contrast found, with the numbers."""
    title, write = contrast.title[0].upper() + contrast.title[1:], MEASURES[contrast.measure].write
    if not rows:
        return f"{title}: no runs to tell."
    supporting, refuting, undecided = ([r["outcome"] for r in rows].count(outcome) for outcome in OUTCOMES)
    if len(rows) == 1:
        text = f"{title}: the only cell {'supports it' if supporting else 'refutes it' if refuting else 'is undecided'}"
    else:
        text = f"{title}: {supporting} of {len(rows)} cells support it, {refuting} refute it, {undecided} undecided"
    values = np.sort([row["value"] for row in rows if not math.isnan(row["value"])])
    if len(values) == 0:
        return f"{text}."
    if len(rows) == 1:
        ends = rows[0]["low"], rows[0]["high"]
        return f"{text}; {write(values[0])}" + ("" if math.isnan(ends[0]) else f" (95 % interval {write(*ends)})") + "."
    return f"{text}; median {write(median(values))}, from {write(values[0], values[-1])}."


def judge(claims: Sequence[Claim], tables: Tables, is_reconstruction: bool = False) -> dict[str, pd.DataFrame]:
    """Return the tables `claims` and `claims_evidence`: what a study's tables say to each claim, and the cells that say it.

    Args:
        claims: as `read` returns them.
        tables: the study's `runs`, `summary` and `layers`, with extra grids.
        is_reconstruction: whether it trains deep autoencoders. They test nothing: the claims are of classifiers.
    """
    if is_reconstruction:
        tables = dict(tables) | {"runs": tables["runs"].head(0)}
    ledger, cells = [], []
    for claim in claims:
        parts = [(contrast, evidence(contrast, tables)) for contrast in claim.contrast]
        rows = [{"claim": claim.id} | row for _, part in parts for row in part]
        outcomes = [row["outcome"] for row in rows]
        text = (
            " ".join(_sentence(*part) for part in parts) if rows else "This study has none of the runs that it needs."
        )
        ledger.append(
            {name: getattr(claim, name) for name in ("statement", "source", "measured", "rule", "figure", "correction")}
            | {"claim": claim.id, "cells": len(rows), "verdict": verdict(outcomes), "evidence": text}
            | {"supporting": outcomes.count("supports"), "refuting": outcomes.count("refutes")}
        )
        cells += rows
    return {"claims": _table(ledger, "claims"), "claims_evidence": _table(cells, "claims_evidence")}


def _table(rows: list[Row], name: str) -> pd.DataFrame:
    columns = TABLES[name]
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: column.type for name, column in columns.items()})
