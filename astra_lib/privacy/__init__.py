"""Personal data: who is named in a text, what replaces the name, and the gate that looks for what is left.

The notebook `05_scrub` puts these parts together; read it first. `gate` imports none of its neighbours, on
purpose: a mistake in the masks must not blind the gate.
"""
