"""A Word file as a package: a zip of XML parts, read with limits.

A .docx comes from strangers. Every part is read through `Package.xml`, which refuses DOCTYPE, entities,
network access and sizes past `Limits`; a part is inflated only when somebody asks for it, and never past its
limit, so a zip that lies about its sizes gains nothing.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from ..core.errors import InputError, MissingError
from .xml import MAX_BYTES, SAVE_AS_DOCX, R, W, local, parse_xml, to_bytes

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
# Word's "Strict Open XML" says the same under other names
_STRICT_DRAWING = "http://purl.oclc.org/ooxml/drawingml/"
_USUAL_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/"
_USUAL_MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_STRICT = {
    "http://purl.oclc.org/ooxml/wordprocessingml/main": W,
    "http://purl.oclc.org/ooxml/officeDocument/relationships": R,
    "http://purl.oclc.org/ooxml/officeDocument/math": _USUAL_MATH,
    **{_STRICT_DRAWING + x: _USUAL_DRAWING + x for x in ("main", "picture", "wordprocessingDrawing")},
}


@dataclass(frozen=True)
class Limits:
    """What a file may cost, in bytes and counts."""

    file: int = 200 << 20
    inflated: int = 600 << 20
    xml_part: int = MAX_BYTES
    ratio: int = 400  # of a part over 4 MiB; text compresses 20- to 60-fold, a bomb a thousandfold
    parts: int = 5000
    depth: int = 200


LIMITS = Limits()
CACHED_BYTES = 4 << 20  # a part over this size is inflated again at each use


@dataclass(frozen=True)
class Relation:
    """An arrow from a part to another part, or to somewhere outside the file."""

    id: str
    type: str  # the last part of its URI: "header", "image", …
    target: str  # a part's name, or the URL of an external one
    external: bool


@dataclass
class Package:
    """The parts of one .docx. `names`: in the zip's order; `overrides`, `defaults`: its content types."""

    where: str
    _zip: zipfile.ZipFile
    names: list[str]
    limits: Limits = LIMITS
    overrides: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    main: str = "word/document.xml"
    _cache: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | str, limits: Limits = LIMITS) -> Package:
        """Read a .docx's directory and types. `InputError` says what else the file is, and the remedy."""
        path = Path(path)
        if not path.is_file():
            raise MissingError("no such file", where=str(path), remedy="Check the path")
        size = path.stat().st_size
        if size > limits.file:
            raise InputError(
                f"{size / 2**20:.0f} MiB; at most {limits.file >> 20} MiB are read",
                where=path.name,
                remedy="Compress its pictures (Word: Picture Format, Compress Pictures) and save it again",
            )
        with path.open("rb") as stream:
            _refuse_other_formats(stream.read(8), path)
        try:
            archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise InputError(
                f"a damaged Word file ({error})",
                where=path.name,
                remedy="Copy it again from its source, or let Word repair it and save it",
            ) from None
        package = cls(path.name, archive, [], limits)
        package._read_directory()
        package._read_types()
        return package

    def _read_directory(self) -> None:
        entries = [i for i in self._zip.infolist() if not i.is_dir()]
        if len(entries) > self.limits.parts:
            raise InputError(f"{len(entries)} parts, at most {self.limits.parts} are read", where=self.where)
        seen: set[str] = set()
        total = 0
        for entry in entries:
            name = entry.filename.lstrip("/")
            if name.lower() in seen:
                raise InputError(
                    f"two parts named {name!r}", where=self.where, remedy=SAVE_AS_DOCX + " again"
                )
            seen.add(name.lower())
            if ".." in name.split("/") or "\\" in name:
                raise InputError(f"a part with the unsafe name {name!r}", where=self.where)
            if entry.flag_bits & 1:
                raise InputError(
                    "a zip with a password", where=self.where, remedy="Save it without the password"
                )
            total += entry.file_size
            packed = max(entry.compress_size, 1)
            if entry.file_size > max(4 << 20, self.limits.ratio * packed):
                fold = entry.file_size // packed
                raise InputError(f"{name} inflates {fold}-fold: a zip bomb", where=self.where)
            self.names.append(name)
        if total > self.limits.inflated:
            raise InputError(
                f"inflates to {total >> 20} MiB, at most {self.limits.inflated >> 20} are read",
                where=self.where,
                remedy="Compress its pictures and save it again",
            )

    def _read_types(self) -> None:
        if "mimetype" in self.names and self.part("mimetype").startswith(b"application/vnd.oasis"):
            raise InputError("an OpenDocument file", where=self.where, remedy=SAVE_AS_DOCX)
        if "[Content_Types].xml" not in self.names:
            raise InputError(
                "a zip, but no Word file (no [Content_Types].xml)",
                where=self.where,
                remedy="Give the .docx itself",
            )
        for row in self.xml("[Content_Types].xml"):
            if local(row) == "Override":
                self.overrides[row.get("PartName", "").lstrip("/")] = row.get("ContentType", "")
            elif local(row) == "Default":
                self.defaults[row.get("Extension", "").lower()] = row.get("ContentType", "")
        documents = [rel.target for rel in self.relations("") if rel.type == "officeDocument"]
        if not documents or documents[0] not in self.names:
            raise InputError("no document in it", where=self.where, remedy=SAVE_AS_DOCX + " again")
        self.main = documents[0]
        if "wordprocessingml" not in self.type_of(self.main) and "ms-word" not in self.type_of(self.main):
            raise InputError(
                f"not a Word document but {self.type_of(self.main) or 'of unknown type'}", where=self.where
            )

    def type_of(self, name: str) -> str:
        """A part's content type, its own or its extension's; "" for none."""
        return self.overrides.get(name) or self.defaults.get(name.rpartition(".")[2].lower(), "")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def part(self, name: str, limit: int | None = None) -> bytes:
        """A part's bytes, never more than `limit`, whatever the zip's directory says."""
        if name in self._cache:
            return self._cache[name]
        limit = limit or (self.limits.xml_part if name.endswith((".xml", ".rels")) else self.limits.inflated)
        try:
            info = next(i for i in self._zip.infolist() if i.filename.lstrip("/") == name)
            with self._zip.open(info) as stream:
                data = stream.read(limit + 1)
        except StopIteration:
            raise InputError(f"no part {name}", where=self.where, remedy=SAVE_AS_DOCX + " again") from None
        except _DAMAGE as error:
            raise InputError(
                f"{name} is damaged ({error})", where=self.where, remedy="Copy it again from its source"
            ) from None
        if len(data) > limit:
            raise InputError(f"{name} inflates past {limit >> 20} MiB", where=self.where)
        if name.endswith((".xml", ".rels")) and b"purl.oclc.org/ooxml" in data:
            for strict, usual in _STRICT.items():
                data = data.replace(f'{strict}"'.encode(), f'{usual}"'.encode())
        if len(data) < CACHED_BYTES:
            self._cache[name] = data
        return data

    def xml(self, name: str) -> etree._Element:
        """A part's tree, parsed anew at each call: the caller may change it."""
        return parse_xml(self.part(name), where=f"{self.where}/{name}", max_bytes=self.limits.xml_part)

    def relations(self, name: str) -> list[Relation]:
        """What a part points to; `""` for the package itself. Targets are resolved to part names."""
        folder, base = posixpath.split(name)
        rels = posixpath.join(folder, "_rels", f"{base}.rels")
        if rels not in self.names:
            return []
        found = []
        for row in self.xml(rels):
            if local(row) != "Relationship":
                continue
            target, external = row.get("Target", ""), row.get("TargetMode") == "External"
            if not external and target.startswith("/"):
                target = target.lstrip("/")
            elif not external:
                target = posixpath.normpath(posixpath.join(folder, target))
            kind = row.get("Type", "").rpartition("/")[2]
            found.append(Relation(row.get("Id", ""), kind, target, external))
        return found

    def related(self, kind: str, name: str | None = None) -> str | None:
        """The first part of that relation type under the document, if it is there."""
        for relation in self.relations(self.main if name is None else name):
            if relation.type == kind and not relation.external and relation.target in self.names:
                return relation.target
        return None


def _refuse_other_formats(magic: bytes, path: Path) -> None:
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        data = path.read_bytes()[: 64 << 20]
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise InputError(
                "encrypted with a password",
                where=path.name,
                remedy="Open it in Word with its password, remove it (File, Info, Protect Document) and save",
            )
        raise InputError(
            "an old Word file (.doc, before 2007)",
            where=path.name,
            remedy=SAVE_AS_DOCX + ", or run: soffice --headless --convert-to docx " + path.name,
        )
    for start, kind in (
        (b"{\\rtf", "an RTF file"),
        (b"%PDF", "a PDF"),
        (b"<?xml", "a bare XML file"),
        (b"<html", "a web page"),
    ):
        if magic.lstrip(b"\xef\xbb\xbf").startswith(start):
            raise InputError(kind + ", not a .docx", where=path.name, remedy=SAVE_AS_DOCX)
    if not magic:
        raise InputError("the file is empty", where=path.name, remedy="Copy it again from its source")
    if not magic.startswith(b"PK"):
        raise InputError("not a Word file", where=path.name, remedy="Give a .docx")


def pack(parts: dict[str, bytes]) -> bytes:
    """A zip with fixed times and order: equal parts give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(parts, key=lambda n: (n != "[Content_Types].xml", n != "_rels/.rels", n)):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, parts[name])
    return out.getvalue()
