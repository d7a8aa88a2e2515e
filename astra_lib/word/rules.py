"""Rules of Word that no schema states, for whole .docx files; openxml-audit; a LibreOffice round trip.

`check_file` names what Word would repair or silently drop: references to nothing, rows that do not fit their
grid, ids used twice, bookmarks and fields left open, text where no text may stand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from ..core.errors import InputError, ServiceError
from .package import LIMITS, Limits, Package
from .schema import Violation, Violations
from .xml import MC, W14, R, W, children, depth_within, local, value_of, w

_STORIES = ("document", "header", "footer", "footnotes", "endnotes", "comments")
_TEXT = {"t", "delText", "instrText", "delInstrText", "fldData", "docPart", "text"}
# Word opens files without a theme or a font table as they are
_OPTIONAL = re.compile(r"required relationship type '[^']*/(?:fontTable|theme)' is missing")
_STYLE_KIND = {"pStyle": "paragraph", "rStyle": "character", "tblStyle": "table"}
# what a cell may end with: a paragraph, or something that wraps one or ends a range
_CELL_ENDS = frozenset(
    """
    p sdt customXml bookmarkEnd commentRangeEnd permEnd moveFromRangeEnd moveToRangeEnd
    """.split()
)
_RANGES = (
    ("bookmarkStart", "bookmarkEnd"),
    ("commentRangeStart", "commentRangeEnd"),
    ("permStart", "permEnd"),
)


def check_file(path: Path, limits: Limits = LIMITS) -> list[Violation]:
    """Violations of a .docx; a file that cannot be opened is one violation, not an exception."""
    try:
        package = Package.open(path, limits)
        return [*_package(package), *_document(package, limits)]
    except InputError as error:
        return [Violation("package", error.where or path.name, error.what)]


# ---- the package
def _package(package: Package) -> Violations:
    for name in package.names:
        if name != "[Content_Types].xml" and not package.type_of(name):
            yield Violation("content type", name, "a part without a content type: Word refuses the file")
        if not name.endswith(".rels"):
            yield from _declared_relations(package, name)
    for name in package.overrides:
        if name not in package:
            yield Violation("content type", name, "a content type for a part that is not in the file")


def _declared_relations(package: Package, name: str) -> Violations:
    seen: Counter[str] = Counter()
    for relation in package.relations(name):
        seen[relation.id] += 1
        if relation.external or relation.target in package or relation.target.startswith("#"):
            continue
        message = f"relation {relation.id} points to {relation.target}, which is not in the file"
        yield Violation("reference", name, message)
    for identifier, times in seen.items():
        if times > 1:
            yield Violation("duplicate id", name, f"relation {identifier} is declared {times} times")


def _document(package: Package, limits: Limits) -> Violations:
    styles: dict[str, str] = {}  # id: paragraph, character, table, numbering
    if name := package.related("styles"):
        root = package.xml(name)
        for style in root.iterchildren(w("style")):
            styles[style.get(w("styleId"), "")] = style.get(w("type"), "paragraph")
        yield from _styles(root, name, styles)
    numbers: set[str] = set()
    if name := package.related("numbering"):
        root = package.xml(name)
        numbers = {num.get(w("numId"), "") for num in root.iterchildren(w("num"))}
        yield from _lists(root, name)
    paragraph_ids: Counter[str] = Counter()
    stories = [x for x in package.relations(package.main) if x.type in _STORIES and not x.external]
    for part in [package.main, *(x.target for x in stories)]:
        if part not in package:
            continue
        root = package.xml(part)
        if not depth_within(root, limits.depth):
            yield Violation("depth", part, f"elements nested deeper than {limits.depth}")
            continue
        yield from _story(root, part, styles, numbers, {x.id for x in package.relations(part)})
        for p in root.iter(w("p"), w("tr")):
            if (identifier := p.get(f"{{{W14}}}paraId")) and not _in_fallback(p):
                paragraph_ids[identifier.upper()] += 1
    for identifier, times in paragraph_ids.items():
        if times > 1:
            message = f"paraId {identifier} stands on {times} paragraphs"
            yield Violation("duplicate id", package.main, message)


def _styles(root: etree._Element, part: str, styles: dict[str, str]) -> Violations:
    seen: set[str] = set()
    names: Counter[tuple[str, str]] = Counter()
    for style in root.iterchildren(w("style")):
        identifier = style.get(w("styleId"), "")
        if identifier in seen:
            yield Violation("duplicate id", part, f"two styles with the id {identifier}")
        seen.add(identifier)
        names[(style.get(w("type"), "paragraph"), value_of(style, "name").lower())] += 1
    for (_, shown), times in names.items():
        if times > 1 and shown:
            yield Violation("duplicate id", part, f"{times} styles named {shown!r}")
    for style in root.iterchildren(w("style")):
        if (base := value_of(style, "basedOn")) and base not in styles:
            message = f"style {style.get(w('styleId'))} is based on {base}, which does not exist"
            yield Violation("reference", part, message)


def _lists(root: etree._Element, part: str) -> Violations:
    abstracts = {a.get(w("abstractNumId"), "") for a in root.iterchildren(w("abstractNum"))}
    for num in root.iterchildren(w("num")):
        if value_of(num, "abstractNumId") not in abstracts:
            yield Violation("reference", part, f"list {num.get(w('numId'))} has no abstract definition")


# ---- the elements of a part
def _story(
    root: etree._Element, part: str, styles: dict[str, str], numbers: set[str], relations: set[str]
) -> Violations:
    for node in root.iter():
        if isinstance(node.tag, str) and node.tag.startswith(w("")):
            yield from _element(node, f"{part}:{node.sourceline}", styles, numbers)
        yield from _relations(node, part, relations)
    yield from _ranges(root, part)
    yield from _fields(root, part)


def _element(node: etree._Element, at: str, styles: dict[str, str], numbers: set[str]) -> Violations:
    name = local(node)
    if name not in _TEXT and any(t and t.strip() for t in (node.text, *(c.tail for c in node))):
        yield Violation("stray text", at, f"text directly inside w:{name}")
    if name in _STYLE_KIND:
        identifier, wanted = node.get(w("val"), ""), _STYLE_KIND[name]
        if identifier not in styles:
            yield Violation("reference", at, f"style {identifier!r} does not exist")
        elif styles[identifier] != wanted:
            message = f"{identifier!r} is a {styles[identifier]} style, not a {wanted} style"
            yield Violation("reference", at, message)
    elif name == "numId" and node.get(w("val")) not in numbers | {"0"}:
        yield Violation("reference", at, f"list {node.get(w('val'))!r} does not exist")
    elif name == "tbl":
        yield from _grid(node, at)
    elif name == "tc":
        blocks = [local(c) for c in node if isinstance(c.tag, str) and c.tag.startswith(w(""))]
        if not blocks or blocks[-1] not in _CELL_ENDS:
            yield Violation("cell", at, "a cell must end with a paragraph: Word repairs the file")
    elif name in ("p", "r", "body"):
        yield from _nesting(node, name, at)


def _nesting(node: etree._Element, name: str, at: str) -> Violations:
    wrong = {
        "p": {"p", "t", "tbl", "tr", "tc", "br", "tab"},
        "r": {"r", "p", "tbl", "pPr"},
        "body": {"r", "t", "tr", "tc", "pPr"},
    }[name]
    first = {"p": "pPr", "r": "rPr"}.get(name)
    for number, child in enumerate(c for c in node if isinstance(c.tag, str)):
        if child.tag.startswith(f"{{{W}}}"):
            if local(child) in wrong:
                yield Violation("element", at, f"w:{local(child)} directly inside w:{name}")
            elif local(child) == first and number:
                yield Violation("order", at, f"w:{first} must come first in w:{name}")


def _relations(node: etree._Element, part: str, relations: set[str]) -> Violations:
    for key, value in node.attrib.items() if isinstance(node.tag, str) else ():
        if key.startswith(f"{{{R}}}") and value and value not in relations:
            yield Violation("reference", f"{part}:{node.sourceline}", f"relation {value!r} does not exist")


def _grid(table: etree._Element, at: str) -> Violations:
    grid = table.find(w("tblGrid"))
    if grid is None:
        yield Violation("grid", at, "a table without w:tblGrid")
        return
    columns = len(grid.findall(w("gridCol")))
    for number, row in enumerate((x for x in children(table) if local(x) == "tr"), 1):
        before, after = (value_of(row.find(w("trPr")), side) for side in ("gridBefore", "gridAfter"))
        width = sum(int(x) for x in (before, after) if x.isdigit())
        for cell in (x for x in children(row) if local(x) == "tc"):
            span = value_of(cell.find(w("tcPr")), "gridSpan")
            width += int(span) if span.isdigit() else 1
        if width > columns:
            yield Violation("grid", at, f"row {number} is {width} columns wide, the grid has {columns}")


def _ranges(root: etree._Element, part: str) -> Violations:
    for start, end in _RANGES:
        opened = Counter(n.get(w("id"), "") for n in root.iter(w(start)) if not _in_fallback(n))
        closed = Counter(n.get(w("id"), "") for n in root.iter(w(end)) if not _in_fallback(n))
        for identifier in sorted(opened.keys() | closed.keys()):
            begun, ended = opened[identifier], closed[identifier]
            if begun != ended:
                message = f"{start} {identifier}: {begun} begun, {ended} ended"
                yield Violation("bookmark", part, message)
            elif begun > 1:
                yield Violation("duplicate id", part, f"{start} {identifier} stands {begun} times")


def _in_fallback(node: etree._Element) -> bool:
    return any(a.tag == f"{{{MC}}}Fallback" for a in node.iterancestors())


def _fields(root: etree._Element, part: str) -> Violations:
    open_fields: list[str] = []
    for mark in root.iter(w("fldChar")):
        if _in_fallback(mark):
            continue
        kind, at = mark.get(w("fldCharType"), ""), f"{part}:{mark.sourceline}"
        if kind == "begin":
            open_fields.append("begin")
        elif not open_fields:
            yield Violation("field", at, f"a field's {kind or 'mark'} without its begin")
        elif kind == "separate":
            if open_fields[-1] == "separate":
                yield Violation("field", at, "a field separated twice")
            open_fields[-1] = "separate"
        elif kind == "end":
            open_fields.pop()
        else:
            yield Violation("field", at, f"fldCharType {kind!r}")
    if open_fields:
        yield Violation("field", part, f"{len(open_fields)} field(s) never ended")


# ---- second opinions
def audit_file(path: Path, template: Path | None = None) -> list[Violation]:
    """openxml-audit's errors, less the kinds that the template shows too (real files are never clean)."""
    from openxml_audit import OpenXmlValidator, ValidationSeverity

    def errors(file: Path) -> list[tuple[str, str, str]]:
        validator = OpenXmlValidator(max_errors=2000)
        return [
            (str(e.description), e.part_uri, e.path)
            for e in validator.validate(str(file)).errors
            if e.severity == ValidationSeverity.ERROR and not _OPTIONAL.search(str(e.description))
        ]

    found = errors(path)
    excused = {what for what, _, _ in errors(template)} if template and found else set()
    return [Violation("audit", f"{part}{at}", what) for what, part, at in found if what not in excused]


def check_round_trip(
    path: Path, texts: list[str], read: Callable[[Path], list[str]], timeout_s: float = 120
) -> list[Violation]:
    """Save through LibreOffice and compare the paragraphs' words.

    It opens broken files and drops text in silence, so only the words that come back tell.
    `ServiceError` where LibreOffice is not installed.
    """
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if not office:
        raise ServiceError(
            "LibreOffice is not installed",
            where="soffice",
            remedy="Install libreoffice-writer, or check without the round trip",
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.docx"
        shutil.copy(path, source)
        profile = f"-env:UserInstallation=file://{folder}/profile"
        convert = ["--headless", "--convert-to", "docx:MS Word 2007 XML", "--outdir", f"{folder}/out"]
        command = [office, profile, *convert, str(source)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=timeout_s)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            message = f"LibreOffice could not convert it: {type(error).__name__}"
            return [Violation("round trip", path.name, message)]
        made = Path(folder) / "out" / "in.docx"
        if not made.is_file():
            return [Violation("round trip", path.name, "LibreOffice could not open it")]
        before, after = ([" ".join(t.split()) for t in part] for part in (texts, read(made)))
    return [
        Violation(
            "round trip",
            f"{path.name}, paragraph {before.index(text)}",
            f"LibreOffice lost or changed {text[:60]!r}",
        )
        for text in Counter(before) - Counter(after)
    ]
