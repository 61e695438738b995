"""Writing derivative code: a resolver that inlines rules and never writes what does no work."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.ir import numpy_calls
from adcompiler.ir import types as T
from adcompiler.ir.infer import IN_PLACE, dim_of, never_one, type_of
from adcompiler.ir.nodes import Constant, Op, Origin, Statement, Value, dimension
from adcompiler.ir.parse import parse
from adcompiler.ir.resolve import Resolver
from adcompiler.rules import book

ONE, ZERO = Constant(1.0), Constant(0.0)

ARITHMETIC = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul,
    np.divide: operator.truediv, np.negative: operator.neg, np.power: operator.pow,
}  # fmt: skip


PRODUCTS = {np.matmul, operator.matmul}
POLES = {runtime.pole_product, runtime.pole_quotient, runtime.quotient, runtime.raised}
SPREADING = {
    operator.mul, operator.truediv, operator.add, operator.sub, runtime.pole_product,
    runtime.pole_quotient,
}  # fmt: skip
ODD: dict[Any, tuple[int, ...]] = {
    np.sum: (0,), np.transpose: (0,), np.expand_dims: (0,), np.reshape: (0,),
    runtime.unbroadcast: (0,), runtime.unreduce: (0,), runtime.pole_product: (0, 1),
    runtime.pole_quotient: (0, 1), operator.truediv: (0, 1), np.matmul: (0, 1),
    operator.matmul: (0, 1), np.dot: (0, 1),
}  # fmt: skip
"""Functions, with the places of the arguments whose sign is that of the result."""
FINITE = {
    operator.add, operator.sub, operator.mul, operator.neg, np.sin, np.cos, np.tanh, np.exp,
    np.arctan, operator.lt, operator.le, operator.gt, operator.ge, np.sign,
}  # fmt: skip


def is_python_number(operand: Any) -> bool:
    kind = type_of(operand)
    return not (isinstance(kind, T.Array) or (isinstance(kind, T.Scalar) and kind.dtype))


def is_as_long(mine: Any, other: Any) -> bool:
    """Whether `stretched` leaves a value as it is, all axes having their lengths."""
    shapes = [kind.shape if isinstance(kind, T.Array) else None for kind in (mine, other)]
    if isinstance(mine, T.Scalar) and isinstance(other, T.Scalar):
        return True
    if shapes[0] is None or shapes[1] is None or len(shapes[0]) < len(shapes[1]):
        return False
    pairs = zip(reversed(shapes[0]), reversed(shapes[1]), strict=False)
    return all(p == q or q.constant == 1 or never_one(p) for p, q in pairs)


def has_length(array: Any, length: Any, axis: Any) -> bool:
    """Whether `fitted` leaves an array as it is: its axis has that length."""
    kind = type_of(array)
    if not isinstance(kind, T.Array) or kind.shape is None or not isinstance(axis, Constant):
        return False
    return dim_of(length) == kind.shape[axis.value]


def number(operand: Any) -> float | None:
    """The plain number that an operand is."""
    if isinstance(operand, Constant) and type(operand.value) in (int, float):
        return operand.value
    return None


class Builder(Resolver):
    """A resolver for code that passes write."""

    def __init__(self) -> None:
        super().__init__()
        self.nonzero_divisors = False
        """Whether what is divided by here was divided by in the primal, which would have raised."""
        self.definition: dict[Value, Op] = {}
        """The operation that made a value written here."""

    def add(self, statement: Statement) -> None:
        super().add(statement)
        if isinstance(statement, Op) and len(statement.outs) == 1:
            self.definition[statement.outs[0]] = statement

    def at(self, origin: Origin | None, mirror: bool) -> None:
        """Everything written from here on stems from that statement."""
        if origin is not None:
            origin = Origin(origin.position, origin.text, mirror, origin.order + 1, origin.calls)
        self.fixed_origin = origin or Origin(None, "", mirror)

    def transposed_again(self, x: Any) -> Any:
        """`x.T.T` is `x`."""
        inner = self.made_by(x, np.transpose)
        if inner is not None and len(inner) == 1:
            return inner[0]
        made = self.maker(x)
        if made is not None and made.fn is getattr and made.args[1].value == "T":
            return made.args[0]
        if made is not None and made.fn in PRODUCTS and not made.keywords:
            a, b = made.args
            inner = self.transposed_again(a) if rank(a) == rank(b) == 2 else None
            if inner is not None:  # `(a.T @ b).T` is `b.T @ a`
                return self.op(made.fn, self.op(np.transpose, b), inner)
        return None

    def maker(self, x: Any) -> Op | None:
        """The operation that made a value, where it is known."""
        return self.definition.get(x) if isinstance(x, Value) else None

    def element_count(self, shape: Any, axis: Any) -> Any:
        """`runtime.count` written out: the product of the lengths that are reduced."""
        if not isinstance(shape, tuple) or not isinstance(axis, (Constant, tuple)):
            return None
        places = axis.value if isinstance(axis, Constant) else tuple(a.value for a in axis)
        if places is None:
            places = tuple(range(len(shape)))
        places = places if isinstance(places, tuple) else (places,)
        total: Any = Constant(1)
        for place in places:
            total = self.op(operator.mul, shape[place], total)
        return total

    def simpler(self, fn: Callable, args: list, keywords: dict) -> Any:
        """Algebraic identities that hold for every number (and array) they are used on here."""
        fn = ARITHMETIC.get(fn, fn)
        if fn in ODD:
            opposite = self.without_sign(fn, args, keywords)
            if opposite is not None:
                return opposite
        if keywords:
            return None
        if fn is np.transpose and len(args) == 1:
            return self.transposed_again(args[0])
        if fn is runtime.count and len(args) == 2:
            return self.element_count(*args)
        if fn is runtime.stretched and is_as_long(*map(type_of, args)):
            return args[0]
        if fn is runtime.fitted and has_length(*args):
            return args[0]
        if len(args) == 2 and fn in SPREADING:
            x, y = self.unspread(fn, *args)
            if x is not args[0] or y is not args[1]:
                return self.op(fn, x, y)
        if fn in POLES:
            return self.simpler_pole(fn, *args)
        if len(args) == 2:
            return self.simpler_binary(fn, *args)
        if fn is operator.neg and len(args) == 1:
            return self.negated(args[0])
        return None

    def without_sign(self, fn: Callable, args: list, keywords: dict) -> Any:
        """`f(-x)` is `-f(x)`: the sign moves out, to where it may turn a sum into a difference."""
        for place in ODD[fn]:
            negative = self.made_by(args[place], operator.neg) if place < len(args) else None
            if negative is not None:
                rest = [*args[:place], negative[0], *args[place + 1 :]]
                return self.op(operator.neg, self.op(fn, *rest, **keywords))
        return None

    def unspread(self, fn: Callable, x: Any, y: Any) -> tuple[Any, Any]:
        """A number that was repeated to a shape need not be, where it meets an array of it."""
        if fn not in SPREADING:
            return x, y
        for swap in (False, True):
            p, q = (y, x) if swap else (x, y)
            spread = self.made_by(p, runtime.unreduce)
            mine, other = type_of(p), type_of(q)
            if spread is None or not (isinstance(mine, T.Array) and isinstance(other, T.Array)):
                continue
            if mine.shape is None or mine.shape != other.shape:
                continue
            small = self.broadcastable(spread, len(mine.shape))
            if small is not None:
                return (q, small) if swap else (small, q)
        return x, y

    def broadcastable(self, spread: list, rank: int) -> Any:
        """What `unreduce` would repeat, in a shape that broadcasts to the same."""
        g = spread[0]
        kind = type_of(g)
        if isinstance(kind, T.Scalar):
            return g
        axis, keepdims = (*spread[2:], None, None)[:2]
        if isinstance(keepdims, Constant) and keepdims.value is True:
            return g
        if not isinstance(kind, T.Array) or not isinstance(axis, Constant):
            return None
        if not isinstance(axis.value, int) or rank != len(kind.shape or ()) + 1:
            return None
        place = axis.value % rank
        if place == 0:
            return g
        return self.op(np.expand_dims, g, Constant(place))

    def simpler_pole(self, fn: Callable, x: Any, y: Any) -> Any:
        """Products and quotients that need not look for poles."""
        if fn is runtime.raised:
            power = number(y)
            if isinstance(power, int) and power >= 0:
                return self.op(operator.pow, x, y)
            return None
        if fn is runtime.pole_product:
            if number(y) not in (None, 0):
                return self.op(operator.mul, x, y)
            if number(x) not in (None, 0) or self.is_finite(y):
                return self.op(operator.mul, x, y)
            for fn in (runtime.quotient, operator.truediv):
                quotient = self.made_by(y, fn)
                if quotient is not None and number(quotient[0]) == 1:
                    return self.op(runtime.pole_quotient, x, quotient[1])
            return None
        if self.nonzero_divisors or number(y) not in (None, 0):
            return self.op(operator.truediv, x, y)
        if fn is runtime.quotient and not is_python_number(y):
            return self.op(operator.truediv, x, y)
        return None

    def is_finite(self, partial: Any) -> bool:
        """Whether a partial derivative is finite wherever the function's arguments are."""
        made = self.definition.get(partial) if isinstance(partial, Value) else None
        if made is None:
            return True
        fn = ARITHMETIC.get(made.fn, made.fn)
        if fn is operator.pow:
            power = number(made.args[1])
            return power is not None and power >= 0 and self.is_finite(made.args[0])
        if fn is operator.truediv and self.nonzero_divisors:
            return all(map(self.is_finite, made.args))
        return fn in FINITE and all(map(self.is_finite, made.args))

    def negated(self, x: Any) -> Any:
        inner = self.made_by(x, operator.neg)
        if inner is not None:
            return inner[0]
        product = self.made_by(x, operator.mul)
        if product is not None and number(product[0]) is not None:
            return self.op(operator.mul, Constant(-number(product[0])), product[1])
        return None

    def made_by(self, x: Any, fn: Callable) -> list | None:
        """The arguments of the operation that made `x`, if it is `fn`."""
        definition = self.definition.get(x) if isinstance(x, Value) else None
        if wraps(x):
            return None
        if definition is not None and ARITHMETIC.get(definition.fn, definition.fn) is fn:
            return definition.args
        return None

    def simpler_binary(self, fn: Callable, x: Any, y: Any) -> Any:
        a, b = number(x), number(y)
        if a is not None and b is not None:
            return None
        match fn:
            case operator.mul:
                if a == 1 and not (isinstance(a, float) and is_whole(y)):
                    return y
                if b == 1 and not (isinstance(b, float) and is_whole(x)):
                    return x
                if a == -1 and not (isinstance(a, float) and is_whole(y)):
                    return self.op(operator.neg, y)
                if b == -1 and not (isinstance(b, float) and is_whole(x)):
                    return self.op(operator.neg, x)
                if b is not None and is_number_like(x):
                    return self.op(operator.mul, y, x)
                if wraps(x) or wraps(y):
                    return None
                if a is not None:
                    inner = self.made_by(y, operator.mul)
                    if inner is not None and number(inner[0]) is not None:
                        return self.op(operator.mul, Constant(a * number(inner[0])), inner[1])
                    negative = self.made_by(y, operator.neg)
                    if negative is not None:
                        return self.op(operator.mul, Constant(-a), negative[0])
                inner = self.made_by(y, operator.mul)
                if inner is not None and number(inner[0]) is not None and is_scalar(x):
                    # A number times an array: one product of arrays, not two.
                    return self.op(operator.mul, self.op(operator.mul, inner[0], x), inner[1])
                for p, q in ((x, y), (y, x)):
                    negative = self.made_by(p, operator.neg)
                    if negative is not None:
                        return self.op(operator.neg, self.op(operator.mul, negative[0], q))
                quotient = self.made_by(y, operator.truediv)
                if quotient is not None and number(quotient[0]) == 1:
                    return self.op(operator.truediv, x, quotient[1])
                if quotient is not None and a is not None and number(quotient[0]) is not None:
                    top = Constant(a * number(quotient[0]))
                    return self.op(operator.truediv, top, quotient[1])
                inner = self.made_by(x, operator.mul)
                if inner is not None and number(inner[0]) is not None and b is None:
                    rest = self.op(operator.mul, inner[1], y)
                    return self.op(operator.mul, inner[0], rest)
            case operator.add:
                if a == 0 and is_number_like(y):
                    return y
                if b == 0 and is_number_like(x):
                    return x
                if x is y:
                    return self.op(operator.mul, Constant(2.0), x)
                negative = self.made_by(y, operator.neg)
                if negative is not None:
                    return self.op(operator.sub, x, negative[0])
                negative = self.made_by(x, operator.neg)
                if negative is not None:
                    return self.op(operator.sub, y, negative[0])
            case operator.sub:
                if b == 0 and is_number_like(x):
                    return x
                if a == 0 and is_number_like(y):
                    return self.op(operator.neg, y)
                negative = self.made_by(y, operator.neg)
                if negative is not None:
                    return self.op(operator.add, x, negative[0])
                negative = self.made_by(x, operator.neg)
                if negative is not None and negative[0] is y:
                    return self.op(operator.mul, Constant(-2.0), y)
            case operator.truediv:
                if b == 1 and is_number_like(x):
                    return x
            case operator.pow:
                if b == 1 and is_number_like(x):
                    return x
        return None

    # -- adjoints -----------------------------------------------------------------------------

    def product(self, g: Any, partial: Any, pole: bool) -> Any:
        """`g * partial` for a partial derivative."""
        if pole and number(partial) is None:
            return self.op(runtime.pole_product, g, partial)
        return self.op(operator.mul, g, partial)

    def fitted(self, g: Any, like: Value) -> Any:
        """The adjoint `g` summed down to the shape of `like`, and in its precision."""
        return fit(self, g, like)

    def zeros(self, like: Value) -> Any:
        """A zero adjoint of the shape of `like`."""
        kind = T.target(like.type)
        if isinstance(kind, T.Scalar):
            return ZERO
        if isinstance(kind, T.Array):
            return self.op(np.zeros_like, like)
        return self.op(runtime.zeros_like, like)

    def rule(self, function: Callable, first: list, bound: dict) -> Any:
        """Write the body of a rule: `first` by position (the adjoint), the rest by name."""
        try:
            answer = self.call(parse(function), first, bound)
            if self.dead:
                raise self.refused(function)
            return answer
        except errors.AdcompilerError:
            raise
        except (TypeError, ValueError) as error:
            raise errors.RuleError(
                f"the rule `{function.__name__}` cannot be applied here",
                reason=str(error),
                position=self.position(),
            ) from error

    def refused(self, function: Callable) -> errors.DifferentiationError:
        """What a rule says by `raise`."""
        raised = self.block.statements[-2] if len(self.block.statements) > 1 else None
        reason = "its rule does not cover these arguments"
        if isinstance(raised, Op) and raised.args and isinstance(raised.args[0], Constant):
            reason = str(raised.args[0].value)
        return errors.DifferentiationError(
            f"`{function.__name__}` with these arguments",
            reason=reason,
            remedy="write the operation in other terms",
            position=self.position(),
        )


def rank(operand: Any) -> int | None:
    """The number of axes of an array, if it is known."""
    kind = type_of(operand)
    return len(kind.shape) if isinstance(kind, T.Array) and kind.shape is not None else None


def is_whole(operand: Any) -> bool:
    """Whether it holds integers or booleans: 1.0 times that is of another kind."""
    kind = type_of(operand)
    return isinstance(kind, (T.Scalar, T.Array)) and kind.kind in ("int", "bool")


def wraps(operand: Any) -> bool:
    """Whether it holds integers of less than 64 bits, whose sums are not those of numbers."""
    return is_whole(operand) and type_of(operand).dtype not in (None, "int64")


def is_scalar(operand: Any) -> bool:
    return isinstance(type_of(operand), T.Scalar)


def is_number_like(operand: Any) -> bool:
    return isinstance(type_of(operand), (T.Scalar, T.Array))


def fit(builder: Resolver, g: Any, like: Value) -> Any:
    """`g` as an adjoint of `like`: `unbroadcast` where the types do not show that it fits."""
    mine, wanted = type_of(g), T.target(like.type)
    both = (T.Scalar, T.Array)
    if isinstance(mine, both) and isinstance(wanted, both):
        if mine.kind == "complex" and wanted.kind == "float":
            g = builder.op(np.real, g)
            mine = type_of(g)
    if isinstance(wanted, T.Scalar) and isinstance(mine, T.Scalar):
        if wanted.kind == "float" and mine.kind != "complex":
            narrower = wanted.dtype not in (None, "float64") and mine.dtype != wanted.dtype
            if not narrower:
                return g
    if isinstance(wanted, T.Array) and isinstance(mine, T.Array):
        if mine.shape is not None and mine.shape == wanted.shape and mine.dtype == wanted.dtype:
            return g
        if wanted.shape is not None and mine.shape is not None:
            axes = [k - (len(mine.shape) - len(wanted.shape)) for k in range(len(mine.shape))]
            extra = tuple(k for k, at in enumerate(axes) if at < 0)
            unit = tuple(
                k
                for k, at in enumerate(axes)
                if at >= 0 and wanted.shape[at].constant == 1 and mine.shape[k].constant != 1
            )
            # A length that is not 1 was not broadcast: it is that of the result.
            rest = all(
                at < 0
                or k in unit
                or mine.shape[k] == wanted.shape[at]
                or never_one(wanted.shape[at])
                for k, at in enumerate(axes)
            )
            if rest and not extra and not unit and mine.dtype == wanted.dtype:
                return g
            if rest and mine.dtype == wanted.dtype and bool(extra) != bool(unit):
                if extra:
                    axis: Any = extra[0] if len(extra) == 1 else extra
                    return builder.op(np.sum, g, axis=Constant(axis))
                axis = unit[0] if len(unit) == 1 else unit
                return builder.op(np.sum, g, axis=Constant(axis), keepdims=Constant(True))
    if isinstance(wanted, T.Scalar) and isinstance(mine, T.Array) and wanted.kind == "float":
        if mine.kind == "float" and wanted.dtype in (None, "float64"):
            return builder.op(np.sum, g)
    out = builder.value(wanted)
    builder.add(Op(runtime.unbroadcast, [g, like], {}, [out]))
    return out


def split_call(op: Op) -> tuple[Any, list, dict]:
    """The operation under its one name: attributes such as `.T` as functions."""
    if op.fn is getattr and isinstance(op.args[1], Constant):
        name = op.args[1].value
        known = {"T": np.transpose, "real": np.real, "imag": np.imag}
        if name in known:
            return known[name], [op.args[0]], {}
    return IN_PLACE.get(op.fn, op.fn), op.args, op.keywords


def bind_rule(op: Op) -> tuple[book.Rule, dict[str, Any]]:
    """The rule of an operation and its arguments by the rule's names."""
    fn, args, keywords = split_call(op)
    rule = book.lookup(fn)
    assert rule is not None
    position = op.origin.position if op.origin else None
    name = getattr(fn, "__name__", "call")
    try:
        bound = book.bind(fn, args, keywords, numpy_calls.static)
    except book.UnboundKeyword as error:
        raise errors.DifferentiationError(
            f"`{name}` with `{error.name}=`",
            reason="its derivative rule does not know this argument",
            remedy="write the same with other functions, or register a rule that names it",
            position=position,
        ) from None
    except TypeError as error:
        raise errors.DifferentiationError(
            f"call of `{name}`",
            reason=str(error),
            remedy="give its arguments as NumPy documents",
            position=position,
        ) from None
    return rule, bound


__all__ = ["Builder", "ONE", "ZERO", "bind_rule", "dimension", "fit", "split_call"]
