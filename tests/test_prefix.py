"""Prompts that begin alike: the same answers as without sharing, for less to compute."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from models.answer import answers
from models.prefix import batch_inputs, common, families
from models.template import prompt_text
from tests.untrained import with_random_adapter

TOKENS = some.lists(some.integers(0, 2), min_size=1, max_size=8)


@given(some.lists(TOKENS, min_size=1, max_size=9))
def test_every_prompt_is_in_one_family_the_longest_first(prompts):
    found = families(prompts)
    assert sorted(place for family in found for place in family) == list(range(len(prompts)))
    lengths = [[len(prompts[place]) for place in family] for family in found]
    assert all(each == sorted(each, reverse=True) for each in lengths)
    assert [each[0] for each in lengths] == sorted((each[0] for each in lengths), reverse=True)


@given(TOKENS, TOKENS)
def test_what_two_prompts_have_in_common(one, other):
    shared = common(one, other)
    assert one[:shared] == other[:shared]
    assert shared == min(len(one), len(other)) or one[shared] != other[shared]


@pytest.fixture(scope="module")
def loaded(tiny):
    """The tiny model with a random adapter: without one each of its answers repeats one token."""
    return with_random_adapter(tiny, 0.3)


@pytest.fixture(scope="module")
def chats() -> list[list[dict[str, str]]]:
    """Eight questions over two schemas, and one over a third, of different lengths."""
    schemas = ["city(id int pk, name text)" * 6, "singer(age int, song text, band text)" * 9]
    many = [(schema, f"Question: how many {'very ' * number}old?") for schema in schemas for number in range(4)]
    return [[{"role": "user", "content": "\n".join(each)}] for each in [*many, ("t(x)", "Question: x?")]]


def said(loaded, chats, **how) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for batch in answers(*loaded, chats, max_new_tokens=12, **how):
        for place, answer in batch:
            found.setdefault(place, []).append(answer.text)
    return found


@pytest.mark.parametrize("batch_size", [4, 9])
def test_greedy_answers_are_those_to_each_prompt_alone(loaded, chats, batch_size):
    alone = said(loaded, chats, batch_size=1)
    assert said(loaded, chats, batch_size=batch_size) == alone
    assert len({text for texts in alone.values() for text in texts}) > 1


def test_samples_of_a_prompt_come_together_and_differ(loaded, chats):
    torch.manual_seed(0)
    found = said(loaded, chats[:3], batch_size=4, samples=3, temperature=1.0)
    assert sorted(found) == [0, 1, 2] and all(len(texts) == len(set(texts)) == 3 for texts in found.values())


def test_what_is_shared_is_computed_once(loaded, chats):
    model, tokenizer = loaded
    ids = [tokenizer(prompt_text(tokenizer, chat), add_special_tokens=False)["input_ids"] for chat in chats]
    inputs = batch_inputs(model, ids, tokenizer.pad_token_id)
    longest = max(map(len, ids))
    left = inputs["input_ids"].shape[1] - inputs["past_key_values"].get_seq_length()
    assert len(inputs["past_key_values"].layers[0].keys) == len(ids) and left < longest / 4
    assert inputs["attention_mask"].sum(dim=1).tolist() == [len(each) for each in ids]
    shown = [row[mask.bool()].tolist() for row, mask in zip(*list(inputs.values())[:2], strict=True)]
    assert shown == ids
    unlike = [[place] * 20 for place in range(4)]
    assert "past_key_values" not in batch_inputs(model, unlike, tokenizer.pad_token_id)
