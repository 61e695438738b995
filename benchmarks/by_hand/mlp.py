"""A network with two hidden tanh layers and a mean squared error."""

import numpy as np

argnums = (0, 1, 2, 3, 4, 5)
small = 3
typical = 64


def inputs(size):
    rng = np.random.default_rng(size)
    features, outputs, batch = size // 2 + 1, 2, 2 * size
    return (
        rng.standard_normal((features, size)) / np.sqrt(features),
        rng.standard_normal(size),
        rng.standard_normal((size, size)) / np.sqrt(size),
        rng.standard_normal(size),
        rng.standard_normal((size, outputs)) / np.sqrt(size),
        rng.standard_normal(outputs),
        rng.standard_normal((batch, features)),
        rng.standard_normal((batch, outputs)),
    )


def primal(w1, b1, w2, b2, w3, b3, x, y):
    h1 = np.tanh(x @ w1 + b1)
    h2 = np.tanh(h1 @ w2 + b2)
    guess = h2 @ w3 + b3
    return np.mean((guess - y) ** 2)


def gradient(w1, b1, w2, b2, w3, b3, x, y):
    h1 = np.tanh(x @ w1 + b1)
    h2 = np.tanh(h1 @ w2 + b2)
    guess = h2 @ w3 + b3

    guess_bar = 2 / guess.size * (guess - y)
    w3_bar = h2.T @ guess_bar
    b3_bar = guess_bar.sum(axis=0)
    a2_bar = (guess_bar @ w3.T) * (1 - h2 * h2)
    w2_bar = h1.T @ a2_bar
    b2_bar = a2_bar.sum(axis=0)
    a1_bar = (a2_bar @ w2.T) * (1 - h1 * h1)
    w1_bar = x.T @ a1_bar
    b1_bar = a1_bar.sum(axis=0)
    return w1_bar, b1_bar, w2_bar, b2_bar, w3_bar, b3_bar
