"""Are two places in memory different for certain?

Places are compared by their indices, which are taken apart into sums of values: `i - 1` and `i`,
`0` and an index that begins at 1, `k` of this trip and `k + 1` of a later one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adcompiler.analysis.sweep import Sweep
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Block,
    Constant,
    Loop,
    Op,
    Operand,
    Path,
    Slice,
    Store,
    Value,
    View,
    dimension,
)

SUMS: dict[Callable, int] = {
    operator.add: 1, operator.iadd: 1, np.add: 1,
    operator.sub: -1, operator.isub: -1, np.subtract: -1,
}  # fmt: skip

Sum = dict[Any, int]
"""Values with their factors; under None stands the constant."""


class Places:
    """Compares places that a sweep names."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep

    def apart(
        self,
        store: Any,
        ref: Value,
        path: Path | None,
        shared: list[Block],
        loop: Loop | None = None,
        trips: int = 0,
    ) -> bool:
        """Whether a store writes another place than a path names: an index differs for certain.

        What is defined in the `shared` blocks is the same for both; with a loop, the store runs any
        number of `trips` after (1) or before (-1).
        """
        if path is None or not isinstance(store, (Store, Accumulate)):
            return False
        for base, written in self.bases(store.ref, store.path):
            for other, read in self.bases(ref, path):
                if base is other and self.sweep.home[base] in shared:
                    for a, b in zip(written, read, strict=False):
                        if isinstance(a, Slice) or isinstance(b, Slice):
                            continue
                        one, two = self.affine(a), self.affine(b)
                        if one is None or two is None:
                            break  # an array of indices, None or `...`
                        if self.unequal(one, two, shared, loop, trips):
                            return True
        return False

    def bases(self, ref: Value, path: Path) -> Iterator[tuple[Value, Path]]:
        """The place, and the place in the owner of the view in which it lies."""
        yield ref, path
        made = self.sweep.made.get(ref)
        if isinstance(made, View) and made.fn is operator.getitem:
            yield from self.bases(made.ref, made.args[0])

    def affine(self, operand: Operand) -> Sum | None:
        """An integer as a sum of values and a constant; None if it is no integer."""
        operand = self.sweep.final(operand)
        if isinstance(type_of(operand), T.Scalar) and type_of(operand).kind == "int":
            if isinstance(operand, Constant):
                return {None: int(operand.value)}
            made = self.sweep.made.get(operand)
            if isinstance(made, Op) and made.fn in SUMS:
                parts = [self.affine(arg) for arg in made.args]
                if None not in parts:
                    return combined(parts[0], parts[1], SUMS[made.fn])
            return {operand: 1, None: 0}
        return None

    def unequal(
        self, one: Sum, two: Sum, shared: list[Block], loop: Loop | None, trips: int
    ) -> bool:
        low_one, high_one = self.bound(one, -1), self.bound(one, 1)
        low_two, high_two = self.bound(two, -1), self.bound(two, 1)
        if not (low_one >= 0 and low_two >= 0):  # -1 may be the same item as n - 1
            return False
        if high_one < low_two or high_two < low_one:
            return True
        difference = combined(one, two, -1)
        offset = difference.pop(None)
        if any(difference.values()):
            return False
        stride = 0
        for value in difference:
            if loop is not None and value is loop.index:
                step = self.constant(loop.domain.step)
                if step is None:
                    return False
                stride = one[value] * step * trips * (-1 if loop.domain.reverse else 1)
            elif self.sweep.home[value] not in shared:
                return False
        if stride == 0:
            return offset != 0
        return offset % stride != 0 or -offset // stride < 1

    def bound(self, total: Sum, side: int) -> float:
        """The least (-1) or greatest (1) that a sum can be, infinite if nothing is known."""
        return total[None] + sum(
            factor * self.extreme(value, side if factor > 0 else -side)
            for value, factor in total.items()
            if value is not None and factor
        )

    def extreme(self, value: Value, side: int) -> float:
        loop = self.sweep.loop_of.get(value)
        made = self.sweep.made.get(value)
        if loop is not None and loop.domain is not None:
            step = self.constant(loop.domain.step)
            if step:
                first = (step > 0) == (side < 0)
                end = self.affine(loop.domain.start if first else loop.domain.stop)
                if end is not None:
                    return self.bound(end, side) + (0 if first else -1 if step > 0 else 1)
        if isinstance(made, Op) and made.fn in (dimension, len) and side < 0:
            return 0
        return side * float("inf")

    def constant(self, operand: Operand) -> int | None:
        total = self.affine(operand)
        return total[None] if total is not None and len(total) == 1 else None


def combined(one: Sum, two: Sum, factor: int) -> Sum:
    return {k: one.get(k, 0) + factor * two.get(k, 0) for k in {**one, **two}}
