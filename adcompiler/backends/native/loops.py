"""Writing loops: a `Writer` adds scalar statements and loops to the block that is open."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from adcompiler.ir import types as T
from adcompiler.ir.nodes import (
    Accumulate,
    Block,
    Constant,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Origin,
    Raise,
    Range,
    Statement,
    Store,
    Value,
    dimension,
)

ZERO, ONE = Constant(0), Constant(1)

Index = Sequence[Operand]


def number(operand: Operand) -> int | None:
    """The integer that an operand is, if it is known now."""
    if isinstance(operand, Constant) and type(operand.value) is int:
        return operand.value
    return None


def element_type(dtype: str) -> T.Scalar:
    """The type of one element of an array."""
    return T.Scalar(T.kind_of(dtype), dtype)


class Writer:
    """Adds statements to a block; `origin` is the user's statement that they come from."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.origin: Origin | None = None
        self.prelude: list[Statement] = []
        """What is computed at the head of the function: lengths."""
        self.lengths: dict[T.Dim, Operand] = {}
        """Lengths that are known everywhere."""
        self.local: dict[T.Dim, Operand] = {}
        """Lengths that are known in the open block."""

    # -- statements ---------------------------------------------------------------------------

    def add(self, statement: Statement) -> None:
        statement.origin = self.origin
        self.block.statements.append(statement)

    def op(self, fn: Callable, args: list[Operand], type: Any, name: str | None = None) -> Value:
        out = Value(name, type)
        self.add(Op(fn, args, {}, [out]))
        return out

    def load(self, ref: Value, index: Index, type: Any, name: str | None = None) -> Value:
        out = Value(name, type)
        self.add(Load(ref, tuple(index), out))
        return out

    def store(self, ref: Value, index: Index, value: Operand) -> None:
        self.add(Store(ref, tuple(index), value))

    def accumulate(self, ref: Value, index: Index, value: Operand) -> None:
        self.add(Accumulate(ref, tuple(index), value))

    def refuse(self, test: Operand, exception: type[Exception]) -> None:
        """Raise if the test holds."""
        arm = Block()
        arm.statements.append(Raise(Constant(exception, exception.__name__), origin=self.origin))
        self.add(If(test, arm, Block(), []))

    def choose(
        self, test: Operand, then: Callable[[], Operand], orelse: Callable[[], Operand], type: Any
    ) -> Value:
        """`then() if test else orelse()`."""
        arms = []
        for make in (then, orelse):
            with self.inside(Block()) as arm:
                arm.results = [make()]
            arms.append(arm)
        out = Value(None, type)
        self.add(If(test, arms[0], arms[1], [out]))
        return out

    # -- integers -----------------------------------------------------------------------------

    def plus(self, a: Operand, b: Operand) -> Operand:
        x, y = number(a), number(b)
        if x is not None and y is not None:
            return Constant(x + y)
        if x == 0:
            return b
        if y == 0:
            return a
        if y is not None and y < 0:
            return self.op(operator.sub, [a, Constant(-y)], T.INT)
        if x is not None:
            a, b = b, a
        return self.op(operator.add, [a, b], T.INT)

    def minus(self, a: Operand, b: Operand) -> Operand:
        x, y = number(a), number(b)
        if x is not None and y is not None:
            return Constant(x - y)
        return a if y == 0 else self.op(operator.sub, [a, b], T.INT)

    def times(self, a: Operand, b: Operand) -> Operand:
        x, y = number(a), number(b)
        if x is not None and y is not None:
            return Constant(x * y)
        if x == 0 or y == 0:
            return ZERO
        if x == 1:
            return b
        if y == 1:
            return a
        return self.op(operator.mul, [a, b], T.INT)

    def length(self, dim: T.Dim) -> Operand | None:
        """The length as an operand, if it follows from lengths that are known here."""
        if dim.constant is not None:
            return Constant(dim.constant)
        found = self.lengths.get(dim, self.local.get(dim))
        if found is not None:
            return found
        atoms = [atom for atom, _ in dim.terms]
        if all(self._follows(atom, self.lengths) for atom in atoms):
            outer, self.block, origin = self.block, Block(), self.origin
            self.origin = None
            self.lengths[dim] = self._sum(dim, self.lengths)
            self.prelude += self.block.statements
            self.block, self.origin = outer, origin
            return self.lengths[dim]
        known = {**self.lengths, **self.local}
        if all(self._follows(atom, known) for atom in atoms):
            self.local[dim] = self._sum(dim, known)
            return self.local[dim]
        return None

    def _follows(self, atom: Any, known: dict[T.Dim, Operand]) -> bool:
        if T.symbol(atom) in known:
            return True
        match atom:
            case ("pos", T.Dim() as inner):
                return all(self._follows(part, known) for part, _ in inner.terms)
        return False

    def _sum(self, dim: T.Dim, known: dict[T.Dim, Operand]) -> Operand:
        """Write the length down, as a sum of known ones."""
        total: Operand = ZERO
        for atom, coefficient in dim.terms:
            part = known.get(T.symbol(atom))
            if part is None:  # max(0, ...)
                part = self.op(builtins.max, [self._sum(atom[1], known), ZERO], T.INT)
            total = self.plus(total, self.times(Constant(coefficient), part))
        return self.plus(total, Constant(dim.const))

    def note_length(self, dim: T.Dim | None, operand: Operand) -> None:
        """From here to the end of the block, the operand is that length."""
        if dim is not None and dim.terms:
            self.local.setdefault(dim, operand)

    def dimension(self, ref: Value, axis: int) -> Operand:
        """The length of an axis of memory: asked of the array where no argument tells."""
        type = T.target(ref.type)
        known = self.length(type.shape[axis])
        return self.op(dimension, [ref, Constant(axis)], T.INT) if known is None else known

    # -- loops --------------------------------------------------------------------------------

    @contextmanager
    def inside(self, block: Block) -> Iterator[Block]:
        outer, self.block = self.block, block
        local, self.local = self.local, dict(self.local)
        try:
            yield block
        finally:
            self.block, self.local = outer, local

    @contextmanager
    def loop(self, length: Operand) -> Iterator[Operand]:
        """A loop over an axis; no loop over one of length 1."""
        if number(length) == 1:
            yield ZERO
            return
        index = Value(None, T.INT)
        body = Block([index])
        with self.inside(body):
            yield index
        self.add(Loop(Range(ZERO, length, ONE), [], body, []))

    def nest(self, lengths: Sequence[Operand], body: Callable[[list[Operand]], None]) -> None:
        """Loops in loops, the last axis innermost."""
        if not lengths:
            body([])
            return
        with self.loop(lengths[0]) as index:
            self.nest(lengths[1:], lambda rest: body([index, *rest]))

    def fold(
        self,
        lengths: Sequence[Operand],
        start: Operand,
        step: Callable[[Operand, list[Operand]], Operand],
        type: Any,
        name: str | None = None,
    ) -> Operand:
        """A number that is carried through the nest: `carried = step(carried, index)`."""
        if not lengths:
            return step(start, [])
        index, carried, out = Value(None, T.INT), Value(name, type), Value(name, type)
        body = Block([index, carried])
        with self.inside(body):
            after = self.fold(
                lengths[1:],
                carried,
                lambda value, rest: step(value, [index, *rest]),
                type,
                name,
            )
            body.results = [after]
        self.add(Loop(Range(ZERO, lengths[0], ONE), [start], body, [out]))
        return out

    # -- memory -------------------------------------------------------------------------------

    def empty(self, lengths: Sequence[Operand], type: T.Array, name: str | None) -> Value:
        """Fresh memory."""
        shape: Operand = lengths[0] if len(lengths) == 1 else tuple(lengths)
        space = Value(None, type)
        words = {}
        if type.dtype != "float64":
            words["dtype"] = Constant(np.dtype(type.dtype).type)
        self.add(Op(np.empty, [shape], words, [space]))
        ref = Value(name, T.Ref(type))
        self.add(New(space, ref))
        return ref
