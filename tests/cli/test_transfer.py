"""etastar transfer: the factor against theory and fit, and its groups against a first step taken with them."""
import json
import math
import re
import types
import unittest

import numpy as np

from support import Case, ROOT, exact_response, trials

FROM_TO = ["--from-width", "64", "--from-depth", "6", "--from-eta", "0.05", "--to-width", "32", "--to-depth", "3"]
erf = np.vectorize(math.erf)


class Tensor:
    def __init__(self, *shape):
        self.shape, self.value, self.std = shape, None, None


class Linear:
    def __init__(self, inputs, outputs, bias):
        self.weight, self.bias = Tensor(outputs, inputs), Tensor(outputs) if bias else None

    def __call__(self, x):
        return self.weight.value @ x + (0 if self.bias is None else self.bias.value)


class Optimizer:
    def __init__(self, groups, defaults=None, **options):
        self.param_groups, self.options = groups, defaults or options


def initial(tensor, std=0.0):
    tensor.std = std


def load(code):
    """What the code defines, with a stand-in for PyTorch that lays out the network and runs it forward."""
    modules = {name: types.SimpleNamespace() for name in ("torch", "torch.nn", "torch.nn.functional")}
    torch, nn, functional = modules.values()
    torch.tanh, torch.erf, torch.no_grad = np.tanh, erf, lambda: lambda method: method
    torch.optim = types.SimpleNamespace(Optimizer=Optimizer, SGD=type("SGD", (Optimizer,), {}), Adam=type("Adam", (Optimizer,), {}))
    torch.nn = nn
    nn.Module, nn.Linear, nn.ModuleList, nn.functional = type("Module", (), {}), Linear, list, functional
    nn.init = types.SimpleNamespace(normal_=initial, zeros_=initial)
    functional.relu = lambda z: np.maximum(z, 0)
    functional.leaky_relu = lambda z, slope: np.where(z > 0, z, slope * z)
    functional.gelu = lambda z: z * (1 + erf(z / math.sqrt(2))) / 2
    functional.silu = lambda z: z / (1 + np.exp(-z))
    names = {}
    imports = {"import torch\n": torch, "import torch.nn.functional as F\n": functional, "from torch import nn\n": nn}
    for line, module in imports.items():
        assert line in code, code
        names[line.split()[-1]] = module
        code = code.replace(line, "")
    exec(compile(code, "pytorch", "exec"), names)
    return types.SimpleNamespace(**names)


class Step:
    """One network of the code and the first step of its optimizer, in double precision by explicit matrices."""

    def __init__(self, module, slope, tau=None):
        self.network, self.groups = module.network, module.optimizer.param_groups
        self.kind = type(module.optimizer).__name__
        self.phi, self.slope, self.tau = module.phi, slope, tau
        self.layers = [self.network.first, *self.network.hidden]
        self.tensors = [tensor for group in self.groups for tensor in group["params"]]
        self.inputs = self.network.first.weight.shape[1]

    def draw(self, rng):
        for tensor in self.tensors:
            tensor.value = rng.normal(size=tensor.shape) * tensor.std
        return rng.choice([-1.0, 1.0], self.inputs), rng.choice([-1.0, 1.0])

    def forward(self, x):
        zs = [self.layers[0](x)]
        for layer in self.layers[1:]:
            update = layer(self.phi(zs[-1]))
            zs.append(update if self.tau is None else zs[-1] + self.tau * update)
        return zs, float(self.network.last(self.phi(zs[-1]))[0])

    def take(self, rng):
        """||dz^L||^2 / n and the error r of a fresh network."""
        x, y = self.draw(rng)
        zs, f = self.forward(x)
        np.testing.assert_allclose(f, float(self.network.forward(x)), rtol=1e-12)
        r, tau = f - y, 1.0 if self.tau is None else self.tau
        gradients = {id(self.network.last.weight): r * self.phi(zs[-1])[None]}
        p = self.network.last.weight.value[0] * self.slope(zs[-1])
        for at in range(len(self.layers) - 1, -1, -1):
            layer, scale = self.layers[at], tau if at > 0 else 1.0
            below = self.phi(zs[at - 1]) if at > 0 else x
            gradients[id(layer.weight)] = r * scale * np.outer(p, below)
            if layer.bias is not None:
                gradients[id(layer.bias)] = r * scale * p
            if at > 0:
                p = (0 if self.tau is None else p) + scale * self.slope(zs[at - 1]) * (layer.weight.value.T @ p)
        for group in self.groups:
            for tensor in group["params"]:
                g = gradients[id(tensor)]
                norm = np.sqrt((g**2).sum())
                direction = {"SGD": g, "Adam": np.sign(g), "Orthogonal": g / norm if norm > 0 else g}[self.kind]
                tensor.value = tensor.value - group["lr"] * direction
        return ((self.forward(x)[0][-1] - zs[-1])**2).mean(), r


SLOPES = {"relu": lambda z: np.where(z > 0, 1.0, 0.0), "tanh": lambda z: 1 / np.cosh(z)**2,
          "erf": lambda z: np.exp(-math.pi / 4 * z**2)}


def score(a, b):
    """Of the difference of two samples' means."""
    return (a.mean() - b.mean()) / math.sqrt(a.var() / len(a) + b.var() / len(b))


class Transfer(Case):
    def transfer(self, *words):
        return json.loads(self.succeed("transfer", *FROM_TO, "--json", "-", *words))

    def theory(self, *words):
        return json.loads(self.succeed("theory", "--width", "32,64", "--depth", "3,6", "--json", "-", *words))["cells"]

    def test_factor_by_theory(self):
        cells = {(cell["width"], cell["depth"]): cell for cell in self.theory("--threshold", "1")}
        document = self.transfer()
        np.testing.assert_allclose(document["factor"], cells[32, 3]["exact"] / cells[64, 6]["exact"], rtol=1e-12)
        np.testing.assert_allclose(document["factor"], (exact_response("last", 64, 6) / exact_response("last", 32, 3))**0.5)
        self.assertIsNone(document["ci95"])
        self.assertEqual(document["law"], "exact moments")
        self.assertEqual(document["eta"], 0.05 * document["factor"])
        # To first order the threshold does not matter, of a whole step it does.
        np.testing.assert_allclose(self.transfer("--threshold", "0.01")["factor"], document["factor"], rtol=1e-12)
        for threshold in ("1", "0.01"):
            finite = self.transfer("--criterion", "finite", "--threshold", threshold)
            cells = {(cell["width"], cell["depth"]): cell for cell in
                     self.theory("--criterion", "finite", "--threshold", threshold)}
            np.testing.assert_allclose(finite["factor"], cells[32, 3]["infinite"] / cells[64, 6]["infinite"], rtol=1e-9)
            self.assertEqual(finite["law"], "infinite width")

    def test_groups(self):
        document = self.transfer("--input-dim", "16")
        eta = document["eta"]
        self.assertEqual([(g["layer"], g["count"]) for g in document["groups"]], [("first", 1), ("hidden", 2), ("last", 1)])
        np.testing.assert_allclose([g["lr"] / eta for g in document["groups"]], [32 / 16, 1, 1 / 32], rtol=1e-12)
        np.testing.assert_allclose([g["init_std"] for g in document["groups"]], [(2 / 16)**0.5, (2 / 32)**0.5, 1 / 32])
        frozen = self.transfer("--train", "hidden")
        self.assertEqual([g["lr"] == 0 for g in frozen["groups"]], [True, False, True])
        shallow = json.loads(self.succeed("transfer", *FROM_TO[:-1], "1", "--json", "-"))
        self.assertEqual([(g["layer"], g["count"]) for g in shallow["groups"]], [("first", 1), ("hidden", 0), ("last", 1)])
        self.assertNotIn("layer.weight for layer in network.hidden", shallow["pytorch"])

    def test_the_code_has_the_groups(self):
        for depth, words in (("3", []), ("1", ["--input-dim", "7"]), ("3", ["--train", "first"])):
            document = json.loads(self.succeed("transfer", *FROM_TO[:-1], depth, *words, "--json", "-"))
            module = load(document["pytorch"])
            expected = [group for group in document["groups"] if group["count"] > 0]
            self.assertEqual(len(module.optimizer.param_groups), len(expected))
            for group, mine in zip(module.optimizer.param_groups, expected):
                self.assertEqual((group["lr"], len(group["params"])), (mine["lr"], mine["count"]))
                self.assertEqual({tensor.std for tensor in group["params"]}, {mine["init_std"]})

    def test_a_step_with_the_code_is_that_of_exact_theory(self):
        # At a small rate and over r^2 the change is the response of a network, whose mean is known. |z| < 4.5: wrong with 7e-6.
        document = json.loads(self.succeed("transfer", *FROM_TO[:4], "--from-eta", "1e-6", *FROM_TO[6:], "--input-dim", "8",
                                           "--json", "-"))
        expected = exact_response("last", 32, 3, 8)
        for planted in (False, True):
            module = load(document["pytorch"])
            if planted:
                module.optimizer.param_groups[1]["lr"] /= 2
            step, rng = Step(module, SLOPES["relu"]), np.random.default_rng(5)
            responses = np.array([dz2 / (document["eta"] * r)**2 for dz2, r in (step.take(rng) for _ in range(600))])
            z = (responses.mean() - expected) / (responses.std() / len(responses)**0.5)
            (self.assertGreater if planted else self.assertLess)(abs(z), 4.5)

    # Options, the activation's name and the target's branch scale.
    STEPS = [(["--from-eta", "0.2"], "relu", None),
             (["--from-eta", "0.4", "--architecture", "residual", "--optimizer", "sign"], "relu", 3**-0.5),
             (["--from-eta", "0.3", "--activation", "tanh", "--optimizer", "normalized", "--biases"], "tanh", None),
             (["--from-eta", "0.3", "--activation", "erf", "--architecture", "residual", "--branch-power", "1", "--biases"],
              "erf", 1 / 3)]

    def test_a_step_with_the_code_is_that_of_a_sweep(self):
        for words, name, tau in self.STEPS:
            with self.subTest(words=words):
                model = words[2:]
                # The rate that `transfer` says, for both; the factor is measured where no theory covers the model.
                self.sweep("--width", "32,64", "--depth", "3,6", "--seeds", "30", "--eta", "0.01:3:log8", "--eta-unit", "absolute",
                           "--input-dim", "8", *model, "--overwrite", name="pilot.h5")
                document = json.loads(self.succeed("transfer", *FROM_TO[:4], *words[:2], *FROM_TO[6:], "--input-dim", "8",
                                                   *model, "--file", "pilot.h5", "--json", "-"))
                path = self.sweep("--width", "32", "--depth", "3", "--seeds", "2000", "--eta", repr(document["eta"]),
                                  "--eta-unit", "absolute", "--input-dim", "8", *model, "--overwrite")
                module = load(document["pytorch"])
                step, rng = Step(module, SLOPES[name], tau), np.random.default_rng(9)
                changes = np.array([step.take(rng)[0] for _ in range(500)])
                self.assertLess(abs(score(changes, trials(path)["dz2_last"])), 4.5)

    def test_factor_by_measurement(self):
        self.sweep("--width", "32,64", "--depth", "3,6", "--seeds", "60", "--eta", "0.3:3:log12", name="run.h5")
        for criterion in ("linear", "finite"):
            document = self.transfer("--file", "run.h5", "--criterion", criterion)
            fit, = self.fit("run.h5", "--criterion", criterion)["fits"]
            cells = {(cell["width"], cell["depth"]): cell for cell in fit["cells"]}
            np.testing.assert_allclose(document["factor"], cells[32, 3]["eta_star"] / cells[64, 6]["eta_star"], rtol=1e-12)
            low, high = document["ci95"]
            self.assertTrue(low < document["factor"] < high)
            # Independent errors: the logs' intervals add in squares, but for the degrees of freedom.
            half = np.hypot(*(np.diff(np.log(cells[at]["ci95"]))[0] for at in ((32, 3), (64, 6)))) / 2
            np.testing.assert_allclose(math.log(high / low) / 2, half, rtol=0.05)
            self.assertEqual(document["law"], "measured")
        same = json.loads(self.succeed("transfer", *FROM_TO[:6], "--to-width", "64", "--to-depth", "6", "--file", "run.h5",
                                       "--json", "-"))
        self.assertEqual((same["factor"], same["ci95"]), (1, [1, 1]))
        for words, says in ((["--input-dim", "8"], ["another model", "input-dim 64", "input-dim 8"]),
                            (["--optimizer", "sign"], ["another model", "sgd", "sign"]),
                            (["--criterion", "finite", "--threshold", "1e9"], ["width 64, depth 6", "threshold"])):
            self.refuse(2, "transfer", *FROM_TO, "--file", "run.h5", *words, says=["file: ", *says])
        self.refuse(2, "transfer", *FROM_TO[:-1], "4", "--file", "run.h5", says=["width 32, depth 4", "depths 3, 6"])
        self.refuse(3, "transfer", *FROM_TO, "--file", "absent.h5", says=["absent.h5"])

    def test_what_it_rests_on_is_always_said(self):
        text = self.succeed("transfer", *FROM_TO)
        document = self.transfer()
        self.assertIn(document["rests_on"], text)
        for word in ("first step", "batch of one", "normalisation layers"):
            self.assertIn(word, document["rests_on"])
        self.assertIn(document["pytorch"], text)
        for group in document["groups"]:
            self.assertIn(f"{group['lr']:.6g}", text)

    def test_bad_usage(self):
        for at in range(0, 10, 2):
            self.refuse(2, "transfer", *FROM_TO[:at], *FROM_TO[at + 2:], says=[FROM_TO[at][2:] + ": is missing"])
            self.refuse(2, "transfer", *FROM_TO[:at + 1], "0", *FROM_TO[at + 2:], says=[FROM_TO[at][2:], "'0'"])
        self.refuse(2, "transfer", *FROM_TO, "--threshold", "x", says=["threshold", "'x'"])
        self.refuse(2, "transfer", *FROM_TO, "--branch-power", "1", says=["branch-power", "mlp"])
        self.refuse(2, "transfer", *FROM_TO, "--train", "last", says=["no rate reaches", "--file"])
        self.assertEqual(self.names(), [])

    def test_documented_keys(self):
        page = (ROOT / "docs" / "format.md").read_text().split("## JSON of `etastar transfer --json`")[1].split("\n## ")[0]
        tables = re.findall(r"^\| key of (.*?) \| value \|\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
        documented = {head: {key for line in body.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])}
                      for head, body in tables}
        document = self.transfer()
        self.assertEqual(documented, {"the document": set(document), "a group": set(document["groups"][0])})


if __name__ == "__main__":
    unittest.main()
