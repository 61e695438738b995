"""Calls: helpers that compute, write, return views; defaults, keywords, closures, methods."""

import math
from functools import partial

import numpy as np

from tests.programs.registry import numbers, program, vector

GRAVITY = 9.81
SCALES = {"small": 0.1, "large": 2.0}


def squared_distance(a, b):
    difference = a - b
    return difference @ difference


def smooth_step(x, low=0.0, high=1.0):
    t = (x - low) / (high - low)
    return t * t * (3 - 2 * t)


def scale_in_place(v, factor):
    v *= factor
    v[0] += 1.0


def tail(v):
    return v[1:]


def larger_of(a, b):
    if a[0] > b[0]:
        return a
    return b


def scaled_copy(v, factor=2.0):
    v = v.copy()
    v *= factor
    return v


@program(lambda rng: (rng.normal(size=3), rng.normal(size=3)))
def helper_called_twice(a, b):
    return squared_distance(a, b) * squared_distance(a, 2 * b)


@program(numbers(0.4, 1.3))
def defaults_and_keywords(x, y):
    return smooth_step(x) + smooth_step(x, high=y) * smooth_step(high=2.0, x=y, low=x)


@program(vector(4))
def helper_that_writes_its_argument(x):
    scale_in_place(x, 2.0)
    scale_in_place(x[1:], x[0])
    return np.sum(x**2)


@program(vector(5))
def helper_that_returns_a_view(x):
    rest = tail(x)
    rest[0] = x[0] * x[4]
    tail(rest)[:] *= 0.5
    return np.sum(x * x)


@program(lambda rng: (rng.uniform(0.3, 1, 3), rng.uniform(0.3, 1, 3)))
def helper_that_returns_one_of_two(a, b):
    v = larger_of(a, b)
    v[1] = a[0] * b[0]
    larger_of(a[::-1], b)[0] *= 3.0
    return np.sum(a * b)


@program(vector(3))
def helper_that_copies(x):
    y = scaled_copy(x)
    z = scaled_copy(y, factor=x[0])
    y[0] = 1.0
    return np.sum(x * y * z)


@program(numbers(2.0, 0.3))
def global_constant(v, angle):
    return v**2 * math.sin(2 * angle) / GRAVITY * SCALES["large"]


@program(numbers(0.7, 1.2))
def closure(x, y):
    def inner(z):
        return z * x + y

    return inner(y) * inner(x * x)


@program(vector(3))
def closure_that_writes(x):
    total = np.zeros(2)

    def record(value):
        total[0] += value
        total[1] *= value

    total[1] = 1.0
    for value in x:
        record(value * value)
    return total[0] * total[1]


@program(numbers(0.8))
def lambdas(x):
    double = lambda t: 2 * t  # noqa: E731
    power = lambda t, n=3: t**n  # noqa: E731
    return double(power(x)) + power(double(x), 2)


def apply_twice(f, x):
    return f(f(x))


@program(numbers(0.8, 0.3))
def function_as_an_argument(x, y):
    return apply_twice(math.sin, x) + apply_twice(lambda t: t * y, x)


def trapezoid(f, low, high, n):
    width = (high - low) / n
    total = 0.5 * (f(low) + f(high))
    for i in range(1, n):
        total += f(low + i * width)
    return total * width


@program(numbers(0.2, 1.4, 0.7))
def quadrature_of_a_closure(low, high, rate):
    return trapezoid(lambda x: math.exp(-rate * x * x), low, high, 5)


class Oscillator:
    damping = 0.1

    def __init__(self, frequency):
        self.frequency = frequency

    def acceleration(self, x, v):
        return -(self.frequency**2) * x - self.damping * v


@program(numbers(0.6, 0.2, 1.3))
def object_made_inside(x, v, frequency):
    oscillator = Oscillator(frequency)
    for _ in range(3):
        v = v + 0.1 * oscillator.acceleration(x, v)
        x = x + 0.1 * v
    return x * v


def sum_of_all(*values, scale=1.0):
    total = 0.0
    for value in values:
        total += value**2
    return scale * total


@program(numbers(0.6, 0.2, 1.3))
def variable_arguments(x, y, z):
    return sum_of_all(x, y) + sum_of_all(*(y, z), scale=x)


@program(numbers(0.6, 0.2))
def partial_application(x, y):
    step = partial(smooth_step, low=y)
    return step(x) * step(x, high=2.0)


def mean_and_spread(x):
    mean = x.mean()
    return mean, np.sqrt(((x - mean) ** 2).mean())


@program(vector(5))
def helper_with_two_results(x):
    mean, spread = mean_and_spread(x)
    return mean / spread + mean_and_spread(x * x)[1]


def swap_parts(v):
    held = v[:2].copy()
    v[:2] = v[2:]
    v[2:] = held
    return v


@program(vector(4))
def helper_that_writes_and_returns(x):
    y = swap_parts(x)
    y[0] *= 3.0
    return np.sum(x * np.arange(4.0)) + y[1]
