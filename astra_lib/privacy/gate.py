"""A second pair of eyes: does a finished file still hold personal data?

Shares no code with the detectors, on purpose: a mistake there must not blind the gate. It reads files as a stranger
would (zip in zip, JSON escapes, XML with the tags out, accents folded) and looks for every known name and value, and for
forms of its own. What cannot be read counts as a leak.
"""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..core.errors import GateError, MissingError


class KnownValues(Protocol):
    """What the gate needs of the placeholder map."""

    values: dict[str, str]
    guesses: set[str]


@dataclass(frozen=True)
class Leak:
    """`file` may go into an archive ("a.zip!word/document.xml"); `excerpt` shows the surroundings, the hit itself cut short."""

    file: str
    line: int
    kind: str
    excerpt: str


_MOST_BYTES = 512 * 1024 * 1024
_MOST_MEMBERS = 20_000
_DEPTH = 4
_ROLE = re.compile(
    r"\b(?:concejal(?:a|es|as)?|edil(?:es|esa)?|honorables?|doctora?|dra?|senora?|sra?|don|dona|ingeniera?|ingeniero|secretari[oa]|president[ea])(?: general)?[ .]+$"
)
_THING = re.compile(
    r"\b(?:barrio|calle|carrera|avenida|plaza|plazoleta|parque|colegio|institucion|escuela|hospital|edificio|vereda|via|puente|universidad|teatro|"
    r"coliseo|estadio|biblioteca|sector|urbanizacion|conjunto|sede|casa|centro|rio|quebrada|comuna|corregimiento|municipio|aeropuerto|clinica|"
    r"parroquia|iglesia|cementerio|fundacion|glorieta|monumento|ciudadela|san|santa|liceo|jardin|hogar|salon|cancha|polideportivo)\W+(?:\w+\W+){0,3}?$"
)
_ACTS = re.compile(
    r"(?:contrato|radicado|expediente|proceso|codigo|bpin|cdp|crp|rp|poliza|factura|matricula|ficha|acta|folio|registro|certificado|oficio|proyecto|secop|referencia|consecutivo|\$)\W*(?:\w+\W+){0,3}?$"
)
_DIGIT_WORD = r"(?:cero|un|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve)"
_FORMS = {  # over accent-folded lower case
    "email": re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+|\b[\w.]+ arroba [\w-]+ ?(?:punto|\.) ?\w+"),
    "phone": re.compile(
        r"(?<![\w.,#-])(?:\+?57[ .-]?)?(?:3\d{2}[ .-]?\d{3}[ .-]?\d{2}[ .-]?\d{2}|\(?60[1-8]\)?[ .-]?\d{3}[ .-]?\d{2}[ .-]?\d{2})(?![\w]|[.,-]\d)"
    ),
    "phone spoken": re.compile(rf"\b{_DIGIT_WORD}(?:[ ,]+{_DIGIT_WORD}){{6,}}\b"),
    "id": re.compile(
        r"\b(?:cedulas?|c\. ?c\.|identificad[oa]s?|tarjeta de identidad|pasaporte)(?:[ :.,#º°-]|\b(?:de|ciudadania|extranjeria|con|la|numero|nro|no|n)\b){0,9}\d[\d. ]{4,13}\d"
    ),
    "address": re.compile(
        r"\b(?:cra|carrera|kra|kr|calle|cl|cll|avenida|av|diagonal|transversal|tv)\.? ?\d{1,3} ?[a-h]?(?: bis)?(?: (?:sur|norte))? ?(?:#|no\.?|nº|n°|numero|nro\.?) ?\d{1,3} ?[a-h]? ?(?:-|–| ) ?\d{1,3}\b"
    ),
    "plate": re.compile(r"\bplacas?(?:[ :]|\b(?:de|la|numero|no)\b){1,4}[a-z]{3}[ -]?\d{2,3}[a-z]?\b"),
    "account": re.compile(
        r"\bcuenta (?:de ahorros?|corriente|bancaria|nequi|daviplata)(?:[ :.#]|\b(?:numero|no|nro|de|del|banco|bancolombia|davivienda)\b){0,6}\d[\d -]{5,20}"
    ),
    "ip": re.compile(r"\b(?:ip|servidor|equipo)\b.{0,20}?\b(?:\d{1,3}\.){3}\d{1,3}\b"),
}
_NIT = re.compile(r"(?<![\d.])(\d{3}\.?\d{3}\.?\d{3})-(\d)(?!\d|-)")
_RUN = re.compile(
    r"(?<!\w)\d{8}t\d{9}-[0-9a-f]{8}(?!\w)"
)  # our runs' own ids: one in fifty holds a number that passes the NIT's check
_AUTHOR = re.compile(
    r"""<(?:dc:creator|cp:lastModifiedBy|dc:description|cp:keywords|dc:subject|Manager|Company)\b[^>]*>\s*([^<\s][^<]*)<|\bw:(?:author|initials)=["']([^"']+)["']|<w15:person\b[^>]*w15:author=["']([^"']+)["']"""
)
_HARMLESS = frozenset({"astra", "acta", "python-docx", "a", ""})


@dataclass
class Wanted:
    """What to look for, folded: `names` with their kind, `surnames` that are no ordinary words, `values` by digits."""

    names: dict[str, str] = field(default_factory=dict)
    surnames: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None


def plain(text: str) -> str:
    """Accents out, lower case, one blank between words; line breaks stay."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    return re.sub(r"[^\S\n]+", " ", re.sub("[\u00ad\u200b-\u200f\u2060\ufeff]", "", folded))


def _combinations(name: str) -> Iterator[str]:
    words = [w for w in re.findall(r"\w+", plain(name)) if w not in ("de", "del", "la", "las", "los", "y")]
    if len(words) < 2:
        return
    yield " ".join(words)
    yield " ".join(re.findall(r"\w+", plain(name)))
    split = 2 if len(words) > 3 else 1
    given, surnames = words[:split], words[split:]
    for g in given:
        for s in surnames:
            yield f"{g} {s}"
    for s in zip(surnames, surnames[1:], strict=False):
        yield " ".join(s)
    yield " ".join(surnames + given)
    yield " ".join([surnames[0], *given])


def _ordinary(word: str) -> bool:
    import simplemma

    return simplemma.is_known(word.lower(), lang="es") or simplemma.is_known(plain(word), lang="es")


def wanted(known: KnownValues | None, roster: Iterable[dict[str, Any]]) -> Wanted:
    """Everything that must not appear: the roster's names in all usual forms, and every value behind a placeholder."""
    look = Wanted()
    for row in roster:
        name = str(row["name"])
        for form in _combinations(name):
            look.names[form] = "roster name"
        words = re.findall(r"\w+", name)
        for word in words[2:] if len(words) > 3 else words[1:]:
            if len(word) > 3:
                look.surnames[plain(word)] = "rare" if not _ordinary(word) else "ordinary"
        if party := plain(str(row.get("party") or "")).strip():
            look.parties[party] = look.parties.get(party, 0) + 1
    for placeholder, value in (known.values if known else {}).items():
        kind = placeholder[1:].rsplit("_", 1)[0]
        if known is not None and placeholder in known.guesses:
            continue
        if kind in ("CONCEJAL", "FUNCIONARIO", "CIUDADANO"):
            words = re.findall(r"\w+", plain(value))
            if len(words) > 1:
                look.names.setdefault(" ".join(words), "known name")
        elif kind not in ("PARTIDO", "DIRECCION", "NACIMIENTO", "PLACA"):
            digits = re.sub(r"\D", "", value)
            if len(digits) > 5:
                look.values[digits] = f"known {kind.lower()}"
    if look.names:
        look.pattern = re.compile(
            r"(?<!\w)(?:"
            + "|".join(
                r"[\W_]{1,3}".join(map(re.escape, form.split()))
                for form in sorted(look.names, key=len, reverse=True)
            )
            + r")(?!\w)"
        )
    return look


def _units(data: bytes, name: str, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """`(file, part kind, text)` of everything readable inside; kind "unreadable" with the reason as text."""
    if depth > _DEPTH:
        yield name, "unreadable", "archives nested too deep"
        return
    if data[:4] == b"PK\x03\x04" or zipfile.is_zipfile(io.BytesIO(data)):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = archive.infolist()
                if len(members) > _MOST_MEMBERS or sum(m.file_size for m in members) > _MOST_BYTES:
                    yield name, "unreadable", "archive too large to look through"
                    return
                yield (
                    f"{name}!",
                    "names",
                    "\n".join(m.filename for m in members) + "\n" + archive.comment.decode("latin-1"),
                )
                for member in members:
                    if not member.is_dir():
                        yield from _units(archive.read(member), f"{name}!{member.filename}", depth + 1)
        except (
            zipfile.BadZipFile,
            RuntimeError,
            NotImplementedError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            yield name, "unreadable", f"{type(error).__name__}: {error}"
        return
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                inner = stream.read(_MOST_BYTES + 1)
            if len(inner) > _MOST_BYTES:
                yield name, "unreadable", "archive too large to look through"
                return
            yield from _units(inner, name + "!", depth + 1)
        except (OSError, EOFError) as error:
            yield name, "unreadable", str(error)
        return
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        yield name, "text", data.decode(encoding)
    except UnicodeDecodeError:
        if b"\0" in data[:4096] or data[:4] in (b"%PDF", b"\xff\xd8\xff\xe0"):
            yield name, "binary", "\n".join(s.decode() for s in re.findall(rb"[ -~]{6,}", data))
        else:
            yield name, "text", data.decode("cp1252", errors="replace")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _untagged(text: str) -> str:
    """XML as it reads: inside a paragraph tags vanish, so a name spread over runs is whole again."""
    text = re.sub(r"</w:p>|</w:tc>|<w:(?:tab|br|cr)\b[^>]*>|</(?:p|div|td|li|h\d|tr)>", "\n", text)
    attributes = "\n".join(
        m[1]
        for m in re.finditer(
            r"""\b(?:descr|title|name|alt|alias|tooltip|val|Target|instr)=["']([^"']+)["']""", text
        )
    )
    return html.unescape(re.sub(r"<[^<>]*>", "", text) + "\n" + attributes)


def _readings(file: str, kind: str, text: str) -> Iterator[tuple[int, str, bool]]:
    """`(line, text, is raw)`: JSON strings unescaped, XML without tags, other text as it is."""
    if kind == "text" and re.search(r"\.jsonl?$", file.rstrip("!")):
        rows = [text] if file.rstrip("!").endswith(".json") else text.split("\n")
        for number, row in enumerate(rows, 1):
            if not row.strip():
                continue
            try:
                for value in _strings(json.loads(row)):
                    yield number, _untagged(value) if "<" in value else value, False
            except ValueError:
                yield number, row, True
        return
    for number, row in enumerate(text.split("\n"), 1):
        if "<" in row:
            for part in _untagged(row).split("\n"):
                yield number, part, False
        else:
            yield number, html.unescape(row) if "&" in row else row, True


def leak_scan(
    paths: Sequence[Path | str],
    known: KnownValues | None = None,
    roster: Iterable[dict[str, Any]] = (),
    min_anonymity: int = 3,
) -> list[Leak]:
    """Every trace of personal data in the files (folders are walked), file by file; an empty list means none was found."""
    look = wanted(known, roster)
    leaks: list[Leak] = []
    for path in _files(paths):
        leaks += _name_leaks(path.name, look, path.name)
        for file, kind, text in _units(path.read_bytes(), path.name):
            if kind == "unreadable":
                leaks.append(Leak(file, 0, kind, text))
                continue
            if re.search(r"(?:core|app|custom|comments\w*|people|document|header\d*|footer\d*)\.xml$", file):
                leaks += _metadata(file, text)
            for line, reading, _ in _readings(file, kind, text):
                leaks += _line_leaks(file, line, reading, look, min_anonymity, kind == "binary")
    return list(dict.fromkeys(leaks))


def _files(paths: Sequence[Path | str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file())
        elif path.is_file():
            yield path
        else:
            raise MissingError("no such file to look through", where=str(path))


def _short(text: str, start: int, end: int) -> str:
    hidden = re.sub(r"(\w)\w+", r"\1…", text[start:end])
    return f"{text[max(0, start - 25) : start]}⟦{hidden}⟧{text[end : end + 15]}".replace("\n", " ")


def _name_leaks(file: str, look: Wanted, text: str, line: int = 0) -> Iterator[Leak]:
    reading = re.sub(r"[_\-.]+", " ", plain(text))
    if look.pattern:
        for match in look.pattern.finditer(reading):
            yield Leak(file, line, "file name", _short(reading, *match.span()))


def _metadata(file: str, text: str) -> Iterator[Leak]:
    for match in _AUTHOR.finditer(text):
        value = html.unescape(next(g for g in match.groups() if g is not None)).strip()
        if plain(value) not in _HARMLESS and not re.fullmatch(r"\[[A-Z]+_\d+\]", value):
            yield Leak(file, text.count("\n", 0, match.start()) + 1, "metadata", _short(value, 0, len(value)))


def _line_leaks(file: str, line: int, reading: str, look: Wanted, least: int, binary: bool) -> Iterator[Leak]:
    text = plain(reading)
    if look.pattern:
        for match in look.pattern.finditer(text):
            words = len(match[0].split())
            if words > 2 or not _THING.search(text[max(0, match.start() - 60) : match.start()]):
                kind = look.names.get(" ".join(re.findall(r"[^\W_]+", match[0])), "name")
                yield Leak(file, line, kind, _short(text, *match.span()))
    for match in re.finditer(r"[^\W\d_]{4,}", text):
        rarity = look.surnames.get(match[0])
        if rarity:
            before = text[max(0, match.start() - 60) : match.start()]
            if (_ROLE.search(before) and not binary) or (rarity == "rare" and not _THING.search(before)):
                yield Leak(file, line, "roster surname", _short(text, *match.span()))
    if binary:
        return
    for kind, form in _FORMS.items():
        for match in form.finditer(text):
            if kind != "phone" or not _ACTS.search(text[max(0, match.start() - 50) : match.start()]):
                yield Leak(file, line, kind, _short(text, *match.span()))
    for match in _NIT.finditer(_RUN.sub(lambda run: "#" * len(run[0]), text)):
        number = re.sub(r"\D", "", match[1])
        remainder = (
            sum(
                int(d) * w for d, w in zip(reversed(number), (3, 7, 13, 17, 19, 23, 29, 37, 41), strict=False)
            )
            % 11
        )
        if int(match[2]) == (remainder if remainder < 2 else 11 - remainder):
            yield Leak(file, line, "nit", _short(text, *match.span()))
    if look.values:
        for match in re.finditer(r"(?<![\w.,])\d[\d .-]{4,20}\d(?!\w)", text):
            if kind_of := look.values.get(re.sub(r"\D", "", match[0])):
                yield Leak(file, line, kind_of, _short(text, *match.span()))
    for party, people in look.parties.items():
        if people < least:
            bare = re.sub(
                r"^(?:partido|movimiento|coalicion|grupo significativo de ciudadanos)\s+", "", party
            )
            for match in re.finditer(rf"(?<!\w){re.escape(bare)}(?!\w)", text):
                if len(bare.split()) > 1 and re.search(
                    r"\b(?:concejal|edil|partido|movimiento|bancada|honorable|vocer)",
                    text[max(0, match.start() - 80) : match.end() + 80],
                ):
                    yield Leak(
                        file,
                        line,
                        "anonymity",
                        f"role and party describe {people} of at least {least}: "
                        + _short(text, *match.span()),
                    )


def leak_gate(
    paths: Sequence[Path | str],
    known: KnownValues | None = None,
    roster: Iterable[dict[str, Any]] = (),
    min_anonymity: int = 3,
) -> int:
    """Number of files looked through; `GateError` names the first finds. No files, or one that cannot be read, is a no too."""
    files = list(_files(paths))
    if not files:
        raise GateError("nothing to look through", where="leak gate", remedy="Pass the finished files")
    leaks = leak_scan(files, known, roster, min_anonymity)
    if leaks:
        shown = "; ".join(f"{x.file}:{x.line} {x.kind} {x.excerpt}" for x in leaks[:3])
        raise GateError(
            f"{len(leaks)} trace(s) of personal data: {shown}",
            where=leaks[0].file,
            remedy="Nothing was sent. Mask these places (add the name to the roster if it is a councillor's) and build again",
        )
    return len(files)
