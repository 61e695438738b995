"""Matrix algorithms as textbooks write them, in place where they are."""

import math

import numpy as np

from tests.programs.registry import program


def dominant(rng, n=4):
    return rng.normal(size=(n, n)) + 4 * np.eye(n)


def definite(rng, n=4):
    A = rng.normal(size=(n, n))
    return A @ A.T + n * np.eye(n)


@program(lambda rng: (dominant(rng),))
def lu_by_elements(A):
    n = len(A)
    for j in range(n):
        for i in range(j + 1, n):
            A[i, j] /= A[j, j]
            for k in range(j + 1, n):
                A[i, k] -= A[i, j] * A[j, k]
    return np.sum(A * A)


@program(lambda rng: (dominant(rng),))
def lu_by_rows(A):
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            A[i, j] -= A[i, :i] @ A[:i, j]
    return np.sum(np.sin(A))


@program(lambda rng: (dominant(rng),))
def lu_by_outer_products(A):
    for k in range(len(A) - 1):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :])
    return np.log(np.abs(np.diag(A))).sum()


@program(lambda rng: (definite(rng),))
def cholesky_in_place(A):
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            A[i, j] -= np.dot(A[i, :j], A[j, :j])
            A[i, j] /= A[j, j]
        A[i, i] -= np.dot(A[i, :i], A[i, :i])
        A[i, i] = np.sqrt(A[i, i])
    return np.sum(np.tril(A) * np.arange(n))


@program(lambda rng: (definite(rng),))
def cholesky_into_a_factor(A):
    n = len(A)
    L = np.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                L[i, j] = math.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return 2 * np.sum(np.log(np.diag(L)))


@program(lambda rng: (dominant(rng), rng.normal(size=4)))
def triangular_solves(L, b):
    n = len(b)
    y = np.zeros(n)
    for i in range(n):
        y[i] = (b[i] - L[i, :i] @ y[:i]) / L[i, i]
    x = np.empty(n)
    for i in reversed(range(n)):
        x[i] = (y[i] - L[i + 1 :, i] @ x[i + 1 :]) / L[i, i]
    return x @ b


@program(lambda rng: (dominant(rng, 3),))
def gram_schmidt_in_place(A):
    for j in range(3):
        for i in range(j):
            A[:, j] -= (A[:, i] @ A[:, j]) * A[:, i]
        A[:, j] /= np.sqrt(A[:, j] @ A[:, j])
    return np.sum(A * np.arange(9.0).reshape(3, 3))


@program(lambda rng: (dominant(rng), rng.normal(size=4)))
def jacobi_iteration(A, b):
    diagonal = np.diag(A)
    rest = A - np.diag(diagonal)
    x = np.zeros(4)
    for _ in range(4):
        x = (b - rest @ x) / diagonal
    return np.sum(x**2)


@program(lambda rng: (definite(rng), rng.normal(size=4)))
def conjugate_gradients(A, b):
    x = np.zeros(4)
    r = b - A @ x
    p = r.copy()
    rr = r @ r
    for _ in range(3):
        Ap = A @ p
        alpha = rr / (p @ Ap)
        x += alpha * p
        r -= alpha * Ap
        new = r @ r
        p = r + new / rr * p
        rr = new
    return x @ b


@program(lambda rng: (rng.normal(size=(4, 4)) + 0.1 * np.eye(4),))
def determinant_with_pivots(A):
    n = len(A)
    determinant = 1.0
    for k in range(n):
        pivot = k + np.argmax(np.abs(A[k:, k]))
        if pivot != k:
            A[[k, pivot]] = A[[pivot, k]]
            determinant = -determinant
        determinant *= A[k, k]
        for i in range(k + 1, n):
            A[i, k:] -= A[i, k] / A[k, k] * A[k, k:]
    return determinant


@program(lambda rng: (dominant(rng, 3),))
def householder_qr(A):
    n = len(A)
    for k in range(n - 1):
        v = A[k:, k].copy()
        v[0] += np.sqrt(v @ v)
        v /= np.sqrt(v @ v)
        A[k:, k:] -= 2 * np.outer(v, v @ A[k:, k:])
    return np.sum(np.triu(A) ** 3)


@program(lambda rng: (rng.normal(size=(3, 3)) * 0.3,))
def exponential_series(A):
    term = np.eye(3)
    total = np.eye(3)
    for k in range(1, 7):
        term = term @ A / k
        total = total + term
    return np.trace(total @ total)


@program(lambda rng: (rng.normal(size=(5, 2)), rng.normal(size=5)))
def least_squares(X, y):
    w = np.linalg.solve(X.T @ X + 0.1 * np.eye(2), X.T @ y)
    residual = y - X @ w
    return residual @ residual


@program(lambda rng: (definite(rng, 3), rng.normal(size=3)))
def gaussian_log_likelihood(C, x):
    C = 0.5 * (C + C.T)  # a factorisation may read one triangle, or both
    L = np.linalg.cholesky(C)
    return -0.5 * x @ np.linalg.inv(C) @ x - np.sum(np.log(np.diag(L)))


@program(lambda rng: (rng.normal(size=(2, 2)) * 0.5, rng.normal(size=(4, 2))))
def kalman_filter(F, measurements):
    x = np.zeros(2)
    P = np.eye(2)
    energy = 0.0
    for z in measurements:
        x = F @ x
        P = F @ P @ F.T + 0.1 * np.eye(2)
        S = P + 0.5 * np.eye(2)
        K = P @ np.linalg.inv(S)
        innovation = z - x
        energy += innovation @ np.linalg.solve(S, innovation) + np.log(np.linalg.det(S))
        x = x + K @ innovation
        P = (np.eye(2) - K) @ P
    return energy


@program(lambda rng: (rng.normal(size=(3, 4)), rng.normal(size=(4, 2))))
def product_by_loops(A, B):
    C = np.zeros((3, 2))
    for i in range(3):
        for j in range(2):
            for k in range(4):
                C[i, j] += A[i, k] * B[k, j]
    return np.sum(C**2)
