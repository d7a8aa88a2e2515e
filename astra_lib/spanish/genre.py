"""Habits of the genre: how minutes word a roll call, a hand-over, a vote, and which line is a person's name.

Two readers of a line need this, and they do not see the same line:

* the reader of the minutes has it *as written*, with capitals, accents and punctuation, and asks what kind of
  paragraph it is; a missed kind costs a style;
* the aligner has it *plain* (`text.tokens` joined by blanks: lower case, no accents, no punctuation, figures)
  and asks what it sounded like in the room; a false cue costs a pair.

So each cue stands here twice, once per reader. They differ on purpose: the written patterns know verb endings
and places in the line, the plain ones are looser and are used with limits of length (`weights.Cues`).
"""

from __future__ import annotations

import re

from .lists import FOLDER, GIVEN, SURNAMES
from .words import fold, is_spanish_word


def phrase_list(name: str) -> tuple[str, ...]:
    """The phrases of `lists/<name>.txt`, one a line, in the file's order."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


# --- plain text: what the aligner sees ---------------------------------------------------

HANDOVER_PHRASES = phrase_list("handover_phrases")
VOTE_PHRASES = phrase_list("vote_phrases")
CHAIR_PHRASES = phrase_list("chair_phrases")  # said, not written: they tell who presides over the session

PLAIN_TITLE = re.compile(
    r"\b(honorables?|concejal[ae]?s?|doctora?|senora?|ingenier[oa]|capitan"
    r"|secretari[oa]|presiden[ct][ieae]+|h c)\b"
)
# beginnings of verbs and nouns of speaking: "intervino", "participación", "hizo uso de la palabra"
PLAIN_SPEAKS = re.compile(
    r"\b(interv[ie]n|particip|expres|palabra|turno|pronunci|expos|expus|habl|dirigi|escuch|manifest|refiri"
    r"|present)"
)
# an answer to the roll call stands at the end of its line: "… con excusa médica"
PLAIN_ANSWER = re.compile(
    r"\b(presente|ausente|con excusa|excusa medica|no asistio|asistio|ausencia)"
    r"\W*(con excusa.*|justificad.*|medica)?$"
)

# --- text as written: what the reader of the minutes sees --------------------------------

# any mention of presence; the plain one wants it at the end of the line
WRITTEN_ANSWER = re.compile(
    r"\b(?:presentes?|ausentes?|con\s+excusa|excusa(?:d[oa]s?)?|(?:no\s+)?asist(?:e|i[oó]))\b", re.I
)
# titles before a name at the beginning of a line, to be taken off it
WRITTEN_TITLES = re.compile(
    r"^\W*(?:(?:h\.?\s*c\.?|honorables?|concejal[a]?|doctora?|señora?)(?!\w)\W*)+", re.I
)
# more professions than the plain one, but no presidents: "el presidente" without a name introduces no speaker
_TITLE = (
    r"\b(?:honorables?|h\.\s*c\.|concejal[a]?|doctora?|señora?|ingenier[oa]|arquitect[oa]"
    r"|licenciad[oa]|abogad[oa]"
    r"|economista|capit[aá]n|comandante|coronel|padre|profesora?|gerente|directora?|secretari[oa]\s+de)\b"
)
# a speaker is introduced: a verb of taking the floor before a title, or a title, a verb of saying and a colon
WRITTEN_SPEAKS = re.compile(
    r"(?:\b(?:habl[óo]|intervin\w+|particip[óo]|compareci[óo]|pronunci[óo]|dirigi[óo]|escuch[óo]"
    r"|atendi[óo]|turno"
    rf"|palabra|present[óo]\s+el\s+tema|intervenci[óo]n)\b.*{_TITLE}"
    rf"|{_TITLE}.*\b(?:expres[óo]|expuso|manifest[óo]|inform[óo]|se\s+refiri[óo]|dijo"
    rf"|señal[óo])\b.{{0,40}}:$)",
    re.I,
)
WRITTEN_CUES = {
    "vote": re.compile(
        r"\b(?:aprob(?:ad[oa]s?|ó|aron)|neg(?:ad[oa]s?)|rechazad[oa]s?|archivad[oa]s?)\b.{0,40}"
        r"\b(?:por|con|unanimidad|mayoría|votos?)\b"
        r"|\b(?:fue|fueron|es|son|queda|quedó|quedan|resulta|resultó|siendo)\s+(?:\w+\s+)?"
        r"(?:aprobad|negad|rechazad|archivad)[oa]s?\b"
        r"|\bse\s+(?:aprueba|aprobó|aprobaron|niega|negó|rechaza|rechazó)\b"
        r"|\bvotos\s+(?:a\s+favor|en\s+contra|positiv|negativ|afirmativ)"
        r"|\bvotación\s+nominal\b|\b\d+\s+a\s+favor\b|\bse\s+votó\b|\bvotaron\b"
        r"|\b(?:impart(?:e|ió|ieron)|obtuvo|recibió|otorg(?:ó|aron))\s+(?:su\s+|la\s+)?aprobación\b"
        r"|\bacogieron\b"
        r"|\bpor\s+unanimidad\b|\b\d+\s+votos\b"
        r"|\bsomet(?:e|ió|ida?o?)\b.{0,40}\b(?:votación|consideración|aprobación)\b",
        re.I,
    ),
    "handover": re.compile(
        r"\b(?:intervino|interviene|intervinieron)\b"
        r"|\b(?:tom[aó]|tiene|tuvo|pid(?:e|ió)|solicit[aó]|retom[aó]|ced(?:e|ió)|conced(?:e|ió)"
        r"|otorg[aó]|d(?:a|io)"
        r"|hac(?:e|er)\s+uso\s+de)\s+"
        r"(?:nuevamente\s+)?(?:el\s+uso\s+de\s+)?la\s+palabra\b|\bhizo\s+uso\s+de\s+la\s+palabra\b"
        r"|^(?:finaliza(?:da|ndo)?|terminada|concluida)\s+(?:la|su|esta)\s+intervención"
        r"|^intervención\s+de(?:l|\s+l[ao])\b",
        re.I,
    ),
    # the aligner has no cue for formulas of opening and closing: it takes the kind that was found with this
    "formula": re.compile(
        r"^(?:siendo|a)\s+las\b|\bsiendo\s+las\b.{0,60}\b(?:horas?|a\.?\s?m|p\.?\s?m|se\b)"
        r"|\b(?:declar[aó]|d(?:a|io)|dar)\s+(?:por\s+)?"
        r"(?:abierta|instalada|inici(?:o|ada)|terminada|clausurada|levantada)\b"
        r"|\b(?:se\s+)?(?:levant[aó]|clausur[aó])\s+(?:la\s+|esta\s+)?(?:presente\s+)?sesión\b"
        r"|^no\s+habiendo\s+(?:más|otr)|\b(?:para|en)\s+constancia\b"
        r"|\bagotado\s+el\s+orden\s+del\s+día\b"
        r"|\bqu[oó]rum\s+(?:deliberatorio|decisorio|suficiente|reglamentario)\b"
        r"|\b(?:se\s+)?(?:cita|convoca)\s+(?:para|a\s+sesi[oó]n)\b"
        r"|\breceso\b|\b(?:reanud|suspend)(?:a|ó|i[óo])\w*\s+la\s+(?:sesión|plenaria)\b|\breanudada\b"
        r"|\bse\s+(?:reunió|instaló)\s+(?:el\s+concejo|la\s+(?:corporación|sesión|plenaria))\b"
        r"|\breunida\s+la\s+corporación\b"
        r"|\b(?:abrió|dio\s+apertura|inició|instaló)\b.{0,40}\bsesión\b"
        r"|\b(?:sesión|plenaria)\s+(?:finalizó|terminó|concluyó)\b|\bqu[oó]rum\b"
        r"|\bevacuad[oa]s?\s+(?:todos\s+)?(?:los\s+puntos|el\s+orden)\b"
        r"|\ben\s+(?:la\s+ciudad|el\s+municipio|el\s+recinto)\b.{0,120}\b(?:se\s+reuni|siendo\s+las"
        r"|a\s+los)\b",
        re.I,
    ),
}

# --- lines that are a person's name ------------------------------------------------------

_SMALL = frozenset({"de", "la", "las", "los", "del", "y", "el"})


def is_person_line(text: str) -> bool:
    """Whether a whole line is a person's name, a title "H.C." and a party in brackets allowed.

    "H.C. Marcela Ospina Latorre (Movimiento Ladera Viva)." is one. Capital letters suffice, so "CIERRE DE LA
    SESIÓN" is one too: the caller looks at several lines in a row. Compare `is_name_alone`.
    """
    words = re.sub(r"\(.*?\)", "", text).replace("H.C.", "").strip(" .:;-–").split()
    return 2 <= len(words) <= 8 and all(w in _SMALL or _capitalised(w) for w in words)


def _capitalised(word: str) -> bool:
    return word[:1].isupper() and word.strip(".,").isalpha()


def is_name_alone(text: str) -> bool:
    """Whether a text is a person's name and nothing else: no title, no party, no sentence.

    Stricter than `is_person_line`: in a line of capitals at least half of the words must not be Spanish, so
    "CIERRE DE LA SESIÓN" is no name. Looser in one thing: digits and signs between the words do not count.
    """
    words = [w for w in re.findall(r"[^\W\d_]+", text) if w.lower() not in _SMALL - {"el"}]
    if not (2 <= len(words) <= 7 and all(w[0].isupper() for w in words)) or re.search(r"[:;?]|\.\s", text):
        return False
    return not text.isupper() or 2 * sum(map(_may_be_a_name, words)) >= len(words)


def _may_be_a_name(word: str) -> bool:
    key = fold(word)
    return key in GIVEN or key in SURNAMES or not (is_spanish_word(word) or key.endswith("ion"))
