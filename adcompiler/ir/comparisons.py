"""`==`, `<`, `is`, `in` and their like."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast

from adcompiler.ir import instances, lists, mappings, operations
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance, RangeOf, is_operand
from adcompiler.ir.infer import dim_of, type_of
from adcompiler.ir.nodes import Constant, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def compared(resolver: Resolver, op: Any, table: dict, left: Any, right: Any) -> Any:
    """One comparison."""
    if isinstance(op, (gast.In, gast.NotIn)):
        answer = _contains(resolver, right, left)
        if isinstance(op, gast.NotIn):
            if isinstance(answer, Constant):
                return Constant(not answer.value)
            return resolver.op(operator.not_, answer)
        return answer
    return compared_as(resolver, table[type(op)], left, right)


def compared_as(resolver: Resolver, fn: Callable, left: Any, right: Any) -> Any:
    """`left == right` and its like."""
    if instances.decides(fn, left, right):
        if fn not in (operator.is_, operator.is_not):
            return instances.operate(resolver, fn, [left, right])
    if isinstance(left, Instance) or isinstance(right, Instance):
        either = {id(left), id(right)}
        if either & resolver.frozen.keys() or either & resolver.listed.keys():
            raise resolver.error(
                "identity of an object that is one of several",
                "which one it is, is decided when the program runs",
                "compare what tells them apart",
            )
        return Constant((left is right) == (fn is operator.is_))
    if isinstance(left, dict) or isinstance(right, dict):
        found = mappings.binary(resolver, fn, left, right)
        if found is not NotImplemented:
            return found
    if fn in (operator.is_, operator.is_not):
        known = _identical(left, right)
        if known is not None:
            return Constant(known if fn is operator.is_ else not known)
    if isinstance(left, (tuple, list)) and isinstance(right, (tuple, list)):
        if fn in (operator.eq, operator.ne) and len(left) == len(right):
            tests = [resolver.op(operator.eq, p, q) for p, q in zip(left, right, strict=True)]
            same: Any = Constant(True)
            for test in tests:
                same = (
                    test
                    if isinstance(same, Constant) and same.value
                    else (
                        same
                        if isinstance(test, Constant) and test.value
                        else resolver.op(operator.and_, same, test)
                    )
                )
            return same if fn is operator.eq else resolver.op(operator.not_, same)
        if fn in (operator.eq, operator.ne):
            return Constant(fn is operator.ne)
        return _ordered(resolver, fn, list(left), list(right))
    if fn in (operator.eq, operator.ne) and lists.is_list(left) and lists.is_list(right):
        return lists.equal(resolver, left, right, fn is operator.ne)
    sequences = [lists.is_list(v) or isinstance(v, tuple) for v in (left, right)]
    if any(sequences) and not any(isinstance(type_of(v), T.Array) for v in (left, right)):
        raise resolver.error(
            "comparison of lists or tuples",
            "only those of known structure are compared, for equality",
            "compare their items",
        )
    if not (is_operand(left) and is_operand(right)):
        raise resolver.error("comparison of things that only exist at compile time")
    static = _equal_dims(fn, left, right)
    if static is not None:
        return Constant(static)
    return resolver.op(fn, left, right)


def _ordered(resolver: Resolver, fn: Callable, left: list, right: list) -> Any:
    """`<` and its like of tuples: the first items that differ decide, then the lengths."""
    if not left or not right:
        return Constant(fn(len(left), len(right)))
    (p, *rest_of_left), (q, *rest_of_right) = left, right
    same = resolver.truth(compared_as(resolver, operator.eq, p, q))
    return resolver.branch(
        same,
        lambda: _ordered(resolver, fn, rest_of_left, rest_of_right),
        lambda: compared_as(resolver, fn, p, q),
    )


def _equal_dims(fn: Callable, left: Any, right: Any) -> bool | None:
    p, q = dim_of(left), dim_of(right)
    if p is None or q is None:
        return None
    difference = (p - q).constant
    return None if difference is None else bool(fn(difference, 0))


def _identical(left: Any, right: Any) -> bool | None:
    for a, b in ((left, right), (right, left)):
        if isinstance(b, Constant) and (b.value is None or isinstance(b.value, type)):
            if isinstance(a, Constant):
                return a.value is b.value
            if b.value is None and isinstance(a, Value):
                known = isinstance(a.type, (T.Scalar, T.Array, T.List))
                return False if known else None
            return None if isinstance(a, Value) else False
    return None


def _contains(resolver: Resolver, items: Any, item: Any) -> Any:
    if instances.is_user_object(items):
        answer = instances.method(resolver, items, "__contains__", [item], {})
        if answer is NotImplemented:
            name = instances.class_of(items).__name__
            raise resolver.error(f"`in` a `{name}`", "it has no `__contains__`")
        return answer
    if isinstance(items, dict):
        return mappings.contains(resolver, items, item)
    if isinstance(items, RangeOf):
        return _in_range(resolver, items, item)
    if isinstance(item, Constant):
        if isinstance(items, (tuple, list)) and all(isinstance(i, Constant) for i in items):
            return Constant(item.value in [i.value for i in items])
        if isinstance(items, Constant):
            return Constant(item.value in items.value)
    return resolver.op(operator.contains, items, item)


def _in_range(resolver: Resolver, items: RangeOf, item: Any) -> Any:
    """`item in range(start, stop)`."""
    if items.known is not None and isinstance(item, Constant):
        return Constant(item.value in items.known)
    kind = type_of(item)
    plain = isinstance(kind, T.Scalar) and kind.kind in ("int", "bool")
    if not plain or not operations.is_constant(items.step, (1,)):
        raise resolver.error(
            "`in` a range",
            "only integers in ranges with step 1 are looked for",
            "compare with its bounds",
        )
    above = resolver.op(operator.ge, item, items.start)
    return resolver.op(operator.and_, above, resolver.op(operator.lt, item, items.stop))
