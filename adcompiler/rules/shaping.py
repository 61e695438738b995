"""Changes of shape and order: reshaping, moving axes, repeating, joining, taking triangles.

Most are linear and undo themselves by the opposite move.
"""

import math

import numpy as np

from adcompiler.rules.book import linear, rule
from adcompiler.runtime import (
    interior,
    inverse,
    unbroadcast,
    unconcatenate,
    undiagonal,
    unreduce,
    unrepeat,
    untile,
)


@linear(np.reshape)
def reshape(g, a, shape, order="C"):
    if order == "A":
        raise NotImplementedError("order='A' follows the layout in memory: write order='C' or 'F'")
    return np.reshape(g, np.shape(a), order=order)


@linear(np.ravel)
def ravel(g, a, order="C"):
    if order in ("A", "K"):
        raise NotImplementedError("this order follows the layout in memory: write 'C' or 'F'")
    return np.reshape(g, np.shape(a), order=order)


@linear(np.transpose)
def transpose(g, a, axes=None):
    return np.transpose(g) if axes is None else np.transpose(g, inverse(axes))


@linear(np.matrix_transpose)
def matrix_transpose(g, x):
    return np.matrix_transpose(g)


@linear(np.swapaxes)
def swapaxes(g, a, axis1, axis2):
    return np.swapaxes(g, axis1, axis2)


@linear(np.moveaxis)
def moveaxis(g, a, source, destination):
    return np.moveaxis(g, destination, source)


@linear(np.expand_dims, np.squeeze)
def expand_dims(g, a, axis=None):
    return np.reshape(g, np.shape(a))


@linear(np.broadcast_to)
def broadcast_to(g, array, shape):
    return unbroadcast(g, np.shape(array))


@linear(np.atleast_1d, np.atleast_2d, np.atleast_3d)
def atleast(g, arys):
    if len(arys) == 1:
        return [np.reshape(g, np.shape(arys[0]))]
    return [np.reshape(part, np.shape(a)) for part, a in zip(g, arys)]


@linear(np.flip)
def flip(g, m, axis=None):
    return np.flip(g, axis)


@linear(np.fliplr)
def fliplr(g, m):
    return np.fliplr(g)


@linear(np.flipud)
def flipud(g, m):
    return np.flipud(g)


@linear(np.rot90)
def rot90(g, m, k=1, axes=(0, 1)):
    return np.rot90(g, -k, axes)


@linear(np.roll)
def roll(g, a, shift, axis=None):
    return np.roll(g, np.negative(shift), axis)


@linear(np.tile)
def tile(g, A, reps):
    return untile(g, np.shape(A), reps)


@linear(untile)
def _(h, g, shape, reps):
    return np.tile(h, reps)


@linear(np.repeat)
def repeat(g, a, repeats, axis=None):
    return unrepeat(g, np.shape(a), repeats, axis)


@linear(unrepeat)
def _(h, g, shape, repeats, axis=None):
    return np.repeat(h, repeats, axis)


# Joining. The adjoint of a list is a list.


@linear(np.concatenate)
def concatenate(g, arrays, axis=0):
    if axis is None:
        parts = unconcatenate(g, [math.prod(np.shape(a)) for a in arrays], 0)
        return [np.reshape(part, np.shape(a)) for part, a in zip(parts, arrays)]
    return unconcatenate(g, [np.shape(a)[axis] for a in arrays], axis)


@linear(unconcatenate)
def _(h, g, lengths, axis=0):
    return np.concatenate(h, axis)


@linear(np.stack)
def stack(g, arrays, axis=0):
    rows = np.moveaxis(g, axis, 0)
    return [rows[k] for k in range(len(arrays))]


@linear(np.vstack)
def vstack(g, tup):
    lengths = [np.shape(a)[0] if np.ndim(a) > 1 else 1 for a in tup]
    parts = unconcatenate(g, lengths, 0)
    return [np.reshape(part, np.shape(a)) for part, a in zip(parts, tup)]


@linear(np.hstack)
def hstack(g, tup):
    axis = 0 if np.ndim(tup[0]) < 2 else 1
    parts = unconcatenate(g, [np.shape(a)[axis] if np.ndim(a) else 1 for a in tup], axis)
    return [np.reshape(part, np.shape(a)) for part, a in zip(parts, tup)]


@linear(np.column_stack)
def column_stack(g, tup):
    parts = unconcatenate(g, [np.shape(a)[1] if np.ndim(a) > 1 else 1 for a in tup], 1)
    return [np.reshape(part, np.shape(a)) for part, a in zip(parts, tup)]


@linear(np.dstack)
def dstack(g, tup):
    parts = unconcatenate(g, [np.shape(a)[2] if np.ndim(a) > 2 else 1 for a in tup], 2)
    return [np.reshape(part, np.shape(a)) for part, a in zip(parts, tup)]


@linear(np.split, np.array_split)
def split(g, ary, indices_or_sections, axis=0):
    return np.concatenate(g, axis)


@rule(np.append)
def append(g, arr, values, axis=None):
    if axis is None:
        lengths = [math.prod(np.shape(arr)), math.prod(np.shape(values))]
        arr_bar, values_bar = unconcatenate(g, lengths, 0)
        return np.reshape(arr_bar, np.shape(arr)), np.reshape(values_bar, np.shape(values))
    arr_bar, values_bar = unconcatenate(g, [np.shape(arr)[axis], np.shape(values)[axis]], axis)
    return arr_bar, values_bar


@append.forward
def _(arr_dot, values_dot, axis=None):
    return np.append(arr_dot, values_dot, axis)


@linear(np.pad)
def pad(g, array, pad_width, constant_values=0):
    return g[interior(pad_width, np.shape(array))]


@pad.forward
def _(array_dot, pad_width):
    return np.pad(array_dot, pad_width)


# Diagonals and triangles.


@linear(np.diag)
def diag(g, v, k=0):
    return np.diag(g, k) if np.ndim(v) == 1 else undiagonal(g, np.shape(v), k)


@linear(np.diagonal)
def diagonal(g, a, offset=0, axis1=0, axis2=1):
    return undiagonal(g, np.shape(a), offset, axis1, axis2)


@linear(undiagonal)
def _(h, g, shape, offset=0, axis1=0, axis2=1):
    return np.diagonal(h, offset, axis1, axis2)


@linear(np.trace)
def trace(g, a, offset=0, axis1=0, axis2=1):
    diagonals = np.shape(np.diagonal(a, offset, axis1, axis2))
    return undiagonal(unreduce(g, diagonals, -1), np.shape(a), offset, axis1, axis2)


@linear(np.tril)
def tril(g, m, k=0):
    return np.tril(g, k)


@linear(np.triu)
def triu(g, m, k=0):
    return np.triu(g, k)
