"""The order of imports: configs → sandbox → tasks → rewards → models → the four stages → budget, never back."""

import ast
import sys
from pathlib import Path

import pytest

from tests.processes import HEAVY, ROOT, run_code, run_light

STAGES = ("distill", "sft", "rl", "evaluation")
BEFORE_STAGES = ("configs", "sandbox", "tasks", "rewards", "models")
MAY_IMPORT = {
    **{name: set(BEFORE_STAGES[: number + 1]) for number, name in enumerate(BEFORE_STAGES)},
    **{stage: {*BEFORE_STAGES, stage} for stage in STAGES},
    "budget": {*BEFORE_STAGES, *STAGES, "budget"},
}
PACKAGES = [name for name in MAY_IMPORT if (ROOT / name).is_dir()]
OURS = {*MAY_IMPORT, "bench", "tests"}
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
LOOKS_UP = {
    Path("configs/__main__.py"): {"rewards"},  # `python -m configs check` tries the rewards' names
    Path("models/nano.py"): {"distill"},  # it learns from the free teacher's plans
}
LIGHT = ("configs", "sandbox", "tasks", "rewards")


def imports(path: Path, *, at_module_level: bool = False) -> set[str]:
    """Return the full names of the modules that a file imports, anywhere in it or only where importing it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parts[:-1]
    found: set[str] = set()
    for node in _nodes(tree) if at_module_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (start, node.module or "") if part)
            found |= {f"{module}.{alias.name}" for alias in node.names} if module in OURS else {module}
    return found


def _nodes(tree: ast.AST):
    """Yield the nodes of a file but not what stands inside its functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _nodes(node)


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_all_packages_are_there():
    assert {*BEFORE_STAGES, *STAGES} <= set(PACKAGES)
    assert len(FILES) > 20
    assert all((ROOT / name / "__init__.py").is_file() for name in PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    where = path.relative_to(ROOT)
    allowed = MAY_IMPORT[where.parts[0]] | LOOKS_UP.get(where, set())
    assert top(imports(path)) & OURS <= allowed


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.is_relative_to(ROOT / "sandbox")], ids=lambda path: path.name
)
def test_the_sandbox_needs_the_standard_library_only(path):
    """But its variants, which nothing of the rest imports, read gold queries with sqlglot."""
    names = imports(path)
    varied = path.name.startswith("variant")
    foreign = top(names) - set(sys.stdlib_module_names) - {"sandbox", "configs"} - ({"sqlglot"} if varied else set())
    assert varied or not any(name.startswith("sandbox.variant") for name in names)
    ours = {".".join(name.split(".")[:2]) for name in names if name.startswith("configs")}
    assert not foreign and ours <= {"configs.errors", "configs.paths"}


@pytest.mark.parametrize("name", LIGHT)
def test_light_packages_import_without_torch(name):
    """Each module of the package, imported in one process, brings none of the heavy packages with it."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in FILES
        if path.is_relative_to(ROOT / name) and path.name != "__main__.py"
    ]
    code = (
        "import importlib, sys\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        f"sys.exit(', '.join(sorted({HEAVY!r} & set(sys.modules))) or None)"
    )
    done = run_code(code, timeout_s=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_and_command_lines_start_light(name):
    """`__init__` and `__main__` reach the GPU stack only from inside functions, so --help answers at once."""
    for file in (ROOT / name / "__init__.py", ROOT / name / "__main__.py"):
        if file.is_file():
            assert not top(imports(file, at_module_level=True)) & HEAVY


@pytest.mark.parametrize("name", [path.parent.name for path in FILES if path.name == "__main__.py"])
def test_help_answers_without_torch(name):
    done = run_light(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout


def test_errors_and_paths_need_no_pydantic():
    code = "import sys, configs.errors, configs.paths; sys.exit('pydantic' in sys.modules or 'yaml' in sys.modules)"
    assert run_code(code).returncode == 0


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c", {"a.b", "c"}),
        ("from sandbox import execute", {"sandbox.execute"}),
        ("from sandbox.pool import x", {"sandbox.pool"}),
        ("from . import x", {"rl.x"}),
        ("from .train import x", {"rl.train"}),
        ("def f():\n    import torch", {"torch"}),
        ("if x:\n    import torch", {"torch"}),
    ],
)
def test_imports_are_seen_in_every_form(source, names, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "rl").mkdir()
    (tmp_path / "rl" / "x.py").write_text(source)
    assert imports(tmp_path / "rl" / "x.py") == names
    inside = source.startswith("def")
    assert imports(tmp_path / "rl" / "x.py", at_module_level=True) == (set() if inside else names)
