"""models: templates that can teach, adapters that come back, answers that stop, checkpoints that are whole."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from configs.errors import ConfigError
from configs.files import append_jsonl, read_json, read_jsonl, write_json
from configs.schema import Config
from configs.stage import begin
from models.adapter import check_adapter
from models.answer import answers
from models.load import add_adapter, load_adapter, load_model, name_base
from models.progress import forget_after, last_checkpoint, save_trained
from models.sources import CHATML, model_source
from models.template import check_template, prompt_text


@pytest.fixture(scope="module")
def loaded(tiny):
    """The tiny model and its tokenizer."""
    return load_model(tiny)


def with_template(tokenizer, template: str | None):
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    return changed


def test_the_tiny_models_template_can_teach(loaded):
    _, tokenizer = loaded
    check_template(tokenizer)
    assert tokenizer.padding_side == "left" and tokenizer.eos_token == "<|im_end|>"
    prompt = prompt_text(tokenizer, [{"role": "user", "content": "How many?"}])
    assert prompt == "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (None, "no chat template"),
        (CHATML.replace("assistant\n' }}", "assistant\n<think>\n' }}"), "changes the prompt|opens <think>"),
        (CHATML.replace("<|im_end|>", ""), r"puts no <\|im_end\|> after an answer"),
        (CHATML.replace("message['content']", "message['content'].split('</think>')[-1]"), "changes the answer"),
        ("{% if messages[-1]['role'] == 'user' %}Answer!{% endif %}" + CHATML, "changes the prompt"),
    ],
    ids=["none", "opens think", "no end", "drops the plan", "prompt no prefix"],
)
def test_a_template_that_would_teach_the_wrong_thing_is_refused(loaded, template, complaint):
    with pytest.raises(ConfigError, match=complaint) as caught:
        check_template(with_template(loaded[1], template))
    assert "\n" not in str(caught.value)


def test_a_model_folder_that_is_not_there_is_one_line(tiny):
    with pytest.raises(ConfigError, match=r"model\.name: no folder \./nowhere; give a hub name") as caught:
        load_model(tiny.model_copy(update={"name": "./nowhere"}))
    assert "\n" not in str(caught.value)


def test_a_hub_name_that_cannot_be_had_is_one_line(tiny):
    with pytest.raises(ConfigError, match=r"model\.name: cannot load 'nobody/nothing': .*HF_TOKEN") as caught:
        load_model(tiny.model_copy(update={"name": "nobody/nothing"}))
    assert "\n" not in str(caught.value)


def test_a_model_is_made_once(tiny, loaded, monkeypatch):
    monkeypatch.setattr("models.sources.MADE_HERE", {"tiny": None})  # making it again would fail
    assert read_json(Path(model_source("tiny"), "config.json"))["hidden_size"] == 64


def a_trained_adapter(tiny, folder) -> dict[str, torch.Tensor]:
    """Save an adapter that is not a new one, and return its weights."""
    model, tokenizer = load_model(tiny)
    model = add_adapter(model, tiny, seed=0)
    name_base(model, tiny)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    save_trained(model, tokenizer, folder)
    return {name: parameter.data for name, parameter in model.named_parameters() if "lora_" in name}


@pytest.fixture(scope="module")
def adapter(tiny, tmp_path_factory):
    """A saved adapter and the weights that it should have."""
    folder = tmp_path_factory.mktemp("saved") / "adapter"
    return folder, a_trained_adapter(tiny, folder)


def test_an_adapter_comes_back_as_it_was_saved(tiny, adapter):
    folder, weights = adapter
    model, _ = load_model(tiny)
    model = add_adapter(model, tiny, seed=1)
    assert not all(torch.equal(model.get_parameter(name), weight) for name, weight in weights.items())
    load_adapter(model, folder, tiny)
    assert len(weights) == 2 * 2 * 7  # layers × A and B × linear layers
    assert all(torch.equal(model.get_parameter(name), weight) for name, weight in weights.items())
    assert {name for name, each in model.named_parameters() if each.requires_grad} == weights.keys()


def test_a_saved_adapter_names_its_base_as_the_config_does(adapter):
    assert read_json(adapter[0] / "adapter_config.json")["base_model_name_or_path"] == "tiny"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "smollm2-135m"}, r"trained with model\.name = tiny, the config says smollm2-135m"),
        ({"r": 8}, r"trained with model\.lora\.r = 4, the config says 8"),
        ({"alpha": 1}, r"model\.lora\.alpha = 8, the config says 1"),
        ({"targets": ["q_proj"]}, r"model\.lora\.targets = .*, the config says \['q_proj'\]"),
    ],
)
def test_an_adapter_of_another_model_or_shape_is_refused(tiny, adapter, change, complaint):
    other = tiny.model_copy(update=change)
    if "name" not in change:
        other = tiny.model_copy(update={"lora": tiny.lora.model_copy(update=change)})
    with pytest.raises(ConfigError, match=complaint) as caught:
        check_adapter(adapter[0], other)
    assert "\n" not in str(caught.value)


def test_a_folder_without_an_adapter_is_refused(tiny, tmp_path):
    with pytest.raises(ConfigError, match="no adapter there"):
        check_adapter(tmp_path, tiny)
    (tmp_path / "adapter_model.safetensors").touch()
    (tmp_path / "adapter_config.json").write_text('{"r": 4, "lora_')
    with pytest.raises(ConfigError, match=r"adapter_config\.json: not JSON"):
        check_adapter(tmp_path, tiny)


def test_an_adapter_is_saved_whole_or_not_at_all(tiny, tmp_path):
    begun = begin(Config(name="trial", runs=str(tmp_path)), "sft", {}, {})
    folder = begun.folder / "adapter"
    a_trained_adapter(tiny, folder)
    before = load_file(folder / "adapter_model.safetensors")

    class Cut:
        """A tokenizer whose save is cut short."""

        def save_pretrained(self, _folder):
            raise KeyboardInterrupt

    model, tokenizer = load_model(tiny)
    model = add_adapter(model, tiny, seed=3)
    with pytest.raises(KeyboardInterrupt):
        save_trained(model, Cut(), folder)
    after = load_file(folder / "adapter_model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert begin(Config(name="trial", runs=str(tmp_path)), "sft", {}, {}).status == "resume"
    save_trained(model, tokenizer, folder)
    assert {path.name for path in begun.folder.iterdir()} == {"adapter", "state.json"}  # nothing half-written is left
    after = load_file(folder / "adapter_model.safetensors")
    assert not all(torch.equal(before[name], after[name]) for name in before)


def asked(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def test_a_batch_answers_as_each_prompt_would_alone(tiny, adapter):
    model, tokenizer = load_model(tiny)
    model = add_adapter(model, tiny, seed=0)  # random, and not of use: without it each answer repeats one token
    load_adapter(model, adapter[0], tiny)
    prompts = asked("How many?", "Which of the stations have no trip at all, by name?", "Name " * 40, "Who?")
    together = dict(
        pair for batch in answers(model, tokenizer, prompts, max_new_tokens=12, batch_size=3) for pair in batch
    )
    assert sorted(together) == [0, 1, 2, 3]
    for index, prompt in enumerate(prompts):
        inputs = tokenizer(prompt_text(tokenizer, prompt), return_tensors="pt", add_special_tokens=False)["input_ids"]
        alone = model.generate(
            input_ids=inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=12, do_sample=False
        )
        tokens = alone[0, inputs.shape[1] :].tolist()
        assert together[index].text == tokenizer.decode(tokens, skip_special_tokens=True).strip()
        assert together[index].tokens == len(tokens)
        assert together[index].stopped == (tokens[-1] == tokenizer.eos_token_id)
    assert len({answer.text for answer in together.values()}) > 1


def test_the_longest_prompts_come_first(loaded):
    model, tokenizer = loaded
    prompts = asked("a", "a " * 30, "a " * 10)
    order = [i for batch in answers(model, tokenizer, prompts, max_new_tokens=1, batch_size=2) for i, _ in batch]
    assert order == [1, 2, 0]


def test_the_newest_whole_checkpoint_is_found_and_a_cut_one_removed(tmp_path, capsys):
    for step in (5, 10, 100):
        write_json(tmp_path / f"checkpoint-{step}" / "trainer_state.json", {"global_step": step})
    (tmp_path / "checkpoint-100" / "trainer_state.json").unlink()
    (tmp_path / "checkpoint-100" / "adapter_model.safetensors").touch()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert "from the checkpoint of step 10" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint-100").exists()
    (tmp_path / "checkpoint-10" / "trainer_state.json").write_text('{"global_step": 1')
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-5")
    assert last_checkpoint(tmp_path / "checkpoint-5") is None


def test_rows_after_the_checkpoint_are_forgotten_and_a_cut_row_too(tmp_path):
    path = tmp_path / "metrics.jsonl"
    forget_after(path, 4)  # nothing there yet
    for step in (2, 4, 6):
        append_jsonl(path, {"step": step})
    with path.open("a") as file:
        file.write('{"step": 8, "lo')
    forget_after(path, 4)
    assert read_jsonl(path) == [{"step": 2}, {"step": 4}]
