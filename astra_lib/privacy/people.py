"""Where people are named in a Spanish text: roster, role words, name lists, and what the document already gave away.

Every finder returns `Mention`s on the text's own character offsets. They are generous: what they agree on is decided
by whoever merges them. Case is read per text, because minutes, capitals and a recogniser's lower case follow
different rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ..core.errors import InputError
from ..spanish.words import fold, is_spanish_word, phonetic
from ..spanish.lists import (
    FUNCTION_WORDS,
    GEOGRAPHIC,
    GIVEN,
    INSTITUTION_HEADS,
    PARTICLES,
    PLACES,
    ROLES,
    SAINTS,
    SURNAMES,
)

_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BREAK = re.compile(r"[.!?:;\n•\t\"“”«»()¿¡]")
_COURTESY = frozenset(
    "honorable honorables h c hc hh doctor doctora dr dra senor senora sr sra don dona ingeniero ingeniera arquitecto arquitecta "
    "abogado abogada licenciado licenciada ing arq lic mg phd general municipal encargado encargada (e) distinguido distinguida "
    "estimado estimada querido querida apreciado apreciada electo electa".split()
)
# surnames and given names that speech uses as words all the time
COMMON = frozenset(
    """
bueno claro ante calle casas llano llanos mesa plaza puerta puertas camino valle campo campos cuenta rey reyes julio casa blanco
cruz paz sol luz mar flor gloria esperanza rosa victoria consuelo mercedes milagros socorro amparo soledad concepcion pilar piedad
dolores lagos rincon puente puentes fuentes fuente torres torre castillo castilla palacio palacios mina moral prado costa sierra rueda
caro claros cuadros cuero oliva olivares robles salas salinas santos segura serna tello toro toros vaca leon lobo gallo gallego zorro delgado gordo rubio moreno
pardo negrete alegria angel angeles salvador inocencia clemente justo benigno domingo segundo primitivo maximo maximiliano cesar
franco grande bello hermosa hermoso guerra guerrero marin marino montes monte moya mora morales nieves nava navas nieto ojeda parra paredes
pasos pena pino pinos pinto pintor plata polo porras posada pozo presa rico rios rivera roca roman romero rosario sala sosa soto tapia tapias tello
tres vega vera verdugo vidal villa vivas yepes solano solis serrano alma aura aurora estrella perla linda bruno ciro leal marcos lucia pastora placido
ramos rocio valencia medina mercado mesa molina cordoba sevilla zamora america asia francia colorado conde corral corrales cuervo cuesta cuevas daza debia espejo espinal
espinosa falla flores gil granada granados higuera hoyos hierro jurado ledesma lema lemus linares lora luna macias manzano mata maya miranda mojica mota munera naranjo
navarro oso padilla padron palma palomino panesso patino paz peralta perea posso potes pulgar pulgarin quesada redondo rendon san santa santacruz real severo sixto tito urbano varon
viana dias candelaria corredor cadena caballero cabrera bravo botero borja borda barrios barco bocanegra batista bastidas banquero banguero aza azuero arroyo arenas arena arco arcos
pedraza pedrozo fierro ferro escudero escalante enciso duro duran dorado donado coral coronel coronado cortes corte cobo cobos cerda cerezo cepeda carrera carrero carrillo carpio caro
cano canas campo calvo calero cabal abril agosto junio mayo haber sera hay este esta estos esa jimena vicenta ada ido
norma rojas candela ribera rato dan sean salva miren lleva llera barrera pages page recio royo palau pazos pastor plana planas pla mayor sala serra segura savater tierno torrens vila villa
cabra canals clos camps cebrian donoso redondo reverter tejero valverde villaverde retegui pico pons porta portillo portabella quiros rico rull pau pique ros ron sol tete
anzola barcia becerril cabello cantero cascante centeno chalan cogollo colina concha copete cueto doria encinales eslava fique flautero
gavilanes hidalgo huertas lazo macea madrigal maduro matute montano morillo moros olmedo parada pareja pava pomares rozo serpa tirado veloz
vidales viera zafra
caridad elias eva tania sara ines abel adela celeste constanza prudencia trinidad asuncion gracia fe virginia florencia cristal cristo cristobal jesus dios maria
""".split()
)
WEAK_ROLES = frozenset(
    "presidente presidenta secretario secretaria vicepresidente vicepresidenta general mayor padre madre hijo hija hermano hermana "
    "menor joven nino nina maestro maestra jefe jefa director directora comandante profesional auditor auditora representante "
    "usuario usuaria estudiante paciente amigo amiga comerciante artista nombre delegado delegada docente juez trabajadora tio tia "
    "abuelo abuela esposo esposa companero companera invitado invitada alcalde alcaldesa gerente concejales concejalas senores "
    "victima veterinaria lider contador contadora defensor defensora inspector inspectora habitante campesino campesina fiscal".split()
)
_OFFICE = frozenset(
    "de del la las los el y en para e general municipal encargado encargada departamental distrital nacional ejecutivo ejecutiva "
    "administrativo administrativa tecnico tecnica juridico juridica".split()
)
_HEAD_TAIL = frozenset(
    "educativa educativo municipal departamental nacional rural urbano urbana publica publico tecnica tecnico tecnologica de del la las "
    "los el normal superior mayor menor distrital oficial privada privado central comunal e integrado integrada infantil deportivo "
    "deportiva agropecuaria industrial comercial regional metropolitano metropolitana sur norte estatal eclesiastica religiosa cultural "
    "social vial internacional militar naval mixto mixta media basica primaria secundaria".split()
)


# "Ruiz del Río", "De la Torre"
_SURNAME_HEADS = frozenset(
    "torre iglesia rio fuente puente casa calle plaza vega hoz cruz villa valle llano cerro camino mar loma playa cuesta campo".split()
)
# of those, the ones that speech without capitals hardly uses after a name for anything else: "verónica de la torre"
_HEADS_SAID = frozenset(
    "torre iglesia hoz vega cruz rosa espriella ossa pava cisne fuente hoya cuesta".split()
)
_NOBLE = frozenset("de del di da dos van von der den du le bin ben".split())
# institutions that belong to people instead of being named after them: "el gobierno de X"
_OWNED = frozenset(
    "gobierno partido grupo proyecto plan programa ministerio embajada juzgado fiscalia tribunal policia nacion republica estado pais servicio "
    "comision camara empresa archivo casa finca hogar hacienda liga premio base camino circuito consejo concejo consorcio contraloria "
    "federacion foro unidad union linea mar puerto hotel restaurante revista compania academia reserva orquesta linea sociedad club "
    "sindicato asociacion cuenta departamento distrito provincia region".split()
)


@dataclass(frozen=True)
class Token:
    start: int
    end: int
    text: str
    key: str  # folded
    first: bool  # opens a sentence
    joined: bool  # only blanks since the token before

    @property
    def cap(self) -> bool:
        return self.text[0].isupper()

    @property
    def upper(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()


@dataclass(frozen=True)
class Mention:
    """`who`: the roster keys it may be (empty: not on the roster); `role`: what the words before it say; `name`: whose it is
    by its sound, folded words."""

    start: int
    end: int
    layer: str
    role: str = ""
    who: frozenset[str] = frozenset()
    score: float = 1.0
    name: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """One roster entry; `names` are folded tokens without particles, `surnames` the last two of three or more."""

    key: str
    name: str
    role: str
    party: str
    names: tuple[str, ...] = ()
    surnames: frozenset[str] = frozenset()


@dataclass
class Roster:
    """The council's people, with the lookups the finders need."""

    people: list[Person] = field(default_factory=list)
    by_name: dict[str, set[str]] = field(default_factory=dict)
    by_sound: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[dict[str, str]]) -> Roster:
        """From roster.json's rows `{key, name, role, party}`; `InputError` names the row that is not one."""
        roster = cls()
        for number, row in enumerate(rows):
            if not isinstance(row, dict) or not str(row.get("name", "")).strip():
                raise InputError(
                    "a roster row needs a name",
                    where=f"roster row {number}",
                    remedy="Rows are {key, name, role, party}",
                )
            names = tuple(t for t in (fold(w) for w in _TOKEN.findall(row["name"])) if t not in PARTICLES)
            surnames = frozenset(names[2:] if len(names) > 3 else names[1:])
            person = Person(
                str(row.get("key") or f"p{number}"),
                row["name"].strip(),
                row.get("role") or "",
                row.get("party") or "",
                names,
                surnames,
            )
            if any(p.key == person.key for p in roster.people):
                raise InputError(f"key {person.key!r} twice", where=f"roster row {number}")
            roster.people.append(person)
            for name in names:
                roster.by_name.setdefault(name, set()).add(person.key)
                roster.by_sound.setdefault(phonetic(name), set()).add(person.key)
        return roster

    def nearly(self, word: str) -> set[str]:
        """Who has a name that sounds like the word but for one letter (two in long names)?"""
        from rapidfuzz.distance import Levenshtein

        key = phonetic(word)
        if fold(word) in GIVEN or fold(word) in SURNAMES or is_spanish_word(word):
            return set()
        return {
            p
            for sound, people in self.by_sound.items()
            for p in people
            if len(sound) > 3
            and Levenshtein.distance(key, sound, score_cutoff=2) <= (1 if len(sound) < 8 else 2)
        }

    def person(self, key: str) -> Person:
        return next(p for p in self.people if p.key == key)


def tokenize(text: str) -> list[Token]:
    """Words with offsets; hyphens and apostrophes stay inside a word."""
    tokens: list[Token] = []
    last = 0
    for match in _TOKEN.finditer(text):
        gap = text[last : match.start()]
        tokens.append(
            Token(
                match.start(),
                match.end(),
                match[0],
                fold(match[0]),
                not tokens or bool(_BREAK.search(gap)),
                not gap.strip() and "\n" not in gap,
            )
        )
        last = match.end()
    return tokens


def letter_case(tokens: Sequence[Token]) -> str:
    """ "mixed" where capitals carry meaning, "upper" or "lower" where they do not."""
    words = [t for t in tokens if len(t.text) > 1]
    if not words:
        return "mixed"
    upper, cap = sum(t.upper for t in words) / len(words), sum(t.cap for t in words)
    if upper > 0.6:
        return "upper"
    inside = sum(t.cap and not t.first for t in words)
    return "lower" if cap == 0 or (len(words) > 12 and inside == 0 and cap < len(words) / 25) else "mixed"


def _listed(key: str) -> bool:
    return key in GIVEN or key in SURNAMES


def looks_like_name(key: str) -> bool:
    """On a list of names, or no Spanish word."""
    return _listed(key) or not is_spanish_word(key)


@lru_cache(maxsize=100_000)
def rare(text: str) -> bool:
    """No Spanish word, no place: only a name, a foreign word or a slip of the recogniser is left."""
    key = fold(text)
    return (
        len(key) > 3
        and key not in PLACES
        and key not in INSTITUTION_HEADS
        and key not in ROLES
        and not is_spanish_word(text)
        and not is_spanish_word(key)
    )


def _blocked(token: Token) -> bool:
    return (
        token.key in ROLES
        or token.key in INSTITUTION_HEADS
        and not _listed(token.key)
        or token.key in _COURTESY
    )


def starts_name(token: Token, case: str) -> bool:
    """May a name start (or end) with this word, going by the word alone?"""
    if _blocked(token) or len(token.text) < 2:
        return False
    if case == "mixed":
        return token.cap and (_listed(token.key) or rare(token.text))
    return (_listed(token.key) and token.key not in COMMON) or rare(token.text)


def grow(tokens: Sequence[Token], i: int, case: str, most: int = 7) -> int:
    """Index after the name that starts at token i: further names, particles between them, initials."""
    j = i + 1
    while j < len(tokens) and j - i < most and tokens[j].joined:
        token = tokens[j]
        if (
            token.key in PARTICLES
            and token.key not in ("e", "da", "san")
            and (token.key != "y" or case == "mixed")
        ):
            k = j + 1
            while k < len(tokens) and tokens[k].joined and tokens[k].key in ("la", "las", "los"):
                k += 1
            if (
                token.key == "y"
                or k >= len(tokens)
                or not tokens[k].joined
                or not _continues(tokens[k], case, True)
            ):
                break
            j = k + 1
        elif _continues(token, case, False):
            j += 1
        else:
            break
    return j


def _continues(token: Token, case: str, after_particle: bool) -> bool:
    if _blocked(token) and not (after_particle and case == "mixed" and token.key in _SURNAME_HEADS):
        return False
    if case == "mixed":
        if after_particle and token.cap and token.key in _SURNAME_HEADS:
            return True
        return token.cap and (
            not after_particle or _listed(token.key) or token.key not in PLACES and not token.first
        )
    return (
        _listed(token.key)
        and (token.key not in COMMON or not after_particle)
        or rare(token.text)
        or after_particle
        and token.key in _HEADS_SAID
    )


def extended(tokens: Sequence[Token], mention: Mention, case: str) -> Mention:
    """The mention with the name words that stand directly beside it: a name masked in half is not masked."""
    inside = [i for i, t in enumerate(tokens) if mention.start <= t.start < mention.end]
    if not inside:
        return mention
    first, last = inside[0], inside[-1]
    if mention.layer == "roster":  # two councillors may stand side by side: theirs ends where the roster says
        return (
            replace(mention, start=0)
            if 0 < first < 4 and all(t.key in PARTICLES for t in tokens[:first])
            else mention
        )
    while (
        last + 1 < len(tokens)
        and tokens[last + 1].joined
        and _continues(tokens[last + 1], case, False)
        and not tokens[last + 1].first
    ):
        last += 1
    while (
        first > 0
        and tokens[first].joined
        and not tokens[first - 1].first
        and starts_name(tokens[first - 1], case)
        and not named_thing(tokens, first - 1, case)
    ):
        first -= 1
    honour = first > 1 and (tokens[first - 2].key, tokens[first - 1].key) == (
        "h",
        "c",
    )  # "H.C. Urrea" is no initial
    while (
        not honour
        and first > 0
        and len(tokens[first - 1].text) == 1
        and (tokens[first - 1].cap or case != "mixed")
        and _initial(tokens[first - 1], tokens[first])
    ):
        first -= 1
    if 0 < first < 4 and all(
        t.key in PARTICLES for t in tokens[:first]
    ):  # a line that starts "DE ANGULO ORIANA"
        first = 0
    if case == "mixed":  # "De la Serna", "Di Vaio": the particle is part of it when it is written so
        for back in (1, 2):
            head = tokens[first - back] if first >= back else None
            if (
                head
                and head.cap
                and not head.upper
                and head.key in _NOBLE
                and all(
                    tokens[k].joined and (k == first or tokens[k].key in PARTICLES)
                    for k in range(first - back + 1, first + 1)
                )
            ):
                first -= back
                break
    return replace(mention, start=tokens[first].start, end=max(mention.end, tokens[last].end))


def _initial(letter: Token, name: Token) -> bool:
    """Is the letter an initial of the name after it ("F. W. Taylor")? Only a point and a blank fit between them."""
    return name.start - letter.end in (1, 2) and not name.joined


def named_thing(tokens: Sequence[Token], i: int, case: str) -> bool:
    """Is the name at token i that of a place or an institution ("Plaza Alfonso López", "Institución Educativa Andrés Bello", "San José")?"""
    j = i - 1
    if j >= 0 and tokens[j].key in SAINTS and tokens[i].joined and (case != "mixed" or tokens[j].cap):
        return True
    steps = 0
    while j >= 0 and steps < 4 and tokens[j + 1].joined:
        token = tokens[j]
        if token.key in ROLES:
            return False
        if token.key in INSTITUTION_HEADS:
            if token.key in _OWNED and steps:
                return False
            return not (j > 0 and any(t.key in ROLES for t in tokens[max(0, j - 3) : j]))
        if token.key not in _HEAD_TAIL:
            return False
        j, steps = j - 1, steps + 1
    return False


def find_roster(text: str, roster: Roster, tokens: Sequence[Token] | None = None) -> Iterator[Mention]:
    """Roster people by any two of their names in any order, or by one of them where it can be nothing else."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    hits: list[set[str]] = []
    for token in tokens:
        who = roster.by_name.get(token.key, set())
        if (
            not who
            and len(token.key) >= 4
            and (token.key not in COMMON)
            and (rare(token.text) or _listed(token.key))
        ):
            who = roster.by_sound.get(phonetic(token.text), set())
        after_role = bool(hits) and tokens[len(hits) - 1].key in ROLES
        if (
            not who
            and after_role
            and len(token.key) >= 4
            and token.key not in FUNCTION_WORDS
            and token.key not in DISCOURSE
        ):
            who = roster.by_sound.get(phonetic(token.text), set())
        if not who and len(token.key) >= 4 and after_role and (case != "mixed" or token.cap):
            who = roster.nearly(token.text)
        hits.append(who)
    i = 0
    while i < len(tokens):
        if not hits[i]:
            i += 1
            continue
        who, j, used = set(hits[i]), i + 1, [i]
        while j < len(tokens):
            gap = text[tokens[j - 1].end : tokens[j].start]
            if gap.strip() not in ("", ",", "-", ".") or "\n" in gap:
                break
            if tokens[j].key in PARTICLES and gap.strip() == "" and j + 1 < len(tokens) and who & hits[j + 1]:
                j += 1
            if not (who & hits[j]) or any(tokens[u].key == tokens[j].key for u in used):
                break
            who &= hits[j]
            used.append(j)
            j += 1
        accepted = len(used) > 1 or _alone(tokens, i, case, roster, who)
        if len(used) == 2 and case != "mixed" and all(tokens[u].key in COMMON for u in used):
            accepted = any(t.key in ROLES for t in tokens[max(0, i - 2) : i])
        if accepted and len(used) < 3 and named_thing(tokens, i, case):
            accepted = False
        if accepted:
            yield Mention(tokens[i].start, tokens[used[-1]].end, "roster", "", frozenset(who))
            i = used[-1] + 1
        else:
            i += 1


def _alone(tokens: Sequence[Token], i: int, case: str, roster: Roster, who: set[str]) -> bool:
    """May one name stand for a councillor here?"""
    token = tokens[i]
    before = tokens[i - 1] if i else None
    if before and before.key in ROLES:
        return True
    neighbours = [
        tokens[k]
        for k in (i - 1, i + 1)
        if 0 <= k < len(tokens) and (tokens[k].joined if k > i else token.joined)
    ]
    if case == "mixed":
        if not token.cap or (token.first and token.key in COMMON):
            return False
        # part of somebody else's name: the other layers have it
        return not any(n.cap and _listed(n.key) and not n.first for n in neighbours)
    return rare(token.text) or (
        token.key not in COMMON and _listed(token.key) and not is_spanish_word(token.key)
    )


def find_triggered(text: str, tokens: Sequence[Token] | None = None) -> Iterator[Mention]:
    """Names announced by a role: "honorable concejal X", "doctora X", "el señor X", "secretario de Infraestructura, X"."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    for i, token in enumerate(tokens):
        role = ROLES.get(token.key)
        if not role and not (token.key in ("h", "c", "hc") and token.text.isupper() and role is None):
            continue
        j = i + 1
        while (
            j < len(tokens)
            and (tokens[j].key in _COURTESY or tokens[j].key in ROLES)
            and not _breaks(text, tokens, j)
        ):
            role = ROLES.get(tokens[j].key, role) if ROLES.get(tokens[j].key) != "CIUDADANO" else role
            j += 1
        if role is None:
            if token.key == "c" or token.key == "hc":
                role = "CONCEJAL"
            else:
                continue
        if j >= len(tokens) or (_breaks(text, tokens, j) and not _short(tokens[j - 1])):
            continue
        if _announced_name(tokens, j, case, tokens[j - 1].key):
            yield Mention(tokens[j].start, tokens[grow(tokens, j, case) - 1].end, "trigger", role)
        elif tokens[j].key in _OFFICE or tokens[j - 1].key in ROLES:
            yield from _after_office(text, tokens, j, case, role)


def _short(token: Token) -> bool:
    return token.key in ("dr", "dra", "sr", "sra", "h", "c", "hc", "ing", "arq", "lic")


def _breaks(text: str, tokens: Sequence[Token], j: int) -> bool:
    return bool(text[tokens[j - 1].end : tokens[j].start].strip(" "))


def _announced_name(tokens: Sequence[Token], j: int, case: str, role_word: str) -> bool:
    token = tokens[j]
    if (
        _blocked(token)
        or token.key in PARTICLES
        or len(token.text) < 3
        or token.key in DISCOURSE
        and token.first
    ):
        return False
    if case == "mixed":
        if not token.cap or token.key in ("concejo", "corporacion", "concejales", "municipio", "gobierno"):
            return False
        if _listed(token.key) and token.key not in DISCOURSE or rare(token.text):
            return True
        after = tokens[j + 1] if j + 1 < len(tokens) and tokens[j + 1].joined else None
        goes_on = after is not None and (not after.cap or starts_name(after, case))
        return (
            role_word not in WEAK_ROLES
            and token.key not in PLACES
            and token.key not in FUNCTION_WORDS
            and not token.upper
            and goes_on
        )
    following = tokens[j + 1] if j + 1 < len(tokens) and tokens[j + 1].joined else None
    if rare(token.text) or (token.key in GIVEN and token.key not in COMMON):
        return True
    if not _listed(token.key):
        return False
    if following is not None and _listed(following.key) and following.key not in COMMON:
        return True
    return role_word not in WEAK_ROLES and token.key not in DISCOURSE


DISCOURSE = frozenset(
    "bueno claro antes miren diez ante cuenta rey casa dios haber sera hay este esta estos esa segundo tres mayo abril julio ido justo grande fe campo caro".split()
)


def _after_office(text: str, tokens: Sequence[Token], j: int, case: str, role: str) -> Iterator[Mention]:
    """ "secretaria de Hacienda Paula Ríos", "gerente de la empresa de aguas, Óscar Lemus": a given name within ten words."""
    for k in range(j, min(j + 11, len(tokens))):
        gap = text[tokens[k - 1].end : tokens[k].start].strip()
        if gap not in ("", ",", "(", ", (", "-", "–", "e", "(e)", "(e),"):
            return
        token = tokens[k]
        if (
            case == "mixed"
            and not token.cap
            and gap == ","
            and k > j + 1
            and token.key not in _COURTESY
            and token.key not in ROLES
        ):
            return
        named = token.key in GIVEN and (token.cap if case == "mixed" else token.key not in COMMON)
        after = tokens[k + 1] if k + 1 < len(tokens) and tokens[k + 1].joined else None
        if (
            named
            and (gap or not named_thing(tokens, k, case))
            and (
                gap.startswith(",")
                or after is not None
                and (starts_name(after, case) or (case == "mixed" and after.cap and not _blocked(after)))
            )
        ):
            yield Mention(token.start, tokens[grow(tokens, k, case) - 1].end, "trigger", role)
            return


def find_listed(text: str, tokens: Sequence[Token] | None = None) -> Iterator[Mention]:
    """A given name followed by surnames, or surnames followed by given names, that are no place and no institution."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    i = 0
    while i < len(tokens):
        if not starts_name(tokens[i], case) and not (
            case == "mixed" and tokens[i].cap and _listed(tokens[i].key)
        ):
            i += 1
            continue
        j = grow(tokens, i, case)
        keys = [t.key for t in tokens[i:j] if t.key not in PARTICLES]
        given, surnames = sum(k in GIVEN for k in keys), sum(k in SURNAMES for k in keys)
        unlisted = sum(rare(t.text) for t in tokens[i:j])
        solid = given and (surnames or unlisted) and len(keys) > 1 or given > 1
        if case != "mixed" and solid:
            solid = any(
                k not in COMMON and not is_spanish_word(k) or k in GIVEN and k not in COMMON for k in keys
            )
        if not solid and case == "mixed" and len(keys) == 1 and keys[0] in SURNAMES and not tokens[i].first:
            lone = (
                keys[0] not in COMMON
                and keys[0] not in PLACES
                and keys[0] not in INSTITUTION_HEADS
                and keys[0] not in GIVEN
                and not tokens[i].upper
            )
            if lone and not named_thing(tokens, i, case):
                yield Mention(tokens[i].start, tokens[j - 1].end, "surname", "", frozenset(), 0.4)
        if solid and not named_thing(tokens, i, case):
            yield Mention(
                tokens[i].start,
                tokens[j - 1].end,
                "lists",
                "",
                frozenset(),
                min(1.0, (given + surnames) / len(keys)),
            )
        i = j


def find_again(
    text: str, known: set[str], sounds: set[str], tokens: Sequence[Token] | None = None
) -> Iterator[Mention]:
    """Names the document has already given away, alone now. `known`: folded names; `sounds`: their phonetic keys."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    for i, token in enumerate(tokens):
        if token.key in PARTICLES or len(token.key) < 3 or token.key in ROLES:
            continue
        seen = token.key in known and token.key not in DISCOURSE and token.key not in FUNCTION_WORDS
        if not seen and len(token.key) >= 5 and rare(token.text):
            seen = phonetic(token.text) in sounds
        if not seen or named_thing(tokens, i, case):
            continue
        if case == "mixed":
            sure = token.cap and (
                not token.first or token.key not in COMMON and (rare(token.text) or _listed(token.key))
            )
        else:
            sure = (
                rare(token.text)
                or _listed(token.key)
                and token.key not in COMMON
                and not is_spanish_word(token.key)
            )
        if sure or (
            i
            and tokens[i - 1].key in ROLES
            and token.joined
            and (token.cap or case != "mixed")
            and (_listed(token.key) or rare(token.text))
        ):
            yield Mention(token.start, token.end, "again")


def places_named(texts: Sequence[Sequence[Token]], found: Sequence[Sequence[Mention]]) -> set[str]:
    """Folded words that the document uses as a place ("la provincia de X", "volcán X"), on no list of names, and in no sure name."""
    places = {
        t.key
        for tokens in texts
        for i, t in enumerate(tokens)
        if not _listed(t.key)
        and t.cap
        and any(
            i >= n
            and tokens[i - n].key in GEOGRAPHIC
            and all(x.key in PARTICLES and x.joined for x in tokens[i - n + 1 : i])
            and t.joined
            for n in (1, 2, 3)
        )
    }
    for tokens, mentions in zip(texts, found, strict=True):
        for m in mentions:
            if m.layer not in ("crf", "surname") and places:
                places -= {t.key for t in tokens if m.start <= t.start < m.end}
    return places


def is_place(tokens: Sequence[Token], mention: Mention, places: set[str]) -> bool:
    """Is a guess made of nothing but such words?"""
    words = [t.key for t in tokens if mention.start <= t.start < mention.end and t.key not in PARTICLES]
    return mention.layer in ("crf", "surname") and all(w in places for w in words)


def name_words(names: Iterable[str]) -> dict[str, list[tuple[str, ...]]]:
    """First folded word -> the full names (two words or more) that start with it."""
    index: dict[str, list[tuple[str, ...]]] = {}
    for name in names:
        words = tuple(fold(w) for w in _TOKEN.findall(name))
        if len([w for w in words if w not in PARTICLES]) > 1:
            index.setdefault(words[0], []).append(words)
    return index


def known_names(tokens: Sequence[Token], index: dict[str, list[tuple[str, ...]]]) -> Iterator[Mention]:
    """Full names of the index, word for word, in any case."""
    i = 0
    while i < len(tokens):
        best = 0
        for words in index.get(tokens[i].key, ()):
            j = i + len(words)
            if (
                len(words) > best
                and j <= len(tokens)
                and all(
                    t.key == w and (k == 0 or t.joined)
                    for k, (t, w) in enumerate(zip(tokens[i:j], words, strict=True))
                )
            ):
                best = len(words)
        if best:
            yield Mention(tokens[i].start, tokens[i + best - 1].end, "known")
        i += best or 1


def same_name(words: Sequence[str], name: Sequence[str]) -> bool:
    """Could a mention's words be this person: each of them sounds like one of the name's?"""
    sounds = [phonetic(n) for n in name]
    return bool(words) and all(w in name or phonetic(w) in sounds for w in words)


def nearly_same_name(words: Sequence[str], name: Sequence[str], least: float) -> bool:
    """Could a mis-heard mention ("nel son falian chere risoto") be this person? Compared as one string of sounds, against the
    whole name and its usual short forms; never when every word is a good name of its own ("Luis Gómez" is not "Luz Gómez")."""
    from rapidfuzz import fuzz

    heard = "".join(phonetic(w) for w in words)
    if len(heard) < 8 or len(words) < 2 or all(_listed(w) for w in words):
        return False
    sounds = [phonetic(n) for n in name]
    last = len(sounds)
    forms = {tuple(sounds)} | {tuple(sounds[a:b]) for a in range(last) for b in range(a + 2, last + 1)}
    if last > 3:
        forms.add((sounds[0], sounds[2]))
        forms.add((*sounds[2:], *sounds[:2]))
    return any(fuzz.ratio(heard, "".join(f), score_cutoff=100 * least) for f in forms)
