"""Lists, dicts and objects of known structure, while a function is interpreted.

The interpreter holds a Python list or dict of abstract values for a list or dict of the program
whose structure is known, and an `Instance` for an object of a class. Its identity is that of the
program's object: all names of one object hold one Python object, and a change is made in place.
What it contains is then part of the state of the program, as the names of a frame are: a branch and
a loop take a `Snapshot` before, put it back, and join what is left behind (`joins`).

The frames are those of the calls that are open, and of calls that are over but made functions that
are still at hand: these may read and rebind their names (`nonlocal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adcompiler.ir.abstract import (
    Closure,
    Derivative,
    Either,
    Instance,
    Method,
    Partial,
    Pullback,
    Super,
    View,
)

if TYPE_CHECKING:
    from adcompiler.ir.scopes import Frame

Heap = dict[int, tuple[Any, Any]]
"""By identity: an object, and what it contains."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the names of all frames stand for, and what the objects among that contain."""

    envs: list[tuple[Frame, dict[str, Any]]]
    """The frames, those of open calls first, in their order."""
    heap: Heap

    @property
    def frames(self) -> list[Frame]:
        return [frame for frame, _ in self.envs]


def is_object(value: Any) -> bool:
    """Whether the abstract value is an object that can be changed."""
    return isinstance(value, (list, dict, Instance))


def contents(thing: Any) -> Any:
    """What an object contains now, as a list or dict of its own."""
    if isinstance(thing, Instance):
        return dict(thing.fields)
    return list(thing) if isinstance(thing, list) else dict(thing)


def empty_like(thing: Any) -> Any:
    """A new object of the same kind that contains nothing yet."""
    if isinstance(thing, Instance):
        return Instance(thing.cls, {})
    return [] if isinstance(thing, list) else type(thing)()


def same_kind(p: Any, q: Any) -> bool:
    if isinstance(p, Instance) and isinstance(q, Instance):
        return p.cls is q.cls
    return type(p) is type(q)


def put(thing: Any, new: Any) -> None:
    """Let an object contain something else."""
    new = contents(new)
    held = thing.fields if isinstance(thing, Instance) else thing
    held.clear()
    if isinstance(held, list):
        held.extend(new)
    else:
        held.update(new)


def parts(value: Any) -> Iterator[Any]:
    """What an abstract value consists of."""
    if isinstance(value, (tuple, list)):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, Instance):
        yield from value.fields.values()
    elif isinstance(value, Super):
        yield value.instance
    elif isinstance(value, Closure):
        frame = value.frame
        while frame is not None:
            yield from frame.env.values()
            frame = frame.parent
        yield from value.defaults
        yield from value.keyword_defaults.values()
    elif isinstance(value, Method):
        yield value.receiver
    elif isinstance(value, Partial):
        yield value.function
        yield from value.args
        yield from value.keywords.values()
    elif isinstance(value, Derivative):
        yield value.function
    elif isinstance(value, Pullback):
        yield value.function
        yield from (*value.primals, value.value)
    elif isinstance(value, Either):
        yield from (value.first, value.second)
    elif isinstance(value, View):
        yield value.base


COMPOSED = (
    tuple, list, dict, Instance, Super, Closure, Method, Partial, Derivative, Pullback, Either,
    View,
)  # fmt: skip


def objects_among(values: Iterable[Any]) -> dict[int, Any]:
    """All objects that the values lead to, by identity."""
    return _reached(values)[0]


def _reached(values: Iterable[Any]) -> tuple[dict[int, Any], list[Closure]]:
    """The objects and the functions with a frame that the values lead to."""
    found: dict[int, Any] = {}
    closures: list[Closure] = []
    seen: set[int] = set()
    todo = list(values)
    while todo:
        value = todo.pop()
        if not isinstance(value, COMPOSED):
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_object(value):
            found[id(value)] = value
        elif isinstance(value, Closure):
            closures.append(value)
        todo += parts(value)
    return found, closures


def take(frames: list[Frame], also: Iterable[Any] = (), ended: Iterable[Frame] = ()) -> Snapshot:
    """The state now; of the objects and ended calls, those that the names and `also` lead to."""
    named = [value for frame in frames for value in frame.env.values()]
    passed = [value for frame in frames for value in frame.arguments.values()]
    of_ended = [value for frame in ended for value in frame.env.values()]
    found, closures = _reached([*named, *passed, *also, *of_ended])
    every = dict.fromkeys([*frames, *ended])
    for closure in closures:
        every.update(dict.fromkeys(frames_around(closure)))
    heap = {key: (thing, contents(thing)) for key, thing in found.items()}
    return Snapshot([(frame, dict(frame.env)) for frame in every], heap)


def frames_around(closure: Closure) -> Iterator[Frame]:
    """The frames whose names a function sees."""
    frame = closure.frame
    while frame is not None:
        yield frame
        frame = frame.parent


def closures_among(values: Iterable[Any]) -> list[Closure]:
    """All functions with a frame that the values lead to."""
    return _reached(values)[1]


def is_changed(before: Snapshot) -> bool:
    """Whether an object contains something else than it did."""
    return any(
        list(map(id, parts(thing))) != list(map(id, parts(held)))
        for thing, held in before.heap.values()
    )


def put_back(snapshot: Snapshot) -> None:
    """Make the state what it was."""
    for frame, env in snapshot.envs:
        frame.env = dict(env)
    for thing, held in snapshot.heap.values():
        put(thing, held)


def names_of(snapshot: Snapshot) -> dict[int, str]:
    """What to call each object: the name that leads to it."""
    found: dict[int, str] = {}

    def visit(value: Any, name: str) -> None:
        if is_object(value):
            if id(value) in found:
                return
            found[id(value)] = name
        held = value.fields if isinstance(value, Instance) else value
        if isinstance(held, dict):
            for key, item in held.items():
                visit(item, f"{name}_{key}")
        elif isinstance(value, (tuple, list)):
            for k, item in enumerate(value):
                visit(item, f"{name}_{k}")

    for _, env in reversed(snapshot.envs):
        for name, value in env.items():
            visit(value, name)
    return found


def ways_to(thing: Any, snapshot: Snapshot) -> int:
    """How many names and items lead to an object."""
    count = 0
    todo = [value for _, env in snapshot.envs for value in env.values()]
    todo += [item for _, held in snapshot.heap.values() for item in parts(held)]
    while todo:
        value = todo.pop()
        count += value is thing
        if isinstance(value, COMPOSED) and not is_object(value) and not isinstance(value, Closure):
            todo += parts(value)
    return count
