"""Tensors that are written in place.

The memory changes under all tensors that share it: views of it get new nodes (see `memory`), and
what saved it before raises in the backward pass (see `graph.WRITTEN`). As in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.tape import graph, memory
from adcompiler.tape.modes import MODE
from adcompiler.tape.promotion import as_dtype, rank_of
from adcompiler.tape.recording import made
from adcompiler.tape.tensor import (
    AccumulateGrad,
    Tensor,
    checked_index,
    current_node,
    settled,
    tensor_method,
)


def _in_place(x: Tensor, new: Any, index: Any = Ellipsis) -> Tensor:
    """`x[index] = new`: the memory changes, and so do the tensors that share it."""
    node = current_node(x)
    if node is not None and MODE.enabled:
        if type(node) is AccumulateGrad:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        if x.memory is not None and isinstance(x.memory.node, AccumulateGrad):
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
    if isinstance(new, Tensor):
        value, added = settled(new), new.node if MODE.enabled else None
    else:
        value, added = np.asarray(new), None
    target = x.value[index].shape if index is not Ellipsis else x.value.shape
    try:
        np.broadcast_to(value, target)
    except ValueError:
        raise RuntimeError(
            f"The expanded size of the tensor {target} must match the existing size {value.shape}"
        ) from None
    if value.dtype.kind == "c" and x.value.dtype.kind != "c":
        raise RuntimeError(
            "result type ComplexFloat can't be cast to the desired output type Float"
        )
    if added is not None and x.value.dtype.kind not in "fc":
        added = None
    if value.base is not None or value is x.value:
        value = value.copy()  # PyTorch reads the source first
    memory.store(x, index, value, added)
    if not getattr(x, "_quiet", False):
        graph.note_write(x.value)
    return x


def apart(x: Tensor) -> Tensor:
    """The operand that an in-place operation overwrites, in memory of its own: it may be saved."""
    node = current_node(x)
    return made(Tensor, x.value.copy(), node) if MODE.enabled else x


def in_place_form(function: Callable) -> Callable:
    """`x.f_()` for `f`: the tensor takes over what the function gives."""

    def method(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return updated(x, function(apart(x), *args, **kwargs))

    return method


def updated(x: Tensor, new: Tensor) -> Tensor:
    """An in-place operation: `x` takes over the result of the operation on it."""
    if new.value.shape != x.value.shape:
        raise RuntimeError(
            f"output with shape {list(x.value.shape)} doesn't match the broadcast shape "
            f"{list(new.value.shape)}"
        )
    if rank_of(new.value.dtype) > rank_of(x.value.dtype):
        raise RuntimeError(
            f"result type {new.value.dtype} can't be cast to the desired output type "
            f"{x.value.dtype}"
        )
    return _in_place(x, as_dtype(new, x.value.dtype))


def _set(x: Tensor, index: Any, value: Any) -> None:
    """`x[index] = value`."""
    _in_place(x, value, checked_index(index, x.value.ndim))


def _copied(x: Tensor, source: Any) -> Tensor:
    """Take over the values of another tensor, in place."""
    return _in_place(x, source)


def _zeroed(x: Tensor) -> Tensor:
    """Make all elements 0, in place."""
    return _in_place(x, 0)


tensor_method("__setitem__", _set)
tensor_method("copy_", _copied)
tensor_method("fill_", _copied)
tensor_method("zero_", _zeroed)
