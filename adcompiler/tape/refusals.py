"""Errors that name the user's statement: what a tape cannot see is refused where it happens.

A tape sees operations on its own arrays. When NumPy or Python asks one of them for a plain number
(`float(x)`, `math.sin(x)`) or for a plain array (`np.array([x, y])`, `b[0] = x` with a plain `b`),
what is computed from the answer would have no derivative, silently. So they do not answer.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import os
import sys
import threading
from types import FrameType
from typing import Any

import numpy as np

from adcompiler.errors import DifferentiationError, Position

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_NUMPYS = os.path.dirname(os.path.abspath(np.__file__)) + os.sep


def user_frame() -> FrameType | None:
    """The innermost frame outside of this package and of NumPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_OURS, _NUMPYS, "<adjoint of ", "<__array_function__")):
            return frame
        frame = frame.f_back
    return None


def user_position(frame: FrameType | None = None) -> Position | None:
    """The expression that the user's code (or that frame) is computing."""
    frame = frame or user_frame()
    if frame is None:
        return None
    file, line = frame.f_code.co_filename, frame.f_lineno
    position = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    if None in position:
        return Position(file, line, 0, line, 0)
    line, end_line, column, end_column = position
    start, end = _characters(file, line, column), _characters(file, end_line, end_column)
    return Position(file, line, start, end_line, end)


def _characters(file: str, line: int, column: int) -> int:
    """Python counts columns in bytes."""
    text = linecache.getline(file, line)
    return len(text.encode()[:column].decode(errors="ignore"))


def _source(position: Position | None) -> str:
    """The text at a position, if it is on one line and can be read."""
    if position is None or position.line != position.end_line:
        return ""
    return linecache.getline(position.file, position.line)[position.column : position.end_column]


def refused(
    construct: str, reason: str, remedy: str, frame: FrameType | None = None
) -> DifferentiationError:
    """The error for something that a tape does not follow, at the user's statement."""
    position = user_position(frame)
    return DifferentiationError(construct, reason=reason, remedy=remedy, position=position)


def conversion_refused(what: str) -> DifferentiationError:
    """The error for a tape array that was asked to become a plain number or array.

    Parameters
    ----------
    what : str
        "number", "integer" or "array".
    """
    position = user_position()
    construct, remedy = _advice(_source(position), what, user_frame())
    if not construct:
        construct = f"a value with a derivative as a plain {what}"
    LAST.error = DifferentiationError(
        construct,
        reason=f"a tape cannot follow a value through a plain {what}: its derivative would be lost",
        remedy=remedy,
        position=position,
    )
    return LAST.error


class _Last(threading.local):
    """The last conversion that was refused. NumPy hides it behind an error of its own, and the
    user's code may catch that; but what it then computes is not to be trusted."""

    error: DifferentiationError | None = None


LAST = _Last()


MATH = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "pow": "power",
        "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "fsum": "sum",
        "radians": "deg2rad", "degrees": "rad2deg"}  # fmt: skip


def _advice(text: str, what: str, frame: FrameType | None) -> tuple[str, str]:
    """What the text does, and what to write instead."""
    general = "keep to NumPy's functions and to arrays that know of derivatives"
    try:
        node: Any = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:  # no expression, or more than one line
        return "", general if what == "integer" else _STORE_REMEDY
    if isinstance(node, ast.Subscript):
        array = _base(node)
        return f"a store of a value with a derivative into the plain array `{array}`", _STORE_REMEDY
    if not isinstance(node, ast.Call):
        return "", general
    called = ast.unparse(node.func)
    function = _function(node.func, frame)
    name = getattr(function, "__name__", called.rpartition(".")[2])
    compiled = "use `adcompiler.grad`, which compiles the function"
    if function is float:
        return "`float()` of a value with a derivative", "leave it out"
    if function is complex:
        return "`complex` of a value with a derivative", "write `real + 1j * imag`"
    if function in (int, round):
        remedy = "say that its derivative is zero: `int(np.floor(x))`"
        return f"`{called}()` of a value with a derivative", remedy
    if getattr(function, "__module__", None) in ("math", "cmath"):
        twin = MATH.get(name, name)
        remedy = f"write `np.{twin}`, or {compiled}" if hasattr(np, twin) else compiled
        return f"`{called}` of a value with a derivative", remedy
    if function in (np.array, np.asarray, np.asanyarray):
        remedy = "write `np.stack([...])` for a list, and leave it out for one array"
        return f"`{called}` of values with derivatives", remedy
    if function in (np.stack, np.concatenate, np.vstack, np.hstack):
        remedy = f"join the inner lists first: `{called}([np.stack(row) for row in rows])`"
        return f"`{called}` of a list of lists with derivatives", remedy
    if function is np.full:
        return "`np.full` of a value with a derivative", "write `value * np.ones(shape)`"
    if name in ("fill", "put", "itemset"):
        array = called.rpartition(".")[0]
        return f"a store of a value with a derivative into the plain array `{array}`", _STORE_REMEDY
    return f"`{called}` of a value with a derivative", general


def _function(node: ast.expr, frame: FrameType | None) -> Any:
    """What an expression names in a frame."""
    if isinstance(node, ast.Attribute):
        return getattr(_function(node.value, frame), node.attr, None)
    if isinstance(node, ast.Name) and frame is not None:
        for names in (frame.f_locals, frame.f_globals, vars(builtins)):
            if node.id in names:
                return names[node.id]
    return None


_STORE_REMEDY = (
    "make the array with `np.zeros_like(x)` of an array with a derivative, or collect the values "
    "in a list and write `np.stack(values)`"
)


def _base(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return ast.unparse(node)
