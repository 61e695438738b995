"""Backward passes of tensors: what PyTorch offers as `torch.autograd`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompiler.tape import graph
from adcompiler.tape.graph import Leaf, Node, Sweep
from adcompiler.tape.higher_order import RecordedSweep
from adcompiler.tape.modes import enable_grad, no_grad, set_grad_enabled
from adcompiler.tape.tensor import (
    AccumulateGrad,
    Tensor,
    current_node,
    gradient_like,
    made_array,
    settled,
)

__all__ = ["backward", "enable_grad", "grad", "no_grad", "set_grad_enabled"]


def backward(
    tensors: Tensor | Sequence[Tensor],
    gradients: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of tensors to `.grad` of the leaves; see `Tensor.backward`."""
    outputs = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if gradients is None or isinstance(gradients, Tensor):
        gradients = [gradients] * len(outputs)
    ends = None
    if inputs is not None:
        chosen = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        ends = {_node_wanted(x): x for x in chosen}
    found = _swept(outputs, gradients, retain_graph, create_graph, ends)
    # Only now that nothing has failed.
    for node, g in found:
        target = node.tensor() if isinstance(node, AccumulateGrad) else (ends or {}).get(node)
        if target is not None:
            _accumulate(target, g)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of outputs with respect to inputs, which may be any tensors of the graph.

    No `.grad` changes. What PyTorch calls `torch.autograd.grad`.

    Raises
    ------
    RuntimeError
        If an input does not require a gradient, or was not used and `allow_unused` is not set.
    """
    outs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs] * len(outs)
    nodes = [_node_wanted(x) for x in wanted]
    found: dict[Node, Any] = dict(
        _swept(outs, grad_outputs, retain_graph, create_graph, dict.fromkeys(nodes))
    )
    results: list[Tensor | None] = []
    for x, node in zip(wanted, nodes, strict=True):
        if node in found:
            results.append(gradient_like(found[node], x))
        elif allow_unused:
            results.append(None)
        else:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
    return tuple(results)


def _roots(outputs: Sequence[Tensor], gradients: Sequence[Any]) -> list[tuple[Node, Any]]:
    roots = []
    for out, g in zip(outputs, gradients, strict=True):
        node = current_node(out)
        if node is None:
            raise RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn"
            )
        if g is None:
            if out.value.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            roots.append((node, np.ones_like(out.value)))
        else:
            if not isinstance(g, Tensor):
                raise TypeError("gradients can be either Tensors or None")
            if g.value.shape != out.value.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output has a shape of {g.shape} "
                    f"and output has a shape of {out.shape}."
                )
            roots.append((node, made_array(g) if g.requires_grad else settled(g)))
    return roots


def _accumulate(tensor: Tensor, g: Any) -> None:
    old = tensor.grad
    new = gradient_like(g, tensor)
    if old is None:
        tensor._grad = new
    elif new.requires_grad or old.requires_grad:
        tensor._grad = old + new
    else:
        old.value += new.value
        graph.note_write(old.value)


def _node_wanted(x: Tensor) -> Node:
    node = current_node(x)
    if node is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return node


def _swept(
    outputs: Sequence[Tensor],
    gradients: Sequence[Any],
    retain_graph: bool | None,
    create_graph: bool,
    ends: Any,
) -> list[tuple[Node, Any]]:
    retain = create_graph if retain_graph is None else retain_graph
    roots = _roots(outputs, gradients)
    if create_graph:
        reached = {n for n in graph.nodes_from([n for n, _ in roots]) if isinstance(n, Leaf)}
        return RecordedSweep(retain, set(ends) if ends is not None else reached).run(roots)
    return Sweep(retain, set(ends) if ends is not None else None).run(roots)
