"""Drafting in the background: uploads in, a state file per draft, and a restart that goes on with them."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import HTTPException, UploadFile

from astra_lib.core.errors import AstraError, MissingError
from astra_lib.core.launcher import started_ticks
from astra_lib.core.records import Transcript, read_json, write_json

from .http_errors import without_path
from .service import Service
from .sessions import Draft, draft

MAX_UPLOAD = 1 << 30  # bytes
WORKERS = 2  # drafts written at once; their blocks share the engine's batches
ADAPTER_WAIT_S = 60  # after a restart the swapper may still be loading
ENDED = ("done", "failed")

State = dict[str, Any]


class DraftQueue:
    """Drafts by id, each in a folder of its own: the uploads, state.json and in the end acta.docx.

    The state names the process that writes the draft, so that a later process knows whether it still lives.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.folder = service.settings.data_dir / "drafts"
        self.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="draft")
        self._lock = threading.Lock()
        self._boot = uuid.uuid4().hex
        self._resume()

    def start(self, tenant: str, session_id: str, recording: UploadFile, template: UploadFile) -> State:
        """Save the uploads and queue the draft; returns its first state.

        Raises `AstraError` for files that cannot be read: now, not after an hour of drafting.
        """
        draft_id = uuid.uuid4().hex
        folder = self.folder / draft_id
        folder.mkdir(parents=True)
        suffix = Path(recording.filename or "recording").suffix.lower() or ".json"
        recording_file, template_file = folder / f"recording{suffix}", folder / "template.docx"
        _save(recording, recording_file)
        _save(template, template_file)
        try:
            _check(recording_file, template_file)
        except AstraError:
            shutil.rmtree(folder)
            raise
        self._write(_new_state(draft_id, tenant, session_id, "queued"))
        self.pool.submit(self.run, draft_id, tenant, session_id, recording_file)
        return self.state(draft_id, tenant)

    def state(self, draft_id: str, tenant: str) -> State:
        """The draft as it is now; `MissingError` when this tenant has no such draft."""
        path = self.folder / draft_id / "state.json"
        if not draft_id.isalnum() or not path.is_file():
            raise MissingError("no such draft", where=draft_id)
        state = read_json(path)
        if state["tenant"] != tenant:
            raise MissingError("no such draft", where=draft_id)
        process, boot = state.pop("process", None), state.pop("boot")
        if boot != self._boot and state["status"] not in ENDED and not _alive(process):
            state |= {"status": "failed", "error": "the service was stopped; the next start goes on with it"}
        return state

    def run(self, draft_id: str, tenant: str, session_id: str, recording: Path) -> None:
        """Write one draft, in a thread of the pool; whatever happens is in its state."""
        state = _new_state(draft_id, tenant, session_id, "running")
        try:
            transcript = self._transcript(state, recording)
            self._await_adapter(tenant)
            made = draft(
                self.service,
                transcript,
                recording.parent / "template.docx",
                recording.parent / "acta.docx",
                progress=lambda done, of: self._write(state | {"done": done, "of": of}),
            )
            self._write(state | _finished(made))
        except AstraError as error:
            place = without_path(error.where)
            failed = {"status": "failed", "error": error.what, "where": place, "remedy": error.remedy}
            self._write(state | failed)
        except Exception as error:  # no caller waits for this thread: only the state can tell
            self._write(state | {"status": "failed", "error": f"{type(error).__name__}: {error}"})
            raise

    def _resume(self) -> None:
        """Take over the drafts of a process that ended; those of a living one are left to it."""
        for path in sorted(self.folder.glob("*/state.json")):
            recording = _recording(path.parent)
            try:
                state = read_json(path)
            except AstraError:
                continue
            if recording is None or state["status"] in ENDED or _alive(state.get("process")):
                continue
            self._write(state | {"status": "queued"})
            self.pool.submit(self.run, state["id"], state["tenant"], state["session_id"], recording)

    def _transcript(self, state: State, recording: Path) -> Transcript:
        from astra_lib.recording import transcribe
        from astra_lib.transcript import read_transcript

        session_id, tenant = state["session_id"], state["tenant"]
        if recording.suffix == ".json":
            return read_transcript([recording], session_id=session_id, tenant=tenant)
        self._write(state | {"status": "transcribing"})
        out = recording.with_suffix(".transcript.json")
        return transcribe(recording, out, self.service.settings, session_id=session_id, tenant=tenant)

    def _await_adapter(self, tenant: str) -> None:
        """Wait for the swapper to load a promoted adapter; a tenant without a promotion is not waited for."""
        deadline = time.monotonic() + ADAPTER_WAIT_S
        while (
            tenant not in self.service.swapper.tenants()
            and self.service.registry.current(tenant)
            and time.monotonic() < deadline
        ):
            time.sleep(0.2)

    def _write(self, state: State) -> None:
        writer = {"boot": self._boot, "process": [os.getpid(), started_ticks(os.getpid())]}
        with self._lock:
            write_json(self.folder / state["id"] / "state.json", state | writer)


def _new_state(draft_id: str, tenant: str, session_id: str, status: str) -> State:
    """`done` of `of` blocks are written."""
    return {
        "id": draft_id,
        "tenant": tenant,
        "session_id": session_id,
        "status": status,
        "done": 0,
        "of": 0,
    }


def _finished(made: Draft) -> State:
    return {
        "status": "done",
        "paragraphs": [asdict(paragraph) for paragraph in made.paragraphs],
        "gaps": made.gaps,
        "silent_blocks": made.silent,
    }


def _recording(folder: Path) -> Path | None:
    """The uploaded recording, not the transcript that was made of it."""
    found = [p for p in folder.glob("recording.*") if not p.name.endswith(".transcript.json")]
    return found[0] if found else None


def _save(upload: UploadFile, path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        shutil.copyfileobj(upload.file, part, 1 << 20)
        if part.tell() > MAX_UPLOAD:
            Path(part.name).unlink()
            raise HTTPException(413, f"{upload.filename} is larger than 1 GiB")
    Path(part.name).replace(path)


def _check(recording: Path, template: Path) -> None:
    """Raise `AstraError` for a recording or a template that cannot be used."""
    from astra_lib.minutes import read_minutes
    from astra_lib.recording import check_audio
    from astra_lib.transcript import read_transcript

    read_minutes(template)
    if recording.suffix == ".json":
        read_transcript([recording])
    else:
        check_audio(recording)


def _alive(process: list[int] | None) -> bool:
    """Whether another process with this number and start time lives.

    Our own number is never another process, also when it was used before by one that ended.
    """
    pid, started = process or (os.getpid(), 0)
    try:
        return pid != os.getpid() and started_ticks(pid) == started
    except FileNotFoundError:
        return False
