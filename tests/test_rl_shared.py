"""rl.shared: prompts that are read once a group, with the numbers of TRL's own trainer."""

import pytest
import torch
from datasets import Dataset
from transformers import StoppingCriteriaList
from trl import GRPOConfig, GRPOTrainer

from models.answer import AfterSql
from rl.ends import EndsAtSql
from rl.shared import SharedPrompts, shared_logits
from tests.untrained import with_random_adapter

PROMPTS = [
    [{"role": "user", "content": text}] for text in ("How many cities?", "Name the rivers of Norway.", "Who?", "Which?")
]


@pytest.fixture(scope="module")
def model(tiny):
    """The tiny model with an adapter that does something, in float64: what differs then is no rounding."""
    model, tokenizer = with_random_adapter(tiny, 0.2)
    return model.double(), tokenizer


def test_logits_and_gradients_are_those_of_reading_every_prompt(model):
    model, _ = model
    torch.manual_seed(1)
    lengths, answer = (9, 4, 9), 5
    prompts = torch.randint(10, 900, (3, 12))
    masks = torch.stack([(torch.arange(12) >= 12 - length).long() for length in lengths])
    rows = torch.tensor([2, 0, 1, 1, 0, 2, 2])
    ids = torch.cat([prompts[rows], torch.randint(10, 900, (7, answer))], dim=1)
    mask = torch.cat([masks[rows], torch.ones(7, answer, dtype=torch.long)], dim=1)
    mask[3, -2:] = 0
    kept = mask[:, -answer:].bool()

    def plain():
        return model(input_ids=ids, attention_mask=mask, logits_to_keep=answer + 1, use_cache=False).logits

    found = []
    for logits in (plain, lambda: shared_logits(model, model.config, ids, mask, answer)):
        model.zero_grad()
        logps = logits()[:, :-1].log_softmax(-1)
        logps.gather(2, ids[:, -answer:, None]).squeeze(2)[kept].sum().backward()
        gradient = torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])
        found.append((logps.detach()[kept], gradient))
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-5, rtol=1e-5)
    assert found[0][1].norm() > 0.1
    torch.testing.assert_close(found[0][1], found[1][1], atol=1e-4, rtol=1e-4)  # RoPE is float32


def trainer(kind, model, tokenizer, folder, **options):
    def length(completions, **_):
        return [float(len(said[0]["content"])) for said in completions]

    args = GRPOConfig(
        output_dir=str(folder), num_generations=4, per_device_train_batch_size=8, generation_batch_size=8,
        max_completion_length=10, max_steps=1, use_cpu=True, report_to=[], logging_steps=1, save_strategy="no",
        disable_tqdm=True, gradient_checkpointing=False, learning_rate=0.0, **options,
    )  # fmt: skip
    return kind(
        model=model,
        processing_class=tokenizer,
        reward_funcs=length,
        args=args,
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS]),
    )


def test_sampled_answers_are_those_of_trl(model, tmp_path):
    found = []
    for kind in (GRPOTrainer, SharedPrompts):
        made = trainer(kind, *model, tmp_path)
        torch.manual_seed(0)
        ids, *_ = made._tokenize_prompts([prompt for prompt in PROMPTS for _ in range(4)])
        answers, _ = made._generate_single_turn(ids, None, {}, 4)
        found.append(answers)
    assert found[0] == found[1] and len({tuple(answer) for answer in found[0]}) > 12


def test_a_step_learns_the_same_from_the_same_answers(model, tmp_path, monkeypatch):
    found = []
    for kind in (GRPOTrainer, SharedPrompts):
        made = trainer(kind, *model, tmp_path, beta=0.1, generation_kwargs={"do_sample": False, "min_new_tokens": 3})
        monkeypatch.setattr(made, "_generate_single_turn", lambda ids, *_, **__: (_answers(ids), None))
        made.train()
        made.model.delete_adapter("ref")
        logs = next(row for row in made.state.log_history if "loss" in row)
        found.append([logs[key] for key in ("loss", "grad_norm", "entropy", "reward")])
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0][1] > 0


def _answers(prompt_ids: list[list[int]]) -> list[list[int]]:
    """Answers of different lengths, the same for every trainer."""
    return [[20 + place, *range(30, 32 + place), 40][: 3 + place] for place, _ in enumerate(prompt_ids)]


def test_an_answer_ends_one_token_after_its_query_and_padding_is_not_taken_for_its_end(model):
    _, tokenizer = model
    closed = tokenizer("<sql>SELECT 1</sql>", add_special_tokens=False)["input_ids"]
    end, more = tokenizer.eos_token_id, tokenizer("x")["input_ids"][0]
    after = AfterSql(tokenizer, prompt_tokens=2, then=1)
    rows = torch.tensor([[7, 7, *closed, end], [7, 7, *closed, more], [7, 7, *closed[:-1], more, more]])
    assert StoppingCriteriaList([after])(rows[:, :-1], None).tolist() == [False] * 3
    assert StoppingCriteriaList([after])(rows, None).tolist() == [True, True, False]
    assert after.stopped_at == {0: len(closed) + 1, 1: len(closed) + 1}


def test_answers_end_with_their_query_whoever_generates_them(model, tmp_path, monkeypatch):
    _, tokenizer = model
    closing = set(range(200, 500))  # tokens that stand for </sql>, which the tiny model would never say
    told = lambda ids: "</sql>" if closing & {int(token) for token in ids} else "-"  # noqa: E731
    monkeypatch.setattr(type(tokenizer), "decode", lambda _, ids, **__: told(ids))
    monkeypatch.setattr(type(tokenizer), "batch_decode", lambda _, rows, **__: [told(ids) for ids in rows])
    found = []
    for kind in (EndsAtSql, SharedPrompts, GRPOTrainer):
        made = trainer(kind, *model, tmp_path)
        torch.manual_seed(0)
        ids, *_ = made._tokenize_prompts([prompt for prompt in PROMPTS for _ in range(4)])
        answers, _ = made._generate_single_turn(ids, None, {}, 4)
        found.append(answers)
        assert "generate" not in vars(made.accelerator.unwrap_model(made.model_wrapped))
    places = [next((at for at, token in enumerate(answer) if token in closing), 10) for answer in found[0]]
    assert (
        min(places) < 8 and [len(answer) <= at + 2 for answer, at in zip(found[0], places, strict=True)] == [True] * 16
    )
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("masks", [False, True])
def test_an_answer_that_ends_with_its_query_is_not_cut(model, tmp_path, monkeypatch, masks):
    model, tokenizer = model
    tails = ["<sql>SELECT 1</sql> and so on", "<sql>SELECT 1</sql>", "<sql>SELECT 1, 2, 3 and so on"]
    said = [tokenizer(tail, add_special_tokens=False)["input_ids"] for tail in tails]
    said[1].append(tokenizer.eos_token_id)
    said.append([*said[2], tokenizer.eos_token_id])
    found = {}
    for kind in (GRPOTrainer, SharedPrompts):
        made = trainer(kind, model, tokenizer, tmp_path, mask_truncated_completions=masks)
        monkeypatch.setattr(made, "_generate_single_turn", lambda ids, *_, **__: (said * (len(ids) // 4), None))
        rows = [{"prompt": PROMPTS[0]}] * 4 + [{"prompt": PROMPTS[1]}] * 4
        made.model.train()
        scored = made._generate_and_score_completions(rows)
        logged = {name: values for name, values in made._metrics["train"].items() if name.startswith("completions/")}
        found[kind] = scored["completion_mask"].any(dim=1).tolist(), logged
        assert scored["num_items_in_batch"] == scored["completion_mask"].sum()
        assert made.mask_truncated_completions is masks
    learned, logged = found[GRPOTrainer]
    assert learned == [not masks, True, not masks, True] * 2  # the first one's query is whole, yet not learned from
    assert logged["completions/clipped_ratio"] == [0.5]
    learned, logged = found[SharedPrompts]
    assert learned == [True, True, not masks, True] * 2
    assert logged["completions/clipped_ratio"] == [0.25]
    lengths = [len(said[place]) for place in (0, 1, 3)]
    assert logged["completions/min_terminated_length"] == [min(lengths)]
    assert logged["completions/mean_terminated_length"] == [pytest.approx(sum(lengths) / 3)]
    assert logged["completions/mean_length"] == [pytest.approx(sum(map(len, said)) / 4)]
