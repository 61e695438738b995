"""IR operands and ops to Python expressions."""

from __future__ import annotations

import ast
import builtins
import copy
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.analysis.classes import holds_references
from adcompiler.backends.globalnames import GlobalNames, literal
from adcompiler.backends.plan import Plan, both_ways
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Constant,
    Function,
    If,
    Load,
    New,
    Op,
    Operand,
    Path,
    Pop,
    Slice,
    Statement,
    Value,
    View,
    defined,
    dimension,
    operands,
)
from adcompiler.ir.types import Array, List, Scalar, target

BINARY: dict[Callable, type[ast.operator]] = {
    operator.add: ast.Add,
    operator.sub: ast.Sub,
    operator.mul: ast.Mult,
    operator.truediv: ast.Div,
    operator.floordiv: ast.FloorDiv,
    operator.mod: ast.Mod,
    operator.pow: ast.Pow,
    operator.matmul: ast.MatMult,
    operator.and_: ast.BitAnd,
    operator.or_: ast.BitOr,
    operator.xor: ast.BitXor,
    operator.lshift: ast.LShift,
    operator.rshift: ast.RShift,
    operator.concat: ast.Add,
}
IN_PLACE: dict[Callable, type[ast.operator]] = {
    operator.iadd: ast.Add,
    operator.isub: ast.Sub,
    operator.imul: ast.Mult,
    operator.itruediv: ast.Div,
    operator.ifloordiv: ast.FloorDiv,
    operator.imod: ast.Mod,
    operator.ipow: ast.Pow,
    operator.imatmul: ast.MatMult,
    operator.iand: ast.BitAnd,
    operator.ior: ast.BitOr,
    operator.ixor: ast.BitXor,
    operator.ilshift: ast.LShift,
    operator.irshift: ast.RShift,
}
COMPARE: dict[Callable, type[ast.cmpop]] = {
    operator.lt: ast.Lt,
    operator.le: ast.LtE,
    operator.gt: ast.Gt,
    operator.ge: ast.GtE,
    operator.eq: ast.Eq,
    operator.ne: ast.NotEq,
    operator.is_: ast.Is,
    operator.is_not: ast.IsNot,
}
UNARY: dict[Callable, type[ast.unaryop]] = {
    operator.neg: ast.USub,
    operator.pos: ast.UAdd,
    operator.invert: ast.Invert,
    operator.inv: ast.Invert,
    operator.not_: ast.Not,
}
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Expressions:
    """Builds the expressions of one function, whose variables have the given names."""

    def __init__(self, plan: Plan, names: dict[Value, str], global_names: GlobalNames) -> None:
        self.plan = plan
        self.names = names
        self.globals = global_names

    # Operands.

    def operand(self, operand: Operand) -> ast.expr:
        match operand:
            case Value():
                return self.value(operand)
            case Constant():
                return self.constant(operand)
            case tuple():
                whole = self.whole_shape(operand)
                if whole is not None:
                    return ast.Attribute(self.value(whole), "shape")
                return ast.Tuple([self.operand(item) for item in operand])
            case list():
                return ast.List([self.operand(item) for item in operand])
            case Slice(start=start, stop=stop, step=step):
                parts = [self.operand(part) for part in (start, stop, step)]
                return ast.Call(self.globals.builtin("slice"), parts, [])
        raise TypeError(type(operand))

    def value(self, value: Value) -> ast.expr:
        if value not in self.plan.inlined:
            return ast.Name(self.names[value])
        return self.definition(self.plan.definitions[value], value)

    def constant(self, constant: Constant) -> ast.expr:
        value, name = constant.value, constant.name
        if name is not None:
            known = self.globals.resolve(name, value)
            if known is not None:
                return known
        written = literal(value, self.globals)
        if written is None:
            hint = name.rpartition(".")[2] if name is not None else None
            return self.globals.reference(value, hint)
        if name is not None and value is not None and value is not Ellipsis:
            return self.globals.constant(name, value, written)
        return written

    def whole_shape(self, operands: tuple) -> Value | None:
        """The array of which these are all the dimensions, in order."""
        array = None
        axes: list[int] = []
        for item in operands:
            if not isinstance(item, Value) or item not in self.plan.inlined:
                return None
            match self.plan.definitions[item]:
                case Op(fn=fn, args=[Value() as whose, Constant(value=k)]) if fn is dimension:
                    if array is not None and whose is not array:
                        return None
                    array = whose
                    axes.append(k)
                case _:
                    return None
        if array is None:
            return None
        held = target(array.type)
        if not isinstance(held, Array) or held.rank != len(operands):
            return None
        # An axis may stand for another one that is as long.
        same = all(held.shape[k] == length for k, length in zip(axes, held.shape, strict=True))
        return array if same else None

    def index(self, path: Path) -> ast.expr:
        """What stands between the brackets."""
        entries = [self.entry(entry) for entry in path]
        if len(entries) == 1 and not isinstance(entries[0], ast.Tuple):
            return entries[0]
        return ast.Tuple(entries)

    def entry(self, entry: Operand) -> ast.expr:
        if isinstance(entry, Constant) and isinstance(entry.value, slice):
            raw = entry.value
            entry = Slice(Constant(raw.start), Constant(raw.stop), Constant(raw.step))
        if isinstance(entry, Slice):
            parts = [
                None if isinstance(x, Constant) and x.value is None else self.operand(x)
                for x in (entry.start, entry.stop, entry.step)
            ]
            return ast.Slice(*parts)
        return self.operand(entry)

    def place(self, ref: Value, path: Path) -> ast.Subscript:
        """`ref[path]`, as a target; the whole of a reference is `ref[...]`."""
        whole = self.value(ref)
        if path:
            return ast.Subscript(whole, self.index(path))
        if isinstance(target(ref.type), List):
            return ast.Subscript(whole, ast.Slice())
        return ast.Subscript(whole, ast.Constant(...))

    # Statements that give a value.

    def definition(self, statement: Statement, out: Value) -> ast.expr:
        """The right side of the statement that defines `out`."""
        node = self.right_side(statement)
        if out in self.plan.storage.copied:
            return self.copy(node, out.type, _is_deep(statement))
        return node

    def right_side(self, statement: Statement) -> ast.expr:
        match statement:
            case Op(fn=fn, args=args, keywords=keywords):
                return self.call(fn, args, keywords)
            case Load(ref=ref, path=path, out=out):
                return self.load(ref, path, out)
            case View(fn=fn, ref=ref, args=args, keywords=keywords):
                if fn is operator.getitem and not args[0]:
                    return ast.Subscript(self.value(ref), ast.Constant(...))
                return self.call(fn, [ref, *args], keywords)
            case New(source=source, out=out):
                return self.new(source, out)
            case Pop(ref=ref, at=at):
                place = [] if at is None else [self.operand(at)]
                return ast.Call(ast.Attribute(self.value(ref), "pop"), place, [])
            case If():
                return self.conditional(statement)
        raise TypeError(type(statement))

    def load(self, ref: Value, path: Path, out: Value) -> ast.expr:
        held = self.value(ref)
        if path:
            return ast.Subscript(held, self.index(path))
        if isinstance(out.type, Scalar) and not isinstance(target(ref.type), Scalar):
            return ast.Subscript(held, ast.Tuple([]))  # an array of rank 0, read as a number
        return held

    def new(self, source: Operand, out: Value) -> ast.expr:
        node = self.operand(source)
        if isinstance(source, list) or (isinstance(source, Value) and self.plan.is_owned(source)):
            return node
        held = target(out.type)
        kind = getattr(source, "type", None) if isinstance(held, List) else held
        deep = holds_references(held) and not holds_references(kind)
        return self.copy(node, held, deep)

    def copy(self, node: ast.expr, type: Any, deep: bool = False) -> ast.expr:
        if isinstance(type, Array):
            return ast.Call(ast.Attribute(node, "copy"), [], [])
        if isinstance(type, List) and not deep:
            return ast.Call(self.globals.builtin("list"), [node], [])
        return ast.Call(self.globals.reference(_copier(deep)), [node], [])

    def conditional(self, statement: If) -> ast.expr:
        test = self.operand(statement.test)
        then, orelse = (self.operand(arm.results[0]) for arm in (statement.then, statement.orelse))
        kept = both_ways(statement)
        if kept is statement.orelse:
            return ast.BoolOp(ast.And(), [test, then])
        if kept is statement.then:
            return ast.BoolOp(ast.Or(), [test, orelse])
        consumer = self.plan.sites[statement.outs[0]][0][1]
        tested = isinstance(consumer, If) and consumer.test is statement.outs[0]
        if tested or (isinstance(statement.test, Value) and _is_bool(statement.test.type)):
            if _is_constant(statement.orelse.results[0], False):
                return ast.BoolOp(ast.And(), [test, then])
            if _is_constant(statement.then.results[0], True):
                return ast.BoolOp(ast.Or(), [test, orelse])
        return ast.IfExp(test, then, orelse)

    # Calls.

    def call(self, fn: Any, args: list[Operand], keywords: dict[str, Operand]) -> ast.expr:
        special = None if keywords or isinstance(fn, Function) else self.operator(fn, args)
        if special is not None:
            return special
        if fn is np.stack and len(args) == 1 and not keywords and _holds_numbers(args[0]):
            fn = np.array  # the same, but for no numbers at all
        words = [ast.keyword(key, self.operand(value)) for key, value in keywords.items()]
        owner = getattr(fn, "__objclass__", None)
        if owner is not None and args and type(fn).__name__ == "method_descriptor":
            method = ast.Attribute(self.operand(args[0]), fn.__name__)
            return ast.Call(method, [self.operand(arg) for arg in args[1:]], words)
        return ast.Call(self.globals.reference(fn), [self.operand(arg) for arg in args], words)

    def operator(self, fn: Any, args: list[Operand]) -> ast.expr | None:
        """What is no call in Python: operators, indices, attributes."""
        try:
            hash(fn)
        except TypeError:  # a callable object that cannot be hashed
            return None
        binary = BINARY.get(fn) or IN_PLACE.get(fn)
        if binary is not None:
            left, right = map(self.operand, args)
            if fn is operator.iadd and isinstance(target(getattr(args[0], "type", None)), List):
                return ast.List([ast.Starred(left), ast.Starred(right)])
            if fn is operator.add:
                opposite = without_sign(right, args[1])
                if opposite is not None:
                    return ast.BinOp(left, ast.Sub(), opposite)
            return ast.BinOp(left, binary(), right)
        if fn in COMPARE:
            left, right = map(self.operand, args)
            return ast.Compare(left, [COMPARE[fn]()], [right])
        if fn is operator.contains:
            container, item = map(self.operand, args)
            return ast.Compare(item, [ast.In()], [container])
        if fn in UNARY:
            inner = self.operand(args[0])
            if fn is operator.not_ and isinstance(inner, ast.Compare):
                return negation(inner)
            return ast.UnaryOp(UNARY[fn](), inner)
        if fn is operator.abs or fn is operator.truth:
            name = "abs" if fn is operator.abs else "bool"
            return ast.Call(self.globals.builtin(name), [self.operand(args[0])], [])
        if fn is operator.getitem:
            path = args[1] if isinstance(args[1], tuple) else (args[1],)
            return ast.Subscript(self.operand(args[0]), self.index(path))
        if fn is dimension:
            shape = ast.Attribute(self.operand(args[0]), "shape")
            return ast.Subscript(shape, self.operand(args[1]))
        if fn is builtins.getattr and len(args) == 2 and isinstance(args[1], Constant):
            name = args[1].value
            if isinstance(name, str) and name.isidentifier():
                return ast.Attribute(self.operand(args[0]), name)
        return None

    def reserve(self, statement: Statement) -> None:
        """Let the global names that the statement needs be known before variables are named."""
        for operand in operands(statement):
            self.reserve_constants(operand)
        match statement:
            case Op(fn=fn) | View(fn=fn) if not isinstance(fn, Function):
                if fn is operator.abs or fn is operator.truth:
                    self.globals.builtin("abs" if fn is operator.abs else "bool")
                elif not _is_written(fn) and type(fn).__name__ != "method_descriptor":
                    self.globals.reference(fn)
            case Accumulate():
                self.globals.module("numpy")  # `np.add.at`, perhaps
        for out in defined(statement):
            copied = out in self.plan.storage.copied or isinstance(statement, New)
            held = target(out.type)
            if copied and (holds_references(held) or not isinstance(held, Array | List)):
                for deep in (False, True):
                    self.globals.reference(_copier(deep))

    def reserve_constants(self, operand: Operand) -> None:
        match operand:
            case Constant():
                if operand is not UNBOUND:
                    self.constant(operand)
            case tuple() | list():
                for item in operand:
                    self.reserve_constants(item)
            case Slice(start=start, stop=stop, step=step):
                for item in (start, stop, step):
                    self.reserve_constants(item)


def _holds_numbers(operand: Operand) -> bool:
    """Whether it is a list of numbers."""
    held = target(getattr(operand, "type", None))
    return isinstance(held, List) and isinstance(held.item, Scalar)


def without_sign(node: ast.expr, operand: Operand) -> ast.expr | None:
    """`b` where the operand prints as `-b`, and is a float: `a + -b` is `a - b` to the last bit.

    (Of unsigned integers `-b` wraps around.)
    """
    type = getattr(operand, "type", None)
    if not isinstance(type, Array | Scalar) or type.kind not in ("float", "complex"):
        return None
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return inner
        case ast.BinOp(left=ast.UnaryOp(op=ast.USub(), operand=left), op=ast.Mult() | ast.Div()):
            return ast.BinOp(left, node.op, node.right)
    return None


def negation(node: ast.expr) -> ast.expr:
    """A test that is true where `node` is false, written as a person would."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return inner
        case ast.Compare(ops=[op]) if type(op) in _OPPOSITE:
            return ast.Compare(node.left, [_OPPOSITE[type(op)]()], node.comparators)
    return ast.UnaryOp(ast.Not(), node)


def _is_written(fn: Any) -> bool:
    """Whether the function prints as an operator, an index or an attribute."""
    try:
        if fn in BINARY or fn in IN_PLACE or fn in COMPARE or fn in UNARY:
            return True
    except TypeError:  # a callable object that cannot be hashed
        return False
    return fn in (operator.getitem, operator.contains, dimension)


def _copier(deep: bool) -> Any:
    return copy.deepcopy if deep else copy.copy


def _is_deep(statement: Statement) -> bool:
    match statement:
        case Load(ref=ref, out=out):
            return holds_references(target(ref.type)) and not holds_references(out.type)
    return False


def _is_bool(type: Any) -> bool:
    return isinstance(type, Scalar) and type.kind == "bool" and type.dtype is None


def _is_constant(operand: Operand, value: bool) -> bool:
    return isinstance(operand, Constant) and operand.value is value
