"""Which type does an operation give?

Elementwise functions follow broadcasting and NEP 50.  For all others the function itself is run on
tiny arrays whose axes have distinct lengths, twice with different lengths, and the lengths of the
answer are read back as the dims they came from.  What cannot be decided is `UNKNOWN`.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler import runtime
from adcompiler.ir import types as T
from adcompiler.ir.nodes import Accumulate, Constant, Slice, Store, Value
from adcompiler.ir.types import Array, Dim, List, Object, Scalar, Tuple, as_dim, symbol

_PRIMES = (
    (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79),
    (33, 32, 30, 28, 27, 26, 25, 24, 22, 21, 20, 18, 16, 15, 14, 12, 10, 9, 8, 6),
)
"""Lengths to try. The second time they fall where they rise the first time: the diagonal of a
matrix is as long as its shorter side, which is neither of the two for certain."""

_LENGTHS = (_PRIMES, (range(2, 14), range(13, 1, -1)), (range(2, 10), range(9, 1, -1)))
"""Shorter ones, and fewer, for arrays of many axes."""

_LARGE = 20_000
"""How many items an example may have before shorter lengths are tried."""

OPERATORS: dict[Callable, Callable] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.divide,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
    operator.pow: np.power,
    operator.neg: np.negative,
    operator.pos: np.positive,
    operator.abs: np.absolute,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or,
    operator.xor: np.bitwise_xor,
    operator.invert: np.invert,
    operator.matmul: np.matmul,
    builtins.abs: np.absolute,
    builtins.pow: np.power,
}
"""The ufunc that an operator stands for where an array takes part."""

IN_PLACE: dict[Callable, Callable] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.imatmul: operator.matmul,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
}


def is_pure(fn: Callable) -> bool:
    """Whether `fn` is known to have no effects, so that it may be run on samples."""
    module = getattr(fn, "__module__", None)
    if isinstance(fn, np.ufunc) or getattr(fn, "__objclass__", None) is np.ndarray:
        return True
    if module in ("math", "cmath", "_operator", "operator", "adcompiler.runtime"):
        return True
    if module == "builtins" or module is None:
        return fn in _PURE_BUILTINS
    if module.startswith("numpy"):
        return _is_pure_numpy(fn)
    return False


def _is_pure_numpy(fn: Callable) -> bool:
    """NumPy's functions that have a rule or derivative zero, and some that ask for shapes alone."""
    from adcompiler.rules import book

    return (
        book.lookup(fn) is not None
        or book.is_zero(fn)
        or fn in _PURE_BUILTINS
        or isinstance(fn, type)
    )


_PURE_BUILTINS = {
    abs, pow, round, divmod, float, int, bool, complex, len, min, max, sum, range, slice,
    isinstance, str, repr, tuple, type, hasattr, getattr, any, all, complex.conjugate,
    np.array, np.zeros, np.empty, np.arange, np.concatenate, np.dot, np.where, np.vdot, np.inner,
    np.asarray, np.empty_like, np.copyto,
}  # fmt: skip


def dim_of(operand: Any) -> Dim | None:
    """The value of an integer operand as a dim."""
    if isinstance(operand, Constant):
        value = operand.value
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            return as_dim(int(value))
        return None
    if (
        isinstance(operand, Value)
        and isinstance(operand.type, Scalar)
        and (operand.type.kind == "int")
    ):
        return operand.type.dim if operand.type.dim is not None else symbol(("int", operand.uid))
    return None


def type_of(operand: Any) -> Any:
    """The type of an operand."""
    if isinstance(operand, Value):
        return operand.type
    if isinstance(operand, Constant):
        return type_of_object(operand.value)
    if isinstance(operand, tuple):
        return Tuple(tuple(type_of(item) for item in operand))
    if isinstance(operand, list):
        items = [type_of(item) for item in operand]
        return List(functools.reduce(join, items) if items else None, as_dim(len(items)))
    if isinstance(operand, Slice):
        return Object(slice)
    return T.UNKNOWN


def type_of_object(value: Any) -> Any:
    """The type of a Python object whose lengths are known."""
    match value:
        case bool():
            return Scalar("bool")
        case np.generic() if value.dtype.kind in "biufc":
            return Scalar(T.kind_of(value.dtype.name), value.dtype.name)
        case int():
            return Scalar("int", None, as_dim(value))
        case float():
            return Scalar("float")
        case complex():
            return Scalar("complex")
        case np.ndarray():
            shape = tuple(as_dim(n) for n in value.shape)
            return Array(value.dtype.name, shape, value.flags.c_contiguous)
        case tuple():
            return Tuple(tuple(type_of_object(item) for item in value))
        case list():
            items = [type_of_object(item) for item in value]
            return List(functools.reduce(join, items) if items else None, as_dim(len(items)))
    return Object(type(value))


def join(a: Any, b: Any, widen: Callable[[Dim, Dim], Dim] | None = None) -> Any:
    """The type of what is of type `a` on one path and `b` on another.

    `widen` gives the length of an axis (or integer) on which they differ; without it, an opaque
    one.
    """
    if a == b or b is None:
        return a
    if a is None:
        return b
    widen = widen or (lambda p, q: symbol(("join", p, q)))
    match a, b:
        case Scalar(), Scalar():
            kind = max(a.kind, b.kind, key=("bool", "int", "float", "complex").index)
            if a.kind != b.kind and "bool" in (a.kind, b.kind):
                return T.UNKNOWN
            if a.dtype == b.dtype:
                dtype = a.dtype
            elif {a.dtype, b.dtype} <= {None, "float64"} and kind == "float":
                dtype = None
            else:
                dtype = (
                    None if None in (a.dtype, b.dtype) else np.result_type(a.dtype, b.dtype).name
                )
            if kind == "int" and a.dim is not None and b.dim is not None:
                return Scalar(kind, dtype, a.dim if a.dim == b.dim else None)
            return Scalar(kind, dtype)
        case Array(), Array() if a.dtype == b.dtype:
            contiguous = a.contiguous and b.contiguous
            if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
                return Array(a.dtype, None, contiguous)
            shape = tuple(
                p if p == q else widen(p, q) for p, q in zip(a.shape, b.shape, strict=True)
            )
            return Array(a.dtype, shape, contiguous)
        case Array(), Array() if {a.kind, b.kind} <= {"float", "complex"}:
            return T.UNKNOWN
        case List(), List():
            item = join(a.item, b.item, widen)
            return List(item, a.length if a.length == b.length else None)
        case Tuple(), Tuple() if len(a.items) == len(b.items):
            return Tuple(tuple(join(p, q, widen) for p, q in zip(a.items, b.items, strict=True)))
        case T.Record(), T.Record() if (a.kind, a.keys, len(a.items)) == (
            b.kind,
            b.keys,
            len(b.items),
        ):
            items = tuple(join(p, q, widen) for p, q in zip(a.items, b.items, strict=True))
            return T.UNKNOWN if T.UNKNOWN in items else T.Record(a.kind, a.keys, items)
        case Object(), Object() if a.cls == b.cls:
            return a
    return T.UNKNOWN


# ---------------------------------------------------------------------------------------------
# lengths


def never_one(dim: Dim) -> bool:
    """Whether the length is known not to be 1."""
    if dim.constant is not None:
        return dim.constant != 1
    atom = dim.atom
    return isinstance(atom, tuple) and atom[0] == "len"


def broadcast_dim(a: Dim, b: Dim) -> Dim:
    """The length of an axis on which lengths `a` and `b` meet (NumPy raises if they do not fit)."""
    if a == b or b.constant == 1:
        return a
    if a.constant == 1:
        return b
    if never_one(a):
        return a
    if never_one(b):
        return b
    return symbol(("broadcast", a, b))


def broadcast(shapes: list[tuple[Dim, ...] | None]) -> tuple[Dim, ...] | None:
    """The shape that arrays of these shapes broadcast to."""
    if any(shape is None for shape in shapes):
        return None
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Dim] = [as_dim(1)] * rank
    for shape in shapes:
        for axis, dim in enumerate(shape, rank - len(shape)):
            result[axis] = broadcast_dim(result[axis], dim)
    return tuple(result)


def positive_part(dim: Dim) -> Dim:
    """`max(0, dim)`.

    >>> n = symbol("n")
    >>> positive_part(positive_part(n - 2) - 2) == positive_part(n - 4)
    True
    """
    if dim.constant is not None:
        return as_dim(max(0, dim.constant))
    if dim.const >= 0 and all(
        c > 0 and isinstance(a, tuple) and a[0] in ("len", "pos") for a, c in dim.terms
    ):
        return dim
    inner = Dim(dim.terms).atom
    if isinstance(inner, tuple) and inner[0] == "pos" and dim.const <= 0:
        return positive_part(inner[1] + dim.const)
    return symbol(("pos", dim))


def slice_length(length: Dim, start: Dim | None, stop: Dim | None, step: Dim | None) -> Dim:
    """The length of `a[start:stop:step]` along an axis of `length`."""
    if start in (None, as_dim(0)) and stop is None and step in (None, as_dim(1)):
        return length
    stride = 1 if step is None else step.constant
    constants = [d is None or d.constant is not None for d in (start, stop)]
    if stride is not None and stride != 0 and length.constant is not None and all(constants):
        s = slice(
            None if start is None else start.constant,
            None if stop is None else stop.constant,
            stride,
        )
        return as_dim(len(range(*s.indices(length.constant))))
    opaque = symbol(("slice", length, start, stop, step))
    if stride == -1 and start is None and stop is None:
        return length
    if stride is None or stride < 1:
        return opaque
    first = as_dim(0) if start is None else start
    if first.constant is None:
        return opaque
    if stop is None or (stop.constant is not None and stop.constant < 0):
        last = length if stop is None else length + stop.constant
        if first.constant < 0:
            # The last few of an axis that may be shorter than that.
            return opaque
        count = last - first
    else:
        return opaque
    if stride == 1:
        return positive_part(count)
    return opaque


# ---------------------------------------------------------------------------------------------
# results


class Atoms:
    """Makes lengths that are equal to no other."""

    def fresh(self) -> tuple:
        Value._count += 1
        return ("int", Value._count)


class _TooLarge(Exception):
    """An example of the lengths to try would have too many items."""


class Undecided(Exception):
    """The result's type cannot be told."""


def result_type(fn: Callable, args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    """The type of `fn(*args, **keywords)`; a Python tuple of types where it returns several.

    `fresh` makes the atom of a length that cannot be traced to an argument's.
    """
    fn = IN_PLACE.get(fn, fn)
    try:
        if fn in (operator.is_, operator.is_not, operator.not_, operator.contains):
            return T.BOOL
        if fn is float:
            return T.FLOAT
        if fn is int:
            return T.INT
        array = any(isinstance(t, (Array, T.Unknown)) for t in map(type_of, args))
        ufunc = OPERATORS.get(fn, fn) if array or isinstance(fn, np.ufunc) else None
        if isinstance(ufunc, np.ufunc) and ufunc.signature is None and ufunc.nout == 1:
            return _elementwise_type(ufunc, args, keywords)
        if fn in (builtins.max, builtins.min):
            mixed = _kinds_chosen_among(args)
            if mixed is not None:
                return mixed
        special = SPECIAL_TYPES.get(fn) or SPECIAL_TYPES.get(_METHODS.get(fn))
        if special is not None:
            return special(args, keywords, fresh)
        answer = _probe(fn, args, keywords, fresh)
        numbers = _unknown_integers([*args, *keywords.values()])
        small = _small_answers(fn, args, keywords) if _may_saturate(answer) or numbers else []
        if small:
            answer = _as_small(answer, small, fresh)
        if numbers:
            if fn in (operator.pow, builtins.pow) and isinstance(args[1], Value):
                python = answer.kind == "int" and answer.dtype is None
                return T.FLOAT if python else answer  # 2 ** -1 is 0.5; NumPy's raises
            answer = _forget_numbers(answer, small, numbers, _affine(fn, args), fresh)
        elif fn not in _OF_LENGTHS:
            answer = _forget_whole_numbers(answer, fresh)
        if fn in RELAID or _METHODS.get(fn, fn) in RELAID or fn is getattr:
            answer = _forget_layout(answer)
        if fn in DATA_DEPENDENT or _METHODS.get(fn) in DATA_DEPENDENT:
            return _forget_lengths(answer, fresh)
        return answer
    except Undecided:
        return T.UNKNOWN


def _kinds_chosen_among(operands: list | tuple) -> Any:
    """What `max(x, 3)` is, a float or an integer, is told by no example: it is either of them.

    None if all are of one kind.
    """
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    kinds = [type_of(operand) for operand in operands]
    if not all(isinstance(kind, Scalar) for kind in kinds):
        return None
    if len({(kind.kind, kind.dtype) for kind in kinds}) < 2:
        return None
    return functools.reduce(join, kinds)


def _unknown_integers(operands: list | tuple) -> list[Dim]:
    """The integers among the operands that are not known now, Python's and NumPy's."""
    found: list[Dim] = []
    for operand in operands:
        if isinstance(operand, (tuple, list)):
            found += _unknown_integers(operand)
        elif isinstance(operand, Value) and isinstance(operand.type, Scalar):
            dim = dim_of(operand)
            if dim is not None:
                found.append(dim)
    return found


def _affine(fn: Callable, args: list) -> Dim | None:
    """The sum, difference, product of integers as an expression of theirs, if it is one."""
    dims = [dim_of(arg) for arg in args]
    if any(dim is None for dim in dims):
        return None
    match fn, dims:
        case operator.add, [Dim() as a, Dim() as b]:
            return a + b
        case operator.sub, [Dim() as a, Dim() as b]:
            return a - b
        case operator.mul, [Dim() as a, Dim() as b]:
            if a.constant is not None:
                return b * a.constant
            return a * b.constant if b.constant is not None else None
        case operator.neg, [Dim() as a]:
            return a * -1
        case ((operator.pos | operator.index | builtins.int), [Dim() as a]):
            return a
    return None


def _small_answers(fn: Callable, args: list, keywords: dict) -> list:
    """What `fn` gives for integers that are small or negative, and for arrays of few items."""
    answers = []
    for integer, length in ((0, 0), (-2, 0), (0, 2), (1, 2)):
        sampler = _Small(integer, length)
        with contextlib.suppress(Exception), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            arguments = [sampler.sample(arg) for arg in args]
            named = {name: sampler.sample(arg) for name, arg in keywords.items()}
            answers.append(_run(fn, arguments, named))
    return answers


def _may_saturate(answer: Any) -> bool:
    """Whether a length does not seem to depend on those of the operands."""
    if isinstance(answer, tuple):
        return any(map(_may_saturate, answer))
    if not isinstance(answer, Array) or not answer.shape:
        return False
    return any(dim.constant is not None for dim in answer.shape)


def _as_small(answer: Any, small: list, fresh: Callable[[], Any]) -> Any:
    """The type without the lengths that are others for small operands: the diagonal of 3 rows is as
    long as these have items if that is less than 3, and no example of 5 items shows it."""
    if isinstance(answer, tuple):
        small = [other for other in small if isinstance(other, tuple) and len(other) == len(answer)]
        items = [_as_small(t, [other[k] for other in small], fresh) for k, t in enumerate(answer)]
        return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
    if isinstance(answer, Array) and answer.shape is not None:
        arrays = [other for other in small if isinstance(other, np.ndarray)]
        if len(arrays) < len(small) or any(a.ndim != len(answer.shape) for a in arrays):
            raise Undecided
        shape = tuple(
            symbol(fresh())
            if dim.constant is not None and any(a.shape[axis] != dim.constant for a in arrays)
            else dim
            for axis, dim in enumerate(answer.shape)
        )
        contiguous = answer.contiguous and all(a.flags.c_contiguous for a in arrays)
        return Array(answer.dtype, shape, contiguous)
    return answer


def _forget_numbers(
    answer: Any, small: list, numbers: list[Dim], exact: Dim | None, fresh: Callable[[], Any]
) -> Any:
    """What a function makes of integers is not told by two examples: `5 % 3` is `8 % 3`, and
    `abs(5)` is 5; `np.arange(k, 3)` is empty for both and `np.tril_indices(3, k)` as long as it can
    be. Left are the integers themselves, as the lengths of arrays that were asked for, lengths that
    have nothing to do with them, and those that are what they were for `small` integers, too."""
    if isinstance(answer, tuple):
        small = [other for other in small if isinstance(other, tuple) and len(other) == len(answer)]
        items = [
            _forget_numbers(item, [other[k] for other in small], numbers, exact, fresh)
            for k, item in enumerate(answer)
        ]
        return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
    if isinstance(answer, Scalar) and answer.kind == "int" and answer.dtype is None:
        return Scalar("int", None, exact if exact is not None else symbol(fresh()))
    if isinstance(answer, Array) and answer.shape is not None:
        atoms = set().union(*(number.atoms() for number in numbers))

        def holds(dim: Dim, axis: int) -> bool:
            if dim.constant is None:
                return dim in numbers or not dim.atoms() & atoms
            return bool(small) and all(dim.constant in np.shape(a)[axis : axis + 1] for a in small)

        shape = tuple(
            dim if holds(dim, axis) else symbol(fresh()) for axis, dim in enumerate(answer.shape)
        )
        return Array(answer.dtype, shape, answer.contiguous)
    return answer


_OF_LENGTHS = {len, np.ndim, np.size, np.shape, np.ndarray.__len__, getattr}
"""What gives integers that follow from lengths alone."""


def _forget_whole_numbers(answer: Any, fresh: Callable[[], Any]) -> Any:
    """Which integer `round(x)` is depends on `x`: that of an example says nothing."""
    match answer:
        case Scalar(kind="int", dtype=None):
            return Scalar("int", None, symbol(fresh()))
        case tuple() | list():
            items = [_forget_whole_numbers(item, fresh) for item in answer]
            return type(answer)(*items) if hasattr(answer, "_fields") else type(answer)(items)
    return answer


DATA_DEPENDENT = {
    np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.compress, np.extract, np.where,
    np.repeat, np.bincount, np.histogram, np.trim_zeros, np.intersect1d, np.union1d,
    np.setdiff1d, np.delete, np.insert, np.digitize, np.setxor1d, np.resize, np.arange,
    runtime.kept_by_delete, runtime.inserted_order, runtime.pad_places,
}  # fmt: skip
"""Functions whose result's lengths may depend on values."""

_METHODS = {
    getattr(np.ndarray, name): getattr(np, name)
    for name in ("reshape", "nonzero", "repeat", "compress", "squeeze")
}


RELAID = {
    np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.rot90, np.flip, np.matrix_transpose,
    np.asfortranarray, np.diagonal, np.ndarray.transpose, np.ndarray.swapaxes,
    np.ndarray.diagonal, np.asarray, np.asanyarray,
}  # fmt: skip
"""Functions that give the memory of their argument in another order, whatever that was."""


def _forget_layout(answer: Any) -> Any:
    """The memory may have been copied into another layout at its birth."""
    if isinstance(answer, Array) and answer.shape is not None and len(answer.shape) > 1:
        return Array(answer.dtype, answer.shape, False)
    return answer


def _forget_lengths(answer: Any, fresh: Callable[[], Any]) -> Any:
    if isinstance(answer, (tuple, list)):
        items = [_forget_lengths(item, fresh) for item in answer]
        return type(answer)(*items) if hasattr(answer, "_fields") else type(answer)(items)
    if isinstance(answer, Array) and answer.shape is not None:
        return Array(answer.dtype, tuple(symbol(fresh()) for _ in answer.shape), answer.contiguous)
    return answer


def _reshape_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    array = type_of(args[0])
    shape = args[1] if len(args) > 1 else keywords.get("shape", keywords.get("newshape"))
    if not isinstance(array, Array) or shape is None or set(keywords) - {"shape"}:
        raise Undecided
    return Array(array.dtype, _shape_dims(shape, array, fresh), array.contiguous)


def _shape_dims(shape: Any, array: Array, fresh: Callable[[], Any]) -> tuple[Dim, ...]:
    items = shape if isinstance(shape, (tuple, list)) else (shape,)
    dims = []
    for item in items:
        dim = dim_of(item)
        if dim is None:
            raise Undecided
        if dim.constant == -1:
            alone = array.shape is not None and len(items) == len(array.shape) == 1
            dim = array.shape[0] if alone else symbol(fresh())
        elif dim.constant is None and isinstance(dim.atom, tuple) and dim.atom[0] == "int":
            dim = symbol(fresh())  # it might be -1
        dims.append(dim)
    return tuple(dims)


def _cov_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    array = type_of(args[0])
    if not isinstance(array, Array) or array.shape is None:
        raise Undecided
    if not all(dim.constant is not None or never_one(dim) for dim in array.shape):
        raise Undecided  # of one variable it is a number
    return _probe(np.cov, args, keywords, fresh)


def _histogram_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    answer = _probe(np.histogram, args, keywords, fresh)
    bins = args[1] if len(args) > 1 else keywords.get("bins", Constant(10))
    dim = dim_of(bins)
    if dim is None or dim.constant is None:
        return _forget_lengths(answer, fresh)
    return answer


def _creation_type(fn: Callable) -> Callable:
    """`np.zeros` and its like give the shape that is asked for, whatever its lengths are."""

    def type_(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
        named = "shape" in keywords
        shape = keywords["shape"] if named else args[0]
        dims = [dim_of(item) for item in (shape if isinstance(shape, (tuple, list)) else (shape,))]
        if any(dim is None for dim in dims):
            return _probe(fn, args, keywords, fresh)
        ones = (Constant(1),) * len(dims)
        given = (args, {**keywords, "shape": ones}) if named else ([ones, *args[1:]], keywords)
        answer = _probe(fn, *given, fresh)
        if not isinstance(answer, Array) or answer.shape is None:
            raise Undecided
        return Array(answer.dtype, tuple(dims), answer.contiguous)  # type: ignore[arg-type]

    return type_


def _broadcast_to_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    array = type_of(args[0])
    if not isinstance(array, (Array, Scalar)) or len(args) != 2 or keywords:
        raise Undecided
    dtype = array.dtype or {"float": "float64", "int": "int64"}.get(array.kind, array.kind)
    items = args[1] if isinstance(args[1], (tuple, list)) else (args[1],)
    dims = [dim_of(item) for item in items]
    if any(dim is None for dim in dims):
        raise Undecided
    return Array(dtype, tuple(dims))  # type: ignore[arg-type]


def _arange_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    answer = _probe(np.arange, args, keywords, fresh)
    whole = all(isinstance(t, Scalar) and t.kind == "int" for t in map(type_of, args))
    if not whole or keywords or not isinstance(answer, Array):
        return _forget_lengths(answer, fresh)
    match [dim_of(arg) for arg in args]:
        case [Dim() as stop]:
            return Array(answer.dtype, (positive_part(stop),), answer.contiguous)
        case [Dim() as start, Dim() as stop]:
            return Array(answer.dtype, (positive_part(stop - start),), answer.contiguous)
        case dims if all(isinstance(dim, Dim) and dim.constant is not None for dim in dims):
            return answer
    return _forget_lengths(answer, fresh)


def _where_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    if len(args) == 1:
        return _forget_lengths(_probe(np.where, args, keywords, fresh), fresh)
    shapes = []
    for arg in args:
        kind = type_of(arg)
        if not isinstance(kind, (Scalar, Array)):
            raise Undecided
        shapes.append(() if isinstance(kind, Scalar) else kind.shape)
    samples = [
        _scalar_sample(k.kind, k.dtype) if isinstance(k, Scalar) else np.ones((), k.dtype)[None]
        for k in map(type_of, args)
    ]
    contiguous = all(t.contiguous for t in map(type_of, args) if isinstance(t, Array))
    return Array(np.where(*samples).dtype.name, broadcast(shapes), contiguous)


def _scalar_sample(kind: str, dtype: str | None, value: float = 1) -> Any:
    if dtype is not None:
        return np.dtype(dtype).type(value)
    return {"bool": bool, "int": int, "float": float, "complex": complex}[kind](value)


@functools.lru_cache(maxsize=4096)
def _elementwise_dtype(ufunc: np.ufunc, kinds: tuple) -> str | None:
    samples = [
        np.ones((1,) * rank, dtype) if rank else _scalar_sample(kind, dtype)
        for rank, kind, dtype in kinds
    ]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return ufunc(*samples).dtype.name
    except (TypeError, ValueError):
        return None


def _elementwise_type(ufunc: np.ufunc, args: list, keywords: dict) -> Any:
    if any(name not in ("dtype",) for name in keywords) or len(args) != ufunc.nin:
        raise Undecided
    kinds = []
    shapes = []
    contiguous = True
    for arg in args:
        match type_of(arg):
            case Scalar(kind=kind, dtype=dtype):
                kinds.append((0, kind, dtype))
                shapes.append(())
            case Array(dtype=dtype, shape=shape) as type:
                rank = 1 if shape is None else len(shape)
                kinds.append((rank, None, dtype))
                shapes.append(shape)
                contiguous = contiguous and type.contiguous
            case _:
                raise Undecided
    dtype = _elementwise_dtype(ufunc, tuple(kinds))
    if dtype is None:
        raise Undecided
    if "dtype" in keywords:
        dtype = np.dtype(keywords["dtype"].value).name
    shape = broadcast(shapes)
    if shape == ():
        return Scalar(T.kind_of(dtype), dtype)
    return Array(dtype, shape, contiguous)


def _concatenate_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    parts, axis = args[0], args[1] if len(args) > 1 else keywords.get("axis", Constant(0))
    kinds = [type_of(part) for part in parts] if isinstance(parts, (tuple, list)) else []
    known = all(isinstance(kind, Array) and kind.shape for kind in kinds)
    place = axis.value if isinstance(axis, Constant) else None
    if not kinds or not known or type(place) is not int or set(keywords) - {"axis"}:
        return _probe(np.concatenate, args, keywords, fresh)
    shape = list(kinds[0].shape)
    if any(len(kind.shape) != len(shape) for kind in kinds) or not -len(shape) <= place < len(
        shape
    ):
        raise Undecided
    for kind in kinds[1:]:
        shape[place] = shape[place] + kind.shape[place]
    return Array(np.result_type(*[kind.dtype for kind in kinds]).name, tuple(shape), True)


def _unconcatenate_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    joined, lengths = type_of(args[0]), args[1]
    axis = args[2] if len(args) > 2 else keywords.get("axis", Constant(0))
    place = axis.value if isinstance(axis, Constant) else None
    if not isinstance(lengths, (list, tuple)):
        raise Undecided
    if not isinstance(joined, Array) or not joined.shape or type(place) is not int:
        return [T.Unknown() for _ in lengths]
    parts = []
    for length in lengths:
        shape = list(joined.shape)
        shape[place] = dim_of(length) or symbol(fresh())
        parts.append(Array(joined.dtype, tuple(shape), joined.contiguous and len(shape) == 1))
    return parts


def _split_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    """As many parts as there are sections; how long they are depends on the lengths."""
    given = dict(zip(("ary", "indices_or_sections", "axis"), args, strict=False)) | keywords
    whole, sections = type_of(given["ary"]), given["indices_or_sections"]
    axis = given.get("axis", Constant(0))
    place = axis.value if isinstance(axis, Constant) else None
    if not isinstance(whole, Array) or not whole.shape or type(place) is not int:
        raise Undecided
    if isinstance(sections, (tuple, list)):
        count = len(sections) + 1
    elif isinstance(sections, Constant) and isinstance(sections.value, int):
        count = sections.value
    else:
        raise Undecided
    shape = list(whole.shape)
    if not -len(shape) <= place < len(shape):
        raise Undecided
    contiguous = whole.contiguous and place % len(shape) == 0
    parts = []
    for _ in range(count):
        shape[place] = symbol(fresh())
        parts.append(Array(whole.dtype, tuple(shape), contiguous))
    return parts


def _ix_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    """One array for each axis; of booleans, as long as there are true ones."""
    parts = []
    for k, arg in enumerate(args):
        kind = type_of(arg)
        if isinstance(kind, List):
            kind = Array(*_item_dtype(kind), (kind.length or symbol(fresh()),))  # type: ignore[misc]
        if not isinstance(kind, Array) or kind.shape is None or len(kind.shape) != 1:
            raise Undecided
        length = symbol(fresh()) if kind.kind == "bool" else kind.shape[0]
        shape = tuple(length if k == axis else as_dim(1) for axis in range(len(args)))
        parts.append(Array("int64" if kind.kind == "bool" else kind.dtype, shape))
    return tuple(parts)


def _item_dtype(kind: List) -> tuple[str]:
    truth = isinstance(kind.item, Scalar) and kind.item.kind == "bool"
    return ("bool" if truth else "int64",)


class _Sampler:
    """Concrete samples of operands for one assignment of numbers to atoms: the first or second."""

    def __init__(self, tier: int, turn: int) -> None:
        self.tier = tier
        self.turn = turn
        self.numbers = _LENGTHS[tier][turn]
        self.atoms: dict[Any, int] = {}
        self.dims: list[Dim] = []

    def number(self, dim: Dim) -> int:
        total = dim.const
        for atom, coefficient in dim.terms:
            if atom not in self.atoms:
                if isinstance(atom, tuple) and atom[0] == "pos":
                    self.atoms[atom] = max(0, self.number(atom[1]))
                else:
                    if len(self.atoms) >= len(self.numbers):
                        raise Undecided
                    self.atoms[atom] = self.numbers[len(self.atoms)]
            total += coefficient * self.atoms[atom]
        if dim not in self.dims:
            self.dims.append(dim)
        return total

    def length(self, dim: Dim) -> int:
        return max(0, self.number(dim))

    def whole(self, dim: Dim, dtype: str | None) -> Any:
        """An integer of unknown value, Python's or NumPy's: it may say how long something is."""
        try:
            return self.number(dim) if dtype is None else np.dtype(dtype).type(self.number(dim))
        except OverflowError:
            raise Undecided from None

    def sample(self, operand: Any) -> Any:
        if isinstance(operand, Constant):
            if isinstance(operand.value, np.ndarray):
                return self.of_type(type_of_object(operand.value))
            if isinstance(operand.value, (int, np.integer)):
                self.number(as_dim(int(operand.value)))
            return operand.value
        if isinstance(operand, Value):
            dim = dim_of(operand)
            if dim is not None:
                return self.whole(dim, operand.type.dtype)
            return self.of_type(T.target(operand.type))
        if isinstance(operand, tuple):
            return tuple(self.sample(item) for item in operand)
        if isinstance(operand, list):
            return [self.sample(item) for item in operand]
        if isinstance(operand, Slice):
            return slice(*map(self.sample, (operand.start, operand.stop, operand.step)))
        raise Undecided

    def spread_out(self, array: np.ndarray) -> np.ndarray:
        """The array in another layout: columns first, or with gaps."""
        if self.turn == 0 and array.ndim > 1:
            return np.asfortranarray(array)
        wide = np.zeros([2 * n for n in array.shape], array.dtype)
        gaps = wide[tuple(slice(None, None, 2) for _ in array.shape)]
        gaps[...] = array
        return gaps

    def of_type(self, type: Any) -> Any:
        match type:
            case Scalar(kind="int", dtype=dtype, dim=Dim() as dim):
                return self.whole(dim, dtype)
            case Scalar(kind="int", dtype=dtype):
                return _scalar_sample("int", dtype, 1 + self.turn)
            case Scalar(kind="bool", dtype=dtype):
                return _scalar_sample("bool", dtype, 1 - self.turn)
            case Scalar(kind=kind, dtype=dtype):
                return _scalar_sample(kind, dtype)
            case Array(dtype=dtype, shape=shape) if shape is not None:
                lengths = [self.length(dim) for dim in shape]
                if math.prod(lengths) > _LARGE and self.tier < len(_LENGTHS) - 1:
                    raise _TooLarge
                array = np.zeros(lengths, dtype)
                if array.ndim >= 2 and array.shape[-1] == array.shape[-2]:
                    array[..., :, :] = np.eye(array.shape[-1])
                elif array.dtype.kind in "fc":
                    array[...] = 0.5
                else:
                    array[...] = self.turn  # whole numbers may be a shape: they differ, too
                if not type.contiguous and array.ndim:
                    array = self.spread_out(array)
                return array
            case List(item=item) if item is not None:
                # A list of unknown length: two lengths show what depends on it.
                count = self.length(type.length) if type.length is not None else 3 + self.turn
                return [self.of_type(item) for _ in range(min(count, 64))]
            case Tuple(items=items):
                return tuple(self.of_type(item) for item in items)
        raise Undecided


def _probe(fn: Callable, args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    if not is_pure(fn):
        raise Undecided
    opaque_lists = any(
        isinstance(type_of(a), List) and not isinstance(a, list) and type_of(a).length is None
        for a in args
    )
    answers: list[tuple[Any, _Sampler]] = []
    tier = 0
    while len(answers) < 2:
        sampler = _Sampler(tier, len(answers))
        try:
            arguments = [sampler.sample(arg) for arg in args]
            named = {name: sampler.sample(arg) for name, arg in keywords.items()}
        except _TooLarge:
            tier, answers = tier + 1, []
            continue
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                answers.append((_run(fn, arguments, named), sampler))
        except Exception:  # the lengths do not fit together, as far as is known
            return _probe_rank(fn, args, keywords, fresh)
    (one, first), (two, second) = answers
    answer = _read_back(one, two, first, second, fresh, opaque_lists)
    if opaque_lists and isinstance(answer, list):  # as long as the argument, whatever that is
        return List(functools.reduce(join, answer) if answer else None)
    return answer


class _Uniform(_Sampler):
    """Samples in which every axis has the same length, and NumPy's integers may be an index."""

    def length(self, dim: Dim) -> int:
        return 3

    def whole(self, dim: Dim, dtype: str | None) -> Any:
        return self.number(dim) if dtype is None else np.dtype(dtype).type(1)


class _Small(_Sampler):
    """Samples of few items, or none, with integers that are small or negative."""

    def __init__(self, integer: int, size: int) -> None:
        super().__init__(0, 0)
        self.integer = integer
        self.size = size

    def number(self, dim: Dim) -> int:
        return dim.const + sum(c * self._atom(atom) for atom, c in dim.terms)

    def _atom(self, atom: Any) -> int:
        kind = atom[0] if isinstance(atom, tuple) else None
        if kind == "pos":
            return max(0, self.number(atom[1]))
        return self.size if kind == "len" else self.integer


def _probe_rank(fn: Callable, args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    """Rank and dtype alone, from arrays all of whose axes have one length."""
    sampler = _Uniform(0, 0)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            answer = _run(
                fn,
                [sampler.sample(arg) for arg in args],
                {name: sampler.sample(arg) for name, arg in keywords.items()},
            )
    except Exception:  # whatever the sample broke: nothing is known
        raise Undecided from None
    kind = _forget_lengths(_read_back(answer, answer, sampler, sampler, fresh, False), fresh)
    if all(t.contiguous for t in map(type_of, args) if isinstance(t, Array)):
        return kind
    return _forget_layouts(kind)  # one example tells nothing of it


def _forget_layouts(answer: Any) -> Any:
    if isinstance(answer, (tuple, list)):
        items = [_forget_layouts(item) for item in answer]
        return type(answer)(*items) if hasattr(answer, "_fields") else type(answer)(items)
    return _forget_layout(answer)


def _matmul_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    a, b = type_of(args[0]), type_of(args[1])
    if keywords or not (isinstance(a, Array) and isinstance(b, Array) and a.shape and b.shape):
        raise Undecided
    dtype = np.result_type(a.dtype, b.dtype).name
    batch = broadcast([a.shape[:-2], b.shape[:-2]])
    assert batch is not None
    shape = (*batch, *a.shape[-2:-1], *(b.shape[-1:] if len(b.shape) > 1 else ()))
    return Array(dtype, shape, True) if shape else Scalar(T.kind_of(dtype), dtype)


def _dot_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    ranks = [len(t.shape) if isinstance(t, Array) and t.shape else 0 for t in map(type_of, args)]
    if len(ranks) == 2 and all(1 <= rank <= 2 for rank in ranks):
        return _matmul_type(args, keywords, fresh)
    return _probe(np.dot, args, keywords, fresh)


def _squeeze_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    array = type_of(args[0])
    if len(args) + len(keywords) == 1:
        if not isinstance(array, Array) or array.shape is None:
            raise Undecided
        if not all(dim.constant is not None or never_one(dim) for dim in array.shape):
            raise Undecided  # an axis goes if its length happens to be 1
    return _probe(np.squeeze, args, keywords, fresh)


def _run(fn: Callable, args: list, keywords: dict) -> Any:
    if getattr(fn, "__module__", None) in ("math", "cmath"):
        for value in (1.0, 0.5, 2.0):
            try:
                return fn(*[value if isinstance(a, float) else a for a in args], **keywords)
            except (ValueError, OverflowError):
                continue
    return fn(*args, **keywords)


def _read_back(one: Any, two: Any, first: _Sampler, second: _Sampler, fresh, opaque: bool) -> Any:
    if type(one) is not type(two):
        raise Undecided
    match one:
        case np.ndarray():
            if one.dtype != two.dtype or one.ndim != two.ndim:
                raise Undecided
            shape = tuple(
                _read_dim(m, n, first, second, fresh)
                for m, n in zip(one.shape, two.shape, strict=True)
            )
            if one.dtype.kind not in "biufc":
                raise Undecided
            contiguous = one.flags.c_contiguous and two.flags.c_contiguous
            return Array(one.dtype.name, shape, contiguous)
        case tuple():
            if len(one) != len(two):
                raise Undecided
            items = [
                _read_back(a, b, first, second, fresh, opaque)
                for a, b in zip(one, two, strict=True)
            ]
            return type(one)(*items) if hasattr(one, "_fields") else tuple(items)
        case list():
            if len(one) != len(two) and not opaque:
                return List(T.UNKNOWN)
            return [
                _read_back(a, b, first, second, fresh, opaque)
                for a, b in zip(one, two, strict=False)
            ]
        case bool():
            return T.BOOL
        case int():
            return Scalar("int", None, _read_dim(one, two, first, second, fresh))
    return type_of_object(one)


def _read_dim(m: int, n: int, first: _Sampler, second: _Sampler, fresh) -> Dim:
    found = []
    for dim in first.dims:
        if (
            dim.constant is None
            and dim in second.dims
            and (first.number(dim) == m and second.number(dim) == n)
        ):
            found.append(dim)
    if len(set(found)) == 1:
        return found[0]
    if not found:
        sums = {
            a + b
            for a in first.dims
            for b in first.dims
            if first.number(a) + first.number(b) == m and second.number(a) + second.number(b) == n
        }
        if len(sums) == 1:
            return sums.pop()
        if m == n:
            return as_dim(m)
    return symbol(fresh())


def place_type(statement: Store | Accumulate, fresh: Callable[[], Any]) -> Any:
    """The type of the place that a store writes."""
    kind = T.target(statement.ref.type)
    if isinstance(kind, T.List):
        return kind.item if kind.item is not None else T.UNKNOWN
    if not isinstance(kind, T.Array):
        return T.UNKNOWN
    return index_type(kind, statement.path, fresh)[0]


def index_type(array: Array, path: tuple, fresh: Callable[[], Any]) -> tuple[Any, bool]:
    """The type of `array[path]` and whether it is a view (an index without arrays).

    Integer arrays in the index broadcast together, as NumPy's rules have it.
    """
    if array.shape is None:
        return T.UNKNOWN, not any(isinstance(type_of(item), Array) for item in path)
    consumed = sum(_axes_consumed(item) for item in path)
    if consumed > len(array.shape):
        raise IndexError(
            f"too many indices: the array has {len(array.shape)} axes, {consumed} were indexed"
        )
    items = list(path)
    ellipses = [i for i, item in enumerate(items) if _is_ellipsis(item)]
    full = Slice(Constant(None), Constant(None), Constant(None))
    at = ellipses[0] if ellipses else len(items)
    items[at : at + len(ellipses)] = [full] * (len(array.shape) - consumed)
    shape: list[Dim] = []
    axis = 0
    advanced: list[tuple[Dim, ...]] = []
    positions: list[int] = []
    place: int | None = None
    boolean = False
    for position, item in enumerate(items):
        kind = type_of(item)
        if isinstance(item, Constant) and item.value is None:
            shape.append(as_dim(1))
        elif isinstance(item, Slice):
            parts = []
            for part in (item.start, item.stop, item.step):
                known = isinstance(part, Constant) and part.value is None
                parts.append(None if known else dim_of(part))
                if not known and parts[-1] is None:
                    parts[-1] = symbol(fresh())
            shape.append(slice_length(array.shape[axis], *parts))
            axis += 1
        elif isinstance(kind, Scalar) and kind.kind == "int":
            positions.append(position)
            if place is None:
                place = len(shape)
            axis += 1
        elif isinstance(kind, (Array, List)):
            if isinstance(kind, List):
                kind = Array(*_item_dtype(kind), (kind.length or symbol(fresh()),))  # type: ignore[misc]
            if kind.shape is None:
                return T.UNKNOWN, False
            if kind.kind == "bool":
                boolean = True
                advanced.append((symbol(fresh()),))
                axis += len(kind.shape)
            elif kind.kind == "int":
                advanced.append(kind.shape)
                axis += 1
            else:
                raise IndexError("arrays used as indices must be of integer or boolean type")
            positions.append(position)
            if place is None:
                place = len(shape)
        else:
            return T.UNKNOWN, False
    if advanced:
        joined = broadcast(advanced) if not (boolean and len(advanced) > 1) else None
        if joined is None:
            return T.UNKNOWN, False
        adjacent = positions == list(range(positions[0], positions[-1] + 1))
        start = place if adjacent else 0
        shape[start:start] = joined
        return Array(array.dtype, tuple(shape)), False
    if not shape and not ellipses:
        return Scalar(array.kind, array.dtype), False
    whole = all(
        isinstance(item, Slice)
        and all(isinstance(p, Constant) and p.value is None for p in (item.start, item.stop))
        and isinstance(item.step, Constant)
        and item.step.value in (None, 1)
        for item in items[1:]
    )
    first = items[0] if items else full
    plain = not isinstance(first, Slice) or (
        isinstance(first.step, Constant) and first.step.value in (None, 1)
    )
    new_axis = any(isinstance(item, Constant) and item.value is None for item in items)
    contiguous = array.contiguous and whole and plain and not new_axis
    return Array(array.dtype, tuple(shape), contiguous), True


def _is_ellipsis(item: Any) -> bool:
    return isinstance(item, Constant) and item.value is Ellipsis


def _axes_consumed(item: Any) -> int:
    if isinstance(item, Constant) and (item.value is None or item.value is Ellipsis):
        return 0
    kind = type_of(item)
    if isinstance(kind, Array) and kind.kind == "bool" and kind.shape is not None:
        return len(kind.shape)
    return 1


def _stretched_type(args: list, keywords: dict, fresh: Callable[[], Any]) -> Any:
    g, like = (type_of(arg) for arg in args)
    if not isinstance(g, Array) or not isinstance(like, (Array, Scalar)):
        raise Undecided
    return Array(g.dtype, broadcast([g.shape, like.shape if isinstance(like, Array) else ()]))


SPECIAL_TYPES: dict[Any, Callable] = {
    np.reshape: _reshape_type,
    np.broadcast_to: _broadcast_to_type,
    np.arange: _arange_type,
    np.where: _where_type,
    np.concatenate: _concatenate_type,
    np.split: _split_type,
    np.array_split: _split_type,
    np.ix_: _ix_type,
    runtime.unconcatenate: _unconcatenate_type,
    runtime.stretched: _stretched_type,
    np.matmul: _matmul_type,
    operator.matmul: _matmul_type,
    np.dot: _dot_type,
    np.squeeze: _squeeze_type,
    np.cov: _cov_type,
    np.histogram: _histogram_type,
    **{fn: _creation_type(fn) for fn in (np.zeros, np.ones, np.empty, np.full)},
}
