"""Arrays that are written: elements, slices, whole, in place, and the caller's own."""

import math

import numpy as np

from tests.programs.registry import numbers, program, vector


@program(vector(7))
def heat_by_double_buffer(u):
    new = u.copy()
    for _ in range(4):
        new[1:-1] = u[1:-1] + 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, new = new, u
    return np.sum(u**2) + np.sum(new)


@program(vector(6))
def heat_in_place(u):
    for _ in range(3):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**2)


@program(lambda rng: (np.eye(4) * 5 + rng.normal(size=(4, 4)), rng.normal(size=4)))
def gauss_seidel(A, b):
    x = np.zeros(4)
    for _ in range(3):
        for i in range(4):
            s = 0.0
            for j in range(4):
                if j != i:
                    s += A[i, j] * x[j]
            x[i] = (b[i] - s) / A[i, i]
    return x @ x


@program(vector(5))
def cumulative_sum_in_place(x):
    for i in range(1, len(x)):
        x[i] += x[i - 1]
    return np.sum(x * x)


@program(vector(5))
def running_products(x):
    y = np.empty_like(x)
    y[0] = x[0]
    for i in range(1, 5):
        y[i] = y[i - 1] * x[i]
    return y.sum() + y[2] * y[4]


@program(lambda rng: (rng.uniform(0.2, 1, 6), np.array([0, 2, 0, 1, 2, 0])))
def histogram_of_weights(weights, bins):
    counts = np.zeros(3)
    for weight, k in zip(weights, bins):
        counts[k] += weight
    return counts[0] * counts[1] - counts[2] ** 2


@program(lambda rng: (rng.uniform(0.2, 1, 4), rng.uniform(0.2, 1, 3)))
def repeated_indices(x, v):
    index = np.array([1, 3, 1])
    y = x * 2
    y[index] = v
    y[[0, 0, 2]] += v * x[0]
    np.add.at(y, index, v**2)
    return np.sum(y * y) + np.sum(x[index] * v)


@program(lambda rng: (rng.permutation(5) + rng.uniform(0, 0.3, 5),))
def bubble_sort(x):
    for i in range(5):
        for j in range(4 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return np.sum(x * np.arange(5.0))


@program(vector(6))
def reversed_in_place(x):
    for i in range(3):
        held = x[i]
        x[i] = x[5 - i] * (i + 1)
        x[5 - i] = held
    return np.dot(x, np.arange(6.0))


@program(lambda rng: (rng.normal(size=4), rng.normal(size=4)))
def results_into_out(x, y):
    z = np.zeros(4)
    np.multiply(x, y, out=z)
    np.sin(z, out=z)
    np.add(z, x, z)
    return np.sum(z * y)


@program(lambda rng: (rng.normal(size=(3, 3)), rng.normal(size=3)))
def augmented_in_every_way(A, v):
    A += v
    A[0] -= v[1]
    A[:, 1] *= v
    A[2, 2] /= 2.0 + v[0] ** 2
    A[1:, :2] **= 2
    A *= 0.5
    return np.sum(np.cos(A))


@program(lambda rng: tuple(rng.uniform(0.5, 1, 5) + shift for shift in (0, 3, 0, 0)))
def thomas(lower, middle, upper, right):
    n = len(middle)
    for i in range(1, n):
        factor = lower[i] / middle[i - 1]
        middle[i] -= factor * upper[i - 1]
        right[i] -= factor * right[i - 1]
    right[n - 1] /= middle[n - 1]
    for i in range(n - 2, -1, -1):
        right[i] = (right[i] - upper[i] * right[i + 1]) / middle[i]
    return right @ right


@program(lambda rng: (rng.normal(size=3), rng.normal(size=(5, 3)), rng.normal(size=5)))
def adam(w, X, y):
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    for t in range(1, 4):
        g = X.T @ (X @ w - y) / 5
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * g * g
        w -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 0.01)
    return np.sum((X @ w - y) ** 2)


@program(vector(4))
def argument_written_and_returned(x):
    x[0] = x[1] * x[2]
    x[1:] *= x[0]
    x[:] = np.sin(x)
    return x


@program(vector(4))
def value_overwritten_before_use(x):
    y = x * 2
    y[:] = 3.0
    y[1] = x[1]
    x[2] = 0.0
    return np.sum(y * x)


@program(lambda rng: (rng.uniform(0.2, 1, 3), 0.7))
def element_read_and_overwritten(a, x):
    a[1] = a[1] * a[1] * x
    a[1] /= a[0]
    a[0] *= a[0]
    a[2] = math.exp(a[2]) * a[1]
    return a[0] + a[1] * a[2]


@program(lambda rng: (rng.uniform(0.5, 1, (3, 4)),))
def normalised_rows(A):
    for i in range(3):
        A[i] /= np.sqrt(np.sum(A[i] ** 2))
    return np.sum(A * np.arange(4.0))


@program(vector(5))
def written_then_rebound(a):
    for i in range(4):
        a[i] = a[i + 1] * a[i]
        a = a * 0.9
        a[0] += 0.1
    return np.sum(a)


@program(vector(4))
def slices_that_grow(x):
    total = 0.0
    for i in range(4):
        total += np.sum(x[:i] * x[i])
        x[:i] *= 0.5
        x[i:] += total
    return total + x.sum()


@program(lambda rng: (rng.normal(size=4), rng.normal(size=4)))
def swapped_and_written(a, b):
    for i in range(3):
        a[i] = b[i + 1] * 2
        a, b = b, a
        b[0] *= a[1]
    return np.sum(a * 2 + b)


@program(numbers(0.4, 0.8, 3))
def table_of_a_recurrence(x, y, n):
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i == 0 or j == 0:
                table[i, j] = x + i * y + j
            else:
                table[i, j] = 0.5 * table[i - 1, j] + np.sin(table[i, j - 1]) * y
    return table[n - 1, n - 1]


@program(lambda rng: (rng.normal(size=5), rng.normal(size=5)))
def mask_stores(x, y):
    z = y * 1.0
    z[x > 0] = 0.5
    z[y < 0.2] *= x[y < 0.2]
    return np.sum(z * z) + np.sum(x)


@program(vector(4))
def filled_and_copied(x):
    y = np.empty(4)
    y.fill(x[0])
    y[1:3] = x[2:]
    z = y.copy()
    y[0] = 5.0 * x[3]
    np.copyto(y[2:], z[:2])
    return np.sum(y * z)


@program(vector(5))
def read_in_a_loop_and_after(a):
    xs = []
    for i in range(4):
        a[4 - i] += np.sin(a[0])  # never the first entry
        xs.append(a[0] * a[0])
    xs.append(xs[0] - a[0])
    return sum(xs) * np.sum(a)


@program(lambda rng: (rng.normal(size=5) + 3.0,))
def written_in_the_only_trip_and_read_after(b):
    xs = [b[1]]
    for _ in range(1):
        b[0] /= xs[0]
    xs.append(b[0] * b[0])
    return np.sum(b * b) + sum(xs)
