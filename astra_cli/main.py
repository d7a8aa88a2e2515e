"""`astra`: the verbs, and one line for every error."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import NoReturn

from astra_lib.core.errors import AstraError, InputError

# verb -> module that defines add_parser(subparsers); imported only when asked for, or for --help
VERBS = {
    "demo": "demo",
    "transcribe": "sessions",
    "align": "sessions",
    "draft": "sessions",
    "mine": "sessions",
    "minutes": "minutes",
    "scrub": "scrub",
    "train": "train",
    "judge": "models",
    "promote": "models",
    "rollback": "models",
    "models": "models",
    "learn": "run",
    "run": "run",
    "serve": "serve",
    "token": "serve",
    "audit": "serve",
    "services": "services",
}


class Parser(argparse.ArgumentParser):
    """Says a wrong argument in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, remedy=f"See `{self.prog} --help`")


class Version(argparse.Action):
    """The installed package's version, asked for only when wanted."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"astra {version('astra')}")
        parser.exit()


def parser(verb: str | None) -> argparse.ArgumentParser:
    """The parser of one verb, or of all."""
    top = Parser(prog="astra", description="Council recordings and actas into the next acta.")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    top.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    wanted = [VERBS[verb]] if verb in VERBS else sorted(set(VERBS.values()))
    for name in wanted:
        importlib.import_module(f"astra_cli.{name}").add_parser(verbs)
    return top


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 a fault of ASTRA's own, 2 bad input or a service out of reach, 3 a gate said no, 130 interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    debug, argv = "--debug" in argv, [a for a in argv if a != "--debug"]  # before the verb or after it
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # spinning threads of one model starve the next on few cores
    if not sys.stderr.isatty():
        os.environ.setdefault(
            "TQDM_DISABLE", "1"
        )  # read when tqdm is imported: also bars that libraries draw
    try:
        args = parser(next((a for a in argv if not a.startswith("-")), None)).parse_args(argv)
        return int(args.run(args) or 0)
    except AstraError as error:
        if debug:
            raise
        print(f"astra: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("astra: interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if debug:
            raise
        print(f"astra: {os_error(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        if debug:
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        print(
            f"astra: unexpected {said}. Run it again with --debug and report what it shows", file=sys.stderr
        )
        return 1


def os_error(error: OSError) -> str:
    """A full disk or a missing permission in one line that says what to do."""
    remedies = {
        28: "Free some space and run it again; nothing half-written is kept",
        13: "Check the permissions",
        21: "A file was expected, this is a folder",
        20: "A folder was expected, this is a file",
    }
    where = f"{error.filename}: " if error.filename else ""
    return (
        f"{where}{error.strerror or error}. {remedies.get(error.errno or 0, 'Run with --debug to see where')}"
    )


if __name__ == "__main__":
    sys.exit(main())
