"""What a contrast asks for, and what a cell answers.

A cell is a dataset, activation, depth, width and optimizer, often with an initializer. The contrast itself fixes the
regularization.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypedDict

from winit.analysis.claims.estimates import Estimate

PLAIN_CELL = ["dataset", "activation", "depth", "width", "optimizer"]
FEWEST_REPLICATES = 5  # with fewer, no cell decides anything

Cell = tuple[Any, ...]  # values of PLAIN_CELL


class Parameters(TypedDict, total=False):
    """What a contrast is narrowed to, and what it compares; a key that is not given narrows nothing."""

    dataset: tuple[str, ...]
    activation: tuple[str, ...]
    depth: str | int | tuple[int, ...]
    budget: str
    initializer: tuple[str, ...]
    compared_with: tuple[str, ...]
    compared_at: str
    pretraining: tuple[str, ...]
    dropout: float


@dataclass(frozen=True)
class Evidence:
    """What one cell says: a number with its interval, of how many networks or pairs of them, and of which arms.

    Attributes:
        cell: the values of `PLAIN_CELL`.
        estimate: the number; unknown where the cell has runs and they say nothing.
        replicates: networks, or pairs of them, that it is of.
        initializer, pretraining: what it is of.
        compared_with: the initializer of what it is compared with; empty where it stands alone.
        quantity: what the number says, where that differs between the cells of a measure.
    """

    cell: Cell
    estimate: Estimate
    replicates: int
    initializer: str
    pretraining: str = "none"
    compared_with: str = ""
    quantity: str = ""

    @property
    def depth(self) -> int:
        """The hidden layers of its networks."""
        return int(self.cell[PLAIN_CELL.index("depth")])

    @property
    def is_silent(self) -> bool:
        """Whether it can decide nothing: the replicates are too few, or there is no number."""
        return self.replicates < FEWEST_REPLICATES or math.isnan(self.estimate.value)

    @property
    def row(self) -> dict[str, object]:
        """Its columns in the table `claims_evidence`, intervals and outcome aside."""
        arms = {"initializer": self.initializer, "pretraining": self.pretraining, "compared_with": self.compared_with}
        number = {"value": self.estimate.value, "replicates": self.replicates}
        return dict(zip(PLAIN_CELL, self.cell, strict=True)) | arms | number
