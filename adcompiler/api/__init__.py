"""What users call: `grad` and its like."""

from __future__ import annotations

from adcompiler.api.checking import check_grads
from adcompiler.api.derivative import Derivative
from adcompiler.api.transforms import (
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

__all__ = [
    "Derivative",
    "check_grads",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "value_and_grad",
    "vjp",
]
