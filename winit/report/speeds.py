"""Which arms train within which budget, and which do not train at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from winit import schemes
from winit.analysis import stats
from winit.analysis.select import ARM, CELL, SETTING, chosen_rates
from winit.report.wording import scope_name
from winit.theory.activations import ACTIVATIONS

FAST, SLOWER, LOST, FAILS = "trains soonest", "slower", "lost", "does not train"


@dataclass(frozen=True)
class Speed:
    """By which budget an arm trains: at least half of its judged runs are at the target.

    Attributes:
        kind: `FAST`, `SLOWER`, `LOST` or `FAILS`.
        text: the kind with its budget, for the page.
        ok: number of runs at the target at the end of the full budget.
        runs: judged runs.
    """

    kind: str
    text: str
    ok: int
    runs: int


@dataclass(frozen=True)
class SpeedTable:
    """The arms of a setting: one row for each activation and initializer, with a `Speed` or None for each depth."""

    setting: str
    depths: list[int]
    rows: list[tuple[str, str, list[Speed | None]]]


def kind_of(trains: Mapping[int, bool]) -> tuple[str, str]:
    """Return the kind of an arm and its text.

    Args:
        trains: for each budget, ascending, whether at least half of the runs are at the target at its end.
    """
    budgets = list(trains)
    first, last = budgets[0], budgets[-1]
    soonest = next((budget for budget in budgets if trains[budget]), None)
    if soonest is None:
        return FAILS, f"not within {last:,}"
    if not trains[last]:
        return LOST, f"by {soonest:,}, lost by {last:,}"
    return (FAST, f"by {first:,}") if soonest == first else (SLOWER, f"by {soonest:,} (slower)")


def speeds(summaries: pd.DataFrame) -> dict[tuple[object, ...], Speed]:
    """Return the speed of every arm at its chosen rates, by `CELL` and `ARM`.

    Args:
        summaries: the summary at every budget.
    """
    chosen = chosen_rates(summaries).sort_values("budget", kind="stable")
    found = {}
    for key, rows in chosen.groupby([*CELL, *ARM], sort=False):
        by_budget = dict(zip(rows["budget"], rows["success_rate"] >= stats.TRAINED_SHARE, strict=True))
        last = rows.iloc[-1]
        found[key] = Speed(*kind_of(by_budget), int(last["ok"]), int(last["runs"]))
    return found


def speed_tables(summaries: pd.DataFrame) -> list[SpeedTable]:
    """Return the arms without pretraining of every setting, without the points of a phase diagram.

    Args:
        summaries: of all grids, at every budget, in the order of settings.
    """
    plain = summaries[summaries["pretraining"] == "none"]
    plain = plain[~plain["initializer"].isin(list(schemes.diagram_points(plain["initializer"].unique())))]
    found = speeds(plain)
    tables = []
    for setting, rows in plain.groupby(SETTING, sort=False):
        depths = sorted(rows["depth"].unique())
        pairs = rows[["activation", "initializer"]].drop_duplicates()
        names, activations = schemes.in_order(pairs["initializer"]), list(ACTIVATIONS)
        ordered = sorted(
            pairs.itertuples(index=False, name=None), key=lambda p: (activations.index(p[0]), names.index(p[1]))
        )
        factors = dict(zip(SETTING, setting, strict=True))

        def at(activation: str, initializer: str, depth: int, factors: dict[str, object] = factors) -> Speed | None:
            cell = factors | {"activation": activation, "depth": depth}
            return found.get((*(cell[name] for name in CELL), initializer, "none"))

        table = [(a, i, [at(a, i, depth) for depth in depths]) for a, i in ordered]
        tables.append(SpeedTable(scope_name(**factors), depths, table))
    return tables
