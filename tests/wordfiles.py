"""Messy Word files as clerks leave them, made from nothing: every word and picture in them is invented."""

from __future__ import annotations

import random
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from astra_lib.core.records import Paragraph
from astra_lib.minutes import Minutes

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NS = (
    f'xmlns:w="{MAIN}" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" mc:Ignorable="w14"'
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
SHAPES = "http://schemas.microsoft.com/office/word/2010/wordprocessingShape"
WML = "application/vnd.openxmlformats-officedocument.wordprocessingml"

ARIAL = '<w:rFonts w:ascii="Arial" w:hAnsi="Arial" w:cs="Arial"/>'
CHANGED = 'w:author="Ofelia Quintanar" w:date="2026-03-02T10:00:00Z"'


def _style(kind: str, identifier: str, name: str, inner: str = "", default: bool = False) -> str:
    first = ' w:default="1"' if default else ""
    return (
        f'<w:style w:type="{kind}"{first} w:styleId="{identifier}">'
        f'<w:name w:val="{name}"/>{inner}</w:style>\n'
    )


def _borders(*sides: str) -> str:
    lines = "".join(f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="auto"/>' for side in sides)
    return f"<w:tblBorders>{lines}</w:tblBorders>"


NORMAL = '<w:basedOn w:val="Normal"/>'
HEADING = (
    '<w:next w:val="Normal"/><w:pPr><w:keepNext/><w:outlineLvl w:val="0"/></w:pPr>'
    '<w:rPr><w:b/><w:sz w:val="26"/></w:rPr>'
)
CELL_MARGINS = (
    '<w:tblPr><w:tblInd w:w="0" w:type="dxa"/><w:tblCellMar><w:left w:w="108" w:type="dxa"/>'
    '<w:right w:w="108" w:type="dxa"/></w:tblCellMar></w:tblPr>'
)
ALL_BORDERS = _borders("top", "left", "bottom", "right", "insideH", "insideV")
GRID = f'<w:basedOn w:val="Tablanormal"/><w:tblPr>{ALL_BORDERS}</w:tblPr>'
LISTED = '<w:pPr><w:ind w:left="720"/><w:contextualSpacing/></w:pPr>'
RAISED = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
LINKED = '<w:rPr><w:color w:val="0563C1"/><w:u w:val="single"/></w:rPr>'
DEFAULTS = (
    "<w:docDefaults><w:rPrDefault><w:rPr>"
    '<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:cs="Times New Roman"/>'
    '<w:sz w:val="22"/><w:lang w:val="es-CO"/></w:rPr></w:rPrDefault>\n'
    '<w:pPrDefault><w:pPr><w:spacing w:after="0" w:line="240" w:lineRule="auto"/></w:pPr></w:pPrDefault>'
    "</w:docDefaults>\n"
)
STYLES = "".join(
    (
        f"<w:styles {NS}>\n{DEFAULTS}",
        _style("paragraph", "Normal", "Normal", "<w:qFormat/>", default=True),
        _style("character", "Fuentedeprrafopredeter", "Default Paragraph Font", default=True),
        _style("table", "Tablanormal", "Normal Table", CELL_MARGINS, default=True),
        _style("table", "Tablaconcuadrcula", "Table Grid", GRID),
        _style("paragraph", "Ttulo1", "heading 1", NORMAL + HEADING),
        _style("paragraph", "Sinespaciado", "No Spacing", "<w:qFormat/>"),
        _style("paragraph", "Prrafodelista", "List Paragraph", NORMAL + LISTED),
        _style("paragraph", "Lista", "List", NORMAL),
        _style("paragraph", "Encabezado", "header", NORMAL),
        _style("paragraph", "Textonotapie", "footnote text", NORMAL + '<w:rPr><w:sz w:val="18"/></w:rPr>'),
        _style("character", "Refdenotaalpie", "footnote reference", RAISED),
        _style("character", "Hipervnculo", "Hyperlink", LINKED),
        "</w:styles>",
    )
)


def _abstract(identifier: int, form: str, text: str) -> str:
    levels = "".join(
        f'<w:lvl w:ilvl="{n}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text.replace("%1", f"%{n + 1}")}"/>'
        f'<w:lvlJc w:val="left"/><w:pPr><w:ind w:left="{720 * (n + 1)}" w:hanging="360"/></w:pPr></w:lvl>'
        for n in range(3)
    )
    kind = '<w:multiLevelType w:val="hybridMultilevel"/>'
    return f'<w:abstractNum w:abstractNumId="{identifier}">{kind}{levels}</w:abstractNum>'


NUMBERING = (
    f"<w:numbering {NS}>"
    + _abstract(0, "bullet", "•")
    + _abstract(1, "decimal", "%1.")
    + '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    + '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    + '<w:num w:numId="3"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/>'
    + "</w:lvlOverride></w:num></w:numbering>"
)


def png(width: int = 60, height: int = 40, color: tuple[int, int, int] = (30, 90, 160)) -> bytes:
    """A plain picture, pixel by pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(color) * width for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Clerk:
    """Writes paragraphs the way Word saves them after years of editing: `rng` decides where runs are cut."""

    def __init__(self, seed: int = 7, mess: float = 1.0) -> None:
        self.rng, self.mess, self.bookmarks = random.Random(seed), mess, 0
        self.body: list[str] = []

    def rsid(self) -> str:
        return f"{self.rng.randrange(1 << 32):08X}"

    def runs(self, text: str, marks: str = "", size: int = 24) -> str:
        """One text as many runs, with rsids, fonts, languages, proofing marks and bookmarks in between."""
        out, rest = [], text
        while rest:
            cut = self.rng.randint(1, 14) if self.mess else len(rest)
            piece, rest = rest[:cut], rest[cut:]
            lang = '<w:lang w:val="es-ES"/>' if self.rng.random() < 0.5 * self.mess else ""
            out.append(
                f'<w:r w:rsidR="{self.rsid()}" w:rsidRPr="{self.rsid()}"><w:rPr>{ARIAL}'
                f'{marks}<w:sz w:val="{size}"/><w:szCs w:val="{size}"/>{lang}</w:rPr>'
                f'<w:t xml:space="preserve">{escape(piece)}</w:t></w:r>'
            )
            roll = self.rng.random() / max(self.mess, 0.001)
            if roll < 0.08:
                out.append('<w:proofErr w:type="spellStart"/>')
            elif roll < 0.14:
                self.bookmarks += 1
                out.append(
                    f'<w:bookmarkStart w:id="{self.bookmarks}" w:name="_Hlk{self.bookmarks}"/>'
                    f'<w:bookmarkEnd w:id="{self.bookmarks}"/>'
                )
        return "".join(out)

    def p(self, inner: str, style: str = "Sinespaciado", ppr: str = "", jc: str = "both") -> None:
        self.body.append(self.paragraph(inner, style, ppr, jc))

    def paragraph(self, inner: str, style: str = "Sinespaciado", ppr: str = "", jc: str = "both") -> str:
        return (
            f'<w:p w14:paraId="{self.rng.randrange(1, 1 << 31):08X}" w:rsidR="{self.rsid()}"'
            f' w:rsidRDefault="{self.rsid()}"><w:pPr><w:pStyle w:val="{style}"/>{ppr}'
            f'<w:jc w:val="{jc}"/><w:rPr>{ARIAL}<w:sz w:val="24"/></w:rPr></w:pPr>{inner}</w:p>'
        )

    def say(self, text: str, **how: str) -> None:
        self.p(self.runs(text), **how)

    def blank(self, times: int = 1) -> None:
        for _ in range(times):
            self.p("")

    def heading(self, text: str, center: bool = False) -> None:
        self.p(self.runs(text, "<w:b/>"), jc="center" if center else "both")

    def item(self, text: str, num: int = 1, level: int = 0) -> None:
        self.p(
            self.runs(text),
            "Prrafodelista",
            f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{num}"/></w:numPr>',
        )

    def table(self, rows: list[list[str]], bold_head: bool = True) -> None:
        width = len(rows[0])
        trs = ""
        for number, row in enumerate(rows):
            cells = "".join(
                f'<w:tc><w:tcPr><w:tcW w:w="{9000 // width}" w:type="dxa"/></w:tcPr>'
                + self.paragraph(self.runs(cell, "<w:b/>" if bold_head and not number else ""), jc="left")
                + "</w:tc>"
                for cell in row
            )
            trs += f'<w:tr w:rsidR="{self.rsid()}">{cells}</w:tr>'
        self.body.append(
            '<w:tbl><w:tblPr><w:tblStyle w:val="Tablaconcuadrcula"/><w:tblW w:w="0" w:type="auto"/></w:tblPr>'
            + "<w:tblGrid>"
            + f'<w:gridCol w:w="{9000 // width}"/>' * width
            + f"</w:tblGrid>{trs}</w:tbl>"
        )

    def picture(self, relation: str = "rId20") -> str:
        number = self.rng.randrange(1, 9999)
        return (
            '<w:r><w:drawing><wp:inline><wp:extent cx="1800000" cy="1200000"/>'
            f'<wp:docPr id="{number}" name="Foto" descr="Retrato de Ofelia Quintanar"/>'
            f'<a:graphic><a:graphicData uri="{DRAWING}/picture"><pic:pic>'
            '<pic:nvPicPr><pic:cNvPr id="0" name="foto.png"/><pic:cNvPicPr/></pic:nvPicPr>'
            f'<pic:blipFill><a:blip r:embed="{relation}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
            '<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1800000" cy="1200000"/></a:xfrm>'
            '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic>'
            "</wp:inline></w:drawing></w:r>"
        )

    def textbox(self, text: str) -> str:
        """A text box as Word keeps it: twice, for itself and for old versions of itself."""
        box = f"<w:txbxContent>{self.paragraph(self.runs(text))}</w:txbxContent>"
        return (
            '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:inline>'
            '<wp:extent cx="2400000" cy="600000"/><wp:docPr id="77" name="Cuadro"/>'
            f'<a:graphic><a:graphicData uri="{SHAPES}"><wps:wsp><wps:cNvSpPr txBox="1"/>'
            '<wps:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="2400000" cy="600000"/></a:xfrm>'
            '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></wps:spPr>'
            f"<wps:txbx>{box}</wps:txbx><wps:bodyPr/></wps:wsp></a:graphicData></a:graphic></wp:inline>"
            "</w:drawing></mc:Choice>"
            f"<mc:Fallback><w:pict><v:shape><v:textbox>{box}</v:textbox></v:shape></w:pict></mc:Fallback>"
            "</mc:AlternateContent></w:r>"
        )

    def field(self, code: str, result: str) -> str:
        return (
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
            f'<w:r><w:instrText xml:space="preserve"> {code} </w:instrText></w:r>'
            '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
            f'{self.runs(result)}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
        )

    def inserted(self, text: str) -> str:
        return f'<w:ins w:id="901" {CHANGED}>{self.runs(text)}</w:ins>'

    def deleted(self, text: str) -> str:
        gone = f'<w:delText xml:space="preserve">{escape(text)}</w:delText>'
        return f'<w:del w:id="902" {CHANGED}><w:r>{gone}</w:r></w:del>'


def sample_body(clerk: Clerk) -> None:
    """A whole acta of the invented Puerto Manantial with everything a clerk may put into it."""
    c = clerk
    c.heading("CONCEJO MUNICIPAL DE PUERTO MANANTIAL", center=True)
    c.heading("ACTA 014", center=True)
    c.blank()
    c.say(
        "En el municipio de Puerto Manantial, siendo las 8:05 a. m. del 3 de marzo de 2026, se reunió"
        " la corporación en el recinto de sesiones."
    )
    c.blank()
    c.say("La presidenta sometió a consideración el siguiente orden del día:")
    for text in (
        "Llamado a lista y verificación del quórum.",
        "Lectura del acta anterior.",
        "Intervención de la Secretaría de Obras.",
        "Proposiciones y varios.",
    ):
        c.item(text, num=2)
    c.say("El orden del día fue aprobado por unanimidad.")
    c.blank()
    c.heading("1. LLAMADO A LISTA")
    c.say("Contestaron a lista los siguientes concejales:")
    c.table(
        [
            ["Nombre", "Partido", "Asistencia"],
            ["Nubia Ferro Lasso", "Marea Viva", "Presente"],
            ["Ulises Barragán Toro", "Liga del Río", "Ausente con excusa"],
            ["Petronila Sáenz Guaca", "Marea Viva", "Presente"],
        ]
    )
    c.say("Hay quórum decisorio.")
    c.blank()
    c.heading("2. LECTURA DEL ACTA ANTERIOR")
    c.p(
        c.runs("Se aplazó la lectura ")
        + c.deleted("del acta 012 ")
        + c.inserted("del acta 013")
        + c.runs(" por solicitud de la mesa directiva.")
    )
    c.heading("3. INTERVENCIÓN DE LA SECRETARÍA DE OBRAS")
    c.say(
        "Seguidamente, intervino la ingeniera Dalila Monsalvo, secretaria de Obras, quien expuso"
        " lo siguiente:"
    )
    c.item("Manifestó que la vía al muelle tiene un avance del 62 %, con una inversión de $74.768 millones.")
    c.item("Recalcó que la interventoría & la alcaldía revisan el contrato < 3 veces por mes.")
    c.item("Explicó el cronograma de la segunda fase.", level=1)
    c.p(
        c.runs("Citó el Acuerdo 0997 de 2024")
        + '<w:r><w:rPr><w:rStyle w:val="Refdenotaalpie"/></w:rPr><w:footnoteReference w:id="2"/></w:r>'
        + c.runs(", artículo 78.")
    )
    c.p(
        c.runs("Consulte el informe en ")
        + '<w:hyperlink r:id="rId21">'
        + c.runs("el portal", '<w:u w:val="single"/>')
        + "</w:hyperlink>"
        + c.runs(", página ")
        + c.field("PAGEREF x", "12")
        + c.runs(".")
    )
    c.p(c.picture(), jc="center")
    c.p(c.runs("Cuadro resumen:") + c.textbox("Avance general: 62 %"))
    note = c.paragraph(c.runs("La sesión se transmitió en directo."))
    c.body.append(
        f'<w:sdt><w:sdtPr><w:alias w:val="Nota"/></w:sdtPr><w:sdtContent>{note}</w:sdtContent></w:sdt>'
    )
    c.p(
        c.runs("Votación: ", "<w:b/>")
        + c.runs("once votos a favor, ")
        + c.runs("ninguno", "<w:i/>")
        + c.runs(" en contra.")
        + "<w:r><w:br/></w:r>"
        + c.runs("Constancia adjunta.")
        + '<w:r><w:tab/></w:r><w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>'
        + "<w:r><w:t>art</w:t><w:noBreakHyphen/><w:t>78</w:t></w:r>"
    )
    c.heading("4. PROPOSICIONES Y VARIOS")
    c.item("Proposición 021: citar a la empresa de acueducto.", num=3)
    c.say("Fue aprobada por once votos.")
    c.item("Proposición 022: minuto de silencio.", num=3)
    c.blank()
    c.say("No habiendo más asuntos que tratar, se levantó la sesión a las 10:40 a. m.")
    c.blank(3)
    c.table([["NUBIA FERRO LASSO", "HERMÓGENES PAVA"], ["Presidenta", "Secretario general"]], bold_head=False)
    c.blank(2)
    c.say("Transcribió: H. Pava")


# ---- the parts around a body
NAMES = {
    "styles": "rId1",
    "numbering": "rId2",
    "settings": "rId3",
    "footnotes": "rId4",
    "comments": "rId5",
    "header": "rId10",
    "footer": "rId11",
}
SECTION = (
    '<w:sectPr><w:headerReference w:type="default" r:id="rId10"/>'
    '<w:footerReference w:type="default" r:id="rId11"/><w:pgSz w:w="12240" w:h="15840"/>'
    '<w:pgMar w:top="1701" w:right="1418" w:bottom="1418" w:left="1701" w:header="708" w:footer="708"'
    ' w:gutter="0"/></w:sectPr>'
)
CORE = (
    f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>Hermógenes Pava</dc:creator>'
    "<cp:lastModifiedBy>Ofelia Quintanar</cp:lastModifiedBy></cp:coreProperties>"
)
SETTINGS = (
    f'<w:settings {NS}><w:zoom w:percent="100"/><w:trackRevisions/><w:defaultTabStop w:val="708"/>'
    '<w:rsids><w:rsidRoot w:val="00A1B2C3"/></w:rsids></w:settings>'
)
FOOTNOTES = (
    f"<w:footnotes {NS}>"
    '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
    '<w:footnote w:type="continuationSeparator" w:id="0"><w:p><w:r><w:continuationSeparator/></w:r></w:p>'
    "</w:footnote>"
    '<w:footnote w:id="2"><w:p><w:pPr><w:pStyle w:val="Textonotapie"/></w:pPr>'
    '<w:r><w:rPr><w:rStyle w:val="Refdenotaalpie"/></w:rPr><w:footnoteRef/></w:r>'
    '<w:r><w:t xml:space="preserve"> Publicado en la gaceta municipal.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)
COMMENTS = (
    f'<w:comments {NS}><w:comment w:id="1" {CHANGED}>'
    "<w:p><w:r><w:t>revisar con Hermógenes</w:t></w:r></w:p></w:comment></w:comments>"
)
HEADER = (
    f'<w:hdr {NS}><w:p w:rsidR="00AA11BB"><w:pPr><w:pStyle w:val="Encabezado"/><w:jc w:val="center"/></w:pPr>'
    "<w:r><w:rPr><w:b/></w:rPr><w:t>{}</w:t></w:r></w:p></w:hdr>"
)
FOOTER = (
    f'<w:ftr {NS}><w:p><w:pPr><w:jc w:val="center"/></w:pPr>'
    '<w:r><w:t xml:space="preserve">Página </w:t></w:r>'
    '<w:fldSimple w:instr=" PAGE "><w:r><w:t>1</w:t></w:r></w:fldSimple></w:p></w:ftr>'
)


def _file(name: str) -> str:
    return name + "1" if name in ("header", "footer") else name


def _relationship(identifier: str, kind: str, target: str, external: bool = False) -> str:
    mode = ' TargetMode="External"' if external else ""
    return f'<Relationship Id="{identifier}" Type="{kind}" Target="{target}"{mode}/>'


def _relationships(*relations: str) -> str:
    return f'<Relationships xmlns="{PACKAGE}/relationships">{"".join(relations)}</Relationships>'


def _content_types() -> str:
    def override(part: str, kind: str) -> str:
        return f'<Override PartName="/{part}" ContentType="{kind}"/>'

    return (
        f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="png" ContentType="image/png"/>'
        + override("word/document.xml", f"{WML}.document.main+xml")
        + "".join(override(f"word/{_file(n)}.xml", f"{WML}.{n}+xml") for n in NAMES)
        + override("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml")
        + "</Types>"
    )


def write_docx(
    path: Path,
    body: str,
    *,
    header: str = "Concejo Municipal de Puerto Manantial",
    extra: dict[str, bytes] | None = None,
    relations: str = "",
    without: tuple[str, ...] = (),
) -> Path:
    """A whole package around a body; `extra` adds or replaces parts, `without` leaves parts out."""
    parts = {
        "[Content_Types].xml": _content_types(),
        "_rels/.rels": _relationships(
            _relationship("rId1", f"{OFFICE}/officeDocument", "word/document.xml"),
            _relationship("rId2", f"{PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
        ),
        "docProps/core.xml": CORE,
        "word/document.xml": f"<w:document {NS}><w:body>{body}{SECTION}</w:body></w:document>",
        "word/_rels/document.xml.rels": _relationships(
            *(_relationship(i, f"{OFFICE}/{n}", f"{_file(n)}.xml") for n, i in NAMES.items()),
            _relationship("rId20", f"{OFFICE}/image", "media/image1.png"),
            _relationship("rId21", f"{OFFICE}/hyperlink", "https://example.org/informe", external=True),
            relations,
        ),
        "word/styles.xml": STYLES,
        "word/numbering.xml": NUMBERING,
        "word/settings.xml": SETTINGS,
        "word/footnotes.xml": FOOTNOTES,
        "word/comments.xml": COMMENTS,
        "word/header1.xml": HEADER.format(escape(header)),
        "word/footer1.xml": FOOTER,
        "word/media/image1.png": png(),
    }
    parts.update(extra or {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if name not in without:
                archive.writestr(name, data)
    return path


def sample_acta(path: Path, seed: int = 7, mess: float = 1.0) -> Path:
    clerk = Clerk(seed, mess)
    sample_body(clerk)
    return write_docx(path, "".join(clerk.body))


# ---- what tests ask of such files
def docx(folder: Path, body: str, **how: Any) -> Path:
    return write_docx(folder / "a.docx", body, **how)


def p(inner: str = "", ppr: str = "") -> str:
    return f"<w:p>{ppr}{inner}</w:p>"


def t(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def bare_document(text: str, namespace: str = MAIN) -> str:
    """A main document of one paragraph."""
    inner = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>"
    return f'<w:document xmlns:w="{namespace}">{inner}</w:document>'


def texts(minutes: Minutes) -> list[str]:
    return [paragraph.text for paragraph in minutes.paragraphs]


def rows(paragraphs: Sequence[Paragraph]) -> list[tuple[str, str, str, str]]:
    """What must come back when a file is written and read again."""
    return [(x.kind, x.style, x.text, x.xml) for x in paragraphs]
