def power_forward(x, n):
    test = n == 0
    if test:
        result = 1.0
        result_2 = None
        saved = None
    else:
        result_2, saved = power_forward(x, n - 1)
        result = x * result_2
    return result, (test, result_2, x, saved)


def power_backward(saved, result_bar):
    # if n == 0:
    saved1 = saved[1]
    x = saved[2]
    saved0 = saved[0]
    saved = saved[3]
    if saved0:
        x_bar = 0.0
    else:
        # return x * power(x, n - 1)
        x_bar = result_bar * saved1 + power_backward(saved, result_bar * x)
    return x_bar


def power_grad(x, n):
    """Gradient of power with respect to x."""
    test = n == 0
    if not test:
        result, saved = power_forward(x, n - 1)

    # if n == 0:
    if test:
        x_bar = 0.0
    else:
        # return x * power(x, n - 1)
        x_bar = result + power_backward(saved, x)
    return x_bar
