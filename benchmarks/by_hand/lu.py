"""LU decomposition in place, entry by entry, and the logarithm of the determinant.

The adjoint keeps an undo log: the one number that each update overwrites. (LU reads only entries
that are already final; whoever knows that can leave the log away, which gains about 5 per cent.)
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
    undo = []
    for i in range(n):
        for j in range(i):
            undo.append(A[i, j])
            A[i, j] -= A[i, :j] @ A[:j, j]
            undo.append(A[i, j])
            A[i, j] /= A[j, j]
        for j in range(i, n):
            undo.append(A[i, j])
            A[i, j] -= A[i, :i] @ A[:i, j]

    A_bar = np.zeros_like(A)
    np.fill_diagonal(A_bar, 1 / np.diag(A))
    for i in reversed(range(n)):
        for j in reversed(range(i, n)):
            A[i, j] = undo.pop()
            entry_bar = A_bar[i, j]
            A_bar[i, :i] -= entry_bar * A[:i, j]
            A_bar[:i, j] -= entry_bar * A[i, :i]
        for j in reversed(range(i)):
            quotient = A[i, j]
            A[i, j] = undo.pop()
            entry_bar = A_bar[i, j] / A[j, j]
            A_bar[j, j] -= entry_bar * quotient
            A_bar[i, j] = entry_bar
            A[i, j] = undo.pop()
            A_bar[i, :j] -= entry_bar * A[:j, j]
            A_bar[:j, j] -= entry_bar * A[i, :j]
    return A_bar
