"""What a supervised process runs first: writes who it is into its locked state file, then becomes the server.

Run by path, not imported: `python launcher.py FD OWNER STATE COMMAND...`. FD is the state file, open and
locked; it stays open in the server, so the lock lasts exactly as long as the server does. OWNER is the
process whose death ends this one (0: none). STATE is the JSON to which `pid` and `started` are added.
"""

import json
import os
import signal
import sys


def started_ticks(pid: int) -> int:
    """Start time of a process in clock ticks after boot: with the pid it names a process for good."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:  # noqa: PTH123
        # the second field is the program's name in brackets and may hold blanks
        return int(stat.read().rsplit(")", 1)[1].split()[19])


def die_with_parent(parent: int = 0) -> None:
    """Linux kills this process the moment the thread that started it ends, also by SIGKILL.

    `parent`: the process it should be a child of, when the caller knows; else whoever is its parent now.
    """
    import ctypes

    parent = parent or os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    fd, owner, state = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    if owner:
        die_with_parent(owner)
    state |= {"pid": os.getpid(), "started": started_ticks(os.getpid())}
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(state).encode(), 0)
    os.fsync(fd)
    os.execv(sys.argv[4], sys.argv[4:])


if __name__ == "__main__":
    main()
