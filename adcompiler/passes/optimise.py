"""The optimiser: the passes over a differentiated function, in order."""

from __future__ import annotations

import math
import operator

import numpy as np

from adcompiler import runtime
from adcompiler.ir.nodes import (
    Block,
    Constant,
    Function,
    Loop,
    Op,
    Operand,
    Range,
    Statement,
    Value,
    blocks,
    leaves,
    operands,
    walk,
)
from adcompiler.ir.types import Array, target
from adcompiler.passes.accumulate import tidy_accumulation
from adcompiler.passes.algebra import algebra
from adcompiler.passes.idioms import idioms
from adcompiler.passes.peel import peel_last_tests
from adcompiler.passes.simplify import common_subexpressions, dead_code


def drop_needless_checks(function: Function) -> None:
    """A name that is read anyway needs no check that it is bound, in place; a second look at the
    length of one array neither."""
    drop_repeated_checks(function.body)
    definitions = {
        s.outs[0]: s for s in walk(function.body) if isinstance(s, Op) and len(s.outs) == 1
    }
    for block in all_blocks(function.body):
        kept = []
        for at, statement in enumerate(block.statements):
            if isinstance(statement, Op) and statement.fn is runtime.bound:
                later = block.statements[at + 1 :]
                if any(reads(s, statement.args[0]) for s in later if not is_mirror(s)):
                    continue
            if isinstance(statement, Op) and statement.fn is runtime.check_base:
                if is_never_negative(statement.args[0], definitions):
                    continue
            kept.append(statement)
        block.statements = kept


NEVER_NEGATIVE = {
    operator.abs, abs, math.fabs, math.exp, math.sqrt, math.hypot, math.cosh, np.abs, np.exp,
    np.sqrt, np.hypot, np.cosh, np.square, len,
}  # fmt: skip


def is_never_negative(operand: Operand, definitions: dict[Value, Op]) -> bool:
    """Whether a number is seen not to be negative by how it was computed."""
    if isinstance(operand, Constant):
        return isinstance(operand.value, (int, float)) and operand.value >= 0
    made = definitions.get(operand) if isinstance(operand, Value) else None
    if made is None:
        return False
    if made.fn in NEVER_NEGATIVE:
        return True
    if made.fn in (operator.pow, operator.mul, operator.add, operator.truediv, max):
        x, *rest = made.args
        if made.fn is operator.mul and len(rest) == 1 and rest[0] is x:
            return True
        if made.fn is operator.pow and isinstance(rest[0], Constant) and rest[0].value % 2 == 0:
            return True
        if made.fn is operator.pow:
            return is_never_negative(x, definitions)
        found = [is_never_negative(part, definitions) for part in made.args]
        return any(found) if made.fn is max else all(found)
    return False


def drop_repeated_checks(block: Block, checked: frozenset = frozenset()) -> None:
    """What cannot change is looked at once: the length of an array, the sign of an integer."""
    kept = []
    for statement in block.statements:
        match statement:
            case Op(fn=runtime.check_length, args=[Value() as items, Constant(value=count)]):
                if (items, count) in checked:
                    continue
                if isinstance(target(items.type), Array):
                    checked |= {(items, count)}
            case Op(fn=runtime.check_exponent, args=[Value() as exponent]):
                if (exponent, None) in checked:
                    continue
                checked |= {(exponent, None)}
            case Op(fn=runtime.check_base, args=[base, Value() | Constant() as exponent]):
                known = exponent.value if isinstance(exponent, Constant) else exponent
                if (base, known) in checked:
                    continue
                checked |= {(base, known)}
            case Loop(index=Value() as index, domain=Range(start=Constant(value=start), step=step)):
                if start >= 0 and isinstance(step, Constant) and step.value > 0:
                    checked |= {(index, None)}
        for inner in blocks(statement):
            drop_repeated_checks(inner, checked)
        kept.append(statement)
    block.statements = kept


def is_mirror(statement: Statement) -> bool:
    return statement.origin is not None and statement.origin.mirror


def reads(statement: Statement, value: Value) -> bool:
    return any(value in leaves(operand) for operand in operands(statement))


def all_blocks(block: Block) -> list[Block]:
    return [block, *(b for s in walk(block) for b in blocks(s))]


PASSES = [
    dead_code,
    peel_last_tests,
    common_subexpressions,
    algebra,
    tidy_accumulation,
    common_subexpressions,
    algebra,
    dead_code,
    idioms,
    drop_needless_checks,
]


def optimise(function: Function) -> None:
    """Improve the function in place, without changing what it computes."""
    for run in PASSES:
        run(function)
