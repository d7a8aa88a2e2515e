"""WordprocessingML: a clerk's .docx read as paragraphs, canonical fragments, and fragments written into the clerk's own file.

The notebook `03_minutes` puts these parts together; read it first.
"""
