"""From tree to IR: interpret a function abstractly, for one signature.

What `a += v` or `a[i]` or `f(x)` means in Python depends on types.  The resolver walks the reduced
tree with an environment from names to abstract values (`ir.abstract`), and writes down each
operation on run-time values in the block that is open.  Values, calls, carried names and joins are
found in the one walk: a branch is walked twice, once for each side; a loop until the types of what
it carries no longer change.  Calls to functions with source are walked in place.

The rules of the rulebook are functions too: `Resolver.call` writes a rule's body where it is
called, so that differentiating is again just calling.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gast
import numpy as np

from adcompiler import errors, runtime
from adcompiler.ir import (
    abstract,
    attributes,
    calls,
    comparisons,
    contexts,
    generators,
    heap,
    indexing,
    instances,
    iteration,
    list_methods,
    lists,
    mappings,
    meaning,
    operations,
    purity,
    recursion,
    subscripts,
    walking,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure, Items, Leaf, Mismatch, Static
from adcompiler.ir.desugar import Leaving, LeftBeforeFinally, Thrown
from adcompiler.ir.guards import CONTAINERS, Guard, NeedGrowing, NeedStatic, NeedUnroll, contents_of
from adcompiler.ir.infer import dim_of
from adcompiler.ir.joins import Arm, Conflict, Join
from adcompiler.ir.nodes import (
    UNBOUND,
    Block,
    Constant,
    Function,
    If,
    Loop,
    New,
    Op,
    Origin,
    Raise,
    Range,
    Slice,
    Statement,
    Value,
    defined,
)
from adcompiler.ir.parse import OUTERMOST, Tree, assigned_names, parse

BINARY = {
    gast.Add: operator.add, gast.Sub: operator.sub, gast.Mult: operator.mul,
    gast.Div: operator.truediv, gast.FloorDiv: operator.floordiv, gast.Mod: operator.mod,
    gast.Pow: operator.pow, gast.MatMult: operator.matmul, gast.BitAnd: operator.and_,
    gast.BitOr: operator.or_, gast.BitXor: operator.xor, gast.LShift: operator.lshift,
    gast.RShift: operator.rshift,
}  # fmt: skip
IN_PLACE = {
    gast.Add: operator.iadd, gast.Sub: operator.isub, gast.Mult: operator.imul,
    gast.Div: operator.itruediv, gast.FloorDiv: operator.ifloordiv, gast.Mod: operator.imod,
    gast.Pow: operator.ipow, gast.MatMult: operator.imatmul, gast.BitAnd: operator.iand,
    gast.BitOr: operator.ior, gast.BitXor: operator.ixor,
}  # fmt: skip
UNARY = {
    gast.USub: operator.neg, gast.UAdd: operator.pos, gast.Not: operator.not_,
    gast.Invert: operator.invert,
}  # fmt: skip
COMPARE = {
    gast.Eq: operator.eq, gast.NotEq: operator.ne, gast.Lt: operator.lt, gast.LtE: operator.le,
    gast.Gt: operator.gt, gast.GtE: operator.ge, gast.Is: operator.is_,
    gast.IsNot: operator.is_not,
}  # fmt: skip

_PRINTED = (bool, int, float, str, type(None))
"""What a string is made of that is known at compile time."""

MAX_INLINE_DEPTH = 60
MAX_UNROLL = 256


@dataclass(slots=True, eq=False)
class Frame:
    """The names of one call."""

    tree: Tree
    env: dict[str, Any] = field(default_factory=dict)
    parent: Frame | None = None
    """The frame of the function around it, for nested functions."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What the parameters were bound to."""
    calls: tuple = ()
    """Where it was called, innermost first."""
    call: Any = None
    """The node of the call."""
    site: errors.Position | None = None
    """In a function of the library: where the user called what it stands for."""
    guarded: bool = False
    """Whether a `try` of the user's may be around what it does."""
    nonlocals: set[str] = field(default_factory=set)

    @property
    def hidden(self) -> bool:
        """Whether it is no function of the user's: its statements count as the one that called."""
        return self.site is not None

    def position(self, node: Any) -> errors.Position:
        return self.site or self.tree.position(node)


class Resolver:
    """Writes IR.  One for a function and its signature; the passes use one to inline rules."""

    def __init__(self) -> None:
        self.block = Block()
        self.blocks_around: list[Block] = []
        self.frame: Frame | None = None
        self.frames: list[Frame] = []
        self.node: Any = None
        self.origin: Origin | None = None
        self.fixed_origin: Origin | None = None
        """Where set, the origin of everything written (inlined rules)."""
        self.guards: dict[tuple, Guard] = {}
        self.loop_memo: dict[Any, dict] = {}
        self.global_objects: dict[int, Any] = {}
        """Lists and dicts that are not the function's own (held, so that ids stay theirs)."""
        self.argument_objects: dict[int, Any] = {}
        self.changed_arguments = False
        self.frozen: dict[int, Any] = {}
        """Lists and dicts that stand for one of two: a change might have to change another."""
        self.conflicted: dict[int, Any] = {}
        """Those to which two paths gave different structures: an error if they are read."""
        self.fresh_lists: set[Value] = set()
        """Lists by the names they were born under: two of them are two lists."""
        self.pending: list[set[tuple[int, str]]] = []
        """Names that loops around may bind in an earlier trip: what they are is not known yet."""
        self.waited = False
        self.patience = 0
        """How many of the loops around may learn more in another attempt."""
        self.kinds = lists.Kinds()
        self.born: dict[int, tuple[list, int]] = {}
        """Lists of known structure by identity, each with the node that made it."""
        self.growing: set[int] = set()
        """Nodes whose lists are objects of the IR."""
        self.listed: dict[int, Any] = {}
        """Dicts and objects that a list holds as they were when it got them: not to be changed."""
        self.alive: list[set[int]] = []
        """The dicts and objects, by identity, that there were before each loop around."""
        self.newly_listed = 0
        self.walked: list[tuple] = []
        """What loops around that are written out walk."""
        self.from_nothing: dict[Value, Value] = {}
        """Items of lists that nothing was put into yet, each with its list."""
        self.maybe_unbound: set[Value] = set()
        self.checked: set[tuple[Block, Value]] = set()
        self.outer: dict[tuple[int, str], Any] = {}
        self.unrolled: set = set()
        self.open_loops = 0
        """How many loops around are being interpreted."""
        self.born_in: dict[Value, int] = {}
        """In how many loops a list was made."""
        self.managers: list[str | None] = []
        """Of each `with` around, innermost last: what minds exceptions that leave its block."""
        self.dead = False
        """After a `raise`: the rest of the block is not reached."""
        self.object_classes: Callable[[Function], Any]
        self.derive: Callable[[Function, list[Value], list, bool], Function]
        self.derive_forward: Callable[[Function, list[Value]], Function]
        self.recursive: dict[Any, recursion.Recursive] = {}
        self.building: list[recursion.Recursive] = []
        self.consumers: list[generators.Consumer] = []
        """Who walks the generators that are being interpreted, innermost last."""
        self.made_nodes: dict[int, tuple[Any, gast.GeneratorExp]] = {}
        """Generators made of comprehensions, by the `id` of these."""
        self.iterators: dict[int, tuple[Any, int]] = {}
        """Iterators that have a name, each with how many loops were around it when it got it."""
        self.parameter_of: dict[int, Any] = {}
        """Which argument a value is, for those whose value may be asked for."""

    # -- writing ------------------------------------------------------------------------------

    def add(self, statement: Statement) -> None:
        statement.origin = self.fixed_origin or self.origin
        if isinstance(statement, Op) and self.frame is not None and self.frame.guarded:
            # A handler may wait for what it raises.
            statement.keeps = not (statement.fn is str.format or _is_exception(statement.fn))
        if isinstance(statement, New):
            self.fresh_lists.add(statement.out)
            self.born_in[statement.out] = self.open_loops
        self.block.statements.append(statement)

    def value(self, type: Any, name: str | None = None) -> Value:
        return Value(name, type)

    def fresh(self) -> tuple:
        Value._count += 1
        return ("int", Value._count)

    def op(self, fn: Callable, *args: Any, **keywords: Any) -> Any:
        """Write `fn(*args, **keywords)` and give back its result (or fold it)."""
        return operations.apply(self, fn, list(args), keywords)

    def known_length(self, dim: T.Dim) -> tuple[Value, int] | None:
        """An axis that is always at hand and has this length; the user's text is left as it is."""
        return None

    def simpler(self, fn: Callable, args: list, keywords: dict) -> Any:
        """A simpler operand that equals `fn(*args)`; the user's own text is left as it is."""
        return None

    @contextlib.contextmanager
    def writing(self, block: Block) -> Iterator[Block]:
        saved, saved_dead = self.block, self.dead
        self.blocks_around.append(saved)
        self.block, self.dead = block, False
        try:
            yield block
        finally:
            self.blocks_around.pop()
            self.block, self.dead = saved, saved_dead

    # -- errors -------------------------------------------------------------------------------

    def position(self, node: Any = None) -> errors.Position | None:
        if self.fixed_origin is not None:
            return self.fixed_origin.position
        node = node if node is not None else self.node
        if node is None or self.frame is None:
            return None
        return self.frame.position(node)

    def error(self, message: str, reason: str = "", remedy: str = "") -> errors.ResolveError:
        return errors.ResolveError(message, reason=reason, remedy=remedy, position=self.position())

    # -- functions ----------------------------------------------------------------------------

    def call(
        self,
        tree: Tree,
        args: list,
        keywords: dict,
        parent: Frame | None = None,
        defaults: tuple | None = None,
        keyword_defaults: dict | None = None,
    ) -> Any:
        """Interpret a call of the function, in place; gives its result."""
        if len(self.frames) > MAX_INLINE_DEPTH:
            raise self.error(
                f"call of `{tree.name}`",
                "calls are nested too deeply to be written in place",
                "use a loop instead of deep recursion",
            )
        env = self.bind(tree, args, keywords, defaults, keyword_defaults)
        for name, value in env.items():
            if self.fixed_origin is None and not _is_library(tree):  # these walk it at once
                self.refuse_lazy(value)
            if self.frames:
                env[name] = self.settle(value)
        if tree.generator:
            quiet = meaning.is_prelude(tree) and not any(map(purity.acts, env.values()))
            return generators.Generator(self, tree, env, parent, quiet)
        if not meaning.is_prelude(tree) and recursion.is_recursive(self, tree, env):
            return recursion.call(self, tree, env, parent)
        return self.interpret(tree, env, parent)

    def interpret(self, tree: Tree, env: dict[str, Any], parent: Frame | None) -> Any:
        """Interpret a function's body with its parameters bound."""
        saved = self.frame, self.node, self.origin
        calls: tuple = ()
        if saved[0] is not None and saved[1] is not None and self.fixed_origin is None:
            calls = saved[0].calls
            if saved[0].site is None:
                calls = (saved[0].position(saved[1]), *calls)
        self.frame = Frame(tree, env, parent, dict(env), calls, saved[1])
        self.frame.guarded = tree.guarded or (saved[0] is not None and saved[0].guarded)
        if saved[0] is not None and saved[1] is not None and _is_library(tree):
            self.frame.site = saved[0].position(saved[1])
            self.frame.calls = saved[0].calls
        self.frames.append(self.frame)
        try:
            return self.run(tree.node.body)
        except errors.AdcompilerError as error:
            error.at(self.position())
            if calls and self.frame.site is None and saved[0] is not None:
                if saved[0].site is None and saved[1] is not None:
                    error.called_from(saved[0].position(saved[1]))
            raise
        finally:
            self.frames.pop()
            self.frame, self.node, self.origin = saved

    def run_library(self, function: Callable, args: list) -> Any:
        """Interpret a function of `list_methods` in place of what the user wrote."""
        return self.interpret(parse(function), self.bind(parse(function), args, {}, (), {}), None)

    def bind(
        self,
        tree: Tree,
        args: list,
        keywords: dict,
        defaults: tuple | None,
        keyword_defaults: dict | None,
    ) -> dict[str, Any]:
        """Bind arguments to parameters, as Python does."""
        arguments = tree.node.args
        positional = [a.id for a in [*arguments.posonlyargs, *arguments.args]]
        only_positional = {a.id for a in arguments.posonlyargs}
        function = tree.function
        if defaults is None:
            values = getattr(function, "__defaults__", None) or ()
            defaults = tuple(map(self.foreign, values))
        if keyword_defaults is None:
            values = getattr(function, "__kwdefaults__", None) or {}
            keyword_defaults = {k: self.foreign(v) for k, v in values.items()}
        env: dict[str, Any] = dict(zip(positional, args, strict=False))
        if len(args) > len(positional):
            if arguments.vararg is None:
                raise self.error(
                    f"call of `{tree.name}`",
                    f"it takes {len(positional)} positional arguments, {len(args)} were given",
                    "give it the arguments of its signature",
                )
        if arguments.vararg is not None:
            env[arguments.vararg.id] = tuple(args[len(positional) :])
        extra = {}
        for name, value in keywords.items():
            known = name in positional and name not in only_positional
            if known or name in {a.id for a in arguments.kwonlyargs}:
                if name in env:
                    raise self.error(f"call of `{tree.name}`", f"`{name}` was given twice")
                env[name] = value
            else:
                extra[name] = value
        if arguments.kwarg is not None:
            env[arguments.kwarg.id] = extra
        elif extra:
            raise self.error(
                f"call of `{tree.name}`",
                f"it has no parameter `{next(iter(extra))}`",
                "give it the arguments of its signature",
            )
        for name, value in zip(
            positional[len(positional) - len(defaults) :], defaults, strict=True
        ):
            env.setdefault(name, value)
        for a in arguments.kwonlyargs:
            if a.id not in env and a.id in keyword_defaults:
                env[a.id] = keyword_defaults[a.id]
        for name in [*positional, *(a.id for a in arguments.kwonlyargs)]:
            if name not in env:
                raise self.error(
                    f"call of `{tree.name}`",
                    f"the argument `{name}` is missing",
                    "give it the arguments of its signature",
                )
        return env

    def run(self, body: list) -> Any:
        """Interpret a function's body; its last statement is its only `return`."""
        result: Any = Constant(None)
        for node in body:
            if self.dead:
                return result
            if isinstance(node, gast.Return):
                self.enter(node)
                result = Constant(None) if node.value is None else self.eval(node.value)
                if len(self.frames) == 1:
                    lists.refuse_records(self, _values(result))
            else:
                self.execute(node)
        return result

    def constant(self, value: Any, name: str | None = None) -> Any:
        """The abstract value of a Python object that the program refers to."""
        if hasattr(type(value), "__without_derivative__"):
            raise errors.DifferentiationError(
                "a compiled derivative of a value that the tape follows",
                reason="the tape does not see what happens in it",
                remedy="compile the whole function with grad; on the tape, use tape.grad alone",
                position=self.position(),
            )
        if isinstance(value, tuple) and type(value) is tuple:
            return tuple(self.constant(item) for item in value)
        if isinstance(value, list):
            return [self.constant(item) for item in value]
        if isinstance(value, (set, frozenset)):
            kind = abstract.KnownSet if isinstance(value, set) else abstract.KnownFrozenSet
            return kind({key: Constant(None) for key in value})
        if isinstance(value, dict) and all(isinstance(k, (str, int)) for k in value):
            return {k: self.constant(v) for k, v in value.items()}
        return Constant(value, name)

    # -- statements ---------------------------------------------------------------------------

    def enter(self, node: Any) -> None:
        self.node = node
        if self.fixed_origin is None and self.frame.site is None:
            tree = self.frame.tree
            self.origin = Origin(tree.position(node), tree.quote(node), calls=self.frame.calls)

    def execute(self, node: Any) -> None:
        """Interpret one statement."""
        self.enter(node)
        match node:
            case gast.Assign():
                self.assign(node.targets[0], self.eval(node.value))
            case gast.AugAssign():
                self.augment(node)
            case gast.Expr(value=gast.Yield()):
                generators.give(self, node)
            case gast.Expr():
                self.eval(node.value)
            case gast.If():
                self.branch(
                    self.test(node.test),
                    lambda: self.execute_all(node.body),
                    lambda: self.execute_all(node.orelse),
                )
            case gast.For():
                self.for_loop(node)
            case gast.While():
                self.while_loop(node)
            case gast.Assert():
                self.assertion(node)
            case gast.Raise():
                self.add(Raise(self.exception(node)))
                self.dead = True
            case gast.FunctionDef():
                self.define(node)
            case gast.Import() | gast.ImportFrom():
                self.import_(node)
            case gast.Delete():
                for item in node.targets:
                    self.delete(node, item)
            case gast.With():
                self.with_(node)
            case gast.Nonlocal():
                self.frame.nonlocals.update(node.names)
            case gast.Global():
                self.global_(node)
            case gast.Pass():
                pass
            case _:
                raise self.unsupported(node, f"`{type(node).__name__}` statement")

    def delete(self, node: gast.Delete, item: Any) -> None:
        """`del item`."""
        if isinstance(item, gast.Name):
            self.frame.env.pop(item.id, None)
            return
        if not isinstance(item, gast.Subscript):
            raise self.unsupported(node, "`del` of this form")
        base = self.eval(item.value)
        delete = mappings.delete_item if isinstance(base, dict) else lists.delete_item
        delete(self, base, self.eval(item.slice))

    def unsupported(self, node: Any, what: str, reason: str = "", remedy: str = ""):
        return errors.UnsupportedError(
            what,
            reason=reason or "it is outside the subset that is compiled",
            remedy=remedy or "write it with assignments, `if`, `for` and `while`",
            position=self.position(node),
        )

    def execute_all(self, nodes: list) -> None:
        for node in nodes:
            if self.dead:
                return
            self.execute(node)

    def assertion(self, node: gast.Assert) -> None:
        def fail() -> None:
            self.add(Raise(self.raised(AssertionError, node.msg)))
            self.dead = True

        self.branch(self.test(node.test), lambda: None, fail)

    def raised(self, cls: type, message: Any) -> Any:
        args = [] if message is None else [self.eval(message)]
        out = self.value(T.Object(cls))
        self.add(Op(cls, args, {}, [out]))
        return out

    def exception(self, node: gast.Raise) -> Any:
        exc = node.exc
        if isinstance(exc, gast.Call):
            cls = self.eval(exc.func)
            if isinstance(cls, Constant) and isinstance(cls.value, type):
                args = [self.operand(arg) for arg in self.elements(exc.args)]
                named = {k.arg: self.operand(self.eval(k.value)) for k in exc.keywords}
                out = self.value(T.Object(cls.value))
                self.add(Op(cls.value, args, named, [out]))
                return out
        elif exc is not None:
            value = self.eval(exc)
            known = value.type if isinstance(value, Value) else None
            if isinstance(known, T.Object) and issubclass(known.cls, BaseException):
                return value
            if isinstance(value, Constant):
                return value
        raise self.unsupported(node, "`raise` of this form", "", "raise SomeError('text')")

    def global_(self, node: gast.Global) -> None:
        """`global`: to read is fine."""
        body = self.frame.tree.node.body
        bound = {name: None for name in node.names if name in assigned_names(body)}
        if bound:
            raise self.unsupported(
                node,
                f"`global {', '.join(bound)}` that is assigned",
                "a derivative call must not change what its caller holds",
                "pass the value in and return the new one",
            )

    def define(self, node: gast.FunctionDef) -> None:
        tree = self.frame.tree.nested(node)
        args = node.args
        defaults = tuple(self.eval(d) for d in args.defaults)
        keyword_defaults = {
            a.id: self.eval(d)
            for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if d is not None
        }
        value: Any = Closure(tree, self.frame, defaults, keyword_defaults)
        for decorator in reversed(node.decorator_list):
            value = self.apply(self.eval(decorator), [value], {})
        self.frame.env[node.name] = value

    def import_(self, node: Any) -> None:
        import importlib

        for alias in node.names:
            if isinstance(node, gast.ImportFrom):
                package = self.frame.tree.globals.get("__package__")
                module = importlib.import_module("." * node.level + (node.module or ""), package)
                value = getattr(module, alias.name)
            else:
                value = importlib.import_module(alias.name)
                if alias.asname is None and "." in alias.name:
                    value = importlib.import_module(alias.name.split(".")[0])
            self.frame.env[alias.asname or alias.name.split(".")[0]] = self.constant(value)

    def with_(self, node: gast.With) -> None:
        contexts.run(self, node, node.items, lambda: self.execute_all(node.body))

    # -- assignment ---------------------------------------------------------------------------

    def assign(self, target: Any, value: Any) -> None:
        match target:
            case gast.Name(id=name):
                self.bind_name(name, value)
            case gast.Tuple(elts=elts) | gast.List(elts=elts):
                self.unpack(elts, value)
            case gast.Subscript():
                base = self.eval(target.value)
                subscripts.set_item(self, base, self.eval(target.slice), value)
            case gast.Attribute(attr=attr):
                base = self.eval(target.value)
                if attr == "flat" and operations.is_array(base):
                    indexing.set_flat(self, indexing.Flat(base), Constant(slice(None)), value)
                else:
                    instances.set_attribute(self, base, attr, value)
            case gast.Starred():
                raise self.unsupported(target, "starred target outside a tuple")
            case _:
                raise self.unsupported(target, f"assignment to `{type(target).__name__}`")

    def bind_name(self, name: str, value: Any) -> None:
        self.refuse_lazy(value)
        value = self.settle(value)
        if isinstance(value, (abstract.Sequence, generators.Generator)):
            self.iterators.setdefault(id(value), (value, len(self.pending)))
        if isinstance(value, Value) and value.name is None and self.fixed_origin is None:
            value.name = name
        elif isinstance(value, Constant) and isinstance(value.value, np.ndarray):
            value = Constant(value.value, value.name or name)
        frame = self.frame
        if name in frame.nonlocals:
            holder = frame.parent
            within = frame.tree.generator and holder is not None and name in holder.tree.locals
            while not within and holder is not None and name not in holder.env:
                holder = holder.parent
            if holder is None:
                raise self.error(f"`nonlocal {name}`", "no enclosing function binds it here")
            holder.env[name] = value
            return
        frame.env[name] = value

    def refuse_lazy(self, value: Any) -> None:
        """What walks a list later must find it as it is then."""
        if isinstance(value, abstract.Sequence) and (value.lazy or value.growing):
            raise self.error(
                "an iterator that is kept",
                "the list that it walks might change before it is walked",
                "walk it where it is made, or keep a list of it: list(...)",
            )

    def replace(self, thing: Any, new: Any) -> None:
        """A dict or list of known structure contains something else from now on."""
        if id(thing) in self.global_objects:
            raise self.error(
                "change of a global list or dict",
                "a derivative call must not change what its caller holds",
                "copy it inside the function first, or pass it as an argument",
            )
        if id(thing) in self.frozen:
            raise self.error(
                "change of a list or dict that is one of two",
                "which one it is, is decided when the program runs",
                "change it in each branch, or copy it first",
            )
        if not isinstance(thing, abstract.Instance) and len(new) != len(thing):
            if any(thing is walked for walks in self.walked for walked in walks):
                raise self.error(
                    "a list or dict that grows or shrinks while a loop walks it",
                    "how often the loop runs would depend on it",
                    "walk a copy (`for x in list(xs)`), or use `while`",
                )
        if id(thing) in self.listed:
            raise self.error(
                "change of a dict or object that a list holds",
                "the list holds what it was when it was put in",
                "change it before, or put a new one into the list: `xs[i] = ...`",
            )
        self.changed_arguments = self.changed_arguments or id(thing) in self.argument_objects
        heap.put(thing, new)

    def is_empty(self, listed: Value) -> bool:
        """Whether nothing was put into a list so far: no trip of a loop around it came before."""
        return listed.type.item is None and self.born_in.get(listed) == self.open_loops

    def is_held(self, thing: Any) -> bool:
        """Whether a name leads to a list or dict already: then it is one object for all."""
        named = [value for frame in self.frames for value in frame.env.values()]
        return id(thing) in heap.objects_among(named) or id(thing) in self.global_objects

    def settle(self, value: Any) -> Any:
        """A list that gets a name becomes an object that can be appended to."""
        return lists.settle(self, value)

    def enlist(self, thing: Any) -> None:
        """A dict or object is put into a list, or read from one."""
        if id(thing) not in self.listed:
            self.listed[id(thing)] = thing
            if any(id(thing) in there for there in self.alive):
                self.newly_listed += 1  # an earlier statement of the loop may have changed it

    def unpack(self, targets: list, value: Any) -> None:
        stars = [i for i, t in enumerate(targets) if isinstance(t, gast.Starred)]
        if stars:
            at = stars[0]
            if lists.is_grown(value) or isinstance(getattr(value, "type", None), T.Array):
                self.unpack_starred(targets, value, at)
                return
            items = subscripts.unpacked(self, value, None)
            after = len(targets) - at - 1
            if len(items) < at + after:
                raise self.error("unpacking", f"{len(items)} values for {len(targets)} targets")
            middle = items[at : len(items) - after]
            groups = [*items[:at], list(middle), *items[len(items) - after :]]
            for target, item in zip(targets, groups, strict=True):
                self.assign(target.value if isinstance(target, gast.Starred) else target, item)
            return
        items = subscripts.unpacked(self, value, len(targets))
        if len(items) != len(targets):
            raise self.error(
                "unpacking",
                f"{len(items)} values for {len(targets)} targets",
                "give as many targets as there are values",
            )
        for target, item in zip(targets, items, strict=True):
            self.assign(target, item)

    def unpack_starred(self, targets: list, value: Any, at: int) -> None:
        """`a, *rest, b = items`, where the number of items is not known."""
        after = len(targets) - at - 1
        out = self.value(T.Object(type(None)))
        count = Constant(at + after)
        self.add(Op(runtime.check_enough, [value, count], {}, [out], effect=True))
        rest = Slice(Constant(at), Constant(-after if after else None), Constant(None))
        for k, target in enumerate(targets):
            if k == at:
                items = subscripts.get_item(self, value, rest)
                self.assign(target.value, iteration.call_list(self, [items], {}))
            else:
                place = Constant(k if k < at else k - len(targets))
                self.assign(target, subscripts.get_item(self, value, place))

    def augment(self, node: gast.AugAssign) -> None:
        fn = IN_PLACE.get(type(node.op), BINARY.get(type(node.op)))
        target = node.target
        if isinstance(target, gast.Name):
            old = self.lookup(target.id)
            value = self.eval(node.value)
            self.bind_name(target.id, operations.in_place(self, fn, old, value))
        elif isinstance(target, gast.Subscript):
            base = self.eval(target.value)
            index = self.eval(target.slice)
            old = subscripts.get_item(self, base, index)
            value = self.eval(node.value)
            flat = isinstance(base, indexing.Flat)
            part = flat or operations.is_array(base)  # else the item is an object of its own
            new = operations.in_place(self, fn, old, value, item=part)
            if new is not old:
                subscripts.set_item(self, base, index, new)
        elif isinstance(target, gast.Attribute):
            base = self.eval(target.value)
            old = attributes.get_attribute(self, base, target.attr)
            new = operations.in_place(self, fn, old, self.eval(node.value))
            instances.set_attribute(self, base, target.attr, new)
        else:
            raise self.unsupported(node, "augmented assignment of this form")

    # -- branches -----------------------------------------------------------------------------

    def truth(self, value: Any) -> Any:
        """A test: a Python bool where it is known, else an operand."""
        if isinstance(value, Constant):
            return bool(value.value)
        if isinstance(value, (tuple, list, dict)):
            return bool(value)
        if isinstance(value, abstract.Instance):
            for name in ("__bool__", "__len__"):
                answer = instances.method(self, value, name, [], {})
                if answer is not NotImplemented:
                    return self.truth(answer)
            return True
        if isinstance(value, (Value,)):
            if isinstance(value.type, T.List):
                return self.op(operator.gt, lists.length(self, value), Constant(0))
            shape = value.type.shape if isinstance(value.type, T.Array) else ()
            if self.fixed_origin is None and shape and any(d.constant != 1 for d in shape):
                return self.ambiguous(value)
            return value
        return True

    def ambiguous(self, value: Value) -> Value:
        """The truth of an array: NumPy raises if there are several items, whoever needs it."""
        out = self.value(T.BOOL)
        self.add(Op(bool, [value], {}, [out], effect=True))
        return out

    def branch(self, test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        """Interpret `then` or `orelse`; their results (expressions) are joined and given back."""
        if isinstance(test, bool):
            return then() if test else orelse()
        if isinstance(test, Constant):
            return then() if test.value else orelse()
        before = heap.take(self.frames)
        iterators = [value.used for value, _ in self.iterators.values()]
        fresh, walked = [list(used) for used in iterators], [False] * len(iterators)
        arms: list[Arm] = []
        bottoms: list[bool] = []
        node, origin = self.node, self.origin
        for run in (then, orelse):
            block = Block()
            with self.writing(block):
                bottom = False
                try:
                    result = run()
                    dead = self.dead
                except recursion.Bottom:
                    result, dead, bottom = None, True, True
                bottoms.append(bottom)
            things = [thing for thing, _ in before.heap.values()]
            after = heap.take(self.frames, [result, *things], before.frames)
            heap.put_back(before)
            self.node, self.origin = node, origin
            arms.append(Arm(block, result, dead, after))
            for k, used in enumerate(iterators):
                walked[k] = walked[k] or bool(used)
                used[:] = fresh[k]
        for used, either in zip(iterators, walked, strict=True):
            used[:] = [True] if either else []
        statement = If(test, arms[0].block, arms[1].block, [])
        if all(arm.dead for arm in arms):
            if any(bottoms):
                raise recursion.Bottom
            self.add(statement)
            self.dead = True
            return arms[0].result
        result = Join(self, statement, before, *arms).run()
        self.add(statement)
        return result

    def in_scope(self, value: Any) -> bool:
        """Whether a value is defined in one of the blocks that are open."""
        return any(
            value in block.params or any(value in defined(s) for s in block.statements)
            for block in [*self.blocks_around, self.block]
        )

    def may_be_unbound(self, value: Any) -> bool:
        """Whether a name that stands for this might not be bound when the program runs."""
        return value is UNBOUND or any(v in self.maybe_unbound for v in _values(value))

    def check_bound(self, name: str, value: Any) -> None:
        """Let Python itself raise where a name is read that may not be bound."""
        tree = self.frame.tree
        if self.fixed_origin is not None or name in tree.flags or name in tree.temporaries:
            return
        for leaf in _values(value):
            if leaf in self.maybe_unbound and (self.block, leaf) not in self.checked:
                self.checked.add((self.block, leaf))
                out = self.value(T.Object(type(None)))
                self.add(Op(runtime.bound, [leaf], {}, [out], effect=True))

    def widen(self, p: T.Dim, q: T.Dim) -> T.Dim:
        return T.symbol(self.fresh())

    def joinable(self, value: Any) -> Any:
        """An operand as a branch or loop hands it on."""
        return value

    # -- loops --------------------------------------------------------------------------------

    def for_loop(self, node: gast.For) -> None:
        iterable = walking.walked_now(self, self.eval(node.iter))
        if isinstance(iterable, generators.Generator):
            generators.walk(self, iterable, node)
            return
        key = self.loop_key(node)
        walks: tuple = ()
        static: Any = None
        if isinstance(iterable, (list, dict, abstract.Sequence)):
            iterable = walking.sequence(self, iterable)
            walks = iterable.walks
            if isinstance(iterable.length, walking.StaticLength):
                places = range(iterable.length.value)
                static = [functools.partial(iterable.item, Constant(k)) for k in places]
            elif key in self.unrolled:
                trips = walking.constant_range(self, iterable)
                static = [functools.partial(_same, item) for item in trips]
        else:
            items = walking.static_items(iterable)
            if items is None and key in self.unrolled:
                items = walking.constant_range(self, iterable)
            static = items and [functools.partial(_same, item) for item in items]
            static = [] if items == [] else static
        if static is not None:
            self.walked.append(walks)
            try:
                self.unroll(node, static)
            finally:
                self.walked.pop()
            return
        sequence = None
        if isinstance(iterable, abstract.RangeOf):
            domain = Range(iterable.start, iterable.stop, iterable.step)
        else:
            if isinstance(iterable, abstract.Sequence):
                sequence = iterable
            else:
                sequence = walking.sequence(self, iterable)
            walks = sequence.walks
            domain = Range(Constant(0), sequence.length, Constant(1))
        simple = isinstance(node.target, gast.Name) and sequence is None
        before = heap.take(self.frames)

        def head(index: Value) -> None:
            if simple:
                self.frame.env[node.target.id] = index
            else:
                item = index if sequence is None else sequence.item(index)
                self.assign(node.target, item)

        known = walking.has_known_trips(self, iterable)
        try:
            self.loop(node, domain, head, node.target.id if simple else "i", known)
            for walked in walks:
                lists.refuse_growing(self, walked)
        except NeedUnroll as need:
            if need.index not in self.index_of.get(key, ()):
                raise
            if not known and need.error is not None:
                raise need.error from None
            self.unrolled.add(key)
            heap.put_back(before)
            self.for_loop(node)

    index_of: dict[Any, list]

    def is_loop_index(self, value: Value) -> bool:
        return any(value in found for found in getattr(self, "index_of", {}).values())

    def loop_key(self, node: Any) -> tuple:
        calls = (id(part) for frame in self.frames for part in (frame.tree.node, frame.call))
        return (id(node), *calls)

    def while_loop(self, node: gast.While) -> None:
        key = self.loop_key(node)
        before = heap.take(self.frames)
        try:
            if key not in self.unrolled:
                self.loop(node, None, lambda index: None, "i", True)
                return
        except NeedUnroll as need:
            if need.index not in self.index_of.get(key, ()):
                raise
            self.unrolled.add(key)
            heap.put_back(before)
            error = need.error
        else:
            error = None
        self.unroll_while(node, error)

    def unroll_while(self, node: gast.While, error: Exception | None) -> None:
        """Write the trips out one by one, as long as each test is known now."""
        body, stop = self.loop_body(node)
        assert stop is not None
        for _ in range(MAX_UNROLL):
            self.enter(node)
            self.execute_all(body)
            if self.dead:
                return
            self.enter(node)
            stopped = self.truth(self.lookup(stop))
            if not isinstance(stopped, bool):
                break
            if stopped:
                return
        raise error or self.error(
            "a `while` over things that only exist at compile time",
            "how often it runs is only known at run time",
            "loop over the things themselves",
        )

    def unroll(self, node: gast.For, items: list[Callable[[], Any]]) -> None:
        """Interpret the body for each item, which is read when its turn has come."""
        if len(items) > MAX_UNROLL:
            raise self.error(
                f"loop over {len(items)} items",
                "it would be written out item by item",
                "put the items into an array",
            )
        body, stop = self.loop_body(node)

        def rest(position: int) -> None:
            if position == len(items):
                return
            self.enter(node)
            self.assign(node.target, items[position]())
            self.execute_all(body)
            if stop is None:
                rest(position + 1)
            elif not self.dead:
                self.enter(node)
                self.branch(self.truth(self.lookup(stop)), lambda: None, lambda: rest(position + 1))

        if stop is None:
            for item in items:
                if self.dead:
                    return
                self.enter(node)
                self.assign(node.target, item())
                self.execute_all(body)
        else:
            rest(0)

    def loop_body(self, node: Any) -> tuple[list, str | None]:
        """The body without its final `if stop: break`, and the name of the flag."""
        last = node.body[-1] if node.body else None
        if (
            isinstance(last, gast.If)
            and len(last.body) == 1
            and isinstance(last.body[0], gast.Break)
        ):
            return node.body[:-1], last.test.id
        return node.body, None

    def loop(
        self,
        node: Any,
        domain: Range | None,
        head: Callable,
        index_name: str,
        can_unroll: bool = False,
    ) -> None:
        """Interpret a loop until the types of what it carries settle, then write it down.

        `can_unroll`: it could be written out trip by trip instead.
        """
        body, stop = self.loop_body(node)
        outer_node, outer_origin = self.node, self.origin
        before = heap.take(self.frames)
        frames = before.frames
        names = self.changed_names(node, frames)
        entry = self.fresh()
        key = self.loop_key(node)
        memo = self.loop_memo.setdefault(key, {})
        there = before.heap
        objects = self.changed_objects(before)
        gives = bool(generators.carried(self, node))
        names.update({place: heap.contents(thing) for place, thing in objects.items()})
        forms: dict[tuple[int, str], Any] = {}
        for place, init in names.items():
            widen = place not in objects and not (gives and _is_flag(place, frames))
            form = abstract.structure(init, widen, there)
            with contextlib.suppress(Mismatch):
                known = memo.get(place)
                if known is not None:
                    form = abstract.join_structures(form, known, self.carried_dim(entry, place))
            forms[place] = form
        strict = False
        conflicts: set[tuple[int, str]] = set()
        """Names that no structure of what they stand for holds: an error where they are read."""
        held: set[tuple[int, str]] = set()
        """Places that hold what lists hold too."""
        for _attempt in range(14):
            start = self.fresh()[1]
            block = Block()
            index = None
            if domain is not None:
                index = self.value(T.INT, index_name)
                block.params.append(index)
            mark = self.value(T.INT) if index is None else index
            self.indices(key).append(mark)

            def leaf(type: Any, name: str, block: Block = block) -> Value:
                param = self.value(type, name)
                block.params.append(param)
                return param

            params = {place: abstract.build(form, leaf, place[1]) for place, form in forms.items()}
            for place, init in names.items():
                if self.may_be_unbound(init):
                    self.maybe_unbound.update(_values(params[place]))
            self.enter_state(params, objects, frames)
            self.enter_conflicts(conflicts, frames, mark if can_unroll else None)
            for place in held & forms.keys():
                self.enlist_all(objects.get(place), params[place])
            changes, listed = len(self.kinds.changes), self.newly_listed
            unknown = {p for p, form in forms.items() if isinstance(form, abstract.Nothing)}
            self.pending.append(set() if strict else unknown)
            self.patience += not strict
            self.alive.append(set(there))
            waited_before, self.waited = self.waited, False
            self.open_loops += 1
            with self.writing(block):
                try:
                    if index is not None:
                        head(index)
                    self.execute_all(body)
                    dead = self.dead
                except recursion.Bottom:  # at least it may run no trip
                    dead = True
                finally:
                    self.open_loops -= 1
                    self.pending.pop()
                    self.patience -= not strict
                    self.alive.pop()
                    waited, self.waited = self.waited, waited_before or self.waited
            results = {
                (depth, name): heap.contents(objects[depth, name])
                if (depth, name) in objects
                else frames[depth].env.get(name, UNBOUND)
                for depth, name in forms
            }
            flag = self.frame.env.get(stop, UNBOUND) if stop is not None else None
            heap.put_back(before)
            self.node, self.origin = outer_node, outer_origin
            for place in forms:
                if not dead:
                    lists.join_lists(self, params[place], results[place])
                lists.join_lists(self, params[place], names[place])
            # What is made in the body is made anew, and learns it again, in the next attempt.
            known_before = [uid for uid in self.kinds.changes[changes:] if uid < start]
            settled = not known_before and listed == self.newly_listed
            for place, form in list(forms.items()):
                result = UNBOUND if dead else results[place]
                if place not in held and self.holds_listed(result):
                    held.add(place)
                    settled = False
                after = abstract.structure(result, known=there)
                apart = self.told_apart(form, after, place, before)
                try:
                    wider = abstract.join_structures(
                        apart, after, self.carried_dim(entry, place, start)
                    )
                except Mismatch:
                    if memo:  # of a call with other arguments
                        memo.clear()
                        self.loop(node, domain, head, index_name)
                        return
                    for thing in [objects.get(place), names[place], result]:
                        for items in lists.lists_among(thing):
                            lists.need_growing(self, items)
                    if place not in objects:
                        conflicts.add(place)
                        del forms[place], names[place]
                        settled = False
                        continue
                    error = self.error(
                        f"`{place[1]}` changes its structure in this loop",
                        "what it stands for must be known at compile time",
                        "give it the same structure (tuple length, function) in every trip",
                    )
                    raise (NeedUnroll(mark, error) if can_unroll else error) from None
                wider = abstract.map_types(wider, functools.partial(self.forget, start))
                if not abstract.same_structure(form, wider):
                    settled = False
                forms[place] = wider
            if settled and waited and not strict:
                strict, settled = True, False  # nothing more will be known: errors are errors
                continue
            if settled:
                break
        else:
            raise self.error("loop", "the types of what it carries do not settle")
        memo.update(forms)
        statement = Loop(domain, [], block, [], stops=stop is not None)
        if domain is not None and isinstance(flag, Constant) and not flag.value and not dead:
            statement.stops = False  # it is known that no trip stops it
        elif stop is not None:
            block.results.append(Constant(False) if dead else self.operand(flag))
        for place, form in forms.items():
            statement.inits += map(self.joinable, abstract.flatten(names[place], form))
            result = UNBOUND if dead else results[place]
            block.results += map(self.joinable, abstract.flatten(result, form))
        self.add(statement)

        def out(type: Any, name: str) -> Value:
            value = self.value(type, name)
            statement.outs.append(value)
            return value

        runs = domain is None or _runs(domain)
        state = {place: abstract.build(form, out, place[1]) for place, form in forms.items()}
        self.enter_state(state, objects, frames)
        self.enter_conflicts(conflicts, frames)
        for place, built in state.items():
            lists.join_lists(self, built, params[place])
            if place in held:
                self.enlist_all(objects.get(place), built)
        self.freeze_made(results, state, there)
        for (depth, name), built in state.items():
            result = UNBOUND if dead else results[depth, name]
            if self.may_be_unbound(result) or (
                not runs and self.may_be_unbound(names[depth, name])
            ):
                self.maybe_unbound.update(_values(built))
        if domain is None and isinstance(flag, Constant) and not flag.value and not dead:
            raise self.error("endless loop", "no path leaves it")

    def enter_state(
        self,
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
        self, places: set[tuple[int, str]], frames: list[Frame], loop: Value | None = None
    ) -> None:
        """Names that a trip leaves as something of another structure: an error where it is read.

        A trip that binds them anew before it reads them does not notice.
        """
        for depth, name in places:
            frames[depth].env[name] = Conflict(name, of_trips=True, loop=loop)

    def holds_listed(self, value: Any) -> bool:
        return any(key in self.listed for key in heap.objects_among([value]))

    def enlist_all(self, thing: Any, value: Any) -> None:
        """What a loop carries stands for something that a list holds."""
        for found in heap.objects_among([value]).values():
            if found is not value or thing is None:
                self.enlist(found)

    def wait_for_item(self) -> None:
        """In a loop, a list that holds nothing yet may get items in an earlier trip."""
        if self.patience:
            self.waited = True
            raise recursion.Bottom

    def told_apart(self, form: Any, after: Any, place: tuple[int, str], before: Any) -> Any:
        """A name that gets another list or dict in each trip is told by what that contains."""
        thing = form.value if isinstance(form, Static) else None
        if not heap.is_object(thing) or not isinstance(after, Items):
            return form
        if heap.ways_to(thing, before) > 1:
            self.frozen[id(thing)] = thing  # the first trip might change it under this name
        held = before.heap[id(thing)][1]
        if isinstance(thing, abstract.Instance):
            held = abstract.Instance(thing.cls, held)
        return abstract.structure(held, True, before.heap)

    def freeze_made(self, results: dict, state: dict, known: Any) -> None:
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
                    self.frozen[id(built)] = built

    def changed_objects(self, before: heap.Snapshot) -> dict[tuple[int, str], Any]:
        """Lists and dicts of known structure that the body may change, by a place of their own."""
        names = heap.names_of(before)
        things = [thing for thing, _ in before.heap.values() if id(thing) not in self.frozen]
        return {
            (~k, names.get(id(thing), "item")): thing
            for k, thing in enumerate(things)
            if id(thing) not in self.global_objects
        }

    def indices(self, key: Any) -> list:
        if not hasattr(self, "index_of"):
            self.index_of = {}
        return self.index_of.setdefault(key, [])

    def changed_names(self, node: Any, frames: list[Frame]) -> dict[tuple[int, str], Any]:
        """What the body may bind, with its value at entry: `(place of its frame, name) -> value`.

        `frames`: those that there are, of calls that are over too.
        """
        changed: dict[tuple[int, str], Any] = {}
        outside = generators.carried(self, node)
        for frame, statements in [(self.frame, [node]), *outside]:
            depth = self.frames.index(frame)
            for name in assigned_names(statements):
                if name not in frame.nonlocals:
                    changed[depth, name] = frame.env.get(name, UNBOUND)
                elif frame.tree.generator and name in frame.parent.tree.locals:
                    changed[self.frames.index(frame.parent), name] = frame.parent.env.get(
                        name, UNBOUND
                    )
            if outside and frame.tree.closed is not None:
                changed[depth, frame.tree.closed] = frame.env.get(frame.tree.closed, UNBOUND)
        # A nested function that is called in the body may rebind names of frames around it.
        values = [value for frame in frames for value in frame.env.values()]
        makers = [(c.tree.node, c.frame) for c in heap.closures_among(values)]
        for tree, frame in [*makers, (node, self.frame)]:
            for name in _nonlocal_names(tree):
                holder = frame
                while holder is not None and name not in holder.env:
                    holder = holder.parent
                if holder is not None:
                    changed.setdefault((frames.index(holder), name), holder.env[name])
        return changed

    def carried_dim(self, entry: tuple, place: tuple, start: int | None = None) -> Callable:
        count = iter(range(1_000_000))

        def widen(p: T.Dim, q: T.Dim) -> T.Dim:
            return T.symbol(("carried", entry, place, next(count)))

        return widen

    def forget(self, start: int, type: Any) -> Any:
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
                return T.List(self.forget(start, item), None)
        return type

    # -- expressions --------------------------------------------------------------------------

    def eval(self, node: Any) -> Any:
        """The abstract value of an expression."""
        outer = self.node
        self.node = node
        try:
            value = self._eval(node)
            if type(value) is list and isinstance(node, _MAKERS):
                self.born.setdefault(id(value), (value, id(node)))
            return value
        except errors.AdcompilerError as error:
            error.at(self.position())
            raise
        finally:
            self.node = outer

    def _eval(self, node: Any) -> Any:
        match node:
            case gast.Constant(value=value):
                return Constant(value)
            case gast.Name(id=name):
                return self.lookup(name)
            case gast.BinOp():
                left, right = self.eval(node.left), self.eval(node.right)
                return operations.binary(self, BINARY[type(node.op)], left, right)
            case gast.UnaryOp(op=gast.Not()):
                test = self.test(node.operand)
                if isinstance(test, bool):
                    return Constant(not test)
                return self.op(operator.not_, test)
            case gast.UnaryOp():
                value = self.eval(node.operand)
                if instances.decides(UNARY[type(node.op)], value):
                    return instances.operate(self, UNARY[type(node.op)], [value])
                return self.op(UNARY[type(node.op)], value)
            case gast.Compare():
                return self.compare(node)
            case gast.BoolOp():
                return self.boolean(node.values, isinstance(node.op, gast.And))
            case gast.IfExp():
                return self.branch(
                    self.test(node.test),
                    lambda: self.eval(node.body),
                    lambda: self.eval(node.orelse),
                )
            case gast.Call():
                return self.call_expression(node)
            case gast.Attribute():
                return attributes.get_attribute(self, self.eval(node.value), node.attr)
            case gast.Subscript():
                return subscripts.get_item(self, self.eval(node.value), self.eval(node.slice))
            case gast.Slice():
                parts = [
                    Constant(None) if part is None else self.operand(self.eval(part))
                    for part in (node.lower, node.upper, node.step)
                ]
                return Slice(*parts)
            case gast.Tuple():
                return tuple(self.elements(node.elts))
            case gast.List():
                return self.elements(node.elts)
            case gast.Dict():
                return self.dictionary(node)
            case gast.Set():
                return mappings.display(self, self.elements(node.elts))
            case gast.DictComp():
                pair = gast.Tuple([node.key, node.value], gast.Load())
                items = self.generator(self.as_generator(node, pair))
                return mappings.comprehension(self, dict, items)
            case gast.SetComp():
                items = self.generator(self.as_generator(node, node.elt))
                return mappings.comprehension(self, abstract.KnownSet, items)
            case gast.Lambda():
                return self.lambda_(node)
            case gast.ListComp():
                return self.comprehension(node)
            case gast.GeneratorExp():
                return self.generator(node)
            case gast.NamedExpr():
                value = self.eval(node.value)
                self.assign(node.target, value)
                return self.lookup(node.target.id)
            case gast.JoinedStr():
                return self.formatted(node)
            case gast.Starred():
                raise self.unsupported(node, "starred expression here")
            case LeftBeforeFinally(value=value):
                return generators.without_clean_up(self, self.eval(value))
            case Leaving(count=count):
                return contexts.left_by_an_exception(self, count)
            case Thrown():
                value = self.exception(node)
                if isinstance(value, Constant) and isinstance(value.value, type):
                    return self.raised(value.value, None)
                return value
            case lists.Callback():
                return node.run()
        raise self.unsupported(node, f"`{type(node).__name__}` expression")

    def elements(self, nodes: list) -> list:
        items: list = []
        for node in nodes:
            if isinstance(node, gast.Starred):
                items += subscripts.unpacked(self, self.eval(node.value), None)
            else:
                items.append(self.eval(node))
        return items

    def dictionary(self, node: gast.Dict) -> dict:
        items = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                inner = self.eval(value)
                if not isinstance(inner, dict):
                    raise self.unsupported(node, "`**` of what is not a dict of known keys")
                items.update(inner)
                continue
            k = mappings.known_key(self, self.eval(key))
            if k is NotImplemented:
                raise self.unsupported(
                    node,
                    "dict key that is not known at compile time",
                    "",
                    "use strings or numbers written in the source as keys",
                )
            items[k] = self.settle(self.eval(value))
        return items

    def lambda_(self, node: gast.Lambda) -> Closure:
        args = node.args
        return Closure(
            self.frame.tree.nested(node),
            self.frame,
            tuple(map(self.eval, args.defaults)),
            {
                a.id: self.eval(d)
                for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
                if d
            },
        )

    def formatted(self, node: gast.JoinedStr) -> Any:
        """An f-string: only its values matter, and no derivative passes through it."""
        template, values = "", []
        for part in node.values:
            if isinstance(part, gast.Constant):
                template += part.value.replace("{", "{{").replace("}", "}}")
                continue
            spec = ""
            if part.format_spec is not None:
                inner = self.formatted(part.format_spec)
                if not isinstance(inner, Constant):
                    raise self.unsupported(node, "computed format in an f-string")
                spec = ":" + inner.value.replace("{", "{{").replace("}", "}}")
            conversion = f"!{chr(part.conversion)}" if part.conversion > 0 else ""
            template += "{" + conversion + spec + "}"
            values.append(self.operand(self.eval(part.value)))
        if all(isinstance(v, Constant) and isinstance(v.value, _PRINTED) for v in values):
            return Constant(template.format(*(v.value for v in values)))
        out = self.value(T.Object(str))
        self.add(Op(str.format, [Constant(template), *values], {}, [out]))
        return out

    def compare(self, node: gast.Compare) -> Any:
        left = self.eval(node.left)

        def link(position: int, left: Any) -> Any:
            right = self.eval(node.comparators[position])
            first = comparisons.compared(self, node.ops[position], COMPARE, left, right)
            if position + 1 == len(node.ops):
                return first
            test = self.truth(first)
            return self.branch(test, lambda: link(position + 1, right), lambda: first)

        return link(0, left)

    def test(self, node: Any) -> Any:
        """The truth of an expression; of `xs and y` it does not matter which of them it is."""
        if isinstance(node, gast.BoolOp):
            return self.truth(self.boolean(node.values, isinstance(node.op, gast.And), tested=True))
        return self.truth(self.eval(node))

    def boolean(self, nodes: list, conjunction: bool, tested: bool = False) -> Any:
        first = self.eval(nodes[0])
        if tested and lists.is_grown(first):
            first = self.truth(first)
        if len(nodes) == 1:
            return first
        test = self.truth(first)

        def rest() -> Any:
            return self.boolean(nodes[1:], conjunction, tested)

        if conjunction:
            return self.branch(test, rest, lambda: first)
        return self.branch(test, lambda: first, rest)

    def comprehension(self, node: Any) -> Any:
        """A list comprehension: a loop that appends, or a list of known items."""
        return lists.comprehension(self, node)

    def as_generator(self, node: Any, item: Any) -> gast.GeneratorExp:
        """The generator of what a comprehension collects."""
        if id(node) not in self.made_nodes:
            gast.copy_location(item, node)
            made = gast.copy_location(gast.GeneratorExp(item, node.generators), node)
            self.made_nodes[id(node)] = (node, made)
        return self.made_nodes[id(node)][1]

    def generator(self, node: gast.GeneratorExp) -> Any:
        """A generator expression, of which the first iterable is evaluated now."""
        if self.fixed_origin is not None:  # in a rule
            return walking.generator(self, self.comprehension(node))
        tree = self.frame.tree.nested(node)
        items = self.eval(node.generators[0].iter)
        quiet = not (purity.tree_acts(tree, self.frame) or purity.acts(items))
        return generators.Generator(self, tree, {OUTERMOST: items}, self.frame, quiet)

    def call_expression(self, node: gast.Call) -> Any:
        fn = self.eval(node.func)
        args, keywords = self.arguments(node)
        return self.apply(fn, args, keywords)

    def arguments(self, node: gast.Call) -> tuple[list, dict[str, Any]]:
        """What a call passes."""
        args = self.elements(node.args)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.eval(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update(value)
            else:
                raise self.unsupported(node, "`**` of what is not a dict of known keys")
        return args, keywords

    def apply(self, fn: Any, args: list, keywords: dict) -> Any:
        return calls.call(self, fn, args, keywords)

    def operand(self, value: Any) -> Any:
        """The abstract value as an operand of the IR."""
        if value is UNBOUND:
            raise self.error(
                "a name that is not assigned",
                "no path up to here assigns it",
                "assign it before",
            )
        if isinstance(value, (Value, Constant, Slice)):
            return value
        if isinstance(value, (tuple, list)):
            items = [self.operand(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, indexing.Flat):
            return subscripts.get_item(self, value, Constant(slice(None)))
        if isinstance(value, Closure):
            raise self.error(
                f"`{value.tree.name}` used as a value",
                "a function defined inside the differentiated one can only be called",
            )
        raise self.error(
            f"a {type(value).__name__} used as a run-time value",
            "it only exists while the function is compiled",
            "pass the arrays and numbers themselves",
        )

    # -- names --------------------------------------------------------------------------------

    def usable(self, value: Any) -> Any:
        """The value, unless two paths made different things of it."""
        if isinstance(value, Conflict) or id(value) in self.conflicted:
            raise self.error(
                "a list or dict with different items on different paths",
                "which items it has must be known at compile time",
                "give it the same items on both paths",
            )
        return value

    def lookup(self, name: str) -> Any:
        """What a name stands for: local, of an enclosing function, global, or builtin."""
        frame = self.frame
        if name in frame.env:
            value = frame.env[name]
            if isinstance(value, Conflict) and value.of_trips:
                error = self.error(
                    f"`{name}` changes its structure in this loop",
                    "what it stands for must be known at compile time",
                    "give it the same structure (tuple length, function) in every trip",
                )
                raise error if value.loop is None else NeedUnroll(value.loop, error)
            if isinstance(value, Conflict):
                raise self.error(
                    f"`{name}` stands for different things on different paths",
                    "which one it is must be known at compile time",
                    "make both of the same kind, or use two names",
                )
            if value is UNBOUND:
                self.wait_for(name)
                raise self.error(
                    f"`{name}` is not assigned here",
                    "no path up to here assigns it",
                    f"assign `{name}` before",
                )
            if self.maybe_unbound:
                self.check_bound(name, value)
            if id(value) in self.iterators and self.iterators[id(value)][1] < len(self.pending):
                raise self.error(
                    f"the iterator `{name}` in a loop",
                    "it is used up by the first trip",
                    "make a list of it before the loop: list(...)",
                )
            return self.usable(value)
        if name in frame.tree.locals and name not in frame.nonlocals:
            self.wait_for(name)
            raise self.error(
                f"`{name}` is not assigned here",
                "no path up to here assigns it",
                f"assign `{name}` before",
            )
        around = frame.parent
        while around is not None:
            if name in around.env:
                value = around.env[name]
                if value is UNBOUND or isinstance(value, Conflict):
                    raise self.error(f"`{name}` is not one thing where it is read")
                return value
            around = around.parent
        tree = frame.tree
        around = frame
        while around.parent is not None and name not in tree.closure:
            around = around.parent  # a nested function has no cells of its own
            tree = around.tree
        if name in tree.closure:
            cell = tree.closure[name]
            try:
                value = cell.cell_contents
            except ValueError:
                raise self.error(f"`{name}` is not assigned yet in the enclosing function") from (
                    None
                )
            self.guard(cell, name, value)
            return self.outer_object(cell, name, value)
        if name in tree.globals:
            value = tree.globals[name]
            self.guard(tree.globals, name, value)
            return self.outer_object(tree.globals, name, value)
        if hasattr(builtins, name):
            return Constant(getattr(builtins, name))
        raise self.error(
            f"`{name}` is not defined", "no scope around here binds it", "define or import it"
        )

    def outer_object(self, holder: Any, name: str, value: Any) -> Any:
        """What a global or a cell holds; a list or dict is one object however often it is read."""
        if not isinstance(value, (list, dict, tuple, set)):
            return self.constant(value, name)
        key = (id(holder), name)
        if key not in self.outer:
            self.outer[key] = self.constant(value, name)
            self.note_objects(self.outer[key], self.global_objects)
        return self.outer[key]

    def foreign(self, value: Any) -> Any:
        """A Python object that is not the function's own: what it holds must not be changed."""
        found = self.constant(value)
        self.note_objects(found, self.global_objects)
        return found

    def note_objects(self, value: Any, into: dict[int, Any]) -> None:
        """Remember the lists and dicts in an abstract value."""
        if isinstance(value, (tuple, list, dict)):
            if not isinstance(value, tuple):
                into[id(value)] = value
            for item in value.values() if isinstance(value, dict) else value:
                self.note_objects(item, into)

    def wait_for(self, name: str) -> None:
        """In a loop, a name that is not bound yet may be bound by an earlier trip."""
        place = (self.frames.index(self.frame), name)
        if any(place in pending for pending in self.pending):
            self.waited = True
            raise recursion.Bottom

    def guard(self, holder: Any, name: str, value: Any) -> None:
        if self.fixed_origin is None:
            contents = contents_of(value) if isinstance(value, CONTAINERS) else None
            self.guards[id(holder), name] = Guard(holder, name, value, contents)


_MAKERS = (gast.List, gast.ListComp, gast.Call, gast.BinOp, gast.Subscript)
"""Expressions that may make a new list."""


def _same(item: Any) -> Any:
    return item


def _values(value: Any) -> list[Value]:
    """The run-time values in an abstract value."""
    if isinstance(value, Value):
        return [value]
    if isinstance(value, (tuple, list)):
        return [v for item in value for v in _values(item)]
    if isinstance(value, dict):
        return [v for item in value.values() for v in _values(item)]
    if isinstance(value, abstract.Instance):
        return _values(value.fields)
    return []


def _is_exception(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)


def _is_library(tree: Tree) -> bool:
    """Whether a function says in Python what a builtin or a method means."""
    return meaning.is_prelude(tree) or tree.globals is vars(list_methods)


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


def resolve(
    function: Callable,
    args: list,
    keywords: dict,
    leaves: list,
    object_classes: Callable[[Function], Any],
    derive: Callable[[Function, list[Value], list, bool], Function],
    derive_forward: Callable[[Function, list[Value]], Function],
) -> tuple[Function, abstract.Structure, Resolver]:
    """The IR of a function for abstract arguments, the structure of its result, and the resolver.

    `leaves` (`.value`, `.path`) are the run-time values among the arguments: they become the
    parameters, in order.  The results are the leaves of the result's structure.
    `object_classes` tells which objects of a function may share storage; `derive` and
    `derive_forward` differentiate a function that is called in this one.
    """
    given = heap.objects_among([*args, *keywords.values()])
    before = [(thing, heap.contents(thing)) for thing in given.values()]
    growing: set[int] = set()
    while True:
        resolver = Resolver()
        resolver.growing = growing
        resolver.object_classes = object_classes
        resolver.derive = derive
        resolver.derive_forward = derive_forward
        try:
            return _resolve(resolver, function, args, keywords, leaves)
        except NeedGrowing as need:
            growing.add(need.key)
            for thing, held in before:
                heap.put(thing, held)


def _resolve(
    resolver: Resolver, function: Callable, args: list, keywords: dict, leaves: list
) -> tuple[Function, abstract.Structure, Resolver]:
    for leaf in leaves:
        resolver.parameter_of[leaf.value.uid] = leaf.path
    resolver.note_objects([*args], resolver.argument_objects)
    resolver.note_objects(keywords, resolver.argument_objects)
    tree = parse(function)
    if tree.function is not None:
        for name in ("__defaults__", "__kwdefaults__", "__code__"):
            resolver.guard(tree.function, name, getattr(tree.function, name))
    try:
        result = resolver.call(tree, args, keywords)
    except NeedStatic as need:  # of an inner function, perhaps: it was given the argument's value
        path = resolver.parameter_of[need.value.uid]
        raise NeedStatic(next(leaf.value for leaf in leaves if leaf.path == path)) from None
    for item, held in resolver.from_nothing.items():
        if held.type.item is not None:
            item.type = held.type.item
    resolver.block.params = [leaf.value for leaf in leaves]
    form = abstract.structure(result)
    resolver.block.results = abstract.flatten(result, form)
    return Function(tree.name, resolver.block), form, resolver


__all__ = ["Guard", "Leaf", "Items", "NeedStatic", "NeedUnroll", "Resolver", "dim_of", "resolve"]
