"""Arrays of .npy and .npz files, read by `numpy.load`; nothing is unpickled.

An .npy file is mapped into memory: its pages are read where they are needed. An array of an .npz file, compressed or
not, is read as a whole and costs its full size. Before anything is read, the size that a header states is compared with
the bytes in an .npy, and with the uncompressed size that the archive declares for an array of an .npz.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...errors import PolarMonitorError


class ArrayFile:
    """File of arrays; `names` are its keys, "" for the only array of an .npy. Use it as a context.

    Raises PolarMonitorError for a file that is neither, and for one that is cut or damaged: NumPy and zipfile raise
    almost any exception for damaged bytes, so all are caught.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive: zipfile.ZipFile | None = None
        with self._reading():
            with path.open("rb") as file:
                magic = file.read(len(npy.MAGIC_PREFIX))
            if magic.startswith(b"PK"):
                self._archive = zipfile.ZipFile(path)
        if self._archive is None and magic != npy.MAGIC_PREFIX:
            got = "neither" if magic else "an empty file"
            raise PolarMonitorError(f"{path}: expected an .npz or .npy file, got {got}: write it with numpy.savez")

    @property
    def names(self) -> tuple[str, ...]:
        """Keys, in the order of the file."""
        if self._archive is None:
            return ("",)
        return tuple(name.removesuffix(".npy") for name in self._archive.namelist() if name.endswith(".npy"))

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the type that an array has by its header."""
        return self._header(name)[:2]

    def array(self, name: str) -> NDArray[Any]:
        """Return an array of real numbers, from an .npy as a memory map. Raises PolarMonitorError for anything else."""
        shape, dtype, size = self._header(name)
        where = self._place(name)
        if dtype.hasobject:
            raise PolarMonitorError(f"{where}: expected numbers, got objects, which are not unpickled")
        if dtype.kind not in "fiub" or dtype.itemsize > 8:
            raise PolarMonitorError(f"{where}: expected real numbers of at most 64 bits, got {dtype}")
        if not shape or min(shape) < 1:
            raise PolarMonitorError(f"{where}: expected shape (n, D) with n and D above 0, got {shape}")
        expected = math.prod(shape) * dtype.itemsize
        if size != expected:
            raise PolarMonitorError(f"{where}: expected {expected} bytes for shape {shape}, got {size}: is it cut?")
        with self._reading(name):
            return np.asarray(self._load(name, shape))

    def _load(self, name: str, shape: tuple[int, ...]) -> Any:
        if self._archive is None:
            return np.load(self.path, mmap_mode="r", allow_pickle=False)
        try:
            with self._archive.open(f"{name}.npy") as part:
                return np.load(part, allow_pickle=False)
        except MemoryError:
            raise MemoryError(
                f"an array of shape {shape} does not fit in memory: save .npy files and pass them to "
                'polar_monitor.classify with numpy.load(..., mmap_mode="r")'
            ) from None

    def _header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        """Return the shape and the type of an array, and how many bytes follow the header."""
        with self._reading(name), self._opened(name) as (file, size):
            old = npy.read_magic(file) == (1, 0)
            shape, _, dtype = npy.read_array_header_1_0(file) if old else npy.read_array_header_2_0(file)
            return shape, dtype, size - file.tell()

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        """Open an array's bytes, header included, with their number."""
        if self._archive is None:
            with self.path.open("rb") as file:
                yield file, self.path.stat().st_size
        else:
            member = self._archive.getinfo(f"{name}.npy")
            with self._archive.open(member) as part:
                yield part, member.file_size

    @contextmanager
    def _reading(self, name: str = "") -> Iterator[None]:
        """Turn any exception into one clear error, and ignore warnings about headers that Python 2 wrote."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception as failure:
            reason = str(failure.strerror if isinstance(failure, OSError) and failure.strerror else failure)
            reason = reason.splitlines()[0][:200] if reason else "it is cut"
            raise PolarMonitorError(f"{self._place(name)}: cannot be read: {reason}") from None

    def _place(self, name: str) -> str:
        return f"{self.path} {name!r}" if name else str(self.path)

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()
