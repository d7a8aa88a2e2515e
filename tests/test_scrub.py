"""Privacy: placeholders that come back byte for byte, nothing personal left, figures of law untouched."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astra_lib.core.errors import GateError, InputError, MissingError
from astra_lib.core.records import Block, Pair, Paragraph, Transcript, Utterance, Word
from astra_lib.privacy.forms import find_structured
from astra_lib.privacy.placeholders import PLACEHOLDER, PlaceholderMap
from astra_lib.scrub import Scrubber, leak_gate, leak_scan, unmask
from astra_lib.spanish.words import phonetic
from astra_lib.text import read_number

ROSTER = [
    {
        "key": "president",
        "name": "Aurelio Benavides Cuartas",
        "role": "presidente",
        "party": "Partido Alianza Ribereña",
    },
    {
        "key": "vp",
        "name": "Marcela Ospina Latorre",
        "role": "vicepresidenta",
        "party": "Movimiento Raíces Vivas",
    },
    {
        "key": "c03",
        "name": "Hernán Darío Quiceno Mora",
        "role": "concejal",
        "party": "Partido Horizonte Común",
    },
    {
        "key": "c04",
        "name": "Luz Adriana Toro Villada",
        "role": "concejala",
        "party": "Partido Alianza Ribereña",
    },
    {
        "key": "c09",
        "name": "Camilo Esteban Urrea Galvis",
        "role": "concejal",
        "party": "Movimiento Nueva Ladera",
    },
    {"key": "secretary", "name": "Rosalba Giraldo Tangarife", "role": "secretaria general", "party": ""},
]
KEY = b"a key of the tests, 32 bytes long"


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber("manantial", ROSTER)


def replacements(scrubber: Scrubber, text: str) -> list[str]:
    return [e.replacement for e in scrubber.mask(text).entities]


# ---- what must be masked
@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("El honorable concejal Hernán Darío Quiceno Mora manifestó.", "Hernán Darío Quiceno Mora"),
        ("HERNAN DARIO QUICENO MORA: PRESENTE", "HERNAN DARIO QUICENO MORA"),
        ("Quiceno Mora, Hernán Darío, presente", "Quiceno Mora, Hernán Darío"),
        ("QUICENO MORA HERNÁN DARÍO", "QUICENO MORA HERNÁN DARÍO"),
        ("gracias presidente yo apoyo a quiceno en eso", "quiceno"),
        ("el concejal kiseno dijo que no", "kiseno"),
        ("la concejala toro villada pidió la palabra", "toro villada"),
        ("Según Quiceno, falta plata.", "Quiceno"),
        ("la honorable concejala Zoraida Wexlerman pidió la palabra", "Zoraida Wexlerman"),
        ("el señor plutarco quimbaya vive allá", "plutarco quimbaya"),
        ("la secretaria de Hacienda, doctora Paula Andrea Rendón, respondió", "Paula Andrea Rendón"),
        ("el gerente de la empresa de aguas, Óscar Lemus, respondió", "Óscar Lemus"),
    ],
)
def test_people_are_masked_whole(scrubber, text, hidden):
    masked = scrubber.mask(text)
    assert any(e.text == hidden for e in masked.entities), masked
    assert hidden not in masked.text


@pytest.mark.parametrize(
    "text",
    [
        "La Plaza Alfonso López y el barrio San José recibirán alumbrado.",
        "La Institución Educativa Andrés Bello y el Colegio Simón Bolívar.",
        "El Acuerdo 0997 destinó $74.768 millones, según el art. 78 de la Ley 1551 de 2012.",
        "El contrato 3102345678 y el radicado 2024-003120-00 siguen vigentes.",
        "El Decreto 1082 de 2015, artículo 2.2.1.1.2.1, lo exige.",
        "gracias presidente bueno pues el municipio tiene la plata en la cuenta y el campo está llano",
        "La carrera 23 con calle 45 está dañada; faltan 1.053.812.345 pesos.",
        "Son mil doscientas ochenta familias y tres de cada diez fincas.",
        "Bueno, entonces pasamos al segundo punto, antes de las diez.",
        "El río Magdalena, Puerto Manantial y Medellín.",
    ],
)
def test_places_laws_and_money_stay(scrubber, text):
    assert scrubber.mask(text).text == text


def test_one_person_one_placeholder_in_every_form(scrubber):
    forms = (
        "Camilo Esteban Urrea Galvis",
        "CAMILO ESTEBAN URREA GALVIS",
        "Urrea Galvis, Camilo Esteban",
        "concejal Urrea",
        "concejal hurrea",
        "Camilo Urrea",
    )
    found = [replacements(scrubber, f"intervino {form} ayer") for form in forms]
    assert {tuple(f) for f in found} == {("[CONCEJAL_05]",)}


def test_roles_are_kept_and_strangers_apart():
    text = (
        "El ciudadano Plutarco Quimbaya Ome habló con la doctora Nohelia Vivas Ferro. El señor "
        "Quimbaya insistió. "
        "La secretaria Rosalba Giraldo Tangarife leyó."
    )
    masked = Scrubber("manantial", ROSTER).mask(text).text
    assert masked == (
        "El ciudadano [CIUDADANO_01] habló con la doctora [FUNCIONARIO_02]. El señor [CIUDADANO_01] "
        "insistió. "
        "La secretaria [FUNCIONARIO_01] leyó."
    )


def test_party_goes_with_the_person(scrubber):
    masked = scrubber.mask("La concejala del Movimiento Raíces Vivas y la bancada de Nueva Ladera").text
    assert masked == "La concejala del [PARTIDO_2] y la bancada de [PARTIDO_4]"


def test_a_namesake_is_not_the_councillor(scrubber):
    masked = scrubber.mask("La señora Luz Adriana Gómez Pava y la concejala Luz Adriana Toro Villada")
    assert len({e.replacement for e in masked.entities}) == 2


def test_a_list_of_councillors_stays_a_list(scrubber):
    text = (
        "Aurelio Benavides Cuartas\nMarcela Ospina Latorre\nH.C. Luz Adriana Toro Villada\n"
        "CONCEJO MUNICIPAL DE PUERTO MANANTIAL"
    )
    assert (
        scrubber.mask(text).text
        == "[CONCEJAL_01]\n[CONCEJAL_02]\nH.C. [CONCEJAL_04]\nCONCEJO MUNICIPAL DE PUERTO MANANTIAL"
    )


# ---- structured
@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("cédula de ciudadanía No. 30.298.456 de Puerto Manantial", "CEDULA", "30298456"),
        (
            "mi cédula es treinta millones doscientos noventa y ocho mil cuatrocientos cincuenta y seis",
            "CEDULA",
            "30298456",
        ),
        ("NIT 890.801.053-7", "NIT", "8908010537"),
        ("la firma 890801053-7 cumplió", "NIT", "8908010537"),
        ("llámeme al 312 456 7890", "TELEFONO", "3124567890"),
        ("+57 (606) 878 9700", "TELEFONO", "6068789700"),
        ("tres uno dos cuatro cinco seis siete ocho nueve cero", "TELEFONO", "3124567890"),
        ("trescientos doce cuatrocientos cincuenta y seis setenta y ocho noventa", "TELEFONO", "3124567890"),
        ("ana.rios@correo.example.co", "CORREO", "ana.rios@correo.example.co"),
        ("ana punto rios arroba correo punto co", "CORREO", "ana.rios@correo.co"),
        ("Cra. 23 # 45-56 apto 301", "DIRECCION", "cr234556301"),
        ("carrera veintitrés número cuarenta y cinco cincuenta y seis", "DIRECCION", "cr234556"),
        ("vehículo de placas KLM-482", "PLACA", "klm482"),
        ("cuenta de ahorros 123-456789-01", "CUENTA", "12345678901"),
        ("desde la IP 10.20.30.40", "IP", "10.20.30.40"),
        ("nació el 12 de marzo de 1985", "NACIMIENTO", "12 de marzo de 1985"),
    ],
)
def test_structured_data(text, kind, value):
    assert (kind, value) in [(f.type, f.value) for f in find_structured(text, read_number)]


def test_the_same_datum_said_and_written_is_one_placeholder():
    masked = Scrubber("x", []).mask(
        "El celular 312 456 7890. mi celular es tres uno dos cuatro cinco seis siete ocho nueve cero"
    )
    assert [e.replacement for e in masked.entities] == ["[TELEFONO_01]"] * 2


# ---- there and back
_PIECES = st.sampled_from(
    [
        "Camilo Esteban Urrea Galvis",
        "URREA",
        "el concejal quiceno",
        "la señora Ana María Ríos Gil",
        "[CONCEJAL_01]",
        "[=CIUDADANO_7]",
        "[==PARTIDO_2]",
        "[CONCEJAL_",
        "312 456 7890",
        "Movimiento Nueva Ladera",
        "ana@x.example.co",
        " ",
        "\n",
        ", ",
        ". ",
        "«",
        "&amp;",
        "<b>",
        "ñ",
        "e\u0301",
        "\U0001f3db",
        "\r\n",
        "Cl. 4 # 5-6",
        "]",
        "[[",
        "x",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(_PIECES, max_size=12).map("".join), st.text(max_size=80)))
def test_mask_then_unmask_is_byte_identical(scrubber, text):
    masked = scrubber.mask(text)
    assert masked.restore() == text
    assert unmask(masked, scrubber.map) == text
    assert unmask(masked.text, scrubber.map) == text


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(_PIECES, st.booleans()), min_size=1, max_size=8))
def test_xml_masks_across_runs_and_comes_back(scrubber, pieces):
    from xml.sax.saxutils import escape

    runs = [""]
    for piece, new in pieces:
        if new:
            runs.append("")
        runs[-1] += escape(piece)
    xml = "<w:p>" + "".join(f'<w:r><w:t xml:space="preserve">{r}</w:t></w:r>' for r in runs) + "</w:p>"
    masked = scrubber.mask(xml)
    assert unmask(masked.text, scrubber.map) == xml
    assert unmask(masked, scrubber.map) == xml


def test_a_name_over_three_runs_is_one_placeholder(scrubber):
    xml = (
        "<w:p><w:r><w:t>El concejal Cami</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>lo Esteban</w:t></w:r>"
        '<w:r><w:t xml:space="preserve"> Urrea Galvis votó &amp; salió</w:t></w:r></w:p>'
    )
    assert scrubber.mask(xml).text == (
        '<w:p><w:r><w:t>El concejal [CONCEJAL_05]</w:t></w:r><w:r><w:t xml:space="preserve"> votó '
        "&amp; salió</w:t></w:r></w:p>"
    )


def test_generated_xml_gets_escaped_values():
    keep = PlaceholderMap("t", KEY)
    placeholder = keep.assign("P|x", "CIUDADANO", "Ríos & <Hijos>")
    assert (
        keep.unmask(f"<w:t>{placeholder} [CIUDADANO_77]</w:t>", xml=True)
        == "<w:t>Ríos &amp; &lt;Hijos&gt; [CIUDADANO_77]</w:t>"
    )


# ---- the map
def test_the_map_is_encrypted_private_and_stable(tmp_path):
    path = tmp_path / "privacy" / "t.map"
    first = Scrubber("t", ROSTER, PlaceholderMap("t", KEY, path))
    before = first.mask("Camilo Urrea y la señora Ana Lucía Pinzón Vega").text
    first.map.save()
    raw = path.read_bytes()
    assert b"Urrea" not in raw and b"CONCEJAL" not in raw and path.stat().st_mode & 0o777 == 0o600
    second = Scrubber("t", [*ROSTER[::-1]], PlaceholderMap("t", KEY, path))
    assert second.mask("CAMILO ESTEBAN URREA GALVIS").text == "[CONCEJAL_05]"
    assert second.map.unmask(before) == "Camilo Urrea y la señora Ana Lucía Pinzón Vega"
    with pytest.raises(InputError, match="decrypted"):
        PlaceholderMap("t", b"another key, as long as the first", path)
    with pytest.raises(InputError, match="belongs to tenant|decrypted"):
        PlaceholderMap("other", KEY, path)


def test_two_writers_never_share_a_number(tmp_path):
    path = tmp_path / "t.map"
    one, two = PlaceholderMap("t", KEY, path), PlaceholderMap("t", KEY, path)
    got = [
        one.assign("P|a", "CIUDADANO", "A"),
        two.assign("P|b", "CIUDADANO", "B"),
        one.assign("P|c", "CIUDADANO", "C"),
        two.assign("P|a", "CIUDADANO", "A"),
    ]
    assert got == ["[CIUDADANO_01]", "[CIUDADANO_02]", "[CIUDADANO_03]", "[CIUDADANO_01]"]


def test_tenants_do_not_mix():
    with pytest.raises(InputError, match="tenant"):
        Scrubber("a", [], PlaceholderMap("b", KEY))
    with pytest.raises(InputError):
        PlaceholderMap("../b", KEY)


@pytest.mark.parametrize("row", [{}, {"name": " "}, "Ana"])
def test_a_broken_roster_is_named(row):
    with pytest.raises(InputError, match="roster row 0"):
        Scrubber("t", [row])


def test_the_key_is_made_once_and_private(tmp_path, monkeypatch):
    from astra_lib.core.settings import load
    from astra_lib.privacy.placeholders import privacy_key

    monkeypatch.delenv("ASTRA_PRIVACY_KEY", raising=False)
    monkeypatch.setenv("ASTRA_DATA_DIR", str(tmp_path))
    key = privacy_key(load())
    assert key == privacy_key(load()) and len(key) >= 32
    assert (tmp_path / "privacy" / "key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("ASTRA_PRIVACY_KEY", "short")
    with pytest.raises(InputError, match="too short"):
        privacy_key(load())


# ---- sessions and pairs
def _transcript(text: str) -> Transcript:
    words = [Word(w, i * 0.5, i * 0.5 + 0.4, 0.9, "S1") for i, w in enumerate(text.split())]
    half = len(words) // 2
    return Transcript(
        "s1",
        "t",
        len(words) * 0.5,
        words,
        [
            Utterance(0, half * 0.5, "S1", (0, half)),
            Utterance(half * 0.5, len(words) * 0.5, "S1", (half, len(words))),
        ],
    )


def test_a_session_keeps_times_and_ranges(scrubber):
    transcript = _transcript(
        "Gracias, concejal Camilo Urrea. El ingeniero Tobías Arredondo Lema, explicó la obra (Quiceno) hoy"
    )
    paragraph = Paragraph(
        0,
        "body",
        "Tobías Arredondo Lema explicó.",
        "<w:p><w:r><w:t>Tobías Arredondo Lema explicó.</w:t></w:r></w:p>",
    )
    masked, (shown,) = scrubber.mask_session(transcript, [paragraph])
    text = masked.text()
    assert [w.text for w in masked.words][:4] == ["Gracias,", "concejal", "[CONCEJAL_05].", "El"]
    official = PLACEHOLDER.findall(shown.text)[0]
    assert f"{official}, explicó la obra ([CONCEJAL_03]) hoy" in text and official in shown.xml
    joined = next(w for w in masked.words if w.text.startswith(official))
    source = [w for w in transcript.words if w.text in ("Tobías", "Lema,")]
    assert (joined.start, joined.end) == (source[0].start, source[1].end)
    assert masked.utterances[0].words[0] == 0 and masked.utterances[-1].words[1] == len(masked.words)
    assert all(
        a.words[1] == b.words[0] for a, b in zip(masked.utterances, masked.utterances[1:], strict=False)
    )
    assert transcript.words[2].text == "Camilo"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Camilo",
                "Urrea",
                "Galvis,",
                "concejal",
                "(Quiceno)",
                "312",
                "456",
                "7890",
                "hola",
                "Nueva",
                "Ladera.",
                "a,Quiceno,b",
            ]
        ),
        max_size=14,
    )
)
def test_words_of_a_session_say_what_the_text_says(scrubber, words):
    transcript = _transcript(" ".join(words))
    masked, _ = scrubber.mask_session(transcript, [])
    spoken = " ".join(words)
    entities = scrubber.entities([spoken], [spoken])[0] if spoken else []
    want, last = "", 0
    for e in entities:
        want, last = want + spoken[last : e.start] + e.replacement, e.end
    assert masked.text() == want + spoken[last:]
    assert all(a.start <= a.end for a in masked.words) and all(
        a.end <= b.start for a, b in zip(masked.words, masked.words[1:], strict=False)
    )


def test_pairs_are_masked_alike_everywhere(scrubber):
    pair = Pair(
        "s1",
        "t",
        0,
        "list",
        "Manifestó la señora Nubia Restrepo Cano que no.",
        "<w:p><w:r><w:t>Manifestó la señora Nubia Restrepo Cano que no.</w:t></w:r></w:p>",
        0.0,
        9.0,
        0.9,
        "habla doña nubia restrepo",
        [Block(0.0, 9.0, "Nubia Restrepo Cano", "habla doña nubia restrepo")],
    )
    (masked,), quiet, count = scrubber.mask_mined([pair], [Block(9.0, 12.0, None, "gracias nubia")])
    (who,) = set(PLACEHOLDER.findall(masked.text))
    assert {
        *PLACEHOLDER.findall(masked.xml),
        *PLACEHOLDER.findall(masked.speech),
        masked.blocks[0].speaker,
        *PLACEHOLDER.findall(quiet[0].text),
    } == {who}
    assert count["CIUDADANO"] >= 4 and scrubber.mask_pairs([pair]) == [masked]
    assert (
        masked.start == 0.0
        and replace(masked, text=pair.text, xml=pair.xml, speech=pair.speech, blocks=pair.blocks) == pair
    )


# ---- the gate
def _docx(**parts: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name.replace("__", "/"), text)
    return made.getvalue()


LEAKS = {
    "full name": ("a.txt", b"habl\xc3\xb3 camilo esteban urrea galvis"),
    "surname first, capitals": ("a.txt", b"URREA GALVIS CAMILO ESTEBAN"),
    "json escapes": ("a.jsonl", b'{"x": "Camilo Urrea Galvis, Hern\\u00e1n Dar\\u00edo Quiceno"}'),
    "rare surname alone": ("a.txt", "como decía Quiceno".encode()),
    "ordinary surname after a role": ("a.txt", "la concejala Toro"[0:].encode()),
    "over runs": ("a.xml", b"<w:p><w:r><w:t>Camilo Este</w:t></w:r><w:r><w:t>ban Urrea</w:t></w:r></w:p>"),
    "phone": ("a.txt", b"al 312 456 78 90"),
    "spoken phone": ("a.txt", b"tres uno dos cuatro cinco seis siete ocho nueve cero"),
    "email": ("a.txt", b"x: ana@correo.co"),
    "id": ("a.txt", "cédula de ciudadanía No. 30.298.456".encode()),
    "address": ("a.txt", b"Cra. 23 # 45-56"),
    "nit": ("a.txt", b"890.801.053-7"),
    "file name": ("camilo_urrea.txt", b"nada"),
    "archive in archive": ("a.zip", _docx(**{"in.zip": "x"}) and _docx(**{"b.txt": "Camilo Urrea"})),
    "author": (
        "a.docx",
        _docx(docProps__core__xml="x")
        and _docx(**{"docProps/core.xml": "<dc:creator>Secretaria X</dc:creator>"}),
    ),
    "alt text": ("a.docx", _docx(**{"word/document.xml": '<wp:docPr descr="Foto de Camilo Urrea"/>'})),
    "comment author": ("a.docx", _docx(**{"word/comments.xml": '<w:comment w:author="Rosalba G"/>'})),
    "role and party": ("a.txt", "la concejala de Raíces Vivas".encode()),
    "broken archive": ("a.zip", _docx(a="x" * 500)[:-40]),
    "known value": ("a.txt", b"ref 30298456"),
}


@pytest.mark.parametrize("case", LEAKS)
def test_the_gate_finds(case, tmp_path):
    name, data = LEAKS[case]
    path = tmp_path / name
    path.write_bytes(data)
    keep = PlaceholderMap("t", KEY)
    keep.assign("CEDULA|30298456", "CEDULA", "30.298.456")
    assert leak_scan([path], keep, ROSTER), case
    with pytest.raises(GateError) as error:
        leak_gate([tmp_path], keep, ROSTER)
    assert "Urrea Galvis" not in str(error.value) and error.value.exit_code == 3


def test_the_gate_lets_clean_files_pass_and_fails_closed(tmp_path):
    clean = tmp_path / "train.jsonl"
    clean.write_text(
        json.dumps(
            {
                "content": (
                    "[CONCEJAL_01] del [PARTIDO_2] citó el Acuerdo 0997 de 2019, $74.768 millones, "
                    "contrato 3102345678, el toro y la mora."
                ),
                "start_ms": 3101234567,
                "sha": "3" * 64,
            }
        ),
        encoding="utf-8",
    )
    assert leak_gate([clean], PlaceholderMap("t", KEY), ROSTER) == 1
    with pytest.raises(GateError):
        leak_gate([], None, ROSTER)
    with pytest.raises(MissingError):
        leak_gate([tmp_path / "no"], None, ROSTER)


def test_what_the_scrubber_masks_the_gate_passes(scrubber, tmp_path):
    texts = [
        "El concejal Hernán Darío Quiceno Mora y la señora Nubia Restrepo Cano, cédula 30.298.456, "
        "Cra. 23 # 45-56, 312 456 7890, ana@x.co",
        "TORO VILLADA LUZ ADRIANA PRESENTE",
        "tres uno dos cuatro cinco seis siete ocho nueve cero",
    ]
    path = tmp_path / "a.txt"
    path.write_text("\n".join(scrubber.mask(t).text for t in texts), encoding="utf-8")
    assert leak_scan([path], scrubber.map, ROSTER) == []


@given(st.datetimes(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_run_id_is_no_nit_and_a_nit_beside_it_is(tmp_path, start, tail):
    """A clock and a random end can pass the check digit: one build in fifty was refused for its own id."""
    clock = f"{start:%H%M%S}{start.microsecond // 1000:03d}"
    rest = (
        sum(int(d) * w for d, w in zip(reversed(clock), (3, 7, 13, 17, 19, 23, 29, 37, 41), strict=True)) % 11
    )
    nit = f"{clock}-{rest if rest < 2 else 11 - rest}"
    run = f"{start:%Y%m%d}".zfill(8) + f"T{nit}a{tail:08x}"[:19]
    (path := tmp_path / "card.json").write_text(json.dumps({"run": run}))
    assert leak_scan([path], None, ()) == []
    for text in (nit, f"NIT{nit}", f"{run} NIT {nit}"):
        path.write_text(json.dumps({"run": text}))
        assert [leak.kind for leak in leak_scan([path], None, ())] == ["nit"]


def test_party_size_decides(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("la concejala de Alianza Ribereña", encoding="utf-8")
    assert leak_scan([path], None, ROSTER, min_anonymity=3) and not leak_scan(
        [path], None, ROSTER, min_anonymity=2
    )


# ---- the command
def test_scrub_command_prints_offsets_of_the_input(tmp_path, capsys):
    from astra_cli.main import main

    text = "\ufeffHola\r\nla señora Nubia Restrepo Cano, cel. 312 456 7890 \U0001f600 ana@x.example.co"
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    assert main(["scrub", str(path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [text[r["start"] : r["end"]] for r in rows] == [
        "Nubia Restrepo Cano",
        "312 456 7890",
        "ana@x.example.co",
    ]
    assert [r["type"] for r in rows] == ["CIUDADANO", "TELEFONO", "CORREO"] and set(rows[0]) == {
        "start",
        "end",
        "type",
        "replacement",
    }
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00bad")
    assert main(["scrub", str(tmp_path / "b.txt")]) == 2


def test_phonetic_key_joins_what_sounds_alike():
    pairs = [
        ("benavides", "venavidez"),
        ("quiceno", "kiseno"),
        ("urrea", "hurrea"),
        ("castrillon", "castriyon"),
        ("echeverri", "echeberri"),
    ]
    assert all(phonetic(a) == phonetic(b) for a, b in pairs)
    assert phonetic("toro") != phonetic("tovar")


# ---- what a recogniser makes of it
NOISE = (
    "seramos este tema porsupuesto y apuevan el articulamo del proyeto con la plenalia informala "
    "aproamos el decisolio presidente buenas taldes companelos este es un informre del alcantarialo "
    "y de la semala que pasa rapimo sin permon de namie "
)


def test_misheard_ordinary_words_are_no_names(scrubber):
    talk = NOISE + "microfono prendimo hasta el refligerio Disculte presidente Verifique Worm por favor"
    assert scrubber.mask(talk, spoken=True).text == talk
    assert PLACEHOLDER.search(scrubber.mask(talk).text)  # in a clean text an unknown word is a name


def test_a_misheard_name_gets_the_placeholder_of_the_acta(scrubber):
    acta = "Intervino la doctora Catalina Guarnizo Peláez y el concejal Camilo Esteban Urrea Galvis."
    talk = (
        "tiene la palabra el onorable consejal camino estevan urea galvis y luego la señora catalina "
        "guanizo pelaes por " + NOISE
    )
    written, said = scrubber.entities([acta, talk], [talk])
    assert [e.replacement for e in said] == [e.replacement for e in reversed(written)]
    assert [e.text for e in said] == ["camino estevan urea galvis", "catalina guanizo pelaes"]


def test_well_heard_names_survive_the_noise(scrubber):
    masked = scrubber.mask(
        NOISE + "vive con doña Nohemí Escudero Bastidas y el profe Heladio ya lo sabe", spoken=True
    ).text
    assert "Nohemí" not in masked and "Bastidas" not in masked and "Heladio" not in masked


HONOURED = (
    "María Caridad Cobo Ñungo",
    "Ángel Manuel Jaramillo Chalapud",
    "Yeiver Cuesvas Imbajoa",
    "Sara Daniela Quiñones Taimbú",
    "Heider Pozo Jojoa",
    "Verónica Alexandra de la Torre Chukín",
    "Mónica Palacio Zipacón",
    "Rosa Cruz Guaspud",
)


@pytest.mark.parametrize("case", [str, str.lower])
def test_a_ceremony_of_rare_names_is_no_bad_recording(scrubber, case):
    """Many names that no dictionary has: every one is masked whole, with capitals or without."""
    talk = case(
        " ".join(f"La señora {n} recibe la condecoración por su trabajo con la comunidad." for n in HONOURED)
    )
    found = [e.text for e in scrubber.entities([talk], [talk])[0]]
    assert found == [case(n) for n in HONOURED]


def test_well_heard_courtesies_are_nobody(scrubber):
    talk = (
        "Muchas gracias, presidente. Muy buenas tardes a las señoras y señores. Muchas gracias, que "
        "no se diga que no hubo tiempo. " * 3
    )
    assert scrubber.entities([talk], [talk])[0] == []


def test_a_place_inside_a_name_does_not_make_the_place_a_person(scrubber):
    texts = ["Intervino Jimena Radio Ecuador.", "La frontera con Ecuador queda lejos, y Ecuador lo sabe."]
    assert scrubber.entities(texts)[1] == []


def test_a_place_of_the_document_is_nobody(scrubber):
    texts = [
        "La vereda de Valdelirios queda lejos.",
        "Encareció el ganado de Valdelirios y lo dijo don Brisko Nulrou.",
    ]
    assert [[e.text for e in es] for es in scrubber.entities(texts)] == [[], ["Brisko Nulrou"]]
