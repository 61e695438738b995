"""Builtins, `itertools` and `functools` in Python, to be interpreted where they are called.

What stands here is what these functions mean; `iteration` says which stands for which, and what is
done at compile time already. Loops over things of known structure are unrolled, conditions that are
known are decided: nothing of a call remains in the emitted code but its loops.

`items` may be anything that is walked; where it is indexed too, `iteration` passes something that
can be.
"""

from __future__ import annotations

from typing import Any

# -- what a loop over items gives ------------------------------------------------------------------


def any_of(items):
    for item in items:
        if item:
            return True
    return False


def all_of(items):
    for item in items:
        if not item:
            return False
    return True


def total_of(items, total):
    for item in items:
        total = total + item
    return total


def product_of(items, total):
    for item in items:
        total = total * item
    return total


def reduced(function, items, value):
    for item in items:
        value = function(value, item)
    return value


def reduced_from_first(function, items):
    if len(items) == 0:
        raise TypeError("reduce() of empty iterable with no initial value")
    value = items[0]
    for k in range(1, len(items)):
        value = function(value, items[k])
    return value


def least(items, key):
    if len(items) == 0:
        raise ValueError("min() arg is an empty sequence")
    best = items[0]
    lowest = key(best)
    for k in range(1, len(items)):
        item = items[k]
        value = key(item)
        if value < lowest:
            best = item
            lowest = value
    return best


def greatest(items, key):
    if len(items) == 0:
        raise ValueError("max() arg is an empty sequence")
    best = items[0]
    highest = key(best)
    for k in range(1, len(items)):
        item = items[k]
        value = key(item)
        if value > highest:
            best = item
            highest = value
    return best


def first_or(items, default):
    for item in items:
        return item
    return default


def first(items):
    for item in items:
        return item
    raise StopIteration


def listed(items):
    out: list[Any] = []
    for item in items:
        out.append(item)
    return out


def stored(out, items):
    for key, value in items:
        out[key] = value


def added(out, items):
    for item in items:
        out.add(item)


def itself(item):
    return item


# -- iterators -------------------------------------------------------------------------------------


def walked(items):
    yield from items


def endless(item):
    k = 0
    while True:
        yield item(k)
        k += 1


def mapped(function, items):
    for item in items:
        yield function(item)


def mapped_to_each(function, items):
    for item in items:
        yield function(*item)


def filtered(predicate, items):
    for item in items:
        if predicate(item):
            yield item


def filtered_out(predicate, items):
    for item in items:
        if not predicate(item):
            yield item


def taken_while(predicate, items):
    for item in items:
        if not predicate(item):
            return
        yield item


def dropped_while(predicate, items):
    dropping = True
    for item in items:
        if dropping and predicate(item):
            continue
        dropping = False
        yield item


def selected(items, selectors):
    for item, selector in zip(items, selectors, strict=False):
        if selector:
            yield item


def chained(iterables):
    for items in iterables:
        yield from items


def sliced(items, start, stop, step):
    k = 0
    if stop <= 0:
        return
    for item in items:
        if k >= start and (k - start) % step == 0:
            yield item
        k += 1
        if k >= stop:
            return


def sliced_to_the_end(items, start, step):
    k = 0
    for item in items:
        if k >= start and (k - start) % step == 0:
            yield item
        k += 1


def cycled(items):
    saved: list[Any] = []
    for item in items:
        saved.append(item)
        yield item
    while len(saved) > 0:
        yield from saved


def numbered(items, number):
    for item in items:
        yield number, item
        number += 1


def numbered_up_to(items, count):
    k = 0
    for item in items:
        if k >= count:
            return
        yield k, item
        k += 1


def numbered_while_below(items, count):
    k = 0
    if count <= 0:
        return
    for item in items:
        yield k, item
        k += 1
        if k >= count:
            return


def pairs_in_turn(items):
    for k in range(len(items) - 1):
        yield items[k], items[k + 1]


def pairs_of(items):
    k = 0
    for item in items:
        if k > 0:
            yield previous, item  # type: ignore  # noqa: F821
        previous = item  # noqa: F841
        k += 1


def zipped_to_longest(sequences, fill):
    longest = max(tuple(len(items) for items in sequences))
    for k in range(longest):
        yield tuple(items[k] if k < len(items) else fill for items in sequences)


def every_combination(sequences):
    if len(sequences) == 0:
        yield ()
        return
    for item in sequences[0]:
        for rest in every_combination(sequences[1:]):
            yield (item, *rest)


def subsets(items, start, count):
    if count == 0:
        yield ()
        return
    for i in range(start, len(items)):
        for rest in subsets(items, i + 1, count - 1):
            yield (items[i], *rest)


def subsets_with_repeats(items, start, count):
    if count == 0:
        yield ()
        return
    for i in range(start, len(items)):
        for rest in subsets_with_repeats(items, i, count - 1):
            yield (items[i], *rest)


def running(items, function):
    if len(items) > 0:
        total = items[0]
        yield total
        for k in range(1, len(items)):
            total = function(total, items[k])
            yield total


def running_along(items, function):
    k = 0
    for item in items:
        total = function(total, item) if k > 0 else item  # type: ignore  # noqa: F821
        yield total
        k += 1


def running_from(items, function, total):
    yield total
    for item in items:
        total = function(total, item)
        yield total


# -- order -----------------------------------------------------------------------------------------


def in_order(items, keys, reverse, order_of):
    order = order_of(keys, reverse)
    return [items[k] for k in order]
