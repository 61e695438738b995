"""Plain NumPy programs by theme, written as users write; `registry.PROGRAMS` has them all."""

from tests.programs import (  # noqa: F401
    branches,
    calls,
    complex_numbers,
    control,
    growing_lists,
    linear_algebra,
    lists,
    loops,
    models,
    nested,
    numpy_functions,
    numpy_writes,
    objects,
    recursion,
    scalars,
    simulations,
    views,
    while_loops,
    writes,
)
