"""NumPy's functions that write one of their arguments."""

import numpy as np

from tests.programs.registry import program, vector


def two_vectors(rng):
    return rng.uniform(0.3, 1.5, 6), rng.uniform(0.3, 1.5, 6)


def matrix_and_vector(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=4)


@program(two_vectors)
def items_put(x, y):
    np.put(x, [0, 2, 0], y[:3])  # of a repeated place, the last counts
    x.put([4, -1], y[3])
    np.put(x, [3, 1, 5], y[:2] * 2)  # too few values start again
    np.put(y, [7, -9], x[:2], mode="wrap")
    np.put(y, [17, 2], x[3], mode="clip")
    return np.sum(x * x * y)


@program(matrix_and_vector)
def items_put_into_a_matrix(A, v):
    np.put(A, [1, 5, -1], v[:3])
    np.put_along_axis(A, np.array([[0], [3], [1], [1]]), 2.0 * v[:, None], axis=1)
    np.put_along_axis(A, np.array([[2, 1, 0, 3]]), A[:1] * v, axis=0)
    return np.sum(A**3)


@program(matrix_and_vector)
def diagonals_filled(A, v):
    np.fill_diagonal(A, v)
    A[1] *= A[2, 2]
    np.fill_diagonal(A[1:3], v[0] * v[1])
    np.fill_diagonal(A[:2, :2], 3.0)
    return np.sum(A * A)


@program(matrix_and_vector)
def copied_where(A, v):
    np.copyto(A, v, where=A > 0)
    np.copyto(A[1:3], A[0] * 2)
    np.copyto(A[:, 0], 1.5, where=np.array([True, False, False, True]))
    return np.sum(A**3)


@program(two_vectors)
def placed_and_masked(x, y):
    np.place(x, y > 0.8, y[:2])
    np.putmask(y, x > 0.8, x * y)
    np.putmask(x, y < 0.9, y[:4])
    return np.sum(x * y + x * x)


@program(lambda rng: (rng.permutation(16).reshape(4, 4) + rng.uniform(0, 0.4, (4, 4)),))
def sorted_in_place(A):
    A[1].sort()
    A.sort(axis=0)
    B = A * 2
    B.sort()
    B[2] = B[2, ::-1]
    B[2].partition(1)
    return np.sum(A * B * np.arange(4.0)) + B[2, 1] ** 3


@program(matrix_and_vector)
def numbers_cleaned_in_place(A, v):
    A[0, 0] = np.nan
    A[1, 1] = np.inf
    np.nan_to_num(A, copy=False, nan=0.5, posinf=2.0)
    B = np.nan_to_num(A * v, False)
    B *= 2
    return np.sum(A * B)


@program(two_vectors)
def parts_written_into_their_own_array(x, y):
    np.put(x, [1, 2, 3], x)
    np.putmask(y[1:], x[1:] > 0.5, y[:-1])
    np.multiply.at(x, [1, 0], x[:2])
    np.place(x, y > 0.6, x * 2)
    np.place(x, [True, False] * 3, y)
    rows, columns = np.meshgrid(x, y, sparse=True)
    rows *= 2
    return np.sum(x * y) + np.sum(rows * columns)


@program(two_vectors)
def results_into_places(x, y):
    whole, rest = np.zeros(6), np.zeros(6)
    np.divmod(x * 3, y, out=(whole, rest))
    np.clip(x, 0.5, 1.0, x)  # `out` by position
    np.clip(y, 0.5, None, out=y)
    totals, picked = np.empty(6), np.empty(2)
    np.cumsum(x * y, out=totals)
    np.take(rest, [4, 1], out=picked)
    x.cumsum(0, None, whole)
    return np.sum(totals * rest) + picked @ picked + whole @ rest


@program(two_vectors)
def results_into_places_where(x, y):
    quotient = np.divide(x, y, out=np.zeros_like(x), where=y > 0.7)
    np.log(x, out=y, where=x > 0.6)
    np.add(y[1:], quotient[:-1], out=y[1:], where=np.arange(5) % 2 == 0)
    return np.sum(y * quotient)


@program(matrix_and_vector)
def sums_into_places(A, v):
    totals = np.empty(4)
    np.sum(A, 0, None, totals)
    A.mean(axis=1, out=v)
    np.matmul(A, A, out=A)
    return totals @ v + np.sum(A)


@program(vector(6))
def list_of_truths_as_index(x):
    y = x[[True, False, True, True, False, False]]
    x[[False, True, False, False, False, True]] = y[:2] * 2
    return np.sum(x * x) + np.sum(y**3)
