"""Bearer tokens as FastAPI dependencies: who asks, may they, and is the thing their own council's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException

from .auth import Principal, Tokens


class Access:
    """One dependency for each kind of action; 401 without a valid token, 403 where the role may not act."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.reader, self.drafter = self._to("read"), self._to("draft")
        self.corrector, self.operator = self._to("correct"), self._to("operate")

    def principal(self, authorization: Annotated[str | None, Header()] = None) -> Principal:
        """The caller behind the `Authorization` header."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        found = self.tokens.principal(token) if scheme.lower() == "bearer" and token else None
        if found is None:
            raise HTTPException(401, "a valid bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        return found

    def _to(self, action: str) -> Any:
        return Depends(self._checks(action))

    def _checks(self, action: str) -> Callable[..., Principal]:
        def check(principal: Principal = Depends(self.principal)) -> Principal:
            if not principal.may(action):
                raise HTTPException(403, f"a {principal.role} may not {action}")
            return principal

        return check


def own(tenant: str, me: Principal) -> None:
    """Another tenant's things do not exist for this token."""
    if tenant != me.tenant:
        raise HTTPException(404, "no such thing for this tenant")
