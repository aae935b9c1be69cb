"""Groups whose answers all score alike give no advantage: others take their place in the batch that is learned from.

Dynamic sampling (DAPO, Yu et al., 2025, section 3.2) within a bound: each turn generates as many groups as are
silent, and those of them that are not silent replace the first ones.
"""

from random import Random

import torch
from torch.nn.functional import pad

from rl.shared import SharedPrompts

ON_THE_LEFT = ("prompt_ids", "prompt_mask")
"""What is padded before the first token; everything else that has a token axis is padded behind the last."""


class Resampling(SharedPrompts):
    """The trainer with `turns` chances in each step to replace silent groups; for one process."""

    turns = 0

    def _generate_and_score_completions(self, inputs):
        """Return the batch to learn from; its completions are logged, but the mean reward of those asked at first.

        So the reward says what the model does, and can be compared with that of other runs.
        """
        scored = super()._generate_and_score_completions(inputs)
        metrics = self._metrics["train" if self.model.training else "eval"]
        measured = {name: list(values) for name, values in metrics.items()}
        replaced = 0
        for turn in range(self.turns if self.model.training else 0):
            silent = self._groups(scored, silent=True)
            if not silent:
                break
            logs = {name: list(values) for name, values in self._columns()}
            fresh = super()._generate_and_score_completions(self._others(inputs, len(silent), turn))
            pairs = list(zip(silent, self._groups(fresh, silent=False), strict=False))
            scored = self._mixed(scored, fresh, pairs)
            for name, values in self._columns():
                new = list(values)[-len(silent) * self.num_generations :]
                values.clear()
                values.extend(_with_groups(logs[name], new, pairs, self.num_generations))
            replaced += len(pairs)
        metrics.update({name: values for name, values in measured.items() if name != "num_tokens"})
        if self.turns:
            metrics["replaced_groups"].append(replaced)
        return scored

    def _groups(self, scored: dict, silent: bool) -> list[int]:
        """Return the places of the groups without any advantage, or of those with one."""
        alike = (scored["advantages"].view(-1, self.num_generations).abs() < 1e-6).all(dim=1).tolist()
        return [place for place, is_silent in enumerate(alike) if is_silent is silent]

    def _others(self, inputs: list[dict], count: int, turn: int) -> list[dict]:
        """Return rows of `count` other questions, each G times; the same for the same seed, step and turn."""
        asked = {row["task_id"] for row in inputs}
        dice = Random(f"resample-{self.args.seed}-{self.state.global_step}-{turn}")
        places = dice.sample(range(len(self.train_dataset)), len(self.train_dataset))
        rows = (self.train_dataset[place] for place in places)
        others = {}
        for row in rows:
            if row["task_id"] not in asked:
                others.setdefault(row["task_id"], row)
            if len(others) == count:
                break
        found = list(others.values()) or inputs[:1]  # as many as there are; the same again where there are no others
        return [row for place in range(count) for row in [found[place % len(found)]] * self.num_generations]

    def _mixed(self, scored: dict, fresh: dict, pairs: list[tuple[int, int]]) -> dict:
        """Return the batch with group `new` of the fresh one in the place of group `old`, for each pair."""
        mixed, group = {}, self.num_generations
        for key, old in scored.items():
            if not torch.is_tensor(old) or old.dim() == 0:
                mixed[key] = old
                continue
            new = fresh[key]
            if old.dim() == 2:
                value = self._tokenizer.pad_token_id if key.endswith("_ids") else 0
                width = max(old.size(1), new.size(1))
                old, new = (_padded(each, width, key in ON_THE_LEFT, value) for each in (old, new))
            rows = old.clone()
            for at, source in pairs:
                rows[at * group : (at + 1) * group] = new[source * group : (source + 1) * group]
            mixed[key] = rows
        return mixed | {"num_items_in_batch": mixed["completion_mask"].sum()}

    def _columns(self):
        """Yield the name and the values of each column of the completions' log."""
        for name, values in self._logs.items():
            if isinstance(values, dict):
                yield from ((f"{name}/{key}", inner) for key, inner in values.items())
            elif name != "images":
                yield name, values


def _padded(rows: torch.Tensor, width: int, left: bool, value: int) -> torch.Tensor:
    missing = width - rows.size(1)
    return pad(rows, (missing, 0) if left else (0, missing), value=value)


def _with_groups(old: list, new: list, pairs: list[tuple[int, int]], group: int) -> list:
    """Return the rows with groups of `new` in place of groups of `old`.

    >>> _with_groups([1, 1, 2, 2], [3, 3, 4, 4], [(0, 1)], 2)
    [4, 4, 2, 2]
    """
    rows = list(old)
    for at, source in pairs:
        rows[at * group : (at + 1) * group] = new[source * group : (source + 1) * group]
    return rows
