"""Every program of `tests/programs` on the tape: the same gradients as the compiler, or a refusal.

A tape cannot see what `math` computes from a plain number or what is stored into a plain array.
Programs that do this are listed here by reason; a program that is neither followed nor refused with
its line fails, and so does one that is refused for another reason.
"""

import dataclasses
import warnings

import numpy as np
import pytest

import tests.programs  # noqa: F401
from adcompiler import tape, vjp
from adcompiler.errors import AdcompilerError, DifferentiationError
from tests.differences import (
    confirmed_slope,
    flat,
    fresh,
    inner,
    is_differentiable,
    leaves,
    map_leaves,
    random_direction,
    slope,
    still,
)
from tests.fuzz.generate import generate
from tests.fuzz.profiles import PROFILES
from tests.programs.registry import PROGRAMS

REFUSED = {
    "math": (
        "branches.cases", "branches.branches_on_integers", "calls.global_constant",
        "calls.function_as_an_argument", "calls.quadrature_of_a_closure",
        "control.of_different_lengths",
        "linear_algebra.cholesky_into_a_factor", "lists.list_of_numbers", "loops.backward_loop",
        "loops.nested_loops_with_carried_values", "loops.two_loops_in_a_row",
        "loops.value_of_the_last_trip", "scalars.sigmoid", "scalars.haversine",
        "scalars.black_scholes_call", "scalars.result_with_unused_parts",
        "scalars.value_that_does_not_depend_on_one", "simulations.pendulum_by_leapfrog",
        "simulations.forward_algorithm", "while_loops.fixed_point_with_break",
        "while_loops.halved_until_small", "while_loops.nested_whiles",
        "writes.element_read_and_overwritten",
    ),
    "plain array": (
        "calls.closure_that_writes", "linear_algebra.triangular_solves",
        "linear_algebra.conjugate_gradients", "linear_algebra.product_by_loops",
        "models.convolution_by_slices", "models.convolution_by_patches",
        "simulations.wave_with_three_levels", "writes.gauss_seidel",
        "writes.histogram_of_weights", "writes.results_into_out", "writes.table_of_a_recurrence",
        "writes.filled_and_copied", "complex_numbers.fields_written_in_place",
        "complex_numbers.writes_through_a_reshaped_view",
        "objects.arrays_in_fields_written_in_place", "numpy_writes.results_into_places",
        "numpy_writes.sums_into_places", "numpy_functions.joined_by_brackets",
        "growing_lists.arrays_written", "growing_lists.arrays_stack",
        "growing_lists.arrays_in_rows", "growing_lists.arrays_changed_later",
        "growing_lists.int_array_dtype",
    ),
    "list": ("numpy_functions.lists_as_arrays",),
    "iterator": ("numpy_functions.indices_in_turn",),
    "flat": ("numpy_functions.flat_items",),
    "vectorize": ("numpy_functions.functions_of_items_and_rows",),
    "derivative": tuple(case.name for case in PROGRAMS if case.name.startswith("nested.")),
    "complex": ("complex_numbers.numbers_of_cmath",),
    "part": ("complex_numbers.writes_through_real_parts",),
    "np.array": (
        "lists.comprehensions", "lists.concatenated", "lists.stacked_in_each_trip",
        "models.recurrent_network",
        "simulations.lorenz_by_rk4",
        "growing_lists.window", "growing_lists.listcomp_of_grown", "growing_lists.matmul_lists_n",
        "growing_lists.append_rows_2d", "growing_lists.rows_np", "growing_lists.pts_np",
    ),
}  # fmt: skip
"""Programs that a tape cannot follow, by what they do."""

SAYS = {
    "math": "`math.",
    "complex": "`complex` of",
    "part": "a part of a complex array",
    "plain array": "plain array",
    "list": "`np.sum` of a value",
    "iterator": "`np.ndenumerate` of a value",
    "flat": "`.flat` of a value",
    "vectorize": "`np.vectorize(",
    "np.array": "`np.array` of values",
    "derivative": "compiled derivative",
}
REMEDIES = {
    "math": "write `np.",
    "complex": "real + 1j * imag",
    "part": "write the complex array itself",
    "plain array": "np.zeros_like(x)",
    "list": "keep to NumPy's functions",
    "iterator": "keep to NumPy's functions",
    "flat": "functions that have rules",
    "vectorize": "keep to NumPy's functions",
    "np.array": "np.stack",
    "derivative": "tape.grad",
}
REASON = {name: reason for reason, names in REFUSED.items() for name in names}

programs = pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.name)
followed = pytest.mark.parametrize(
    "case", [c for c in PROGRAMS if c.name not in REASON], ids=lambda case: case.name
)


def arguments(case, seed=0):
    return case.arguments(np.random.default_rng(seed))


def numbers_of(case, args):
    if case.argnums is not None:
        return case.argnums
    return tuple(k for k, a in enumerate(args) if any(map(is_differentiable, leaves(a))))


def weights_like(value):
    random = np.random.default_rng(7)

    def weight(leaf):
        if not is_differentiable(leaf):
            return None
        w = random.uniform(0.5, 1.5, np.shape(leaf))
        return w if isinstance(leaf, np.ndarray) else float(w)

    return map_leaves(weight, value)


def run(case, seed):
    """The value, weights for it, and the adjoints of the arguments for these weights."""
    args = arguments(case, seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        value, pullback = tape.vjp(case.function, *fresh(args))
        weights = weights_like(value)
        return args, value, weights, pullback(weights)


@programs
@pytest.mark.parametrize("seed", (0, 1))
def test_gradient_is_that_of_differences_or_refused(case, seed):
    reason = REASON.get(case.name)
    if reason is not None:
        with pytest.raises(DifferentiationError) as caught:
            run(case, seed)
        error = caught.value
        assert SAYS[reason] in error.message or case.name == "calls.function_as_an_argument"
        assert REMEDIES[reason] in error.remedy or "compiles" in error.remedy
        assert error.position.file.endswith(f"programs/{case.name.partition('.')[0]}.py")
        assert error.excerpt
        return
    args, value, weights, adjoints = run(case, seed)
    np.testing.assert_allclose(flat(value), flat(case.function(*fresh(args))), rtol=1e-12)
    random = np.random.default_rng(seed)
    wanted = numbers_of(case, args)
    for _ in range(2):
        along = random_direction(args, random)
        rest = still(args)
        along = tuple(along[k] if k in wanted else rest[k] for k in range(len(args)))
        expected = slope(case.function, args, along)
        assert expected.reliable
        total = float(np.dot(flat(weights), expected.value))
        found = sum(inner(adjoints[k], along[k]) for k in wanted)
        assert abs(found - total) <= 1e-6 * (1 + abs(total))


@followed
def test_gradient_is_that_of_the_compiler(case):
    args, _value, weights, adjoints = run(case, 0)
    try:
        with np.errstate(all="ignore"):
            _, pullback = vjp(case.function, *fresh(args))
            expected = pullback(weights)
    except AdcompilerError:
        pytest.skip("the compiler refuses it")
    ours, theirs = flat(adjoints), flat(expected)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
    for found, like in zip(leaves(adjoints), leaves(list(args)), strict=True):
        if is_differentiable(like):
            assert np.shape(found) == np.shape(like) and type(found) is type(like)


@followed
def test_arguments_stay_as_they_are(case):
    args = arguments(case)
    before = fresh(args)
    with np.errstate(all="ignore"):
        tape.vjp(case.function, *args)
    for found, expected in zip(leaves(list(args)), leaves(list(before)), strict=True):
        np.testing.assert_array_equal(found, expected)


def smooth_scalar(case):
    if not case.smooth or case.name in REASON:
        return False
    value = case.function(*arguments(case))
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.ndim == 0)


@pytest.mark.parametrize(
    "case", [case for case in PROGRAMS if smooth_scalar(case)], ids=lambda case: case.name
)
def test_second_order(case):
    """The gradient of the gradient, both by the tape, against differences of the gradient."""
    args = arguments(case)
    wanted = numbers_of(case, args)
    gradient = tape.grad(case.function, argnums=wanted)
    random = np.random.default_rng(5)
    weights = map_leaves(
        lambda leaf: random.uniform(0.5, 1.5, np.shape(leaf)) if is_differentiable(leaf) else None,
        tuple(args[k] for k in wanted),
    )

    def weighted(*args):
        return sum(
            np.sum(w * g)
            for w, g in zip(leaves_of(weights), leaves_of(gradient(*args)), strict=True)
            if w is not None
        )

    second = tape.grad(weighted, argnums=wanted)(*fresh(args))
    along = random_direction(args, random)
    rest = still(args)
    along = tuple(along[k] if k in wanted else rest[k] for k in range(len(args)))
    expected = slope(weighted, args, along)
    if not expected.reliable:
        pytest.skip(expected.why)
    found = sum(inner(g, along[k]) for g, k in zip(second, wanted, strict=True))
    assert abs(found - expected.value[0]) <= 1e-5 * (1 + abs(expected.value[0]))


def leaves_of(tree):
    """As `leaves`, for trees that hold arrays of the tape."""
    if isinstance(tree, (tuple, list)):
        return [leaf for item in tree for leaf in leaves_of(item)]
    if isinstance(tree, dict):
        return [leaf for item in tree.values() for leaf in leaves_of(item)]
    if dataclasses.is_dataclass(tree):
        return [x for f in dataclasses.fields(tree) for x in leaves_of(getattr(tree, f.name))]
    return [tree]


def test_the_table_names_programs():
    assert set(REASON) <= {case.name for case in PROGRAMS}


# -- random programs ------------------------------------------------------------------------------

AS_ARRAYS = {
    **{f"math.{name}(": f"np.{name}(" for name in ("sin", "cos", "tanh", "exp", "sqrt", "log")},
    "math.atan(": "np.arctan(",
    "float(": "(",
    "np.array([": "np.stack([",
}
"""What a user would change in a program so that a tape can follow it."""


def followable(program):
    text = program.source
    for old, new in AS_ARRAYS.items():
        text = text.replace(old, new)
    names = {"__name__": "random_program"}
    exec(compile(text, f"<random program {program.profile} {program.seed}>", "exec"), names)
    return names["main"]


@pytest.mark.parametrize(
    "profile", sorted(PROFILES.keys() - {"nested"})
)  # derivatives by the compiler
@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed, profile):
    """Right, or refused; every third to the second order.

    (The derivatives inside programs of the profile `nested` are the compiler's.)
    """
    program = generate(seed=900_000 + seed, profile=profile)
    function, args = followable(program), tuple(program.arguments(point=0))
    wanted = tuple(k for k, a in enumerate(args) if is_differentiable(a))
    random = np.random.default_rng(seed)
    along = random_direction(args, random)
    along = tuple(d if k in wanted else still(args)[k] for k, d in enumerate(along))

    def agree(function, gradients, tolerance):
        expected = slope(function, args, along)
        found = sum(inner(g, along[k]) for g, k in zip(gradients, wanted, strict=True))
        if expected.reliable and not expected.agrees([found], tolerance):
            expected = confirmed_slope(function, args, along)
            assert not expected.reliable or expected.agrees([found], tolerance), program.source

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            value, gradients = tape.value_and_grad(function, argnums=wanted)(*fresh(args))
        except AdcompilerError as error:
            assert error.position is not None or "returned an int" in error.message
            return
        assert np.isclose(value, function(*fresh(args)), rtol=1e-10)
        agree(function, gradients, 1e-5)
        if seed % 3 == 0:
            weights = [random.uniform(0.5, 1.5, np.shape(args[k])) for k in wanted]

            def weighted(*args):
                found = tape.grad(function, argnums=wanted)(*args)
                return sum(np.sum(w * g) for w, g in zip(weights, found, strict=True))

            try:
                agree(weighted, tape.grad(weighted, argnums=wanted)(*fresh(args)), 1e-4)
            except AdcompilerError as error:
                assert error.position is not None
