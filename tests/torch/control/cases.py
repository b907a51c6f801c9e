"""What the files of cases share: how a case is said, exported, and compared.

A case is a function that gives a model, inputs for it (the first are those it is exported with),
and its dynamic shapes. Inputs wrapped in `Fails` must stop the run with that message.
"""
import torch

CASES = {}
# Cases that are traced by bytecode: the exporter keeps regions that are compiled once only there.
STRICT = set()


class Fails:
    """Inputs that an assertion of the program refuses, and a part of its message."""

    def __init__(self, message, *inputs):
        self.message, self.inputs = message, inputs


def case(make):
    assert make.__name__ not in CASES, make.__name__
    CASES[make.__name__] = make
    return make


def strict(make):
    STRICT.add(make.__name__)
    return make


def module(function):
    """A function of tensors as a model."""

    class Model(torch.nn.Module):
        def forward(self, *args):
            return function(*args)

    # The exporter wants names for its dynamic shapes.
    count = function.__code__.co_argcount
    names = ", ".join(function.__code__.co_varnames[:count])
    scope = {"function": function}
    exec(f"def forward(self, {names}):\n    return function({names})", scope)
    Model.forward = scope["forward"]
    return Model()


def floats(*shape):
    return torch.randn(shape)


def ints(low, high, *shape):
    return torch.randint(low, high, shape)


def flag(value):
    return torch.tensor(bool(value))
