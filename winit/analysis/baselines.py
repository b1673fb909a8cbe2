"""Scores without hidden layers: of a linear classifier, or for reconstruction of the mean and of principal components."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from winit import datasets
from winit.store.schema import TABLES
from winit.study.model import Study
from winit.study.seeds import seed
from winit.study.workload import Workload

PENALTIES = (0.001, 0.01, 0.1)  # values of C to choose from on validation
MOST_EXAMPLES, MOST_ITERATIONS = 10_000, 50  # a dataset takes two seconds; more would change little

Row = tuple[str, int, float, float]  # baseline, components, test loss, test score


def pca_error(train: np.ndarray, test: np.ndarray, components: int) -> float:
    """Return the squared error on `test` of the principal components of `train`, summed over inputs, mean over examples.

    With 0 components it is the error of the mean of `train`.

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


def linear_model(split: datasets.Split) -> tuple[float, float]:
    """Return the loss in nats and the accuracy, on the test part, of logistic regression.

        min over W, b of  ‖W‖²/2 + C Σ cross-entropy

    with the C from PENALTIES that has the best validation accuracy. Use at most MOST_EXAMPLES training examples and
    MOST_ITERATIONS iterations of L-BFGS.
    """
    from sklearn.exceptions import ConvergenceWarning  # takes a second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    x, y = split.train.x[:MOST_EXAMPLES], split.train.y[:MOST_EXAMPLES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [LogisticRegression(C=c, max_iter=MOST_ITERATIONS).fit(x, y) for c in PENALTIES]
    best = max(models, key=lambda model: model.score(split.validation.x, split.validation.y))
    probability = best.predict_proba(split.test.x)
    return log_loss(split.test.y, probability, labels=best.classes_), best.score(split.test.x, split.test.y)


def baselines(study: Study) -> pd.DataFrame:
    """Return the table `baselines`: scores on every dataset without hidden layers.

    Classifiers are compared with a linear model, deep autoencoders with the mean and with PCA with as many components as
    the code has units.
    """
    one_of_each = {workload.dataset: workload for workload in study.workloads}
    rows = [(dataset, *row) for dataset, workload in one_of_each.items() for row in _of_dataset(workload)]
    return pd.DataFrame(rows, columns=list(TABLES["baselines"]))


def _of_dataset(workload: Workload) -> list[Row]:
    source = seed(workload.seed, "data", dataset=workload.dataset, replicate=0)  # the first judged split
    split = datasets.load(workload.dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling)
    if not workload.task.is_reconstruction:
        return [("linear model", 0, *linear_model(split))]
    code = min(workload.task.encoder[-1], split.train.x.shape[1])
    nothing, pca = (pca_error(split.train.x, split.test.x, components) for components in (0, code))
    return [("mean predictor", 0, nothing, 0.0), ("PCA", code, pca, 1 - pca / nothing)]
