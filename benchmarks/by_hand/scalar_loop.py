"""A recurrence on Python floats: one number per iteration has to be saved.

With one input and one output, an expert would take forward mode, which saves nothing. The gradient
is kept in reverse mode on purpose: it stands for loops with many inputs.
"""

argnums = 0
small = 7
typical = 1000


def inputs(size):
    return 1.5 / size, size


def primal(x, n):
    s = 0.0
    for _ in range(n):
        s = s + x * s + x
    return s


def gradient(x, n):
    s = 0.0
    s_saved = []
    for _ in range(n):
        s_saved.append(s)
        s = s + x * s + x

    x_bar = 0.0
    s_bar = 1.0
    for s in reversed(s_saved):
        x_bar += s_bar * s + s_bar
        s_bar += s_bar * x
    return x_bar
