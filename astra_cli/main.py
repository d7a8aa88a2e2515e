"""`astra`: the verbs, and one line for every error."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from astra_lib.core.errors import AstraError

# verb -> module that defines add_parser(subparsers); imported only when asked for, or for --help
VERBS = {
    "demo": "demo", "transcribe": "sessions", "align": "sessions", "draft": "sessions", "mine": "sessions",
    "minutes": "minutes", "scrub": "scrub", "train": "train", "judge": "models", "promote": "models",
    "rollback": "models", "models": "models", "learn": "run", "run": "run", "serve": "serve", "token": "serve",
    "audit": "serve", "services": "services",
}


def parser(verb: str | None) -> argparse.ArgumentParser:
    """The parser of one verb, or of all."""
    top = argparse.ArgumentParser(prog="astra", description="Council recordings and actas into the next acta.")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    wanted = [VERBS[verb]] if verb in VERBS else sorted(set(VERBS.values()))
    for name in wanted:
        importlib.import_module(f"astra_cli.{name}").add_parser(verbs)
    return top


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 2 bad input or a service out of reach, 3 a gate said no, 130 interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads of one model starve the next on few cores
    args = parser(next((a for a in argv if not a.startswith("-")), None)).parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except AstraError as error:
        if args.debug:
            raise
        print(f"astra: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("astra: interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if args.debug:
            raise
        print(f"astra: {os_error(error)}", file=sys.stderr)
        return 2


def os_error(error: OSError) -> str:
    """A full disk or a missing permission in one line that says what to do."""
    remedies = {28: "Free some space and run it again; nothing half-written is kept", 13: "Check the permissions",
                21: "A file was expected, this is a folder", 20: "A folder was expected, this is a file"}
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}. {remedies.get(error.errno or 0, 'Run with --debug to see where')}"


if __name__ == "__main__":
    sys.exit(main())
