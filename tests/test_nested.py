"""Derivatives inside differentiated functions, against JAX and closed forms; what is refused."""

from dataclasses import dataclass

import numpy as np
import pytest

import adcompiler
from adcompiler import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, value_and_grad, vjp
from adcompiler.errors import AdcompilerError
from tests.programs import nested

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

X = np.array([0.4, -1.1, 0.7])


def close(found, expected, rtol=1e-10):
    np.testing.assert_allclose(found, np.asarray(expected), rtol=rtol, atol=1e-12)


# -- against JAX --------------------------------------------------------------------------------


def test_hypergradient():
    def by_jax(A, y, strength):
        def inner(w):
            return jnp.mean((A @ w - y) ** 2) + strength * jnp.sum(w**2)

        w = jnp.zeros(3)
        for _ in range(4):
            w = w - 0.1 * jax.grad(inner)(w)
        return jnp.sum((A @ w - y) ** 2)

    rng = np.random.default_rng(0)
    args = rng.normal(size=(4, 3)), rng.normal(size=4), 0.3
    ours = grad(nested.hypergradient_of_ridge, argnums=(0, 1, 2))(*args)
    for found, expected in zip(ours, jax.grad(by_jax, argnums=(0, 1, 2))(*args), strict=True):
        close(found, expected)
    close(
        hessian(nested.hypergradient_of_ridge, argnums=2)(*args),
        jax.hessian(by_jax, argnums=2)(*args),
    )


def test_implicit_newton_steps():
    def by_jax(x):
        for _ in range(2):
            f = nested_rosenbrock
            x = x - jnp.linalg.solve(jax.hessian(f)(x) + 50 * jnp.eye(3), jax.grad(f)(x))
        return jnp.sum(x)

    def nested_rosenbrock(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    close(grad(nested.newton_steps)(X), jax.grad(by_jax)(X))
    close(hessian(nested.newton_steps)(X), jax.hessian(by_jax)(X), rtol=1e-8)


def test_physics_informed_loss():
    def by_jax(w, b, v):
        def network(t):
            return jnp.sum(v * jnp.tanh(w * t + b))

        loss = (network(0.0) - 1.0) ** 2
        for t in np.linspace(0.0, 1.0, 3):
            u, slope = jax.jvp(network, (t,), (1.0,))
            loss += (slope + 2.0 * u) ** 2
        return loss

    args = tuple(np.random.default_rng(1).normal(size=(3, 4)))
    ours = grad(nested.physics_informed_loss, argnums=(0, 1, 2))(*args)
    for found, expected in zip(ours, jax.grad(by_jax, argnums=(0, 1, 2))(*args), strict=True):
        close(found, expected)


def test_hamiltonian_dynamics():
    def by_jax(q, p, stiffness):
        def potential(q):
            return stiffness * jnp.sum(q**2) / 2 + jnp.sum(jnp.diff(q) ** 4) / 4

        force = jax.grad(potential)
        for _ in range(5):
            p = p - 0.05 * force(q)
            q = q + 0.1 * p
            p = p - 0.05 * force(q)
        return jnp.sum(p**2) / 2 + potential(q)

    args = X, X[::-1].copy(), 1.3
    ours = grad(nested.hamiltonian_dynamics, argnums=(0, 1, 2))(*args)
    for found, expected in zip(ours, jax.grad(by_jax, argnums=(0, 1, 2))(*args), strict=True):
        close(found, expected)


# -- closed forms -------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", ["reverse", "forward"])
def test_third_order_of_a_number(outer):
    def second(t):
        return grad(grad(lambda s: np.sin(s) * s**2))(t)

    t = 0.7
    # d/dt (2 sin t + 4 t cos t - t^2 sin t)
    expected = 6 * np.cos(t) - 6 * t * np.sin(t) - t * t * np.cos(t)
    found = grad(second)(t) if outer == "reverse" else jvp(second, (t,), (1.0,))[1]
    assert found == pytest.approx(expected, rel=1e-12)


def test_third_and_fourth_order_through_a_loop():
    def power(x):
        y = 1.0
        for _ in range(5):
            y = y * x
        return y

    def curvature(x):
        return hessian(power)(x)

    assert grad(curvature)(1.5) == pytest.approx(60 * 1.5**2)
    assert grad(grad(curvature))(1.5) == pytest.approx(120 * 1.5)


@pytest.mark.parametrize("mode", [jacobian, jacfwd, jacrev])
def test_jacobians_in_every_shape(mode):
    def of_number(x):
        return mode(lambda t: t**3)(x)

    assert grad(of_number)(2.0) == pytest.approx(12.0)

    def of_vector(x):
        return np.sum(mode(lambda w: np.sin(w) * w[0])(x))

    expected = jax.grad(lambda x: jnp.sum(jax.jacobian(lambda w: jnp.sin(w) * w[0])(x)))(X)
    close(grad(of_vector)(X), expected)

    def to_number(x):
        return np.sum(mode(lambda w: np.sum(w**3))(x))

    close(grad(to_number)(X), 6 * X)

    def to_matrix(A):
        J = mode(lambda A: np.sin(A) @ A)(A)
        return np.sum(J * np.arange(J.size).reshape(J.shape))

    def by_jax(A):
        J = jax.jacobian(lambda A: jnp.sin(A) @ A)(A)
        return jnp.sum(J * np.arange(J.size).reshape(J.shape))

    A = np.random.default_rng(2).normal(size=(2, 2))
    close(value_and_grad(to_matrix)(A)[0], by_jax(A))
    close(grad(to_matrix)(A), jax.grad(by_jax)(A))


@dataclass
class Weights:
    w: np.ndarray
    b: float
    name: str = "layer"


def test_structures_go_in_and_come_out():
    def f(x):
        p = Weights(x * 2, x[0])
        loss = lambda p: np.sum(np.tanh(p.w) * p.b)  # noqa: E731
        bar = grad(loss)(p)
        out, dot = jvp(lambda p: {"z": p.w * p.b, "n": 3, "s": p.name}, (p,), (bar,))
        value, pull = vjp(lambda p: (p.w * p.b, p.b), p)
        (back,) = pull((dot["z"], 1.0))
        J = jacfwd(lambda p: {"z": p.w * p.b})(p)
        return np.sum(out["z"] * dot["z"]) * bar.b + np.sum(back.w * bar.w) + np.sum(J["z"].b)

    def by_jax(x):
        w, b = x * 2, x[0]
        loss = lambda w, b: jnp.sum(jnp.tanh(w) * b)  # noqa: E731
        bars = jax.grad(loss, (0, 1))(w, b)
        out, dot = jax.jvp(lambda w, b: w * b, (w, b), bars)
        value, pull = jax.vjp(lambda w, b: (w * b, b), w, b)
        back = pull((dot, 1.0))
        return jnp.sum(out * dot) * bars[1] + jnp.sum(back[0] * bars[0]) + jnp.sum(w)

    close(f(X), by_jax(X))
    close(grad(f)(X), jax.grad(by_jax)(X))


OUTSIDE = {
    "hessian": hessian(nested.fitted),
    "jacobian": jacobian(lambda w, x: w * x, argnums=(0, 1)),
    "grad": grad(nested.fitted, argnames=("w", "x")),
    "both": value_and_grad(lambda w: (np.sum(w**2), w * 3), has_aux=True),
}


def test_transforms_that_were_applied_outside():
    def f(x, transforms):
        H = transforms["hessian"](x, x)
        to_w, to_x = transforms["jacobian"](x, x**2)
        bars = transforms["grad"](x, x)
        (loss, aux), bar = transforms["both"](x)
        return np.sum(H @ to_w @ to_x) + np.sum(bars["w"] * bars["x"]) + loss * np.sum(aux * bar)

    def by_jax(x):
        def fitted(w, x):
            return jnp.sum((jnp.tanh(w * x) - 0.3) ** 2) + 0.1 * jnp.sum(w * w)

        H = jax.hessian(fitted)(x, x)
        to_w, to_x = jnp.diag(x**2), jnp.diag(x)
        w_bar, x_bar = jax.grad(fitted, (0, 1))(x, x)
        return (
            jnp.sum(H @ to_w @ to_x)
            + jnp.sum(w_bar * x_bar)
            + jnp.sum(x**2) * jnp.sum(3 * x * 2 * x)
        )

    close(f(X, OUTSIDE), by_jax(X))
    close(grad(f)(X, OUTSIDE), jax.grad(by_jax)(X))


def test_what_a_derivative_reads_as_an_argument_is_seen():
    """The value of `axis` is asked for inside; a change of it is another signature."""

    def f(A, axis):
        return np.sum(grad(lambda B: np.sum(np.prod(B, axis=axis)))(A) * A)

    A = np.random.default_rng(3).uniform(0.5, 1.5, (2, 3))
    derivative = grad(f)
    for axis, factor in ((0, 2), (1, 3), (0, 2)):
        products = np.prod(A, axis=axis, keepdims=True)
        close(derivative(A, axis), factor * products / A)


def test_arguments_are_not_changed_and_writes_stay_inside():
    def f(x):
        def filled(w):
            w[0] = w[1] * w[2]
            return np.sum(w**2)

        w = x * 1.0
        bar = grad(filled)(w)
        return np.sum(bar * w)

    def by_hand(x):
        # 2 w2 (w1 w2) and 2 w1, and the like: filled is (w1 w2)^2 + w1^2 + w2^2.
        return 2 * (2 * x[1] ** 2 * x[2] ** 2 + x[1] ** 2 + x[2] ** 2)

    close(f(X), by_hand(X))
    a, b = X[1], X[2]
    close(grad(f)(X), [0.0, 8 * a * b**2 + 4 * a, 8 * a**2 * b + 4 * b])


def test_random_numbers_are_drawn_once():
    draws = []

    def noise(n):
        draws.append(n)
        return np.ones(n)

    generator = np.random.default_rng(0)

    def f(x):
        return np.sum(grad(lambda w: np.sum(w**2 * generator.normal(size=3)))(x) * x)

    generator = np.random.default_rng(0)
    found = grad(f)(X)
    close(found, 4 * X * np.random.default_rng(0).normal(size=3))


# -- refused ------------------------------------------------------------------------------------

_, PULLBACK = vjp(lambda x: x**3, X)


def _pullback_from_outside(x):
    return np.sum(PULLBACK(x)[0])


def _not_one_number(x):
    return np.sum(grad(lambda w: w * 2)(x))


def _tangent_of_another_shape(x):
    return np.sum(jvp(np.sin, (x,), (1.0,))[1])


def _number_of_tangents(x):
    return np.sum(jvp(lambda a, b: a * b, (x, x), (x,))[1])


def _changes_what_is_around(x):
    log = {"n": 0.0}

    def loss(w):
        log["n"] = log["n"] + 1.0
        return np.sum(w**2)

    return np.sum(grad(loss)(x)) * log["n"]


def _writes_an_array_around(x):
    kept = np.zeros(3)

    def loss(w):
        kept[0] = w[0]
        return np.sum(w**2)

    return np.sum(grad(loss)(x)) + kept[0]


def _no_such_argument(x):
    return np.sum(grad(lambda w: np.sum(w), argnums=3)(x))


def _no_such_name(x):
    return np.sum(grad(lambda w: np.sum(w), argnames="v")(x))


def _no_such_option(x):
    return np.sum(grad(lambda w: np.sum(w), wrt=0)(x))


def _integers(x):
    return np.sum(x) * grad(lambda n: n * 2)(3)


def _list_that_grew(x):
    xs = []
    for v in x:
        xs.append(v)
    return grad(lambda items: items[0] * items[1])(xs)[0]


def _returns_a_function(x):
    out, dot = jvp(lambda w: (w, lambda t: t * w), (x,), (x,))
    return np.sum(dot[0])


def _tape_inside(x):
    return np.sum(adcompiler.tape.grad(lambda w: np.sum(w**2))(x))


REFUSED = {
    _pullback_from_outside: ("pullback that was made outside", "vjp in this function"),
    _not_one_number: ("not one number", "return a sum"),
    _tangent_of_another_shape: ("tangent of a value", "shape of the value"),
    _number_of_tangents: ("jvp", "one tangent for each primal"),
    _changes_what_is_around: ("changes what is around", "return what it computes"),
    _writes_an_array_around: ("writes an array of the one around", "as an argument"),
    _no_such_argument: ("argnums=3", "argnames"),
    _no_such_name: ("argnames='v'", "pass it"),
    _no_such_option: ("call of `grad`", "documentation"),
    _integers: ("a gradient", ""),
    _list_that_grew: ("list that grew", "np.array(xs)"),
    _returns_a_function: ("returns a function", "arrays and numbers"),
    _tape_inside: ("", ""),
}


@pytest.mark.parametrize("f", REFUSED, ids=lambda f: f.__name__)
def test_refused(f):
    says, remedy = REFUSED[f]
    with pytest.raises(AdcompilerError) as caught:
        grad(f)(X)
    assert says in caught.value.message and remedy in caught.value.remedy
    assert caught.value.position is not None
    first = f.__code__.co_firstlineno
    assert caught.value.position.file.endswith(".py")
    assert says == "" or first <= caught.value.position.line <= first + 12


def test_a_jacobian_in_what_changes_its_precision():
    """The first trip makes a float64 array of a float32 one: in the loop it is either."""

    def newton(x):
        for _ in range(2):
            slopes = hessian(lambda z: np.sum(z**4))(x)
            x = x - np.linalg.solve(slopes + np.eye(3), np.ones(3))
        return np.sum(x)

    assert grad(newton)(X).shape == (3,)
    with pytest.raises(AdcompilerError, match="the type of the argument is not known"):
        grad(newton)(X.astype(np.float32))


def test_a_tangent_of_another_length_raises_when_it_runs():
    def f(x, n):
        return np.sum(jvp(np.sin, (x,), (np.ones(n),))[1])

    close(grad(f)(X, 3), -np.sin(X))
    with pytest.raises(ValueError, match="shape"):
        grad(f)(X, 2)


def test_product_with_the_hessian_of_several_arguments():
    def f(x):
        a, b = hvp(lambda p, q: np.sum(p**2 * q), (x, x), (x, 2 * x))
        return np.sum(a * b)

    # a = 2 q dp + 2 p dq = 6 x^2, b = 2 p dp = 2 x^2
    close(grad(f)(X), 48 * X**3)


def counted_down(v, p, k):
    if k:
        return (p + v).sum()
    counted_down(v, p, 1)
    v[k] *= 0.5
    return 1.0


def values_of_a_recursive_function(x, y):
    total = 0.0
    for i in range(3):
        s, slope = value_and_grad(lambda u: counted_down(u * np.ones(1), x, i))(y)  # noqa: B023
        total += s
    return total


def test_a_recursive_function_inside():
    """What saves is a call too, and has told memory from values already."""
    with pytest.raises(AdcompilerError, match="second derivative through a function"):
        value_and_grad(values_of_a_recursive_function, argnums=(0, 1))(1.2, 1.3)
