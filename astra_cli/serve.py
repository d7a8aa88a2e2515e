"""`astra serve | token | audit`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    p = verbs.add_parser("serve", help="API and page in one process")
    p.set_defaults(run=serve)

    p = verbs.add_parser("token", help="issue a bearer token for a tenant and a role")
    p.add_argument("--tenant", required=True)
    p.add_argument("--role", required=True, choices=("clerk", "reviewer", "operator"))
    p.set_defaults(run=token)

    p = verbs.add_parser("audit", help="what was served, and from what")
    actions = p.add_subparsers(dest="action", required=True, metavar="ACTION")
    p = actions.add_parser("verify", help="walk the hash chain of a tenant; exit 3 where it is broken")
    p.add_argument("--tenant", required=True)
    p.set_defaults(run=verify)
    p = actions.add_parser(
        "show", help="from a served paragraph to its adapter, dataset, sessions and milliseconds, as JSON"
    )
    p.add_argument("audit_id", metavar="ID", help="the audit_id that came with the paragraph")
    p.set_defaults(run=show)


def serve(_: argparse.Namespace) -> int:
    from app_gradio.main import serve as run

    run(load_settings())
    return 0


def token(args: argparse.Namespace) -> int:
    from app_gradio.auth import issue

    print(issue(load_settings(), args.tenant, args.role))
    return 0


def verify(args: argparse.Namespace) -> int:
    from astra_lib.core.audit import AuditLog

    count = AuditLog.open(load_settings()).verify(args.tenant)
    print(f"{count} records, chain unbroken")
    return 0


def show(args: argparse.Namespace) -> int:
    """Print the way back from a paragraph; exit 3 when two of its ends do not fit."""
    from astra_lib.core.trace import trace

    found = trace(args.audit_id, load_settings())
    print(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    return 0
