"""The gradients by hand in `benchmarks/by_hand` are right, for they are what others are held to."""

import ast
import copy
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.by_hand import FUNCTIONS, rivals
from benchmarks.by_hand.run import agree, count_nodes, emitted_nodes, hand_nodes, leaves

each_function = pytest.mark.parametrize("module", FUNCTIONS.values(), ids=list(FUNCTIONS))


def differences(module, args):
    """Return the gradient of `module.primal` by central differences, entry by entry."""
    numbers = module.argnums if isinstance(module.argnums, tuple) else (module.argnums,)

    def shifted(number, place, step):
        moved = [np.array(a) if isinstance(a, np.ndarray) else a for a in args]
        if isinstance(moved[number], np.ndarray):
            moved[number][place] += step
        else:
            moved[number] += step
        return module.primal(*moved)

    def entry(number, place):
        step = 1e-4 * max(1.0, abs(np.asarray(args[number])[place]))
        near = shifted(number, place, step) - shifted(number, place, -step)
        far = shifted(number, place, 2 * step) - shifted(number, place, -2 * step)
        return (8 * near - far) / (12 * step)

    gradients = []
    for number in numbers:
        gradient = np.empty(np.shape(args[number]))
        for place in np.ndindex(gradient.shape):
            gradient[place] = entry(number, place)
        gradients.append(gradient)
    return gradients


@each_function
def test_gradient_agrees_with_differences(module):
    args = module.inputs(module.small)
    by_hand = leaves(module.gradient(*args))
    by_differences = differences(module, args)
    assert len(by_hand) == len(by_differences)
    for ours, theirs in zip(by_hand, by_differences, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9 * (1 + abs(theirs).max()))


@each_function
def test_gradient_has_the_form_of_argnums_and_of_the_arguments(module):
    args = module.inputs(module.small)
    gradient = module.gradient(*args)
    if isinstance(module.argnums, tuple):
        assert isinstance(gradient, tuple)
        assert [np.shape(g) for g in gradient] == [np.shape(args[n]) for n in module.argnums]
    else:
        assert not isinstance(gradient, tuple)
        assert np.shape(gradient) == np.shape(args[module.argnums])


@each_function
def test_gradient_leaves_its_arguments_alone(module):
    args = module.inputs(module.small)
    before = copy.deepcopy(args)
    module.gradient(*args)
    for argument, kept in zip(args, before, strict=True):
        np.testing.assert_array_equal(argument, kept)


@each_function
def test_autograd_agrees(module):
    pytest.importorskip("autograd")
    args = module.inputs(module.small)
    assert agree(rivals.autograd_gradient(module)(*args), module.gradient(*args))


@each_function
def test_jax_agrees(module):
    pytest.importorskip("jax")
    args = module.inputs(module.small)
    gradient = rivals.jax_gradient(module)(*rivals.jax_inputs(args))
    assert agree(gradient, module.gradient(*args))


@each_function
def test_emitted_gradient_agrees(module):
    try:
        from adcompiler import grad
    except ImportError as error:
        pytest.skip(str(error))
    args = module.inputs(module.small)
    derivative = grad(module.primal, argnums=module.argnums)
    assert agree(derivative(*args), module.gradient(*args))


def test_logistic_is_stable_for_large_margins():
    logistic = FUNCTIONS["logistic"]
    x = np.array([[1e4], [-1e4], [30.0]])
    w, y = np.array([1.0]), np.ones(3)
    with np.errstate(all="raise", under="ignore"):
        gradient = logistic.gradient(w, x, y, 0.0)
    np.testing.assert_allclose(gradient, (1e4 - 30 * np.exp(-30)) / 3, rtol=1e-13)


def test_agree_tells_apart():
    one, two = np.array([1.0, 2.0]), np.array([3.0])
    assert agree((one, (two,)), [one, two])
    assert not agree((one, two), (one, two + 1e-6))
    assert not agree((one,), (one, two))
    assert not agree(two, one)


def test_docstrings_and_comments_are_not_counted():
    bare = ast.parse("def f(x):\n    return x").body[0]
    told = ast.parse('def f(x):\n    """Say."""\n    # Why.\n    return x').body[0]
    assert count_nodes(bare) == count_nodes(told) == 3  # Return, Name, Load


def test_helpers_are_counted_unless_they_are_the_primals():
    assert emitted_nodes("import numpy\ndef f(x):\n    return x\ndef g(x):\n    return x") == 6
    rk4 = FUNCTIONS["RK4"]
    functions = {
        n.name: n
        for n in ast.parse(Path(rk4.__file__).read_text()).body
        if isinstance(n, ast.FunctionDef)
    }
    assert hand_nodes(rk4) == sum(count_nodes(functions[n]) for n in ("gradient", "slope_backward"))
