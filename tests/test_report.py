"""Figures draw their tables, findings say what the tables hold, and the page stands on its own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch

from winit import schemes
from winit.analysis import replay
from winit.analysis.collect import tables
from winit.report import explorer, findings, wording
from winit.report import rows as rows_module
from winit.report.context import page_tables
from winit.report.exhibits import EMBEDDED_ROWS, SHOWN_ROWS, data_table
from winit.report.figures import signals, trainability
from winit.report.figures.style import Drawn, blank, figure_style
from winit.report.page import in_script, json_in_script, write
from winit.report.rows import departures, failures, initial, ratio_range, recommendation
from winit.report.svg import THEME, compact, path, small_svg
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import TABLES
from winit.study.compose import compose
from winit.theory.maps import critical
from winit.training.workload import train
from winit.vocabulary.looks import KNOWN_LOOKS, OTHER_LOOKS
from winit.workflow.session import write_record


def made_of(study, root):
    """Train and report a study below a folder; return its tables, as they were written, and its page."""
    store, folder = RunStore(root / "store"), root / "results"
    for workload in study.workloads:
        for rows in train(workload, workload.runs, torch.device("cpu")):
            store.commit(workload.name, rows)
    found = tables(study, store) | {"replay": replay.replay(0, draws=20)}
    for name, frame in found.items():
        files.write(folder, name, frame)
    write_record(study, folder, found)
    page = root / "report" / "index.html"
    write(study, folder, page)
    return page_tables(study, {name: files.read(folder, name) for name in TABLES}), page


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small study, trained and reported, with a question that is hostile to a careless page."""
    root = tmp_path_factory.mktemp("study")
    study = compose(
        [
            "study=smoke", "extra_grids=null", "grid.depth=[2,3]", "grid.width=[12]", "training.steps=30", "dataset=[digits,spirals]",
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
    with figure_style():
        drawn = trainability.convergence(
            found["curves"], digits(found["runs"]), digits(found["summary"]), "validation_score"
        )
    by_panel = {(a.get_title(), a.get_ylabel()): a for a in drawn.figure.axes}
    axes = by_panel["sigmoid", "depth 2"]
    data = drawn.data[(drawn.data["activation"] == "sigmoid") & (drawn.data["depth"] == 2)]
    lines = drawn_lines(axes)
    for name, rows in data.groupby("initializer"):
        assert tuple(rows[["step", "validation_score"]].to_numpy().round(9).ravel()) in lines, name
    best = digits(found["summary"]).query(
        "is_best_rate and activation == 'sigmoid' and depth == 2 and initializer == 'he_normal'"
    )
    chosen = found["runs"].merge(best[["dataset", "activation", "depth", "initializer", "learning_rate"]])
    by_hand = (
        found["curves"][found["curves"]["run_id"].isin(chosen["run_id"])].groupby("step")["validation_score"].median()
    )
    got = data[data["initializer"] == "he_normal"].set_index("step")["validation_score"]
    pd.testing.assert_series_equal(got, by_hand, check_names=False)


def test_signal_draws_geometric_means_in_the_catalogues_colours(made):
    _, found, _ = made
    runs = digits(found["runs"])
    with figure_style():
        drawn = signals.signal(found["layers"], runs, "z_variance", depth=3)
    one = runs.query("depth == 3 and activation == 'tanh' and initializer == 'he_normal'")
    one = one[one["learning_rate"] == one["learning_rate"].min()]
    values = found["layers"].query("stage == 'drawn' and layer == 2")
    values = values[values["run_id"].isin(one["run_id"])]["z_variance"]
    assert len(values) == 3
    expected = np.exp(np.log(values).mean())
    got = drawn.data.query("activation == 'tanh' and initializer == 'he_normal' and layer == 2")["z_variance"].item()
    assert got == pytest.approx(expected)
    axes = next(a for a in drawn.figure.axes if a.get_title() == "tanh")
    colours = {line.get_color(): line for line in axes.get_lines()}
    line = colours[schemes.style("he_normal")["color"]]
    assert line.get_ydata()[1] == pytest.approx(expected)


def test_signal_draws_the_theory_dotted_and_from_the_outputs_value(made):
    _, found, _ = made
    theory = found["theory"].query("dataset == 'digits' and depth == 3")
    with figure_style():
        drawn = signals.signal(found["layers"], digits(found["runs"]), "delta_variance", 3, found["theory"])
    one = drawn.data.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")
    expected = theory.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")["delta_ratio"]
    assert one["theory"].to_numpy() == pytest.approx(expected.to_numpy() * one["delta_variance"][4])
    axes = next(a for a in drawn.figure.axes if a.get_title() == "tanh")
    dotted = [line.get_ydata() for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert any(np.allclose(values, one["theory"]) for values in dotted)


def test_trainability_writes_the_numbers_of_the_summary(made):
    _, found, _ = made
    with figure_style():
        drawn = trainability.trainability(digits(found["summary"]), found["not_applicable"])
    axes = next(a for a in drawn.figure.axes if a.get_title() == "ReLU")
    written = [t.get_text() for t in axes.texts]
    assert "not applicable" in written
    best = digits(found["summary"]).query("is_best_rate and activation == 'relu'")
    names, depths = schemes.in_order(digits(found["summary"])["initializer"]), sorted(best["depth"].unique())
    for _, row in best.iterrows():
        place = (depths.index(row["depth"]) + 0.5, names.index(row["initializer"]) + 0.5)
        (text,) = [t.get_text() for t in axes.texts if t.get_position() == place]
        assert text.split()[0] == f"{100 * row['test_score']:.0f}"
        assert ("✓" in text) == (row["ok"] == row["runs"])


def test_symmetry_is_drawn_from_the_counts(made):
    _, found, _ = made
    with figure_style():
        drawn = trainability.symmetry(found["layers"], digits(found["runs"]), depth=2)
    zeros = drawn.data[drawn.data["initializer"] == "zeros"]
    assert (zeros["distinct_share"] == 1 / 12).all() and (zeros["highest"] == 1).all()
    assert (drawn.data.loc[drawn.data["initializer"] == "he_normal", "distinct_share"] == 1).all()


def test_findings_hold_numbers_of_the_tables(made):
    study, found, _ = made
    texts = [f.text for f in findings.headlines(found, False)]
    ok = int((found["runs"]["status"] == "ok").sum())
    assert texts[0].startswith(f"Of {study.run_count:,} networks trained, {ok:,} (")
    assert any(
        "72 of 72 networks started from zeros" in t for t in texts
    )  # 3 activations · 2 depths · 2 rates · 3 · 2 datasets
    signal = " ".join(f.text for f in findings.of_section("gradients", found, False))
    assert "digits, tanh, 3 layers" in signal and "spirals, ReLU, 3 layers" in signal
    for finding in findings.headlines(found, False):
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
        "test_score",
        "test_score_minimum",
        "test_score_maximum",
    )
    values = [
        ("he_normal", 1.0, 0.57, 1.0, 0.9, 0.88, 0.92),
        ("zeros", 0.0, 0.0, 0.43, 0.99, 0.98, 0.99),  # accurate, but its success lies clearly below
        ("kumar", 0.8, 0.38, 0.96, 0.89, 0.85, 0.89),  # one failure of five tells nothing
        ("normal:1", 1.0, 0.57, 1.0, 0.5, 0.4, 0.6),  # as successful, but clearly less accurate
    ]
    rows = [{**base, **dict(zip(columns, row, strict=True))} for row in values]
    (row,) = recommendation(pd.DataFrame(rows))
    assert row["first"]["initializer"] == "he_normal" and row["equals"] == ["Kumar"]
    (row,) = recommendation(pd.DataFrame([{**r, "success_rate": 0.0} for r in rows]))
    assert row["first"] is None


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = []
        self.ids, self.links, self.tags, self.loads = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs))
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
    assert not {"link", "iframe", "img"} & set(parsed.tags) and not any("src" in s for s in parsed.scripts)
    assert "default-src 'none'" in text and "unsafe-inline" not in text.split("script-src")[1].split(";")[0]
    apart = re.sub(r"(?s)<script.*?</script>", "", text)
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"', "", apart)), "no address, even as text"
    assert (
        parsed.tags.count("figure") == parsed.tags.count("figcaption") == 3 + len(re.findall(r'<svg role="img"', text))
    )  # the charts for chosen initializers are three
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
    store, folder = RunStore(tmp_path / "store"), tmp_path / "results"
    for workload in study.workloads:
        for rows in train(workload, workload.runs, torch.device("cpu")):
            store.commit(workload.name, rows)
    found = tables(study, store) | {"replay": replay.replay(0, draws=5)}
    assert set(found["runs"]["status"]) == {"diverged"}
    assert (found["summary"]["test_score"] == 0).all()
    for name, frame in found.items():
        files.write(folder, name, frame)
    write_record(study, folder, found)
    write(study, folder, tmp_path / "report" / "index.html")
    assert f"{len(found['runs'])} diverged" in (tmp_path / "report" / "index.html").read_text()


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
    assert not any(colour in text[text.index("<main>") : text.index("</main>")] for colour in THEME)
    assert "var(--fg)" in text and "prefers-color-scheme: dark" in text


def test_the_same_tables_give_the_same_bytes(made, tmp_path):
    study, _, page = made
    write(study, page.parent.parent / "results", tmp_path / "index.html")
    assert (tmp_path / "index.html").read_bytes() == page.read_bytes()


def test_the_page_counts_every_run(made):
    study, found, page = made
    text = page.read_text()
    assert f"{study.run_count:,} networks: {study.product}." in text
    for status, number in found["all_runs"]["status"].value_counts().items():
        assert re.search(rf'class="{status}"><b>{number:,}</b>', text)


def test_figures_lose_digits_of_places_and_never_of_words():
    with figure_style():
        figure, grid = blank(1, 1, 1, 1)
        grid[0][0].plot([0.123456, 1], [0, 1])
        grid[0][0].set_title("σ = 0.0123")
    text = small_svg(Drawn(figure, pd.DataFrame()), "one", "a title of 0.98765")
    assert "σ = 0.0123" in text and "0.98765" in text
    assert not re.search(r'd="[^"]*\d\.\d\d', text)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', text)) == set(re.findall(r' id="([^"]+)"', text)) - {
        "one-title"
    }


def test_correlations_are_drawn_with_their_theory(made):
    _, found, _ = made
    with figure_style():
        drawn = signals.correlation(found["layers"], digits(found["runs"]), 3, found["theory"])
    row = drawn.data.query("activation == 'relu' and initializer == 'he_normal' and layer == 2").iloc[0]
    runs = digits(found["runs"]).query("activation == 'relu' and initializer == 'he_normal' and depth == 3")
    at = found["layers"][(found["layers"]["stage"] == "drawn") & (found["layers"]["layer"] == 2)]
    assert row["correlation"] == pytest.approx(at[at["run_id"].isin(runs["run_id"])]["correlation"].mean())
    expected = digits(found["theory"]).query(
        "activation == 'relu' and initializer == 'he_normal' and depth == 3 and layer == 2"
    )
    assert row["theory"] == pytest.approx(expected["correlation"].item())


def test_signals_are_shaded_as_far_as_they_agree(made):
    _, found, _ = made
    with figure_style():
        drawn = signals.signal(found["layers"], digits(found["runs"]), "delta_variance", 3, found["theory"])
    row = drawn.data.query("activation == 'tanh' and initializer == 'kumar' and layer == 1").iloc[0]
    agreed = digits(found["agreement"]).query(
        "activation == 'tanh' and initializer == 'kumar' and depth == 3 and quantity == 'delta_ratio'"
    )
    assert row["low"] / row["theory"] == pytest.approx((agreed["low"] / agreed["predicted"]).item())
    assert row["high"] / row["theory"] == pytest.approx((agreed["high"] / agreed["predicted"]).item())


def test_histograms_draw_shares_of_all_counts(made):
    _, found, page = made
    with figure_style():
        drawn = signals.histograms(found["histograms"], digits(found["runs"]), "h_count", 3)
    sums = drawn.data.groupby(["initializer", "activation", "layer"])["share"].sum()
    assert np.allclose(sums, 1) and set(drawn.data["layer"]) == {1, 2, 3}
    assert 'id="histograms"' in page.read_text()


def test_departures_are_ranked_and_disagreements_never_left_out():
    rows = pd.DataFrame(
        {"predicted": 1.0, "low": 0.5, "high": 2.0, "measured": [1.0, 4.0, 0.4] + [1.9] * 20, "spread": 0.7}
    )
    rows = rows.assign(agrees=rows["measured"].between(0.5, 2.0), reason="")
    found = departures(rows)
    assert [r["measured"] for r in found] == [4.0, 0.4] + [1.9] * 8
    assert found[0]["share"] == pytest.approx(2) and "factor of 2" in found[-1]["reason"]
    assert len(departures(rows.assign(agrees=False))) == 23
    assert ratio_range(rows.head(3)) == pytest.approx((0.46, 1.0, 3.7))
    assert departures(rows.head(0)) == [] and ratio_range(rows.head(0)) is None


def test_untrained_networks_in_numbers(made):
    _, found, _ = made
    rows = initial(found)
    (row,) = [r for r in rows if (r["setting"], r["activation"], r["initializer"]) == ("digits", "relu", "zeros")]
    assert row["loss"] == pytest.approx(1) and row["jacobian_median"] == 0
    assert np.isnan(row["spread"]) and np.isnan(row["correlation"])
    assert len(rows) == 2 * (5 + 5 + 4)  # kumar has no meaning with relu


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), "–"), (float("inf"), "∞"), (0.0, "0"), (-0.5, "−0.5"), (1234.6, "1.23e+03"), (2.5e-7, "2.5·10⁻⁷")],
)
def test_numbers_in_tables(value, text):
    assert wording.number(value) == text


def test_every_catalogued_scheme_has_its_card_on_the_page(made):
    _, _, page = made
    text = page.read_text()
    assert all(
        f"<b>{schemes.label(e)}</b>" in text
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
        assert crossing == pytest.approx(critical("tanh", sigma_b2)[0].sigma_w2, rel=0.01)
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


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("M 0 568.8  L 680.4 568.8  L 680.4 0  z ", "M0 568.8l680.4 0 0-568.8z"),
        ("M 1.5 2 L 1 2.3 L 0.5 -1 M 3 3 L 4 4", "M1.5 2l-.5 .3-.5-3.3M3 3l1 1"),
        (
            "M 0 3 C 0.8 3 1.6 2.7 2.1 2.1 C 2.7 1.6 3 0.8 3 0 z L 1 1",
            "M0 3c.8 0 1.6-.3 2.1-.9 .6-.5 .9-1.3 .9-2.1zl1-2",
        ),
        ("M10,10h5", "M10,10h5"),  # not matplotlib's: as it is
    ],
)
def test_paths_are_relative_and_end_where_they_did(given, wanted):
    assert path(given) == wanted


def test_what_neighbours_share_is_written_once():
    style = ' style="fill:none;stroke:#fff"'
    text = f'<svg x="1"><g><path d="M 0 0"{style}/><path d="M 1 0"{style}/></g><g id="a"><path d="M 2 0" style="opacity:0.5"/></g></svg>'
    assert compact(text) == (
        f'<svg stroke-linejoin="round" x="1"><g{style}><path d="M0 0"/><path d="M1 0"/></g>'
        '<g id="a"><path d="M2 0" style="opacity:0.5"/></g></svg>'
    )


def test_symbols_on_a_line_become_its_markers():
    uses = "".join(f'<use xlink:href="#s" x="{x}" y="0" style="fill:red"/>' for x in (0, 1.5, 3))
    line = '<path d="M 0 0 L 1.5 0 L 3 0" clip-path="url(#c)" style="fill:none;stroke:red"/>'
    text = compact(f'<svg x="1">{line}<g clip-path="url(#c)">{uses}</g></svg>', "t")
    assert text.count("<use") == 1 and text.count("<path") == 1 and "marker:url(#t-m0);fill:none" in text
    apart = compact(f'<svg x="1"><g clip-path="url(#c)">{uses}</g></svg>', "t")
    assert 'd="M0 0l1.5 0 1.5 0" clip-path="url(#c)" style="marker:url(#t-m0);fill:none;stroke:none"' in apart


def test_data_tables_say_once_what_is_the_same_in_every_row():
    frame = pd.DataFrame(
        {"dataset": "digits", "initializer": ["he_normal", "zeros"], "value": [0.12345, np.inf], "n": [1, 2]}
    )
    shown = data_table(frame)
    assert shown.constants == [("dataset", "digits")]
    assert shown.columns == [("initializer", False), ("value", True), ("n", True)]
    assert shown.cells == [[schemes.label("he_normal"), "0.123", "1"], ["zeros", "∞", "2"]]
    long = data_table(pd.DataFrame({"value": np.arange(500.0)}))
    assert len(long.cells) == SHOWN_ROWS and long.rows == 500


def test_text_in_scripts_cannot_end_them():
    hostile = "</script><!-- & <script>&lt;"
    text = str(in_script(hostile))
    assert "<" not in text and text.replace("&lt;", "<").replace("&amp;", "&") == hostile
    assert "<" not in str(json_in_script({"name": hostile})) and json.loads(json_in_script([hostile])) == [hostile]


def test_every_figure_has_its_data_and_its_command(made):
    study, _, page = made
    text = page.read_text()
    parts = re.findall(r'<figure id="fig-([^"]+)"[^>]*>(.*?)</figure>', text, re.DOTALL)
    assert len(parts) > 20
    for name, part in parts:
        csv = (page.parent / "figures" / f"{name}.csv").read_text()
        rows = csv.count("\n") - 1
        embedded = re.search(r'<script type="text/csv"[^>]*>(.*?)</script>', part, re.DOTALL)
        assert (embedded is not None) == (rows <= EMBEDDED_ROWS), name
        assert embedded is None or embedded[1] == in_script(csv)
        body = part.split("<tbody>")[1].split("</table>")[0]
        assert body.count("<tr>") == min(rows, SHOWN_ROWS)
        assert f"winit report results/{study.name}/study.yaml" in part
        assert f'href="figures/{name}.svg"' in part and f'href="figures/{name}.csv"' in part


def test_the_table_of_runs_has_every_arm_and_every_failure(made):
    _, found, page = made
    best = found["all_summary"].query("is_best_rate")
    rows = rows_module.arms(found["all_summary"])
    assert len(rows) == len(best)
    text = page.read_text().split('<table id="arms"')[1].split("</table>")[0]
    assert text.count("<tr>") == len(best) + 1
    lost, total = failures(found["all_runs"])
    counts = found["all_runs"]["status"].value_counts()
    assert total == len(lost)  # few enough to be shown in full
    for status in ("diverged", "stuck"):
        assert sum(r["lost"] for r in lost if r["status"] == status) == counts.get(status, 0)
    numbers = [r["lost"] for r in lost if r["status"] == "stuck"]
    assert numbers == sorted(numbers, reverse=True) and all(r["lost"] <= r["runs"] for r in lost)
    assert failures(found["all_runs"].query("status == 'ok'")) == ([], 0)


def test_long_tables_say_where_the_rest_is(made, monkeypatch, tmp_path):
    study, _, page = made
    monkeypatch.setattr("winit.report.rows.SHOWN_ARMS", 7)
    monkeypatch.setattr("winit.report.rows.SHOWN_FAILURES", 3)
    monkeypatch.setattr("winit.report.exhibits.EMBEDDED_ROWS", 100)
    write(study, page.parent.parent / "results", tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert "The first 7 of" in text and "/summary.csv</code> has all" in text
    assert "The first 3 of" in text and "too many for this page" in text


def test_without_the_extra_the_page_is_static(made, monkeypatch, tmp_path):
    study, _, page = made
    monkeypatch.setattr("winit.report.explorer.bundle", lambda: None)
    write(study, page.parent.parent / "results", tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert 'id="explore"' not in text and 'id="vega"' not in text and '#explore"' not in text.split("<script type=")[0]
    assert text.count("<figure") == page.read_text().count("<figure") - 3


@pytest.fixture(scope="module")
def explored(made):
    return explorer.explorer(made[1])


def read(csv: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(csv))


def arm(explored, **factors) -> int:
    names = [choice.name for choice in explored.initializers]
    activations = [name for name, _ in explored.activations]
    wanted = (
        explored.settings.index(factors["setting"]), activations.index(factors["activation"]), factors["depth"],
        names.index(factors["initializer"]),
    )  # fmt: skip
    arms = read(explored.arms).set_index(["setting", "activation", "depth", "initializer"])
    return int(arms.loc[[wanted], "arm"].item())


def test_charts_show_medians_at_the_chosen_rate(made, explored):
    _, found, _ = made
    number = arm(explored, setting="digits", activation="tanh", depth=3, initializer="he_normal")
    rows = read(explored.curves).query(f"arm == {number}").set_index("step")
    best = digits(found["summary"]).query(
        "is_best_rate and activation == 'tanh' and depth == 3 and initializer == 'he_normal'"
    )
    chosen = found["runs"].merge(best[["dataset", "activation", "depth", "initializer", "learning_rate"]])
    curves = found["curves"][found["curves"]["run_id"].isin(chosen["run_id"])]
    for metric in explorer.METRICS:
        assert rows[metric].to_numpy() == pytest.approx(curves.groupby("step")[metric].median().to_numpy(), rel=1e-3)


def test_charts_show_variances_beside_their_theory(made, explored):
    _, found, _ = made
    number = arm(explored, setting="digits", activation="tanh", depth=3, initializer="he_normal")
    rows = read(explored.layers).query(f"arm == {number}").set_index("layer")
    with figure_style():
        forward, backward = (
            signals.signal(found["layers"], digits(found["runs"]), quantity, 3, digits(found["theory"])).data
            for quantity in ("h_variance", "delta_variance")
        )
    for data, quantity in ((forward, "h_variance"), (backward, "delta_variance")):
        drawn = data.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")
        assert rows[quantity].dropna().to_numpy() == pytest.approx(drawn[quantity].to_numpy(), rel=1e-3)
        assert rows[f"{quantity}_theory"].dropna().to_numpy() == pytest.approx(drawn["theory"].to_numpy(), rel=1e-3)


def test_charts_data_do_not_grow_with_runs(made, explored):
    _, found, _ = made
    more = dict(found)
    for name in ("runs", "curves", "layers"):
        twice = found[name].assign(run_id=found[name]["run_id"] + "x")
        more[name] = pd.concat([found[name], twice], ignore_index=True)
    again = explorer.explorer(more)
    assert (again.arms, again.curves, again.layers) == (explored.arms, explored.curves, explored.layers)


def test_charts_data_keep_to_their_budget_and_say_so(made, explored):
    _, found, _ = made
    size = len(explored.curves) + len(explored.layers)
    assert explored.note == "" and size < explorer.BUDGET
    small = explorer.explorer(found, budget=size // 2)
    assert len(small.curves) + len(small.layers) <= size // 2
    assert "training accuracy" in small.note and "1 settings" in small.note.replace("1 setting,", "1 settings,")
    assert set(small.metrics) == {"validation_score", "train_loss"}


def test_every_marker_of_the_catalogue_has_a_symbol():
    assert {scheme.marker for scheme in schemes.SCHEMES.values()} <= set(explorer.SHAPES)
    assert {marker for marker, _ in [*KNOWN_LOOKS.values(), *OTHER_LOOKS]} <= set(explorer.SHAPES)


def test_the_policy_knows_our_scripts_and_no_others(made):
    _, _, page = made
    text = page.read_text()
    (policy,) = re.findall(r"script-src ([^;]+);", text)
    (module,) = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in (module, explorer.bundle())]
    assert policy == " ".join(f"'sha256-{h}'" for h in hashes)
    assert "University of Washington" in text, "the bundle comes with its licences"
