"""The initialization schemes: names, formulas, sources, parameters."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.looks import FAMILY_COLOURS, KNOWN_LOOKS, OTHER_LOOKS


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

_MODIFIED = re.compile(r"\+(?=[A-Za-z])")  # a plus sign before a digit belongs to 1e+3


def parse(text: str) -> Parsed:
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
        raise ValueError(unknown_name("initializer", name, [*INITIALIZERS, *ALIASES], "README.md"))
    for modifier in after:
        if modifier not in MODIFIERS:
            raise ValueError(f"initializer '{text}': {unknown_name('modifier', modifier, MODIFIERS)}")
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


def canonical(text: str) -> str:
    """Return the one spelling of an initializer: `normal:0.010` and `normal:1e-2` are both `normal:0.01`."""
    name, parameters, modifiers = parse(text)
    values = "/".join(shortest(v) for v in parameters.values())
    return "+".join([f"{name}:{values}" if values else name, *modifiers])


def shortest(value: float) -> str:
    """Return the shortest common spelling of a number that is the number itself."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def label(text: str) -> str:
    """Return the name of an initializer as a reader sees it: `normal:0.01` is 'normal σ = 0.01'."""
    name, parameters, modifiers = parse(text)
    scheme = INITIALIZERS[name].label.format(**{k: shortest(v) for k, v in parameters.items()})
    return " + ".join([scheme, *(MODIFIERS[m].label for m in modifiers)])


def why_not_applicable(initializer: str, activation: str) -> str | None:
    """Return the sentence that says why the pair has no meaning, or None where it has one."""
    parsed = parse(initializer)
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


def style(text: str) -> dict[str, object]:
    """Return colour, marker and dash pattern of an initializer: the same in every figure of every study."""
    text = canonical(text)
    parsed = parse(text)
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
        name, parameters, modifiers = parse(text)
        return modifiers, rank[name], tuple(parameters.values())

    return sorted(set(initializers), key=key)


def diagram_points(initializers: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return σ_w² and σ_b² of those initializers that are points of a phase diagram: unmodified `mean_field` schemes."""
    parsed = {i: parse(i) for i in initializers}
    return {i: tuple(p.parameters.values()) for i, p in parsed.items() if p.name == "mean_field" and not p.modifiers}
