"""Golden runs: short runs of everything that can move a number, with all of their numbers pinned in `golden.json`.

They fail when a stream, a tolerance, a constant or a default changes what a stored run means. If that is intended, raise
`study.REVISION` and pin the runs again:

    python -m tests.test_golden
    git diff tests/golden.json

Other processors and math libraries round differently. Runs are therefore short and their learning rates moderate, and
floats are compared with the tolerances below. Names, run ids, steps and counts of units must be equal.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from winit.study.compose import compose
from winit.training.workload import train

GOLDEN = Path(__file__).with_name("golden.json")

BASE = (
    "study=smoke", "extra_grids=null", "grid.depth=[2]", "grid.width=[12]", "grid.replicates=1", "grid.tuning_replicates=0",
    "grid.learning_rate=[0.1]", "training.steps=8", "training.batch_size=32", "pretraining.steps=20",
    "measure.budgets=[]", "measure.curve_points=4", "measure.layer_points=2", "measure.probe_examples=128",
)  # fmt: skip
SCHEDULED = ("training.warmup=3", "training.weight_decay=0.01")

CASES: dict[str, tuple[str, ...]] = {
    # Engines and optimizers. Adam starts from weights so small that its epsilon matters.
    "kernel sgd": (
        "engine=kernel", "training=sgd", "grid.activation=[relu]", "grid.initializer=[he_normal,torch_default]",
        "grid.learning_rate=[0.1,1e30]", "measure.histogram_bins=8", "measure.trace_points=3",
    ),
    # Nothing but the choice of rates is measured in tuning runs. Outcomes are read at two budgets.
    "tuning": (
        "grid.activation=[tanh]", "grid.initializer=[glorot_normal]", "grid.learning_rate=[0.1,0.3]",
        "grid.tuning_replicates=2", "measure.budgets=[3]",
    ),
    "images": (
        "dataset=[shapeset,mnist5k]", "grid.activation=[relu]", "grid.initializer=[he_normal]", "measure.budgets=[3]",
    ),
    "kernel momentum": (
        "engine=kernel", "training=momentum", "training.schedule=cosine", *SCHEDULED, "grid.activation=[tanh]",
        "grid.initializer=[glorot_uniform,orthogonal:1,lecun_truncated_normal,mean_field:1.5/0.05,edge_of_chaos:0.05]",
        "grid.learning_rate=[0.03]",
    ),
    "kernel nesterov": (
        "engine=kernel", "training=nesterov", "training.schedule=linear", *SCHEDULED, "grid.activation=[relu]",
        "grid.initializer=[he_uniform]", "grid.learning_rate=[0.03]", "dataset=[spirals]",
    ),
    "kernel adam": (
        "engine=kernel", "training=adam", "training.weight_decay=1e-6", "grid.activation=[tanh]",
        "grid.initializer=[glorot_normal,normal:0.0003]", "grid.learning_rate=[0.003]",
    ),
    "kernel adamw": (
        "engine=kernel", "training=adamw", "training.schedule=cosine", "training.warmup=3", "grid.activation=[sigmoid]",
        "grid.initializer=[glorot_normal]", "grid.learning_rate=[0.003]",
    ),
    "torch sgd": (
        "engine=torch", "training=sgd", "grid.activation=[gelu]", "grid.initializer=[he_normal]",
        "grid.learning_rate=[0.1,1e30]", "dataset=[spirals]", "measure.histogram_bins=8", "measure.trace_points=3",
    ),
    "torch momentum": (
        "engine=torch", "training=momentum", "training.schedule=cosine", *SCHEDULED, "grid.activation=[silu]",
        "grid.initializer=[he_normal]", "grid.learning_rate=[0.03]",
    ),
    "torch nesterov": (
        "engine=torch", "training=nesterov", "training.schedule=linear", *SCHEDULED, "grid.activation=[elu]",
        "grid.initializer=[he_fan_avg]", "grid.learning_rate=[0.03]",
    ),
    "torch adam": (
        "engine=torch", "training=adam", "training.weight_decay=1e-6", "grid.activation=[tanh]",
        "grid.initializer=[glorot_normal,normal:0.0003]", "grid.learning_rate=[0.003]",
    ),
    "torch adamw": (
        "engine=torch", "training=adamw", "training.schedule=cosine", "training.warmup=3", "grid.activation=[mish]",
        "grid.initializer=[he_normal]", "grid.learning_rate=[0.003]",
    ),
    # Saturation: many units lie near both bounds, and some slopes near the one that counts as dead.
    "saturated sigmoid": (
        "grid.activation=[sigmoid]", "grid.depth=[3]", "grid.width=[24]", "grid.initializer=[normal:1,mean_field:0.01/196]",
    ),
    "saturated tanh": ("grid.activation=[tanh]", "grid.width=[16]", "grid.initializer=[normal:0.5]"),
    "saturated LeCun's tanh": ("grid.activation=[lecun_tanh]", "grid.width=[16]", "grid.initializer=[normal:0.5]"),
    "saturated softsign": (
        "grid.activation=[softsign]", "grid.width=[16]", "grid.initializer=[normal:5]", "grid.learning_rate=[0.0001]",
    ),
    # Regularization, in the kernel and in torch. Small weights make batch normalization's epsilon matter.
    "batch norm": ("grid.batch_norm=[true]", "grid.activation=[relu]", "grid.initializer=[he_normal,normal:0.01]"),
    "dropout": ("grid.dropout=[0.3]", "grid.activation=[tanh]", "grid.initializer=[glorot_uniform]"),
    "batch norm and dropout": (
        "grid.batch_norm=[true]", "grid.dropout=[0.3]", "grid.activation=[relu]", "grid.initializer=[he_normal]",
    ),
    "torch batch norm": (
        "engine=torch", "grid.batch_norm=[true]", "grid.activation=[relu]", "grid.initializer=[he_normal,normal:0.01]",
    ),
    "torch dropout": ("engine=torch", "grid.dropout=[0.3]", "grid.activation=[tanh]", "grid.initializer=[glorot_uniform]"),
    # Pretraining and its controls.
    "autoencoder": (
        "grid.activation=[tanh]", "grid.initializer=[glorot_uniform]",
        "grid.pretraining=[none,none+longer,autoencoder,autoencoder+shuffled,autoencoder+moments]",
    ),
    "free autoencoder": (
        "grid.activation=[sigmoid]", "grid.initializer=[glorot_uniform]", "data.scaling=unit", "pretraining.decoder=free",
        "pretraining.loss=cross_entropy", "pretraining.optimizer=momentum", "grid.pretraining=[autoencoder,autoencoder+shuffled]",
    ),
    "denoising by masking": (
        "grid.activation=[tanh]", "grid.initializer=[glorot_uniform]",
        "grid.pretraining=[denoising_autoencoder,denoising_autoencoder+moments]",
    ),
    "denoising of Gaussian noise": (
        "grid.activation=[relu]", "grid.initializer=[he_normal]", "grid.pretraining=[denoising_autoencoder]",
        "pretraining.corruption=gaussian", "grid.pretraining_rate=[0.5]",
    ),
    "binary RBM": (
        "grid.activation=[sigmoid]", "grid.initializer=[normal:0.1]", "data.scaling=unit",
        "grid.pretraining=[rbm,rbm+shuffled,rbm+moments]",
    ),
    "Gaussian RBM": (
        "grid.activation=[sigmoid]", "grid.initializer=[normal:0.1]", "grid.pretraining=[rbm]", "pretraining.layers=1",
        "pretraining.rbm.gibbs_steps=2",
    ),
    "linear RBM": ("grid.activation=[identity]", "grid.initializer=[normal:0.05]", "grid.pretraining=[rbm]"),
    "supervised": (
        "grid.activation=[tanh]", "grid.initializer=[torch_default]",
        "grid.pretraining=[supervised,supervised+shuffled,supervised+moments]",
    ),
    # Modifiers. With biases LSUV measures the variance over examples.
    "modifiers": (
        "grid.activation=[tanh]", "training=sgd", "grid.initializer=[lsuv,mean_field:1.5/0.4+lsuv,mean_field:1/2+lsuv,"
        "normal:1e-160+lsuv,he_normal+gradinit,normal:0.5+gradinit,torch_default+metainit,he_normal+last_layer_zero]",
    ),
    # Biases that depend on the weights, weights that sum to 0, and units or Jacobians that are normalized on data.
    "new modifiers": (
        "grid.activation=[sigmoid,relu]", "training=sgd",
        "grid.initializer=[he_normal+unit_norm,normal:0.1+unit_jacobian,gpn,glorot_normal+centered,orthogonal:1+centered,he_normal+zero_sum,scaled_ws]",
    ),
    # Not both at once: batch normalization makes gradients of biases zero but for rounding, and Adam makes steps of them.
    "modifiers with Adam": (
        "grid.activation=[relu]", "training=adam", "grid.learning_rate=[0.003]", "grid.initializer=[normal:0.1+gradinit]",
    ),
    "modifiers with batch norm": (
        "grid.activation=[relu]", "grid.batch_norm=[true]", "grid.initializer=[lsuv,normal:0.01+gradinit]",
    ),
    # Deep autoencoders.
    "reconstruction": (
        "task=reconstruction", "task.encoder=[12,5]", "grid.activation=[sigmoid]", "data.scaling=unit",
        "task.loss=cross_entropy", "training=adam", "grid.learning_rate=[0.003]", "grid.initializer=[glorot_uniform]",
        "grid.pretraining=[none,rbm,autoencoder]",
    ),
    "reconstruction of standardised inputs": (
        "task=reconstruction", "task.encoder=[12,5]", "grid.activation=[tanh]", "training=momentum",
        "grid.learning_rate=[0.001]", "grid.initializer=[glorot_uniform]", "grid.pretraining=[none,denoising_autoencoder+shuffled]",
    ),
}  # fmt: skip

NOT_PINNED = {"device", "wall_time_s", "calibration_time_s", "pretraining_time_s"}
FLOOR = 1e-6  # of a column's largest value: what cancels has no digits of its own
RELATIVE = 1e-4
TOLERANCE = {  # absolute, where rounding can move a whole example, value or count
    "train_accuracy": 0.004, "validation_accuracy": 0.004, "test_accuracy": 0.004,  # one of 299 examples
    "saturated": 1e-3,  # one of 128 · 12 activations
    "h_count": 1, "delta_count": 1,
}  # fmt: skip


def measured(case: str) -> dict[str, dict[str, object]]:
    """Train the runs of a case, and return each one's workload and row of the store, rounded."""
    overrides = [*BASE, *CASES[case]]
    if "task=reconstruction" in overrides:  # depth and width follow from the encoder
        overrides = [text for text in overrides if not text.startswith(("grid.depth", "grid.width"))]
    composed = compose(overrides)
    runs = {}
    for workload in composed.workloads:
        chunks = train(workload, workload.schedule({}).runs, torch.device("cpu"), composed.settings["engine"])
        for row in (row for rows in chunks for row in rows):
            label = f"{row['initializer']}, {row['pretraining']}, rate {row['learning_rate']:g}, replicate {row['replicate']}"
            numbers = {name: _plain(value) for name, value in row.items() if name not in NOT_PINNED}
            runs[label] = {"workload": workload.name} | numbers
    return runs


def _plain(value: object) -> object:
    """Return a value as JSON can hold it: numbers of seven digits, null for what is not a number."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | np.ndarray):
        return [_plain(v) for v in np.ravel(value).tolist()]
    if isinstance(value, int | np.integer):
        return int(value)
    return None if np.isnan(value) else float(f"{value:.7g}")


def _difference(name: str, got: object, row: dict[str, object]) -> str | None:
    """Return a line on a column that differs from the pinned row by more than its tolerance, or None."""
    want = row.get(name)
    ours, theirs = (v if isinstance(v, list) else [v] for v in (got, want))
    is_exact = name not in TOLERANCE and not any(isinstance(v, float) for v in (*ours, *theirs))
    if is_exact or len(ours) != len(theirs) or [v is None for v in ours] != [v is None for v in theirs]:
        return None if got == want else f"{name}: got {got}, pinned {want}"
    a, b = (np.array([v for v in values if v is not None], float) for values in (ours, theirs))
    # The smallest singular values may be 0 but for rounding.
    size = np.array(row["jacobian_high"] if name.startswith("jacobian") else want, float)
    size = np.abs(size[np.isfinite(size)]).max(initial=0)
    allowed = RELATIVE * np.abs(b) + FLOOR * size + TOLERANCE.get(name, 0)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        far = ~((a == b) | (np.abs(a - b) <= allowed))
    return f"{name}: got {a[far].tolist()}, pinned {b[far].tolist()}" if far.any() else None


@pytest.fixture(scope="module")
def golden() -> dict[str, dict]:
    return json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("case", CASES)
def test_golden_runs(case, golden):
    got, want = measured(case), golden[case]
    assert list(got) == list(want)
    lines = [
        f"{label}: {line}"
        for label, row in got.items()
        for name in {**row, **want[label]}
        if (line := _difference(name, row.get(name), want[label]))
    ]
    assert not lines, "stored runs would mean something else; raise study.REVISION if that is intended\n" + "\n".join(
        lines
    )


def test_every_pinned_case_is_run(golden):
    assert list(golden) == list(CASES)


def pin() -> None:
    """Write `golden.json`: one column of a run on a line."""

    def braced(entries: list[str], indent: str) -> str:
        return "{\n" + ",\n".join(f"{indent}  {entry}" for entry in entries) + f"\n{indent}}}"

    def run(row: dict[str, object]) -> str:
        return braced([f"{json.dumps(name)}: {json.dumps(value)}" for name, value in row.items()], "    ")

    def entry(case: str) -> str:
        return braced([f"{json.dumps(label)}: {run(row)}" for label, row in measured(case).items()], "  ")

    GOLDEN.write_text(braced([f"{json.dumps(case)}: {entry(case)}" for case in CASES], "") + "\n")


if __name__ == "__main__":
    pin()
