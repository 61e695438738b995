"""NumPy's functions that are more than an operation: `np.shape`, `np.array`, `np.vectorize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler.ir import attributes, indexing, lists, numpy_calls, operations
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Partial
from adcompiler.ir.infer import type_of
from adcompiler.ir.meaning import Meaning
from adcompiler.ir.nodes import Constant
from adcompiler.rules import compositions

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def _call_shape(resolver: Resolver, args: list, keywords: dict) -> Any:
    if isinstance(args[0], (list, tuple)):
        return NotImplemented
    return attributes.shape(resolver, args[0])


def _call_ndim(resolver: Resolver, args: list, keywords: dict) -> Any:
    kind = type_of(args[0])
    if isinstance(kind, T.Scalar):
        return Constant(0)
    if isinstance(kind, T.Array) and kind.shape is not None:
        return Constant(len(kind.shape))
    return NotImplemented


def _call_part(name: str) -> Callable:
    def call_part(resolver: Resolver, args: list, keywords: dict) -> Any:
        kind = type_of(args[0]) if len(args) == 1 and not keywords else None
        if attributes.kind_is_real(kind):
            return attributes.part_of_real(resolver, args[0], name)
        return NotImplemented

    return call_part


def _call_iscomplexobj(resolver: Resolver, args: list, keywords: dict) -> Any:
    kind = type_of(args[0])
    if isinstance(kind, (T.Scalar, T.Array)) and not keywords:
        return Constant(kind.kind == "complex")
    return NotImplemented


def _call_size(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1 and isinstance(type_of(args[0]), T.Array):
        return attributes.size(resolver, args[0])
    return NotImplemented


def _call_asarray(resolver: Resolver, args: list, keywords: dict) -> Any:
    """In a composition, an array is left as it is: it is the same object."""
    if resolver.fixed_origin is not None and len(args) == 1 and not keywords:
        if isinstance(type_of(args[0]), T.Array):
            return args[0]
    return lists.call_array(resolver, args, keywords)


def _call_atleast(fn: Callable) -> Callable:
    def call_atleast(resolver: Resolver, args: list, keywords: dict) -> Any:
        """Of several arrays, each by itself."""
        if len(args) < 2 or keywords:
            return NotImplemented
        return tuple(numpy_calls.call_known(resolver, fn, [arg], {}) for arg in args)

    return call_atleast


def _call_copyto(resolver: Resolver, args: list, keywords: dict) -> Any:
    """NumPy refuses to round, other than in a store."""
    kinds = [type_of(arg) for arg in args]
    if len(args) == 2 and "casting" not in keywords and isinstance(kinds[0], T.Array):
        operations.check_cast(resolver, kinds[1], kinds[0])
    return NotImplemented


def _call_vectorize(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) != 1 or keywords:
        raise resolver.error(
            "`np.vectorize` with arguments",
            "it is known without otypes=, excluded= and signature= only",
            "write a loop over the items",
        )
    return Partial(Constant(compositions.vectorised), (args[0],), {})


MEANING: dict[Any, Meaning] = {
    np.array: lists.call_array,
    np.asanyarray: _call_asarray,
    np.asarray: _call_asarray,
    np.copyto: _call_copyto,
    np.imag: _call_part("imag"),
    np.iscomplexobj: _call_iscomplexobj,
    np.ndenumerate: indexing.call_ndenumerate,
    np.ndim: _call_ndim,
    np.ndindex: indexing.call_ndindex,
    np.nditer: indexing.call_nditer,
    np.place: indexing.call_place,
    np.fill_diagonal: indexing.call_fill_diagonal,
    np.real: _call_part("real"),
    np.shape: _call_shape,
    np.size: _call_size,
    np.vectorize: _call_vectorize,
    **{fn: _call_atleast(fn) for fn in (np.atleast_1d, np.atleast_2d, np.atleast_3d)},
}
