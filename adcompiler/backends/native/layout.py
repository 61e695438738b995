"""The types of what stands in loops: arrays of known rank, in memory."""

from __future__ import annotations

from typing import Any

from adcompiler.backends.native.loops import element_type
from adcompiler.backends.native.unsupported import Unsupported
from adcompiler.ir import types as T
from adcompiler.ir.nodes import Block, Function, Value, blocks, defined

DTYPES = ("float64", "int64", "bool")


def checked(type: Any) -> T.Array:
    """An array type that loops know how to handle."""
    if not isinstance(type, T.Array) or type.shape is None:
        raise Unsupported("an array of unknown rank")
    if type.dtype not in DTYPES:
        raise Unsupported(f"arrays of {type.dtype}")
    if not type.shape:
        raise Unsupported("arrays of rank 0")
    return type


def scalar_type(type: Any) -> T.Scalar | None:
    """The type of a number; that of its element for an array of rank 0."""
    if isinstance(type, T.Array) and type.shape == ():
        return element_type(type.dtype)
    return type if isinstance(type, T.Scalar) else None


def item_type(type: Any) -> Any:
    """The type of what stands for a value: an array is memory."""
    match type:
        case T.Array(dtype=dtype, shape=()):
            return element_type(dtype)
        case T.Array():
            return T.Ref(checked(type))
        case T.List(item=item, length=length):
            return T.List(item_type(item), length)
        case T.Ref(target=T.List() as held):
            return T.Ref(item_type(held))
    return type


def forget_lengths(function: Function) -> None:
    """Let arrays have any length: the emitter knows things to do with known ones, such as to unpack
    an array, that Numba does not."""

    def forgotten(type: Any, value: Value) -> Any:
        match type:
            case T.Array(dtype=dtype, shape=tuple() as shape, contiguous=contiguous):
                dims = tuple(T.symbol(("length", value.uid, k)) for k in range(len(shape)))
                return T.Array(dtype, dims, contiguous)
            case T.Ref(target=target):
                return T.Ref(forgotten(target, value))
            case T.List(item=item, length=length):
                return T.List(forgotten(item, value), length)
        return type

    def visit(block: Block) -> None:
        for value in block.params:
            value.type = forgotten(value.type, value)
        for statement in block.statements:
            for value in defined(statement):
                value.type = forgotten(value.type, value)
            for inner in blocks(statement):
                visit(inner)

    visit(function.body)
