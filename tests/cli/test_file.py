"""The HDF5 file that a sweep writes."""
import json
import os
import re
import shutil
import socket
import subprocess
import unittest
import uuid
import zlib

import h5py
import numpy as np
import pandas as pd

from support import (BINARY, Case, DONE, MEASURED, NONFINITE, ROW_BYTES, TINY, attributes, environment, exact_responses,
                     raw_rows, run, trials)

GRID = ["--width", "8,12", "--depth", "1,2,4", "--seeds", "3", "--first-seed", "5", "--eta", "1e-9,10,0.1"]
U32, U64, F64 = h5py.h5t.STD_U32LE, h5py.h5t.STD_U64LE, h5py.h5t.IEEE_F64LE
TYPES = {"width": U32, "depth": U32, "seed": U64, "eta": F64, **dict.fromkeys(MEASURED, F64), "status": None,
         "check": U32}


class Format(Case):
    """One sweep, read in every way."""

    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep(*GRID, "--precision", "double", "--profile")
        cls.rows = trials(cls.path)

    def test_root_attributes(self):
        root = attributes(self.path)
        self.assertEqual(root["filetype"], "etastar-sweep")
        self.assertEqual(list(root["format_version"]), [1, 0])
        self.assertEqual(root["complete"], 1)
        self.assertEqual(root["spec_hash"], str(uuid.uuid5(uuid.NAMESPACE_URL, root["spec"])))
        self.assertLessEqual({"filetype", "format_version", "spec", "spec_hash", "complete"}, set(root))

    def test_spec_holds_given_and_default_values(self):
        spec = json.loads(attributes(self.path)["spec"])
        self.assertEqual(spec, {"width": [8, 12], "depth": [1, 2, 4], "eta": [1e-9, 0.1, 10.0], "eta_unit": "linear",
                                "seeds": 3, "first_seed": 5, "engine": "implicit", "input_dim": 64,
                                "precision": "double", "train": "all", "rates": "mup", "profile": True})

    def test_types(self):
        with h5py.File(self.path, "r") as file:
            data = file["trials"]
            kind = data.id.get_type()
            self.assertEqual(data.ndim, 1)
            self.assertIsNone(data.chunks)
            names = [kind.get_member_name(i).decode() for i in range(kind.get_nmembers())]
            self.assertEqual(names, list(TYPES))
            self.assertEqual(kind.get_size(), ROW_BYTES)
            for i, (name, expected) in enumerate(TYPES.items()):
                if expected is not None:
                    self.assertTrue(kind.get_member_type(i).equal(expected), name)
            status = kind.get_member_type(names.index("status"))
            self.assertTrue(status.get_super().equal(h5py.h5t.STD_U8LE))
            self.assertEqual(h5py.check_enum_dtype(data.dtype["status"]),
                             {"pending": 0, "done": 1, "nonfinite": 2, "failed": 3})
            for name, expected in (("width", U32), ("depth", U32), ("eta", F64), ("seed", U64)):
                self.assertTrue(file["axes"][name].id.get_type().equal(expected), name)
            self.assertTrue(file["profile/response"].id.get_type().equal(F64))

    def test_axes(self):
        with h5py.File(self.path, "r") as file:
            axes = file["axes"]
            self.assertEqual(set(axes), {"width", "depth", "eta", "seed"})
            for name, values in (("width", [8, 12]), ("depth", [1, 2, 4]), ("eta", [1e-9, 0.1, 10]),
                                 ("seed", [5, 6, 7])):
                self.assertEqual(list(axes[name]), values)
            self.assertEqual(axes["eta"].attrs["unit"], "linear")

    def test_canonical_order(self):
        grid = [(n, depth, seed) for n in (8, 12) for depth in (1, 2, 4) for seed in (5, 6, 7) for _ in range(3)]
        self.assertEqual([(r["width"], r["depth"], r["seed"]) for r in self.rows], grid)
        self.assertTrue((np.diff(self.rows["eta"].reshape(-1, 3)) > 0).all())

    def test_linear_unit(self):
        for row, unit in zip(self.rows, [1e-9, 0.1, 10.0] * 18):
            exact = exact_responses(int(row["width"]), int(row["depth"]))[0][-1] ** -0.5
            np.testing.assert_allclose(row["eta"], unit * exact, rtol=1e-12)

    def test_check(self):
        rows = raw_rows(self.path)
        self.assertEqual(len(rows), 54)
        for row in rows:
            self.assertEqual(zlib.crc32(row[:124]), int.from_bytes(row[124:], "little"))
            self.assertEqual(row[121:124], bytes(3))

    def test_every_row_is_done_and_finite(self):
        self.assertTrue((self.rows["status"] == DONE).all())
        for name in MEASURED:
            self.assertTrue(np.isfinite(self.rows[name]).all(), name)

    def test_losses(self):
        rows = self.rows
        self.assertEqual(set(rows["target"]), {-1.0, 1.0})
        for loss, output in (("loss", "output"), ("loss_after", "output_after")):
            np.testing.assert_allclose(rows[loss], (rows[output] - rows["target"]) ** 2 / 2, rtol=1e-14)

    def test_one_network_has_one_response(self):
        networks = self.rows.reshape(-1, 3)
        for name in ("target", "output", "loss", "response_last", "response_max", "response_mean", "response_output"):
            self.assertTrue((networks[name] == networks[name][:, :1]).all(), name)
            if name != "target":
                self.assertEqual(len(set(networks[name][:, 0])), 18, name)

    def test_small_steps_are_the_linear_order(self):
        small = self.rows[::3]
        self.assertTrue((small["eta"] < 1e-8).all())
        error = small["output"] - small["target"]
        for layer in ("last", "max", "mean"):
            np.testing.assert_allclose(small[f"dz2_{layer}"],
                                       (small["eta"] * error) ** 2 * small[f"response_{layer}"], rtol=1e-5)
        np.testing.assert_allclose(small["output_after"] - small["output"],
                                   -small["eta"] * error * np.sqrt(small["response_output"]), rtol=1e-4)

    def test_one_layer_is_linear_at_every_rate(self):
        rows = self.rows[self.rows["depth"] == 1]
        expected = (rows["eta"] * (rows["output"] - rows["target"])) ** 2 * rows["response_last"]
        for layer in ("last", "max", "mean"):
            np.testing.assert_allclose(rows[f"dz2_{layer}"], expected, rtol=1e-12)

    def test_last_max_and_mean(self):
        for kind in ("dz2", "response"):
            last, largest, mean = (self.rows[f"{kind}_{layer}"] for layer in ("last", "max", "mean"))
            self.assertTrue((largest >= last).all() and (largest >= mean).all() and (mean > 0).all())
            self.assertTrue((largest <= mean * self.rows["depth"] * (1 + 1e-14)).all())

    def test_profile(self):
        with h5py.File(self.path, "r") as file:
            profile = file["profile/response"][:]
        self.assertEqual(profile.shape, (18, 4))
        for network, row in zip(profile, self.rows[::3]):
            depth = row["depth"]
            self.assertTrue(np.isnan(network[depth:]).all())
            layers = network[:depth]
            self.assertTrue(np.isfinite(layers).all())
            self.assertEqual((layers[-1], layers.max()), (row["response_last"], row["response_max"]))
            np.testing.assert_allclose(layers.mean(), row["response_mean"], rtol=1e-14)

    def test_provenance(self):
        with h5py.File(self.path, "r") as file:
            provenance = dict(file["provenance"].attrs)
        version, revision = re.fullmatch(r"etastar (\S+) \((\S+)\)\n", self.succeed("--version")).groups()
        self.assertEqual((provenance["version"], provenance["git_revision"]), (version, revision))
        self.assertEqual((provenance["host"], provenance["ranks"]), (socket.gethostname(), 1))
        for name in ("mpi", "blas", "hdf5"):
            self.assertRegex(provenance[name], r"\d|none", name)
        self.assertRegex(provenance["started"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
        self.assertLessEqual(provenance["started_unix"], provenance["finished_unix"])

    def test_pandas(self):
        frame = pd.DataFrame.from_records(self.rows)
        self.assertEqual(list(frame.columns), list(TYPES))
        self.assertEqual(len(frame.groupby(["width", "depth", "seed"])), 18)
        self.assertEqual(frame["status"].sum(), 54)


class Specs(Case):
    """What of a sweep decides which numbers."""

    def test_rates_of_the_linear_unit_given_as_absolute(self):
        linear = self.sweep("--width", "8", "--depth", "3", "--seeds", "2", "--eta", "0.1,1,10")
        rates = ",".join(repr(float(eta)) for eta in trials(linear)["eta"][:3])
        absolute = self.sweep("--width", "8", "--depth", "3", "--seeds", "2", "--eta-unit", "absolute", "--eta", rates,
                              name="absolute.h5")
        self.assertEqual(raw_rows(linear), raw_rows(absolute))
        with h5py.File(absolute, "r") as file:
            self.assertEqual(file["axes/eta"].attrs["unit"], "absolute")
            self.assertEqual(list(file["axes/eta"]), list(trials(linear)["eta"][:3]))
        self.assertNotEqual(attributes(linear)["spec_hash"], attributes(absolute)["spec_hash"])

    def test_seed_names_the_network(self):
        grid = ["--width", "8", "--depth", "3", "--eta", "1"]
        several = self.sweep(*grid, "--seeds", "4", "--first-seed", "2")
        one = self.sweep(*grid, "--seeds", "1", "--first-seed", "4", name="one.h5")
        self.assertEqual(raw_rows(several)[2], raw_rows(one)[0])
        self.assertEqual(len(set(trials(several)["response_last"])), 4)

    def test_largest_seed(self):
        path = self.sweep("--width", "8", "--depth", "1", "--eta", "1", "--seeds", "1", "--first-seed", str(2**64 - 1))
        self.assertEqual(trials(path)["seed"][0], 2**64 - 1)

    def test_no_profile_unless_asked_for(self):
        with h5py.File(self.sweep(*TINY), "r") as file:
            self.assertNotIn("profile", file)

    def test_precisions_agree(self):
        single, double = (trials(self.sweep(*TINY, "--precision", p, name=p)) for p in ("single", "double"))
        for name in MEASURED:
            np.testing.assert_allclose(single[name], double[name], rtol=2e-3, atol=1e-4, err_msg=name)
        self.assertTrue((single["dz2_last"] != double["dz2_last"]).any())

    def test_trained_layers(self):
        parts = {}
        for train in ("all", "first", "hidden", "last"):
            path = self.sweep("--width", "8", "--depth", "3", "--seeds", "4", "--eta", "0.5", "--eta-unit", "absolute",
                              "--precision", "double", "--train", train, name=train)
            parts[train] = trials(path)
            self.assertEqual(json.loads(attributes(path)["spec"])["train"], train)
        for name in ("target", "output", "loss"):
            for rows in parts.values():
                np.testing.assert_array_equal(rows[name], parts["all"][name])
        last = parts["last"]
        for name in ("dz2_last", "dz2_max", "dz2_mean", "response_last", "response_max", "response_mean"):
            self.assertTrue((last[name] == 0).all(), name)
        self.assertTrue((last["output_after"] != last["output"]).all())
        # The tangent kernel is the sum of the layers'.
        theta = {train: np.sqrt(rows["response_output"]) for train, rows in parts.items()}
        np.testing.assert_allclose(theta["first"] + theta["hidden"] + theta["last"], theta["all"], rtol=1e-12)

    def test_one_rate_for_every_layer(self):
        mup, same = (trials(self.sweep("--width", "8", "--depth", "1", "--seeds", "4", "--eta", "0.5", "--eta-unit",
                                       "absolute", "--rates", rates, "--input-dim", "2", name=rates))
                     for rates in ("mup", "global"))
        # The first layer's rate differs by the factor n / n0.
        np.testing.assert_allclose(mup["response_last"], same["response_last"] * (8 / 2) ** 2, rtol=1e-6)

    def test_overflow_is_recorded(self):
        path = self.sweep("--width", "8", "--depth", "3", "--seeds", "2", "--eta", "1,1e200", "--eta-unit", "absolute")
        rows = trials(path)
        self.assertEqual(list(rows["status"]), [DONE, NONFINITE] * 2)
        self.assertTrue(np.isinf(rows["dz2_last"][1::2]).all())
        self.assertEqual(attributes(path)["complete"], 1)

    def test_smallest_rates(self):
        for precision, rates in (("single", "1e-150,1e-60,1e-39,1e-30"), ("double", "1e-150,1e-60,1e-39,1e-30")):
            with self.subTest(precision=precision):
                rows = trials(self.sweep("--width", "8", "--depth", "3", "--seeds", "2", "--eta", rates, "--precision",
                                         precision, name=precision))
                self.assertTrue((rows["status"] == DONE).all(), rows["status"])
                expected = (rows["eta"] * (rows["output"] - rows["target"])) ** 2 * rows["response_last"]
                np.testing.assert_allclose(rows["dz2_last"], expected, rtol=1e-4)


class Output(Case):
    """The file's place."""

    def test_existing_file_is_kept(self):
        path = self.sweep(*TINY)
        before = path.read_bytes()
        self.refuse(3, "sweep", *TINY, "--output", "sweep.h5", says=["sweep.h5", "exists", "--overwrite"])
        self.assertEqual(path.read_bytes(), before)
        (self.dir / "notes.txt").write_text("precious")
        self.refuse(3, "sweep", *TINY, "--output", "notes.txt", says=["notes.txt"])
        self.assertEqual((self.dir / "notes.txt").read_text(), "precious")
        self.assertEqual(self.names(), ["notes.txt", "sweep.h5"])

    def test_overwrite(self):
        self.sweep(*TINY)
        path = self.sweep("--width", "4", "--depth", "1", "--eta", "1", "--seeds", "2", "--overwrite")
        self.assertEqual(len(trials(path)), 2)
        self.sweep("--width", "4", "--depth", "1", "--eta", "1", "--seeds", "2", "--overwrite", name="new.h5")
        self.assertEqual(self.names(), ["new.h5", "sweep.h5"])

    def test_bad_options_keep_the_file_that_overwrite_would_replace(self):
        path = self.sweep(*TINY)
        before = path.read_bytes()
        self.refuse(2, "sweep", "--output", "sweep.h5", "--overwrite", "--width", "0")
        self.assertEqual(path.read_bytes(), before)

    def test_dangling_link_exists(self):
        (self.dir / "link.h5").symlink_to("nowhere")
        self.refuse(3, "sweep", *TINY, "--output", "link.h5", says=["link.h5", "exists"])
        self.assertEqual(self.names(), ["link.h5"])

    def test_places_that_cannot_be(self):
        (self.dir / "folder").mkdir()
        (self.dir / "file").write_text("")
        for name, *words in (("absent/new.h5",), ("folder",), ("folder", "--overwrite"), ("folder/", "--overwrite"),
                             ("file/new.h5",), ("x" * 300,), ("file/", "--overwrite")):
            with self.subTest(name=name, words=words):
                self.refuse(3, "sweep", *TINY, "--output", name, *words, says=[name])
        self.assertEqual(self.names(), ["file", "folder"])
        self.assertEqual(os.listdir(self.dir / "folder"), [])

    def test_overwrite_replaces_no_pipe(self):
        # Nor a device: as root that would take /dev/null from the whole machine.
        os.mkfifo(self.dir / "pipe")
        self.refuse(3, "sweep", *TINY, "--output", "pipe", says=["pipe", "exists"])
        self.refuse(3, "sweep", *TINY, "--output", "pipe", "--overwrite", says=["pipe"])
        self.assertTrue((self.dir / "pipe").is_fifo())
        self.assertEqual(self.names(), ["pipe"])

    def test_read_only_folder(self):
        if os.geteuid() == 0:
            result, left = self.in_file_system("ro,size=1m", *TINY)
        else:
            folder = self.dir / "locked"
            folder.mkdir(mode=0o555)
            result, left = self.etastar("sweep", *TINY, "--output", "locked/new.h5"), os.listdir(folder)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assert_one_line(result, ["new.h5"])
        self.assertEqual(left, [])

    def test_full_disk(self):
        # Too small for the rows, and too small for anything.
        for size in ("64k", "4k"):
            with self.subTest(size=size):
                result, left = self.in_file_system(f"size={size}", "--width", "8", "--depth", "1", "--seeds", "1000",
                                                   "--eta", "1")
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assert_one_line(result, ["new.h5", "No space left"])
                self.assertEqual(left, [])

    def test_full_disk_keeps_the_file_that_overwrite_would_replace(self):
        result, left = self.in_file_system("size=64k", "--width", "8", "--depth", "1", "--seeds", "1000", "--eta", "1",
                                           "--overwrite", before="echo precious >new.h5", after="cat new.h5; ls -A")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(left, ["precious", "new.h5"])

    def in_file_system(self, options, *words, before=":", after="ls -A"):
        """The sweep's result and the lines of `after` in a small file system that only these processes see."""
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            self.skipTest("mounting needs root and unshare")
        (self.dir / "disk").mkdir(exist_ok=True)
        mount = f"mount -t tmpfs -o {options} tmpfs disk && cd disk"
        if subprocess.run(["unshare", "--mount", "sh", "-c", mount], cwd=self.dir, capture_output=True).returncode != 0:
            self.skipTest("mounting is not allowed here")
        script = f'{mount} && {before}; "$0" "$@" --output new.h5 >&2; code=$?; {after}; exit $code'
        result = subprocess.run(["unshare", "--mount", "sh", "-c", script, BINARY, "sweep", *words],
                                cwd=self.dir, env=environment(), capture_output=True, text=True, timeout=60)
        return result, result.stdout.splitlines()


class Streams(Case):
    """Standard streams that are closed, as some ways to detach leave them."""

    def test_closed(self):
        whole = self.sweep(*TINY)
        for number, closed in enumerate(("<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-")):
            with self.subTest(closed=closed):
                name = f"{number}.h5"
                words = " ".join(["sweep", *TINY, "--output", name])
                self.assertEqual(run(["sh", "-c", f'exec "$0" {words} {closed}', BINARY], self.dir).returncode, 0)
                self.assertTrue(raw_rows(self.dir / name) == raw_rows(whole))
                self.assertEqual(self.etastar("status", name).returncode, 0)
        self.assertFalse([name for name in self.names() if name.endswith(".lock")])


if __name__ == "__main__":
    unittest.main()
