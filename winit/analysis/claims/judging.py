"""Judge claims by the tables of a study.

1. *Cells.* The more cells a contrast has, the more of them would decide by chance. If r of m cells decide, each is judged by
   its interval at the level 1 − 0.05 r/m, with the largest possible r. At most 5 % of the cells that decide are then expected
   to be wrong, and if no cell should decide, the probability that any does is at most 5 %. (Controlling the probability of
   *any* wrong cell would need more than ten replicates per cell from 26 cells on, even if all replicates agree.) A cell
   with fewer than five replicates or without a value is not evidence and is not counted. This includes cells in which
   nothing trains on either side.
2. *Contrasts.* A contrast is supported if more than half of its cells with evidence support it, and refuted if more than half
   refute it. It is mixed if at least a tenth support it and at least a tenth refute it, so that a single cell among forty does
   not decide. Otherwise it is undecided.
3. *Claims.* A claim asserts all its contrasts. It is refuted if one is refuted, and supported if all are supported.

Source: Benjamini & Hochberg 1995, J. R. Statist. Soc. B 57; of the intervals Benjamini & Yekutieli 2005, JASA 100.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from winit.analysis.claims.declaration import Claim, Contrast
from winit.analysis.claims.estimates import median
from winit.analysis.claims.evidence import FEWEST_REPLICATES, Evidence, Parameters
from winit.analysis.claims.measures import MEASURES
from winit.analysis.select import Tables, at_budget, at_chosen_rate, of_budget
from winit.store.schema import TABLES

ERROR = 0.05  # largest expected share of wrong cells among those that decide
MIXED_SHARE = 0.1  # smallest share of cells on either side
WORDS = (
    "refuted",
    "mixed",
    "not tested here",
    "undecided",
)  # verdicts on contrasts; the first one that occurs is the verdict on the claim


class CellOutcome(NamedTuple):
    """The evidence of one cell, and its outcome for a contrast.

    Attributes:
        evidence: the value.
        budget: at which it was measured; None for measures of layers.
        outcome: one of `OUTCOMES`.
        level: of the interval by which it was judged; NaN without evidence, as are its ends.
        low, high: the ends.
    """

    evidence: Evidence
    budget: int | None
    outcome: str = "no evidence"
    level: float = np.nan
    low: float = np.nan
    high: float = np.nan

    @property
    def row(self) -> dict[str, object]:
        """Its columns in the table `claims_evidence`."""
        interval = {"level": self.level, "low": self.low, "high": self.high}
        return self.evidence.row | interval | {"budget": self.budget, "outcome": self.outcome}


def decide(contrast: Contrast, cells: Sequence[CellOutcome]) -> list[CellOutcome]:
    """Return the outcomes of the cells of a contrast, adjusted for their number."""
    number = sum(not cell.evidence.is_silent for cell in cells)
    deciding = number
    while True:
        # At a stricter level, no more cells decide. The number that still decide is the next candidate for r.
        told = [_at_level(contrast, cell, 1 - ERROR * max(deciding, 1) / max(number, 1)) for cell in cells]
        still = sum(cell.outcome in ("supports", "refutes") for cell in told)
        if still >= deciding:
            return told
        deciding = still


def _at_level(contrast: Contrast, cell: CellOutcome, level: float) -> CellOutcome:
    """Return the outcome of a cell by its interval at a level."""
    if cell.evidence.is_silent:
        return cell
    low, high = cell.evidence.estimate.at(level)
    return cell._replace(outcome=contrast.outcome(low, high), level=level, low=low, high=high)


def verdict(outcomes: Sequence[str]) -> str:
    """Return the verdict on a contrast, given the outcomes of its cells."""
    if not outcomes:
        return "not tested here"
    supporting, refuting, undecided = (outcomes.count(word) for word in ("supports", "refutes", "undecided"))
    cells = supporting + refuting + undecided
    if cells and min(supporting, refuting) >= MIXED_SHARE * cells and min(supporting, refuting):
        return "mixed"
    if 2 * supporting > cells:
        return "supported"
    return "refuted" if 2 * refuting > cells else "undecided"


def combined(verdicts: Sequence[str]) -> str:
    """Return the verdict on a claim, given the verdicts on all its contrasts."""
    return next((word for word in WORDS if word in verdicts), "supported")


def _at_depth(cells: Sequence[Evidence], depth: str | int | tuple[int, ...]) -> list[Evidence]:
    """Return the cells of all depths, of at least the given depth, or of the listed depths."""
    if isinstance(depth, str):
        return list(cells)
    return [cell for cell in cells if (cell.depth >= depth if isinstance(depth, int) else cell.depth in depth)]


def _narrowed(frame: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    """Return the rows of a table with the datasets and activations that a contrast names."""
    for key in ("dataset", "activation"):
        if key in parameters and key in frame:
            frame = frame[frame[key].isin(parameters[key])]
    return frame


def _by_budget(tables: Tables) -> dict[int, Tables]:
    """Return the tables at each budget, with the outcomes of judged and tuning runs at that budget.

    `chosen` has the judged runs at the chosen rates, scored.
    """
    at: dict[int, Tables] = {}
    for budget in sorted(tables["outcomes"]["budget"].unique().tolist()):
        there = {name: of_budget(frame, budget) if "budget" in frame else frame for name, frame in tables.items()}
        runs = at_budget(tables["runs"], tables["outcomes"], budget)
        at[budget] = there | {"runs": runs, "chosen": at_chosen_rate(runs, there["summary"])}
    return at


def evidence(contrast: Contrast, at: Mapping[int, Tables]) -> list[CellOutcome]:
    """Return the outcomes of all cells for one contrast.

    Args:
        contrast: the contrast.
        at: the study's tables at each of its budgets, ascending.
    """
    budgets = {"first": [*at][:1], "all": [*at]}.get(contrast.budget, [*at][-1:])
    parameters = contrast.parameters
    cells = []
    for budget in budgets:
        tables = {name: _narrowed(frame, parameters) for name, frame in at[budget].items()}
        measured = MEASURES[contrast.measure].rows(tables, parameters)
        shown = _at_depth(measured, parameters.get("depth", "all"))
        cells += [CellOutcome(cell, budget if contrast.budget else None) for cell in shown]
    return decide(contrast, cells)


def _after(cells: Sequence[CellOutcome]) -> str:
    """Return the budgets of some cells as text; empty for measures of layers."""
    *others, last = [f"{budget:,}" for budget in sorted({c.budget for c in cells if c.budget is not None})] or [""]
    together = f"{', '.join(others)} and {last}" if others else last
    return f"{together} updates" if together else ""


def _counts(cells: Sequence[CellOutcome]) -> str:
    """Return the numbers of cells by outcome as text."""
    outcomes = [cell.outcome for cell in cells]
    if len(cells) == 1:
        said = {"supports": "supports it", "refutes": "refutes it", "undecided": "is undecided"}
        return f"the only cell {said.get(outcomes[0], 'is not evidence')}"
    supporting, refuting, undecided, silent = map(outcomes.count, ("supports", "refutes", "undecided", "no evidence"))
    if silent == len(cells):
        return f"none of the {silent} cells is evidence"
    text = f"{supporting} of {len(cells) - silent} cells support it, {refuting} refute it, {undecided} undecided"
    return text + (f" ({silent} more without evidence)" if silent else "")


def _sentence(contrast: Contrast, cells: Sequence[CellOutcome]) -> str:
    """Return the result of one contrast as a sentence with numbers."""
    title, write = contrast.title[0].upper() + contrast.title[1:], MEASURES[contrast.measure].write
    if not cells:
        return f"{title}: no runs."
    after = _after(cells)
    text = f"{title}{f', after {after}' if after else ''}: {_counts(cells)}"
    telling = [cell for cell in cells if cell.outcome != "no evidence"]
    if not telling:
        most = max(cell.evidence.replicates for cell in cells)
        few = f"at most {most} replicates count, and at least {FEWEST_REPLICATES} are needed"
        return f"{text}: {few if most < FEWEST_REPLICATES else 'nothing trains on either side'}."
    values = np.sort([cell.evidence.estimate.value for cell in telling])
    if len(cells) == 1:
        return (
            f"{text}; {write(values[0])} ({100 * cells[0].level:.4g} % interval {write(cells[0].low, cells[0].high)})."
        )
    return f"{text}; median {write(median(values))}, from {write(values[0], values[-1])}."


@dataclass(frozen=True)
class _Judgement:
    """A claim with the outcomes of all cells of its contrasts."""

    claim: Claim
    contrasts: list[tuple[Contrast, list[CellOutcome]]]

    @property
    def ledger_row(self) -> dict[str, object]:
        """Its row in the table `claims`."""
        claim, cells = self.claim, [cell for _, cells in self.contrasts for cell in cells]
        outcomes = [cell.outcome for cell in cells]
        texts = {
            name: getattr(claim, name) for name in ("statement", "source", "measured", "rule", "figure", "correction")
        }
        sentences = " ".join(_sentence(contrast, cells) for contrast, cells in self.contrasts)
        counts = {"supporting": "supports", "refuting": "refutes", "without_evidence": "no evidence"}
        return (
            texts
            | {name: outcomes.count(word) for name, word in counts.items()}
            | {"claim": claim.id, "budget": _after(cells), "cells": len(cells)}
            | {"verdict": combined([verdict([cell.outcome for cell in cells]) for _, cells in self.contrasts])}
            | {"evidence": sentences if cells else "This study has no runs for it."}
        )

    @property
    def evidence_rows(self) -> Iterator[dict[str, object]]:
        """Its rows in the table `claims_evidence`."""
        for contrast, cells in self.contrasts:
            for cell in cells:
                quantity = cell.evidence.quantity or MEASURES[contrast.measure].quantity
                yield cell.row | {"claim": self.claim.id, "quantity": quantity}


def judge(claims: Sequence[Claim], tables: Tables, is_reconstruction: bool = False) -> dict[str, pd.DataFrame]:
    """Return the tables `claims` and `claims_evidence`: the verdict on each claim, and the outcomes of its cells.

    Args:
        claims: as `read` returns them.
        tables: the study's `runs`, `outcomes`, `predictions`, `layers`, `tuning`, `summary`, `pretraining_effects` and
            `pretraining_time_effects`, of all budgets and with extra grids.
        is_reconstruction: whether the study trains deep autoencoders, for which no claim is tested.
    """
    if is_reconstruction:
        emptied = ("runs", "pretraining_effects", "pretraining_time_effects")
        tables = dict(tables) | {name: tables[name].head(0) for name in emptied}
    at = _by_budget(tables)
    judgements = [_Judgement(claim, [(one, evidence(one, at)) for one in claim.contrast]) for claim in claims]
    rows = [row for judgement in judgements for row in judgement.evidence_rows]
    return {
        "claims": _table([judgement.ledger_row for judgement in judgements], "claims"),
        "claims_evidence": _table(rows, "claims_evidence"),
    }


def _table(rows: list[dict[str, object]], name: str) -> pd.DataFrame:
    columns = TABLES[name]
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: column.type for name, column in columns.items()})
