"""Derivatives inside differentiated functions: `grad(loss)(w)` and its like.

The inner function is interpreted like any other, but into a block of its own, with parameters for
what it reads of the function around it. The block is differentiated on the spot. That gives a
`Function`, and an operation that calls it; when memory is told from values, its body is written
where the operation stands (`passes.calls.write_in_place`). So the derivative is a part of the
program around it like any other, and can be differentiated in its turn.

Gradients, tangents and pullbacks are made in this way. Jacobians and Hessians are loops over the
entries of an argument or a result, with one of these in each trip.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import runtime
from adcompiler.ir import abstract, heap
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Derivative, Items, Leaf, Partial, Pullback, Static, Structure
from adcompiler.ir.guards import NeedStatic
from adcompiler.ir.infer import type_of
from adcompiler.ir.nodes import (
    Accumulate,
    Append,
    Block,
    Constant,
    Function,
    New,
    Op,
    Pop,
    Store,
    Value,
    blocks,
    bound,
    leaves,
    operands,
    rewrite,
    walk,
)

if TYPE_CHECKING:
    from adcompiler.ir.resolve import Resolver

CALLED_LATER = ("grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "hessian")
"""Transforms that give a function; the others take its arguments at once."""


# -- transforms as the program writes them --------------------------------------------------------


def of_transform(resolver: Resolver, transform: Callable, args: list, keywords: dict) -> Any:
    """A call of `grad`, `jvp` or another transform itself."""
    mode = transform.__differentiates__  # type: ignore[attr-defined]
    try:
        given = inspect.signature(transform).bind(*args, **keywords).arguments
    except TypeError as error:
        raise resolver.error(f"call of `{mode}`", str(error), "see its documentation") from None
    given.pop("backend", None)
    function = given.pop("fun", None)
    if function is None:  # a decorator with options
        return Partial(Constant(transform), (), dict(given))
    if mode in CALLED_LATER:
        options = {name: _static(resolver, mode, name, value) for name, value in given.items()}
        return Derivative(function, mode, **options)
    if mode == "vjp":
        return pulled_later(resolver, function, list(given.get("primals", ())))
    primals = _sequence(resolver, mode, "primals", given["primals"])
    tangents = _sequence(resolver, mode, "tangents", given["tangents"])
    if mode == "jvp":
        return pushed_forward(resolver, function, primals, tangents)
    places = tuple(k for k, primal in enumerate(primals) if _has_floats(primal))
    one = len(primals) == 1
    gradient = Derivative(function, "grad", 0 if one else places)
    products = pushed_forward(resolver, gradient, primals, tangents)[1]
    if one:
        return products
    by_place = dict(zip(places, products, strict=True))
    return tuple(by_place.get(k, Constant(None)) for k in range(len(primals)))


def of_object(resolver: Resolver, fn: Any) -> Any:
    """What a transform returned outside; None if the object is no derivative."""
    if hasattr(fn, "derivative") and hasattr(fn, "instance"):  # looked up on an object
        return of_method(resolver, fn.derivative, resolver.constant(fn.instance))
    recorded = getattr(fn, "__derivative__", None)
    if recorded is not None:
        mode, function, argnums = recorded
        if mode == "vjp":
            raise resolver.error(
                "call of a pullback that was made outside",
                "at which point it was made is not known here",
                "call vjp in this function",
            )
        return Derivative(resolver.constant(function), mode, argnums)
    if not callable(getattr(fn, "primal", None)) or not hasattr(fn, "argnums"):
        return None
    if getattr(fn, "mode", None) not in CALLED_LATER:
        raise resolver.error(
            f"call of `{getattr(fn, '__name__', 'a derivative')}`",
            "it is none of the transforms that are compiled here",
            "use grad, value_and_grad, jvp, vjp, hvp, jacobian or hessian of the function",
        )
    function = resolver.constant(fn.primal)
    # The numbers of its arguments count those that it is bound to.
    argnums = _counted(fn.argnums, -len(fn._bound))
    if (fn._bound or fn._keywords) and not hasattr(fn.primal, "_bound"):
        named = {name: resolver.constant(value) for name, value in fn._keywords.items()}
        function = Partial(function, tuple(map(resolver.constant, fn._bound)), named)
    return Derivative(function, fn.mode, argnums, fn.argnames, fn.has_aux)


def of_method(resolver: Resolver, fn: Any, instance: Any) -> Derivative:
    """A method under `@grad`, looked up on an object: `argnums` does not count that."""
    function = Partial(resolver.constant(fn.primal), (instance,), {})
    return Derivative(function, fn.mode, fn.argnums, fn.argnames, fn.has_aux)


def _counted(argnums: Any, by: int) -> Any:
    if isinstance(argnums, tuple):
        return tuple(_counted(n, by) for n in argnums)
    return argnums + by if argnums is not None and argnums >= 0 else argnums


def _static(resolver: Resolver, mode: str, name: str, value: Any) -> Any:
    """The value of an option, which must be known now."""
    if isinstance(value, Constant):
        return value.value
    if isinstance(value, (tuple, list)):
        return tuple(_static(resolver, mode, name, item) for item in value)
    if isinstance(value, Value) and value.uid in resolver.parameter_of:
        raise NeedStatic(value)
    raise resolver.error(
        f"`{name}` of `{mode}`", "it is not known at compile time", "write it as a number or a name"
    )


def _sequence(resolver: Resolver, mode: str, name: str, value: Any) -> list:
    if isinstance(value, (tuple, list)):
        return list(value)
    raise resolver.error(
        f"`{name}` of `{mode}`",
        "it must be a tuple with one item for each argument",
        f"{mode}(f, (x,), (x_dot,))",
    )


# -- the inner function ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Inner:
    """A function, interpreted into a block of its own."""

    function: Function
    args: dict[Any, Any]
    """What its parameters were bound to, by place or name."""
    forms: dict[Any, Structure]
    given: list[Any]
    """Operands of the program around, one for each parameter of the block."""
    form: Structure
    """The structure of its result."""
    effect: bool

    def floats(self, place: Any) -> list[Value]:
        """The parameters that carry a derivative in one of the arguments."""
        leaves_ = abstract.flatten(self.args[place], self.forms[place])
        return [leaf for leaf in leaves_ if T.is_float(leaf.type)]


def _interpreted(resolver: Resolver, function: Any, args: list, keywords: dict) -> _Inner:
    """Interpret a function for such arguments; they are parameters of its block."""
    from adcompiler.ir import calls

    outer = {**dict(enumerate(args)), **keywords}
    names = _parameters(function)
    params: list[Value] = []
    given: list[Any] = []

    def leaf(type: Any, name: str) -> Value:
        params.append(Value(name, type))
        return params[-1]

    inner: dict[Any, Any] = {}
    forms: dict[Any, Structure] = {}
    for place, arg in outer.items():
        forms[place] = _opened(abstract.structure(arg))
        found = abstract.flatten(arg, forms[place])
        for operand in found:
            if isinstance(type_of(operand), T.List):
                raise resolver.error(
                    "a list that grew, as argument of a derivative",
                    "how many items it has is only known when the program runs",
                    "make an array of it first: np.array(xs) or np.stack(xs)",
                )
        given += found
        name = place if isinstance(place, str) else None
        if name is None:
            name = names[place] if place < len(names) else f"argument{place}"
        inner[place] = abstract.build(forms[place], leaf, name)
    for param, operand in zip(params, given, strict=True):
        if isinstance(operand, Value) and operand.uid in resolver.parameter_of:
            resolver.parameter_of[param.uid] = resolver.parameter_of[operand.uid]
    twice = len(all_objects(outer.values())) > len(heap.objects_among(outer.values()))
    held = heap.take([], inner.values())
    before = heap.take(resolver.frames, [function, *outer.values()])
    block = Block(params)
    with resolver.writing(block):
        result = calls.call(
            resolver,
            function,
            [inner[k] for k in range(len(args))],
            {name: inner[name] for name in keywords},
        )
        form = _opened(abstract.structure(result))
        block.results = abstract.flatten(result, form)
    _refuse_changes(resolver, before)
    if twice and heap.is_changed(held):
        raise resolver.error(
            "a differentiated function that changes an object which it got twice",
            "which of the two would change is not told apart",
            "pass a copy for one of them",
        )
    _refuse_functions(resolver, form)
    captured = _captured(resolver, block)
    effect = any(isinstance(s, Op) and s.effect for s in walk(block))
    written = Function(_name(function), block)
    _refuse_captured_writes(resolver, written, len(captured))
    return _Inner(written, inner, forms, [*given, *captured], form, effect)


def _opened(form: Structure) -> Structure:
    """A structure in which floats that are known now are leaves: a derivative may be asked for."""
    match form:
        case Static(value=Constant(value=float() | complex() | np.inexact())):
            return Leaf(type_of(form.value))
        case Static(value=Constant(value=np.ndarray())):
            return Leaf(type_of(form.value))
        case Items(kind=kind, items=items, keys=keys):
            return Items(kind, tuple(map(_opened, items)), keys)
    return form


def all_objects(values: Any) -> list:
    """Lists, dicts and objects among the values, each as often as it stands there."""
    found: list = []
    for value in values:
        if heap.is_object(value):
            found.append(value)
        if isinstance(value, (tuple, list, dict, abstract.Instance)):
            found += all_objects(heap.parts(value))
    return found


def _refuse_functions(resolver: Resolver, form: Structure) -> None:
    if isinstance(form, Items):
        for item in form.items:
            _refuse_functions(resolver, item)
    elif isinstance(form, Static) and not isinstance(form.value, Constant):
        raise resolver.error(
            "a differentiated function that returns a function",
            "what that reads exists only inside the derivative",
            "return arrays and numbers",
        )


def _called(resolver: Resolver, inner: _Inner, made: Function, more: list) -> list[Value]:
    """The operation that stands for the derivative; gives its results."""
    made.in_place = made.has_memory = True
    outs = [Value(None, type_of(result)) for result in made.body.results]
    args = [resolver.operand(v) for v in (*inner.given, *more)]
    resolver.add(Op(made, args, {}, outs, inner.effect))
    return outs


def _built(form: Structure, values: Any) -> Any:
    """The abstract value of that structure, with its leaves from an iterator."""
    return abstract.build(form, lambda type, name: next(values), "")


# -- gradients ------------------------------------------------------------------------------------


def call(resolver: Resolver, derivative: Derivative, args: list, keywords: dict) -> Any:
    """`derivative(*args, **keywords)`."""
    mode = derivative.mode
    if mode == "hessian":
        return _hessian(resolver, derivative, args, keywords)
    if mode == "jacobian":
        mode = _cheaper(resolver, derivative, args, keywords)
    if mode in ("jacfwd", "jacrev"):
        make = _columns if mode == "jacfwd" else _rows
        places = _places(resolver, derivative, args, keywords)
        found = [make(resolver, derivative.function, args, keywords, p) for p in places]
        return tuple(found) if isinstance(derivative.argnums, tuple) else found[0]
    return _gradient(resolver, derivative, args, keywords)


def _gradient(resolver: Resolver, derivative: Derivative, args: list, keywords: dict) -> Any:
    places = _places(resolver, derivative, args, keywords)
    inner = _interpreted(resolver, derivative.function, args, keywords)
    count = _is_one_number(resolver, inner.form, derivative.has_aux)
    results = inner.function.body.results
    seeds = [Constant(1.0) if k < count else None for k in range(len(results))]
    wrt = [value for place in dict.fromkeys(places) for value in inner.floats(place)]
    if not wrt:
        raise resolver.error("a gradient", "the argument holds no floats", "check argnums")
    value = derivative.mode == "value_and_grad"
    keep = value or derivative.has_aux
    made = resolver.derive(inner.function, wrt, seeds, keep)
    outs = _called(resolver, inner, made, [])
    bars = dict(zip(wrt, outs[len(outs) - len(wrt) :], strict=True))
    gradients = _arranged(derivative, {p: _shaped(inner.args[p], bars) for p in places}, places)
    if not keep:
        return gradients
    result = _built(inner.form, iter(outs))
    if value:
        return (result, gradients)
    return (gradients, result[1])


def _shaped(value: Any, bars: dict[Value, Value]) -> Any:
    """An argument's structure with the adjoints of its leaves; None for what is not a float."""
    if isinstance(value, Value):
        return bars.get(value, Constant(None))
    if isinstance(value, dict):
        return {key: _shaped(item, bars) for key, item in value.items()}
    if isinstance(value, abstract.Instance):
        return abstract.Instance(value.cls, {k: _shaped(v, bars) for k, v in value.fields.items()})
    if isinstance(value, (tuple, list)):
        return abstract.remade(type(value), (), [_shaped(item, bars) for item in value])
    return Constant(None)


def _arranged(derivative: Derivative, answers: dict, places: list) -> Any:
    """The answers as `argnums` and `argnames` ask for them, as outside."""
    numbers, names = derivative.argnums, derivative.argnames
    if numbers is None and names is None:
        return answers[places[0]]
    count = 0 if numbers is None else len(numbers) if isinstance(numbers, tuple) else 1
    by_number: Any = tuple(answers[place] for place in places[:count])
    if numbers is not None and not isinstance(numbers, tuple):
        (by_number,) = by_number
    if names is None:
        return by_number
    named = places[count:]
    single = isinstance(names, str)
    by_name: Any = {n: answers[p] for n, p in zip(_tuple(names), named, strict=True)}
    if single:
        by_name = answers[named[0]]
    return by_name if numbers is None else (by_number, by_name)


def _tuple(value: Any) -> tuple:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _places(resolver: Resolver, derivative: Derivative, args: list, keywords: dict) -> list:
    """Which arguments are differentiated: their positions, or names if they were given by name."""
    numbers = _tuple(derivative.argnums)
    if derivative.argnums is None and derivative.argnames is None:
        numbers = (0,)
    places: list = []
    names = _parameters(derivative.function)
    for number in numbers:
        if type(number) is not int or not -len(args) <= number < len(args):
            raise resolver.error(
                f"argnums={number} of a derivative",
                f"the call has {len(args)} positional arguments",
                "pass the argument by position, or use argnames",
            )
        places.append(number % len(args))
    for name in _tuple(derivative.argnames):
        if name in keywords:
            places.append(name)
        elif name in names and names.index(name) < len(args):
            places.append(names.index(name))
        else:
            raise resolver.error(
                f"argnames={name!r} of a derivative", "the call does not give it", "pass it"
            )
    return places


def _is_one_number(resolver: Resolver, form: Structure, aux: bool) -> int:
    """How many leaves the loss is made of: one. Refuses what has no gradient."""
    if aux:
        if not (isinstance(form, Items) and len(form.items) == 2 and issubclass(form.kind, tuple)):
            raise resolver.error(
                "a gradient with has_aux=True", "the function returns no pair", "return (loss, aux)"
            )
        form = form.items[0]
    kind = form.type if isinstance(form, Leaf) else None
    whole = isinstance(kind, (T.Scalar, T.Array)) and kind.kind == "float"
    if not whole or (isinstance(kind, T.Array) and kind.shape != ()):
        raise resolver.error(
            "a gradient of what is not one number",
            "the function that is differentiated here does not return a float",
            "return a sum, and see that its type is known",
        )
    return 1


# -- tangents and pullbacks -----------------------------------------------------------------------


def pushed_forward(resolver: Resolver, function: Any, primals: list, tangents: list) -> Any:
    """`jvp(function, primals, tangents)`: the result and its tangent."""
    if len(primals) != len(tangents):
        raise resolver.error(
            "jvp",
            f"{len(primals)} primals and {len(tangents)} tangents",
            "give one tangent for each primal",
        )
    inner = _interpreted(resolver, function, primals, {})
    wrt: list[Value] = []
    dots: list = []
    for place, tangent in enumerate(tangents):
        wrt += inner.floats(place)
        dots += _directions(resolver, inner.forms[place], tangent, primals[place], "tangent")
    return _with_tangents(resolver, inner, wrt, dots)


def _with_tangents(resolver: Resolver, inner: _Inner, wrt: list, dots: list) -> tuple:
    made = resolver.derive_forward(inner.function, wrt)
    outs = iter(_called(resolver, inner, made, dots))
    result = _built(inner.form, outs)
    return result, _built(abstract.tangent_form(inner.form), outs)


def pulled_later(resolver: Resolver, function: Any, primals: list) -> tuple:
    """`vjp(function, *primals)`: the result, and the pullback, both at the primals as they are."""
    from adcompiler.ir import calls

    kept = [copied(resolver, primal) for primal in primals]
    before = heap.take(resolver.frames, [function, *primals])
    result = calls.call(resolver, function, [copied(resolver, p) for p in primals], {})
    _refuse_changes(resolver, before)
    return copied(resolver, result), Pullback(function, kept, copied(resolver, result))


def pull_back(resolver: Resolver, pullback: Pullback, args: list, keywords: dict) -> tuple:
    """`pullback(cotangent)`: an adjoint for each primal."""
    if len(args) != 1 or keywords:
        raise resolver.error("call of a pullback", "it takes one adjoint of the result")
    inner = _interpreted(resolver, pullback.function, pullback.primals, {})
    wrt = [v for place in range(len(pullback.primals)) for v in inner.floats(place)]
    given = _directions(resolver, inner.form, args[0], pullback.value, "adjoint")
    bars = dict(zip(wrt, _adjoints(resolver, inner, wrt, given), strict=True))
    return tuple(_shaped(inner.args[k], bars) for k in range(len(pullback.primals)))


def _adjoints(resolver: Resolver, inner: _Inner, wrt: list, given: list) -> list[Value]:
    """The adjoints of parameters for given ones of the float results."""
    seeds: list = []
    for result in inner.function.body.results:
        kind = type_of(result)
        label = f"{getattr(result, 'name', None) or 'result'}_bar"
        seeds.append(Value(label, kind) if T.is_float(kind) else None)
    made = resolver.derive(inner.function, wrt, seeds, False)
    missing = [s for s in seeds if s is not None and s not in made.params]
    made.body.params = [*made.body.params, *missing]
    return _called(resolver, inner, made, given)


def copied(resolver: Resolver, value: Any) -> Any:
    """Other objects with the contents of these: what is written later is not written there."""
    form = abstract.structure(value)
    copies = []
    for operand in abstract.flatten(value, form):
        if isinstance(type_of(operand), T.List):
            raise resolver.error(
                "a list that grew, as argument of a derivative",
                "how many items it has is only known when the program runs",
                "make an array of it first: np.array(xs) or np.stack(xs)",
            )
        if isinstance(type_of(operand), T.Array):
            copy = Value(getattr(operand, "name", None), type_of(operand))
            resolver.add(Op(runtime.snapshot, [operand], {}, [copy]))
            operand = copy
        copies.append(operand)
    return _built(form, iter(copies))


def _directions(resolver: Resolver, form: Structure, given: Any, like: Any, what: str) -> list:
    """The operands of a tangent or adjoint, one for each float leaf of `form`."""
    match form:
        case Leaf(type=type):
            return [_conforming(resolver, given, type, like, what)] if T.is_float(type) else []
        case Items(kind=kind, items=items):
            fields = given.fields if isinstance(given, abstract.Instance) else given
            known = like.fields if isinstance(like, abstract.Instance) else like
            fits = isinstance(fields, (dict, tuple, list)) and len(fields) == len(items)
            if fits and isinstance(known, dict):
                fits = isinstance(fields, dict) and set(fields) == set(known)
            if not fits:
                raise resolver.error(
                    f"{what} of a {kind.__name__}",
                    f"it has not the structure of the {kind.__name__}",
                    "give it the same structure",
                )
            steps = list(known) if isinstance(known, dict) else range(len(items))
            return [
                leaf
                for step, item in zip(steps, items, strict=True)
                for leaf in _directions(resolver, item, fields[step], known[step], what)
            ]
    return []


def _conforming(resolver: Resolver, dot: Any, kind: Any, like: Any, what: str) -> Any:
    """A tangent or adjoint of the type of what it belongs to."""

    def refuse(reason: str) -> Exception:
        return resolver.error(f"{what} of a value", reason, "give it the shape of the value")

    if isinstance(dot, (list, tuple)):
        dot = resolver.op(np.array, list(dot))
    mine = type_of(dot) if isinstance(dot, (Value, Constant)) else None
    if not isinstance(mine, (T.Scalar, T.Array)) or isinstance(kind, (T.Unknown, T.List)):
        raise refuse("it is no number or array of known type")
    if mine.kind == "complex" and kind.kind == "float":
        raise refuse("it is complex, and the value is real")
    if isinstance(kind, T.Scalar):
        if isinstance(mine, T.Array) and mine.shape != ():
            raise refuse("the value is a number, this is an array")
        if isinstance(dot, Constant):
            return Constant(complex(dot.value) if kind.kind == "complex" else float(dot.value))
        return dot if mine.kind == kind.kind else resolver.op(float, dot)
    if kind.shape is None or not isinstance(mine, T.Array) or mine.shape is None:
        raise refuse("it is a number, and the value an array of known rank")
    if len(mine.shape) != len(kind.shape):
        raise refuse(f"it has {len(mine.shape)} axes, and the value {len(kind.shape)}")
    if any((p - q).constant != 0 for p, q in zip(mine.shape, kind.shape, strict=True)):
        out = Value(None, T.Object(type(None)))
        checked = [resolver.operand(dot), resolver.operand(like)]
        resolver.add(Op(runtime.check_same_shape, checked, {}, [out], effect=True))
    if mine.dtype != kind.dtype:
        from adcompiler.ir import operations

        dot = operations.apply(resolver, np.ndarray.astype, [dot, Constant(kind.dtype)], {})
    return dot


def _has_floats(value: Any) -> bool:
    form = _opened(abstract.structure(value))
    return any(T.is_float(type_of(leaf)) for leaf in abstract.flatten(value, form))


# -- Jacobians and Hessians -----------------------------------------------------------------------


def _columns(resolver: Resolver, function: Any, args: list, keywords: dict, place: Any) -> Any:
    """The Jacobian in one argument, by a tangent for each of its entries."""
    arg = {**dict(enumerate(args)), **keywords}[place]
    floats = [
        leaf
        for leaf in abstract.flatten(arg, _opened(abstract.structure(arg)))
        if T.is_float(type_of(leaf))
    ]
    if not floats:
        raise resolver.error("a Jacobian", "the argument holds no floats", "check argnums")
    form: Structure | None = None
    inner: _Inner | None = None

    def tangents(k: int) -> Callable[[Any], list]:
        def along(direction: Any) -> list:
            nonlocal form, inner
            inner = _interpreted(resolver, function, args, keywords)
            form = inner.form
            dots = _with_tangents(resolver, inner, [inner.floats(place)[k]], [direction])[1]
            return abstract.flatten(dots, _opened(abstract.structure(dots)))

        return along

    blocks_ = [_stacked(resolver, leaf, tangents(k)) for k, leaf in enumerate(floats)]
    assert form is not None and inner is not None
    columns = dict(zip(inner.floats(place), range(len(floats)), strict=True))
    results = iter(range(len(blocks_[0])))

    def of_result(part: Structure) -> Any:
        match part:
            case Leaf(type=type) if T.is_float(type):
                row = next(results)
                return _shaped(inner.args[place], {v: blocks_[k][row] for v, k in columns.items()})
            case Items(kind=kind, items=items, keys=keys):
                return abstract.remade(kind, keys, [of_result(item) for item in items])
        return Constant(None)

    return of_result(form)


def _stacked(
    resolver: Resolver, leaf: Any, along: Callable[[Any], list], last: bool = True
) -> list:
    """What `along` gives for each unit direction of `leaf`: stacked, along its axes.

    These come last (a Jacobian by columns) or first (by rows).
    """
    from adcompiler.ir import attributes, lists, numpy_calls, operations, subscripts

    kind = type_of(leaf)
    if not isinstance(kind, (T.Scalar, T.Array)):
        raise resolver.error(
            "a Jacobian",
            "the type of the argument is not known, or not that of a number or an array",
            "see that it has one type on all paths (dtype, too), or make it an array",
        )
    if isinstance(kind, T.Scalar) or kind.shape == ():
        one = Constant(1.0) if isinstance(kind, T.Scalar) else resolver.op(np.ones_like, leaf)
        return along(one)
    if kind.shape is None:
        raise resolver.error("a Jacobian", "the rank of the array is not known", "")
    count = attributes.size(resolver, leaf)
    shape = attributes.shape(resolver, leaf)
    dtype = {} if kind.dtype == "float64" else {"dtype": Constant(kind.dtype)}
    units = operations.apply(resolver, np.eye, [count], dtype)
    filled: list[tuple[Value, Any]] = []
    births = Block()

    def trip(index: Value) -> None:
        direction = subscripts.get_item(resolver, units, index)
        if len(shape) > 1:
            direction = numpy_calls.call_known(resolver, np.reshape, [direction, shape], {})
        for place, part in enumerate(along(direction)):
            if place == len(filled):
                filled.append((Value(None, T.List(None)), type_of(part)))
                with resolver.writing(births):
                    resolver.add(New([], filled[-1][0]))
            lists.append(resolver, filled[place][0], part)

    # How many lists there are is known when the loop that fills them was written.
    at = len(resolver.block.statements)
    lists.simple_loop(resolver, count, trip, resolver.node)
    resolver.block.statements[at:at] = births.statements
    answers = []
    for each, part in filled:
        whole = operations.apply(resolver, np.stack, [each], {})
        if last and isinstance(part, T.Array):
            if part.shape is None:
                raise resolver.error("a Jacobian", "the rank of the result is not known")
            axes = tuple(map(Constant, (*range(1, len(part.shape) + 1), 0)))
            plain = len(axes) == 2
            whole = operations.apply(
                resolver, np.transpose, [whole] if plain else [whole, axes], {}
            )
        if len(shape) > 1:
            rest = () if isinstance(part, T.Scalar) else _lengths(resolver, whole, part, last)
            new = (*rest, *shape) if last else (*shape, *rest)
            whole = numpy_calls.call_known(resolver, np.reshape, [whole, new], {})
        answers.append(whole)
    return answers


def _lengths(resolver: Resolver, whole: Any, part: Any, last: bool) -> tuple:
    """The lengths of the parts of which a stack was made."""
    from adcompiler.ir import attributes

    axes = range(len(part.shape)) if last else range(1, len(part.shape) + 1)
    return tuple(attributes.length(resolver, whole, axis) for axis in axes)


def _rows(resolver: Resolver, function: Any, args: list, keywords: dict, place: Any) -> Any:
    """The Jacobian in one argument, by an adjoint for each entry of the result."""
    from adcompiler.ir import calls

    given = [copied(resolver, arg) for arg in args]
    named = {name: copied(resolver, arg) for name, arg in keywords.items()}
    before = heap.take(resolver.frames, [function, *args, *keywords.values()])
    out = calls.call(resolver, function, given, named)
    _refuse_changes(resolver, before)
    form = _opened(abstract.structure(out))
    if not (isinstance(form, Leaf) and T.is_float(form.type)):
        raise resolver.error("jacrev", "it takes a function of one float array", "use jacfwd")
    inner: _Inner | None = None

    def adjoints(seed: Any) -> list:
        nonlocal inner
        inner = _interpreted(resolver, function, args, keywords)
        return list(_adjoints(resolver, inner, inner.floats(place), [seed]))

    parts = _stacked(resolver, out, adjoints, last=False)
    assert inner is not None
    return _shaped(inner.args[place], dict(zip(inner.floats(place), parts, strict=True)))


def _cheaper(resolver: Resolver, derivative: Derivative, args: list, keywords: dict) -> str:
    """The mode that takes fewer sweeps, as far as lengths are known; else by columns."""
    with resolver.writing(Block()):
        inner = _interpreted(resolver, derivative.function, args, keywords)
    if not isinstance(inner.form, Leaf):
        return "jacfwd"
    outputs = _entries(inner.form.type)
    counts = [
        _entries(leaf.type)
        for place in _places(resolver, derivative, args, keywords)
        for leaf in inner.floats(place)
    ]
    if outputs is None or None in counts:
        return "jacrev" if outputs == 1 else "jacfwd"
    return "jacfwd" if sum(counts) <= outputs else "jacrev"


def _entries(kind: Any) -> int | None:
    """How many entries a number or array has, if that is known."""
    if isinstance(kind, T.Scalar):
        return 1
    if not isinstance(kind, T.Array) or kind.shape is None:
        return None
    lengths = [dim.constant for dim in kind.shape]
    return None if None in lengths else int(np.prod(lengths))


def _hessian(resolver: Resolver, derivative: Derivative, args: list, keywords: dict) -> Any:
    """By forward mode over reverse mode."""
    gradient = Derivative(derivative.function, "grad", derivative.argnums)
    places = _places(resolver, gradient, args, keywords)
    columns = [_columns(resolver, gradient, args, keywords, place) for place in places]
    if not isinstance(derivative.argnums, tuple):
        return columns[0]
    # The columns have the argument outermost; a Hessian has the row of the gradient.
    return tuple(tuple(column[row] for column in columns) for row in range(len(places)))


# -- what the inner function reads and changes of the one around it --------------------------------


def _captured(resolver: Resolver, block: Block) -> list[Value]:
    """What the block reads of the function around it: becomes parameters, given by that."""
    inside = bound(block)
    found: dict[Value, Value] = {}

    def note(operand: Any) -> None:
        for value in leaves(operand):
            if value not in inside and value not in found:
                found[value] = Value(value.name, value.type)

    def visit(b: Block) -> None:
        for statement in b.statements:
            for operand in operands(statement):
                note(operand)
            for inner in blocks(statement):
                visit(inner)
        for result in b.results:
            note(result)

    visit(block)
    taken = {param.name for param in block.params}
    for param in found.values():
        name = param.name or "given"
        while name in taken:
            name += "_"
        param.name = name
        taken.add(name)
    rewrite(block, lambda value: found.get(value, value))
    block.params = [*block.params, *found.values()]
    for outer, param in found.items():
        if outer.uid in resolver.parameter_of:
            resolver.parameter_of[param.uid] = resolver.parameter_of[outer.uid]
    return list(found)


def _refuse_captured_writes(resolver: Resolver, function: Function, count: int) -> None:
    """What the function reads of the one around it, its last parameters, it may not write: not
    through a view or another name either, and even if nothing reads it afterwards."""
    captured = function.params[len(function.params) - count :]
    writes = [s for s in walk(function.body) if isinstance(s, (Store, Accumulate, Append, Pop))]
    if not captured or not writes:
        return
    classes = resolver.object_classes(function)
    theirs = {classes.find(param) for param in captured}
    if any(classes.find(statement.ref) in theirs for statement in writes):
        raise resolver.error(
            "a differentiated function that writes an array of the one around it",
            "a derivative call must not change it",
            "pass it as an argument, or copy it",
        )


def _refuse_changes(resolver: Resolver, before: heap.Snapshot) -> None:
    """What the inner function does to names and objects around it would not come out."""
    changed = heap.is_changed(before)
    for frame, env in before.envs:
        changed = changed or any(frame.env.get(name) is not value for name, value in env.items())
    if changed:
        raise resolver.error(
            "a differentiated function that changes what is around it",
            "a derivative call must not change it",
            "return what it computes",
        )


def _parameters(function: Any) -> tuple[str, ...]:
    """The names of a function's parameters, as far as they are known."""
    if isinstance(function, abstract.Closure):
        return tuple(a.id for a in function.tree.node.args.args)
    if isinstance(function, Partial):
        rest = _parameters(function.function)[len(function.args) :]
        return tuple(name for name in rest if name not in function.keywords)
    if isinstance(function, Derivative):
        return _parameters(function.function)
    held = getattr(function, "value", function)
    names = getattr(held, "parameter_names", None)
    if names is not None:
        return tuple(names())
    code = getattr(getattr(held, "__func__", held), "__code__", None)
    if code is None:
        return ()
    names = code.co_varnames[: code.co_argcount]
    return names[1:] if hasattr(held, "__func__") else names


def _name(function: Any) -> str:
    """What the function that computes the derivative is called, in errors and listings."""
    while isinstance(function, (Derivative, Partial)):
        function = function.function
    if isinstance(function, abstract.Closure):
        name = function.tree.name
    else:
        name = getattr(getattr(function, "value", None), "__name__", "inner")
    return f"{name}_derivative" if name.isidentifier() else "inner_derivative"


__all__ = ["all_objects", "call", "copied", "of_method", "of_object", "of_transform", "pull_back"]
