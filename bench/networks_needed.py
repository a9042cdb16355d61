#!/usr/bin/env python3
"""How many networks a depth exponent of the finite criterion takes, without and with control variates.

    etastar sweep --width 262144 --depth 4:64:x2 --eta 0.08:9:log10 --seeds 100 --output run.h5
    etastar fit run.h5 --criterion finite --threshold 1 --threshold 0.1 --threshold 0.01 --json fit.json
    bench/networks_needed.py fit.json 0.002

From the intervals and variance ratios of a fit of one width whose cells all have control variates: errors fall with the
root of the number of networks.
"""
import json
import math
import sys


def weight(width, depth):
    """Theory's, of a cell; layer last (docs/science.md, section 5)."""
    return 1 / math.expm1((13.2 * (depth - 1.2) + 7.6 * math.exp(0.75 * (1 - depth))) / width)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: networks_needed.py FIT.json HALF_WIDTH")
    with open(sys.argv[1]) as file:
        fits = json.load(file)["fits"]
    goal = float(sys.argv[2])
    print(f"networks a cell for +- {goal:g} on the depth exponent\n\n| c | without | with control variates | fewer | by cell |")
    print("|---|---|---|---|---|")
    for fit in fits:
        cells = fit["cells"]
        if any(cell["variance_ratio"] is None for cell in cells):
            sys.exit(f"networks_needed: not every cell of threshold {fit['threshold']:g} has control variates")
        x = [math.log(cell["depth"]) for cell in cells]
        w = [weight(cell["width"], cell["depth"]) for cell in cells]
        centre = sum(wi * xi for wi, xi in zip(w, x)) / sum(w)
        spread = sum(wi * (xi - centre)**2 for wi, xi in zip(w, x))
        dependence = [wi * (xi - centre) / spread for wi, xi in zip(w, x)]  # of the exponent on each cell
        half = [math.log(cell["ci95"][1] / cell["ci95"][0]) / 2 for cell in cells]
        ratio = [cell["variance_ratio"] for cell in cells]
        with_ = sum((d * h)**2 for d, h in zip(dependence, half)) * cells[0]["networks"] / goal**2
        without = sum((d * h)**2 * r for d, h, r in zip(dependence, half, ratio)) * cells[0]["networks"] / goal**2
        print(f"| {fit['threshold']:g} | {without:.3g} | {with_:.3g} | {without / with_:.3g} | "
              + " ".join(f"{r:.3g}" for r in ratio) + " |")


if __name__ == "__main__":
    main()
