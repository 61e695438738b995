"""The smallest engine on the rulebook: one operation, in reverse and forward, and dual numbers.

It does what any engine has to do with a rule, and nothing else.
"""

import operator

import numpy as np

from adcompiler import runtime
from adcompiler.rules import book
from tests.rule_cases import Case


def pull(case, out, g):
    """The adjoints of the arguments at `case.argnums`, from the rule in reverse."""
    found = book.lookup(case.fn)
    bound = book.bind(case.fn, case.args, case.kwargs)
    extra = {"out": out} if found.wants_out else {}
    if found.kind == "elementwise":
        partials = found.function(**bound, **extra)
        partials = partials if len(found.inputs) > 1 else (partials,)
        product = runtime.pole_product if found.pole else operator.mul
        adjoints = {
            name: runtime.zeros_like(bound[name])
            if partial is None
            else operate(runtime.unbroadcast, operate(product, g, partial), bound[name])
            for name, partial in zip(found.inputs, partials, strict=True)
            if name in bound
        }
    else:
        answer = found.function(g, **bound, **extra)
        if found.kind == "linear" or len(found.inputs) == 1:
            answer = (answer,)
        adjoints = dict(zip(found.inputs, answer, strict=True))
    return [_part(bound, adjoints, case.args[i]) for i in case.argnums]


def _part(bound, adjoints, arg):
    """The adjoint of one argument, which may be one of several that a parameter gathers."""
    for name, value in bound.items():
        if value is arg:
            return adjoints[name]
        if isinstance(value, tuple) and any(item is arg for item in value):
            return adjoints[name][[item is arg for item in value].index(True)]
    raise AssertionError("the argument was not bound")


def push(case, out, tangents):
    """The tangent of the result, from the rule forward."""
    found = book.lookup(case.fn)
    bound = book.bind(case.fn, case.args, case.kwargs)
    moving = dict(zip(case.argnums, tangents, strict=True))
    args = [moving.get(i, arg) for i, arg in enumerate(case.args)]
    if found.forward is None and found.kind == "linear":
        return case.fn(*args, **case.kwargs)
    if found.forward is None and found.kind == "bilinear":
        (a, b, *rest), (a_dot, b_dot) = case.args, args[:2]
        terms = [case.fn(a_dot, b, *rest, **case.kwargs)] if 0 in moving else []
        terms += [case.fn(a, b_dot, *rest, **case.kwargs)] if 1 in moving else []
        return sum(terms[1:], terms[0])
    dots = {name: _tangent(case, moving, value) for name, value in bound.items()}
    known = {**bound, "out": out}
    if found.forward is None:
        wanted = {
            name: known[name] for name in book.parameter_names(found.function) if name in known
        }
        partials = found.function(**wanted)
        partials = partials if len(found.inputs) > 1 else (partials,)
        product = runtime.pole_product if found.pole else operator.mul
        terms = [
            product(dots[name], partial)
            for name, partial in zip(found.inputs, partials, strict=True)
            if partial is not None and any(bound.get(name) is arg for arg in moving_args(case))
        ]
        return runtime.cast(np.broadcast_to(sum(terms), np.shape(out)), out)
    known |= {f"{name}_dot": dots.get(name) for name in found.inputs}
    wanted = {name: known[name] for name in book.parameter_names(found.forward) if name in known}
    return found.forward(**wanted)


def _tangent(case, moving, value):
    for i, arg in enumerate(case.args):
        if value is arg:
            return moving[i] if i in moving else runtime.zeros_like(arg)
    if isinstance(value, tuple):
        return [_tangent(case, moving, item) for item in value]
    return None


def moving_args(case):
    return [case.args[i] for i in case.argnums]


class Dual(np.lib.mixins.NDArrayOperatorsMixin):
    """A number or an array, and how it changes; NumPy hands its functions to `operate`."""

    def __init__(self, value, dot):
        self.value, self.dot = value, dot

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return operate(ufunc, *inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return operate(function, *args, **kwargs)

    @property
    def dtype(self):
        return self.value.dtype

    def __getitem__(self, index):
        return operate(operator.getitem, self, index)


def operate(fn, *args, **kwargs):
    """Any operation on arguments of which some are Duals, by the rulebook."""
    values = mapped(lambda x: x.value if isinstance(x, Dual) else x, list(args))
    values = tuple(
        type(arg)(value) if isinstance(arg, tuple) else value
        for arg, value in zip(args, values, strict=True)
    )
    out = fn(*values, **kwargs)
    moving = [k for k, arg in enumerate(args) if any(isinstance(x, Dual) for x in leaves(arg))]
    if not moving or book.is_zero(fn):
        return out
    tangents = [
        mapped(lambda x: x.dot if isinstance(x, Dual) else runtime.zeros_like(x), args[k])
        for k in moving
    ]
    return dual(out, push(Case(fn, values, kwargs, tuple(moving)), out, tangents))


def dual(tree, dots):
    if isinstance(tree, list | tuple):
        return [dual(x, d) for x, d in zip(tree, dots, strict=True)]
    return Dual(tree, dots)


# Trees of numbers: results and arguments may be lists of arrays.


def leaves(tree):
    if isinstance(tree, list | tuple):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def mapped(function, *trees):
    if isinstance(trees[0], list | tuple):
        return [mapped(function, *items) for items in zip(*trees, strict=True)]
    return function(*trees)
