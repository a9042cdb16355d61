"""Command line and configuration files."""
import json
import re
import unittest

import h5py
import numpy as np

from support import Case, ROOT, TINY, together

COMMANDS = ["plan", "sweep", "fit", "theory", "transfer"]
MODEL_OPTIONS = ["activation", "leak", "weight-variance", "architecture", "branch-power", "biases", "optimizer"]
SWEEP_OPTIONS = ["trial", "width", "depth", "eta", "seeds", "first-seed", "eta-unit", "engine", "input-dim", "precision",
                 *MODEL_OPTIONS, "train", "rates", "output", "overwrite", "profile", "config"]
FIT_OPTIONS = ["criterion", "threshold", "layer", "relative", "json"]
THEORY_OPTIONS = ["width", "depth", "input-dim", *MODEL_OPTIONS, "train", "rates", "criterion", "threshold", "layer", "eta", "json"]
TRANSFER_OPTIONS = ["from-width", "from-depth", "from-eta", "to-width", "to-depth", "input-dim", *MODEL_OPTIONS, "train", "rates",
                    "criterion", "threshold", "file", "json"]

# What no list may hold, and the part of it that the message must name.
BAD_LISTS = [
    ("", "''"), (",", "','"), ("4,", "'4,'"), (",4", "',4'"), ("4,,8", "'4,,8'"), ("4,4", "4 "), ("2:8:x2,4", "4 "),
    ("0", "'0'"), ("-1", "'-1'"), ("inf", "'inf'"), ("nan", "'nan'"), ("-inf", "'-inf'"), ("four", "'four'"),
    ("4 8", "'4 8'"), ("4;8", "'4;8'"), ("0x10", "'0x10'"), ("+4", "'+4'"), ("8:4:x2", "8:4:x2"),
    ("8:4:log3", "8:4:log3"), ("8:4:lin3", "8:4:lin3"), ("4:4:x2", "4:4:x2"), ("4:8", "'4:8'"),
    ("4:8:x2:3", "4:8:x2:3"), ("4::x2", "''"), (":8:x2", "''"), ("4:8:", "4:8:"), ("4:8:y2", "4:8:y2"),
    ("4:8:2", "4:8:2"), ("4:8:x", "4:8:x"), ("4:8:x1", "4:8:x1"), ("4:8:x0.5", "4:8:x0.5"), ("4:8:x-2", "4:8:x-2"),
    ("4:8:xinf", "4:8:xinf"), ("4:8:xnan", "4:8:xnan"), ("4:8:lin", "4:8:lin"), ("4:8:lin1", "4:8:lin1"),
    ("4:8:lin0", "4:8:lin0"), ("4:8:lin-3", "4:8:lin-3"), ("4:8:log1.5", "4:8:log1.5"),
    ("4:8:lin99999999999", "4:8:lin99999999999"), ("4:8:x1.0000000001", "4:8:x1.0000000001"),
    ("0:8:lin3", "'0'"), ("4:0:x2", "'0'"), ("nan:8:x2", "'nan'"), ("4:inf:x2", "'inf'"),
    ("4\n8", "4"), ("9" * 5000, "999"),
]
BAD_INTEGER_LISTS = BAD_LISTS + [
    ("1.5", "'1.5'"), ("4.0", "'4.0'"), ("1.25e1", "'1.25e1'"), ("1e-1", "'1e-1'"), ("10e-1", "'10e-1'"), ("1.e3", "'1.e3'"),
    ("1e", "'1e'"), ("e3", "'e3'"), (".5e1", "'.5e1'"), ("1e10", "'1e10'"), ("0e3", "'0e3'"), ("1e3e3", "'1e3e3'"), ("4294967296", "'4294967296'"),
    ("4:5000000000:x2", "'5000000000'"), ("1:3:lin5", "2 "),
]
BAD_REAL_LISTS = BAD_LISTS + [("1e400", "'1e400'"), ("1e-400", "'1e-400'"), ("1,1.0", "1 "), ("1e", "'1e'")]
BAD_COUNTS = [("", "''"), ("-1", "'-1'"), ("1.5", "'1.5'"), ("1.5e0", "'1.5e0'"), ("1e20", "'1e20'"), ("inf", "'inf'"), ("nan", "'nan'"),
              ("1,2", "'1,2'"), ("ten", "'ten'"), ("18446744073709551616", "'18446744073709551616'")]

# Bad values of plan and sweep: option, value, what the message must name besides the option.
BAD_SWEEP = [
    *(("width", *bad) for bad in BAD_INTEGER_LISTS),
    *(("depth", *bad) for bad in BAD_INTEGER_LISTS[-8:]),
    ("depth", "4294967295", "4294967295"), ("depth", "16777217", "16777216"), ("depth", "1:4294967295:lin9", "16777216"),
    ("depth", "1:16777216:lin1000", "layers"), ("depth", "1:100000:lin100000", "layers"),
    *(("eta", *bad) for bad in BAD_REAL_LISTS),
    *(("seeds", *bad) for bad in BAD_COUNTS),
    ("seeds", "0", "'0'"), ("seeds", "18446744073709551615", "networks"),
    *(("first-seed", *bad) for bad in BAD_COUNTS),
    ("first-seed", "18446744073709551615", "18446744073709551615"),
    *(("input-dim", *bad) for bad in BAD_COUNTS if bad[0]),
    ("input-dim", "0", "'0'"), ("input-dim", "4294967296", "'4294967296'"),
    *(("weight-budget", *bad) for bad in BAD_COUNTS if bad[0]),
    *(("threads", *bad) for bad in BAD_COUNTS if bad[0]),
    ("threads", "0", "'0'"), ("threads", "1025", "1024"), ("threads", "", "empty"), ("weight-budget", "", "empty"),
    ("weight-budget", "18446744073709551615", "18446744073709551615"),
    ("eta-unit", "relative", "'relative'"), ("eta-unit", "Linear", "'Linear'"), ("eta-unit", "lin", "'lin'"),
    ("engine", "sparse", "'sparse'"), ("engine", "", "''"),
    ("precision", "half", "'half'"), ("precision", "float", "'float'"), ("precision", "sing", "'sing'"),
    ("train", "none", "'none'"), ("train", "LAST", "'LAST'"), ("train", "hid", "'hid'"),
    ("rates", "ntk", "'ntk'"), ("rates", "MUP", "'MUP'"), ("rates", "", "''"),
    ("shard", "", "empty"), ("time-limit", "", "empty"), ("config", "absent.cfg", "'absent.cfg'"), ("config", ".", "'.'"), ("output", "", "empty"),
    ("activation", "swish", "'swish' is not one of relu"), ("activation", "ReLU", "'ReLU'"), ("activation", "", "''"),
    ("trial", "last-step", "'last-step' is not one of first-step"), ("trial", "First-step", "'First-step'"),
    ("trial", "first", "'first'"), ("trial", "", "''"),
    ("config", "absent.cfg", "'absent.cfg'"), ("config", ".", "'.'"), ("output", "", "empty"),
]
BAD_FIT = [
    ("criterion", "", "empty"), ("criterion", "cubic", "'cubic'"), ("criterion", "Linear", "'Linear'"),
    *(("threshold", value, f"'{value}'") for value in ("0", "-1", "inf", "nan", "one", "1e400", "1,2")),
    ("layer", "first", "'first'"), ("layer", "", "''"), ("layer", "LAST", "'LAST'"),
    ("resamples", "0", "'0'"), ("resamples", "1", "1 "), ("resamples", "x", "'x'"), ("seed", "-1", "'-1'"),
]
BAD_THEORY = [
    ("width", "", "empty"), *(("width", *bad) for bad in BAD_INTEGER_LISTS[1:12]), *(("depth", *bad) for bad in BAD_INTEGER_LISTS[-6:]),
    ("depth", "4294967295", "4294967295"), ("depth", "1,16777217", "16777216"), ("depth", "1:100000:lin100000", "layers"),
    ("threshold", "0", "'0'"), ("threshold", "nan", "'nan'"), ("layer", "max", "'max'"), ("layer", "top", "'top'"),
    ("train", "some", "'some'"), ("rates", "some", "'some'"), ("input-dim", "0", "'0'"),
    ("activation", "swish", "'swish' is not one of relu"),
    ("criterion", "cubic", "'cubic'"), ("criterion", "", "''"), ("eta", "0", "'0'"), ("eta", "", "empty"),
]

# Widths, depths and rates as written, and as they must stand on the file's axes.
GOOD_LISTS = [
    ("8", "1", "1", [8], [1], [1]),
    ("16,8", "3,1,2", "1,.5,1e-2", [8, 16], [1, 2, 3], [0.01, 0.5, 1]),
    ("4:16:x2", "1:8:x3", "1:8:x2", [4, 8, 16], [1, 3], [1, 2, 4, 8]),
    ("4:12:lin3", "1:4:log3", "0.01:1:log3", [4, 8, 12], [1, 2, 4], [0.01, 0.1, 1]),
    (" 4 , 8:16:x2 ", "1:2:lin2", "1:2:lin5,10", [4, 8, 16], [1, 2], [1, 1.25, 1.5, 1.75, 2, 10]),
    ("4:15:x2", "1,4:9:lin2", "0.1:0.9:x3", [4, 8], [1, 4, 9], [0.1, 0.3, 0.9]),
    ("1e2:4e2:x2", "1e0,2.00e+0", "1e-1:1:log2", [100, 200, 400], [1, 2], [0.1, 1]),
    ("1.6E1", "1:3:lin3e0", "1", [16], [1, 2, 3], [1]),
]

# Lines of a configuration file that must be refused, and what the message must name.
BAD_CONFIGS = [
    ("wdth = 8", ["wdth"]), ("wid = 8", ["wid"]), ("eta_unit = linear", ["eta_unit"]), ("help = 1", ["help"]),
    ("config = other.cfg", ["config"]), ("threshold = 1", ["my.cfg:1: 'threshold'"]), ("[grid]\nwidth = 8", ["my.cfg:1: '[grid]'"]),
    ("width 8", ["width 8"]), ("width = 8\n\nwidth = 16", ["my.cfg:3: width: is set already, on line 1"]), ("width = 0", ["width", "'0'"]),
    ("width =", ["width", "''"]), ("train = some", ["train", "'some'"]), ("seeds = -1", ["seeds", "'-1'"]),
    ("seeds = 2\nprofile = maybe", ["my.cfg:2:", "profile", "maybe"]),
    ("width = '8", ["my.cfg:1: width: ''8' has no closing quote"]), ("seeds = 1\nwidth = 8\"", ["my.cfg:2: width: '8\"' has no opening quote"]),
    ("width = '8' 16", ["my.cfg:1: width", "goes on after its closing quote"]), ("width = \"8'", ["no closing quote"]),
    ("width = ''", ["width", "''"]), ("output = \"\"", ["my.cfg:1: output: the file name is empty"]),
    ("wi#dth = 8", ["my.cfg:1: 'wi#dth = 8' is not a line"]), ("= 8", ["my.cfg:1: '= 8' is not a line"]),
]


class BadValues(Case):
    def check(self, table, *command):
        results = together(lambda option, value, _: self.etastar(*command, f"--{option}", value), table)
        for (option, value, word), result in zip(table, results):
            with self.subTest(command=command, option=option, value=value[:40]):
                self.assert_refused(result, 2, [option, word])

    def test_plan(self):
        self.check(BAD_SWEEP, "plan")
        self.assertEqual(self.names(), [])

    def test_sweep(self):
        # One value of each option: sweep shares its options with plan, but must not leave a file behind.
        self.check(list({bad[0]: bad for bad in BAD_SWEEP}.values()), "sweep")
        self.assertEqual(self.names(), [])

    def test_fit(self):
        self.check(BAD_FIT, "fit", "absent.h5")

    def test_theory(self):
        self.check(BAD_THEORY, "theory")

    def test_linear_unit_without_a_linear_rate(self):
        for train, depth in (("last", "2"), ("hidden", "1")):
            for command in ("plan", "sweep"):
                self.refuse(2, command, "--train", train, "--depth", depth, says=["eta-unit", train, "absolute"])
        self.assertEqual(self.names(), [])

    def test_grids_too_large_to_be_meant(self):
        self.refuse(2, "plan", "--seeds", "9999999999", says=["seeds"])
        self.refuse(2, "plan", "--seeds", "9223372036854775808", says=["seeds"])
        for words in (["plan", "--eta-unit", "absolute", "--seeds", "1", "--eta", "1"], ["theory"]):
            self.refuse(2, *words, "--width", "1:4000000000:lin100000", "--depth", "1:20:lin20", says=["depth", "1000000"])
        self.succeed("plan", "--eta-unit", "absolute", "--depth", "16777216", "--seeds", "1")
        self.refuse(2, "plan", "--width", "1", "--depth", "1", "--seeds", "4000000000", "--eta", "1:9:lin300",
                    says=["rows"])


class Grammar(Case):
    def test_lists(self):
        for width, depth, eta, *axes in GOOD_LISTS:
            with self.subTest(width=width, depth=depth, eta=eta):
                path = self.sweep("--width", width, "--depth", depth, "--eta", eta, "--seeds", "1", "--overwrite")
                with h5py.File(path, "r") as file:
                    for name, expected in zip(("width", "depth", "eta"), axes):
                        np.testing.assert_allclose(file["axes"][name][:], expected, rtol=1e-14, err_msg=name)

    def test_ends_are_exact(self):
        path = self.sweep("--width", "8", "--depth", "1", "--seeds", "1", "--eta", "0.1:0.7:log4,1.1:2.3:lin4,3:24:x2")
        with h5py.File(path, "r") as file:
            eta = file["axes/eta"][:]
        self.assertEqual([eta[0], eta[3], eta[4], eta[7], eta[8], eta[-1]], [0.1, 0.7, 1.1, 2.3, 3, 24])
        self.assertTrue((np.diff(eta) > 0).all())

    def test_value_after_equal_sign(self):
        self.assertEqual(self.succeed("theory", "--width=8", "--depth=2"),
                         self.succeed("theory", "--width", "8", "--depth", "2"))

    def test_same_option_twice(self):
        self.refuse(2, "plan", "--width", "8", "--width", "16", says=["width"])

    def test_missing_value(self):
        for option in ("width", "output", "config"):
            self.refuse(2, "plan", f"--{option}", says=[option])
            self.refuse(2, "plan", f"--{option}=", says=[option])
        self.refuse(2, "plan", "--profile=1", says=["profile"])

    def test_unknown_and_abbreviated_options(self):
        self.refuse(2, "plan", "--operand", "8", says=["operand"])
        for command, options in (("plan", ["--frobnicate", "--wid", "--eta-u", "--weight", "--threshold", "-w", "-x",
                                           "--Width"]),
                                 ("sweep", ["--frobnicate", "--out", "--over", "--first", "--json"]),
                                 ("fit", ["--crit", "--thresh", "--lay", "--js", "--engine", "--config"]),
                                 ("theory", ["--wid", "--dep", "--et", "--seeds", "--crit"])):
            for option in options:
                with self.subTest(command=command, option=option):
                    words = [command, "file.h5"] if command == "fit" else [command]
                    self.refuse(2, *words, option, "8", says=[option])
                    self.refuse(2, *words, option, says=[option])
        self.assertEqual(self.names(), [])


class Commands(Case):
    def test_help(self):
        text = self.succeed("--help")
        for word in [*COMMANDS, "--version", "Exit codes"]:
            self.assertIn(word, text)
        for command, options in (("plan", SWEEP_OPTIONS), ("sweep", SWEEP_OPTIONS), ("fit", FIT_OPTIONS),
                                 ("theory", THEORY_OPTIONS), ("transfer", TRANSFER_OPTIONS)):
            text = self.succeed(command, "--help")
            for option in options:
                self.assertIn(f"--{option} ", text, command)
            self.assertEqual(self.succeed(command, "--input-dim", "8", "--help") if command != "fit" else text, text)
        self.assertEqual(self.names(), [])

    def test_help_fits_a_terminal(self):
        for command in COMMANDS:
            widest = max(map(len, self.succeed(command, "--help").splitlines()))
            self.assertLessEqual(widest, 120, command)

    def test_version(self):
        self.assertRegex(self.succeed("--version"),
                         r"\Aetastar \d+\.\d+\.\d+ \((unknown|[0-9a-f]{7,40}(-dirty)?)\)\n\Z")

    def test_no_command(self):
        self.refuse(2, says=COMMANDS)
        self.refuse(2, "", says=COMMANDS)

    def test_unknown_command(self):
        for word in ("run", "Sweep", "swee", "sweep ", "--width", "-v", "sweep\nplan"):
            self.refuse(2, word, says=COMMANDS)
        self.refuse(2, "run", says=["'run'"])

    def test_stray_arguments(self):
        for words in (["plan", "x"], ["sweep", "x"], ["theory", "x"], ["fit", "a.h5", "x"], ["plan", "--", "x"],
                      ["plan", "--profile", "x"]):
            self.refuse(2, *words, says=["'x'"])
        self.refuse(2, "fit", says=["FILE"])
        self.refuse(2, "fit", "--json", "-", says=["FILE"])
        self.refuse(2, "--version", "x", says=["'x'"])
        self.assertEqual(self.names(), [])

    def test_plan_runs_nothing(self):
        text = self.succeed("plan", *TINY)
        for word in ("networks", "12", "rows", "36", "file size", "memory per rank", "work"):
            self.assertIn(word, text)
        self.assertEqual(self.names(), [])

    def test_plan_of_the_defaults(self):
        self.assertIn("networks", self.succeed("plan"))

    def test_plan_foretells_the_file_size(self):
        grid = ["--width", "8,16", "--depth", "1,3", "--seeds", "100", "--eta", "0.1,1,10", "--profile"]
        size, unit = re.search(r"file size +([\d.]+) (KiB|MiB)", self.succeed("plan", *grid)).groups()
        told = float(size) * {"KiB": 2**10, "MiB": 2**20}[unit]
        # But for a few kilobytes of structure.
        self.assertLess(abs(self.sweep(*grid).stat().st_size - told), 24576)


class Config(Case):
    def spec(self, text, *words):
        (self.dir / "my.cfg").write_text(text)
        with h5py.File(self.sweep("--config", "my.cfg", *words, "--overwrite"), "r") as file:
            return json.loads(file.attrs["spec"])

    def test_sets_every_option(self):
        spec = self.spec("# a comment\n\nwidth = 8, 16   # after a value\ndepth=1:2:lin2\n  eta = 0.5\n"
                         "eta-unit = absolute\nseeds = 2\nfirst-seed = 7\nengine = dense\ninput-dim = 3\n"
                         "precision = double\ntrain = first\nrates = global\nprofile = true\nactivation = leaky-relu\n"
                         "trial = first-step\nleak = 0.5\nweight-variance = 1.5\narchitecture = residual\n"
                         "branch-power = 1\nbiases = true\noptimizer = sign\n")
        expected = {"width": [8, 16], "depth": [1, 2], "eta": [0.5], "eta_unit": "absolute", "seeds": 2,
                    "first_seed": 7, "engine": "dense", "input_dim": 3, "precision": "double", "train": "first",
                    "rates": "global", "profile": True, "activation": "leaky-relu", "trial": "first-step", "leak": 0.5,
                    "weight_variance": 1.5, "architecture": "residual", "branch_power": 1, "biases": True, "optimizer": "sign"}
        self.assertEqual(spec, expected)

    def test_command_line_wins(self):
        text = "width = 8\ndepth = 2\neta = 1\nseeds = 3\nprecision = double\n"
        spec = self.spec(text, "--seeds", "2", "--precision", "single", "--width", "4")
        self.assertEqual((spec["seeds"], spec["precision"], spec["width"], spec["depth"]), (2, "single", [4], [2]))

    def test_a_bad_value_that_the_command_line_replaces(self):
        self.assertEqual(self.spec("width = 0\ndepth = 1\neta = 1\nseeds = 1\n", "--width", "4")["width"], [4])

    def test_output_and_overwrite(self):
        (self.dir / "my.cfg").write_text("width = 8\ndepth = 1\neta = 1\nseeds = 1\noutput = from config.h5\n")
        self.succeed("sweep", "--config", "my.cfg")
        self.refuse(3, "sweep", "--config", "my.cfg", says=["from config.h5"])
        (self.dir / "my.cfg").write_text("width = 8\ndepth = 1\neta = 1\nseeds = 1\noutput = from config.h5\n"
                                         "overwrite = true\n")
        self.succeed("sweep", "--config", "my.cfg")
        self.assertEqual(self.names(), ["from config.h5", "my.cfg"])

    def test_windows_line_ends(self):
        self.assertEqual(self.spec("width = 8\r\ndepth = 1\r\neta = 1\r\nseeds = 1\r\n")["width"], [8])

    def test_refused(self):
        for text, words in BAD_CONFIGS:
            with self.subTest(text=text):
                (self.dir / "my.cfg").write_text(text + "\n")
                self.refuse(2, "plan", "--config", "my.cfg", says=words)

    def test_names_the_file(self):
        (self.dir / "my.cfg").write_text("wdth = 8\n")
        self.refuse(2, "sweep", "--config", "my.cfg", says=["my.cfg", "wdth"])
        self.assertEqual(self.names(), ["my.cfg"])

    def test_ready_sweeps(self):
        ready = sorted((ROOT / "jobs").rglob("*.cfg"))
        self.assertGreater(len(ready), 40)
        # A stand-in for the user's data of each that has some.
        for config in ready:
            values = dict(re.findall(r"^([\w-]+) *= *(\S+)", config.read_text(), re.MULTILINE))
            if values.get("data", "").endswith(".h5"):
                with h5py.File(self.dir / values["data"], "w") as file:
                    file["x"] = np.ones((int(values["samples"]), int(values["input-dim"])))
                    file["y"] = np.ones(int(values["samples"]))
        for config, result in zip(ready, together(lambda config: self.etastar("plan", "--config", config), [(c,) for c in ready])):
            with self.subTest(config=config.name):
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertIn("networks", result.stdout)

    def test_binary_file(self):
        (self.dir / "my.cfg").write_bytes(bytes(range(256)) * 40)
        self.refuse(2, "plan", "--config", "my.cfg", says=["my.cfg"])


if __name__ == "__main__":
    unittest.main()
