"""Views of arrays, other shapes of them, and arrays joined from others, as index expressions."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.backends.native.arrays import (
    Handler,
    as_given,
    bind,
    elementwise,
    filled,
    identity,
    listed,
    low_type,
    result,
    shape_axes,
    static,
    use,
)
from adcompiler.backends.native.index import (
    UNIT,
    Along,
    Axis,
    Expression,
    Formula,
    Held,
    Place,
    Window,
    broadcast_to,
    whole,
)
from adcompiler.backends.native.loops import ONE, ZERO, Index, Writer, element_type, number
from adcompiler.backends.native.paths import Picked, agree, view
from adcompiler.backends.native.unsupported import Unsupported, described
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Op, Operand, dimension

if TYPE_CHECKING:
    from adcompiler.backends.native.lower import Lowering


def lower(low: Lowering, op: Op) -> Expression | Operand | None:
    """The result of an operation on the shape of arrays; None if it has no loop form here."""
    try:
        handler = HANDLERS.get(op.fn)
    except TypeError:  # a callable object that cannot be hashed
        return None
    return None if handler is None else handler(low, op)


# -- views ----------------------------------------------------------------------------------------


def getitem(low: Lowering, op: Op) -> Expression | Operand | None:
    source, path = op.args
    if not low.is_array(source):
        return None
    expression = low.expression(source)
    path = path if isinstance(path, tuple) else (path,)
    entries = low.path(path)
    out = op.outs[0].type
    dims = out.shape if isinstance(out, T.Array) else None
    found = view(low.numbers, expression, entries, dims)
    if not found.axes:
        return found.at(low.writer, [])
    return found


def getattr_(low: Lowering, op: Op) -> Expression | Operand | None:
    source, name = op.args[0], static(op.args[1])
    if not low.is_array(source):
        return None
    expression = low.expression(source)
    if name == "T":
        return permuted(expression, list(range(len(expression.axes)))[::-1])
    if name == "size":
        total: Operand = ONE
        for axis in expression.axes:
            total = low.writer.times(total, axis.length)
        return total
    if name == "ndim":
        return Constant(len(expression.axes))
    return None


def permuted(expression: Expression, order: list[int]) -> Expression:
    """Axis `k` of the result is axis `order[k]` of the expression."""
    places: list[Place] = [Along(order.index(k)) for k in range(len(order))]
    return Window(expression, [expression.axes[k] for k in order], places)


def transpose(low: Lowering, op: Op) -> Expression:
    args = bind(op, "a", "axes")
    expression = low.expression(args["a"])
    rank = len(expression.axes)
    axes = static(args.get("axes"))
    order = list(range(rank))[::-1] if axes is None else [k % rank for k in axes]
    return permuted(expression, order)


def swapaxes(low: Lowering, op: Op) -> Expression:
    args = bind(op, "a", "axis1", "axis2")
    expression = low.expression(args["a"])
    order = list(range(len(expression.axes)))
    i, j = static(args["axis1"]), static(args["axis2"])
    order[i], order[j] = order[j], order[i]
    return permuted(expression, order)


def expand_dims(low: Lowering, op: Op) -> Expression:
    args = bind(op, "a", "axis")
    expression = low.expression(args["a"])
    axis = static(args["axis"])
    if not isinstance(axis, int):
        raise Unsupported(f"{described(op.fn)} with several axes")
    axis %= len(expression.axes) + 1
    axes = [*expression.axes[:axis], UNIT, *expression.axes[axis:]]
    places: list[Place] = [Along(k if k < axis else k + 1) for k in range(len(expression.axes))]
    return Window(expression, axes, places)


def flip(low: Lowering, op: Op) -> Expression:
    args = bind(op, "m", "axis")
    expression = low.expression(args["m"])
    rank = len(expression.axes)
    axis = static(args.get("axis"))
    flipped = range(rank) if axis is None else [axis % rank]
    places: list[Place] = whole(expression)
    for k in flipped:
        last = low.writer.minus(expression.axes[k].length, ONE)
        places[k] = Along(k, last, Constant(-1))
    return Window(expression, expression.axes, places)


def reshape(low: Lowering, op: Op) -> Expression:
    name = "shape" if op.fn is np.ndarray.reshape else "newshape"
    if op.fn is np.ndarray.reshape and len(op.args) > 2:
        shape: Any = tuple(op.args[1:])
        if op.keywords:
            raise Unsupported("`reshape` with keywords")
    else:
        args = bind(op, "a", "shape") if "shape" in op.keywords else bind(op, "a", name)
        shape = args.get("shape", args.get(name))
    expression = low.expression(op.args[0])
    axes = shape_axes(low, shape, result(op))
    size: Operand = ONE
    for axis in expression.axes:
        size = low.writer.times(size, axis.length)
    free = [k for k, axis in enumerate(axes) if number(axis.length) == -1]
    if free:
        rest: Operand = ONE
        for k, axis in enumerate(axes):
            if k not in free:
                rest = low.writer.times(rest, axis.length)
        quotient = size if number(rest) == 1 else low.writer.op(
            operator.floordiv, [size, rest], T.INT
        )  # fmt: skip
        if number(rest) != 1:
            _check_size(low, low.writer.times(quotient, rest), size)
        axes[free[0]] = Axis(quotient, axes[free[0]].dim)
    else:
        total: Operand = ONE
        for axis in axes:
            total = low.writer.times(total, axis.length)
        _check_size(low, total, size)
    return reshaped(expression, axes)


def _check_size(low: Lowering, a: Operand, b: Operand) -> None:
    if number(a) is None or number(a) != number(b):
        low.writer.refuse(low.writer.op(operator.ne, [a, b], T.BOOL), ValueError)


def reshaped(expression: Expression, axes: list[Axis]) -> Expression:
    """The same elements in the same order, along other axes."""
    if len(axes) == len(expression.axes) == 1:
        return expression
    old = expression.axes

    def at(writer: Writer, index: Index) -> Operand:
        flat: Operand = ZERO
        for axis, k in zip(axes, index, strict=True):
            flat = writer.plus(writer.times(flat, axis.length), k)
        own: list[Operand] = []
        for axis in reversed(old[1:]):
            if axis.is_unit:
                own.append(ZERO)
                continue
            own.append(writer.op(operator.mod, [flat, axis.length], T.INT))
            flat = writer.op(operator.floordiv, [flat, axis.length], T.INT)
        return expression.at(writer, [flat, *reversed(own)])

    return Formula(axes, expression.dtype, at, [expression], False, expression.cheap)


def ravel(low: Lowering, op: Op) -> Expression:
    expression = low.expression(bind(op, "a")["a"])
    size: Operand = ONE
    for axis in expression.axes:
        size = low.writer.times(size, axis.length)
    dims = result(op).shape
    flat = reshaped(expression, [Axis(size, dims[0] if dims else None)])
    return identity(flat) if op.fn is np.ndarray.flatten else flat


def broadcast(low: Lowering, op: Op) -> Expression:
    args = bind(op, "array", "shape")
    axes = shape_axes(low, args["shape"], result(op))
    if not low.is_array(args["array"]):
        return filled(axes, result(op).dtype, low.scalar(args["array"]))
    return spread(low, low.expression(args["array"]), axes, type_of(args["array"]))


def spread(low: Lowering, expression: Expression, axes: list[Axis], type: Any) -> Expression:
    """The expression broadcast to axes; it is put into memory if an element costs something."""
    for own, given in zip(reversed(axes), reversed(expression.axes), strict=False):
        if not given.is_unit:
            agree(low.writer, own, given)
    same = len(axes) == len(expression.axes) and all(
        b.is_unit or not a.is_unit for a, b in zip(expression.axes, axes, strict=True)
    )
    if not expression.cheap and not same:
        expression = low.hold(expression, type, "values")
    return broadcast_to(expression, axes)


def unreduce(low: Lowering, op: Op) -> Expression | Operand:
    """`unreduce(g, shape, axis, keepdims)`: `g` repeated along the axes that were summed."""
    args = bind(op, "g", "shape", "axis", "keepdims")
    axes = shape_axes(low, args["shape"], op.outs[0].type)
    axis = static(args.get("axis"))
    if not low.is_array(args["g"]):
        value = low.scalar(args["g"])
        return filled(axes, "float64", value) if axes else value
    expression = low.expression(args["g"])
    if axis is not None and not static(args.get("keepdims"), False):
        reduced = {k % len(axes) for k in (axis if isinstance(axis, tuple) else (axis,))}
        kept = [k for k in range(len(axes)) if k not in reduced]
        grown = [UNIT if k in reduced else expression.axes[kept.index(k)] for k in range(len(axes))]
        expression = Window(expression, grown, [Along(k) for k in kept])
    return spread(low, expression, axes, type_of(args["g"]))


def full_adjoint(low: Lowering, op: Op) -> Expression | Operand | None:
    args = bind(op, "g", "like")
    if not low.is_array(args["like"]):
        use(low, args["like"])
        return as_given(low, op, args["g"])
    like = low.expression(args["like"])
    if low.is_array(args["g"]):
        return low.expression(args["g"])
    return filled(like.axes, result(op).dtype, low.scalar(args["g"]))


# -- joining and diagonals ------------------------------------------------------------------------


def stack(low: Lowering, op: Op) -> Expression:
    args = bind(op, "arrays", "axis")
    if static(args.get("axis"), 0) != 0 or not isinstance(args["arrays"], list | tuple):
        raise Unsupported(f"{described(op.fn)} with these arguments")
    return listed(low, list(args["arrays"]), result(op), op.outs[0].name or "stacked")


def concatenate(low: Lowering, op: Op) -> Expression:
    args = bind(op, "arrays", "axis")
    items = args["arrays"]
    if not isinstance(items, list | tuple) or not all(map(low.is_array, items)):
        raise Unsupported(f"{described(op.fn)} of a list that grew")
    parts = [low.expression(item) for item in items]
    rank = len(parts[0].axes)
    axis = static(args.get("axis"), 0) % rank
    total: Operand = ZERO
    starts = []
    for part in parts:
        starts.append(total)
        total = low.writer.plus(total, part.axes[axis].length)
    axes = list(parts[0].axes)
    dims = result(op).shape
    axes[axis] = Axis(total, dims[axis] if dims else None)
    for part in parts[1:]:
        for k in range(rank):
            if k != axis:
                agree(low.writer, axes[k], part.axes[k])
    ref = low.writer.empty([a.length for a in axes], low_type(result(op), axes), "joined")
    for part, start in zip(parts, starts, strict=True):

        def put(index: list[Operand], part: Expression = part, start: Operand = start) -> None:
            place = list(index)
            place[axis] = low.writer.plus(start, index[axis])
            low.writer.store(ref, place, part.at(low.writer, index))

        low.writer.nest([a.length for a in part.axes], put)
    return Held(ref, axes)


def _triangle(test: Callable) -> Handler:
    def handler(low: Lowering, op: Op) -> Expression:
        args = bind(op, "m", "k")
        expression, k = low.expression(args["m"]), static(args.get("k"), 0)
        if len(expression.axes) != 2 or expression.dtype != "float64":
            raise Unsupported(f"{described(op.fn)} of what is no matrix of floats")

        def at(writer: Writer, index: Index) -> Operand:
            i, j = index
            inside = writer.op(test, [j, writer.plus(i, Constant(k))], T.BOOL)
            return writer.choose(
                inside,
                lambda: expression.at(writer, index),
                lambda: Constant(0.0),
                element_type("float64"),
            )

        return Formula(expression.axes, "float64", at, [expression], True, expression.cheap)

    return handler


def diag(low: Lowering, op: Op) -> Expression:
    args = bind(op, "v", "k")
    expression = low.expression(args["v"])
    if static(args.get("k"), 0) != 0 or expression.dtype != "float64":
        raise Unsupported(f"{described(op.fn)} with these arguments")
    if len(expression.axes) == 2:
        return diagonal_of(low, expression, result(op))
    axis = expression.axes[0]

    def at(writer: Writer, index: Index) -> Operand:
        return writer.choose(
            writer.op(operator.eq, list(index), T.BOOL),
            lambda: expression.at(writer, index[:1]),
            lambda: Constant(0.0),
            element_type("float64"),
        )

    return Formula([axis, axis], "float64", at, [expression], False, expression.cheap)


def diagonal_of(low: Lowering, expression: Expression, type: T.Array) -> Expression:
    rows, columns = expression.axes
    if rows.equals(columns):
        axis = rows
    else:
        length = low.writer.op(builtins.min, [rows.length, columns.length], T.INT)
        axis = Axis(length, type.shape[0] if type.shape else None)
    return Window(expression, [axis], [Along(0), Along(0)])


def undiagonal(low: Lowering, op: Op) -> Expression:
    args = bind(op, "g", "shape", "offset", "axis1", "axis2")
    plain = [static(args.get(key), d) for key, d in (("offset", 0), ("axis1", 0), ("axis2", 1))]
    axes = shape_axes(low, args["shape"], result(op))
    if plain not in ([0, 0, 1], [0, -2, -1]) or len(axes) != 2 or not low.is_array(args["g"]):
        raise Unsupported(f"{described(op.fn)} with these arguments")
    expression = low.expression(args["g"])

    def at(writer: Writer, index: Index) -> Operand:
        return writer.choose(
            writer.op(operator.eq, list(index), T.BOOL),
            lambda: expression.at(writer, index[:1]),
            lambda: Constant(0.0),
            element_type("float64"),
        )

    return Formula(axes, "float64", at, [expression], False, expression.cheap)


def outer(low: Lowering, op: Op) -> Expression:
    args = bind(op, "a", "b")
    a, b = low.expression(args["a"]), low.expression(args["b"])
    if len(a.axes) != 1 or len(b.axes) != 1:
        raise Unsupported(f"{described(op.fn)} of what are no vectors")
    if not a.cheap:
        a = low.hold(a, type_of(args["a"]), "values")
    if not b.cheap:
        b = low.hold(b, type_of(args["b"]), "values")
    column = Window(a, [a.axes[0], UNIT], [Along(0)])
    return elementwise(low, operator.mul, [column, b], result(op), [None, None])


def last_written(low: Lowering, op: Op) -> Expression:
    """Which of the places that an index names still hold what was stored through it."""
    args = bind(op, "shape", "index")
    lengths = shape_axes(low, args["shape"], None)
    index = args["index"] if isinstance(args["index"], tuple) else (args["index"],)
    writer = low.writer
    order = Held(
        writer.empty([a.length for a in lengths], low_type(T.Array("int64", ()), lengths), "order"),
        lengths,
    )
    picked = view(low.numbers, order, low.path(index))
    if not isinstance(picked, Picked):
        raise Unsupported(f"{described(op.fn)} of these places")

    def turn(writer: Writer, index: Index) -> Operand:
        total: Operand = ZERO
        for axis, k in zip(picked.axes, index, strict=True):
            total = writer.plus(writer.times(total, axis.length), k)
        return total

    writer.nest(
        [axis.length for axis in picked.axes],
        lambda place: writer.store(order.ref, picked.index_of(writer, place), turn(writer, place)),
    )

    def at(writer: Writer, index: Index) -> Operand:
        return writer.op(
            operator.eq, [picked.at(writer, index), turn(writer, index)], element_type("bool")
        )

    return Formula(picked.axes, "bool", at, [picked], True, True)


# -- lengths --------------------------------------------------------------------------------------


def length(low: Lowering, op: Op) -> Operand | None:
    """`len(x)` and `x.shape[k]`."""
    if not low.is_array(op.args[0]):
        return None
    axis = static(op.args[1]) if len(op.args) > 1 else 0
    dim = getattr(op.outs[0].type, "dim", None)
    known = low.writer.length(dim) if dim is not None else None
    if known is not None:
        use(low, op.args[0])
        return known
    found = low.expression(op.args[0]).axes[axis].length
    low.writer.note_length(dim, found)
    return found


HANDLERS: dict[Any, Handler] = {
    operator.getitem: getitem,
    builtins.getattr: getattr_,
    dimension: length,
    builtins.len: length,
    np.transpose: transpose,
    np.ndarray.transpose: transpose,
    np.swapaxes: swapaxes,
    np.expand_dims: expand_dims,
    np.flip: flip,
    np.reshape: reshape,
    np.ndarray.reshape: reshape,
    np.ravel: ravel,
    np.ndarray.ravel: ravel,
    np.ndarray.flatten: ravel,
    np.broadcast_to: broadcast,
    runtime.unreduce: unreduce,
    runtime.full_adjoint: full_adjoint,
    np.stack: stack,
    np.concatenate: concatenate,
    np.tril: _triangle(operator.le),
    np.triu: _triangle(operator.ge),
    np.diag: diag,
    runtime.undiagonal: undiagonal,
    np.outer: outer,
    runtime.last_written: last_written,
}
