"""sft: the loss is on the answer, its </sql> and end token, and on nothing else; by each backend, packed or not."""

from types import SimpleNamespace

import pytest
from transformers import AutoTokenizer

from configs.errors import ConfigError
from configs.schema import Sft
from models.load import add_adapter, load_model, with_template
from models.sources import model_source
from models.template import prompt_ids
from sft.packing import check_packing
from tests.learned import TRACES, config, seen

FEW = {"max_steps": 2, "save_strategy": "no", "warmup_steps": 0}


@pytest.fixture(scope="module")
def expected() -> list[tuple[list[int], list[int]]]:
    """The tokens of each trace, and its labels as they must be."""
    tokenizer = with_template(AutoTokenizer.from_pretrained(model_source("tiny")))
    found = []
    for row in TRACES:
        whole = tokenizer.apply_chat_template(row["messages"], tokenize=True, return_dict=False)
        prompt = prompt_ids(tokenizer, row["messages"][:-1])
        assert whole[: len(prompt)] == prompt
        answer = whole[len(prompt) :]
        said = tokenizer.decode(answer).rstrip()
        assert said.endswith(f"</sql>{tokenizer.eos_token}") and tokenizer.eos_token_id in answer
        found.append((whole, [-100] * len(prompt) + answer))
    return sorted(found)


def apart(batch: dict) -> list[tuple[list[int], list[int]]]:
    """Return the tokens and labels of each trace of a batch; whatever is padding has no label."""
    found = []
    for number, (tokens, labels) in enumerate(zip(batch["input_ids"], batch["labels"], strict=True)):
        if "position_ids" in batch:
            positions = batch["position_ids"][number]
            starts = [place for place, position in enumerate(positions) if position == 0]
            for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
                assert positions[start:end] == list(range(end - start))
                found.append((tokens[start:end], labels[start:end]))
        else:
            length = sum(mask := batch["attention_mask"][number])
            assert mask == [1] * length + [0] * (len(mask) - length)
            assert set(labels[length:]) <= {-100}
            found.append((tokens[:length], labels[:length]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
def test_the_loss_is_computed_on_the_answers_alone(backend, expected, tmp_path):
    model = {"name": "tiny", "backend": backend, "quantization": "none", "dtype": "float32", "max_length": 300}
    ways = [{}, {"packing": True}, {"padding_free": True}, {"train_sampling_strategy": "group_by_length"}]
    sft = [{"micro_batch": 3, "accumulation": 1, "trainer": FEW | way} for way in ways]
    found, said = seen(*(config(tmp_path / str(n), model=model, sft=each) for n, each in enumerate(sft)))
    for way, trained in zip(ways, found, strict=True):
        together = (way.get("packing") or way.get("padding_free")) and backend == "transformers"
        assert len(trained["batches"]) == 2
        for batch in trained["batches"]:
            assert sorted(apart(batch)) == expected
            assert ("position_ids" in batch) == bool(together)
    ours = backend == "transformers"
    assert said.count("Unsloth turned it off here") == (0 if ours else 2)
    assert said.count("packed: 3 traces in 1 rows, none of which sees another") == (1 if ours else 0)
    assert "cross-contamination" not in said


class Rows(list):
    """Rows and columns, as a dataset has them."""

    def __getitem__(self, key):
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


def test_a_model_whose_traces_see_each_other_is_not_packed(tiny, tmp_path, capsys):
    model, _ = load_model(tiny)
    model = add_adapter(model, tiny, seed=0)
    rows = Rows(
        [{"input_ids": list(range(5, 105)), "seq_lengths": [60, 40]}, {"input_ids": [7] * 9, "seq_lengths": [9]}]
    )
    trainer = SimpleNamespace(model=model, train_dataset=rows, args=SimpleNamespace(packing=True))
    cfg = config(tmp_path, model=tiny.model_dump(), sft={"trainer": {"packing": True}})
    check_packing(trainer, cfg)
    assert "packed: 3 traces in 2 rows, none of which sees another" in capsys.readouterr().err
    forward = model.forward  # as in a model with a state that runs through the row
    model.forward = lambda inputs_embeds, **_: forward(inputs_embeds=inputs_embeds)
    with pytest.raises(ConfigError, match=r"sft\.trainer\.packing: the traces of one row see each other in tiny"):
        check_packing(trainer, cfg)


def test_packing_that_cuts_traces_is_refused():
    with pytest.raises(ValueError, match="packing_strategy 'wrapped' cuts traces"):
        Sft(trainer={"packing": True, "packing_strategy": "wrapped"})
