"""Small changes to the IR that are for the reader of the Python text alone.

`tidy(function)` asks the shape of `x` of the memory that was made from `x`, where the two have one
name.  Otherwise the parameter `x` would stay in use, and the written copy be called `x_2`:

    x_2 = x.copy()                      x = x.copy()
    ...                                 ...
    x_bar = np.zeros_like(x)            x_bar = np.zeros_like(x)

The function itself is left as it is; statements that change are copied, and the blocks around them.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from adcompiler.ir.nodes import (
    Block,
    Function,
    If,
    Loop,
    New,
    Op,
    Statement,
    Value,
    dimension,
)
from adcompiler.ir.types import Array, target

_SHAPE = {dimension, np.shape, np.zeros_like, np.empty_like}
_COPIES = {np.ndarray.copy, np.copy, np.array}


def tidy(function: Function) -> Function:
    body = _block(function.body, {})
    if body is function.body:
        return function
    changed = copy.copy(function)
    changed.body = body
    return changed


def _block(block: Block, held: dict[Value, Value]) -> Block:
    """The block, with shapes asked of the memory in `held`; itself if nothing changes."""
    held = dict(held)
    copies: dict[Value, Value] = {}
    statements = [_statement(statement, held, copies) for statement in block.statements]
    if all(new is old for new, old in zip(statements, block.statements, strict=True)):
        return block
    return Block(block.params, statements, block.results)


def _statement(
    statement: Statement, held: dict[Value, Value], copies: dict[Value, Value]
) -> Statement:
    match statement:
        case Op(args=[Value() as array, *rest]):
            if array in held and _is_one_of(statement.fn, _SHAPE):
                changed = copy.copy(statement)
                changed.args = [held[array], *rest]
                return changed
            plain = not rest and not statement.keywords and isinstance(array.type, Array)
            if plain and _is_one_of(statement.fn, _COPIES):
                copies[statement.outs[0]] = array
        case New(source=Value() as source, out=out):
            source = copies.get(source, source)
            if out.name is not None and out.name == source.name:
                if isinstance(target(out.type), Array):
                    held.setdefault(source, out)
        case If(then=then, orelse=orelse):
            arms = _block(then, held), _block(orelse, held)
            if arms != (then, orelse):
                branch = copy.copy(statement)
                branch.then, branch.orelse = arms
                return branch
        case Loop(body=body):
            inner = _block(body, held)
            if inner is not body:
                loop = copy.copy(statement)
                loop.body = inner
                return loop
    return statement


def _is_one_of(fn: Any, functions: set) -> bool:
    try:
        return fn in functions
    except TypeError:  # a callable object that cannot be hashed
        return False
