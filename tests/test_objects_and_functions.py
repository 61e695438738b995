"""Some 150 ordinary small programs about objects and functions: right, or refused with a remedy.

Each is compared with differences. What is refused stands in `REFUSED`, with what it says.
"""
# ruff: noqa: B007, B905, C406, F841  (they are written as users write them)

import abc
import copy
import dataclasses
import enum
import functools
import itertools
import math
import operator
import typing
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import asdict, astuple, dataclass, field, replace
from math import exp as mexp
from math import pi
from types import SimpleNamespace
from typing import Generic, NamedTuple, TypeVar

import numpy
import numpy as np
import numpy.linalg as la
import pytest
from numpy import cos
from numpy import sin as s
from numpy.linalg import norm

import tests.helper_module as hm
from adcompiler import grad, value_and_grad
from adcompiler.errors import AdcompilerError
from tests import helper_module
from tests.helper_module import Lin
from tests.helper_module import helper as hh

PROGRAMS = []


def case(f):
    PROGRAMS.append(f)
    return f


# ---- classes
class A:
    def __init__(self, x):
        self.x = x

    def f(self):
        return np.sum(self.x**2)

    @property
    def double(self):
        return self.x * 2

    @double.setter
    def double(self, v):
        self.x = v / 2

    @staticmethod
    def st(x):
        return x * 3

    @classmethod
    def make(cls, x):
        return cls(np.sin(x))

    def __call__(self, y):
        return self.x * y

    def set(self, v):
        self.x = v
        return self


class B(A):
    factor = 2.0

    def __init__(self, x, y=1.0):
        super().__init__(x)
        self.y = y

    def f(self):
        return super().f() * self.factor + self.y


@case
def c_basic(x):
    return A(x).f()


@case
def c_prop(x):
    a = A(x)
    a.double = a.double * x
    return np.sum(a.x)


@case
def c_static(x):
    return np.sum(A.st(x) + A(x).st(x))


@case
def c_classm(x):
    return A.make(x).f() + B.make(x).f()


@case
def c_callobj(x):
    a = A(x)
    return np.sum(a(x)) + sum(map(a, [x[0], x[1]]))[0]


@case
def c_inherit(x):
    return B(x, x[0]).f()


@case
def c_chain(x):
    return A(x).set(x * 2).set(x * x).f()


@case
def c_isinst(x):
    t = 0.0
    for o in [A(x), B(x), A(2 * x)]:
        if isinstance(o, B):
            t = t + o.f() * 2
        else:
            t = t + o.f()
    return t


@case
def c_in_dict(x):
    d = {"a": A(x), "b": B(x, 2.0)}
    return sum(v.f() for v in d.values()) + sum(d[k].f() for k in d)


@case
def c_type_self(x):
    a = A(x)
    b = type(a)(x * 2)
    c = a.__class__(x)
    return b.f() + c.f()


@case
def c_getattr(x):
    a = A(x)
    return np.sum(a.x) + getattr(a, "nothing", 1.0) * a.f() + (1.0 if hasattr(a, "x") else 0.0)


@case
def c_methods_table(x):
    a = A(x)
    fs = {"f": a.f, "g": lambda: np.sum(a.x)}
    return fs["f"]() * fs["g"]()


@case
def c_unbound(x):
    return A.f(A(x)) + B.f(B(x))


@case
def c_loopattr(x):
    a = A(x)
    for i in range(3):
        a.x = a.x * x + i
    return a.f()


@case
def c_loop_newobj(x):
    a = A(x)
    for i in range(4):
        a = A(a.x * 0.5 + x)
    return a.f()


@case
def c_while_attr(x):
    a = SimpleNamespace(v=x, n=0)
    while a.n < 3:
        a.v = np.sin(a.v) + x
        a.n += 1
    return np.sum(a.v) * a.n


@case
def c_while_data(x):
    a = A(x)
    while a.f() > 0.3:
        a.x = a.x * 0.7
    return np.sum(a.x * x)


@case
def c_objects_in_list_loop(x):
    ps = [A(x[i]) for i in range(3)]
    for _ in range(2):
        for p in ps:
            p.x = p.x * 1.5 + x[0]
    return sum(p.x**2 for p in ps)


@case
def c_objects_indexed(x):
    ps = [A(x[0]), A(x[1])]
    for i in range(2):
        ps[i].x = ps[i].x * x[2]
    return ps[0].x * ps[1].x


@case
def c_pairwise(x):
    bodies = [SimpleNamespace(q=x * (k + 1.0), p=np.zeros(3)) for k in range(3)]
    for i, a in enumerate(bodies):
        for b in bodies[i + 1 :]:
            d = a.q - b.q
            fo = d / (1.0 + np.sum(d**2))
            a.p = a.p + fo
            b.p = b.p - fo
    return sum(np.sum(b.p**2) for b in bodies)


@case
def c_obj_holds_obj(x):
    inner = A(x)
    outer = SimpleNamespace(a=inner, w=2.0)
    outer.a.x = outer.a.x * outer.w
    return inner.f()


@case
def c_branch_attr(x):
    a = A(x)
    if x[0] > 0:
        a.x = a.x * 2
    else:
        a.x = a.x * 3
    return a.f()


@case
def c_branch_obj(x):
    if x[0] > 0:
        a = A(x)
    else:
        a = A(2 * x)
    return a.f()


@case
def c_branch_otherclass(x):
    a = A(x) if x.ndim == 1 else B(x)
    return a.f()


class Node:
    def __init__(self, v, nxt=None):
        self.v = v
        self.nxt = nxt


@case
def c_linked_rec(x):
    head = Node(x[0], Node(x[1], Node(x[2])))

    def total(n):
        return 0.0 if n is None else n.v**2 + total(n.nxt) * n.v

    return total(head)


@case
def c_linked_while(x):
    head = Node(x[0], Node(x[1], Node(x[2])))
    t = 0.0
    n = head
    while n is not None:
        t = t * n.v + n.v**2
        n = n.nxt
    return t


@case
def c_linked_for(x):
    head = None
    for v in (x[0], x[1], x[2]):
        head = Node(v, head)
    t = 0.0
    n = head
    for _ in range(3):
        t = t + n.v**3
        n = n.nxt
    return t


@dataclass
class Tree:
    v: float
    kids: list = field(default_factory=list)

    def total(self):
        return self.v**2 + sum(k.total() for k in self.kids) * self.v


@case
def c_tree(x):
    t = Tree(x[0], [Tree(x[1]), Tree(x[2], [Tree(x[0] * x[1])])])
    return t.total()


@case
def c_tree_append(x):
    t = Tree(x[0])
    t.kids.append(Tree(x[1]))
    t.kids.append(Tree(x[2]))
    return t.total()


# operators
class V:
    def __init__(self, a):
        self.a = a

    def __add__(self, o):
        return V(self.a + (o.a if isinstance(o, V) else o))

    __radd__ = __add__

    def __sub__(self, o):
        return V(self.a - (o.a if isinstance(o, V) else o))

    def __rsub__(self, o):
        return V(o - self.a)

    def __mul__(self, o):
        return V(self.a * (o.a if isinstance(o, V) else o))

    __rmul__ = __mul__

    def __truediv__(self, o):
        return V(self.a / (o.a if isinstance(o, V) else o))

    def __rtruediv__(self, o):
        return V(o / self.a)

    def __pow__(self, n):
        return V(self.a**n)

    def __rpow__(self, n):
        return V(n**self.a)

    def __matmul__(self, o):
        return np.sum(self.a * o.a)

    def __neg__(self):
        return V(-self.a)

    def __abs__(self):
        return V(np.abs(self.a))

    def __iadd__(self, o):
        self.a = self.a + (o.a if isinstance(o, V) else o)
        return self

    def __imul__(self, o):
        self.a = self.a * o
        return self

    def __lt__(self, o):
        return np.sum(self.a) < np.sum(o.a)

    def __eq__(self, o):
        return bool(np.all(self.a == o.a))

    def __getitem__(self, i):
        return self.a[i]

    def __setitem__(self, i, v):
        self.a[i] = v

    def __len__(self):
        return len(self.a)

    def __iter__(self):
        return iter(self.a)

    def __contains__(self, v):
        return np.any(self.a == v)

    def __bool__(self):
        return bool(self.a[0] > 0)

    def __float__(self):
        return float(self.a[0])

    def __enter__(self):
        self.a = self.a * 2
        return self

    def __exit__(self, *e):
        return False

    def sum(self):
        return np.sum(self.a)


@case
def o_arith(x):
    return (1.0 + V(x) * 2 - V(x) / 3 + 2.0 / V(x) - (1 - V(x))).sum()


@case
def o_pow(x):
    return (V(x) ** 2 + 2.0 ** V(x)).sum() + (-V(x)).sum() + abs(V(x)).sum()


@case
def o_matmul(x):
    return V(x) @ V(x * x)


@case
def o_inplace(x):
    v = V(x)
    v += V(x * x)
    v += 1.0
    v *= 2.0
    return v.sum()


@case
def o_compare(x):
    a, b = V(x), V(x * 2)
    return a.sum() if a < b else b.sum()


@case
def o_eq(x):
    a, b = V(x), V(x)
    return a.sum() * 2 if a == b else b.sum()


@case
def o_ne(x):
    a, b = V(x), V(x * 2)
    return a.sum() * 2 if a != b else b.sum()


@case
def o_item(x):
    v = V(x.copy())
    v[0] = x[1] * x[2]
    v[1:] = x[:2]
    return v[0] * v[1] + len(v) * v[2]


@case
def o_iter(x):
    return sum(t * t for t in V(x))


@case
def o_iter_for(x):
    t = 1.0
    for v in V(x):
        t = t * v
    return t


@case
def o_contains(x):
    return V(x).sum() * (2.0 if 100.0 in V(x) else 3.0)


@case
def o_bool(x):
    return V(x).sum() if V(x) else 0.0


@case
def o_bool2(x):
    v = V(x)
    return v.sum() if not v else 2 * v.sum()


@case
def o_float(x):
    return float(V(x)) ** 2


@case
def o_enter(x):
    with V(x) as v:
        r = v.sum()
    return r**2


@case
def o_sumobj(x):
    return sum([V(x), V(2 * x)], V(np.zeros(3))).sum()


@case
def o_reduce(x):
    return functools.reduce(operator.add, [V(x), V(x * x), V(x)]).sum()


@case
def o_sorted(x):
    return np.sum(sorted([V(x), V(x * 2)], key=lambda v: 1.0)[0].a)


@case
def o_unpack(x):
    a, b, c = V(x)
    return a * b + c


class It:
    def __init__(self, a):
        self.a = a

    def __iter__(self):
        for v in self.a:
            yield v * 2

    def __len__(self):
        return len(self.a)

    def __getitem__(self, i):
        return self.a[i]


@case
def o_iter_yield(x):
    return sum(t * t for t in It(x))


class Sl:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b


@case
def o_slots(x):
    q = Sl(x, 2.0)
    q.a = q.a * q.b
    return np.sum(q.a**2)


# abstract, generic
T = TypeVar("T")


class Base(abc.ABC):
    @abc.abstractmethod
    def g(self, x): ...
    def run(self, x):
        return np.sum(self.g(x)) * 2


class Impl(Base):
    def g(self, x):
        return np.tanh(x)


class Gen(Generic[T]):
    def __init__(self, v: T):
        self.v = v

    def get(self) -> T:
        return self.v


@case
def o_abc(x):
    return Impl().run(x)


@case
def o_generic(x):
    return np.sum(Gen[np.ndarray](x).get() ** 2)


@case
def o_generic2(x):
    return np.sum(Gen(x).get() ** 2)


class Mixin:
    def scaled(self, k):
        return self.a * k


class MM(Mixin, V):
    pass


@case
def o_mixin(x):
    return np.sum(MM(x).scaled(2.0)) * (MM(x) @ MM(x))


class Proto(typing.Protocol):
    def f(self) -> float: ...


class PI(Proto):
    def __init__(self, x):
        self.x = x

    def f(self):
        return np.sum(self.x**2)


@case
def o_protocol(x):
    return PI(x).f()


# dataclasses
@dataclass
class D:
    a: np.ndarray
    b: float = 2.0
    c: list = field(default_factory=list)

    def f(self):
        return np.sum(self.a) * self.b


@dataclass(frozen=True)
class F:
    a: np.ndarray
    b: float = 1.0

    def f(self):
        return np.sum(self.a**2) * self.b

    def with_b(self, b):
        return replace(self, b=b)


@dataclass
class Post:
    a: np.ndarray
    total: float = field(init=False)

    def __post_init__(self):
        self.total = np.sum(self.a**2)


@dataclass(slots=True, kw_only=True)
class Kw:
    a: np.ndarray
    b: float = 3.0


@dataclass
class Sub(D):
    e: float = 1.0

    def f(self):
        return super().f() + self.e


@case
def d_basic(x):
    d = D(x, x[0])
    d.c.append(x[1])
    d.c.append(x[2])
    return d.f() + sum(d.c)


@case
def d_replace(x):
    return F(x).with_b(x[0]).f() + replace(F(x), a=x * 2).f()


@case
def d_post(x):
    return Post(x).total ** 2


@case
def d_kw(x):
    return np.sum(Kw(a=x).a) * Kw(a=x, b=x[0]).b


@case
def d_sub(x):
    return Sub(x, e=x[1]).f()


@case
def d_asdict(x):
    return np.sum(asdict(F(x))["a"] ** 2)


@case
def d_asdict_nested(x):
    return np.sum(asdict(D(x, 1.0, [x[0]]))["a"] ** 2)


@case
def d_astuple(x):
    a, b = astuple(F(x))
    return np.sum(a * b)


@case
def d_fields(x):
    f = F(x, x[0])
    return sum(np.sum(getattr(f, fl.name)) for fl in dataclasses.fields(f))


@case
def d_eq(x):
    return np.sum(x) * (2.0 if Kw2(1.0) == Kw2(1.0) else 1.0)


@dataclass
class Kw2:
    a: float


@case
def d_vars(x):
    return sum(np.sum(v) for v in vars(SimpleNamespace(a=x, b=x[0] ** 2)).values())


@case
def d_match(x):
    match F(x, 2.0):
        case F(a=a, b=b):
            return np.sum(a**2) * b


@dataclass
class Iv:
    a: np.ndarray
    k: dataclasses.InitVar[float] = 2.0

    def __post_init__(self, k):
        self.a = self.a * k


@case
def d_initvar(x):
    return np.sum(Iv(x, x[0]).a)


@dataclass(order=True)
class Od:
    k: float


@case
def d_order(x):
    return x[0] if Od(x[0]) < Od(x[1] + 10) else x[1]


# namedtuples
class NT(NamedTuple):
    u: float
    v: float = 2.0

    def f(self):
        return self.u * self.v

    @property
    def g(self):
        return self.u**2

    @classmethod
    def of(cls, x):
        return cls(x[0], x[1])


NP = namedtuple("NP", "p q", defaults=(1.0,))


@case
def n_basic(x):
    return NT(x[0]).f() + NT(x[0], x[1]).g + NT.of(x).f()


@case
def n_replace(x):
    return NT(x[0])._replace(v=x[1]).f() + NP(x[2])._asdict()["p"]


@case
def n_loop(x):
    st = NT(x[0], x[1])
    for i in range(3):
        st = NT(st.u * st.v, st.v + st.u)
    return st.f()


@case
def n_loop_replace(x):
    st = NP(x[0], x[1])
    for i in range(3):
        st = st._replace(p=st.p * st.q)
    return st.p


@case
def n_unpack(x):
    p, q = NP(x[0], q=x[1])
    return p * q + NP(*x[:2]).p


@case
def n_make(x):
    return NP._make([x[0], x[1]]).q ** 2


@case
def n_fields(x):
    return sum(getattr(NT(x[0], x[1]), n) for n in NT._fields)


# functools
@case
def f_partial(x):
    f = functools.partial(lambda a, b, c: a * b + c, x, c=1.0)
    return np.sum(f(x * 2))


class Cached:
    def __init__(self, x):
        self.x = x

    @functools.cached_property
    def sq(self):
        return self.x**2


@case
def f_cached_property(x):
    c = Cached(x)
    return np.sum(c.sq) * np.sum(c.sq)


@functools.cache
def fibo(n):
    return n if n < 2 else fibo(n - 1) + fibo(n - 2)


@case
def f_lru(x):
    return np.sum(x) * fibo(6)


@functools.cache
def coeffs(n):
    return np.ones(n)


@case
def f_cache_array(x):
    return np.sum(x * coeffs(3))


def deco(k):
    def wrap(f):
        @functools.wraps(f)
        def inner(*a, **kw):
            return k * f(*a, **kw)

        return inner

    return wrap


@deco(3.0)
def decorated(x):
    return np.sum(x**2)


@case
def f_decorated(x):
    return decorated(x)


@functools.singledispatch
def disp(v):
    return v * 2


@case
def f_singledispatch(x):
    return np.sum(disp(x))


@case
def f_compose(x):
    def compose(*fs):
        return lambda v: functools.reduce(lambda acc, f: f(acc), fs, v)

    return np.sum(compose(np.sin, np.exp, lambda t: t * 2)(x))


@case
def f_reduce(x):
    return functools.reduce(lambda a, b: a * b, x)


@case
def f_reduce_init(x):
    return functools.reduce(lambda a, b: a * b + 1, [x[0], x[1]], 2.0)


@case
def f_opget(x):
    return (
        operator.itemgetter(1)(x)
        * operator.attrgetter("x")(SimpleNamespace(x=x[0]))
        * operator.mul(x[0], x[2])
    )


@case
def f_accumulate(x):
    return sum(itertools.accumulate([x[0], x[1], x[2]]))


@case
def f_chain(x):
    return sum(t * t for t in itertools.chain([x[0]], [x[1], x[2]]))


@case
def f_product(x):
    return sum(x[i] * x[j] for i, j in itertools.product(range(3), range(3)))


@case
def f_combinations(x):
    return sum(x[i] * x[j] for i, j in itertools.combinations(range(3), 2))


@case
def f_ziplongest(x):
    return sum(a * b for a, b in itertools.zip_longest([x[0], x[1]], [x[2]], fillvalue=1.0))


@case
def f_pairwise(x):
    return sum((a - b) ** 2 for a, b in itertools.pairwise([x[0], x[1], x[2]]))


# enums
class Kind(enum.Enum):
    SUM = "sum"
    PROD = "prod"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 3


MODE = Kind.PROD


@case
def e_enum(x):
    return np.prod(x) if MODE is Kind.PROD else np.sum(x)


@case
def e_eq(x):
    return np.prod(x) if MODE == Kind.PROD else np.sum(x)


@case
def e_value(x):
    return np.sum(x) * (2.0 if MODE.value == "prod" else 1.0) * (3 if MODE.name == "PROD" else 1)


@case
def e_int(x):
    return np.sum(x) * Level.HIGH + x[Level.LOW] + np.sum(x**Level.HIGH)


@case
def e_dict(x):
    return {Kind.SUM: np.sum, Kind.PROD: np.prod}[MODE](x)


@case
def e_match(x):
    match MODE:
        case Kind.SUM:
            return np.sum(x)
        case Kind.PROD:
            return np.prod(x)


@case
def e_loop(x):
    t = 0.0
    for k in Level:
        t = t + x[0] * k
    return t


# imports
@case
def i_np(x):
    return (
        numpy.sum(s(x) * cos(x))
        + norm(x)
        + la.norm(x)
        + np.linalg.norm(x)
        + pi * mexp(0.1) * x[0]
        + math.sin(x[0])
    )


@case
def i_mod(x):
    return (
        np.sum(helper_module.helper(x) + hm.helper(x) + hh(x)) * hm.SCALE
        + hm.TABLE @ x
        + np.sum(Lin(x)(x))
        + np.sum(hm.Lin(x)(x))
    )


@case
def i_inside(x):
    import numpy as q
    from numpy import tanh

    import tests.helper_module
    from tests.helper_module import SCALE as K

    return q.sum(tanh(x)) * K + np.sum(tests.helper_module.helper(x))


G = np.array([1.0, 2.0, 3.0])
K = 2.0
CONFIG = {"lr": 0.1, "layers": [2, 3], "f": np.tanh}
OBJ = A(np.array([1.0, 2.0, 0.5]))
DOBJ = D(np.array([1.0, 2.0, 0.5]), 3.0)
NOBJ = SimpleNamespace(a=1.0, w=G)


@case
def g_const(x):
    return np.sum(x * G) * K * CONFIG["lr"] + sum(CONFIG["layers"]) * x[0] + np.sum(CONFIG["f"](x))


@case
def g_obj(x):
    return (
        np.sum(OBJ(x))
        + OBJ.f() * x[0]
        + np.sum(OBJ.x * x)
        + DOBJ.f() * x[1]
        + np.sum(DOBJ.a * x)
        + NOBJ.a * x[2]
        + np.sum(NOBJ.w * x)
    )


@case
def g_obj_double(x):
    return np.sum(OBJ.double * x) + np.sum(B(OBJ.x).double * x)


@case
def g_isinst(x):
    return np.sum(x) * (2.0 if isinstance(OBJ, A) else 1.0)


# dict/list
@case
def t_dict_comp(x):
    d = {k: x * i for i, k in enumerate("abc")}
    return sum(np.sum(v**2) for k, v in d.items() if k != "b")


@case
def t_ordered(x):
    d = OrderedDict()
    d["a"] = x
    d["b"] = x * 2
    d.move_to_end("a")
    return np.sum(d["a"] * d["b"])


@case
def t_ordered2(x):
    d = OrderedDict([("a", x), ("b", x**2)])
    return sum(np.sum(v) for v in d.values())


@case
def t_defaultdict(x):
    d = defaultdict(float)
    for i in range(3):
        d["k"] += x[i] ** 2
    return d["k"]


@case
def t_dict_of_pairs(x):
    d = dict(zip(("a", "b"), (x[0], x[1])))
    return d["a"] * d["b"]


@case
def t_dict_pairs(x):
    d = dict([("a", x[0]), ("b", x[1])])
    return d["a"] * d["b"]


@case
def t_dict_merge(x):
    d = {"a": x[0]} | {"b": x[1]}
    d |= {"c": x[2]}
    return d["a"] * d["b"] * d["c"]


@case
def t_dict_star(x):
    def f(a, b=1.0, *, c):
        return a * b * c

    return f(a=x[0], c=x[1]) + f(*[x[0], x[1]], c=x[2])


@case
def t_kwargs(x):
    def f(*args, scale=1.0, **kw):
        return sum(args) * scale + sum(kw.values())

    return f(x[0], x[1], scale=x[2], extra=x[0] ** 2)


@case
def t_set(x):
    used = {"a", "b"}
    return np.sum(x) * (2.0 if "a" in used else 1.0)


@case
def t_nested(x):
    p = {"l": [{"w": x, "b": x[0]}, {"w": x * 2, "b": 1.0}], "t": (x[1], [x[2]])}
    h = x
    for layer in p["l"]:
        h = np.tanh(h * layer["w"] + layer["b"])
    return np.sum(h) * p["t"][0] * p["t"][1][0]


@case
def t_nested_write(x):
    p = {"l": [{"w": x}, {"w": x * 2}]}
    for layer in p["l"]:
        layer["w"] = layer["w"] * 2
    p["l"][0]["w"] = p["l"][0]["w"] + 1
    return np.sum(p["l"][0]["w"] * p["l"][1]["w"])


@case
def t_treemap(x):
    def tm(f, t):
        if isinstance(t, dict):
            return {k: tm(f, v) for k, v in t.items()}
        if isinstance(t, (list, tuple)):
            return type(t)(tm(f, v) for v in t)
        return f(t)

    t = tm(lambda v: v**2, {"a": x, "b": [x[0], (x[1],)]})
    return np.sum(t["a"]) + t["b"][0] * t["b"][1][0]


@case
def t_sgd(x):
    ps = {"w": x, "b": x[0]}
    for _ in range(3):
        ps = {k: v - 0.1 * v**2 for k, v in ps.items()}
    return np.sum(ps["w"]) * ps["b"]


@case
def t_deque(x):
    d = deque(maxlen=2)
    for i in range(3):
        d.append(x[i])
    return d[0] * d[1]


@case
def t_list_of_tuples(x):
    xs = []
    for i in range(3):
        xs.append((x[i], x[i] ** 2))
    return sum(a * b for a, b in xs)


@case
def t_list_of_objs_grown(x):
    xs = []
    for i in range(3):
        xs.append(A(x[i]))
    return sum(a.x**2 for a in xs)


@case
def t_sorted(x):
    return sum(v * i for i, v in enumerate(sorted([x[0], x[1], x[2]])))


@case
def t_max_key(x):
    return max([x[0], x[1], x[2]], key=lambda v: v * v)


@case
def t_any_all(x):
    return np.sum(x) if any(v > 0 for v in x) and all(v < 10 for v in x) else 0.0


@case
def t_filter(x):
    return sum(filter(lambda v: v > 0.5, [x[0], x[1], x[2]]))


@case
def t_star_unpack(x):
    first, *rest = [x[0], x[1], x[2]]
    return first * sum(rest)


@case
def t_str(x):
    name = "tan" + "h"
    return np.sum(getattr(np, name)(x)) * (1.0 if name.startswith("t") else 2.0)


@case
def t_callable(x):
    f = A(x)
    return np.sum(f(x)) if callable(f) else 0.0


@case
def t_id_eq(x):
    a = A(x)
    b = a
    return a.f() if a is b else 0.0


@case
def t_none_default(x):
    def f(v, w=None):
        if w is None:
            w = v * 2
        return np.sum(v * w)

    return f(x) + f(x, x)


@case
def t_optional_attr(x):
    class L:
        def __init__(self, w, b=None):
            self.w, self.b = w, b

        def __call__(self, v):
            v = v * self.w
            if self.b is not None:
                v = v + self.b
            return v

    return np.sum(L(x)(x)) + np.sum(L(x, x[0])(x))


@case
def t_local_dataclass(x):
    @dataclass
    class Q:
        a: float
        b: float = 2.0

    q = Q(x[0])
    q.b *= x[1]
    return q.a * q.b


@case
def t_mlp(x):
    class Dense:
        def __init__(self, W, b, act=np.tanh):
            self.W, self.b, self.act = W, b, act

        def __call__(self, h):
            return self.act(self.W @ h + self.b)

    class MLP:
        def __init__(self, layers):
            self.layers = layers

        def __call__(self, h):
            for layer in self.layers:
                h = layer(h)
            return h

        def params(self):
            return [p for layer in self.layers for p in (layer.W, layer.b)]

    net = MLP(
        [
            Dense(np.outer(x, x), x),
            Dense(np.outer(x, G), x[0], act=lambda v: np.maximum(v, 0.01 * v)),
        ]
    )
    return np.sum(net(x)) + sum(np.sum(p**2) for p in net.params())


@case
def t_adam(x):
    class Adam:
        def __init__(self, lr):
            self.lr = lr
            self.m = np.zeros(3)
            self.t = 0

        def step(self, p, g):
            self.t += 1
            self.m = 0.9 * self.m + 0.1 * g
            return p - self.lr * self.m / (1 - 0.9**self.t)

    opt = Adam(x[0])
    p = x
    for _ in range(3):
        p = opt.step(p, 2 * p)
    return np.sum(p**2)


@case
def t_statemachine(x):
    class Filter:
        def __init__(self):
            self.state = 0.0
            self.out = []

        def push(self, v):
            self.state = 0.5 * self.state + v
            self.out.append(self.state)
            return self.state

    f = Filter()
    for v in x:
        f.push(v)
    return np.sum(np.array(f.out) ** 2)


@case
def t_array_attr_write(x):
    a = A(np.zeros(3))
    for i in range(3):
        a.x[i] = x[i] ** 2
    a.x[1:] *= 2.0
    a.x += x
    return a.f()


@case
def t_copy(x):
    a = A(x)
    b = copy.copy(a)
    b.x = x * 2
    return a.f() + b.f()


@case
def t_deepcopy(x):
    a = A(x.copy())
    b = copy.deepcopy(a)
    b.x[0] = 5.0
    return a.f() + b.f()


@case
def t_repr(x):
    msg = f"{A(x).f():.2f} {x.shape} {OBJ!r}"
    return np.sum(x**2)


@case
def t_nonlocal(x):
    n = 0.0

    def add(v):
        nonlocal n
        n = n + v**2

    for v in x:
        add(v)
    return n


@case
def t_const_cls_arr(x):
    return np.sum(ClsC.TABLE * x) * ClsC.k


class ClsC:
    TABLE = np.array([1.0, 2.0, 3.0])
    k = 2
    count = 0

    def __init__(self):
        ClsC.count += 1


@case
def t_cls_counter(x):
    ClsC()
    return np.sum(x**2)


class Desc:
    def __get__(self, obj, owner):
        return obj.a * 2


class HasDesc:
    d = Desc()

    def __init__(self, a):
        self.a = a


@case
def t_descriptor(x):
    return np.sum(HasDesc(x).d)


class GA:
    def __init__(self, a):
        self.a = a

    def __getattr__(self, n):
        return 2.0


@case
def t_getattr(x):
    return np.sum(GA(x).a) * GA(x).zz


@case
def t_try(x):
    try:
        y = np.sum(x**2)
    except ValueError:
        y = 0.0
    finally:
        pass
    return y


@case
def t_walrus(x):
    if (n := np.sum(x)) > 0:
        return n**2
    return n


@case
def t_lambda_default(x):
    fs = [lambda v, k=k: v * k for k in range(1, 4)]
    return sum(f(x[0]) for f in fs)


@case
def t_polymorphic(x):
    shapes = [SimpleNamespace(area=lambda: x[0] ** 2), SimpleNamespace(area=lambda: x[1] * x[2])]
    return sum(sh.area() for sh in shapes)


@case
def t_vec_class(x):
    @dataclass
    class V3:
        x: float
        y: float
        z: float

        def dot(self, o):
            return self.x * o.x + self.y * o.y + self.z * o.z

        def cross(self, o):
            return V3(
                self.y * o.z - self.z * o.y,
                self.z * o.x - self.x * o.z,
                self.x * o.y - self.y * o.x,
            )

        def __add__(self, o):
            return V3(self.x + o.x, self.y + o.y, self.z + o.z)

    a = V3(*x)
    b = V3(x[1], 2.0, x[0])
    return a.cross(b).dot(a + b + V3(1.0, 1.0, 1.0))


class Dual:
    def __init__(self, v, d=0.0):
        self.v = v
        self.d = d

    def __mul__(self, o):
        o = o if isinstance(o, Dual) else Dual(o)
        return Dual(self.v * o.v, self.v * o.d + self.d * o.v)

    __rmul__ = __mul__

    def __add__(self, o):
        o = o if isinstance(o, Dual) else Dual(o)
        return Dual(self.v + o.v, self.d + o.d)

    __radd__ = __add__


@case
def t_dual(x):
    t = Dual(x[0], 1.0)
    y = 3 * t * t + t * x[1] + 2
    for _ in range(2):
        y = y * t + 1
    return y.d


REFUSED = {
    "c_tree_append": ("calls itself and reads", "as an argument"),
    "o_unpack": ("unpacking", "indices"),
    "d_order": ("`__lt__`", "fields"),
    "n_unpack": ("unpacking", "indices"),
    "t_deque": ("`collections.deque`", "use a list"),
    "t_optional_attr": ("class defined inside", "top of the module"),
    "t_local_dataclass": ("class defined inside", "top of the module"),
    "t_mlp": ("class defined inside", "top of the module"),
    "t_adam": ("class defined inside", "top of the module"),
    "t_statemachine": ("class defined inside", "top of the module"),
    "t_vec_class": ("class defined inside", "top of the module"),
    "t_cls_counter": ("write to the attribute `.count`", "as an argument"),
    "t_descriptor": ("an attribute of type `Desc`", "property"),
    "t_getattr": ("`.zz` through `__getattr__`", "property"),
}
"""Programs that are refused, with a part of the message and of the remedy."""

X = np.array([0.7, 1.3, 0.4])


def differences(f):
    steps = 1e-5 * np.eye(3)
    return np.array([(float(f(X + e)) - float(f(X - e))) / 2e-5 for e in steps])


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_program(f):
    if f.__name__ in REFUSED:
        says, remedy = REFUSED[f.__name__]
        with pytest.raises(AdcompilerError) as caught:
            grad(f)(X)
        assert says in caught.value.message and remedy in caught.value.remedy
        assert caught.value.position is not None
        return
    given = X.copy()
    value, gradient = value_and_grad(f)(given)
    assert value == pytest.approx(f(X))
    np.testing.assert_allclose(gradient, differences(f), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(given, X)
