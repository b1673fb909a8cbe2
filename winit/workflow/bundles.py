"""Bundles: groups of workloads that one job trains one after another.

A job imports libraries and compiles or loads each piece of machine code only once, so workloads that share data and code
are grouped. Bundles depend only on the study, not on the number of cores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from winit.study.model import Study
from winit.study.workload import Workload
from winit.vocabulary.errors import unknown_name

# Largest number of bundles of a large study: enough to keep 2, 4 or 8 cores busy to the end.
MOST = 12
# Number of bundles of a small study, with more only if each computes for some seconds: a process takes two seconds to start.
LEAST, WORTH_A_PROCESS = 2, 1.5e11  # floating-point operations


@dataclass(frozen=True)
class Bundle:
    """Workloads that one job trains."""

    name: str
    workloads: tuple[Workload, ...]

    @property
    def arms_digest(self) -> str:
        """Twelve hexadecimal digits, a hash of the arms. The workflow compares it to see whether a job is out of date."""
        text = "|".join(f"{workload.name} {workload.arms_digest}" for workload in self.workloads)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cost(workload: Workload) -> float:
    """Return the operations of all runs that a workload can have. Pretraining and measuring are not counted."""
    return workload.flops_per_run * workload.counts.bound


def _total(workloads: list[Workload]) -> float:
    return sum(map(_cost, workloads))


def _shared(workload: Workload) -> tuple[object, ...]:
    """Return what determines a workload's data and machine code. The number of hidden layers does not."""
    layers = tuple(sorted(set(pairwise(workload.widths))))
    regularization = workload.batch_norm, workload.dropout > 0
    return workload.dataset, layers, workload.activation, workload.training.optimizer, regularization


def _in_order(study: Study) -> Iterator[Workload]:
    """Yield the workloads group by group, in order of decreasing cost of groups and of workloads within each."""
    groups: dict[tuple[object, ...], list[Workload]] = {}
    for workload in study.workloads:
        groups.setdefault(_shared(workload), []).append(workload)
    for group in sorted(groups.values(), key=_total, reverse=True):
        yield from sorted(group, key=_cost, reverse=True)


def _cut(workloads: Sequence[Workload], share: float) -> list[list[Workload]]:
    """Cut ordered workloads into parts that cost at most a share each. A workload that costs more is a separate part."""
    parts: list[list[Workload]] = []
    left = 0.0
    for workload in workloads:
        cost = _cost(workload)
        if parts and cost <= left:
            parts[-1].append(workload)
        else:
            parts.append([workload])
            left = share
        left -= cost
    return parts


def bundles(study: Study) -> tuple[Bundle, ...]:
    """Return the bundles of a study, the most expensive first, so that the last jobs are short.

    The cuts minimize the cost of the most expensive bundle.
    """
    workloads = list(_in_order(study))
    total = _total(workloads)
    most = min(MOST, max(LEAST, round(total / WORTH_A_PROCESS)))
    too_small, share = 0.0, total
    for _ in range(30):  # halves the interval of shares
        middle = (too_small + share) / 2
        if middle >= max(map(_cost, workloads)) and len(_cut(workloads, middle)) <= most:
            share = middle
        else:
            too_small = middle
    parts = sorted(_cut(workloads, share), key=_total, reverse=True)
    return tuple(Bundle(f"{i:02}", tuple(part)) for i, part in enumerate(parts, start=1))


def bundle(study: Study, name: str) -> Bundle:
    """Return a bundle by name."""
    every = bundles(study)
    for each in every:
        if each.name == name:
            return each
    raise ValueError(unknown_name(f"bundle of study '{study.name}'", name, [each.name for each in every]))
