"""Models whose sizes only the data knows, and the assertions about them."""
import torch
import torch.nn as nn

from cases import Fails, case, flag, floats, ints, module

Dim = torch.export.Dim
N = lambda low=0, high=40: Dim("n", min=low, max=high)


@case
def item_int():
    f = lambda n, x: x * n.item() + n.item()
    return module(f), [(torch.tensor(it), floats(3)) for it in (4, 0, -5, 2**40)]


@case
def item_float():
    f = lambda a, x: (x * a.item(), x + a.item() * 2)
    return module(f), [(torch.tensor(it), floats(3)) for it in (0.5, -0.0, 1e-30, float("inf"))]


@case
def item_half():
    f = lambda a, x: x * a.max().item()
    return module(f), [(floats(3).half(), floats(3)), (torch.zeros(1).half().expand(3).clone(), floats(3))]


@case
def item_bool():
    f = lambda b, x: x + b.item()
    return module(f), [(flag(it), floats(3)) for it in (1, 0)]


@case
def item_output():
    """Numbers among the outputs."""
    f = lambda n, x: (n.item(), n.item() * 2 + 1, x + 1)
    return module(f), [(torch.tensor(it), floats(2)) for it in (3, 0, -9)]


@case
def item_of_element():
    f = lambda n, x: x[: 2] * n[1].item() + n.sum().item()
    return module(f), [(torch.tensor(it), floats(3)) for it in ([1, 2, 3], [0, 0, 0], [-4, 5, -6])]


@case
def zeros_of_item():
    def f(n, x):
        k = n.item()
        return torch.zeros(k, 3), torch.ones(k) * 2, x.sum() + torch.full((k, 2), 1.5).sum()

    return module(f), [(torch.tensor(it), floats(3)) for it in (4, 0, 1, 300)]


@case
def checked_bounds():
    """A number whose bounds the program checks."""

    def f(n, x):
        k = n.item()
        torch._check(k >= 2)
        torch._check(k <= 9)
        return x[:k].sum(0), torch.arange(k) * 2, x.new_ones(k, k)

    good = [(torch.tensor(it), floats(9, 3)) for it in (4, 2, 9)]
    return module(f), good + [Fails("expression u0 <= 9 on node", torch.tensor(10), floats(9, 3)), Fails("expression u0 >= 2 on node", torch.tensor(1), floats(9, 3))]


@case
def checked_message():
    def f(n, x):
        k = n.item()
        torch._check(k > 3, lambda: "the number is too small")
        return x + k

    return module(f), [(torch.tensor(4), floats(2)), (torch.tensor(99), floats(2)), Fails("Runtime assertion failed for expression u0 >= 4", torch.tensor(3), floats(2))]


@case
def asserted_tensor():
    def f(x):
        torch._assert_async((x > 0).all(), "all must be positive")
        return x.log()

    return module(f), [(floats(3).abs() + 1,), Fails("all must be positive", torch.tensor([1.0, -1.0, 2.0]))]


@case
def nonzero_rows():
    f = lambda x: (x.nonzero(), x.nonzero().shape[0])
    return module(f), [(ints(-1, 2, 4, 5),), (torch.zeros(4, 5, dtype=torch.int64),), (torch.ones(4, 5).long(),)]


@case
def nonzero_dynamic():
    f = lambda x: (x > 0).nonzero().float().sum(0)
    return module(f), [(floats(n, 3),) for n in (5, 0, 40)], ({0: N()},)


@case
def nonzero_tuple():
    f = lambda x: x[x.nonzero(as_tuple=True)] * 2
    return module(f), [(ints(-1, 2, 4, 3).float(),), (torch.zeros(4, 3),), (torch.ones(4, 3),)]


@case
def masked_select():
    f = lambda x, m: (torch.masked_select(x, m), torch.masked_select(x, m).sum())
    masks = (floats(4, 3) > 0, torch.zeros(4, 3, dtype=torch.bool), torch.ones(4, 3, dtype=torch.bool))
    return module(f), [(floats(4, 3), it) for it in masks]


@case
def masked_broadcast():
    f = lambda x, m: torch.masked_select(x, m).relu()
    return module(f), [(floats(4, 3), torch.tensor(it)) for it in ([True, False, True], [False] * 3, [True] * 3)]


@case
def bool_index():
    f = lambda x: x[x > 0]
    return module(f), [(floats(4, 3),), (-floats(4, 3).abs(),), (floats(4, 3).abs() + 1,)]


@case
def bool_index_rows():
    """A detector's threshold: rows that pass, and their other columns."""

    def f(boxes, scores):
        keep = scores > 0.5
        kept = boxes[keep]
        return kept, scores[keep], (kept[:, 2:] - kept[:, :2]).clamp(min=0).prod(1)

    inputs = [(floats(n, 4), torch.rand(n) * scale) for n, scale in ((8, 1), (8, 0.4), (1, 1), (0, 1))]
    return module(f), inputs, ({0: N()}, {0: N()})


@case
def bool_index_put():
    def f(x, y):
        z = x.clone()
        z[x > 0] = y
        return z

    return module(f), [(floats(4, 3), torch.tensor(it)) for it in (0.0, -2.0)]


@case
def unique_sorted():
    f = lambda x: torch.unique(x)
    return module(f), [(ints(0, 5, 9),), (torch.zeros(9, dtype=torch.int64),), (torch.arange(9).flip(0),)]


@case
def unique_everything():
    def f(x):
        values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
        return values, inverse, counts, values[inverse], counts.sum()

    return module(f), [(ints(0, 5, n),) for n in (9, 1, 40, 0)], ({0: N()},)


@case
def unique_floats():
    f = lambda x: torch.unique(x.round(), return_counts=True)
    return module(f), [(floats(3, 4),), (torch.zeros(3, 4),)]


@case
def consecutive():
    f = lambda x: torch.unique_consecutive(x)
    return module(f), [(torch.tensor(it),) for it in ([1, 1, 2, 2, 2, 1, 3], [5] * 7, [1, 2, 3, 4, 5, 6, 7])]


@case
def consecutive_everything():
    f = lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True)
    return module(f), [(ints(0, 2, n),) for n in (9, 1, 40, 0)], ({0: N()},)


@case
def repeat_by_tensor():
    def f(x, r):
        return torch.repeat_interleave(x, r, dim=0), torch.repeat_interleave(r)

    return module(f), [(floats(3, 2), torch.tensor(it)) for it in ([1, 2, 3], [0, 0, 0], [0, 5, 0])]


@case
def repeat_by_number():
    f = lambda x: torch.repeat_interleave(x, 3, dim=1)
    return module(f), [(floats(n, 2),) for n in (3, 0, 1)], ({0: N()},)


@case
def bins():
    f = lambda x: torch.bincount(x)
    return module(f), [(torch.tensor(it),) for it in ([1, 1, 4], [0, 0, 0], [30, 2, 2])]


@case
def bins_weighted():
    f = lambda x, w: (torch.bincount(x, weights=w, minlength=4), torch.bincount(x, minlength=6).float().softmax(0))
    return module(f), [(torch.tensor(it), floats(3)) for it in ([1, 1, 5], [0, 0, 0], [9, 2, 2])]


@case
def split_by_tensor():
    def f(x, n):
        sizes = n.tolist()
        torch._check(sizes[0] + sizes[1] + sizes[2] == x.shape[0])
        a, b, c = torch.split(x, sizes)
        return a + 1, b.sum(0), c * 2

    good = [(floats(6, 2), torch.tensor(it)) for it in ([1, 2, 3], [6, 0, 0], [0, 1, 5])]
    return module(f), good + [Fails("", floats(6, 2), torch.tensor([1, 2, 4]))]


@case
def narrow_by_item():
    def f(x, s, n):
        start, length = s.item(), n.item()
        torch._check(start >= 0)
        torch._check(length >= 0)
        torch._check(start + length <= x.shape[0])
        return torch.narrow(x, 0, start, length) * 2

    good = [(floats(6, 2), torch.tensor(a), torch.tensor(b)) for a, b in ((1, 3), (0, 6), (6, 0), (5, 1))]
    return module(f), good + [Fails("", floats(6, 2), torch.tensor(4), torch.tensor(3))]


@case
def arange_by_item():
    def f(n, x):
        k = n.item()
        return torch.arange(k), torch.arange(k, dtype=torch.float32).sin(), torch.arange(2, k + 5, 2)

    return module(f), [(torch.tensor(it), floats(1)) for it in (4, 0, 1, 77)]


@case
def select_by_item():
    def f(x, n):
        k = n.item()
        torch._check(k >= 0)
        torch._check(k < x.shape[0])
        return x[k], x[k:].sum(0)

    return module(f), [(floats(5, 2), torch.tensor(it)) for it in (0, 3, 4)] + [Fails("", floats(5, 2), torch.tensor(5))]


@case
def two_steps():
    """What one selection found is selected from again, and joined."""

    def f(x):
        y = x[x > 0]
        z = y[y < 1]
        return torch.cat([y, z]), z.shape[0], y.sort()[0]

    return module(f), [(floats(20),), (-floats(20).abs(),), (floats(20).abs() / 100,)]


@case
def matmul_of_selected():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 4)
            self.norm = nn.LayerNorm(4)

        def forward(self, x):
            return self.norm(self.linear(x[x[:, 0] > 0])).softmax(-1)

    one = floats(6, 8)
    return Net(), [(one,), (-one.abs(),), (one.abs(),)]


@case
def data_in_branch():
    """A size that only a branch knows, inside it."""

    def f(p, x):
        return torch.cond(p, lambda x: x[x > 0].sum(), lambda x: x.nonzero().sum().float(), (x,))

    return module(f), [(flag(p), x) for p in (1, 0) for x in (floats(7), torch.zeros(7))]


@case
def item_in_loop():
    """A number of the data bounds a slice in every turn."""
    from torch._higher_order_ops import while_loop

    def f(n, x):
        def body(n, x):
            k = n.item()
            torch._check(k >= 0)
            torch._check(k <= 8)
            return n - 1, x + x[:k].sum()

        return while_loop(lambda n, x: n > 0, body, (n, x))

    return module(f), [(torch.tensor(it), floats(8)) for it in (3, 0, 8)]
