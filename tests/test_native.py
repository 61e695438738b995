"""The native backend: loops that give what the NumPy backend gives.

With the JIT off the loops run as plain Python: that is how nearly all of it is tested, without
Numba and without its compile times.  A dozen programs are compiled.
"""

import math
import pickle
import warnings
from collections import Counter
from dataclasses import is_dataclass

import numpy as np
import pytest

import tests.programs  # noqa: F401
from adcompiler import (
    check_grads,
    cli,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from adcompiler.api import pipeline
from adcompiler.api.standalone import standalone
from adcompiler.backends.emit import emit
from adcompiler.backends.native import elements, jit
from adcompiler.backends.native.lower import lower
from adcompiler.errors import AdcompilerError, BackendWarning
from adcompiler.ir.interpret import interpret
from tests.differences import flat, fresh, leaves
from tests.fuzz.agreement import Comparison, FellBack
from tests.fuzz.generate import generate
from tests.programs.registry import PROGRAMS
from tests.test_programs import REFUSED

NOT_LOWERED = {
    "linear_algebra.least_squares": "`np.linalg.solve`",
    "linear_algebra.gaussian_log_likelihood": "`np.linalg.cholesky`",
    "branches.exception_that_does_not_occur": "`np.linalg.cholesky`",
    "linear_algebra.kalman_filter": "`np.linalg.inv`",
    "control.sorted_numbers": "`order_of`, of which the result is unknown",
    "control.sorted_downwards_by_a_key": "`order_of` of a list of what are no floats",
    "control.indices_sorted_by_values": "`order_of` of a list of what are no floats",
    "control.pairs_sorted_by_values": "`check_zip`",
    "control.largest_by_a_key": "`ValueError`, of which the result is unknown",
    "control.place_of_the_largest": "`ValueError`, of which the result is unknown",
    "control.largest_under_a_name": "a name that stands for different things",
    "control.dict_methods": "`at_least`",
    "control.looked_up_at_run_time": "`KeyError`, of which the result is unknown",
    "control.functions_made_in_a_loop": "`at_least`",
    "control.patterns": "a name that stands for different things",
    "loops.total_that_becomes_an_array": "a name that stands for different things",
    "recursion.power": "the recursive function `power_forward`",
    "recursion.sum_of_squares_by_halves":
        "the recursive function `sum_of_squares_by_halves_forward`",
    "recursion.haar_transform_in_place": "the recursive function `haar_forward`",
    "recursion.mutual_recursion": "the recursive function `even_part_forward`",
    "recursion.de_casteljau": "the recursive function `de_casteljau_forward`",
    "recursion.sum_over_a_tree": "the recursive function `walk_forward`",
    "recursion.recursion_in_a_loop": "the recursive function `nested_loop_and_call_forward`",
    "branches.loop_in_a_branch_that_is_not_taken": "arrays of complex128",
    "scalars.powers_by_pow": "`power_modulo`",
    "control.every_pair": "`unpack`",
    "lists.concatenated": "`np.concatenate` of a list of what are no floats",
    "lists.list_extended_and_reversed": "`inserted_place`",
    "nested.pullback_called_twice": "`check_same_shape`",
    "nested.newton_steps": "`np.linalg.solve`",
    "nested.gauss_newton": "`np.linalg.solve`",
    "nested.jacobian_of_a_matrix": "`np.reshape` with these arguments",
    "nested.physics_informed_loss": "`np.linspace`, of which the result is unknown",
    "nested.hamiltonian_dynamics": "`np.diff`",
    "views.diagonal_through_a_flat_view": "`np.reshape`",
    "views.butterflies": "a range with a step that is no constant",
    "views.blocks_of_a_matrix": "a store from memory that it may overlap",
    "views.reshaped_and_written": "`np.reshape`",
    "writes.mask_stores": "an index of truth values",
}  # fmt: skip
"""Programs that stay with the NumPy backend, and why: whoever lowers them takes them off."""

LISTS_NOT_LOWERED = {
    "a list that changes in the middle", "`slice_places`", "`inserted_place`", "`popped_place`",
    "`order_of` of a list of what are no floats", "`ValueError`, of which the result is unknown",
    "`check_enough`",
    "`mul`, of which the result is unknown", "an index that is no integer", "`others`",
    "`np.concatenate` of a list of what are no floats", "`np.stack` along another axis",
    "a name that stands for different things", "`np.linalg.det`",
}  # fmt: skip
"""What programs of lists do for which the NumPy backend stays in charge."""

COMPILED = (
    "branches.nested_early_returns", "linear_algebra.cholesky_in_place",
    "lists.list_appended_and_stacked", "loops.value_of_the_last_trip", "models.layer_norm",
    "simulations.bodies",
    "simulations.diffusion_in_two_dimensions", "while_loops.nested_whiles", "writes.gauss_seidel",
    "writes.repeated_indices",
)  # fmt: skip
"""Programs that are compiled to machine code."""

NO_TRIPS = {"loops.loop_without_trips"}
"""A loop that never runs leaves a number Python's that is NumPy's after a trip."""

CASES = [case for case in PROGRAMS if case.name not in REFUSED]


@pytest.fixture
def loops_as_python(monkeypatch):
    monkeypatch.setenv("ADCOMPILER_DISABLE_JIT", "1")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("native")


@pytest.fixture
def machine_code(monkeypatch, cache):
    """Compiled loops, in a cache of their own."""
    pytest.importorskip("numba")
    monkeypatch.delenv("ADCOMPILER_DISABLE_JIT", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    monkeypatch.setenv("ADCOMPILER_CACHE", str(cache))


def both(function, *args, argnums=None, transform=value_and_grad):
    """The answers of both backends for fresh arguments, and the derivative that runs as loops."""
    argnums = tuple(range(len(args))) if argnums is None else argnums
    expected = transform(function, argnums=argnums)(*fresh(args))
    derivative = transform(function, argnums=argnums, backend="numba")
    given = fresh(args)
    found = derivative(*given)
    assert np.array_equal(flat(given), flat(args), equal_nan=True), "an argument was changed"
    return expected, found, derivative


def assert_same(expected, found, exact_kinds=True):
    """Equal numbers, of the same classes, in arrays that own their memory."""
    if isinstance(expected, tuple):
        assert isinstance(found, tuple) and len(found) == len(expected)
        for a, b in zip(expected, found, strict=True):
            assert_same(a, b, exact_kinds)
        return
    if isinstance(expected, (list, dict)) or expected is None or is_dataclass(expected):
        assert type(found) is type(expected)
        for a, b in zip(leaves(expected), leaves(found), strict=True):
            assert a is b is None or assert_same(a, b, exact_kinds) is None
        return
    if exact_kinds:
        assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and found.shape == expected.shape
        assert not isinstance(found.base, np.ndarray) and found.flags.writeable
    scale = np.max(np.abs(np.asarray(expected, dtype=float)), initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * scale)


def runs_as_loops(derivative):
    found = derivative._last
    return found.loops is not None and found.loops.trouble is None


def assert_lowers(function, *args, argnums=None):
    """The function runs as loops, with equal results."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        expected, found, derivative = both(function, *args, argnums=argnums)
    assert_same(expected, found)
    assert runs_as_loops(derivative)
    return derivative.source()


# -- the programs --------------------------------------------------------------------------------


def argnums_of(case, args):
    if case.argnums is not None:
        return case.argnums
    return tuple(Comparison(case.function, args).argnums)


def program_answers(case, seed=0):
    args = case.arguments(np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = case.function(*fresh(args))
        numbers = argnums_of(case, args)
        if np.ndim(value) or isinstance(value, (tuple, list, dict)):
            answers = []
            for backend in ("numpy", "numba"):
                out, pull = vjp(case.function, *fresh(args), backend=backend)
                answers.append((out, pull(fresh(out))))
            return answers[0], answers[1], None
        return both(case.function, *args, argnums=numbers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_program_as_python_loops(case, loops_as_python, record_property):
    expected, found, derivative = program_answers(case)
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-10, atol=1e-13)
    if derivative is None:
        return
    unsupported = derivative._last.unsupported
    record_property("native", unsupported.what if unsupported else "loops")
    if case.name.startswith("complex_numbers.") and unsupported is not None:
        assert "complex" in unsupported.what
        return
    if case.name.startswith("growing_lists.") and unsupported is not None:
        assert unsupported.what in LISTS_NOT_LOWERED
        return
    if case.name.startswith(("numpy_functions.", "numpy_writes.")) and unsupported is not None:
        return  # most of what they call has no loop form: NumPy carries it out
    assert (unsupported and unsupported.what) == NOT_LOWERED.get(case.name)
    if unsupported is None:
        assert derivative._last.loops.trouble is None
        assert_same(expected, found, exact_kinds=case.name not in NO_TRIPS)


@pytest.mark.parametrize("name", COMPILED)
def test_program_as_machine_code(name, machine_code):
    (case,) = (case for case in PROGRAMS if case.name == name)
    expected, found, derivative = program_answers(case)
    assert_same(expected, found)
    assert runs_as_loops(derivative)
    # The same machine code for other numbers.
    args = case.arguments(np.random.default_rng(1))
    numbers = argnums_of(case, args)
    assert_same(value_and_grad(case.function, argnums=numbers)(*fresh(args)), derivative(*args))


def heat(u, rate, steps):
    for _ in range(steps):
        u[1:-1] += rate * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**2)


def oscillator(state, stiffness, steps):
    def slope(x):
        return np.array([x[1], -stiffness * x[0] - 0.1 * x[1] ** 3])

    h = 0.01
    for _ in range(steps):
        k1 = slope(state)
        k2 = slope(state + h / 2 * k1)
        k3 = slope(state + h / 2 * k2)
        k4 = slope(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state[0] ** 2 + state[1] ** 2


def leaves_after_work(x, rate):
    """The branch that leaves is passed by every run, and stands before the rest of the body."""
    y = x
    count = 0
    while True:
        if count >= 2:
            y = y * y + rate
            break
        for _ in range(3):
            y = np.sin(y) * rate + count
        count += 1
    return y


def returns_from_endless(x, rate):
    while True:
        x = x * rate
        if x > 10.0:
            x = x - 1.0
            return x * x
        x = x + rate


@pytest.mark.parametrize("way", ["loops_as_python", "machine_code"])
@pytest.mark.parametrize("function", [leaves_after_work, returns_from_endless])
def test_loops_that_stop_themselves(function, way, request):
    request.getfixturevalue(way)
    text = assert_lowers(function, 1.5, 1.25)
    assert "    while running:" in text and "    while True:" not in text


def lotka_volterra():
    from tests.test_examples import load_example

    example = load_example()
    record = np.loadtxt(example.RECORD, delimiter=",")[:, 1:]
    return example, np.log(example.first_guess(record)), record


@pytest.mark.parametrize("way", ["loops_as_python", "machine_code"])
def test_heat_in_place(way, request):
    request.getfixturevalue(way)
    u = np.random.default_rng(0).normal(size=20)
    text = assert_lowers(heat, u, 0.1, 7, argnums=(0, 1))
    assert "for i in range(largest):" in text


@pytest.mark.parametrize("way", ["loops_as_python", "machine_code"])
def test_runge_kutta(way, request):
    request.getfixturevalue(way)
    assert_lowers(oscillator, np.array([1.0, -0.5]), 2.0, 20, argnums=(0, 1))


@pytest.mark.parametrize("way", ["loops_as_python", "machine_code"])
def test_lotka_volterra(way, request):
    request.getfixturevalue(way)
    example, guess, record = lotka_volterra()
    assert_lowers(example.loss.primal, guess, record, argnums=(0,))


def test_lotka_volterra_is_fitted_alike(machine_code):
    optimize = pytest.importorskip("scipy.optimize")
    example, guess, record = lotka_volterra()
    fits = [
        optimize.minimize(
            example.loss.on_backend(backend), guess, args=(record,), jac=True, method="L-BFGS-B"
        )
        for backend in ("numpy", "numba")
    ]
    assert fits[1].success
    np.testing.assert_allclose(fits[1].x, fits[0].x, rtol=1e-6)


# -- what the loops look like --------------------------------------------------------------------


def chain(x, w):
    return np.mean(np.tanh(x * w) ** 2)


def test_a_chain_is_one_nest(loops_as_python):
    derivative = grad(lambda x: np.sum(np.exp(-x) * x), backend="numba")
    text = derivative.source(np.ones(3))
    assert text.count("np.empty") == 2 and "np.exp(-x" in text
    assert grad(chain, backend="numba").source(np.ones(3), np.ones(3)).count("np.zeros") == 0


def test_source_has_the_names_and_comments_of_the_user(loops_as_python):
    text = grad(heat, argnums=(0, 1), backend="numba").source(np.ones(5), 0.1, 2)
    assert "rate_bar" in text and "u_bar[i + 1]" in text
    assert "# u[1:-1] += rate * (u[2:] - 2 * u[1:-1] + u[:-2])" in text


def test_the_interpreter_runs_the_loops(loops_as_python):
    for function, args in ((heat, (np.ones(6), 0.1, 2)), (chain, (np.ones(3), np.ones(3)))):
        derivative = grad(function)
        found = derivative.specialise(args, {})
        loops = pipeline.packed(lower(found.ir).function)
        assert_same(derivative(*fresh(args)), interpret(loops, *fresh(args)))


def test_lowering_leaves_the_program_alone(loops_as_python):
    derivative = grad(heat)
    found = derivative.specialise((np.ones(6), 0.1, 2), {})
    before = emit(pipeline.packed(found.ir)).text
    lower(found.ir)
    assert emit(pipeline.packed(found.ir)).text == before


def test_the_text_is_the_same_every_time(loops_as_python):
    texts = {grad(heat, backend="numba").source(np.ones(5), 0.1, 2) for _ in range(3)}
    assert len(texts) == 1


def test_standalone_loops_need_numpy_alone(loops_as_python):
    derivative = grad(lambda x: np.sum(np.sqrt(x[1:] / x[0])), backend="numba")
    x = np.array([1.0, 2.0, 3.0])
    expected = derivative(x)
    found = derivative._last.emitted
    text = standalone(found.text, found.namespace)
    assert "adcompiler" not in text
    namespace = {}
    exec(text, namespace)
    np.testing.assert_allclose(namespace[found.name](x), expected)


# -- memory --------------------------------------------------------------------------------------


def overlapping(a):
    a[1:-1] = (a[:-2] + a[2:]) / 2
    a[1:] = a[:-1] * a[1:]
    a[::-1][:3] += a[:3]
    return np.sum(a * np.arange(len(a)))


def snapshots(a, b):
    row = a[0]
    left = a[:, 0] * 2
    a[0] = b
    a[:, 0] += left
    b = a[1]
    return np.sum(row * b) + np.sum(left)


def views(a):
    v = a[1:]
    w = v[::2]
    w[:] *= a[0]
    v[-1] = w[0] * a[-2]
    return np.sum(a * v[0])


def swapped(a, b):
    for _ in range(3):
        a, b = b, a
        a[0] += b[1]
    return np.sum(a) + 2 * np.sum(b)


def gathers(a):
    places = np.array([0, 2, 2, 1])
    b = a[places] ** 2
    a[places] += b
    return np.sum(a * a)


def rows_saved(a, steps):
    rows = []
    for _ in range(steps):
        a = np.sin(a) * 1.1
        rows.append(a)
    return np.sum(np.stack(rows) ** 2)


def products(A, x):
    y = A.T @ (A @ x)
    B = A @ A.T
    return y @ x + np.sum(np.tril(B) * np.outer(x, x)) + np.trace(B)


def reductions(A):
    weights = np.exp(A - A.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.sum(weights * A) + A.mean(axis=0) @ A[0] + np.var(A)


MEMORY = [
    (overlapping, (np.linspace(0.5, 2, 7),)),
    (snapshots, (np.arange(9.0).reshape(3, 3), np.ones(3))),
    (views, (np.linspace(0.5, 2, 6),)),
    (swapped, (np.ones(3), np.arange(3.0))),
    (gathers, (np.linspace(0.5, 2, 4),)),
    (products, (np.arange(9.0).reshape(3, 3) / 4, np.linspace(-1, 1, 3))),
    (reductions, (np.sin(np.arange(12.0)).reshape(4, 3),)),
]


@pytest.mark.parametrize("function, args", MEMORY, ids=lambda x: getattr(x, "__name__", ""))
def test_memory(function, args, loops_as_python):
    assert_lowers(function, *args)


def slices(x, k):
    total = 0.0
    total += np.sum(x[5:1:-2]) + 2 * np.sum(x[-3::-1]) + 3 * np.sum(x[:-1:2]) + np.sum(x[::-1])
    total += 5 * np.sum(x[k:]) + 7 * np.sum(x[:k] ** 2) + 11 * np.sum(np.sin(x[k:-1]))
    total += 13 * np.sum(x[k::2]) + 17 * np.sum(x[k::-1] * 2) + 19 * np.sum(x[:k:-2])
    y = x.copy()
    y[1:k] = y[k] if -len(x) <= k < len(x) else 0.5
    y[k:] += 1.5 * y[k:]
    y[::-2] *= x[::-2]
    return total + np.sum(y * y)


def test_slices_of_every_kind(loops_as_python):
    """Bounds behind either end, on arrays shorter than they say."""
    derivative = value_and_grad(slices, backend="numba")
    plain = value_and_grad(slices)
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        for n in (0, 1, 2, 3, 6, 7):
            x = np.linspace(0.5, 1.5, n)
            for k in range(-9, 10):
                assert_same(plain(x, k), derivative(x, k))


def test_arrays_in_lists(loops_as_python):
    assert_lowers(rows_saved, np.linspace(0, 1, 4), 3, argnums=(0,))


def test_arrays_that_are_not_contiguous(loops_as_python):
    base = np.arange(24.0).reshape(4, 6)
    assert_lowers(chain, base[::2, ::3], base.T[::3, ::2])
    assert_lowers(products, np.asfortranarray(base[:3, :3] / 9), base[0, ::2])


def test_results_share_no_memory(loops_as_python):
    x = np.ones(3)
    a, b = grad(lambda x, y: np.sum(x + y), argnums=(0, 1), backend="numba")(x, x)
    assert not np.shares_memory(a, b)
    (out,) = vjp(lambda x: x, x, backend="numba")[1](x)
    assert not np.shares_memory(out, x)


TABLE = np.array([1.0, 2.0, 3.0])


def test_a_global_array_is_read_when_the_loops_run(machine_code):
    derivative = grad(lambda x: np.sum(TABLE * x), backend="numba")
    np.testing.assert_array_equal(derivative(np.ones(3)), TABLE)
    TABLE[0] = 5.0
    try:
        np.testing.assert_array_equal(derivative(np.ones(3)), [5.0, 2.0, 3.0])
    finally:
        TABLE[0] = 1.0


# -- numbers: what loops cannot do goes to the NumPy backend ---------------------------------------


def assert_alike(function, *args, argnums=0):
    """The loops give, or raise, what the NumPy backend does."""
    outcomes = []
    for backend in ("numpy", "numba"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                derivative = value_and_grad(function, argnums=argnums, backend=backend)
                outcomes.append(derivative(*fresh(args)))
            except Exception as error:
                outcomes.append((type(error), str(error)))
    expected, found = outcomes
    if isinstance(expected[0], type):
        assert found == expected
    else:
        np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-12)


def quotient_of_numbers(x, y):
    return x / y


def integer_growth(x, n):
    total = 1
    for k in range(1, n):
        total = total * k
    return x * float(total)


def doubled(x, n):
    k = 1
    for _ in range(n):
        k = k + k
    return x * (k % 7)


def element(x, k):
    return x[k] * x[0]


def last_bound(x, n):
    for k in range(n):
        y = x * k
    return y


def sliced(x, y):
    return np.sum(x[:1] * y[1:])


EDGES = [
    (quotient_of_numbers, (1.0, 0.0)),
    (lambda x: np.sum(1.0 / x), (np.array([0.0, 1.0]),)),
    (lambda x: np.sum(np.log(x) + np.sqrt(x)), (np.array([0.0, 1.0, 4.0]),)),
    (lambda x: math.log(x), (0.0,)),
    (lambda x: math.exp(x), (1000.0,)),
    (lambda x: x**0.5, (-1.0,)),
    (lambda x: x**-1, (0.0,)),
    (lambda x: 10.0**x, (400.0,)),
    (integer_growth, (2.0, 30)),
    (integer_growth, (2.0, 10)),
    (doubled, (2.0, 80)),
    (doubled, (2.0, 5)),
    (element, (np.ones(3), 5)),
    (element, (np.ones(3), -3)),
    (element, (np.ones(3), -4)),
    (last_bound, (2.0, 0)),
    (last_bound, (2.0, 2)),
    (sliced, (np.ones(3), np.ones(2))),
    (sliced, (np.ones(3), np.ones(4))),
    (lambda x: np.max(x), (np.array([1.0, np.nan, 2.0]),)),
    (lambda x: np.sum(np.maximum(x, 0.0)), (np.array([1.0, np.nan, -2.0, 0.0]),)),
    (lambda x: x[0] * (-7 // 2) + x[1] * (-7 % 3), (np.ones(2),)),
    (lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)), (np.array([4.0, 0.0, -1.0]),)),
]


@pytest.mark.parametrize("number", range(len(EDGES)))
def test_edges(number, loops_as_python):
    function, args = EDGES[number]
    assert_alike(function, *args)


@pytest.mark.parametrize("number", [0, 2, 3, 8, 10, 12, 13, 15])
def test_edges_of_machine_code(number, machine_code):
    function, args = EDGES[number]
    assert_alike(function, *args)


def test_large_integers_are_turned_away(loops_as_python):
    assert_alike(lambda x, n: x * (n % 1000), 2.0, 10**30 + 7)


def test_a_call_without_loops_is_answered_with_one_warning(loops_as_python):
    derivative = grad(sliced, backend="numba")
    x, y = np.ones(3), np.ones(4)
    with pytest.warns(BackendWarning, match="do not apply: ValueError .lengths differ"):
        found = derivative(x, y)
    np.testing.assert_array_equal(found, grad(sliced)(x, y))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        derivative(x, y)
    assert "such" not in derivative.source() and "do not apply" in derivative.explain()


# -- falling back by name --------------------------------------------------------------------------


def solved(A, b):
    x = np.linalg.solve(A, b)
    return np.sum(x**2)


def test_what_has_no_loops_is_named_once(loops_as_python):
    derivative = grad(solved, argnums=(0, 1), backend="numba")
    args = np.eye(2) * 2, np.ones(2)
    with pytest.warns(BackendWarning) as caught:
        found = derivative(*args)
    assert_same(grad(solved, argnums=(0, 1))(*args), found)
    (warning,) = caught
    line = solved.__code__.co_firstlineno + 1
    assert f"`np.linalg.solve` in {__file__}:{line} has no loop lowering" in str(warning.message)
    assert "solved_grad runs on the NumPy backend" in str(warning.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        derivative(*args)
    assert "runs on the NumPy backend: `np.linalg.solve`" in derivative.explain(*args)
    assert derivative.source(*args).startswith("# On the NumPy backend: `np.linalg.solve`")


def test_what_numba_cannot_compile_runs_on_numpy(machine_code, monkeypatch):
    import numba

    def refuse(*args, **keywords):
        def call(*args):
            raise numba.core.errors.TypingError("no such type")

        return lambda function: call

    monkeypatch.setattr(numba, "njit", refuse)
    derivative = grad(chain, backend="numba")
    with pytest.warns(BackendWarning, match="Numba cannot compile its loops: TypingError"):
        found = derivative(np.ones(3), np.ones(3))
    assert_same(grad(chain)(np.ones(3), np.ones(3)), found)
    assert "runs on the NumPy backend: Numba cannot compile" in derivative.explain()


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_dtypes_without_loops(dtype, loops_as_python):
    x = np.ones(3, dtype)
    function = (lambda x: np.sum(x * x)) if dtype == "float32" else (lambda x, y: np.sum(y))
    args = (x,) if dtype == "float32" else (x, np.ones(2))
    number = len(args) - 1
    with pytest.warns(BackendWarning, match=dtype):
        found = grad(function, argnums=number, backend="numba")(*args)
    assert_same(grad(function, argnums=number)(*args), found)


# -- the transforms --------------------------------------------------------------------------------


def energy(x, y):
    return np.sum(np.sin(x) * x) * y + x[0] * x[1] ** 2


def vector(x):
    return np.exp(x) * x[0]


def energy_of_one(x):
    return energy(x, 0.5)


def of_a_dict(p):
    return np.sum(p["a"] * p["b"][0])


def test_transforms(loops_as_python):
    x, y = np.array([0.3, -0.5, 1.2]), 0.7
    v = np.array([1.0, 2.0, -1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        answers = [
            (
                value_and_grad(energy, argnums=(0, 1), backend=backend)(x, y),
                jvp(energy, (x, y), (v, 1.0), backend=backend),
                vjp(vector, x, backend=backend)[1](v),
                jacobian(vector, backend=backend)(x),
                hessian(energy, backend=backend)(x, y),
                hvp(energy_of_one, (x,), (v,), backend=backend),
                grad(energy, argnames="y", backend=backend)(x, y),
                grad(of_a_dict, backend=backend)({"a": x, "b": [2.0]}),
            )
            for backend in ("numpy", "numba")
        ]
    np.testing.assert_allclose(flat(answers[1]), flat(answers[0]), rtol=1e-12)
    check_grads(energy, (x, y), order=2, backend="numba")


@pytest.mark.parametrize("transform", [grad, value_and_grad])
def test_an_unknown_backend(transform):
    with pytest.raises(ValueError, match="unknown backend 'abacus': there are 'numpy' and 'numba'"):
        transform(energy, backend="abacus")


def test_numba_is_missing(monkeypatch):
    monkeypatch.delenv("ADCOMPILER_DISABLE_JIT", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    monkeypatch.setattr(jit.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install adcompiler\[numba\]"):
        grad(energy, backend="numba")


def test_on_backend_and_pickled(loops_as_python):
    derivative = grad(energy, argnums=1).on_backend("numba")
    assert derivative.backend == "numba"
    again = pickle.loads(pickle.dumps(derivative))
    x = np.array([0.3, -0.5, 1.2])
    assert again.backend == "numba" and again(x, 0.7) == grad(energy, argnums=1)(x, 0.7)


# -- the command -----------------------------------------------------------------------------------

MODEL = """
import numpy as np
from adcompiler import grad

def loss(x, scale):
    return np.sum(np.tanh(x * scale) ** 2)

@grad(argnums=1)
def decorated(x, scale):
    return np.sum(x * scale ** 2)
"""
LOSS_ARGS = ("--args", "np.linspace(0.1, 1, 4), 0.7")


@pytest.mark.parametrize(
    "command, wanted",
    [
        (("show", "loss"), "for i in range(n):"),
        (("show", "loss", "--explain"), "runs as loops"),
        (("show", "decorated"), "with respect to scale"),
        (("check", "loss"), "fwd   2      agrees with differences"),
        (("emit", "loss", "--standalone"), "np.tanh(x[i] * scale)"),
    ],
    ids=" ".join,
)
def test_command(command, wanted, loops_as_python, tmp_path, capsys):
    path = tmp_path / "native_model.py"
    path.write_text(MODEL)
    action, name, *rest = command
    status = cli.main([action, f"{path}:{name}", "--backend", "numba", *LOSS_ARGS, *rest])
    text = capsys.readouterr().out
    assert status == 0 and wanted in text
    if action == "show" and not rest:
        assert "for i in range(n):" in text


# -- files -----------------------------------------------------------------------------------------


def test_the_file_in_the_cache(machine_code, monkeypatch, tmp_path):
    monkeypatch.setenv("ADCOMPILER_CACHE", str(tmp_path / "new"))
    derivative = grad(chain, backend="numba")
    derivative(np.ones(3), np.ones(3))
    (path,) = (tmp_path / "new").glob("chain_grad_*.py")
    assert path.read_text() == derivative.source()
    assert list((tmp_path / "new").rglob("*.nbi"))
    grad(chain, backend="numba")(np.ones(3), np.ones(3))
    assert len(list((tmp_path / "new").glob("*.py"))) == 1


def test_a_cache_that_cannot_be_written(machine_code, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    for folder in (str(blocked / "below"), ""):
        monkeypatch.setenv("ADCOMPILER_CACHE", folder)
        assert jit.write_file("pass\n", "f") is None
    found = grad(chain, backend="numba")(np.ones(3), np.ones(3))
    assert_same(grad(chain)(np.ones(3), np.ones(3)), found)


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("ADCOMPILER_CACHE", str(tmp_path))
    assert jit.cache_folder() == tmp_path
    monkeypatch.setenv("ADCOMPILER_CACHE", "")
    assert jit.cache_folder() is None
    monkeypatch.delenv("ADCOMPILER_CACHE")
    monkeypatch.setattr(jit.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jit.cache_folder() == tmp_path / "adcompiler"


# -- the functions that loops call -----------------------------------------------------------------

NUMBERS = (0.0, -0.0, 1.0, -2.5, 1e300, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("fn", ["pole_product", "pole_quotient", "ratio", "step", "exp_difference"])
def test_elements_are_those_of_the_runtime(fn):
    from adcompiler import runtime

    for x in map(np.float64, NUMBERS):
        for y in map(np.float64, NUMBERS):
            with np.errstate(all="ignore"):
                expected = np.asarray(getattr(runtime, fn)(np.array([x]), np.array([y])))[0]
                found = getattr(elements, fn)(x, y)
            np.testing.assert_array_equal(found, expected, f"{fn}({x}, {y})")


def test_places_and_bounds():
    for n in range(5):
        for k in range(-7, 8):
            assert elements.clipped(k, n) == slice(k, None).indices(n)[0]
            assert elements.clipped_down(k, n) == slice(k, None, -1).indices(n)[0]
            for step in (-3, -1, 1, 2):
                assert elements.trips(k, n, step) == len(range(k, n, step))
            if -n <= k < n:
                assert elements.place(k, n) == k % n
            else:
                pytest.raises(IndexError, elements.place, k, n)


def test_exact_integers():
    large = 1 << 61
    assert elements.exact_sum(3, -5) == -2 and elements.exact_power(3, 5) == 243
    for fn, args in (
        (elements.exact_sum, (large, large)),
        (elements.exact_difference, (-large, large)),
        (elements.exact_product, (large, 3)),
        (elements.exact_power, (10, 20)),
        (elements.exact_power, (10, -1)),
        (elements.whole, (1e19,)),
        (elements.whole, (math.nan,)),
    ):
        pytest.raises(OverflowError, fn, *args)


# -- random programs -------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["scalar", "control", "alias", "all"])
def test_random_programs(profile, loops_as_python, record_property):
    kinds = Counter()
    for seed in range(7000, 7012):
        program = generate(seed, profile)
        try:
            comparison = Comparison(program.load(), program.arguments(0), program.argnums)
            assert comparison.native() == "", program.source
            kinds["loops"] += 1
        except FellBack:
            kinds["NumPy"] += 1
        except AdcompilerError:
            kinds["refused"] += 1
    record_property("native kinds", dict(kinds))
    assert kinds["loops"]


def clipped_entries(a):
    total = 0.0
    for i in range(len(a)):
        total += max(a[i], 3) * a[i] + min(2, a[i])
    return total


def test_max_with_a_whole_number():
    a = np.array([5.3, 2.2, -1.7])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(grad(clipped_entries, backend="numba")(a), [10.6, 3.0, 4.0])
