"""Are two places in memory different for certain?

Two places of one array meet if some item lies in both: an index equals the other, or lies in the
other's slice.  With the bounds of all loops around, that is a system of inequalities between
integers (Banerjee, *Dependence Analysis*, 1997): if it has no solution, the places are apart.

Indices are taken apart into sums of values.  A value that is made in a loop is another one in
another trip, so each place has variables of its own, but for what both have in common.  Whatever is
not understood (an array of indices, an index that might be negative) adds no constraint, which errs
on the side of a meeting.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompiler.analysis.inequalities import Sum, combined, impossible
from adcompiler.analysis.sweep import Sweep
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    Constant,
    Loop,
    Op,
    Operand,
    Path,
    Pop,
    Slice,
    Store,
    Value,
    View,
    dimension,
    is_none,
)

SUMS: dict[Callable, int] = {
    operator.add: 1, operator.iadd: 1, np.add: 1,
    operator.sub: -1, operator.isub: -1, np.subtract: -1,
}  # fmt: skip
PRODUCTS = (operator.mul, operator.imul, np.multiply)
QUOTIENTS = (operator.floordiv, operator.ifloordiv, np.floor_divide)
REMAINDERS = (operator.mod, operator.imod, np.remainder, np.mod)


@dataclass(slots=True)
class Span:
    """The indices of a place along one axis: at least each of `low`, at most each of `high`."""

    low: list[Sum] = field(default_factory=list)
    high: list[Sum] = field(default_factory=list)
    step: int = 1
    """Of a slice: how far apart two neighbours are."""
    is_index: bool = False


class Places:
    """Compares places that a sweep names."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.known: dict[Any, tuple[bool, Any]] = {}
        """The answers, each with the paths that were compared: identities serve as the key."""
        self.signs: dict[Any, bool] = {}
        """Which sums of values may be negative."""

    def apart(
        self,
        store: Any,
        ref: Value,
        path: Path | None,
        shared: list[Block],
        loop: Loop | None = None,
        trips: int = 0,
    ) -> bool:
        """Whether a store writes another place than a path names, in all its trips.

        What is defined in the `shared` blocks is the same for both; with a loop, the store runs any
        number of `trips` of it after (1) or before (-1).
        """
        if path is None or not isinstance(store, (Store, Accumulate)):
            return False
        if isinstance(T.target(ref.type), T.List) and self.is_shifted(ref):
            return False
        key = (store, store.ref, id(store.path), ref, id(path), tuple(map(id, shared)), loop, trips)
        if key not in self.known:
            answer = _Question(self, shared).apart(store, ref, path, loop, trips)
            self.known[key] = answer, (store.path, path)
        return self.known[key][0]

    def is_shifted(self, ref: Value) -> bool:
        """Whether items of a list may change places: one index then names several."""
        changes = self.sweep.mutations.get(self.sweep.classes[ref], ())
        return any(isinstance(s, (Append, Pop)) and s.at is not None for s in changes)


class _Question:
    """One comparison.  Variables are `(value, side)`: 0 for the store, 1 for the other place, None
    for what both have in common."""

    def __init__(self, places: Places, shared: list[Block]) -> None:
        self.sweep = places.sweep
        self.signs = places.signs
        self.shared = set(map(id, shared))

    def apart(self, store: Any, ref: Value, path: Path, loop: Loop | None, trips: int) -> bool:
        for base, written in self.spans(store.ref, store.path, 0):
            for other, read in self.spans(ref, path, 1):
                if base is other and id(self.sweep.home[base]) in self.shared:
                    meeting = [
                        combined(high, low, -1)
                        for a, b in zip(written, read, strict=False)
                        for one, two in ((a, b), (b, a))
                        for high in one.high
                        for low in two.low
                    ]
                    if meeting and self.impossible(meeting + self.later(loop, trips)):
                        return True
        return False

    def later(self, loop: Loop | None, trips: int) -> list[Sum]:
        """That the store runs some trips of a loop after (before) the other place."""
        if loop is None or loop.domain is None:
            return []
        assert loop.index is not None
        step = self.constant(loop.domain.step)
        if not step:
            return []
        direction = trips * (1 if step > 0 else -1) * (-1 if loop.domain.reverse else 1)
        indices = [self.affine(loop.index, side) for side in (0, 1)]
        difference = combined(indices[0], indices[1], -1)
        return [combined({None: -abs(step)}, difference, direction)]

    # -- places -------------------------------------------------------------------------------

    def spans(self, ref: Value, path: Path, side: int) -> Iterator[tuple[Value, list[Span]]]:
        """An array and the place in it; then the array of which that one is a view, and so on."""
        here = self.axes(ref, path, side)
        yield ref, here
        made = self.sweep.made.get(ref)
        while isinstance(made, View) and made.fn is operator.getitem:
            ref, path = made.ref, made.args[0]
            here = within(self.axes(ref, path, side), here, len(path))
            yield ref, here
            made = self.sweep.made.get(ref)

    def axes(self, ref: Value, path: Path, side: int) -> list[Span]:
        """The spans of the leading axes, up to the first that is not understood."""
        found = []
        for axis, item in enumerate(path):
            length = self.length(ref, axis)
            if isinstance(item, Slice):
                step = 1 if is_none(item.step) else self.constant(item.step)
                if step is None or step <= 0:
                    found.append(Span(low=[{None: 0}], step=0))
                    continue
                span = Span(low=[{None: 0}], step=step)
                start = {None: 0} if is_none(item.start) else self.place(item.start, length, side)
                if start is not None:
                    span.low = [start]
                if start is None or self.may_be_negative(start):
                    span.step = 0  # where a view of it begins is not known
                stop = None if is_none(item.stop) else self.place(item.stop, length, side)
                if stop is not None:
                    span.high = [combined(stop, {None: 1}, -1)]
                found.append(span)
            elif isinstance(type_of(item), T.Scalar) and type_of(item).kind == "int":
                index = self.place(item, length, side)
                sums = [] if index is None else [index]
                found.append(Span(low=sums, high=sums, step=0, is_index=True))
            else:
                break  # an array of indices, a mask, None or `...`
        return found

    def place(self, item: Operand, length: Sum | None, side: int) -> Sum | None:
        """An index as counted from the front, None if it may be counted from the end."""
        index = self.affine(item, side)
        if index is None:
            return None
        if index.keys() <= {None} and index.get(None, 0) < 0:
            return None if length is None else combined(length, index, 1)
        return None if self.may_be_negative(index) else index

    def may_be_negative(self, index: Sum) -> bool:
        # All its variables are those of one side, so it does not matter of which.
        key = frozenset((k and k[0], factor) for k, factor in index.items())
        if key not in self.signs:
            self.signs[key] = not self.impossible([combined({None: -1}, index, -1)])
        return self.signs[key]

    def length(self, ref: Value, axis: int) -> Sum | None:
        kind = T.target(ref.type)
        if isinstance(kind, T.Array) and kind.shape is not None and axis < len(kind.shape):
            return of_lengths(kind.shape[axis])
        return None

    # -- integers -----------------------------------------------------------------------------

    def constant(self, operand: Operand) -> int | None:
        total = self.affine(operand, 0)
        return total[None] if total is not None and total.keys() == {None} else None

    def affine(self, operand: Operand, side: int) -> Sum | None:
        """An integer as a sum of variables and a constant; None if it is no integer."""
        operand = self.sweep.final(operand)
        kind = type_of(operand)
        if not (isinstance(kind, T.Scalar) and kind.kind == "int"):
            return None
        if isinstance(operand, Constant):
            return {None: int(operand.value)}
        made = self.arithmetic(operand)
        if made is not None and len(made.args) == 2 and (made.fn in SUMS or made.fn in PRODUCTS):
            one, two = (self.affine(arg, side) for arg in made.args)
            if one is not None and two is not None:
                if made.fn in SUMS:
                    return combined(one, two, SUMS[made.fn])
                for factor, other in ((one, two), (two, one)):
                    if factor.keys() == {None}:
                        return {k: f * factor[None] for k, f in other.items()}
        lengths = of_lengths(kind.dim)
        if lengths is not None:
            return lengths
        loop = self.sweep.loop_of.get(operand)
        if loop is not None and loop.domain is not None:
            step = self.constant(loop.domain.step)
            start = self.affine(loop.domain.start, side)
            if step is not None and abs(step) > 1 and start is not None:
                # `start + step * trip`: so the remainder of the index by the step is known.
                return combined(start, {self.key(operand, side): 1, None: 0}, step)
        return {self.key(operand, side): 1, None: 0}

    def arithmetic(self, value: Value) -> Op | None:
        """What computes an integer that does not wrap around."""
        made = self.sweep.made.get(value)
        if isinstance(made, Op) and not made.keywords and value.type.dtype in (None, "int64"):
            return made
        return None

    def key(self, value: Value, side: int) -> Any:
        """The variable of a value: one for both places if it is defined in a shared block."""
        home = self.sweep.home.get(value)
        return (value, None if home is not None and id(home) in self.shared else side)

    def impossible(self, constraints: list[Sum]) -> bool:
        """Whether the constraints contradict each other, or what is known of their variables."""
        everything = list(constraints)
        seen: set = {None}
        new = {k for constraint in constraints for k in constraint} - seen
        while new:
            seen |= new
            bounds = [bound for variable in new for bound in self.bounds(variable)]
            everything += bounds
            new = {k for bound in bounds for k in bound} - seen
        return impossible(everything)

    def bounds(self, variable: Any) -> Iterator[Sum]:
        """What is known of a variable, as sums that are at least 0."""
        value, side = variable
        if not isinstance(value, Value):
            yield {variable: 1}  # a length
            return
        one_side = 0 if side is None else side
        loop = self.sweep.loop_of.get(value)
        made = self.arithmetic(value)
        if loop is not None and loop.domain is not None:
            yield from self.trip_bounds(value, variable, loop, one_side)
        elif made is None:
            return
        elif made.fn in (dimension, len):
            yield {variable: 1}
        elif made.fn in (min, max) and len(made.args) > 1:
            sign = 1 if made.fn is max else -1
            for arg in made.args:
                total = self.affine(arg, one_side)
                if total is not None:  # max(a, b) - a >= 0
                    difference = combined({variable: 1, None: 0}, total, -1)
                    yield {k: sign * f for k, f in difference.items()}
        elif made.fn in (*QUOTIENTS, *REMAINDERS) and len(made.args) == 2:
            divisor = self.constant(made.args[1])
            total = self.affine(made.args[0], one_side)
            if divisor is not None and divisor > 0:
                if made.fn in REMAINDERS:
                    yield {variable: 1}
                    yield {variable: -1, None: divisor - 1}
                elif total is not None:  # 0 <= a - d * (a // d) <= d - 1
                    rest = combined(total, {variable: 1}, -divisor)
                    yield rest
                    yield combined({None: divisor - 1}, rest, -1)

    def trip_bounds(self, value: Value, variable: Any, loop: Loop, side: int) -> Iterator[Sum]:
        """That a loop's index lies in its range."""
        assert loop.domain is not None
        step = self.constant(loop.domain.step)
        if not step:
            return
        sign = 1 if step > 0 else -1
        start = self.affine(loop.domain.start, side)
        stop = self.affine(loop.domain.stop, side)
        index = self.affine(value, side)
        assert index is not None
        if abs(step) > 1 and start is not None:
            yield {variable: 1}  # counts the trips
        elif start is not None:
            yield {k: sign * f for k, f in combined(index, start, -1).items()}
        if stop is not None:
            left = {k: sign * f for k, f in combined(stop, index, -1).items()}
            yield combined(left, {None: 1}, -1)


def within(outer: list[Span], inner: list[Span], named: int) -> list[Span]:
    """The spans in an array of a place in its view, which `outer` gives for `named` axes."""
    found = []
    rest = list(inner)
    for span in outer:
        if span.is_index or not rest:
            found.append(span)
            continue
        inside = rest.pop(0)
        if not span.step or len(span.low) != 1:
            found.append(Span(low=list(span.low), high=list(span.high), step=0))
            continue
        first = span.low[0]
        found.append(
            Span(
                low=[combined(first, low, span.step) for low in inside.low] or [first],
                high=[*(combined(first, high, span.step) for high in inside.high), *span.high],
                step=span.step * inside.step,
                is_index=inside.is_index,
            )
        )
    return found + rest if len(outer) == named else found


def of_lengths(dim: T.Dim | None) -> Sum | None:
    """A dim as a sum of the arguments' lengths; None if it is of anything else."""
    if dim is None or not all(isinstance(a, tuple) and a[0] == "len" for a, _ in dim.terms):
        return None
    return {**{(atom, None): factor for atom, factor in dim.terms}, None: dim.const}
