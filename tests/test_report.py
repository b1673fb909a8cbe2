"""Figures draw their tables, findings say what the tables hold, and the page stands on its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch

from winit import aggregate, catalog, figures, findings, meanfield, provenance, replay, report, tables, train
from winit.store import Store
from winit.study import compose


def made_of(study, root):
    """Train and report a study below a folder; return its tables, as they were written, and its page."""
    store, folder = Store(root / "store"), root / "results"
    for workload in study.workloads:
        for rows in train.train(workload, workload.runs, torch.device("cpu")):
            store.commit(workload.name, rows)
    found = aggregate.tables(study, store) | {"replay": replay.replay(0, draws=20)}
    for name, frame in found.items():
        tables.write(folder, name, frame)
    (folder / "provenance.json").write_bytes(provenance.record(study, folder, found))
    page = root / "report" / "index.html"
    report.write(study, folder, page)
    return report.main_grid(study, {name: tables.read(folder, name) for name in tables.TABLES}), page


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small study, trained and reported, with a question that is hostile to a careless page."""
    root = tmp_path_factory.mktemp("study")
    study = compose(
        [
            "study=smoke", "arms=null", "grid.depth=[2,3]", "grid.width=[12]", "training.steps=30", "dataset=[digits,spirals]",
            'question="<script>alert(1)</script> & why?"', "grid.initializer=[zeros,normal:1,he_normal,kumar,torch_default]",
            "measure.histogram_bins=8",
        ]
    )  # fmt: skip
    return study, *made_of(study, root)


def drawn_lines(axes):
    return {
        tuple(np.asarray(line.get_xydata()).round(9).ravel()) for line in axes.get_lines() if len(line.get_xdata()) > 1
    }


def digits(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["dataset"] == "digits"]


def test_convergence_draws_the_medians(made):
    _, found, _ = made
    with figures.style():
        drawn = figures.convergence(
            found["curves"], digits(found["runs"]), digits(found["summary"]), "validation_accuracy"
        )
    by_panel = {(a.get_title(), a.get_ylabel()): a for a in drawn.figure.axes}
    axes = by_panel["sigmoid", "depth 2"]
    data = drawn.data[(drawn.data["activation"] == "sigmoid") & (drawn.data["depth"] == 2)]
    lines = drawn_lines(axes)
    for name, rows in data.groupby("initializer"):
        assert tuple(rows[["step", "validation_accuracy"]].to_numpy().round(9).ravel()) in lines, name
    best = digits(found["summary"]).query(
        "is_best_rate and activation == 'sigmoid' and depth == 2 and initializer == 'he_normal'"
    )
    chosen = found["runs"].merge(best[["dataset", "activation", "depth", "initializer", "learning_rate"]])
    by_hand = (
        found["curves"][found["curves"]["run_id"].isin(chosen["run_id"])]
        .groupby("step")["validation_accuracy"]
        .median()
    )
    got = data[data["initializer"] == "he_normal"].set_index("step")["validation_accuracy"]
    pd.testing.assert_series_equal(got, by_hand, check_names=False)


def test_signal_draws_geometric_means_in_the_catalogues_colours(made):
    _, found, _ = made
    runs = digits(found["runs"])
    with figures.style():
        drawn = figures.signal(found["layers"], runs, "z_variance", depth=3)
    one = runs.query("depth == 3 and activation == 'tanh' and initializer == 'he_normal'")
    one = one[one["learning_rate"] == one["learning_rate"].min()]
    values = found["layers"].query("step == 0 and layer == 2")
    values = values[values["run_id"].isin(one["run_id"])]["z_variance"]
    assert len(values) == 3
    expected = np.exp(np.log(values).mean())
    got = drawn.data.query("activation == 'tanh' and initializer == 'he_normal' and layer == 2")["z_variance"].item()
    assert got == pytest.approx(expected)
    axes = next(a for a in drawn.figure.axes if a.get_title() == "tanh")
    colours = {line.get_color(): line for line in axes.get_lines()}
    line = colours[catalog.style("he_normal")["color"]]
    assert line.get_ydata()[1] == pytest.approx(expected)


def test_signal_draws_the_theory_dotted_and_from_the_outputs_value(made):
    _, found, _ = made
    theory = found["theory"].query("dataset == 'digits' and depth == 3")
    with figures.style():
        drawn = figures.signal(found["layers"], digits(found["runs"]), "delta_variance", 3, found["theory"])
    one = drawn.data.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")
    expected = theory.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")["delta_ratio"]
    assert one["theory"].to_numpy() == pytest.approx(expected.to_numpy() * one["delta_variance"][4])
    axes = next(a for a in drawn.figure.axes if a.get_title() == "tanh")
    dotted = [line.get_ydata() for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert any(np.allclose(values, one["theory"]) for values in dotted)


def test_trainability_writes_the_numbers_of_the_summary(made):
    _, found, _ = made
    with figures.style():
        drawn = figures.trainability(digits(found["summary"]), found["not_applicable"])
    axes = next(a for a in drawn.figure.axes if a.get_title() == "ReLU")
    written = [t.get_text() for t in axes.texts]
    assert "not applicable" in written
    best = digits(found["summary"]).query("is_best_rate and activation == 'relu'")
    names, depths = catalog.in_order(digits(found["summary"])["initializer"]), sorted(best["depth"].unique())
    for _, row in best.iterrows():
        place = (depths.index(row["depth"]) + 0.5, names.index(row["initializer"]) + 0.5)
        (text,) = [t.get_text() for t in axes.texts if t.get_position() == place]
        assert text.split()[0] == f"{100 * row['test_accuracy']:.0f}"
        assert ("✓" in text) == (row["ok"] == row["runs"])


def test_symmetry_is_drawn_from_the_counts(made):
    _, found, _ = made
    with figures.style():
        drawn = figures.symmetry(found["layers"], digits(found["runs"]), depth=2)
    zeros = drawn.data[drawn.data["initializer"] == "zeros"]
    assert (zeros["distinct_share"] == 1 / 12).all() and (zeros["highest"] == 1).all()
    assert (drawn.data.loc[drawn.data["initializer"] == "he_normal", "distinct_share"] == 1).all()


def test_findings_hold_numbers_of_the_tables(made):
    study, found, _ = made
    texts = [f.text for f in findings.headlines(found)]
    ok = int((found["runs"]["status"] == "ok").sum())
    assert texts[0].startswith(f"Of {study.run_count:,} networks trained, {ok:,} (")
    assert any(
        "72 of 72 networks started from zeros" in t for t in texts
    )  # 3 activations · 2 depths · 2 rates · 3 · 2 datasets
    signal = " ".join(f.text for f in findings.of_section("gradients", found))
    assert "digits, tanh, 3 layers" in signal and "spirals, ReLU, 3 layers" in signal
    for finding in findings.headlines(found):
        assert "nan" not in finding.text and "inf" not in finding.text.replace("infinite", "")


def test_findings_about_absent_arms_are_left_out(made):
    _, found, _ = made
    runs = found["runs"][found["runs"]["initializer"] == "he_normal"]
    assert findings.symmetry(found["layers"], runs) == []
    assert findings.reach(found["summary"][found["summary"]["initializer"] == "he_normal"]) == []


def test_recommendation_ranks_success_first():
    base = {
        "dataset": "digits", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd", "activation": "relu", "depth": 2,
        "is_best_rate": True, "pretraining": "none",
    }  # fmt: skip
    columns = (
        "initializer",
        "success_rate",
        "success_low",
        "success_high",
        "test_accuracy",
        "test_accuracy_low",
        "test_accuracy_high",
    )
    values = [
        ("he_normal", 1.0, 0.57, 1.0, 0.9, 0.88, 0.92),
        ("zeros", 0.0, 0.0, 0.43, 0.99, 0.98, 0.99),  # accurate, but its success lies clearly below
        ("kumar", 0.8, 0.38, 0.96, 0.89, 0.85, 0.89),  # one failure of five tells nothing
        ("normal:1", 1.0, 0.57, 1.0, 0.5, 0.4, 0.6),  # as successful, but clearly less accurate
    ]
    rows = [{**base, **dict(zip(columns, row, strict=True))} for row in values]
    (row,) = report.recommendation(pd.DataFrame(rows))
    assert row["first"]["initializer"] == "he_normal" and row["equals"] == ["Kumar"]
    (row,) = report.recommendation(pd.DataFrame([{**r, "success_rate": 0.0} for r in rows]))
    assert row["first"] is None


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.links, self.tags, self.loads = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            elif tag == "a" and key == "href":
                self.links.append(value)
            elif key in ("src", "href", "xlink:href", "data"):
                self.loads.append(value)


def test_the_page_is_one_file_that_needs_nothing(made):
    _, _, page = made
    text = page.read_text()
    parsed = Page(text)
    assert len(parsed.ids) == len(set(parsed.ids)), "ids must be unique"
    assert all(value.startswith(("#", "data:image/png;")) for value in parsed.loads), "nothing is loaded from elsewhere"
    assert not {"script", "link", "iframe", "img"} & set(parsed.tags)
    assert "default-src 'none'" in text and "http://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert parsed.tags.count("figure") == parsed.tags.count("figcaption") == len(re.findall(r'<svg role="img"', text))
    for link in parsed.links:
        assert (link[1:] in parsed.ids) if link.startswith("#") else (page.parent / link).is_file(), link


def test_a_study_in_which_every_run_diverges_has_a_page(tmp_path):
    study = compose(
        [
            "study=smoke",
            "grid.depth=[2]",
            "grid.width=[8]",
            "training.steps=3",
            "grid.activation=[relu]",
            "grid.initializer=[normal:1e29]",
        ]
    )
    store, folder = Store(tmp_path / "store"), tmp_path / "results"
    for workload in study.workloads:
        for rows in train.train(workload, workload.runs, torch.device("cpu")):
            store.commit(workload.name, rows)
    found = aggregate.tables(study, store) | {"replay": replay.replay(0, draws=5)}
    assert set(found["runs"]["status"]) == {"diverged"}
    assert (found["summary"]["test_accuracy"] == 0).all()
    for name, frame in found.items():
        tables.write(folder, name, frame)
    (folder / "provenance.json").write_bytes(provenance.record(study, folder, found))
    report.write(study, folder, tmp_path / "report" / "index.html")
    assert "6 diverged" in (tmp_path / "report" / "index.html").read_text()


def test_findings_name_the_setting_where_there_are_several(made):
    _, found, _ = made
    twice = found["summary"].assign(optimizer="adam")
    texts = [f.text for f in findings.deepest(pd.concat([found["summary"], twice]))]
    assert len(set(texts)) == len(texts) and any(t.startswith("digits, Adam, tanh") for t in texts)


def test_hostile_text_is_escaped(made):
    _, _, page = made
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; why?" in page.read_text()


def test_figures_follow_the_theme(made):
    _, _, page = made
    text = page.read_text()
    assert not any(colour in text[text.index("<main>") :] for colour in report.THEME)
    assert "var(--fg)" in text and "prefers-color-scheme: dark" in text


def test_the_same_tables_give_the_same_bytes(made, tmp_path):
    study, _, page = made
    report.write(study, page.parent.parent / "results", tmp_path / "index.html")
    assert (tmp_path / "index.html").read_bytes() == page.read_bytes()


def test_the_page_counts_every_run(made):
    study, found, page = made
    text = page.read_text()
    assert f"{study.run_count:,} networks: {study.product}." in text
    for status, number in found["runs"]["status"].value_counts().items():
        assert re.search(rf'class="{status}"><b>{number:,}</b>', text)


def test_figures_lose_digits_of_places_and_never_of_words():
    with figures.style():
        figure, grid = figures.panels(1, 1, 1, 1)
        grid[0][0].plot([0.123456, 1], [0, 1])
        grid[0][0].set_title("σ = 0.0123")
    text = report.svg(figures.Drawn(figure, pd.DataFrame()), "one", "a title of 0.98765")
    assert "σ = 0.0123" in text and "0.98765" in text
    assert not re.search(r'd="[^"]*\d\.\d\d', text)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', text)) == set(re.findall(r' id="([^"]+)"', text)) - {
        "one-title"
    }


def test_correlations_are_drawn_with_their_theory(made):
    _, found, _ = made
    with figures.style():
        drawn = figures.correlation(found["layers"], digits(found["runs"]), 3, found["theory"])
    row = drawn.data.query("activation == 'relu' and initializer == 'he_normal' and layer == 2").iloc[0]
    runs = digits(found["runs"]).query("activation == 'relu' and initializer == 'he_normal' and depth == 3")
    at = found["layers"][(found["layers"]["step"] == 0) & (found["layers"]["layer"] == 2)]
    assert row["correlation"] == pytest.approx(at[at["run_id"].isin(runs["run_id"])]["correlation"].mean())
    expected = digits(found["theory"]).query(
        "activation == 'relu' and initializer == 'he_normal' and depth == 3 and layer == 2"
    )
    assert row["theory"] == pytest.approx(expected["correlation"].item())


def test_signals_are_shaded_as_far_as_they_agree(made):
    _, found, _ = made
    with figures.style():
        drawn = figures.signal(found["layers"], digits(found["runs"]), "delta_variance", 3, found["theory"])
    row = drawn.data.query("activation == 'tanh' and initializer == 'kumar' and layer == 1").iloc[0]
    agreed = digits(found["agreement"]).query(
        "activation == 'tanh' and initializer == 'kumar' and depth == 3 and quantity == 'delta_ratio'"
    )
    assert row["low"] / row["theory"] == pytest.approx((agreed["low"] / agreed["predicted"]).item())
    assert row["high"] / row["theory"] == pytest.approx((agreed["high"] / agreed["predicted"]).item())


def test_histograms_draw_shares_of_all_counts(made):
    _, found, page = made
    with figures.style():
        drawn = figures.histograms(found["histograms"], digits(found["runs"]), "h_count", 3)
    sums = drawn.data.groupby(["initializer", "activation", "layer"])["share"].sum()
    assert np.allclose(sums, 1) and set(drawn.data["layer"]) == {1, 2, 3}
    assert 'id="histograms"' in page.read_text()


def test_departures_are_ranked_and_disagreements_never_left_out():
    rows = pd.DataFrame(
        {"predicted": 1.0, "low": 0.5, "high": 2.0, "measured": [1.0, 4.0, 0.4] + [1.9] * 20, "spread": 0.7}
    )
    rows = rows.assign(agrees=rows["measured"].between(0.5, 2.0), reason="")
    found = report.departures(rows)
    assert [r["measured"] for r in found] == [4.0, 0.4] + [1.9] * 8
    assert found[0]["share"] == pytest.approx(2) and "factor of 2" in found[-1]["reason"]
    assert len(report.departures(rows.assign(agrees=False))) == 23
    assert report.ratio_range(rows.head(3)) == pytest.approx((0.46, 1.0, 3.7))
    assert report.departures(rows.head(0)) == [] and report.ratio_range(rows.head(0)) is None


def test_untrained_networks_in_numbers(made):
    _, found, _ = made
    rows = report.initial(found)
    (row,) = [r for r in rows if (r["setting"], r["activation"], r["initializer"]) == ("digits", "relu", "zeros")]
    assert row["loss"] == pytest.approx(1) and row["jacobian_median"] == 0
    assert np.isnan(row["spread"]) and np.isnan(row["correlation"])
    assert len(rows) == 2 * (5 + 5 + 4)  # kumar has no meaning with relu


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), "–"), (float("inf"), "∞"), (0.0, "0"), (-0.5, "−0.5"), (1234.6, "1.23e+03"), (2.5e-7, "2.5·10⁻⁷")],
)
def test_numbers_in_tables(value, text):
    assert report.number(value) == text


def test_every_catalogued_scheme_has_its_card_on_the_page(made):
    _, _, page = made
    text = page.read_text()
    assert all(
        f"<b>{catalog.label(e)}</b>" in text
        for e in ("he_normal", "orthogonal:1", "orthogonal:1+lsuv", "zero_hadamard")
    )
    assert "torch.nn.init.kaiming_normal_(layer.weight, nonlinearity=&#39;relu&#39;)" in text


@pytest.fixture(scope="module")
def diagram(tmp_path_factory):
    """A phase diagram of six points and two named initializers."""
    root = tmp_path_factory.mktemp("diagram")
    points = [f"mean_field:{w}/{b}" for w in (0.5, 1.5, 4) for b in (0, 0.2)]
    study = compose(
        [
            "study=phase_diagram", "grid.depth=[2,4]", "grid.width=[16]", "training.steps=40", "grid.learning_rate=[0.1]",
            "grid.replicates=2", f"grid.initializer=[{','.join(points)},he_normal,edge_of_chaos:0.05]",
        ]
    )  # fmt: skip
    found, page = made_of(study, root)
    return found, page.parent


def test_the_phase_diagram_lies_on_the_theory(diagram):
    found, folder = diagram
    phase = found["phase"]
    assert phase[["sigma_w2", "sigma_b2"]].agg(["min", "max"]).to_numpy().tolist() == [[0.5, 0.0], [4.0, 0.2]]
    # The contour χ₁ = 1 runs through the critical points of the mean-field theory.
    for sigma_b2 in (phase["sigma_b2"].max(),):
        line = phase[phase["sigma_b2"] == sigma_b2]
        crossing = np.interp(1.0, line["chi_1"], line["sigma_w2"])
        assert crossing == pytest.approx(meanfield.critical("tanh", sigma_b2)[0].sigma_w2, rel=0.01)
    data = pd.read_csv(folder / "figures" / "phase-digits.csv")
    assert len(data) == 2 * 8
    he = data[data["initializer"] == "he_normal"].iloc[0]
    assert (he["sigma_w2"], he["sigma_b2"]) == (pytest.approx(2), 0)
    page = (folder / "index.html").read_text()
    assert 'id="phase"' in page and "of 6 points (σ_w², σ_b²)" in page
    # By name, only the named initializers are drawn.
    assert set(pd.read_csv(folder / "figures" / "convergence-digits.csv")["initializer"]) == {
        "he_normal",
        "edge_of_chaos:0.05",
    }


def test_a_study_without_such_arms_has_no_phase_diagram(made):
    _, found, page = made
    assert found["phase"].empty and 'id="phase"' not in page.read_text()


def test_depth_limits_are_those_of_the_theory(made):
    _, found, _ = made
    limits = digits(found["depth_limits"]).set_index(["activation", "initializer"])
    assert limits.at[("relu", "he_normal"), "depth_limit"] == np.inf
    assert limits.at[("tanh", "torch_default"), "sigma_w2"] == pytest.approx(1 / 3)
    assert ("relu", "zeros") not in limits.index  # constant weights are no random network
    best = digits(found["summary"]).query("is_best_rate and activation == 'relu' and initializer == 'he_normal'")
    trained = best.loc[best["success_rate"] >= 0.5, "depth"]
    assert limits.at[("relu", "he_normal"), "deepest_trained"] == (trained.max() if len(trained) else 0)
