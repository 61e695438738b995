"""The operators of tensors, and the methods of the same meaning."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompiler.tape import memory
from adcompiler.tape.graph import node_class
from adcompiler.tape.promotion import as_dtype, promoted, result_dtype
from adcompiler.tape.recording import apply, made, ndarray, unwrapped
from adcompiler.tape.shortcuts import binary, unary
from adcompiler.tape.tensor import DEFAULT, Tensor, boxed, computed, settled, tensor_method
from adcompiler.tape.writes import apart, in_place_form, updated


def _operators() -> None:
    table = {
        "add": (np.add, operator.add), "sub": (np.subtract, operator.sub),
        "mul": (np.multiply, operator.mul), "truediv": (np.divide, operator.truediv),
        "pow": (np.power, operator.pow), "mod": (np.remainder, operator.mod),
    }  # fmt: skip
    carried = {name: binary(Tensor, *pair) for name, pair in table.items()}
    squared = unary(
        Tensor,
        np.square,
        lambda value: value**2,
        lambda x: apply(Tensor, operator.pow, (x, 2), {}),
        "PowBackward0",
    )

    def known(y: Any) -> bool:
        return isinstance(y, Tensor | ndarray | np.generic | float | int | complex)

    def two(name: str) -> Callable:
        carry_out = carried[name]
        floats = name == "truediv"

        def run(x: Any, y: Any) -> Any:
            if type(x) is Tensor:
                dtype = x.value.dtype
                if dtype.kind == "f" and (
                    y.value.dtype is dtype
                    if type(y) is Tensor
                    else type(y) is float or type(y) is int
                ):
                    try:
                        return boxed(carry_out(x, y))
                    except ValueError as error:  # shapes
                        raise RuntimeError(str(error)) from None
            if not known(x) or not known(y):
                return NotImplemented
            a, b = promoted(_plain_number(x), _plain_number(y))
            if floats and result_dtype(a, b).kind not in "fc":
                a, b = as_dtype(a, DEFAULT), as_dtype(b, DEFAULT)
            try:
                return boxed(carry_out(a, b))
            except ValueError as error:  # shapes
                raise RuntimeError(str(error)) from None

        return run

    def reciprocal_of(x: Tensor) -> Tensor:
        return computed(np.reciprocal, promoted(x, 1.0)[0])

    for name in table:
        run = two(name)
        tensor_method(f"__{name}__", run)
        if name in ("add", "mul"):
            tensor_method(f"__r{name}__", run)
        tensor_method(f"__i{name}__", lambda x, y, run=run: updated(x, run(apart(x), y)))
        short = {"truediv": "div"}.get(name, name)
        tensor_method(short, _scaled(run) if name in ("add", "sub") else run)
        tensor_method(f"{short}_", in_place_form(getattr(Tensor, short)))

    plain_pow = Tensor.__pow__

    def power(x: Tensor, y: Any) -> Any:
        if type(y) is int and y == 2 and x.value.dtype.kind == "f":
            return boxed(squared(x))
        return plain_pow(x, y)

    def rsub(x: Tensor, y: Any) -> Any:
        result = two("sub")(y, x)
        if result is not NotImplemented and result.node is not None:
            result.node.__class__ = node_class("RsubBackward1")
        return result

    tensor_method("__pow__", power)
    tensor_method("pow", power)
    tensor_method("__rpow__", lambda x, y: two("pow")(y, x))
    tensor_method("__rsub__", rsub)
    tensor_method("__rtruediv__", lambda x, y: reciprocal_of(x) * y)
    tensor_method("__rmod__", lambda x, y: two("mod")(y, x))
    tensor_method("reciprocal", reciprocal_of)
    tensor_method("__neg__", _one(unary(Tensor, np.negative, operator.neg)))
    tensor_method("__abs__", _one(unary(Tensor, np.absolute, operator.abs)))
    tensor_method("__pos__", lambda x: x)
    tensor_method("__invert__", lambda x: made(Tensor, ~settled(x), None))

    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        compare = getattr(operator, name)

        def comparison(x: Tensor, y: Any, compare: Callable = compare) -> Any:
            if not known(y):
                return NotImplemented
            return made(Tensor, np.asarray(compare(settled(x), unwrapped(y, memory.settled))), None)

        tensor_method(f"__{name}__", comparison)
        tensor_method(name, comparison)
    for name in ("and", "or", "xor"):
        both = getattr(operator, f"__{name}__")
        tensor_method(
            f"__{name}__",
            lambda x, y, f=both: made(Tensor, np.asarray(f(settled(x), unwrapped(y))), None),
        )


def _plain_number(x: Any) -> Any:
    """NumPy's scalars count as Python's numbers."""
    return x.item() if isinstance(x, np.generic) else x


def _scaled(run: Callable) -> Callable:
    def method(x: Tensor, other: Any, *, alpha: Any = 1) -> Any:
        return run(x, other if alpha == 1 else other * alpha)

    return method


def _one(carry_out: Callable) -> Callable:
    return lambda x: boxed(carry_out(x))


_operators()
