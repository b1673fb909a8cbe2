"""The page of a study: one self-contained HTML file from its tables.

The page needs no network and is complete without scripts. Figures are inline SVG whose colours follow the light or dark
theme. Each figure is also written next to the page, with its data. `templates/report.js` adds downloads, sorting and
filtering of tables, and charts for chosen initializers (`winit.report.explorer`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winit import datasets, schemes
from winit.analysis.cell_sets import CELL_MARGIN, SUCCESS_LEVEL
from winit.analysis.decisions import FEWEST_DECIDED, SUCCESS_MARGIN
from winit.analysis.select import Tables
from winit.analysis.summary import MEAN_LIMIT
from winit.report import chapters, explorer, findings, protocol, rows, wording
from winit.report.context import PageContext, page_tables, read_tables
from winit.report.exhibits import Gallery, Section, shown_rows
from winit.report.explorer import Explorer
from winit.report.sections import LONGEST, SECTIONS
from winit.report.speeds import speed_tables
from winit.report.svg import THEME
from winit.schemes import cards
from winit.store import files
from winit.store.processes import run_all
from winit.study.compose import dump
from winit.study.model import Study
from winit.study.steps import log_spaced
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.factors import OPTIMIZERS, SCALINGS, SCHEDULES, STATUSES, TASKS
from winit.vocabulary.pretraining import pretraining_label


def json_in_script(value: object) -> Markup:
    """Return a value as JSON that is safe inside a script element."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def write(study: Study, folder: Path, page: Path, processes: int = 1) -> None:
    """Write the page of a study, with its figures, their data and its findings next to it.

    Args:
        study: the study.
        folder: of its tables.
        page: the HTML file to write.
        processes: number of processes; the page does not depend on it.

    Raises:
        ValueError: a table is missing.
    """
    tables = page_tables(study, read_tables(folder))
    context = PageContext(study, tables, Gallery(page.parent / "figures", shown_rows(tables["runs"])))
    charts, sections = draw(context, processes)
    found = findings.headlines(tables, study.task.is_reconstruction)
    files.write_bytes(page.with_name("findings.json"), findings.as_json(study, found))
    contents = {
        **_study_contents(study, tables),
        **_protocol_contents(study, tables),
        "findings": found,
        **_section_contents(study, sections, tables),
        **_lessons(tables),
        **_table_contents(study, tables),
        **_theory_contents(study, tables),
        **_script_contents(charts),
        "provenance": json.loads((folder / "provenance.json").read_text()),
    }
    files.write_bytes(page, _environment().get_template("report.html").render(contents).encode())


def draw(context: PageContext, processes: int = 1) -> tuple[Explorer | None, list[Section]]:
    """Return the interactive charts and the sections of a page in order, made in parallel.

    Args:
        context: the study and its tables.
        processes: largest number of processes.
    """
    sections = SECTIONS["reconstruction" if context.is_reconstruction else "classification"]
    longest_first = sorted(sections, key=lambda section: LONGEST.index(section) if section in LONGEST else len(LONGEST))
    tasks: list[Callable[[], Explorer | Section | None]] = [
        lambda: explorer.explorer(context.tables, context.is_reconstruction),
        *(partial(section, context) for section in longest_first),
    ]
    charts, *drawn = run_all(tasks, processes)
    in_order = [drawn[longest_first.index(section)] for section in sections]
    return cast(Explorer | None, charts), cast(list[Section], in_order)


def _environment() -> Environment:
    """Return the environment of the templates, with their filters."""
    environment = Environment(
        loader=PackageLoader("winit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": wording.percent,
        "thousands": lambda value: f"{value:,}",
        "label": schemes.label,
        "phi": lambda name: ACTIVATIONS[name].label,
        "pretraining": pretraining_label,
        "points": wording.points,
        "number": wording.number,
        "steps": lambda value: f"{value:g}" if np.isfinite(value) else wording.number(value),
        "swatch": explorer.swatch,
        "packed": explorer.packed,
        "json_in_script": json_in_script,
    }
    return environment


def _study_contents(study: Study, tables: Tables) -> dict[str, object]:
    """Return what the page shows about the study: settings, schemes, activations, datasets."""
    runs = tables["all_runs"]
    return {
        "study": study,
        "settings": study.settings,
        "is_reconstruction": study.task.is_reconstruction,
        "frozen": dump(study),
        "cards": [(card, schemes.lines(card)) for card in map(cards.card, schemes.in_order(study.initializers))],
        "other_cards": [(c, schemes.lines(c)) for c in schemes.catalogue() if c.name not in study.initializers],
        "activations": [(name, ACTIVATIONS[name]) for name in study.activations],
        "datasets": [(name, datasets.DATASETS[name], given) for name, given in study.datasets.items()],
        "scaling": SCALINGS[study.data.scaling],
        "schedule": SCHEDULES[study.training.schedule],
        "loss": _loss(study),
        "curve_steps": {*log_spaced(study.training.steps, study.measure.curve_points), *study.budgets},
        "layer_steps": log_spaced(study.training.steps, study.measure.layer_points),
        "machines": sorted(set(runs["device"] + ", " + runs["engine"] + " engine")),
        "not_applicable": tables["not_applicable"].to_dict("records"),
    }


def _loss(study: Study) -> str:
    """Return the name of the training loss."""
    if not study.task.is_reconstruction:
        return TASKS[study.task.name].loss.removesuffix(", nats")
    return f"{study.task.loss.replace('_', ' ')}, summed over the outputs, mean over examples"


def _protocol_contents(study: Study, tables: Tables) -> dict[str, object]:
    """Return what the page says about how runs were chosen, judged and compared."""
    runs, roles = tables["all_runs"], tables["all_runs"]["role"].value_counts()
    return {
        "at_rate": protocol.at_rate(study),
        "choice": protocol.choice(study),
        "reading": protocol.reading(study),
        "extra_grids": protocol.extra_grids(study),
        "pretraining_recipe": protocol.pretraining(study),
        "optimizers": wording.listed([OPTIMIZERS[name] for name in study.training.optimizer]),
        "full_budget": study.budgets[-1],
        "roles": {
            "judged": int(roles.get("judged", 0)),
            "tuning": int(roles.get("tuning", 0)),
            "extensions": int(runs["is_extension"].sum()),
        },
        "fewest_decided": FEWEST_DECIDED,
        "success_margin": SUCCESS_MARGIN,
        "success_level": SUCCESS_LEVEL,
        "cell_margin": CELL_MARGIN,
        "mean_limit": MEAN_LIMIT,
    }


def _section_contents(study: Study, sections: list[Section], tables: Tables) -> dict[str, object]:
    """Return the sections with figures, and the sections that were left out."""
    shown = [section for section in sections if section.exhibits]
    return {
        "of_section": lambda section: findings.of_section(section, tables, study.task.is_reconstruction),
        "sections": shown,
        "section_ids": {section.id for section in shown},
        "left_out": [section for section in sections if not section.exhibits],
    }


def _lessons(tables: Tables) -> dict[str, object]:
    """Return the claims with their verdicts, the chapters, the glossary and the references."""
    runs = tables["all_runs"]
    claims = tables["claims"].to_dict("records")
    names = {schemes.parse(initializer).name for initializer in runs["initializer"].unique()}
    lessons = chapters.of_study(names, is_pretrained=bool((runs["pretraining"] != "none").any()))
    return {
        "claims": claims,
        "chapters": [(lesson, [c for c in claims if c["claim"] in lesson.claims]) for lesson in lessons],
        "glossary": sorted(chapters.GLOSSARY.items()),
        "bibliography": _template("references.bib"),
    }


def _table_contents(study: Study, tables: Tables) -> dict[str, object]:
    """Return the rows of the page's tables of runs."""
    runs, summary = tables["all_runs"], tables["all_summary"]
    failures, failure_count = rows.failures(runs)
    arms = rows.arms(summary)
    return {
        "runs": len(runs),
        "statuses": [(status, text, int((runs["status"] == status).sum())) for status, text in STATUSES.items()],
        "outcomes": rows.outcomes(runs),
        "rankings": rows.rankings(tables["ranking"]),
        "recommendation": rows.recommendation(tables["cell_sets"]),
        "targets": rows.targets(study, tables),
        "speed_tables": speed_tables(tables["all_summaries"]),
        "arms": arms,
        "facets": rows.facets(arms),
        "all_arms": int(summary["is_best_rate"].sum()),
        "failures": failures,
        "all_failures": failure_count,
        "effects": rows.effects(tables),
        "baselines": tables["baselines"].to_dict("records"),
        "reconstructions": rows.reconstructions(summary) if study.task.is_reconstruction else [],
    }


def _theory_contents(study: Study, tables: Tables) -> dict[str, object]:
    """Return the rows of the page's tables of untrained networks and of the theory."""
    agreement = tables["agreement"]
    return {
        "initial": [] if study.task.is_reconstruction else rows.initial(tables),
        "deepest": int(tables["runs"]["depth"].max()),
        "compared": len(agreement),
        "agreeing": int(agreement["agrees"].sum()),
        "departures": rows.departures(agreement),
        "ratio_range": rows.ratio_range(agreement),
        "depth_limits": tables["depth_limits"].to_dict("records"),
    }


def _script_contents(charts: Explorer | None) -> dict[str, object]:
    """Return the scripts of the page and their data: the interactive charts, if any."""
    script = Markup(_template("report.js"))
    return {
        "explorer": charts,
        "script": script,
        "script_sources": _allowed([script, charts.bundle] if charts else [script]),
        "notices": _template("licences.txt") if charts else "",
        "ink": {variable[4:-1]: colour for colour, variable in THEME.items()},
    }


def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text()


def _allowed(scripts: list[str]) -> str:
    """Return the script sources for the page's security policy: only these texts, by their hashes."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return " ".join(f"'sha256-{value}'" for value in hashes)
