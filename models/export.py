"""`python -m models export`: what a run trained as other programs load it, and the proof that it answers alike.

The folder is made aside and renamed, so that one that is there is whole.  What a user gave is checked before anything
heavy is imported.
"""

import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.errors import ConfigError
from configs.evaluation_schema import Stage
from configs.files import PARTIAL, file_fingerprint, read_json, write_json, write_whole
from configs.folder import STATE, commit, versions
from configs.schema import Config
from configs.screen import say
from models.environment import prepare
from models.proof import compared, first_difference, is_enough, proof_questions, told, trained_answers, unquantised
from models.trained import ACCOUNT, check_trained, kind, newest_trained, run_config, trained_folder, weights_file
from tasks.show import stage_folder
from tasks.task import Task

Form = Literal["merged", "gguf", "lora"]
OWN_QUANTISERS = ("f32", "f16", "bf16", "q8_0")
QUANTISERS = (*OWN_QUANTISERS, "q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q3_k_m")
ASKED = {
    "data": {"schema_style", "sample_values", "answer"},
    "model": {"max_length"},
    "evaluation": {"max_new_tokens"},
}
"""How the model was asked in training, for `python -m evaluation ask`."""
NEEDED = ("torch", "transformers", "peft", "jinja2")


@dataclass(frozen=True)
class Wanted:
    """What is exported, and how.

    dtype: of the merged weights.  quantization: of a GGUF file.
    questions: that what was trained and the export are compared on; 0: none.
    """

    run: Path
    cfg: Config
    stage: Stage
    trained: Path
    form: Form
    dtype: str = "bfloat16"
    quantization: str = "f16"
    questions: int = 20

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the trained weights, as evaluation notes it."""
        return file_fingerprint(weights_file(self.trained))

    @property
    def file(self) -> str:
        """The name of the GGUF file."""
        return f"{self.cfg.name}-{self.quantization.upper()}.gguf"


def wanted(asked: str, form: Form, stage: Stage | None, **options: object) -> Wanted:
    """Return what is to be made of a run; ConfigError where it can't be.

    asked: the run's folder, its name in runs/ or its config.
    """
    run = stage_folder(asked, "export").parent
    cfg = run_config(run)
    if cfg.name == run.name:  # it may have been made elsewhere
        cfg = cfg.model_copy(update={"runs": str(run.parent)})
    if stage is None:
        stage, trained = newest_trained(run, cfg.model)
    else:
        trained = trained_folder(run, stage, cfg.model)
        check_trained(trained, cfg.model)
    if form == "lora" and cfg.model.lora is None:
        raise ConfigError(f"--to lora: {run} trained all weights and has no adapter; give --to merged")
    made = Wanted(run, cfg, stage, trained, form, **options)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigError(f"{missing[0]} is not installed; pip install -c constraints.txt -e '.[train,report]'")
    if form == "gguf" and made.quantization not in OWN_QUANTISERS and shutil.which("llama-quantize") is None:
        raise ConfigError(
            f"--quantization {made.quantization} needs llama.cpp's program llama-quantize, which is not on PATH; "
            f"without it there are {', '.join(OWN_QUANTISERS)}"
        )
    return made


def export(made: Wanted, out: Path) -> dict[str, int] | None:
    """Write the export to the folder `out`, which must be new; return how its answers compare, None where not asked."""
    if out.exists():
        raise ConfigError(f"{out} is there already; delete it, or give another folder with --out")
    from models.card import card

    card(made, {"proof": None})  # what it reads of the run may be no good: better known now
    tasks = proof_questions(made.cfg, made.questions)
    prepare(made.cfg.model_copy(update={"model": made.cfg.model.model_copy(update={"backend": "transformers"})}))
    aside = out.with_name(f".{out.name}{PARTIAL}{os.getpid()}")
    _sweep(out)
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{out} can't be written: {error.strerror}; --out gives another folder") from None
    try:
        proof = _write(made, aside, tasks)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if proof:
        say(f"  {told(proof, kind(made.cfg.model))}")
    return proof


def is_current(made: Wanted, folder: Path) -> bool:
    """Tell whether a merged export is there already, of these very weights; ConfigError where it is of others."""
    if not folder.exists():
        return False
    if not (folder / ACCOUNT).is_file():
        raise ConfigError(f"{folder} holds no export; give another folder with --out")
    account = read_json(folder / ACCOUNT)
    if account.get("adapter") != made.fingerprint or account.get("dtype") != made.dtype:
        raise ConfigError(
            f"{folder} is of {account.get('stage')} in {account.get('dtype')}, and of other weights or type than "
            f"{made.stage} in {made.dtype}; delete it, or give another folder with --out"
        )
    return True


def _sweep(out: Path) -> None:
    """Remove what exports to this folder left that were killed."""
    for left in out.parent.glob(f".{out.name}{PARTIAL}*"):
        if not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left)


def _write(made: Wanted, folder: Path, tasks: Sequence[Task]) -> dict[str, int] | None:
    """Write weights, account and card; return how the answers compare."""
    from models import forms
    from models.card import card

    if made.form == "gguf":
        forms.check_convertible(made.cfg.model, made.trained)
    proof = _proven(made, folder, tasks)
    state = made.run / made.stage / STATE
    account = {
        "form": made.form,
        "stage": made.stage,
        "adapter": made.fingerprint,
        "dtype": made.dtype if made.form == "merged" else None,
        "quantization": made.quantization if made.form == "gguf" else None,
        "proof": proof,
        "config": made.cfg.model_dump(mode="json", include=ASKED),
        "trained_by": {key: read_json(state)[key] for key in ("commit", "versions")} if state.exists() else None,
        "exported_by": {"commit": commit(), "versions": versions()},
    }
    write_json(folder / ACCOUNT, account)
    write_whole(folder / "README.md", card(made, account))
    return proof


def _proven(made: Wanted, folder: Path, tasks: Sequence[Task]) -> dict[str, int] | None:
    """Write the weights; return how their answers compare with those of what was trained.

    An adapter of quantised weights is exported for those that were released.  So it is asked on both: on the released
    ones it proves the export, and on its own it tells what the change of weights does.
    """
    if not tasks:
        _made_and_asked(made, folder, tasks)
        return None
    cfg = made.cfg
    before = evaluated = trained_answers(cfg, made.trained, tasks)
    if cfg.model.quantization != "none":
        computed = {"merged": made.dtype, "lora": cfg.model.dtype, "gguf": "float32"}[made.form]
        released = unquantised(cfg.model, computed)
        before = trained_answers(cfg.model_copy(update={"model": released}), made.trained, tasks)
    after = _made_and_asked(made, folder, tasks)
    for line in first_difference(tasks, before, after):
        say(f"  {line}")
    proof = compared(cfg, tasks, before, after)
    if before is not evaluated:
        own = compared(cfg, tasks, evaluated, after)
        proof |= {"evaluated_same": own["same"], "evaluated_right": own["adapter_right"]}
    return proof


def _made_and_asked(made: Wanted, folder: Path, tasks: Sequence[Task]) -> list[str]:
    """Write the weights, load them anew from their files, and return their answers."""
    from models import forms

    if made.form == "lora":
        forms.write_lora(made.trained, folder)
        return forms.ask_lora(made.cfg, folder, tasks)
    if made.form == "merged":
        forms.write_merged(made.cfg.model, made.trained, made.dtype, folder)
        return forms.ask_merged(made.cfg, folder, tasks)
    whole = folder / "merged"
    forms.write_merged(made.cfg.model, made.trained, "float32" if made.quantization == "f32" else "float16", whole)
    forms.write_gguf(whole, folder / made.file, made.quantization, made.cfg.name)
    told = forms.ask_gguf(made.cfg, folder / made.file, whole, tasks)
    shutil.rmtree(whole)
    return told


def passed(proof: dict[str, int] | None) -> bool:
    """Tell whether an export may be used; one that was not compared may."""
    return proof is None or is_enough(proof)
