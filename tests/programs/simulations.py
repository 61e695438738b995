"""Simulations that step in time."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(numbers(0.9, 0.5, 1.1, 0.7))
def lotka_volterra_by_rk4(prey, predators, growth, decay):
    def rates(u, v):
        return growth * u - u * v, u * v - decay * v

    h = 0.1
    for _ in range(3):
        k1, l1 = rates(prey, predators)
        k2, l2 = rates(prey + h / 2 * k1, predators + h / 2 * l1)
        k3, l3 = rates(prey + h / 2 * k2, predators + h / 2 * l2)
        k4, l4 = rates(prey + h * k3, predators + h * l3)
        prey += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        predators += h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
    return prey * predators


def lorenz(state, sigma, rho, beta):
    x, y, z = state
    return np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


@program(lambda rng: (rng.normal(size=3), 10.0, 28.0, 8 / 3))
def lorenz_by_rk4(state, sigma, rho, beta):
    h = 0.01
    for _ in range(4):
        k1 = lorenz(state, sigma, rho, beta)
        k2 = lorenz(state + h / 2 * k1, sigma, rho, beta)
        k3 = lorenz(state + h / 2 * k2, sigma, rho, beta)
        k4 = lorenz(state + h * k3, sigma, rho, beta)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state @ state


@program(numbers(0.8, 0.1, 1.2))
def pendulum_by_leapfrog(angle, speed, length):
    step = 0.05
    speed -= 0.5 * step / length * math.sin(angle)
    for _ in range(5):
        angle += step * speed
        speed -= step / length * math.sin(angle)
    return 0.5 * speed**2 - math.cos(angle)


@program(lambda rng: (rng.normal(size=(3, 2)) * 2, rng.normal(size=(3, 2)), rng.uniform(0.5, 1, 3)))
def bodies(positions, velocities, masses):
    n = len(masses)
    for _ in range(2):
        forces = np.zeros_like(positions)
        for i in range(n):
            for j in range(n):
                if i != j:
                    d = positions[j] - positions[i]
                    forces[i] += masses[j] * d / (0.3 + d @ d) ** 1.5
        velocities += 0.1 * forces
        positions += 0.1 * velocities
    return np.sum(positions * velocities)


@program(lambda rng: (rng.normal(size=8), rng.uniform(0.1, 0.4, 8)))
def wave_with_three_levels(u, speeds):
    previous = u.copy()
    current = u.copy()
    following = np.zeros(8)
    for _ in range(4):
        following[1:-1] = (
            2 * current[1:-1]
            - previous[1:-1]
            + speeds[1:-1] * (current[2:] - 2 * current[1:-1] + current[:-2])
        )
        previous, current, following = current, following, previous
    return np.sum(current**2) + current[3] * previous[4]


@program(numbers(0.5, 0.2))
def epidemic_by_euler(infection, recovery):
    s, i, r = 0.9, 0.1, 0.0
    history = []
    for day in range(6):
        new = infection * s * i
        healed = recovery * i
        s, i, r = s - new, i + new - healed, r + healed
        if day % 2 == 1:
            history.append(i)
    return max(history) + sum(history) * r


@program(lambda rng: (rng.normal(size=(5, 5)), 0.1))
def diffusion_in_two_dimensions(u, rate):
    for _ in range(3):
        u[1:-1, 1:-1] += rate * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
        u[0] = u[1]
        u[:, -1] = 0.5 * u[:, -2]
    return np.sum(u**2)


@program(lambda rng: (rng.uniform(0.5, 1.5, 6), 0.3))
def upwind_advection(u, speed):
    for step in range(3):
        if step % 2 == 0:
            u[1:] = u[1:] - speed * (u[1:] - u[:-1])
        else:
            u[:-1] -= speed * (u[:-1] - u[1:]) * u[0]
        u[0] = u[-1]
    return np.sum(np.log(u))


@program(lambda rng: (rng.uniform(0.2, 1, 4), rng.uniform(0.2, 1, (4, 4))))
def forward_algorithm(start, transitions):
    state = start / start.sum()
    log_likelihood = 0.0
    for _ in range(3):
        state = state @ transitions
        scale = state.sum()
        log_likelihood += math.log(scale)
        state = state / scale
    return log_likelihood + state[0]
