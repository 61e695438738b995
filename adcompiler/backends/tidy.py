"""Small changes to the IR that are for the reader of the Python text alone.

`tidy(function)` asks the shape of `x` of the memory that was made from `x`, where the two have one
name.  Otherwise the parameter `x` would stay in use, and the written copy be called `x_2`:

    x_2 = x.copy()                      x = x.copy()
    ...                                 ...
    x_bar = np.zeros_like(x)            x_bar = np.zeros_like(x)

And in what a call of a function left behind in the backward sweep, the elements of values are read
first and in order, so that they print as `a, b = pair`, and so that other calls of the function
leave the same lines behind (see `outline`).

The function itself is left as it is; statements that change are copied, and the blocks around them.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from adcompiler.backends.unpacking import item_read
from adcompiler.ir.nodes import (
    Block,
    Call,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Statement,
    Value,
    View,
    defined,
    dimension,
    leaves,
    operands,
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
    statements = [_statement(statement, held, copies) for statement in _reads_first(block)]
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


def _reads_first(block: Block) -> list[Statement]:
    """The statements, with the reads of elements before the rest of what stems from their call."""
    done: list[Statement] = []
    run: list[Statement] = []
    made: dict[Value, bool] = {}
    """What the block makes, with whether it is an adjoint."""
    for s in block.statements:
        adjoint = isinstance(s, Op) and s.origin is not None and s.origin.mirror
        made.update((out, adjoint) for out in defined(s))
    for statement in block.statements:
        call = _mirrored_call(statement)
        if run and call is not _mirrored_call(run[0]):
            # What stands between reads and the rest of their call can as well come before them.
            quiet = isinstance(statement, Load | View) or (
                isinstance(statement, Op) and not statement.effect
            )
            if call is None and quiet and all(map(_element, run)) and not _uses(statement, run):
                done.append(statement)
                continue
            done += _sorted_run(run, made)
            run = []
        (done if call is None else run).append(statement)
    return done + _sorted_run(run, made)


def _mirrored_call(statement: Statement) -> Call | None:
    """The outermost call that left the statement behind in the backward sweep."""
    origin = statement.origin
    return origin.calls[-1] if origin is not None and origin.mirror and origin.calls else None


def _element(statement: Statement) -> tuple[Value, int] | None:
    """What the statement reads one item of, and at which place; views are no items."""
    return None if isinstance(statement, View) else item_read(statement)


def _uses(statement: Statement, run: list[Statement]) -> bool:
    made = {out for s in run for out in defined(s)}
    return any(leaf in made for operand in operands(statement) for leaf in leaves(operand))


def _sorted_run(run: list[Statement], made: dict[Value, bool]) -> list[Statement]:
    """First the reads of what is there in all calls, then those of what the forward sweep left for
    this one, then those of adjoints, then the rest."""
    inside = {out for statement in run for out in defined(statement)}
    views: list[Statement] = []
    first: list[tuple[int, int, int, Statement]] = []
    rest: list[Statement] = []
    order: dict[Value, int] = {}
    written = False
    for statement in run:
        found = _element(statement)
        written = written or not isinstance(statement, Op | Load | View | New)
        if isinstance(statement, View) and inside.isdisjoint(leaves(operands(statement))):
            views.append(statement)
            inside.discard(statement.out)
        elif found is None or found[0] in inside or (written and isinstance(statement, Load)):
            rest.append(statement)
        else:
            place = order.setdefault(found[0], len(order))
            when = 0 if found[0] not in made else 2 if made[found[0]] else 1
            first.append((when, place, found[1], statement))
    first.sort(key=lambda entry: entry[:3])
    return [*views, *(statement for *_, statement in first), *rest]


def _is_one_of(fn: Any, functions: set) -> bool:
    try:
        return fn in functions
    except TypeError:  # a callable object that cannot be hashed
        return False
