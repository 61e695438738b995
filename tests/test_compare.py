"""`compare`: what it measures is what happens, and what it cannot measure it says."""

import json
import math
import subprocess
import sys
from collections import deque
from unittest import mock

import numpy as np
import pytest

import adcompiler
from adcompiler import compare, grad, tape
from adcompiler.api import measuring

QUICK = {"seconds": 0.01}


def formula(x, y):
    return np.sum(np.sin(x) * y)


def recurrence(x, n):
    y = x
    for _ in range(n):
        y = y + 0.1 * np.sin(y)
    return y


def network(weights, x, y):
    hidden = np.tanh(x @ weights[0])
    return np.mean((hidden @ weights[1] - y) ** 2)


def in_place(x, n):
    for k in range(1, n):
        x[k] = x[k - 1] * x[k]
    return np.sum(x)


def with_math(x):
    return math.sin(x) * x


def recent(x):
    terms = deque([2.0 - x, x], maxlen=1)
    return terms[0] * x


def two_results(x):
    return x, x


def logarithm(x):
    if x < 0:
        raise ValueError("a logarithm of a negative number")
    return np.log(x)


def network_arguments():
    rng = np.random.default_rng(0)
    shapes = ((3, 4), (4, 2), (5, 3), (5, 2))
    first, second, x, y = (rng.standard_normal(shape) for shape in shapes)
    return [first, second], x, y


CASES = {
    "formula": (formula, (np.linspace(0.1, 1, 5), np.ones(5))),
    "recurrence": (recurrence, (1.0, 20)),
    "network": (network, network_arguments()),
    "in place": (in_place, (np.linspace(0.5, 1.5, 6), 6)),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_both_engines_agree(case):
    function, args = case
    found = compare(function, *args, **QUICK)
    assert found.agrees is True
    assert found.value_difference <= 1e-14 and found.gradient_difference <= 1e-13
    assert "The engines agree" in str(found)
    expected = grad(function)(*args)
    assert measuring.difference(found.compiled.gradient, expected) == 0
    assert measuring.difference(found.tape.gradient, expected) < 1e-13


def test_arguments_stay_as_they_are():
    x = np.linspace(0.5, 1.5, 6)
    compare(in_place, x, 6, **QUICK)
    np.testing.assert_array_equal(x, np.linspace(0.5, 1.5, 6))


def test_it_says_how_many_operations_there_are():
    found = compare(recurrence, 1.0, 20, **QUICK)
    assert found.tape.operations == 20 * 3
    # Five statements stand outside of the loops and two in each, beside `for` and `return`.
    text = adcompiler.value_and_grad(recurrence).source(1.0, 20)
    lines = [line for line in text.partition('"""\n')[2].splitlines() if line.strip()]
    code = [line for line in lines if not line.lstrip().startswith("#")]
    assert found.compiled.statements == len(code)
    inside = sum(line.startswith(" " * 8) for line in code)
    # A `for` is a line that is run once more than its body.
    assert found.compiled.lines == 20 * inside + 2 * 21 + len(code) - inside - 2


def test_what_is_kept_grows_with_the_trips():
    small, large = (compare(recurrence, 1.0, n, **QUICK) for n in (100, 1100))
    # Each trip saves one number, whichever engine it is.
    assert large.compiled.kept - small.compiled.kept == 1000 * 8
    assert large.tape.kept - small.tape.kept == 1000 * 8
    assert large.compiled.peak - small.compiled.peak > 1000 * 8
    assert large.tape.peak > large.compiled.peak


def test_what_is_kept_of_arrays():
    (first, second), x, y = network_arguments()
    found = compare(network, [first, second], x, y, **QUICK)
    hidden, residual = 5 * 4 * 8, 5 * 2 * 8
    # What belongs to the caller (`x` and the weights) is not counted.
    assert found.tape.kept == hidden + residual
    assert found.compiled.kept - (hidden + residual) in (0, 8)  # the result is a number


def test_a_buffer_counts_once_and_not_for_the_caller():
    a, b = np.zeros(100), np.zeros(10)
    assert measuring.held_by([a[:50], a[50:], a.reshape(10, 10).T], ()) == (800, 1)
    assert measuring.held_by([a, {"b": (b, b)}], (a[3:],)) == (80, 1)
    assert measuring.held_by([1.5, np.float32(2), 3, True, None, "text"], ()) == (12, 2)
    loop = [b]
    loop.append(loop)
    assert measuring.held_by(loop, ()) == (80, 1)


def test_times_are_positive_and_in_order():
    found = compare(recurrence, 1.0, 200, **QUICK)
    assert found.primal > 0
    assert 0 < found.compiled.call < found.tape.call
    assert 0 < found.tape.recording <= found.tape.call
    assert found.compiled.preparation > 0
    assert found.tape.preparation is None and found.compiled.recording is None
    paid = found.calls_to_pay
    assert paid * (found.tape.call - found.compiled.call) >= found.compiled.preparation


def test_the_tape_refuses():
    found = compare(with_math, 1.0, **QUICK)
    assert found.agrees is None and found.calls_to_pay is None
    assert found.compiled.refusal is None and found.compiled.call > 0
    assert "`math.sin`" in found.tape.refusal
    assert found.tape.call is None
    text = str(found)
    assert "refused" in text and "The tape refuses:" in text and "write `np.sin`" in text


def test_the_compiler_refuses():
    found = compare(recent, 3.0, **QUICK)
    assert "deque" in found.compiled.refusal
    assert found.tape.refusal is None and found.tape.gradient == 6.0
    assert "The compiler refuses:" in str(found)


def test_both_refuse():
    found = compare(two_results, 3.0, **QUICK)
    assert found.compiled.refusal and found.tape.refusal
    assert "one call" not in str(found)


def test_what_the_function_raises_is_nobodys_refusal():
    with pytest.raises(ValueError, match="negative number"):
        compare(logarithm, -1.0, **QUICK)
    with pytest.raises(TypeError):
        compare(formula, np.ones(3), **QUICK)


def test_disagreement_is_seen():
    def wrong(fun, argnums):
        right = real(fun, argnums=argnums)

        def derivative(*args):
            value, gradient = right(*args)
            return value, gradient * (1 + 1e-5)

        return derivative

    real = tape.value_and_grad
    with mock.patch.object(tape, "value_and_grad", wrong):
        found = compare(formula, np.ones(3), np.ones(3), **QUICK)
    assert found.agrees is False
    assert found.gradient_difference == pytest.approx(1e-5, rel=1e-3)
    assert "The engines DIFFER" in str(found)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.0, 0.0),
        (0.0, 0.0, 0.0),
        (1.0, 2.0, 0.5),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), 0.0),
        (np.array([1.0, np.inf]), np.array([1.0, -np.inf]), math.inf),
        (np.zeros(2), np.zeros(3), math.inf),
        ([1.0, None], [1.0, None], 0.0),
        (np.zeros((0, 2)), np.zeros((0, 2)), 0.0),
        (np.array([1e-12, 1.0]), np.array([0.0, 1.0]), 1e-12),
    ],
)
def test_relative_difference(a, b, expected):
    assert measuring.difference(a, b) == pytest.approx(expected)


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def loss(self, x):
        return np.sum(x * x) * self.factor


def chosen(x, name, options):
    return np.sum(np.sin(x)) * options["factor"] if name == "sin" else np.sum(x)


def grown(xs, x):
    xs.append(x * x)
    return xs[0] * xs[-1]


def test_methods_and_other_arguments():
    found = compare(Scaled(2.0).loss, np.ones(3), **QUICK)
    assert found.agrees and found.compiled.gradient.tolist() == [4, 4, 4]
    found = compare(chosen, np.ones(3), "sin", {"factor": 2.0, "unused": None}, **QUICK)
    assert found.agrees and found.arguments == "float64[3], 'sin', {'factor': 2, 'unused': None}"
    xs = [1.0]
    found = compare(grown, xs, 3.0, argnums=1, **QUICK)
    assert found.agrees and found.tape.gradient == 6.0
    assert xs == [1.0]


def test_several_arguments_and_decorated_functions():
    found = compare(grad(formula), np.ones(3), np.ones(3), argnums=(0, 1), **QUICK)
    assert len(found.tape.gradient) == len(found.compiled.gradient) == 2
    assert found.agrees


def test_single_precision_is_given_its_rounding():
    x = np.linspace(0, 1, 50, dtype=np.float32)
    found = compare(formula, x, x[::-1].copy(), **QUICK)
    assert found.agrees and found.tolerance > 1e-5


def test_as_dict_is_plain():
    found = compare(formula, np.ones(3), np.ones(3), **QUICK)
    given = json.loads(json.dumps(found.as_dict()))
    assert given["function"] == "formula" and given["arguments"] == "float64[3], float64[3]"
    assert given["agrees"] is True
    assert given["compiled"]["lines"] > 0 and given["tape"]["operations"] == 3


def test_native_code():
    pytest.importorskip("numba")
    found = compare(recurrence, 1.0, 20, backend="numba", **QUICK)
    assert found.agrees and "compiled (numba)" in str(found)
    assert found.compiled.kept is None and found.compiled.lines is None
    assert "machine code" in str(found)
    with pytest.raises(ValueError, match="unknown backend"):
        compare(recurrence, 1.0, 20, backend="fortran", **QUICK)


def test_a_tracer_that_is_there_stays():
    seen = []

    def tracer(frame, event, arg):
        seen.append(event)

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        compare(formula, np.ones(3), np.ones(3), **QUICK)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_plot():
    pytest.importorskip("matplotlib")
    figure = compare(recurrence, 1.0, 20, **QUICK).plot()
    time, memory = figure.axes
    assert time.get_xlabel() == "seconds" and memory.get_xlabel() == "bytes"
    assert "recurrence" in figure.get_suptitle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["compiled", "tape"]
    compare(with_math, 1.0, **QUICK).plot()
    compare(two_results, 1.0, **QUICK).plot()


def test_plot_without_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None\n"
        "from tests.test_compare import compare, formula, np\n"
        "found = compare(formula, np.ones(3), np.ones(3), seconds=0.01)\n"
        "found.plot()"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = finished.stderr.strip().splitlines()[-1]
    assert last == (
        "ModuleNotFoundError: a chart needs matplotlib, which is not installed: "
        "pip install adcompiler[plots]"
    )


def programs_of_the_benchmark():
    from benchmarks.engines import PROGRAMS

    return PROGRAMS


@pytest.mark.parametrize("title", programs_of_the_benchmark())
def test_programs_of_the_benchmark(title, monkeypatch):
    """What benchmarks/engines.py compares with is right, and both engines agree with it."""
    program = programs_of_the_benchmark()[title]
    for name in ("size", "steps", "batch", "inputs", "hidden", "outputs"):
        if hasattr(program, name):
            monkeypatch.setattr(program, name, 7)
    args = program.arguments()
    value, *gradient = program.by_hand(*args)
    for engine in (adcompiler, tape):
        found = engine.value_and_grad(program.primal, argnums=program.argnums)(*args)
        assert found[0] == pytest.approx(value, rel=1e-12)
        assert measuring.difference(found[1], tuple(gradient)) < 1e-12
    adcompiler.check_grads(program.primal, args, order=1, modes=("rev",), engine="both")


def test_check_grads_of_both_engines():
    args = (np.linspace(0.1, 1, 4), np.ones(4))
    for engine in ("compiled", "tape", "both"):
        adcompiler.check_grads(formula, args, engine=engine)
    adcompiler.check_grads(with_math, (0.5,))
    with pytest.raises(adcompiler.AdcompilerError, match="math.sin"):
        adcompiler.check_grads(with_math, (0.5,), engine="both")
    with pytest.raises(ValueError, match="engine 'steam'"):
        adcompiler.check_grads(formula, args, engine="steam")
    with pytest.raises(ValueError, match="reverse mode only"):
        adcompiler.check_grads(formula, args, modes=("fwd",), engine="tape")
