"""New arrays out of numbers and other arrays: conversion, copies, filling, ranges."""

import numpy as np

from adcompiler.rules.book import linear, rule
from adcompiler.runtime import cast, full_adjoint, spread, unbroadcast, unpack


@linear(np.array)
def array(g, object, dtype=None, copy=True, order="K"):
    return unpack(g, object)


@linear(unpack)
def _(h, g, like):
    return np.array(h)


@linear(np.asarray, np.asanyarray)
def asarray(g, a, dtype=None, order=None, copy=None):
    return unpack(g, a)


@linear(np.ascontiguousarray, np.asfortranarray)
def ascontiguousarray(g, a, dtype=None):
    return unpack(g, a)


@linear(np.copy)
def copy(g, a, order="K"):
    return g


@linear(np.ndarray.astype)
def astype(g, x, dtype, order="K", casting="unsafe", copy=True):
    return cast(g, x)


@astype.forward
def _(x_dot, out):
    return cast(x_dot, out)


@linear(float, np.float16, np.float32, np.float64, np.longdouble)
def convert(g, x):
    return cast(g, x)


@linear(np.complex64, np.complex128)
def convert_complex(g, x):
    return cast(g, x)


@rule(np.full)
def full(g, shape, fill_value, dtype=None):
    return unbroadcast(g, fill_value)


@full.forward
def _(fill_value_dot, shape, dtype=None):
    return np.full(shape, fill_value_dot, dtype)


@rule(np.linspace)
def linspace(g, start, stop, num=50, endpoint=True):
    weight = np.linspace(0, 1, num, endpoint)
    start_bar = np.tensordot(1 - weight, g, 1)
    return unbroadcast(start_bar, start), unbroadcast(np.tensordot(weight, g, 1), stop)


@linspace.forward
def _(start_dot, stop_dot, num=50, endpoint=True):
    return np.linspace(start_dot, stop_dot, num, endpoint)


@linear(spread)
def _(g, dot, like):
    return unbroadcast(g, dot)


@linear(full_adjoint)
def _(h, g, like):
    return unbroadcast(h, g)
