"""Discrete Fourier transforms along one axis.

The matrix of the transform is symmetric, so a transform is its own transpose; nothing is
conjugated. What is cut off or filled up with zeros by `n` is filled up or cut off on the way back.
"""

import numpy as np

from adcompiler.rules.book import linear
from adcompiler.runtime import cast, fitted, hermitian_weights, inverse_norm


@linear(np.fft.fft)
def fft(g, a, n=None, axis=-1, norm=None):
    return cast(fitted(np.fft.fft(g, None, axis, norm), np.shape(a)[axis], axis), a)


@linear(np.fft.ifft)
def ifft(g, a, n=None, axis=-1, norm=None):
    return cast(fitted(np.fft.ifft(g, None, axis, norm), np.shape(a)[axis], axis), a)


@linear(np.fft.rfft)
def rfft(g, a, n=None, axis=-1, norm=None):
    length = np.shape(a)[axis] if n is None else n
    return cast(fitted(np.fft.fft(g, length, axis, norm), np.shape(a)[axis], axis), a)


# The result is real: of the frequencies that are their own mirror image, the real part counts.
@linear(np.fft.irfft)
def irfft(g, a, n=None, axis=-1, norm=None):
    half = np.fft.rfft(g, None, axis, inverse_norm(norm))
    half = half * hermitian_weights(np.shape(g), axis)
    return cast(fitted(np.conjugate(half), np.shape(a)[axis], axis), a)


@linear(fitted)
def _(h, a, length, axis):
    return fitted(h, np.shape(a)[axis], axis)


@linear(np.fft.fftshift)
def fftshift(g, x, axes=None):
    return np.fft.ifftshift(g, axes)


@linear(np.fft.ifftshift)
def ifftshift(g, x, axes=None):
    return np.fft.fftshift(g, axes)
