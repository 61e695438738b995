"""Determinants, inverses, linear systems and factorisations of (stacks of) matrices.

NumPy's `cholesky` and `eigh` read the lower triangle only; so do the derivatives: entries above
the diagonal get 0, those below the sum of what the two mirror images would get.
"""

import numpy as np

from adcompiler.rules.book import linear, rule
from adcompiler.runtime import lower_half, pole_product, quotient, unbroadcast


@rule(np.linalg.inv)
def inv(g, a, out):
    transposed = np.swapaxes(out, -1, -2)
    return -np.matmul(np.matmul(transposed, g), transposed)


@inv.forward
def _(a_dot, out):
    return -np.matmul(np.matmul(out, a_dot), out)


@rule(np.linalg.det)
def det(g, a, out):
    slope = np.expand_dims(g * out, (-1, -2))
    return slope * np.swapaxes(np.linalg.inv(a), -1, -2)


@det.forward
def _(a_dot, a, out):
    return out * np.trace(np.linalg.solve(a, a_dot), axis1=-2, axis2=-1)


@rule(np.linalg.slogdet, real=True)
def slogdet(g, a):
    return np.expand_dims(g[1], (-1, -2)) * np.swapaxes(np.linalg.inv(a), -1, -2)


@slogdet.forward
def _(a_dot, a, out):
    log_dot = np.trace(np.linalg.solve(a, a_dot), axis1=-2, axis2=-1)
    return np.zeros_like(out[0]), log_dot


@rule(np.linalg.solve)
def solve(g, a, b, out):
    transposed = np.swapaxes(a, -1, -2)
    if np.ndim(b) == 1:
        b_bar = np.linalg.solve(transposed, np.expand_dims(g, -1))[..., 0]
        a_bar = -np.expand_dims(b_bar, -1) * np.expand_dims(out, -2)
        return unbroadcast(a_bar, a), unbroadcast(b_bar, b)
    b_bar = np.linalg.solve(transposed, g)
    a_bar = -np.matmul(b_bar, np.swapaxes(out, -1, -2))
    return unbroadcast(a_bar, a), unbroadcast(b_bar, b)


@solve.forward
def _(a_dot, b_dot, a, b, out):
    if np.ndim(b) == 1:
        shift = np.matmul(a_dot, np.expand_dims(out, -1))
        return np.linalg.solve(a, np.expand_dims(b_dot, -1) - shift)[..., 0]
    return np.linalg.solve(a, b_dot - np.matmul(a_dot, out))


@rule(np.linalg.cholesky, real=True)
def cholesky(g, a, out):
    transposed = np.swapaxes(out, -1, -2)
    middle = lower_half(np.matmul(transposed, g))
    left = np.linalg.solve(transposed, middle)
    whole = np.swapaxes(np.linalg.solve(transposed, np.swapaxes(left, -1, -2)), -1, -2)
    return lower_half(whole + np.swapaxes(whole, -1, -2))


@cholesky.forward
def _(a_dot, out):
    half = lower_half(a_dot)
    change = half + np.swapaxes(half, -1, -2)
    left = np.linalg.solve(out, change)
    return np.matmul(out, lower_half(np.linalg.solve(out, np.swapaxes(left, -1, -2))))


# `gaps[i, j]` is 1 / (w[j] - w[i]), and 0 on the diagonal. Where eigenvalues are equal the
# vectors have no derivative: that is a pole.
@rule(np.linalg.eigh, real=True)
def eigh(g, a, out):
    values, vectors = out[0], out[1]
    unit = np.eye(np.shape(a)[-1], dtype=values.dtype)
    gaps = quotient(1, np.expand_dims(values, -2) - np.expand_dims(values, -1) + unit) - unit
    transposed = np.swapaxes(vectors, -1, -2)
    turn = pole_product(np.matmul(transposed, g[1]), gaps)
    middle = turn + np.expand_dims(g[0], -1) * unit
    whole = np.matmul(np.matmul(vectors, middle), transposed)
    return lower_half(whole + np.swapaxes(whole, -1, -2))


@eigh.forward
def _(a_dot, a, out):
    values, vectors = out[0], out[1]
    unit = np.eye(np.shape(a)[-1], dtype=values.dtype)
    gaps = quotient(1, np.expand_dims(values, -2) - np.expand_dims(values, -1) + unit) - unit
    half = lower_half(a_dot)
    change = np.matmul(half + np.swapaxes(half, -1, -2), vectors)
    change = np.matmul(np.swapaxes(vectors, -1, -2), change)
    values_dot = np.diagonal(change, axis1=-2, axis2=-1)
    return values_dot, np.matmul(vectors, pole_product(change, gaps))


@rule(np.linalg.eigvalsh, real=True)
def eigvalsh(g, a):
    values, vectors = np.linalg.eigh(a)
    whole = np.matmul(vectors * np.expand_dims(g, -2), np.swapaxes(vectors, -1, -2))
    return lower_half(whole + np.swapaxes(whole, -1, -2))


@eigvalsh.forward
def _(a_dot, a):
    values, vectors = np.linalg.eigh(a)
    half = lower_half(a_dot)
    change = np.matmul(half + np.swapaxes(half, -1, -2), vectors)
    return np.sum(vectors * change, axis=-2)


@linear(lower_half)
def _(h, a):
    return lower_half(h)
