"""Lists that are read as a whole: those that a loop has appended to.

A list holds numbers, or arrays that nobody writes.  It is read item by item where an array, a sum
or an extreme is made of it; nothing may change it between the moment at which the program reads it
and its last use.
"""

from __future__ import annotations

import builtins
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.backends.native.arrays import bind, static
from adcompiler.backends.native.index import Axis, Expression, Held
from adcompiler.backends.native.loops import ZERO, Writer, element_type
from adcompiler.backends.native.unsupported import Unsupported, described
from adcompiler.ir import types as T
from adcompiler.ir.nodes import Append, Block, Constant, Loop, New, Op, Operand, Range, Value

if TYPE_CHECKING:
    from adcompiler.backends.native.lower import Lowering


def is_list(operand: Operand) -> bool:
    return isinstance(operand, Value) and isinstance(T.target(operand.type), T.List)


def lower(low: Lowering, op: Op) -> Expression | Operand | None:
    """The result of an operation on a list; None if it has no loop form here."""
    if not op.args or not is_list(op.args[0]):
        return None
    ref = low.reference(op.args[0])
    low.use(op.args[0])
    writer, fn, out = low.writer, op.fn, op.outs[0]
    length = writer.op(len, [ref], T.INT, "count")
    if fn is len:
        return length
    item = T.target(ref.type).item
    if fn in (np.array, np.asarray, np.stack):
        if static(bind(op, "items", "axis").get("axis"), 0) != 0:
            raise Unsupported(f"{described(fn)} along another axis")
        return gathered(low, ref, item, length, out)
    if fn is runtime.zeros_like:
        return zeros(low, ref, item, length)
    if not isinstance(item, T.Scalar) or item.kind != "float" or not isinstance(out.type, T.Scalar):
        raise Unsupported(f"{described(fn)} of a list of what are no floats")
    if fn is builtins.sum:
        start = low.scalar(op.args[1]) if len(op.args) > 1 else Constant(0.0)

        def plus(carried: Operand, index: list[Operand]) -> Operand:
            return writer.op(operator.add, [carried, writer.load(ref, index, item)], out.type)

        return writer.fold([length], start, plus, out.type, out.name or "total")
    if fn in (builtins.max, builtins.min) and len(op.args) == 1:
        writer.refuse(writer.op(operator.eq, [length, ZERO], T.BOOL), ValueError)
        test = operator.gt if fn is builtins.max else operator.lt

        def better(carried: Operand, index: list[Operand]) -> Operand:
            here = writer.load(ref, index, item)
            taken = writer.op(test, [here, carried], T.BOOL)
            return writer.choose(taken, lambda: here, lambda: carried, out.type)

        first = writer.load(ref, [ZERO], item)
        return writer.fold([length], first, better, out.type, out.name or "best")
    raise Unsupported(described(fn))


def gathered(low: Lowering, ref: Value, item: Any, length: Operand, out: Value) -> Held:
    """An array of the items."""
    writer = low.writer
    if isinstance(item, T.Scalar):
        dtype = {"float": "float64", "int": "int64", "bool": "bool"}[item.kind]
        axes = [Axis(length)]

        def at(writer: Writer, index: list[Operand]) -> Operand:
            return writer.load(ref, index, item)

    else:
        writer.refuse(writer.op(operator.eq, [length, ZERO], T.BOOL), ValueError)
        first = low.held(writer.load(ref, [ZERO], item), None)
        dtype = first.dtype
        axes = [Axis(length), *first.axes]

        def at(writer: Writer, index: list[Operand]) -> Operand:
            part = writer.load(ref, index[:1], item)
            return writer.load(part, index[1:], element_type(dtype))

        compare_shapes(low, ref, item, length, first)
    dims = tuple(T.symbol(("length", id(axis))) for axis in axes)
    made = writer.empty([a.length for a in axes], T.Array(dtype, dims, True), out.name or "items")
    writer.nest(
        [a.length for a in axes], lambda index: writer.store(made, index, at(writer, index))
    )
    return Held(made, axes)


def compare_shapes(low: Lowering, ref: Value, item: Any, length: Operand, first: Held) -> None:
    """Items of different shapes make no array."""
    writer = low.writer
    unsure = [k for k, axis in enumerate(first.axes) if axis.dim is None or axis.dim.terms]
    if not unsure:
        return
    with writer.loop(length) as i:
        part = low.held(writer.load(ref, [i], item), None)
        for k in unsure:
            a, b = first.axes[k], part.axes[k]
            if not a.equals(b):
                writer.refuse(writer.op(operator.ne, [a.length, b.length], T.BOOL), ValueError)


def zeros(low: Lowering, ref: Value, item: Any, length: Operand) -> Value:
    """A list of zeros of the shapes of the items."""
    writer = low.writer
    own = Value(None, T.Ref(T.List(item)))
    writer.add(New([], own))
    index = Value(None, T.INT)
    with writer.inside(Block([index])) as body:
        if isinstance(item, T.Scalar):
            writer.add(Append(own, Constant(0.0)))
        else:
            like = low.held(writer.load(ref, [index], item), None)
            made = writer.empty([axis.length for axis in like.axes], T.target(item), None)
            writer.nest(
                [axis.length for axis in like.axes],
                lambda place: writer.store(made, place, Constant(0.0)),
            )
            writer.add(Append(own, made))
    writer.add(Loop(Range(ZERO, length, Constant(1)), [], body, []))
    return own
