"""Input that nobody means, places where output is lost, and reports that must not cost anybody a file."""
import os
import random
import resource
import shutil
import signal
import subprocess
import unittest

import h5py

from support import BINARY, Case, LAUNCHER, SANITIZED, TINY, environment, finished, own_lines, raw_rows, run, together, wait_for

LONGEST_LINE = 1000


class ErrorLines(Case):
    """Whatever is given, an error is one printable line of bounded length that says what would be right."""

    def refuse_shown(self, code, *words, says=(), **options):
        result = self.refuse(code, *words, says=says, **options)
        self.assertLess(len(result.stderr.encode()), LONGEST_LINE)
        self.assertTrue(result.stderr[:-1].isprintable(), result.stderr)

    def config(self, text):
        (self.dir / "my.cfg").write_bytes(text if isinstance(text, bytes) else text.encode())
        return ["plan", "--config", "my.cfg"]

    def test_twenty_megabytes(self):
        for line, says in (("width = " + "9" * 20_000_000, ["my.cfg:1: width: '999", "is not an integer from 1 to"]),
                           ("width = 4:" + "9" * 20_000_000 + ":x2", ["width", "is not an integer from 1 to"]),
                           ("eta = " + "1," * 10_000_000, ["eta", "'1,1,"]),
                           ("width = " + ":" * 20_000_000, ["width", "is not a range"]),
                           ("w" * 20_000_000 + " = 1", ["my.cfg", "www"]), ("x" * 20_000_000, ["my.cfg", "xxx"]),
                           ("engine = " + "x" * 20_000_000, ["engine", "'xxx", "is not one of dense, implicit"]),
                           ("shard = " + "1" * 20_000_000, ["shard", "is not I/N, such as 3/16"]),
                           ("time-limit = " + "1" * 20_000_000, ["time-limit", "is not a duration such as 90s"]),
                           ("seeds = " + "1" * 20_000_000, ["seeds", "is not a positive integer"])):
            with self.subTest(line=line[:30]):
                self.refuse_shown(2, *self.config(line + "\n"), says=says)

    def test_arguments(self):
        long = "y" * 100_000
        for words, says in (([long], ["'yyy", "is not a command: plan"]), (["--version", long], ["unexpected argument"]),
                            (["plan", long], ["unexpected argument", "see --help"]), (["plan", f"--{long}"], ["see --help"]),
                            (["fit", "absent.h5", "--threshold", long], ["threshold", "positive, finite number"]),
                            (["fit", "absent.h5", "--layer", long], ["layer", "is not one of"])):
            self.refuse_shown(2, *words, says=says)
        self.refuse_shown(3, "status", long, says=["yyy", "name too long"])

    def test_what_cannot_be_seen(self):
        self.refuse_shown(2, *self.config(b"width = 8\0\0, 16\n"), says=[r"\x00\x00"])
        self.refuse_shown(2, *self.config("width = 8\u200b\u202e\n"), says=[r"\u{200b}\u{202e}"])
        self.refuse_shown(2, *self.config("# first\n\ufeffwidth = 8\n"), says=[r"\u{feff}width"])
        self.refuse_shown(2, *self.config(b"width = \xff\x1b[2J\x07\n"), says=[r"\xff\x1b[2J\x07"])
        for name, says in (("a\nb.h5", "a b.h5"), ("\x1b[31mred.h5", r"\x1b[31mred.h5"), ("\u202efdp.h5", r"\u{202e}fdp.h5"),
                           (b"\xfe.h5", r"\xfe.h5")):
            for command in ("fit", "status"):
                self.refuse_shown(3, command, name, says=[says])

    def test_values_from_a_file_say_where(self):
        words = self.config("# a comment\n\n  depth = 4\nwidth = 0 # another\n")
        self.refuse_shown(2, *words, says=["config: my.cfg:4: width: '0' "])
        self.refuse_shown(2, *words, "--width", "8", "--depth", "0", says=["etastar: depth: '0'"])
        self.refuse_shown(2, *self.config("seeds = 10\nfirst-seed = 18446744073709551615\n"),
                          says=["config: my.cfg:2: first-seed: "])
        self.refuse_shown(2, *self.config("output =\n"), says=["config: my.cfg:1: output: the file name is empty"])

    def test_byte_order_mark(self):
        self.succeed(*self.config("\ufeffwidth = 8\ndepth = 1\n"))
        self.succeed(*self.config("\ufeff# nothing\n"))

    def test_endless_config(self):
        self.refuse_shown(2, "plan", "--config", "/dev/zero", says=["/dev/zero", "64 MiB"])

    def test_names_with_a_null_byte(self):
        self.refuse_shown(2, "sweep", *self.config(b"output = some\0thing.h5\n")[1:], says=["output", r"some\x00thing.h5"])
        self.assertEqual(self.names(), ["my.cfg"])

    def test_lock_of_a_strange_writer(self):
        path = self.sweep(*TINY)
        (self.dir / "sweep.h5.lock").write_text(
            '{"host": "a\\u001b[2Jb", "pid": 1, "job": "", "boot": "another", "attempt": 0, "token": "x"}')
        self.assertIn(r"PID 1 on a\x1b[2Jb", self.succeed("status", path))


class EmptyNames(Case):
    def test_refused(self):
        for words, option in ((["fit", "absent.h5", "--json", ""], "json"), (["theory", "--json", ""], "json"),
                              (["merge", "absent.h5", "--output", ""], "output"), (["sweep", "--output", ""], "output"),
                              (["plan", "--config", ""], "config"), (["fit", ""], "FILE"), (["status", ""], "FILE"),
                              (["merge", "a.h5", "", "--output", "b.h5"], "FILE")):
            with self.subTest(words=words):
                self.refuse(2, *words, says=[f"{option}: the file name is empty"])


class Documents(Case):
    """Where fit and theory write their JSON."""

    THEORY = ["theory", "--width", "64", "--depth", "4"]

    def setUp(self):
        super().setUp()
        self.document = self.succeed(*self.THEORY, "--json", "-")

    def write(self, name, **options):
        self.succeed(*self.THEORY, "--json", name, **options)

    def test_no_table_is_replaced(self):
        own = self.sweep(*TINY, name="own.h5")
        other = self.sweep(*TINY, "--first-seed", "7", name="other.h5")
        with h5py.File(self.dir / "user.h5", "w", userblock_size=1024) as file:
            file["x"] = 1
        (self.dir / "link.json").symlink_to("other.h5")
        before = {name: (self.dir / name).read_bytes() for name in self.names()}
        for words in (["fit", own], self.THEORY):
            for name in ("other.h5", "link.json", "user.h5", "own.h5"):
                self.refuse(2, *words, "--json", name, says=["json", name])
        self.assertEqual({name: (self.dir / name).read_bytes() for name in self.names()}, before)
        self.assertTrue((self.dir / "link.json").is_symlink())
        self.assertEqual(before["other.h5"], other.read_bytes())

    def test_full_disk_leaves_what_was_there(self):
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            self.skipTest("mounting needs root and unshare")
        (self.dir / "disk").mkdir()
        mount = "mount -t tmpfs -o size=64k tmpfs disk && cd disk"
        if subprocess.run(["unshare", "--mount", "sh", "-c", mount], cwd=self.dir, capture_output=True).returncode != 0:
            self.skipTest("mounting is not allowed here")
        script = (f'{mount}; echo precious >old.json; dd if=/dev/zero of=fill bs=1k 2>/dev/null; for name in old new; do '
                  '"$0" "$@" --json $name.json; echo $?; done; cat old.json; ls -A')
        result = run(["unshare", "--mount", "sh", "-c", script, BINARY, *self.THEORY], self.dir)
        self.assertEqual(result.stdout.splitlines(), ["3", "3", "precious", "fill", "old.json"])
        self.assertEqual([line.partition(":")[2] for line in result.stderr.splitlines()],
                         [f" {name}.json: cannot write it (No space left on device)" for name in ("old", "new")])

    def test_limited_file_size(self):
        (self.dir / "old.json").write_text("precious")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        for name in ("old.json", "new.json"):
            self.refuse(3, *self.THEORY, "--json", name, says=[name, "too large"], preexec_fn=limit)
        self.assertEqual(self.names(), ["old.json"])
        self.assertEqual((self.dir / "old.json").read_text(), "precious")

    def test_links_and_permissions_stay(self):
        (self.dir / "folder").mkdir()
        (self.dir / "folder" / "real.json").write_text("old and longer than the report" * 1000)
        os.chmod(self.dir / "folder" / "real.json", 0o640)
        (self.dir / "middle").symlink_to("folder/real.json")
        (self.dir / "link").symlink_to(self.dir / "middle")
        self.write("link")
        self.assertEqual(os.readlink(self.dir / "middle"), "folder/real.json")
        self.assertTrue((self.dir / "link").is_symlink())
        self.assertEqual((self.dir / "folder" / "real.json").read_text(), self.document)
        self.assertEqual((self.dir / "folder" / "real.json").stat().st_mode & 0o777, 0o640)
        (self.dir / "dangling").symlink_to("folder/new.json")
        self.write("dangling")
        self.assertTrue((self.dir / "dangling").is_symlink())
        self.assertEqual((self.dir / "folder" / "new.json").read_text(), self.document)
        (self.dir / "loop").symlink_to("loop")
        self.refuse(3, *self.THEORY, "--json", "loop", says=["loop", "symbolic links"])
        self.assertEqual(sorted(os.listdir(self.dir / "folder")), ["new.json", "real.json"])

    def test_new_file_has_the_usual_permissions(self):
        self.write("new.json", preexec_fn=lambda: os.umask(0o027))
        self.assertEqual((self.dir / "new.json").stat().st_mode & 0o777, 0o640)
        self.write("x" * 255)
        self.assertEqual((self.dir / ("x" * 255)).read_text(), self.document)

    def test_places_that_are_no_files(self):
        self.write("/dev/null")
        self.assertFalse(os.path.isfile("/dev/null"))
        self.assertIn(self.document, self.succeed(*self.THEORY, "--json", "/dev/stdout"))
        # Standard output that is a file: the report and the table both stay.
        with open(self.dir / "both", "w") as both:
            self.etastar(*self.THEORY, "--json", "/dev/stdout", stdout=both)
        text = (self.dir / "both").read_text()
        self.assertIn(self.document, text)
        self.assertIn("eta*_lin", text)
        os.mkfifo(self.dir / "pipe")
        with subprocess.Popen(["cat", "pipe"], cwd=self.dir, stdout=subprocess.PIPE, text=True) as reader:
            self.write("pipe")
            self.assertEqual(reader.stdout.read(), self.document)
        self.assertTrue((self.dir / "pipe").is_fifo())
        self.refuse(3, *self.THEORY, "--json", "/dev/full", says=["/dev/full", "No space left"])
        for name in ("absent/new.json", ".", "both/"):
            self.refuse(3, *self.THEORY, "--json", name, says=[name])
        self.assertEqual(self.names(), ["both", "pipe"])


class LostOutput(Case):
    """Standard output that is closed, full or read by nobody."""

    def lost(self, redirection, words, ranks=0):
        launcher = [*LAUNCHER, "-n", str(ranks)] if ranks else []
        return run([*launcher, "sh", "-c", f'exec "$0" "$@" {redirection}', BINARY, *words], self.dir)

    def test_reports(self):
        self.sweep(*TINY)
        for redirection, cause in ((">&-", "Bad file descriptor"), (">/dev/full", "No space left"),
                                   ("</dev/null >&0", "Bad file descriptor")):
            for words in (["plan", *TINY], ["theory"], ["fit", "sweep.h5", "--resamples", "100"], ["status", "sweep.h5"],
                          ["--version"], ["--help"], ["plan", "--help"], ["sweep", "--help"], ["theory", "--json", "-"]):
                with self.subTest(redirection=redirection, words=words):
                    self.assert_refused(self.lost(redirection, words), 3, ["standard output", cause])
        self.assertEqual(self.names(), ["sweep.h5"])

    def test_pipe_that_nobody_reads(self):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as pipe:
            result = self.etastar("plan", *TINY, stdout=pipe)
        self.assertEqual(result.returncode, 3)
        self.assert_one_line(result, ["standard output", "Broken pipe"])

    def test_the_file_of_a_report_is_written_all_the_same(self):
        result = self.lost(">&-", ["theory", "--json", "theory.json"])
        self.assert_refused(result, 3, ["standard output"])
        self.assertEqual((self.dir / "theory.json").read_text(), self.succeed("theory", "--json", "-"))

    def test_ranks(self):
        for redirection in (">&-", ">/dev/full"):
            result = self.lost(redirection, ["plan", *TINY], 2)
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertEqual(len(own_lines(result)), 1, result.stderr)
            self.assertIn("standard output", own_lines(result)[0])

    def test_tables_are_whole(self):
        whole = self.sweep(*TINY)
        for number, redirection in enumerate((">&-", ">/dev/full")):
            for ranks in (0, 2):
                name = f"{number}-{ranks}.h5"
                result = self.lost(redirection, ["sweep", *TINY, "--output", name], ranks)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(len(own_lines(result)), 1, result.stderr)
                self.assertIn("standard output", own_lines(result)[0])
                self.assertTrue(raw_rows(self.dir / name) == raw_rows(whole))
            result = self.lost(redirection, ["merge", "sweep.h5", "--output", f"{number}.h5"])
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assert_one_line(result, ["standard output"])
            self.assertTrue(raw_rows(self.dir / f"{number}.h5") == raw_rows(whole))


class Spin(Case):
    """Structures in which HDF5 goes round in circles."""

    # Processor time, of which an honest file takes milliseconds; the guard's own two seconds fit twice.
    SECONDS = 6

    def told(self, path):
        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (self.SECONDS, self.SECONDS + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for words in (["status", path.name], ["fit", path.name, "--resamples", "100"],
                      ["merge", path.name, "--output", "merged.h5"],
                      ["sweep", *TINY, "--profile", "--output", path.name, "--resume"]):
            result = self.etastar(*words, preexec_fn=limit)
            self.refuse_or_succeed(result, path.name)

    def refuse_or_succeed(self, result, name):
        self.assertIn(result.returncode, (0, 3, 4), result.stderr)
        if result.returncode == 3:
            self.assert_one_line(result, [name])

    def unsealed(self):
        path = self.sweep(*TINY, "--profile")
        with h5py.File(path, "r+") as file:
            file.attrs["note"] = "mine"
        return path, bytearray(path.read_bytes())

    def test_heap_whose_free_space_has_no_length(self):
        path, data = self.unsealed()
        at = data.index(b"GCOL") + 16
        while data[at:at + 2] != bytes(2):
            at += 16 + (int.from_bytes(data[at + 8:at + 16], "little") + 7) // 8 * 8
        data[at + 8:at + 16] = bytes(8)
        path.write_bytes(data)
        self.told(path)

    @unittest.skipIf(SANITIZED, "HDF5's own reads")
    def test_bytes_of_the_structure(self):
        # Object headers and heaps; the first two are circles to HDF5 1.10.
        path, data = self.unsealed()
        chance = random.Random(1)
        for at in (891, 998, *(chance.randrange(3000) for _ in range(3))):
            with self.subTest(at=at):
                path.write_bytes(data[:at] + bytes([255 if data[at] != 255 else 0]) + data[at + 1:])
                self.told(path)
                (self.dir / "merged.h5").unlink(missing_ok=True)


class Provenance(Case):
    @unittest.skipIf(SANITIZED, "HDF5's own reads")
    def test_only_what_readers_can_read_is_sealed(self):
        path = self.sweep("--trial", "training", "--width", "32", "--depth", "2", "--seeds", "4", "--steps", "5", "--eta", "0.1,1,10")
        data = path.read_bytes()[:-256]  # without its seal
        refused = 0
        # Headers of the attributes of /provenance.
        for at in range(2600, 2660, 4):
            path.write_bytes(data[:at] + b"h" + data[at + 1:])
            resumed = self.etastar("sweep", "--output", path, "--resume", "-q").returncode
            if resumed == 0:
                self.assertEqual(self.etastar("report", path, "-o", self.dir / "r.html").returncode, 0, at)
            refused += resumed == 3
        self.assertGreater(refused, 0)


class HardLinks(Case):
    """One file under two names, which have a lock each."""

    GRID = ["--width", "64,8192", "--depth", "3,16", "--seeds", "400", "--eta", "0.1:10:log3"]

    def suspended(self, name, *words, ranks=0, env=None):
        """A sweep that is suspended before it can end, and a second name for its file."""
        sweep = self.start("sweep", *self.GRID, "--output", name, *words, ranks=ranks, env=env)
        wait_for(lambda: finished(self.dir / name), "a network")
        self.assertTrue(sweep.signal(signal.SIGSTOP, 0))
        os.link(self.dir / name, self.dir / f"link-{name}")
        return sweep

    def test_the_second_is_refused(self):
        def refused(name, ranks, env):
            first = self.suspended(name, ranks=ranks, env=env)
            before = (self.dir / name).read_bytes()
            self.refuse(3, "sweep", *self.GRID, "--output", f"link-{name}", "--resume",
                        says=[f"link-{name}", "another sweep under another name"])
            self.assertEqual((self.dir / name).read_bytes(), before)
            # Reading, with HDF5's lock, disturbs nobody.
            with h5py.File(self.dir / name, "r"):
                self.assertEqual(self.etastar("status", f"link-{name}").returncode, 4)
                first.signal(signal.SIGCONT, 0)
                result = first.result()
            self.assertEqual((result.returncode, own_lines(result)), (0, []))
            self.succeed("sweep", *self.GRID, "--output", f"link-{name}", "--resume")
            self.assertTrue(raw_rows(self.dir / name) == raw_rows(whole))

        whole = self.sweep(*self.GRID, name="whole.h5")
        together(refused, [("1.h5", 0, {}), ("2.h5", 2, {"HDF5_USE_FILE_LOCKING": "FALSE"})])
        self.assertFalse([name for name in self.names() if name.endswith(".lock")])

    def test_a_continued_sweep_is_a_writer_too(self):
        self.suspended("1.h5").slay()
        # A killed writer keeps nobody out.
        second = self.start("sweep", *self.GRID, "--output", "link-1.h5", "--resume")
        before = finished(self.dir / "1.h5")
        wait_for(lambda: finished(self.dir / "1.h5") > before, "another network")
        self.assertTrue(second.signal(signal.SIGSTOP, 0))
        self.refuse(3, "sweep", *self.GRID, "--output", "1.h5", "--resume", says=["1.h5", "under another name"])
        second.signal(signal.SIGCONT, 0)
        self.assertEqual(second.result().returncode, 0)

    def test_overwrite_leaves_the_other_name_alone(self):
        first = self.suspended("1.h5")
        self.succeed("sweep", *TINY, "--output", "link-1.h5", "--overwrite")
        first.signal(signal.SIGCONT, 0)
        self.assertEqual(first.result().returncode, 0)
        self.succeed("status", "1.h5")
        self.succeed("status", "link-1.h5")

    def test_a_requeued_job_takes_over_from_a_writer_that_hangs(self):
        first = self.suspended("1.h5", env={"SLURM_JOB_ID": "7"})
        self.succeed("sweep", *self.GRID, "--output", "1.h5", "--resume",
                     env={**environment(), "SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"})
        first.slay()


class Sizes(Case):
    def test_a_table_larger_than_the_disk(self):
        # Before it is begun: four thousand million networks.
        words = ["sweep", "--width", "1", "--depth", "1", "--seeds", "4294967295", "--eta", "0.1:1:lin232"]
        self.refuse(3, *words, "--output", "new.h5", says=["new.h5", "No space left", " bytes, "])
        self.assertEqual(self.names(), [])


class Descriptors(Case):
    def test_too_few(self):
        whole = self.sweep(*TINY, name="whole.h5")
        codes = []
        for count in range(4, 12):
            def limit():
                resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            with self.subTest(count=count):
                result = self.etastar("sweep", *TINY, "--output", "new.h5", preexec_fn=limit)
                codes.append(result.returncode)
                if result.returncode == 0:
                    self.assertTrue(raw_rows(self.dir / "new.h5") == raw_rows(whole))
                    (self.dir / "new.h5").unlink()
                elif result.returncode != 127:  # the dynamic loader's
                    self.assert_refused(result, 3, ["new.h5", "Too many open files"])
                self.assertEqual(self.names(), ["whole.h5"])
        self.assertIn(3, codes)
        self.assertEqual(codes[-1], 0)


class NoTables(Case):
    """What is given for a sweep's file and is none."""

    def test_refused_at_once(self):
        (self.dir / "empty").write_text("")
        (self.dir / "folder").mkdir()
        (self.dir / "nowhere").symlink_to("absent")
        os.mkfifo(self.dir / "pipe")
        before = self.names()
        for name in ("empty", "folder", "folder/", "nowhere", "pipe", "/dev/zero", "/dev/null", "/dev/full", "empty/"):
            for words in (["status", name], ["fit", name], ["merge", name, "--output", "new.h5"],
                          ["merge", name, name, "--output", "new.h5", "--overwrite"],
                          ["sweep", *TINY, "--output", name, "--resume"]):
                with self.subTest(words=words):
                    result = self.etastar(*words, timeout=20)
                    self.assertIn(result.returncode, (2, 3))
                    self.assert_refused(result, 2 if "twice" in result.stderr else 3, [name])
        self.assertEqual(self.names(), before)


if __name__ == "__main__":
    unittest.main()
