"""Personal data that has a form, written or spoken: documents, phones, e-mail, addresses, plates, accounts.

A form alone is rarely enough in minutes full of figures. Each pattern is validated (check digits, numbering
plan, ranges) or needs the word that announces it ("cédula", "placa"), and gives way when the figure is
money or the number of an act, a contract or an article.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..spanish.words import fold
from .weights import WEIGHTS

ReadNumber = Callable[[Sequence[str], int], tuple[int, int]]  # astra_lib.text.read_number


@dataclass(frozen=True)
class Datum:
    """A find at `[start, end)`; `value` is the same however it is written: digits, lower case, one blank."""

    start: int
    end: int
    type: str
    value: str


def _either(*words: str) -> str:
    """A pattern for any of the words, which may be patterns themselves."""
    return "|".join(words)


_I = re.IGNORECASE

# ---- figures, written and spoken
_NUMBER_WORDS = _either(
    "cero|un|una|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince",
    "diecis[eé]is|diecisiete|dieciocho|diecinueve|veinte|veinti[uú]n[oa]?|veintid[oó]s|veintitr[eé]s",
    "veinticuatro|veinticinco|veintis[eé]is|veintisiete|veintiocho|veintinueve",
    "treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|cien|ciento",
    "(?:dos|tres|cuatro|seis|sete|ocho|nove)cient[oa]s|quinient[oa]s|mil|mill[oó]n|millones",
)
_W = rf"(?:{_NUMBER_WORDS}|\d{{1,4}})"
_SPOKEN = rf"\b{_W}(?:[\s,]+(?:y\s+)?{_W})*\b"
_SPOKEN_RUN = re.compile(rf"\b(?:{_NUMBER_WORDS})(?:[\s,]+(?:y\s+)?{_W})+\b", _I)
_FIGURE = r"\d(?:[\d.\s'–-]{0,24}\d)?"

# ---- what announces a figure, and what may stand between
_GLUE_WORDS = _either(
    "de|del|ciudadan[ií]a|extranjer[ií]a|identidad|n[uú]meros?|nro|no|num|n|es|el|la|los|las|mi|su|con|al",
    r"celular|m[oó]vil|fijo|personal|whats\s?app|tel[eé]fono|ahorros?|corriente|bancaria|terminad[oa]|en",
    r"bancolombia|davivienda|nequi|daviplata|banco\s+(?:de\s+)?\w+|contacto|que|expedida|vigente"
    r"|era|ser[ií]a",
    "colombiana|o|y|a",
)
_GLUE = rf"(?:[\s:.,;#°º=-]|\b(?:{_GLUE_WORDS})\b){{0,12}}"
_TRIGGERS = {
    "CEDULA": _either(
        r"\bc[eé]dulas?|\bc\.\s?c\.?|\bcc\b|\bidentificad[oa]s?|\bdocumento|\bt\.\s?i\.",
        r"\btarjeta de identidad|\bc\.\s?e\.|\bpasaporte|\bnuip|\bregistro civil",
    ),
    "NIT": r"\bn\.?\s?i\.?\s?t\b\.?|\brut\b",
    "TELEFONO": _either(
        r"\btel[eé]fonos?|\btels?\b\.?|\bcelular(?:es)?|\bcel\b\.?|\bm[oó]vil|\bwhats\s?app|\bpbx|\bfijo",
        r"\bl[ií]nea|\bcontacto|\bllam(?:ar(?:me|lo|la)?|e(?:me|n)?)\s+al|\bmarcar?\s+al"
        r"|\bescrib\w+\s+al|\bfax",
    ),
    "CUENTA": _either(
        r"\bcuenta\s+(?:de\s+ahorros?|corriente|bancaria|bancolombia|davivienda|nequi|daviplata|n[uú]mero|nro"
        r"|no\b|n[°º]|#|de\s+nequi|del?\s+banco\s+\w+(?:\s+\w+)?)",
        r"\bnequi|\bdaviplata|\bcta\b\.?",
    ),
    "TARJETA": r"\btarjeta\s+(?:de\s+)?(?:cr[eé]dito|d[eé]bito)",
}
# fewest and most digits
_SIZES = {"CEDULA": (6, 11), "NIT": (8, 11), "TELEFONO": (7, 12), "CUENTA": (6, 20), "TARJETA": (13, 19)}
_TRIGGERED = {
    kind: re.compile(rf"(?:{trigger}){_GLUE}(?<![\d$])({_FIGURE}|{_SPOKEN})", _I)
    for kind, trigger in _TRIGGERS.items()
}
_CHECK_DIGIT = re.compile(r"\s?[-–]\s?\d\b")

# ---- what makes a figure something else
_UNITS = _either(
    r"pesos|millones|mil(?:l[oó]n)?\b|cop\b|d[oó]lares|usd|habitantes|metros|m2|hect[aá]reas|kil[oó]metros|%",
    r"por\s+ciento|usuarios|familias|personas|a[nñ]os",
)
_MONEY_AFTER = re.compile(rf"\s*(?:de\s+)?(?:{_UNITS})", _I)
_MONEY_HEADS = (
    r"\$|\bcop|\busd|\bvalor(?: de| total)?|\bsuma de|\bmonto de|\bpresupuesto de|\bcosto de|\btotal de|\bpor"
)
_MONEY_BEFORE = re.compile(rf"(?:{_MONEY_HEADS})\s*\$?\s*$", _I)
_ACTS = _either(
    "acuerdos?|ley(?:es)?|decretos?|resoluci[oó]n(?:es)?|art(?:[ií]culos?)?|ordenanza|sentencia"
    "|auto|circular",
    "oficio|contratos?|convenio|radicad[oa]s?|expediente|proceso|c[oó]digo|bpin|bpim|cdp|crp|rp|p[oó]liza",
    "factura|matr[ií]cula(?: inmobiliaria)?|catastral|ficha|acta|folio|predio|registro presupuestal",
    "certificado|rubro|numeral|licitaci[oó]n|orden|conpes|secop|serial|referencia|proyecto",
    "n[uú]mero de proceso|consecutivo|guía|tiquete|turno",
)
_ACT_GLUE = _either(
    "de|del|la|el|n[uú]mero|nro|no|n|compraventa|obra|suministro|prestaci[oó]n|servicios|disponibilidad",
    "presupuestal|inmobiliaria|catastral|interno|es|municipal",
)
_ACT_BEFORE = re.compile(rf"\b(?:{_ACTS})\b(?:[\s:.#°º-]|\b(?:{_ACT_GLUE})\b){{0,8}}$", _I)

# ---- numbers that need no announcement
_CEDULA_BARE = re.compile(r"(?<![\d.,$])1[.\s]?\d{3}\.\d{3}\.\d{3}(?![.,]?\d)")
_NIT_BARE = re.compile(r"(?<![\d.,$])(\d{3}\.?\d{3}\.?\d{3})\s?[-–]\s?(\d)(?!\d|[-.]\d)")
_CARD = re.compile(r"(?<![\d.])(?:\d{4}[ -]?){3}\d{1,7}(?![\d.]\d|\d)")

# ---- the network
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}\b", _I)
_SPOKEN_SIGN = r"(?:punto|gui[oó]n(?:\s+bajo)?|raya(?:\s+al\s+piso)?|underscore)"
_EMAIL_SPOKEN = re.compile(
    rf"\b[\w.]+(?:\s+{_SPOKEN_SIGN}\s+[\w.]+)*\s*\(?(?:\barroba\b|@)\)?\s*"
    r"[\w-]+(?:\s+(?!punto\b)[\w-]+){0,2}(?:\s*(?:\bpunto\b|\.)\s*(?:[a-z]\w+))+",
    _I,
)
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}(?![\w:])", _I)
_IP_WORD = re.compile(r"\b(?:ip|ips|ipv4|servidor|equipo|host|router|direcci[oó]n|c[aá]mara)\b", _I)

# ---- vehicles
_LETTER_NAMES = "be|ce|de|efe|ge|hache|jota|ka|ele|eme|ene|pe|cu|erre|ere|ese|te|uve|ve|equis|zeta|ye|[a-zñ]"
_PLATE_LETTERS = (
    rf"(?:[a-zñ]{{3}}|[a-zñ](?:[\s-]+[a-zñ]){{2}}|(?:(?:{_LETTER_NAMES})\s+){{2}}(?:{_LETTER_NAMES}))"
)
_PLATE_GLUE = r"n[uú]mero|no|de|la|el|es|son|identificad[oa]|con|veh[ií]culo|moto|carro"
_PLATE_SAID = re.compile(
    rf"\b(?:placas?|matr[ií]cula\s+vehicular)\b(?:[\s:.#]|\b(?:{_PLATE_GLUE})\b){{0,6}}"
    rf"({_PLATE_LETTERS}[\s-]*(?:\d{{2,3}}(?:\s?[a-z]\b)?|{_SPOKEN}(?:\s+[a-z]\b)?))",
    _I,
)
_PLATE_FIGURE = re.compile(rf"(?:\d|\b(?:{_NUMBER_WORDS})\b)", _I)
_PLATE_SEEN = re.compile(r"\b[A-ZÑ]{3}[ -]?\d{3}\b|\b[A-ZÑ]{3}[ -]?\d{2}[A-Z]\b")
_VEHICLES = _either(
    r"veh[ií]culos?|carros?|motos?|motocicletas?|taxis?|camionetas?|volquetas?|bus(?:es|etas?)?",
    r"autom[oó]vil(?:es)?|camion(?:es)?|tractocami[oó]n|ambulancia|patrulla",
)
_VEHICLE = re.compile(rf"\b(?:{_VEHICLES})\b", _I)

# ---- birth dates
_MONTHS = "enero|febrero|marzo|abril|mayo|junio|julio|agosto|sep?tiembre|octubre|noviembre|diciembre"
_DATE = _either(
    r"\d{1,2}\s*[/.-]\s*\d{1,2}\s*[/.-]\s*(?:19|20)?\d\d",
    r"\d{4}-\d\d-\d\d",
    rf"(?:\d{{1,2}}|\w+)\s+de\s+(?:{_MONTHS})\s+(?:de|del)\s+(?:\d{{4}}|mil\s+\w+(?:\s+\w+){{0,4}})",
)
_BORN = re.compile(
    r"\b(?:naci[oó]|nacid[oa]|nacimiento|naci[eé])\b(?:[\s:,]|\b(?:el|en|fecha|de|d[ií]a|es)\b){0,8}"
    rf"({_DATE})",
    _I,
)

# ---- addresses
_ROADS = _either(
    "carrera|cra|kra|krr|kr|cr|calle|cll|clle|cl|avenida|avda|av|diagonal|diag|dg|transversal|transv|trans",
    "tv|trv|circular|ac|ak",
)
_ROAD = rf"\b(?:{_ROADS})\b\.?"
_HOUSE = r"\d{1,3}\s?(?:[a-h]\b)?(?:\s?bis\b)?(?:\s?[a-h]\b)?(?:\s?(?:sur|norte|este|oeste)\b)?"
_MARK = r"(?:#|\bn[uú]mero\b|\bnum\b\.?|\bnro\b\.?|\bno\b\.?|\bn[°º.]|[°º])"
_CAPITALISED = r"[A-ZÁÉÍÓÚÑ][\wáéíóúñ]+"
_PLACE_NAME = (
    rf"(?:{_CAPITALISED}(?:(?:\s+(?:de|del|la|las|los|el)){{0,2}}\s+(?:{_CAPITALISED}|\d{{1,2}}\b)){{0,3}})"
)
_UNITS_OF_HOUSE = (
    "apartamento|apto|ap|casa|interior|int|piso|torre|bloque|bl|oficina|of|local|manzana|mz|lote|etapa"
)
_QUARTERS = r"barrio|urbanizaci[oó]n|urb\.?|conjunto(?:\s+residencial)?|edificio|vereda|sector|ciudadela"
_SAID_FIGURE = rf"{_W}(?:\s+(?:y\s+)?{_W})*"
_INSIDE = (
    rf"(?:\s*[,;–-]?\s*\b(?i:{_UNITS_OF_HOUSE})\b\.?\s*"
    rf"(?:(?i:n[uú]mero|no\.?|#)\s*)?(?:[A-Za-z]?\d{{1,4}}[A-Za-z]?\b|[A-Z]\b|(?i:{_SAID_FIGURE}\b))"
    rf"|\s*[,;–-]?\s*(?:(?i:del|en\s+el|de\s+la|en\s+la)\s+)?\b(?i:{_QUARTERS})\s+{_PLACE_NAME})*"
)
_ADDRESS = (
    # "Cra. 23 # 45-56"
    re.compile(
        rf"(?i:{_ROAD})\s*(?i:{_HOUSE})\s*[,]?\s*(?i:{_MARK})\s*(?i:{_HOUSE})\s*"
        rf"(?:[-–]|\bguion\b|\s)\s*\d{{1,3}}\b{_INSIDE}"
    ),
    # "Cra. 23 45-56", but no date and no range
    re.compile(
        rf"(?i:{_ROAD})\s*(?i:{_HOUSE})\s+\d{{1,3}}\s?[A-Ha-h]?\s*[-–]\s*\d{{1,3}}\b(?!\s*[-–/]\s*\d){_INSIDE}"
    ),
    # "carrera veintitrés número cuarenta y cinco cincuenta y seis"
    re.compile(
        rf"(?i:{_ROAD}\s+{_SPOKEN}(?:\s+[a-h]\b)?(?:\s+bis\b)?(?:\s+(?:sur|norte)\b)?[\s,]+"
        rf"(?:n[uú]mero|con\s+n[uú]mero|#)\s+{_SPOKEN}(?:\s+[a-h]\b)?"
        rf"(?:[\s,]+(?:gui[oó]n|raya|y)?\s*{_SPOKEN})?){_INSIDE}"
    ),
    # "manzana 3 casa 12"
    re.compile(
        rf"(?i:\b(?:manzana|mz)\b\.?\s*(?:{_SAID_FIGURE}|[a-z]{{1,2}}\d?)\b\s*,?\s*"
        rf"\b(?:casa|cs|lote|lt)\b\.?\s*(?:n[uú]mero|no\.?|#)?\s*(?:\d{{1,3}}[a-z]?"
        rf"|{_SAID_FIGURE})\b){_INSIDE}"
    ),
)
_LIVING = _either(
    "resid(?:e|o|en|ente|entes|enciad[oa]|encia)|viv(?:e|o|en|imos|iendo)|domiciliad[oa]|habit(?:a|o|ante)",
    "vecin[oa]|moradora?",
)
_LIVES = re.compile(
    rf"\b(?i:{_LIVING})\b(?:\s+(?i:aqu[ií]|ah[ií]|all[aá]))?\s+(?i:en|del?)\s+(?:(?i:el|la)\s+)?"
    r"((?i:barrio|vereda|urbanizaci[oó]n|conjunto(?:\s+residencial)?|edificio|finca)\s+"
    rf"(?:{_PLACE_NAME}|[a-záéíóúñ]+(?:\s+[a-záéíóúñ]{{4,}})?))"
)
_QUARTER_TAIL = re.compile(r"\b(?:barrio|urbanizacion|sector|vereda)\b.*")


def digits(text: str, read_number: ReadNumber) -> str:
    """The digits of a figure or of a spoken run: "trescientos doce cuatro cinco" -> "31245"."""
    if not re.search(r"[^\W\d_]", text):
        return re.sub(r"\D", "", text)
    words = [fold(w) for w in re.findall(r"\w+", text)]
    out, i = "", 0
    while i < len(words):
        if words[i].isdigit():
            out += words[i]
            i += 1
            continue
        value, after = read_number(words, i)
        if after > i:
            out += str(value)
        i = max(after, i + 1)
    return out


def _is_money(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - WEIGHTS.money_reach) : start]
    return bool(_MONEY_AFTER.match(text, end) or _MONEY_BEFORE.search(before))


def _is_act(text: str, start: int) -> bool:
    """Is the figure at `start` the number of a law, a contract, a file?"""
    return bool(_ACT_BEFORE.search(text[max(0, start - WEIGHTS.act_reach) : start]))


def _figure_end(text: str, start: int, end: int, most: int) -> int:
    """End of the run of figures that still belongs: after a blank something else may start."""
    cut = text[start:end]
    while sum(c.isdigit() for c in cut) > most:
        at = max(cut.rfind(" "), cut.rfind("-"))
        if at <= 0:
            break
        cut = cut[:at]
    return start + len(cut.rstrip(" .-–'\n\t"))


def _announced(text: str, read_number: ReadNumber) -> Iterator[Datum]:
    """Figures after the word that says what they are."""
    for kind, pattern in _TRIGGERED.items():
        low, high = _SIZES[kind]
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if text[start].isdigit():
                end = _figure_end(text, start, end, high)
            if kind == "NIT" and (tail := _CHECK_DIGIT.match(text[end:])):
                end += tail.end()
            value = digits(text[start:end], read_number)
            if not low <= len(value) <= high or _is_money(text, start, end):
                continue
            if kind == "TELEFONO" and len(value) == 11:
                continue  # ten digits, or twelve with +57
            yield Datum(start, end, kind, value)


def _phones(text: str, read_number: ReadNumber) -> Iterator[Datum]:
    """Numbers of the Colombian numbering plan, written or said."""
    if re.search(r"\d[\d\s().-]{5,}\d", text):
        import phonenumbers

        for phone in phonenumbers.PhoneNumberMatcher(text, "CO", leniency=phonenumbers.Leniency.VALID):
            if not _is_act(text, phone.start) and not _is_money(text, phone.start, phone.end):
                yield Datum(phone.start, phone.end, "TELEFONO", str(phone.number.national_number))
    for match in _SPOKEN_RUN.finditer(text):
        if re.search(r"mil", match[0], _I) or _is_act(text, match.start()) or _is_money(text, *match.span()):
            continue
        value = digits(match[0], read_number)
        if len(value) == 12 and value.startswith("57"):
            value = value[2:]
        if len(value) == 10 and (value[0] == "3" or value[:2] == "60"):
            yield Datum(*match.span(), "TELEFONO", value)


def _documents(text: str) -> Iterator[Datum]:
    """Cédulas by their dots, NIT and cards by their check digit."""
    from stdnum import luhn
    from stdnum.co import nit

    for match in _CEDULA_BARE.finditer(text):
        if not _is_money(text, *match.span()) and not _is_act(text, match.start()):
            yield Datum(*match.span(), "CEDULA", re.sub(r"\D", "", match[0]))
    for match in _NIT_BARE.finditer(text):
        number = re.sub(r"\D", "", match[0])
        if nit.is_valid(number):
            yield Datum(*match.span(), "NIT", number)
    for match in _CARD.finditer(text):
        number = re.sub(r"\D", "", match[0])
        card = 13 <= len(number) <= 19 and number[0] in "3456" and luhn.is_valid(number)
        if card and not _is_act(text, match.start()):
            yield Datum(*match.span(), "TARJETA", number)


def _network(text: str) -> Iterator[Datum]:
    """E-mail, written or said, and IP addresses."""
    for match in _EMAIL.finditer(text):
        yield Datum(*match.span(), "CORREO", match[0].lower())
    if re.search("arroba|@", text, _I):
        for match in _EMAIL_SPOKEN.finditer(text):
            yield Datum(*match.span(), "CORREO", _email_value(match[0]))
    for pattern in (_IP4, _IP6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            near = _IP_WORD.search(text[max(0, match.start() - WEIGHTS.network_reach) : match.start()])
            # "2.2.1.1" is the number of an article
            big = address.version == 6 or sum(int(octet) >= 10 for octet in match[0].split(".")) >= 2
            if (near or big) and not _is_act(text, match.start()):
                yield Datum(*match.span(), "IP", str(address))


def _email_value(said: str) -> str:
    """ "ana punto rios arroba correo punto co" -> "ana.rios@correo.co"."""
    value = re.sub(r"\s*\bpunto\b\s*", ".", said.lower())
    value = re.sub(r"\s*\barroba\b\s*", "@", value)
    value = re.sub(r"\s*\bgui[oó]n bajo\b\s*", "_", value)
    value = re.sub(r"\s*\bgui[oó]n\b\s*", "-", value)
    return re.sub(r"\s+", "", value)


def _plates(text: str, read_number: ReadNumber) -> Iterator[Datum]:
    """Plates after "placa", or written as plates are near a vehicle."""
    for match in _PLATE_SAID.finditer(text):
        figure = _PLATE_FIGURE.search(match[1])
        if figure:
            letters = re.sub(r"\W", "", match[1][: figure.start()]).lower()
            yield Datum(*match.span(1), "PLACA", letters + digits(match[1][figure.start() :], read_number))
    for match in _PLATE_SEEN.finditer(text):
        if _VEHICLE.search(text[max(0, match.start() - WEIGHTS.vehicle_reach) : match.start()]):
            yield Datum(*match.span(), "PLACA", re.sub(r"\W", "", match[0]).lower())


def _homes_and_births(text: str, read_number: ReadNumber) -> Iterator[Datum]:
    """Addresses, where somebody lives, when somebody was born."""
    for pattern in _ADDRESS:
        for match in pattern.finditer(text):
            yield Datum(*match.span(), "DIRECCION", _address_value(match[0], read_number))
    for match in _LIVES.finditer(text):
        yield Datum(*match.span(1), "DIRECCION", fold(" ".join(match[1].split())))
    for match in _BORN.finditer(text):
        yield Datum(*match.span(1), "NACIMIENTO", fold(" ".join(match[1].split())))


# how a road is written -> one code for each kind; the first that fits counts
_ROAD_CODES = {
    "cal": "cl",
    "ca": "cr",
    "cr": "cr",
    "k": "cr",
    "cl": "cl",
    "av": "av",
    "ac": "av",
    "ak": "av",
    "di": "di",
    "dg": "di",
    "t": "t",
    "m": "m",
}


def _address_value(said: str, read_number: ReadNumber) -> str:
    """Road and numbers only: "Cra. 23 # 45-56" and "carrera veintitrés número 45 56" are one place."""
    key = fold(said)
    road = next((code for start, code in _ROAD_CODES.items() if key.startswith(start)), "x")
    return road + digits(_QUARTER_TAIL.sub("", key), read_number)


# of finds that overlap, the longer wins; among equals the one that says more
_RANK = {
    kind: rank
    for rank, kind in enumerate(
        ("CORREO", "DIRECCION", "TARJETA", "NIT", "CUENTA", "CEDULA", "TELEFONO", "IP", "PLACA", "NACIMIENTO")
    )
}


def _precedence(find: Datum) -> tuple[int, int, int]:
    """E-mail and addresses first: they hold figures that look like something else."""
    rank = _RANK[find.type]
    return min(rank, 2), find.start - find.end, rank


def find_structured(text: str, read_number: ReadNumber) -> list[Datum]:
    """Every structured datum of a text, without overlaps, in order; the longer and more specific one wins."""
    found = [*_network(text)]
    if re.search(r"\d", text) or _SPOKEN_RUN.search(text):
        found += [*_announced(text, read_number), *_phones(text, read_number), *_documents(text)]
    found += [*_plates(text, read_number), *_homes_and_births(text, read_number)]
    kept: list[Datum] = []
    for one in sorted(found, key=_precedence):
        if all(one.end <= k.start or one.start >= k.end for k in kept):
            kept.append(one)
    return sorted(kept, key=lambda datum: datum.start)
