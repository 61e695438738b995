"""Lists, tuples, dicts, named tuples and dataclasses."""

import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from tests.programs.registry import numbers, program, vector


@program(lambda rng: (rng.normal(size=3), rng.normal(size=(3, 3))))
def list_appended_and_stacked(x, W):
    rows = []
    for _ in range(4):
        x = np.tanh(W @ x)
        rows.append(x)
    return np.sum(np.stack(rows) ** 2)


@program(vector(5))
def list_of_numbers(x):
    values = []
    for value in x:
        if value > 0.5:
            values.append(math.sin(value))
    return sum(values) ** 2


@program(vector(4))
def comprehensions(x):
    squares = [value * value for value in x]
    scaled = np.array([i * value for i, value in enumerate(squares) if i > 0])
    return np.sum(scaled) * squares[0] + sum(value * 0.5 for value in squares)


@program(numbers(1.3, 0.4))
def stack_machine(x, y):
    stack = [x]
    for step in range(3):
        stack.append(y * stack[-1])
        if step == 1:
            right = stack.pop()
            left = stack.pop()
            stack.append(left - right * left)
    result = 0.0
    while stack:
        result = result * 0.5 + stack.pop()
    return result


@program(
    lambda rng: (
        [
            (rng.normal(size=(4, 3)), rng.normal(size=4)),
            (rng.normal(size=(1, 4)), rng.normal(size=1)),
        ],
        rng.normal(size=3),
    )
)
def layers_in_a_list(layers, x):
    for W, b in layers:
        x = np.tanh(W @ x + b)
    return x[0]


@program(lambda rng: ({"w": rng.normal(size=(2, 3)), "b": rng.normal(size=2)}, rng.normal(size=3)))
def parameters_in_a_dict(parameters, x):
    hidden = parameters["w"] @ x + parameters["b"]
    return np.sum(hidden**2)


@program(lambda rng: ({"w": rng.normal(size=3), "steps": 3, "name": "decay"},))
def dict_that_is_written(state):
    for _ in range(state["steps"]):
        state["w"] = state["w"] * 0.9
        state["w"][0] += 0.3 * state["w"][1]
    state["total"] = np.sum(state["w"] ** 2)
    return state["total"]


@program(numbers(0.7, 1.9))
def tuples_unpacked(x, y):
    pair = (x * y, x + y)
    product, total = pair
    (a, b), c = (total, product), pair[0]
    return a * b - c * c * pair[1]


Point = namedtuple("Point", "x y")


@program(numbers(Point(0.3, 1.1), 0.5))
def named_tuple(point, scale):
    moved = Point(point.x + scale, point.y * scale)
    return moved.x * moved.y + point[0]


@dataclass
class Spring:
    stiffness: float
    rest: float
    label: str = "spring"

    def energy(self, length):
        return 0.5 * self.stiffness * (length - self.rest) ** 2


@program(numbers(Spring(1.7, 0.4), 0.9))
def dataclass_with_a_method(spring, length):
    return spring.energy(length) + spring.energy(2 * length) * spring.rest


@program(lambda rng: (rng.normal(size=3), rng.normal(size=3)))
def list_that_holds_arrays_written_later(a, b):
    held = [a, b * 2]
    a[0] = a[1] * b[2]
    held[1][2] += a[0]
    held.append(held[0] * held[1])
    return np.sum(held[0] * held[2]) + held[-1][0]


@program(vector(4))
def items_replaced(x):
    values = [0.0] * 4
    for i in range(4):
        values[i] = x[i] * values[i - 1] + 1.0
    return values[3] * values[2]


@program(lambda rng: (rng.normal(size=(3, 2)),))
def concatenated(A):
    parts = [A[0], A[2] * 2, np.array([A[1, 0], 1.0])]
    whole = np.concatenate(parts)
    return np.sum(whole**2 * np.arange(6.0))


@program(vector(3))
def several_results(x):
    return np.sum(x**2), {"sines": np.sin(x), "first": x[0] * x[1]}


@program(vector(4))
def comprehension_that_calls_a_function_made_in_it(x):
    largest = [max([v, 2 * v, v * v], key=lambda t: -t) for v in x]
    return sum(largest) + sum([(lambda t: t * v)(v + 1) for v in x])


@program(vector(5))
def list_extended_and_reversed(x):
    values = [x[0], x[1] * x[2]]
    values.extend([x[3], x[4] ** 2])
    values.insert(1, x[0] * x[4])
    total = 0.0
    for i, value in enumerate(reversed(values)):
        total += (i + 1) * value
    return total


@program(vector(3))
def stacked_in_each_trip(x):
    for _ in range(2):
        rows = []
        for v in x:
            rows.append(np.array([v, v * v]))
        A = np.stack(rows)
        x = np.tanh(A @ A.T @ x)
    return np.sum(x)


@program(lambda rng: (0.7, rng.normal(size=3)))
def comprehension_that_hides_a_name_of_a_closure(x, rows):
    def scale():
        return 2.0 * x

    first = sum([scale() * x for x in rows])
    second = sum([sum([scale() * x * y for y in [x, 2.0 * x]]) for x in rows])
    return first * second * x


@program(lambda rng: (0.7, rng.normal(size=3)))
def comprehension_that_hides_a_nonlocal_name(x, rows):
    def step():
        nonlocal x
        total = sum([x * i for i, x in enumerate(rows)])
        x = x * total
        return total

    return step() * step() * x


@program(lambda rng: (0.7, rng.normal(size=3)))
def comprehension_with_functions_of_its_name(x, rows):
    g = lambda: x  # noqa: E731
    parts = [(lambda x=x: x * g())() + (lambda k: k * x)(2.0) for x in rows]
    last = [(kept := g() * x) for x in rows]
    return sum(parts) * sum(last) * kept
