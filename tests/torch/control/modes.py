"""Regions that run in another mode, loops that keep every turn, and weights and state as results."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch._higher_order_ops.while_loop import while_loop_stack_output_op

from cases import case, flag, floats, module

half = lambda dtype=torch.bfloat16, **rest: torch.autocast("cpu", dtype=dtype, **rest)


# Autocast.


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(8, 20), nn.LayerNorm(20), nn.Linear(20, 6)

    def forward(self, x):
        with half():
            y = self.norm(self.first(x)).relu()
            return self.second(y), y.softmax(-1), y.sum(0)


@case
def autocast_layers():
    return Layers(), [(floats(5, 8),), (floats(5, 8) * 10,)]


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.up = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 4, 2, stride=2)

    def forward(self, x):
        with half():
            y = self.norm(self.conv(x)).relu()
            return self.up(y), F.adaptive_avg_pool2d(y, 1)


@case
def autocast_images():
    return Images(), [(floats(2, 3, 8, 8),)]


@case
def autocast_half():
    def f(x, y):
        with half(torch.float16):
            return x @ y, torch.bmm(x.view(1, 4, 6), y.view(1, 6, 3)), x + 1

    return module(f), [(floats(4, 6), floats(6, 3))]


@case
def autocast_nested():
    """Off inside, on again inside that; float64 is left alone."""

    def f(x, y, z):
        with half():
            a = x @ y
            with torch.autocast("cpu", enabled=False):
                b = x @ y
                with half():
                    c = x @ y
            return a, b, c, z @ z, torch.einsum("ij,jk->ki", x, y)

    return module(f), [(floats(4, 6), floats(6, 3), floats(3, 3).double())]


@case
def autocast_widest():
    def f(x, y):
        with half():
            a = x @ y
            b = torch.cat([a, x[:, :3]]), torch.cat([a, a]), torch.stack([a, a.relu()])
            return *b, F.mse_loss(a, a * 2), torch.fft.rfft(a).abs(), F.pad(a[None], (1, 1), mode="reflect")

    return module(f), [(floats(4, 6), floats(6, 3))]


@case
def autocast_attention():
    def f(q, k, v, mask):
        with half():
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask), q * 2

    heads = lambda: floats(1, 2, 5, 8)
    return module(f), [(heads(), heads(), heads(), floats(5, 5))]


# Loops that keep every turn.


@case
def stacked_turns():
    f = lambda n, x: while_loop_stack_output_op(lambda i, x: i < 4, lambda i, x: (i + 1, x * 2 + 1), (n, x), ())
    return module(f), [(torch.tensor(n), floats(3)) for n in (0, 3, 4, 9, -7)]


@case
def stacked_with_extra():
    """Tensors and sizes of the outer graph, and what follows computes with the stacks."""

    def f(n, x, w):
        size = x.shape[0]
        i, y = while_loop_stack_output_op(
            lambda i, x, w, n: (i < n) & (x.abs().max() < 1e3),
            lambda i, x, w, n: (i + 1, (x @ w) + size),
            (torch.tensor(0), x),
            (w, n),
        )
        return i.sum(), y.mean(0), y[-1] + 1

    inputs = [(torch.tensor(n), floats(a, 4), floats(4, 4)) for n, a in ((0, 2), (1, 3), (6, 5))]
    return module(f), inputs, (None, {0: torch.export.Dim("n", min=2, max=9)}, None)


# What the model has, as results.


class Owner(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(floats(3, 4))
        self.register_buffer("fixed", floats(4))
        self.register_buffer("state", floats(2, 4))


@case
def weights_back():
    class Model(Owner):
        def forward(self, x):
            return self.weight, self.weight.t(), self.fixed, x + self.fixed, self.weight[1], x

    return Model(), [(floats(4),), (floats(4),)]


@case
def state_back():
    class Model(Owner):
        def forward(self, x):
            self.state.add_(x)
            return x * 2, self.state, self.state.t(), self.state[1], self.fixed

    return Model(), [(floats(4),)]


@case
def state_row_back():
    class Model(Owner):
        def forward(self, x):
            self.state[1] = x
            return self.state, self.state[0], self.state[1:]

    return Model(), [(floats(4),)]
