"""Writes pytorch_schedules.json: values of PyTorch's schedules and the ways of its optimizers.

    /usr/bin/python3 tests/lua/pytorch_schedules.py > tests/lua/pytorch_schedules.json

test_schedule.lua and test_optim.lua compare with them. Made with Debian 12's python3-torch. Known
bugs of PyTorch are left out by the choice of the range: CosineAnnealingLR goes up again after
T_max, OneCycleLR after its last step; CosineAnnealingWarmRestarts misses some exact restarts when
it is given an epoch (T_0 = 1, T_mult = 3, epoch 121).
"""

import json
import warnings

import torch
from torch.optim import lr_scheduler as S

warnings.filterwarnings("ignore")


def values(make, n, lr=0.1, **options):
    """The rate of each of the first n updates."""
    w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=lr, momentum=0.9)
    schedule, found = make(optimizer), []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def sequence(o):
    parts = [S.LinearLR(o, start_factor=0.1, end_factor=1.0, total_iters=5),
             S.CosineAnnealingLR(o, T_max=10, eta_min=0.001)]
    return S.SequentialLR(o, parts, milestones=[5])


def cyclic(mode, **more):
    return lambda o: S.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=4, step_size_down=6,
                                mode=mode, **more)


SCHEDULES = {
    "constant": lambda o: S.ConstantLR(o, factor=1.0, total_iters=5),
    "linear": lambda o: S.LinearLR(o, start_factor=0.25, end_factor=1.0, total_iters=7),
    "step": lambda o: S.StepLR(o, step_size=4, gamma=0.5),
    "multi_step": lambda o: S.MultiStepLR(o, milestones=[3, 6, 6, 9], gamma=0.5),
    "exponential": lambda o: S.ExponentialLR(o, gamma=0.9),
    "polynomial": lambda o: S.PolynomialLR(o, total_iters=9, power=2.0),
    "cosine": lambda o: S.CosineAnnealingLR(o, T_max=20, eta_min=0.001),
    "cosine_restarts": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=0.001),
    "triangular": cyclic("triangular"),
    "triangular2": cyclic("triangular2"),
    "exp_range": cyclic("exp_range", gamma=0.95),
    "one_cycle": lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=20),
    "one_cycle_linear": lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=20, pct_start=0.25,
                                               anneal_strategy="linear"),
    "one_cycle_three": lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=20, three_phase=True),
    "chain": sequence,
}

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.3,
                                          weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.99), eps=1e-6,
                                       weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.2),
    "clipped": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
}


def way(name, make, n=12):
    """w after each of n updates of  (1/2) sum (c w)^2,  from (1, -2, 0.5), c = (1, 2, 3)."""
    w = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    c = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    optimizer, found = make([w]), []
    for _ in range(n):
        optimizer.zero_grad()
        (0.5 * ((c * w) ** 2).sum()).backward()
        if name == "clipped":
            torch.nn.utils.clip_grad_norm_([w], 1.5)
        optimizer.step()
        found.append(w.detach().tolist())
    return found


table = {
    "torch": torch.__version__,
    "schedules": {name: values(make, 20) for name, make in SCHEDULES.items()},
    "optimizers": {name: way(name, make) for name, make in OPTIMIZERS.items()},
}
text = json.dumps(table, indent=1)
# one line a list of numbers
import re  # noqa: E402

text = re.sub(r"\[\s+([-\d][^\[\]]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
print(text)
