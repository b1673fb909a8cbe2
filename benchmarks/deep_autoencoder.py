"""The 2006 result in small: a 784-256-128-64-30 autoencoder of MNIST, pretrained or not, against PCA.

    WINIT_DATA=… python -m benchmarks.deep_autoencoder --optimizer adam

All arms are one stack: the same mini-batches, optimizer and number of updates. Two of them are controls of the pretrained
one: its weights shuffled within each layer, and normal weights of each layer's mean and deviation, both with its biases.
An arm's own time is printed, so that arms without pretraining can be read at a later update. Errors are squared, summed over pixels and
averaged over the 10,000 test images, as in Hinton & Salakhutdinov 2006.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
import torch

from winit import mnist
from winit.autoencoder import Autoencoder
from winit.initializers import Layer, draw
from winit.network import Optimizer
from winit.pretrain import Recipe, shuffled, train_rbms, unroll, with_moments

WIDTHS = [784, 256, 128, 64, 30]
BATCH = 200
RATES = {"adam": 1e-3, "nesterov": 1e-2}
RANDOM = ["normal:0.01", "kumar", "martens_sparse:15"]


def pca_error(train: np.ndarray, test: np.ndarray, components: int) -> float:
    """Return the reconstruction error of the first principal components of `train` on `test`."""
    mean = train.mean(axis=0, dtype=float)
    centred = train - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    basis = vectors[:, -components:]
    away = test - mean
    return float(np.square(away - away @ basis @ basis.T).sum(axis=1).mean())


def random_start(scheme: str, seed: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return a stack of one deep autoencoder, drawn by a scheme."""
    sizes = [*WIDTHS, *WIDTHS[-2::-1]]
    rng = np.random.default_rng(seed)
    layers = [draw(scheme, Layer(a, b, "sigmoid", rng)) for a, b in pairwise(sizes)]
    return [torch.tensor(w).float()[None] for w, _ in layers], [torch.tensor(b).float()[None, None] for _, b in layers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizer", choices=RATES, default="adam")
    parser.add_argument("--updates", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=10, help="of pretraining, for each layer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    pixels, _ = mnist.read()
    x, test = torch.from_numpy(pixels[:60_000].copy()), torch.from_numpy(pixels[60_000:].copy())
    mean_error = (test - x.mean(dim=0)).square().sum(dim=1).mean().item()
    print(f"mean predictor {mean_error:.2f}; PCA-30 {pca_error(pixels[:60_000], pixels[60_000:], 30):.3f}", flush=True)

    started = time.perf_counter()
    machines, errors = train_rbms(x, WIDTHS, [given.seed], Recipe(epochs=given.epochs))
    spent = time.perf_counter() - started
    print(
        f"pretraining: {spent:.0f} s; error of each RBM: {[round(e, 3) for e in errors[:, -1, 0].tolist()]}", flush=True
    )

    weights, biases = unroll(machines)
    starts = [
        (weights, biases),
        (shuffled(weights, [given.seed]), biases),
        (with_moments(weights, [given.seed]), biases),
    ]
    starts += [random_start(scheme, given.seed) for scheme in RANDOM]
    names = ["pretrained", "shuffled", "its moments", *RANDOM]
    activations = ["sigmoid"] * 3 + ["identity"] + ["sigmoid"] * 3
    net = Autoencoder(
        [torch.cat(ws) for ws in zip(*(w for w, _ in starts), strict=True)],
        [torch.cat(bs) for bs in zip(*(b for _, b in starts), strict=True)],
        activations, Optimizer(given.optimizer), BATCH, "cross_entropy",
    )  # fmt: skip
    rng = np.random.default_rng([given.seed, 1])
    rate = torch.full((1, len(names)), RATES[given.optimizer])
    started = time.perf_counter()
    for update in range(given.updates + 1):
        if update % 1500 == 0:
            found = dict(zip(names, net.reconstruction_error(test).tolist(), strict=True))
            errors = "; ".join(f"{name} {error:.2f}" for name, error in found.items())
            each = (time.perf_counter() - started) / len(names)
            print(f"update {update}: {errors} ({each:.0f} s an arm)", flush=True)
        order = torch.from_numpy(rng.integers(len(x), size=(1, 1, BATCH))).expand(1, len(names), -1)
        net.advance(x, x, order, rate)


if __name__ == "__main__":
    main()
