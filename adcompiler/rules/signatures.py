"""Signatures of the functions that do not carry one: NumPy's in C, `math`, and converters.

They are written as functions so that nothing is built before one is asked for. Names and order are
NumPy's; what only a method takes (`a.astype(order=...)`) stands beside it.
"""

import builtins
import cmath
import math
import operator
from collections.abc import Callable

import numpy as np


def _where(condition, x=None, y=None, /): ...
def _concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"): ...
def _dot(a, b, out=None): ...
def _pair(a, b, /): ...
def _array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None): ...
def _asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None): ...
def _contiguous(a, dtype=None, *, like=None): ...
def _astype(x, dtype, order="K", casting="unsafe", subok=True, copy=True, device=None): ...
def _convert(x=0.0, /): ...
def _item(a, /, *args): ...
def _getitem(a, index, /): ...
def _reshape(a, /, shape, order="C", *, copy=None): ...
def _einsum(subscripts, /, *operands, out=None, optimize=False): ...
def _arange(start_or_stop, /, stop=None, step=1, *, dtype=None, device=None, like=None): ...
def _empty(shape, dtype=None, order="C", *, device=None, like=None): ...
def _log(x, base=None, /): ...
def _complex(real=0.0, imag=0.0): ...
def _hypot(*coordinates): ...
def _unary(x, /): ...
def _remainder(x, y, /): ...
def _fsum(seq, /): ...
def _bincount(x, /, weights=None, minlength=0): ...


TABLE: dict[Callable, Callable] = {
    np.where: _where,
    np.concatenate: _concatenate,
    np.dot: _dot,
    np.inner: _pair,
    np.vdot: _pair,
    np.array: _array,
    np.asarray: _asarray,
    np.asanyarray: _asarray,
    np.ascontiguousarray: _contiguous,
    np.asfortranarray: _contiguous,
    float: _convert,
    np.float64: _convert,
    np.float32: _convert,
    np.float16: _convert,
    np.longdouble: _convert,
    np.complex64: _convert,
    np.complex128: _convert,
    np.ndarray.item: _item,
    np.ndarray.astype: _astype,
    operator.getitem: _getitem,
    np.reshape: _reshape,
    np.einsum: _einsum,
    np.bincount: _bincount,
    np.arange: _arange,
    np.empty: _empty,
    np.zeros: _empty,
    math.log: _log,
    cmath.log: _log,
    builtins.complex: _complex,
    math.hypot: _hypot,
    math.erf: _unary,
    math.erfc: _unary,
    math.remainder: _remainder,
    math.fsum: _fsum,
}
