"""From a Python function to its tree: `gast`, in the reduced subset that `exits` describes.

The tree knows nothing of types; what names, calls and indexing mean is for resolving to find out.
Syntax outside the subset is refused here, with its place.

>>> def clipped(x, bound=1.0):
...     if x > bound:
...         return bound
...     return x
>>> tree = parse(clipped)
>>> print(tree.unparse())
def clipped(x, bound=1.0):
    if x > bound:
        result = bound
    else:
        result = x
    return result
>>> tree.quote(tree.node.body[0])
'if x > bound:'
"""

from __future__ import annotations

import ast
import inspect
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, NoReturn

import gast

from adcompiler.errors import Position, SourceError, UnsupportedError
from adcompiler.ir.comprehensions import with_own_names
from adcompiler.ir.desugar import catches, desugar
from adcompiler.ir.exits import Reduction, WhileTest, reduce
from adcompiler.ir.names import (
    all_names,
    assigned_names,
    declared_outside,
    parameter_nodes,
    read_names,
    walrus_names,
)
from adcompiler.ir.source import Definition, Text, locate

__all__ = ["Tree", "WhileTest", "assigned_names", "parse", "read_names"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tree:
    """A function, and its definition in the reduced subset."""

    function: FunctionType | None
    """None for a function that is defined inside another (`nested`)."""
    name: str
    node: gast.FunctionDef
    """Shared by all closures of one definition; not to be changed."""
    file: str
    globals: dict[str, Any]
    closure: Mapping[str, CellType]
    """The cells of the variables of enclosing functions."""
    parameters: tuple[Parameter, ...]
    """With the values of their defaults; in a nested function, with their nodes."""
    locals: frozenset[str]
    """The names that belong to the function, also those that only unreachable code binds."""
    flags: frozenset[str]
    """Names made up to hold `True` or `False`."""
    temporaries: frozenset[str]
    """Names made up to hold the result, and values of chained assignments."""
    tests: Mapping[int, WhileTest]
    """By `id`: each `if` that holds the test of a `while`."""
    stops: Mapping[int, str]
    """By `id` of a loop: the flag of its final `if stop: break`."""
    guarded: bool
    """Whether it catches exceptions."""
    generator: bool
    """Whether calling it makes a generator."""
    closed: str | None
    """Of a generator: the flag that is set at a `yield` after which it is not walked on."""
    cleans_up: bool
    """Whether a generator has something to do then."""
    text: Text
    _code: _Code

    def __repr__(self) -> str:
        return f"Tree({self.name} at {self.file}:{self.node.lineno})"

    def position(self, node: Any) -> Position:
        """Where a node stands in the user's file."""
        return self.text.position(node)

    def quote(self, node: Any) -> str:
        """The user's statement on one line; of a compound statement the header."""
        return self.text.quote(node)

    def source_line(self, node: Any) -> str:
        """The line of the file on which a node starts."""
        return self.text.line(node.lineno)

    def unparse(self) -> str:
        """The reduced function as Python."""
        return ast.unparse(gast.gast_to_ast(self.node))

    def nested(self, node: gast.FunctionDef | gast.Lambda | gast.GeneratorExp) -> Tree:
        """The tree of a function that is defined in this one, or a generator expression.

        It has no cells: its free names are those of this tree and the trees around it.
        """
        code = self._code.nested.get(id(node))
        if code is None:
            definition: Any = node
            if isinstance(node, gast.Lambda):
                definition = _as_function(node)
            elif isinstance(node, gast.GeneratorExp):
                definition = _as_generator(node)
            for statement in definition.body:
                _check(statement, self.text, self._code.known)
            reduction = _reduce(definition, self.text, self._code.names)
            guarded = catches(definition)
            fresh = _Code(self.text, reduction, self._code.names, self._code.known, guarded, {})
            code = self._code.nested.setdefault(id(node), fresh)
        args = code.reduction.node.args
        body = [node.body] if isinstance(node, gast.Lambda) else code.reduction.node.body
        if isinstance(node, gast.FunctionDef):
            body = node.body
        bound = assigned_names(body)
        local = {p.id for p in parameter_nodes(args)} | bound.keys()
        if isinstance(node, gast.GeneratorExp):
            local -= walrus_names(node)
        if isinstance(node, gast.FunctionDef):
            local -= declared_outside(node.body)
        parameters = _node_parameters(args)
        generator = isinstance(node, gast.GeneratorExp) or any(True for _ in yields(node))
        return _tree(code, None, self.globals, {}, parameters, frozenset(local), generator)


def yields(function: Any) -> Iterator[Any]:
    """Each `yield` of a function, not those of functions in it."""
    todo = [function.body] if isinstance(function, gast.Lambda) else list(function.body[::-1])
    while todo:
        node = todo.pop()
        if isinstance(node, (gast.Yield, gast.YieldFrom)):
            yield node
        if not isinstance(node, (gast.FunctionDef, gast.Lambda, gast.ClassDef)):
            todo += list(gast.iter_child_nodes(node))[::-1]


def parse(function: Any, generator: bool = False) -> Tree:
    """The tree of a function or method, as it is when called: decorators that wrap it are not.

    `generator`: a generator function is welcome, as its caller walks it. Raises `SourceError` if
    there is no source, `UnsupportedError` for what is not compiled.
    """
    if isinstance(function, MethodType | staticmethod | classmethod):
        function = function.__func__
    if not isinstance(function, FunctionType):
        raise _no_function(function)
    code = _parsed(function)
    if not generator and function.__code__.co_flags & inspect.CO_GENERATOR:
        message, reason, remedy = _GENERATOR
        place = next((s for s in yields(code.reduction.node)), code.reduction.node)
        raise UnsupportedError(
            message, reason=reason, remedy=remedy, position=code.text.position(place)
        )
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    names = function.__code__.co_varnames + function.__code__.co_cellvars
    return _tree(
        code,
        function,
        function.__globals__,
        dict(cells),
        _parameters(function),
        frozenset(names),
        bool(function.__code__.co_flags & inspect.CO_GENERATOR),
    )


@dataclass(frozen=True, slots=True)
class _Code:
    """What all functions with one code object share."""

    text: Text
    reduction: Reduction
    names: frozenset[str]
    """The user's names, which new ones must avoid."""
    known: frozenset[str]
    """Names that do not mean the builtins."""
    guarded: bool
    """Whether the function catches exceptions."""
    nested: dict[int, _Code]


# By the `id` of the code object: equal ones may stand in different files.
_cache: dict[int, tuple[weakref.ref[CodeType], _Code]] = {}


def _parsed(function: FunctionType) -> _Code:
    code = function.__code__
    entry = _cache.get(id(code))
    if entry is not None and entry[0]() is code:
        return entry[1]
    definition = locate(function)
    text = definition.text
    known = frozenset({*code.co_varnames, *code.co_cellvars, *code.co_freevars})
    known |= {name for name in _DYNAMIC if name in function.__globals__}
    try:
        _check_function(code, definition, known)
        node = gast.ast_to_gast(definition.node)
        if isinstance(node, gast.Lambda):
            node = _as_function(node, definition.name)
        if definition.owner is not None:
            _mangle(node, definition.owner)
        names = frozenset(all_names(node))
        parsed = _Code(text, _reduce(node, text, names), names, known, catches(node), {})
    except RecursionError:
        raise UnsupportedError(
            f"function `{definition.name}`",
            reason="it is nested more deeply than Python's recursion limit allows to read",
            remedy="split long expressions into several statements, long functions into several",
            position=text.position(definition.node),
        ) from None
    key = id(code)
    reference = weakref.ref(code, lambda _: _cache.pop(key, None))
    # Another thread may have been faster: all must see the same nodes.
    return _cache.setdefault(key, (reference, parsed))[1]


def _reduce(node: gast.FunctionDef, text: Text, names: frozenset[str]) -> Reduction:
    def refuse(node: Any, message: str, reason: str, remedy: str) -> NoReturn:
        raise UnsupportedError(message, reason=reason, remedy=remedy, position=text.position(node))

    return reduce(desugar(with_own_names(node), refuse), refuse, names)


def _tree(
    code: _Code,
    function: FunctionType | None,
    module: dict[str, Any],
    closure: dict[str, CellType],
    parameters: tuple[Parameter, ...],
    local: frozenset[str],
    generator: bool,
) -> Tree:
    made = code.reduction
    return Tree(
        function,
        made.node.name,
        made.node,
        code.text.file,
        module,
        closure,
        parameters,
        local,
        made.flags,
        made.temporaries,
        made.tests,
        made.stops,
        code.guarded,
        generator,
        made.closed,
        made.cleans_up,
        code.text,
        code,
    )


def _as_function(node: gast.Lambda, name: str = "function") -> gast.FunctionDef:
    """A lambda as a function that returns its body."""
    body = gast.copy_location(gast.Return(node.body), node.body)
    function = gast.FunctionDef(name, node.args, [body], [], None, None, [])
    return gast.copy_location(function, node)


def _as_generator(node: gast.GeneratorExp) -> gast.FunctionDef:
    """`(e for x in xs if t)` as the generator function that Python makes of it.

    The first iterable is its argument, called `OUTERMOST`.
    """
    body: Any = gast.Expr(gast.Yield(node.elt))
    for k, part in reversed(list(enumerate(node.generators))):
        for test in reversed(part.ifs):
            body = gast.If(test, [body], [])
        items = part.iter if k else gast.Name(OUTERMOST, gast.Load(), None, None)
        body = gast.For(part.target, items, [body], [], None)
    parameter = gast.Name(OUTERMOST, gast.Param(), None, None)
    args = gast.arguments([parameter], [], None, [], [], None, [])
    outside = sorted(walrus_names(node))
    declared = [gast.Nonlocal(outside)] if outside else []
    function = gast.FunctionDef("generator", args, [*declared, body], [], None, None, [])
    for part in gast.walk(function):
        if not hasattr(part, "lineno") and "lineno" in part._attributes:
            gast.copy_location(part, node)
    return function


OUTERMOST = ".0"

# Parameters.


def _parameters(function: FunctionType) -> tuple[Parameter, ...]:
    """As `inspect.signature` gives them, but of this very function, not of what it wraps."""
    code = function.__code__
    count, keywords = code.co_argcount, code.co_kwonlyargcount
    names = iter(code.co_varnames)
    parameters = []
    defaults = function.__defaults__ or ()
    first = count - len(defaults)
    for k in range(count):
        positional = k < code.co_posonlyargcount
        kind = Parameter.POSITIONAL_ONLY if positional else Parameter.POSITIONAL_OR_KEYWORD
        default = defaults[k - first] if k >= first else Parameter.empty
        parameters.append(Parameter(next(names), kind, default=default))
    by_keyword = function.__kwdefaults__ or {}
    only = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=by_keyword.get(name, Parameter.empty))
        for name in (next(names) for _ in range(keywords))
    ]
    if code.co_flags & inspect.CO_VARARGS:
        parameters.append(Parameter(next(names), Parameter.VAR_POSITIONAL))
    parameters += only
    if code.co_flags & inspect.CO_VARKEYWORDS:
        parameters.append(Parameter(next(names), Parameter.VAR_KEYWORD))
    return tuple(parameters)


def _node_parameters(args: gast.arguments) -> tuple[Parameter, ...]:
    """The same for a definition: its defaults are nodes."""
    parameters = []
    positional = [*args.posonlyargs, *args.args]
    first = len(positional) - len(args.defaults)
    for k, node in enumerate(positional):
        named = k >= len(args.posonlyargs)
        kind = Parameter.POSITIONAL_OR_KEYWORD if named else Parameter.POSITIONAL_ONLY
        default = args.defaults[k - first] if k >= first else Parameter.empty
        parameters.append(Parameter(node.id, kind, default=default))
    if args.vararg is not None:
        parameters.append(Parameter(args.vararg.id, Parameter.VAR_POSITIONAL))
    for node, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        default = Parameter.empty if default is None else default
        parameters.append(Parameter(node.id, Parameter.KEYWORD_ONLY, default=default))
    if args.kwarg is not None:
        parameters.append(Parameter(args.kwarg.id, Parameter.VAR_KEYWORD))
    return tuple(parameters)


# What is refused.

_DYNAMIC = ("eval", "exec")

_TRY = (
    "`try` with `except*`",
    "groups of exceptions are not followed",
    "test for the problem with `if` before it occurs",
)
_GENERATOR = (
    "`yield`",
    "a generator runs in pieces, between which other code runs",
    "append the values to a list and return it",
)
_SEND = (
    "`yield` whose value is used",
    "what is sent to a generator is decided by other code",
    "pass what it needs as an argument",
)
_ASYNC = (
    "`async` code",
    "what runs between its pieces is not known",
    "await the data first, and differentiate an ordinary function of them",
)
_REFUSED = {
    "TryStar": _TRY,
    "Yield": _SEND,
    "YieldFrom": _SEND,
    "Await": _ASYNC,
    "AsyncFor": _ASYNC,
    "AsyncWith": _ASYNC,
    "AsyncFunctionDef": _ASYNC,
    "ClassDef": (
        "class defined inside a function",
        "each call makes another class, which cannot be known beforehand",
        "define the class at the top of the module",
    ),
    "TypeAlias": (
        "`type` statement inside a function",
        "it has no meaning for values",
        "define the alias at the top of the module",
    ),
}


def _check(node: Any, text: Text, known: frozenset[str]) -> None:
    """Refuse what is not compiled, wherever it stands in a node; nested functions are not read.

    Takes nodes of `ast` and of `gast`, which differ in little more than their classes.
    """
    kind = type(node).__name__
    if kind == "Expr" and type(node.value).__name__ in ("Yield", "YieldFrom"):
        node = node.value  # a statement of its own
        kind = ""
    refused = _REFUSED.get(kind)
    if kind == "Call" and type(node.func).__name__ == "Name":
        called = node.func.id
        if called in _DYNAMIC and called not in known:
            refused = (
                f"call of `{called}`",
                "the code that it runs is a value, known only at run time",
                "write the code out, or pass a function",
            )
    if refused is not None:
        message, reason, remedy = refused
        raise UnsupportedError(message, reason=reason, remedy=remedy, position=text.position(node))
    if kind not in ("FunctionDef", "Lambda"):
        for child in ast.iter_child_nodes(node):
            _check(child, text, known)


def _check_function(code: CodeType, definition: Definition, known: frozenset[str]) -> None:
    node, text = definition.node, definition.text
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    if not isinstance(node, ast.AsyncFunctionDef):
        for statement in body:
            _check(statement, text, known)
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        message, reason, remedy = _ASYNC
        raise UnsupportedError(message, reason=reason, remedy=remedy, position=text.position(node))


def _no_function(thing: Any) -> SourceError:
    name = getattr(thing, "__qualname__", None) or repr(thing)
    if isinstance(thing, type):
        return SourceError(
            f"class `{name}`",
            reason="a class is not a function with source",
            remedy="differentiate a function that makes the object and calls its methods",
        )
    if inspect.isroutine(thing):
        return SourceError(
            f"`{name}`",
            reason="it is built in or compiled: there is no Python source to read",
            remedy="call it from a function written in Python",
        )
    return SourceError(
        f"object of type `{type(thing).__qualname__}`",
        reason="only functions and methods written in Python have source",
        remedy="differentiate a function that calls it: `def f(x): return thing(x)`",
    )


# Private names.


def _mangle(function: gast.FunctionDef, owner: str) -> None:
    """Spell `__x` as `_Owner__x`, as Python does in the body of a class."""
    owner = owner.lstrip("_")
    if not owner:
        return

    def mangled(name: str | None) -> str | None:
        if name is None or not name.startswith("__") or name.endswith("__") or "." in name:
            return name
        return f"_{owner}{name}"

    for node in gast.walk(function):
        match node:
            case gast.Name():
                node.id = mangled(node.id)
            case gast.Attribute():
                node.attr = mangled(node.attr)
            case gast.FunctionDef() if node is not function:
                node.name = mangled(node.name)
            case gast.keyword():
                node.arg = mangled(node.arg)
            case gast.Global() | gast.Nonlocal():
                node.names = [mangled(name) for name in node.names]
            case gast.alias() if node.asname is not None:
                node.asname = mangled(node.asname)
            case gast.alias() if mangled(node.name) != node.name:
                node.asname = mangled(node.name)
