"""Control flow in control flow where sizes come from data: empty ones, no turns, what is carried twice."""
import torch
from torch._higher_order_ops import map as map_over, scan, while_loop

from cases import case, flag, floats, ints, module

Dim = torch.export.Dim


@case
def masked_in_loop():
    """A loop over rows that a mask has left, as many turns as there are rows."""

    def f(x):
        kept = x[x[:, 0] > 0]
        rows = (x[:, 0] > 0).sum()
        body = lambda i, total: (i + 1, total * 0.5 + kept.sum(0))
        return while_loop(lambda i, total: i < rows, body, (torch.tensor(0), x[0] * 0)), kept * 2

    return module(f), [(floats(6, 3),), (-floats(6, 3).abs(),), (floats(6, 3).abs(),)]


@case
def masked_in_branch():
    def f(p, x):
        kept = x[x > 0]
        return torch.cond(p, lambda k: k.sum() + k.shape[0], lambda k: k.exp().sum() - k.shape[0], (kept,))

    each = (floats(7), -floats(7).abs(), floats(7).abs())
    return module(f), [(flag(p), x) for p in (1, 0) for x in each]


@case
def branch_keeps_rows():
    """A branch gives as many rows as the data has, both do."""

    def f(p, x):
        kept = x[x[:, 0] > 0]
        return torch.cond(p, lambda k: k * 2, lambda k: k.sin() + k.shape[0], (kept,))

    each = (floats(5, 2), -floats(5, 2).abs(), floats(5, 2).abs())
    return module(f), [(flag(p), x) for p in (1, 0) for x in each]


@case
def scan_of_masked():
    """A scan over what a mask has left."""

    def f(x):
        kept = x[x[:, 0] > 0]
        torch._check(kept.shape[0] > 0)
        return scan(lambda c, x: (c + x, c * x), x[0] * 0, kept)

    return module(f), [(floats(6, 3),), (floats(6, 3).abs(),)]


@case
def map_of_masked():
    def f(x, y):
        kept = x[x[:, 0] > 0]
        torch._check(kept.shape[0] > 0)
        return map_over(lambda r, y: r.softmax(0) + y, kept, y)

    return module(f), [(floats(6, 3), floats(3)), (floats(6, 3).abs(), floats(3))]


@case
def loop_in_branch_in_loop():
    """No turn of the inner loop, or of the outer one."""

    def f(n, x):
        def inner(x, i):
            return while_loop(lambda j, x: j < i, lambda j, x: (j + 1, x * 0.9 + j), (i * 0, x))[1]

        def body(i, x):
            return i + 1, torch.cond(i % 2 == 0, inner, lambda x, i: x.flip(0), (x, i))

        return while_loop(lambda i, x: i < n, body, (torch.tensor(0), x))

    return module(f), [(torch.tensor(n), floats(4)) for n in (0, 1, 2, 5)]


@case
def branch_by_masked_count():
    """How many rows there are decides."""

    def f(x):
        kept = x[x > 0]
        count = torch.tensor(kept.shape[0])
        return torch.cond(count > 3, lambda x: x + 1, lambda x: x * 2, (x,)), count

    return module(f), [(floats(8).abs(),), (-floats(8).abs(),), (torch.tensor([1.0, 2, 3, -1, -1, -1, -1, -1]),)]


@case
def carried_in_circles():
    """Three values trade places; what went in is read afterwards."""

    def f(n, a, b, c):
        res = while_loop(lambda i, a, b, c: i < n, lambda i, a, b, c: (i + 1, b.clone(), c.clone(), a.clone()), (torch.tensor(0), a, b, c))
        return *res, a + b + c

    return module(f), [(torch.tensor(n), floats(3), floats(3), floats(3)) for n in (0, 1, 2, 3, 7)]


@case
def carried_twice():
    """One tensor goes in as two values that part."""

    def f(n, x):
        i, a, b = while_loop(lambda i, a, b: i < n, lambda i, a, b: (i + 1, a + 1, a * b), (torch.tensor(0), x, x))
        return a, b, x

    return module(f), [(torch.tensor(n), floats(3)) for n in (0, 1, 4)]


@case
def branches_of_one_operand():
    """Results that are one value, in branches that are in a scan."""

    def f(x, xs):
        def body(c, x):
            a, b = torch.cond(x.sum() > 0, lambda c, x: ((c + x).clone(), c + x), lambda c, x: (x.clone(), x.clone()), (c, x))
            return a * 0.5, b

        return scan(body, x, xs)

    return module(f), [(floats(3), floats(4, 3)), (floats(3), -floats(4, 3).abs())]


@case
def empty_everywhere():
    """Nothing to branch on, to loop over, to repeat."""

    def f(p, n, x):
        y = torch.cond(p, lambda x: x + 1, lambda x: x * 2, (x,))
        i, z = while_loop(lambda i, z: i < n, lambda i, z: (i + 1, z - 1), (torch.tensor(0), y))
        return z, z.repeat_interleave(2, 0), z[z > 0], z.sum()

    sizes = (None, None, {0: Dim("m", min=0, max=9)})
    return module(f), [(flag(p), torch.tensor(n), floats(m)) for p, n, m in ((1, 0, 3), (0, 2, 0), (1, 3, 1), (0, 0, 9))], sizes


@case
def repeated_in_branch():
    def f(p, x, n):
        y = torch.repeat_interleave(x, n)
        return torch.cond(p, lambda y: y.cumsum(0), lambda y: y.flip(0), (y,)), y.shape[0]

    each = ([1, 2, 0], [0, 0, 0], [5, 0, 9])
    return module(f), [(flag(p), floats(3), torch.tensor(n)) for p in (1, 0) for n in each]


@case
def table_in_loop():
    """A table that a loop writes rows of, at places that it computes."""

    def f(n, table, x):
        def body(i, table):
            at = (i * 3) % table.shape[0]
            return i + 1, table.index_put((at.view(1),), (x * i)[None])

        return while_loop(lambda i, table: i < n, body, (torch.tensor(0), table)), table + 0

    return module(f), [(torch.tensor(n), floats(5, 3), floats(3)) for n in (0, 1, 4, 11)]


@case
def branch_of_sorted():
    def f(p, x):
        found, places = x.unique(return_inverse=True)
        a = torch.cond(p, lambda it: it * 2, lambda it: it - 1, (found,))
        return a[places], a.shape[0]

    return module(f), [(flag(p), ints(0, 5, 9)) for p in (1, 0)] + [(flag(1), ints(0, 1, 9))]


@case
def scan_in_map():
    f = lambda xs: map_over(lambda x: scan(lambda c, x: (c * 0.5 + x, c + x), x[0] * 0, x)[1], xs)
    return module(f), [(floats(2, 4, 3),)]
