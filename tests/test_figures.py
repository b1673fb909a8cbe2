"""Numbers and references in README and docs are filled in from tables and code, none is typed."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from benchmarks import engine, facts, figures, markdown, pretraining, reference, scaling, theory
from winit.study.compose import compose

# A number with the unit of something that was measured. Sizes (8×8), settings (500 steps) and sources (2006) are none.
UNITS = r"%|‰|s|ms|µs|seconds?|min|minutes?|h|hours?|[kMG]B|[MGT]FLOP\w*|runs?|networks?|points?|times|-fold"
MEASURED = re.compile(rf"\d[\d.,]*(?: ?(?:{UNITS})(?![\w-])| ?×(?! ?\d))|(?<!\d)(?<!\d )× ?\d|÷ ?\d")


def prose(text: str) -> str:
    """Return a document without what is filled in, code, and the tables of settings and columns."""
    text = markdown.PLACE.sub("", text)
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\|.*\| meaning \|\n(?:\|.*\n)+", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`]*`", "", text)


def typed_numbers(text: str) -> list[str]:
    """Return the measured numbers of a document that are typed, each with what stands around it."""
    text = " ".join(prose(text).split())
    return [text[max(match.start() - 40, 0) : match.end() + 20] for match in MEASURED.finditer(text)]


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    return figures.values()


@pytest.mark.parametrize("document", figures.documents(), ids=lambda path: path.name)
def test_documents_show_what_their_sources_say(document, values):
    """Measured numbers come from docs/figures/, and every page of the reference from the code."""
    text = document.read_text(encoding="utf-8")
    assert markdown.fill(text, values) == text, f"{document.name} is not what its sources say: run make figures"


@pytest.mark.parametrize("document", figures.documents(), ids=lambda path: path.name)
def test_no_measured_number_is_typed(document):
    typed = typed_numbers(document.read_text(encoding="utf-8"))
    assert not typed, f"{document.name} has typed numbers; let make figures fill them in: {typed}"


@pytest.mark.parametrize(
    "typed",
    [
        "gains 87 %",
        "took 12 s.",
        "seven to 13 minutes",
        "14,184 runs",
        "1.9 GB",
        "2.58× as fast",
        "is × 3",
        "85 points",
    ],
)
def test_a_typed_number_is_found(typed):
    assert typed_numbers(f"It {typed} here.")


@pytest.mark.parametrize(
    "written",
    [
        "8×8 digits", "after 500 steps", "28 × 28", "<!-- study.ok -->26 %<!-- / --> of them", "`sleep 5 s`", "9 classes",
        "```sh\nmake study # 12 minutes\n```", "| key | meaning |\n|---|---|\n| a | 95 % of it |\n", "30 sigmoid layers",
    ],
)  # fmt: skip
def test_what_is_not_measured_may_be_typed(written):
    assert typed_numbers(written) == []


def test_every_value_is_shown(values):
    shown = {m[1] for p in figures.documents() for m in markdown.PLACE.finditer(p.read_text(encoding="utf-8"))}
    assert set(values) == shown


@pytest.mark.parametrize("document", figures.documents(), ids=lambda path: path.name)
def test_no_line_of_prose_begins_with_a_comment(document):
    """Markdown would take the whole line for HTML."""
    assert re.findall(r"^ *<!-- [\w.]+ -->.+$", document.read_text(encoding="utf-8"), re.MULTILINE) == []


def test_a_document_is_filled_in():
    values = {"study.runs": "7 networks", "claims.table": "\n| a |\n|---|\n"}
    text = "Of <!-- study.runs -->3<!-- / --> all.\n\n<!-- claims.table --><!-- / -->\n"
    filled = "Of <!-- study.runs -->7 networks<!-- / --> all.\n\n<!-- claims.table -->\n| a |\n|---|\n<!-- / -->\n"
    assert markdown.fill(text, values) == filled
    assert markdown.fill(filled, values) == filled


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"study\.rums.*study\.runs"):
        markdown.fill("<!-- study.rums --><!-- / -->", {"study.runs": "7"})


def summary_row(**changes: object) -> dict[str, object]:
    row = {
        "budget": 100, "dataset": "digits", "activation": "tanh", "depth": 5, "width": 64, "batch_norm": False, "dropout": 0.0,
        "optimizer": "sgd", "initializer": "lecun_normal", "pretraining": "none", "is_best_rate": True, "runs": 10, "ok": 9,
    }  # fmt: skip
    return row | changes


def test_plainly_trained_counts_schemes_that_keep_scale():
    left_out = [
        {"initializer": "normal:0.01"}, {"initializer": "normal:1"}, {"initializer": "torch_default"}, {"depth": 20},
        {"initializer": "orthogonal:1"}, {"activation": "sigmoid"}, {"pretraining": "rbm"}, {"batch_norm": True},
        {"dropout": 0.5}, {"is_best_rate": False},
    ]  # fmt: skip
    counted = [{}, {"activation": "relu", "initializer": "he_normal", "ok": 4}, {"dataset": "spirals", "ok": 0}]
    trained = facts.plainly_trained(pd.DataFrame([summary_row(**changes) for changes in (*left_out, *counted)]))
    counts = trained.set_index(["dataset", "activation"])[["ok", "runs"]].apply(tuple, axis=1).to_dict()
    assert counts == {
        ("digits", "tanh"): (9, 10), ("digits", "relu"): (4, 10), ("digits", "all"): (13, 20),
        ("spirals", "tanh"): (0, 10), ("spirals", "all"): (0, 10),
        ("all", "tanh"): (9, 20), ("all", "relu"): (4, 10), ("all", "all"): (13, 30),
    }  # fmt: skip


def test_minutes_are_known_only_if_training_began_with_an_empty_store():
    chunks = "160.0\t8\t1e9\n220.0\t8\t1e9\n220.0\t-3\t1e8\n"
    assert facts.minutes("100.0\t0\t16\t2e9\n" + chunks) == 2
    assert facts.minutes("100.0\t4\t16\t2e9\n" + chunks) is None
    assert facts.minutes("100.0\t0\t16\t2e9\n") is None


def test_training_time_is_kept_only_for_the_same_study():
    earlier = {"digest": "a", "minutes": 12.0, "cores": 2}
    again = {"digest": "a", "minutes": None, "cores": 4}
    assert facts.with_time(again, earlier) == earlier
    assert facts.with_time(again | {"digest": "b"}, earlier)["minutes"] is None
    assert facts.with_time(again | {"minutes": 3.0}, earlier)["minutes"] == 3.0
    assert facts.with_time(again, {})["minutes"] is None


def test_the_facts_of_a_study():
    study = compose(["study=smoke"])
    roles = ["tuning", "judged", "judged"]
    runs = pd.DataFrame({"role": roles, "status": ["ok", "ok", "stuck"]})
    tables = {"runs": runs, "summary": pd.DataFrame([summary_row()])}
    known = facts.study_facts(study, tables, "0.0\t0\t3\t1\n90.0\t3\t1\n", 2, 5e12, 3_000_000)
    assert json.loads(json.dumps(known)) == known
    values = figures.study(known)
    assert values["runs"] == "3 networks" and values["ok"] == "50 %"
    assert (values["minutes"], values["tflop"], values["store"]) == (
        "Training took 2 minutes on 2 cores.", "5 TFLOP", "3 MB",
    )  # fmt: skip
    assert values["budgets"] == "50 and 200 updates" and "| digits | 90 % of 10 | 90 % of 10 |" in values["trained"]


def test_claims_are_shown_with_their_scope():
    claims = pd.DataFrame({
        "claim": ["equal-units", "gone"], "verdict": ["supported", "not tested here"], "cells": [5, 0],
        "supporting": [3, 0], "refuting": [1, 0], "without_evidence": [1, 0],
    })  # fmt: skip
    cells = pd.DataFrame({
        "claim": "equal-units", "dataset": ["spirals", "digits"], "optimizer": ["sgd", "adam"], "width": [64, 128], "depth": [2, 10],
        "budget": pd.array([500, 1500], dtype="Int64"),
    })  # fmt: skip
    shown = figures.claims(facts.claims_rows(claims, cells))["table"]
    scope = "digits, spirals; Adam, SGD; width 64, 128; 2, 10 layers; 500, 1,500 updates"
    (statement,) = [claim.statement for claim in reference.declared() if claim.id == "equal-units"]
    assert f"| {statement} | supported | {scope} | 4 | 3 | 1 |" in shown
    assert "| gone | not tested here | – | 0 | 0 | 0 |" in shown, "a claim that is no longer declared has its id"


def test_verdicts_are_shown_by_budget_and_activation():
    rows = [
        (500, "all", "glorot_uniform", "baseline", 4), (500, "relu", "glorot_uniform", "baseline", 3),
        (500, "relu", "he_normal", "undecided", 5), (1500, "all", "glorot_uniform", "baseline", 8),
        (1500, "all", "he_normal", "better", 10),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["budget", "activation", "initializer", "verdict", "ok"])
    frame = frame.assign(view="tuned", cells=1, runs=10)
    ranking = pd.concat([frame, frame.assign(view="fixed", verdict="worse")])
    shown = figures.ranking(facts.ranking_rows(ranking))["table"].strip().splitlines()
    assert shown[0] == "| updates | initializer | all activations | ReLU |"
    assert shown[2:] == [
        "| 500 | Glorot uniform | baseline, 40 % | baseline, 30 % |", "| 500 | He normal | – | undecided, 50 % |",
        "| 1,500 | Glorot uniform | baseline, 80 % | – |", "| 1,500 | He normal | better, 100 % | – |",
    ]  # fmt: skip


def test_early_and_late_success_are_distinguished():
    sets = {
        "zeros": ("fails", "fails"), "normal:1": ("fails", "worse"), "glorot_uniform": ("undecided", "works"),
        "he_normal": ("works", "works"), "kumar": ("works", "undecided"),
    }  # fmt: skip
    cell = {name: summary_row()[name] for name in facts.CELL}
    rows = [
        cell | {"budget": budget, "initializer": name, "membership": words[k]}
        for k, budget in enumerate((500, 1500))
        for name, words in sets.items()
    ]
    rows = facts.set_rows(pd.DataFrame(rows))
    head, _, line = figures.cell_sets(rows)["table"].strip().splitlines()
    assert "| work after 500 updates | work after 1,500, not before | do worse |" in head
    assert line == "| digits; SGD; width 64 | tanh | 5 | He normal | Glorot uniform | normal σ = 1 | zeros | Kumar |"
    head, _, line = figures.cell_sets(rows[rows["budget"] == 1500])["table"].strip().splitlines()
    assert "| layers | work after 1,500 updates | do worse |" in head and "| 5 | Glorot uniform, He normal |" in line


def test_the_errors_of_deep_autoencoders():
    study = compose(["study=deep_autoencoder"])
    arm = {"dataset": "mnist", "activation": "sigmoid", "depth": 7, "width": 64, "batch_norm": False, "dropout": 0.0}
    arm |= {"optimizer": "adam", "pretraining_rate": 1.0, "learning_rate": 0.001, "role": "judged", "status": "ok"}
    rows = [
        {"initializer": "kumar", "pretraining": name, "replicate": k, "test_loss": loss + k, "pretraining_updates": updates}
        for name, loss, updates in (("none", 8.0, 0), ("rbm", 5.0, 20_000))
        for k in range(3)
    ]  # fmt: skip
    runs = pd.DataFrame(rows).assign(**arm, chance=0.0, pretraining_time_s=20.0, test_score=0.9)
    summary = runs.drop_duplicates("pretraining").assign(budget=6000, is_best_rate=True)
    baselines = pd.DataFrame({
        "baseline": ["mean predictor", "PCA", "PCA"], "components": [0, 30, 64], "test_loss": [52.9, 13.9, 9.0],
    })  # fmt: skip
    known = facts.autoencoder_facts(study, {"runs": runs, "summary": summary, "baselines": baselines})
    values = figures.deep_autoencoder(json.loads(json.dumps(known)))
    rows_shown = values["table"].strip().splitlines()[2:]
    assert rows_shown[:3] == [
        "| mean predictor | 52.90 |", "| PCA, 30 components | 13.90 |", "| Kumar | 9.00 (8.00 to 10.00) |",
    ]  # fmt: skip
    assert rows_shown[3].endswith("| **6.00** (5.00 to 7.00) |") and values["seconds"] == "20 s"


def test_the_engines_row_has_the_ratios_of_its_rates():
    row = engine.row("A", "sgd", {"idiomatic": 100.0, "jax": 200.0, "kernel": 500.0}, 1e12)
    shown = figures.engine(pd.DataFrame([row]))["table"].strip().splitlines()[-1]
    assert shown == f"| A | sgd | 100 | 200 | 500 | 5.0 | 2.50 | {500 * engine.SHAPES['A'].flops / 1e12:.0%} |"
    without = engine.row("A", "sgd", {"idiomatic": 100.0, "kernel": 500.0}, 1e12)
    assert "| 5.0 | – |" in figures.engine(pd.DataFrame([without]))["table"]


def test_growth_is_that_of_the_two_largest_studies():
    rows = [
        {
            "stage": stage,
            "runs": runs,
            "seconds": runs**2 / 1e8,
            "wall_seconds": runs / 1e4,
            "peak_memory_mb": runs / 10,
        }
        for runs in (1_000, 10_000, 20_000)
        for stage in (*scaling.STAGES, "replay")
    ]
    known = scaling.summary(rows, {"workloads": 7, "page_mb": 3.5})
    assert (known["runs"], known["smaller"], known["peak_memory_mb"]) == (20_000, 10_000, 2_000)
    assert (known["workloads"], known["page_mb"]) == (7, 3.5)
    costs = {"seconds": 4.0, "wall_seconds": 2.0, "exponent": 2.0}
    assert all(stage == {"stage": stage["stage"]} | costs for stage in known["stages"])


def test_the_theory_is_summed_up_over_all_sets():
    def rows(*ratios: float) -> list[dict[str, object]]:
        return [
            {"activation": "tanh", "quantity": quantity, "ratio": ratio, "relative_error": 0.01,
             "standard_errors": (ratio - 1) / 0.01}
            for quantity, ratio in zip(("q", "delta"), ratios, strict=True)
        ]  # fmt: skip

    known = theory.summary([rows(1.0, 1.02), rows(0.95, 1.04)], 400)
    assert (known["means"], known["within"]) == (2, [2, 0])
    assert (known["largest_gradient"], known["largest_deviation"]) == (0.04, 0.05)
    assert figures.theory(known)["within"] == "2 and 0 of 2"


def test_the_speed_of_pretraining_is_a_range():
    ratios = {
        "autoencoder, tied": [4.0],
        "masking, free": [3.2],
        "Gaussian noise, tied": [2.9, 3.41],
        "RBM, CD-1": [3.0, 2.1],
    }
    known = pretraining.ranges(ratios)
    assert known == {"autoencoder": [4.0, 4.0], "denoising_autoencoder": [2.9, 3.4], "rbm": [2.1, 3.0]}
    assert figures.pretraining(known)["rbm"] == "2.1 to 3.0 times"
