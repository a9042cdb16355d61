"""etastar theory beyond linear order, against an integration over the fields of each layer."""
import json
import math
import re
import unittest

import numpy as np

from support import Case, ROOT

# g > 0 on panels whose edges grow by a factor: the integrands change where z is of the order of the step.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
EDGES = np.concatenate([[0], np.geomspace(1e-9, 12, 60)])
G = (EDGES[:-1, None] + np.diff(EDGES)[:, None] * (NODES + 1) / 2).ravel()
DENSITY = (np.diff(EDGES)[:, None] * WEIGHTS / 2).ravel() * np.exp(-G**2 / 2) / math.sqrt(2 * math.pi)
erfc = np.vectorize(math.erfc)

LAYERS = ("last", "max", "mean", "output")


def beyond(x):
    """Density at x of a standard normal, and the probability of more than x."""
    return np.exp(-x**2 / 2) / math.sqrt(2 * math.pi), erfc(x / math.sqrt(2)) / 2


def finite_step(depth, eta, first=1.0, hidden=1.0, readout=1.0):
    """E (dz^l)^2 for l = 1..depth and df, at infinite width: z = sqrt(2) g and, given z, dz is Gaussian. Nothing is
    integrated in closed form over z, and h(z + dz) - h(z) only over what is Gaussian given z."""
    z = math.sqrt(2) * G
    H = M = P = 0.0
    changes = []
    for layer in range(1, depth + 1):
        C2 = max(2 * (M - H * H), 0.0)
        B = 2 * P + eta * (first if layer == 1 else hidden) * (1 + H)
        changes.append(2 * H * H + B * B / 2 + C2)
        # Active neurons: dh = dz, or -z where z + dz < 0, that is where xi < -x for dz = H z + tau xi.
        tau = math.sqrt(B * B + C2)
        if tau == 0:
            continue
        x = z * (1 + H) / tau
        density, tail = beyond(x)
        shift = H * z
        dh = shift + tau * (density - x * tail)
        dh2 = shift**2 + tau**2 + z**2 * tail - (shift**2 * tail - 2 * shift * tau * density + tau**2 * (tail + x * density))
        moved = 1 - tail
        # Inactive ones, z < 0: dh = max(z + dz, 0) with a spread of C alone.
        back = np.zeros_like(z)
        if C2 > 0:
            y = z * (1 + H) / math.sqrt(C2)
            density, tail = beyond(y)
            back = C2 * ((1 + y**2) * tail - y * density)
        M = DENSITY @ (dh2 + back)
        H, P = DENSITY @ (z * dh), B * (DENSITY @ moved)
    return np.array(changes), P + eta * readout * (1 + H)


def change2(layer, changes, output):
    return {"last": changes[-1], "max": changes.max(), "mean": changes.mean(), "output": output**2}[layer]


def multipliers(train, rates, width, input_dim):
    """Of the first layer (its c1 / n), the others, and the read-out (times n)."""
    first, readout = (1.0, 1.0) if rates == "mup" else (input_dim / width, float(width))
    parts = {"first": (first, 0.0, 0.0), "hidden": (0.0, 1.0, 0.0), "last": (0.0, 0.0, readout),
             "all": (first, 1.0, readout)}
    return parts[train]


class Theory(Case):
    def theory(self, *words):
        return json.loads(self.succeed("theory", *words, "--json", "-"))

    def test_the_integration_has_the_linear_order(self):
        for depth in (1, 2, 9):
            changes, output = finite_step(depth, 1e-5)
            np.testing.assert_allclose(changes[-1], 1e-10 * (2 * depth**3 + depth) / 6, rtol=1e-2)
            np.testing.assert_allclose(output, 1e-5 * (depth / 2 + 1), rtol=1e-3)

    def test_curves(self):
        for train in ("all", "first", "hidden", "last"):
            for rates in ("mup", "global"):
                report = self.theory("--criterion", "finite", "--train", train, "--rates", rates, "--width", "256",
                                     "--depth", "1,2,5,30", "--eta", "1e-3,0.1,2", "--input-dim", "40")
                for cell in report["cells"]:
                    self.assertEqual([point["eta"] for point in cell["curve"]], [1e-3, 0.1, 2])
                    for point in cell["curve"]:
                        changes, output = finite_step(cell["depth"], point["eta"], *multipliers(train, rates, 256, 40))
                        np.testing.assert_allclose([point["dz2_last"], point["dz2_mean"], point["output_change"]],
                                                   [changes[-1], changes.mean(), output], rtol=1e-7,
                                                   err_msg=f"{train} {rates} {cell['depth']} {point}")

    def test_rates(self):
        # The step at the rate that is reported is the threshold, and that at a rate below it is smaller.
        for train, layer in (("all", "last"), ("all", "max"), ("all", "mean"), ("all", "output"), ("first", "last"),
                             ("first", "max"), ("hidden", "mean"), ("hidden", "output"), ("last", "output")):
            report = self.theory("--criterion", "finite", "--train", train, "--layer", layer, "--depth", "2,7,60",
                                 "--threshold", "0.01", "--threshold", "1", "--threshold", "100")
            self.assertEqual([(cell["depth"], cell["threshold"]) for cell in report["cells"]],
                             [(depth, c) for depth in (2, 7, 60) for c in (0.01, 1, 100)])
            for cell in report["cells"]:
                for share, bound in ((1, 1), (0.7, 0.999)):
                    step = finite_step(cell["depth"], share * cell["infinite"], *multipliers(train, "mup", 1, 1))
                    reached = change2(layer, *step) / cell["threshold"]
                    if share == 1:
                        np.testing.assert_allclose(reached, 1, rtol=1e-6, err_msg=f"{train} {layer} {cell}")
                    else:
                        self.assertLess(reached, bound, f"{train} {layer} {cell}")

    def test_known_values(self):
        known = {1: (1.591, 2.490, 4.357, 7.269, 11.79, 18.88), 0.1: (1.152, 1.341, 1.905, 4.157, 9.551, 18.90),
                 0.01: (1.043, 1.089, 1.189, 1.445, 2.345, 6.434)}
        for threshold, ratios in known.items():
            cells = self.theory("--criterion", "finite", "--depth", "8:256:x2", "--threshold", str(threshold))["cells"]
            np.testing.assert_allclose([cell["infinite"] / cell["linear"] for cell in cells], ratios, rtol=5e-4)

    def test_any_depth_in_no_time(self):
        cells = self.theory("--criterion", "finite", "--depth", "50000,100000", "--threshold", "1")["cells"]
        law = (4 / (3 * math.pi**3))**0.5 * (3 * math.pi * math.log(1 + 0.5**0.5) / 1e5)**(5 / 6)
        np.testing.assert_allclose(cells[1]["infinite"], law, rtol=0.01)
        slope = math.log(cells[1]["infinite"] / cells[0]["infinite"]) / math.log(2)
        np.testing.assert_allclose(slope, -5 / 6, atol=0.003)

    def test_small_thresholds_are_linear(self):
        for cell in self.theory("--criterion", "finite", "--depth", "1,10,100", "--threshold", "1e-20")["cells"]:
            np.testing.assert_allclose(cell["infinite"], cell["linear"], rtol=1e-6)

    def test_the_width(self):
        # None is needed where the limit has none, and a width that is given says where the cell is.
        alone, = self.theory("--criterion", "finite", "--depth", "6")["cells"]
        self.assertIsNone(alone["width"])
        for cell, width in zip(self.theory("--criterion", "finite", "--depth", "6", "--width", "8,512")["cells"], (8, 512)):
            self.assertEqual(cell["width"], width)
            np.testing.assert_allclose(cell["infinite"], alone["infinite"], rtol=1e-12)
        self.refuse(2, "theory", "--criterion", "finite", "--rates", "global", says=["width", "global"])
        small, large = self.theory("--criterion", "finite", "--depth", "6", "--rates", "global", "--train", "first",
                                   "--width", "64,128", "--input-dim", "64")["cells"]
        np.testing.assert_allclose(large["infinite"], 2 * small["infinite"], rtol=1e-12)

    def test_no_rate(self):
        for words in (("--train", "last"), ("--train", "hidden", "--depth", "1"), ("--train", "last", "--layer", "max")):
            report = self.theory("--criterion", "finite", *words)
            for cell in report["cells"]:
                self.assertIsNone(cell["infinite"])
                self.assertIn("no rate", cell["note"])
            self.assertIn("none: no rate", self.succeed("theory", "--criterion", "finite", *words))
        for cell in self.theory("--train", "last", "--depth", "2", "--width", "8")["cells"]:
            self.assertIsNone(cell["infinite"])
            self.assertIn("no rate", cell["note"])

    def test_overflow(self):
        cell, = self.theory("--criterion", "finite", "--depth", "1000", "--eta", "1e-6,1e3,1e300")["cells"]
        self.assertGreater(cell["curve"][0]["dz2_last"], 0)
        for point in cell["curve"][1:]:
            self.assertEqual([point["dz2_last"], point["dz2_mean"], point["output_change"]], [None] * 3)

    def test_thresholds_and_curves_to_linear_order(self):
        words = ("--depth", "2,5", "--width", "64,256")
        plain = self.theory(*words)["cells"]
        report = self.theory(*words, "--threshold", "0.25", "--threshold", "1", "--threshold", "0.25", "--eta", "0.1")
        self.assertEqual(report["thresholds"], [0.25, 1])
        self.assertEqual(report["criterion"], "linear")
        for i, cell in enumerate(plain):
            half, whole = report["cells"][2 * i:2 * i + 2]
            self.assertEqual(whole.pop("curve"), half.pop("curve"))
            self.assertEqual(whole, cell)
            np.testing.assert_allclose([half["exact"], half["infinite"]], [cell["exact"] / 2, cell["infinite"] / 2])
            self.assertEqual(half["response"], cell["response"])
        self.assertNotIn("curve", plain[0])

    def test_text(self):
        text = self.succeed("theory", "--criterion", "finite", "--depth", "8", "--eta", "0.01")
        self.assertIn("criterion finite", text.splitlines()[0])
        self.assertIn("1.5908", text)
        self.assertIn("0.015469548", text)
        self.assertIn("criterion linear", self.succeed("theory", "--depth", "8").splitlines()[0])

    def test_every_key_is_documented(self):
        page = (ROOT / "docs" / "format.md").read_text().split("## JSON of `etastar theory --json`")[1].split("\n## ")[0]
        tables = {head: set(re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in body.splitlines())))
                  for head, body in re.findall(r"^\| key of (.*?) \| value \|\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.M)}
        linear = self.theory("--depth", "2", "--width", "8", "--eta", "1")
        finite = self.theory("--criterion", "finite", "--depth", "2", "--train", "last", "--eta", "1")
        found = {"the document": set(linear) | set(finite),
                 "a cell": set(linear["cells"][0]) | set(finite["cells"][0]),
                 "a point of a curve": set(linear["cells"][0]["curve"][0])}
        self.assertEqual(tables, found)


if __name__ == "__main__":
    unittest.main()
