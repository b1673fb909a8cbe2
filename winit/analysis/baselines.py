"""What reconstructs inputs without a network: their mean, and principal components."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit import datasets
from winit.store.schema import TABLES
from winit.study.model import Study
from winit.study.seeds import seed


def pca_error(train: np.ndarray, test: np.ndarray, components: int) -> float:
    """Return the error on `test` of the principal components of `train`: squared, summed over inputs, mean over examples.

    No components stand for the mean of `train`.

    Args:
        train, test: inputs (N, D).
        components: from 0 to D.
    """
    mean = train.mean(axis=0, dtype=float)
    away = test - mean
    if not components:
        return float(np.square(away).sum(axis=1).mean())
    from sklearn.decomposition import PCA  # takes a second to import

    basis = PCA(components, svd_solver="covariance_eigh").fit(train.astype(float)).components_
    return float(np.square(away - away @ basis.T @ basis).sum(axis=1).mean())


def baselines(study: Study) -> pd.DataFrame:
    """Return the table `baselines`: for every dataset the mean, and PCA with as many components as a code has units.

    It is empty unless the study trains deep autoencoders.
    """
    rows = []
    one_of_each = {workload.dataset: workload for workload in study.workloads if workload.task.is_reconstruction}
    for dataset, workload in one_of_each.items():
        source = seed(workload.seed, "data", dataset=dataset)
        split = datasets.load(dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling)
        code = min(workload.task.encoder[-1], split.train.x.shape[1])
        nothing = pca_error(split.train.x, split.test.x, 0)
        for name, components in (("mean predictor", 0), ("PCA", code)):
            error = pca_error(split.train.x, split.test.x, components)
            rows.append((dataset, name, components, error, 1 - error / nothing))
    return pd.DataFrame(rows, columns=list(TABLES["baselines"]))
