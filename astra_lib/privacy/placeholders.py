"""Placeholders and the real values behind them: encrypted at rest, one map per tenant, never uploaded."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.sax.saxutils import escape

from filelock import FileLock

from ..core.errors import InputError
from ..core.records import atomic_write
from ..core.settings import Settings
from ..core.tenants import check_tenant

TYPES = (
    "CONCEJAL",
    "FUNCIONARIO",
    "CIUDADANO",
    "PARTIDO",
    "CEDULA",
    "NIT",
    "TELEFONO",
    "CORREO",
    "DIRECCION",
    "PLACA",
    "CUENTA",
    "IP",
    "TARJETA",
    "NACIMIENTO",
)
PERSON_TYPES = TYPES[:3]
_ANY = "|".join(TYPES)
PLACEHOLDER = re.compile(rf"\[(?:{_ANY})_\d+\]")
# what a text may hold that looks like ours: one more "=" goes in, one comes out again
LOOKALIKE = re.compile(rf"\[(=*)((?:{_ANY})_\d+)\]")
# marks a remembered fragment that is kept whole: its names were spread over several runs
WHOLE = "\0"
# exact restorations kept; beyond it the oldest fall back to canonical names
_RECENT = 20_000
_KEY_BYTES = 16


def kind_of(placeholder: str) -> str:
    """ "[CONCEJAL_07]" -> "CONCEJAL"."""
    return placeholder[1:].rsplit("_", 1)[0]


def privacy_key(settings: Settings) -> bytes:
    """ASTRA_PRIVACY_KEY, or a key generated once under data_dir/privacy (mode 0600)."""
    if named := os.environ.get("ASTRA_PRIVACY_KEY"):
        if len(named) < _KEY_BYTES:
            raise InputError(
                "the privacy key is too short", where="ASTRA_PRIVACY_KEY", remedy="Use 16 characters or more"
            )
        return named.encode()
    path = settings.data_dir / "privacy" / "key"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    with suppress(FileExistsError):
        _create_key(path)
    # another process may be between creating and writing: its 44 bytes arrive at once
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise InputError(
            "the privacy key file is damaged",
            where=str(path),
            remedy="Restore it from a backup: without it the maps cannot be read",
        )
    return key


def _create_key(path: Path) -> None:
    """A new key, on disk before anything is encrypted with it; `FileExistsError` when there is one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(base64.urlsafe_b64encode(os.urandom(32)))
        out.flush()
        os.fsync(out.fileno())


class PlaceholderMap:
    """Placeholder <-> value of one tenant. `path` None keeps it in memory only.

    The file is Fernet-encrypted (AES-CBC + HMAC); identities are looked up by keyed hash. Several processes
    may share one file: numbers are given out under its lock, after reading what the others gave out. The
    lock is the operating system's (flock), so a process that dies lets go of it.
    """

    def __init__(self, tenant: str, key: bytes, path: Path | str | None = None) -> None:
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self.tenant = check_tenant(tenant)
        self.path = Path(path) if path else None
        secret = HKDF(hashes.SHA256(), 32, salt=None, info=b"astra placeholder map").derive(key)
        self._fernet = Fernet(base64.urlsafe_b64encode(secret))
        self._hmac_key = hmac.new(secret, b"identity\0" + tenant.encode(), hashlib.sha256).digest()
        self._turn = threading.RLock()
        # never a soft lock: that one would outlive a process that dies
        self._file_lock = (
            FileLock(self.path.with_suffix(".lock"), fallback_to_soft=False) if self.path else None
        )
        self._stamp: tuple[int, int] | None = None
        self.ids: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.guesses: set[str] = set()
        self.recent: dict[str, list[str]] = {}
        self._fresh: dict[str, list[str]] = {}
        self._changed = False
        self._read()

    @classmethod
    def open(cls, tenant: str, settings: Settings) -> PlaceholderMap:
        """The tenant's map under data_dir/privacy, created on first use."""
        return cls(tenant, privacy_key(settings), settings.data_dir / "privacy" / f"{tenant}.map")

    # ---- the file
    def _read(self) -> None:
        from cryptography.fernet import InvalidToken

        if self.path is None or not self.path.is_file():
            return
        stat = self.path.stat()
        if self._stamp == (stat.st_ino, stat.st_mtime_ns):
            return
        try:
            state = json.loads(self._fernet.decrypt(self.path.read_bytes()))
        except (InvalidToken, ValueError):
            raise InputError(
                "the placeholder map cannot be decrypted",
                where=str(self.path),
                remedy="It was written with another ASTRA_PRIVACY_KEY, or is damaged",
            ) from None
        if state["tenant"] != self.tenant:
            raise InputError(f"this map belongs to tenant {state['tenant']!r}", where=str(self.path))
        self.ids, self.values, self.guesses = state["ids"], state["values"], set(state["guesses"])
        self.recent = {**state["recent"], **self._fresh}
        self._stamp = (stat.st_ino, stat.st_mtime_ns)

    def _write(self) -> None:
        if self.path is None:
            return
        recent = dict(list(self.recent.items())[-_RECENT:])
        state = {
            "tenant": self.tenant,
            "ids": self.ids,
            "values": self.values,
            "guesses": sorted(self.guesses),
            "recent": recent,
        }
        atomic_write(self.path, self._fernet.encrypt(json.dumps(state, ensure_ascii=False).encode()))
        self.path.chmod(0o600)
        stat = self.path.stat()
        self._stamp, self._fresh, self._changed = (stat.st_ino, stat.st_mtime_ns), {}, False

    @contextmanager
    def transaction(self) -> Iterator[PlaceholderMap]:
        """Hold the file's lock, read what others wrote, write at the end if anything changed."""
        with self._turn:
            if self.path is None or self._file_lock is None or self._file_lock.is_locked:
                yield self
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._file_lock:
                self._read()
                yield self
                if self._changed:
                    self._write()

    def save(self) -> None:
        """Write now what only memory holds (exact spellings for `unmask`)."""
        with self.transaction():
            self._changed = self._changed or bool(self._fresh)

    # ---- identities
    def _digest(self, text: str) -> str:
        return hmac.new(self._hmac_key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def find(self, identity: str) -> str | None:
        """The placeholder of an identity ("PERSONA|jorge ivan castrillon pena"), if it has one."""
        return self.ids.get(self._digest(identity))

    def assign(self, identity: str, kind: str, value: str, sure: bool = True) -> str:
        """The identity's placeholder, a new number of `kind` if it had none; `value` is what unmask fills in.

        A guess (not `sure`) is masked where it was seen, but neither looked for elsewhere nor held against
        finished files.
        """
        found = self.find(identity)
        if found and not (sure and found in self.guesses):
            return found
        with self.transaction():
            if found := self.find(identity):
                if sure and found in self.guesses:
                    self.guesses.discard(found)
                    self._changed = True
                return found
            placeholder = self._next(kind)
            self.ids[self._digest(identity)] = placeholder
            self.values[placeholder] = value
            if not sure:
                self.guesses.add(placeholder)
            self._changed = True
            return placeholder

    def _next(self, kind: str) -> str:
        """The first number of `kind` after those given out."""
        given = (int(p[len(kind) + 2 : -1]) for p in self.values if p.startswith(f"[{kind}_"))
        number = 1 + max(given, default=0)
        return f"[{kind}_{number}]" if kind == "PARTIDO" else f"[{kind}_{number:02d}]"

    def alias(self, identity: str, placeholder: str) -> None:
        """A further identity of somebody already known."""
        if self.find(identity) is None:
            with self.transaction():
                self.ids[self._digest(identity)] = placeholder
                self._changed = True

    def people(self) -> dict[str, str]:
        """Placeholder -> name, of persons who surely are."""
        sure = (p for p in self.values if p not in self.guesses)
        return {p: self.values[p] for p in sure if kind_of(p) in PERSON_TYPES}

    # ---- there and back
    def remember(self, masked: str, surfaces: list[str], xml: bool = False) -> None:
        """Keep the exact spellings behind a masked text's placeholders, in their order (raw for `xml`)."""
        digest = self._digest(f"xml\0{masked}" if xml else masked)
        self.recent.pop(digest, None)
        self._fresh.pop(digest, None)
        canonical = [self.values.get(p[0]) for p in PLACEHOLDER.finditer(masked)]
        if canonical == surfaces and not xml:
            return  # `unmask` fills these in anyway
        self.recent[digest] = self._fresh[digest] = surfaces
        if len(self.recent) > _RECENT:
            self.recent.pop(next(iter(self.recent)))

    def unmask(self, text: str, xml: bool = False) -> str:
        """Real values for placeholders; `xml` escapes them.

        What `mask` made last comes back byte for byte, anything else (a model's text) with canonical names.
        Unknown placeholders stay.
        """
        known = self.recent.get(self._digest(f"xml\0{text}" if xml else text), [])
        if known[:1] == [WHOLE]:
            return known[1]
        surfaces = iter(known)

        def fill(match: re.Match[str]) -> str:
            if match[1]:
                return f"[{match[1][1:]}{match[2]}]"
            exact = next(surfaces, None)
            if exact is not None:
                return exact
            value = self.values.get(match[0])
            if value is None:
                return match[0]
            return escape(value) if xml else value

        return LOOKALIKE.sub(fill, text)
