"""`while` in its forms: counted, tested on data, with walrus, break, continue, else, nested."""

import math

import numpy as np

from tests.programs.registry import numbers, program, vector


@program(numbers(2.3))
def newton_square_root(x):
    y = x
    while abs(y * y - x) > 1e-12:
        y = 0.5 * (y + x / y)
    return y


@program(numbers(0.7, 1.1))
def residual_bound_in_the_test(x, start):
    y = start
    while (residual := y * y * y - x) > 1e-3:
        y = y - residual / (3 * y * y)
    return y * residual + y


@program(numbers(0.6))
def fixed_point_with_break(x):
    y = 0.5
    steps = 0
    while True:
        new = math.cos(x * y)
        if abs(new - y) < 1e-2 or steps == 50:
            break
        y = new
        steps += 1
    return y + new * 0.5


@program(numbers(7.3))
def halved_until_small(x):
    trips = 0
    while x > 1.0:
        x = x / 2 + 0.1 * math.sin(x)
        trips += 1
    return x * trips


@program(numbers(0.5))
def no_trips(x):
    y = x * x
    while y > 10.0:
        y = y * 0.1
    return y * x


@program(numbers(0.4, 1.2))
def counted_with_continue(x, y):
    k = 0
    while k < 6:
        k += 1
        if k % 2 == 0:
            x = x * y
            continue
        y = y + x * k * 0.1
    return x + y


@program(numbers(1.3, 0.6))
def nested_whiles(x, y):
    i = 0
    while i < 3:
        j = 0
        while j < i and x < 50:
            x = x + y * math.sin(x)
            j += 1
        y = y * 0.8 + 0.1 * x
        i += 1
    return x * y


@program(lambda rng: (np.diag([5.0, 2.0, 1.0]) + 0.1 * rng.normal(size=(3, 3)),))
def power_iteration_until_converged(A):
    v = np.ones(3)
    value = 0.0
    for _ in range(100):
        w = A @ v
        new = np.sqrt(w @ w)
        v = w / new
        if abs(new - value) < 1e-13:
            break
        value = new
    return v @ A @ v


@program(numbers(0.3, 2.0))
def bisection(target, high):
    low = 0.0 * high
    steps = 0
    while steps < 8:
        middle = 0.5 * (low + high)
        if middle * middle < 1.7:
            low = middle
        else:
            high = middle
        steps += 1
    return low * target + high


@program(vector(6))
def scan_until_sum_is_reached(x):
    i = 0
    total = 0.0
    while i < len(x) and total < 2.0:
        total += x[i]
        x[i] *= total
        i += 1
    return total * x[0] + x.sum()


@program(vector(5))
def loop_with_else(x):
    total = 1.0
    for value in x:
        if value > 5.0:
            break
        total *= value
    else:
        total = total * total
    k = 0
    while k < 2:
        total += x[k]
        k += 1
    else:
        total -= x[4]
    return total


@program(numbers(3.2, 0.1))
def adaptive_step(x, step):
    t = 0.0
    while t < 1.0:
        slope = -x * math.cos(t)
        if abs(slope) * step > 0.25:
            step = step * 0.5
            continue
        x = x + step * slope
        t = t + 0.3
        step = step * 1.5
    return x


@program(vector(4))
def array_shrunk_until_short(v):
    while v @ v > 0.5:
        v = 0.7 * v - 0.05 * v**2
    return np.sum(np.sin(v))


@program(numbers(0.8))
def return_from_a_while(x):
    k = 1
    while True:
        x = x * 1.3
        if x > 2.0:
            return x * k
        k += 1
