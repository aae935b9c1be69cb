"""rewards.score: all rewards of a run over a batch; what fails, hangs or is no score never becomes a score."""

import time

import pytest

from configs.errors import ConfigError
from configs.files import read_json, write_whole
from configs.schema import Config, Reward, Rl
from rewards.score import Scorer, silent_share

MINE = """
import asyncio, threading, time

def length(completions, *, scale: float = 1.0, **_):
    return [scale * len(text) for text in completions]

async def slowly(completions, **_):
    await asyncio.sleep(0.2)
    return [1.0] * len(completions)

def sleeps(completions, **_):
    time.sleep(0.2)
    return tuple(2 for _ in completions)

def picky(completions, gold_sql, **_):
    return [None if gold == "hard" else 1 for gold in gold_sql]

def breaks(completions, **_):
    return [1 / (len(text) - 3) for text in completions]

def hangs(completions, **_):
    threading.Event().wait()

async def hangs_async(completions, **_):
    await asyncio.Event().wait()

async def breaks_async(completions, **_):
    await asyncio.sleep(0)
    return [{}["nothing"] for _ in completions]

def breaks_then_hangs(completions, **_):
    return [1 / 0] if len(completions) > 1 else threading.Event().wait()

def leaves(completions, **_):
    raise SystemExit(0)

def breaks_elsewhere(completions, **_):
    return [asyncio.run(text) for text in completions]

def few(completions, **_):
    return [1.0]

def nothing(completions, **_):
    return None

def words(completions, **_):
    return ["good" for _ in completions]

def not_a_number(completions, **_):
    return [0.0, float("nan"), 0.0][: len(completions)]

def endless(completions, **_):
    return [0.0, 0.0, float("inf")]

def huge(completions, **_):
    return [0, 10**400, 0]
"""
BATCH = (["p"] * 3, ["a", "bbb", "cc"], {"gold_sql": ["easy", "hard", "easy"], "trainer_state": object()})


@pytest.fixture
def scorer(tmp_path):
    """Return a function that makes the scorer of some of those rewards."""
    write_whole(tmp_path / "mine.py", MINE)

    def scorer(*names: str, **settings) -> Scorer:
        chosen = [Reward(name=f"{tmp_path}/mine.py:{name}", weight=2.0) for name in names]
        return Scorer(Config(name="mine", rl=Rl(rewards=chosen, **settings)), failures=tmp_path / "failed.json")

    return scorer


def test_every_reward_scores_and_the_weighted_sum_leaves_out_what_cannot_be_judged(scorer):
    mine = scorer("length", "picky", "length")
    scores = mine.score(*BATCH)
    assert scores == {"length": [1, 3, 2], "picky": [1, None, 1], "length_2": [1, 3, 2]}
    assert mine.total(scores) == [6, 12, 10]


def test_rewards_run_side_by_side_async_ones_too(scorer):
    start = time.monotonic()
    scores = scorer("slowly", "sleeps", "slowly", "sleeps").score(*BATCH)
    assert time.monotonic() - start < 0.6  # one after the other: 0.8
    assert scores["slowly_2"] == [1.0] * 3 and scores["sleeps"] == [2.0] * 3


def test_trl_calls_them_one_by_one_and_each_batch_is_scored_once(scorer):
    logged = {}
    mine = scorer("length", "picky")
    first, second = mine.functions(group=3)
    prompts, completions, columns = BATCH
    columns = columns | {"log_metric": logged.__setitem__}
    assert (first.__name__, second.__name__) == ("length", "picky")
    assert first(prompts=prompts, completions=completions, **columns) == [1, 3, 2]
    seconds = logged["rewards/length/seconds"]
    assert second(prompts=prompts, completions=completions, **columns) == [1, None, 1]
    assert logged["rewards/length/seconds"] == seconds  # not scored again
    assert logged["rewards/picky/none"] == pytest.approx(1 / 3)
    assert (logged["rewards/picky/silent_groups"], logged["rewards/length/silent_groups"]) == (1.0, 0.0)
    assert first(prompts=prompts, completions=["dddd"] * 3, **columns) == [4, 4, 4]


def test_the_completion_that_broke_a_reward_is_told_and_saved(scorer, tmp_path):
    with pytest.raises(
        ConfigError, match=r"mine\.py:breaks' fails with ZeroDivisionError: .* \(mine\.py:19\); .* goes on"
    ):
        scorer("length", "breaks").score(*BATCH)
    saved = read_json(tmp_path / "failed.json")
    assert saved["reward"] == "breaks"
    assert (saved["batch"]["completions"], saved["batch"]["gold_sql"]) == (["bbb"], ["hard"])
    assert any("1 / (len(text) - 3)" in line for line in saved["traceback"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("few", "returns 1 scores for 3 completions"),
        ("nothing", "returns a NoneType, not a list of scores"),
        ("words", "returns 'good', a str and no number, for a completion"),
        ("not_a_number", "returns nan, where None means 'cannot judge', for a completion"),
        ("endless", "returns inf"),
        ("huge", "returns 1000"),
        ("breaks_async", "fails with KeyError: 'nothing' (mine.py:"),
        ("breaks_then_hangs", "fails with ZeroDivisionError"),
        ("breaks_elsewhere", "a coroutine was expected, got 'a' (mine.py:"),
        ("leaves", "fails with SystemExit: 0 (mine.py:"),
    ],
)
def test_what_is_no_score_ends_the_run(scorer, name, said, tmp_path):
    with pytest.raises(ConfigError) as error:
        scorer(name, reward_timeout_s=0.5).score(*BATCH)
    assert said in str(error.value) and f"mine.py:{name}" in str(error.value)
    assert read_json(tmp_path / "failed.json")["reward"] == name


@pytest.mark.parametrize("name", ["hangs", "hangs_async"])
def test_a_reward_that_hangs_is_told_when_its_time_is_over(scorer, tmp_path, name):
    start = time.monotonic()
    with pytest.raises(ConfigError, match=r"hangs: no scores for 3 completions after 0\.3 s; 0\.1 s a completion"):
        scorer("length", name, reward_timeout_s=0.1).score(*BATCH)
    assert time.monotonic() - start < 2
    assert read_json(tmp_path / "failed.json")["batch"]["completions"] == BATCH[1]


def test_tensors_and_arrays_are_scores(tmp_path):
    write_whole(
        tmp_path / "arrays.py", "import torch\n\ndef f(completions, **_):\n    return torch.ones(len(completions))\n"
    )
    scores = Scorer(Config(name="arrays", rl=Rl(rewards=[Reward(name=f"{tmp_path}/arrays.py:f")]))).score(*BATCH)
    assert scores == {"f": [1.0, 1.0, 1.0]}


def test_silent_groups():
    assert silent_share([], 4) == 0.0
    assert silent_share([1, 1, 1, 1], 2) == 1.0
    assert silent_share([0, 1, 1, 1], 2) == 0.5
