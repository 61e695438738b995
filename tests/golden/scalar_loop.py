def primal_grad(x, n):
    """Gradient of primal with respect to x."""
    s_saved = []
    s = 0.0
    for _ in range(n):
        s_saved.append(s)
        s = s + x * s + x
    s_bar = 1.0
    x_bar = 0.0

    # for _ in range(n):
    for _ in reversed(range(n)):
        # s = s + x * s + x
        s = s_saved.pop()
        x_bar += s_bar + s_bar * s
        s_bar += s_bar * x
    return x_bar
