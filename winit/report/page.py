"""The page of a study: tables and figures in, one self-contained HTML file out.

The page needs no network, and is complete without scripts. Figures are inline SVG whose colours follow the reader's light
or dark theme; each is also written beside the page, with the data it draws. `templates/report.js` adds what scripts can do:
files made from the page alone, tables that sort and filter, charts for chosen initializers (`winit.interactive`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winit import datasets
from winit.report import chapters, findings
from winit.report import explorer as explorer_module
from winit.report.exhibits import number
from winit.report.explorer import packed, swatch
from winit.report.rows import (
    arms,
    departures,
    effects,
    facets,
    failures,
    initial,
    outcomes,
    rankings,
    ratio_range,
    recommendation,
    reconstructions,
)
from winit.report.sections.sections import draw_sections, main_grid
from winit.report.svg import THEME
from winit.schemes import cards, catalogue, in_order, label, lines, parse
from winit.store import files
from winit.store.schema import TABLES
from winit.study.compose import dump
from winit.study.model import Study, log_spaced
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import SCALINGS, SCHEDULES, STATUSES
from winit.vocabulary.pretraining import pretraining_label


def in_script(text: str) -> Markup:
    """Return text for a script element that is not code: its parser ends at no tag and undoes no entity, report.js does."""
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;"))


def json_in_script(value: object) -> Markup:
    """Return a value as JSON that no text in it can end."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _script(name: str) -> Markup:
    return Markup((Path(__file__).parent / "templates" / name).read_text())


def _allowed(scripts: list[str]) -> str:
    """Return the sources of scripts for the page's security policy: these texts, by their hashes, and no others."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return " ".join(f"'sha256-{value}'" for value in hashes)


def write(study: Study, folder: Path, page: Path) -> None:
    """Write the page of a study, and its figures and their data beside it.

    Args:
        study: the study.
        folder: where its tables lie.
        page: the HTML file to write.

    Raises:
        ValueError: a table is missing.
    """
    found = {name: files.read(folder, name) for name in TABLES}
    found = main_grid(study, found)
    provenance = json.loads((folder / "provenance.json").read_text())
    runs = found["all_runs"]
    environment = Environment(
        loader=PackageLoader("winit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": findings.percent,
        "label": label,
        "phi": lambda name: ACTIVATIONS[name].label,
        "pretraining": pretraining_label,
        "points": lambda value: "–" if value != value else f"{100 * value:+.1f}".replace("-", "−"),
        "number": number,
        "steps": lambda value: f"{value:g}" if np.isfinite(value) else number(value),
        "swatch": swatch,
        "packed": packed,
        "in_script": in_script,
        "json_in_script": json_in_script,
    }
    settings = study.settings
    script = _script("report.js")
    explorer = explorer_module.explorer(found, study.task.is_reconstruction)
    lost, all_lost = failures(runs)
    best = arms(found["all_summary"])
    drawn = list(draw_sections(study, found, page.parent / "figures"))
    sections = [section for section in drawn if section.exhibits]
    ledger = found["claims"].to_dict("records")
    names_of_schemes = {parse(i).name for i in runs["initializer"].unique()}
    lessons = chapters.of_study(names_of_schemes, bool((runs["pretraining"] != "none").any()))
    html = environment.get_template("report.html").render(
        study=study,
        settings=settings,
        is_reconstruction=study.task.is_reconstruction,
        runs=len(runs),
        statuses=[(s, text, int((runs["status"] == s).sum())) for s, text in STATUSES.items()],
        findings=findings.headlines(found, study.task.is_reconstruction),
        of_section=lambda section: findings.of_section(section, found, study.task.is_reconstruction),
        sections=sections,
        section_ids={section.id for section in sections},
        left_out=[section for section in drawn if not section.exhibits],
        claims=ledger,
        chapters=[(lesson, [c for c in ledger if c["claim"] in lesson.claims]) for lesson in lessons],
        glossary=sorted(chapters.GLOSSARY.items()),
        bibliography=(Path(__file__).parent / "templates" / "references.bib").read_text(),
        rankings=rankings(found["ranking"]),
        recommendation=[] if study.task.is_reconstruction else recommendation(found["summary"]),
        outcomes=outcomes(runs),
        arms=best,
        facets=facets(best),
        all_arms=int(found["all_summary"]["is_best_rate"].sum()),
        failures=lost,
        all_failures=all_lost,
        explorer=explorer,
        script=script,
        script_sources=_allowed([script, explorer.bundle] if explorer else [script]),
        notices=(Path(__file__).parent / "templates" / "licences.txt").read_text() if explorer else "",
        ink={variable[4:-1]: colour for colour, variable in THEME.items()},
        effects=effects(found["pretraining_effects"]),
        baselines=found["baselines"].to_dict("records"),
        reconstructions=reconstructions(found["all_summary"]) if study.task.is_reconstruction else [],
        initial=[] if study.task.is_reconstruction else initial(found),
        deepest=int(found["runs"]["depth"].max()),
        compared=len(found["agreement"]),
        agreeing=int(found["agreement"]["agrees"].sum()),
        departures=departures(found["agreement"]),
        ratio_range=ratio_range(found["agreement"]),
        depth_limits=found["depth_limits"].to_dict("records"),
        not_applicable=found["not_applicable"].to_dict("records"),
        cards=[(card, lines(card)) for card in map(cards.card, in_order(study.initializers))],
        other_cards=[(card, lines(card)) for card in catalogue() if card.name not in study.initializers],
        activations=[(name, ACTIVATIONS[name]) for name in study.activations],
        datasets=[(name, datasets.DATASETS[name], p) for name, p in settings["dataset"].items()],
        curve_steps=log_spaced(settings["training"]["steps"], settings["measure"]["curve_points"]),
        layer_steps=log_spaced(settings["training"]["steps"], settings["measure"]["layer_points"]),
        machines=sorted(set(runs["device"] + ", " + runs["engine"] + " engine")),
        scaling=SCALINGS[settings["data"]["scaling"]],
        schedule=SCHEDULES[settings["training"]["schedule"]],
        provenance=provenance,
        frozen=dump(study),
    )
    files.write_bytes(page, html.encode())
