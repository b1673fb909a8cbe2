"""The tables that are computed from those of single runs, or from the study alone."""

from __future__ import annotations

from winit.store.schema.column import BOOL, FLOAT, INT, INT32, OPTIONAL_INT, STR, Column, Table, others, some, table
from winit.store.schema.compared import BUDGET, COMPARED
from winit.store.schema.measured import FACTORS, LAYER

_DROPPED = "a run that diverged or is stuck counts as guessing, and no score counts below it"
_INFINITE = "a diverged run counts as infinite"

PRETRAINING_EFFECTS: Table = table(
    BUDGET,
    *others(FACTORS, "learning_rate", "role", "replicate"),
    Column("learning_rate", FLOAT, "", "the rate chosen for it, as in summary"),
    Column(
        "compared_at",
        STR,
        "",
        "equal training: updates of all layers, pretraining not counted; equal updates: those of pretraining counted; "
        "equal time: in pretraining_time_effects alone",
    ),
    Column(
        "compared_with",
        STR,
        "",
        "same start; best random start: of all in the cell that with the highest tuning score; random start: every other; "
        "moments or shuffled: the control",
    ),
    Column("reference_initializer", STR, "", "initializer of what it is compared with"),
    Column(
        "reference_pretraining", STR, "", "and its pretraining; none+longer: no pretraining, and the updates it takes"
    ),
    Column("reference_updates", INT, "updates", "after which the reference is read, those of its pretraining included"),
    Column(
        "is_cut_short", BOOL, "", "whether the reference has had less than would be equal: see pretraining_time_effects"
    ),
    Column("pairs", INT, "pairs", "pairs of runs with the same split and the same streams of weights and mini-batches"),
    Column("level", FLOAT, "", "of both intervals: those of all pretrained arms of a cell hold together with 95 %"),
    Column("success_difference", FLOAT, "", "difference in the share of runs that are ok"),
    Column("success_difference_low", FLOAT, "", "lower end of its interval (Bonett & Price)"),
    Column("success_difference_high", FLOAT, "", "upper end"),
    Column("trained_pairs", INT, "pairs", "pairs in which both runs are ok"),
    Column(
        "difference", FLOAT, "", "mean over these pairs of the difference in test score; missing where there are none"
    ),
    Column("difference_low", FLOAT, "", "lower end of its t-interval; missing with fewer than three of these pairs"),
    Column("difference_high", FLOAT, "", "upper end"),
    Column(
        "verdict",
        STR,
        "",
        "better or worse by the interval of success; where success is alike in every pair, better, worse or equivalent "
        "(within analysis.margin) by that of the score; else, and with fewer than five pairs, undecided",
    ),
)

# The same columns, of comparisons at equal time. The seconds are measured, so that the table differs between two
# computations of a study, as they do.
PRETRAINING_TIME_EFFECTS: Table = PRETRAINING_EFFECTS | table(
    Column(
        "compared_at", STR, "", "equal time: as many seconds, which are measured and differ between two computations"
    ),
    Column(
        "reference_updates",
        INT,
        "updates",
        "the last evaluated ones that take no longer than calibration, pretraining and training of the arm, by the medians "
        "of calibration_time_s, pretraining_time_s and wall_time_s/steps; the reference's last ones where it ends before",
    ),
    Column(
        "is_cut_short",
        BOOL,
        "",
        "whether the reference ends before, and has had less time: only worse is a verdict then",
    ),
)

BASELINES: Table = table(
    FACTORS["dataset"],
    Column(
        "baseline",
        STR,
        "",
        "of a classifier: linear model (logistic regression); of a reconstruction: mean predictor, PCA",
    ),
    Column("components", INT, "components", "of PCA, as many as a code has units; otherwise 0"),
    Column(
        "test_loss",
        FLOAT,
        "",
        "on the test part: of a classifier the cross-entropy in nats; of a reconstruction the squared error, summed over the "
        "inputs, mean over examples",
    ),
    Column(
        "test_score",
        FLOAT,
        "",
        "on the test part: of a classifier the accuracy; of a reconstruction the share of the mean predictor's error explained",
    ),
)

_STATUSES = ("ok", "lost_target", "missed_target", "stuck", "diverged")

TUNING: Table = table(
    BUDGET,
    *others(FACTORS, "role", "replicate"),
    Column("runs", INT, "runs", "tuning replicates; judged ones, where there are no tuning runs"),
    Column("ok", INT, "runs", "of these, runs with status ok"),
    Column("diverged", INT, "runs", "runs that diverged"),
    Column("mean_score", FLOAT, "", "mean validation score; a failure counts as guessing"),
    Column("is_extension", BOOL, "", "whether tuning added the rate to the grid"),
    Column("is_chosen", BOOL, "", "the rate chosen for this arm at this budget: highest mean, of equals the smaller"),
    Column("is_edge", BOOL, "", "the chosen rate is the smallest or largest that was tried"),
)

SUMMARY: Table = table(
    BUDGET,
    *others(FACTORS, "role", "replicate"),
    Column("runs", INT, "runs", "judged replicates"),
    *(Column(s, INT, "runs", f"runs with status {s}") for s in _STATUSES),
    Column("success_rate", FLOAT, "", "share of runs that are ok"),
    Column("success_low", FLOAT, "", "lower end of its 95 % Wilson interval"),
    Column("success_high", FLOAT, "", "upper end"),
    Column("train_loss", FLOAT, "nats", f"median over replicates; {_INFINITE}"),
    Column("test_loss", FLOAT, "nats", f"median over replicates; {_INFINITE}"),
    Column("test_score", FLOAT, "", f"mean over replicates; {_DROPPED}"),
    Column("test_score_minimum", FLOAT, "", "smallest replicate"),
    Column("test_score_maximum", FLOAT, "", "largest replicate"),
    Column("steps_to_target", FLOAT, "updates", "median over replicates; infinite where half or more never arrive"),
    Column(
        "initial_loss", FLOAT, "nats", "median training loss before training; log C for a network that says nothing"
    ),
    Column(
        "log_length_spread",
        FLOAT,
        "",
        "standard deviation over replicates of log(mean z²), last hidden layer, untrained",
    ),
    Column("tuning_score", FLOAT, "", "mean validation score of the tuning replicates, as in tuning"),
    Column("is_best_rate", BOOL, "", "the rate chosen for this arm at this budget, as in tuning"),
    Column("is_edge_rate", BOOL, "", "the chosen rate is the smallest or largest that was tried"),
)

CLAIMS: Table = table(
    Column("claim", STR, "", "key: the claim's id"),
    Column("statement", STR, "", "as the tutorial makes it"),
    Column("source", STR, "", "where it is claimed"),
    Column("measured", STR, "", "what is measured, in words"),
    Column("rule", STR, "", "when a cell supports or refutes it, written down before the data"),
    Column("budget", STR, "", "after how many updates it was judged; empty where it is of layers alone"),
    Column("figure", STR, "", "the page's section that shows it"),
    Column("correction", STR, "", "where the tutorial is wrong or imprecise; else empty"),
    Column("cells", INT, "cells", "cells that have the runs it needs"),
    Column("supporting", INT, "cells", "of these, cells that support it"),
    Column("refuting", INT, "cells", "cells that refute it"),
    Column(
        "without_evidence",
        INT,
        "cells",
        "cells that can say nothing: too few replicates, or nothing trains on either side",
    ),
    Column(
        "verdict",
        STR,
        "",
        "refuted if one of its contrasts is, else mixed, not tested here or undecided if one is, else supported; a contrast is "
        "supported or refuted by more than half of its cells with evidence, and mixed if at least a tenth say the one and at "
        "least a tenth the other",
    ),
    Column("evidence", STR, "", "the sentence with the numbers"),
)

CLAIMS_EVIDENCE: Table = table(
    Column("claim", STR, "", "the claim's id"),
    *some(FACTORS, "dataset", "activation", "depth", "width", "optimizer"),
    Column("initializer", STR, "", "what the number is of; several, where it is of all of them together"),
    FACTORS["pretraining"],
    Column("quantity", STR, "", "what the number says"),
    Column("budget", OPTIONAL_INT, "updates", "when it was read; missing where it is of layers"),
    Column("value", FLOAT, "", "the number; missing where it has none"),
    Column("level", FLOAT, "", "of confidence, adjusted for the number of cells that decide; missing without evidence"),
    Column("low", FLOAT, "", "lower end of its interval at that level"),
    Column("high", FLOAT, "", "upper end"),
    Column("replicates", INT, "", "networks, or pairs of them, that it is of"),
    Column("compared_with", STR, "", "initializer of what it is compared with; empty where it stands alone"),
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
        "cosine of the pre-activations of two inputs, begun at the mean of the probe's pairs",
    ),
    Column(
        "z_spread",
        FLOAT,
        "",
        "what this width does to z_mean_square: standard deviation of its logarithm over networks",
    ),
    Column("h_spread", FLOAT, "", "the same of h_variance; missing in the output layer"),
    Column("delta_spread", FLOAT, "", "the same of delta_ratio"),
    Column("amplification", FLOAT, "", "growth of a small relative deviation of the first layer's q up to this layer"),
)

AGREEMENT: Table = table(
    *_NETWORK,
    Column("quantity", STR, "", "h_variance, in the last hidden layer, or delta_ratio, in the first"),
    Column("layer", INT32, "", "where"),
    Column("replicates", INT, "networks", "networks measured"),
    Column("measured", FLOAT, "", "geometric mean over replicates, before training"),
    Column("predicted", FLOAT, "", "by the theory of infinitely wide networks"),
    Column("spread", FLOAT, "", "the theory's spread at this width, of the logarithm"),
    Column(
        "low",
        FLOAT,
        "",
        "smallest mean that agrees: predicted · exp(−3 spread/√replicates − spread²/2), at most −10 %",
    ),
    Column("high", FLOAT, "", "largest: predicted · exp(3 spread/√replicates), at least +10 %"),
    Column("agrees", BOOL, "", "whether measured lies between low and high"),
    Column("reason", STR, "", "where it is not: what stands out; else empty"),
)

_DEPTH_SCALES = (
    Column("q", FLOAT, "", "where the length map leads from q = 1; infinite where it grows without bound"),
    Column(
        "chi_1",
        FLOAT,
        "",
        "σ_w² E[φ′(√q z)²] there, the factor of the gradient's variance a layer: ordered below 1, chaotic above",
    ),
    Column("c_star", FLOAT, "", "correlation to which two inputs converge there: 1 unless chaotic"),
    Column("xi_c", FLOAT, "layers", "ξ_c = −1/log of the correlation map's slope at c*; in the ordered phase ξ_∇"),
    Column("xi_gradient", FLOAT, "layers", "ξ_∇ = 1/abs(log χ₁): gradients change by a factor of e"),
    Column(
        "depth_limit",
        FLOAT,
        "layers",
        "6 ξ_c: deeper, training is not expected to work (Schoenholz et al. 2017); missing where no limit is claimed",
    ),
    Column(
        "why_no_limit",
        STR,
        "",
        "why none is claimed: q grows without bound, or has no scale (homogeneous φ, no biases); else empty",
    ),
)

DEPTH_LIMITS: Table = table(
    *(FACTORS[name] for name in ("dataset", "optimizer", "activation", "width", "initializer")),
    Column("sigma_w2", FLOAT, "", "fan_in Var(w) of the square hidden layers"),
    Column("sigma_b2", FLOAT, "", "variance of their biases"),
    *_DEPTH_SCALES,
    Column(
        "deepest_trained",
        INT,
        "layers",
        "largest depth of the grid at which half of the runs reached the target; 0: none",
    ),
    Column("deepest_tried", INT, "layers", "largest depth of the grid"),
)

PHASE: Table = table(
    FACTORS["activation"],
    Column("sigma_w2", FLOAT, "", "fan_in Var(w)"),
    Column("sigma_b2", FLOAT, "", "Var(b)"),
    *_DEPTH_SCALES,
)

NOT_APPLICABLE: Table = table(
    Column("initializer", STR, "", "scheme and its parameters; empty where a way of pretraining has no meaning"),
    Column("pretraining", STR, "", "way of pretraining; empty where an initializer has no meaning"),
    FACTORS["activation"],
    Column("reason", STR, "", "why the pair has no meaning"),
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

# Tables that depend on measured seconds: the only ones that differ between two computations of the same study, beside
# the columns in TIME_COLUMNS.
TIME_TABLES = ("pretraining_time_effects",)
