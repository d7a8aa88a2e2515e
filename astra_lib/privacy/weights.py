"""Every number that privacy weighs, in one place.

Sounds are counted in letters of the phonetic key, reach in words or characters, scores from 0 to 1. Where
nothing else is said, a number was set by hand. `python -m benchmarks.privacy.weights` moves each of them and
prints what that changes; docs/privacy.md shows where it matters.

The gate has numbers of its own, because it must not share a mistake with the detectors.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """The numbers behind finding, merging and recognising people."""

    # ---- how a text is written
    # Above this share of words in capitals, capitals say nothing. No paragraph of the sample actas lies
    # between .1 and .5, or between .6 and .7.
    capitals_share: float = 0.6
    # A text needs more words than this before the lack of capitals is taken for a recogniser's habit.
    lower_case_words: int = 12
    # Capitals at the start of a sentence only, in less than one word of so many: the text counts as lower
    # case.
    lower_case_words_per_capital: float = 25

    # ---- how a name is built
    # A word is a rare one, and so perhaps a name, from this many letters on: shorter ones are abbreviations.
    rare_letters: int = 4
    # A word after a role, or one that the tagger begins a name with, has at least this many letters.
    name_letters: int = 3
    # A name has at most this many words, particles included ("María del Rosario de la Cruz Gil").
    name_words: int = 7
    # Words looked back over for the head of an institution ("Institución Educativa Rural Andrés Bello").
    thing_reach: int = 4
    # Words before that head in which a role makes it an office instead ("secretario de la Casa de Justicia").
    thing_role_reach: int = 3
    # Particles at the very start of a line that still belong to the name after them ("DE LA CRUZ ANA").
    leading_particles: int = 3
    # Words between a role and the given name that comes after its office ("gerente de la empresa de aguas,
    # Óscar").
    office_reach: int = 10

    # ---- whom the roster knows
    # A word stands for a councillor by its sound alone from this many letters on.
    sound_letters: int = 4
    # Sounds a roster name needs before one that differs by a letter may be it.
    slip_sounds: int = 4
    # From this many sounds on, two letters may differ instead of one.
    two_slips_sounds: int = 8

    # ---- the layers' scores
    # From this probability on the tagger is listened to. Low on purpose: a place masked costs less than a
    # person left. CoNLL-2002 testa: .944 masked with .67 precision.
    tagger_threshold: float = 0.1
    # Once a name has begun, this part of the threshold is enough to go on with it.
    tagger_further: float = 0.25
    # A particle or role inside a name ends it when the tagger gives it less than this part of what goes on.
    tagger_particle: float = 0.5
    # What is left of the probability of a dictionary word without a capital, where capitals carry meaning.
    trust_no_capital: float = 0.3
    # What is left of it for an ordinary word where capitals say nothing.
    trust_ordinary: float = 0.6
    # The tagger must be this sure of a name that begins like a saint's, which mostly is a place.
    sure_saint: float = 0.97
    # ... of words of which none is on a list of names or unknown.
    sure_ordinary: float = 0.93
    # ... of a single word that is a place.
    sure_place: float = 0.8
    # ... of words without a capital, or of a common word that opens a sentence.
    sure_no_capital: float = 0.75
    # Score of a lone surname found on the list: enough to mask it, too little to look for it elsewhere.
    lone_surname: float = 0.4

    # ---- what the document gave away
    # A full name with this score is looked for in all other texts of the document.
    propagate_name: float = 0.5
    # The tagger's own finds are handed on, and held against finished files, from this score on.
    propagate_tagger: float = 0.8
    # A single word is looked for from this many letters on ("Paz" is, "Lu" is not).
    again_letters: int = 3
    # A single word is looked for by its sound from this many letters on.
    again_sound_letters: int = 5
    # Particles that may stand between "vereda" and the name of the place.
    geographic_particles: int = 2

    # ---- is it the same person?
    # A mis-heard mention needs this many sounds to be compared with whole names.
    same_name_sounds: int = 8
    # Share of the sounds that must agree with a councillor's name: the roster says that there is one.
    same_as_roster: float = 0.76
    # ... with the name of anybody else: a citizen with nearly this name may be a second one.
    same_as_other: float = 0.86

    # ---- poor recordings
    # From this share of unknown words on a recording is poor. Session by session, good recognisers stay
    # below .011, with capitals or without; poor ones are above .03.
    poor_recording: float = 0.025
    # Fewer words than this say nothing about the recording.
    poor_recording_words: int = 30
    # An unknown word this near to a listed name is a name's, and no sign of a poor recording.
    name_neighbours: int = 2
    # Up to this many sounds, an ordinary word may be mis-heard by one letter; longer ones by two.
    misheard_word_sounds: int = 6
    # A word on a list of names is evidence in poor speech from this many letters on.
    listed_letters: int = 4

    # ---- names by their sound
    # A name of several words needs this many sounds to be looked for.
    sound_form: int = 8
    # A single word needs this many.
    sound_form_alone: int = 4
    # A stretch of speech compared with names has at most this many words: recognisers split them.
    sound_window_words: int = 8
    # ... and at most this many sounds.
    sound_window_sounds: int = 34
    # ... and at least this many.
    sound_window_least: int = 4
    # Per cent of agreement below which nothing is looked at: the lowest bound that follows, with both of its
    # allowances (72 - 6 - 4).
    sound_cutoff: int = 62
    # Per cent of the sounds that must agree in a form of 18 sounds or more; what is long cannot agree by
    # chance.
    agree_long: int = 72
    # ... of 14 to 17 sounds.
    agree_middle: int = 76
    # ... of 10 to 13.
    agree_short: int = 84
    # ... of fewer.
    agree_shortest: int = 90
    # Per cent that may be missing after a role word, which announces a name.
    agree_announced: int = 6
    # A single word after a role: per cent that must agree from 6 sounds on.
    agree_alone_long: int = 76
    # ... with fewer sounds.
    agree_alone_short: int = 84
    # Per cent that may be missing in a poor recording: in a good one that takes "muchas gracias" for a name.
    poor_slack: int = 4
    # Agreement below this per cent adds nothing when overlapping stretches compete.
    agree_worth: int = 50
    # Words that a name in the minutes needs, and may have, to be looked for in speech: fewer do not make a
    # full name, more are two people.
    written_words_least: int = 2
    written_words_most: int = 5

    # ---- what has a form: reach in characters
    # Before a figure: "$", "valor de", "por" make it money.
    money_reach: int = 24
    # Before a figure: "contrato", "Ley", "radicado" make it the number of an act.
    act_reach: int = 70
    # Before a plate: "moto", "volqueta" make three letters and three digits one.
    vehicle_reach: int = 60
    # Before four small numbers: "servidor", "IP" make them an address of the network.
    network_reach: int = 40


WEIGHTS = Weights()
