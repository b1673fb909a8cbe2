"""What pretraining gains, paired by replicate."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from winit.analysis import stats
from winit.analysis.select import ARM, CELL, at_chosen_rate, chosen_rates, is_scaled, small_weights
from winit.store.schema import TABLES
from winit.vocabulary.pretraining import parse_pretraining


def pretraining_effects(runs: pd.DataFrame, summary: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return what every way of pretraining, and every control of one, gains in test score over what it is compared with.

    The best scaled scheme is that without pretraining whose tuning score is the highest, then the first by name.

    Args:
        runs: with `RATE_FACTORS`, `role`, `replicate`, `status` and `test_score`.
        summary: with `RATE_FACTORS`, `is_best_rate` and `tuning_score`.
        margin: differences within ±margin are called equivalent.
    """
    best = chosen_rates(summary)
    rows: list[dict[str, object]] = []
    for key, cells in at_chosen_rate(runs, summary).groupby(CELL, sort=False):
        facts = dict(zip(CELL, key, strict=True))
        in_cell = best[(best[CELL] == list(key)).all(axis=1)]
        arms = {arm: frame.set_index("replicate") for arm, frame in cells.groupby(ARM, sort=False)}
        for (initializer, pretraining), frame in arms.items():
            if pretraining == "none":
                continue
            for name, reference in _references(initializer, pretraining, in_cell):
                if reference in arms:
                    row = {"initializer": initializer, "pretraining": pretraining, "compared_with": name}
                    row |= {"reference_initializer": reference[0], "reference_pretraining": reference[1]}
                    rows.append(facts | row | _difference(frame, arms[reference], margin))
    effects = pd.DataFrame(rows, columns=list(TABLES["pretraining_effects"]))
    return effects.sort_values([*CELL, *ARM, "compared_with"], ignore_index=True)


def _difference(ours: pd.DataFrame, theirs: pd.DataFrame, margin: float) -> dict[str, object]:
    """Return the difference in test score of two arms, in pairs of replicates."""
    pairs = pd.concat([ours["test_score"], theirs["test_score"]], axis=1, join="inner")
    difference = stats.paired_difference(pairs.iloc[:, 0].to_numpy(), pairs.iloc[:, 1].to_numpy())
    return {
        "learning_rate": ours["learning_rate"].iloc[0],
        "replicates": len(pairs),
        "difference": difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "verdict": stats.verdict(difference.low, difference.high, margin),
    }


def _references(initializer: str, pretraining: str, best: pd.DataFrame) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what an arm is compared with: a name, and (initializer, pretraining)."""
    method, control = parse_pretraining(pretraining)
    yield "same start", (initializer, "none")
    plain = best[best["pretraining"] == "none"]
    small = small_weights(list(plain["initializer"]))
    if small:
        yield "small weights", (small, "none")
    scaled = plain[plain["initializer"].map(is_scaled).to_numpy(dtype=bool)]
    if len(scaled):
        ranked = scaled.sort_values(["tuning_score", "initializer"], ascending=[False, True])
        yield "best scaled", (ranked["initializer"].iloc[0], "none")
    if method != "none" and not control:
        yield "trained longer", (initializer, "none+longer")
        yield "shuffled", (initializer, f"{method}+shuffled")
        yield "moments", (initializer, f"{method}+moments")
