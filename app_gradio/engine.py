"""The engine: one base model, batches that mix councils, XML by grammar, a confidence for every answer."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest, native_bfloat16
from astra_lib.core.errors import MissingError, ServiceError
from astra_lib.minutes import GRAMMAR, close_fragment
from astra_lib.privacy.placeholders import PLACEHOLDER

from . import lora

Messages = list[dict[str, str]]
SILENT_ROOT = 'root ::= "<nada/>" | blocks'  # the line of GRAMMAR that allows an empty answer
NGRAM = 6  # tokens; about three words
FORBIDDEN = float("-inf")


@dataclass(frozen=True)
class Generation:
    """`confidence`: geometric mean of the chosen tokens' probabilities; `seconds`: those of the batch."""

    text: str
    confidence: float
    tokens: int
    finish: str  # "stop" | "length"
    seconds: float


class Engine:
    """Greedy generation with one LoRA bundle per row; not thread-safe, in service one `Batcher` owns it."""

    def __init__(self, model: Any, tokenizer: Any, base_digest: str, name: str) -> None:
        self.model, self.tokenizer, self.base_digest, self.name = model, tokenizer, base_digest, name
        self._grammars: dict[bool, Any] = {}
        self._pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        lora.install(model)

    @classmethod
    def load(cls, base: Path | str, revision: str | None = None, dtype: str = "") -> Engine:
        """Load a base model from a folder or by its hub name.

        `dtype` empty: bfloat16 on a GPU or where the processor multiplies it natively, else float32.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = Path(base)
        gpu = torch.cuda.is_available()
        try:
            tokenizer = AutoTokenizer.from_pretrained(base, revision=revision or None, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(
                base,
                revision=revision or None,
                device_map="cuda" if gpu else None,
                dtype=dtype or (torch.bfloat16 if gpu or native_bfloat16() else torch.float32),
                # on a CPU torch's fused attention takes a fifth longer for a token
                attn_implementation=None if gpu else "eager",
            )
        except OSError as error:
            raise MissingError(
                f"cannot load the base model: {str(error).splitlines()[0]}",
                where=str(base),
                remedy="Check [model] base in settings.ini",
            ) from None
        model.eval().requires_grad_(False)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        name = folder.name if folder.is_dir() else str(base)
        return cls(model, tokenizer, base_digest(base, revision or ""), name)

    def load_adapter(self, source: Path | str) -> lora.Bundle:
        return lora.load(source, self.model, self.base_digest, device=self.model.device)

    def generate(
        self,
        prompts: Sequence[Messages],
        adapters: Sequence[lora.Bundle | None],
        max_new_tokens: int = 220,
        grammar: bool = True,
        may_be_silent: bool = True,
    ) -> list[Generation]:
        """One answer per prompt, row i with `adapters[i]`; one cut at the limit is closed into valid XML.

        `may_be_silent`: `<nada/>` is an allowed answer. It is not for a base that was never taught when to
        give it: that would answer nothing else.
        """
        import torch

        began = time.perf_counter()
        texts = [
            self.tokenizer.apply_chat_template(p, add_generation_prompt=True, tokenize=False) for p in prompts
        ]
        encoded = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        encoded = encoded.to(self.model.device)
        spoken = [prompt[-1]["content"] for prompt in prompts]
        compiled = self._compiled(may_be_silent) if grammar else None
        decoder = GuardedDecoder(spoken, self._stops(), compiled, self._pieces)
        with torch.inference_mode(), lora.applied(adapters, self.model.device):
            out = self.model.generate(
                **encoded,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                logits_processor=[decoder],
                eos_token_id=self._stops(),
                pad_token_id=self.tokenizer.pad_token_id,
            )
        seconds = time.perf_counter() - began
        prompt_length = encoded["input_ids"].shape[1]
        made = []
        for row, ids in enumerate(out[:, prompt_length:].tolist()):
            end = next((i for i, token in enumerate(ids) if token in decoder.stops), len(ids))
            text = self.tokenizer.decode(ids[:end], skip_special_tokens=True).strip()
            finish = "stop" if end < len(ids) else "length"
            if grammar and finish == "length":
                text = close_fragment(text)
            made.append(Generation(text, decoder.confidence(row), end, finish, seconds))
        return made

    def _stops(self) -> list[int]:
        ids = {self.tokenizer.eos_token_id, *(_as_list(self.model.generation_config.eos_token_id))}
        return sorted(i for i in ids if i is not None)

    def _compiled(self, may_be_silent: bool) -> Any:
        """The grammar compiled for this vocabulary; takes some seconds, once."""
        if may_be_silent not in self._grammars:
            import xgrammar

            info = xgrammar.TokenizerInfo.from_huggingface(
                self.tokenizer, vocab_size=self.model.config.vocab_size, stop_token_ids=self._stops()
            )
            text = GRAMMAR if may_be_silent else GRAMMAR.replace(SILENT_ROOT, "root ::= blocks")
            self._grammars[may_be_silent] = xgrammar.GrammarCompiler(info).compile_grammar(text)
        return self._grammars[may_be_silent]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class LoopGuard:
    """Which tokens would repeat `NGRAM` tokens in the run of text that one row is writing now.

    Greedy decoding of a small model falls into loops. Tags repeat by nature, so a run ends at every tag.
    """

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces
        self.run: list[int] = []
        # the last NGRAM - 1 tokens -> the tokens that have followed them in this run
        self.followers: dict[tuple[int, ...], set[int]] = {}

    def note(self, token: int) -> None:
        """`token` was written."""
        if any(c in self.pieces[token] for c in "<>"):
            self.run, self.followers = [], {}
            return
        if len(self.run) >= NGRAM - 1:
            self.followers.setdefault(self._context(), set()).add(token)
        self.run.append(token)

    def banned(self) -> set[int]:
        if len(self.run) < NGRAM - 1:
            return set()
        return self.followers.get(self._context(), set())

    def _context(self) -> tuple[int, ...]:
        return tuple(self.run[1 - NGRAM :])


class NameGuard:
    """The placeholder that one row is writing now; only those in its prompt can be written.

    So the model cannot name a person whom nobody mentioned.
    """

    def __init__(self, pieces: list[str], prompt: str) -> None:
        self.pieces = pieces
        self.known = {match[0] for match in PLACEHOLDER.finditer(prompt)}
        self.open = ""  # a placeholder that was begun and is not closed yet

    def allows(self, token: int) -> bool:
        return self._after(token) is not None

    def note(self, token: int) -> None:
        """`token` was written."""
        self.open = self._after(token) or ""

    def _after(self, token: int) -> str | None:
        """What is open once `token` is written; None when that leaves every known placeholder."""
        begun = self.open
        for c in self.pieces[token]:
            if not begun and c != "[":
                continue
            begun += c
            if begun in self.known:
                begun = ""
            elif not any(name.startswith(begun) for name in self.known):
                return None
        return begun


class GuardedDecoder:
    """The logits processor of one `generate`: greedy choice among the tokens that may be written.

    It masks what the grammar forbids, what would loop, and names that the prompt does not hold; and it adds
    up the log-probabilities of the chosen tokens.
    """

    def __init__(self, prompts: Sequence[str], stops: list[int], compiled: Any, pieces: list[str]) -> None:
        rows = len(prompts)
        self.loops = [LoopGuard(pieces) for _ in prompts]
        self.names = [NameGuard(pieces, prompt) for prompt in prompts]
        self.stops = set(stops)
        self.sums, self.counts, self.done = [0.0] * rows, [0] * rows, [False] * rows
        self.matchers = None
        if compiled is not None:
            import xgrammar

            self.matchers = [xgrammar.GrammarMatcher(compiled) for _ in range(rows)]
            self.bitmask = xgrammar.allocate_token_bitmask(rows, compiled.tokenizer_info.vocab_size)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        # transformers passes float32, so these are the same numbers: the masks below show in them
        logits = scores.float()
        self._mask_grammar(scores)
        for row in range(len(scores)):
            self._mask_loops_and_names(row, scores[row])
        chosen = scores.argmax(-1)
        logp = logits.gather(1, chosen[:, None])[:, 0] - torch.logsumexp(logits, -1)
        for row, (token, value) in enumerate(zip(chosen.tolist(), logp.tolist(), strict=True)):
            if not self.done[row]:
                self._note(row, token, value)
        return scores

    def confidence(self, row: int) -> float:
        """The geometric mean of the row's probabilities, 0 when it wrote nothing."""
        return math.exp(self.sums[row] / self.counts[row]) if self.counts[row] else 0.0

    def _mask_grammar(self, scores: Any) -> None:
        if self.matchers is None:
            return
        import xgrammar

        for row, matcher in enumerate(self.matchers):
            if matcher.is_terminated():
                self.bitmask[row].fill_(-1)  # all bits set: everything is allowed behind the end
            else:
                matcher.fill_next_token_bitmask(self.bitmask, row)
        xgrammar.apply_token_bitmask_inplace(scores, self.bitmask.to(scores.device))

    def _mask_loops_and_names(self, row: int, scores: Any) -> None:
        """Mask until the best token may be written, or none is left; a view of one row, changed in place."""
        loops, names = self.loops[row], self.names[row]
        banned = loops.banned()
        if banned and not names.open:
            scores[sorted(banned)] = FORBIDDEN
        if self.done[row]:
            return
        best = int(scores.argmax())
        while not names.allows(best) and scores[best] > FORBIDDEN:
            scores[best] = FORBIDDEN
            best = int(scores.argmax())

    def _note(self, row: int, token: int, log_probability: float) -> None:
        self.loops[row].note(token)
        self.names[row].note(token)
        self.sums[row] += log_probability
        self.counts[row] += 1
        self.done[row] = token in self.stops
        if self.matchers is not None and not self.matchers[row].is_terminated():
            self.matchers[row].accept_token(token)


@dataclass
class _Request:
    prompt: Messages
    adapter: lora.Bundle | None
    max_new_tokens: int
    future: Future


class Batcher:
    """One thread owns the engine; requests of all councils are gathered into mixed batches.

    `submit` takes the adapter pointer at admission, so a swap during the wait or the run changes nothing
    for it.
    """

    def __init__(self, engine: Engine, max_batch: int = 8, wait_ms: int = 20, limit: int = 256) -> None:
        self.engine, self.max_batch, self.wait_s = engine, max_batch, wait_ms / 1000
        self._queue: queue.Queue[_Request | None] = queue.Queue(maxsize=limit)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="astra-batcher", daemon=True)
        self._thread.start()

    def submit(self, prompt: Messages, adapter: lora.Bundle | None, max_new_tokens: int) -> Future:
        """A future of `Generation`; `ServiceError` when the queue is full or the service is stopping."""
        if self._closed:
            raise ServiceError("the service is stopping", remedy="Send it again to another replica")
        request = _Request(prompt, adapter, max_new_tokens, Future())
        try:
            self._queue.put_nowait(request)
        except queue.Full:
            raise ServiceError(
                "too many requests are waiting", remedy="Send it again in some seconds"
            ) from None
        return request.future

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what was admitted, then stop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _gather(self) -> list[_Request]:
        """The next batch: what arrives within the waiting time of its first request; [] once closed."""
        first = self._queue.get()
        if first is None:
            return []
        batch, deadline = [first], time.monotonic() + self.wait_s
        while len(batch) < self.max_batch:
            try:
                request = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if request is None:
                self._queue.put(None)
                break
            batch.append(request)
        return batch

    def _run(self) -> None:
        batch = self._gather()
        while batch:
            self._answer([request for request in batch if request.future.set_running_or_notify_cancel()])
            batch = self._gather()

    def _answer(self, requests: list[_Request]) -> None:
        if not requests:
            return
        prompts, adapters = [r.prompt for r in requests], [r.adapter for r in requests]
        try:
            made = self.engine.generate(prompts, adapters, max(r.max_new_tokens for r in requests))
        except Exception as error:
            for request in requests:
                request.future.set_exception(error)
            return
        for request, generation in zip(requests, made, strict=True):
            request.future.set_result(generation)
