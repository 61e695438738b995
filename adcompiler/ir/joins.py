"""What names stand for, and objects contain, after a branch: what the one arm left or the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adcompiler.ir import abstract, heap, lists
from adcompiler.ir.abstract import Conflict, Mismatch, Static
from adcompiler.ir.nodes import UNBOUND, Block, Constant, If, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


@dataclass(slots=True)
class Arm:
    """One side of a branch: what was written, and the state at its end."""

    block: Block
    result: Any
    dead: bool
    """Whether its end is never reached."""
    after: heap.Snapshot

    def held(self, thing: Any) -> Any:
        """What an object contains at the end."""
        found = self.after.heap.get(id(thing))
        return heap.contents(thing) if found is None else found[1]


class Join:
    """Makes one state of two; values that differ become results of the `If`."""

    def __init__(
        self, resolver: Resolver, statement: If, before: heap.Snapshot, then: Arm, orelse: Arm
    ) -> None:
        self.resolver = resolver
        self.statement = statement
        self.before = before
        self.then = then
        self.orelse = orelse
        self.merged: dict[tuple[int, int], Any] = {}
        self.partners: dict[int, set[int]] = {}
        """With what each object was merged, by identity."""
        self.made: list[tuple[Any, Any, Any]] = []
        """New objects, each with the two that it stands for."""
        self.kept: list[Any] = []

    def run(self) -> Any:
        """Bring objects and names together, and the results of the two arms, which it gives."""
        names = heap.names_of(self.before)
        for thing, _ in self.before.heap.values():
            self.refill(thing, names.get(id(thing)))
        one, other = dict(self.then.after.envs), dict(self.orelse.after.envs)
        for frame in self.before.frames:
            p, q = one[frame], other[frame]
            frame.env = {
                name: self.merge(p.get(name, UNBOUND), q.get(name, UNBOUND), name)
                for name in dict.fromkeys([*p, *q])
            }
        p, q = self.then.result, self.orelse.result
        result = None if p is None and q is None else self.merge(p, q, None)
        for made, p, q in self.made:
            two = [thing for thing in (p, q) if thing is not UNBOUND]
            if any(len(self.partners[id(thing)]) > 1 for thing in two):
                # Under another name it is still one of the two alone.
                for thing in (made, *two):
                    self.resolver.frozen[id(thing)] = thing
        return result

    def refill(self, thing: Any, name: str | None) -> None:
        """An object that there was before contains what the one arm put there, or the other."""
        p, q = self.then.held(thing), self.orelse.held(thing)
        if not _fit(p, q):
            p = UNBOUND if self.then.dead else p
            q = UNBOUND if self.orelse.dead else q
        if _fit(p, q):
            heap.put(thing, self.items(p, q, name))
        else:
            lists.need_growing(self.resolver, thing)
            self.resolver.conflicted[id(thing)] = thing

    def items(self, p: Any, q: Any, name: str | None) -> Any:
        """The contents of two objects of one form, item by item; one of them may not be there."""
        like = q if p is UNBOUND else p
        if like is UNBOUND:
            return []
        merged = {
            key: self.merge(
                UNBOUND if p is UNBOUND else p[key],
                UNBOUND if q is UNBOUND else q[key],
                None if name is None else f"{name}_{key}",
            )
            for key in (like if isinstance(like, dict) else range(len(like)))
        }
        return merged if isinstance(like, dict) else list(merged.values())

    def merge(self, p: Any, q: Any, name: str | None) -> Any:
        """One thing for both; two names of one thing stay names of one."""
        if not (p is q or abstract.same_static(p, q)):
            p = UNBOUND if self.then.dead else p
            q = UNBOUND if self.orelse.dead else q
        if (id(p), id(q)) not in self.merged:
            self.kept += [p, q]  # or something new might get their identity
            self.merged[id(p), id(q)] = self.merge_new(p, q, name)
        if heap.is_object(p) or heap.is_object(q):
            self.partners.setdefault(id(p), set()).add(id(q))
            self.partners.setdefault(id(q), set()).add(id(p))
        return self.merged[id(p), id(q)]

    def merge_new(self, p: Any, q: Any, name: str | None) -> Any:
        if p is q or abstract.same_static(p, q):
            return p
        if heap.is_object(p) or heap.is_object(q):
            return self.merge_objects(p, q, name)
        if isinstance(p, tuple) or isinstance(q, tuple):
            return self.merge_tuples(p, q, name)
        return self.merge_leaves(p, q, name)

    def merge_tuples(self, p: Any, q: Any, name: str | None) -> Any:
        like = p if isinstance(p, tuple) else q
        for part in (p, q):
            if part is not UNBOUND and (type(part) is not type(like) or len(part) != len(like)):
                return Conflict(name)
        items = [
            self.merge(
                UNBOUND if p is UNBOUND else p[k],
                UNBOUND if q is UNBOUND else q[k],
                None if name is None else f"{name}_{k}",
            )
            for k in range(len(like))
        ]
        return abstract.remade(type(like), (), items)

    def merge_objects(self, p: Any, q: Any, name: str | None) -> Any:
        """A new object for either of two, or for one that is there on one side only."""
        live = q if p is UNBOUND else p
        if (self.then.dead or self.orelse.dead) and heap.is_object(live):
            if id(live) not in self.before.heap:
                arm = self.orelse if self.then.dead else self.then
                held = arm.held(live)
                self.merged[id(p), id(q)] = live
                left, right = (UNBOUND, held) if self.then.dead else (held, UNBOUND)
                heap.put(live, self.items(left, right, name))
            return live
        a = UNBOUND if p is UNBOUND else self.then.held(p) if heap.is_object(p) else None
        b = UNBOUND if q is UNBOUND else self.orelse.held(q) if heap.is_object(q) else None
        both = p is not UNBOUND and q is not UNBOUND
        if a is None or b is None or not _fit(a, b) or (both and not heap.same_kind(p, q)):
            for thing in (p, q):
                if isinstance(thing, list) and (lists.is_list(p) and lists.is_list(q)):
                    lists.need_growing(self.resolver, thing)
            return Conflict(name)
        made = heap.empty_like(live)
        if id(p) in self.resolver.listed or id(q) in self.resolver.listed:
            self.resolver.enlist(made)
        self.merged[id(p), id(q)] = made
        self.made.append((made, p, q))
        heap.put(made, self.items(a, b, name))
        return made

    def merge_leaves(self, p: Any, q: Any, name: str | None) -> Any:
        resolver = self.resolver
        lists.join_lists(resolver, p, q)
        if _is_function(p) and _is_function(q):
            return abstract.Either(self.statement.test, p, q)
        try:
            form = abstract.join_structures(
                abstract.structure(p), abstract.structure(q), resolver.widen
            )
        except Mismatch:
            return Conflict(name)
        if isinstance(form, Static):
            return form.value
        self.then.block.results += map(resolver.joinable, abstract.flatten(p, form))
        self.orelse.block.results += map(resolver.joinable, abstract.flatten(q, form))
        unbound = any(resolver.may_be_unbound(v) for v in (p, q))

        def leaf(type: Any, name: str | None) -> Value:
            out = resolver.value(type, name)
            self.statement.outs.append(out)
            if unbound:
                resolver.maybe_unbound.add(out)
            return out

        built = abstract.build(form, leaf, name)
        for part in (p, q):
            lists.join_lists(resolver, built, part)
        return built


def _is_function(value: Any) -> bool:
    if isinstance(value, Constant):
        return callable(value.value) and not isinstance(value.value, type)
    return isinstance(value, (abstract.Closure, abstract.Partial, abstract.Native, abstract.Either))


def _fit(p: Any, q: Any) -> bool:
    """Whether two objects have the same items, so that these can be merged one by one."""
    if p is UNBOUND or q is UNBOUND:
        return True
    if type(p) is not type(q) or len(p) != len(q):
        return False
    return not isinstance(p, dict) or p.keys() == q.keys()
