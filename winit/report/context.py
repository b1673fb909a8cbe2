"""What the sections of a page need: a study, its tables, and the gallery for its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis.select import (
    Tables,
    at_chosen_rate,
    judged,
    main_grid,
    of_budget,
    one_rate,
    since_pretraining,
)
from winit.report import protocol
from winit.report.exhibits import Caption, Exhibit, Gallery, Omission
from winit.report.figures.style import Drawn
from winit.report.wording import PRETRAINED_SETTING
from winit.store import files
from winit.store.schema import TABLES
from winit.study.model import Study
from winit.vocabulary.words import count

NOT_SHOWN = ("outcomes", "predictions", "traces", "claims_evidence")  # tables that the page does not read


def page_tables(study: Study, tables: Tables) -> dict[str, pd.DataFrame]:
    """Return the tables of a page: tables of the main grid under their names, and tables of all runs.

    Extra grids have their own sections. Tuning replicates are only counted and not shown anywhere else.

    Args:
        study: the study.
        tables: its tables, as collected.

    Returns:
        `tables`, with `runs`, `summary`, `curves`, `layers`, `jacobians` and `histograms` restricted to the judged runs of the
        main grid, and `layers` without measurements from before pretraining. `judged_runs` has the judged runs of all grids.
        `all_runs`, `all_curves` and `all_layers` are the original tables. `all_summary`, `summary` and `tuning` are for the
        full budget; `all_summaries`, `summaries` and the comparisons of initializers for all budgets.
    """
    shown = {**tables} | {f"all_{name}": tables[name] for name in ("runs", "curves", "layers")}
    shown["all_summaries"], shown["summaries"] = tables["summary"], main_grid(study, tables["summary"])
    shown["all_summary"], shown["summary"] = of_budget(shown["all_summaries"]), of_budget(shown["summaries"])
    shown["tuning"] = main_grid(study, of_budget(tables["tuning"]))
    shown["judged_runs"] = judged(tables["runs"])
    shown["runs"] = main_grid(study, shown["judged_runs"])
    if len(shown["runs"]) < len(tables["runs"]):
        for name in ("curves", "layers", "jacobians", "histograms"):
            is_shown = tables[name]["run_id"].isin(shown["runs"]["run_id"])
            shown[name] = tables[name] if is_shown.all() else tables[name][is_shown]
    shown["layers"] = since_pretraining(shown["layers"], tables["runs"])
    return shown


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a study that a page needs, long tables restricted to the runs that are shown.

    Args:
        folder: of the tables.

    Returns:
        `curves` of the judged runs at chosen rates. `layers`, `jacobians` and `histograms` before training, of these runs and
        of one run that represents all rates. `layers` during training, of runs at chosen rates, of the shallowest networks,
        of runs from constant weights, and of runs with dropout and the same runs without.

    Raises:
        ValueError: a table is missing.
    """
    long = ("curves", "layers", "jacobians", "histograms")
    tables = {name: files.read(folder, name) for name in TABLES if name not in (*long, *NOT_SHOWN)}
    # Sorted, so that what is sorted by category is sorted as the strings would be.
    run_ids = pd.Index(sorted(tables["runs"]["run_id"]))
    tables["runs"]["run_id"] = pd.Categorical(tables["runs"]["run_id"], run_ids)
    runs = judged(tables["runs"])
    chosen = at_chosen_rate(runs, of_budget(tables["summary"]))
    is_constant = runs["initializer"].map(
        {name: schemes.parse(name).scheme.family == "constant" for name in runs["initializer"].unique()}
    )
    twins = runs.loc[runs["dropout"] > 0, ["dataset", "activation", "depth", "initializer"]].drop_duplicates()
    depths = runs.groupby(PRETRAINED_SETTING)["depth"].transform("min")
    of_chosen = _among(chosen)
    of_begun = of_chosen | _among(one_rate(runs))
    of_whole = of_chosen | _among(runs[is_constant | (runs["depth"] == depths)]) | _among(runs.merge(twins))

    def of(is_wanted: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
        return is_wanted[rows["run_id"].cat.codes]

    def untrained(rows: pd.DataFrame) -> np.ndarray:
        return of(of_begun, rows) & (rows["stage"] != "training").to_numpy()

    keep = {
        "curves": lambda rows: rows[of(of_chosen, rows)],
        "layers": lambda rows: rows[of(of_whole, rows) | untrained(rows)],
        "jacobians": lambda rows: rows[untrained(rows)],
        "histograms": lambda rows: rows[untrained(rows)],
    }
    return tables | {name: files.read(folder, name, keep=keep[name], run_ids=run_ids) for name in long}


def _among(runs: pd.DataFrame) -> np.ndarray:
    """Return which of all runs of a study (categories of `run_id`,) some runs are."""
    is_among = np.zeros(len(runs["run_id"].cat.categories), dtype=bool)
    is_among[runs["run_id"].cat.codes] = True
    return is_among


@dataclass(frozen=True)
class PageContext:
    """A study, its tables and its figures, from which sections are made.

    Attributes:
        study: the study.
        tables: as `page_tables` returns them.
        gallery: draws figures and writes them next to the page.
    """

    study: Study
    tables: Tables
    gallery: Gallery

    @property
    def is_reconstruction(self) -> bool:
        """Whether the networks are deep autoencoders."""
        return self.study.task.is_reconstruction

    @property
    def probe_examples(self) -> int:
        """Number of examples that layers are measured on."""
        return self.study.measure.probe_examples

    @property
    def replicates(self) -> str:
        """The number of judged replicates of the main grid, as text."""
        return count(self.tables["runs"]["replicate"].nunique(), "replicate")

    @property
    def at_rate(self) -> str:
        """The rate at which arms are compared, as the end of a sentence."""
        return protocol.at_rate(self.study)

    @property
    def budgets(self) -> list[int]:
        """The budgets after which runs are evaluated, the full budget first."""
        return sorted(self.study.budgets, reverse=True)

    @cached_property
    def named(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Runs and summary of the main grid without the points of a phase diagram, which would hide the named initializers."""
        runs, summary = self.tables["runs"], self.tables["summary"]
        if (
            self.tables["phase"].empty or self.tables["depth_limits"].empty
        ):  # no theory if all networks have batch normalization
            return runs, summary
        is_named = ~runs["initializer"].isin(list(schemes.diagram_points(runs["initializer"].unique())))
        if not is_named.any():
            return runs, summary
        return runs[is_named], summary[summary["initializer"].isin(runs.loc[is_named, "initializer"])]

    def each_setting(
        self, name: str, title: str, draw: Callable[[pd.DataFrame, pd.DataFrame], Drawn], caption: Caption
    ) -> list[Exhibit | Omission]:
        """Return one figure of named initializers for each setting; `draw` takes the setting's runs and its summary."""
        runs, summary = self.named
        return self.gallery.each(PRETRAINED_SETTING, runs, (summary,), name, title, draw, caption)

    def at_budget(self, name: str, budget: int) -> tuple[str, str]:
        """Return the id of a figure at a budget (`name-750`, or `name` at the full budget), and the budget for its title."""
        is_full = budget == self.study.budgets[-1]
        return (name if is_full else f"{name}-{budget}"), f"after {count(budget, 'update')}"


def deepest(runs: pd.DataFrame) -> int:
    """Return the largest depth of runs."""
    return int(runs["depth"].max())


def shallowest(runs: pd.DataFrame) -> int:
    """Return the smallest depth of runs."""
    return int(runs["depth"].min())
