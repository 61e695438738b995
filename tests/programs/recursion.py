"""Functions that call themselves, some of which write what they are given."""

import numpy as np

from tests.programs.registry import numbers, program, vector


@program(numbers(1.2, 5))
def power(x, n):
    if n == 0:
        return 1.0
    if n % 2 == 0:
        half = power(x, n // 2)
        return half * half
    return x * power(x, n - 1)


@program(vector(6))
def sum_of_squares_by_halves(x):
    if len(x) == 1:
        return x[0] ** 2
    middle = len(x) // 2
    return sum_of_squares_by_halves(x[:middle]) + sum_of_squares_by_halves(x[middle:]) * x[0]


def doubled_below(v, k):
    if k == 0:
        return
    v[k - 1] = v[k] * v[k - 1] + 0.1
    doubled_below(v, k - 1)
    v[k] *= v[0]


@program(vector(4))
def recursion_that_writes_its_argument(x):
    doubled_below(x, 3)
    return np.sum(x**2)


def haar(v):
    if len(v) == 1:
        return
    half = len(v) // 2
    sums = v[::2] + v[1::2]
    differences = v[::2] - v[1::2]
    v[:half] = sums * 0.7
    v[half:] = differences * 0.7
    haar(v[:half])


@program(vector(8))
def haar_transform_in_place(x):
    haar(x)
    return np.sum(x * x * np.arange(8.0))


def even_part(x, n):
    if n == 0:
        return x
    return odd_part(x * 1.1, n - 1) + x


def odd_part(x, n):
    if n == 0:
        return 0.0 * x
    return even_part(np.sin(x), n - 1) * x


@program(numbers(0.8, 4))
def mutual_recursion(x, n):
    return even_part(x, n) + odd_part(x, n)


@program(lambda rng: (rng.normal(size=(4, 2)), 0.3))
def de_casteljau(points, t):
    if len(points) == 1:
        return points[0, 0] * points[0, 1]
    return de_casteljau((1 - t) * points[:-1] + t * points[1:], t)


def walk(tree, scale):
    if isinstance(tree, tuple):
        return walk(tree[0], scale * 0.5) + walk(tree[1], scale * scale)
    return tree * scale


@program(numbers((0.4, (1.2, (0.3, 0.9))), 0.8))
def sum_over_a_tree(tree, scale):
    return walk(tree, scale)


def nested_loop_and_call(x, depth):
    total = x
    for i in range(depth):
        total = total + 0.3 * nested_loop_and_call(x * (i + 1), depth - 1) * x
    return total


@program(numbers(0.6))
def recursion_in_a_loop(x):
    return nested_loop_and_call(x, 3)
