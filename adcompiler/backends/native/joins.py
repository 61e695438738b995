"""Branches and loops of the program, and names that a path may leave unbound.

Machine code has no unbound variables.  Such a name gets some value of its type, and a flag that
says whether it is bound, which the user's own statements look at before they read it.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from adcompiler.backends.native import elements
from adcompiler.backends.native.layout import checked, item_type, scalar_type
from adcompiler.backends.native.loops import ZERO, number
from adcompiler.backends.native.numbers import COUNTER, WHOLE, counters, kind
from adcompiler.backends.native.unsupported import Unsupported
from adcompiler.ir import types as T
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Block,
    Constant,
    If,
    Loop,
    New,
    Operand,
    Pop,
    Raise,
    Range,
    Statement,
    Store,
    Value,
    blocks,
    walk,
)

if TYPE_CHECKING:
    from adcompiler.backends.native.lower import Lowering

_TRUE = Constant(True)
_NOTHING = {"float": 0.0, "int": 0, "bool": False}


def writes(low: Lowering, statement: Statement) -> set[int]:
    """The classes that the blocks of a statement write."""
    found: set[int] = set()
    for inner in blocks(statement):
        for each in walk(inner):
            match each:
                case Store(ref=ref) | Accumulate(ref=ref) | Append(ref=ref) | Pop(ref=ref):
                    found |= low.classes.within(low.classes[ref])
    return found


def joined(low: Lowering, operand: Operand, type: Any) -> Operand:
    """What a branch or a trip hands on."""
    if operand is UNBOUND:
        return nothing(low, type)
    if operand in low.bound:
        checks, low.bound = low.bound, {}
        try:
            return joined(low, operand, type)
        finally:
            low.bound = checks
    if isinstance(type, T.Array) and type.shape != ():
        if not low.is_array(operand):
            raise Unsupported("a name for a number and an array")
        return low.kept(operand)
    if isinstance(type, T.Ref):
        low.use(operand)
        return low.reference(operand)
    if scalar_type(type) is None:
        raise Unsupported("a name that stands for different things")
    found = low.scalar(operand)
    if type.kind == "float" and isinstance(found, Constant) and number(found) is not None:
        return Constant(float(found.value))
    if type.kind == "float" and kind(found) == "int":
        return low.writer.op(elements.exact_float, [found], T.FLOAT)
    return found


def nothing(low: Lowering, type: Any) -> Operand:
    """What stands for a name that is not bound; it is never read."""
    held = T.target(type)
    if isinstance(held, T.Array):
        return low.writer.empty([ZERO] * len(checked(held).shape), held, None)
    if isinstance(held, T.List):
        own = Value(None, T.Ref(item_type(held)))
        low.writer.add(New([], own))
        return own
    if isinstance(type, T.Scalar) and type.kind in _NOTHING:
        return Constant(_NOTHING[type.kind])
    raise Unsupported("a name that may be unbound")


def is_bound(low: Lowering, operand: Operand) -> Operand:
    """Whether the name of an operand is bound."""
    if operand is UNBOUND:
        return Constant(False)
    return low.bound.get(operand, _TRUE) if isinstance(operand, Value) else _TRUE


def branch(low: Lowering, branch: If) -> None:
    """Both sides as blocks of loops; arrays that they hand on are in memory."""
    test = low.scalar(branch.test)
    low.before_writing(writes(low, branch))
    arms: list[Block] = []
    bound: list[list[Operand]] = []
    for arm in (branch.then, branch.orelse):
        with low.writer.inside(Block()) as block:
            low.statements(arm)
            if raises(arm):
                block.results = [UNBOUND] * len(branch.outs)
                bound.append(block.results)
            else:
                pairs = zip(arm.results, branch.outs, strict=True)
                block.results = [joined(low, r, out.type) for r, out in pairs]
                bound.append([is_bound(low, each) for each in arm.results])
        arms.append(block)
    outs = [Value(out.name, item_type(out.type)) for out in branch.outs]
    for k, out in enumerate(branch.outs):
        if any(flags[k] is not _TRUE and flags[k] is not UNBOUND for flags in bound):
            outs.append(flag(low, out))
            for block, flags in zip(arms, bound, strict=True):
                block.results.append(flags[k])
    for k, own in enumerate(outs):
        sizes = [low.numbers.sizes.of(arm.results[k]) for arm in arms]
        low.numbers.sizes.note(own, max(sizes))
    low.writer.origin = branch.origin
    low.writer.add(If(test, arms[0], arms[1], outs))
    for out, own in zip(branch.outs, outs, strict=False):
        low.bind(out, own)


def flag(low: Lowering, out: Value) -> Value:
    """Whether the name of a value is bound."""
    low.bound[out] = Value(f"{out.name}_is_bound" if out.name else "is_bound", T.BOOL)
    return low.bound[out]


def loop(low: Lowering, loop: Loop) -> None:
    """The body as a block of loops; arrays that it carries are in memory, and are never written."""
    low.before_writing(writes(low, loop))
    inits = [
        joined(low, init, param.type) for init, param in zip(loop.inits, loop.carried, strict=True)
    ]
    loose = [k for k, x in enumerate(loop.inits) if is_bound(low, x) is not _TRUE]
    inits += [is_bound(low, loop.inits[k]) for k in loose]
    sizes = low.numbers.sizes
    domain, body = None, Block()
    if loop.domain is not None:
        index = Value(loop.index.name, T.INT)
        domain = trips(low, loop.domain, index)
        sizes.note(index, max(sizes.of(domain.start), sizes.of(domain.stop)))
        low.others[loop.index] = index
        body.params.append(index)
    with low.writer.inside(body):
        for param, counts in zip(loop.carried, counters(loop), strict=True):
            own = Value(param.name, item_type(param.type))
            sizes.note(own, COUNTER if counts else WHOLE)
            body.params.append(own)
            low.bind(param, own)
        body.params += [flag(low, loop.carried[k]) for k in loose]
        low.statements(loop.body)
        if raises(loop.body):
            raise Unsupported("a loop that always raises")
        stop = [low.scalar(loop.body.results[0])] if loop.stops else []
        pairs = zip(loop.next, loop.carried, strict=True)
        body.results = stop + [joined(low, after, param.type) for after, param in pairs]
        after = [is_bound(low, each) for each in loop.next]
        body.results += [after[k] for k in loose]
        if any(is_bound is not _TRUE for k, is_bound in enumerate(after) if k not in loose):
            raise Unsupported("a name that a trip may leave unbound")
    outs = [Value(out.name, item_type(out.type)) for out in loop.outs]
    for own, counts in zip(outs, counters(loop), strict=True):
        sizes.note(own, COUNTER if counts else WHOLE)
    outs += [flag(low, loop.outs[k]) for k in loose]
    low.writer.origin = loop.origin
    low.writer.add(Loop(domain, inits, body, outs, loop.stops))
    for out, own in zip(loop.outs, outs, strict=False):
        low.bind(out, own)


def trips(low: Lowering, domain: Range, index: Value) -> Range:
    """The trips; Numba has no `reversed`, so the range from the last one to the first."""
    start, stop, step = map(low.scalar, (domain.start, domain.stop, domain.step))
    for part in (start, stop, step):
        if kind(part) != "int":
            raise Unsupported("a range of what are no integers")
    forward = Range(start, stop, step)
    low.numbers.spans.loop(index, forward)
    if not domain.reverse:
        return forward
    writer, by = low.writer, number(step)
    if not by:
        raise Unsupported("a range with a step that is no constant")
    side = 1 if by > 0 else -1
    if abs(by) == 1:
        last = writer.minus(stop, Constant(by))
    else:
        span = writer.minus(writer.minus(stop, start), Constant(side))
        count = writer.op(operator.floordiv, [span, step], T.INT)
        last = writer.plus(start, writer.times(count, step))
    return Range(last, writer.minus(start, Constant(side)), Constant(-by))


def raises(block: Block) -> bool:
    """Whether the end of the block is never reached."""
    return bool(block.statements) and isinstance(block.statements[-1], Raise)
