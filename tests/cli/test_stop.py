"""Stopping a sweep in time, continuing it on any number of ranks, and sweeps in parts."""
import json
import os
import resource
import signal
import time
import unittest

import h5py
import numpy as np

from support import (Case, FAILED, OPEN_MPI, PENDING, ROW_BYTES, TINY, attributes, finished, flip_byte, own_lines, profile,
                     raw_rows, seal, together, trials, wait_for)

# Seconds of work, in networks of milliseconds.
CHAIN = ["--width", "64,16384", "--depth", "3,16", "--seeds", "600", "--eta", "0.1:10:log3", "--profile"]
# One network of minutes.
ENDLESS = ["--engine", "dense", "--width", "4096", "--depth", "1000", "--weight-budget", "0", "--seeds", "3", "--eta", "1"]
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def codes_of(target):
    """Exit codes of a stopped sweep. Told to stop in its first half second, MPICH's launcher may end with 0 itself."""
    return (4,) if OPEN_MPI or target != "launcher" else (0, 4)


class Stop(Case):
    """Signals and the time limit, by themselves."""

    def start_endless(self, name, ranks):
        sweep = self.start("sweep", *ENDLESS, "--output", name, ranks=ranks)
        wait_for((self.dir / name).exists, "the file")
        return sweep

    def test_trials_are_cut_off(self):
        def stop(number, ranks, target):
            name = f"{number.name}{ranks}{target}.h5"
            sweep = self.start_endless(name, ranks)
            # Time for the trials to begin.
            time.sleep(0.3)
            start = time.monotonic()
            self.assertTrue(sweep.signal(number, target))
            wait_for(lambda: 0 not in sweep.processes().values(), "the end of rank 0")
            seconds = time.monotonic() - start
            return number, ranks, target, name, seconds, sweep.result()

        cases = [(number, 0, 0) for number in SIGNALS]
        cases += [(signal.SIGTERM, 2, 0), (signal.SIGTERM, 2, 1), (signal.SIGUSR1, 2, "launcher")]
        in_order = 0
        for number, ranks, target, name, seconds, result in together(stop, cases):
            with self.subTest(signal=number.name, ranks=ranks, target=target):
                # Far above what is promised, for builds with sanitizers on busy machines; far below what a trial takes.
                self.assertLess(seconds, 20)
                if self.assert_stopped(result, f"{name}: stopped by a signal; 0 of 3 networks finished", codes_of(target)):
                    in_order += 1
                    self.assertNotIn(f"{name}.lock", self.names())
                self.assertTrue((trials(self.dir / name)["status"] == PENDING).all())
        self.assertGreater(in_order, 0)

    def test_signals_to_the_launcher(self):
        # Launchers differ in what they make of these, in how long they take and in their own exit code.
        def stop(number):
            sweep = self.start_endless(f"{number.name}.h5", 2)
            sweep.signal(number)
            sweep.result()
            wait_for(lambda: not sweep.processes(), "the end of all ranks")
            self.assertEqual(len(trials(self.dir / f"{number.name}.h5")), 3)

        together(stop, [(signal.SIGTERM,), (signal.SIGINT,)])

    def test_signals_while_starting(self):
        grid = [*TINY, "--output", "early.h5", "--resume"]
        for i in range(24):
            sweep = self.start("sweep", *grid)
            time.sleep(0.002 * i)
            sweep.signal(SIGNALS[i % 3])
            # Before the program has begun, the signal kills it.
            self.assertIn(sweep.result().returncode, (0, 4, -SIGNALS[i % 3]))
        self.succeed("sweep", *grid)
        self.assertEqual(self.names(), ["early.h5"])
        self.assertTrue(raw_rows(self.dir / "early.h5") == raw_rows(self.sweep(*TINY, name="alone.h5")))

    def test_nothing_is_started_that_cannot_end(self):
        start = time.monotonic()
        for ranks in (0, 2):
            result = self.etastar("sweep", *ENDLESS, "--output", f"{ranks}.h5", "--time-limit", "30s", ranks=ranks)
            self.assertTrue(self.assert_stopped(result, "stopped at the time limit; 0 of 3 networks finished"), result.stderr)
        self.assertLess(time.monotonic() - start, 30)

    def test_time_limit_without_rank_0(self):
        # Suspended it can say nothing; the others leave, and the launcher ends it.
        sweep = self.start("sweep", *["6000" if word == "600" else word for word in CHAIN], "--output", "new.h5",
                           "--time-limit", "8s", ranks=3)
        wait_for((self.dir / "new.h5").exists, "the file")
        sweep.signal(signal.SIGSTOP, 0)
        self.assertNotEqual(sweep.result(60).returncode, 0)
        self.assertEqual(self.etastar("status", "new.h5").returncode, 4)

    def test_longest_time_limit(self):
        for limit in ("200000d", "999999999d999999999s"):
            self.sweep(*TINY, "--time-limit", limit, name=f"{limit}.h5")

    def test_time_limits_that_are_none(self):
        for limit in ("0s", "-1s", "1", "soon", "5m3", "m", "1e3s", ""):
            with self.subTest(limit=limit):
                self.refuse(2, "sweep", *TINY, "--output", "new.h5", f"--time-limit={limit}", says=["time-limit"])
        self.assertEqual(self.names(), [])


class Resume(Case):
    """Whatever stops a sweep, it ends with the bytes of an uninterrupted one."""

    @classmethod
    def setUpClass(cls):
        cls.whole = cls.shared_sweep(*CHAIN)
        cls.tiny = cls.shared_sweep(*TINY, "--profile")

    def assert_whole(self, path, whole):
        self.assertTrue(raw_rows(path) == raw_rows(whole))
        self.assertEqual(profile(path), profile(whole))
        with h5py.File(path, "r") as file:
            self.assertEqual(file.attrs["complete"], 1)
            self.assertGreaterEqual(file["provenance"].attrs["finished_unix"], file["provenance"].attrs["started_unix"])
        self.assertEqual(self.names(), [path.name])

    def test_signals_and_ranks(self):
        path = self.dir / "chain.h5"
        expected = raw_rows(self.whole)
        before = set()
        for number, ranks, target in ((signal.SIGTERM, 0, 0), (signal.SIGUSR1, 2, "launcher"), (signal.SIGINT, 0, 0),
                                      (signal.SIGTERM, 3, 0), (signal.SIGUSR1, 0, 0), (signal.SIGUSR1, 2, 1)):
            with self.subTest(signal=number.name, ranks=ranks, target=target):
                sweep = self.start("sweep", *CHAIN, "--output", "chain.h5", "--resume", ranks=ranks)
                wait_for(lambda: len(finished(path)) > len(before), "another network")
                self.assertTrue(sweep.signal(number, target))
                result = sweep.result()
                in_order = self.assert_stopped(result, "stopped by a signal", codes_of(target))
                rows, now = raw_rows(path), finished(path)
                self.assertLess(before, now)
                self.assertTrue(all(rows[i] == expected[i] for i in now))
                if in_order:
                    self.assertIn(f"{len(now) // 3} of 2400 networks finished, {(len(now) - len(before)) // 3} of them now",
                                  result.stdout)
                self.assertEqual(attributes(path)["complete"], 0)
                self.assertEqual(self.etastar("status", path).returncode, 4)
                before = now
        text = self.succeed("sweep", *CHAIN, "--output", "chain.h5", "--resume", ranks=2)
        self.assertIn(f"{len(before) // 3} networks were finished before", text)
        self.assert_whole(path, self.whole)

    def test_time_limit_again_and_again(self):
        path = self.dir / "limit.h5"
        before = -1
        in_order = 0
        for ranks in (0, 2) * 40:
            start = time.monotonic()
            result = self.etastar("sweep", *CHAIN, "--output", "limit.h5", "--resume", "--time-limit", "1s", ranks=ranks)
            if result.returncode == 0:
                break
            in_order += self.assert_stopped(result, "stopped at the time limit")
            self.assertLess(time.monotonic() - start, 15)
            self.assertGreaterEqual(len(finished(path)), before)
            before = len(finished(path))
        self.assertGreater(in_order, 0)
        self.assert_whole(path, self.whole)

    def test_another_sweep_is_refused(self):
        path = self.sweep(*TINY)
        before = path.read_bytes()
        spec = dict(zip(TINY[::2], TINY[1::2]))
        changes = [("width", "--width", "8"), ("depth", "--depth", "1,3,5"), ("eta", "--eta", "0.1,1"),
                   ("eta_unit", "--eta-unit", "absolute"), ("seeds", "--seeds", "4"), ("first_seed", "--first-seed", "1"),
                   ("engine", "--engine", "dense"), ("input_dim", "--input-dim", "3"), ("precision", "--precision", "double"),
                   ("train", "--train", "hidden"), ("rates", "--rates", "global"), ("profile", "--profile", None)]
        names = set(json.loads(attributes(path)["spec"]))
        changes += [("biases", "--biases", None), ("optimizer", "--optimizer", "sign"), ("activation", "--activation", "linear"),
                    ("weight_variance", "--weight-variance", "1.5"), ("architecture", "--architecture", "residual")]
        # There is one kind of trial so far; the others belong to a choice that is listed.
        self.assertEqual({name for name, *_ in changes}, names - {"trial", "leak", "branch_power"})
        for name, option, value in changes:
            changed = {**spec, option: value}
            if name == "train": # depth 1 has no hidden layer that learns, so no unit of its own
                changed.update({"--depth": "2,3"})
            words = [word for pair in changed.items() for word in pair if word is not None]
            with self.subTest(name=name):
                result = self.refuse(3, "sweep", *words, "--output", "sweep.h5", "--resume",
                                     says=["sweep.h5", "another sweep", name])
                # An activation brings its weight variance along.
                also = {"weight_variance"} if name == "activation" else set()
                self.assertFalse([other for other in names - {name, "depth"} - also
                                  if f" {other} is " in result.stderr], result.stderr)
                self.assertEqual(path.read_bytes(), before)
        self.assertEqual(self.names(), ["sweep.h5"])

    def test_options_that_change_no_number(self):
        path = self.copy(self.tiny)
        self.succeed("sweep", *TINY, "--profile", "--output", path.name, "--resume", "--weight-budget", "0")
        self.assert_whole(path, self.tiny)

    def test_neither_nor_both(self):
        path = self.copy(self.tiny)
        before = path.read_bytes()
        self.refuse(3, "sweep", *TINY, "--profile", "--output", path.name, says=["--resume", "--overwrite"])
        self.refuse(2, "sweep", *TINY, "--profile", "--output", path.name, "--resume", "--overwrite", says=["resume"])
        self.assertEqual(path.read_bytes(), before)
        for words in ([], ["--resume"], ["--overwrite"]):
            name = "".join(words) + "new.h5"
            self.assertTrue(raw_rows(self.sweep(*TINY, *words, name="./" + name)) == raw_rows(self.tiny))

    def test_a_complete_file_stays_as_it_is(self):
        path = self.copy(self.tiny)
        for ranks in (0, 3):
            text = self.succeed("sweep", *TINY, "--profile", "--output", path.name, "--resume", ranks=ranks)
            self.assertIn("12 networks were finished before", text)
            self.assert_whole(path, self.tiny)

    def test_torn_and_strange_rows(self):
        # A flipped bit; a row of another place, whole in itself; half a row of an interrupted write; nothing at all.
        path = self.copy(self.tiny)
        flip_byte(path, 4, 70)
        with h5py.File(path, "r") as file:
            start = file["trials"].id.get_offset()
        rows = raw_rows(path)
        with open(path, "r+b") as file:
            for i, row in ((12, rows[13]), (20, rows[20][:64] + bytes(64)), (33, bytes(ROW_BYTES))):
                file.seek(start + i * ROW_BYTES)
                file.write(row)
        self.assertIn("damaged rows     4", self.etastar("status", path).stdout)
        result = self.etastar("sweep", *TINY, "--profile", "--output", path.name, "--resume")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_one_line(result, [path.name, "4 rows"])
        self.assertIn("8 networks were finished before", result.stdout)
        self.assert_whole(path, self.tiny)

    def test_failed_rows_are_run_again(self):
        path = self.copy(self.tiny)
        self.fail_network(path, 2)
        self.assertEqual(self.etastar("status", path).returncode, 5)
        self.succeed("sweep", *TINY, "--profile", "--output", path.name, "--resume")
        self.assert_whole(path, self.tiny)

    def fail_network(self, path, network):
        # Opening for writing cuts the seal of the structure off; resuming does without.
        with h5py.File(path, "r+") as file:
            rows = file["trials"][3 * network:3 * network + 3]
            for name in rows.dtype.names[4:16]:
                rows[name] = np.nan
            rows["status"] = FAILED
            seal(rows)
            file["trials"][3 * network:3 * network + 3] = rows

    def test_a_file_that_another_program_changed(self):
        path = self.copy(self.tiny)
        with h5py.File(path, "r+") as file:
            file.attrs["note"] = "mine"
        flip_byte(path, 0, 100)
        result = self.etastar("sweep", *TINY, "--profile", "--output", path.name, "--resume")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(attributes(path)["note"], "mine")
        self.assert_whole(path, self.tiny)

    def test_what_is_no_sweep(self):
        (self.dir / "notes.h5").write_text("precious")
        (self.dir / "empty.h5").write_text("")
        (self.dir / "folder.h5").mkdir()
        (self.dir / "link.h5").symlink_to("nowhere")
        with h5py.File(self.dir / "foreign.h5", "w") as file:
            file["x"] = 1
        before = {name: (self.dir / name).read_bytes() for name in ("notes.h5", "empty.h5", "foreign.h5")}
        names = self.names()
        for name in names:
            with self.subTest(name=name):
                self.refuse(3, "sweep", *TINY, "--output", name, "--resume", says=[name])
        self.assertEqual(self.names(), names)
        self.assertEqual({name: (self.dir / name).read_bytes() for name in before}, before)

    def test_through_a_link(self):
        path = self.copy(self.tiny, "real.h5")
        flip_byte(path, 7, 50)
        (self.dir / "link.h5").symlink_to("real.h5")
        self.assertEqual(self.etastar("sweep", *TINY, "--profile", "--output", "link.h5", "--resume").returncode, 0)
        self.assertTrue((self.dir / "link.h5").is_symlink())
        (self.dir / "link.h5").unlink()
        self.assert_whole(path, self.tiny)


class Shards(Case):
    """Parts of the seeds, each a sweep of its own, and the table they make together."""

    GRID = ["--width", "8,16", "--depth", "1,3", "--seeds", "8", "--first-seed", "5", "--eta", "0.1,1,1e200", "--profile"]

    @classmethod
    def setUpClass(cls):
        cls.whole = cls.shared_sweep(*cls.GRID)

    def shards(self, count, *words, prefix="part"):
        return [self.sweep(*self.GRID, "--shard", f"{i}/{count}", *words, name=f"{prefix}{i}.h5").name
                for i in range(1, count + 1)]

    def merge_refused(self, code, *words, says, **options):
        names = self.names()
        self.refuse(code, "merge", *words, says=says, **options)
        self.assertEqual(self.names(), names)

    def assert_whole(self, path):
        self.assertTrue(raw_rows(path) == raw_rows(self.whole))
        self.assertEqual(profile(path), profile(self.whole))
        for name in ("spec", "spec_hash", "complete"):
            self.assertEqual(attributes(path)[name], attributes(self.whole)[name])

    def test_merged_is_the_sweep_in_one_go(self):
        for count in (1, 3, 8):
            with self.subTest(count=count):
                parts = self.shards(count)
                self.assertEqual(sum(len(raw_rows(self.dir / part)) for part in parts), len(raw_rows(self.whole)))
                text = self.succeed("merge", *parts[::-1], "--output", "merged.h5", "--overwrite")
                self.assertIn("32 networks", text)
                self.assert_whole(self.dir / "merged.h5")
                for part in parts:
                    os.unlink(self.dir / part)
        reports = [self.fit(self.dir / "merged.h5"), self.fit(self.whole)]
        for report in reports:
            del report["source"]["file"]
        self.assertEqual(*reports)
        self.succeed("sweep", *self.GRID, "--output", "merged.h5", "--resume")
        self.assert_whole(self.dir / "merged.h5")

    def test_more_shards_than_open_files(self):
        grid = ["--width", "8", "--depth", "1,3", "--seeds", "100", "--eta", "0.1,1", "--profile"]
        together(lambda i: self.sweep(*grid, "--shard", f"{i}/100", name=f"{i}.h5"), [(i,) for i in range(1, 101)])
        parts = [f"{i}.h5" for i in range(1, 101)]

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        self.succeed("merge", *parts, "--output", "merged.h5", preexec_fn=limit)
        whole = self.sweep(*grid)
        self.assertTrue(raw_rows(self.dir / "merged.h5") == raw_rows(whole))
        self.assertEqual(profile(self.dir / "merged.h5"), profile(whole))
        self.assertEqual(attributes(self.dir / "merged.h5")["spec_hash"], attributes(whole)["spec_hash"])
        # Nor is a sound one blamed for one that is not.
        flip_byte(self.dir / "90.h5", 1, 60)
        self.merge_refused(3, *parts, "--output", "new.h5", says=["90.h5: 1 of 2 networks are not finished (1 damaged rows)"],
                           preexec_fn=limit)

    def test_a_shard_that_changes_while_it_is_merged(self):
        grid = ["--width", "8", "--depth", "1", "--seeds", "120000", "--eta", "1"]
        one, two = (self.sweep(*grid, "--shard", f"{i}/2", name=f"{i}.h5").name for i in (1, 2))
        other = self.sweep(*grid[:-3], "5", "--eta", "1", "--first-seed", "60000", name="other.h5")
        good = (self.dir / two).read_bytes()
        # On a busy machine it may have been copied before it changes.
        for _ in range(10):
            (self.dir / two).write_bytes(good)
            merge = self.start("merge", one, two, "--output", "new.h5", "--overwrite")
            wait_for(lambda: any(".creating-" in name for name in self.names()) or merge.process.poll() is not None,
                     "the beginning of the file")
            merge.signal(signal.SIGSTOP)
            self.copy(other, "changed.h5").rename(self.dir / two)
            merge.signal(signal.SIGCONT)
            if (result := merge.result()).returncode != 0:
                break
        self.assert_refused(result, 3, [two, "changed while it was merged"])
        self.assertEqual(self.etastar("status", "new.h5").returncode, 4)

    def test_shards_of_nothing(self):
        for shard in ("0/3", "4/3", "1/0", "1/9", "3", "1/", "/3", "-1/3", "1/3/5", "a/b", ""):
            with self.subTest(shard=shard):
                self.refuse(2, "sweep", *self.GRID, "--output", "new.h5", f"--shard={shard}", says=["shard"])
        self.assertEqual(self.names(), [])

    def test_a_shard_is_another_sweep(self):
        first, second = self.shards(2)
        os.rename(self.dir / second, self.dir / first)
        self.refuse(3, "sweep", *self.GRID, "--shard", "1/2", "--output", first, "--resume", says=[first, "first_seed"])

    def test_gaps_and_overlaps(self):
        one, two, three = self.shards(3)
        half, _ = self.shards(2, prefix="half")
        output = ["--output", "new.h5"]
        self.merge_refused(3, one, three, *output, says=["seeds 8 to 10", one, three])
        self.merge_refused(3, two, three, *output, says=["seeds 5 to 7", two])
        self.merge_refused(3, one, two, *output, says=["seeds 11 to 12", two])
        self.merge_refused(3, one, *output, says=["seeds 8 to 12", one])
        self.merge_refused(3, one, half, *output, says=[one, half, "seeds 5 to 7"])
        self.merge_refused(3, half, two, three, *output, says=[half, two, "seed 8"])
        self.merge_refused(2, one, one, *output, says=[one, "twice"])

    def test_unfinished_damaged_and_strange_shards(self):
        one, two = self.shards(2)
        output = ["--output", "new.h5"]
        good = (self.dir / two).read_bytes()
        flip_byte(self.dir / two, 3, 60)
        self.merge_refused(3, one, two, *output, says=[two, "1 of 16 networks", "damaged", "--resume"])
        self.assertEqual(self.etastar("sweep", *self.GRID, "--shard", "2/2", "--output", two, "--resume").returncode, 0)
        self.assertTrue(raw_rows(self.dir / two) == self.rows_of(good))
        for size, what in ((len(good) // 2, two), (0, two)):
            os.truncate(self.dir / two, size)
            self.merge_refused(3, one, two, *output, says=[what])
        os.unlink(self.dir / two)
        self.merge_refused(3, one, two, *output, says=[two])
        (self.dir / two).write_bytes(good)
        self.sweep(*self.GRID, "--shard", "2/2", "--precision", "double", name="other.h5")
        self.merge_refused(3, one, "other.h5", *output, says=[one, "other.h5", "precision"])
        self.sweep(*["7" if word == "8" else word for word in self.GRID], "--shard", "2/2", name="fewer.h5")
        self.merge_refused(3, one, "fewer.h5", *output, says=[one, "fewer.h5"])
        self.succeed("merge", one, two, *output)
        self.assert_whole(self.dir / "new.h5")

    def rows_of(self, data):
        path = self.dir / "bytes.h5"
        path.write_bytes(data)
        rows = raw_rows(path)
        path.unlink()
        return rows

    def test_damaged_profile(self):
        one, two = self.shards(2)
        with h5py.File(self.dir / one, "r") as file:
            start = file["profile/response"].id.get_offset()
        # A layer of a network, and a column that depth 1 does not have.
        for row, column in ((4, 1), (0, 2)):
            with self.subTest(row=row, column=column), open(self.dir / one, "r+b") as file:
                position = start + 8 * (3 * row + column)
                file.seek(position)
                old = file.read(8)
                file.seek(position)
                file.write(np.float64(0.5).tobytes())
                file.flush()
                self.merge_refused(3, one, two, "--output", "new.h5", says=[one])
                self.assertEqual(self.etastar("status", one).returncode, 4)
                self.assertEqual(self.etastar("sweep", *self.GRID, "--shard", "1/2", "--output", one, "--resume").returncode, 0)
                file.seek(position)
                self.assertEqual(file.read(8), old)
        self.succeed("merge", one, two, "--output", "new.h5")
        self.assert_whole(self.dir / "new.h5")

    def test_place_of_the_result(self):
        one, two = self.shards(2)
        before = {name: (self.dir / name).read_bytes() for name in (one, two)}
        self.merge_refused(2, one, two, "--output", one, says=[one])
        self.merge_refused(2, one, two, "--output", "./" + one, "--overwrite", says=[one])
        self.merge_refused(2, one, two, says=["output"])
        self.merge_refused(3, one, two, "--output", "absent/new.h5", says=["absent/new.h5"])
        (self.dir / "notes").write_text("precious")
        self.merge_refused(3, one, two, "--output", "notes", says=["notes", "exists"])
        self.assertEqual((self.dir / "notes").read_text(), "precious")
        self.succeed("merge", one, two, "--output", "notes", "--overwrite")
        self.assert_whole(self.dir / "notes")
        self.assertEqual({name: (self.dir / name).read_bytes() for name in (one, two)}, before)


if __name__ == "__main__":
    unittest.main()
