"""Sweeps of training: their options, a user's data, and tables of losses that keep every promise of the others."""
import hashlib
import json
import os
import re
import resource
import shutil
import unittest
import uuid
import zlib

import h5py
import numpy as np

from support import Case, DONE, FAILED, NONFINITE, PENDING, ROOT, attributes, own_lines, together, trials, wait_for

# Runs of every fate: some converge, the largest rate diverges. Networks of very different cost.
GRID = ["--trial", "training", "--width", "8,40", "--depth", "1,4", "--seeds", "5", "--eta", "0.1,1,300", "--steps", "9"]
SMALL = ["--trial", "training", "--width", "8", "--depth", "2", "--seeds", "3", "--eta", "0.1,1", "--steps", "4"]
# Seconds of work, in networks of milliseconds.
CHAIN = ["--trial", "training", "--width", "64,1024", "--depth", "3,12", "--seeds", "60", "--eta", "0.1:1:log3", "--steps", "20"]
ROW = 88

FIRST_STEP = "a first step has none"
# Words beside SMALL's, or beside no training at all, and the whole message.
REFUSED = [
    *((["--steps", text], f"steps: '{text}' is not an integer from 1 to 1000000")
      for text in ("0", "1000001", "4294967295", "5000000000", "1,2")),
    (["--steps", "1000000", "--eta", "0.1:1:log17"], "steps: 17 rates of 1000000 steps are 17000017 losses a network; at most 16777216"),
    *(([option, text], f"{option[2:]}: '{text}' is not an integer from 1 to 1048576")
      for option in ("--samples", "--batch") for text in ("0", "1048577", "4294967295", "5000000000")),
    *((["--data", text], f"data: '{text}' is not one of random, linear or FILE.h5, and no file has that name")
      for text in ("Random", "file")),
    (["--batch", "2"], "batch: 2 is more than the 1 samples there are"),
    (["--batch", "some"], "batch: 'some' is not an integer from 1 to 1048576"),
    (["--batch", "1", "--online"], "batch: contradicts --online: every step takes --samples fresh examples"),
    (["--optimizer", "sign"], "optimizer: 'sign' is a first step; training takes sgd, momentum or adam"),
    (["--optimizer", "normalized"], "optimizer: 'normalized' is a first step; training takes sgd, momentum or adam"),
    (["--optimizer", "adam"], "optimizer: 'adam' needs every weight: it takes --engine dense"),
    (["--optimizer", "adagrad"], "optimizer: 'adagrad' is not one of sgd, sign, normalized, momentum, adam"),
    (["--momentum", "0.5"], "momentum: is of --optimizer momentum"),
    (["--optimizer", "momentum", "--momentum", "1"], "momentum: 1 is not a number from 0 to below 1"),
    (["--optimizer", "momentum", "--momentum", "-0.1"], "momentum: -0.1 is not a number from 0 to below 1"),
    (["--optimizer", "momentum", "--momentum", "nan"], "momentum: 'nan' is not a finite number"),
    (["--profile"], "profile: is of --trial first-step; training keeps every loss"),
]
REFUSED_OF_FIRST_STEP = [
    *((words, f"{words[0][2:]}: is of --trial training; a first step has none")
      for words in (["--steps", "30"], ["--samples", "1"], ["--batch", "all"], ["--data", "random"], ["--data", "absent.h5"],
                    ["--online"], ["--momentum", "0.9"])),
    (["--optimizer", "momentum"],
     "optimizer: 'momentum' remembers steps before, and a first step has none: its own is that of sgd"),
    (["--optimizer", "adam"], "optimizer: 'adam' remembers steps before, and a first step has none: its own is that of sign"),
]


def raw(path, name):
    """The bytes of a dataset as they stand in the file."""
    with h5py.File(path, "r") as file:
        start, size = file[name].id.get_offset(), file[name].id.get_storage_size()
    return path.read_bytes()[start:start + size]


def losses(path):
    with h5py.File(path, "r") as file:
        return file["steps/loss"][:]


def spec_of(path):
    return json.loads(attributes(path)["spec"])


def replaced(words, **values):
    """The words with other values of some options."""
    words = list(words)
    for option, value in values.items():
        words[words.index(f"--{option}") + 1] = value
    return words


class Training(Case):
    def assert_same(self, path, other):
        for name in ("trials", "steps/loss", "steps/check"):
            self.assertTrue(raw(path, name) == raw(other, name), name)
        for name in ("spec", "spec_hash", "complete"):
            self.assertEqual(attributes(path)[name], attributes(other)[name])

    def write_data(self, name="data.h5", x=None, y=None, **options):
        """A file of data: by default 6 examples of dimension 3."""
        random = np.random.default_rng(1)
        x = random.normal(size=(6, 3)).astype("f4") if x is None else x
        y = random.normal(size=len(x)) if y is None else y
        with h5py.File(self.dir / name, "w") as file:
            file.create_dataset("x", data=x, **options)
            file.create_dataset("y", data=y, **options)
        return name


class Options(Training):
    def test_refused(self):
        cases = [(drop(SMALL, words), words, text) for words, text in REFUSED]
        cases += [([], words, text) for words, text in REFUSED_OF_FIRST_STEP]
        for case, result in zip(cases, together(lambda grid, words, _: self.etastar("plan", *grid, *words), cases)):
            with self.subTest(words=case[1]):
                self.assert_refused(result, 2)
                self.assertEqual(result.stderr, f"etastar: {case[2]}\n")
        self.assertEqual(self.names(), [])

    def test_theory_and_transfer_take_first_steps(self):
        sizes = ["--from-width", "8", "--from-depth", "2", "--from-eta", "1", "--to-width", "8", "--to-depth", "3"]
        for words in (["theory"], ["transfer", *sizes]):
            self.refuse(2, *words, "--optimizer", "adam", says=["optimizer: 'adam'", "that of sign"])
            self.refuse(2, *words, "--steps", "3", says=["steps"])

    def test_a_configuration_file(self):
        (self.dir / "my.cfg").write_text("width = 8\ndepth = 2\nseeds = 1\neta = 1\ntrial = training\nsteps = 3\nsamples = 4\n"
                                         "batch = 2\ndata = linear\noptimizer = momentum\nmomentum = 0.5\n")
        spec = spec_of(self.sweep("--config", "my.cfg"))
        for name, value in (("trial", "training"), ("steps", 3), ("samples", 4), ("batch", 2), ("data", "linear"), ("online", False),
                            ("optimizer", "momentum"), ("momentum", 0.5)):
            self.assertEqual(spec[name], value)
        (self.dir / "my.cfg").write_text("width = 8\nsteps = 3\n")
        self.refuse(2, "plan", "--config", "my.cfg", says=["my.cfg:2: steps: ", FIRST_STEP])

    def test_first_steps_have_none_of_it(self):
        spec = spec_of(self.sweep("--width", "8", "--depth", "1", "--seeds", "1", "--eta", "1"))
        self.assertEqual(list(spec)[-1], "profile")
        self.assertEqual(len(spec), 20)

    def test_plan(self):
        text = self.succeed("plan", *SMALL, "--samples", "6", "--batch", "2", "--optimizer", "momentum")
        self.assertIn("training         4 steps of momentum on 6 examples in batches of 2, data random\n", text)
        wide = self.succeed("plan", *replaced(SMALL, width="4096"))
        self.assertRegex(wide, r"engine +implicit; the dense engine would take [^:]+\n")
        long = replaced(SMALL, width="128", steps="1000")
        self.assertIn(": --engine dense is cheaper here\n", self.succeed("plan", *long))
        self.assertRegex(self.succeed("plan", *long, "--engine", "dense"), r"engine +dense; the implicit engine would take [^:]+\n")
        self.assertIn("dense, the only one for adam\n", self.succeed("plan", *SMALL, "--engine", "dense", "--optimizer", "adam"))
        self.assertEqual(self.names(), [])

    def test_plan_foretells_the_file_size(self):
        self.write_data(x=np.ones((60, 200)))
        size, unit = re.search(r"file size +([\d.]+) (KiB|MiB)", self.succeed("plan", *GRID, "--data", "data.h5")).groups()
        told = float(size) * {"KiB": 2**10, "MiB": 2**20}[unit]
        self.assertLess(abs(self.sweep(*GRID, "--data", "data.h5", "--batch", "2").stat().st_size - told), 24576)


def drop(words, others):
    """The options without those that the others give."""
    pairs = zip(words[::2], words[1::2])
    return [word for pair in pairs if pair[0] not in others for word in pair]


class Data(Training):
    def digest(self, x, y):
        data = np.array(x.shape, "<u8").tobytes() + x.astype("<f8").tobytes() + y.astype("<f8").tobytes()
        return str(uuid.UUID(bytes=hashlib.sha1(uuid.NAMESPACE_URL.bytes + data).digest()[:16], version=5))

    def test_bad_files(self):
        x, y = np.ones((5, 2)), np.ones(5)
        bad_x, bad_y = x.copy(), y.astype("f4")
        bad_x[3, 1], bad_y[4] = np.nan, -np.inf
        many_rows = np.ones((100000, 2), "f4")
        many_rows[77777, 0] = np.inf
        wanted = "; data are x [P, n0] and y [P]"
        cases = {
            "x": ({"y": y}, "has no dataset x" + wanted), "y": ({"x": x}, "has no dataset y" + wanted),
            "flat": ({"x": y, "y": y}, "its x has the shape [5]" + wanted),
            "deep": ({"x": np.ones((5, 2, 1)), "y": y}, "its x has the shape [5, 2, 1]" + wanted),
            "none": ({"x": np.ones((0, 2)), "y": np.ones(0)}, "its x has the shape [0, 2]: no examples" + wanted),
            "no columns": ({"x": np.ones((5, 0)), "y": y}, "its x has the shape [5, 0]: no examples" + wanted),
            "scalar": ({"x": x, "y": 1.0}, "its y has the shape []" + wanted),
            "column": ({"x": x, "y": np.ones((5, 1))}, "its y has the shape [5, 1]" + wanted),
            "fewer": ({"x": x, "y": y[1:]}, "its y has the shape [4] where x has 5 rows" + wanted),
            "text": ({"x": x, "y": np.array([b"a"] * 5)}, "its y has no numbers, integers or floating point" + wanted),
            "complex": ({"x": x * 1j, "y": y}, "its x has no numbers, integers or floating point" + wanted),
            "truth": ({"x": x > 0, "y": y}, "its x has no numbers, integers or floating point" + wanted),
            "nan": ({"x": bad_x, "y": y}, "row 3 of its x has a value that is not finite: x[3, 1] is nan"),
            "inf": ({"x": x, "y": bad_y}, "row 4 of its y has a value that is not finite: y[4] is -inf"),
            "large": ({"x": many_rows, "y": np.ones(100000)}, "row 77777 of its x has a value that is not finite: x[77777, 0] is inf"),
        }
        for name, (datasets, _) in cases.items():
            with h5py.File(self.dir / f"{name}.h5", "w") as file:
                for key, values in datasets.items():
                    file[key] = values
        with h5py.File(self.dir / "group.h5", "w") as file:
            file.create_group("x")
        cases["group"] = None, "its x is no dataset that can be opened" + wanted
        with h5py.File(self.dir / "huge.h5", "w") as file:
            file.create_dataset("x", (2**40, 2**30), "f4", chunks=(1, 1024))
            file.create_dataset("y", (2**40,), "f4", chunks=(1024,))
        cases["huge"] = None, f"has {2**40} examples of dimension {2**30}; at most 67108864 numbers can be used"
        (self.dir / "notes.h5").write_text("no HDF5")
        before = self.names()
        results = together(lambda name: self.etastar("sweep", *SMALL, "--data", f"{name}.h5", "--output", "new.h5"),
                           [(name,) for name in cases])
        for (name, (_, text)), result in zip(cases.items(), results):
            with self.subTest(name=name):
                self.assert_refused(result, 3)
                self.assertEqual(result.stderr, f"etastar: {name}.h5: {text}\n")
        for name in ("notes.h5", "absent.h5", ".", "./file"):
            self.refuse(3, "plan", *SMALL, "--data", name, says=[f"{name}: "])
        self.refuse(2, "plan", *SMALL, "--data", "", says=["data: the file name is empty"])
        self.assertEqual(self.names(), before)

    def test_options_that_do_not_fit_the_file(self):
        self.write_data()
        for words, text in ((["--samples", "7"], "samples: 7 are more than 'data.h5' has, which is 6"),
                            (["--input-dim", "4"], "input-dim: 4 is not that of the data: 'data.h5' has 3"),
                            (["--batch", "7"], "batch: 7 is more than the 6 samples there are"),
                            (["--online"], "online: a file has no fresh examples; use --data random or linear")):
            result = self.refuse(2, "plan", *SMALL, "--data", "data.h5", *words)
            self.assertEqual(result.stderr, f"etastar: {text}\n")

    def test_the_values_are_in_the_file(self):
        x, y = np.array([[1, -2, 3], [4, 5, -6]]), np.array([1, -1])
        same = [self.write_data("int.h5", x.astype("i1"), y), self.write_data("float.h5", x.astype(">f4"), y.astype("f2")),
                self.write_data("packed.h5", x.astype("f8"), y.astype("u1") * 0 + y, chunks=True, compression="gzip")]
        paths = [self.sweep(*SMALL, "--data", name, name=f"of {name}") for name in same]
        for path in paths:
            spec = spec_of(path)
            self.assertEqual((spec["samples"], spec["input_dim"], spec["batch"]), (2, 3, 2))
            self.assertEqual(spec["data"], "file:" + self.digest(x, y))
            self.assert_same(path, paths[0])
            with h5py.File(path, "r") as file:
                np.testing.assert_array_equal(file["data/x"][:], x)
                np.testing.assert_array_equal(file["data/y"][:], y)
                self.assertEqual((file["data/x"].dtype, file["data/y"].dtype), ("<f8", "<f8"))
        for name in same:
            os.unlink(self.dir / name)
        self.assertIn("finished         3", self.succeed("status", paths[0]))

    def test_loss_is_that_of_the_data(self):
        # A target so large that the output before the first step is nothing beside it.
        self.write_data(x=np.ones((4, 3)), y=np.array([1e6, -2e6, 0, 1e6]))
        for words in ([], ["--engine", "dense"]):
            first = losses(self.sweep(*SMALL, "--data", "data.h5", "--overwrite", *words))[:, 0]
            np.testing.assert_allclose(first, 6e12 / 8, rtol=1e-4)

    def test_the_first_samples(self):
        random = np.random.default_rng(2)
        x, y = random.normal(size=(6, 3)), random.normal(size=6)
        self.write_data("all.h5", x, y)
        self.write_data("first.h5", x[:4], y[:4])
        some = self.sweep(*SMALL, "--data", "all.h5", "--samples", "4", "--input-dim", "3")
        self.assert_same(some, self.sweep(*SMALL, "--data", "first.h5", name="other.h5"))
        self.assertEqual(spec_of(some)["data"], "file:" + self.digest(x[:4], y[:4]))
        # What is not used may be anything, and any number of it.
        with h5py.File(self.dir / "long.h5", "w") as file:
            file.create_dataset("x", (2**40, 3), "f8", chunks=(64, 3), compression="gzip")[:5] = [*x[:4], [np.nan] * 3]
            file.create_dataset("y", (2**40,), "f8", chunks=(64,))[:4] = y[:4]
        self.assert_same(some, self.sweep(*SMALL, "--data", "long.h5", "--samples", "4", name="long"))
        self.refuse(3, "plan", *SMALL, "--data", "long.h5", "--samples", "5", says=["row 4 of its x"])
        self.refuse(3, "plan", *SMALL, "--data", "long.h5", says=["at most 67108864 numbers"])

    def test_resume_with_the_same_data_only(self):
        self.write_data()
        path = self.sweep(*SMALL, "--data", "data.h5")
        before = path.read_bytes()
        shutil.copy(self.dir / "data.h5", self.dir / "copy.h5")
        self.assertIn("3 networks were finished before",
                      self.succeed("sweep", *SMALL, "--data", "copy.h5", "--output", path, "--resume"))
        self.write_data("other.h5", y=np.zeros(6))
        result = self.refuse(3, "sweep", *SMALL, "--data", "other.h5", "--output", path, "--resume")
        self.assertEqual(result.stderr, f"etastar: {path}: holds another sweep, which --resume alone continues: data has other values than those that the sweep began with\n")
        self.refuse(3, "sweep", *SMALL, "--output", path, "--resume", says=["another sweep", "data is"])
        self.assertEqual(raw(path, "steps/loss"), raw(self.copy_of(before), "steps/loss"))

    def copy_of(self, data):
        path = self.dir / "before.h5"
        path.write_bytes(data)
        return path


class Table(Training):
    """Rows and losses, however they came about."""

    @classmethod
    def setUpClass(cls):
        cls.whole = cls.shared_sweep(*GRID, "--samples", "4", "--data", "linear")
        cls.grid = [*GRID, "--samples", "4", "--data", "linear"]

    def test_rows_sum_up_the_losses(self):
        variants = [self.whole]
        words = (["--batch", "2", "--data", "random", "--samples", "3"], ["--online", "--samples", "2"],
                 ["--optimizer", "momentum", "--momentum", "0.5", "--engine", "dense"], ["--optimizer", "adam", "--engine", "dense"],
                 ["--architecture", "residual", "--activation", "tanh", "--biases", "--precision", "double"])
        variants += together(lambda i: self.sweep(*GRID, *words[i], name=f"{i}.h5"), [(i,) for i in range(len(words))])
        for path in variants:
            with self.subTest(path=path.name):
                rows, loss = trials(path), losses(path)
                self.assertEqual(loss.shape, (60, 10))
                done = rows["steps_done"]
                np.testing.assert_array_equal(np.isnan(loss), np.arange(10) > done[:, None])
                np.testing.assert_array_equal(loss[:, 0], rows["loss_initial"])
                np.testing.assert_array_equal(loss[np.arange(60), done], rows["loss_final"])
                np.testing.assert_array_equal(np.nanmin(loss, axis=1), rows["loss_min"])
                self.assertEqual(set(rows["status"]), {DONE, NONFINITE})
                self.assertTrue((done[rows["status"] == DONE] == 9).all())
                for name in ("loss_final", "dz2_final", "kernel_initial", "kernel_final"):
                    self.assertTrue(np.isfinite(rows[name][rows["status"] == DONE]).all(), name)
                stopped = rows["status"] == NONFINITE
                self.assertTrue((loss[np.arange(60), done][stopped] > 1e6 * loss[stopped, 0]).all())
                self.assertTrue(np.isnan(rows["kernel_final"][stopped]).all())
                # The network's own are the same at all its rates, but for rounding.
                for name in ("loss_initial", "kernel_initial"):
                    np.testing.assert_allclose(rows[name], np.repeat(rows[name][::3], 3), rtol=1e-4)
                with h5py.File(path, "r") as file:
                    self.assertEqual(file["steps/check"][:].tolist(), [zlib.crc32(row.tobytes()) for row in loss])
                for i in range(0, 60 * ROW, ROW):
                    row = raw(path, "trials")[i:i + ROW]
                    self.assertEqual(zlib.crc32(row[:ROW - 4]), int.from_bytes(row[ROW - 4:], "little"))

    def test_ranks(self):
        self.write_data()
        for words in (self.grid[len(GRID):], ["--data", "data.h5", "--batch", "2"]):
            alone = self.sweep(*GRID, *words, "--overwrite", name="alone.h5")
            for ranks in (1, 2, 5):
                with self.subTest(words=words, ranks=ranks):
                    path = self.sweep(*GRID, *words, "--overwrite", name="other.h5", ranks=ranks)
                    self.assert_same(path, alone)
        self.assert_same(self.sweep(*self.grid, name="again.h5"), self.whole)

    def test_shards(self):
        self.write_data()
        for words in (self.grid[len(GRID):], ["--data", "data.h5"]):
            parts = [self.sweep(*GRID, *words, "--shard", f"{i}/3", "--overwrite", name=f"{i}.h5") for i in (1, 2, 3)]
            os.rename(self.dir / "data.h5", self.dir / "away.h5")
            self.succeed("merge", *parts, "--output", "merged.h5", "--overwrite")
            os.rename(self.dir / "away.h5", self.dir / "data.h5")
            whole = self.sweep(*GRID, *words, "--overwrite", name="whole.h5")
            self.assert_same(self.dir / "merged.h5", whole)
            if "data.h5" in words:
                for name in ("data/x", "data/y"):
                    self.assertEqual(raw(self.dir / "merged.h5", name), raw(whole, name))
        self.write_data("other.h5", y=np.zeros(6))
        self.sweep(*GRID, "--data", "other.h5", "--shard", "2/3", "--overwrite", name="2.h5")
        self.refuse(3, "merge", "1.h5", "2.h5", "3.h5", "--output", "new.h5", says=["no shard of the same sweep", "data is"])

    def test_damage(self):
        path = self.copy(self.whole)
        with h5py.File(path, "r") as file:
            place = {name: file[name].id.get_offset() for name in ("trials", "steps/loss", "steps/check")}
        with open(path, "r+b") as file:
            for at in (place["trials"] + 4 * ROW + 40, place["steps/loss"] + (3 * 7 + 2) * 80 + 8, place["steps/check"] + 4 * 3 * 11):
                file.seek(at)
                file.write(b"\x5a\xa5")
        text = self.etastar("status", path).stdout
        self.assertIn("pending          3\ndamaged rows     3\ncomplete         no\n", text)
        self.assertIn("damaged rows     0\ncomplete         yes\n", self.succeed("status", self.whole))
        result = self.etastar("sweep", *self.grid, "--output", path, "--resume", ranks=2)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(own_lines(result), ["etastar: " + f"{path}: 3 rows torn or damaged; run again"])
        self.assert_same(path, self.whole)

    def test_stop_and_continue(self):
        self.write_data()
        grid = [*CHAIN, "--data", "data.h5", "--samples", "2"]
        path, before = self.dir / "chain.h5", 0

        def finished():
            try:
                with h5py.File(path, "r") as file:
                    return int((file["trials"]["status"] != PENDING).sum())
            except (OSError, KeyError):
                return 0
        for ranks, target in ((2, 1), (0, 0)):
            sweep = self.start("sweep", *grid, "--output", "chain.h5", "--resume", ranks=ranks)
            wait_for(lambda: finished() > before or sweep.process.poll() is not None, "another network")
            self.assertTrue(sweep.signal(10, target))
            self.assert_stopped(sweep.result(), "stopped by a signal")
            before = finished()
            self.assertEqual(self.etastar("status", "chain.h5").returncode, 4)
        self.assertLess(before, 720)
        self.assertIn("were finished before", self.succeed("sweep", *grid, "--output", "chain.h5", "--resume", ranks=2))
        self.assert_same(path, self.sweep(*grid, name="whole.h5"))

    def test_time_limit(self):
        # Minutes a network.
        grid = ["--trial", "training", "--width", "65536", "--depth", "64", "--seeds", "2", "--eta", "1", "--steps", "1000"]
        result = self.etastar("sweep", *grid, "--output", "new.h5", "--time-limit", "30s")
        self.assertTrue(self.assert_stopped(result, "stopped at the time limit; 0 of 2 networks finished"))

    def test_failed_networks_are_rows(self):
        grid = replaced(SMALL, width="8,262144", depth="64", seeds="1", steps="20")

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        if self.etastar("--version", preexec_fn=limit).returncode != 0:
            self.skipTest("this build does not start with little memory")
        result = self.etastar("sweep", *grid, "--output", "new.h5", preexec_fn=limit)
        self.assertEqual(result.returncode, 5, result.stderr)
        rows, loss = trials(self.dir / "new.h5"), losses(self.dir / "new.h5")
        failed = rows["width"] == 262144
        self.assertTrue((rows["status"][failed] == FAILED).all())
        self.assertTrue((rows["status"][~failed] == DONE).all())
        self.assertTrue(np.isnan(loss[failed]).all() and np.isfinite(loss[~failed]).all())
        self.assertEqual(self.etastar("status", "new.h5").returncode, 5)


class Document(Training):
    """docs/format.md names what stands in a file of training."""

    TEXT = (ROOT / "docs" / "format.md").read_text()
    TYPES = {"f64": h5py.h5t.IEEE_F64LE, "u32": h5py.h5t.STD_U32LE, "u64": h5py.h5t.STD_U64LE, "u8": h5py.h5t.STD_U8LE}

    def table(self, head):
        body, = re.findall(rf"^\| {re.escape(head)} \|\n\|[-|]+\|\n((?:\|.*\n)+)", self.TEXT, re.MULTILINE)
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]

    def test_objects_fields_and_keys(self):
        self.write_data()
        path = self.sweep(*SMALL, "--data", "data.h5", "--optimizer", "momentum")
        lengths = {"W": 1, "D": 1, "S": 3, "E": 2, "T + 1": 5, "P": 6, "n0": 3}
        with h5py.File(path, "r") as file:
            self.assertEqual(set(file), {"axes", "provenance", "row", "trials", "steps", "data"})
            names = {f"/{group}/{name}" for group in ("steps", "data") for name in file[group]}
            objects = self.table("object of training | type and shape | meaning")
            self.assertEqual({row[0].strip("`") for row in objects}, names)
            for name, what, _ in objects:
                kind, shape = re.fullmatch(r"(\w+) \[(.+)\]", what).groups()
                self.assertTrue(file[name.strip("`")].id.get_type().equal(self.TYPES[kind]), name)
                self.assertEqual(list(file[name.strip("`")].shape),
                                 [int(np.prod([lengths[word] for word in size.split("·")])) for size in shape.split(", ")])
            kind = file["trials"].id.get_type()
            found = [(str(kind.get_member_offset(i)), kind.get_member_name(i).decode(), kind.get_member_type(i))
                     for i in range(kind.get_nmembers())]
        self.assertEqual(kind.get_size(), ROW)
        self.assertIn(f"A row of `training` has {ROW} bytes", self.TEXT)
        fields = [row for row in self.table("offset | field of training | type | meaning") if row[1]]
        self.assertEqual([(at, name.strip("`")) for at, name, _, _ in fields], [row[:2] for row in found])
        for (_, name, text, _), (_, _, of_type) in zip(fields, found):
            expected = of_type.get_super() if text == "enum of u8" else of_type
            self.assertTrue(expected.equal(self.TYPES[text.rpartition(" ")[2]]), name)
        keys = [key for head in ("key", "key of training") for names, _ in self.table(f"{head} | value")
                for key in re.findall(r"`(\w+)`", names)]
        keys.remove("profile")
        self.assertEqual(keys, list(spec_of(path)))


if __name__ == "__main__":
    unittest.main()
