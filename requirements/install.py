"""Make an environment from its lock files: `python requirements/install.py app|dev|docs|trainer FOLDER`.

Standard library only: it runs before anything is installed. Says first what will be downloaded and how much.
Killed or cut off in the middle, the same command goes on: pip keeps what it has downloaded. A finished
environment whose lock files did not change is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12))
TRIES = 3
# what is installed, MB downloaded and MB on the disk (measured; Linux x86_64, torch for CPUs)
ENVIRONMENTS = {
    "app": ("the application", 900, 2500),
    "dev": ("what tests and notebooks need on top", 80, 400),
    "docs": ("what the site needs on top", 25, 80),
    "trainer": ("the trainer", 390, 1500),
}
ON_TOP = ("dev", "docs")  # of the application, which has torch


class InstallError(Exception):
    """One line: what is wrong and what to do."""


def check(name: str, folder: Path) -> None:
    """Refuse at once what would fail after minutes."""
    if sys.version_info[:2] not in PYTHONS:
        have = ".".join(map(str, sys.version_info[:2]))
        raise InstallError(
            f"Python {have} is not supported: the locked wheels are for 3.11 and 3.12. "
            "Install one of them and run make PYTHON=python3.11"
        )
    needed = ENVIRONMENTS[name][2] + 300
    free = shutil.disk_usage(folder.parent).free >> 20
    if free < needed:
        raise InstallError(
            f"{free} MB free below {folder.parent}, {needed} MB needed: free some, or clone elsewhere"
        )
    if not os.access(folder.parent, os.W_OK):
        raise InstallError(f"{folder.parent} cannot be written: clone the project to a folder of yours")


def locks(name: str) -> list[Path]:
    """What is installed first, and what is installed after it without dependencies, where there is any."""
    return [file for part in (name, f"{name}.nodeps") if (file := HERE / f"{part}.lock").is_file()]


def fingerprint(name: str) -> str:
    """Of the lock files and this script: what a finished environment was made from."""
    data = b"".join(path.read_bytes() for path in [*locks(name), HERE / "torch.cpu.lock", Path(__file__)])
    return hashlib.sha256(data).hexdigest()


def pip(folder: Path, packages: int, *arguments: str) -> int:
    """pip's exit code; shows its last lines when it failed. Writes no bytecode: most is never read."""
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    process = subprocess.Popen(
        [*command, "--require-hashes", *arguments], env=pip_environment(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines: list[str] = []
    seen = 0
    for line in process.stdout or ():
        lines.append(line)
        if line.startswith("Collecting "):
            seen += 1
            progress(f"   {seen} of {packages} packages found and downloaded")
        elif line.startswith("Installing "):
            progress(f"   {packages} packages downloaded; unpacking, a minute or two without news")
    progress("")
    if process.wait():
        print("".join(lines[-8:]), file=sys.stderr)
    return process.returncode


def progress(text: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def pip_environment() -> dict[str, str]:
    environment = dict(os.environ)
    if not os.access(Path.home(), os.W_OK):
        environment["PIP_NO_CACHE_DIR"] = "1"  # nothing is kept for the next try, but it works
    return environment


def offers_cpu_torch(folder: Path) -> bool:
    """Does pip's index (or its extra ones) have torch's CPU build?"""
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--quiet",
    ]
    command += ["--no-deps", "--no-binary", ":none:", "--dest", str(folder / "torch"), "--require-hashes"]
    done = subprocess.run(
        [*command, "-r", str(HERE / "torch.cpu.lock")], capture_output=True, env=pip_environment()
    )
    shutil.rmtree(folder / "torch", ignore_errors=True)
    return done.returncode == 0


def install(name: str, folder: Path) -> None:
    what, download_mb, disk_mb = ENVIRONMENTS[name]
    mark = folder / f".{name}.ready"
    if mark.is_file() and mark.read_text() == fingerprint(name):
        return
    check(name, folder)
    print(
        f"== {what}: about {download_mb} MB to download, {disk_mb} MB on the disk, into {folder}", flush=True
    )
    began = time.monotonic()
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    main, *apart = locks(name)
    torch = []
    if name not in ON_TOP:
        cpu = offers_cpu_torch(folder)
        torch = ["-r", str(HERE / ("torch.cpu.lock" if cpu else "torch.cuda.lock"))]
        if not cpu:
            print(
                "   pip's index has no CPU build of torch: taking the CUDA build, some 3 GB more", flush=True
            )
    steps = [["-r", str(main), *torch], *(["--no-deps", "-r", str(file)] for file in apart)]
    for step in steps:
        packages = sum(Path(file).read_text().count("==") for file in step if file.endswith(".lock"))
        for left in range(TRIES - 1, -1, -1):
            if pip(folder, packages, *step) == 0:
                break
            if not left:
                raise InstallError(
                    "pip failed (see above): check network and proxy; the same command goes on where it was"
                )
            print(f"   pip failed; trying again in 10 s ({left} left)", flush=True)
            time.sleep(10)
    if name == "app":
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--disable-pip-version-check", "-e", str(HERE.parent)]
        if subprocess.run(command, env=pip_environment()).returncode:
            raise InstallError("the project itself could not be installed (see above)")
    mark.write_text(fingerprint(name))
    size = sum(path.lstat().st_size for path in folder.rglob("*")) >> 20
    print(f"   done in {time.monotonic() - began:.0f} s, {size} MB", flush=True)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("name", choices=ENVIRONMENTS)
    arguments.add_argument("folder", type=Path)
    args = arguments.parse_args()
    try:
        install(args.name, args.folder.absolute())
    except InstallError as error:
        print(f"install: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("install: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
