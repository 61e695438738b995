"""Products that sum over axes: `@`, `dot`, `einsum` and their kin, linear in each factor."""

import numpy as np

from adcompiler.rules.book import bilinear, linear, rule
from adcompiler.runtime import (
    contraction,
    cropped,
    einsum_extras,
    einsum_transpose,
    fitted,
    kron_plan,
    stretched,
    unbroadcast,
)


@bilinear(np.matmul)
def matmul(g, a, b):
    if np.ndim(a) == 1 and np.ndim(b) == 1:
        return g * b, g * a
    if np.ndim(a) == 1 and np.ndim(b) == 2:
        return np.matmul(b, g), np.outer(a, g)
    if np.ndim(a) == 2 and np.ndim(b) == 1:
        return np.outer(g, b), np.matmul(np.transpose(a), g)
    if np.ndim(a) == 1:
        a_bar = np.matmul(b, np.expand_dims(g, -1))[..., 0]
        return unbroadcast(a_bar, a), np.expand_dims(a, -1) * np.expand_dims(g, -2)
    if np.ndim(b) == 1:
        return np.expand_dims(g, -1) * b, np.tensordot(g, a, np.ndim(g))
    if np.ndim(a) == 2 and np.ndim(b) == 2:
        return np.matmul(g, np.transpose(b)), np.matmul(np.transpose(a), g)
    if np.ndim(b) == 2:  # one product, not one for each matrix in `a`
        outer = tuple(range(np.ndim(a) - 1))
        return np.matmul(g, np.transpose(b)), np.tensordot(a, g, (outer, outer))
    a_bar = np.matmul(g, np.swapaxes(b, -1, -2))
    return unbroadcast(a_bar, a), unbroadcast(np.matmul(np.swapaxes(a, -1, -2), g), b)


@bilinear(np.dot)
def dot(g, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return unbroadcast(g * b, a), unbroadcast(g * a, b)
    if np.ndim(a) == 1 and np.ndim(b) == 1:
        return g * b, g * a
    if np.ndim(a) == 2 and np.ndim(b) == 1:
        return np.outer(g, b), np.matmul(np.transpose(a), g)
    if np.ndim(b) == 1:
        return np.expand_dims(g, -1) * b, np.tensordot(g, a, np.ndim(g))
    if np.ndim(a) == 2 and np.ndim(b) == 2:
        return np.matmul(g, np.transpose(b)), np.matmul(np.transpose(a), g)
    outer = tuple(range(np.ndim(a) - 1))
    a_bar = np.tensordot(g, np.swapaxes(b, -1, -2), np.ndim(b) - 1)
    return a_bar, np.moveaxis(np.tensordot(a, g, (outer, outer)), 0, -2)


@bilinear(np.inner)
def inner(g, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return unbroadcast(g * b, a), unbroadcast(g * a, b)
    outer = tuple(range(np.ndim(a) - 1))
    return np.tensordot(g, b, np.ndim(b) - 1), np.tensordot(g, a, (outer, outer))


@bilinear(np.outer)
def outer(g, a, b):
    a_bar, b_bar = np.matmul(g, np.ravel(b)), np.matmul(np.ravel(a), g)
    return np.reshape(a_bar, np.shape(a)), np.reshape(b_bar, np.shape(b))


@bilinear(np.vdot)
def vdot(g, a, b):
    if np.iscomplexobj(a):
        a_bar = np.conjugate(g * np.ravel(b))
        b_bar = g * np.conjugate(np.ravel(a))
        return np.reshape(a_bar, np.shape(a)), np.reshape(b_bar, np.shape(b))
    return np.reshape(g * np.ravel(b), np.shape(a)), np.reshape(g * np.ravel(a), np.shape(b))


@bilinear(np.vecdot)
def vecdot(g, a, b):
    g = np.expand_dims(g, -1)
    if np.iscomplexobj(a):
        return unbroadcast(np.conjugate(g * b), a), unbroadcast(g * np.conjugate(a), b)
    return unbroadcast(g * b, a), unbroadcast(g * a, b)


@bilinear(np.tensordot)
def tensordot(g, a, b, axes=2):
    from_a, from_b, free_a, free_b, order_a, order_b = contraction(np.ndim(a), np.ndim(b), axes)
    a_bar = np.tensordot(g, b, (from_b, free_b))
    b_bar = np.tensordot(a, g, (free_a, from_a))
    return np.transpose(a_bar, order_a), np.transpose(b_bar, order_b)


@rule(np.einsum)
def einsum(g, subscripts, operands, optimize=False):
    ranks = [np.ndim(a) for a in operands]
    shapes = [np.shape(a) for a in operands]
    return [
        unbroadcast(
            stretched(
                np.einsum(
                    einsum_transpose(subscripts, ranks, i),
                    g,
                    *operands[:i],
                    *operands[i + 1 :],
                    *einsum_extras(subscripts, shapes, i),
                    optimize=optimize,
                ),
                operands[i],
            ),
            operands[i],
        )
        for i in range(len(operands))
    ]


@einsum.forward
def _(operands_dot, subscripts, operands, optimize=False):
    terms = [
        np.einsum(subscripts, *operands[:i], operands_dot[i], *operands[i + 1 :], optimize=optimize)
        for i in range(len(operands))
    ]
    return sum(terms)


@linear(stretched)
def _(h, g, like):
    return unbroadcast(h, g)


@bilinear(np.kron)
def kron(g, a, b):
    both, only_a, only_b = kron_plan(np.shape(a), np.shape(b))
    g = np.reshape(g, both)
    rank = max(np.ndim(a), np.ndim(b))
    from_a, from_b = tuple(range(0, 2 * rank, 2)), tuple(range(1, 2 * rank, 2))
    a_bar = np.sum(g * np.reshape(b, only_b), axis=from_b)
    b_bar = np.sum(g * np.reshape(a, only_a), axis=from_a)
    return np.reshape(a_bar, np.shape(a)), np.reshape(b_bar, np.shape(b))


@bilinear(np.cross)
def cross(g, a, b):
    # A vector may have two components: its third is 0.
    a_bar = fitted(np.cross(b, g), np.shape(a)[-1], -1)
    b_bar = fitted(np.cross(g, a), np.shape(b)[-1], -1)
    return unbroadcast(a_bar, a), unbroadcast(b_bar, b)


@bilinear(np.convolve)
def convolve(g, a, v, mode="full"):
    whole = np.pad(g, cropped(np.shape(a)[0], np.shape(v)[0], mode))
    return np.convolve(whole, np.flip(v), "valid"), np.convolve(whole, np.flip(a), "valid")
