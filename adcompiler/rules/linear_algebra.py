"""Determinants, inverses, linear systems and factorisations of (stacks of) matrices.

NumPy's `cholesky` and `eigh` read the lower triangle only; so do the derivatives: entries above
the diagonal get 0, those below the sum of what the two mirror images would get.
"""

import numpy as np

from adcompiler.rules.book import linear, rule
from adcompiler.runtime import lower_half, pole_product, pole_quotient, quotient, unbroadcast


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


# With `u`, `s`, `vh` thin. What leaves the space of the vectors has a part of its own.
@rule(np.linalg.svd, real=True)
def svd(g, a, out, full_matrices=True):
    if full_matrices and np.shape(a)[-1] != np.shape(a)[-2]:
        raise NotImplementedError(
            "what fills up the vectors to a square matrix is arbitrary: full_matrices=False"
        )
    u, s, vh = out[0], out[1], out[2]
    v, uh = np.swapaxes(vh, -1, -2), np.swapaxes(u, -1, -2)
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    unit = np.eye(np.shape(s)[-1], dtype=s.dtype)
    gaps = quotient(1, (row - column) * (row + column) + unit) - unit
    u_bar, v_bar = g[0], np.swapaxes(g[2], -1, -2)
    turn_u, turn_v = np.matmul(uh, u_bar), np.matmul(vh, v_bar)
    left = pole_product(turn_u - np.swapaxes(turn_u, -1, -2), gaps) * row
    right = pole_product(turn_v - np.swapaxes(turn_v, -1, -2), gaps) * column
    middle = left + right + np.expand_dims(g[1], -1) * unit
    beside_u = pole_quotient(u_bar - np.matmul(u, turn_u), row)
    beside_v = pole_quotient(v_bar - np.matmul(v, turn_v), row)
    return (
        np.matmul(np.matmul(u, middle), vh)
        + np.matmul(beside_u, vh)
        + np.matmul(u, np.swapaxes(beside_v, -1, -2))
    )


@svd.forward
def _(a_dot, out):
    u, s, vh = out[0], out[1], out[2]
    v, uh = np.swapaxes(vh, -1, -2), np.swapaxes(u, -1, -2)
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    unit = np.eye(np.shape(s)[-1], dtype=s.dtype)
    gaps = quotient(1, (row - column) * (row + column) + unit) - unit
    change = np.matmul(np.matmul(uh, a_dot), v)
    back = np.swapaxes(change, -1, -2)
    right, left = np.matmul(a_dot, v), np.matmul(np.swapaxes(a_dot, -1, -2), u)
    u_dot = np.matmul(u, pole_product(change * row + back * column, gaps))
    u_dot = u_dot + pole_quotient(right - np.matmul(u, change), row)
    v_dot = np.matmul(v, pole_product(change * column + back * row, gaps))
    v_dot = v_dot + pole_quotient(left - np.matmul(v, back), row)
    return u_dot, np.diagonal(change, axis1=-2, axis2=-1), np.swapaxes(v_dot, -1, -2)


@rule(np.linalg.svdvals, real=True)
def svdvals(g, x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return np.matmul(u * np.expand_dims(g, -2), vh)


@svdvals.forward
def _(x_dot, x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    change = np.matmul(np.matmul(np.swapaxes(u, -1, -2), x_dot), np.swapaxes(vh, -1, -2))
    return np.diagonal(change, axis1=-2, axis2=-1)


# For matrices with no more columns than rows; of others R is not square, and `solve` raises.
@rule(np.linalg.qr, real=True)
def qr(g, a, out):
    q, r = out[0], out[1]
    turn = np.matmul(r, np.swapaxes(g[1], -1, -2)) - np.matmul(np.swapaxes(g[0], -1, -2), q)
    below = np.tril(turn, -1)
    whole = np.tril(turn) + np.swapaxes(below, -1, -2)
    left = np.swapaxes(g[0] + np.matmul(q, whole), -1, -2)
    return np.swapaxes(np.linalg.solve(r, left), -1, -2)


@qr.forward
def _(a_dot, out):
    q, r = out[0], out[1]
    moved = np.linalg.solve(np.swapaxes(r, -1, -2), np.swapaxes(a_dot, -1, -2))
    moved = np.swapaxes(moved, -1, -2)
    change = np.matmul(np.swapaxes(q, -1, -2), moved)
    below = np.tril(change, -1)
    turn = below - np.swapaxes(below, -1, -2)
    return moved - np.matmul(q, change - turn), np.matmul(change - turn, r)


# Where the rank does not change, and what counts as 0 is 0.
@rule(np.linalg.pinv, real=True)
def pinv(g, a, out):
    back = np.swapaxes(out, -1, -2)
    turned = np.swapaxes(g, -1, -2)
    inner = np.matmul(back, np.matmul(g, back))
    left = np.matmul(turned, np.matmul(out, back))
    left = left - np.matmul(a, np.matmul(out, left))
    right = np.matmul(np.matmul(back, out), turned)
    right = right - np.matmul(np.matmul(right, out), a)
    return left + right - inner


@pinv.forward
def _(a_dot, a, out):
    back = np.swapaxes(out, -1, -2)
    turned = np.swapaxes(a_dot, -1, -2)
    inner = np.matmul(out, np.matmul(a_dot, out))
    left = np.matmul(np.matmul(out, back), turned)
    left = left - np.matmul(np.matmul(left, a), out)
    right = np.matmul(turned, np.matmul(back, out))
    right = right - np.matmul(out, np.matmul(a, right))
    return left + right - inner
