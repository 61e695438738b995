"""Loops: written down once the types of what they carry settle, or written out trip by trip.

`loop` interprets the body with the types from before, joins what it leaves with them, and begins
anew if that changed anything. What it carries is every name that the body may bind and every object
that it may change. `unroll` is for loops over things of known structure, and for those whose index
picks among such things, which raises `NeedUnroll`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast

from adcompiler.ir import abstract, assignment, generators, heap, lists, recursion, scopes, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Conflict, Items, Mismatch, Static
from adcompiler.ir.guards import NeedUnroll
from adcompiler.ir.nodes import UNBOUND, Block, Constant, Loop, Range, Value
from adcompiler.ir.parse import assigned_names
from adcompiler.ir.scopes import Frame

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

MAX_UNROLL = 256


def for_loop(resolver: Resolver, node: gast.For) -> None:
    iterable = walking.walked_now(resolver, resolver.eval(node.iter))
    if isinstance(iterable, generators.Generator):
        generators.walk(resolver, iterable, node)
    else:
        _walk(resolver, node, iterable)


def _walk(resolver: Resolver, node: gast.For, walked_object: Any) -> None:
    """The loop over what its iterable gave: what that expression changes is changed once."""
    iterable = walked_object
    used = list(iterable.used) if isinstance(iterable, abstract.Sequence) else []
    key = loop_key(resolver, node)
    walks: tuple = ()
    static: Any = None
    if isinstance(iterable, (list, dict, abstract.Sequence)):
        iterable = walking.sequence(resolver, iterable)
        walks = iterable.walks
        if isinstance(iterable.length, walking.StaticLength):
            places = range(iterable.length.value)
            static = [functools.partial(iterable.item, Constant(k)) for k in places]
        elif key in resolver.unrolled:
            trips = walking.constant_range(resolver, iterable)
            static = [functools.partial(_same, item) for item in trips]
    else:
        items = walking.static_items(iterable)
        if items is None and key in resolver.unrolled:
            items = walking.constant_range(resolver, iterable)
        static = items and [functools.partial(_same, item) for item in items]
        static = [] if items == [] else static
    if static is not None:
        resolver.walked.append(walks)
        try:
            unroll(resolver, node, static)
        finally:
            resolver.walked.pop()
        return
    sequence = None
    if isinstance(iterable, abstract.RangeOf):
        domain = Range(iterable.start, iterable.stop, iterable.step)
    else:
        if isinstance(iterable, abstract.Sequence):
            sequence = iterable
        else:
            sequence = walking.sequence(resolver, iterable)
        walks = sequence.walks
        domain = Range(Constant(0), sequence.length, Constant(1))
    simple = isinstance(node.target, gast.Name) and sequence is None
    before = heap.take(resolver.frames)

    def head(index: Value) -> None:
        if simple:
            resolver.frame.env[node.target.id] = index
        else:
            item = index if sequence is None else sequence.item(index)
            assignment.assign(resolver, node.target, item)

    known = walking.has_known_trips(resolver, iterable)
    try:
        loop(resolver, node, domain, head, node.target.id if simple else "i", known)
        for walked in walks:
            lists.refuse_growing(resolver, walked)
    except NeedUnroll as need:
        if need.index not in resolver.index_of.get(key, ()):
            raise
        if not known and need.error is not None:
            raise need.error from None
        resolver.unrolled.add(key)
        heap.put_back(before)
        if isinstance(walked_object, abstract.Sequence):
            walked_object.used[:] = used
        _walk(resolver, node, walked_object)


def is_loop_index(resolver: Resolver, value: Value) -> bool:
    return any(value in found for found in resolver.index_of.values())


def loop_key(resolver: Resolver, node: Any) -> tuple:
    calls = (id(part) for frame in resolver.frames for part in (frame.tree.node, frame.call))
    return (id(node), *calls)


def while_loop(resolver: Resolver, node: gast.While) -> None:
    key = loop_key(resolver, node)
    before = heap.take(resolver.frames)
    try:
        if key not in resolver.unrolled:
            loop(resolver, node, None, lambda index: None, "i", True)
            return
    except NeedUnroll as need:
        if need.index not in resolver.index_of.get(key, ()):
            raise
        resolver.unrolled.add(key)
        heap.put_back(before)
        error = need.error
    else:
        error = None
    unroll_while(resolver, node, error)


def unroll_while(resolver: Resolver, node: gast.While, error: Exception | None) -> None:
    """Write the trips out one by one, as long as each test is known now."""
    body, stop = loop_body(resolver, node)
    assert stop is not None
    for _ in range(MAX_UNROLL):
        resolver.enter(node)
        resolver.execute_all(body)
        if resolver.dead:
            return
        resolver.enter(node)
        stopped = resolver.truth(scopes.lookup(resolver, stop))
        if not isinstance(stopped, bool):
            break
        if stopped:
            return
    raise error or resolver.error(
        "a `while` over things that only exist at compile time",
        "how often it runs is only known at run time",
        "loop over the things themselves",
    )


def unroll(resolver: Resolver, node: gast.For, items: list[Callable[[], Any]]) -> None:
    """Interpret the body for each item, which is read when its turn has come."""
    if len(items) > MAX_UNROLL:
        raise resolver.error(
            f"loop over {len(items)} items",
            "it would be written out item by item",
            "put the items into an array",
        )
    body, stop = loop_body(resolver, node)

    def rest(position: int) -> None:
        if position == len(items):
            return
        resolver.enter(node)
        assignment.assign(resolver, node.target, items[position]())
        resolver.execute_all(body)
        if stop is None:
            rest(position + 1)
        elif not resolver.dead:
            resolver.enter(node)
            resolver.branch(
                resolver.truth(scopes.lookup(resolver, stop)),
                lambda: None,
                lambda: rest(position + 1),
            )

    if stop is None:
        for item in items:
            if resolver.dead:
                return
            resolver.enter(node)
            assignment.assign(resolver, node.target, item())
            resolver.execute_all(body)
    else:
        rest(0)


def loop_body(resolver: Resolver, node: Any) -> tuple[list, str | None]:
    """The body without its final `if stop: break`, and the name of the flag."""
    last = node.body[-1] if node.body else None
    if isinstance(last, gast.If) and len(last.body) == 1 and isinstance(last.body[0], gast.Break):
        return node.body[:-1], last.test.id
    return node.body, None


def loop(
    resolver: Resolver,
    node: Any,
    domain: Range | None,
    head: Callable,
    index_name: str,
    can_unroll: bool = False,
) -> None:
    """Interpret a loop until the types of what it carries settle, then write it down.

    `can_unroll`: it could be written out trip by trip instead.
    """
    body, stop = loop_body(resolver, node)
    outer_node, outer_origin = resolver.node, resolver.origin
    before = heap.take(resolver.frames)
    frames = before.frames
    names = changed_names(resolver, node, frames)
    entry = resolver.fresh()
    key = loop_key(resolver, node)
    memo = resolver.loop_memo.setdefault(key, {})
    there = before.heap
    objects = changed_objects(resolver, before)
    gives = bool(generators.carried(resolver, node))
    names.update({place: heap.contents(thing) for place, thing in objects.items()})
    forms: dict[tuple[int, str], Any] = {}
    for place, init in names.items():
        widen = place not in objects and not (gives and _is_flag(place, frames))
        form = abstract.structure(init, widen, there)
        with contextlib.suppress(Mismatch):
            known = memo.get(place)
            if known is not None:
                form = abstract.join_structures(form, known, carried_dim(resolver, entry, place))
        forms[place] = form
    strict = False
    conflicts: set[tuple[int, str]] = set()
    """Names that no structure of what they stand for holds: an error where they are read."""
    held: set[tuple[int, str]] = set()
    """Places that hold what lists hold too."""
    for _attempt in range(14):
        start = resolver.fresh()[1]
        block = Block()
        index = None
        if domain is not None:
            index = resolver.value(T.INT, index_name)
            block.params.append(index)
        mark = resolver.value(T.INT) if index is None else index
        resolver.index_of.setdefault(key, []).append(mark)

        def leaf(type: Any, name: str, block: Block = block) -> Value:
            param = resolver.value(type, name)
            block.params.append(param)
            return param

        params = {place: abstract.build(form, leaf, place[1]) for place, form in forms.items()}
        for place, init in names.items():
            if resolver.may_be_unbound(init):
                resolver.maybe_unbound.update(abstract.values_in(params[place]))
        freeze_shared(resolver, names, params, before)
        enter_state(resolver, params, objects, frames)
        enter_conflicts(resolver, conflicts, frames, mark if can_unroll else None)
        for place in held & forms.keys():
            enlist_all(resolver, objects.get(place), params[place])
        changes, listed = len(resolver.kinds.changes), resolver.newly_listed
        unknown = {p for p, form in forms.items() if isinstance(form, abstract.Nothing)}
        resolver.pending.append(set() if strict else unknown)
        resolver.patience += not strict
        resolver.alive.append(set(there))
        waited_before, resolver.waited = resolver.waited, False
        resolver.open_loops += 1
        with resolver.writing(block):
            try:
                if index is not None:
                    head(index)
                resolver.execute_all(body)
                dead = resolver.dead
            except recursion.Bottom:  # at least it may run no trip
                dead = True
            finally:
                resolver.open_loops -= 1
                resolver.pending.pop()
                resolver.patience -= not strict
                resolver.alive.pop()
                waited, resolver.waited = resolver.waited, waited_before or resolver.waited
        results = {
            (depth, name): heap.contents(objects[depth, name])
            if (depth, name) in objects
            else frames[depth].env.get(name, UNBOUND)
            for depth, name in forms
        }
        flag = resolver.frame.env.get(stop, UNBOUND) if stop is not None else None
        heap.put_back(before)
        resolver.node, resolver.origin = outer_node, outer_origin
        for place in forms:
            if not dead:
                lists.join_lists(resolver, params[place], results[place])
            lists.join_lists(resolver, params[place], names[place])
        # What is made in the body is made anew, and learns it again, in the next attempt.
        known_before = [uid for uid in resolver.kinds.changes[changes:] if uid < start]
        settled = not known_before and listed == resolver.newly_listed
        for place, form in list(forms.items()):
            result = UNBOUND if dead else results[place]
            if place not in held and holds_listed(resolver, result):
                held.add(place)
                settled = False
            after = abstract.structure(result, known=there)
            apart = told_apart(resolver, form, after, place, before)
            try:
                wider = abstract.join_structures(
                    apart, after, carried_dim(resolver, entry, place, start)
                )
            except Mismatch:
                if memo:  # of a call with other arguments
                    memo.clear()
                    loop(resolver, node, domain, head, index_name)
                    return
                for thing in [objects.get(place), names[place], result]:
                    for items in lists.lists_among(thing):
                        lists.need_growing(resolver, items)
                if place not in objects:
                    conflicts.add(place)
                    del forms[place], names[place]
                    settled = False
                    continue
                error = resolver.error(
                    f"`{place[1]}` changes its structure in this loop",
                    "what it stands for must be known at compile time",
                    "give it the same structure (tuple length, function) in every trip",
                )
                raise (NeedUnroll(mark, error) if can_unroll else error) from None
            wider = abstract.map_types(
                wider, functools.partial(functools.partial(forget, resolver), start)
            )
            if not abstract.same_structure(form, wider):
                settled = False
            forms[place] = wider
        if settled and waited and not strict:
            strict, settled = True, False  # nothing more will be known: errors are errors
            continue
        if settled:
            break
    else:
        raise resolver.error("loop", "the types of what it carries do not settle")
    memo.update(forms)
    statement = Loop(domain, [], block, [], stops=stop is not None)
    if domain is not None and isinstance(flag, Constant) and not flag.value and not dead:
        statement.stops = False  # it is known that no trip stops it
    elif stop is not None:
        block.results.append(Constant(False) if dead else resolver.operand(flag))
    for place, form in forms.items():
        statement.inits += map(resolver.joinable, abstract.flatten(names[place], form))
        result = UNBOUND if dead else results[place]
        block.results += map(resolver.joinable, abstract.flatten(result, form))
    resolver.add(statement)

    def out(type: Any, name: str) -> Value:
        value = resolver.value(type, name)
        statement.outs.append(value)
        return value

    runs = domain is None or _runs(domain)
    state = {place: abstract.build(form, out, place[1]) for place, form in forms.items()}
    enter_state(resolver, state, objects, frames)
    enter_conflicts(resolver, conflicts, frames)
    for place, built in state.items():
        lists.join_lists(resolver, built, params[place])
        if place in held:
            enlist_all(resolver, objects.get(place), built)
    freeze_shared(resolver, names, state, before)
    freeze_made(resolver, results, state, there)
    for (depth, name), built in state.items():
        result = UNBOUND if dead else results[depth, name]
        if resolver.may_be_unbound(result) or (
            not runs and resolver.may_be_unbound(names[depth, name])
        ):
            resolver.maybe_unbound.update(abstract.values_in(built))
    if domain is None and isinstance(flag, Constant) and not flag.value and not dead:
        raise resolver.error("endless loop", "no path leaves it")


def enter_state(
    resolver: Resolver,
    state: dict[tuple[int, str], Any],
    objects: dict[tuple[int, str], Any],
    frames: list[Frame],
) -> None:
    """Let names stand for what a loop carries, and objects contain it."""
    for (depth, name), value in state.items():
        if (depth, name) in objects:
            heap.put(objects[depth, name], value)
        elif value is not UNBOUND:
            frames[depth].env[name] = value


def enter_conflicts(
    resolver: Resolver, places: set[tuple[int, str]], frames: list[Frame], loop: Value | None = None
) -> None:
    """Names that a trip leaves as something of another structure: an error where it is read.

    A trip that binds them anew before it reads them does not notice.
    """
    for depth, name in places:
        frames[depth].env[name] = Conflict(name, of_trips=True, loop=loop)


def holds_listed(resolver: Resolver, value: Any) -> bool:
    return any(key in resolver.listed for key in heap.objects_among([value]))


def enlist_all(resolver: Resolver, thing: Any, value: Any) -> None:
    """What a loop carries stands for something that a list holds."""
    for found in heap.objects_among([value]).values():
        if found is not value or thing is None:
            resolver.enlist(found)


def told_apart(
    resolver: Resolver, form: Any, after: Any, place: tuple[int, str], before: Any
) -> Any:
    """A name that gets another list or dict in each trip is told by what that contains."""
    thing = form.value if isinstance(form, Static) else None
    if not heap.is_object(thing) or not isinstance(after, Items):
        return form
    held = before.heap[id(thing)][1]
    if isinstance(thing, abstract.Instance):
        held = abstract.Instance(thing.cls, held)
    return abstract.structure(held, True, before.heap)


def freeze_shared(resolver: Resolver, names: dict, state: dict, before: heap.Snapshot) -> None:
    """What a loop carries may be the object that another name still leads to, or a new one.

    The first trip would change both under either name.
    """
    for place, built in state.items():
        new = heap.objects_among([built])
        for key, thing in heap.objects_among([names[place]]).items():
            if key not in new and key in before.heap and heap.ways_to(thing, before) > 1:
                resolver.frozen[key] = thing
                resolver.frozen.update({k: v for k, v in new.items() if k not in before.heap})


def freeze_made(resolver: Resolver, results: dict, state: dict, known: Any) -> None:
    """Lists and dicts made in the loop that two names lead to are one: two are built here."""
    made = [
        (place, thing)
        for place, result in results.items()
        for key, thing in heap.objects_among([result]).items()
        if key not in known and thing is not result or heap.is_object(result)
    ]
    ways: dict[int, int] = {}
    for _, thing in made:
        if id(thing) not in known:
            ways[id(thing)] = ways.get(id(thing), 0) + 1
    for place, thing in made:
        if ways.get(id(thing), 0) > 1:
            for built in heap.objects_among([state[place]]).values():
                resolver.frozen[id(built)] = built


def changed_objects(resolver: Resolver, before: heap.Snapshot) -> dict[tuple[int, str], Any]:
    """Lists and dicts of known structure that the body may change, by a place of their own."""
    names = heap.names_of(before)
    things = [thing for thing, _ in before.heap.values() if id(thing) not in resolver.frozen]
    return {
        (~k, names.get(id(thing), "item")): thing
        for k, thing in enumerate(things)
        if id(thing) not in resolver.global_objects
    }


def changed_names(resolver: Resolver, node: Any, frames: list[Frame]) -> dict[tuple[int, str], Any]:
    """What the body may bind, with its value at entry: `(place of its frame, name) -> value`.

    `frames`: those that there are, of calls that are over too.
    """
    changed: dict[tuple[int, str], Any] = {}
    outside = generators.carried(resolver, node)
    for frame, statements in [(resolver.frame, [node]), *outside]:
        depth = resolver.frames.index(frame)
        for name in assigned_names(statements):
            if name not in frame.nonlocals:
                changed[depth, name] = frame.env.get(name, UNBOUND)
            elif frame.tree.generator and name in frame.parent.tree.locals:
                changed[resolver.frames.index(frame.parent), name] = frame.parent.env.get(
                    name, UNBOUND
                )
        if outside and frame.tree.closed is not None:
            changed[depth, frame.tree.closed] = frame.env.get(frame.tree.closed, UNBOUND)
    # A nested function that is called in the body may rebind names of frames around it.
    values = [value for frame in frames for value in frame.env.values()]
    makers = [(c.tree.node, c.frame) for c in heap.closures_among(values)]
    for tree, frame in [*makers, (node, resolver.frame)]:
        for name in _nonlocal_names(tree):
            holder = frame
            while holder is not None and name not in holder.env:
                holder = holder.parent
            if holder is not None:
                changed.setdefault((frames.index(holder), name), holder.env[name])
    return changed


def carried_dim(
    resolver: Resolver, entry: tuple, place: tuple, start: int | None = None
) -> Callable:
    count = iter(range(1_000_000))

    def widen(p: T.Dim, q: T.Dim) -> T.Dim:
        return T.symbol(("carried", entry, place, next(count)))

    return widen


def forget(resolver: Resolver, start: int, type: Any) -> Any:
    """A type without lengths that name the trip (`:k` of one trip is not the next one's)."""

    def known(dim: T.Dim | None) -> T.Dim | None:
        if dim is None:
            return None
        for atom in dim.atoms():
            if isinstance(atom, tuple) and atom[0] == "int" and atom[1] >= start:
                return T.symbol(("forgot", start))
        return dim

    match type:
        case T.Scalar(kind=kind, dtype=dtype, dim=dim):
            return T.Scalar(kind, dtype, dim if known(dim) == dim else None)
        case T.Array(dtype=dtype, shape=shape, contiguous=contiguous) if shape is not None:
            dims = tuple(
                d if known(d) == d else T.symbol(("forgot", start, axis))
                for axis, d in enumerate(shape)
            )
            return T.Array(dtype, dims, contiguous)
        case T.List(item=item):
            return T.List(forget(resolver, start, item), None)
    return type


def _same(item: Any) -> Any:
    return item


def _runs(domain: Range) -> bool:
    """Whether a loop is known to run at least once."""
    bounds = (domain.start, domain.stop, domain.step)
    return all(isinstance(b, Constant) for b in bounds) and bool(
        len(range(*(b.value for b in bounds)))
    )


def _is_flag(place: tuple[int, str], frames: list[Frame]) -> bool:
    """Whether a name steers exits; in a loop with `yield` it may be known never to be set."""
    depth, name = place
    return depth >= 0 and name in frames[depth].tree.flags


def _nonlocal_names(node: Any) -> list[str]:
    return [n for part in gast.walk(node) if isinstance(part, gast.Nonlocal) for n in part.names]
