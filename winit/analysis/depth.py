"""Expected and measured depth limits of training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis import stats
from winit.analysis.select import chosen_rates
from winit.schemes import Layer, hidden_depth_scale, statistics
from winit.store.schema import TABLES
from winit.study.model import Study
from winit.theory.maps import DepthScale, depth_scale


def depth_limits(study: Study, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the depth up to which the theory expects training to work for each scheme, and the depth up to which it did.

    The theory applies to square hidden layers of each width, for schemes with independent weights, without batch
    normalization, dropout and pretraining. Measured limits are at the chosen rate of each initializer.

    Args:
        study: the study; studies of deep autoencoders have no limits.
        summary: with `CELL`, `ARM`, `is_best_rate` and `success_rate`.
    """
    best = chosen_rates(summary)
    best = best[~best["batch_norm"] & (best["dropout"] == 0) & (best["pretraining"] == "none")]
    if study.task.is_reconstruction:
        best = best.head(0)
    rows = []
    for key, cells in best.groupby(["activation", "width", "initializer"], sort=False):
        activation, width, initializer = key
        of_layer = statistics(initializer, Layer(width, width, activation, None))
        scale = hidden_depth_scale(initializer, width, activation)
        if of_layer is None or scale is None:
            continue
        sigma_w2, sigma_b2 = width * of_layer.weight_variance, of_layer.bias_variance
        for (dataset, optimizer), here in cells.groupby(["dataset", "optimizer"], sort=False):
            trained = here.loc[here["success_rate"] >= stats.TRAINED_SHARE, "depth"]
            rows.append(
                {
                    "dataset": dataset,
                    "optimizer": optimizer,
                    "activation": activation,
                    "width": width,
                    "initializer": initializer,
                    "sigma_w2": sigma_w2,
                    "sigma_b2": sigma_b2,
                    **_theory(scale),
                    "deepest_trained": trained.max() if len(trained) else 0,
                    "deepest_tried": here["depth"].max(),
                }
            )
    frame = pd.DataFrame(rows, columns=list(TABLES["depth_limits"]))
    return frame.sort_values(["dataset", "optimizer", "activation", "width", "initializer"], ignore_index=True)


def _theory(scale: DepthScale) -> dict[str, object]:
    """Return the columns shared by `depth_limits` and `phase`."""
    return {
        "q": scale.q,
        "chi_1": scale.chi_1,
        "c_star": scale.c_star,
        "xi_c": scale.xi_c,
        "xi_gradient": scale.xi_gradient,
        "depth_limit": scale.depth_limit,
        "why_no_limit": scale.why_no_limit,
    }


PHASE_GRID = 48, 32  # points of the theory along σ_w² and σ_b²


def phase(study: Study) -> pd.DataFrame:
    """Return the theory over the plane (σ_w², σ_b²) spanned by a study's `mean_field` arms; empty if there is no such plane."""
    given = np.array(list(schemes.diagram_points(study.initializers).values()) or [(0.0, 0.0)])
    low, high = given.min(axis=0), given.max(axis=0)
    rows = []
    if (low < high).all():
        for activation in study.activations:
            for sigma_b2 in np.linspace(low[1], high[1], PHASE_GRID[1]):
                for sigma_w2 in np.linspace(low[0], high[0], PHASE_GRID[0]):
                    scale = depth_scale(activation, sigma_w2, sigma_b2)
                    rows.append(
                        {"activation": activation, "sigma_w2": sigma_w2, "sigma_b2": sigma_b2, **_theory(scale)}
                    )
    return pd.DataFrame(rows, columns=list(TABLES["phase"]))
