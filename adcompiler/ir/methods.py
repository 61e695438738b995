"""Methods of arrays, numbers, strings and tuples.

Those of lists are in `lists`, of dicts and sets in `mappings`, of objects of the user's in
`instances`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.ir import (
    attributes,
    calls,
    indexing,
    lists,
    mappings,
    numpy_calls,
    operations,
    subscripts,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Method
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Op, Store, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

REFUSED_METHODS = {"resize", "itemset", "setfield", "byteswap", "setflags"}


def call_method(resolver: Resolver, method: Method, args: list, keywords: dict) -> Any:
    base, name = method.receiver, method.name
    kind = type_of(base) if isinstance(base, (Value, Constant)) else None
    if isinstance(kind, T.List) and isinstance(base, Value):
        return lists.method(resolver, base, name, args, keywords)
    if isinstance(base, dict):
        return mappings.method(resolver, base, name, args, keywords)
    if isinstance(base, list):
        return lists.static_method(resolver, base, name, args, keywords)
    if isinstance(base, tuple) and name == "_replace":
        return base._replace(**keywords)  # type: ignore[attr-defined]
    if isinstance(base, tuple) and name == "_asdict":
        return dict(zip(base._fields, base, strict=True))  # type: ignore[attr-defined]
    if isinstance(base, tuple) and name in ("index", "count"):
        if not all(isinstance(item, Constant) for item in (*base, *args)):
            raise resolver.error(
                f"`.{name}` of a tuple",
                "its items are computed",
                "compare them one by one in a loop",
            )
        items = tuple(operations.python_value(item) for item in base)
        return Constant(getattr(items, name)(*map(operations.python_value, args)))
    if isinstance(base, Constant) and isinstance(base.value, str):
        if name == "join" or not all(isinstance(a, Constant) for a in args):
            out = resolver.value(T.Object(str))
            fn = getattr(str, name)
            resolver.add(Op(fn, [base, *map(resolver.operand, args)], {}, [out]))
            return out
        value = getattr(base.value, name)(*[a.value for a in args])
        return resolver.constant(value)
    if isinstance(kind, (T.Array, T.Unknown, T.Scalar)):
        return array_method(resolver, base, name, args, keywords)
    raise resolver.error(f"`.{name}`", "the method is not known")


def array_method(resolver: Resolver, base: Any, name: str, args: list, keywords: dict) -> Any:
    kind = type_of(base)
    if name == "__getitem__" and len(args) == 1:
        return subscripts.get_item(resolver, base, args[0])
    if name == "__len__" and not args:
        return calls.call(resolver, Constant(len), [base], {})
    if name == "copy" and isinstance(kind, T.Scalar):
        return base
    if name in ("conj", "conjugate") and attributes.kind_is_real(kind):
        return base  # the same object, as NumPy has it
    if name in ("conj", "conjugate") and isinstance(kind, T.Scalar):
        own = complex.conjugate if kind.dtype is None else np.conjugate
        return operations.apply(resolver, own, [base], {})
    if name == "fill" and isinstance(kind, T.Array):
        if isinstance(base, Constant):
            raise operations.global_write(resolver, base)
        resolver.add(Store(base, (), resolver.operand(args[0])))
        return Constant(None)
    if name == "item" and isinstance(kind, T.Scalar) and not args:
        return resolver.op(float if kind.kind == "float" else int, base)
    if name == "item" and isinstance(kind, T.Array) and kind.shape is not None:
        if len(args) == 1 and isinstance(args[0], tuple):
            args = list(args[0])
        to = {"float": float, "int": int, "bool": bool, "complex": complex}[kind.kind]
        if len(args) == 1 and len(kind.shape) > 1:
            return resolver.op(to, indexing.get_flat(resolver, indexing.Flat(base), args[0]))
        items = args or [Constant(0)] * len(kind.shape)
        return resolver.op(to, subscripts.get_item(resolver, base, tuple(items)))
    if name == "tolist":
        raise resolver.error(
            "`.tolist()`",
            "the list's structure is only known at run time",
            "index the array instead",
        )
    if name == "fill" and isinstance(kind, T.Unknown):
        raise resolver.error(
            "`.fill` of a value of unknown type",
            "what it shares its memory with cannot be told",
            "make it with np.zeros or .copy() in this function",
        )
    if name in REFUSED_METHODS or name.startswith("__"):
        raise resolver.error(
            f"`.{name}()` in place",
            "its effect on the array is not modelled",
            "store items instead",
        )
    if name == "dot":
        return numpy_calls.call_known(resolver, np.dot, [base, *args], keywords)
    if name in ("reshape", "transpose") and len(args) > 1:
        args = [tuple(args)]
        fn = np.reshape if name == "reshape" else np.transpose
        return numpy_calls.call_known(resolver, fn, [base, *args], keywords)
    if name in ("reshape", "transpose") and args:
        fn = np.reshape if name == "reshape" else np.transpose
        return numpy_calls.call_known(resolver, fn, [base, *args], keywords)
    method = getattr(np.ndarray, name, None)
    if method is None:
        raise resolver.error(f"`.{name}()`", "arrays have no such method")
    return numpy_calls.call_known(resolver, method, [base, *args], keywords)
