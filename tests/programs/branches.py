"""Branches of every form, on data and on indices."""

import math

import numpy as np

from tests.programs.registry import numbers, program, vector


@program(numbers(-0.7))
def leaky_relu(x):
    if x > 0:
        y = x
    else:
        y = 0.1 * x
    return y * y


@program(numbers(1.4, 1.0))
def huber(x, width):
    distance = abs(x)
    if distance <= width:
        return 0.5 * distance**2
    return width * (distance - 0.5 * width)


@program(numbers(0.3, 0.9))
def both_branches_alike(x, y):
    if x > 0.1:
        z = x * y
    else:
        z = y * x
    return z * z


@program(numbers(1.7))
def cases(x):
    if x < 0:
        y = -x
    elif x < 1:
        y = x**2
    elif x < 2:
        y = x**3 - math.log(x)
    else:
        y = 8 * x
    return y


@program(numbers(0.6, 0.4))
def chained_comparison(x, y):
    if 0 < x < 1 and not y > 0.5:
        x = x * y
    if x > 5 or y < 0.45:
        y = y * x + y
    return x * y


@program(numbers(0.6, 0.4))
def conditional_expression(x, y):
    larger = x if x > y else y
    return larger**2 + (x * y if larger > 1 else x - y)


@program(vector(6, -1, 1))
def branches_in_a_loop(x):
    total = 0.0
    for i in range(6):
        if x[i] > 0.2:
            total += x[i] ** 2
        elif i % 2 == 0:
            total -= x[i]
        else:
            total *= x[i]
    return total


@program(vector(6, -1, 1))
def flag_that_changes(x):
    up = True
    total = 1.0
    for value in x:
        if up:
            total = total * (1 + value)
        else:
            total = total - value * total
        up = total < 1.1
    return total


@program(vector(5, -1, 1))
def early_return_in_a_loop(x):
    total = 1.0
    for value in x:
        total = total * (1.5 + value)
        if total > 2.0:
            return total * total
    return total


@program(numbers(0.4, 1.6))
def nested_early_returns(x, y):
    if x > y:
        return x
    z = x * y
    if z > 0.1:
        if z > 5.0:
            return z
        z = z * z
        if y > 1:
            return z + x
    return z - y


@program(numbers(0.7, -0.2))
def name_bound_in_one_branch(x, y):
    scale = 2.0
    if x > 0:
        scale = x * 3
        extra = y * scale
        y = y + extra
    return y * scale


@program(vector(6, -1, 1))
def break_and_continue(x):
    total = 0.0
    for i in range(6):
        if x[i] < -0.5:
            continue
        total += x[i] ** 3
        if i == 4:
            break
        total *= 1.1
    return total


@program(vector(4, -1, 1))
def selected_elements(x):
    return np.sum(np.where(x > 0, x**2, -x) * np.arange(4.0))


@program(vector(5, -1, 1), smooth=False)
def extremes(x):
    return max(x[0], x[1]) * min(x[2], 0.3) + np.max(x) - np.abs(x).sum() + np.clip(x, -0.5, 0.4)[3]


@program(numbers(0.3, 2))
def branches_on_integers(x, mode):
    if mode == 0:
        return x
    if mode == 1:
        x = x * x
    else:
        x = math.exp(x)
    return x * mode


@program(numbers(0.5, None))
def optional_argument(x, bias):
    if bias is None:
        bias = 0.1 * x
    return x * bias


@program(vector(4, -1, 1))
def condition_on_a_value_that_changes(x):
    threshold = 0.5
    total = 0.0
    for value in x:
        if total < threshold:
            total += value**2
            threshold = 0.9 * threshold
        else:
            total -= 0.3 * value
            threshold = total
    return total * threshold


@program(lambda rng: (rng.uniform(0.3, 1.2, 3), "b"))
def match_on_values_and_shapes(x, how):
    s = 0.0
    for i in range(4):
        match i:
            case 0:
                s = s + x[0]
            case 1 | 2:
                s = s * x[1] + i
            case _:
                s = s + 1
    match how:
        case "a":
            s *= x[2]
        case "b":
            s -= x[2] ** 2
    match (s, [x[1], x[2]]):
        case (a, [b, c]):
            s = a * b + c
        case _:
            s = 0.0
    return s


@program(lambda rng: (rng.uniform(0.3, 1.2, 3),))
def exception_that_does_not_occur(x):
    try:
        factor = np.linalg.cholesky(np.outer(x, x) + 3 * np.eye(3))
    except np.linalg.LinAlgError:
        return np.inf
    else:
        s = np.sum(factor)
    finally:
        scale = x[0]
    return s * scale


@program(lambda rng: (np.array([0.6, -0.5, -1.1, 0.6]), rng.normal(size=5)))
def loop_in_a_branch_that_is_not_taken(a, b):
    if a[1] >= 0.137:
        old, new = b, np.empty_like(b)
        for _ in range(2):
            old, new = (new, old)
        for j in range(5):
            for k in range(j + 1, 5):
                b[k] = 0.5 * b[j]
        waves = (np.exp(1j * b[-4:]) * np.conj(a.copy() + 1j * b[-1])).real
        a[1:3] = 0.5 * np.dot(
            waves, np.sum(np.full((2, 4), 0.5 * b[2:4][np.argmax(b) % 2]), axis=0)
        )
        for i in range(4):
            a[i] += np.tanh(a[np.argmax(a) % 4] * np.sum(b * b))
    return np.sum(a**2) + np.sum(b**3)
