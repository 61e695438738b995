"""Real functions of real arguments whose way leads through complex numbers."""

import cmath

import numpy as np

from tests.programs.registry import program, vector


def pair(rng, n=4):
    return rng.normal(size=n), rng.uniform(0.5, 1.5, n)


@program(pair, argnums=(0, 1), smooth=True)
def power_spectrum_by_its_definition(signal, window):
    n = len(signal)
    k = np.arange(n)
    waves = np.exp(-2j * np.pi * np.outer(k, k) / n)
    spectrum = waves @ (signal * window)
    return np.sum(np.arange(n) * np.abs(spectrum) ** 2)


@program(pair, argnums=(0, 1), smooth=True)
def fields_written_in_place(x, y):
    z = np.zeros(len(x), dtype=complex)
    z[:] = x + 1j * y
    for i in range(1, len(z)):
        z[i] = z[i] * np.conj(z[i - 1]) + i
        z[i] *= 1j
    return np.sum(z.real * z.imag)


@program(pair, argnums=(0, 1), smooth=True)
def impedance_of_a_ladder(r, c):
    z = 1.0 + 0j
    for k in range(len(r)):
        z = 1 / (1 / (z + r[k] ** 2) + 0.3j * c[k])
    return abs(z)


@program(pair, argnums=(0, 1), smooth=True)
def complex_linear_system(x, y):
    A = np.outer(x, x) + 2.0 * np.eye(len(x)) + 1j * np.diag(y)
    v = np.linalg.solve(A, x + 1j)
    return np.real(np.vdot(v, v)) + np.imag(v[0])


@program(lambda rng: (rng.uniform(0.5, 1.5), rng.uniform(0.5, 1.5)), argnums=(0, 1), smooth=True)
def numbers_of_cmath(a, b):
    z = complex(a, b)
    w = cmath.exp(z) * cmath.sqrt(z) + cmath.log(z) * z.conjugate()
    return w.real + cmath.phase(w) * w.imag


@program(vector(5), smooth=True)
def escape_after_some_steps(x):
    total = 0.0
    for v in x:
        z = 0j
        c = 0.2 * v + 0.4j
        for _ in range(4):
            z = z * z + c
            if abs(z) > 2.0:
                break
        total += z.real**2 + z.imag
    return total


@program(pair, argnums=(0, 1), smooth=True)
def real_numbers_stored_among_complex_ones(x, y):
    z = x * 1j
    z[1:3] = y[1:3]
    z[0] += y[0]
    w = z * z
    return np.sum(w.real) + np.sum(np.angle(w + 3.0))


@program(pair, argnums=(0, 1), smooth=True)
def writes_through_a_reshaped_view(x, y):
    z = np.zeros((2, 2), dtype=complex)
    flat = np.reshape(z, (4,))
    flat[:] = np.exp(1j * x) * y
    z[0] *= z[1]
    return np.sum(np.abs(z @ z) ** 2)


@program(pair, argnums=(0, 1), smooth=True)
def writes_through_real_parts(x, y):
    z = np.exp(1j * np.outer(x, y))
    part = z.real
    for i in range(1, len(x)):
        part[i] = part[i - 1] * x[i]
        z[i] *= 0.3 + 0.5j
        z.real[i, 0] += y[i]
    for row in np.real(z):
        row *= y
    return np.sum((z * z * (1 + 2j)).imag) + np.sum(part[1] * x)
