"""What pretraining gains, paired by replicate."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from winit.analysis import stats
from winit.analysis.select import SETTING, at_best_rate, is_scaled, small_weights
from winit.store.schema import TABLES
from winit.vocabulary.pretraining import parse_pretraining


def pretraining_effects(runs: pd.DataFrame, summary: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return what every way of pretraining, and every control of one, gains in test accuracy over what it is compared with.

    Differences within ±margin are called equivalent.
    The best scaled scheme is that without pretraining whose tuning accuracy is the highest, then its loss the smallest.
    """
    chosen = at_best_rate(runs, summary)
    best = summary[summary["is_best_rate"]]
    rows = []
    for key, cells in chosen.groupby(SETTING, sort=False):
        if (cells["pretraining"] == "none").all():
            continue
        of_setting = best[(best[SETTING] == list(key)).all(axis=1)]
        arms = {
            arm: frame.set_index("replicate")
            for arm, frame in cells.groupby(["initializer", "pretraining"], sort=False)
        }
        for (initializer, pretraining), frame in arms.items():
            if pretraining == "none":
                continue
            for name, reference in _references(initializer, pretraining, of_setting):
                if reference not in arms:
                    continue
                pairs = pd.concat([frame["test_accuracy"], arms[reference]["test_accuracy"]], axis=1, join="inner")
                difference = stats.paired_difference(pairs.iloc[:, 0].to_numpy(), pairs.iloc[:, 1].to_numpy())
                rows.append(
                    dict(zip(SETTING, key, strict=True))
                    | {
                        "initializer": initializer,
                        "pretraining": pretraining,
                        "learning_rate": frame["learning_rate"].iloc[0],
                        "compared_with": name,
                        "reference_initializer": reference[0],
                        "reference_pretraining": reference[1],
                        "replicates": len(pairs),
                        "difference": difference.mean,
                        "difference_low": difference.low,
                        "difference_high": difference.high,
                        "verdict": stats.verdict(difference.low, difference.high, margin),
                    }
                )
    found = pd.DataFrame(rows, columns=list(TABLES["pretraining_effects"]))
    return found.sort_values([*SETTING, "initializer", "pretraining", "compared_with"], ignore_index=True)


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
        ranked = scaled.sort_values(["tuning_accuracy", "tuning_loss", "initializer"], ascending=[False, True, True])
        yield "best scaled", (ranked["initializer"].iloc[0], "none")
    if method != "none" and not control:
        yield "trained longer", (initializer, "none+longer")
        yield "shuffled", (initializer, f"{method}+shuffled")
        yield "moments", (initializer, f"{method}+moments")
