"""health.jsonl: what is wrong with a GRPO run while it runs, in plain words, and which key to change."""

import math
from collections import defaultdict
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from statistics import fmean

from transformers import TrainerCallback

from configs.errors import ConfigError
from configs.files import append_jsonl, write_jsonl
from configs.screen import say
from rl.symptoms import RULES, Rule, no_number


class Health(TrainerCallback):
    """Says each thing that goes wrong once, and again if it went away and came back.

    With `stop`, a dead run ends after a checkpoint, as a ConfigError; it stays ended when it is started again, until
    `rl.stop_when_sick` is false or other settings begin it anew.
    """

    def __init__(self, folder: Path, stop: bool = False) -> None:
        self.path, self.stop = folder / "health.jsonl", stop
        self.watch = Watch()

    def on_train_begin(self, args, state, control, **_: object) -> None:
        """Judge again what was logged before the checkpoint that training goes on from, and forget what came after."""
        self.watch = Watch()
        found = [finding for row in state.log_history for finding in self.watch.judge(row["step"], row)]
        if state.is_world_process_zero and (found or self.path.exists()):
            write_jsonl(self.path, found)
        self._end_if_dead(state)

    def on_log(self, args, state, control, logs: dict[str, float | None], **_: object) -> None:
        """Say what is new, and have a dead run saved."""
        for finding in self.watch.judge(state.global_step, logs):
            if state.is_world_process_zero:
                append_jsonl(self.path, finding)
                if finding["stands"]:
                    say(f"  step {finding['step']}: {finding['text']}; {finding['key']}: {finding['advice']}")
        if self.stop and self.watch.dead():
            control.should_save = True

    def on_step_begin(self, args, state, control, **_: object) -> None:
        """End a dead run, now that it is saved."""
        self._end_if_dead(state)

    def on_train_end(self, args, state, control, **_: object) -> None:
        """Sum up what was found."""
        if state.is_world_process_zero and self.watch.spans:
            say(f"  health: {'; '.join(map(_told, self.watch.spans))} (health.jsonl)")

    def _end_if_dead(self, state) -> None:
        if self.stop and (finding := self.watch.dead()):
            raise ConfigError(
                f"ended at step {state.global_step} by rl.stop_when_sick: {finding['text']}; {finding['key']}: "
                f"{finding['advice']}, with --fresh or name=OTHER; checkpoint-{state.global_step} is kept, and "
                "rl.stop_when_sick=false goes on from it"
            )


class Watch:
    """The rules at work on the rows of one run."""

    def __init__(self, rules: tuple[Rule, ...] = RULES) -> None:
        self.rules = rules
        self.series: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.standing: dict[tuple[str, str], dict] = {}
        """Rule and metric → what was found; it stands until the rule has been quiet for its window."""
        self.seen: dict[tuple[str, str], int] = {}
        self.spans: list[dict] = []
        """All that was ever found, in order: rule, metric, and the steps from which and until which it stood."""

    def judge(self, step: int, row: dict[str, float | None]) -> list[dict]:
        """Return what is new after one more row of the trainer's log: what began, and what is over."""
        if "loss" not in row:
            return []  # an evaluation, or the summary at the end
        for metric, value in row.items():
            if value is None or isinstance(value, int | float):
                self.series[metric].append((step, math.nan if value is None else float(value)))
        pairs = [(rule, metric) for rule in self.rules for metric in self._metrics(rule)]
        return [finding for rule, metric in pairs if (finding := self._changed(rule, metric, step))]

    def dead(self) -> dict | None:
        """Return the finding for which the run counts as dead, None while it lives."""
        return next((finding for finding in self.standing.values() if finding["severity"] == "dead"), None)

    def _metrics(self, rule: Rule) -> list[str]:
        judged = [metric for metric in self.series if any(fnmatchcase(metric, each) for each in rule.metrics)]
        return [metric for metric in judged if not any(fnmatchcase(metric, each) for each in rule.but)]

    def _changed(self, rule: Rule, metric: str, step: int) -> dict | None:
        key = rule.name, metric
        value = self._value(rule, metric, step)
        if value is not None:
            self.seen[key] = step
            hidden = any(name in rule.unless for name, _ in self.standing)
            return None if key in self.standing or hidden else self._begin(rule, metric, step, value)
        if key in self.standing and step - self.seen[key] >= rule.window:
            span = next(span for span in reversed(self.spans) if (span["rule"], span["metric"]) == key)
            span["until"] = self.seen[key]
            return {**self.standing.pop(key), "step": step, "value": None, "stands": False}
        return None

    def _begin(self, rule: Rule, metric: str, step: int, value: float) -> dict:
        self.spans.append({"rule": rule.name, "metric": metric, "from": step, "until": None})
        self.standing[rule.name, metric] = finding = {
            "step": step,
            "rule": rule.name,
            "severity": rule.severity,
            "metric": metric,
            "value": round(value, 6) if math.isfinite(value) else None,
            "text": rule.sentence.format(value=value, metric=metric, window=rule.window),
            "key": rule.cure,
            "advice": rule.advice,
            "stands": True,
        }
        return finding

    def _value(self, rule: Rule, metric: str, step: int) -> float | None:
        """Return the number by which the rule finds the metric sick; None also while its window is not full."""
        series = self.series[metric]
        start = series[0][0]
        if step - start + 1 < rule.window or series[-1][0] != step:
            return None
        recent = [value for _, value in takewhile(lambda one: one[0] > step - rule.window, reversed(series))][::-1]
        if rule.test is no_number:
            return no_number(recent, 0.0, rule.limit)
        first = [value for _, value in takewhile(lambda one: one[0] < start + rule.window, series)]
        recent, first = ([value for value in each if math.isfinite(value)] for each in (recent, first))
        return rule.test(recent, fmean(first), rule.limit) if recent and first else None


def _told(span: dict) -> str:
    """Return one thing of the summary.

    >>> _told({"rule": "entropy low", "metric": "entropy", "from": 40, "until": 80})
    'entropy low (steps 40–80)'
    """
    until = f"steps {span['from']}–{span['until']}" if span["until"] else f"from step {span['from']}"
    return f"{span['rule']} ({until})"
