"""From tree to IR: interpret a function abstractly, for one signature.

What `a += v` or `a[i]` or `f(x)` means in Python depends on types.  The resolver walks the reduced
tree with an environment from names to abstract values (`ir.abstract`), and writes down each
operation on run-time values in the block that is open.  Values, calls, carried names and joins are
found in the one walk: a branch is walked twice, once for each side; a loop until the types of what
it carries no longer change.  Calls to functions with source are walked in place.

`Resolver.execute` says what each statement means and `Resolver.eval` what each expression means, in
terms of other modules; here is also what these share.

The rules of the rulebook are functions too: `Resolver.call` writes a rule's body where it is
called, so that differentiating is again just calling.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator
from typing import Any

import gast

from adcompiler import errors
from adcompiler.ir import (
    abstract,
    assignment,
    attributes,
    calls,
    contexts,
    expressions,
    generators,
    heap,
    indexing,
    instances,
    list_methods,
    lists,
    loops,
    mappings,
    meaning,
    operations,
    purity,
    recursion,
    scopes,
    statements,
    subscripts,
)
from adcompiler.ir import types as T
from adcompiler.ir.abstract import Closure, Conflict, Items, Leaf
from adcompiler.ir.desugar import Leaving, LeftBeforeFinally, Thrown
from adcompiler.ir.guards import CONTAINERS, Guard, NeedGrowing, NeedStatic, NeedUnroll, contents_of
from adcompiler.ir.infer import dim_of
from adcompiler.ir.joins import Arm, Join
from adcompiler.ir.nodes import (
    UNBOUND,
    Block,
    Call,
    Constant,
    Function,
    If,
    New,
    Op,
    Origin,
    Raise,
    Slice,
    Statement,
    Value,
    defined,
)
from adcompiler.ir.parse import Tree, parse
from adcompiler.ir.scopes import Frame

MAX_INLINE_DEPTH = 60


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
        self.settled: dict[int, tuple[list, Value, Block]] = {}
        """Lists of known structure that became objects of the IR, and in which block: what else
        leads to one of them (`[[0.0]] * 2`) means that object too."""
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
        self.index_of: dict[Any, list[Value]] = {}
        """The indices of each loop, one for each attempt to interpret it."""
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
        self.unwritten: list[tuple[Value, errors.ResolveError]] = []
        """Arrays and lists that must not be written anywhere, and what to say if they are."""
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

    def unsupported(self, node: Any, what: str, reason: str = "", remedy: str = ""):
        return errors.UnsupportedError(
            what,
            reason=reason or "it is outside the subset that is compiled",
            remedy=remedy or "write it with assignments, `if`, `for` and `while`",
            position=self.position(node),
        )

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
        env = scopes.bind(self, tree, args, keywords, defaults, keyword_defaults)
        for name, value in env.items():
            if self.fixed_origin is None and not _is_library(tree):  # these walk it at once
                assignment.refuse_lazy(self, value)
            if self.frames:
                env[name] = abstract.named(self.settle(value))
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
                calls = (Call(saved[0].position(saved[1]), tree.name), *calls)
        self.frame = Frame(tree, env, parent, dict(env), calls, saved[1])
        self.frame.guarded = tree.guarded or (saved[0] is not None and saved[0].guarded)
        if saved[0] is not None and saved[1] is not None and _is_library(tree):
            self.frame.site = saved[0].position(saved[1])
            self.frame.calls = saved[0].calls
        self.frames.append(self.frame)
        if self.fixed_origin is None and self.frame.site is None:
            for name, value in env.items():
                if isinstance(value, Value) and value.name is None:
                    value.hint = value.hint or name
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
        return self.interpret(
            parse(function), scopes.bind(self, parse(function), args, {}, (), {}), None
        )

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
                    lists.refuse_records(self, abstract.values_in(result))
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
                assignment.assign(self, node.targets[0], self.eval(node.value))
            case gast.AugAssign():
                assignment.augment(self, node)
            case gast.Expr(value=gast.Yield()):
                generators.give(self, node)
            case gast.Expr():
                self.eval(node.value)
            case gast.If():
                self.branch(
                    expressions.test(self, node.test),
                    lambda: self.execute_all(node.body),
                    lambda: self.execute_all(node.orelse),
                )
            case gast.For():
                loops.for_loop(self, node)
            case gast.While():
                loops.while_loop(self, node)
            case gast.Assert():
                statements.assertion(self, node)
            case gast.Raise():
                self.add(Raise(statements.exception(self, node)))
                self.dead = True
            case gast.FunctionDef():
                statements.define(self, node)
            case gast.Import() | gast.ImportFrom():
                statements.import_(self, node)
            case gast.Delete():
                for item in node.targets:
                    assignment.delete(self, node, item)
            case gast.With():
                contexts.run(self, node, node.items, lambda: self.execute_all(node.body))
            case gast.Nonlocal():
                self.frame.nonlocals.update(node.names)
            case gast.Global():
                statements.global_(self, node)
            case gast.Pass():
                pass
            case _:
                raise self.unsupported(node, f"`{type(node).__name__}` statement")

    def execute_all(self, nodes: list) -> None:
        for node in nodes:
            if self.dead:
                return
            self.execute(node)

    # -- objects ------------------------------------------------------------------------------

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

    def wait_for_item(self) -> None:
        """In a loop, a list that holds nothing yet may get items in an earlier trip."""
        if self.patience:
            self.waited = True
            raise recursion.Bottom

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
        return value is UNBOUND or any(v in self.maybe_unbound for v in abstract.values_in(value))

    def widen(self, p: T.Dim, q: T.Dim) -> T.Dim:
        return T.symbol(self.fresh())

    def joinable(self, value: Any) -> Any:
        """An operand as a branch or loop hands it on."""
        return value

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
                return scopes.lookup(self, name)
            case gast.BinOp():
                left, right = self.eval(node.left), self.eval(node.right)
                return operations.binary(self, expressions.BINARY[type(node.op)], left, right)
            case gast.UnaryOp(op=gast.Not()):
                test = expressions.test(self, node.operand)
                if isinstance(test, bool):
                    return Constant(not test)
                return self.op(operator.not_, test)
            case gast.UnaryOp():
                value = self.eval(node.operand)
                if instances.decides(expressions.UNARY[type(node.op)], value):
                    return instances.operate(self, expressions.UNARY[type(node.op)], [value])
                return self.op(expressions.UNARY[type(node.op)], value)
            case gast.Compare():
                return expressions.compare(self, node)
            case gast.BoolOp():
                return expressions.boolean(self, node.values, isinstance(node.op, gast.And))
            case gast.IfExp():
                return self.branch(
                    expressions.test(self, node.test),
                    lambda: self.eval(node.body),
                    lambda: self.eval(node.orelse),
                )
            case gast.Call():
                return expressions.call_expression(self, node)
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
                return tuple(expressions.elements(self, node.elts))
            case gast.List():
                return expressions.elements(self, node.elts)
            case gast.Dict():
                return expressions.dictionary(self, node)
            case gast.Set():
                return mappings.display(self, expressions.elements(self, node.elts))
            case gast.DictComp():
                pair = gast.Tuple([node.key, node.value], gast.Load())
                items = expressions.generator(self, expressions.as_generator(self, node, pair))
                return mappings.comprehension(self, dict, items)
            case gast.SetComp():
                items = expressions.generator(self, expressions.as_generator(self, node, node.elt))
                return mappings.comprehension(self, abstract.KnownSet, items)
            case gast.Lambda():
                return expressions.lambda_(self, node)
            case gast.ListComp():
                return lists.comprehension(self, node)
            case gast.GeneratorExp():
                return expressions.generator(self, node)
            case gast.NamedExpr():
                value = self.eval(node.value)
                assignment.assign(self, node.target, value)
                return scopes.lookup(self, node.target.id)
            case gast.JoinedStr():
                return expressions.formatted(self, node)
            case gast.Starred():
                raise self.unsupported(node, "starred expression here")
            case LeftBeforeFinally(value=value):
                return generators.without_clean_up(self, self.eval(value))
            case Leaving(count=count):
                return contexts.left_by_an_exception(self, count)
            case Thrown():
                value = statements.exception(self, node)
                if isinstance(value, Constant) and isinstance(value.value, type):
                    return statements.raised(self, value.value, None)
                return value
            case lists.Callback():
                return node.run()
        raise self.unsupported(node, f"`{type(node).__name__}` expression")

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

    # -- what is outside ----------------------------------------------------------------------

    def usable(self, value: Any) -> Any:
        """The value, unless two paths made different things of it."""
        if isinstance(value, abstract.View):
            return mappings.shown(self, value)
        if isinstance(value, Conflict) or id(value) in self.conflicted:
            raise self.error(
                "a list or dict with different items on different paths",
                "which items it has must be known at compile time",
                "give it the same items on both paths",
            )
        return value

    def foreign(self, value: Any) -> Any:
        """A Python object that is not the function's own: what it holds must not be changed."""
        found = self.constant(value)
        self.note_objects(found, self.global_objects)
        return found

    def note_objects(self, value: Any, into: dict[int, Any]) -> None:
        """Remember the lists, dicts and objects in an abstract value."""
        into.update(heap.objects_among([value]))

    def guard(self, holder: Any, name: str, value: Any) -> None:
        if self.fixed_origin is None:
            contents = contents_of(value) if isinstance(value, CONTAINERS) else None
            self.guards[id(holder), name] = Guard(holder, name, value, contents)


_MAKERS = (gast.List, gast.ListComp, gast.Call, gast.BinOp, gast.Subscript)
"""Expressions that may make a new list."""


def _is_exception(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)


def _is_library(tree: Tree) -> bool:
    """Whether a function says in Python what a builtin or a method means."""
    return meaning.is_prelude(tree) or tree.globals is vars(list_methods)


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
