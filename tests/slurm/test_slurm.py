"""The job scripts: what they do is told first by stand-ins for Slurm's commands, then by a Slurm of our own, whose jobs are
stopped, cancelled, preempted and lose their node. Whatever happens, the table has the bytes of an undisturbed run."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import types
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
        "scontrol": """if [[ $1 == show ]]; then echo "   Command=$COMMAND my.cfg"; exit; fi
echo "scontrol $*" >>calls; exit "${SCONTROL:-0}\"""",
        "sbatch": 'echo "sbatch $*" >>calls; compgen -v SLURM_ >>leaked; echo 8; exit "${SBATCH:-0}"',
        # PBS folds long lines.
        "qstat": """printf 'Job Id: %s\n    queue = workq\n    Resource_List.mem = 8gb\n    Resource_List.select = 2:ncpus=4:\n\tmpiprocs=4\n' "$2"
[[ $LEFT == NONE ]] || printf '    Resource_List.walltime = %s\n' "$LEFT\"""",
        "qsub": 'echo "qsub $*" >>calls; exit "${SCONTROL:-0}"',
        "bjobs": """[[ $LEFT == NONE ]] || printf ' RUNLIMIT                \n %s min of n1\n\n' "$LEFT\"""",
        "brequeue": 'echo "brequeue $*" >>calls; exit "${SCONTROL:-0}"',
        "flux": """case $* in
    'getattr jobid') echo f23 ;;
    'job timeleft') echo "$LEFT" ;;
    'resource list -s free -no {nnodes}') echo 2 ;;
    'resource list -s free -no {ncores}') echo 8 ;;
    run*) echo "flux $*" >>calls; shift; while [[ $1 == -* ]]; do shift; done; "$@" ;;
    *) echo "flux $*" >>calls; if [[ $* == *jobspec ]]; then echo spec; else echo "taken: $(cat)" >>calls; exit "${SCONTROL:-0}"; fi ;;
esac""",
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

    # What tells a job of each scheduler from the others'.
    OTHERS = {"pbs": {"PBS_JOBID": "5.host", "PBS_O_WORKDIR": "."}, "lsf": {"LSB_JOBID": "6"}, "flux": {"FLUX_URI": "local:///x"}}

    def other_job(self, scheduler, runs, *arguments, **env):
        env = {"PBS_O_WORKDIR": str(self.dir), **env} if scheduler == "pbs" else env
        return self.job(runs, SWEEP, *arguments, **{"SLURM_JOB_ID": "", **self.OTHERS[scheduler], **env})

    def job(self, runs, script=SWEEP, *arguments, **env):
        (self.dir / "runs").write_text("".join(f"{line}\n" for line in runs))
        for name in ("calls", "state", "leaked"):
            (self.dir / name).unlink(missing_ok=True)
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("SLURM_", "ETASTAR_", "PBS_", "LSB_", "FLUX_", "OMPI_MCA_"))}
        return run(["bash", script, *arguments], self.dir, env={**clean, "PATH": f"{self.dir}/bin:{os.environ['PATH']}",
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
                ("width = 8\n", {}, "etastar.h5"), ("  output=a b.h5\nwidth = 8\n", {}, "a b.h5"),
                ("output = 'a #1.h5' # quoted\n", {}, "a #1.h5"), ('output="b.h5"\n', {}, "b.h5")]:
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
                (["0 3", "0 9"], 0, 0), (["0"], 1, 0), (["1"], 1, 0), (["139", "0 9"], 0, 0), (["137"] * 3, 137, 0), (["1 3", "1 3"], 1, 0),
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

    def test_arguments(self):
        result = self.job(["0 9"], SWEEP, "my.cfg", "ETASTAR_OUTPUT=other.h5", "ETASTAR_LAUNCH=mpirun env", ETASTAR_CONFIG="",
                          ETASTAR_OUTPUT="x.h5")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.calls("etastar"), ["sweep --config my.cfg --output other.h5 --resume"])
        self.assertTrue(self.calls("mpirun")[0].startswith("env "))
        (self.dir / "b.cfg").write_text("width = 8\n")
        self.job(["0 9"], SWEEP, "b.cfg")
        self.assertEqual(self.calls("etastar"), ["sweep --config b.cfg --output etastar.h5 --resume"])
        result = self.job(["0 9"], SWEEP, "my.cfg", "nonsense")
        self.assertEqual((result.returncode, self.calls("etastar")), (2, []))
        self.assertIn("'nonsense' is not a setting", result.stderr)

    def test_the_program_beside_the_script(self):
        # Slurm runs a copy; scontrol knows where the original is. Nothing on PATH, as where no environment is passed on.
        (self.dir / "bin/etastar").rename(self.dir / "program")
        os.symlink("/usr/bin/env", self.dir / "bin/absent")
        for script, program in [("share/etastar/jobs/sweep.sbatch", "bin/etastar"), ("jobs/sweep.sbatch", "build/release/bin/etastar")]:
            with self.subTest(script=script):
                top = self.dir / script.split("/")[0] / "top"
                (top / script).parent.mkdir(parents=True)
                (top / program).parent.mkdir(parents=True)
                shutil.copy(self.dir / "program", top / program)
                result = self.job(["0 9"], SWEEP, COMMAND=str(top / script))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn(str(top / program), self.calls("srun")[0])
        result = self.job(["0 9"], SWEEP, COMMAND="/absent/jobs/sweep.sbatch")
        self.assertEqual((result.returncode, self.calls("etastar")), (2, []), result.stderr)

    def test_others_run(self):
        for scheduler, left, limit in [("pbs", "00:10:01", 541), ("pbs", "NONE", None), ("lsf", "10.0", 540), ("lsf", "NONE", None),
                                       ("flux", "650", 590), ("flux", "infinity", None)]:
            with self.subTest(scheduler=scheduler, left=left):
                result = self.other_job(scheduler, ["0 9"], LEFT=left)
                self.assertEqual(result.returncode, 0, result.stderr)
                words = self.calls("etastar")[0].split()
                self.assertEqual("--time-limit" in words, limit is not None)
                if limit:
                    # Less what has passed since the script began; LSF and PBS tell the limit.
                    found = int(words[words.index("--time-limit") + 1].removesuffix("s"))
                    self.assertTrue(limit - 20 <= found <= limit, words)
                launches = self.calls("flux" if scheduler == "flux" else "mpirun")
                self.assertEqual(len(launches), 1)
                self.assertEqual(launches[0].startswith("run --nodes=2 --ntasks=8 --env=ETASTAR_MPI=1 "), scheduler == "flux")

    def test_others_go_back_into_the_queue(self):
        again = {"lsf": ("brequeue", ["6"]), "flux": ("flux", ["--parent job info f23 jobspec", "--parent job submit"]),
                 "pbs": ("qsub", None)}
        for scheduler, (command, expected) in again.items():
            with self.subTest(scheduler=scheduler):
                result = self.other_job(scheduler, ["4 5"], "my.cfg", LEFT="NONE", ETASTAR_CONFIG="", ETASTAR_OUTPUT="o.h5")
                self.assertEqual(result.returncode, 0, result.stderr)
                calls = [call for call in self.calls(command) if not call.startswith("run ")]
                if expected:
                    self.assertEqual(sorted(calls), expected)
                else:
                    self.assertRegex(calls[0], r"^-N etastar -j oe -l select=2:ncpus=4:mpiprocs=4 -q workq -W depend=afterany:5\.host -v \S+ "
                                     r"\S*sweep\.sbatch$")
                    self.assertLessEqual({"ETASTAR_CONFIG", "ETASTAR_OUTPUT", "PATH"}, set(calls[0].split()[-2].split(",")))
                if scheduler == "flux":
                    self.assertEqual(self.calls("taken:"), ["spec"])
                result = self.other_job(scheduler, ["4 5"], LEFT="NONE", SCONTROL="1")
                self.assertEqual(result.returncode, 4)
                self.assertIn("submit it again", result.stderr)
                result = self.other_job(scheduler, ["4 5"], LEFT="NONE", ETASTAR_RESUBMIT="qsub -l 'nodes=2' mine")
                self.assertEqual((result.returncode, self.calls("qsub")), (0, ["-l nodes=2 mine"]))
                # Stopped before anything was finished: not for ever.
                self.assertEqual(self.other_job(scheduler, ["4"], LEFT="NONE").returncode, 4)
        result = self.job(["0 9"], SLURM_JOB_ID="")
        self.assertEqual(result.returncode, 2)
        self.assertIn("not in a job of Slurm, PBS, LSF or Flux", result.stderr)

    def test_warned(self):
        # The script's own USR1 and TERM reach the sweep as one USR1; LSF has sent them to all processes already.
        # Not a shell: that cannot listen to what it was started to ignore.
        (self.dir / "bin/sweep").write_text(f"""#!{sys.executable}
import os, signal, sys, time
def stop(*_):
    open("calls", "a").write("USR1\\n")
    open("state", "w").write("5\\n")
    sys.exit(4)
signal.signal(signal.SIGUSR1, stop)
os.kill(os.getppid(), signal.Signals["SIG" + os.environ["SEND"]])
time.sleep(10)
""")
        (self.dir / "bin/sweep").chmod(0o755)
        (self.dir / "bin/etastar").write_text(
            '#!/bin/bash\nif [[ $1 == sweep ]]; then exec sweep; fi\n' + self.STANDINS["etastar"] + "\n")
        (self.dir / "bin/mpirun").write_text('#!/bin/bash\nexec "$@"\n')
        (self.dir / "bin/flux").write_text("#!/bin/bash\n" + self.STANDINS["flux"].replace('"$@" ;;', 'exec "$@" ;;') + "\n")
        for scheduler, send, code in [("pbs", "USR1", 0), ("flux", "USR1", 0), ("pbs", "TERM", 143), ("lsf", "TERM", 143)]:
            with self.subTest(scheduler=scheduler, send=send):
                result = self.other_job(scheduler, [], LEFT="NONE", SEND=send)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual((self.dir / "calls").read_text().splitlines().count("USR1"), 1)

    def test_array_submits_its_merge(self):
        task = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_JOB_NAME": "name",
                "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "3", "SLURM_CONF": "/x/slurm.conf"}
        result = self.job(["0 9"], ARRAY, "my.cfg", **task, LEFT="(null) main normal 1:00:00")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("job 8 joins the parts", result.stderr)
        call = self.calls("sbatch")
        self.assertEqual(len(call), 1)
        self.assertRegex(call[0], r"--dependency=afterany:7 --job-name=name-merge .*--partition=main --time=1:00:00 --qos=normal "
                         r"\S*array\.sbatch my\.cfg merge 3$")
        self.assertEqual(set((self.dir / "leaked").read_text().split()), {"SLURM_CONF"})
        # Other tasks, later runs of the first, and who does not want it, submit nothing; a site may not allow it.
        for env in [{"SLURM_ARRAY_TASK_ID": "2"}, {"SLURM_RESTART_COUNT": "1"}, {"ETASTAR_MERGE": "no"}]:
            self.assertEqual(self.job(["0 9"], ARRAY, **{**task, **env}).returncode, 0)
            self.assertEqual(self.calls("sbatch"), [])
        result = self.job(["0 9"], ARRAY, **task, LEFT="a main q 1:00:00", SBATCH="1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("no job could be submitted", result.stderr)

    def test_merge_job(self):
        (self.dir / "state").write_text("9\n")
        (self.dir / "runs").write_text("0 9\n")
        job = lambda *words: run(["bash", ARRAY, "my.cfg", *words], self.dir,
                                 env={**os.environ, "PATH": f"{self.dir}/bin:{os.environ['PATH']}", "SLURM_JOB_ID": "9", "PLUGINS": "pmix"})
        result = job("ETASTAR_OUTPUT=all.h5", "merge", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.calls("etastar"), ["merge --output all.h5 all.shard-1-of-2.h5 all.shard-2-of-2.h5"])
        (self.dir / "state").write_text("5\n")
        result = job("merge", "2")
        self.assertEqual(result.returncode, 4)
        self.assertIn("run.shard-1-of-2.h5 is not complete", result.stderr)
        self.assertEqual(job("merge", "x").returncode, 2)
        self.assertEqual(job("merge").returncode, 2)

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

    # Virtual nodes have one name, by which ranks think that they share memory.
    SETTINGS = ["OMPI_MCA_btl=self,tcp", "OMPI_MCA_hwloc_base_binding_policy=none", "OMPI_MCA_mpi_yield_when_idle=1"]

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

    def __init__(self, name="runTest"):
        super().__init__(name)
        test = getattr(self, name)

        def with_a_second_try(_):
            # On a busy machine one start in some 300 goes wrong before the program has a say: a step of Slurm's hangs between fork
            # and exec, or Open MPI's TCP transport dies in MPI_Init.
            try:
                test()
            except AssertionError as error:
                if not self.failed_to_start():
                    raise
                print(f"{name}: a launcher failed, once more\n{error}", file=sys.stderr)
                self.tearDown()
                self.doCleanups()
                self.setUp()
                test()

        setattr(self, name, types.MethodType(with_a_second_try, self))

    def setUp(self):
        super().setUp()
        self.jobs = []

    def failed_to_start(self):
        """Whether some run of the submitted jobs has not come as far as the sweep's first line."""
        logs = "".join(path.read_text(errors="replace") for path in self.dir.glob("*.log"))
        runs = sum(int(self.cluster.show(job).get("Restarts", 0)) + 1 for job in self.jobs) + logs.count("trying again")
        return logs.count(" networks to do") < runs

    def tearDown(self):
        # The next test finds an empty cluster, however this one ended.
        self.cluster.run("scancel", "--user=root", check=False)
        slurm.poll(lambda: not self.cluster.run("squeue", "-h").stdout.strip(), 60, "jobs do not go away")
        self.cluster.revive()

    def submit(self, *options, text=CONFIGURATION, script=SWEEP, name="run", launch="", **env):
        """A job's number; its configuration, log and table are called name."""
        (self.dir / f"{name}.cfg").write_text(text.replace("run.h5", f"{name}.h5"))
        env = {**environment(), **env, "ETASTAR_BIN": str(BINARY), "ETASTAR_CONFIG": f"{name}.cfg", "ETASTAR_LAUNCH": launch,
               **dict(setting.split("=", 1) for setting in self.SETTINGS)}
        self.jobs.append(self.cluster.submit(script, f"--output={name}.log", *options, env=env, cwd=self.dir))
        return self.jobs[-1]

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
        # Nothing of the environment, the configuration as an argument.
        (self.dir / "none.cfg").write_text(SMALL.replace("run.h5", "none.h5"))
        settings = [f"{name}={value}" for name, value in environment().items() if name.startswith("OMPI_")]
        none = self.cluster.run("sbatch", "--parsable", "-N2", "--ntasks-per-node=1", "--export=NONE", "--output=none.log", SWEEP,
                                "none.cfg", f"ETASTAR_BIN={BINARY}", *settings, *self.SETTINGS, cwd=self.dir).stdout.strip()
        self.wait(job)
        self.wait(none)
        self.assert_undisturbed("run", "none", text=SMALL)

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
        ranks = self.hold("run.shard-1-of-2", "run.shard-2-of-2")
        merge = re.search(r"job (\d+) joins the parts", self.log("task-1"))
        self.assertIsNotNone(merge, self.logs())
        self.assertIn(f"afterany:{array}_*", self.cluster.show(merge[1])["Dependency"])
        self.cluster.run("scancel", "--signal=USR1", "--batch", f"{array}_2")
        self.wake(ranks)
        self.assertEqual(self.wait(f"{array}_2")["Restarts"], "1")
        self.assertEqual(self.wait(f"{array}_1")["Restarts"], "0")
        self.assertIn("etastar merge --output run.h5 run.shard-*-of-2.h5", self.log("task-1"))
        self.wait(merge[1])
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
        self.assertGreaterEqual(self.logs().count("trying again"), 2)
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
