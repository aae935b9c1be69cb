"""rl: prompts that fit, batches that divide, the reference policy, rewards that fail, and what is written down."""

from pathlib import Path
from statistics import fmean

import pytest
import torch
from transformers import AutoTokenizer
from trl import GRPOConfig

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl, write_json, write_whole
from configs.schema import Config, Model, Reward, Rl
from models.load import add_adapter, load_adapter, load_model, name_base
from models.progress import save_trained
from models.sources import model_source
from models.training import trainer_config
from rl import train as stage
from rl.prompts import as_rows, not_contaminated, prompts_that_fit
from rl.reference import keep_reference
from sandbox import database_file
from tasks.load import Splits
from tasks.task import Task

REWARDS = '''
def vowels(completions, *, scale: float = 1.0, **_):
    """Return the number of vowels, which even random text has."""
    return [scale * sum(letter in "aeiou" for letter in said[0]["content"]) for said in completions]

def unsure(completions, **_):
    return [None if index % 2 else 1.0 for index, _ in enumerate(completions)]

def mostly_mute(completions, question, **_):
    """Return the number of letters for one question, and the same for every answer to the others."""
    lengths = [float(len(said[0]["content"])) for said in completions]
    return [length if asked.count("Say!") == 2 else 1.0 for length, asked in zip(lengths, question)]

def broken(completions, **_):
    return [1 / 0 for _ in completions]
'''
QUIET = {"save_strategy": "no", "learning_rate": 0.01, "warmup_steps": 0}


@pytest.fixture(scope="module")
def tasks(cache) -> tuple[Task, ...]:
    database = str(database_file("CREATE TABLE city (name TEXT, people INTEGER); INSERT INTO city VALUES ('Oslo', 7);"))
    gold_sql = "SELECT count(*) FROM city"
    return tuple(
        Task(str(n), "How many cities? " + "Say! " * n, "", gold_sql, database, level="L1") for n in (0, 1, 2, 200)
    )


@pytest.fixture(scope="module")
def sft_adapter(tiny, tmp_path_factory) -> Path:
    """An adapter far from the base model."""
    folder = tmp_path_factory.mktemp("sft") / "adapter"
    model, tokenizer = load_model(tiny)
    model = add_adapter(model, tiny, seed=0)
    name_base(model, tiny)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    save_trained(model, tokenizer, folder)
    return folder


@pytest.fixture
def run(tiny, tasks, sft_adapter, tmp_path, monkeypatch):
    """Return a function that runs the stage on those tasks and that adapter, and returns its folder."""
    write_whole(tmp_path / "my_rewards.py", REWARDS)

    def run(
        *rewards: str, held_out: int = 0, resample: int = 0, patience: int | None = None, **trainer: object
    ) -> Path:
        monkeypatch.setattr(stage, "load_tasks", lambda data, seed: Splits(tasks, tasks[:held_out], (), {}))
        cfg = Config(
            name="trial",
            runs=str(tmp_path),
            model=tiny,
            rl=Rl(
                prompts_per_step=2,
                generations=4,
                micro_batch=4,
                max_completion_length=12,
                resample=resample,
                ex_every=2,
                ex_patience=patience,
                rewards=[Reward(name=f"{tmp_path}/my_rewards.py:{reward}") for reward in rewards],
                trainer=QUIET | {"max_steps": 2} | trainer,
            ),
        )
        (cfg.folder / "sft").mkdir(parents=True, exist_ok=True)
        if not (cfg.folder / "sft" / "adapter").exists():
            (cfg.folder / "sft" / "adapter").symlink_to(sft_adapter)
            write_json(cfg.folder / "sft" / "state.json", {"status": "finished"})
        return stage.train(cfg).parent

    return run


def test_longer_prompts_are_left_out_and_counted(tiny, tasks):
    tokenizer = AutoTokenizer.from_pretrained(model_source("tiny"))
    cfg = Config(name="trial", model=tiny, rl=Rl(max_prompt_length=100, prompts_per_step=1))
    fit, left_out = prompts_that_fit(tasks, tokenizer, cfg)
    assert (len(fit), left_out) == (3, 1)
    data = as_rows(fit, cfg)
    assert data["task_id"] == ["0", "1", "2"] and data[1]["gold_sql"] == "SELECT count(*) FROM city"
    assert {"prompt", "question", "database", "level"} <= set(data.column_names)
    assert [message["role"] for message in data[0]["prompt"]] == ["system", "user"]
    lengths = [
        len(tokenizer.apply_chat_template(p, add_generation_prompt=True, return_dict=False)) for p in data["prompt"]
    ]
    exactly, over = (
        Config(name="trial", model=tiny, rl=Rl(max_prompt_length=length, prompts_per_step=1))
        for length in (lengths[0], lengths[0] - 1)
    )
    assert prompts_that_fit(tasks[:1], tokenizer, exactly)[1] == 0
    with pytest.raises(
        ConfigError, match=f"{lengths[0] - 1}: 0 of .* prompts are that short, .* the shortest has {lengths[0]} tokens"
    ):
        prompts_that_fit(tasks, tokenizer, over)


def test_questions_near_an_evaluation_set_are_not_trained_on(tasks, tmp_path):
    cfg = Config(name="near", runs=str(tmp_path))
    assert not_contaminated(tasks, cfg) == list(tasks)
    write_whole(cfg.folder / "distill" / "contaminated.jsonl", f'{{"task_id": "{tasks[0].task_id}"}}\n')
    assert not_contaminated(tasks, cfg) == list(tasks[1:])


@pytest.mark.parametrize(
    ("prompts", "generations", "micro_batch"), [(1, 2, 1), (1, 2, 2), (2, 4, 8), (3, 8, 6), (5, 3, 5)]
)
def test_every_batch_that_the_schema_allows_is_one_that_trl_takes(tmp_path, prompts, generations, micro_batch):
    rl = Rl(prompts_per_step=prompts, generations=generations, micro_batch=micro_batch)
    cfg = Config(name="trial", rl=rl)
    made = trainer_config(GRPOConfig, "rl", stage._options(cfg, tmp_path), cfg.model, cfg.seed)
    assert made.generation_batch_size == prompts * generations
    assert made.per_device_train_batch_size * made.gradient_accumulation_steps == prompts * generations
    assert made.steps_per_generation == made.gradient_accumulation_steps  # each step learns from new completions
    assert made.num_generations == generations


def test_the_completions_are_written_down_with_scores_and_advantages(run, sft_adapter, tiny):
    folder = run("vowels", "unsure")
    rows = read_jsonl(folder / "completions.jsonl")
    assert [row["step"] for row in rows] == [1] * 8 + [2] * 8
    for row in rows:
        assert row["rewards"]["vowels"] == sum(letter in "aeiou" for letter in row["completion"])
        assert "How many cities?" in row["prompt"] and isinstance(row["advantage"], float)
        assert row["question"].strip() in row["prompt"] and row["question"].count("Say!") == int(row["task_id"])
        assert (row["gold_sql"], row["status"], row["sql"]) == ("SELECT count(*) FROM city", "no_sql", None)
        assert row["total"] == row["rewards"]["vowels"] + (row["rewards"]["unsure"] or 0)
    assert [row["rewards"]["unsure"] for row in rows] == [1.0, None] * 8
    for start in range(0, 16, 4):  # the groups: one prompt each, advantages around 0, the highest for the best answer
        group = rows[start : start + 4]
        totals = [row["rewards"]["vowels"] + (row["rewards"]["unsure"] or 0) for row in group]
        assert len({row["prompt"] for row in group}) == 1
        assert sum(row["advantage"] for row in group) == pytest.approx(0, abs=1e-4)
        best = max(range(4), key=totals.__getitem__)
        assert group[best]["advantage"] == max(row["advantage"] for row in group)
    before, after = (_weights(tiny, each) for each in (sft_adapter, folder / "adapter"))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def _weights(tiny: Model, adapter: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a saved adapter, as they are once loaded."""
    model, _ = load_model(tiny)
    model = add_adapter(model, tiny, seed=5)
    load_adapter(model, adapter, tiny)
    return {name: each.data for name, each in model.named_parameters() if "lora_" in name}


def test_the_reference_is_the_sft_model_and_stays_it(run, sft_adapter, tiny, monkeypatch):
    trainers = []
    monkeypatch.setattr("rl.reference.keep_reference", lambda each: (keep_reference(each), trainers.append(each)))
    folder = run("vowels", beta=0.1, weight_decay=0.1)
    divergence = [row["kl"] for row in read_jsonl(folder / "metrics.jsonl") if "kl" in row]
    assert divergence[0] == pytest.approx(0, abs=1e-6) and divergence[1] > 1e-5  # and the policy has moved
    sft, model = _weights(tiny, sft_adapter), trainers[0].model
    for name, weight in sft.items():
        assert torch.equal(model.get_parameter(name.replace(".default.", ".ref.")), weight)
    assert [path.name for path in (folder / "adapter").iterdir() if path.is_dir()] == []  # no copy of the reference


def test_without_its_copy_the_reference_would_be_the_base_model(run, monkeypatch):
    monkeypatch.setattr("rl.reference.keep_reference", lambda trainer: trainer.model.delete_adapter("ref"))
    folder = run("vowels", beta=0.1, max_steps=1)
    assert read_jsonl(folder / "metrics.jsonl")[0]["kl"] > 0.01


def test_a_bug_in_a_reward_stops_the_run_and_is_no_score(run, tmp_path):
    with pytest.raises(ConfigError, match="broken' fails with ZeroDivisionError"):
        run("vowels", "broken")
    assert read_json(tmp_path / "trial" / "rl" / "failed_reward.json")["batch"]["gold_sql"]
    assert not (tmp_path / "trial" / "rl" / "adapter").exists()
    assert not (tmp_path / "trial" / "rl" / "completions.jsonl").exists()


def test_a_run_killed_after_its_last_checkpoint_still_gets_its_adapter(run):
    folder = run("vowels", save_strategy="steps", save_steps=1)
    rows, state = read_jsonl(folder / "completions.jsonl"), folder / "state.json"
    write_json(state, read_json(state) | {"status": "running"})
    (folder / "adapter").rename(folder / "gone")
    assert run("vowels", save_strategy="steps", save_steps=1) == folder
    assert (folder / "adapter" / "adapter_model.safetensors").exists()
    assert read_jsonl(folder / "completions.jsonl") == rows


def test_silent_groups_are_replaced_by_other_questions(run):
    folder = run("mostly_mute", resample=3)
    steps = {row["step"]: row for row in read_jsonl(folder / "metrics.jsonl") if "reward" in row}
    rows = read_jsonl(folder / "completions.jsonl")
    assert len(rows) == 2 * 8
    for step in (1, 2):
        asked = [row["question"].count("Say!") for row in rows if row["step"] == step]
        assert 2 in asked[::4] and all(len(set(asked[start : start + 4])) == 1 for start in (0, 4))
        moved = [abs(row["advantage"]) > 1e-6 for row in rows if row["step"] == step]
        assert moved == [count == 2 for count in asked]
    replaced = [step for step, row in steps.items() if row["replaced_groups"]]
    assert replaced  # at most one step drew that question itself
    for step in replaced:  # the metrics are of what was asked at first
        assert steps[step]["reward"] < fmean(row["total"] for row in rows if row["step"] == step)


def test_the_best_adapter_by_ex_is_kept_and_training_ends_where_it_gets_no_better(run, monkeypatch):
    right = iter([1, 3, 3, 2])
    monkeypatch.setattr("rl.best.Best._right", lambda best, model: next(right))
    folder = run("vowels", held_out=3, patience=2, max_steps=20, save_strategy="steps", save_steps=3)
    rows = read_jsonl(folder / "best.jsonl")
    assert [(row["step"], row["right"], row["questions"]) for row in rows] == [
        (0, 1, 3), (2, 3, 3), (4, 3, 3), (6, 2, 3)
    ]  # fmt: skip
    assert read_json(folder / "best" / "ex.json")["step"] == 4  # the last of those as good
    assert (
        read_json(folder / "state.json")["facts"] | {"best_step": 4, "best_ex": 1.0, "steps": 6}
        == read_json(folder / "state.json")["facts"]
    )
    kept, last = ((folder / name / "adapter_model.safetensors").read_bytes() for name in ("best", "adapter"))
    assert kept != last


def test_ex_is_measured_with_greedy_answers_in_the_sandbox(run):
    folder = run("vowels", held_out=2)
    rows = read_jsonl(folder / "best.jsonl")
    assert [(row["step"], row["ex"], row["questions"]) for row in rows] == [(0, 0.0, 2), (2, 0.0, 2)]


def test_held_out_questions_are_the_same_for_the_same_seed_and_short_enough(tiny, tasks):
    from rl.best import held_out

    tokenizer = AutoTokenizer.from_pretrained(model_source("tiny"))
    cfgs = [Config(name="t", seed=seed, rl=Rl(max_prompt_length=100, ex_questions=2)) for seed in (0, 0, 1, 2, 3)]
    chosen = [tuple(task.task_id for task in held_out(tasks, tokenizer, cfg)) for cfg in cfgs]
    assert chosen[0] == chosen[1] and len(set(chosen)) > 1
    assert all(len(ids) == 2 and "200" not in ids for ids in chosen)
