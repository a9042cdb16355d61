"""What ties a number in the documentation to how it is measured: the vocabulary of docs/measurements, and what tools/remeasure
does with it.

A *page* has *sections*; a section has *claims*. A claim is a piece of the page's text with numbers in it and a function that
gives today's:

    law = lambda: lab.fit("depth-law", "--criterion", "linear")
    section.says("exponent {} [{}, {}]", lambda: interval(law().depth))          # {} are the numbers
    section.row("exact", lambda: [[law().depth.exact], [law().constant.exact]])  # of a table: those of each cell after the first

Functions run when a claim is checked, not before: then the sweeps that they need are run, or continued. A number is compared at
the digits that the text shows. A claim's text must be found once in its section. A number of the page that no claim has, and
that no rule of `Page.given` or `Page.untied` explains, is *unclaimed*, and tools/remeasure lists it.
"""
from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "measurements"

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[+−-]?)(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3} \d00(?!\d)|\d+(?:\.\d+)?)(?P<power>\s*\\cdot\s*10\^(?:\{[+−-]?\d+\}|\d))?(?![\w])"
)


# Numbers of the text


@dataclass(frozen=True)
class Written:
    """A number as it stands in a page."""

    text: str
    start: int
    value: float
    unit: float  # of its last digit

    @staticmethod
    def of(match: re.Match, base: int = 0) -> "Written":
        digits = match["digits"].replace(",", "").replace(" ", "")
        scale = 10.0 ** int(re.search(r"\^\{?([+−-]?\d+)", match["power"])[1].replace("−", "-")) if match["power"] else 1.0
        decimals = len(digits.partition(".")[2])
        sign = -1 if match["sign"] in ("−", "-") else 1
        return Written(match[0], base + match.start(), sign * float(digits) * scale, 10.0**-decimals * scale)

    def rounded(self, value: float) -> str:
        """`value` with this number's digits."""
        mantissa, _, power = self.text.partition("\\")
        decimals = len(mantissa.strip().partition(".")[2])
        shown = f"{value / (self.unit * 10**decimals):+.{decimals}f}"
        if shown[0] == "+" and self.text[0] != "+":
            shown = shown[1:]
        return shown.replace("-", "-" if self.text[0] == "-" else "−") + (f" \\{power}" if power else "")


# What is measured


@dataclass(frozen=True)
class Measured:
    """A value, an interval's end or its half width, with what a sample of other networks, or other last bits, may change it by: half the length
    of the 95 % interval; of a half width 40 % of itself."""

    value: float
    error: float


@dataclass(frozen=True)
class AtMost:
    """The text states a bound that `value` must not exceed."""

    value: float


@dataclass(frozen=True)
class AtLeast:
    value: float


@dataclass(frozen=True)
class About:
    """The text rounds generously ("about", "some"): within the fraction `to` of `value`."""

    value: float
    to: float = 0.1


@dataclass(frozen=True)
class Timed:
    """A ratio of two times: compared with --bench only, within the fraction `to`."""

    value: float
    to: float = 0.25


ANY = object()  # a number that the claim leaves alone


class Missing(Exception):
    """What a claim needs has not been run, and may not be."""


class Failed(Exception):
    """What a claim needs could not be run."""


def half(ci: Iterable[float]) -> float:
    low, high = ci
    return (high - low) / 2


def interval(entry: Any, scale: float = 1.0) -> list:
    """`value [low, high]` of a quantity {"value", "ci95"}; None for an end that is beyond the grid."""
    value = entry["value"] if "value" in entry else entry["eta_star"]
    if value is None:
        return []
    low, high = entry["ci95"] or (None, None)
    known = [abs(value - end) for end in (low, high) if end is not None]
    error = scale * (sum(known) / len(known) if known else 0)
    return [Measured(scale * value, error), *(None if end is None else Measured(scale * end, error) for end in (low, high))]


def within(entry: Any, scale: float = 1.0) -> list:
    """`value ± half` of a quantity {"value", "ci95"}."""
    value = entry["value"] if "value" in entry else entry["eta_star"]
    size = abs(scale) * half(entry["ci95"])
    return [Measured(scale * value, size), Measured(size, 0.4 * size)]


def percent(cell: Any) -> list:
    """`eta* ± p %` of a cell."""
    size = half(cell["ci95"])
    share = 100 * size / cell["eta_star"]
    return [Measured(cell["eta_star"], size), Measured(share, 0.4 * share)]


class Tree(dict):
    """JSON whose keys are attributes."""

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    @staticmethod
    def parse(text: str) -> "Tree":
        return json.loads(text, object_hook=Tree)


class Fit(Tree):
    """What `fit --json` says of one criterion and threshold."""

    def cell(self, depth: int | None = None, width: int | None = None) -> Tree:
        found = [c for c in self["cells"] if depth in (None, c["depth"]) and width in (None, c["width"])]
        if len(found) != 1:
            raise LookupError(f"{len(found)} cells of width {width}, depth {depth}")
        return found[0]

    def slope(self, depth: int, width: int | None = None) -> Tree:
        found = [s for s in self["local_slopes"] if s["depth"][0] == depth and width in (None, s["width"])]
        if len(found) != 1:
            raise LookupError(f"{len(found)} slopes of width {width} from depth {depth}")
        return found[0]

    @property
    def depth(self) -> Tree:
        return self["exponents"]["depth"]

    @property
    def width(self) -> Tree:
        return self["exponents"]["width"]


class Laboratory:
    """Where numbers come from: the program, and a folder of sweeps and of what was made of them, which both are kept."""

    def __init__(
        self,
        data: Path | None = None,
        limit: float = math.inf,
        jobs: int = 1,
        nice: int = 10,
        bench: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.data, self.limit, self.jobs_at_once, self.nice, self.bench, self.say = data, limit, jobs, nice, bench, say
        self.jobs = self._jobs()
        self.scratch = tempfile.TemporaryDirectory() if data is None else None
        self.folder = data or Path(self.scratch.name)

    @staticmethod
    def _jobs() -> dict[str, list[str]]:
        jobs = {}
        for path in sorted((ROOT / "jobs").glob("*.cfg")):
            jobs[path.stem] = ["--config", str(path)]
        for path in sorted((ROOT / "jobs/training").glob("*.cfg")):
            jobs[f"training-{path.stem}"] = ["--config", str(path)]
        for path in sorted((ROOT / "jobs/variants").glob("*.cfg")):
            jobs[path.stem] = ["--config", str(path)]
            jobs[f"{path.stem}-width"] = [
                "--config",
                str(path),
                "--width",
                "1024:65536:x4",
                "--depth",
                "8",
                "--seeds",
                "200",
                "--first-seed",
                "1000",
            ]
        return jobs

    def sweep(self, name: str, *arguments: str) -> None:
        """One more sweep, `NAME.h5`, beside those of jobs/: their names are their files'."""
        if self.jobs.setdefault(name, list(arguments)) != list(arguments):
            raise ValueError(f"two sweeps called {name}")

    @functools.cached_property
    def program(self) -> str:
        named = os.environ.get("ETASTAR_BIN") or os.environ.get("ETASTAR_BINARY")
        built = ROOT / "build/release/bin/etastar"
        found = named or (str(built) if built.exists() else shutil.which("etastar"))
        if not found:
            sys.exit(
                "remeasure: no etastar: build it (cmake --preset release && cmake --build --preset release) or name it in ETASTAR_BIN"
            )
        return found

    @functools.cached_property
    def _identity(self) -> bytes:
        return hashlib.sha256(Path(self.program).read_bytes()).digest()

    def call(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: os.nice(self.nice),
        )
        if done.returncode:
            raise Failed(f"etastar {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def _kept(self, key: list[bytes], make: Callable[[], str]) -> Path:
        """The file of a report: made anew where the program, the table or the options are others."""
        digest = hashlib.sha256(self._identity)
        for part in key:
            digest.update(hashlib.sha256(part).digest())
        path = self.folder / "reports" / f"{digest.hexdigest()[:32]}.json"
        if not path.exists():
            text = make()
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(text[text.index("{") :])
            partial.replace(path)
        return path

    def arguments(self, name: str) -> list[str]:
        arguments = self.jobs[name]
        if name == "training-digits":
            arguments = [*arguments, "--data", str(self._digits())]
        return arguments

    def _digits(self) -> Path:
        path = self.data / "digits.h5"
        if not path.exists():
            done = subprocess.run(
                [sys.executable, str(ROOT / "jobs/training/real_data.py"), "digits", str(path)], capture_output=True, text=True
            )
            if done.returncode:
                raise Missing("sweep training-digits: jobs/training/real_data.py needs scikit-learn (python3-sklearn)")
        return path

    def cost(self, name: str) -> float:
        """Seconds of one core that a sweep takes by `plan`."""
        for line in self.call("plan", *self.arguments(name)).splitlines():
            match = re.match(r"work\s+(\S+) on one core", line.replace(" s on", "s on"))
            if match:
                return sum(
                    float(number) * {"h": 3600, "m": 60, "s": 1}[unit]
                    for number, unit in re.findall(r"([\d.]+)(h|ms|m|s)", match[1].replace("ms", "s"))
                )
        raise Failed(f"plan of {name} tells no work")

    @functools.cache
    def table(self, name: str) -> Path:
        """The file of a sweep, complete and with the rows of today's program: run or continued where it is not."""
        if self.data is None:
            raise Missing(f"sweep {name}")
        if name not in self.jobs:
            raise LookupError(f"no sweep {name}")
        path = self.data / f"{name}.h5"
        known = self._revision(path)
        if known is not None and known[1]:
            if not self._is_of(name, path):
                self.say(f"{path.name}: of another specification than today's")
            elif known[0] == self.revision or self._agrees(name, path):
                return path
            else:
                self.say(f"{path.name}: of {known[0]}, other rows than today's")
        if self.limit < math.inf and (self.limit <= 0 or self.cost(name) > self.limit):
            raise Missing(f"sweep {name}")
        self.say(f"sweep {name}")
        self._sweep(
            name, path, "--overwrite" if known is not None and known[1] else "--resume", "--threads", str(self.jobs_at_once)
        )
        return path

    def _sweep(self, name: str, path: Path, *more: str, seeds: int | None = None) -> None:
        words = self.arguments(name)
        if seeds is not None:
            at = words.index("--seeds") if "--seeds" in words else len(words)
            words = [*words[:at], "--seeds", str(seeds), *words[at + 2 :]]
        launcher: list[str] = []
        if "--threads" in more and not self._threads:  # ranks do as well
            at = more.index("--threads")
            ranks, more = int(more[at + 1]), more[:at] + more[at + 2 :]
            launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
        environment = dict(os.environ) | {
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        }
        done = subprocess.run(
            ["nice", "-n", str(self.nice), *launcher, self.program, "sweep", *words, "--output", str(path), *more],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Failed(f"sweep {name}: exit code {done.returncode}: {last}")

    @functools.cached_property
    def _threads(self) -> bool:
        """Whether one process computes on several cores."""
        return "--threads" in self.call("sweep", "--help")

    @functools.cached_property
    def revision(self) -> str:
        return self.call("--version").strip()

    def _revision(self, path: Path) -> tuple[str, bool] | None:
        """The version that made a table, as --version says it, and whether the table is complete."""
        import h5py

        if not path.exists():
            return None
        try:
            with h5py.File(path, "r") as file:
                text = {
                    key: value.decode() if isinstance(value, bytes) else value for key, value in file["provenance"].attrs.items()
                }
                return f"etastar {text['version']} ({text['git_revision']})", bool(file.attrs["complete"])
        except (OSError, KeyError):
            raise Failed(f"{path.name}: is being written, or is no table of a sweep") from None

    def _is_of(self, name: str, path: Path) -> bool:
        """Whether a complete table is that of this sweep: then there is nothing to resume."""
        try:
            self._sweep(name, path, "--resume")
        except Failed as failed:
            if "holds another sweep" not in str(failed):
                raise
            return False
        return True

    def _agrees(self, name: str, path: Path) -> bool:
        """Whether today's program gives a table of another version the same rows, by those of its first seed."""
        import h5py
        import numpy as np

        marker = self.data / "reports" / f"{name}.agrees"
        key = hashlib.sha256(self._identity + path.read_bytes()).hexdigest()
        if marker.exists() and marker.read_text() == key:
            return True
        with tempfile.TemporaryDirectory() as folder:
            self._sweep(name, Path(folder) / "one.h5", seeds=1)
            with h5py.File(Path(folder) / "one.h5", "r") as file:
                today = file["trials"][:]
            with h5py.File(path, "r") as file:
                kept = file["trials"][:]
        kept = kept[kept["seed"] == today["seed"].min()]
        same = len(kept) == len(today) and all(
            np.array_equal(kept[column], today[column], equal_nan=kept[column].dtype.kind == "f")
            for column in today.dtype.names
            if column in kept.dtype.names
        )
        if same:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text(key)
        return same

    @functools.cache
    def rows(self, name: str) -> Any:
        """`/trials` of a sweep."""
        import h5py

        with h5py.File(self.table(name), "r") as file:
            return file["trials"][:]

    @functools.cache
    def losses(self, name: str) -> Any:
        """`/steps/loss` of a sweep of training."""
        import h5py

        with h5py.File(self.table(name), "r") as file:
            return file["steps/loss"][:]

    def report(self, name: str, *options: str) -> Path:
        """The file of what `fit NAME.h5 OPTIONS --json -` says."""
        path = self.table(name)
        return self._kept(
            [b"fit", path.read_bytes(), *(option.encode() for option in options)],
            lambda: self.call("fit", str(path), *options, "--json", "-"),
        )

    @functools.cache
    def document(self, name: str, *options: str) -> Tree:
        return Tree.parse(self.report(name, *options).read_text())

    def fit(self, name: str, *options: str, criterion: str | None = None, threshold: float | None = None) -> Fit:
        found = [
            fit
            for fit in self.document(name, *options)["fits"]
            if criterion in (None, fit["criterion"]) and threshold in (None, fit["threshold"])
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} fits of {name} {' '.join(options)}: name criterion and threshold")
        return Fit(found[0])

    @functools.cached_property
    def _bench(self) -> dict:
        if self.bench is None:
            raise Missing("times: --bench, on a quiet machine")
        if not self.bench.exists():
            self.say("bench/run")
            subprocess.run(
                [sys.executable, str(ROOT / "bench/run"), "--json", str(self.bench)], stdout=subprocess.DEVNULL, check=False
            )
        if not self.bench.exists():
            raise Failed("bench/run could not run")
        return json.loads(self.bench.read_text())

    def time(self, part: str, name: str) -> float:
        """The median of a sample of bench/run, in seconds."""
        return self._sample(part, lambda report: report["samples"].get(name), name)

    def ratio(self, part: str, name: str, of: Callable[[list], float] = statistics.median) -> float:
        """The median of a ratio of bench/run, or its least or largest (`of`)."""
        return self._sample(
            part,
            lambda report: next((entry["values"] for entry in report["ratios"] if entry["name"].strip() == name), None),
            name,
            of,
        )

    def _sample(
        self, part: str, get: Callable[[dict], list | None], name: str, of: Callable[[list], float] = statistics.median
    ) -> float:
        values = get(self._bench.get(part, {"samples": {}, "ratios": []}))
        if not values:
            raise Missing(f"times: bench/run {part} has no '{name}'")
        return of(values)

    @functools.cache
    def theory(self, *options: str) -> list[Tree]:
        """The cells of `theory OPTIONS --json -`."""
        path = self._kept(
            [b"theory", *(option.encode() for option in options)], lambda: self.call("theory", *options, "--json", "-")
        )
        return Tree.parse(path.read_text())["cells"]

    @functools.cache
    def plan(self, *options: str) -> Tree:
        """What `plan OPTIONS --json -` says."""
        path = self._kept([b"plan", *(option.encode() for option in options)], lambda: self.call("plan", *options, "--json", "-"))
        return Tree.parse(path.read_text())

    @functools.cache
    def told(self, case: str) -> list[list[float]]:
        """The numbers of each message of a test case of tests/statistics, whose program was built beside etastar."""
        tests = Path(self.program).with_name("statistics_tests")
        if not tests.exists():
            raise Missing("statistics_tests: configure with -DETASTAR_TESTS=ON")
        done = subprocess.run([str(tests), "-s", case], capture_output=True, text=True, preexec_fn=lambda: os.nice(self.nice))
        messages = re.findall(r"^with messages?:\n(.*)$", done.stdout, re.M)
        if done.returncode or not messages:
            raise Failed(f"statistics_tests '{case}': exit code {done.returncode}, {len(messages)} messages")
        return [[float(number) for number in re.findall(r"\d+(?:\.\d+)?", message)] for message in messages]


# Claims


@dataclass
class Outcome:
    written: Written | None
    now: str
    verdict: str  # same, within, MOVED, broken, missing, failed, bench
    note: str = ""


def judge(written: Written, value: Any, bench: bool) -> Outcome:
    slack = 0.5 * written.unit * (1 + 1e-6)
    if getattr(value, "value", 0) is None:
        return Outcome(written, "none", "MOVED")
    if isinstance(value, Timed):
        if not bench:
            return Outcome(written, "", "bench")
        moved = abs(math.log(value.value / written.value)) > math.log1p(value.to)
        return Outcome(
            written,
            written.rounded(value.value),
            "MOVED" if moved else "same" if abs(value.value - written.value) <= slack else "within",
        )
    if isinstance(value, AtMost):
        return Outcome(
            written, "at most " + written.rounded(value.value), "same" if value.value <= written.value + slack else "MOVED"
        )
    if isinstance(value, AtLeast):
        return Outcome(
            written, "at least " + written.rounded(value.value), "same" if value.value >= written.value - slack else "MOVED"
        )
    if isinstance(value, About):
        return Outcome(
            written,
            written.rounded(value.value),
            "same" if abs(value.value - written.value) <= slack + value.to * abs(written.value) else "MOVED",
        )
    now, error = (value.value, value.error) if isinstance(value, Measured) else (float(value), 0.0)
    if abs(now - written.value) <= slack:
        return Outcome(written, written.rounded(now), "same")
    return Outcome(written, written.rounded(now), "within" if abs(now - written.value) <= error + slack else "MOVED")


UNKNOWN = re.compile(r"(?<=[\[ ])\?(?=[,\]])")


def spots(text: str, base: int) -> list[Written | None]:
    """Numbers of a piece of text, in order, and None where an interval's end is written as `?`."""
    found = [(m.start(), Written.of(m, base)) for m in NUMBER.finditer(text)] + [(m.start(), None) for m in UNKNOWN.finditer(text)]
    return [written for _, written in sorted(found, key=lambda pair: pair[0])]


@dataclass
class Claim:
    section: "Section"
    name: str
    values: Callable[[], list]
    places: Callable[[], list[list[Written | None] | None]]  # of each cell; None where a cell is a label
    kind: str  # theory, sweep, bench

    def find(self) -> list[Written]:
        """The numbers that the claim is about; ValueError where the page does not say it, or twice."""
        return [written for cell in self.places() if cell is not None for written in cell if written is not None]

    def check(self, bench: bool = False) -> list[Outcome]:
        try:
            cells = self.places()
        except ValueError as error:
            return [Outcome(None, "", "broken", str(error))]
        try:
            values = self.values()
        except Missing as missing:
            return [Outcome(written, "", "missing", str(missing)) for written in self.find()]
        except Failed as failed:
            return [Outcome(written, "", "failed", str(failed)) for written in self.find()]
        except (LookupError, TypeError, ZeroDivisionError, AttributeError) as error:
            return [Outcome(written, "", "MOVED", f"no value: {type(error).__name__}: {error}") for written in self.find()]
        if len(cells) == 1 and not (len(values) == 1 and isinstance(values[0], list)):
            values = [values]
        outcomes = []
        if len(values) != len(cells):
            return [Outcome(None, "", "broken", f"{len(cells)} cells in the page, {len(values)} in the registry")]
        for written, value in zip(cells, values):
            if value is ANY or written is None:
                continue
            if len(written) != len(value):
                outcomes.append(
                    Outcome(
                        written[0] if written else None,
                        "",
                        "MOVED",
                        f"the page has {len(written)} numbers where there are {len(value)} now",
                    )
                )
                continue
            for place, entry in zip(written, value):
                if entry is ANY:
                    continue
                if place is None or entry is None:
                    if place is not entry:
                        outcomes.append(
                            Outcome(
                                place,
                                "?" if entry is None else f"{getattr(entry, 'value', entry):.4g}",
                                "MOVED",
                                "an end beyond the grid",
                            )
                        )
                    continue
                outcomes.append(judge(place, entry, bench))
        return outcomes


@dataclass
class Section:
    page: "Page"
    heading: str
    claims: list[Claim] = field(default_factory=list)

    def span(self) -> tuple[int, int]:
        text = self.page.text
        if not self.heading:
            return 0, len(text)
        found = [m for m in re.finditer(r"^(#+) (.*)$", text, re.M) if m[2].startswith(self.heading)]
        if len(found) != 1:
            raise ValueError(f"{self.page.path}: {len(found)} headings start with '{self.heading}'")
        after = re.compile(rf"^#{{1,{len(found[0][1])}}} ", re.M).search(text, found[0].end())
        return found[0].start(), after.start() if after else len(text)

    def titles(self) -> str:
        """Its heading and those of the sections that it is in."""
        try:
            start, _ = self.span()
        except ValueError:
            return self.heading
        above: dict[int, str] = {}
        for match in re.finditer(r"^(#+) (.*)$", self.page.text[: self.page.text.find("\n", start) + 1], re.M):
            above = {level: title for level, title in above.items() if level < len(match[1])} | {len(match[1]): match[2]}
        return " / ".join(above.values())

    def says(self, template: str, values: Callable[[], list], kind: str = "sweep") -> None:
        """`template` is text of the section, each measured number of it written as {}; line breaks do not matter."""
        pieces = [r"\s+".join(map(re.escape, piece.split(" "))) for piece in template.split("{}")]
        pattern = re.compile(
            ("(" + NUMBER.pattern.replace("?P<sign>", "").replace("?P<digits>", "?:").replace("?P<power>", "?:") + r"|\?)").join(
                pieces
            )
        )

        def places() -> list[list[Written | None]]:
            start, end = self.span()
            found = list(pattern.finditer(self.page.text, start, end))
            if len(found) != 1:
                raise ValueError(f"{self.page.path}, {self.heading or 'anywhere'}: found {len(found)} times, not once: {template}")
            marks, position = [], found[0].start()
            for piece, gap in zip(pieces, pieces[1:] + [None]):
                if gap is None:
                    break
                position = re.compile(piece).match(self.page.text, position).end()
                match = NUMBER.match(self.page.text, position)
                marks.append(Written.of(match) if match else None)
                position = match.end() if match else position + 1
            return [marks]

        self.claims.append(Claim(self, template, values, places, kind))

    def row(
        self, first: str, values: Callable[[], list], table: str = "", kind: str = "sweep", labels: int = 1, nth: int | None = None
    ) -> None:
        """The row of a table of this section that begins with the cell `first` (its first `labels` cells: `first`, joined by " | "); where several
        have one, of the table whose header has `table` in it. `values` gives a list for each further cell: its numbers. A cell without numbers is []; ANY leaves a cell alone. `nth` chooses
        among several such rows."""
        self.claims.append(Claim(self, f"| {first} |", values, lambda: self._row(first, table, labels, "", nth), kind))

    def row_after(self, first: str, second: str, values: Callable[[], list], table: str = "", kind: str = "sweep") -> None:
        """The row that begins with `second` and comes right after that which begins with `first`."""
        self.claims.append(Claim(self, f"| {first} | … | {second} |", values, lambda: self._row(first, table, 1, second), kind))

    def _row(self, first: str, table: str, labels: int, after: str = "", nth: int | None = None) -> list[list[Written | None]]:
        start, end = self.span()
        found: list[list[list[Written | None]]] = []
        header, previous, position = "", "", start
        for line in self.page.text[start:end].splitlines(keepends=True):
            cells = line.strip().strip("|").split("|")
            label = " | ".join(cell.strip() for cell in cells[:labels]) if line.startswith("|") else ""
            if line.startswith("|") and not header:
                header = line
            elif not line.startswith("|"):
                header = ""
            elif table in header and (label == after and previous == first if after else label == first):
                marks, offset = [], position + 1
                for index, cell in enumerate(cells):
                    if index >= labels:
                        marks.append(spots(cell, offset))
                    offset += len(cell) + 1
                found.append(marks)
            previous = label
            position += len(line)
        if nth is not None:
            found = found[nth : nth + 1]
        if len(found) != 1:
            raise ValueError(
                f"{self.page.path}, {self.heading or 'anywhere'}: {len(found)} rows, not one: | {after or first} |"
                + (f" after | {first} |" if after else "")
                + (f" of the table {table}" if table else "")
            )
        return found[0]


@dataclass
class Page:
    """A page of the documentation and what is claimed in it."""

    path: str
    whole: bool = True  # whole numbers count, too, not only decimals and per cent
    sections: list[Section] = field(default_factory=list)
    rules: list[tuple[re.Pattern, str]] = field(default_factory=list)
    reasons: list[tuple[re.Pattern, str]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)

    @functools.cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    def section(self, heading: str = "") -> Section:
        """The section whose heading starts so, or the whole page."""
        self.sections.append(Section(self, heading))
        return self.sections[-1]

    def given(self, pattern: str, why: str) -> None:
        """Numbers within matches of `pattern` (a regular expression) are no measurements, because of `why`: sizes, names, definitions."""
        self.rules.append((re.compile(pattern, re.S | re.M), why))

    def untied(self, pattern: str, why: str) -> None:
        """Numbers within matches of `pattern` are measurements that tools/remeasure cannot repeat, because of `why`."""
        self.reasons.append((re.compile(pattern, re.S | re.M), why))

    @property
    def claims(self) -> list[Claim]:
        return [claim for section in self.sections for claim in section.claims]

    def numbers(self) -> list[Written]:
        """Every number of the page but those of code, headings, links, table headers, labels of rows and integers within formulas."""
        text = self.text
        hidden = [
            re.compile(pattern, re.M | re.S)
            for pattern in (
                r"^```.*?^```",
                r"<!--.*?-->",
                r"^    .*?$",
                r"`[^`\n]*`",
                r"^#.*?$",
                r"\]\([^)]*\)",
                r"!\[.*?\]",
                r"^\|[^\n]*\|\n\|[-|: ]+\|$",
                r"^\|[^|\n]*\|",
                r"arXiv:\S+",
                r"\b\w+\.md\b",
            )
        ]
        blanked = list(text)
        for pattern in hidden:
            for match in pattern.finditer(text):
                for index in range(match.start(), match.end()):
                    blanked[index] = " " if text[index] not in "\n|" else text[index]
        for match in re.finditer(r"(?<!\$)\$[^$\n]+(?:\n[^$\n]+)?\$(?!\$)", text):
            for inner in re.finditer(r"\d+(?:\.\d+)?", match[0]):
                if "." not in inner[0]:
                    for index in range(match.start() + inner.start(), match.start() + inner.end()):
                        blanked[index] = " "
        return [
            Written.of(match)
            for match in NUMBER.finditer("".join(blanked))
            if self.whole or "." in match[0] or text[match.end() : match.end() + 3].lstrip().startswith("%")
        ]

    def sort(self) -> tuple[list[Written], list[Written], list[Written], list[Written]]:
        """The page's numbers: claimed, given, untied, and those that nothing explains."""
        claimed = set()
        for claim in self.claims:
            try:
                claimed |= {written.start for written in claim.find()}
            except ValueError:
                pass
        spans = [
            [span for pattern, _ in rules for span in (m.span() for m in pattern.finditer(self.text))]
            for rules in (self.rules, self.reasons)
        ]
        parts: tuple[list, list, list, list] = ([], [], [], [])
        for written in self.numbers():
            place = written.start + (len(written.text) - len(written.text.lstrip("+−-")))
            if written.start in claimed or place in claimed:
                parts[0].append(written)
            elif any(a <= place < b for a, b in spans[0]):
                parts[1].append(written)
            elif any(a <= place < b for a, b in spans[1]):
                parts[2].append(written)
            else:
                parts[3].append(written)
        return parts

    def line(self, start: int) -> int:
        return self.text.count("\n", 0, start) + 1
