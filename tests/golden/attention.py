import numpy as np
from adcompiler.runtime import pole_product, pole_quotient, ties


def primal_grad(q, k, v, weight):
    """Gradient of primal with respect to q, k, v."""
    root = np.sqrt(q.shape[1])
    scores = q @ k.T / root
    largest = scores.max(axis=1, keepdims=True)
    scores_2 = np.exp(scores - largest)
    total = scores_2.sum(axis=1, keepdims=True)
    attention = scores_2 / total

    # return np.sum(weight * (attention @ v))
    attention_bar = weight @ v.T
    v_bar = attention.T @ weight
    # attention = scores / scores.sum(axis=1, keepdims=True)
    product = pole_product(attention_bar, attention / total)
    ratio = pole_quotient(attention_bar, total)
    scores_bar = ratio - product.sum(axis=1, keepdims=True)
    # scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    product = scores_bar * scores_2
    product_2 = product.sum(axis=1, keepdims=True) * ties(scores, largest, 1, True)
    scores_bar = product - product_2
    # scores = q @ k.T / np.sqrt(q.shape[1])
    ratio = pole_quotient(scores_bar, root)
    q_bar = ratio @ k
    k_bar = ratio.T @ q
    return q_bar, k_bar, v_bar
