"""The page is self-contained."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.report.made import Page
from tests.runs import fill
from winit import schemes
from winit.analysis import replay
from winit.analysis.collect import collect
from winit.report import explorer
from winit.report.context import PageContext
from winit.report.exhibits import Gallery
from winit.report.page import json_in_script, write
from winit.report.sections import SECTIONS, convergence, phase, signals
from winit.report.svg import THEME
from winit.report.wording import percent
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import TABLES
from winit.study.compose import compose
from winit.workflow.session import write_record


@pytest.fixture
def one_section(monkeypatch):
    """Draw one section alone, where the others do not matter."""
    monkeypatch.setitem(SECTIONS, "classification", [convergence])


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


def test_a_study_in_which_every_run_diverges_has_findings(one_section, tmp_path):
    study = compose(
        [
            "study=smoke",
            "grid.depth=[2]",
            "grid.width=[8]",
            "training.steps=3",
            "measure.budgets=[]",
            "extra_grids=null",
            "grid.activation=[relu]",
            "grid.initializer=[normal:1e29]",
        ]
    )
    store, folder = RunStore(tmp_path / "store"), tmp_path / "results"
    fill(store, study)
    collect(study, store, folder)
    files.write(folder, "replay", replay.replay(0, draws=5))
    tables = {name: files.read(folder, name) for name in TABLES}
    assert set(tables["runs"]["status"]) == {"diverged"}
    assert tables["summary"]["test_score"].to_list() == pytest.approx([0.1] * len(tables["summary"])), "guessing"
    write_record(study, folder, tables)
    write(study, folder, tmp_path / "report" / "index.html")
    text = (tmp_path / "report" / "index.html").read_text()
    findings = text.split('<ol class="findings">')[1].split("</ol>")[0]
    assert f"Every run diverged ({len(tables['runs'])} networks)" in findings and findings.count("<li>") == 1
    assert "supports it" not in text and "refutes it" not in text


def test_the_page_reads_every_budget(made):
    study, tables, page = made
    text = page.read_text()
    assert study.budgets == (10, 30)
    for name in ("trainability-digits", "trainability-10-digits", "trainability-spirals", "trainability-10-spirals"):
        assert f'id="fig-{name}"' in text
    for name, budget in (("trainability-10-digits", 10), ("trainability-digits", 30)):
        drawn = pd.read_csv(page.parent / "figures" / f"{name}.csv")
        rows = tables["summaries"].query(f"budget == {budget} and dataset == 'digits' and is_best_rate")
        assert sorted(drawn["test_score"]) == pytest.approx(sorted(rows["test_score"]), rel=1e-4)
    assert "The same after 10 updates" in text and "Sets of initializers after 30 updates" in text
    assert "not within 30" in text.split('id="slower"')[1].split("</section>")[0]


def test_the_page_compares_each_target_with_a_linear_model(made):
    study, tables, page = made
    body = page.read_text().split("Targets and linear model")[1].split("</table>")[0]
    for _, row in tables["baselines"].iterrows():
        target = study.datasets[row["dataset"]].target_accuracy
        assert f"{row['dataset']}</th>" in body and percent(row["test_score"]) in body and percent(target) in body
    assert "1,078 / 359 / 360" in page.read_text(), "the sizes of the parts of digits"


def test_nothing_is_called_the_best(made):
    text = made[2].read_text()
    parts = [
        text.split(f'<section id="{name}">')[1].split("</section>")[0]
        for name in ("findings", "recommendation", "ranking")
    ]
    assert not any(re.search(r"\bbest\b", re.sub(r"(?s)<script.*?</script>|<svg.*?</svg>", "", part)) for part in parts)


def test_hostile_text_is_escaped(made):
    _, _, page = made
    assert "&lt;/script&gt;&lt;script&gt;document.title=1&lt;/script&gt; &amp; why?" in page.read_text()


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
    study, tables, page = made
    text = page.read_text()
    count = len(tables["all_runs"])
    assert f"{count:,} networks: {study.product}." in text
    for status, number in tables["all_runs"]["status"].value_counts().items():
        assert re.search(rf'class="{status}"><b>{number:,}</b>', text)


def test_every_catalogued_scheme_has_its_card_on_the_page(made):
    _, _, page = made
    text = page.read_text()
    assert all(
        f"<b>{schemes.label(e)}</b>" in text
        for e in ("he_normal", "orthogonal:1", "orthogonal:1+lsuv", "zero_hadamard")
    )
    assert "torch.nn.init.kaiming_normal_(layer.weight, nonlinearity=&#39;relu&#39;)" in text


def test_text_in_scripts_cannot_end_them():
    hostile = "</script><!-- & <script>&lt;"
    assert "<" not in str(json_in_script({"name": hostile})) and json.loads(json_in_script([hostile])) == [hostile]


def test_the_page_does_not_depend_on_how_many_processes_draw_it(made, monkeypatch, tmp_path):
    study, _, page = made
    monkeypatch.setitem(SECTIONS, "classification", [signals, convergence, phase])
    for processes in (1, 2):
        write(study, page.parent.parent / "results", tmp_path / str(processes) / "index.html", processes)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "1", tmp_path / "2")
    )
    assert one == two and len(one) > 10
    sections = re.findall(r'<section id="(\w+)"', one[Path("index.html")].decode())
    assert sections.index("signals") < sections.index("convergence"), "the page keeps its order"


@pytest.mark.parametrize("most", [2, 3])
def test_captions_name_thin_lines_where_they_are_drawn(made, monkeypatch, tmp_path, most):
    study, tables, _ = made
    monkeypatch.setattr("winit.report.figures.trainability.THIN_LINES", most)
    accuracy = convergence(PageContext(study, tables, Gallery(tmp_path))).exhibits[0]
    are_drawn = re.search(r"stroke-width:0?\.3\b", (tmp_path / f"{accuracy.id}.svg").read_text()) is not None
    assert are_drawn == ("thin lines" in accuracy.caption.shows) == (most == 3)


def test_long_tables_say_where_the_rest_is(made, one_section, monkeypatch, tmp_path):
    study, _, page = made
    monkeypatch.setattr("winit.report.rows.SHOWN_ARMS", 7)
    monkeypatch.setattr("winit.report.rows.SHOWN_FAILURES", 3)
    monkeypatch.setattr("winit.report.exhibits.EMBEDDED_ROWS", 100)
    write(study, page.parent.parent / "results", tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert "The first 7 of" in text and "/summary.csv</code> has all" in text
    assert "The first 3 of" in text and "too many for this page" in text


def test_without_the_extra_the_page_is_static(made, one_section, monkeypatch, tmp_path):
    study, _, page = made
    monkeypatch.setattr("winit.report.explorer.bundle", lambda: None)
    write(study, page.parent.parent / "results", tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert 'id="explore"' not in text and 'id="vega"' not in text and '#explore"' not in text.split("<script type=")[0]
    assert text.count("<figure") == 4, "two quantities on two datasets, and no charts"


def test_the_policy_allows_only_our_scripts(made):
    _, _, page = made
    text = page.read_text()
    (policy,) = re.findall(r"script-src ([^;]+);", text)
    (module,) = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in (module, explorer.bundle())]
    assert policy == " ".join(f"'sha256-{h}'" for h in hashes)
    assert "University of Washington" in text, "the bundle comes with its licences"
