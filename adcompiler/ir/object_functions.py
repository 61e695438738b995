"""Functions about objects: `getattr`, `vars`, `super`, and those of `copy` and `dataclasses`."""

from __future__ import annotations

import builtins
import copy
import dataclasses
from typing import TYPE_CHECKING, Any

from adcompiler.ir import attributes, heap, instances, nested
from adcompiler.ir.abstract import Instance
from adcompiler.ir.guards import NeedStatic
from adcompiler.ir.meaning import Meaning
from adcompiler.ir.nodes import Constant

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


def _name(resolver: Resolver, value: Any) -> str:
    if isinstance(value, Constant) and isinstance(value.value, str):
        return value.value
    if getattr(value, "uid", None) in resolver.parameter_of:
        raise NeedStatic(value)
    raise resolver.error("an attribute by a name that is not known at compile time")


def call_getattr(resolver: Resolver, args: list, keywords: dict) -> Any:
    if not isinstance(args[0], Instance):
        if isinstance(args[1], Constant) and isinstance(args[1].value, str):
            if len(args) == 3 and not attributes.has_attribute(resolver, args[0], args[1].value):
                return args[2]
            return attributes.get_attribute(resolver, args[0], args[1].value)
        raise resolver.error(
            "`getattr` of a name that is not known at compile time", "", "write the attribute"
        )
    name = _name(resolver, args[1])
    if len(args) == 3 and not attributes.has_attribute(resolver, args[0], name):
        return args[2]
    return instances.get_attribute(resolver, args[0], name)


def call_setattr(resolver: Resolver, args: list, keywords: dict) -> Any:
    instances.set_attribute(resolver, args[0], _name(resolver, args[1]), args[2])
    return Constant(None)


def call_hasattr(resolver: Resolver, args: list, keywords: dict) -> Any:
    return Constant(attributes.has_attribute(resolver, args[0], _name(resolver, args[1])))


def call_replace(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`dataclasses.replace(instance, **changes)`."""
    if not isinstance(args[0], Instance):
        return NotImplemented
    instance = args[0]
    kept = {f.name: instance.fields[f.name] for f in dataclasses.fields(instance.cls) if f.init}
    return instances.make(resolver, instance.cls, [], {**kept, **keywords})


def call_copy(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`copy.copy`: another object with the same fields."""
    (value,) = args
    if isinstance(value, Instance):
        if instances.found_on(value.cls, "__copy__") is not instances.MISSING:
            raise resolver.error("`copy.copy`", "the class has a `__copy__` of its own")
        return Instance(value.cls, dict(value.fields))
    if isinstance(value, (list, dict)):
        return heap.contents(value)
    return value if isinstance(value, tuple) else NotImplemented


def call_fields(resolver: Resolver, args: list, keywords: dict) -> Any:
    """`dataclasses.asdict` of fields that are numbers and arrays; `vars` as a copy is refused."""
    if not isinstance(args[0], Instance) or keywords:
        return NotImplemented
    instance = args[0]
    fields = {f.name: instance.fields[f.name] for f in dataclasses.fields(instance.cls)}
    if any(heap.is_object(v) or isinstance(v, tuple) for v in fields.values()):
        raise resolver.error("`asdict` of nested fields", "", "name the fields")
    return fields


def call_vars(resolver: Resolver, args: list, keywords: dict) -> Any:
    if len(args) == 1 and isinstance(args[0], Instance):
        return instances.fields_to_read(resolver, args[0])
    return NotImplemented


def call_astuple(resolver: Resolver, args: list, keywords: dict) -> Any:
    found = call_fields(resolver, args, keywords)
    return found if found is NotImplemented else tuple(found.values())


def call_deepcopy(resolver: Resolver, args: list, keywords: dict) -> Any:
    (value,) = args
    things = [
        thing for thing in heap.objects_among([value]).values() if isinstance(thing, Instance)
    ]
    if any(attributes.has_attribute(resolver, thing, "__deepcopy__") for thing in things):
        raise resolver.error("`copy.deepcopy`", "the class has a `__deepcopy__` of its own")
    if len(nested.all_objects([value])) > len(heap.objects_among([value])):
        raise resolver.error(
            "`copy.deepcopy` of what holds one object twice",
            "in the copy it would be two",
            "copy the parts by name",
        )
    return nested.copied(resolver, value)


MEANING: dict[Any, Meaning] = {
    builtins.super: lambda resolver, args, keywords: instances.super_of(resolver, args),
    builtins.getattr: call_getattr,
    builtins.setattr: call_setattr,
    builtins.hasattr: call_hasattr,
    builtins.vars: call_vars,
    copy.copy: call_copy,
    copy.deepcopy: call_deepcopy,
    dataclasses.asdict: call_fields,
    dataclasses.astuple: call_astuple,
    dataclasses.replace: call_replace,
}
