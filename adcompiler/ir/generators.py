"""Generators: functions with `yield`, and generator expressions.

A generator is interpreted where it is walked. Its body is written in place of the loop that walks
it, and the body of that loop in place of each `yield`:

    def squares(xs):
        for x in xs:                        for x in xs:
            yield x * x                         s = x * x
                                    ->          if s > 1:
    for s in squares(xs):                           break
        if s > 1:                               total += s
            break
        total += s

So both run in turns, as in Python. Leaving the loop closes the generator: it returns from the
`yield` at which it stands, by a flag that `exits` has put behind each of them.

Two generators that are walked in step (`zip`) would have to be taken apart; they are made lists
first, if nobody can tell the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gast

from adcompiler import errors
from adcompiler.ir import assignment, heap, loops, scopes
from adcompiler.ir.abstract import Sequence
from adcompiler.ir.nodes import Constant
from adcompiler.ir.parse import OUTERMOST, yields

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver
    from adcompiler.ir.scopes import Frame

MAX_NESTED = 8


@dataclass(slots=True, eq=False)
class Generator:
    """A generator that waits to be walked: a function with its parameters bound."""

    resolver: Resolver
    tree: Any
    env: dict[str, Any]
    parent: Frame | None
    quiet: bool
    """Whether nobody can tell if its items are all made before the first is used."""
    used: list = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Consumer:
    """Who gets what a generator yields."""

    frame: Any
    node: Any
    """The loop that walks it; None if there is none in the program."""
    stop: str | None
    """The flag in `frame` that says to stop."""
    take: Callable[[Any], None]


class NotStatic(Exception):
    """How many items a generator has is only known at run time."""


def use_up(generator: Generator) -> None:
    """A generator can be walked once."""
    if generator.used:
        raise errors.ResolveError(
            "a generator that is walked twice",
            reason="it is used up by the first loop",
            remedy="make a list of it: list(...)",
            position=generator.resolver.position(),
        )
    generator.used.append(True)
    same = [f for f in generator.resolver.frames if f.tree.node is generator.tree.node]
    if len(same) >= MAX_NESTED:
        raise generator.resolver.error(
            f"the generator `{generator.tree.name}`, nested {MAX_NESTED} times",
            "it is written in place of the loop that walks it",
            "append to a list in a recursive function",
        )


def walk(resolver: Resolver, generator: Generator, node: gast.For) -> None:
    """`for target in generator: body`."""
    use_up(generator)
    body, stop = loops.loop_body(resolver, node)
    frame = resolver.frame
    assert frame is not None
    if stop is not None:
        frame.env[stop] = Constant(False)
        _check_cleaning_up(resolver, generator)

    def take(item: Any) -> None:
        resolver.enter(node)
        assignment.assign(resolver, node.target, item)
        resolver.execute_all(body)

    _run(resolver, generator, Consumer(frame, node, stop, take))


def _check_cleaning_up(resolver: Resolver, generator: Generator) -> None:
    """A generator that nobody can walk on is closed where the loop is left, and only then."""
    frames = [frame for frame in resolver.frames if not frame.hidden]
    named = [v for f in frames for name, v in f.env.items() if name != OUTERMOST]
    held = [part for v in named if isinstance(v, Generator) for part in (v, *_kept(v))]
    if generator.tree.cleans_up and any(part is generator for part in held):
        raise resolver.error(
            f"a loop that may leave the generator `{generator.tree.name}` before its end",
            "the generator has a `finally`, which runs when its name is gone, not here",
            "write the call of the generator in the loop: `for x in generator(...)`",
        )


def without_clean_up(resolver: Resolver, walked: Any) -> Any:
    """What is walked by a loop that is left by way of a `finally`, which is written in the loop."""
    if isinstance(walked, Generator):
        for part in (walked, *_kept(walked)):
            if isinstance(part, Generator) and part.tree.cleans_up:
                raise resolver.error(
                    f"the generator `{part.tree.name}` inside of a `try` with `finally`",
                    "if the loop is left, its own `finally` runs first, which is not followed",
                    "leave the loop with `break`, and return or raise behind it",
                )
    return walked


def _run(resolver: Resolver, generator: Generator, consumer: Consumer) -> None:
    resolver.consumers.append(consumer)
    try:
        resolver.interpret(generator.tree, dict(generator.env), generator.parent)
    finally:
        resolver.consumers.pop()


def run_for(resolver: Resolver, generator: Generator, take: Callable[[Any], None]) -> None:
    """Interpret a generator, for something in this frame that takes each item."""
    use_up(generator)
    _run(resolver, generator, Consumer(resolver.frame, None, None, take))


def yields_of(generator: Generator) -> Iterator[Any]:
    return yields(generator.tree.node)


def give(resolver: Resolver, node: gast.Expr) -> None:
    """`yield value`: the consumer takes it."""
    value = node.value.value
    item = Constant(None) if value is None else resolver.eval(value)
    consumer = resolver.consumers.pop()
    inside = resolver.frame, resolver.node, resolver.origin
    resolver.frame = consumer.frame
    try:
        consumer.take(item)
        closed = Constant(False)
        if consumer.stop is not None and not resolver.dead:
            closed = scopes.lookup(resolver, consumer.stop)
    finally:
        resolver.frame, resolver.node, resolver.origin = inside
        resolver.consumers.append(consumer)
    frame = resolver.frame
    frame.env[frame.tree.closed] = closed  # type: ignore[union-attr]


def carried(resolver: Resolver, node: Any) -> list[tuple[Any, list[Any]]]:
    """What a loop with a `yield` in it may bind in other frames: each, with its statements."""
    found: list[tuple[Any, list[Any]]] = []
    for consumer in reversed(resolver.consumers):
        if not _gives(node) or consumer.node is None:
            break
        found.append((consumer.frame, [consumer.node]))
        node = consumer.node
    return found


def _gives(node: Any) -> bool:
    """Whether there is a `yield` in a statement."""
    todo = [node]
    while todo:
        part = todo.pop()
        if isinstance(part, gast.Yield):
            return True
        if not isinstance(part, (gast.FunctionDef, gast.Lambda)):
            todo += gast.iter_child_nodes(part)
    return False


def collect(generator: Generator) -> list | None:
    """All items, if they are known one by one; else nothing has happened."""
    resolver = generator.resolver
    if resolver.block is None or generator.used:
        use_up(generator)
    before, length = heap.take(resolver.frames, _kept(generator)), len(resolver.block.statements)
    iterators = [part for part in _kept(generator) if isinstance(part, (Sequence, Generator))]
    walked = [list(part.used) for part in iterators]
    outer = resolver.block
    items: list[Any] = []

    def take(item: Any) -> None:
        if resolver.block is not outer:
            raise NotStatic
        items.append(item)

    use_up(generator)
    try:
        _run(resolver, generator, Consumer(resolver.frame, None, None, take))
    except NotStatic:
        generator.used.clear()
        for part, used in zip(iterators, walked, strict=True):
            part.used[:] = used
        del outer.statements[length:]
        heap.put_back(before)
        return None
    return items


def _kept(generator: Generator) -> list[Any]:
    """What a generator holds, iterators in it and what these hold included."""
    found: list[Any] = []
    todo = list(generator.env.values())
    while todo:
        part = todo.pop()
        found.append(part)
        if isinstance(part, Generator):
            todo += part.env.values()
        elif isinstance(part, (tuple, list)):
            todo += part
    return found
