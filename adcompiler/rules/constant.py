"""Operations whose derivative is zero wherever they have one."""

import builtins
import math
import operator

import numpy as np

from adcompiler import runtime
from adcompiler.rules.book import zero

# Comparisons and logic.
zero(
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift,
    np.isnan, np.isinf, np.isfinite, np.isneginf, np.isposinf, np.signbit, np.isreal, np.iscomplex,
    np.isrealobj, np.iscomplexobj, np.isscalar, np.isclose, np.allclose, np.array_equal,
    np.array_equiv, np.any, np.all, np.isin, np.shares_memory, np.may_share_memory,
    operator.is_, operator.is_not, operator.not_, operator.contains, operator.truth,
    math.isclose, builtins.isinstance, builtins.bool, builtins.any, builtins.all,
)  # fmt: skip

# Steps.
zero(
    np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.floor_divide,
    math.floor, math.ceil, math.trunc, builtins.int, operator.index, runtime.step, runtime.ties,
)  # fmt: skip

# Positions and counts.
zero(
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.lexsort,
    np.argwhere, np.nonzero, np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize,
    np.unravel_index, np.ravel_multi_index, np.linalg.matrix_rank, np.ix_, runtime.last_written,
    runtime.pad_places, runtime.kept_by_delete, runtime.inserted_order,
    list.index, list.count, runtime.slice_places, runtime.inserted_place, runtime.popped_place,
    runtime.equal_lists, runtime.joints,
)  # fmt: skip

# Shapes and kinds.
zero(
    np.shape, np.ndim, np.size, builtins.len, builtins.range, np.result_type, np.can_cast,
    np.min_scalar_type, np.common_type, np.broadcast_shapes,
    runtime.count, runtime.norm_plan, runtime.inverse, runtime.interior, runtime.contraction,
    runtime.einsum_transpose, runtime.einsum_extras, runtime.kron_plan, runtime.cropped,
    runtime.inverse_norm, runtime.hermitian_weights,
)  # fmt: skip

# New arrays that take only a shape from their argument.
zero(
    np.zeros, np.ones, np.empty, np.zeros_like, np.ones_like, np.empty_like, np.eye, np.identity,
    np.tri, np.indices, np.tril_indices, np.triu_indices, np.tril_indices_from,
    np.triu_indices_from, np.diag_indices, np.diag_indices_from, runtime.zeros_like, runtime.first,
)  # fmt: skip
