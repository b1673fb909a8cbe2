"""What things are called: initializers, activations, datasets, optimizers, statuses, metrics.

Pure data. Every name, label, colour, marker and order that a table, a figure or a sentence uses stands here once, so
that a scheme looks the same on every page. Nothing is computed from data here and nothing is imported from the package.
"""

from __future__ import annotations

import difflib
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log
from typing import NamedTuple


@dataclass(frozen=True)
class Parameter:
    """One number that a scheme asks for, written after its name: `normal:0.01`."""

    name: str
    symbol: str
    low: float | None = None  # smallest value, itself excluded unless it may be taken
    high: float = 1e30  # largest allowed value
    example: str = "1"
    may_be_low: bool = False


@dataclass(frozen=True)
class Initializer:
    """One initialization scheme, as it is cited.

    `variance` is the formula of Var(w), `fan` what it divides by, `bias` the rule for the bias vector.
    `needs` names a property of the activation without which the scheme is not defined.
    """

    label: str
    family: str
    distribution: str
    variance: str
    source: str
    bias: str = "0"
    parameters: tuple[Parameter, ...] = ()
    needs: str | None = None
    marker: str = "o"
    dashes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Modifier:
    """What is done to the weights that a scheme has drawn, written behind it: `he_normal+lsuv`.

    `rule` says it in one line. A data-dependent one looks at training data, and costs passes through the network.
    """

    label: str
    rule: str
    source: str
    is_data_dependent: bool = False


class Parsed(NamedTuple):
    """An initializer taken apart: the scheme's name, its parameters by name, its modifiers in the catalogue's order."""

    name: str
    parameters: dict[str, float]
    modifiers: tuple[str, ...]

    @property
    def is_data_dependent(self) -> bool:
        return any(MODIFIERS[m].is_data_dependent for m in self.modifiers)


@dataclass(frozen=True)
class Activation:
    """One activation φ. `value_at_0` and `slope_at_0` are φ(0) and φ′(0); the slope is None where φ has a kink at 0.

    `saturated` bounds the healthy outputs: a unit is saturated when its activation lies outside them
    (None: the function does not saturate). `has_critical_line` says whether wide networks with some bias can be critical.
    """

    label: str
    formula: str
    value_at_0: float
    slope_at_0: float | None
    saturated: tuple[float, float] | None = None
    has_critical_line: bool = True


@dataclass(frozen=True)
class Dataset:
    """One dataset: how many examples, inputs and classes, known without loading it.

    `test` is the size of the test part where the data come with one, as their last examples. `is_image` says that one
    mean and one deviation standardise all inputs together, so that pixels keep their weights.
    """

    label: str
    examples: int
    inputs: int
    classes: int
    source: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    test: int | None = None
    is_image: bool = False


TRUNCATED = "normal cut at ±2σ, σ corrected so that the variance is the stated one"

INITIALIZERS: dict[str, Initializer] = {
    "zeros": Initializer(
        "zeros",
        "constant",
        "constant",
        "0",
        "the tutorial's first case",
        marker="s",
    ),
    "constant": Initializer(
        "constant k = {value}",
        "constant",
        "constant",
        "0",
        "the tutorial's second case",
        parameters=(Parameter("value", "k", example="0.1"),),
        marker="D",
        dashes=(4, 2),
    ),
    "normal": Initializer(
        "normal σ = {std}",
        "fixed",
        "normal",
        "σ²",
        "the tutorial's small and large random weights",
        parameters=(Parameter("std", "σ", low=0.0, example="0.01"),),
        marker="v",
    ),
    "uniform": Initializer(
        "uniform ±{bound}",
        "fixed",
        "uniform",
        "a²/3",
        "the same with a uniform distribution",
        parameters=(Parameter("bound", "a", low=0.0, example="0.05"),),
        marker="<",
        dashes=(1, 1),
    ),
    "lecun_normal": Initializer(
        "LeCun normal (1/n)",
        "lecun",
        "normal",
        "1/fan_in",
        "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, §4.6",
        marker="o",
    ),
    "lecun_truncated_normal": Initializer(
        "LeCun truncated normal",
        "lecun",
        TRUNCATED,
        "1/fan_in",
        "Keras LecunNormal, JAX lecun_normal",
        marker="P",
        dashes=(1, 1),
    ),
    "lecun_uniform": Initializer(
        "LeCun uniform",
        "lecun",
        "uniform",
        "1/fan_in",
        "LeCun et al. 1998; Keras LecunUniform",
        marker="X",
        dashes=(4, 2),
    ),
    "glorot_normal": Initializer(
        "Glorot normal",
        "glorot",
        "normal",
        "2/(fan_in + fan_out)",
        "Glorot & Bengio 2010, eq. 12",
        marker="o",
    ),
    "glorot_truncated_normal": Initializer(
        "Glorot truncated normal",
        "glorot",
        TRUNCATED,
        "2/(fan_in + fan_out)",
        "Keras GlorotNormal, JAX glorot_normal",
        marker="P",
        dashes=(1, 1),
    ),
    "glorot_uniform": Initializer(
        "Glorot uniform",
        "glorot",
        "uniform",
        "2/(fan_in + fan_out)",
        "Glorot & Bengio 2010, eq. 16",
        marker="X",
        dashes=(4, 2),
    ),
    "he_normal": Initializer(
        "He normal",
        "he",
        "normal",
        "2/fan_in",
        "He, Zhang, Ren & Sun 2015, §2.2",
        marker="o",
    ),
    "he_truncated_normal": Initializer(
        "He truncated normal",
        "he",
        TRUNCATED,
        "2/fan_in",
        "Keras HeNormal, JAX he_normal",
        marker="P",
        dashes=(1, 1),
    ),
    "he_uniform": Initializer(
        "He uniform",
        "he",
        "uniform",
        "2/fan_in",
        "He et al. 2015; Keras HeUniform",
        marker="X",
        dashes=(4, 2),
    ),
    "he_fan_avg": Initializer(
        "He, fan average",
        "he",
        "normal",
        "4/(fan_in + fan_out)",
        "the tutorial's He variant that takes fan_out into account",
        marker="^",
        dashes=(6, 2, 1, 2),
    ),
    "he_fan_out": Initializer(
        "He, fan out",
        "he",
        "normal",
        "2/fan_out",
        "He et al. 2015, §2.2 (backward case)",
        marker="v",
        dashes=(2, 2),
    ),
    "kumar": Initializer(
        "Kumar",
        "kumar",
        "normal",
        "1/(fan_in · φ′(0)² · (1 + φ(0)²))",
        "Kumar 2017, arXiv:1704.08863",
        needs="differentiable at 0",
        marker="*",
    ),
    "torch_default": Initializer(
        "torch nn.Linear default",
        "framework",
        "uniform",
        "1/(3 fan_in)",
        "torch.nn.Linear.reset_parameters (pytorch issues 15314, 57109)",
        bias="uniform ±1/√fan_in",
        marker="h",
        dashes=(3, 1, 1, 1),
    ),
    "sklearn_default": Initializer(
        "scikit-learn's MLP rule",
        "framework",
        "uniform",
        "2/(fan_in + fan_out); sigmoid: a third of it",
        "sklearn.neural_network.MLPClassifier",
        bias="uniform, the weights' bound",
        marker="p",
        dashes=(1, 2),
    ),
    "theano_glorot": Initializer(
        "4 × Glorot uniform",
        "framework",
        "uniform",
        "32/(fan_in + fan_out)",
        "Theano's deep learning tutorials (LISA lab), for sigmoid",
        needs="sigmoid",
        marker="<",
        dashes=(4, 1, 1, 1),
    ),
    "mup": Initializer(
        "μP's variances",
        "framework",
        "normal",
        "1/fan_in; output layer 1/fan_in²",
        "Yang & Hu 2021 (arXiv:2011.14522), table 1; its learning rates are not part of this",
        marker="d",
        dashes=(2, 1),
    ),
    "variance": Initializer(
        "normal, n·Var(w) = {scale}",
        "theory",
        "normal",
        "c/fan_in",
        "the knob that LeCun (1) and He (2) set",
        parameters=(Parameter("scale", "c", low=0.0, example="1.5"),),
        marker=">",
        dashes=(1, 3),
    ),
    "mean_field": Initializer(
        "σ_w² = {weight_variance}, σ_b² = {bias_variance}",
        "theory",
        "normal",
        "σ_w²/fan_in",
        "any point of the phase diagram: Poole et al. 2016; Schoenholz et al. 2017",
        bias="N(0, σ_b²)",
        parameters=(
            Parameter("weight_variance", "σ_w²", low=0.0, example="1.5"),
            Parameter("bias_variance", "σ_b²", low=0.0, example="0.05", may_be_low=True),
        ),
        marker=".",
    ),
    "moment_matched": Initializer(
        "moment-matched",
        "theory",
        "normal",
        "1/(fan_in E[φ(z)²])",
        "generalises He et al. 2015; Bingham & Miikkulainen 2021 (AutoInit)",
        marker="o",
    ),
    "moment_matched_backward": Initializer(
        "moment-matched backward",
        "theory",
        "normal",
        "1/(fan_out E[φ′(z)²])",
        "the same for gradients; He et al. 2015, §2.2 (backward case)",
        marker="v",
        dashes=(2, 2),
    ),
    "edge_of_chaos": Initializer(
        "edge of chaos σ_b² = {bias_variance}",
        "theory",
        "normal",
        "σ_w²/fan_in, σ_w² E[φ′(√q* z)²] = 1",
        "Poole et al. 2016; Schoenholz et al. 2017",
        bias="N(0, σ_b²)",
        parameters=(Parameter("bias_variance", "σ_b²", low=0.0, high=1.0, example="0.05"),),
        needs="critical line",
        marker="P",
        dashes=(6, 2),
    ),
    "random_walk": Initializer(
        "random walk",
        "theory",
        "normal",
        "g²/fan_in, g = √2 e^{1.2/(n − 2.4)} (ReLU), e^{1/(2n)} (identity), n = max(fan_in, 6)",
        "Sussillo & Abbott 2014, arXiv:1412.6558",
        needs="relu or identity",
        marker="X",
        dashes=(4, 2),
    ),
    "orthogonal": Initializer(
        "orthogonal × {gain}",
        "structured",
        "Haar",
        "g²/max(fan_in, fan_out)",
        "Saxe, McClelland & Ganguli 2014, arXiv:1312.6120",
        parameters=(Parameter("gain", "g", low=0.0, example="1"),),
        marker="o",
    ),
    "identity": Initializer(
        "identity",
        "structured",
        "deterministic",
        "1 on the diagonal",
        "Le, Jaitly & Hinton 2015, arXiv:1504.00941",
        marker="s",
        dashes=(1, 1),
    ),
    "zero_hadamard": Initializer(
        "ZerO",
        "structured",
        "deterministic",
        "partial identity; where a layer expands, Hadamard/2^(k/2)",
        "Zhao, Schäfer & Anandkumar 2022, arXiv:2110.12661 (the authors' code for the constant)",
        marker="D",
        dashes=(3, 1),
    ),
    "martens_sparse": Initializer(
        "sparse, {connections} inputs a unit",
        "structured",
        "normal on k inputs, else 0",
        "k/fan_in",
        "Martens 2010, §5; not torch's sparse_",
        parameters=(Parameter("connections", "k", low=0.0, example="15"),),
        marker="*",
        dashes=(4, 2),
    ),
    "torch_sparse": Initializer(
        "torch sparse_({sparsity})",
        "structured",
        "normal σ = 0.01 on a share of each input's weights, else 0",
        "10⁻⁴ (1 − sparsity)",
        "torch.nn.init.sparse_",
        parameters=(Parameter("sparsity", "s", low=0.0, high=1.0, example="0.9"),),
        marker="h",
        dashes=(1, 3),
    ),
}

# What can be done to the weights of any scheme once they are drawn, in the order in which it is done.
MODIFIERS: dict[str, Modifier] = {
    "last_layer_zero": Modifier(
        "zero output layer",
        "weights and biases of the output layer are 0, so that the first loss is log C",
        "advice of the μP authors (github.com/microsoft/mup); Karpathy, makemore part 3",
    ),
    "lsuv": Modifier(
        "LSUV",
        "layer by layer, W ← W/√Var(z) until |Var(z) − 1| < 0.02, at most 20 times, on a calibration batch",
        "Mishkin & Matas 2016, arXiv:1511.06422",
        is_data_dependent=True,
    ),
    "gradinit": Modifier(
        "GradInit",
        "one factor for each tensor, learned so that the loss after a first step of size 0.1 is small while ‖∇L‖ ≤ 1",
        "Zhu et al. 2021, arXiv:2102.08098, algorithm 1",
        is_data_dependent=True,
    ),
    "metainit": Modifier(
        "MetaInit",
        "one norm for each weight matrix, learned so that a gradient step changes the gradient little",
        "Dauphin & Schoenholz 2019 (NeurIPS), MetaInit",
        is_data_dependent=True,
    ),
}

# Other names of the same schemes; they resolve to the one above.
ALIASES: dict[str, str] = {
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "msra_normal": "he_normal",
    "msra_uniform": "he_uniform",
    "keras_default": "glorot_uniform",
    "lsuv": "orthogonal:1+lsuv",
    "gradinit": "he_normal+gradinit",
    "metainit": "he_normal+metainit",
    "std_heuristic": "torch_default",  # U(±1/√fan_in): the rule that Glorot & Bengio 2010 criticise is torch's
}

# Okabe & Ito's palette: one hue a family; members differ in marker and dash, so colour never speaks alone.
FAMILY_COLOURS: dict[str, str] = {
    "constant": "#999999",
    "fixed": "#D55E00",
    "lecun": "#56B4E9",
    "glorot": "#0072B2",
    "he": "#009E73",
    "kumar": "#CC79A7",
    "framework": "#E69F00",
    "theory": "#6F4BB8",
    "structured": "#8C564B",
    "data-dependent": "#B8336A",
}

ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation("sigmoid", "1/(1 + e^(−z))", 0.5, 0.25, (0.03, 0.97)),
    "tanh": Activation("tanh", "tanh z", 0.0, 1.0, (-0.97, 0.97)),
    "relu": Activation("ReLU", "max(0, z)", 0.0, None, has_critical_line=False),
    "identity": Activation("identity", "z", 0.0, 1.0, has_critical_line=False),
    "leaky_relu": Activation("leaky ReLU", "z for z > 0, else 0.01 z", 0.0, None, has_critical_line=False),
    "leaky_relu_0.2": Activation("leaky ReLU 0.2", "z for z > 0, else 0.2 z", 0.0, None, has_critical_line=False),
    "elu": Activation("ELU", "z for z > 0, else eᶻ − 1", 0.0, 1.0),
    "selu": Activation("SELU", "1.0507 z for z > 0, else 1.7581 (eᶻ − 1)", 0.0, None),
    "gelu": Activation("GELU", "z Φ(z)", 0.0, 0.5),
    "silu": Activation("SiLU", "z/(1 + e^(−z))", 0.0, 0.5),
    "mish": Activation("Mish", "z tanh(log(1 + eᶻ))", 0.0, 0.6),
    "softplus": Activation("softplus", "log(1 + eᶻ)", log(2), 0.5, has_critical_line=False),
    "lecun_tanh": Activation("LeCun's tanh", "1.7159 tanh(2z/3)", 0.0, 1.7159 * 2 / 3, (-0.97 * 1.7159, 0.97 * 1.7159)),
    "softsign": Activation("softsign", "z/(1 + |z|)", 0.0, 1.0, (-0.97, 0.97)),
}

DATASETS: dict[str, Dataset] = {
    "digits": Dataset(
        "digits",
        1797,
        64,
        10,
        "8×8 handwritten digits of the UCI test set, embedded in scikit-learn",
    ),
    "spirals": Dataset(
        "spirals",
        1800,
        2,
        3,
        "three interleaved spiral arms in the plane, generated",
        parameters={"turns": 1.25, "noise": 0.02},
    ),
    "mnist": Dataset(
        "MNIST",
        70_000,
        784,
        10,
        "28×28 handwritten digits, LeCun et al. 1998; 10,000 of the 60,000 training examples are for validation",
        test=10_000,
        is_image=True,
    ),
}

OPTIMIZERS: dict[str, str] = {
    "sgd": "SGD",
    "momentum": "SGD with momentum",
    "nesterov": "SGD with Nesterov momentum",
    "adam": "Adam",
    "adamw": "AdamW",
}
SCHEDULES: dict[str, str] = {
    "constant": "constant",
    "linear": "falling linearly to 0",
    "cosine": "falling to 0 along half a cosine",
}



@dataclass(frozen=True)
class Pretraining:
    """One way to train layer by layer before the whole network is trained; `rule` says it in one line.

    `activations` are those it has a meaning for, all if there are none; `needs_labels` says that it learns from labels.
    """

    label: str
    rule: str
    source: str
    colour: str
    marker: str
    activations: tuple[str, ...] = ()
    needs_labels: bool = False


PRETRAINING: dict[str, Pretraining] = {
    "none": Pretraining("none", "the network is trained as it was drawn", "–", "#7a7a7a", "o"),
    "autoencoder": Pretraining(
        "autoencoders", "each layer learns to give back the codes of the one below", "Bengio et al. 2007", "#0072b2", "s"
    ),
    "denoising_autoencoder": Pretraining(
        "denoising autoencoders", "the same, from corrupted codes", "Vincent et al. 2010", "#56b4e9", "D"
    ),
    "rbm": Pretraining(
        "RBMs",
        "each layer is a restricted Boltzmann machine on the codes of the one below, trained by contrastive divergence",
        "Hinton & Salakhutdinov 2006",
        "#d55e00",
        "^",
        activations=("sigmoid", "identity"),
    ),
    "supervised": Pretraining(
        "supervised layers",
        "each layer is the hidden layer of a classifier of the codes of the one below, whose output layer is then dropped",
        "Bengio et al. 2007",
        "#009e73",
        "v",
        needs_labels=True,
    ),
}

# What is written behind a way of pretraining, `rbm+shuffled`: an arm that shares one thing with it and lacks another.
CONTROLS: dict[str, str] = {
    "shuffled": "its weights, permuted within each layer: the values without the structure",
    "moments": "normal weights with the mean and deviation of each of its layers: the scale, nothing else",
    "longer": "no pretraining, and as many updates more as pretraining every layer would have taken",
}


class ParsedPretraining(NamedTuple):
    """A pretraining taken apart: the method, and the control or an empty string."""

    method: str
    control: str


def parse_pretraining(text: str) -> ParsedPretraining:
    """Take `rbm+shuffled` apart: the method and its control.

    Raises:
        ValueError: an unknown method or control, or a pair without meaning.
    """
    method, plus, control = text.partition("+")
    if method not in PRETRAINING:
        raise ValueError(unknown("pretraining", method, PRETRAINING))
    fitting = ["longer"] if method == "none" else ["shuffled", "moments"]
    if plus and control not in fitting:
        raise ValueError(f"pretraining '{text}': {unknown(f'control of {method}', control, fitting)}")
    return ParsedPretraining(method, control)


def pretraining_label(text: str) -> str:
    """Return the name of a pretraining as a reader sees it: `rbm+shuffled` is 'RBMs, shuffled'."""
    method, control = parse_pretraining(text)
    if method == "none":
        return "no pretraining, trained longer" if control else "no pretraining"
    return PRETRAINING[method].label + {"": "", "shuffled": ", shuffled", "moments": ", their moments alone"}[control]


def pretraining_style(text: str) -> dict[str, object]:
    """Return colour, marker and dash pattern of a pretraining: a control has its method's colour."""
    method, control = parse_pretraining(text)
    dashes = {"": (), "shuffled": (1, 1), "moments": (4, 2), "longer": (6, 1, 1, 1)}[control]
    return {"color": PRETRAINING[method].colour, "marker": PRETRAINING[method].marker, "dashes": dashes}


def pretrainings_in_order(names: Iterable[str]) -> list[str]:
    """Sort pretrainings in the catalogue's order, controls behind what they control."""
    order = [f"{m}{c}" for m in PRETRAINING for c in ("", *(f"+{c}" for c in CONTROLS))]
    return sorted(set(names), key=order.index)


def why_not_pretrainable(pretraining: str, activation: str, task: str = "classification") -> str | None:
    """Return the sentence that says why the combination has no meaning, or None where it has one."""
    method = parse_pretraining(pretraining).method
    facts = PRETRAINING[method]
    if facts.activations and activation not in facts.activations:
        return (
            f"the hidden units of an RBM are binary (sigmoid) or linear (identity), and {ACTIVATIONS[activation].label} is neither"
        )
    if facts.needs_labels and task == "reconstruction":
        return "supervised layers learn from labels, and reconstruction has none"
    return None


@dataclass(frozen=True)
class Task:
    """What a network is trained for: how its loss and its score are called, and the score of knowing nothing."""

    label: str
    loss: str
    score: str


TASKS: dict[str, Task] = {
    "classification": Task("classification", "mean cross-entropy, nats", "accuracy"),
    "reconstruction": Task(
        "reconstruction",
        "squared error, summed over the outputs, mean over examples",
        "share of the mean predictor's error that is explained",
    ),
}

LOSSES = ("squared_error", "cross_entropy")  # of autoencoders
CORRUPTIONS = ("masking", "gaussian")
DECODERS = ("tied", "free")
VISIBLE = ("binary", "gaussian")  # units of RBMs
SCALINGS: dict[str, str] = {
    "standard": "standardised on the training part",
    "unit": "brought to [0, 1] by the smallest and largest values of the training part",
}

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("auto", "kernel", "torch")

# In the order in which a reader should meet them: success first.
STATUSES: dict[str, str] = {
    "ok": "reached the target accuracy on validation within the budget",
    "missed_target": "learned, but did not reach the target",
    "stuck": "ended within three standard errors of guessing",
    "diverged": "produced a non-finite value",
}


def unknown(kind: str, given: str, allowed: Iterable[str]) -> str:
    """Return the sentence for a name that does not exist, with the nearest name that does."""
    allowed = list(allowed)
    near = difflib.get_close_matches(given, allowed, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    return f"unknown {kind} '{given}'{hint} choose from {', '.join(allowed)}"


_MODIFIED = re.compile(r"\+(?=[A-Za-z])")  # a plus sign before a digit belongs to 1e+3


def parse_initializer(text: str) -> Parsed:
    """Take `normal:0.01+lsuv` apart: the scheme, its parameters, its modifiers.

    Args:
        text: a scheme's name, followed by one value for each of its parameters, set off by ':' and '/', and by
            modifiers, each set off by '+'. Aliases may stand for schemes.

    Returns:
        The parts, e.g. `Parsed("normal", {"std": 0.01}, ("lsuv",))`.

    Raises:
        ValueError: unknown scheme or modifier, a missing or superfluous value, or a value out of range.
    """
    head, *after = _MODIFIED.split(text)
    name, colon, values = head.partition(":")
    if name in MODIFIERS and name not in ALIASES:
        raise ValueError(f"initializer '{text}': {name} modifies another scheme; write he_normal+{name}, say")
    if name in ALIASES:
        head, *own = _MODIFIED.split(ALIASES[name] + colon + values)
        name, _, values = head.partition(":")
        after = [*own, *after]
    if name not in INITIALIZERS:
        raise ValueError(unknown("initializer", name, [*INITIALIZERS, *ALIASES]))
    for modifier in after:
        if modifier not in MODIFIERS:
            raise ValueError(f"initializer '{text}': {unknown('modifier', modifier, MODIFIERS)}")
        if after.count(modifier) > 1:
            raise ValueError(f"initializer '{text}' has {modifier} twice; once is enough")
    wanted = INITIALIZERS[name].parameters
    given = values.split("/") if values else []
    if len(given) != len(wanted):
        form = name + "".join(f"{':' if i == 0 else '/'}<{p.name}>" for i, p in enumerate(wanted))
        example = f" ({name}:{'/'.join(p.example for p in wanted)}, say)" if wanted else ""
        raise ValueError(f"initializer '{text}' has {len(given)} values; write it {form}{example}")
    parameters = {p.name: _checked(text, p, value) for p, value in zip(wanted, given, strict=True)}
    return Parsed(name, parameters, tuple(m for m in MODIFIERS if m in after))


def _checked(text: str, parameter: Parameter, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    low, high = parameter.low, parameter.high
    above = low is None or number > low or (parameter.may_be_low and number == low)
    if not (above and -1e30 <= number <= high):
        bound = "" if low is None else f" of at least {low:g}" if parameter.may_be_low else f" above {low:g}"
        bound += f", at most {high:g}" if high != 1e30 else " and at most 1e30" if bound else " of size at most 1e30"
        raise ValueError(f"initializer '{text}': {parameter.name} is '{value}'; it must be a number{bound}")
    return number


def canonical_initializer(text: str) -> str:
    """Return the one spelling of an initializer: `normal:0.010` and `normal:1e-2` are both `normal:0.01`."""
    name, parameters, modifiers = parse_initializer(text)
    values = "/".join(_number(v) for v in parameters.values())
    return "+".join([f"{name}:{values}" if values else name, *modifiers])


def _number(value: float) -> str:
    """Return the shortest common spelling of a number that is the number itself."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def label(text: str) -> str:
    """Return the name of an initializer as a reader sees it: `normal:0.01` is 'normal σ = 0.01'."""
    name, parameters, modifiers = parse_initializer(text)
    scheme = INITIALIZERS[name].label.format(**{k: _number(v) for k, v in parameters.items()})
    return " + ".join([scheme, *(MODIFIERS[m].label for m in modifiers)])


def why_not_applicable(initializer: str, activation: str) -> str | None:
    """Return the sentence that says why the pair has no meaning, or None where it has one."""
    parsed = parse_initializer(initializer)
    name = parsed.name
    scheme, phi = INITIALIZERS[name], ACTIVATIONS[activation]
    label = scheme.label.partition(" σ")[0]
    if scheme.needs == "differentiable at 0" and phi.slope_at_0 is None:
        return (
            f"{label}'s rule divides by φ′(0)², so it needs an activation that is differentiable at 0, "
            f"and {phi.label} has a kink there"
        )
    if scheme.needs == "critical line" and not phi.has_critical_line:
        return f"{label} needs a point where gradients keep their size, and wide {phi.label} networks with biases have none"
    if scheme.needs == "sigmoid" and activation != "sigmoid":
        return f"{label} is a rule for sigmoid alone, and the activation is {phi.label}"
    if scheme.needs == "relu or identity" and activation not in ("relu", "identity"):
        return f"{label} has a rule for ReLU and for identity, and none for {phi.label}"
    if name == "zeros" and parsed.is_data_dependent:
        return "all weights are 0, and no factor changes that"
    return None


# Looks of the members of a scheme with a parameter, beyond the scheme's own: the tutorial's are fixed, others follow from
# the parameter's spelling, so that they too are the same on every page.
KNOWN_LOOKS: dict[str, tuple[str, tuple[float, ...]]] = {
    "normal:0.01": ("v", ()),
    "normal:1": ("^", (4, 2)),
    "constant:0.1": ("D", (4, 2)),
}
OTHER_LOOKS = [
    (m, d) for m in ("o", "P", "X", "<", ">", "p", "h") for d in ((1, 1), (3, 1), (6, 2), (6, 2, 1, 2), (2, 3))
]


def style(text: str) -> dict[str, object]:
    """Return colour, marker and dash pattern of an initializer: the same in every figure of every study."""
    text = canonical_initializer(text)
    parsed = parse_initializer(text)
    scheme = INITIALIZERS[parsed.name]
    marker, dashes = scheme.marker, scheme.dashes
    if text in KNOWN_LOOKS:
        marker, dashes = KNOWN_LOOKS[text]
    elif parsed.parameters or parsed.modifiers:
        marker, dashes = OTHER_LOOKS[zlib.crc32(text.encode()) % len(OTHER_LOOKS)]
    family = "data-dependent" if parsed.is_data_dependent else scheme.family
    return {"color": FAMILY_COLOURS[family], "marker": marker, "dashes": dashes}


def in_order(initializers: Iterable[str]) -> list[str]:
    """Sort initializers in the catalogue's order, those of one scheme by their parameters, modified ones last."""
    rank = {name: i for i, name in enumerate(INITIALIZERS)}

    def key(text: str) -> tuple[tuple[str, ...], int, tuple[float, ...]]:
        name, parameters, modifiers = parse_initializer(text)
        return modifiers, rank[name], tuple(parameters.values())

    return sorted(set(initializers), key=key)


def diagram_points(initializers: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return σ_w² and σ_b² of those initializers that are points of a phase diagram: unmodified `mean_field` schemes."""
    parsed = {i: parse_initializer(i) for i in initializers}
    return {i: tuple(p.parameters.values()) for i, p in parsed.items() if p.name == "mean_field" and not p.modifiers}
