"""Bearer tokens bound to a tenant and a role, from the first day."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from astra_lib.core.errors import InputError
from astra_lib.core.records import atomic_write, read_json
from astra_lib.core.settings import Settings
from astra_lib.core.tenants import check_tenant

ROLES = ("clerk", "reviewer", "operator")
ALLOWED = {"read": ROLES, "draft": ROLES, "correct": ("clerk", "reviewer"), "operate": ("operator",)}


@dataclass(frozen=True)
class Principal:
    """Who is asking: a token belongs to one tenant and one role."""

    tenant: str
    role: str

    def may(self, action: str) -> bool:
        return self.role in ALLOWED[action]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """Token digests -> principals. ASTRA_TOKENS (JSON `{token: "tenant:role"}`) or data_dir/tokens.json."""

    def __init__(self, known: dict[str, Principal]) -> None:
        self._known = known

    @classmethod
    def open(cls, settings: Settings) -> Tokens:
        try:
            given = json.loads(os.environ.get("ASTRA_TOKENS") or "{}")
        except json.JSONDecodeError:
            raise InputError(
                "not JSON", where="ASTRA_TOKENS", remedy='Expected {"token": "tenant:role"}'
            ) from None
        rows = {_digest(token): who for token, who in given.items()}
        stored = settings.data_dir / "tokens.json"
        if stored.is_file():
            rows.update(read_json(stored))
        known = {}
        for digest, who in rows.items():
            tenant, _, role = str(who).partition(":")
            if not tenant or role not in ROLES:
                raise InputError(
                    f"bad principal {who!r}",
                    where="tokens",
                    remedy=f"tenant:role with a role of {', '.join(ROLES)}",
                )
            known[digest] = Principal(tenant, role)
        return cls(known)

    def principal(self, token: str) -> Principal | None:
        """Compared in constant time against every known digest."""
        asked, found = _digest(token), None
        for digest, principal in self._known.items():
            if hmac.compare_digest(asked, digest):
                found = principal
        return found


def issue(settings: Settings, tenant: str, role: str) -> str:
    """A new token; only its digest is kept, in data_dir/tokens.json (0600)."""
    if role not in ROLES:
        raise InputError(f"unknown role {role!r}", remedy=f"One of {', '.join(ROLES)}")
    check_tenant(tenant)
    path: Path = settings.data_dir / "tokens.json"
    rows = read_json(path) if path.is_file() else {}
    token = "astra_" + secrets.token_urlsafe(24)
    rows[_digest(token)] = f"{tenant}:{role}"
    atomic_write(path, json.dumps(rows, indent=2, sort_keys=True))
    path.chmod(0o600)
    return token
