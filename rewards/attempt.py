"""`python -m rewards try CONFIG --completion FILE`: what each reward says of answers to one question, and why."""

import json
import sys
from inspect import getdoc
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.errors import ConfigError
from configs.schema import Config
from configs.screen import printable
from rewards.asked import reference_plans, task_of
from rewards.batch import batch_of
from rewards.chosen import Chosen
from rewards.copies import rights
from rewards.judged import judged
from rewards.load import BUILTIN
from rewards.origin import reads_gold
from rewards.score import Scorer
from rewards.text import text_of
from sandbox import Verdict
from tasks.task import Task
from tasks.trace import TAGS, Kind, parse

KEYS = ("completion", "answer", "text")


def attempt(chosen: Chosen, source: str, task_id: str | None) -> RenderableType:
    """Return a table for each answer in `source` to the question `task_id`, or to the one that the answers name."""
    texts, named = read_answers(source, task_id)
    cfg = chosen.config
    task = task_of(cfg, named)
    think = reference_plans(cfg).get(task.task_id, "")
    scorer = Scorer(cfg)
    scores = scorer.score(*batch_of(cfg.data, [task] * len(texts), [think] * len(texts), texts))
    parts: list[RenderableType] = [_head(chosen, task, think)]
    for number, fact in enumerate(_facts(texts, task, cfg)):
        each = {name: given[number] for name, given in scores.items()}
        total = scorer.total({name: [score] for name, score in each.items()})[0]
        title = f"\nanswer {number + 1} of {len(texts)}" if len(texts) > 1 else "\nthe answer"
        parts += [Text(title, style="bold"), fact, _table(each, scorer, total)]
    return Group(*parts)


def read_answers(source: str, task_id: str | None = None) -> tuple[list[str], str | None]:
    """Return the answers in a file, or on stdin for `-`, and the question they are to: `task_id`, or what they name.

    A file of JSON lines has an answer a line, as `completion`, `answer` or `text`, and perhaps a `task_id`; lines that
    name another question than the one asked for are left out.  Any other file is one answer.
    """
    try:
        whole = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--completion {source}: {error.strerror}; give a file, or - for stdin") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--completion {source}: not text in UTF-8") from None
    rows = [_object(line) for line in whole.split("\n") if line.strip()]
    if not rows or None in rows:
        return [whole.removesuffix("\n")], task_id
    named = list(dict.fromkeys(str(row["task_id"]) for row in rows if row.get("task_id")))
    if len(named) > 1 and task_id is None:
        raise ConfigError(
            f"--completion {source}: answers to {len(named)} questions; choose one (--task {named[0]}), "
            "or score all of a run's answers (--log)"
        )
    asked = task_id or (named[0] if named else None)
    texts = [_answer(row, source) for row in rows if str(row.get("task_id") or asked) == str(asked)]
    if not texts:
        raise ConfigError(f"--completion {source}: no answer to {task_id}; it has answers to {', '.join(named[:3])}")
    return texts, asked


def _object(line: str) -> dict | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _answer(row: dict, source: str) -> str:
    for key in KEYS:
        given = row.get(key)
        if isinstance(given, str):
            return given
        if isinstance(given, list) and given and isinstance(given[-1], dict) and "content" in given[-1]:
            return str(text_of(given))
    raise ConfigError(f"--completion {source}: a line has none of {', '.join(KEYS)}; it has {', '.join(row)}")


def form_fault(text: str, kind: Kind = "plan") -> str:
    """Return what is wrong with the form of an answer of this kind; blank where nothing is.

    >>> form_fault("<think>Open city.</think><sql>SELECT 1</sql>")
    ''
    >>> form_fault("<think>Open city.</think>"), form_fault("Sure! <think>a</think><sql>b</sql>")
    ('<sql> stands 0 times, not once', 'text outside the tags, or the tags out of order')
    """
    if parse(text, kind):
        return ""
    tags = TAGS[2:] if kind == "sql_only" else TAGS
    for tag in tags:
        if text.count(tag) != 1:
            return f"{tag} stands {text.count(tag)} times, not once"
    pairs = zip(tags[::2], tags[1::2], strict=True)
    between = [text.partition(start)[2].partition(end)[0].strip() for start, end in pairs]
    return "text outside the tags, or the tags out of order" if all(between) else "a part is blank"


def told(verdict: Verdict, sql: str | None) -> str:
    """Return in words what came of a query."""
    if sql is None:
        return "no query found outside <think>"
    if verdict.correct is None:
        return f"the gold query does not run ({verdict.gold}): {printable(verdict.message)}"
    if verdict.correct:
        return "runs, and gives the gold rows" + (" (none)" if verdict.gold == "empty" else "")
    return f"{'runs, other rows' if verdict.runs else verdict.status}: {printable(verdict.message)}"


def _head(chosen: Chosen, task: Task, think: str) -> Text:
    plan = "" if think else "\nreference plan: none yet; python -m distill writes it"
    lines = f"{chosen.title}\n{task.task_id}, {task.level}: {task.question}\ngold: {task.gold_sql}{plan}"
    return Text(printable(lines))


def _facts(texts: list[str], task: Task, cfg: Config) -> list[Text]:
    """Return for each answer what rewards look at: its form, its query, the rows, and whether they came by luck."""
    golds, databases = [task.gold_sql] * len(texts), [task.database] * len(texts)
    params = {key: value for one in cfg.rl.rewards if one.name in BUILTIN for key, value in one.params.items()}
    judge, copies = params.get("judge", "ordered"), params.get("variants", 0)
    found = judged(texts, golds, databases, judge, cfg.sandbox)
    correct = rights(found, golds, databases, copies, False, judge, cfg.sandbox)
    facts = []
    for text, (sql, verdict), (right, _) in zip(texts, found, correct, strict=True):
        lines = [f"form: {form_fault(text, cfg.data.answer) or 'well-formed'}"]
        lines += [f"SQL:  {' '.join(printable(sql).split())}"] if sql else []
        lines += [f"rows: {told(verdict, sql)}"]
        if sql and verdict.correct and right is False:
            lines += ["      but not on a changed copy of the database: right by luck"]
        if sql and verdict.runs and not reads_gold(sql, task.gold_sql, task.database):
            lines += ["      constants: none of it comes from a table that gold reads"]
        facts.append(Text("\n".join(lines)))
    return facts


def _table(scores: dict[str, float | None], scorer: Scorer, total: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("reward")
    for name in ("score", "weight", "in the sum"):
        table.add_column(name, justify="right")
    table.add_column("what it says")
    for name, score in scores.items():
        shown, weight = "None: cannot judge" if score is None else f"{score:.4g}", scorer.weights[name]
        says = (getdoc(scorer.rewards[name]) or "").partition("\n\n")[0]
        table.add_row(name, shown, f"{weight:g}", f"{(score or 0.0) * weight:.4g}", shorten(says, 90))
    table.add_row("sum", "", "", f"{total:.4g}", style="bold")
    return table


def shorten(text: str, length: int = 100) -> str:
    """Return text on one line, cut to a length.

    >>> shorten("a  b\\nc", 4)
    'a b…'
    """
    line = " ".join(printable(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
