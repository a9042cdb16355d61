"""The job scripts: what they do is told first by stand-ins for Slurm's commands, then by a Slurm of our own, whose jobs are
stopped, cancelled, preempted and lose their node. Whatever happens, the table has the bytes of an undisturbed run."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

import cluster as slurm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from support import BINARY, DONE, PENDING, ROOT, Case, environment, raw_rows, run, trials  # noqa: E402

SWEEP, ARRAY = ROOT / "jobs/sweep.sbatch", ROOT / "jobs/array.sbatch"
# 800 networks of 10 ms: four seconds on two cores.
CONFIGURATION = "width = 65536\ndepth = 16, 20\neta = 0.1:10:log3\nseeds = 400\nengine = implicit\noutput = run.h5 # here\n"
SMALL = CONFIGURATION.replace("400", "50")


class Script(Case):
    """The scripts alone. Stand-ins answer for Slurm and the program, and record how they were called."""

    STANDINS = {
        "squeue": 'echo "squeue $*" >>calls; echo "$LEFT"',
        "scontrol": 'echo "scontrol $*" >>calls; exit "${SCONTROL:-0}"',
        "srun": """
if [[ $1 == --mpi=list ]]; then echo "$PLUGINS"; exit; fi
echo "srun $*" >>calls
while [[ $1 == -* ]]; do shift; done
"$@\"""",
        "mpirun": 'echo "mpirun $*" >>calls; "$@"',
        "sleep": "",
        # Each run of the sweep takes the next "code finished failed" line of runs: what it leaves in the table, and how it ends.
        "etastar": """
if [[ $1 == status ]]; then [[ -e state ]] || exit 3; read -r n f <state; printf "finished $n\\nfailed ${f:-0}\\n"
    if ((n + f < 9)); then exit 4; elif ((f)); then exit 5; else exit 0; fi
fi
echo "etastar $*" >>calls
read -r code count <runs; sed -i 1d runs
[[ $count ]] && echo "$count" >state
if ((code > 128)); then kill -$((code - 128)) $$; fi
exit "$code\"""",
    }

    def setUp(self):
        super().setUp()
        (self.dir / "bin").mkdir()
        for name, text in self.STANDINS.items():
            path = self.dir / "bin" / name
            path.write_text(f"#!/bin/bash\n{text}\n")
            path.chmod(0o755)
        (self.dir / "my.cfg").write_text(CONFIGURATION)

    def job(self, runs, script=SWEEP, **env):
        (self.dir / "runs").write_text("".join(f"{line}\n" for line in runs))
        for name in ("calls", "state"):
            (self.dir / name).unlink(missing_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "ETASTAR_"))}
        return run(["bash", script], self.dir, env={**clean, "PATH": f"{self.dir}/bin:{os.environ['PATH']}",
                                                    "LEFT": "UNLIMITED", "PLUGINS": "pmix", "SLURM_JOB_ID": "7",
                                                    "ETASTAR_CONFIG": "my.cfg", **env})

    def calls(self, word):
        path = self.dir / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix(word + " ") for line in lines if line.startswith(word + " ")]

    def test_the_common_part_is_the_same(self):
        def common(script):
            return re.search(r"# --- The same.*# --- End of what is the same", script.read_text(), re.S)[0]
        self.assertEqual(common(SWEEP), common(ARRAY))

    def test_time_left(self):
        for left, limit in [("UNLIMITED", None), ("NOT_SET", None), ("INVALID", None), ("", None), ("0:50", "45s"),
                            ("8:20", "450s"), ("10:01", "541s"), ("08:09:09", "29289s"), ("1-02:03:04", "93724s")]:
            with self.subTest(left=left):
                self.assertEqual(self.job(["0 9"], LEFT=left).returncode, 0)
                words = self.calls("etastar")[0].split()
                self.assertEqual(words[words.index("--time-limit") + 1] if limit else None, limit)
                self.assertEqual("--time-limit" in words, limit is not None)

    def test_launcher(self):
        for launch, plugins, expected in [
                ("", "none pmi2 pmix_v4", "srun --mpi=pmix etastar"), ("", "none pmi2", "mpirun etastar"),
                ("srun", "pmix", "srun --mpi=pmix etastar"), ("srun", "none", "srun etastar"),
                ("mpirun", "pmix", "mpirun etastar"), ("srun --mpi=pmi2 -v", "pmix", "srun --mpi=pmi2 -v etastar")]:
            with self.subTest(launch=launch, plugins=plugins):
                self.assertEqual(self.job(["0 9"], ETASTAR_LAUNCH=launch, PLUGINS=plugins).returncode, 0)
                word = expected.split()[0]
                self.assertEqual(f"{word} {self.calls(word)[0]}".replace(f"{self.dir}/bin/", "").split(" sweep ")[0], expected)

    def test_output(self):
        for text, env, expected in [
                (CONFIGURATION, {}, "run.h5"), (CONFIGURATION, {"ETASTAR_OUTPUT": "other.h5"}, "other.h5"),
                ("width = 8\n", {}, "etastar.h5"), ("  output=a b.h5\nwidth = 8\n", {}, "a b.h5")]:
            with self.subTest(text=text, env=env):
                (self.dir / "my.cfg").write_text(text)
                self.job(["0 9"], **env)
                self.assertEqual(self.calls("etastar"), [f"sweep --config my.cfg --output {expected} --resume"])

    def test_exit_codes(self):
        for runs, code, requeued in [
                (["0 9"], 0, 0), (["5 7 2"], 5, 0),  # the table is complete
                (["2"], 2, 0), (["3"], 3, 0), (["3 5"], 3, 0),
                (["4 5"], 0, 1), (["4"], 4, 0), (["4 0"], 4, 0),  # stopped early
                (["1 3", "0 9"], 0, 0), (["137 3", "139 3 1", "5 8 1"], 5, 0), (["1 3", "4 5"], 0, 1),  # died, tried again
                (["0 3", "0 9"], 0, 0), (["0"], 1, 0), (["1"], 1, 0), (["137"], 137, 0), (["1 3", "1 3"], 1, 0),
                (["1 1", "1 2", "137 3", "0 9"], 137, 0)]:
            with self.subTest(runs=runs):
                result = self.job(runs)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual(self.calls("scontrol"), ["requeue 7"] * requeued)
                lines = [line for line in result.stderr.splitlines() if "giving up" in line]
                self.assertEqual(len(lines), 0 if requeued or code in (0, 5) else 1, result.stderr)

    def test_no_requeue_allowed(self):
        result = self.job(["4 5"], SCONTROL="1")
        self.assertEqual(result.returncode, 4)
        self.assertIn("submit it again", result.stderr)

    def test_array(self):
        task = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_MAX": "4"}
        result = self.job(["4 5"], ARRAY, **task)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.calls("etastar"),
                         ["sweep --config my.cfg --output run.shard-3-of-3.h5 --resume --shard 3/3"])
        self.assertEqual(self.calls("squeue") + self.calls("scontrol"), ["-h -j 7_4 -o %L", "requeue 7_4"])
        result = self.job(["0 9"], ARRAY, **task, ETASTAR_SHARDS="8")
        self.assertEqual(self.calls("etastar"),
                         ["sweep --config my.cfg --output run.shard-4-of-8.h5 --resume --shard 4/8"])
        self.assertIn("etastar merge --output run.h5 run.shard-*-of-8.h5", result.stderr)

    def test_refusals(self):
        task = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_MAX": "4"}
        for script, env, says in [
                (SWEEP, {"ETASTAR_CONFIG": ""}, "ETASTAR_CONFIG"), (SWEEP, {"ETASTAR_CONFIG": "absent.cfg"}, "absent.cfg"),
                (SWEEP, {"ETASTAR_BIN": "absent"}, "absent"), (SWEEP, {"ETASTAR_LAUNCH": "absent -n 2"}, "ETASTAR_LAUNCH"),
                (ARRAY, {}, "--array"), (ARRAY, task, "gaps"), (ARRAY, {**task, "ETASTAR_SHARDS": "3"}, "from 1 to"),
                (ARRAY, {**task, "ETASTAR_SHARDS": "0"}, "from 1 to"), (ARRAY, {**task, "ETASTAR_SHARDS": "x"}, "from 1 to")]:
            with self.subTest(script=script.name, env=env):
                result = self.job(["0 9"], script, **env)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn(says, result.stderr)
                self.assertEqual(self.calls("etastar"), [])


@unittest.skipIf(slurm.missing(), slurm.missing())
class Jobs(Case):
    """Jobs on three virtual nodes of two cores."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = slurm.Cluster(nodes=3, cpus=2)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.folder = Path(tempfile.mkdtemp(prefix="etastar-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # Runs beside the first jobs, alone.
        cls.undisturbed = {}
        for text in (SMALL, CONFIGURATION):
            name = f"{len(cls.undisturbed)}"
            (cls.folder / f"{name}.cfg").write_text(text)
            process = subprocess.Popen([BINARY, "sweep", "--config", f"{name}.cfg", "--output", f"{name}.h5"], cwd=cls.folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            cls.addClassCleanup(process.wait)
            cls.addClassCleanup(process.kill)
            cls.undisturbed[text] = process, cls.folder / f"{name}.h5"

    def tearDown(self):
        # The next test finds an empty cluster, however this one ended.
        self.cluster.run("scancel", "--user=root", check=False)
        slurm.poll(lambda: not self.cluster.run("squeue", "-h").stdout.strip(), 60, "jobs do not go away")
        self.cluster.revive()

    def submit(self, *options, text=CONFIGURATION, script=SWEEP, name="run", launch="", **env):
        """A job's number; its configuration, log and table are called name."""
        (self.dir / f"{name}.cfg").write_text(text.replace("run.h5", f"{name}.h5"))
        env = {**environment(), **env, "ETASTAR_BIN": str(BINARY), "ETASTAR_CONFIG": f"{name}.cfg", "ETASTAR_LAUNCH": launch,
               # Virtual nodes have one name, by which ranks think that they share memory.
               "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_mpi_yield_when_idle": "1"}
        return self.cluster.submit(script, f"--output={name}.log", *options, env=env, cwd=self.dir)

    def submit_both(self, *options, **arguments):
        """Two-node jobs through mpirun and srun: their names and numbers."""
        return {launch.split()[0]: self.submit("-N2", "--ntasks-per-node=1", *options, launch=launch, name=launch.split()[0],
                                               **arguments) for launch in ("mpirun", "srun --mpi=pmix")}

    def log(self, name="run"):
        path = self.dir / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def state(self, job):
        return self.cluster.show(job).get("JobState", "")

    def wait(self, job, state="COMPLETED", timeout=90):
        """Until the job is there; it must not end otherwise."""
        ends = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"}
        slurm.poll(lambda: self.state(job) in ends | {state}, timeout, lambda: f"{self.cluster.show(job)}\n{self.logs()}")
        self.assertEqual(self.state(job), state, self.logs())
        return self.cluster.show(job)

    def logs(self):
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')[-3000:]}" for path in self.dir.glob("*.log"))

    def finished(self, name="run"):
        text = run([BINARY, "status", f"{name}.h5"], self.dir).stdout
        return int((re.search(r"^finished +(\d+)", text, re.M) or [0, 0])[1])

    def wait_for_progress(self, name="run", more_than=20):
        slurm.poll(lambda: self.finished(name) > more_than, 60, lambda: f"{name}: {self.finished(name)} finished\n{self.logs()}")

    def hold(self, *names):
        """Puts the two ranks of each job to sleep as soon as they have finished some networks; returns all ranks."""
        held = {}

        def all_held():
            for name in names:
                if name not in held and self.finished(name) > 20:
                    held[name] = self.ranks(name)
                    for pid in held[name]:
                        os.kill(pid, signal.SIGSTOP)
            return len(held) == len(names)

        slurm.poll(all_held, 60, self.logs)
        self.assertEqual([len(pids) for pids in held.values()], [2] * len(names), self.logs())
        return [pid for pids in held.values() for pid in pids]

    @staticmethod
    def wake(ranks):
        for pid in ranks:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def ranks(self, name="run"):
        """The processes that work on a table, launchers and scripts apart."""
        found = []
        for pid in self.cluster.processes():
            words = slurm.read(pid, "cmdline").split(b"\0")
            if words[:2] == [os.fsencode(BINARY), b"sweep"] and f"{name}.h5".encode() in words:
                found.append(pid)
        return found

    def assert_undisturbed(self, *names, text=CONFIGURATION):
        process, reference = self.undisturbed[text]
        self.assertEqual(process.wait(120), 0)
        for name in names or ["run"]:
            self.assertTrue(raw_rows(self.dir / f"{name}.h5") == raw_rows(reference), f"{name}\n{self.logs()}")
            self.assertEqual(run([BINARY, "status", f"{name}.h5"], self.dir).returncode, 0)

    def test_two_nodes(self):
        for job in self.submit_both(text=SMALL).values():
            self.wait(job)
        self.assert_undisturbed("mpirun", "srun", text=SMALL)

    def test_options_of_sbatch(self):
        # --export, several tasks a node, the default launcher.
        job = self.submit("-N2", "--ntasks-per-node=2", "--export=ETASTAR_CONFIG,ETASTAR_BIN,PATH,OMPI_MCA_btl", text=SMALL)
        self.wait(job)
        self.assert_undisturbed(text=SMALL)

    def test_time_limit(self):
        # Slurm's own warning comes within half a minute of the start of a job of one minute; the ranks sleep until then.
        struck = self.submit("-N2", "--ntasks-per-node=1", "-t", "1", launch="mpirun", name="struck")
        warned = self.submit("-N2", "--ntasks-per-node=1", "-t", "5", launch="srun --mpi=pmix", name="warned")
        ranks = self.hold("struck", "warned")
        self.cluster.run("scancel", "--signal=USR1", "--batch", warned)
        for pid in ranks:
            slurm.poll(lambda: self.is_warned(pid), 50, self.logs)
        self.wake(ranks)
        for job in (struck, warned):
            self.assertGreaterEqual(int(self.wait(job)["Restarts"]), 1)
        self.assert_undisturbed("struck", "warned")

    def is_warned(self, pid):
        """Whether SIGUSR1 waits for the sleeping process."""
        pending = re.search(rb"^ShdPnd:\s*(\w+)", slurm.read(pid, "status"), re.M)
        self.assertIsNotNone(pending, self.logs())
        return int(pending[1], 16) >> (signal.SIGUSR1 - 1) & 1

    def test_cancel(self):
        jobs = self.submit_both()
        ranks = self.hold(*jobs)
        self.cluster.run("scancel", *jobs.values())
        self.wake(ranks)
        for name, job in jobs.items():
            self.wait(job, "CANCELLED")
            slurm.poll(lambda: not self.ranks(name), 20, "ranks live on")
            self.assertEqual((self.state(job), self.cluster.show(job)["Restarts"]), ("CANCELLED", "0"))
            rows = trials(self.dir / f"{name}.h5")
            self.assertTrue(np.isin(rows["status"], [PENDING, DONE]).all())
            self.assertTrue((rows["status"] == DONE).any() and (rows["status"] == PENDING).any())
            # Torn rows would count as unfinished.
            self.assertEqual(self.finished(name), (rows["status"].reshape(-1, 3) == DONE).all(axis=1).sum())
        for job in self.submit_both().values():
            self.wait(job)
        self.assert_undisturbed("mpirun", "srun")

    def short_job(self):
        path = self.dir / "short.sh"
        path.write_text("#!/bin/sh\n")
        return path

    def test_preemption(self):
        jobs = self.submit_both("-p", "low")
        ranks = self.hold(*jobs)
        other = self.cluster.submit(self.short_job(), "-N3", "--ntasks-per-node=2", "--output=/dev/null")
        self.wait(other)
        self.wake(ranks)
        for job in jobs.values():
            self.assertEqual(self.wait(job)["Restarts"], "1")
        self.assert_undisturbed("mpirun", "srun")

    def test_preemption_with_grace(self):
        # The ranks stop in order. mpirun loses its daemons, and the sweep goes on in what is left of the grace.
        jobs = self.submit_both("-p", "polite")
        ranks = self.hold(*jobs)
        other = self.cluster.submit(self.short_job(), "-N3", "--ntasks-per-node=2", "--output=/dev/null")
        for job in jobs.values():
            slurm.poll(lambda: self.cluster.show(job).get("PreemptTime", "None") != "None", 30, self.logs)
        self.wake(ranks)
        self.wait(other)
        restarts = {name: int(self.wait(job)["Restarts"]) for name, job in jobs.items()}
        self.assertGreaterEqual(restarts["srun"], 1)
        self.assert_undisturbed("mpirun", "srun")

    def test_array_and_merge(self):
        array = self.submit("--array=1-2", "-n2", "--output=task-%a.log", script=ARRAY)
        merge = self.cluster.run("sbatch", "--parsable", f"--dependency=afterok:{array}", "--output=merge.log",
                                 f"--wrap={BINARY} merge --output run.h5 run.shard-*-of-2.h5", cwd=self.dir).stdout.strip()
        ranks = self.hold("run.shard-1-of-2", "run.shard-2-of-2")
        self.cluster.run("scancel", "--signal=USR1", "--batch", f"{array}_2")
        self.wake(ranks)
        self.assertEqual(self.wait(f"{array}_2")["Restarts"], "1")
        self.assertEqual(self.wait(f"{array}_1")["Restarts"], "0")
        self.assertIn("etastar merge --output run.h5 run.shard-*-of-2.h5", self.log("task-1"))
        self.wait(merge)
        self.assert_undisturbed()

    def test_lost_node(self):
        # Slurm starts the job again elsewhere, while the ranks it has lost sight of sleep, and then wake. On a real node these
        # are mpirun's own children; on a virtual one, whose name is not the machine's, mpirun has to be told.
        job = self.submit("-N1", "-n2", launch="mpirun -n 2 --oversubscribe --mca plm ^slurm --mca ras ^slurm")
        old = self.hold("run")
        before, node = self.finished(), self.cluster.show(job)["NodeList"]
        self.cluster.kill_node(node)
        self.wait_for_progress(more_than=before + 20)
        self.assertNotEqual(self.cluster.show(job)["NodeList"], node)
        self.wake(old)
        slurm.poll(lambda: not set(old) & set(self.ranks()), 30, "the old ranks write on")
        slurm.poll(lambda: "giving up" in self.log(), 20, self.logs)
        self.assertIn("giving up: exit code 3", self.log())
        self.assertEqual(self.wait(job)["Restarts"], "1")
        self.assert_undisturbed()

    def test_lost_rank(self):
        jobs = self.submit_both()
        ranks = self.hold(*jobs)
        for pid in ranks[1::2]:
            os.kill(pid, signal.SIGKILL)
        self.wake(ranks)
        for job in jobs.values():
            self.assertEqual(self.wait(job)["Restarts"], "0")
        self.assertEqual(self.logs().count("trying again"), 2)
        self.assert_undisturbed("mpirun", "srun")

    def test_no_progress(self):
        # A network of ten seconds.
        job = self.submit("-n2", text="width = 4194304\ndepth = 300\neta = 1\nseeds = 2\noutput = run.h5\n")
        slurm.poll(lambda: (self.dir / "run.h5").exists() and len(self.ranks()) == 2, 30, self.logs)
        self.cluster.run("scancel", "--signal=USR1", "--batch", job)
        shown = self.wait(job, "FAILED")
        self.assertEqual((shown["ExitCode"], shown["Restarts"]), ("4:0", "0"))
        self.assertIn("no network was finished", self.log())


if __name__ == "__main__":
    unittest.main()
