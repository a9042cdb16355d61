"""What the program tells: the start of a sweep, its log, its state, its plan, and the glossary."""
import json
import os
import pty
import re
import signal
import socket
import unittest
from datetime import datetime, timedelta, timezone

import h5py
import numpy as np

from support import BINARY, Case, ROOT, STAMP, TINY, own_lines, raw_rows, read_text, run, wait_for

SLOW = ["--width", "64", "--depth", "4000", "--seeds", "1e5", "--eta", "1"]
COMMANDS = ["plan", "sweep", "status", "merge", "fit", "theory", "transfer"]


class Start(Case):
    def test_line(self):
        version, revision = re.fullmatch(r"etastar (\S+) \((\S+)\)\n", self.succeed("--version")).groups()
        for ranks in (0, 1, 3):
            result = self.etastar("sweep", *TINY, "--output", f"{ranks}.h5", ranks=ranks)
            line, = result.log
            with h5py.File(self.dir / f"{ranks}.h5", "r") as file:
                core = file["provenance"].attrs["blas_core"]
            where = re.escape(f"etastar {version} ({revision}): ")
            where += r"(1 rank|\d+ threads)" if ranks == 0 else f"{ranks} rank{'s' if ranks > 1 else ''}"
            self.assertRegex(line, STAMP + where + rf" on {re.escape(socket.gethostname())}, (baseline|avx2|avx512) kernels, .*"
                             rf"{core}.*; {ranks}\.h5: 12 networks to do; less than a second")
            self.assertEqual("MPI" in line or "MPICH" in line, ranks > 0, line)
            self.assertLess(abs(datetime.now(timezone.utc) - datetime.fromisoformat(line.split()[0])), timedelta(minutes=10))
            self.assertIn("12 networks, 36 rows", result.stdout)

    def test_what_was_done_before(self):
        self.sweep(*TINY)
        line, = self.etastar("sweep", *TINY, "--output", "sweep.h5", "--resume").log
        self.assertIn("sweep.h5: nothing to do, 12 done before", line)

    def test_quiet_and_verbose(self):
        result = self.etastar("sweep", *TINY, "--quiet")
        self.assertEqual((result.returncode, result.stdout, result.stderr, result.log), (0, "", "", []))
        self.refuse(3, "sweep", *TINY, "-q", says=["exists already"])
        self.refuse(2, "sweep", *TINY, "-q", "-v", says=["quiet: contradicts --verbose"])
        for words in (["-v"], ["--verbose"]):
            result = self.etastar("sweep", *TINY, *words, "--overwrite", ranks=2)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertTrue(all(re.match(STAMP + "etastar", line) for line in result.log))
            told = [line.split(" ", 1)[1] for line in result.log[1:]]
            self.assertIn(f"etastar: {socket.gethostname()}: ranks 0-1, ", told[0])
            self.assertEqual(sorted(line.partition(" networks")[0] for line in told[1:]),
                             [f"etastar: width {n}, depth {L}: 3" for n in (16, 8) for L in (1, 3)])

    def test_terminal(self):
        try:
            master, slave = pty.openpty()
        except OSError as error: # a root without /dev/pts
            self.skipTest(f"no pseudo-terminal here: {error}")
        result = run([BINARY, "sweep", *TINY, "-v"], self.dir, stderr=slave)
        os.close(slave)
        text = os.read(master, 1 << 16).decode()
        os.close(master)
        self.assertEqual(result.returncode, 0)
        self.assertNotRegex(text, STAMP)
        self.assertRegex(text, r"\Aetastar \d")
        self.assertIn("width 8, depth 3: 3 networks done", text)

    def test_name_that_a_terminal_would_obey(self):
        line, = self.etastar("sweep", *TINY, "--output", "a\x1b[2Jb.h5").log
        self.assertIn(r"a\x1b[2Jb.h5: 12", line)


class ResumeByName(Case):
    """--resume with the output's name alone."""

    def part(self, *words, name="sweep.h5"):
        """A sweep of which some rows are pending, and its rows when it is complete."""
        path = self.sweep(*words, name=name)
        whole = raw_rows(path)
        self.blank(path, [0, 5])
        return path, whole

    def blank(self, path, rows):
        """Tears rows."""
        with h5py.File(path, "r") as file:
            offset, size = file["trials"].id.get_offset(), file["trials"].dtype.itemsize
        with open(path, "r+b") as file:
            for row in rows:
                file.seek(offset + row * size + 30)
                file.write(b"\xff\xfe")

    def resume(self, *words, code=0, ranks=0):
        result = self.etastar("sweep", "--resume", *words, ranks=ranks)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def test_same_rows(self):
        for ranks, words in ((0, ["--time-limit", "1:00"]), (1, ["--weight-budget", "1e2"]), (2, ["-v"])):
            path, whole = self.part(*TINY, "--activation", "tanh", "--first-seed", "7", name=f"{ranks}.h5")
            self.assertNotEqual(raw_rows(path), whole)
            self.assertEqual(self.etastar("status", path).returncode, 4)
            self.assertIn("2 networks to do, 10 done before", self.resume("--output", path, *words, ranks=ranks).log[0])
            self.assertEqual(raw_rows(path), whole)
            self.assertEqual(self.etastar("status", path).returncode, 0)

    def test_name_from_a_configuration_and_by_default(self):
        path, whole = self.part(*TINY, name="etastar.h5")
        self.resume()
        self.assertEqual(raw_rows(path), whole)
        self.blank(path, [3])
        (self.dir / "my.cfg").write_text("output = 'etastar.h5'\n")
        self.resume("--config", "my.cfg")
        self.assertEqual(raw_rows(path), whole)

    def test_shard(self):
        path, whole = self.part(*TINY, "--shard", "2/3")
        self.resume("--output", path)
        self.assertEqual(raw_rows(path), whole)
        self.blank(path, [3])
        self.refuse(3, "sweep", "--resume", "--output", path, "--shard", "1/3", says=["holds shard 2/3; shard 1/3 is asked for"])
        self.resume("--output", path, "--shard", "2/3")
        self.assertEqual(raw_rows(path), whole)
        with h5py.File(path, "r") as file:
            self.assertEqual(file["provenance"].attrs["shard"], "2/3")
        other = self.sweep(*TINY, name="whole.h5")
        self.refuse(3, "sweep", "--resume", "--output", other, "--shard", "1/3", says=["holds no shard"])
        self.refuse(2, "sweep", "--resume", "--output", other, "--shard", "x", says=["shard: 'x'"])

    def test_data_of_a_file_that_is_gone(self):
        data = np.random.default_rng(1)
        with h5py.File(self.dir / "data.h5", "w") as file:
            file["x"], file["y"] = data.standard_normal((3, 5)), data.standard_normal(3)
        path = self.sweep("--trial", "training", "--data", "data.h5", "--width", "8", "--depth", "2", "--seeds", "4", "--eta", "0.1",
                          "--steps", "3")
        with h5py.File(path, "r") as file:
            rows, losses = file["trials"][:].tobytes(), file["steps/loss"][:].tobytes()
            self.assertEqual(file["provenance"].attrs["data_file"], "data.h5")
        self.blank(path, [0, 3])
        (self.dir / "data.h5").unlink()
        for ranks in (0, 2):
            self.resume("--output", path, ranks=ranks)
            with h5py.File(path, "r") as file:
                self.assertEqual((file["trials"][:].tobytes(), file["steps/loss"][:].tobytes()), (rows, losses))
            self.blank(path, [2])

    def test_options_of_the_grid_must_match(self):
        path, whole = self.part(*TINY)
        for words in (["--seeds", "3"], ["--activation", "relu"], ["--width", "8,16", "--depth", "1,3"]):
            self.refuse(3, "sweep", "--resume", "--output", path, *words, says=["holds another sweep", "eta is"])
        self.resume("--output", path, *TINY)
        self.assertEqual(raw_rows(path), whole)

    def test_no_such_file(self):
        for words in (["--output", "typo.h5"], ["--output", "typo.h5", "--shard", "1/2"]):
            self.refuse(3, "sweep", "--resume", *words, says=["typo.h5: does not exist: there is nothing to resume"])
        result = self.etastar("sweep", "--resume", "--output", "typo.h5", ranks=2)
        self.assertEqual((result.returncode, result.stdout, result.log, len(own_lines(result))), (3, "", [], 1), result.stderr)
        self.assertEqual(self.names(), [])
        self.succeed("sweep", "--resume", "--output", "new.h5", *TINY)
        (self.dir / "notes.h5").write_text("notes")
        self.refuse(3, "sweep", "--resume", "--output", "notes.h5", says=["notes.h5"])


class Status(Case):
    def test_text(self):
        path = self.sweep(*TINY, "--shard", "1/2")
        text = self.succeed("status", path)
        lines = dict(re.split(r"  +", line, maxsplit=1) for line in text.replace("damaged rows ", "damaged rows  ").splitlines())
        self.assertEqual(lines["sweep"], "first step of relu mlp, sgd, train all, rates mup; widths 8 and 16 x depths 1 and 3 x 2 seeds x 3 "
                         "rates; implicit engine, single precision")
        self.assertEqual((lines["networks"], lines["finished"], lines["failed"], lines["pending"], lines["damaged rows"], lines["done"],
                          lines["complete"], lines["shard"], lines["written by"]),
                         ("8", "8", "0", "0", "0", "100.0 %", "yes", "1/2", "nobody now"))
        self.assertNotIn("rate", lines)
        self.assertNotIn("time left", lines)
        written = datetime.fromisoformat(lines["last write"].split(",")[0]).timestamp()
        self.assertLess(abs(path.stat().st_mtime - written), 2)

    def documented(self, head):
        text = (ROOT / "docs" / "format.md").read_text()
        body, = re.findall(rf"^## JSON of `etastar {head} --json`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        tables = {key: rows for key, rows in re.findall(r"^\| key of (?:the|an?) (\w+) \| value \|\n\|[-|]+\|\n((?:\|.*\n)+)", body,
                                                        re.MULTILINE)}
        return {key: [name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
                for key, rows in tables.items()}

    def test_json(self):
        path = self.sweep(*TINY)
        texts = [self.succeed("status", *words) for words in ((path, "--json"), ("--json", path), (path, "--json", "-"), (path, "--json=-"))]
        self.assertEqual(len({re.sub(r'"looked": ".*?"', "", text) for text in texts}), 1)
        self.assertEqual(self.succeed("status", path, "--json", "out.json"), "")
        tree = json.loads(texts[0])
        self.assertEqual(set(tree), set(json.loads((self.dir / "out.json").read_text())))
        self.assertEqual(list(tree), self.documented("status")["document"])
        with h5py.File(path, "r") as file:
            self.assertEqual((tree["spec"], tree["spec_hash"], tree["started"]),
                             (json.loads(file.attrs["spec"]), file.attrs["spec_hash"], file["provenance"].attrs["started"]))
        self.assertEqual((tree["networks"], tree["finished"], tree["percent"], tree["complete"], tree["writer"], tree["rate"],
                          tree["seconds_left"], tree["exit_code"]), (12, 12, 100, True, None, None, None, 0))
        self.refuse(2, "status", path, "--json", path, says=["json", "HDF5"])
        self.refuse(2, "status", "--json", says=["FILE"])
        self.refuse(2, "status", "--json", "-", says=["FILE"])

    def test_watch_of_what_is_complete(self):
        path = self.sweep(*TINY)
        for words in (["--watch"], ["--watch", "5"], ["--watch=1m"]):
            text = self.succeed("status", path, *words)
            self.assertRegex(text, STAMP + r".*sweep\.h5: 12 of 12 networks, 100\.0 %, complete\nsweep  ")
        self.assertEqual(json.loads(self.succeed("status", path, "--watch", "--json"))["finished"], 12)
        self.succeed("status", "--watch", path)
        for bad in ("0", "soon", "-5", "1x", ""):
            self.refuse(2, "status", path, f"--watch={bad}", says=["watch"])

    def test_running(self):
        """Its rate is there while a sweep runs, and gone with it; a watch ends with the code of status."""
        sweep = self.start("sweep", *SLOW, "--output", "run.h5", "--time-limit", "60s", ranks=2)
        path = self.dir / "run.h5"
        wait_for(lambda: path.exists() and '"networks"' in (read_text(f"{path}.lock") if (self.dir / "run.h5.lock").exists() else ""),
                 "the sweep to tell")
        watch = self.start("status", "run.h5", "--watch", "1", "--json")

        def heard():
            tree = json.loads(self.etastar("status", "run.h5", "--json").stdout)
            return tree if tree["rate"] or tree["exit_code"] == 0 else None
        tree = wait_for(heard, "a rate")
        if tree["exit_code"] == 4:  # else this machine was too fast
            self.assertEqual(list(tree["writer"]), self.documented("status")["writer"])
            self.assertEqual((tree["writer"]["host"], tree["writer"]["alive"], tree["writer"]["job"]), (socket.gethostname(), True, None))
            self.assertGreater(tree["writer"]["networks"], 0)
            self.assertGreater(tree["seconds_left"], 0)
            text = self.etastar("status", "run.h5").stdout
            self.assertRegex(text, r"written by +PID \d+ on ")
            self.assertRegex(text, r"rate +[\d.e+]+ networks/s\ntime left +\S+( s)?, until ")
        sweep.signal(signal.SIGUSR1, 0)
        sweep.result()
        after = json.loads(self.etastar("status", "run.h5", "--json").stdout)
        self.assertEqual((after["writer"], after["rate"], after["seconds_left"]), (None, None, None))
        watch.signal(signal.SIGINT)
        result = watch.result()
        self.assertEqual(result.returncode, after["exit_code"], result.stderr)
        looks = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(looks[-1]["exit_code"], after["exit_code"])
        self.assertTrue(all(a["finished"] <= b["finished"] for a, b in zip(looks, looks[1:])))

    def test_writer_not_heard_of(self):
        """Of another node, whose lock nobody has touched for long."""
        path = self.sweep(*TINY)
        writer = {"host": "far", "pid": 71, "job": "12", "boot": "another", "attempt": 1, "token": "x"}
        told = {"started": 1e9, "told": 1e9 + 10, "networks": 50, "done": 1.0, "work": 3.0}
        lock = self.dir / "sweep.h5.lock"
        lock.write_text(json.dumps(writer) + "\n" + json.dumps(told) + "   \n")
        tree = json.loads(self.succeed("status", path, "--json"))
        self.assertEqual((tree["writer"]["alive"], tree["rate"]), (True, 5))
        self.assertLess(abs(tree["seconds_left"] - 20), 15)
        self.assertEqual((tree["writer"]["job"], tree["writer"]["attempt"], tree["writer"]["started"]), ("12", 2, "2001-09-09T01:46:40Z"))
        os.utime(lock, (1e9, 1e9))
        tree = json.loads(self.succeed("status", path, "--json"))
        self.assertEqual((tree["writer"]["alive"], tree["rate"], tree["seconds_left"]), (False, None, None))
        self.assertIn("not heard of for", self.succeed("status", path))
        for second in ("", "{", "[1]\n", '{"started": "x"}\n', json.dumps({**told, "told": 1e9}), json.dumps({**told, "networks": -1})):
            lock.write_text(json.dumps(writer) + "\n" + second)
            self.assertIn("PID 71 on far", self.succeed("status", path))


class Plan(Case):
    documented = Status.documented

    def test_json(self):
        for words in (TINY, [*TINY, "--trial", "training", "--eta-unit", "absolute"]):
            tree = json.loads(self.succeed("plan", *words, "--json"))
            keys = self.documented("plan")
            self.assertEqual(list(tree), keys["plan"])
            self.assertEqual((tree["networks"], tree["rows"], tree["ranks"], tree["output"]), (12, 36, 1, None))
            self.assertEqual([(cell["width"], cell["depth"], len(cell["eta"])) for cell in tree["cells"]],
                             [(8, 1, 3), (8, 3, 3), (16, 1, 3), (16, 3, 3)])
            self.assertAlmostEqual(tree["work_seconds"], sum(3 * cell["network_seconds"] for cell in tree["cells"]), 12)
            path = self.sweep(*words, "--overwrite")
            with h5py.File(path, "r") as file:
                self.assertEqual(tree["spec"], json.loads(file.attrs["spec"]))
                np.testing.assert_array_equal(file["axes/eta_absolute"][:].reshape(4, 3), [cell["eta"] for cell in tree["cells"]])
        self.assertEqual((tree["unit_theory"], tree["prediction"], tree["other_engine"]["engine"]), (None, None, "dense"))
        text = self.succeed("plan", *TINY, "--json", "plan.json")
        self.assertEqual(text, self.succeed("plan", *TINY))
        self.assertIsNotNone(json.loads((self.dir / "plan.json").read_text())["prediction"]["depth_exponent"])
        self.assertEqual(json.loads(self.succeed("plan", "--json", *TINY))["networks"], 12)

    def test_output(self):
        def state(*words):
            tree = json.loads(self.succeed("plan", *words, "--json"))["output"]
            self.assertEqual(list(tree), self.documented("plan")["output"])
            line = next(line for line in self.succeed("plan", *words).splitlines() if line.startswith("output "))
            self.assertEqual(line.split(None, 1)[1], f"{tree['file']}: {tree['state']}")
            return tree
        tree = state(*TINY, "--output", "new.h5")
        self.assertEqual((tree["exists"], tree["same_sweep"], tree["state"], tree["finished"]), (False, False, "does not exist", None))
        path = self.sweep(*TINY)
        ResumeByName.blank(self, path, [0])
        for words in ([*TINY, "--output", "sweep.h5"], ["--resume", "--output", "sweep.h5"]):
            tree = state(*words)
            self.assertEqual((tree["exists"], tree["same_sweep"], tree["finished"], tree["pending"]), (True, True, 11, 1))
            self.assertIn("11 of 12 networks finished; ", tree["state"])
            self.assertGreater(tree["work_left_seconds"], 0)
        tree = state(*TINY[:4], *TINY[6:], "--output", "sweep.h5", "--seeds", "4", "--train", "first")
        self.assertEqual((tree["exists"], tree["same_sweep"], tree["pending"]), (True, False, None))
        self.assertEqual(tree["state"], "holds another sweep, which differs in seeds, train")
        (self.dir / "notes.h5").write_text("notes")
        tree = state(*TINY, "--output", "notes.h5")
        self.assertEqual((tree["exists"], tree["same_sweep"]), (True, False))


class Words(Case):
    def test_config_with_quotes(self):
        (self.dir / "my.cfg").write_text("width = '8, 16'  # both\ndepth = \"1\"\neta = 1e-1\nseeds = 1e0\nprofile = 'true'\n"
                                         "output = 'a # b.h5'\n")
        self.succeed("sweep", "--config", "my.cfg")
        with h5py.File(self.dir / "a # b.h5", "r") as file:
            self.assertEqual(list(file["axes/width"]), [8, 16])
            self.assertIn("profile", file)

    def test_optional_file_of_json(self):
        path = self.sweep(*TINY)
        for words in (["fit", path, "--resamples", "1e2"], ["theory", "--width", "8", "--depth", "2"],
                      ["transfer", "--from-width", "8", "--from-depth", "2", "--from-eta", "1", "--to-width", "16", "--to-depth", "4"]):
            self.assertEqual(self.succeed(*words, "--json"), self.succeed(*words, "--json", "-"))

    def test_glossary(self):
        text = self.succeed("glossary")
        lines = text.splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 100)
        for word in ("response", "dz2", "base rate", "threshold", "criterion", "eta*", "unit linear", "muP", "width effect", "network",
                     "row", "trial", "seed", "misalignment", "kernel"):
            self.assertIn(word, text)
        page = (ROOT / "docs" / "glossary.md").read_text()
        self.assertIn(f"```text\n{text}```\n", page)
        self.refuse(2, "glossary", "x", says=["'x'"])
        self.assertRegex(self.succeed("--help"), r"\n  glossary +what the words mean")
        for command in COMMANDS:
            self.assertTrue(self.succeed(command, "--help").endswith("etastar glossary\n"), command)


if __name__ == "__main__":
    unittest.main()
