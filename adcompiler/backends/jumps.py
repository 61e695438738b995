"""`while`, `break` and early exits, recovered from Ifs and endless loops."""

from __future__ import annotations

from adcompiler.backends.plan import Branch, Break, Item, Moves, While, exits
from adcompiler.ir.nodes import Constant, If, Loop


def branch(statement: If, then: list[Item], orelse: list[Item], invert: bool = True) -> list[Item]:
    """The items of an If; what follows a branch that leaves is not indented."""
    test, origin = statement.test, statement.origin
    if exits(then):
        return [Branch(test, False, then, [], origin), *orelse]
    if invert and exits(orelse):
        return [Branch(test, True, orelse, [], origin), *then]
    return [Branch(test, False, then, orelse, origin)]


def endless(loop: Loop, body: list[Item]) -> While:
    """`while test:` where the body begins with the test, else an endless loop."""
    match body:
        case [Branch(negate=True, then=[*moves, Break()], orelse=[]) as head, *rest]:
            if all(isinstance(move, Moves) for move in moves):
                return While(head.test, False, rest, list(moves), loop.origin)
    return While(None, False, body, [], loop.origin)


def may_stop(statement: If, k: int) -> bool:
    """Whether a branch, or one inside it, yields a constant True as result `k`."""
    for arm in (statement.then, statement.orelse):
        result = arm.results[k]
        if isinstance(result, Constant):
            if result.value is True:
                return True
        elif arm.statements and isinstance(arm.statements[-1], If):
            inner = arm.statements[-1]
            if any(result is out and may_stop(inner, j) for j, out in enumerate(inner.outs)):
                return True
    return False
