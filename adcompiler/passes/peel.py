"""The mirror of a `while` begins with its last test, in which as a rule nothing is to be done.

Before::

    for _ in range(trips + 1), last = True: x_bar = x_bar if last else mirror(x_bar); last = False

After::

    for _ in range(trips): x_bar = mirror(x_bar)
"""

from __future__ import annotations

import operator
from typing import Any

from adcompiler.ir.nodes import (
    Constant,
    Function,
    If,
    Loop,
    Op,
    Range,
    Statement,
    Value,
    rewrite,
    walk,
)


def peel_last_tests(function: Function) -> None:
    """Drop the trip that only tests, where it does nothing; in place."""
    makers: dict[Value, Statement] = {}
    for statement in walk(function.body):
        if isinstance(statement, Op):
            for out in statement.outs:
                makers[out] = statement
    for statement in walk(function.body):
        if isinstance(statement, Loop):
            peel(statement, makers)


def peel(loop: Loop, makers: dict[Value, Statement]) -> None:
    if loop.domain is None or loop.stops or len(loop.body.statements) != 1:
        return
    (branch,) = loop.body.statements
    if not isinstance(branch, If):
        return
    carried = loop.carried
    if branch.test not in carried:
        return
    at = carried.index(branch.test)
    init, following = loop.inits[at], loop.next[at]
    if not (is_constant(init, True) and is_constant(following, False)):
        return
    if branch.then.statements:
        return
    count = one_less(loop.domain, makers)
    if count is None:
        return
    results: list[Any] = []
    for k, (param, result) in enumerate(zip(carried, loop.next, strict=True)):
        if k == at:
            continue
        if result in branch.outs:
            out = branch.outs.index(result)
            if branch.then.results[out] is not param:
                return
            results.append(branch.orelse.results[out])
        elif result is param:
            results.append(param)
        else:
            return
    loop.domain = Range(Constant(0), count, Constant(1))
    keep = [k for k in range(len(carried)) if k != at]
    loop.inits = [loop.inits[k] for k in keep]
    loop.outs = [loop.outs[k] for k in keep]
    loop.body.params = [loop.body.params[0], *(carried[k] for k in keep)]
    loop.body.statements = branch.orelse.statements
    loop.body.results = results
    rewrite(loop.body, lambda v: Constant(False) if v is branch.test else v)


def is_constant(operand: Any, value: bool) -> bool:
    return isinstance(operand, Constant) and operand.value is value


def one_less(domain: Range, makers: dict[Value, Statement]) -> Any:
    """`n`, if the range is `range(n + 1)`."""
    made = makers.get(domain.stop) if isinstance(domain.stop, Value) else None
    if not (isinstance(made, Op) and made.fn is operator.add):
        return None
    one = made.args[1]
    if isinstance(one, Constant) and one.value == 1 and is_zero(domain.start):
        return made.args[0]
    return None


def is_zero(operand: Any) -> bool:
    return isinstance(operand, Constant) and operand.value == 0
