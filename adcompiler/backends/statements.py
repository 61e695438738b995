"""A planned function as Python statements."""

from __future__ import annotations

import ast

import numpy as np

from adcompiler.backends.expressions import IN_PLACE, Expressions, negation, without_sign
from adcompiler.backends.globalnames import GlobalNames
from adcompiler.backends.liveness import find_interference
from adcompiler.backends.naming import choose_names
from adcompiler.backends.plan import (
    Branch,
    Break,
    For,
    Item,
    Moves,
    Plan,
    Return,
    Step,
    While,
    inputs,
)
from adcompiler.backends.planner import make_plan
from adcompiler.backends.printer import annotate
from adcompiler.backends.snapshots import decide_copies
from adcompiler.backends.storage import is_immutable, is_index_array, is_integer, same_operand
from adcompiler.backends.unpacking import Unpacking, find_unpacking
from adcompiler.ir.nodes import (
    UNBOUND,
    Accumulate,
    Append,
    Constant,
    Function,
    If,
    Load,
    New,
    Op,
    Operand,
    Origin,
    Path,
    Pop,
    Raise,
    Slice,
    Statement,
    Store,
    Value,
    View,
    defined,
    walk,
)
from adcompiler.ir.types import Array, List, target


class Statements:
    """Builds the `ast` of one function."""

    def __init__(self, function: Function, global_names: GlobalNames) -> None:
        self.function = function
        self.globals = global_names
        self.plan: Plan = make_plan(function)
        decide_copies(self.plan)
        interference = find_interference(self.plan)
        self.dead = interference.dead
        self.names: dict[Value, str] = {}
        self.expressions = Expressions(self.plan, self.names, global_names)
        for statement in walk(function.body):
            self.expressions.reserve(statement)
        self.names.update(choose_names(self.plan, interference, global_names.reserved))
        self.bound: set[str] = {self.names[param] for param in function.params}
        """The variables that may have a value at this point of the program."""
        self.surely: set[Value] = set()
        """Values that a path may leave unbound, but that were read on the way here."""
        self.quoted: str | None = None
        """The text of the last comment, while the statements still belong to it."""
        self.lines: list[ast.stmt] = []

    def definition(self) -> ast.FunctionDef:
        self.globals.printing = True
        body = self.block(self.plan.items) or [ast.Pass()]
        self.globals.printing = False
        mirror = next((k for k, s in enumerate(body) if getattr(s, "above", None)), 0)
        if mirror:
            annotate(body[mirror], above=getattr(body[mirror], "above", ()), blank=True)
        if self.function.doc:
            doc = ast.Expr(ast.Constant(self.function.doc))
            annotate(doc, docstring=True)
            body.insert(0, doc)
        arguments = [ast.arg(self.names[param]) for param in self.function.params]
        return ast.FunctionDef(
            self.globals.functions[self.function],
            ast.arguments([], arguments, None, [], [], None, []),
            body,
            [],
        )

    # Blocks.

    def block(self, items: list[Item]) -> list[ast.stmt]:
        outer, self.lines = self.lines, []
        surely = set(self.surely)
        at = 0
        while at < len(items):
            found = find_unpacking(self.plan, self.names, items, at)
            if found is None:
                self.item(items[at])
                at += 1
            else:
                self.unpack(found)
                at += found.extent
        lines, self.lines = self.lines, outer
        self.surely = surely
        return lines

    def unpack(self, found: Unpacking) -> None:
        """`a, b = t`."""
        outs = [out for statement in found.reads for out in defined(statement)]
        targets = ast.Tuple([self.target(out) for out in outs])
        whole = self.expressions.value(found.whole)
        self.put(ast.Assign([targets], whole), found.reads[0].origin)
        self.bound.update(self.names[out] for out in outs)
        self.lines += self.block(found.later)

    def put(self, node: ast.stmt, origin: Origin | None, bind: str | None = None) -> None:
        """Add a line, under a comment with the statement that it mirrors."""
        node.__dict__["origin"] = origin
        self.add(node, self.quote(origin))
        if bind is not None:
            self.bound.add(bind)

    def add(self, node: ast.stmt, above: list[str]) -> None:
        if above:
            annotate(node, above=above)
        self.lines.append(node)

    def quote(self, origin: Origin | None) -> list[str]:
        """The comment that is due before a line of that origin."""
        if origin is None:
            return []
        text = origin.text if origin.mirror else None
        due = _quotation(text) if text is not None and text != self.quoted else []
        self.quoted = text
        return due

    def item(self, item: Item) -> None:
        match item:
            case Step(statement=statement):
                self.step(statement)
            case Moves():
                self.moves(item)
            case Branch():
                self.branch(item)
            case For():
                self.loop(item)
            case While():
                self.endless(item)
            case Break():
                self.lines.append(ast.Break())
            case Return(value=value):
                self.lines.append(ast.Return(self.expressions.operand(value)))

    def branch(self, item: Branch) -> None:
        quoted = self.quoted
        above = self.quote(item.origin)
        before = set(self.bound)
        then = self.block(item.then)
        after_then, self.bound = self.bound, before
        after = self.quoted
        orelse = self.block(item.orelse)
        self.quoted = self.quoted if orelse else after
        self.bound |= after_then
        test = self.expressions.operand(item.test)
        if item.negate:
            test = negation(test)
        if then:
            self.add(ast.If(test, then, orelse), above)
        elif orelse:
            self.add(ast.If(negation(test), orelse, []), above)
        elif self.plan.has_effect(item.test):
            self.add(ast.Expr(test), above)
        else:
            self.quoted = quoted

    def loop(self, item: For) -> None:
        domain, index = item.domain, item.index
        step = self.expressions.operand(domain.step)
        arguments = [self.expressions.operand(domain.start), self.expressions.operand(domain.stop)]
        if _is_number(domain.step, 1):
            if _is_number(domain.start, 0):
                del arguments[0]
        else:
            arguments.append(step)
        trips: ast.expr = ast.Call(self.globals.builtin("range"), arguments, [])
        if domain.reverse:
            trips = ast.Call(self.globals.builtin("reversed"), [trips], [])
        used = bool(self.plan.sites.get(index))
        name = self.names[index] if used else self.unused(self.names[index])
        quoted = self.quoted
        above = self.quote(item.origin)
        self.bound |= self.assigned(item.body) | {name}
        before = set(self.bound)
        body = self.block(item.body)
        self.bound |= before
        if body or used:
            self.add(ast.For(ast.Name(name), trips, body or [ast.Pass()], []), above)
        else:
            self.quoted = quoted

    def endless(self, item: While) -> None:
        above = self.quote(item.origin)
        self.bound |= self.assigned(item.body)
        test: ast.expr = ast.Constant(True)
        if item.test is not None:
            test = self.expressions.operand(item.test)
            test = negation(test) if item.negate else test
        before = set(self.bound)
        body = self.block(item.body)
        self.bound |= before
        after = self.block(item.orelse)
        otherwise = after if _breaks(item.body) else []
        self.add(ast.While(test, body or [ast.Pass()], otherwise), above)
        if not otherwise:
            self.lines += after

    def assigned(self, items: list[Item]) -> set[str]:
        """The variables that the items may give a value."""
        found: set[str] = set()
        for item in items:
            match item:
                case Step(statement=statement):
                    found.update(self.names[value] for value in defined(statement))
                case Moves(pairs=pairs):
                    found.update(self.names[out] for out, source in pairs if source is not UNBOUND)
                case Branch(then=then, orelse=orelse):
                    found |= self.assigned(then) | self.assigned(orelse)
                case For(index=index, body=body):
                    found |= self.assigned(body) | {self.names[index]}
                case While(body=body, orelse=orelse):
                    found |= self.assigned(body) | self.assigned(orelse)
        return found

    def unused(self, name: str) -> str:
        """What a variable is called that nobody reads."""
        return name if "_" in self.names.values() else "_"

    # Statements.

    def step(self, statement: Statement) -> None:
        self.line(statement)
        if self.plan.loosely_bound:
            reads = inputs(statement)
            parts = [statement, *self.plan.folded(reads)]
            if not any(isinstance(part, If) for part in parts):
                read = set(self.plan.variables(reads))
                self.surely |= read & self.plan.loosely_bound

    def line(self, statement: Statement) -> None:
        origin = statement.origin
        match statement:
            case Op(outs=outs) if len(outs) != 1:
                node = self.expressions.right_side(statement)
                if not outs:
                    self.put(ast.Expr(node), origin)
                    return
                self.put(ast.Assign([ast.Tuple([self.target(out) for out in outs])], node), origin)
                self.bound.update(self.names[out] for out in outs)
            case Op() | Load() | View() | New() | Pop() | If():
                out = defined(statement)[0]
                self.assign(out, self.expressions.definition(statement, out), statement)
            case Store(ref=ref, path=path, value=value):
                self.store(ref, path, value, origin)
            case Accumulate(ref=ref, path=path, value=value):
                self.accumulate(ref, path, value, origin)
            case Append(ref=ref, value=value, at=at):
                method = ast.Attribute(
                    self.expressions.value(ref), "append" if at is None else "insert"
                )
                given = [value] if at is None else [at, value]
                call = ast.Call(method, [self.expressions.operand(item) for item in given], [])
                self.put(ast.Expr(call), origin)
            case Raise(exception=exception):
                self.put(ast.Raise(self.expressions.operand(exception), None), origin)

    def target(self, out: Value) -> ast.Name:
        if not self.plan.sites.get(out) and out.name is None:
            return ast.Name(self.unused(self.names[out]))
        return ast.Name(self.names[out])

    def assign(self, out: Value, node: ast.expr, statement: Statement) -> None:
        """`out = node`, or `out op= ...` where that means the same."""
        name = self.names[out]
        if not self.plan.sites.get(out) and out.name is None:
            self.put(ast.Expr(node), statement.origin)
            return
        if not (isinstance(node, ast.Name) and node.id == name):
            self.put(self.assignment(name, node, statement), statement.origin, name)

    def assignment(self, name: str, node: ast.expr, statement: Statement | None) -> ast.stmt:
        match statement, node:
            case Op(fn=fn, outs=[out]), ast.BinOp(left=ast.Name(id=left), right=right):
                # Rebinding and writing are the same only for what cannot be written.
                if fn in IN_PLACE and left == name and is_immutable(out.type):
                    return ast.AugAssign(ast.Name(name), IN_PLACE[fn](), right)
        if statement is not None and statement.origin is not None and statement.origin.mirror:
            read = [v for v in self.plan.variables(inputs(statement)) if self.names[v] == name]
            if read and all(is_immutable(value.type) for value in (*read, *defined(statement))):
                return added_to(name, node) or ast.Assign([ast.Name(name)], node)
        return ast.Assign([ast.Name(name)], node)

    def store(self, ref: Value, path: Path, value: Operand, origin: Origin | None) -> None:
        update = self.update_in_place(ref, path, value)
        if update is not None:
            op, right = update
            place = self.updated_place(ref, path)
            self.put(ast.AugAssign(place, op(), self.expressions.operand(right)), origin)
            return
        place = self.expressions.place(ref, path)
        self.put(ast.Assign([place], self.expressions.operand(value)), origin)

    def update_in_place(
        self, ref: Value, path: Path, value: Operand
    ) -> tuple[type[ast.operator], Operand] | None:
        """The operator and the right operand, if the store is `ref[path] op= right`."""
        if not isinstance(value, Value) or value not in self.plan.inlined:
            return None
        if value in self.plan.storage.copied:
            return None
        match self.plan.definitions[value]:
            case Op(fn=fn, args=[Value() as old, right]) if fn in IN_PLACE:
                pass
            case _:
                return None
        if old not in self.plan.inlined or old in self.plan.storage.copied:
            return None
        match self.plan.definitions[old]:
            case Load(ref=whose, path=place) if whose is ref and same_operand(path, place):
                held = target(ref.type)
                if isinstance(held, Array):
                    return IN_PLACE[fn], right
                if isinstance(held, List) and path and is_immutable(held.item):
                    return IN_PLACE[fn], right
        return None

    def updated_place(self, ref: Value, path: Path) -> ast.Name | ast.Subscript:
        """`r[path]`, or `r` itself where it can stand left of `+=`."""
        whole = self.expressions.value(ref)
        if not path and isinstance(whole, ast.Name | ast.Subscript):
            return whole
        return self.expressions.place(ref, path)

    def accumulate(self, ref: Value, path: Path, value: Operand, origin: Origin | None) -> None:
        added = self.expressions.operand(value)
        held = target(ref.type)
        if isinstance(held, List) and not is_immutable(held.item):
            # An item may be known elsewhere: it is replaced, not updated.
            place = self.expressions.place(ref, path)
            total = ast.BinOp(self.expressions.place(ref, path), ast.Add(), added)
            self.put(ast.Assign([place], total), origin)
        elif not _may_repeat(path):
            sign: ast.operator = ast.Add()
            opposite = without_sign(added, value)
            if opposite is not None:
                sign, added = ast.Sub(), opposite
            self.put(ast.AugAssign(self.updated_place(ref, path), sign, added), origin)
        else:
            at = ast.Attribute(self.globals.reference(np.add), "at")
            arguments = [self.expressions.value(ref), self.index_object(path), added]
            self.put(ast.Expr(ast.Call(at, arguments, [])), origin)

    def index_object(self, path: Path) -> ast.expr:
        """The index as an argument: `np.s_[:, k]` where slices stand in it."""
        index = self.expressions.index(path)
        if isinstance(index, ast.Tuple) and any(isinstance(x, ast.Slice) for x in index.elts):
            return ast.Subscript(self.globals.attribute("numpy", "s_"), index)
        return index

    # Parallel assignments.

    def moves(self, item: Moves) -> None:
        """Print them one after the other, those in a circle as one."""
        dead = self.dead.get(item, ())
        todo: list[tuple[str, Operand, frozenset[str]]] = []
        for out, source in item.pairs:
            if out in dead:
                continue
            reads: frozenset[str] = frozenset()
            if source is not UNBOUND:
                reads = frozenset(self.names[leaf] for leaf in self.plan.variables(source))
                node = self.expressions.operand(source)
                if isinstance(node, ast.Name) and node.id == self.names[out]:
                    continue
            todo.append((self.names[out], source, reads))
        while todo:
            ready = next(
                (
                    move
                    for move in todo
                    if not any(move[0] in other[2] for other in todo if other is not move)
                ),
                None,
            )
            if ready is not None:
                todo.remove(ready)
                self.move(ready[0], ready[1])
            else:
                self.turn(todo)
                return

    def move(self, name: str, source: Operand) -> None:
        if source is UNBOUND:
            self.unbind(name)
            return
        node = self.expressions.operand(source)
        statement = None
        if isinstance(source, Value) and source in self.plan.inlined:
            statement = self.plan.definitions[source]
        if self.may_be_unbound(source):
            if isinstance(node, ast.Name):
                self.try_to_move(name, node)
                return
        origin = statement.origin if statement is not None else None
        self.put(self.assignment(name, node, statement), origin, name)

    def turn(self, todo: list[tuple[str, Operand, frozenset[str]]]) -> None:
        """Moves that need each other's old values."""
        if any(source is UNBOUND or self.may_be_unbound(source) for _, source, _ in todo):
            # Some may have no value to move: through variables of their own.
            spare = []
            for name, source, _ in todo:
                through = f"{name}_new"
                while through in self.names.values() or through in self.globals.reserved:
                    through += "_"
                spare.append(through)
                self.bound.add(through)  # by an earlier trip, perhaps
                self.move(through, source)
            for (name, source, _), through in zip(todo, spare, strict=True):
                if source is UNBOUND:
                    self.unbind(name)
                elif self.may_be_unbound(source):
                    self.try_to_move(name, ast.Name(through))
                else:
                    self.put(ast.Assign([ast.Name(name)], ast.Name(through)), None, name)
            return
        targets = ast.Tuple([ast.Name(name) for name, _, _ in todo])
        sources = ast.Tuple([self.expressions.operand(source) for _, source, _ in todo])
        self.put(ast.Assign([targets], sources), None)
        self.bound.update(name for name, _, _ in todo)

    def may_be_unbound(self, source: Operand) -> bool:
        if not isinstance(source, Value) or source in self.surely:
            return False
        return source in self.plan.loosely_bound

    def try_to_move(self, name: str, source: ast.Name) -> None:
        """`name = source`, or neither is bound."""
        outer, self.lines = self.lines, []
        self.unbind(name)
        otherwise, self.lines = self.lines or [ast.Pass()], outer
        handler = ast.ExceptHandler(self.globals.builtin("NameError"), None, otherwise)
        attempt = ast.Assign([ast.Name(name)], source)
        self.put(ast.Try([attempt], [handler], [], []), None, name)

    def unbind(self, name: str) -> None:
        """Make the variable raise where it is read, if it may have a value here."""
        if name in self.bound:
            # `del` alone raises where the variable has no value.
            self.lines.append(ast.Assign([ast.Name(name)], ast.Constant(None)))
            self.lines.append(ast.Delete([ast.Name(name)]))
            self.bound.discard(name)


def added_to(name: str, node: ast.expr) -> ast.AugAssign | None:
    """`name += c - b` for the sum `name - b + c`, if `node` is one."""
    terms: list[tuple[bool, ast.expr]] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        terms.insert(0, (isinstance(node.op, ast.Add), node.right))
        node = node.left
    if not (terms and isinstance(node, ast.Name) and node.id == name):
        return None
    positive = any(added for added, _ in terms)
    if positive and not terms[0][0]:
        first = next(k for k, (added, _) in enumerate(terms) if added)
        terms.insert(0, terms.pop(first))
    change = terms[0][1]
    for added, term in terms[1:]:
        change = ast.BinOp(change, ast.Add() if added is positive else ast.Sub(), term)
    return ast.AugAssign(ast.Name(name), ast.Add() if positive else ast.Sub(), change)


def _quotation(text: str) -> list[str]:
    """The user's statement as the lines of a comment."""
    lines = text.strip("\n").split("\n")
    margin = min((len(s) - len(s.lstrip()) for s in lines[1:] if s.strip()), default=0)
    return [lines[0].strip(), *(s[margin:].rstrip() for s in lines[1:])]


def _is_number(operand: Operand, number: int) -> bool:
    return isinstance(operand, Constant) and type(operand.value) is int and operand.value == number


def _may_repeat(path: Path) -> bool:
    """Whether the path may name a place twice."""
    masks = 0
    for entry in path:
        if isinstance(entry, Slice) or is_integer(entry):
            continue
        if isinstance(entry, Constant):
            value = entry.value
            if value is None or value is Ellipsis or isinstance(value, slice | bool):
                continue
            if isinstance(value, np.ndarray) and value.dtype == bool:
                masks += 1
                continue
        if isinstance(entry, Value) and isinstance(entry.type, Array):
            if entry.type.kind == "bool":
                masks += 1
                continue
            if entry.type.rank == 0 and not is_index_array(entry):
                continue
        return True
    return masks > 1


def _breaks(items: list[Item]) -> bool:
    """Whether a break leaves the loop whose body this is."""
    return any(
        isinstance(item, Break)
        or (isinstance(item, Branch) and (_breaks(item.then) or _breaks(item.orelse)))
        for item in items
    )
