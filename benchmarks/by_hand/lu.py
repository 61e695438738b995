"""LU decomposition in place, entry by entry, and the logarithm of the determinant.

The adjoint saves nothing and restores nothing: it needs only entries of the finished factors, and
no step overwrites one of those.
"""

import numpy as np

argnums = 0
small = 5
typical = 24


def inputs(size):
    rng = np.random.default_rng(size)
    return (rng.standard_normal((size, size)) + size * np.eye(size),)


def primal(A):
    n = len(A)
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            A[i, j] -= A[i, :i] @ A[:i, j]
    return np.sum(np.log(np.abs(np.diag(A))))


def gradient(A):
    A = A.copy()
    n = len(A)
    for i in range(n):
        row = A[i]
        for j in range(i):
            row[j] -= row[:j] @ A[:j, j]
            row[j] /= A[j, j]
        for j in range(i, n):
            row[j] -= row[:i] @ A[:i, j]

    A_bar = np.diag(1 / np.diag(A))
    for i in reversed(range(n)):
        row, row_bar = A[i], A_bar[i]
        for j in range(i, n):
            entry_bar = row_bar[j]
            row_bar[:i] -= entry_bar * A[:i, j]
            A_bar[:i, j] -= entry_bar * row[:i]
        for j in reversed(range(i)):
            entry_bar = row_bar[j] / A[j, j]
            row_bar[j] = entry_bar
            A_bar[j, j] -= entry_bar * row[j]
            row_bar[:j] -= entry_bar * A[:j, j]
            A_bar[:j, j] -= entry_bar * row[:j]
    return A_bar
