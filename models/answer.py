"""Answers of a model to prompts: in batches, stopped after </sql>."""

import time
from collections.abc import Iterator

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from configs.screen import say
from models.prefix import batch_inputs, families
from models.said import Answer
from models.template import prompt_ids


class AfterSql(StoppingCriteria):
    """Stops a row once it has closed its query, and said `then` tokens more; what follows would not be read."""

    def __init__(self, tokenizer, prompt_tokens: int, then: int = 0) -> None:
        self.tokenizer, self.prompt_tokens, self.then = tokenizer, prompt_tokens, then
        self.stopped_at: dict[int, int] = {}  # row → tokens of its answer; what stands behind them is padding

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: object) -> torch.BoolTensor:
        """Return which of the B rows are done; input_ids: B × tokens so far."""
        said = input_ids[:, self.prompt_tokens : input_ids.shape[1] - self.then]
        tails = self.tokenizer.batch_decode(said[:, -8:])
        done = ["</sql>" in tail for tail in tails]
        for row in (row for row, is_done in enumerate(done) if is_done):
            self.stopped_at.setdefault(row, input_ids.shape[1] - self.prompt_tokens)
        return torch.tensor(done, device=input_ids.device)


def answers(
    model,
    tokenizer,
    prompts: list[list[dict[str, str]]],
    *,
    max_new_tokens: int,
    batch_size: int,
    temperature: float = 0.0,
    samples: int = 1,
) -> Iterator[list[tuple[int, Answer]]]:
    """Yield each batch as (position in `prompts`, answer) pairs, `samples` of them a prompt, one behind the other.

    temperature: of sampling from all tokens; 0: greedy.
    batch_size: answers made at a time; the samples of a prompt are made together.

    Prompts that begin alike share a batch, in which their beginning is computed once (`models.prefix`); the longest
    come first, so that a batch that doesn't fit fails at once.
    """
    model.eval()
    ids = [prompt_ids(tokenizer, prompt) for prompt in prompts]
    order = [place for family in families(ids) for place in family]
    at_a_time = max(1, batch_size // samples)
    for start in range(0, len(order), at_a_time):
        batch = [place for place in order[start : start + at_a_time] for _ in range(samples)]
        answered = _batch(model, tokenizer, [ids[place] for place in batch], max_new_tokens, temperature)
        yield list(zip(batch, answered, strict=True))


def stopping_share(model, tokenizer, prompts: list[list[dict[str, str]]], *, max_new_tokens: int) -> float:
    """Return the share of greedy answers that end by themselves; says so, and what to do where none does.

    A model that was trained without its end token, or not long enough, talks on up to the limit: every later
    stage then pays for the longest answer each time.
    """
    batch = next(answers(model, tokenizer, prompts, max_new_tokens=max_new_tokens, batch_size=len(prompts)))
    stopped = sum(answer.stopped for _, answer in batch)
    say(f"  {stopped} of {len(batch)} answers to validation questions end by themselves within {max_new_tokens} tokens")
    if not stopped:
        say("  none does: train longer, or raise evaluation.max_new_tokens if the traces are longer than that")
    return stopped / len(batch)


def _batch(model, tokenizer, prompts: list[list[int]], max_new_tokens: int, temperature: float) -> list[Answer]:
    begun = time.monotonic()
    inputs = batch_inputs(model, prompts, tokenizer.pad_token_id)
    length = inputs["input_ids"].shape[1]
    ends = end_tokens(model, tokenizer)
    sampling = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            **sampling,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=ends,
            repetition_penalty=1.0,  # some models ship another, which would count for greedy answers too
            stopping_criteria=StoppingCriteriaList([AfterSql(tokenizer, length)]),
        )
    seconds = (time.monotonic() - begun) / len(prompts)
    return [_answer(tokenizer, row[length:].tolist(), ends, seconds) for row in output]


def end_tokens(model, tokenizer) -> list[int]:
    """Return every token that ends an answer: the tokenizer's, and the model's own, of which Llama has three."""
    own = model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})


def _answer(tokenizer, tokens: list[int], ends: list[int], seconds: float) -> Answer:
    end = next((place for place, token in enumerate(tokens) if token in ends), None)
    said = tokens[:end]
    while said and said[-1] == tokenizer.pad_token_id:
        said = said[:-1]
    text = tokenizer.decode(said, skip_special_tokens=True)
    # Behind </sql> there is padding only, even where the padding is the end token: the row was stopped there.
    closed = "</sql>" in text
    ended = end is not None and not closed
    return Answer(text.strip(), len(said) + ended, round(seconds, 4), closed or ended)
