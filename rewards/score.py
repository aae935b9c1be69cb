"""All rewards of a run over one batch: side by side, in time, and checked before anything is learned from them."""

import asyncio
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutine
from pathlib import Path
from statistics import fmean, pstdev
from threading import Thread
from typing import Any

from configs.errors import ConfigError
from configs.files import write_json
from configs.schema import Config
from rewards.load import Reward, in_a_line, load_reward
from rewards.text import text_of

Scores = dict[str, list[float | None]]
"""For each reward, by its name in this run, a score a completion, unweighted; None: cannot judge."""
SILENT = 1e-9
"""A group's scores that differ by less are equal: no advantage comes from them."""


@dataclass
class _Call:
    """One reward at work on one batch."""

    name: str
    thread: Thread
    given: list[object] = field(default_factory=list)
    error: BaseException | None = None
    seconds: float = 0.0


class Scorer:
    """The rewards of a run, loaded, with their weights."""

    def __init__(self, cfg: Config, failures: Path | None = None) -> None:
        """Load the rewards; ConfigError for any that cannot be found, or has wrong settings.

        failures: where the batch is written on which a reward failed.
        """
        chosen = cfg.rl.rewards
        loaded = [load_reward(one.name, one.params, cfg) for one in chosen]
        names = _different([function.__name__ for function in loaded])
        self.rewards: dict[str, Reward] = dict(zip(names, loaded, strict=True))
        self.weights = {name: one.weight for name, one in zip(names, chosen, strict=True)}
        self.seconds_of: dict[str, float] = {}
        self._written_as = {name: one.name for name, one in zip(names, chosen, strict=True)}
        self._seconds, self._failures = cfg.rl.reward_timeout_s, failures
        self._batch: object = None
        self._scores: Scores = {}

    def score(self, prompts: Sequence, completions: Sequence, columns: dict[str, Any]) -> Scores:
        """Return what each reward says of each completion, all rewards side by side.

        columns: lists of as many values, and whatever else every reward is told (the trainer's state).
        Raises ConfigError for a reward that fails, hangs, or returns what is no score; the batch is saved.
        """
        batch = {"prompts": list(prompts), "completions": list(completions), **columns}
        calls = [self._start(name, function, batch) for name, function in self.rewards.items()]
        end = time.monotonic() + self._seconds * max(1, len(completions))
        for call in calls:
            call.thread.join(max(0.0, end - time.monotonic()))
        scores = {call.name: self._checked(call, batch) for call in calls}
        self.seconds_of = {call.name: call.seconds for call in calls}
        return scores

    def total(self, scores: Scores) -> list[float]:
        """Return the weighted sums that a group is ranked by; None counts as nothing, as TRL has it."""
        rows = zip(*scores.values(), strict=True)
        weights = [self.weights[name] for name in scores]
        return [math.fsum(w * (s or 0.0) for w, s in zip(weights, row, strict=True)) for row in rows]

    def functions(self, group: int) -> list[Reward]:
        """Return a function for each reward, as TRL calls them one after the other: the first one scores for all.

        group: completions of one prompt, which stand together.
        """
        return [self._function(name, group) for name in self.rewards]

    def _function(self, name: str, group: int) -> Reward:
        def reward(prompts: list, completions: list, **columns: Any) -> list[float | None]:
            if self._batch is not completions:
                self._scores, self._batch = self.score(prompts, completions, columns), completions
                for key, value in self._facts(group).items():
                    columns["log_metric"](key, value)
            return self._scores[name]

        reward.__name__ = name
        return reward

    def _facts(self, group: int) -> dict[str, float]:
        """Return what TRL does not log: per reward the seconds, the share of None, and of groups without spread."""
        facts = {}
        for name, scores in self._scores.items():
            facts[f"rewards/{name}/seconds"] = self.seconds_of[name]
            facts[f"rewards/{name}/none"] = sum(score is None for score in scores) / len(scores)
            facts[f"rewards/{name}/silent_groups"] = silent_share(scores, group)
        return facts

    def _start(self, name: str, function: Reward, batch: dict[str, Any]) -> _Call:
        def work() -> None:
            start = time.monotonic()
            try:
                call.given.append(_called(function, batch))
            except BaseException as error:
                call.error = error
            call.seconds = time.monotonic() - start

        call = _Call(name, Thread(target=work, daemon=True, name=f"reward {name}"))
        call.thread.start()
        return call

    def _checked(self, call: _Call, batch: dict[str, Any]) -> list[float | None]:
        """Return the scores of a call that went well; ConfigError, with the batch saved, for any other."""
        count = len(batch["completions"])
        if call.thread.is_alive():
            allowed = f"{self._seconds:g} s a completion are allowed (rl.reward_timeout_s)"
            raise self._fault(
                call, f"hangs: no scores for {count} completions after {self._seconds * count:g} s; {allowed}", batch
            )
        if isinstance(call.error, ConfigError):
            raise call.error
        if call.error:
            reward = self.rewards[call.name]
            told = in_a_line(call.error, sys.modules[reward.__module__].__file__)
            raise self._fault(call, f"fails with {told}", _culprit(reward, batch, self._seconds))
        scores = _as_list(call.given[0])
        if scores is None:
            raise self._fault(call, f"returns a {type(call.given[0]).__name__}, not a list of scores", batch)
        if len(scores) != count:
            raise self._fault(call, f"returns {len(scores)} scores for {count} completions", batch)
        for place, score in enumerate(scores):
            if wrong := _wrong(score):
                raise self._fault(call, f"returns {wrong} for a completion", _only(batch, place))
        return [None if score is None else float(score) for score in scores]

    def _fault(self, call: _Call, what: str, batch: dict[str, Any]) -> ConfigError:
        text = f"reward {self._written_as[call.name]!r} {what}"
        if self._failures:
            kept = {key: value for key, value in batch.items() if isinstance(value, list)}
            lines = traceback.format_exception(call.error) if call.error else []
            write_json(self._failures, {"reward": call.name, "error": text, "traceback": lines, "batch": _plain(kept)})
            text += f"; what it was given is in {self._failures}; once it is mended the same command goes on"
        return ConfigError(text)


def silent_share(scores: Sequence[float | None], group: int) -> float:
    """Return the share of groups whose scores are all alike, so that no advantage comes from them.

    >>> silent_share([1.0, 1.0, 0.0, 1.0, None, None], 2)
    0.6666666666666666
    """
    groups = [scores[start : start + group] for start in range(0, len(scores), group)]
    return fmean(_spread(part) < SILENT for part in groups) if groups else 0.0


def _spread(scores: Iterable[float | None]) -> float:
    known = [score for score in scores if score is not None]
    return pstdev(known) if known else 0.0


def _called(function: Reward, batch: dict[str, Any]) -> object:
    """Return what a reward returns; an `async` one is waited for, in an event loop of its own."""
    given = function(**batch)
    return asyncio.run(_awaited(given)) if iscoroutine(given) else given


async def _awaited(coroutine) -> object:
    return await coroutine


def _as_list(given: object) -> list | None:
    """Return a list, tuple, array or tensor as a list; None for anything else."""
    if isinstance(given, list | tuple):
        return [score.item() if callable(getattr(score, "item", None)) else score for score in given]
    listed: Callable[[], object] | None = getattr(given, "tolist", None)
    found = listed() if callable(listed) else None
    return found if isinstance(found, list) else None


def _wrong(score: object) -> str:
    """Return what is wrong with a score; blank for a finite number and for None."""
    if score is None:
        return ""
    if not isinstance(score, int | float):
        return f"{score!r:.40}, a {type(score).__name__} and no number,"
    return "" if abs(score) <= sys.float_info.max else f"{score!r:.40}, where None means 'cannot judge',"


def _only(batch: dict[str, Any], place: int) -> dict[str, Any]:
    """Return the batch of one completion."""
    count = len(batch["completions"])
    return {
        key: [value[place]] if isinstance(value, list) and len(value) == count else value
        for key, value in batch.items()
    }


def _culprit(function: Reward, batch: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the batch of the first completion on which a reward fails; all of it where it fails on none alone.

    seconds: for the search; a reward that fails may as well hang.
    """
    found: list[dict[str, Any]] = []

    def search() -> None:
        for place in range(len(batch["completions"])):
            try:
                _called(function, one := _only(batch, place))
            except BaseException:
                return found.append(one)

    thread = Thread(target=search, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else batch


def _plain(batch: dict[str, list]) -> dict[str, list]:
    """Return a batch as JSON can hold it, completions as their text."""
    texts = [text_of(completion) for completion in batch["completions"]]
    others = {
        key: [value if isinstance(value, str | int | float | list | dict | None) else repr(value) for value in values]
        for key, values in batch.items()
    }
    return others | {"completions": texts}


def _different(names: Sequence[str]) -> list[str]:
    """Return the names, with a number behind those that came before.

    >>> _different(["a", "b", "a"])
    ['a', 'b', 'a_2']
    """
    return [
        f"{name}_{names[: place + 1].count(name)}" if name in names[:place] else name
        for place, name in enumerate(names)
    ]
