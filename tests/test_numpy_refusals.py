"""What NumPy offers around indices and writes, and is refused: with the line and a remedy."""

import numpy as np
import pytest

from adcompiler import grad
from adcompiler.errors import AdcompilerError


def resized(x):
    x.resize(3)
    return np.sum(x)


def made_read_only(x):
    x.setflags(write=False)
    return np.sum(x)


def structured(x):
    z = np.zeros(3, dtype=[("a", float)])
    z["a"] = x[:3]
    return np.sum(z["a"])


def written_by_an_iterator(x):
    for item in np.nditer(x, op_flags=["readwrite"]):
        item[...] = 2 * item
    return np.sum(x)


def part_of_a_split_written(x):
    a, b = np.split(x, 2)
    a *= b
    return np.sum(x)


def ufunc_at_slices(x):
    np.multiply.at(x, slice(1, 3), 2.0)
    return np.sum(x)


def vectorised_with_types(x):
    return np.sum(np.vectorize(np.sin, otypes=[float])(x))


def flat_of_another_layout(x):
    A = np.outer(x, x).T
    A.flat[3] = 1.0
    return np.sum(A * A)


def flat_items_written_one_by_one(x):
    x.flat[1:] = x[:-1]
    return np.sum(x * x)


def placed_one_by_one(x):
    y = x[::-1]
    np.place(x, np.arange(6) > 2, y)
    return np.sum(x * x)


def copied_to_integers(x):
    counts = np.zeros(6, dtype=int)
    np.copyto(counts, x)
    return np.sum(counts * x)


def brackets_with_text(x):
    return np.sum(np.r_["0,2", x, x])


REFUSED = [
    resized, made_read_only, structured, written_by_an_iterator, part_of_a_split_written,
    copied_to_integers, flat_items_written_one_by_one, placed_one_by_one, ufunc_at_slices,
    vectorised_with_types,
    flat_of_another_layout, brackets_with_text,
]  # fmt: skip


@pytest.mark.parametrize("function", REFUSED)
def test_it_is_refused_at_its_line(function):
    with pytest.raises(AdcompilerError) as caught:
        grad(function)(np.arange(1.0, 7.0))
    error = caught.value
    first = function.__code__.co_firstlineno
    assert error.position.file == __file__ and first < error.position.line <= first + 4
    assert error.remedy
