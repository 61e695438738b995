"""What derivative code calls things: operators and methods, as people write them.

Before::

    t = np.matmul(np.transpose(a), g); s = np.sum(t, axis=0)

After::

    t = a.T @ g; s = t.sum(axis=0)

And a vector of one number that a product reads is written to memory: BLAS does not take what has a
stride of 0.
"""

from __future__ import annotations

import operator

import numpy as np

from adcompiler import runtime
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Function, Op, Value, walk

OPERATORS = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul,
    np.divide: operator.truediv, np.negative: operator.neg, np.matmul: operator.matmul,
    np.power: operator.pow, np.greater: operator.gt, np.less: operator.lt,
}  # fmt: skip
METHODS = {np.sum: np.ndarray.sum}
PRODUCTS = (np.matmul, np.dot, operator.matmul)


def idioms(function: Function) -> None:
    """Write the backward sweep with operators and methods, in place."""
    spread = {}
    for statement in walk(function.body):
        if isinstance(statement, Op) and is_spread_vector(statement):
            spread[statement.outs[0]] = statement
        elif isinstance(statement, Op) and statement.fn in PRODUCTS:
            for vector in statement.args:
                if isinstance(vector, Value) and vector in spread:
                    fill(spread.pop(vector))
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


def is_spread_vector(op: Op) -> bool:
    """Whether an operation repeats a number that is known now along one axis."""
    return (
        op.fn is runtime.unreduce
        and isinstance(op.args[0], Constant)
        and isinstance(op.args[0].value, float)
        and isinstance(op.args[1], tuple)
        and len(op.args[1]) == 1
    )


def fill(op: Op) -> None:
    """Write the number to each place."""
    number, (length,) = op.args[0], op.args[1]
    op.fn, op.args = (np.ones, [length]) if number.value == 1 else (np.full, [length, number])
    op.keywords = {}
