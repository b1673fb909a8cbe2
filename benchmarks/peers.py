"""How else many small networks are trained: idiomatic PyTorch, torch.func, JAX, scikit-learn.

Each factory takes a shape and an optimizer and returns a function that trains, and the networks·steps of one call. Every
step gathers its mini-batch and does forward, softmax cross-entropy, backward and update, as ours do.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.shapes import RATES, Problem, Shape, problem

Method = tuple[Callable[[], object], int]
BETA1, BETA2, EPSILON, MOMENTUM = 0.9, 0.999, 1e-8, 0.9
MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU}


def idiomatic(shape: Shape, optimizer: str) -> Method:
    """One nn.Sequential with torch.optim after another."""
    task = problem(shape, 1, shape.steps)
    layers = []
    for w in task.weights:
        layers += [nn.Linear(w.shape[1], w.shape[2]), MODULES[shape.activation]()]
    model, rate = nn.Sequential(*layers[:-1]), RATES[optimizer]
    make = {
        "sgd": lambda p: torch.optim.SGD(p, rate),
        "momentum": lambda p: torch.optim.SGD(p, rate, momentum=MOMENTUM),
        "adam": lambda p: torch.optim.Adam(p, rate),
    }
    update, loss = make[optimizer](model.parameters()), nn.CrossEntropyLoss()

    def train() -> None:
        for batch in task.order[:, 0]:
            update.zero_grad()
            loss(model(task.x[batch]), task.y[batch]).backward()
            update.step()

    return train, shape.steps


def vmap(shape: Shape, optimizer: str) -> Method:
    """torch.func: the gradient of one network's loss, vectorised over a stack of parameters."""
    task = problem(shape, shape.networks, shape.steps)
    train, _ = vmap_trainer(task, shape.activation, optimizer)
    return train, shape.networks * shape.steps


def vmap_trainer(task: Problem, activation: str, optimizer: str) -> tuple[Callable[[], None], list]:
    """Return a function that trains by torch.func, and the parameters that it updates: weights, then biases."""
    phi, rate = getattr(torch, activation), RATES[optimizer]
    depth = len(task.weights)
    parameters = [p.clone() for p in [*task.weights, *(b.squeeze(1) for b in task.biases)]]
    state = [[torch.zeros_like(p) for p in parameters] for _ in range({"sgd": 0, "momentum": 1, "adam": 2}[optimizer])]
    step = [0]

    def loss(p, x, y):
        h = x
        for i in range(depth - 1):
            h = phi(h @ p[i] + p[depth + i])
        return nn.functional.cross_entropy(h @ p[depth - 1] + p[2 * depth - 1], y)

    gradient = torch.func.vmap(torch.func.grad(loss))

    def train() -> None:
        for batch in task.order:
            grads = gradient(parameters, task.x[batch], task.y[batch])
            step[0] += 1
            with torch.no_grad():
                if optimizer == "sgd":
                    torch._foreach_add_(parameters, grads, alpha=-rate)
                elif optimizer == "momentum":
                    torch._foreach_mul_(state[0], MOMENTUM)
                    torch._foreach_add_(state[0], grads)
                    torch._foreach_add_(parameters, state[0], alpha=-rate)
                else:
                    torch._foreach_lerp_(state[0], grads, 1 - BETA1)
                    torch._foreach_mul_(state[1], BETA2)
                    torch._foreach_addcmul_(state[1], grads, grads, 1 - BETA2)
                    size = torch._foreach_sqrt(state[1])
                    torch._foreach_div_(size, (1 - BETA2 ** step[0]) ** 0.5)
                    torch._foreach_add_(size, EPSILON)
                    torch._foreach_addcdiv_(parameters, state[0], size, -rate / (1 - BETA1 ** step[0]))

    return train, parameters


def jax_scan(shape: Shape, optimizer: str) -> Method:
    """JAX: jit of a lax.scan over the steps of a vmapped step, at the number of networks that serves it best."""
    best: tuple[float, Callable[[], object], int] | None = None
    for networks in shape.jax_networks:
        steps = max(2, shape.steps * shape.networks // networks)
        train, _ = jax_trainer(problem(shape, networks, steps), shape.activation, optimizer)
        train()  # compiles
        start = time.process_time()
        train()
        rate = networks * steps / (time.process_time() - start)
        if best is None or rate > best[0]:
            best = rate, train, networks * steps
    assert best, "a shape names at least one number of networks"
    return best[1:]


def jax_trainer(task: Problem, activation: str, optimizer: str):
    """Return a function that trains by JAX from the initial state, and one that returns its weights afterwards."""
    import jax
    import jax.numpy as jnp

    phi, rate = {"tanh": jnp.tanh, "relu": lambda z: jnp.maximum(z, 0)}[activation], RATES[optimizer]
    depth = len(task.weights)
    parameters = [jnp.asarray(p.numpy()) for p in [*task.weights, *(b.squeeze(1) for b in task.biases)]]
    x, y, order = (jnp.asarray(t.numpy()) for t in (task.x, task.y, task.order))

    def loss(p, batch):
        h = x[batch]
        for i in range(depth - 1):
            h = phi(h @ p[i] + p[depth + i])
        z = h @ p[depth - 1] + p[2 * depth - 1]
        return -jnp.take_along_axis(jax.nn.log_softmax(z), y[batch][:, None], 1).mean()

    def step(p, m, v, t, batch):
        g = jax.grad(loss)(p, batch)
        if optimizer == "sgd":
            return [a - rate * b for a, b in zip(p, g, strict=True)], m, v
        if optimizer == "momentum":
            m = [MOMENTUM * a + b for a, b in zip(m, g, strict=True)]
            return [a - rate * b for a, b in zip(p, m, strict=True)], m, v
        m = [BETA1 * a + (1 - BETA1) * b for a, b in zip(m, g, strict=True)]
        v = [BETA2 * a + (1 - BETA2) * b * b for a, b in zip(v, g, strict=True)]
        one, two = rate / (1 - BETA1**t), 1 / jnp.sqrt(1 - BETA2**t)
        return [a - one * b / (jnp.sqrt(c) * two + EPSILON) for a, b, c in zip(p, m, v, strict=True)], m, v

    each = jax.vmap(step, in_axes=(0, 0, 0, None, 0))

    @jax.jit
    def scan(p, m, v):
        def body(carry, batch):
            *state, t = carry
            return (*each(*state, t, batch), t + 1), None

        return jax.lax.scan(body, (p, m, v, 1.0), order)[0]

    moments = [[jnp.zeros_like(p) for p in parameters] if optimizer != "sgd" else [] for _ in range(2)]
    moments[1] = moments[1] if optimizer == "adam" else []

    def train():
        return jax.block_until_ready(scan(parameters, *moments))

    return train, lambda: [np.asarray(p) for p in train()[0]]


def sklearn(shape: Shape, optimizer: str) -> Method:
    """scikit-learn's MLPClassifier, one network, some epochs."""
    from sklearn.neural_network import MLPClassifier

    task = problem(shape, 1, 1)
    x, y = task.x.numpy(), task.y.numpy()
    per_epoch = -(-len(x) // shape.batch)
    epochs = max(1, shape.steps // per_epoch)
    model = MLPClassifier(
        [shape.width] * shape.depth, activation=shape.activation, solver="adam" if optimizer == "adam" else "sgd", alpha=0,
        batch_size=shape.batch, learning_rate_init=RATES[optimizer], momentum=MOMENTUM if optimizer == "momentum" else 0,
        nesterovs_momentum=False, max_iter=epochs, n_iter_no_change=10**6, random_state=0,
    )  # fmt: skip

    def train() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged in so few epochs
            model.fit(x, y)

    return train, epochs * per_epoch


PEERS = {"idiomatic": idiomatic, "vmap": vmap, "jax": jax_scan, "sklearn": sklearn}
