"""Canonical fragments: every rule broken once, cut fragments closed, mutants, the decoder's grammar."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astra_lib.core.records import KINDS, Paragraph
from astra_lib.minutes import (
    GRAMMAR,
    check,
    close_fragment,
    fragment,
    fragment_texts,
    paragraph_xml,
    read_minutes,
    write_minutes,
)

from .wordfiles import sample_acta, texts


@pytest.fixture(scope="module")
def acta(tmp_path_factory) -> Path:
    return sample_acta(tmp_path_factory.mktemp("acta") / "acta.docx")


@pytest.fixture(scope="module")
def minutes(acta):
    return read_minutes(acta)


# ---- checking fragments
GOOD = (
    '<w:p><w:pPr><w:pStyle w:val="ListaNum"/><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr>'
    '<w:r><w:rPr><w:b/><w:u w:val="single"/></w:rPr><w:t xml:space="preserve">Votación: </w:t></w:r>'
    "<w:r><w:t>a &amp; b &lt;c</w:t><w:tab/><w:t>x</w:t><w:br/></w:r></w:p>"
    '<w:tr><w:trPr><w:tblHeader/></w:trPr><w:tc><w:tcPr><w:gridSpan w:val="2"/><w:vMerge w:val="restart"/>'
    "</w:tcPr><w:p><w:r><w:t>A</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr>"
    '<w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/><w:vMerge/></w:tcPr><w:p/></w:tc>'
    "<w:tc><w:p><w:r><w:t>B</w:t></w:r></w:p></w:tc></w:tr>"
)
ONE = "<w:p><w:r><w:t>x</w:t></w:r></w:p>"
BAD = {
    "well-formed": [
        "<w:p>",
        "<w:p></w:r>",
        "<w:p><w:r><w:t>a & b</w:t></w:r></w:p>",
        "<w:p><w:r><w:t>&nbsp;</w:t></w:r></w:p>",
        "<x:p/>",
        "</f><f>",
        ONE + "\x00",
        '<w:p w:a="1" w:a="2"/>',
    ],
    "markup": [
        "<!-- x -->" + ONE,
        '<!DOCTYPE a [<!ENTITY b "c">]>' + ONE,
        "<?php ?>" + ONE,
        "<w:p><w:r><w:t><![CDATA[x]]></w:t></w:r></w:p>",
    ],
    "stray text": [
        "Claro, aquí está: " + ONE,
        "<w:p>x<w:r><w:t>x</w:t></w:r></w:p>",
        "<w:p><w:r>x<w:t>x</w:t></w:r></w:p>",
        "hola",
    ],
    "element": [
        "<w:t>x</w:t>",
        "<w:p><w:t>x</w:t></w:p>",
        "<w:p><w:r><w:t>x<w:b/></w:t></w:r></w:p>",
        "<w:p><w:p><w:r><w:t>x</w:t></w:r></w:p></w:p>",
        "<nada/>" + ONE,
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:p>',
        '<w:p><w:bookmarkStart w:id="1" w:name="x"/><w:r><w:t>x</w:t></w:r></w:p>',
        "<w:p><w:r><w:rPr><w:sz/></w:rPr><w:t>x</w:t></w:r></w:p>",
    ],
    "order": [
        '<w:p><w:r><w:t>x</w:t></w:r><w:pPr><w:pStyle w:val="Lista"/></w:pPr></w:p>',
        "<w:p><w:r><w:t>x</w:t><w:rPr><w:b/></w:rPr></w:r></w:p>",
        "<w:p><w:r><w:rPr><w:i/><w:b/></w:rPr><w:t>x</w:t></w:r></w:p>",
        "<w:p><w:r><w:rPr><w:b/><w:b/></w:rPr><w:t>x</w:t></w:r></w:p>",
    ],
    "attribute": [
        '<w:p w:rsidR="00AA"><w:r><w:t>x</w:t></w:r></w:p>',
        "<w:p><w:pPr><w:pStyle/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>",
        '<w:p><w:r><w:t w:x="1">x</w:t></w:r></w:p>',
        '<w:p paraId="1"><w:r><w:t>x</w:t></w:r></w:p>',
    ],
    "value": [
        '<w:p><w:r><w:rPr><w:u w:val="wavy"/></w:rPr><w:t>x</w:t></w:r></w:p>',
        '<w:p><w:r><w:t xml:space="default">x</w:t></w:r></w:p>',
        '<w:p><w:r><w:rPr><w:b w:val="maybe"/></w:rPr><w:t>x</w:t></w:r></w:p>',
    ],
    "style": [
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>',
        '<w:p><w:pPr><w:pStyle w:val="Titulo2"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>',
        '<w:p><w:pPr><w:pStyle w:val="Celda"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>',
    ],
    "numbering": [
        '<w:p><w:pPr><w:pStyle w:val="Lista"/><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
        "<w:r><w:t>x</w:t></w:r></w:p>"
    ],
    "empty": [
        "",
        "  ",
        "<w:p/>",
        "<w:p><w:r/></w:p>",
        "<w:p><w:r><w:t/></w:r></w:p>",
        "<w:p><w:pPr/><w:r><w:t>x</w:t></w:r></w:p>",
        "<w:tr/>",
    ],
    "space": ["<w:p><w:r><w:t> x</w:t></w:r></w:p>", "<w:p><w:r><w:t>x </w:t></w:r></w:p>"],
    "text": [
        "<w:p><w:r><w:t>a\nb</w:t></w:r></w:p>",
        "<w:p><w:r><w:t>a&#9;b</w:t></w:r></w:p>",
        "<w:p><w:r><w:t>\u0338x</w:t></w:r></w:p>",
    ],
    "reference": ["<w:p><w:r><w:drawing/></w:r></w:p>", '<w:p><w:r><w:drawing r:id="../x"/></w:r></w:p>'],
    "namespace": [
        '<w:p xmlns:w="urn:otra"><w:r><w:t>x</w:t></w:r></w:p>',
        '<w:p xmlns:z="urn:z"><w:r><w:t>x</w:t></w:r></w:p>',
    ],
    "cell": ["<w:tr><w:tc/></w:tr>"],
    "grid": [
        "<w:tr><w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc></w:tr><w:tr><w:tc><w:p/></w:tc>"
        "<w:tc><w:p/></w:tc></w:tr>"
    ],
    "merge": ["<w:tr><w:tc><w:p/></w:tc></w:tr><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr>"],
    "size": ["<w:p>" * 5_000_00],
}


@pytest.mark.parametrize(("rule", "xml"), [(rule, xml) for rule, cases in BAD.items() for xml in cases])
def test_each_broken_rule_is_named(rule, xml):
    found = check(xml)
    assert rule in {v.rule for v in found} or (rule == "size" and found), found
    assert all(v.where and v.message for v in found)


def test_valid_fragments_pass():
    assert check(GOOD) == check("<nada/>") == check(ONE + "\n  " + ONE) == []
    assert [(text, kind) for text, kind, _ in fragment_texts(GOOD)] == [
        ("Votación: a & b <c\tx\n", "list"),
        ("A | ", "table"),
        (" | B", "table"),
    ]
    assert "".join(xml for _, _, xml in fragment_texts(GOOD)) == GOOD
    assert fragment_texts("<nada/>") == [] and fragment([]) == "<nada/>"


def test_every_prefix_closes_to_something_valid():
    for end in range(len(GOOD) + 1):
        closed = close_fragment(GOOD[:end])
        assert check(closed) == [], (GOOD[:end], closed)
    assert close_fragment(GOOD) == GOOD
    assert close_fragment("") == close_fragment("<na") == close_fragment("<w:p><w:pPr>") == "<nada/>"


def test_closing_adds_no_text_and_keeps_what_was_whole():
    closed = close_fragment(ONE + "<w:p><w:r><w:t>Aprobado por 11 votos &am")
    assert [text for text, _, _ in fragment_texts(closed)] == ["x", "Aprobado por 11 votos"]


text_st = st.text(st.sampled_from("aeñÁ09 .,;:&<>$%\u00a0\t\n"), min_size=1, max_size=25).filter(
    lambda s: s.strip()
)
para_st = st.builds(paragraph_xml, text_st, st.sampled_from(KINDS))
fragment_st = st.lists(para_st, min_size=1, max_size=4).map("".join).filter(lambda x: not check(x))


@settings(max_examples=80, deadline=None)
@given(fragment_st, st.data())
def test_prefixes_of_any_fragment_close(xml, data):
    closed = close_fragment(xml[: data.draw(st.integers(0, len(xml)))])
    assert check(closed) == []
    assert close_fragment(closed) == closed


PIECES = re.compile(r"<[^>]*>|[^<]+")
TAGS = [
    "<w:b/>",
    "<w:p>",
    "</w:p>",
    "<w:r>",
    "</w:r>",
    "<w:t>",
    "</w:t>",
    "<w:tc>",
    "</w:tc>",
    "<w:tr>",
    "</w:tr>",
    '<w:pStyle w:val="Lista"/>',
    '<w:pStyle w:val="Otro"/>',
    "<w:pPr>",
    "</w:pPr>",
    "<w:tab/>",
    "x",
    " ",
    "&",
    "&amp;",
    "&#0;",
    "<w:p/>",
    '<w:bookmarkStart w:id="1" w:name="a"/>',
    "\n",
    "<w:tblHeader/>",
    '<w:gridSpan w:val="2"/>',
]


def mutate(xml: str, rng: random.Random) -> str:
    pieces = PIECES.findall(xml)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(pieces))
        roll = rng.randrange(5)
        if roll == 0:
            pieces.pop(at)
        elif roll == 1:
            pieces.insert(at, pieces[rng.randrange(len(pieces))])
        elif roll == 2:
            pieces.insert(at, rng.choice(TAGS))
        elif roll == 3:
            pieces[at] = rng.choice(TAGS)
        else:
            other = rng.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        if not pieces:
            return ""
    return "".join(pieces)


def test_no_accepted_mutant_breaks_word(acta, tmp_path):
    """Mutants that `check` takes survive Word's rules, an independent audit and a reading of every word."""
    rng, accepted, tried = random.Random(20260303), [], 3000
    for _ in range(tried):
        mutant = mutate(GOOD, rng)
        if mutant != GOOD and not check(mutant) and mutant.strip() != "<nada/>":
            accepted.append(mutant)
    assert 20 < len(accepted) < tried / 2
    for number in range(0, len(accepted), 12):
        batch = [x for x in accepted[number : number + 12] if "w:trPr" in x or "<w:tr>" not in x]
        paragraphs = [
            Paragraph(n, "body", "", x + ONE)
            for n, x in enumerate(batch)
            if not re.match(r"\s*<w:tr><w:tc>", x)
        ]
        out = write_minutes(paragraphs, acta, tmp_path / "m.docx")
        assert check(out, template=acta) == [], batch
        expected = [
            text for x in paragraphs for text, _, _ in fragment_texts(x.xml) if text.replace("|", "").strip()
        ]
        assert texts(read_minutes(out)) == expected


# ---- the grammar
@pytest.fixture(scope="module")
def accepts():
    import xgrammar
    from xgrammar.testing import _is_grammar_accept_string

    compiled = xgrammar.Grammar.from_ebnf(GRAMMAR)
    return lambda text: _is_grammar_accept_string(compiled, text)


def test_grammar_takes_what_the_acta_holds(accepts, minutes):
    for paragraph in minutes.paragraphs:
        plain = not re.search(r"w:drawing|w:numPr|gridSpan|vMerge|vertAlign", paragraph.xml)
        assert accepts(paragraph.xml) is plain, paragraph.xml
    assert accepts("<nada/>") and not accepts("") and not accepts("<nada/>" + ONE)


def test_grammar_never_takes_what_check_refuses(accepts):
    rng, taken = random.Random(11), 0
    seeds = [
        paragraph_xml("Fue aprobado por 11 votos.", "vote") + paragraph_xml("a | b", "table"),
        paragraph_xml("Uno & dos\tTres", "list"),
    ]
    for _ in range(3000):
        mutant = mutate(rng.choice(seeds), rng)
        if accepts(mutant):
            taken += 1
            assert {v.rule for v in check(mutant)} <= {"grid"}, mutant  # a grammar cannot count columns
    assert taken > 50
