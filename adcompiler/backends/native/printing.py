"""Loops as text that Numba reads as Python does.

Numba renames a variable where it is assigned in a block that every run passes through, from there
on in the order of the bytecode.  A block that leaves `while True:` is one, and stands before the
rest of the body: there the new name is read too, and what a trip assigns is lost (in Numba 0.68 at
least, without an error).  A loop with a test, if it is always true, has a way around such blocks.

>>> print(with_tests('''def f(n):
...     while True:
...         if n > 2:
...             return n
...         n = n + 1
... '''), end="")
def f(n):
    running = True
    while running:
        if n > 2:
            return n
        n = n + 1
    raise AssertionError
"""

from __future__ import annotations

import ast
import dataclasses
import itertools

from adcompiler.backends.emit import Emitted, emit
from adcompiler.ir.nodes import Function


def emit_loops(function: Function) -> Emitted:
    """The loops as Python, for Numba."""
    emitted = emit(function, compact=False)
    return dataclasses.replace(emitted, text=with_tests(emitted.text))


def with_tests(text: str) -> str:
    """The text with a variable in place of `True` as the test of loops."""
    tree = ast.parse(text)
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    taken |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names = itertools.chain(["running"], (f"running_{k}" for k in itertools.count(2)))
    name = next(n for n in names if n not in taken)
    lines = text.split("\n")
    # From the end, so that line numbers stay right; inner loops end before outer ones do.
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While) and _is_endless(node)]
    edits: list[tuple[int, str, bool]] = []
    for loop in loops:
        indent = " " * loop.col_offset
        edits.append((loop.lineno - 1, f"{indent}{name} = True", True))
        if not _breaks(loop.body):
            assert loop.end_lineno is not None
            edits.append((loop.end_lineno, f"{indent}raise AssertionError", False))
    for at, line, is_head in sorted(edits, key=lambda edit: (edit[0], edit[2]), reverse=True):
        if is_head:
            lines[at] = lines[at].replace("while True:", f"while {name}:", 1)
        lines.insert(at, line)
    return "\n".join(lines)


def _is_endless(loop: ast.While) -> bool:
    return isinstance(loop.test, ast.Constant) and loop.test.value is True


def _breaks(body: list[ast.stmt]) -> bool:
    """Whether a `break` in these statements leaves the loop around them."""
    for statement in body:
        match statement:
            case ast.Break():
                return True
            case ast.If(body=then, orelse=orelse):
                if _breaks(then) or _breaks(orelse):
                    return True
            case ast.While(orelse=orelse) | ast.For(orelse=orelse):
                if _breaks(orelse):
                    return True
    return False
