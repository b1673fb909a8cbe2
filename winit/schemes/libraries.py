"""Code in torch, Keras and JAX for independent numbers with variance scale/fan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from winit.schemes.scheme import number

# Standard deviation of a standard normal cut at ±2 (its variance is 1 − 4φ(2)/(2Φ(2) − 1) = 0.7737413).
TRUNCATED_STD = 0.87962566103423978
TORCH_FANS = {"fan_in": "layer.in_features", "fan_out": "layer.out_features"}
TORCH_ZERO_BIAS = "torch.nn.init.zeros_(layer.bias)"

Named = Mapping[tuple[float, str, str], str]  # by scale, fan and distribution

# The named functions of torch.nn.init.
TORCH_NAMED: Named = {
    (1, "fan_avg", "uniform"): "torch.nn.init.xavier_uniform_(layer.weight)",
    (1, "fan_avg", "normal"): "torch.nn.init.xavier_normal_(layer.weight)",
    (1, "fan_in", "normal"): "torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='linear')",
    (1, "fan_in", "uniform"): "torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity='linear')",
    (2, "fan_in", "normal"): "torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')",
    (2, "fan_in", "uniform"): "torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity='relu')",
    (2, "fan_out", "normal"): "torch.nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')",
}
# Names in Keras and JAX by scale and fan. Their normal distributions are truncated.
KERAS_NAMED: Named = {
    (1, "fan_avg", "uniform"): "keras.initializers.GlorotUniform()",
    (1, "fan_avg", "truncated_normal"): "keras.initializers.GlorotNormal()",
    (1, "fan_in", "uniform"): "keras.initializers.LecunUniform()",
    (1, "fan_in", "truncated_normal"): "keras.initializers.LecunNormal()",
    (2, "fan_in", "uniform"): "keras.initializers.HeUniform()",
    (2, "fan_in", "truncated_normal"): "keras.initializers.HeNormal()",
}
JAX_NAMED: Named = {
    (1, "fan_avg", "uniform"): "jax.nn.initializers.glorot_uniform()",
    (1, "fan_avg", "truncated_normal"): "jax.nn.initializers.glorot_normal()",
    (1, "fan_in", "uniform"): "jax.nn.initializers.lecun_uniform()",
    (1, "fan_in", "truncated_normal"): "jax.nn.initializers.lecun_normal()",
    (2, "fan_in", "uniform"): "jax.nn.initializers.he_uniform()",
    (2, "fan_in", "truncated_normal"): "jax.nn.initializers.he_normal()",
}


class Term(NamedTuple):
    """A scaling for one layer. `is_fixed`: whether the scale is the same for all layers and activations."""

    scale: float
    fan: str
    distribution: str
    is_fixed: bool

    def name_in(self, named: Named) -> str | None:
        """Return the library's name. A scale that depends on the layer has none, even if it is 1 or 2."""
        return named.get((self.scale, self.fan, self.distribution)) if self.is_fixed else None


def torch_line(weights: Term, biases: Term | None) -> str:
    """Return the torch statements that fill the weights and biases of `layer`, an nn.Linear."""
    first = weights.name_in(TORCH_NAMED) or torch_fill("layer.weight", weights)
    return f"{first}; {torch_fill('layer.bias', biases) if biases else TORCH_ZERO_BIAS}"


def torch_fill(tensor: str, of: Term) -> str:
    """Return the torch statement that fills a tensor with independent numbers."""
    scale = 3 * of.scale if of.distribution == "uniform" else of.scale
    if of.fan == "one":
        size = number(scale**0.5)
    elif of.fan == "fan_avg":
        size = f"({number(2 * scale)} / (layer.in_features + layer.out_features)) ** 0.5"
    else:
        size = f"({number(scale)} / {TORCH_FANS[of.fan]}) ** 0.5"
    if of.distribution == "normal":
        return f"torch.nn.init.normal_({tensor}, std={size})"
    if of.distribution == "uniform":
        return f"a = {size}; torch.nn.init.uniform_({tensor}, -a, a)"
    return f"s = {size} / {TRUNCATED_STD:.12g}; torch.nn.init.trunc_normal_({tensor}, std=s, a=-2 * s, b=2 * s)"


@dataclass(frozen=True)
class Library:
    """Code templates of a library that has initializers as objects.

    Attributes:
        named: its named initializers.
        normal, uniform: templates with a fixed standard deviation and a fixed bound.
        scaled: template for variance scaling, with scale, fan and distribution.
        plain_normal: its name for the normal distribution without truncation.
        biases: template for normal biases, with their standard deviation.
    """

    named: Named
    normal: str
    uniform: str
    scaled: str
    plain_normal: str
    biases: str

    def line(self, weights: Term, biases: Term | None) -> str:
        """Return the initializer, or "" if the biases depend on the fan of the weights, which the library does not pass on."""
        if biases and biases.fan != "one":
            return ""
        if weights.fan == "one":
            if weights.distribution == "normal":
                return self.normal.format(number(weights.scale**0.5))
            return self.uniform.format(number((3 * weights.scale) ** 0.5))
        distribution = self.plain_normal if weights.distribution == "normal" else weights.distribution
        line = weights.name_in(self.named) or self.scaled.format(number(weights.scale), weights.fan, distribution)
        return line + (self.biases.format(number(biases.scale**0.5)) if biases else "")


KERAS = Library(
    KERAS_NAMED,
    normal="keras.initializers.RandomNormal(stddev={})",
    uniform="keras.initializers.RandomUniform(-{0}, {0})",
    scaled="keras.initializers.VarianceScaling({}, '{}', '{}')",
    plain_normal="untruncated_normal",
    biases="  # bias_initializer=keras.initializers.RandomNormal(stddev={})",
)
JAX = Library(
    JAX_NAMED,
    normal="jax.nn.initializers.normal({})",
    # jax.nn.initializers.uniform starts at 0
    uniform="lambda key, shape, dtype=float: jax.random.uniform(key, shape, dtype, -{0}, {0})",
    scaled="jax.nn.initializers.variance_scaling({}, '{}', '{}')",
    plain_normal="normal",
    biases="  # biases: jax.nn.initializers.normal({})",
)
