"""What lists do beyond appending, popping and storing an item, in terms of these.

The resolver interprets these functions in place of the call (`Resolver.run_library`), so that they
are differentiated as the user's own loops are.  `lists` finds the places that a slice names.
"""

import numpy as np


def copied(xs):
    """`xs[:]`."""
    return [x for x in xs]  # noqa: C416 (it is what `list` means)


def between(xs, start, end):
    """`xs[start:end]`, with bounds that count from the front."""
    return [xs[k] for k in range(start, end)]


def backwards(xs):
    """`xs[::-1]`."""
    return [x for x in reversed(xs)]  # noqa: C416


def picked(xs, first, count, step):
    """`xs[start:stop:step]`."""
    return [xs[first + k * step] for k in range(count)]


def repeated(xs, count):
    """`xs * count`."""
    return [x for _ in range(count) for x in xs]


def keyed(xs, key):
    """What `xs` is sorted by."""
    return [key(x) for x in xs]


def stacked(xs):
    """`np.array(xs)` of lists or tuples."""
    return np.stack([np.array(x) for x in xs])


def extend(xs, items):
    for item in items:
        xs.append(item)


def clear(xs):
    for _ in range(len(xs)):
        xs.pop()


def reverse(xs):
    last = len(xs) - 1
    for i in range(len(xs) // 2):
        xs[i], xs[last - i] = xs[last - i], xs[i]


def reorder(xs, order):
    """Put the item at `order[k]` at place `k`."""
    before = [x for x in xs]  # noqa: C416
    for k in range(len(xs)):
        xs[k] = before[order[k]]


def remove(xs, x):
    if x not in xs:
        raise ValueError("list.remove(x): x not in list")
    xs.pop(xs.index(x))


def delete_forwards(xs, first, count, step):
    """`del xs[start:stop:step]`, step < 0: places that come later are not moved."""
    for k in range(count):
        xs.pop(first + k * step)


def delete_backwards(xs, first, count, step):
    """`del xs[start:stop:step]`, step > 0."""
    for k in range(count - 1, -1, -1):
        xs.pop(first + k * step)


def replace(xs, first, count, new):
    """`xs[start:stop] = new`."""
    kept = min(count, len(new))
    for k in range(kept):
        xs[first + k] = new[k]
    for k in range(count - 1, kept - 1, -1):
        xs.pop(first + k)
    for k in range(kept, len(new)):
        xs.insert(first + k, new[k])


def replace_each(xs, first, count, step, new):
    """`xs[start:stop:step] = new`."""
    if len(new) != count:
        raise ValueError(
            f"attempt to assign sequence of size {len(new)} to extended slice of size {count}"
        )
    for k in range(count):
        xs[first + k * step] = new[k]
