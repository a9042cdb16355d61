"""README.md: its one result and the numbers that sell."""
from measured import AtMost, Laboratory, Page, Timed, half, interval

from measurements.results import AT_ONE


def page(lab: Laboratory) -> Page:
    page = Page("README.md", whole=False)
    s = page.section()
    demo = lambda: lab.fit("demo", "--criterion", "linear")
    s.row(r"η\* measured", lambda: [interval(c)[:1] for c in demo().cells])
    s.row("95 % interval", lambda: [[100 * half(c.ci95) / c.eta_star] for c in demo().cells])
    s.row("exact theory", lambda: [[c.exact] for c in demo().cells])
    s.says(
        "Depth exponent {} [{}, {}]; the same fit to exact theory gives {}", lambda: [*interval(demo().depth), demo().depth.exact]
    )
    s.says("{} L^(−5/6) at c = 1", lambda: [AT_ONE], kind="theory", optional=True)

    def off(depths: range) -> float:
        """How far, in per cent, a real step is from infinite width at most, at thresholds 1, 0.1 and 0.01."""
        options = [part for c in ("1", "0.1", "0.01", "0.001", "0.0001") for part in ("--threshold", c)]
        cells = [
            cell for c in (1, 0.1, 0.01) for cell in lab.fit("real-step", "--criterion", "finite", *options, threshold=c).cells
        ]
        return 100 * max(abs(cell.eta_star / cell.infinite - 1) for cell in cells if cell.depth in depths)

    s.says(
        "to {} % up to L = 64 and to {} % up to L = 512", lambda: [AtMost(off(range(65))), AtMost(off(range(513)))], optional=True
    )
    s.says(
        "on one core a trial takes {} µs at width 1024, depth 16 — {} times less",
        lambda: [
            Timed(1e6 * lab.time("pytorch", "etastar implicit, per trial"), 0.5),
            Timed(lab.ratio("pytorch", "implicit: times faster than PyTorch")),
        ],
        kind="bench",
    )
    s.says(
        "and {} sweeps",
        lambda: [sum(1 for name, arguments in lab.jobs.items() if "variants" in arguments[1] and len(arguments) == 2)],
        kind="theory",
        optional=True,
    )

    page.given(r"arXiv 2305.07810|Debian 12|Ubuntu 24.04|3\.23|C\+\+20|MPI-3|1\.10", "names and versions")
    page.given(
        r"width 65536, \d+ networks a cell|thresholds 1, 0\.1 and 0\.01|width 262144|at width 1024, depth 16|L = \d+|c = 1\b|\^\([^)]*\)|√3",
        "sizes, thresholds, laws",
    )
    page.given(r"\d+ seconds on two cores", "a time, which depends on the machine")
    return page
