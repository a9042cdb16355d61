"""tools/plot_sweep.py: it draws what `etastar fit --json` says."""
import importlib.util
import json
import os
import shutil
import sys
import unittest
from unittest import mock

import h5py
import numpy as np

from support import BINARY, Case, FAILED, PENDING, ROOT, environment, flip_byte, make_rows, make_spec, run, together, write_file

TOOL = ROOT / "tools" / "plot_sweep.py"
MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}


class PlotCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep("--width", "16,32", "--depth", "1,2,4", "--seeds", "6", "--eta", "0.1:10:log5")
        # Matplotlib's cache goes beside the shared sweep: built once, and not in the user's home.
        cls.cache = str(cls.path.parent)

    def plot(self, *words, tool=TOOL, **env):
        return run([sys.executable, tool, *words], self.dir,
                   env={**environment(), "MPLCONFIGDIR": self.cache, "ETASTAR_BIN": str(BINARY), **env})

    def draw(self, *words, **env):
        result = self.plot(*words, **env)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("Warning", result.stderr)
        return result

    def refuse_all(self, code, table):
        """table: arguments, and what the one line on standard error must contain."""
        for (words, says), result in zip(table, together(lambda words, _: self.plot(*words), table)):
            with self.subTest(words=words):
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertTrue(result.stderr.startswith("plot_sweep: "), result.stderr)
                for word in says:
                    self.assertIn(word, result.stderr)
                self.assertEqual(result.stdout, "")


class Plot(PlotCase):
    def test_figures(self):
        result = self.draw(self.path, "-o", "new/figures")
        self.assertEqual(result.stderr, "")
        written = sorted((self.dir / "new/figures").iterdir())
        self.assertEqual([f.name for f in written], ["dz2.pdf", "dz2.png", "eta_star.pdf", "eta_star.png",
                                                     "eta_star_width.pdf", "eta_star_width.png"])
        self.assertEqual(sorted(result.stdout.splitlines()), [f"new/figures/{f.name}" for f in written])
        for figure in written:
            data = figure.read_bytes()
            self.assertTrue(data.startswith(MAGIC[figure.suffix[1:]]), figure)
            self.assertGreater(len(data), 5000, figure)

    def test_the_document_has_all_that_is_drawn(self):
        # From the table and, where there is neither table nor program, from the JSON: the same bytes.
        self.draw(self.path, "-o", "table", "--format", "png")
        self.succeed("fit", self.path, "--json", "fit.json")
        self.draw("fit.json", "-o", "json", "--format", "png", ETASTAR_BIN="/absent", PATH="")
        for figure in (self.dir / "table").iterdir():
            self.assertTrue((self.dir / "json" / figure.name).read_bytes() == figure.read_bytes(), figure.name)
        self.assertEqual(len(list((self.dir / "json").iterdir())), 3)

    def test_it_imports_nothing_that_reads_tables(self):
        self.assertNotIn("h5py", TOOL.read_text())

    def test_choices(self):
        self.draw(self.path, "-o", "two", "--format", "png", "--threshold", "0.5", "--threshold", "2", "--layer", "mean")
        self.assertEqual(sorted(os.listdir(self.dir / "two")),
                         ["dz2.png", "eta_star_c0.5.png", "eta_star_c2.png", "eta_star_width_c0.5.png",
                          "eta_star_width_c2.png"])
        self.draw(self.path, "-o", "linear", "--format", "png", "--criterion", "linear")
        self.assertEqual(sorted(os.listdir(self.dir / "linear")), ["eta_star.png", "eta_star_width.png"])
        # A document has its thresholds; one of them can be chosen.
        self.succeed("fit", self.path, "--json", "fit.json", "--threshold", "0.5", "--threshold", "2", "--layer", "mean")
        self.draw("fit.json", "-o", "json", "--format", "png")
        for name in os.listdir(self.dir / "two"):
            self.assertTrue((self.dir / "two" / name).read_bytes() == (self.dir / "json" / name).read_bytes(), name)
        self.draw("fit.json", "-o", "one", "--format", "png", "--threshold", "2", "--criterion", "finite")
        self.assertEqual(sorted(os.listdir(self.dir / "one")), ["dz2.png", "eta_star.png", "eta_star_width.png"])

    def test_relative_thresholds(self):
        self.draw(self.path, "-o", "table", "--format", "png", "--relative", "--threshold", "0.5")
        self.succeed("fit", self.path, "--json", "fit.json", "--relative", "--threshold", "0.5")
        self.draw("fit.json", "-o", "json", "--format", "png", "--relative")
        self.draw(self.path, "-o", "absolute", "--format", "png", "--threshold", "0.5")
        for name in sorted(os.listdir(self.dir / "table")):
            data = (self.dir / "table" / name).read_bytes()
            self.assertTrue(data == (self.dir / "json" / name).read_bytes(), name)
            self.assertFalse(data == (self.dir / "absolute" / name).read_bytes(), name)
        self.succeed("fit", self.path, "--json", "fit.json")
        self.refuse_all(2, [(["fit.json", "-o", "new", "--relative"], ["fit.json", "relative"])])

    def test_shapes_of_grids(self):
        for width, depth, layer in (("8", "2", "last"), ("8,16", "2", "max"), ("8", "2,3", "output")):
            self.sweep("--width", width, "--depth", depth, "--seeds", "4", "--eta", "0.3,1,3", "--overwrite")
            self.draw("sweep.h5", "-o", "new", "--format", "png", "--layer", layer)
            self.assertEqual(sorted(os.listdir(self.dir / "new")), ["dz2.png", "eta_star.png"])

    def test_sweeps_of_little(self):
        # One width, depth, rate and network, one row of it not finite.
        self.sweep("--width", "8", "--depth", "2", "--seeds", "1", "--eta", "1,1e200", "--eta-unit", "absolute")
        self.draw("sweep.h5", "-o", ".", "--format", "png", "--threshold", "0.01")
        self.assertEqual(self.names(), ["dz2.png", "eta_star.png", "sweep.h5"])

    def test_nothing_to_draw(self):
        self.sweep("--width", "8", "--depth", "2", "--seeds", "2", "--eta", "1", "--eta-unit", "absolute", "--train",
                   "last")
        self.assertIn("1 of 1 cells", self.draw("sweep.h5", "-o", ".", "--format", "pdf").stderr)

    def test_damaged_rows_are_left_out(self):
        # A row whose check does not match may hold anything.
        for k in range(5):
            flip_byte(self.copy(self.path) if k == 0 else self.dir / "copy.h5", k, 95)
        self.assertIn("5 damaged of 180 rows", self.draw("copy.h5", "-o", ".", "--format", "png").stderr)

    def test_cells_without_an_estimate_are_told(self):
        spec = make_spec([8, 16], [2, 4], [0.5, 1, 2], 3)
        rows = make_rows(spec)
        rows["response_last"], rows["dz2_last"] = 1, rows["eta"] ** 2
        rows["status"][rows["depth"] == 4] = FAILED
        rows["dz2_last"][(rows["width"] == 16) & (rows["depth"] == 2)] = 0.01
        write_file(self.dir / "holes.h5", spec, rows)
        lines = self.draw("holes.h5", "-o", ".", "--format", "png").stderr.splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("18 failed", lines[0])
        self.assertIn("linear, threshold 1: 2 of 4 cells", lines[1])
        for word in ("finite, threshold 1: 3 of 4 cells", "n = 8, L = 4", "its networks failed (2)", "largest rate (1)"):
            self.assertIn(word, lines[2])

    def test_installed(self):
        # share/etastar/tools, with the program in bin of the same prefix; then on PATH alone.
        for place in ("bin", "path"):
            shutil.rmtree(self.dir / "prefix", ignore_errors=True)
            tools, programs = self.dir / "prefix/share/etastar/tools", self.dir / "prefix" / place
            tools.mkdir(parents=True)
            programs.mkdir()
            shutil.copy(TOOL, tools)
            (programs / "etastar").symlink_to(BINARY)
            result = self.plot(self.path, "-o", place, "--format", "png", tool=tools / "plot_sweep.py", ETASTAR_BIN="",
                               PATH=str(programs) if place == "path" else "")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
        for name in ("", "/absent/etastar"):
            (programs / "etastar").unlink(missing_ok=True)
            result = self.plot(self.path, "-o", "none", tool=tools / "plot_sweep.py", ETASTAR_BIN=name, PATH="")
            self.assertEqual(result.returncode, 3)
            self.assertIn("etastar", result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_bad_usage(self):
        self.succeed("fit", self.path, "--json", "fit.json")
        self.refuse_all(2, [([], ["FILE"]), ([self.path], ["-o"]), ([self.path, "x", "-o", "new"], ["x"]),
                            ([self.path, "-o", "new", "--format", "jpg"], ["--format", "'jpg'"]),
                            ([self.path, "-o", "new", "--threshold", "nan"], ["--threshold", "nan"]),
                            ([self.path, "-o", "new", "--threshold", "x"], ["--threshold", "x"]),
                            ([self.path, "-o", "new", "--layer", "first"], ["--layer", "first"]),
                            ([self.path, "-o", "new", "--criterion", "worst"], ["criterion", "worst", "linear"]),
                            (["fit.json", "-o", "new", "--criterion", "best"], ["fit.json", "criterion", "best", "linear"]),
                            (["fit.json", "-o", "new", "--threshold", "2"], ["fit.json", "threshold", "2.0"]),
                            (["fit.json", "-o", "new", "--layer", "mean"], ["fit.json", "layer", "mean", "last"]),
                            ([self.path, "-o", "new", "--thresh", "1"], ["--thresh"])])
        self.assertEqual(self.names(), ["fit.json"])

    def test_bad_files(self):
        (self.dir / "text").write_text("width,depth\n")
        (self.dir / "cut.h5").write_bytes(self.path.read_bytes()[:3000])
        with h5py.File(self.dir / "other.h5", "w") as file:
            file.attrs["filetype"] = "other"
        with h5py.File(self.copy(self.path, "pending.h5"), "r+") as file:
            rows = file["trials"][:]
            rows["status"] = PENDING
            file["trials"][:] = rows
        table = [("absent.h5", []), ("text", []), ("cut.h5", []), ("other.h5", ["etastar-sweep"]),
                 ("pending.h5", ["finished"]), (".", [])]
        document = self.fit(self.path)
        for name, text in (("cut.json", json.dumps(document)[:-9]), ("empty.json", "{}"),
                           ("old.json", json.dumps({key: document[key] for key in ("fits", "warnings")})),
                           ("none.json", json.dumps({**document, "fits": []})),
                           ("odd.json", json.dumps({**document, "fits": [{**document["fits"][0], "cells": 3}]}))):
            (self.dir / name).write_text(text)
            table.append((name, ["fit"]))
        self.refuse_all(3, [([name, "-o", "new"], [name, *says]) for name, says in table])
        self.assertNotIn("new", self.names())

    def test_folder_that_cannot_be(self):
        (self.dir / "text").write_text("")
        self.refuse_all(3, [([self.path, "-o", "text"], ["text"])])


class DrawTraining(PlotCase):
    """The figures of a sweep of training."""

    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep("--trial", "training", "--width", "16,32", "--depth", "2,4,8", "--seeds", "8", "--steps", "6",
                                    "--eta", "0.05:30:log12")
        cls.cache = str(cls.path.parent)

    def test_figures(self):
        self.draw(self.path, "-o", "table", "--format", "png", "--step", "4")
        self.succeed("fit", self.path, "--json", "fit.json", "--step", "4")
        self.draw("fit.json", "-o", "json", "--format", "png", ETASTAR_BIN="/absent", PATH="")
        names = ["eta_star.png", "kernel.png", "loss.png", "loss_steps.png"]
        self.assertEqual(sorted(os.listdir(self.dir / "table")), names)
        for name in names:
            data = (self.dir / "table" / name).read_bytes()
            self.assertTrue(data == (self.dir / "json" / name).read_bytes(), name)
            self.assertGreater(len(data), 20000, name)
        self.refuse_all(2, [(["fit.json", "-o", "new", "--step", "5"], ["fit.json", "step", "5", "4"]),
                            (["fit.json", "-o", "new", "--threshold", "1"], ["fit.json", "threshold"]),
                            ([self.path, "-o", "new", "--threshold", "1"], ["threshold"]),
                            ([self.path, "-o", "new", "--fraction", "0"], ["--fraction"])])

    def test_little(self):
        # One cell, of which nothing has an estimate; two widths of one depth, and one criterion.
        self.sweep("--trial", "training", "--width", "8", "--depth", "2", "--seeds", "1", "--eta", "1e-9", "--eta-unit",
                   "absolute", "--steps", "2")
        self.draw("sweep.h5", "-o", "new", "--format", "png")
        self.sweep("--trial", "training", "--width", "8,16", "--depth", "2", "--seeds", "4", "--eta", "0.1:30:log8", "--steps",
                   "4", "--overwrite")
        self.draw("sweep.h5", "-o", "new", "--format", "png", "--criterion", "converges", "--fraction", "0.5")
        self.assertEqual(len(os.listdir(self.dir / "new")), 4)


class Drawing(PlotCase):
    """What is on the axes, seen through Matplotlib."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with mock.patch.dict(os.environ, MPLCONFIGDIR=cls.cache):
            spec = importlib.util.spec_from_file_location("plot_sweep", TOOL)
            cls.tool = importlib.util.module_from_spec(spec)
            sys.modules["plot_sweep"] = cls.tool
            spec.loader.exec_module(cls.tool)
        cls.addClassCleanup(sys.modules.pop, "plot_sweep")

    def figures(self, document):
        self.addCleanup(self.tool.plt.close, "all")
        return self.tool.draw(self.tool.read_document(json.dumps(document), "document"))

    def legend(self, figure):
        return [text.get_text() for text in figure.legends[0].get_texts()]

    def curve_of(self, ax, x):
        """The y of the solid lines with this x."""
        return [line.get_ydata() for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == len(x)
                and np.array_equal(line.get_xdata(), x)]

    def test_lines_are_those_of_the_document(self):
        document = self.fit(self.path)
        linear, finite = document["fits"]
        for name, axis, other in (("eta_star", "depth", "width"), ("eta_star_width", "width", "depth")):
            top, below = self.figures(document)[name].axes
            self.assertEqual(below.get_xlabel().split()[0], axis)
            for curve in linear["exact_curves"][axis]:
                self.assertTrue(any(np.array_equal(y, curve["eta_star"]) for y in self.curve_of(top, curve[axis])))
                self.assertTrue(curve[axis][0] == min(c[axis] for c in linear["cells"]))
            drawn = {(x, y) for bars in top.containers for x, y in zip(*bars.lines[0].get_data())}
            expected = {(cell[axis], cell["eta_star"]) for fit in (linear, finite) for cell in fit["cells"] if cell["eta_star"]}
            self.assertEqual(drawn, expected)
            ratios = {y for bars in below.containers for y in bars.lines[0].get_ydata()}
            self.assertLessEqual(ratios, {cell["ratio"]["value"] for cell in linear["cells"]}
                                 | {cell["ratio_infinite"]["value"] for cell in finite["cells"] if cell["ratio_infinite"]})
            if axis == "depth":
                curve, = finite["infinite_curves"]
                self.assertTrue(any(np.array_equal(line.get_ydata(), curve["eta_star"]) for line in top.lines))

    def test_guide_and_key(self):
        document = self.fit(self.path)
        figure = self.figures(document)["eta_star"]
        top = figure.axes[0]
        guide, = [line for line in top.lines if str(line.get_color()) == self.tool.GUIDE]
        np.testing.assert_array_equal(guide.get_ydata(), document["fits"][0]["asymptote"]["eta_star"])
        exact = [line for line in top.lines if line.get_linestyle() in ("-", ":")]
        self.assertGreater(guide.get_zorder(), max(line.get_zorder() for line in exact if line.get_marker() == "None"))
        self.assertIn(r"$\sqrt{3 c}\, L^{-3/2}$", self.legend(figure))
        for figure in self.figures(document).values():
            self.assertIn("95 % interval", self.legend(figure))

    def test_one_outlier_does_not_flatten_the_ratios(self):
        document = self.fit(self.path)
        for cell in document["fits"][0]["cells"]:
            cell["ratio"] = {"value": 1.02, "ci95": [0.95, 1.1]}
        for cell in document["fits"][1]["cells"]:
            cell["ratio_infinite"] = {"value": 0.97, "ci95": [0.93, 1.01]}
        cell = document["fits"][0]["cells"][2]
        cell.update(eta_star=1e-9 * cell["exact"], ci95=None, ratio={"value": 1e-9, "ci95": None})
        cell = document["fits"][0]["cells"][4]
        cell.update(eta_star=1e9 * cell["exact"], ci95=[1e8, 1e10], ratio={"value": 1e9, "ci95": [1e8, 1e10]})
        figure = self.figures(document)["eta_star"]
        top, below = figure.axes
        self.assertLess(np.ptp(below.get_ylim()), 1)
        self.assertGreater(top.get_ylim()[0], 1e-6)
        for ax in (top, below):
            # Arrows at the border instead: the one below points down, the one above up.
            arrows = {line.get_marker(): line.get_ydata()[0] for line in ax.lines if line.get_transform() != ax.transData
                      and line.get_marker() in ("v", "^")}
            self.assertEqual(set(arrows), {"v", "^"})
            self.assertLess(arrows["v"], 0.1)
            self.assertGreater(arrows["^"], 0.9)
        self.assertIn("beyond the panel", self.legend(figure))
        self.assertNotIn("beyond the panel", self.legend(self.figures(self.fit(self.path))["dz2"]))

    def test_width_sweep(self):
        self.sweep("--width", "8,16,64", "--depth", "2", "--seeds", "4", "--eta", "0.3,1,3")
        figures = self.figures(self.fit("sweep.h5"))
        self.assertEqual(set(figures), {"eta_star", "dz2"})
        top, below = figures["eta_star"].axes
        self.assertEqual(below.get_xlabel(), "width $n$")
        self.assertEqual(sorted({x for bars in top.containers for x in bars.lines[0].get_xdata()}), [8, 16, 64])
        self.assertEqual(len(figures["dz2"].axes), 1)

    def test_steps(self):
        document = self.fit(self.path)
        axes = self.figures(document)["dz2"].axes
        self.assertEqual([ax.get_title() for ax in axes], ["$n = 16$", "$n = 32$"])
        for ax, width in zip(axes, (16, 32)):
            for cell in (cell for cell in document["curves"][0]["cells"] if cell["width"] == width):
                drawn = [line.get_ydata() for line in ax.lines if np.array_equal(line.get_xdata(), cell["eta"])]
                for key in ("mean", "linear"):
                    self.assertTrue(any(np.array_equal(y, cell[key]) for y in drawn), key)


if __name__ == "__main__":
    unittest.main()
