"""`python -m rewards new my_reward.py`: a reward to start from, and a test of it."""

import keyword
from pathlib import Path

from configs.errors import ConfigError
from configs.files import write_whole
from rewards.load import BUILTIN

REWARD = '''\
"""A reward of your own."""

from tasks.trace import extract_sql, parse


def {name}(prompts, completions, question, gold_sql, *, bonus: float = 0.2, longest: int = 400, **_):
    """Return `bonus` for a well-formed answer whose query has at most `longest` characters, else 0.0.

    Range: 0.0 to `bonus`.  One score a completion, in their order; None where you cannot judge.
    Other columns that you may name: task_id, database (a path), level (L1 to L4), think (the reference plan).
    What stands after the * are settings: the config's `params`, checked by name and type before training.  One called
    `sandbox` is the config's section, with the limits of queries.
    """
    scores = []
    for completion in completions:
        answer = completion[-1]["content"]  # completions are chat messages; the answer is the last one
        sql = extract_sql(answer)  # the query in the answer, None where there is none
        scores.append(bonus if sql and parse(answer) and len(sql) <= longest else 0.0)
    return scores
'''

TEST = '''\
"""Does {name} pay for what it should?"""

from pathlib import Path

from rewards import load_reward
from tasks.trace import render

HERE = Path(__file__).parent


def paid(*answers, **settings):
    """What the reward pays for answers to one question."""
    reward = load_reward(f"{{HERE}}/{file}:{name}", settings)
    columns = {{"question": ["How many cities?"], "gold_sql": ["SELECT count(*) FROM city"], "level": ["L1"]}}
    columns |= {{"task_id": ["t"], "database": ["shop.sqlite"], "think": ["open city."]}}
    chats = [[{{"role": "assistant", "content": answer}}] for answer in answers]
    batch = {{column: values * len(answers) for column, values in columns.items()}}
    return reward(prompts=[""] * len(answers), completions=chats, **batch)


def test_a_good_answer_earns_more_than_others():
    good = render("open city. count the rows.", "SELECT count(*) FROM city")
    long = render("open city. count the rows.", "SELECT count(*) FROM city" + " " * 3 + "-- " + "x" * 400)
    assert paid(good, long, "I don't know.", "") == [0.2, 0.0, 0.0, 0.0]


def test_its_settings_count():
    assert paid(render("open city.", "SELECT 1"), bonus=1.0) == [1.0]
    assert paid(render("open city.", "SELECT 1"), longest=3) == [0.0]
'''

NEXT = """\
wrote {path} and {test}; next:
  python -m pytest {test}
  python -m rewards audit {path}:{name}
  python -m rewards try {path}:{name} --completion ANSWER.txt
and in the config, beside a reward for right rows:
  rl:
    rewards:
      - {{name: sql_execution, weight: 1.0}}
      - {{name: "{path}:{name}", weight: 1.0, params: {{bonus: 0.2}}}}"""


def start(path: Path) -> str:
    """Write a reward and its test, and return what to do next; ConfigError where a file is there already."""
    name = path.stem
    if path.suffix != ".py" or not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigError(f"{path}: give a file name that is a Python name and ends in .py, as my_reward.py")
    if name in BUILTIN or name.startswith("test_"):
        why = "a built-in reward has that name" if name in BUILTIN else "pytest would take it for a test"
        raise ConfigError(f"{path}: {why}; give another, as my_reward.py")
    test = path.with_name(f"test_{path.name}")
    for each in (path, test):
        if each.exists():
            raise ConfigError(f"{each} is there already, and stays as it is; give another name")
    write_whole(path, REWARD.format(name=name))
    write_whole(test, TEST.format(name=name, file=path.name))
    return NEXT.format(path=path, test=test, name=name)
