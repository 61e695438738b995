"""Every program of `tests/programs`, in reverse, forward and second order, against differences."""

import warnings

import numpy as np
import pytest

import tests.programs  # noqa: F401
from tests.differences import flat, fresh
from tests.fuzz.agreement import FIRST_ORDER, Comparison, question
from tests.programs.registry import PROGRAMS

SEEDS = (0, 1)


def arguments(case, seed):
    return case.arguments(np.random.default_rng(seed))


def comparison(case, seed=0):
    return Comparison(case.function, arguments(case, seed), case.argnums, seed)


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
    for seed in SEEDS if mode == "reverse" else SEEDS[:1]:
        assert question(comparison(case, seed), mode)() == ""


@pytest.mark.parametrize(
    "case", [case for case in PROGRAMS if case.smooth], ids=lambda case: case.name
)
def test_second_order(case):
    assert question(comparison(case), "second")() == ""


def test_names_are_unique():
    names = [case.name for case in PROGRAMS]
    assert len(set(names)) == len(names)
