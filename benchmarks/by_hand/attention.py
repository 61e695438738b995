"""Attention: softmax(q k^T / sqrt(d)) v, weighted and summed.

Softmax does not depend on the shift by the row maximum, so no adjoint flows into the maximum.
"""

import numpy as np

argnums = (0, 1, 2)
small = 3
typical = 128


def inputs(size):
    rng = np.random.default_rng(size)
    depth = max(2, size // 4)
    return tuple(rng.standard_normal((size, depth)) for _ in range(4))


def primal(q, k, v, weight):
    scores = q @ k.T / np.sqrt(q.shape[1])
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    attention = scores / scores.sum(axis=1, keepdims=True)
    return np.sum(weight * (attention @ v))


def gradient(q, k, v, weight):
    scale = 1 / np.sqrt(q.shape[1])
    q = q * scale
    attention = q @ k.T
    attention -= attention.max(axis=1, keepdims=True)
    np.exp(attention, out=attention)
    attention /= attention.sum(axis=1, keepdims=True)

    v_bar = attention.T @ weight
    scores_bar = weight @ v.T
    scores_bar -= np.vecdot(attention, scores_bar)[:, None]
    scores_bar *= attention
    k_bar = scores_bar.T @ q
    q_bar = scores_bar @ k * scale
    return q_bar, k_bar, v_bar
