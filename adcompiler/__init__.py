"""Write ordinary NumPy; get its derivative as source you can read, save and differentiate again."""

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
from adcompiler.errors import AdcompilerError
from adcompiler.runtime import stop_gradient

__all__ = [
    "AdcompilerError",
    "Derivative",
    "check_grads",
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
