"""What the tests of the program have in common: running it, reading its files, and theory worked out apart from it."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ["ETASTAR_BINARY"]).resolve()
# Its sanitizers see HDF5 read beyond its buffers where a structure is damaged, and end the program.
SANITIZED = b"__asan_init" in BINARY.read_bytes()
LAUNCHER = shlex.split(os.environ.get("MPIEXEC", "mpirun --oversubscribe"))
OPEN_MPI = "Open MPI" in subprocess.run([*LAUNCHER[:1], "--version"], capture_output=True, text=True).stdout
PENDING, DONE, NONFINITE, FAILED = range(4)
ROW_BYTES = 152
STATUS_BYTE, CHECK_BYTE = 144, 148  # of a row
OUT_OF_TIME = (["etastar: out of time, stopped where it was; --resume continues"],
               ["etastar: out of time before the first network; the same command begins again"])
TINY = ["--width", "8,16", "--depth", "1,3", "--seeds", "3", "--eta", "0.1,1,10"]

# What begins a line that a sweep tells of its start and progress, where that is no terminal.
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d "


def environment():
    env = dict(os.environ)
    if os.geteuid() == 0:
        env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        env.setdefault("OMPI_MCA_pml", "ob1")
        env.setdefault("OMPI_MCA_btl", "self,vader")
    return env


def run(command, folder, timeout=60, env=None, **options):
    """A finished process; bytes that are not UTF-8 are shown as escapes."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
               "errors": "backslashreplace", "timeout": timeout, "env": env or environment(), **options}
    return with_log_apart(subprocess.run([os.fspath(word) for word in command], cwd=folder, **options))


def together(function, items):
    """function(*item) of every item, two at a time: most of a small run is waiting."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda item: function(*item), items))


def own_lines(result):
    """The program's errors on standard error, without the launcher's lines. Open MPI 5 may put a zero before them."""
    return [line for line in result.stderr.replace("\0", "").splitlines() if line.startswith("etastar:")]


def with_log_apart(result):
    """The process with the lines of start and progress taken out of its standard error: they are `log`."""
    lines = (result.stderr or "").splitlines(keepends=True)
    result.log = [line.rstrip("\n") for line in lines if re.match(STAMP, line.replace("\0", ""))]
    if result.log:
        result.stderr = "".join(line for line in lines if not re.match(STAMP, line.replace("\0", "")))
    return result


class Case(unittest.TestCase):
    """A test with a folder of its own, in which the program runs."""

    maxDiff = 2000

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="etastar-test-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    @classmethod
    def shared_sweep(cls, *words, name="sweep.h5"):
        """A sweep file for every test of the class; tests change copies only."""
        folder = Path(tempfile.mkdtemp(prefix="etastar-test-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        result = run([BINARY, "sweep", "--output", name, *words], folder)
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        return folder / name

    def copy(self, path, name="copy.h5"):
        return Path(shutil.copy(path, self.dir / name))

    def etastar(self, *words, ranks=0, **options):
        launcher = [*LAUNCHER, "-n", str(ranks)] if ranks else []
        return run([*launcher, BINARY, *words], self.dir, **options)

    def start(self, *words, ranks=0, env=None):
        """The program in the background; what is left of it ends with the test."""
        launcher = [*LAUNCHER, "-n", str(ranks)] if ranks else []
        running = Running([*launcher, BINARY, *words], self.dir, env)
        self.addCleanup(running.slay)
        return running

    def succeed(self, *words, **options):
        result = self.etastar(*words, **options)
        self.assertEqual(result.returncode, 0, f"{words}: {result.stderr}{result.stdout}")
        self.assertEqual(own_lines(result), [], words)
        return result.stdout

    def refuse(self, code, *words, says=(), **options):
        """The run ends with this code, one line on standard error and nothing on standard output."""
        result = self.etastar(*words, **options)
        self.assert_refused(result, code, says, words)
        return result

    def assert_refused(self, result, code, says=(), context=""):
        self.assertEqual(result.returncode, code, f"{context}: {result.stderr}{result.stdout}")
        self.assert_one_line(result, says, context)
        self.assertEqual(result.stdout, "", context)

    def assert_one_line(self, result, says, context=""):
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, f"{context}: {result.stderr!r}")
        self.assertRegex(lines[0], "^etastar: .", context)
        for word in says:
            self.assertIn(word, lines[0], context)

    def assert_stopped(self, result, says, codes=(4,)):
        """The sweep was stopped. True if in order; a busy machine may not leave it the time, and then it says so."""
        self.assertIn(result.returncode, codes, result.stderr)
        if own_lines(result) in OUT_OF_TIME:
            self.assertEqual(result.stdout, "")
            return False
        self.assertEqual(own_lines(result), [])
        self.assertIn(says, result.stdout)
        return True

    def sweep(self, *words, name="sweep.h5", **options):
        path = self.dir / name
        self.succeed("sweep", "--output", name, *words, **options)
        return path

    def fit(self, path, *words):
        return json.loads(self.succeed("fit", path, "--json", "-", *words))

    def names(self):
        return sorted(os.listdir(self.dir))


def trials(path):
    with h5py.File(path, "r") as file:
        return file["trials"][:]


def raw_rows(path):
    """The bytes of every row of /trials as they stand in the file."""
    with h5py.File(path, "r") as file:
        start, count = file["trials"].id.get_offset(), len(file["trials"])
    data = Path(path).read_bytes()[start:start + count * ROW_BYTES]
    return [data[i:i + ROW_BYTES] for i in range(0, len(data), ROW_BYTES)]


def attributes(path):
    with h5py.File(path, "r") as file:
        return dict(file.attrs)


class Running:
    """The program in the background, alone or under the launcher, and its ranks."""

    def __init__(self, command, folder, env=None):
        self.mark = uuid.uuid4().hex
        self.output = tempfile.TemporaryFile("w+", errors="backslashreplace")
        self.errors = tempfile.TemporaryFile("w+", errors="backslashreplace")
        self.process = subprocess.Popen([os.fspath(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.errors, start_new_session=True,
                                        env={**environment(), "ETASTAR_TEST_RUN": self.mark, **(env or {})})

    def processes(self):
        """PID -> rank, or None for the launcher's own, of all that this run started and that has not ended."""
        found = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                variables = dict(word.split("=", 1) for word in read_text(f"/proc/{name}/environ").split("\0") if "=" in word)
                if (variables.get("ETASTAR_TEST_RUN") != self.mark
                        or read_text(f"/proc/{name}/stat").rsplit(")", 1)[1].split()[0] == "Z"):
                    continue
                ours = os.readlink(f"/proc/{name}/exe") == os.fspath(BINARY)
            except OSError:
                continue
            rank = next((variables[key] for key in ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK") if key in variables), "0")
            found[int(name)] = int(rank) if ours else None
        return found

    def signal(self, number, target="launcher"):
        """To the launcher (alone: the program itself) or to a rank; False if that is not, or no longer, there."""
        pids = [self.process.pid] if target == "launcher" else [p for p, rank in self.processes().items() if rank == target]
        if self.process.poll() is not None and target == "launcher" or not pids:
            return False
        try:
            os.kill(pids[0], number)
        except ProcessLookupError:
            return False
        return True

    def result(self, timeout=120):
        """Like that of run(), when it has ended."""
        code = self.process.wait(timeout)
        self.output.seek(0)
        self.errors.seek(0)
        return with_log_apart(subprocess.CompletedProcess(self.process.args, code, self.output.read(), self.errors.read()))

    def slay(self):
        while self.processes():
            for pid in self.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.poll()
            time.sleep(0.01)
        self.process.wait()
        self.output.close()
        self.errors.close()


def read_text(path):
    return Path(path).read_text(errors="backslashreplace")


def wait_for(condition, what, timeout=120):
    """The first true value of condition()."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} seconds in vain: {what}")
        time.sleep(0.01)
    return value


def profile(path):
    """The bytes of /profile/response."""
    with h5py.File(path, "r") as file:
        return file["profile/response"][:].tobytes()


def is_finished(row):
    return (row[STATUS_BYTE] in (DONE, NONFINITE)
            and zlib.crc32(row[:CHECK_BYTE]) == int.from_bytes(row[CHECK_BYTE:], "little"))


def finished(path):
    """Which rows of /trials are final, by index; none where there is no file yet."""
    try:
        return {i for i, row in enumerate(raw_rows(path)) if is_finished(row)}
    except FileNotFoundError:
        return set()


def flip_byte(path, row, byte):
    """Damages one byte of one row of /trials."""
    with h5py.File(path, "r") as file:
        position = file["trials"].id.get_offset() + row * ROW_BYTES + byte
    with open(path, "r+b") as file:
        file.seek(position)
        old = file.read(1)[0]
        file.seek(position)
        file.write(bytes([old ^ 0x10]))


def exact_responses(n, depth, input_dim=64, train="all", rates="mup"):
    """E G_l for l = 1..depth and E Theta^2: the recursion of second moments of the masked matrix B^l."""
    first = {"mup": n / input_dim, "global": 1.0}[rates] if train in ("all", "first") else 0.0
    w = 1.0 if train in ("all", "hidden") else 0.0
    readout = {"mup": 1 / n, "global": 1.0}[rates] if train in ("all", "last") else 0.0
    c1, s, half, pairs = input_dim * first, 2 / n, n / 2, n * (n - 1) / 4
    p = half + pairs
    tr_tr, tr_sq, q_tr, quad, q_q = c1**2 * p, c1**2 * half, c1 * (n + n * (n - 1) / 2), c1 * n, 6 * n + n * (n - 1)
    responses = [c1**2 / (2 * n**2)]
    for _ in range(depth - 1):
        ii = s**2 * (tr_tr + 2 * tr_sq) + 2 * s * w * q_tr + w**2 * q_q
        ij = s**2 * tr_tr + 2 * s * w * q_tr + w**2 * q_q
        z_ii = s**2 * (q_tr + 2 * quad) + s * w * q_q
        z_jj = s**2 * q_tr + s * w * q_q
        responses.append((n * ii + n * (n - 1) * s**2 * tr_sq) / (2 * n**3))
        tr_tr, tr_sq = half * ii + pairs * ij, half * ii + pairs * s**2 * tr_sq
        q_tr, quad = half * z_ii + pairs * z_jj, half * z_ii + pairs * s**2 * quad
        q_q = (1.5 * n + pairs) * s**2 * q_q
    # Theta = v^T B v + m q with v ~ N(0, 1/n^2) independent of B and q.
    output = (tr_tr + 2 * tr_sq) / n**4 + 2 * readout * q_tr / n**2 + readout**2 * q_q
    return np.array(responses), output


def exact_response(layer, *arguments):
    """E G of one of the layers last, mean and output."""
    hidden, output = exact_responses(*arguments)
    return {"last": hidden[-1], "mean": hidden.mean(), "output": output}[layer]


STATUS = h5py.enum_dtype({"pending": 0, "done": 1, "nonfinite": 2, "failed": 3}, basetype="u1")
MEASURED = ["target", "output", "output_after", "loss", "loss_after", "dz2_last", "dz2_max", "dz2_mean",
            "response_last", "response_max", "response_mean", "response_output", "z2_last", "z2_max", "z2_mean"]
FIELDS = [("width", "<u4", 0), ("depth", "<u4", 4), ("seed", "<u8", 8), ("eta", "<f8", 16),
          *((name, "<f8", 24 + 8 * i) for i, name in enumerate(MEASURED)), ("status", STATUS, STATUS_BYTE),
          ("check", "<u4", CHECK_BYTE)]
ROW = np.dtype({"names": [f[0] for f in FIELDS], "formats": [f[1] for f in FIELDS], "offsets": [f[2] for f in FIELDS],
                "itemsize": ROW_BYTES})


# The model keys of a spec, those of a bias-free ReLU network and of gradient descent.
RELU = {"activation": "relu", "leak": 0.1, "weight_variance": 2.0, "architecture": "mlp", "branch_power": 0.5, "biases": False,
        "optimizer": "sgd"}


def make_spec(width, depth, eta, seeds, **changes):
    spec = {"trial": "first-step", "width": list(width), "depth": list(depth), "eta": [float(x) for x in eta],
            "eta_unit": "absolute", "seeds": seeds, "first_seed": 0, "engine": "dense", "precision": "single", "input_dim": 64,
            **RELU, "train": "all", "rates": "mup", "profile": False}
    return {**spec, **changes}


def make_rows(spec):
    """The rows of a spec in canonical order, all done, with every measurement 0."""
    grid = [(n, depth, seed, eta) for n in spec["width"] for depth in spec["depth"]
            for seed in range(spec["first_seed"], spec["first_seed"] + spec["seeds"]) for eta in spec["eta"]]
    rows = np.zeros(len(grid), ROW)
    for name, column in zip(("width", "depth", "seed", "eta"), zip(*grid)):
        rows[name] = column
    rows["status"] = DONE
    return rows


def seal(rows):
    """Gives every row its checksum."""
    bytes_of = rows.view(np.uint8).reshape(len(rows), ROW_BYTES)
    rows["check"] = [zlib.crc32(row[:CHECK_BYTE].tobytes()) for row in bytes_of]


def write_file(path, spec, rows, filetype="etastar-sweep", version=(2, 2), sealed=True, units=1.0):
    """A sweep file of given rows, written without the program; units: of the rates, of each width and depth."""
    if sealed:
        seal(rows)
    units = np.broadcast_to(units, (len(spec["width"]), len(spec["depth"])))
    text = json.dumps(spec, separators=(",", ":"))
    with h5py.File(path, "w") as file:
        file.attrs["filetype"] = filetype
        file.attrs["format_version"] = np.array(version, "<u4")
        file.attrs["spec"] = text
        file.attrs["spec_hash"] = str(uuid.uuid5(uuid.NAMESPACE_URL, text))
        file.attrs["complete"] = np.uint8(1)
        file.create_group("provenance")
        axes = file.create_group("axes")
        for name, kind in (("width", "<u4"), ("depth", "<u4"), ("eta", "<f8")):
            axes[name] = np.array(spec[name], kind)
        axes["eta"].attrs["unit"] = spec["eta_unit"]
        axes["seed"] = np.arange(spec["first_seed"], spec["first_seed"] + spec["seeds"], dtype="<u8")
        axes["eta_absolute"] = units[..., None] * np.array(spec["eta"], "<f8")
        file["trials"] = rows
