import numpy as np


def chosen_grad(a, b, x):
    """Gradient of chosen with respect to a, b, x."""
    a = a.copy()
    a_bar = np.zeros_like(a)
    b = b.copy()
    b_bar = np.zeros_like(b)
    if x > 0:
        v = a
        v_bar = a_bar
    else:
        v = b
        v_bar = b_bar
    v[0] = x

    # return np.sum(a * b)
    b_bar += a
    a_bar += b
    # v[0] = x
    x_bar = v_bar[0]
    v_bar[0] = 0.0
    return a_bar, b_bar.copy(), x_bar
