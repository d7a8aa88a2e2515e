"""Minutes: messy Word files in, canonical XML, Word files out; kinds, templates, pages, the command line."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astra_cli.main import main
from astra_lib.core.errors import InputError
from astra_lib.core.records import KINDS, Paragraph
from astra_lib.minutes import (
    check,
    fragment,
    fragment_texts,
    learn_template,
    paragraph_xml,
    read_minutes,
    write_minutes,
)

from .wordfiles import Clerk, docx, p, rows, sample_acta, t, texts


@pytest.fixture(scope="module")
def acta(tmp_path_factory) -> Path:
    return sample_acta(tmp_path_factory.mktemp("acta") / "acta.docx")


@pytest.fixture(scope="module")
def minutes(acta):
    return read_minutes(acta)


@pytest.fixture(scope="module")
def short_acta(tmp_path_factory) -> Path:
    """Two paragraphs, for what is written many times."""
    clerk = Clerk(3)
    clerk.say("Se abrió la sesión a la hora señalada.")
    clerk.say("La secretaria explicó el procedimiento a los asistentes.")
    return docx(tmp_path_factory.mktemp("short"), "".join(clerk.body))


# ---- reading
def test_every_construct_of_a_messy_acta_is_read(minutes):
    found = texts(minutes)
    assert (
        "Se aplazó la lectura del acta 013 por solicitud de la mesa directiva." in found
    )  # tracked change accepted
    assert "Citó el Acuerdo 0997 de 2024[1], artículo 78." in found
    assert "[1] Publicado en la gaceta municipal." in found  # footnote after its paragraph
    assert "Consulte el informe en el portal, página 12." in found  # hyperlink and field result
    assert found.count("Avance general: 62 %") == 1  # text box: one of the two alternatives
    assert "La sesión se transmitió en directo." in found  # content control
    assert "Ulises Barragán Toro | Liga del Río | Ausente con excusa" in found
    assert any(
        x == "Votación: once votos a favor, ninguno en contra.\nConstancia adjunta.\t✓art\u201178"
        for x in found
    )
    assert not any("012" in x or "revisar con" in x or "PAGEREF" in x for x in found)
    picture = [x for x in minutes.paragraphs if not x.text]
    assert len(picture) == 1 and '<w:drawing r:id="rId20"/>' in picture[0].xml and picture[0].kind == "body"
    assert [x.index for x in minutes.paragraphs] == list(range(len(found)))


def test_kinds_of_a_whole_acta(minutes):
    kind = {x.text: x.kind for x in minutes.paragraphs}
    assert kind["ACTA 014"] == kind["3. INTERVENCIÓN DE LA SECRETARÍA DE OBRAS"] == "heading"
    assert kind["Lectura del acta anterior."] == "agenda"
    assert (
        kind["El orden del día fue aprobado por unanimidad."]
        == kind["Fue aprobada por once votos."]
        == "vote"
    )
    assert kind["Explicó el cronograma de la segunda fase."] == "list"
    assert kind["No habiendo más asuntos que tratar, se levantó la sesión a las 10:40 a. m."] == "formula"
    assert kind["Transcribió: H. Pava"] == "signature"
    assert {x.kind for x in minutes.paragraphs} <= set(KINDS)
    assert (
        next(x.kind for x in minutes.paragraphs if x.text.startswith("Seguidamente, intervino")) == "handover"
    )


def test_a_roll_call_in_paragraphs(tmp_path):
    clerk = Clerk(1)
    for text in (
        "La secretaria hizo el llamado a lista y contestaron:",
        "FERRO LASSO NUBIA",
        "Barragán Toro Ulises: ausente",
        "Con quórum decisorio, siguió la sesión.",
    ):
        clerk.say(text)
    for _ in range(12):
        clerk.say(
            "Recalcó que la vía sigue cerrada y que la comunidad espera respuestas de la administración."
        )
    assert [x.kind for x in read_minutes(docx(tmp_path, "".join(clerk.body))).paragraphs][1:4] == [
        "rollcall",
        "rollcall",
        "formula",
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_mess_of_runs_changes_nothing(tmp_path, seed):
    clean = read_minutes(sample_acta(tmp_path / "clean.docx", seed, mess=0.0))
    messy = read_minutes(sample_acta(tmp_path / "messy.docx", seed, mess=1.0))
    assert rows(clean.paragraphs) == rows(messy.paragraphs)


def test_canonical_is_a_seventh_of_words_own(acta, minutes):
    def tokens(xml: str) -> int:
        return len(re.findall(r"\w{1,4}|[^\w\s]", xml))

    document = zipfile.ZipFile(acta).read("word/document.xml").decode()
    assert tokens(document) >= 7 * tokens(fragment(minutes.paragraphs))


def test_what_no_paragraph_holds_is_listed_for_privacy(minutes):
    assert minutes.elsewhere["property"] == ["Hermógenes Pava", "Ofelia Quintanar"]
    assert minutes.elsewhere["author"] == ["Ofelia Quintanar"]
    assert minutes.elsewhere["alt text"] == ["Retrato de Ofelia Quintanar"]
    assert minutes.elsewhere["header"] == ["Concejo Municipal de Puerto Manantial"]
    assert minutes.elsewhere["comment"] == ["revisar con Hermógenes"]


def test_deleted_paragraph_mark_joins_with_the_next(tmp_path):
    deleted = '<w:pPr><w:rPr><w:del w:id="1" w:author="x"/></w:rPr></w:pPr>'
    assert texts(read_minutes(docx(tmp_path, p(t("Se aprobó "), deleted) + p(t("el acta."))))) == [
        "Se aprobó el acta."
    ]


def test_deleted_row_and_moved_text(tmp_path):
    row = "<w:tr>{}<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc></w:tr>"
    body = (
        "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol w:w='9000'/></w:tblGrid>"
        + row.format('<w:trPr><w:del w:id="4" w:author="x"/></w:trPr>', "borrada")
        + row.format("", "queda")
        + "</w:tbl>"
        + p(
            f'<w:moveFrom w:id="1" w:author="x">{t("aquí")}</w:moveFrom>{t("texto ")}'
            f'<w:moveTo w:id="2" w:author="x">{t("allá")}</w:moveTo>'
        )
    )
    assert texts(read_minutes(docx(tmp_path, body))) == ["queda", "texto allá"]


def test_nested_tables_spans_and_merges(tmp_path):
    def tc(inner: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"

    restart, two = '<w:vMerge w:val="restart"/>', '<w:gridSpan w:val="2"/>'
    nested = f"<w:tbl><w:tblPr/><w:tblGrid/><w:tr>{tc(p(t('x')))}{tc(p(t('y')))}</w:tr></w:tbl><w:p/>"
    body = (
        "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/><w:gridCol/><w:gridCol/></w:tblGrid>"
        f"<w:tr>{tc(p(t('A')), restart)}{tc(p(t('B')), two)}</w:tr>"
        f"<w:tr>{tc('<w:p/>', '<w:vMerge/>')}{tc(nested)}{tc(p(t('C')))}</w:tr>"
        f"<w:tr>{tc(p(t('corta')))}</w:tr></w:tbl>"
    )
    template = docx(tmp_path, body)
    read = read_minutes(template)
    assert texts(read) == ["A | B", " | x\ty | C", "corta | "]
    assert check(fragment(read.paragraphs)) == []
    again = read_minutes(write_minutes(read.paragraphs, template, tmp_path / "b.docx"))
    assert rows(again.paragraphs) == rows(read.paragraphs)


def test_two_tables_stay_two(tmp_path):
    clerk = Clerk(3)
    clerk.table([["a", "b"], ["c", "d"]])
    clerk.blank()
    clerk.table([["e", "f"]])
    template = docx(tmp_path, "".join(clerk.body))
    out = write_minutes(read_minutes(template).paragraphs, template, tmp_path / "b.docx")
    document = zipfile.ZipFile(out).read("word/document.xml").decode()
    assert document.count("<w:tbl>") == 2


def test_lists_go_on_and_start_again(tmp_path):
    clerk = Clerk(5)
    for num, text in ((2, "uno"), (2, "dos")):
        clerk.item(text, num=num)
    clerk.say("La secretaria explicó el procedimiento a los asistentes.")
    clerk.item("tres", num=2)
    clerk.item("otra lista", num=3)
    template = docx(tmp_path, "".join(clerk.body))
    read = read_minutes(template)
    numbered = [x.xml for x in read.paragraphs]
    assert (
        "numPr" not in numbered[0] + numbered[1]
        and 'w:numId w:val="1"' in numbered[3]
        and 'w:numId w:val="2"' in numbered[4]
    )
    again = read_minutes(write_minutes(read.paragraphs, template, tmp_path / "b.docx"))
    assert rows(again.paragraphs) == rows(read.paragraphs)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff\ufff9\ufffa\ufffb\ufffc"),
        min_size=1,
        max_size=60,
    )
)
def test_text_survives_to_the_character(short_acta, tmp_path, text):
    clean = "".join(c for c in text if c >= " " or c in "\t\n")
    if not clean.strip():
        with pytest.raises(InputError):
            paragraph_xml(clean)
        return
    xml = paragraph_xml(clean)
    if problem := check(xml):
        assert (
            problem[0].rule == "text"
            and re.match("[\u0300-\u036f]", clean.lstrip("\t\n") or "x")
            or "\t" in clean
            or "\n" in clean
        ), problem
        return
    ((expected, _, _),) = fragment_texts(xml)
    out = write_minutes([Paragraph(0, "body", expected, xml)], short_acta, tmp_path / "c.docx")
    assert texts(read_minutes(out)) == [expected]


# ---- writing
def test_fixed_point_and_scrubbed(acta, minutes, tmp_path):
    out = write_minutes(minutes.paragraphs, acta, tmp_path / "b.docx")
    again = read_minutes(out)
    assert rows(again.paragraphs) == rows(minutes.paragraphs)
    third = write_minutes(again.paragraphs, out, tmp_path / "c.docx")
    assert rows(read_minutes(third).paragraphs) == rows(minutes.paragraphs)
    everything = b"".join(zipfile.ZipFile(out).read(n) for n in zipfile.ZipFile(out).namelist()).decode(
        "utf-8", "replace"
    )
    for secret in ("Hermógenes Pava", "Quintanar", "revisar con", "rsid", "trackRevisions", "012"):
        assert secret not in everything
    assert "Concejo Municipal de Puerto Manantial" in everything  # the header stays
    assert check(out, template=acta) == []


def test_cells_wear_the_style_of_cells(acta, minutes, tmp_path):
    document = (
        zipfile.ZipFile(write_minutes(minutes.paragraphs, acta, tmp_path / "b.docx"))
        .read("word/document.xml")
        .decode()
    )
    cells = re.findall(r"<w:tc>.*?</w:tc>", document)
    assert len(cells) == 16 and all('<w:pStyle w:val="Celda"/>' in cell for cell in cells)


def test_equal_input_gives_equal_bytes(acta, minutes, tmp_path):
    first = write_minutes(minutes.paragraphs, acta, tmp_path / "1.docx").read_bytes()
    assert first == write_minutes(minutes.paragraphs, acta, tmp_path / "2.docx").read_bytes()


def test_a_draft_may_use_styles_the_template_never_had(tmp_path):
    clerk = Clerk(2)
    clerk.say("Se reunió la corporación en el recinto.")
    template = docx(tmp_path, "".join(clerk.body), without=("word/numbering.xml",))
    paragraphs = [
        Paragraph(n, kind, f"texto {n}", paragraph_xml(f"texto {n}", kind)) for n, kind in enumerate(KINDS)
    ]
    paragraphs.append(Paragraph(99, "list", "uno", paragraph_xml("uno", "list", "ListaNum2")))
    out = write_minutes(paragraphs, template, tmp_path / "b.docx")
    assert [x.kind for x in read_minutes(out).paragraphs] == [x.kind for x in paragraphs]
    assert [v for v in check(out, template=template) if v.where != "[Content_Types].xml"] == []


def test_writing_refuses_what_is_not_canonical(acta, tmp_path):
    with pytest.raises(InputError, match="paragraph 3"):
        write_minutes([Paragraph(3, "body", "x", "<w:p><w:r><w:t>x</w:t></w:p>")], acta, tmp_path / "b.docx")
    with pytest.raises(InputError, match="rId99"):
        write_minutes(
            [Paragraph(0, "body", "", '<w:p><w:r><w:drawing r:id="rId99"/></w:r></w:p>')],
            acta,
            tmp_path / "b.docx",
        )
    assert not (tmp_path / "b.docx").exists()


@pytest.mark.skipif(
    not shutil.which("soffice"), reason="LibreOffice is not installed: the round trip was skipped"
)
def test_libreoffice_keeps_every_word(acta, minutes, tmp_path):
    out = write_minutes(minutes.paragraphs, acta, tmp_path / "b.docx")
    assert check(out, template=acta, round_trip=True) == []


# ---- the command line
def test_command_line(acta, tmp_path, capsys):
    rows_file, out, bad = tmp_path / "p.jsonl", tmp_path / "o.docx", tmp_path / "bad.xml"
    assert main(["minutes", "read", str(acta), "--out", str(rows_file)]) == 0
    assert main(["minutes", "write", str(rows_file), "--template", str(acta), "--out", str(out)]) == 0
    assert main(["minutes", "check", str(out), "--template", str(acta)]) == 0
    bad.write_text("<w:p><w:r><w:t>x</w:r></w:p>", encoding="utf-8")
    assert main(["minutes", "check", str(bad)]) == 3
    assert "well-formed" in capsys.readouterr().out
    assert main(["minutes", "read", str(tmp_path / "no.docx"), "--out", str(rows_file)]) == 2


# ---- a template out of several actas, pages
def hand(size: int, ind: int, tmp_path: Path, name: str, page: str = "", head: str = "ACTA") -> Path:
    """An acta whose body paragraphs are indented by `ind`, with a table and two headings."""
    clerk = Clerk(size)
    clerk.heading(head, center=True)
    for n in range(size):
        clerk.p(
            clerk.runs(f"Recalcó por vez {n} que la vía sigue cerrada y que la comunidad espera."),
            ppr=f'<w:ind w:firstLine="{ind}"/>',
        )
    clerk.heading("2. PROPOSICIONES")
    clerk.item("Proposición de la bancada.", num=2)
    clerk.say("No habiendo más asuntos que tratar, se levantó la sesión.")
    clerk.p((page or "") + clerk.runs("ANEXO DE LA SESIÓN", "<w:b/>"), jc="center")
    clerk.say("Se adjunta el informe leído en la plenaria del mes.")
    folder = tmp_path / name
    folder.mkdir()
    return docx(folder, "".join(clerk.body))


def test_a_template_of_several_actas_goes_by_what_occurs_most(tmp_path):
    one, two, odd = hand(9, 360, tmp_path, "a"), hand(8, 360, tmp_path, "b"), hand(12, 999, tmp_path, "c")
    template = learn_template([odd, one, two])
    assert template.actas == 3 and template.carrier in (one, two)
    assert 'w:firstLine="360"' in template.styles["Cuerpo"].properties and 0.5 < template.shares["Cuerpo"] < 1
    assert 'w:firstLine="999"' in learn_template([odd]).styles["Cuerpo"].properties
    read = read_minutes(odd)
    out = write_minutes(read.paragraphs, template, tmp_path / "out.docx")
    assert (
        rows(read_minutes(out).paragraphs) == rows(read.paragraphs)
        and check(out, template=template.carrier) == []
    )
    assert 'w:firstLine="360"' in zipfile.ZipFile(out).read("word/styles.xml").decode()


def test_a_style_that_only_another_acta_shows_is_learned_too(tmp_path):
    short = Clerk(2)
    short.say("Se reunió la corporación en el recinto y trató los puntos previstos para la fecha.")
    (tmp_path / "s").mkdir()
    plain = docx(tmp_path / "s", "".join(short.body))
    rich = hand(9, 360, tmp_path, "a")
    assert "Titulo" not in learn_template([plain]).styles
    assert {"Titulo", "Subtitulo"} <= set(learn_template([plain, rich]).styles)
    with pytest.raises(InputError, match="no actas"):
        learn_template([])


@pytest.mark.parametrize("how", ["run", "property", "section"])
def test_a_page_break_is_where_the_council_has_it(tmp_path, how):
    if how == "run":
        path = hand(6, 360, tmp_path, "a", page='<w:r><w:br w:type="page"/></w:r>')
    else:
        path = hand(6, 360, tmp_path, "a")
        body = zipfile.ZipFile(path).read("word/document.xml").decode()
        at = body.rindex('<w:jc w:val="center"/>')
        if how == "property":
            body = body[:at] + "<w:pageBreakBefore/>" + body[at:]
        else:  # the paragraph before ends a section
            at = body.rindex("</w:pPr>", 0, body.rindex("<w:p ", 0, at))
            body = body[:at] + '<w:sectPr><w:pgSz w:w="12240" w:h="15840"/></w:sectPr>' + body[at:]
        path = docx(tmp_path, "", extra={"word/document.xml": body.encode()})
    read = read_minutes(path)
    document = (
        zipfile.ZipFile(write_minutes(read.paragraphs, path, tmp_path / "o.docx"))
        .read("word/document.xml")
        .decode()
    )
    assert document.count("<w:pageBreakBefore/>") == 1
    assert "ANEXO" in document[document.index("<w:pageBreakBefore/>") :][:400]
    again = write_minutes(
        read_minutes(tmp_path / "o.docx").paragraphs, tmp_path / "o.docx", tmp_path / "p.docx"
    )
    assert (
        zipfile.ZipFile(again).read("word/document.xml").decode().count("<w:pageBreakBefore/>") == 1
        and check(again) == []
    )


def test_headings_in_capitals_are_no_signatures_and_bare_lines_are_agenda(tmp_path):
    clerk = Clerk(4)
    agenda = [
        "Llamado a lista y verificación del quórum",
        "Lectura y aprobación del acta anterior",
        "Himno del municipio",
        "Intervención del gerente de la empresa de acueducto",
    ]
    clerk.heading("ACTA 021", center=True)
    for text in (
        "ORDEN DEL DÍA",
        *agenda,
        "El orden del día fue aprobado por unanimidad.",
        "LLAMADO A LISTA",
        "Contestaron a lista los siguientes concejales:",
        "Nubia Ferro Lasso",
        "DESARROLLO DE LA SESIÓN",
        *["Recalcó que la vía sigue cerrada y que la comunidad espera respuestas de la administración."] * 30,
        "CIERRE DE LA SESIÓN",
        "CLAUSURA",
        "No habiendo más asuntos que tratar, se levantó la sesión a las 10:40 a. m.",
        "NUBIA FERRO LASSO",
        "PRESIDENTA",
        "HERMÓGENES PAVA",
        "Secretario general",
        "ANEXOS",
        "ASISTENCIA CIUDADANA",
    ):
        clerk.say(text)
    kind = {x.text: x.kind for x in read_minutes(docx(tmp_path, "".join(clerk.body))).paragraphs}
    assert {kind[x] for x in agenda} == {"agenda"} and kind[
        "El orden del día fue aprobado por unanimidad."
    ] == "vote"
    assert {
        kind[x]
        for x in (
            "LLAMADO A LISTA",
            "DESARROLLO DE LA SESIÓN",
            "CIERRE DE LA SESIÓN",
            "CLAUSURA",
            "ANEXOS",
            "ASISTENCIA CIUDADANA",
        )
    } == {"heading"}
    assert {
        kind[x] for x in ("NUBIA FERRO LASSO", "PRESIDENTA", "HERMÓGENES PAVA", "Secretario general")
    } == {"signature"}
    assert kind["Nubia Ferro Lasso"] == "rollcall"


def test_every_kind_of_the_sample_is_what_its_builder_meant():
    """`astra_lib` reads what `samples/` built: kinds agree but for a handful that may be read both ways."""
    from astra_lib.core.records import read_json

    wrong = total = 0
    for folder in sorted((Path(__file__).parents[1] / "samples" / "manantial" / "sessions").iterdir()):
        meant = {row["paragraph"]: row["kind"] for row in read_json(folder / "gold.json")}
        for paragraph in read_minutes(folder / "acta.docx").paragraphs:
            total, wrong = total + 1, wrong + (meant.get(paragraph.index) != paragraph.kind)
    assert total > 1000 and wrong / total < 0.012, (wrong, total)
