"""completions.jsonl: every sampled answer with its scores."""

from pathlib import Path

from transformers import TrainerCallback

from configs.files import append_jsonl
from models.progress import forget_after


class CompletionLog(TrainerCallback):
    """Writes the completions of each step: step, prompt, completion, each reward unweighted, advantage."""

    def __init__(self, folder: Path, trainer) -> None:
        self.path, self.trainer = folder / "completions.jsonl", trainer

    def on_train_begin(self, args, state, control, **_: object) -> None:
        """Forget the completions after the checkpoint that training goes on from."""
        forget_after(self.path, state.global_step)

    def on_step_end(self, args, state, control, **_: object) -> None:
        """Write the completions of a step that generated some; the trainer keeps just those of the last batch."""
        if (state.global_step - 1) % self.trainer.num_iterations:
            return  # a step that learns from the same completions again
        logs = self.trainer._logs
        names = list(logs["rewards"])
        columns = zip(logs["prompt"], logs["completion"], logs["advantages"], *logs["rewards"].values(), strict=True)
        for prompt, completion, advantage, *scores in columns:
            row = {"step": state.global_step, "prompt": prompt, "completion": completion}
            rewards = {name: None if score != score else score for name, score in zip(names, scores, strict=True)}
            append_jsonl(self.path, row | {"rewards": rewards, "advantage": advantage})
