"""Derivatives inside differentiated functions."""

import numpy as np

from adcompiler import grad, value_and_grad
from tests.programs.registry import program, vector


def fitted(w, x):
    return np.sum((np.tanh(w * x) - 0.3) ** 2) + 0.1 * np.sum(w * w)


slope = grad(fitted)
both = value_and_grad(fitted, argnums=(0, 1))


@program(lambda rng: (0.1, rng.normal(size=3), rng.normal(size=3)), argnums=(0, 1, 2))
def descent_and_its_rate(rate, w, x):
    for _ in range(5):
        w = w - rate * grad(fitted)(w, x)
    return fitted(w, x)


@program(lambda rng: (0.1, rng.normal(size=3), rng.normal(size=3)), argnums=(0, 1, 2))
def descent_with_a_derivative_made_outside(rate, w, x):
    step = 0
    while step < 3:
        w = w - rate * slope(w, x)
        step += 1
    return fitted(w, x)


@program(vector(3))
def gradient_of_a_closure(theta):
    def distance(w):
        return np.sum((w - theta) ** 2 * theta) + np.sum(np.cos(w))

    w = np.zeros(3)
    for _ in range(4):
        w = w - 0.1 * grad(distance)(w)
    return np.sum(w * theta)


@program(vector(3))
def value_and_slope_of_a_lambda(x):
    wave = lambda t: np.sum(np.sin(t) * x)  # noqa: E731
    value, slopes = value_and_grad(wave)(x * 2)
    return value + np.sum(slopes**2)


@program(vector(3))
def two_gradients_at_once(x):
    value, (w_bar, x_bar) = both(x + 1.0, x)
    return value * np.sum(w_bar * x_bar)


@program(vector(3))
def gradient_with_respect_to_a_dict(x):
    def energy(p):
        return np.sum(p["w"] * x * p["b"]) + p["b"] ** 3

    bars = grad(energy)({"w": x * 2, "b": x[0]})
    return np.sum(bars["w"] ** 2) + bars["b"]


@program(vector(3))
def gradient_of_a_function_that_writes(x):
    def filled(w):
        out = np.zeros(3)
        for i in range(3):
            out[i] = w[i] * w[i - 1]
        return np.sum(out**2)

    return np.sum(grad(filled)(x) * x)
