#!/usr/bin/env python3
"""Models of many kinds with random weights, compiled and compared with eager PyTorch.

    models.py TINTYPE OUT [NAME ...] [--export-only]

TINTYPE is the compiler's binary. Each model is exported into OUT (`NAME.pt2`, beside it
`NAME.io.safetensors` with inputs and what eager gives); then `tintype run --check` compiles it,
runs it and compares. Exit status 0 if all agree.

Needs torch, torchvision, timm, transformers and safetensors. Nothing is downloaded.
"""
import argparse
import pathlib
import subprocess
import sys
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

warnings.filterwarnings("ignore")
Dim = torch.export.Dim
MODELS = {}


def model(make):
    MODELS[make.__name__] = make
    return make


class Calls(nn.Module):
    """A module whose forward is a function of another module and tensors."""

    def __init__(self, inner, call):
        super().__init__()
        self.inner, self.call = inner, call

    def forward(self, *tensors):
        return self.call(self.inner, *tensors)


@model
def t5():
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, vocab_size=200,
                      use_cache=False)
    inner = T5ForConditionalGeneration(config)
    run = Calls(inner, lambda m, ids, out: m(input_ids=ids, decoder_input_ids=out,
                                             use_cache=False).logits)
    return run, (torch.randint(0, 200, (2, 12)), torch.randint(0, 200, (2, 7))), {}


@model
def mixture_of_experts():
    """Top-2 routing, every expert on every token, weighted: the exportable form."""

    class Experts(nn.Module):
        def __init__(self, width=32, experts=4):
            super().__init__()
            self.gate = nn.Linear(width, experts, bias=False)
            self.up = nn.Parameter(torch.randn(experts, width, 64) * 0.1)
            self.down = nn.Parameter(torch.randn(experts, 64, width) * 0.1)

        def forward(self, x):
            weight, chosen = self.gate(x).softmax(-1).topk(2, -1)
            weight = weight / weight.sum(-1, keepdim=True)
            hidden = F.silu(torch.einsum("btw,ewh->bteh", x, self.up))
            given = torch.einsum("bteh,ehw->btew", hidden, self.down)
            index = chosen[..., None].expand(*chosen.shape, given.shape[-1])
            return (given.gather(2, index) * weight[..., None]).sum(2)

    return nn.Sequential(nn.LayerNorm(32), Experts()), (torch.randn(2, 9, 32),), {
        "dynamic_shapes": ({0: Dim("B", min=1, max=8), 1: Dim("T", min=2, max=64)},)}


@model
def wav2vec2():
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
                            intermediate_size=96, conv_dim=(32, 32, 32), conv_stride=(5, 2, 2),
                            conv_kernel=(10, 3, 3), num_feat_extract_layers=3,
                            num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
                            apply_spec_augment=False)
    run = Calls(Wav2Vec2Model(config), lambda m, x: m(x).last_hidden_state)
    return run, (torch.randn(1, 1600),), {}


@model
def retina_head():
    """A detection backbone with its pyramid and heads; the boxes are decoded, not suppressed."""
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.retinanet import RetinaNetHead
    from torchvision.ops import FeaturePyramidNetwork
    from torchvision.models import resnet18

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            body = resnet18()
            self.stem = nn.Sequential(body.conv1, body.bn1, body.relu, body.maxpool, body.layer1)
            self.layers = nn.ModuleList([body.layer2, body.layer3, body.layer4])
            self.pyramid = FeaturePyramidNetwork([128, 256, 512], 32)
            self.head = RetinaNetHead(32, 3, 5)
            sizes = tuple((size,) for size in (32, 64, 128))
            self.anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 3)

        def forward(self, x):
            features, y = {}, self.stem(x)
            for i, layer in enumerate(self.layers):
                y = features[str(i)] = layer(y)
            maps = list(self.pyramid(features).values())
            found = self.head(maps)
            score, label = found["cls_logits"].sigmoid().max(-1)
            best, index = score.topk(20, -1)
            shift = found["bbox_regression"]
            boxes = shift.gather(1, index[..., None].expand(-1, -1, 4))
            return best, label.gather(1, index), boxes[..., :2].tanh(), boxes[..., 2:].exp()

    return Detector(), (torch.randn(1, 3, 96, 96),), {}


@model
def diffusion_unet():
    """A denoiser: time embedding, residual blocks with group norms, attention, skips."""

    class Block(nn.Module):
        def __init__(self, wide, out, time):
            super().__init__()
            self.first = nn.Sequential(nn.GroupNorm(4, wide), nn.SiLU(), nn.Conv2d(wide, out, 3, 1, 1))
            self.time = nn.Linear(time, out)
            self.second = nn.Sequential(nn.GroupNorm(4, out), nn.SiLU(), nn.Conv2d(out, out, 3, 1, 1))
            self.skip = nn.Conv2d(wide, out, 1)

        def forward(self, x, time):
            return self.second(self.first(x) + self.time(time)[:, :, None, None]) + self.skip(x)

    class Attend(nn.Module):
        def __init__(self, wide):
            super().__init__()
            self.norm, self.qkv = nn.GroupNorm(4, wide), nn.Conv2d(wide, 3 * wide, 1)
            self.out = nn.Conv2d(wide, wide, 1)

        def forward(self, x):
            b, c, h, w = x.shape
            q, k, v = self.qkv(self.norm(x)).reshape(b, 3, 2, c // 2, h * w).transpose(-1, -2).unbind(1)
            y = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).reshape(b, c, h, w)
            return x + self.out(y)

    class Denoiser(nn.Module):
        def __init__(self, wide=16, time=32):
            super().__init__()
            self.register_buffer("rates", torch.exp(-torch.arange(16) * 0.5))
            self.time = nn.Sequential(nn.Linear(32, time), nn.SiLU(), nn.Linear(time, time))
            self.enter = nn.Conv2d(3, wide, 3, 1, 1)
            self.down = nn.ModuleList([Block(wide, wide, time), Block(wide, 2 * wide, time)])
            self.shrink = nn.Conv2d(wide, wide, 3, 2, 1)
            self.middle, self.attend = Block(2 * wide, 2 * wide, time), Attend(2 * wide)
            self.up = nn.ModuleList([Block(4 * wide, wide, time), Block(2 * wide, wide, time)])
            self.leave = nn.Sequential(nn.GroupNorm(4, wide), nn.SiLU(), nn.Conv2d(wide, 3, 3, 1, 1))

        def forward(self, x, step):
            phase = step[:, None] * self.rates
            time = self.time(torch.cat([phase.sin(), phase.cos()], -1))
            first = self.down[0](self.enter(x), time)
            second = self.down[1](self.shrink(first), time)
            y = self.attend(self.middle(second, time))
            y = self.up[0](torch.cat([y, second], 1), time)
            y = F.interpolate(y, scale_factor=2.0, mode="nearest")
            return self.leave(self.up[1](torch.cat([y, first], 1), time))

    return Denoiser(), (torch.randn(2, 3, 16, 16), torch.tensor([3.0, 250.0])), {}


@model
def state_space():
    """A diagonal state-space layer (S4D) by convolution with its kernel, through the spectrum."""

    class Layer(nn.Module):
        def __init__(self, width=8, states=16):
            super().__init__()
            self.log_step = nn.Parameter(torch.rand(width) - 3)
            self.decay = nn.Parameter(torch.rand(width, states))
            self.angle = nn.Parameter(torch.arange(states).float().repeat(width, 1))
            self.c = nn.Parameter(torch.randn(width, states, 2))
            self.d = nn.Parameter(torch.randn(width))

        def forward(self, x):
            length = x.shape[-1]
            rate = torch.complex(-self.decay.exp(), torch.pi * self.angle)
            step = rate * self.log_step.exp()[:, None]
            power = torch.exp(step[..., None] * torch.arange(length))
            c = torch.view_as_complex(self.c) * (torch.exp(step) - 1) / rate
            kernel = 2 * torch.einsum("ws,wsl->wl", c, power).real
            both = torch.fft.rfft(kernel, n=2 * length) * torch.fft.rfft(x, n=2 * length)
            y = torch.fft.irfft(both, n=2 * length)[..., :length]
            return F.gelu(y + x * self.d[:, None])

    return nn.Sequential(Layer(), Layer()), (torch.randn(2, 8, 100),), {}


@model
def mamba():
    from transformers import MambaConfig, MambaModel

    config = MambaConfig(hidden_size=32, num_hidden_layers=2, state_size=8, vocab_size=100,
                         use_cache=False)
    run = Calls(MambaModel(config), lambda m, ids: m(ids, use_cache=False).last_hidden_state)
    return run, (torch.randint(0, 100, (1, 10)),), {}


@model
def deberta():
    from transformers import DebertaV2Config, DebertaV2Model

    config = DebertaV2Config(hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
                             intermediate_size=96, vocab_size=100, relative_attention=True,
                             pos_att_type=["p2c", "c2p"], max_position_embeddings=64)
    run = Calls(DebertaV2Model(config), lambda m, ids, mask: m(ids, attention_mask=mask).last_hidden_state)
    return run, (torch.randint(0, 100, (2, 11)), torch.ones(2, 11, dtype=torch.long)), {}


@model
def graph_attention():
    """Attention over the edges of a graph: gathers, and sums scattered to the nodes."""

    class Layer(nn.Module):
        def __init__(self, wide, out, heads=2):
            super().__init__()
            self.heads, self.out = heads, out
            self.project = nn.Linear(wide, heads * out, bias=False)
            self.score = nn.Parameter(torch.randn(heads, 2 * out) * 0.3)

        def forward(self, x, edges):
            source, target = edges[0], edges[1]
            h = self.project(x).view(-1, self.heads, self.out)
            pair = torch.cat([h[source], h[target]], -1)
            score = F.leaky_relu((pair * self.score).sum(-1), 0.2)
            top = torch.full((x.shape[0], self.heads), float("-inf")).scatter_reduce(
                0, target[:, None].expand(-1, self.heads), score, "amax")
            power = torch.exp(score - top[target])
            total = torch.zeros(x.shape[0], self.heads).index_add(0, target, power)
            weight = power / total[target]
            y = torch.zeros_like(h).index_add(0, target, weight[..., None] * h[source])
            return F.elu(y.flatten(1))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Layer(12, 8), Layer(16, 4)

        def forward(self, x, edges):
            return self.second(self.first(x, edges), edges).log_softmax(-1)

    edges = torch.cat([torch.randint(0, 20, (2, 60)), torch.arange(20).repeat(2, 1)], 1)
    return Net(), (torch.randn(20, 12), edges), {}


@model
def segmentation():
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    inner = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)
    return Calls(inner, lambda m, x: m(x)["out"].argmax(1)), (torch.randn(1, 3, 64, 64),), {}


@model
def video():
    from torchvision.models.video import r3d_18

    return r3d_18(num_classes=7), (torch.randn(1, 3, 4, 32, 32),), {}


@model
def super_resolution():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 16, 5, padding=2), nn.PReLU(16),
                                      nn.Conv2d(16, 27, 3, padding=1), nn.PixelShuffle(3))

        def forward(self, x):
            return self.body(x) + F.interpolate(x, scale_factor=3, mode="bicubic")

    return Net(), (torch.rand(1, 3, 20, 17),), {}


@model
def gaussian_process():
    """Regression with a kernel: distances, a Cholesky factor, triangular solutions."""

    class Process(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("known", torch.randn(24, 3))
            self.register_buffer("values", torch.randn(24, 1))

        def kernel(self, a, b):
            return torch.exp(-0.5 * torch.cdist(a, b) ** 2)

        def forward(self, x):
            noisy = self.kernel(self.known, self.known) + 0.1 * torch.eye(24)
            factor = torch.linalg.cholesky(noisy)
            weight = torch.cholesky_solve(self.values, factor)
            cross = self.kernel(x, self.known)
            half = torch.linalg.solve_triangular(factor, cross.T, upper=False)
            return cross @ weight, 1 - (half * half).sum(0)

    return Process(), (torch.randn(6, 3),), {}


@model
def boxes():
    """What stands behind a detector: suppression of overlaps, and features within boxes."""
    import torchvision.ops as ops

    def run(_, features, boxes, scores):
        return (ops.nms(boxes, scores, 0.5), ops.roi_align(features, [boxes], 7, 0.25, 2),
                ops.roi_align(features, [boxes], (3, 5), 0.25, 3, aligned=True))

    corner = torch.rand(40, 2) * 20
    boxes = torch.cat([corner, corner + torch.rand(40, 2) * 20 + 1], 1)
    return Calls(nn.Identity(), run), (torch.randn(1, 3, 16, 16), boxes, torch.rand(40)), {}


@model
def deformable():
    """Convolutions whose places move, with masks, strides and two groups of offsets."""
    import torchvision.ops as ops

    class Deformable(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = ops.DeformConv2d(4, 6, 3, padding=1)
            self.second = ops.DeformConv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)

        def forward(self, x, near, far, mask):
            return self.first(x, near), self.second(x, far, mask.sigmoid())

    far = torch.randn(2, 2 * 2 * 6, 4, 5) * 3
    return Deformable(), (torch.randn(2, 4, 8, 8), torch.randn(2, 18, 8, 8), far,
                          torch.randn(2, 2 * 6, 4, 5)), {}


@model
def quantized():
    """Weights and activations of eight bits, as a quantised export has them; fake ones besides."""
    import torch.ao.quantization.fx._decomposed  # noqa: F401  declares its operators

    class Quantized(nn.Module):
        def __init__(self):
            super().__init__()
            weight = torch.randint(-127, 128, (8, 16), dtype=torch.int8)
            self.weight = nn.Parameter(weight, requires_grad=False)
            self.scale = nn.Buffer(torch.rand(8) * 0.01 + 0.001)
            self.zero = nn.Buffer(torch.zeros(8, dtype=torch.int64))

        def forward(self, x):
            q = torch.ops.quantized_decomposed
            like = (-128, 127, torch.int8)
            x = q.quantize_per_tensor(x, 0.031, 3, *like)
            x = q.dequantize_per_tensor(x, 0.031, 3, *like)
            weight = q.dequantize_per_channel(self.weight, self.scale, self.zero, 0, *like)
            y = q.quantize_per_tensor(F.linear(x, weight), 0.05, -5, *like)
            fake = torch.fake_quantize_per_tensor_affine(x, 0.04, 3, -128, 127)
            return y, q.dequantize_per_tensor(y, 0.05, -5, *like), fake

    return Quantized(), (torch.randn(5, 16),), {}


@model
def mixtral():
    """A mixture of experts whose rows are sorted by expert, each group with its own weights."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                           num_key_value_heads=2, intermediate_size=64, vocab_size=99,
                           num_local_experts=4, use_cache=False)
    run = Calls(MixtralForCausalLM(config), lambda m, ids: m(ids).logits)
    return run, (torch.randint(0, 99, (2, 12)),), {}


# Any number of sequences of any length.
FREE = {"dynamic_shapes": {"tensors": ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC},)}}


@model
def mpnet():
    """Batch and length are free: what is planned depends on products of both."""
    from transformers import MPNetConfig, MPNetModel

    config = MPNetConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                         intermediate_size=128, vocab_size=200)
    run = Calls(MPNetModel(config), lambda m, ids: m(input_ids=ids)[0])
    return run, (torch.randint(3, 200, (2, 11)),), FREE


@model
def mamba2():
    """Lengths are padded to whole chunks."""
    from transformers import Mamba2Config, Mamba2ForCausalLM

    config = Mamba2Config(hidden_size=64, num_hidden_layers=2, num_heads=8, head_dim=16,
                          vocab_size=200, state_size=16, n_groups=1, chunk_size=8)
    run = Calls(Mamba2ForCausalLM(config), lambda m, ids: m(input_ids=ids, use_cache=False).logits)
    return run, (torch.randint(3, 200, (2, 11)),), FREE


def export(name, folder):
    torch.manual_seed(0)
    module, inputs, options = MODELS[name]()
    module = module.eval()
    with torch.no_grad():
        program = torch.export.export(module, inputs, strict=False, **options)
        wanted = module(*[it.clone() for it in inputs])
    save(name, folder, program, inputs, pytree.tree_leaves(wanted))


def save(name, folder, program, inputs, outputs):
    from safetensors.torch import save_file

    tensors = {f"input_{k}": it.contiguous().clone() for k, it in enumerate(inputs)}
    tensors |= {f"output_{k}": it.contiguous().clone() for k, it in enumerate(outputs)}
    torch.export.save(program, folder / f"{name}.pt2")
    save_file(tensors, folder / f"{name}.io.safetensors")


def check(tintype, name, folder):
    command = [tintype, "run", folder / f"{name}.pt2", "--check",
               "--inputs", folder / f"{name}.io.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    print(f"{name:20} {'agrees' if done.returncode == 0 else 'FAILS'}  {lines[-1] if lines else ''}")
    if done.returncode != 0:
        print("   ", "\n    ".join(lines[:12]))
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tintype")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in args.names or MODELS:
        try:
            if not (args.out / f"{name}.io.safetensors").exists():
                export(name, args.out)
        except Exception as error:
            print(f"{name:20} is not exported: {type(error).__name__} {str(error)[:300]}")
            failed.append(name)
            continue
        if not args.export_only and not check(args.tintype, name, args.out):
            failed.append(name)
        sys.stdout.flush()
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
