"""The names that list comprehensions bind, told apart from those of the function around.

A list comprehension is evaluated in the frame of its function, where its items may stay of known
structure.  To Python it is a scope of its own: in

    def f(x, rows):
        def scale(): return 2 * x
        return [scale() * x for x in rows]

`scale` reads the parameter, not the `x` of the comprehension.  Where another scope might tell the
difference, the comprehension's name becomes one that nothing else has.
"""

from __future__ import annotations

import copy
from typing import Any

import gast

from adcompiler.ir.names import (
    Fresh,
    all_names,
    assigned_names,
    declared_outside,
    parameter_nodes,
)

_FUNCTIONS = (gast.FunctionDef, gast.AsyncFunctionDef, gast.Lambda)
_SCOPES = (*_FUNCTIONS, gast.GeneratorExp, gast.SetComp, gast.DictComp)


def with_own_names(function: gast.FunctionDef) -> gast.FunctionDef:
    """The function with other names in those comprehensions; itself if none needs them."""
    comprehensions: list[Any] = []
    elsewhere = declared_outside(function.body)
    todo: list[Any] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, _SCOPES):
            elsewhere |= all_names(node)
        if isinstance(node, gast.ListComp):
            comprehensions.append(node)
        if not isinstance(node, _FUNCTIONS):  # they are looked at when they are read themselves
            todo.extend(gast.iter_child_nodes(node))
    if not any(elsewhere & bound_by(node) for node in comprehensions):
        return function
    made = copy.deepcopy(function)
    renaming = _Renaming(elsewhere, Fresh(all_names(function)))
    made.body = [renaming.visit(line) for line in made.body]
    return made


def bound_by(comprehension: Any) -> set[str]:
    return set(assigned_names(generator.target for generator in comprehension.generators))


class _Renaming(gast.NodeTransformer):
    def __init__(self, elsewhere: set[str], fresh: Fresh) -> None:
        self.elsewhere = elsewhere
        """Names that other scopes mention."""
        self.fresh = fresh
        self.new: dict[str, str] = {}
        """What names are called here, if not as they are written."""

    def visit_Name(self, node: Any) -> Any:
        node.id = self.new.get(node.id, node.id)
        return node

    def visit_ListComp(self, node: Any) -> Any:
        return self.comprehension(node, bound_by(node) & self.elsewhere)

    def visit_GeneratorExp(self, node: Any) -> Any:
        return self.comprehension(node, set())

    visit_SetComp = visit_DictComp = visit_GeneratorExp

    def comprehension(self, node: Any, renamed: set[str]) -> Any:
        first, *rest = node.generators
        first.iter = self.visit(first.iter)  # it is evaluated outside
        outer, hidden = self.new, bound_by(node)
        self.new = {name: new for name, new in outer.items() if name not in hidden}
        self.new.update((name, self.fresh(name)) for name in sorted(renamed))
        first.target = self.visit(first.target)
        first.ifs = [self.visit(test) for test in first.ifs]
        node.generators = [first, *map(self.visit, rest)]
        for part in ("elt", "key", "value"):
            if hasattr(node, part):
                setattr(node, part, self.visit(getattr(node, part)))
        self.new = outer
        return node

    def visit_Lambda(self, node: Any) -> Any:
        return self.function(node, [node.body])

    def visit_FunctionDef(self, node: Any) -> Any:
        return self.function(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def function(self, node: Any, body: list[Any]) -> Any:
        """What a nested function binds is its own."""
        if not self.new:
            return node
        outer, elsewhere = self.new, self.elsewhere
        args = node.args
        args.defaults = [self.visit(default) for default in args.defaults]
        args.kw_defaults = [d and self.visit(d) for d in args.kw_defaults]
        own = {p.id for p in parameter_nodes(args)} | set(assigned_names(body))
        own -= declared_outside(body)
        self.new = {name: new for name, new in outer.items() if name not in own}
        self.elsewhere = set()
        if isinstance(node.body, list):
            node.body = [self.visit(line) for line in node.body]
        else:
            node.body = self.visit(node.body)
        self.new, self.elsewhere = outer, elsewhere
        return node
