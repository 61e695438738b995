"""Names that share memory: views, aliases, swaps, and names that a branch binds."""

import numpy as np

from tests.programs.registry import program, vector


def square(rng, n=3):
    return rng.uniform(0.3, 1.2, (n, n))


@program(lambda rng: (square(rng),))
def rows_scaled_through_a_name(A):
    s = 0.0
    for i in range(3):
        row = A[i]
        row *= 2
        s += row @ row
    return s + A[0, 1] * A[2, 2]


@program(lambda rng: (rng.uniform(0.3, 1.2, (3, 4)),))
def columns_through_the_transpose(A):
    B = A.T
    for j in range(4):
        column = B[j]
        column[0] = column[1] * column[2]
        column[1:] += 0.1 * j
    return np.sum(A**2)


@program(lambda rng: (square(rng),), smooth=True)
def diagonal_through_a_flat_view(A):
    flat = A.reshape(-1)
    flat[::4] += np.sin(flat[1])
    return np.sum(A @ A)


@program(vector(8))
def view_of_a_view(x):
    middle = x[1:7]
    inner = middle[::2]
    inner[1] = inner[0] * x[7]
    middle[3:] *= 2.0
    inner += 0.5
    return np.sum(x**2)


@program(vector(8))
def haar_lifting(x):
    even = x[::2]
    odd = x[1::2]
    odd -= even
    even += 0.5 * odd
    odd *= np.sqrt(2.0)
    return np.sum(x**3)


@program(vector(8))
def butterflies(x):
    half = 1
    while half < 8:
        for start in range(0, 8, 2 * half):
            upper = x[start : start + half]
            lower = x[start + half : start + 2 * half]
            held = upper - lower * 0.5
            upper += lower
            lower[:] = held
        half *= 2
    return np.sum(np.sin(x))


@program(lambda rng: (rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3), 0.4))
def alias_bound_by_a_branch(a, b, x):
    if x > 0:
        v = a
    else:
        v = b
    v[0] = x
    v *= b
    return np.sum(a * a) + np.sum(a * b)


@program(lambda rng: (rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3), 0.4))
def alias_chosen_by_an_expression(a, b, x):
    v = b if x > 0.5 else a
    w = a if x > 0.1 else b
    v[0] = x * w[1]
    w[1] += v[0]
    return np.sum(a * a) - np.sum(b * a)


@program(lambda rng: (rng.uniform(0.3, 1, 4),))
def alias_taken_at_the_end_of_a_trip(b):
    a = b * 0.5
    for i in range(3):
        a[i] += b[i] * b[i + 1]
        b[0] *= 1.1
        a = b
    return np.sum(a * a)


@program(lambda rng: (rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3)))
def two_names_at_entry_both_rebound(a, b):
    c = a
    for i in range(3):
        c[i] = a[i] * b[i]
        a = a + 0.1
        c = c * 0.9
    return np.sum(a * c)


@program(lambda rng: (rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3)))
def three_names_in_rotation(a, b, c):
    for i in range(4):
        a[0] = b[1] * c[2]
        b[i % 3] *= 1.5
        a, b, c = b, c, a
    return np.sum(a * np.array([1.0, 2, 3])) + np.sum(b * c)


@program(lambda rng: (rng.uniform(0.3, 1, (4, 4)),))
def blocks_of_a_matrix(A):
    corner = A[:2, :2]
    other = A[2:, 2:]
    corner += other @ corner
    other[0] = corner[1]
    A[0, 0] *= 3.0
    return np.sum(corner * other)


@program(lambda rng: (rng.uniform(0.3, 1, (3, 3)), rng.uniform(0.3, 1, 3)))
def row_kept_while_its_owner_is_rebound(A, v):
    row = A[1]
    A = A * 2.0
    row[0] = v[0] * v[1]
    A[1] += row
    return np.sum(A) + row @ v


@program(vector(6))
def reshaped_and_written(x):
    M = x.reshape(2, 3)
    M[1] *= M[0]
    T = M.T
    T[2, 0] = x[0] * 4
    return np.sum(x * np.arange(6.0)) + M[0, 2]


@program(vector(5))
def names_of_elements_are_copies(x):
    first = x[0]
    x[0] = 2.0 * first * x[1]
    second = x[0]
    x[1] = first * second
    return x[0] + first * x[1]


@program(lambda rng: (rng.uniform(0.3, 1, (2, 3)),))
def loop_over_rows_that_are_written(A):
    total = 0.0
    for row in A:
        row[1:] *= row[0]
        total += np.sum(row)
    for i, row in enumerate(A):
        row += total * i
    return np.sum(A**2)


@program(lambda rng: (rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3)))
def loop_over_named_arrays(a, b):
    for v in [a, b, a]:
        v[0] = v[1] * v[2]
        v += 0.1
    return np.sum(a * b)


@program(lambda rng: (rng.uniform(0.3, 1, 4), rng.uniform(0.3, 1, 4)))
def saved_slice_and_its_view(x, y):
    total = 0.0
    for k in range(1, 4):
        part = y[:k]
        total += np.sum(part * part) * x[k]
        part *= x[:k]
    return total + np.sum(y)


@program(lambda rng: (rng.uniform(0.3, 1, (3, 3)),))
def added_axes(A):
    column = A[:, 0][:, None]
    line = A[0][None, :]
    B = column * line
    column += 0.5
    return np.sum(B * A) + np.sum(column)
