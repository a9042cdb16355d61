"""docs/results.md, section 7: other activations, residual streams, optimizers. The two large tables are those that docs/figures/variants.py
prints; the rest are fits and theory."""
import importlib
import math
import sys

import numpy as np

from measured import ANY, ROOT, About, AtLeast, AtMost, Laboratory, Measured, Page, half, interval, spots, within

THRESHOLDS = ("--threshold", "1", "--threshold", "0.1")
OPTIMIZERS = ("sgd", "sign", "normalized")


def figure():
    """The module docs/figures/variants.py."""
    folder = str(ROOT / "docs/figures")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spare = sys.modules.pop("variants", None)
    try:
        return importlib.import_module("variants")
    finally:
        if spare is not None:
            sys.modules["variants"] = spare


ROWS = (
    "relu",
    "leaky-relu",
    "linear",
    r"tanh, $c\,\mathbf{E} z^2$",
    r"erf, $c\,\mathbf{E} z^2$",
    "tanh, absolute $c$",
    "erf, absolute $c$",
    "gelu",
    "silu",
    r"relu, $\tau = 1/L$",
    r"tanh, $\tau = 1/L$",
    r"relu, $\tau = L^{-1/2}$",
    r"tanh, $\tau = L^{-1/2}$",
    r"relu, $\tau = 1$",
    r"tanh, $\tau = 1$",
)


def claims(page: Page, lab: Laboratory) -> None:
    lab.sweep("erf", *lab.jobs["plateau"], "--activation", "erf")
    lab.sweep("silu", *lab.jobs["unstable"], "--activation", "silu")
    lab.sweep("gelu-sign-fresh", *lab.jobs["gelu-sign"], "--first-seed", "9000", "--seeds", "400")
    s = page.section("7 ")
    made: dict[tuple[str, str], tuple[str, str]] = {}

    def lines(title: str, optimizer: str) -> tuple[str, str]:
        """Both tables' lines of a network, as docs/figures/variants.py prints them."""
        if (title, optimizer) not in made:
            module = figure()
            row = next(row for row in module.ROWS if row.title == title)
            more = (*THRESHOLDS, *(["--relative"] if row.suffix else []))
            name = f"{row.stem}-{optimizer}"
            depth = module.read(lab.report(name, *more), row.stem.startswith("residual"))
            made[title, optimizer] = module.lines(row, optimizer, depth, module.read(lab.report(f"{name}-width", *more)))
        return made[title, optimizer]

    def cells(line: str, skip: int) -> list:
        found = []
        for cell in line.strip().strip("|").split("|")[skip:]:
            numbers = [mark.value for mark in spots(cell, 0) if mark]
            # `value ± half`, or a number by itself
            found.append([Measured(numbers[0], numbers[1]), Measured(numbers[1], 0.4 * numbers[1])] if "±" in cell else numbers)
        return found

    for title in ROWS:
        for optimizer in OPTIMIZERS:
            s.row(
                f"{title} | {optimizer}",
                lambda title=title, optimizer=optimizer: [ANY, *cells(lines(title, optimizer)[0], 3)],
                table="limit: linear; step",
                labels=2,
            )
            s.row(
                f"{title} | {optimizer}",
                lambda title=title, optimizer=optimizer: cells(lines(title, optimizer)[1], 2),
                table="χ², linear",
                labels=2,
            )

    fit = lambda name, criterion, threshold, *more: lab.fit(name, *THRESHOLDS, *more, criterion=criterion, threshold=threshold)

    def slope(first: int, last: int, *model: str, threshold: str | None = None, over: float | None = None) -> float:
        more = ("--criterion", "finite", "--threshold", threshold) if threshold else ()
        wide = () if threshold else ("--width", "65536")
        a, b = (lab.theory(*more, *wide, "--depth", str(depth), *model)[0].infinite for depth in (first, last))
        return math.log(b / a) / (math.log(last / first) if over is None else last ** over - first**over)

    s.says(
        "tanh under `sgd` at {} to −1 ({} from 128 to 1024, {} from 4096 to 8192)",
        lambda: [ANY, slope_relative(lab, 128, 1024, "sgd"), slope_relative(lab, 4096, 8192, "sgd")],
        kind="theory",
    )
    s.says(
        "tanh under `sign` at {} to −3/2 ({} from 4096 to 8192)",
        lambda: [ANY, slope_relative(lab, 4096, 8192, "sign")],
        kind="theory",
    )
    stream = ("--architecture", "residual", "--branch-power", "0.5", "--optimizer", "normalized")
    s.says(
        "theory's local slopes are {} (8 to 16), {} (32 to 64), {} (128 to 256), {} (2048 to 4096)",
        lambda: [slope(depth, 2 * depth, *stream) for depth in (8, 32, 128, 2048)],
        kind="theory",
    )
    s.says("under `sgd`: {} ± {} from 64 to 128 (relu)", lambda: within(fit("residual-inverse-sgd", "linear", 1).slope(64)))
    alone = ("--architecture", "residual", "--branch-power", "0", "--activation", "tanh")
    s.says(
        "by theory {} from 64 to 128 and still {} from 256 to 512",
        lambda: [slope(64, 128, *alone, over=0.5), slope(256, 512, *alone, over=0.5)],
        kind="theory",
    )

    def below(threshold: float) -> list:
        ratio = fit("relu-sgd", "finite", threshold).cell(128).ratio_infinite
        size = 100 * half(ratio.ci95)
        return [Measured(100 * (1 - ratio.value), size), Measured(size, 0.4 * size)]

    s.says("measured rates are {} ± {} % ($c = 1$) and {} ± {} % (0.1) below infinite width", lambda: [*below(1), *below(0.1)])
    s.says("$9\\, L/n = {}$ % and $14\\, L/n = {}$ % for this", lambda: [9 * 128 / 655.36, 14 * 128 / 655.36], kind="theory")

    # The optimizers of ReLU against each other.
    def over_sgd(optimizer: str, criterion: str) -> list:
        found = []
        for depth in (8, 16, 32, 64, 128):
            pair = [fit(f"relu-{name}", criterion, 1).cell(depth) for name in (optimizer, "sgd")]
            ratio = pair[0].eta_star / pair[1].eta_star
            error = ratio * math.hypot(*(half(cell.ci95) / cell.eta_star for cell in pair))
            found.append([Measured(ratio, error), Measured(error, 0.4 * error)])
        return found

    table = "| $L$ | 8 | 16 | 32 | 64 | 128 |"
    s.row("normalized / sgd, linear", lambda: over_sgd("normalized", "linear"), table=table)
    s.row("sign / sgd, linear", lambda: over_sgd("sign", "linear"), table=table)
    s.row("sign / sgd, $c = 1$", lambda: over_sgd("sign", "finite"), table=table)

    def theory_ratio(threshold: str | None) -> list:
        more = ("--criterion", "finite", "--threshold", threshold) if threshold else ("--width", "65536")
        values = [
            [cell.infinite for cell in lab.theory(*more, "--depth", "8:128:x2", "--optimizer", name)] for name in ("sign", "sgd")
        ]
        return [[a / b] for a, b in zip(*values)]

    s.row_after("sign / sgd, linear", "theory", lambda: theory_ratio(None), table=table, kind="theory")
    s.row_after("sign / sgd, $c = 1$", "theory", lambda: theory_ratio("1"), table=table, kind="theory")

    agreement(page, lab, lines)
    plateau(page, lab)
    gelu(page, lab)
    unscaled(page, lab)


def agreement(page: Page, lab: Laboratory, lines) -> None:
    """What the text says of both tables."""
    s = page.section("7 ")
    fit = lambda name, criterion, threshold, *more: lab.fit(name, *THRESHOLDS, *more, criterion=criterion, threshold=threshold)
    number = lambda text: [mark.value for mark in spots(text, 0) if mark]
    cell = lambda title, optimizer, table, column: number(lines(title, optimizer)[table].strip("| ").split(" | ")[column])

    def widths() -> list:
        """The exponents whose interval does not hold 0, and the widths of the others."""
        found, sizes = [], []
        for title in ROWS:
            stem = next(row.stem for row in figure().ROWS if row.title == title)
            more = ("--relative",) if "E} z" in title else ()
            for optimizer in OPTIMIZERS:
                for criterion, threshold in (("linear", 1), ("finite", 1), ("finite", 0.1)):
                    slope = fit(f"{stem}-{optimizer}-width", criterion, threshold, *more).width
                    if slope and slope.ci95:
                        sizes.append(half(slope.ci95))
                        if slope.ci95[0] > 0 or slope.ci95[1] < 0:
                            found.append(slope)
        return [*interval(found[0]), *(ANY,) * 2, max(sizes)] if len(found) == 1 else [None] * 3 + [ANY, ANY, max(sizes)]

    s.says("but one, {} [{}, {}], is 0 within its interval, which is ±{} to {} for most rows and ±{} at the worst", widths)
    s.says("$c = 1$ is at {} on its way", lambda: [cell("relu", "sgd", 0, 5)[0]])
    s.says("tanh has {} in $\\sqrt L$ where the limit is {}:", lambda: [cell(r"tanh, $\tau = 1$", "sgd", 0, 3)[0], -1.06])
    s.says("*ReLU, real steps* (χ² up to {}):", lambda: [max(cell("relu", "sgd", 1, 3)[0], cell("relu", "sgd", 1, 4)[0])])
    s.says("*silu* (χ² about {}):", lambda: [About(sum(cell("silu", optimizer, 1, 2)[0] for optimizer in OPTIMIZERS) / 3, 0.05)])
    s.says(
        "real steps* (χ² {}):", lambda: [max(cell(r"relu, $\tau = 1$", "sgd", 1, 3)[0], cell(r"relu, $\tau = 1$", "sgd", 1, 4)[0])]
    )

    def off(name: str, criterion: str, depth: int) -> float:
        """By how many per cent a cell is above theory, at threshold 1."""
        found = fit(name, criterion, 1).cell(depth)
        return 100 * (found.eta_star / found.infinite - 1)

    s.says(
        "under `sign` is off by {} % at $L = 32$, where",
        lambda: [max(abs(off("residual-half-tanh-sign", criterion, 32)) for criterion in ("linear", "finite"))],
    )
    s.says(
        "with which this row's χ² is at most {};",
        lambda: [AtMost(max(cell(r"tanh, $\tau = L^{-1/2}$", "sign", 1, column)[0] for column in (2, 3, 4)))],
    )

    def second(name: str) -> list:
        found = fit(name, "linear", 1).cell(2)
        error = math.log(found.ci95[1] / found.ci95[0]) / 2 / 1.97
        return [abs(100 * (found.eta_star / found.infinite - 1)), abs(math.log(found.eta_star / found.infinite)) / error]

    s.says("these seeds are {} % ({} standard errors) above theory under `sign`", lambda: second("gelu-sign"))
    s.says("(`--first-seed 9000`) are {} % below ({})", lambda: second("gelu-sign-fresh"))
    s.says(r"= {}\, \eta^\star_{\mathrm{sgd}}$ at every depth", lambda: [0.5**0.5], kind="theory")
    s.says(r"= {}\, \eta^\star_{\mathrm{sgd}}$.", lambda: [math.pi / 2**0.5], kind="theory")

    def ratio(activation: str, optimizer: str, threshold: str | None = None) -> float:
        more = ("--criterion", "finite", "--threshold", threshold) if threshold else ("--width", "65536")
        a, b = (
            lab.theory(*more, "--depth", "128", "--activation", activation, "--optimizer", name)[0].infinite
            for name in (optimizer, "sgd")
        )
        return a / b

    s.says(
        "reached late: {} % short at linear order and {} % at $c = 1$",
        lambda: [100 * (1 - ratio("relu", "sign", *more) / (math.pi / 2**0.5)) for more in ((), ("1",))],
        kind="theory",
    )
    s.says(
        "exponents over 8 to 128 are {} and not {}", lambda: [cell("relu", "sign", 0, 3)[0], cell("relu", "normalized", 0, 4)[0]]
    )
    s.says(
        "Leaky-relu has {} instead of {} and {} instead of {}",
        lambda: [
            ratio("leaky-relu", "normalized"),
            ratio("relu", "normalized"),
            ratio("leaky-relu", "sign"),
            ratio("relu", "sign"),
        ],
        kind="theory",
    )


def slope_relative(lab: Laboratory, first: int, last: int, optimizer: str) -> float:
    a, b = (
        lab.theory("--width", "65536", "--depth", str(depth), "--activation", "tanh", "--optimizer", optimizer, "--relative")[
            0
        ].infinite
        for depth in (first, last)
    )
    return math.log(b / a) / math.log(last / first)


THREE = ("--threshold", "1", "--threshold", "0.1", "--threshold", "0.01")


def plateau(page: Page, lab: Laboratory) -> None:
    s = page.section("Tanh and erf")
    fit = lambda name, c: lab.fit(name, *THREE, criterion="finite", threshold=c)
    table = r"tanh, `sgd`, $\eta^\star$"

    def cells(depth: int, c: float) -> list:
        theory = lab.theory("--criterion", "finite", "--activation", "tanh", "--depth", str(depth), "--threshold", repr(c))[
            0
        ].infinite
        return [*(interval(fit("plateau", c).cell(depth, n)) for n in (256, 2048, 16384)), [] if theory is None else [theory]]

    for c, label in ((0.01, "0.01"), (0.1, "0.1"), (1, "1")):
        s.row(f"$c = {label}$, $L = 32$", lambda c=c: cells(32, c), table=table)
        s.row_after(f"$c = {label}$, $L = 32$", "$L = 128$", lambda c=c: cells(128, c), table=table)
    s.says(
        "at 29 it takes $\\eta = 36$, {} times the linear one",
        lambda: [
            About(
                (lambda c: c.infinite / c.linear)(
                    lab.theory("--criterion", "finite", "--activation", "tanh", "--depth", "29", "--threshold", "0.1")[0]
                ),
                0.1,
            )
        ],
        kind="theory",
    )
    s.says(
        "exponents are {} [{}, {}] in width and {} [{}, {}] in depth (erf: {} [{}, {}], {} [{}, {}])",
        lambda: [part for name in ("plateau", "erf") for part in (*interval(fit(name, 1).width), *interval(fit(name, 1).depth))],
    )

    def over_theory(n: int, depth: int) -> list[tuple[float, float]]:
        """(eta, the step over that of infinite width)."""
        curve = next(e for e in lab.document("plateau", *THREE).curves if e.criterion == "finite")
        cell = next(c for c in curve.cells if (c.width, c.depth) == (n, depth))
        return [(eta, mean / law) for eta, mean, law in zip(cell.eta, cell.mean, cell.infinite)]

    def holds() -> list:
        points = over_theory(16384, 128)
        level = [(eta, ratio) for eta, ratio in points if eta > 0.005 and eta < 1]
        beyond = [(eta, ratio) for eta, ratio in points if eta >= 1][:3]
        return [
            AtMost(100 * max(abs(ratio - 1) for _, ratio in level)),
            level[0][0],
            level[-1][0],
            *(ratio for _, ratio in beyond),
            *(eta for eta, _ in beyond),
        ]

    s.says("is within {} % of theory from $\\eta = {}$ to {}, and {}, {}, {} times it at {}, {} and {}", holds)
    s.says(
        "the step is up to {} % smaller than", lambda: [100 * (1 - min(ratio for eta, ratio in over_theory(256, 128) if eta < 0.5))]
    )
    s.says(
        "accounted for to within {} %",
        lambda: [
            AtMost(
                100 * max(abs(ratio - 1) for name in ("plateau", "erf") for depth in (32, 128) for ratio in estimate(name, depth))
            )
        ],
    )

    def estimate(name: str, depth: int) -> list:
        """eta* over (A n L c)^(1/2) at the largest rate: what E dz^2 is over eta^2/(A n L) there, to the power -1/2."""
        slope = 2.0 if name == "plateau" else math.pi / 2
        rows = lab.rows(name)
        found = []
        for n in (256, 2048, 16384):
            part = rows[(rows["width"] == n) & (rows["depth"] == depth)]
            eta = part["eta"].max()
            found.append(part["dz2_last"][part["eta"] == eta].mean() * slope * n * depth / eta**2)
        return found

    s.says(
        "tanh {}, {}, {} ($L = 32$, the three widths) and {}, {}, {} ($L = 128$); erf {}, {}, {} and {}, {}, {}",
        lambda: [*estimate("plateau", 32), *estimate("plateau", 128), *estimate("erf", 32), *estimate("erf", 128)],
    )
    s.says(
        "at the largest rate ({} for $L = 32$, {} for $L = 128$)",
        lambda: [About(lab.rows("plateau")["eta"][lab.rows("plateau")["depth"] == depth].max(), 0.005) for depth in (32, 128)],
    )


def growth(activation: str) -> tuple[float, float]:
    """Factors by which, per layer, gradients grow and deviations of the size of signals do, at the critical variance."""
    x, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()
    s = {"gelu": 2.155057, "silu": 2.429733}[activation]
    if activation == "gelu":
        phi = lambda z: z * np.vectorize(lambda t: 0.5 * math.erfc(-t / 2**0.5))(z)
    else:
        phi = lambda z: z / (1 + np.exp(-z))
    step = 1e-5
    slope = lambda z: (phi(z + step) - phi(z - step)) / (2 * step)
    z = math.sqrt(s) * x
    gradients = s * float(w @ slope(z) ** 2)
    # d E phi(sqrt k g)^2 / d log k, times s: by how much a relative deviation of k grows.
    lengths = lambda k: float(w @ phi(np.sqrt(k) * x) ** 2)
    return gradients, (math.log(lengths(s * 1.0001)) - math.log(lengths(s / 1.0001))) / (2 * math.log(1.0001))


def gelu(page: Page, lab: Laboratory) -> None:
    s = page.section("Gelu and silu")
    share = lambda which: [100 * (growth(name)[which] - 1) for name in ("gelu", "silu")]
    s.says(
        "gradients grow by {} % a layer in gelu and by {} % in silu networks ($s_2 e_2 = {}$ and {})",
        lambda: [*share(0), growth("gelu")[0], growth("silu")[0]],
        kind="theory",
    )
    s.says(
        "grows by {} % (gelu) or {} % (silu) a layer, to {} or {} times itself",
        lambda: [*share(1), *(About(growth(name)[1] ** 32, 0.05) for name in ("gelu", "silu"))],
        kind="theory",
    )
    s.says(
        r"\ln {})$ on, {} at $n = 65536$",
        lambda: [growth("silu")[1], math.log(65536) / (2 * math.log(growth("silu")[1]))],
        kind="theory",
    )
    s.says("gelu has {}.", lambda: [math.log(65536) / (2 * math.log(growth("gelu")[1]))], kind="theory")
    table = "local slope, linear order, `sgd`"

    def theory(activation: str) -> list:
        rates = [cell.infinite for cell in lab.theory("--width", "65536", "--depth", "2:128:x2", "--activation", activation)]
        return [[math.log(b / a) / math.log(2)] for a, b in zip(rates, rates[1:])]

    for name in ("gelu", "silu"):
        s.row(
            name,
            lambda name=name: [
                *(within(e) for e in lab.fit(f"{name}-sgd", *THRESHOLDS, criterion="linear", threshold=1).local_slopes),
                [],
                [],
            ],
            table=table,
        )
        s.row_after(name, "theory", lambda name=name: theory(name), table=table, kind="theory")

    def ratios(name: str) -> list:
        found = []
        for n in (4096, 65536, 1048576):
            ratio = lab.fit(name, "--threshold", "1", criterion="linear").cell(32, n).ratio_infinite
            found.append(interval(ratio) if ratio.ci95 and ratio.ci95[1] < 100 * ratio.ci95[0] else [ratio.value])
        return found

    s.row("gelu", lambda: ratios("unstable"), table="over infinite width, linear order")
    s.row("silu", lambda: ratios("silu"), table="over infinite width, linear order")
    s.says(
        "`jobs/variants/silu-sgd.cfg` it is {} [{}, {}] at",
        lambda: interval(lab.fit("silu-sgd", *THRESHOLDS, criterion="linear", threshold=1).cell(32).ratio_infinite),
    )
    deep = lambda depth: lab.theory("--width", "65536", "--depth", str(depth), "--activation", "silu")[0].infinite
    s.says(r"= {}$ for silu at $L = 128$, and nothing at", lambda: [deep(128) if deep(256) is None else None], kind="theory")


def unscaled(page: Page, lab: Laboratory) -> None:
    s = page.section("ReLU streams with unscaled branches")
    name = "residual-one-sgd"

    def square(depth: int) -> list:
        rows = lab.rows(name)
        part = rows[(rows["depth"] == depth)]
        values = part["output"][part["eta"] == part["eta"].min()] ** 2
        error = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        return [Measured(values.mean(), error), Measured(error, 0.4 * error)]

    s.says(
        "measured {} ± {} at $L = 12$ (by this formula {}), {} ± {} at 16 ({}), {} ± {} at 20 ({})",
        lambda: [part for depth in (12, 16, 20) for part in (*square(depth), 2 ** (depth - 1) / 65536)],
    )
    s.says(
        "measured over theory is {} ± {} at $L = 20$; the",
        lambda: within(lab.fit(name, *THRESHOLDS, criterion="linear", threshold=1).cell(20).ratio_infinite),
    )
    s.says(
        "stay on theory ({} ± {} at $L = 20$)",
        lambda: within(lab.fit("residual-one-normalized", *THRESHOLDS, criterion="finite", threshold=1).cell(20).ratio_infinite),
    )
    table = r"ReLU, $\tau = 1$, `sgd`, $c = 1$"
    s.row(
        "measured over infinite width",
        lambda: [within(cell.ratio_infinite) for cell in lab.fit(name, *THRESHOLDS, criterion="finite", threshold=1).cells],
        table=table,
    )
    s.row(
        "$(1 + 2^{L-1}/n)^{-1/2}$",
        lambda: [[(1 + 2 ** (depth - 1) / 65536) ** -0.5] for depth in (4, 8, 12, 16, 20)],
        table=table,
        kind="theory",
    )
