"""adapter.zip: packed the same way each time, and checked member by member when it is opened.

Only numpy is used, so that both environments can look into a safetensors file without loading torch.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError, InputError, MissingError

from .contract import ADAPTER_FILES

MAX_ADAPTER_BYTES = 4 << 30
# what zipfile raises for damaged, unsupported (NotImplementedError) and encrypted (RuntimeError) archives
NOT_A_WHOLE_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_EPOCH = (1980, 1, 1, 0, 0, 0)
# dtype -> (bytes per value, unsigned view of the same width, mask of the exponent)
_FLOATS = {"F32": (4, "<u4", 0x7F800000), "F16": (2, "<u2", 0x7C00), "BF16": (2, "<u2", 0x7F80)}


def pack_adapter(folder: Path, target: Path) -> Path:
    """Zip the adapter's three files; equal files give an equal archive, byte for byte."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ADAPTER_FILES:
            if not (folder / name).is_file():
                raise MissingError("the adapter is not complete", where=name)
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, (folder / name).read_bytes())
    return target


def open_adapter(path: Path) -> dict[str, bytes]:
    """The three files of an adapter.zip; `GateError` for anything else in it, or for wrong sizes."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if sorted(names) != sorted(ADAPTER_FILES):
                raise GateError(
                    f"holds {sorted(names)[:6]}, expected {sorted(ADAPTER_FILES)}", where=path.name
                )
            if sum(member.file_size for member in members) > MAX_ADAPTER_BYTES:
                raise GateError("is larger than any adapter", where=path.name)
            return {member.filename: _read_member(archive, member) for member in members}
    except GateError:
        raise
    except NOT_A_WHOLE_ZIP as error:
        raise GateError(f"not a whole zip file: {error}", where=path.name) from None


def tensor_table(data: bytes) -> dict[str, dict[str, Any]]:
    """`{name: {dtype, shape, data_offsets}}` of a safetensors file; `InputError` when its frame is broken."""
    if len(data) < 8:
        raise InputError("not a safetensors file", where="adapter_model.safetensors")
    size = int.from_bytes(data[:8], "little")
    try:
        if not 2 <= size <= len(data) - 8:
            raise ValueError("header length")
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        end = 0
        for entry in sorted(header.values(), key=lambda e: e["data_offsets"]):
            count = math.prod(entry["shape"])
            width = _FLOATS.get(entry["dtype"], (0,))[0]
            start, stop = entry["data_offsets"]
            if start != end or (width and stop - start != count * width):
                raise ValueError("offsets")
            end = stop
        if end != len(data) - 8 - size or not header:
            raise ValueError("length")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"broken safetensors file ({error})", where="adapter_model.safetensors") from None
    return header


def non_finite_tensors(data: bytes) -> list[str]:
    """Names of the tensors that hold NaN or infinity, or whose type is not a float, as a LoRA's are."""
    import numpy as np

    header, bad = tensor_table(data), []
    body = memoryview(data)[8 + int.from_bytes(data[:8], "little") :]
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        if entry["dtype"] not in _FLOATS:
            bad.append(name)
            continue
        _, view, exponent = _FLOATS[entry["dtype"]]
        bits = np.frombuffer(body[start:stop], dtype=view)
        if bool(((bits & exponent) == exponent).any()):
            bad.append(name)
    return bad


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    out = io.BytesIO()
    with archive.open(member) as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            out.write(chunk)
            if out.tell() > member.file_size:
                raise GateError("unpacks to more than it says", where=member.filename)
    return out.getvalue()
