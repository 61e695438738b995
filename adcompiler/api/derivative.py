"""`Derivative`: what `grad` and its like return.  Compiled once per signature, then only run."""

from __future__ import annotations

import functools
import inspect
import threading
import types
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from adcompiler import errors
from adcompiler.api.signature import (
    Signature,
    assembled,
    flatten,
    is_container,
    key_of,
    part_of,
    parts_of,
    sharing,
    signature_of,
)
from adcompiler.ir import abstract
from adcompiler.ir import types as T
from adcompiler.ir.guards import ABSENT, Guard, NeedStatic
from adcompiler.ir.nodes import Constant, Function
from adcompiler.rules import book

if TYPE_CHECKING:
    from adcompiler.api import pipeline
    from adcompiler.backends.native.jit import Loops
    from adcompiler.backends.native.unsupported import Unsupported
    from adcompiler.ir.parse import Tree

MANY = 32
BACKENDS = ("numpy", "numba")


def check_backend(name: str) -> None:
    """Refuse a backend that there is not, or that needs what is not installed."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: there are 'numpy' and 'numba'")
    if name == "numba":
        from adcompiler.backends.native.jit import require

        require()


def tree_of(function: Callable) -> Tree:
    """The tree of a function; the compiler is loaded when the first is asked for."""
    from adcompiler.ir.parse import parse

    return parse(function)


class Specialisation:
    """Code for one signature."""

    __slots__ = (
        "run",
        "text",
        "guards",
        "written",
        "held",
        "plain",
        "signature",
        "finish",
        "ir",
        "version",
        "emitted",
        "form",
        "globals",
        "functions",
        "loops",
        "unsupported",
    )

    def __init__(self) -> None:
        self.run: Callable
        """Takes the leaves of the arguments."""
        self.text = ""
        self.guards: list[Guard] = []
        self.globals: list[tuple[dict, str, Any]] = []
        self.functions: list[tuple[types.FunctionType, str, Any]] = []
        self.written: list[int] = []
        self.held: list[np.ndarray] = []
        """Arrays of the world around, which arguments that are written must not overlap."""
        self.plain = True
        """Whether the arguments are their own leaves, and what `run` gives is the answer."""
        self.signature: Signature
        self.finish: Callable[[Any], Any] | None = None
        self.ir: Function | None = None
        self.version = book.VERSION
        self.loops: Loops | None = None
        """What runs on the native backend."""
        self.unsupported: Unsupported | None = None
        """Why nothing does, where it was asked for."""

    def guard(self, guards: list[Guard]) -> None:
        """What must still hold when the code is called again.

        Plain globals, and what functions are made of, are quick to check.
        """
        quick = [g for g in guards if type(g.holder) is dict and g.contents is None]
        self.globals = [(g.holder, g.name, g.expected) for g in quick]
        parts = [g for g in guards if type(g.holder) is types.FunctionType and g.contents is None]
        self.functions = [(g.holder, g.name, g.expected) for g in parts]
        self.guards = [g for g in guards if g not in quick and g not in parts]

    def is_current(self) -> bool:
        for holder, name, expected in self.globals:
            if holder.get(name, ABSENT) is not expected:
                return False
        for function, name, expected in self.functions:
            if getattr(function, name, ABSENT) is not expected:
                return False
        for guard in self.guards:
            if not guard.holds():
                return False
        return self.version == book.VERSION


class Derivative:
    """A derivative of a function.

    Calling it runs compiled code; the first call of each signature (kinds of numbers, dtypes,
    ranks, which lengths are equal) compiles.

    Attributes
    ----------
    primal : callable
        The undecorated function.
    """

    def __init__(
        self,
        function: Callable,
        mode: str,
        label: str,
        argnums: Any = None,
        argnames: Any = None,
        has_aux: bool = False,
        backend: str = "numpy",
    ) -> None:
        if not callable(function):
            raise TypeError(f"{label} takes a function, not {type(function).__name__}")
        check_backend(backend)
        function, self._bound, self._keywords = unbound(function)
        if self._bound:
            argnums = shift(argnums, argnames, len(self._bound))
        self.primal = function
        self.mode = mode
        self.label = label
        self.argnums = argnums
        self.argnames = argnames
        self.has_aux = has_aux
        self.backend = backend
        self._static: set[tuple] = set()
        self._simple = not self._bound and not self._keywords
        """Whether a call's key is that of its arguments alone."""
        self._cache: dict[Any, Specialisation] = {}
        self._patterns: dict[Any, Specialisation] = {}
        self._last: Specialisation | None = None
        self._lock = threading.RLock()
        self._warned = False
        functools.update_wrapper(self, function, updated=())

    # -- calling ------------------------------------------------------------------------------

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        if not keywords and self._simple:
            parts: list[Any] = []
            for a in args:
                kind = type(a)
                if kind is float:
                    parts.append(kind)
                elif kind is np.ndarray:
                    parts.append((a.dtype, a.shape, a.flags.c_contiguous))
                else:
                    parts.append(key_of(a))
            found = self._cache.get(tuple(parts))
            if found is not None and found.is_current():
                if found.plain:
                    return found.run(*args)
                return self._run(found, args, keywords)
        args, keywords = self.given(args, keywords)
        found = self.specialise(args, keywords)
        return self._run(found, args, keywords)

    def given(self, args: tuple, keywords: dict | None = None) -> tuple[tuple, dict]:
        """The arguments of a call, with those that the function is bound to."""
        return (*self._bound, *args), {**self._keywords, **(keywords or {})}

    def by_place(self, args: tuple, keywords: dict) -> dict[Any, Any]:
        """All arguments by position, or by name where they stay keywords."""
        positional, named = self.arranged(args, keywords)
        return {**dict(enumerate(positional)), **named}

    def _run(self, found: Specialisation, args: tuple, keywords: dict) -> Any:
        leaves: list = []
        positional, named = self.arranged(args, keywords)
        signature = found.signature
        given = {(k,): v for k, v in enumerate(positional)}
        given.update({(name,): v for name, v in named.items()})
        for leaf in signature.leaves:
            value = given[leaf.path[:1]]
            for step in leaf.path[1:]:
                value = part_of(value, step)
            leaves.append(value)
        if found.written:
            check_overlap(found.written, leaves, found.held)
        result = found.run(*leaves)
        return result if found.finish is None else found.finish(result)

    def arranged(self, args: tuple, keywords: dict) -> tuple[tuple, dict]:
        """Keyword arguments in the places of positional ones, where the function has them."""
        if not keywords:
            return args, keywords
        names = self.parameter_names()
        out = list(args)
        rest = dict(keywords)
        for name in names[len(args) :]:
            if name not in rest:
                break
            out.append(rest.pop(name))
        return tuple(out), rest

    @property
    def base(self) -> Callable:
        """The user's own function."""
        return self.primal.base if isinstance(self.primal, Derivative) else self.primal

    def parameter_names(self) -> list[str]:
        tree = tree_of(self.base)
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [p.name for p in tree.parameters if p.kind in kinds]

    def specialise(self, args: tuple, keywords: dict) -> Specialisation:
        """The code for these arguments, compiled if need be."""
        with self._lock:
            while True:
                positional, named = self.arranged(args, keywords)
                key = self.exact_key(positional, named)
                found = self._cache.get(key)
                if found is not None and found.is_current():
                    self._last = found
                    return found
                pattern = self.pattern_key(positional, named)
                found = self._patterns.get(pattern)
                if found is None or not found.is_current():
                    try:
                        found = self.compile(positional, named)
                    except NeedStatic as need:
                        self.refuse_static(need, positional, named)
                        self._static.add(self._asking[need.value.uid])
                        self._simple = False
                        self._cache.clear()
                        self._patterns.clear()
                        continue
                    self._patterns[pattern] = found
                    self.warn_if_many()
                if len(self._cache) > 4096:
                    self._cache.clear()
                self._cache[key] = found
                self._last = found
                return found

    def refuse_static(self, need: NeedStatic, args: tuple, keywords: dict) -> None:
        """Refuse to differentiate by a number that decides the code: it would get no derivative."""
        path = self._asking[need.value.uid]
        if T.is_float(need.value.type) and path[0] in self.chosen(args, keywords):
            raise self.decides_the_code(path)

    def decides_the_code(self, path: tuple) -> errors.DifferentiationError:
        names = self.parameter_names()
        place = path[0]
        name = names[place] if isinstance(place, int) and place < len(names) else place
        return errors.DifferentiationError(
            f"argument `{name}` of `{self.name}` decides the code",
            reason="where an order, an axis or a number of items is meant, there is no slope",
            remedy="pass an integer, or differentiate by the other arguments (argnums=...)",
            position=self.position(),
        )

    def static_paths(self) -> list[tuple]:
        """Where in the arguments there is a value that decides the code."""
        return sorted(self._static, key=repr)

    def exact_key(self, args: tuple, keywords: dict) -> Any:
        key: Any = tuple(map(key_of, args))
        if keywords:
            key = (key, tuple((k, key_of(v)) for k, v in sorted(keywords.items())))
        if self._static:
            key = (key, self.static_values(args, keywords))
        if any(map(is_container, (*args, *keywords.values()))):
            key = (key, sharing((*args, *keywords.values())))
        return key

    def static_values(self, args: tuple, keywords: dict) -> tuple:
        given: dict[Any, Any] = dict(enumerate(args))
        given.update(keywords)
        values = []
        for path in self.static_paths():
            value = given.get(path[0])
            try:
                for step in path[1:]:
                    value = part_of(value, step)
            except (TypeError, KeyError, IndexError, AttributeError):
                value = None  # of another structure than the call that asked for it
            values.append(value if not isinstance(value, np.ndarray) else value.item())
        return tuple(values)

    def pattern_key(self, args: tuple, keywords: dict) -> Any:
        """The key without the lengths themselves: only which are 1 and which are equal."""
        lengths: dict[int, int] = {}

        def pattern(key: Any) -> Any:
            if isinstance(key, tuple):
                if len(key) == 3 and isinstance(key[0], np.dtype):
                    shape = tuple(
                        1 if n == 1 else -lengths.setdefault(n, len(lengths) + 2) for n in key[1]
                    )
                    return (key[0], shape, key[2])
                return tuple(map(pattern, key))
            return key

        return pattern(self.exact_key(args, keywords))

    def warn_if_many(self) -> None:
        if len(self._patterns) > MANY and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.label} of {self.name} was compiled for {len(self._patterns)} signatures; "
                "an argument whose value decides the code (an axis, a flag) changes on every call",
                stacklevel=4,
            )

    @property
    def name(self) -> str:
        name = getattr(self.base, "__name__", "function")
        return type(self._bound[-1]).__name__ if name == "__call__" and self._bound else name

    # -- compiling ----------------------------------------------------------------------------

    def compile(self, args: tuple, keywords: dict) -> Specialisation:
        """Source to running code, for the signature of these arguments."""
        from adcompiler.api import pipeline

        names = self.parameter_names()
        signature = signature_of(names, args, keywords, frozenset(self._static))
        self._asking = {leaf.value.uid: leaf.path for leaf in signature.leaves}
        lowered = self.lower(signature, args, keywords)
        function = lowered.function
        pipeline.own_results(function)
        function.name = self.emitted_name()
        function.doc = self.describe(signature, args, keywords)
        found = Specialisation()
        found.signature = signature
        found.guard(lowered.guards)
        found.held = arrays_in([guard.expected for guard in lowered.guards])
        found.written = pipeline.written_leaves(function, signature, found.held)
        found.ir = function
        if self.backend == "numba":
            self.emit_loops(found, function)
        if found.loops is None:
            self.emit_numpy(found, function)
        found.form = lowered.form
        found.finish = finisher(lowered.form)
        found.plain = (
            found.finish is None
            and not found.written
            and [leaf.path for leaf in signature.leaves] == [(k,) for k in range(len(args))]
            and not keywords
        )
        return found

    def emit_numpy(self, found: Specialisation, function: Function) -> None:
        """The code of the NumPy backend."""
        from adcompiler.api import pipeline
        from adcompiler.backends import python
        from adcompiler.backends.emit import emit

        pipeline.pack_called(function)
        header = []
        if found.unsupported is not None:
            header = [f"On the NumPy backend: {found.unsupported.what} has no loop lowering."]
        found.emitted = emitted = emit(pipeline.packed(function), header)
        found.text = emitted.text
        found.run = python.compile(emitted)

    def emit_loops(self, found: Specialisation, function: Function) -> None:
        """The code of the native backend; a warning that names what has no loops, if it is that."""
        from adcompiler.api import pipeline
        from adcompiler.backends import python
        from adcompiler.backends.emit import emit
        from adcompiler.backends.native.jit import Loops
        from adcompiler.backends.native.lower import lower
        from adcompiler.backends.native.printing import emit_loops
        from adcompiler.backends.native.unsupported import Unsupported

        try:
            lowered = lower(function)
        except Unsupported as problem:
            found.unsupported = problem
        except Exception as problem:  # a defect, for which the user need not pay
            found.unsupported = Unsupported(f"a program that breaks lowering ({problem!r})")
        if found.unsupported is not None:
            warnings.warn(
                f"{found.unsupported} has no loop lowering; "
                f"{function.name} runs on the NumPy backend",
                errors.BackendWarning,
                stacklevel=5,
            )
            return
        pipeline.check(lowered.function)

        def instead() -> Callable:
            return python.compile(emit(pipeline.packed(function)))

        found.emitted = emitted = emit_loops(pipeline.packed(lowered.function))
        found.text = emitted.text
        found.run = found.loops = Loops(emitted, lowered.constants, function, instead)

    def lower(self, signature: Signature, args: tuple, keywords: dict) -> pipeline.Primal:
        """The IR of this derivative, with the structure of what it returns."""
        from adcompiler.api import pipeline

        chosen = self.chosen(args, keywords)
        primal = self.inner(signature, args, keywords)
        wrt = self.wanted(signature, chosen)
        index = pipeline.scalar_result(primal, self.name, self.has_aux, self.position())
        value = self.mode == "value_and_grad"
        keep = value or self.has_aux
        made = pipeline.gradient(primal, wrt, index, self.emitted_name(), keep)
        count = len(primal.results) if keep else 0
        kinds = {
            leaf.path: result_type(result)
            for leaf, result in zip(wrt, made.body.results[count:], strict=True)
        }
        order: list[tuple] = []
        grads = self.gradient_form(signature, chosen, args, kinds, order)
        # The results in the order in which the answer names them.
        bars = dict(zip((leaf.path for leaf in wrt), made.body.results[count:], strict=True))
        made.body.results = [*made.body.results[:count], *(bars[path] for path in order)]
        form: Any = grads
        if value:
            form = abstract.Items(tuple, (primal.form, grads))
        elif self.has_aux:
            # Only the auxiliary part of the results is handed on, behind the gradient.
            aux = primal.form.items[1]
            loss, rest = made.body.results[:1], made.body.results[1:count]
            del loss
            made.body.results = [*made.body.results[count:], *rest]
            form = abstract.Items(tuple, (grads, aux))
        return pipeline.Primal(made, form, list(made.body.results), primal.guards)

    def inner(self, signature: Signature, args: tuple, keywords: dict) -> pipeline.Primal:
        """The IR of the function that this is the derivative of."""
        from adcompiler.api import pipeline

        if isinstance(self.primal, Derivative):
            return self.primal.lower(signature, args, keywords)
        return pipeline.resolved(self.primal, signature)

    def emitted_name(self) -> str:
        inner = self.primal
        base = inner.emitted_name() if isinstance(inner, Derivative) else self.name
        base = base if base.isidentifier() else "function"
        return f"{base}_{self.suffix}"

    suffix = "grad"

    def chosen(self, args: tuple, keywords: dict) -> dict[Any, Any]:
        """The arguments to differentiate: position or name -> argument."""
        names = self.parameter_names()
        chosen: dict[Any, Any] = {}
        for place in self.places(args, keywords, names):
            value = args[place] if isinstance(place, int) else keywords[place]
            check_argument(place, value, names, self.name)
            chosen[place] = value
        return chosen

    def numbers(self) -> tuple:
        """`argnums` as a tuple."""
        if self.argnums is None:
            return () if self.argnames is not None else (0,)
        return self.argnums if isinstance(self.argnums, tuple) else (self.argnums,)

    def wanted_names(self) -> tuple:
        if self.argnames is None:
            return ()
        return (self.argnames,) if isinstance(self.argnames, str) else tuple(self.argnames)

    def places(self, args: tuple, keywords: dict, names: list[str]) -> list:
        places: list = []
        for number in self.numbers():
            if not isinstance(number, int):
                raise TypeError(f"argnums must be an int or a tuple of ints, not {number!r}")
            k = number + len(args) if number < 0 else number
            if not 0 <= k < len(args):
                raise errors.DifferentiationError(
                    f"argnums={number} of `{self.name}`",
                    reason=f"the call has {len(args)} positional arguments",
                    remedy="pass the argument by position, or use argnames",
                )
            places.append(k)
        for name in self.wanted_names():
            if name in keywords:
                places.append(name)
            elif name in names and names.index(name) < len(args):
                places.append(names.index(name))
            else:
                raise errors.DifferentiationError(
                    f"argnames={name!r} of `{self.name}`",
                    reason="the call does not give this argument",
                    remedy=f"pass it; the parameters are {', '.join(names)}",
                )
        if not places:
            raise errors.DifferentiationError(
                f"a derivative of `{self.name}` with respect to nothing",
                reason="argnums or argnames is empty",
                remedy="name an argument, or call the function itself",
            )
        return places

    def wanted(self, signature: Signature, chosen: dict) -> list:
        """The float leaves of the chosen arguments."""
        return [
            leaf
            for leaf in signature.leaves
            if leaf.path[0] in chosen and T.is_float(leaf.value.type)
        ]

    def position(self) -> Any:
        tree = tree_of(self.base)
        return tree.position(tree.node)

    def gradient_form(
        self,
        signature: Signature,
        chosen: dict,
        args: tuple,
        kinds: dict[tuple, Any],
        order: list[tuple],
    ) -> abstract.Structure:
        """The structure of the gradient: that of the arguments it is taken of.

        The paths of its leaves are appended to `order`.
        """

        def structured(place: Any) -> abstract.Structure:
            return form_of(chosen[place], kinds, (place,), order)

        names = self.parameter_names()
        by_number = by_name = None
        if self.numbers():
            places = [n + len(args) if n < 0 else n for n in self.numbers()]
            forms = tuple(map(structured, places))
            single = not isinstance(self.argnums, tuple)
            by_number = forms[0] if single else abstract.Items(tuple, forms)
        if self.argnames is not None:
            wanted = self.wanted_names()
            forms = tuple(structured(n if n in chosen else names.index(n)) for n in wanted)
            single = isinstance(self.argnames, str)
            by_name = forms[0] if single else abstract.Items(dict, forms, wanted)
            return by_name if by_number is None else abstract.Items(tuple, (by_number, by_name))
        assert by_number is not None
        return by_number

    def describe(self, signature: Signature, args: tuple, keywords: dict) -> str:
        leaves = self.wanted(signature, self.chosen(args, keywords))
        names = ", ".join(leaf.value.name for leaf in leaves)
        return f"{self.what} of {self.name} with respect to {names or 'nothing'}."

    @property
    def what(self) -> str:
        return "Value and gradient" if self.mode == "value_and_grad" else "Gradient"

    # -- looking ------------------------------------------------------------------------------

    def source(self, *args: Any, stage: str = "source", **keywords: Any) -> str:
        """The emitted code as text.

        With arguments, for their signature; without, for the last call, or if there was none, for
        the parameters' annotations and defaults.  `stage` is one of "ast", "tree", "ir", "types",
        "adjoint", "optimised" and "source".
        """
        if stage != "source":
            from adcompiler.api.stages import show_function, show_stage

            if stage in ("ast", "tree"):
                return show_function(self.base, stage)
            return show_stage(self, self._chosen(args, keywords)[0], stage)
        found, assumed = self._chosen(args, keywords)
        return assumed + found.text

    def _chosen(self, args: tuple, keywords: dict) -> tuple[Specialisation, str]:
        if args or keywords:
            return self.specialise(*self.given(args, keywords)), ""
        if self._last is not None:
            return self._last, ""
        guessed, note = self.guess_arguments()
        return self.specialise(*self.given(guessed)), note

    def guess_arguments(self) -> tuple[tuple, str]:
        """Example arguments from annotations and defaults, else float64 vectors."""
        from adcompiler.api.examples import example_arguments

        def attempt(args: tuple) -> None:
            self.specialise(*self.given(args))

        return example_arguments(self.primal, len(self._bound), attempt)

    def compiled(self, *args: Any, **keywords: Any) -> Callable:
        """The emitted function itself, for these arguments' signature.

        It takes the numbers and arrays among the arguments, in order.
        """
        return self._chosen(args, keywords)[0].run

    def explain(self, *args: Any, **keywords: Any) -> str:
        """What is saved for the backward sweep, what was found inactive, and why."""
        from adcompiler.api.explanation import explain

        found, note = self._chosen(args, keywords)
        return note + explain(self, found, len(self._patterns))

    def on_backend(self, backend: str) -> Derivative:
        """The same derivative on another backend."""
        made = type(self)(
            self.primal,
            self.mode,
            self.label,
            self.argnums,
            self.argnames,
            self.has_aux,
            backend,
        )
        made._bound, made._keywords = self._bound, self._keywords
        made._simple, made.argnums = not (self._bound or self._keywords), self.argnums
        return made

    # -- as a method, pickled, shown -----------------------------------------------------------

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return BoundDerivative(self, instance)

    def __reduce__(self) -> Any:
        function = self.primal
        if self._bound or self._keywords:
            if isinstance(function, Derivative):
                bare: Any = function
            else:
                bare = functools.partial(function, *self._bound, **self._keywords)
            argnums = shift(self.argnums, self.argnames, -len(self._bound))
            options = (argnums, self.argnames, self.has_aux, self.backend)
            return type(self), (bare, self.mode, self.label, *options)
        return _restore, (
            function.__module__,
            function.__qualname__,
            type(self),
            self.mode,
            self.label,
            self.argnums,
            self.argnames,
            self.has_aux,
            self.backend,
        )

    def __repr__(self) -> str:
        return f"<{self.label} of {self.name}>"


class BoundDerivative:
    """A derivative that was looked up on an instance: `argnums` does not count `self`."""

    def __init__(self, derivative: Derivative, instance: Any) -> None:
        self.derivative = derivative
        self.instance = instance

    def _shifted(self) -> Derivative:
        store = self.derivative.__dict__.setdefault("_for_instances", None)
        if store is None:
            source = self.derivative
            store = Derivative(
                source.primal,
                source.mode,
                source.label,
                shift(source.argnums, source.argnames),
                source.argnames,
                source.has_aux,
                source.backend,
            )
            self.derivative.__dict__["_for_instances"] = store
        return store

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._shifted()(self.instance, *args, **keywords)

    @property
    def primal(self) -> Callable:
        return self.derivative.primal.__get__(self.instance)

    def source(self, *args: Any, stage: str = "source", **keywords: Any) -> str:
        given, note = self._given(args, keywords)
        text = self._shifted().source(*given, stage=stage, **keywords)
        return note + text if stage == "source" else text

    def explain(self, *args: Any, **keywords: Any) -> str:
        given, note = self._given(args, keywords)
        return note + self._shifted().explain(*given, **keywords)

    def _given(self, args: tuple, keywords: dict) -> tuple[tuple, str]:
        """The arguments behind the instance: those given, none for the last call, or examples."""
        shifted = self._shifted()
        if args or keywords:
            return (self.instance, *args), ""
        if shifted._last is not None:
            return (), ""
        from adcompiler.api.examples import example_arguments

        def attempt(guess: tuple) -> None:
            shifted.specialise((self.instance, *guess), {})

        guessed, note = example_arguments(shifted.primal, 1, attempt)
        return (self.instance, *guessed), note


def unbound(function: Any) -> tuple[Any, tuple, dict]:
    """A function, and the arguments that it is bound to: by position and by name.

    Of a method, of `functools.partial`, of an object with `__call__`, and of derivatives of these.
    """
    bound: tuple = ()
    keywords: dict = {}
    while True:
        if isinstance(function, types.MethodType):
            bound, function = (function.__self__, *bound), function.__func__
        elif isinstance(function, functools.partial):
            bound, keywords = (*function.args, *bound), {**function.keywords, **keywords}
            function = function.func
        elif isinstance(function, BoundDerivative):
            bound, function = (function.instance, *bound), function._shifted()
        elif isinstance(function, Derivative):
            return function, (*function._bound, *bound), {**function._keywords, **keywords}
        else:
            call = getattr(type(function), "__call__", None)  # noqa: B004
            if isinstance(function, type) or not isinstance(call, types.FunctionType):
                return function, bound, keywords
            bound, function = (function, *bound), call


def shift(argnums: Any, argnames: Any, by: int = 1) -> Any:
    """`argnums` if `by` arguments are put before the others."""
    if argnums is None:
        return by if argnames is None else None
    if isinstance(argnums, tuple):
        return tuple(shift(n, argnames, by) for n in argnums)
    return argnums + by if argnums >= 0 else argnums


def _restore(module: str, name: str, cls: type, mode: str, label: str, *options: Any) -> Any:
    """A pickled derivative: the one that now stands under the name, or a new one of what does."""
    import importlib

    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if isinstance(found, Derivative):
        if (found.mode, found.argnums, found.argnames) == (mode, options[0], options[1]):
            return found
        found = found.primal
    return cls(found, mode, label, *options)


def result_type(result: Any) -> Any:
    from adcompiler.ir.infer import type_of

    return type_of(result)


def form_of(
    value: Any, kinds: dict[tuple, Any], path: tuple, order: list[tuple]
) -> abstract.Structure:
    """The structure of a gradient with respect to `value`: None for what is not a float."""
    parts = parts_of(value)
    if parts is not None:
        items = tuple(form_of(item, kinds, (*path, k), order) for k, item in parts.items())
        return abstract.Items(type(value), items, tuple(parts))
    if path in kinds:
        order.append(path)
        return abstract.Leaf(kinds[path])
    return abstract.Static(Constant(None))


def finisher(form: abstract.Structure) -> Callable[[Any], Any] | None:
    """What makes the answer of what emitted code returns; None if that is the answer."""
    if isinstance(form, abstract.Leaf):
        return None
    count = len(list(leaves_of(form)))
    if isinstance(form, abstract.Items) and form.kind is tuple and count > 1:
        if all(isinstance(item, abstract.Leaf) for item in form.items):
            return None

    def finish(result: Any) -> Any:
        return unflatten(form, iter((result,) if count == 1 else result))

    return finish


def leaves_of(form: abstract.Structure) -> Any:
    if isinstance(form, abstract.Leaf):
        yield form
    elif isinstance(form, abstract.Items):
        for item in form.items:
            yield from leaves_of(item)


def unflatten(form: Any, leaves: Any) -> Any:
    """A result of the function's own structure from the values of its leaves."""
    match form:
        case abstract.Leaf():
            return next(leaves)
        case abstract.Items(kind=kind, items=items, keys=keys):
            values = [unflatten(item, leaves) for item in items]
            return assembled(kind, keys, values)
        case abstract.Static(value=value):
            return value.value if isinstance(value, Constant) else value
    return None


def check_argument(place: Any, value: Any, names: list[str], function: str) -> None:
    """Refuse to differentiate with respect to what has no derivative."""
    if is_container(value):
        leaves: list = []
        flatten(value, leaves)
        if any(_is_float(leaf) for leaf in leaves):
            return
        kind = "no floats"
    elif _is_float(value):
        return
    elif isinstance(value, (bool, int, np.integer, np.bool_)):
        kind = "an integer" if not isinstance(value, (bool, np.bool_)) else "a bool"
    elif isinstance(value, np.ndarray):
        kind = f"an array of {value.dtype}"
    else:
        kind = f"a {type(value).__name__}"
    name = names[place] if isinstance(place, int) and place < len(names) else place
    raise errors.DifferentiationError(
        f"argument `{name}` of `{function}` is {kind}",
        reason="a derivative needs a variable that can change by a little",
        remedy="pass floats, e.g. 2.0 or x.astype(float), or choose others with argnums"
        if not is_opaque(value)
        else f"make `{type(value).__name__}` a dataclass, or pass what it holds",
    )


def is_opaque(value: Any) -> bool:
    """Whether a value is an object of a class of which the fields are not known."""
    known = isinstance(value, (int, str, np.ndarray, np.generic)) or value is None
    function = isinstance(value, (types.FunctionType, type))
    return not known and not function and hasattr(value, "__dict__")


def _is_float(value: Any) -> bool:
    if isinstance(value, (float, complex, np.inexact)):
        return True
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def arrays_in(values: Iterable[Any]) -> list[np.ndarray]:
    """The arrays among some objects, and in lists, tuples and dicts of them."""
    found: list[np.ndarray] = []
    for value in values:
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, (list, tuple, dict)):
            found += arrays_in(value.values() if isinstance(value, dict) else value)
    return found


def overlaps_itself(array: np.ndarray) -> bool:
    """Whether two items of an array may be one place in memory, as strides can make them be."""
    extent = array.itemsize
    for stride, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length > 1 and stride < extent:
            return array.size > 0
        extent += (length - 1) * stride
    return False


def check_overlap(written: list[int], leaves: list, held: list[np.ndarray]) -> None:
    """Refuse arguments that share memory where the function writes one of them."""
    for k in written:
        if overlaps_itself(leaves[k]):
            raise errors.OverlapError(
                f"argument {k} has items that share memory, and the function writes it",
                reason="the derivative works on a copy of it, in which every item has its own",
                remedy="pass a copy of it",
            )
        for j, other in enumerate([*leaves, *held]):
            if j == k or not isinstance(other, np.ndarray):
                continue
            if not np.may_share_memory(leaves[k], other):
                continue
            try:
                shared = np.shares_memory(leaves[k], other, max_work=10_000)
            except Exception:  # too hard to tell
                shared = True
            if shared:
                those = f"arguments {k} and {j}"
                if j >= len(leaves):
                    those = f"argument {k} and an array around the function"
                raise errors.OverlapError(
                    f"{those} share memory, and the function writes argument {k}",
                    reason="the derivative works on a copy of it, so the other would not change",
                    remedy="pass a copy of one of them",
                )
