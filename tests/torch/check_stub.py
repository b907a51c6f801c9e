#!/usr/bin/env python3
"""Loads the packages of the models written by hand in real PyTorch.

    cargo run -p runtime --example stub_packages -- FOLDER
    check_stub.py FOLDER

Exit status 0 if PyTorch's loader takes the packages, says nothing on stderr while
it does, and the models give what they should, refuse what they should, and keep
aliases, writes and state. Needs torch (2.6 or newer) and nothing else.
"""
import ctypes
import os
import sys
import tempfile
import zipfile

import torch


class Stderr:
    """What is written to file descriptor 2 meanwhile, by C++ too."""

    def __enter__(self):
        self.file = tempfile.TemporaryFile()
        sys.stderr.flush()
        self.saved = os.dup(2)
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *_):
        sys.stderr.flush()
        os.dup2(self.saved, 2)
        os.close(self.saved)
        self.file.seek(0)
        self.text = self.file.read().decode()


def load(path, **kwargs):
    with Stderr() as stderr:
        model = torch._inductor.aoti_load_package(path, **kwargs)
    assert not stderr.text, f"loading {path} says: {stderr.text}"
    return model


def refused(model, *args):
    """The message of an error, which is on stderr in every version, and in newer ones raised."""
    with Stderr() as stderr:
        try:
            model(*args)
        except RuntimeError as error:
            return f"{error}\n{stderr.text if hasattr(stderr, 'text') else ''}", stderr
    raise AssertionError("was not refused")


def check_add(folder):
    model = load(os.path.join(folder, "add.pt2"))
    a, b = torch.randn(5, 3), torch.randn(5, 3)
    with Stderr() as stderr:
        out = model(a, b)
    assert not stderr.text, stderr.text
    assert torch.equal(out, a + b)
    assert not out.requires_grad

    wide = torch.zeros(1025, 3)
    want = "input 'a' (input 0): dimension 0 is 1025, expected B in [2, 1024]"
    message, stderr = refused(model, wide, wide)
    assert want in stderr.text, stderr.text
    if torch.__version__ >= "2.13":
        assert want in message, message
    want = "input 'b' (input 1): dimension 0 is 4, expected 5 = B"
    _, stderr = refused(model, a, torch.zeros(4, 3))
    assert want in stderr.text, stderr.text
    want = "input 'a' (input 0): dtype is float64, expected float32"
    _, stderr = refused(model, a.double(), b)
    assert want in stderr.text, stderr.text

    # Nothing is leaked or freed twice, whether runs fail or not.
    for _ in range(1000):
        assert torch.equal(model(a, b), a + b)
    with Stderr():
        for _ in range(100):
            try:
                model(wide, wide)
            except RuntimeError:
                pass
    metadata = getattr(model, "get_metadata", getattr(model.loader, "get_metadata", None))()
    assert metadata["AOTI_DEVICE_KEY"] == "cpu", metadata
    a.requires_grad_(True)
    assert not model(a, b).requires_grad


def check_all(folder):
    model = load(os.path.join(folder, "all.pt2"))
    x = torch.arange(1.0, 9.0).reshape(2, 4).requires_grad_(True)
    index = torch.tensor([3, 0, 2])
    total = torch.zeros(4)
    for calls in (1, 2):
        out = model(x, index, total)
        weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
        scaled = x.detach() * weight
        assert torch.equal(out[0], scaled)
        assert torch.equal(out[1], scaled.t()) and out[1].stride() == (1, 4)
        assert out[1].data_ptr() == out[0].data_ptr() == out[7].data_ptr()
        assert out[2].data_ptr() == x.data_ptr() and out[2].requires_grad
        assert torch.equal(out[3], x[1]) and out[3].data_ptr() == x[1].data_ptr()
        assert torch.equal(out[4], weight)
        assert out[5].item() == calls and out[5].dtype == torch.int64
        assert out[6] is None or not isinstance(out[6], torch.Tensor) or out[6].numel() == 0
        assert torch.equal(out[8], weight[index])
        assert torch.equal(out[9], 2 * weight)
        assert torch.equal(out[10], torch.zeros(4))
        assert out[11].item() == 0.5 and out[12].item() is True
        assert torch.equal(out[13], weight[2:])
        assert torch.equal(total, torch.full((4,), float(calls))), total
    _, stderr = refused(model, x, torch.tensor([4]), total)
    assert "index of picked: 4 is out of range" in stderr.text, stderr.text
    # Any strides do: the model copes.
    out = model(torch.randn(4, 3).t(), torch.arange(8)[::4] // 2, total)
    assert out[0].shape == (3, 4)

    fqns = sorted(model.get_constant_fqns())
    assert fqns == ["calls", "folded", "layer.tail", "layer.weight"], fqns
    # New weights: another constant sees the same storage, and what is folded at load is folded again.
    new = torch.tensor([5.0, -1.0, 2.0, 8.0])
    model.load_constants({"layer.weight": new}, check_full_update=False)
    out = model(x, index, total)
    assert torch.equal(out[0], x.detach() * new) and torch.equal(out[4], new)
    assert torch.equal(out[9], 2 * new) and torch.equal(out[13], new[2:])
    with Stderr() as stderr:
        try:
            model.load_constants({"layer.weight": torch.zeros(4).double()}, check_full_update=False)
            raise AssertionError("constants of another dtype were taken")
        except RuntimeError:
            pass
    assert "'layer.weight' is float32, but what is to replace it is float64" in stderr.text, stderr.text
    del out
    del model
    # A second load is a model of its own.
    model = load(os.path.join(folder, "all.pt2"), run_single_threaded=True) if torch.__version__ >= "2.7" else None
    if model is not None:
        assert model(x, index, total)[5].item() == 1


def check_entries(folder):
    """The entry points that PyTorch's loader does not call."""
    with zipfile.ZipFile(os.path.join(folder, "all.pt2")) as package:
        name = next(it for it in package.namelist() if it.endswith(".so"))
        path = os.path.join(tempfile.mkdtemp(), "all.so")
        with open(path, "wb") as file:
            file.write(package.read(name))
    library = ctypes.CDLL(path)

    def last_error():
        text = ctypes.c_char_p()
        assert library.AOTInductorGetLastError(ctypes.byref(text)) == 0
        return text.value.decode()

    def get(function, type, *args):
        value = type()
        code = getattr(library, "AOTInductorModel" + function)(*args, ctypes.byref(value))
        assert code == 0, (function, last_error())
        return value.value

    container = ctypes.c_void_p()
    create = library.AOTInductorModelContainerCreate
    with Stderr() as stderr:
        assert create(ctypes.byref(container), ctypes.c_size_t(0), True, None) == 1
    assert last_error() == "num_models is 0, expected a value in [1, 65536]", last_error()
    assert stderr.text == f"Error: {last_error()}\n", stderr.text
    assert create(ctypes.byref(container), ctypes.c_size_t(3), True, None) == 0
    assert last_error() == ""

    size, text, i32 = ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int32
    assert get("ContainerGetNumConstants", size, container) == 4
    of = lambda function, type, i: get("ContainerGetConstant" + function, type, container, size(i))
    assert [of("Name", text, i) for i in range(4)] == [b"weight", b"tail", b"calls", b"folded"]
    assert [of("Type", i32, i) for i in range(4)] == [1, 1, 2, 4]
    assert [of("Dtype", i32, i) for i in range(4)] == [6, 6, 4, 6]
    assert [of("FromFolded", ctypes.c_bool, i) for i in range(4)] == [False, False, False, True]
    assert of("DataSize", size, 0) == 64
    assert get("ContainerGetNumInputs", size, container) == 3
    assert get("ContainerGetInputName", text, container, size(2)) == b"sum"
    assert get("ContainerGetOutputName", text, container, size(13)) == b"tail"
    assert get("ContainerGetConstantsBlobSize", ctypes.c_uint64, container) == 192
    assert get("ContainerDidCallLoadConstants", ctypes.c_bool, container) is True
    with Stderr() as stderr:
        name = library.AOTInductorModelContainerGetConstantName
        assert name(container, size(4), ctypes.byref(text())) == 1
        assert last_error() == "constant 4: the model has 4 constants", last_error()
        assert library.AOTInductorModelContainerSwapConstantBuffer(container) == 1
        assert last_error() == "there is no inactive set of constants", last_error()
        assert library.AOTInductorModelContainerDelete(ctypes.c_void_p()) == 0
        assert name(ctypes.c_void_p(), size(0), ctypes.byref(text())) == 1
        assert last_error() == "a pointer is null", last_error()
    assert library.AOTInductorModelContainerRunConstantFolding(container, False, None, None) == 0

    entries, count = ctypes.c_void_p(), size()
    extract = library.AOTInductorModelContainerExtractConstantsMapEntries
    assert extract(container, ctypes.byref(entries), ctypes.byref(count), False) == 0
    assert count.value == 3
    pair = ctypes.cast(entries, ctypes.POINTER(ctypes.c_char_p))
    assert [pair[2 * i] for i in range(3)] == [b"layer.weight", b"layer.tail", b"calls"]
    assert library.AOTInductorModelContainerDelete(container) == 0

    model = ctypes.c_void_p()
    assert library.AOTInductorModelCreateV2(ctypes.byref(model), None, size(0)) == 0
    assert get("GetNumOutputs", size, model) == 14
    assert library.AOTInductorModelDelete(model) == 0


if __name__ == "__main__":
    check_add(sys.argv[1])
    check_all(sys.argv[1])
    check_entries(sys.argv[1])
    print(f"torch {torch.__version__}: the packages are good")
