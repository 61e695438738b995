"""Timing several ways to do one thing so that they can be compared.

The machine's speed drifts, so all contenders run in turn, A B C A B C ..., and what is reported is
the median over the rounds of the ratio to the reference *of the same round*.
"""

import gc
import statistics
import time


def seconds_per_call(function, args, calls):
    """Return the mean time of one of `calls` calls."""
    trips = range(calls)
    begin = time.perf_counter()
    for _ in trips:
        function(*args)
    return (time.perf_counter() - begin) / calls


def calls_filling(function, args, seconds):
    """Return how many calls take about `seconds`, at least one."""
    calls = 1
    while (taken := seconds_per_call(function, args, calls) * calls) < seconds / 10:
        calls *= 4
    return max(1, round(calls * seconds / taken))


def interleave(contenders, rounds, seconds=0.005, budget=4.0, least=3):
    """Time `contenders`, a dict from name to (function, args), in turn.

    Returns a dict from name to a list with one time per round, in seconds per call. The contenders
    must have been called before. One turn lasts about `seconds`; if it has several calls, one that
    is not timed goes first, because the caches are full of the others' data. A contender that has
    spent more than `budget` seconds sits out the rest, but not before `least` turns; its list is
    then shorter.
    """
    calls = {name: calls_filling(*contender, seconds) for name, contender in contenders.items()}
    times = {name: [] for name in contenders}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            for name, (function, args) in contenders.items():
                if turn >= least and sum(times[name]) * calls[name] > budget:
                    continue
                if calls[name] > 1:
                    function(*args)
                times[name].append(seconds_per_call(function, args, calls[name]))
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return times


def ratio(times, name, reference):
    """Return the median over the rounds of the time of `name` in units of that of `reference`."""
    return statistics.median(a / b for a, b in zip(times[name], times[reference], strict=False))


def duration(seconds):
    """Return `seconds` as text with a fitting unit and three digits."""
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
