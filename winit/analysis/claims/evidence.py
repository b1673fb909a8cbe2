"""Parameters of a contrast, and the evidence of a cell.

A cell is a dataset, activation, depth, width and optimizer, often with an initializer. The contrast determines the
regularization.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypedDict

from winit.analysis.claims.estimates import Estimate

PLAIN_CELL = ["dataset", "activation", "depth", "width", "optimizer"]
FEWEST_REPLICATES = 5  # with fewer, a cell is not evidence

Cell = tuple[Any, ...]  # values of PLAIN_CELL


class Parameters(TypedDict, total=False):
    """What a contrast selects and compares. A missing key does not restrict the selection."""

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
    """The evidence of one cell: a value with its interval, the number of networks or pairs, and their arms.

    Attributes:
        cell: the values of `PLAIN_CELL`.
        estimate: the value; unknown if the runs of the cell are not evidence.
        replicates: number of networks or pairs of networks.
        initializer, pretraining: the arm that was measured.
        compared_with: the initializer of the reference; empty if there is none.
        quantity: what was measured, if it differs between the cells of a measure.
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
        """Number of hidden layers."""
        return int(self.cell[PLAIN_CELL.index("depth")])

    @property
    def is_silent(self) -> bool:
        """Whether it is not evidence: there are too few replicates, or no value."""
        return self.replicates < FEWEST_REPLICATES or math.isnan(self.estimate.value)

    @property
    def row(self) -> dict[str, object]:
        """Its columns in the table `claims_evidence`, without interval and outcome."""
        arms = {"initializer": self.initializer, "pretraining": self.pretraining, "compared_with": self.compared_with}
        number = {"value": self.estimate.value, "replicates": self.replicates}
        return dict(zip(PLAIN_CELL, self.cell, strict=True)) | arms | number
