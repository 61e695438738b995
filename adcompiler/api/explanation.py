"""What the backward sweep of a derivative costs: what is saved and why, and what is inactive.

All of it is read off the program as it is emitted: a value is saved by an `Append` to a list that
the backward sweep pops from, and statements of the backward sweep that repeat one of the forward
sweep compute or load a value again.

>>> from adcompiler import grad
>>> def power(x, n):
...     y = 1.0
...     for _ in range(n):
...         y = y * x
...     return y
>>> for line in grad(power).explain(2.0, 3).splitlines()[:6]:
...     print(line)
Gradient of power with respect to x.
compiled for 1 signature; this one: (x: float, n: int)
<BLANKLINE>
saved for the backward sweep:
    on each trip of `for _ in range(n):`
        y  8 bytes  value: read by the reverse of `y = y * x`; carried from trip to trip
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.analysis.activity import Activity, memory_classes
from adcompiler.api.stages import Again, plain_lengths
from adcompiler.ir import types as T
from adcompiler.ir.dump import show_callable, show_constant, show_type
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
from adcompiler.passes.calls import called
from adcompiler.passes.simplify import operand_key

if TYPE_CHECKING:
    from adcompiler.api.derivative import Derivative, Specialisation


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
    if derivative.backend != "numpy":
        lines.append(backend_line(found))
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


def backend_line(found: Specialisation) -> str:
    """Which backend runs, and why if it is not the one that was asked for."""
    if found.unsupported is not None:
        return f"runs on the NumPy backend: {found.unsupported} has no loop lowering"
    trouble = found.loops.trouble if found.loops is not None else None
    if trouble is not None and found.loops is not None and found.loops.broken:
        return f"runs on the NumPy backend: {trouble}"
    return "runs as loops" + (f"; on the NumPy backend: {trouble}" if trouble else "")


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
                row = [self.title(made.value), size_of(made.value), self.reason(stack, made)]
                groups.setdefault(self.loops[made], []).append(row)
        for loops, rows in groups.items():
            trips = " in ".join(whose(loop) for loop in reversed(loops))
            yield f"on each trip of {trips}" if loops else "once"
            widths = [max(len(row[k]) for row in rows) for k in range(2)]
            for name, size, reason in rows:
                yield f"    {name:<{widths[0]}}  {size:<{widths[1]}}  {reason}"

    def title(self, value: Operand) -> str:
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
            expression = self.expression(made)
            shown = "it" if expression == self.title(value) else f"`{expression}`"
            return f"computing {shown} again is taken to cost more"
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
                text = value.name or self.text(value)
                text = f"result of `{quoted(made)}`" if text == "..." else text
                rows[f"{text}  {size_of(value)}"] = None
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
                    path = ", ".join(self.text(part, depth - 1) for part in made.path)
                    holder = self.text(made.ref, depth - 1)
                    return f"{holder}[{path}]" if path else holder
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
            pair = (
                f"({text})" if self.is_infix(arg) and text != "..." else text
                for arg, text in zip(op.args, args, strict=True)
            )
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
                    text = re.sub(r"#\d+", "?", plain_lengths(repr(dim)))
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


__all__ = ["explain"]
