"""Dicts and sets of known keys: what is done to them while a function is interpreted.

Which keys a dict has, and what a set contains, is known at compile time; what a dict holds under a
key is any abstract value. Keys that a loop computes (`d[f"w{i}"]`) are known once the loop is
written out, which `known_key` asks for. A dict may be read by a key that is only known at run time,
as a chain of branches over the keys that it has.
"""

from __future__ import annotations

import builtins
import collections
import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from adcompiler.ir import meaning, prelude, walking
from adcompiler.ir import types as T
from adcompiler.ir.abstract import (
    KnownCounter,
    KnownDefaultDict,
    KnownFrozenSet,
    KnownKeys,
    KnownOrderedDict,
    KnownParts,
    KnownSet,
    View,
)
from adcompiler.ir.guards import NeedStatic, NeedUnroll
from adcompiler.ir.infer import type_of
from adcompiler.ir.meaning import NONE
from adcompiler.ir.nodes import Constant, Op, Raise, Value, is_none, leaves

if TYPE_CHECKING:
    from adcompiler.ir.meaning import Meaning
    from adcompiler.ir.resolve import Resolver

MAX_ALTERNATIVES = 32
"""Among how many keys one that is only known at run time is looked for."""


# -- keys ------------------------------------------------------------------------------------------


def abstract_key(key: Any) -> Any:
    """A key as an abstract value."""
    return tuple(map(abstract_key, key)) if isinstance(key, tuple) else Constant(key)


def python_key(key: Any) -> Any:
    """The key itself, if it is known now, else NotImplemented."""
    if isinstance(key, Constant):
        try:
            hash(key.value)
        except TypeError:
            return NotImplemented
        return key.value
    if isinstance(key, tuple):
        parts = tuple(map(python_key, key))
        return NotImplemented if any(part is NotImplemented for part in parts) else parts
    return NotImplemented


def known_key(resolver: Resolver, key: Any) -> Any:
    """The key itself; asks for the loop to be written out, or the argument, that decides it."""
    known = python_key(key)
    if known is NotImplemented:
        ask_for(resolver, key)
    return known


def ask_for(resolver: Resolver, key: Any) -> None:
    """Have the compiler start over with what a key is computed from known, if that can be."""
    made = {
        out: statement
        for block in [*resolver.blocks_around, resolver.block]
        for statement in block.statements
        if isinstance(statement, Op) and not statement.effect
        for out in statement.outs
    }
    indices = {v for found in resolver.index_of.values() for v in found}
    todo, seen = list(leaves(key)) if _is_tree(key) else [], set()
    asked: list[Exception] = []
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        if value in indices:
            asked.append(NeedUnroll(value))
        elif value.uid in resolver.parameter_of and isinstance(value.type, T.Scalar):
            if value.type.kind != "int":
                return
            asked.append(NeedStatic(value))
        elif value in made:
            todo += [v for part in (*made[value].args, *made[value].keywords.values())
                     for v in leaves(part)]  # fmt: skip
        else:
            return
    for request in asked:
        raise request


def _is_tree(key: Any) -> bool:
    return isinstance(key, (Value, tuple, Constant))


def unknown_key(resolver: Resolver, what: str) -> Exception:
    return resolver.error(
        what,
        "the key is not known at compile time",
        "use a key written in the source or a loop over a constant range; or an array or a list "
        "for what is looked up by computed keys",
    )


# -- reading and writing ---------------------------------------------------------------------------


def get_item(resolver: Resolver, base: dict, index: Any) -> Any:
    """`base[index]`."""
    key = known_key(resolver, index)
    if key is NotImplemented:
        return _one_of(resolver, base, index)
    if key in base and not isinstance(base, KnownSet):
        return resolver.usable(base[key])
    return _missing(resolver, base, key)


def _missing(resolver: Resolver, base: dict, key: Any) -> Any:
    if isinstance(base, KnownDefaultDict):
        made = resolver.settle(resolver.apply(base.factory, [], {}))
        resolver.replace(base, {**base, key: made})
        return made
    if isinstance(base, KnownCounter):
        return Constant(0)
    if isinstance(base, KnownSet):
        raise resolver.error("index into a set", "it has no order", "use sorted(...)")
    names = ", ".join(map(repr, base)) or "none"
    raise resolver.error(
        "dict item",
        f"it has no key {key!r} here (its keys: {names}): Python would raise KeyError",
        "use a key that the dict is known to have, or `in` or `.get` before",
    )


def _one_of(resolver: Resolver, base: dict, index: Any) -> Any:
    """What a dict holds under a key that is only known at run time."""
    kind = type_of(index) if isinstance(index, Value) else None
    if isinstance(kind, T.Scalar) and kind.kind == "int":
        keys: list[Any] = [k for k in base if isinstance(k, int)]
    elif isinstance(kind, T.Object) and kind.cls is str:
        keys = [k for k in base if isinstance(k, str)]
    else:
        raise unknown_key(resolver, "dict item")
    if isinstance(base, (KnownSet, KnownDefaultDict)) or not 0 < len(keys) <= MAX_ALTERNATIVES:
        raise unknown_key(resolver, "dict item")

    def look(position: int) -> Any:
        if position == len(keys):
            error = resolver.value(T.Object(KeyError))
            resolver.add(Op(KeyError, [index], {}, [error]))
            resolver.add(Raise(error))
            resolver.dead = True
            return None
        return resolver.branch(
            resolver.op(operator.eq, index, Constant(keys[position])),
            lambda: resolver.usable(base[keys[position]]),
            lambda: look(position + 1),
        )

    return look(0)


def set_item(resolver: Resolver, base: dict, index: Any, value: Any) -> None:
    """`base[index] = value`."""
    key = known_key(resolver, index)
    if key is NotImplemented:
        raise unknown_key(resolver, "store into a dict")
    if isinstance(base, KnownSet):
        raise resolver.error("store into a set", "it has no items", "use `.add`")
    resolver.replace(base, {**base, key: resolver.settle(value)})


def delete_item(resolver: Resolver, base: dict, index: Any) -> None:
    """`del base[index]`."""
    key = known_key(resolver, index)
    if key is NotImplemented:
        raise unknown_key(resolver, "`del` of a dict item")
    if key not in base:
        _missing(resolver, dict(base), key)
    resolver.replace(base, {k: v for k, v in base.items() if k != key})


def contains(resolver: Resolver, base: dict, item: Any) -> Any:
    """`item in base`."""
    key = python_key(item)
    if key is NotImplemented and not isinstance(base, KnownSet):
        key = known_key(resolver, item)
    if key is not NotImplemented:
        return Constant(key in base)
    if isinstance(item, Value) and isinstance(type_of(item), (T.Scalar, T.Object)):
        return resolver.op(operator.contains, tuple(map(abstract_key, base)), item)
    raise unknown_key(resolver, "`in` a dict or set")


# -- operators -------------------------------------------------------------------------------------

_SET_OPERATORS: dict[Callable, Callable] = {
    operator.and_: set.intersection,
    operator.or_: set.union,
    operator.sub: set.difference,
    operator.xor: set.symmetric_difference,
    operator.eq: operator.eq,
    operator.ne: operator.ne,
    operator.lt: operator.lt,
    operator.le: operator.le,
    operator.gt: operator.gt,
    operator.ge: operator.ge,
}


def binary(resolver: Resolver, fn: Callable, left: Any, right: Any) -> Any:
    """An operator of which an operand is a dict or set; NotImplemented if it is none of these."""
    if isinstance(left, KnownSet) and isinstance(right, KnownSet) and fn in _SET_OPERATORS:
        found = _SET_OPERATORS[fn](set(left), set(right))
        return Constant(found) if isinstance(found, bool) else _set(found, type(left))
    if isinstance(left, KnownSet) or isinstance(right, KnownSet):
        if fn in (operator.eq, operator.ne):
            return Constant(fn is operator.ne)
    elif isinstance(left, dict) and isinstance(right, dict) and fn is operator.or_:
        if not isinstance(left, KnownCounter):
            return type(left)({**left, **right})
    return NotImplemented


def in_place(resolver: Resolver, fn: Callable, old: dict, value: Any) -> Any:
    """`old op= value`; NotImplemented if it is no operator of dicts and sets."""
    if isinstance(old, KnownFrozenSet):
        return NotImplemented
    plain = {operator.ior: operator.or_, operator.iand: operator.and_, operator.isub: operator.sub,
             operator.ixor: operator.xor}.get(fn)  # fmt: skip
    if isinstance(old, KnownSet) != isinstance(value, KnownSet) or plain is None:
        return NotImplemented
    found = binary(resolver, plain, old, value)
    if found is not NotImplemented:
        resolver.replace(old, {k: resolver.settle(v) for k, v in found.items()})
        return old
    return NotImplemented


def _set(keys: Any, kind: type = KnownSet) -> KnownSet:
    kind = KnownSet if kind is KnownKeys else kind
    return kind(dict.fromkeys(keys, NONE))


def ordered(items: dict) -> list:
    """The keys in the order in which Python walks them."""
    if isinstance(items, KnownSet) and not isinstance(items, KnownKeys):
        return [abstract_key(key) for key in set(items)]
    return [abstract_key(key) for key in items]


# -- methods ---------------------------------------------------------------------------------------


def method(resolver: Resolver, base: dict, name: str, args: list, keywords: dict) -> Any:
    """`base.name(*args, **keywords)`."""
    if isinstance(base, KnownSet):
        return _set_method(resolver, base, name, args, keywords)
    if name == "update" and len(args) <= 1 and not isinstance(base, KnownCounter):
        _fill(resolver, base, args, keywords)
        return NONE
    if name == "move_to_end" and isinstance(base, KnownOrderedDict):
        return _move_to_end(resolver, base, args, keywords)
    if name == "popitem":
        last = meaning.bind(resolver, "popitem", args, keywords, 0, last=Constant(True))[0]
        if not base:
            raise resolver.error("`.popitem` of an empty dict", "Python would raise KeyError")
        key = list(base)[-1 if meaning.truth_of(last) else 0]
        value = base[key]
        resolver.replace(base, {k: v for k, v in base.items() if k != key})
        return abstract_key(key), value
    if keywords:
        raise resolver.error(f"`.{name}` of a dict with keywords")
    if name in ("keys", "values", "items") and not args:
        return shown(resolver, View(base, name))
    if name == "copy":
        return type(base)(base)
    if name == "clear":
        resolver.replace(base, {})
        return NONE
    if name == "most_common" and isinstance(base, KnownCounter):
        return _most_common(resolver, base, args)
    if name == "__getitem__" and len(args) == 1:
        return get_item(resolver, base, args[0])
    if name in ("get", "setdefault", "pop") and 1 <= len(args) <= 2:
        return _look_up(resolver, base, name, args)
    raise resolver.error(
        f"`.{name}` of a dict",
        "dicts are taken apart at compile time",
        "use items, keys, values, get, pop, setdefault or update",
    )


def shown(resolver: Resolver, view: View) -> KnownKeys | KnownParts:
    """What a view of a dict shows now."""
    found: KnownKeys | KnownParts
    if view.name == "keys":
        found = KnownKeys(dict.fromkeys(view.base, NONE))
    else:
        found = KnownParts(part_shown(resolver, view, key) for key in view.base)
    found.view = view
    return found


def part_shown(resolver: Resolver, view: View, key: Any) -> Any:
    """What a view of a dict shows for a key."""
    value = resolver.usable(view.base[key])
    return value if view.name == "values" else (abstract_key(key), value)


def _look_up(resolver: Resolver, base: dict, name: str, args: list) -> Any:
    key = known_key(resolver, args[0])
    if key is NotImplemented:
        if name == "get" and len(args) == 1 and not isinstance(args[0], tuple):
            return _one_of(resolver, base, args[0])
        raise unknown_key(resolver, f"`.{name}` of a dict")
    default = args[1] if len(args) > 1 else NONE
    if key in base:
        value = resolver.usable(base[key])
        if name == "pop":
            resolver.replace(base, {k: v for k, v in base.items() if k != key})
        return value
    if name == "setdefault":
        default = resolver.settle(default)
        resolver.replace(base, {**base, key: default})
    if name == "pop" and len(args) == 1:
        return _missing(resolver, dict(base), key)
    return default


def _fill(resolver: Resolver, base: dict, args: list, keywords: dict) -> None:
    """What `dict(...)` and `.update(...)` put in."""
    if args and isinstance(args[0], dict):
        resolver.replace(base, {**base, **{k: resolver.settle(v) for k, v in args[0].items()}})
    elif args:
        meaning.run(resolver, prelude.stored, base, args[0])
    if keywords:
        resolver.replace(base, {**base, **{k: resolver.settle(v) for k, v in keywords.items()}})


def _move_to_end(resolver: Resolver, base: dict, args: list, keywords: dict) -> Any:
    index, last = meaning.bind(resolver, "move_to_end", args, keywords, 1, last=Constant(True))
    key = known_key(resolver, index)
    if key not in base:
        raise unknown_key(resolver, "`.move_to_end`")
    rest = {k: v for k, v in base.items() if k != key}
    moved = {key: base[key]}
    resolver.replace(base, {**rest, **moved} if meaning.truth_of(last) else {**moved, **rest})
    return NONE


def _most_common(resolver: Resolver, base: dict, args: list) -> list:
    if not all(isinstance(v, Constant) for v in (*base.values(), *args)):
        raise resolver.error(
            "`.most_common`", "the counts are computed at run time", "sort indices by the counts"
        )
    counts = collections.Counter({k: v.value for k, v in base.items()})
    found = counts.most_common(*(a.value for a in args))
    return [(abstract_key(k), Constant(n)) for k, n in found]


_NEW_SETS = {"union", "intersection", "difference", "symmetric_difference"}
_SET_TESTS = {"issubset", "issuperset", "isdisjoint"}


def _set_method(resolver: Resolver, base: KnownSet, name: str, args: list, keywords: dict) -> Any:
    if name in ("add", "discard", "remove") and len(args) == 1:
        key = known_key(resolver, args[0])
        if key is NotImplemented:
            raise _computed(resolver)
        if name == "remove" and key not in base:
            raise resolver.error(
                "`.remove`", f"{key!r} is not in the set here: KeyError", "discard"
            )
        rest = {k: v for k, v in base.items() if k != key}
        resolver.replace(base, {**base, key: NONE} if name == "add" else rest)
        return NONE
    if name == "copy":
        return type(base)(base)
    if name == "clear":
        resolver.replace(base, {})
        return NONE
    others = [set(made_set(resolver, KnownSet, [arg])) for arg in args]
    if name in _NEW_SETS:
        return _set(getattr(set(base), name)(*others), type(base))
    if name in _SET_TESTS:
        return Constant(getattr(set(base), name)(*others))
    if name == "update" or name.removesuffix("_update") in _NEW_SETS:
        plain = "union" if name == "update" else name.removesuffix("_update")
        resolver.replace(base, _set(getattr(set(base), plain)(*others)))
        return NONE
    raise resolver.error(
        f"`.{name}` of a set", "sets are taken apart at compile time", "use a list or a dict"
    )


def _computed(resolver: Resolver) -> Exception:
    return resolver.error(
        "a set of computed things",
        "what it contains must be known at compile time",
        "use a list, or np.unique of an array",
    )


# -- making them -----------------------------------------------------------------------------------


def made_set(resolver: Resolver, kind: type, args: list) -> KnownSet:
    """`set(items)`."""
    out = KnownSet()
    if args:
        items = args[0]
        if isinstance(items, dict):
            return _set(items, kind)
        listed = walking.items_of(resolver, items, 256)
        meaning.run(resolver, prelude.added, out, items if listed is None else tuple(listed))
    return kind(out)


def _make_set(kind: type) -> Meaning:
    return lambda resolver, args, keywords: made_set(resolver, kind, args)


def display(resolver: Resolver, items: list) -> KnownSet:
    """`{a, b}`."""
    return made_set(resolver, KnownSet, [tuple(items)])


def comprehension(resolver: Resolver, kind: type, items: Any) -> dict:
    """A dict or set of what a generator gives."""
    out = kind()
    meaning.run(resolver, prelude.added if kind is KnownSet else prelude.stored, out, items)
    return out


def _make_dict(kind: type) -> Meaning:
    def meaning(resolver: Resolver, args: list, keywords: dict) -> dict:
        if len(args) > 1:
            raise resolver.error("`dict(...)` with these arguments")
        out = kind()
        _fill(resolver, out, args, keywords)
        return out

    return meaning


def _defaultdict(resolver: Resolver, args: list, keywords: dict) -> dict:
    factory, *rest = args or [NONE]
    if is_none(factory):
        return _make_dict(dict)(resolver, rest, keywords)
    known = factory.value if isinstance(factory, Constant) else factory
    out = _with_factory(known, factory if isinstance(factory, Constant) else None)()
    _fill(resolver, out, rest, keywords)
    return out


@functools.lru_cache(maxsize=256)
def _with_factory(known: Any, constant: Any) -> type:
    """The kind of a defaultdict: two with one factory are of one kind."""
    factory = Constant(known) if constant is not None else known
    return type("KnownDefaultDict", (KnownDefaultDict,), {"factory": factory})


def _counter(resolver: Resolver, args: list, keywords: dict) -> dict:
    out = KnownCounter()
    if args and isinstance(args[0], dict) or keywords:
        _fill(resolver, out, args, keywords)
    elif args:
        keys = [
            python_key(item)
            for item in walking.items_of(resolver, args[0], 256) or [NotImplemented]
        ]
        if any(key is NotImplemented for key in keys):
            raise resolver.error(
                "`Counter` of computed things",
                "what is counted must be known at compile time",
                "count in a loop, or use np.bincount",
            )
        for key, count in collections.Counter(keys).items():
            out[key] = Constant(count)
    return out


def _fromkeys(resolver: Resolver, args: list, keywords: dict) -> dict:
    keys, value = meaning.bind(resolver, "dict.fromkeys", args, keywords, 1, value=NONE)
    value = resolver.settle(value)
    return dict.fromkeys(made_set_keys(resolver, keys), value)


def made_set_keys(resolver: Resolver, items: Any) -> list:
    found = walking.items_of(resolver, items, 256)
    keys = [NotImplemented] if found is None else [python_key(item) for item in found]
    if any(key is NotImplemented for key in keys):
        raise unknown_key(resolver, "`dict.fromkeys`")
    return keys


def _refused(name: str, remedy: str) -> Meaning:
    def meaning(resolver: Resolver, args: list, keywords: dict) -> Any:
        raise resolver.error(f"`{name}`", "it is not followed", remedy)

    return meaning


MEANING: dict[Any, Meaning] = {
    builtins.dict: _make_dict(dict),
    dict.fromkeys: _fromkeys,
    builtins.set: _make_set(KnownSet),
    builtins.frozenset: _make_set(KnownFrozenSet),
    collections.OrderedDict: _make_dict(KnownOrderedDict),
    collections.defaultdict: _defaultdict,
    collections.Counter: _counter,
    collections.deque: _refused("collections.deque", "use a list (append, pop) or an array"),
    collections.ChainMap: _refused("collections.ChainMap", "merge the dicts: {**outer, **inner}"),
}
