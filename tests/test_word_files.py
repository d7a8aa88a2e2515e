"""Whole Word files: each of Word's rules broken once; bad, foreign and hostile files refused by name."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from astra_lib.core.errors import InputError, MissingError
from astra_lib.minutes import (
    check,
    read_minutes,
)
from astra_lib.word.package import Limits

from .wordfiles import bare_document, docx, p, sample_acta, t, texts


@pytest.fixture(scope="module")
def acta(tmp_path_factory) -> Path:
    return sample_acta(tmp_path_factory.mktemp("acta") / "acta.docx")


# ---- checking files
def rules(path: Path, template: Path | None = None) -> set[str]:
    return {v.rule for v in check(path, template=template)}


FILES = {
    "duplicate id": p(t("a")).replace("<w:p>", '<w:p w14:paraId="0A0B0C0D">') * 2,
    "bookmark": p('<w:bookmarkStart w:id="5" w:name="x"/>' + t("a")),
    "field": p('<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + t("a")),
    "stray text": "<w:p>suelto<w:r><w:t>a</w:t></w:r></w:p>",
    "cell": "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/></w:tblGrid><w:tr><w:tc><w:tcPr/></w:tc></w:tr></w:tbl>"
    + p(t("a")),
    "grid": "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/></w:tblGrid>"
    + "<w:tr><w:tc><w:p/></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
    + p(t("a")),
    "reference": p(t("a"), '<w:pPr><w:pStyle w:val="NoExiste"/></w:pPr>'),
    "element": "<w:p><w:t>a</w:t></w:p>",
    "depth": "<w:sdt><w:sdtContent>" * 120 + p(t("a")) + "</w:sdtContent></w:sdt>" * 120,
}


@pytest.mark.parametrize("rule", FILES)
def test_rules_for_whole_files(tmp_path, rule):
    assert rule in rules(docx(tmp_path, FILES[rule]))


def test_missing_list_relation_and_part(tmp_path):
    assert "reference" in rules(
        docx(
            tmp_path, p(t("a"), '<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="44"/></w:numPr></w:pPr>')
        )
    )
    assert "reference" in rules(docx(tmp_path, p(f'<w:hyperlink r:id="rId77">{t("a")}</w:hyperlink>')))
    assert "reference" in rules(docx(tmp_path, p(t("a")), without=("word/header1.xml",)))
    assert rules(docx(tmp_path, p(t("a")))) == set()


# ---- bad input
def refused(path: Path, *words: str, **how) -> None:
    with pytest.raises(InputError) as caught:
        read_minutes(path, **how)
    assert path.name in str(caught.value) and all(word in str(caught.value) for word in words), str(
        caught.value
    )
    assert check(path) != [] if not how else True


def test_old_encrypted_and_foreign_files(tmp_path):
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    for name, data, words in (
        ("a.docx", ole + "WordDocument".encode("utf-16-le"), (".doc, before 2007", "soffice")),
        ("b.docx", ole + "EncryptedPackage".encode("utf-16-le"), ("password",)),
        ("c.docx", b"{\\rtf1 hola}", ("RTF",)),
        ("d.docx", b"%PDF-1.7", ("PDF",)),
        ("e.docx", b"hola a todos", ("not a Word file",)),
        ("f.docx", b"", ("empty",)),
        ("g.docx", b"PK\x03\x04" + bytes(50), ("damaged",)),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, *words)
    with pytest.raises(MissingError):
        read_minutes(tmp_path / "no.docx")


def test_truncated_and_flipped_bytes_never_crash(acta, tmp_path):
    data, rng = acta.read_bytes(), random.Random(4)
    for number in range(60):
        broken = bytearray(data[: rng.randrange(10, len(data))] if number % 2 else data)
        for _ in range(rng.randint(1, 40)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path = tmp_path / "x.docx"
        path.write_bytes(bytes(broken))
        try:
            read_minutes(path)
        except InputError as error:
            assert "x.docx" in str(error)


def test_bombs_are_refused_before_they_go_off(tmp_path):
    zeros = docx(tmp_path, p(t("a")), extra={"word/media/big.png": bytes(40 << 20)})
    refused(zeros, "bomb")
    lol = '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    inner = bare_document("&b;")
    refused(docx(tmp_path, "", extra={"word/document.xml": (lol + inner).encode()}), "DOCTYPE")
    outside = '<!DOCTYPE w SYSTEM "file:///etc/hostname">' + inner.replace("&b;", "x")
    refused(docx(tmp_path, "", extra={"word/document.xml": outside.encode("utf-16")}), "DOCTYPE")
    refused(docx(tmp_path, p(t("a" * 300_000))), "inflates", limits=Limits(xml_part=100_000))
    deep = "<w:ins>" * 5000 + "</w:ins>" * 5000
    refused(docx(tmp_path, p(deep)), "broken XML")


def test_a_300_mb_file_is_refused_by_its_size(tmp_path):
    path = tmp_path / "grande.docx"
    with path.open("wb") as out:
        out.write(b"PK\x03\x04")
        out.truncate(300 << 20)
    refused(path, "300 MiB", "pictures")


def test_unsafe_names_and_twins(tmp_path):
    refused(docx(tmp_path, p(t("a")), extra={"word/../../x.xml": b"<a/>"}), "unsafe")
    refused(docx(tmp_path, p(t("a")), extra={"WORD/document.xml": b"<a/>"}), "two parts")


def test_long_paragraphs_and_empty_actas(tmp_path):
    long = "El concejal insistió. " * 2400
    read = read_minutes(docx(tmp_path, p(t(long))))
    assert texts(read) == [long] and len(long) > 50_000 and check(read.paragraphs[0].xml) == []
    with pytest.raises(InputError, match="no text"):
        read_minutes(docx(tmp_path, "<w:p/>" * 5))


def test_other_encodings_of_the_xml(tmp_path):
    head = "<?xml version='1.0' encoding='{}'?>"
    body = bare_document("Sesión de año")
    for encoding in ("utf-16", "windows-1252", "utf-8"):
        path = docx(
            tmp_path, "", extra={"word/document.xml": (head.format(encoding) + body).encode(encoding)}
        )
        assert texts(read_minutes(path)) == ["Sesión de año"]


def test_strict_open_xml_is_read_too(tmp_path):
    body = bare_document("Acta", "http://purl.oclc.org/ooxml/wordprocessingml/main")
    assert texts(read_minutes(docx(tmp_path, "", extra={"word/document.xml": body.encode()}))) == ["Acta"]
