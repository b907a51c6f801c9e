"""A generation loop: a small Llama-like model, and greedy choice until a token or a limit."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch._higher_order_ops import while_loop

from cases import case

VOCABULARY, WIDTH, HEADS, LAYERS, LONGEST = 64, 32, 4, 2, 24
LAST = 7


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class Layer(nn.Module):
    """One token at a place, with the keys and values of those before it."""

    def __init__(self):
        super().__init__()
        linear = lambda a, b: nn.Linear(a, b, bias=False)
        self.first, self.second = Norm(), Norm()
        self.q, self.k, self.v = (linear(WIDTH, WIDTH) for _ in range(3))
        self.o = linear(WIDTH, WIDTH)
        self.gate, self.up, self.down = linear(WIDTH, 64), linear(WIDTH, 64), linear(64, WIDTH)

    def forward(self, x, place, turn, keys, values):
        h = self.first(x)
        heads = lambda it: it.view(1, HEADS, 1, WIDTH // HEADS)
        cos, sin = turn

        def rotated(it):
            a, b = it.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        q, k, v = rotated(heads(self.q(h))), rotated(heads(self.k(h))), heads(self.v(h))
        keys = keys.index_copy(2, place.view(1), k)
        values = values.index_copy(2, place.view(1), v)
        seen = (torch.arange(LONGEST) <= place).view(1, 1, 1, LONGEST)
        y = F.scaled_dot_product_attention(q, keys, values, attn_mask=seen)
        x = x + self.o(y.reshape(1, WIDTH))
        h = self.second(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h)), keys, values


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = Norm()
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        half = WIDTH // HEADS // 2
        angles = torch.outer(torch.arange(LONGEST), 100.0 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def step(self, token, place, caches):
        x = self.embedding(token.view(1))
        turn = [it.index_select(0, place.view(1)) for it in (self.cos, self.sin)]
        news = []
        for layer, keys, values in zip(self.layers, caches[0::2], caches[1::2]):
            x, keys, values = layer(x, place, turn, keys, values)
            news += [keys, values]
        return self.head(self.norm(x)).argmax(-1).view(()), news

    def forward(self, prompt, limit):
        """Tokens from the prompt on, and how many there are."""
        caches = [torch.zeros(1, HEADS, LONGEST, WIDTH // HEADS) for _ in range(2 * LAYERS)]
        tokens = F.pad(prompt, (0, LONGEST - prompt.shape[0]))

        def goes_on(place, token, tokens, *caches):
            return (place < limit) & (token != LAST)

        def body(place, token, tokens, *caches):
            new, caches = self.step(token, place, caches)
            at = place + 1
            given = torch.where(at < prompt.shape[0], tokens.index_select(0, at.view(1)).view(()), new)
            return (at, given.clone(), tokens.index_copy(0, at.view(1), given.view(1)), *caches)

        place = torch.zeros((), dtype=torch.int64)
        place, _, tokens, *_ = while_loop(goes_on, body, (place, prompt[0].clone(), tokens, *caches))
        return tokens, place + 1


@case
def generation():
    prompts = [[1, 2, 3], [5, 9, 33], [LAST, 1, 1], [40, 41, 50], [12, 30, 63]]
    limits = [LONGEST - 1, 10, 20, 0, LONGEST - 1]
    inputs = [(torch.tensor(p), torch.tensor(n)) for p, n in zip(prompts, limits)]
    return Generator(), inputs


@case
def generation_of_any_prompt():
    """The prompt's length is a size."""
    inputs = [(torch.randint(8, VOCABULARY, (n,)), torch.tensor(LONGEST - 1)) for n in (3, 2, 9, LONGEST)]
    return Generator(), inputs, ({0: torch.export.Dim("n", min=2, max=LONGEST)}, None)
