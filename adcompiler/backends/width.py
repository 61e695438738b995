"""How long lines will be, about: names are not chosen yet."""

from __future__ import annotations

import operator
from collections.abc import Mapping

from adcompiler.backends.plan import inputs
from adcompiler.ir.nodes import (
    Append,
    Constant,
    Function,
    If,
    New,
    Op,
    Operand,
    Pop,
    Slice,
    Statement,
    Value,
    View,
)

UNNAMED = 9
"""How long the names are that variables will be given."""


def operand_width(operand: Operand, folded: Mapping[Value, int]) -> int:
    """`folded` has the widths of the values that are written as expressions."""
    match operand:
        case Value(name=name):
            if operand in folded:
                return folded[operand]
            return len(name) if name else UNNAMED
        case Constant(value=value, name=name):
            return len(name) if name else min(len(repr(value)), 24)
        case Slice(start=start, stop=stop, step=step):
            parts = [x for x in (start, stop, step) if getattr(x, "value", x) is not None]
            return 1 + sum(operand_width(x, folded) for x in parts)
        case tuple() | list():
            return sum(operand_width(x, folded) + 2 for x in operand)
    return 4


def width(statement: Statement, folded: Mapping[Value, int]) -> int:
    """The width of the right side, or of the whole of a statement that has none."""
    read = sum(operand_width(x, folded) for x in inputs(statement))
    match statement:
        case Op(fn=fn, args=args, keywords=keywords):
            if fn is operator.getitem:
                return read
            if getattr(fn, "__module__", None) == "_operator":
                return read + 3
            name = fn.name if isinstance(fn, Function) else getattr(fn, "__name__", "four")
            words = sum(len(word) + 1 for word in keywords)
            return read + len(name) + 4 + 2 * (len(args) - 1) + words
        case View(fn=fn) if fn is not operator.getitem:
            return read + len(getattr(fn, "__name__", "four")) + 5
        case If():
            return read + 10
        case Append():
            return read + 9
        case New() | Pop():
            return read + 7
    return read + 2
