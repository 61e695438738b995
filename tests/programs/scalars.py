"""Functions of numbers, without loops."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(numbers(0.7, -1.2))
def rosenbrock(x, y):
    return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)


@program(numbers(0.8, 1.9, -0.3, 0.6))
def horner(x, a, b, c):
    return a + x * (b + x * (c + 2.0 * x))


@program(numbers(0.4))
def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


@program(numbers(0.3, 0.1, 1.4))
def gaussian_density(x, mean, width):
    scaled = (x - mean) / width
    return np.exp(-0.5 * scaled**2) / (width * np.sqrt(2 * np.pi))


@program(numbers(0.6, 0.2, 1.1, -0.4))
def haversine(latitude, longitude, other_latitude, other_longitude):
    across = math.sin((other_latitude - latitude) / 2) ** 2
    along = math.sin((other_longitude - longitude) / 2) ** 2
    chord = across + math.cos(latitude) * math.cos(other_latitude) * along
    return 2 * 6371.0 * math.asin(math.sqrt(chord)) / 1000


@program(numbers(1.05, 1.0, 0.3, 0.7, 0.02))
def black_scholes_call(price, strike, volatility, time, rate):
    spread = volatility * math.sqrt(time)
    upper = (math.log(price / strike) + (rate + volatility**2 / 2) * time) / spread
    lower = upper - spread
    normal_upper = 0.5 * (1 + math.erf(upper / math.sqrt(2)))
    normal_lower = 0.5 * (1 + math.erf(lower / math.sqrt(2)))
    return price * normal_upper - strike * math.exp(-rate * time) * normal_lower


@program(numbers(1.3, -2.9, 0.4))
def larger_root(a, b, c):
    root = (b**2 - 4 * a * c) ** 0.5
    return (-b + root) / (2 * a)


@program(numbers(1.4, 0.8))
def names_that_are_reused(x, y):
    x = x * y
    y = x + y
    x = x - y * x
    x, y = y, x
    return x / y + x


@program(numbers(0.9, 1.7))
def powers(x, y):
    return x**y + x**3 - y**-2 + 2.0**x + (-2.0) ** 2 * y


@program(numbers(0.9, 1.7, 7))
def powers_by_pow(x, y, n):
    weights = (pow(2, 3, 5), pow(3, n, mod=10), pow(n, -1, 11))
    total = pow(x, 3) + pow(base=y, exp=2.5) + pow(x, y, None)
    for k in range(n):
        total = total + weights[k % 3] * pow(k, 2, n) * x
    return total


@program(numbers(0.7))
def negative_base_of_a_power(x):
    return -(x**2) + (-x) ** 2 * 3 - -x


@program(numbers(0.7, 2))
def integer_and_float(x, n):
    half = n / 2
    return x * n + half * x**n - n // 2 * x + n % 3 * x


@program(numbers(1.2, 0.5))
def result_with_unused_parts(x, y):
    unused = math.sin(x) * 3
    wasted = unused + y
    kept = x * y
    return kept + math.cos(kept)


@program(numbers(0.4, 2.2))
def value_that_does_not_depend_on_one(x, y):
    return x * 2.0 + math.cos(x)
