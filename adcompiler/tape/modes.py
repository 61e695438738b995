"""Whether operations are recorded: per thread, as in PyTorch.

>>> from adcompiler.tape import is_grad_enabled, no_grad
>>> with no_grad():
...     is_grad_enabled()
False
>>> is_grad_enabled()
True
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, Self


class _Mode(threading.local):
    enabled = True  # what a new thread starts with


MODE = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded."""
    return MODE.enabled


class set_grad_enabled:
    """Record operations, or do not: at once, until the end of a `with`, or inside a function.

    Parameters
    ----------
    mode : bool
        Whether to record.
    """

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before = [MODE.enabled]
        MODE.enabled = mode

    def __enter__(self) -> Self:
        MODE.enabled = self.mode
        return self

    def __exit__(self, *exception: Any) -> None:
        MODE.enabled = self.before[-1]

    def __call__(self, function: Callable) -> Callable:
        MODE.enabled = self.before[-1]  # a decorator acts only inside the call
        return _decorated(function, lambda: _Switch(self.mode))


class _Switch:
    """Record operations inside a `with`, or do not. One object may be entered several times."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before: list[bool] = []

    def __enter__(self) -> Self:
        self.before.append(MODE.enabled)
        MODE.enabled = self.mode
        return self

    def __exit__(self, *exception: Any) -> None:
        MODE.enabled = self.before.pop()

    def __call__(self, function: Callable) -> Callable:
        return _decorated(function, lambda: _Switch(self.mode))


class no_grad(_Switch):
    """Do not record: a context manager, and a decorator with or without parentheses."""

    def __new__(cls, function: Callable | None = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function: Callable | None = None) -> None:
        super().__init__(False)


class enable_grad(_Switch):
    """Record, also inside `no_grad`: a context manager and a decorator."""

    def __new__(cls, function: Callable | None = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function: Callable | None = None) -> None:
        super().__init__(True)


def _decorated(function: Callable, switch: Callable[[], Any]) -> Callable:
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            """Between two items the mode is that of the caller."""
            with switch():
                generator = function(*args, **kwargs)
            send: Callable = functools.partial(next, generator)
            while True:
                try:
                    with switch():
                        item = send()
                except StopIteration as stop:
                    return stop.value
                try:
                    reply = yield item
                    send = functools.partial(generator.send, reply)
                except GeneratorExit:
                    with switch():
                        generator.close()
                    raise
                except BaseException as error:
                    send = functools.partial(generator.throw, error)

        return steps

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with switch():
            return function(*args, **kwargs)

    return call
