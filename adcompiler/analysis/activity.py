"""Which values carry a derivative: those that an input reaches and that reach a result.

Values and classes of memory are nodes of one graph; a load is an edge from the class to the value,
a store one from the value to the class.  Active is what lies on a path from the wanted inputs to
the wanted results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from adcompiler.analysis.unification import Unification
from adcompiler.ir import types as T
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Pop,
    Statement,
    Store,
    Value,
    View,
    leaves,
    walk,
)
from adcompiler.rules import book


def memory_classes(function: Function) -> Unification:
    """Which references may refer to the same memory; `("held", list)` stands for a list's items."""
    classes = Unification()

    def join(a: Any, b: Any) -> None:
        if isinstance(a, Value) and isinstance(b, Value) and T.is_ref(a.type) and T.is_ref(b.type):
            classes.union(a, b)

    lists: list[Value] = []
    held: list[tuple[Value, Value]] = []
    for param in function.params:
        if T.is_ref(param.type):
            classes.find(param)
    for statement in walk(function.body):
        match statement:
            case New(out=out):
                classes.find(out)
                if isinstance(out.type.target, T.List):
                    lists.append(out)
                    held += [(out, v) for v in leaves(statement.source) if T.is_ref(v.type)]
            case View(ref=ref, out=out):
                join(ref, out)
            case Append(ref=ref, value=value) | Store(ref=ref, value=value):
                held += [(ref, v) for v in leaves(value) if T.is_ref(v.type)]
            case Pop(ref=ref, out=out) | Load(ref=ref, out=out):
                if T.is_ref(out.type):
                    held.append((ref, out))
            case If():
                rows = zip(
                    statement.outs, statement.then.results, statement.orelse.results, strict=True
                )
                for out, a, b in rows:
                    join(out, a)
                    join(out, b)
            case Loop():
                rows2 = zip(
                    statement.carried, statement.inits, statement.next, statement.outs, strict=True
                )
                for param, init, following, out in rows2:
                    join(param, init)
                    join(param, following)
                    join(param, out)
    items: dict[Any, Value] = {}
    changed = True
    while changed:
        changed = False
        for holder, item in held:
            root = classes.find(holder)
            first = items.setdefault(root, item)
            if classes.find(first) is not classes.find(item):
                classes.union(first, item)
                changed = True
    return classes


class Activity:
    """The graph of what depends differentiably on what."""

    def __init__(self, function: Function, classes: Unification) -> None:
        self.classes = classes
        self.successors: dict[Any, list] = {}
        self.predecessors: dict[Any, list] = {}
        for statement in walk(function.body):
            self.add(statement)

    def node(self, value: Value) -> Any:
        """A reference stands for its class."""
        return ("class", self.classes.find(value)) if T.is_ref(value.type) else value

    def edge(self, source: Any, destination: Any) -> None:
        for value in leaves(source):
            if T.is_float(value.type) and T.is_float(destination.type):
                a, b = self.node(value), self.node(destination)
                self.successors.setdefault(a, []).append(b)
                self.predecessors.setdefault(b, []).append(a)

    def add(self, statement: Statement) -> None:
        match statement:
            case Op(fn=fn, args=args, keywords=keywords, outs=outs):
                if book.is_zero(fn):
                    return
                for out in outs:
                    for operand in (*args, *keywords.values()):
                        self.edge(operand, out)
            case New(source=source, out=out):
                self.edge(source, out)
            case Load(ref=ref, out=out) | Pop(ref=ref, out=out):
                self.edge(ref, out)
            case Store(ref=ref, value=value) | Accumulate(ref=ref, value=value):
                self.edge(value, ref)
            case Append(ref=ref, value=value):
                self.edge(value, ref)
            case If(outs=outs):
                rows = zip(outs, statement.then.results, statement.orelse.results, strict=True)
                for out, a, b in rows:
                    if not T.is_ref(out.type):
                        self.edge(a, out)
                        self.edge(b, out)
            case Loop():
                rows2 = zip(
                    statement.carried, statement.inits, statement.next, statement.outs, strict=True
                )
                for param, init, following, out in rows2:
                    if not T.is_ref(param.type):
                        self.edge(init, param)
                        self.edge(init, out)
                        self.edge(following, param)
                        self.edge(following, out)

    def reach(self, starts: Iterable[Value], edges: dict) -> set:
        found = {self.node(v) for v in starts if T.is_float(v.type)}
        work = list(found)
        while work:
            for following in edges.get(work.pop(), ()):
                if following not in found:
                    found.add(following)
                    work.append(following)
        return found

    def active(self, inputs: Iterable[Value], results: Iterable[Value]) -> Callable[[Any], bool]:
        """A test whether a value (or the class of a reference) is active."""
        forward = self.reach(inputs, self.successors)
        both = self.reach(results, self.predecessors) & forward
        return lambda value: isinstance(value, Value) and self.node(value) in both

    def varied(self, inputs: Iterable[Value]) -> Callable[[Any], bool]:
        """A test whether a value depends on the inputs at all."""
        forward = self.reach(inputs, self.successors)
        return lambda value: isinstance(value, Value) and self.node(value) in forward
