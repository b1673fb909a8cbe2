"""The rules of LeCun, Glorot, He and Kumar: the variance of the weights follows from the fans of the layer."""

from __future__ import annotations

from winit.schemes import papers
from winit.schemes.scheme import Layer, Scheme
from winit.schemes.variance_scaling import VarianceScaling
from winit.theory.activations import Activation


def kumar_scale(layer: Layer) -> float:
    """Return 1 / (φ′(0)² (1 + φ(0)²)): 1 for tanh; 12.8 for sigmoid, a standard deviation of 3.6/√fan_in.

    Source: Kumar 2017, arXiv:1704.08863.
    """
    phi = layer.phi
    assert phi.slope_at_0 is not None, "checked by `needs`"
    return 1 / (phi.slope_at_0**2 * (1 + phi.value_at_0**2))


def _needs_slope_at_0(activation: Activation) -> str | None:
    if activation.slope_at_0 is not None:
        return None
    return (
        "Kumar's rule divides by φ′(0)², so it needs an activation that is differentiable at 0, "
        f"and {activation.label} has a kink there"
    )


SCHEMES: tuple[Scheme, ...] = (
    VarianceScaling(
        name="lecun_normal",
        label="LeCun normal (1/n)",
        family="lecun",
        variance="1/fan_in",
        source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, §4.6",
        paper=papers.LECUN,
        scale=1,
        fan="fan_in",
        distribution="normal",
        marker="o",
    ),
    VarianceScaling(
        name="lecun_truncated_normal",
        label="LeCun truncated normal",
        family="lecun",
        variance="1/fan_in",
        source="Keras LecunNormal, JAX lecun_normal",
        paper=papers.LECUN,
        scale=1,
        fan="fan_in",
        distribution="truncated_normal",
        marker="P",
        dashes=(1, 1),
    ),
    VarianceScaling(
        name="lecun_uniform",
        label="LeCun uniform",
        family="lecun",
        variance="1/fan_in",
        source="LeCun et al. 1998; Keras LecunUniform",
        paper=papers.LECUN,
        scale=1,
        fan="fan_in",
        distribution="uniform",
        marker="X",
        dashes=(4, 2),
    ),
    VarianceScaling(
        name="glorot_normal",
        label="Glorot normal",
        family="glorot",
        variance="2/(fan_in + fan_out)",
        source="Glorot & Bengio 2010, eq. 12",
        paper=papers.GLOROT,
        aliases=("xavier_normal",),
        scale=1,
        fan="fan_avg",
        distribution="normal",
        marker="o",
    ),
    VarianceScaling(
        name="glorot_truncated_normal",
        label="Glorot truncated normal",
        family="glorot",
        variance="2/(fan_in + fan_out)",
        source="Keras GlorotNormal, JAX glorot_normal",
        paper=papers.GLOROT,
        scale=1,
        fan="fan_avg",
        distribution="truncated_normal",
        marker="P",
        dashes=(1, 1),
    ),
    VarianceScaling(
        name="glorot_uniform",
        label="Glorot uniform",
        family="glorot",
        variance="2/(fan_in + fan_out)",
        source="Glorot & Bengio 2010, eq. 16",
        paper=papers.GLOROT,
        aliases=("xavier_uniform", "keras_default"),
        scale=1,
        fan="fan_avg",
        distribution="uniform",
        marker="X",
        dashes=(4, 2),
    ),
    VarianceScaling(
        name="he_normal",
        label="He normal",
        family="he",
        variance="2/fan_in",
        source="He, Zhang, Ren & Sun 2015, §2.2",
        paper=papers.HE,
        aliases=("kaiming_normal", "msra_normal"),
        scale=2,
        fan="fan_in",
        distribution="normal",
        marker="o",
    ),
    VarianceScaling(
        name="he_truncated_normal",
        label="He truncated normal",
        family="he",
        variance="2/fan_in",
        source="Keras HeNormal, JAX he_normal",
        paper=papers.HE,
        scale=2,
        fan="fan_in",
        distribution="truncated_normal",
        marker="P",
        dashes=(1, 1),
    ),
    VarianceScaling(
        name="he_uniform",
        label="He uniform",
        family="he",
        variance="2/fan_in",
        source="He et al. 2015; Keras HeUniform",
        paper=papers.HE,
        aliases=("kaiming_uniform", "msra_uniform"),
        scale=2,
        fan="fan_in",
        distribution="uniform",
        marker="X",
        dashes=(4, 2),
    ),
    VarianceScaling(
        name="he_fan_avg",
        label="He, fan average",
        family="he",
        variance="4/(fan_in + fan_out)",
        source="the tutorial's variant of He with both fans",
        scale=2,
        fan="fan_avg",
        distribution="normal",
        marker="^",
        dashes=(6, 2, 1, 2),
    ),
    VarianceScaling(
        name="he_fan_out",
        label="He, fan out",
        family="he",
        variance="2/fan_out",
        source="He et al. 2015, §2.2 (backward case)",
        paper=papers.HE,
        scale=2,
        fan="fan_out",
        distribution="normal",
        marker="v",
        dashes=(2, 2),
    ),
    VarianceScaling(
        name="kumar",
        label="Kumar",
        family="kumar",
        variance="1/(fan_in · φ′(0)² · (1 + φ(0)²))",
        source="Kumar 2017, arXiv:1704.08863",
        paper=papers.KUMAR,
        needs=_needs_slope_at_0,
        scale=kumar_scale,
        fan="fan_in",
        distribution="normal",
        marker="*",
    ),
)
