"""What derivative code calls things: operators and methods, as people write them.

Before::

    t = np.matmul(np.transpose(a), g); s = np.sum(t, axis=0)

After::

    t = a.T @ g; s = t.sum(axis=0)
"""

from __future__ import annotations

import operator

import numpy as np

from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Function, Op, walk

OPERATORS = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul,
    np.divide: operator.truediv, np.negative: operator.neg, np.matmul: operator.matmul,
    np.power: operator.pow, np.greater: operator.gt, np.less: operator.lt,
}  # fmt: skip
METHODS = {np.sum: np.ndarray.sum}


def idioms(function: Function) -> None:
    """Write the backward sweep with operators and methods, in place."""
    for statement in walk(function.body):
        if not isinstance(statement, Op) or statement.origin is None:
            continue
        if not statement.origin.mirror:
            continue
        arrays = all(isinstance(type_of(arg), (T.Array, T.Scalar)) for arg in statement.args)
        if statement.fn in OPERATORS and arrays and not statement.keywords:
            if any(isinstance(type_of(arg), T.Array) for arg in statement.args):
                statement.fn = OPERATORS[statement.fn]  # type: ignore[assignment]
        elif statement.fn in METHODS and isinstance(type_of(statement.args[0]), T.Array):
            statement.fn = METHODS[statement.fn]  # type: ignore[assignment]
        elif statement.fn is np.transpose and len(statement.args) == 1:
            kind = type_of(statement.args[0])
            if isinstance(kind, T.Array) and not statement.keywords:
                statement.fn = getattr  # type: ignore[assignment]
                statement.args = [statement.args[0], Constant("T")]
