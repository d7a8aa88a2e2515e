"""A whole session masked: its texts are looked at together, once, and then exchanged wherever they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..core.records import Block, Pair, Paragraph, Transcript, Utterance, Word
from .entities import Entity, masked_xml, replaced
from .xml import xml_text

# entities in each of the texts of one document; the second argument: those that a recogniser wrote
FindEntities = Callable[[Sequence[str], Iterable[str]], list[list[Entity]]]


class Document:
    """The texts of one session and their entities; `fragments`: XML, `spoken`: what a recogniser wrote."""

    def __init__(
        self,
        find: FindEntities,
        texts: Iterable[str],
        fragments: Iterable[str] = (),
        spoken: Iterable[str] = (),
    ) -> None:
        self.fragments = {xml: xml_text(xml) for xml in dict.fromkeys(fragments)}
        plain = [text for text in texts if text]
        every = list(dict.fromkeys(plain + [source.text for source in self.fragments.values()]))
        self.found = dict(zip(every, find(every, spoken), strict=True))

    @classmethod
    def of_session(
        cls, find: FindEntities, transcript: Transcript, paragraphs: Sequence[Paragraph]
    ) -> Document:
        """A transcript and its minutes; speaker labels may be names, too."""
        spoken = joined_words(transcript)
        labels = {word.speaker for word in transcript.words} | {u.speaker for u in transcript.utterances}
        texts = [spoken, *sorted(label for label in labels if label), *(p.text for p in paragraphs)]
        return cls(find, texts, (p.xml for p in paragraphs), [spoken])

    @classmethod
    def of_pairs(cls, find: FindEntities, pairs: Sequence[Pair], unwritten: Sequence[Block]) -> Document:
        """Mined pairs and the speech that nobody wrote down."""
        texts: list[str] = []
        spoken: list[str] = []
        for pair in pairs:
            texts += [pair.text, pair.speech]
            texts += _texts_of(pair.blocks)
            spoken += [pair.speech, *(block.text for block in pair.blocks)]
        texts += _texts_of(unwritten)
        spoken += [block.text for block in unwritten]
        return cls(find, texts, (pair.xml for pair in pairs), spoken)

    def text(self, text: str) -> str:
        return replaced(text, self.found[text]) if text else text

    def label(self, speaker: str | None) -> str | None:
        return self.text(speaker) if speaker else speaker

    def xml(self, xml: str) -> str:
        source = self.fragments[xml]
        return masked_xml(source, self.found[source.text]).text

    def block(self, block: Block) -> Block:
        return replace(block, text=self.text(block.text), speaker=self.label(block.speaker))

    def pair(self, pair: Pair) -> Pair:
        text, speech, xml = self.text(pair.text), self.text(pair.speech), self.xml(pair.xml)
        return replace(pair, text=text, speech=speech, xml=xml, blocks=[self.block(b) for b in pair.blocks])

    def paragraph(self, paragraph: Paragraph) -> Paragraph:
        return replace(paragraph, text=self.text(paragraph.text), xml=self.xml(paragraph.xml))

    def transcript(self, transcript: Transcript) -> Transcript:
        entities = self.found.get(joined_words(transcript), [])
        return masked_transcript(transcript, entities, self.label)

    def count(self) -> Counter[str]:
        """How many of each type were found."""
        return Counter(e.type for found in self.found.values() for e in found if e.type != "LITERAL")


def _texts_of(blocks: Iterable[Block]) -> list[str]:
    return [text for block in blocks for text in (block.text, block.speaker or "")]


def joined_words(transcript: Transcript) -> str:
    """A transcript's words with one blank between them: the text on whose offsets its names are found."""
    return " ".join(word.text for word in transcript.words)


@dataclass
class WordGroup:
    """Words that become one; `start`: offset of the first in all words joined by blanks."""

    start: int
    words: list[Word]
    entities: list[Entity]

    def masked(self, speaker: str | None) -> Word:
        """One word, from the first one's start to the last one's end."""
        text = " ".join(word.text for word in self.words)
        here = [replace(e, start=e.start - self.start, end=e.end - self.start) for e in self.entities]
        return replace(self.words[0], text=replaced(text, here), end=self.words[-1].end, speaker=speaker)


def word_groups(words: Iterable[Word], entities: Sequence[Entity]) -> list[WordGroup]:
    """Each word by itself, or with those that an entity joins to it; see `masked_transcript`."""
    groups: list[WordGroup] = []
    waiting = list(entities)
    at = joined_until = 0
    for word in words:
        if groups and at < joined_until:
            groups[-1].words.append(word)
        else:
            groups.append(WordGroup(at, [word], []))
        end = at + len(word.text)
        while waiting and waiting[0].start < end:
            entity = waiting.pop(0)
            groups[-1].entities.append(entity)
            joined_until = entity.end
        at = end + 1
    return groups


def masked_transcript(
    transcript: Transcript, entities: Sequence[Entity], label: Callable[[str | None], str | None]
) -> Transcript:
    """Words keep their times, utterances count them anew; one of which nothing is left is dropped.

    `entities`: offsets into `joined_words`, in order; `label` masks a speaker's name.
    """
    groups = word_groups(transcript.words, entities)
    moved: list[int] = []  # old index of a word -> new one
    for new, group in enumerate(groups):
        moved += [new] + [new + 1] * (len(group.words) - 1)
    moved.append(len(groups))
    utterances = []
    for u in transcript.utterances:
        first, last = moved[u.words[0]], moved[u.words[1]]
        if first < last:
            utterances.append(Utterance(u.start, u.end, label(u.speaker), (first, last)))
    words = [group.masked(label(group.words[0].speaker)) for group in groups]
    return replace(transcript, words=words, utterances=utterances)
