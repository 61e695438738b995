"""IR to Python text that reads as if a careful colleague had written it.

`emit(function)` goes through `plan` (what is a line, what folds, what jumps), `snapshots` (what
must be copied), `liveness` and `naming` (which values share a variable), builds a Python `ast`,
takes out of it what it repeats (`outline`) and prints it.  The text starts with the imports that it
needs; functions that it calls and that are IR themselves stand in it too.

>>> import operator
>>> import numpy as np
>>> from adcompiler.ir.nodes import Block, Constant, Function, Op, Value
>>> x, t, y = Value("x", None), Value(None, None), Value("y", None)
>>> body = [Op(operator.mul, [x, x], {}, [t]), Op(np.sin, [t], {}, [y])]
>>> print(emit(Function("f", Block([x], body, [y]), doc="The sine of the square.")).text, end="")
import numpy as np
<BLANKLINE>
<BLANKLINE>
def f(x):
    \"\"\"The sine of the square.\"\"\"
    y = np.sin(x * x)
    return y
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adcompiler.backends.globalnames import GlobalNames
from adcompiler.backends.outline import outlined
from adcompiler.backends.printer import annotate, print_module
from adcompiler.backends.statements import Statements
from adcompiler.ir.nodes import (
    Constant,
    Function,
    Op,
    Operand,
    operands,
    walk,
)


@dataclass(frozen=True, slots=True)
class Emitted:
    """A Python program, ready to be shown, saved or compiled."""

    text: str
    namespace: dict[str, Any]
    """What the global names of the text mean."""
    name: str
    """The name of the function that was asked for."""


def emit(function: Function, header: Sequence[str] = (), *, compact: bool = True) -> Emitted:
    """The program as Python; `header` lines stand above it as comments.

    If it is to be `compact`, lines that repeat may become functions.
    """
    functions = _reachable(function)
    params = {param.name for f in functions for param in f.params if param.name}
    global_names = GlobalNames(params)
    for f in functions:
        global_names.add_function(f)
    definitions = [Statements(f, global_names).definition() for f in functions]
    if compact:
        definitions = [part for d in definitions for part in outlined(d, global_names.fresh)]
    lines: list[ast.stmt] = global_names.imports()
    used = {name: v for name, v in global_names.namespace.items() if name in global_names.used}
    for name, literal in global_names.constants.items():
        if name not in used:
            continue
        lines.append(ast.Assign([ast.Name(name)], literal))
        if len(lines) > 1 and not isinstance(lines[-2], ast.Assign):
            annotate(lines[-1], blank=True)
    text = print_module(ast.Module([*lines, *definitions], []))
    comments = list(header)
    listed = [
        f"{name} ({type(used[name]).__name__})" for name in global_names.provided if name in used
    ]
    if listed:
        comments.append(f"Supplied from outside: {', '.join(listed)}")
    above = "".join(f"# {line}".rstrip() + "\n" for line in comments)
    if above and not lines:
        above += "\n\n"
    return Emitted(above + text, used, global_names.functions[function])


def _reachable(function: Function) -> list[Function]:
    """The functions that it calls, callees first."""
    found: dict[Function, None] = {}
    seen: set[Function] = set()

    def visit(f: Function) -> None:
        if f in seen:
            return
        seen.add(f)
        for statement in walk(f.body):
            if isinstance(statement, Op) and isinstance(statement.fn, Function):
                visit(statement.fn)
            for operand in operands(statement):
                for constant in _constants(operand):
                    if isinstance(constant.value, Function):
                        visit(constant.value)
        found[f] = None

    visit(function)
    return list(found)


def _constants(operand: Operand) -> Iterable[Constant]:
    if isinstance(operand, Constant):
        yield operand
    elif isinstance(operand, tuple | list):
        for item in operand:
            yield from _constants(item)
