"""A few lines to write IR by hand in tests."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    Origin,
    Pop,
    Raise,
    Range,
    Slice,
    Store,
    Value,
    View,
)
from adcompiler.ir.types import BOOL, FLOAT, INT, Array, List, Ref, symbol

N = symbol(("len", "n"))
M = symbol(("len", "m"))
VECTOR = Array("float64", (N,))
MATRIX = Array("float64", (N, M))
ALL = Slice(Constant(None), Constant(None), Constant(None))


def lift(operand: Any) -> Any:
    """Numbers and their like become constants."""
    if isinstance(operand, tuple | list):
        return type(operand)(lift(item) for item in operand)
    if isinstance(operand, Value | Constant | Slice):
        return operand
    return Constant(operand)


def cut(start: Any = None, stop: Any = None, step: Any = None) -> Slice:
    return Slice(lift(start), lift(stop), lift(step))


class Program:
    """Adds statements to a block, in order; `origin` is given to each."""

    def __init__(self, *params: Value) -> None:
        self.block = Block(list(params))
        self.origin: Origin | None = None

    def line(self, text: str, mirror: bool = False) -> Program:
        self.origin = Origin(None, text, mirror)
        return self

    def put(self, statement: Any) -> Any:
        statement.origin = self.origin
        self.block.statements.append(statement)
        return statement

    def op(self, fn, *args, name=None, type=FLOAT, effect=False, **keywords) -> Value:
        out = Value(name, type)
        words = {key: lift(value) for key, value in keywords.items()}
        self.put(Op(fn, [lift(arg) for arg in args], words, [out], effect=effect))
        return out

    def call(self, fn, *args, outs=()) -> None:
        self.put(Op(fn, [lift(arg) for arg in args], {}, list(outs), effect=True))

    def new(self, source, name=None, type=VECTOR) -> Value:
        return self.put(New(lift(source), Value(name, Ref(type)))).out

    def list(self, *items, name=None, item=FLOAT) -> Value:
        return self.put(New([lift(x) for x in items], Value(name, Ref(List(item))))).out

    def view(self, fn, ref, *args, name=None, type=VECTOR) -> Value:
        return self.put(View(fn, ref, [lift(a) for a in args], {}, Value(name, Ref(type)))).out

    def load(self, ref, *path, name=None, type=FLOAT) -> Value:
        return self.put(Load(ref, lift(path), Value(name, type))).out

    def store(self, ref, path, value) -> None:
        self.put(Store(ref, lift(path), lift(value)))

    def add_to(self, ref, path, value) -> None:
        self.put(Accumulate(ref, lift(path), lift(value)))

    def append(self, ref, value) -> None:
        self.put(Append(ref, lift(value)))

    def pop(self, ref, name=None, type=FLOAT) -> Value:
        return self.put(Pop(ref, Value(name, type))).out

    def raise_(self, exception) -> None:
        self.put(Raise(lift(exception)))

    def inner(self, *params: Value) -> Program:
        """A block inside this one."""
        program = Program(*params)
        program.origin = self.origin
        return program

    def ends(self, *results) -> Block:
        self.block.results = [lift(result) for result in results]
        return self.block

    def if_(self, test, then: Block, orelse: Block, *outs: Value) -> None:
        self.put(If(lift(test), then, orelse, list(outs)))

    def for_(self, bounds, inits, body: Block, *outs: Value, reverse=False, stops=False) -> None:
        start, stop, step = map(lift, bounds)
        domain = Range(start, stop, step, reverse)
        self.put(Loop(domain, [lift(x) for x in inits], body, list(outs), stops))

    def while_(self, inits, body: Block, *outs: Value, stops=True) -> None:
        self.put(Loop(None, [lift(x) for x in inits], body, list(outs), stops))

    def function(self, result, name="f", doc=None) -> Function:
        self.block.results = [lift(result)]
        return Function(name, self.block, doc)


def scalar(name: str | None = None) -> Value:
    return Value(name, FLOAT)


def integer(name: str | None = None) -> Value:
    return Value(name, INT)


def boolean(name: str | None = None) -> Value:
    return Value(name, BOOL)


def vector(name: str | None = None) -> Value:
    return Value(name, VECTOR)


def matrix(name: str | None = None) -> Value:
    return Value(name, MATRIX)


__all__ = [
    "ALL", "BOOL", "FLOAT", "INT", "M", "MATRIX", "N", "Program", "VECTOR", "boolean", "cut",
    "integer", "lift", "matrix", "np", "scalar", "vector",
]  # fmt: skip
