#!/usr/bin/python3
"""The one-step measurement in plain PyTorch, as a baseline for timing.

A bias-free ReLU MLP in muP. Per network: draw the weights, one forward and one
backward pass; then for each of K learning rates one SGD step from the saved
weights and one forward pass, recording ||dz^L||^2 / n and the loss afterwards.
"""
import argparse
import json
import math
import statistics
import sys
import time

import torch
from torch import nn


class MLP(nn.Module):
    def __init__(self, input_dim, width, depth):
        super().__init__()
        sizes = [input_dim] + [width] * depth
        self.hidden = nn.ModuleList(
            nn.Linear(a, b, bias=False) for a, b in zip(sizes, sizes[1:]))
        self.readout = nn.Linear(width, 1, bias=False)

    def reset(self):
        for layer in self.hidden:
            nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.in_features))
        nn.init.normal_(self.readout.weight, std=1 / self.readout.in_features)

    def forward(self, x):
        """The last pre-activation and the output."""
        h = x
        for layer in self.hidden:
            z = layer(h)
            h = torch.relu(z)
        return z, self.readout(h)


def rate_multipliers(input_dim, width, depth):
    """One per weight tensor, in the order of MLP.parameters()."""
    return [width / input_dim] + [1.0] * (depth - 1) + [1.0 / width]


def random_sign(*shape):
    return torch.randint(0, 2, shape).float() * 2 - 1


def measure(net, stepped, multipliers, rates):
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
        for rate in rates:
            for p, q, m in zip(net.parameters(), stepped.parameters(), multipliers):
                q.copy_(p)
                q.add_(p.grad, alpha=-rate * m)
            z_after, f_after = stepped(x)
            dz2_last = (z_after - z).square().mean().item()
            loss_after = 0.5 * (f_after - y).square().sum().item()
            trials.append((dz2_last, loss_after))
    return (f - y).item(), trials


def models(input_dim, width, depth):
    return MLP(input_dim, width, depth), MLP(input_dim, width, depth)


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
    net, stepped = models(args.input_dim, args.width, args.depth)
    multipliers = rate_multipliers(args.input_dim, args.width, args.depth)
    centre = math.sqrt(3) * args.depth ** -1.5
    rates = (centre * torch.logspace(-1, 1, args.rates)).tolist()
    seconds = []
    for _ in range(args.networks + 1):
        start = time.perf_counter()
        measure(net, stepped, multipliers, rates)
        seconds.append(time.perf_counter() - start)
    per_network = statistics.median(seconds[1:])  # the first one is warm-up
    result = {
        "width": args.width,
        "depth": args.depth,
        "rates": args.rates,
        "threads": torch.get_num_threads(),
        "torch_version": str(torch.__version__),
        "seconds_per_network": per_network,
        "seconds_per_trial": per_network / args.rates,
        "normal_ns_per_value": normal_ns_per_value(),
    }
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"torch {result['torch_version']}, {result['threads']} thread(s), "
          f"width {args.width}, depth {args.depth}, {args.rates} rates, "
          f"median of {args.networks} networks")
    print(f"seconds per network   {result['seconds_per_network']:.6g}")
    print(f"seconds per trial     {result['seconds_per_trial']:.6g}")
    print(f"normal_() ns/value    {result['normal_ns_per_value']:.3f}")
    return 0


def check(input_dim):
    """Mean of dz2_last / (rate^2 r^2) at a small rate against its exact value."""
    width, depth, networks, rate, exact = 64, 4, 300, 1e-3, 24.120
    net, stepped = models(input_dim, width, depth)
    multipliers = rate_multipliers(input_dim, width, depth)
    values = []
    for _ in range(networks):
        r, trials = measure(net, stepped, multipliers, [rate])
        values.append(trials[0][0] / (rate * r) ** 2)
    mean = statistics.fmean(values)
    error = statistics.stdev(values) / math.sqrt(networks)
    z = (mean - exact) / error
    ok = abs(z) < 4
    print(f"check: width {width}, depth {depth}, {networks} networks: "
          f"G = {mean:.3f} +- {error:.3f}, exact {exact:.3f}, z = {z:+.2f}: "
          f"{'ok' if ok else 'FAILED'}")
    return 0 if ok else 1


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
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true",
                        help="check the measurement against the exact response and exit")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    return check(args.input_dim) if args.check else run(args)


if __name__ == "__main__":
    sys.exit(main())
