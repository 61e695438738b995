"""Statements of more than one part: `raise`, `assert`, `def`, `import`, `global`.

`Resolver.execute` says which statement is read by what. Loops are in `loops`, assignments in
`assignment`, `with` is in `contexts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gast

from adcompiler.ir import expressions
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure
from adcompiler.ir.nodes import Constant, Op, Raise, Value
from adcompiler.ir.parse import assigned_names

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def assertion(resolver: Resolver, node: gast.Assert) -> None:
    def fail() -> None:
        resolver.add(Raise(raised(resolver, AssertionError, node.msg)))
        resolver.dead = True

    resolver.branch(expressions.test(resolver, node.test), lambda: None, fail)


def raised(resolver: Resolver, cls: type, message: Any) -> Any:
    args = [] if message is None else [resolver.eval(message)]
    out = resolver.value(T.Object(cls))
    resolver.add(Op(cls, args, {}, [out]))
    return out


def exception(resolver: Resolver, node: gast.Raise) -> Any:
    exc = node.exc
    if isinstance(exc, gast.Call):
        cls = resolver.eval(exc.func)
        if isinstance(cls, Constant) and isinstance(cls.value, type):
            args = [resolver.operand(arg) for arg in expressions.elements(resolver, exc.args)]
            named = {k.arg: resolver.operand(resolver.eval(k.value)) for k in exc.keywords}
            out = resolver.value(T.Object(cls.value))
            resolver.add(Op(cls.value, args, named, [out]))
            return out
    elif exc is not None:
        value = resolver.eval(exc)
        known = value.type if isinstance(value, Value) else None
        if isinstance(known, T.Object) and issubclass(known.cls, BaseException):
            return value
        if isinstance(value, Constant):
            return value
    raise resolver.unsupported(node, "`raise` of this form", "", "raise SomeError('text')")


def global_(resolver: Resolver, node: gast.Global) -> None:
    """`global`: to read is fine."""
    body = resolver.frame.tree.node.body
    bound = {name: None for name in node.names if name in assigned_names(body)}
    if bound:
        raise resolver.unsupported(
            node,
            f"`global {', '.join(bound)}` that is assigned",
            "a derivative call must not change what its caller holds",
            "pass the value in and return the new one",
        )


def define(resolver: Resolver, node: gast.FunctionDef) -> None:
    tree = resolver.frame.tree.nested(node)
    args = node.args
    defaults = tuple(resolver.eval(d) for d in args.defaults)
    keyword_defaults = {
        a.id: resolver.eval(d)
        for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if d is not None
    }
    value: Any = Closure(tree, resolver.frame, defaults, keyword_defaults)
    for decorator in reversed(node.decorator_list):
        value = resolver.apply(resolver.eval(decorator), [value], {})
    resolver.frame.env[node.name] = value


def import_(resolver: Resolver, node: Any) -> None:
    import importlib

    for alias in node.names:
        if isinstance(node, gast.ImportFrom):
            package = resolver.frame.tree.globals.get("__package__")
            module = importlib.import_module("." * node.level + (node.module or ""), package)
            value = getattr(module, alias.name)
        else:
            value = importlib.import_module(alias.name)
            if alias.asname is None and "." in alias.name:
                value = importlib.import_module(alias.name.split(".")[0])
        resolver.frame.env[alias.asname or alias.name.split(".")[0]] = resolver.constant(value)
