"""The tape: operations are recorded while they run, and differentiated by the compiler's rules.

Two faces on one graph. `grad`, `value_and_grad` and `vjp` take functions written in NumPy, which
run on `Array`; `tensor` makes a `Tensor`, which has PyTorch's methods and semantics.

>>> import numpy as np
>>> from adcompiler import tape
>>> tape.grad(lambda x: np.sum(np.sin(x) ** 2))(np.array([0.0, np.pi / 4])).round(6).tolist()
[0.0, 1.0]
>>> x = tape.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

import numpy as np

from adcompiler.tape import autograd, operations
from adcompiler.tape.array import Array
from adcompiler.tape.calls import Recording, call, record
from adcompiler.tape.functions import grad, value_and_grad, vjp
from adcompiler.tape.modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from adcompiler.tape.tensor import Tensor, from_numpy, tensor

float16, float32, float64 = map(np.dtype, (np.float16, np.float32, np.float64))
complex64, complex128 = map(np.dtype, (np.complex64, np.complex128))
int8, int16, int32, int64 = map(np.dtype, (np.int8, np.int16, np.int32, np.int64))
uint8 = np.dtype(np.uint8)

__all__ = [
    "Array",
    "Recording",
    "Tensor",
    "autograd",
    "call",
    "enable_grad",
    "from_numpy",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "record",
    "set_grad_enabled",
    "tensor",
    "value_and_grad",
    "vjp",
]

# `sin`, `zeros` and the others are PyTorch's names; those of Python's functions are asked for as
# attributes only (`tape.sum`), so that `from adcompiler.tape import *` hides nothing.
globals().update(operations.FUNCTIONS | operations.CREATION)
bool = np.dtype(np.bool_)
