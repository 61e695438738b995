"""The reduced tree: it means what the user's function means, and keeps its promises of form."""

import ast
import contextlib
import gc
import importlib.util
import linecache
import random
import sys
import textwrap
import threading
from inspect import Parameter

import gast
import numpy as np
import pytest

from adcompiler.errors import SourceError, UnsupportedError
from adcompiler.ir import parse as parse_module
from adcompiler.ir.names import all_names
from adcompiler.ir.parse import assigned_names, parse, read_names

# Tools.

_made = 0


def define(text, **names):
    """Execute a text that `linecache` knows; the last function that it defines."""
    global _made
    _made += 1
    file = f"<test {_made}>"
    text = textwrap.dedent(text).lstrip("\n")
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {"__name__": "test", "np": np, **names}
    exec(compile(text, file, "exec"), space)
    return [f for f in space.values() if getattr(f, "__module__", "") == "test"][-1]


def reduced(function):
    """The reduced tree of a function, compiled."""
    tree = parse(function)
    check_form(tree)
    space = dict(function.__globals__)
    exec(compile(tree.unparse(), "<reduced>", "exec"), space)
    return space[tree.name]


def printed(text, **names):
    tree = parse(define(text, **names))
    check_form(tree)
    return tree.unparse()


def same(text, expected):
    assert printed(text) == textwrap.dedent(expected).strip()


def check_form(tree):
    """What `exits` promises of every reduced function."""
    body = tree.node.body
    assert isinstance(body[-1], gast.Return) and body[-1].value is not None
    allowed = {id(body[-1])}
    pending = list(body)
    for node in pending:
        if isinstance(node, gast.FunctionDef | gast.Lambda):
            continue
        pending.extend(gast.iter_child_nodes(node))
        if isinstance(node, gast.For | gast.While):
            assert not node.orelse
            last = node.body[-1]
            if id(node) in tree.stops:
                assert isinstance(last, gast.If) and not last.orelse
                assert isinstance(last.test, gast.Name) and last.test.id == tree.stops[id(node)]
                assert last.test.id in tree.flags
                assert [type(s) for s in last.body] == [gast.Break]
                allowed.add(id(last.body[0]))
            else:
                assert isinstance(node, gast.For)
        if isinstance(node, gast.While):
            assert isinstance(node.test, gast.Constant) and node.test.value is True
        if isinstance(node, gast.Return | gast.Break):
            assert id(node) in allowed
        if isinstance(node, gast.Assign):
            assert len(node.targets) == 1
        assert not isinstance(node, gast.Continue | gast.AnnAssign)
        if isinstance(node, gast.stmt | gast.expr):
            assert node.lineno <= node.end_lineno
    for node in pending:
        for field in ("body", "orelse"):
            block = getattr(node, field, ())
            if isinstance(block, list) and any(isinstance(s, gast.Pass) for s in block):
                assert len(block) == 1


# Form, on examples that show one thing each.


def test_what_is_simple_stays():
    same(
        '''
        def f(x, *, n: int = 3) -> float:
            """Doc."""
            y: float = x * x
            z: float
            pass
            for _ in range(n):
                y = y + 1
            return y
        ''',
        """
        def f(x, *, n: int=3) -> float:
            y = x * x
            for _ in range(n):
                y = y + 1
            return y
        """,
    )


def test_a_function_without_return_returns_none():
    same("def f(x): x[0] = 1", "def f(x):\n    x[0] = 1\n    return None")
    same('def f(x):\n    "doc"', "def f(x):\n    return None")
    same("def f(x): return", "def f(x):\n    return None")


def test_the_rest_moves_into_the_branch_that_goes_on():
    same(
        """
        def f(x):
            if x > 1:
                return 1
            y = x
            if y < 0:
                y = -y
            else:
                return 2
            return y
        """,
        """
        def f(x):
            if x > 1:
                result = 1
            else:
                y = x
                if y < 0:
                    y = -y
                    result = y
                else:
                    result = 2
            return result
        """,
    )


def test_a_flag_where_both_branches_may_go_on():
    same(
        """
        def f(x):
            if x > 1:
                if x > 2:
                    return 1
                x = 0
            x += 1
            return x
        """,
        """
        def f(x):
            if x > 1:
                if x > 2:
                    result = 1
                    returned = True
                else:
                    x = 0
                    returned = False
            else:
                returned = False
            if not returned:
                x += 1
                result = x
            return result
        """,
    )


def test_raise_is_no_exit_but_nothing_follows_it():
    same(
        """
        def f(x):
            if x < 0:
                raise ValueError(x)
            if x > 9:
                return 9
            elif x > 8:
                raise ValueError
            return x
            x = 1
        """,
        """
        def f(x):
            if x < 0:
                raise ValueError(x)
            if x > 9:
                result = 9
            else:
                if x > 8:
                    raise ValueError
                result = x
            return result
        """,
    )


def test_while_becomes_a_test_within_the_trip():
    text = """
        def f(x):
            while (r := x * x) > 1:
                x = r / 2
            return x
        """
    same(
        text,
        """
        def f(x):
            while True:
                if (r := (x * x)) > 1:
                    x = r / 2
                    stop = False
                else:
                    stop = True
                if stop:
                    break
            return x
        """,
    )
    tree = parse(define(text))
    loop = tree.node.body[0]
    test = tree.tests[id(loop.body[0])]
    assert test.loop is loop
    assert test.stop == tree.stops[id(loop)] == "stop"
    assert tree.flags == {"stop"}


def test_break_continue_and_else():
    same(
        """
        def f(xs):
            for x in xs:
                if x < 0:
                    continue
                if x > 9:
                    break
                g(x)
            else:
                return 1
            for x in xs:
                if x:
                    continue
                g(x)
        """,
        """
        def f(xs):
            stop = False
            for x in xs:
                if x < 0:
                    stop = False
                elif x > 9:
                    stop = True
                else:
                    g(x)
                    stop = False
                if stop:
                    break
            if stop:
                for x in xs:
                    if x:
                        pass
                    else:
                        g(x)
                result = None
            else:
                result = 1
            return result
        """,
    )


def test_a_break_alone_needs_no_flag_before_the_loop():
    same(
        """
        def f(xs):
            for x in xs:
                if x:
                    break
            return x
        """,
        """
        def f(xs):
            for x in xs:
                if x:
                    stop = True
                else:
                    stop = False
                if stop:
                    break
            return x
        """,
    )


def test_the_flag_of_the_loop_serves_as_guard():
    same(
        """
        def f(x):
            while True:
                if x > 1:
                    if x > 2:
                        break
                x += 1
        """,
        """
        def f(x):
            while True:
                if x > 1:
                    if x > 2:
                        stop = True
                    else:
                        stop = False
                else:
                    stop = False
                if not stop:
                    x += 1
                if stop:
                    break
            return None
        """,
    )


def test_return_from_nested_loops():
    same(
        """
        def f(n):
            while n:
                for k in range(n):
                    if k == 3:
                        return k
                n -= 1
            return n
        """,
        """
        def f(n):
            returned = False
            while True:
                if n:
                    stop_2 = False
                    for k in range(n):
                        if k == 3:
                            result = k
                            stop_2 = True
                        else:
                            stop_2 = False
                        if stop_2:
                            break
                    if stop_2:
                        returned = True
                        stop = True
                    else:
                        n -= 1
                        stop = False
                else:
                    stop = True
                if stop:
                    break
            if not returned:
                result = n
            return result
        """,
    )


def test_while_else_tells_break_from_the_end():
    same(
        """
        def f(n):
            while n:
                if g(n):
                    break
                n -= 1
            else:
                n = 7
            return n
        """,
        """
        def f(n):
            broke = False
            while True:
                if n:
                    if g(n):
                        broke = True
                        stop = True
                    else:
                        n -= 1
                        stop = False
                else:
                    stop = True
                if stop:
                    break
            if not broke:
                n = 7
            return n
        """,
    )


def test_return_from_with_survives_a_manager_that_swallows():
    same(
        """
        def f(x):
            with np.errstate(all='ignore'):
                return x / 0
        """,
        """
        def f(x):
            result = None
            with np.errstate(all='ignore'):
                result = x / 0
            return result
        """,
    )


@pytest.mark.parametrize(
    ("chained", "expected"),
    [
        ("a = b = g(x)", ["a = g(x)", "b = a"]),
        ("a = b, c = g(x)", ["a = g(x)", "b, c = a"]),
        ("a = x[0] = b = g(x)", ["a = g(x)", "x[0] = a", "b = a"]),
        ("a = (a, b) = c = g(x)", ["value = g(x)", "a = value", "a, b = value", "c = value"]),
        ("x[0] = a = g(x)", ["value = g(x)", "x[0] = value", "a = value"]),
        ("x[0] = x[1] = 0.0", ["x[0] = 0.0", "x[1] = 0.0"]),
    ],
)
def test_chained_assignment(chained, expected):
    lines = printed(f"def f(x):\n    {chained}").splitlines()
    assert [line.strip() for line in lines[1:-1]] == expected


def test_new_names_avoid_all_names_of_the_function():
    text = """
        def f(stop, xs):
            def result():
                return stop_2
            for x in xs:
                if x:
                    return result
            import returned
        """
    tree = parse(define(text))
    assert tree.flags == {"stop_3"}
    assert tree.temporaries == {"result_2"}


def test_local_names_survive_their_dead_code():
    assert parse(define("def f():\n    return x\n    x = 1")).locals == {"x"}


def test_synthesised_statements_stand_where_the_users_stand():
    tree = parse(define("def f(xs):\n    for x in xs:\n        if x:\n            break\n"))
    loop = tree.node.body[0]
    branch, final = loop.body
    assert tree.quote(branch) == "if x:"
    assert tree.quote(branch.body[0]) == "break"
    assert tree.quote(branch.orelse[0]) == tree.quote(final) == "for x in xs:"
    assert tree.position(branch.body[0]).line == 4


def test_too_deep_is_refused():
    lines = "".join(f"    if x == {k}: return {k}\n    x += 1\n" for k in range(200))
    with pytest.raises(UnsupportedError, match="80 levels"):
        parse(define("def f(x):\n" + lines))
    chain = "".join(f"    if x == {k}: return {k}\n" for k in range(60))
    assert reduced(define("def f(x):\n" + chain))(42) == 42


def test_what_cannot_be_walked_is_refused():
    with pytest.raises(UnsupportedError, match="recursion limit"):
        parse(define(f"def f(x):\n    return {' + '.join(['x'] * 900)}\n"))


# Meaning, on programs written at random.


class Boom(Exception):
    pass


class Spent(Exception):
    pass


class World:
    """Answers a program's questions from a list, and writes down everything that it does."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.trace = []
        self.left = 120

    def choose(self, most):
        self.left -= 1
        if self.left < 0:
            raise Spent
        answer = self.random.randint(0, most)
        self.trace.append(answer)
        return answer

    def ask(self):
        return self.choose(1)

    def items(self):
        for k in range(self.choose(3)):
            self.trace.append(("item", k))
            yield k
        self.trace.append("no more items")

    def do(self, what):
        self.trace.append(what)
        return what

    @contextlib.contextmanager
    def manager(self):
        self.trace.append("enter")
        try:
            yield
        except Boom:
            self.trace.append("swallowed")
        finally:
            self.trace.append("leave")


class Writer:
    """Writes a random program of loops, branches and exits."""

    def __init__(self, seed, managers):
        self.random = random.Random(seed)
        self.managers = managers
        self.count = 0

    def number(self):
        self.count += 1
        return self.count

    def program(self):
        body = self.block(0, False) + ["return x"] * self.random.randint(0, 1)
        return "\n".join(["def f(w):", "    x = 0", *self.indented(body)])

    def indented(self, lines):
        return ["    " + line for line in lines]

    def block(self, depth, in_loop):
        lines = []
        for _ in range(self.random.choice([1, 1, 2, 2, 3])):
            lines += self.statement(depth, in_loop)
        return lines

    def statement(self, depth, in_loop):
        kinds = ["do"] * 3 + ["return", "pass"]
        if in_loop:
            kinds += ["break", "continue"] * 2
        if depth < 4:
            kinds += ["if"] * 6 + ["for"] * 2 + ["while"] * 2 + ["forever"]
            if self.managers:
                kinds += ["with"] * 2 + ["raise"]
        kind = self.random.choice(kinds)
        inner = lambda loop: self.indented(self.block(depth + 1, loop))  # noqa: E731
        match kind:
            case "do":
                n = self.number()
                return [self.random.choice([f"w.do({n})", f"x = w.do({n})", f"y = x = {n}"])]
            case "return":
                return [self.random.choice([f"return {self.number()}", "return x", "return"])]
            case "raise":
                return ["raise Boom"]
            case "if":
                lines = ["if w.ask():", *inner(in_loop)]
                for _ in range(self.random.choice([0, 0, 1])):
                    lines += ["elif w.ask():", *inner(in_loop)]
                if self.random.random() < 0.5:
                    lines += ["else:", *inner(in_loop)]
                return lines
            case "for":
                lines = ["for i in w.items():", *inner(True)]
            case "while":
                test = self.random.choice(["w.ask()", "(t := w.ask())"])
                lines = [f"while {test}:", *inner(True)]
            case "forever":
                lines = ["while True:", "    w.ask()", *inner(True)]
            case "with":
                return ["with w.manager():", *inner(in_loop)]
            case _:
                return [kind]
        if self.random.random() < 0.4:
            lines += ["else:", *inner(in_loop)]
        return lines


def outcome(function, seed):
    world = World(seed)
    try:
        result = ("returned", function(world))
    except (Boom, Spent) as error:
        result = ("raised", type(error))
    return result, world.trace


def counting(tree):
    """The reduced function, checking that each trip assigns its flag exactly once."""
    lines = ["_count = {}"]

    class Count(ast.NodeTransformer):
        def visit_Assign(self, node):
            name = getattr(node.targets[0], "id", None)
            if name not in tree.stops.values():
                return node
            return [node, ast.parse(f"_count[{name!r}] = _count.get({name!r}, 0) + 1").body[0]]

        def loop(self, node):
            self.generic_visit(node)
            last = node.body[-1]
            if isinstance(last, ast.If) and isinstance(last.body[0], ast.Break):
                name = last.test.id
                node.body.insert(0, ast.parse(f"_count[{name!r}] = 0").body[0])
                node.body.insert(-1, ast.parse(f"assert _count[{name!r}] == 1").body[0])
            return node

        visit_For = visit_While = loop

    node = Count().visit(gast.gast_to_ast(tree.node))
    return "\n".join([*lines, ast.unparse(ast.fix_missing_locations(node))])


@pytest.mark.parametrize("managers", [False, True])
@pytest.mark.parametrize("start", range(0, 400, 50))
def test_random_programs_do_the_same(start, managers):
    for seed in range(start, start + 50):
        text = Writer(seed, managers).program()
        function = define(text, Boom=Boom)
        tree = parse(function)
        check_form(tree)
        reduced_text = tree.unparse()
        for call in {line.strip() for line in text.splitlines() if ".do(" in line}:
            assert reduced_text.count(call) <= 1
        space = {"Boom": Boom}
        exec(reduced_text if managers else counting(tree), space)
        for world in range(25):
            expected, found = outcome(function, world), outcome(space["f"], world)
            assert found == expected, f"{text}\n\n{reduced_text}"


def test_the_random_programs_have_everything():
    text = "\n".join(Writer(seed, True).program() for seed in range(100))
    for construct in ("return", "break", "continue", "else:", "elif", "while True:", "raise"):
        assert text.count(construct) > 30, construct


def test_nested_loops_with_every_exit():
    function = define(
        """
        def f(rows, limit):
            seen = []
            for row in rows:
                for x in row:
                    if x is None:
                        break
                    if x < 0:
                        continue
                    while x > limit:
                        x -= 3
                        if x == limit + 1:
                            return seen, x
                        elif x % 7 == 0:
                            break
                    else:
                        seen.append(('small', x))
                        continue
                    seen.append(('broke', x))
                else:
                    seen.append('whole row')
                    continue
                seen.append('row cut')
            else:
                seen.append('all rows')
            return seen
        """
    )
    again = reduced(function)
    choices = [None, -1, 0, 2, 5, 9, 14, 20]
    pick = random.Random(3)
    for _ in range(300):
        rows = [[pick.choice(choices) for _ in range(pick.randint(0, 4))] for _ in range(3)]
        for limit in (0, 3, 8):
            assert again(rows, limit) == function(rows, limit)
    assert again([], 1) == function([], 1) == ["all rows"]


# Where the source comes from.


def keep(function):
    return function


def wrap(function):
    def wrapper(*args):
        return function(*args) + 1

    wrapper.__wrapped__ = function
    return wrapper


@keep
@keep
def decorated(
    x,
    y=(1),
):
    # A comment that stands further left than the code:
    # here
    text = """
not indented
"""
    return x, y, text


@wrap
def wrapped(x):
    return x


class Thing:
    __secret = 3

    def method(self, x):
        return self.__secret + x

    @staticmethod
    def static(x):
        def inner(y):
            return y.__secret

        return inner

    @classmethod
    def made(cls, x):
        return cls, x


def with_assert(x):
    assert x > 0, "positive"
    y = x.real
    return y


def recursive(n):
    return 1 if n == 0 else n * recursive(n - 1)


def outer(k):
    def inner(x):
        return inner, k * x

    return inner


def test_decorators_are_stripped():
    tree = parse(decorated)
    assert tree.unparse().startswith("def decorated(x, y=1):\n    text =")
    assert not tree.node.decorator_list
    assert tree.file == __file__


def test_what_is_called_is_what_is_read():
    assert parse(wrapped).name == "wrapper"


def test_methods():
    assert "self._Thing__secret" in parse(Thing.method).unparse()
    assert parse(Thing().method).function is Thing.method
    assert "y._Thing__secret" in parse(Thing.static(1)).unparse()
    assert parse(Thing.__dict__["made"]).parameters[0].name == "cls"


def test_nested_functions_and_recursion():
    inner = outer(5)
    tree = parse(inner)
    assert set(tree.closure) == {"inner", "k"}
    assert tree.closure["k"].cell_contents == 5
    assert tree.globals is globals()
    assert parse(outer(6)).node is tree.node
    assert parse(recursive).name == "recursive"


def test_functions_with_rewritten_asserts():
    assert "assert x > 0, 'positive'" in parse(with_assert).unparse()


# fmt: off
pair = lambda x: x + 1, lambda x: x + 1
mixed = (lambda x: x - 1, lambda y: y - 1, lambda x, y=2: (lambda x: x * y))
named = lambda x: x ** 2  # noqa: E731
several = keep(
    lambda x:
        x / 3 +
        x
)
# fmt: on


def test_lambdas_are_told_apart_by_place():
    columns = [parse(f).position(parse(f).node).column for f in pair]
    assert columns == [7, 24]
    assert [parse(f).unparse().splitlines()[-1].strip() for f in mixed] == [
        "return x - 1",
        "return y - 1",
        "return lambda x: x * y",
    ]
    assert parse(mixed[2](0)).unparse() == "def function(x):\n    return x * y"
    assert parse(mixed[2](0)).closure["y"].cell_contents == 2
    assert parse(named).name == "named"
    assert parse(several).quote(parse(several).node.body[0]) == "x / 3 + x"


def test_a_file_that_changed_is_not_misread(tmp_path):
    path = tmp_path / "changing.py"
    path.write_text("import math\n\ndef f(x):\n    return math.sin(x)\n\ng = lambda x: x + 1\n")
    spec = importlib.util.spec_from_file_location("changing", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path.write_text("import math\n\ndef f(x):\n    return math.cos(x)\n\ng = lambda x: x + 2\n")
    for function in (module.f, module.g):
        with pytest.raises(SourceError, match="not the code that runs") as caught:
            parse(function)
        assert caught.value.position.file == str(path)
        assert caught.value.remedy
    spec.loader.exec_module(module)
    assert "math.cos" in parse(module.f).unparse()
    path.unlink()


def test_old_lines_in_the_cache_are_dropped(tmp_path):
    path = tmp_path / "grown.py"
    path.write_text("def f(x):\n    return 1\n")
    assert linecache.getlines(str(path))
    path.write_text("def f(x):\n    return 1 + 2 * x\n")
    spec = importlib.util.spec_from_file_location("grown", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "2 * x" in parse(module.f).unparse()


@pytest.mark.parametrize("thing", [np.sin, len, Thing, np.ndarray.sum, 3, Thing()])
def test_what_has_no_source(thing):
    with pytest.raises(SourceError) as caught:
        parse(thing)
    assert caught.value.reason and caught.value.remedy


def test_text_that_nobody_kept():
    space = {}
    # (Under a name of its own: some Pythons remember the text of "<string>".)
    text = "def f(x):\n    return x\ng = lambda x: x"
    exec(compile(text, "<nobody kept this>", "exec"), space)
    for name in "fg":
        with pytest.raises(SourceError, match="not available") as caught:
            parse(space[name])
        assert "linecache" in caught.value.remedy


def test_future_annotations_and_globals_of_the_same_name():
    function = define(
        "from __future__ import annotations\n"
        "def f(x: Missing) -> Missing:\n    return np.exp(x), f.np, time.sleep(x)\n"
    )
    assert parse(function).name == "f"


def test_equal_code_in_different_files():
    one, other = (define("def f(x):\n    return x + 12345\n") for _ in range(2))
    assert one.__code__ == other.__code__
    assert parse(one).file != parse(other).file


def test_the_cache_lets_go():
    function = define("def f(x):\n    return x - 54321\n")
    parse(function)
    key = id(function.__code__)
    assert key in parse_module._cache
    # The module's own code, which holds the function's, is gone already.
    del function
    gc.collect()
    assert key not in parse_module._cache


def test_threads_get_one_tree():
    for _ in range(5):
        function = define("def f(x):\n" + "    x = x + 1\n" * 50 + "    return x\n")
        barrier = threading.Barrier(4)
        nodes = []

        def work(function=function, barrier=barrier, nodes=nodes):
            barrier.wait()
            nodes.append(parse(function).node)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(nodes) == 4 and len(set(map(id, nodes))) == 1


# Parameters, places, quotes.


def test_parameters():
    function = define("def f(a, /, b, c=3, *rest, d, e=5, **others): return a")
    parameters = {p.name: p for p in parse(function).parameters}
    assert list(parameters) == ["a", "b", "c", "rest", "d", "e", "others"]
    assert parameters["a"].kind is Parameter.POSITIONAL_ONLY
    assert parameters["rest"].kind is Parameter.VAR_POSITIONAL
    assert parameters["d"].kind is Parameter.KEYWORD_ONLY
    assert parameters["others"].kind is Parameter.VAR_KEYWORD
    defaults = {n: p.default for n, p in parameters.items() if p.default is not Parameter.empty}
    assert defaults == {"c": 3, "e": 5}
    function.__defaults__ = (4,)
    assert parse(function).parameters[2].default == 4


def test_nested_trees():
    tree = parse(
        define(
            """
            def f(x, n):
                def g(y, k=n):
                    if y > k:
                        return x
                    return y
                h = lambda z, *, w=2: z * w + x
                return g(x) + h(n)
            """
        )
    )
    g, h = tree.node.body[0], tree.node.body[1].value
    inner = tree.nested(g)
    assert inner.function is None
    assert inner.temporaries == {"result"}
    assert inner.locals == {"y", "k"}
    assert isinstance(inner.parameters[1].default, gast.Name)
    assert tree.nested(g).node is inner.node
    function = tree.nested(h)
    assert function.unparse() == "def function(z, *, w=2):\n    return z * w + x"
    assert function.parameters[1].kind is Parameter.KEYWORD_ONLY
    assert function.position(function.node.body[0].value).line == 6


def test_nested_functions_are_checked_when_they_are_read():
    tree = parse(define("def f(x):\n    def g():\n        y = yield x\n    return x\n"))
    with pytest.raises(UnsupportedError, match="yield"):
        tree.nested(tree.node.body[0])


def test_positions_count_characters_of_the_file():
    function = define("\n\n\ndef f(é):\n    return 'ü', é.x + 1\n")
    tree = parse(function)
    position = tree.position(tree.node.body[0].value.elts[1])
    assert (position.line, position.column, position.end_column) == (2, 16, 23)
    assert tree.source_line(tree.node.body[0]) == "    return 'ü', é.x + 1"
    inside = parse(define("if True:\n  class A:\n     def f(self): return 1\n  f = A.f\n"))
    assert inside.position(inside.node.body[0]).column == 18


@pytest.mark.parametrize(
    ("statement", "quoted"),
    [
        ("y = (x  +\n  # why\n  1)  # because", "y = (x  + 1)"),
        ("y = g(\n    x,\n    2,\n)", "y = g(x, 2)"),
        ("y = [\n  x, # one\n\n  2,]", "y = [x, 2,]"),
        ("y = (\n  x,\n)", "y = (x,)"),
        ("y = (\n  x, 2,\n)", "y = (x, 2)"),
        ("y = x[\n  0,\n]", "y = x[0,]"),
        ("y = x + \\\n    1", "y = x + 1"),
        ("y = '#' + \\\n  '''a\n  b''' + f'''{x\n}#\n'''", "y = '#' + '''a\\n      b''' + f'''"),
        ("y = 'é'; z = x", "y = 'é'"),
        ("if x: y = 1", "if x:"),
        ("if (lambda: x)() and x[0:1]: # c\n  y = 1", "if (lambda: x)() and x[0:1]:"),
        ("for i, (j,\n   k) in zip(x,\n  x): # :\n  y = 1", "for i, (j, k) in zip(x, x):"),
        ("while (x[1:2] and # a:b\n  x\n): # c\n  y = 1", "while (x[1:2] and x):"),
        ("with g(x) as h, \\\n  g(x):\n  y = 1", "with g(x) as h, g(x):"),
        ("def h(a: int, b={1: 2}) -> {3: 4}: # :\n  y = 1", "def h(a: int, b={1: 2}) -> {3: 4}:"),
        ("def h(\n): return 1", "def h():"),
    ],
)
def test_quotes(statement, quoted):
    tree = parse(define("def f(x):\n" + textwrap.indent(statement, "    ") + "\n    return x\n"))
    assert tree.quote(tree.node.body[0]).startswith(quoted)
    assert "\n" not in tree.quote(tree.node.body[0])
    assert tree.quote(tree.node) == "def f(x):"
    if "'''" not in statement:
        assert tree.quote(tree.node.body[0]) == quoted


def test_quote_of_elif():
    tree = parse(define("def f(x):\n    if x: x = 1\n    elif x > 2: x = 3\n    return x"))
    assert tree.quote(tree.node.body[0].orelse[0]) == "elif x > 2:"


# What is refused.


@pytest.mark.parametrize(
    ("body", "message", "line", "column"),
    [
        ("try:\n        y = 1\n    finally:\n        return x", "leaving a `finally`", 5, 8),
        ("if x:\n        y = 1 + (yield x)", "`yield`", 3, 17),
        ("yield from x", "`yield`", 2, 4),
        ("class A: pass", "class", 2, 4),
        ("y = eval('x')", "call of `eval`", 2, 8),
        ("exec('y = x')", "call of `exec`", 2, 4),
        ("x[0]: int", "annotation", 2, 4),
        ("async def g(): pass", "`async`", 2, 4),
    ],
)
def test_refused(body, message, line, column):
    with pytest.raises(UnsupportedError, match=message) as caught:
        parse(define(f"def f(x):\n    {body}\n"))
    error = caught.value
    assert (error.position.line, error.position.column) == (line, column)
    assert error.reason and error.remedy
    assert "^" in str(error)


def test_async_and_generator_functions_are_refused():
    with pytest.raises(UnsupportedError, match="async"):
        parse(define("async def f(x):\n    return x\n"))
    with pytest.raises(UnsupportedError, match="yield"):
        parse(define("def f(x):\n    return x\n    yield x\n"))


def test_names_that_are_not_the_builtins():
    assert parse(define("def f(x, eval):\n    return eval(x)\n"))
    assert parse(define("def exec(x): return x\ndef f(x):\n    return exec(x)\n"))


def test_with_global_and_imports_are_kept():
    text = "def f(x):\n    global y\n    import math as m\n    with x:\n        del x\n    return m"
    kinds = [type(s) for s in parse(define(text)).node.body]
    assert kinds == [gast.Global, gast.Import, gast.With, gast.Return]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
def test_type_parameters():
    function = define("def f[T: int](x: T) -> T:\n    y: T = x\n    return y\n")
    tree = parse(function)
    assert tree.quote(tree.node) == "def f[T: int](x: T) -> T:"
    assert parse(define("def f[T](x):\n    return T, x\n")).closure
    with pytest.raises(UnsupportedError, match="`type` statement"):
        parse(define("def f(x):\n    type A = int\n    return x\n"))


# Names.

NAMES = """
a, (b, *c) = d
e[f] = g.h = i
j += k
for l, m[n] in o:
    if (p := q):
        import r.s, t.u as v
        from w import x as y, z
    else:
        with aa as bb, cc:
            del dd
def ee(ff, *gg, hh=ii, **jj) -> kk:
    global ll
    ll = mm = nn + ff
    return lambda: (mm, oo)
[pp + qq + (rr := ss) for pp in tt if pp for uu in pp if vv]
{ww: xx for ww, xx in ww}
lambda yy, *, zz=A: yy + zz + B
C: D = E
F: G
f"{H!r:{I}}"
"""


def test_assigned_names_in_order():
    assert " ".join(assigned_names(gast.parse(NAMES).body)) == ("a b c j l p r v y z bb dd ee rr C")


def test_read_names_in_order():
    assert " ".join(read_names(gast.parse(NAMES).body)) == (
        "d i e f g j k o m n q aa cc ii kk nn oo tt vv qq ss ww A B E H I"
    )


def test_names_of_reduced_trees():
    tree = parse(define("def f(xs):\n    for x in xs:\n        if x: return x\n"))
    assert list(assigned_names(tree.node.body)) == ["stop", "x", "result"]
    assert {"xs", "stop", "result"} <= set(read_names(tree.node.body))
    assert all_names(tree.node) == {"f", "xs", "x", "stop", "result"}
