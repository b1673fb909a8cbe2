"""Sentences with numbers, each computed from the study's own tables and tied to the figure that shows it.

A finding whose arms the study lacks is left out, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis import stats
from winit.analysis.decisions import FEWEST_DECIDED, UNDECIDED
from winit.analysis.select import CELL, SETTING, Tables, before_training, chosen_rates, of_budget, one_rate
from winit.report.speeds import FAILS, FAST, LOST, SLOWER, speeds
from winit.report.wording import PRETRAINED_SETTING, listed, percent, points, scope_name, setting_name
from winit.study.model import Study
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import OPTIMIZERS, STATUSES
from winit.vocabulary.pretraining import PRETRAINING, pretraining_label
from winit.vocabulary.words import count


@dataclass(frozen=True)
class Finding:
    """A sentence, and the id of the figure that supports it."""

    text: str
    figure: str


def _by_activation(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the label and the rows of each activation, in the catalogue's order."""
    for name, activation in ACTIVATIONS.items():
        rows = frame[frame["activation"] == name]
        if len(rows):
            yield activation.label, rows


def outcome(runs: pd.DataFrame) -> list[Finding]:
    """Say how the runs ended."""
    counts = runs["status"].value_counts()
    number = {status: int(counts.get(status, 0)) for status in STATUSES}
    if number["diverged"] == len(runs):
        return [
            Finding(f"Every run diverged ({count(len(runs), 'network')}), so there is nothing to compare.", "outcomes")
        ]
    share = {"ok": f" ({percent(number['ok'] / len(runs))})"}
    parts = [f"{number[status]:,} {status.replace('_', ' ')}{share.get(status, '')}" for status in STATUSES]
    return [
        Finding(
            f"How {count(len(runs), 'network')} ended, at all learning rates and including tuning runs: {listed(parts)}. "
            "None was dropped.",
            "outcomes",
        )
    ]


def speed(summaries: pd.DataFrame) -> list[Finding]:
    """Say how many arms train within the first budget, within a later one, and not at all, for each setting."""
    budgets = sorted(summaries["budget"].unique())
    if len(budgets) < 2:
        return []
    results = []
    for key, setting in summaries.groupby(PRETRAINED_SETTING, sort=False):
        found = speeds(setting).values()
        number = {kind: sum(each.kind == kind for each in found) for kind in (FAST, SLOWER, LOST, FAILS)}
        lost = f", {number[LOST]} only at an earlier budget" if number[LOST] else ""
        results.append(
            Finding(
                f"{scope_name(*key)}: arms with at least half of their runs at the target: {number[FAST]} of {len(found)} after "
                f"{count(budgets[0], 'update')}, {number[SLOWER]} more after {budgets[-1]:,} (slower){lost}; {number[FAILS]} did not get there "
                f"within {budgets[-1]:,}.",
                "trainability",
            )
        )
    return results


def deepest(cell_sets: pd.DataFrame) -> list[Finding]:
    """Say, for each activation, which initializers work in the deepest networks, which do worse and which fail.

    Args:
        cell_sets: the table, of one budget.
    """
    results = []
    for key, setting in cell_sets.groupby(SETTING, sort=False):
        depth = setting["depth"].max()
        for activation, cells in _by_activation(setting[setting["depth"] == depth]):
            if len(cells) < 2:
                continue
            after = count(int(cells["budget"].iloc[0]), "update")
            head = f"{scope_name(*key)}, {activation}, {count(depth, 'layer')}, after {after}: "
            results.append(Finding(f"{head}{_sets(cells)}.", "recommendation"))
    return results


_MEMBERSHIPS = {  # of one initializer, and of several
    "works": ("works", "work, with no difference found between them"),
    "worse": ("works but does worse", "work but do worse"),
    "fails": ("fails", "fail"),
    UNDECIDED: ("is undecided", "are undecided"),
}


def _sets(cells: pd.DataFrame) -> str:
    """Return the sets of a cell in words, with the names of all members."""
    runs = int(cells["runs"].max())
    if (cells["diverged"] == cells["runs"]).all():
        return f"every run diverged ({len(cells)} initializers)"
    if runs < FEWEST_DECIDED:
        trained = int((cells["ok"] >= stats.TRAINED_SHARE * cells["runs"]).sum())
        return (
            f"{trained} of {len(cells)} initializers bring at least half of their {count(runs, 'run')} to the target; with fewer than "
            f"{FEWEST_DECIDED} replicates, no differences are judged"
        )
    parts = []
    for membership, (one, several) in _MEMBERSHIPS.items():
        members = cells.loc[cells["membership"] == membership, "initializer"]
        if len(members):
            names = listed([schemes.label(name) for name in schemes.in_order(members)])
            parts.append(f"{names} {one if len(members) == 1 else several}")
    return "; ".join(parts)


def reach(summary: pd.DataFrame) -> list[Finding]:
    """Say up to which depth networks with small and large random weights train.

    Args:
        summary: of one budget.
    """
    best = chosen_rates(summary)
    results = []
    for key, setting in best.groupby(PRETRAINED_SETTING, sort=False):
        after = count(int(setting["budget"].iloc[0]), "update")
        for name in ("normal:0.01", "normal:1"):
            limits = []
            for activation, cells in _by_activation(setting[setting["initializer"] == name]):
                deep = cells.loc[cells["success_rate"] >= stats.TRAINED_SHARE, "depth"]
                limits.append(f"{count(deep.max(), 'layer') if len(deep) else 'no depth'} with {activation}")
            if limits:
                text = (
                    f"{scope_name(*key)}, after {after}: largest depth at which at least half of the runs from {schemes.label(name)} are at "
                    f"the target: {listed(limits)}."
                )
                results.append(Finding(text, "trainability"))
    return results


def signal(layers: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """Say by how much the back-propagated gradient shrinks or grows through the deepest networks at initialization."""
    results = []
    depth = runs["depth"].max()
    factors = [*PRETRAINED_SETTING, "activation", "initializer"]
    merged = before_training(layers[layers["layer"] <= depth], one_rate(runs[runs["depth"] == depth]), factors)
    for key, setting in merged.groupby(PRETRAINED_SETTING, sort=False):
        for activation, cells in _by_activation(setting):
            slopes = {}
            for name, rows in cells.groupby("initializer"):
                mean = rows.groupby("layer")["delta_variance"].agg(stats.geometric_mean)
                slope = stats.decades_per_layer(mean.to_numpy())
                if np.isfinite(slope):
                    slopes[name] = -slope  # towards the input, the way the gradient travels
            if len(slopes) < 2:
                continue
            flat, steep = min(slopes, key=lambda n: abs(slopes[n])), max(slopes, key=lambda n: abs(slopes[n]))
            results.append(
                Finding(
                    f"{_drawn_scope(*key)}, {activation}, {depth} layers, before training: from layer to layer, the variance of the "
                    f"back-propagated gradient ∂ℓ/∂z changes least with {schemes.label(flat)} ({_factor(slopes[flat])} per layer) and most "
                    f"with {schemes.label(steep)} ({_factor(slopes[steep])}).",
                    "gradients",
                )
            )
    return results


def _drawn_scope(dataset: str, width: int, batch_norm: bool, dropout: float, optimizer: str, pretraining: str) -> str:
    """Return the scope of untrained networks, which do not depend on the optimizer."""
    name = scope_name(dataset, width, batch_norm, dropout, optimizer, pretraining)
    return name.replace(f"{OPTIMIZERS[optimizer]}, ", "", 1)


def _factor(decades: float) -> str:
    factor = 10**decades
    return f"×{factor:.2f}" if 0.01 <= factor < 100 else f"×{factor:.1e}"


def symmetry(layers: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """Say in how many runs from constant weights the units of the hidden layers were still identical at the end.

    Args:
        layers: the table; it may have other runs as well.
        runs: of any grid. Runs with dropout, which can break the symmetry, and pretrained runs are left out.
    """
    flat = [name for name in set(runs["initializer"]) if schemes.parse(name).scheme.family == "constant"]
    runs = runs[runs["initializer"].isin(flat) & (runs["dropout"] == 0) & (runs["pretraining"] == "none")]
    parts = []
    for name in schemes.in_order(runs["initializer"]):
        own = runs.loc[runs["initializer"] == name, ["run_id", "depth", "steps"]]
        hidden = layers.merge(own, on="run_id")
        last = hidden[(hidden["layer"] <= hidden["depth"]) & (hidden["step"] == hidden["steps"])]
        if last.empty:
            continue
        alike = int((last.groupby("run_id")["distinct_units"].max() == 1).sum())
        total = last["run_id"].nunique()
        parts.append(f"{alike:,} of {total:,} networks started from {schemes.label(name)}")
    if not parts:
        return []
    text = (
        f"In {listed(parts)} ({listed(sorted(runs['dataset'].unique()))}; "
        f"{listed([OPTIMIZERS[name] for name in sorted(runs['optimizer'].unique())])}), every hidden layer still had a single distinct unit "
        f"after {count(int(runs['steps'].max()), 'update')} (runs that diverged earlier are not counted)."
    )
    return [Finding(text, "symmetry")]


def phase(summary: pd.DataFrame, limits: pd.DataFrame) -> list[Finding]:
    """Say how often the depth limit of the theory agrees with measured trainability, over the points of a phase diagram."""
    best = chosen_rates(summary).merge(limits[["activation", "width", "initializer", "depth_limit"]]
                                                  .drop_duplicates(), on=["activation", "width", "initializer"])  # fmt: skip
    best = best[best["depth_limit"].notna()]  # the theory has no limit for the others
    best = best[best["initializer"].isin(list(schemes.diagram_points(best["initializer"].unique())))]
    results = []
    for (*key, activation, depth), cells in best.groupby([*SETTING, "activation", "depth"]):
        expected, trained = cells["depth_limit"] >= depth, cells["success_rate"] >= stats.TRAINED_SHARE
        results.append(
            Finding(
                f"{scope_name(*key)}, {ACTIVATIONS[activation].label}, {depth} layers, after "
                f"{count(int(cells['budget'].iloc[0]), 'update')}: {int(trained.sum())} of {len(cells)} points (σ_w², σ_b²) train. The "
                f"theory's limit of 6 ξ_c layers predicts that {int(expected.sum())} do and is right for "
                f"{int((expected == trained).sum())} points ({int((expected & ~trained).sum())} were predicted to train but did not, "
                f"{int((trained & ~expected).sum())} trained although predicted not to).",
                "phase",
            )
        )
    return results


def rates(tuned: pd.DataFrame) -> list[Finding]:
    """Say how often the chosen learning rate is at the edge of the grid of rates.

    Args:
        tuned: `tuning`, of one budget.
    """
    results = []
    for key, setting in tuned.groupby(PRETRAINED_SETTING, sort=False):
        chosen = setting[setting["is_chosen"]]
        trained = chosen[chosen["ok"] > 0]
        if trained.empty or setting["learning_rate"].nunique() < 2:
            continue
        edge, added = int(trained["is_edge"].sum()), int(trained["is_extension"].sum())
        results.append(
            Finding(
                f"{scope_name(*key)}, after {count(int(setting['budget'].iloc[0]), 'update')}: of {count(len(trained), 'arm')} with at least "
                f"one trained run, {edge} chose a rate at the edge of the grid, so a rate outside might be better; {added} chose a rate that "
                "tuning had added.",
                "learning-rate",
            )
        )
    return results


def pretraining(effects: pd.DataFrame, time_effects: pd.DataFrame) -> list[Finding]:
    """Say what pretraining gains over the best random start at equal updates and at equal time, in the deepest networks."""
    table = of_budget(pd.concat([effects[effects["compared_at"] == "equal updates"], time_effects]))
    table = table[
        (table["compared_with"] == "best random start") & ~table["pretraining"].str.contains("+", regex=False)
    ]
    results = []
    for key, setting in table.groupby(SETTING, sort=False):
        depth = setting["depth"].max()
        for activation, cells in _by_activation(setting[setting["depth"] == depth]):
            said = [f"at {equal}, {_gains(rows)}" for equal, rows in cells.groupby("compared_at", sort=False)]
            budget = count(int(cells["budget"].iloc[0]), "update")
            head = f"{setting_name(table, *key)}, {activation}, {depth} layers, {budget} after pretraining: "
            results.append(Finding(f"{head}{'; '.join(said)}.", "pretraining"))
    return results


def _gains(rows: pd.DataFrame) -> str:
    """Return how many pretrained arms are better and worse than the best random start, and which gains the most."""
    verdicts = [f"{number} {verdict}" for verdict, number in rows["verdict"].value_counts().items()]
    most = rows.sort_values(["success_difference", "difference"], ascending=False, kind="stable").iloc[0]
    # Where equally many runs train on both sides, compare their scores.
    prefix, what = ("success_difference", "success") if most["success_difference"] else ("difference", "test score")
    low, high = points(most[f"{prefix}_low"]), points(most[f"{prefix}_high"])
    return (
        f"of {count(len(rows), 'pretrained arm')} compared with the best random start "
        f"({schemes.label(most['reference_initializer'])}), {listed(verdicts)}; the largest difference in {what} is "
        f"{points(most[prefix])} points ({low} to {high}), for {PRETRAINING[most['pretraining']].label} from "
        f"{schemes.label(most['initializer'])}"
    )


def reconstruction(summary: pd.DataFrame, baselines: pd.DataFrame) -> list[Finding]:
    """Say which squared errors deep autoencoders, principal components and the mean predictor reach.

    Args:
        summary: of one budget.
        baselines: the table.
    """
    results = []
    for key, setting in chosen_rates(summary).groupby(["dataset", "optimizer"], sort=False):
        dataset, optimizer = key
        lines = baselines[baselines["dataset"] == dataset].set_index("baseline")["test_loss"]
        names = [
            f"{schemes.label(r['initializer'])}"
            + ("" if r["pretraining"] == "none" else f" with {pretraining_label(r['pretraining'])}")
            + (f" {r['test_loss']:.2f}" if np.isfinite(r["test_loss"]) else " (diverged)")
            for _, r in setting.sort_values("test_loss").iterrows()
        ]
        results.append(
            Finding(
                f"{dataset}, {OPTIMIZERS[optimizer]}, after {count(int(setting['budget'].iloc[0]), 'update')}, not counting pretraining: "
                f"median squared error per test example, smallest first: {', '.join(names)}. Principal components "
                f"reach {lines['PCA']:.2f}, the mean predictor {lines['mean predictor']:.2f}.",
                "reconstruction",
            )
        )
    return results


def headlines(tables: Tables, is_reconstruction: bool) -> list[Finding]:
    """Return the findings that open the page."""
    runs = tables["all_runs"]
    ended = outcome(runs)
    if (runs["status"] == "diverged").all():
        return ended
    gained = pretraining(tables["pretraining_effects"], tables["pretraining_time_effects"])
    if is_reconstruction:
        return [*ended, *reconstruction(tables["all_summary"], tables["baselines"]), *gained]
    sets = deepest(_with_diverged(of_budget(tables["cell_sets"]), tables["summary"]))
    return [*ended, *speed(tables["summaries"]), *sets, *symmetry(tables["all_layers"], tables["judged_runs"]), *gained]


def _with_diverged(cell_sets: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the sets with the number of runs that diverged, at the chosen rates."""
    plain = chosen_rates(summary[summary["pretraining"] == "none"])
    return cell_sets.merge(plain[[*CELL, "initializer", "diverged"]], on=[*CELL, "initializer"])


def of_section(section: str, tables: Tables, is_reconstruction: bool) -> list[Finding]:
    """Return the findings of one section."""
    runs, layers, summary = tables["runs"], tables["layers"], tables["summary"]
    findings = {
        "trainability": lambda: reach(summary),
        "gradients": lambda: signal(layers, runs),
        "learning-rate": lambda: rates(tables["tuning"]),
        "phase": lambda: phase(summary, tables["depth_limits"]),
    }
    if is_reconstruction or section not in findings:
        return []
    return findings[section]()


def as_json(study: Study, found: Sequence[Finding]) -> bytes:
    """Return findings for programs: the study, its question, and each sentence with the figure that supports it."""
    contents = {"study": study.name, "question": study.question, "findings": [asdict(finding) for finding in found]}
    return (json.dumps(contents, indent=1, ensure_ascii=False) + "\n").encode()
