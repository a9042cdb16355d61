"""`etastar report`, as a browser shows it, and the tables of `etastar fit --csv` and `--latex`."""
import csv
import html
import io
import json
import re
import shutil
import struct
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path

from support import BINARY, Case, attributes, raw_rows, run, together

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr"]
FIRST = ["--width", "64,16384", "--depth", "2:16:x2", "--seeds", "24", "--eta", "0.1:4:log8", "--profile"]
TRAINING = ["--trial", "training", "--width", "32,64", "--depth", "2,4,8", "--seeds", "20", "--eta", "0.1:8:log10", "--steps", "6"]
VOID = {"meta", "link", "br", "input"}

# Before the page's own script: errors of any kind, and what its rules of content refuse.
COLLECTOR = """<script>
window.found = [];
addEventListener("error", event => found.push(String(event.message)));
addEventListener("unhandledrejection", event => found.push(String(event.reason)));
addEventListener("securitypolicyviolation", event => found.push("refused: " + event.blockedURI));
console.error = console.warn = (...words) => found.push(words.join(" "));
</script>"""

# After it: what somebody does who looks at the page; the results go to the frame's parent.
PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const results = {figures: {}, errors: found, width: innerWidth, scroll: document.documentElement.scrollWidth};
  for (const chart of document.querySelectorAll(".chart")) {
    const plot = chart.querySelector(".plot"), svg = chart.querySelector("svg"), tip = chart.querySelector(".tip"), legend = chart.querySelectorAll(".legend button");
    const state = {overflow: [...svg.querySelectorAll("text")].filter(text => { const a = text.getBoundingClientRect(), b = plot.getBoundingClientRect(); return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1; }).map(text => text.textContent)};
    const marks = [...svg.querySelectorAll("g path[transform]")];
    state.marks = marks.length;
    state.labels = [...svg.querySelectorAll("text")].map(text => text.textContent);
    const axes = svg.querySelector(".axis").getBoundingClientRect();
    state.cut = [...svg.querySelectorAll(".bar")].map(bar => bar.getBoundingClientRect()).filter(bar => bar.top < axes.top - 2 || bar.bottom > axes.bottom + 2).length;
    const seen = mark => { const box = mark.getBoundingClientRect(); return {clientX: (box.left + box.right) / 2, clientY: (box.top + box.bottom) / 2}; };
    plot.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, pointerType: "mouse", ...seen(marks[0])}));
    state.hover = tip.hidden ? null : tip.innerText;
    plot.dispatchEvent(new PointerEvent("pointerleave", {pointerType: "mouse"}));
    state.left = tip.hidden;
    plot.dispatchEvent(new PointerEvent("pointerdown", {bubbles: true, pointerType: "touch", ...seen(marks[marks.length - 1])}));
    state.touch = tip.hidden ? null : tip.innerText;
    plot.focus();
    for (const key of ["Escape", "ArrowRight", "ArrowRight"]) plot.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    state.key = tip.hidden ? null : tip.innerText;
    state.heard = chart.querySelector("[role=status]").textContent;
    legend[0].click();
    state.pressed = legend[0].getAttribute("aria-pressed");
    state.fewer = chart.querySelectorAll("svg g path[transform]").length;
    legend[0].click();
    results.figures[chart.dataset.figure] = state;
  }
  const table = document.querySelector("table.sortable"), numbers = () => [...table.tBodies[0].rows].map(row => parseFloat(row.cells[3].textContent));
  const button = table.tHead.rows[0].cells[3].querySelector("button");
  button.click();
  results.sorted = numbers();
  results.sort = table.tHead.rows[0].cells[3].getAttribute("aria-sort");
  results.ground = getComputedStyle(document.body).backgroundColor;
  const theme = document.getElementById("theme");
  theme.click(); theme.click();
  results.theme = [theme.textContent, getComputedStyle(document.body).backgroundColor];
  theme.click();
  parent.postMessage(results, "*");
}, 50));
</script>"""

# The page in frames of several widths, and what each of them reports.
HARNESS = """<!doctype html><title>frames</title><pre id="out"></pre><script>
const results = {}, frames = {};
addEventListener("message", event => {
  for (const [name, frame] of Object.entries(frames)) if (frame.contentWindow === event.source) results[name] = event.data;
  if (Object.keys(results).length === 2) document.getElementById("out").textContent = JSON.stringify(results);
});
for (const [name, width] of [["phone", 360], ["desktop", 1100]]) {
  frames[name] = document.createElement("iframe");
  frames[name].style.cssText = `width: ${width}px; height: 700px; border: 0`;
  frames[name].src = "PAGE";
  document.body.append(frames[name]);
}
</script>"""


def chromium(folder, *words, timeout=90):
    """Its standard output, and the console's lines."""
    with tempfile.TemporaryDirectory(prefix="etastar-browser-") as profile:
        result = run([CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *words], folder, timeout=timeout)
    return result.stdout, [line for line in result.stderr.splitlines() if "CONSOLE" in line]


class Structure(HTMLParser):
    """Elements that are closed in order, identifiers, and what a page links to."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.targets, self.sections = [], [], [], []
        self.loads = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "section":
            self.sections.append(attrs["id"])
        if attrs.get("href", "").startswith("#"):
            self.targets.append(attrs["href"][1:])
        self.loads += [attrs[key] for key in ("src", "href") if key in attrs and not attrs[key].startswith(("#", "data:"))]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")


class Pages(Case):
    """Of a first step and of training."""

    @classmethod
    def setUpClass(cls):
        cls.first, cls.training = together(lambda name, words: cls.shared_sweep(*words, name=name), [("first.h5", FIRST), ("training.h5", TRAINING)])

    def report(self, path, *words):
        self.succeed("report", path, "-o", "page.html", *words)
        return (self.dir / "page.html").read_text()


class Page(Pages):
    def test_a_page_is_whole_and_loads_nothing(self):
        for path in (self.first, self.training):
            text = self.report(path)
            self.assertLess(len(text), 1_000_000)
            page = Structure(text)
            self.assertEqual(page.open, [])
            self.assertEqual(page.loads, [])
            self.assertEqual(len(page.ids), len(set(page.ids)))
            self.assertLessEqual(set(page.targets), set(page.ids))
            self.assertEqual(page.sections, ["question", "answer", "figures", "cells", "warnings", "spec", "provenance", "commands", "glossary"])
            self.assertIn("default-src 'none'", text)

    def test_the_answer_and_the_cells_need_no_script(self):
        text = self.report(self.first, "--threshold", "1", "--threshold", "0.5")
        fits = self.fit(self.first, "--threshold", "1", "--threshold", "0.5")["fits"]
        still = text.split('<script type="application/json"')[0]
        for fit in (fits[0], fits[2]):
            depth = fit["exponents"]["depth"]
            said = re.findall(r"L<sup>(−[\d.]+)</sup>, 95 % interval \[(−[\d.]+), (−[\d.]+)\]", still)
            near = [all(abs(float(shown.replace("−", "-")) - value) < 1e-2 for shown, value in zip(numbers, [depth["value"], *depth["ci95"]])) for numbers in said]
            self.assertIn(True, near, fit["criterion"])
        for cell in fits[0]["cells"]:
            self.assertIn(f"<td>{cell['width']}</td><td>{cell['depth']}</td><td>{cell['networks']}</td>", still)
            self.assertIn(f"<td>{cell['exact']:#.5g}</td>", still)

    def test_the_commands_make_the_same_sweep(self):
        for path in (self.first, self.training):
            text = html.unescape(re.search(r'<section id="commands".*?<pre[^>]*><code>(.*?)</code>', self.report(path), re.S)[1])
            sweep, fit, report = text.splitlines()
            plan = run(["sh", "-c", f'exec "$0" plan {sweep.removeprefix("etastar sweep")}', BINARY], self.dir).stdout
            self.assertEqual(json.loads(re.search(r"^spec +(.*)$", plan, re.M)[1]), json.loads(attributes(path)["spec"]))
            self.assertEqual([fit, report], [f"etastar fit {path.name}", f"etastar report {path.name}"])
        again = self.report(self.first, "--criterion", "linear", "--threshold", "0.5", "--layer", "mean", "--depth", "2:8")
        self.assertIn("etastar report first.h5 --criterion linear --threshold 0.5 --layer mean --depth 2:8\n", html.unescape(again).replace("</code>", "\n"))

    def test_where_it_goes(self):
        path = self.copy(self.first, "run.one.h5")
        self.assertIn("run.one.html", self.succeed("report", path.name))
        page = (self.dir / "run.one.html").read_text()
        whole = self.succeed("report", path.name, "-o", "-")
        self.assertEqual(re.sub(r"\d+-\d+-\d+ \d+:\d+ UTC", "", whole), re.sub(r"\d+-\d+-\d+ \d+:\d+ UTC", "", page))
        before = raw_rows(path)
        self.refuse(2, "report", path.name, "-o", path.name, says=["output", "own file"])
        self.copy(self.first, "other.h5")
        self.refuse(2, "report", path.name, "--output", "other.h5", says=["output", "HDF5"])
        self.refuse(2, "report", path.name, "-o", "", says=["output"])
        self.refuse(3, "report", "none.h5", says=["none.h5"])
        self.refuse(3, "report", path.name, "-o", "no/such/folder.html", says=["no/such/folder.html"])
        self.refuse(2, "report", path.name, "--step", "3", says=["step"])
        self.assertEqual(raw_rows(path), before)

    def test_names_are_text(self):
        name = "</script><b id=question>'\"&\n.h5"[:60].replace("/", "∕")
        shutil.copy(self.first, self.dir / name)
        page = self.report(name)
        self.assertNotIn("<b id", page)
        self.assertEqual(Structure(page).open, [])

    def test_a_sweep_that_has_not_ended_says_so(self):
        path = self.copy(self.first)
        with open(path, "r+b") as file:  # the last quarter of the rows torn: they count as not run
            start, rows = path.read_bytes().find(raw_rows(path)[0]), raw_rows(path)
            for i in range(3 * len(rows) // 4, len(rows)):
                file.seek(start + i * len(rows[0]) + 144)
                file.write(b"\x55")
        page = self.report(path)
        self.assertIn("rows are damaged and left out", page)
        self.assertIn("no network has run", page)

    def test_a_part_of_a_sweep_says_so(self):
        self.succeed("sweep", *FIRST[:-1], "--shard", "2/3", "--output", "part.h5")
        page = self.report(self.dir / "part.h5")
        self.assertIn("its shard 2/3, with seeds 8 to 15", page)
        self.assertNotIn("part of a sweep", self.report(self.first))

    def test_a_target(self):
        words = ["--width", "64", "--depth", "2,4", "--seeds", "40", "--eta", "1"]
        for ci, says in (("1", "the target is reached"), ("0.001", "for the 40 networks of a cell (--seeds) ended first")):
            self.succeed("sweep", *words, "--target-ci", ci, "--output", f"{ci}.h5")
            depth = self.fit(f"{ci}.h5")["fits"][0]["exponents"]["depth"]["ci95"]
            page = self.report(self.dir / f"{ci}.h5")
            for text, sign in ((page, "±"), (self.succeed("fit", f"{ci}.h5"), "+- ")):
                self.assertIn(says, text)
                self.assertIn(f"known to {sign}{ci}; it is {sign}{(depth[1] - depth[0]) / 2:.3g}", text)
            self.assertIn("up to 40 random networks for each", page)

    def test_tables(self):
        report = self.fit(self.first, "--threshold", "1", "--threshold", "0.5")
        rows = list(csv.DictReader(io.StringIO(self.succeed("fit", self.first, "--threshold", "1", "--threshold", "0.5", "--csv", "-"), newline="")))
        cells = [(fit, cell) for fit in report["fits"] for cell in fit["cells"]]
        self.assertEqual(len(rows), len(cells))
        for row, (fit, cell) in zip(rows, cells):
            self.assertEqual((row["criterion"], float(row["threshold"]), row["layer"]), (fit["criterion"], fit["threshold"], fit["layer"]))
            for key in ("width", "depth", "networks", "eta_star", "centre", "exact", "infinite", "z", "z2", "f2_share", "variance_ratio"):
                self.assertEqual(float(row[key]) if row[key] else None, cell[key], key)
            self.assertEqual([float(row["ci95_low"]), float(row["ci95_high"])], cell["ci95"])
            self.assertEqual(float(row["ratio"]) if row["ratio"] else None, cell["ratio"] and cell["ratio"]["value"])
        training = list(csv.DictReader(io.StringIO(self.succeed("fit", self.training, "--csv", "-"), newline="")))
        self.assertEqual({row["criterion"] for row in training}, {"converges", "best", "stable", "reaches"})
        self.assertEqual({row["step"] for row in training}, {"6"})

        said = self.succeed("fit", self.first, "--csv", "cells.csv", "--latex", "cells.tex", "--json", "fit.json")
        self.assertIn("linear criterion", said)
        tex = (self.dir / "cells.tex").read_text()
        self.assertEqual(tex.count("\\begin{table}"), 2)
        self.assertEqual(tex.count("\\midrule"), 2)
        self.refuse(2, "fit", self.first, "--csv", "-", "--json", "-", says=["csv", "json", "standard output"])
        self.refuse(2, "fit", self.first, "--latex", "x", "--csv", "x", says=["'x'"])
        self.refuse(2, "fit", self.first, "--csv", self.first, says=["csv", "own file"])


@unittest.skipUnless(CHROMIUM, "no Chromium is installed")
class Browser(Pages):
    """Both pages as Chromium shows them."""

    def probe(self, path, *words):
        page = self.report(path, *words)
        (self.dir / "probe.html").write_text(page.replace("<title>", COLLECTOR + "<title>", 1).replace("</body>", PROBE + "</body>", 1))
        (self.dir / "frames.html").write_text(HARNESS.replace("PAGE", "probe.html"))
        # A machine that is too busy may end the browser's time before both frames have answered.
        for seconds in (4, 16, 64):
            dom, console = chromium(self.dir, f"--virtual-time-budget={1000 * seconds}", "--window-size=1200,900", "--dump-dom",
                                    f"file://{self.dir}/frames.html")
            self.assertEqual(console, [])
            if out := html.unescape(re.search(r'<pre id="out">(.*?)</pre>', dom, re.S)[1]):
                return json.loads(out)
        raise AssertionError(f"the frames did not answer: {dom}")

    def check(self, path, figures, says):
        for name, seen in self.probe(path).items():
            self.assertEqual(seen["errors"], [], name)
            self.assertLessEqual(seen["scroll"], seen["width"], name)
            self.assertEqual(list(seen["figures"]), figures, name)
            for figure, state in seen["figures"].items():
                what = f"{figure}, {name}"
                self.assertEqual(state["overflow"], [], what)
                self.assertEqual(state["cut"], 0, what)
                self.assertGreater(state["marks"], 1, what)
                for how in ("hover", "touch", "key"):
                    self.assertRegex(state[how] or "", r"n = \d+, L = \d+", what)
                self.assertTrue(state["left"], what)
                self.assertEqual(state["heard"].split("; "), state["key"].split("\n"), what)
                self.assertEqual(state["pressed"], "false", what)
                self.assertLess(state["fewer"], state["marks"], what)
            for width in {cell["width"] for cell in self.fit(path)["fits"][0]["cells"]}:
                self.assertIn(str(width), seen["figures"]["width"]["labels"], name)
            self.assertEqual(seen["sorted"], sorted(seen["sorted"]))
            self.assertEqual(seen["sort"], "ascending")
            self.assertEqual(seen["theme"][0], "Colours: dark")
            self.assertNotEqual(seen["theme"][1], seen["ground"])
            cell = self.fit(path)["fits"][0]["cells"][0]
            for word in (f"n = {cell['width']}, L = {cell['depth']}", f"η* = {cell['eta_star']:.5g}", says):
                self.assertIn(word, seen["figures"]["depth"]["hover"], name)

    def test_a_first_step(self):
        self.check(self.first, ["depth", "ratio", "width", "step", "profile", "distribution"], "exact theory")

    def test_training(self):
        self.check(self.training, ["depth", "ratio", "width", "losssteps", "lossrate", "kernel"], "20 networks")

    def test_on_screen_and_on_paper(self):
        def screen(name, path, size):
            self.succeed("report", path, "-o", f"{name}.html")
            _, console = chromium(self.dir, f"--window-size={size[0]},{size[1]}", "--hide-scrollbars", f"--screenshot={self.dir}/{name}.png",
                                  f"file://{self.dir}/{name}.html")
            self.assertEqual(console, [])
            picture = (self.dir / f"{name}.png").read_bytes()
            self.assertEqual(struct.unpack(">II", picture[16:24]), size)
            self.assertGreater(len(picture), 20_000)

        def paper(name, path):
            self.succeed("report", path, "-o", f"{name}.html")
            _, console = chromium(self.dir, "--no-pdf-header-footer", f"--print-to-pdf={self.dir}/{name}.pdf", f"file://{self.dir}/{name}.html")
            self.assertEqual(console, [])
            pages = len(re.findall(rb"/Type\s*/Page\b", (self.dir / f"{name}.pdf").read_bytes()))
            self.assertGreater(pages, 3)
            self.assertLess(pages, 30)

        together(lambda act, *words: act(*words), [(screen, "desktop", self.first, (1200, 3000)), (screen, "phone", self.training, (360, 3000)),
                                                   (paper, "first", self.first), (paper, "training", self.training)])


if __name__ == "__main__":
    unittest.main()
