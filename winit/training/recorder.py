"""Record the measurements of a chunk, and make the rows of the run store."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from winit.engine.engine import TRACE, Engine
from winit.store.schema import FIELDS, Row, stored_columns
from winit.study.protocol import Role, Run
from winit.study.steps import log_spaced
from winit.study.workload import Workload
from winit.training import probes
from winit.training.data import Examples, WorkloadData
from winit.training.pretraining import activations
from winit.training.start import InitialState

Stage = Literal["drawn", "pretrained", "training"]


class Moment(NamedTuple):
    """A moment at which layers are probed: the stage of the network, and the updates done in training."""

    stage: Stage
    step: int


class Recorder:
    """The measurements of the runs of a chunk.

    Of tuning runs, only losses and scores at the budgets are measured.

    A network that diverges leaves the stack, and later measurements of its run are NaN.

    Attributes:
        curve_steps: steps at which loss and score are evaluated on the training sample and the test part.
        budgets: the curve steps that are budgets, at which the validation part is also evaluated.
        layer_steps: steps at which every layer is probed.
        trace_steps: steps that are traced on their mini-batches.
        moments: of all probes. Networks without pretraining have no moment in the stage `pretrained`.
        active: the runs whose networks are still in the stack, in order.
        diverged: step, from 1, and layer at which networks diverged, by run.
    """

    def __init__(self, workload: Workload, runs: Sequence[Run], data: WorkloadData) -> None:
        self.workload, self.runs, self.data = workload, runs, data
        steps, measure = workload.training.steps, workload.measure
        self.budgets = list(workload.budgets)
        self.is_judged = runs[0].role is Role.JUDGED  # a chunk has one replicate and hence one role
        curve = log_spaced(steps, measure.curve_points) if self.is_judged else [0]
        self.curve_steps = sorted({*curve, *self.budgets})
        self.layer_steps = log_spaced(steps, measure.layer_points) if self.is_judged else []
        self.trace_steps = log_spaced(steps - 1, measure.trace_points) if self.is_judged else []
        self.moments = [Moment("drawn", 0), Moment("pretrained", 0)] if self.is_judged else []
        self.moments += [Moment("training", step) for step in self.layer_steps if step]
        self.active = np.arange(len(runs))
        self.diverged: dict[int, tuple[int, int]] = {}
        self._updates = np.array([workload.pretraining_updates(run.pretraining) for run in runs])  # of pretraining
        sizes = {
            "curve_step": len(self.curve_steps),
            "budget": len(self.budgets),
            "test_example": len(data.test.y) if self.predicts else 0,
            "layer_step": len(self.moments),
            "layer": workload.depth + 1,
            "bin": measure.histogram_bins,
            "trace_step": len(self.trace_steps),
        }
        names = [
            name
            for table in ("curves", "outcomes", "predictions", "layers", "jacobians", "histograms", "traces")
            for name in stored_columns(table)
        ]
        self._values: dict[str, np.ndarray] = {}  # (runs, …), with the axes of the fields
        for field in [FIELDS[name] for name in names]:
            empty = np.nan if field.type.startswith("float") else 0
            self._values[field.name] = np.full((len(runs), *(sizes[a] for a in field.axes)), empty, field.type)

    def evaluate(self, networks: Engine, step: int) -> None:
        """Record loss and score on the training sample and on the test part."""
        parts = {"train": self.data.train_sample, "test": self.data.test}
        self._evaluate(networks, parts, self.curve_steps.index(step))

    def read_outcome(self, networks: Engine, step: int) -> None:
        """Record loss and score on the validation part at a budget."""
        self._evaluate(networks, {"validation": self.data.validation}, self.budgets.index(step))

    def _evaluate(self, networks: Engine, parts: Mapping[str, Examples], index: int) -> None:
        for part, (loss, score) in zip(parts, networks.evaluate_parts(list(parts.values())), strict=True):
            self._values[f"{part}_loss"][self.active, index] = loss.cpu().numpy()
            self._values[f"{part}_accuracy"][self.active, index] = score.cpu().numpy()

    @property
    def predicts(self) -> bool:
        """Whether predictions are recorded: those of judged classifiers."""
        return self.is_judged and not self.workload.task.is_reconstruction

    def predict(self, networks: Engine) -> None:
        """Record the predicted class and the probability of the true class of each test example."""
        if not self.predicts:
            return
        x, y = self.data.test
        logits = networks.predict(x)
        probability = torch.softmax(logits, dim=2)[:, torch.arange(len(y)), y]
        self._values["test_prediction"][self.active] = logits.argmax(dim=2).cpu().numpy()
        self._values["test_probability"][self.active] = probability.cpu().numpy()

    def probe_drawn(self, networks: Engine) -> None:
        """Record every layer of all networks as drawn, before pretraining.

        Runs that differ only in learning rate or pretraining have the same network.
        """
        if self.is_judged:
            self._probe(networks, 0, [run.initializer for run in self.runs])

    def probe(self, networks: Engine, step: int) -> None:
        """Record every layer after the given number of updates; after 0 updates only for pretrained networks."""
        if step:
            self._probe(networks, self.moments.index(Moment("training", step)), self.active.tolist())
        else:
            ways = [(run.initializer, run.pretraining, run.pretraining_rate) for run in self.runs]
            keys = [way if updates else None for way, updates in zip(ways, self._updates, strict=True)]
            self._probe(networks, 1, [keys[k] for k in self.active])

    def _moments_at(self, step: int) -> np.ndarray:
        """Return the index of the moment of each network in the stack after the given number of updates."""
        if step == 0:
            return (self._updates[self.active] > 0).astype(np.int64)
        return np.full(len(self.active), self.moments.index(Moment("training", step)))

    def _probe(self, networks: Engine, moment: int, keys: Sequence[Hashable | None]) -> None:
        """Measure every layer, and record the results for a moment.

        Args:
            networks: the stack.
            moment: its index.
            keys: of each network in the stack. Networks with the same key are identical and measured once. Networks without a
                key are not measured.
        """
        first = {key: position for position, key in reversed(list(enumerate(keys))) if key is not None}
        if not first:
            return
        x, y = self.data.probe
        distinct = probes.Probed.of(networks, list(first.values()))
        measured = probes.layer_statistics(
            distinct, activations(self.workload), x, y, self.workload.measure.histogram_bins
        )
        jacobian = measured.pop("jacobian")
        measured |= dict(zip(stored_columns("jacobians"), jacobian.unbind(dim=1), strict=True))
        place = {key: i for i, key in enumerate(first)}
        positions = [position for position, key in enumerate(keys) if key is not None]
        source = [place[keys[position]] for position in positions]
        for name, values in measured.items():
            self._values[name][self.active[positions], moment] = values.cpu().numpy()[source]

    def record_update(self, step: int, before: Sequence[Tensor], runs: np.ndarray, networks: Engine) -> None:
        """Record the relative size of the update that follows a probe.

        Args:
            step: the updates done before it.
            before: weights of every layer before the update.
            runs: the runs whose networks were in the stack before the update.
            networks: the remaining networks after the update.
        """
        if len(self.active):
            kept = torch.from_numpy(np.flatnonzero(np.isin(runs, self.active))).to(before[0].device)
            ratio = probes.update_ratio([w[kept] for w in before], networks.weights)
            self._values["update_ratio"][self.active, self._moments_at(step)] = ratio.cpu().numpy()

    def record_trace(self, steps: Sequence[int], trace: Tensor) -> None:
        """Record the measurements (K, steps, layers, 4) of traced steps."""
        indices = np.array([self.trace_steps.index(step) for step in steps])
        for name, values in zip(TRACE, trace.float().cpu().numpy().transpose(3, 0, 1, 2), strict=True):
            self._values[f"trace_{name}"][np.ix_(self.active, indices)] = values

    def drop(self, diverged: Mapping[int, tuple[int, int]], start: int) -> np.ndarray:
        """Record networks that diverged, and return the positions of the others in the stack.

        Args:
            diverged: by position in the stack, the step after `start` and the layer.
            start: updates done before the first of those steps.
        """
        for position, (step, layer) in diverged.items():
            self.diverged[int(self.active[position])] = start + step + 1, layer
        kept = np.array([k for k in range(len(self.active)) if k not in diverged], np.int64)
        self.active = self.active[kept]
        return kept

    def rows(self, begun: InitialState, engine: str, device: str, wall_time_s: float) -> list[Row]:
        """Return the rows of the run store.

        Args:
            begun: the networks before training.
            engine, device: names of the engine and the device.
            wall_time_s: share of the wall time of each network.
        """
        facts = {"engine": engine, "device": device, "wall_time_s": wall_time_s}
        return [facts | self._run_fields(k, begun) | self._measurements(k) for k in range(len(self.runs))]

    def _run_fields(self, k: int, begun: InitialState) -> dict[str, object]:
        """Return the fields of one run except measurements in training."""
        run, cost, pretrained = self.runs[k], begun.costs[k], begun.pretrained[k]
        step, layer = self.diverged.get(k, (None, None))
        return {
            "run_id": run.id,
            "initializer": run.initializer,
            "pretraining": run.pretraining,
            "pretraining_rate": run.pretraining_rate,
            "learning_rate": run.learning_rate,
            "replicate": run.replicate,
            "diverged_step": step,
            "diverged_layer": layer,
            "calibration_time_s": cost.time_s,
            "calibration_forward": cost.forward,
            "calibration_backward": cost.backward,
            "pretraining_time_s": pretrained.time_s if pretrained else 0.0,
            "pretraining_step": pretrained.steps if pretrained else [],
            "pretraining_error": pretrained.errors.ravel() if pretrained else [],
            "pretraining_baseline": pretrained.baselines if pretrained else [],
        }

    def _measurements(self, k: int) -> dict[str, object]:
        """Return the fields of one run that were measured in training."""
        updates = int(self._updates[k])
        moments = [i for i, moment in enumerate(self.moments) if updates or moment.stage != "pretrained"]
        fields: dict[str, object] = {
            "curve_step": self.curve_steps,
            "budget": [budget - self.workload.longer_by for budget in self.budgets],
            "layer_step": [_stored_step(self.moments[i], updates) for i in moments],
            "trace_step": self.trace_steps,
        }
        for name, values in self._values.items():
            axes = FIELDS[name].axes
            own = values[k, moments] if "layer_step" in axes else values[k]
            fields[name] = own.ravel() if axes else own
        return fields


def _stored_step(moment: Moment, pretraining_updates: int) -> int:
    """Return the step of a probe in the run store: before pretraining, minus the number of updates until step 0."""
    return -pretraining_updates if moment.stage == "drawn" else moment.step
