"""Taking elements out of arrays: an adjoint goes back to where its element came from."""

import operator

import numpy as np

from adcompiler.rules.book import linear, rule
from adcompiler.runtime import scatter, untake, untake_along


@linear(operator.getitem)
def getitem(g, a, index):
    return scatter(g, np.shape(a), index)


@linear(scatter)
def _(h, g, shape, index):
    return h[index]


@linear(np.take)
def take(g, a, indices, axis=None):
    return untake(g, np.shape(a), indices, axis)


@linear(untake)
def _(h, g, shape, indices, axis=None):
    return np.take(h, indices, axis)


@linear(np.take_along_axis)
def take_along_axis(g, arr, indices, axis=-1):
    return untake_along(g, np.shape(arr), indices, axis)


@linear(untake_along)
def _(h, g, shape, indices, axis):
    return np.take_along_axis(h, indices, axis)


@linear(np.ndarray.item)
def item(g, a, args=()):
    if args == ():
        return np.reshape(g, np.shape(a))
    raise NotImplementedError("a.item(...) with an index: write float(a[...])")


@rule(np.bincount)
def bincount(g, x, weights=None, minlength=0):
    return g[x]


@bincount.forward
def _(weights_dot, x, out):
    return np.bincount(x, weights_dot, np.shape(out)[0])


@rule(np.sort, real=True)
def sort(g, a, axis=-1):
    if axis is None:
        order = np.argsort(a, axis=None)
        return np.reshape(untake(g, np.shape(g), order), np.shape(a))
    return untake_along(g, np.shape(a), np.argsort(a, axis), axis)


@sort.forward
def _(a_dot, a, axis=-1):
    if axis is None:
        return np.take(a_dot, np.argsort(a, axis=None))
    return np.take_along_axis(a_dot, np.argsort(a, axis), axis)
