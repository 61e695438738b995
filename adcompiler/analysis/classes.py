"""Alias classes: which references may share storage.

`alias_classes(function)` maps every reference, and every list or tuple that holds references, to
the number of its class: two references of different classes never share storage.  What is put into
a list of references is in the list's *contents* class, so that writing the list and writing an
array which it holds are told apart.  Steensgaard's unification: one walk, no order of statements,
back edges of loops like any other join.

Parameters that are references are taken to be apart: who calls with overlapping ones unifies them
beforehand, or refuses.

>>> from adcompiler.ir.nodes import Block, Constant, Function, New, Value, View
>>> from adcompiler.ir.types import Array, Ref
>>> import numpy as np
>>> ref = Ref(Array("float64", None))
>>> x, a, b, row = Value("x", Array("float64", None)), *(Value(name, ref) for name in "abr")
>>> body = Block([x], [New(x, a), New(x, b), View(np.transpose, a, [], {}, row)], [row])
>>> classes = alias_classes(Function("f", body))
>>> classes[a] == classes[row], classes[a] == classes[b]
(True, False)
"""

from __future__ import annotations

from typing import Any

from adcompiler.ir.nodes import (
    Append,
    Block,
    Function,
    If,
    Load,
    Loop,
    New,
    Operand,
    Pop,
    Store,
    Value,
    View,
    leaves,
    walk,
)
from adcompiler.ir.types import List, Ref, Tuple


class AliasClasses(dict[Value, int]):
    """The class of each value that is or holds a reference, numbered in program order."""

    contents: dict[int, int]
    """For a class of lists that hold references: the class of what they hold."""

    def within(self, number: int) -> set[int]:
        """The class and what can be reached through its contents."""
        found: set[int] = set()
        while number not in found:
            found.add(number)
            number = self.contents.get(number, number)
        return found


def holds_references(type: Any) -> bool:
    """Whether values of the type are references, or lists or tuples of them."""
    match type:
        case Ref():
            return True
        case List(item=item):
            return holds_references(item)
        case Tuple(items=items):
            return any(map(holds_references, items))
    return False


def alias_classes(function: Function) -> AliasClasses:
    unifier = _Unifier()
    for param in function.params:
        unifier.see(param)
    unifier.block(function.body)
    return unifier.classes()


class _Node:
    __slots__ = ("contents", "parent")

    def __init__(self) -> None:
        self.parent: _Node | None = None
        self.contents: _Node | None = None


class _Unifier:
    def __init__(self) -> None:
        self.nodes: dict[Value, _Node] = {}

    def see(self, value: Value) -> None:
        if holds_references(value.type):
            self.node(value)

    def node(self, value: Value) -> _Node:
        if value not in self.nodes:
            self.nodes[value] = _Node()
        return _root(self.nodes[value])

    def contents(self, value: Value) -> _Node:
        return _contents(self.node(value))

    def block(self, block: Block) -> None:
        for statement in walk(block):
            match statement:
                case New(source=source, out=out):
                    self.see(out)
                    self.put(out, source)
                case View(ref=ref, out=out):
                    held = isinstance(ref.type, Ref) and isinstance(ref.type.target, List)
                    if held and isinstance(ref.type.target.item, Ref):
                        _union(self.node(out), self.contents(ref))
                    else:
                        _union(self.node(out), self.node(ref))
                case Load(ref=ref, out=out) | Pop(ref=ref, out=out):
                    self.node(ref)
                    if isinstance(out.type, Ref):
                        _union(self.node(out), self.contents(ref))
                    elif holds_references(out.type):
                        _union(self.contents(out), self.contents(ref))
                case Store(ref=ref, value=value) | Append(ref=ref, value=value):
                    self.node(ref)
                    self.put(ref, value)
                case If(then=then, orelse=orelse, outs=outs):
                    for k, out in enumerate(outs):
                        self.join(out, then.results[k])
                        self.join(out, orelse.results[k])
                case Loop(inits=inits, outs=outs):
                    every = zip(statement.carried, inits, statement.next, outs, strict=True)
                    for param, init, after, out in every:
                        self.join(param, init)
                        self.join(param, after)
                        self.join(out, param)

    def put(self, container: Value, operand: Operand) -> None:
        """What `operand` is or holds goes into the container."""
        for leaf in leaves(operand):
            if isinstance(leaf.type, Ref) and leaf is not container:
                _union(self.contents(container), self.node(leaf))
            elif holds_references(leaf.type):
                _union(self.contents(container), self.contents(leaf))

    def join(self, out: Value, operand: Operand) -> None:
        if isinstance(operand, Value):
            if holds_references(out.type) or holds_references(operand.type):
                _union(self.node(out), self.node(operand))
        elif any(holds_references(leaf.type) for leaf in leaves(operand)):
            self.put(out, operand)
        else:
            self.see(out)

    def classes(self) -> AliasClasses:
        numbers: dict[_Node, int] = {}
        result = AliasClasses()
        for value, node in self.nodes.items():
            result[value] = numbers.setdefault(_root(node), len(numbers))
        result.contents = {}
        # Contents may have contents of their own, so the numbering grows while we walk it.
        todo = list(numbers)
        for node in todo:
            if node.contents is not None:
                held = _root(node.contents)
                if held not in numbers:
                    numbers[held] = len(numbers)
                    todo.append(held)
                result.contents[numbers[node]] = numbers[held]
        return result


def _root(node: _Node) -> _Node:
    while node.parent is not None:
        if node.parent.parent is not None:
            node.parent = node.parent.parent
        node = node.parent
    return node


def _contents(node: _Node) -> _Node:
    if node.contents is None:
        node.contents = _Node()
    return _root(node.contents)


def _union(a: _Node, b: _Node) -> None:
    a, b = _root(a), _root(b)
    while a is not b:
        b.parent = a
        if b.contents is None:
            return
        if a.contents is None:
            a.contents = b.contents
            return
        a, b = _root(a.contents), _root(b.contents)
