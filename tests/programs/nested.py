"""Derivatives inside differentiated functions."""

import numpy as np

from adcompiler import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, value_and_grad, vjp
from tests.programs.registry import program, vector


def fitted(w, x):
    return np.sum((np.tanh(w * x) - 0.3) ** 2) + 0.1 * np.sum(w * w)


slope = grad(fitted)
both = value_and_grad(fitted, argnums=(0, 1))


@program(lambda rng: (0.1, rng.normal(size=3), rng.normal(size=3)), argnums=(0, 1, 2))
def descent_and_its_rate(rate, w, x):
    for _ in range(5):
        w = w - rate * grad(fitted)(w, x)
    return fitted(w, x)


@program(lambda rng: (0.1, rng.normal(size=3), rng.normal(size=3)), argnums=(0, 1, 2))
def descent_with_a_derivative_made_outside(rate, w, x):
    step = 0
    while step < 3:
        w = w - rate * slope(w, x)
        step += 1
    return fitted(w, x)


@program(vector(3))
def gradient_of_a_closure(theta):
    def distance(w):
        return np.sum((w - theta) ** 2 * theta) + np.sum(np.cos(w))

    w = np.zeros(3)
    for _ in range(4):
        w = w - 0.1 * grad(distance)(w)
    return np.sum(w * theta)


@program(vector(3))
def value_and_slope_of_a_lambda(x):
    wave = lambda t: np.sum(np.sin(t) * x)  # noqa: E731
    value, slopes = value_and_grad(wave)(x * 2)
    return value + np.sum(slopes**2)


@program(vector(3))
def two_gradients_at_once(x):
    value, (w_bar, x_bar) = both(x + 1.0, x)
    return value * np.sum(w_bar * x_bar)


@program(vector(3))
def gradient_with_respect_to_a_dict(x):
    def energy(p):
        return np.sum(p["w"] * x * p["b"]) + p["b"] ** 3

    bars = grad(energy)({"w": x * 2, "b": x[0]})
    return np.sum(bars["w"] ** 2) + bars["b"]


@program(vector(3))
def gradient_of_a_function_that_writes(x):
    def filled(w):
        out = np.zeros(3)
        for i in range(3):
            out[i] = w[i] * w[i - 1]
        return np.sum(out**2)

    return np.sum(grad(filled)(x) * x)


@program(vector(3))
def tangent_of_a_function(x):
    out, dot = jvp(lambda w, k: np.sin(w) * k, (x, 2.0), (x**2, x[0]))
    return np.sum(out * dot)


@program(vector(3))
def pullback_called_twice(x):
    def waves(w, k):
        return np.outer(np.sin(w), w) * k

    out, pullback = vjp(waves, x, x[1])
    w_bar, k_bar = pullback(out)
    more, _ = pullback(np.ones((3, 3)) * x)
    return np.sum(w_bar * more) + k_bar * np.sum(out)


@program(vector(3))
def pullback_after_a_write(x):
    w = x * 1.0
    out, pullback = vjp(lambda w: w**3, w)
    w[0] = 5.0
    (bar,) = pullback(out)
    return np.sum(bar * w)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@program(vector(3))
def newton_steps(x):
    for _ in range(2):
        x = x - np.linalg.solve(hessian(rosenbrock)(x) + 50 * np.eye(3), grad(rosenbrock)(x))
    return np.sum(x)


@program(lambda rng: (rng.uniform(0.5, 1.5, 2), np.linspace(0.0, 1.0, 5), rng.normal(size=5)))
def gauss_newton(p, t, y):
    def residual(p):
        return p[0] * np.exp(-p[1] * t) - y

    for _ in range(2):
        J = jacobian(residual)(p)
        p = p - np.linalg.solve(J.T @ J + 0.5 * np.eye(2), J.T @ residual(p))
    return np.sum(residual(p) ** 2)


@program(vector(3))
def jacobian_by_rows(x):
    J = jacrev(lambda w: np.array([np.sum(w**3), w[0] * w[1] * w[2]]))(x)
    return np.sum(J @ J.T)


@program(lambda rng: (rng.normal(size=(2, 2)),))
def jacobian_of_a_matrix(A):
    J = jacfwd(lambda A: A @ A)(A)
    return np.sum(J[0, :, :, 1] * A) + np.sum(J**2)


@program(vector(2))
def mixed_partials(x):
    def f(a, b):
        return np.sum(np.sin(a) * b**2) + a[0] * b[1]

    ((aa, ab), (_ba, bb)) = hessian(f, argnums=(0, 1))(x, x**2)
    return np.sum(aa * ab) + np.sum(ab @ bb)


@program(vector(3))
def product_with_the_hessian(x):
    return np.sum(hvp(rosenbrock, (x,), (np.cos(x),)) ** 2) * 1e-4


@program(lambda rng: (rng.uniform(0.3, 0.9),))
def third_derivative_of_a_number(x):
    third = grad(grad(grad(lambda t: np.sin(t) * t**2)))
    return third(x) * x


@program(lambda rng: (rng.normal(size=(4, 3)), rng.normal(size=4), 0.3))
def hypergradient_of_ridge(X, y, strength):
    def inner(w):
        return np.mean((X @ w - y) ** 2) + strength * np.sum(w**2)

    w = np.zeros(3)
    for _ in range(4):
        w = w - 0.1 * grad(inner)(w)
    return np.sum((X @ w - y) ** 2)


@program(lambda rng: (0.5 * rng.normal(size=4), rng.normal(size=4), rng.normal(size=4)))
def physics_informed_loss(w, b, v):
    def network(t):
        return np.sum(v * np.tanh(w * t + b))

    loss = (network(0.0) - 1.0) ** 2
    for t in np.linspace(0.0, 1.0, 3):
        u, slope = jvp(network, (t,), (1.0,))
        loss += (slope + 2.0 * u) ** 2
    return loss


@program(lambda rng: (rng.normal(size=3), rng.normal(size=3), 1.3))
def hamiltonian_dynamics(q, p, stiffness):
    def potential(q):
        return stiffness * np.sum(q**2) / 2 + np.sum(np.diff(q) ** 4) / 4

    force = grad(potential)
    for _ in range(5):
        p = p - 0.05 * force(q)
        q = q + 0.1 * p
        p = p - 0.05 * force(q)
    return np.sum(p**2) / 2 + potential(q)


class Oscillator:
    def __init__(self, stiffness):
        self.stiffness = stiffness

    def energy(self, q):
        return self.stiffness * np.sum(np.cosh(q))

    @grad
    def force(self, q):
        return -self.stiffness * np.sum(np.cosh(q))


@program(vector(3))
def derivatives_of_methods(x):
    body = Oscillator(x[0])
    return np.sum(body.force(x) * grad(body.energy)(2.0 * x))


@grad(argnames="scale")
def slope_in_scale(x, scale=2.0):
    return np.sum(np.sin(scale * x))


@program(vector(3))
def derivative_by_name(x):
    values = {"slope": slope_in_scale, "both": (value_and_grad, 1)}
    transform, place = values["both"]
    value, bar = transform(lambda a, b: np.sum(a * b**3), argnums=place)(x, x)
    return values["slope"](x, scale=x[1]) + value * np.sum(bar)


@program(vector(3))
def gradient_with_auxiliary_results(x):
    def loss(w):
        z = np.tanh(w)
        return np.sum(z**2), {"z": z, "name": "z"}

    bar, aux = grad(loss, has_aux=True)(x)
    return np.sum(bar * aux["z"])


@program(vector(4))
def gradient_while_it_is_large(x):
    def energy(w):
        return np.sum((w - x) ** 2) + np.sum(w**4)

    w = np.ones(4)
    steps = 0
    while np.sum(grad(energy)(w) ** 2) > 0.5 and steps < 20:
        w = w - 0.05 * grad(energy)(w)
        steps += 1
    return np.sum(w)
