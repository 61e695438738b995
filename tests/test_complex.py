"""Complex arguments: gradients in JAX's convention, against differences.

The gradient of a real function f of z = x + iy is df/dx - i df/dy, so that the change of f along dz
is the real part of `sum(gradient * dz)`.
"""

import numpy as np
import pytest

from adcompiler import grad, hessian, jvp, value_and_grad, vjp
from adcompiler.errors import AdcompilerError

Z = np.array([0.4 - 1.1j, -0.7 + 0.2j, 1.3 + 0.9j])


def energy(z):
    return np.sum(np.abs(z * z + 1) ** 2)


def holomorphic_and_not(z):
    return np.sum(np.real(np.exp(z) * z)) + np.sum(np.imag(np.sin(z)) * np.abs(z))


def written_in_place(z):
    w = np.zeros(3, dtype=complex)
    for i in range(3):
        w[i] = z[i] * np.conj(z[i - 1]) + i
        w[i] *= 1j
    z[1:] = w[:-1]
    return np.sum(w.real**2) + np.sum(z.imag * w.real)


def solved(z):
    return np.real(np.sum(np.linalg.solve(np.outer(z, z) + 3 * np.eye(3), z)))


def iterated(z):
    s = 0.0
    for v in z:
        s = s + v.real * v.imag + abs(v)
    return s


def powers(z):
    return np.sum(np.real(z**3 + z**2.5 + 2.0**z + np.sqrt(z) + np.log(z) + z / (1 + z)))


def products(z):
    return np.abs(np.vdot(z, z * 1j + 1)) + np.real(np.dot(z, z)) + np.angle(z[0])


def real_alone(z):
    return np.sum(np.real(z) ** 2)


def real_parts_of_what_is_written(z):
    s = 0.0
    for i in range(2):
        z[i] *= z[i + 1]
        s += np.sum(z.real * np.conj(z).imag)
    return s


FUNCTIONS = [
    energy, holomorphic_and_not, written_in_place, solved, iterated, powers, products, real_alone,
    real_parts_of_what_is_written,
]  # fmt: skip


def along(f, z, direction, step=1e-6):
    return (f(z + step * direction) - f(z - step * direction)) / (2 * step)


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradient_and_tangent(f):
    rng = np.random.default_rng(0)
    before = Z.copy()
    value, gradient = value_and_grad(f)(Z)
    np.testing.assert_array_equal(Z, before)
    assert value == f(Z.copy())
    assert gradient.dtype == complex
    for _ in range(3):
        direction = rng.normal(size=3) + 1j * rng.normal(size=3)
        expected = along(lambda z: f(z.copy()), Z, direction)
        np.testing.assert_allclose(np.sum(gradient * direction).real, expected, rtol=1e-6)
        _, tangent = jvp(f, (Z,), (direction,))
        np.testing.assert_allclose(tangent, expected, rtol=1e-6)


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_as_jax_has_it(f):
    jax = pytest.importorskip("jax")
    if f in (written_in_place, real_parts_of_what_is_written):
        pytest.skip("it writes arrays")
    jax.config.update("jax_enable_x64", True)
    source = __import__("inspect").getsource(f)
    space = {"np": jax.numpy}
    exec(source, space)  # the same text, on their arrays
    theirs = jax.grad(space[f.__name__])(jax.numpy.asarray(Z))
    np.testing.assert_allclose(grad(f)(Z), theirs, rtol=1e-9, atol=1e-12)


def test_a_complex_result_has_a_pullback():
    out, pullback = vjp(lambda z: z * z, Z)
    np.testing.assert_allclose(out, Z * Z)
    np.testing.assert_allclose(pullback(np.ones(3, complex))[0], 2 * Z)


def test_a_complex_result_has_no_gradient():
    with pytest.raises(AdcompilerError, match="return a real number"):
        grad(lambda z: np.sum(z * z))(Z)


def test_real_arguments_keep_real_gradients():
    def f(x):
        return np.abs(np.sum(np.exp(1j * x) * x))

    x = np.array([0.3, 1.4, -0.8])
    gradient = grad(f)(x)
    assert gradient.dtype == float
    np.testing.assert_allclose(np.sum(gradient), along(f, x, np.ones(3)), rtol=1e-6)
    second = hessian(f)(x)
    np.testing.assert_allclose(
        second @ np.ones(3), along(grad(f), x, np.ones(3)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "f", [lambda z: np.abs(np.max(z)), lambda z: np.abs(np.sum(np.sort(z))), lambda z: np.std(z)]
)
def test_rules_for_real_numbers_refuse_complex_ones(f):
    with pytest.raises(AdcompilerError, match="real numbers only"):
        grad(f)(Z)
