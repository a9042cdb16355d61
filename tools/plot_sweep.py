#!/usr/bin/python3
"""Draw eta* against depth, and the finite step against eta, from an Etastar sweep file."""
from __future__ import annotations

import argparse
import json
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

# Only reads: a lock held here could make a running sweep give up.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
try:
    import h5py
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatterSciNotation, LogLocator, NullFormatter
except ImportError as error:
    sys.exit(f"plot_sweep: {error}; needs python3-h5py, python3-numpy and python3-matplotlib")

DONE, NONFINITE, FAILED = 1, 2, 3
FIELDS = ["width", "depth", "seed", "eta", "output", "dz2_last", "response_last", "status"]
REPLICAS = 1000
MARKERS = "osD^vPX"
GREY = "0.35"
KEY_INCHES = 1.85
STYLE = {
    "font.family": "STIXGeneral", "mathtext.fontset": "stix", "font.size": 11, "axes.labelsize": 13,
    "axes.titlesize": 12, "legend.fontsize": 10.5, "legend.frameon": False, "axes.linewidth": 0.8,
    "xtick.direction": "in", "ytick.direction": "in", "xtick.top": True, "ytick.right": True,
    "lines.linewidth": 1.2, "pdf.fonttype": 42, "savefig.dpi": 250,
}


@dataclass
class Cell:
    """One (width, depth). A triple is a value and its 95 % interval; NaN where there is none."""
    width: int
    depth: int
    eta: np.ndarray            # the step sizes with finished rows
    dz2: np.ndarray            # 3 x eta: mean dz2_last over networks
    response: float            # mean of (1 + f^2) G_L, so that the mean dz2 is eta^2 response at linear order
    star: np.ndarray           # triple: eta* of the linear criterion
    star_finite: np.ndarray    # triple: where the mean dz2 crosses the threshold


def fail(code: int, message: str) -> NoReturn:
    print(f"plot_sweep: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def note(message: str) -> None:
    print(f"plot_sweep: note: {message}", file=sys.stderr)


def text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def intact(rows: np.ndarray) -> np.ndarray:
    """Which rows are whole: `check` is the CRC-32 of the bytes before it."""
    row, end = rows.dtype.itemsize, rows.dtype.fields["check"][1]
    data = memoryview(rows.tobytes())
    checks = (zlib.crc32(data[i * row:i * row + end]) for i in range(len(rows)))
    return np.fromiter(checks, dtype=np.uint32, count=len(rows)) == rows["check"]


def read_sweep(path: str) -> tuple[dict, np.ndarray]:
    """The spec and the finished rows."""
    if not os.path.isfile(path):
        fail(3, f"{path}: no such file")
    if not h5py.is_hdf5(path):
        fail(3, f"{path}: not an HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            if (kind := text(file.attrs.get("filetype", "missing"))) != "etastar-sweep":
                fail(3, f"{path}: filetype is {kind}, expected etastar-sweep")
            if (major := int(np.ravel(file.attrs["format_version"])[0])) > 1:
                fail(3, f"{path}: format version {major} is newer than 1, the newest this program reads")
            spec, rows = json.loads(text(file.attrs["spec"])), file["trials"][:]
        whole = intact(rows)
        rows = rows[FIELDS]
        finished = whole & np.isin(rows["status"], (DONE, NONFINITE))
        failed, damaged = int((whole & (rows["status"] == FAILED)).sum()), int((~whole).sum())
        if (spec["train"] not in ("all", "first", "hidden", "last") or spec["rates"] not in ("mup", "global")
                or not spec["input_dim"] > 0):
            raise ValueError("spec has an unknown train, rates or input_dim")
        if not all((rows[name][finished] > 0).all() for name in ("width", "depth", "eta")):
            raise ValueError("a finished row has a width, depth or eta that is not positive")
    except Exception as error:    # h5py has no common base for what a damaged file raises
        fail(3, f"{path}: damaged or not a sweep: {error}")
    pending = len(rows) - int(finished.sum()) - failed - damaged
    left = f"{pending} pending, {failed} failed and {damaged} damaged of {len(rows)} rows"
    if not finished.any():
        fail(3, f"{path}: no finished rows: {left}")
    if not finished.all():
        note(f"left out {left}")
    return spec, rows[finished]


def exact_response(n: int, depth: int, spec: dict) -> np.ndarray:
    """E G_l for l = 1..depth at width n, from the second moments of the masked matrix B^l, which close."""
    first_rate = float(n if spec["rates"] == "mup" else spec["input_dim"])
    c1 = first_rate if spec["train"] in ("all", "first") else 0.0
    w = 1.0 if spec["train"] in ("all", "hidden") else 0.0
    s, one, two = 2.0 / n, n / 2.0, n * (n - 1) / 4.0    # one, two: expected live units, ordered pairs of them
    alpha, beta, gamma = c1**2 * (one + two), c1**2 * one, c1 * (n + 2 * two)
    rho, kappa = c1 * n, n * (n + 5.0)
    response = [c1**2 / (2.0 * n**2)]
    for _ in range(1, depth):
        learnt = 2 * s * w * gamma + w**2 * kappa
        m_ii2, m_iijj = s**2 * (alpha + 2 * beta) + learnt, s**2 * alpha + learnt
        z2m_ii, z2m_jj = s**2 * (gamma + 2 * rho) + s * w * kappa, s**2 * gamma + s * w * kappa
        response.append((m_ii2 + (n - 1) * s**2 * beta) / (2.0 * n**2))
        alpha, beta = one * m_ii2 + two * m_iijj, one * m_ii2 + two * s**2 * beta
        gamma, rho = one * z2m_ii + two * z2m_jj, one * z2m_ii + two * s**2 * rho
        kappa *= (3 * one + two) * s**2
    return np.array(response)


def star(response: np.ndarray, c: float) -> np.ndarray:
    """(c / response)^(1/2), NaN where that is no positive number."""
    return np.sqrt(c / np.where(np.isfinite(response) & (response > 0), response, np.nan))


def bootstrap_means(samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Column means, and their replicas when rows (networks) are resampled; NaN is absent, inf stays inf."""
    n = len(samples)
    present, infinite = (~np.isnan(samples)).astype(float), np.isinf(samples).astype(float)
    values = np.where(np.isfinite(samples), samples, 0.0)

    def means(weights: np.ndarray) -> np.ndarray:
        return np.where(weights @ infinite > 0, np.inf, weights @ values / (weights @ present))

    chunk, replicas = max(1, 2**22 // n), []    # bounds the memory of the weights
    for start in range(0, REPLICAS, chunk):
        b = min(chunk, REPLICAS - start)
        drawn = rng.integers(n, size=(b, n)) + n * np.arange(b)[:, None]
        replicas.append(means(np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n).astype(float)))
    return means(np.ones((1, n)))[0], np.concatenate(replicas)


def interval(replicas: np.ndarray) -> np.ndarray:
    return np.percentile(replicas, (2.5, 97.5), axis=0, method="nearest")    # nearest: inf must not become NaN


def crossing(eta: np.ndarray, mean: np.ndarray, c: float) -> np.ndarray:
    """First upward crossing of c along the last axis, log-log; NaN unless two finite means bracket it."""
    if len(eta) < 2:
        return np.full(mean.shape[:-1], np.nan)
    rises = (mean[..., :-1] <= c) & (mean[..., 1:] >= c)
    k = rises.argmax(-1)
    low, high = (np.log(np.take_along_axis(mean, (k + i)[..., None], -1)[..., 0]) for i in (0, 1))
    at = eta[k] * (eta[k + 1] / eta[k]) ** ((np.log(c) - low) / (high - low))
    return np.where(rises.any(-1) & np.isfinite(low) & np.isfinite(high), at, np.nan)


def make_cell(rows: np.ndarray, c: float) -> Cell:
    width, depth = int(rows["width"][0]), int(rows["depth"][0])
    seeds, network = np.unique(rows["seed"], return_inverse=True)
    eta, column = np.unique(rows["eta"], return_inverse=True)
    samples = np.full((len(seeds), len(eta) + 1), np.nan)
    overflow = ~np.isfinite(rows["dz2_last"])
    samples[network, column] = np.where(overflow, np.inf, rows["dz2_last"])
    # Every row of a network repeats its response: any usable one stands for the network.
    linear = (1 + rows["output"] ** 2) * rows["response_last"]
    usable = np.isfinite(linear)
    samples[:, -1] = np.inf
    samples[network[usable], -1] = linear[usable]

    mean, replicas = bootstrap_means(samples, np.random.default_rng([20230512, width, depth]))
    bounds = interval(replicas) if len(seeds) > 1 else np.full((2, len(mean)), np.nan)
    finite, at = crossing(eta, mean[:-1], c), crossing(eta, replicas[:, :-1], c)
    # A replica that crosses outside the grid counts as crossing at the grid's end.
    at = np.where(np.isnan(at), np.where(replicas[:, 0] > c, eta[0], eta[-1]), at)
    ends = interval(at) if len(seeds) > 1 and np.isfinite(finite) else np.full(2, np.nan)
    return Cell(width, depth, eta, np.vstack([mean, bounds])[:, :-1], float(mean[-1]),
                star(np.array([mean[-1], bounds[1, -1], bounds[0, -1]]), c), np.array([finite, *ends]))


def make_cells(rows: np.ndarray, c: float) -> list[Cell]:
    rows = rows[np.lexsort((rows["depth"], rows["width"]))]
    _, starts = np.unique(rows[["width", "depth"]], return_index=True)
    return [make_cell(part, c) for part in np.split(rows, np.sort(starts)[1:])]


def colours(count: int) -> np.ndarray:
    """Dark to light viridis, short of its yellow, which is faint on white."""
    return plt.get_cmap("viridis")(np.linspace(0.08, 0.86, count) if count > 1 else [0.25])


def equals(name: str, n: int) -> str:
    return f"${name} = 2^{{{n.bit_length() - 1}}}$" if n >= 2**14 and n & (n - 1) == 0 else f"${name} = {n}$"


def log_axis(axis: matplotlib.axis.Axis, low: float, high: float) -> None:
    """Limits a little beyond [low, high] and at least a factor of 4 apart, with labels that do not crowd."""
    centre, half = (np.log(low) + np.log(high)) / 2, (np.log(high) - np.log(low)) / 2
    half = max(1.05 * half + 0.1, np.log(2))
    (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(np.exp(centre - half), np.exp(centre + half))
    decades = 2 * half / np.log(10)
    labelled = (1, 2, 3, 5) if decades < 1 else (1, 2, 5) if decades < 2.2 else (1,)
    axis.set_major_locator(LogLocator(subs=labelled, numticks=8 if len(labelled) == 1 else 20))
    axis.set_minor_locator(LogLocator(subs=range(1, 10) if decades < 8 else (1,), numticks=1000))
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    scientific = LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf))
    axis.set_major_formatter(plain if low > 5e-4 and high < 2e4 else scientific)
    axis.set_minor_formatter(NullFormatter())


def depth_axis(axis: matplotlib.axis.Axis, depths: list[int], low: float, high: float) -> None:
    """A tick at every depth, labelled where there is room."""
    log_axis(axis, low, high)
    labelled = depths[:1]
    for depth in depths[1:]:
        if np.log(depth / labelled[-1]) >= 0.07 * np.log(high / low):
            labelled.append(depth)
    axis.set_major_locator(FixedLocator(labelled))
    axis.set_minor_locator(FixedLocator(depths))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def sample(label: str, **style: object) -> Line2D:
    return Line2D([], [], label=label, **{"color": GREY, "ms": 5, **style})


def add_key(fig: plt.Figure, title: str, styles: list[Line2D], name: str, values: list[int], markers: str) -> None:
    """Right of the panels: what the styles mean, and which colour is which value (of many values, some)."""
    shades = colours(len(values))
    shown = np.unique(np.linspace(0, len(values) - 1, min(len(values), 12)).round().astype(int))
    styles = styles + [sample(equals(name, values[i]), color=shades[i], marker=markers[i % len(markers)])
                       for i in shown]
    right = 1 - KEY_INCHES / fig.get_figwidth()
    fig.get_layout_engine().set(rect=(0, 0, right, 1))
    fig.legend(handles=styles, title=title, loc="upper left", bbox_to_anchor=(right, 1), handlelength=1.9)


def points(ax: plt.Axes, x: np.ndarray, triples: np.ndarray, **style: object) -> None:
    """Markers with error bars; an end that is not finite is left off."""
    value, low, high = triples[np.isfinite(triples[:, 0])].T
    bars = np.nan_to_num([value - low, high - value], posinf=0).clip(0)
    ax.errorbar(x[np.isfinite(triples[:, 0])], value, yerr=bars, ls="none", elinewidth=1, capsize=2, **style)


def star_figure(cells: list[Cell], spec: dict, c: float) -> plt.Figure:
    """eta* against depth, and below it the linear criterion over its exact value."""
    widths, depths = sorted({cell.width for cell in cells}), sorted({cell.depth for cell in cells})
    first, last = (depths[0], depths[-1]) if len(depths) > 1 else (max(1, depths[0] // 2), 2 * depths[0])
    line = np.arange(first, last + 1)
    fig, (ax, below) = plt.subplots(2, 1, figsize=(6.6, 5.0), sharex=True, layout="constrained",
                                    gridspec_kw={"height_ratios": [3, 1]})
    # Below, the widths of one depth stand side by side, apart from the next depth's.
    step = min(0.02 * np.log(last / first), 0.6 * min(np.diff(np.log(depths)), default=1) / len(widths))
    for i, (width, shade) in enumerate(zip(widths, colours(len(widths)))):
        row = [cell for cell in cells if cell.width == width]
        x = np.array([cell.depth for cell in row])
        linear, finite = np.array([cell.star for cell in row]), np.array([cell.star_finite for cell in row])
        exact = star(exact_response(width, last, spec), c)
        mark = {"color": shade, "marker": MARKERS[i % len(MARKERS)]}
        ax.plot(line, exact[line - 1], color=shade, zorder=1)
        ax.plot(x, finite[:, 0], color=shade, ls=":", lw=0.9, zorder=1)
        points(ax, x, finite, ms=7, mfc="white", zorder=2, **mark)
        points(ax, x, linear, ms=5, zorder=3, **mark)
        points(below, x * np.exp(step * (i - (len(widths) - 1) / 2)), linear / exact[x - 1, None], ms=4, **mark)
    styles = [sample(r"$\eta^\star$, linear order", marker="o", ls=""), sample("exact, linear order")]
    if any(np.isfinite(cell.star_finite[0]) for cell in cells):
        label = r"$\eta^\star_{\mathrm{fin}}$, finite step"
        styles.append(sample(label, marker="o", ms=7, mfc="white", ls=":", lw=0.9))
    if spec["train"] in ("all", "hidden"):    # without hidden layers eta* does not fall as L^(-3/2)
        ax.plot(line, np.sqrt(3 * c) * line**-1.5, color=GREY, ls="--", zorder=0)
        styles.append(sample(r"$\sqrt{3}\,L^{-3/2}$" if c == 1 else r"$\sqrt{3c}\,L^{-3/2}$", ls="--"))
    add_key(fig, f"threshold $c = {c:g}$", styles, "n", widths, MARKERS)
    # Not before: Matplotlib 3.10 mistakes the logarithms of error bars on a logarithmic axis for data limits.
    ax.set(xscale="log", yscale="log", ylabel=r"$\eta^\star$")
    log_axis(ax.yaxis, *ax.dataLim.intervaly)
    spread = np.exp(step * len(widths) / 2)
    depth_axis(ax.xaxis, depths, first / spread, last * spread)
    below.axhline(1, color=GREY, lw=0.8, zorder=0)
    below.set(xlabel="depth $L$", ylabel=r"$\eta^\star / \eta^\star_{\mathrm{exact}}$")
    low, high = below.get_ylim()
    below.set_ylim(max(0, min(low, 0.98)), min(3, max(high, 1.02)))
    return fig


def draw_cell(ax: plt.Axes, cell: Cell, shade: np.ndarray, band: bool) -> None:
    shown = np.where(np.isfinite(cell.dz2) & (cell.dz2 > 0), cell.dz2, np.nan)
    ax.plot(cell.eta, shown[0], color=shade, marker="o", ms=3)
    if band:
        ax.fill_between(cell.eta, shown[1], shown[2], color=shade, alpha=0.18, lw=0)
    reach = cell.eta if len(cell.eta) > 1 else cell.eta * np.array([0.6, 1.6])
    ax.plot(reach, reach**2 * (cell.response or np.nan), color=shade, ls=(0, (4, 2)), lw=0.8)
    lost = cell.eta[np.isinf(cell.dz2[0])][:1]
    ax.plot(lost, np.full(len(lost), 0.97), marker="^", ms=5, color=shade, ls="", transform=ax.get_xaxis_transform())


def step_figure(cells: list[Cell], c: float) -> plt.Figure:
    """The mean finite step against eta, a panel per width (of many, four), a colour per depth."""
    widths = sorted({cell.width for cell in cells})
    panels = [widths[i] for i in np.unique(np.linspace(0, len(widths) - 1, 4).round().astype(int))]
    cells = [cell for cell in cells if cell.width in panels]
    depths = sorted({cell.depth for cell in cells})
    shade = dict(zip(depths, colours(len(depths))))
    columns = 2 if len(panels) == 4 else len(panels)
    lines = len(panels) // columns
    fig, grid = plt.subplots(lines, columns, figsize=(KEY_INCHES + 2 + 2.2 * columns, 1.7 + 2.2 * lines), sharex=True,
                             sharey=True, squeeze=False, layout="constrained")
    for ax, width in zip(grid.flat, panels):
        ax.set(xscale="log", yscale="log", title=equals("n", width))
        ax.axhline(c, color=GREY, lw=1)
        for cell in (cell for cell in cells if cell.width == width):
            draw_cell(ax, cell, shade[cell.depth], band=len(depths) <= 8)
    for ax in grid[-1]:
        ax.set_xlabel(r"learning rate $\eta$")
    for ax in grid[:, 0]:
        ax.set_ylabel(r"mean $\Vert\Delta z^L\Vert^2/n$")
    values = np.concatenate([cell.dz2[0] for cell in cells])
    values = np.append(values[np.isfinite(values) & (values > 0)], c)
    # Past the threshold the mean can grow by hundreds of decades: show four.
    log_axis(grid[0, 0].yaxis, values.min(), min(values.max(), 1e4 * c))
    log_axis(grid[0, 0].xaxis, min(cell.eta[0] for cell in cells), max(cell.eta[-1] for cell in cells))
    styles = [sample("finite step", marker="o", ms=3), sample("linear order", ls=(0, (4, 2)), lw=0.8),
              sample(f"threshold $c = {c:g}$", lw=1)]
    if any(np.isinf(cell.dz2[0]).any() for cell in cells):
        styles.append(sample("not finite from here", marker="^", ls=""))
    add_key(fig, "", styles, "L", depths, "o")
    return fig


def draw(cells: list[Cell], spec: dict, c: float) -> dict[str, plt.Figure]:
    if spec["train"] == "last" or all(cell.response == 0 for cell in cells):
        note(f"train is {spec['train']}: no last pre-activation moves, both figures are left without curves")
        fig = plt.figure(figsize=(6.6, 2.4))
        fig.text(0.5, 0.5, f"train = {spec['train']}: no last pre-activation moves,\n" r"$\eta^\star$ is unbounded",
                 ha="center", va="center", color=GREY, fontsize=12)
        return {"eta_star": fig, "dz2": fig}
    if lost := sum(not np.isfinite(cell.response) for cell in cells):
        note(f"{lost} of {len(cells)} cells have a response that is not finite, so no linear eta*")
    return {"eta_star": star_figure(cells, spec, c), "dz2": step_figure(cells, c)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="plot_sweep", description=__doc__, allow_abbrev=False)
    parser.error = lambda message: fail(2, f"{message}; see --help")
    parser.add_argument("file", metavar="FILE", help="a sweep's HDF5 file, finished or not")
    parser.add_argument("-o", metavar="DIR", dest="directory", type=Path, required=True, help="where the figures go")
    parser.add_argument("--threshold", metavar="C", type=float, default=1.0, help="c of the criterion (default 1)")
    parser.add_argument("--format", metavar="LIST", choices=["png", "pdf", "png,pdf", "pdf,png"], default="png,pdf",
                        help="png, pdf or png,pdf (default)")
    options = parser.parse_args()
    if not 0 < options.threshold < float("inf"):
        parser.error(f"--threshold is a positive number, not {options.threshold:g}")
    spec, rows = read_sweep(options.file)
    np.seterr(all="ignore")    # overflow is data here, and carried as inf
    matplotlib.rcdefaults()
    plt.rcParams.update(STYLE)
    figures = draw(make_cells(rows, options.threshold), spec, options.threshold)
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
