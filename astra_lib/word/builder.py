"""The package of a new Word file: the template's parts that travel, and the ones every package needs.

Only parts on a list are taken over from the template, so what could carry a name (properties, comments,
custom XML, authors, rsids, footnotes of the old text) does not travel.
"""

from __future__ import annotations

import posixpath

from lxml import etree

from ..core.errors import InputError
from .clean import clean_part, clean_settings
from .package import Package, Relation, pack
from .styles import StyleSheet
from .xml import RELS, TYPES, R, W, r, relation_ids, to_bytes, w

MAIN = "word/document.xml"
_CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_KEPT = ("styles", "numbering", "settings", "theme", "fontTable", "header", "footer")
_EDITED = ("styles", "numbering", "settings", "header", "footer")  # stay trees until the end
_CORE = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
_APP = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
_PACKAGE_RELATIONS = [
    Relation("rId1", "officeDocument", MAIN, False),
    Relation("rId2", "metadata/core-properties", "docProps/core.xml", False),
    Relation("rId3", "extended-properties", "docProps/app.xml", False),
]
_EXTENSIONS = {
    "rels": "application/vnd.openxmlformats-package.relationships+xml",
    "xml": "application/xml",
}
_PROPERTY_TYPES = {
    "docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
    "docProps/app.xml": "application/vnd.openxmlformats-officedocument.extended-properties+xml",
}


class PackageBuilder:
    """A package in the making: parts still open to change in `trees`, the others as bytes in `parts`."""

    def __init__(self, template: Package, sheet: StyleSheet) -> None:
        self.template, self.sheet = template, sheet
        self.parts: dict[str, bytes] = {}
        self.trees: dict[str, etree._Element] = {}
        self.types: dict[str, str] = {}
        self.relations: list[Relation] = []  # of the main document

    # ---- taking over
    def take_page(self, section: etree._Element) -> None:
        """What shapes a page: styles, numbering, settings, theme, the headers and footers of `section`."""
        wanted = relation_ids(section)
        for relation in self.template.relations(self.template.main):
            if relation.external or relation.type not in _KEPT or relation.target not in self.template:
                continue
            if relation.type in ("header", "footer") and relation.id not in wanted:
                continue
            self._take(relation)
        present = {x.id for x in self.relations}
        for reference in list(section):
            if (identifier := reference.get(r("id"))) and identifier not in present:
                section.remove(reference)

    def take_pictures(self, body: etree._Element) -> None:
        """What the new body points to. `InputError` for a picture that the template does not have."""
        wanted = relation_ids(body)
        for relation in self.template.relations(self.template.main):
            if relation.id in wanted and relation.id not in {x.id for x in self.relations}:
                self._take(relation)
        if lost := wanted - {x.id for x in self.relations}:
            raise no_such_picture(sorted(lost)[0], self.template)

    def tree(self, kind: str, root: str) -> etree._Element:
        """The tree of styles or numbering; a new part when the template has none."""
        for relation in self.relations:
            if relation.type == kind:
                return self.trees[relation.target]
        name = f"word/{kind}.xml"
        self.trees[name] = etree.Element(w(root), nsmap={"w": W})
        self.types[name] = f"{_CONTENT_TYPE}{kind}+xml"
        self.relations.append(Relation(f"rIdActa{kind}", kind, name, False))
        return self.trees[name]

    def _take(self, relation: Relation) -> None:
        if relation.external and relation.type == "image":
            raise InputError(
                "a picture linked from outside the file",
                where=self.template.where,
                remedy="Embed it (Word: File, Info, Edit links to files) and save",
            )
        if not relation.external:
            self.relations.append(_at_home(relation))
            self._copy(relation.target, relation.type)

    def _copy(self, name: str, kind: str) -> None:
        """A part and what it needs."""
        home = _home_of(name)
        if home in self.parts or home in self.trees or name not in self.template:
            return
        self.types[home] = self.template.type_of(name)
        if kind in _EDITED:
            self.trees[home] = self._cleaned(name, kind)
        else:
            self.parts[home] = self.template.part(name)
        if kind in ("settings", "theme"):
            return  # attachedTemplate and the like stay behind
        kept = []
        for relation in self.template.relations(name):
            if not relation.external and relation.target in self.template:
                self._copy(relation.target, relation.type)
                kept.append(_at_home(relation))
            elif relation.external and relation.type == "hyperlink":
                kept.append(relation)
        if kept:
            folder, base = posixpath.split(home)
            self.parts[posixpath.join(folder, "_rels", base + ".rels")] = _relations_xml(kept, folder)

    def _cleaned(self, name: str, kind: str) -> etree._Element:
        tree = self.template.xml(name)
        if kind in ("header", "footer", "numbering"):
            self._drop_unknown_styles(tree)
        if kind == "settings":
            clean_settings(tree)
        else:
            clean_part(tree)
        return tree

    def _drop_unknown_styles(self, root: etree._Element) -> None:
        """A header may name a style that its file does not have."""
        for name in ("pStyle", "rStyle", "tblStyle"):
            for node in list(root.iter(w(name))):
                if node.get(w("val")) not in self.sheet.styles and (owner := node.getparent()) is not None:
                    owner.remove(node)

    # ---- closing
    def pack(self, document: etree._Element) -> bytes:
        """The .docx with this main document."""
        for name, tree in self.trees.items():
            self.parts[name] = to_bytes(tree)
        self.parts[MAIN] = to_bytes(document)
        self.types[MAIN] = _CONTENT_TYPE + "document.main+xml"
        self.parts["word/_rels/document.xml.rels"] = _relations_xml(self.relations, "word")
        self.parts |= _empty_properties()
        self.types |= _PROPERTY_TYPES
        self.parts["_rels/.rels"] = _relations_xml(_PACKAGE_RELATIONS, "")
        self.parts["[Content_Types].xml"] = self._content_types()
        return pack(self.parts)

    def _content_types(self) -> bytes:
        root = etree.Element(f"{{{TYPES}}}Types", nsmap={None: TYPES})
        for extension, kind in _EXTENSIONS.items():
            etree.SubElement(root, f"{{{TYPES}}}Default", Extension=extension, ContentType=kind)
        for name in sorted(self.types):
            if kind := self.types[name]:
                etree.SubElement(root, f"{{{TYPES}}}Override", PartName="/" + name, ContentType=kind)
        return to_bytes(root)


def no_such_picture(identifier: str, template: Package) -> InputError:
    """The error for a picture that belongs to another acta."""
    return InputError(
        f"picture {identifier} is not in the template",
        where=template.where,
        remedy="Write with the acta the paragraphs come from, or drop that paragraph",
    )


def _empty_properties() -> dict[str, bytes]:
    """Word wants its properties; these name nobody."""
    core = etree.Element(f"{{{_CORE}}}coreProperties", nsmap={"cp": _CORE})
    app = etree.Element(f"{{{_APP}}}Properties", nsmap={None: _APP})
    etree.SubElement(app, f"{{{_APP}}}Application").text = "ASTRA"
    return {"docProps/core.xml": to_bytes(core), "docProps/app.xml": to_bytes(app)}


def _home_of(name: str) -> str:
    """Where a part goes in the new file: main documents may live elsewhere than word/."""
    return name if name.startswith("word/") else "word/" + posixpath.basename(name)


def _at_home(relation: Relation) -> Relation:
    return Relation(relation.id, relation.type, _home_of(relation.target), False)


def _relations_xml(relations: list[Relation], folder: str) -> bytes:
    root = etree.Element(f"{{{RELS}}}Relationships", nsmap={None: RELS})
    for relation in relations:
        target = relation.target if relation.external else posixpath.relpath(relation.target, folder or ".")
        prefix = RELS if relation.type.startswith("metadata/") else R
        attributes = {"Id": relation.id, "Type": f"{prefix}/{relation.type}", "Target": target}
        node = etree.SubElement(root, f"{{{RELS}}}Relationship", attributes)
        if relation.external:
            node.set("TargetMode", "External")
    return to_bytes(root)
