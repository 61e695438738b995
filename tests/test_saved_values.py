"""How many numbers loops save per trip for the backward sweep, measured while it runs.

The table in `docs/architecture.md` is made here. The lists of saved values are looked at in the
moment when the backward sweep begins, at two sizes; numbers per trip are the difference of the one
by that of the other.
"""

import sys

import numpy as np
import pytest

from adcompiler import grad
from adcompiler.api.measuring import Watch, peak_of, start_of_backward
from tests.differences import confirmed_slope, random_direction


def repeated_affine(x, s, n):
    for _ in range(n):
        s = s + x * s + x
    return s


def stencil(u, n):
    for _ in range(n):
        for i in range(1, len(u) - 1):
            u[i] = 0.25 * u[i - 1] + 0.5 * u[i] + 0.25 * u[i + 1]
    return u @ u


def gauss_seidel(A, b, x):
    for _ in range(3):
        for i in range(len(b)):
            total = b[i]
            for j in range(len(b)):
                if j != i:
                    total -= A[i, j] * x[j]
            x[i] = total / A[i, i]
    return x @ x


def gauss_seidel_on_a_grid(u, n):
    for _ in range(n):
        for i in range(1, len(u) - 1):
            for j in range(1, len(u) - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return np.sum(u * u)


def lu(A):
    n = len(A)
    for k in range(n):
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]
    return np.sum(A * A)


def lu_by_rows(A):
    n = len(A)
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            A[i, j] -= A[i, :i] @ A[:i, j]
    return np.sum(A * A)


def cholesky(A):
    n = len(A)
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[j, k]
            A[i, j] /= A[j, j]
        for k in range(i):
            A[i, i] -= A[i, k] * A[i, k]
        A[i, i] = np.sqrt(A[i, i])
    return np.sum(np.tril(A) ** 2)


def cholesky_by_rows(A):
    n = len(A)
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[j, :j]
            A[i, j] /= A[j, j]
        A[i, i] -= A[i, :i] @ A[i, :i]
        A[i, i] = np.sqrt(A[i, i])
    return np.sum(np.tril(A) ** 2)


def rk4(angle, speed, h, n):
    for _ in range(n):
        k1, l1 = speed, -np.sin(angle)
        k2, l2 = speed + 0.5 * h * l1, -np.sin(angle + 0.5 * h * k1)
        k3, l3 = speed + 0.5 * h * l2, -np.sin(angle + 0.5 * h * k2)
        k4, l4 = speed + h * l3, -np.sin(angle + h * k3)
        angle = angle + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        speed = speed + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
    return angle * angle + speed


def product(x):
    p = 1.0
    for v in x:
        p = p * v
    return p


def doubled_rows(A):
    total = 0.0
    for i in range(len(A)):
        row = A[i]
        row *= 2
        total += np.sum(row**3)
    return total


def newton(a, tolerance):
    x = a
    while abs(x * x - a) > tolerance:
        x = x - (x * x - a) / (2.0 * x)
    return x


def recurrence(w, y):
    for t in range(1, len(y)):
        y[t] = np.tanh(w * y[t - 1])
    return np.sum(y)


def branch(x, n):
    for _ in range(n):
        if x > 1.0:
            x = 0.5 * x * x
        else:
            x = np.sin(x) + 1.0
    return x


def spread(n):
    return np.linspace(0.2, 1.0, n)


def matrix(n):
    i = np.arange(n)
    return np.exp(-0.5 * np.abs(i[:, None] - i)) + n * np.eye(n)


def updates(n):
    """Trips of the innermost loop of LU."""
    return sum((n - 1 - k) ** 2 for k in range(n))


def below(n):
    """Entries below the diagonal."""
    return n * (n - 1) // 2


def newton_trips(n):
    trips, x = 0, 2.0
    while abs(x * x - 2.0) > 10.0 ** (-n):
        x = x - (x * x - 2.0) / (2.0 * x)
        trips += 1
    return trips


CASES = {
    "`s = s + x * s + x`": (
        repeated_affine, lambda n: (0.3, 0.2, n), lambda n: n, 1,
        "the adjoint of `x` reads `s` of each trip",
    ),
    "a product, `p = p * v`": (
        product, lambda n: (spread(n),), lambda n: n, 1,
        "the adjoint of `v` reads the product before it (a quotient would be wrong at 0)",
    ),
    "a stencil in place": (
        stencil, lambda n: (spread(9), n), lambda n: 7 * n, 0, "it is linear",
    ),
    "Gauss-Seidel on a grid": (
        gauss_seidel_on_a_grid, lambda n: (np.outer(spread(6), spread(6)), n), lambda n: 16 * n, 0,
        "it is linear",
    ),
    "Gauss-Seidel with a matrix": (
        gauss_seidel, lambda n: (matrix(n), spread(n), spread(n)), lambda n: 3 * n, 1,
        "the adjoint of `A` reads `x` as it was; one number per store, none in the sum inside",
    ),
    "LU, `A[i, j] -= A[i, k] * A[k, j]`": (
        lu, lambda n: (matrix(n),), updates, 0, "what the adjoint reads is in `A` at the end",
    ),
    "LU by rows, with `@`": (
        lu_by_rows, lambda n: (matrix(n),), lambda n: n * n, 0, "the same",
    ),
    "Cholesky in place": (
        cholesky, lambda n: (matrix(n),), below, 0, "the same",
    ),
    "Cholesky by rows, with `@`": (
        cholesky_by_rows, lambda n: (matrix(n),), below, 0, "the same",
    ),
    "RK4 of a pendulum": (
        rk4, lambda n: (0.3, 0.1, 0.05, n), lambda n: n, 6,
        "the state, and each of the four sines: two would do if sines were computed again, which "
        "is taken to be dearer than a list",
    ),
    "`row = A[i]; row *= 2`, and its cubes": (
        doubled_rows, lambda n: (matrix(n),), lambda n: n * n, 0,
        "what is read is in `A` at the end",
    ),
    "Newton's method, a `while`": (
        newton, lambda n: (2.0, 10.0 ** (-n)), newton_trips, 1, "`x`; the step is computed again",
    ),
    "`y[t] = np.tanh(w * y[t - 1])`": (
        recurrence, lambda n: (0.7, spread(n)), lambda n: n - 1, 0, "they are kept in `y`",
    ),
    "a branch in a loop": (
        branch, lambda n: (0.3, n), lambda n: n, 1, "`x`; the test is repeated from it",
    ),
}  # fmt: skip
"""Function, arguments of a size, trips of that size, numbers saved per trip, and why not fewer."""


def derivative_of(function, args):
    numbers = tuple(k for k, a in enumerate(args) if isinstance(a, (float, np.ndarray)))
    derivative = grad(function, argnums=numbers[:1] if function is newton else numbers)
    derivative(*args)
    found = derivative._last
    return derivative, found.run.__code__, start_of_backward(found.text, found.ir.name)


def saved(function, args):
    """How many numbers the lists of the derivative hold when its backward sweep begins."""
    derivative, code, start = derivative_of(function, args)
    counts = []

    def on_line(frame, event, arg):
        if event == "line" and not counts and frame.f_lineno >= start:
            lists = [v for v in frame.f_locals.values() if isinstance(v, list)]
            counts.append(sum(np.size(item) for items in lists for item in items))
        return on_line

    def on_call(frame, event, arg):
        return on_line if frame.f_code is code else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        derivative(*args)
    finally:
        sys.settrace(before)
    return counts[0]


def per_trip(function, make, trips):
    small, large = 5, 11
    more = saved(function, make(large)) - saved(function, make(small))
    return more / (trips(large) - trips(small))


def table():
    """For the documentation."""
    rows = ["| loop | numbers saved per trip | why not fewer |", "| --- | --- | --- |"]
    for name, (function, make, trips, _, why) in CASES.items():
        rows.append(f"| {name} | {per_trip(function, make, trips):g} | {why} |")
    return "\n".join(rows)


cases = pytest.mark.parametrize("case", CASES.values(), ids=[c[0].__name__ for c in CASES.values()])


@cases
def test_numbers_saved_per_trip(case):
    function, make, trips, expected, _ = case
    assert per_trip(function, make, trips) == expected


@cases
def test_and_the_gradient_is_right(case):
    function, make, *_ = case
    args = make(5)
    derivative, *_ = derivative_of(function, args)
    along = random_direction(args, np.random.default_rng(0))
    if function is newton:
        along = (along[0], 0.0)
    slope = confirmed_slope(function, args, along)
    numbers = derivative.argnums
    found = sum(np.sum(g * along[k]) for g, k in zip(derivative(*args), numbers, strict=True))
    assert found == pytest.approx(np.ravel(slope.value)[0], rel=1e-6)


@pytest.mark.parametrize(
    "function", [lu, lu_by_rows, cholesky, cholesky_by_rows, gauss_seidel], ids=lambda f: f.__name__
)
def test_factorisations_keep_memory_of_the_size_of_the_matrix(function):
    """Twice the size: four times the memory, though eight times the work."""
    (make,) = (make for f, make, *_ in CASES.values() if f is function)
    kept, peaks = [], []
    for n in (10, 20):
        args = make(n)
        derivative, code, start = derivative_of(function, args)
        watch = Watch(code, start, args)
        watch.run(lambda derivative=derivative, args=args: derivative(*args))
        kept.append(watch.kept[0])
        peaks.append(peak_of(lambda derivative=derivative, args=args: derivative(*args)))
        assert kept[-1] <= 2 * 8 * n * n
        assert peaks[-1] <= 6 * 8 * n * n + 20_000
    assert kept[1] <= 4.1 * kept[0]
