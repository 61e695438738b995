"""Which views might as well be values.

A view is *quiet* if nothing is written through it, and nothing that it shows is written as long as
anyone looks at it. Then it makes no difference whether it is a view or a copy, and so neither does
it matter that this may not be known (`reshape`, `ravel`), or that an adjoint cannot be written
through it (`np.diag`, `z.imag`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

from adcompiler.analysis.unification import Unification
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    Function,
    Loop,
    New,
    Op,
    Pop,
    Statement,
    Store,
    Value,
    blocks,
    leaves,
    operands,
    walk,
)
from adcompiler.ir.types import Array, List, Unknown

Way = tuple[tuple[Block, int], ...]
"""Where a statement stands: the blocks around it, from the outermost, with the place in each."""


def quiet_views(
    function: Function,
    views: Iterable[Op],
    classes: Unification,
    view_kind: Callable[[Op], str],
) -> set[Op]:
    """Those of the views that are quiet.

    `view_kind` tells whether a result shares storage with an argument.
    """
    return {view for view in views if _Uses(function, classes, view_kind).is_quiet(view)}


class _Uses:
    """Who reads each value, and where."""

    def __init__(
        self, function: Function, classes: Unification, view_kind: Callable[[Op], str]
    ) -> None:
        self.classes = classes
        self.view_kind = view_kind
        self.way: dict[Statement, Way] = {}
        self.readers: dict[Value, list[Statement]] = {}
        self.handed_on: set[Value] = set()
        """What is a result of a block."""
        self.scan(function.body, ())

    def scan(self, block: Block, outside: Way) -> None:
        for at, statement in enumerate(block.statements):
            way = (*outside, (block, at))
            self.way[statement] = way
            for operand in operands(statement):
                for value in leaves(operand):
                    self.readers.setdefault(value, []).append(statement)
            for inner in blocks(statement):
                self.scan(inner, way)
        for result in block.results:
            self.handed_on.update(leaves(result))

    def is_quiet(self, view: Op) -> bool:
        if isinstance(view.fn, Function):
            return False
        shown = {self.classes.find(value) for value in leaves(view.args)}
        depth = len(self.way[view]) - 1
        block, first = self.way[view][-1]
        last = first
        todo, seen = list(view.outs), set(view.outs)
        while todo:
            value = todo.pop()
            if value in self.handed_on:
                return False
            for reader in self.readers.get(value, ()):
                if self.keeps(reader, value):
                    return False
                last = max(last, self.way[reader][depth][1])
                if isinstance(reader, Op) and self.shares(reader, value):
                    new = [out for out in reader.outs if out not in seen]
                    seen.update(new)
                    todo += new
        between = block.statements[first + 1 : last]
        nested = [s for inner in blocks(block.statements[last]) for s in walk(inner)]
        inside = [inner for s in between for b in blocks(s) for inner in walk(b)]
        return not any(self.writes(s, shown) for s in (*between, *inside, *nested))

    def keeps(self, reader: Statement, value: Value) -> bool:
        """Whether the reader writes through the value, or stores it where it may be found later."""
        match reader:
            case Store(ref=ref, value=stored) | Accumulate(ref=ref, value=stored):
                same = self.classes.find(ref) is self.classes.find(value)
                into_list = not isinstance(ref.type, Array)
                return ref is value or (value in leaves(stored) and (same or into_list))
            case Append() | Pop() | New() | Loop():
                return _is_object(value)
            case Op(fn=Function()):
                return True
        return False

    def shares(self, reader: Op, value: Value) -> bool:
        """Whether the result may show what the value shows."""
        if value not in leaves(reader.args):
            return False
        if reader.fn is operator.getitem and isinstance(value.type, List):
            return True
        return self.view_kind(reader) != "fresh"

    def writes(self, statement: Statement, shown: set) -> bool:
        match statement:
            case Store(ref=ref) | Accumulate(ref=ref) | Append(ref=ref) | Pop(ref=ref):
                return self.classes.find(ref) in shown
            case Op(fn=Function(written=written), args=args):
                changed = [value for k in written for value in leaves(args[k])]
                return any(self.classes.find(value) in shown for value in changed)
        return False


def _is_object(value: Value) -> bool:
    return isinstance(value.type, (Array, List, Unknown))
