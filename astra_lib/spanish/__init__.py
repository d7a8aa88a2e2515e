"""Spanish as facts: word lists, how a word is folded, how it sounds, whether it is a word at all.

Text, minutes, aligner and privacy all stand on it; it knows none of them. The lists are data: one file each
under `lists/`, with a line that says what it holds and one that says where it comes from.
"""
