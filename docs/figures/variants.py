#!/usr/bin/python3
"""Draw every row of the table of exponents, variants.png, and print the table of docs/results.md, section 7. DIRECTORY holds what
`etastar fit` says of the sweeps of jobs/variants: NAME.json, NAME-width.json, and where thresholds are relative
NAME.relative.json and NAME-width.relative.json (section 7 has the commands).

    docs/figures/variants.py DIRECTORY -o docs/figures

Errors of theory that samples paths (residual streams) are asked of `etastar theory`, once: NAME.theory.json, a few minutes."""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from plot_sweep import GREY, STYLE, bar_sample, find_etastar, integer_axis, log_axis, plt, sample
import numpy as np
from real_step import save

OPTIMIZERS = {"sgd": "#1b4f9c", "sign": "#c8102e", "normalized": "#2a8a4a"}
MARKS = {("linear", 1.0): {"marker": "o", "ms": 4}, ("finite", 1.0): {"marker": "s", "ms": 4.5, "mfc": "white"},
         ("finite", 0.1): {"marker": "^", "ms": 4.5, "mfc": "white"}}
# What is regressed on depth: a power, powers of 2, or exp(slope sqrt L).
FORMS = {"power": np.log, "two": lambda depth: np.log(2) * depth, "root": np.sqrt}


@dataclass
class Row:
    title: str
    stem: str
    law: str            # asymptotic exponents
    form: str = "power"
    suffix: str = ""    # of the document: .relative


ROWS = [
    Row("relu", "relu", r"$-3/2$; step $-5/6$"),
    Row("leaky-relu", "leaky-relu", r"$-3/2$; step $-5/6$"),
    Row("linear", "linear", r"$-3/2$"),
    Row(r"tanh, $c\,\mathbf{E} z^2$", "tanh", r"sgd $-1$; others $-3/2$", suffix=".relative"),
    Row(r"erf, $c\,\mathbf{E} z^2$", "erf", r"sgd $-1$; others $-3/2$", suffix=".relative"),
    Row("tanh, absolute $c$", "tanh", r"sgd $-1/2$; others $-1$; step: none"),
    Row("erf, absolute $c$", "erf", r"sgd $-1/2$; others $-1$; step: none"),
    Row("gelu", "gelu", "exponential"),
    Row("silu", "silu", "exponential"),
    Row(r"relu, $\tau = 1/L$", "residual-inverse", "$0$"),
    Row(r"tanh, $\tau = 1/L$", "residual-inverse-tanh", "$0$"),
    Row(r"relu, $\tau = L^{-1/2}$", "residual-half", r"sgd $0$; others $-1/2$"),
    Row(r"tanh, $\tau = L^{-1/2}$", "residual-half-tanh", r"sgd $0$; others $-1/2$"),
    Row(r"relu, $\tau = 1$", "residual-one", r"sgd $2^{-L}$; others $2^{-L/2}$", form="two"),
    Row(r"tanh, $\tau = 1$", "residual-one-tanh", r"sgd $e^{-1.06\sqrt{L}}$; others $e^{-0.53\sqrt{L}}$", form="root"),
]


@dataclass
class Estimates:
    """Of one criterion and threshold: cells with an estimate and an interval. Half widths are of the logarithm."""
    depths: np.ndarray
    star: np.ndarray
    centre: np.ndarray    # of the interval: what exponents rest on
    half: np.ndarray
    theory: np.ndarray    # at the same depths; NaN where there is none
    error: np.ndarray     # relative standard error of theory
    curve: tuple[np.ndarray, np.ndarray]
    weights: str
    width_slope: list     # value, low, high; None without one
    depth_slope: list
    missing: int          # cells that have none


@dataclass
class Slope:
    value: float
    half: float

    def __str__(self) -> str:
        if self.half == 0:
            return f"{self.value:+.4f}".replace("-", "−")
        digits = int(np.clip(1 - np.floor(np.log10(self.half)), 2, 4))
        return f"{self.value:+.{digits}f} ± {self.half:.{digits}f}".replace("-", "−")


def values(entries: list) -> np.ndarray:
    return np.array([np.nan if entry is None else entry for entry in entries], float)


def slope_of(tree: dict | None) -> list | None:
    return None if tree is None or tree["ci95"] is None else [tree["value"], *tree["ci95"]]


def path_errors(path: Path, spec: dict) -> dict[tuple[int, str, float], float]:
    """By depth, criterion and threshold. To linear order the paths of signs alone are sampled: a step at a tiny threshold is of that."""
    tiny = 1e-8
    if not path.exists():
        command = [find_etastar(), "theory", "--criterion", "finite", "--architecture", "residual", "--json", str(path)]
        command += ["--depth", ",".join(map(str, spec["depth"])), "--branch-power", str(spec["branch_power"])]
        for name in ("activation", "optimizer"):
            command += [f"--{name}", spec[name]]
        for threshold in (1, 0.1, *([tiny] if spec["optimizer"] == "sign" else [])):
            command += ["--threshold", str(threshold)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    result = {}
    for cell in json.loads(path.read_text())["cells"]:
        keys = [("linear", 1.0), ("linear", 0.1)] if cell["threshold"] == tiny else [("finite", cell["threshold"])]
        result |= {(cell["depth"], *key): cell["infinite_error"] or 0 for key in keys}
    return result


def read(path: Path, with_errors: bool = False) -> dict[tuple[str, float], Estimates]:
    result = {}
    tree = json.loads(path.read_text())
    errors = path_errors(path.with_suffix(".theory.json"), tree["source"]["spec"]) if with_errors else {}
    for fit in tree["fits"]:
        cells = [cell for cell in fit["cells"] if cell["eta_star"] is not None and cell["ci95"] is not None]
        ends = np.array([cell["ci95"] for cell in cells], float).reshape(-1, 2)
        exact = values([cell["exact"] or cell["infinite"] for cell in cells])
        curves = fit["exact_curves"]["depth"] or fit["infinite_curves"]
        curve = (values(curves[0]["depth"]), values(curves[0]["eta_star"])) if curves else (np.array([]), np.array([]))
        result[fit["criterion"], fit["threshold"]] = Estimates(
            values([cell["depth"] for cell in cells]), values([cell["eta_star"] for cell in cells]),
            values([cell["centre"] or cell["eta_star"] for cell in cells]), np.log(ends[:, 1] / ends[:, 0]) / 2, exact,
            values([errors.get((cell["depth"], fit["criterion"], fit["threshold"]), 0) for cell in cells]), curve, fit["weights"], slope_of(fit["exponents"]["width"]),
            slope_of(fit["exponents"]["depth"]), len(fit["cells"]) - len(cells))
    return result


def weights(name: str, depth: np.ndarray, power: float) -> np.ndarray:
    """Those of `fit` (docs/science.md, section 5), up to the width."""
    if name.startswith("n/(1 + L tau^2"):
        share = depth**(-2 * power)
        return 1 / (1 + depth * share / (1 + share))
    if name == "n/L":
        return 1 / depth
    return 1 / np.expm1((13.2 * (depth - 1.2) + 7.6 * np.exp(0.75 * (1 - depth))) / 65536)


def slopes(entry: Estimates, row: Row) -> tuple[Slope, Slope]:
    """Measured, and of theory over the same depths."""
    power = {"residual-inverse": 1, "residual-half": 0.5}.get(row.stem.removesuffix("-tanh"), 0)
    x, w = FORMS[row.form](entry.depths), weights(entry.weights, entry.depths, power)
    x = x - np.average(x, weights=w)
    linear = w * x / (w * x**2).sum()
    half = np.sqrt(((linear * entry.half)**2).sum())
    measured = linear @ np.log(entry.centre)
    theory = Slope(linear @ np.log(entry.theory), 1.96 * np.sqrt(((linear * entry.error)**2).sum()))
    if row.form == "power":
        value, low, high = entry.depth_slope
        assert abs(value - measured) < 1e-6, (row, value, measured)
        return Slope(value, (high - low) / 2), theory
    return Slope(measured, half), theory


def lines(row: Row, optimizer: str, depth: dict, width: dict) -> tuple[str, str]:
    """Of the table of depth exponents, and of that of chi^2 over the cells and of width exponents."""
    name = [row.title, optimizer]
    exponents, squares, widths = [], [], []
    for key in MARKS:
        entry = depth[key]
        if len(entry.depths) < 3:
            exponents += ["no rate", "no rate"]
            squares.append("")
        else:
            measured, theory = slopes(entry, row)
            exponents += [f"{measured}", f"{theory}"]
            z = np.log(entry.centre / entry.theory) / np.hypot(entry.half / 1.96, entry.error)
            squares.append(f"{(z**2).sum():.1f}" + (f" of {len(z)}" if entry.missing else ""))
        slope = width[key].width_slope
        widths.append(str(Slope(slope[0], (slope[2] - slope[1]) / 2)) if slope else "no rate")
    return tuple("| " + " | ".join(name + fields) + " |" for fields in ([row.law, *exponents], squares + widths))


def panel(ax: plt.Axes, row: Row, documents: dict[str, dict]) -> None:
    ax.set(xscale="log", yscale="log")
    lows, highs, depths = [], [], set()
    for optimizer, document in documents.items():
        for key, mark in MARKS.items():
            entry = document[key]
            shade = OPTIMIZERS[optimizer]
            shown = np.isfinite(entry.curve[1]) & (entry.curve[1] > 0)
            ax.plot(entry.curve[0][shown], entry.curve[1][shown], color=shade, lw=0.8, zorder=1,
                    ls="-" if key[0] == "linear" else (0, (5, 2)))
            if not len(entry.depths):
                continue
            bars = [entry.star * -np.expm1(-entry.half), entry.star * np.expm1(entry.half)]
            ax.errorbar(entry.depths, entry.star, yerr=bars, ls="none", color=shade, elinewidth=0.8, capsize=1.5, mew=0.8,
                        zorder=3, **mark)
            lows.append(entry.star.min())
            highs.append(entry.star.max())
            depths |= set(entry.depths.astype(int))
    log_axis(ax.yaxis, min(lows), max(highs))
    ticks = sorted(depths)
    integer_axis(ax.xaxis, ticks, ticks[0], ticks[-1])
    ax.set_title(row.title, fontsize=11)
    ax.text(0.04, 0.04, row.law, transform=ax.transAxes, fontsize=9, color=GREY)


def main() -> None:
    parser = argparse.ArgumentParser(prog="variants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="DIRECTORY", type=Path, help="JSON of `etastar fit`")
    parser.add_argument("-o", metavar="DIR", dest="directory", type=Path, required=True, help="where the figure goes")
    options = parser.parse_args()
    plt.rcdefaults()
    plt.rcParams.update(STYLE)
    fig, grid = plt.subplots(4, 4, figsize=(12.4, 12), layout="constrained")
    table = []
    for ax, row in zip(grid.flat, ROWS):
        documents = {}
        for optimizer in OPTIMIZERS:
            name = f"{row.stem}-{optimizer}"
            documents[optimizer] = read(options.source / f"{name}{row.suffix}.json", row.stem.startswith("residual"))
            width = read(options.source / f"{name}-width{row.suffix}.json")
            table.append(lines(row, optimizer, documents[optimizer], width))
        panel(ax, row, documents)
    for part in zip(*table):
        print(*part, "", sep="\n")
    for ax in grid[-1]:
        ax.set_xlabel("depth $L$")
    for ax in grid[:, 0]:
        ax.set_ylabel(r"$\eta^\star$")
    grid[-1, -1].axis("off")
    handles = [sample(optimizer, color=shade) for optimizer, shade in OPTIMIZERS.items()]
    handles += [sample("linear order, $c = 1$", ls="-", lw=0.8, **MARKS["linear", 1.0])]
    handles += [sample(f"one step, $c = {c:g}$", ls=(0, (5, 2)), lw=0.8, **MARKS["finite", c]) for c in (1.0, 0.1)]
    handles += [bar_sample(), sample("lines: theory, no free parameter", ls="")]
    grid[-1, -1].legend(handles=handles, loc="upper left", handlelength=2.4)
    save(fig, options.directory / "variants.png")


if __name__ == "__main__":
    main()
