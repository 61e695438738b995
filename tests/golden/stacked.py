import numpy as np
from adcompiler.runtime import zeros_like


def stacked_grad(x, n):
    """Gradient of stacked with respect to x."""
    xs = [x]
    for _ in range(n):
        xs.append(np.sin(xs[-1]))

    # return np.sum(np.stack(xs) ** 2)
    xs_bar = zeros_like(xs)
    product = 2 * np.stack(xs)
    for i in range(len(xs_bar)):
        xs_bar[i] = xs_bar[i] + product[i]
    # for _ in range(n):
    for _ in reversed(range(n)):
        # xs.append(np.sin(xs[-1]))
        xs.pop()
        product = xs_bar.pop() * np.cos(xs[-1])
        xs_bar[-1] = xs_bar[-1] + product
    # xs = [x]
    x_bar = xs_bar[0]
    return x_bar
