"""The stages of a derivative as text.

Nothing here is kept when code is compiled: a stage is shown by running the pipeline once more, for
the same signature, with someone watching.

>>> from adcompiler import grad
>>> def cube(x):
...     y = x * x
...     return y * x
>>> print(grad(cube).source(2.0, stage="types"), end="")
x  float
y  float
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import gast

from adcompiler.api import pipeline
from adcompiler.api.signature import signature_of
from adcompiler.ir import types as T
from adcompiler.ir.dump import dump, show_type
from adcompiler.ir.nodes import (
    Constant,
    Function,
    Loop,
    Value,
    defined,
    walk,
)
from adcompiler.ir.parse import parse
from adcompiler.ir.source import locate
from adcompiler.passes.calls import called

if TYPE_CHECKING:
    from adcompiler.api.derivative import Derivative, Specialisation

STAGES = {
    "ast": "the function as it was parsed",
    "tree": "the same in the reduced subset, as Python",
    "ir": "values and memory, before differentiating",
    "types": "the type of each name",
    "adjoint": "the derivative, before it is optimised",
    "optimised": "the derivative, after",
    "source": "the derivative as Python",
}


WIDTH = 88


def show_stage(derivative: Derivative, found: Specialisation, stage: str) -> str:
    """The text of one of `STAGES`."""
    if stage == "source":
        return found.text
    if stage in ("ast", "tree"):
        return show_function(derivative.base, stage)
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}: use one of {', '.join(map(repr, STAGES))}")
    texts: dict[str, list[str]] = {}

    def watch(at: str, function: Function) -> None:
        # The passes change a function in place, so it is written down now.
        if at == stage:
            programs = [dump(f) for f in (*called(function), function)]
            texts.setdefault(at, []).append(plain_lengths("\n".join(programs)))
        if at == "ir" and stage == "types":
            texts.setdefault("types", []).append(plain_lengths(type_table(function)))

    Again(derivative, found).run(watch)
    return "\n".join(texts.get(stage, ()))


def show_function(function: Callable, stage: str) -> str:
    """The stages that do not depend on a signature: "ast" and "tree"."""
    if stage == "tree":
        return parse(function).unparse() + "\n"
    plain: Any = function
    if isinstance(plain, MethodType | staticmethod | classmethod):
        plain = plain.__func__
    if not isinstance(plain, FunctionType):
        parse(plain)  # says why it has no source
    return show_node(gast.ast_to_gast(locate(plain).node)) + "\n"


def show_node(node: Any, indent: str = "") -> str:
    """A syntax tree, one node to a line unless several fit; empty fields are left out."""
    deeper = indent + "  "
    if isinstance(node, gast.AST):
        shown = [
            f"{name}={show_node(part, deeper)}"
            for name, part in gast.iter_fields(node)
            if part is not None and part != []
        ]
        opening, closing = f"{type(node).__name__}(", ")"
    elif isinstance(node, list):
        shown = [show_node(part, deeper) for part in node]
        opening, closing = "[", "]"
    else:
        return repr(node)
    line = f"{opening}{', '.join(shown)}{closing}"
    if len(indent) + len(line) <= WIDTH and "\n" not in line:
        return line
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(shown) + closing


class Again:
    """The pipeline, to be run once more for the signature of a specialisation."""

    def __init__(self, derivative: Derivative, found: Specialisation) -> None:
        examples = {leaf.value: leaf.example for leaf in found.signature.leaves}
        signature = found.signature
        self.derivative = derivative
        self.args = tuple(concrete(arg, examples) for arg in signature.args)
        self.keywords = {k: concrete(arg, examples) for k, arg in signature.keywords.items()}
        static = frozenset(derivative._static)
        names = derivative.parameter_names()
        self.signature = signature_of(names, self.args, self.keywords, static)

    def run(self, watch: Callable[[str, Function], None]) -> None:
        token = pipeline.WATCHING.set(watch)
        try:
            self.derivative.lower(self.signature, self.args, self.keywords)
        finally:
            pipeline.WATCHING.reset(token)

    def wanted(self) -> set[Value]:
        """The parameters that are differentiated."""
        leaves = self.signature.leaves
        if self.derivative.mode in ("grad", "value_and_grad"):
            chosen = self.derivative.chosen(self.args, self.keywords)
            leaves = self.derivative.wanted(self.signature, chosen)
        return {leaf.value for leaf in leaves if T.is_float(leaf.value.type)}


def concrete(argument: Any, examples: dict[Value, Any]) -> Any:
    """An argument that has the abstract value `argument`."""
    if isinstance(argument, Value):
        return examples[argument]
    if isinstance(argument, Constant):
        return argument.value
    if isinstance(argument, tuple | list):
        items = [concrete(item, examples) for item in argument]
        return type(argument)(*items) if hasattr(argument, "_fields") else type(argument)(items)
    if isinstance(argument, dict):
        return {key: concrete(item, examples) for key, item in argument.items()}
    return argument


def type_table(function: Function) -> str:
    """The types of all names, in the order in which they appear."""
    rows: dict[str, dict[str, None]] = {}

    def note(value: Value) -> None:
        if value.name:
            kind = show_type(T.target(value.type))
            kind += ", written" if T.is_ref(value.type) else ""
            rows.setdefault(value.name, {})[kind] = None

    for value in function.params:
        note(value)
    for statement in walk(function.body):
        if isinstance(statement, Loop):
            for value in statement.body.params:
                note(value)
        for value in defined(statement):
            note(value)
    width = max(map(len, rows), default=0)
    return "".join(f"{name:<{width}}  {' | '.join(kinds)}\n" for name, kinds in rows.items())


def plain_lengths(text: str) -> str:
    """The text with lengths for people, and with those that have no name numbered as they appear.

    >>> plain_lengths("float64[('pos', len(x) - 1), ('slice', len(x), ('int', 107), None, None)]")
    'float64[max(0, len(x) - 1), len(#1: of len(x))]'
    """
    numbers: dict[str, str] = {}

    def atom(parts: list[str]) -> str:
        match parts:
            case ["'pos'", dim]:
                return f"max(0, {dim})"
            case ["'slice'", length, *bounds]:
                start, stop, step = ("" if part == "None" else part for part in bounds)
                return f"len({start}:{stop}{step and ':'}{step} of {length})"
        return numbers.setdefault(", ".join(parts), f"#{len(numbers) + 1}")

    def convert(start: int, closing: str) -> tuple[list[str], int]:
        """The parts between commas from `start` on, and where the bracket closes."""
        parts, piece, at = [], "", start
        while at < len(text) and (not closing or text[at] != closing):
            if text.startswith("('", at):
                inner, at = convert(at + 1, ")")
                piece += atom([part.strip() for part in inner])
            elif closing and text[at] in "([":
                inner, end = convert(at + 1, ")" if text[at] == "(" else "]")
                piece += text[at] + ",".join(inner) + text[end]
                at = end
            elif closing and text[at] == ",":
                parts.append(piece)
                piece = ""
            else:
                piece += text[at]
            at += 1
        return [*parts, piece], at

    return convert(0, "")[0][0]


__all__ = ["STAGES", "Again", "plain_lengths", "show_function", "show_stage"]
