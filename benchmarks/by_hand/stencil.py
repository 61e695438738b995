"""The heat equation on a square, stepped in place: linear, so that the adjoint saves nothing.

After the forward pass `u` is turned into its adjoint in place; the views of it serve both passes.
"""

import numpy as np

argnums = 0
small = 5
typical = 64


def inputs(size):
    rng = np.random.default_rng(size)
    start = rng.standard_normal((size, size))
    target = rng.standard_normal((size, size))
    return start, target, 0.1, max(3, size // 2)


def primal(start, target, rate, steps):
    u = start.copy()
    for _ in range(steps):
        u[1:-1, 1:-1] += rate * (
            u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1]
        )
    return np.sum((u - target) ** 2)


def gradient(start, target, rate, steps):
    u = start.copy()
    inner = u[1:-1, 1:-1]
    up, down, left, right = u[:-2, 1:-1], u[2:, 1:-1], u[1:-1, :-2], u[1:-1, 2:]
    for _ in range(steps):
        inner += rate * (up + down + left + right - 4 * inner)

    u -= target
    u *= 2
    for _ in range(steps):
        flow_bar = rate * inner
        inner *= 1 - 4 * rate
        up += flow_bar
        down += flow_bar
        left += flow_bar
        right += flow_bar
    return u
