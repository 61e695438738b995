"""Models and losses of machine learning."""

import numpy as np

from tests.programs.registry import program


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


@program(lambda rng: (rng.normal(size=5), rng.normal(size=5)))
def weighted_softmax(x, weights):
    return np.sum(softmax(x) * weights)


@program(lambda rng: (rng.normal(size=(3, 2)), rng.normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])))
def cross_entropy(w, X, labels):
    logits = X @ w
    logits = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
    return -np.mean(log_probabilities[np.arange(len(labels)), labels])


@program(
    lambda rng: (
        rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2)), rng.normal(size=2),
        rng.normal(size=(5, 3)), rng.normal(size=(5, 2)),
    ),
    argnums=(0, 1, 2, 3),
)  # fmt: skip
def mlp(w1, b1, w2, b2, X, Y):
    hidden = np.tanh(X @ w1 + b1)
    return np.mean((hidden @ w2 + b2 - Y) ** 2)


@program(lambda rng: (rng.normal(size=3), rng.normal(size=(6, 3)), np.array([1.0, 0, 0, 1, 1, 0])))
def logistic_regression(w, X, y):
    z = X @ w
    return np.sum(np.logaddexp(0, z) - y * z) + 0.1 * np.sum(w**2)


@program(
    lambda rng: (rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=(4, 2))),
)
def recurrent_network(W, U, inputs):
    h = np.zeros(3)
    states = []
    for x in inputs:
        h = np.tanh(W @ h + U @ x)
        states.append(h)
    return np.sum(np.array(states) * np.arange(12.0).reshape(4, 3))


@program(lambda rng: tuple(rng.normal(size=(3, 4)) for _ in range(3)))
def attention(queries, keys, values):
    scores = queries @ keys.T / np.sqrt(queries.shape[1])
    return np.sum((softmax(scores) @ values) ** 2)


@program(lambda rng: (rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=4)))
def layer_norm(x, gain, bias):
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    y = (x - mean) / np.sqrt(variance + 1e-2) * gain + bias
    return np.sum(np.sin(y))


@program(
    lambda rng: (rng.normal(size=3), rng.uniform(0.5, 1, 3), rng.normal(size=3), rng.normal(size=6))
)
def mixture_of_gaussians(means, widths, logits, data):
    total = 0.0
    for x in data:
        z = logits - 0.5 * ((x - means) / widths) ** 2 - np.log(widths)
        highest = z.max()
        total += highest + np.log(np.exp(z - highest).sum())
    return total - len(data) * np.log(np.exp(logits).sum())


@program(lambda rng: (rng.normal(size=(5, 5)), rng.normal(size=(3, 3))))
def convolution_by_slices(image, kernel):
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            out += kernel[i, j] * image[i : i + 3, j : j + 3]
    return np.sum(np.maximum(out, 0.0) ** 3)


@program(lambda rng: (rng.normal(size=(4, 4)), rng.normal(size=(2, 2))))
def convolution_by_patches(image, kernel):
    out = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            out[i, j] = np.sum(image[i : i + 2, j : j + 2] * kernel)
    return np.sum(np.tanh(out))


@program(lambda rng: (rng.normal(size=(2, 2)), rng.normal(size=(6, 2))))
def soft_k_means(centres, points):
    for _ in range(2):
        distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        weights = softmax(-distances)
        centres = (weights.T @ points) / weights.sum(axis=0)[:, None]
    return np.sum(centres**2)


@program(lambda rng: (rng.normal(size=(4, 3)), np.array([1, 1, 3])))
def embeddings(table, words):
    vectors = table[words]
    return np.sum(vectors.mean(axis=0) ** 2) + vectors[0] @ vectors[2]


@program(lambda rng: (rng.normal(size=(6, 2)), rng.normal(size=2)), argnums=(1,))
def gradient_descent_inside(X, w):
    for _ in range(3):
        error = np.tanh(X @ w) - 0.5
        w -= 0.1 * X.T @ (error * (1 - np.tanh(X @ w) ** 2))
    return np.sum(w**2)
