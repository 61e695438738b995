"""Elementwise operations, and the creation and shaping of arrays, as index expressions."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.backends.native import elements
from adcompiler.backends.native.index import (
    Axis,
    Expression,
    Formula,
    Held,
    at_broadcast,
)
from adcompiler.backends.native.loops import ONE, ZERO, Index, Writer, element_type, number
from adcompiler.backends.native.paths import agree, joined_axes
from adcompiler.backends.native.tables import ELEMENTWISE
from adcompiler.backends.native.unsupported import Unsupported, described
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.interpret import OUT_OF_PLACE
from adcompiler.ir.nodes import Block, Constant, Op, Operand, Value

if TYPE_CHECKING:
    from adcompiler.backends.native.lower import Lowering

BLANK: set[Callable] = {np.empty, np.empty_like}
MISSING = Constant(object())

Handler = Callable[["Lowering", Op], "Expression | Operand | None"]


def lower(low: Lowering, op: Op) -> Expression | Operand | None:
    """The result of an operation on arrays; None if it has no loop form here."""
    try:
        handler = HANDLERS.get(op.fn)
        plain = OUT_OF_PLACE.get(op.fn, op.fn)
        elementwise = plain in ELEMENTWISE
    except TypeError:  # a callable object that cannot be hashed
        return None
    if handler is not None:
        return handler(low, op)
    if elementwise and any(map(low.is_array, op.args)):
        return each_element(low, op)
    return None


def bind(op: Op, *names: str) -> dict[str, Operand]:
    """The arguments by name; Unsupported if there are others."""
    found: dict[str, Operand] = dict(zip(names, op.args, strict=False))
    found.update(op.keywords)
    if len(op.args) > len(names) or set(found) - set(names):
        raise Unsupported(f"{described(op.fn)} with these arguments")
    return found


def static(operand: Operand, default: Any = None) -> Any:
    """What an argument is that is known when code is compiled."""
    if operand is None or operand is MISSING:
        return default
    if isinstance(operand, Constant):
        return operand.value
    if isinstance(operand, tuple | list):
        return type(operand)(map(static, operand))
    raise Unsupported("an argument that decides the code, and is known only at run time")


# -- elementwise ----------------------------------------------------------------------------------


def each_element(low: Lowering, op: Op) -> Expression:
    if op.keywords:
        raise Unsupported(f"{described(op.fn)} with keywords")
    out = op.outs[0].type
    if not isinstance(out, T.Array):
        raise Unsupported(f"{described(op.fn)}, of which the result is unknown")
    operands = [low.expression(a) if low.is_array(a) else low.scalar(a) for a in op.args]
    return elementwise(low, op.fn, operands, out, list(map(type_of, op.args)))


def elementwise(
    low: Lowering, fn: Callable, operands: list[Any], out: T.Array, kinds: list[Any]
) -> Expression:
    """`fn` of each element; operands are expressions and numbers."""
    arrays = [x for x in operands if isinstance(x, Expression)]
    axes = joined_axes(low.writer, arrays)
    _same_dtypes(operands, out)
    for k, operand in enumerate(operands):
        if isinstance(operand, Expression) and not operand.cheap:
            spread = len(operand.axes) < len(axes) or any(
                a.is_unit and not b.is_unit for a, b in zip(operand.axes, axes, strict=True)
            )
            if spread:  # else an element would be computed again and again
                operands[k] = low.hold(operand, kinds[k], "values")
    arrays = [x for x in operands if isinstance(x, Expression)]
    type = element_type(out.dtype)
    plain = OUT_OF_PLACE.get(fn, fn)

    def at(writer: Writer, index: Index) -> Operand:
        def item(operand: Any) -> Operand:
            if isinstance(operand, Expression):
                return at_broadcast(writer, operand, index)
            return operand

        if plain is np.where and len(operands) == 3:
            test, then, orelse = operands
            return writer.choose(
                item(test),
                lambda: _as_float(item(then), type),
                lambda: _as_float(item(orelse), type),
                type,
            )
        return low.numbers.compute(plain, list(map(item, operands)), type, of_array=True)

    # Whether the operation has a loop form is to be known now, not when it is used.
    trial = Writer(Block())
    kept, low.numbers.writer = low.numbers.writer, trial
    try:
        samples = [
            Value(None, element_type(x.dtype)) if isinstance(x, Expression) else x for x in operands
        ]
        if plain is not np.where:
            low.numbers.compute(plain, samples, type, of_array=True)
    finally:
        low.numbers.writer = kept
    return Formula(axes, out.dtype, at, arrays, aligned=True)


def _as_float(operand: Operand, type: T.Scalar) -> Operand:
    if type.kind == "float" and number(operand) is not None:
        return Constant(float(operand.value))
    return operand


def _same_dtypes(operands: list[Any], out: T.Array) -> None:
    for dtype in [out.dtype, *(x.dtype for x in operands if isinstance(x, Expression))]:
        if dtype not in ("float64", "int64", "bool"):
            raise Unsupported(f"arrays of {dtype}")


def identity(expression: Expression) -> Formula:
    """The same elements, as an array of its own."""
    return Formula(
        expression.axes, expression.dtype, expression.at, [expression], True, expression.cheap
    )


# -- shapes ---------------------------------------------------------------------------------------


def shape_axes(low: Lowering, operand: Operand, type: Any) -> list[Axis]:
    """The axes that a `shape` argument asks for."""
    dims = type.shape if isinstance(type, T.Array) and type.shape is not None else None
    if isinstance(operand, Constant) and isinstance(operand.value, tuple):
        operand = tuple(map(Constant, operand.value))
    items = operand if isinstance(operand, tuple | list) else [operand]
    lengths = [low.scalar(item) for item in items]
    for item in lengths:
        if not isinstance(type_of(item), T.Scalar) or type_of(item).kind != "int":
            raise Unsupported("a shape that is not given by integers")
    if dims is not None and len(dims) != len(lengths):
        dims = None
    return [Axis(n, dims[k] if dims is not None else None) for k, n in enumerate(lengths)]


def filled(axes: list[Axis], dtype: str, value: Operand) -> Formula:
    return Formula(axes, dtype, lambda writer, index: value, [], True, True)


_blank = Constant(0.0)


def is_blank(expression: Expression) -> bool:
    """Whether nothing is to be said of what the array holds."""
    return isinstance(expression, Formula) and expression.make is _nothing


def _nothing(writer: Writer, index: Index) -> Operand:
    return _blank


def _full(value: Callable[[T.Array], Operand]) -> Handler:
    def handler(low: Lowering, op: Op) -> Expression:
        args = bind(op, "shape", "dtype", "order")
        type = result(op)
        return filled(shape_axes(low, args["shape"], type), type.dtype, value(type))

    return handler


def _full_like(value: Callable[[T.Array], Operand]) -> Handler:
    def handler(low: Lowering, op: Op) -> Expression | Operand:
        args = bind(op, "a", "dtype")
        out = op.outs[0].type
        if isinstance(out, T.Scalar):
            if isinstance(args["a"], Value):
                low.use(args["a"])
            return value(T.Array(out.dtype or "float64", ()))
        type = result(op)
        return filled(low.expression(args["a"]).axes, type.dtype, value(type))

    return handler


def full(low: Lowering, op: Op) -> Expression:
    args = bind(op, "shape", "fill_value", "dtype")
    type = result(op)
    value = filling(low, args["fill_value"], type)
    return filled(shape_axes(low, args["shape"], type), type.dtype, value)


def full_like(low: Lowering, op: Op) -> Expression:
    args = bind(op, "a", "fill_value", "dtype")
    type = result(op)
    value = filling(low, args["fill_value"], type)
    return filled(low.expression(args["a"]).axes, type.dtype, value)


def filling(low: Lowering, value: Operand, type: T.Array) -> Operand:
    """A number as an item of an array of that type."""
    kind = getattr(type_of(value), "kind", None)
    if kind != type.kind and (kind, type.kind) not in (("int", "float"), ("bool", "float")):
        raise Unsupported(f"a conversion to {type.dtype}")
    return low.scalar(value)


def empty(low: Lowering, op: Op) -> Expression:
    type = result(op)
    axes = shape_axes(low, bind(op, "shape", "dtype")["shape"], type)
    return Formula(axes, type.dtype, _nothing, [], True, False)


def empty_like(low: Lowering, op: Op) -> Expression:
    axes = low.expression(bind(op, "a")["a"]).axes
    return Formula(axes, result(op).dtype, _nothing, [], True, False)


def result(op: Op) -> T.Array:
    type = op.outs[0].type
    if not isinstance(type, T.Array) or type.shape is None:
        raise Unsupported(f"{described(op.fn)}, of which the result is unknown")
    return type


def _zero(type: T.Array) -> Constant:
    return Constant({"float": 0.0, "int": 0, "bool": False}.get(type.kind, 0.0))


def _one(type: T.Array) -> Constant:
    return Constant({"float": 1.0, "int": 1, "bool": True}.get(type.kind, 1.0))


def eye(low: Lowering, op: Op) -> Expression:
    args = bind(op, "N", "M", "k")
    if "k" in args or result(op).dtype != "float64":
        raise Unsupported(f"{described(op.fn)} with these arguments")
    rows = low.scalar(args["N"])
    columns = low.scalar(args["M"]) if "M" in args else rows
    dims = result(op).shape
    axes = [Axis(rows, dims[0]), Axis(columns, dims[1])]

    def at(writer: Writer, index: Index) -> Operand:
        return where(writer, writer.op(operator.eq, list(index), T.BOOL), Constant(1.0))

    return Formula(axes, "float64", at, [], False, True)


def where(writer: Writer, test: Operand, then: Operand) -> Operand:
    return writer.choose(test, lambda: then, lambda: Constant(0.0), T.Scalar("float", "float64"))


def arange(low: Lowering, op: Op) -> Expression | None:
    type = result(op)
    args = [low.scalar(arg) for arg in op.args]
    if op.keywords or len(args) > 3 or type.dtype not in ("int64", "float64"):
        raise Unsupported(f"{described(op.fn)} with these arguments")
    start = args[0] if len(args) > 1 else ZERO
    stop = args[1] if len(args) > 1 else args[0]
    step = args[2] if len(args) > 2 else ONE
    if type.dtype == "float64":
        return float_range(low, start, stop, step, type)
    by = number(step)
    if not by:
        raise Unsupported(f"{described(op.fn)} with a step that is no constant")
    if by == 1:
        count = low.writer.minus(stop, start)
        if number(count) is None and number(start) != 0:
            count = low.writer.op(builtins.max, [count, ZERO], T.INT, "count")
        elif number(count) is None:
            count = low.writer.op(builtins.max, [stop, ZERO], T.INT, "count")
    else:
        count = low.writer.op(elements.trips, [start, stop, step], T.INT, "count")
    axes = [Axis(count, type.shape[0] if type.shape else None)]

    def at(writer: Writer, index: Index) -> Operand:
        return writer.plus(start, writer.times(step, index[0]))

    return Formula(axes, "int64", at, [], False, True)


def float_range(
    low: Lowering, start: Operand, stop: Operand, step: Operand, type: T.Array
) -> Expression:
    """NumPy's own formula: the difference of the first two numbers is added repeatedly."""
    by = static(step) if isinstance(step, Constant) else 0
    if not by:
        raise Unsupported("`np.arange` with a step that is no constant")
    writer, float64 = low.writer, element_type("float64")
    count = writer.op(elements.steps, [start, stop, step], T.INT, "count")
    if isinstance(start, Constant):
        first: Operand = Constant(float(start.value))
        gap: Operand = Constant((first.value + by) - first.value)
    else:
        first = writer.op(builtins.float, [start], float64)
        following = writer.op(operator.add, [first, step], float64)
        gap = writer.op(operator.sub, [following, first], float64)

    def at(writer: Writer, index: Index) -> Operand:
        moved = writer.op(operator.mul, [index[0], gap], float64)
        return writer.op(operator.add, [first, moved], float64)

    axes = [Axis(count, type.shape[0] if type.shape else None)]
    return Formula(axes, "float64", at, [], False, True)


# -- conversions ----------------------------------------------------------------------------------


def copy(low: Lowering, op: Op) -> Expression | Operand | None:
    args = bind(op, "a", "dtype", "copy")
    source = args["a"]
    if isinstance(source, list | tuple):
        return listed(low, source, result(op), op.outs[0].name or "values")
    if not low.is_array(source):
        return None
    expression = low.expression(source)
    type = result(op)
    if type.dtype == expression.dtype:
        return identity(expression)
    return converted(expression, type.dtype)


def converted(expression: Expression, dtype: str) -> Expression:
    if dtype != "float64" or expression.dtype not in ("int64", "bool"):
        raise Unsupported(f"a conversion to {dtype}")

    def at(writer: Writer, index: Index) -> Operand:
        return writer.op(builtins.float, [expression.at(writer, index)], element_type(dtype))

    return Formula(expression.axes, dtype, at, [expression], True, expression.cheap)


def astype(low: Lowering, op: Op) -> Expression:
    args = bind(op, "a", "dtype")
    expression = low.expression(args["a"])
    dtype = result(op).dtype
    return identity(expression) if dtype == expression.dtype else converted(expression, dtype)


def cast(low: Lowering, op: Op) -> Expression | Operand | None:
    """`cast(g, like)`: in double precision there is nothing to do."""
    args = bind(op, "g", "like")
    use(low, args["like"])
    if not low.is_array(args["g"]):
        return as_given(low, op, args["g"])
    expression = low.expression(args["g"])
    if expression.dtype != result(op).dtype:
        raise Unsupported("a conversion of an adjoint")
    return expression


def as_given(low: Lowering, op: Op, operand: Operand) -> Operand:
    out = op.outs[0].type
    given = type_of(operand)
    if not isinstance(out, T.Scalar) or not isinstance(given, T.Scalar) or out.kind != given.kind:
        raise Unsupported(described(op.fn))
    return low.scalar(operand)


def use(low: Lowering, operand: Operand) -> None:
    """An argument of which only the shape or the type counts, and is known."""
    if isinstance(operand, Value):
        low.use(operand)
    elif isinstance(operand, tuple | list):
        for item in operand:
            use(low, item)


def listed(low: Lowering, items: Any, type: T.Array, name: str = "values") -> Held:
    """An array of what stands in a list, or in lists of it."""

    def lowered(item: Any) -> Any:
        if isinstance(item, list | tuple):
            return list(map(lowered, item))
        return low.expression(item) if low.is_array(item) else low.scalar(item)

    def inner(item: Any) -> list[Axis]:
        if isinstance(item, list):
            return [
                Axis(Constant(len(item)), T.as_dim(len(item))),
                *(inner(item[0]) if item else []),
            ]
        return item.axes if isinstance(item, Expression) else []

    parts = lowered(items)
    axes = inner(parts)
    ref = low.writer.empty([axis.length for axis in axes], low_type(type, axes), name)

    def put(item: Any, index: list[Operand]) -> None:
        if isinstance(item, list):
            if number(axes[len(index)].length) != len(item):
                raise Unsupported("an array of lists of different lengths")
            for k, part in enumerate(item):
                put(part, [*index, Constant(k)])
        elif isinstance(item, Expression):
            for own, given in zip(axes[len(index) :], item.axes, strict=True):
                agree(low.writer, own, given)
            low.writer.nest(
                [axis.length for axis in item.axes],
                lambda rest: low.writer.store(ref, [*index, *rest], item.at(low.writer, rest)),
            )
        else:
            low.writer.store(ref, index, item)

    put(parts, [])
    return Held(ref, axes)


def low_type(type: T.Array, axes: list[Axis]) -> T.Array:
    if type.dtype not in ("float64", "int64", "bool"):
        raise Unsupported(f"arrays of {type.dtype}")
    if len(axes) == 0:
        raise Unsupported("arrays of rank 0")
    dims = tuple(axis.dim or T.symbol(("length", id(axis))) for axis in axes)
    return T.Array(type.dtype, dims, True)


HANDLERS: dict[Any, Handler] = {
    np.zeros: _full(_zero),
    np.ones: _full(_one),
    np.full: full,
    np.empty: empty,
    np.zeros_like: _full_like(_zero),
    np.ones_like: _full_like(_one),
    np.full_like: full_like,
    np.empty_like: empty_like,
    runtime.zeros_like: _full_like(_zero),
    np.eye: eye,
    np.identity: eye,
    np.arange: arange,
    np.array: copy,
    np.asarray: copy,
    np.copy: copy,
    np.ndarray.copy: copy,
    np.ndarray.astype: astype,
    runtime.cast: cast,
    runtime.owned: copy,
}
