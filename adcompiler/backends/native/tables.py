"""Which function is which: the elementwise functions of NumPy, `math` and the runtime."""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable

import numpy as np

from adcompiler import runtime
from adcompiler.backends.native import elements

SAME: dict[Callable, Callable] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.floor_divide: operator.floordiv,
    np.remainder: operator.mod,
    np.power: operator.pow,
    np.negative: operator.neg,
    np.absolute: operator.abs,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.fabs: operator.abs,
    builtins.abs: operator.abs,
    runtime.quotient: np.divide,
}
"""Functions of one element that an operator computes too."""

ARITHMETIC: set[Callable] = {operator.add, operator.sub, operator.mul}
COMPARISONS: set[Callable] = {
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
}  # fmt: skip

UFUNCS: set[Callable] = {
    getattr(np, name)
    for name in """
        sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh exp exp2
        expm1 log log2 log10 log1p sqrt hypot logaddexp logaddexp2 maximum minimum sign floor ceil
        trunc isnan isfinite isinf logical_and logical_or logical_not logical_xor copysign deg2rad
        rad2deg degrees radians fmax fmin divide
    """.split()
}
"""Functions that Numba knows for numbers, with NumPy's results at the edges."""

OF_MATH: set[Callable] = {
    getattr(math, name)
    for name in """
        sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp expm1 log log2 log10
        log1p sqrt pow hypot erf erfc gamma lgamma fabs
    """.split()
}
"""Functions of `math`, which raise where these give what is not finite."""

TESTS: set[Callable] = {math.isnan, math.isinf, math.isfinite}

IDENTITIES: set[Callable] = {
    operator.pos, np.positive, np.conjugate, np.real, np.ndarray.conj, np.ndarray.conjugate,
}  # fmt: skip
"""Functions that give a real number back."""

HELPERS: dict[Callable, Callable] = {
    runtime.pole_product: elements.pole_product,
    runtime.pole_quotient: elements.pole_quotient,
    runtime.masked: elements.masked,
    runtime.ratio: elements.ratio,
    runtime.step: elements.step,
    runtime.log_nonzero: elements.log_nonzero,
    runtime.exp_difference: elements.exp_difference,
}

OTHERS: set[Callable] = {
    operator.truediv, operator.floordiv, operator.mod, operator.pow, operator.neg, operator.abs,
    operator.not_, operator.and_, operator.or_, operator.xor, operator.invert, operator.truth,
    np.square, np.reciprocal, runtime.raised, np.clip, np.where, np.iscomplexobj, np.float_power,
}  # fmt: skip

ELEMENTWISE: set[Callable] = {
    *SAME, *ARITHMETIC, *COMPARISONS, *UFUNCS, *IDENTITIES, *HELPERS, *OTHERS,
}  # fmt: skip
"""What has an element for each element of its operands."""
