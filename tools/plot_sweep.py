#!/usr/bin/env python3
"""Draw what `etastar fit` says of a sweep: eta* against depth and against width, and the finite step, or training, against eta.

FILE is the sweep's HDF5 file, of which `etastar fit` is asked, or a document that `etastar fit --json` has written. Writes
eta_star (against depth, or against width where there is one depth), eta_star_width (where there are several of both) and
dz2 (the step); of several thresholds eta_star_c0.01 and so on. Of training eta_star (a panel per criterion), loss (against
the rate, and against the rate times powers of the depth), loss_steps (against the step) and kernel (against depth)."""
from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

try:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatterSciNotation, LogLocator, NullFormatter
except ImportError as error:
    # The first python3 on PATH is not always the one that the system's packages are for.
    system = "/usr/bin/python3"
    if __name__ == "__main__" and sys.executable != system and os.access(system, os.X_OK):
        os.execv(system, [system, os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(f"plot_sweep: {error}; needs python3-numpy and python3-matplotlib")

MARKERS = "osD^vPX"
GREY = "0.35"
GUIDE = "#c8102e"
INFINITE = {"color": "0.2", "ls": (0, (6, 2, 1, 2)), "lw": 1.1}
KEY_INCHES = 1.95
LABELS = {"linear": "linear order", "finite": "finite step"}
CHANGE = {"last": r"$\Vert\Delta z^L\Vert^2/n$", "max": r"$\mathrm{max}_\ell\,\Vert\Delta z^\ell\Vert^2/n$",
          "mean": r"$L^{-1}\sum_\ell\Vert\Delta z^\ell\Vert^2/n$", "output": r"$(\Delta f)^2$"}
SYMBOLS = {"width": "n", "depth": "L"}
STYLE = {
    "font.family": "STIXGeneral", "mathtext.fontset": "stix", "font.size": 11, "axes.labelsize": 13,
    "axes.titlesize": 12, "legend.fontsize": 10.5, "legend.frameon": False, "axes.linewidth": 0.8,
    "xtick.direction": "in", "ytick.direction": "in", "xtick.top": True, "ytick.right": True,
    "lines.linewidth": 1.2, "pdf.fonttype": 42, "savefig.dpi": 250,
}


@dataclass
class Cell:
    """One (width, depth) of a fit. A triple is a value and its 95 % interval; NaN where there is none."""
    width: int
    depth: int
    networks: int
    star: np.ndarray     # triple: eta*
    kernel: np.ndarray   # 2 x 3: of training, the kernel's largest eigenvalue before and after it
    exact: float         # by theory: at this width or, where that has none, at infinite width
    ratio: np.ndarray    # triple: eta* over exact
    note: str


@dataclass
class ExactCurve:
    at: int              # the width or depth that it belongs to
    x: np.ndarray
    star: np.ndarray


@dataclass
class Fit:
    """One criterion at one threshold."""
    criterion: str
    threshold: float
    layer: str
    relative: bool                        # the threshold is a multiple of E z^2
    step: int                             # of training, else 0; a fit of training has no threshold, NaN, and no layer
    fraction: float                       # NaN where it has none
    exponent: np.ndarray                  # triple: of the depth
    spreads: list[Spread]
    cells: list[Cell]
    is_exact: bool                        # theory is that of each cell's width, not of infinite width
    exact: dict[str, list[ExactCurve]]    # by the axis along which they go
    infinite: list[ExactCurve]            # over depths, at infinite width, where nothing is exact at this one; at 0: of any width
    guide: tuple[str, np.ndarray, np.ndarray] | None    # the law as text, depths, eta*


@dataclass
class Spread:
    """Standard deviation of log eta* / L^exponent over all widths or depths."""
    over: str
    of: str              # "none", "theory" or "fit"
    exponent: float
    value: np.ndarray    # triple


@dataclass
class History:
    eta: float
    step: np.ndarray
    loss: np.ndarray     # 3 x step: median over networks of loss_t / loss_0 and its interval


@dataclass
class Trained:
    """What training did at one (width, depth)."""
    width: int
    depth: int
    eta: np.ndarray
    loss: np.ndarray     # 3 x eta: median of loss_t / loss_0 and its interval
    histories: list[History]


@dataclass
class Curve:
    """What a criterion looks at, at one (width, depth), against the rate."""
    width: int
    depth: int
    eta: np.ndarray
    mean: np.ndarray     # 3 x eta: mean over networks and its interval; NaN where the mean is not finite
    linear: np.ndarray   # the prediction of first order in eta,
    infinite: np.ndarray # and of infinite width


@dataclass
class Document:
    fits: list[Fit]
    curves: dict[str, list[Curve]] = field(default_factory=dict)    # by criterion
    rows: dict[str, int] = field(default_factory=dict)
    training: list[Trained] = field(default_factory=list)


def fail(code: int, message: str) -> NoReturn:
    print(f"plot_sweep: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def note(message: str) -> None:
    print(f"plot_sweep: note: {' '.join(message.split())}", file=sys.stderr)


# What fit says


def find_etastar() -> str:
    """The program: the one named by ETASTAR_BIN, of this checkout or installation, or on PATH."""
    if named := os.environ.get("ETASTAR_BIN"):
        return named
    here = Path(__file__).resolve().parent
    built = sorted(here.parent.glob("build/*/bin/etastar"), key=lambda path: (path.parts[-3] != "release", path))
    for path in (*built, here.parent / "bin" / "etastar", here.parents[2] / "bin" / "etastar"):
        if os.access(path, os.X_OK):
            return str(path)
    return shutil.which("etastar") or fail(3, "no etastar in build/*/bin, ../bin, ../../../bin or on PATH; set ETASTAR_BIN, "
                                              "or give a document of `etastar fit --json`")


def ask_fit(options: argparse.Namespace) -> str:
    command = [find_etastar(), "fit", options.file, "--json", "-"]
    for threshold in options.threshold or []:
        command += ["--threshold", repr(threshold)]
    for name in ("layer", "criterion", "step", "fraction"):
        if value := getattr(options, name):
            command += [f"--{name}", str(value)]
    if options.relative:
        command.append("--relative")
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="backslashreplace")
    except OSError as error:
        fail(3, f"{command[0]}: cannot be run ({error.strerror}); it is asked for what to draw")
    if result.returncode != 0:
        lines = result.stderr.splitlines() or [f"{command[0]} fit ended with {result.returncode} and said nothing"]
        fail(result.returncode if result.returncode in (2, 3) else 1, lines[-1].removeprefix("etastar: "))
    return result.stdout


def is_document(path: str) -> bool:
    """JSON begins with a brace; what else it may be, `etastar fit` says."""
    try:
        with open(path, "rb") as file:
            return file.read(64).lstrip()[:1] == b"{"
    except OSError:
        return False


def number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def numbers(values: list) -> np.ndarray:
    return np.array([number(value) for value in values])


def triple(value: float | None, interval: list | None) -> np.ndarray:
    return numbers([value, *(interval or [None, None])])


def read_cell(tree: dict, exact: bool) -> Cell:
    """exact: the criterion has exact values, else those of infinite width stand for them."""
    ratio = tree["ratio" if exact else "ratio_infinite"] or {"value": None, "ci95": None}
    kernel = tree["kernel"] and [triple(tree["kernel"][name]["value"], tree["kernel"][name]["ci95"]) for name in ("initial", "final")]
    return Cell(int(tree["width"]), int(tree["depth"]), int(tree["networks"]), triple(tree["eta_star"], tree["ci95"]),
                np.array(kernel or np.full((2, 3), np.nan)), number(tree["exact" if exact else "infinite"]), triple(ratio["value"], ratio["ci95"]), str(tree.get("note", "")))


def read_fit(tree: dict) -> Fit:
    exact = {axis: [ExactCurve(int(curve[other]), numbers(curve[axis]), numbers(curve["eta_star"]))
                    for curve in tree["exact_curves"][axis]] for axis, other in (("depth", "width"), ("width", "depth"))}
    is_exact = any(cell["exact"] is not None for cell in tree["cells"])
    infinite = [] if is_exact else [ExactCurve(int(curve["width"] or 0), numbers(curve["depth"]), numbers(curve["eta_star"]))
                                    for curve in tree["infinite_curves"]]
    line = tree["asymptote"]
    guide = line and (str(line["law"]), numbers(line["depth"]), numbers(line["eta_star"]))
    slope = tree["exponents"]["depth"] or {"value": None, "ci95": None}
    whole = [spread for spread in tree["misalignment"] or []
             if spread["at"] is None or not any(other["at"] is None and other["over"] == spread["over"] for other in tree["misalignment"])]
    return Fit(str(tree["criterion"]), number(tree["threshold"]), str(tree["layer"] or ""), bool(tree["relative"]),
               int(tree["step"] or 0), number(tree["fraction"]), triple(slope["value"], slope["ci95"]),
               [Spread(str(spread["over"]), str(spread["of"]), float(spread["exponent"]), triple(spread["value"], spread["ci95"]))
                for spread in whole], [read_cell(cell, is_exact) for cell in tree["cells"]], is_exact, exact, infinite, guide)


def read_curve(tree: dict) -> Curve:
    eta = numbers(tree["eta"])
    mean = np.array([triple(*point) for point in zip(tree["mean"], tree["ci95"], strict=True)]).T
    return Curve(int(tree["width"]), int(tree["depth"]), eta, mean, numbers(tree["linear"] or [None] * len(eta)),
                 numbers(tree["infinite"] or [None] * len(eta)))


def medians(values: list, intervals: list) -> np.ndarray:
    """3 x points."""
    return np.array([triple(*point) for point in zip(values, intervals, strict=True)]).T


def read_trained(tree: dict) -> Trained:
    return Trained(int(tree["width"]), int(tree["depth"]), numbers(tree["eta"]), medians(tree["loss"], tree["loss_ci95"]),
                   [History(float(line["eta"]), numbers(line["step"]), medians(line["loss"], line["loss_ci95"]))
                    for line in tree["histories"]])


def read_document(text: str, name: str) -> Document:
    try:
        tree = json.loads(text)
        return Document([read_fit(fit) for fit in tree["fits"]],
                        {str(entry["criterion"]): [read_curve(cell) for cell in entry["cells"]] for entry in tree["curves"]},
                        {key: int(tree["rows"][key]) for key in ("all", "finished", "pending", "failed", "damaged")},
                        [read_trained(cell) for cell in tree["training"]["cells"]] if tree["training"] else [])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        fail(3, f"{name}: not a document of `etastar fit --json` of this version: {error!r}")


def choose(document: Document, options: argparse.Namespace) -> Document:
    """The part of the document that was asked for."""
    fits = document.fits
    for name, asked in (("criterion", [options.criterion]), ("layer", [options.layer]), ("threshold", options.threshold),
                        ("step", [options.step]), ("fraction", [options.fraction])):
        if not asked or asked == [None]:
            continue
        there = list(dict.fromkeys(getattr(fit, name) for fit in fits if getattr(fit, name) == getattr(fit, name)))
        for value in asked:
            if value not in there:
                fail(2, f"{options.file}: has no fit with {name} {value}; there is {', '.join(map(str, there)) or 'none'}")
        fits = [fit for fit in fits if getattr(fit, name) in asked]
    if options.relative and not all(fit.relative for fit in fits):
        fail(2, f"{options.file}: has no fit with thresholds relative to E z^2")
    if not fits or not any(fit.cells for fit in fits):
        fail(3, f"{options.file}: a document without fits")
    names = {fit.criterion for fit in fits}
    return Document(fits, {name: cells for name, cells in document.curves.items() if name in names}, document.rows,
                    document.training)


def tell(document: Document, name: str) -> None:
    """Notes on all that the figures do not show."""
    rows = document.rows
    left = "{pending} pending, {failed} failed and {damaged} damaged of {all} rows".format(**rows)
    if rows["finished"] == 0:
        fail(3, f"{name}: no finished rows: {left}")
    if rows["finished"] < rows["all"]:
        note(f"left out {left}")
    for fit in document.fits:
        lost = [cell for cell in fit.cells if np.isnan(cell.star[0])]
        if not lost:
            continue
        # The rates at which grids end differ from cell to cell.
        counts = Counter(re.sub(r", [0-9.e+-]+$", "", cell.note) for cell in lost)
        reasons = "; ".join(f"{reason} ({count})" for reason, count in counts.most_common(3))
        where = ", ".join(f"n = {c.width}, L = {c.depth}" for c in lost[:3]) + (", ..." if len(lost) > 3 else "")
        threshold = "" if fit.step else f", threshold {fit.threshold:g}"
        note(f"{fit.criterion}{threshold}: {len(lost)} of {len(fit.cells)} cells have no eta* and are not "
             f"drawn, at {where}: {reasons}")


# Axes


def colours(count: int) -> np.ndarray:
    """Dark to light viridis, short of its yellow, which is faint on white."""
    return plt.get_cmap("viridis")(np.linspace(0.08, 0.86, count) if count > 1 else [0.25])


def integer(n: int) -> str:
    return f"2^{{{n.bit_length() - 1}}}" if n >= 2**14 and n & (n - 1) == 0 else str(n)


def equals(name: str, n: int) -> str:
    return f"${name} = {integer(n)}$"


def log_axis(axis: matplotlib.axis.Axis, low: float, high: float) -> None:
    """Limits a little beyond [low, high] and at least a factor of 4 apart, with labels that do not crowd."""
    centre, half = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / 2
    half = max(1.05 * half + 0.1, np.log(2))
    (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(np.exp(centre - half), np.exp(centre + half))
    decades = 2 * half / np.log(10)
    labelled = (1, 1.5, 2, 3, 4, 5, 7) if decades < 0.7 else (1, 2, 3, 5) if decades < 1 else (1, 2, 5) if decades < 2.2 else (1,)
    axis.set_major_locator(LogLocator(subs=labelled, numticks=8 if len(labelled) == 1 else 20))
    axis.set_minor_locator(LogLocator(subs=range(1, 10) if decades < 8 else (1,), numticks=1000))
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    scientific = LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf))
    axis.set_major_formatter(plain if low > 5e-4 and high < 2e4 else scientific)
    axis.set_minor_formatter(NullFormatter())


def integer_axis(axis: matplotlib.axis.Axis, values: list[int], low: float, high: float) -> None:
    """A tick at every value, labelled where there is room."""
    log_axis(axis, low, high)
    reach = np.log(axis.get_view_interval()[1] / axis.get_view_interval()[0])
    labelled = values[:1]
    for value in values[1:]:
        if np.log(value / labelled[-1]) >= 0.085 * reach:
            labelled.append(value)
    axis.set_major_locator(FixedLocator(labelled))
    axis.set_minor_locator(FixedLocator(values))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"${integer(round(value))}$"))


def sample(label: str, **style: object) -> Line2D:
    return Line2D([], [], label=label, **{"color": GREY, "ms": 5, **style})


def bar_sample() -> Line2D:
    return sample("95 % interval", marker=r"$\mathrm{I}$", ls="", ms=9)


def beyond_sample() -> Line2D:
    return sample("beyond the panel", marker="^", ls="", ms=5)


def add_key(fig: plt.Figure, title: str, styles: list, name: str, values: list[int], markers: str) -> None:
    """Right of the panels: what the styles mean, and which colour is which value (of many values, some)."""
    shades = colours(len(values))
    shown = np.unique(np.linspace(0, len(values) - 1, min(len(values), 12)).round().astype(int))
    styles = styles + [sample(equals(name, values[i]), color=shades[i], marker=markers[i % len(markers)])
                       for i in shown]
    right = 1 - KEY_INCHES / fig.get_figwidth()
    fig.get_layout_engine().set(rect=(0, 0, right, 1))
    fig.legend(handles=styles, title=title, loc="upper left", bbox_to_anchor=(right, 1), handlelength=1.9)


def points(ax: plt.Axes, x: np.ndarray, triples: np.ndarray, limits: tuple[float, float], **style: object) -> bool:
    """Markers with error bars; an end that is open is left off. Of a value beyond the limits an arrow at the border is
    left; true if there is one."""
    shown = (triples[:, 0] >= limits[0]) & (triples[:, 0] <= limits[1])
    value, low, high = triples[shown].T
    bars = np.nan_to_num([value - low, high - value]).clip(0)
    ax.errorbar(x[shown], value, yerr=bars, ls="none", elinewidth=1, capsize=2, **style)
    arrow = {key: style[key] for key in ("color", "mfc") if key in style}
    for beyond, at, marker in ((triples[:, 0] < limits[0], 0.06, "v"), (triples[:, 0] > limits[1], 0.94, "^")):
        if beyond.any():
            ax.plot(x[beyond], np.full(beyond.sum(), at), marker=marker, ms=6, ls="", transform=ax.get_xaxis_transform(),
                    zorder=5, **arrow)
    return bool((~shown & ~np.isnan(triples[:, 0])).any())


def ratio_limits(triples: np.ndarray) -> tuple[float, float]:
    """Around 1 and wide enough for what is typical: one point must not flatten the others."""
    triples = triples[np.isfinite(triples[:, 0])]
    bars = np.nanmax(np.abs(np.nan_to_num(triples[:, 1:], nan=1) - 1), axis=1)
    half, most = np.quantile(np.maximum(np.abs(triples[:, 0] - 1), bars), (0.5, 0.7), method="lower")
    typical = min(most, max(half, 0.5))
    ends = np.concatenate([triples[:, 0], triples[np.isfinite(triples)]])
    room = max(4 * typical, 0.01)
    low, high = min(max(ends.min(), 1 - room), 0.99), max(min(ends.max(), 1 + room), 1.01)
    margin = 0.08 * (high - low)
    return max(0.0, low - margin), high + margin


def star_limits(fits: list[Fit]) -> tuple[float, float]:
    """Of all estimates and their intervals, without what lies a factor of 30 beyond the exact values or, where there are
    none, a factor of 1000 beyond the middle half of the estimates."""
    stars = np.array([cell.star for fit in fits for cell in fit.cells]).reshape(-1, 3)
    exact = [cell.exact for fit in fits for cell in fit.cells if cell.networks > 0]
    lines = [curve.star for fit in fits for curves in (*fit.exact.values(), fit.infinite) for curve in curves]
    exact = np.concatenate([exact, *lines])
    exact = exact[np.isfinite(exact)]
    middle = np.nanquantile(stars[:, 0], (0.25, 0.75))
    low, high = (exact.min() / 30, exact.max() * 30) if len(exact) else (middle[0] / 1e3, middle[1] * 1e3)
    stars = np.where((stars[:, :1] >= low) & (stars[:, :1] <= high), stars.clip(low, high), np.nan)
    return np.nanmin(np.append(stars, exact)), np.nanmax(np.append(stars, exact))


# Figures


def blank_figure(message: str) -> plt.Figure:
    fig = plt.figure(figsize=(6.6, 2.4))
    fig.text(0.5, 0.5, message, ha="center", va="center", color=GREY, fontsize=12, wrap=True)
    return fig


def guide_label(law: str) -> str:
    """sqrt(3 c) L^(-3/2) as mathematics."""
    return "$" + re.sub(r"\^\((.*?)\)", r"^{\1}", re.sub(r"sqrt\((.*?)\)", r"\\sqrt{\1}\\,", law)) + "$"


def draw_guide(ax: plt.Axes, fit: Fit) -> Line2D:
    """Above every line, because the exact curve of a wide network lies on it."""
    law, depth, star = fit.guide
    style = {"color": GUIDE, "ls": (0, (5, 4)), "lw": 1.4}
    ax.plot(depth, star, zorder=2, **style)
    return sample(guide_label(law), **style)


def star_figure(fits: list[Fit], axis: str) -> plt.Figure:
    """eta* against depth or width, and below it, where there is theory, eta* over its exact value."""
    other = "width" if axis == "depth" else "depth"
    every = [cell for fit in fits for cell in fit.cells]
    if all(np.isnan(cell.star[0]) for cell in every):
        reason = every[0].note.replace("$", r"\$")
        return blank_figure(f"no $\\eta^\\star$ at $c = {fits[0].threshold:g}$: {reason}")
    ran = [cell for cell in every if cell.networks > 0]
    xs, lines = (sorted({getattr(cell, name) for cell in ran}) for name in (axis, other))
    ratios = np.array([cell.ratio for cell in every])
    with_ratio = np.isfinite(ratios[:, 0]).any()
    fig, axes = plt.subplots(1 + with_ratio, 1, figsize=(6.7, 5.0 if with_ratio else 4.0), sharex=True, squeeze=False,
                             layout="constrained", gridspec_kw={"height_ratios": [3, 1][:1 + with_ratio]})
    ax, below = axes[0, 0], axes[-1, 0]
    ax.set(xscale="log", yscale="log", ylabel=r"$\eta^\star$")
    first, last = (xs[0], xs[-1]) if len(xs) > 1 else (0.6 * xs[0], 1.6 * xs[0])
    # Below, the lines' points stand side by side at one x, apart from the next x's.
    step = min(0.02 * np.log(last / first), 0.6 * min(np.diff(np.log(xs)), default=1) / len(lines))
    spread = np.exp(step * len(lines) / 2)
    limits = star_limits(fits)
    log_axis(ax.yaxis, *limits)
    view = ax.get_ylim()
    integer_axis(ax.xaxis, xs, first / spread, last * spread)
    beyond = False
    styles = []
    for order, fit in enumerate(fits):
        look = {"ms": 5, "zorder": 4} if fit.criterion == "linear" else {"ms": 7, "mfc": "white", "zorder": 3}
        present = {getattr(cell, other) for cell in fit.cells}
        for i, (value, shade) in enumerate(zip(lines, colours(len(lines)))):
            if value not in present:
                continue
            row = [cell for cell in fit.cells if getattr(cell, other) == value]
            x = np.array([float(getattr(cell, axis)) for cell in row])
            star = np.array([cell.star for cell in row])
            mark = {"color": shade, "marker": MARKERS[(i + order * (fit.criterion not in LABELS)) % len(MARKERS)]}
            joined = fit.criterion != "linear" and not (fit.infinite and axis == "depth")
            if joined:
                ax.plot(x, star[:, 0], color=shade, ls=":", lw=0.9, zorder=1)
            for curve in fit.exact[axis]:
                if curve.at == value:
                    ax.plot(curve.x, curve.star, color=shade, zorder=1)
            if len(xs) == 1:
                ax.plot(x, [cell.exact for cell in row], color=shade, marker="_", ms=22, mew=1.4, ls="", zorder=1)
            beyond |= points(ax, x, star, view, **mark, **look)
        label = LABELS.get(fit.criterion, fit.criterion)
        if any(np.isfinite(cell.star[0]) for cell in fit.cells):
            styles.append(sample(r"$\eta^\star$, " + label, marker="o", ms=look["ms"], mfc=look.get("mfc", GREY),
                                 ls=":" if joined else "", lw=0.9))
        if fit.infinite and axis == "depth":
            for curve in fit.infinite:
                ax.plot(curve.x, curve.star, zorder=1,
                        **(INFINITE if curve.at == 0 else {**INFINITE, "color": colours(len(lines))[lines.index(curve.at)]}))
            styles.append(sample(label + r", $n\to\infty$", **INFINITE))
        elif any(np.isfinite(cell.exact) for cell in fit.cells) and fit.exact[axis] or len(xs) == 1:
            name = "exact, " + label if fit.is_exact else label + r", $n\to\infty$"
            styles.append(sample(name, **({"marker": "_", "ms": 14, "ls": ""} if len(xs) == 1 else {})))
    if np.isfinite([cell.star[1:] for cell in every]).any():
        styles.append(bar_sample())
    for fit in fits:
        if fit.guide and axis == "depth" and len(xs) > 1:
            styles.append(draw_guide(ax, fit))
    if with_ratio:
        low, high = ratio_limits(ratios)
        for i, (value, shade) in enumerate(zip(lines, colours(len(lines)))):
            for fit in fits:
                row = [cell for cell in fit.cells if getattr(cell, other) == value and np.isfinite(cell.ratio[0])]
                x = np.array([float(getattr(cell, axis)) for cell in row])
                beyond |= points(below, x * np.exp(step * (i - (len(lines) - 1) / 2)),
                                 np.array([cell.ratio for cell in row]).reshape(-1, 3), (low, high), color=shade,
                                 marker=MARKERS[i % len(MARKERS)],
                                 **({"ms": 4} if fit.criterion == "linear" else {"ms": 5, "mfc": "white", "zorder": 2}))
        below.axhline(1, color=GREY, lw=0.8, zorder=0)
        theory = "exact" if all(fit.criterion == "linear" for fit in fits) else "theory"
        below.set(ylabel=rf"$\eta^\star / \eta^\star_{{\mathrm{{{theory}}}}}$", ylim=(low, high))
    below.set_xlabel(f"{axis} ${SYMBOLS[axis]}$")
    if beyond:
        styles.append(beyond_sample())
    layer = "" if fits[0].layer == "last" else f", {fits[0].layer}"
    of = r"\,\mathbf{E} z^2" if fits[0].relative else ""
    add_key(fig, f"threshold $c = {fits[0].threshold:g}{of}${layer}", styles, SYMBOLS[other], lines, MARKERS)
    return fig


def draw_curve(ax: plt.Axes, curve: Curve, shade: np.ndarray, band: bool) -> bool:
    """True if the mean leaves the range of floating point."""
    shown = np.where(curve.mean > 0, curve.mean, np.nan)
    ax.plot(curve.eta, shown[0], color=shade, marker="o", ms=3)
    if band:
        ax.fill_between(curve.eta, shown[1], shown[2], color=shade, alpha=0.2, lw=0)
    ax.plot(curve.eta, np.where(curve.linear > 0, curve.linear, np.nan), color=shade, ls=(0, (4, 2)), lw=0.8,
            **({"marker": "_", "ms": 14} if len(curve.eta) == 1 else {}))
    ax.plot(curve.eta, np.where(curve.infinite > 0, curve.infinite, np.nan), **{**INFINITE, "color": shade})
    lost = curve.eta[np.isnan(curve.mean[0])][:1]
    ax.plot(lost, np.full(len(lost), 0.97), marker="^", ms=5, color=shade, ls="", transform=ax.get_xaxis_transform())
    return len(lost) > 0


def step_figure(curves: list[Curve], layer: str, relative: bool, thresholds: list[float]) -> plt.Figure:
    """The mean finite step against eta, a panel per width (of many, four) and a colour per depth; of one depth one panel,
    and a colour per width."""
    values = np.concatenate([curve.mean[0] for curve in curves])
    values = values[values > 0]
    if len(values) == 0:
        return blank_figure(f"mean {CHANGE[layer]} is nowhere positive and finite")
    panel, line = ("width", "depth") if len({curve.depth for curve in curves}) > 1 else ("depth", "width")
    every = sorted({getattr(curve, panel) for curve in curves})
    panels = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, 4).round().astype(int))]
    curves = [curve for curve in curves if getattr(curve, panel) in panels]
    lines = sorted({getattr(curve, line) for curve in curves})
    shade = dict(zip(lines, colours(len(lines))))
    columns = 2 if len(panels) == 4 else len(panels)
    height = len(panels) // columns
    fig, grid = plt.subplots(height, columns, figsize=(KEY_INCHES + 2 + 2.2 * columns, 1.7 + 2.2 * height), sharex=True,
                             sharey=True, squeeze=False, layout="constrained")
    grid[0, 0].set(xscale="log", yscale="log")
    # Past the threshold the mean can grow by hundreds of decades: show four.
    top = 1e4 * max(thresholds)
    shown = np.append(values[values <= top], thresholds)
    log_axis(grid[0, 0].yaxis, shown.min(), min(max(values.max(), shown.max()), top))
    log_axis(grid[0, 0].xaxis, min(curve.eta[0] for curve in curves), max(curve.eta[-1] for curve in curves))
    band, lost = len(lines) <= 8, False
    for ax, value in zip(grid.flat, panels):
        ax.set_title(equals(SYMBOLS[panel], value))
        for i, c in enumerate(thresholds):
            ax.axhline(c, color=GREY, lw=1, ls=("-", "-.", ":")[i % 3], zorder=0)
        for curve in (curve for curve in curves if getattr(curve, panel) == value):
            lost |= draw_curve(ax, curve, shade[getattr(curve, line)], band)
    for ax in grid[-1]:
        ax.set_xlabel(r"learning rate $\eta$")
    for ax in grid[:, 0]:
        ax.set_ylabel(f"mean {CHANGE[layer]}" + (r" over that of $z$" if relative else ""))
    styles = [sample("finite step", marker="o", ms=3)]
    if any(np.isfinite(curve.linear).any() for curve in curves):
        styles.append(sample("linear order", ls=(0, (4, 2)), lw=0.8))
    if any(np.isfinite(curve.infinite).any() for curve in curves):
        styles.append(sample(r"theory, $n\to\infty$", **INFINITE))
    if band and any(np.isfinite(curve.mean[1:]).any() for curve in curves):
        styles.append(Patch(color=GREY, alpha=0.3, lw=0, label="95 % interval"))
    styles += [sample(f"threshold $c = {c:g}$", lw=1, ls=("-", "-.", ":")[i % 3]) for i, c in enumerate(thresholds)]
    if lost:
        styles.append(sample("not finite from here", marker="^", ls=""))
    add_key(fig, "", styles, SYMBOLS[line], lines, "o")
    return fig


# Training


def meaning(fit: Fit) -> str:
    """Of a criterion, for a title."""
    loss = rf"\mathcal{{L}}_{{{fit.step}}}"
    fraction = f"{fit.fraction:g}\\,\\mathcal{{L}}_0"
    return {"converges": f"${loss} < {fraction}$", "reaches": rf"some $\mathcal{{L}}_t < {fraction}$",
            "stable": rf"every $\mathcal{{L}}_t \leq {fraction}$",
            "best": rf"least mean $\log\,{loss}$"}.get(fit.criterion, "")


def training_axis(fit: Fit) -> str:
    """depth, or width where only that has several values."""
    ran = [cell for cell in fit.cells if cell.networks > 0]
    return "width" if len({cell.depth for cell in ran}) == 1 and len({cell.width for cell in ran}) > 1 else "depth"


def rates_figure(fits: list[Fit]) -> plt.Figure:
    """eta* of each criterion of training, a panel each."""
    ran = [cell for fit in fits for cell in fit.cells if cell.networks > 0]
    stars = np.array([cell.star for cell in ran])
    if not np.isfinite(stars[:, 0]).any():
        return blank_figure(r"no $\eta^\star$: " + ran[0].note.replace("$", r"\$"))
    axis = training_axis(fits[0])
    other = "width" if axis == "depth" else "depth"
    xs, lines = (sorted({getattr(cell, name) for cell in ran}) for name in (axis, other))
    columns = min(len(fits), 2)
    height = -(-len(fits) // columns)
    fig, grid = plt.subplots(height, columns, figsize=(KEY_INCHES + 1.2 + 2.7 * columns, 1.3 + 2.5 * height), sharex=True,
                             sharey=True, squeeze=False, layout="constrained")
    grid[0, 0].set(xscale="log", yscale="log")
    log_axis(grid[0, 0].yaxis, np.nanmin(stars), np.nanmax(stars))
    view = grid[0, 0].get_ylim()
    integer_axis(grid[0, 0].xaxis, xs, xs[0], xs[-1])
    power = False
    for ax, fit in zip(grid.flat, fits):
        ax.set_title(f"{fit.criterion}: {meaning(fit)}", fontsize=11)
        for i, (value, shade) in enumerate(zip(lines, colours(len(lines)))):
            row = [cell for cell in fit.cells if getattr(cell, other) == value]
            x, star = np.array([float(getattr(cell, axis)) for cell in row]), np.array([cell.star for cell in row])
            ax.plot(x, star[:, 0], color=shade, ls=":", lw=0.9, zorder=1)
            points(ax, x, star, view, color=shade, marker=MARKERS[i % len(MARKERS)], ms=5)
        if axis == "depth" and np.isfinite(fit.exponent[0]):
            ax.text(0.04, 0.05, rf"$L^{{{fit.exponent[0]:.3f}}}$" + (rf" $[{fit.exponent[1]:.3f}, {fit.exponent[2]:.3f}]$"
                                                                    if np.isfinite(fit.exponent[1:]).all() else ""),
                    transform=ax.transAxes, fontsize=10.5)
            middle = np.nanmedian(np.log([cell.star[0] * cell.depth ** 1.5 for cell in fit.cells]))
            ax.plot(xs, np.exp(middle) * np.array(xs, float) ** -1.5, color=GUIDE, ls=(0, (5, 4)), lw=1.1, zorder=0)
            power = True
    for ax in grid.flat[len(fits):]:
        ax.set_visible(False)
    for ax in grid[-1]:
        ax.set_xlabel(f"{axis} ${SYMBOLS[axis]}$")
    for ax in grid[:, 0]:
        ax.set_ylabel(r"$\eta^\star$")
    styles = [bar_sample()] + ([sample(r"$\propto L^{-3/2}$", color=GUIDE, ls=(0, (5, 4)), lw=1.1)] if power else [])
    add_key(fig, "", styles, SYMBOLS[other], lines, MARKERS)
    return fig


LINES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2)))


def spread_text(best: Fit | None, over: str, of: str) -> str:
    for spread in best.spreads if best else []:
        if (spread.over, spread.of) == (over, of):
            low, high = spread.value[1:]
            return f"{spread.value[0]:.3f}" + (f" [{low:.3f}, {high:.3f}]" if np.isfinite([low, high]).all() else "")
    return ""


def loss_figure(trained: list[Trained], fit: Fit, best: Fit | None) -> plt.Figure:
    """loss_t / loss_0 against the rate, and against its multiples by powers of the depth: where one rate serves all sizes the
    curves' least losses lie over one another."""
    losses = np.concatenate([cell.loss[0] for cell in trained])
    losses = losses[losses > 0]
    if len(losses) == 0:
        return blank_figure("no loss is positive and finite")
    depths, widths = (sorted({getattr(cell, name) for cell in trained}) for name in ("depth", "width"))
    line, other = ("depth", "width") if len(depths) > 1 else ("width", "depth")
    lines, others = (depths, widths) if line == "depth" else (widths, depths)
    powers = [(0.0, "none")]
    if len(depths) > 1:
        powers.append((1.5, "theory"))
        if best and np.isfinite(best.exponent[0]):
            powers.append((-best.exponent[0], "fit"))
    fig, grid = plt.subplots(1, len(powers), figsize=(KEY_INCHES + 0.9 + 2.9 * len(powers), 4.0), sharey=True, squeeze=False,
                             layout="constrained")
    grid[0, 0].set(yscale="log", ylabel=rf"median $\mathcal{{L}}_{{{fit.step}}}/\mathcal{{L}}_0$")
    log_axis(grid[0, 0].yaxis, losses.min(), min(losses.max(), 30))
    stars = {(cell.width, cell.depth): cell.star[0] for cell in best.cells} if best else {}
    shade = dict(zip(lines, colours(len(lines))))
    style = {value: LINES[i % len(LINES)] for i, value in enumerate(others)}
    for ax, (power, of) in zip(grid[0], powers):
        ax.set_xscale("log")
        for cell in trained:
            x = cell.eta * float(cell.depth) ** power
            low, high = np.nan_to_num(cell.loss[1:], nan=np.nan)
            colour = shade[getattr(cell, line)]
            ax.plot(x, cell.loss[0], color=colour, ls=style[getattr(cell, other)], lw=1.1)
            ax.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
            star = stars.get((cell.width, cell.depth), np.nan)
            shown = cell.loss[0] > 0
            if np.isfinite(star) and shown.any():
                at = np.exp(np.interp(np.log(star), np.log(cell.eta[shown]), np.log(cell.loss[0][shown])))
                ax.plot(star * float(cell.depth) ** power, at, marker="*", ms=8, color=colour, mec="white", mew=0.5, zorder=5)
        log_axis(ax.xaxis, *(end(end(cell.eta) * float(cell.depth) ** power for cell in trained) for end in (min, max)))
        ax.set_xlabel(r"$\eta$" if power == 0 else r"$\eta\,L^{3/2}$" if of == "theory" else rf"$\eta\,L^{{{power:.3f}}}$ (fit)")
        over = "over widths" if of == "none" else "over depths"
        if text := spread_text(best, over.split()[1][:-1], of):
            ax.set_title(rf"$\log\,\eta_\mathrm{{best}}$ {over}:" + f"\nspread {text}", fontsize=10.5)
    styles = [sample("median"), Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval")]
    if np.isfinite(list(stars.values())).any():
        styles.append(sample(r"$\eta_\mathrm{best}$", marker="*", ms=8, ls=""))
    if len(others) > 1:
        styles += [sample(equals(SYMBOLS[other], value), ls=style[value]) for value in others[:6]]
    add_key(fig, "", styles, SYMBOLS[line], lines, " ")
    return fig


def history_figure(trained: list[Trained], best: Fit | None) -> plt.Figure:
    """The loss against the step at a few rates about the best, of the largest width, a panel per depth (of many, four)."""
    width = max(cell.width for cell in trained)
    trained = [cell for cell in trained if cell.width == width]
    trained = [trained[i] for i in np.unique(np.linspace(0, len(trained) - 1, 4).round().astype(int))]
    losses = np.concatenate([line.loss[0] for cell in trained for line in cell.histories])
    losses = losses[losses > 0]
    if len(losses) == 0:
        return blank_figure("no loss is positive and finite")
    columns = 2 if len(trained) == 4 else len(trained)
    height = len(trained) // columns
    fig, grid = plt.subplots(height, columns, figsize=(KEY_INCHES + 1.4 + 2.4 * columns, 1.6 + 2.3 * height), sharex=True,
                             sharey=True, squeeze=False, layout="constrained")
    grid[0, 0].set_yscale("log")
    log_axis(grid[0, 0].yaxis, losses.min(), min(losses.max(), 30))
    stars = {(cell.width, cell.depth): cell.star[0] for cell in best.cells} if best else {}
    multiples = np.array([1 / 16, 1 / 4, 1, 2, 4])
    shades = dict(zip(multiples, plt.get_cmap("plasma")(np.linspace(0.05, 0.85, len(multiples)))))
    used = set()
    for ax, cell in zip(grid.flat, trained):
        ax.set_title(equals("L", cell.depth))
        unit = stars.get((cell.width, cell.depth), np.nan)
        if not np.isfinite(unit):
            unit = cell.eta[np.nanargmin(cell.loss[0])] if np.isfinite(cell.loss[0]).any() else cell.eta[0]
        for line in cell.histories:
            nearest = multiples[np.argmin(np.abs(np.log(multiples * unit / line.eta)))]
            used.add(nearest)
            ax.plot(line.step, line.loss[0], color=shades[nearest])
            ax.fill_between(line.step, line.loss[1], line.loss[2], color=shades[nearest], alpha=0.15, lw=0)
    for ax in grid[-1]:
        ax.set_xlabel("step $t$")
    for ax in grid[:, 0]:
        ax.set_ylabel(r"median $\mathcal{L}_t/\mathcal{L}_0$")
    name = {1 / 16: r"1/16\,", 1 / 4: r"1/4\,", 1: "", 2: r"2\,", 4: r"4\,"}
    styles = [sample(rf"$\eta \approx {name[m]}\eta_\mathrm{{best}}$", color=shades[m]) for m in multiples if m in used]
    styles.append(Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval"))
    add_key(fig, equals("n", width), styles, "n", [], " ")
    return fig


def kernel_figure(fits: list[Fit]) -> plt.Figure:
    """The tangent kernel's largest eigenvalue before training, and after it at the largest rate up to eta* of `best` and
    `converges`."""
    named = {fit.criterion: fit for fit in fits}
    shown = [named[name] for name in ("best", "converges") if name in named] or fits[:1]
    cells = [cell for fit in shown for cell in fit.cells]
    values = np.array([cell.kernel for cell in cells]).reshape(-1, 3)
    values = np.where(values > 0, values, np.nan)
    if not np.isfinite(values[:, 0]).any():
        return blank_figure("no kernel at the end of training: no cell has an estimate")
    axis = training_axis(shown[0])
    other = "width" if axis == "depth" else "depth"
    xs, lines = (sorted({getattr(cell, name) for cell in cells}) for name in (axis, other))
    fig, ax = plt.subplots(figsize=(6.7, 4.2), layout="constrained")
    ax.set(xscale="log", yscale="log", xlabel=f"{axis} ${SYMBOLS[axis]}$", ylabel=r"$\lambda_\mathrm{max}$ of the tangent kernel")
    log_axis(ax.yaxis, np.nanmin(values), np.nanmax(values))
    integer_axis(ax.xaxis, xs, xs[0], xs[-1])
    view = ax.get_ylim()
    looks = [({"mfc": "white"}, "before training")]
    looks += [({} if i == 0 else {"alpha": 0.55}, f"after, {fit.criterion}") for i, fit in enumerate(shown)]
    step = 0.012 * np.log(max(xs[-1] / xs[0], 4))
    for i, (value, shade) in enumerate(zip(lines, colours(len(lines)))):
        for k, fit in enumerate([shown[0], *shown]):
            row = [cell for cell in fit.cells if getattr(cell, other) == value]
            x = np.array([float(getattr(cell, axis)) for cell in row]) * np.exp(step * (i - (len(lines) - 1) / 2))
            points(ax, x, np.array([cell.kernel[min(k, 1)] for cell in row]).reshape(-1, 3), view, color=shade,
                   marker="osD"[k], ms=5, **looks[k][0])
    styles = [sample(label, marker="osD"[k], ls="", **look) for k, (look, label) in enumerate(looks)] + [bar_sample()]
    add_key(fig, "", styles, SYMBOLS[other], lines, " ")
    return fig


def draw_training(document: Document) -> dict[str, plt.Figure]:
    best = next((fit for fit in document.fits if fit.criterion == "best"), None)
    figures = {"eta_star": rates_figure(document.fits), "kernel": kernel_figure(document.fits)}
    if document.training:
        figures["loss"] = loss_figure(document.training, document.fits[0], best)
        figures["loss_steps"] = history_figure(document.training, best)
    return figures


def draw(document: Document) -> dict[str, plt.Figure]:
    """The figures by name."""
    if document.fits[0].step:
        return draw_training(document)
    figures = {}
    thresholds = list(dict.fromkeys(fit.threshold for fit in document.fits))
    for c in thresholds:
        fits = [fit for fit in document.fits if fit.threshold == c]
        suffix = f"_c{c:.12g}" if len(thresholds) > 1 else ""
        ran = [cell for fit in fits for cell in fit.cells if cell.networks > 0]
        widths, depths = ({getattr(cell, name) for cell in ran} for name in ("width", "depth"))
        against_width = len(widths) > 1
        figures[f"eta_star{suffix}"] = star_figure(fits, "width" if against_width and len(depths) == 1 else "depth")
        if against_width and len(depths) > 1:
            figures[f"eta_star_width{suffix}"] = star_figure(fits, "width")
    if curves := document.curves.get("finite"):
        figures["dz2"] = step_figure(curves, document.fits[0].layer, document.fits[0].relative, thresholds)
    return figures


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"is a positive number, not {text}")
    return value


def main() -> None:
    parser = argparse.ArgumentParser(prog="plot_sweep", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: fail(2, f"{message}; see --help")
    parser.add_argument("file", metavar="FILE", help="a sweep's HDF5 file, finished or not, or the JSON of `etastar fit`")
    parser.add_argument("-o", metavar="DIR", dest="directory", type=Path, required=True, help="where the figures go")
    parser.add_argument("--threshold", metavar="C", type=positive, action="append",
                        help="c of the criterion; repeatable (default 1, of a JSON document all that it has)")
    parser.add_argument("--layer", choices=list(CHANGE), help="as of `etastar fit` (default last)")
    parser.add_argument("--relative", action="store_true", help="as of `etastar fit`: thresholds are multiples of E z^2")
    parser.add_argument("--step", metavar="T", type=int, help="as of `etastar fit`, of training: losses after this step")
    parser.add_argument("--fraction", metavar="Q", type=positive, help="as of `etastar fit`, of training")
    parser.add_argument("--criterion", metavar="NAME", help="as of `etastar fit` (default all)")
    parser.add_argument("--format", metavar="LIST", choices=["png", "pdf", "png,pdf", "pdf,png"], default="png,pdf",
                        help="png, pdf or png,pdf (default)")
    options = parser.parse_args()
    if is_document(options.file):
        try:
            text = Path(options.file).read_text(errors="backslashreplace")
        except OSError as error:
            fail(3, f"{options.file}: cannot be read ({error.strerror})")
    else:
        text = ask_fit(options)
    document = choose(read_document(text, options.file), options)
    tell(document, options.file)
    np.seterr(all="ignore")
    matplotlib.rcdefaults()
    plt.rcParams.update(STYLE)
    figures = draw(document)
    try:
        options.directory.mkdir(parents=True, exist_ok=True)
        for name, fig in figures.items():
            for kind in options.format.split(","):
                path = options.directory / f"{name}.{kind}"
                # No dates or versions inside: equal input gives equal bytes.
                fig.savefig(path, metadata={"Software": None} if kind == "png" else {"CreationDate": None})
                print(path)
    except OSError as error:
        fail(3, f"cannot write: {error}")


if __name__ == "__main__":
    main()
