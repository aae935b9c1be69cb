"""What a machine lacks for a run, found before the run does: each thing tried, with its cure."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec

from budget.findings import Finding, failed, show
from configs.check import check_config
from configs.errors import ConfigError
from configs.schema import Config
from configs.stage import complain

EPILOG = """\
exit status: 0 where nothing fails, 1 where something does, 2 for bad input

examples:
  python -m budget doctor
  python -m budget doctor configs/cpu.yaml
  python -m budget doctor configs/h200-qwen3-4b.yaml model.vllm=false --json
"""


def examine(cfg: Config | None = None) -> Iterator[Finding]:
    """Yield what was found of this machine, and of what the run of `cfg` needs here, the quick things first."""
    from budget import machine, packages
    from budget.surroundings import check_environment, check_sandbox, check_token

    have = packages.installed()
    yield packages.check_python()
    yield from packages.check_versions(have, packages.pins(), cfg)
    yield packages.check_caps(have)
    probed = machine.probe()
    yield from machine.check_gpus(probed.torch, machine.driver(), cfg)
    yield machine.check_four_bit(probed.four_bit, cfg is not None and cfg.model.quantization != "none")
    if cfg:
        from budget.disk import check_disk, check_download

        yield check_disk(cfg)
        if download := check_download(cfg):
            yield download
        yield check_token(cfg)
        yield from check_environment(os.environ, cfg, bool(probed.torch.get("gpus")))
    yield check_sandbox()


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, 1 where something fails, 2 for bad input."""
    given = _parser().parse_intermixed_args(arguments)
    try:
        cfg = _config(given.words)
        if not find_spec("packaging"):
            raise ConfigError(
                f"packaging is not installed in {sys.executable}; `make install` makes .venv with all of it"
            )
        findings = list(examine(cfg))
    except ConfigError as error:
        complain("doctor", error)
        return 2
    if given.json:
        print(json.dumps({"ok": not failed(findings), "findings": list(map(asdict, findings))}, indent=2))
    else:
        show(findings)
    return 1 if failed(findings) else 0


def _config(words: list[str]) -> Config | None:
    if not words:
        return None
    if "=" in words[0]:
        raise ConfigError(f"{words[0]} replaces a key of a config; give the CONFIG before it, a YAML file")
    return check_config(words[0], words[1:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m budget doctor",
        usage="%(prog)s [-h] [--json] [CONFIG] [section.key=value ...]",
        description="Try what a run needs of this machine, and say what is missing and how to mend it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words",
        metavar="CONFIG",
        nargs="*",
        help="the YAML of a run, and keys to replace; without it the machine alone",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser
