"""The list of programs, each with arguments to run it at.

    @program(lambda rng: (rng.normal(size=3), 0.5))
    def decay(x, rate):
        return np.sum(np.exp(-rate * x))

The decorator returns the function as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A program and how it is checked."""

    function: Callable
    arguments: Callable
    """Takes a `numpy.random.Generator`, returns the tuple of arguments."""
    smooth: bool
    """Whether second derivatives exist at the arguments, so that they are checked."""
    argnums: tuple[int, ...] | None
    """Arguments to differentiate; all that hold floats if None."""

    @property
    def name(self):
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"


PROGRAMS: list[Case] = []


def program(arguments, *, smooth=True, argnums=None):
    """Register the function below as a program."""

    def register(function):
        PROGRAMS.append(Case(function, arguments, smooth, argnums))
        return function

    return register


def vector(size, low=0.2, high=1.5):
    """Arguments: one vector."""
    return lambda rng: (rng.uniform(low, high, size),)


def numbers(*values):
    """Arguments: these values."""
    return lambda rng: values
