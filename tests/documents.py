"""What documents say exists: modules, make's targets, configs and pages."""

import re

from tests.processes import ROOT

OTHERS = {"pytest", "pip"}
"""Modules that are not the project's."""


def missing_from(text: str) -> list[str]:
    """Return the modules, targets of make, configs and documents that a page names and the project lacks."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    modules = re.findall(r"python -m (\w+)", text)
    makes = re.findall(r"^ +make (\w+)", text, re.MULTILINE)
    paths = re.findall(r"configs/[\w./-]+\.yaml|docs/[\w.-]+\.md", text)
    return [
        *(module for module in modules if module not in OTHERS and not (ROOT / module / "__main__.py").exists()),
        *(target for target in makes if target not in targets),
        *(path for path in paths if not (ROOT / path).exists()),
    ]
