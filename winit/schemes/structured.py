"""Schemes whose weights are not independent: orthogonal, mirrored, identity, Hadamard and sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import scipy  # loads its modules when they are first used

from winit.schemes import papers
from winit.schemes.scheme import Layer, MatrixScheme, Parameter, Scheme
from winit.theory.activations import Activation


def orthogonal(layer: Layer, gain: float) -> np.ndarray:
    """Draw a uniformly random matrix with WᵀW = g²I or, if the layer expands, WWᵀ = g²I.

    It is the Q of the QR decomposition of a normal matrix, with the signs of R's diagonal removed (Mezzadri 2007, §5).

    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120.
    """
    long, short = max(layer.shape), min(layer.shape)
    q, r = np.linalg.qr(layer.stream.standard_normal((long, short)))
    q *= np.sign(np.diag(r))
    return gain * (q if layer.fan_in >= layer.fan_out else q.T)


def kept_lengths(layer: Layer) -> float:
    """Return √max(1, fan_out/fan_in), the gain at which an orthogonal matrix preserves the mean square of random inputs."""
    return sqrt(max(1.0, layer.fan_out / layer.fan_in))


def odd_slope(activation: Activation) -> float | None:
    """Return k if φ(z) − φ(−z) = k z for all z, or None if there is no such k.

    k is 1 for ReLU, GELU, SiLU and softplus, 1 + s for leaky ReLU of slope s, and 2 for the identity.
    """
    z = np.array([0.1, 0.5, 1.0, 2.0, 4.0])
    slopes = (activation.phi(z) - activation.phi(-z)) / z
    return float(slopes[0]) if np.ptp(slopes) < 1e-9 else None


def looks_linear(layer: Layer) -> np.ndarray:
    """Draw mirrored orthogonal matrices that make the network linear: f(x) = x V₁ … V_L, with biases of 0.

        first layer [V, −V],   hidden layers [[V, −V], [−V, V]]/k,   output layer [V; −V]/k

    Units come in pairs z and −z, from which the next layer computes φ(z) − φ(−z) = k z. V is orthogonal. An odd number
    of units is not mirrored.

    Source: Balduzzi et al. 2017, for ReLU.
    """
    rows = 1 if layer.is_first or layer.fan_in % 2 else 2
    columns = 1 if layer.is_last or layer.fan_out % 2 else 2
    inner = orthogonal(Layer(layer.fan_in // rows, layer.fan_out // columns, layer.activation, layer.stream), 1.0)
    slope = odd_slope(layer.phi)
    assert slope is not None, "checked by `needs`"
    mirrored = np.kron(np.array([[1.0, -1.0], [-1.0, 1.0]])[:rows, :columns], inner)
    return mirrored if rows == 1 else mirrored / slope


@dataclass(frozen=True, kw_only=True)
class Mirrored(MatrixScheme):
    """Mirrored matrices, whose scale depends on the activation."""

    def depends_on_activation(self, **parameters: float) -> bool:
        """Return True, because k depends on φ."""
        return True


def _needs_odd_slope(activation: Activation) -> str | None:
    if odd_slope(activation) is not None:
        return None
    return (
        "mirrored units make a network linear if φ(z) − φ(−z) is proportional to z, "
        f"which is not the case for {activation.label}"
    )


def _needs_even_widths(widths: Sequence[int]) -> str | None:
    odd = [width for width in widths[1:-1] if width % 2]
    return f"mirrored units come in pairs, but a hidden layer has {odd[0]} units; use an even width" if odd else None


def spectral(layer: Layer) -> np.ndarray:
    """Draw an orthogonal matrix times √(fan_out/fan_in), the norm required by the spectral condition.

    Source: Yang, Simon & Bernstein 2023, arXiv:2310.17813.
    """
    return orthogonal(layer, sqrt(layer.fan_out / layer.fan_in))


def tanh_fixed_point(layer: Layer, noise: float) -> np.ndarray:
    """Draw W = D + Z: D_ij is 1 where i ≡ j modulo the smaller of the fans, Z ~ N(0, α²/fan_in).

    Source: Lee, Choi & Kim 2025, arXiv:2410.02242.
    """
    i, j = np.indices(layer.shape)
    diagonal = (i - j) % min(layer.shape) == 0
    return diagonal + noise / sqrt(layer.fan_in) * layer.stream.standard_normal(layer.shape)


def _needs_tanh(activation: Activation) -> str | None:
    if activation.name == "tanh":
        return None
    return f"D + Z is a rule for tanh only, and the activation is {activation.label}"


def zero_hadamard(layer: Layer) -> np.ndarray:
    """Return the ZerO matrix: a partial identity or, if the layer expands, I H I/2^{k/2} with the Hadamard matrix H of size 2ᵏ.

    k = ⌈log₂ fan_out⌉. Source: Zhao, Schäfer & Anandkumar 2022, arXiv:2110.12661, algorithm 1.
    """
    if layer.fan_out <= layer.fan_in:
        return np.eye(*layer.shape)
    k = (layer.fan_out - 1).bit_length()
    return scipy.linalg.hadamard(2**k)[: layer.fan_in, : layer.fan_out] / 2 ** (k / 2)


def martens_sparse(layer: Layer, connections: float) -> np.ndarray:
    """Draw k incoming weights of every unit from N(0, 1) and set the others to 0.

    Source: Martens 2010, Deep learning via Hessian-free optimization, §5.
    """
    k = min(int(connections), layer.fan_in)
    chosen = layer.stream.random(layer.shape).argsort(axis=0) < k
    return np.where(chosen, layer.stream.standard_normal(layer.shape), 0.0)


def torch_sparse(layer: Layer, sparsity: float) -> np.ndarray:
    """Draw weights from N(0, 0.01²) and set ⌈s·fan_out⌉ outgoing weights of every input to 0, like torch's sparse_."""
    zeros = ceil(sparsity * layer.fan_out)
    dropped = layer.stream.random(layer.shape).argsort(axis=1) < zeros
    return np.where(dropped, 0.0, 0.01 * layer.stream.standard_normal(layer.shape))


SCHEMES: tuple[Scheme, ...] = (
    MatrixScheme(
        name="orthogonal",
        label="orthogonal × {gain}",
        family="structured",
        distribution="Haar",
        variance="g²/max(fan_in, fan_out)",
        source="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120",
        paper=papers.SAXE,
        parameters=(Parameter("gain", "g", low=0.0, example="1"),),
        fill=orthogonal,
        marker="o",
        torch="torch.nn.init.orthogonal_(layer.weight, gain={gain}); torch.nn.init.zeros_(layer.bias)",
        keras="keras.initializers.Orthogonal(gain={gain})",
        jax="jax.nn.initializers.orthogonal({gain})",
    ),
    MatrixScheme(
        name="spectral",
        label="spectral condition",
        family="structured",
        distribution="Haar",
        variance="fan_out/(fan_in · max(fan_in, fan_out))",
        source="Yang, Simon & Bernstein 2023, arXiv:2310.17813",
        paper=papers.SPECTRAL,
        caveat="the rule was read in a secondary source; the learning rates of the paper are not included",
        fill=spectral,
        marker="o",
        dashes=(4, 2),
        torch="torch.nn.init.orthogonal_(layer.weight, gain=(layer.out_features / layer.in_features) ** 0.5); "
        "torch.nn.init.zeros_(layer.bias)",
    ),
    Mirrored(
        name="looks_linear",
        label="looks linear (mirrored)",
        family="structured",
        distribution="Haar, mirrored",
        variance="2/(k² max(fan_in, fan_out)) in hidden layers, φ(z) − φ(−z) = k z",
        source="Balduzzi et al. 2017 (shattered gradients), for ReLU",
        paper=papers.BALDUZZI,
        caveat="the rule was read in public code, not in the paper; its extension beyond ReLU and leaky ReLU is winit's",
        needs=_needs_odd_slope,
        needs_widths=_needs_even_widths,
        fill=looks_linear,
        marker="^",
    ),
    MatrixScheme(
        name="tanh_fixed_point",
        label="D + Z, α = {noise}",
        family="structured",
        distribution="wrapped identity plus normal",
        variance="α²/fan_in around 1 on the wrapped diagonal",
        source="Lee, Choi & Kim 2025, arXiv:2410.02242, who take α = 0.085",
        paper=papers.LEE,
        caveat="the rule was read in summaries of the paper; the form of D in layers that are not square is inferred from them",
        parameters=(Parameter("noise", "α", low=0.0, example="0.085"),),
        needs=_needs_tanh,
        fill=tanh_fixed_point,
        marker="s",
        dashes=(4, 2),
    ),
    MatrixScheme(
        name="identity",
        label="identity",
        family="structured",
        distribution="deterministic",
        variance="1 on the diagonal",
        source="Le, Jaitly & Hinton 2015, arXiv:1504.00941",
        paper=papers.LE,
        fill=lambda layer: np.eye(*layer.shape),
        marker="s",
        dashes=(1, 1),
        torch="torch.nn.init.eye_(layer.weight); torch.nn.init.zeros_(layer.bias)",
        keras="keras.initializers.Identity()",
        jax="lambda key, shape, dtype=float: jax.numpy.eye(*shape, dtype=dtype)",
    ),
    MatrixScheme(
        name="zero_hadamard",
        label="ZerO",
        family="structured",
        distribution="deterministic",
        variance="partial identity; if the layer expands, Hadamard/2^(k/2)",
        source="Zhao, Schäfer & Anandkumar 2022, arXiv:2110.12661 (the authors' code for the constant)",
        paper=papers.ZHAO,
        fill=zero_hadamard,
        marker="D",
        dashes=(3, 1),
    ),
    MatrixScheme(
        name="martens_sparse",
        label="sparse, {connections} inputs per unit",
        family="structured",
        distribution="normal for k inputs, otherwise 0",
        variance="k/fan_in",
        source="Martens 2010, §5; not torch's sparse_",
        paper=papers.MARTENS,
        parameters=(Parameter("connections", "k", is_count=True, example="15"),),
        fill=martens_sparse,
        marker="*",
        dashes=(4, 2),
    ),
    MatrixScheme(
        name="torch_sparse",
        label="torch sparse_({sparsity})",
        family="structured",
        distribution="normal σ = 0.01 for a share of each input's weights, otherwise 0",
        variance="10⁻⁴ (1 − sparsity)",
        source="torch.nn.init.sparse_",
        parameters=(Parameter("sparsity", "s", low=0.0, high=1.0, example="0.9"),),
        fill=torch_sparse,
        marker="h",
        dashes=(1, 3),
        torch="torch.nn.init.sparse_(layer.weight, {sparsity}); torch.nn.init.zeros_(layer.bias)",
    ),
)
