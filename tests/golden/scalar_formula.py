def primal_grad(x, y):
    """Gradient of primal with respect to x, y."""
    difference = y - x * x

    # return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)
    y_bar = 200 * difference
    x_bar = -400 * (difference * x) - 2 * (1 - x)
    return x_bar, y_bar
