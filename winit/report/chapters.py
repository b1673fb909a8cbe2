# ruff: noqa: E501 (prose)
"""Chapters for learners, in the order of the tutorial: what is claimed, the formula, where this study shows it, how to read it.

Pure data. The verdicts beside a chapter come from the claims ledger, by the ids in `claims`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """One lesson.

    Attributes:
        id: its anchor on the page.
        title: a question or a name.
        initializers: names of schemes (without parameters) that it is about; none for all.
        claim: what the tutorial says.
        formula: the rule, in one line.
        why: the reasoning, in a few sentences.
        look: what to look for in the figure.
        figure: id of the section that shows it.
        correction: where the tutorial is wrong or loose; else empty.
        claims: ids of the ledger's claims.
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
        "If all weights start at zero, all units of a layer compute the same and stay the same.",
        "W = 0,  so z = b and h = φ(b) in every unit",
        "Units with the same incoming and outgoing weights receive the same gradient, so every update keeps them equal. With zero weights the "
        "gradient of the layers below is zero as well, since it is multiplied with the weights on its way down.",
        "One line per activation that stays at the bottom: a layer of any width works as a single unit, or does not move at all.",
        "symmetry",
        "Zero weights do not always stop training: the bias of the output layer still learns the class frequencies, and with sigmoid the last "
        "weights move, because φ(0) = 1/2 passes something on.",
        ("equal-units",),
    ),
    Chapter(
        "constant", "Any other constant", ("constant", "zeros"),
        "It does not help to take another constant instead of zero.",
        "wᵢⱼ = k for all i, j",
        "The argument needs equality and not zero. A constant lets signals and gradients through, so the network learns; but it learns as a network "
        "of one unit a layer.",
        "Distinct units over the steps: constants start at one and stay there, random weights start at the full width.",
        "symmetry",
        "Equality is exact only as long as arithmetic is deterministic and nothing else tells the units apart: dropout does, as does noise of any kind.",
        ("any-constant", "dropout-breaks-symmetry"),
    ),
    Chapter(
        "small", "Small random weights", ("normal", "uniform"),
        "Small random numbers break the symmetry, but in a deep network the signal dies out.",
        "wᵢⱼ ~ N(0, 0.01²):  Var(z) = n · Var(w) · E[h²],  a factor of n/10⁴ a layer",
        "With 64 inputs a layer multiplies the variance by 0.0064. After ten layers nothing is left of the differences between inputs, and the gradient "
        "shrinks by the same factor on the way back.",
        "A straight falling line on the logarithmic axis: the same factor in every layer.",
        "signals",
        "With sigmoid the activations do not go to zero: they go to 1/2, all of them. What vanishes is their variance.",
        ("small-weights-vanish",),
    ),
    Chapter(
        "large", "Large random weights", ("normal",),
        "Large random numbers push tanh and sigmoid into saturation, where gradients vanish.",
        "wᵢⱼ ~ N(0, 1):  Var(z) = n · E[h²],  |z| of about √n",
        "A unit at |z| = 8 sits where the slope of tanh is below 10⁻⁶. The gradient of such a unit is nearly nothing, yet it is multiplied with large weights "
        "on its way down, and which of the two wins is not a matter of the slope alone.",
        "The share of saturated units, and beside it the gradient by layer: the one does not always follow from the other.",
        "saturation",
        "Saturation and vanishing gradients are two things. With weights large enough the gradient's variance can grow towards the input although most "
        "units are saturated: a few unsaturated ones carry it.",
        ("large-weights-saturate",),
    ),
    Chapter(
        "one-over-n", "Variance one over n", ("lecun_normal", "lecun_uniform", "lecun_truncated_normal"),
        "Weights should be scaled so that the variance of the outputs equals that of the inputs: n · Var(w) = 1.",
        "Var(w) = 1/fan_in:  Var(z) = n · Var(w) · E[h²] = E[h²]",
        "For the identity this keeps the variance from layer to layer. Any φ with |φ(z)| ≤ |z| loses a little in each layer: slowly for tanh, which is "
        "nearly the identity around 0, by half for ReLU.",
        "Level lines for tanh, slowly falling; for ReLU a fall by a factor of two a layer.",
        "signals",
        "“Variance about 1” is said of n · Var(w), not of the weights: weights of variance 1 are the large ones of the chapter before.",
        ("unit-variance-keeps",),
    ),
    Chapter(
        "glorot", "Glorot: both directions at once", ("glorot_normal", "glorot_uniform", "glorot_truncated_normal"),
        "The variance should be kept forwards and backwards; the compromise is two over the sum of the fans.",
        "Var(w) = 2/(fan_in + fan_out)",
        "Forwards, 1/fan_in keeps the signal; backwards, 1/fan_out keeps the gradient. In layers with as many inputs as outputs the two agree. The "
        "derivation takes φ for the identity around 0.",
        "Signals and gradients of tanh side by side: both nearly level.",
        "gradients",
        "Sigmoid is not zero-mean, and its slope at 0 is 1/4: with n · Var(w) = 1 a gradient's variance shrinks at least sixteenfold with every layer. Glorot & Bengio "
        "themselves found sigmoid unfit for deep networks.",
        ("glorot-keeps-tanh", "glorot-suits-sigmoid"),
    ),
    Chapter(
        "he", "He: a factor of two for ReLU", ("he_normal", "he_uniform", "he_truncated_normal", "he_fan_avg", "he_fan_out"),
        "ReLU sets half of its inputs to zero, so the weights need twice the variance.",
        "Var(w) = 2/fan_in,  because E[relu(z)²] = Var(z)/2",
        "The factor two makes up for the half that is lost, in both directions. Glorot's weights lose a factor of two a layer: thirty layers leave 10⁻⁹.",
        "ReLU's panel: He's line is level, Glorot's falls.",
        "signals",
        "The mean over wide networks is kept; single networks of a finite width still spread, the more the deeper and the narrower.",
        ("he-repairs-relu",),
    ),
    Chapter(
        "kumar", "Kumar: any differentiable activation", ("kumar",),
        "For an activation that is differentiable at 0, the variance follows from its value and slope there.",
        "Var(w) = 1/(fan_in · φ′(0)² · (1 + φ(0)²))",
        "A first-order expansion around 0. It gives 1/n for tanh and 12.8/n, a standard deviation of 3.6/√n, for sigmoid.",
        "Sigmoid's panel: does the gradient fall more slowly with Kumar's weights than with the others, and is that enough?",
        "gradients",
        "The expansion holds where pre-activations are small. With a variance of 12.8/n they are not.",
        ("kumar-repairs-sigmoid", "kumar-repairs-sigmoid-soon", "ten-sigmoid-layers-train", "twenty-sigmoid-layers-train"),
    ),
    Chapter(
        "pretraining", "Pretraining, layer by layer", (),
        "Greedy layerwise pretraining finds weights from which deep networks can be trained.",
        "layer l learns to give back h_{l−1} from φ(W_l h_{l−1} + b_l),  then the whole network is trained",
        "It is how deep networks were first trained (Hinton & Salakhutdinov 2006). A layer that has learned its inputs also has weights of a sensible size; "
        "the controls tell the two apart.",
        "Filled marks against hollow ones: what the moments alone gain is scale, the rest is structure.",
        "pretraining",
        "The comparison of 2006 was with small random weights. The table below has the best well-scaled start beside them.",
        ("pretraining-helps", "pretraining-beats-random-at-equal-updates", "pretraining-beats-random-at-equal-time"),
    ),
    Chapter(
        "field", "So does initialization matter?", (),
        "A better initialization trains much faster, decides which optimum is reached, and matters less with batch normalization.",
        "steps to target;  test accuracy at the target;  spread over initializers",
        "Three different things: how soon a network learns, where it ends, and how much that depends on the draw.",
        "The ranking, and accuracy with and without batch normalization.",
        "ranking",
        "",
        ("better-weights-train-faster", "weights-decide-optimum", "batch-norm-forgives"),
    ),
)  # fmt: skip


def of_study(initializers: set[str], is_pretrained: bool) -> list[Chapter]:
    """Return the chapters that a study has the runs for.

    Args:
        initializers: names of its schemes, without parameters.
        is_pretrained: whether any of its networks are pretrained.
    """
    return [
        chapter
        for chapter in CHAPTERS
        if (not chapter.initializers or initializers & set(chapter.initializers))
        and (chapter.id != "pretraining" or is_pretrained)
    ]


GLOSSARY: dict[str, str] = {
    "activation φ": "the function that a unit applies to its pre-activation z; h = φ(z).",
    "arm": "what competes in a cell: an initializer with its pretraining, at the learning rate chosen for it.",
    "budget": "a number of updates at whose end outcomes are read; a study may have several.",
    "cell": "a setting with an activation and a depth: where arms compete.",
    "diverged": "a run whose output became infinite or undefined. It counts as guessing, and its loss as infinite.",
    "fan_in, fan_out": "inputs and outputs of a layer.",
    "gradient δ": "∂ℓ/∂z, the derivative of one example's loss by a pre-activation.",
    "interval": "where a value may lie, given the spread of the replicates and, where it is said, the noise of the choice of rate; 95 % unless said otherwise.",
    "pre-activation z": "what reaches a unit: the weighted sum of the layer below, and the bias.",
    "q, χ₁": "in wide networks: the mean square of z, and the factor by which a gradient's variance changes with a layer.",
    "replicate": "one repetition with its own split of the data, its own weights and its own order of mini-batches, the same for all initializers.",
    "saturated": "a unit whose slope is below 5 % of the activation's largest.",
    "score": "what is compared: the accuracy of a classifier, or the share of the mean predictor's error that a deep autoencoder explains. In "
    "the comparison over all cells it is scaled from guessing (0) to no error (1).",
    "setting": "one combination of dataset, width, optimizer and regularization: what the page repeats its sections for.",
    "tuning replicate": "a replicate on which the learning rate is chosen, and which is not judged.",
    "two-faced": "an arm of which some runs train and some do not: its mean accuracy may be that of no run.",
}
