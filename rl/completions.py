"""completions.jsonl: every sampled answer with its question, what came of its query, and its scores."""

from pathlib import Path

from transformers import TrainerCallback

from configs.files import append_jsonl
from models.progress import forget_after

SILENT = 1e-6
"""An advantage below this teaches nothing."""


class CompletionLog(TrainerCallback):
    """Writes the completions of each step; the line of one has

    step, task_id, question, gold_sql, prompt, completion; sql, status, correct, message and rows (rl.outcomes);
    rewards (each by its name, unweighted, null where it could not judge), total (weighted), advantage.
    """

    def __init__(self, folder: Path, trainer) -> None:
        self.path, self.trainer = folder / "completions.jsonl", trainer
        asked = trainer.train_dataset.select_columns(["task_id", "question", "gold_sql"])
        self.asked = {row["task_id"]: row for row in asked}
        self.rows: list[dict] = []
        """The lines of the step that generated last."""

    def on_train_begin(self, args, state, control, **_: object) -> None:
        """Forget the completions after the checkpoint that training goes on from, and generate when it would have."""
        self.first = state.global_step + 1
        self.trainer._step = state.global_step * args.gradient_accumulation_steps  # the trainer counts from 0 again
        if state.is_world_process_zero:
            forget_after(self.path, state.global_step)

    def on_step_end(self, args, state, control, **_: object) -> None:
        """Write the completions of a step that generated some; the trainer keeps just those of the last batch."""
        generated = (state.global_step - 1) % self.trainer.num_iterations == 0 or state.global_step == self.first
        if not generated:
            return  # the step learned from the same completions again
        self._count_silent()
        if not state.is_world_process_zero:
            return  # another process writes them
        self.rows = self._rows(state.global_step)
        for row in self.rows:
            append_jsonl(self.path, row)

    def _count_silent(self) -> None:
        """Log the share of groups without advantages; TRL looks at the whole batch where scale_rewards is `batch`."""
        advantages, group = list(self.trainer._logs["advantages"]), self.trainer.num_generations
        groups = [advantages[start : start + group] for start in range(0, len(advantages), group)]
        silent = sum(all(abs(advantage) < SILENT for advantage in each) for each in groups)
        if logged := self.trainer._metrics["train"].get("frac_reward_zero_std"):
            logged[-1] = silent / len(groups)

    def _rows(self, step: int) -> list[dict]:
        logs = self.trainer._logs
        weights = self.trainer.reward_weights.tolist()
        columns = {name: logs[name] for name in ("prompt", "completion")} | logs["extra"]
        rows = []
        for place, scores in enumerate(zip(*logs["rewards"].values(), strict=True)):
            row = {name: values[place] for name, values in columns.items()}
            rewards = {
                name: None if score != score else score for name, score in zip(logs["rewards"], scores, strict=True)
            }
            total = sum(weight * (score or 0.0) for weight, score in zip(weights, rewards.values(), strict=True))
            row = {"step": step} | self.asked[row["task_id"]] | row
            rows.append(row | {"rewards": rewards, "total": total, "advantage": logs["advantages"][place]})
        return rows
