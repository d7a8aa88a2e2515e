"""Personal data that has a form: Colombian documents, phones, e-mail, addresses, plates, accounts; written or spoken.

A form alone is rarely enough in minutes full of figures. Each pattern is validated (check digits, numbering plan,
ranges) or needs the word that announces it ("cédula", "placa"), and steps back when the figure is money or the number
of an act, a contract or an article.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..spanish.words import fold

ReadNumber = Callable[[Sequence[str], int], tuple[int, int]]  # astra_lib.text.read_number


@dataclass(frozen=True)
class Found:
    """`value` is the same for the same datum however it is written: digits only, lower case, one blank."""

    start: int
    end: int
    type: str
    value: str


_I = re.IGNORECASE
_NUMBER_WORDS = (
    "cero|un|una|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|diecis[eé]is|diecisiete|"
    "dieciocho|diecinueve|veinte|veinti[uú]n[oa]?|veintid[oó]s|veintitr[eé]s|veinticuatro|veinticinco|veintis[eé]is|veintisiete|"
    "veintiocho|veintinueve|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|cien|ciento|"
    "(?:dos|tres|cuatro|seis|sete|ocho|nove)cient[oa]s|quinient[oa]s|mil|mill[oó]n|millones"
)
_W = rf"(?:{_NUMBER_WORDS}|\d{{1,4}})"
_SPOKEN = rf"\b{_W}(?:[\s,]+(?:y\s+)?{_W})*\b"
_SPOKEN_RUN = re.compile(rf"\b(?:{_NUMBER_WORDS})(?:[\s,]+(?:y\s+)?{_W})+\b", _I)
_FIGURE = r"\d(?:[\d.\s'–-]{0,24}\d)?"
_GLUE = (
    r"(?:[\s:.,;#°º=-]|\b(?:de|del|ciudadan[ií]a|extranjer[ií]a|identidad|n[uú]meros?|nro|no|num|n|es|el|la|los|las|mi|su|con|al|"
    r"celular|m[oó]vil|fijo|personal|whats\s?app|tel[eé]fono|ahorros?|corriente|bancaria|terminad[oa]|en|bancolombia|davivienda|nequi|"
    r"daviplata|banco\s+(?:de\s+)?\w+|contacto|que|expedida|vigente|era|ser[ií]a|colombiana|o|y|a)\b){0,12}"
)
_TRIGGERS = {
    "CEDULA": r"\bc[eé]dulas?|\bc\.\s?c\.?|\bcc\b|\bidentificad[oa]s?|\bdocumento|\bt\.\s?i\.|\btarjeta de identidad|\bc\.\s?e\.|"
    r"\bpasaporte|\bnuip|\bregistro civil",
    "NIT": r"\bn\.?\s?i\.?\s?t\b\.?|\brut\b",
    "TELEFONO": r"\btel[eé]fonos?|\btels?\b\.?|\bcelular(?:es)?|\bcel\b\.?|\bm[oó]vil|\bwhats\s?app|\bpbx|\bfijo|\bl[ií]nea|\bcontacto|"
    r"\bllam(?:ar(?:me|lo|la)?|e(?:me|n)?)\s+al|\bmarcar?\s+al|\bescrib\w+\s+al|\bfax",
    "CUENTA": r"\bcuenta\s+(?:de\s+ahorros?|corriente|bancaria|bancolombia|davivienda|nequi|daviplata|n[uú]mero|nro|no\b|n[°º]|#|de\s+nequi|"
    r"del?\s+banco\s+\w+(?:\s+\w+)?)|\bnequi|\bdaviplata|\bcta\b\.?",
    "TARJETA": r"\btarjeta\s+(?:de\s+)?(?:cr[eé]dito|d[eé]bito)",
}
_SIZES = {"CEDULA": (6, 11), "NIT": (8, 11), "TELEFONO": (7, 12), "CUENTA": (6, 20), "TARJETA": (13, 19)}
_TRIGGERED = {
    kind: re.compile(rf"(?:{trigger}){_GLUE}(?<![\d$])({_FIGURE}|{_SPOKEN})", _I)
    for kind, trigger in _TRIGGERS.items()
}
_MONEY_AFTER = re.compile(
    r"\s*(?:de\s+)?(?:pesos|millones|mil(?:l[oó]n)?\b|cop\b|d[oó]lares|usd|habitantes|metros|m2|hect[aá]reas|kil[oó]metros|%|por\s+ciento|usuarios|familias|personas|a[nñ]os)",
    _I,
)
_MONEY_BEFORE = re.compile(
    r"(?:\$|\bcop|\busd|\bvalor(?: de| total)?|\bsuma de|\bmonto de|\bpresupuesto de|\bcosto de|\btotal de|\bpor)\s*\$?\s*$",
    _I,
)
_ACT_BEFORE = re.compile(
    r"\b(?:acuerdos?|ley(?:es)?|decretos?|resoluci[oó]n(?:es)?|art(?:[ií]culos?)?|ordenanza|sentencia|auto|circular|oficio|contratos?|"
    r"convenio|radicad[oa]s?|expediente|proceso|c[oó]digo|bpin|bpim|cdp|crp|rp|p[oó]liza|factura|matr[ií]cula(?: inmobiliaria)?|catastral|ficha|"
    r"acta|folio|predio|registro presupuestal|certificado|rubro|numeral|licitaci[oó]n|orden|conpes|secop|serial|referencia|proyecto|n[uú]mero de "
    r"proceso|consecutivo|guía|tiquete|turno)\b(?:[\s:.#°º-]|\b(?:de|del|la|el|n[uú]mero|nro|no|n|compraventa|obra|suministro|prestaci[oó]n|servicios|"
    r"disponibilidad|presupuestal|inmobiliaria|catastral|interno|es|municipal)\b){0,8}$",
    _I,
)
_CEDULA_BARE = re.compile(r"(?<![\d.,$])1[.\s]?\d{3}\.\d{3}\.\d{3}(?![.,]?\d)")
_NIT_BARE = re.compile(r"(?<![\d.,$])(\d{3}\.?\d{3}\.?\d{3})\s?[-–]\s?(\d)(?!\d|[-.]\d)")
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}\b", _I)
_EMAIL_SPOKEN = re.compile(
    r"\b[\w.]+(?:\s+(?:punto|gui[oó]n(?:\s+bajo)?|raya(?:\s+al\s+piso)?|underscore)\s+[\w.]+)*\s*\(?(?:\barroba\b|@)\)?\s*[\w-]+(?:\s+(?!punto\b)[\w-]+){0,2}(?:\s*(?:\bpunto\b|\.)\s*(?:[a-z]\w+))+",
    _I,
)
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}(?![\w:])", _I)
_IP_WORD = re.compile(r"\b(?:ip|ips|ipv4|servidor|equipo|host|router|direcci[oó]n|c[aá]mara)\b", _I)
_CARD = re.compile(r"(?<![\d.])(?:\d{4}[ -]?){3}\d{1,7}(?![\d.]\d|\d)")
_PLATE_SAID = re.compile(
    rf"\b(?:placas?|matr[ií]cula\s+vehicular)\b(?:[\s:.#]|\b(?:n[uú]mero|no|de|la|el|es|son|identificad[oa]|con|veh[ií]culo|moto|carro)\b){{0,6}}"
    rf"((?:[a-zñ]{{3}}|[a-zñ](?:[\s-]+[a-zñ]){{2}}|(?:(?:be|ce|de|efe|ge|hache|jota|ka|ele|eme|ene|pe|cu|erre|ere|ese|te|uve|ve|equis|zeta|ye|[a-zñ])\s+){{2}}"
    rf"(?:be|ce|de|efe|ge|hache|jota|ka|ele|eme|ene|pe|cu|erre|ere|ese|te|uve|ve|equis|zeta|ye|[a-zñ]))[\s-]*(?:\d{{2,3}}(?:\s?[a-z]\b)?|{_SPOKEN}(?:\s+[a-z]\b)?))",
    _I,
)
_PLATE_SEEN = re.compile(r"\b[A-ZÑ]{3}[ -]?\d{3}\b|\b[A-ZÑ]{3}[ -]?\d{2}[A-Z]\b")
_VEHICLE = re.compile(
    r"\b(?:veh[ií]culos?|carros?|motos?|motocicletas?|taxis?|camionetas?|volquetas?|bus(?:es|etas?)?|autom[oó]vil(?:es)?|camion(?:es)?|tractocami[oó]n|ambulancia|patrulla)\b",
    _I,
)
_BORN = re.compile(
    r"\b(?:naci[oó]|nacid[oa]|nacimiento|naci[eé])\b(?:[\s:,]|\b(?:el|en|fecha|de|d[ií]a|es)\b){0,8}"
    r"(\d{1,2}\s*[/.-]\s*\d{1,2}\s*[/.-]\s*(?:19|20)?\d\d|\d{4}-\d\d-\d\d|(?:\d{1,2}|\w+)\s+de\s+(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    r"sep?tiembre|octubre|noviembre|diciembre)\s+(?:de|del)\s+(?:\d{4}|mil\s+\w+(?:\s+\w+){0,4}))",
    _I,
)

_ROAD = r"\b(?:carrera|cra|kra|krr|kr|cr|calle|cll|clle|cl|avenida|avda|av|diagonal|diag|dg|transversal|transv|trans|tv|trv|circular|ac|ak)\b\.?"
_HOUSE = r"\d{1,3}\s?(?:[a-h]\b)?(?:\s?bis\b)?(?:\s?[a-h]\b)?(?:\s?(?:sur|norte|este|oeste)\b)?"
_MARK = r"(?:#|\bn[uú]mero\b|\bnum\b\.?|\bnro\b\.?|\bno\b\.?|\bn[°º.]|[°º])"
_PLACE_NAME = r"(?:[A-ZÁÉÍÓÚÑ][\wáéíóúñ]+(?:(?:\s+(?:de|del|la|las|los|el)){0,2}\s+(?:[A-ZÁÉÍÓÚÑ][\wáéíóúñ]+|\d{1,2}\b)){0,3})"
_INSIDE = (
    r"(?:\s*[,;–-]?\s*\b(?i:apartamento|apto|ap|casa|interior|int|piso|torre|bloque|bl|oficina|of|local|manzana|mz|lote|etapa)\b\.?\s*"
    rf"(?:(?i:n[uú]mero|no\.?|#)\s*)?(?:[A-Za-z]?\d{{1,4}}[A-Za-z]?\b|[A-Z]\b|(?i:{_W}(?:\s+(?:y\s+)?{_W})*\b))"
    rf"|\s*[,;–-]?\s*(?:(?i:del|en\s+el|de\s+la|en\s+la)\s+)?\b(?i:barrio|urbanizaci[oó]n|urb\.?|conjunto(?:\s+residencial)?|edificio|vereda|sector|ciudadela)\s+{_PLACE_NAME})*"
)
_ADDRESS = (
    re.compile(
        rf"(?i:{_ROAD})\s*(?i:{_HOUSE})\s*[,]?\s*(?i:{_MARK})\s*(?i:{_HOUSE})\s*(?:[-–]|\bguion\b|\s)\s*\d{{1,3}}\b{_INSIDE}"
    ),
    re.compile(
        rf"(?i:{_ROAD})\s*(?i:{_HOUSE})\s+\d{{1,3}}\s?[A-Ha-h]?\s*[-–]\s*\d{{1,3}}\b(?!\s*[-–/]\s*\d){_INSIDE}"
    ),
    re.compile(
        rf"(?i:{_ROAD}\s+{_SPOKEN}(?:\s+[a-h]\b)?(?:\s+bis\b)?(?:\s+(?:sur|norte)\b)?[\s,]+(?:n[uú]mero|con\s+n[uú]mero|#)\s+{_SPOKEN}(?:\s+[a-h]\b)?"
        rf"(?:[\s,]+(?:gui[oó]n|raya|y)?\s*{_SPOKEN})?){_INSIDE}"
    ),
    re.compile(
        rf"(?i:\b(?:manzana|mz)\b\.?\s*(?:{_W}(?:\s+(?:y\s+)?{_W})*|[a-z]{{1,2}}\d?)\b\s*,?\s*\b(?:casa|cs|lote|lt)\b\.?\s*(?:n[uú]mero|no\.?|#)?\s*"
        rf"(?:\d{{1,3}}[a-z]?|{_W}(?:\s+(?:y\s+)?{_W})*)\b){_INSIDE}"
    ),
)
_LIVES = re.compile(
    r"\b(?i:resid(?:e|o|en|ente|entes|enciad[oa]|encia)|viv(?:e|o|en|imos|iendo)|domiciliad[oa]|habit(?:a|o|ante)|vecin[oa]|moradora?)\b"
    r"(?:\s+(?i:aqu[ií]|ah[ií]|all[aá]))?\s+(?i:en|del?)\s+(?:(?i:el|la)\s+)?((?i:barrio|vereda|urbanizaci[oó]n|conjunto(?:\s+residencial)?|edificio|finca)\s+"
    rf"(?:{_PLACE_NAME}|[a-záéíóúñ]+(?:\s+[a-záéíóúñ]{{4,}})?))"
)


def digits(text: str, read_number: ReadNumber) -> str:
    """The digits of a figure or of a spoken run: "trescientos doce cuatro cinco" -> "31245"."""
    if not re.search(r"[^\W\d_]", text):
        return re.sub(r"\D", "", text)
    words = [fold(w) for w in re.findall(r"\w+", text)]
    out, i = "", 0
    while i < len(words):
        if words[i].isdigit():
            out, i = out + words[i], i + 1
            continue
        value, after = read_number(words, i)
        if after > i:
            out += str(value)
        i = max(after, i + 1)
    return out


def luhn(number: str) -> bool:
    total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(number)))
    return total % 10 == 0


def _money(text: str, start: int, end: int) -> bool:
    return bool(_MONEY_AFTER.match(text, end) or _MONEY_BEFORE.search(text[max(0, start - 24) : start]))


def _act(text: str, start: int) -> bool:
    return bool(_ACT_BEFORE.search(text[max(0, start - 70) : start]))


def _trim(text: str, start: int, end: int, most: int) -> int:
    """End of the run of figures that still belongs: a blank and a new figure may start something else."""
    cut = text[start:end]
    while sum(c.isdigit() for c in cut) > most and (at := max(cut.rfind(" "), cut.rfind("-"))) > 0:
        cut = cut[:at]
    return start + len(cut.rstrip(" .-–'\n\t"))


def _announced(text: str, read_number: ReadNumber) -> Iterator[Found]:
    for kind, pattern in _TRIGGERED.items():
        low, high = _SIZES[kind]
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if text[start].isdigit():
                end = _trim(text, start, end, high)
            if kind == "NIT" and (tail := re.match(r"\s?[-–]\s?\d\b", text[end:])):
                end += tail.end()
            value = digits(text[start:end], read_number)
            if (
                not low <= len(value) <= high
                or _money(text, start, end)
                or (kind == "TELEFONO" and len(value) == 11)
            ):
                continue
            yield Found(start, end, kind, value)


def _phones(text: str, read_number: ReadNumber) -> Iterator[Found]:
    if re.search(r"\d[\d\s().-]{5,}\d", text):
        import phonenumbers

        for phone in phonenumbers.PhoneNumberMatcher(text, "CO", leniency=phonenumbers.Leniency.VALID):
            if not _act(text, phone.start) and not _money(text, phone.start, phone.end):
                yield Found(phone.start, phone.end, "TELEFONO", str(phone.number.national_number))
    for match in _SPOKEN_RUN.finditer(text):
        if (
            not re.search(r"mil", match[0], _I)
            and not _act(text, match.start())
            and not _money(text, match.start(), match.end())
        ):
            value = digits(match[0], read_number)
            if len(value) == 12 and value.startswith("57"):
                value = value[2:]
            if len(value) == 10 and (value[0] == "3" or value[:2] == "60"):
                yield Found(match.start(), match.end(), "TELEFONO", value)


def _documents(text: str) -> Iterator[Found]:
    from stdnum.co import nit

    for match in _CEDULA_BARE.finditer(text):
        if not _money(text, *match.span()) and not _act(text, match.start()):
            yield Found(*match.span(), "CEDULA", re.sub(r"\D", "", match[0]))
    for match in _NIT_BARE.finditer(text):
        number = re.sub(r"\D", "", match[0])
        if nit.is_valid(number):
            yield Found(*match.span(), "NIT", number)
    for match in _CARD.finditer(text):
        number = re.sub(r"\D", "", match[0])
        if 13 <= len(number) <= 19 and luhn(number) and not _act(text, match.start()) and number[0] in "3456":
            yield Found(*match.span(), "TARJETA", number)


def _network(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found(*match.span(), "CORREO", match[0].lower())
    if re.search("arroba|@", text, _I):
        for match in _EMAIL_SPOKEN.finditer(text):
            said = re.sub(r"\s*\barroba\b\s*", "@", re.sub(r"\s*\bpunto\b\s*", ".", match[0].lower()))
            said = re.sub(r"\s*\bgui[oó]n bajo\b\s*", "_", said)
            yield Found(*match.span(), "CORREO", re.sub(r"\s+", "", re.sub(r"\s*\bgui[oó]n\b\s*", "-", said)))
    for pattern in (_IP4, _IP6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            near = _IP_WORD.search(text[max(0, match.start() - 40) : match.start()])
            big = address.version == 6 or sum(int(o) >= 10 for o in match[0].split(".")) >= 2
            if (near or big) and not _act(text, match.start()):
                yield Found(*match.span(), "IP", str(address))


def _things(text: str, read_number: ReadNumber) -> Iterator[Found]:
    for match in _PLATE_SAID.finditer(text):
        tail = re.search(rf"(?:\d|\b(?:{_NUMBER_WORDS})\b)", match[1], _I)
        if tail:
            yield Found(
                *match.span(1),
                "PLACA",
                re.sub(r"\W", "", match[1][: tail.start()]).lower()
                + digits(match[1][tail.start() :], read_number),
            )
    for match in _PLATE_SEEN.finditer(text):
        if _VEHICLE.search(text[max(0, match.start() - 60) : match.start()]):
            yield Found(*match.span(), "PLACA", re.sub(r"\W", "", match[0]).lower())
    for pattern in _ADDRESS:
        for match in pattern.finditer(text):
            yield Found(*match.span(), "DIRECCION", _address_value(match[0], read_number))
    for match in _LIVES.finditer(text):
        yield Found(*match.span(1), "DIRECCION", fold(" ".join(match[1].split())))
    for match in _BORN.finditer(text):
        yield Found(*match.span(1), "NACIMIENTO", fold(" ".join(match[1].split())))


def _address_value(said: str, read_number: ReadNumber) -> str:
    """Road and numbers only, so that "Cra. 23 # 45-56" and "carrera veintitrés número 45 56" are one place."""
    key = fold(said)
    road = next(
        (r for r in ("ca", "cr", "k", "cl", "av", "ac", "ak", "di", "dg", "t", "m") if key.startswith(r)), "x"
    )
    road = {"ca": "cl" if key.startswith("cal") else "cr", "k": "cr", "ac": "av", "ak": "av", "dg": "di"}.get(
        road, road
    )
    return road + digits(re.sub(r"\b(?:barrio|urbanizacion|sector|vereda)\b.*", "", key), read_number)


_RANK = {
    k: i
    for i, k in enumerate(
        ("CORREO", "DIRECCION", "TARJETA", "NIT", "CUENTA", "CEDULA", "TELEFONO", "IP", "PLACA", "NACIMIENTO")
    )
}


def find_structured(text: str, read_number: ReadNumber) -> list[Found]:
    """Every structured datum of a text, without overlaps, in order; the longer and more specific one wins."""
    found = [*_network(text)]
    if re.search(r"\d", text) or _SPOKEN_RUN.search(text):
        found += [*_announced(text, read_number), *_phones(text, read_number), *_documents(text)]
    found += _things(text, read_number)
    kept: list[Found] = []
    for one in sorted(
        found,
        key=lambda f: (
            _RANK[f.type] if f.type in ("CORREO", "DIRECCION") else 2,
            f.start - f.end,
            _RANK[f.type],
        ),
    ):
        if all(one.end <= k.start or one.start >= k.end for k in kept):
            kept.append(one)
    return sorted(kept, key=lambda f: f.start)
