"""Judge claims by a study's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from winit.analysis.claims.declaration import OUTCOMES, Claim, Contrast
from winit.analysis.claims.measures import MEASURES, PLAIN_CELL, Cell, Evidence, median
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


def _at_depth(cells: list[Evidence], depth: int | str) -> list[Evidence]:
    """Return the cells of all depths, the deepest of each, or those of networks at least so deep."""
    if depth == "all":
        return cells
    if isinstance(depth, int):
        return [one for one in cells if one.depth >= depth]

    def rest(one: Evidence) -> Cell:
        return tuple(value for name, value in zip(PLAIN_CELL, one.cell, strict=True) if name != "depth")

    deepest: dict[Cell, int] = {}
    for one in cells:
        deepest[rest(one)] = max(deepest.get(rest(one), 0), one.depth)
    return [one for one in cells if one.depth == deepest[rest(one)]]


def evidence(contrast: Contrast, tables: Tables) -> list[tuple[Evidence, str]]:
    """Return what each cell has measured for one contrast, and its outcome."""
    runs, parameters = judged(tables["runs"]), contrast.parameters
    if "dataset" in parameters:
        runs = runs[runs["dataset"].isin(parameters["dataset"])]
    if "activation" in parameters:
        runs = runs[runs["activation"].isin(parameters["activation"])]
    measured = MEASURES[contrast.measure].rows({**tables, "runs": runs}, parameters)
    return [(one, contrast.outcome(*one.number)) for one in _at_depth(measured, parameters.get("depth", "all"))]


def _sentence(contrast: Contrast, cells: Sequence[tuple[Evidence, str]]) -> str:
    """Say what the cells of one contrast have shown, with the numbers."""
    title, write = contrast.title[0].upper() + contrast.title[1:], MEASURES[contrast.measure].write
    if not cells:
        return f"{title}: no runs to tell."
    supporting, refuting, undecided = ([outcome for _, outcome in cells].count(each) for each in OUTCOMES)
    if len(cells) == 1:
        text = f"{title}: the only cell {'supports it' if supporting else 'refutes it' if refuting else 'is undecided'}"
    else:
        text = f"{title}: {supporting} of {len(cells)} cells support it, {refuting} refute it, {undecided} undecided"
    values = np.sort([one.number.mean for one, _ in cells if not math.isnan(one.number.mean)])
    if len(values) == 0:
        return f"{text}."
    if len(cells) == 1:
        _, low, high = cells[0][0].number
        return f"{text}; {write(values[0])}" + ("" if math.isnan(low) else f" (95 % interval {write(low, high)})") + "."
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
    ledger: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    for claim in claims:
        shown = [(contrast, evidence(contrast, tables)) for contrast in claim.contrast]
        outcomes = [outcome for _, cells in shown for _, outcome in cells]
        text = " ".join(_sentence(contrast, cells) for contrast, cells in shown)
        ledger.append(
            {name: getattr(claim, name) for name in ("statement", "source", "measured", "rule", "figure", "correction")}
            | {"claim": claim.id, "cells": len(outcomes), "verdict": verdict(outcomes)}
            | {"evidence": text if outcomes else "This study has none of the runs that it needs."}
            | {"supporting": outcomes.count("supports"), "refuting": outcomes.count("refutes")}
        )
        for contrast, cells in shown:
            names = {"claim": claim.id, "quantity": MEASURES[contrast.measure].quantity}
            rows += [names | one.row | {"outcome": outcome} for one, outcome in cells]
    return {"claims": _table(ledger, "claims"), "claims_evidence": _table(rows, "claims_evidence")}


def _table(rows: list[dict[str, object]], name: str) -> pd.DataFrame:
    columns = TABLES[name]
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: column.type for name, column in columns.items()})
