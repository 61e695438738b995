"""The optimiser: the passes over a differentiated function, in order."""

from __future__ import annotations

from adcompiler.ir.nodes import Function
from adcompiler.passes.accumulate import tidy_accumulation
from adcompiler.passes.algebra import algebra
from adcompiler.passes.idioms import idioms
from adcompiler.passes.peel import peel_last_tests
from adcompiler.passes.simplify import common_subexpressions, dead_code

PASSES = [
    dead_code, peel_last_tests, common_subexpressions, algebra, tidy_accumulation, common_subexpressions, algebra,
    dead_code, idioms,
]


def optimise(function: Function) -> None:
    """Improve the function in place, without changing what it computes."""
    for run in PASSES:
        run(function)
