import numpy as np


def rows_doubled_grad(A):
    """Gradient of rows_doubled with respect to A."""
    A = A.copy()
    length = len(A)
    for i in range(length):
        row = A[i]
        row *= 2

    # s += row @ row
    A_bar = np.zeros_like(A)
    # for i in range(len(A)):
    for i in reversed(range(length)):
        # s += row @ row
        row = A[i]
        row_bar = A_bar[i]
        row_bar += 2 * row
        # row *= 2
        row_bar[...] = 2 * row_bar
    return A_bar
