# ruff: noqa: E501 (prose)
"""Chapters for learners, in the order of the tutorial: the claim, the formula, the figure of this study and how to read it.

This module is data only. The verdicts of a chapter come from the claims with the ids in `claims`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """One lesson.

    Attributes:
        id: its anchor on the page.
        title: a question or a name.
        initializers: names of the schemes (without parameters) that it is about; empty for all.
        claim: what the tutorial says.
        formula: the rule, in one line.
        why: the reasoning, in a few sentences.
        look: what to look for in the figure.
        figure: id of the section that shows it.
        correction: where the tutorial is wrong or imprecise; may be empty.
        claims: ids of claims.
    """

    id: str
    title: str
    initializers: tuple[str, ...]
    claim: str
    formula: str
    why: str
    look: str
    figure: str
    correction: str
    claims: tuple[str, ...]


CHAPTERS = (
    Chapter(
        "zero", "All weights zero", ("zeros",),
        "If all weights start at zero, all units of a layer compute the same value and stay identical.",
        "W = 0,  so z = b and h = φ(b) in every unit",
        "Units with the same incoming and outgoing weights receive the same gradient, so every update keeps them equal. With zero weights the "
        "gradient of the layers below is zero as well, because back-propagation multiplies it by the weights.",
        "Lines that stay at the bottom: a layer of any width works like a single unit, or does not change at all.",
        "symmetry",
        "Zero weights do not always stop training: the bias of the output layer still learns the class frequencies, and with sigmoid the "
        "weights of the last layer change too, because φ(0) = 1/2 is not zero.",
        ("equal-units",),
    ),
    Chapter(
        "constant", "Any other constant", ("constant", "zeros"),
        "Another constant instead of zero does not help.",
        "wᵢⱼ = k for all i, j",
        "The argument needs equal weights, not zero weights. With a nonzero constant, signals and gradients pass through, so the network learns, but "
        "like a network with one unit per layer.",
        "Distinct units over the steps: constants start at one unit and stay there, random weights start at the full width.",
        "symmetry",
        "Units stay equal only as long as arithmetic is deterministic and nothing else differs between them. Dropout, like any other noise, breaks "
        "the symmetry.",
        ("any-constant", "dropout-breaks-symmetry"),
    ),
    Chapter(
        "small", "Small random weights", ("normal", "uniform"),
        "Small random weights break the symmetry, but in a deep network the signal dies out.",
        "wᵢⱼ ~ N(0, 0.01²):  Var(z) = n · Var(w) · E[h²],  a factor of n/10⁴ per layer",
        "With 64 inputs, a layer multiplies the variance by 0.0064. After ten layers the differences between inputs are gone, and the gradient "
        "shrinks by the same factor per layer on the way back.",
        "A straight falling line on the logarithmic axis: the same factor in every layer.",
        "signals",
        "With sigmoid, the activations do not approach zero but 1/2. What vanishes is their variance.",
        ("small-weights-vanish",),
    ),
    Chapter(
        "large", "Large random weights", ("normal",),
        "Large random weights saturate tanh and sigmoid, and gradients vanish.",
        "wᵢⱼ ~ N(0, 1):  Var(z) = n · E[h²],  |z| of about √n",
        "At |z| = 8 the slope of tanh is below 10⁻⁶, so the gradient of such a unit is nearly zero. But it is then multiplied by large weights on "
        "its way to the layers below, so the slope alone does not decide whether the gradient vanishes.",
        "Compare the share of saturated units with the gradient by layer: one does not always follow from the other.",
        "saturation",
        "Saturation and vanishing gradients are not the same. If the weights are large enough, the variance of the gradient can grow towards the input "
        "although most units are saturated: the few unsaturated units carry it.",
        ("large-weights-saturate",),
    ),
    Chapter(
        "one-over-n", "Variance one over n", ("lecun_normal", "lecun_uniform", "lecun_truncated_normal"),
        "Weights should be scaled so that the variance of the outputs equals that of the inputs: n · Var(w) = 1.",
        "Var(w) = 1/fan_in:  Var(z) = n · Var(w) · E[h²] = E[h²]",
        "For the identity this keeps the variance constant from layer to layer. Any φ with |φ(z)| ≤ |z| loses some in each layer: little for tanh, "
        "which is nearly the identity around 0, and half for ReLU.",
        "Nearly level lines for tanh; for ReLU a fall by a factor of two per layer.",
        "signals",
        "It is n · Var(w) that should be 1, not Var(w): weights of variance 1 are the large weights of the previous chapter.",
        ("unit-variance-keeps",),
    ),
    Chapter(
        "glorot", "Glorot: both directions at once", ("glorot_normal", "glorot_uniform", "glorot_truncated_normal"),
        "Both the forward and the backward variance should stay constant; the compromise is two over the sum of the fans.",
        "Var(w) = 2/(fan_in + fan_out)",
        "Var(w) = 1/fan_in preserves the signal in the forward pass, 1/fan_out preserves the gradient in the backward pass. The two agree in layers "
        "with as many inputs as outputs. The derivation assumes that φ is the identity around 0.",
        "Signals and gradients of tanh: both are nearly level.",
        "gradients",
        "Sigmoid is not zero-mean, and its slope at 0 is 1/4: with n · Var(w) = 1, the variance of the gradient shrinks at least sixteenfold per layer. "
        "Glorot & Bengio themselves found sigmoid unsuitable for deep networks.",
        ("glorot-keeps-tanh", "glorot-suits-sigmoid"),
    ),
    Chapter(
        "he", "He: a factor of two for ReLU", ("he_normal", "he_uniform", "he_truncated_normal", "he_fan_avg", "he_fan_out"),
        "ReLU sets half of its inputs to zero, so the weights need twice the variance.",
        "Var(w) = 2/fan_in,  because E[relu(z)²] = Var(z)/2",
        "The factor of two compensates for this loss in both directions. With Glorot's weights the variance halves in every layer: after thirty layers "
        "10⁻⁹ of it is left.",
        "In the panels of ReLU, He's line is level and Glorot's falls.",
        "signals",
        "This holds for the mean over networks. Single networks of finite width still vary, and they vary more the deeper and narrower they are.",
        ("he-repairs-relu",),
    ),
    Chapter(
        "kumar", "Kumar: any differentiable activation", ("kumar",),
        "For an activation that is differentiable at 0, the variance follows from its value and slope there.",
        "Var(w) = 1/(fan_in · φ′(0)² · (1 + φ(0)²))",
        "A first-order expansion around 0. It gives 1/n for tanh and 12.8/n, a standard deviation of 3.6/√n, for sigmoid.",
        "In the panels of sigmoid: does the gradient fall more slowly with Kumar's weights than with others, and slowly enough?",
        "gradients",
        "The expansion is valid for small pre-activations. With a variance of 12.8/n they are not small.",
        ("kumar-repairs-sigmoid", "kumar-repairs-sigmoid-soon", "ten-sigmoid-layers-train", "twenty-sigmoid-layers-train"),
    ),
    Chapter(
        "pretraining", "Pretraining, layer by layer", (),
        "Greedy layerwise pretraining finds weights from which deep networks can be trained.",
        "layer l learns to reconstruct h_{l−1} from φ(W_l h_{l−1} + b_l),  then the whole network is trained",
        "The first deep networks were trained like this (Hinton & Salakhutdinov 2006). A layer that has learned to reconstruct its inputs also has "
        "weights of a sensible scale; the controls separate the two effects.",
        "Compare filled with hollow marks: what the moments alone gain is scale, the rest is structure.",
        "pretraining",
        "In 2006 the comparison was with small random weights. The table below also compares with the best well-scaled random weights.",
        ("pretraining-helps", "pretraining-beats-random-at-equal-updates", "pretraining-beats-random-at-equal-time"),
    ),
    Chapter(
        "field", "So does initialization matter?", (),
        "A good initialization makes training much faster, initialization decides which optimum is reached, and it matters less with batch normalization.",
        "steps to target;  test accuracy at the target;  spread over initializers",
        "These are three different questions: how fast a network learns, where it ends, and how much both depend on the draw.",
        "The ranking, and the accuracy with and without batch normalization.",
        "ranking",
        "",
        ("better-weights-train-faster", "weights-decide-optimum", "batch-norm-forgives"),
    ),
)  # fmt: skip


def of_study(initializers: set[str], is_pretrained: bool) -> list[Chapter]:
    """Return the chapters for which a study has runs.

    Args:
        initializers: names of the study's schemes, without parameters.
        is_pretrained: whether any networks of the study are pretrained.
    """
    return [
        chapter
        for chapter in CHAPTERS
        if (not chapter.initializers or initializers & set(chapter.initializers))
        and (chapter.id != "pretraining" or is_pretrained)
    ]


GLOSSARY: dict[str, str] = {
    "activation φ": "the function that a unit applies to its pre-activation z; h = φ(z).",
    "arm": "an initializer with its pretraining, at the learning rate chosen for it: what is compared within a cell.",
    "budget": "a number of updates after which runs are evaluated; a study may have several.",
    "cell": "a combination of setting, activation and depth. Arms are compared within a cell.",
    "diverged": "a run whose output became infinite or NaN. It is scored as random guessing, and its loss counts as infinite.",
    "fan_in, fan_out": "inputs and outputs of a layer.",
    "gradient δ": "∂ℓ/∂z, the derivative of one example's loss with respect to a pre-activation.",
    "interval": "the range in which a value may lie, given the spread over replicates and, where stated, the uncertainty from choosing the learning "
    "rate; a 95 % interval unless stated otherwise.",
    "pre-activation z": "the input of a unit's activation: the weighted sum of the layer below, plus the bias.",
    "q, χ₁": "in wide networks: the mean square of z, and the factor by which the variance of the gradient changes per layer.",
    "replicate": "one repetition with its own split of the data, weights and order of mini-batches. Split and order are the same for all initializers.",
    "saturated": "a unit whose slope is below 5 % of the largest slope of its activation.",
    "score": "what is compared: the accuracy of a classifier, or the explained share of the mean predictor's error for a deep autoencoder. In "
    "the comparison over all cells it is scaled from random guessing (0) to no error (1).",
    "setting": "a combination of dataset, width, optimizer and regularization. The sections of the page show each setting separately.",
    "tuning replicate": "a replicate that is used to choose learning rates only.",
    "two-faced": "an arm of which some runs train and some do not, so its mean accuracy may not describe any run.",
}
