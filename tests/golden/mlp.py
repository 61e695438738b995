import numpy as np


def primal_grad(w1, b1, w2, b2, w3, b3, x, y):
    """Gradient of primal with respect to w1, b1, w2, b2, w3, b3."""
    h1 = np.tanh(x @ w1 + b1)
    h2 = np.tanh(h1 @ w2 + b2)
    guess = h2 @ w3 + b3

    # return np.mean((guess - y) ** 2)
    guess_bar = 2 / (w1.shape[0] * x.shape[0]) * (guess - y)
    # guess = h2 @ w3 + b3
    b3_bar = guess_bar.sum(axis=0)
    h2_bar = guess_bar @ w3.T
    w3_bar = h2.T @ guess_bar
    # h2 = np.tanh(h1 @ w2 + b2)
    product = h2_bar * (1 - h2 * h2)
    b2_bar = product.sum(axis=0)
    h1_bar = product @ w2.T
    w2_bar = h1.T @ product
    # h1 = np.tanh(x @ w1 + b1)
    product = h1_bar * (1 - h1 * h1)
    b1_bar = product.sum(axis=0)
    w1_bar = x.T @ product
    return w1_bar, b1_bar, w2_bar, b2_bar, w3_bar, b3_bar
