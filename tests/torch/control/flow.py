"""Models of control flow: branches, loops, scans, shared bodies, in each other."""
import torch
import torch.nn as nn
from torch._higher_order_ops import associative_scan, map as map_over, scan, while_loop

from cases import case, flag, floats, ints, module, strict

Dim = torch.export.Dim
N = lambda low=0, high=40: Dim("n", min=low, max=high)


# Branches.


@case
def cond_tensor():
    f = lambda p, x: torch.cond(p, lambda x: x.sin() + 1, lambda x: x * 2 - 3, (x,))
    return module(f), [(flag(True), floats(3, 4)), (flag(False), floats(3, 4))]


@case
def cond_of_a_sum():
    f = lambda x: torch.cond(x.sum() > 0, lambda x: x.relu(), lambda x: x.sigmoid(), (x,))
    return module(f), [(floats(4).abs(),), (-floats(4).abs(),), (torch.zeros(4),)]


@case
def cond_number_predicate():
    """A tensor of numbers decides as its truth."""
    f = lambda n, x: torch.cond((n % 3).to(torch.bool), lambda x: x + 1, lambda x: x - 1, (x,))
    return module(f), [(torch.tensor(it), floats(2, 3)) for it in (0, 1, 6, -2)]


@case
def cond_one_element():
    f = lambda p, x: torch.cond(p, lambda x: x.exp(), lambda x: x.neg(), (x,))
    return module(f), [(torch.tensor([True]), floats(5)), (torch.tensor([False]), floats(5))]


@case
def cond_size():
    f = lambda x: torch.cond(x.shape[0] > 5, lambda x: x.cos(), lambda x: x.tan() + x.shape[0], (x,))
    return module(f), [(floats(n, 3),) for n in (4, 5, 6, 40, 2)], ({0: N(2)},)


@case
def cond_python():
    """A predicate that Python knows."""
    f = lambda x: torch.cond(x.dim() == 2, lambda x: x.t() + 1, lambda x: x, (x,))
    return module(f), [(floats(3, 4),)]


@case
def cond_outer_sizes():
    """Sizes and tensors of the outer graph that are no operands."""

    def f(x, y, z):
        n = y.shape[0]
        return torch.cond(x.shape[0] > 5, lambda t: t + n, lambda t: t + z * z, (x,))

    inputs = [(floats(a, 3), floats(b, 3), torch.tensor(5)) for a, b in ((3, 4), (9, 7), (5, 2))]
    return module(f), inputs, ({0: Dim("d", min=2, max=20)}, {0: Dim("e", min=2, max=20)}, None)


@case
def cond_outer_product():
    """An expression of sizes inside a branch."""

    def f(p, x, y):
        n = x.shape[0] * y.shape[0] + 1
        return torch.cond(p, lambda x: x.sum() * n, lambda x: x.sum() / n, (x,))

    sizes = {0: Dim("d", min=0, max=20)}, {0: Dim("e", min=0, max=20)}
    inputs = [(flag(p), floats(a), floats(b)) for p, a, b in ((1, 3, 4), (0, 9, 7), (1, 0, 2), (0, 1, 1))]
    return module(f), inputs, (None, *sizes)


@case
def cond_of_item():
    """A number of the data decides."""

    def f(n, x):
        return torch.cond(n.item() > 3, lambda x: x + 1, lambda x: x * 2, (x,))

    return module(f), [(torch.tensor(n), floats(3)) for n in (4, 3, -7, 10)]


@case
def cond_operand_back():
    f = lambda p, x, y: torch.cond(p, lambda x, y: (x.clone(), y + 1), lambda x, y: (y.clone(), x.clone()), (x, y))
    return module(f), [(flag(p), floats(2, 3), floats(2, 3)) for p in (1, 0)]


@case
def cond_swap_transposed():
    """Branches whose results are laid out differently before they are made alike."""

    def f(p, x):
        return torch.cond(p, lambda x: x.t().contiguous().t().clone(), lambda x: x.t().contiguous().t() + 1, (x,))

    return module(f), [(flag(p), floats(3, 5)) for p in (1, 0)]


@case
def cond_view_operand():
    """Operands that are views: a transposed one and a slice."""
    f = lambda p, x: torch.cond(p, lambda a, b: a + b, lambda a, b: a * b, (x.t()[:, 1:], x[:3, :4].t()))
    return module(f), [(flag(p), floats(4, 4)) for p in (1, 0)]


@case
def cond_nested():
    def f(p, q, x):
        inner = lambda x: torch.cond(q, lambda x: x + 1, lambda x: x * x, (x,))
        return torch.cond(p, inner, lambda x: torch.cond(q, lambda x: x.sin(), inner, (x,)), (x,))

    return module(f), [(flag(p), flag(q), floats(3)) for p in (1, 0) for q in (1, 0)]


@case
def cond_empty():
    f = lambda p, x: torch.cond(p, lambda x: (x + 1, x.sum(0)), lambda x: (x * 2, x.prod(0)), (x,))
    return module(f), [(flag(p), floats(n, 2)) for p in (1, 0) for n in (3, 0, 1)], (None, {0: N()})


@case
def cond_weights():
    """Branches with parameters and buffers of the model, and constants."""

    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
            self.register_buffer("scale", torch.linspace(0.5, 2, 8))

        def forward(self, p, x):
            first = lambda x: self.a(x) * self.scale + torch.arange(8)
            return torch.cond(p, first, lambda x: self.b(x).relu() - self.scale, (x,))

    return Experts(), [(flag(p), floats(3, 8)) for p in (1, 0)]


@case
def cond_dtypes():
    def f(p, h, b, i):
        one = lambda h, b, i: (h * 2, b.sin(), i // 2, i > 3)
        two = lambda h, b, i: (h + h.abs(), b.exp(), i * 3, i < 3)
        return torch.cond(p, one, two, (h, b, i))

    inputs = [(flag(p), floats(5).half(), floats(5).bfloat16(), ints(-9, 9, 5)) for p in (1, 0)]
    return module(f), inputs


@case
def cond_shapes_differ():
    """Branches of different sizes: the result's is known after them."""
    f = lambda p, x: torch.cond(p, lambda x: x[:2] * 2, lambda x: x[1:] + 1, (x,)).sum(1)
    return module(f), [(flag(p), floats(5, 3)) for p in (1, 0)]


@case
def cond_half_predicate():
    f = lambda h, x: torch.cond(h.sum() > 0.5, lambda x: x + 1, lambda x: x - 1, (x,))
    return module(f), [(torch.tensor([a, b], dtype=torch.half), floats(3)) for a, b in ((0.25, 0.5), (-0.0, 0.0))]


# Loops.


@case
def while_count():
    def f(n, x):
        return while_loop(lambda n, x: n > 0, lambda n, x: (n - 1, x * 1.5 + 1), (n, x))

    return module(f), [(torch.tensor(n), floats(3, 2)) for n in (4, 0, 1, 7, -3)]


@case
def while_data():
    """Until a value of the data is reached."""

    def f(x):
        return while_loop(lambda x: x.abs().max() < 100, lambda x: (x * 2,), (x,))

    return module(f), [(floats(4),), (floats(4) * 1000,), (floats(4) * 1e-3,)]


@case
def while_same_tensor():
    """Two carried values that begin as one tensor."""

    def f(n, x):
        y = x.sin()
        body = lambda n, a, b: (n - 1, a + b, b * 2)
        return while_loop(lambda n, a, b: n > 0, body, (n, y, y))

    return module(f), [(torch.tensor(n), floats(3)) for n in (3, 0, 1)]


@case
def while_swap():
    def f(n, x, y):
        body = lambda n, x, y: (n - 1, y.clone(), x.clone())
        return while_loop(lambda n, x, y: n > 0, body, (n, x, y))

    return module(f), [(torch.tensor(n), floats(3), floats(3)) for n in (3, 0, 1, 4)]


@case
def while_rotate():
    """Each carried value is another's last one, and one of them is unchanged."""

    def f(n, x, y, z):
        body = lambda n, x, y, z: (n - 1, y.clone(), (x + z) / 2, z.clone())
        return while_loop(lambda n, x, y, z: n > 0, body, (n, x, y, z))[1:]

    return module(f), [(torch.tensor(n), floats(3), floats(3), floats(3)) for n in (5, 0, 2)]


@case
def while_input_intact():
    """With no turn the result is the input's value, and in-place on it leaves the input."""

    def f(n, x):
        y = x.view(-1, 1).sin()
        n, z = while_loop(lambda n, v: (n > 0).reshape(()), lambda n, v: (n - 1, v + 1), (n, y))
        return n, z.sin_(), y.cos_()

    return module(f), [(torch.tensor(n), floats(3, 1)) for n in (0, 3)]


@case
def while_sizes():
    """Sizes of the outer graph inside a body."""

    def f(x, y):
        n, m = x.shape[0], y.shape[0]
        body = lambda i, x: (i + 1, x * n + m)
        return while_loop(lambda i, x: i < m, body, (torch.tensor(0), x))

    sizes = {0: Dim("d", min=0, max=9)}, {0: Dim("e", min=0, max=9)}
    return module(f), [(floats(a), floats(b)) for a, b in ((3, 4), (2, 0), (0, 3), (1, 1))], sizes


@case
def while_sizes_carried():
    """Two numbers that begin as sizes are carried, one of them in circles."""

    def f(x, y):
        body = lambda i, k, x: (i - 1, k * 2 - i, x + k)
        return while_loop(lambda i, k, x: i > 0, body, (x.shape[0], y.shape[0], x))

    sizes = {0: Dim("d", min=1, max=9)}, {0: Dim("e", min=2, max=9)}
    return module(f), [(floats(a, 2), floats(b)) for a, b in ((3, 4), (2, 9), (9, 2), (1, 3))], sizes


@case
def while_int_result():
    """A carried number is a result, and is used after the loop."""

    def f(n, x):
        i, _, y = while_loop(
            lambda i, n, x: (i < n) & (x.sum() < 50), lambda i, n, x: (i + 2, n.clone(), x * 2), (x.shape[0], n, x)
        )
        return i, y + i

    return module(f), [(torch.tensor(n), floats(k).abs()) for n, k in ((6, 3), (0, 3), (5, 4), (100, 2))], (None, {0: N(2)})


@case
def while_size_carried():
    """A size begins a carried number."""

    def f(x):
        i, y = while_loop(lambda i, x: i > 0, lambda i, x: (i - 1, x + i), (x.shape[0], x))
        return y

    return module(f), [(floats(n, 2),) for n in (3, 5, 2)], ({0: N(2)},)


@case
def while_numbers():
    """Integers, halves, truth values, and eight-bit numbers are carried."""

    def f(i, h, b, u):
        body = lambda i, h, b, u: (i - 1, h * 1.25, ~b, u + 100)
        return while_loop(lambda i, h, b, u: i > 0, body, (i, h, b, u))

    inputs = [
        (torch.tensor(n, dtype=torch.int32), floats(3).half(), floats(3) > 0, ints(0, 200, 3).to(torch.uint8))
        for n in (5, 0, 2)
    ]
    return module(f), inputs


@case
def while_nested():
    def f(n, x):
        inner = lambda x: while_loop(lambda x: x.sum() < 10, lambda x: (x + 1,), (x,))[0]
        return while_loop(lambda n, x: n > 0, lambda n, x: (n - 1, inner(x) / 2), (n, x))

    return module(f), [(torch.tensor(n), floats(4)) for n in (3, 0, 1)]


@case
def while_with_cond():
    def f(n, x):
        step = lambda n, x: torch.cond(n % 2 == 0, lambda x: x * 3 + 1, lambda x: x / 2, (x,))
        return while_loop(lambda n, x: n > 0, lambda n, x: (n - 1, step(n, x)), (n, x))

    return module(f), [(torch.tensor(n), floats(4)) for n in (5, 0, 1, 2)]


@case
def cond_with_while():
    def f(p, n, x):
        loop = lambda n, x: while_loop(lambda n, x: n > 0, lambda n, x: (n - 1, x + x.mean()), (n, x))[1]
        return torch.cond(p, loop, lambda n, x: x - n, (n, x))

    return module(f), [(flag(p), torch.tensor(n), floats(4)) for p in (1, 0) for n in (0, 3)]


@case
def while_weights():
    """A recurrent cell until it settles or a limit is met."""

    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(6, 6)

        def forward(self, x, limit):
            def body(n, h):
                return n + 1, self.cell(x, h)

            return while_loop(lambda n, h: n < limit, body, (torch.zeros_like(limit), torch.zeros_like(x)))

    return Cell(), [(floats(2, 6), torch.tensor(n)) for n in (4, 0, 9)]


@case
def while_empty():
    f = lambda n, x: while_loop(lambda n, x: n > 0, lambda n, x: (n - 1, x + 1), (n, x))
    return module(f), [(torch.tensor(k), floats(n, 2)) for k, n in ((3, 4), (3, 0), (0, 0))], (None, {0: N()})


# Scans.


@case
def scan_sum():
    f = lambda x: scan(lambda c, x: (c + x, c * x), torch.zeros(3), x)
    return module(f), [(floats(5, 3),)]


@case
def scan_length():
    f = lambda c, x: scan(lambda c, x: (c * 0.5 + x, c.sin()), c, x)
    return module(f), [(floats(3), floats(n, 3)) for n in (5, 2, 17, 1)], (None, {0: N(1)})


@case
def scan_many():
    """Several carried values, sequences and results, of several dtypes."""

    def f(a, b, x, y):
        def step(carry, xs):
            a, b = carry
            return [a + xs[0], b + xs[1].sum()], [a * 2, xs[1] + b, xs[0] > 0]

        return scan(step, [a, b], [x, y])

    return module(f), [(floats(3), torch.tensor(0), floats(4, 3), ints(-5, 5, 4, 2))]


@case
def scan_reverse():
    f = lambda c, x: scan(lambda c, x: (c + x, c + 2 * x), c, x, reverse=True)
    return module(f), [(floats(3), floats(4, 3))]


@case
def scan_dim():
    f = lambda c, x: scan(lambda c, x: (c + x, c - x), c, x, dim=1)
    return module(f), [(floats(3), floats(3, 4))]


@case
def scan_weights():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(7, 4)

        def forward(self, h, x):
            def step(h, x):
                h = torch.tanh(self.cell(torch.cat([h, x], -1)))
                return h, h.clone()

            return scan(step, h, x)

    return Cell(), [(floats(2, 4), floats(n, 2, 3)) for n in (5, 2)], (None, {0: N(2)})


@case
def scan_with_cond():
    def f(c, x):
        step = lambda c, x: torch.cond(x.sum() > 0, lambda c, x: (c + x, c * 1), lambda c, x: (c - x, x * 2), (c, x))
        return scan(step, c, x)

    return module(f), [(floats(3), floats(6, 3))]


@case
def scan_outer_size():
    def f(c, x, y):
        n = y.shape[0]
        return scan(lambda c, x: (c + x * n, c + n), c, x)

    return module(f), [(floats(3), floats(4, 3), floats(n)) for n in (5, 2)], (None, None, {0: N(2)})


@case
def map_rows():
    f = lambda x, y: map_over(lambda x, y: x.softmax(0) * y + 1, x, y)
    return module(f), [(floats(n, 3), floats(3)) for n in (4, 1, 9)], ({0: N(1)}, None)


@case
def map_tree():
    f = lambda x, y: map_over(lambda xs, c: (xs[0] + xs[1], xs[0].sum() + c), (x, y), torch.tensor(2.0))
    return module(f), [(floats(3, 2), floats(3, 2))]


@case
def associative_sum():
    f = lambda x: associative_scan(torch.add, x, dim=0, combine_mode="generic")
    return module(f), [(floats(7, 3),), (floats(7, 3),)]


@case
def associative_pair():
    """A linear recurrence, from the end, along the second dimension."""

    def f(a, b):
        combine = lambda x, y: (x[0] * y[0], x[1] * y[0] + y[1])
        return associative_scan(combine, (a, b), dim=1, reverse=True, combine_mode="generic")

    return module(f), [(floats(2, 6), floats(2, 6))]


# Shared bodies. The exporter keeps them only of functions that see nothing but their arguments.

region = torch.compiler.nested_compile_region


@region
def layer(x, w, b):
    return torch.nn.functional.gelu(x @ w.t() + b) + x


@region
def doubled_sine(x):
    return x.sin() * 2


@region
def both(x, y):
    return doubled_sine(x) + doubled_sine(y)


@region
def sized(x):
    return x.softmax(0) + x.shape[0]


@region
def several(x, y):
    return x + y, x.clone(), (x * y).sum()


@case
@strict
def shared_layers():
    """A region called from several places with other weights each."""

    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

        def forward(self, x):
            for it in self.layers:
                x = layer(x, it.weight, it.bias)
            return x

    return Layers(), [(floats(3, 8),)]


@case
@strict
def shared_nested():
    f = lambda x, y: both(x, y) - both(y, x) * x
    return module(f), [(floats(3), floats(3))]


@case
@strict
def shared_sizes():
    """One region for several sizes."""
    f = lambda x, y: (sized(x), sized(y), sized(torch.cat([x, y])))
    sizes = {0: Dim("d", min=2, max=9)}, {0: Dim("e", min=2, max=9)}
    return module(f), [(floats(a), floats(b)) for a, b in ((3, 4), (2, 9), (5, 5))], sizes


@case
@strict
def shared_results():
    """A region with several results, one of them an operand's value."""

    def f(x):
        a, b, c = several(x, x.cos())
        return several(b * c, a)

    return module(f), [(floats(3),)]


# Other modes.


@case
def no_grad_region():
    def f(x):
        y = x + 1
        with torch.no_grad():
            z = y.sin() * 2
        with torch.enable_grad():
            w = z * y
        return w + z

    return module(f), [(floats(3),)]


@case
def autocast_region():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            with torch.autocast("cpu", enabled=False):
                y = self.one(x).relu()
            return self.two(y)

    return Net(), [(floats(3, 8),)]
