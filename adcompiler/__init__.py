"""Write ordinary NumPy; get its derivative as source you can read, save and differentiate again.

What is offered here is loaded when it is first asked for, so that `import adcompiler` costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: F401  (what everything here stands on)

if TYPE_CHECKING:
    from adcompiler import tape  # noqa: F401
    from adcompiler.api import (
        Derivative,
        check_grads,
        grad,
        hessian,
        hvp,
        jacfwd,
        jacobian,
        jacrev,
        jvp,
        value_and_grad,
        vjp,
    )
    from adcompiler.api.comparing import compare
    from adcompiler.errors import AdcompilerError
    from adcompiler.runtime import stop_gradient

__all__ = [
    "AdcompilerError",
    "Derivative",
    "check_grads",
    "compare",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
__version__ = "0.1.0"

_ELSEWHERE = {
    "AdcompilerError": "adcompiler.errors",
    "compare": "adcompiler.api.comparing",
    "stop_gradient": "adcompiler.runtime",
}


def __getattr__(name: str) -> Any:
    if name == "tape":
        return importlib.import_module("adcompiler.tape")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_ELSEWHERE.get(name, "adcompiler.api")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "tape"})
