"""What operators mean, given the types of what they act on.

`apply` writes one operation on run-time values; `binary` and `in_place` decide which operations
those are: two tuples of known structure are joined by no operation at all.
"""

from __future__ import annotations

import builtins
import functools
import operator
import types as python_types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import errors, runtime
from adcompiler.ir import instances, lists, mappings, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance, is_operand
from adcompiler.ir.guards import NeedStatic
from adcompiler.ir.infer import IN_PLACE, dim_of, is_pure, result_type, type_of
from adcompiler.ir.nodes import UNBOUND, Constant, Op, Store, Value, dimension, leaves
from adcompiler.rules import book
from adcompiler.runtime import range_length, stop_gradient

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

book.zero(dimension, range_length, stop_gradient, runtime.order_of, runtime.power_modulo)

NUMBER = (bool, int, float, complex, np.generic)

STATIC_PARAMETERS = {
    "axis", "axes", "keepdims", "ord", "ddof", "dtype", "order", "indices_or_sections", "k",
    "repeats", "shift", "offset", "axis1", "axis2", "source", "destination", "decimals",
    "subscripts", "mode", "indexing", "correction", "reps", "stable", "kind", "endpoint", "n",
}  # fmt: skip
"""Parameters of NumPy functions whose value decides what the function does."""

OF_SEQUENCES: set[Any] = {
    np.array, np.asarray, np.asanyarray, np.concatenate, np.stack, np.hstack, np.vstack, np.dstack,
    np.column_stack, np.einsum, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.meshgrid,
}  # fmt: skip
"""Functions of NumPy to which a list is several arrays, not one."""


def is_array(value: Any) -> bool:
    return isinstance(type_of(value), (T.Array, T.Unknown)) and isinstance(value, (Value, Constant))


def is_static_only(item: Any) -> bool:
    """A constant that is no number: it cannot be an item of a run-time list."""
    return isinstance(item, Constant) and not isinstance(item.value, (*NUMBER, np.ndarray))


def apply(resolver: Resolver, fn: Callable, args: list, keywords: dict, effect=False) -> Any:
    """Write `fn(*args, **keywords)`; constants are folded, several results become a tuple."""
    args = [resolver.operand(arg) for arg in args]
    keywords = {name: resolver.operand(value) for name, value in keywords.items()}
    simpler = resolver.simpler(fn, args, keywords)
    if simpler is not None:
        return simpler
    everything = [*args, *keywords.values()]
    if not effect and all(map(_is_foldable, everything)) and is_pure(fn):
        folded = _fold(resolver, fn, args, keywords)
        if folded is not None:
            return folded
    args, keywords = _make_static(resolver, fn, args, keywords)
    args = _arrays_of_lists(resolver, fn, args)
    pure = is_pure(fn) or book.lookup(fn) is not None or book.is_zero(fn)
    if _may_turn_complex(resolver, fn, args):
        out = resolver.value(T.Object(python_types.NoneType))
        resolver.add(Op(runtime.check_base, list(args), {}, [out], effect=True))
    if _is_power_of_integers(fn, args):
        out = resolver.value(T.Object(python_types.NoneType))
        resolver.add(Op(runtime.check_exponent, [args[1]], {}, [out], effect=True))
        type: Any = T.INT
    elif pure and not effect:
        type = result_type(fn, args, keywords, resolver.fresh)
    else:
        type = T.UNKNOWN
    if effect and type is T.UNKNOWN:
        type = _effect_type(resolver, fn, args, keywords)
    effect = effect or not pure
    if isinstance(type, tuple) and len(type) == 1:  # several outs unpack, one out is the whole
        whole, item = resolver.value(T.Object(tuple)), resolver.value(type[0])
        resolver.add(Op(fn, args, keywords, [whole], effect))
        resolver.add(Op(operator.getitem, [whole, (Constant(0),)], {}, [item]))
        return (item,)
    if isinstance(type, tuple) or (isinstance(type, list) and len(type) > 1):
        outs = [resolver.value(t) for t in type]
        resolver.add(Op(fn, args, keywords, outs, effect))
        if hasattr(type, "_fields"):
            return type.__class__(*outs)
        return tuple(outs) if isinstance(type, tuple) else outs
    if isinstance(type, list):
        type = T.List(type[0] if type else None, T.as_dim(len(type)))
    out = resolver.value(type)
    made = Op(fn, args, keywords, [out], effect)
    if resolver.fixed_origin is None and not effect:
        made.keeps = _may_raise(resolver, fn, args, type)
    resolver.add(made)
    return out


def _is_power_of_integers(fn: Callable, args: list) -> bool:
    """`m ** n` is an integer, if `n` is not negative, as in `m ** -k`."""
    if fn not in (operator.pow, operator.ipow, builtins.pow) or len(args) != 2:
        return False
    if not isinstance(args[1], Value) or any(type_of(a) != _plain_int(a) for a in args):
        return False
    dim = dim_of(args[1])
    assert dim is not None
    return any(coefficient > 0 for _, coefficient in dim.terms)


def _may_turn_complex(resolver: Resolver, fn: Callable, args: list) -> bool:
    """`x ** y` of Python's own numbers is complex where `x` is negative and `y` a fraction."""
    if fn not in (operator.pow, operator.ipow, builtins.pow) or len(args) != 2:
        return False
    if resolver.fixed_origin is not None:  # a rule
        return False
    base, exponent = args
    kinds = [type_of(arg) for arg in args]
    if not all(isinstance(kind, T.Scalar) and kind.dtype is None for kind in kinds):
        return False
    if kinds[0].kind not in ("int", "float") or kinds[1].kind != "float":
        return False
    whole = isinstance(exponent, Constant) and exponent.value == exponent.value // 1
    return not whole and not (isinstance(base, Constant) and base.value >= 0)


def _plain_int(operand: Any) -> Any:
    return T.Scalar("int", None, getattr(type_of(operand), "dim", None))


def _arrays_of_lists(resolver: Resolver, fn: Callable, args: list) -> list:
    """A list in the place of an array is one: of an elementwise function, and of one with a rule
    in what that differentiates."""
    if not any(isinstance(type_of(a), (T.List, T.Tuple)) for a in args):
        return args
    key = book.canonical(fn)
    positions = _array_positions(key, book.VERSION)
    converted = []
    for position, arg in enumerate(args):
        if position not in positions:
            converted.append(arg)
            continue
        if isinstance(arg, (list, tuple)):
            arg = apply(resolver, np.array, [arg], {})
        elif isinstance(arg, Value) and isinstance(arg.type, T.List):
            arg = lists.as_array(resolver, arg)
        converted.append(arg)
    return converted


@functools.lru_cache(maxsize=1024)
def _array_positions(fn: Callable, version: int) -> Any:
    """The positions of the arguments of a function of NumPy that stand for one array each."""
    if isinstance(fn, np.ufunc):
        return range(fn.nin)
    rule = book.lookup(fn)
    module = getattr(fn, "__module__", None) or ""
    if rule is None or fn in OF_SEQUENCES or not module.startswith("numpy"):
        return ()
    names = book.positional_names(fn) or ()
    return {i for i, name in enumerate(names) if name in rule.inputs}


_PARTIAL = {
    "log", "log2", "log10", "log1p", "sqrt", "asin", "acos", "acosh", "atanh", "pow", "fmod",
    "gamma", "lgamma",
}  # fmt: skip
"""Functions of `math` that raise outside their domain."""


def _may_raise(resolver: Resolver, fn: Callable, args: list, type: Any) -> bool:
    """Whether the shapes may not fit: then the operation is kept, so that it can say so."""
    if (
        isinstance(type, T.Unknown)
        or getattr(fn, "__name__", "") in _PARTIAL
        and (getattr(fn, "__module__", "") == "math")
    ):
        return True
    key = book.canonical(fn)
    shapes = [t.shape for t in map(type_of, args) if isinstance(t, T.Array)]
    if len(shapes) < 2 or any(shape is None for shape in shapes):
        return False
    if key is np.dot and () in shapes:
        return False  # a product with a number
    if key is np.matmul or (key is np.dot and max(map(len, shapes)) <= 2):
        a, b = shapes
        inner = b[-2] if len(b) > 1 else b[0]
        return not _fit(resolver, fn, a[-1], inner, unit=False)
    if isinstance(key, np.ufunc) and key.signature is None:
        fits = True
        for one, other in zip(shapes, shapes[1:], strict=False):
            for p, q in zip(reversed(one), reversed(other), strict=False):
                fits = _fit(resolver, fn, p, q, unit=True) and fits
        return not fits
    return False


def _fit(resolver: Resolver, fn: Callable, p: T.Dim, q: T.Dim, unit: bool) -> bool:
    """Whether two lengths are known to fit; raises if they are known not to."""
    if p == q or (unit and 1 in (p.constant, q.constant)):
        return True
    atoms = [d.atom for d in (p, q)]
    if all(isinstance(a, tuple) and a[0] == "len" for a in atoms) or (
        p.constant is not None and q.constant is not None
    ):
        raise resolver.error(
            f"shapes that do not fit in `{getattr(fn, '__name__', 'call')}`",
            f"one axis has length {p}, the other {q}",
            "give both the same length, or one of them length 1",
        )
    return False


def _is_foldable(operand: Any) -> bool:
    if isinstance(operand, Constant):
        return operand is not UNBOUND and not isinstance(operand.value, np.ndarray)
    if isinstance(operand, (tuple, list)):
        return all(map(_is_foldable, operand))
    return False


def python_value(operand: Any) -> Any:
    """The Python object that a constant operand tree stands for."""
    if isinstance(operand, Constant):
        return operand.value
    return type(operand)(python_value(item) for item in operand)


def _fold(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> Any:
    try:
        with np.errstate(all="raise"):
            result = fn(
                *map(python_value, args), **{k: python_value(v) for k, v in keywords.items()}
            )
    except Exception:  # it raises when the program runs, as the user's own code would
        return None
    if isinstance(result, (bool, int, float, str, complex, type(None), np.generic)):
        return Constant(result)
    if isinstance(result, python_types.UnionType):
        return Constant(result)
    if _is_plain(result):
        return resolver.constant(result)
    return None


def _is_plain(result: Any) -> bool:
    """Whether a result is made of numbers and strings alone."""
    if isinstance(result, (tuple, list)):
        return all(map(_is_plain, result))
    return isinstance(result, (bool, int, float, str, type(None)))


@functools.lru_cache(maxsize=1024)
def _static_positions(fn: Callable) -> dict[int, str]:
    """The positions of a NumPy function's arguments whose values must be known."""
    try:
        signature = book.signature_of(fn)
    except TypeError:
        return {}
    names = [] if signature is None else list(signature.parameters)
    return {i: name for i, name in enumerate(names) if name in STATIC_PARAMETERS and i > 0}


def _make_static(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> tuple:
    """Ask for the values of arguments such as `axis`."""
    if isinstance(fn, np.ufunc) and fn.signature is None or not is_pure(fn):
        return args, keywords
    module = getattr(fn, "__module__", None) or ""
    if not module.startswith("numpy") and getattr(fn, "__objclass__", None) is not np.ndarray:
        return args, keywords
    positions = _static_positions(book.canonical(fn))
    asked = [args[i] for i in positions if i < len(args)]
    asked += [v for name, v in keywords.items() if name in STATIC_PARAMETERS]
    for operand in asked:
        for leaf in leaves(operand):
            if isinstance(leaf.type, T.Scalar) and leaf.uid in resolver.parameter_of:
                raise NeedStatic(leaf)
    return args, keywords


def _effect_type(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> Any:
    """The type of a random draw, whose shape is that of its `size`."""
    module = getattr(fn, "__module__", None) or ""
    owner = type(getattr(fn, "__self__", None)).__module__ or ""
    if not (module.startswith("numpy.random") or owner.startswith("numpy.random")):
        return T.UNKNOWN
    name = getattr(fn, "__name__", "")
    if name in ("rand", "randn"):
        size: Any = tuple(args)
    elif name in ("random", "standard_normal", "random_sample") and args:
        size = args[0]
    else:
        size = keywords.get("size", args[2] if len(args) > 2 else Constant(None))
    kind = "int" if name in ("randint", "integers") else "float"
    if isinstance(size, Constant) and size.value is None or size == ():
        return T.Scalar(kind)
    dims = [dim_of(n) for n in (size if isinstance(size, (tuple, list)) else [size])]
    if any(dim is None for dim in dims):
        return T.UNKNOWN
    return T.Array("float64" if kind == "float" else "int64", tuple(dims), True)


def binary(resolver: Resolver, fn: Callable, left: Any, right: Any) -> Any:
    """An arithmetic operator."""
    if instances.decides(fn, left, right):
        return instances.operate(resolver, fn, [left, right])
    if isinstance(left, dict) or isinstance(right, dict):
        found = mappings.binary(resolver, fn, left, right)
        if found is not NotImplemented:
            return found
    if isinstance(left, (tuple, list)) and type(left) is type(right) and fn is operator.add:
        return left + right
    if fn is operator.mul:
        for items, count in ((left, right), (right, left)):
            whole = isinstance(type_of(count), T.Scalar) and type_of(count).kind == "int"
            if not whole:
                continue
            if isinstance(items, (tuple, list)):
                if isinstance(count, Constant):
                    return items * int(count.value)
                if isinstance(items, list) and is_operand(items):
                    return lists.repeated(resolver, items, count)
                raise resolver.error(
                    "a tuple repeated a number of times that is not known",
                    "its structure must be known at compile time",
                    "repeat a list, or write the number out",
                )
            if isinstance(type_of(items), T.List) and isinstance(items, Value):
                return lists.repeated(resolver, items, count)
    if fn is operator.mod and isinstance(left, Constant) and isinstance(left.value, str):
        out = resolver.value(T.Object(str))
        resolver.add(Op(fn, [left, resolver.operand(right)], {}, [out]))
        return out
    if fn is operator.add and lists.is_list(left) and lists.is_list(right):
        return lists.concatenated(resolver, left, right)
    return resolver.op(fn, left, right)


def in_place(resolver: Resolver, fn: Callable, old: Any, value: Any, item: bool = False) -> Any:
    """`old op= value`; gives what the name stands for afterwards."""
    if isinstance(old, list) and fn is operator.iadd and walking.static_items(value) is not None:
        resolver.replace(old, old + (walking.static_items(value) or []))
        return old
    if isinstance(old, list) and fn is operator.iadd:
        lists.need_growing(resolver, old)
        raise resolver.error(
            "`+=` of a list that grew to one of known structure",
            "what each place holds must be known at compile time",
            "append the items one by one",
        )
    if isinstance(old, list) and fn is operator.imul and isinstance(value, Constant):
        resolver.replace(old, old * value.value)
        return old
    if isinstance(old, dict):
        found = mappings.in_place(resolver, fn, old, value)
        if found is not NotImplemented:
            return found
    if isinstance(old, Instance):
        own = f"__i{IN_PLACE.get(fn, fn).__name__.strip('_')}__"
        answer = instances.method(resolver, old, own, [value], {})
        if answer is not NotImplemented:
            return answer
    if isinstance(old, (tuple, list, Instance)):
        return binary(resolver, IN_PLACE.get(fn, fn), old, value)
    if isinstance(old, Constant) and isinstance(value, Constant):
        return resolver.op(IN_PLACE.get(fn, fn), old, value)
    kind = type_of(old)
    if isinstance(kind, T.List):
        if fn is operator.iadd:
            lists.extend(resolver, old, value)
        elif fn is operator.imul:
            more = resolver.op(operator.sub, value, Constant(1))
            lists.extend(resolver, old, lists.repeated(resolver, old, more))
        else:
            raise resolver.error("augmented assignment to a list")
        return old
    if isinstance(kind, T.Unknown):
        raise resolver.error(
            "augmented assignment to a value of unknown type",
            "an array would be updated in place, a number would be replaced",
            "write `x = x + ...`, or `x[...] += ...` for an array",
        )
    if isinstance(kind, T.Array):
        if isinstance(old, Constant):
            raise global_write(resolver, old)
        result = apply(resolver, fn, [old, value], {})
        check_cast(resolver, type_of(result), kind)
        if item:  # the caller stores it back into the item
            return result
        resolver.add(Store(old, (), result))
        return old
    return resolver.op(fn, old, value)


def check_cast(resolver: Resolver, result: Any, kind: T.Array) -> None:
    if isinstance(result, (T.Array, T.Scalar)) and result.dtype is not None:
        if not np.can_cast(result.dtype, kind.dtype, "same_kind"):
            raise resolver.error(
                f"in-place update of {kind.dtype} with {result.dtype}",
                "NumPy refuses to cast the result back",
                "make the array a float array first, e.g. `.astype(float)`",
            )


def global_write(resolver: Resolver, constant: Constant) -> errors.ResolveError:
    return resolver.error(
        f"write to the global array `{constant.name or 'array'}`",
        "a derivative call must not change what its caller holds",
        "copy it inside the function first, or pass it as an argument",
    )


def is_constant(operand: Any, among: tuple) -> bool:
    """Whether the operand is one of these plain constants."""
    return isinstance(operand, Constant) and any(operand.value is c for c in among)
