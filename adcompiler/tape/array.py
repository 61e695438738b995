"""`Array`: NumPy's face of the tape. Functions written for NumPy run on it as they are.

NumPy hands its functions to it (`__array_ufunc__`, `__array_function__`); operators, methods and
attributes are those of the value that it holds, which may be an array, a NumPy scalar or a Python
number, as it would be without the tape. `isinstance` answers for that value too, so that code which
asks takes the same way.

Stores into it are followed (see `memory`). What would lose a derivative raises (see `refusals`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.rules import book, compositions
from adcompiler.rules.slicing import SHAPE_ARGUMENTS, sliced
from adcompiler.tape import memory
from adcompiler.tape.graph import Meta, meta_of, next_order, node_class, node_name
from adcompiler.tape.modes import MODE
from adcompiler.tape.recording import (
    Traced,
    apply,
    first_traced,
    made,
    ndarray,
    unwrapped,
    without_derivative,
)
from adcompiler.tape.refusals import conversion_refused, refused
from adcompiler.tape.shortcuts import binary, unary

_new = object.__new__


class Array(Traced):
    """A value inside of `tape.grad` and its kin, standing for a NumPy array or a number."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 1000.0

    # What NumPy and Python ask for.

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # type: ignore[override]
        """`isinstance(x, np.ndarray)` is what it would be without the tape."""
        return type(self.value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            return _ufunc_method(ufunc, method, inputs, kwargs)
        if kwargs:
            out = kwargs.pop("out", None)
            if out is not None:
                where = kwargs.pop("where", True)
                result = _carried_out(ufunc, inputs, kwargs)
                if where is not True and ufunc.nout == 1:
                    result = _where(where, result, out[0])
                return _into(out, result)
            return _carried_out(ufunc, inputs, kwargs)
        short = _UFUNCS.get(ufunc)
        if short is None:
            short = _UFUNCS[ufunc] = _short_way(ufunc)
        return short(*inputs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        if function in _SHAPES and not kwargs:
            return function(*[unwrapped(arg, memory.settled) for arg in args])
        special = _SPECIAL.get(function)
        if special is not None:
            return special(*args, **kwargs)
        args, kwargs, out = book.without_out(function, args, kwargs)
        result = _carried_out(function, args, kwargs)
        return result if out is None else _into(out, result)

    def _plain(self, what: str) -> Any:
        """The value for one who will not know of its derivative: only if it has none."""
        value = unwrapped(self)
        if self.node is not None and MODE.enabled:
            raise conversion_refused(what)
        return value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self._plain("array")
        if type(value) is not ndarray or copy or (dtype is not None and dtype != value.dtype):
            return np.array(value, dtype=dtype)
        # What is written through it would not be seen here, nor there what is written here.
        memory.adopt(self).lent = "what `np.asarray` made of it"
        view = unwrapped(self, memory.settled).view()
        view.flags.writeable = False
        return view

    def __float__(self) -> float:
        return float(self._plain("number"))

    def __int__(self) -> int:
        return int(self._plain("integer"))

    def __index__(self) -> int:
        return operator.index(self._plain("integer"))

    def __complex__(self) -> complex:
        return complex(self._plain("number"))

    def __bool__(self) -> bool:
        return bool(unwrapped(self))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator:
        if not np.ndim(self.value):
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self.value)))

    def __contains__(self, item: Any) -> bool:
        return unwrapped(item) in unwrapped(self)

    def __round__(self, digits: int | None = None) -> Any:
        return round(unwrapped(self), *(() if digits is None else (digits,)))

    def __floor__(self) -> int:
        return math.floor(unwrapped(self))

    def __ceil__(self) -> int:
        return math.ceil(unwrapped(self))

    def __trunc__(self) -> int:
        return math.trunc(unwrapped(self))

    def __repr__(self) -> str:
        return f"tape.Array({unwrapped(self)!r})"

    def __str__(self) -> str:
        return str(unwrapped(self))

    def __format__(self, form: str) -> str:
        return format(unwrapped(self), form)

    def __copy__(self) -> Array:
        return apply(Array, np.copy, (self,), {}) if type(self.value) is ndarray else self

    def __deepcopy__(self, memo: Any) -> Array:
        return self.__copy__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise refused(
            "a value with a derivative, pickled",
            "a tape lives in one process",
            "pickle what `tape.grad` returns",
        )

    def __without_derivative__(self) -> Any:
        """What `stop_gradient` makes of it."""
        value = unwrapped(self)
        return without_derivative(Array, value, ()) if type(value) is ndarray else value

    # Reading and writing.

    def __getitem__(self, index: Any) -> Any:
        return taken(self, index if type(index) is int else _plain_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(self.value) is not ndarray:
            raise TypeError(
                f"{type(self.value).__name__!r} object does not support item assignment"
            )
        if type(value) in (list, tuple) and first_traced(value) is not None:
            value = joined(value)
        plain = unwrapped(value, memory.settled)
        recorded = isinstance(value, Traced) and MODE.enabled
        node = value.node if recorded else None
        if node is not None and self.value.dtype.kind not in "fc":
            node = None  # rounded: the derivative is zero
        memory.store(self, _plain_index(index), plain, node)

    def _become(self, new: Any) -> Array:
        """Take over the value of `new`, under all names that this array has."""
        shape, dtype = np.shape(new), unwrapped(new).dtype
        value = self.value
        if shape != value.shape:
            raise ValueError(
                f"non-broadcastable output operand with shape {value.shape} "
                f"doesn't match the broadcast shape {shape}"
            )
        if dtype != value.dtype:
            if not np.can_cast(dtype, value.dtype, "same_kind"):
                raise TypeError(
                    f"Cannot cast output from {dtype!r} to {value.dtype!r} "
                    "with casting rule 'same_kind'"
                )
            new = apply(Array, np.ndarray.astype, (new, value.dtype), {})
        if self.memory is None and isinstance(new, Array):
            self.value, self.node = unwrapped(new), new.node
        else:
            self[...] = new
        return self

    # Attributes.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    @property
    def nbytes(self) -> int:
        return self.value.nbytes

    @property
    def T(self) -> Array:
        return apply(Array, np.transpose, (self,), {})

    @property
    def mT(self) -> Array:
        return apply(Array, np.matrix_transpose, (self,), {})

    @property
    def real(self) -> Any:
        return apply(Array, np.real, (self,), {})

    @property
    def imag(self) -> Any:
        return apply(Array, np.imag, (self,), {})

    def __getattr__(self, name: str) -> Any:
        """What is not here: refused if the value has it, else an AttributeError as of the value."""
        if name.startswith("__") or not hasattr(self.value, name):
            raise AttributeError(f"{type(self.value).__name__!r} object has no attribute {name!r}")
        raise refused(
            f"`.{name}` of a value with a derivative",
            "a tape does not follow it",
            "write it in terms of functions that have rules",
        )

    # Methods that write.

    def fill(self, value: Any) -> None:
        """As of `numpy.ndarray`."""
        self[...] = value

    def sort(self, axis: int = -1) -> None:
        """As of `numpy.ndarray`."""
        self._become(np.sort(self, axis=axis))

    def tolist(self) -> Any:
        """As of `numpy.ndarray`; the items still have their derivatives."""
        return [row.tolist() for row in self] if np.ndim(self.value) else self.item()


_GETITEM = node_class(node_name("getitem"))


def taken(x: Any, index: Any) -> Any:
    """`x[index]`, for an array or a tensor and a plain index."""
    kind = type(x)
    value = x.value if x.memory is None else memory.settled(x)
    out = value[index]
    if x.node is None or not MODE.enabled:
        if type(out) is not ndarray and not kind.wraps_all:
            return out
        result = made(kind, out, None)
    else:
        node: Any = _new(_GETITEM)
        node.function = _getitem_slice()
        node.saved = (Meta(value.shape, value.dtype), index)
        node.next = x.node
        node.other = None
        node.order = next_order()
        result = made(kind, out, node)
    if type(out) is ndarray and is_basic(index):
        if x.memory is None and not value.flags.forc:
            memory.adopt(x)
            result.value = x.value[index]
        memory.link(result, x)
    return result


def _getitem_slice() -> Callable:
    return sliced(book.BOOK[operator.getitem], ("a",)).function


def _plain_index(index: Any) -> Any:
    """An index without arrays of ours, which nobody else will write."""
    kind = type(index)
    if kind is tuple:
        return tuple([_plain_index(item) for item in index])
    if isinstance(index, Traced):
        if index.node is not None and MODE.enabled and index.value.dtype.kind == "f":
            raise conversion_refused("integer")
        index = unwrapped(index)
        kind = type(index)
    if kind is ndarray:
        return np.array(index)
    if kind is list:
        places = np.array(index)
        return places if places.size else places.astype(np.intp)  # as NumPy does
    if kind is slice:
        return unwrapped(index)
    return index


def is_basic(index: Any) -> bool:
    """Whether an index gives a view, if it does not give one element."""
    if type(index) is tuple:
        return all(map(is_basic, index))
    if isinstance(index, bool):  # a mask without axes
        return False
    return index is None or index is Ellipsis or isinstance(index, slice | int | np.integer)


def joined(items: Any) -> Any:
    """The array of a nested list of numbers and arrays."""
    if type(items) in (list, tuple):
        return np.stack([joined(item) for item in items])
    return items


def _into(out: Any, result: Any) -> Any:
    """What `out=` asks for."""
    if type(out) is tuple and isinstance(result, tuple):
        pairs = zip(out, result, strict=True)
        return tuple([r if place is None else _into(place, r) for place, r in pairs])
    if type(out) is tuple:
        (out,) = out
    if type(out) is Array:
        out[...] = result
        return out
    if isinstance(result, Array) and result.node is not None and MODE.enabled:
        raise refused(
            "a store of a value with a derivative into a plain array",
            "a tape cannot see what becomes of a plain array",
            "make the array with `np.zeros_like(x)` of an array with a derivative, "
            "or write `y = y + x` for `y += x`",
        )
    out[...] = unwrapped(result)
    return out


# Ufuncs, operators and functions.


def _carried_out(function: Callable, args: tuple, kwargs: dict) -> Any:
    """A call, by the rule of the function, or by what it is composed of."""
    composition = book.composed(function, args, kwargs)
    if composition is None:
        return apply(Array, function, args, kwargs)
    if composition in compositions.ITEM_WRITERS:
        _check_apart(function, args)
    if composition in compositions.FLAT_WRITERS:
        _check_layout(function, args[0] if args else next(iter(kwargs.values())))
    try:
        return composition(*args, **kwargs)
    except NotImplementedError as error:
        reason, _, remedy = str(error).partition(": ")
        what = f"`{getattr(function, '__name__', 'call')}` with these arguments"
        raise refused(what, reason, remedy) from None


def _check_apart(function: Callable, args: tuple) -> None:
    """Refuse to write items of an array into itself one by one: NumPy reads what it has written."""
    target = args[0] if args else None
    for source in args[1:]:
        if isinstance(target, Array) and isinstance(source, Array):
            if np.may_share_memory(unwrapped(target), unwrapped(source)) or (
                source.memory is not None and source.memory is target.memory
            ):
                raise refused(
                    f"`{getattr(function, '__name__', 'call')}` of items of the array it writes",
                    "NumPy writes them one by one: it would read what it has written",
                    "copy them first: `values.copy()`",
                )


def _check_layout(function: Callable, a: Any) -> None:
    """Refuse to write to an array through `reshape`, which would copy it."""
    if isinstance(a, Array) and a.ndim > 1 and not a.value.flags.c_contiguous:
        raise refused(
            f"`{getattr(function, '__name__', 'call')}` of an array that is not contiguous",
            "it writes by places in one axis, of which such an array has no view",
            "write to a copy (`b = a.copy(order='C')`), and copy that back (`a[...] = b`)",
        )


def _short_way(ufunc: np.ufunc) -> Callable:
    rule = book.BOOK.get(ufunc)
    if rule is not None and rule.kind == "elementwise" and ufunc.nout == 1:
        if ufunc.nin == 1:
            return unary(Array, ufunc, ufunc)
        if ufunc.nin == 2:
            return binary(Array, ufunc, ufunc)
    return lambda *inputs: _carried_out(ufunc, inputs, {})


_UFUNCS: dict[Any, Callable] = {}
_SHAPES = frozenset({np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj})
_REDUCTIONS: dict[Any, Callable] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}
_ACCUMULATIONS: dict[Any, Callable] = {np.add: np.cumsum, np.multiply: np.cumprod}


def _ufunc_method(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    kwargs = {k: v for k, v in kwargs.items() if v is not None or k == "axis"}
    table = {"reduce": _REDUCTIONS, "accumulate": _ACCUMULATIONS}.get(method, {})
    if ufunc in table:
        axis = kwargs.pop("axis", 0) if len(inputs) == 1 else inputs[1]
        return table[ufunc](inputs[0], axis=axis, **kwargs)
    if method == "reduce" and ufunc is np.logaddexp:
        return compositions.logaddexp_reduce(*inputs, **kwargs)
    if method == "at" and ufunc in (np.add, np.subtract) and isinstance(inputs[0], Array):
        a, index, v = inputs
        change = np.broadcast_to(v, np.shape(a.value[_plain_index(index)]))
        if not isinstance(change, Array):
            change = made(Array, np.array(change, a.dtype), None)
        added = apply(Array, runtime.scatter, (change, a.shape, _plain_index(index)), {})
        a._become(a + added if ufunc is np.add else a - added)
        return None
    if method == "at" and isinstance(inputs[0], Array) and _is_index_row(inputs[1]):
        return compositions.ufunc_at(ufunc, *inputs)
    if all(not isinstance(x, Array) or x.node is None for x in inputs[:1]) and method == "at":
        raise refused(
            f"`np.{ufunc.__name__}.at` into a plain array, of a value with a derivative",
            "a tape cannot see what becomes of a plain array",
            "make the array with `np.zeros_like(x)` of an array with a derivative",
        )
    raise refused(
        f"`np.{ufunc.__name__}.{method}` of a value with a derivative",
        "no derivative rule is known for it",
        "write it with a function that has a rule",
    )


def _is_index_row(index: Any) -> bool:
    """Whether an index is of integers with one axis, or a tuple of such."""
    rows = [
        np.asarray(_plain_index(part)) for part in (index if type(index) is tuple else (index,))
    ]
    return all(row.ndim == 1 and row.dtype.kind in "iu" for row in rows)


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if where is not True:
        src = np.where(where, src, dst)
    if isinstance(dst, Array):
        dst[...] = src
    else:
        _into(dst, src)


def _where(condition: Any, *choices: Any) -> Any:
    if not choices:
        return np.nonzero(unwrapped(condition))
    return apply(Array, np.where, (condition, *choices), {})


_SPECIAL: dict[Any, Callable] = {np.copyto: _copyto, np.where: _where}


def _operators() -> None:
    """The operators of `Array`: those of the values, recorded under the rule of the ufunc."""

    def known(y: Any) -> bool:
        return isinstance(y, Traced | ndarray | np.generic | float | int | complex | list | tuple)

    def two(name: str, carry_out: Callable) -> None:
        def forward(self: Array, other: Any) -> Any:
            return carry_out(self, other) if known(other) else NotImplemented

        def reflected(self: Array, other: Any) -> Any:
            return carry_out(other, self) if known(other) else NotImplemented

        def in_place(self: Array, other: Any) -> Any:
            new = carry_out(self, other)
            return self._become(new) if type(self.value) is ndarray else new

        for prefix, function in (("", forward), ("r", reflected), ("i", in_place)):
            function.__name__ = f"__{prefix}{name}__"
            setattr(Array, function.__name__, function)

    for name, ufunc, operation in [
        ("add", np.add, operator.add), ("sub", np.subtract, operator.sub),
        ("mul", np.multiply, operator.mul), ("truediv", np.divide, operator.truediv),
        ("mod", np.remainder, operator.mod),
    ]:  # fmt: skip
        two(name, binary(Array, ufunc, operation))

    general = binary(Array, np.power, operator.pow)

    def square(value: Any) -> Any:
        return value**2

    squared = unary(Array, np.square, square, lambda x: general(x, 2), "PowBackward0")

    def power(x: Any, y: Any) -> Any:
        if type(y) is int and y == 2 and type(x) is Array:
            return squared(x)
        return general(x, y)

    two("pow", power)
    two("matmul", lambda x, y: apply(Array, operator.matmul, (x, y), {}))
    two("floordiv", lambda x, y: apply(Array, operator.floordiv, (x, y), {}))

    def divmod_(self: Array, other: Any) -> Any:
        return apply(Array, divmod, (self, other), {})

    def rdivmod(self: Array, other: Any) -> Any:
        return apply(Array, divmod, (other, self), {})

    Array.__divmod__ = divmod_  # type: ignore[attr-defined]
    Array.__rdivmod__ = rdivmod  # type: ignore[attr-defined]

    def one(name: str, carry_out: Callable) -> None:
        def method(self: Array) -> Any:
            return carry_out(self)

        method.__name__ = name
        setattr(Array, name, method)

    one("__neg__", unary(Array, np.negative, operator.neg))
    one("__pos__", unary(Array, np.positive, operator.pos))
    one("__abs__", unary(Array, np.absolute, operator.abs))

    def comparison(name: str, operation: Callable) -> None:
        def method(self: Array, other: Any) -> Any:
            if not known(other) and other is not None:
                return NotImplemented
            return operation(unwrapped(self, memory.settled), unwrapped(other, memory.settled))

        method.__name__ = name
        setattr(Array, name, method)

    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        comparison(f"__{name}__", getattr(operator, name))


def _methods() -> None:
    """The methods of arrays and NumPy scalars for which there are rules."""

    def method_of(name: str) -> Callable:
        of_arrays = getattr(np.ndarray, name)
        of_scalars = getattr(np.generic, name, of_arrays)

        def method(self: Array, *args: Any, **kwargs: Any) -> Any:
            value = self.value
            if type(value) is ndarray:
                function = of_arrays
            elif isinstance(value, np.generic):
                function = of_scalars
            else:
                raise AttributeError(f"{type(value).__name__!r} object has no attribute {name!r}")
            args, kwargs, out = book.without_out(function, (self, *args), kwargs)
            result = _carried_out(function, args, kwargs)
            return result if out is None else _into(out, result)

        method.__name__ = name
        method.__doc__ = "As of `numpy.ndarray`."
        return method

    for name in (
        "all any argmax argmin argpartition argsort astype clip conj conjugate copy cumprod "
        "cumsum diagonal dot flatten item max mean min nonzero prod ravel repeat reshape round "
        "searchsorted squeeze std sum swapaxes take trace transpose var "
        "compress choose put partition"
    ).split():
        setattr(Array, name, method_of(name))


_operators()
_methods()


def dispatching(function: Callable) -> Callable:
    """A function of `runtime` that takes arrays of ours, as rules do when they are recorded."""
    models = SHAPE_ARGUMENTS.get(function, ())

    def call(*args: Any, **kwargs: Any) -> Any:
        if models:  # only their shape is read: there is nothing to differentiate
            args = tuple(
                meta_of(unwrapped(arg, memory.settled)) if k in models else arg
                for k, arg in enumerate(args)
            )
        if first_traced(args) is None and first_traced(kwargs) is None:
            return function(*args, **kwargs)
        return apply(Array, function, args, kwargs)

    return call
