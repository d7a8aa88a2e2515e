"""The chat formats in use, written down a second time, and a check of a tokenizer's template against them.

A template is code that comes with a tokenizer. The trainer, the Judge and the server all call it. If it
changes, or is not the one the base model was tuned with, nothing fails and everything gets worse. So the two
formats in use stand here again, not as a template but as the sequence of markers and texts it must render.

Llama-3's markers and their order are its published format; the tests compare them with Meta's own encoder on
Meta's vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InputError
from .records import Example, sha256_bytes

Message = dict[str, str]


@dataclass(frozen=True)
class Piece:
    """A marker, which must be one token of its own, or a text, in which no marker may be recognised."""

    text: str
    marker: bool = False


@dataclass(frozen=True)
class ChatFormat:
    """The markers and texts around the messages of a conversation.

    `begin` opens it; a turn is `before`, role, `after`, `gap` with the text, `end`, `rest`. `trims`: texts
    are stripped. `template` is the same in Jinja, for a tokenizer that comes without one.
    """

    name: str
    begin: str
    before: str
    after: str
    gap: str
    end: str
    rest: str
    trims: bool
    template: str

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(m for m in (self.begin, self.before, self.after, self.end) if m)

    def pieces(self, messages: Sequence[Message], generation: bool = False) -> list[Piece]:
        """The markers and texts of `messages`; `generation`: up to where the answer starts."""
        made = [Piece(self.begin, True)] if self.begin else []
        for message in messages:
            text = message["content"].strip() if self.trims else message["content"]
            made += [
                *self._head(message["role"]),
                Piece(self.gap + text),
                Piece(self.end, True),
                Piece(self.rest),
            ]
        if generation:
            made += [*self._head("assistant"), Piece(self.gap)]
        return _joined(made)

    def _head(self, role: str) -> list[Piece]:
        return [Piece(self.before, True), Piece(role), Piece(self.after, bool(self.after))]

    def text(self, messages: Sequence[Message], generation: bool = False) -> str:
        return "".join(piece.text for piece in self.pieces(messages, generation))

    def ids(self, messages: Sequence[Message], tokenizer: Any, generation: bool = False) -> list[int]:
        """Token ids put together piece by piece, without the tokenizer's template."""
        made: list[int] = []
        for piece in self.pieces(messages, generation):
            if piece.marker:
                made.append(tokenizer.convert_tokens_to_ids(piece.text))
            else:  # a marker inside a message stays text here, where a template makes a token of it
                encoded = tokenizer(piece.text, add_special_tokens=False, split_special_tokens=True)
                made += encoded["input_ids"]
        return made


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbouring texts are one text to a tokenizer."""
    made: list[Piece] = []
    for piece in pieces:
        if piece.text and made and not piece.marker and not made[-1].marker:
            made[-1] = Piece(made[-1].text + piece.text)
        elif piece.text:
            made.append(piece)
    return made


CHATML = ChatFormat(
    "chatml",
    begin="",
    before="<|im_start|>",
    after="",
    gap="\n",
    end="<|im_end|>",
    rest="\n",
    trims=False,
    template="{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}",
)
LLAMA3 = ChatFormat(
    "llama-3",
    begin="<|begin_of_text|>",
    before="<|start_header_id|>",
    after="<|end_header_id|>",
    gap="\n\n",
    end="<|eot_id|>",
    rest="",
    trims=True,
    template="<|begin_of_text|>{% for m in messages %}"
    "<|start_header_id|>{{ m['role'] }}<|end_header_id|>{{ '\\n\\n' }}{{ m['content'].strip() }}<|eot_id|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{{ '\\n\\n' }}{% endif %}",
)
FORMATS = {f.name: f for f in (CHATML, LLAMA3)}


def format_of(tokenizer: Any) -> ChatFormat | None:
    """The format whose markers are tokens of their own to the tokenizer; None when it is neither of ours."""
    known = set(tokenizer.added_tokens_encoder)
    return next((f for f in FORMATS.values() if known.issuperset(f.markers)), None)


@dataclass(frozen=True)
class Checked:
    """What was compared: `rows` conversations, `tokens` in all, by which format and template."""

    format: str
    rows: int
    tokens: int
    template_sha256: str


def check_rows(rows: Sequence[Example], tokenizer: Any, chosen: ChatFormat) -> Checked:
    """Compare the tokenizer's template with `chosen` on every row, prompt and whole, token by token.

    Raises `InputError` at the first difference: the row, the place, both tokens.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "the tokenizer has no chat template",
            where=str(getattr(tokenizer, "name_or_path", "")),
            remedy=f"Use an instruction-tuned base, or set tokenizer.chat_template to {chosen.name}'s",
        )
    if absent := [m for m in chosen.markers if m not in tokenizer.added_tokens_encoder]:
        raise InputError(
            f"{absent[0]} is not a token of its own",
            where=f"chat format {chosen.name}",
            remedy="Choose the format the base model was tuned with",
        )
    tokens = sum(_compared(row, tokenizer, chosen) for row in rows)
    return Checked(chosen.name, len(rows), tokens, sha256_bytes(str(tokenizer.chat_template)))


def _compared(row: Example, tokenizer: Any, chosen: ChatFormat) -> int:
    """How many tokens of a row were compared, prompt and whole; raises at the first that differs."""
    tokens = 0
    for messages, generation in ((row.prompt, True), (row.prompt + row.completion, False)):
        encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=generation, return_dict=True)
        theirs, ours = list(encoded["input_ids"]), chosen.ids(messages, tokenizer, generation)
        if theirs != ours:
            raise _difference(row.id, theirs, ours, tokenizer, chosen)
        tokens += len(theirs)
    return tokens


def _difference(
    row_id: str, theirs: list[int], ours: list[int], tokenizer: Any, chosen: ChatFormat
) -> InputError:
    pairs = enumerate(zip(theirs, ours, strict=False))
    shorter = min(len(theirs), len(ours))
    at = next((i for i, (a, b) in pairs if a != b), shorter)

    def shown(ids: list[int]) -> str:
        return repr(tokenizer.decode(ids[at : at + 4])) if at < len(ids) else "the end"

    return InputError(
        f"the tokenizer's template is not {chosen.name} at token {at} of {len(theirs)}: "
        f"{shown(theirs)} where {shown(ours)} should stand",
        where=row_id,
        remedy="A marker stands inside the row's text, or the template is another one: "
        "leave the row out, or choose the right chat format",
    )
