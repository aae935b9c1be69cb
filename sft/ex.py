"""EX while SFT runs: greedy answers to validation questions every few steps.

It is told, not acted on: what is kept is the last model, or the one with the lowest validation loss where
`sft.early_stopping_patience` is set.  A few dozen questions tell two such models apart by chance only.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback

from configs.files import read_jsonl, write_jsonl
from configs.schema import Config
from configs.screen import say
from models.held_out import held_out, measured, right_answers
from models.progress import forget_after
from tasks.load import load_tasks
from tasks.task import Task

NAME = "ex.jsonl"


def ex_callbacks(cfg: Config, folder: Path, tokenizer) -> list[TrainerCallback]:
    """Return the callback that measures EX; none where the config asks for none, or no question is short enough."""
    if not cfg.sft.ex_every:
        return []
    longest = cfg.model.max_length - cfg.evaluation.max_new_tokens
    questions = held_out(load_tasks(cfg.data, cfg.seed).validation, tokenizer, cfg, cfg.sft.ex_questions, longest)
    if not questions:
        say(f"  sft.ex_every: no validation question has a prompt of at most {longest} tokens, so EX is not measured")
    return [Ex(folder, tokenizer, questions, cfg)] if questions else []


class Ex(TrainerCallback):
    """Measures EX before the first step, every `sft.ex_every` steps, and of what is kept.

    folder: the stage's; it gets ex.jsonl (step, ex, right, questions, seconds).
    """

    def __init__(self, folder: Path, tokenizer, tasks: Sequence[Task], cfg: Config) -> None:
        self.log, self.tokenizer, self.tasks, self.cfg = folder / NAME, tokenizer, tasks, cfg

    def on_train_begin(self, args, state, control, model, **_: object) -> None:
        """Forget what was measured after the checkpoint that training goes on from; measure that where it was not."""
        if state.is_world_process_zero:
            forget_after(self.log, state.global_step)
        if state.global_step % self.cfg.sft.ex_every == 0:
            self._measure(model, state, state.global_step)

    def on_step_end(self, args, state, control, **_: object) -> None:
        """Have what will be measured saved before that: a stop then loses nothing."""
        control.should_save = control.should_save or state.global_step % self.cfg.sft.ex_every == 0

    def on_save(self, args, state, control, model, **_: object) -> None:
        """Measure what was saved."""
        if state.global_step % self.cfg.sft.ex_every == 0:
            self._measure(model, state, state.global_step)

    def on_train_end(self, args, state, control, model, **_: object) -> None:
        """Measure the last step; the best one where the trainer has just gone back to that."""
        went_back = args.load_best_model_at_end and state.best_model_checkpoint
        self._measure(model, state, state.best_global_step if went_back else state.global_step)

    def _measure(self, model, state, step: int) -> None:
        """Measure where that was not done; one process does it, and the others wait for it at their next step."""
        before = read_jsonl(self.log) if self.log.exists() else []
        if not state.is_world_process_zero or any(row["step"] == step for row in before):
            return
        begun, settings = time.monotonic(), self.cfg.evaluation
        how = {"max_new_tokens": settings.max_new_tokens, "batch_size": settings.batch_size}
        right = right_answers(model, self.tokenizer, self.tasks, self.cfg, **how)
        row = measured(step, right, len(self.tasks), time.monotonic() - begun)
        write_jsonl(self.log, sorted([*before, row], key=lambda each: each["step"]))
        say(f"  step {step}: EX {100 * row['ex']:.1f} % on {row['questions']} validation questions")
