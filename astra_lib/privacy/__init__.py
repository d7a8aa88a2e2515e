"""Personal data: who is named in a text, what replaces the name, and the gate no file with a person in it passes.

The notebook `05_scrub` puts these parts together; read it first. `gate` imports none of its neighbours, on purpose: a fault
of the masks must not blind the eyes that look for it.
"""
