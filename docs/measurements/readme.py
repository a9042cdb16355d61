"""README.md: its one result and the numbers that sell."""
from measured import Laboratory, Page, Timed, half, interval


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
    s.says(
        "on one core a trial takes {} µs at width 1024, depth 16 — {} times less",
        lambda: [
            Timed(1e6 * lab.time("pytorch", "etastar implicit, per trial"), 0.5),
            Timed(lab.ratio("pytorch", "implicit: times faster than PyTorch")),
        ],
        kind="bench",
    )

    page.given(r"arXiv 2305.07810|Debian 12|Ubuntu 24.04", "names and versions")
    page.given(r"width 65536, \d+ networks a cell|width 262144|at width 1024, depth 16|\^\([^)]*\)|√3", "sizes, laws")
    return page
