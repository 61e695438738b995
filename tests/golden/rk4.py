import numpy as np


def slope_backward(state, slope_bar, death, feed, hunt, birth, rates_bar):
    """What 4 calls of slope have in common."""
    prey, hunters = state
    part, part_2 = slope_bar
    product_3 = part_2 * hunters
    product_4 = part * hunters
    difference = part_2 * (feed * prey) - part_2 * death
    hunters_bar = difference - part * (hunt * prey)
    prey_bar = product_3 * feed - product_4 * hunt + part * birth
    # birth, hunt, feed, death = rates
    rates_bar[3] -= product_3
    rates_bar[2] += product_3 * prey
    rates_bar[1] -= product_4 * prey
    rates_bar[0] += part * prey
    return hunters_bar, prey_bar


def slope(state, state_saved, death, feed, birth, hunt):
    """What 3 calls of slope have in common."""
    state_saved.append(state)
    prey, hunters = state
    difference = feed * prey * hunters - death * hunters
    k2 = np.array([birth * prey - hunt * prey * hunters, difference])
    return k2


def primal_grad(rates, start, observed, dt):
    """Gradient of primal with respect to rates, start."""
    state_saved = []
    state_saved_2 = []
    state_saved_3 = []
    path = np.zeros((len(observed), 2))
    path[0] = start
    place = len(path) - 1
    for i in range(place):
        state = path[i]
        prey, hunters = state
        birth, hunt, feed, death = rates
        difference = feed * prey * hunters - death * hunters
        k1 = np.array([birth * prey - hunt * prey * hunters, difference])
        state_2 = state + dt / 2 * k1
        k2 = slope(state_2, state_saved, death, feed, birth, hunt)
        state_2 = state + dt / 2 * k2
        k3 = slope(state_2, state_saved_2, death, feed, birth, hunt)
        state_2 = state + dt * k3
        k4 = slope(state_2, state_saved_3, death, feed, birth, hunt)
        path[i + 1] = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    # birth, hunt, feed, death = rates
    rates_bar = np.zeros_like(rates)
    # return np.mean((path - observed) ** 2)
    path_bar = 2 / (2 * observed.shape[0]) * (path - observed)
    # for i in range(len(path) - 1):
    for i in reversed(range(place)):
        # prey, hunters = state
        state_2 = state_saved_3.pop()
        state_3 = state_saved_2.pop()
        state_4 = state_saved.pop()
        # path[i + 1] = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path_bar_old = path_bar[i + 1].copy()
        path_bar[i + 1] = 0.0
        state_bar = path_bar[i]
        state_bar += path_bar_old
        product = path_bar_old * (dt / 6)
        product_2 = 2 * product
        # return np.array([birth * prey - hunt * prey * hunters, feed * prey * hunters - death * hunters])
        birth = rates[0]
        hunt = rates[1]
        feed = rates[2]
        death = rates[3]
        hunters_bar, prey_bar = slope_backward(
            state_2, product, death, feed, hunt, birth, rates_bar
        )
        # prey, hunters = state
        t = np.array([prey_bar, hunters_bar])
        # k4 = slope(state + dt * k3, rates)
        state_bar += t
        k3_bar = product_2 + t * dt
        hunters_bar, prey_bar = slope_backward(state_3, k3_bar, death, feed, hunt, birth, rates_bar)
        # prey, hunters = state
        t = np.array([prey_bar, hunters_bar])
        # k3 = slope(state + dt / 2 * k2, rates)
        state_bar += t
        ratio = dt / 2
        k2_bar = product_2 + t * ratio
        hunters_bar, prey_bar = slope_backward(state_4, k2_bar, death, feed, hunt, birth, rates_bar)
        # prey, hunters = state
        t = np.array([prey_bar, hunters_bar])
        # k2 = slope(state + dt / 2 * k1, rates)
        state_bar += t
        k1_bar = product + t * ratio
        # return np.array([birth * prey - hunt * prey * hunters, feed * prey * hunters - death * hunters])
        state = path[i]
        hunters_bar, prey_bar = slope_backward(state, k1_bar, death, feed, hunt, birth, rates_bar)
        # prey, hunters = state
        state_bar[1] += hunters_bar
        state_bar[0] += prey_bar
    # path[0] = start
    start_bar = path_bar[0]
    return rates_bar, start_bar
