"""Python processes that tests start in the project's root, as people do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "trl", "transformers", "unsloth", "peft", "datasets", "distilabel", "vllm", "accelerate"}


def run_code(code: str, *words: object, folder: Path = ROOT, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Return the process that ran lines of Python to their end; `words` are its sys.argv[1:]."""
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s)


def run_light(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Return the process of `python -m MODULE WORDS…`; to import a package of the GPU stack makes it fail."""
    code = (
        "import runpy, sys\n"
        "status = 0\n"
        f"try: runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: status = end.code\n"
        f"sys.exit(', '.join(sorted({HEAVY!r} & set(sys.modules))) or status)"
    )
    return run_code(code, *words)
