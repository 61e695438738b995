"""How a call of one of Python's own functions gets a meaning.

A `Meaning` takes the resolver, the arguments and the keywords, all of them abstract, and gives the
abstract result; `NotImplemented` hands the call back. The tables `MEANING` of other modules go from
functions to these; `known_functions` unites them. Here is what they share: `bind` for arguments,
and `run`, which calls a function that `prelude` has in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from adcompiler.ir import prelude
from adcompiler.ir.nodes import Constant
from adcompiler.ir.parse import Tree, parse

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

Meaning = Callable[["Resolver", list, dict], Any]


def is_prelude(tree: Tree) -> bool:
    """Whether a function is one of `prelude`."""
    return tree.globals is vars(prelude)


def run(resolver: Resolver, function: FunctionType, *args: Any) -> Any:
    """A call of a function of `prelude`."""
    return resolver.call(parse(function, generator=True), list(args), {})


def call(resolver: Resolver, function: Any, *args: Any) -> Any:
    return resolver.apply(function, list(args), {})


def bind(
    resolver: Resolver, name: str, args: list, keywords: dict, required: int, **optional: Any
) -> list:
    """Arguments by the position of the optional ones, which may be named."""
    names = list(optional)
    values = list(args)
    if len(values) < required or len(values) > required + len(names) or set(keywords) - set(names):
        raise resolver.error(
            f"`{name}` with these arguments", "its signature is another", "see its documentation"
        )
    for key in names[len(values) - required :]:
        values.append(keywords.get(key, optional[key]))
    return values


NONE = Constant(None)


def truth_of(value: Any) -> bool:
    """Whether an argument is known to be true."""
    return isinstance(value, Constant) and bool(value.value)
