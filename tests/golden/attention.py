import numpy as np
from adcompiler.runtime import pole_product, pole_quotient, ties


def primal_grad(q, k, v, weight):
    """Gradient of primal with respect to q, k, v."""
    root = np.sqrt(q.shape[1])
    scores = q @ k.T / root
    t = scores.max(axis=1, keepdims=True)
    scores_2 = np.exp(scores - t)
    total = scores_2.sum(axis=1, keepdims=True)
    attention = scores_2 / total

    # return np.sum(weight * (attention @ v))
    attention_bar = weight @ v.T
    v_bar = attention.T @ weight
    # attention = scores / scores.sum(axis=1, keepdims=True)
    t_2 = pole_product(attention_bar, -attention / total)
    t_3 = pole_quotient(attention_bar, total)
    scores_bar = t_3 + t_2.sum(axis=1, keepdims=True)
    # scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    product = scores_bar * scores_2
    scores_bar = ties(scores, t, 1, True) * (-product).sum(axis=1, keepdims=True)
    scores_bar = product + scores_bar
    # scores = q @ k.T / np.sqrt(q.shape[1])
    t = pole_quotient(scores_bar, root)
    q_bar = t @ k
    k_bar = (q.T @ t).T
    return q_bar, k_bar, v_bar
