"""Seeded defects: the compiler with one thing left out, to prove that the fuzzer would notice.

A defect is a context manager that changes the compiler for the time of the block:

    @defect(profile="alias")
    def restores_are_dropped():
        "The reversed store does not put the old value back."
        with replaced("adcompiler.passes.differentiate.restore", lambda *args: None):
            yield

`first_detection` looks for a program that fails with the defect and passes without it. The names
that `replaced` takes must exist, so that a defect cannot fade away when the compiler changes.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.fuzz.check import Outcome, check
from tests.fuzz.generate import generate

MOST_PROGRAMS = 2000


@dataclass(frozen=True)
class Defect:
    """A named way to break the compiler, and where the fuzzer should look for it."""

    name: str
    description: str
    install: Callable[[], AbstractContextManager]
    profile: str = "all"
    modes: tuple[str, ...] = ("reverse",)


DEFECTS: list[Defect] = []


def defect(profile="all", modes=("reverse",)):
    """Register a generator function, with one yield, as a defect."""

    def register(function):
        description = " ".join((function.__doc__ or "").split())
        installed = contextmanager(function)
        DEFECTS.append(Defect(function.__name__, description, installed, profile, modes))
        return function

    return register


@contextmanager
def replaced(path, new):
    """Put `new` in the place of what a dotted path names: a function, a class' method, a value."""
    parts = path.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            owner = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:-1]:
            owner = getattr(owner, part)
        break
    else:
        raise ModuleNotFoundError(f"nothing in {path!r} can be imported")
    old = vars(owner)[parts[-1]]
    setattr(owner, parts[-1], new)
    try:
        yield old
    finally:
        setattr(owner, parts[-1], old)


def first_detection(defect: Defect, count=MOST_PROGRAMS, seed=0) -> Outcome | None:
    """The first failure that is the defect's doing, or None."""
    for number in range(seed, seed + count):
        program = generate(number, defect.profile)
        with defect.install():
            outcome = check(program, defect.modes)
        if outcome.failed and not check(program, defect.modes).failed:
            return outcome
    return None


# The defects ------------------------------------------------------------------------------------
