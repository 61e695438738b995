"""What a seeded defect is, and the list of them all: see `defects`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from tests.fuzz.patching import edited, replaced, rule_replaced, wrapped


@dataclass(frozen=True)
class Defect:
    """A named way to break the compiler, and where the fuzzer should look for it."""

    name: str
    description: str
    changes: tuple[Callable[[], AbstractContextManager], ...]
    profile: str = "alias"
    modes: tuple[str, ...] = ("reverse",)

    @contextmanager
    def installed(self):
        with ExitStack() as stack:
            for change in self.changes:
                stack.enter_context(change())
            yield


DEFECTS: list[Defect] = []


def defect(name, description, *changes, **where):
    DEFECTS.append(Defect(name, description, changes, **where))


def put(path, new):
    return partial(replaced, path, new)


def around(path, make):
    return partial(wrapped, path, make)


def edit(path, old, new, times=1):
    return partial(edited, path, old, new, times)


def wrong_rule(primal, function, **changes):
    return partial(rule_replaced, primal, function, **changes)
