"""Lists of tuples, dicts and objects become one list for each component.

The resolver takes what is read from such a list apart at once, so that a `types.Record` only stands
between a list and its components.  This pass gives each component a list of its own ("structure of
arrays"); what then remains are lists of numbers, arrays and lists, and records are gone.

Before::

    q.append((v, d))          # append q, (v, d)
    v, d = q.pop()            # %t = pop q; v = %t[0]; d = %t[1]

After::

    q_0.append(v); q_1.append(d)
    v = q_0.pop(); d = q_1.pop()
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from adcompiler import errors, runtime
from adcompiler.analysis.unification import Unification
from adcompiler.ir import types as T
from adcompiler.ir.infer import join
from adcompiler.ir.nodes import (
    Append,
    Block,
    Function,
    If,
    Loop,
    New,
    Op,
    Operand,
    Pop,
    Statement,
    Store,
    Value,
    bound,
    defined,
    leaves,
    operands,
    rewrite,
)

LENGTHS = {len, runtime.check_length, runtime.check_enough, runtime.bound, operator.is_}
"""Functions that ask of a list what all of its columns know."""


def split_records(function: Function, classes_of: Callable[[Function], Unification]) -> None:
    """Take the records of a function apart, in place; `classes_of` tells which lists may be one."""
    if any(has_record(v.type) for v in bound(function.body)):
        settle(classes_of(function))
        _Columns().run(function)


def has_record(kind: Any) -> bool:
    match kind:
        case T.Record():
            return True
        case T.List(item=item):
            return has_record(item)
    return False


def spread(kind: Any) -> list[tuple[str, Any]]:
    """The components of a type, each with a name for it.

    >>> [name for name, _ in spread(T.List(T.Record(dict, ("x", "y"), (T.FLOAT, T.INT))))]
    ['_x', '_y']
    """
    match kind:
        case T.Record(keys=keys, items=items):
            return [
                (f"_{key}{name}", leaf)
                for key, item in zip(keys or range(len(items)), items, strict=True)
                for name, leaf in spread(item)
            ]
        case T.List(item=item, length=length) if has_record(item):
            return [(name, T.List(leaf, length)) for name, leaf in spread(item)]
    return [("", kind)]


def settle(classes: Unification) -> None:
    """A list that nothing was put into under this name holds what it holds under others."""
    known: dict[Any, Any] = {}
    lists = [value for value in classes.members() if isinstance(value.type, T.List)]
    for value in lists:
        root = classes.find(value)
        known[root] = join(known.get(root), value.type.item)
    for value in lists:
        if value.type.item is None:
            value.type = T.List(known[classes.find(value)])


class _Columns:
    def __init__(self) -> None:
        self.parts: dict[Value, list[Value]] = {}
        self.same: dict[Value, Value] = {}
        """Components that are one value: what each is."""

    def run(self, function: Function) -> None:
        for result in function.body.results:
            if any(has_record(v.type) for v in leaves(result)):
                raise errors.ResolveError(
                    "a list of tuples, dicts or objects as a result",
                    reason="how many items it has is only known at run time",
                    remedy="return one list for each component",
                    position=_position(function.body.statements),
                )
        self.block(function.body)
        rewrite(function.body, self.final)

    def final(self, value: Value) -> Value:
        while value in self.same:
            value = self.same[value]
        return value

    def of(self, value: Value) -> list[Value]:
        """The components of a value."""
        if not has_record(value.type):
            return [value]
        if value not in self.parts:
            self.parts[value] = [
                Value(value.name and f"{value.name}{name}", kind)
                for name, kind in spread(value.type)
            ]
        return self.parts[value]

    def all_of(self, operand: Operand) -> list[Operand]:
        """The components of an operand; those of a record are a tuple."""
        if isinstance(operand, Value):
            return list(self.of(operand))
        if isinstance(operand, tuple):
            return [part for item in operand for part in self.all_of(item)]
        return [operand]

    def fit(self, operand: Operand, count: int, statement: Statement) -> list[Operand]:
        parts = self.all_of(operand)
        if len(parts) == 1 and parts[0] is operand:
            parts = parts * count if not isinstance(operand, Value) else parts
        if len(parts) != count:
            raise self.unknown(statement)
        return parts

    def unknown(self, statement: Statement) -> errors.ResolveError:
        return errors.ResolveError(
            "a list of which it is not known what it holds",
            reason="its items are tuples, dicts or objects under one name, and not under another",
            remedy="begin with an item in it, or use one list for each component",
            position=_position([statement]),
        )

    def each(self, values: Iterable[Value]) -> list[Value]:
        return [part for value in values for part in self.of(value)]

    def block(self, block: Block) -> None:
        made: list[Statement] = []
        for statement in block.statements:
            first = len(made)
            self.statement(statement, made)
            for new in made[first:]:
                new.origin = statement.origin
        block.statements = made

    def results(self, block: Block, outs: list[Value], statement: Statement, first: int) -> None:
        """What a block hands on to values of these types."""
        rows = zip(block.results[first:], outs, strict=True)
        block.results = block.results[:first] + [
            part for result, out in rows for part in self.fit(result, len(self.of(out)), statement)
        ]

    def statement(self, statement: Statement, made: list[Statement]) -> None:
        match statement:
            case If(then=then, orelse=orelse, outs=outs):
                for inner in (then, orelse):
                    self.block(inner)
                    self.results(inner, outs, statement, 0)
                statement.outs = self.each(outs)
                made.append(statement)
            case Loop(body=body):
                self.loop(statement, body)
                made.append(statement)
            case New(source=list() as items, out=out) if has_record(out.type):
                columns = self.of(out)
                rows = [self.fit(item, len(columns), statement) for item in items]
                for k, column in enumerate(columns):
                    made.append(New([row[k] for row in rows], column))
            case Append(ref=ref, value=value, at=at) if has_record(ref.type):
                columns = self.of(ref)
                for column, part in zip(
                    columns, self.fit(value, len(columns), statement), strict=True
                ):
                    made.append(Append(column, part, at))
            case Store(ref=ref, path=path, value=value) if has_record(ref.type):
                columns = self.of(ref)
                for column, part in zip(
                    columns, self.fit(value, len(columns), statement), strict=True
                ):
                    made.append(Store(column, path, part))
            case Pop(ref=ref, out=out, at=at) if has_record(ref.type):
                for column, part in self.rows(ref, out, statement):
                    made.append(Pop(column, part, at))
            case Op(fn=operator.getitem, args=[Value() as base, path], outs=[out]) if has_record(
                base.type
            ):
                if isinstance(base.type, T.Record):
                    self.component(base, path[0].value, out)
                    return
                for column, part in self.rows(base, out, statement):
                    made.append(Op(operator.getitem, [column, path], {}, [part]))
            case Op(fn=fn, args=args) if fn in LENGTHS:
                statement.args = [
                    self.of(arg)[0] if isinstance(arg, Value) else arg for arg in args
                ]
                made.append(statement)
            case _:
                read = [v for operand in operands(statement) for v in leaves(operand)]
                if any(has_record(v.type) for v in [*read, *defined(statement)]):
                    name = getattr(getattr(statement, "fn", None), "__name__", "this")
                    raise errors.ResolveError(
                        f"`{name}` of a list of tuples, dicts or objects",
                        reason="such a list is taken apart when the function is compiled",
                        remedy="use one list for each component, or a comprehension",
                        position=_position([statement]),
                    )
                made.append(statement)

    def rows(self, ref: Value, out: Value, statement: Statement) -> list[tuple[Value, Value]]:
        columns, parts = self.of(ref), self.of(out)
        if len(columns) != len(parts):
            raise self.unknown(statement)
        return list(zip(columns, parts, strict=True))

    def component(self, base: Value, place: int, out: Value) -> None:
        """`out` is the component of a record at a place."""
        flat = list(_flat(base.type))
        start = sum(len(spread(kind)) for kind in flat[:place])
        found = self.of(base)[start : start + len(spread(flat[place]))]
        if has_record(out.type):
            self.parts[out] = found
        else:
            self.same[out] = found[0]

    def loop(self, loop: Loop, body: Block) -> None:
        carried, outs = list(loop.carried), list(loop.outs)
        inits = zip(loop.inits, carried, strict=True)
        loop.inits = [
            part for init, param in inits for part in self.fit(init, len(self.of(param)), loop)
        ]
        first = [loop.index] if loop.index is not None else []
        body.params = [*first, *self.each(carried)]
        self.block(body)
        self.results(body, carried, loop, int(loop.stops))
        loop.outs = self.each(outs)


def _flat(kind: Any) -> Iterable[Any]:
    """The components of a record, records in it taken apart, lists in it not."""
    if isinstance(kind, T.Record):
        for item in kind.items:
            yield from _flat(item)
    else:
        yield kind


def _position(statements: list[Statement]) -> errors.Position | None:
    for statement in reversed(statements):
        if statement.origin is not None:
            return statement.origin.position
    return None
