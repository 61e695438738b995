"""Slices of rules: they give what the whole rule gives, and read no more than they must."""

import inspect
import itertools
import linecache
import operator
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest

from adcompiler import runtime
from adcompiler.rules import book
from adcompiler.rules.slicing import Slice, sliced
from adcompiler.tape.graph import meta_of
from tests.rule_cases import Case, cases
from tests.rule_engine import leaves, mapped, pull

CASES = list(cases())


def call(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case.fn(*case.args, **case.kwargs)


def random_like(random, tree):
    return mapped(lambda x: np.asarray(random.uniform(-1, 1, np.shape(x)))[()], tree)


def from_slice(found, wanted, same, case, out, g):
    """The adjoints by name, where what is read as a shape has only a shape."""
    part = sliced(found, wanted, same)
    bound = book.bind(case.fn, case.args, case.kwargs)
    reads = []
    for name in part.reads:
        value = out if name == "out" else bound.get(name, part.defaults.get(name))
        reads.append(meta_of(value) if name in part.shapes else value)
    answer = part.function(g, *reads)
    return dict(zip(part.wanted, answer if len(part.wanted) > 1 else (answer,), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_slices_agree_with_the_whole_rule(case):
    found = book.lookup(case.fn)
    out = call(case)
    g = random_like(np.random.default_rng(1), out)
    bound = book.bind(case.fn, case.args, case.kwargs)
    names = [n for n in found.inputs if any(bound.get(n) is case.args[i] for i in case.argnums)]
    if not names:  # varargs
        names = list(found.inputs)
    for count in range(1, len(names) + 1):
        for wanted in itertools.combinations(names, count):
            adjoints = from_slice(found, wanted, False, case, out, g)
            for name in wanted:
                compare(adjoints[name], whole(case, found, name, out, g), bound[name])


def whole(case, found, name, out, g):
    """The adjoint of a parameter, by the engine of `test_rules`, which knows nothing of slices."""
    bound = book.bind(case.fn, case.args, case.kwargs)
    if isinstance(bound[name], tuple):  # varargs
        numbers = [i for i, arg in enumerate(case.args) if any(arg is a for a in bound[name])]
        return pull(Case(case.fn, case.args, case.kwargs, tuple(numbers)), out, g)
    (number,) = [i for i, arg in enumerate(case.args) if arg is bound[name]][:1]
    return pull(Case(case.fn, case.args, case.kwargs, (number,)), out, g)[0]


def compare(found, expected, like):
    if found is None:  # zero everywhere
        assert not any(np.any(x) for x in leaves(expected))
        return
    for ours, theirs in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
        assert np.shape(ours) == np.shape(theirs)


@pytest.mark.parametrize(
    "case", [c for c in CASES if book.lookup(c.fn).kind == "elementwise"], ids=str
)
def test_inputs_of_the_shape_of_the_result_need_no_sum(case):
    found = book.lookup(case.fn)
    out = call(case)
    g = random_like(np.random.default_rng(1), out)
    bound = book.bind(case.fn, case.args, case.kwargs)
    for name in found.inputs:
        if name in bound and np.shape(bound[name]) == np.shape(out) and any(
            bound[name] is case.args[i] for i in case.argnums
        ):  # fmt: skip
            adjoints = from_slice(found, (name,), True, case, out, g)
            compare(adjoints[name], whole(case, found, name, out, g), bound[name])


def test_a_slice_is_made_once():
    found = book.lookup(np.matmul)
    assert sliced(found, ("a", "b")) is sliced(found, ["b", "a"])
    assert sliced(found, "a") is not sliced(found, "b")
    assert isinstance(sliced(found, "a"), Slice)


def test_what_is_no_input_is_refused():
    with pytest.raises(ValueError, match="axis"):
        sliced(book.lookup(np.sum), ("axis",))


def test_a_rule_that_is_registered_again_is_sliced_again():
    def third(x):
        return x / 3

    try:

        @book.elementwise(third)
        def _(x):
            return 1 / 3

        first = sliced(book.lookup(third), "x").function(3.0, 0.0)

        @book.elementwise(third)
        def _(x):
            return -1

        second = sliced(book.lookup(third), "x").function(3.0, 0.0)
    finally:
        del book.BOOK[third]
    assert (first, second) == (1.0, -3.0)


def test_tracebacks_show_the_slice():
    part = sliced(book.lookup(np.multiply), "x")
    try:
        part.function(np.ones(3), np.ones(3), np.ones(2))
    except ValueError as error:
        text = "".join(traceback.format_exception(error))
    assert "adjoint of x: rule multiply" in text and "unbroadcast(g * y, x)" in text
    assert linecache.getline(part.code.co_filename, 1) == "def multiply(g, x, y):\n"
    assert inspect.getsource(part.function) == part.text


@pytest.mark.parametrize(
    "fn, wanted, same, body",
    [
        (np.add, "x", True, "return g"),
        (np.subtract, "y", True, "return -g"),
        (np.subtract, "xy", True, "return (g, -g)"),
        (np.multiply, "x", True, "return g * y"),
        (np.multiply, "x", False, "return unbroadcast(g * y, x)"),
        (np.exp, "x", True, "return g * out"),
        (np.sqrt, "x", True, "return pole_product(g, quotient(0.5, out))"),
        (np.divide, "x", True, "return pole_quotient(g, y)"),
        (np.sign, "x", True, "return None"),
    ],
)
def test_partials_become_adjoints(fn, wanted, same, body):
    lines = sliced(book.lookup(fn), tuple(wanted), same).text.splitlines()
    assert lines[1].strip() == body and len(lines) == 2


def test_dead_code_is_dropped():
    text = sliced(book.lookup(np.linspace), ("stop",)).text
    assert "start" not in text and "np.tensordot(weight, g, 1)" in text
    assert "inside" not in sliced(book.lookup(np.clip), ("a_max",)).text


def test_a_slice_for_nothing_is_what_the_rule_refuses():
    guard = sliced(book.lookup(np.ravel), ())
    assert guard.refuses and guard.values == ("order",)
    assert guard.function(None, "F") is None
    with pytest.raises(NotImplementedError, match="layout in memory"):
        guard.function(None, "K")
    assert not sliced(book.lookup(np.matmul), ()).refuses
    assert sliced(book.lookup(np.linalg.norm), ()).function(None, np.ones(3), None, None) is None


ARRAYS = {"a", "b", "x", "y", "z", "h", "i", "v", "m", "A", "g", "c", "partial", "divisor", "arr",
          "arrays", "arys", "tup", "operands", "condition", "index", "indices", "object", "val",
          "values", "start", "stop", "fill_value", "weights", "coordinates", "seq", "base", "array",
          "a_min", "a_max", "ary", "order", "out"}  # fmt: skip
"""Parameters that may hold arrays: what is read of the others is free to keep."""


def reads(found, wanted):
    """`values | shapes`, of what may be large."""
    part = sliced(found, wanted, real=True)
    numbers = {"order"} if found.primal is not runtime.sinc_derivative else set()
    values = [name for name in part.values if name in ARRAYS - numbers]
    return f"{' '.join(values)} | {' '.join(n for n in part.shapes if n in ARRAYS)}".strip()


def table():
    """What each rule reads for each input alone, and for both of two."""
    lines = {}
    for key, found in book.BOOK.items():
        if found.function.__module__.startswith("adcompiler.rules"):
            owner = getattr(key, "__module__", None) or "numpy"
            name = f"{owner.removeprefix('adcompiler.')}.{key.__name__}"
            for wanted in [(n,) for n in found.inputs] + (
                [found.inputs] if len(found.inputs) == 2 else []
            ):
                lines[f"{name}({', '.join(wanted)})"] = reads(found, wanted)
    return lines


def test_what_is_read_is_what_the_table_says():
    """A change that saves more is seen here. `python -m tests.test_slicing --update` writes it."""
    found = table()
    expected = dict(
        line.split(": ", 1) if ": " in line else (line.rstrip(":"), "")
        for line in TABLE.strip().splitlines()
    )
    lines = [f"{name}: {what}" for name, what in found.items() if expected.get(name) != what]
    assert not lines and len(found) == len(expected), "\n".join(lines)


def test_what_is_for_complex_numbers_is_left_out_for_real_ones():
    found = book.lookup(np.vdot)
    assert "conjugate" in sliced(found, "a").text
    text = sliced(found, "a", real=True).text
    assert "conjugate" not in text and "if" not in text
    assert sliced(book.lookup(np.matmul), "a", real=True).text == sliced(
        book.lookup(np.matmul), "a"
    ).text  # fmt: skip


def test_reads_that_the_design_names():
    def of(fn, *wanted):
        part = sliced(book.lookup(fn), wanted, same=True)
        return part.values, part.shapes

    assert of(np.multiply, "x") == (("y",), ())
    assert of(np.add, "x", "y") == ((), ())
    assert of(np.exp, "x") == (("out",), ())
    assert of(np.sin, "x") == (("x",), ())
    assert of(np.matmul, "a") == (("b",), ("a",))
    assert of(np.sum, "a") == (("axis", "dtype", "keepdims"), ("a",))
    assert of(operator.getitem, "a") == (("index",), ("a",))
    assert of(np.concatenate, "arrays") == (("axis",), ("arrays",))


TABLE = """
numpy.add(x): | x
numpy.add(y): | y
numpy.add(x, y): | x y
numpy.subtract(x): | x
numpy.subtract(y): | y
numpy.subtract(x, y): | x y
numpy.multiply(x): y | x
numpy.multiply(y): x | y
numpy.multiply(x, y): x y |
numpy.divide(x): y | x
numpy.divide(y): y out |
numpy.divide(x, y): y out | x
numpy.power(x): x y |
numpy.power(y): x out | y
numpy.power(x, y): x y out |
numpy.float_power(x): x y |
numpy.float_power(y): x out | y
numpy.float_power(x, y): x y out |
numpy.negative(x): | x
numpy.positive(x): | x
numpy.reciprocal(x): x |
numpy.square(x): x |
numpy.sqrt(x): out | x
numpy.cbrt(x): out | x
numpy.remainder(x): | x
numpy.remainder(y): x y |
numpy.remainder(x, y): x y |
numpy.fmod(x): | x
numpy.fmod(y): x y |
numpy.fmod(x, y): x y |
math.remainder(x): | x
math.remainder(y): x y out |
math.remainder(x, y): x y out |
numpy.divmod(x): | x
numpy.divmod(y): out | y
numpy.divmod(x, y): out | x y
numpy.modf(x): |
numpy.ldexp(x): x i |
numpy.ldexp(i): |
numpy.ldexp(x, i): x i |
numpy.hypot(x): x out |
numpy.hypot(y): y out |
numpy.hypot(x, y): x y out |
math.hypot(coordinates): coordinates out |
numpy.deg2rad(x): | x
numpy.rad2deg(x): | x
numpy.maximum(x): x y |
numpy.maximum(y): x y |
numpy.maximum(x, y): x y |
numpy.minimum(x): x y |
numpy.minimum(y): x y |
numpy.minimum(x, y): x y |
numpy.fmax(x): x y |
numpy.fmax(y): x y |
numpy.fmax(x, y): x y |
numpy.fmin(x): x y |
numpy.fmin(y): x y |
numpy.fmin(x, y): x y |
numpy.clip(a): a a_min a_max |
numpy.clip(a_min): a a_min a_max |
numpy.clip(a_max): a a_min a_max |
numpy.where(x): condition | x
numpy.where(y): condition | y
numpy.where(x, y): condition | x y
numpy.heaviside(x): |
numpy.heaviside(h): x | h
numpy.heaviside(x, h): x | h
numpy.sign(x): |
numpy.copysign(x): x y |
numpy.copysign(y): |
numpy.copysign(x, y): x y |
numpy.nan_to_num(x): x |
numpy.nan_to_num(nan): x |
numpy.nan_to_num(posinf): x |
numpy.nan_to_num(neginf): x |
numpy.fabs(x): x |
numpy.absolute(x): x |
numpy.conjugate(x): |
numpy.real(val): |
numpy.imag(val): |
builtins.complex(real): |
builtins.complex(imag): |
builtins.complex(real, imag): |
numpy.angle(z): |
runtime.pole_product(g): partial | g
runtime.pole_product(partial): g | partial
runtime.pole_product(g, partial): g partial |
runtime.pole_quotient(g): divisor | g
runtime.pole_quotient(divisor): divisor out |
runtime.pole_quotient(g, divisor): divisor out | g
runtime.quotient(x): y | x
runtime.quotient(y): y out |
runtime.quotient(x, y): y out | x
runtime.raised(x): x y |
runtime.raised(y): x out | y
runtime.raised(x, y): x y out |
runtime.ratio(x): y | x
runtime.ratio(y): y out |
runtime.ratio(x, y): y out | x
runtime.log_nonzero(x): x |
runtime.masked(g): condition | g
runtime.cast(g): | g
runtime.unbroadcast(g): | g
builtins.min(x): x y |
builtins.min(y): x y |
builtins.min(x, y): x y |
builtins.max(x): x y |
builtins.max(y): x y |
builtins.max(x, y): x y |
numpy.array(object): | object
runtime.unpack(g): |
numpy.asarray(a): | a
numpy.asanyarray(a): | a
numpy.ascontiguousarray(a): | a
numpy.asfortranarray(a): | a
numpy.copy(a): |
numpy.astype(x): | x
builtins.float(x): | x
numpy.float16(x): | x
numpy.float32(x): | x
numpy.float64(x): | x
numpy.longdouble(x): | x
numpy.complex64(x): | x
numpy.complex128(x): | x
numpy.full(fill_value): | fill_value
numpy.linspace(start): | start
numpy.linspace(stop): | stop
numpy.linspace(start, stop): | start stop
runtime.spread(dot): |
runtime.full_adjoint(g): | g
numpy.exp(x): out | x
numpy.exp2(x): out | x
numpy.expm1(x): out | x
numpy.log(x): x |
math.log(x): x base |
math.log(base): base out |
math.log(x, base): x base out |
cmath.log(x): x base |
cmath.log(base): base out |
cmath.log(x, base): x base out |
numpy.log2(x): x |
numpy.log10(x): x |
numpy.log1p(x): x |
numpy.logaddexp(x): x out |
numpy.logaddexp(y): y out |
numpy.logaddexp(x, y): x y out |
numpy.logaddexp2(x): x out |
numpy.logaddexp2(y): y out |
numpy.logaddexp2(x, y): x y out |
numpy.sin(x): x |
numpy.cos(x): x |
numpy.tan(x): out | x
numpy.arcsin(x): x |
numpy.arccos(x): x |
numpy.arctan(x): x |
numpy.arctan2(y): y x |
numpy.arctan2(x): y x |
numpy.arctan2(y, x): y x |
numpy.sinh(x): x |
numpy.cosh(x): x |
numpy.tanh(x): out | x
numpy.arcsinh(x): x |
numpy.arccosh(x): x |
numpy.arctanh(x): x |
numpy.sinc(x): x |
math.erf(x): x |
math.erfc(x): x |
runtime.exp_difference(x): out | x
runtime.exp_difference(y): out | y
runtime.exp_difference(x, y): out | x y
runtime.sinc_derivative(x): x order |
runtime.sinc_derivative(order): |
runtime.sinc_derivative(x, order): x order |
numpy.fft.fft(a): | a
numpy.fft.ifft(a): | a
numpy.fft.rfft(a): | a
numpy.fft.irfft(a): | a
runtime.fitted(a): | a
numpy.fft.fftshift(x): |
numpy.fft.ifftshift(x): |
_operator.getitem(a): index | a
runtime.scatter(g): index |
numpy.take(a): indices | a
runtime.untake(g): indices |
numpy.take_along_axis(arr): indices | arr
runtime.untake_along(g): indices |
numpy.item(a): | a
numpy.bincount(weights): x |
numpy.sort(a): a |
numpy.linalg.inv(a): out |
numpy.linalg.det(a): a out |
numpy.linalg.slogdet(a): a |
numpy.linalg.solve(a): a out | b
numpy.linalg.solve(b): a | b
numpy.linalg.solve(a, b): a out | b
numpy.linalg.cholesky(a): out |
numpy.linalg.eigh(a): out | a
numpy.linalg.eigvalsh(a): a |
runtime.lower_half(a): |
numpy.linalg.svd(a): out | a
numpy.linalg.svdvals(x): x |
numpy.linalg.qr(a): out |
numpy.linalg.pinv(a): a out |
numpy.matmul(a): b | a
numpy.matmul(b): a | b
numpy.matmul(a, b): a b |
numpy.dot(a): b | a
numpy.dot(b): a | b
numpy.dot(a, b): a b |
numpy.inner(a): b | a
numpy.inner(b): a | b
numpy.inner(a, b): a b |
numpy.outer(a): b | a
numpy.outer(b): a | b
numpy.outer(a, b): a b |
numpy.vdot(a): b | a
numpy.vdot(b): a | b
numpy.vdot(a, b): a b |
numpy.vecdot(a): b | a
numpy.vecdot(b): a | b
numpy.vecdot(a, b): a b |
numpy.tensordot(a): b | a
numpy.tensordot(b): a | b
numpy.tensordot(a, b): a b |
numpy.einsum(operands): operands |
runtime.stretched(g): | g
numpy.kron(a): b | a
numpy.kron(b): a | b
numpy.kron(a, b): a b |
numpy.cross(a): b | a
numpy.cross(b): a | b
numpy.cross(a, b): a b |
numpy.convolve(a): v | a
numpy.convolve(v): a | v
numpy.convolve(a, v): a v |
numpy.sum(a): | a
numpy.mean(a): | a
numpy.nansum(a): a |
runtime.unreduce(g): |
math.fsum(seq): | seq
numpy.max(a): a out |
numpy.min(a): a out |
numpy.ptp(a): a |
numpy.prod(a): a |
numpy.var(a): a |
numpy.std(a): a out |
numpy.linalg.norm(x): x out |
numpy.cumsum(a): | a
numpy.cumprod(a): a out |
numpy.diff(a): | a
runtime.undiff(g): |
runtime.delay(a): |
runtime.recurrence(c): c out |
runtime.recurrence(b): c |
runtime.recurrence(c, b): c out |
runtime.others(a): a |
numpy.cov(m): m |
numpy.histogram(a): a |
numpy.histogram(weights): a out |
numpy.histogram(a, weights): a out |
runtime.from_bins(g): a |
runtime.from_bins(a): a |
runtime.from_bins(edges): |
numpy.reshape(a): | a
numpy.ravel(a): | a
numpy.transpose(a): |
numpy.matrix_transpose(x): |
numpy.swapaxes(a): |
numpy.moveaxis(a): |
numpy.expand_dims(a): | a
numpy.squeeze(a): | a
numpy.broadcast_to(array): | array
numpy.atleast_1d(arys): | arys
numpy.atleast_2d(arys): | arys
numpy.atleast_3d(arys): | arys
numpy.flip(m): |
numpy.fliplr(m): |
numpy.flipud(m): |
numpy.rot90(m): |
numpy.roll(a): |
numpy.tile(A): | A
runtime.untile(g): |
numpy.repeat(a): | a
runtime.unrepeat(g): |
numpy.concatenate(arrays): | arrays
runtime.unconcatenate(g): |
numpy.stack(arrays): | arrays
numpy.vstack(tup): | tup
numpy.hstack(tup): | tup
numpy.column_stack(tup): | tup
numpy.dstack(tup): | tup
numpy.split(ary): |
numpy.array_split(ary): |
numpy.append(arr): | arr values
numpy.append(values): | arr values
numpy.append(arr, values): | arr values
numpy.pad(array): | array
numpy.diag(v): | v
numpy.diagonal(a): | a
runtime.undiagonal(g): |
numpy.trace(a): a |
numpy.tril(m): |
numpy.triu(m): |
"""


def update():
    path = Path(__file__)
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition('TABLE = """\n')
    _, _, after = rest.partition('"""\n')
    lines = "".join(f"{name}: {what}".rstrip() + "\n" for name, what in table().items())
    path.write_text(f'{before}TABLE = """\n{lines}"""\n{after}', encoding="utf-8")


if __name__ == "__main__" and "--update" in sys.argv:
    update()
