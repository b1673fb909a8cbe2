"""Tables that are computed from the tables of single runs, or from the study alone."""

from __future__ import annotations

from winit.store.schema.column import BOOL, FLOAT, INT, INT32, OPTIONAL_INT, STR, Column, Table, others, some, table
from winit.store.schema.compared import BUDGET, COMPARED
from winit.store.schema.measured import FACTORS, LAYER

_DROPPED = "runs that diverged or are stuck are scored as random guessing, and no score is below that"
_INFINITE = "infinite for diverged runs"

PRETRAINING_EFFECTS: Table = table(
    BUDGET,
    *others(FACTORS, "learning_rate", "role", "replicate"),
    Column("learning_rate", FLOAT, "", "learning rate chosen for the arm, as in summary"),
    Column(
        "compared_at",
        STR,
        "",
        "equal training: the same number of updates, not counting pretraining; equal updates: counting pretraining; equal time: "
        "only in pretraining_time_effects",
    ),
    Column(
        "compared_with",
        STR,
        "",
        "same start: the same initializer without pretraining; best random start: the random start of the cell with the highest "
        "tuning score; random start: any other; moments or shuffled: the control",
    ),
    Column("reference_initializer", STR, "", "initializer of the reference"),
    Column(
        "reference_pretraining",
        STR,
        "",
        "pretraining of the reference; none+longer: no pretraining, but as many additional updates",
    ),
    Column("reference_updates", INT, "updates", "updates of the reference, including those of its pretraining"),
    Column(
        "is_cut_short", BOOL, "", "whether the reference had fewer updates or less time than an equal comparison needs"
    ),
    Column("pairs", INT, "pairs", "pairs of runs with the same split and the same streams of weights and mini-batches"),
    Column(
        "level",
        FLOAT,
        "",
        "confidence level of both intervals; the intervals of all pretrained arms of a cell are simultaneous at 95 %",
    ),
    Column("success_difference", FLOAT, "", "difference in the share of runs with status ok"),
    Column("success_difference_low", FLOAT, "", "lower end of its Bonett-Price interval"),
    Column("success_difference_high", FLOAT, "", "upper end"),
    Column("trained_pairs", INT, "pairs", "pairs in which both runs have status ok"),
    Column("difference", FLOAT, "", "mean difference in test score over trained_pairs; missing if there are none"),
    Column("difference_low", FLOAT, "", "lower end of its t-interval; missing with fewer than three trained_pairs"),
    Column("difference_high", FLOAT, "", "upper end"),
    Column(
        "verdict",
        STR,
        "",
        "better or worse, by the interval of success_difference; if all pairs agree in success, better, worse or equivalent (within "
        "analysis.margin), by the interval of difference; otherwise, and with fewer than five pairs, undecided",
    ),
)

# The same columns for comparisons at equal time. They depend on measured seconds, so this table is not reproducible.
PRETRAINING_TIME_EFFECTS: Table = PRETRAINING_EFFECTS | table(
    Column("compared_at", STR, "", "equal time: the same number of measured seconds"),
    Column(
        "reference_updates",
        INT,
        "updates",
        "last evaluated step of the reference that takes no longer than calibration, pretraining and training of the arm, by the "
        "medians of calibration_time_s, pretraining_time_s and wall_time_s/steps; its last step if its training ends earlier",
    ),
    Column(
        "is_cut_short",
        BOOL,
        "",
        "whether the training of the reference ends earlier; the verdict is then worse or undecided",
    ),
)

BASELINES: Table = table(
    FACTORS["dataset"],
    Column(
        "baseline",
        STR,
        "",
        "classification: linear model (logistic regression); reconstruction: mean predictor or PCA",
    ),
    Column("components", INT, "components", "components of PCA, as many as units in the code; otherwise 0"),
    Column(
        "test_loss",
        FLOAT,
        "",
        "loss on the test part. Classification: cross-entropy in nats; reconstruction: squared error, summed over the inputs, "
        "mean over examples",
    ),
    Column(
        "test_score",
        FLOAT,
        "",
        "score on the test part. Classification: accuracy; reconstruction: explained share of the mean predictor's error",
    ),
)

_STATUSES = ("ok", "lost_target", "missed_target", "stuck", "diverged")

TUNING: Table = table(
    BUDGET,
    *others(FACTORS, "role", "replicate"),
    Column("runs", INT, "runs", "tuning runs; judged runs if there are no tuning runs"),
    Column("ok", INT, "runs", "runs with status ok"),
    Column("diverged", INT, "runs", "runs that diverged"),
    Column("mean_score", FLOAT, "", "mean validation score; failures are scored as random guessing"),
    Column("is_extension", BOOL, "", "whether tuning added the rate to the grid"),
    Column(
        "is_chosen",
        BOOL,
        "",
        "whether the rate was chosen for this arm at this budget: highest mean score, ties go to the smaller rate",
    ),
    Column("is_edge", BOOL, "", "whether it was chosen and is the smallest or largest rate tried"),
)

SUMMARY: Table = table(
    BUDGET,
    *others(FACTORS, "role", "replicate"),
    Column("runs", INT, "runs", "judged replicates"),
    *(Column(s, INT, "runs", f"runs with status {s}") for s in _STATUSES),
    Column("success_rate", FLOAT, "", "share of runs with status ok"),
    Column("success_low", FLOAT, "", "lower end of its 95 % Wilson interval"),
    Column("success_high", FLOAT, "", "upper end"),
    Column("train_loss", FLOAT, "nats", f"median over replicates; {_INFINITE}"),
    Column("test_loss", FLOAT, "nats", f"median over replicates; {_INFINITE}"),
    Column("test_score", FLOAT, "", f"mean over replicates; {_DROPPED}"),
    Column("test_score_minimum", FLOAT, "", "minimum over replicates"),
    Column("test_score_maximum", FLOAT, "", "maximum over replicates"),
    Column(
        "steps_to_target", FLOAT, "updates", "median over replicates; infinite if half or more never reach the target"
    ),
    Column(
        "initial_loss",
        FLOAT,
        "nats",
        "median training loss before training; log C if all classes get the same probability",
    ),
    Column(
        "log_length_spread",
        FLOAT,
        "",
        "standard deviation over replicates of log(mean z²) in the last hidden layer, before training",
    ),
    Column("tuning_score", FLOAT, "", "mean validation score of the tuning replicates, as in tuning"),
    Column("is_best_rate", BOOL, "", "whether the rate was chosen for this arm at this budget, as in tuning"),
    Column("is_edge_rate", BOOL, "", "whether it was chosen and is the smallest or largest rate tried"),
)

CLAIMS: Table = table(
    Column("claim", STR, "", "key: id of the claim"),
    Column("statement", STR, "", "the claim"),
    Column("source", STR, "", "where it is made"),
    Column("measured", STR, "", "what is measured, in words"),
    Column("rule", STR, "", "when a cell supports or refutes it, declared before the data were collected"),
    Column("budget", STR, "", "budgets at which it was judged; empty for claims about layers"),
    Column("figure", STR, "", "section of the page that shows it"),
    Column("correction", STR, "", "where the tutorial is wrong or imprecise; may be empty"),
    Column("cells", INT, "cells", "cells with the runs that it needs"),
    Column("supporting", INT, "cells", "cells that support it"),
    Column("refuting", INT, "cells", "cells that refute it"),
    Column(
        "without_evidence",
        INT,
        "cells",
        "cells without evidence: too few replicates, or nothing trains on either side",
    ),
    Column(
        "verdict",
        STR,
        "",
        "refuted, mixed, not tested here or undecided: the first of these that applies to one of its contrasts; otherwise "
        "supported. A contrast is supported or refuted by more than half of its cells with evidence, and mixed if at least a "
        "tenth support it and at least a tenth refute it",
    ),
    Column("evidence", STR, "", "result in one sentence, with numbers"),
)

CLAIMS_EVIDENCE: Table = table(
    Column("claim", STR, "", "id of the claim"),
    *some(FACTORS, "dataset", "activation", "depth", "width", "optimizer"),
    Column("initializer", STR, "", "initializer that was measured; several if they were measured together"),
    FACTORS["pretraining"],
    Column("quantity", STR, "", "what was measured"),
    Column("budget", OPTIONAL_INT, "updates", "budget at which it was measured; missing for measures of layers"),
    Column("value", FLOAT, "", "measured value; missing if there is none"),
    Column(
        "level",
        FLOAT,
        "",
        "confidence level of the interval, adjusted for the number of cells that decide; missing without evidence",
    ),
    Column("low", FLOAT, "", "lower end of the interval"),
    Column("high", FLOAT, "", "upper end"),
    Column("replicates", INT, "", "networks, or pairs of networks, measured"),
    Column("compared_with", STR, "", "initializer of the reference; empty if there is none"),
    Column("outcome", STR, "", "supports, refutes, undecided or no evidence"),
)

_NETWORK = some(FACTORS, "dataset", "activation", "depth", "width", "initializer")

THEORY: Table = table(
    *_NETWORK,
    LAYER,
    Column(
        "z_mean_square",
        FLOAT,
        "",
        "mean square q of the pre-activations before training, in infinitely wide networks",
    ),
    Column("h_variance", FLOAT, "", "variance of the activations; missing in the output layer"),
    Column("delta_ratio", FLOAT, "", "mean square of ∂ℓ/∂z relative to that of the output layer"),
    Column(
        "correlation",
        FLOAT,
        "",
        "cosine of the pre-activations of two inputs, starting from the mean over pairs of probe inputs",
    ),
    Column(
        "z_spread",
        FLOAT,
        "",
        "standard deviation of log z_mean_square over networks of this width",
    ),
    Column("h_spread", FLOAT, "", "standard deviation of log h_variance; missing in the output layer"),
    Column("delta_spread", FLOAT, "", "standard deviation of log delta_ratio"),
    Column(
        "amplification",
        FLOAT,
        "",
        "factor by which a small relative deviation of q in the first layer has grown in this layer",
    ),
)

AGREEMENT: Table = table(
    *_NETWORK,
    Column("quantity", STR, "", "h_variance (last hidden layer) or delta_ratio (first hidden layer)"),
    Column("layer", INT32, "", "the layer"),
    Column("replicates", INT, "networks", "networks measured"),
    Column("measured", FLOAT, "", "geometric mean over replicates, before training"),
    Column("predicted", FLOAT, "", "value predicted by the theory of infinitely wide networks"),
    Column("spread", FLOAT, "", "standard deviation of the logarithm that the theory predicts at this width"),
    Column(
        "low",
        FLOAT,
        "",
        "smallest value that agrees: predicted · exp(−3 spread/√replicates − spread²/2), or 10 % less if that is smaller",
    ),
    Column(
        "high",
        FLOAT,
        "",
        "largest value that agrees: predicted · exp(3 spread/√replicates), or 10 % more if that is larger",
    ),
    Column("agrees", BOOL, "", "whether measured is between low and high"),
    Column("reason", STR, "", "likely cause of a disagreement; otherwise empty"),
)

_DEPTH_SCALES = (
    Column(
        "q", FLOAT, "", "limit of the mean square q over layers, starting from 1; infinite if it grows without bound"
    ),
    Column(
        "chi_1",
        FLOAT,
        "",
        "σ_w² E[φ′(√q z)²], the factor by which the gradient's variance changes per layer: ordered below 1, chaotic above",
    ),
    Column("c_star", FLOAT, "", "correlation to which two inputs converge: 1 unless chaotic"),
    Column(
        "xi_c",
        FLOAT,
        "layers",
        "ξ_c = −1/log of the slope of the correlation map at c*; equal to ξ_∇ in the ordered phase",
    ),
    Column(
        "xi_gradient",
        FLOAT,
        "layers",
        "ξ_∇ = 1/abs(log χ₁), the number of layers over which gradients change by a factor of e",
    ),
    Column(
        "depth_limit",
        FLOAT,
        "layers",
        "6 ξ_c; deeper networks are not expected to train (Schoenholz et al. 2017); missing if there is no limit",
    ),
    Column(
        "why_no_limit",
        STR,
        "",
        "why there is no limit: q grows without bound, or has no scale (homogeneous φ, no biases); otherwise empty",
    ),
)

DEPTH_LIMITS: Table = table(
    *(FACTORS[name] for name in ("dataset", "optimizer", "activation", "width", "initializer")),
    Column("sigma_w2", FLOAT, "", "fan_in · Var(w) of the square hidden layers"),
    Column("sigma_b2", FLOAT, "", "variance of their biases"),
    *_DEPTH_SCALES,
    Column(
        "deepest_trained",
        INT,
        "layers",
        "largest depth of the grid at which at least half of the runs are at the target; 0: none",
    ),
    Column("deepest_tried", INT, "layers", "largest depth of the grid"),
)

PHASE: Table = table(
    FACTORS["activation"],
    Column("sigma_w2", FLOAT, "", "fan_in · Var(w)"),
    Column("sigma_b2", FLOAT, "", "Var(b)"),
    *_DEPTH_SCALES,
)

NOT_APPLICABLE: Table = table(
    Column("initializer", STR, "", "scheme and its parameters; empty if the way of pretraining is not applicable"),
    Column("pretraining", STR, "", "way of pretraining; empty if the initializer is not applicable"),
    FACTORS["activation"],
    Column("reason", STR, "", "why the pair is not applicable"),
)

REPLAY: Table = table(
    Column("scheme", STR, "", "initializer"),
    Column("layer", INT, "", "0 is the input, 1 to 5 the hidden layers"),
    Column("bin_low", FLOAT, "", "lower edge of the histogram bin"),
    Column("bin_high", FLOAT, "", "upper edge"),
    Column("count", INT, "values", "activations in the bin, over all draws"),
    Column("std", FLOAT, "", "standard deviation of the layer's activations, mean over draws"),
    Column("saturated", FLOAT, "", "share of activations beyond ±0.97, mean over draws"),
)

ANALYSED: dict[str, Table] = {
    "pretraining_effects": PRETRAINING_EFFECTS,
    "pretraining_time_effects": PRETRAINING_TIME_EFFECTS,
    "baselines": BASELINES,
    "tuning": TUNING,
    "summary": SUMMARY,
    **COMPARED,
    "claims": CLAIMS,
    "claims_evidence": CLAIMS_EVIDENCE,
    "theory": THEORY,
    "agreement": AGREEMENT,
    "depth_limits": DEPTH_LIMITS,
    "phase": PHASE,
    "not_applicable": NOT_APPLICABLE,
    "replay": REPLAY,
}

# Tables that depend on measured seconds. Only these and the columns in TIME_COLUMNS differ between two computations of
# the same study.
TIME_TABLES = ("pretraining_time_effects",)
