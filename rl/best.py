"""Keeping the best: execution accuracy (EX) on the same held-out questions every few steps, and what led.

GRPO's best model is seldom its last one; the reward says little of it, as it is measured on sampled answers to
questions that are trained on.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback

from configs.files import append_jsonl, read_json, read_jsonl, write_json
from configs.schema import Config
from configs.screen import say
from models.held_out import held_out as those_held_out
from models.held_out import measured, right_answers
from models.progress import forget_after, save_trained
from tasks.task import Task


def held_out(tasks: Sequence[Task], tokenizer, cfg: Config) -> list[Task]:
    """Return the questions that EX is measured on: the same for the same seed, in the order of their ids.

    Those whose prompt is longer than rl.max_prompt_length are left out, as in training.
    """
    return those_held_out(tasks, tokenizer, cfg, cfg.rl.ex_questions, cfg.rl.max_prompt_length)


class Best(TrainerCallback):
    """Measures EX before the first step, every `rl.ex_every` steps and after the last; keeps best/ by it.

    folder: the stage's; it gets best.jsonl (step, ex, right, questions, seconds) and best/ (adapter or model, ex.json).
    """

    def __init__(self, folder: Path, trainer, tokenizer, tasks: Sequence[Task], cfg: Config) -> None:
        self.folder, self.trainer, self.tokenizer, self.tasks, self.cfg = folder, trainer, tokenizer, tasks, cfg
        self.log = folder / "best.jsonl"
        self.rows: list[dict] = []

    def on_train_begin(self, args, state, control, **_: object) -> None:
        """Forget what was measured after the checkpoint that training goes on from; measure that where it was not."""
        if self.trainer.accelerator.is_main_process:
            forget_after(self.log, state.global_step)
            self.rows = read_jsonl(self.log) if self.log.exists() else []
        if state.global_step % self.cfg.rl.ex_every == 0:
            self._measure(state.global_step)

    def on_step_end(self, args, state, control, **_: object) -> None:
        """Have what will be measured saved before that: a stop then loses nothing."""
        control.should_save = control.should_save or state.global_step % self.cfg.rl.ex_every == 0

    def on_save(self, args, state, control, **_: object) -> None:
        """Measure; where that has not got better for long enough, the training ends."""
        if state.global_step % self.cfg.rl.ex_every == 0:
            control.should_training_stop = self._measure(state.global_step) or control.should_training_stop

    def on_train_end(self, args, state, control, **_: object) -> None:
        """Measure the last step."""
        self._measure(state.global_step)

    @property
    def leading(self) -> dict | None:
        """The best measurement so far, the latest where several are as good; None before the first."""
        kept = self.folder / "best" / "ex.json"
        rows = self.rows + ([read_json(kept)] if kept.exists() else [])
        return max(rows, key=lambda row: (row["ex"], row["step"]), default=None)

    def _measure(self, step: int) -> bool:
        """Measure where that was not done; return whether to stop.  One process does it, and tells the others."""
        accelerator = self.trainer.accelerator
        stop = [False]
        if accelerator.is_main_process and all(row["step"] != step for row in self.rows):
            stop[0] = self._measured(accelerator.unwrap_model(self.trainer.model), step)
        if accelerator.num_processes > 1:
            broadcast_object_list(stop)
        return stop[0]

    def _measured(self, model, step: int) -> bool:
        """Measure, keep the model if it leads; return whether patience has come to its end."""
        begun, before = time.monotonic(), self.leading
        right = self._right(model)
        row = measured(step, right, len(self.tasks), time.monotonic() - begun)
        leads = before is None or row["ex"] >= before["ex"]
        if leads:
            save_trained(model, self.tokenizer, self.folder / "best")
            write_json(self.folder / "best" / "ex.json", row)
        self.rows.append(row)
        append_jsonl(self.log, row)
        against = "the best so far" if leads else f"best: {100 * before['ex']:.1f} at step {before['step']}"
        say(f"  step {step}: EX {100 * row['ex']:.1f} % on {len(self.tasks)} held-out questions ({against})")
        return self._out_of_patience()

    def _out_of_patience(self) -> bool:
        patience, best = self.cfg.rl.ex_patience, max(row["ex"] for row in self.rows)
        reached = next(place for place, row in enumerate(self.rows) if row["ex"] == best)
        since = self.rows[reached + 1 :]
        if patience is None or len(since) < patience:
            return False
        say(f"  EX has not got better for {len(since)} measurements (rl.ex_patience): training ends here")
        return True

    def _right(self, model) -> int:
        """Return how many questions the model answers with the gold rows, greedy."""
        rl = self.cfg.rl
        how = {"max_new_tokens": rl.max_completion_length, "batch_size": rl.prompts_per_step * rl.generations}
        return right_answers(model, self.tokenizer, self.tasks, self.cfg, **how)
