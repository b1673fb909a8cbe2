"""Theory against networks of width 1,000 and depth 20, for every fan-scaled scheme: the mean over replicates in standard errors.

    python -m benchmarks.theory [--replicates 400] [--sets 2]

Mean square q of the pre-activations of the last hidden layer, and mean square of ∂ℓ/∂z of the first relative to the
output's, for inputs of mean square 1 and a random error at the output. The arithmetic mean over replicates is compared
with `theory.prediction`. Schemes of one distribution share their noise, so all of them cost little more than one. Prints every
comparison, set by set, and writes how far they agree to docs/figures/theory.json.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: one thread a process

import argparse
import multiprocessing
import time
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.facts import write_json
from benchmarks.figures import FIGURES
from winit.schemes import (
    SCHEMES,
    Layer,
    VarianceScaling,
    draw,
    parse,
    statistics,
    why_not_applicable,
)
from winit.theory import prediction
from winit.theory.activations import resolve

WIDTH, DEPTH, INPUTS, CLASSES, EXAMPLES = 1000, 20, 500, 10, 8
WIDTHS = [INPUTS, *[WIDTH] * DEPTH, CLASSES]
ACTIVATIONS = ("tanh", "relu", "selu")
NOISE = {"normal": "lecun_normal", "uniform": "lecun_uniform", "truncated_normal": "lecun_truncated_normal"}


def schemes(activation: str) -> list[str]:
    """Return the fan-scaled schemes that the activation has, with example parameters."""
    return [
        scheme.example
        for scheme in SCHEMES.values()
        if isinstance(scheme, VarianceScaling)
        and scheme.fan != "one"
        and why_not_applicable(scheme.example, activation) is None
    ]


def layers(activation: str) -> list[Layer]:
    return [Layer(a, b, activation, None, i + 1, DEPTH) for i, (a, b) in enumerate(pairwise(WIDTHS))]


def replicate(number: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Return q of the last hidden layer and δ² of the first, relative to the output's, of one network of each kind."""
    rng = np.random.default_rng([2026, number])
    x = rng.standard_normal((EXAMPLES, INPUTS))
    x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True))
    error = rng.standard_normal((EXAMPLES, CLASSES))
    results = {}
    for distribution, base in NOISE.items():
        noise = []
        for layer in layers("relu"):
            drawn, _ = draw(base, Layer(layer.fan_in, layer.fan_out, "relu", rng))
            noise.append(drawn * np.sqrt(layer.fan_in))  # variance 1
        arms = [(a, s) for a in ACTIVATIONS for s in schemes(a) if _scheme(s).distribution == distribution]
        stds = [[np.sqrt(statistics(s, layer).weight_variance) for layer in layers(a)] for a, s in arms]
        h = np.concatenate([x] * len(arms))
        kept = []
        for i, weights in enumerate(noise):
            z = h @ weights
            h = np.empty_like(z)
            for k, (activation, scheme) in enumerate(arms):
                rows = slice(k * EXAMPLES, (k + 1) * EXAMPLES)
                z[rows] *= stds[k][i]
                biases = _scheme(scheme).biases
                if biases:
                    layer = Layer(WIDTHS[i], WIDTHS[i + 1], activation, rng, i + 1, DEPTH)
                    z[rows] += biases.draw(layer, (layer.fan_out,), **parse(scheme).parameters)
                h[rows] = resolve(activation).phi(z[rows])
            kept.append(z)
        delta = np.concatenate([error] * len(arms))
        for i in range(DEPTH, 0, -1):
            delta = delta @ noise[i].T
            for k, (activation, _) in enumerate(arms):
                rows = slice(k * EXAMPLES, (k + 1) * EXAMPLES)
                delta[rows] *= stds[k][i] * resolve(activation).dphi(kept[i - 1][rows])
        for k, arm in enumerate(arms):
            rows = slice(k * EXAMPLES, (k + 1) * EXAMPLES)
            results[arm] = (
                float(np.square(kept[DEPTH - 1][rows]).mean()),
                float(np.square(delta[rows]).mean() / np.square(error).mean()),
            )
    return results


def _scheme(text: str) -> VarianceScaling:
    scheme = parse(text).scheme
    assert isinstance(scheme, VarianceScaling)
    return scheme


def compared(samples: list[dict[tuple[str, str], tuple[float, float]]]) -> list[dict[str, Any]]:
    """Return the means over a set of replicates beside the theory: two rows for each activation and scheme."""
    rows: list[dict[str, Any]] = []
    for activation in ACTIVATIONS:
        for scheme in schemes(activation):
            known = [statistics(scheme, layer) for layer in layers(activation)]
            theory = prediction.predict(activation, WIDTHS, [layer for layer in known if layer])
            values = np.array([sample[activation, scheme] for sample in samples])
            for name, column, expected in (("q", 0, theory.q[DEPTH - 1]), ("delta", 1, theory.delta[0])):
                mean, error = values[:, column].mean(), values[:, column].std(ddof=1) / np.sqrt(len(values))
                rows.append(
                    {"activation": activation, "scheme": scheme, "quantity": name, "ratio": mean / expected,
                     "relative_error": error / mean, "standard_errors": (mean - expected) / error}
                )  # fmt: skip
    return rows


def summary(sets: list[list[dict[str, Any]]], replicates: int) -> dict[str, Any]:
    """Return what `docs/figures/theory.json` holds.

    Args:
        sets: the rows of each set of replicates.
        replicates: of a set.
    """
    rows = [row for of_set in sets for row in of_set]
    errors = [row["relative_error"] for row in rows]
    of_gradients = [r["ratio"] - 1 for r in rows if r["quantity"] == "delta" and r["activation"] != "relu"]
    return {
        "replicates": replicates,
        "means": len(sets[0]),
        "within": [int(sum(abs(row["standard_errors"]) <= 3 for row in of_set)) for of_set in sets],
        "smallest_error": round(min(errors), 4),
        "largest_error": round(max(errors), 4),
        "largest_gradient": round(max(of_gradients), 4),
        "largest_deviation": round(max(abs(row["ratio"] - 1) for row in rows), 4),
    }


def print_set(rows: list[dict[str, Any]]) -> None:
    """Print the comparisons of a set, and a line for each activation."""
    print("| activation | scheme | q: measured/theory ± s.e. | s.e. off | δ: measured/theory ± s.e. | s.e. off |")
    print("|---|---|---|---|---|---|")
    for q, delta in zip(rows[::2], rows[1::2], strict=True):
        cells = [f"{r['ratio']:.4f} ± {r['relative_error']:.4f} | {r['standard_errors']:+.1f}" for r in (q, delta)]
        print(f"| {q['activation']} | {q['scheme']} | {cells[0]} | {cells[1]} |")
    for activation in ACTIVATIONS:
        own = [r for r in rows if r["activation"] == activation]
        outside = [r for r in own if abs(r["standard_errors"]) > 3]
        print(
            f"{activation}: {len(own)} comparisons, largest standard error {max(r['relative_error'] for r in own):.2%}, "
            f"{len(outside)} outside 3 standard errors, "
            f"root mean square {np.sqrt(np.mean([r['standard_errors'] ** 2 for r in own])):.2f} standard errors"
        )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=400, help="of a set")
    parser.add_argument("--sets", type=int, default=2, help="sets of replicates, each with noise of its own")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    sets = []
    for first in range(0, given.sets * given.replicates, given.replicates):
        started = time.perf_counter()
        with multiprocessing.Pool(given.processes) as pool:
            samples = pool.map(replicate, range(first, first + given.replicates), chunksize=1)
        sets.append(compared(samples))
        print_set(sets[-1])
        print(f"{given.replicates} replicates in {time.perf_counter() - started:.0f} s", flush=True)
    write_json(FIGURES / "theory.json", summary(sets, given.replicates))


if __name__ == "__main__":
    main()
