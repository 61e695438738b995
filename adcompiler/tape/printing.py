"""How tensors print: as PyTorch prints them, with 4 digits in 80 columns."""

from __future__ import annotations

import numpy as np

THRESHOLD = 1000
EDGE_ITEMS = 3
WIDTH = 80


def shown(value: np.ndarray, suffixes: list[str], prefix: str = "tensor(") -> str:
    """The text for a tensor: its numbers, then what is said about it.

    >>> print(shown(np.array([1.0, 2.5]), ["dtype=tape.float64"]))
    tensor([1.0000, 2.5000], dtype=tape.float64)
    """
    if value.size == 0 and value.ndim > 1:
        body = "[]"
        suffixes = [f"size={value.shape}", *suffixes]
    else:
        body = np.array2string(
            value,
            max_line_width=WIDTH,
            prefix=prefix,
            separator=", ",
            threshold=THRESHOLD,
            edgeitems=EDGE_ITEMS,
            formatter={"all": _formatter(value)},
        )
    text = prefix + body.replace(", ...,", ",  ...,")
    last = len(text) - text.rfind("\n") - 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > WIDTH:
            text += ",\n" + " " * len(prefix) + suffix
            last = len(prefix) + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"


def _formatter(value: np.ndarray):
    one = _number_format(value)
    if value.ndim == 0:
        return one
    if value.size > THRESHOLD:
        value = _edges(value)
    if value.dtype.kind == "f":  # as PyTorch does it: what is no ordinary number does not count
        value = value[np.isfinite(value) & (value != 0)]
    width = max((len(one(v)) for v in value.ravel()), default=0)
    return lambda v: one(v).rjust(width)


def _edges(value: np.ndarray) -> np.ndarray:
    """The items that are printed of a large array."""
    for axis, n in enumerate(value.shape):
        if n > 2 * EDGE_ITEMS:
            ends = np.r_[0:EDGE_ITEMS, n - EDGE_ITEMS : n]
            value = np.take(value, ends, axis)
    return value


def _number_format(value: np.ndarray):
    if value.dtype.kind == "b":
        return lambda v: "True" if v else "False"
    if value.dtype.kind in "iu":
        return lambda v: f"{int(v)}"
    if value.dtype.kind == "c":
        real, imag = _number_format(value.real), _number_format(value.imag)
        return lambda v: f"{real(v.real)}{'+' if v.imag >= 0 else ''}{imag(v.imag)}j"
    form = _float_form(_edges(value) if value.size > THRESHOLD else value)
    return lambda v: form.format(float(v)) if np.isfinite(v) else str(float(v))


def _float_form(value: np.ndarray) -> str:
    sizes = np.abs(value[np.isfinite(value) & (value != 0)]).astype(float)
    if sizes.size == 0:
        return "{:.0f}."
    largest, smallest = sizes.max(), sizes.min()
    if np.all(sizes == np.ceil(sizes)):
        wide = largest / smallest > 1000.0 or largest > 1e8
        return "{:.4e}" if wide else "{:.0f}."
    wide = largest / smallest > 1000.0 or largest > 1e8 or smallest < 1e-4
    return "{:.4e}" if wide else "{:.4f}"
