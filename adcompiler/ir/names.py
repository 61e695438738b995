"""Which names a piece of a tree binds and reads.

Nested functions and comprehensions are scopes of their own: what is bound inside them stays there,
save for `:=` in a comprehension.  What they read from outside counts as read where they stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gast


def assigned_names(statements: Iterable[Any]) -> dict[str, None]:
    """The names that statements (or expressions) bind or delete, in the order of execution.

    >>> list(assigned_names(gast.parse("for i, (x, _) in e: y[i] = z = (n := f(x))").body))
    ['i', 'x', '_', 'n', 'z']
    """
    walk = _Walk()
    walk.each(statements)
    return walk.bound


def read_names(statements: Iterable[Any]) -> dict[str, None]:
    """The names that statements (or expressions) read, in the order of execution.

    >>> list(read_names(gast.parse("a[i] = [x * k for x in xs]\\ns += 1").body))
    ['xs', 'k', 'a', 'i', 's']
    """
    walk = _Walk()
    walk.each(statements)
    return walk.read


def all_names(node: Any) -> set[str]:
    """Every identifier that stands for a variable anywhere in a node, nested scopes included."""
    names: set[str] = set()
    for n in gast.walk(node):
        match n:
            case gast.Name():
                names.add(n.id)
            case gast.FunctionDef() | gast.AsyncFunctionDef() | gast.ClassDef():
                names.add(n.name)
            case gast.alias():
                names.add(_bound_by_import(n))
            case gast.Global() | gast.Nonlocal():
                names.update(n.names)
    return names


class Fresh:
    """Hands out names that are not taken: `stop`, then `stop_2`, and so on."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def __call__(self, base: str) -> str:
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


class _Walk:
    """Visits what is executed, in order, and notes what is bound and read."""

    def __init__(self) -> None:
        self.bound: dict[str, None] = {}
        self.read: dict[str, None] = {}

    def each(self, nodes: Iterable[Any]) -> None:
        for node in nodes:
            self.visit(node)

    def visit(self, node: Any) -> None:
        match node:
            case gast.Name(ctx=gast.Load()):
                self.read[node.id] = None
            case gast.Name():
                self.bound[node.id] = None
            case gast.Assign():
                self.visit(node.value)
                self.each(node.targets)
            case gast.AugAssign():
                if isinstance(node.target, gast.Name):
                    self.read[node.target.id] = None
                self.visit(node.value)
                self.visit(node.target)
            case gast.AnnAssign():
                if node.value is not None:
                    self.visit(node.value)
                    self.visit(node.target)
            case gast.NamedExpr():
                self.visit(node.value)
                self.visit(node.target)
            case gast.For() | gast.AsyncFor():
                self.visit(node.iter)
                self.visit(node.target)
                self.each(node.body)
                self.each(node.orelse)
            case gast.FunctionDef() | gast.AsyncFunctionDef():
                self.each(node.decorator_list)
                self.function(node.args, node.body, node.returns)
                self.bound[node.name] = None
            case gast.Lambda():
                self.function(node.args, [node.body])
            case gast.ListComp() | gast.SetComp() | gast.GeneratorExp():
                self.comprehension(node.generators, [node.elt])
            case gast.DictComp():
                self.comprehension(node.generators, [node.key, node.value])
            case gast.Import() | gast.ImportFrom():
                for alias in node.names:
                    self.bound[_bound_by_import(alias)] = None
            case gast.ClassDef():
                self.each([*node.decorator_list, *node.bases, *node.keywords, *node.body])
                self.bound[node.name] = None
            case _:
                for field in node._fields:
                    value = getattr(node, field, None)
                    if isinstance(value, list):
                        self.each(v for v in value if isinstance(v, gast.AST))
                    elif isinstance(value, gast.AST):
                        self.visit(value)

    def function(self, args: gast.arguments, body: list[Any], returns: Any = None) -> None:
        self.each([*args.defaults, *(d for d in args.kw_defaults if d is not None)])
        parameters = parameter_nodes(args)
        self.each(p.annotation for p in parameters if p.annotation is not None)
        if returns is not None:
            self.visit(returns)
        inner = _Walk()
        inner.each(body)
        outer = declared_outside(body)
        local = {p.id for p in parameters} | (inner.bound.keys() - outer)
        self.read.update({name: None for name in inner.read if name not in local})

    def comprehension(self, generators: list[Any], results: list[Any]) -> None:
        # The first iterable is evaluated outside.
        self.visit(generators[0].iter)
        targets = _Walk()
        targets.each(g.target for g in generators)
        inner = _Walk()
        inner.read.update(targets.read)
        for k, g in enumerate(generators):
            if k:
                inner.visit(g.iter)
            inner.each(g.ifs)
        inner.each(results)
        self.bound.update(inner.bound)
        self.read.update({name: None for name in inner.read if name not in targets.bound})


def walrus_names(node: gast.GeneratorExp) -> set[str]:
    """The names that `:=` in a generator expression binds: they belong to the function around."""
    return {part.target.id for part in gast.walk(node) if isinstance(part, gast.NamedExpr)}


def parameter_nodes(args: gast.arguments) -> list[gast.Name]:
    """The parameters of a function, in the order of its signature."""
    nodes = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    return [node for node in nodes if node is not None]


def declared_outside(body: list[Any]) -> set[str]:
    """Names that `global` or `nonlocal` says are not local, nested functions left out."""
    names: set[str] = set()
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, gast.Global | gast.Nonlocal):
            names.update(node.names)
        elif not isinstance(node, gast.FunctionDef | gast.Lambda | gast.ClassDef):
            pending.extend(gast.iter_child_nodes(node))
    return names


def _bound_by_import(alias: gast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]
