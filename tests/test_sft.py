"""sft: what the loss sees, which traces are left out, and a model that learns the form and stops by itself."""

import json

import pytest
import torch

from configs.errors import ConfigError
from configs.files import read_jsonl, write_jsonl
from configs.schema import Config, Model, Sft
from models.answer import answers
from models.load import add_adapter, load_adapter, load_model
from models.template import prompt_text
from models.training import trainer_config
from sft import train as stage
from sft.options import options
from sft.traces import dataset
from tasks.trace import parse, render
from tests.learned import QUESTIONS, TRACES, trace


def config(tmp_path, model: Model, sft: Sft | None = None, traces: list[dict] = TRACES) -> Config:
    """Return a run whose distill folder holds `traces`."""
    cfg = Config(name="trial", runs=str(tmp_path), model=model, sft=sft or Sft())
    write_jsonl(cfg.folder / "distill" / "traces.jsonl", traces)
    return cfg


def trainer_of(cfg: Config):
    """Return the trainer as the stage makes it, and the tokenizer."""
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = load_model(cfg.model)
    data = dataset(TRACES, "train", tokenizer, cfg.model.max_length)
    args = trainer_config(SFTConfig, "sft", options(cfg, cfg.folder / "sft", validates=False), cfg.model, cfg.seed)
    model = add_adapter(model, cfg.model, seed=0)
    return SFTTrainer(model=model, processing_class=tokenizer, train_dataset=data, args=args), tokenizer


def test_the_loss_is_on_the_answer_and_its_end_token_and_on_nothing_else(tiny, tmp_path):
    trainer, tokenizer = trainer_of(config(tmp_path, tiny, Sft(micro_batch=3)))
    batch = next(iter(trainer.get_train_dataloader()))
    assert batch["input_ids"].shape[0] == 3
    seen = set()
    for tokens, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learned = labels != -100
        first = int(learned.int().argmax())
        assert torch.equal(tokens[learned], labels[learned])
        prompt, answer = tokenizer.decode(tokens[:first]), tokenizer.decode(labels[learned])
        question = next(question for question in QUESTIONS if f"{question}<|im_end|>" in prompt)
        assert prompt == prompt_text(tokenizer, TRACES[list(QUESTIONS).index(question)]["messages"][:-1])
        assert answer.removesuffix("\n") == QUESTIONS[question] + "<|im_end|>"
        assert learned[first : first + int(learned.sum())].all()  # one piece
        seen.add(question)
    assert seen == QUESTIONS.keys()


def test_too_long_traces_are_left_out_whole_and_counted(tiny, capsys):
    _, tokenizer = load_model(tiny)
    rows = [*TRACES, trace("How many?", render("open trips\n" * 200, "SELECT 1"))]
    data = dataset(rows, "train", tokenizer, 256)
    assert len(data) == 3 and data[0]["completion"][0]["content"] == QUESTIONS["How many trips?"]
    assert "train: 3 traces" in (said := capsys.readouterr().err) and "1 left out as longer than 256" in said
    assert dataset(rows, "validation", tokenizer, 256) is None
    with pytest.raises(ConfigError, match=r"model\.max_length 8: every train trace is longer, the shortest has"):
        dataset(rows, "train", tokenizer, 8)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"split": "train"}], r"traces\.jsonl:1: no messages; run distill again with --fresh"),
        ([trace("Who?", "I.", "validation")], r"traces\.jsonl: no trace for training; see rejected\.jsonl"),
        ([], "no trace for training"),
    ],
)
def test_traces_that_are_none_are_refused(tiny, tmp_path, rows, complaint):
    cfg = config(tmp_path, tiny, traces=rows)
    with pytest.raises(ConfigError, match=complaint) as caught:
        stage.train(cfg)
    assert "\n" not in str(caught.value)


def test_early_stopping_needs_something_to_validate_on(tiny, tmp_path):
    cfg = config(tmp_path, tiny, Sft(early_stopping_patience=2))
    with pytest.raises(ConfigError, match=r"sft\.early_stopping_patience: .* has no validation trace"):
        stage.train(cfg)
    with_validation = options(cfg, tmp_path, validates=True)
    assert with_validation["load_best_model_at_end"] and with_validation["eval_strategy"] == "steps"
    assert len(stage._early_stopping(cfg)) == 1
    without = options(cfg, tmp_path, validates=False)
    assert "load_best_model_at_end" not in without and without["eval_strategy"] == "no"


@pytest.mark.slow
def test_a_trained_model_knows_the_form_and_stops_by_itself(learner, tmp_path):
    steps = {"max_steps": 100, "learning_rate": 0.01, "save_strategy": "no", "logging_steps": 50, "warmup_steps": 0}
    cfg = config(
        tmp_path, learner, Sft(micro_batch=3, accumulation=1, trainer=steps | {"lr_scheduler_type": "constant"})
    )
    folder = stage.train(cfg)
    logged = [row["loss"] for row in read_jsonl(cfg.folder / "sft" / "metrics.jsonl") if "loss" in row]
    assert logged[-1] < 0.5 * logged[0]
    assert json.loads((cfg.folder / "sft" / "state.json").read_text())["facts"]["steps"] == 100

    model, tokenizer = load_model(learner)
    model = add_adapter(model, learner, seed=1)
    load_adapter(model, folder, learner)
    model.eval()
    prompts = [row["messages"][:-1] for row in TRACES]
    limit = 150
    for prompt, answer in zip(prompts, QUESTIONS.values(), strict=True):
        inputs = tokenizer(prompt_text(tokenizer, prompt), return_tensors="pt", add_special_tokens=False)["input_ids"]
        output = model.generate(
            input_ids=inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=limit, do_sample=False
        )
        said = tokenizer.decode(output[0, inputs.shape[1] :])
        assert said == answer + "<|im_end|>"  # the end token by itself: nothing else stops it here

    batches = list(answers(model, tokenizer, prompts, max_new_tokens=limit, batch_size=3))
    together = dict(batches[0])
    alone = [
        dict(next(answers(model, tokenizer, [prompt], max_new_tokens=limit, batch_size=1)))[0] for prompt in prompts
    ]
    for index, answer in enumerate(QUESTIONS.values()):
        got = together[index]
        assert (got.text, got.stopped, parse(got.text) is not None) == (answer, True, True)
        # Stopped behind </sql>, so no end token; and what pads a shorter answer in its batch is not counted.
        assert got.tokens == alone[index].tokens == len(tokenizer(answer, add_special_tokens=False)["input_ids"])
    cut = dict(next(answers(model, tokenizer, prompts, max_new_tokens=5, batch_size=3)))
    assert [(each.tokens, each.stopped) for each in cut.values()] == [(5, False)] * 3
