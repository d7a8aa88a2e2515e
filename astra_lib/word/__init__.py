"""WordprocessingML: a clerk's .docx read as canonical fragments, and fragments written back into it.

Reading: `package` (the zip) -> `styles` (what takes effect) -> `reader` (paragraphs and rows, `blocks`).
Between: `canonical` (the small subset), `schema` (its rules), `repair` (a fragment that was cut).
Writing: `builder` (the parts that travel, `clean`), `numbering`, `style_writer`, `writer`.
Checking a whole file: `rules`.
The notebooks 03a_kinds, 03b_house_style and 03_minutes put these parts together; read them first.
"""
