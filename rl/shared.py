"""GRPO in which the answers to one prompt share the work on it: a prompt is read once a group, not once an answer.

In shapes: P prompts, G answers of each, B = P × G rows; L tokens of a prompt, C of an answer.  Reading costs
P·L + B·C token passes in place of B·(L + C), in generation and in learning alike, and the numbers stay the same.
"""

from types import SimpleNamespace

import torch
from transformers import DynamicCache, StoppingCriteriaList
from trl.trainer.utils import pad, split_tensor_dict

from models.answer import AfterSql
from rl.ends import EndsAtSql


class SharedPrompts(EndsAtSql):
    """TRL's trainer for a text model without vLLM, with shared prompts."""

    def _prepare_inputs(self, generation_batch):
        """Return the next micro batch, as TRL does, but with the answers to one prompt side by side."""
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        every = self.args.steps_per_generation * self.num_iterations
        if self._step % every == 0 or self._buffered_inputs is None:
            scored = self._generate_and_score_completions(generation_batch)
            self._buffered_inputs = split_tensor_dict(scored, self.args.steps_per_generation)
        return self._buffered_inputs[self._step % self.args.steps_per_generation]

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, num_generations, has_tool_images=False):
        """Return the answers' tokens, B lists; they end with the end token, one token after </sql>, or at the limit."""
        prompts, rows = _unique(prompt_ids)
        tensors = [torch.tensor(ids) for ids in prompts]
        token = self._tokenizer.pad_token_id
        ids = pad(tensors, padding_value=token, padding_side="left").to(self.accelerator.device)
        mask = pad([torch.ones_like(one) for one in tensors], padding_value=0, padding_side="left").to(ids.device)
        model = self.accelerator.unwrap_model(self.model_wrapped)
        training = model.training
        model.eval()
        with torch.no_grad():
            cache = DynamicCache(config=model.config)
            places = (mask.cumsum(dim=1) - 1).clamp(min=0)  # as `generate` numbers them
            read = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
            model(**{key: each[:, :-1] for key, each in read.items()}, past_key_values=cache, logits_to_keep=1)
            cache.batch_select_indices(torch.tensor(rows, device=ids.device))
            after = AfterSql(self._tokenizer, ids.size(1), then=1)
            said = model.generate(
                input_ids=ids[rows],
                attention_mask=mask[rows],
                past_key_values=cache,
                generation_config=self.generation_config,
                stopping_criteria=StoppingCriteriaList([after]),
            )[:, ids.size(1) :]
        model.train(training)
        stopped = (row[: after.stopped_at.get(place)] for place, row in enumerate(said.tolist()))
        return [_until_end(row, self.eos_token_ids) for row in stopped], None

    def _full_logits_logps(self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, **options):
        """Return log-probabilities and entropies of the answers' tokens, B × C, as TRL does."""
        if self.args.gradient_checkpointing:  # it cannot keep what the prompt's pass leaves for the answers
            return super()._full_logits_logps(model, input_ids, attention_mask, logits_to_keep, batch_size, **options)

        config = self.accelerator.unwrap_model(model).config

        def shared(input_ids, attention_mask, logits_to_keep, use_cache=False) -> SimpleNamespace:
            logits = shared_logits(model, config, input_ids, attention_mask, logits_to_keep - 1)
            return SimpleNamespace(logits=logits)

        return super()._full_logits_logps(shared, input_ids, attention_mask, logits_to_keep, batch_size, **options)


def shared_logits(model, config, ids: torch.Tensor, mask: torch.Tensor, answer: int) -> torch.Tensor:
    """Return the logits that predict the last `answer` tokens, and the one after them: B × (answer + 1) × V.

    ids, mask: B × (L + answer), prompts padded on the left, answers on the right; equal prompts are read once.
    """
    start = int(mask[:, :-answer].any(dim=0).int().argmax())  # columns that are padding in every row
    prompts, prompt_masks = ids[:, start:-answer], mask[:, start:-answer]
    _, rows = torch.unique(torch.cat([prompts, prompt_masks], dim=1), dim=0, return_inverse=True)
    firsts = torch.stack([(rows == row).nonzero()[0, 0] for row in range(int(rows.max()) + 1)])
    cache = DynamicCache(config=config)
    read = model(
        input_ids=prompts[firsts],
        attention_mask=prompt_masks[firsts],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits
    cache.batch_select_indices(rows)
    said = model(
        input_ids=ids[:, -answer:], attention_mask=mask[:, start:], past_key_values=cache, use_cache=True
    ).logits
    return torch.cat([read[rows], said], dim=1)


def _unique(prompts: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """Return the different prompts in their order, and for each prompt which of them it is.

    >>> _unique([[1], [1], [2], [1]])
    ([[1], [2]], [0, 0, 1, 0])
    """
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    return [list(prompt) for prompt in places], [places[tuple(prompt)] for prompt in prompts]


def _until_end(tokens: list[int], ends: list[int]) -> list[int]:
    """Return an answer's tokens up to its end token, that included.

    >>> _until_end([5, 6, 2, 0, 0], ends=[2]), _until_end([5, 6], ends=[2])
    ([5, 6, 2], [5, 6])
    """
    return next((tokens[: place + 1] for place, token in enumerate(tokens) if token in ends), tokens)
