"""Eight functions and their gradients, written by hand: what emitted code is measured against.

Each module holds one function:

* `primal`: plain NumPy, as a user would write it; it may write its arguments;
* `argnums`: what it is differentiated with respect to;
* `gradient`: the gradient by hand, an array for one argument and a tuple for several; it leaves
  its arguments alone;
* `inputs(size)`: the arguments; `small` is a size for tests, `typical` one for timing.
"""

from . import attention, logistic, lu, mlp, rk4, scalar_formula, scalar_loop, stencil

FUNCTIONS = {
    "scalar formula": scalar_formula,
    "scalar loop": scalar_loop,
    "RK4": rk4,
    "MLP": mlp,
    "logistic": logistic,
    "stencil": stencil,
    "LU": lu,
    "attention": attention,
}
