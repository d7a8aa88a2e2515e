"""A second pair of eyes: does a finished file still hold personal data?

Shares no code, no list and no number with the detectors, on purpose: a mistake there must not blind the
gate. It reads files as a stranger would (zip in zip, JSON escapes, XML with the tags out, accents folded)
and looks for every known name and value, and for forms of its own. What cannot be read counts as a leak.
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

# ---- bounds on archives: what goes beyond them is not looked through, and so counts as a leak
_MOST_BYTES = 512 * 1024 * 1024
_MOST_MEMBERS = 20_000
_DEPTH = 4
# ---- reach in characters
_BEFORE_NAME = 60  # a role, or the word that makes a name a street's
_BEFORE_PHONE = 50  # "contrato", "radicado": ten digits that are nobody's phone
_AROUND_PARTY = 80  # "concejal", "bancada": a party that describes a person
# ---- lengths
_SURNAME_LETTERS = 4
_KNOWN_DIGITS = 6
_NIT_WEIGHTS = (3, 7, 13, 17, 19, 23, 29, 37, 41)


class KnownValues(Protocol):
    """What the gate needs of the placeholder map."""

    values: dict[str, str]
    guesses: set[str]


@dataclass(frozen=True)
class Leak:
    """`file` may lie in an archive ("a.zip!word/a.xml"); `excerpt` shows the place, the hit cut short."""

    file: str
    line: int
    kind: str
    excerpt: str


# ---- all patterns are for accent-folded lower case
_ROLE_WORDS = (
    "concejal(?:a|es|as)?|edil(?:es|esa)?|honorables?|doctora?|dra?|senora?|sra?|don|dona"
    "|ingeniera?|ingeniero"
    "|secretari[oa]|president[ea]"
)
_ROLE = re.compile(rf"\b(?:{_ROLE_WORDS})(?: general)?[ .]+$")
_THING_WORDS = (
    "barrio|calle|carrera|avenida|plaza|plazoleta|parque|colegio|institucion|escuela|hospital"
    "|edificio|vereda|via"
    "|puente|universidad|teatro|coliseo|estadio|biblioteca|sector|urbanizacion|conjunto|sede|casa|centro|rio"
    "|quebrada|comuna|corregimiento|municipio|aeropuerto|clinica|parroquia|iglesia|cementerio"
    "|fundacion|glorieta"
    "|monumento|ciudadela|san|santa|liceo|jardin|hogar|salon|cancha|polideportivo"
)
_THING = re.compile(rf"\b(?:{_THING_WORDS})\W+(?:\w+\W+){{0,3}}?$")
_ACT_WORDS = (
    "contrato|radicado|expediente|proceso|codigo|bpin|cdp|crp|rp|poliza|factura|matricula|ficha"
    "|acta|folio|registro"
    r"|certificado|oficio|proyecto|secop|referencia|consecutivo|\$"
)
_ACTS = re.compile(rf"(?:{_ACT_WORDS})\W*(?:\w+\W+){{0,3}}?$")
_DIGIT_WORD = r"(?:cero|un|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve)"
_MOBILE = r"3\d{2}[ .-]?\d{3}[ .-]?\d{2}[ .-]?\d{2}"
_LANDLINE = r"\(?60[1-8]\)?[ .-]?\d{3}[ .-]?\d{2}[ .-]?\d{2}"
_ROAD = r"(?:cra|carrera|kra|kr|calle|cl|cll|avenida|av|diagonal|transversal|tv)\.?"
_FORMS = {
    "email": re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+|\b[\w.]+ arroba [\w-]+ ?(?:punto|\.) ?\w+"),
    "phone": re.compile(rf"(?<![\w.,#-])(?:\+?57[ .-]?)?(?:{_MOBILE}|{_LANDLINE})(?![\w]|[.,-]\d)"),
    "phone spoken": re.compile(rf"\b{_DIGIT_WORD}(?:[ ,]+{_DIGIT_WORD}){{6,}}\b"),
    "id": re.compile(
        r"\b(?:cedulas?|c\. ?c\.|identificad[oa]s?|tarjeta de identidad|pasaporte)"
        r"(?:[ :.,#º°-]|\b(?:de|ciudadania|extranjeria|con|la|numero|nro|no|n)\b){0,9}\d[\d. ]{4,13}\d"
    ),
    "address": re.compile(
        rf"\b{_ROAD} ?\d{{1,3}} ?[a-h]?(?: bis)?(?: (?:sur|norte))? ?"
        r"(?:#|no\.?|nº|n°|numero|nro\.?) ?\d{1,3} ?[a-h]? ?(?:-|–| ) ?\d{1,3}\b"
    ),
    "plate": re.compile(r"\bplacas?(?:[ :]|\b(?:de|la|numero|no)\b){1,4}[a-z]{3}[ -]?\d{2,3}[a-z]?\b"),
    "account": re.compile(
        r"\bcuenta (?:de ahorros?|corriente|bancaria|nequi|daviplata)"
        r"(?:[ :.#]|\b(?:numero|no|nro|de|del|banco|bancolombia|davivienda)\b){0,6}\d[\d -]{5,20}"
    ),
    "ip": re.compile(r"\b(?:ip|servidor|equipo)\b.{0,20}?\b(?:\d{1,3}\.){3}\d{1,3}\b"),
}
_NIT = re.compile(r"(?<![\d.])(\d{3}\.?\d{3}\.?\d{3})-(\d)(?!\d|-)")
# our runs' own ids: one in fifty holds a number that passes the NIT's check
_RUN = re.compile(r"(?<!\w)\d{8}t\d{9}-[0-9a-f]{8}(?!\w)")
_FIGURE = re.compile(r"(?<![\w.,])\d[\d .-]{4,20}\d(?!\w)")
_PARTY_HEAD = re.compile(r"^(?:partido|movimiento|coalicion|grupo significativo de ciudadanos)\s+")
_PARTY_MEMBER = re.compile(r"\b(?:concejal|edil|partido|movimiento|bancada|honorable|vocer)")
# ---- what a file says about who wrote it (case and accents as they are)
_AUTHOR_TAGS = "dc:creator|cp:lastModifiedBy|dc:description|cp:keywords|dc:subject|Manager|Company"
_AUTHOR = re.compile(
    rf"""<(?:{_AUTHOR_TAGS})\b[^>]*>\s*([^<\s][^<]*)<|\bw:(?:author|initials)=["']([^"']+)["']"""
    r"""|<w15:person\b[^>]*w15:author=["']([^"']+)["']"""
)
_HARMLESS = frozenset({"astra", "acta", "python-docx", "a", ""})
_METADATA = re.compile(r"(?:core|app|custom|comments\w*|people|document|header\d*|footer\d*)\.xml$")
_ATTRIBUTE = re.compile(r"""\b(?:descr|title|name|alt|alias|tooltip|val|Target|instr)=["']([^"']+)["']""")
_BLOCK_END = re.compile(r"</w:p>|</w:tc>|<w:(?:tab|br|cr)\b[^>]*>|</(?:p|div|td|li|h\d|tr)>")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


@dataclass
class Watchlist:
    """What to look for, folded: `names` with their kind, and `values` by digits.

    `surnames` of the roster are "rare" or "ordinary" words of the language; `parties` counts the roster's
    people in each; `pattern` matches any of the names.
    """

    names: dict[str, str] = field(default_factory=dict)
    surnames: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None

    def add_person(self, row: dict[str, Any]) -> None:
        """A roster row: the name in all usual forms, the surnames, the party."""
        name = str(row["name"])
        for form in _name_forms(name):
            self.names[form] = "roster name"
        words = re.findall(r"\w+", name)
        for word in words[2:] if len(words) > 3 else words[1:]:
            if len(word) >= _SURNAME_LETTERS:
                self.surnames[plain(word)] = "ordinary" if _is_ordinary(word) else "rare"
        if party := plain(str(row.get("party") or "")).strip():
            self.parties[party] = self.parties.get(party, 0) + 1

    def add_value(self, placeholder: str, value: str) -> None:
        """What stands behind a placeholder: a full name, or a number by its digits."""
        kind = placeholder[1:].rsplit("_", 1)[0]
        if kind in ("CONCEJAL", "FUNCIONARIO", "CIUDADANO"):
            words = re.findall(r"\w+", plain(value))
            if len(words) > 1:
                self.names.setdefault(" ".join(words), "known name")
        elif kind not in ("PARTIDO", "DIRECCION", "NACIMIENTO", "PLACA"):
            digits = re.sub(r"\D", "", value)
            if len(digits) >= _KNOWN_DIGITS:
                self.values[digits] = f"known {kind.lower()}"

    def compile_names(self) -> None:
        """Longer names first; one to three marks or blanks may stand between their words."""
        if self.names:
            forms = sorted(self.names, key=len, reverse=True)
            words = (r"[\W_]{1,3}".join(map(re.escape, form.split())) for form in forms)
            self.pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")


def watchlist(known: KnownValues | None, roster: Iterable[dict[str, Any]]) -> Watchlist:
    """What must not appear: the roster's people, and the values behind placeholders except guesses."""
    watch = Watchlist()
    for row in roster:
        watch.add_person(row)
    if known is not None:
        for placeholder, value in known.values.items():
            if placeholder not in known.guesses:
                watch.add_value(placeholder, value)
    watch.compile_names()
    return watch


def plain(text: str) -> str:
    """Accents out, lower case, one blank between words; line breaks stay."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    return re.sub(r"[^\S\n]+", " ", _INVISIBLE.sub("", folded))


def _name_forms(name: str) -> Iterator[str]:
    """How a name is said: whole, surnames first, any given name with any surname, the surnames alone."""
    every = re.findall(r"\w+", plain(name))
    words = [w for w in every if w not in ("de", "del", "la", "las", "los", "y")]
    if len(words) < 2:
        return
    yield " ".join(words)
    yield " ".join(every)
    split = 2 if len(words) > 3 else 1
    given, surnames = words[:split], words[split:]
    for first in given:
        for last in surnames:
            yield f"{first} {last}"
    for pair in zip(surnames, surnames[1:], strict=False):
        yield " ".join(pair)
    yield " ".join(surnames + given)
    yield " ".join([surnames[0], *given])


def _is_ordinary(word: str) -> bool:
    """Is the surname a word of the language, too ("Toro")?"""
    import simplemma

    return simplemma.is_known(word.lower(), lang="es") or simplemma.is_known(plain(word), lang="es")


@dataclass(frozen=True)
class _Part:
    """A part of a file; `kind` is text, binary, names (an archive's) or unreadable (`text` says why)."""

    file: str
    kind: str
    text: str


def _parts(data: bytes, name: str, depth: int = 0) -> Iterator[_Part]:
    """Everything inside a file, archives opened."""
    if depth > _DEPTH:
        yield _Part(name, "unreadable", "archives nested too deep")
    elif data[:4] == b"PK\x03\x04" or zipfile.is_zipfile(io.BytesIO(data)):
        yield from _zip_parts(data, name, depth)
    elif data[:2] == b"\x1f\x8b":
        yield from _gzip_parts(data, name, depth)
    else:
        yield _plain_part(data, name)


def _zip_parts(data: bytes, name: str, depth: int) -> Iterator[_Part]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS or sum(m.file_size for m in members) > _MOST_BYTES:
                yield _Part(name, "unreadable", "archive too large to look through")
                return
            names = "\n".join(m.filename for m in members)
            yield _Part(f"{name}!", "names", names + "\n" + archive.comment.decode("latin-1"))
            for member in members:
                if not member.is_dir():
                    yield from _parts(archive.read(member), f"{name}!{member.filename}", depth + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        yield _Part(name, "unreadable", f"{type(error).__name__}: {error}")


def _gzip_parts(data: bytes, name: str, depth: int) -> Iterator[_Part]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            inner = stream.read(_MOST_BYTES + 1)
        if len(inner) > _MOST_BYTES:
            yield _Part(name, "unreadable", "archive too large to look through")
            return
        yield from _parts(inner, name + "!", depth + 1)
    except (OSError, EOFError) as error:
        yield _Part(name, "unreadable", str(error))


def _plain_part(data: bytes, name: str) -> _Part:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return _Part(name, "text", data.decode(encoding))
    except UnicodeDecodeError:
        if b"\0" in data[:4096] or data[:4] in (b"%PDF", b"\xff\xd8\xff\xe0"):
            strings = re.findall(rb"[ -~]{6,}", data)
            return _Part(name, "binary", "\n".join(s.decode() for s in strings))
        return _Part(name, "text", data.decode("cp1252", errors="replace"))


def _strings(value: Any) -> Iterator[str]:
    """All keys and strings of a JSON value."""
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
    text = _BLOCK_END.sub("\n", text)
    attributes = "\n".join(_ATTRIBUTE.findall(text))
    return html.unescape(re.sub(r"<[^<>]*>", "", text) + "\n" + attributes)


def _lines(part: _Part) -> Iterator[tuple[int, str]]:
    """`(line, text)`: JSON strings unescaped, XML without tags, other text as it is."""
    file = part.file.rstrip("!")
    if part.kind == "text" and file.endswith((".json", ".jsonl")):
        rows = [part.text] if file.endswith(".json") else part.text.split("\n")
        for number, row in enumerate(rows, 1):
            if row.strip():
                for text in _json_strings(row):
                    yield number, text
        return
    for number, row in enumerate(part.text.split("\n"), 1):
        if "<" in row:
            for text in _untagged(row).split("\n"):
                yield number, text
        else:
            yield number, html.unescape(row) if "&" in row else row


def _json_strings(row: str) -> Iterator[str]:
    """The strings of a JSON row, tags out; the row itself when it is not JSON."""
    try:
        value = json.loads(row)
    except ValueError:
        yield row
        return
    for text in _strings(value):
        yield _untagged(text) if "<" in text else text


def leak_scan(
    paths: Sequence[Path | str],
    known: KnownValues | None = None,
    roster: Iterable[dict[str, Any]] = (),
    min_anonymity: int = 3,
) -> list[Leak]:
    """Every trace of personal data in the files and folders, file by file; empty when there is none."""
    watch = watchlist(known, roster)
    leaks: list[Leak] = []
    for path in _files(paths):
        leaks += _file_name_leaks(path.name, path.name, watch)
        for part in _parts(path.read_bytes(), path.name):
            leaks += _part_leaks(part, watch, min_anonymity)
    return list(dict.fromkeys(leaks))


def _part_leaks(part: _Part, watch: Watchlist, min_anonymity: int) -> Iterator[Leak]:
    """The traces in one readable part of a file."""
    if part.kind == "unreadable":
        yield Leak(part.file, 0, part.kind, part.text)
        return
    if _METADATA.search(part.file):
        yield from _author_leaks(part)
    for line, text in _lines(part):
        place = _Place(part.file, line, plain(text))
        yield from _name_leaks(place, watch)
        yield from _surname_leaks(place, watch, binary=part.kind == "binary")
        if part.kind != "binary":
            yield from _form_leaks(place)
            yield from _nit_leaks(place)
            yield from _value_leaks(place, watch)
            yield from _party_leaks(place, watch, min_anonymity)


def _files(paths: Sequence[Path | str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file())
        elif path.is_file():
            yield path
        else:
            raise MissingError("no such file to look through", where=str(path))


def _excerpt(text: str, start: int, end: int) -> str:
    """The hit with only its words' first letters, and what stands around it."""
    hidden = re.sub(r"(\w)\w+", r"\1…", text[start:end])
    return f"{text[max(0, start - 25) : start]}⟦{hidden}⟧{text[end : end + 15]}".replace("\n", " ")


@dataclass(frozen=True)
class _Place:
    """A line of a part, folded."""

    file: str
    line: int
    text: str

    def leak(self, kind: str, match: re.Match[str], reason: str = "") -> Leak:
        return Leak(self.file, self.line, kind, reason + _excerpt(self.text, *match.span()))

    def before(self, match: re.Match[str], reach: int) -> str:
        return self.text[max(0, match.start() - reach) : match.start()]


def _file_name_leaks(file: str, name: str, watch: Watchlist) -> Iterator[Leak]:
    place = _Place(file, 0, re.sub(r"[_\-.]+", " ", plain(name)))
    if watch.pattern:
        for match in watch.pattern.finditer(place.text):
            yield place.leak("file name", match)


def _author_leaks(part: _Part) -> Iterator[Leak]:
    """Who wrote, changed or commented the file."""
    for match in _AUTHOR.finditer(part.text):
        value = html.unescape(next(g for g in match.groups() if g is not None)).strip()
        if plain(value) not in _HARMLESS and not re.fullmatch(r"\[[A-Z]+_\d+\]", value):
            line = part.text.count("\n", 0, match.start()) + 1
            yield Leak(part.file, line, "metadata", _excerpt(value, 0, len(value)))


def _name_leaks(place: _Place, watch: Watchlist) -> Iterator[Leak]:
    """Names; two words after "barrio" or "colegio" are a place's."""
    if not watch.pattern:
        return
    for match in watch.pattern.finditer(place.text):
        if len(match[0].split()) > 2 or not _THING.search(place.before(match, _BEFORE_NAME)):
            name = " ".join(re.findall(r"[^\W_]+", match[0]))
            yield place.leak(watch.names.get(name, "name"), match)


def _surname_leaks(place: _Place, watch: Watchlist, binary: bool) -> Iterator[Leak]:
    """A surname alone: after a role, or anywhere unless it also is a word of the language."""
    for match in re.finditer(rf"[^\W\d_]{{{_SURNAME_LETTERS},}}", place.text):
        rarity = watch.surnames.get(match[0])
        if not rarity:
            continue
        before = place.before(match, _BEFORE_NAME)
        after_role = not binary and _ROLE.search(before)
        if after_role or (rarity == "rare" and not _THING.search(before)):
            yield place.leak("roster surname", match)


def _form_leaks(place: _Place) -> Iterator[Leak]:
    """Phones, addresses, documents: by their form."""
    for kind, form in _FORMS.items():
        for match in form.finditer(place.text):
            if kind != "phone" or not _ACTS.search(place.before(match, _BEFORE_PHONE)):
                yield place.leak(kind, match)


def _nit_leaks(place: _Place) -> Iterator[Leak]:
    """Nine digits with the check digit of a NIT. Computed here and not by stdnum, which the detectors use."""
    for match in _NIT.finditer(_RUN.sub(lambda run: "#" * len(run[0]), place.text)):
        number = re.sub(r"\D", "", match[1])
        total = sum(int(d) * w for d, w in zip(reversed(number), _NIT_WEIGHTS, strict=True))
        rest = total % 11
        if int(match[2]) == (rest if rest < 2 else 11 - rest):
            yield place.leak("nit", match)


def _value_leaks(place: _Place, watch: Watchlist) -> Iterator[Leak]:
    """A figure that stands behind a placeholder, however it is grouped."""
    if not watch.values:
        return
    for match in _FIGURE.finditer(place.text):
        if kind := watch.values.get(re.sub(r"\D", "", match[0])):
            yield place.leak(kind, match)


def _party_leaks(place: _Place, watch: Watchlist, min_anonymity: int) -> Iterator[Leak]:
    """A party of several words with fewer than `min_anonymity` people, near a word for its members."""
    for party, people in watch.parties.items():
        name = _PARTY_HEAD.sub("", party)
        if people >= min_anonymity or len(name.split()) < 2:
            continue
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", place.text):
            around = place.text[max(0, match.start() - _AROUND_PARTY) : match.end() + _AROUND_PARTY]
            if _PARTY_MEMBER.search(around):
                reason = f"role and party describe {people} of at least {min_anonymity}: "
                yield place.leak("anonymity", match, reason)


def leak_gate(
    paths: Sequence[Path | str],
    known: KnownValues | None = None,
    roster: Iterable[dict[str, Any]] = (),
    min_anonymity: int = 3,
) -> int:
    """Number of files looked through; `GateError` names the first finds.

    No files at all, or a file that cannot be read, closes the gate too.
    """
    files = list(_files(paths))
    if not files:
        raise GateError("nothing to look through", where="leak gate", remedy="Pass the finished files")
    leaks = leak_scan(files, known, roster, min_anonymity)
    if leaks:
        shown = "; ".join(f"{x.file}:{x.line} {x.kind} {x.excerpt}" for x in leaks[:3])
        raise GateError(
            f"{len(leaks)} trace(s) of personal data: {shown}",
            where=leaks[0].file,
            remedy="Nothing was sent. Mask these places (add the name to the roster if it is a councillor's) "
            "and build again",
        )
    return len(files)
