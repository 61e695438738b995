"""Lotka-Volterra by the classical Runge-Kutta method, the path written in place, fitted to data.

The path is its own record of the states at each step; of the stages in between, only the points
at which the slope was taken are kept. They exist anyway, so keeping them costs an append.

The gradient stays in NumPy by choice, as the primal does: states are arrays, and only the slopes
work on their entries as floats. In plain floats throughout it would be about ten times faster.
"""

import numpy as np

argnums = (0, 1)
small = 6
typical = 100


def inputs(size):
    rng = np.random.default_rng(size)
    rates = np.array([1.1, 0.4, 0.1, 0.4])
    start = np.array([10.0, 5.0])
    observed = rng.uniform(1.0, 10.0, (size + 1, 2))
    return rates, start, observed, 0.05


def slope(state, rates):
    prey, hunters = state
    birth, hunt, feed, death = rates
    return np.array(
        [
            birth * prey - hunt * prey * hunters,
            feed * prey * hunters - death * hunters,
        ]
    )


def primal(rates, start, observed, dt):
    path = np.zeros((len(observed), 2))
    path[0] = start
    for i in range(len(path) - 1):
        state = path[i]
        k1 = slope(state, rates)
        k2 = slope(state + dt / 2 * k1, rates)
        k3 = slope(state + dt / 2 * k2, rates)
        k4 = slope(state + dt * k3, rates)
        path[i + 1] = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.mean((path - observed) ** 2)


def slope_backward(slope_bar, state, rates, rates_bar):
    """Return the adjoint of `state`, and add to the list `rates_bar`."""
    prey, hunters = state.tolist()
    birth, hunt, feed, death = rates
    prey_slope_bar, hunters_slope_bar = slope_bar.tolist()
    meetings = prey * hunters
    rates_bar[0] += prey_slope_bar * prey
    rates_bar[1] -= prey_slope_bar * meetings
    rates_bar[2] += hunters_slope_bar * meetings
    rates_bar[3] -= hunters_slope_bar * hunters
    meetings_bar = feed * hunters_slope_bar - hunt * prey_slope_bar
    return np.array(
        [
            birth * prey_slope_bar + meetings_bar * hunters,
            meetings_bar * prey - death * hunters_slope_bar,
        ]
    )


def gradient(rates, start, observed, dt):
    rates = rates.tolist()
    path = np.zeros((len(observed), 2))
    path[0] = start
    points = []
    for i in range(len(path) - 1):
        state = path[i]
        k1 = slope(state.tolist(), rates)
        state2 = state + dt / 2 * k1
        k2 = slope(state2.tolist(), rates)
        state3 = state + dt / 2 * k2
        k3 = slope(state3.tolist(), rates)
        state4 = state + dt * k3
        k4 = slope(state4.tolist(), rates)
        path[i + 1] = state + dt / 6 * (k1 + 2 * (k2 + k3) + k4)
        points.append((state2, state3, state4))

    path_bar = 2 / path.size * (path - observed)
    rates_bar = [0.0, 0.0, 0.0, 0.0]
    for i in reversed(range(len(path) - 1)):
        state2, state3, state4 = points.pop()
        next_bar = path_bar[i + 1]
        k4_bar = dt / 6 * next_bar
        state4_bar = slope_backward(k4_bar, state4, rates, rates_bar)
        middle_bar = dt / 3 * next_bar
        state3_bar = slope_backward(middle_bar + dt * state4_bar, state3, rates, rates_bar)
        state2_bar = slope_backward(middle_bar + dt / 2 * state3_bar, state2, rates, rates_bar)
        state1_bar = slope_backward(k4_bar + dt / 2 * state2_bar, path[i], rates, rates_bar)
        path_bar[i] += next_bar + state1_bar + state2_bar + state3_bar + state4_bar
    return np.array(rates_bar), path_bar[0]
