"""What every valid program satisfies; a pass that breaks it is found at once.

`verify(function)` raises `VerifyError` with the lines of the program around the fault:

* every value is defined once, and before it is used, in a block that the use can see;
* no statement and no block stands in two places;
* the results of blocks agree in number with what they feed; `UNBOUND` stands only among them and
  among the inits of loops;
* a reference is an operand of memory statements and of joins alone, and of the functions that ask
  for no more than its shape, or where it lies (`SHAPE_ONLY`); a list may hold references.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from adcompiler import runtime
from adcompiler.errors import VerifyError
from adcompiler.ir.dump import Dump, show_callable
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
    Slice,
    Statement,
    Store,
    Value,
    View,
    defined,
    dimension,
    leaves,
    operands,
)
from adcompiler.ir.types import List, Object, Ref, Tuple, Unknown, target

SHAPE_ONLY: frozenset[Callable] = frozenset(
    {
        np.zeros_like,
        np.ones_like,
        np.full_like,
        np.empty_like,
        dimension,
        np.shape,
        len,
        runtime.check_length,
        runtime.refuse_overlap,
    }  # fmt: skip
)
"""Functions that may be given a reference, since they ask for its shape alone."""


def verify(function: Function) -> Function:
    """Raise unless the program is valid; returns it, so that calls can be chained."""
    _Verifier(function).check()
    return function


class _Verifier:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.defined: set[Value] = set()
        self.seen: set[int] = set()

    def check(self) -> None:
        body = self.function.body
        if len(body.results) != 1:
            self.fail(None, f"a function has one result, this one has {len(body.results)}")
        visible: set[Value] = set()
        for param in body.params:
            self.define(param, visible, None)
        self.block(body, visible, None)

    def block(self, block: Block, visible: set[Value], owner: Statement | None) -> None:
        """Check a block; `visible` is the scope, to which its own definitions are added."""
        self.once(block, owner)
        for statement in block.statements:
            self.once(statement, statement)
            self.statement(statement, visible)
            for value in defined(statement):
                self.define(value, visible, statement)
        for result in block.results:
            self.operand(result, visible, owner, joins=True)

    def statement(self, statement: Statement, visible: set[Value]) -> None:
        joins = isinstance(statement, Loop)
        for operand in operands(statement):
            self.operand(operand, visible, statement, joins)
        match statement:
            case Op(fn=fn, args=args, keywords=keywords, outs=outs):
                if not isinstance(fn, Function) and not _shape_only(fn):
                    self.no_reference([*args, *keywords.values()], statement, show_callable(fn))
                if not isinstance(fn, Function):
                    for out in outs:
                        if isinstance(out.type, Ref):
                            self.fail(statement, f"{out!r} is a reference, made by an Op")
            case New(source=source, out=out):
                if isinstance(source, Value) and isinstance(source.type, Ref):
                    self.fail(statement, f"the source of New is the reference {source!r}")
                self.is_reference(out, statement)
            case View(ref=ref, args=args, keywords=keywords, out=out):
                self.is_reference(ref, statement)
                self.is_reference(out, statement)
                self.no_reference([*args, *keywords.values()], statement, "View")
                if statement.fn is operator.getitem:
                    self.path(args[0] if len(args) == 1 else None, ref, statement)
            case Load(ref=ref, path=path):
                self.path(path, ref, statement)
            case Store(ref=ref, path=path, value=value):
                self.path(path, ref, statement)
                if not _may_hold_references(ref.type):
                    self.no_reference([value], statement, "Store")
            case Accumulate(ref=ref, path=path, value=value):
                self.path(path, ref, statement)
                self.no_reference([value], statement, "Accumulate")
            case Append(ref=ref) | Pop(ref=ref):
                if not isinstance(target(ref.type), List | Object | Unknown | None):
                    self.fail(statement, f"{ref!r} is no list")
            case If(test=test, then=then, orelse=orelse, outs=outs):
                self.no_reference([test], statement, "the test of If")
                for word, arm in (("then", then), ("else", orelse)):
                    self.length(word, arm.results, outs, statement)
                    self.no_params(arm, statement)
                    self.block(arm, set(visible), statement)
                    if not _ends_in_raise(arm):
                        self.join(outs, arm.results, statement)
            case Loop():
                self.loop(statement, visible)
            case Raise(exception=exception):
                self.no_reference([exception], statement, "Raise")

    def loop(self, loop: Loop, visible: set[Value]) -> None:
        if loop.domain is not None:
            if not loop.body.params:
                self.fail(loop, "a loop over a range has no index")
            domain = loop.domain
            self.no_reference([domain.start, domain.stop, domain.step], loop, "the range of Loop")
        if loop.stops and not loop.body.results:
            self.fail(loop, "a loop that stops has no result that says when")
        self.length("inits", loop.inits, loop.carried, loop)
        self.length("next", loop.next, loop.carried, loop)
        self.length("outs", loop.outs, loop.carried, loop)
        if loop.stops:
            self.no_reference(loop.body.results[:1], loop, "the stop of Loop")
        inner = set(visible)
        for param in loop.body.params:
            self.define(param, inner, loop)
        self.block(loop.body, inner, loop)
        self.join(loop.carried, loop.inits, loop)
        self.join(loop.outs, loop.carried, loop)
        if not _ends_in_raise(loop.body):
            self.join(loop.carried, loop.next, loop)

    def operand(
        self, operand: Operand, visible: set[Value], statement: Statement | None, joins: bool
    ) -> None:
        if operand is UNBOUND:
            if not joins:
                self.fail(statement, "UNBOUND is an operand")
            return
        match operand:
            case Value():
                if operand not in visible:
                    known = operand in self.defined
                    why = "is out of scope" if known else "is used before it is defined"
                    self.fail(statement, f"{operand!r} {why}")
            case tuple() | list():
                for item in operand:
                    self.operand(item, visible, statement, joins=False)
            case Slice(start=start, stop=stop, step=step):
                for item in (start, stop, step):
                    self.operand(item, visible, statement, joins=False)
            case Constant():
                pass
            case _:
                self.fail(statement, f"{operand!r} is no operand (a Constant is missing?)")

    def define(self, value: Value, visible: set[Value], statement: Statement | None) -> None:
        if value in self.defined:
            self.fail(statement, f"{value!r} is defined twice")
        self.defined.add(value)
        visible.add(value)

    def once(self, thing: Block | Statement, statement: Statement | None) -> None:
        if id(thing) in self.seen:
            kind = "a block" if isinstance(thing, Block) else "a statement"
            self.fail(statement, f"{kind} stands in two places")
        self.seen.add(id(thing))

    def length(self, word: str, these: list, those: list, statement: Statement) -> None:
        if len(these) != len(those):
            self.fail(statement, f"{word}: {len(these)} for {len(those)} values")

    def no_params(self, block: Block, statement: Statement) -> None:
        if block.params:
            self.fail(statement, "a branch has parameters")

    def no_reference(self, operands: Iterable[Operand], statement: Statement, where: str) -> None:
        for operand in operands:
            for leaf in leaves(operand):
                if isinstance(leaf.type, Ref):
                    self.fail(statement, f"the reference {leaf!r} is an operand of {where}")

    def is_reference(self, value: Value, statement: Statement) -> None:
        if not isinstance(value, Value) or not isinstance(value.type, Ref):
            self.fail(statement, f"{value!r} is no reference")

    def join(self, outs: list[Value], results: list[Operand], statement: Statement) -> None:
        for out, result in zip(outs, results, strict=True):
            if isinstance(result, Value) and isinstance(out.type, Ref) != isinstance(
                result.type, Ref
            ):
                self.fail(statement, f"{out!r} and {result!r}: one is a reference, one is not")

    def path(self, path: Any, ref: Value, statement: Statement) -> None:
        if not isinstance(path, tuple):
            self.fail(statement, f"the path {path!r} is no tuple")
        if isinstance(target(ref.type), List) and len(path) > 1:
            self.fail(statement, f"a path of {len(path)} indices into the list {ref!r}")
        self.no_reference([path], statement, "a path")

    def fail(self, statement: Statement | None, message: str) -> NoReturn:
        raise fault(self.function, statement, message)


def fault(function: Function, statement: Statement | None, message: str) -> VerifyError:
    """The error that shows the lines around a statement; None stands for the result."""
    dump = Dump()
    lines = list(dump.function(function))
    names = {repr(value): dump.operand(value) for value in list(dump.numbers)}
    message = re.sub(r"%\w*\.\d+", lambda found: names.get(found[0], found[0]), message)
    place = next((k for k, (_, s) in enumerate(lines) if s is statement), 0)
    if statement is None:
        place = len(lines) - 1
    start, end = max(0, place - 5), place + 6
    shown = [
        f"{'-->' if k == place else '   '} {line}"
        for k, (line, _) in enumerate(lines[start:end], start)
    ]
    origin = statement.origin if statement is not None else None
    return VerifyError(
        f"invalid IR in {function.name}: {message}",
        position=origin.position if origin is not None else None,
        notes=tuple(shown),
    )


def _shape_only(fn: Any) -> bool:
    try:
        return fn in SHAPE_ONLY
    except TypeError:  # a callable object that cannot be hashed
        return False


def _may_hold_references(type: Any) -> bool:
    return isinstance(target(type), List | Tuple | Object | Unknown | None)


def _ends_in_raise(block: Block) -> bool:
    return any(isinstance(statement, Raise) for statement in block.statements)
