"""Are the keys of `sft.trainer` and `rl.trainer` TRL's?

The answer comes from the source of the installed TRL: importing it needs torch and many seconds, reading its
dataclasses takes a tenth of one.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

CONFIG_CLASS = {"sft": "SFTConfig", "rl": "GRPOConfig"}
SOURCES = (
    ("transformers", "trainer_utils.py"),  # the enumerations
    ("transformers", "training_args.py"),
    ("trl", "trainer/base_config.py"),
    ("trl", "trainer/sft_config.py"),
    ("trl", "trainer/grpo_config.py"),
)
ROOT_CLASS = "TrainingArguments"

# Keys that the stages set themselves → what to write instead.
_MODEL = {
    "bf16": "use model.dtype",
    "fp16": "use model.dtype",
    "model_init_kwargs": "use the keys of model",
    "use_cpu": "the GPU is used where there is one; CUDA_VISIBLE_DEVICES= in front of the command hides it",
    "no_cuda": "the GPU is used where there is one; CUDA_VISIBLE_DEVICES= in front of the command hides it",
    "output_dir": "use name and runs: checkpoints go to the stage's folder in RUNS/NAME",
    "overwrite_output_dir": "give --fresh on the command line",
    "resume_from_checkpoint": "the same command goes on by itself; --fresh starts again",
    "seed": "use seed, at the top",
    "disable_tqdm": "the stages show their own progress; leave it out",
    "dataloader_pin_memory": "it follows from the machine; leave it out",
    "logging_nan_inf_filter": "a loss that is no number stops the run, always; leave it out",
    "data_seed": "use seed, at the top",
    "do_train": "the stage trains; leave it out",
    "do_predict": "use stage 4, python -m evaluation",
}
_SFT = {
    "per_device_train_batch_size": "use sft.micro_batch",
    "per_device_eval_batch_size": "it is 1, so that the validation loss doesn't depend on it; leave it out",
    "gradient_accumulation_steps": "use sft.accumulation",
    "auto_find_batch_size": "use sft.auto_batch: it leaves the step as it is",
    "load_best_model_at_end": "use sft.early_stopping_patience: with it the best adapter is kept",
    "metric_for_best_model": "use sft.early_stopping_patience: it watches the validation loss",
    "greater_is_better": "use sft.early_stopping_patience: it watches the validation loss",
    "restore_callback_states_from_checkpoint": "the patience of early stopping is kept, always; leave it out",
    "max_length": "use model.max_length",
    "max_seq_length": "use model.max_length",
    "dataset_text_field": "the stage makes the dataset from traces.jsonl; leave it out",
    "completion_only_loss": "the loss is on the answer only, always; leave it out",
    "assistant_only_loss": "the loss is on the answer only, always; leave it out",
    "eos_token": "the tokens are the model's, set when it is loaded; leave it out",
    "pad_token": "the tokens are the model's, set when it is loaded; leave it out",
    "chat_template_path": "the chat template is the model's; leave it out",
}
_RL = {
    "per_device_train_batch_size": "use rl.micro_batch",
    "gradient_accumulation_steps": "use rl.prompts_per_step: prompts_per_step × generations / micro_batch",
    "generation_batch_size": "use rl.prompts_per_step and rl.generations: it is their product",
    "steps_per_generation": "use rl.prompts_per_step and rl.micro_batch: it follows from them",
    "num_generations": "use rl.generations",
    "auto_find_batch_size": "use rl.micro_batch: GRPO needs whole groups, so it can't shrink by itself",
    "max_completion_length": "use rl.max_completion_length",
    "max_new_tokens": "use rl.max_completion_length",
    "max_prompt_length": "use rl.max_prompt_length",
    "reward_funcs": "use rl.rewards",
    "shuffle_dataset": "the order is made by the stage: use seed, rl.easy_first and rl.pass_rate_samples",
    "reward_weights": "use rl.rewards: each has a weight",
    "remove_unused_columns": "the rewards need the columns; leave it out",
    "use_vllm": "use model.vllm",
    "vllm_gpu_memory_utilization": "use model.vllm_memory",
    "vllm_max_model_length": "use model.max_length",
}
OURS = {"sft": _MODEL | _SFT, "rl": _MODEL | _RL}
VLLM_FREE = "vllm_importance_sampling"  # these tune the loss; the other vllm_* keys belong to model
RENAMED = {
    "evaluation_strategy": "it is called eval_strategy now",
    "warmup_ratio": "it is gone; warmup_steps below 1 is a share of all steps",
    "group_by_length": "it is gone; use train_sampling_strategy: group_by_length",
    "group_size": "use rl.generations",
}
LARGEST = 1e15
"""Of a number: what is beyond it counts nothing that is there."""
ALSO_BOOL = {"scale_rewards"}  # declared str, yet TRL takes True and False too


@dataclass(frozen=True)
class Option:
    """One option of TRL's: its type and default as its source has them, and the values of an enumeration."""

    annotation: str
    default: str
    kinds: frozenset[str]
    allowed: tuple[str, ...] = ()


def trainer_problems(stage: str, trainer: object) -> list[str]:
    """Return a line for each wrong key or value of `sft.trainer` or `rl.trainer`; empty when all is well."""
    if not isinstance(trainer, dict):
        return []  # the schema reports it
    known = options(stage)
    found: list[str] = []
    for key, value in trainer.items():
        where = f"{stage}.trainer.{key}"
        if instead := _set_by_us(stage, key):
            found.append(f"{where}: set by planql; {instead}")
        elif known and key not in known:
            found.append(f"{where}: unknown to TRL's {CONFIG_CLASS[stage]}; {_nearest(stage, key, known)}")
        elif known and (wrong := _wrong_value(known[key], value)):
            found.append(f"{where}: {wrong}")
    return found


def unchecked() -> str | None:
    """Return why the trainer's keys can't be checked here, or None where they can."""
    missing = [name for name in ("trl", "transformers") if _package(name) is None]
    if missing:
        return f"sft.trainer and rl.trainer were not checked: {' and '.join(missing)} not installed"
    if any(options(stage) is None for stage in CONFIG_CLASS):
        return "sft.trainer and rl.trainer were not checked: this version of TRL keeps its options elsewhere"
    return None


@lru_cache
def options(stage: str) -> dict[str, Option] | None:
    """Return TRL's options for `stage` ("sft" or "rl") by name; None where TRL can't be read."""
    classes = _classes()
    found: dict[str, Option] = {}
    name = CONFIG_CLASS[stage]
    while name in classes:
        for key, option in _fields(classes[name], classes):
            found.setdefault(key, option)  # a subclass overrides its base
        if name == ROOT_CLASS:
            return found
        name = next((base.id for base in classes[name].bases if isinstance(base, ast.Name)), "")
    return None


def names_for(stage: str) -> list[str]:
    """Return the options of TRL that a config may set, in alphabetical order."""
    return sorted(key for key in options(stage) or {} if not _set_by_us(stage, key))


def _set_by_us(stage: str, key: str) -> str | None:
    if stage == "rl" and key.startswith("vllm_") and not key.startswith(VLLM_FREE):
        return OURS["rl"].get(key, "use model.vllm and model.vllm_memory")
    return OURS[stage].get(key)


def _nearest(stage: str, key: str, known: dict[str, Option]) -> str:
    if key in RENAMED:
        return RENAMED[key]
    close = get_close_matches(key, [*OURS[stage], *names_for(stage)], n=3, cutoff=0.7)
    if close and close[0] in OURS[stage]:
        return OURS[stage][close[0]]
    if close := [name for name in close if name in known]:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"all {len(names_for(stage))} names: python -m configs keys {stage}.trainer"


def _wrong_value(option: Option, value: object) -> str | None:
    kind = "None" if value is None else type(value).__name__
    fits = {kind, "float"} if kind == "int" else {kind}
    if option.allowed and isinstance(value, str):
        if value in option.allowed:
            return None
        close = get_close_matches(value, option.allowed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"got {value!r}; {hint}allowed: {', '.join(option.allowed)}"
    if isinstance(value, int | float) and not abs(value) <= LARGEST:  # nan, too
        return f"got {value!r:.40}; wanted a finite number, at most {LARGEST:.0e}"
    if "any" in option.kinds or fits & option.kinds:
        return None
    return f"got {value!r} ({kind}); TRL takes {option.annotation}"


def _package(name: str) -> Path | None:
    """Return the folder of an installed package, found without importing it."""
    spec = find_spec(name)  # of a top-level name: nothing is executed
    return Path(spec.origin).parent if spec and spec.origin else None


@lru_cache
def _classes() -> dict[str, ast.ClassDef]:
    """Return the classes of TRL's and transformers' config files by name; fewer where a file is missing."""
    found: dict[str, ast.ClassDef] = {}
    for package, file in SOURCES:
        folder = _package(package)
        if folder is None or not (folder / file).is_file():
            continue
        tree = ast.parse((folder / file).read_bytes())
        found |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return found


def _fields(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, Option]]:
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        if line.target.id.startswith("_") or ast.unparse(line.annotation).startswith("ClassVar"):
            continue
        kinds, allowed = _reads(line.annotation, classes)
        if line.target.id in ALSO_BOOL:
            kinds |= {"bool"}
        default, choices = _default_and_choices(line.value)
        option = Option(ast.unparse(line.annotation), default, frozenset(kinds), choices or allowed)
        yield line.target.id, option


def _reads(annotation: ast.expr, classes: dict[str, ast.ClassDef]) -> tuple[set[str], tuple[str, ...]]:
    """Return the kinds of value that an annotation takes, and the texts where it names an enumeration."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            (kinds, allowed), (more, others) = _reads(left, classes), _reads(right, classes)
            return kinds | more, allowed + others
        case ast.Constant(value=None):
            return {"None"}, ()
        case ast.Name(id="int" | "float" | "bool" | "str" | "dict" | "list" as name):
            return {name}, ()
        case ast.Subscript(value=ast.Name(id="dict" | "list" as name)):
            return {name}, ()
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=value)):
            return {type(value).__name__}, ()
        case ast.Name(id=name) if name in classes:
            values = tuple(
                line.value.value
                for line in classes[name].body
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
            )
            return {"str"}, tuple(value for value in values if isinstance(value, str))
    return {"any"}, ()


def _default_and_choices(value: ast.expr | None) -> tuple[str, tuple[str, ...]]:
    """Return a field's default as source text, and the `choices` of its metadata."""
    if not isinstance(value, ast.Call):
        return ast.unparse(value) if value else "", ()
    given = {word.arg: word.value for word in value.keywords}
    default = ast.unparse(given["default"]) if "default" in given else "…"
    match given.get("metadata"):
        case ast.Dict(keys=keys, values=values):
            for key, choices in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "choices" and isinstance(choices, ast.List):
                    return default, tuple(ast.literal_eval(choices))
    return default, ()
