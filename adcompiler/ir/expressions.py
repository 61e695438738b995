"""Expressions of more than one part: comparisons, `and`, displays, f-strings, generators, calls.

`Resolver.eval` says which expression is read by what.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import gast

from adcompiler.ir import comparisons, generators, lists, mappings, purity, subscripts, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure
from adcompiler.ir.nodes import Constant, Op
from adcompiler.ir.parse import OUTERMOST

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

BINARY = {
    gast.Add: operator.add, gast.Sub: operator.sub, gast.Mult: operator.mul,
    gast.Div: operator.truediv, gast.FloorDiv: operator.floordiv, gast.Mod: operator.mod,
    gast.Pow: operator.pow, gast.MatMult: operator.matmul, gast.BitAnd: operator.and_,
    gast.BitOr: operator.or_, gast.BitXor: operator.xor, gast.LShift: operator.lshift,
    gast.RShift: operator.rshift,
}  # fmt: skip

UNARY = {
    gast.USub: operator.neg, gast.UAdd: operator.pos, gast.Not: operator.not_,
    gast.Invert: operator.invert,
}  # fmt: skip

COMPARE = {
    gast.Eq: operator.eq, gast.NotEq: operator.ne, gast.Lt: operator.lt, gast.LtE: operator.le,
    gast.Gt: operator.gt, gast.GtE: operator.ge, gast.Is: operator.is_,
    gast.IsNot: operator.is_not,
}  # fmt: skip

_PRINTED = (bool, int, float, str, type(None))
"""What a string is made of that is known at compile time."""


def elements(resolver: Resolver, nodes: list) -> list:
    items: list = []
    for node in nodes:
        if isinstance(node, gast.Starred):
            items += subscripts.unpacked(resolver, resolver.eval(node.value), None)
        else:
            items.append(resolver.eval(node))
    return items


def dictionary(resolver: Resolver, node: gast.Dict) -> dict:
    items = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            inner = resolver.eval(value)
            if not isinstance(inner, dict):
                raise resolver.unsupported(node, "`**` of what is not a dict of known keys")
            items.update(inner)
            continue
        k = mappings.known_key(resolver, resolver.eval(key))
        if k is NotImplemented:
            raise resolver.unsupported(
                node,
                "dict key that is not known at compile time",
                "",
                "use strings or numbers written in the source as keys",
            )
        items[k] = resolver.settle(resolver.eval(value))
    return items


def lambda_(resolver: Resolver, node: gast.Lambda) -> Closure:
    args = node.args
    return Closure(
        resolver.frame.tree.nested(node),
        resolver.frame,
        tuple(map(resolver.eval, args.defaults)),
        {
            a.id: resolver.eval(d)
            for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if d
        },
    )


def formatted(resolver: Resolver, node: gast.JoinedStr) -> Any:
    """An f-string: only its values matter, and no derivative passes through it."""
    template, values = "", []
    for part in node.values:
        if isinstance(part, gast.Constant):
            template += part.value.replace("{", "{{").replace("}", "}}")
            continue
        spec = ""
        if part.format_spec is not None:
            inner = formatted(resolver, part.format_spec)
            if not isinstance(inner, Constant):
                raise resolver.unsupported(node, "computed format in an f-string")
            spec = ":" + inner.value.replace("{", "{{").replace("}", "}}")
        conversion = f"!{chr(part.conversion)}" if part.conversion > 0 else ""
        template += "{" + conversion + spec + "}"
        values.append(resolver.operand(resolver.eval(part.value)))
    if all(isinstance(v, Constant) and isinstance(v.value, _PRINTED) for v in values):
        return Constant(template.format(*(v.value for v in values)))
    out = resolver.value(T.Object(str))
    resolver.add(Op(str.format, [Constant(template), *values], {}, [out]))
    return out


def compare(resolver: Resolver, node: gast.Compare) -> Any:
    left = resolver.eval(node.left)

    def link(position: int, left: Any) -> Any:
        right = resolver.eval(node.comparators[position])
        first = comparisons.compared(resolver, node.ops[position], COMPARE, left, right)
        if position + 1 == len(node.ops):
            return first
        test = resolver.truth(first)
        return resolver.branch(test, lambda: link(position + 1, right), lambda: first)

    return link(0, left)


def test(resolver: Resolver, node: Any) -> Any:
    """The truth of an expression; of `xs and y` it does not matter which of them it is."""
    if isinstance(node, gast.BoolOp):
        return resolver.truth(
            boolean(resolver, node.values, isinstance(node.op, gast.And), tested=True)
        )
    return resolver.truth(resolver.eval(node))


def boolean(resolver: Resolver, nodes: list, conjunction: bool, tested: bool = False) -> Any:
    first = resolver.eval(nodes[0])
    if tested and lists.is_grown(first):
        first = resolver.truth(first)
    if len(nodes) == 1:
        return first
    test = resolver.truth(first)

    def rest() -> Any:
        return boolean(resolver, nodes[1:], conjunction, tested)

    if conjunction:
        return resolver.branch(test, rest, lambda: first)
    return resolver.branch(test, lambda: first, rest)


def as_generator(resolver: Resolver, node: Any, item: Any) -> gast.GeneratorExp:
    """The generator of what a comprehension collects."""
    if id(node) not in resolver.made_nodes:
        gast.copy_location(item, node)
        made = gast.copy_location(gast.GeneratorExp(item, node.generators), node)
        resolver.made_nodes[id(node)] = (node, made)
    return resolver.made_nodes[id(node)][1]


def generator(resolver: Resolver, node: gast.GeneratorExp) -> Any:
    """A generator expression, of which the first iterable is evaluated now."""
    if resolver.fixed_origin is not None:  # in a rule
        return walking.generator(resolver, lists.comprehension(resolver, node))
    tree = resolver.frame.tree.nested(node)
    items = resolver.eval(node.generators[0].iter)
    quiet = not (purity.tree_acts(tree, resolver.frame) or purity.acts(items))
    return generators.Generator(resolver, tree, {OUTERMOST: items}, resolver.frame, quiet)


def call_expression(resolver: Resolver, node: gast.Call) -> Any:
    fn = resolver.eval(node.func)
    args, keywords = arguments(resolver, node)
    return resolver.apply(fn, args, keywords)


def arguments(resolver: Resolver, node: gast.Call) -> tuple[list, dict[str, Any]]:
    """What a call passes."""
    args = elements(resolver, node.args)
    keywords: dict[str, Any] = {}
    for keyword in node.keywords:
        value = resolver.eval(keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, dict):
            keywords.update(value)
        else:
            raise resolver.unsupported(node, "`**` of what is not a dict of known keys")
    return args, keywords
