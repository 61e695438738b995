import numpy as np


def primal_grad(rates, start, observed, dt):
    """Gradient of primal with respect to rates, start."""
    prey_saved = []
    hunters_saved = []
    prey_saved_2 = []
    hunters_saved_2 = []
    prey_saved_3 = []
    hunters_saved_3 = []
    path = np.zeros((len(observed), 2))
    path[0] = start
    place = len(path) - 1
    for i in range(place):
        state = path[i]
        prey, hunters = state
        birth, hunt, feed, death = rates
        difference = feed * prey * hunters - death * hunters
        k1 = np.array([birth * prey - hunt * prey * hunters, difference])
        total = state + dt / 2 * k1
        prey, hunters = total
        prey_saved.append(prey)
        hunters_saved.append(hunters)
        difference = feed * prey * hunters - death * hunters
        k2 = np.array([birth * prey - hunt * prey * hunters, difference])
        total = state + dt / 2 * k2
        prey, hunters = total
        prey_saved_2.append(prey)
        hunters_saved_2.append(hunters)
        difference = feed * prey * hunters - death * hunters
        k3 = np.array([birth * prey - hunt * prey * hunters, difference])
        total = state + dt * k3
        prey, hunters = total
        prey_saved_3.append(prey)
        hunters_saved_3.append(hunters)
        difference = feed * prey * hunters - death * hunters
        k4 = np.array([birth * prey - hunt * prey * hunters, difference])
        path[i + 1] = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    difference = path - observed

    # birth, hunt, feed, death = rates
    rates_bar = np.zeros_like(rates)
    # return np.mean((path - observed) ** 2)
    path_bar = 2 / (2 * observed.shape[0]) * difference
    # for i in range(len(path) - 1):
    for i in reversed(range(place)):
        # prey, hunters = state
        hunters = hunters_saved_3.pop()
        prey = prey_saved_3.pop()
        hunters_2 = hunters_saved_2.pop()
        prey_2 = prey_saved_2.pop()
        hunters_3 = hunters_saved.pop()
        prey_3 = prey_saved.pop()
        # path[i + 1] = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path_bar_old = path_bar[i + 1].copy()
        path_bar[i + 1] = 0.0
        state_bar = path_bar[i]
        state_bar += path_bar_old
        product = path_bar_old * (dt / 6)
        product_2 = 2 * product
        # return np.array([birth * prey - hunt * prey * hunters, feed * prey * hunters - death * hunters])
        part, part_2 = product
        product_3 = part_2 * hunters
        rates3 = rates[3]
        rates2 = rates[2]
        product_4 = part * hunters
        rates1 = rates[1]
        difference = part_2 * (rates2 * prey) - part_2 * rates3
        hunters_bar = difference - part * (rates1 * prey)
        rates0 = rates[0]
        prey_bar = product_3 * rates2 - product_4 * rates1 + part * rates0
        # birth, hunt, feed, death = rates
        rates_bar[3] -= product_3
        rates_bar[2] += product_3 * prey
        rates_bar[1] -= product_4 * prey
        rates_bar[0] += part * prey
        # prey, hunters = state
        t = np.array([prey_bar, hunters_bar])
        # k4 = slope(state + dt * k3, rates)
        state_bar += t
        k3_bar = product_2 + t * dt
        # return np.array([birth * prey - hunt * prey * hunters, feed * prey * hunters - death * hunters])
        k3_bar0, k3_bar1 = k3_bar
        product_3 = k3_bar1 * hunters_2
        product_4 = k3_bar0 * hunters_2
        difference = k3_bar1 * (rates2 * prey_2) - k3_bar1 * rates3
        hunters_bar = difference - k3_bar0 * (rates1 * prey_2)
        prey_bar = product_3 * rates2 - product_4 * rates1 + k3_bar0 * rates0
        # birth, hunt, feed, death = rates
        rates_bar[3] -= product_3
        rates_bar[2] += product_3 * prey_2
        rates_bar[1] -= product_4 * prey_2
        rates_bar[0] += k3_bar0 * prey_2
        # prey, hunters = state
        t = np.array([prey_bar, hunters_bar])
        # k3 = slope(state + dt / 2 * k2, rates)
        state_bar += t
        ratio = dt / 2
        k2_bar = product_2 + t * ratio
        # return np.array([birth * prey - hunt * prey * hunters, feed * prey * hunters - death * hunters])
        k2_bar0, k2_bar1 = k2_bar
        product_2 = k2_bar1 * hunters_3
        product_3 = k2_bar0 * hunters_3
        difference = k2_bar1 * (rates2 * prey_3) - k2_bar1 * rates3
        hunters_bar = difference - k2_bar0 * (rates1 * prey_3)
        prey_bar = product_2 * rates2 - product_3 * rates1 + k2_bar0 * rates0
        # birth, hunt, feed, death = rates
        rates_bar[3] -= product_2
        rates_bar[2] += product_2 * prey_3
        rates_bar[1] -= product_3 * prey_3
        rates_bar[0] += k2_bar0 * prey_3
        # prey, hunters = state
        t = np.array([prey_bar, hunters_bar])
        # k2 = slope(state + dt / 2 * k1, rates)
        state_bar += t
        k1_bar = product + t * ratio
        # return np.array([birth * prey - hunt * prey * hunters, feed * prey * hunters - death * hunters])
        k1_bar0, k1_bar1 = k1_bar
        state = path[i]
        state1 = state[1]
        product = k1_bar1 * state1
        state0 = state[0]
        product_2 = k1_bar0 * state1
        difference = k1_bar1 * (rates2 * state0) - k1_bar1 * rates3
        hunters_bar = difference - k1_bar0 * (rates1 * state0)
        prey_bar = product * rates2 - product_2 * rates1 + k1_bar0 * rates0
        # birth, hunt, feed, death = rates
        rates_bar[3] -= product
        rates_bar[2] += product * state0
        rates_bar[1] -= product_2 * state0
        rates_bar[0] += k1_bar0 * state0
        # prey, hunters = state
        state_bar[1] += hunters_bar
        state_bar[0] += prey_bar
    # path[0] = start
    start_bar = path_bar[0].copy()
    path_bar[0] = 0.0
    return rates_bar, start_bar
