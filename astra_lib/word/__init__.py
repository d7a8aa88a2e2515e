"""WordprocessingML: a clerk's .docx read as canonical fragments, and fragments written back into it.

Reading: `package` (the zip), `xml` -> `styles` (what takes effect) -> `reader` (`blocks`: paragraphs, rows);
`elsewhere` (the text that no paragraph holds).
Between: `canonical` (the small subset), `spelling` (how it is written), `schema` (its rules), `repair`.
Writing: `builder` (the parts that travel, `clean`), `numbering`, `style_writer`, `writer`.
Checking a whole file: `rules`.
The notebooks 03a_kinds, 03b_house_style and 03_minutes put these parts together; read them first.
"""
