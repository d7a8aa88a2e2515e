"""`astra serve | token | audit`."""

from __future__ import annotations

import argparse

from astra_lib.core import settings as settings_module


def add_parser(verbs) -> None:
    p = verbs.add_parser("serve", help="API and page in one process")
    p.set_defaults(run=serve)

    p = verbs.add_parser("token", help="issue a bearer token for a tenant and a role")
    p.add_argument("--tenant", required=True)
    p.add_argument("--role", required=True, choices=("clerk", "reviewer", "operator"))
    p.set_defaults(run=token)

    p = verbs.add_parser("audit", help="verify the hash chain of what was served")
    p.add_argument("action", choices=("verify",))
    p.add_argument("--tenant", required=True)
    p.set_defaults(run=verify)


def serve(_: argparse.Namespace) -> int:
    from app_gradio.main import serve as run

    run(settings_module.load())
    return 0


def token(args: argparse.Namespace) -> int:
    from app_gradio.auth import issue

    print(issue(settings_module.load(), args.tenant, args.role))
    return 0


def verify(args: argparse.Namespace) -> int:
    from astra_lib.core.audit import AuditLog

    count = AuditLog.open(settings_module.load()).verify(args.tenant)
    print(f"{count} records, chain unbroken")
    return 0
