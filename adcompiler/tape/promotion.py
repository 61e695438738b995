"""In which precision PyTorch computes: what numbers, 0-d tensors and arrays make of each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompiler.tape.recording import Traced, ndarray
from adcompiler.tape.shortcuts import NUMBERS
from adcompiler.tape.tensor import DEFAULT, Tensor, computed


def promoted(*operands: Any) -> tuple:
    """The operands in one precision, by PyTorch's rules.

    A Python number or a 0-d tensor changes the precision of arrays only if it is of a higher kind
    (integers, floats, complex numbers).
    """
    dtypes = {x.value.dtype for x in operands if type(x) is Tensor}
    if len(dtypes) == 1:
        (dtype,) = dtypes
        if dtype.kind == "f" and all(
            type(x) is Tensor or type(x) in (int, float, bool) for x in operands
        ):
            return operands
    target = result_dtype(*operands)
    return tuple(as_dtype(x, target) for x in operands)


def result_dtype(*operands: Any) -> np.dtype:
    """The dtype of what PyTorch computes from these operands."""
    groups: list[list[np.dtype]] = [[], [], []]  # arrays, 0-d tensors, Python numbers
    for x in operands:
        if isinstance(x, Traced | ndarray):
            value = x.value if isinstance(x, Traced) else x
            groups[0 if value.ndim else 1].append(value.dtype)
        else:
            kind = np.asarray(x).dtype.kind
            groups[2].append({"f": DEFAULT, "c": np.dtype(np.complex64)}.get(
                kind, np.dtype(bool) if kind == "b" else np.dtype(np.int64)))  # fmt: skip
    result: np.dtype | None = None
    for group in groups:
        if group:
            own = _joined(group)
            if result is None or rank_of(own) > rank_of(result):
                result = own
    assert result is not None
    return result


def _joined(dtypes: list[np.dtype]) -> np.dtype:
    """PyTorch's floats do not grow when they meet integers."""
    top = max(map(rank_of, dtypes))
    if top < 2:
        return np.result_type(*dtypes)
    return np.result_type(*(d for d in dtypes if rank_of(d) >= 2))


def rank_of(dtype: np.dtype) -> int:
    return {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}[dtype.kind]


def as_dtype(x: Any, dtype: np.dtype) -> Any:
    if type(x) is Tensor:
        return x if x.value.dtype == dtype else computed(np.ndarray.astype, x, dtype)
    if isinstance(x, ndarray):
        return x.astype(dtype, copy=False)
    return x if np.ndim(x) == 0 and type(x) in NUMBERS | {complex} else np.asarray(x, dtype)
