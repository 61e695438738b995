"""The functions whose calls have a meaning of their own; where each is written.

Where to add one: to the table `MEANING` of the module that holds its like.
"""

from __future__ import annotations

from typing import Any

from adcompiler.ir import (
    builtin_functions,
    contexts,
    functions,
    iteration,
    iterators,
    mappings,
    numpy_functions,
    object_functions,
    ordering,
)
from adcompiler.ir.meaning import Meaning

KNOWN: dict[Any, Meaning] = {
    **builtin_functions.MEANING,
    **object_functions.MEANING,
    **iteration.MEANING,
    **iterators.MEANING,
    **ordering.MEANING,
    **mappings.MEANING,
    **functions.MEANING,
    **contexts.MEANING,
    **numpy_functions.MEANING,
}
