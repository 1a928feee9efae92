"""What PyTorch makes of the weights of test_model_files.lua: torch_check.py read|write FOLDER.

read: loads FOLDER/ours.safetensors, ours-image and ours-conv into PyTorch's own layers and writes
their outputs for FOLDER/x.npy and the others. write: saves weights of its own with inputs, outputs.
The format is read and written here by hand: Debian's PyTorch comes without it.
"""
import json
import struct
import sys

import numpy
import torch
from torch import nn


def read_safetensors(path):
    with open(path, "rb") as f:
        length = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(length)), f.read()
    header.pop("__metadata__", None)
    state = {}
    for name, info in header.items():
        assert info["dtype"] == "F32"
        begin, end = info["data_offsets"]
        values = numpy.frombuffer(data[begin:end], "<f4").reshape(info["shape"])
        state[name] = torch.from_numpy(values.copy())
    return state


def write_safetensors(path, state):
    header, data = {}, b""
    for name, t in state.items():
        whole = t.dtype == torch.int64
        raw = t.detach().contiguous().numpy().astype("<i8" if whole else "<f4").tobytes()
        header[name] = {"dtype": "I64" if whole else "F32", "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def plain():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def image():  # on (N, channels, height, width)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 2, 6), nn.Tanh(), nn.Linear(6, 2))


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def conv():
    body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2, bias=False),
                         nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, (2, 4), padding="same"))
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4, momentum=None), nn.ReLU(),
                         nn.MaxPool2d(2), Residual(body, nn.Conv2d(4, 6, 1)),
                         nn.AvgPool2d(3, stride=2, padding=1), nn.GroupNorm(2, 6),
                         nn.Upsample(scale_factor=(1, 2)), nn.ReflectionPad2d((1, 1, 0, 0)),
                         nn.Flatten(), nn.Linear(6 * 2 * 6, 5), nn.LayerNorm(5))


def set_statistics(net):
    """Running statistics of some steps, and affine parameters that are not 1 and 0."""
    for p in net.parameters():
        if p.ndim == 1:
            torch.nn.init.normal_(p)
    net.train()
    for _ in range(3):
        net(torch.randn(8, 2, 6, 8))


def main(what, folder):
    torch.manual_seed(1)
    for name, make, shape in (("", plain, (8, 5)), ("-image", image, (8, 2, 3, 4)),
                              ("-conv", conv, (8, 2, 6, 8))):
        net = make()
        if name == "-conv" and what == "write":
            set_statistics(net)
        net.eval()
        if what == "read":
            x = torch.from_numpy(numpy.load(f"{folder}/x{name}.npy"))
            x = x.permute(0, 3, 1, 2).contiguous() if name else x
            net.load_state_dict(read_safetensors(f"{folder}/ours{name}.safetensors"))
        else:
            x = torch.randn(shape)
            write_safetensors(f"{folder}/torch{name}.safetensors", net.state_dict())
            seen = x.permute(0, 2, 3, 1) if name else x
            numpy.save(f"{folder}/x{name}.npy", numpy.ascontiguousarray(seen.numpy()))
        numpy.save(f"{folder}/y{name}.npy", net(x).detach().numpy())


main(*sys.argv[1:])
