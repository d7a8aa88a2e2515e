"""`astra`: finds the verb, and prints one line for every error."""

from __future__ import annotations

import argparse
import errno
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
    """A parser that reports a wrong argument like every other error, in one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, remedy=f"See `{self.prog} --help`")


class Version(argparse.Action):
    """`--version`, read from the installed package only when it is asked for."""

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
    """Run one verb and return its exit code.

    0 done, 1 a fault of ASTRA's own, 2 bad input or a server out of reach,
    3 a gate refused, 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv  # before the verb or after it
    argv = [argument for argument in argv if argument != "--debug"]
    _set_defaults()
    try:
        verb = next((argument for argument in argv if not argument.startswith("-")), None)
        args = parser(verb).parse_args(argv)
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
        advice = "Run it again with --debug and report what it shows"
        print(f"astra: unexpected {said}. {advice}", file=sys.stderr)
        return 1


def _set_defaults() -> None:
    """Environment that libraries read when they are imported; what the user set stays."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # on few cores the spinning threads of one model would starve the next
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # also for the bars that libraries draw


def os_error(error: OSError) -> str:
    """A full disk or a missing permission in one line that says what to do."""
    remedies = {
        errno.ENOSPC: "Free some space and run it again; nothing half-written is kept",
        errno.EACCES: "Check the permissions",
        errno.EISDIR: "A file was expected, this is a folder",
        errno.ENOTDIR: "A folder was expected, this is a file",
    }
    where = f"{error.filename}: " if error.filename else ""
    remedy = remedies.get(error.errno or 0, "Run with --debug to see where")
    return f"{where}{error.strerror or error}. {remedy}"


if __name__ == "__main__":
    sys.exit(main())
