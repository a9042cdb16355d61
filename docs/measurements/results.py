"""docs/results.md, section by section. Files are named as the commands of the page name them."""
import math

import numpy as np

from measured import ANY, About, AtLeast, AtMost, Fit, Laboratory, Measured, Page, half, interval, percent, within
from measurements import training, variants

T95 = 2.0003  # Student's quantile for 64 networks less the controls of a cell


def linear_law(page: Page, lab: Laboratory) -> None:
    law = lambda layer="last": lab.fit("depth-law", "--criterion", "linear", "--layer", layer)

    s = page.section("1 ")
    s.row(
        "depth exponent", lambda: [interval(law().depth)[:1], interval(law().depth)[1:], [law().depth.exact]], table="$n = 262144$"
    )
    s.row(
        "constant",
        lambda: [interval(law().constant)[:1], interval(law().constant)[1:], [law().constant.exact]],
        table="$n = 262144$",
    )
    over = lambda: law().relative_to_exact
    s.row("exponent, measured / exact", lambda: [interval(over().exponents.depth)[:1], interval(over().exponents.depth)[1:], ANY])
    s.row("constant, measured / exact", lambda: [interval(over().constant)[:1], interval(over().constant)[1:], ANY])
    s.row(
        "√3 × the line above: the asymptotic constant",
        lambda: [interval(over().constant, 3**0.5)[:1], interval(over().constant, 3**0.5)[1:], [3**0.5]],
    )
    s.row("measured", lambda: [interval(e)[:1] for e in law().local_slopes], table="local slope")
    s.row("95 % interval", lambda: [within(e)[1:] for e in law().local_slopes], table="local slope")
    s.row("exact", lambda: [[e.exact] for e in law().local_slopes], table="local slope")
    s.says(
        "within errors of {} in the exponent and {} % in the constant",
        lambda: [AtMost(half(law().depth.ci95)), AtMost(100 * half(over().constant.ci95))],
    )
    s.says(r"and by $2L/n \le {}$ % at large", lambda: [AtMost(100 * 2 * 256 / 262144)], kind="theory")
    demo = lambda: lab.fit("demo", "--criterion", "linear")
    s.says("exponent {} [{}, {}], exact {}", lambda: [*interval(demo().depth), demo().depth.exact])

    s = page.section("2 ")
    for layer in ("last", "max", "mean", "output"):

        def values(layer: str = layer) -> list:
            fit = law(layer)
            slopes = [fit.slope(8), fit.slope(128)]
            exact = [[] if value is None else [value] for value in (fit.depth.exact, *(e.exact for e in slopes))]
            return [
                interval(fit.depth)[:1],
                interval(fit.depth)[1:],
                exact[0],
                within(slopes[0]),
                exact[1],
                within(slopes[1]),
                exact[2],
            ]

        s.row(f"`{layer}`", values)
    s.says("is {} short of −3/2", lambda: [1.5 + law("mean").depth.value])
    s.says(
        "(χ² = {} and {} for {} degrees of freedom)",
        lambda: [law("mean").chi_squared, law("output").chi_squared, law("mean").degrees_of_freedom],
    )


def width(page: Page, lab: Laboratory) -> None:
    s = page.section("3 ")
    layer = {"width-readout": ("--layer", "output")}
    fit = lambda name, criterion: lab.fit(name, *layer.get(name, ()), criterion=criterion)
    for label, name in (
        ("hidden layers", "width-hidden"),
        ("first layer", "width-first"),
        ("read-out (`--layer output`)", "width-readout"),
    ):
        s.row(
            label,
            lambda name=name: [
                ANY,
                *pair(fit(name, "linear").width),
                [fit(name, "linear").width.exact],
                interval(fit(name, "linear").relative_to_exact.exponents.width),
            ],
        )
        plain = label.partition(" (")[0]
        s.row(f"{plain}, finite step at $c = 1$", lambda name=name: [ANY, *pair(fit(name, "finite").width), [], []])
    s.says(
        "come out to within {}, and",
        lambda: [
            AtMost(
                max(
                    abs(fit(name, "linear").width.value - limit)
                    for name, limit in (("width-hidden", 0), ("width-first", 1), ("width-readout", -1))
                )
            )
        ],
    )
    s.says(
        "(χ² = {} for {} degrees of freedom of the hidden layers)",
        lambda: [fit("width-hidden", "finite").chi_squared, fit("width-hidden", "finite").degrees_of_freedom],
    )
    s.says(r"at most ${}$, and its", lambda: [AtMost(max(1 / c.variance_ratio for c in fit("width-readout", "finite").cells))])

    def wide(name: str) -> list:
        return [*within(fit(name, "finite").cell(8, 65536)), fit(name, "finite").cell(8, 65536).infinite]

    s.says(
        r"the finite $\eta^\star$ is {} ± {} for the hidden layers and {} for the first, by theory at infinite width {} and {}",
        lambda: [*wide("width-hidden")[:2], wide("width-first")[0], wide("width-hidden")[2], wide("width-first")[2]],
    )

    s = page.section("4 ")
    s.row(
        "linear order",
        lambda: [
            *pair(fit("mup-width", "linear").width),
            [fit("mup-width", "linear").width.exact],
            interval(fit("mup-width", "linear").relative_to_exact.exponents.width),
        ],
    )
    s.row("finite step at $c = 1$", lambda: [*pair(fit("mup-width", "finite").width), [], []])
    s.says(
        "the exponent is {} within ±{}.",
        lambda: [
            fit("mup-width", "linear").relative_to_exact.exponents.width.value,
            AtMost(half(fit("mup-width", "linear").relative_to_exact.exponents.width.ci95)),
        ],
    )

    def change() -> list:
        cells = [fit("mup-width", "finite").cell(8, n) for n in (1024, 65536)]
        ratio = cells[1].eta_star / cells[0].eta_star
        error = ratio * math.hypot(*(half(c.ci95) / c.eta_star for c in cells))
        exact = [fit("mup-width", "linear").cell(8, n).exact for n in (1024, 65536)]
        return [64, 100 * (exact[1] / exact[0] - 1), Measured(100 * (ratio - 1), 100 * error), 100 * error]

    s.says("this factor of {} in width the exact rate changes by {} %, and that of the finite step by {} ± {} %", change)


def pair(entry: dict) -> list:
    """`value` and `[low, high]`, in two cells."""
    return [interval(entry)[:1], interval(entry)[1:]]


def finite_width(page: Page, lab: Laboratory) -> None:
    s = page.section("5 ")
    fit = lambda: lab.fit("finite-width", "--criterion", "linear")
    for n in (64, 256, 1024, 16384, 1048576):
        s.row(str(n), lambda n=n: [within(e) for e in fit().local_slopes if e.width == n])
    exact_rows(page, s, fit)
    over = lambda: fit().relative_to_exact
    s.says(
        r"Over all {} cells measured / exact is $n^{{}}$ [{}, {}] and $L^{{}}$ [{}, {}], with χ² = {} for {} degrees of freedom",
        lambda: [
            len(fit().cells),
            *interval(over().exponents.width),
            *interval(over().exponents.depth),
            over().chi_squared,
            over().degrees_of_freedom,
        ],
    )
    s.says("With {} networks a cell the two cells", lambda: [fit().cells[0].networks])
    s.says("(z = {} at $n = 256, L = 32$; {} at $n = L = 64$)", lambda: [fit().cell(32, 256).z, fit().cell(64, 64).z])


def exact_rows(page: Page, s, fit) -> None:
    """The lines called `exact`, in the order of the widths above them."""
    for n in (64, 256, 1024, 16384, 1048576):
        s.row_after(str(n), "exact", lambda n=n: [[e.exact] for e in fit().local_slopes if e.width == n])


STEP = ("--criterion", "finite", "--threshold", "1", "--threshold", "0.1", "--threshold", "0.01")
DEPTHS = (8, 16, 32, 64, 128, 256, 512, 1024)


def real_step(page: Page, lab: Laboratory) -> None:
    lab.sweep(
        "widths", "--width", "4096:65536:x4", "--depth", "256", "--eta", "0.2:25:log12", "--seeds", "400", "--first-seed", "5000"
    )
    lab.sweep("fresh", "--width", "65536", "--depth", "256", "--eta", "0.2:25:log12", "--seeds", "400", "--first-seed", "20000")
    lab.sweep("deep", "--width", "16384", "--depth", "1024", "--eta", "3:60:log8", "--seeds", "400", "--first-seed", "5000")
    lab.sweep(
        "dense",
        "--width",
        "1024",
        "--depth",
        "128",
        "--eta",
        "0.05:20:log16",
        "--seeds",
        "360",
        "--first-seed",
        "9000",
        "--engine",
        "dense",
    )
    lab.sweep("implicit", "--width", "1024", "--depth", "128", "--eta", "0.05:20:log16", "--seeds", "1000")

    fit = lambda c: lab.fit("real-step", *STEP, "--threshold", "0.001", "--threshold", "0.0001", threshold=c)
    infinite = lambda depth, c: lab.theory("--criterion", "finite", "--depth", str(depth), "--threshold", repr(c))[0].infinite
    score = lambda cell: math.log(cell.eta_star / cell.infinite) / (math.log(cell.ci95[1] / cell.ci95[0]) / 2 / T95)

    s = page.section("6 ")
    for depth in DEPTHS:

        def values(depth: int = depth) -> list:
            cells = [fit(c).cell(depth) for c in (1, 0.1, 0.01)]
            return [
                entry
                for cell in cells
                for entry in (
                    percent(cell),
                    [cell.infinite],
                    [Measured(cell.eta_star / cell.infinite, cell.ratio_infinite and half(cell.ratio_infinite.ci95))],
                )
            ]

        s.row(str(depth), values, table="| $c = 1$ | theory | ratio |")
    s.says(
        "these intervals {} to {} times shorter",
        lambda: [which(c.variance_ratio**0.5 for t in (1, 0.1, 0.01) for c in fit(t).cells) for which in (min, max)],
    )
    s.says(
        "Up to $L = 64$ every ratio is 1 to within {} %",
        lambda: [
            AtMost(100 * max(abs(c.eta_star / c.infinite - 1) for t in (1, 0.1, 0.01) for c in fit(t).cells if c.depth <= 64))
        ],
    )
    s.says(
        "add up to χ² = {}, {} and {} at the three thresholds, for {} degrees",
        lambda: [*(Measured(sum(score(c) ** 2 for c in fit(t).cells if c.depth <= 512), 0.05) for t in (1, 0.1, 0.01)), 7],
    )
    s.says("The largest is {} standard errors ($L = 128$, $c = 1$)", lambda: [score(fit(1).cell(128))])
    s.says(
        "rates lie {}, {} and {} % below theory, by {}, {} and {} standard errors",
        lambda: [
            *(100 * (1 - fit(t).cell(1024).eta_star / fit(t).cell(1024).infinite) for t in (1, 0.1, 0.01)),
            *(-score(fit(t).cell(1024)) for t in (1, 0.1, 0.01)),
        ],
    )
    s.says(
        "The other {} networks of `jobs/depth-law.cfg` give {} ± {} in that cell",
        lambda: [
            lab.fit("depth-law", criterion="finite").cell(128).networks,
            *within(lab.fit("depth-law", criterion="finite").cell(128).ratio_infinite),
        ],
    )

    def ratios(name: str, width: int, depth: int) -> list:
        cells = [lab.fit(name, *STEP, threshold=c).cell(depth, width) for c in (1, 0.1, 0.01)]
        linear = lab.theory("--width", str(width), "--depth", str(depth))[0]
        return [ANY, *([] if c.eta_star is None else within(c.ratio_infinite) for c in cells), [linear.exact / linear.infinite]]

    table = "linear order, exact"
    for label, name, n, depth in (
        ("$n = 65536$, $L = 256$", "widths", 65536, 256),
        ("the same, other networks", "fresh", 65536, 256),
        ("$n = 16384$, $L = 256$", "widths", 16384, 256),
        ("$n = 4096$, $L = 256$", "widths", 4096, 256),
        ("$n = 16384$, $L = 1024$", "deep", 16384, 1024),
    ):
        s.row(label, lambda name=name, n=n, depth=depth: ratios(name, n, depth), table=table)

    def samples() -> list:
        """By how many standard errors the two samples at n = 65536 differ, at each threshold."""
        pairs = [[lab.fit(name, *STEP, threshold=c).cell(256, 65536) for name in ("widths", "fresh")] for c in (1, 0.1, 0.01)]
        return [
            abs(math.log(b.eta_star / a.eta_star)) / math.hypot(*(math.log(x.ci95[1] / x.ci95[0]) / 2 / 1.966 for x in (a, b)))
            for a, b in pairs
        ]

    s.says(
        "differ by {} standard errors at $c = 1$ and 0.1 and by {} at 0.01",
        lambda: [About(sum(samples()[:2]) / 2, 0.03), samples()[2]],
    )

    # n = 2^18, L = 1024 with 9, 14 and 14 L/n taken off.
    taken = {1: 9, 0.1: 14, 0.01: 14}
    s.says(
        "that makes {}, {} and {} %; what was measured",
        lambda: [100 * taken[c] * 1024 / 262144 for c in (1, 0.1, 0.01)],
        kind="theory",
    )

    def rest(c: float) -> float:
        """Measured over theory with that taken off, at L = 1024, in standard errors."""
        cell = fit(c).cell(1024)
        return (math.log(cell.eta_star / cell.infinite) + taken[c] / 256) / (math.log(cell.ci95[1] / cell.ci95[0]) / 2 / T95)

    s.says(
        "is less by {} standard errors at $c = 1$ and 0.1 and more by {} at 0.01",
        lambda: [About((rest(1) + rest(0.1)) / 2, 0.1), -rest(0.01)],
    )

    def corrected(c: float) -> list[float]:
        start = {1: 64, 0.1: 64, 0.01: 256}[c]
        return [
            (math.log(cell.eta_star / cell.infinite) + (taken[c] if cell.depth >= start else 1) * cell.depth / 262144)
            / (math.log(cell.ci95[1] / cell.ci95[0]) / 2 / T95)
            for cell in fit(c).cells
            if cell.depth <= 512
        ]

    s.says(
        "is {}, {} and {}, and the largest deviation {} standard errors",
        lambda: [
            *(Measured(sum(z * z for z in corrected(c)), 0.05) for c in (1, 0.1, 0.01)),
            max((z for c in (1, 0.1, 0.01) for z in corrected(c)), key=abs),
        ],
    )
    s.says("(p = {})", lambda: [chi_squared_tail(13.7, 7)], kind="theory")

    for c, label in ((1, "$c = 1$"), (0.1, "$c = 0.1$"), (0.01, "$c = 0.01$"), (1e-3, "$c = 10^{-3}$"), (1e-4, "$c = 10^{-4}$")):
        s.row(label, lambda c=c: [*(within(e) for e in fit(c).local_slopes), [], []], table="$L$ to $2L$")
        s.row_after(
            label,
            "theory",
            lambda c=c: [
                [math.log(infinite(2 * depth, c) / infinite(depth, c)) / math.log(2)] for depth in (*DEPTHS[:-1], 4096, 65536)
            ],
            table="$L$ to $2L$",
            kind="theory",
        )
    s.says(
        "At $c = 1$ the slope is within {} of −5/6 from $L = 64$ on",
        lambda: [
            AtMost(
                max(
                    abs(math.log(infinite(2 * depth, 1) / infinite(depth, 1)) / math.log(2) + 5 / 6)
                    for depth in (64, 128, 256, 512, 1024, 4096, 65536)
                )
            )
        ],
        kind="theory",
    )
    s.says(
        r"and ${}\, L^{-5/6}$ is off by less than {} % from there to",
        lambda: [
            AT_ONE,
            AtMost(
                100
                * max(
                    abs(infinite(depth, 1) / (AT_ONE * depth ** (-5 / 6)) - 1)
                    for depth in (64, 96, 128, 256, 512, 1024, 4096, 16384, 65536, 100000)
                )
            ),
        ],
        kind="theory",
    )

    def crossing(c: float, slope: float) -> float:
        """c L^2 in the middle of the octave over which theory's slope is `slope`."""
        depths = sorted({max(2, round(depth)) for depth in np.geomspace(max(2, 0.4 * c**-0.5), 14 * c**-0.5, 60)})
        found = {
            cell.depth: cell.infinite
            for cell in lab.theory(
                "--criterion",
                "finite",
                "--threshold",
                repr(c),
                "--depth",
                ",".join(map(str, sorted({d for depth in depths for d in (depth, 2 * depth)}))),
            )
        }
        slopes = np.array([math.log(found[2 * depth] / found[depth]) / math.log(2) for depth in depths])
        at = next(k for k in range(len(depths) - 1) if slopes[k] <= slope < slopes[k + 1])
        return c * math.exp(np.interp(slope, slopes[at : at + 2], np.log(np.array(depths[at : at + 2]) * 2**0.5))) ** 2

    s.says("and {} % less at $10^{-3}$", lambda: [100 * (1 - crossing(1e-3, -1.45) / crossing(1e-6, -1.45))], kind="theory")
    s.says(
        r"{} at $c L^2 = {}$ and {} at $c L^2 = {}$ for every $c$",
        lambda: [ANY, crossing(1e-6, -1.45), ANY, crossing(1e-6, -0.75)],
        kind="theory",
    )

    curves = lambda: next(
        e
        for e in lab.document("real-step", *STEP, "--threshold", "0.001", "--threshold", "0.0001").curves
        if e.criterion == "finite"
    ).cells

    def deviations(low: int, high: int) -> tuple[float, float]:
        """The largest deviation of a mean from theory, in per cent and in standard errors, of depths between the two."""
        points = [
            (mean / law, math.log(ends[1] / ends[0]) / 4)
            for cell in curves()
            if low <= cell.depth <= high
            for mean, law, ends in zip(cell.mean, cell.infinite, cell.ci95)
        ]
        return 100 * max(abs(ratio - 1) for ratio, _ in points), max(abs(math.log(ratio)) / error for ratio, error in points)

    s.says(
        "are within {} % of theory for $L \\le 64$ ({} standard errors at most), within {} % up to $L = 512$ ({} at $L = 128$), and up to {} % above it at $L = 1024$ ({})",
        lambda: [*deviations(8, 64), deviations(128, 512)[0], deviations(128, 128)[1], *deviations(1024, 1024)],
    )
    s.says(r"= {}\, \eta^{4/5}$, every", lambda: [PLATEAU], kind="theory")

    def over_plateau(depth: int, at: float) -> list:
        """The step over the plateau, at the rate whose eta L^(5/2) is next to `at`."""
        cell = next(cell for cell in curves() if cell.depth == depth)
        index = min(range(len(cell.eta)), key=lambda i: abs(math.log(cell.eta[i] * depth**2.5 / at)))
        unit = PLATEAU * cell.eta[index] ** 0.8
        return [Measured(cell.mean[index] / unit, half(cell.ci95[index]) / unit), half(cell.ci95[index]) / unit]

    s.says("(measured {} ± {} at $L = 256$, {} ± {} at 512)", lambda: [*over_plateau(256, 90), *over_plateau(512, 90)])

    def level() -> float:
        cell = next(cell for cell in curves() if cell.depth == 512)
        flat = [eta for eta, mean in zip(cell.eta, cell.mean) if abs(mean / (PLATEAU * eta**0.8) - 1) < 0.05]
        return flat[-1] / flat[0]

    s.says(
        "level from about {}, with the {} % overshoot of theory at",
        lambda: [
            ANY,
            100
            * (
                max(
                    point.dz2_last / (PLATEAU * point.eta**0.8)
                    for point in lab.theory(
                        "--criterion",
                        "finite",
                        "--depth",
                        "4096",
                        "--threshold",
                        "1",
                        "--eta",
                        ",".join(repr(x / 4096**2.5) for x in np.geomspace(60, 140, 9)),
                    )[0].curve
                )
                - 1
            ),
        ],
        kind="theory",
    )
    s.says(
        r"within 5 % of ${}\, \eta^{4/5}$ over a factor of {} in $\eta$, and equals {} ± {} times it",
        lambda: [PLATEAU, level(), *over_plateau(512, 370)],
    )
    s.says(r"tends to ${}\, \eta^{6/5} L$", lambda: [KAPPA], kind="theory")

    for label, name in (("dense, 360 networks", "dense"), ("implicit, 1000 networks", "implicit")):
        s.row(label, lambda name=name: [interval(lab.fit(name, *STEP, threshold=c).cells[0]) for c in (1, 0.1, 0.01)])
    s.row(r"theory, $n = \infty$", lambda: [[infinite(128, c)] for c in (1, 0.1, 0.01)], kind="theory")

    def engines() -> tuple[float, float]:
        """Of log dz2_last at each rate: the largest difference of means in standard errors, and the least p-value of Kolmogorov and Smirnov's test."""
        tables = [lab.rows(name) for name in ("dense", "implicit")]
        scores, probabilities = [], []
        for eta in np.unique(tables[0]["eta"]):
            a, b = (np.log(rows["dz2_last"][rows["eta"] == eta]) for rows in tables)
            scores.append(abs(a.mean() - b.mean()) / np.hypot(a.std(ddof=1) / len(a) ** 0.5, b.std(ddof=1) / len(b) ** 0.5))
            probabilities.append(kolmogorov_smirnov(a, b))
        return max(scores), min(probabilities)

    s.says("agree to within {} standard errors at each of the {} rates", lambda: [AtMost(engines()[0]), 16])
    s.says("gives a p-value below {}", lambda: [AtLeast(engines()[1] + 0.005)])
    s.says(
        "linear order is {} % below",
        lambda: [
            100
            * (
                1
                - lab.theory("--width", "1024", "--depth", "128")[0].exact
                / lab.theory("--width", "1024", "--depth", "128")[0].infinite
            )
        ],
        kind="theory",
    )
    fold = lambda depth: (lambda c: c.infinite / c.linear)(
        lab.theory("--criterion", "finite", "--depth", str(depth), "--threshold", "1")[0]
    )
    s.says("{}-fold at $L = 256$, {}-fold at $L = 1024$ for $c = 1$", lambda: [fold(256), fold(1024)], kind="theory")


PLATEAU = 2 * (3 * math.pi**3 / 4) ** 0.4
KAPPA = (3 * math.pi**3 / 4) ** 0.6 / (3 * math.pi)
AT_ONE = (4 / (3 * math.pi**3)) ** 0.5 * (3 * math.pi * math.log1p(0.5**0.5)) ** (5 / 6)


def chi_squared_tail(value: float, degrees: int) -> float:
    """P(chi^2 > value) of an odd number of degrees of freedom."""
    total, term = math.erfc(math.sqrt(value / 2)), math.sqrt(2 * value / math.pi) * math.exp(-value / 2)
    for k in range(1, (degrees + 1) // 2):
        total += term
        term *= value / (2 * k + 1)
    return total


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> float:
    """The asymptotic p-value of the two-sample test."""
    both = np.sort(np.concatenate([a, b]))
    distance = np.abs(
        np.searchsorted(np.sort(a), both, side="right") / len(a) - np.searchsorted(np.sort(b), both, side="right") / len(b)
    ).max()
    effective = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    scaled = effective * distance
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101))))


def given(page: Page) -> None:
    """What is no measurement: sizes that were chosen, laws, names."""
    page.given(r"[Ss]ections? \d+(?:\s+and\s+\d+)*", "sections")
    page.given(r"version \d+\.\d+(?:\.\d+)?", "the version")
    page.given(r"\b95 %", "the level of intervals")
    page.given(
        r"√3|[−-]\d/\d|within 5 %|differs from 0, \+1 and −1|of the width exponent are 0|is 0 within|every ratio is 1|on its way|to −1\b|passes −1/2|at \+?−1 ",
        "laws and what is compared with them",
    )
    page.given(r"\$[cQsL](?:_2)? = [\d.]+\$", "settings")
    page.given(
        r"\(?\bfrom\s+(?:\$[Ln] = )?\d+\$?\s+to\s+\d+|\(\d+ to \d+\)|\$L = \d+\$ to \d+|\$n = \d+\$\s+to \d+|\b\d+ → \d+",
        "ranges of sizes",
    )
    page.given(
        r"\$[Ln] = \d+\$(?:,| and|, \$[Ln] = \d+\$ and) \d+(?: and \d+)?|\(from \$L = 64\$, 64 and 256\)|\$P = \d\$(?:,| and) \d(?:,? (?:and )?\d)*|for 1, 2 and 4|first step, two or",
        "sizes",
    )
    page.given(
        r"[Aa]fter\s+\d+\s+steps|[Aa]fter \d+\b|in \d+ steps|\b\d+ (?:of \d+ )?steps|\$1 \+ \\mu = 1\.9\$|2 \(1 \+ \\mu\) = 3\.8",
        "numbers of steps",
    )
    page.given(
        r"\b\d+\s+networks|\d+ cells each unless|gelu and silu: 200|The four jobs at depth 8|357 images|3 against 8|\b400 others",
        "sizes of samples",
    )
    page.given(
        r"a factor of (?:64|16|4|1\.2)\b|of 64 in width and of 4 in depth|widths 16 times|a factor 1\.6 apart", "ratios of sizes"
    )
    page.given(
        r"8 to 128; gelu and silu 2 to 32;|\$\\tau = 1\$ 4 to 20|fitted to 8 to 1024|exponents over 8 to 128|circles are the 35|at c = 1,|nor \$c = 0\.1\$ in|\(0\.1\) below",
        "sizes",
    )
    page.given(
        r"at \$c = 1\$ and 0\.1|at 0\.01\b|to 65536, 200|up to 20 times the linear|of size 1 and|up to about 1,|slopes below 1\.|for 6 degrees of|\^\{6/5\} L = 0\.7\$",
        "settings, orders of magnitude",
    )
    page.given(r"^\| networks a cell; widths .*?$", "sizes of samples")
    page.given(
        r"at 16 \(0\.5\)|at 20 \(8\)|at 16 and 32 they|\bat 128\b|\bat 100\. |\bat 90\b|at\s+512\)|, 159 at 32\)|\b5 % at 16\b",
        "sizes",
    )
    page.given(
        r"\$1024\$ and 16384|to 4096|to 128\b|to 8192|below 1 %|lose[sn]? by|in one of 30; at 29|network of 6 layers|for 32 layers of silu|nothing at 256",
        "sizes",
    )
    page.given(
        r"which is why its exponents over|\(1\.5\$ to|^\| (?:one step|best rate|largest rate|the same, four).*?$|\*\*Answer\.\*\*.*?(?=\n\n)|^### .*?$",
        "summaries: each number is tied where it is first told",
    )


def untied(page: Page) -> None:
    page.untied(
        r"happen\s+to agree to 0\.02 %.*?0\.08 %|0\.4 % more for|is off by \+1\.4 and −1\.3 %.*?more than 1\.6 %",
        "single cells of theory that samples paths",
    )
    page.untied(r"it was 0\.05 to 0\.09 %.*?χ² 41 by that error alone.*?left 2\.1", "a sweep whose rates were too far apart")
    page.untied(r"intervals reach from 0\.2 to 1\.8", "intervals of cells at the largest rate alone")
    page.untied(
        r"lost within 25 % in rate|stay at 1 to 10 % of|at most 30 %|\(1\.5\$ to \$2\)|A number well above 1\.1|near −1 \(after|Once \$1\.1/|to \$1\.1\\, L|by number: −1 after|about −2 after",
        "read off the tables and figures, rounded",
    )


def page(lab: Laboratory) -> Page:
    page = Page("docs/results.md")
    linear_law(page, lab)
    width(page, lab)
    finite_width(page, lab)
    real_step(page, lab)
    variants.claims(page, lab)
    training.claims(page, lab)
    given(page)
    untied(page)
    return page
