"""GRPO whose answers end with </sql>, however they are generated: what follows would be paid for and not be read."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import StoppingCriteriaList
from trl import GRPOTrainer

from models.answer import AfterSql


class EndsAtSql(GRPOTrainer):
    """TRL's trainer, or Unsloth's, with answers that end with </sql>, or a token after it.

    TRL knows an answer's end by its last token alone, and would count one that was stopped at </sql> as cut.
    """

    def _generate_single_turn(self, *args, **options):
        """Return the answers' tokens, and their log-probabilities where vLLM gives them."""
        with self._stopping():
            said, logprobs = super()._generate_single_turn(*args, **options)
        lengths = [self._length(tokens) for tokens in said]
        said = [tokens[:length] for tokens, length in zip(said, lengths, strict=True)]
        if logprobs is not None:
            logprobs = [some[:length] for some, length in zip(logprobs, lengths, strict=True)]
        return said, logprobs

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Have the model's own `generate` stop the rows that are done."""
        model = self.accelerator.unwrap_model(self.model_wrapped)
        generate, own = model.generate, "generate" in vars(model)

        def stopping(*args, **options):
            after = AfterSql(self._tokenizer, options["input_ids"].size(1), then=1)
            return generate(*args, **options, stopping_criteria=StoppingCriteriaList([after]))

        model.generate = stopping
        try:
            yield
        finally:
            if own:
                model.generate = generate
            else:
                del model.generate

    def _length(self, tokens: list[int]) -> int:
        """Return how many tokens an answer has up to the one after </sql>."""
        if "</sql>" not in self._tokenizer.decode(tokens):
            return len(tokens)
        ends = (at for at in range(1, len(tokens)) if "</sql>" in self._tokenizer.decode(tokens[max(0, at - 8) : at]))
        return min(next(ends, len(tokens)) + 1, len(tokens))

    def _generate_and_score_completions(self, inputs):
        """Return the batch to learn from; an answer that ended with </sql> is not taken for one cut at the limit."""
        masks, self.mask_truncated_completions = self.mask_truncated_completions, False  # TRL would mask it, too
        try:
            scored = super()._generate_and_score_completions(inputs)
        finally:
            self.mask_truncated_completions = masks
        mask = scored["completion_mask"]
        cut = self._cut(scored["completion_ids"], mask)
        self._count_ends(cut, mask.sum(dim=1))
        if masks:
            mask = mask * (~cut).unsqueeze(1).to(mask)
            total = self.accelerator.gather(mask.sum()).sum()
            scored |= {"completion_mask": mask, "num_items_in_batch": total}
        return scored

    def _cut(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return which of the B answers were cut at the limit: no end token and no </sql>."""
        ended = (torch.isin(ids, torch.tensor(self.eos_token_ids, device=ids.device)) & mask.bool()).any(dim=1)
        closed = ["</sql>" in text for text in self._tokenizer.batch_decode(ids)]
        return ~(ended | torch.tensor(closed, device=ids.device))

    def _count_ends(self, cut: torch.Tensor, lengths: torch.Tensor) -> None:
        """Log the share of all processes' answers that were cut, and the lengths of the others, in place of TRL's."""
        cut, lengths = self.accelerator.gather(cut), self.accelerator.gather(lengths)
        ended = lengths[~cut].float() if not cut.all() else torch.zeros(1)
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["completions/clipped_ratio"][-1] = cut.float().mean().item()
        for name in ("mean", "min", "max"):
            metrics[f"completions/{name}_terminated_length"][-1] = getattr(ended, name)().item()
