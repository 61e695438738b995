def newton_grad(a):
    """Gradient of newton with respect to a."""
    x_saved = []
    x = a
    trips = 0
    while abs(x * x - a) > 1e-12:
        x_saved.append(x)
        x = 0.5 * (x + a / x)
        trips += 1
    x_bar = 1.0
    a_bar = 0.0

    # while abs(x * x - a) > 1e-12:
    for _ in range(trips):
        # x = 0.5 * (x + a / x)
        x = x_saved.pop()
        product = 0.5 * x_bar
        a_bar += product / x
        x_bar = product - 0.5 * (x_bar * (a / x / x))
    # while abs(x * x - a) > 1e-12:
    a_bar += x_bar
    return a_bar
