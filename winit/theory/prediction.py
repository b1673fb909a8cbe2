"""Predictions of the theory of wide networks, layer by layer, for a network of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from winit.theory.activations import Activation
from winit.theory.layers import PLAIN, LayerStatistics, effective_activation
from winit.theory.quadrature import moments, ratio


@dataclass(frozen=True)
class Prediction:
    """Predictions for each layer of a network at initialization, hidden layers first, the output layer last.

    Attributes:
        q: mean square of the pre-activations.
        h_variance: variance of the hidden activations, over units and examples; NaN for the output layer.
        delta: mean square of ∂ℓ/∂z relative to that of the output layer.
        q_spread, h_spread, delta_spread: effect of finite width on these: standard deviation over networks of the
            logarithm, for one input. Averages over many inputs vary less.
        amplification: factor by which a small relative deviation of q in the first layer has grown in this layer.
    """

    q: np.ndarray
    h_variance: np.ndarray
    delta: np.ndarray
    q_spread: np.ndarray
    h_spread: np.ndarray
    delta_spread: np.ndarray
    amplification: np.ndarray


def predict(
    activation: str | Activation,
    widths: Sequence[int],
    layers: Sequence[LayerStatistics],
    input_squares: float | np.ndarray = 1.0,
) -> Prediction:
    """Return the predictions for one network, layer by layer.

        q_l = n_{l−1} Var(w_l) E[h_{l−1}²] + Var(b_l),   h = φ(√q z)
        E[δ_l²] = n_{l+1} Var(w_{l+1}) E[δ_{l+1}²] E[φ′(√q_l z)²]

    If biases have a mean or depend on the weights, φ̃ of `effective_activation` replaces φ, and the squared mean is added to q.
    Inputs of different length have different q; the predictions are averaged over them. The spreads follow from linear
    propagation of the noise due to the finite number of units in each layer; for ReLU, 5/n per layer in both directions.

    Args:
        activation: φ of the hidden layers.
        widths: units of every layer, inputs first and outputs last.
        layers: the statistics of every layer.
        input_squares: mean square of an input's components; one number, or one for each of several inputs. If the weights of
            the first layer sum to 0, their variance over the components.

    Source: He et al. 2015, §2.2, without the assumption that φ is ReLU; for the spread of ReLU networks Hanin & Rolnick
    2018, theorem 5.
    """
    squares = np.atleast_1d(np.asarray(input_squares, float))
    met = [effective_activation(activation, *pair) for pair in pairwise(layers)]
    own = [effective_activation(activation, layer, PLAIN) for layer in layers]
    paths = [_path(own, met, widths, layers, square) for square in squares]
    q, square, mean, delta = (np.mean(values, axis=0) for values in zip(*paths, strict=True))
    spreads = _spreads(met, widths, layers, float(squares.mean()))
    return Prediction(q, square - mean**2, delta, *spreads)


def _path(
    own: Sequence[Activation],
    met: Sequence[Activation],
    widths: Sequence[int],
    statistics: Sequence[LayerStatistics],
    square: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return q, E h², E h and the relative E δ² of every layer for inputs of one length.

    `own` includes the mean of the layer's biases, `met` also the shift of the next layer.
    """
    layers = len(statistics)
    q, h_square, h_mean, slopes = np.empty(layers), np.full(layers, np.nan), np.full(layers, np.nan), np.ones(layers)
    for layer in range(layers):
        here = statistics[layer]
        around_mean = widths[layer] * here.weight_variance * square + here.bias_variance
        q[layer] = around_mean + here.bias_mean**2
        if layer < layers - 1:
            m = moments(own[layer], around_mean)
            h_square[layer], h_mean[layer], slopes[layer] = m.square, m.mean, m.slope
            square = moments(met[layer], around_mean).square
    delta = np.ones(layers)
    for layer in range(layers - 2, -1, -1):
        delta[layer] = delta[layer + 1] * widths[layer + 2] * statistics[layer + 1].weight_variance * slopes[layer]
    return q, h_square, h_mean, delta


def _spreads(
    met: Sequence[Activation], widths: Sequence[int], statistics: Sequence[LayerStatistics], square: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the spreads of log q, log Var h and log E δ², and the amplification, of every layer.

    Layer i adds noise ξ_i with variance `square_noise`/n_i to log E h_i². `carried[l, i]` is the derivative of log q_l with
    respect to ξ_i.
    """
    layers = len(statistics)
    carried, noise = np.zeros((layers, layers)), np.zeros(layers)
    h_spread, amplification, varying = np.full(layers, np.nan), np.ones(layers), np.ones(layers)
    elasticity = 0.0  # d log E φ²/d log q of the layer below
    back, fresh = np.zeros(layers), np.zeros(layers)  # d log E φ′²/d log q; noise of the backward pass
    for layer in range(layers):
        here = statistics[layer]
        of_weights = widths[layer] * here.weight_variance * square
        q = of_weights + here.bias_variance
        if here.bias_mean:
            varying[layer] = q / (q + here.bias_mean**2)
        if layer:
            share = ratio(of_weights, q)  # contribution of the weights to q
            carried[layer] = share * elasticity * carried[layer - 1]
            carried[layer, layer - 1] = share
            amplification[layer] = amplification[layer - 1] * share * elasticity
        if layer == layers - 1:
            break
        m, n = moments(met[layer], q), widths[layer + 1]
        elasticity = ratio(q * m.growth, m.square)
        noise[layer] = m.square_noise / n
        back[layer], fresh[layer] = ratio(q * m.slope_growth, m.slope), max(m.slope_noise, 0.0) / n
        own = ratio(q * m.variance_growth, m.variance) ** 2 * float(carried[layer] ** 2 @ noise)
        h_spread[layer] = sqrt(own + max(m.variance_noise, 0.0) / n)
        square = m.square
    sizes = np.array(widths[1:])
    q_spread = varying * np.sqrt(carried**2 @ noise + 2 / sizes)
    # δ of layer l depends on φ′ of layers l … L − 1, so their elasticities add up for each noise term.
    delta_spread = np.zeros(layers)
    for layer in range(layers - 1):
        together = back[layer:-1] @ carried[layer:-1]
        delta_spread[layer] = sqrt(float(together**2 @ noise) + fresh[layer:-1].sum())
    return q_spread, h_spread, delta_spread, amplification


def tolerance(spread: float | np.ndarray, replicates: int) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Return the factors, below and above 1, between which a geometric mean over networks agrees with the theory.

        exp(−3 s/√R − s²/2)  to  exp(3 s/√R),   at least 10 % either way

    s is the spread of the logarithm for one input. The mean logarithm of a lognormal variable is s²/2 below the logarithm of
    its mean; for averages over many inputs the difference is smaller.
    """
    with np.errstate(over="ignore"):  # with a spread of several hundred, any value agrees
        error = 3 * spread / np.sqrt(replicates)
        return np.exp(-np.maximum(error + spread**2 / 2, -np.log(0.9))), np.exp(np.maximum(error, np.log(1.1)))
