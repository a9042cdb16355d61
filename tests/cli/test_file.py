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

from support import (BINARY, CHECK_BYTE, Case, DONE, FAILED, FIELDS, MEASURED, NONFINITE, PENDING, RELU, ROOT, ROW_BYTES, STATUS_BYTE,
                     TINY, attributes, environment, exact_responses, make_rows, make_spec, raw_rows, run, seal, trials, wait_for, write_file)

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
        self.assertEqual(list(root["format_version"]), [2, 2])
        self.assertEqual(root["complete"], 1)
        self.assertEqual(root["spec_hash"], str(uuid.uuid5(uuid.NAMESPACE_URL, root["spec"])))
        self.assertLessEqual({"filetype", "format_version", "spec", "spec_hash", "complete"}, set(root))

    def test_spec_holds_given_and_default_values(self):
        spec = json.loads(attributes(self.path)["spec"])
        self.assertEqual(spec, {"trial": "first-step", "width": [8, 12], "depth": [1, 2, 4], "eta": [1e-9, 0.1, 10.0],
                                "eta_unit": "linear", "seeds": 3, "first_seed": 5, "engine": "implicit",
                                "precision": "double", "input_dim": 64, **RELU, "train": "all",
                                "rates": "mup", "profile": True})
        self.assertEqual(list(spec), [*make_spec([8], [1], [1], 1)])

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
            for name, expected in (("width", U32), ("depth", U32), ("eta", F64), ("eta_absolute", F64), ("seed", U64)):
                self.assertTrue(file["axes"][name].id.get_type().equal(expected), name)
            self.assertTrue(file["profile/response"].id.get_type().equal(F64))
            self.assertTrue(file["profile/check"].id.get_type().equal(U32))

    def test_axes(self):
        with h5py.File(self.path, "r") as file:
            axes = file["axes"]
            self.assertEqual(set(axes), {"width", "depth", "eta", "eta_absolute", "seed"})
            for name, values in (("width", [8, 12]), ("depth", [1, 2, 4]), ("eta", [1e-9, 0.1, 10]),
                                 ("seed", [5, 6, 7])):
                self.assertEqual(list(axes[name]), values)
            self.assertEqual(axes["eta"].attrs["unit"], "linear")

    def test_absolute_rates(self):
        rates = self.rows["eta"].reshape(2, 3, 3, 3)
        with h5py.File(self.path, "r") as file:
            data = file["axes/eta_absolute"]
            self.assertEqual(data.shape, (2, 3, 3))
            self.assertEqual(data.attrs["unit_theory"], "exact moments")
            for seed in range(3):
                self.assertEqual(data[:].tobytes(), rates[:, :, seed].tobytes())

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
            self.assertEqual(zlib.crc32(row[:CHECK_BYTE]), int.from_bytes(row[CHECK_BYTE:], "little"))
            self.assertEqual(row[STATUS_BYTE + 1:CHECK_BYTE], bytes(3))

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
        for name in ("target", "output", "loss", "response_last", "response_max", "response_mean", "response_output", "z2_last",
                     "z2_max", "z2_mean"):
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


class Document(Case):
    """docs/format.md names what stands in a file, and nothing else."""

    TEXT = (ROOT / "docs" / "format.md").read_text()
    TYPES = {"u8": h5py.h5t.STD_U8LE, "u32": U32, "u64": U64, "f64": F64}

    @classmethod
    def setUpClass(cls):
        cls.path = cls.shared_sweep(*GRID, "--profile")
        cls.shard = cls.shared_sweep(*GRID, "--shard", "1/3")
        cls.merged = cls.shard.with_name("merged.h5")
        result = run([BINARY, "merge", cls.path, "--output", cls.merged], cls.path.parent)
        if result.returncode != 0:
            raise AssertionError(result.stderr)

    def table(self, head):
        """The rows, by cells, of the table with this head."""
        body, = re.findall(rf"^\| {re.escape(head)} \|\n\|[-|]+\|\n((?:\|.*\n)+)", self.TEXT, re.MULTILINE)
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]

    def documented(self):
        """(object, attribute or None) -> type and shape as written."""
        objects = {}
        for names, what, _ in self.table("object | type and shape | meaning"):
            paths, _, attribute = names.partition(" attribute ")
            kind, *shapes = re.split(r" (?=\[)", what.replace("], [", "] ["))
            for i, path in enumerate(re.findall(r"`(.+?)`", paths)):
                objects[path, attribute.strip("`") or None] = kind, shapes[i] if shapes else None
        for names, kind, _ in self.table("attribute of `/provenance` | type | meaning"):
            objects.update({("/provenance", name): (kind, None) for name in re.findall(r"`(.+?)`", names)})
        return objects

    @staticmethod
    def found(path):
        """The same of a file: (object, attribute or None) -> HDF5 type, or None for a group, and shape. Without what every
        dataset has."""
        objects = {}

        def visit(name, item):
            data = isinstance(item, h5py.Dataset)
            objects[f"/{name}".rstrip("/") or "/", None] = (item.id.get_type(), item.shape) if data else (None, None)
            common = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "long_name", "units"} if data else set()
            for attribute in set(item.attrs) - common - set(item.dtype.names or () if data else ()):
                handle = item.attrs.get_id(attribute)
                objects[f"/{name}".rstrip("/") or "/", attribute] = handle.get_type(), handle.shape

        with h5py.File(path, "r") as file:
            visit("", file)
            file.visititems(visit)
        return objects

    def test_objects(self):
        documented, found = self.documented(), {}
        for path in (self.path, self.shard, self.merged):
            found.update(self.found(path))
        groups = {(path.rsplit("/", 1)[0] or "/", None) for path, _ in documented}
        with h5py.File(self.dir / "data.h5", "w") as file:
            file["x"], file["y"] = np.ones((2, 3)), np.ones(2)
        trained = self.found(self.sweep("--trial", "training", "--data", "data.h5", "--width", "8", "--depth", "1", "--seeds", "1",
                                        "--eta", "0.1", "--steps", "1"))
        found["/provenance", "data_file"] = trained["/provenance", "data_file"]
        self.assertEqual(set(documented) | groups, set(found))
        lengths = {"W": 2, "D": 3, "S": 3, "E": 3, "largest depth": 4, "2": 2}
        sizes = self.found(self.path)
        for key, (kind, shape) in documented.items():
            with self.subTest(key=key):
                of_type, of_shape = sizes.get(key, found[key])
                if kind == "group":
                    self.assertIsNone(of_type)
                    continue
                expected = [int(np.prod([lengths[name] for name in size.split("·")])) for size in shape[1:-1].split(", ")] \
                    if shape else []
                self.assertEqual(list(of_shape), expected)
                if kind == "string":
                    self.assertTrue(of_type.is_variable_str() and of_type.get_cset() == h5py.h5t.CSET_UTF8)
                elif kind == "compound":
                    self.assertIsInstance(of_type, h5py.h5t.TypeCompoundID)
                else:
                    self.assertTrue(of_type.equal(self.TYPES[kind]))

    def test_dimensions(self):
        training = self.sweep("--trial", "training", "--width", "16", "--depth", "1,2", "--seeds", "2", "--eta", "0.1,1", "--steps", "2",
                              name="training.h5")
        told = {re.search("`(.+)`", name)[1]: re.findall("`(.+?)`", scales) for name, scales in self.table("dataset | dimensions")}
        seen = {}
        for path in (self.path, self.merged, training):
            with h5py.File(path, "r") as file:
                datasets = {f"/{name}": item for group in (file, *file.values()) if isinstance(group, h5py.Group)
                            for name, item in ((item.name[1:], item) for item in group.values()) if isinstance(item, h5py.Dataset)}
                for name, data in datasets.items():
                    if h5py.h5ds.is_scale(data.id):
                        empty = data.id.get_offset() is None
                        self.assertEqual(name in ("/row", "/network"), empty, name)
                        self.assertEqual(data.attrs["NAME"], b"This is a netCDF dimension but not a netCDF variable.%10d" % len(data)
                                         if empty else name.rpartition("/")[2].encode())
                        if empty:
                            continue
                    else:
                        scales = seen[name] = [scale.name for dimension in data.dims for scale in dimension.values()]
                        self.assertEqual(len(scales), data.ndim, name)
                        for i, scale in enumerate(scales):
                            self.assertEqual(len(file[scale]), data.shape[i])
                            self.assertTrue(h5py.h5ds.is_attached(data.id, file[scale].id, i), name)
                    self.assertTrue(data.attrs["long_name"], name)
                    self.assertEqual(data.attrs.get("units"), None if name == "/trials" else "1", name)
                for field in file["trials"].dtype.names:
                    self.assertTrue(file["trials"].attrs[field], field)
        self.assertEqual(seen, {name: scales for name, scales in told.items() if not name.startswith("/data/")})

    def test_only_where_documented(self):
        # What only some files have.
        whole, shard, merged, absolute = (set(self.found(path)) for path in (
            self.path, self.shard, self.merged, self.sweep(*TINY, "--eta-unit", "absolute")))
        self.assertEqual(whole - shard, {("/network", None), *((name, None) for name in ("/profile", "/profile/response", "/profile/check",
                                                                                           "/profile/layer"))})
        self.assertEqual(shard - whole, {("/provenance", "shard"), ("/provenance", "shard_of")})
        self.assertEqual((merged - whole, whole - merged), ({("/provenance", "merged_from")}, set()))
        self.assertEqual(shard - absolute, {("/axes/eta_absolute", "unit_theory"), *(shard - whole)})

    def test_fields_of_a_row(self):
        written = []
        for offset, name, kind, _ in self.table("offset | field | type | meaning"):
            if name:
                written.append((int(offset), name.strip("`"), kind))
        reserved = next(row for row in self.table("offset | field | type | meaning") if not row[1])
        self.assertEqual(reserved[:3], ["145", "", "3 bytes"])
        with h5py.File(self.path, "r") as file:
            kind = file["trials"].id.get_type()
        self.assertIn(f"is {kind.get_size()} bytes", self.TEXT)
        found = [(kind.get_member_offset(i), kind.get_member_name(i).decode(), kind.get_member_type(i))
                 for i in range(kind.get_nmembers())]
        self.assertEqual([row[:2] for row in written], [row[:2] for row in found])
        self.assertEqual([(name, at) for at, name, _ in written], [(name, at) for name, _, at in FIELDS])
        for (_, name, text), (_, _, of_type) in zip(written, found):
            expected = of_type.get_super() if text == "enum of u8" else of_type
            self.assertTrue(expected.equal(self.TYPES[text.rpartition(" ")[2]]), name)

    def test_statuses(self):
        with h5py.File(self.path, "r") as file:
            names = h5py.check_enum_dtype(file["trials"].dtype["status"])
        table = self.table("value | name | measured fields (offsets 24 to 143)")
        self.assertEqual({name.strip("`"): int(value) for value, name, _ in table}, names)

    def test_keys_of_spec(self):
        keys = [key for names, _ in self.table("key | value") for key in re.findall(r"`(\w+)`", names)]
        self.assertEqual(keys, list(json.loads(attributes(self.path)["spec"])))

    def test_seal(self):
        # By the table's offsets, from the bytes alone.
        for path, tables in ((self.path, ["trials", "profile/response", "profile/check"]), (self.shard, ["trials"])):
            data = path.read_bytes()
            one, two = data[-256:-128], data[-128:]
            self.assertEqual(one, two)
            self.assertEqual(one[:16], b"etastar seal 2\n\0")
            length, complete, finished, *extents = np.frombuffer(one[16:120], "<u8").tolist()
            self.assertEqual(length, len(data) - 256)
            self.assertEqual(data[complete], 1)
            changing = [(complete, 1), (finished, 8)]
            with h5py.File(path, "r") as file:
                self.assertEqual(data[finished:finished + 8],
                                 np.float64(file["provenance"].attrs["finished_unix"]).tobytes())
                for i, name in enumerate(tables):
                    expected = file[name].id.get_offset(), file[name].id.get_storage_size()
                    self.assertEqual(tuple(extents[2 * i:2 * i + 2]), expected)
                    changing.append(expected)
            self.assertEqual(extents[2 * len(tables):], [0] * (10 - 2 * len(tables)))
            left = bytearray()
            at = 0
            for start, size in sorted(changing):
                left += data[at:start]
                at = start + size
            left += data[at:length]
            self.assertEqual(zlib.crc32(left), int.from_bytes(one[120:124], "little"))
            self.assertEqual(zlib.crc32(one[:124]), int.from_bytes(one[124:], "little"))


class Rates(Case):
    """The absolute rates are the file's; the theory of the program that reads it has no say."""

    SPEC = {"width": [8, 16], "depth": [2, 3], "eta": [0.1, 1], "seeds": 3, "eta_unit": "linear", "engine": "implicit"}
    GRID = ["--width", "8,16", "--depth", "2,3", "--eta", "0.1,1", "--seeds", "3"]

    def other_theory(self, name="other.h5", factor=1 + 2**-40, status=PENDING, **changes):
        """A file whose rates differ in their last digits from those of this program's theory."""
        spec = make_spec(**{**self.SPEC, **changes})
        rows = make_rows(spec)
        units = np.array([[factor * exact_responses(n, depth)[0][-1] ** -0.5 for depth in spec["depth"]] for n in spec["width"]])
        rows["eta"] *= units.repeat(spec["seeds"] * len(spec["eta"]))
        for measured in MEASURED if status == PENDING else ():
            rows[measured] = np.nan
        rows["status"] = status
        write_file(self.dir / name, spec, rows, units=units)
        return self.dir / name, rows["eta"]

    def test_resume_keeps_the_rates_of_the_file(self):
        path, rates = self.other_theory()
        with h5py.File(path, "r+") as file:
            file["provenance"].attrs["finished_unix"] = np.nan
        whole = self.sweep(*self.GRID)
        self.assertTrue((trials(whole)["eta"] != rates).any())
        np.testing.assert_allclose(trials(whole)["eta"], rates, rtol=1e-11)
        for ranks in (0, 2):
            continued = self.copy(path, f"{ranks}.h5")
            self.succeed("sweep", *self.GRID, "--output", continued, "--resume", ranks=ranks)
            self.assertEqual(trials(continued)["eta"].tobytes(), rates.tobytes())
            self.assertTrue((trials(continued)["status"] == DONE).all())
            self.assertEqual(self.etastar("status", continued).returncode, 0)
            # Measured at these rates: an explicit grid of them gives the same rows.
            explicit = self.sweep("--width", "8", "--depth", "2", "--seeds", "3", "--eta-unit", "absolute", "--eta",
                                  ",".join(repr(float(eta)) for eta in rates[:2]), "--overwrite", name="explicit.h5")
            self.assertEqual(raw_rows(continued)[:6], raw_rows(explicit))
        self.assertEqual(raw_rows(self.dir / "0.h5"), raw_rows(self.dir / "2.h5"))

    def test_rows_of_other_rates_are_damaged(self):
        path = self.sweep(*self.GRID)
        with h5py.File(path, "r+") as file:
            rows = file["trials"][:]
            rows["eta"][5] = np.nextafter(rows["eta"][5], 1)
            seal(rows)
            file["trials"][:] = rows
        self.assertIn("damaged rows     1", self.etastar("status", path).stdout)
        result = self.etastar("sweep", *self.GRID, "--output", path, "--resume")
        self.assertEqual(result.returncode, 0)
        self.assert_one_line(result, ["1 row torn or damaged"])

    def test_rates_that_are_not_the_axis(self):
        def change(path, values):
            with h5py.File(path, "r+") as file:
                file["axes/eta_absolute"][...] = values(file["axes/eta_absolute"][:])

        def one(value, factor=None):
            def values(rates):
                rates[1, 0, 1] = value if factor is None else rates[1, 0, 1] * factor
                return rates
            return values

        for unit in ("linear", "absolute"):
            whole = self.sweep(*self.GRID, "--eta-unit", unit, "--overwrite")
            for values in (one(np.nan), one(np.inf), one(0), one(-1), one(None, 1.001), one(None, 2),
                           *([one(None, 1 + 2**-52)] if unit == "absolute" else [])):
                path = self.copy(whole)
                change(path, values)
                for words in (["status", path], ["fit", path], ["merge", path, "--output", "new.h5"],
                              ["sweep", *self.GRID, "--eta-unit", unit, "--output", path, "--resume"]):
                    self.refuse(3, *words, says=["copy.h5", "is damaged", "width 16, depth 2", "not those of the axis"])
        self.assertEqual(self.names(), ["copy.h5", "sweep.h5"])

    def test_shapes_and_types(self):
        whole = self.sweep(*self.GRID, "--profile")
        for name, value, says in (
                ("axes/eta_absolute", np.ones((2, 2)), "have the shape [2, 2] where its spec has [2, 2, 2]"),
                ("axes/eta_absolute", np.ones((2, 2, 2), "<f4"), "another type"),
                ("axes/eta_absolute", None, "axes/eta_absolute"),
                ("profile/response", np.ones((12, 2)), "have the shape [12, 2] where its spec has [12, 3]"),
                ("profile/response", np.ones((12, 3), "<f4"), "another type"),
                ("profile/check", np.ones(11, "<u4"), "have the shape [11] where its spec has [12]"),
                ("profile/check", np.ones(12, "<u8"), "another type"),
                ("trials", trials(whole)[:-1], "have the shape [23] where its spec has [24]"),
                ("trials", np.zeros(24), "other fields")):
            with self.subTest(name=name, says=says):
                path = self.copy(whole)
                with h5py.File(path, "r+") as file:
                    del file[name]
                    if value is not None:
                        file[name] = value
                before = path.read_bytes()
                for words in (["status", path], ["sweep", *self.GRID, "--profile", "--output", path, "--resume"]):
                    self.refuse(3, *words, says=["copy.h5", name, says])
                self.assertEqual(path.read_bytes(), before)

    def test_smallest_of_all(self):
        # Rates that are subnormal have few digits, which is no damage.
        grid = ["--width", "8", "--depth", "4,9", "--seeds", "2", "--eta", "3e-322,1e-320,1e-310,1"]
        path = self.sweep(*grid, "--precision", "double")
        self.assertEqual(self.etastar("status", path).returncode, 0)
        self.sweep(*grid[:-1], "1e-320,2e-320", "--precision", "double", "--overwrite", ranks=2)
        self.assertEqual(self.etastar("status", path).returncode, 0)

    def test_merge_refuses_other_rates(self):
        one, _ = self.other_theory("one.h5", 1, DONE)
        two, _ = self.other_theory("two.h5", status=DONE, first_seed=3)
        self.refuse(3, "merge", one, two, "--output", "new.h5", says=["one.h5", "two.h5", "absolute rates differ"])
        same, rates = self.other_theory("same.h5", 1, DONE, first_seed=3)
        self.succeed("merge", one, same, "--output", "new.h5")
        with h5py.File(self.dir / "new.h5", "r") as file:
            self.assertEqual(file["axes/eta_absolute"][:].tobytes(), rates.reshape(2, 2, 3, 2)[:, :, 0].tobytes())
            self.assertNotIn("unit_theory", file["axes/eta_absolute"].attrs)
        self.assertEqual(self.etastar("status", "new.h5").returncode, 0)


class Strangers(Case):
    """Files whose spec or version this program does not understand."""

    @classmethod
    def setUpClass(cls):
        cls.spec = make_spec([8, 16], [1, 3], [0.1, 1], 2)
        cls.grid = ["--width", "8,16", "--depth", "1,3", "--eta", "0.1,1", "--seeds", "2", "--eta-unit", "absolute",
                    "--engine", "dense"]

    def refused(self, says, spec=None, **changes):
        write_file(self.dir / "sweep.h5", self.spec, make_rows(self.spec), **changes)
        if spec is not None:
            with h5py.File(self.dir / "sweep.h5", "r+") as file:
                file.attrs["spec"] = text = spec if isinstance(spec, str) else json.dumps(spec, separators=(",", ":"))
                file.attrs["spec_hash"] = str(uuid.uuid5(uuid.NAMESPACE_URL, text))
        before = (self.dir / "sweep.h5").read_bytes()
        for words in (["status", "sweep.h5"], ["fit", "sweep.h5"], ["merge", "sweep.h5", "--output", "new.h5"],
                      ["sweep", *self.grid, "--output", "sweep.h5", "--resume"]):
            with self.subTest(spec=spec, words=words):
                self.refuse(3, *words, says=["sweep.h5: ", *says])
        self.assertEqual((self.dir / "sweep.h5").read_bytes(), before)
        self.assertEqual(self.names(), ["sweep.h5"])

    def test_keys(self):
        self.refused(["cannot be read: spec: 'batch' is not known"], {**self.spec, "batch": 1})
        self.refused(["cannot be read: spec: 'batch' is not known"], {**self.spec, "batch": None}, version=(2, 7))
        for key in self.spec:
            self.refused([f"cannot be read: spec: '{key}' is missing"],
                         {name: value for name, value in self.spec.items() if name != key})

    def test_values(self):
        for key, value, says in (("trial", "second-step", "trial: 'second-step' is not one of first-step, training"),
                                 ("activation", "softplus", "activation: 'softplus' is not one of relu"),
                                 ("engine", "sparse", "engine: 'sparse' is not one of dense, implicit"),
                                 ("width", [8, 8], "width: 8 is listed twice"), ("seeds", 0, "seeds: 0"),
                                 ("seeds", "2", "spec: "), ("profile", 1, "spec: "), ("trial", 1, "spec: ")):
            self.refused(["cannot be read: ", says], {**self.spec, key: value})
        for text in ("[]", "not JSON", "7", "{}"):
            self.refused(["cannot be read: spec: "], text)

    def test_versions(self):
        for version in ((1, 0), (1, 9), (2, 0), (3, 0)):
            self.refused([f"has format {version[0]}.{version[1]}, this program reads 2.1 and later 2.x"], version=version)
        write_file(self.dir / "sweep.h5", self.spec, make_rows(self.spec), version=(2, 9))
        with h5py.File(self.dir / "sweep.h5", "r+") as file:
            file.attrs["more"] = 1
            file.create_group("extra")
            file["axes/extra"] = [1]
        self.assertEqual(self.etastar("status", "sweep.h5").returncode, 0)

    def test_format_of_before(self):
        # 2.1 has no dimensions; a file of it is continued, and merged into one of this format.
        spec, grid = {**self.spec, "engine": "implicit"}, [*self.grid[:-1], "implicit"]
        rows = make_rows(spec)
        rows["status"] = PENDING
        for name in MEASURED:
            rows[name] = np.nan
        write_file(self.dir / "sweep.h5", spec, rows, version=(2, 1))
        with h5py.File(self.dir / "sweep.h5", "r+") as file:
            file["provenance"].attrs["finished_unix"] = np.nan
        self.assertEqual(self.etastar("status", "sweep.h5").returncode, 4)
        self.succeed("sweep", *grid, "--output", "sweep.h5", "--resume")
        self.succeed("status", "sweep.h5")
        self.assertEqual(raw_rows(self.dir / "sweep.h5"), raw_rows(self.sweep(*grid, name="new.h5")))
        self.succeed("merge", "sweep.h5", "--output", "merged.h5")
        self.assertEqual([list(attributes(self.dir / name)["format_version"]) for name in ("sweep.h5", "merged.h5")], [[2, 1], [2, 2]])

    def test_seals_of_other_versions(self):
        # Format 1 sealed its files with 192 bytes, which are no damage to this one.
        for version, number, size in (((1, 0), 1, 96), ((3, 0), 3, 160)):
            write_file(self.dir / "sweep.h5", self.spec, make_rows(self.spec), version=version)
            whole = (self.dir / "sweep.h5").read_bytes()
            one = b"etastar seal %d\n\0" % number + bytes(size - 16)
            (self.dir / "sweep.h5").write_bytes(whole + 2 * one)
            self.refuse(3, "status", "sweep.h5", says=["sweep.h5: has format", f"{version[0]}.0"])
            write_file(self.dir / "sweep.h5", self.spec, make_rows(self.spec))
            (self.dir / "sweep.h5").write_bytes((self.dir / "sweep.h5").read_bytes() + 2 * one)
            self.refuse(3, "status", "sweep.h5", says=["sweep.h5: is damaged"])

    def test_attributes_of_other_shapes(self):
        write_file(self.dir / "sweep.h5", self.spec, make_rows(self.spec))
        for name in ("filetype", "spec", "spec_hash"):
            path = self.copy(self.dir / "sweep.h5")
            with h5py.File(path, "r+") as file:
                text = file.attrs[name]
                file.attrs.create(name, [text] * 1000, dtype=h5py.string_dtype())
            self.refuse(3, "status", path, says=["copy.h5: is damaged", f"attribute {name} is not a string"])

    def test_whole_of_a_shard(self):
        path = self.sweep(*self.grid, "--shard", "1/2")
        with h5py.File(path, "r+") as file:
            file["provenance"].attrs["shard_of"] = "nonsense"
        self.refuse(3, "merge", path, "--output", "new.h5", says=["sweep.h5", "damaged", "shard_of"])


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
            self.assertEqual(file["axes/eta_absolute"][:].tolist(), [[list(trials(linear)["eta"][:3])]])
            self.assertNotIn("unit_theory", file["axes/eta_absolute"].attrs)
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


class Readers(Case):
    """A table is read whole while it is written."""

    # Several batches of what a reader looks at in one go, each row of which takes a while to write.
    GRID = ["--width", "512", "--depth", "16", "--seeds", "9000", "--eta", "0.1:10:log8", "--profile"]

    def test_no_row_looks_damaged(self):
        sweep = self.start("sweep", *self.GRID, "--output", "new.h5")
        path = self.dir / "new.h5"
        wait_for(path.exists, "the file")
        seen = set()
        while sweep.process.poll() is None:
            result = self.etastar("status", path)
            self.assertIn(result.returncode, (0, 4), result.stderr)
            self.assertEqual(result.stderr, "")
            told = dict(re.findall(r"^(\w[\w ]*?) {2,}(.*)$", result.stdout, re.MULTILINE))
            self.assertEqual((told["networks"], told["failed"], told["damaged rows"]), ("9000", "0", "0"), result.stdout)
            self.assertEqual(int(told["finished"]) + int(told["pending"]), 9000)
            seen.add(int(told["finished"]))
        self.assertEqual(sweep.result().returncode, 0)
        self.assertTrue(seen - {0, 9000}, "no read while it was written")
        self.assertEqual(self.etastar("status", path).returncode, 0)


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


class Inputs(Case):
    def test_what_is_read_is_not_written_over(self):
        (self.dir / "c.cfg").write_text("width = 8\ndepth = 2\nseeds = 2\neta = 1\n")
        with h5py.File(self.dir / "d.h5", "w") as file:
            file["x"], file["y"] = np.ones((4, 8)), np.ones(4)
        (self.dir / "link.h5").symlink_to("d.h5")
        kept = {name: (self.dir / name).read_bytes() for name in ("c.cfg", "d.h5")}
        training = ["--trial", "training", "--width", "8", "--depth", "2", "--seeds", "2", "--steps", "2", "--eta", "1", "--data", "d.h5"]
        for words in (["sweep", "--config", "c.cfg", "--output", "c.cfg", "--overwrite"], ["plan", "--config", "c.cfg", "--json", "c.cfg"],
                      ["sweep", *training, "--output", "d.h5", "--overwrite"], ["sweep", *training, "--output", "link.h5", "--overwrite"]):
            self.refuse(2, *words, says=["is read as well"])
        self.assertEqual({name: (self.dir / name).read_bytes() for name in kept}, kept)
        self.refuse(2, "sweep", "--config", "c.cfg", "--output", "-", says=["standard output"])
        self.assertFalse((self.dir / "-").exists())

    def test_a_configuration_without_a_grid_begins_that_of_the_defaults(self):
        (self.dir / "c.cfg").write_text("threads = 1\noutput = new.h5\n")
        self.assertEqual(self.etastar("sweep", "--config", "c.cfg", "--resume", "--time-limit", "2s").returncode in (0, 4), True)
        self.assertTrue((self.dir / "new.h5").exists())


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
