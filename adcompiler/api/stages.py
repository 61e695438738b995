"""The stages of a derivative as text, and what its backward sweep costs.

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

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import gast
import numpy as np

from adcompiler.analysis.activity import Activity, memory_classes
from adcompiler.api import pipeline
from adcompiler.api.signature import signature_of
from adcompiler.ir import types as T
from adcompiler.ir.dump import dump, show_callable, show_constant, show_type
from adcompiler.ir.nodes import (
    Append,
    Block,
    Constant,
    Function,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Origin,
    Pop,
    Slice,
    Statement,
    Store,
    Value,
    View,
    blocks,
    defined,
    dimension,
    leaves,
    operands,
    substitute,
    walk,
)
from adcompiler.ir.parse import parse
from adcompiler.ir.source import locate
from adcompiler.passes.calls import called
from adcompiler.passes.simplify import operand_key

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
    """The text with integers that have no name (`('int', 107)`) numbered as they appear."""
    numbers: dict[str, str] = {}

    def numbered(match: re.Match) -> str:
        return numbers.setdefault(match[0], f"#{len(numbers) + 1}")

    return re.sub(r"\('int', \d+\)", numbered, text)


# ---------------------------------------------------------------------------------------------
# what the backward sweep needs


def explain(derivative: Derivative, found: Specialisation, count: int) -> str:
    """What is saved and why, what is computed again, what is inactive: one block of text."""
    assert found.ir is not None
    parameters = ", ".join(
        f"{leaf.value.name}: {plain_lengths(show_type(leaf.value.type))}"
        for leaf in found.signature.leaves
    )
    lines = [
        found.ir.doc or found.ir.name,
        f"compiled for {count} signature{'s' if count != 1 else ''}; this one: ({parameters})",
    ]
    sweeps = Sweeps(found.ir)
    if not any(map(is_mirror, sweeps.loops)):
        lines.append("there is no backward sweep, so nothing is saved for one")
    for program in called(found.ir):
        if program.name.endswith("_forward"):
            lines.append(f"calls {program.name}, which returns what its backward sweep reads")
    for title, rows in (
        ("saved for the backward sweep", list(sweeps.saves())),
        ("kept until the backward sweep, as made outside of loops", sweeps.kept()),
        ("computed or loaded again in the backward sweep", sweeps.again()),
        ("inactive", inactive(derivative, found)),
    ):
        lines += ["", f"{title}:"]
        lines += [f"    {row}" for row in rows] or ["    nothing"]
    return "\n".join(lines) + "\n"


@dataclass(eq=False, slots=True)
class Stack:
    """A list that values are appended to, and popped from in the backward sweep."""

    birth: New
    appends: list[Append] = field(default_factory=list)
    pops: list[Pop] = field(default_factory=list)


class Sweeps:
    """A differentiated program, seen as a forward and a backward sweep."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.loops: dict[Statement, tuple[Loop, ...]] = {}
        self.definition: dict[Value, Statement] = {}
        self.carried: set[Value] = set()
        self.indices: set[Value] = set()
        self.readers: dict[Value, list[Statement]] = {}
        self.visit(function.body, ())
        self.stacks = self.find_stacks()
        orders = [s.origin.order for s in self.loops if s.origin is not None]
        self.first_order = max(orders, default=0) <= 1

    def visit(self, block: Block, loops: tuple[Loop, ...]) -> None:
        for statement in block.statements:
            self.loops[statement] = loops
            for value in defined(statement):
                self.definition[value] = statement
            for operand in operands(statement):
                for value in leaves(operand):
                    self.readers.setdefault(value, []).append(statement)
            for inner in blocks(statement):
                deeper = (*loops, statement) if isinstance(statement, Loop) else loops
                if isinstance(statement, Loop):
                    self.carried.update(statement.carried)
                    if statement.index is not None:
                        self.indices.add(statement.index)
                self.visit(inner, deeper)

    def find_stacks(self) -> list[Stack]:
        """Lists that nobody reads but by taking the last item, in a backward sweep."""
        stacks: dict[Value, Stack] = {}
        for statement in self.loops:
            if isinstance(statement, New) and statement.source == []:
                stacks[statement.out] = Stack(statement)
        for value, readers in self.readers.items():
            if value not in stacks:
                continue
            for reader in readers:
                if isinstance(reader, Append) and reader.ref is value:
                    stacks[value].appends.append(reader)
                elif isinstance(reader, Pop) and is_mirror(reader):
                    stacks[value].pops.append(reader)
                else:
                    del stacks[value]
                    break
        return [s for s in stacks.values() if s.appends and s.pops]

    # -- what is saved --------------------------------------------------------------------------

    def saves(self) -> Iterator[str]:
        """A line for each value that is saved, under the loops in whose trips that happens."""
        groups: dict[tuple[Loop, ...], list[list[str]]] = {}
        for stack in self.stacks:
            for made in stack.appends:
                row = [self.title(made), size_of(made.value), self.reason(stack, made)]
                groups.setdefault(self.loops[made], []).append(row)
        for loops, rows in groups.items():
            trips = " in ".join(whose(loop) for loop in reversed(loops))
            yield f"on each trip of {trips}" if loops else "once"
            widths = [max(len(row[k]) for row in rows) for k in range(2)]
            for name, size, reason in rows:
                yield f"    {name:<{widths[0]}}  {size:<{widths[1]}}  {reason}"

    def title(self, made: Append) -> str:
        value = made.value
        name = getattr(value, "name", None)
        if name and not name.endswith("_old"):
            return name
        return self.text(value)

    def reason(self, stack: Stack, made: Append) -> str:
        readers = [r for pop in stack.pops for r in self.readers.get(pop.out, ())]
        undo = [r for r in readers if isinstance(r, Store) and r.value in map(popped, stack.pops)]
        others = [r for r in readers if r not in undo]
        parts = []
        if undo:
            statement = quoted(undo[0])
            parts.append(f"undo: `{statement}` overwrites it, and the sweep back restores it")
        if others or not undo:
            who = list(dict.fromkeys(map(whose, others)))
            reads = f"read by {', '.join(who[:3])}; " if who else ""
            parts.append(f"value: {reads}{self.why_not_again(made.value)}")
        return " and ".join(parts)

    def why_not_again(self, value: Operand) -> str:
        """Why a value was saved rather than made again."""
        made = self.definition.get(value)
        if value in self.carried:
            return "carried from trip to trip"
        if isinstance(made, Load):
            return "its memory changes later"
        if isinstance(made, Pop):
            return "popped from a list"
        if isinstance(made, Op) and made.effect:
            return "another call would give another value"
        if isinstance(made, Op):
            return f"computing `{self.expression(made)}` again is taken to cost more"
        return "it depends on the path taken"

    # -- what is not ------------------------------------------------------------------------------

    def kept(self) -> list[str]:
        """Values of the forward sweep that the backward sweep reads where they are."""
        if not self.first_order:
            return ["(not listed for derivatives of higher order)"]
        ours = {stack.birth.out for stack in self.stacks}
        rows: dict[str, None] = {}
        for value, readers in self.readers.items():
            made = self.definition.get(value)
            if made is None or value in ours or is_mirror(made) or self.loops[made]:
                continue
            if any(is_mirror(reader) for reader in readers) and not isinstance(value.type, T.Ref):
                rows[f"{value.name or self.text(value)}  {size_of(value)}"] = None
        return list(rows)

    def again(self) -> list[str]:
        """What statements of the backward sweep repeat of the forward sweep."""
        if not self.first_order:
            return ["(not listed for derivatives of higher order)"]
        forward: dict[Any, Statement] = {}
        loops: dict[Any, Loop] = {}
        rows: dict[str, None] = {}
        same: dict[Value, Operand] = {}
        for stack in self.stacks:
            for pop in stack.pops:
                same[pop.out] = stack.appends[0].value

        def original(operand: Operand) -> Any:
            return operand_key(substitute(operand, lambda v: same.get(v, v)))

        for statement in self.loops:
            if isinstance(statement, Loop) and statement.domain is not None:
                domain = statement.domain
                key = (place_of(statement), *map(original, (domain.start, domain.stop)))
                if not is_mirror(statement):
                    loops[key] = statement
                elif key in loops:
                    same[statement.index] = loops[key].index  # type: ignore[index]
                continue
            key = repeated_key(statement, original)
            if key is None:
                continue
            if not is_mirror(statement):
                forward.setdefault(key, statement)
            elif key in forward:
                (out,) = defined(statement)
                (first,) = defined(forward[key])
                same[out] = first
                if not isinstance(statement, View):
                    verb = "loaded" if isinstance(statement, Load) else "computed"
                    rows[f"{self.text(first)}  {verb} for {whose(statement)}"] = None
        return list(rows)

    def text(self, operand: Operand, depth: int = 3) -> str:
        """An expression for an operand, for people."""
        match operand:
            case Value(name=name):
                made = self.definition.get(operand)
                if isinstance(made, Load):
                    path = ", ".join(self.text(part, depth - 1) for part in made.path) or "..."
                    return f"{self.text(made.ref, depth - 1)}[{path}]"
                if name:
                    return name
                return self.expression(made, depth) if isinstance(made, Op) and depth else "..."
            case Constant(value=value, name=name):
                return name or show_constant(value)
            case Slice(start=start, stop=stop, step=step):
                parts = [self.text(part, depth - 1) for part in (start, stop, step)]
                parts = ["" if part == "None" else part for part in parts]
                return ":".join(parts if parts[2] else parts[:2])
            case tuple() | list():
                inner = ", ".join(self.text(item, depth - 1) for item in operand)
                comma = "," if len(operand) == 1 else ""
                return f"({inner}{comma})" if isinstance(operand, tuple) else f"[{inner}]"
        return str(operand)

    def expression(self, op: Op, depth: int = 3) -> str:
        """What an operation computes, whether or not its result has a name."""
        args = [self.text(arg, depth - 1) for arg in op.args]
        if op.fn in SYMBOLS and len(args) == 2:
            pair = (f"({t})" if self.is_infix(a) else t for a, t in zip(op.args, args, strict=True))
            return f" {SYMBOLS[op.fn]} ".join(pair)
        if op.fn is operator.getitem:
            return f"{args[0]}[{args[1].strip('()').rstrip(',')}]"
        if op.fn is dimension:
            return f"{args[0]}.shape[{args[1]}]"
        return f"{show_callable(op.fn)}({', '.join(args)})"

    def is_infix(self, operand: Operand) -> bool:
        made = self.definition.get(operand) if isinstance(operand, Value) else None
        return isinstance(made, Op) and made.fn in SYMBOLS and not operand.name


SYMBOLS = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/",
    operator.pow: "**", operator.floordiv: "//", operator.mod: "%", operator.matmul: "@",
    operator.iadd: "+", operator.isub: "-", operator.imul: "*", operator.itruediv: "/",
    operator.gt: ">", operator.ge: ">=", operator.lt: "<", operator.le: "<=", operator.eq: "==",
}  # fmt: skip


def is_mirror(statement: Statement) -> bool:
    return statement.origin is not None and statement.origin.mirror


def popped(pop: Pop) -> Value:
    return pop.out


def quoted(statement: Statement) -> str:
    """The user's statement that this one stems from."""
    return statement.origin.text.strip().partition("\n")[0] if statement.origin else "?"


def whose(statement: Statement) -> str:
    return f"{'the reverse of ' if is_mirror(statement) else ''}`{quoted(statement)}`"


def place_of(statement: Statement) -> Any:
    origin: Origin | None = statement.origin
    return (origin.position, origin.text) if origin is not None else None


def repeated_key(statement: Statement, original: Callable[[Operand], Any]) -> Any:
    """What makes two statements compute the same; None where that is not asked."""
    match statement:
        case Load(ref=ref, path=path):
            return ("load", original(ref), original(path))
        case View(fn=fn, ref=ref, args=args):
            return ("view", fn, original(ref), original(args))
        case Op(fn=fn, args=args, keywords=keywords, outs=[_], effect=False):
            if not any(isinstance(v, Value) for arg in args for v in leaves(arg)):
                return None
            named = tuple((k, original(v)) for k, v in sorted(keywords.items()))
            return ("op", fn, original(args), named)
    return None


def size_of(operand: Operand) -> str:
    """How many bytes a value takes, in words."""
    if not isinstance(operand, Value):
        return "a constant"
    if T.is_ref(operand.type):
        return "a reference"
    match operand.type:
        case T.Scalar(kind=kind, dtype=dtype):
            sizes = {"bool": 1, "int": 8, "float": 8, "complex": 16}
            return shown_bytes(np.dtype(dtype).itemsize if dtype else sizes[kind])
        case T.Array(dtype=dtype, shape=shape) if shape is not None:
            constant = np.dtype(dtype).itemsize
            factors = []
            for dim in shape:
                if dim.constant is not None:
                    constant *= dim.constant
                else:
                    text = plain_lengths(repr(dim))
                    factors.append(f"({text})" if " " in text and "(" not in text else text)
            return " x ".join([shown_bytes(constant), *factors])
    return "of unknown size"


def shown_bytes(count: int) -> str:
    return f"{count} byte{'s' if count != 1 else ''}"


def inactive(derivative: Derivative, found: Specialisation) -> list[str]:
    """Parameters and names that carry no derivative, and why."""
    again = Again(derivative, found)
    wanted = again.wanted()
    rows: list[str] = []

    def watch(stage: str, function: Function) -> None:
        if stage == "ir" and not rows:
            rows.extend(inactive_names(function, wanted, derivative.has_aux))

    again.run(watch)
    return rows


def inactive_names(function: Function, wanted: set[Value], has_aux: bool) -> Iterator[str]:
    counted = function.body.results[:1] if has_aux else function.body.results
    results = [v for result in counted for v in leaves(result)]
    graph = Activity(function, memory_classes(function))
    active, varied = graph.active(wanted, results), graph.varied(wanted)
    named: dict[str, list[Value]] = {}
    for statement in walk(function.body):
        for value in defined(statement):
            if value.name and T.is_float(value.type):
                named.setdefault(value.name, []).append(value)
    for param in function.params:
        if not T.is_float(param.type):
            yield f"parameter {param.name}: {plain_lengths(show_type(param.type))}"
        elif param not in wanted:
            yield f"parameter {param.name}: its derivative is not asked for"
        elif not active(param):
            yield f"parameter {param.name}: it does not reach the result"
    names = {param.name for param in function.params}
    for name, values in named.items():
        if name in names or any(map(active, values)):
            continue
        if any(map(varied, values)):
            yield f"{name}: it does not reach the result"
        else:
            yield f"{name}: no differentiated argument reaches it"


__all__ = ["STAGES", "explain", "show_function", "show_stage"]
