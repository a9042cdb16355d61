"""The same sweep on any number of ranks."""
import os
import re
import resource
import unittest
from pathlib import Path

import h5py
import numpy as np

from support import Case, FAILED, TINY, environment, own_lines, raw_rows, together, trials

# Widths that are no multiple of a block of rows, and networks of very different cost.
GRID = ["--width", "8,40,100", "--depth", "1,5", "--seeds", "5", "--eta", "0.1:10:log5", "--profile"]


def profile(path):
    with h5py.File(path, "r") as file:
        return file["profile/response"][:]


class Bytes(Case):
    """Only the spec decides the bytes of /trials."""

    def succeed(self, *words, **options):
        result = self.etastar(*words, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        # Of several threads with an OpenBLAS that is built without.
        self.assertEqual([line for line in own_lines(result) if "at a time" not in line], [], words)
        return result.stdout

    def assert_same(self, grid, variants, ranks=(0, 1, 2, 3, 5)):
        alone = self.sweep(*grid, "--overwrite", name="alone.h5")
        for words in variants:
            for count in ranks:
                with self.subTest(ranks=count, words=words):
                    path = self.sweep(*grid, *words, "--overwrite", name="other.h5", ranks=count)
                    self.assertTrue(raw_rows(path) == raw_rows(alone))
                    if "--profile" in grid:
                        np.testing.assert_array_equal(profile(path), profile(alone))
                    with h5py.File(path, "r") as file:
                        self.assertEqual(file["provenance"].attrs["ranks"], max(count, 1))
                        self.assertEqual(file.attrs["complete"], 1)

    def test_ranks_dense(self):
        self.assert_same([*GRID, "--engine", "dense"], [[]])
        self.assert_same([*GRID, "--engine", "dense", "--precision", "double"], [[]], ranks=(2, 5))

    def test_ranks_implicit(self):
        self.assert_same([*GRID, "--engine", "implicit"], [[]])
        self.assert_same([*GRID, "--engine", "implicit", "--precision", "double"], [[]], ranks=(2, 5))

    def test_threads(self):
        for engine in ("dense", "implicit"):
            grid = [*GRID, "--engine", engine]
            self.assert_same(grid, [["--threads", "1"], ["--threads", "2"], ["--threads", "5"]], ranks=(0,))
            self.assert_same(grid, [["--threads", "2"]], ranks=(2, 3))
        self.assert_same([*GRID, "--engine", "dense", "--precision", "double", "--weight-budget", "1"],
                         [["--threads", "3"]], ranks=(0, 2))

    def test_threads_of_training(self):
        for words in (["--engine", "implicit"], ["--engine", "dense"], ["--engine", "dense", "--optimizer", "adam"]):
            grid = ["--trial", "training", "--steps", "5", "--width", "8,65", "--depth", "1,3", "--seeds", "4", "--eta", "0.1:10:log3",
                    "--samples", "3", *words]
            alone = self.sweep(*grid, "--threads", "1", "--overwrite", name="alone.h5")
            for threads, ranks in (("2", 0), ("5", 0), ("2", 2)):
                path = self.sweep(*grid, "--threads", threads, "--overwrite", name="other.h5", ranks=ranks)
                with h5py.File(alone, "r") as one, h5py.File(path, "r") as other, self.subTest(words=words, threads=threads, ranks=ranks):
                    for name in ("trials", "steps/loss"):
                        self.assertEqual(one[name][:].tobytes(), other[name][:].tobytes())

    def test_builds_of_openblas(self):
        """One without threads has no lock: the program has, and says that products take turns."""
        grid = [*GRID, "--engine", "dense"]
        tables = {}
        for build in ("pthread", "serial", "openmp"):
            folder = Path(f"/usr/lib/{os.uname().machine}-linux-gnu/openblas-{build}")
            if not folder.exists():
                continue
            env = {**environment(), "LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}"}
            result = self.etastar("sweep", *grid, "--threads", "4", "--overwrite", env=env)
            self.assertEqual(result.returncode, 0, result.stderr)
            with h5py.File(self.dir / "etastar.h5", "r") as file:
                serial = "SINGLE_THREADED" in file["provenance"].attrs["blas"]
                tables[build] = file["trials"][:].tobytes()
            told = [line for line in own_lines(result) if "1 product at a time" in line]
            self.assertEqual(len(told), int(serial), result.stderr)
        self.assertLessEqual(len(set(tables.values())), 1, tables.keys())

    def test_more_ranks_than_networks(self):
        self.assert_same(["--width", "16", "--depth", "3", "--seeds", "2", "--eta", "1"], [[]], ranks=(3, 5))
        self.assert_same(["--width", "16", "--depth", "3", "--seeds", "1", "--eta", "1"], [[]], ranks=(5,))

    def test_weight_budget(self):
        # Nothing kept, and room for two of the four matrices of width 400 in single precision.
        for precision in ("single", "double"):
            self.assert_same(["--engine", "dense", "--width", "33,400", "--depth", "5", "--seeds", "2", "--eta", "0.5,2", "--precision",
                              precision], [["--weight-budget", "0"], ["--weight-budget", "1"],
                                                          ["--weight-budget", "2"]], ranks=(0,))
        self.assert_same([*GRID], [["--weight-budget", "0"]], ranks=(3,))
        # Room for two of the five layers of an implicit network of width 65536.
        self.assert_same(["--engine", "implicit", "--width", "65536", "--depth", "5", "--seeds", "1", "--eta", "1"],
                         [["--weight-budget", "0"], ["--weight-budget", "1"]], ranks=(0,))

    def test_repeated_run(self):
        self.assert_same(GRID, [[]], ranks=(0,))

    def test_many_small_networks(self):
        self.assert_same(["--width", "2,3", "--depth", "1", "--seeds", "3000", "--eta", "1"], [[]], ranks=(3,))


class Printing(Case):
    """Rank 0 alone prints."""

    def test_once(self):
        for words in (["--version"], ["--help"], ["theory", "--width", "8", "--depth", "2", "--json", "-"],
                      ["sweep", "--help"]):
            with self.subTest(words=words):
                self.assertEqual(self.succeed(*words, ranks=3), self.succeed(*words))

    def test_plan_counts_the_ranks(self):
        text = self.succeed("plan", *TINY, ranks=3)
        self.assertEqual(text.count("networks"), self.succeed("plan", *TINY).count("networks"))
        self.assertIn("on 3 ranks\n", text)
        # Without a launcher, the cores that this process may use.
        cores = len(os.sched_getaffinity(0))
        quota = Path("/sys/fs/cgroup/cpu.max")
        if not quota.exists() or quota.read_text().startswith("max"):
            self.assertIn(f"on {cores} threads\n" if cores > 1 else "on 1 rank\n", self.succeed("plan", *TINY))
        one = {next(iter(os.sched_getaffinity(0)))}
        self.assertIn("on 1 rank\n", self.succeed("plan", *TINY, preexec_fn=lambda: os.sched_setaffinity(0, one)))
        self.assertIn("on 7 threads\n", self.succeed("plan", *TINY, "--threads", "7"))
        self.assertIn("on 2 ranks x 7 threads\n", self.succeed("plan", *TINY, "--threads", "7", ranks=2))

    def test_plan_counts_the_memory_of_threads(self):
        def memory(*words):
            text = self.succeed("plan", "--engine", "dense", "--width", "2048", "--depth", "33", "--seeds", "9", "--eta", "1", *words)
            line = re.search(r"memory per rank +([\d.]+) MiB(?: \((\d+) threads, ([\d.]+) MiB each\))?\n", text)
            self.assertIsNotNone(line, text)
            return [line and float(line[i] or 0) for i in (1, 2, 3)]
        one = memory("--threads", "1", "--weight-budget", "480")[0]
        self.assertGreater(one, 480)
        # The budget is the rank's; what a network needs besides is each thread's.
        all_, threads, each = memory("--threads", "3", "--weight-budget", "480")
        self.assertEqual(threads, 3)
        self.assertAlmostEqual(all_, 3 * each, delta=0.5)
        self.assertLess(each, one - 300)
        self.assertGreater(all_, 480)

    def test_fewer_threads_than_cores_where_memory_is_small(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one core")
        grid = ["--width", "40000000", "--depth", "1", "--seeds", "9", "--eta", "1"]

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        result = self.etastar("plan", *grid, preexec_fn=limit)
        if result.returncode != 0:
            self.skipTest("this build does not start with little memory")
        self.assertRegex(result.stdout, r"threads +1 of \d+ cores: of the largest networks, .*--threads N decides\n")
        self.assertIn("on 2 threads\n", self.succeed("plan", *grid, "--threads", "2"))

    def test_sweep_and_fit(self):
        text = self.succeed("sweep", *TINY, "--output", "new.h5", ranks=3)
        self.assertEqual(text.count("new.h5"), 1)
        self.assertEqual(self.succeed("fit", "new.h5", ranks=3), self.succeed("fit", "new.h5"))

    def test_errors(self):
        self.sweep(*TINY)
        table = [(2, []), (2, ["sweep", "--width", "0"]), (2, ["plan", "--wid", "8"]), (3, ["fit", "absent.h5"]),
                 (3, ["sweep", *TINY, "--output", "sweep.h5"]), (3, ["sweep", *TINY, "--output", "absent/new.h5"])]
        results = together(lambda _, words: self.etastar(*words, ranks=3), table)
        for (code, words), result in zip(table, results):
            with self.subTest(words=words):
                alone = self.refuse(code, *words)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual(own_lines(result), alone.stderr.splitlines())
                self.assertEqual(result.stdout, "")
        self.assertEqual(self.names(), ["sweep.h5"])


class Failures(Case):
    """Networks too large for the memory fail; the others run."""

    def limited(self, *words, ranks):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (3 * 2**29, 3 * 2**29))
        return self.etastar(*words, ranks=ranks, preexec_fn=limit)

    def test_out_of_memory(self):
        if self.limited("--version", ranks=0).returncode != 0:
            self.skipTest("this build does not start with little memory")
        grid = ["--width", "8,400000000", "--depth", "1,2", "--seeds", "4", "--eta", "1,2"]
        for ranks in (0, 3):
            name = f"{ranks}.h5"
            result = self.limited("sweep", *grid, "--output", name, ranks=ranks)
            self.assertEqual(result.returncode, 5, result.stderr)
            rows = trials(self.dir / name)
            failed = rows["width"] > 8
            self.assertTrue((rows["status"][failed] == FAILED).all())
            self.assertTrue((rows["status"][~failed] != FAILED).all())
            self.assertTrue(np.isnan(rows["dz2_last"][failed]).all() and np.isfinite(rows["dz2_last"][~failed]).all())
            self.assertIn("16 rows failed", result.stdout)
            # Of many like failures some are told, with their network and cause.
            self.assertTrue(1 <= len(own_lines(result)) <= 6, result.stderr)
            self.assertRegex(own_lines(result)[0], "width 400000000, depth [12], seed [0-3].*memory")
        self.assertTrue(raw_rows(self.dir / "0.h5") == raw_rows(self.dir / "3.h5"))
        with h5py.File(self.dir / "0.h5", "r") as file:
            self.assertEqual(file.attrs["complete"], 1)

    def test_not_all_threads(self):
        """More than there are addresses for: the sweep goes on with those that could be started, and says so."""
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        alone = self.sweep(*TINY, name="alone.h5")
        result = self.etastar("sweep", *TINY, "--threads", "1000", "--output", "new.h5", preexec_fn=limit)
        if result.returncode != 0:
            self.skipTest("this build does not start with little memory")
        told = [line for line in own_lines(result) if "threads" in line]
        self.assertEqual(len(told), 1, result.stderr)
        self.assertRegex(told[0], r"^etastar: only \d+ of 1000 threads could be started \(.+\); going on with those$")
        self.assertTrue(raw_rows(self.dir / "new.h5") == raw_rows(alone))


if __name__ == "__main__":
    unittest.main()
