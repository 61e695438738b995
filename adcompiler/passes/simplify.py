"""Taking out what does no work: dead code, carried values that never change, common work.

Before::

    t = x * 2; s, u = loop(s0, u0): s2 = s + 1; u2 = u; return s     # t unused, u unchanged

After::

    s = loop(s0): s2 = s + 1; return s
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from adcompiler.analysis.activity import memory_classes
from adcompiler.analysis.unification import Unification
from adcompiler.ir import types as T
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Pop,
    Raise,
    Restore,
    Slice,
    Statement,
    Store,
    Value,
    View,
    blocks,
    defined,
    leaves,
    operands,
    rewrite,
    rewrite_operands,
    substitute,
    walk,
)

# ---------------------------------------------------------------------------------------------
# liveness


class Liveness:
    """Which statements and values a function needs for its results and effects.

    A change of memory is needed if anything reads that class of memory.
    """

    def __init__(
        self,
        function: Function,
        classes: Unification | None = None,
        roots: Iterable[Statement] = (),
    ) -> None:
        self.classes = classes or memory_classes(function)
        self.values: set[Value] = set()
        self.statements: set[Statement] = set()
        self.parent: dict[Block, Statement] = {}
        self.home: dict[Statement, Block] = {}
        self.maker: dict[Value, tuple[Statement, int]] = {}
        self.params: dict[Value, tuple[Loop, int]] = {}
        self.writers: dict[Any, list[Statement]] = {}
        self.read: set = set()
        self.work: list[Any] = []
        self.index(function.body)
        for result in function.body.results:
            self.need(result)
        for statement in walk(function.body):
            if isinstance(statement, Raise) or (
                isinstance(statement, Op) and (statement.effect or statement.keeps)
            ):
                self.need_statement(statement)
        for statement in roots:
            self.need_statement(statement)
        self.run()

    def index(self, block: Block) -> None:
        for statement in block.statements:
            self.home[statement] = block
            for position, value in enumerate(defined(statement)):
                self.maker[value] = (statement, position)
            if isinstance(statement, Loop):
                for position, value in enumerate(statement.carried):
                    self.params[value] = (statement, position)
                if statement.index is not None:
                    self.params[statement.index] = (statement, -1)
            if isinstance(statement, (Store, Accumulate, Append, Pop)):
                root = self.classes.find(statement.ref)
                self.writers.setdefault(root, []).append(statement)
            for inner in blocks(statement):
                self.parent[inner] = statement
                self.index(inner)

    def need(self, operand: Operand) -> None:
        for value in leaves(operand):
            if value not in self.values:
                self.values.add(value)
                self.work.append(value)

    def need_statement(self, statement: Statement) -> None:
        if statement not in self.statements:
            self.statements.add(statement)
            self.work.append(statement)

    def run(self) -> None:
        while self.work:
            item = self.work.pop()
            if isinstance(item, Value):
                self.reach_value(item)
            else:
                self.reach_statement(item)

    def reach_value(self, value: Value) -> None:
        if T.is_ref(value.type) or value in self.classes.parent:
            self.read_class(value)
        if value in self.params:
            loop, position = self.params[value]
            self.need_statement(loop)
            if position >= 0:
                self.need(loop.inits[position])
                self.need(loop.next[position])
                # What the loop hands out is then kept as well: it costs nothing.
            return
        if value not in self.maker:
            return
        statement, position = self.maker[value]
        self.need_statement(statement)
        if isinstance(statement, If):
            self.need(statement.then.results[position])
            self.need(statement.orelse.results[position])
        elif isinstance(statement, Loop):
            self.need(statement.inits[position])
            self.need(statement.next[position])
            self.need(statement.carried[position])

    def read_class(self, ref: Value) -> None:
        root = self.classes.find(ref)
        if root not in self.read:
            self.read.add(root)
            for writer in self.writers.get(root, ()):
                self.need_statement(writer)

    def reach_statement(self, statement: Statement) -> None:
        block = self.home.get(statement)
        if block is not None and block in self.parent:
            self.need_statement(self.parent[block])
        match statement:
            case If(test=test):
                self.need(test)
            case Loop():
                if statement.domain is not None:
                    for part in (
                        statement.domain.start,
                        statement.domain.stop,
                        statement.domain.step,
                    ):
                        self.need(part)
                if statement.stops:
                    self.need(statement.body.results[0])
            case Restore():
                pass
            case _:
                for operand in operands(statement):
                    self.need(operand)


def dead_code(
    function: Function, find_classes: Callable[[Function], Unification] = memory_classes
) -> None:
    """Remove, in place, what no result and no effect needs.

    Before memory is told from values, `find_classes` is `memory.object_classes`.
    """
    while True:
        live = Liveness(function, find_classes(function))
        sweep(function.body, live)
        if not drop_carried(function):
            return


def sweep(block: Block, live: Liveness) -> None:
    kept = []
    for statement in block.statements:
        if statement not in live.statements:
            continue
        kept.append(statement)
        match statement:
            case If():
                chosen = [k for k, out in enumerate(statement.outs) if out in live.values]
                statement.outs = [statement.outs[k] for k in chosen]
                for inner in (statement.then, statement.orelse):
                    inner.results = [inner.results[k] for k in chosen]
                    sweep(inner, live)
            case Loop():
                chosen = [
                    k
                    for k, (param, out) in enumerate(
                        zip(statement.carried, statement.outs, strict=True)
                    )
                    if param in live.values or out in live.values
                ]
                keep_carried(statement, chosen)
                sweep(statement.body, live)
    block.statements = kept


def keep_carried(loop: Loop, chosen: list[int]) -> None:
    """Let the loop carry only the chosen values."""
    first = 1 if loop.domain is not None else 0
    offset = 1 if loop.stops else 0
    body = loop.body
    loop.inits = [loop.inits[k] for k in chosen]
    loop.outs = [loop.outs[k] for k in chosen]
    body.params = body.params[:first] + [body.params[first + k] for k in chosen]
    body.results = body.results[:offset] + [body.results[offset + k] for k in chosen]


def drop_carried(function: Function) -> bool:
    """Values that a loop carries around unchanged are those it began with."""
    replaced: dict[Value, Operand] = {}
    for statement in walk(function.body):
        if not isinstance(statement, Loop):
            continue
        kept = []
        for k, (param, following) in enumerate(zip(statement.carried, statement.next, strict=True)):
            init = statement.inits[k]
            if init is not UNBOUND and (following is param or following is init):
                replaced[param] = init
                replaced[statement.outs[k]] = init
            else:
                kept.append(k)
        if len(kept) != len(statement.inits):
            keep_carried(statement, kept)
    for statement in walk(function.body):
        if isinstance(statement, If):
            kept = []
            for k, out in enumerate(statement.outs):
                a, b = statement.then.results[k], statement.orelse.results[k]
                if a is b and isinstance(a, Value):
                    replaced[out] = a
                else:
                    kept.append(k)
            if len(kept) != len(statement.outs):
                statement.outs = [statement.outs[k] for k in kept]
                for inner in (statement.then, statement.orelse):
                    inner.results = [inner.results[k] for k in kept]
    if not replaced:
        return False

    def final(value: Value) -> Operand:
        operand: Operand = value
        while isinstance(operand, Value) and operand in replaced:
            operand = replaced[operand]
        return operand

    rewrite(function.body, final)
    return True


# ---------------------------------------------------------------------------------------------
# common subexpressions


def operand_key(operand: Operand) -> Any:
    """What makes two operands the same."""
    if isinstance(operand, Value):
        return operand
    if isinstance(operand, Constant):
        value = operand.value
        if isinstance(value, (bool, int, float, complex, str, type(None))):
            return (type(value), repr(value))
        return ("object", id(value))
    if isinstance(operand, Slice):
        return (
            "slice",
            operand_key(operand.start),
            operand_key(operand.stop),
            operand_key(operand.step),
        )
    return (type(operand), *(operand_key(item) for item in operand))


def stored(block: Block, classes: Unification) -> set:
    """The classes of memory that a block changes."""
    return {
        classes.find(s.ref) for s in walk(block) if isinstance(s, (Store, Accumulate, Append, Pop))
    }


def is_repeated_read(statement: Statement, earlier: Value) -> bool:
    """Whether a helper that is called again reads what it read before, under the same name."""
    if not isinstance(statement, Op) or statement.fn is not operator.getitem or statement.keeps:
        return False
    name = statement.outs[0].name
    return name is not None and name == earlier.name and earlier.type == statement.outs[0].type


BIRTHS = {np.zeros, np.zeros_like, np.empty, np.empty_like}
"""What becomes memory of its own is not worth merging: each would be a copy."""


def use_first_of_equals(function: Function) -> None:
    """Where the user computed a value twice, let the backward sweep read the first, in place.

    For code in which the mirror still refers to forward values by name: before saving is decided.
    """
    classes = memory_classes(function)
    same: dict[Value, Value] = {}
    counter = iter(range(1, 1 << 60))

    def visit(block: Block, known: dict, versions: dict) -> None:
        for statement in block.statements:
            if statement.origin is not None and statement.origin.mirror:
                rewrite_operands(statement, lambda v: same.get(v, v))
                for inner in blocks(statement):
                    rewrite(inner, lambda v: same.get(v, v))
                continue
            key: Any = None
            match statement:
                case Op(fn=fn, outs=[out]) if not statement.effect and not any(
                    T.is_ref(v.type) for a in statement.args for v in leaves(a)
                ):
                    args = substitute(list(statement.args), lambda v: same.get(v, v))
                    key = (
                        fn,
                        operand_key(args),
                        tuple(sorted(statement.keywords)),
                        operand_key([v for _, v in sorted(statement.keywords.items())]),
                    )
                case Load(out=out) if not T.is_ref(out.type):
                    key = (
                        "load",
                        statement.ref,
                        operand_key(statement.path),
                        versions.get(classes.find(statement.ref), 0),
                    )
                case Store() | Accumulate() | Append() | Pop():
                    versions[classes.find(statement.ref)] = next(counter)
            if key is not None:
                if key in known:
                    same[out] = known[key]
                else:
                    known[key] = out
            if isinstance(statement, Loop):
                for root in stored(statement.body, classes):
                    versions[root] = next(counter)
            for inner in blocks(statement):
                visit(inner, dict(known), dict(versions))
            for inner in blocks(statement):
                for root in stored(inner, classes):
                    versions[root] = next(counter)

    visit(function.body, {}, {})


def holds(store: Store) -> bool:
    """Whether a store of a number to one place of an array leaves it as it is: a load finds it."""
    kind, number = T.target(store.ref.type), type_of(store.value)
    return (
        isinstance(store.value, Value)
        and isinstance(number, T.Scalar)
        and isinstance(kind, T.Array)
        and kind.dtype == number.dtype
        and kind.rank == len(store.path)
        and all(isinstance(type_of(index), T.Scalar) for index in store.path)
    )


def common_subexpressions(function: Function) -> None:
    """Work of the backward sweep that was done before is not done again, in place.

    The user's own statements are left alone: only statements of a mirror are dropped.  A load may
    stand for another if no store to its class can have come between.
    """
    classes = memory_classes(function)
    replaced: dict[Value, Value] = {}
    same: dict[Value, Value] = {}

    def final(value: Value) -> Operand:
        while value in replaced:
            value = replaced[value]
        return value

    def equal(value: Value) -> Operand:
        """For the backward sweep: the first of the user's values that are the same."""
        while value in replaced or value in same:
            value = replaced.get(value) or same[value]
        return value

    def visit(block: Block, known: dict, versions: dict) -> None:
        kept = []
        for statement in block.statements:
            mirror = statement.origin is not None and statement.origin.mirror
            rewrite_operands(statement, equal if mirror else final)
            key: Any = None
            match statement:
                case Op(fn=fn, outs=[_]) if not statement.effect and fn not in BIRTHS:
                    key = (
                        fn,
                        operand_key(list(statement.args)),
                        operand_key([v for _, v in sorted(statement.keywords.items())]),
                        tuple(sorted(statement.keywords)),
                        tuple(
                            versions.get(classes.find(r), 0)
                            for a in statement.args
                            for r in leaves(a)
                            if T.is_ref(r.type)
                        ),
                    )
                case View():
                    key = (
                        "view",
                        statement.fn,
                        statement.ref,
                        operand_key(statement.args),
                        operand_key(list(statement.keywords.values())),
                    )
                case Load():
                    key = (
                        "load",
                        statement.ref,
                        operand_key(statement.path),
                        versions.get(classes.find(statement.ref), 0),
                    )
                case Store() | Accumulate() | Append() | Pop():
                    root = classes.find(statement.ref)
                    versions[root] = next(counter)
                    if mirror and isinstance(statement, Store) and holds(statement):
                        place = operand_key(statement.path)
                        known["load", statement.ref, place, versions[root]] = statement.value
            if key is not None:
                (out,) = defined(statement)
                if key in known and mirror:
                    replaced[out] = known[key]
                    continue
                if key in known and is_repeated_read(statement, known[key]):
                    replaced[out] = known[key]
                    continue
                if key in known:
                    same[out] = known[key]
                known.setdefault(key, out)
            inner_blocks = blocks(statement)
            if isinstance(statement, Loop):
                for root in stored(statement.body, classes):
                    versions[root] = next(counter)
            for inner in inner_blocks:
                visit(inner, dict(known), dict(versions))
            for inner in inner_blocks:
                for root in stored(inner, classes):
                    versions[root] = next(counter)
            kept.append(statement)
        block.statements = kept
        block.results = [substitute(result, final) for result in block.results]

    counter = iter(range(1, 1 << 60))
    visit(function.body, {}, {})
    rewrite(function.body, final)


__all__ = ["Liveness", "New", "common_subexpressions", "dead_code", "drop_carried"]
