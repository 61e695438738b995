"""The IR as text, one line per statement, for people and for error messages.

Values are numbered in the order in which they appear, so that the text of a program is the same in
every run.

>>> import operator
>>> from adcompiler.ir.nodes import Block, Constant, Function, Op, Value
>>> from adcompiler.ir.types import FLOAT
>>> x, y = Value("x", FLOAT), Value(None, FLOAT)
>>> print(dump(Function("twice", Block([x], [Op(operator.mul, [2, x], {}, [y])], [y]))), end="")
def twice(%x.1: float):
    %2: float = mul(2, %x.1)
    return %2
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    If,
    Load,
    Loop,
    New,
    Op,
    Operand,
    Pop,
    Raise,
    Slice,
    Statement,
    Store,
    Value,
    View,
)
from adcompiler.ir.types import Array, List, Object, Ref, Scalar, Tuple

ORIGIN_COLUMN = 64


def dump(function: Function) -> str:
    return "".join(f"{line}\n" for line, _ in Dump().function(function))


class Dump:
    """Shows a function; `operand` names values as the text of that function does."""

    def __init__(self) -> None:
        self.numbers: dict[Value, int] = {}

    def function(self, function: Function) -> Iterator[tuple[str, Statement | None]]:
        """The lines of the text, each with the statement that it shows."""
        params = ", ".join(map(self.typed, function.params))
        yield f"def {function.name}({params}):", None
        yield from self.block(function.body, 1)
        yield f"    return {', '.join(map(self.operand, function.body.results))}", None

    def block(self, block: Block, depth: int) -> Iterator[tuple[str, Statement | None]]:
        indent = "    " * depth
        for statement in block.statements:
            line = indent + self.head(statement)
            origin = statement.origin
            if origin is not None:
                mark = "reverse of " if origin.mirror else ""
                quoted = origin.text.strip().partition("\n")[0]
                line = f"{line:<{ORIGIN_COLUMN}}  # {mark}{quoted}"
            yield line, statement
            match statement:
                case If(then=then, orelse=orelse):
                    yield from self.block(then, depth + 1)
                    yield self.end(depth, "yield", then.results), None
                    yield f"{indent}else:", None
                    yield from self.block(orelse, depth + 1)
                    yield self.end(depth, "yield", orelse.results), None
                case Loop(body=body, stops=stops):
                    yield from self.block(body, depth + 1)
                    results = body.results
                    if stops:
                        yield self.end(depth, "stop if", results[:1]), None
                        results = results[1:]
                    yield self.end(depth, "next", results), None

    def end(self, depth: int, word: str, results: list[Operand]) -> str:
        listed = ", ".join(map(self.operand, results))
        return f"{'    ' * (depth + 1)}{word} {listed}".rstrip()

    def head(self, statement: Statement) -> str:
        show = self.operand
        match statement:
            case Op(fn=fn, args=args, keywords=keywords, outs=outs, effect=effect):
                call = f"{show_callable(fn)}({self.arguments(args, keywords)})"
                return self.outs(outs) + ("effect " if effect else "") + call
            case New(source=source, out=out):
                return f"{self.outs([out])}new {show(source)}"
            case View(fn=fn, ref=ref, args=args, keywords=keywords, out=out):
                call = f"{show_callable(fn)}({self.arguments([ref, *args], keywords)})"
                return f"{self.outs([out])}view {call}"
            case Load(ref=ref, path=path, out=out):
                return f"{self.outs([out])}load {self.place(ref, path)}"
            case Store(ref=ref, path=path, value=value):
                return f"store {self.place(ref, path)} = {show(value)}"
            case Accumulate(ref=ref, path=path, value=value):
                return f"accumulate {self.place(ref, path)} += {show(value)}"
            case Append(ref=ref, value=value):
                place = "" if statement.at is None else f" at {show(statement.at)}"
                return f"append {show(ref)}, {show(value)}{place}"
            case Pop(ref=ref, out=out):
                place = "" if statement.at is None else f" at {show(statement.at)}"
                return f"{self.outs([out])}pop {show(ref)}{place}"
            case If(test=test, outs=outs):
                return f"{self.outs(outs)}if {show(test)}:"
            case Loop(domain=domain, inits=inits, outs=outs):
                line = f"{self.outs(outs)}loop"
                if domain is not None:
                    trips = f"range({show(domain.start)}, {show(domain.stop)}, {show(domain.step)})"
                    trips = f"reversed({trips})" if domain.reverse else trips
                    index = ", ".join(map(self.typed, statement.body.params[:1]))
                    line += f" {index} in {trips}"
                pairs = zip(statement.carried, inits, strict=True)
                carried = [f"{self.typed(param)} = {show(init)}" for param, init in pairs]
                return f"{line} with {', '.join(carried)}:" if carried else f"{line}:"
            case Raise(exception=exception):
                return f"raise {show(exception)}"
        raise TypeError(type(statement))

    def outs(self, outs: list[Value]) -> str:
        return f"{', '.join(map(self.typed, outs))} = " if outs else ""

    def arguments(self, args: list[Operand], keywords: dict[str, Operand]) -> str:
        parts = [*map(self.operand, args)]
        parts += [f"{key}={self.operand(value)}" for key, value in keywords.items()]
        return ", ".join(parts)

    def place(self, ref: Value, path: tuple) -> str:
        return f"{self.operand(ref)}[{', '.join(map(self.operand, path)) or '...'}]"

    def typed(self, value: Value) -> str:
        kind = show_type(value.type)
        return f"{self.operand(value)}: {kind}" if kind != "?" else self.operand(value)

    def operand(self, operand: Operand) -> str:
        match operand:
            case Value(name=name):
                number = self.numbers.setdefault(operand, len(self.numbers) + 1)
                return f"%{name}.{number}" if name else f"%{number}"
            case Constant(value=value, name=name):
                return name or show_constant(value)
            case Slice(start=start, stop=stop, step=step):
                parts = [self.operand(x) for x in (start, stop, step)]
                parts = ["" if part == "None" else part for part in parts]
                return ":".join(parts if parts[2] else parts[:2])
            case tuple():
                inner = ", ".join(map(self.operand, operand))
                return f"({inner},)" if len(operand) == 1 else f"({inner})"
            case list():
                return f"[{', '.join(map(self.operand, operand))}]"
        return repr(operand)


def show_callable(fn: Any) -> str:
    if isinstance(fn, Function):
        return fn.name
    return getattr(fn, "__name__", None) or type(fn).__name__


def show_constant(value: Any) -> str:
    """Short, on one line, and without addresses."""
    if value is Ellipsis:
        return "..."
    if callable(value):
        return show_callable(value)
    text = repr(value)
    if " at 0x" in text or "\n" in text or len(text) > 40:
        return f"<{type(value).__name__}>"
    return text


def show_type(type: Any) -> str:
    """A type in a few characters; `?` where nothing is known.

    >>> from adcompiler.ir.types import as_dim, symbol
    >>> show_type(Ref(Array("float64", (symbol(("len", "n")), as_dim(3)))))
    'ref float64[n, 3]'
    """
    match type:
        case Scalar(kind=kind, dtype=dtype, dim=dim):
            return (dtype or kind) + (f"({dim!r})" if dim is not None else "")
        case Array(dtype=dtype, shape=None):
            return f"{dtype}[...]"
        case Array(dtype=dtype, shape=tuple() as shape):
            return f"{dtype}[{', '.join(map(repr, shape))}]"
        case List(item=item):
            return f"list[{show_type(item)}]"
        case Tuple(items=items):
            return f"tuple[{', '.join(map(show_type, items))}]"
        case Ref(target=target):
            return f"ref {show_type(target)}"
        case Object(cls=cls):
            return cls.__name__
    return "?"
