"""Which results are NumPy's numbers, and which are Python's: machine code knows only one kind.

The NumPy backend adds the elements of an array to a Python `0.0` and so returns an `np.float64`.
Types tell that for most numbers; for what a loop carries, or a list holds, they only tell that it
is a float.  Here a loop is taken to have run, and what either branch makes NumPy's is NumPy's.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.analysis.classes import alias_classes
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Pop,
    Store,
    Value,
    leaves,
    walk,
)

PYTHONS: set[Callable] = {
    builtins.float, builtins.int, builtins.bool, builtins.len, operator.not_, operator.truth,
    *(fn for fn in vars(math).values() if callable(fn)),
}  # fmt: skip
"""Functions that return Python's numbers, whatever they are given."""


def converters(function: Function) -> list[Callable | None]:
    """What makes of each result of the loops what the NumPy backend returns."""
    numpy = numpy_numbers(function)
    return [_converter(result, numpy) for result in function.body.results]


def _converter(result: Operand, numpy: set[Value]) -> Callable | None:
    type = type_of(result)
    if isinstance(type, T.Array) and type.shape == ():
        return np.asarray
    if not isinstance(type, T.Scalar):
        return None
    if type.dtype is not None:
        return np.dtype(type.dtype).type
    if isinstance(result, Value) and result in numpy:
        return {"float": np.float64, "int": np.int64, "bool": np.bool_}[type.kind]
    return {"float": float, "int": int, "bool": bool}[type.kind]


def numpy_numbers(function: Function) -> set[Value]:
    """The values of type float, int or bool that are NumPy's numbers."""
    classes = alias_classes(function)
    found: set[Value] = set()
    lists: set[int] = set()
    """The classes of lists that hold such numbers."""

    def is_numpy(operand: Operand) -> bool:
        if isinstance(operand, Value) and operand in found:
            return True
        type = type_of(operand)
        return isinstance(type, T.Scalar | T.Array) and getattr(type, "dtype", None) is not None

    def of(statement: Any) -> list[Value]:
        """What the statement is now known to make."""
        match statement:
            case Op(fn=fn, args=args, outs=outs) if fn not in PYTHONS and fn != runtime.zeros_like:
                scalars = [leaf for leaf in leaves(args) if isinstance(type_of(leaf), T.Scalar)]
                return outs if any(map(is_numpy, scalars)) else []
            case Load(ref=ref, out=out) | Pop(ref=ref, out=out):
                return [out] if classes.get(ref) in lists else []
            case If(then=then, orelse=orelse, outs=outs):
                pairs = zip(outs, then.results, orelse.results, strict=True)
                return [out for out, a, b in pairs if is_numpy(a) or is_numpy(b)]
            case Loop(inits=inits, outs=outs) as loop:
                made = zip(loop.carried, outs, inits, loop.next, strict=True)
                return [
                    v for param, out, a, b in made if is_numpy(a) or is_numpy(b)
                    for v in (param, out)
                ]  # fmt: skip
        return []

    def note(statement: Any) -> None:
        match statement:
            case (
                Append(ref=ref, value=value)
                | Store(ref=ref, value=value)
                | Accumulate(ref=ref, value=value)
            ):
                if isinstance(T.target(ref.type), T.List) and is_numpy(value):
                    lists.add(classes[ref])
            case New(source=list() as items, out=out):
                if any(map(is_numpy, items)):
                    lists.add(classes[out])

    before = -1
    while before != len(found) + len(lists):
        before = len(found) + len(lists)
        for statement in walk(function.body):
            note(statement)
            found.update(v for v in of(statement) if isinstance(v.type, T.Scalar))
    return found
