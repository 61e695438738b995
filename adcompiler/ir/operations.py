"""What operators, items, attributes and calls mean, given the types of what they act on.

`apply` writes one operation on run-time values; everything else decides which operations those
are: an index of a tuple of known structure is no operation at all, `x.shape` is a tuple of
lengths, a call to a function with source is its body.
"""

from __future__ import annotations

import builtins
import enum
import functools
import itertools
import operator
import types as python_types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast
import numpy as np

from adcompiler import errors, runtime
from adcompiler.ir import (
    abstract,
    functions,
    generators,
    guards,
    heap,
    indexing,
    instances,
    iteration,
    lists,
    mappings,
    nested,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import (
    Closure,
    Derivative,
    Either,
    Instance,
    KnownDict,
    Method,
    Native,
    Partial,
    Pullback,
    RangeOf,
    Sequence,
    Super,
    is_operand,
)
from adcompiler.ir.guards import CONTAINERS, NeedStatic, NeedUnroll
from adcompiler.ir.infer import (
    IN_PLACE,
    dim_of,
    index_type,
    is_pure,
    join,
    result_type,
    type_of,
)
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Constant,
    Op,
    Slice,
    Store,
    Value,
    dimension,
)
from adcompiler.ir.parse import parse
from adcompiler.rules import book, compositions
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

REFUSED_METHODS = {"resize", "itemset", "setfield", "byteswap", "setflags"}

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


# ---------------------------------------------------------------------------------------------
# one operation


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
        for leaf in _leaves(operand):
            if isinstance(leaf.type, T.Scalar) and leaf.uid in resolver.parameter_of:
                raise NeedStatic(leaf)
    return args, keywords


def _leaves(operand: Any) -> list[Value]:
    from adcompiler.ir.nodes import leaves

    return list(leaves(operand))


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
    if instances.is_instance(left) or instances.is_instance(right):
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
    if is_user_object(items):
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
    if not plain or not is_constant(items.step, (1,)):
        raise resolver.error(
            "`in` a range",
            "only integers in ranges with step 1 are looked for",
            "compare with its bounds",
        )
    above = resolver.op(operator.ge, item, items.start)
    return resolver.op(operator.and_, above, resolver.op(operator.lt, item, items.stop))


def in_place(resolver: Resolver, fn: Callable, old: Any, value: Any, item: bool = False) -> Any:
    """`old op= value`; gives what the name stands for afterwards."""
    if isinstance(old, list) and fn is operator.iadd and static_items(value) is not None:
        resolver.replace(old, old + (static_items(value) or []))
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
            raise _global_write(resolver, old)
        result = apply(resolver, fn, [old, value], {})
        _check_cast(resolver, type_of(result), kind)
        if item:  # the caller stores it back into the item
            return result
        resolver.add(Store(old, (), result))
        return old
    return resolver.op(fn, old, value)


def _check_cast(resolver: Resolver, result: Any, kind: T.Array) -> None:
    if isinstance(result, (T.Array, T.Scalar)) and result.dtype is not None:
        if not np.can_cast(result.dtype, kind.dtype, "same_kind"):
            raise resolver.error(
                f"in-place update of {kind.dtype} with {result.dtype}",
                "NumPy refuses to cast the result back",
                "make the array a float array first, e.g. `.astype(float)`",
            )


def _global_write(resolver: Resolver, constant: Constant) -> errors.ResolveError:
    return resolver.error(
        f"write to the global array `{constant.name or 'array'}`",
        "a derivative call must not change what its caller holds",
        "copy it inside the function first, or pass it as an argument",
    )


# ---------------------------------------------------------------------------------------------
# items


def path_of(resolver: Resolver, index: Any) -> tuple:
    """The index between brackets as a path."""
    if isinstance(index, tuple):
        return tuple(_index_operand(resolver, item) for item in index)
    return (_index_operand(resolver, index),)


def _index_operand(resolver: Resolver, item: Any) -> Any:
    if isinstance(item, Constant) and isinstance(item.value, slice):
        parts = (item.value.start, item.value.stop, item.value.step)
        return Slice(*map(Constant, parts))
    return resolver.operand(item)


def get_item(resolver: Resolver, base: Any, index: Any) -> Any:
    """`base[index]`."""
    if is_user_object(base):
        answer = instances.method(resolver, base, "__getitem__", [index], {})
        if answer is not NotImplemented:
            return answer
        if isinstance(base, Instance):
            raise resolver.error(f"index into a `{base.cls.__name__}`", "it has no `__getitem__`")
    if isinstance(base, (tuple, list)) and not isinstance(index, (tuple, list)):
        if isinstance(index, Constant):
            try:
                return resolver.usable(base[index.value])
            except IndexError:
                raise resolver.error("index out of range", f"there are {len(base)} items") from None
        if isinstance(index, Slice) and is_constant_slice(index):
            return base[python_slice(index)]
        if isinstance(index, Slice):
            lists.need_growing(resolver, base)
            raise resolver.error(
                "a slice of things of different kinds",
                "its bounds are only known at run time",
                "use bounds that are known when the function is compiled",
            )
        if isinstance(index, Value):
            if index.uid in resolver.parameter_of:
                raise NeedStatic(index)
            if isinstance(base, list) or _uniform(base):
                listed = resolver.settle(list(base))
                if isinstance(listed, Value):
                    return get_item(resolver, listed, index)
            if not resolver.is_loop_index(index):
                lists.need_growing(resolver, base)
                raise resolver.error(
                    "index into things of different kinds",
                    "the index is only known at run time",
                    "loop over the things themselves, or put them into one array",
                )
            raise NeedUnroll(index)
    if isinstance(base, dict):
        return mappings.get_item(resolver, base, index)
    if isinstance(base, Sequence) and resolver.frame is not None and resolver.frame.hidden:
        return base.item(index)
    if isinstance(base, RangeOf):
        return _item_of_range(resolver, base, index)
    if isinstance(base, Constant) and base.value is np.mgrid:
        return _grid(resolver, base, index)
    if isinstance(base, indexing.Flat):
        return indexing.get_flat(resolver, base, index)
    if indexing.is_builder(base):
        return indexing.built(resolver, base.value, index)
    if isinstance(base, Constant) and not isinstance(base.value, np.ndarray):
        if isinstance(index, Constant):
            if not isinstance(
                base.value, (*CONTAINERS, str, bytes, range, builtins.type, np.generic)
            ):
                raise resolver.error(
                    f"index into a {base.value.__class__.__name__}",
                    "whether it holds the same on the next call is not known",
                    "take the number or array out of it before, and pass that",
                )
            return resolver.foreign(base.value[index.value])
        raise resolver.error(
            f"index into a {base.value.__class__.__name__}", "the index is not known"
        )
    kind = type_of(base)
    if isinstance(kind, T.List):
        return lists.get_item(resolver, base, index)
    path = path_of(resolver, index)
    if isinstance(kind, T.Array):
        try:
            type, _view = index_type(kind, path, resolver.fresh)
        except IndexError as error:
            raise resolver.error(
                "index", str(error), "give at most one index for each axis"
            ) from None
    elif isinstance(kind, T.Unknown):
        type = T.UNKNOWN
    elif isinstance(kind, T.Scalar) and kind.dtype is not None and path in ((), _ellipsis_path):
        return base
    else:
        raise resolver.error(f"index into a {_kind_name(kind)}", "it has no items")
    out = resolver.value(type)
    resolver.add(Op(operator.getitem, [base, path], {}, [out]))
    return out


_ellipsis_path = ()


def _item_of_range(resolver: Resolver, base: RangeOf, index: Any) -> Any:
    """`range(...)[index]`."""
    known = base.known
    if known is not None and isinstance(index, Slice) and is_constant_slice(index):
        part = known[python_slice(index)]
        return RangeOf(Constant(part.start), Constant(part.stop), Constant(part.step))
    if known is not None and isinstance(index, Constant):
        if not -len(known) <= index.value < len(known):
            raise resolver.error("index out of range", f"there are {len(known)} items")
        return Constant(known[index.value])
    frame = resolver.frame
    if isinstance(index, Slice) or not (frame is not None and frame.hidden):
        raise resolver.error(
            "item of a range",
            "whether the index is negative or too large is only known at run time",
            "compute the number itself",
        )
    return walk_range(resolver, base)(index)


def _uniform(items: tuple) -> bool:
    types = [type_of(item) for item in items]
    return bool(items) and all(isinstance(t, T.Scalar) for t in types)


def _kind_name(kind: Any) -> str:
    match kind:
        case T.Scalar(kind=name):
            return name
        case T.Object(cls=cls):
            return cls.__name__
    return type(kind).__name__.lower()


def is_constant_slice(index: Slice) -> bool:
    return all(isinstance(p, Constant) for p in (index.start, index.stop, index.step))


def python_slice(index: Slice) -> slice:
    return slice(index.start.value, index.stop.value, index.step.value)


def set_item(resolver: Resolver, base: Any, index: Any, value: Any) -> None:
    """`base[index] = value`."""
    if isinstance(base, Instance):
        if instances.method(resolver, base, "__setitem__", [index, value], {}) is NotImplemented:
            raise resolver.error(f"store into a `{base.cls.__name__}`", "it has no `__setitem__`")
        return
    if isinstance(base, dict):
        mappings.set_item(resolver, base, index, value)
        return
    if isinstance(base, list):
        lists.static_set_item(resolver, base, index, value)
        return
    if isinstance(base, indexing.Flat):
        indexing.set_flat(resolver, base, index, value)
        return
    if isinstance(base, Constant) and isinstance(base.value, np.ndarray):
        raise _global_write(resolver, base)
    kind = type_of(base)
    if isinstance(kind, T.List) and isinstance(base, Value):
        lists.set_item(resolver, base, index, value)
        return
    if isinstance(kind, T.Unknown):
        raise resolver.error(
            "store into a value of unknown type",
            "what it shares its memory with cannot be told",
            "make it with np.zeros or .copy() in this function",
        )
    if not isinstance(kind, T.Array):
        raise resolver.error(
            f"store into a {_kind_name(kind)}",
            "it cannot be written",
            "use an array or a list that was given a name",
        )
    path = path_of(resolver, index)
    try:
        index_type(kind, path, resolver.fresh)
    except IndexError as error:
        raise resolver.error("index", str(error), "give at most one index for each axis") from None
    if isinstance(value, (list, tuple)):
        value = resolver.op(np.array, list(value))
    resolver.add(Store(base, path, resolver.operand(value)))


def unpacked(resolver: Resolver, value: Any, count: int | None) -> list:
    """The items of what is unpacked into `count` targets."""
    value = iterated(resolver, value)
    items = static_items(value)
    if items is not None:
        return items
    kind = type_of(value)
    length = None
    if isinstance(value, Sequence) and isinstance(value.length, Constant):
        return constant_range(resolver, value)
    if isinstance(kind, T.Array) and kind.shape:
        length = kind.shape[0].constant
    elif isinstance(kind, T.List) and kind.length is not None:
        length = kind.length.constant
    if length is None and count is not None and isinstance(kind, (T.Array, T.List)):
        length = count
        out = resolver.value(T.Object(type(None)))
        resolver.add(Op(runtime.check_length, [value, Constant(count)], {}, [out], effect=True))
    if length is None:
        raise resolver.error("unpacking", "how many items there are is not known", "use indices")
    return [get_item(resolver, value, Constant(i)) for i in range(length)]


def _grid(resolver: Resolver, base: Constant, index: Any) -> Any:
    """`np.mgrid[0:m, 0:n]`: the indices along each axis, of shape `(2, m, n)`."""
    path = path_of(resolver, index)
    dims = []
    for item in path:
        if not isinstance(item, Slice) or dim_of(item.stop) is None:
            raise resolver.error("`np.mgrid`", "only slices of integers are known", "np.meshgrid")
        plain = is_constant(item.start, (None, 0)) and is_constant(item.step, (None, 1))
        stop = dim_of(item.stop)
        counted = stop is not None and (stop.constant is None or stop.constant >= 0)
        dims.append(stop if plain and counted else T.symbol(resolver.fresh()))
    if len(dims) > 1:
        dims.insert(0, T.as_dim(len(dims)))
    out = resolver.value(T.Array("int64", tuple(dims), True))
    resolver.add(Op(operator.getitem, [base, path], {}, [out]))
    return out


# ---------------------------------------------------------------------------------------------
# attributes


def get_attribute(resolver: Resolver, base: Any, name: str) -> Any:
    """`base.name`."""
    if isinstance(base, (Instance, Super)):
        return instances.get_attribute(resolver, base, name)
    if isinstance(base, tuple) and name in getattr(base, "_fields", ()):
        return resolver.usable(getattr(base, name))
    if isinstance(base, tuple) and hasattr(base, "_fields"):
        if name in ("_replace", "_asdict"):
            return Method(base, name)
        held = instances.found_on(type(base), name)
        if isinstance(held, property):
            return call(resolver, Constant(held.fget), [base], {})
        if isinstance(held, python_types.FunctionType):
            resolver.guard(type(base), name, held)
            return Partial(Constant(held), (base,), {})
    if isinstance(base, Constant) and not isinstance(base.value, (*NUMBER, np.ndarray, str)):
        held = instances.found_on(type(base.value), name)
        if isinstance(held, property) and instances.is_of_users_class(base.value):
            return call(resolver, Constant(held.fget), [base], {})
        try:
            value = getattr(base.value, name)
        except AttributeError:
            raise resolver.error(
                f"`.{name}`",
                f"{base!r} has no such attribute",
                "check the spelling and the version of the module",
            ) from None
        if isinstance(base.value, python_types.ModuleType):
            if not base.value.__name__.startswith(("numpy", "math", "adcompiler")):
                resolver.guard(base.value, name, value)
            return resolver.constant(value, _module_path(base, name, value))
        resolver.guard(base.value, name, value)
        return resolver.foreign(value)
    if isinstance(base, Closure) and name in ("__name__", "__qualname__"):
        return Constant(base.tree.name)
    if isinstance(base, (Slice, RangeOf)) and name in ("start", "stop", "step"):
        return getattr(base, name)
    if isinstance(base, Partial) and name in ("func", "args", "keywords"):
        return {"func": base.function, "args": base.args, "keywords": dict(base.keywords)}[name]
    kind = type_of(base)
    if isinstance(kind, T.Array):
        if name == "shape":
            return shape(resolver, base)
        if name == "ndim" and kind.shape is not None:
            return Constant(len(kind.shape))
        if name == "size":
            return size(resolver, base)
        if name == "dtype":
            return Constant(np.dtype(kind.dtype))
        if name in ("real", "imag") and kind_is_real(kind):
            return _part_of_real(resolver, base, name)
        if name in ("T", "real", "imag"):
            return apply(resolver, getattr, [base, Constant(name)], {})
        if name == "mT":
            return apply(resolver, np.matrix_transpose, [base], {})
        if name == "flat":
            return indexing.Flat(base)
        if hasattr(np.ndarray, name):
            return Method(base, name)
        raise resolver.error(f"`.{name}`", "an array has no such attribute", "check the spelling")
    if isinstance(kind, T.Scalar):
        if name == "shape":
            return ()
        if name == "ndim":
            return Constant(0)
        if name == "T":
            return base
        if name in ("real", "imag") and kind_is_real(kind):
            return _part_of_real(resolver, base, name)
        if name in ("real", "imag"):
            return apply(resolver, getattr, [base, Constant(name)], {})
        if name == "dtype" and kind.dtype is not None:
            return Constant(np.dtype(kind.dtype))
        return Method(base, name)
    if isinstance(kind, T.Unknown) and hasattr(np.ndarray, name):
        if callable(getattr(np.ndarray, name)):
            return Method(base, name)
        return apply(resolver, getattr, [base, Constant(name)], {})
    owner = {T.List: list}.get(type(kind)) or runtime_class(base)
    if owner is not None and not hasattr(owner, name):
        raise resolver.error(
            f"`.{name}`", f"a {owner.__name__} has no such attribute", "check the spelling"
        )
    if isinstance(kind, T.Object) and not callable(getattr(owner, name)):
        raise resolver.error(
            f"`.{name}` of a {owner.__name__}",
            "what it holds is only known at run time",
            "use the value itself",
        )
    return Method(base, name)


def has_attribute(base: Any, name: str) -> bool:
    """Whether a thing that is no object of the user's has an attribute."""
    if isinstance(base, Constant):
        return hasattr(base.value, name)
    owner = runtime_class(base)
    if owner is None:
        raise errors.ResolveError(
            f"whether there is an attribute `{name}`",
            reason="the type is not known at compile time",
            remedy="drop the test",
        )
    return name in getattr(base, "_fields", ()) or hasattr(owner, name)


def _module_path(base: Constant, name: str, value: Any) -> str | None:
    if (isinstance(value, (*NUMBER, np.ndarray)) or value is np.mgrid) and base.name:
        return f"{base.name}.{name}"
    return None


def shape(resolver: Resolver, array: Any) -> Any:
    """`np.shape(array)`: a tuple of lengths where the rank is known."""
    kind = type_of(array)
    if isinstance(kind, T.Scalar):
        return ()
    if isinstance(kind, T.Array) and kind.shape is not None:
        return tuple(length(resolver, array, axis) for axis in range(len(kind.shape)))
    if isinstance(array, (list, tuple)):
        raise resolver.error("shape of a list", "", "make it an array first")
    out = resolver.value(T.UNKNOWN)
    resolver.add(Op(np.shape, [array], {}, [out]))
    return out


def length(resolver: Resolver, array: Any, axis: int) -> Any:
    """The length of one axis, as a constant where it is known."""
    kind = type_of(array)
    dim = kind.shape[axis]
    if dim.constant is not None:
        return Constant(dim.constant)
    known = resolver.known_length(dim)
    if known is not None:
        array, axis = known
    out = resolver.value(T.Scalar("int", None, dim))
    resolver.add(Op(dimension, [array, Constant(axis)], {}, [out]))
    return out


def size(resolver: Resolver, array: Any) -> Any:
    kind = type_of(array)
    if not isinstance(kind, T.Array) or kind.shape is None:
        return resolver.op(np.size, array)
    total: Any = Constant(1)
    for axis in range(len(kind.shape)):
        n = length(resolver, array, axis)
        one = isinstance(total, Constant) and total.value == 1
        total = n if one else resolver.op(operator.mul, total, n)
    return total


# ---------------------------------------------------------------------------------------------
# iteration


def static_items(value: Any) -> list | None:
    """The items of what has known structure."""
    if isinstance(value, (tuple, list)):
        return list(value)
    if isinstance(value, dict):
        return mappings.ordered(value)
    if isinstance(value, Constant) and isinstance(value.value, (str, range, enum.EnumMeta)):
        return [Constant(item) for item in value.value]
    if isinstance(value, Sequence) and isinstance(value.length, StaticLength):
        use_up(value)
        return [value.item(Constant(i)) for i in range(value.length.value)]
    if isinstance(value, generators.Generator):
        return generators.collect(value)
    return None


def use_up(walked: Sequence) -> None:
    """An iterator can be walked once."""
    if walked.used:
        raise errors.ResolveError(
            "an iterator that is walked twice",
            reason="`zip`, `map`, `enumerate` and generators are used up by the first loop",
            remedy="make a list of it: list(zip(a, b))",
        )
    walked.used.append(True)


def generator(resolver: Resolver, items: Any) -> Sequence:
    """A generator expression: its items, to be consumed at once."""
    if isinstance(items, list):
        return Sequence(StaticLength(len(items)), lambda i: items[i.value], lazy=True)
    walked = sequence(resolver, items)
    return Sequence(walked.length, walked.item, lazy=True, walks=walked.walks)


class StaticLength(Constant):
    """The length of a sequence whose items exist at compile time."""


def constant_range(resolver: Resolver, value: Any) -> list:
    """The indices of a range with constant bounds, for a loop that must be written out."""
    if isinstance(value, RangeOf):
        bounds = (value.start, value.stop, value.step)
        if all(isinstance(b, Constant) for b in bounds):
            return [Constant(i) for i in range(*(b.value for b in bounds))]
        for b in bounds:
            if isinstance(b, Value) and b.uid in resolver.parameter_of:
                raise NeedStatic(b)
    if isinstance(value, Sequence) and isinstance(value.length, Constant):
        return [value.item(Constant(i)) for i in range(value.length.value)]
    kind = type_of(value) if isinstance(value, (Value, Constant)) else None
    if isinstance(kind, T.Array) and kind.shape and kind.shape[0].constant is not None:
        return [get_item(resolver, value, Constant(i)) for i in range(kind.shape[0].constant)]
    raise resolver.error(
        "index into things of different kinds",
        "the index is only known at run time",
        "loop over the things themselves (`for w, b in layers`), or put them into one array",
    )


def iterated(resolver: Resolver, value: Any) -> Any:
    """What a loop over an object walks: what its `__iter__` gives, or its items in order."""
    if isinstance(value, Value) and isinstance(value.type, T.List):
        return [] if resolver.is_empty(value) else value
    if not is_user_object(value):
        return value
    answer = instances.method(resolver, value, "__iter__", [], {})
    if answer is not NotImplemented:
        if is_user_object(answer):
            raise resolver.error(
                f"loop over a `{instances.class_of(value).__name__}`",
                "`__next__` is not followed",
                "let `__iter__` yield the items, or loop over a range, an array or a list",
            )
        return iterated(resolver, answer)
    if instances.special_method(value, "__getitem__") and instances.special_method(
        value, "__len__"
    ):
        count = instances.operate(resolver, len, [value])
        known = StaticLength(count.value) if isinstance(count, Constant) else count
        return Sequence(known, lambda i: get_item(resolver, value, i))
    return value


def is_user_object(value: Any) -> bool:
    """Whether it is an object of a class that is written in Python, held by its fields or not."""
    return isinstance(value, Instance) or (
        isinstance(value, Constant) and instances.is_of_users_class(value.value)
    )


def has_known_trips(resolver: Resolver, value: Any) -> bool:
    """Whether a loop over this can be written out trip by trip."""
    if isinstance(value, RangeOf):
        return all(
            isinstance(b, Constant) or (isinstance(b, Value) and b.uid in resolver.parameter_of)
            for b in (value.start, value.stop, value.step)
        )
    if isinstance(value, Sequence):
        return isinstance(value.length, Constant)
    kind = type_of(value) if isinstance(value, (Value, Constant)) else None
    return isinstance(kind, T.Array) and bool(kind.shape) and kind.shape[0].constant is not None


def sequence(resolver: Resolver, value: Any) -> Sequence:
    """What a loop walks, item by item."""
    if isinstance(value, Sequence):
        use_up(value)
        return value
    if isinstance(value, generators.Generator):
        return sequence(resolver, iteration.indexable(resolver, value))
    if isinstance(value, RangeOf):
        return Sequence(_range_length(resolver, value), walk_range(resolver, value))
    if isinstance(value, indexing.Flat):
        return indexing.walk_flat(resolver, value)
    if isinstance(value, (tuple, list, dict)):
        items = mappings.ordered(value) if isinstance(value, dict) else value

        def at_place(index: Any) -> Any:
            return items[static_index(index)]  # of a list as it is when read

        walks = () if isinstance(value, tuple) else (value,)
        growing = bool(walks) and resolver.is_held(value)
        return Sequence(StaticLength(len(items)), at_place, walks=walks, growing=growing)
    found = static_items(value)
    if found is not None:
        return Sequence(StaticLength(len(found)), lambda i: found[static_index(i)])
    kind = type_of(value)
    if isinstance(kind, T.Array):
        if kind.shape is None or not kind.shape:
            raise resolver.error("loop over an array of unknown rank", "", "use indices")
        return Sequence(length(resolver, value, 0), lambda i: get_item(resolver, value, i))
    if isinstance(kind, T.List):
        known = kind.length.constant if kind.length is not None else None
        count = lists.length(resolver, value) if known is None else StaticLength(known)
        return Sequence(count, lambda i: get_item(resolver, value, i), walks=(value,), growing=True)
    raise resolver.error(
        f"loop over a {_kind_name(kind)}",
        "its items are not known",
        "loop over a range, an array or a list",
    )


def walk_range(resolver: Resolver, value: RangeOf) -> Callable[[Any], Any]:
    """What gives the number at a place of a range."""
    first, step = value.start, value.step

    def at(index: Any) -> Any:
        scaled = (
            index
            if isinstance(step, Constant) and step.value == 1
            else resolver.op(operator.mul, index, step)
        )
        if isinstance(first, Constant) and first.value == 0:
            return scaled
        return resolver.op(operator.add, first, scaled)

    return at


def static_index(index: Any) -> int:
    if isinstance(index, Constant):
        return index.value
    raise NeedUnroll(index)


def _range_length(resolver: Resolver, value: RangeOf) -> Any:
    if isinstance(value.step, Constant) and value.step.value == 1:
        if isinstance(value.start, Constant) and value.start.value == 0:
            return value.stop
        return resolver.op(operator.sub, value.stop, value.start)
    bounds = (value.start, value.stop, value.step)
    if all(isinstance(b, Constant) for b in bounds):
        return Constant(len(range(*(b.value for b in bounds))))
    out = resolver.value(T.INT)
    resolver.add(Op(range_length, list(bounds), {}, [out]))
    return out


# ---------------------------------------------------------------------------------------------
# calls


def call(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    """`fn(*args, **keywords)`."""
    if isinstance(fn, Closure):
        return resolver.call(fn.tree, args, keywords, fn.frame, fn.defaults, fn.keyword_defaults)
    if isinstance(fn, Partial):
        return call(resolver, fn.function, [*fn.args, *args], {**fn.keywords, **keywords})
    if isinstance(fn, Native):
        return fn.run(resolver, args, keywords)
    if isinstance(fn, Either):
        if not resolver.in_scope(fn.test):
            raise resolver.error(
                "call of one of two functions",
                "which of them it is was decided in a branch or a loop that is over",
                "call the function where it is chosen",
            )
        return resolver.branch(
            fn.test,
            lambda: call(resolver, fn.first, args, keywords),
            lambda: call(resolver, fn.second, args, keywords),
        )
    if isinstance(fn, Method):
        return _call_method(resolver, fn, args, keywords)
    if isinstance(fn, Derivative):
        return nested.call(resolver, fn, args, keywords)
    if isinstance(fn, Pullback):
        return nested.pull_back(resolver, fn, args, keywords)
    if isinstance(fn, Instance):
        return instances.call_instance(resolver, fn, args, keywords)
    if isinstance(fn, Constant):
        return _call_object(resolver, fn.value, args, keywords)
    raise resolver.error(
        "call of a value",
        "which function it is is not known at compile time",
        "call a function by its name",
    )


def _call_object(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    if getattr(fn, "__objclass__", None) is np.ndarray and args:
        return _array_method(resolver, args[0], fn.__name__, args[1:], keywords)
    if isinstance(fn, functools.partial):
        given = [resolver.constant(arg) for arg in fn.args]
        named = {k: resolver.constant(v) for k, v in fn.keywords.items()}
        return _call_object(resolver, fn.func, [*given, *args], {**named, **keywords})
    native = functions.as_native(resolver, fn)
    if native is not None:
        return call(resolver, native, args, keywords)
    if hasattr(fn, "__differentiates__"):
        return nested.of_transform(resolver, fn, args, keywords)
    derivative = nested.of_object(resolver, fn)
    if derivative is not None:
        return nested.call(resolver, derivative, args, keywords)
    if any(map(is_user_object, args)):
        answer = _call_of_objects(resolver, fn, args, keywords)
        if answer is not NotImplemented:
            return answer
    special = SPECIAL.get(fn) if _is_hashable(fn) else None
    if special is not None:
        result = special(resolver, args, keywords)
        if result is not NotImplemented:
            return result
    if _is_hashable(fn) and book.canonical(fn) in book.COMPOSITIONS:
        return call_known(resolver, fn, args, keywords)
    if book.lookup(fn) is not None or book.is_zero(fn) or is_pure(fn):
        return call_known(resolver, fn, args, keywords)
    if isinstance(fn, python_types.BuiltinFunctionType | python_types.MethodType):
        owner = getattr(fn, "__self__", None)
        if isinstance(owner, np.ufunc):
            return _ufunc_method(resolver, owner, fn.__name__, args, keywords)
        module = type(owner).__module__ or ""
        if module.startswith("numpy.random"):
            if fn.__name__ in ("shuffle", "permuted", "bytes"):
                raise resolver.error(
                    f"`{fn.__name__}`",
                    "it changes its argument in a random way",
                    "draw a permutation of the indices, and index",
                )
            return apply(resolver, fn, args, keywords, effect=True)
    if isinstance(fn, np.vectorize):
        return _vectorised(resolver, resolver.constant(fn.pyfunc), fn, args, keywords)
    if isinstance(fn, python_types.FunctionType) and fn.__module__ == compositions.__name__:
        return compose(resolver, fn, args, keywords)
    wrapped = getattr(fn, "__wrapped__", None)
    if isinstance(fn, functools._lru_cache_wrapper) and isinstance(
        wrapped, python_types.FunctionType
    ):
        if any(_may_be_active(value) for value in (*args, *keywords.values())):
            return _call_cached(resolver, fn, wrapped, args, keywords)
    if isinstance(fn, python_types.FunctionType) and hasattr(fn, "dispatch") and args:
        return _call_dispatched(resolver, fn, args, keywords)
    if isinstance(fn, python_types.FunctionType):
        resolver.guard(fn, "__defaults__", fn.__defaults__)
        resolver.guard(fn, "__code__", fn.__code__)
        return resolver.call(parse(fn, generator=True), args, keywords)
    if isinstance(fn, python_types.MethodType):
        if fn.__name__ == "_make" and hasattr(fn.__self__, "_fields"):
            return instances.make(resolver, fn.__self__, unpacked(resolver, args[0], None), {})
        owner = resolver.constant(fn.__self__)
        return _call_object(resolver, fn.__func__, [owner, *args], keywords)
    origin = getattr(fn, "__origin__", None)
    if isinstance(origin, type) and isinstance(fn, (GENERIC, python_types.GenericAlias)):
        return _call_object(resolver, origin, args, keywords)
    if instances.is_of_users_class(fn):
        answer = instances.method(resolver, Constant(fn), "__call__", args, keywords)
        if answer is not NotImplemented:
            return answer
    if isinstance(fn, type) and issubclass(fn, BaseException):
        return resolver.raised(fn, None)
    if isinstance(fn, type):
        return instances.make(resolver, fn, args, keywords)
    return call_unknown(resolver, fn, args, keywords)


def _vectorised(resolver: Resolver, function: Any, like: Any, args: list, keywords: dict) -> Any:
    """A call of what `np.vectorize` made of a function."""
    if keywords or (like is not None and (like.signature or like.excluded or like.otypes)):
        raise resolver.error(
            "`np.vectorize` with arguments",
            "it is known without otypes=, excluded= and signature= only",
            "write a loop over the items",
        )
    return compose(resolver, compositions.vectorised, [function, *args], {})


_WALKING: dict[Any, slice] = {
    **dict.fromkeys((enumerate, reversed, list, tuple, sum, dict, min, max), slice(1)),
    **dict.fromkeys((zip, itertools.chain, itertools.product), slice(None)),
    map: slice(1, None),
}
"""Functions that walk their arguments, and which of these."""

_CONVERSIONS = {float: "__float__", int: "__int__", bool: "__bool__", complex: "__complex__"}


def _call_of_objects(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    """A function of Python's own that asks an object's class what it does."""
    if not _is_hashable(fn):
        return NotImplemented
    if fn in instances.OPERATORS:
        return instances.operate(resolver, fn, args)
    if fn in _CONVERSIONS and len(args) == 1:
        if fn is bool:
            test = resolver.truth(args[0])
            return Constant(test) if isinstance(test, bool) else test
        return instances.method(resolver, args[0], _CONVERSIONS[fn], [], {})
    if fn in _WALKING and not (fn in (min, max) and len(args) > 1):
        walked = list(args)
        walked[_WALKING[fn]] = [iterated(resolver, arg) for arg in args[_WALKING[fn]]]
        if any(map(operator.is_not, walked, args)):
            return _call_object(resolver, fn, walked, keywords)
    return NotImplemented


def _may_be_active(value: Any) -> bool:
    """Whether a derivative might pass through an argument."""
    kinds = [type_of(v) for v in _values_of(value)]
    plain = all(isinstance(k, T.Scalar) and k.kind in ("int", "bool") for k in kinds)
    return not plain or isinstance(value, (Instance, Closure, Partial))


def _call_cached(resolver: Resolver, fn: Any, wrapped: Callable, args: list, keywords: dict) -> Any:
    """A function with `functools.lru_cache`: what the function itself gives."""
    for value in (*args, *keywords.values()):
        if isinstance(type_of(value), (T.Array, T.List)) or isinstance(value, (list, dict)):
            raise resolver.error(
                f"`{wrapped.__qualname__}` of an array or list",
                "functools.lru_cache looks its arguments up in a dict: Python would raise "
                "TypeError (unhashable type)",
                "take the cache off",
            )
    resolver.guard(fn, "__wrapped__", wrapped)
    return _call_object(resolver, wrapped, args, keywords)


def _call_dispatched(resolver: Resolver, fn: Any, args: list, keywords: dict) -> Any:
    """A function with `functools.singledispatch`: the one for the type of the first argument."""
    known = runtime_class(args[0])
    if known is None:
        raise resolver.error(
            f"`{fn.__name__}` of a value of unknown type",
            "functools.singledispatch chooses by it",
            "call the function for this type itself",
        )
    chosen = guards.Dispatch(fn, known)
    resolver.guard(chosen, "function", chosen.function)
    return _call_object(resolver, chosen.function, args, keywords)


def call_unknown(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> Any:
    """A function without rule or source: it runs as it is, but must not get at arrays."""
    name = getattr(fn, "__qualname__", None) or repr(fn)
    for value in (*args, *keywords.values()):
        for thing in heap.objects_among([value]).values():
            raise resolver.error(
                f"`{name}` of a {_kind_of(thing)}",
                "it has no Python source: whether it changes it is not known",
                "write what it does in Python, or give it a tuple",
            )
        for leaf in _values_of(value):
            if isinstance(leaf.type, (T.Array, T.List, T.Unknown)):
                raise errors.DifferentiationError(
                    f"`{name}` of an array",
                    reason="it has no derivative rule and no Python source: what it does to its "
                    "arguments is not known",
                    remedy="register a rule for it (adcompiler.rules), or write it in NumPy",
                    position=resolver.position(),
                )
    return apply(resolver, fn, args, keywords, effect=True)


def _kind_of(thing: Any) -> str:
    return thing.cls.__name__ if isinstance(thing, Instance) else type(thing).__name__


def _values_of(value: Any) -> list[Value]:
    if isinstance(value, (tuple, list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return [v for item in items for v in _values_of(item)]
    return [value] if isinstance(value, Value) else []


def _is_hashable(fn: Any) -> bool:
    try:
        hash(fn)
    except TypeError:
        return False
    return True


def is_constant(operand: Any, among: tuple) -> bool:
    """Whether the operand is one of these plain constants."""
    return isinstance(operand, Constant) and any(operand.value is c for c in among)


def call_known(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> Any:
    """A call of a function of NumPy, `math` or the rulebook."""
    args, keywords, out = book.without_out(fn, args, keywords, static)
    args = [_snapshot_items(resolver, arg) for arg in args]
    fn, args, keywords = lists.as_arrays(resolver, fn, args, keywords)
    composition = book.composed(fn, args, keywords, static)
    if composition is not None:
        result = compose(resolver, composition, args, keywords)
        return result if out is None else _into(resolver, out, result)
    keywords = _without_own_dtype(resolver, fn, args, keywords)
    where = keywords.pop("where", None)
    if isinstance(where, Constant) and where.value is True:
        where = None
    if where is not None and (not isinstance(fn, np.ufunc) or out is None):
        raise resolver.error(
            "`where=` argument",
            "what stands where it is false is not known",
            "use np.where(condition, new, old)",
        )
    result = apply(resolver, fn, args, keywords)
    if where is not None:
        if isinstance(result, tuple):
            raise resolver.error(
                "`where=` of several results", "", "use np.where(condition, new, old)"
            )
        old = out[0] if isinstance(out, tuple) else out
        result = apply(resolver, np.where, [where, result, old], {})
    return result if out is None else _into(resolver, out, result)


def _without_own_dtype(resolver: Resolver, fn: Callable, args: list, keywords: dict) -> dict:
    """A `dtype=` that the result has anyway says nothing."""
    asked = keywords.get("dtype")
    rule = book.lookup(fn)
    if rule is None or "dtype" in rule.parameters or not isinstance(asked, Constant):
        return keywords
    rest = {name: value for name, value in keywords.items() if name != "dtype"}
    try:
        own = result_type(fn, [resolver.operand(arg) for arg in args], rest, resolver.fresh)
        same = getattr(own, "dtype", None) == np.dtype(asked.value).name
    except TypeError:
        return keywords
    return rest if same else keywords


def _into(resolver: Resolver, out: Any, result: Any) -> Any:
    """What `out=` asks for; gives what the call returns."""
    results = result if isinstance(result, tuple) else (result,)
    places = out if isinstance(out, tuple) else (out,)
    if len(results) != len(places):
        raise resolver.error("`out=` argument", f"there are {len(results)} results")
    returned = []
    for place, value in zip(places, results, strict=True):
        if is_constant(place, (None,)):
            returned.append(value)
            continue
        kind = type_of(place)
        if not isinstance(kind, T.Array) or isinstance(place, Constant):
            raise resolver.error("`out=` argument", "it must be a local array of known type")
        _check_cast(resolver, type_of(value), kind)
        resolver.add(Store(place, (), value))
        returned.append(place)
    return tuple(returned) if isinstance(result, tuple) else returned[0]


def compose(resolver: Resolver, composition: Any, args: list, keywords: dict) -> Any:
    """A call of what has a composition in the rulebook: that, in place of the user's statement."""
    tree = parse(composition)
    names = book.parameter_names(composition)
    for name, value in [*zip(names, args, strict=False), *keywords.items()]:
        if name in STATIC_PARAMETERS:
            for leaf in _leaves(value) if is_operand(value) else ():
                if isinstance(leaf.type, T.Scalar) and leaf.uid in resolver.parameter_of:
                    raise NeedStatic(leaf)
    fixed, resolver.fixed_origin = resolver.fixed_origin, resolver.fixed_origin or resolver.origin
    try:
        result = resolver.call(tree, args, keywords)
        if resolver.dead:
            made = resolver.block.statements[-2]
            text = made.args[0] if isinstance(made, Op) and made.args else Constant("")
            reason, _, remedy = str(text.value).partition(": ")  # type: ignore[union-attr]
            raise resolver.error(f"`{composition.__name__}` with these arguments", reason, remedy)
        return result
    finally:
        resolver.fixed_origin = fixed


def static(operand: Any) -> Any:
    """The Python object that an operand stands for as far as that is known, else the operand."""
    if isinstance(operand, Constant):
        return operand.value
    if isinstance(operand, (tuple, list)):
        return type(operand)(static(item) for item in operand)
    return operand


def _snapshot_items(resolver: Resolver, arg: Any) -> Any:
    if isinstance(arg, (tuple, list)):
        return abstract.remade(type(arg), (), [_snapshot_items(resolver, item) for item in arg])
    if isinstance(arg, Sequence):
        items = static_items(arg)
        if items is not None:
            return items
    return arg


def _ufunc_method(resolver: Resolver, ufunc: np.ufunc, name: str, args: list, keywords: dict):
    if name == "at" and ufunc is np.add and not keywords:
        array, index, value = args
        if not isinstance(type_of(array), T.Array) or isinstance(array, Constant):
            raise resolver.error("`np.add.at`", "its first argument must be a local array")
        resolver.add(Accumulate(array, path_of(resolver, index), resolver.operand(value)))
        return Constant(None)
    if name == "at" and not keywords:
        array, index = args[:2]
        value = args[2] if len(args) > 2 else Constant(None)
        if ufunc is np.subtract and isinstance(type_of(array), T.Array) and is_array(array):
            opposite = apply(resolver, np.negative, [value], {})
            return _ufunc_method(resolver, np.add, name, [array, index, opposite], {})
        parts = index if isinstance(index, tuple) else (index,)
        if not all(_is_index_row(resolver, part) for part in parts):
            raise resolver.error(
                f"`np.{ufunc.__name__}.at` with this index",
                "arrays of integers with one axis are known",
                "write a loop over the places",
            )
        of = [Constant(ufunc), array, index, value]
        return compose(resolver, compositions.ufunc_at, of, {})
    if name == "reduce" and ufunc is np.logaddexp:
        return compose(resolver, compositions.logaddexp_reduce, args, keywords)
    if name == "reduce" and ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        fn = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}[ufunc]
        keywords.setdefault("axis", Constant(0))
        return apply(resolver, fn, args, keywords)
    if name == "accumulate" and ufunc in (np.add, np.multiply):
        keywords.setdefault("axis", Constant(0))
        return apply(resolver, {np.add: np.cumsum, np.multiply: np.cumprod}[ufunc], args, keywords)
    if name == "outer" and not keywords and len(args) == 2:
        left, right = (resolver.operand(arg) for arg in args)
        ranks = [
            len(k.shape) if isinstance(k, T.Array) and k.shape is not None else None
            for k in map(type_of, (left, right))
        ]
        if ranks[0] and ranks[1]:
            new = (Constant(Ellipsis), *[Constant(None)] * ranks[1])
            return apply(resolver, ufunc, [get_item(resolver, left, new), right], {})
    raise resolver.error(
        f"`np.{ufunc.__name__}.{name}`",
        "it has no derivative rule",
        "write it with the function itself",
    )


def _is_index_row(resolver: Resolver, index: Any) -> bool:
    """Whether an index is an array of integers with one axis (or a list of integers)."""
    kind = type_of(index)
    if isinstance(kind, T.List):
        return isinstance(kind.item, T.Scalar) and kind.item.kind == "int"
    one_axis = isinstance(kind, T.Array) and kind.shape is not None and len(kind.shape) == 1
    return one_axis and kind.kind == "int"


def _call_method(resolver: Resolver, method: Method, args: list, keywords: dict) -> Any:
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
        items = tuple(python_value(item) for item in base)
        return Constant(getattr(items, name)(*map(python_value, args)))
    if isinstance(base, Constant) and isinstance(base.value, str):
        if name == "join" or not all(isinstance(a, Constant) for a in args):
            out = resolver.value(T.Object(str))
            fn = getattr(str, name)
            resolver.add(Op(fn, [base, *map(resolver.operand, args)], {}, [out]))
            return out
        value = getattr(base.value, name)(*[a.value for a in args])
        return resolver.constant(value)
    if isinstance(kind, (T.Array, T.Unknown, T.Scalar)):
        return _array_method(resolver, base, name, args, keywords)
    raise resolver.error(f"`.{name}`", "the method is not known")


def _array_method(resolver: Resolver, base: Any, name: str, args: list, keywords: dict) -> Any:
    kind = type_of(base)
    if name == "__getitem__" and len(args) == 1:
        return get_item(resolver, base, args[0])
    if name == "__len__" and not args:
        return call(resolver, Constant(len), [base], {})
    if name == "copy" and isinstance(kind, T.Scalar):
        return base
    if name in ("conj", "conjugate") and kind_is_real(kind):
        return base  # the same object, as NumPy has it
    if name in ("conj", "conjugate") and isinstance(kind, T.Scalar):
        own = complex.conjugate if kind.dtype is None else np.conjugate
        return apply(resolver, own, [base], {})
    if name == "fill" and isinstance(kind, T.Array):
        if isinstance(base, Constant):
            raise _global_write(resolver, base)
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
        return resolver.op(to, get_item(resolver, base, tuple(items)))
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
        return call_known(resolver, np.dot, [base, *args], keywords)
    if name in ("reshape", "transpose") and len(args) > 1:
        args = [tuple(args)]
        fn = np.reshape if name == "reshape" else np.transpose
        return call_known(resolver, fn, [base, *args], keywords)
    if name in ("reshape", "transpose") and args:
        fn = np.reshape if name == "reshape" else np.transpose
        return call_known(resolver, fn, [base, *args], keywords)
    method = getattr(np.ndarray, name, None)
    if method is None:
        raise resolver.error(f"`.{name}()`", "arrays have no such method")
    return call_known(resolver, method, [base, *args], keywords)


# -- functions that are more than an operation --------------------------------------------------


def _call_range(resolver: Resolver, args: list, keywords: dict) -> Any:
    parts = [resolver.operand(arg) for arg in args]
    for part in parts:
        kind = type_of(part)
        if (
            isinstance(kind, T.Array)
            and kind.shape != ()
            or (isinstance(kind, T.Scalar) and kind.kind not in ("int", "bool"))
        ):
            raise resolver.error(
                "`range`", f"a {_kind_name(kind)} is no count", "pass an integer, e.g. len(x)"
            )
    if len(parts) == 1:
        return RangeOf(Constant(0), parts[0], Constant(1))
    if len(parts) == 2:
        return RangeOf(parts[0], parts[1], Constant(1))
    return RangeOf(*parts)


def call_enumerate(resolver: Resolver, args: list, keywords: dict) -> Any:
    inner = sequence(resolver, args[0])
    start = args[1] if len(args) > 1 else keywords.get("start", Constant(0))

    def item(index: Any) -> Any:
        number = index
        if not (isinstance(start, Constant) and start.value == 0):
            number = resolver.op(operator.add, index, start)
        return (number, inner.item(index))

    return Sequence(inner.length, item, walks=inner.walks, growing=inner.growing)


def zipped(resolver: Resolver, inner: list[Sequence], strict: bool) -> Sequence:
    """`zip` of these; it ends with the shortest."""
    if not inner:
        return Sequence(StaticLength(0), lambda i: ())
    lengths = [s.length for s in inner if s.length is not None]
    if strict and (len(lengths) < len(inner) or not _check_lengths(resolver, inner)):
        raise resolver.error(
            "`zip(..., strict=True)` of different lengths",
            "it raises ValueError at the end of the shortest",
            "give things of the same length",
        )
    total: Any = None
    if lengths and all(isinstance(n, Constant) for n in lengths):
        count = min(n.value for n in lengths)
        static = any(isinstance(n, StaticLength) for n in lengths)
        total = StaticLength(count) if static else Constant(count)
    elif any(isinstance(n, StaticLength) for n in lengths):
        count = min(n.value for n in lengths if isinstance(n, StaticLength))
        for n in lengths:
            if not isinstance(n, Constant):
                out = resolver.value(T.Object(type(None)))
                resolver.add(Op(runtime.at_least, [n, Constant(count)], {}, [out], effect=True))
        total = StaticLength(count)
    elif lengths:
        total = lengths[0]
        for n in lengths[1:]:
            if dim_of(n) is None or dim_of(n) != dim_of(total):
                total = resolver.op(min, total, n)
    walks = tuple(thing for s in inner for thing in s.walks)
    growing = any(s.growing for s in inner)
    item = lambda i: tuple(s.item(i) for s in inner)  # noqa: E731
    return Sequence(total, item, walks=walks, growing=growing)


def _check_lengths(resolver: Resolver, inner: list[Sequence]) -> bool:
    """Let it raise at run time if lengths differ; false if they are known to."""
    first = inner[0].length
    for number, other in enumerate(inner[1:], 2):
        p, q = dim_of(first), dim_of(other.length)
        if p is not None and p == q:
            continue
        if isinstance(first, Constant) and isinstance(other.length, Constant):
            return False
        out = resolver.value(T.Object(type(None)))
        args = [resolver.operand(n) for n in (first, other.length)] + [Constant(number)]
        resolver.add(Op(runtime.check_zip, args, {}, [out], effect=True))
    return True


def _call_reversed(resolver: Resolver, args: list, keywords: dict) -> Any:
    inner = sequence(resolver, args[0])
    if isinstance(inner.length, StaticLength):
        end = inner.length.value - 1
        return Sequence(
            inner.length,
            lambda i: inner.item(Constant(end - static_index(i))),
            walks=inner.walks,
        )
    last = resolver.op(operator.sub, inner.length, Constant(1))
    return Sequence(
        inner.length, lambda i: inner.item(resolver.op(operator.sub, last, i)), walks=inner.walks
    )


def _call_len(resolver: Resolver, args: list, keywords: dict) -> Any:
    value = args[0]
    if isinstance(value, Instance):
        return instances.operate(resolver, len, [value])
    if isinstance(value, (tuple, list, dict)):
        return Constant(len(value))
    if isinstance(value, RangeOf):
        return _range_length(resolver, value)
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


def call_list(resolver: Resolver, args: list, keywords: dict) -> Any:
    if not args:
        return []
    items = static_items(args[0])
    if items is not None:
        return items
    out = lists.empty(resolver)
    lists.extend(resolver, out, args[0])
    return out


def call_tuple(resolver: Resolver, args: list, keywords: dict) -> Any:
    if not args:
        return ()
    items = static_items(args[0])
    if items is None and isinstance(args[0], RangeOf):
        items = constant_range(resolver, args[0])
    if items is None:
        kind = type_of(args[0])
        if isinstance(kind, T.Array) and kind.shape and kind.shape[0].constant is not None:
            items = unpacked(resolver, args[0], None)
        else:
            raise resolver.error("`tuple(...)`", "how many items there are is not known")
    return tuple(items)


def call_sum(resolver: Resolver, args: list, keywords: dict) -> Any:
    start = args[1] if len(args) > 1 else keywords.get("start", Constant(0))
    items = static_items(args[0])
    if items is not None:
        total = start
        for item in items:
            zero = isinstance(total, Constant) and total.value == 0
            total = (
                item
                if zero and isinstance(item, Value)
                else binary(resolver, operator.add, total, item)
            )
        return total
    walked = sequence(resolver, args[0])
    return fold_items(resolver, walked, start)


def fold_items(resolver: Resolver, walked: Sequence, start: Any, fn: Callable | None = None) -> Any:
    """`total = start; for item in items: total = fn(total, item)`; their sum without `fn`."""
    from adcompiler.ir.nodes import Block, Loop, Range

    kind = type_of(start)
    form = lists.stable(kind)
    for _ in range(4):
        index = resolver.value(T.INT, "i")
        total = resolver.value(form, "total")
        block = Block([index, total])
        with resolver.writing(block):
            item = walked.item(index)
            result = resolver.op(operator.add, total, item) if fn is None else fn(total, item)
        wider = join(form, lists.stable(type_of(result)))
        if wider == form:
            break
        form = wider
    block.results.append(result)
    out = resolver.value(form, "total")
    domain = Range(Constant(0), resolver.operand(walked.length), Constant(1))
    resolver.add(Loop(domain, [resolver.operand(start)], block, [out]))
    return out


def call_minmax(fn: Callable) -> Callable:
    def minmax(resolver: Resolver, args: list, keywords: dict) -> Any:
        items = static_items(args[0]) if len(args) == 1 else args
        if keywords:
            raise resolver.error(
                f"`{fn.__name__}` with these arguments", "", "write the choice as a loop"
            )
        if items is None:
            walked = sequence(resolver, args[0])
            first = walked.item(Constant(0))
            return fold_items(
                resolver, walked, first, lambda total, item: resolver.op(fn, total, item)
            )
        result = items[0]
        for item in items[1:]:
            result = resolver.op(fn, result, item)
        return result

    return minmax


def _call_isinstance(resolver: Resolver, args: list, keywords: dict) -> Any:
    value, cls = args
    classes = python_value(cls) if is_operand(cls) and not isinstance(cls, Value) else None
    known = runtime_class(value)
    if known is None or classes is None:
        raise resolver.error("`isinstance`", "the type is not known at compile time")
    return Constant(issubclass(known, classes))


def runtime_class(value: Any) -> type | None:
    """The Python class of an abstract value."""
    if isinstance(value, Constant):
        return type(value.value)
    if isinstance(value, KnownDict):
        return value.made
    if isinstance(value, (tuple, list, dict)):
        return type(value)
    if isinstance(value, Instance):
        return value.cls
    match type_of(value):
        case T.Array():
            return np.ndarray
        case T.Scalar(kind=kind, dtype=None):
            return {"bool": bool, "int": int, "float": float, "complex": complex}[kind]
        case T.Scalar(dtype=dtype):
            return np.dtype(dtype).type
        case T.List():
            return list
        case T.Object(cls=cls):
            return cls
    return None


def _call_type(resolver: Resolver, args: list, keywords: dict) -> Any:
    known = runtime_class(args[0]) if len(args) == 1 else None
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
    base, exponent, modulus = iteration.bind(
        resolver, "pow", args, keywords, 0, base=None, exp=None, mod=Constant(None)
    )
    if base is None or exponent is None:
        raise resolver.error("`pow` with these arguments", "it takes a base and an exponent")
    if iteration.is_none(modulus):
        return binary(resolver, operator.pow, base, exponent)
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


def _call_operator(fn: Callable) -> Callable:
    def changed(resolver: Resolver, args: list, keywords: dict) -> Any:
        return in_place(resolver, fn, args[0], args[1])

    return changed


def _call_setitem(resolver: Resolver, args: list, keywords: dict) -> Any:
    set_item(resolver, args[0], args[1], args[2])
    return Constant(None)


def _call_getitem(resolver: Resolver, args: list, keywords: dict) -> Any:
    return get_item(resolver, args[0], args[1])


def _call_print(resolver: Resolver, args: list, keywords: dict) -> Any:
    out = resolver.value(T.Object(type(None)))
    args = [resolver.operand(arg) for arg in args]
    keywords = {k: resolver.operand(v) for k, v in keywords.items()}
    resolver.add(Op(print, args, keywords, [out], effect=True))
    return Constant(None)


def _call_shape(resolver: Resolver, args: list, keywords: dict) -> Any:
    if isinstance(args[0], (list, tuple)):
        return NotImplemented
    return shape(resolver, args[0])


def _call_ndim(resolver: Resolver, args: list, keywords: dict) -> Any:
    kind = type_of(args[0])
    if isinstance(kind, T.Scalar):
        return Constant(0)
    if isinstance(kind, T.Array) and kind.shape is not None:
        return Constant(len(kind.shape))
    return NotImplemented


def kind_is_real(kind: Any) -> bool:
    """Whether it is known that there is no imaginary part."""
    return isinstance(kind, (T.Array, T.Scalar)) and kind.kind != "complex"


def _part_of_real(resolver: Resolver, number: Any, name: str) -> Any:
    """`x.real` of what is real is `x` itself, the same object; `x.imag` are zeros."""
    kind = type_of(number)
    if name == "real":
        return number
    if isinstance(kind, T.Array):
        return apply(resolver, np.zeros_like, [number], {})
    if kind.dtype is not None:
        return Constant(np.dtype(kind.dtype).type(0))
    return Constant(0.0 if kind.kind == "float" else 0)


def _call_part(name: str) -> Callable:
    def call_part(resolver: Resolver, args: list, keywords: dict) -> Any:
        kind = type_of(args[0]) if len(args) == 1 and not keywords else None
        if kind_is_real(kind):
            return _part_of_real(resolver, args[0], name)
        return NotImplemented

    return call_part


def _call_iscomplexobj(resolver: Resolver, args: list, keywords: dict) -> Any:
    kind = type_of(args[0])
    if isinstance(kind, (T.Scalar, T.Array)) and not keywords:
        return Constant(kind.kind == "complex")
    return NotImplemented


def _call_size(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1 and isinstance(type_of(args[0]), T.Array):
        return size(resolver, args[0])
    return NotImplemented


def _call_slice(resolver: Resolver, args: list, keywords: dict) -> Any:
    parts = [resolver.operand(arg) for arg in args]
    none = Constant(None)
    if len(parts) == 1:
        return Slice(none, parts[0], none)
    return Slice(parts[0], parts[1], parts[2] if len(parts) > 2 else none)


def _call_partial(resolver: Resolver, args: list, keywords: dict) -> Any:
    return Partial(args[0], tuple(args[1:]), dict(keywords))


def _call_asarray(resolver: Resolver, args: list, keywords: dict) -> Any:
    """In a composition, an array is left as it is: it is the same object."""
    if resolver.fixed_origin is not None and len(args) == 1 and not keywords:
        if isinstance(type_of(args[0]), T.Array):
            return args[0]
    return lists.call_array(resolver, args, keywords)


def _call_callable(resolver: Resolver, args: list, keywords: dict) -> Any:
    value = args[0]
    if isinstance(value, Instance):
        return Constant(instances.found_on(value.cls, "__call__") is not None)
    known = isinstance(value, (Closure, Partial, Method, abstract.Derivative))
    return Constant(known or (isinstance(value, Constant) and callable(value.value)))


def _call_atleast(fn: Callable) -> Callable:
    def call_atleast(resolver: Resolver, args: list, keywords: dict) -> Any:
        """Of several arrays, each by itself."""
        if len(args) < 2 or keywords:
            return NotImplemented
        return tuple(call_known(resolver, fn, [arg], {}) for arg in args)

    return call_atleast


def _call_copyto(resolver: Resolver, args: list, keywords: dict) -> Any:
    """NumPy refuses to round, other than in a store."""
    kinds = [type_of(arg) for arg in args]
    if len(args) == 2 and "casting" not in keywords and isinstance(kinds[0], T.Array):
        _check_cast(resolver, kinds[1], kinds[0])
    return NotImplemented


def _call_vectorize(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) != 1 or keywords:
        raise resolver.error(
            "`np.vectorize` with arguments",
            "it is known without otypes=, excluded= and signature= only",
            "write a loop over the items",
        )
    return Partial(Constant(compositions.vectorised), (args[0],), {})


GENERIC = type(typing.List[int])  # noqa: UP006
"""The type of `Generic[T]`."""

SPECIAL: dict[Any, Callable] = {
    builtins.range: _call_range,
    builtins.reversed: _call_reversed,
    builtins.len: _call_len,
    builtins.isinstance: _call_isinstance,
    builtins.print: _call_print,
    builtins.pow: _call_pow,
    builtins.slice: _call_slice,
    functools.partial: _call_partial,
    builtins.type: _call_type,
    builtins.float: _call_float,
    builtins.int: _call_float,
    operator.setitem: _call_setitem,
    operator.getitem: _call_getitem,
    **{fn: _call_operator(fn) for fn in IN_PLACE},
    np.shape: _call_shape,
    np.ndim: _call_ndim,
    np.size: _call_size,
    np.iscomplexobj: _call_iscomplexobj,
    np.real: _call_part("real"),
    np.imag: _call_part("imag"),
    np.array: lambda resolver, args, keywords: lists.call_array(resolver, args, keywords),
    np.asarray: _call_asarray,
    np.asanyarray: _call_asarray,
    builtins.callable: _call_callable,
    np.vectorize: _call_vectorize,
    np.copyto: _call_copyto,
    np.place: lambda resolver, args, keywords: indexing.call_place(resolver, args, keywords),
    np.ndindex: lambda resolver, args, keywords: indexing.call_ndindex(resolver, args, keywords),
    np.ndenumerate: lambda resolver, args, keywords: indexing.call_ndenumerate(
        resolver, args, keywords
    ),
    np.nditer: lambda resolver, args, keywords: indexing.call_nditer(resolver, args, keywords),
    **{fn: _call_atleast(fn) for fn in (np.atleast_1d, np.atleast_2d, np.atleast_3d)},
}
