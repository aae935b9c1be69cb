"""models nano: a tokenizer that keeps what is said, nothing of the corpus's own questions, and a model that learns."""

import pytest
import torch

from configs.files import read_jsonl
from configs.load import load_config
from configs.schema import Data
from distill.plan import write_plan
from models import __main__ as command
from models import nano
from models.answer import AfterSql
from models.load import load_model
from models.template import check_template
from tasks.load import load_tasks, width
from tasks.prompt import messages
from tasks.sample import load_sample, split_of
from tasks.schema import read_schema
from tasks.trace import TAGS, parse, render
from tests.processes import ROOT

SHORT = ("open cars\nfilter \"diesel\": cars.fuel = 'diesel'\ndeliver cars.plate", "SELECT plate FROM cars")


@pytest.fixture(scope="module", autouse=True)
def one_seed():
    """Learn from one other corpus: twelve take their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nano, "SEEDS", range(1, 2))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A nano after two steps."""
    folder = tmp_path_factory.mktemp("made") / "nano"
    assert command.main(["nano", "--out", str(folder), "--steps", "2"]) == 0
    return folder


@pytest.fixture(scope="module")
def loaded(folder, tiny):
    return load_model(tiny.model_copy(update={"name": str(folder)}))


def test_it_is_small_and_its_template_can_teach(loaded):
    model, tokenizer = loaded
    check_template(tokenizer)
    assert 5e5 < model.num_parameters() < 5e6
    assert len(tokenizer) == model.config.vocab_size <= nano.VOCABULARY  # of one seed there are fewer words
    assert tokenizer.eos_token == "<|im_end|>" and model.config.eos_token_id == tokenizer.eos_token_id


def test_each_tag_is_a_token_that_stays_in_the_answer(loaded):
    _, tokenizer = loaded
    ids = tokenizer(render(*SHORT), add_special_tokens=False)["input_ids"]
    assert parse(tokenizer.decode(ids, skip_special_tokens=True)).sql == SHORT[1]
    for token in (*TAGS, *nano.CHAT_TOKENS):
        assert len(tokenizer(token, add_special_tokens=False)["input_ids"]) == 1
    stops = AfterSql(tokenizer, 0)
    assert stops(torch.tensor([ids]), None).tolist() == [True]
    assert stops(torch.tensor([ids[:-1]]), None).tolist() == [False]


def test_what_goes_into_the_tokenizer_comes_out(loaded):
    _, tokenizer = loaded
    for text in (render(*SHORT), "  two  spaces\n\ttab, 1,234.5 — Æther 漢字 🙂", "a_b.c1 T1.Name<='x''y'"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    prompts = [messages(task, "ddl", 0)[1]["content"] for task in load_sample()[:400]]
    lengths = [len(tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in prompts]
    assert sum(lengths) / len(lengths) < 100 < sum(map(len, prompts)) / len(prompts)


def test_it_learns_from_questions_that_the_corpus_does_not_ask():
    own = {name: [task for task in load_sample() if split_of(task) == name] for name in ("train", "validation", "test")}
    learned = nano.other_questions()
    assert len(learned) > 400
    wide = {task.database for task in own["train"] if width(task.database) > nano.MAX_COLUMNS}
    assert wide and {task.database for task in learned} == {task.database for task in own["train"]} - wide
    asked = {(task.database, task.question) for task in own["train"]}
    asked |= {(task.database, task.gold_sql) for task in own["train"]}
    assert not asked & {(task.database, text) for task in learned for text in (task.question, task.gold_sql)}
    held_out = load_tasks(Data(split="questions", test_share=0.2, max_columns=nano.MAX_COLUMNS), seed=0).test
    assert {task.database for task in held_out} == {task.database for task in learned}


def test_a_conversation_has_the_schema_once_and_sql_or_plans(loaded):
    _, tokenizer = loaded
    tasks = nano.other_questions()[:20]
    chats = [tokenizer.decode(chat) for chat in nano.conversations(tasks, tokenizer)]
    assert len(chats) == 3 and all(chat.count("<|im_start|>system") == 1 for chat in chats)
    for task in tasks:
        (place,) = [place for place, chat in enumerate(chats) if f"Question: {task.question}<|im_end|>" in chat]
        plan = write_plan(task, read_schema(task.database, 0), "short")
        told = f"<think>\n{plan}\n</think>" if place % 2 else f"<sql>\n{task.gold_sql}\n</sql>"
        assert f"{task.question}<|im_end|>\n<|im_start|>assistant\n{told}<|im_end|>" in chats[place]
        assert chats[place].count(messages(task, "ddl", 0)[1]["content"].split("\n")[0]) == 1


def test_training_lowers_the_loss(loaded, monkeypatch, capsys):
    model, tokenizer = loaded
    chats = nano.conversations(nano.other_questions()[:16], tokenizer)
    monkeypatch.setattr(nano, "BATCH", 2)
    monkeypatch.setattr(nano, "WARMUP", 4)
    nano.pretrain(model, chats, steps=12)
    assert not model.training
    loss = float(capsys.readouterr().err.rpartition("loss ")[2].split()[0])
    assert loss < 6  # 8 is that of a guess


def test_what_is_asked_about_known_databases_is_no_contamination(tmp_path, run_stage):
    words = [f"runs={tmp_path}", "distill.traces=6", "distill.validation_traces=2"]
    done = run_stage("distill", ROOT / "configs" / "nano.yaml", *words)
    assert done.returncode == 0, done.stderr
    cfg = load_config(ROOT / "configs" / "nano.yaml", words)
    traces = read_jsonl(cfg.folder / "distill" / "traces.jsonl")
    assert [row["split"] for row in traces] == ["train"] * 6 + ["validation"] * 2
    assert read_jsonl(cfg.folder / "distill" / "contaminated.jsonl") == []
    test = {(task.database, task.gold_sql) for task in load_tasks(cfg.data, cfg.seed).test}
    assert not test & {(row["database"], row["gold_sql"]) for row in traces}


def test_a_folder_that_is_there_is_kept(folder, capsys):
    assert command.main(["nano", "--out", str(folder)]) == 2
    assert "is there already; give a new folder" in capsys.readouterr().err
    assert command.main(["nano", "--steps", "3"]) == 2
    assert "--steps needs --out FOLDER" in capsys.readouterr().err
    assert [path.name for path in folder.parent.iterdir()] == ["nano"]
