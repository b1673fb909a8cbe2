"""Sentences with numbers, each computed from the study's own tables and tied to the figure that shows it.

A finding whose arms the study lacks is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis import stats
from winit.analysis.select import SETTING, Tables, before_training, chosen_rates, of_budget, one_rate
from winit.report.wording import PRETRAINED_SETTING, count, listed, percent, points, setting_name
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import OPTIMIZERS, STATUSES
from winit.vocabulary.pretraining import PRETRAINING, pretraining_label


@dataclass(frozen=True)
class Finding:
    """A sentence, and the id of the figure that bears it out."""

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
    share = {s: counts.get(s, 0) for s in STATUSES}
    return [
        Finding(
            f"Of {count(len(runs), 'network')} trained, {share['ok']:,} ({percent(share['ok'] / len(runs))}) reached their "
            f"target on validation, {share['missed_target']:,} learned but missed it, {share['stuck']:,} stayed at chance, and "
            f"{share['diverged']:,} diverged. All of them are counted on this page.",
            "outcomes",
        )
    ]


def deepest(summary: pd.DataFrame) -> list[Finding]:
    """Say, for each activation, which initializers train the deepest networks and what the common default does."""
    best = chosen_rates(summary)
    results = []
    for key, setting in best.groupby(PRETRAINED_SETTING, sort=False):
        where = setting_name(best, *key)
        depth = setting["depth"].max()
        for activation, cells in _by_activation(setting[setting["depth"] == depth]):
            if len(cells) < 2:
                continue
            top = cells.sort_values(["test_score", "success_rate"], ascending=False)
            trained = top[top["success_rate"] >= stats.TRAINED_SHARE]
            head = f"{where}, {activation}, {depth} layers: "
            if (cells["diverged"] == cells["runs"]).all():
                text = f"every run diverged, from each of {len(cells)} initializations"
            elif trained.empty:
                first = top.iloc[0]
                text = (
                    f"no initialization brings half of its runs to the target; the best is "
                    f"{schemes.label(first['initializer'])} with a median test accuracy of {percent(first['test_score'])}"
                )
            else:
                names = [
                    f"{schemes.label(r['initializer'])} ({percent(r['test_score'])})"
                    for _, r in trained.head(3).iterrows()
                ]
                more = f", the best being {listed(names)}" if len(trained) > 3 else f": {listed(names)}"
                bring = "brings" if len(trained) == 1 else "bring"
                text = f"{len(trained)} of {len(cells)} initializations {bring} at least half of their runs to the target{more}"
            default = cells[cells["initializer"] == "torch_default"]
            if len(default):
                row = default.iloc[0]
                low, high = percent(row["success_low"]), percent(row["success_high"])
                text += (
                    f". torch's default reaches it in {row['ok']} of {row['runs']} runs (95 % interval {low} to {high}), "
                    f"median test accuracy {percent(row['test_score'])}"
                )
            results.append(Finding(f"{head}{text}.", "trainability"))
    return results


def reach(summary: pd.DataFrame) -> list[Finding]:
    """Say how deep networks with small and large random weights still train."""
    best = chosen_rates(summary)
    results = []
    for key, setting in best.groupby(PRETRAINED_SETTING, sort=False):
        where = setting_name(best, *key)
        for name in ("normal:0.01", "normal:1"):
            limits = []
            for activation, cells in _by_activation(setting[setting["initializer"] == name]):
                deep = cells.loc[cells["success_rate"] >= stats.TRAINED_SHARE, "depth"]
                limits.append(f"{f'{deep.max()} layers' if len(deep) else 'no depth of the grid'} with {activation}")
            if limits:
                text = f"{where}: from {schemes.label(name)}, at least half of the runs reach the target up to {listed(limits)}."
                results.append(Finding(text, "trainability"))
    return results


def signal(layers: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """Say by how much the back-propagated gradient shrinks or grows through the deepest networks at initialization."""
    results = []
    depth = runs["depth"].max()
    factors = [*PRETRAINED_SETTING, "activation", "initializer"]
    merged = before_training(layers[layers["layer"] <= depth], one_rate(runs[runs["depth"] == depth]), factors)
    for key, setting in merged.groupby(PRETRAINED_SETTING, sort=False):
        where = setting_name(merged, *key)
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
                    f"{where}, {activation}, {depth} layers, before training: on its way down the variance of the "
                    f"gradient ∂ℓ/∂z changes least under {schemes.label(flat)} ({_factor(slopes[flat])} a layer) and most under "
                    f"{schemes.label(steep)} ({_factor(slopes[steep])}).",
                    "gradients",
                )
            )
    return results


def _factor(decades: float) -> str:
    factor = 10**decades
    return f"×{factor:.2f}" if 0.01 <= factor < 100 else f"×{factor:.1e}"


def symmetry(layers: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """Say in how many runs from constant weights the units of the hidden layers were still alike at the end."""
    names = {i: schemes.parse(i).name for i in set(runs["initializer"])}
    flat = [i for i, name in names.items() if schemes.SCHEMES[name].family == "constant"]
    parts = []
    for name in schemes.in_order(flat):
        hidden = layers.merge(runs.loc[runs["initializer"] == name, ["run_id", "depth"]], on="run_id")
        hidden = hidden[hidden["layer"] <= hidden["depth"]]
        last = hidden[hidden["step"] == layers["step"].max()]
        if last.empty:
            continue
        alike = int((last.groupby("run_id")["distinct_units"].max() == 1).sum())
        total = last["run_id"].nunique()
        parts.append(f"{alike:,} of {total:,} networks started from {schemes.label(name)}")
    if not parts:
        return []
    text = (
        f"In {listed(parts)}, every hidden layer still had a single distinct unit after the last step "
        "(runs that diverged before it are not among them)."
    )
    return [Finding(text, "symmetry")]


def phase(summary: pd.DataFrame, limits: pd.DataFrame) -> list[Finding]:
    """Say how often the depth that theory expects agrees with what trained, over the points of a phase diagram."""
    best = chosen_rates(summary).merge(limits[["activation", "width", "initializer", "depth_limit"]]
                                                  .drop_duplicates(), on=["activation", "width", "initializer"])  # fmt: skip
    best = best[best["depth_limit"].notna()]  # the others the theory says nothing of
    best = best[best["initializer"].isin(list(schemes.diagram_points(best["initializer"].unique())))]
    results = []
    for (activation, depth), cells in best.groupby(["activation", "depth"]):
        expected, trained = cells["depth_limit"] >= depth, cells["success_rate"] >= stats.TRAINED_SHARE
        results.append(
            Finding(
                f"{ACTIVATIONS[activation].label}, {depth} layers: of {len(cells)} points (σ_w², σ_b²), {int(trained.sum())} train; "
                f"theory's limit of 6 ξ_c layers expects {int(expected.sum())} to, and is right about "
                f"{int((expected == trained).sum())} ({int((expected & ~trained).sum())} expected and failed, "
                f"{int((trained & ~expected).sum())} trained against expectation).",
                "phase",
            )
        )
    return results


def rates(summary: pd.DataFrame) -> list[Finding]:
    """Say how often the chosen learning rate lay on the grid's edge, and how many rates suffice."""
    best = chosen_rates(summary)
    trained = best[best["success_rate"] > 0]
    if trained.empty or summary["learning_rate"].nunique() < 2:
        return []
    edge = int(trained["is_edge_rate"].sum())
    low, high = summary["learning_rate"].min(), summary["learning_rate"].max()
    return [
        Finding(
            f"Where anything trained, the chosen learning rate lay on the edge of the grid ({low:g} or {high:g}) in {edge} of "
            f"{len(trained)} cases; there a rate outside the grid might do better still.",
            "learning-rate",
        )
    ]


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
    low, high = points(most["success_difference_low"]), points(most["success_difference_high"])
    return (
        f"of {count(len(rows), 'pretrained arm')} compared with the best random start "
        f"({schemes.label(most['reference_initializer'])}), {listed(verdicts)}; the largest gain in success is that of "
        f"{PRETRAINING[most['pretraining']].label} from {schemes.label(most['initializer'])}, "
        f"{points(most['success_difference'])} points ({low} to {high})"
    )


def reconstruction(summary: pd.DataFrame, baselines: pd.DataFrame) -> list[Finding]:
    """Say which deep autoencoders beat principal components, and what small random weights and the best start reach."""
    best = chosen_rates(summary)
    results = []
    for key, setting in best.groupby(["dataset", "optimizer"], sort=False):
        dataset, optimizer = key
        lines = baselines[baselines["dataset"] == dataset].set_index("baseline")["test_loss"]
        arms = setting.sort_values("test_loss")
        names = [
            f"{schemes.label(r['initializer'])}"
            + ("" if r["pretraining"] == "none" else f" with {pretraining_label(r['pretraining'])}")
            + (f" {r['test_loss']:.2f}" if np.isfinite(r["test_loss"]) else " (diverged)")
            for _, r in arms.iterrows()
        ]
        least = arms["test_loss"].iloc[0]
        ratio = f", {lines['PCA'] / least:.1f} times the best of these" if 0 < least < np.inf else ""
        results.append(
            Finding(
                f"{dataset}, {OPTIMIZERS[optimizer]}: median squared error per test example, best first: {', '.join(names)}. "
                f"Principal components reach {lines['PCA']:.2f}{ratio}; the mean predictor "
                f"{lines['mean predictor']:.2f}.",
                "reconstruction",
            )
        )
    return results


def headlines(tables: Tables, is_reconstruction: bool) -> list[Finding]:
    """Return the findings that open the page."""
    runs, layers, summary = tables["runs"], tables["layers"], tables["summary"]
    gained = pretraining(tables["pretraining_effects"], tables["pretraining_time_effects"])
    if is_reconstruction:
        return [*outcome(tables["all_runs"]), *reconstruction(tables["all_summary"], tables["baselines"]), *gained]
    return [*outcome(tables["all_runs"]), *deepest(summary), *symmetry(layers, runs), *gained]


def of_section(section: str, tables: Tables, is_reconstruction: bool) -> list[Finding]:
    """Return the findings that stand beside the figures of one section."""
    runs, layers, summary = tables["runs"], tables["layers"], tables["summary"]
    findings = {
        "trainability": lambda: reach(summary),
        "gradients": lambda: signal(layers, runs),
        "learning-rate": lambda: rates(summary),
        "phase": lambda: phase(summary, tables["depth_limits"]),
    }
    if is_reconstruction and section in ("trainability", "learning-rate"):
        return []
    return findings[section]() if section in findings else []
