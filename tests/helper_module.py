"""A module that programs of the tests import, under every spelling."""

import numpy as np

SCALE = 1.5
TABLE = np.array([1.0, 2.0, 3.0])


def helper(x):
    return np.sin(x) * SCALE


class Lin:
    def __init__(self, a):
        self.a = a

    def __call__(self, x):
        return self.a * x
