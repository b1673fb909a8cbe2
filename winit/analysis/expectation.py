"""Predictions of the theory for the networks of a workload before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from winit import datasets, schemes
from winit.schemes import Layer, statistics
from winit.store.schema import TABLES
from winit.study.model import Study
from winit.study.seeds import seed
from winit.study.workload import Workload
from winit.theory import prediction
from winit.theory.layers import LayerStatistics, effective_activation
from winit.theory.maps import correlation_map, length_map

LENGTH_GROUPS = 8  # number of equally large groups of inputs, sorted by length, over which predictions are averaged


@dataclass(frozen=True)
class Inputs:
    """Statistics of the probe inputs that the theory needs: mean squares of groups of inputs, and the mean cosine of pairs.

    Attributes:
        squares: of the inputs.
        correlation: the mean cosine.
        centred: the same of the inputs minus the mean of each over its components, which is what weights that sum to 0
            see; None for centred inputs.
    """

    squares: np.ndarray
    correlation: float
    centred: Inputs | None = None

    def met_by(self, layer: LayerStatistics) -> Inputs:
        """Return the statistics of the inputs as the weights of the first layer see them."""
        return self.centred if self.centred and layer.shift is None else self


def probe_inputs(workload: Workload) -> Inputs:
    """Return these statistics for the probe batch of a workload's first judged replicate."""
    source = seed(workload.seed, "data", dataset=workload.dataset, replicate=0)
    train = datasets.load(
        workload.dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling
    ).train
    x = train.x[: workload.measure.probe_examples].astype(float)
    return replace(_inputs(x), centred=_inputs(x - x.mean(axis=1, keepdims=True)))


def _inputs(x: np.ndarray) -> Inputs:
    squares = np.sort(np.square(x).mean(axis=1))
    groups = [group.mean() for group in np.array_split(squares, LENGTH_GROUPS) if len(group)]
    one, two = x[: len(x) // 2 * 2 : 2], x[1::2]
    cosines = (one * two).sum(axis=1) / np.sqrt(np.square(one).sum(axis=1) * np.square(two).sum(axis=1))
    return Inputs(np.array(groups), float(np.nanmean(cosines)))


def theory(workload: Workload, inputs: Inputs) -> pd.DataFrame:
    """Return the predictions of the theory of wide networks for a workload before training, layer by layer.

    Schemes whose weights are not independent are left out. So are deep autoencoders, because of their linear code, and
    networks with batch normalization, which changes lengths.
    """
    widths, frames = workload.widths, []
    for initializer in workload.initializers:
        if workload.batch_norm or workload.task.is_reconstruction:
            continue
        if schemes.why_not_applicable(initializer, workload.activation, widths):
            continue
        layers = [
            statistics(initializer, Layer(fan_in, fan_out, workload.activation, None, index, workload.depth))
            for index, (fan_in, fan_out) in enumerate(pairwise(widths), start=1)
        ]
        known = [layer for layer in layers if layer]
        if len(known) < len(layers):
            continue
        met = inputs.met_by(known[0])
        expected = prediction.predict(workload.activation, widths, known, met.squares)
        frames.append(
            pd.DataFrame(
                {
                    "initializer": initializer,
                    "layer": np.arange(1, len(widths)),
                    "z_mean_square": expected.q,
                    "h_variance": expected.h_variance,
                    "delta_ratio": expected.delta,
                    "correlation": correlations(workload, known, met),
                    "z_spread": expected.q_spread,
                    "h_spread": expected.h_spread,
                    "delta_spread": expected.delta_spread,
                    "amplification": expected.amplification,
                }
            )
        )
    table = pd.concat(frames) if frames else pd.DataFrame(columns=list(TABLES["theory"]))
    facts = {name: getattr(workload, name) for name in ("dataset", "activation", "depth", "width")}
    return table.assign(**facts)


def study_theory(study: Study) -> pd.DataFrame:
    """Return the predictions for all networks of a study, sorted by factor."""
    one_of_each = {workload.dataset: workload for workload in study.workloads}
    inputs = {dataset: probe_inputs(workload) for dataset, workload in one_of_each.items()}
    expected = pd.concat([theory(workload, inputs[workload.dataset]) for workload in study.workloads])
    keys = ["dataset", "activation", "depth", "width", "initializer", "layer"]
    return expected.drop_duplicates().sort_values(keys, ignore_index=True)


def correlations(workload: Workload, layers: Sequence[LayerStatistics], inputs: Inputs) -> list[float]:
    """Return the correlation of the pre-activations of two inputs in every layer, starting from the mean cosine of the inputs."""
    n, square = workload.widths, float(inputs.squares.mean())
    gains = [fan_in * layer.weight_variance for fan_in, layer in zip(n, layers, strict=False)]
    q = gains[0] * square + layers[0].bias_variance
    cosines = [(gains[0] * square * inputs.correlation + layers[0].bias_variance) / q if q else np.nan]
    lengths, means = [q], [layers[0].bias_mean]
    for (below, layer), gain in zip(pairwise(layers), gains[1:], strict=True):
        phi = effective_activation(workload.activation, below, layer)
        following = length_map(phi, q, gain, layer.bias_variance)
        c = np.nan
        if 0 < q < 1e100 and 0 < following < 1e100 and -1 <= cosines[-1] <= 1:
            c = min(max(correlation_map(phi, cosines[-1], q, gain, layer.bias_variance), -1.0), 1.0)
        cosines.append(c)
        q = following
        means.append(layer.bias_mean)
        lengths.append(q)
    # The mean of the biases is common to all inputs, and the measured cosine includes it.
    return [(c * q + m * m) / (q + m * m) if m else c for c, q, m in zip(cosines, lengths, means, strict=True)]
