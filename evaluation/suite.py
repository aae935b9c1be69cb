"""Test-suite accuracy: an answer counts only if it is right on changed copies of its database too.

Semantic evaluation with distilled test suites (Zhong et al., EMNLP 2020); the copies are those of `sandbox.variants`,
made for each gold query, in place of published ones.  A query that is right by luck, as a condition is left out that
happens to leave out no row, fails there.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from configs.schema import Config
from sandbox import Limits, judge_many
from sandbox.variants import Unvariable, variants
from tasks.task import Task


def right_on_copies(
    tasks: Sequence[Task], queries: Sequence[str | None], right: Sequence[bool], cfg: Config
) -> list[bool]:
    """Return which of the right answers are right on up to evaluation.variants copies too; wrong ones stay wrong.

    Where no copy can be made, or none on which the gold query has one answer, the database alone tells.
    """
    places = [place for place, is_right in enumerate(right) if is_right]

    def copies(place: int) -> list[tuple]:
        task = tasks[place]
        try:
            made = variants(task.database, task.gold_sql, cfg.evaluation.variants)
        except Unvariable:
            return []
        return [(place, (copy, task.gold_sql, queries[place])) for copy in made]

    with ThreadPoolExecutor(cfg.sandbox.workers) as side_by_side:
        items = [item for made in side_by_side.map(copies, places) for item in made]
    limits, workers = Limits(**cfg.sandbox.limits), cfg.sandbox.workers
    verdicts = judge_many([item for _, item in items], cfg.evaluation.judge, limits, workers)
    failed = {place for (place, _), verdict in zip(items, verdicts, strict=True) if verdict.correct is False}
    return [bool(is_right) and place not in failed for place, is_right in enumerate(right)]
