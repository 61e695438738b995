import numpy as np
from adcompiler.runtime import exp_difference


def primal_grad(w, x, y, strength):
    """Gradient of primal with respect to w."""
    margin = y * (x @ w)
    negative = -margin

    # return np.mean(np.logaddexp(0, -margin)) + 0.5 * strength * (w @ w)
    t = exp_difference(negative, np.logaddexp(0, negative))
    # margin = y * (x @ w)
    w_bar = strength * w - x.T @ (1.0 / x.shape[0] * t * y)
    return w_bar
