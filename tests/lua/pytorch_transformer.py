"""Writes pytorch_transformer.json: what PyTorch's TransformerEncoderLayer makes of known weights.

    /usr/bin/python3 tests/lua/pytorch_transformer.py > tests/lua/pytorch_transformer.json

test_transformer.lua compares with it. Weights and inputs are sines, so that only results are kept:
the outputs, and the gradient of sum(c * output) with respect to each tensor. In float64.
"""

import json

import torch
from torch import nn

SIZE, HEADS, BATCH, LENGTH = 6, 2, 2, 4


def sines(shape, phase, scale):
    """scale sin(1.7 i + phase), i = 1, 2, …"""
    n = 1
    for d in shape:
        n *= d
    i = torch.arange(1, n + 1, dtype=torch.float64)
    return (scale * torch.sin(1.7 * i + phase)).reshape(shape)


def block(norm_first, causal, bias=True):
    layer = nn.TransformerEncoderLayer(SIZE, HEADS, 4 * SIZE, dropout=0, activation="gelu",
                                       batch_first=True, norm_first=norm_first).double()
    with torch.no_grad():
        for k, (name, p) in enumerate(sorted(layer.named_parameters())):
            p.copy_(sines(p.shape, k + 1, 0.5))
    x = sines((BATCH, LENGTH, SIZE), 0.3, 1.0).requires_grad_()
    mask = None
    if causal:
        mask = torch.triu(torch.full((LENGTH, LENGTH), float("-inf"), dtype=torch.float64), 1)
    y = layer(x, src_mask=mask)
    (y * sines(y.shape, 0.9, 1.0)).sum().backward()
    gradients = {name: p.grad.flatten().tolist() for name, p in layer.named_parameters()}
    return {"output": y.detach().flatten().tolist(), "gradients": gradients}


BLOCKS = {"pre": block(True, True), "post": block(False, True), "open": block(True, False)}
lines = [f' "{name}": {json.dumps(values)}' for name, values in BLOCKS.items()]
print("{" + f'\n "torch": "{torch.__version__}",\n' + ",\n".join(lines) + "\n}")
