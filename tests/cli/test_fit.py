"""etastar fit and etastar theory."""
import json
import re
import unittest

import h5py
import numpy as np

from support import (CHECK_BYTE, Case, FAILED, NONFINITE, PENDING, ROOT, STATUS_BYTE, TINY, attributes, exact_response,
                     exact_responses, flip_byte,
                     make_rows, make_spec, trials, write_file)

LAYERS = ["last", "max", "mean", "output"]
NUMBER = (int, float)
NONE = type(None)
FIT_KEYS = {"criterion": str, "threshold": NUMBER, "layer": str, "constant": (dict, NONE), "exponents": dict,
            "cells": list}
CELL_KEYS = {"width": int, "depth": int, "networks": int, "eta_star": (*NUMBER, NONE), "ci95": (list, NONE),
             "exact": (*NUMBER, NONE), "z": (*NUMBER, NONE)}


def cells_of(rows):
    """(width, depth), networks x rates, in the order of the file."""
    keys = list(dict.fromkeys((int(r["width"]), int(r["depth"])) for r in rows))
    for width, depth in keys:
        part = rows[(rows["width"] == width) & (rows["depth"] == depth)]
        yield width, depth, part.reshape(len(set(part["seed"])), -1)


def power_law(width, depth, threshold=1.0):
    return 0.7 * width**0.25 * depth**-1.2 * threshold**0.5


def power_law_file(path, networks=40, width=(128, 256, 512), depth=(2, 4, 8), **changes):
    """Networks whose E dz^2 is (eta / power_law)^2 at every rate, times noise of mean 1 per network."""
    spec = make_spec(width, depth, np.geomspace(0.01, 10, 13).round(6), networks, **changes)
    rows = make_rows(spec)
    rng = np.random.default_rng(20230512)
    noise = np.repeat(rng.lognormal(-0.5 * 0.3**2, 0.3, len(rows) // len(spec["eta"])), len(spec["eta"]))
    response = noise / power_law(rows["width"].astype(float), rows["depth"].astype(float)) ** 2
    for layer in ("last", "max", "mean"):
        rows[f"response_{layer}"] = response
        rows[f"dz2_{layer}"] = rows["eta"] ** 2 * response
    rows["target"] = 1
    write_file(path, spec, rows)
    return spec, rows


def documented_keys():
    """What the tables of docs/format.md say of the JSON of fit: table -> keys."""
    text = (ROOT / "docs" / "format.md").read_text().split("## JSON of `etastar fit --json`")[1].split("\n## ")[0]
    tables = {}
    for head, body in re.findall(r"^\| key of (.*?) \| value \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE):
        cells = [line.split("|")[1] for line in body.splitlines()]
        tables[head.replace("`", "")] = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    return tables


def keys_by_table(report):
    """The keys of every object of a report, under the name of its table in docs/format.md."""
    found = {"the document": [report], "source": [report["source"]], "a fit": report["fits"], "a cell": [],
             "a local slope": [], "an exact curve": [], "an infinite curve": [], "asymptote": [], "an entry of curves": report["curves"],
             "a cell's curve": [], "kernel": [], "an entry of misalignment": [], "the training of the document": [],
             "a trained cell": [], "a history": []}
    for fit in report["fits"]:
        found["a cell"] += fit["cells"]
        found["kernel"] += [cell["kernel"] for cell in fit["cells"] if cell["kernel"]]
        found["an entry of misalignment"] += fit["misalignment"] or []
        found["a local slope"] += fit["local_slopes"]
        found["an exact curve"] += fit["exact_curves"]["depth"] + fit["exact_curves"]["width"]
        found["an infinite curve"] += fit["infinite_curves"]
        found["asymptote"] += [fit["asymptote"]] if fit["asymptote"] else []
    for curves in report["curves"]:
        found["a cell's curve"] += curves["cells"]
    if training := report["training"]:
        found["the training of the document"] = [training]
        found["a trained cell"] = training["cells"]
        found["a history"] = [history for cell in training["cells"] for history in cell["histories"]]
    return {table: [set(entry) for entry in objects] for table, objects in found.items()}


def crossing(x, y, level):
    """Where a monotone cubic (Fritsch and Carlson) through the points rises through the level, by bisection; for
    crossings with two points or more on either side."""
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = slope[:-1] * slope[1:] > 0
    inner = np.where(same, (w1 + w2) / (w1 / np.where(same, slope[:-1], 1) + w2 / np.where(same, slope[1:], 1)), 0)
    k = int(np.argmax(y >= level)) - 1
    d0, d1 = inner[k - 1], inner[k]

    def cubic(t):
        return ((1 + 2 * t) * (1 - t)**2 * y[k] + t * (1 - t)**2 * h[k] * d0
                + t**2 * (3 - 2 * t) * y[k + 1] + t**2 * (t - 1) * h[k] * d1)

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cubic(middle) < level else (low, middle)
    return x[k] + low * h[k]


def log_mean(x):
    """log E x and its error by the first three cumulants of log x, as docs/science.md has them."""
    y, n = np.log(x), len(x)
    d = y - y.mean()
    k2 = (d**2).sum() / (n - 1)
    k3 = (d**3).sum() * n / ((n - 1) * (n - 2))
    return y.mean() + k2 / 2 + k3 / 6, ((k2 + k2**2 / 2 + k2**3 / 6) / n)**0.5


# Student's 97.5 % quantile by degrees of freedom.
STUDENT = {29: 2.045230, 119: 1.980100}


def log_normal_interval(x):
    value, error = log_mean(x)
    half = STUDENT[len(x) - 1] * error
    return np.array([value - half, value + half])


def containing(interval, value):
    return np.array([min(interval[0], value), max(interval[1], value)])


def theory_weight(width, depth):
    """Of a cell in regressions; layer last."""
    return 1 / np.expm1((13.2 * (depth - 1.2) + 7.6 * np.exp(0.75 * (1 - depth))) / width)


TRAINING = ["--trial", "training", "--width", "16,64", "--depth", "2,4", "--seeds", "30", "--eta", "0.03:8:log16", "--eta-unit",
            "absolute", "--steps", "8"]


class TrainingReport(Case):
    """The fit of a sweep of training against the same worked out from its losses."""

    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep(*TRAINING)
        with h5py.File(cls.path) as file:
            rows, loss = file["trials"][:], file["steps/loss"][:]
        cls.eta = rows["eta"][:16]
        shape = (2, 2, 30, 16)
        cls.loss = loss.reshape(*shape, 9)
        cls.kernels = rows["kernel_initial"].reshape(shape), rows["kernel_final"].reshape(shape)

    def cells(self, *words):
        fit, = self.fit(self.path, *words)["fits"]
        self.assertEqual([(c["width"], c["depth"]) for c in fit["cells"]], [(16, 2), (16, 4), (64, 2), (64, 4)])
        return fit, zip(fit["cells"], self.loss.reshape(4, 30, 16, 9))

    def last_half(self, success):
        """Of the fraction of networks x rates that succeed."""
        fraction = success.mean(axis=0)
        k = np.flatnonzero(fraction >= 0.5)
        if len(k) == 0 or k[-1] + 1 == len(self.eta):
            return None
        k = k[-1]
        part = (fraction[k] - 0.5) / (fraction[k] - fraction[k + 1])
        return self.eta[k] * (self.eta[k + 1] / self.eta[k]) ** part

    def assert_rate(self, cell, expected):
        if expected is None:
            self.assertIsNone(cell["eta_star"])
            return self.assertTrue(cell["note"])
        np.testing.assert_allclose(cell["eta_star"], expected, rtol=1e-9)
        low, high = cell["ci95"]
        self.assertTrue((low or 0) <= expected <= (high or np.inf))
        k = np.searchsorted(self.eta, expected * (1 + 1e-12)) - 1
        self.assertEqual(cell["kernel"]["eta"], self.eta[k])
        return 1

    def test_rates_that_half_of_the_networks_take(self):
        found = 0
        for step in (3, 8):
            for criterion, fraction, succeeds in (
                    ("converges", 0.01, lambda loss, bound: loss[..., -1] < bound),
                    ("converges", 0.3, lambda loss, bound: loss[..., -1] < bound),
                    ("reaches", 0.05, lambda loss, bound: np.nanmin(loss, axis=-1) < bound),
                    ("stable", 4, lambda loss, bound: (loss <= bound[..., None]).all(axis=-1)),
                    ("stable", 1.5, lambda loss, bound: (loss <= bound[..., None]).all(axis=-1))):
                fit, cells = self.cells("--criterion", criterion, "--step", str(step), "--fraction", str(fraction))
                self.assertEqual((fit["step"], fit["fraction"], fit["threshold"]), (step, fraction, None))
                for cell, loss in cells:
                    with self.subTest(criterion=criterion, step=step, fraction=fraction, width=cell["width"]):
                        expected = self.last_half(succeeds(loss[..., :step + 1], fraction * loss[..., 0]))
                        found += self.assert_rate(cell, expected) or 0
        self.assertGreater(found, 20)

    def test_best_rate(self):
        for step in (2, 4):
            fit, cells = self.cells("--criterion", "best", "--step", str(step))
            self.assertIsNone(fit["fraction"])
            for cell, loss in cells:
                mean = np.log(np.nan_to_num(loss[..., step], nan=np.inf)).mean(axis=0)
                k = int(np.argmin(mean))
                self.assertTrue(0 < k < 15)
                x = np.log(self.eta[k - 1:k + 2])
                if np.isfinite(mean[k + 1]):
                    a, b, _ = np.polyfit(x - x[1], mean[k - 1:k + 2], 2)
                    self.assert_rate(cell, np.exp(x[1] - b / (2 * a)))
                else:
                    self.assert_rate(cell, self.eta[k])

    def test_kernels_and_curves(self):
        report = self.fit(self.path, "--step", "4")
        best = report["fits"][1]
        for i, (cell, trained) in enumerate(zip(best["cells"], report["training"]["cells"])):
            initial, final = (kernel.reshape(4, 30, 16)[i] for kernel in self.kernels)
            final = np.where(np.isnan(final), np.inf, final)
            kernel = cell["kernel"]
            k = list(self.eta).index(kernel["eta"])
            np.testing.assert_allclose(kernel["initial"]["value"], np.median(initial[:, 0]), rtol=1e-12)
            np.testing.assert_allclose(kernel["final"]["value"], np.median(final[:, k]), rtol=1e-12)
            np.testing.assert_allclose(kernel["eta_star_final"], cell["eta_star"] * np.median(final[:, k]), rtol=1e-12)
            # Order statistics 10 and 21 of 30 hold the median with 95 %.
            np.testing.assert_allclose(kernel["initial"]["ci95"], np.sort(initial[:, 0])[[9, 20]], rtol=1e-12)
            loss = self.loss.reshape(4, 30, 16, 9)[i]
            loss = np.where(np.isnan(loss), np.inf, loss / loss[..., :1])
            medians = np.median(loss[..., 4], axis=0)
            np.testing.assert_allclose([np.inf if x is None else x for x in trained["loss"]], medians, rtol=1e-12)
            history = trained["histories"][0]
            k = list(self.eta).index(history["eta"])
            self.assertEqual(history["step"], list(range(9)))
            np.testing.assert_allclose(history["loss"], np.median(loss[:, k], axis=0), rtol=1e-12)
        self.assertIsNone(self.fit(self.path, "--criterion", "best")["fits"][0]["cells"][0]["exact"])

    def test_exponents_and_misalignment(self):
        for fit in self.fit(self.path, "--step", "4")["fits"]:
            cells = [cell for cell in fit["cells"] if cell["ci95"] and None not in cell["ci95"]]
            self.assertEqual(fit["weights"], "n/L")
            if len(cells) < 4:
                continue
            design = np.array([[1, np.log(c["width"]), np.log(c["depth"])] for c in cells])
            root = np.array([c["width"] / c["depth"] for c in cells])**0.5
            slopes = np.linalg.lstsq(root[:, None] * design, root * np.log([c["eta_star"] for c in cells]), rcond=None)[0]
            for axis, slope in zip(("width", "depth"), slopes[1:]):
                np.testing.assert_allclose(fit["exponents"][axis]["value"], slope, atol=1e-9)
            over = {(s["over"], s["of"], s["at"]): s for s in fit["misalignment"]}
            logs = np.log([c["eta_star"] for c in cells]).reshape(2, 2)
            observed = ((logs - logs.mean(axis=0))**2).sum() / 2
            np.testing.assert_allclose(over["width", "none", None]["observed"], observed**0.5, atol=1e-9)
            slope = fit["exponents"]["depth"]["value"]
            for of, power in (("theory", -1.5), ("fit", slope)):
                left = logs - power * np.log([2, 4])
                observed = ((left - left.mean(axis=1, keepdims=True))**2).sum() / 2
                np.testing.assert_allclose(over["depth", of, None]["observed"], observed**0.5, atol=1e-9)
                np.testing.assert_allclose(over["depth", of, None]["exponent"], power, atol=1e-9)

    def test_text(self):
        text = self.succeed("fit", self.path, "--step", "4")
        for words in ("half of the networks have loss_4 < 0.01 loss_0", "smallest mean over networks of log loss_4",
                      "misalignment", "eta* lam_T", "depth exponent b"):
            self.assertIn(words, text)
        self.assertEqual(text, self.succeed("fit", self.path, "--step", "4"))

    def test_damaged_losses_are_no_divergence(self):
        grid = ["--trial", "training", "--width", "16", "--depth", "2", "--seeds", "4", "--eta", "0.1,0.4,1.6", "--steps", "3"]
        path = self.sweep(*grid)
        row = 3 * 3 + 1  # of the last network
        before = self.fit(path)
        with h5py.File(path, "r+") as file:
            file["steps/loss"][row, 2] += 1
        after = self.fit(path)
        self.assertEqual(before["rows"], {"all": 12, "finished": 12, "pending": 0, "failed": 0, "damaged": 0})
        self.assertEqual(after["rows"], {"all": 12, "finished": 11, "pending": 0, "failed": 0, "damaged": 1})
        self.assertIn("1 of 12 rows are damaged and left out", after["warnings"])
        self.assertEqual([cell["networks"] for fit in after["fits"] for cell in fit["cells"]], [3] * 4)
        # As of the other networks alone.
        three = self.sweep(*grid[:7], "3", *grid[8:], name="three.h5")
        alone = self.fit(three)
        self.assertEqual(after["fits"], alone["fits"])
        self.assertEqual(after["training"], alone["training"])
        result = self.etastar("status", path)
        self.assertEqual(result.returncode, 4)
        self.assertIn("pending          1\ndamaged rows     1\ncomplete         no\n", result.stdout)

    def test_refused(self):
        for words, says in ((["--threshold", "1"], ["threshold", "first step"]), (["--layer", "max"], ["layer"]),
                            (["--relative"], ["relative"]), (["--statistic", "median"], ["statistic"]),
                            (["--step", "9"], ["step", "9", "8 steps"]), (["--step", "0"], ["step", "0"]),
                            (["--fraction", "x"], ["fraction", "x"]), (["--fraction", "0"], ["fraction", "0"]),
                            (["--criterion", "stable", "--fraction", "0.5"], ["fraction", "0.5", "at least 1"]),
                            (["--criterion", "reaches", "--fraction", "2"], ["fraction", "2", "at most 1"]),
                            (["--criterion", "best", "--fraction", "0.5"], ["fraction", "best"]),
                            (["--criterion", "linear"], ["linear", "column"]),
                            (["--criterion", "linear", "--step", "2"], ["step", "training"])):
            self.refuse(2, "fit", self.path, *words, says=says)


class AlongTheory(Case):
    """Cases that know where a mean step crosses a threshold between two rates."""

    def crossing(self, depth, log_eta, log_means, level):
        """Along the curve of infinite width plus the polynomial through what differs from it at up to four rates."""
        k = int(np.argmax(log_means >= level))
        window = np.arange(max(k - 2, 0), min(max(k - 2, 0) + 4, len(log_eta)))
        dense = np.linspace(log_eta[k - 1], log_eta[k], 1501)
        etas = sorted({*np.exp(dense), *np.exp(log_eta[window])})
        points = json.loads(self.succeed("theory", "--criterion", "finite", "--depth", str(depth), "--eta",
                                         ",".join(map(repr, map(float, etas))), "--json", "-"))["cells"][0]["curve"]
        x, theory = np.log([[point["eta"], point["dz2_last"]] for point in points]).T
        difference = log_means[window] - np.interp(log_eta[window], x, theory)
        near = np.abs(difference) < 0.25
        if not near[list(window).index(k - 1)] or not near[list(window).index(k)]:
            return crossing(log_eta, log_means, level)
        bent = np.polynomial.Polynomial.fit(log_eta[window][near], difference[near], near.sum() - 1)
        return float(np.interp(level, np.interp(dense, x, theory) + bent(dense), dense))


class Report(AlongTheory):
    """The fit of a real sweep against the same worked out from its rows."""

    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep("--width", "64,128", "--depth", "2,4", "--seeds", "30", "--eta", "0.2:5:log24")
        cls.rows = trials(cls.path)

    def test_schema(self):
        report = self.fit(self.path)
        self.assertEqual([(f["criterion"], f["threshold"], f["layer"]) for f in report["fits"]],
                         [("linear", 1, "last"), ("finite", 1, "last")])
        for fit in report["fits"]:
            for key, kind in FIT_KEYS.items():
                self.assertIsInstance(fit[key], kind, key)
            self.assertEqual(set(fit["exponents"]), {"width", "depth"})
            for estimate in (fit["constant"], *fit["exponents"].values()):
                low, high = estimate["ci95"]
                self.assertTrue(low < estimate["value"] < high)
            self.assertEqual([(c["width"], c["depth"]) for c in fit["cells"]], [(64, 2), (64, 4), (128, 2), (128, 4)])
            for cell in fit["cells"]:
                for key, kind in CELL_KEYS.items():
                    self.assertIsInstance(cell[key], kind, key)
                self.assertEqual(cell["networks"], 30)
                low, high = cell["ci95"]
                self.assertTrue(low < cell["eta_star"] < high)
                self.assertNotIn("note", cell)
                if fit["criterion"] == "finite":
                    self.assertEqual((cell["exact"], cell["z"]), (None, None))

    def test_choice_of_fits(self):
        report = self.fit(self.path, "--criterion", "finite", "--threshold", "0.5", "--threshold", "2", "--layer",
                          "mean")
        self.assertEqual([(f["criterion"], f["threshold"], f["layer"]) for f in report["fits"]],
                         [("finite", 0.5, "mean"), ("finite", 2, "mean")])

    def test_linear(self):
        for layer in LAYERS:
            for threshold in (1, 0.01):
                fit, = self.fit(self.path, "--criterion", "linear", "--layer", layer, "--threshold",
                                str(threshold))["fits"]
                for cell, (width, depth, rows) in zip(fit["cells"], cells_of(self.rows)):
                    with self.subTest(layer=layer, threshold=threshold, width=width, depth=depth):
                        network = rows[:, 0]
                        response = network[f"response_{layer}"]
                        np.testing.assert_allclose(cell["eta_star"], (threshold / response.mean()) ** 0.5, rtol=1e-10)
                        share = (network["output"] ** 2 * response).mean() / response.mean()
                        np.testing.assert_allclose(cell["f2_share"], share, rtol=1e-10)
                        if layer == "max":
                            self.assertEqual((cell["exact"], cell["z"]), (None, None))
                            continue
                        exact = exact_response(layer, width, depth)
                        np.testing.assert_allclose(cell["exact"], (threshold / exact) ** 0.5, rtol=1e-10)
                        z = (response.mean() - exact) / (response.std(ddof=1) / len(response) ** 0.5)
                        np.testing.assert_allclose(cell["z"], z, rtol=1e-8)
                        self.assertLess(abs(cell["z"]), 5)

    def test_finite(self):
        for layer in LAYERS:
            fit, = self.fit(self.path, "--criterion", "finite", "--layer", layer)["fits"]
            for cell, (width, depth, rows) in zip(fit["cells"], cells_of(self.rows)):
                with self.subTest(layer=layer, width=width, depth=depth):
                    change = (rows["output_after"] - rows["output"]) ** 2 if layer == "output" else rows[f"dz2_{layer}"]
                    eta, mean = rows["eta"][0], change.mean(axis=0)
                    if not mean[0] < 1 < mean[-1]:
                        self.assertIsNone(cell["eta_star"])
                        self.assertTrue(cell["note"])
                        continue
                    k = int(np.argmax(mean >= 1))
                    t = np.log(mean[k - 1]) / np.log(mean[k - 1] / mean[k])
                    expected = eta[k - 1] * (eta[k] / eta[k - 1]) ** t
                    np.testing.assert_allclose(cell["eta_star"], expected, rtol=3e-3)

    def test_interpolation_and_intervals(self):
        # The same by other code: a monotone cubic and cumulants of its own.
        linear, finite = self.fit(self.path)["fits"]
        for i, (width, depth, rows) in enumerate(cells_of(self.rows)):
            with self.subTest(width=width, depth=depth):
                response = rows["response_last"][:, 0]
                cell = linear["cells"][i]
                self.assertEqual(cell["interval"], "log-normal")
                np.testing.assert_allclose(np.log(cell["centre"]), -log_mean(response)[0] / 2, atol=1e-9)
                expected = containing(-log_normal_interval(response)[::-1] / 2, np.log(cell["eta_star"]))
                np.testing.assert_allclose(np.log(cell["ci95"]), expected, atol=1e-6)

                cell = finite["cells"][i]
                log_eta, log_dz2 = np.log(rows["eta"][0]), np.log(rows["dz2_last"])
                log_means = np.log(rows["dz2_last"].mean(axis=0))
                star = self.crossing(depth, log_eta, log_means, 0.0)
                np.testing.assert_allclose(np.log(cell["eta_star"]), star, atol=2e-6)
                k = int(np.searchsorted(log_eta, star))
                part = (star - log_eta[k - 1]) / (log_eta[k] - log_eta[k - 1])
                change = np.exp((1 - part) * log_dz2[:, k - 1] + part * log_dz2[:, k])
                slope = 0.02 / (self.crossing(depth, log_eta, log_means, 0.01)
                                - self.crossing(depth, log_eta, log_means, -0.01))
                shift = (log_normal_interval(change) - np.log(change.mean()))[::-1] / slope
                np.testing.assert_allclose(np.log(cell["ci95"]), containing(star - shift, star), atol=2e-4)

    def test_weights_of_the_exponents(self):
        # They are fixed by theory: the regression of the centres, whatever the errors.
        for fit in self.fit(self.path)["fits"]:
            cells = fit["cells"]
            design = np.array([[1, np.log(c["width"]), np.log(c["depth"])] for c in cells])
            weight = np.array([theory_weight(c["width"], c["depth"]) for c in cells])
            centres = np.log([c["centre"] for c in cells])
            expected = np.linalg.solve(design.T @ (weight[:, None] * design), design.T @ (weight * centres))
            measured = [np.log(fit["constant"]["value"]), *(fit["exponents"][a]["value"] for a in ("width", "depth"))]
            np.testing.assert_allclose(measured, expected, rtol=1e-7)
            self.assertIn("13.2 (L - 1.2)", fit["weights"])
            self.assertIn("weighted least-squares slope", fit["target"])

    def test_curves(self):
        for layer in LAYERS:
            report = self.fit(self.path, "--layer", layer, "--threshold", "1", "--threshold", "0.5")
            curves, = report["curves"]
            self.assertEqual((curves["criterion"], curves["layer"]), ("finite", layer))
            for cell, fit, (width, depth, rows) in zip(curves["cells"], report["fits"][1]["cells"], cells_of(self.rows)):
                with self.subTest(layer=layer, width=width, depth=depth):
                    self.assertEqual((cell["width"], cell["depth"], cell["networks"]), (width, depth, 30))
                    self.assertEqual(cell["eta"], list(rows["eta"][0]))
                    change = (rows["output_after"] - rows["output"]) ** 2 if layer == "output" else rows[f"dz2_{layer}"]
                    np.testing.assert_allclose(cell["mean"], change.mean(axis=0), rtol=1e-12)
                    response = rows[f"response_{layer}"][:, 0].mean()
                    np.testing.assert_allclose(cell["linear"], rows["eta"][0]**2 * response, rtol=1e-12)
                    np.testing.assert_allclose(fit["eta_star"], (0.5 / response) ** 0.5, rtol=1e-12)
                    self.assertEqual(np.shape(cell["ci95"]), (24, 2))
                    for k in (0, 12, 23) if layer == "last" else ():
                        expected = containing(log_normal_interval(change[:, k]), np.log(change[:, k].mean()))
                        np.testing.assert_allclose(np.log(cell["ci95"][k]), expected, atol=1e-6)

    def test_curves_of_one_criterion(self):
        self.assertEqual(self.fit(self.path, "--criterion", "linear")["curves"], [])
        self.assertEqual(len(self.fit(self.path, "--criterion", "finite")["curves"]), 1)

    def test_exact_curves(self):
        for layer in ("last", "mean", "output"):
            for fit in self.fit(self.path, "--layer", layer, "--threshold", "0.3")["fits"]:
                curves = fit["exact_curves"]
                if fit["criterion"] == "finite":
                    self.assertEqual((curves, fit["asymptote"]), ({"depth": [], "width": []}, None))
                    continue
                self.assertEqual([c["width"] for c in curves["depth"]], [64, 128])
                self.assertEqual([c["depth"] for c in curves["width"]], [2, 4])
                for curve in curves["depth"]:
                    self.assertEqual(curve["depth"], [2, 3, 4])
                    expected = [(0.3 / exact_response(layer, curve["width"], L)) ** 0.5 for L in curve["depth"]]
                    np.testing.assert_allclose(curve["eta_star"], expected, rtol=1e-10)
                for curve in curves["width"]:
                    self.assertEqual(curve["width"], list(range(64, 129)))
                    expected = [(0.3 / exact_response(layer, n, curve["depth"])) ** 0.5 for n in curve["width"]]
                    np.testing.assert_allclose(curve["eta_star"], expected, rtol=1e-10)
                line = fit["asymptote"]
                self.assertEqual(line["depth"], [2, 4])
                power = line["constant"] * np.array([2.0, 4.0]) ** line["exponents"]["depth"]
                np.testing.assert_allclose(line["eta_star"], power, rtol=1e-12)
        for fit in self.fit(self.path, "--layer", "max")["fits"]:
            self.assertEqual(fit["exact_curves"], {"depth": [], "width": []})

    def test_ratio(self):
        linear, finite = self.fit(self.path)["fits"]
        for cell in linear["cells"]:
            np.testing.assert_allclose(cell["ratio"]["value"], cell["eta_star"] / cell["exact"], rtol=1e-12)
            np.testing.assert_allclose(cell["ratio"]["ci95"], np.array(cell["ci95"]) / cell["exact"], rtol=1e-12)
        self.assertTrue(all(cell["ratio"] is None for cell in finite["cells"]))

    def test_source(self):
        report = self.fit(self.path, "--resamples", "300", "--seed", "5")
        version = self.succeed("--version").split()[1]
        self.assertEqual(report["source"], {"file": str(self.path), "model": "relu mlp, sgd, train all, rates mup",
                                            "spec": json.loads(attributes(self.path)["spec"]),
                                            "version": version, "resamples": 300, "seed": 5})
        self.assertEqual(report["rows"], {"all": len(self.rows), "finished": len(self.rows), "pending": 0, "failed": 0,
                                          "damaged": 0})

    def test_relative_thresholds(self):
        # c mean z^2 instead of c, with an interval for the ratio of both means.
        self.assertEqual(self.fit(self.path, "--threshold", "0.7")["fits"][0]["relative"], False)
        document = self.fit(self.path, "--threshold", "0.7", "--relative")
        linear, finite = document["fits"]
        for fit in linear, finite:
            self.assertTrue(fit["relative"])
            self.assertIsNone(fit["asymptote"])
        for cell, (width, depth, rows) in zip(linear["cells"], cells_of(self.rows)):
            response, size = rows["response_last"][:, 0], rows["z2_last"][:, 0]
            np.testing.assert_allclose(cell["z2"], size.mean(), rtol=1e-9)
            np.testing.assert_allclose(cell["eta_star"], (0.7 * size.mean() / response.mean()) ** 0.5, rtol=1e-9)
            (top, top_error), (bottom, bottom_error) = log_mean(response), log_mean(size)
            shared = np.corrcoef(np.log(response), np.log(size))[0, 1]
            error = (top_error**2 + bottom_error**2 - 2 * shared * top_error * bottom_error)**0.5
            logs = np.log(0.7) / 2 - (top - bottom + np.array([1, -1]) * STUDENT[len(size) - 1] * error) / 2
            np.testing.assert_allclose(cell["ci95"], containing(np.exp(logs), cell["eta_star"]), rtol=1e-6)
        for cell, (width, depth, rows) in zip(finite["cells"], cells_of(self.rows)):
            self.assertIsNotNone(cell["eta_star"])
            self.assertEqual(cell["z2"], linear["cells"][0]["z2"] if (width, depth) == (64, 2) else cell["z2"])
        curves, = document["curves"]
        self.assertTrue(curves["relative"])
        for curve, (width, depth, rows) in zip(curves["cells"], cells_of(self.rows)):
            np.testing.assert_allclose(curve["mean"], rows["dz2_last"].mean(0) / rows["z2_last"][:, 0].mean(), rtol=1e-6)
        self.assertIn("threshold 0.7 E z^2, layer last", self.succeed("fit", self.path, "--threshold", "0.7", "--relative"))
        for layer in ("max", "mean"):
            self.assertTrue(all(cell["z2"] for fit in self.fit(self.path, "--relative", "--layer", layer)["fits"]
                                for cell in fit["cells"]))
        self.refuse(2, "fit", self.path, "--relative", "--layer", "output", says=["relative", "output", "last, max or mean"])

    def test_relative_to_what_is_known(self):
        # E z^2 = 2 in every layer of a ReLU network: relative c is absolute 2c.
        relative = self.fit(self.path, "--relative", "--threshold", "0.5")["fits"]
        absolute = self.fit(self.path, "--threshold", "1")["fits"]
        for one, other in zip(relative, absolute):
            for mine, theirs, (_, _, rows) in zip(one["cells"], other["cells"], cells_of(self.rows)):
                for name in ("exact", "infinite"):
                    if theirs[name] is None:
                        self.assertIsNone(mine[name])
                    else:
                        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-12)
                size = rows["z2_last"][:, 0]
                self.assertLess(abs(size.mean() - 2), 5 * size.std() / len(size)**0.5)
        self.assertTrue(all(abs(cell["z"]) < 5 for cell in relative[0]["cells"]))

    def test_keys_are_the_documented_ones(self):
        documented = documented_keys()
        found = keys_by_table(self.fit(self.path, "--threshold", "1", "--threshold", "1e9"))
        training = keys_by_table(self.fit(self.shared_sweep(*TRAINING)))
        self.assertEqual(set(found), set(documented))
        for table, objects in found.items():
            objects = objects + training[table]
            self.assertTrue(objects, table)
            self.assertEqual(set.union(*objects), documented[table], table)
            for keys in objects:
                self.assertLessEqual(documented[table] - keys, {"relative_to_exact", "note"}, table)

    def test_infinite_width_is_that_of_theory(self):
        report = self.fit(self.path, "--threshold", "0.5")
        for fit in report["fits"]:
            depths = ",".join(str(depth) for depth in sorted({cell["depth"] for cell in fit["cells"]}))
            theory = json.loads(self.succeed("theory", "--criterion", fit["criterion"], "--threshold", "0.5", "--width", "8",
                                             "--depth", depths, "--json", "-"))["cells"]
            infinite = {cell["depth"]: cell["infinite"] for cell in theory}
            curve, = fit["infinite_curves"]
            for cell in fit["cells"]:
                self.assertAlmostEqual(cell["infinite"] / infinite[cell["depth"]], 1, delta=1e-9)
                at = dict(zip(curve["depth"], curve["eta_star"]))[cell["depth"]]
                self.assertEqual(at, cell["infinite"])
        curves, = [entry for entry in report["curves"] if entry["criterion"] == "finite"]
        cell = curves["cells"][-1]
        theory = json.loads(self.succeed("theory", "--criterion", "finite", "--depth", str(cell["depth"]), "--eta",
                                         ",".join(map(repr, cell["eta"])), "--json", "-"))["cells"][0]["curve"]
        np.testing.assert_allclose(cell["infinite"], [point["dz2_last"] for point in theory], rtol=1e-12)

    def test_runs_are_identical(self):
        first, again = (self.succeed("fit", self.path, "--json", "-") for _ in range(2))
        self.assertEqual(first, again)
        self.assertEqual(self.succeed("fit", self.path), self.succeed("fit", self.path))

    def test_json_file(self):
        document = self.succeed("fit", self.path, "--json", "-")
        text = self.succeed("fit", self.path, "--json", "report.json")
        self.assertEqual((self.dir / "report.json").read_text(), document)
        self.assertEqual(text, self.succeed("fit", self.path))
        for word in ("linear", "finite", "exponent", "exact", "128"):
            self.assertIn(word, text)

    def test_json_place_that_cannot_be(self):
        for name in ("absent/report.json", "."):
            result = self.etastar("fit", self.path, "--json", name)
            self.assertEqual(result.returncode, 3)
            self.assert_one_line(result, [name])

    def test_json_does_not_replace_the_sweep(self):
        copy = self.copy(self.path)
        before = copy.read_bytes()
        self.etastar("fit", "copy.h5", "--json", "copy.h5")
        self.assertTrue(copy.read_bytes() == before, "the sweep is gone")

    def test_file_is_only_read(self):
        copy = self.copy(self.path)
        before = copy.read_bytes()
        self.succeed("fit", "copy.h5")
        self.assertTrue(copy.read_bytes() == before)
        self.assertEqual(self.names(), ["copy.h5"])

    def test_full_standard_output(self):
        with open("/dev/full", "w") as full:
            result = self.etastar("fit", self.path, "--json", "-", stdout=full)
        self.assertEqual(result.returncode, 3)
        self.assert_one_line(result, ["standard output", "No space left"])


class Recovery(Case):
    """Known power laws in files written here."""

    def test_power_law(self):
        power_law_file(self.dir / "law.h5")
        report = self.fit("law.h5", "--threshold", "1", "--threshold", "0.04")
        self.assertEqual(len(report["fits"]), 4)
        for fit in report["fits"]:
            with self.subTest(criterion=fit["criterion"], threshold=fit["threshold"]):
                truth = 0.7 * fit["threshold"] ** 0.5
                for estimate, value, half in ((fit["exponents"]["width"], 0.25, 0.05),
                                              (fit["exponents"]["depth"], -1.2, 0.05),
                                              (fit["constant"], truth, 0.3 * truth)):
                    low, high = estimate["ci95"]
                    self.assertTrue(low < value < high, f"{value} in {estimate}")
                    self.assertTrue(0 < high - low < 2 * half, f"{estimate}")
                inside = 0
                for cell in fit["cells"]:
                    expected = power_law(cell["width"], cell["depth"], fit["threshold"])
                    np.testing.assert_allclose(cell["eta_star"], expected, rtol=0.12)
                    inside += cell["ci95"][0] < expected < cell["ci95"][1]
                self.assertGreaterEqual(inside, 7)
        self.assertEqual(report["warnings"], [])

    def test_cells_of_the_law(self):
        # The rows are exact powers of eta: both criteria have one answer, whatever the interpolation.
        _, rows = power_law_file(self.dir / "law.h5")
        for fit in self.fit("law.h5")["fits"]:
            for cell, (_, _, part) in zip(fit["cells"], cells_of(rows)):
                np.testing.assert_allclose(cell["eta_star"], part["response_last"][:, 0].mean() ** -0.5, rtol=1e-6)

    def test_law_through_two_cells(self):
        for width, depth, axis in (([64], [2, 4], "depth"), ([64, 128], [3], "width")):
            power_law_file(self.dir / "law.h5", width=width, depth=depth)
            for fit in self.fit("law.h5")["fits"]:
                first, second = fit["cells"]
                exponent = np.log(second["centre"] / first["centre"]) / np.log(second[axis] / first[axis])
                np.testing.assert_allclose(fit["exponents"][axis]["value"], exponent, rtol=1e-9)
                np.testing.assert_allclose(fit["constant"]["value"], first["centre"] / first[axis] ** exponent,
                                           rtol=1e-9)

    def test_intervals_shrink_with_networks(self):
        sizes = []
        for networks in (25, 400):
            power_law_file(self.dir / "law.h5", networks, width=[64], depth=[4])
            fit, = self.fit("law.h5", "--criterion", "linear")["fits"]
            low, high = fit["cells"][0]["ci95"]
            sizes.append(np.log(high / low))
        self.assertTrue(2.5 < sizes[0] / sizes[1] < 6, sizes)

    def test_not_bracketing(self):
        power_law_file(self.dir / "law.h5")
        for threshold, at_end in (("1e6", "largest"), ("1e-9", "smallest")):
            linear, finite = self.fit("law.h5", "--threshold", threshold)["fits"]
            for cell in finite["cells"]:
                self.assertIsNone(cell["eta_star"])
                self.assertIsNone(cell["ci95"])
                self.assertIn(at_end, cell["note"])
            self.assertEqual(finite["exponents"], {"width": None, "depth": None})
            self.assertIsNone(finite["constant"])
            self.assertNotIn("note", linear["cells"][0])
        warnings = self.fit("law.h5", "--threshold", "1e6")["warnings"]
        self.assertTrue(any("bracket" in text and "9 of 9" in text for text in warnings), warnings)

    def test_some_cells_bracket(self):
        # Deep networks cross below 0.1, shallow ones above: each criterion uses the cells it has.
        power_law_file(self.dir / "law.h5", width=[512, 1024], depth=[1, 2, 64, 128])
        finite, = self.fit("law.h5", "--criterion", "finite", "--threshold", "12")["fits"]
        missing = {(c["width"], c["depth"]) for c in finite["cells"] if c["eta_star"] is None}
        expected = {(n, depth) for n in (512, 1024) for depth in (1, 2, 64, 128) if power_law(n, depth, 12) > 10}
        self.assertEqual(missing, expected)
        low, high = finite["exponents"]["depth"]["ci95"]
        self.assertTrue(low < -1.2 < high)

    def test_curves_between_what_ran(self):
        # The exact curve ends at the deepest depth that has run, whatever the grid promises; long ones are thinned.
        spec, rows = power_law_file(self.dir / "law.h5", 20, width=[64], depth=[2, 3, 700, 800])
        rows["status"][rows["depth"] == 800] = PENDING
        write_file(self.dir / "law.h5", spec, rows)
        fit, = self.fit("law.h5", "--criterion", "linear")["fits"]
        curve, = fit["exact_curves"]["depth"]
        self.assertEqual(fit["exact_curves"]["width"], [])
        depths = curve["depth"]
        self.assertEqual((depths[:2], depths[-1], fit["asymptote"]["depth"]), ([2, 3], 700, [2, 700]))
        self.assertEqual(depths, sorted(set(depths)))
        self.assertTrue(100 < len(depths) < 210, len(depths))

    def test_asymptote_is_what_the_exact_rate_tends_to(self):
        for layer in ("last", "mean", "output"):
            for train in ("all", "hidden"):
                power_law_file(self.dir / "law.h5", 20, width=[2**31], depth=[2**9, 2**10], train=train)
                fit, = self.fit("law.h5", "--criterion", "linear", "--layer", layer)["fits"]
                exact = [cell["exact"] for cell in fit["cells"]]
                np.testing.assert_allclose(fit["asymptote"]["eta_star"], exact, rtol=6e-3)
        for changes in ({"train": "first"}, {"train": "last"}):
            power_law_file(self.dir / "law.h5", 20, width=[64], depth=[2, 4], **changes)
            self.assertTrue(all(fit["asymptote"] is None for fit in self.fit("law.h5")["fits"]))

    def test_axes_of_one_value(self):
        for width, depth, null in (([64], [2, 4], {"width"}), ([64, 128], [4], {"depth"}),
                                   ([64], [4], {"width", "depth"})):
            power_law_file(self.dir / "law.h5", width=width, depth=depth)
            for fit in self.fit("law.h5")["fits"]:
                self.assertEqual({k for k, v in fit["exponents"].items() if v is None}, null)
                self.assertIsNotNone(fit["constant"])
            self.succeed("fit", "law.h5")

    def test_one_network(self):
        power_law_file(self.dir / "law.h5", 1)
        for fit in self.fit("law.h5")["fits"]:
            self.assertEqual(fit["exponents"], {"width": None, "depth": None})
            for cell in fit["cells"]:
                self.assertIsNotNone(cell["eta_star"])
                self.assertIsNone(cell["ci95"])
        self.succeed("fit", "law.h5")

    def test_untrained_layers_have_no_rate(self):
        self.sweep("--width", "64", "--depth", "2", "--seeds", "20", "--eta", "1", "--eta-unit", "absolute", "--train",
                   "last")
        for fit in self.fit("sweep.h5")["fits"]:
            cell, = fit["cells"]
            self.assertEqual((cell["eta_star"], cell["ci95"], cell["exact"]), (None, None, None))
            self.assertTrue(cell["note"])

    def test_exact_follows_the_spec(self):
        for train, rates in (("first", "mup"), ("hidden", "mup"), ("all", "global"), ("hidden", "global")):
            with self.subTest(train=train, rates=rates):
                power_law_file(self.dir / "law.h5", width=[64], depth=[3], train=train, rates=rates, input_dim=10)
                for layer in ("last", "mean"):
                    fit, = self.fit("law.h5", "--criterion", "linear", "--layer", layer)["fits"]
                    exact = exact_response(layer, 64, 3, 10, train, rates) ** -0.5
                    np.testing.assert_allclose(fit["cells"][0]["exact"], exact, rtol=1e-10)


class Intervals(AlongTheory):
    def test_dead_networks(self):
        # Zeros have no logarithm: resampled, with the resamples of the seed.
        spec, rows = power_law_file(self.dir / "law.h5", 60, width=[64], depth=[4])
        dead = rows["seed"] % 10 == 0
        for name in ("response_last", "dz2_last"):
            rows[name][dead] = 0
        write_file(self.dir / "law.h5", spec, rows)
        first, again, other = (self.fit("law.h5", "--seed", seed)["fits"] for seed in ("0", "0", "1"))
        self.assertEqual(first, again)
        for fit, fit_other in zip(first, other):
            (cell,), (cell_other,) = fit["cells"], fit_other["cells"]
            self.assertEqual(cell["interval"], "bootstrap-t")
            self.assertEqual(cell["eta_star"], cell_other["eta_star"])
            np.testing.assert_allclose(cell["eta_star"], rows["response_last"].mean() ** -0.5, rtol=1e-6)
            self.assertTrue(cell["ci95"][0] < cell["eta_star"] < cell["ci95"][1])
            self.assertNotEqual(cell["ci95"], cell_other["ci95"])
            np.testing.assert_allclose(cell["ci95"], cell_other["ci95"], rtol=0.03)
        self.assertIn("bootstrap-t: 1 of 1 cells", self.succeed("fit", "law.h5"))

    def test_control_variates(self):
        # Against least squares by NumPy: the change at eta* on G, of known mean, and f y G, of mean 0.
        self.sweep("--width", "128", "--depth", "4,16", "--seeds", "120", "--eta", "0.5:3:log12")
        (_, _, rows), _ = cells_of(trials(self.dir / "sweep.h5"))
        fit, = self.fit("sweep.h5", "--criterion", "finite")["fits"]
        cell, deep = fit["cells"]
        self.assertEqual((cell["interval"], deep["interval"]), ("control variates", "log-normal"))
        log_eta, log_dz2 = np.log(rows["eta"][0]), np.log(rows["dz2_last"])
        log_means = np.log(rows["dz2_last"].mean(axis=0))
        star = self.crossing(4, log_eta, log_means, 0.0)
        k = int(np.searchsorted(log_eta, star))
        part = (star - log_eta[k - 1]) / (log_eta[k] - log_eta[k - 1])
        y = np.exp((1 - part) * log_dz2[:, k - 1] + part * log_dz2[:, k])
        y /= y.mean()
        response = rows["response_last"][:, 0] / exact_response("last", 128, 4)
        design = np.column_stack([np.ones(120), response - 1, response * (rows["output"] * rows["target"])[:, 0]])
        inverse = np.linalg.pinv(design)
        mean, left = inverse[0] @ y, y - design @ (inverse @ y)
        slope = 0.02 / (self.crossing(4, log_eta, log_means, 0.01) - self.crossing(4, log_eta, log_means, -0.01))
        np.testing.assert_allclose(np.log(cell["eta_star"]), star - np.log(mean) / slope, atol=1e-5)
        np.testing.assert_allclose(cell["variance_ratio"], y.var() / left.var(), rtol=1e-6)
        self.assertGreater(cell["variance_ratio"], 4)
        leverage = (design * inverse.T).sum(axis=1)
        error = ((inverse[0] * left / (1 - leverage))**2).sum()**0.5 / mean / slope
        half = 1.980448 * error  # t, 117 degrees of freedom
        np.testing.assert_allclose(np.log(cell["ci95"]), np.log(cell["eta_star"]) + np.array([-half, half]), atol=1e-4)
        self.assertIn("control variates in 1 of 2 cells", self.succeed("fit", "sweep.h5"))

    def test_no_control_where_theory_is_not_met(self):
        # Responses that are not those of theory have no known mean.
        power_law_file(self.dir / "law.h5", 120, width=[128], depth=[4])
        fit, = self.fit("law.h5", "--criterion", "finite")["fits"]
        self.assertEqual(fit["cells"][0]["interval"], "log-normal")
        self.assertIsNone(fit["cells"][0]["variance_ratio"])

    def test_explosions_have_no_mean(self):
        power_law_file(self.dir / "law.h5", width=[16], depth=[4, 7, 8])
        linear, finite = self.fit("law.h5")["fits"]
        self.assertEqual([c["eta_star"] is None for c in finite["cells"]], [False, False, True])
        self.assertIn("explosions", finite["cells"][2]["note"])
        self.assertIsNotNone(linear["cells"][2]["eta_star"])
        median = self.fit("law.h5", "--statistic", "median", "--criterion", "finite")["fits"][0]
        self.assertIsNotNone(median["cells"][2]["eta_star"])

    def test_median(self):
        _, rows = power_law_file(self.dir / "law.h5", 20, width=[64], depth=[2, 4])
        for fit in self.fit("law.h5", "--statistic", "median", "--threshold", "0.5")["fits"]:
            self.assertEqual(fit["statistic"], "median")
            self.assertNotIn("relative_to_exact", fit)
            for cell, (_, _, part) in zip(fit["cells"], cells_of(rows)):
                response = np.sort(part["response_last"][:, 0])
                np.testing.assert_allclose(cell["eta_star"], (0.5 / np.median(response))**0.5, rtol=1e-6)
                # The sign test: of 20 the 6th and the 15th.
                np.testing.assert_allclose(cell["ci95"], (0.5 / response[[14, 5]])**0.5, rtol=1e-6)
                self.assertEqual((cell["interval"], cell["exact"], cell["z"]), ("order statistics", None, None))
        self.assertIn(", median", self.succeed("fit", "law.h5", "--statistic", "median"))
        self.refuse(2, "fit", "law.h5", "--statistic", "mode", says=["statistic", "mode", "median"])

    def test_share_of_f2(self):
        spec, rows = power_law_file(self.dir / "law.h5", width=[64], depth=[2])
        self.assertNotIn("f^2", self.succeed("fit", "law.h5"))
        rows["output"] = 0.3
        write_file(self.dir / "law.h5", spec, rows)
        np.testing.assert_allclose(self.fit("law.h5")["fits"][0]["cells"][0]["f2_share"], 0.09)
        self.assertIn("up to 9 %, at L/n = 2/64", self.succeed("fit", "law.h5"))


class RealStep(Case):
    """The finite criterion against infinite width, at widths where that is as good as exact; fixed seeds."""

    def test_z(self):
        # Six z-scores at most; one beyond 4.6 with probability 3e-5 were they normal. Few rates: what is interpolated between
        # them must not show. A threshold wrong by 10 % does.
        self.sweep("--width", "1000000", "--depth", "2,4", "--seeds", "30", "--eta", "0.1:3:log8")
        fits = {c: self.fit("sweep.h5", "--criterion", "finite", "--threshold", c)["fits"][0]["cells"]
                for c in ("2", "1", "0.9", "0.5")}
        scores = [cell["z"] for c in ("2", "1", "0.5") for cell in fits[c] if cell["z"] is not None]
        self.assertGreaterEqual(len(scores), 4)
        self.assertLess(max(map(abs, scores)), 4.6)
        for planted, cell in zip(fits["0.9"], fits["1"]):
            error = np.log(planted["ci95"][1] / planted["ci95"][0]) / 3.92
            self.assertGreater(abs(np.log(planted["eta_star"] / cell["infinite"])), 4.6 * error)

    def test_no_z_at_small_width(self):
        self.sweep("--width", "32", "--depth", "4", "--seeds", "40", "--eta", "0.3:4:log8")
        cell, = self.fit("sweep.h5", "--criterion", "finite")["fits"][0]["cells"]
        self.assertIsNone(cell["z"])
        self.assertIsNotNone(cell["infinite"])


class Reading(Case):
    """Which cells, and how they are told."""

    def test_selection(self):
        power_law_file(self.dir / "law.h5", 20, width=(128, 256, 512), depth=(2, 3, 4, 8))
        for words, cells in ((("--depth", "2:4"), {(n, d) for n in (128, 256, 512) for d in (2, 3, 4)}),
                             (("--width", "100:300", "--depth", "8"), {(128, 8), (256, 8)}),
                             (("--width", "512,128", "--depth", "2:8:x2"), {(n, d) for n in (128, 512) for d in (2, 4, 8)})):
            report = self.fit("law.h5", *words)
            for fit in report["fits"]:
                self.assertEqual({(c["width"], c["depth"]) for c in fit["cells"]}, cells)
        whole = self.fit("law.h5")["fits"][0]["cells"]
        self.assertEqual(report["fits"][0]["cells"], [c for c in whole if (c["width"], c["depth"]) in cells])
        for words, says in ((("--depth", "5"), ["depth", "5", "2, 3, 4, 8"]), (("--width", "1:100"), ["1:100", "128"]),
                            (("--depth", "4:2"), ["depth", "4:2"]), (("--depth", "x"), ["depth"]),
                            (("--width", "128,300"), ["300"])):
            self.refuse(2, "fit", "law.h5", *words, says=says)

    def test_a_threshold_that_only_scales_is_a_line(self):
        power_law_file(self.dir / "law.h5", 20, width=[128], depth=[2, 4])
        words = ("--threshold", "1", "--threshold", "0.04", "--criterion", "linear")
        text = self.succeed("fit", "law.h5", *words)
        self.assertEqual(text.count("95 % interval"), self.succeed("fit", "law.h5", *words[:2], *words[4:]).count("95 % interval"))
        self.assertIn("threshold 0.04: eta*, its intervals and C are 0.2 times those of threshold 1", text)
        first, second = self.fit("law.h5", *words)["fits"]
        for cell, scaled in zip(first["cells"], second["cells"]):
            np.testing.assert_allclose([scaled["eta_star"], *scaled["ci95"]], 0.2 * np.array([cell["eta_star"], *cell["ci95"]]))
        np.testing.assert_allclose(second["constant"]["value"], 0.2 * first["constant"]["value"])
        np.testing.assert_allclose(second["exponents"]["depth"]["ci95"], first["exponents"]["depth"]["ci95"])
        self.assertEqual(self.succeed("fit", "law.h5", *words[:4], "--criterion", "finite").count("eta* = C"), 2)

    def test_long_tables_fold(self):
        power_law_file(self.dir / "law.h5", 20, width=[256, 512], depth=range(1, 14))
        text, everything = self.succeed("fit", "law.h5"), self.succeed("fit", "law.h5", "--all")
        self.assertEqual(len(re.findall(r"^ +(?:256|512) +(?:1|13) +20 ", text, re.MULTILINE)), 8)
        self.assertIn("(22 cells between these: --all)", text)
        self.assertNotIn("--all", everything)
        self.assertEqual(len(re.findall(r"^ +(?:256|512) +\d+ +20 ", everything, re.MULTILINE)), 52)
        self.assertEqual(len(self.fit("law.h5")["fits"][0]["cells"]), 26)
        self.assertNotIn("--all", self.succeed("fit", "law.h5", "--depth", "1:12"))

    def test_what_the_exponent_is_where_there_is_no_power_law(self):
        power_law_file(self.dir / "law.h5", 20, width=[128], depth=[2, 4])
        self.assertNotIn("not one power law", self.succeed("fit", "law.h5"))
        self.sweep("--width", "4096", "--depth", "1,2,4,8", "--seeds", "100", "--eta", "1")
        text = self.succeed("fit", "sweep.h5", "--criterion", "linear")
        self.assertIn("not one power law", text)
        self.assertIn("weighted least-squares slope", text)


class Prediction(Case):
    def half_widths(self, text):
        exponent = float(re.search(r"^depth exponent +\+- (\S+)$", text, re.MULTILINE)[1])
        return exponent, [float(x) for x in re.findall(r"\d+ -> \d+: \+- ([^\s,]+)", text)]

    def test_what_fit_then_says(self):
        # 600 networks: half-widths spread by 4 % of themselves, two digits are printed, and the seeds are fixed.
        for width, depth in (("128", "2:8:x2"), ("1024", "4:64:x2")):
            words = ("--width", width, "--depth", depth, "--seeds", "600", "--eta", "1", "--first-seed", "3000")
            exponent, slopes = self.half_widths(self.succeed("plan", *words))
            self.sweep(*words, "--overwrite")
            fit, = self.fit("sweep.h5", "--criterion", "linear")["fits"]
            half = [np.ptp(e["ci95"]) / 2 for e in (fit["exponents"]["depth"], *fit["local_slopes"])]
            np.testing.assert_allclose([exponent, *slopes], half, rtol=0.1)

    def test_nothing_where_nothing_is_known(self):
        for words in (("--train", "first"), ("--rates", "global"), ("--seeds", "1")):
            text = self.succeed("plan", "--width", "64", "--depth", "2,4", *words)
            self.assertNotIn("+-", text)


class Warnings(Case):
    def warned(self, word, *words):
        return any(word in text for text in self.fit("law.h5", *words)["warnings"])

    def test_few_networks(self):
        for networks, expected in ((19, True), (20, False)):
            power_law_file(self.dir / "law.h5", networks)
            self.assertEqual(self.warned("networks a cell"), expected, networks)

    def test_depth_against_width(self):
        for depth, expected in ((6, False), (7, True)):
            power_law_file(self.dir / "law.h5", width=[64], depth=[1, depth])
            self.assertEqual(self.warned("L/n"), expected, depth)
        self.assertTrue(self.warned("7/64"))
        self.assertIn("warning: L/n", self.succeed("fit", "law.h5"))

    def test_damaged_rows(self):
        spec, rows = power_law_file(self.dir / "law.h5")
        rates = len(spec["eta"])
        # In network 3 of the first cell; one byte in a value, one in the check, one in the padding.
        for damage in ([(3 * rates + 5, 70)], [(3 * rates + 5, CHECK_BYTE + 1)], [(3 * rates, STATUS_BYTE + 2), (3 * rates + 1, 3)]):
            write_file(self.dir / "law.h5", spec, rows)
            for row, byte in damage:
                flip_byte(self.dir / "law.h5", row, byte)
            report = self.fit("law.h5")
            self.assertTrue(any(f"{len(damage)} of {len(rows)} rows" in text and "damaged" in text
                                for text in report["warnings"]), report["warnings"])
            linear, finite = report["fits"]
            self.assertEqual([c["networks"] for c in linear["cells"]], [40] * 9)
            self.assertEqual([c["networks"] for c in finite["cells"]], [39] + [40] * 8)
            _, _, part = next(cells_of(rows))
            left = np.delete(part["response_last"][:, 0], 3)
            np.testing.assert_allclose(finite["cells"][0]["eta_star"], left.mean() ** -0.5, rtol=1e-6)

    def test_a_whole_damaged_network(self):
        spec, rows = power_law_file(self.dir / "law.h5")
        rates = len(spec["eta"])
        for k in range(rates):
            flip_byte(self.dir / "law.h5", 7 * rates + k, 91)
        _, _, part = next(cells_of(rows))
        left = np.delete(part["response_last"][:, 0], 7).mean() ** -0.5
        for fit in self.fit("law.h5")["fits"]:
            self.assertEqual(fit["cells"][0]["networks"], 39)
            np.testing.assert_allclose(fit["cells"][0]["eta_star"], left, rtol=1e-6)

    def test_rows_in_the_wrong_place(self):
        spec, rows = power_law_file(self.dir / "law.h5")
        rows[[0, 1]] = rows[[1, 0]]
        write_file(self.dir / "law.h5", spec, rows)
        self.assertTrue(self.warned("2 of"))

    def test_pending_and_failed_rows(self):
        for status, word in ((PENDING, "have not run"), (FAILED, "failed")):
            spec, rows = power_law_file(self.dir / "law.h5")
            cell = len(spec["eta"]) * spec["seeds"]
            rows["status"][:cell] = status
            for name in ("response_last", "dz2_last", "output"):
                rows[name][:cell] = np.nan
            write_file(self.dir / "law.h5", spec, rows)
            self.assertTrue(self.warned(f"{cell} of {len(rows)} rows {word}"), word)
            for fit in self.fit("law.h5")["fits"]:
                first, *others = fit["cells"]
                self.assertEqual((first["networks"], first["eta_star"], first["ci95"]), (0, None, None))
                self.assertTrue(first["note"])
                self.assertTrue(all(cell["networks"] == 40 and cell["eta_star"] for cell in others))

    def test_overflow_is_above_every_threshold(self):
        spec, rows = power_law_file(self.dir / "law.h5")
        high = rows["eta"] > 3
        rows["status"][high] = NONFINITE
        rows["dz2_last"][high] = np.inf
        rows["output_after"][high] = np.nan
        write_file(self.dir / "law.h5", spec, rows)
        finite, = self.fit("law.h5", "--criterion", "finite")["fits"]
        for cell, (_, _, part) in zip(finite["cells"], cells_of(rows)):
            expected = part["response_last"][:, 0].mean() ** -0.5
            np.testing.assert_allclose(cell["eta_star"], expected, rtol=1e-6)


class Refusals(Case):
    """Files that are no sweeps."""

    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep(*TINY)

    def test_not_hdf5(self):
        (self.dir / "folder").mkdir()
        (self.dir / "empty").write_text("")
        (self.dir / "text").write_text("width,depth\n")
        for name in ("absent.h5", "folder", "empty", "text", "text/x.h5"):
            self.refuse(3, "fit", name, says=[name])
            self.refuse(3, "fit", name, "--json", "-", says=[name])

    def test_truncated(self):
        data = self.path.read_bytes()
        for size in (1, 8, 100, 1000, len(data) // 2, len(data) - 1):
            with self.subTest(size=size):
                (self.dir / "cut.h5").write_bytes(data[:size])
                self.refuse(3, "fit", "cut.h5", says=["cut.h5"])

    def test_foreign(self):
        with h5py.File(self.dir / "other.h5", "w") as file:
            file["values"] = np.arange(10)
        self.refuse(3, "fit", "other.h5", says=["other.h5", "etastar-sweep"])

    def changed(self, change):
        """The refusal of a real sweep after a change through h5py."""
        with h5py.File(self.copy(self.path), "r+") as file:
            change(file)
        return self.refuse(3, "fit", "copy.h5", says=["copy.h5"]).stderr

    def test_filetype_and_version(self):
        self.assertIn("etastar-sweep", self.changed(lambda file: file.attrs.__setitem__("filetype", "etastar-other")))
        self.changed(lambda file: file.attrs.__setitem__("filetype", 7))
        for version in ((1, 0), (2, 0), (3, 0)):
            self.assertIn("has format {}.{}, this program reads 2.1 and later 2.x".format(*version), self.changed(
                lambda file: file.attrs.modify("format_version", np.array(version, "<u4"))))
        self.changed(lambda file: file.attrs.__setitem__("format_version", np.array([2, 1, 0], "<u4")))
        self.changed(lambda file: file.attrs.__setitem__("format_version", "2.1"))

    def test_newer_minor_version(self):
        # What a later program may add within format 2 must not stop this one; a spec that says more must.
        spec, rows = power_law_file(self.dir / "law.h5")
        expected = self.fit("law.h5")
        write_file(self.dir / "law.h5", spec, rows, version=(2, 9))
        with h5py.File(self.dir / "law.h5", "r+") as file:
            file.attrs["more"] = 1
            file.create_group("extra")
        self.assertEqual(self.fit("law.h5"), expected)
        write_file(self.dir / "law.h5", {**spec, "batch": 1}, rows, version=(2, 9))
        self.refuse(3, "fit", "law.h5", says=["law.h5: cannot be read: spec: 'batch'"])

    def test_missing_parts(self):
        for name in ("filetype", "format_version", "spec", "spec_hash", "complete"):
            with self.subTest(attribute=name):
                said = self.changed(lambda file: file.attrs.__delitem__(name))
                self.assertIn("etastar-sweep" if name == "filetype" else name, said)
        self.assertIn("trials", self.changed(lambda file: file.__delitem__("trials")))

    def test_spec_that_is_not_the_table(self):
        for text in ("{}", "not JSON", "[]", '{"width":[8]}'):
            self.changed(lambda file: file.attrs.__setitem__("spec", text))
        self.changed(lambda file: file.attrs.__setitem__("spec", file.attrs["spec"].replace("[8,16]", "[8,17]")))
        self.changed(lambda file: file.attrs.__setitem__("spec_hash", "0" * 36))
        self.assertIn("35", self.changed(lambda file: self.replace(file, file["trials"][:-1])))

    def test_table_of_other_rows(self):
        self.changed(lambda file: self.replace(file, np.zeros(36)))
        self.changed(lambda file: self.replace(file, file["trials"][:].reshape(6, 6)))
        fields = [("width", "<u4"), ("depth", "<u4"), ("seed", "<u8")]
        self.changed(lambda file: self.replace(file, np.zeros(36, fields)))

    def test_rates_need_no_theory(self):
        # The command line refuses this grid, which has no unit; a file says what its rates are.
        spec = make_spec([8], [2], [1, 2], 2, eta_unit="linear", train="last")
        rows = make_rows(spec)
        rows["eta"] *= 0.3
        rows["dz2_last"] = 1
        write_file(self.dir / "odd.h5", spec, rows, units=0.3)
        report = self.fit("odd.h5")
        self.assertEqual(report["rows"]["damaged"], 0)
        self.assertEqual([cell["eta"] for cell in report["curves"][0]["cells"]], [[0.3, 0.6]])
        self.assertEqual([cell["exact"] for cell in report["fits"][0]["cells"]], [None])
        write_file(self.dir / "odd.h5", spec, rows, units=0.4)
        self.assertEqual(self.fit("odd.h5")["rows"]["damaged"], 4)

    def replace(self, file, rows):
        del file["trials"]
        file["trials"] = rows


class Theory(Case):
    def theory(self, *words):
        return json.loads(self.succeed("theory", *words, "--json", "-"))["cells"]

    def test_known_values(self):
        # SCIENCE: E G at finite width.
        for width, depth, response in ((64, 2, 3.078125), (64, 4, 24.120), (64, 16, 2460.39), (256, 8, 182.769),
                                       (1024, 16, 1416.12)):
            cell, = self.theory("--width", str(width), "--depth", str(depth))
            np.testing.assert_allclose(cell["exact"], response**-0.5, rtol=2e-5)
            np.testing.assert_allclose(exact_responses(width, depth)[0][-1], response, rtol=4e-5)
            np.testing.assert_allclose(cell["infinite"], ((2 * depth**3 + depth) / 6) ** -0.5, rtol=1e-12)

    def test_recursion(self):
        for train in ("all", "first", "hidden"):
            for rates in ("mup", "global"):
                for layer in ("last", "mean", "output"):
                    cells = self.theory("--width", "1,7,100", "--depth", "2,5,40", "--train", train, "--rates", rates,
                                        "--layer", layer, "--input-dim", "10", "--threshold", "0.3")
                    self.assertEqual(len(cells), 9)
                    for cell in cells:
                        exact = exact_response(layer, cell["width"], cell["depth"], 10, train, rates)
                        np.testing.assert_allclose(cell["exact"], (0.3 / exact) ** 0.5, rtol=1e-9, err_msg=str(cell))

    def test_infinite_width(self):
        laws = {"all": lambda d: (2 * d**3 + d) / 6, "first": lambda d: d - 0.5,
                "hidden": lambda d: (2 * (d - 1) ** 3 + d - 1) / 6}
        for train, law in laws.items():
            for cell in self.theory("--width", "4000000000", "--depth", "2,8,64", "--train", train):
                expected = law(cell["depth"]) ** -0.5
                np.testing.assert_allclose([cell["infinite"], cell["exact"]], expected, rtol=1e-5)
        for cell in self.theory("--width", "1000000000", "--depth", "1,4,32", "--layer", "output"):
            np.testing.assert_allclose([cell["infinite"], cell["exact"]], 1 / (cell["depth"] / 2 + 1), rtol=1e-6)

    def test_slope(self):
        cells = self.theory("--width", "1000000", "--depth", "32:512:x2")
        slopes = np.diff(np.log([cell["exact"] for cell in cells])) / np.log(2)
        np.testing.assert_allclose(slopes, -1.5, atol=5e-4)

    def test_no_rate(self):
        cell, = self.theory("--width", "8", "--depth", "2", "--train", "last")
        self.assertIsNone(cell["exact"])
        self.succeed("theory", "--width", "8", "--depth", "2", "--train", "last")

    def test_text_and_json_file(self):
        text = self.succeed("theory", "--width", "64", "--depth", "4", "--json", "theory.json")
        self.assertIn("24.12", text)
        self.assertEqual(json.loads((self.dir / "theory.json").read_text())["cells"],
                         self.theory("--width", "64", "--depth", "4"))


if __name__ == "__main__":
    unittest.main()
