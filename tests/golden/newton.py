def newton_grad(a):
    """Gradient of newton with respect to a."""
    x_saved = []
    x = a
    trips = 0
    while True:
        x_saved.append(x)
        if not abs(x * x - a) > 1e-12:
            break
        x = 0.5 * (x + a / x)
        trips += 1
    x_bar = 1.0
    a_bar = 0.0
    last = True

    # while abs(x * x - a) > 1e-12:
    for _ in range(trips + 1):
        x = x_saved.pop()
        if not last:
            # x = 0.5 * (x + a / x)
            product = 0.5 * x_bar
            a_bar = a_bar + product / x
            x_bar = 0.5 * (x_bar * (-(a / x) / x))
            x_bar = product + x_bar
        last = False
    # while abs(x * x - a) > 1e-12:
    a_bar = a_bar + x_bar
    return a_bar
