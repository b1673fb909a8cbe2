"""What a second run of a study with another seed says otherwise: verdicts, sets, accuracies and chosen rates.

    python -m benchmarks.stability [results/default results/default_seed1]

Reads the tables of two runs of one study that differ in their seed alone, prints how far they agree, and writes
`docs/stability.csv` and `docs/stability.md`. `make stability` trains the second run first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from winit.analysis.cell_sets import is_two_faced
from winit.analysis.select import ARM, CELL, chosen_rates
from winit.store import files

ROOT = Path(__file__).parents[1]
CSV, PAGE = ROOT / "docs" / "stability.csv", ROOT / "docs" / "stability.md"
TABLES = ("ranking", "claims", "claims_evidence", "cell_sets", "summary", "tuning")
ALL = "all"  # in the place of a budget: all of them together
COLUMNS = ["study", "what", "budget", "compared", "value"]

# What cannot both be true.
OPPOSITES = {
    "ranking": ("better", "worse"),
    "claims": ("supported", "refuted"),
    "claims_evidence": ("supports", "refutes"),
    "cell_sets": ("works", "fails"),
}
VERDICT = {"ranking": "verdict", "claims": "verdict", "claims_evidence": "outcome", "cell_sets": "membership"}
NAMES = {
    "ranking": "ranking: verdicts",
    "claims": "claims: verdicts",
    "claims_evidence": "cells of claims: outcomes",
    "cell_sets": "cells and initializers: sets",
}
KEYS = {
    "ranking": ["budget", "view", "activation", "initializer"],
    "claims": ["claim"],
    # The initializer may be the best on the tuning replicates, so another one with another seed. The place tells rows apart.
    "claims_evidence": [
        "claim", "quantity", "budget", "dataset", "activation", "depth", "width", "optimizer", "pretraining", "place",
    ],
    "cell_sets": ["budget", *CELL, "initializer"],
}  # fmt: skip


class Aim(NamedTuple):
    """What a share must reach: at least `least`, at most `most`."""

    least: float = 0.0
    most: float = 1.0

    def is_met(self, share: float) -> bool:
        """Return whether a share is as wanted; one of nothing is."""
        return bool(np.isnan(share) or self.least <= share <= self.most)

    def __str__(self) -> str:
        if self.least > 0:
            return f"at least {100 * self.least:g} %"
        return "–" if self.most == 1 else f"at most {100 * self.most:g} %" if self.most else "none"


MOST, NONE, REPORTED = Aim(least=0.95), Aim(most=0.0), Aim()
AGREE, CONTRADICT = "agree", "contradict"
MOVES = {0.01: REPORTED, 0.03: Aim(most=0.05), 0.10: REPORTED}  # differences in accuracy, in how many arms at most
ONE_FACED = "not marked as two-faced"
RATES = "chosen rates: within one notch"


def _moved(points: float, of: str = "") -> str:
    return f"accuracies: move by more than {100 * points:g} {'point' if points == 0.01 else 'points'}{of}"


AIMS: dict[str, Aim] = {
    **{
        f"{name} that {word}": aim
        for table, name in NAMES.items()
        for word, aim in (
            (AGREE, MOST if table != "claims_evidence" else REPORTED),
            (CONTRADICT, {"cell_sets": Aim(most=0.005), "claims_evidence": REPORTED}.get(table, NONE)),
        )
    },
    **{_moved(points): aim for points, aim in MOVES.items()},
    **{_moved(points, f", {ONE_FACED}"): NONE if points == 0.10 else REPORTED for points in MOVES},
    RATES: MOST,
}


def keyed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table that are compared, with the columns that tell them apart.

    Args:
        name: of the table.
        frame: its rows. The baseline of a ranking has no verdict; a number of layers has the budget 0.
    """
    if name == "ranking":
        return frame[frame["verdict"] != "baseline"]
    if name == "claims_evidence":
        known = frame.assign(budget=frame["budget"].fillna(0).astype(int))
        return known.assign(place=known.groupby(KEYS[name][:-1]).cumcount())
    return frame


def verdicts(name: str, first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return, for each row that both sides have, whether their verdicts agree and whether they contradict each other.

    Args:
        name: of the table.
        first, second: the table of each side.
    """
    key, column = KEYS[name], VERDICT[name]
    both = keyed(name, first).merge(keyed(name, second), on=key, suffixes=("", "_second"), validate="one_to_one")
    words, others = both[column], both[f"{column}_second"]
    is_opposite = words.isin(OPPOSITES[name]) & others.isin(OPPOSITES[name]) & (words != others)
    return both[[k for k in key if k == "budget"]].assign(**{AGREE: words == others, CONTRADICT: is_opposite})


def movements(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return, for each budget and arm, how far its accuracy moves and whether it is two-faced on either side.

    Args:
        first, second: `summary` of each side.
    """
    key = ["budget", *CELL, *ARM]
    sides = []
    for summary in (first, second):
        best = chosen_rates(summary)
        learned = best[["ok", "lost_target", "missed_target"]].sum(axis=1)
        marks = is_two_faced(best["ok"], learned, best["runs"])
        sides.append(best[[*key, "test_score"]].assign(is_two_faced=marks))
    both = sides[0].merge(sides[1], on=key, suffixes=("", "_second"), validate="one_to_one")
    return pd.DataFrame({
        "budget": both["budget"],
        "moved": (both["test_score"] - both["test_score_second"]).abs(),
        "is_two_faced": both["is_two_faced"] | both["is_two_faced_second"],
    })  # fmt: skip


def notches(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return, for each budget and arm that has rates to choose from, how many notches its chosen rates lie apart.

    A notch is the step from a rate to its neighbour among all that either side tried for the arm. Of learning rates and
    pretraining's own rates, the one that is farther apart counts.

    Args:
        first, second: `tuning` of each side.
    """
    key, sides = ["budget", *CELL, *ARM], (first, second)
    tried = pd.concat(sides)
    distances, choices = [], []
    for rate in ("pretraining_rate", "learning_rate"):
        rank = tried.groupby(key)[rate].rank(method="dense").to_numpy()
        placed = tried.assign(rank=rank, side=np.repeat([0, 1], [len(first), len(second)]))
        chosen = placed[placed["is_chosen"]].pivot(index=key, columns="side", values="rank")
        distances.append((chosen[0] - chosen[1]).abs())
        choices.append(placed.groupby(key)[rate].nunique())
    apart = pd.concat(distances, axis=1).max(axis=1, skipna=False)
    is_choice = (pd.concat(choices, axis=1) > 1).any(axis=1)
    return apart[is_choice.reindex(apart.index)].dropna().rename("notches").reset_index()[["budget", "notches"]]


def shares(first: Mapping[str, pd.DataFrame], second: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what is compared, by name, with `budget` where it has one and `holds`, one row for each thing compared.

    Args:
        first, second: the tables of each side, by name.
    """
    for name, title in NAMES.items():
        compared = verdicts(name, first[name], second[name])
        for word in (AGREE, CONTRADICT):
            yield f"{title} that {word}", compared.assign(holds=compared[word])
    moved = movements(first["summary"], second["summary"])
    for points in MOVES:
        yield _moved(points), moved.assign(holds=moved["moved"] > points + 1e-9)
    one_faced = moved[~moved["is_two_faced"]]
    for points in MOVES:
        yield _moved(points, f", {ONE_FACED}"), one_faced.assign(holds=one_faced["moved"] > points + 1e-9)
    rates = notches(first["tuning"], second["tuning"])
    yield RATES, rates.assign(holds=rates["notches"] <= 1)


def compare(study: str, first: Mapping[str, pd.DataFrame], second: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of `docs/stability.csv`: each share at every budget and at all together.

    Args:
        study: its name.
        first, second: the tables of each side, by name.
    """
    budgets = sorted(first["cell_sets"]["budget"].unique().tolist())
    rows = []
    for what, compared in shares(first, second):
        parts = {str(b): compared[compared["budget"] == b] for b in budgets} if "budget" in compared else {}
        for budget, part in (parts | {ALL: compared}).items():
            value = float(part["holds"].mean()) if len(part) else np.nan
            rows.append([study, what, budget, len(part), value])
    return pd.DataFrame(rows, columns=COLUMNS)


def page(table: pd.DataFrame) -> str:
    """Return the page of the documentation that shows the table.

    Args:
        table: as `compare` returns it, or as the CSV file has it.
    """
    budgets = list(dict.fromkeys(b for b in table["budget"].astype(str) if b != ALL))
    heads = ["what", *(f"{int(b):,} updates" for b in budgets), "all", "compared", "wanted", "reached"]
    lines = [
        PREFACE.format(study=table["study"].iloc[0]),
        "",
        f"| {' | '.join(heads)} |",
        "|---|" + "--:|" * (len(budgets) + 2) + "---|---|",
    ]
    for what, rows in table.groupby("what", sort=False):
        aim, values = AIMS[str(what)], rows.set_index(rows["budget"].astype(str))["value"]
        total = rows.loc[rows["budget"].astype(str) == ALL].iloc[0]
        numbers = ["–" if np.isnan(values.get(b, np.nan)) else f"{100 * values[b]:.1f} %" for b in (*budgets, ALL)]
        is_judged = aim != REPORTED and total["compared"] > 0
        reached = ("yes" if aim.is_met(total["value"]) else "**no**") if is_judged else "–"
        lines.append("| " + " | ".join([what, *numbers, f"{total['compared']:,}", str(aim), reached]) + " |")
    return "\n".join(lines) + "\n"


PREFACE = """# What another seed says

`make stability` runs the study a second time with another seed: other splits of the data, other weights and other
mini-batches, everything else equal. The table compares study `{study}` with that run, at each budget and at all of them
together.

Two verdicts *agree* if they are the same word. They *contradict* each other if one is the opposite of the other: better and
worse, supported and refuted, works and fails. Accuracies are those of all arms, that is of each initializer with its
pretraining in each cell of any grid: means over the judged runs at the arm's chosen rate. An arm is *two-faced* if some of its
runs train and some do not. A *notch* is the step from a rate to its neighbour in the grid."""


def check(first: Mapping[str, object], second: Mapping[str, object]) -> None:
    """Refuse two studies that are not one study with two seeds.

    Args:
        first, second: their resolved settings.

    Raises:
        ValueError: one sentence, where the seeds are equal or anything else but the name differs.
    """
    if first["seed"] == second["seed"]:
        raise ValueError(f"both folders hold runs with seed {first['seed']}; run the second one with another seed=…")
    differing = [k for k in sorted({*first, *second} - {"seed", "name"}) if first.get(k) != second.get(k)]
    if differing:
        raise ValueError(f"the studies differ in {', '.join(differing)}; only their seed and name may differ")


def read(folder: Path) -> tuple[dict[str, object], dict[str, pd.DataFrame]]:
    """Return the settings and the tables of a results folder.

    Raises:
        ValueError: one sentence, where one of them is missing.
    """
    lacking = [n for n in ("study.yaml", *(f"{t}.parquet" for t in TABLES)) if not (folder / n).is_file()]
    if lacking:
        raise ValueError(f"{folder} has no {lacking[0]}; it takes the folder of a finished study, results/<name>")
    return yaml.safe_load((folder / "study.yaml").read_text()), {name: files.read(folder, name) for name in TABLES}


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", nargs="?", type=Path, default=Path("results/default"))
    parser.add_argument("second", nargs="?", type=Path, default=Path("results/default_seed1"))
    given = parser.parse_args()
    try:
        (first, tables), (second, others) = read(given.first), read(given.second)
        check(first, second)
    except ValueError as error:
        sys.exit(f"stability: {error}")
    table = compare(str(first["name"]), tables, others)
    CSV.write_text(table.to_csv(index=False, float_format="%.5f"), encoding="utf-8")
    text = page(pd.read_csv(CSV))
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
