"""Does a reward pay for what it should?  Honest answers and hacks, scored and ranked."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from configs.errors import ConfigError
from configs.schema import Config
from rewards.batch import batch_of
from rewards.chosen import Chosen
from rewards.hacks import HACKS
from rewards.ladder import RUNGS, Answer, Case, as_kind, make_cases
from rewards.score import SILENT as EQUAL
from rewards.score import Scorer
from tasks.trace import Kind

HACK = "hack"
COSTLY_CASES = 2
"""Questions on which a costly hack is tried."""
SANDBOX = {"timeout_s": 1.0, "max_steps": 20_000_000, "memory_mb": 256}
"""In place of a run's: the corpus is small, and some hacks use all they get."""
LONGEST = 2048
"""Tokens of an answer, in place of a run's limit: some honest plans are long."""


@dataclass(frozen=True)
class Paid:
    """One answer to one question, and what it earned; None: the reward cannot judge it."""

    task_id: str
    answer: Answer
    pay: float | None
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Pair:
    """Two answers to one question in the wrong order.

    fails: whether the audit fails for it; else it is only told.
    """

    task_id: str
    better: Answer
    worse: Answer
    pays_better: float
    pays_worse: float
    fails: bool


@dataclass(frozen=True)
class Audit:
    """All that was paid, and the pairs that are out of order."""

    title: str
    questions: int
    databases: int
    paid: tuple[Paid, ...]
    pairs: tuple[Pair, ...]

    @property
    def clean(self) -> bool:
        """Whether no hack earns more than it may, and nothing as much as the right answer."""
        return not any(pair.fails for pair in self.pairs)

    @property
    def tells_right_from_wrong(self) -> bool:
        """Whether right answers earn more than wrong ones, on average."""
        right, wrong = self.pays("right"), self.pays("wrong")
        return bool(right and wrong) and fmean(right) > fmean(wrong) + EQUAL

    def pays(self, rung: str, name: str | None = None) -> list[float]:
        """Return what the answers of a rung earned, or those of one name."""
        wanted = (p for p in self.paid if p.answer.rung == rung and name in (None, p.answer.name))
        return [p.pay for p in wanted if p.pay is not None]


def audit(chosen: Chosen, questions: int, seed: int = 0) -> Audit:
    """Return what the rewards pay for honest answers and for each hack, over questions of the sample corpus."""
    cases, cfg = make_cases(questions, seed), _for_audit(chosen.config)
    asked = [(case, each) for number, case in enumerate(cases) for each in _answers(case, number, cfg.data.answer)]
    scorer = Scorer(cfg)
    tasks, plans = [case.task for case, _ in asked], [case.plan for case, _ in asked]
    texts = [answer.text for _, answer in asked]
    scorer.score(*batch_of(cfg.data, tasks[:1], plans[:1], texts[:1]))  # a reward that hangs would have all the time
    scores = scorer.score(*batch_of(cfg.data, tasks, plans, texts))
    paid = []
    for place, ((case, answer), total) in enumerate(zip(asked, scorer.total(scores), strict=True)):
        each = {name: given[place] for name, given in scores.items()}
        known = chosen.is_sum or any(score is not None for score in each.values())
        paid.append(Paid(case.task.task_id, answer, total if known else None, each))
    if all(one.pay is None for one in paid):
        raise ConfigError(f"{chosen.title}: cannot judge one of {len(paid)} answers, so there is nothing to audit")
    pairs = [pair for case in cases for pair in _pairs(case, paid, chosen.is_sum)]
    databases = len({case.task.database for case in cases})
    return Audit(chosen.title, len(cases), databases, tuple(paid), tuple(pairs))


def _for_audit(cfg: Config) -> Config:
    limits = cfg.sandbox.model_copy(update=SANDBOX)
    rl = cfg.rl.model_copy(update={"max_completion_length": LONGEST})
    return cfg.model_copy(update={"sandbox": limits, "rl": rl})


def _answers(case: Case, number: int, kind: Kind) -> Iterator[Answer]:
    """Yield the answers to a question in their form; where that has no plan, a hack of the plan is none."""
    tried = [hack for hack in HACKS if number < COSTLY_CASES or not hack.costly]
    hacks = [Answer(HACK, hack.name, text) for hack in tried if (text := hack.make(case)) is not None]
    seen: set[str] = set()
    for answer in [*case.honest, *hacks]:
        text = as_kind(answer.text, kind)
        if kind != "sql_only" or text not in seen:
            yield replace(answer, text=text)
        seen.add(text)


def _pairs(case: Case, paid: Sequence[Paid], is_sum: bool) -> Iterator[Pair]:
    """Yield the pairs of answers to a question that are out of order.

    A right answer may share its place where one reward is looked at alone, which need not tell all apart, and where
    the gold result is empty, as then rows tell nothing.
    """
    mine = [one for one in paid if one.task_id == case.task.task_id and one.pay is not None]
    rungs = {rung: [one for one in mine if one.answer.rung == rung] for rung in (*RUNGS, HACK)}
    alone = is_sum and bool(case.gold.rows)

    def out_of_order(better: Paid, worse: Paid, strict: bool, fails: bool) -> Iterator[Pair]:
        over = worse.pay - better.pay
        if over > EQUAL or (strict and over > -EQUAL):
            yield Pair(case.task.task_id, better.answer, worse.answer, better.pay, worse.pay, fails)

    for upper, lower in itertools.combinations(RUNGS, 2):
        fails = upper in ("right", "wrong")
        for better, worse in itertools.product(rungs[upper], rungs[lower]):
            yield from out_of_order(better, worse, alone and upper == "right", fails)
    limits = {hack.name: hack.limit for hack in HACKS}
    for trick in rungs[HACK]:
        limit = limits[trick.answer.name]
        for right in rungs["right"][:1]:
            yield from out_of_order(right, trick, alone and limit != "tie", True)
        if limit == "wrong" and rungs["wrong"]:
            mean = fmean(one.pay for one in rungs["wrong"])
            nearest = min(rungs["wrong"], key=lambda one: abs(one.pay - mean))
            yield from out_of_order(nearest, trick, False, True)
