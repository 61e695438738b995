"""`len`, `isinstance`, `type`, `pow`, `print` and other builtins that walk nothing.

Those that walk something are in `iteration`, `iterators` and `ordering`, those about objects in
`object_functions`, the containers in `mappings`.
"""

from __future__ import annotations

import builtins
import operator
from typing import TYPE_CHECKING, Any

from adcompiler import runtime
from adcompiler.ir import abstract, attributes, instances, meaning, operations, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure, Instance, Method, Partial, RangeOf, Sequence, is_operand
from adcompiler.ir.infer import type_of
from adcompiler.ir.meaning import Meaning
from adcompiler.ir.nodes import Constant, Op, Slice, Value, is_none

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def _call_len(resolver: Resolver, args: list, keywords: dict) -> Any:
    value = args[0]
    if isinstance(value, Instance):
        return instances.operate(resolver, len, [value])
    if isinstance(value, (tuple, list, dict)):
        return Constant(len(value))
    if isinstance(value, RangeOf):
        return walking.length_of_range(resolver, value)
    if isinstance(value, Sequence) and resolver.frame is not None and resolver.frame.hidden:
        return value.length
    kind = type_of(value)
    if isinstance(kind, T.Array) and kind.shape:
        if kind.shape[0].constant is not None:
            return Constant(kind.shape[0].constant)
        out = resolver.value(T.Scalar("int", None, kind.shape[0]))
        resolver.add(Op(len, [value], {}, [out]))
        return out
    if isinstance(kind, T.List):
        out = resolver.value(T.INT)
        resolver.add(Op(len, [value], {}, [out]))
        return out
    return NotImplemented


def _call_isinstance(resolver: Resolver, args: list, keywords: dict) -> Any:
    value, cls = args
    classes = (
        operations.python_value(cls) if is_operand(cls) and not isinstance(cls, Value) else None
    )
    known = attributes.runtime_class(value)
    if known is None or classes is None:
        raise resolver.error("`isinstance`", "the type is not known at compile time")
    return Constant(issubclass(known, classes))


def _call_type(resolver: Resolver, args: list, keywords: dict) -> Any:
    known = attributes.runtime_class(args[0]) if len(args) == 1 else None
    if known is None:
        raise resolver.error("`type(...)`", "the type is not known at compile time", "drop it")
    return Constant(known)


def _call_float(resolver: Resolver, args: list, keywords: dict) -> Any:
    if args and isinstance(args[0], Value) and isinstance(args[0].type, T.Object):
        raise resolver.error(
            "a number read from text",
            "no derivative passes through text",
            "use the number itself",
        )
    return NotImplemented


def _call_pow(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`pow(base, exp, mod)`: of integers if there is a modulus."""
    if len(args) == 2 and not keywords:
        return NotImplemented
    base, exponent, modulus = meaning.bind(
        resolver, "pow", args, keywords, 0, base=None, exp=None, mod=Constant(None)
    )
    if base is None or exponent is None:
        raise resolver.error("`pow` with these arguments", "it takes a base and an exponent")
    if is_none(modulus):
        return operations.binary(resolver, operator.pow, base, exponent)
    whole = [base, exponent, modulus]
    kinds = [type_of(part) if is_operand(part) else None for part in whole]
    if not all(isinstance(k, T.Scalar) and k.kind in ("int", "bool") for k in kinds):
        raise resolver.error(
            "`pow` with a modulus",
            "Python takes one for integers alone",
            "write `x ** n % m`",
        )
    if all(isinstance(part, Constant) for part in whole):
        return resolver.op(runtime.power_modulo, *whole)
    out = resolver.value(T.INT)
    resolver.add(Op(runtime.power_modulo, whole, {}, [out], keeps=True))
    return out


def _call_print(resolver: Resolver, args: list, keywords: dict) -> Any:
    out = resolver.value(T.Object(type(None)))
    args = [resolver.operand(arg) for arg in args]
    keywords = {k: resolver.operand(v) for k, v in keywords.items()}
    resolver.add(Op(print, args, keywords, [out], effect=True))
    return Constant(None)


def _call_slice(resolver: Resolver, args: list, keywords: dict) -> Any:
    parts = [resolver.operand(arg) for arg in args]
    none = Constant(None)
    if len(parts) == 1:
        return Slice(none, parts[0], none)
    return Slice(parts[0], parts[1], parts[2] if len(parts) > 2 else none)


def _call_callable(resolver: Resolver, args: list, keywords: dict) -> Any:
    value = args[0]
    if isinstance(value, Instance):
        return Constant(instances.found_on(value.cls, "__call__") is not None)
    known = isinstance(value, (Closure, Partial, Method, abstract.Derivative))
    return Constant(known or (isinstance(value, Constant) and callable(value.value)))


MEANING: dict[Any, Meaning] = {
    builtins.callable: _call_callable,
    builtins.float: _call_float,
    builtins.int: _call_float,
    builtins.isinstance: _call_isinstance,
    builtins.len: _call_len,
    builtins.pow: _call_pow,
    builtins.print: _call_print,
    builtins.slice: _call_slice,
    builtins.type: _call_type,
}
