"""What PyTorch makes of the weights of test_model_files.lua: torch_check.py read|write FOLDER.

read: loads FOLDER/ours.safetensors and ours-image.safetensors into PyTorch's own layers and writes
their outputs for FOLDER/x.npy and image.npy. write: saves weights of its own with inputs, outputs.
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
        raw = t.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def plain():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def image():  # on (N, channels, height, width)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 2, 6), nn.Tanh(), nn.Linear(6, 2))


def main(what, folder):
    torch.manual_seed(1)
    for name, make, shape in (("", plain, (8, 5)), ("-image", image, (8, 2, 3, 4))):
        net = make()
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
