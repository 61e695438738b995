"""Iteration, builtins, dicts and sets, exceptions and context managers: Python beside NumPy."""

import contextlib
import functools
import itertools
import math
import operator
import warnings
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass

import numpy as np

from tests.programs.registry import numbers, program, vector

# -- order -----------------------------------------------------------------------------------------


@program(numbers(1.2, 0.5, 0.9))
def sorted_numbers(a, b, c):
    low, middle, high = sorted([a, b, c])
    return low + 2 * middle * high + 3 * high**2


@program(vector(4))
def sorted_downwards_by_a_key(x):
    far = sorted(x, key=lambda v: (v - 0.7) ** 2, reverse=True)
    return far[0] ** 2 + 3 * far[-1] * len(far)


@program(vector(4))
def indices_sorted_by_values(x):
    total = 0.0
    for rank, i in enumerate(sorted(range(len(x)), key=lambda i: x[i])):
        total += (rank + 1) * x[i] ** 2
    return total


@program(vector(3))
def pairs_sorted_by_values(x):
    total = 0.0
    for weight, v in sorted(zip((3.0, 1.0, 2.0), x, strict=True), key=lambda pair: -pair[1]):
        total = 0.5 * total + weight * v**2
    return total


@program(vector(3))
def parameters_in_order_of_their_names(x):
    parameters = {"w": x[0], "b": x[1], "a": x[2]}
    total = 0.0
    for name, value in sorted(parameters.items()):
        total = 0.5 * total + value ** (2 + len(name))
    return total


@program(vector(5))
def largest_by_a_key(x):
    best = max(x, key=lambda v: v * (2.0 - v))
    nearest = min((v * w for v, w in zip(x, x[1:], strict=False)), key=lambda v: abs(v - 0.5))
    return best**2 * nearest


@program(vector(5))
def place_of_the_largest(x):
    place, value = max(enumerate(x), key=lambda pair: pair[1])
    return value**2 * (place + 1)


@program(vector(3))
def largest_under_a_name(x):
    scores = {"a": x[0], "b": x[1], "c": x[2]}
    best = max(scores, key=scores.get)
    return scores[best] ** 2 + min((), default=x[0])


@program(numbers(0.3, 0.4))
def tuples_compared(a, b):
    return a**2 if (a, b) < (a, 2 * b) else b


# -- iteration -------------------------------------------------------------------------------------


@program(vector(6, -1, 1))
def filtered_and_mapped(x):
    total = 0.0
    for v in filter(lambda v: v > 0, x):
        total += v**2
    return total * sum(map(operator.mul, x, x[::-1]))


@program(vector(5))
def folded(x):
    horner = functools.reduce(lambda total, c: total * 0.5 + c**2, x, 1.0)
    return horner * functools.reduce(operator.mul, (x[0], x[1], x[2])) * math.prod(x)


@program(vector(5, -1, 1))
def some_and_every(x):
    if any(v > 0.9 for v in x) or all(abs(v) < 0.01 for v in x):
        return np.sum(x)
    while not all(abs(v) < 0.5 for v in x):
        x = 0.8 * x
    return np.sum(x**2)


@program(vector(5))
def every_pair(x):
    energy = 0.0
    for a, b in itertools.combinations(x, 2):
        energy += 1.0 / (0.5 + (a - b) ** 2)
    return energy


@program(vector(5))
def grid_that_is_left_early(x):
    total = x[0]
    for i, j in itertools.product(range(len(x)), repeat=2):
        if i == j:
            continue
        if i + j > 6:
            break
        total += x[i] * x[j] ** 2
    else:
        total *= 2
    return total


@program(vector(4))
def orders_and_choices(x):
    total = sum(x[i] * x[j] ** 2 for i, j in itertools.permutations(range(3), 2))
    return total + sum(x[i] * x[j] for i, j in itertools.combinations_with_replacement(range(4), 2))


@program(vector(5))
def chains_of_things(x):
    total = 1.0
    for v in itertools.chain(x, (2 * w for w in x[1:]), [x[0]]):
        total = 0.5 * total + v**2
    return total


@program(vector(5))
def running_totals(x):
    totals = list(itertools.accumulate(x, lambda a, b: 0.5 * a + b**2))
    return totals[-1] * totals[1] + sum(itertools.accumulate((x[0], x[1]), initial=1.0))


@program(vector(6))
def windows_and_ends(x):
    rough = sum((b - a) ** 2 for a, b in itertools.pairwise(x))
    for v in itertools.islice(x, 1, None, 2):
        rough += v**3
    return rough


@program(vector(5))
def without_end(x):
    total = sum(k * v for k, v in zip(itertools.count(1), x, strict=False))
    total += sum(w * v for w, v in zip(itertools.cycle((1.0, -2.0)), x, strict=False))
    for k in itertools.count():
        total = 0.5 * total + x[k] ** 2
        if k == 3:
            break
    return total


@program(vector(5))
def while_they_are_small(x):
    total = 0.0
    for v in itertools.takewhile(lambda v: v < 1.2, x):
        total += v**2
    return total + sum(itertools.starmap(operator.mul, zip(x, x[1:], strict=False)))


@program(vector(4))
def of_different_lengths(x):
    pairs = itertools.zip_longest((x[0], x[1], x[2]), (x[3],), fillvalue=2.0)
    return sum(a * b for a, b in pairs) + math.dist((x[0], x[1]), (x[2], x[3]))


# -- generators ------------------------------------------------------------------------------------


def halvings(value, count):
    for _ in range(count):
        yield value
        value = 0.5 * value**2


def pairs_below(n):
    for i in range(n):
        for j in range(i):
            yield i, j


def collatz_like(value):
    while True:
        yield value
        value = 0.5 * value if value > 1.0 else 3 * value + 0.1


def leaves(depth, value):
    if depth == 0:
        yield value
    else:
        yield from leaves(depth - 1, 2 * value)
        yield from leaves(depth - 1, value**2)


@program(vector(4))
def walked_generators(x):
    total = sum(halvings(x[0], 4))
    for i, j in pairs_below(4):
        total += x[i] * x[j]
    return total * sum(leaves(2, x[1]))


@program(numbers(0.7))
def generator_left_early(x):
    total = 0.0
    for step, value in enumerate(collatz_like(x)):
        if step > 6:
            return total
        if value > 2.0:
            continue
        total += value**2
    return -1.0


@program(numbers(0.7))
def generator_beside_a_range(x):
    return sum(k * value**2 for k, value in zip(range(5), collatz_like(x), strict=False))


@program(vector(4))
def generator_and_loop_share_an_array(x):
    y = x.copy()

    def items():
        for k in range(4):
            yield y[k]

    total = 0.0
    for v in items():
        total += v**2
        y[:] = 0.5 * y
    return total + np.sum(y)


@program(vector(4))
def generators_inside_generators(x):
    return sum(sum(x[i] * x[j] for j in range(i)) ** 2 for i in range(4))


# -- dicts and sets --------------------------------------------------------------------------------


@program(vector(4))
def names_made_in_a_loop(x):
    weights = {}
    for k in range(3):
        weights[f"w{k}"] = x[k] ** 2
    total = 1.0
    for k in range(3):
        total = 0.5 * total + weights[f"w{k}"] * x[3]
    return total


@program(lambda rng: ({"W1": rng.normal(size=(2, 3)), "W2": rng.normal(size=(3, 2)),
                       "b1": rng.normal(size=3), "b2": rng.normal(size=2)},
                      rng.normal(size=2)))  # fmt: skip
def layers_by_name(parameters, x):
    for k in range(1, 3):
        x = np.tanh(x @ parameters[f"W{k}"] + parameters["b" + str(k)])
    return np.sum(x)


@program(vector(4))
def dict_methods(x):
    d = dict(zip("ab", x, strict=False)) | {"c": x[2]}
    d.update(c=d.pop("a"), e=x[3])
    d["e"] *= d.get("z", 2.0) + d.setdefault("f", x[1])
    del d["b"]
    squares = {name: v**2 for name, v in d.items() if name != "f"}
    return sum(squares.values()) * len(d)


@program(vector(4))
def dict_under_tuples(x):
    table = {(i, j): x[i] * x[j + 1] for i in range(2) for j in range(3) if i != j}
    return table[0, 1] * table[1, 0] + sum(v**2 for (i, _), v in table.items() if i == 0)


@program(vector(5))
def grouped(x):
    totals, groups = defaultdict(float), defaultdict(list)
    for k, name in enumerate(["u", "v", "u", "v", "u"]):
        totals[name] += x[k] ** 2
        groups[name].append(x[k])
    return totals["u"] * totals["v"] * sum(groups["u"])


@program(vector(3))
def counted_and_ordered(x):
    counts = Counter("abca")
    ordered = OrderedDict(a=x[0], b=x[1], c=x[2])
    ordered.move_to_end("a")
    total = 0.0
    for name, v in ordered.items():
        total = 0.5 * total + counts[name] * v**2
    return total * counts.most_common(1)[0][1]


@program(vector(3))
def looked_up_at_run_time(x):
    rates = {0: x[0], 1: x[1] ** 2, 2: x[2] ** 3}
    return rates[int(np.argmax(x))] * rates[int(x[0] > 0.7)]


@program(vector(5))
def sets_of_indices(x):
    seen, skipped = set(), {3}
    total = 0.0
    for k in (0, 1, 0, 3, 4):
        if k in seen or k in skipped:
            continue
        seen.add(k)
        total += x[k] ** 2
    for k in sorted((seen | {2}) - frozenset([0])):
        total *= x[k]
    return total * len(seen)


# -- exceptions ------------------------------------------------------------------------------------


@program(numbers(-0.8))
def raised_and_caught(x):
    try:
        if x < 0:
            raise ValueError(f"{x} is negative")
        y = math.sqrt(x)
    except ValueError:
        y = 3 * x**2
    else:
        y = 2 * y
    return y * x


@program(vector(5, -1, 1))
def caught_in_a_loop(x):
    total = 0.0
    for v in x:
        try:
            if v < -0.5:
                raise KeyError("low")
            for w in x:
                if w * v > 0.6:
                    raise ArithmeticError
            total += v**2
        except LookupError:
            continue
        except (ArithmeticError, TypeError):
            total -= v
        else:
            total *= 1.5
    return total


@program(numbers(0.3))
def tried_again(x):
    step = 1.0
    while True:
        try:
            if step * x > 0.1:
                raise OverflowError("too large")
            break
        except OverflowError:
            step *= 0.5
    return (step * x) ** 2 + x


@program(vector(3))
def written_before_it_was_raised(x):
    y = x.copy()
    try:
        y[0] = 5 * x[1]
        if x[2] > 0:
            raise RuntimeError
        y[1] = 7.0
    except RuntimeError:
        y[2] = x[0] ** 2
    finally:
        y *= x[1]
    return np.sum(y**2)


@program(vector(4, -1, 1))
def finally_wherever_it_is_left(x):
    total = 0.0
    for v in x:
        try:
            if v < -0.6:
                break
            if v < -0.2:
                continue
            if v > 0.9:
                return total * v
            total += v**2
        finally:
            total = 0.5 * total + v
    return total**2


# -- context managers ------------------------------------------------------------------------------


class Doubling:
    def __init__(self, value):
        self.value = value

    def __enter__(self):
        self.value = 2 * self.value
        return self

    def __exit__(self, kind, error, trace):
        self.value = self.value**2


@contextlib.contextmanager
def scaled(value, factor):
    yield factor * value


@program(numbers(0.7, 1.3))
def context_managers(x, y):
    with Doubling(x) as box, scaled(y, 3.0) as z:
        z = z * box.value
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        z = z + np.log(box.value)
    with contextlib.nullcontext(z) as w:
        return w * x


# -- functions -------------------------------------------------------------------------------------


def twice(function):
    @functools.wraps(function)
    def doubled(*args, **keywords):
        return 2 * function(*args, **keywords)

    return doubled


@twice
def cubed(x, *, scale=1.0):
    return scale * x**3


@functools.singledispatch
def size_of(thing):
    return 1.0


@size_of.register
def _(thing: float):
    return thing**2


@size_of.register(np.ndarray)
def _(thing):
    return np.sum(thing)


@program(numbers(0.7, 1.3))
def decorated_functions(x, y):
    @twice
    def squared(v):
        return v**2

    return cubed(x, scale=y) + squared(y) * size_of(x)


@program(numbers(0.7, 1.3))
def one_function_or_another(x, y):
    f = np.sin if x > y else np.cos
    g = (lambda v: v * x) if y > 1 else (lambda v: v + x)
    return f(x) * g(y)


@program(vector(4))
def getters(x):
    pair = operator.itemgetter(0, 2)
    a, b = pair(x)
    return a * b**2 + operator.methodcaller("sum")(x) * operator.attrgetter("size")(x)


@program(vector(3))
def functions_made_in_a_loop(x):
    k = 5.0
    scales = [lambda v: v * k for k in (1.0, 2.0)]
    return sum(scale(v) for scale, v in zip(scales, x, strict=False)) ** 2 + k * x[2]


# -- patterns --------------------------------------------------------------------------------------


@dataclass
class Point:
    x: float
    y: float


def measured(shape):
    match shape:
        case {"kind": "circle", "r": r}:
            return r**2
        case {"kind": "box", **sides}:
            return math.prod(sides.values())
        case Point(x, y) if x > y:
            return x - y
        case Point(x, y):
            return x * y
        case [first, *rest]:
            return first * sum(rest)
        case (0, v) | v:
            return v**3


@program(numbers(0.7, 1.3))
def patterns(a, b):
    return (
        measured({"kind": "circle", "r": a})
        + measured({"kind": "box", "width": a, "height": b})
        + measured(Point(a, b))
        + measured(Point(b, a))
        + measured((a, b, a * b))
        + measured(b)
    )
