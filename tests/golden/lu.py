import numpy as np
from adcompiler.runtime import pole_product, pole_quotient, undiagonal


def primal_grad(A):
    """Gradient of primal with respect to A."""
    A = A.copy()
    n = len(A)
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            A[i, j] -= A[i, :i] @ A[:i, j]
    diagonal = np.diag(A)

    # return np.sum(np.log(np.abs(np.diag(A))))
    product = 1 / np.absolute(diagonal) * np.sign(diagonal)
    A_bar = undiagonal(product, A.shape, 0)
    # for i in range(n):
    for i in reversed(range(n)):
        # for j in range(i, n):
        for j in reversed(range(i, n)):
            # A[i, j] -= A[i, :i] @ A[:i, j]
            A_bar_ij = A_bar[i, j]
            A_bar[:i, j] -= A_bar_ij * A[i, :i]
            A_bar[i, :i] -= A_bar_ij * A[:i, j]
        # for j in range(i):
        for j in reversed(range(i)):
            # A[i, j] /= A[j, j]
            A_bar_ij = A_bar[i, j]
            A_jj = A[j, j]
            ratio = pole_quotient(A_bar_ij, A_jj)
            A_bar[j, j] -= pole_product(A_bar_ij, A[i, j] / A_jj)
            A_bar[i, j] = ratio
            # A[i, j] -= A[i, :j] @ A[:j, j]
            A_bar[:j, j] -= ratio * A[i, :j]
            A_bar[i, :j] -= ratio * A[:j, j]
    return A_bar
