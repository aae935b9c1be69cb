"""The doctor's part that each stage runs first: what is quick to tell, and what this stage needs of the machine."""

import os
from collections.abc import Iterator
from dataclasses import replace

from budget.findings import Finding
from configs.errors import ConfigError
from configs.evaluation_schema import STAGES
from configs.schema import Config
from configs.screen import say


def check_stage(stage: str, cfg: Config) -> None:
    """Say what may hurt this stage here; ConfigError, a line each with its cure, where something would end it.

    Takes half a second; with a GPU, where torch and bitsandbytes are tried, some ten more.
    """
    findings = list(_findings(stage, cfg))
    for each in findings:
        if each.level == "warning":
            say(f"{stage}: {_line(each)}")
    if wrong := [_line(each) for each in findings if each.level == "fail"]:
        raise ConfigError("\n".join(wrong))


def _findings(stage: str, cfg: Config) -> Iterator[Finding]:
    from budget import machine, packages
    from budget.disk import check_disk, check_download
    from budget.surroundings import check_environment

    yield packages.check_python()
    needed = _needed(stage, cfg)
    have = packages.installed()
    yield from (each for each in packages.check_versions(have, packages.pins(), cfg) if each.name in needed)
    if not needed & {"torch"}:
        return
    caps = packages.check_caps(have)  # a package may well work beyond the limit that another sets it: said, no more
    yield replace(caps, level="warning") if caps.level == "fail" else caps
    shown = machine.driver()
    if shown:
        probed = machine.probe()
        yield from machine.check_gpus(probed.torch, shown, cfg if "vllm" in needed else _without_vllm(cfg))
        yield machine.check_four_bit(probed.four_bit, cfg.model.quantization != "none")
    if stage in ("sft", "rl"):
        yield check_disk(cfg)
    if download := check_download(cfg):
        yield download
    yield from check_environment(os.environ, cfg, bool(shown))


def _needed(stage: str, cfg: Config) -> set[str]:
    """Return the packages that this stage imports."""
    if stage == "distill":
        return {"distilabel"} | ({"torch", "vllm"} if cfg.distill.teacher == "vllm" else set())
    if stage == "evaluation" and not set(cfg.evaluation.models) & set(STAGES):
        return set()  # servers alone
    from budget.packages import PACKAGES, canonicalize_name

    generates = stage != "sft"
    return {canonicalize_name(name) for name in PACKAGES if name != "distilabel" and (generates or "vllm" not in name)}


def _without_vllm(cfg: Config) -> Config:
    return cfg.model_copy(update={"model": cfg.model.model_copy(update={"vllm": False})})


def _line(finding: Finding) -> str:
    return f"{finding.name}: {finding.found}{finding.cure and f'; {finding.cure}'}"
