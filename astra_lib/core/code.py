"""What code a result depends on: a digest over the modules that a job reaches through its imports.

A job is reused while its parameters, inputs and code are what they were. Nobody keeps a list of that code by
hand: it is read from the import statements, those inside functions too, through all packages of this project.
The data files of the packages reached (word lists, the name model) and the versions of the libraries they
import count as code.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from .errors import MissingError
from .records import dumps, sha256_bytes, sha256_file

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = frozenset({"astra_lib", "jobs", "trainer", "app_gradio"})
# They carry bytes, show them or watch over processes, and cannot change what a job computes: a change here
# must not mean that fifty councils train again. The packages themselves hold a description and nothing to
# run.
_PLUMBING = (
    "audit clients code errors events launcher manifest registry run servers services store supervisor trace"
)
CARRIERS = (
    PACKAGES
    | {f"astra_lib.core.{name}" for name in _PLUMBING.split()}
    | {"astra_lib.report", "jobs.runner", "trainer.child", "trainer.transfer"}
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_digest(*modules: str) -> str:
    """A short hash over everything the modules' results depend on: source, data files, versions of libraries.

    `modules` are dotted names inside `PACKAGES`. Raises `MissingError` for one that is not there.
    """
    reached = reachable(*modules)
    data = {path for name in reached for path in data_files(name)}
    parts = [[name, source_hash(name)] for name in reached]
    parts += sorted([path.relative_to(ROOT).as_posix(), sha256_file(path)] for path in data)
    return sha256_bytes(dumps([parts, libraries(reached)]))[:16]


def reachable(*modules: str) -> list[str]:
    """The modules and all of this project's modules they import, directly or not; sorted."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen or name in CARRIERS:
            continue
        seen.add(name)
        waiting += [found for found in imported(name) if found.split(".")[0] in PACKAGES]
    return sorted(seen)


def source_hash(module: str) -> str:
    """Of what a module does. Comments, docstrings and layout do not count: better prose costs no training."""
    tree = _tree(module)
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and _has_docstring(node):
            node.body[0] = ast.Pass()
    return sha256_bytes(ast.unparse(tree))


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def libraries(modules: list[str]) -> dict[str, str]:
    """`{distribution: version}` of the installed libraries that the modules import."""
    names = {found.split(".")[0] for module in modules for found in imported(module)}
    outside = names - PACKAGES - set(sys.stdlib_module_names)
    return {each: version(each) for name in outside for each in _installed().get(name, [])}


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()  # a second: it looks into every distribution


def file_of(module: str) -> Path:
    """The source file of a module or package. Raises `MissingError` when there is none."""
    stem = ROOT.joinpath(*module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    raise MissingError(
        "no such module", where=module, remedy="Name it as it is imported: astra_lib.alignment"
    )


def data_files(module: str) -> list[Path]:
    """Files beside a module of a sub-package that are not code: its package's word lists, its model."""
    folder = file_of(module).parent
    if folder.parent == ROOT:  # astra_lib itself, jobs, trainer, app_gradio: what lies there is nobody's data
        return []
    return [
        path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in {".py", ".pyc"}
    ]


@cache
def imported(module: str) -> list[str]:
    """Dotted names of what a module imports: `from a import b` is `a`, and `a.b` if that is a module."""
    path = file_of(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return sorted(set(_names(_tree(module), package)))


def _tree(module: str) -> ast.Module:
    return ast.parse(file_of(module).read_bytes())


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            yield base
            yield from (inner for alias in node.names if _is_module(inner := f"{base}.{alias.name}"))


def _base(node: ast.ImportFrom, package: str) -> str:
    """What stands between `from` and `import`, with the dots of a relative import resolved."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    above = parents[: len(parents) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


def _is_module(name: str) -> bool:
    if name.split(".")[0] not in PACKAGES:
        return False
    stem = ROOT.joinpath(*name.split("."))
    return stem.with_suffix(".py").is_file() or (stem / "__init__.py").is_file()
