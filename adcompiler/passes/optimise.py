"""The optimiser: the passes over a differentiated function, in order."""

from __future__ import annotations

from adcompiler.ir.nodes import Function
from adcompiler.passes.simplify import common_subexpressions, dead_code

PASSES = [dead_code, common_subexpressions, dead_code]


def optimise(function: Function) -> None:
    """Improve the function in place, without changing what it computes."""
    for run in PASSES:
        run(function)
