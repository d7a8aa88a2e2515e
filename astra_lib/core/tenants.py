"""What may name a council: it is a key, a folder and a bucket prefix, so nothing in it may split a path."""

from __future__ import annotations

import re

from .errors import InputError

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def is_tenant(name: str) -> bool:
    return bool(_TENANT.fullmatch(name))


def check_tenant(tenant: str) -> str:
    """The name as it is; raises `InputError` for one that is not usable."""
    if not is_tenant(tenant):
        raise InputError(
            "not a usable tenant name",
            where=repr(tenant),
            remedy="Letters, digits, '-', '_', '.'; at most 64",
        )
    return tenant
