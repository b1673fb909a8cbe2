"""The tables of comparisons, made from the tables of measurements, one budget at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from winit.analysis.agreement import agreement
from winit.analysis.cell_sets import cell_sets
from winit.analysis.claims.declaration import Claim
from winit.analysis.claims.judging import judge
from winit.analysis.claims.solutions import is_solved
from winit.analysis.depth import depth_limits
from winit.analysis.pretraining_effects import pretraining_effects, pretraining_time_effects
from winit.analysis.ranking import arrivals, profiles, ranking
from winit.analysis.select import at_budget, is_pretrained, main_grid, of_budget
from winit.analysis.summary import initial_state, summarise, tuning_table
from winit.store import files
from winit.study.model import Study
from winit.study.seeds import seed
from winit.study.steps import log_spaced


@dataclass(frozen=True)
class Comparisons:
    """The runs of a study with their outcomes, and the tables written from them.

    Attributes:
        study: the study.
        folder: of its tables.
        at: the table `runs` at each budget.
        summary: the table, for all budgets.
    """

    study: Study
    folder: Path
    at: Mapping[int, pd.DataFrame]
    summary: pd.DataFrame

    @classmethod
    def of(cls, study: Study, folder: Path) -> Comparisons:
        """Read the measurements and write `tuning` and `summary`, which all other tables need."""
        runs, outcomes = files.read(folder, "runs"), files.read(folder, "outcomes")
        at = {budget: at_budget(runs, outcomes, budget) for budget in study.budgets}
        tuned = _by_budget(at, lambda budget: tuning_table(at[budget]))
        curves = files.read(folder, "curves", ["run_id", "step", "train_loss"], lambda rows: rows[rows["step"] == 0])
        begun = initial_state(runs, curves, _untrained(folder, "z_mean", "z_variance"))
        summary = _by_budget(at, lambda b: summarise(at[b], of_budget(tuned, b)).merge(begun, how="left"))
        files.write(folder, "tuning", tuned)
        files.write(folder, "summary", summary)
        return cls(study, folder, at, summary)

    def tasks(self, claims: Sequence[Claim]) -> list[Callable[[], None]]:
        """Return the remaining tasks, which are independent of each other."""
        return [lambda: self._write_claims(claims), self._write_ranking, self._write_cells, self._write_theory]

    def _write(self, tables: Mapping[str, pd.DataFrame]) -> None:
        for name, table in tables.items():
            files.write(self.folder, name, table)

    def _write_claims(self, claims: Sequence[Claim]) -> None:
        """Write the effects of pretraining, and the claims, which need them."""
        targets = {workload.dataset: workload.target_accuracy for workload in self.study.workloads}
        margin, runs = self.study.analysis.margin, self.at[self.study.budgets[-1]]
        has_pretrained = bool(is_pretrained(runs["pretraining"]).any())
        curves = files.read(
            self.folder,
            "curves",
            ["run_id", "step", "test_score"],
            lambda rows: rows if has_pretrained else rows.head(0),
        )
        effects = {
            "pretraining_effects": pretraining_effects(self.at, self.summary, margin),
            "pretraining_time_effects": pretraining_time_effects(self.at, self.summary, curves, targets, margin),
        }
        self._write(effects)
        measured = {name: files.read(self.folder, name) for name in ("runs", "outcomes", "tuning", "summary")}
        solved = set(runs.loc[is_solved(runs), "run_id"])
        measured["predictions"] = files.read(
            self.folder, "predictions", keep=lambda rows: rows[rows["run_id"].isin(solved)]
        )
        columns = [
            "run_id",
            "stage",
            "step",
            "layer",
            "h_example_variance",
            "delta_variance",
            "saturated",
            "distinct_units",
        ]
        measured["layers"] = files.read(self.folder, "layers", columns, _first_and_last)
        tables = measured | effects
        self._write(judge(claims, tables, self.study.task.is_reconstruction))

    def _main(self, budget: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return runs and summary of the main grid at a budget; empty for deep autoencoders."""

        def main(frame: pd.DataFrame) -> pd.DataFrame:
            return main_grid(self.study, frame).head(0 if self.study.task.is_reconstruction else None)

        return main(self.at[budget]), main(of_budget(self.summary, budget))

    def _write_ranking(self) -> None:
        """Write the comparison of initializers over all cells of the main grid."""
        settings, stream = self.study.analysis, seed(self.study.seed, "analysis")
        steps = log_spaced(self.study.training.steps, self.study.measure.curve_points)

        def arrived(budget: int) -> pd.DataFrame:
            return arrivals(*self._main(budget), settings, [step for step in steps if step <= budget])

        self._write(
            {
                "ranking": _by_budget(self.at, lambda b: ranking(*self._main(b), settings, stream)),
                "profiles": _by_budget(self.at, lambda b: profiles(*self._main(b), settings)),
                "arrivals": _by_budget(self.at, arrived),
            }
        )

    def _write_cells(self) -> None:
        settings, stream = self.study.analysis, seed(self.study.seed, "analysis")
        self._write({"cell_sets": _by_budget(self.at, lambda b: cell_sets(*self._main(b), settings, stream))})

    def _write_theory(self) -> None:
        """Write the agreement of measurement and theory before training, and expected and measured depth limits."""
        runs, expected = self.at[self.study.budgets[-1]], files.read(self.folder, "theory")
        layers = _untrained(self.folder, "h_variance", "delta_variance")
        self._write(
            {
                "agreement": agreement(layers, runs, expected),
                "depth_limits": depth_limits(self.study, of_budget(self.summary)),
            }
        )


def _untrained(folder: Path, *columns: str) -> pd.DataFrame:
    """Return columns of `layers` for networks before training."""
    wanted = ["run_id", "stage", "layer", *columns]
    return files.read(folder, "layers", wanted, lambda rows: rows[rows["stage"] != "training"])


def _first_and_last(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `layers` before training and at the last step of each run."""
    is_last = layers["step"] == layers.groupby("run_id", sort=False)["step"].transform("max")
    return layers[is_last | (layers["stage"] != "training")]


def _by_budget(budgets: Iterable[int], table: Callable[[int], pd.DataFrame]) -> pd.DataFrame:
    """Return a table made for every budget, with `budget` as first column."""
    frames = [table(budget).assign(budget=budget) for budget in budgets]
    joined = pd.concat(frames, ignore_index=True)
    return joined[["budget", *(name for name in joined.columns if name != "budget")]]
