"""Loops over ranges and arrays, without writes."""

import math

import numpy as np

from tests.programs.registry import numbers, program, vector


@program(numbers(1.1, 5))
def power_by_loop(x, n):
    result = 1.0
    for _ in range(n):
        result = result * x
    return result


@program(numbers(0.3))
def accumulated_product(x):
    s = 0.5
    for _ in range(4):
        s = s + x * s + x
    return s


@program(numbers(0.4, 0.7))
def fibonacci_pair(a, b):
    for _ in range(5):
        a, b = b, a + b * 0.3
    return a * b


@program(vector(5))
def polynomial_by_horner(coefficients):
    x = 0.7
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value * value


@program(numbers(0.6, 0.3, 6))
def logistic_map(r, x, steps):
    r = 3.0 * r
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


@program(numbers(0.5, 0))
def loop_without_trips(x, n):
    y = x * x
    for i in range(n):
        y = math.sin(y) * i
    return y + x


@program(vector(6))
def backward_loop(x):
    carried = 0.0
    for i in range(len(x) - 1, -1, -1):
        carried = math.tanh(carried + x[i]) * (i + 1)
    return carried


@program(vector(7))
def stepped_loop(x):
    total = 0.0
    for i in range(1, 7, 2):
        total += x[i] * x[i - 1]
    for i in range(6, 0, -3):
        total -= x[i] ** 2 * i
    return total


@program(lambda rng: (rng.normal(size=(4, 2)),))
def pairwise_energy(positions):
    energy = 0.0
    for i in range(len(positions)):
        for j in range(i + 1, len(positions)):
            separation = positions[i] - positions[j]
            energy += 1.0 / (0.5 + separation @ separation)
    return energy


@program(lambda rng: (rng.normal(size=5), rng.normal(size=3)))
def convolution(signal, kernel):
    energy = 0.0
    for i in range(len(signal) - len(kernel) + 1):
        value = 0.0
        for k in range(len(kernel)):
            value += signal[i + k] * kernel[k]
        energy += value * value
    return energy


@program(lambda rng: (rng.uniform(0.5, 1, 4), rng.uniform(0.5, 1, 4)))
def zipped_and_enumerated(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total = total * a + b
    for i, a in enumerate(x):
        total = total + a**i
    return total


@program(lambda rng: (rng.normal(size=(3, 4)), rng.normal(size=4)))
def rows_in_turn(A, v):
    for row in A:
        v = np.tanh(v + row)
    return v @ v


@program(numbers(0.2, 1.1))
def nested_loops_with_carried_values(x, y):
    for i in range(3):
        y = y * x + i
        for j in range(i):
            x = math.sin(x + y * j)
        y = y - x
    return x * y


@program(vector(4))
def index_used_as_a_number(x):
    total = 0.0
    for i in range(4):
        total += x[i] * (i + 1) / (i + 2) + (2 * i + 1)
    return total * i


@program(vector(6))
def two_loops_in_a_row(x):
    mean = 0.0
    for i in range(6):
        mean += x[i] / 6
    variance = 0.0
    for i in range(6):
        variance += (x[i] - mean) ** 2
    return math.sqrt(variance / 5)


@program(lambda rng: (rng.normal(size=3), 0.3))
def vector_carried(v, rate):
    for step in range(4):
        v = v - rate * np.sin(v) * (step + 1)
    return np.sum(v**2)


@program(vector(4))
def total_that_starts_as_an_integer(x):
    s = 0
    for value in x:
        s += value * value
    return s


@program(lambda rng: (rng.normal(size=(3, 2)),))
def total_that_becomes_an_array(A):
    total = 0
    for row in A:
        total = total + row * row[0]
    return np.sum(total)


@program(vector(5))
def carried_integer(x):
    k = 1
    total = 0.0
    for _ in range(6):
        total += x[k] * total + x[k]
        k = (2 * k + 1) % 5
    return total


@program(numbers(0.8))
def value_of_the_last_trip(x):
    for i in range(3):
        y = x * i + math.cos(x)
        x = x + 0.1 * y
    return y * x
