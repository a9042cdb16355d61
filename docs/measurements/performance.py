"""docs/performance.md. Times are compared with --bench alone, ratios of them within what a quiet machine repeats; simulated time, memory and
numbers of networks are measurements like others."""
import statistics
import subprocess
import sys

from measured import ANY, ROOT, About, Laboratory, Page, Timed

MODELS = (
    ("relu", "mlp", "sgd"),
    ("leaky-relu", "mlp", "sgd"),
    ("linear", "mlp", "sgd"),
    ("tanh", "mlp", "sgd"),
    ("erf", "mlp", "sgd"),
    ("gelu", "mlp", "sgd"),
    ("silu", "mlp", "sgd"),
    ("relu", "mlp", "sign"),
    ("relu", "mlp", "normalized"),
    ("relu", "residual", "sgd"),
    ("tanh", "residual", "sgd"),
)


def page(lab: Laboratory) -> Page:
    page = Page("docs/performance.md", whole=False)
    lab.sweep(
        "networks-needed",
        "--width",
        "262144",
        "--depth",
        "4:64:x2",
        "--eta",
        "0.08:9:log10",
        "--seeds",
        "100",
        "--first-seed",
        "5000",
    )
    time = lambda part, name, unit, to=0.5: Timed(lab.time(part, name) / unit, to)  # times move with the machine
    ratio = lambda part, name, to=0.25: Timed(lab.ratio(part, name), to)
    ends = lambda part, name: [Timed(lab.ratio(part, name, of), 0.5) for of in (min, max)]

    s = page.section("A trial against PyTorch")
    s.row("PyTorch", lambda: [[time("pytorch", "PyTorch, per trial", 1e-3)], [1]], kind="bench")
    for engine in ("dense", "implicit"):
        s.row(
            f"{engine} engine",
            lambda engine=engine: [
                [time("pytorch", f"etastar {engine}, per trial", 1e-3)],
                [
                    ratio("pytorch", f"{engine}: times faster than PyTorch", 0.5),
                    *ends("pytorch", f"{engine}: times faster than PyTorch"),
                ],
            ],
            kind="bench",
        )

    s = page.section("Other models")
    for activation, architecture, optimizer in MODELS:
        name = f"{activation} {architecture} {optimizer}"
        label = f"{activation} {architecture.replace('mlp', 'MLP')}, {optimizer}"
        bars = {"tanh mlp sgd": 2.5, "erf mlp sgd": 2.5, "gelu mlp sgd": 2.5, "relu residual sgd": 3, "tanh residual sgd": 3}

        def values(name: str = name, bar: float | None = bars.get(name)) -> list:
            over = lambda engine: Timed(
                1 if name == "relu mlp sgd" else lab.ratio("variants", f"{engine}, {name} / relu mlp sgd"), 0.15
            )
            return [
                [time("variants", f"implicit, {name}", 1e-6)],
                [over("implicit"), *([bar] if bar else [])],
                [time("variants", f"dense, {name}", 1e-3)],
                [over("dense")],
            ]

        s.row(label, values, table="implicit, µs", kind="bench")
    for label, name in (
        ("relu MLP, sgd", "relu mlp sgd"),
        ("tanh MLP, sgd", "tanh mlp sgd"),
        ("gelu MLP, sgd", "gelu mlp sgd"),
        ("gelu residual, sign", "gelu residual sign"),
    ):
        s.row(
            label,
            lambda name=name: [
                *([ratio("variants", f"{engine}, {name}: times faster than PyTorch", 1.0)] for engine in ("implicit", "dense")),
                ANY,
                ANY,
            ],
            table="at 21.6 ms",
            kind="bench",
        )

    s = page.section("A run of training")
    s.row("PyTorch", lambda: [[time("training", "PyTorch, a run", 1)], [1]], kind="bench")
    for engine, bar in (("dense", 3), ("implicit", 200)):
        s.row(
            f"{engine} engine",
            lambda engine=engine, bar=bar: [
                [time("training", f"etastar {engine}, a run", 1)],
                [
                    ratio("training", f"{engine}: times faster than PyTorch", 0.5),
                    *ends("training", f"{engine}: times faster than PyTorch"),
                    bar,
                ],
            ],
            kind="bench",
        )
    for label, n in (("2¹²", 4096), ("2¹⁴", 1 << 14), ("2¹⁶", 1 << 16), ("2¹⁸", 1 << 18)):
        run = "etastar implicit, a run" if n == 4096 else f"etastar implicit, width {n}"
        s.row(
            label,
            lambda n=n, run=run: [
                [time("training", run, 1)],
                [time("training", f"reading what panels must, width {n}", 1)],
                [
                    ratio("training", f"width {n}: run / reading its panels"),
                    *ends("training", f"width {n}: run / reading its panels"),
                ],
            ],
            table="implicit, a run, s",
            kind="bench",
        )
    s.says(
        "the exponent is {} (bar 1.1, missed)",
        lambda: [ratio("training", "exponent of the cost in the width, 2^12 to 2^18", 0.1)],
        kind="bench",
    )
    s.says(
        "$L = 8$ take {} GiB at this rate", lambda: [ratio("training", "GiB: width 65536, depth 8, 100 steps", 0.05)], kind="bench"
    )

    s = page.section("Normal variates")
    s.row("PyTorch `normal_()`", lambda: [[time("variates", "torch normal_()", 1e-9)]], kind="bench")
    s.row(
        "`std::normal_distribution`, Mersenne twister", lambda: [[time("variates", "std::normal_distribution", 1e-9)]], kind="bench"
    )
    s.says("{} times faster than PyTorch.", lambda: [ratio("variates", "times faster than torch normal_()")], kind="bench")

    s = page.section("Dense engine")
    s.row("network", lambda: [[time("dense", "dense network, single precision", 1e-3)]], table="17 columns", kind="bench")
    s.says("{} of its bare kernels (bar: {})", lambda: [ratio("dense", "dense network / bare kernels"), 1.25], kind="bench")

    s = page.section("Implicit engine")
    for label, n in (("2¹⁰", 1 << 10), ("2¹⁴", 1 << 14), ("2¹⁶", 1 << 16), ("2¹⁸", 1 << 18)):
        s.row(
            label,
            lambda n=n: [
                [time("implicit", f"width {n}", 1e-3)],
                [time("implicit", f"width {n}, its variates alone", 1e-3)],
                [
                    Timed(lab.time("implicit", f"width {n}") / lab.time("implicit", f"width {n}, its variates alone"), 0.2),
                    *([3] if n == 1 << 10 else [4] if n == 1 << 18 else []),
                ],
            ],
            table="its 3nL variates alone",
            kind="bench",
        )

    s = page.section("Ranks")
    for label, name in (
        ("1 rank", "1 rank, net"),
        ("2 ranks", "2 ranks, net"),
        ("8 ranks on the same two cores", "8 ranks, net"),
        ("two independent 1-rank sweeps of half the networks, side by side", "2 x 1 rank, half each, net"),
    ):
        s.row(label, lambda name=name: [[time("ranks", name, 1)]], kind="bench")
    s.says(
        "Two ranks are {} ({} – {}) as efficient as one (bar {}), and two independent sweeps {} ({} – {})",
        lambda: [
            ratio("ranks", "efficiency of 2 ranks", 0.1),
            *ends("ranks", "efficiency of 2 ranks"),
            0.95,
            ratio("ranks", "of 2 x 1 rank: what the machine allows", 0.1),
            *ends("ranks", "of 2 x 1 rank: what the machine allows"),
        ],
        kind="bench",
    )

    s = page.section("Threads")

    def spread(name: str, to: float, *bar: float) -> list:
        entry = lambda of, to: Timed(lab.ratio("threads", name, of), to)
        return [entry(statistics.median, to), entry(min, 2 * to), entry(max, 2 * to), *bar]

    for kind, label in (
        ("cheap networks", "5000 networks of 0.16 ms (implicit): 2 threads"),
        ("costly networks", "30 networks of 29 ms (dense): 2 threads"),
    ):
        for many, bar in (("2 threads", [1.1]), ("2 ranks", [])):
            cells = lambda kind=kind, many=many, bar=bar: [
                spread(f"{kind}: processor time of {many} / 1 thread", 0.1, *bar),
                spread(f"{kind}: times faster, {many}", 0.5),  # measured while others used the machine
            ]
            if many == "2 threads":
                s.row(label, cells, kind="bench")
            else:
                s.row_after(label, many, cells, kind="bench")

    s = page.section("Networks for a finite exponent")
    needed(s, lab)

    page.given(
        r"to some 15 %|L/n \\le 0\.01|\bbar:? [\d.]+|\(bar \d+\)|1\.20\b|up to\s+40 %|50 %, are a unit test|The bars, 1\.02",
        "the limits that bench/run prints, settings",
    )
    page.given(
        r"OpenBLAS 0\.3\.21|PyTorch 1\.13|95 % interval of ± 0\.002|\$c = [\d.]+\$|AVX2|SSE4\.2|\bSSE2\b|took 21\.6 ms|if all four took 21\.6",
        "versions, settings",
    )
    page.given(r"^\| (?:1|0\.1|0\.01) \|", "thresholds")
    page.untied(
        r"could be about 1\.5 times|40 to 45 ms.*?quiet machine|0\.08\\|64 MiB|30 columns of four.*?2¹⁸|1\.15 and 1\.09|0\.59 ns|ours, AVX-512.*?2\.88|fill \+ gemv.*?10\.8|60 % drawing|49 ms|"
        r"^\| (?:AVX-512|AVX2|SSE4\.2) \|.*?$|1\.93 and 1\.63|^\| gelu residual, sign \|.*?$|^\| 2²⁰ \|.*?$|takes 9 ns there.*?backward|at 21\.6 ms|^\| (?:relu|tanh|gelu) MLP, sgd \| \d{4} .*?$|that of reading alone",
        "one comparison each, by hand: other kernels, parts of a network, a disturbed machine",
    )
    page.untied(
        r"prices of rank 0 as.*?written\)|^\| (?:64|256|1024|4096|10240) \|.*?$|5 of 5300 ms|4 % slower|^\| width \d+, depth 16.*?$",
        "tests/simulation.hpp and bench/run handout, guard: print tables of their own",
    )
    page.untied(r"0\.27 s for a network|Seconds are processor", "a time")
    return page


def needed(s, lab: Laboratory) -> None:
    """The table that bench/networks_needed.py prints."""
    options = ("--criterion", "finite", "--threshold", "1", "--threshold", "0.1", "--threshold", "0.01")

    def row(index: int) -> list:
        done = subprocess.run(
            [sys.executable, str(ROOT / "bench/networks_needed.py"), str(lab.report("networks-needed", *options)), "0.002"],
            capture_output=True,
            text=True,
            check=True,
        )
        cells = [line for line in done.stdout.splitlines() if line.startswith("|")][2 + index].strip("| ").split("|")
        without, with_, fewer = (float(cell) for cell in cells[1:4])
        bar = {0: [4], 2: [20]}.get(index, [])
        return [
            [About(without, 0.01)],
            [About(with_, 0.03)],
            [About(fewer, 0.02), *bar],
            ANY,
            ANY,
            [About(float(number), 0.02) for number in cells[4].split()],
        ]

    for index, label in enumerate(("1", "0.1", "0.01")):
        s.row(label, lambda index=index: row(index), table="fewer in each cell")
    width = lambda c: (lambda fit: (fit.depth.ci95[1] - fit.depth.ci95[0]) / 2)(lab.fit("networks-needed", *options, threshold=c))
    s.says(
        "with 20 networks the intervals here are ± {}, {} and {}",
        lambda: [About(width(c) * 5**0.5, 0.15) for c in (1, 0.1, 0.01)],
    )
