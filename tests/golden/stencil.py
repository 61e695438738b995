def primal_grad(start, target, rate, steps):
    """Gradient of primal with respect to start."""
    u = start.copy()
    for _ in range(steps):
        total = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        u[1:-1, 1:-1] += rate * (total - 4 * u[1:-1, 1:-1])

    # return np.sum((u - target) ** 2)
    u_bar = 2 * (u - target)
    # for _ in range(steps):
    for _ in reversed(range(steps)):
        # u[1:-1, 1:-1] += rate * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
        product = u_bar[1:-1, 1:-1] * rate
        u_bar[1:-1, 1:-1] -= 4 * product
        u_bar[1:-1, 2:] += product
        u_bar[1:-1, :-2] += product
        u_bar[2:, 1:-1] += product
        u_bar[:-2, 1:-1] += product
    return u_bar
