"""Rosenbrock's function on two Python floats: the cost of a call, and of nothing else."""

argnums = (0, 1)
small = typical = 1


def inputs(size):
    return 0.7 * size, 1.3 * size


def primal(x, y):
    return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)


def gradient(x, y):
    y_bar = 200 * (y - x * x)
    x_bar = 2 * (x - 1 - x * y_bar)
    return x_bar, y_bar
