"""Tables of what was measured in single runs, and how the run store holds their columns."""

from __future__ import annotations

from dataclasses import replace

from winit.store.schema.column import (
    BOOL,
    FLOAT,
    FLOAT32,
    INT,
    INT32,
    OPTIONAL_INT,
    STR,
    Column,
    Stored,
    Table,
    kept,
    table,
)

FACTORS: Table = table(
    Column("dataset", STR, "", "dataset"),
    Column("activation", STR, "", "activation of the hidden layers"),
    Column("depth", INT, "layers", "hidden layers"),
    Column("width", INT, "units", "units in each hidden layer"),
    Column("batch_norm", BOOL, "", "whether hidden layers have batch normalization"),
    Column("dropout", FLOAT, "", "probability that a hidden unit is dropped in training"),
    Column("optimizer", STR, "", "sgd, momentum, nesterov, adam or adamw"),
    kept("initializer", STR, "", "scheme and its parameters, as in the grid"),
    kept("pretraining", STR, "", "way of pretraining, with its control after a +, as in the grid"),
    kept(
        "pretraining_rate", FLOAT, "", "factor on the learning rates of the way of pretraining; 1 without pretraining"
    ),
    kept("learning_rate", FLOAT, "", "learning rate"),
    Column("role", STR, "", "judged: used to compare initializers; tuning: used only to choose learning rates"),
    kept("replicate", INT, "", "index of the random streams of weights and mini-batches"),
)

OUTCOME = (
    Column("status", STR, "", "ok, lost_target, missed_target, stuck or diverged"),
    Column(
        "steps_to_target",
        FLOAT,
        "updates",
        "step at which the test score first reaches the target, interpolated in log(step) between evaluated steps; infinite "
        "if it never does",
    ),
    Column(
        "train_loss",
        FLOAT,
        "nats",
        "loss at the end of the budget on a fixed sample of training examples. Classification: mean cross-entropy; reconstruction: "
        "squared error, without a unit, summed over the outputs, mean over examples. Missing after a divergence",
    ),
    Column(
        "train_score",
        FLOAT,
        "",
        "score at the end of the budget on the same sample. Classification: accuracy; reconstruction: explained share of the mean "
        "predictor's error",
    ),
    Column("validation_loss", FLOAT, "nats", "loss at the end of the budget on the validation part"),
    Column("validation_score", FLOAT, "", "score at the end of the budget on the validation part"),
    Column("test_loss", FLOAT, "nats", "loss at the end of the budget on the test part"),
    Column("test_score", FLOAT, "", "score at the end of the budget on the test part"),
)

RUNS: Table = table(
    kept("run_id", STR, "", "key: 16 hexadecimal digits, a hash of everything that determines the run"),
    *FACTORS.values(),
    Column("steps", INT, "updates", "updates in the budget"),
    Column("batch_size", INT, "examples", "examples in a mini-batch"),
    Column("is_extension", BOOL, "", "whether tuning added its learning rate to the grid"),
    Column("chance", FLOAT, "", "score of random guessing: 1/C for classification, 0 for reconstruction"),
    *OUTCOME,
    kept(
        "diverged_step",
        OPTIONAL_INT,
        "updates",
        "step in whose forward pass the output became non-finite, counted from 1; budget + 1: after the last update",
    ),
    kept("diverged_layer", OPTIONAL_INT, "", "first layer with a non-finite pre-activation; depth + 1 is the output"),
    kept("device", STR, "", "device it was trained on: cpu or cuda"),
    kept(
        "engine",
        STR,
        "",
        "engine that trained it: kernel (fused, CPU), triton (fused, CUDA) or torch (batched products)",
    ),
    kept("wall_time_s", FLOAT, "seconds", "its share of the wall time of its stack"),
    kept("calibration_time_s", FLOAT, "seconds", "wall time of its data-dependent initialization; 0 if it has none"),
    kept(
        "calibration_forward",
        FLOAT,
        "passes",
        "forward passes of data-dependent initialization, each on one training mini-batch",
    ),
    kept("calibration_backward", FLOAT, "passes", "backward passes of data-dependent initialization"),
    Column("pretraining_updates", INT, "updates", "updates of single layers before step 0; 0 without pretraining"),
    kept("pretraining_time_s", FLOAT, "seconds", "its share of the wall time of pretraining its stack"),
)

LAYER = Column("layer", INT32, "", "1 is the first hidden layer, depth + 1 the output")
STAGE = Column(
    "stage",
    STR,
    "",
    "drawn: as initialized; pretrained: as pretraining left it; training: after at least one update of the whole network",
)
PROBED_STEP = Column(
    "step", INT32, "updates", "updates done; negative before pretraining: minus its number of updates of single layers"
)

# Outcomes that are measured at the budgets. The others come from the curves.
_READ = {"validation_loss": "validation_loss", "validation_score": "validation_accuracy"}

OUTCOMES: Table = table(
    Column("run_id", STR, "", "key, with budget"),
    kept(
        "budget",
        INT,
        "updates",
        "budget after which the run is evaluated; runs with none+longer are evaluated later, by the updates of pretraining",
        "budget",
        field="budget",
    ),
    *(replace(c, stored=Stored(_READ[c.name], c.type, ("budget",))) if c.name in _READ else c for c in OUTCOME),
)

PREDICTIONS: Table = table(
    Column("run_id", STR, "", "key, with example; empty for reconstructions"),
    Column("example", INT32, "", "index of the test example in the test part of the replicate"),
    kept(
        "prediction",
        INT32,
        "",
        "class predicted at the end of training",
        "test_example",
        field="test_prediction",
    ),
    kept(
        "probability",
        FLOAT32,
        "",
        "predicted probability of the true class",
        "test_example",
        field="test_probability",
    ),
)

CURVES: Table = table(
    Column("run_id", STR, "", "key, with step"),
    kept("step", INT32, "updates", "updates done", "curve_step", field="curve_step"),
    kept("train_loss", FLOAT32, "nats", "loss, as in runs, on a fixed sample of training examples", "curve_step"),
    kept("train_score", FLOAT32, "", "score, as in runs, same sample", "curve_step", field="train_accuracy"),
    kept("test_loss", FLOAT32, "nats", "loss on the test part", "curve_step"),
    kept("test_score", FLOAT32, "", "score on the test part", "curve_step", field="test_accuracy"),
)


def _layer(name: str, unit: str, meaning: str) -> Column:
    """Return a statistic of a layer at the probed steps."""
    return kept(name, FLOAT, unit, meaning, "layer_step", "layer")


LAYERS: Table = table(
    Column("run_id", STR, "", "key, with step and layer"),
    STAGE,
    kept("step", INT32, "updates", PROBED_STEP.meaning, "layer_step", field="layer_step"),
    LAYER,
    _layer("z_mean", "", "mean of the pre-activations over probe examples and units"),
    _layer("z_variance", "", "variance of the pre-activations over probe examples and units"),
    _layer("h_mean", "", "mean of the activations; missing in the output layer"),
    _layer("h_variance", "", "variance of the activations over probe examples and units"),
    _layer("h_example_variance", "", "variance of a unit's activation over probe examples, mean over units"),
    _layer("delta_variance", "", "variance of ∂(loss of an example)/∂z over probe examples and units"),
    _layer("gradient_variance", "", "variance of ∂(mean loss)/∂W over the weights of the layer"),
    _layer(
        "saturated",
        "",
        "share of units × probe examples with |φ′(z)| below 0.05 of its maximum; missing if φ does not saturate",
    ),
    _layer("dead", "", "share of units with |φ′| below 1e-6 on every probe example"),
    kept(
        "distinct_units",
        INT32,
        "units",
        "units with distinct incoming weights and bias",
        "layer_step",
        "layer",
        field_type=FLOAT,
    ),
    Column("units", INT32, "units", "units in the layer"),
    _layer("correlation", "", "mean cosine of the pre-activations of two probe examples, over disjoint pairs"),
    _layer("weight_rank", "", "effective rank (Σσ²)²/Σσ⁴ of the weights; missing if all are 0"),
    _layer("activation_rank", "", "effective rank of the centred activations over probe examples and units"),
    _layer("update_ratio", "", "‖ΔW‖/‖W‖ of the next update; infinite if W is zero and the update is not"),
)


def _jacobian(name: str, meaning: str, field: str) -> Column:
    """Return a statistic of the input-output Jacobian at the probed steps."""
    return kept(name, FLOAT, "", meaning, "layer_step", field=f"jacobian_{field}")


JACOBIANS: Table = table(
    Column("run_id", STR, "", "key, with step"),
    STAGE,
    PROBED_STEP,
    _jacobian(
        "mean",
        "mean of the singular values of ∂logits/∂inputs over 8 probe examples; missing with batch normalization",
        "mean",
    ),
    _jacobian("minimum", "minimum of the singular values", "low"),
    _jacobian("lower_quartile", "lower quartile of the singular values", "lower_quartile"),
    _jacobian("median", "median of the singular values", "median"),
    _jacobian("upper_quartile", "upper quartile of the singular values", "upper_quartile"),
    _jacobian("maximum", "maximum of the singular values", "high"),
)

HISTOGRAM_REACH = 4.0  # half-width of a histogram around 0, in root mean squares of the layer

HISTOGRAMS: Table = table(
    Column(
        "run_id", STR, "", "key, with step, layer and bin_low; the table is empty unless measure.histogram_bins is set"
    ),
    STAGE,
    PROBED_STEP,
    LAYER,
    Column("bin_low", FLOAT, "root mean squares of the layer", "lower edge; the first bin includes all smaller values"),
    Column("bin_high", FLOAT, "root mean squares of the layer", "upper edge; the last bin includes all larger values"),
    kept(
        "h_count",
        INT,
        "values",
        "activations in the bin; 0 in the output layer, and if the root mean square is 0 or a value is not finite",
        "layer_step",
        "layer",
        "bin",
    ),
    kept("delta_count", INT, "values", "values of ∂(loss of an example)/∂z in the bin", "layer_step", "layer", "bin"),
)


def _trace(name: str, meaning: str, field: str) -> Column:
    """Return a statistic of a layer on the mini-batch of a traced step."""
    return kept(name, FLOAT32, "", meaning, "trace_step", "layer", field=f"trace_{field}")


TRACES: Table = table(
    Column("run_id", STR, "", "key, with step and layer"),
    kept(
        "step",
        INT32,
        "updates",
        "updates done before the traced step, which is measured on its own mini-batch in float32",
        "trace_step",
        field="trace_step",
    ),
    LAYER,
    _trace("h_mean", "mean of the activations (output layer: of the logits)", "h_mean"),
    _trace("h_mean_square", "mean square of the activations (output layer: of the logits)", "h_square"),
    _trace("delta_mean_square", "mean square of ∂(loss of an example)/∂z over examples and units", "delta_square"),
    _trace(
        "gradient_mean_square",
        "mean square of ∂(mean loss)/∂(W, b) over the parameters of the layer",
        "gradient_square",
    ),
)

PRETRAINING: Table = table(
    Column("run_id", STR, "", "key, with layer and step"),
    Column("layer", INT32, "", "layer being pretrained; 1 is the first"),
    kept("step", INT32, "updates", "updates of the layer", "pretraining_step", field="pretraining_step"),
    kept(
        "error",
        FLOAT,
        "",
        "reconstruction error: squared, summed over the inputs of the layer, mean over a sample of uncorrupted training examples; "
        "for a supervised layer the cross-entropy of its classifier in nats",
        "pretraining_layer",
        "pretraining_step",
        field="pretraining_error",
    ),
    kept(
        "baseline",
        FLOAT,
        "",
        "error of predicting the mean of the inputs; for a supervised layer log C in nats",
        "pretraining_layer",
        field="pretraining_baseline",
    ),
)

MEASURED: dict[str, Table] = {
    "runs": RUNS,
    "outcomes": OUTCOMES,
    "predictions": PREDICTIONS,
    "curves": CURVES,
    "layers": LAYERS,
    "jacobians": JACOBIANS,
    "histograms": HISTOGRAMS,
    "traces": TRACES,
    "pretraining": PRETRAINING,
}

# Measured times: the only columns that differ between two runs of the same study.
TIME_COLUMNS = tuple(name for name, column in RUNS.items() if column.unit == "seconds")
