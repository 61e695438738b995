"""Lists that grow, shrink and are rearranged; lists of lists, of tuples, of dicts and objects."""

from dataclasses import dataclass

import numpy as np

from tests.programs.registry import numbers, program, vector


@dataclass
class Pair:
    a: float
    b: float

    def norm(self):
        return self.a**2 + self.b**2


class Stack:
    def __init__(self):
        self.items = []

    def push(self, value):
        self.items.append(value)

    def pop(self):
        return self.items.pop()


def push_at_most_three(items, value):
    items.append(value * value)
    if len(items) > 3:
        items.pop(0)


@program(vector(4))
def insert_front(x):
    xs = []
    for i in range(len(x)):
        xs.insert(0, x[i] * (i + 1))
    return sum(v * (k + 1) for k, v in enumerate(xs))


@program(vector(4))
def insert_mid(x):
    xs = [x[0], x[1]]
    xs.insert(1, x[2])
    xs.insert(-1, x[3])
    xs.insert(100, x[0] * 2)
    return xs[0] + 2 * xs[1] + 3 * xs[2] + 4 * xs[3] + 5 * xs[4] ** 2


@program(vector(4))
def del_item(x):
    xs = [v * v for v in x]
    del xs[1]
    return xs[0] + 2 * xs[1] + 3 * xs[2]


@program(vector(4))
def del_slice(x):
    xs = [v * v for v in x]
    del xs[1:3]
    return xs[0] + 2 * xs[1]


@program(vector(4))
def pop_first(x):
    xs = [v * v for v in x]
    s = 0.0
    while xs:
        s = s * 0.5 + xs.pop(0)
    return s


@program(vector(4))
def pop_runtime(x):
    xs = [v * v for v in x]
    s = 0.0
    for i in range(2):
        s = s * 0.5 + xs.pop(len(xs) - 2)
    return s + xs[0] * xs[1]


@program(vector(4))
def reverse(x):
    xs = [v * v for v in x]
    xs.reverse()
    return xs[0] + 2 * xs[1] + 3 * xs[2] * xs[3]


@program(vector(4))
def sort(x):
    xs = [v * 3 for v in x]
    xs.sort()
    return xs[0] + 2 * xs[1] ** 2 + 3 * xs[2] * xs[3]


@program(vector(4))
def sort_key(x):
    xs = [v * 3 for v in x]
    xs.sort(key=lambda v: v * v, reverse=True)
    return xs[0] + 2 * xs[1] ** 2 + 3 * xs[2] * xs[3]


@program(vector(4))
def sorted_list(x):
    xs = sorted([v * 3 for v in x])
    return xs[0] + 2 * xs[1] ** 2 + 3 * xs[2] * xs[3]


@program(vector(4))
def sorted_key(x):
    xs = [v * 3 for v in x]
    ys = sorted(xs, key=abs)
    return ys[0] + 2 * ys[1] ** 2 + 3 * ys[2] * xs[3]


@program(vector(4))
def clear(x):
    xs = []
    s = 0.0
    for v in x:
        xs.append(v * v)
        if len(xs) == 2:
            s = s + xs[0] * xs[1]
            xs.clear()
    return s


@program(vector(4))
def copy_(x):
    xs = [v * v for v in x]
    ys = xs.copy()
    ys[0] = x[1]
    return xs[0] + 2 * ys[0] + ys[1]


@program(vector(4))
def extend_zip(x):
    xs = [1.0]
    xs.extend(v * w for v, w in zip(x, x[1:]))
    xs.extend(x)
    xs.extend([2.0, x[0]])
    return sum(xs) * xs[1]


@program(vector(4))
def plus(x):
    xs = [v * v for v in x]
    ys = xs + [x[0]] + xs
    return sum(v * k for k, v in enumerate(ys))


@program(vector(4))
def iadd(x):
    xs = [v * v for v in x]
    xs += [x[0]]
    xs += xs
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def times(x):
    xs = [v * v for v in x] * 2
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def slice_read(x):
    xs = [v * v for v in x]
    return sum(xs[1:]) + sum(xs[:-1]) * xs[0]


@program(vector(4))
def slice_rev(x):
    xs = [v * v for v in x]
    ys = xs[::-1]
    return ys[0] + 2 * ys[1]


@program(vector(4))
def slice_store(x):
    xs = [v * v for v in x]
    xs[1:3] = [x[0], x[1], x[2]]
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def slice_store_list(x):
    xs = [v * v for v in x]
    xs[:2] = xs[1:]
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def slice_step_store(x):
    xs = [v * v for v in x]
    xs[::2] = [x[0], x[1]]
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def item_store(x):
    xs = [0.0] * len(x)
    for i in range(len(x)):
        xs[i] = x[i] * i
    xs[-1] = x[0] ** 2
    xs[-2] += x[1]
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def nested_comp(x):
    rows = [[v * w for v in x] for w in x]
    s = 0.0
    for row in rows:
        for v in row:
            s += v * v
    return s


@program(vector(4))
def nested_append(x):
    rows = []
    for i in range(len(x)):
        rows.append([])
        for j in range(i + 1):
            rows[-1].append(x[i] * x[j])
    s = 0.0
    for row in rows:
        s = s * 0.5 + sum(row)
    return s


@program(vector(4))
def nested_named(x):
    rows = []
    for i in range(len(x)):
        row = []
        for j in range(i + 1):
            row.append(x[i] * x[j])
        rows.append(row)
    return sum(rows[2]) * rows[1][0] + rows[-1][-1]


@program(vector(4))
def triangle(x):
    rows = [[x[0]]]
    for i in range(3):
        prev = rows[-1]
        row = [x[0]]
        for j in range(len(prev) - 1):
            row.append(prev[j] + prev[j + 1] * x[1])
        row.append(x[1])
        rows.append(row)
    return rows[-1][1] * rows[2][1]


@program(vector(4))
def list_tuples(x):
    pts = []
    for v in x:
        pts.append((v, v * v))
    s = 0.0
    for a, b in pts:
        s += a * b
    return s + pts[0][1] * pts[-1][0]


@program(vector(4))
def tuples_comp(x):
    pts = [(v, i) for i, v in enumerate(x)]
    return sum(a * i for a, i in pts)


@program(vector(4))
def list_dicts(x):
    recs = []
    for i in range(len(x)):
        recs.append({"v": x[i], "w": i * 1.0})
    s = 0.0
    for r in recs:
        s += r["v"] ** 2 * r["w"]
    return s


@program(vector(4))
def list_objects(x):
    ps = []
    for i in range(len(x)):
        ps.append(Pair(x[i], i * x[0]))
    s = 0.0
    for q in ps:
        s += q.norm() * q.a
    return s


@program(vector(4))
def arrays_written(x):
    rows = []
    for i in range(3):
        r = np.zeros(4)
        r[:] = x * i
        rows.append(r)
    rows[1][2] = x[0] ** 2
    return np.sum(np.array(rows) ** 2)


@program(vector(4))
def arrays_stack(x):
    rows = []
    r = np.zeros(4)
    for i in range(3):
        r[i] = x[i] ** 2
        rows.append(r.copy())
    rows[0][0] += x[1]
    return np.sum(np.stack(rows) ** 2)


@program(vector(4))
def arrays_concat(x):
    rows = [x * 1.0, x * 2.0]
    for i in range(2):
        rows.append(x * i)
    rows[0][1] = x[0]
    return np.sum(np.concatenate(rows) ** 2)


@program(vector(4))
def sum_max(x):
    xs = [v * v for v in x]
    return sum(xs) * max(xs) + min(xs)


@program(vector(4))
def max_key(x):
    xs = [v * 2 for v in x]
    return max(xs, key=lambda v: v * v) ** 2 + min(xs, key=abs)


@program(vector(4))
def zip_lists(x):
    xs = [v * v for v in x]
    ys = [v + 1 for v in x]
    s = 0.0
    for a, b in zip(xs, ys[1:]):
        s += a * b
    return s


@program(vector(4))
def reversed_list(x):
    xs = [v * v for v in x]
    s = 0.0
    for v in reversed(xs):
        s = s * 0.3 + v
    return s


@program(vector(4))
def star_unpack(x):
    xs = [v * v for v in x]
    a, *rest, b = xs
    return a * b + sum(rest) ** 2


@program(vector(4))
def helper(x):
    xs = []
    for v in x:
        for k in range(2):
            push_at_most_three(xs, v * (k + 1))
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def object_list(x):
    s = Stack()
    for v in x:
        s.push(v * v)
    t = 0.0
    while s.items:
        t = t * 0.5 + s.pop()
    return t


@program(vector(4))
def dict_list(x):
    h = {"a": [], "b": []}
    for v in x:
        h["a"].append(v * v)
        h["b"].append(v)
    return sum(a * b for a, b in zip(h["a"], h["b"]))


@program(vector(4))
def int_list_array_index(x):
    idx = []
    for i in range(len(x)):
        if x[i] > 0:
            idx.append(i)
    return np.sum(x[idx] ** 2)


@program(vector(4))
def window(x):
    buf = []
    out = []
    for v in x:
        buf.append(v)
        if len(buf) > 2:
            buf = buf[1:]
        out.append(sum(buf) / len(buf))
    return np.sum(np.array(out) ** 2)


@program(vector(4))
def listcomp_filter(x):
    xs = [v * v for v in x if v > 0]
    return sum(xs) / len(xs)


@program(vector(4))
def listcomp_of_grown(x):
    xs = []
    for v in x:
        xs.append(v * v)
    ys = [v + w for v, w in zip(xs[:-1], xs[1:])]
    return np.prod(np.array(ys))


@program(vector(4))
def return_slice_last(x):
    hist = [x]
    for i in range(3):
        hist.append(np.tanh(hist[-1]) * hist[i])
    return np.sum(hist[-1] * hist[-2])


@program(vector(4))
def swap(x):
    xs = [v * v for v in x]
    xs[0], xs[-1] = xs[-1], xs[0]
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def bubble(x):
    xs = [v * v for v in x]
    for i in range(len(xs)):
        for j in range(len(xs) - 1 - i):
            if xs[j] > xs[j + 1]:
                xs[j], xs[j + 1] = xs[j + 1], xs[j]
    return sum(v * k for k, v in enumerate(xs))


@program(vector(4))
def matmul_lists(x):
    n = 2
    A = [[x[0], x[1]], [x[2], x[3]]]
    B = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            for k in range(n):
                B[i][j] += A[i][k] * A[k][j]
    return B[0][0] * B[1][1] - B[0][1]


@program(vector(4))
def matmul_lists_n(x):
    n = len(x)
    B = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            B[i][j] += x[i] * x[j]
    return B[0][0] * B[1][1] - B[0][1] + np.sum(np.array(B))


@program(vector(4))
def dp(x):
    n = len(x)
    t = [[0.0 for _ in range(n + 1)] for _ in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            t[i][j] = max(t[i - 1][j], t[i][j - 1]) + x[i - 1] * x[j - 1]
    return t[n][n]


@program(vector(4))
def append_rows_2d(x):
    xs = []
    for i in range(3):
        xs.append([x[i], x[i] ** 2])
    a = np.array(xs)
    return np.sum(a[:, 0] * a[:, 1])


@program(vector(4))
def list_of_lists_sum(x):
    xs = [[v, v * v] for v in x]
    return sum(a * b for a, b in xs)


@program(vector(4))
def stack_machine(x):
    st = []
    for k, op in enumerate(["p", "p", "m", "p", "a"]):
        if op == "p":
            st.append(x[k % 4])
        elif op == "m":
            b = st.pop()
            a = st.pop()
            st.append(a * b)
        else:
            b = st.pop()
            a = st.pop()
            st.append(a + b)
    return st[-1]


@program(vector(4))
def while_queue(x):
    q = [(x[0], 0)]
    s = 0.0
    while q:
        v, d = q.pop()
        s += v
        if d < 2:
            q.append((v * x[1], d + 1))
            q.append((v * x[2], d + 1))
    return s


@program(vector(4))
def pop_tuple_front(x):
    q = [(v, v * 2) for v in x]
    a, b = q.pop(0)
    q.insert(1, (b, a))
    return a * b + sum(u * w for u, w in q) + len(q)


@program(vector(4))
def branch_lists(x):
    if x[0] > 0:
        xs = [x[0], x[1]]
    else:
        xs = [x[2]]
    for v in x:
        xs.append(v)
    return sum(v * v * k for k, v in enumerate(xs))


@program(vector(4))
def enumerate_rows(x):
    rows = [x[:2], x[2:]]
    rows.append(x[1:3] * 2)
    s = 0.0
    for i, row in enumerate(rows):
        s += np.sum(row) * i
    return s


@program(vector(4))
def list_in_loop_rebuilt(x):
    xs = [v for v in x]
    for _ in range(3):
        xs = [0.5 * (a + b) for a, b in zip(xs, xs[1:] + xs[:1])]
    return sum(v**2 for v in xs)


@program(vector(4))
def groups(x):
    cur = []
    rows = []
    for v in x:
        cur.append(v * v)
        if len(cur) == 2:
            rows.append(cur)
            cur = []
    rows.append(cur)
    s = 0.0
    for k, r in enumerate(rows):
        s += sum(r) * (k + 1)
    return s + rows[0][1] * rows[1][0]


@program(vector(4))
def groups_alias(x):
    cur = []
    rows = []
    for v in x:
        rows.append(cur)
        cur.append(v * v)
    return sum(rows[0]) + rows[1][-1] * len(rows[2])


@program(vector(4))
def row_alias(x):
    rows = [[], []]
    for i in range(len(x)):
        rows[i % 2].append(x[i])
    r = rows[0]
    r.append(x[0] * x[1])
    r[0] = x[3] ** 2
    return sum(rows[0]) * sum(rows[1]) + r[-1] ** 2


@program(vector(4))
def swap_rows(x):
    rows = [[v, v * v] for v in x]
    rows[0], rows[1] = rows[1], rows[0]
    rows[0][0] *= 3.0
    return rows[0][0] * rows[1][1] + rows[2][0]


@program(vector(4))
def same_row_twice(x):
    row = [x[0], x[1]]
    rows = []
    for i in range(3):
        rows.append(row)
    rows[0][0] = x[2] ** 2
    return rows[1][0] * rows[2][1] + row[0]


@program(vector(4))
def three_levels(x):
    a = []
    for i in range(2):
        b = []
        for j in range(2):
            c = []
            for k in range(2):
                c.append(x[i + j + k - (i + j + k == 3) * 0] * (i + 1) if i + j + k < 4 else x[0])
            b.append(c)
        a.append(b)
    a[1][0][1] = x[1] ** 3
    a[0].append([x[2]])
    return sum(sum(sum(c) for c in b) * (n + 1) for n, b in enumerate(a))


@program(vector(4))
def pop_rows(x):
    rows = [[v, 2 * v] for v in x]
    s = 0.0
    while len(rows) > 1:
        r = rows.pop()
        s += r[0] * rows[-1][1]
        rows[-1].append(r[-1])
    return s + sum(rows[0])


@program(vector(4))
def insert_rows(x):
    rows = []
    for v in x:
        rows.insert(0, [v])
        rows[len(rows) // 2].append(v * 2)
    return sum(len(r) * sum(r) ** 2 for r in rows)


@program(vector(4))
def copy_rows(x):
    rows = [[v, v] for v in x]
    c = [list(r) for r in rows]
    d = rows[:]
    c[0][0] = x[1]
    d[1][1] = x[2] * x[3]
    return rows[0][0] * rows[1][1] + c[0][0] * c[1][1] + d[1][1]


@program(vector(4))
def arrays_in_rows(x):
    rows = []
    for i in range(3):
        a = np.zeros(2)
        a[0] = x[i]
        a[1] = x[i + 1]
        rows.append([a, a * 2])
    rows[0][0][1] = x[3] ** 2
    s = 0.0
    for r in rows:
        for a in r:
            s = s + np.sum(a**2)
    return s


@program(vector(4))
def arrays_changed_later(x):
    rows = []
    a = np.zeros(2)
    for i in range(3):
        a[0] += x[i]
        rows.append(a.copy())
        rows[0][1] += x[i + 1]
    rows[-1] *= 2.0
    t = np.array(rows)
    rows[0][0] = 0.0
    return np.sum(t**2) + np.sum(np.vstack(rows)) + np.hstack(rows)[2] ** 2


@program(vector(4))
def arrays_same_object(x):
    a = x.copy()
    rows = []
    for i in range(3):
        rows.append(a)
        a[i] *= x[i + 1]
    m = np.stack(rows, axis=1)
    return np.sum(m * np.arange(12.0).reshape(4, 3))


@program(vector(4))
def sum_of_arrays_list(x):
    rows = []
    for i in range(3):
        r = x * i
        r[0] = 1.0
        rows.append(r)
    return np.sum(sum(rows) ** 2) + np.sum(np.mean(np.stack(rows), axis=0) * x)


@program(vector(4))
def tuple_arrays(x):
    hist = []
    v = x.copy()
    for i in range(3):
        v[i] = v[i] * v[i + 1]
        hist.append((i, v, v[i]))
    s = 0.0
    for k, a, b in hist:
        s = s + k * np.sum(a) * b
    return s


@program(vector(4))
def tuple_lists(x):
    q = []
    for i in range(3):
        q.append(([x[i]], i))
        q[-1][0].append(x[i + 1])
    s = 0.0
    for l, i in q:
        s += l[0] * l[1] * (i + 1)
    return s


@program(vector(4))
def dict_rows(x):
    rows = []
    for i in range(3):
        r = {"a": x[i], "h": []}
        r["b"] = x[i + 1] ** 2
        rows.append(r)
        rows[i]["h"].append(x[0])
        rows[0]["h"].append(x[1] * i)
    return sum(r["a"] * r["b"] * sum(r["h"]) for r in rows)


@program(vector(4))
def best_dict(x):
    rows = [{"v": v, "k": k} for k, v in enumerate(x)]
    rows.append({"v": x[0] * x[1], "k": 9})
    best = rows[0]
    for r in rows:
        if r["v"] > best["v"]:
            best = r
    return best["v"] ** 2 * best["k"]


@program(vector(4))
def sorted_tuples(x):
    q = []
    for i, v in enumerate(x):
        q.append((v, i))
    q.sort(key=lambda t: t[0], reverse=True)
    s = 0.0
    for k, (v, i) in enumerate(q):
        s += v * v * (k + 1) * (i + 1)
    return s


@program(vector(4))
def sorted_objects(x):
    ps = [Pair(v, v * v) for v in x]
    ps = sorted(ps, key=lambda q: q.b)
    return ps[0].a * ps[-1].b


@program(vector(4))
def del_neg_step(x):
    xs = [v * v for v in x] + [v for v in x]
    del xs[::-2]
    del xs[-1]
    return sum(v * v * k for k, v in enumerate(xs))


@program(vector(4))
def del_runtime(x):
    xs = [v * v for v in x]
    n = len(xs)
    i = 0
    while i < len(xs):
        if xs[i] < 1.0:
            del xs[i]
        else:
            i += 1
    return sum(v * (k + 1) for k, v in enumerate(xs)) + n


@program(vector(4))
def slice_grow(x):
    xs = [v * v for v in x]
    xs[2:2] = [x[0], x[1]]
    xs[:0] = [x[3]]
    xs[len(xs) :] = [x[2]]
    xs[-2:] = []
    xs[1:4] = xs[::-1]
    return sum(v * v * (k + 1) for k, v in enumerate(xs))


@program(vector(4))
def imul(x):
    xs = [v for v in x]
    xs *= 2
    return sum(v * v * k for k, v in enumerate(xs))


@program(vector(4))
def pop_neg(x):
    xs = [v for v in x] + [x[0] * x[1]]
    a = xs.pop(-2)
    b = xs.pop(1)
    for i in range(-2, 0):
        a = a * 2 + xs.pop(i)
    return a * b + xs[0]


@program(vector(4))
def insert_neg_loop(x):
    xs = [x[0]]
    for i in range(-5, 6):
        xs.insert(i, x[i % 4] * xs[i % len(xs)])
    return sum(v * (k + 1) for k, v in enumerate(xs))


@program(vector(4))
def helper_stack(x):
    def push(st, *vs):
        for v in vs:
            st.append(v)

    def reduce(st):
        b = st.pop()
        a = st.pop()
        st.append(a * b + a)

    st = []
    push(st, x[0], x[1], x[2])
    reduce(st)
    push(st, x[3])
    reduce(st)
    reduce(st)
    return st[0]


@program(vector(4))
def list_param_default(x):
    def f(v, acc=None):
        acc = [] if acc is None else acc
        acc.append(v * v)
        return acc

    a = f(x[0])
    a = f(x[1], a)
    return sum(a) * a[0]


@program(vector(4))
def branch_list_tuples(x):
    q = []
    if x[0] > 0:
        q.append((x[0], 1))
    if x[1] > 0:
        q.append((x[1], 2))
    for v in x:
        if v > 1:
            q.append((v * v, 3))
    return sum(a * b for a, b in q)


@program(vector(4))
def branch_known_tuples(x):
    if x[0] > 0:
        q = [(x[0], 1), (x[1], 2)]
    else:
        q = [(x[2], 1)]
    return sum(a * a * b for a, b in q)


@program(vector(4))
def heap_sim(x):
    events = [(v * v, k) for k, v in enumerate(x)]
    t = 0.0
    s = 0.0
    while events:
        m = min(events, key=lambda e: e[0])
        i = 0
        for k in range(len(events)):
            if events[k][1] == m[1]:
                i = k
        when, who = events.pop(i)
        t = t + when
        s += t * x[who]
        if len(events) == 2 and t < 3.0:
            events.append((when * 1.5, 0))
    return s


@program(vector(4))
def adjacency(x):
    graph = [[] for _ in range(4)]
    for i in range(4):
        for j in range(4):
            if (i + j) % 2:
                graph[i].append(j)
    s = 0.0
    for i in range(4):
        for j in graph[i]:
            s += x[i] * x[j] * (i + 1)
    return s


@program(vector(4))
def bfs(x):
    seen = []
    todo = [0]
    s = 0.0
    while todo:
        i = todo.pop(0)
        if i in seen:
            continue
        seen.append(i)
        s = s * 0.5 + x[i] ** 2
        for j in [(i + 1) % 4, (i + 2) % 4]:
            if j not in seen:
                todo.append(j)
    return s


@program(vector(4))
def polynomial(x):
    coeffs = [1.0]
    for r in x:
        new = [0.0] * (len(coeffs) + 1)
        for i, c in enumerate(coeffs):
            new[i] += c
            new[i + 1] -= c * r
        coeffs = new
    return coeffs[2] * coeffs[-1]


@program(vector(4))
def transpose(x):
    rows = [[x[i] * j for j in range(3)] for i in range(4)]
    cols = [[row[j] for row in rows] for j in range(3)]
    return sum(cols[1]) * cols[2][3]


@program(vector(4))
def matvec(x):
    def matvec(A, v):
        return [sum(a * b for a, b in zip(row, v)) for row in A]

    A = [[x[i] * (j + 1) for j in range(4)] for i in range(4)]
    v = [w for w in x]
    for _ in range(2):
        v = matvec(A, v)
    return sum(v)


@program(vector(4))
def rows_np(x):
    rows = []
    for i in range(4):
        rows.append([x[i], x[i] ** 2, 1.0])
    A = np.array(rows)
    return np.linalg.det(A.T @ A)


@program(vector(4))
def pts_np(x):
    pts = []
    for i in range(3):
        pts.append((x[i], x[i + 1] ** 2))
    A = np.array(pts, dtype=float)
    return np.sum(A[:, 0] * A[:, 1]) + np.sum(A[1:] ** 2)


@program(vector(4))
def int_array_dtype(x):
    xs = []
    for i in range(4):
        xs.append(i)
    a = np.array(xs, dtype=float)
    a[0] = x[0]
    return np.sum(a * x)


@program(vector(4))
def running_max(x):
    stack = []
    s = 0.0
    for i in range(len(x)):
        while stack and stack[-1][0] < x[i]:
            v, k = stack.pop()
            s += v * (i - k)
        stack.append((x[i], i))
    for v, k in stack:
        s += v * v * k
    return s


@program(vector(4))
def two_lists_swap(x):
    a = [v for v in x]
    b = [0.0] * 4
    for _ in range(3):
        for i in range(4):
            b[i] = a[i] * a[i - 1]
        a, b = b, a
    return sum(a) + b[0]


@program(vector(4))
def while_slice(x):
    xs = [v for v in x]
    s = 0.0
    while len(xs) > 1:
        s += xs[0] * xs[-1]
        xs = xs[1:-1] + [s] if len(xs) > 3 else xs[1:]
    return s


@program(vector(4))
def enumerate_reversed(x):
    xs = [v * v for v in x]
    s = 0.0
    for i, v in enumerate(reversed(xs)):
        s += v * v * i
    for i, v in reversed(list(enumerate(xs))):
        s += v * i
    return s


@program(vector(4))
def zip_star(x):
    pts = [(v, v * v) for v in x]
    a, b = zip(*[(x[0], x[1]), (x[2], x[3])])
    return a[0] * b[1] + pts[0][0]


@program(numbers(0.7))
def item_written_that_ends_with_the_list(x):
    xs = []
    for _ in range(2):
        xs.append(x)
    ys = []
    for i in range(4):
        ys.append(x * xs[1])
    x += ys[2]
    xs.append(0.0)
    xs[2] += x
    return np.sin(x)


@program(vector(4))
def list_that_stays_empty(x):
    hits = []
    for q in x:
        if q > 3.0:
            hits.append(q * q)
    h = np.array(hits)
    return np.sum(hits) + np.dot(h, h) + x[0] * x[1] + len(h)
