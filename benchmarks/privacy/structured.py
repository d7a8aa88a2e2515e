"""Constructed Colombian data, written and spoken, and decoys: figures of law, money and contracts."""

from __future__ import annotations

import random

from stdnum import luhn
from stdnum.co import nit as nit_number

from .corpora import Gold

_UNITS = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
    "diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco "
    "veintiséis veintisiete veintiocho veintinueve"
).split()
_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split()


def words(number: int) -> str:
    """A number in Spanish words, below a thousand million."""
    if number < 30:
        return _UNITS[number]
    if number < 100:
        return _TENS[number // 10 - 3] + (f" y {_UNITS[number % 10]}" if number % 10 else "")
    if number == 100:
        return "cien"
    if number < 1000:
        return _HUNDREDS[number // 100 - 1] + (f" {words(number % 100)}" if number % 100 else "")
    big, name = (number // 1_000_000, "millones") if number >= 1_000_000 else (number // 1000, "mil")
    rest = number % (1_000_000 if number >= 1_000_000 else 1000)
    head = (
        "un millón"
        if (big, name) == (1, "millones")
        else "mil"
        if (big, name) == (1, "mil")
        else f"{_apocope(words(big))} {name}"
    )
    return f"{head} {words(rest)}" if rest else head


def _apocope(text: str) -> str:
    return (
        text[:-4] + "veintiún"
        if text.endswith("veintiuno") and text == "veintiuno"
        else text[:-3] + "un"
        if text.endswith("uno")
        else text
    )


def _dots(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def cedula(r: random.Random) -> tuple[str, str]:
    number = r.choice(
        (
            r.randint(10_000_000, 99_999_999),
            r.randint(1_000_000_000, 1_199_999_999),
            r.randint(1_000_000, 9_999_999),
        )
    )
    form = r.choice(
        (_dots(number), str(number), _dots(number), words(number) if number < 10**9 else _dots(number))
    )
    return form, r.choice(
        (
            "identificado con cédula de ciudadanía No. {x}",
            "con C.C. {x}",
            "mi cédula es {x}",
            "cédula {x} expedida en el municipio",
            "CC {x}",
            "identificada con cédula número {x}",
            "con cédula de ciudadanía {x}",
            "documento de identidad {x}",
        )
    )


def nit(r: random.Random) -> tuple[str, str]:
    number = str(r.randint(800_000_000, 901_999_999))
    check = nit_number.calc_check_digit(number)
    form = r.choice((f"{_dots(int(number))}-{check}", f"{number}-{check}", f"{_dots(int(number))} - {check}"))
    return form, r.choice(
        (
            "la firma con NIT {x}",
            "NIT: {x}",
            "la sociedad ({x}) cumplió",
            "N.I.T. {x}",
            "empresa identificada con NIT {x}",
        )
    )


_OPERATORS = "00 01 02 10 11 12 13 14 15 16 17 18 20 21 22".split()


def phone(r: random.Random) -> tuple[str, str]:
    if r.random() < 0.2:
        digits = f"60{r.choice('124567')}{r.randint(2, 8)}{r.randint(100000, 999999)}"
        form = r.choice(
            (digits, f"({digits[:3]}) {digits[3:6]} {digits[6:]}", f"+57 {digits[:3]} {digits[3:]}")
        )
    else:
        digits = f"3{r.choice(_OPERATORS)}{r.randint(0, 9_999_999):07d}"
        a, b, c, d = digits[:3], digits[3:6], digits[6:8], digits[8:]
        form = r.choice(
            (
                digits,
                f"{a} {b} {c}{d}",
                f"{a}-{b}-{c}{d}",
                f"{a} {b} {c} {d}",
                f"+57 {a} {b} {c}{d}",
                f"{a}.{b}.{c}{d}",
                " ".join(words(int(x)) for x in digits),
                ", ".join(words(int(x)) for x in digits),
                " ".join((words(int(a)), *(words(int(x)) for x in b), _two(c), _two(d))),
                " ".join(
                    (
                        words(int(a)),
                        words(int(b)) if b[0] != "0" else " ".join(words(int(x)) for x in b),
                        _two(c),
                        _two(d),
                    )
                ),
            )
        )
    return form, r.choice(
        (
            "llámeme al {x}",
            "mi celular es {x}",
            "el teléfono {x}",
            "contacto: {x}",
            "se puede comunicar al {x} en la tarde",
            "WhatsApp {x}",
            "anote {x} por favor",
        )
    )


def _two(digits: str) -> str:
    return words(int(digits)) if digits[0] != "0" else " ".join(words(int(x)) for x in digits)


def email(r: random.Random) -> tuple[str, str]:
    user, host, top = (
        r.choice(("ana", "jrios", "quejas", "maria", "veeduria", "contacto")),
        r.choice(("correo", "gmail", "concejo", "empresa")),
        r.choice(("com", "co", "com.co", "gov.co", "org")),
    )
    middle = r.choice(("", ".perez", "_vega", str(r.randint(1, 99)), "-rio"))
    form = f"{user}{middle}@{host}.{top}"
    if r.random() < 0.4:
        form = (
            form.replace("@", " arroba ")
            .replace(".", " punto ")
            .replace("_", " guion bajo ")
            .replace("-", " guion ")
        )
    return form, r.choice(
        ("escriba a {x}", "el correo es {x}", "correo electrónico: {x}", "lo envía a {x} mañana")
    )


def address(r: random.Random) -> tuple[str, str]:
    a, b, c = r.randint(1, 120), r.randint(1, 99), r.randint(1, 99)
    road = r.choice(
        (
            "Cra.",
            "Carrera",
            "Cl.",
            "Calle",
            "Cll",
            "Kr",
            "Av.",
            "Avenida",
            "Diagonal",
            "Transversal",
            "Cra",
            "Tv.",
        )
    )
    letter = r.choice(("", "", "", "A", " B", " bis", " Sur"))
    if r.random() < 0.3:
        form = (
            f"{r.choice(('calle', 'carrera', 'avenida', 'diagonal', 'transversal'))} {words(a)} número "
            f"{words(b)} {words(c)}"
        )
    elif r.random() < 0.12:
        form = f"manzana {r.randint(1, 40)} casa {r.randint(1, 60)}"
    else:
        mark = r.choice(("#", "# ", "No. ", "N° ", "número "))
        house = f"{b}{r.choice(('', '', 'A'))}{r.choice(('-', ' - ', '–'))}{c}"
        inside = r.choice(("", "", " apto 301", ", casa 4", ", barrio La Ladera"))
        form = f"{road} {a}{letter} {mark}{house}{inside}"
    return form, r.choice(
        (
            "vive en la {x}",
            "residente en {x}",
            "dirección: {x}",
            "en la {x} hay un hueco",
            "notificaciones en {x}",
        )
    )


def plate(r: random.Random) -> tuple[str, str]:
    letters = "".join(r.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(3))
    digits = f"{r.randint(0, 999):03d}"
    form = r.choice(
        (
            letters + digits,
            f"{letters} {digits}",
            f"{letters}-{digits}",
            f"{letters}{digits[:2]}{r.choice('ABCDEFG')}",
            " ".join(letters.lower()) + " " + " ".join(words(int(x)) for x in digits),
        )
    )
    return form, r.choice(
        ("vehículo de placas {x}", "la placa {x}", "placa: {x}", "la volqueta de placa {x}")
    )


def account(r: random.Random) -> tuple[str, str]:
    digits = str(r.randint(10**9, 10**11 - 1))
    form = r.choice(
        (digits, f"{digits[:3]}-{digits[3:9]}-{digits[9:]}".rstrip("-"), f"{digits[:3]} {digits[3:]}")
    )
    return form, r.choice(
        (
            "cuenta de ahorros {x}",
            "cuenta corriente No. {x}",
            "cuenta bancaria número {x}",
            "la cuenta de ahorros del Banco Agrario {x}",
            "consignó en la cuenta número {x}",
        )
    )


def address_ip(r: random.Random) -> tuple[str, str]:
    first = r.choice((10, 172, 181, 186, 190, 192, 200))
    form = f"{first}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"
    return form, r.choice(("desde la IP {x}", "el servidor {x}", "dirección IP {x}", "equipo {x}"))


def card(r: random.Random) -> tuple[str, str]:
    body = r.choice("45") + "".join(r.choice("0123456789") for _ in range(14))
    number = body + luhn.calc_check_digit(body)
    form = r.choice(
        (
            number,
            " ".join(number[i : i + 4] for i in range(0, 16, 4)),
            "-".join(number[i : i + 4] for i in range(0, 16, 4)),
        )
    )
    return form, r.choice(("tarjeta de crédito {x}", "pagó con la tarjeta {x}", "número {x}"))


def born(r: random.Random) -> tuple[str, str]:
    day, month, year = (
        r.randint(1, 28),
        r.choice(("enero", "marzo", "junio", "septiembre", "diciembre")),
        r.randint(1940, 2005),
    )
    form = r.choice(
        (
            f"{day} de {month} de {year}",
            f"{day:02d}/{r.randint(1, 12):02d}/{year}",
            f"{day} de {month} del {year}",
        )
    )
    return form, r.choice(("nació el {x}", "fecha de nacimiento: {x}", "nacida el {x}"))


MAKERS = {
    "CEDULA": cedula,
    "NIT": nit,
    "TELEFONO": phone,
    "CORREO": email,
    "DIRECCION": address,
    "PLACA": plate,
    "CUENTA": account,
    "IP": address_ip,
    "TARJETA": card,
    "NACIMIENTO": born,
}
DECOYS = (
    "El Acuerdo {a} de {y} sigue vigente",
    "se destinaron ${m} millones",
    "según el art. {s} de la Ley {a} de {y}",
    "la Resolución {b} de {y}",
    "el Decreto {a} de {y}, artículo 2.2.{s}.1.{s}",
    "el contrato {p} fue liquidado",
    "radicado No. {p}",
    "expediente {y}-{b}-00",
    "un presupuesto de ${d}",
    "por valor de {d} pesos",
    "la suma de {d} pesos",
    "BPIN {y}{b}0042",
    "certificado de disponibilidad presupuestal {b}",
    "en el folio {s} del acta {a}",
    "son {d} habitantes",
    "mide {s}.{a} metros",
    "el {s} % de los usuarios",
    "la carrera {s} con calle {s} está cerrada",
    "la calle {s} tiene huecos",
    "de {y} a {y}",
    "a las {h}:30 a. m.",
    "{w} millones de pesos",
    "{w} familias y {w} predios",
    "el proyecto {a} pasó a segundo debate",
    "vigencia {y}, rubro {s}.{s}.{s}.{s}",
    "matrícula inmobiliaria 100-{b}",
    "la ruta {s} y el bus {a}",
    "la manzana {s} del sector",
    "el punto {s} del orden del día",
    "proceso SECOP {p}",
    "el CDP {b} y el RP {b}",
    "se recaudaron {d} COP",
    "la cuenta de cobro suma ${d}",
    "el teléfono no contesta desde {y}",
    "pidió la placa conmemorativa de {y}",
    "la cédula catastral está en revisión desde {y}",
    "cuenta con {d} de pesos",
    "sentencia T-{a} de {y}",
)


def structured(items: int, decoys: int, seed: int) -> tuple[list[tuple[str, Gold]], Gold]:
    """`items` sentences with one datum each, by type, and `decoys` sentences with none."""
    r = random.Random(seed)
    made = []
    kinds = list(MAKERS)
    starts = (
        "Informó que ",
        "Pidió tener en cuenta que ",
        "mire presidente ",
        "El ciudadano dijo: ",
        "",
        "Se dejó constancia: ",
    )
    ends = ("", ".", " y pidió respuesta.", ", gracias", " desde hace dos meses")
    for i in range(items):
        kind = kinds[i % len(kinds)]
        form, frame = MAKERS[kind](r)
        head, tail = frame.split("{x}")
        text = r.choice(starts) + head
        span = (len(text), len(text) + len(form))
        made.append((kind, Gold([text + form + tail + r.choice(ends)], [[span]])))
    texts = []
    for _ in range(decoys):
        text = r.choice(starts) + r.choice(DECOYS)
        while "{" in text:
            at = text.index("{")
            slot = text[at + 1]
            value = {
                "a": f"{r.randint(1, 1999):04d}",
                "y": str(r.randint(1991, 2026)),
                "m": _dots(r.randint(100, 99_999)),
                "s": str(r.randint(2, 99)),
                "b": str(r.randint(1000, 999_999)),
                "p": str(r.randint(3_000_000_000, 3_229_999_999)),
                "d": _dots(r.randint(1_000_000, 1_999_999_999)),
                "h": str(r.randint(7, 11)),
                "w": words(r.randint(101, 999_999)),
            }[slot]
            text = text[:at] + value + text[at + 3 :]
        texts.append(text + r.choice(ends))
    return made, Gold(texts, [[] for _ in texts])
