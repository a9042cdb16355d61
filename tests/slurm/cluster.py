"""A private Slurm on this machine: munge, a controller and a few virtual nodes, all state in one temporary folder."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "squeue", "sinfo"]

# Jobs of the partition low are requeued as soon as main wants their nodes; those of polite are asked to go (TERM to their
# steps) a minute earlier. Slurm counts in whole seconds, the accounting of lost nodes included: everything else is as short
# as it allows.
CONFIGURATION = """
ClusterName=etastar
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobRequeue=1
KillWait=5
MessageTimeout=20
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs={cpus} Sockets=1 \
CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
PartitionName=low Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE
PartitionName=polite Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
"""


# Debian 12's. The cluster of a later one does not come to life everywhere, for example without cgroups of its own.
KNOWN_VERSION = "22.05"


def missing():
    """Why there can be no cluster here, or an empty text."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=search_path())]
    if absent:
        return f"Slurm is not installed: no {', '.join(absent)}"
    version = subprocess.run([shutil.which("slurmd", path=search_path()), "-V"], capture_output=True, text=True).stdout.strip()
    if KNOWN_VERSION not in version and "ETASTAR_ANY_SLURM" not in os.environ:
        return f"this is {version}; the cluster is set up for {KNOWN_VERSION} (ETASTAR_ANY_SLURM=1 tries)"
    return "" if os.geteuid() == 0 else "a private Slurm needs root"


def search_path():
    return os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"


def poll(condition, timeout, what):
    """The first true value of condition(); an AssertionError after timeout seconds. what may be a function."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s: {what() if callable(what) else what}")
        time.sleep(0.1)


def free_ports(count):
    """The first of count neighbouring ports nobody listens on."""
    for first in range(17000 + os.getpid() % 1000 * 10, 60000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise RuntimeError("no free ports")


def read(pid, name):
    """A file of /proc; empty if the process has gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def processes(folder):
    """Everything that has a cluster's folder in its environment or on its command line."""
    mark = os.fsencode(folder)
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and mark in read(pid, "environ") + read(pid, "cmdline")]


def destroy(folder):
    """Kills what belongs to a cluster, its jobs included, and removes its folder."""
    for _ in range(50):
        alive = processes(folder)
        if not alive:
            break
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


def destroy_abandoned():
    """What tests that were killed have left."""
    for owner in Path("/tmp").glob("etastar-slurm-*/owner"):
        try:
            os.kill(int(owner.read_text()), 0)
        except (ProcessLookupError, ValueError):
            destroy(owner.parent)


class Cluster:
    """start() and stop(); every job that still runs then is killed, whoever has lost sight of it."""

    def __init__(self, nodes=3, cpus=2):
        self.nodes, self.cpus = nodes, cpus
        # Short: the path of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="etastar-slurm-", dir="/tmp"))

    def environment(self, more=None):
        """Ours with more, and no other Slurm in it."""
        env = {**os.environ, **(more or {})}
        env = {name: value for name, value in env.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        return {**env, "PATH": search_path(), "SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self):
        destroy_abandoned()
        (self.folder / "owner").write_text(str(os.getpid()))
        self.folder.chmod(0o755)
        for name in ("munge", "state", "spool", "tmp"):
            (self.folder / name).mkdir(mode=0o755)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        first = free_ports(1 + self.nodes)
        ports = [first, first + 1, first + self.nodes]
        host = socket.gethostname().split(".")[0]
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            folder=self.folder, host=host, nodes=self.nodes, cpus=self.cpus, ports=ports))
        version = [int(part) for part in self.run("slurmd", "-V").stdout.split()[-1].split(".")[:2]]
        if version >= [23, 11]:
            # It looks for control groups even where no plugin uses them.
            (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        munge = self.folder / "munge"
        self.run("munged", f"--key-file={key}", f"--socket={munge}/socket", f"--pid-file={munge}/munged.pid",
                 f"--log-file={munge}/munged.log", f"--seed-file={munge}/seed", "--num-threads=2")
        self.run("slurmctld", "-c")
        for node in range(1, self.nodes + 1):
            self.start_node(f"n{node}")
        self.wait_until_idle()

    def wait_until_idle(self):
        def idle():
            counts = self.run("sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D", check=False).stdout.split()
            return sum(map(int, counts)) == self.nodes
        poll(idle, 60, lambda: "not every node is idle: " + self.logs())

    def start_node(self, node):
        for name in ("spool", "tmp"):
            (self.folder / name / node).mkdir(exist_ok=True)
        self.run("slurmd", "-N", node)

    def kill_node(self, node):
        """The node's daemon dies and the controller hears of it; what ran there runs on, and nobody watches it."""
        mark, parents = os.fsencode(f"SLURMD_NODENAME={node}\0"), set()
        for pid in self.processes():
            if mark in read(pid, "environ"):
                parents.update(re.findall(rb"^PPid:\s+(\d+)", read(pid, "status"), re.M))
        for pid in [self.node_pid(node), *map(int, parents)]:
            if read(pid, "comm").startswith(b"slurm"):
                os.kill(pid, signal.SIGKILL)
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=killed")

    def revive(self):
        """Starts the daemons of killed nodes again; every node is idle then."""
        for node in range(1, self.nodes + 1):
            if self.node_pid(f"n{node}") not in self.processes():
                self.start_node(f"n{node}")
        self.wait_until_idle()

    def node_pid(self, node):
        return int((self.folder / f"slurmd.{node}.pid").read_text())

    def stop(self):
        destroy(self.folder)

    def processes(self):
        return processes(self.folder)

    def run(self, *words, check=True, env=None, cwd=None, timeout=60):
        result = subprocess.run([os.fspath(word) for word in words], env=self.environment(env), cwd=cwd or self.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                timeout=timeout)
        if check and result.returncode != 0:
            raise AssertionError(f"{words[0]} exits with {result.returncode}: {result.stderr}{result.stdout}")
        return result

    def logs(self):
        files = sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("munge/*.log"))
        return "\n".join(f"{file.name}: {' | '.join(file.read_text(errors='replace').splitlines()[-5:])}" for file in files)

    def submit(self, script, *options, env=None, cwd=None):
        """The new job's number."""
        return self.run("sbatch", "--parsable", *options, script, env=env, cwd=cwd).stdout.split(";")[0].strip()

    def show(self, job):
        """What scontrol knows about a job (for an array: about its first task)."""
        lines = self.run("scontrol", "-o", "show", "job", job, check=False).stdout.splitlines()
        return dict(word.split("=", 1) for word in lines[0].split() if "=" in word) if lines else {}
