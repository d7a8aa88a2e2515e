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


@dataclass(frozen=True)
class Generation:
    """`confidence`: geometric mean of the chosen tokens' probabilities before the grammar, in [0, 1]."""

    text: str
    confidence: float
    tokens: int
    finish: str  # "stop" | "length"
    seconds: float


class Engine:
    """Greedy generation with one LoRA bundle per row. Not thread-safe by itself: `Batcher` owns it in service."""

    def __init__(self, model: Any, tokenizer: Any, base_digest: str, name: str) -> None:
        self.model, self.tokenizer, self.base_digest, self.name = model, tokenizer, base_digest, name
        self._grammars: dict[bool, Any] = {}
        self._pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        lora.install(model)

    @classmethod
    def load(cls, base: Path | str, revision: str | None = None, dtype: str = "") -> Engine:
        """Load a base model from a folder (or hub name), in `dtype`: if not said, bfloat16 where the processor multiplies
        it, else float32."""
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
                attn_implementation=None if gpu else "eager",
            )  # on a CPU torch's fused attention costs a fifth more a token
        except OSError as error:
            raise MissingError(
                f"cannot load the base model: {str(error).splitlines()[0]}",
                where=str(base),
                remedy="Check [model] base in settings.ini",
            ) from None
        model.eval().requires_grad_(False)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return cls(
            model, tokenizer, base_digest(base, revision or ""), folder.name if folder.is_dir() else str(base)
        )

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
        """One answer per prompt, row i with `adapters[i]`. Answers cut at the limit are closed into valid XML.

        `may_be_silent`: `<nada/>` is an answer. A base that was never taught it would hide behind it."""
        import torch

        began = time.perf_counter()
        texts = [
            self.tokenizer.apply_chat_template(p, add_generation_prompt=True, tokenize=False) for p in prompts
        ]
        encoded = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(
            self.model.device
        )
        watcher = _Watcher(
            [p[-1]["content"] for p in prompts],
            self._stops(),
            self._compiled(may_be_silent) if grammar else None,
            self._pieces,
        )
        with torch.inference_mode(), lora.applied(adapters, self.model.device):
            out = self.model.generate(
                **encoded,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                logits_processor=[watcher],
                eos_token_id=self._stops(),
                pad_token_id=self.tokenizer.pad_token_id,
            )
        seconds = time.perf_counter() - began
        made = []
        for row, ids in enumerate(out[:, encoded["input_ids"].shape[1] :].tolist()):
            cut = next((i for i, t in enumerate(ids) if t in watcher.stops), len(ids))
            text = self.tokenizer.decode(ids[:cut], skip_special_tokens=True).strip()
            finish = "stop" if cut < len(ids) else "length"
            if grammar and finish == "length":
                text = close_fragment(text)
            made.append(Generation(text, watcher.confidence(row), cut, finish, seconds))
        return made

    def _stops(self) -> list[int]:
        ids = {self.tokenizer.eos_token_id, *(_as_list(self.model.generation_config.eos_token_id))}
        return sorted(i for i in ids if i is not None)

    def _compiled(self, may_be_silent: bool) -> Any:
        """The grammar compiled for this vocabulary; some seconds, once."""
        if may_be_silent not in self._grammars:
            import xgrammar

            info = xgrammar.TokenizerInfo.from_huggingface(
                self.tokenizer, vocab_size=self.model.config.vocab_size, stop_token_ids=self._stops()
            )
            text = (
                GRAMMAR
                if may_be_silent
                else GRAMMAR.replace('root ::= "<nada/>" | blocks', "root ::= blocks")
            )
            self._grammars[may_be_silent] = xgrammar.GrammarCompiler(info).compile_grammar(text)
        return self._grammars[may_be_silent]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


NGRAM = 6  # tokens; about three words


class _Loops:
    """The run of text one row is writing now: which tokens would say the same `NGRAM` tokens a second time.

    Greedy decoding of a small model falls into loops. Tags repeat by nature, so only text between two tags counts."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces, self.run, self.seen = pieces, list[int](), dict[tuple[int, ...], set[int]]()

    def note(self, token: int) -> None:
        if any(c in self.pieces[token] for c in "<>"):
            self.run, self.seen = [], {}
            return
        if len(self.run) >= NGRAM - 1:
            self.seen.setdefault(tuple(self.run[1 - NGRAM :]), set()).add(token)
        self.run.append(token)

    def banned(self) -> set[int]:
        return self.seen.get(tuple(self.run[1 - NGRAM :]), set()) if len(self.run) >= NGRAM - 1 else set()


class _Names:
    """The placeholder one row is writing now: only those its prompt holds can be written, so nobody is made up."""

    def __init__(self, pieces: list[str], said: str) -> None:
        self.pieces, self.said, self.open = pieces, {m[0] for m in PLACEHOLDER.finditer(said)}, ""

    def _after(self, token: int) -> str | None:
        """What is begun and not closed behind `token`; None where it leaves every name of the prompt."""
        begun = self.open
        for c in self.pieces[token]:
            if begun or c == "[":
                begun += c
                if begun in self.said:
                    begun = ""
                elif not any(name.startswith(begun) for name in self.said):
                    return None
        return begun

    def may(self, token: int) -> bool:
        return self._after(token) is not None

    def note(self, token: int) -> None:
        self.open = self._after(token) or ""


class _Watcher:
    """A logits processor for one `generate`: masks what the grammar forbids, what would loop and who was not named, and
    notes the chosen tokens' log-probability."""

    def __init__(self, said: Sequence[str], stops: list[int], compiled: Any, pieces: list[str]) -> None:
        rows = len(said)
        self.loops = [_Loops(pieces) for _ in said]
        self.names = [_Names(pieces, text) for text in said]
        self.stops = set(stops)
        self.sums, self.counts, self.done = [0.0] * rows, [0] * rows, [False] * rows
        self.matchers = None
        if compiled is not None:
            import xgrammar

            self.matchers = [xgrammar.GrammarMatcher(compiled) for _ in range(rows)]
            self.bitmask = xgrammar.allocate_token_bitmask(rows, compiled.tokenizer_info.vocab_size)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        raw = scores.float()
        if self.matchers is not None:
            import xgrammar

            for row, matcher in enumerate(self.matchers):
                if not matcher.is_terminated():
                    matcher.fill_next_token_bitmask(self.bitmask, row)
                else:
                    self.bitmask[row].fill_(-1)
            xgrammar.apply_token_bitmask_inplace(scores, self.bitmask.to(scores.device))
        for row, (loops, names) in enumerate(zip(self.loops, self.names, strict=True)):
            if not names.open and (again := loops.banned()):
                scores[row, sorted(again)] = float("-inf")
            while (
                not self.done[row]
                and not names.may(best := int(scores[row].argmax()))
                and scores[row, best] > float("-inf")
            ):
                scores[row, best] = float("-inf")
        chosen = scores.argmax(-1)
        logp = raw.gather(1, chosen[:, None])[:, 0] - torch.logsumexp(raw, -1)
        for row, (token, value) in enumerate(zip(chosen.tolist(), logp.tolist(), strict=True)):
            if self.done[row]:
                continue
            self.loops[row].note(token)
            self.names[row].note(token)
            self.sums[row] += value
            self.counts[row] += 1
            self.done[row] = token in self.stops
            if self.matchers is not None and not self.matchers[row].is_terminated():
                self.matchers[row].accept_token(token)
        return scores

    def confidence(self, row: int) -> float:
        return math.exp(self.sums[row] / self.counts[row]) if self.counts[row] else 0.0


@dataclass
class _Request:
    prompt: Messages
    adapter: lora.Bundle | None
    max_new_tokens: int
    future: Future


class Batcher:
    """One thread owns the engine; requests of all councils are gathered into mixed batches.

    `submit` takes the adapter pointer at admission, so a swap during the wait or the run changes nothing for it."""

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

    def _gather(self) -> list[_Request] | None:
        first = self._queue.get()
        if first is None:
            return None
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
        while (batch := self._gather()) is not None:
            live = [r for r in batch if r.future.set_running_or_notify_cancel()]
            if not live:
                continue
            try:
                made = self.engine.generate(
                    [r.prompt for r in live], [r.adapter for r in live], max(r.max_new_tokens for r in live)
                )
            except Exception as error:
                for request in live:
                    request.future.set_exception(error)
                continue
            for request, generation in zip(live, made, strict=True):
                request.future.set_result(generation)
