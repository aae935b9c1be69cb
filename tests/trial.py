"""The config of the trial runs that the tests make: a model of random weights, a few steps."""

from pathlib import Path

import yaml

from configs.files import write_whole
from tests.processes import ROOT

REWARD = '''
def vowels(completions, **_):
    """Return the number of vowels: even random text has more or fewer."""
    return [sum(letter in "aeiou" for letter in said[0]["content"]) for said in completions]
'''


def write_config(folder: Path, **model: object) -> Path:
    """Write configs/smoke.yaml with plain transformers, more checkpoints, and a reward that random text can earn."""
    config = yaml.safe_load((ROOT / "configs" / "smoke.yaml").read_text())
    config["model"] |= {"backend": "transformers", "lora": {"r": 32, "alpha": 64}} | model
    config["sft"]["trainer"] |= {"learning_rate": 0.003, "lr_scheduler_type": "constant", "logging_steps": 1}
    config["sft"]["trainer"] |= {"max_steps": 24, "save_steps": 8, "eval_steps": 8}
    config["rl"]["trainer"] |= {"learning_rate": 0.01, "max_steps": 6, "save_steps": 2, "beta": 0.05}
    config["rl"]["rewards"] += [{"name": f"{write_whole_to(folder / 'my_rewards.py', REWARD)}:vowels"}]
    config["evaluation"] = {"questions": 24, "batch_size": 4, "max_new_tokens": 16, "bootstrap": 500}
    return write_whole_to(folder / "trial.yaml", yaml.safe_dump(config | {"runs": str(folder / "runs")}))


def write_whole_to(path: Path, text: str) -> Path:
    write_whole(path, text)
    return path
