"""Schemes whose weights are not independent: orthogonal, identity, Hadamard and sparse matrices."""

from __future__ import annotations

from math import ceil

import numpy as np
import scipy  # loads its modules when they are first used

from winit.schemes import papers
from winit.schemes.scheme import Layer, MatrixScheme, Parameter, Scheme


def orthogonal(layer: Layer, gain: float) -> np.ndarray:
    """Draw a uniformly random matrix with WᵀW = g²I or, if the layer expands, WWᵀ = g²I.

    It is the Q of the QR decomposition of a normal matrix, with the signs of R's diagonal removed (Mezzadri 2007, §5).

    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120.
    """
    long, short = max(layer.shape), min(layer.shape)
    q, r = np.linalg.qr(layer.stream.standard_normal((long, short)))
    q *= np.sign(np.diag(r))
    return gain * (q if layer.fan_in >= layer.fan_out else q.T)


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
    k = min(round(connections), layer.fan_in)
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
        parameters=(Parameter("connections", "k", low=0.0, example="15"),),
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
