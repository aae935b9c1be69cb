"""What a model was made with and from, by name, for its card; nothing of the machine that it was made on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from configs.files import read_json
from configs.folder import STATE
from configs.schema import Lora
from configs.scrub import scrubbed
from tasks.origin import SOURCES

if TYPE_CHECKING:
    from models.export import Wanted

TRAINER = (
    "learning_rate", "lr_scheduler_type", "warmup_ratio", "warmup_steps", "num_train_epochs", "max_steps",
    "weight_decay", "temperature", "top_p", "beta", "loss_type", "epsilon", "epsilon_high", "scale_rewards",
)  # fmt: skip
"""Options of TRL that say how it was trained; others may name folders, accounts and keys."""
KEPT = {"4bit": "quantised to 4 bit (NF4)", "8bit": "quantised to 8 bit", "none": "not quantised"}
VERSIONS = ("torch", "transformers", "trl", "peft", "unsloth", "vllm")


def recipe(made: "Wanted") -> dict[str, str]:
    """Return how it was trained."""
    cfg, lora = made.cfg, made.cfg.model.lora
    state = _read(made, made.stage, STATE)
    facts = {
        "base": f"{KEPT[cfg.model.quantization]}, {cfg.model.dtype}, trained with {cfg.model.backend}",
        "trained": _lora(lora) if lora else "all weights, in float32",
        "SFT": _training(f"{cfg.sft.micro_batch * cfg.sft.accumulation} traces a step", cfg.sft.trainer, made, "sft"),
    }
    if made.stage == "rl":
        a_step = f"{cfg.rl.prompts_per_step} questions of {cfg.rl.generations} answers a step"
        facts["GRPO"] = _training(a_step, cfg.rl.trainer, made, "rl")
        facts["rewards"] = ", ".join(
            f"{reward.weight:g} × {_reward_name(reward.name)}{_shown(reward.params)}" for reward in cfg.rl.rewards
        )
    versions = state.get("versions") or {}
    facts["seed"] = str(cfg.seed)
    facts["versions"] = ", ".join(f"{name} {versions[name]}" for name in VERSIONS if versions.get(name)) or "not noted"
    facts["planql"] = f"commit {state.get('commit') or 'not noted'}"
    return facts


def _lora(lora: Lora) -> str:
    """Return an adapter in words."""
    kind, scale = "DoRA" if lora.dora else "LoRA", ", rank-stabilised" if lora.rslora else ""
    return f"{kind}: rank {lora.r}, alpha {lora.alpha}, dropout {lora.dropout:g}, on {', '.join(lora.targets)}{scale}"


def data_facts(made: "Wanted") -> dict[str, str]:
    """Return what it was trained on."""
    cfg = made.cfg
    stats = _read(made, "distill", "stats.json")
    parts = {"train": "for training", "validation": "for validation"}
    traces = [f"{stats[part]['delivered']:,} {words}" for part, words in parts.items() if part in stats]
    own = cfg.distill.teacher == "plan"
    facts = {
        "questions and gold SQL": SOURCES[cfg.data.source],
        "split": "whole databases are held out" if cfg.data.split == "databases" else "questions are held out",
        "verified traces": ", ".join(traces) or "not noted",
        "teacher": f"planql's own, from the gold SQL ({cfg.distill.detail} plans)" if own else _teacher(cfg.distill),
    }
    if made.stage == "rl" and (asked := _read(made, "rl", STATE).get("facts", {}).get("questions")):
        facts["questions of GRPO"] = f"{asked:,}"
    return facts


def _teacher(distill) -> str:
    return str(scrubbed(distill.model)) if distill.model else distill.teacher


def _training(a_step: str, trainer: Mapping, made: "Wanted", stage: str) -> str:
    steps = _read(made, stage, STATE).get("facts", {}).get("steps")
    taken = f"{steps:,} steps, " if steps else ""
    return f"{taken}{a_step}{_shown({key: trainer[key] for key in TRAINER if key in trainer})}"


def _shown(options: Mapping) -> str:
    """Return options in words, where there are any.

    >>> _shown({"learning_rate": 0.0002, "variants": 2}), _shown({})
    (' (learning_rate 0.0002, variants 2)', '')
    """
    return f" ({', '.join(f'{key} {scrubbed(value)}' for key, value in options.items())})" if options else ""


def _reward_name(name: str) -> str:
    """Return a reward's name without the folder of its file.

    >>> _reward_name("/home/ann/my_rewards.py:mine"), _reward_name("sql_execution")
    ('my_rewards.py:mine', 'sql_execution')
    """
    return name.rpartition("/")[2]


def _read(made: "Wanted", *parts: str) -> dict:
    file = made.run.joinpath(*parts)
    return read_json(file) if file.exists() else {}
