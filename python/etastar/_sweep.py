"""The file of a sweep, docs/format.md, as arrays, a pandas DataFrame or an xarray Dataset."""
from __future__ import annotations

import json
import os
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.lib import recfunctions

from . import _seal

if TYPE_CHECKING:
    import pandas
    import xarray

FILE_TYPE = "etastar-sweep"
MAJOR, MINOR, OLDEST_MINOR = 2, 2, 1
STATUSES = ("pending", "done", "nonfinite", "failed", "skipped")
PENDING, DONE, NONFINITE, FAILED, SKIPPED = range(5)

TARGET_KEYS = {"target_ci", "target_criterion", "target_threshold"}
COMMON_KEYS = TARGET_KEYS | {
    "trial", "width", "depth", "eta", "eta_unit", "seeds", "first_seed", "engine", "precision", "input_dim", "activation", "leak",
    "weight_variance", "architecture", "branch_power", "biases", "optimizer", "train", "rates"}
# Of each kind of trial: the keys that its spec may have.
KEYS = {"first-step": COMMON_KEYS | {"profile"},
        "training": COMMON_KEYS | {"steps", "samples", "data", "online", "batch", "momentum"}}

# A row that is read while it is written looks torn; a moment later it is whole.
LOOKS, SECONDS_BETWEEN_LOOKS = 3, 0.002
BYTES_AT_ONCE = 1 << 25


def _bytes(rows: np.ndarray) -> np.ndarray:
    """Of each row its bytes, those between the fields included: a view."""
    return rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)


class FormatError(ValueError):
    """The file is none of a sweep, damaged, or says what this package does not know. The message begins with its name."""


@dataclass(frozen=True)
class Table:
    """Numbers beside the rows: /group/name, one row per network or, where per_rate, per row of /trials."""
    group: str
    name: str
    per_rate: bool
    columns: int
    column: str      # what the columns are
    first: int       # number of the first


def open(path: str | os.PathLike[str]) -> Sweep:
    """The sweep in this file, which may be running.

    Raises OSError where the file cannot be opened, FormatError where it is not to be understood.
    """
    return Sweep(path)


class Sweep:
    """A sweep's file. No file stays open: every method reads what stands there now, so that of a running sweep later calls
    see more. A row whose checksum does not match, or that is not the one of its place, was torn or is damaged, and counts as
    pending.

    spec: what the sweep computes, with its defaults.
    width, depth, seed, eta: the axes; eta as given, in units of spec["eta_unit"].
    eta_absolute: the rates, width x depth x eta.
    columns: what each column of a row is; empty texts in files of format 2.1.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fsdecode(path)
        # A pipe would wait for its other end.
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise self._error("is not a regular file")
        if (damage := _seal.damage(self.path)) is not None:
            raise self._error(f"is damaged: {damage}")
        try:
            with self._file() as file:
                self._read_head(file)
                self._read_axes(file)
                self._read_columns(file)
        except (FileNotFoundError, PermissionError):
            raise
        except (AttributeError, KeyError, OSError, RuntimeError, TypeError) as error:  # HDF5's, of a file without a seal
            raise self._error(f"is damaged: {error}") from error

    # No file stays open: for those who write `with etastar.open(path) as sweep`.
    def __enter__(self) -> Sweep:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __repr__(self) -> str:
        sizes = " x ".join(f"{len(axis)} {name}" for name, axis in
                           (("width", self.width), ("depth", self.depth), ("seed", self.seed), ("eta", self.eta)))
        return f"<etastar.Sweep {self.path!r}: {self.kind}, {sizes}>"

    @property
    def kind(self) -> str:
        """The kind of trial: "first-step" or "training"."""
        return self.spec["trial"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the grid: width, depth, seed, eta, in the order of the rows, of which the last runs fastest."""
        return len(self.width), len(self.depth), len(self.seed), len(self.eta)

    @property
    def complete(self) -> bool:
        """Every trial has run, failed or was not needed, and no row is damaged: what `etastar status` says."""
        with self._same_file() as file:
            said = bool(self._attribute(file, "complete"))
        return said and not any(self.counts()[name] for name in ("pending", "damaged"))

    @property
    def provenance(self) -> dict[str, Any]:
        """Where and with what the sweep was begun."""
        with self._same_file() as file:
            return {name: value.item() if isinstance(value, np.generic) else value for name, value in file["provenance"].attrs.items()}

    def counts(self) -> dict[str, int]:
        """Rows by status, and of those that would be pending the damaged ones by themselves: they add up to all rows."""
        rows, damaged, _ = self._read()
        counts = dict(zip(STATUSES, np.bincount(rows["status"], minlength=len(STATUSES)).tolist()))
        counts["pending"] -= damaged
        return {**counts, "damaged": damaged}

    def rows(self) -> np.ndarray:
        """Every row, in the file's order: width, depth, seed, eta (absolute), what was measured, and status. Where a trial has
        not run (pending, failed, skipped) measurements are NaN; where it has left the range of floating point (nonfinite)
        they may be infinite, and are to be counted as large."""
        rows, _, _ = self._read()
        return recfunctions.repack_fields(rows[[*self.columns]])

    def frame(self, all: bool = False) -> pandas.DataFrame:
        """The rows that have run (done or nonfinite), or all of them, as a tidy DataFrame: the columns of rows(), of which
        status has names, and eta_axis, the rate as given. The index is the row's number in the file."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("etastar: frame() needs pandas (Debian: python3-pandas); rows() does without") from error
        rows = self.rows()
        frame = pandas.DataFrame({name: rows[name] for name in rows.dtype.names})
        frame.insert(4, "eta_axis", np.broadcast_to(self.eta, self.shape).ravel())
        ran = np.isin(rows["status"], (DONE, NONFINITE))
        frame["status"] = pandas.Categorical.from_codes(rows["status"], categories=STATUSES)
        return frame if all else frame[ran]

    def dataset(self, tables: bool = True) -> xarray.Dataset:
        """Everything measured over the dimensions width, depth, seed and eta; with `tables` also, where the file has them,
        every layer's response (dimension layer) or every step's loss (dimension step). The coordinate eta is as given,
        eta_absolute is absolute. Values are as in rows(); status says what became of each trial."""
        try:
            import xarray
        except ImportError as error:
            raise ImportError("etastar: dataset() needs xarray (Debian: python3-xarray); rows() does without") from error
        rows, _, found = self._read(tables)
        grid = ("width", "depth", "seed", "eta")
        rows = rows.reshape(self.shape)
        units = {"units": "1"}
        variables = {name: (grid, np.ascontiguousarray(rows[name]), {**({"long_name": meaning} if meaning else {}), **units})
                     for name, meaning in self.columns.items() if name not in grid}
        status = variables["status"][2]
        status.update(flag_values=np.arange(len(STATUSES), dtype=np.uint8), flag_meanings=" ".join(STATUSES))
        del status["units"]
        coordinates = {name: (name, getattr(self, name), {**self._notes[f"axes/{name}"], **units}) for name in grid}
        coordinates["eta_absolute"] = (("width", "depth", "eta"), self.eta_absolute, {**self._notes["axes/eta_absolute"], **units})
        for table, values in found:
            path = f"{table.group}/{table.column}"
            coordinates[table.column] = (table.column, np.arange(table.first, table.first + table.columns, dtype=np.uint32),
                                         {**self._notes[path], **units})
            of = grid if table.per_rate else grid[:3]
            variables[table.name] = ((*of, table.column), values.reshape(*self.shape[:len(of)], -1),
                                     {**self._notes[f"{table.group}/{table.name}"], **units})
        with self._same_file() as file:
            about = {name: file.attrs[name] for name in ("spec", "spec_hash")}
            about.update(complete=int(self._attribute(file, "complete")), source=f"etastar {file['provenance'].attrs.get('version', '')}")
        return xarray.Dataset(variables, coordinates, about)

    # --- the file

    def _error(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: {what}")

    def _file(self) -> h5py.File:
        """Without HDF5's lock: on some file systems it fails, and the sweep itself holds none."""
        try:
            try:
                return h5py.File(self.path, "r", locking=False)
            except (TypeError, ValueError):  # an h5py or HDF5 that cannot be told
                return h5py.File(self.path, "r")
        except (FileNotFoundError, PermissionError):
            raise
        except OSError as error:
            raise self._error(f"is not a readable HDF5 file ({error})") from error

    def _same_file(self) -> h5py.File:
        """The file, if the sweep in it is still the one that was opened."""
        file = self._file()
        if file.attrs.get("spec_hash") != self._hash:
            file.close()
            raise self._error("was replaced by another sweep; open it again")
        return file

    def _attribute(self, owner: h5py.HLObject, name: str) -> Any:
        try:
            return owner.attrs[name]
        except (KeyError, OSError, TypeError) as error:
            raise self._error(f"is damaged: attribute {name} is missing or cannot be read") from error

    def _text(self, owner: h5py.HLObject, name: str) -> str:
        text = self._attribute(owner, name)
        if not isinstance(text, str):
            raise self._error(f"is damaged: attribute {name} is not a string")
        return text

    def _read_head(self, file: h5py.File) -> None:
        filetype = self._attribute(file, "filetype") if "filetype" in file.attrs else None
        if not isinstance(filetype, str) or filetype != FILE_TYPE:
            raise self._error(f"is an HDF5 file, but not of type {FILE_TYPE}")
        version = np.asarray(self._attribute(file, "format_version"))
        if version.shape != (2,) or version.dtype.kind not in "iu":
            raise self._error("is damaged: attribute format_version has the wrong shape")
        major, minor = version.tolist()
        if major != MAJOR or minor < OLDEST_MINOR:
            raise self._error(f"has format {major}.{minor}, this package reads {MAJOR}.{OLDEST_MINOR} and later {MAJOR}.x: "
                              + ("a newer version wrote it" if major > MAJOR else "run the sweep again"))
        text = self._text(file, "spec")
        self._hash = self._text(file, "spec_hash")
        if self._hash != str(uuid.uuid5(uuid.NAMESPACE_URL, text)):
            raise self._error("is damaged: spec and spec_hash disagree")
        try:
            self.spec: dict[str, Any] = json.loads(text)
            kind = self.spec["trial"]
        except (ValueError, TypeError, KeyError) as error:
            raise self._error("cannot be read: its spec is no JSON of a sweep") from error
        if kind not in KEYS:
            raise self._error(f"cannot be read: trial: {kind!r} is not one of {', '.join(KEYS)}")
        # A spec that says more than the package knows is of another sweep.
        if minor > MINOR and (unknown := sorted(set(self.spec) - KEYS[kind])):
            raise self._error(f"cannot be read: its format {major}.{minor} is newer than this package's {MAJOR}.{MINOR}, and spec: "
                              f"{unknown[0]!r} is not known")

    def _numbers(self, file: h5py.File, name: str, kind: str, shape: tuple[int, ...]) -> h5py.Dataset:
        data = file.get(name)
        if not isinstance(data, h5py.Dataset):
            raise self._error(f"is damaged: it has no {name}")
        if data.shape != shape:
            raise self._error(f"is damaged: its {name} have the shape {list(data.shape or ())} where its spec has {list(shape)}")
        if data.dtype != np.dtype(kind):
            raise self._error(f"is damaged: its {name} have another type")
        return data

    def _read_axes(self, file: h5py.File) -> None:
        try:
            sizes = [len(self.spec["width"]), len(self.spec["depth"]), int(self.spec["seeds"]), len(self.spec["eta"])]
        except (KeyError, TypeError, ValueError) as error:
            raise self._error("cannot be read: its spec has no grid") from error
        self._notes: dict[str, dict[str, str]] = {}

        def axis(name: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
            data = self._numbers(file, f"axes/{name}", kind, shape)
            self._note(data)
            return data[...]

        self.width = axis("width", "<u4", (sizes[0],))
        self.depth = axis("depth", "<u4", (sizes[1],))
        self.seed = axis("seed", "<u8", (sizes[2],))
        self.eta = axis("eta", "<f8", (sizes[3],))
        self.eta_absolute = axis("eta_absolute", "<f8", (sizes[0], sizes[1], sizes[3]))

    def _note(self, data: h5py.Dataset) -> None:
        """Keeps what the file says a dataset is."""
        self._notes[data.name[1:]] = {name: value for name in ("long_name", "unit", "unit_theory")
                                      if isinstance(value := data.attrs.get(name), str)}

    def _read_columns(self, file: h5py.File) -> None:
        trials = file.get("trials")
        names = trials.dtype.names if isinstance(trials, h5py.Dataset) else None
        if not names or trials.shape != (np.prod(self.shape),):
            raise self._error("is damaged: its trials are not those of its spec")
        if names[:4] != ("width", "depth", "seed", "eta") or names[-2:] != ("status", "check"):
            raise self._error(f"is damaged: its trials have other fields than those of {self.kind}")
        fields = trials.dtype.fields
        # Without h5py's names of the statuses, which no other library expects.
        self._row = np.dtype({"names": names, "formats": [np.dtype(fields[name][0].str) for name in names],
                              "offsets": [fields[name][1] for name in names], "itemsize": trials.dtype.itemsize})
        self.columns: dict[str, str] = {name: trials.attrs.get(name, "") for name in names[:-1]}
        self._tables: list[Table] = []
        if self.kind == "training":
            self._tables.append(Table("steps", "loss", True, int(self.spec["steps"]) + 1, "step", 0))
        elif self.spec.get("profile"):
            self._tables.append(Table("profile", "response", False, int(max(self.depth)), "layer", 1))
        for table in self._tables:
            self._note(self._table(file, table))
            self._notes[f"{table.group}/{table.column}"] = {}
            if isinstance(file.get(f"{table.group}/{table.column}"), h5py.Dataset):
                self._note(file[f"{table.group}/{table.column}"])

    def _table(self, file: h5py.File, table: Table) -> h5py.Dataset:
        rows = int(np.prod(self.shape[:4 if table.per_rate else 3]))
        self._numbers(file, f"{table.group}/check", "<u4", (rows,))
        return self._numbers(file, f"{table.group}/{table.name}", "<f8", (rows, table.columns))

    # --- rows and tables, checked

    def _read(self, tables: bool = False) -> tuple[np.ndarray, int, list[tuple[Table, np.ndarray]]]:
        """All rows, those that are damaged made pending, how many these are, and the tables where asked for. The losses of
        training are read in any case: a row without them is damaged."""
        rows = self._read_rows()
        sound = self._sound(rows)
        for _ in range(LOOKS - 1):
            if sound.all():
                break
            time.sleep(SECONDS_BETWEEN_LOOKS)
            torn = np.flatnonzero(~sound)
            part = slice(torn[0], torn[-1] + 1)
            again = self._read_rows(part)
            # As bytes: the checksum is over those between the fields, too.
            _bytes(rows)[torn] = _bytes(again)[torn - part.start]
            sound[part] = self._sound(rows[part], part)
        found = []
        # Rows before tables: a sweep that runs writes them in the other order.
        with self._same_file() as file:
            for table in self._tables:
                if table.per_rate or tables:
                    values, intact = self._read_table(file, table, rows, sound, tables)
                    sound &= intact
                    if tables:
                        found.append((table, values))
        self._make_pending(rows, ~sound)
        return rows, int((~sound).sum()), found

    def _read_rows(self, part: slice = slice(None)) -> np.ndarray:
        with self._same_file() as file:
            return file["trials"][part].view(self._row)

    def _sound(self, rows: np.ndarray, part: slice = slice(None)) -> np.ndarray:
        """Which of the rows, those of this part, are whole and those of their places."""
        size, end = rows.dtype.itemsize, rows.dtype.fields["check"][1]
        data, crc32 = memoryview(rows.view(np.uint8)), zlib.crc32  # a third of a second per million rows; NumPy's gathers take longer
        checks = np.fromiter((crc32(data[at:at + end]) for at in range(0, len(data), size)), np.uint32, len(rows))
        sound = (checks == rows["check"]) & (rows["status"] < len(STATUSES))
        for name, expected in self._coordinates().items():
            sound &= rows[name] == expected.ravel()[part]
        return sound

    def _coordinates(self) -> dict[str, np.ndarray]:
        """Of every row, as the axes say."""
        width, depth, seed, _ = np.ix_(self.width, self.depth, self.seed, self.eta)
        grid = {"width": width, "depth": depth, "seed": seed, "eta": self.eta_absolute[:, :, None, :]}
        return {name: np.broadcast_to(values, self.shape) for name, values in grid.items()}

    def _make_pending(self, rows: np.ndarray, which: np.ndarray) -> None:
        for name, expected in self._coordinates().items():
            rows[name][which] = expected.ravel()[which]
        for name in (*self.columns, "check")[4:]:
            rows[name][which] = np.nan if rows.dtype[name].kind == "f" else 0

    def _read_table(self, file: h5py.File, table: Table, rows: np.ndarray, sound: np.ndarray,
                    keep: bool) -> tuple[np.ndarray | None, np.ndarray]:
        """The table, its damaged rows NaN, if it is to be kept; and which rows of /trials it contradicts: those of networks
        that have run of which it is damaged, or of another run."""
        data, checks = self._table(file, table), file[f"{table.group}/check"]
        rates = len(self.eta)
        of_network = rates if table.per_rate else 1
        by_network, intact = rows.reshape(-1, rates), np.ones(len(rows), bool)
        ran = (np.isin(by_network["status"], (DONE, NONFINITE)) & sound.reshape(-1, rates)).all(axis=1)
        kept = np.empty(data.shape) if keep else None
        step = max(BYTES_AT_ONCE // (8 * table.columns * of_network), 1)
        for first in range(0, len(by_network), step):
            last = min(first + step, len(by_network))
            part = slice(first * of_network, last * of_network)
            values = data[part]
            whole = np.fromiter(map(zlib.crc32, values), np.uint32, len(values)) == checks[part]
            values[~whole] = np.nan
            good = np.repeat(whole, rates // of_network).reshape(-1, rates)
            # Of another run, which cannot be told: the first rate stands for all.
            other = whole.reshape(-1, of_network).all(axis=1) & ~self._consistent(table, by_network[first:last], values)
            good[other, 0] = False
            if not table.per_rate:
                good[:, 1:] = True
            intact[first * rates:last * rates] = (good | ~ran[first:last, None]).ravel()
            if keep:
                kept[part] = values
        return kept, intact

    @staticmethod
    def _consistent(table: Table, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which networks' rows and whole tables are of one run."""
        def equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return (a == b) | (np.isnan(a) & np.isnan(b))

        if not table.per_rate:
            last = np.take_along_axis(values, rows["depth"][:, :1].astype(np.intp) - 1, axis=1)[:, 0]
            return equal(last, rows["response_last"][:, 0])
        flat = rows.ravel()
        end = np.minimum(flat["steps_done"], table.columns - 1).astype(np.intp)
        step = np.arange(table.columns)
        ran = step <= end[:, None]
        good = ((flat["steps_done"] < table.columns) & equal(values[:, 0], flat["loss_initial"])
                & equal(np.take_along_axis(values, end[:, None], axis=1)[:, 0], flat["loss_final"])
                & (np.where(ran, values, np.inf).min(axis=1) == flat["loss_min"]) & (np.isnan(values) | ran).all(axis=1))
        return good.reshape(rows.shape).all(axis=1)
