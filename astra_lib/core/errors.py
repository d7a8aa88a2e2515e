"""Errors that say what is wrong, where, and what to do.

`AstraError` and its children also are the builtin they refine, so `except ValueError` keeps working.
The command line prints one line for each and exits with its `exit_code`.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class AstraError(Exception):
    """`what` is wrong, `where` it was seen (a file, a key, a row), `remedy`: what the reader should do."""

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        line = self.what if not self.where else f"{self.where}: {self.what}"
        return line if not self.remedy else f"{line.rstrip('.')}. {self.remedy}"

    def __reduce__(self):
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(cls, what, where, remedy):
    return cls(what, where=where, remedy=remedy)


class InputError(AstraError, ValueError):
    """A file, record or argument that cannot be used as it is."""


class SettingsError(InputError):
    """An unknown or ill-typed setting."""


class MissingError(AstraError, FileNotFoundError):
    """Something that was named does not exist: a file, an object, an adapter, a tenant, a run."""

    def __str__(self) -> str:  # OSError's own __str__ would print the errno tuple
        return AstraError.__str__(self)


class ServiceError(AstraError, ConnectionError):
    """A server (S3, Redis, RunPod, Deepgram) cannot be reached, or refused."""

    def __str__(self) -> str:
        return AstraError.__str__(self)


class ConflictError(AstraError, RuntimeError):
    """Somebody else changed the same thing first (a compare-and-set lost, an id taken)."""


class GateError(AstraError, RuntimeError):
    """A gate said no: personal data found, a verdict not in favour, an XML that does not validate."""

    exit_code = 3


class BudgetError(GateError):
    """A limit of time or cost was reached; the work was stopped."""


class DiskError(AstraError, OSError):
    """A file cannot be written or read: a full disk, missing rights, a broken device."""

    def __str__(self) -> str:
        return AstraError.__str__(self)


@contextmanager
def disk_errors(where: object) -> Iterator[None]:
    """Turn an `OSError` of the block into a `DiskError` that names `where`; `AstraError` passes through."""
    try:
        yield
    except AstraError:
        raise
    except OSError as error:
        remedy = {
            errno.ENOSPC: "Free disk space or point ASTRA_DATA_DIR at a larger disk, then run it again",
            errno.EDQUOT: "The quota is used up: free space, then run the same command again",
            errno.EFBIG: "The file passes this user's or file system's size limit",
            errno.EACCES: "Check who may write there",
            errno.EPERM: "Check who may write there",
            errno.EROFS: "Point ASTRA_DATA_DIR at a folder that can be written",
        }.get(error.errno or 0, "Check the disk, then run the same command again")
        raise DiskError(error.strerror or str(error), where=str(where), remedy=remedy) from error
