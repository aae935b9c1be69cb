"""What a training run leaves behind while it runs: metrics.jsonl, a progress bar, whole checkpoints."""

import json
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from peft import PeftModel
from transformers import TrainerCallback

from configs.files import append_jsonl, read_jsonl, write_jsonl
from configs.screen import progress, say

LOSSES = {"eval_loss": "", "eval_out_of_domain_loss": " out of domain", "eval_in_domain_loss": " in domain"}


class Progress(TrainerCallback):
    """Adds each log of the trainer to `metrics.jsonl`, with step and seconds, and shows a progress bar."""

    def __init__(self, folder: Path, description: str) -> None:
        self.path, self.description = folder / "metrics.jsonl", description
        self.stack = ExitStack()

    def on_train_begin(self, args, state, control, **_: object) -> None:
        """Forget what was logged after the checkpoint that training goes on from, and start the bar."""
        if state.is_world_process_zero:
            forget_after(self.path, state.global_step)
        self.begun = time.monotonic()
        self.advance = self.stack.enter_context(progress(self.description, state.max_steps - state.global_step))

    def on_step_end(self, args, state, control, **_: object) -> None:
        """One step further."""
        self.advance()

    def on_log(self, args, state, control, logs: dict[str, float], **_: object) -> None:
        """Write the metrics down."""
        seconds = round(time.monotonic() - self.begun, 1)
        if state.is_world_process_zero:
            append_jsonl(self.path, {"step": state.global_step, "seconds": seconds} | logs)
        for key, words in LOSSES.items():
            if key in logs:
                say(f"  step {state.global_step}: validation loss{words} {logs[key]:.4f}")

    def on_train_end(self, args, state, control, **_: object) -> None:
        """End the bar."""
        self.stack.close()


def forget_after(path: Path, step: int) -> None:
    """Drop the rows of a JSONL file that come after `step`: a run that goes on writes them again."""
    if path.exists():
        write_jsonl(path, [row for row in read_jsonl(path, repair=True) if row["step"] <= step])


def last_checkpoint(folder: Path) -> str | None:
    """Return the newest whole checkpoint-STEP in `folder`; one that a kill cut short is removed.

    The trainer writes trainer_state.json last, so a checkpoint is whole where that file can be read.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for checkpoint in found:
        try:
            step = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
        except (FileNotFoundError, json.JSONDecodeError):
            shutil.rmtree(checkpoint)
            continue
        say(f"  from the checkpoint of step {step}")
        return str(checkpoint)
    return None


def save_trained(model, tokenizer, folder: Path) -> None:
    """Write what is trained and the tokenizer to `folder`, whole or not at all.

    Of a model with an adapter it is that alone, without the reference's; of another all weights, in one file.
    """
    aside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    options = {"selected_adapters": ["default"]} if isinstance(model, PeftModel) else {"max_shard_size": "1TB"}
    model.save_pretrained(aside, **options)
    tokenizer.save_pretrained(aside)
    (aside / "README.md").unlink(missing_ok=True)  # PEFT's card names the model by a folder of this machine
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
