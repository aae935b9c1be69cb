"""What the subcommands of `python -m models` do; each returns the exit status."""

import os
import shlex
from pathlib import Path

from configs.errors import ConfigError
from configs.evaluation_schema import Stage
from configs.hub import check_hub
from configs.schema import Config, Model
from configs.screen import say
from models.environment import prepare
from models.export import Wanted, export, is_current, passed, wanted
from models.serve import hand_over, server_command
from models.sources import model_source, write_nano


def nano(out: Path | None, steps: int | None) -> int:
    """Make nano in a folder, which is whole or not there, or in the cache."""
    if out is None and steps is not None:
        raise ConfigError("--steps needs --out FOLDER: in the cache there is only the nano of the usual length")
    if out is not None and out.exists():
        raise ConfigError(f"--out {out} is there already; give a new folder")
    prepare(Config(name="nano", model=Model(name="nano", backend="transformers")))
    if out is None:
        folder = Path(model_source("nano"))
    else:
        aside = out.with_name(f".{out.name}.partial-{os.getpid()}")
        write_nano(aside, steps)
        folder = aside.rename(out)
    say(f"models: nano → {folder}; use it: model.name={'nano' if out is None else folder}")
    return 0


def export_run(
    run: str, to: str, stage: Stage | None, out: Path | None, dtype: str | None, questions: int,
    quantization: str | None, repo: str | None, private: bool,
) -> int:  # fmt: skip
    """Write what a run trained in one form; to the hub it goes as the merged one."""
    if (repo is None) == (to == "hub") or (private and to != "hub"):
        raise ConfigError("--to hub and --repo OWNER/NAME go together, and --private with them")
    if quantization and to != "gguf":
        raise ConfigError(f"--quantization is for --to gguf, not for {to}; remove it")
    if dtype and to in ("gguf", "lora"):
        raise ConfigError(f"--dtype is for --to merged and hub; for {to} remove it")
    form = "merged" if to == "hub" else to
    made = wanted(run, form, stage, dtype=dtype or "bfloat16", quantization=quantization or "f16", questions=questions)
    folder = out or made.run / "export" / form
    if to == "hub":
        return _to_hub(made, folder, repo, private)
    proof = export(made, folder)
    say(f"models: {made.stage} of {made.run} → {folder}")
    return _status(proof, "--quantization f16" if to == "gguf" else "--dtype float32")


def serve_run(
    run: str,
    stage: Stage | None,
    out: Path | None,
    dtype: str | None,
    questions: int,
    host: str,
    port: int,
    dry_run: bool,
) -> int:
    """Become the server of a run's merged export."""
    made = wanted(run, "merged", stage, dtype=dtype or "bfloat16", questions=questions)
    folder = out or made.run / "export" / "merged"
    command, model = server_command(folder, made.cfg.name, host, port, made.cfg.model.max_length)
    there = is_current(made, folder)
    if dry_run:
        print(shlex.join(command))
        return 0
    if not there and not passed(export(made, folder)):
        say("models: the export answers otherwise than what was trained; --dtype float32 and another --out may mend it")
    hand_over(command, model, host, port)
    return 0


def _to_hub(made: Wanted, folder: Path, repo: str, private: bool) -> int:
    """Send the merged export, made where there is none; that the hub takes the token is tried first."""
    check_hub("--repo", repo)
    if not is_current(made, folder) and _status(export(made, folder)):
        return 1
    from models.hub import push

    push(made, folder, repo, private)
    return 0


def _status(proof: dict[str, int] | None, cure: str = "--dtype float32") -> int:
    if passed(proof):
        return 0
    say(f"models: that is less than 90 %: the export is no stand-in for what was trained; {cure} rounds less")
    return 1
