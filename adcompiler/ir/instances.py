"""Objects of the user's classes: made, read, written and called while interpreting.

An `abstract.Instance` is held as its class and its fields; it never exists in the IR. Methods are
functions and written in place, with the instance as their first argument. What decides what a class
does at run time (`__getattr__`, `__new__`, metaclasses, base classes in C) is refused.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
import operator
import types as python_types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gast

from adcompiler.ir import calls, comparisons
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Instance, Partial, Super
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import Constant, Value

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver


OPERATORS: dict[Callable, tuple[str, str]] = {
    operator.add: ("__add__", "__radd__"),
    operator.sub: ("__sub__", "__rsub__"),
    operator.mul: ("__mul__", "__rmul__"),
    operator.truediv: ("__truediv__", "__rtruediv__"),
    operator.floordiv: ("__floordiv__", "__rfloordiv__"),
    operator.mod: ("__mod__", "__rmod__"),
    operator.pow: ("__pow__", "__rpow__"),
    operator.matmul: ("__matmul__", "__rmatmul__"),
    operator.and_: ("__and__", "__rand__"),
    operator.or_: ("__or__", "__ror__"),
    operator.xor: ("__xor__", "__rxor__"),
    operator.lt: ("__lt__", "__gt__"),
    operator.gt: ("__gt__", "__lt__"),
    operator.le: ("__le__", "__ge__"),
    operator.ge: ("__ge__", "__le__"),
    operator.eq: ("__eq__", "__eq__"),
    operator.ne: ("__ne__", "__ne__"),
    operator.neg: ("__neg__", ""),
    operator.pos: ("__pos__", ""),
    operator.abs: ("__abs__", ""),
    abs: ("__abs__", ""),
    len: ("__len__", ""),
}
"""The method of the left operand, and that of the right one."""

MISSING = object()

PLAIN_TYPES = (type, abc.ABCMeta, type(typing.Protocol))
"""Metaclasses that leave objects alone."""


def is_of_users_class(thing: Any) -> bool:
    """Whether a Python object is that of a class that is written in Python, and no container."""
    cls = type(thing)
    if cls in (python_types.SimpleNamespace, object) or isinstance(thing, (type, tuple, enum.Enum)):
        return False
    if not _is_written_in_python(cls) or hasattr(cls, "__without_derivative__"):
        return False
    if not all(base is object or _is_written_in_python(base) for base in cls.__mro__):
        return False
    return not (cls.__module__ or "").startswith(("adcompiler", "numpy", "functools", "typing"))


def is_user_object(value: Any) -> bool:
    """Whether it is an object of a class that is written in Python, held by its fields or not."""
    return isinstance(value, Instance) or (
        isinstance(value, Constant) and is_of_users_class(value.value)
    )


def class_of(value: Any) -> type:
    return value.cls if isinstance(value, Instance) else type(value.value)


def special_method(value: Any, name: str) -> Any:
    """The method of an object's class under that name, if it is written in Python; else None."""
    held = found_on(class_of(value), name)
    return held if isinstance(held, python_types.FunctionType) else None


# -- looking things up ----------------------------------------------------------------------------


def found_on(cls: type, name: str, after: type | None = None) -> Any:
    """What a class has under a name, unbound; behind the class `after` in the order of bases."""
    bases = cls.__mro__
    if after is not None:
        bases = bases[bases.index(after) + 1 :]
    for base in bases:
        if name in vars(base):
            return vars(base)[name]
    return MISSING


def get_attribute(resolver: Resolver, base: Instance | Super, name: str) -> Any:
    """`base.name`: a field, a property, a method that waits for its call, or the class's own."""
    after = None
    instance = base
    if isinstance(base, Super):
        instance, after = base.instance, base.cls
    assert isinstance(instance, Instance)
    cls = instance.cls
    held = found_on(cls, name, after)
    if isinstance(held, property):
        _guard(resolver, cls, name)
        return _call(resolver, held.fget, [instance])
    if after is None and name in instance.fields:
        return resolver.usable(instance.fields[name])
    if name == "__class__":
        return Constant(cls)
    if name == "__dict__":
        return fields_to_read(resolver, instance)
    if held is MISSING:
        if found_on(cls, "__getattr__") is not MISSING:
            raise resolver.error(
                f"`.{name}` through `__getattr__`",
                "what it gives is decided at run time",
                "make it a field or a property",
            )
        raise resolver.error(
            f"`.{name}`",
            f"this `{cls.__name__}` has no such attribute here",
            "assign it in `__init__`, or check the spelling",
        )
    _guard(resolver, cls, name)
    if after is not None:
        behind = cls.__mro__[cls.__mro__.index(after) + 1 :]
        place = next(k for k, holder in enumerate(behind) if name in vars(holder))
        for holder in behind[: place + 1]:
            _guard(resolver, holder, name)
    return bound(resolver, held, instance, cls)


def bound(resolver: Resolver, held: Any, instance: Instance, cls: type) -> Any:
    """What a class holds, as seen through an instance."""
    if isinstance(held, staticmethod):
        return resolver.constant(held.__func__)
    if isinstance(held, classmethod):
        return Partial(Constant(held.__func__), (Constant(cls),), {})
    if isinstance(held, python_types.FunctionType):
        return Partial(Constant(held), (instance,), {})
    if callable(getattr(held, "primal", None)) and hasattr(held, "argnums"):
        from adcompiler.ir import nested

        return nested.of_method(resolver, held, instance)
    cached = getattr(held, "func", None)
    if type(held).__name__ == "cached_property" and cached is not None:
        value = _call(resolver, cached, [instance])
        resolver.replace(instance, {**instance.fields, held.attrname: value})
        return value
    if hasattr(type(held), "__get__") and not isinstance(held, type):
        raise resolver.error(
            f"an attribute of type `{type(held).__name__}`",
            "what it gives is decided by its `__get__`",
            "use a property or a method",
        )
    return resolver.foreign(held)


def fields_to_read(resolver: Resolver, instance: Instance) -> dict[str, Any]:
    """`vars(instance)`: it must not be written, or the fields would have two names."""
    found = dict(instance.fields)
    resolver.frozen[id(found)] = found
    return found


def set_attribute(resolver: Resolver, base: Any, name: str, value: Any) -> None:
    """`base.name = value`."""
    if not isinstance(base, Instance):
        raise resolver.error(
            f"write to the attribute `.{name}`",
            "the object is not made in this function, and a derivative call must not change it",
            "pass it as an argument, or keep the value in a local name",
        )
    held = found_on(base.cls, name)
    if isinstance(held, property):
        if held.fset is None:
            raise resolver.error(f"write to `.{name}`", "the property has no setter")
        _guard(resolver, base.cls, name)
        _call(resolver, held.fset, [base, value])
        return
    slot = isinstance(held, python_types.MemberDescriptorType)
    if held is not MISSING and hasattr(type(held), "__set__") and not slot:
        raise resolver.error(f"write to `.{name}`", "the class decides what it does")
    own = found_on(base.cls, "__setattr__")
    if own is not object.__setattr__ and base.cls is not python_types.SimpleNamespace:
        params = getattr(base.cls, "__dataclass_params__", None)
        if params is not None and params.frozen:
            raise resolver.error(
                f"write to `.{name}` of a frozen dataclass",
                "Python refuses it too",
                "make a new one with dataclasses.replace",
            )
        raise resolver.error(f"write to `.{name}`", "the class has a `__setattr__` of its own")
    resolver.replace(base, {**base.fields, name: resolver.settle(value)})


def _guard(resolver: Resolver, cls: type, name: str) -> None:
    try:
        held = getattr(cls, name)
    except Exception:  # a descriptor that wants an object
        return
    resolver.guard(cls, name, held)


def _call(resolver: Resolver, function: Any, args: list, keywords: dict | None = None) -> Any:

    return calls.call(resolver, Constant(function), args, keywords or {})


# -- making objects -------------------------------------------------------------------------------


def make(resolver: Resolver, cls: type, args: list, keywords: dict) -> Any:
    """`cls(*args, **keywords)`."""
    if cls is python_types.SimpleNamespace:
        return Instance(cls, {k: resolver.settle(v) for k, v in keywords.items()})
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple(resolver, cls, args, keywords)
    refuse_strange(resolver, cls)
    instance = Instance(cls, {})
    _guard(resolver, cls, "__init__")
    init = found_on(cls, "__init__")
    if _is_generated(cls, init):
        _fill(resolver, instance, args, keywords)
    elif isinstance(init, python_types.FunctionType):
        _call(resolver, init, [instance, *args], keywords)
    elif args or keywords:
        raise resolver.error(f"making a `{cls.__name__}`", "it takes no arguments")
    return instance


def refuse_strange(resolver: Resolver, cls: type) -> None:
    """Classes whose objects are more than their fields."""
    strange = [
        base
        for base in cls.__mro__
        if base is not object and base.__module__ != "typing" and not _is_written_in_python(base)
    ]
    if strange or type(cls) not in PLAIN_TYPES:
        of = strange[0].__name__ if strange else type(cls).__name__
        raise resolver.error(
            f"making a `{cls.__name__}`",
            f"it is built on `{of}`, which does more than to hold fields",
            "pass its fields as arguments, or hold it as a field",
        )
    for name, plain in (("__new__", object.__new__), ("__getattribute__", object.__getattribute__)):
        if getattr(cls, name) is not plain:
            raise resolver.error(f"making a `{cls.__name__}`", f"it has a `{name}` of its own")


def _is_written_in_python(cls: type) -> bool:
    return bool(cls.__flags__ & (1 << 9))  # Py_TPFLAGS_HEAPTYPE


def _is_generated(cls: type, init: Any) -> bool:
    """Whether `__init__` is that of a dataclass, of which there is no source."""
    code = getattr(init, "__code__", None)
    return dataclasses.is_dataclass(cls) and getattr(code, "co_filename", "") == "<string>"


def _fill(resolver: Resolver, instance: Instance, args: list, keywords: dict) -> None:
    """What the `__init__` of a dataclass does."""
    cls = instance.cls
    given = list(args)
    fields: dict[str, Any] = {}
    rest = dict(keywords)
    passed: list = []
    for field in cls.__dataclass_fields__.values():  # type: ignore[attr-defined]
        if field._field_type is dataclasses._FIELD_CLASSVAR:  # type: ignore[attr-defined]
            continue
        if field.init and given and not field.kw_only:
            value = given.pop(0)
        elif field.init and field.name in rest:
            value = rest.pop(field.name)
        elif field.default is not dataclasses.MISSING:
            value = resolver.constant(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            value = _call(resolver, field.default_factory, [])
        elif field.init:
            missing = f"the field `{field.name}` is missing"
            raise resolver.error(f"making a `{cls.__name__}`", missing)
        else:
            continue
        if field._field_type is dataclasses._FIELD_INITVAR:  # type: ignore[attr-defined]
            passed.append(value)
        else:
            fields[field.name] = resolver.settle(value)
    if given or rest:
        raise resolver.error(
            f"making a `{cls.__name__}`", "it takes fewer arguments, or others", "see its fields"
        )
    resolver.replace(instance, fields)
    after = found_on(cls, "__post_init__")
    if after is not MISSING:
        _guard(resolver, cls, "__post_init__")
        _call(resolver, after, [instance, *passed])


def _named_tuple(resolver: Resolver, cls: Any, args: list, keywords: dict) -> Any:
    names = cls._fields
    items = dict(zip(names, args, strict=False))
    items.update(keywords)
    for name, default in cls._field_defaults.items():
        items.setdefault(name, resolver.constant(default))
    if len(args) > len(names) or set(items) != set(names):
        raise resolver.error(f"making a `{cls.__name__}`", f"its fields are {', '.join(names)}")
    return cls._make(resolver.settle(items[name]) for name in names)


def super_of(resolver: Resolver, args: list) -> Super:
    """`super()`, or `super(cls, self)`."""
    frame = resolver.frame
    assert frame is not None
    if not args:
        function = frame.tree.function
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        first = function.__code__.co_varnames[:1]
        if "__class__" in cells and first and first[0] in frame.arguments:
            args = [Constant(cells["__class__"].cell_contents), frame.arguments[first[0]]]
    match args:
        case [Constant(value=type() as cls), Instance() as instance]:
            return Super(cls, instance)
    raise resolver.error("`super()`", "of which object is not known", "name the class instead")


# -- operators ------------------------------------------------------------------------------------


def decides(fn: Callable, *operands: Any) -> bool:
    """Whether a class of the user's says what an operator does with these operands."""
    names = OPERATORS.get(fn, ())
    return any(map(is_user_object, operands)) or any(
        _method_of(operands, k, name) is not None for k, name in enumerate(names[: len(operands)])
    )


def _method_of(operands: Any, k: int, name: str) -> python_types.FunctionType | None:
    """What the class of an operand, an object or a named tuple, has in Python under a name."""
    operand = operands[k]
    if is_user_object(operand):
        cls = class_of(operand)
    elif isinstance(operand, tuple) and hasattr(operand, "_fields"):
        if k == 1 and _is_numpy(operands[0]):
            return None  # NumPy makes an array of a tuple to its right
        cls = type(operand)
    else:
        return None
    held = found_on(cls, name)
    if isinstance(held, python_types.FunctionType) and not _is_generated_method(held):
        return held
    return None


def _is_numpy(operand: Any) -> bool:
    """Whether an operand may be an array, or a number of NumPy's."""
    if not isinstance(operand, (Value, Constant)):
        return False
    kind = type_of(operand)
    return not (isinstance(kind, T.Scalar) and kind.dtype is None)


def operate(resolver: Resolver, fn: Callable, operands: list) -> Any:
    """An operator that a class `decides`; `NotImplemented` if no class can define it."""
    names = OPERATORS.get(fn)
    if names is None:
        return NotImplemented
    for k, (operand, name) in enumerate(zip(operands, names, strict=False)):
        held = _method_of(operands, k, name)
        if held is not None:
            _guard(
                resolver, type(operand) if isinstance(operand, tuple) else class_of(operand), name
            )
            rest = [other for other in operands if other is not operand]
            rest = rest or operands[1:]
            return _call(resolver, held, [operand, *rest])
    if fn in (operator.eq, operator.ne):
        return _equal(resolver, fn, *operands)
    owner = next(class_of(o) for o in operands if is_user_object(o))
    raise resolver.error(
        f"`{names[0]}` of a `{owner.__name__}`",
        "its class does not define it in Python",
        f"write a `{names[0]}`, or compute with its fields",
    )


def _is_generated_method(function: Any) -> bool:
    return function.__code__.co_filename == "<string>"


def _equal(resolver: Resolver, fn: Callable, left: Any, right: Any) -> Any:
    """`==` that no class defines: of dataclasses, that of their fields; else identity."""
    for operand in (left, right):
        if not isinstance(operand, Instance):
            if is_user_object(operand):
                raise resolver.error("`==` with an object from outside", "", "compare the fields")
        elif dataclasses.is_dataclass(operand.cls):
            if operand.cls.__dataclass_params__.eq:  # type: ignore[attr-defined]
                return _equal_fields(resolver, fn, left, right)
    same = left is right
    return Constant(same if fn is operator.eq else not same)


def _equal_fields(resolver: Resolver, fn: Callable, left: Any, right: Any) -> Any:
    """Objects of one dataclass are equal if the tuples of their fields are."""
    both = isinstance(left, Instance) and isinstance(right, Instance)
    if not both or left.cls is not right.cls:
        raise resolver.error("`==` of a dataclass with something else", "", "compare the fields")
    fields = [f.name for f in dataclasses.fields(left.cls) if f.compare]
    if any(isinstance(side.fields[name], Instance) for side in (left, right) for name in fields):
        raise resolver.error("`==` of dataclasses that hold objects", "", "compare the fields")
    tuples = [tuple(side.fields[name] for name in fields) for side in (left, right)]
    table = {gast.Eq: operator.eq, gast.NotEq: operator.ne}
    op = gast.Eq() if fn is operator.eq else gast.NotEq()
    return comparisons.compared(resolver, op, table, *tuples)


def method(resolver: Resolver, instance: Any, name: str, args: list, keywords: dict) -> Any:
    """`instance.name(*args)` for a special method; NotImplemented if the class has none.

    The object may be one from outside, which is a `Constant`.
    """
    held = special_method(instance, name)
    if held is None:
        return NotImplemented
    _guard(resolver, class_of(instance), name)
    return _call(resolver, held, [instance, *args], keywords)


def call_instance(resolver: Resolver, instance: Instance, args: list, keywords: dict) -> Any:
    result = method(resolver, instance, "__call__", args, keywords)
    if result is NotImplemented:
        raise resolver.error(f"call of a `{instance.cls.__name__}`", "its class has no `__call__`")
    return result
