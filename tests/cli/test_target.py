"""Sweeps with --target-ci: which networks they run, what the file says of the others, and what interruptions change."""
import re
import signal
import unittest
import zlib

import h5py
import numpy as np

from support import (CHECK_BYTE, FAILED, ROOT, ROW_BYTES, STATUS_BYTE, Case, attributes, finished, raw_rows, together, trials,
                     wait_for)

SKIPPED = 4
GRID = ["--width", "256,512", "--depth", "2,4,8", "--eta", "0.5,1", "--seeds", "600"]
TARGET = [*GRID, "--target-ci", "0.03"]
# Networks of a few milliseconds.
SLOW = ["--width", "8192", "--depth", "16,32", "--eta", "1", "--seeds", "300", "--target-ci", "0.04"]


def rewrite(path, change):
    """Changes rows of /trials, bytearrays, and gives those that have changed their checksum."""
    with h5py.File(path, "r") as file:
        start = file["trials"].id.get_offset()
    rows = raw_rows(path)
    with open(path, "r+b") as file:
        for i, row in enumerate(rows):
            new = bytearray(row)
            change(i, new)
            if new != row:
                new[CHECK_BYTE:] = zlib.crc32(new[:CHECK_BYTE]).to_bytes(4, "little")
                file.seek(start + i * ROW_BYTES)
                file.write(new)


class Targets(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.shared_sweep(*TARGET)
        cls.rows = raw_rows(cls.whole)

    def run_sweep(self, *words, name="sweep.h5", **options):
        return self.etastar("sweep", "--output", name, *words, **options)

    def sweep_with_target(self, *words):
        result = self.run_sweep(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.dir / "sweep.h5"

    def test_the_interval_is_as_short_as_asked_for_and_the_rest_is_skipped(self):
        rows = trials(self.whole)
        self.assertEqual(set(rows["status"]), {1, SKIPPED})
        skipped = rows[rows["status"] == SKIPPED]
        self.assertTrue(np.isnan(skipped["response_last"]).all() and np.isnan(skipped["dz2_last"]).all())
        with h5py.File(self.whole) as file:
            names = h5py.check_enum_dtype(file["trials"].dtype["status"])
        self.assertEqual(names, {"pending": 0, "done": 1, "nonfinite": 2, "failed": 3, "skipped": 4})
        self.assertEqual(attributes(self.whole)["complete"], 1)

        # Of each cell the first networks have run, more than the first round's and fewer than all.
        counts = {}
        for width in (256, 512):
            for depth in (2, 4, 8):
                cell = rows[(rows["width"] == width) & (rows["depth"] == depth)]["status"].reshape(600, 2)
                done = (cell == 1).all(axis=1)
                count = int(done.sum())
                self.assertTrue(done[:count].all())
                self.assertTrue((cell[count:] == SKIPPED).all())
                self.assertTrue(32 <= count < 600, counts)
                counts[width, depth] = count
        report = self.fit(self.whole, "--criterion", "linear")
        fit = report["fits"][0]
        low, high = fit["exponents"]["depth"]["ci95"]
        self.assertLessEqual((high - low) / 2, 0.03)
        self.assertGreater((high - low) / 2, 0.025)
        self.assertEqual({(c["width"], c["depth"]): c["networks"] for c in fit["cells"]}, counts)

        status = self.succeed("status", self.whole)
        networks = sum(counts.values())
        self.assertEqual(report["rows"], {"all": 7200, "finished": 2 * networks, "pending": 0, "failed": 0, "damaged": 0,
                                          "skipped": 7200 - 2 * networks})
        self.assertRegex(status, rf"finished +{networks}\b")
        self.assertRegex(status, rf"skipped +{3600 - networks}\b")
        self.assertRegex(status, r"complete +yes")

    def test_the_same_table_on_any_number_of_ranks(self):
        for ranks, name in ((1, "one.h5"), (2, "two.h5"), (5, "five.h5")):
            result = self.run_sweep(*TARGET, name=name, ranks=ranks)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(raw_rows(self.dir / name), self.rows, ranks)

    def test_the_same_table_after_it_was_killed(self):
        rows = raw_rows(self.sweep_with_target(*SLOW))
        total = sum(row[STATUS_BYTE] == 1 for row in rows)
        self.assertIn(SKIPPED, [row[STATUS_BYTE] for row in rows])

        def killed(share, ranks):
            name = f"killed{share}.h5"
            running = self.start("sweep", "--output", name, *SLOW, ranks=ranks)
            wait_for(lambda: len(finished(self.dir / name)) >= share * total or running.process.poll() is not None, "rows")
            running.slay()
            result = self.run_sweep(*SLOW, "--resume", name=name)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(raw_rows(self.dir / name), rows)

        together(killed, [(0.05, 0), (0.35, 2), (0.6, 0), (0.9, 2)])

    def test_what_was_skipped_only_in_part_is_skipped(self):
        path = self.copy(self.whole)

        def pending(i, row):
            if row[STATUS_BYTE] == SKIPPED and i % 1200 > 900:
                row[STATUS_BYTE] = 0

        rewrite(path, pending)
        status = self.etastar("status", path)
        self.assertEqual(status.returncode, 4)
        self.assertRegex(status.stdout, r"\ndone +\d\d\.\d % of at most 3600\ntarget +depth exponent \+- 0\.03\n")
        result = self.run_sweep(*TARGET, "--resume", name="copy.h5")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.log[0], r": at most \d+ networks? to do, \d+ done before, \d+ not needed; ")
        self.assertRegex(self.succeed("status", path), r"\ndone +100\.0 %\ntarget +depth exponent \+- 0\.03\n")
        self.assertEqual(raw_rows(path), self.rows)
        self.assertRegex(result.stdout, r"reached depth exponent \+- 0.0\d+")

    def test_failed_and_damaged_networks_run_again_and_then_nothing_is_left(self):
        path = self.copy(self.whole)
        skipped = [i for i, row in enumerate(self.rows) if row[STATUS_BYTE] == SKIPPED]

        def fail(i, row):
            # Of the first round; and what a failure has made others run that are not needed.
            if i in (0, 1, 1202, 1203):
                row[STATUS_BYTE] = FAILED
            if i in skipped[:2]:
                row[STATUS_BYTE] = 1

        rewrite(path, fail)
        with open(path, "r+b") as file, h5py.File(path, "r") as table:
            file.seek(table["trials"].id.get_offset() + 2410 * ROW_BYTES + 60)
            file.write(b"\x55")
        self.assertEqual(self.run_sweep(*TARGET, "--resume", name="copy.h5").returncode, 0)
        self.assertEqual(raw_rows(path), self.rows)
        again = self.run_sweep(*TARGET, "--resume", name="copy.h5")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("nothing was left to run", again.stdout)
        self.assertEqual(raw_rows(path), self.rows)

    def test_a_stopped_sweep_says_where_it_stands(self):
        words = [*GRID[:-1], "100000", "--target-ci", "0.0005"]
        running = self.start("sweep", "--output", "long.h5", *words)
        wait_for(lambda: len(finished(self.dir / "long.h5")) > 1000, "rows")
        running.signal(signal.SIGTERM)
        result = running.result()
        if self.assert_stopped_or_cut(result):
            self.assertRegex(result.stdout, r"--resume continues; so far (depth exponent \+- 0.\d+|no depth exponent yet); target: ")
        self.assertEqual(self.etastar("status", "long.h5").returncode, 4)

    def assert_stopped_or_cut(self, result):
        self.assertEqual(result.returncode, 4, result.stderr)
        return "out of time" not in result.stderr

    def test_each_round_is_told(self):
        result = self.run_sweep(*TARGET)
        rounds = re.findall(r"\betastar: round (\d+): depth exponent \+- ([\d.]+), target 0.03", "\n".join(result.log))
        self.assertEqual([int(number) for number, _ in rounds], list(range(1, len(rounds) + 1)))
        self.assertGreater(len(rounds), 1)
        half_widths = [float(value) for _, value in rounds]
        self.assertLessEqual(half_widths[-1], 0.03)
        self.assertGreater(half_widths[0], 0.03)
        self.assertRegex(result.stdout, rf"of at most 3600 networks in {len(rounds)} rounds; reached depth exponent \+- ")

    def test_seeds_that_are_too_few_are_told(self):
        words = [*GRID[:-1], "40", "--target-ci", "0.03"]
        result = self.run_sweep(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        needed = int(re.search(r"which may take a new sweep with --seeds (\d+)", result.stdout)[1])
        self.assertTrue(45 < needed < 200, needed)
        self.assertEqual(set(trials(self.dir / "sweep.h5")["status"]), {1})
        plan = self.succeed("plan", *words)
        forecast = int(re.search(r"the target takes --seeds (\d+)", plan)[1])
        self.assertAlmostEqual(forecast / needed, 1, delta=0.4)

    def test_a_coarse_grid_of_rates_ends_training_before_its_networks(self):
        words = ["--trial", "training", "--width", "16", "--depth", "2,4", "--eta", "0.05:8:log12", "--steps", "5", "--seeds", "2000",
                 "--target-ci", "0.05"]
        result = self.run_sweep(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"limited by the grid of rates at depth exponent \+- [\d.]+: .* finer --eta")
        with h5py.File(self.dir / "sweep.h5") as file:
            rows = file["trials"][:]
        self.assertEqual(set(rows["status"]) & {0, 3}, set())
        self.assertLess((rows["status"] != SKIPPED).sum(), 12 * 2 * 1000)
        again = self.run_sweep(*words, "--resume")
        done = int((rows["status"] != SKIPPED).sum()) // 12
        self.assertIn(f"nothing to do, {done} done before, {4000 - done} not needed", again.log[0])

        # Without the rows of the second half of the file and some of the first: the same networks again.
        with h5py.File(self.dir / "sweep.h5") as file:
            start = file["trials"].id.get_offset()
        with open(self.dir / "sweep.h5", "r+b") as file:
            file.seek(start + rows.itemsize * 200)
            file.write(bytes(rows.itemsize * 300))
            file.seek(start + rows.nbytes // 2)
            file.write(bytes(rows.nbytes // 2))
        self.assertEqual(self.run_sweep(*words, "--resume").returncode, 0)
        with h5py.File(self.dir / "sweep.h5") as file:
            self.assertEqual(file["trials"][:].tobytes(), rows.tobytes())

    def test_rates_that_bracket_nothing_end_it_after_the_first_round(self):
        result = self.run_sweep("--width", "256", "--depth", "2,4", "--eta", "0.001,0.002", "--seeds", "500", "--target-ci", "0.01",
                                "--target-criterion", "finite")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("too few cells have a rate", result.stdout)
        self.assertEqual((trials(self.dir / "sweep.h5")["status"] == 1).sum(), 2 * 32 * 2)

    def test_a_whole_step_and_training_have_targets(self):
        result = self.run_sweep("--width", "512", "--depth", "2,4,8", "--eta", "0.3:4:log8", "--seeds", "800", "--target-ci", "0.03",
                                "--target-criterion", "finite", "--target-threshold", "0.5", name="finite.h5")
        self.assertEqual(result.returncode, 0, result.stderr)
        fit = self.fit(self.dir / "finite.h5", "--criterion", "finite", "--threshold", "0.5")["fits"][0]
        low, high = fit["exponents"]["depth"]["ci95"]
        self.assertLessEqual((high - low) / 2, 0.03)

        words = ["--trial", "training", "--width", "32", "--depth", "2,4", "--eta", "0.05:8:log12", "--steps", "8", "--seeds", "150",
                 "--target-ci", "0.4"]
        result = self.run_sweep(*words, name="training.h5", ranks=2)
        self.assertEqual(result.returncode, 0, result.stderr)
        with h5py.File(self.dir / "training.h5") as file:
            first, spec = file["trials"][:], file.attrs["spec"]
        self.assertIn('"target_criterion":"converges"}', spec)
        self.assertIn(SKIPPED, first["status"])
        fit = self.fit(self.dir / "training.h5", "--criterion", "converges")["fits"][0]
        low, high = fit["exponents"]["depth"]["ci95"]
        self.assertLessEqual((high - low) / 2, 0.4)

    def test_plan_says_what_it_will_take(self):
        plan = self.succeed("plan", *TARGET)
        self.assertIn("depth exponent +- 0.03, criterion linear, threshold 1", plan)
        self.assertRegex(plan, r"first round +192 networks, ")
        expected = int(re.search(r"to expect +(\d+) networks, .* in \d+ rounds", plan)[1])
        self.assertAlmostEqual(expected / sum(row[STATUS_BYTE] == 1 for row in self.rows) * 2, 1, delta=0.25)
        plan = self.succeed("plan", *TARGET, "--activation", "tanh")
        self.assertIn("not known beforehand", plan)

    def test_what_does_not_go_together_is_refused(self):
        for says, *words in (
                ("target-ci: '0' is not a positive", "--target-ci", "0"),
                ("target-ci: 'small'", "--target-ci", "small"),
                ("target-ci: '0.1,0.2' is not one number", "--target-ci", "0.1,0.2"),
                ("target-ci: one depth, 4, has no exponent", "--target-ci", "0.1", "--depth", "4"),
                ("target-ci: one network a cell", "--target-ci", "0.1", "--seeds", "1"),
                ("target-threshold: is of --target-ci", "--target-threshold", "0.1"),
                ("target-criterion: is of --target-ci", "--target-criterion", "finite"),
                ("target-criterion: 'best' is not one of linear, finite", "--target-ci", "0.1", "--target-criterion", "best"),
                ("target-threshold: is of --trial first-step", "--target-ci", "0.1", "--trial", "training", "--target-threshold", "2"),
                ("shard: contradicts --target-ci", "--target-ci", "0.1", "--shard", "1/2")):
            for command in ("sweep", "plan"):
                self.refuse(2, command, *words, says=[says])
        self.assertEqual(self.names(), [])

    def test_another_target_is_another_sweep(self):
        path = self.copy(self.whole)
        self.refuse(3, "sweep", "--output", path, *GRID, "--resume", says=["target_ci is 0.03 there, none is asked for"])
        self.refuse(3, "sweep", "--output", path, *GRID, "--target-ci", "0.02", "--resume",
                    says=["target_ci is 0.03 there, 0.02 is asked for"])
        self.refuse(3, "merge", path, "--output", "merged.h5", says=["is a sweep with --target-ci, which is no shard"])

    def test_what_the_document_says(self):
        text = (ROOT / "docs" / "format.md").read_text()
        keys = re.search(r"^\| key of a target \|.*\n\|.*\n((?:\|.*\n)+)", text, re.M)[1]
        spec = attributes(self.whole)["spec"]
        self.assertRegex(spec, ".*".join(f'"{key}":' for key in re.findall(r"^\| `(\w+)`", keys, re.M)))
        self.assertIn(f"| {SKIPPED} | `skipped` |", text)

    def test_rows_are_skipped_only_where_there_is_a_target(self):
        path = self.sweep("--width", "8", "--depth", "1,2", "--seeds", "2", "--eta", "1")
        before = raw_rows(path)

        def skip(i, row):
            if i == 1:
                row[STATUS_BYTE] = SKIPPED

        rewrite(path, skip)
        self.assertRegex(self.etastar("status", path).stdout, r"damaged rows +1\b")
        self.assertEqual(self.run_sweep("--width", "8", "--depth", "1,2", "--seeds", "2", "--eta", "1", "--resume").returncode, 0)
        self.assertEqual(raw_rows(path), before)


if __name__ == "__main__":
    unittest.main()
