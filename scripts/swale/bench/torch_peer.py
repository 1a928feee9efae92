"""PyTorch's side of `swale bench --compare`: one row, in every way that may be the fastest.

    torch_peer.py ROW [--threads N] [--min-time S] [--ways A,B] [--without A,B]
    torch_peer.py --version

Each way is built, checked against the plain one and timed once: a line of JSON that names it before,
and one with its time or fault. Then each line of the input names a way, which is timed again and
answered by a line. A way is words joined by +:

  eager   autograd, and the optimizer in one call (fused, or a loop over lists in old versions)
  loss    the same with the loss compiled by the inductor
  graph   all of it, with gather, gradients and update, as one graph, compiled
  last    images are stored with channels last
  double  Hessian product: backward through backward
  hand    norms of each example's gradient from the layers' inputs and their outputs' gradients
  vmap    such norms from the gradients themselves

One thread is timed by the CPU time of the process, several by the clock.
"""
import argparse
import ctypes
import json
import math
import os
import statistics
import sys
import time


def settle(threads):
    """Starts this program again in the environment that PyTorch is fastest in, which libraries read
    when they are loaded: memory is kept, not returned to the system (up to twice as fast); threads
    of OpenMP soon sleep, as those of OpenBLAS need the cores (up to ten times, on loaded ones);
    where the vector functions of libsleef are a library of their own, compiled code is scalar
    without."""
    if os.environ.get("SWALE_PEER") or not hasattr(sys, "orig_argv"):
        return
    os.environ.update(SWALE_PEER="1", OMP_NUM_THREADS=str(threads),
                      OPENBLAS_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads),
                      MALLOC_TRIM_THRESHOLD_=str(1 << 33), MALLOC_MMAP_THRESHOLD_=str(1 << 25),
                      MALLOC_TOP_PAD_=str(1 << 28), TORCHINDUCTOR_COMPILE_THREADS="1")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        ctypes.CDLL("libsleef.so.3")
        preload = os.environ.get("LD_PRELOAD", "")
        if "sleef" not in preload:
            os.environ["LD_PRELOAD"] = (preload + " libsleef.so.3").strip()
    except OSError:
        pass
    os.execv(sys.executable, [sys.executable] + sys.orig_argv[1:])


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("row", nargs="?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-time", type=float, default=0.3)
    parser.add_argument("--ways", default="", help="instead of those that the row may be fast in")
    parser.add_argument("--without", default="", help="ways that are not tried")
    parser.add_argument("--version", action="store_true")
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


OPTIONS = options()
settle(OPTIONS.threads)
try:
    import torch
except ImportError as problem:
    say(error=str(problem))
    sys.exit(1)
from torch import nn
import torch.nn.functional as F

# ------------------------------------------------------------------ networks


def perceptron(widths, norm=False):
    layers = []
    for i, (before, after) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(before, after))
        if i < len(widths) - 2:
            layers += [nn.BatchNorm1d(after)] if norm else []
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def stack(widths, norm=True):
    """Convolutions 3 x 3 of these many outputs; 0 is a pool."""
    layers, before = [], 3
    for width in widths:
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(before, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers.append(nn.ReLU())
        before = width
    return layers + [nn.Flatten()]


def lenet():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         *perceptron([400, 120, 84, 10]))


def small_cnn(norm=True):
    return nn.Sequential(*stack([32, 32, 0, 64, 64, 0], norm), *perceptron([4096, 256, 10]))


class Residual(nn.Module):
    """y = relu(f(x) + x): x is thinned out and filled up with zeros where sizes differ."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False),
                               nn.BatchNorm2d(after), nn.ReLU(),
                               nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.stride, self.more = stride, after - before

    def forward(self, x):
        short = x[:, :, ::self.stride, ::self.stride] if self.stride > 1 else x
        if self.more:
            half = self.more // 2
            short = F.pad(short, (0, 0, 0, 0, half, self.more - half))
        return F.relu(self.f(x) + short)


def resnet20():
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    widths = [16] * 4 + [32] * 3 + [64] * 3
    for before, after in zip(widths, widths[1:]):
        layers.append(Residual(before, after, 1 if before == after else 2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def vgg16():
    widths = [64, 64, 0, 128, 128, 0] + [256, 256, 256, 0] + [512, 512, 512, 0] * 2
    return nn.Sequential(*stack(widths), nn.Linear(512, 10))


FLAT, MNIST, CIFAR = (784,), (1, 28, 28), (3, 32, 32)
F1 = [784] + [512] * 5 + [10]
NETWORKS = {  # what makes it, shape of an example, examples in memory
    "logreg": (lambda: perceptron([784, 10]), FLAT, 60000),
    "mlp_small": (lambda: perceptron([784, 100, 10]), FLAT, 60000),
    "mlp_800": (lambda: perceptron([784, 800, 800, 10]), FLAT, 60000),
    "mlp_F1": (lambda: perceptron(F1, norm=True), FLAT, 60000),
    "mlp_F1_nobn": (lambda: perceptron(F1), FLAT, 60000),
    "lenet": (lenet, MNIST, 60000),
    "cnn_small": (small_cnn, CIFAR, 50000),
    "cnn_small_nobn": (lambda: small_cnn(norm=False), CIFAR, 50000),
    "resnet20_cifar": (resnet20, CIFAR, 50000),
    "vgg16_cifar": (vgg16, CIFAR, 50000),
}


def examples(shape, count):
    return torch.randn((count,) + shape), torch.randint(0, 10, (count,))


def call_with(model, tensors, x):
    try:
        from torch.func import functional_call
    except ImportError:
        from torch.nn.utils.stateless import functional_call
    return functional_call(model, tensors, (x,))


# ------------------------------------------------------------------ compiled graphs


def compile_graph(f, changed, constant):
    """f(changed, constant) as one graph: called without guards, as all shapes are fixed."""
    from torch.fx.experimental.proxy_tensor import make_fx
    import torch._inductor
    count = len(changed)
    traced = make_fx(lambda *a: f(list(a[:count]), list(a[count:])))(
        *[t.clone() for t in changed], *constant)
    with torch.no_grad():
        compiled = torch._inductor.compile(traced, [*changed, *constant])

    def call(changed, constant):
        with torch.no_grad():
            return compiled(*changed, *constant)
    return call


def check(found, expected):
    """A compiled way must compute what the plain one does."""
    off = sum(((a - b) ** 2).sum() for a, b in zip(found, expected)).sqrt()
    size = sum((b * b).sum() for b in expected).sqrt()
    if not off <= 1e-2 * size:
        raise ArithmeticError(f"differs from the plain way by {(off / size).item():.2g}")


# ------------------------------------------------------------------ ways


class Batches:
    """Indices of one batch after the other."""

    def __init__(self, count, batch):
        self.order, self.batch, self.at = torch.randperm(count), batch, 0

    def __call__(self):
        if self.at + self.batch > len(self.order):
            self.at = 0
        self.at += self.batch
        return self.order[self.at - self.batch:self.at]


def fast_sgd(parameters):
    for how in ({"fused": True}, {"foreach": True}, {}):
        try:
            return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, **how)
        except (TypeError, RuntimeError):
            continue


def eager_step(model, X, Y, batches, compiled):
    optimizer = fast_sgd(list(model.parameters()))

    def loss(x, y):
        return F.cross_entropy(model(x), y)
    if compiled:
        loss = torch.compile(loss, fullgraph=True, dynamic=False)

    def step():
        i = batches()
        optimizer.zero_grad(set_to_none=True)
        loss(X.index_select(0, i), Y.index_select(0, i)).backward()
        optimizer.step()
    return step


def graph_step(model, X, Y, batches):
    names = [name for name, _ in model.named_parameters()]
    buffers = [name for name, _ in model.named_buffers()]
    weights = [p.detach().clone() for p in model.parameters()]
    n = len(weights)
    state = weights + [torch.zeros_like(w) for w in weights] + [b.clone() for b in model.buffers()]

    def update(state, constant):
        X, Y, i = constant
        w = [p.detach().requires_grad_() for p in state[:n]]
        tensors = dict(zip(names + buffers, w + state[2 * n:]))
        output = call_with(model, tensors, X.index_select(0, i))
        loss = F.cross_entropy(output, Y.index_select(0, i))
        gradient = torch.autograd.grad(loss, w)
        with torch.no_grad():
            for p, m, g in zip(state[:n], state[n:2 * n], gradient):
                m.mul_(0.9).add_(g)
                p.sub_(m, alpha=0.01)
        return loss.detach()

    first = batches()
    compiled = compile_graph(update, state, [X, Y, first])
    plain = [t.clone() for t in state]
    update(plain, [X, Y, first])
    compiled(state, [X, Y, first])
    check(state[n:2 * n], plain[n:2 * n])
    return lambda: compiled(state, [X, Y, batches()])


def training(network, batch, way):
    make, shape, count = NETWORKS[network]
    model = make()
    X, Y = examples(shape, count)
    if "last" in way:
        model = model.to(memory_format=torch.channels_last)
        X = X.contiguous(memory_format=torch.channels_last)
    batches = Batches(count, batch)
    if "graph" in way:
        return graph_step(model, X, Y, batches)
    return eager_step(model, X, Y, batches, "loss" in way)


class PlainNorm(nn.Module):
    """Batch norm written out, for which second derivatives are compiled."""

    def __init__(self, norm):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x):
        over, shape = ((0,), (1, -1)) if x.dim() == 2 else ((0, 2, 3), (1, -1, 1, 1))
        d = x - x.mean(over, keepdim=True)
        scale = torch.rsqrt((d * d).mean(over, keepdim=True) + self.eps)
        return d * scale * self.weight.view(shape) + self.bias.view(shape)


def without_statistics(model, plain):
    """Running statistics are not kept where only derivatives are wanted."""
    for name, layer in list(model.named_children()):
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
            if plain:
                setattr(model, name, PlainNorm(layer))
    return model


def hessian(network, batch, way):
    make, shape, _ = NETWORKS[network]
    model = without_statistics(make(), "graph" in way)
    x, y = examples(shape, batch)
    if "last" in way:
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    names = [name for name, _ in model.named_parameters()]
    weights = [p.detach().clone() for p in model.parameters()]
    n = len(weights)
    direction = [torch.randn_like(w) for w in weights]

    def product(_, constant):
        w = [p.detach().requires_grad_() for p in constant[:n]]
        x, y = constant[2 * n:]
        loss = F.cross_entropy(call_with(model, dict(zip(names, w)), x), y)
        gradient = torch.autograd.grad(loss, w, create_graph=True)
        return torch.autograd.grad(gradient, w, grad_outputs=constant[n:2 * n])

    constant = weights + direction + [x, y]
    if "graph" not in way:
        return lambda: product([], constant)
    compiled = compile_graph(product, [], constant)
    check(compiled([], constant), product([], constant))
    return lambda: compiled([], constant)


def norms_by_hand(model, n, constant):
    """|g|² of each example (Goodfellow 2015; of a convolution the gradient itself, from its
    windows), and the sum of the gradients."""
    w, (h, y) = [p.detach().requires_grad_() for p in constant[:n]], constant[n:]
    seen = []
    for layer in model:
        if isinstance(layer, nn.Linear):
            z = F.linear(h, w[2 * len(seen)], w[2 * len(seen) + 1])
        elif isinstance(layer, nn.Conv2d):
            z = F.conv2d(h, w[2 * len(seen)], w[2 * len(seen) + 1], layer.stride, layer.padding)
        else:
            h = layer(h)
            continue
        seen.append((layer, h.detach(), z))
        h = z
    loss = F.cross_entropy(h, y, reduction="sum")
    gradients = torch.autograd.grad(loss, [z for _, _, z in seen] + w)
    total = 0
    for (layer, a, _), d in zip(seen, gradients):
        if isinstance(layer, nn.Linear):
            total = total + (d * d).sum(1) * ((a * a).sum(1) + 1)
        else:
            d = d.flatten(2)
            windows = F.unfold(a, layer.kernel_size, padding=layer.padding, stride=layer.stride)
            g = torch.bmm(d, windows.transpose(1, 2))
            total = total + (g * g).sum((1, 2)) + d.sum(2).pow(2).sum(1)
    return (total,) + tuple(gradients[len(seen):])


def norms_by_vmap(model, names, constant):
    try:
        from torch.func import grad, vmap
    except ImportError:
        from functorch import grad, vmap
    n = len(names)

    def loss(w, x, y):
        output = call_with(model, dict(zip(names, w)), x.unsqueeze(0))
        return F.cross_entropy(output, y.unsqueeze(0))
    each = vmap(grad(loss), in_dims=(None, 0, 0))(list(constant[:n]), *constant[n:])
    return (sum(g.flatten(1).pow(2).sum(1) for g in each),) + tuple(g.sum(0) for g in each)


def norms_one_by_one(model, x, y):
    squares = []
    for i in range(len(x)):
        loss = F.cross_entropy(model(x[i:i + 1]), y[i:i + 1])
        gradient = torch.autograd.grad(loss, list(model.parameters()))
        squares.append(sum((g * g).sum() for g in gradient))
    return torch.stack(squares)


def example_norms(network, batch, way):
    make, shape, _ = NETWORKS[network]
    model = make()
    x, y = examples(shape, batch)
    names = [name for name, _ in model.named_parameters()]
    constant = [p.detach() for p in model.parameters()] + [x, y]

    def norms(_, constant):
        if "vmap" in way:
            return norms_by_vmap(model, names, constant)
        return norms_by_hand(model, len(names), constant)

    call = compile_graph(norms, [], constant) if "graph" in way else norms
    check(call([], constant)[:1], [norms_one_by_one(model, x, y)])
    return lambda: call([], constant)


# ------------------------------------------------------------------ rows

KINDS = {"hvp": hessian, "pegrad": example_norms}
SLOW_TO_COMPILE = ("resnet20_cifar", "vgg16_cifar")  # many minutes, and never the fastest


def ways_of(kind, network):
    """Those that were the fastest of a row of its kind on some machine."""
    if kind == "hvp":
        return ["double", "double+graph"]
    if kind == "pegrad":
        return ["hand", "hand+graph"] + (["vmap+graph"] if "cnn" in network else [])
    if NETWORKS[network][1] == FLAT:
        return ["eager", "graph"]
    return ["eager+last", "loss+last"] + ([] if network in SLOW_TO_COMPILE else ["graph+last"])


def parse(row):
    """hvp_mlp_F1_B256 -> hvp, mlp_F1, 256"""
    kind, network = "train", row
    if row.split("_")[0] in KINDS:
        kind, network = row.split("_", 1)
    network, batch = network.rsplit("_B", 1)
    return kind, network, int(batch)


def clock():
    return time.process_time() if OPTIONS.threads == 1 else time.perf_counter()


def seconds(f, calls):
    begun = clock()
    for _ in range(calls):
        f()
    return (clock() - begun) / calls


def measure(f):
    """Median of calls, or of some in a row where they are short: as `swale bench` measures."""
    begun, calls, last = clock(), 0, 0
    while last < 1 and (calls < 2 or (clock() - begun < 0.3 and calls < 200)):
        last = seconds(f, 1)
        calls += 1
    together, least = max(1, math.ceil(1e-4 / max(last, 1e-6))), 3 if last > 0.25 else 5
    times, total = [], 0
    while (total < OPTIONS.min_time or len(times) < least) and len(times) < 5000:
        times.append(seconds(f, together))
        total += times[-1] * together
    return {"median_ms": statistics.median(times) * 1e3, "min_ms": min(times) * 1e3,
            "reps": len(times)}


def reason(problem):
    """In one line, and without the inductor's own explanations."""
    if "InvalidCxxCompiler" in f"{type(problem).__name__}: {problem}":
        return "PyTorch compiles with a C++ compiler and found none that works: install g++"
    return f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"


def build(row):
    """The row in each way that works here, each timed once."""
    kind, network, batch = parse(row)
    ready, without = {}, OPTIONS.without.split(",")
    for way in OPTIONS.ways.split(",") if OPTIONS.ways else ways_of(kind, network):
        if way in without:
            continue
        say(way=way)
        torch.manual_seed(0)
        begun = time.perf_counter()
        try:
            f = KINDS.get(kind, training)(network, batch, way.split("+"))
            f()
            built = time.perf_counter() - begun
            ready[way] = f
            say(way=way, build_s=built, **measure(f))
        except Exception as problem:  # of a way that this version does not have
            say(way=way, error=reason(problem))
    say(ready=sorted(ready))
    return ready


def main():
    if OPTIONS.version:
        say(peer="pytorch-" + torch.__version__)
        return
    torch.set_num_threads(OPTIONS.threads)
    ready = build(OPTIONS.row)
    for line in sys.stdin:
        say(way=line.strip(), **measure(ready[line.strip()]))


main()
