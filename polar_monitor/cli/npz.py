"""Arrays in .npy and .npz files, read a piece at a time: files of any size in bounded memory, and nothing unpickled.

A member of an .npz is read through the archive, compressed or not, so that it is never unpacked whole. What a header
claims is held against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import PolarMonitorError

BYTES = 2**24
"""Most that is read at once, but one row at least."""
ROW_BYTES = 2**26
"""Most bytes of one row."""
HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # the same but for the letters in names of fields, which plain numbers lack
}


class Stored:
    """One file of arrays; `names` are its keys, "" for the only array of an .npy.

    Use as a context. Raises PolarMonitorError for a file that is neither, cut, or made to harm: the parsers of NumPy
    and zipfile raise almost anything at forged bytes, so all of it is caught.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open = ExitStack()
        self._archive: zipfile.ZipFile | None = None
        try:
            with path.open("rb") as file:
                magic = file.read(6)
            if magic.startswith(b"PK"):
                self._archive = self._open.enter_context(zipfile.ZipFile(path))
        except Exception as failure:
            raise self._unreadable(failure) from None
        if self._archive is None and magic != npy.MAGIC_PREFIX:
            said = "an empty file" if not magic else "neither"
            raise PolarMonitorError(f"{path}: expected an .npz or .npy file, got {said}: write it with numpy.savez")

    @property
    def names(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        if self._archive is None:
            return ("",)
        return tuple(name.removesuffix(".npy") for name in self._archive.namelist() if name.endswith(".npy"))

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """The shape and the type that an array claims to have. Raises PolarMonitorError for a header that is broken."""
        file, _, shape, _, dtype = self._opened(name)
        file.close()
        return shape, dtype

    def rows(self, name: str) -> tuple[tuple[int, ...], Iterator[NDArray[Any]]]:
        """The shape of an array, and its rows in pieces. Raises PolarMonitorError for what is no array of numbers."""
        file, held, shape, fortran, dtype = self._opened(name)
        where = f"{self.path}{f' {name!r}' if name else ''}"
        if dtype.hasobject:
            raise PolarMonitorError(f"{where}: expected numbers, got objects, which are not unpickled")
        if dtype.kind not in "fiub" or dtype.itemsize > 8:
            raise PolarMonitorError(f"{where}: expected real numbers of at most 64 bits, got {dtype}")
        if not shape or 0 in shape or min(shape) < 0:
            raise PolarMonitorError(f"{where}: expected shape (n, D) with n and D above 0, got {shape}")
        row = math.prod(shape[1:]) * dtype.itemsize
        if row * shape[0] != held:
            raise PolarMonitorError(
                f"{where}: expected {row * shape[0]} bytes for shape {shape}, got {held}: is it cut?"
            )
        if row > ROW_BYTES:
            raise PolarMonitorError(f"{where}: expected rows of at most {ROW_BYTES} bytes, got {row}")
        if fortran and len(shape) > 1:
            if held > 64 * BYTES:
                raise PolarMonitorError(f"{where}: too large to be read in Fortran order: np.save it in C order")
            return shape, iter([self._whole(file, shape, dtype, held, name)])
        return shape, self._pieces(file, shape, dtype, row, name)

    def _pieces(
        self, file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], row: int, name: str
    ) -> Iterator[NDArray[Any]]:
        size = max(1, BYTES // row)
        for start in range(0, shape[0], size):
            count = min(size, shape[0] - start)
            yield np.frombuffer(self._read(file, count * row, name), dtype).reshape(count, *shape[1:])

    def _whole(
        self, file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], size: int, name: str
    ) -> NDArray[Any]:
        return np.frombuffer(self._read(file, size, name), dtype).reshape(shape, order="F")

    def _read(self, file: IO[bytes], size: int, name: str) -> bytes:
        try:
            data = file.read(size)
        except Exception as failure:
            raise self._unreadable(failure, name) from None
        if len(data) < size:
            raise self._unreadable(EOFError("it ends early"), name)
        return data

    def _opened(self, name: str) -> tuple[IO[bytes], int, tuple[int, ...], bool, np.dtype[Any]]:
        """An array's file at its first byte, how many bytes follow, and what the header says: shape, order, type."""
        try:
            file, size = self._member(name)
            read = HEADERS.get(npy.read_magic(file))
            if read is None:
                raise ValueError("a version of the format that is not known")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a header that Python 2 wrote, or that is a program
                shape, fortran, dtype = read(file)
            return file, size - file.tell(), shape, fortran, dtype
        except Exception as failure:
            raise self._unreadable(failure, name) from None

    def _member(self, name: str) -> tuple[IO[bytes], int]:
        if self._archive is None:
            return self._open.enter_context(self.path.open("rb")), self.path.stat().st_size
        info = self._archive.getinfo(f"{name}.npy")
        return self._open.enter_context(self._archive.open(info)), info.file_size

    def _unreadable(self, failure: Exception, name: str = "") -> PolarMonitorError:
        where = f"{self.path}{f' {name!r}' if name else ''}"
        said = str(failure.strerror if isinstance(failure, OSError) and failure.strerror else failure)
        return PolarMonitorError(f"{where}: cannot be read: {said.splitlines()[0][:120] if said else 'it is cut'}")

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
