"""Training a workload: independent of chunks, honest about divergence, and equal to a plain loop over one network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.engine.networks import single
from tests.runs import runs_of
from winit import datasets
from winit.engine.objectives import loss_and_accuracy
from winit.study.seeds import seed
from winit.study.steps import log_spaced
from winit.training import probes
from winit.training.data import WorkloadData
from winit.training.engines import choose_engine
from winit.training.start import initial_parameters
from winit.training.workload import learning_rates, mini_batches, train, train_chunk

CPU = torch.device("cpu")


ENGINES = ["kernel", "torch"]


def rows_of(workload, runs=None, engine="auto", networks=None):
    return [r for rows in train(workload, runs or runs_of(workload), CPU, engine, networks) for r in rows]


def comparable(row):
    return {k: np.asarray(v).tobytes() if not isinstance(v, str) else v for k, v in row.items() if "time_s" not in k}


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adamw"])
@pytest.mark.parametrize(
    ("engine", "regularization"),
    [(engine, kind) for engine in ENGINES for kind in ([], ["grid.batch_norm=[true]"], ["grid.dropout=[0.4]"])],
)
def test_rows_do_not_depend_on_the_chunk(tiny, engine, optimizer, regularization):
    # A rate of 1e20 makes some networks diverge and leave their stacks at different steps.
    workload = tiny(
        f"training.optimizer={optimizer}", "grid.learning_rate=[0.1,1e20]", "measure.trace_points=20",
        "training.schedule=cosine", "training.weight_decay=0.01", *regularization,
    ).workloads[0]  # fmt: skip
    whole = rows_of(workload, engine=engine, networks=100)
    for networks in (1, 5):
        for ours, theirs in zip(rows_of(workload, engine=engine, networks=networks), whole, strict=True):
            assert comparable(ours) == comparable(theirs), (networks, theirs["run_id"])
    backwards = rows_of(workload, runs_of(workload)[::-1], engine)
    for ours, theirs in zip(backwards, whole[::-1], strict=True):
        assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_is_a_plain_loop_over_one_network(tiny, engine):
    workload = tiny("grid.activation=[tanh]", "grid.initializer=[torch_default]", "grid.learning_rate=[0.3]").workloads[
        0
    ]
    run = runs_of(workload)[1]
    (row,) = rows_of(workload, [run], engine)
    weights, biases = ([torch.from_numpy(p) for p in parts] for parts in initial_parameters(workload, [run])[:2])
    model = single(weights, biases, 0, "tanh")
    split = datasets.load("digits", {}, seed(0, "data", dataset="digits", replicate=run.replicate))
    x, y = torch.from_numpy(split.train.x), torch.from_numpy(split.train.y)
    sgd = torch.optim.SGD(model.parameters(), run.learning_rate)
    for batch in mini_batches(workload, run.replicate, len(y), workload.training.steps):
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        sgd.step()
    test = model(torch.from_numpy(split.test.x)).detach()
    loss, accuracy = loss_and_accuracy(test[None], torch.from_numpy(split.test.y))
    assert row["test_loss"][-1] == pytest.approx(loss.item(), rel=1e-4)
    assert row["test_accuracy"][-1] == pytest.approx(accuracy.item(), abs=1 / len(test))


@pytest.mark.parametrize("engine", ENGINES)
def test_constant_weights_keep_one_distinct_unit_and_random_ones_all(tiny, engine):
    study = tiny("grid.initializer=[zeros,constant:0.1,he_normal]", "training.steps=60")
    for workload in study.workloads:
        for row in rows_of(workload, engine=engine):
            distinct = np.asarray(row["distinct_units"]).reshape(-1, workload.depth + 1)[:, : workload.depth]
            assert (distinct == (workload.width if row["initializer"] == "he_normal" else 1)).all(), row["initializer"]


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_breaks_the_symmetry_of_constant_weights(tiny, engine):
    workload = tiny("grid.initializer=[constant:0.1]", "grid.activation=[tanh]", "grid.dropout=[0.5]").workloads[0]
    for row in rows_of(workload, engine=engine):
        distinct = np.asarray(row["distinct_units"]).reshape(-1, workload.depth + 1)[:, 0]
        assert distinct[0] == 1 and distinct[-1] == workload.width


def test_rates_follow_the_schedule(tiny):
    study = tiny("training.schedule=linear", "training.warmup=4", "grid.learning_rate=[0.1]", "grid.replicates=1")
    workload = study.workloads[0]
    rates = learning_rates(workload, runs_of(workload)[:1], workload.training.steps + 1)[:, 0]
    assert rates[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert rates[12] == pytest.approx(0.05) and rates[20] == 0
    cosine = tiny("training.schedule=cosine").workloads[0].training
    assert [cosine.rate_factor(t) for t in (0, 5, 10, 20)] == pytest.approx([1, (1 + 0.5**0.5) / 2, 0.5, 0])


@pytest.mark.parametrize("engine", ENGINES)
def test_traced_steps(tiny, engine):
    plain, every = tiny().workloads[0], tiny("measure.trace_points=20").workloads[0]
    for none, row in zip(
        rows_of(plain, runs_of(plain)[:3], engine), rows_of(every, runs_of(every)[:3], engine), strict=True
    ):
        assert none["trace_step"] == [] and row["trace_step"] == list(range(20))
        assert np.array_equal(none["test_loss"], row["test_loss"])  # to trace changes nothing
        trace = row["trace_gradient_square"].reshape(20, every.depth + 1)
        assert (trace[:, -1] > 0).all()
    some = tiny("measure.trace_points=4").workloads[0]
    (row,) = rows_of(some, runs_of(some)[:1], engine)
    assert row["trace_step"] == log_spaced(19, 4)
    assert (
        row["trace_h_square"].reshape(4, -1)
        == rows_of(every, runs_of(every)[:1], engine)[0]["trace_h_square"].reshape(20, -1)[row["trace_step"]]
    ).all()


def test_zeros_with_tanh_learn_nothing_but_the_output_bias(tiny):
    workload = tiny("grid.activation=[tanh]", "grid.initializer=[zeros]").workloads[0]
    for row in rows_of(workload):
        ratio = np.asarray(row["update_ratio"]).reshape(-1, workload.depth + 1)
        assert (ratio == 0).all()
        assert row["train_loss"][0] == pytest.approx(np.log(10), rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverged_run_names_step_and_layer_and_keeps_its_row(tiny, engine):
    workload = tiny(
        "grid.activation=[relu]", "grid.initializer=[he_normal]", "grid.learning_rate=[0.1,1e30]"
    ).workloads[0]
    for row in rows_of(workload, engine=engine):
        assert row["engine"] == engine
        if row["learning_rate"] == 0.1:
            assert row["diverged_step"] is None and row["diverged_layer"] is None
            assert np.isfinite(row["test_loss"]).all()
        else:
            assert 1 < row["diverged_step"] <= 20 and 1 <= row["diverged_layer"] <= 3
            after = np.array(row["curve_step"]) >= row["diverged_step"]
            assert np.isnan(row["train_loss"][after]).all() and np.isnan(row["test_loss"][after]).all()
            assert np.isfinite(row["test_loss"][0]) and np.isnan(row["validation_loss"]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_the_last_update_ruined_has_diverged(tiny, engine):
    study = tiny(
        "training.steps=1", "grid.learning_rate=[1e30]", "grid.activation=[relu]", "grid.initializer=[he_normal]",
        "dataset.digits.target_accuracy=0",
    )  # fmt: skip
    for row in rows_of(study.workloads[0], engine=engine):
        assert row["diverged_step"] == 2  # the forward pass after the only update
        assert np.isnan(row["test_accuracy"][-1]) and np.isnan(row["validation_accuracy"][-1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "shape",
    [("sigmoid", 50, 8, 128), ("sigmoid", 16, 5, 33), ("tanh", 50, 7, 100), ("relu", 33, 31, 65)],
    ids=lambda s: "-".join(map(str, s)),
)
def test_rows_do_not_depend_on_the_chunk_at_odd_shapes(tiny, engine, shape):
    activation, width, batch, probe = shape
    workload = tiny(
        f"grid.activation=[{activation}]", f"grid.width=[{width}]", f"training.batch_size={batch}", "training.steps=6",
        f"measure.probe_examples={probe}", "grid.initializer=[he_normal,normal:1]", "grid.learning_rate=[0.3]", "grid.replicates=3",
    ).workloads[0]  # fmt: skip
    whole = rows_of(workload, engine=engine, networks=5)  # one odd chunk, and one network alone
    for networks in (1, 2):
        for ours, theirs in zip(rows_of(workload, engine=engine, networks=networks), whole, strict=True):
            assert comparable(ours) == comparable(theirs), networks


def test_schemes_share_mini_batches_and_noise(tiny):
    workload = tiny("grid.initializer=[he_normal,lecun_normal]").workloads[0]
    he, lecun = (next(r for r in runs_of(workload) if r.initializer == i) for i in ("he_normal", "lecun_normal"))
    (w, _, _) = initial_parameters(workload, [he, lecun])
    for layer in w:
        np.testing.assert_allclose(layer[0], np.sqrt(2, dtype=np.float32) * layer[1], rtol=1e-6)


def test_replicates_and_layers_have_streams_of_their_own(tiny):
    workload = tiny("grid.initializer=[he_normal]", "grid.depth=[3]").workloads[0]
    first, *_, last = runs_of(workload)
    assert first.replicate != last.replicate
    w, _, _ = initial_parameters(workload, [first, last])
    assert (w[1][0] != w[1][1]).all() and (w[1][0] != w[2][0]).all()


def test_mini_batches_are_shuffled_epochs(tiny):
    workload = tiny().workloads[0]
    batches = mini_batches(workload, 0, examples=100, steps=25)  # 25 · 32 = 800 = eight epochs
    assert batches.shape == (25, 32)
    epochs = batches.reshape(8, 100)
    assert (np.sort(epochs, axis=1) == np.arange(100)).all()
    assert (epochs[0] != epochs[1]).any()
    other = mini_batches(workload, 1, examples=100, steps=25)
    assert (batches != other).any()


def test_measuring_does_not_touch_training(tiny):
    few = tiny("measure.curve_points=2", "measure.layer_points=2").workloads[0]
    many = tiny("measure.curve_points=20", "measure.layer_points=20").workloads[0]
    for a, b in zip(rows_of(few), rows_of(many), strict=True):
        assert np.array_equal(a["test_loss"][-1], b["test_loss"][-1], equal_nan=True)


def test_probed_and_evaluated_steps(tiny):
    workload = tiny("measure.curve_points=6", "measure.layer_points=3").workloads[0]
    row = rows_of(workload, runs_of(workload)[:1])[0]
    assert row["curve_step"] == log_spaced(20, 6) and row["budget"] == [20] and row["layer_step"] == log_spaced(20, 3)
    assert len(row["train_loss"]) == len(row["curve_step"])
    assert len(row["z_mean"]) == len(row["layer_step"]) * (workload.depth + 1)


def test_without_numba_everything_still_works(tiny, monkeypatch):
    import sys

    for name in ("shape", "stack"):  # as if numba were missing
        monkeypatch.setitem(sys.modules, f"winit.engine.kernel.{name}", None)
    workload = tiny("grid.initializer=[he_normal]").workloads[0]
    assert {row["engine"] for row in rows_of(workload)} == {"torch"}
    with pytest.raises(ValueError, match=r"engine: got kernel, but .* is not installed"):
        choose_engine("kernel", workload, CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_agrees_with_the_cpu(tiny):
    workload = tiny("grid.activation=[tanh]", "grid.learning_rate=[0.1]").workloads[0]
    cpu = rows_of(workload)
    gpu = [r for rows in train(workload, runs_of(workload), torch.device("cuda")) for r in rows]
    for ours, theirs in zip(gpu, cpu, strict=True):
        assert ours["device"] == "cuda"
        assert ours["test_loss"] == pytest.approx(theirs["test_loss"], rel=1e-3)


def test_a_reconstruction_is_a_deep_autoencoder_scored_by_what_it_explains(tiny):
    workload = tiny(
        "task=reconstruction", "task.encoder=[20,6]", "grid.activation=[sigmoid]", "data.scaling=unit", "task.loss=cross_entropy",
        "grid.initializer=[glorot_uniform]", "grid.learning_rate=[0.01]", "grid.replicates=1", "training=adam", "training.steps=400",
        "grid.pretraining=[none,rbm]", "pretraining.steps=100",
    ).workloads[0]  # fmt: skip
    plain, pretrained = rows_of(workload)
    assert plain["engine"] == "torch" and plain["distinct_units"].reshape(-1, 4)[0].tolist() == [20, 6, 20, 64]
    split = datasets.load("digits", {}, seed(0, "data", dataset="digits", replicate=0), scaling="unit")
    nothing = np.square(split.test.x - split.train.x.mean(axis=0)).sum(axis=1).mean()
    for row in (plain, pretrained):
        assert row["test_accuracy"][-1] == pytest.approx(1 - row["test_loss"][-1] / nothing, abs=1e-5)
        assert 0.3 < row["test_accuracy"][-1] < 1
        assert len(row["test_prediction"]) == len(row["test_probability"]) == 0
    # The loss of the untrained network, from its own parameters: sigmoid everywhere but at the code.
    weights, biases, _ = initial_parameters(workload, runs_of(workload)[:1])
    h = split.test.x.astype(float)
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = h @ w[0] + b[0]
        h = z if i == 1 else 1 / (1 + np.exp(-z))
    assert plain["test_loss"][0] == pytest.approx(np.square(h - split.test.x).sum(axis=1).mean(), rel=1e-4)
    # Pretraining gives the start a code: its error begins far below.
    assert pretrained["test_loss"][0] < plain["test_loss"][0]
    with pytest.raises(ValueError, match="engine: got kernel, but it trains only classifiers; allowed is torch"):
        choose_engine("kernel", workload, CPU)


def test_every_replicate_has_a_split_of_its_own(tiny):
    workload = tiny("grid.initializer=[he_normal]").workloads[0]
    engine = choose_engine("torch", workload, CPU)

    def labels(replicate: int) -> list[list[int]]:
        data = WorkloadData(workload, engine, CPU, replicate)
        return [part.y.tolist() for part in (data.train, data.validation, data.test)]

    assert labels(0) == labels(0)
    for one, other in ((0, 1), (0, -1), (-1, -2)):
        assert all(ours != theirs for ours, theirs in zip(labels(one), labels(other), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_predictions_are_those_of_the_test_score(tiny, engine):
    """The share that is right is the test score at the end, on the replicate's own test part."""
    workload = tiny("grid.initializer=[he_normal]", "grid.activation=[tanh]", "grid.learning_rate=[0.3]").workloads[0]
    rows = rows_of(workload, engine=engine)
    assert [row["replicate"] for row in rows] == [0, 1]
    for row in rows:
        split = datasets.load("digits", {}, seed(0, "data", dataset="digits", replicate=row["replicate"]))
        right = np.asarray(row["test_prediction"]) == split.test.y
        assert right.mean() == pytest.approx(row["test_accuracy"][-1], abs=1e-6) and 0.2 < right.mean() < 1
        probability = np.asarray(row["test_probability"], float)
        assert -np.log(probability).mean() == pytest.approx(row["test_loss"][-1], rel=1e-5)
        assert (probability[right] >= 0.1).all(), "of ten classes, the likeliest has at least a tenth"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverged_run_predicts_nothing(tiny, engine):
    workload = tiny("grid.initializer=[he_normal]", "grid.activation=[relu]", "grid.learning_rate=[1e30]").workloads[0]
    for row in rows_of(workload, engine=engine):
        assert np.isnan(row["test_probability"]).all() and len(row["test_prediction"]) == len(row["test_probability"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_outcome_at_a_budget_is_that_of_a_run_trained_only_so_long(tiny, engine, optimizer):
    """To the bit: at a constant rate a longer training holds every shorter one."""
    common = (
        f"training.optimizer={optimizer}", "grid.initializer=[he_normal,normal:1]", "grid.learning_rate=[0.003,0.3,1e20]",
        "grid.activation=[relu]", "measure.layer_points=3",
    )  # fmt: skip
    (long,) = tiny(*common, "training.steps=20", "measure.budgets=[13,5]").workloads
    rows = rows_of(long, engine=engine)
    assert long.budgets == (5, 13, 20) and {tuple(row["budget"]) for row in rows} == {(5, 13, 20)}
    for index, budget in enumerate(long.budgets):
        (short,) = tiny(*common, f"training.steps={budget}").workloads
        for ours, theirs in zip(rows, rows_of(short, engine=engine), strict=True):
            at = ours["curve_step"].index(budget)
            for part in ("train", "test"):
                for what in ("loss", "accuracy"):
                    value, expected = ours[f"{part}_{what}"][at], theirs[f"{part}_{what}"][-1]
                    assert value.tobytes() == expected.tobytes(), (budget, part, what)
            for what in ("loss", "accuracy"):
                value, expected = ours[f"validation_{what}"][index], theirs[f"validation_{what}"][-1]
                assert value.tobytes() == expected.tobytes(), (budget, what)


def test_the_validation_part_is_looked_at_only_at_budgets(tiny):
    """A validation part of other labels moves what is read at the budgets, and nothing else."""
    (workload,) = tiny("grid.activation=[relu]", "measure.budgets=[7]", "measure.curve_points=20").workloads
    runs, engine = runs_of(workload)[:3], choose_engine("torch", workload, CPU)
    (one, other) = (WorkloadData(workload, engine, CPU, 0) for _ in range(2))
    other.validation = other.validation._replace(y=(other.validation.y + 1) % 10)
    for ours, theirs in zip(*(train_chunk(workload, runs, engine, data, CPU) for data in (one, other)), strict=True):
        assert len(ours["validation_loss"]) == 2 and ours["budget"] == [7, 20]
        differing = {name for name, value in comparable(ours).items() if value != comparable(theirs)[name]}
        assert differing == {"validation_loss", "validation_accuracy"}


def test_training_longer_is_read_as_much_later(tiny):
    """Its budgets are called as in the study, and read after the updates that pretraining would have taken."""
    study = tiny("grid.activation=[tanh]", "grid.initializer=[he_normal]", "grid.learning_rate=[0.1]", "measure.budgets=[5]",
                 "grid.pretraining=[none,none+longer]", "pretraining.steps=10")  # fmt: skip
    longer = next(workload for workload in study.workloads if workload.longer_by)
    (row, *_) = rows_of(longer)
    assert longer.longer_by == 20 and row["budget"] == [5, 20]
    assert {25, 40} <= set(row["curve_step"]) and row["curve_step"][-1] == 40


def test_tuning_factors_scale_the_rates_of_pretraining(tiny):
    common = ("grid.activation=[sigmoid]", "grid.initializer=[normal:0.5]", "grid.learning_rate=[0.1]", "grid.replicates=1",
              "pretraining.steps=10", "pretraining.learning_rate=0.02")  # fmt: skip
    (half,) = rows_of(tiny(*common, "grid.pretraining=[autoencoder]", "grid.pretraining_rate=[0.5]").workloads[0])
    common = (*common[:-1], "pretraining.learning_rate=0.01")
    (whole,) = rows_of(tiny(*common, "grid.pretraining=[autoencoder]").workloads[0])
    assert half["pretraining_rate"] == 0.5 and whole["pretraining_rate"] == 1.0
    assert np.array_equal(half["test_loss"], whole["test_loss"])
    assert np.array_equal(half["pretraining_error"], whole["pretraining_error"])
    (other,) = rows_of(tiny(*common, "grid.pretraining=[autoencoder]", "grid.pretraining_rate=[0.1]").workloads[0])
    assert not np.array_equal(other["pretraining_error"], whole["pretraining_error"])


def test_runs_that_differ_in_the_rate_of_pretraining_share_a_chunk_and_nothing_else(tiny):
    workload = tiny(
        "grid.activation=[sigmoid]", "grid.initializer=[normal:0.5]", "grid.learning_rate=[0.1,0.3]", "pretraining.steps=8",
        "grid.pretraining=[none,rbm,rbm+shuffled]", "grid.pretraining_rate=[0.3,3]", "grid.tuning_replicates=2",
    ).workloads[0]  # fmt: skip
    runs = workload.schedule({}).runs  # factors at the fixed rate, and both rates of what is not pretrained
    assert {run.pretraining_rate for run in runs if run.pretraining == "rbm"} == {0.3, 3.0}
    assert {run.pretraining_rate for run in runs if run.pretraining == "none"} == {1.0}
    whole = [comparable(row) for row in rows_of(workload, runs, networks=100)]
    assert [comparable(row) for row in rows_of(workload, runs, networks=1)] == whole


def test_identical_networks_are_probed_once(tiny, monkeypatch):
    """Before training, runs that differ in their rates or in pretraining alone have one network; every run has its numbers."""
    workload = tiny(
        "grid.activation=[tanh]", "grid.initializer=[he_normal,lecun_normal]", "grid.learning_rate=[0.1,0.3]",
        "grid.pretraining=[none,autoencoder]", "grid.pretraining_rate=[1]", "pretraining.steps=5", "grid.replicates=1",
        "measure.layer_points=2",
    ).workloads[0]  # fmt: skip
    runs, counts = runs_of(workload), []

    def counted(networks, *args):
        counts.append(len(networks.weights[0]))
        return layer_statistics(networks, *args)

    layer_statistics = probes.layer_statistics
    monkeypatch.setattr(probes, "layer_statistics", counted)
    rows = rows_of(workload, runs, networks=100)
    assert len(runs) == 8 and counts == [2, 2, 8]  # drawn, pretrained, trained
    monkeypatch.undo()
    for run, row in zip(runs, rows, strict=True):
        (alone,) = rows_of(workload, [run])
        assert comparable(alone) == comparable(row)
