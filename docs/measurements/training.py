"""docs/results.md, section 8: training. Rates are eta* L^(3/2) unless a table says otherwise."""
import math

import numpy as np

from measured import ANY, About, AtLeast, AtMost, Fit, Laboratory, Measured, Page, half, interval, within


class Rates:
    """`fit training-NAME.h5 --criterion C`, and what tables show of it."""

    def __init__(self, lab: Laboratory, name: str, criterion: str, **options: object):
        self.lab, self.name = lab, f"training-{name}"
        self.options = ["--criterion", criterion]
        for option, value in options.items():  # fraction, step, depth, width
            self.options += [f"--{option}", str(value)]

    @property
    def fit(self) -> Fit:
        return self.lab.fit(self.name, *self.options)

    def scaled(self, depth: int, width: int | None = None, power: float = 1.5) -> list:
        """`eta* L^(3/2) [low, high]`; nothing where there is no estimate."""
        cell = self.fit.cell(depth, width)
        if cell.eta_star is None:
            return []
        return interval(cell, depth**power)

    def row(self, depths: tuple, width: int | None = None, power: float = 1.5) -> list:
        return [self.scaled(depth, width, power) for depth in depths]

    def exponent(self) -> list:
        return interval(self.fit.depth)

    def slope(self, first: int, width: int | None = None) -> list:
        return within(self.fit.slope(first, width))

    def kernels(self, depths: tuple, width: int | None = None) -> list:
        """eta* lambda_T of each depth."""
        return [[self.fit.cell(depth, width).kernel.eta_star_final] for depth in depths]


SIX = (4, 8, 16, 32, 64, 128)
FOUR = (4, 8, 16, 32)


def claims(page: Page, lab: Laboratory) -> None:
    of = lambda name, criterion, **more: Rates(lab, name, criterion, **more)
    edge(page, lab, of)
    best(page, lab, of)
    kernel(page, lab, of)
    examples(page, lab, of)
    others(page, lab, of)


def fraction_below(lab: Laboratory, name: str, share: float, step: int = -1, width: int | None = None):
    """By depth: {eta L^(3/2): fraction of networks whose loss at `step` is below `share` of the first}."""
    rows, losses = lab.rows(name), lab.losses(name)
    found: dict[int, dict[float, float]] = {}
    good = np.nan_to_num(losses[:, step] / losses[:, 0], nan=np.inf) < share
    for depth in np.unique(rows["depth"]):
        here = (rows["depth"] == depth) & ((rows["width"] == width) if width else True)
        found[int(depth)] = {
            float(eta * depth**1.5): float(good[here & (rows["eta"] == eta)].mean()) for eta in np.unique(rows["eta"][here])
        }
    return found


def edge(page: Page, lab: Laboratory, of) -> None:
    s = page.section("One example: the edge")
    table = r"$\eta^\star L^{3/2}$; $n = 4096$"
    thousandth, hundredth, tenth = (of("depth", "converges", fraction=q) for q in ("0.001", "0.01", "0.1"))
    for label, rates in (
        ("converges, $Q = 0.001$", thousandth),
        ("$Q = 0.01$", hundredth),
        ("$Q = 0.1$", tenth),
        ("reaches, $Q = 0.01$", of("depth", "reaches")),
    ):
        s.row(label, lambda rates=rates: [*rates.row(SIX), rates.exponent()], table=table)
    s.row("stable", lambda: [*of("depth", "stable").row(SIX), ANY], table=table)

    def sharp() -> list:
        shares = fraction_below(lab, "training-depth", 0.01)[32]
        rates = sorted(shares)
        last = max(eta for eta in rates if shares[eta] == 1)
        return [last, min(eta for eta in rates if eta > last and shares[eta] == 0)]

    s.says("all networks of $L = 32$ converge at {}, none at {}", sharp)

    def rounding(depth: int) -> float:
        """The largest eta L^(3/2) at which the median loss is down to rounding."""
        rows, losses = lab.rows("training-depth"), lab.losses("training-depth")
        here = rows["depth"] == depth
        median = lambda eta: np.median(np.nan_to_num(losses[here & (rows["eta"] == eta), -1], nan=np.inf))
        return float(max(eta for eta in np.unique(rows["eta"][here]) if median(eta) < 1e-10) * depth**1.5)

    at_edge = lambda which: which(hundredth.fit.cell(depth).eta_star * depth**1.5 for depth in SIX)
    s.says(
        "Up to {} ({} at $L = 128$) it is down to rounding, and at {} to {} it is lost",
        lambda: [min(rounding(depth) for depth in SIX[:-1]), rounding(128), About(at_edge(min), 0.05), About(at_edge(max), 0.05)],
    )
    def bend() -> float:
        """The exponent from 32 to 128 after 100 steps, with the deepest cell, whose interval is open, as it is."""
        depths = (32, 64, 128)
        rates = [long[100].fit.cell(depth).eta_star for depth in depths]
        weights = 1 / np.array(depths)
        x = np.log(depths) - np.average(np.log(depths), weights=weights)
        return float((weights * x * np.log(rates)).sum() / (weights * x * x).sum())

    s.says("at the end of the grid of rates, {}.", lambda: [bend()])

    s.says(
        "for $Q = 0.001$ are {} ± {}, {} ± {}, {} ± {}, {} ± {} and {} ± {}",
        lambda: [part for depth in SIX[:-1] for part in thousandth.slope(depth)],
    )

    table = "12 networks a cell | $L = 32$ | 64 | 128 |"
    deep = of("deep", "converges", fraction="0.001")
    s.row("$n = 1024$, 30 steps", lambda: [[], *deep.row((64, 128), 1024), deep.slope(64, 1024)], table=table)
    # Of a cell that the grid does not bound, without an interval.
    doubled = lambda: math.log2(deep.fit.cell(128, 16384).eta_star / deep.fit.cell(64, 16384).eta_star)
    s.row("$n = 16384$, 30 steps", lambda: [[], *deep.row((64, 128), 16384), [doubled()]], table=table)
    long = {step: of("long", "converges", fraction="0.001", step=step) for step in (30, 60, 100)}
    s.row("$n = 1024$, 30 of 100 steps", lambda: [*long[30].row((32, 64, 128)), long[30].slope(64)], table=table)
    s.row("60 of 100 steps", lambda: [*long[60].row((32, 64, 128)), long[60].slope(64)], table=table)

    s.row("100 steps", lambda: [*long[100].row((32, 64, 128)), []], table=table)
    s.says("the exponent from 32 to 128 is {} [{}, {}]; after 30", lambda: long[60].exponent())
    s.says("it was {} [{}, {}]; after 100, with $L = 128$ at the end of", lambda: long[30].exponent())

    table = "| | $L = 4$ | 8 | 16 |"
    narrow = of("width", "converges", fraction="0.001", depth="4:16")
    for label, width in (("$n = 256$, 20 networks", 256), ("1024, 20", 1024), ("4096, 20", 4096)):
        s.row(label, lambda width=width: narrow.row((4, 8, 16), width), table=table)
    s.row("65536, 6", lambda: of("width-65536", "converges", fraction="0.001").row((4, 8, 16)), table=table)
    s.says(
        "from 256 to 4096 is {} [{}, {}] ($Q = 0.1$, $L = 4$ to 32: {} [{}, {}])",
        lambda: [*interval(narrow.fit.width), *interval(of("width", "converges", fraction="0.1").fit.width)],
    )
    s.says("as at $n = 256$, $L = 8$: {} [{}, {}]", lambda: of("width", "converges").scaled(8, 256))


def best(page: Page, lab: Laboratory, of) -> None:
    s = page.section("The best rate, and from when on")
    table = r"$\eta_{\mathrm{best}} L^{3/2}$ after"
    after = {step: of("depth", "best", step=step) for step in (3, 5, 10, 20)}
    s.row("3 steps", lambda: [*after[3].row(SIX), after[3].exponent()], table=table)
    for step in (5, 10):
        s.row(f"{step} steps", lambda step=step: [[], *after[step].row(SIX[1:]), after[step].exponent()], table=table)

    deep = of("deep", "best", step=20)
    # Deepest cell from wider networks, whose width the cell tells.
    s.row("20 steps", lambda: [[], [], [], [], *after[20].row((64,)), [*deep.scaled(128, 16384), ANY], []], table=table)
    s.says(
        "local slopes are {} ± {}, {} ± {} and {} ± {} from $L = 8$ to 64",
        lambda: [part for depth in (8, 16, 32) for part in after[3].slope(depth)],
    )
    s.says(
        "the local slope is {} ± {} from 64 to 128 ($n = 16384$)",
        lambda: deep.slope(64, 16384),
    )

    def products() -> list:
        """t eta_best (L/2 + 1) of the cells from L = 16 on whose rate is well above 1.1 L^(-3/2)."""
        found = [
            (step, cell) for step in (3, 5, 10) for cell in after[step].fit.cells if cell.depth >= 16 and cell.eta_star is not None
        ]
        return [step * cell.eta_star * (cell.depth / 2 + 1) for step, cell in found if cell.eta_star * cell.depth**1.5 > 1.3]

    s.says("is between {} and {} in all of them", lambda: [AtLeast(min(products())), AtMost(max(products()))])
    # From about 2 sqrt(L) steps on, where losses are not down to rounding.
    late = lambda: [
        after[10].fit.cell(16).eta_star * 16**1.5,
        after[20].fit.cell(64).eta_star * 64**1.5,
        deep.fit.cell(128, 16384).eta_star * 128**1.5,
    ]
    s.says("the best rate is {} to {} $L^{-3/2}$**", lambda: [AtLeast(min(late())), AtMost(max(late()))])
    s.says(
        r"\lambda_T = {}$ to {}. (Up to",
        lambda: [
            About(which(cell.kernel.eta_star_final for cell in after[20].fit.cells if cell.depth >= 16 and cell.kernel), 0.1)
            for which in (min, max)
        ],
    )
    ten = of("width", "best", step=10)
    s.says("promises, to a spread of {} %", lambda: [100 * spread("width", None)[0][0].value])
    s.says(
        "$n^{{}}$ [{}, {}]; {} % at $L = 4$ and {} % at $L = 32$",
        lambda: [
            *interval(ten.fit.width),
            *(100 * abs(ten.fit.cell(depth, 256).eta_star / ten.fit.cell(depth, 4096).eta_star - 1) for depth in (4, 32)),
        ],
    )

    def spread(over: str, at: int | None, source: str | None = None) -> list:
        found = [m for m in ten.fit.misalignment if m.over == over and m.at == at and source in (None, m.of)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} misalignments over {over} at {at}")
        entry = found[0]
        return [
            interval(entry),
            [AtMost(entry.p_value) if entry.p_value < 0.001 else Measured(entry.p_value, 0.02 + entry.p_value / 2)],
        ]

    table = r"misalignment: the spread of"
    s.row("over widths", lambda: spread("width", None), table=table)
    for depth in FOUR:
        s.row(f"at $L = {depth}$", lambda depth=depth: spread("width", depth), table=table)
    s.row(r"over depths, of $\eta L^{3/2}$", lambda: spread("depth", None, "theory"), table=table)
    s.row(r"over depths, of $\eta L^{1.334}$ (fitted)", lambda: spread("depth", None, "fit"), table=table)


def kernel(page: Page, lab: Laboratory, of) -> None:
    s = page.section("The kernel: 2 over")
    rates = of("depth", "converges", fraction="0.001")
    table = "| $n = 4096$ | $L = 4$ |"
    entry = lambda depth, key: interval(rates.fit.cell(depth).kernel[key])
    s.row(r"$\lambda$ before training", lambda: [entry(depth, "initial") for depth in SIX], table=table)
    s.row("after, at the edge ($Q = 0.001$)", lambda: [entry(depth, "final") for depth in SIX], table=table)

    def smallest(depth: int) -> list:
        rows = lab.rows("training-depth")
        part = rows[rows["depth"] == depth]
        values = part["kernel_final"][part["eta"] == part["eta"].min()]
        error = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        return [Measured(values.mean(), error), Measured(error, 0.4 * error)]

    s.row(r"after, at $\eta = 1.0\, L^{-3/2}$: mean", lambda: [smallest(depth) for depth in SIX], table=table)
    s.row(r"$0.80\, (L + 0.8)^{3/2}$", lambda: [[0.8 * (depth + 0.8) ** 1.5] for depth in SIX], table=table, kind="theory")
    s.row(r"$\eta^\star \lambda_T$ at the edge", lambda: rates.kernels(SIX), table=table)
    s.says(
        r"to ${}\, (L + {})^{3/2}$ at small rates, to within {} % up to $L = 16$",
        lambda: [
            ANY,
            ANY,
            AtMost(100 * max(abs(smallest(depth)[0].value / (0.8 * (depth + 0.8) ** 1.5) - 1) for depth in (4, 8, 16))),
        ],
    )
    overshoot = lambda name, width: 100 * (largest_kernel(lab, name, 128, width, np.mean) / (0.8 * 128.8**1.5) - 1)
    s.says(
        "at $L = 128$ by {} to {} %",
        lambda: [
            About(
                which([overshoot("training-depth", 4096), overshoot("training-deep", 1024), overshoot("training-deep", 16384)]), 0.1
            )
            for which in (min, max)
        ],
    )
    s.says(
        "{} to {} times below that of the first",
        lambda: [
            About(
                which(rates.fit.cell(depth).kernel.final.value / rates.fit.cell(depth).kernel.initial.value for depth in SIX), 0.15
            )
            for which in (min, max)
        ],
    )
    s.says(r"= 2$ to within {} %**", lambda: [AtMost(100 * max(abs(value[0] / 2 - 1) for value in rates.kernels(SIX)))])


def largest_kernel(lab: Laboratory, name: str, depth: int, width: int, middle) -> float:
    """The largest lambda_T, of rates below the edge; `middle` of networks."""
    rows = lab.rows(name)
    part = rows[(rows["depth"] == depth) & (rows["width"] == width) & (rows["eta"] * depth**1.5 < 2)]
    return max(float(middle(part["kernel_final"][part["eta"] == eta])) for eta in np.unique(part["eta"]))


def examples(page: Page, lab: Laboratory, of) -> None:
    s = page.section("Two, four and eight examples")
    table = r"$\eta^\star L^{3/2}$, $P = 2$"
    two = of("examples-2", "converges")
    s.row("converges, $Q = 0.01$, $n = 512$", lambda: [*two.row(FOUR, 512), two.exponent()], table=table)
    s.row("$n = 2048$", lambda: [*two.row(FOUR, 2048), []], table=table)
    tenth = of("examples-2", "converges", fraction="0.1")
    s.row("$Q = 0.1$, $n = 2048$", lambda: [*tenth.row(FOUR, 2048), tenth.exponent()], table=table)
    best = of("examples-2", "best", step=10)
    s.row("best after 10 steps, $n = 2048$", lambda: [*best.row(FOUR, 2048), best.exponent()], table=table)

    table = "| depth exponent | $P = 1$"
    names = ("width", "examples-2", "examples-4", "examples-8")
    s.row(
        "converges, $Q = 0.1$, $L = 4$ to 16",
        lambda: [of(name, "converges", fraction="0.1", depth="4:16").exponent() for name in names],
        table=table,
    )
    s.row(
        "converges, $Q = 0.01$, $L = 4$ to 16",
        lambda: [of(name, "converges", depth="4:16").exponent() for name in names],
        table=table,
    )
    s.row("best after 10 steps, $L = 4$ to 32", lambda: [of(name, "best", step=10).exponent() for name in names], table=table)
    s.row(
        "width exponent, $Q = 0.1$, $L = 4$ to 16",
        lambda: [*(interval(of(name, "converges", fraction="0.1", depth="4:16").fit.width) for name in names[:3]), []],
        table=table,
    )

    table = r"$\eta^\star L^{3/2}$, $P = 8$, $n = 512$, 20 networks"
    for label, rates in (
        ("converges, $Q = 0.1$", of("examples-8", "converges", fraction="0.1")),
        ("converges, $Q = 0.01$", of("examples-8", "converges")),
        ("best after 10 steps", of("examples-8", "best", step=10)),
    ):
        s.row(label, lambda rates=rates: rates.row(FOUR), table=table)
    s.row(r"$\eta^\star \lambda_T$, $Q = 0.01$", lambda: [*of("examples-8", "converges").kernels((4, 8, 16)), []], table=table)
    first = lambda depth: largest_kernel(lab, "training-examples-8", depth, 512, np.median)
    s.says("for one example ({} at $L = 4$, {} at 32)", lambda: [About(first(4), 0.02), About(first(32), 0.02)])
    s.says(r"$2/\lambda_T$, {} and {} $L^{-3/2}$.", lambda: [About(2 / first(depth) * depth**1.5, 0.03) for depth in (4, 32)])
    s.says(
        "at $L = 4$ to {}, {}, {} and {} $L^{-3/2}$ for $P = 1$",
        lambda: [
            About(value, 0.1)
            for value in (
                of("width", "converges", fraction="0.1").fit.cell(4, 1024).eta_star * 8,
                tenth.fit.cell(4, 2048).eta_star * 8,
                of("examples-4", "converges", fraction="0.1").fit.cell(4, 2048).eta_star * 8,
                of("examples-8", "converges", fraction="0.1").fit.cell(4).eta_star * 8,
            )
        ],
    )

    def deep() -> list:
        scale = 32**1.5
        return [
            of("width", "converges", fraction="0.1").fit.cell(32, 1024).eta_star * scale,
            *sorted(tenth.fit.cell(32, width).eta_star * scale for width in (512, 2048)),
            of("examples-4", "converges", fraction="0.1").fit.cell(32, 2048).eta_star * scale,
        ]

    s.says("at $L = 32$ to {}, {} to {}, and {} for 1, 2 and 4", lambda: [About(value, 0.1) for value in deep()])

    def reached() -> list:
        shares = fraction_below(lab, "training-steps", 0.1, 100)[32]
        good = [eta for eta in sorted(shares) if shares[eta] == 1]
        return [good[0], good[-1]]

    s.says("at every rate from {} to {} $L^{-3/2}$", reached)
    s.says(
        "at most {} % of the networks get to a",
        lambda: [AtMost(100 * max(fraction_below(lab, "training-examples-8", 0.1)[32].values()))],
    )

    table = r"$\eta^\star L^{3/2}$, $P = 8$, linear teacher"
    steps = {step: of("steps", "converges", fraction="0.1", step=step) for step in (30, 100)}
    s.row("converges, $Q = 0.1$, after 30 steps", lambda: [*steps[30].row(FOUR), steps[30].exponent()], table=table)
    s.row("after 100 steps", lambda: [*steps[100].row(FOUR), steps[100].exponent()], table=table)
    for step in (3, 10, 30, 100):
        s.row(
            f"best after {step} steps",
            lambda step=step: (lambda rates: [*rates.row(FOUR), rates.exponent()])(of("steps", "best", step=step)),
            table=table,
        )
    s.says(
        "the best of {} rates brings {} of {} networks to a tenth in {} steps",
        lambda: [13, 10 * max(fraction_below(lab, "training-steps", 0.1, 30)[32].values()), 10, 30],
    )
    s.says(
        "after 30 steps a teacher has {} ± {}, random targets {} ± {}, at the same",
        lambda: [*within(steps[30].fit.depth), *within(of("examples-8", "converges", fraction="0.1", depth="4:16").fit.depth)],
    )


def others(page: Page, lab: Laboratory, of) -> None:
    s = page.section("Residual streams: no depth")
    table = r"$n = 1024$, 20 networks, $\eta^\star$"
    five = (4, 8, 16, 32, 64)
    for label, name in ((r"$\tau = L^{-1/2}$", "residual-half"), (r"$\tau = 1/L$", "residual-inverse")):
        first = f"{label}: converges, $Q = 0.01$"
        values = lambda name, *what, **more: (
            lambda rates: [*([rates.scaled(depth, None, 0)[0]] for depth in five), rates.exponent()]
        )(of(name, *what, **more))
        s.row(first, lambda name=name: values(name, "converges"), table=table)
        s.row_after(first, "best after 5 steps", lambda name=name: values(name, "best", step=5), table=table)
    for index, power in enumerate(("0.5", "1")):
        s.row(
            r"one step, linear order ($n = \infty$)",
            lambda power=power: [
                *(
                    [cell.infinite]
                    for cell in lab.theory(
                        "--width", "1024", "--depth", "4:64:x2", "--architecture", "residual", "--branch-power", power
                    )
                ),
                [],
            ],
            table=table,
            kind="theory",
            nth=index,
        )

    def sizes(criterion: str, **more) -> list[float]:
        return [
            100 * half(cell.ci95) / cell.eta_star
            for name in ("residual-half", "residual-inverse")
            for cell in of(name, criterion, **more).fit.cells
            if cell.ci95 and None not in cell.ci95
        ]

    s.says(
        "Intervals of a cell are ±{} % at the edge (±{} % at $L = 16$ for $1/L$) and ±{} % at most for the best",
        lambda: [
            About(float(np.median(sizes("converges"))), 0.5),
            (lambda cell: 100 * half(cell.ci95) / cell.eta_star)(of("residual-inverse", "converges").fit.cell(16)),
            AtMost(max(sizes("best", step=5))),
        ],
    )
    edge_kernel = lambda name, key: of(name, "converges").fit.cell(64).kernel[key].value
    s.says(
        "at the edge {} → {} at $L = 64$ for $\\tau = L^{-1/2}$, {} → {} for $1/L$), and $\\eta^\\star \\lambda_T$ is {} to {} at every",
        lambda: [
            edge_kernel("residual-half", "initial"),
            edge_kernel("residual-half", "final"),
            edge_kernel("residual-inverse", "initial"),
            edge_kernel("residual-inverse", "final"),
            *(
                which(value[0] for name in ("residual-half", "residual-inverse") for value in of(name, "converges").kernels(five))
                for which in (min, max)
            ),
        ],
    )
    half_best = of("residual-half", "best", step=5)
    s.says("(local slopes {} ± {} and {} ± {})", lambda: [*half_best.slope(16), *half_best.slope(32)])

    s = page.section("Momentum: the same rate")
    table = r"$\mu = 0.9$, $T = 60$"
    momentum = of("momentum", "converges")
    s.row("converges, $Q = 0.01$", lambda: [*momentum.row(FOUR), momentum.exponent()], table=table)
    s.row("without momentum, $T = 30$ (training-width.h5)", lambda: [*of("width", "converges").row(FOUR, 1024), []], table=table)
    s.says(
        "to within {} % at every depth, with steps",
        lambda: [
            AtMost(
                100
                * max(
                    abs(momentum.fit.cell(depth).eta_star / of("width", "converges").fit.cell(depth, 1024).eta_star - 1)
                    for depth in FOUR
                )
            )
        ],
    )
    s.row(r"$\eta^\star \lambda_T$", lambda: [*momentum.kernels(FOUR), []], table=table)
    s.row("stable", lambda: (lambda rates: [*rates.row(FOUR), rates.exponent()])(of("momentum", "stable")), table=table)

    s = page.section("Adam: ten times")
    table = r"$\eta^\star$, one example, 30 steps"
    for label, criterion in (("converges, $Q = 0.01$", "converges"), ("stable", "stable")):
        s.row(
            label,
            lambda criterion=criterion: (lambda rates: [*rates.row(FOUR, None, 0), rates.exponent()])(of("adam", criterion)),
            table=table,
        )

    def signs() -> list:
        rates = [cell.infinite for cell in lab.theory("--width", "256", "--depth", "4:32:x2", "--optimizer", "sign")]
        weights = 1 / np.array(FOUR)
        x = np.log(FOUR) - np.average(np.log(FOUR), weights=weights)
        return [*([rate] for rate in rates), [float((weights * x * np.log(rates)).sum() / (weights * x * x).sum())]]

    s.row(r"first step, linear order ($n = \infty$)", signs, table=table, kind="theory")
    over = lambda: [
        of("adam", "converges").fit.cell(depth).eta_star
        / lab.theory("--width", "256", "--depth", str(depth), "--optimizer", "sign")[0].infinite
        for depth in FOUR
    ]
    s.says("largest rates are {} to {} times that of the first step", lambda: [min(over()), max(over())])
    s.says(
        "(χ² = {} for {} degrees of freedom)",
        lambda: [of("adam", "converges").fit.chi_squared, of("adam", "converges").fit.degrees_of_freedom],
    )
    s.says("too flat for an exponent ({} [{}, {}] after 30 steps)", lambda: of("adam", "best").exponent())

    s = page.section("Real data")
    table = r"| $\eta^\star L^{3/2}$ | $L = 4$ | 8 | 16 | exponent |"
    for step in (3, 10, 40):
        s.row(
            f"best after {step} steps",
            lambda step=step: (lambda rates: [*rates.row((4, 8, 16)), rates.exponent()])(of("digits", "best", step=step)),
            table=table,
        )
    s.row(
        "converges, $Q = 0.1$, 40 steps",
        lambda: (lambda rates: [*rates.row((4, 8, 16)), rates.exponent()])(of("digits", "converges", fraction="0.1")),
        table=table,
    )

    def left() -> list:
        """The median loss at the best rate after 40 steps, in per cent of the first."""
        rows, losses = lab.rows("training-digits"), lab.losses("training-digits")
        found = []
        for depth in (4, 8, 16):
            here = rows["depth"] == depth
            found.append(
                min(
                    float(
                        np.median(
                            np.nan_to_num(
                                losses[here & (rows["eta"] == eta), -1] / losses[here & (rows["eta"] == eta), 0], nan=np.inf
                            )
                        )
                    )
                    for eta in np.unique(rows["eta"][here])
                )
            )
        return [100 * value for value in found]

    s.says(
        "median losses are {} % of the first at $L = 4$ and 8, {} % at 16",
        lambda: [About((left()[0] + left()[1]) / 2, 0.2), About(left()[2], 0.2)],
    )
    s.says(
        "with a constant of {} after 10",
        lambda: [
            About(
                (
                    of("digits", "best", step=10).fit.cell(4).eta_star * 8
                    + of("digits", "best", step=10).fit.cell(8).eta_star * 8**1.5
                )
                / 2,
                0.02,
            )
        ],
    )
    s.says(
        r"$\eta \lambda_T$ at the best rate is {} to {}.",
        lambda: [
            which(
                cell.kernel.eta_star_final
                for step in (3, 10, 40)
                for cell in of("digits", "best", step=step).fit.cells
                if cell.kernel
            )
            for which in (min, max)
        ],
    )

    s = page.section("The maximal initial learning rate")
    s.says("has $n^{{}}$ [{}, {}] from 256 to 4096", lambda: interval(of("width", "reaches").fit.width))
    scaled = lambda: [cell.eta_star * cell.depth**1.5 for cell in of("depth", "reaches").fit.cells if cell.eta_star]
    s.says("with one example it is {} to {} $L^{-3/2}$", lambda: [min(scaled()), max(scaled())])
    s.says("it is $L^{{}}$ [{}, {}] from 4 to 128", lambda: of("depth", "reaches").exponent())
