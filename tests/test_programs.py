"""Every program of `tests/programs`, in reverse, forward and second order, against differences."""

import warnings

import numpy as np
import pytest

import tests.programs  # noqa: F401
from adcompiler.errors import AdcompilerError
from tests.differences import flat, fresh
from tests.fuzz.agreement import FIRST_ORDER, Comparison, question
from tests.programs.registry import PROGRAMS

SEEDS = (0, 1)


def arguments(case, seed):
    return case.arguments(np.random.default_rng(seed))


def is_refused(case, mode):
    """Whether it is refused with an error that names the line (or the argument)."""
    with pytest.raises(AdcompilerError) as caught:
        question(comparison(case), mode)()
    return caught.value.position is not None or "argument" in caught.value.message


def comparison(case, seed=0):
    return Comparison(case.function, arguments(case, seed), case.argnums, seed)


REFUSED: set[str] = set()
"""Programs that are refused, in reverse mode at least: whoever compiles them takes them off."""

REFUSED_SECOND = {
    case.name for case in PROGRAMS if case.name.startswith("recursion.")
} - {
    "recursion.sum_over_a_list", "recursion.recursion_that_writes_its_argument",
}  # fmt: skip
"""Second derivatives through functions that stay calls, the recursive ones, are refused."""

programs = pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.name)


@programs
def test_program_is_fit_to_be_compared(case):
    """It runs, its result is finite, and differences converge."""
    for seed in SEEDS:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = case.function(*fresh(arguments(case, seed)))
        assert np.all(np.isfinite(flat(value)))
        assert not comparison(case, seed).doubts


@programs
@pytest.mark.parametrize("mode", FIRST_ORDER)
def test_first_order(case, mode):
    if case.name in REFUSED:
        if mode == "reverse":
            assert is_refused(case, mode)
        return
    for seed in SEEDS if mode == "reverse" else SEEDS[:1]:
        assert question(comparison(case, seed), mode)() == ""


@pytest.mark.parametrize(
    "case",
    [case for case in PROGRAMS if case.smooth and case.name not in REFUSED],
    ids=lambda case: case.name,
)
def test_second_order(case):
    if case.name in REFUSED_SECOND:
        assert is_refused(case, "second")
        return
    assert question(comparison(case), "second")() == ""


def test_names_are_unique():
    names = [case.name for case in PROGRAMS]
    assert len(set(names)) == len(names)
