"""Write an acta as Word would have left it: the clerk's styles, and Word's own mess around every few letters.

python-docx makes the package (header, footer, picture, tables, properties); the paragraphs' runs are then
broken up with rsid attributes, repeated fonts and languages, spelling marks and bookmarks, as a document has
after ten people edited it.
"""

from __future__ import annotations

import io
import random
import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Cm, Pt
from PIL import Image, ImageDraw

from astra_lib.core.records import atomic_write

# Word in Spanish gives its built-in styles these ids
STYLE_IDS = {
    "ListParagraph": "Prrafodelista",
    "NoSpacing": "Sinespaciado",
    "Heading1": "Ttulo1",
    "Heading2": "Ttulo2",
    "Title": "Puesto",
    "TableGrid": "Tablaconcuadrcula",
    "Header": "Encabezado",
    "Footer": "Piedepgina",
    "DefaultParagraphFont": "Fuentedeprrafopredeter",
    "TableNormal": "Tablanormal",
    "NoList": "Sinlista",
}
FAR_EAST = (
    "Times New Roman",
    "Calibri",
    "Arial",
)  # no reader of Spanish sees them, Word repeats them everywhere
LANGS = ("es-CO", "es-CO", "es-ES", "es-MX")
BULLETS, NUMBERS = 41, 42


def emblem(size: int = 220) -> bytes:
    """The council's arms: a river under a hill with a ceiba, drawn here."""
    image = Image.new("RGB", (size, size), "white")
    d = ImageDraw.Draw(image)
    d.ellipse((4, 4, size - 4, size - 4), fill="#eef4ee", outline="#1f5a45", width=6)
    d.polygon([(30, 150), (105, 70), (190, 150)], fill="#6fa287")
    d.rectangle((100, 84, 112, 132), fill="#6b4a2b")
    d.ellipse((70, 44, 142, 96), fill="#2f7a55")
    for k in range(3):
        d.arc((20, 140 + 14 * k, size - 20, 180 + 14 * k), 200, 340, fill="#2a6db0", width=5)
    return png(image)


def slide(seed: str) -> bytes:
    """A slide of the official's talk, photographed into the minutes: a bar chart."""
    rng = random.Random(seed)
    image = Image.new("RGB", (640, 360), "#f7f7f2")
    d = ImageDraw.Draw(image)
    d.rectangle((0, 0, 640, 46), fill="#1f5a45")
    d.text((16, 14), "Ejecución 2025 - 2026", fill="white")
    for k in range(7):
        height = rng.randint(40, 250)
        d.rectangle(
            (50 + 80 * k, 330 - height, 100 + 80 * k, 330), fill=rng.choice(["#2a6db0", "#6fa287", "#c98a2b"])
        )
    d.line((30, 330, 620, 330), fill="black", width=2)
    return png(image)


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.quantize(32).save(out, "PNG", optimize=True)
    return out.getvalue()


class Mess:
    """Word's noise, from one seed."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.rsids = [f"00{self.rng.randrange(16**6):06X}" for _ in range(14)]
        self.bookmark = 0

    def rsid(self) -> str:
        return self.rng.choice(self.rsids)

    def pieces(self, text: str) -> list[str]:
        """Text broken where editing broke it: anywhere, mostly every few letters, sometimes not at all."""
        if self.rng.random() < 0.15:
            return [text]
        out, at = [], 0
        while at < len(text):
            step = self.rng.choice((2, 3, 5, 8, 13, 21, 34, 60))
            out.append(text[at : at + step])
            at += step
        return out

    def properties(self, bold: bool, size: int) -> Any:
        east, lang = self.rng.choice(FAR_EAST), self.rng.choice(LANGS)
        xml = f"<w:rPr {nsdecls('w')}>"
        xml += f'<w:rFonts w:ascii="Arial" w:eastAsia="{east}" w:hAnsi="Arial" w:cs="Arial"/>'
        xml += "<w:b/><w:bCs/>" if bold else ""
        if bold or self.rng.random() < 0.3:
            xml += '<w:color w:val="000000"/>'
        xml += f'<w:sz w:val="{size}"/><w:szCs w:val="{size}"/>'
        if self.rng.random() < 0.2:
            xml += '<w:shd w:val="clear" w:color="auto" w:fill="FFFFFF"/>'
        return parse_xml(xml + f'<w:lang w:val="{lang}"/></w:rPr>')

    def fill(self, p: Any, text: str, bold: tuple[int, int] = (0, 0), size: int = 24) -> None:
        """Put `text` into the paragraph element `p` as many runs; characters in the range `bold` are bold."""
        p.set(qn("w:rsidR"), self.rsid())
        p.set(qn("w:rsidRDefault"), self.rsid())
        if self.rng.random() < 0.7:
            p.set(qn("w:rsidP"), self.rsid())
        if (ppr := p.find(qn("w:pPr"))) is not None:
            ppr.append(self.properties(bool(bold[1]), size))
        marked = self.rng.random() < 0.12
        if marked:
            self.bookmark += 1
            name = f"_Hlk{100000000 + self.bookmark * 7919}"
            p.append(tag("bookmarkStart", f'w:id="{self.bookmark}" w:name="{name}"'))
        for part, is_bold in ((text[: bold[0]], False), (text[slice(*bold)], True), (text[bold[1] :], False)):
            for piece in self.pieces(part) if part else []:
                self.run(p, piece, is_bold, size)
        if marked:
            p.append(tag("bookmarkEnd", f'w:id="{self.bookmark}"'))

    def run(self, p: Any, piece: str, bold: bool, size: int) -> None:
        """One run at the end of `p`, now and then marked as misspelled."""
        spelled = self.rng.random() < 0.08
        if spelled:
            p.append(tag("proofErr", 'w:type="spellStart"'))
        run = OxmlElement("w:r")
        if self.rng.random() < 0.8:
            run.set(qn("w:rsidR"), self.rsid())
            run.set(qn("w:rsidRPr"), self.rsid())
        run.append(self.properties(bold, size))
        t = OxmlElement("w:t")
        t.text = piece
        t.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        run.append(t)
        p.append(run)
        if spelled:
            p.append(tag("proofErr", 'w:type="spellEnd"'))


def tag(name: str, attributes: str, text: str = "") -> Any:
    """An element of the w: namespace out of what stands in its tag."""
    return parse_xml(f"<w:{name} {nsdecls('w')} {attributes}>{text}</w:{name}>")


def page_field(p: Any) -> None:
    """`Página N de M` with real fields."""
    for word, code in (("Página ", "PAGE"), (" de ", "NUMPAGES")):
        for content in (
            word,
            tag("fldChar", 'w:fldCharType="begin"'),
            tag("instrText", 'xml:space="preserve"', f" {code} "),
            tag("fldChar", 'w:fldCharType="separate"'),
            "1",
            tag("fldChar", 'w:fldCharType="end"'),
        ):
            run = p.add_run()
            run.font.size = Pt(8)
            if isinstance(content, str):
                run.text = content
            else:
                run._r.append(content)


def numbering(document: Any) -> None:
    """A bullet list and a decimal list, under the ids BULLETS and NUMBERS."""
    part = document.part.numbering_part.element
    for number, fmt, text, font in (
        (
            BULLETS,
            "bullet",
            "\u2022",
            '<w:rPr><w:rFonts w:ascii="Arial" w:hAnsi="Arial" w:hint="default"/></w:rPr>',
        ),
        (NUMBERS, "decimal", "%1.", ""),
    ):
        abstract = parse_xml(
            f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{number}">'
            '<w:multiLevelType w:val="hybridMultilevel"/><w:lvl w:ilvl="0"><w:start w:val="1"/>'
            f'<w:numFmt w:val="{fmt}"/><w:lvlText w:val="{text}"/><w:lvlJc w:val="left"/>'
            f'<w:pPr><w:ind w:left="720" w:hanging="360"/></w:pPr>{font}</w:lvl></w:abstractNum>'
        )
        part.insert(len(part.findall(qn("w:abstractNum"))), abstract)
        part.append(
            parse_xml(f'<w:num {nsdecls("w")} w:numId="{number}"><w:abstractNumId w:val="{number}"/></w:num>')
        )


def spanish_ids(document: Any) -> None:
    """Rename the template's style ids as a Spanish Word names them, and drop the styles nobody uses."""
    styles = document.styles.element
    keep = {*STYLE_IDS, "Normal", "HeaderChar", "FooterChar", "Heading1Char", "Heading2Char", "TitleChar"}
    for style in list(styles.findall(qn("w:style"))):
        if style.get(qn("w:styleId")) not in keep:
            styles.remove(style)
    for element in styles.iter():
        refers = element.tag in (qn("w:basedOn"), qn("w:next"), qn("w:link"))
        for attribute in (qn("w:styleId"), qn("w:val")) if refers else (qn("w:styleId"),):
            if (value := element.get(attribute)) in STYLE_IDS:
                element.set(attribute, STYLE_IDS[value])
    # a leftover of the library's own template, which knows other styles
    for key, relation in list(document.part.rels.items()):
        if relation.reltype.endswith("/stylesWithEffects"):
            del document.part.rels[key]
    for part in (document.sections[0].header, document.sections[0].footer):
        for used in part._element.iter(qn("w:pStyle"), qn("w:rStyle")):
            used.set(qn("w:val"), STYLE_IDS.get(used.get(qn("w:val")), used.get(qn("w:val"))))


def styled(p: Any, style: str, extra: str = "") -> None:
    """Paragraph properties, in the schema's order: style, numbering, spacing, justification."""
    if (old := p.find(qn("w:pPr"))) is not None:
        p.remove(old)
    p.insert(0, parse_xml(f'<w:pPr {nsdecls("w")}><w:pStyle w:val="{style}"/>{extra}</w:pPr>'))


def name_span(text: str, people: dict[str, Any]) -> tuple[int, int]:
    """Where a paragraph names somebody, to be set in bold."""
    for person in people.values():
        if (at := text.find(person["name"])) >= 0:
            return at, at + len(person["name"])
    return 0, 0


class Acta:
    """One document being written."""

    def __init__(self, data: dict[str, Any], roster: dict[str, Any], seed: int) -> None:
        self.data, self.mess = data, Mess(f"{seed}:word:{data['session_id']}")
        self.document = Document()
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21.59), Cm(27.94)
        section.left_margin = section.right_margin = Cm(3)
        section.top_margin = section.bottom_margin = Cm(2.5)
        self.frame(section, roster)
        numbering(self.document)
        number = int(re.sub(r"\D", "", data["number"]) or 0)
        self.both = '<w:jc w:val="both"/>'
        # clerks differ: some use real headings, some bold lines
        self.heading = "Ttulo1" if number % 2 else "Sinespaciado"

    def frame(self, section: Any, roster: dict[str, Any]) -> None:
        head = section.header.paragraphs[0]
        head.alignment = WD_ALIGN_PARAGRAPH.CENTER
        head.add_run().add_picture(io.BytesIO(emblem()), width=Cm(1.6))
        line = section.header.add_paragraph()
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        for text, bold in (
            (roster["council"].upper(), True),
            (f" — {roster['department']}, Colombia. NIT 890.000.417-3", False),
        ):
            run = line.add_run(text)
            run.bold, run.font.size, run.font.name = bold, Pt(8), "Arial"
        foot = section.footer.paragraphs[0]
        foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
        foot.add_run(
            f"Acta No. {self.data['number']} · Calle 10 # 8-21, Palacio Municipal · "
        ).font.size = Pt(8)
        page_field(foot)

    def paragraph(self, item: dict[str, Any]) -> None:
        kind, text = item["kind"], item["text"]
        p = self.document.add_paragraph()._p
        gap = '<w:spacing w:after="120"/>'
        if item.get("picture"):
            styled(p, "Sinespaciado", '<w:jc w:val="center"/>')
            self.document.paragraphs[-1].add_run().add_picture(
                io.BytesIO(slide(item["picture"])), width=Cm(9)
            )
        elif kind == "heading":
            centre = len(self.document.paragraphs) < 4
            place = f'<w:jc w:val="{"center" if centre else "left"}"/>'
            styled(p, self.heading, f'<w:spacing w:before="120" w:after="120"/>{place}')
            self.mess.fill(p, text, (0, len(text)))
        elif kind in ("list", "rollcall", "agenda"):
            number = self.list_of(item)
            listed = f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{number}"/></w:numPr>' if number else ""
            styled(p, "Prrafodelista", listed + (gap if kind == "list" else "") + self.both)
            self.mess.fill(p, text)
        elif kind == "signature":
            room = '<w:spacing w:before="960"/>' if text.isupper() else ""
            styled(p, "Sinespaciado", f'{room}<w:jc w:val="center"/>')
            self.mess.fill(p, text, (0, len(text)) if text.isupper() else (0, 0))
        else:
            styled(p, "Sinespaciado", gap + self.both)
            self.mess.fill(p, text, name_span(text, self.data["people"]) if kind == "handover" else (0, 0))

    def list_of(self, item: dict[str, Any]) -> int:
        """The list that an item of an agenda, a roll call or a speech is in; 0 for none."""
        if item["kind"] == "agenda":
            return NUMBERS if item.get("number") else 0
        return BULLETS if item["kind"] == "list" or self.heading == "Ttulo1" else 0

    def table(self, rows: list[list[str]]) -> None:
        width = max(map(len, rows))
        table = self.document.add_table(rows=len(rows), cols=width, style="Table Grid")
        for r, row in enumerate(rows):
            for c in range(width):
                text = row[c].strip() if c < len(row) else ""
                p = table.cell(r, c).paragraphs[0]._p
                styled(p, "Sinespaciado", '<w:jc w:val="center"/>' if c and len(text) < 3 else "")
                self.mess.fill(p, text, (0, len(text)) if r == 0 else (0, 0), size=20)
        for element in table._tbl.iter(qn("w:tblStyle")):
            element.set(qn("w:val"), "Tablaconcuadrcula")

    def blank(self) -> None:
        p = self.document.add_paragraph()._p
        styled(p, "Sinespaciado")
        self.mess.fill(p, "")

    def write(self) -> bytes:
        rows: list[list[str]] = []  # of the table being collected
        for place, item in enumerate(self.data["paragraphs"]):
            if rows and not (item["kind"] == "table" and item.get("row")):
                self.table(rows)
                self.blank()
                rows = []
            if item["kind"] == "table":
                rows.append(item["text"].split("|"))
                continue
            if item["kind"] in ("heading", "handover") and place:
                self.blank()
            self.paragraph(item)
        if rows:
            self.table(rows)
            self.blank()
        spanish_ids(self.document)
        day = datetime.fromisoformat(self.data["session_id"]) + timedelta(days=6, hours=10)
        core, secretary = self.document.core_properties, self.data["people"]["secretary"]["name"]
        core.author = core.last_modified_by = secretary
        core.title, core.comments, core.keywords = f"Acta {self.data['number']}", "", ""
        core.created, core.modified, core.revision = day, day + timedelta(days=2), 17
        out = io.BytesIO()
        self.document.save(out)
        return steady(out.getvalue())


def steady(package: bytes) -> bytes:
    """The same parts with fixed times, so that equal sources give equal bytes; without the thumbnail."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(package)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/thumbnail.jpeg":
                continue
            if name == "_rels/.rels":
                data = re.sub(rb"<Relationship [^>]*thumbnail[^>]*/>", b"", data)
            target.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_acta(data: dict[str, Any], roster: dict[str, Any], out: Path, seed: int) -> Path:
    return atomic_write(out, Acta(data, roster, seed).write())
