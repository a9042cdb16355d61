"""The Python package in python/, and the examples of docs/reading.md."""
import json
import os
import re
import shutil
import sys
import unittest
from unittest import mock

import h5py
import numpy as np
import xarray as xr

from support import (BINARY, Case, DONE, FAILED, MEASURED, NONFINITE, PENDING, ROOT, attributes, environment, flip_byte, make_rows,
                     make_spec, run, trials, wait_for, write_file)

sys.path.insert(0, str(ROOT / "python"))
import etastar  # noqa: E402
from etastar import _sweep  # noqa: E402

STATUSES = ["pending", "done", "nonfinite", "failed", "skipped"]
GRID = ["--width", "8,12", "--depth", "1,2,4", "--seeds", "3", "--first-seed", "5", "--eta", "0.1,1,10"]
# Runs that converge and that diverge.
TRAINING = ["--trial", "training", "--width", "8,40", "--depth", "1,4", "--seeds", "5", "--eta", "0.1,1,300", "--steps", "9"]


class FirstStep(Case):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep(*GRID, "--profile")
        cls.sweep_ = etastar.open(cls.path)

    def test_what_it_is(self):
        sweep = self.sweep_
        self.assertEqual(sweep.spec, json.loads(attributes(self.path)["spec"]))
        self.assertEqual((sweep.kind, sweep.shape, sweep.complete), ("first-step", (2, 3, 3, 3), True))
        self.assertEqual(sweep.provenance["ranks"], 1)
        self.assertEqual(sweep.counts(), {"pending": 0, "done": 54, "nonfinite": 0, "failed": 0, "skipped": 0, "damaged": 0})
        self.assertIn("sweep.h5': first-step, 2 width x 3 depth x 3 seed x 3 eta", repr(sweep))
        with h5py.File(self.path, "r") as file:
            self.assertEqual(sweep.columns, {name: file["trials"].attrs[name] for name in file["trials"].dtype.names[:-1]})

    def test_rows(self):
        rows, expected = self.sweep_.rows(), trials(self.path)
        self.assertEqual(rows.dtype.names, expected.dtype.names[:-1])
        for name in rows.dtype.names:
            np.testing.assert_array_equal(rows[name], expected[name], name)

    def test_frame(self):
        frame, rows = self.sweep_.frame(), trials(self.path)
        self.assertEqual(list(frame)[:6], ["width", "depth", "seed", "eta", "eta_axis", "target"])
        self.assertEqual(frame["status"].unique().tolist(), ["done"])
        np.testing.assert_array_equal(frame["dz2_last"], rows["dz2_last"])
        self.assertEqual(sorted(frame["eta_axis"].unique()), [0.1, 1, 10])

    def test_dataset(self):
        data, rows = self.sweep_.dataset(), trials(self.path).reshape(2, 3, 3, 3)
        self.assertEqual(dict(data.sizes), {"width": 2, "depth": 3, "seed": 3, "eta": 3, "layer": 4})
        for name in (*MEASURED, "status"):
            self.assertEqual(data[name].dims, ("width", "depth", "seed", "eta"))
            np.testing.assert_array_equal(data[name], rows[name], name)
            self.assertEqual(data[name].attrs["long_name"], self.sweep_.columns[name])
        one = data.sel(width=12, depth=4, seed=6)
        self.assertEqual(one.eta_absolute.values.tolist(), rows["eta"][1, 2, 1].tolist())
        np.testing.assert_array_equal(one.dz2_last, rows["dz2_last"][1, 2, 1])
        np.testing.assert_array_equal(one.response.sel(layer=4), rows["response_last"][1, 2, 1, 0])
        self.assertEqual((data.dz2_last.units, data.eta.units, data.eta.unit), ("1", "1", "linear"))
        self.assertEqual(data.status.flag_meanings.split(), STATUSES)
        with h5py.File(self.path, "r") as file:
            np.testing.assert_array_equal(data.response.values.reshape(18, 4), file["profile/response"])
        self.assertNotIn("layer", self.sweep_.dataset(tables=False).sizes)
        data.to_netcdf(self.dir / "data.nc", engine="h5netcdf")
        with xr.open_dataset(self.dir / "data.nc", engine="h5netcdf") as again:
            xr.testing.assert_identical(again.load(), data)

    def test_says_what_fit_says(self):
        cells = self.fit(self.path, "--criterion", "linear", "--threshold", "1")["fits"][0]["cells"]
        mean = self.sweep_.dataset(False).response_last.isel(eta=0).mean("seed")
        self.assertEqual(len(cells), 6)
        for cell in cells:
            star = float(mean.sel(width=cell["width"], depth=cell["depth"])) ** -0.5
            self.assertAlmostEqual(cell["eta_star"], star, delta=1e-12 * star)

    def test_without_pandas_and_xarray(self):
        with mock.patch.dict(sys.modules, {"pandas": None, "xarray": None}):
            for method, needs in ((self.sweep_.frame, "python3-pandas"), (self.sweep_.dataset, "python3-xarray")):
                with self.assertRaisesRegex(ImportError, needs):
                    method()
            self.assertEqual(len(self.sweep_.rows()), 54)

    def test_damage(self):
        with h5py.File(self.path, "r") as file:
            table = file["profile/response"].id.get_offset()
        path = self.copy(self.path)
        flip_byte(path, 7, 60)
        flip_byte(path, 11, 144)
        flip_byte(path, 20, 16)
        with open(path, "r+b") as file:
            file.seek(table + 4 * 32 * 5 // 4)
            file.write(b"torn")
        sweep = etastar.open(path)
        counts = sweep.counts()
        self.assertEqual((counts["pending"], counts["done"], counts["damaged"]), (0, 51, 3))
        told = self.fit(path)["rows"]
        self.assertEqual(told, {"all": 54, "finished": 51, "pending": 0, "failed": 0, "damaged": 3})
        rows, whole = sweep.rows(), self.sweep_.rows()
        self.assertEqual(np.flatnonzero(rows["status"] == PENDING).tolist(), [7, 11, 20])
        for name in ("width", "depth", "seed", "eta"):
            np.testing.assert_array_equal(rows[name], whole[name])
        self.assertTrue(np.isnan(rows["dz2_last"][[7, 11, 20]]).all())
        self.assertEqual(len(sweep.frame()), 51)
        self.assertEqual(len(sweep.frame(all=True)), 54)
        # With its profile, whose fifth row is damaged, the fifth network is not finished: status counts it.
        data = sweep.dataset()
        self.assertTrue(np.isnan(data.response.values.reshape(18, 4)[5]).all())
        self.assertEqual(int((data.status == PENDING).sum()), 4)
        self.assertIn("damaged rows     4", self.etastar("status", path).stdout)

    def test_a_row_of_another_place(self):
        path = self.copy(self.path)
        with h5py.File(path, "r+") as file:
            rows = file["trials"][:]
            rows[3], rows[30] = rows[30].copy(), rows[3].copy()
            file["trials"][:] = rows
        self.assertEqual(np.flatnonzero(etastar.open(path).rows()["status"] == PENDING).tolist(), [3, 30])

    def test_damaged_structure(self):
        whole = self.path.read_bytes()
        for at, says in ((900, "structure does not match"), (len(whole) - 200, None), (len(whole) - 50, None)):
            path = self.dir / "damaged.h5"
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            if says is None:  # one of the seal's two copies
                self.assertEqual(etastar.open(path).counts()["done"], 54)
            else:
                with self.assertRaisesRegex(etastar.FormatError, says):
                    etastar.open(path)
        path.write_bytes(whole[:-256])  # as HDF5 leaves a file that it has opened for writing
        self.assertEqual(etastar.open(path).counts()["done"], 54)
        both = bytearray(whole)
        both[-200] ^= 1
        both[-50] ^= 1
        path.write_bytes(both)
        with self.assertRaisesRegex(etastar.FormatError, "seal does not match"):
            etastar.open(path)

    def test_replaced_by_another_sweep(self):
        path = self.copy(self.path)
        sweep = etastar.open(path)
        self.succeed("sweep", *GRID[:-2], "--eta", "1", "--output", path, "--overwrite")
        with self.assertRaisesRegex(etastar.FormatError, "was replaced by another sweep"):
            sweep.rows()

    def test_groups_in_xarray(self):
        def group(name):
            with xr.open_dataset(self.path, engine="h5netcdf", group=name) as data:
                return data.load()
        axes, profile, root = group("axes"), group("profile"), group(None)
        self.assertEqual(axes.eta_absolute.dims, ("width", "depth", "eta"))
        self.assertEqual(axes.seed.values.tolist(), [5, 6, 7])
        xr.testing.assert_equal(axes.eta_absolute, self.sweep_.dataset(False).eta_absolute.reset_coords(drop=True))
        self.assertEqual(profile.response.dims, ("network", "layer"))
        self.assertEqual(profile.layer.values.tolist(), [1, 2, 3, 4])
        self.assertEqual(profile.response.long_name, "response G_l of every layer, NaN beyond the depth")
        self.assertEqual(root.trials.dims, ("row",))
        np.testing.assert_array_equal(root.trials.values["dz2_last"], trials(self.path)["dz2_last"])


class Training(Case):
    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep(*TRAINING)

    def losses(self, path):
        with h5py.File(path, "r") as file:
            return file["steps/loss"][:]

    def test_dataset(self):
        sweep, rows = etastar.open(self.path), trials(self.path)
        data = sweep.dataset()
        self.assertEqual(data.loss.dims, ("width", "depth", "seed", "eta", "step"))
        np.testing.assert_array_equal(data.loss.values.reshape(-1, 10), self.losses(self.path))
        np.testing.assert_array_equal(data.loss_min.values.ravel(), rows["loss_min"])
        counts = sweep.counts()
        self.assertEqual((counts["done"], counts["nonfinite"]), (int((rows["status"] == DONE).sum()), int((rows["status"] == NONFINITE).sum())))
        self.assertGreater(counts["nonfinite"], 0)
        self.assertEqual(set(sweep.frame().status), {"done", "nonfinite"})
        with xr.open_dataset(self.path, engine="h5netcdf", group="steps") as steps:
            self.assertEqual(steps.loss.dims, ("row", "step"))
            np.testing.assert_array_equal(steps.step, range(10))

    def test_damage(self):
        # A loss of row 4, and losses of another run in the place of network 2's.
        for change, row in ((lambda losses, checks: losses.__setitem__((4, 3), 0.5), 4),
                            (lambda losses, checks: [a.__setitem__(slice(6, 9), a[9:12]) for a in (losses, checks)], 6)):
            path = self.copy(self.path)
            with h5py.File(path, "r+") as file:
                losses, checks = file["steps/loss"][:], file["steps/check"][:]
                change(losses, checks)
                file["steps/loss"][:], file["steps/check"][:] = losses, checks
            sweep = etastar.open(path)
            self.assertEqual(np.flatnonzero(sweep.rows()["status"] == PENDING).tolist(), [row])
            told = self.fit(path)["rows"]
            counts = sweep.counts()
            self.assertEqual((counts["damaged"], counts["done"] + counts["nonfinite"], counts["pending"]),
                             (told["damaged"], told["finished"], told["pending"]))
            self.assertEqual(told["damaged"], 1)


class Made(Case):
    """Files that no sweep would write here."""

    SPEC = make_spec([8, 16], [1, 3], [0.1, 1], 2)

    def write(self, rows=None, spec=None, **changes):
        path = self.dir / "made.h5"
        write_file(path, spec or self.SPEC, make_rows(self.SPEC) if rows is None else rows, **changes)
        return path

    def refused(self, says, path):
        with self.assertRaises(etastar.FormatError) as caught:
            etastar.open(path)
        self.assertTrue(str(caught.exception).startswith(f"{path}: "), caught.exception)
        self.assertIn(says, str(caught.exception))

    def changed(self, change):
        path = self.write()
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def test_every_status(self):
        rows = make_rows(self.SPEC)
        rows["status"][:5] = range(5)
        rows["dz2_last"][:5] = np.nan, 1, np.inf, np.nan, np.nan
        sweep = etastar.open(self.write(rows))
        self.assertEqual(sweep.counts(), {"pending": 1, "done": 12, "nonfinite": 1, "failed": 1, "skipped": 1, "damaged": 0})
        self.assertEqual(sweep.frame().index.tolist()[:3], [1, 2, 5])
        self.assertEqual(sweep.frame(all=True).status.tolist()[:5], STATUSES)
        np.testing.assert_array_equal(sweep.dataset().dz2_last.values.ravel()[:5], [np.nan, 1, np.inf, np.nan, np.nan])

    def test_versions(self):
        for version in ((1, 0), (2, 0), (3, 0)):
            self.refused(f"has format {version[0]}.{version[1]}, this package reads 2.1 and later 2.x", self.write(version=version))
        for version in ((2, 1), (2, 2), (2, 9)):
            self.assertEqual(etastar.open(self.write(version=version)).counts()["done"], 16)
        self.refused("spec: 'more' is not known", self.write(version=(2, 9), spec={**self.SPEC, "more": 1}))

    def test_refused(self):
        self.refused("but not of type etastar-sweep", self.write(filetype="other"))
        self.refused("trial: 'second-step' is not one of first-step, training", self.write(spec={**self.SPEC, "trial": "second-step"}))
        for change, says in ((lambda file: file.attrs.__delitem__("filetype"), "not of type"),
                             (lambda file: file.attrs.__setitem__("format_version", "2.1"), "format_version"),
                             (lambda file: file.attrs.__setitem__("spec", "{}"), "spec and spec_hash disagree"),
                             (lambda file: file.attrs.__delitem__("spec_hash"), "attribute spec_hash"),
                             (lambda file: file.__delitem__("axes/seed"), "it has no axes/seed"),
                             (lambda file: file.__delitem__("trials"), "its trials"),
                             (lambda file: file.move("trials", "rows"), "its trials")):
            self.refused(says, self.changed(change))
        (self.dir / "text").write_text("no HDF5 at all" * 1000)
        self.refused("is not a readable HDF5 file", self.dir / "text")
        os.mkfifo(self.dir / "pipe")
        for name in ("pipe", "."):
            self.refused("is not a regular file", self.dir / name)
        with self.assertRaises(FileNotFoundError):
            etastar.open(self.dir / "absent.h5")

    def test_keys_are_those_of_the_document(self):
        text = (ROOT / "docs" / "format.md").read_text()

        def keys(head):
            bodies = re.findall(rf"^\| {head} \| value \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
            return {key for line in "".join(bodies).splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])}
        self.assertLessEqual(keys("key of a target"), _sweep.TARGET_KEYS)
        self.assertEqual(_sweep.KEYS["first-step"] - _sweep.TARGET_KEYS, keys("key"))
        self.assertEqual(_sweep.KEYS["training"] - _sweep.TARGET_KEYS, keys("key") - {"profile"} | keys("key of training"))


class Live(Case):
    def test_a_sweep_that_runs(self):
        running = self.start("sweep", "--width", "512", "--depth", "16", "--seeds", "4000", "--eta", "0.1:10:log4", "--profile",
                             "--output", "new.h5")
        path = self.dir / "new.h5"
        wait_for(path.exists, "the file")
        sweep = etastar.open(path)
        seen, before = set(), None
        while running.process.poll() is None:
            rows, counts = sweep.rows(), sweep.counts()
            self.assertEqual((counts["damaged"], sum(counts.values())), (0, 16000))
            seen.add(counts["done"])
            if before is not None:
                done = before["status"] == DONE
                self.assertEqual(rows[done].tobytes(), before[done].tobytes())
            before = rows
        self.assertEqual(running.result().returncode, 0)
        self.assertTrue(seen - {0, 16000}, "no read while it was written")
        self.assertEqual((sweep.complete, sweep.counts()["done"]), (True, 16000))


class Installed(Case):
    def test_pip(self):
        shutil.copytree(ROOT / "python", self.dir / "python", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        commands = [[sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", "venv"],
                    ["venv/bin/python", "-m", "pip", "install", "--no-build-isolation", "--no-index", "--no-deps",
                     "--disable-pip-version-check", "./python"],
                    ["venv/bin/python", "-c", "import etastar, importlib.metadata as m; print(etastar.__file__, etastar.__version__, "
                     "m.version('etastar'))"]]
        for command in commands:
            result = run(command, self.dir, timeout=120)
            self.assertEqual(result.returncode, 0, result.stderr)
        where, *versions = result.stdout.split()
        self.assertTrue(where.startswith(os.path.realpath(self.dir / "venv")) or where.startswith(str(self.dir / "venv")), where)
        version, = re.findall(r"^project\(etastar VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
        self.assertEqual(versions, [version, version])


class Document(Case):
    """The examples of docs/reading.md, in order; all but Julia's."""

    def test_examples(self):
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / "reading.md").read_text(), re.MULTILINE | re.DOTALL)
        self.assertEqual({language for language, _ in blocks}, {"sh", "python", "r", "julia"})
        python = "".join(body for language, body in blocks if language == "python")
        interpreters = {"sh": ["sh", "-euc"], "r": ["Rscript", "-e"], "python": [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c"]}
        env = {**environment(), "PATH": f"{BINARY.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "python")}
        outputs = {}
        for language, body in [*((language, body) for language, body in blocks if language in ("sh", "r")), ("python", python)]:
            if shutil.which(interpreters[language][0]) is None:
                self.fail(f"no {interpreters[language][0]}: see tools/test-dependencies")
            result = run([*interpreters[language], body], self.dir, env=env)
            self.assertEqual(result.returncode, 0, f"{body}{result.stdout}{result.stderr}")
            outputs[language] = outputs.get(language, "") + result.stdout
        rows = trials(self.dir / "run.h5")
        # Python and R agree on the mean step.
        for width, depth, mean in re.findall(r"^\d+ +(\d+) +(\d+) +(\S+)$", outputs["r"], re.MULTILINE):
            expected = rows["dz2_last"][(rows["width"] == int(width)) & (rows["depth"] == int(depth))].mean()
            self.assertAlmostEqual(float(mean), expected, delta=1e-5 * expected)
        self.assertEqual(outputs["r"].count("\n"), 7, outputs["r"])
        self.assertIn("/profile/response        Dataset {120, 8}", outputs["sh"])
        self.assertIn("step: last layer", outputs["sh"])
        for depth in (2, 4, 8):
            self.assertIn(f"\n{depth} {rows['dz2_last'][rows['depth'] == depth].mean()}\n", outputs["python"])


if __name__ == "__main__":
    unittest.main()
