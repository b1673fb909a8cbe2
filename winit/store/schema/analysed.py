"""The tables that are computed from those of single runs, or from the study alone."""

from __future__ import annotations

from winit.store.schema.column import BOOL, FLOAT, INT, INT32, OPTIONAL_INT, STR, Column, Table, others, some, table
from winit.store.schema.measured import FACTORS, LAYER

_DROPPED = "a diverged run counts as 0"
_INFINITE = "a diverged run counts as infinite"

PRETRAINING_EFFECTS: Table = table(
    *others(FACTORS, "learning_rate", "role", "replicate"),
    Column("learning_rate", FLOAT, "", "the rate chosen for it, as in summary"),
    Column("compared_with", STR, "", "small weights, same start, trained longer, shuffled, moments or best scaled"),
    Column("reference_initializer", STR, "", "initializer of what it is compared with"),
    Column("reference_pretraining", STR, "", "and its pretraining"),
    Column("replicates", INT, "pairs", "pairs of runs with the same streams of weights and mini-batches"),
    Column("difference", FLOAT, "", f"mean over pairs of the difference in test score; {_DROPPED}"),
    Column("difference_low", FLOAT, "", "lower end of its 95 % t-interval"),
    Column("difference_high", FLOAT, "", "upper end"),
    Column("verdict", STR, "", "better, worse, equivalent (within analysis.margin) or undecided, by the interval"),
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

SUMMARY: Table = table(
    *others(FACTORS, "role", "replicate"),
    Column("runs", INT, "runs", "replicates"),
    *(Column(s, INT, "runs", f"runs with status {s}") for s in ("ok", "missed_target", "stuck", "diverged")),
    Column("success_rate", FLOAT, "", "share of runs that are ok"),
    Column("success_low", FLOAT, "", "lower end of its 95 % Wilson interval"),
    Column("success_high", FLOAT, "", "upper end"),
    Column("validation_loss", FLOAT, "nats", f"median over replicates; {_INFINITE}"),
    Column("validation_score", FLOAT, "", f"median over replicates; {_DROPPED}"),
    Column("test_score", FLOAT, "", f"median over replicates; {_DROPPED}"),
    Column("test_loss", FLOAT, "nats", f"median over replicates; {_INFINITE}"),
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
    Column("tuning_score", FLOAT, "", "median validation score of the tuning replicates; of all, where there are none"),
    Column("tuning_loss", FLOAT, "nats", "and their median validation loss"),
    Column("is_best_rate", BOOL, "", "the learning rate chosen for this initializer: best tuning score, then loss"),
    Column("is_edge_rate", BOOL, "", "the chosen rate is the smallest or largest of the grid"),
)

RANKING: Table = table(
    Column("view", STR, "", "tuned: at the rate chosen for each initializer and cell; fixed: at one rate for all"),
    FACTORS["initializer"],
    Column("rate", FLOAT, "", "that one rate; missing in the tuned view"),
    Column("cells", INT, "cells", "settings × activations × depths of the main grid that it was tried in"),
    Column(
        "learnable_cells",
        OPTIONAL_INT,
        "cells",
        "those in which at least one initializer's median accuracy beats chance",
    ),
    Column("runs", INT, "runs", "judged runs"),
    Column("ok", INT, "runs", "runs that reached their target"),
    Column("diverged", INT, "runs", "runs that diverged"),
    Column("success_rate", FLOAT, "", "share of runs that are ok"),
    Column("success_low", FLOAT, "", "lower end of its 95 % Wilson interval"),
    Column("success_high", FLOAT, "", "upper end"),
    Column("iqm", FLOAT, "", "interquartile mean of the scores in learnable cells"),
    Column("iqm_low", FLOAT, "", "lower end of its 95 % interval: replicates drawn anew within cells"),
    Column("iqm_high", FLOAT, "", "upper end"),
    Column("mean_score", FLOAT, "", "mean of the scores"),
    Column("worst_score", FLOAT, "", "mean of the worst tenth of them"),
    Column("profile_score", FLOAT, "", "area under the performance profile of steps to target, τ from 1 to 4"),
    Column("common_cells", OPTIONAL_INT, "cells", "learnable cells shared with the baseline"),
    Column("difference", FLOAT, "", "mean difference in score to the baseline"),
    Column("difference_low", FLOAT, "", "lower end of its 95 % interval: cells drawn anew, then pairs of replicates"),
    Column("difference_high", FLOAT, "", "upper end"),
    Column(
        "improvement",
        FLOAT,
        "",
        "probability of a better score than the baseline's, in a cell at random; ties count half",
    ),
    Column("improvement_low", FLOAT, "", "lower end of its 95 % interval, drawn likewise"),
    Column("improvement_high", FLOAT, "", "upper end"),
    Column("p", FLOAT, "", "of Wilcoxon's signed-rank test on the medians of common cells"),
    Column("p_holm", FLOAT, "", "adjusted by Holm for all initializers of the view"),
    Column(
        "verdict", STR, "", "better, worse, equivalent or undecided, by the interval of the difference and the margin"
    ),
)

VIEW = Column("view", STR, "", "tuned or fixed, as in ranking")

PROFILES: Table = table(
    VIEW,
    FACTORS["initializer"],
    Column("tau", FLOAT, "", "factor τ"),
    Column("share", FLOAT, "", "of cells in which its median steps to target are at most τ times the fewest"),
    Column("cells", INT, "cells", "cells in which any initializer arrives"),
)

ARRIVALS: Table = table(
    VIEW,
    FACTORS["initializer"],
    Column("step", INT, "updates", "updates done"),
    Column(
        "share",
        FLOAT,
        "",
        "of runs that have reached their target by then; those that never do are censored at the budget",
    ),
    Column("runs", INT, "runs", "judged runs"),
)

CLAIMS: Table = table(
    Column("claim", STR, "", "key: the claim's id"),
    Column("statement", STR, "", "as the tutorial makes it"),
    Column("source", STR, "", "where it is claimed"),
    Column("measured", STR, "", "what is measured, in words"),
    Column("rule", STR, "", "when a cell supports or refutes it, written down before the data"),
    Column("figure", STR, "", "the page's section that shows it"),
    Column("correction", STR, "", "where the tutorial is wrong or imprecise; else empty"),
    Column("cells", INT, "cells", "cells that have the runs it needs"),
    Column("supporting", INT, "cells", "of these, cells that support it"),
    Column("refuting", INT, "cells", "cells that refute it"),
    Column(
        "verdict",
        STR,
        "",
        "supported (by most cells, refuted by none), refuted (likewise), mixed (some support, some refute), undecided, "
        "not tested here",
    ),
    Column("evidence", STR, "", "the sentence with the numbers"),
)

CLAIMS_EVIDENCE: Table = table(
    Column("claim", STR, "", "the claim's id"),
    *some(FACTORS, "dataset", "activation", "depth", "width", "optimizer"),
    Column("initializer", STR, "", "what the number is of; several, where it is of all of them together"),
    FACTORS["pretraining"],
    Column("quantity", STR, "", "what the number says"),
    Column("value", FLOAT, "", "the number; missing where it has none"),
    Column(
        "low", FLOAT, "", "lower end of its 95 % interval; missing with fewer than three replicates, and for counts"
    ),
    Column("high", FLOAT, "", "upper end"),
    Column("replicates", INT, "", "networks, or pairs of them, that it is of"),
    Column("compared_with", STR, "", "initializer of what it is compared with; empty where it stands alone"),
    Column("outcome", STR, "", "supports, refutes or undecided"),
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
    "baselines": BASELINES,
    "summary": SUMMARY,
    "ranking": RANKING,
    "profiles": PROFILES,
    "arrivals": ARRIVALS,
    "claims": CLAIMS,
    "claims_evidence": CLAIMS_EVIDENCE,
    "theory": THEORY,
    "agreement": AGREEMENT,
    "depth_limits": DEPTH_LIMITS,
    "phase": PHASE,
    "not_applicable": NOT_APPLICABLE,
    "replay": REPLAY,
}
