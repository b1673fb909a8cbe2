"""The columns of the run store and of the tables: names, types, units, meanings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column: its dtype as pandas writes it, and what it holds."""

    dtype: str
    meaning: str


STR, INT, FLOAT, BOOL = "str", "int64", "float64", "bool"

FACTORS: dict[str, Column] = {
    "dataset": Column(STR, "dataset"),
    "activation": Column(STR, "activation of the hidden layers"),
    "depth": Column(INT, "hidden layers"),
    "width": Column(INT, "units in each hidden layer"),
    "batch_norm": Column(BOOL, "whether the hidden layers are batch-normalized"),
    "dropout": Column(FLOAT, "share of hidden units dropped in training"),
    "optimizer": Column(STR, "sgd, momentum, nesterov, adam or adamw"),
    "initializer": Column(STR, "scheme and its parameters, as in the grid"),
    "pretraining": Column(STR, "way of pretraining, and the control behind a +, as in the grid"),
    "learning_rate": Column(FLOAT, "learning rate"),
    "role": Column(STR, "judged: results are told of these runs; tuning: they choose the learning rate alone"),
    "replicate": Column(INT, "index of the random streams of weights and mini-batches"),
}

STAGE = Column(
    STR, "drawn: as initialized; pretrained: as pretraining left it; training: after at least one update of all layers"
)

TABLES: dict[str, dict[str, Column]] = {
    "runs": {
        "run_id": Column(STR, "key: 16 hexadecimal digits of everything that fixes the run"),
        **FACTORS,
        "steps": Column(INT, "updates in the budget"),
        "batch_size": Column(INT, "examples in a mini-batch"),
        "status": Column(STR, "ok, missed_target, stuck or diverged"),
        "steps_to_target": Column(FLOAT, "first evaluated step with the target validation score; infinite if none"),
        "diverged_step": Column(
            "Int64",
            "step (1 is the first) in whose forward pass the output became non-finite; budget + 1: after the last update",
        ),
        "diverged_layer": Column("Int64", "first layer with a non-finite pre-activation; depth + 1 is the output"),
        "train_loss": Column(
            FLOAT,
            "mean cross-entropy at the end, nats, on a fixed sample of training examples; of a reconstruction the squared "
            "error, summed over the outputs, mean over examples",
        ),
        "train_score": Column(
            FLOAT,
            "at the end, same sample: the accuracy of a classifier; of a reconstruction the share of the mean predictor's "
            "error that is explained",
        ),
        "validation_loss": Column(FLOAT, "the loss at the end"),
        "validation_score": Column(FLOAT, "the score at the end"),
        "test_loss": Column(FLOAT, "the loss at the end"),
        "test_score": Column(FLOAT, "the score at the end"),
        "device": Column(STR, "where it was trained: cpu or cuda"),
        "engine": Column(STR, "what trained it: kernel (fused, CPU) or torch (batched products)"),
        "wall_time_s": Column(FLOAT, "its share of the wall time of the stack it was trained in, seconds"),
        "calibration_time_s": Column(
            FLOAT, "wall time of its data-dependent initialization, seconds; 0 if it has none"
        ),
        "calibration_forward": Column(FLOAT, "what that cost in passes forward, each of one training mini-batch"),
        "calibration_backward": Column(FLOAT, "and in passes back; a training step is one of each"),
        "pretraining_updates": Column(INT, "updates of single layers before step 0; 0 without pretraining"),
        "pretraining_time_s": Column(
            FLOAT, "its share of the wall time of those, of the stack it was pretrained in, seconds"
        ),
    },
    "curves": {
        "run_id": Column(STR, "key, with step"),
        "step": Column("int32", "updates done"),
        "train_loss": Column("float32", "loss, as in runs, on a fixed sample of training examples"),
        "train_score": Column("float32", "score, as in runs, same sample"),
        "validation_loss": Column("float32", "loss"),
        "validation_score": Column("float32", "score"),
    },
    "layers": {
        "run_id": Column(STR, "key, with step and layer"),
        "stage": STAGE,
        "step": Column("int32", "updates done; negative: before pretraining, by its updates of single layers"),
        "layer": Column("int32", "1 is the first hidden layer, depth + 1 the output"),
        "z_mean": Column(FLOAT, "mean of the pre-activations over probe examples and units"),
        "z_variance": Column(FLOAT, "their variance"),
        "h_mean": Column(FLOAT, "mean of the activations; missing in the output layer"),
        "h_variance": Column(FLOAT, "their variance"),
        "delta_variance": Column(FLOAT, "variance of ∂(loss of an example)/∂z over probe examples and units"),
        "gradient_variance": Column(FLOAT, "variance of ∂(mean loss)/∂W over the weights of the layer"),
        "saturated": Column(FLOAT, "share of activations in the tails; missing where φ does not saturate"),
        "dead": Column(FLOAT, "share of units with |φ′| below 1e-6 on every probe example"),
        "distinct_units": Column("int32", "units that differ from one another in incoming weights or bias"),
        "units": Column("int32", "units in the layer"),
        "correlation": Column(FLOAT, "mean cosine of the pre-activations of two probe examples, over disjoint pairs"),
        "weight_rank": Column(FLOAT, "effective rank (Σσ²)²/Σσ⁴ of the weights; missing where all are 0"),
        "activation_rank": Column(FLOAT, "that of the activations, centred, over probe examples and units"),
        "update_ratio": Column(FLOAT, "‖ΔW‖/‖W‖ of the next update; infinite where W is zero and the update is not"),
    },
    "jacobians": {
        "run_id": Column(STR, "key, with step"),
        "stage": STAGE,
        "step": Column("int32", "updates done; negative: before pretraining, by its updates of single layers"),
        "mean": Column(
            FLOAT, "of the singular values of ∂logits/∂inputs over 8 probe examples; missing with batch norm"
        ),
        "minimum": Column(FLOAT, "the smallest"),
        "lower_quartile": Column(FLOAT, "lower quartile"),
        "median": Column(FLOAT, "median"),
        "upper_quartile": Column(FLOAT, "upper quartile"),
        "maximum": Column(FLOAT, "the largest"),
    },
    "histograms": {
        "run_id": Column(
            STR, "key, with step, layer and bin_low; the table is empty unless measure.histogram_bins is set"
        ),
        "stage": STAGE,
        "step": Column("int32", "updates done; negative: before pretraining, by its updates of single layers"),
        "layer": Column("int32", "1 is the first hidden layer, depth + 1 the output"),
        "bin_low": Column(FLOAT, "lower edge, in root mean squares of the layer; the first bin holds all below, too"),
        "bin_high": Column(FLOAT, "upper edge; the last bin holds all above, too"),
        "h_count": Column(
            INT, "activations in the bin; 0 in the output layer, and where all or one are not to be scaled"
        ),
        "delta_count": Column(INT, "values of ∂(loss of an example)/∂z in the bin"),
    },
    "traces": {
        "run_id": Column(STR, "key, with step and layer"),
        "step": Column("int32", "updates done before the step that was measured, on its own mini-batch, in float32"),
        "layer": Column("int32", "1 is the first hidden layer, depth + 1 the output"),
        "h_mean": Column("float32", "mean of the activations; in the output layer, of the logits"),
        "h_mean_square": Column("float32", "their mean square"),
        "delta_mean_square": Column("float32", "mean square of ∂(loss of an example)/∂z over examples and units"),
        "gradient_mean_square": Column("float32", "mean square of ∂(mean loss)/∂(W, b) over the parameters of the layer"),
    },
    "pretraining": {
        "run_id": Column(STR, "key, with layer and step"),
        "layer": Column("int32", "the layer that learns; 1 is the first"),
        "step": Column("int32", "its updates done"),
        "error": Column(
            FLOAT,
            "squared error of what it gives back, summed over its inputs, mean over a sample of uncorrupted training examples; "
            "of a supervised layer the cross-entropy of its classifier, nats",
        ),
        "baseline": Column(FLOAT, "that error for the mean of the inputs; of a supervised layer log C"),
    },
    "pretraining_effects": {
        **{name: FACTORS[name] for name in FACTORS if name not in ("learning_rate", "role", "replicate")},
        "learning_rate": Column(FLOAT, "the rate chosen for it, as in summary"),
        "compared_with": Column(STR, "small weights, same start, trained longer, shuffled, moments or best scaled"),
        "reference_initializer": Column(STR, "initializer of what it is compared with"),
        "reference_pretraining": Column(STR, "and its pretraining"),
        "replicates": Column(INT, "pairs: the same streams of weights and mini-batches"),
        "difference": Column(FLOAT, "mean over pairs of the difference in test score; a diverged run counts as 0"),
        "difference_low": Column(FLOAT, "lower end of its 95 % t-interval"),
        "difference_high": Column(FLOAT, "upper end"),
        "verdict": Column(STR, "better, worse, equivalent (within analysis.margin) or undecided, by the interval"),
    },
    "baselines": {
        "dataset": FACTORS["dataset"],
        "baseline": Column(STR, "mean predictor, or PCA with as many components as a code has units"),
        "components": Column(INT, "of PCA; 0 for the mean"),
        "test_loss": Column(FLOAT, "squared error on the test part, summed over the inputs, mean over examples"),
        "test_score": Column(FLOAT, "share of the mean predictor's error explained"),
    },
    "summary": {
        **{name: FACTORS[name] for name in FACTORS if name not in ("role", "replicate")},
        "runs": Column(INT, "replicates"),
        **{
            status: Column(INT, f"runs with status {status}") for status in ("ok", "missed_target", "stuck", "diverged")
        },
        "success_rate": Column(FLOAT, "share of runs that are ok"),
        "success_low": Column(FLOAT, "lower end of its 95 % Wilson interval"),
        "success_high": Column(FLOAT, "upper end"),
        "validation_loss": Column(FLOAT, "median over replicates; a diverged run counts as infinite"),
        "validation_score": Column(FLOAT, "median over replicates; a diverged run counts as 0"),
        "test_score": Column(FLOAT, "median over replicates; a diverged run counts as 0"),
        "test_loss": Column(FLOAT, "median over replicates; a diverged run counts as infinite"),
        "test_score_minimum": Column(FLOAT, "smallest replicate"),
        "test_score_maximum": Column(FLOAT, "largest replicate"),
        "steps_to_target": Column(FLOAT, "median over replicates; infinite where half or more never arrive"),
        "initial_loss": Column(
            FLOAT, "median training loss before training, nats; log C for a network that says nothing"
        ),
        "log_length_spread": Column(
            FLOAT, "standard deviation over replicates of log(mean z²), last hidden layer, untrained"
        ),
        "tuning_score": Column(
            FLOAT, "median validation score of the tuning replicates; of all, where there are none"
        ),
        "tuning_loss": Column(FLOAT, "and their median validation loss"),
        "is_best_rate": Column(BOOL, "the learning rate chosen for this initializer: best tuning score, then loss"),
        "is_edge_rate": Column(BOOL, "the chosen rate is the smallest or largest of the grid"),
    },
    "ranking": {
        "view": Column(STR, "tuned: at the rate chosen for each initializer and cell; fixed: at one rate for all"),
        "initializer": FACTORS["initializer"],
        "rate": Column(FLOAT, "that one rate; missing in the tuned view"),
        "cells": Column(INT, "settings × activations × depths of the main grid that it was tried in"),
        "learnable_cells": Column("Int64", "cells in which at least one initializer's median accuracy beats chance"),
        "runs": Column(INT, "judged runs"),
        "ok": Column(INT, "runs that reached their target"),
        "diverged": Column(INT, "runs that diverged"),
        "success_rate": Column(FLOAT, "share of runs that are ok"),
        "success_low": Column(FLOAT, "lower end of its 95 % Wilson interval"),
        "success_high": Column(FLOAT, "upper end"),
        "iqm": Column(FLOAT, "interquartile mean of the scores in learnable cells"),
        "iqm_low": Column(FLOAT, "lower end of its 95 % interval: replicates drawn anew within cells"),
        "iqm_high": Column(FLOAT, "upper end"),
        "mean_score": Column(FLOAT, "mean of the scores"),
        "worst_score": Column(FLOAT, "mean of the worst tenth of them"),
        "profile_score": Column(FLOAT, "area under the performance profile of steps to target, τ from 1 to 4"),
        "common_cells": Column("Int64", "learnable cells shared with the baseline"),
        "difference": Column(FLOAT, "mean difference in score to the baseline"),
        "difference_low": Column(FLOAT, "lower end of its 95 % interval: cells drawn anew, then pairs of replicates"),
        "difference_high": Column(FLOAT, "upper end"),
        "improvement": Column(
            FLOAT, "probability of a better score than the baseline's, in a cell at random; ties count half"
        ),
        "improvement_low": Column(FLOAT, "lower end of its 95 % interval, drawn likewise"),
        "improvement_high": Column(FLOAT, "upper end"),
        "p": Column(FLOAT, "of Wilcoxon's signed-rank test on the medians of common cells"),
        "p_holm": Column(FLOAT, "adjusted by Holm for all initializers of the view"),
        "verdict": Column(
            STR, "better, worse, equivalent or undecided, by the interval of the difference and the margin"
        ),
    },
    "profiles": {
        "view": Column(STR, "tuned or fixed, as in ranking"),
        "initializer": FACTORS["initializer"],
        "tau": Column(FLOAT, "factor τ"),
        "share": Column(FLOAT, "of cells in which its median steps to target are at most τ times the fewest"),
        "cells": Column(INT, "cells in which any initializer arrives"),
    },
    "arrivals": {
        "view": Column(STR, "tuned or fixed, as in ranking"),
        "initializer": FACTORS["initializer"],
        "step": Column(INT, "updates done"),
        "share": Column(
            FLOAT, "of runs that have reached their target by then; those that never do are censored at the budget"
        ),
        "runs": Column(INT, "judged runs"),
    },
    "claims": {
        "claim": Column(STR, "key: the claim's id"),
        "statement": Column(STR, "as the tutorial makes it"),
        "source": Column(STR, "where it is claimed"),
        "measured": Column(STR, "what is measured, in words"),
        "rule": Column(STR, "when a cell supports or refutes it, written down before the data"),
        "figure": Column(STR, "the page's section that shows it"),
        "correction": Column(STR, "where the tutorial is wrong or imprecise; else empty"),
        "cells": Column(INT, "cells that have the runs it needs"),
        "supporting": Column(INT, "of these, cells that support it"),
        "refuting": Column(INT, "cells that refute it"),
        "verdict": Column(
            STR,
            "supported (by most cells, refuted by none), refuted (likewise), mixed (some support, some refute), undecided, "
            "not tested here",
        ),
        "evidence": Column(STR, "the sentence with the numbers"),
    },
    "claims_evidence": {
        "claim": Column(STR, "the claim's id"),
        **{name: FACTORS[name] for name in ("dataset", "activation", "depth", "width", "optimizer")},
        "initializer": Column(STR, "what the number is of; several, where it is of all of them together"),
        "pretraining": FACTORS["pretraining"],
        "quantity": Column(STR, "what the number says"),
        "value": Column(FLOAT, "the number; missing where it has none"),
        "low": Column(
            FLOAT, "lower end of its 95 % interval; missing with fewer than three replicates, and for counts"
        ),
        "high": Column(FLOAT, "upper end"),
        "replicates": Column(INT, "networks, or pairs of them, that it is of"),
        "compared_with": Column(STR, "initializer of what it is compared with; empty where it stands alone"),
        "outcome": Column(STR, "supports, refutes or undecided"),
    },
    "theory": {
        **{name: FACTORS[name] for name in ("dataset", "activation", "depth", "width", "initializer")},
        "layer": Column("int32", "1 is the first hidden layer, depth + 1 the output"),
        "z_mean_square": Column(FLOAT, "mean square q of the pre-activations before training, in infinitely wide networks"),
        "h_variance": Column(FLOAT, "variance of the activations; missing in the output layer"),
        "delta_ratio": Column(FLOAT, "mean square of ∂ℓ/∂z relative to that of the output layer"),
        "correlation": Column(
            FLOAT, "cosine of the pre-activations of two inputs, begun at the mean of the probe's pairs"
        ),
        "z_spread": Column(
            FLOAT, "what this width does to z_mean_square: standard deviation of its logarithm over networks"
        ),
        "h_spread": Column(FLOAT, "the same of h_variance; missing in the output layer"),
        "delta_spread": Column(FLOAT, "the same of delta_ratio"),
        "amplification": Column(FLOAT, "growth of a small relative deviation of the first layer's q up to this layer"),
    },
    "agreement": {
        **{name: FACTORS[name] for name in ("dataset", "activation", "depth", "width", "initializer")},
        "quantity": Column(STR, "h_variance, in the last hidden layer, or delta_ratio, in the first"),
        "layer": Column("int32", "where"),
        "replicates": Column(INT, "networks measured"),
        "measured": Column(FLOAT, "geometric mean over replicates, before training"),
        "predicted": Column(FLOAT, "by the theory of infinitely wide networks"),
        "spread": Column(FLOAT, "the theory's spread at this width, of the logarithm"),
        "low": Column(
            FLOAT, "smallest mean that agrees: predicted · exp(−3 spread/√replicates − spread²/2), at most −10 %"
        ),
        "high": Column(FLOAT, "largest: predicted · exp(3 spread/√replicates), at least +10 %"),
        "agrees": Column(BOOL, "whether measured lies between low and high"),
        "reason": Column(STR, "where it is not: what stands out; else empty"),
    },
    "depth_limits": {
        **{name: FACTORS[name] for name in ("dataset", "optimizer", "activation", "width", "initializer")},
        "sigma_w2": Column(FLOAT, "fan_in Var(w) of the square hidden layers"),
        "sigma_b2": Column(FLOAT, "variance of their biases"),
        "q": Column(FLOAT, "where the length map leads from q = 1"),
        "chi_1": Column(FLOAT, "σ_w² E[φ′(√q z)²] there: the factor of the gradient's variance a layer"),
        "depth_limit": Column(
            FLOAT, "6 / abs(log χ₁) layers: deeper, training is not expected to work (Schoenholz et al. 2017)"
        ),
        "deepest_trained": Column(
            INT, "largest depth of the grid at which half of the runs reached the target; 0: none"
        ),
        "deepest_tried": Column(INT, "largest depth of the grid"),
    },
    "phase": {
        "activation": FACTORS["activation"],
        "sigma_w2": Column(FLOAT, "fan_in Var(w)"),
        "sigma_b2": Column(FLOAT, "Var(b)"),
        "q": Column(FLOAT, "where the length map leads"),
        "chi_1": Column(FLOAT, "σ_w² E[φ′(√q z)²] there: ordered below 1, chaotic above"),
        "depth_limit": Column(FLOAT, "6 / abs(log χ₁) layers"),
    },
    "not_applicable": {
        "initializer": Column(STR, "scheme and its parameters; empty where a way of pretraining has no meaning"),
        "pretraining": Column(STR, "way of pretraining; empty where an initializer has no meaning"),
        "activation": FACTORS["activation"],
        "reason": Column(STR, "why the pair has no meaning"),
    },
    "replay": {
        "scheme": Column(STR, "initializer"),
        "layer": Column(INT, "0 is the input, 1 to 5 the hidden layers"),
        "bin_low": Column(FLOAT, "lower edge of the histogram bin"),
        "bin_high": Column(FLOAT, "upper edge"),
        "count": Column(INT, "activations in the bin, over all draws"),
        "std": Column(FLOAT, "standard deviation of the layer's activations, mean over draws"),
        "saturated": Column(FLOAT, "share of activations beyond ±0.97, mean over draws"),
    },
}

HISTOGRAM_REACH = 4.0  # how far a layer's histogram goes on either side of 0, in its own root mean squares

# Columns that tell how long something took: the only ones that differ between two runs of the same study.
TIME_COLUMNS = ("wall_time_s", "calibration_time_s", "pretraining_time_s")

# Which tables a rule of the workflow writes, and which of them have a CSV copy.
REPLAYED = ("replay",)
COLLECTED = tuple(name for name in TABLES if name not in REPLAYED)
COPIED = ("runs", "summary", "not_applicable")


def documentation(names: Iterable[str] = TABLES) -> str:
    """Return the declared columns as Markdown tables: what the README shows."""
    lines = []
    for name in names:
        lines += [f"**{name}**", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{c}` | {d.dtype} | {d.meaning} |" for c, d in TABLES[name].items()]
        lines.append("")
    return "\n".join(lines).rstrip()


CURVE_COLUMNS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
LAYER_COLUMNS = (
    "z_mean", "z_variance", "h_mean", "h_variance", "delta_variance", "gradient_variance",
    "saturated", "dead", "distinct_units", "correlation", "weight_rank", "activation_rank", "update_ratio",
)  # fmt: skip
HISTOGRAM_COLUMNS = ("h_count", "delta_count")
JACOBIAN_COLUMNS = ("mean", "low", "lower_quartile", "median", "upper_quartile", "high")
TRACE_COLUMNS = ("h_mean", "h_square", "delta_square", "gradient_square")

# One row a run. A curve is a list over the evaluated steps, a Jacobian's statistic one over the probed steps, a layer
# statistic or a trace one over (step, layer), a histogram one over (step, layer, bin); an error of pretraining one over
# (layer, step), its baseline one over layers. A pretrained run was probed before pretraining, too, at a negative step.
PART = pa.schema(
    [
        ("run_id", pa.string()),
        ("initializer", pa.string()),
        ("pretraining", pa.string()),
        ("learning_rate", pa.float64()),
        ("replicate", pa.int64()),
        ("diverged_step", pa.int64()),
        ("diverged_layer", pa.int64()),
        ("test_loss", pa.float64()),
        ("test_accuracy", pa.float64()),
        ("device", pa.string()),
        ("engine", pa.string()),
        ("wall_time_s", pa.float64()),
        ("calibration_time_s", pa.float64()),
        ("calibration_forward", pa.float64()),
        ("calibration_backward", pa.float64()),
        ("pretraining_time_s", pa.float64()),
        ("pretraining_step", pa.list_(pa.int32())),
        ("pretraining_error", pa.list_(pa.float64())),
        ("pretraining_baseline", pa.list_(pa.float64())),
        ("curve_step", pa.list_(pa.int32())),
        *((name, pa.list_(pa.float32())) for name in CURVE_COLUMNS),
        ("layer_step", pa.list_(pa.int32())),
        *((name, pa.list_(pa.float64())) for name in LAYER_COLUMNS),
        *((f"jacobian_{name}", pa.list_(pa.float64())) for name in JACOBIAN_COLUMNS),
        *((name, pa.list_(pa.int64())) for name in HISTOGRAM_COLUMNS),
        ("trace_step", pa.list_(pa.int32())),
        *((f"trace_{name}", pa.list_(pa.float32())) for name in TRACE_COLUMNS),
    ]
)
