"""A Word file's other places, from properties to links: a name leaks from each, and from none in the copy."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from astra_cli.main import main
from astra_lib.core.errors import GateError
from astra_lib.minutes import check, read_minutes
from astra_lib.privacy.docx import scrub_docx
from astra_lib.scrub import Scrubber, leak_gate, leak_scan

from .test_scrub import ROSTER
from .wordfiles import NS, Clerk, sample_acta, write_docx

WHO = "Rosalba Giraldo Tangarife"  # the secretary general of the roster
VT = (
    'xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
    'xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"'
)
APP = 'xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"'
CORE = (
    'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
P15 = 'xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml"'
PLAIN = "<w:p><w:r><w:t>La sesión terminó a las once.</w:t></w:r></w:p>"
SPLIT = "".join(
    f"<w:r><w:t xml:space='preserve'>{x}</w:t></w:r>" for x in ("Rosal", "ba Gir", "aldo ", "Tangarife")
)
DELETED = (
    f'<w:p><w:del w:id="1" w:author="x"><w:r><w:delText>{WHO}</w:delText></w:r></w:del><w:r><w:t>'
    f"Hoy.</w:t></w:r></w:p>"
)
INNER = f"<w:p><w:r><w:t>{WHO}</w:t></w:r></w:p>"
PICTURE = Clerk(1).picture().replace("Retrato de Ofelia Quintanar", f"Retrato de {WHO}")
# place -> (body, further parts)
PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "runs": (f"<w:p>{SPLIT}</w:p>", {}),
    "deleted text": (DELETED, {}),
    "author of a change": (
        PLAIN + f'<w:p><w:ins w:id="1" w:author="{WHO}"><w:r><w:t>hoy</w:t></w:r></w:ins></w:p>',
        {},
    ),
    "author of a format": (
        f'<w:p><w:pPr><w:pPrChange w:id="9" w:author="{WHO}"><w:pPr/></w:pPrChange></w:pPr><w:r><w:t>'
        f"hoy</w:t></w:r></w:p>",
        {},
    ),
    "alt text": (PLAIN + f"<w:p>{PICTURE}</w:p>", {}),
    "content control": (
        PLAIN
        + (
            f'<w:sdt><w:sdtPr><w:alias w:val="Firma de {WHO}"/></w:sdtPr><w:sdtContent>'
            f"{PLAIN}</w:sdtContent></w:sdt>"
        ),
        {},
    ),
    "core properties": (
        PLAIN,
        {
            "docProps/core.xml": (
                f"<cp:coreProperties {CORE}><dc:creator>{WHO}</dc:creator></cp:coreProperties>"
            )
        },
    ),
    "who saved it": (
        PLAIN,
        {
            "docProps/core.xml": (
                f"<cp:coreProperties {CORE}><cp:lastModifiedBy>{WHO}</cp:lastModifiedBy></cp:coreProperties>"
            )
        },
    ),
    "title": (
        PLAIN,
        {
            "docProps/core.xml": (
                f"<cp:coreProperties {CORE}><dc:title>Acta de {WHO}</dc:title></cp:coreProperties>"
            )
        },
    ),
    "app properties": (
        PLAIN,
        {"docProps/app.xml": f"<Properties {APP}><Manager>{WHO}</Manager></Properties>"},
    ),
    "custom properties": (
        PLAIN,
        {
            "docProps/custom.xml": (
                f'<Properties {VT}><property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="2" '
                f'name="Elaboró"><vt:lpwstr>{WHO}</vt:lpwstr></property></Properties>'
            )
        },
    ),
    "comment": (
        PLAIN,
        {
            "word/comments.xml": (
                f'<w:comments {NS}><w:comment w:id="1" w:author="x">{INNER}</w:comment></w:comments>'
            )
        },
    ),
    "author of a comment": (
        PLAIN,
        {
            "word/comments.xml": (
                f'<w:comments {NS}><w:comment w:id="1" w:author="{WHO}" w:initials="RGT">'
                f"{PLAIN}</w:comment></w:comments>"
            )
        },
    ),
    "people": (
        PLAIN,
        {
            "word/people.xml": (
                f'<w15:people {P15}><w15:person w15:author="{WHO}"><w15:presenceInfo w15:providerId="AD" '
                f'w15:userId="rosalba.giraldo@concejo.example"/></w15:person></w15:people>'
            )
        },
    ),
    "header": (PLAIN, {"word/header1.xml": f"<w:hdr {NS}>{INNER}</w:hdr>"}),
    "footer": (PLAIN, {"word/footer1.xml": f"<w:ftr {NS}>{INNER}</w:ftr>"}),
    "footnote": (
        PLAIN,
        {"word/footnotes.xml": f'<w:footnotes {NS}><w:footnote w:id="2">{INNER}</w:footnote></w:footnotes>'},
    ),
    "custom XML": (PLAIN, {"customXml/item1.xml": f"<datos><secretaria>{WHO}</secretaria></datos>"}),
    "document variable": (
        PLAIN,
        {
            "word/settings.xml": (
                f'<w:settings {NS}><w:docVars><w:docVar w:name="firma" w:val="{WHO}"/></w:docVars>'
                f"</w:settings>"
            )
        },
    ),
}


def quiet(tmp_path: Path, place: str, name: str = "acta.docx") -> Path:
    """An acta in which only that place names the secretary."""
    body, parts = PLACES[place]
    nobody = {"docProps/core.xml": f"<cp:coreProperties {CORE}/>", "word/comments.xml": f"<w:comments {NS}/>"}
    return write_docx(tmp_path / name, body, extra={k: v.encode() for k, v in (nobody | parts).items()})


@pytest.mark.parametrize("place", PLACES)
def test_every_place_leaks_alone_and_comes_out_clean(tmp_path, place):
    path, scrubber = quiet(tmp_path, place), Scrubber("manantial", ROSTER)
    assert leak_scan([path], scrubber.map, ROSTER), "the gate overlooks it"
    with pytest.raises(GateError):
        leak_gate([path], scrubber.map, ROSTER)
    out = tmp_path / "limpia.docx"
    scrub_docx(path, out, scrubber.entities)
    assert leak_scan([out], scrubber.map, ROSTER) == []
    assert check(out) == [] or check(path) != []
    with zipfile.ZipFile(out) as archive:
        every = b"".join(archive.read(n) for n in archive.namelist()).decode("utf-8", "replace")
    assert not any(x in every for x in ("Rosalba", "Tangarife", "rosalba.giraldo"))


def test_the_file_name_counts(tmp_path):
    path = quiet(tmp_path, "runs", "acta Rosalba Giraldo.docx")
    assert "file name" in {leak.kind for leak in leak_scan([path], None, ROSTER)}


def test_one_person_one_placeholder_in_every_place(tmp_path):
    parts = {k: v.encode() for place in ("header", "custom properties") for k, v in PLACES[place][1].items()}
    path, scrubber = (
        write_docx(tmp_path / "a.docx", PLACES["runs"][0] + PLAIN, extra=parts),
        Scrubber("manantial", ROSTER),
    )
    scrub_docx(path, tmp_path / "b.docx", scrubber.entities)
    with zipfile.ZipFile(tmp_path / "b.docx") as archive:
        shown = [
            archive.read(n).decode() for n in ("word/document.xml", "word/header1.xml", "docProps/custom.xml")
        ]
    (placeholder,) = [k for k, v in scrubber.map.values.items() if v == WHO]
    assert all(placeholder in x for x in shown)


def test_a_whole_acta_keeps_its_layout(tmp_path):
    path, scrubber = sample_acta(tmp_path / "a.docx"), Scrubber("manantial", [])
    scrub_docx(path, tmp_path / "b.docx", scrubber.entities)
    before, after = read_minutes(path), read_minutes(tmp_path / "b.docx")
    assert [(p.kind, p.style) for p in before.paragraphs] == [(p.kind, p.style) for p in after.paragraphs]
    said = json.dumps([p.text for p in after.paragraphs], ensure_ascii=False) + json.dumps(
        after.elsewhere, ensure_ascii=False
    )
    assert not any(x in said for x in ("Hermógenes", "Quintanar", "Ofelia", "Monsalvo", "FERRO", "Petronila"))
    assert check(tmp_path / "b.docx", template=path) == []


def test_the_command_writes_a_clean_copy_or_none(tmp_path, capsys):
    roster, out = tmp_path / "roster.json", tmp_path / "limpia.docx"
    roster.write_text(json.dumps(ROSTER), encoding="utf-8")
    path = quiet(tmp_path, "core properties")
    assert main(["scrub", str(path), "--roster", str(roster), "--out", str(out)]) == 0
    assert leak_scan([out], None, ROSTER) == [] and "masked" in capsys.readouterr().out
    named = tmp_path / "acta Rosalba Giraldo.docx"
    assert main(["scrub", str(path), "--roster", str(roster), "--out", str(named)]) != 0
    assert not named.exists() and "file name" in capsys.readouterr().err
    assert main(["scrub", str(path), "--out", str(tmp_path / "x.txt")]) == 2
    assert main(["scrub", str(quiet(tmp_path, "comment")), "--roster", str(roster)]) == 0
    printed = capsys.readouterr().out
    assert "comment: [FUNCIONARIO_" in printed and "Rosalba" not in printed
