"""`with`: what a context manager does to the values in its block.

Some managers leave values alone and are dropped. Those of the user's classes run their `__enter__`
and `__exit__`; a `contextlib.contextmanager` is a generator, and the block stands in place of its
`yield`. A manager that swallows exceptions is followed as far as none is raised: those that are go
through to the caller, as with `try`. An exception that a `try` around catches may leave the block
only if the manager does the same then as at the end of the block.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import textwrap
import types as python_types
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast
import numpy as np

from adcompiler.ir import assignment, expressions, generators, instances
from adcompiler.ir.abstract import Instance
from adcompiler.ir.meaning import Meaning
from adcompiler.ir.nodes import Constant
from adcompiler.ir.parse import parse

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

SILENT = (np.errstate, np.printoptions, warnings.catch_warnings, contextlib.suppress)
"""Managers that change nothing but what is printed, warned of or raised."""


def run(resolver: Resolver, node: gast.With, items: list, body: Callable[[], None]) -> None:
    """`with items: body`."""
    resolver.managers.append(None)
    try:
        _run(resolver, node, items, body)
    finally:
        resolver.managers.pop()


def left_by_an_exception(resolver: Resolver, count: int) -> Constant:
    """An exception that is caught leaves so many blocks."""
    for name in filter(None, resolver.managers[-count:]):
        raise resolver.error(
            "an exception that leaves a `with` and is caught",
            f"what `{name}` does then is not what it does at the end of the block",
            "let `__exit__` not read its arguments, or end a context manager with "
            "`try: yield ... finally: ...`",
        )
    return Constant(None)


def _minds(resolver: Resolver, node: gast.With, name: str) -> None:
    """The manager of this name does something else if an exception leaves the block."""
    resolver.managers[-1] = resolver.managers[-1] or name
    may_be_closed = bool(resolver.consumers) and resolver.consumers[-1].stop is not None
    if may_be_closed and any(isinstance(part, gast.Yield) for part in gast.walk(node)):
        raise resolver.error(
            "`yield` inside a `with`",
            f"what `{name}` does if the loop is left early is not what it does at the end",
            "yield outside of the block, or walk the generator to its end",
        )


def _run(resolver: Resolver, node: gast.With, items: list, body: Callable[[], None]) -> None:
    if not items:
        body()
        return
    item, *rest = items

    def inside() -> None:
        _run(resolver, node, rest, body)

    def bind(value: Any) -> None:
        if item.optional_vars is not None:
            assignment.assign(resolver, item.optional_vars, value)

    context = item.context_expr
    if isinstance(context, gast.Call):
        fn = resolver.eval(context.func)
        if isinstance(fn, Constant) and fn.value in SILENT:
            _check_silent(resolver, node, fn.value, context)
            inside()
            return
        if isinstance(fn, Constant) and fn.value is contextlib.nullcontext:
            bind(resolver.eval(context.args[0]) if context.args else Constant(None))
            inside()
            return
        generator = _generator_of(resolver, fn, context)
        if generator is not None:
            if not _only_cleans_up(generator.tree.function):
                _minds(resolver, node, generator.tree.name)
            _in_place_of_yield(resolver, generator, bind, inside)
            return
    manager = resolver.eval(context)
    if isinstance(manager, Constant) and isinstance(manager.value, np.errstate):
        inside()
        return
    if not isinstance(manager, Instance):
        raise resolver.unsupported(
            node,
            "`with` statement",
            "only np.errstate, np.printoptions, warnings.catch_warnings, contextlib.nullcontext, "
            "contextlib.suppress and managers written in Python are followed",
            "take the context manager out of the differentiated function",
        )
    entered = instances.method(resolver, manager, "__enter__", [], {})
    if entered is NotImplemented:
        raise resolver.error(f"`with` of a `{manager.cls.__name__}`", "it has no `__enter__`")
    bind(entered)
    if _reads_exceptions(manager.cls):
        _minds(resolver, node, manager.cls.__name__)
    inside()
    if not resolver.dead:
        instances.method(resolver, manager, "__exit__", [Constant(None)] * 3, {})


def _check_silent(resolver: Resolver, node: gast.With, manager: Any, call: gast.Call) -> None:
    """Refuse what makes exceptions of warnings: the derivative would not raise them."""
    for keyword in call.keywords:
        value = resolver.eval(keyword.value)
        known = isinstance(value, Constant)
        if manager is np.errstate and (not known or value.value in ("raise", "call")):
            raise resolver.unsupported(
                node,
                "`np.errstate` that raises",
                "the derivative does not raise where the function would",
                "test for the case with `if`",
            )
    if manager is contextlib.suppress:
        for part in gast.walk(node):
            if isinstance(part, gast.Raise):
                raise resolver.unsupported(
                    part,
                    "`raise` inside `contextlib.suppress`",
                    "which statements are skipped is not followed",
                    "write `try` and `except`",
                )


def _reads_exceptions(cls: type) -> bool:
    """Whether the `__exit__` of a class is told about exceptions, or may swallow them."""
    found = instances.found_on(cls, "__exit__")
    if not isinstance(found, python_types.FunctionType):
        return True
    node = parse(found).node
    told = [*node.args.posonlyargs, *node.args.args][1:] + [node.args.vararg, node.args.kwarg]
    names = {a.id for a in told if a is not None}
    for part in gast.walk(gast.Module(node.body, [])):
        if isinstance(part, gast.Name) and part.id in names:
            return True
        if isinstance(part, gast.Return) and not (
            part.value is None or isinstance(part.value, gast.Constant) and not part.value.value
        ):
            return True
    return False


def _only_cleans_up(function: python_types.FunctionType) -> bool:
    """Whether a generator ends with `try: ...; yield ...` and `finally`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    last = tree.body[-1] if isinstance(tree, ast.FunctionDef) else None
    if not isinstance(last, ast.Try) or last.handlers or last.orelse:
        return False
    end = last.body[-1]
    return isinstance(end, ast.Expr) and isinstance(end.value, ast.Yield)


def _generator_of(resolver: Resolver, fn: Any, call: gast.Call) -> Any:
    """The generator behind a call of what `contextlib.contextmanager` made; else None."""
    function = fn.value if isinstance(fn, Constant) else None
    wrapped = getattr(function, "__wrapped__", None)
    code = getattr(function, "__code__", None)
    if (
        not isinstance(wrapped, python_types.FunctionType)
        or getattr(code, "co_filename", None) != contextlib.__file__
    ):
        return None
    resolver.guard(function, "__wrapped__", wrapped)
    args, keywords = expressions.arguments(resolver, call)
    return resolver.call(parse(wrapped, generator=True), args, keywords)


def _in_place_of_yield(
    resolver: Resolver, generator: Any, bind: Callable[[Any], None], inside: Callable[[], None]
) -> None:
    given = list(generators.yields_of(generator))
    if len(given) != 1:
        raise resolver.error(
            f"the context manager `{generator.tree.name}`",
            "only those with one `yield` are followed",
            "write it with one `yield`",
        )

    outer = resolver.block
    times: list[bool] = []

    def take(item: Any) -> None:
        if resolver.block is not outer or times:
            raise resolver.error(
                f"the context manager `{generator.tree.name}`",
                "its `yield` stands in a branch or a loop",
                "let it yield once, on every path",
            )
        times.append(True)
        bind(item)
        inside()

    generators.run_for(resolver, generator, take)


def ignored(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`warnings.simplefilter` and its like: a derivative call leaves the caller's filters alone."""
    action = args[0] if args else keywords.get("action", Constant(None))
    if isinstance(action, Constant) and action.value == "error":
        raise resolver.error(
            "warnings made errors",
            "the derivative does not raise where the function would",
            "set the filter outside of the differentiated function",
        )
    return Constant(None)


MEANING: dict[Any, Meaning] = {
    warnings.simplefilter: ignored,
    warnings.filterwarnings: ignored,
    warnings.resetwarnings: ignored,
}
