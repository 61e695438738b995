"""Is there no integer solution?  Fourier-Motzkin elimination for small systems.

A `Sum` maps variables to factors, with the constant under None; each constraint says that its sum
is at least 0.  The elimination is exact over the rationals; over the integers it is sharpened by
rounding constants (Schrijver, *Theory of Linear and Integer Programming*, 1986, sections 12.2 and
23).  It errs on one side: a system that is called impossible has no integer solution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Sum = dict[Any, int]

LIMIT = 300
"""Constraints, above which the answer is "possible"."""


def combined(one: Sum, two: Sum, factor: int) -> Sum:
    """`one + factor * two`."""
    return {k: one.get(k, 0) + factor * two.get(k, 0) for k in {**one, **two}}


def impossible(constraints: Iterable[Sum]) -> bool:
    """Whether no integers make all sums at least 0.

    >>> x_is_above_y, y_is_above_x = {"x": 1, "y": -1, None: -1}, {"x": -1, "y": 1, None: -1}
    >>> impossible([x_is_above_y, y_is_above_x])
    True
    >>> impossible([x_is_above_y])
    False
    >>> impossible([{"x": 2, None: -1}, {"x": -2, None: 1}])  # 2 x = 1
    True
    """
    system: set[frozenset] = set()
    for constraint in constraints:
        if add(system, constraint):
            return True
    while True:
        factors: dict[Any, list[int]] = {}
        for terms in system:
            for variable, factor in terms:
                if variable is not None:
                    factors.setdefault(variable, []).append(factor)
        if not factors:
            return False

        def growth(variable: Any, factors: dict[Any, list[int]] = factors) -> int:
            above = sum(f > 0 for f in factors[variable])
            return above * (len(factors[variable]) - above)

        variable = min(factors, key=growth)
        above: list[Sum] = []
        below: list[Sum] = []
        rest: set[frozenset] = set()
        for terms in system:
            constraint = dict(terms)
            factor = constraint.get(variable, 0)
            if factor:
                (above if factor > 0 else below).append(constraint)
            else:
                rest.add(terms)
        system = rest
        for low in above:
            for high in below:
                left = {k: f * -high[variable] for k, f in low.items()}
                if add(system, combined(left, high, low[variable])):
                    return True
        if len(system) > LIMIT:
            return False


def add(system: set[frozenset], constraint: Sum) -> bool:
    """Add a constraint in lowest terms; say whether it contradicts itself."""
    terms = {k: f for k, f in constraint.items() if k is not None and f}
    constant = constraint.get(None, 0)
    if not terms:
        return constant < 0
    divisor = math.gcd(*terms.values())
    if divisor > 1:
        terms = {k: f // divisor for k, f in terms.items()}
        constant //= divisor
    system.add(frozenset({**terms, None: constant}.items()))
    return False
