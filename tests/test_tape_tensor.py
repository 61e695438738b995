"""PyTorch's face of the tape: semantics, and side by side with PyTorch where it is installed."""

import gc
import math
import threading
import warnings

import numpy as np
import pytest

from adcompiler import tape
from adcompiler.tape import graph
from adcompiler.tape.tensor import AccumulateGrad, Tensor
from tests.test_tape import nodes_alive

try:
    import torch
except ImportError:
    torch = None

ENGINES = [tape] + ([torch] if torch is not None else [])
either = pytest.mark.parametrize("T", ENGINES, ids=lambda T: T.__name__)
"""What holds for the tape holds for PyTorch too, or it is no semantics of PyTorch's."""


def leaf(T, *values, dtype="float64"):
    return T.tensor(values, dtype=getattr(T, dtype), requires_grad=True)


def array(x):
    return x.detach().numpy()


# -- functions ------------------------------------------------------------------------------------


def softplus(T, x):
    return (T.nn.functional.softplus if T.__name__ == "torch" else T.softplus)(x)


FUNCTIONS = {
    "mlp": lambda T, x, w: (T.tanh(x @ w) ** 2).mean(),
    "softmax": lambda T, x, w: (T.softmax(x @ w, 1) * w[0]).sum(),
    "logsumexp": lambda T, x, w: T.logsumexp(x @ w, 1).sum()
    + T.logsumexp(w, 0, keepdim=True).sum(),
    "log_softmax": lambda T, x, w: T.log_softmax(x @ w, dim=-1)[:, 0].sum(),
    "relu": lambda T, x, w: T.relu(x @ w).sum(),
    "sigmoid": lambda T, x, w: T.sigmoid(x @ w).sum(),
    "softplus": lambda T, x, w: softplus(T, x).sum() + w.sum(),
    "where": lambda T, x, w: T.where(x > 0, x, x * 2).sum() + w.sum(),
    "cat": lambda T, x, w: (T.cat([x, w.T], 0) ** 3).sum() + T.cat([x, x], dim=-1).sum(),
    "stack": lambda T, x, w: (T.stack([x[0], w[:, 1]], dim=-1) ** 3).sum(),
    "max": lambda T, x, w: x.max() + w.max(dim=1)[0].sum(),
    "min": lambda T, x, w: x.min() + w.min(1, keepdim=True)[0].sum(),
    "amax": lambda T, x, w: x.amax(1).sum() + w.amin((0, 1)).sum(),
    "clamp": lambda T, x, w: (x.clamp(-0.5, 0.5) ** 2).sum() + w.clamp(min=0).sum(),
    "std": lambda T, x, w: x.std() + w.var(dim=0).sum() + w.std(1, keepdim=True).sum(),
    "norm": lambda T, x, w: x.norm() + w.norm(dim=1).sum() + x.norm(p=1),
    "cumulative": lambda T, x, w: (x.cumsum(1) ** 2).sum() + (w.cumprod(0)).sum(),
    "prod": lambda T, x, w: x.prod() + w.prod(1).sum(),
    "einsum": lambda T, x, w: T.einsum("ij,jk->ik", x, w).sum() ** 2,
    "shapes": lambda T, x, w: (x.reshape(-1) * w.t().flatten()).sum()
    + (x.transpose(0, 1).unsqueeze(1) * 2).squeeze(1).permute(1, 0).pow(3).sum(),
    "expand": lambda T, x, w: (x[0].expand(4, 3) * w.T[:1]).sum(),
    "index": lambda T, x, w: (x.index_select(0, T.tensor([0, 0, 1])) ** 2).sum()
    + (w[T.tensor([2, 2])]).prod() + (x[:, None, 1:] * w[0]).sum(),
    "gather": lambda T, x, w: (x.gather(1, T.tensor([[0, 0], [2, 1]])) ** 2).sum() + w.sum(),
    "division": lambda T, x, w: (1 / (x**2 + 1)).sum() + (x / w.T).sum() + (x / 3).sum(),
    "power": lambda T, x, w: (2 - x).pow(2).sum() + (2**x).sum() + ((x * x + 1) ** w.T).sum(),
    "triangles": lambda T, x, w: (T.tril(x) @ w).sum() + T.triu(x).sum() + T.diag(x @ w).sum(),
    "flip": lambda T, x, w: (x.flip(0) * x).sum() + w.sum(),
    "unary": lambda T, x, w: (x.exp() + x.abs().log() + x.sin() * x.cos() + x.tanh() + x.atan()
                              + (x * x).sqrt() + x.sinh() + (1 + x * x).rsqrt() + x.square()
                              + x.sign() + x.expm1() + x.floor() - -x + T.log1p(x * x)).sum()
    + w.sum(),
    "in place": lambda T, x, w: ((x * 1).mul_(2).add_(x, alpha=3).sub_(1).exp_()).sum()
    + (w * 1).div_(2).pow_(2).sum(),
    "binary": lambda T, x, w: T.atan2(x, w.T).sum() + T.maximum(x, w.T).sum()
    + T.minimum(x, w.T).sum(),
    "reductions": lambda T, x, w: x.mean(0, keepdim=True).sum() + x.sum((0, 1)) + x.sum(-1).prod()
    + w.mean(),
    "rows": lambda T, x, w: sum(r.sum() ** 2 for r in x) + w.sum(),
    "products": lambda T, x, w: (T.outer(x[0], w[:, 0]) ** 2).sum() + T.dot(x[0], w[:, 1])
    + T.mv(x, w[:, 0]).sum() + T.mm(x, w).sum(),
}  # fmt: skip

X = np.random.default_rng(0).normal(size=(2, 3))
W = np.random.default_rng(1).normal(size=(3, 2))


def answers(T, function, dtype):
    """The value, the gradients, and the gradients of a sum of squares of gradients."""
    x, w = (T.tensor(v, dtype=getattr(T, dtype), requires_grad=True) for v in (X, W))
    loss = function(T, x, w)
    loss.backward()
    found = [loss.item(), array(x.grad), array(w.grad)]
    x, w = (T.tensor(v, dtype=getattr(T, dtype), requires_grad=True) for v in (X, W))
    first = T.autograd.grad(function(T, x, w), [x, w], create_graph=True)
    total = (first[0] ** 2).sum() + (first[1] ** 2).sum()
    if total.requires_grad:
        second = T.autograd.grad(total, [x, w], allow_unused=True)
        found += [
            np.zeros(v.shape) if g is None else array(g)
            for g, v in zip(second, (X, W), strict=True)
        ]
    return found, str(loss.dtype).rpartition(".")[2]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_agree_with_pytorch(name, dtype):
    pytest.importorskip("torch")
    ours, our_dtype = answers(tape, FUNCTIONS[name], dtype)
    theirs, their_dtype = answers(torch, FUNCTIONS[name], dtype)
    assert our_dtype == their_dtype == dtype
    tolerance = 1e-10 if dtype == "float64" else 2e-3
    for a, b in zip(ours, theirs, strict=False):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        assert np.shape(a) == np.shape(b)
    for extra in [*ours[len(theirs) :], *theirs[len(ours) :]]:  # 0, and not known to be
        assert not np.any(extra)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_agree_with_differences(name):
    found, _ = answers(tape, FUNCTIONS[name], "float64")
    for k, point in enumerate((X, W)):
        for index in np.ndindex(point.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [X.copy(), W.copy()]
                moved[k][index] += step
                ends.append(FUNCTIONS[name](tape, *map(tape.tensor, moved)).item())
            assert np.isclose(found[1 + k][index], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-6)


# -- making tensors, types ------------------------------------------------------------------------


@either
def test_types_of_new_tensors(T):
    assert T.tensor(1.5).dtype == T.float32 and T.tensor(2).dtype == T.int64
    assert T.tensor([True]).dtype == T.bool and T.tensor(np.ones(2)).dtype == T.float64
    assert T.tensor([1, 2.5]).dtype == T.float32 and T.tensor([], dtype=T.float64).shape == (0,)
    assert T.zeros(2, 3).dtype == T.float32 and T.ones((2,), dtype=T.float64).dtype == T.float64
    assert T.arange(3).dtype == T.int64 and T.arange(0.0, 1.0, 0.5).dtype == T.float32
    assert T.full((2,), 3).dtype == T.int64 and T.eye(2).shape == (2, 2)
    assert T.zeros_like(T.tensor([1.0])).dtype == T.float32
    assert T.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    assert T.Tensor(2, 3).shape == (2, 3) and T.Tensor([1, 2]).dtype == T.float32
    x = T.tensor([1.0, 2.0])
    assert x.double().dtype == T.float64 and x.to(T.int64).dtype == T.int64
    assert x.size() == x.shape and x.size(0) == 2 and x.numel() == 2 and x.dim() == 1


@either
def test_promotion(T):
    single, double = T.tensor([1.0, 2.0]), T.tensor([1.0, 2.0], dtype=T.float64)
    zero = T.tensor(2.0, dtype=T.float64)
    integers = T.tensor([1, 2])
    assert (single * 2.5).dtype == T.float32 and (single * double).dtype == T.float64
    assert (single * zero).dtype == T.float32 and (zero * single).dtype == T.float32
    assert (single + integers).dtype == T.float32 and (integers * 2.5).dtype == T.float32
    assert (integers / 2).dtype == T.float32 and (integers * 2).dtype == T.int64
    assert (np.float64(2) * single).dtype == T.float32 and (
        single * np.float64(2)
    ).dtype == T.float32
    assert integers.sum().dtype == T.int64 and T.sin(integers).dtype == T.float32
    assert single.sum().shape == () and single.sum().dtype == T.float32


@either
def test_what_cannot_be_mixed(T):
    with pytest.raises(RuntimeError, match="same dtype"):
        T.tensor([[1.0]]) @ T.tensor([[1.0]], dtype=T.float64)
    with pytest.raises(RuntimeError, match=r"mean\(\)"):
        T.tensor([1, 2]).mean()
    with pytest.raises(RuntimeError, match="floating point"):
        T.tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError):
        T.tensor([1.0, 2.0]) + T.tensor([1.0, 2.0, 3.0])
    with pytest.raises(RuntimeError):
        T.ones(2, 3) @ T.ones(2, 3)
    with pytest.raises(RuntimeError):
        T.ones(4).reshape(3, 2)
    with pytest.raises(IndexError):
        T.ones(3)[5]
    with pytest.raises(IndexError, match="Dimension out of range"):
        T.ones(3).sum(2)
    with pytest.raises(ValueError, match="step"):
        T.ones(3)[::-1]
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(T.ones(2))
    with pytest.raises(RuntimeError, match="converted to Scalar"):
        T.ones(2).item()


@pytest.mark.parametrize(
    "data",
    [[1.0, 2.0], [0.5, 100.0], [1e-5, 1.0], [[1, 2], [3, 4]], 3.5, [True, False],
     [math.nan, 1.0], [1e9, 2.0], list(range(2000)), np.eye(3).tolist(), [-1.5, 0.0, math.inf], [],
     np.arange(8.0).reshape(2, 2, 2).tolist(), np.linspace(-1, 1, 20).tolist(),
     np.linspace(-1, 1, 1200).reshape(30, 40).tolist()],
    ids=lambda data: str(data)[:20],
)  # fmt: skip
def test_repr_is_that_of_pytorch(data):
    pytest.importorskip("torch")
    assert repr(tape.tensor(data)) == repr(torch.tensor(data))


def test_repr():
    x = tape.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == "tensor([1., 2.], requires_grad=True)"
    assert repr(x.sin()) == "tensor([0.8415, 0.9093], grad_fn=<SinBackward0>)"
    assert repr(tape.tensor(1.5, dtype=tape.float64)) == "tensor(1.5000, dtype=tape.float64)"


# -- the graph ------------------------------------------------------------------------------------


def names(T, node):
    return [(None if n is None else type(n).__name__, k) for n, k in node.next_functions]


@either
def test_nodes_and_their_edges(T):
    x, y = leaf(T, 1.0, 2.0), leaf(T, 3.0, 4.0)
    assert x.is_leaf and x.grad_fn is None and x.requires_grad
    product = x * y
    assert type(product.grad_fn).__name__ == product.grad_fn.name() == "MulBackward0"
    assert names(T, product.grad_fn) == [("AccumulateGrad", 0), ("AccumulateGrad", 0)]
    assert names(T, (x + 1).grad_fn) == [("AccumulateGrad", 0), (None, 0)]
    assert names(T, (2 * x).grad_fn) == [("AccumulateGrad", 0), (None, 0)]
    assert names(T, (product - x).grad_fn) == [("MulBackward0", 0), ("AccumulateGrad", 0)]
    assert [type((x**e).grad_fn).__name__ for e in (2, 3.0)] == ["PowBackward0"] * 2
    assert type((x**y).grad_fn).__name__ == "PowBackward1"
    assert type(x.sum().grad_fn).__name__ == "SumBackward0"
    assert type(x.sum(0).grad_fn).__name__ == "SumBackward1"
    assert type(x.exp().grad_fn).__name__ == "ExpBackward0"
    assert type((-x).grad_fn).__name__ == "NegBackward0"
    assert type((2 / x).grad_fn).__name__ == "MulBackward0"
    assert type((1 - x).grad_fn).__name__ == "RsubBackward1"
    assert product.grad_fn.next_functions[0][0].variable is x
    again = (x + y).grad_fn.next_functions[0][0]
    assert again is product.grad_fn.next_functions[0][0]


@either
def test_what_needs_a_gradient(T):
    x = leaf(T, 1.0)
    constant = T.tensor([2.0], dtype=T.float64)
    assert not (constant * 2).requires_grad and (constant * x).requires_grad
    assert not x.detach().requires_grad and not (x > 0).requires_grad
    with T.no_grad():
        assert not (x * 2).requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        constant.sum().backward()
    with pytest.raises(RuntimeError, match="leaf"):
        (x * 2).requires_grad_(False)


# -- backward -------------------------------------------------------------------------------------


@either
def test_gradients_accumulate_in_place(T):
    x = leaf(T, 1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    assert first.tolist() == [2.0, 4.0]
    (x * 3).sum().backward()
    assert x.grad is first and first.tolist() == [5.0, 7.0]
    x.grad = None
    assert x.grad is None


@either
def test_gradients_have_memory_of_their_own(T):
    x, y = leaf(T, 1.0), leaf(T, 2.0)
    seed = T.tensor([5.0], dtype=T.float64)
    (x + y).backward(seed)
    x.grad += 1
    assert seed.tolist() == [5.0] and y.grad.tolist() == [5.0] and x.grad.tolist() == [6.0]


@either
def test_gradients_have_the_type_of_the_leaf(T):
    x = leaf(T, 1.0, dtype="float32")
    (x.double() * T.tensor([2.0], dtype=T.float64)).sum().backward()
    assert x.grad.dtype == T.float32


@either
def test_gradient_arguments(T):
    x = leaf(T, 1.0, 2.0)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="shape"):
        (x * 2).backward(T.ones(3, dtype=T.float64))
    (x * 2).backward(gradient=T.tensor([1.0, 10.0], dtype=T.float64))
    assert x.grad.tolist() == [2.0, 20.0]


@either
def test_a_second_time(T):
    x = leaf(T, 1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()
    z = (x + 1).sum()  # nothing is saved
    z.backward()
    z.backward()


def test_a_failed_backward_changes_nothing():
    x, y = leaf(tape, 1.0), leaf(tape, 2.0)
    a = x * 1
    total = (a.sin() * y + y).sum()
    with tape.no_grad():
        a.mul_(3)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()
    assert x.grad is None and y.grad is None


@either
def test_gradients_of_chosen_inputs(T):
    x, y = leaf(T, 2.0), leaf(T, 3.0)
    middle = x * y
    out = (middle * middle).sum()
    found = T.autograd.grad(out, [middle, x], retain_graph=True)
    assert [g.tolist() for g in found] == [[12.0], [36.0]] and x.grad is None
    assert T.autograd.grad(out, y)[0].tolist() == [24.0]
    z = leaf(T, 1.0)
    with pytest.raises(RuntimeError, match="allow_unused"):
        T.autograd.grad((x * 2).sum(), z)
    assert T.autograd.grad((x * 2).sum(), z, allow_unused=True) == (None,)
    out = (x * y).sum()
    out.backward(inputs=[x])
    assert x.grad.tolist() == [3.0] and y.grad is None


@either
def test_only_what_is_visited_is_freed(T):
    x, y = leaf(T, 2.0), leaf(T, 3.0)
    out = (x * x).sum() + (y * y).sum()
    T.autograd.grad(out, x)
    assert T.autograd.grad(out, y)[0].tolist() == [6.0]


@either
def test_derivatives_of_derivatives(T):
    x = leaf(T, 2.0)
    (first,) = T.autograd.grad((x**3).sum(), x, create_graph=True)
    assert first.requires_grad
    (second,) = T.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = T.autograd.grad(second.sum(), x)
    assert [g.item() for g in (first, second, third)] == [12.0, 12.0, 6.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch: of a cycle
        y = (x**3).sum()
        y.backward(create_graph=True)
    assert x.grad.requires_grad
    x.grad.sum().backward()
    assert x.grad.tolist() == [24.0]


@either
def test_hooks_of_leaves_run_where_gradients_are_asked_for(T):
    x = T.tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda g: g * 3)
    (first,) = T.autograd.grad((x * x).sum(), [x], create_graph=True)
    assert first.tolist() == [6.0, 12.0]
    assert T.autograd.grad(first.sum(), [x])[0].tolist() == [18.0, 18.0]
    (x * x).sum().backward(inputs=[x])
    assert x.grad.tolist() == [6.0, 12.0]


@either
def test_second_derivative_of_einsum(T):
    x = T.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    y = T.einsum("ij,kj->ik", x, x)
    (first,) = T.autograd.grad((y * y).sum(), [x], create_graph=True)
    (second,) = T.autograd.grad((first * first).sum(), [x])
    assert second.tolist() == [[164640.0, 280608.0], [430272.0, 733344.0]]


@either
def test_retain_grad_and_hooks(T):
    x = leaf(T, 1.0, 2.0)
    y = x * 3
    y.retain_grad()
    seen = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    (y * y).sum().backward(retain_graph=True)
    assert seen == [[6.0, 12.0]] and y.grad.tolist() == [60.0, 120.0]
    assert x.grad.tolist() == [180.0, 360.0]
    handle.remove()
    leaf_hook = x.register_hook(lambda g: g * 0)
    x.grad = None
    (y * 1).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0] and len(seen) == 1
    leaf_hook.remove()
    with pytest.raises(RuntimeError):
        T.tensor([1.0]).retain_grad()


def test_a_chain_of_100000_operations():
    x = leaf(tape, 1.0, 2.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


# -- in place -------------------------------------------------------------------------------------


@either
def test_versions(T):
    x = leaf(T, 1.0, 2.0)
    y = x * 1
    assert y._version == 0
    y += 1
    y.mul_(2)
    assert y._version == 2 and y.detach()._version == 2 and y[0]._version == 2
    y[0] = 5.0
    assert y._version == 3
    y.data.mul_(2)
    assert y._version == 3 and y.tolist() == [10.0, 12.0]


@either
def test_what_was_saved_must_not_be_modified(T):
    def fails(function):
        x = leaf(T, 0.5, 0.7)
        out = function(x, x * 1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()

    def squared_itself(x, y):
        y *= y
        return y

    def input_of_sin(x, y):
        z = y.sin()
        y.add_(1)
        return z

    def output_of_exp(x, y):
        z = y.exp()
        z.add_(1)
        return z

    def operand(x, y):
        z = y * x
        y[0] = 0.0
        return z

    def through_detach(x, y):
        z = y.sin()
        y.detach().mul_(0)
        return z

    def through_a_view(x, y):
        z = y.sin()
        y[:1].zero_()
        return z

    def under_no_grad(x, y):
        z = y.sin()
        with T.no_grad():
            y.fill_(0.0)
        return z

    for function in (squared_itself, input_of_sin, output_of_exp, operand, through_detach,
                     through_a_view, under_no_grad):  # fmt: skip
        fails(function)


@either
def test_what_was_not_saved_may_be_modified(T):
    x = leaf(T, 0.5, 0.7)
    y = x * 3
    z = y + 1  # saves nothing
    y.mul_(2)
    z.exp_()
    v = x * 1
    w = v.exp()  # saves what it gives
    v.mul_(2)
    s = x * 1
    t = s.sin()
    s.data.zero_()  # not seen by derivatives
    (z.sum() + y.sum() + w.sum() + v.sum() + t.sum()).backward()
    values = np.array([0.5, 0.7])
    expected = 3 * np.exp(3 * values + 1) + 6 + np.exp(values) + 2 + 1
    np.testing.assert_allclose(array(x.grad), expected)


@either
def test_views_and_their_base(T):
    x = leaf(T, 1.0, 2.0, 3.0)
    y = x * 1
    v = y[1:]
    y[0] = 5 * x[2]
    v *= x[:2]
    rows = y.view(1, 3).t()
    rows[2] = x[0]
    assert y.tolist() == [15.0, 2.0, 1.0] and v.tolist() == [2.0, 1.0]
    assert type(y.grad_fn).__name__ == "CopySlices"
    (y * y + v.sum()).sum().backward()
    found = x.grad.tolist()
    step, point = 1e-6, np.array([1.0, 2.0, 3.0])

    def f(x):
        y = x.copy()
        v = y[1:]
        y[0] = 5 * x[2]
        v *= x[:2]
        y.reshape(1, 3).T[2] = x[0]
        return np.sum(y * y + v.sum())

    expected = [(f(point + h) - f(point - h)) / (2 * step) for h in np.eye(3) * step]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@either
def test_leaves_must_not_be_modified(T):
    x = leaf(T, 1.0, 2.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x += 1
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        x[0] = 1.0
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        x[:1].mul_(2)
    with T.no_grad():
        x -= 0.5
    assert x.tolist() == [0.5, 1.5] and x.is_leaf and x._version == 1
    (x * x).sum().backward()
    assert x.grad.tolist() == [1.0, 3.0]


@either
def test_in_place_results_must_fit(T):
    x = T.ones(2)
    with pytest.raises(RuntimeError, match="broadcast shape"):
        x += T.ones(3, 2)
    with pytest.raises(RuntimeError, match="can't be cast"):
        T.ones(2, dtype=T.int64).add_(1.5)
    with pytest.raises(RuntimeError):
        x.copy_(T.ones(3))
    double = T.ones(2).add_(T.ones(2, dtype=T.float64))
    assert double.dtype == T.float32


@either
def test_memory_is_shared_with_numpy(T):
    a = np.ones(3)
    x = T.from_numpy(a)
    x.mul_(2)
    assert a.tolist() == [2.0, 2.0, 2.0] and np.shares_memory(x.numpy(), a)
    y = leaf(T, 1.0)
    assert np.shares_memory(y.detach().numpy(), y.detach().numpy())
    with pytest.raises(RuntimeError, match="Can't call numpy"):
        y.numpy()
    with pytest.raises(RuntimeError, match="Can't call numpy"):
        np.asarray(y)
    with T.no_grad():
        assert y.numpy().tolist() == [1.0]
    t = T.tensor(a)
    a[0] = 7.0
    assert t.tolist() == [2.0, 2.0, 2.0]


# -- modes ----------------------------------------------------------------------------------------


@either
def test_modes(T):
    assert T.is_grad_enabled()
    with T.no_grad():
        assert not T.is_grad_enabled()
        with T.enable_grad():
            assert T.is_grad_enabled()
        assert not T.is_grad_enabled()
    assert T.is_grad_enabled()
    T.set_grad_enabled(False)
    assert not T.is_grad_enabled()
    T.set_grad_enabled(True)
    with T.set_grad_enabled(False):
        assert not T.is_grad_enabled()
    assert T.is_grad_enabled()
    with pytest.raises(KeyError), T.no_grad():
        raise KeyError
    assert T.is_grad_enabled()


@either
def test_modes_decorate(T):
    @T.no_grad()
    def with_parentheses():
        return T.is_grad_enabled()

    @T.no_grad
    def without():
        return T.is_grad_enabled()

    @T.set_grad_enabled(False)
    def switched():
        return T.is_grad_enabled()

    assert T.is_grad_enabled()
    assert not with_parentheses() and not without() and not switched()
    assert T.is_grad_enabled()

    @T.no_grad()
    def steps():
        yield T.is_grad_enabled()
        yield T.is_grad_enabled()

    for inside in steps():
        assert not inside and T.is_grad_enabled()


@either
def test_modes_are_those_of_a_thread(T):
    found = []
    with T.no_grad():
        thread = threading.Thread(target=lambda: found.append(T.is_grad_enabled()))
        thread.start()
        thread.join()
    assert found == [True]


# -- kinks ----------------------------------------------------------------------------------------


@either
def test_kinks(T):
    def slopes(function, *values):
        x = leaf(T, *values)
        function(x).sum().backward()
        return x.grad.tolist()

    assert slopes(T.relu, 0.0) == [0.0] and slopes(T.abs, 0.0) == [0.0]
    assert slopes(lambda x: x.max(), 1.0, 1.0) == [0.5, 0.5]
    assert slopes(lambda x: x.max(0)[0], 1.0, 1.0) == [1.0, 0.0]
    assert slopes(lambda x: x.clamp(0.0, 1.0), 0.0, 1.0, 2.0) == [1.0, 1.0, 0.0]
    assert slopes(lambda x: T.maximum(x, T.ones(1, dtype=T.float64)), 1.0) == [0.5]
    assert slopes(lambda x: x.norm(), 0.0, 0.0) == [0.0, 0.0]
    assert slopes(lambda x: x.std(), 2.0, 2.0) == [0.0, 0.0]
    assert slopes(lambda x: x.prod(), 0.0, 3.0) == [3.0, 0.0]
    assert slopes(lambda x: x.cumprod(0), 2.0, 0.0, 3.0) == [1.0, 8.0, 0.0]
    assert slopes(lambda x: x**0, 0.0) == [0.0]


def test_where_meets_no_pole():
    """PyTorch has NaN here."""
    x = leaf(tape, 0.0, 4.0)
    tape.where(x > 0, x.sqrt(), 0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


# -- memory ---------------------------------------------------------------------------------------


def test_everything_is_freed_by_reference_counts():
    gc.collect()
    before = nodes_alive()
    gc.disable()
    try:
        x = leaf(tape, 1.0, 2.0)
        y = (x.exp() * x.tanh()).sigmoid()  # all save what they give
        view = y[:1]
        view.mul_(2)
        values = y.max(0)
        y.sum().backward(retain_graph=True)
        assert nodes_alive() > before
        del y, view, values, x
        assert nodes_alive() == before
    finally:
        gc.enable()


def test_written_buffers_are_forgotten():
    count = len(graph.WRITTEN)
    x = tape.tensor([1.0]).add_(1)
    assert len(graph.WRITTEN) == count + 1
    del x
    assert len(graph.WRITTEN) == count


def test_both_faces_share_one_graph():
    x = leaf(tape, 1.0, 2.0)
    assert isinstance(x, Tensor) and isinstance(x.node, AccumulateGrad)
    y = np.float64(2) * x
    assert isinstance(y, Tensor) and y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
