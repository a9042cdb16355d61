"""Reads the tables of Etastar.

>>> sweep = etastar.open("run.h5")
>>> sweep.frame().groupby(["width", "depth"]).response_last.mean()

`Sweep` says what else there is; docs/format.md what every column is.
"""
from ._sweep import FormatError, Sweep, open
from ._version import __version__

__all__ = ["FormatError", "Sweep", "open", "__version__"]
