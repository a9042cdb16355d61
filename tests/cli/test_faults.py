"""Killed ranks, damaged files, full disks and two sweeps on one file."""
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
import unittest
import uuid
from pathlib import Path

import h5py
import numpy as np

from support import (BINARY, Case, PENDING, ROW_BYTES, Running, attributes, environment, finished, own_lines, profile, raw_rows,
                     read_text, run, seal, together, wait_for)

KILLS = int(os.environ.get("ETASTAR_KILLS", "40"))
# A second or two of work, in networks of milliseconds.
CHAIN = ["--width", "64,8192", "--depth", "3,16", "--seeds", "400", "--eta", "0.1:10:log3", "--profile"]
# More work than any test waits for.
ENDLESS = ["--width", "65536", "--depth", "64", "--seeds", "20000", "--eta", "1"]


class Kills(Case):
    """kill -9 at any moment, of anybody."""

    @classmethod
    def setUpClass(cls):
        start = time.monotonic()
        cls.whole = cls.shared_sweep(*CHAIN)
        cls.seconds = time.monotonic() - start
        cls.rows, cls.profile = raw_rows(cls.whole), profile(cls.whole)

    def kill(self, chance, name, ranks):
        """One kill, where the sweep lives long enough for it."""
        target = chance.choice(["launcher", 0, ranks - 1]) if ranks else 0
        sweep = self.start("sweep", *CHAIN, "--output", name, "--resume", ranks=ranks)
        # From before the program begins until it has nearly ended; launchers need a moment to start ranks.
        time.sleep(chance.choice([0.05, 0.5, 1.0]) * chance.random() * (self.seconds + (0.5 if ranks else 0)))
        sweep.signal(signal.SIGKILL, target)
        wait_for(lambda: not set(sweep.processes().values()) - {None}, f"the end of all ranks, {ranks}, {target}", 60)
        # Open MPI 4.1 sometimes waits for ever for a rank that died while it was starting.
        end = time.monotonic() + 15
        while sweep.processes() and time.monotonic() < end:
            sweep.process.poll()
            time.sleep(0.02)
        sweep.slay()

    def chain(self, number, kills, choices):
        """Kills and resumes a file until its sweep has ended, then another, `kills` times together."""
        chance = random.Random(number)
        path = self.dir / f"{number}.h5"
        before = set()
        for _ in range(kills):
            self.kill(chance, path.name, chance.choice(choices))
            if path.exists():
                rows, now = raw_rows(path), finished(path)
                self.assertLessEqual(before, now)
                self.assertTrue(all(rows[i] == self.rows[i] for i in now))
                before = now
                self.assertIn(self.etastar("status", path).returncode, (0, 4))
            else:
                self.assertEqual(before, set())
            if chance.random() < 0.2:
                self.check_resumed(path, chance.choice(choices))
                path.unlink()
                before = set()
        self.check_resumed(path, chance.choice(choices))

    def check_resumed(self, path, ranks):
        result = self.etastar("sweep", *CHAIN, "--output", path.name, "--resume", ranks=ranks, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(raw_rows(path) == self.rows)
        self.assertEqual(profile(path), self.profile)
        self.assertEqual(attributes(path)["complete"], 1)
        self.assertEqual([name for name in self.names() if name.startswith(path.name)], [path.name])

    def test_anybody_at_any_moment(self):
        # A launcher takes seconds for what the program alone does in one.
        launched = KILLS // 5
        together(self.chain, [(1, KILLS - launched, [0]), (2, launched, [1, 2, 2, 4])])

    def test_while_the_file_is_created(self):
        grid = ["--width", "8", "--depth", "1", "--seeds", "30000", "--eta", "1", "--output", "new.h5"]
        for i in range(12):
            sweep = self.start("sweep", *grid)
            time.sleep(0.005 * i)
            sweep.slay()
            # Whole, or not there under its name.
            if "new.h5" in self.names():
                self.assertEqual(len(raw_rows(self.dir / "new.h5")), 30000)
                self.succeed("sweep", *grid, "--resume")
                os.unlink(self.dir / "new.h5")
        self.succeed("sweep", *grid)
        self.assertEqual(self.names(), ["new.h5"])

    def test_a_suspended_rank_delays_nobody_for_ever(self):
        sweep = self.start("sweep", *CHAIN, "--output", "slow.h5", ranks=2)
        path = self.dir / "slow.h5"
        wait_for(lambda: finished(path), "a network")
        sweep.signal(signal.SIGSTOP, 1)
        wait_for(lambda: attributes(path)["complete"], "the whole table")
        sweep.signal(signal.SIGCONT, 1)
        sweep.result()
        self.assertTrue(raw_rows(path) == self.rows)
        self.assertEqual(self.names(), ["slow.h5"])


class Accidents(Case):
    """What happens to the file while its sweep runs."""

    def interrupted(self, number, accident):
        folder = self.dir / str(number)
        folder.mkdir()
        sweep = self.start("sweep", *ENDLESS, "--output", f"{number}/sweep.h5", ranks=2 * (number % 2))
        path = folder / "sweep.h5"
        wait_for(lambda: finished(path), "a network")
        accident(path)
        return sweep.result(60)

    def test_all(self):
        def replace(path):
            shutil.copy(path, path.with_name("other"))
            os.rename(path.with_name("other"), path)

        def lock(path):
            return path.with_name("sweep.h5.lock")

        table = [("was removed", os.unlink), ("was replaced", replace), ("was removed", lambda path: shutil.rmtree(path.parent)),
                 ("was removed", lambda path: os.rename(path.parent, self.dir / "elsewhere")),
                 ("sweep.h5.lock", lambda path: os.unlink(lock(path))),
                 ("taken over", lambda path: lock(path).write_text("garbage")),
                 ("", lambda path: os.truncate(path, 5000))]
        results = together(lambda i: self.interrupted(i, table[i][1]), [(i,) for i in range(len(table))])
        for i, (says, _) in enumerate(table):
            with self.subTest(number=i, says=says):
                self.assertEqual(results[i].returncode, 3, results[i].stderr)
                self.assertEqual(len(own_lines(results[i])), 1, results[i].stderr)
                self.assertIn(f"{i}/sweep.h5", own_lines(results[i])[0])
                self.assertIn(says, own_lines(results[i])[0])


class Disk(Case):
    """No space. What happens at creation is in test_file.py."""

    GRID = ["--width", "8", "--depth", "3", "--seeds", "500", "--eta", "0.1,1", "--profile"]

    def mounted(self, size, script):
        """The script's output, in a file system of this size that only its processes see."""
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            self.skipTest("mounting needs root and unshare")
        mount = f"mkdir -p disk && mount -t tmpfs -o size={size} tmpfs disk && cd disk"
        if subprocess.run(["unshare", "--mount", "sh", "-c", mount], cwd=self.dir, capture_output=True).returncode != 0:
            self.skipTest("mounting is not allowed here")
        words = " ".join(["sweep", *self.GRID, "--output new.h5"])
        return run(["unshare", "--mount", "sh", "-c", f'{mount}; sweep() {{ "$0" {words} "$@"; }}; {script}', BINARY], self.dir)

    def test_full_at_every_size(self):
        # The structure, its seal, the rows, the profile: whatever does not fit, nothing is left.
        for kib in (4, 8, 12, 16, 20, 24, 32, 48, 64, 100):
            with self.subTest(kib=kib):
                result = self.mounted(f"{kib}k", "sweep; echo $?; ls -A")
                self.assertEqual(result.stdout.splitlines(), ["3"])
                self.assert_one_line(result, ["new.h5", "No space left"])

    def test_filled_after_creation(self):
        # Its space is its own: a disk that others fill cannot stop a sweep.
        alone = self.sweep(*self.GRID, name="alone.h5")
        result = self.mounted("1m", "sweep >/dev/null & "
                              "while ! test -e new.h5; do :; done; "
                              "dd if=/dev/zero of=fill bs=1k 2>/dev/null; wait $!; echo $?; cp new.h5 ..")
        self.assertEqual(result.stdout, "0\n", result.stderr)
        self.assertTrue(raw_rows(self.dir / "new.h5") == raw_rows(alone))

    def test_a_write_that_fails_behind_the_sweep(self):
        # The kernel tells of it once, in the thread that synchronises every 15 seconds; the sweep must not end well.
        source = self.dir / "fail.c"
        source.write_text("#include <errno.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n"
                          "int fsync(int file) { if (getpid() != syscall(SYS_gettid)) { errno = EIO; return -1; }"
                          " return syscall(SYS_fsync, file); }\n")
        if subprocess.run(["cc", "-shared", "-fPIC", "-o", "fail.so", source], cwd=self.dir).returncode != 0:
            self.skipTest("no C compiler")
        sweep = self.start("sweep", *CHAIN, "--output", "new.h5", env={"LD_PRELOAD": os.fspath(self.dir / "fail.so")})
        wait_for(lambda: finished(self.dir / "new.h5"), "a network")
        sweep.signal(signal.SIGSTOP, 0)
        time.sleep(15)
        sweep.signal(signal.SIGCONT, 0)
        self.assert_refused(sweep.result(), 3, ["new.h5", "Input/output error"])
        self.assertEqual(attributes(self.dir / "new.h5")["complete"], 0)

    def test_limited_file_size(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
        result = self.etastar("sweep", *self.GRID, "--output", "new.h5", preexec_fn=limit)
        self.assert_refused(result, 3, ["new.h5", "too large"])
        self.assertEqual(self.names(), [])


class SystemCalls(Case):
    """Every call that changes the file fails, one at a time."""

    GRID = ["--width", "8", "--depth", "1,3", "--seeds", "2", "--eta", "0.1,1", "--profile"]
    # A call and its error: a quota is reached, the disk is full or breaks.
    FAULTS = {"pwrite64": "EDQUOT", "ftruncate": "ENOSPC", "rename": "EDQUOT", "renameat": "EDQUOT", "renameat2": "EDQUOT",
              "fsync": "EIO"}
    SAYS = {"EDQUOT": "Disk quota exceeded", "ENOSPC": "No space left", "EIO": "Input/output error"}

    @classmethod
    def setUpClass(cls):
        cls.whole = cls.shared_sweep(*cls.GRID)
        cls.folder = cls.whole.parent
        # Two networks are finished, two are not; opened for writing, it loses the seal of its structure.
        cls.half = Path(shutil.copy(cls.whole, cls.folder / "half.h5"))
        with h5py.File(cls.half, "r+") as file:
            rows = file["trials"][:]
            rows["status"][[2, 3, 6, 7]] = PENDING
            seal(rows)
            file["trials"][:] = rows
            file.attrs["complete"] = np.uint8(0)

    def traced(self, folder, *options):
        """The sweep under strace, and the calls that it made."""
        result = run(["strace", "-f", "-qq", "-o", "calls", "-e", "trace=flock,?" + ",?".join(self.FAULTS), *options,
                      BINARY, "sweep", *self.GRID, "--output", "sweep.h5", "--resume"], folder)
        path = folder / "calls"
        calls = re.findall(r"^\d+ +(\w+)\(.*?(\(INJECTED\))?$", read_text(path), re.M) if path.exists() else []
        path.unlink(missing_ok=True)
        return result, [(name, injected) for name, injected in calls if name in self.FAULTS]

    def fail_each(self, start, *options, may_be_left=()):
        def prepare(name):
            folder = self.dir / name
            folder.mkdir()
            if start is not None:
                shutil.copy(start, folder / "sweep.h5")
            return folder

        _, calls = self.traced(prepare("all"), *options)
        if not calls:
            self.skipTest("no strace, or it is not allowed to trace")
        names = [name for name, _ in calls]
        self.assertLessEqual({"pwrite64", "fsync"}, set(names))

        def fail(call, number):
            folder = prepare(f"{call}{number}")
            error = self.FAULTS[call]
            result, calls = self.traced(folder, *options, "-e", f"inject={call}:error={error}:when={number}")
            self.assertEqual([name for name, injected in calls if injected], [call])
            left = set(os.listdir(folder))
            resumed = run([BINARY, "sweep", *self.GRID, "--output", "sweep.h5", "--resume"], folder)
            return call, number, folder, result, left, resumed

        codes = []
        for call, number, folder, result, left, resumed in together(
                fail, [(call, names[:i + 1].count(call)) for i, call in enumerate(names)]):
            with self.subTest(call=call, number=number):
                codes.append(result.returncode)
                if result.returncode != 0:
                    self.assert_refused(result, 3, ["sweep.h5", self.SAYS[self.FAULTS[call]]])
                self.assertLessEqual(left, {"sweep.h5", *may_be_left})
                self.assertEqual((resumed.returncode, resumed.stderr), (0, ""))
                self.assertTrue(raw_rows(folder / "sweep.h5") == raw_rows(self.whole))
                self.assertEqual(profile(folder / "sweep.h5"), profile(self.whole))
        # A folder that cannot be synchronised is no reason to end: its file has its name.
        self.assertLessEqual(codes.count(0), 1)

    def test_new_sweep(self):
        self.fail_each(None)

    def test_resumed_sweep(self):
        self.fail_each(self.half)

    def test_without_locks(self):
        # Where the file system has none the lock is replaced as a whole; an empty one stands for nobody.
        self.fail_each(None, "-e", "inject=flock:error=ENOLCK", may_be_left=["sweep.h5.lock"])


class Fuzz(Case):
    """Damage of every kind in every region: no crash, no hang, nothing wrong believed, and a line that names it."""

    GRID = ["--width", "8,12", "--depth", "1,3", "--seeds", "3", "--eta", "0.1,1,10", "--profile"]

    @classmethod
    def setUpClass(cls):
        cls.whole = cls.shared_sweep(*cls.GRID)
        cls.rows, cls.profile = raw_rows(cls.whole), profile(cls.whole)

    def regions(self, path):
        """Rows and profile."""
        with h5py.File(path, "r") as file:
            starts = file["trials"].id.get_offset(), file["profile/response"].id.get_offset()
        return [range(start, start + size) for start, size in zip(starts, (len(self.rows) * ROW_BYTES, len(self.profile)))]

    def damaged(self, chance, data, region):
        """The data with some damage, and what that is."""
        data, at = bytearray(data), chance.choice(region)
        kind = chance.choice(["flip", "flip", "flips", "zero", "noise", "cut", "more"])
        size = min(chance.choice([1, 8, 80, 512]), region.stop - at)
        if kind == "flip":
            data[at] ^= 1 << chance.randrange(8)
        elif kind == "flips":
            for _ in range(5):
                data[chance.choice(region)] ^= 1 << chance.randrange(8)
        elif kind == "zero":
            data[at:at + size] = bytes(size)
        elif kind == "noise":
            data[at:at + size] = chance.randbytes(size)
        elif kind == "cut":
            del data[at:]
        else:
            data += chance.choice([bytes(size), chance.randbytes(size), data[-size:]])
        return data, f"{kind} at {at}, {size}"

    def told(self, folder, *words, timeout=30):
        """The exit code; an error is one line that names the file."""
        result = run([BINARY, *words], folder, timeout=timeout)
        self.assertIn(result.returncode, (0, 3, 4), result.stderr)
        for line in result.stderr.splitlines():
            self.assertRegex(line, r"^etastar: .*sweep\.h5")
        if result.returncode == 3:
            self.assertEqual((len(result.stderr.splitlines()), result.stdout), (1, ""))
        return result.returncode, result.stdout + result.stderr

    def check(self, number, whole, regions):
        chance = random.Random(number)
        data, what = self.damaged(chance, whole, chance.choice(regions))
        folder = self.dir / str(number)
        folder.mkdir()
        path = folder / "sweep.h5"
        path.write_bytes(data)
        same = all(data[part.start:part.stop] == whole[part.start:part.stop] for part in self.regions(self.whole))
        try:
            status, report = self.told(folder, "status", "sweep.h5")
            fit, _ = self.told(folder, "fit", "sweep.h5", "--resamples", "100", "--json", "-")
            merge, _ = self.told(folder, "merge", "sweep.h5", "--output", "merged.h5")
            resume, text = self.told(folder, "sweep", *self.GRID, "--output", "sweep.h5", "--resume")
            # All read it, or none.
            self.assertEqual({fit, resume} | ({status} & {3}), {fit})
            self.assertEqual(status == 3, fit == 3)
            if merge == 0:
                self.assertTrue(raw_rows(folder / "merged.h5") == self.rows)
                self.assertEqual(profile(folder / "merged.h5"), self.profile)
            if fit == 0 and not same:
                self.assertEqual((status, merge), (4, 3), report)
                self.assertIn("damaged", text)
            if resume == 0:
                self.assertTrue(raw_rows(path) == self.rows)
                self.assertEqual(profile(path), self.profile)
                self.assertEqual(self.told(folder, "status", "sweep.h5")[0], 0)
            self.assertLessEqual(set(os.listdir(folder)), {"sweep.h5", "merged.h5"})
        except BaseException as error:
            raise AssertionError(f"mutant {number}: {what}") from error
        shutil.rmtree(folder)
        return resume

    def opened(self):
        """A copy that another program has opened for writing, which cuts the seal off."""
        path = self.copy(self.whole)
        with h5py.File(path, "r+") as file:
            file.attrs["note"] = "mine"
        return path

    def test_sealed(self):
        whole = self.whole.read_bytes()
        regions = [*self.regions(self.whole), range(len(whole)), range(len(whole) - 200, len(whole))]
        codes = together(self.check, [(number, whole, regions) for number in range(60)])
        self.assertEqual(set(codes), {0, 3})

    def test_without_a_seal(self):
        # Only HDF5 reads the structure, and may crash: that, too, is a damaged file.
        data = self.opened().read_bytes()
        codes = together(self.check_codes, [(number, data) for number in range(200, 240)])
        self.assertEqual({code for each in codes for code in each}, {0, 3})

    def check_codes(self, number, whole):
        folder = self.dir / str(number)
        folder.mkdir()
        data, what = self.damaged(random.Random(number), whole, range(3000))
        (folder / "sweep.h5").write_bytes(data)
        try:
            codes = [self.told(folder, *words, timeout=60)[0] for words in (
                ["status", "sweep.h5"], ["fit", "sweep.h5", "--resamples", "100", "--json", "-"],
                ["sweep", *self.GRID, "--output", "sweep.h5", "--resume"])]
        except BaseException as error:
            raise AssertionError(f"mutant {number}: {what}") from error
        shutil.rmtree(folder)
        return codes

    def test_rows_in_another_file(self):
        for name in ("trials", "profile/response"):
            with self.subTest(name=name):
                path, other = self.copy(self.whole), self.copy(self.whole, "other.h5")
                with h5py.File(path, "r+") as file:
                    del file[name]
                    file[name] = h5py.ExternalLink("other.h5", name)
                before = path.read_bytes(), other.read_bytes()
                self.refuse(3, "status", path.name, says=[path.name, "another file"])
                self.refuse(3, "sweep", *self.GRID, "--output", path.name, "--resume", says=[path.name, "another file"])
                self.assertEqual((path.read_bytes(), other.read_bytes()), before)

    def test_opened_by_another_program(self):
        # Without its seal the structure is unchecked, but rows and profile are as safe as ever.
        path = self.opened()
        self.assertEqual(self.regions(path), self.regions(self.whole))
        codes = together(self.check, [(number, path.read_bytes(), self.regions(path)) for number in range(100, 120)])
        self.assertIn(0, codes)


class Writers(Case):
    """Two sweeps on one file."""

    @classmethod
    def setUpClass(cls):
        cls.whole = cls.shared_sweep(*CHAIN)
        # It takes seconds to see that another node is dead: time for the other tests.
        cls.dead = Path(shutil.copy(cls.whole, cls.whole.with_name("dead.h5")))
        cls.lock_of_another(cls.dead)
        cls.after_death = Running([BINARY, "sweep", *CHAIN, "--output", "dead.h5", "--resume"], cls.dead.parent)
        cls.addClassCleanup(cls.after_death.slay)

    @staticmethod
    def lock_of_another(path, job="", attempt=0):
        text = json.dumps({"host": "far", "pid": 71, "job": job, "boot": str(uuid.UUID(int=1)), "attempt": attempt,
                           "token": "x"})
        path.with_name(f"{path.name}.lock").write_text(text + "\n")

    def start_suspended(self, name, ranks, env):
        """A sweep that is suspended before it can end."""
        sweep = self.start("sweep", *CHAIN, "--output", name, ranks=ranks, env=env)
        wait_for((self.dir / name).exists, "the file")
        self.assertTrue(sweep.signal(signal.SIGSTOP, 0))
        return sweep

    def assert_whole(self, path):
        self.assertTrue(raw_rows(path) == raw_rows(self.whole))
        self.assertEqual(profile(path), profile(self.whole))
        self.assertEqual([name for name in os.listdir(path.parent) if name.startswith(path.name)], [path.name])

    def test_the_second_is_refused(self):
        def refused(number, ranks, option, env):
            name = f"{number}.h5"
            first = self.start_suspended(name, ranks, env)
            pid = next(pid for pid, rank in first.processes().items() if rank == 0)
            before = (self.dir / name).read_bytes()
            self.refuse(3, "sweep", *CHAIN, "--output", name, option, says=[name, "another sweep", f"PID {pid} "],
                        env={**environment(), **env})
            self.assertIn(f"PID {pid} ", self.etastar("status", name).stdout)
            self.assertEqual((self.dir / name).read_bytes(), before)
            first.signal(signal.SIGCONT, 0)
            self.assertEqual(first.result().returncode, 0)
            self.assert_whole(self.dir / name)

        # HDF5's own locks do not matter; nor does a restart count that is no larger.
        together(refused, [(1, 0, "--resume", {"HDF5_USE_FILE_LOCKING": "FALSE"}),
                           (2, 2, "--overwrite", {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"})])

    def test_a_requeued_job_takes_over(self):
        def taken_over(number, ranks, job):
            path = self.dir / f"{number}.h5"
            lock = self.dir / f"{number}.h5.lock"
            first = self.start_suspended(path.name, ranks, {**job, "HDF5_USE_FILE_LOCKING": "FALSE"})
            before = finished(path)
            second = self.start("sweep", *CHAIN, "--output", path.name, "--resume", ranks=2 - ranks,
                                env={**job, "SLURM_RESTART_COUNT": "1", "HDF5_USE_FILE_LOCKING": "FALSE"})
            wait_for(lambda: not lock.exists() or json.loads(read_text(lock) or "{}").get("attempt") == 1, "the take-over")
            first.signal(signal.SIGCONT, 0)
            result = first.result()
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertEqual(len(own_lines(result)), 1, result.stderr)
            self.assertIn("attempt 2", own_lines(result)[0])
            result = second.result()
            self.assertEqual((result.returncode, own_lines(result)), (0, []), result.stderr)
            self.assertLessEqual(before, finished(path))
            self.assert_whole(path)

        array = {"SLURM_JOB_ID": "8", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
        together(taken_over, [(1, 0, {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "0"}), (2, 2, array)])

    def test_taken_over_while_the_file_is_created(self):
        words = ["sweep", "--width", "8", "--depth", "1", "--seeds", "300000", "--eta", "1", "--output", "new.h5", "--resume"]
        first = self.start(*words, env={"SLURM_JOB_ID": "7"})
        wait_for(lambda: any(".creating-" in name for name in self.names()), "the beginning of the file")
        first.signal(signal.SIGSTOP, 0)
        second = self.start(*words, env={"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"})
        lock = self.dir / "new.h5.lock"
        wait_for(lambda: json.loads(read_text(lock) or "{}").get("attempt") == 1, "the take-over")
        first.signal(signal.SIGCONT, 0)
        self.assert_refused(first.result(), 3, ["new.h5", "attempt 2"])
        result = second.result()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(self.names(), ["new.h5"])

    def test_writers_on_other_nodes(self):
        # Their locks may not be seen here, but that they touch them is.
        def resume(path, **env):
            return self.etastar("sweep", *CHAIN, "--output", path.name, "--resume", env={**environment(), **env})

        alive, earlier = self.copy(self.whole, "alive.h5"), self.copy(self.whole, "earlier.h5")
        self.lock_of_another(alive)
        self.lock_of_another(earlier, "7", 0)
        self.assertIn("PID 71 on far", self.etastar("status", alive).stdout)
        over = threading.Event()

        def touch():
            while not over.wait(0.2):
                os.utime(self.dir / "alive.h5.lock")

        thread = threading.Thread(target=touch)
        thread.start()
        try:
            result = resume(alive)
        finally:
            over.set()
            thread.join()
        self.assert_refused(result, 3, ["alive.h5", "PID 71 on far"])
        self.assertEqual(resume(earlier, SLURM_JOB_ID="7", SLURM_RESTART_COUNT="1").returncode, 0)
        self.assert_whole(earlier)
        result = self.after_death.result()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assert_whole(self.dead)

    def test_started_together(self):
        # Each waits for the one before, and finds its file; three seconds at most.
        sweeps = [self.start("sweep", "--width", "64,8192", "--depth", "3,16", "--seeds", "30", "--eta", "0.1,1",
                             "--output", "new.h5", "--resume") for _ in range(5)]
        results = [sweep.result() for sweep in sweeps]
        for result in results:
            if result.returncode != 0:
                self.assert_refused(result, 3, ["another sweep"])
        self.assertIn(0, [result.returncode for result in results])
        self.assertEqual(self.names(), ["new.h5"])

    def test_what_is_no_lock(self):
        grid = ["sweep", "--width", "8", "--depth", "1", "--seeds", "50", "--eta", "1"]
        table = self.sweep(*grid[1:], name="new.h5.lock")
        before = table.read_bytes()
        self.refuse(3, *grid, "--output", "new.h5", says=["new.h5", "new.h5.lock"])
        self.assertEqual(table.read_bytes(), before)
        table.unlink()
        (self.dir / "notes").write_text("precious")
        (self.dir / "new.h5.lock").symlink_to("notes")
        self.refuse(3, *grid, "--output", "new.h5", says=["new.h5", "new.h5.lock"])
        self.assertEqual((self.dir / "notes").read_text(), "precious")
        (self.dir / "new.h5.lock").unlink()
        os.mkfifo(self.dir / "new.h5.lock")
        self.refuse(3, *grid, "--output", "new.h5", says=["new.h5", "new.h5.lock"])
        self.refuse(3, "status", "new.h5.lock", says=["new.h5.lock"])
        self.assertEqual(self.names(), ["new.h5.lock", "notes"])

    def test_a_job_with_a_strange_name(self):
        self.sweep("--width", "8", "--depth", "1", "--seeds", "5", "--eta", "1",
                   env={**environment(), "SLURM_JOB_ID": os.fsdecode(b"\xff")})

    def test_a_lock_that_says_nothing(self):
        for text in ("", "garbage", "{}", "[1]", '{"host": 1}', "\0" * 4000):
            with self.subTest(text=text[:20]):
                path = self.copy(self.whole)
                (self.dir / "copy.h5.lock").write_text(text)
                self.assertEqual(self.etastar("status", path).returncode, 0)
                self.succeed("sweep", *CHAIN, "--output", path.name, "--resume")
                self.assert_whole(path)


if __name__ == "__main__":
    unittest.main()
