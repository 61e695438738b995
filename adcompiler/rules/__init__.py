"""The derivatives of NumPy's functions. `book` says what a rule is and how it is called."""

from adcompiler.rules import (
    arithmetic,
    constant,
    creation,
    elementary,
    indexing,
    linear_algebra,
    products,
    reductions,
    shaping,
)
from adcompiler.rules.book import (
    Rule,
    UnboundKeyword,
    bilinear,
    bind,
    canonical,
    elementwise,
    is_zero,
    linear,
    lookup,
    rule,
    zero,
)

__all__ = [
    "Rule",
    "UnboundKeyword",
    "arithmetic",
    "bilinear",
    "bind",
    "canonical",
    "constant",
    "creation",
    "elementary",
    "elementwise",
    "indexing",
    "is_zero",
    "linear",
    "linear_algebra",
    "lookup",
    "products",
    "reductions",
    "rule",
    "shaping",
    "zero",
]
