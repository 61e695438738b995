"""Scalar operations in loops: of Python's numbers, of NumPy's, and of single elements of arrays.

Arrays have infinities where Python's numbers raise, and Python's integers do not overflow; so
operations of Python's numbers are checked where that could make a difference.  What a check finds
is never shown: the NumPy backend answers such a call.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.backends.native import elements
from adcompiler.backends.native.loops import Writer, number
from adcompiler.backends.native.tables import (
    ARITHMETIC,
    COMPARISONS,
    HELPERS,
    IDENTITIES,
    OF_MATH,
    SAME,
    TESTS,
    UFUNCS,
)
from adcompiler.backends.native.unsupported import Unsupported, described
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.interpret import OUT_OF_PLACE
from adcompiler.ir.nodes import Constant, If, Loop, Op, Operand, Range, Value, walk

LENGTH, COUNTER, WHOLE = 40, 50, 62
"""Binary digits of a length, of what counts trips, and of any machine integer."""


class Sizes:
    """How large an integer can be, in binary digits: what can overflow is checked."""

    def __init__(self) -> None:
        self.known: dict[Value, int] = {}

    def of(self, operand: Operand) -> int:
        if isinstance(operand, Constant):
            value = operand.value
            return int(value).bit_length() if isinstance(value, int) else WHOLE
        return self.known.get(operand, LENGTH)

    def note(self, value: Operand, size: int) -> None:
        if isinstance(value, Value):
            self.known[value] = min(size, WHOLE)


class Spans:
    """Where integers lie: from a constant up to, but not with, lengths.

    An index of which that is known to be inside its array needs no check.
    """

    def __init__(self) -> None:
        self.known: dict[Value, tuple[int, list[T.Dim]]] = {}

    def loop(self, index: Value, domain: Range) -> None:
        """The index of a loop over a range."""
        step = number(domain.step)
        low, high = domain.start, domain.stop
        if step is None:
            return
        if step < 0:
            low, high = high, low
        least = self.least(low)
        if least is None:
            return
        ends = [self.dim(high)] + [end - 1 for end in self.ends(high)]
        if step < 0:
            least, ends = least + 1, [end and end + 1 for end in ends]
        self.known[index] = (least, [end for end in ends if end is not None])

    def moved(self, found: Operand, operand: Operand, by: int) -> None:
        """`found` is the operand plus a constant."""
        if isinstance(found, Value) and operand in self.known:
            least, ends = self.known[operand]
            self.known[found] = (least + by, [end + by for end in ends])

    def least(self, operand: Operand) -> int | None:
        constant = number(operand)
        if constant is not None:
            return constant
        if operand in self.known:
            return self.known[operand][0]
        dim = self.dim(operand)
        if dim is None:
            return None
        for atom, coefficient in dim.terms:
            if coefficient < 0 or not isinstance(atom, tuple) or atom[0] not in ("len", "pos"):
                return None
        return dim.const

    def ends(self, operand: Operand) -> list[T.Dim]:
        return self.known[operand][1] if operand in self.known else []

    def dim(self, operand: Operand) -> T.Dim | None:
        constant = number(operand)
        if constant is not None:
            return T.as_dim(constant)
        return getattr(operand.type, "dim", None) if isinstance(operand, Value) else None

    def is_inside(self, index: Operand, length: Operand, dim: T.Dim | None) -> bool:
        """Whether the index is certainly one of an axis."""
        constant, n = number(index), number(length)
        if constant is not None and n is not None:
            return -n <= constant < n
        least = self.least(index)
        if least is None or least < 0:
            return False
        own = self.dim(index)
        ends = self.ends(index) + ([own + 1] if own is not None else [])
        limits = [] if dim is None else [dim]
        match dim.atom if dim is not None else None:
            case ("pos", T.Dim() as inner):
                limits.append(inner)
        gaps = [limit - end for limit in limits for end in ends]
        return any(gap.constant is not None and gap.constant >= 0 for gap in gaps)


def counters(loop: Loop) -> list[bool]:
    """Which carried values only count: they change by a small constant on a trip."""
    makers: dict[Value, Any] = {}
    for statement in walk(loop.body):
        for out in getattr(statement, "outs", ()):
            makers[out] = statement
    return [
        _counts(after, param, makers) for param, after in zip(loop.carried, loop.next, strict=True)
    ]


def _counts(operand: Operand, param: Value, makers: dict[Value, Any]) -> bool:
    if operand is param:
        return True
    small = number(operand)
    if small is not None:
        return abs(small) < 1 << 20
    match makers.get(operand):
        case Op(fn=operator.add | operator.sub | operator.iadd | operator.isub, args=[a, b]):
            by = number(b)
            return by is not None and abs(by) < 1 << 10 and _counts(a, param, makers)
        case If(then=then, orelse=orelse, outs=outs):
            k = outs.index(operand)
            return all(_counts(arm.results[k], param, makers) for arm in (then, orelse))
    return False


def is_numpy(operand: Operand) -> bool:
    """Whether the operand is certainly one of NumPy's numbers, not of Python's."""
    if isinstance(operand, Value):
        return isinstance(operand.type, T.Scalar) and operand.type.dtype is not None
    return isinstance(operand, Constant) and isinstance(operand.value, np.generic)


def kind(operand: Operand) -> str:
    type = type_of(operand)
    if isinstance(type, T.Array) and type.shape == ():
        return type.kind
    if not isinstance(type, T.Scalar):
        raise Unsupported(f"an operand of type {_shown(type)}")
    return type.kind


def _shown(type: Any) -> str:
    return "unknown" if isinstance(type, T.Unknown) else str(type)


class Numbers:
    """Writes scalar operations."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.sizes = Sizes()
        self.spans = Spans()

    def compute(
        self,
        fn: Callable,
        args: list[Operand],
        type: T.Scalar,
        name: str | None = None,
        of_array: bool = False,
    ) -> Operand:
        """`fn(*args)`; `of_array`: an element of an operation of arrays."""
        fn = SAME.get(fn, fn)
        plain = OUT_OF_PLACE.get(fn, fn)
        kinds = [kind(arg) for arg in args]
        if "complex" in kinds:
            raise Unsupported("complex numbers")
        if any(getattr(type_of(arg), "dtype", None) == "float32" for arg in args):
            raise Unsupported("float32")
        numpy = of_array or any(map(is_numpy, args))
        write = self.writer.op
        if plain in ARITHMETIC:
            if kinds == ["bool", "bool"] and numpy:
                raise Unsupported(f"{described(plain)} of truth values")
            if type.kind == "int" and not numpy:
                return self.integer(fn, plain, args, type, name)
            return write(fn, args, type, name)
        if plain in COMPARISONS or plain in TESTS or fn in UFUNCS:
            return write(fn, args, type, name)
        if plain in IDENTITIES:
            return args[0]
        if fn in HELPERS:
            return write(HELPERS[fn], args, type, name)
        if fn in OF_MATH:
            return write(elements.finite, [write(fn, args, T.FLOAT)], type, name)
        return self.special(fn, plain, args, kinds, type, name, numpy)

    def special(
        self,
        fn: Callable,
        plain: Callable,
        args: list[Operand],
        kinds: list[str],
        type: T.Scalar,
        name: str | None,
        numpy: bool,
    ) -> Operand:
        write = self.writer.op
        if plain in _DIVISIONS:
            by = args[1]
            nonzero = isinstance(by, Constant) and by.value != 0
            if not numpy and not nonzero:
                fn = _DIVISIONS[plain]
            found = write(fn, args, type, name)
            self.sizes.note(found, self.sizes.of(args[0]))
            return found
        if plain is operator.neg or plain is operator.abs or plain is operator.not_:
            if kinds == ["bool"] and plain is not operator.not_:
                raise Unsupported(f"{described(plain)} of a truth value")
            found = write(fn, args, type, name)
            self.sizes.note(found, self.sizes.of(args[0]))
            return found
        if plain in (operator.and_, operator.or_, operator.xor) and set(kinds) <= {"bool"}:
            return write(_LOGIC[plain], args, type, name)
        if plain in _LOGIC and set(kinds) == {"int"} and not numpy:
            found = write(plain, args, type, name)
            self.sizes.note(found, max(map(self.sizes.of, args)))
            return found
        if plain is operator.invert and kinds == ["bool"] and numpy:
            return write(np.logical_not, args, type, name)
        if plain is operator.truth or fn is builtins.bool:
            return write(operator.ne, [args[0], Constant(0)], type, name)
        if plain is operator.pow or fn is runtime.raised or fn is np.float_power:
            return self.power(fn, args, kinds, type, name, numpy)
        if fn is np.square:
            return write(operator.mul, [args[0], args[0]], type, name)
        if fn is np.reciprocal and kinds == ["float"]:
            return write(operator.truediv, [Constant(1.0), args[0]], type, name)
        if fn is np.clip and len(args) == 3:
            low = write(np.maximum, args[:2], type)
            return write(np.minimum, [low, args[2]], type, name)
        if fn is np.iscomplexobj:
            return Constant(False)
        if fn is np.where and len(args) == 3:
            then, orelse = (_as_kind(arg, type.kind) for arg in args[1:])
            return self.writer.choose(args[0], lambda: then, lambda: orelse, type)
        if fn in (builtins.max, builtins.min) and len(args) == 2:
            # As Python has it: the first of what compares equal, or does not compare.
            # The 3 of `max(x, 3)` becomes 3.0, as a loop has one kind for a number.
            args = [_as_kind(arg, type.kind) for arg in args]
            if {type_of(arg).kind for arg in args} != {type.kind}:
                raise Unsupported(f"{described(fn)} of numbers of different kinds")
            test = operator.gt if fn is builtins.max else operator.lt
            taken = write(test, [args[1], args[0]], T.BOOL)
            found = self.writer.choose(taken, lambda: args[1], lambda: args[0], type)
            self.sizes.note(found, max(map(self.sizes.of, args)))
            return found
        if fn is builtins.float or fn is np.float64:
            return write(builtins.float, args, type, name)
        if fn is builtins.int:
            found = write(elements.whole, args, type, name)
            self.sizes.note(found, WHOLE)
            return found
        raise Unsupported(described(fn))

    def integer(
        self, fn: Callable, plain: Callable, args: list[Operand], type: T.Scalar, name: str | None
    ) -> Operand:
        """A sum, difference or product of Python's integers: checked where it could overflow."""
        sizes = [self.sizes.of(arg) for arg in args]
        size = sum(sizes) if plain is operator.mul else max(sizes) + 1
        if any(s == COUNTER for s in sizes) and size == COUNTER + 1:
            size = COUNTER  # not on every trip
        if size > WHOLE:
            fn = _EXACT[plain]
        found = self.writer.op(fn, args, type, name)
        self.sizes.note(found, size)
        by = number(args[1])
        if by is not None and plain in (operator.add, operator.sub):
            self.spans.moved(found, args[0], by if plain is operator.add else -by)
        return found

    def power(
        self,
        fn: Callable,
        args: list[Operand],
        kinds: list[str],
        type: T.Scalar,
        name: str | None,
        numpy: bool,
    ) -> Operand:
        base, exponent = args
        write = self.writer.op
        k = number(exponent)
        if type.kind == "int":
            if numpy and (k is None or k < 0):
                raise Unsupported("a power of integers")
            found = write(operator.pow if numpy else elements.exact_power, args, type, name)
            self.sizes.note(found, WHOLE)
            return found
        if kinds[0] != "float":
            base = write(builtins.float, [base], T.FLOAT)
        if kinds[1] != "float" and (k is None or not -4 <= k <= 4):
            exponent = write(builtins.float, [exponent], T.FLOAT)
            if k is not None:
                exponent = Constant(float(k))
        if numpy or fn is runtime.raised or fn is np.float_power:
            operate = operator.pow if k is not None and 0 <= k <= 4 else np.power
            return write(operate, [base, exponent], type, name)
        return write(elements.finite, [write(operator.pow, [base, exponent], T.FLOAT)], type, name)


_DIVISIONS: dict[Callable, Callable] = {
    operator.truediv: elements.divided,
    operator.floordiv: elements.floor_divided,
    operator.mod: elements.remainder,
}
_EXACT: dict[Callable, Callable] = {
    operator.add: elements.exact_sum,
    operator.sub: elements.exact_difference,
    operator.mul: elements.exact_product,
}
_LOGIC: dict[Callable, Callable] = {
    operator.and_: np.logical_and,
    operator.or_: np.logical_or,
    operator.xor: np.logical_xor,
}


def _as_kind(operand: Operand, wanted: str) -> Operand:
    """A constant as a number of that kind: the two sides of a choice must be of one."""
    if wanted == "float" and isinstance(operand, Constant) and isinstance(operand.value, int):
        return Constant(float(operand.value))
    return operand
