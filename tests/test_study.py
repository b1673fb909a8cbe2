"""Studies: what a grid expands to, what identifies a run, and the sentence that each mistake gets."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from winit.study.compose import CONF, compose, dump, from_arguments, resolve, validate
from winit.study.model import log_spaced
from winit.study.seeds import seed

STUDIES = sorted(path.stem for path in (CONF / "study").glob("*.yaml"))


def test_the_default_study_is_as_large_as_promised():
    s = compose()
    grid = s.settings["grid"]
    assert len(grid["initializer"]) >= 12 and len(grid["activation"]) >= 3 and len(grid["learning_rate"]) >= 5
    assert len(grid["depth"]) >= 4 and max(grid["depth"]) == 20 and grid["replicates"] >= 5
    assert s.run_count >= 3000


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_composes_and_its_frozen_form_is_the_same_study(name):
    s = compose([f"study={name}"])
    assert s.name == name
    again = validate(yaml.safe_load(dump(s)))
    assert again.settings == s.settings and again.digest == s.digest
    assert [w.runs_digest for w in again.workloads] == [w.runs_digest for w in s.workloads]


def test_one_resolver_for_every_way_to_start(tmp_path):
    direct = compose(["study=smoke", "grid.depth=[2,4]"])
    assert resolve({"study": "smoke", "overrides": "grid.depth=[2,4]"}).settings == direct.settings
    assert resolve({"overrides": ["study=smoke", "grid.depth=[2,4]"]}).settings == direct.settings
    assert resolve(dict(direct.settings)).settings == direct.settings
    assert resolve({}).settings == compose().settings
    frozen = tmp_path / "study.yaml"
    frozen.write_text(dump(direct))
    assert from_arguments([str(frozen)]).settings == direct.settings


def test_runs_are_the_product_of_the_factors_less_what_has_no_meaning():
    s = compose(
        [
            "study=smoke",
            "extra_grids=null",
            "training.optimizer=[sgd,adam]",
            "dataset=[digits,spirals]",
            "grid.width=[8,16]",
        ]
    )
    grid = s.settings["grid"]
    pairs = len(grid["initializer"]) * len(grid["activation"]) - 1  # Kumar with ReLU
    assert s.run_count == pairs * 2 * 2 * 2 * 2 * len(grid["learning_rate"]) * (
        grid["replicates"] + grid["tuning_replicates"]
    )
    ids = [run.id for w in s.workloads for run in w.runs]
    assert len(set(ids)) == len(ids) == s.run_count
    assert len({w.name for w in s.workloads}) == len(s.workloads)
    assert [key for *key, _ in s.not_applicable] == [["kumar", "", "relu"]]


def test_a_run_is_judged_or_for_tuning_and_says_so():
    study = compose(["study=smoke", "extra_grids=null", "grid.replicates=3", "grid.tuning_replicates=2"])
    for workload in study.workloads:
        roles: dict[tuple, dict[int, str]] = {}
        for run in workload.runs:
            roles.setdefault((run.initializer, run.learning_rate), {})[run.replicate] = run.role
        each = {0: "judged", 1: "judged", 2: "judged", -1: "tuning", -2: "tuning"}
        assert roles and all(found == each for found in roles.values())


def test_a_run_id_stays_when_others_come_and_go():
    base = {run.id for w in compose(["study=smoke", "extra_grids=null"]).workloads for run in w.runs}
    wider = [
        "grid.learning_rate=[0.003,0.03,0.3]",
        "grid.depth=[2,4,6]",
        "grid.replicates=4",
        "name=other",
        "device=cpu",
    ]
    more = {run.id for w in compose(["study=smoke", *wider]).workloads for run in w.runs}
    assert base < more


@pytest.mark.parametrize(
    "change",
    ["training.steps=201", "training.batch_size=31", "seed=1", "measure.curve_points=15", "measure.probe_examples=127"],
)
def test_a_run_id_changes_with_what_changes_the_run(change):
    base = {run.id for w in compose(["study=smoke"]).workloads for run in w.runs}
    changed = {run.id for w in compose(["study=smoke", change]).workloads for run in w.runs}
    assert not base & changed


def test_a_target_is_a_reading_of_the_run_and_not_part_of_it():
    base, other = compose(["study=smoke"]), compose(["study=smoke", "dataset.digits.target_accuracy=0.5"])
    assert [w.runs_digest for w in base.workloads] == [w.runs_digest for w in other.workloads]
    assert base.digest != other.digest


def test_spellings_of_one_value_are_one_run():
    a = compose(["study=smoke", "grid.initializer=[normal:0.010]", "grid.learning_rate=[1]"])
    b = compose(["study=smoke", "grid.initializer=['normal:1e-2']", "grid.learning_rate=[1.0]"])
    assert a.settings == b.settings


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ("grid.dept=[2]", "unknown key 'grid.dept'; did you mean grid.depth, "),
        ("+grid.foo=1", "unknown key 'grid.foo'"),
        ("+study.extra=1", "unknown key 'study.extra'"),
        ("grid=3", "grid: got 3; set its keys one by one: grid.initializer="),
        (
            "study=smok",
            "study: unknown study 'smok'; did you mean 'smoke'? choose from deep_autoencoder, default, phase_diagram, smoke",
        ),
        (
            "study=[smoke,default]",
            "study: got study=[smoke,default]; it takes one of deep_autoencoder, default, phase_diagram, smoke",
        ),
        ("dataset=mnits", "dataset: unknown dataset 'mnits'; did you mean 'mnist'? choose from digits, mnist, spirals"),
        ("dataset=[]", "dataset: nothing given; it needs a mapping from digits, spirals, mnist to their settings"),
        ("grid.depth=[0]", "grid.depth: got 0; allowed is a whole number from 1 to 1000"),
        ("grid.depth=[2,x]", 'grid.depth: got "x"; allowed is a whole number from 1 to 1000'),
        ("grid.depth=[2.5]", "grid.depth: got 2.5; allowed is a whole number from 1 to 1000"),
        ("grid.depth=[2,2]", "grid.depth: got [2, 2], which lists 2 twice; once is enough"),
        ("grid.width=[true]", "grid.width: got true; allowed is a whole number from 1 to 100000"),
        ("grid.learning_rate=[-0.1]", "grid.learning_rate: got -0.1; allowed is a number from 1e-30 to 1e+30"),
        ("grid.learning_rate=[0]", "grid.learning_rate: got 0; allowed is a number from 1e-30 to 1e+30"),
        ("grid.learning_rate=[inf]", "grid.learning_rate: got Infinity; allowed is a number from 1e-30 to 1e+30"),
        ("grid.replicates=0", "grid.replicates: got 0; allowed is a whole number from 1 to 10000"),
        ("grid.initializer=[]", "grid.initializer: got an empty list []; it needs at least one value"),
        ("grid.initializer=null", "grid.initializer: nothing given; it needs an initializer"),
        (
            "grid.initializer=[he_normall]",
            "grid.initializer: unknown initializer 'he_normall'; did you mean he_normal, normal or lecun_normal?",
        ),
        ("grid.initializer=[normal]", "grid.initializer: initializer 'normal' has 0 values; write it normal:<std>"),
        ("grid.activation=[rely]", "grid.activation: unknown activation 'rely'; did you mean 'relu'?"),
        ("training.optimizer=sdg", "training.optimizer: unknown optimizer 'sdg'; did you mean 'sgd'?"),
        (
            "training.batch_size=5000",
            "training.batch_size: got 5000, but digits has 1078 training examples; allowed is at most 1078",
        ),
        ("measure.probe_examples=1079", "measure.probe_examples: got 1079, but digits has 1078 training examples"),
        ("training.steps=1.5", "training.steps: got 1.5; allowed is a whole number from 1 to 100000000"),
        ("device=gpu", "device: unknown device 'gpu'; did you mean 'cpu'? choose from auto, cpu, cuda"),
        ("name=a/b", 'name: got "a/b"; allowed is letters, digits'),
        ("name=store", "name: got store, but results/store/ is where runs are kept; take another name"),
        ("grid.learning_rate=[1e-60]", "grid.learning_rate: got 1e-60; allowed is a number from 1e-30 to 1e+30"),
        ("grid.learning_rate=[1e300]", "grid.learning_rate: got 1e+300; allowed is a number from 1e-30 to 1e+30"),
        ("training.momentum=1", "training.momentum: got 1; allowed is a number from 0 to 0.9999"),
        ("training.weight_decay=-1", "training.weight_decay: got -1; allowed is a number from 0 to 1e+06"),
        ("training.schedule=cosin", "training.schedule: unknown schedule 'cosin'; did you mean 'cosine'?"),
        ("training.warmup=200", "training.warmup: got 200 of 200 steps; allowed is less than training.steps"),
        ("grid.batch_norm=[1]", "grid.batch_norm: got 1; allowed is true or false"),
        ("grid.dropout=[1]", "grid.dropout: got 1; allowed is a number from 0 to below 1"),
        ("measure.trace_points=-1", "measure.trace_points: got -1; allowed is a whole number from 0 to"),
        ("name=..", 'name: got ".."; allowed is letters, digits'),
        ("seed=-1", "seed: got -1; allowed is a whole number from 0 to"),
        ("dataset.spirals.turns=2", "cannot compose the study from study=smoke dataset.spirals.turns=2:"),
        ("dataset.digits.turns=2", "unknown key 'dataset.digits.turns'"),
        ("grid.depth", "cannot read 'grid.depth'; write key=value, and quote lists"),
        ("grid.depth=2,3", "cannot sweep with 'grid.depth=2,3'; give a list instead: grid.depth=[…]"),
        ("~device", "cannot delete with '~device'"),
        ("device=${nope}", "cannot compose the study from"),
    ],
)
def test_bad_input_gets_one_clear_line(overrides, sentence):
    with pytest.raises(ValueError) as caught:
        compose(["study=smoke", overrides])
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["grid.pretraining=[rbn]"], "grid.pretraining: unknown pretraining 'rbn'; did you mean 'rbm'?"),
        (
            ["grid.pretraining=[rbm+shufled]"],
            "grid.pretraining: pretraining 'rbm+shufled': unknown control of rbm 'shufled'",
        ),
        (["grid.pretraining=[none+moments]"], "grid.pretraining: pretraining 'none+moments': unknown control of none"),
        (
            ["grid.pretraining=[none,rbm]", "grid.activation=[relu]"],
            "grid.pretraining: rbm fits none of the activations: the hidden units of an RBM are binary (sigmoid) or linear "
            "(identity), and ReLU is neither",
        ),
        (
            ["grid.pretraining=[autoencoder]", "pretraining.loss=cross_entropy"],
            "pretraining.loss: got cross_entropy, but inputs are standardised; allowed is squared_error, or data.scaling=unit",
        ),
        (
            [
                "grid.pretraining=[autoencoder]",
                "pretraining.loss=cross_entropy",
                "data.scaling=unit",
                "grid.activation=[tanh]",
            ],
            "pretraining.loss: got cross_entropy, but codes of tanh can leave [0, 1]; allowed is squared_error",
        ),
        (
            ["grid.pretraining=[rbm]", "pretraining.rbm.visible=binary"],
            "pretraining.rbm.visible: got binary, but inputs are standardised; allowed is gaussian, or data.scaling=unit",
        ),
        (
            ["grid.pretraining=[autoencoder]", "pretraining.layers=3"],
            "pretraining.layers: got 3, but grid.depth has networks of 2 hidden layers; allowed is at most 2, or all",
        ),
        (["pretraining.layers=0"], "pretraining.layers: got 0; allowed is a whole number of at least 1, or all"),
        (
            ["grid.pretraining=[denoising_autoencoder]", "pretraining.corruption_amount=1"],
            "pretraining.corruption_amount: got 1 for masking; allowed is a number from 0 to below 1",
        ),
        (
            ["grid.pretraining=[rbm]", "pretraining.batch_size=5000"],
            "pretraining.batch_size: got 5000, but digits has 1078 training examples",
        ),
        (
            ["task=reconstruction", "task.encoder=[]"],
            "task.encoder: got []; reconstruction needs the widths of its encoder",
        ),
        (["task.encoder=[8]"], "task.encoder: got [8], but classifiers have none"),
        (
            ["task=reconstruction", "task.loss=cross_entropy"],
            "task.loss: got cross_entropy, but inputs are standardised; allowed is squared_error, or data.scaling=unit",
        ),
        (
            ["task=reconstruction", "grid.pretraining=[supervised]"],
            "grid.pretraining: supervised fits none of the activations: supervised layers learn from labels",
        ),
        (
            ["task=reconstruction", "grid.initializer=[lsuv]"],
            "grid.initializer: got orthogonal:1+lsuv, which calibrates classifiers",
        ),
        (["+extra_grids.x={dept:[2]}"], "extra_grids.x: unknown factor 'dept'; did you mean 'depth'?"),
        (["+extra_grids.x={depth:[0]}"], "extra_grids.x.depth: got 0; allowed is a whole number from 1 to 1000"),
        (["+extra_grids.x={dataset:[spirals]}"], "extra_grids.x.dataset: unknown dataset of this study 'spirals'"),
        (["+extra_grids.x=3"], "extra_grids.x: got 3; it needs levels of"),
        (
            ["+extra_grids.x={initializer:[kumar],activation:[relu]}"],
            "extra_grids.x: nothing to train, because kumar with relu",
        ),
    ],
)
def test_bad_pretraining_tasks_and_extra_grids_get_one_clear_line(overrides, sentence):
    with pytest.raises(ValueError) as caught:
        compose(["study=smoke", *overrides])
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def ids(*overrides: str) -> set[str]:
    return {run.id for w in compose(["study=smoke", *overrides]).workloads for run in w.runs}


def test_extra_grids_add_their_runs_once():
    base = ids("extra_grids=null")
    dropout = ids("extra_grids=null", "+extra_grids.x={initializer:[he_normal],dropout:[0,0.5],depth:[2]}")
    added = dropout - base
    assert (
        base < dropout and len(added) == 3 * 2 * 4
    )  # activations, rates, replicates (one for tuning): dropout 0 is in the grid already
    crossed = compose(["study=smoke", "extra_grids=null", "+extra_grids.x={pretraining:[none,autoencoder],depth:[2]}"])
    assert crossed.run_count == len(base) + len(base) // 2
    for workload in crossed.workloads:
        assert workload.run_count == len(workload.runs) == len({run.id for run in workload.runs})


def test_another_grid_is_another_question_and_leaves_the_extra_grids_out():
    assert compose(["study=smoke"]).settings["extra_grids"]
    assert not compose(["study=smoke", "grid.depth=[3]"]).settings["extra_grids"]
    assert not compose(["study=smoke", "dataset=spirals"]).settings["extra_grids"]
    assert compose(["study=smoke", "grid.replicates=4"]).settings["extra_grids"]
    kept = compose(["study=smoke", "grid.depth=[7]", "extra_grids.pretraining.depth=[4]"])
    assert kept.settings["extra_grids"]["pretraining"]["depth"] == [4]


def test_pretraining_is_part_of_a_run_by_what_it_uses():
    def of(*overrides):
        return ids("extra_grids=null", "grid.activation=[sigmoid]", *overrides)

    plain, rbm = of(), of("grid.pretraining=[rbm]")
    assert not plain & rbm and of("pretraining.steps=9") == plain
    assert of("grid.pretraining=[none,rbm,rbm+shuffled]") > plain | rbm
    assert of("grid.pretraining=[rbm]", "pretraining.decoder=free") == rbm
    assert not of("grid.pretraining=[rbm]", "pretraining.rbm.gibbs_steps=2") & rbm
    assert not of("grid.pretraining=[rbm]", "pretraining.steps=9") & rbm
    autoencoder = of("grid.pretraining=[autoencoder]")
    assert of("grid.pretraining=[autoencoder]", "pretraining.corruption_amount=0.5") == autoencoder
    assert not of("grid.pretraining=[autoencoder]", "pretraining.decoder=free") & autoencoder


def test_training_longer_has_the_updates_of_pretraining():
    study = compose(["study=smoke", "extra_grids=null", "grid.depth=[6]", "grid.pretraining=[rbm,none+longer]",
                     "grid.activation=[sigmoid]", "pretraining.steps=50", "pretraining.layers=4"])  # fmt: skip
    steps = {run.pretraining: w.training.steps for w in study.workloads for run in w.runs}
    assert steps == {"rbm": 200, "none+longer": 200 + 4 * 50}
    rbm = next(w for w in study.workloads if w.training.steps == 200)
    assert rbm.pretraining_updates("rbm+shuffled") == 200 and rbm.pretraining_updates("none+longer") == 0


def test_a_deep_autoencoder_has_the_shape_of_its_encoder():
    study = compose(["study=smoke", "task=reconstruction", "task.encoder=[20,10,5]"])
    for workload in study.workloads:
        assert workload.widths == [64, 20, 10, 5, 10, 20, 64]
        assert (workload.depth, workload.width, workload.pretrained_layers) == (5, 20, 3)
    other = compose(["study=smoke", "task=reconstruction", "task.encoder=[20,12,5]"])
    assert not {w.name for w in study.workloads} & {w.name for w in other.workloads}


def test_batch_normalization_needs_a_batch():
    with pytest.raises(
        ValueError, match=r"training\.batch_size: got 1, but grid\.batch_norm needs at least 2 examples"
    ):
        compose(["study=smoke", "grid.batch_norm=[false,true]", "training.batch_size=1"])


def test_regularization_is_a_factor_with_workloads_of_its_own():
    plain = compose(["study=smoke", "extra_grids=null"])
    crossed = compose(["study=smoke", "extra_grids=null", "grid.batch_norm=[false,true]", "grid.dropout=[0,0.5]"])
    assert crossed.run_count == 4 * plain.run_count
    assert {w.name for w in plain.workloads} < {w.name for w in crossed.workloads}
    assert sum("-bn-" in w.name for w in crossed.workloads) == 2 * len(plain.workloads)
    assert sum("-drop0.5-" in w.name for w in crossed.workloads) == 2 * len(plain.workloads)


def test_a_grid_without_any_meaning_is_refused_with_the_reason():
    with pytest.raises(
        ValueError, match=r"^grid: nothing to train, because kumar with relu is not applicable: Kumar's rule"
    ):
        compose(["study=smoke", "grid.initializer=[kumar]", "grid.activation=[relu]"])


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"studdy": "smoke"}, "unknown key 'studdy' in --config; choose from study, overrides"),
        ({"overrides": 3}, "overrides: got 3; write overrides="),
        ({"study": "smok"}, "study: unknown study 'smok'"),
        ({"grid": {"depth": [2]}}, "dataset: nothing given"),
    ],
)
def test_bad_workflow_configuration_gets_one_clear_line(config, sentence):
    with pytest.raises(ValueError) as caught:
        resolve(config)
    assert str(caught.value).startswith(sentence)


def test_a_frozen_study_takes_no_overrides_and_must_exist(tmp_path):
    with pytest.raises(ValueError, match="a frozen study takes no overrides; got grid"):
        from_arguments(["x.yaml", "grid.depth=[2]"])
    with pytest.raises(ValueError, match="no study at"):
        from_arguments([str(tmp_path / "x.yaml")])
    (tmp_path / "x.yaml").write_text("just words\n")
    with pytest.raises(ValueError, match="is not a study"):
        from_arguments([str(tmp_path / "x.yaml")])


def test_files_that_cannot_be_read_are_named(tmp_path):
    for content in (b"a: [1", b"\xff\xfe\x00"):
        (tmp_path / "x.yaml").write_bytes(content)
        with pytest.raises(ValueError, match=r"^cannot read .*x\.yaml as YAML: ") as caught:
            from_arguments([str(tmp_path / "x.yaml")])
        assert "\n" not in str(caught.value)


def test_a_study_is_named_after_its_file_unless_it_says_otherwise(tmp_path, monkeypatch):
    import shutil

    shutil.copytree(CONF, tmp_path / "conf")
    monkeypatch.setattr("winit.study.compose.CONF", tmp_path / "conf")
    (tmp_path / "conf" / "study" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [default]\ngrid:\n  depth: [3]\n"
    )
    mine = compose(["study=mine"])
    assert mine.name == "mine" and mine.settings["grid"]["depth"] == [3]
    assert compose(["study=mine", "name=2024"]).name == "2024"
    (tmp_path / "conf" / "study" / "bare.yaml").write_text("defaults: [default]\n")
    (tmp_path / "conf" / "study" / "bare.yaml").write_text("grid:\n  depth: [3]\n")
    with pytest.raises(ValueError, match=r"conf/study/bare.yaml must begin with the line '# @package _global_'"):
        compose(["study=bare"])


def test_blanks_within_brackets_do_not_end_an_override():
    assert resolve({"study": "smoke", "overrides": "grid.depth=[2, 4] training.steps=9"}).settings["grid"]["depth"] == [
        2,
        4,
    ]


def test_the_count_of_runs_is_the_number_of_runs():
    for workload in compose(["study=smoke"]).workloads:
        assert workload.run_count == len(workload.runs)


def test_parameters_are_not_rounded():
    s = compose(["study=smoke", "grid.initializer=['normal:0.12345671','normal:0.12345672']"])
    assert s.initializers == ["normal:0.12345671", "normal:0.12345672"]


def test_momentum_is_no_factor_of_those_who_do_not_use_it():
    def ids(*more):
        return {run.id for w in compose(["study=smoke", *more]).workloads for run in w.runs}

    assert ids() == ids("training.momentum=0.5")
    assert not ids("training=momentum") & ids("training=momentum", "training.momentum=0.5")


def test_seeds_are_named_streams():
    assert seed(0, "weights", replicate=1, layer=2) == seed(0, "weights", layer=2, replicate=1)
    names = [(0, "weights", 1, 2), (0, "weights", 2, 1), (1, "weights", 1, 2), (0, "batches", 1, 2)]
    seeds = {seed(root, purpose, replicate=r, layer=layer) for root, purpose, r, layer in names}
    assert len(seeds) == 4 and all(0 <= s < 2**63 for s in seeds)


@pytest.mark.parametrize(("last", "points"), [(600, 16), (1, 2), (1, 9), (3, 2), (20, 4), (1000, 50)])
def test_log_spaced_steps(last, points):
    steps = log_spaced(last, points)
    assert steps[0] == 0 and steps[-1] == last and steps == sorted(set(steps)) and 2 <= len(steps) <= points
    if points > 2:
        assert 1 in steps


def test_the_cost_of_a_run():
    workload = compose(["study=smoke", "grid.depth=[2]", "grid.width=[32]", "training.steps=10"]).workloads[0]
    forward = (
        64 * 32 + 32 * 32 + 32 * 10
    )  # multiply-adds an example; three products of each, less the first layer's ∂L/∂x
    assert workload.flops_per_run == 10 * 32 * 2 * (3 * forward - 64 * 32)


def test_planning_imports_neither_torch_nor_pandas():
    code = (
        "import sys; from winit.cli import main\n"
        "try: main(['plan', 'study=smoke'])\n"
        "except SystemExit as e: assert not e.code\n"
        "assert not {'torch', 'pandas', 'seaborn', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True)
