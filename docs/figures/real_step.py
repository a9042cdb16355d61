#!/usr/bin/python3
"""Draw a real step over its law at infinite width: real-step.png, real-step-dz2.png, real-step-map.png and
real-step-collapse.png. FIT is what `etastar fit` says of jobs/real-step.cfg:

    etastar fit real-step.h5 --criterion finite --threshold 1 --threshold 0.1 --threshold 0.01 \\
        --threshold 0.001 --threshold 0.0001 --json fit.json
    docs/figures/real_step.py fit.json -o docs/figures

The law is asked of `etastar theory`, which takes half a minute."""
from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from plot_sweep import (GREY, GUIDE, KEY_INCHES, MARKERS, STYLE, bar_sample, colours, find_etastar, integer_axis, log_axis,
                        plt, sample)
import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator
from PIL import Image

# docs/science.md, section 8.
KAPPA = (3 * np.pi**3 / 4)**0.6 / (3 * np.pi)
PLATEAU = 2 * (3 * np.pi**3 / 4)**0.4
LAW_AT_ONE = (4 / (3 * np.pi**3))**0.5 * (3 * np.pi * np.log1p(np.sqrt(0.5)))**(5 / 6)

DEEPEST = 2**17    # of the curves of theory alone
STEP = r"$\mathbf{E}\,(\Delta z^L)^2$"
DASHES = {"ls": (0, (4, 3)), "lw": 1.4}


@dataclass
class Estimates:
    """Of one threshold: where (depths), and there values with the ends of their intervals, 3 x depths."""
    threshold: float
    depths: np.ndarray
    star: np.ndarray
    middles: np.ndarray
    slope: np.ndarray


@dataclass
class Curve:
    """Of one depth: rates, the measured mean with the ends of its interval (3 x rates), and the law there."""
    depth: int
    eta: np.ndarray
    mean: np.ndarray
    law: np.ndarray


def theory(depths: list[int], thresholds: list[float], eta: np.ndarray | None = None) -> list[dict]:
    """The cells of `etastar theory --criterion finite`: depths, and of each the thresholds."""
    command = [find_etastar(), "theory", "--criterion", "finite", "--json", "-", "--depth", ",".join(map(str, depths))]
    for threshold in thresholds:
        command += ["--threshold", repr(float(threshold))]
    if eta is not None:
        command += ["--eta", ",".join(repr(float(value)) for value in eta)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["cells"]


def stars(depths: list[int], thresholds: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """eta* of a step and to linear order, thresholds x depths."""
    both = np.array([(cell["infinite"], cell["linear"]) for cell in theory(depths, thresholds)], float)
    star, linear = both.reshape(len(depths), len(thresholds), 2).T
    return star, linear


def law(depth: int, eta: np.ndarray) -> np.ndarray:
    return np.array([point["dz2_last"] for point in theory([depth], [1], eta)[0]["curve"]], float)


def inverted(depth: int, thresholds: np.ndarray) -> np.ndarray:
    """eta* of many thresholds, between points of the step's curve: to 1e-3."""
    ends, _ = stars([depth], [thresholds[0], thresholds[-1]])
    eta = np.geomspace(0.99 * ends[0, 0], 1.01 * ends[1, 0], 300)
    step = law(depth, eta)
    assert (np.diff(step) > 0).all()
    return np.exp(np.interp(np.log(thresholds), np.log(step), np.log(eta)))


def depths_between(low: int, high: int, per_octave: int) -> list[int]:
    return [round(low * 2 ** (i / per_octave)) for i in range(round(np.log2(high / low) * per_octave) + 1)]


def octave_slopes(depths: list[int], star: np.ndarray, per_octave: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes between depths a factor of two apart, and the middle of each pair."""
    x, y = np.log(depths), np.log(star)
    return (np.exp((x[per_octave:] + x[:-per_octave]) / 2),
            (y[:, per_octave:] - y[:, :-per_octave]) / (x[per_octave:] - x[:-per_octave]))


def triples(entries: list[dict], key: str) -> np.ndarray:
    return np.array([[entry[key], *(entry["ci95"] or [None, None])] for entry in entries], float).reshape(-1, 3).T


def read(path: str) -> tuple[list[Estimates], list[Curve]]:
    tree = json.loads(Path(path).read_text())
    estimates = []
    for fit in (fit for fit in tree["fits"] if fit["criterion"] == "finite"):
        cells = [cell for cell in fit["cells"] if cell["eta_star"] is not None]
        estimates.append(Estimates(fit["threshold"], np.array([cell["depth"] for cell in cells]), triples(cells, "eta_star"),
                                   np.array([np.sqrt(np.prod(part["depth"])) for part in fit["local_slopes"]]),
                                   triples(fit["local_slopes"], "value")))
    curves = []
    for cell in next(entry["cells"] for entry in tree["curves"] if entry["criterion"] == "finite"):
        points = [{"value": mean, "ci95": interval} for mean, interval in zip(cell["mean"], cell["ci95"])]
        eta = np.array(cell["eta"])
        curves.append(Curve(cell["depth"], eta, triples(points, "value"), law(cell["depth"], eta)))
    return estimates, curves


def add_key(fig: plt.Figure, handles: list, title: str = "one real step") -> None:
    right = 1 - KEY_INCHES / fig.get_figwidth()
    fig.get_layout_engine().set(rect=(0, 0, right, 1))
    fig.legend(handles=handles, title=title, loc="upper left", bbox_to_anchor=(right, 1), handlelength=1.9)


def of_depths(curves: list[Curve], **style: object) -> list:
    return [sample(f"$L = {curve.depth}$", color=shade, **style) for curve, shade in zip(curves, colours(len(curves)))]


def with_bars(ax: plt.Axes, x: np.ndarray, triple: np.ndarray, **style: object) -> None:
    value, low, high = triple
    ax.errorbar(x, value, yerr=np.nan_to_num([value - low, high - value]).clip(0), ls="none", elinewidth=1, capsize=2,
                mfc="white", ms=6, zorder=3, **style)


def star_figure(estimates: list[Estimates]) -> plt.Figure:
    """eta* against depth, and the local slopes."""
    estimates = [entry for entry in estimates if entry.threshold >= 0.01]
    fig, (ax, below) = plt.subplots(2, 1, figsize=(KEY_INCHES + 4.9, 6.2), sharex=True, layout="constrained",
                                    gridspec_kw={"height_ratios": [3, 2]})
    depths = depths_between(8, DEEPEST, 6)
    star, linear = stars(depths, [entry.threshold for entry in estimates])
    middles, slope = octave_slopes(depths, star, 6)
    shades = colours(len(estimates))
    ax.set(xscale="log", yscale="log", ylabel=r"$\eta^\star$")
    for i, entry in enumerate(estimates):
        mark = {"color": shades[i], "marker": MARKERS[i]}
        ax.plot(depths, star[i], color=shades[i])
        ax.plot(depths, linear[i], color=shades[i], ls=":", lw=0.9)
        with_bars(ax, entry.depths, entry.star, **mark)
        below.plot(middles, slope[i], color=shades[i])
        with_bars(below, entry.middles, entry.slope, **mark)
    ax.plot(depths, LAW_AT_ONE * np.array(depths)**(-5 / 6), color=GUIDE, zorder=0, **DASHES)
    for value, text in ((-1.5, "$-3/2$"), (-5 / 6, "$-5/6$")):
        colour = GUIDE if value > -1 else GREY
        below.axhline(value, color=colour, zorder=0, **{**DASHES, "lw": 0.9})
        below.text(0.985, value - 0.03, text, transform=below.get_yaxis_transform(), ha="right", va="top", color=colour)
    log_axis(ax.yaxis, 2e-6, star.max())
    integer_axis(ax.xaxis, [2**k for k in range(3, 18)], depths[0], depths[-1])
    below.set(xlabel="depth $L$", ylabel="slope, $L$ to $2L$", ylim=(-1.68, 0.1))
    add_key(fig, [sample("measured, $n = 2^{18}$", marker="o", mfc="white", ms=6, ls=""), bar_sample(),
                  sample(r"theory, $n = \infty$"), sample("linear order", ls=":", lw=0.9),
                  sample(rf"${LAW_AT_ONE:.3f}\,L^{{-5/6}}$", color=GUIDE, **DASHES)] +
            [sample(f"$c = {entry.threshold:g}$", color=shades[i], marker=MARKERS[i], mfc="white", ms=6)
             for i, entry in enumerate(estimates)])
    return fig


def step_figure(curves: list[Curve]) -> plt.Figure:
    """The mean step against the rate."""
    fig, (ax, below) = plt.subplots(2, 1, figsize=(KEY_INCHES + 4.9, 6.2), sharex=True, layout="constrained",
                                    gridspec_kw={"height_ratios": [3, 1]})
    ax.set(xscale="log", yscale="log", ylabel=STEP)
    for curve, shade in zip(curves, colours(len(curves))):
        fine = np.geomspace(curve.eta[0], curve.eta[-1], 150)
        ax.plot(fine, law(curve.depth, fine), color=shade, lw=1)
        ax.plot(curve.eta, curve.mean[0], color=shade, marker="o", ms=3.2, mfc="white", mew=0.9, ls="")
        ratio = curve.mean / curve.law
        below.plot(curve.eta, ratio[0], color=shade, lw=1)
        below.fill_between(curve.eta, ratio[1], ratio[2], color=shade, alpha=0.15, lw=0)
    ends = np.array([1e-7, 0.03])
    ax.plot(ends, PLATEAU * ends**0.8, color=GUIDE, zorder=0, **DASHES)
    log_axis(ax.yaxis, 1e-6, 1e3)
    log_axis(ax.xaxis, curves[-1].eta[0], 3)
    below.axhline(1, color=GREY, lw=0.8, zorder=0)
    below.set(xlabel=r"learning rate $\eta$", ylabel="over theory", ylim=(0.88, 1.42))
    add_key(fig, [sample("measured, $n = 2^{18}$", marker="o", ms=3.2, mfc="white", ls=""),
                  Patch(color=GREY, alpha=0.3, lw=0, label="95 % interval"), sample(r"theory, $n = \infty$", lw=1),
                  sample(rf"plateau, ${PLATEAU:.2f}\,\eta^{{4/5}}$", color=GUIDE, **DASHES)] + of_depths(curves))
    return fig


def map_figure(estimates: list[Estimates]) -> plt.Figure:
    """The local slope over depth and threshold; circles are measured and filled by the same scale."""
    fig, ax = plt.subplots(figsize=(KEY_INCHES + 4.9, 5.0), layout="constrained")
    depths, thresholds = depths_between(4, DEEPEST, 4), np.geomspace(1e-10, 10, 89)
    middles, slope = octave_slopes(depths, np.array([inverted(depth, thresholds) for depth in depths]).T, 4)
    shade = {"cmap": "viridis", "vmin": -1.5, "vmax": 0.05}
    ax.set(xscale="log", yscale="log", xlabel="depth $L$", ylabel="threshold $c$")
    image = ax.contourf(middles, thresholds, slope, np.linspace(-1.55, 0.1, 34), extend="both", **shade)
    ends = middles[[0, -1]]
    integer_axis(ax.xaxis, [2**k for k in range(3, 17)], *ends)
    ax.set(xlim=ends, ylim=(thresholds[0], thresholds[-1]))
    ax.yaxis.set_major_locator(LogLocator(numticks=12))
    for entry in estimates:
        ax.scatter(entry.middles, np.full(len(entry.middles), entry.threshold), c=entry.slope[0], s=46, edgecolors="white",
                   linewidths=1.2, zorder=3, **shade)
    for x, y, text, colour in ((40, 1e-8, "linear order: $-3/2$", "white"), (2.9e4, 4e-6, "plateau: $0$", "black"),
                               (8e3, 0.3, "growth: $-5/6$", "white")):
        ax.text(x, y, text, color=colour, fontsize=13, ha="center", va="center")
    bar = fig.colorbar(image, ax=ax, ticks=[-1.5, -1.25, -1, -5 / 6, -0.5, -0.25, 0], pad=0.03, aspect=25)
    bar.ax.set_yticklabels(["$-3/2$", "$-1.25$", "$-1$", "$-5/6$", "$-0.5$", "$-0.25$", "$0$"])
    bar.set_label(r"local slope of $\eta^\star$ in $L$")
    fig.canvas.draw()
    for power, at, colour in ((-2, 900.0, "white"), (-1, 9000.0, "black")):
        ax.plot(ends, ends**power, color=colour, **DASHES)
        across, up = np.diff(ax.transData.transform([(x, x**power) for x in (at, 2 * at)]), axis=0)[0]
        ax.text(at, 0.6 * at**power, f"$c = L^{{{power}}}$", color=colour, rotation=np.degrees(np.arctan2(up, across)),
                rotation_mode="anchor", ha="center", va="top", fontsize=12)
    return fig


def collapse_figure(curves: list[Curve]) -> plt.Figure:
    """All depths on eta L^(5/2), in units of the plateau, and on eta^(6/5) L."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(KEY_INCHES + 8.2, 4.4), layout="constrained")
    left.set(xscale="log", yscale="log", xlabel=r"$\eta L^{5/2}$", ylabel=STEP + rf" $/\; {PLATEAU:.2f}\,\eta^{{4/5}}$")
    right.set(xscale="log", yscale="log", xlabel=r"$\eta^{6/5} L$",
              ylabel=r"$\ln\left(1 + \sqrt{\mathbf{E}\,(\Delta z^L)^2 / 2}\right)$")
    shades = colours(len(curves))
    lines = []
    for deep, shade in ((2**14, "0.7"), (DEEPEST, "0.5")):
        eta = np.geomspace(1e-2 * deep**-2.5, 8 * deep**(-5 / 6), 150)
        lines.append((deep, eta, law(deep, eta), shade))
    for curve, shade in zip(curves, shades):
        fine = np.geomspace(curve.eta[0], curve.eta[-1], 150)
        lines.append((curve.depth, fine, law(curve.depth, fine), shade))
    for depth, eta, step, shade in lines:
        left.plot(eta * depth**2.5, step / (PLATEAU * eta**0.8), color=shade, lw=1)
        right.plot(eta**1.2 * depth, np.log1p(np.sqrt(step / 2)), color=shade, lw=1)
    for curve, shade in zip(curves, shades):
        mark = {"color": shade, "marker": "o", "ms": 3.2, "mfc": "white", "mew": 0.9, "ls": ""}
        left.plot(curve.eta * curve.depth**2.5, curve.mean[0] / (PLATEAU * curve.eta**0.8), **mark)
        right.plot(curve.eta**1.2 * curve.depth, np.log1p(np.sqrt(curve.mean[0] / 2)), **mark)
    x = np.array([1e-2, 60])
    left.plot(x, x**1.2 / (3 * PLATEAU), color=GUIDE, zorder=4, **DASHES)
    left.axhline(1, color=GUIDE, zorder=0, **DASHES)
    x = np.array([0.01, 30])
    right.plot(x, KAPPA * x, color=GUIDE, zorder=4, **DASHES)
    left.text(0.6, 0.006, r"$\eta^2 L^3 / 3$", color=GUIDE)
    left.text(0.02, 1.25, "plateau", color=GUIDE)
    right.text(0.055, 0.02, rf"${KAPPA:.3f}\,\eta^{{6/5}} L$", color=GUIDE)
    log_axis(left.xaxis, 1e-2, 1e8)
    log_axis(left.yaxis, 2e-4, 20)
    log_axis(right.xaxis, 2e-3, 8)
    log_axis(right.yaxis, 5e-3, 5)
    add_key(fig, [sample("measured, $n = 2^{18}$", marker="o", ms=3.2, mfc="white", ls=""),
                  sample(r"theory, $n = \infty$", lw=1), sample("law of the regime", color=GUIDE, **DASHES)] +
            of_depths(curves) + [sample("$L = 2^{14}$", color="0.7"), sample("$L = 2^{17}$", color="0.5")])
    return fig


def save(fig: plt.Figure, path: Path) -> None:
    """As a PNG of 256 colours, a third of the size of one of all."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="real_step", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fit", metavar="FIT", help="JSON of `etastar fit`")
    parser.add_argument("-o", metavar="DIR", dest="directory", type=Path, required=True, help="where the figures go")
    options = parser.parse_args()
    plt.rcdefaults()
    plt.rcParams.update(STYLE)
    estimates, curves = read(options.fit)
    for name, fig in (("real-step", star_figure(estimates)), ("real-step-dz2", step_figure(curves)),
                      ("real-step-map", map_figure(estimates)), ("real-step-collapse", collapse_figure(curves))):
        save(fig, options.directory / f"{name}.png")


if __name__ == "__main__":
    main()
