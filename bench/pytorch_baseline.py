#!/usr/bin/python3
"""The measurements in plain PyTorch, as a baseline for timing.

A bias-free MLP or residual stream in muP. One step, per network: draw the weights, one forward and one backward pass; then
for each of K learning rates one step from the saved weights and one forward pass, recording ||dz^L||^2 / n and the loss
afterwards. With --steps T training, per network and one learning rate: draw the weights, T steps of gradient descent on
P examples, recording every loss.
"""
import argparse
import json
import math
import statistics
import sys
import time

import torch
from torch import nn

LEAK = 0.1

# phi and the s2 of its weights, N(0, s2 / fan-in).
ACTIVATIONS = {
    "relu": (torch.relu, 2.0),
    "leaky-relu": (lambda z: nn.functional.leaky_relu(z, LEAK), 2 / (1 + LEAK**2)),
    "linear": (lambda z: z, 1.0),
    "tanh": (torch.tanh, 1.0),
    "erf": (lambda z: torch.erf(math.sqrt(math.pi) / 2 * z), 1.0),
    "gelu": (nn.functional.gelu, 2.155057),
    "silu": (nn.functional.silu, 2.429733),
}
ARCHITECTURES = ["mlp", "residual"]


class Network(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.activation, self.variance = ACTIVATIONS[args.activation]
        self.branch = args.depth ** -args.branch_power if args.architecture == "residual" else None
        sizes = [args.input_dim] + [args.width] * args.depth
        self.hidden = nn.ModuleList(
            nn.Linear(a, b, bias=False) for a, b in zip(sizes, sizes[1:]))
        self.readout = nn.Linear(args.width, 1, bias=False)

    def reset(self):
        for layer in self.hidden:
            nn.init.normal_(layer.weight, std=math.sqrt(self.variance / layer.in_features))
        nn.init.normal_(self.readout.weight, std=1 / self.readout.in_features)

    def forward(self, x):
        """The last pre-activation and the output."""
        z = self.hidden[0](x)
        for layer in self.hidden[1:]:
            if self.branch is None:
                z = layer(self.activation(z))
            else:
                z = z + self.branch * layer(self.activation(z))
        return z, self.readout(self.activation(z))


def unit(gradient):
    """Muon's step: of rank one, with its only singular value 1."""
    norm = gradient.norm()
    return gradient / norm if norm > 0 else gradient


# The direction of a weight tensor's step, given its gradient, and the learning rates over the base rate of the first
# layer, the hidden ones and the read-out, of widths n and n0.
OPTIMIZERS = {
    "sgd": (lambda gradient: gradient, lambda n, n0: (n / n0, 1, 1 / n)),
    "sign": (torch.sign, lambda n, n0: (1 / n0, 1 / n, 1 / n)),
    "normalized": (unit, lambda n, n0: (math.sqrt(n / n0), 1, 1 / math.sqrt(n))),
}


class Optimizer:
    def __init__(self, args):
        self.direction, multipliers = OPTIMIZERS[args.optimizer]
        first, hidden, readout = multipliers(args.width, args.input_dim)
        # One per weight tensor, in the order of Network.parameters().
        self.multipliers = [first] + [hidden] * (args.depth - 1) + [readout]


def random_sign(*shape):
    return torch.randint(0, 2, shape).float() * 2 - 1


def measure(net, stepped, optimizer, rates):
    """One network, len(rates) trials. `stepped` is a model of the same shape.

    Returns the residual f - y and, per rate, ||dz^L||^2 / n and the loss after.
    """
    net.reset()
    x = random_sign(1, net.hidden[0].in_features)
    y = random_sign(1, 1)
    net.zero_grad(set_to_none=True)
    z, f = net(x)
    loss = 0.5 * (f - y).square().sum()
    loss.backward()

    trials = []
    with torch.no_grad():
        directions = [optimizer.direction(p.grad) for p in net.parameters()]
        for rate in rates:
            for p, d, q, m in zip(net.parameters(), directions, stepped.parameters(), optimizer.multipliers):
                q.copy_(p)
                q.add_(d, alpha=-rate * m)
            z_after, f_after = stepped(x)
            dz2_last = (z_after - z).square().mean().item()
            loss_after = 0.5 * (f_after - y).square().sum().item()
            trials.append((dz2_last, loss_after))
    return (f - y).item(), trials


def train(net, args):
    """One network, one rate: the losses at steps 0 .. T."""
    net.reset()
    x = random_sign(args.samples, args.input_dim)
    y = random_sign(args.samples, 1)
    multipliers = OPTIMIZERS["sgd"][1](args.width, args.input_dim)
    groups = [net.hidden[0], net.hidden[1:], net.readout]
    optimizer = torch.optim.SGD([{"params": list(group.parameters()), "lr": args.eta * m}
                                 for group, m in zip(groups, multipliers)], lr=args.eta)
    losses = []
    for _ in range(args.steps):
        optimizer.zero_grad()
        loss = 0.5 * (net(x)[1] - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        losses.append((0.5 * (net(x)[1] - y).square().mean()).item())
    return losses


def run_training(args):
    net = Network(args)
    seconds, cpu_seconds, kept = [], [], []
    for _ in range(args.networks + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        losses = train(net, args)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        kept.append(losses[-1] / losses[0])
    result = {
        "model": f"{args.activation} {args.architecture}, sgd",
        "width": args.width,
        "depth": args.depth,
        "steps": args.steps,
        "samples": args.samples,
        "eta": args.eta,
        "threads": torch.get_num_threads(),
        "torch_version": str(torch.__version__),
        "seconds_per_run": statistics.median(seconds[1:]),  # the first one is warm-up
        "cpu_seconds_per_run": statistics.median(cpu_seconds[1:]),  # of all threads
        "loss_final_over_initial": statistics.fmean(kept),
    }
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"torch {result['torch_version']}, {result['threads']} thread(s), {result['model']}, width {args.width}, "
          f"depth {args.depth}, {args.steps} steps of {args.samples} example(s), median of {args.networks} networks")
    print(f"seconds per run        {result['seconds_per_run']:.6g}")
    print(f"loss_T / loss_0        {result['loss_final_over_initial']:.6g}")
    return 0


def normal_ns_per_value(count=1 << 22, repeats=7):
    t = torch.empty(count)
    t.normal_()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        t.normal_()
        times.append(time.perf_counter() - start)
    return statistics.median(times) / count * 1e9


def run(args):
    net, stepped, optimizer = Network(args), Network(args), Optimizer(args)
    centre = math.sqrt(3) * args.depth ** -1.5
    rates = (centre * torch.logspace(-1, 1, args.rates)).tolist()
    seconds, cpu_seconds = [], []
    for _ in range(args.networks + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        measure(net, stepped, optimizer, rates)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    per_network = statistics.median(seconds[1:])  # the first one is warm-up
    result = {
        "model": f"{args.activation} {args.architecture}, {args.optimizer}",
        "width": args.width,
        "depth": args.depth,
        "rates": args.rates,
        "threads": torch.get_num_threads(),
        "torch_version": str(torch.__version__),
        "seconds_per_network": per_network,
        "seconds_per_trial": per_network / args.rates,
        "cpu_seconds_per_trial": statistics.median(cpu_seconds[1:]) / args.rates,  # of all threads
        "normal_ns_per_value": normal_ns_per_value(),
    }
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"torch {result['torch_version']}, {result['threads']} thread(s), {result['model']}, "
          f"width {args.width}, depth {args.depth}, {args.rates} rates, "
          f"median of {args.networks} networks")
    print(f"seconds per network   {result['seconds_per_network']:.6g}")
    print(f"seconds per trial     {result['seconds_per_trial']:.6g}")
    print(f"normal_() ns/value    {result['normal_ns_per_value']:.3f}")
    return 0


# Width, networks, model and G = E dz2_last / (rate error)^2 at linear order, depth 4, as `etastar theory --depth 4 --input-dim
# 64 --width` and the model have it ("E response"): exact where there are exact moments, else of infinite width, which the
# width must be near to.
CHECKS = [
    (64, 300, "relu", "mlp", "sgd", 24.120),
    (512, 100, "tanh", "residual", "sign", 4.28165),
]


def check(rate=1e-3):
    """Means at a small rate against theory."""
    failed = False
    for width, networks, activation, architecture, optimizer_name, exact in CHECKS:
        model = argparse.Namespace(width=width, depth=4, input_dim=64, branch_power=0.5, activation=activation,
                                   architecture=architecture, optimizer=optimizer_name)
        net, stepped, optimizer = Network(model), Network(model), Optimizer(model)
        values = []
        for _ in range(networks):
            r, trials = measure(net, stepped, optimizer, [rate])
            error = r if optimizer_name == "sgd" else math.copysign(1, r)
            values.append(trials[0][0] / (rate * error) ** 2)
        mean = statistics.fmean(values)
        deviation = statistics.stdev(values) / math.sqrt(networks)
        z = (mean - exact) / deviation
        ok = abs(z) < 4
        failed |= not ok
        print(f"check: {activation} {architecture} {optimizer_name}, width {model.width}, depth {model.depth}, "
              f"{networks} networks: G = {mean:.3f} +- {deviation:.3f}, theory {exact:.3f}, z = {z:+.2f}: "
              f"{'ok' if ok else 'FAILED'}")
    return 1 if failed else 0


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=positive, default=1024)
    parser.add_argument("--depth", type=positive, default=16, help="number of hidden layers")
    parser.add_argument("--rates", type=positive, default=16, metavar="K",
                        help="learning rates per network")
    parser.add_argument("--networks", type=positive, default=5, metavar="R",
                        help="networks timed, after one for warm-up")
    parser.add_argument("--input-dim", type=positive, default=10)
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="mlp")
    parser.add_argument("--branch-power", type=float, default=0.5, metavar="A",
                        help="branches of residual streams are scaled by L^-A")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    parser.add_argument("--steps", type=positive, metavar="T", help="train for T steps, by sgd, instead of one step")
    parser.add_argument("--samples", type=positive, default=1, metavar="P", help="training: examples of a step")
    parser.add_argument("--eta", type=float, default=0.01, help="training: base learning rate")
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true",
                        help="check the measurement of two models against theory and exit")
    args = parser.parse_args()
    if args.steps and args.optimizer != "sgd":
        parser.error("--steps: training is by sgd")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.check:
        return check()
    return run_training(args) if args.steps else run(args)


if __name__ == "__main__":
    sys.exit(main())
