"""models export: each form answers as its adapter, the card says what is true, bad input is one line."""

import io
import json
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.files import file_fingerprint, read_json, write_json
from models import forms
from models.__main__ import main
from models.card import card
from models.export import wanted
from models.load import load_model
from models.proof import greedy_answers, proof_questions, trained_answers
from tests.exported import make_run, random_adapter
from tests.hub import TOKEN, hub
from tests.processes import ROOT, run_light


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory) -> Path:
    """A run with two adapters."""
    return make_run(tmp_path_factory.mktemp("runs"), tiny)


@pytest.fixture(scope="module")
def merged(run) -> Path:
    """Its newest adapter, merged in the type that it was trained in."""
    assert main(["export", str(run), "--to", "merged", "--dtype", "float32", "--questions", "10"]) == 0
    return run / "export" / "merged"


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_merged_model_answers_as_its_adapter(run, merged):
    account = read_json(merged / "export.json")
    assert account["proof"] == {"questions": 10, "same": 10, "adapter_right": 0, "export_right": 0}
    assert (account["stage"], account["dtype"], account["trained_by"]["commit"]) == ("rl", "float32", "abc123")
    assert account["adapter"] == file_fingerprint(run / "rl" / "adapter" / "adapter_model.safetensors")
    other = wanted(str(run), "merged", "sft")
    tasks = proof_questions(other.cfg, 10)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(merged), AutoTokenizer.from_pretrained(merged)
    told = greedy_answers(model, tokenizer, other.cfg, tasks, "merged")
    assert len(set(told)) > 5 and told != trained_answers(other.cfg, other.trained, tasks)  # they do differ
    assert model.dtype == torch.float32 and not hasattr(model, "peft_config")


def test_servers_find_how_to_ask_and_where_to_stop(merged, tiny):
    settings = read_json(merged / "generation_config.json")
    settings.pop("transformers_version")
    assert settings == {"do_sample": False, "bos_token_id": 1, "eos_token_id": [2], "pad_token_id": 2}
    messages = [{"role": "user", "content": "How many?"}]
    ours, theirs = load_model(tiny)[1], AutoTokenizer.from_pretrained(merged)
    assert theirs.apply_chat_template(messages, add_generation_prompt=True) == ours.apply_chat_template(
        messages, add_generation_prompt=True
    )


def test_nothing_of_this_machine_is_in_an_export(run, merged):
    assert sorted(path.name for path in merged.parent.iterdir()) == ["merged"]
    for file in merged.iterdir():
        assert not [path for path in (str(run.parent), str(Path.home()), "/tmp/") if path.encode() in file.read_bytes()]


def test_a_folder_that_is_there_is_kept(run, merged, capsys):
    assert main(["export", str(run), "--to", "merged"]) == 2
    assert "export/merged is there already; delete it, or give another folder with --out" in capsys.readouterr().err


def test_a_stopped_export_leaves_nothing_and_a_killed_ones_rest_is_swept(run, tmp_path):
    left = tmp_path / ".out.partial-4194305"  # no process has this number
    left.mkdir()
    words = ["export", str(run), "--to", "merged", "--out", str(tmp_path / "out")]
    process = subprocess.Popen([sys.executable, "-m", "models", *words], cwd=ROOT, stderr=subprocess.DEVNULL)
    while process.poll() is None and (left.exists() or not [*tmp_path.iterdir()]):
        time.sleep(0.01)
    assert [path.name for path in tmp_path.iterdir()] == [f".out.partial-{process.pid}"]
    process.terminate()
    assert process.wait(60) == 130 and not [*tmp_path.iterdir()]


def test_the_cards_code_runs_and_gives_the_greedy_answer(merged):
    text = (merged / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0].replace("THIS FOLDER", str(merged))
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, {})
    model, tokenizer = AutoModelForCausalLM.from_pretrained(merged), AutoTokenizer.from_pretrained(merged)
    user = text.split("a line `Question: …`:\n\n```\n")[1].split("\n```")[0]
    asked = [{"role": "system", "content": text.split("word for word:\n\n```\n")[1].split("\n```")[0]}]
    asked.append({"role": "user", "content": user})
    from models.answer import answers

    ((_, answer),) = next(answers(model, tokenizer, [asked], max_new_tokens=12, batch_size=1))
    assert printed.getvalue().strip() == answer.text and user.endswith("Question: Which cities are in Norway?")


def test_the_card_tells_how_good_it_is_and_how_it_was_made(merged):
    text = (merged / "README.md").read_text()
    matter = front_matter(text)
    assert matter["license"] == "apache-2.0" and matter["library_name"] == "transformers" and "grpo" in matter["tags"]
    assert "base_model" not in matter  # tiny is nowhere to be had
    assert "30 questions over 2 databases" in text and "| SFT + GRPO | 50.0 | 25.0–75.0 | 60.0 | 100.0 |" in text
    assert "was measured with an earlier adapter" in text  # rl.json has another fingerprint
    assert "10 of 10 greedy answers are the same" in text
    assert "| SFT | 1,234 steps, 8 traces a step |" in text and "commit abc123" in text and "| seed | 0 |" in text
    assert "| rewards | 1 × format\\_strict, 2 × sql\\_execution (gold\\_tables True, variants 2) |" in text
    assert "2,100 for training, 30 for validation" in text
    assert "prompts of 90 to 1,500 characters (half of them under 100), over databases of at most 11 columns" in text


def test_a_card_without_evaluation_and_proof_says_so(run, tmp_path):
    shutil.copytree(run, tmp_path / "made", ignore=shutil.ignore_patterns("evaluation", "export"))
    made = wanted(str(tmp_path / "made"), "lora", "sft")
    text = card(made, {"proof": None})
    assert "This is **SFT**. It has not been evaluated yet." in text and "Not made: the answers" in text
    assert "GRPO" not in text and "SFT on verified traces.\n" in text


HOSTILE = "x](http://evil) | <script>`a` \n---\nlicense: mit"


def test_hostile_names_are_text_and_paths_stay_at_home(tiny, tmp_path):
    (tmp_path / "my_base").mkdir()
    sections = {
        "data": {"source": "jsonl", "path": "/home/ann/questions.jsonl"},
        "distill": {"teacher": "openai", "model": f"/home/ann/{HOSTILE}", "base_url": "http://10.0.0.7/v1"},
        "rl": {"rewards": [{"name": "/home/ann/rewards.py:mine", "params": {"note": HOSTILE, "file": "/home/ann/k"}}]},
        "sft": {"trainer": {"learning_rate": 1e-4, "hub_token": TOKEN, "logging_dir": "/home/ann/logs"}},
    }
    run = make_run(tmp_path / "runs", tiny, **sections)
    made = wanted(str(run), "merged", None)
    folder = str(tmp_path / "my_base")
    local = replace(made, cfg=made.cfg.model_copy(update={"model": tiny.model_copy(update={"name": folder})}))
    text = card(local, {"proof": None})
    matter = front_matter(text)
    assert "license" not in matter and "language" not in matter and matter["pipeline_tag"] == "text-generation"
    assert "my\\_base, taught to write" in text and "Not stated, so that the front matter has no license" in text
    assert "0.5 ×" not in text and "1 × rewards.py:mine (note x\\]\\(http" not in text  # ( is no markup by itself
    assert "x\\](http://evil) \\| \\<script\\>\\`a\\` --- license: mit" in text
    assert text.count("\n---\n") == 1
    for secret in ("/home/ann", str(tmp_path), TOKEN, "10.0.0.7"):
        assert secret not in text
    hub_name = made.cfg.model_copy(update={"model": tiny.model_copy(update={"name": "Qwen/Qwen3-4B"})})
    assert front_matter(card(replace(made, cfg=hub_name), {"proof": None}))["base_model"] == "Qwen/Qwen3-4B"


def test_a_gguf_file_answers_as_its_adapter(run):
    words = ["export", str(run), "--to", "gguf", "--quantization", "f32", "--questions", "10"]
    assert main(words) == 0
    folder = run / "export" / "gguf"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "export.json", "made-F32.gguf"]
    account = read_json(folder / "export.json")
    assert account["proof"]["same"] == 10 and account["quantization"] == "f32"
    assert "llama-server --model made-F32.gguf --jinja --temp 0" in (folder / "README.md").read_text()


def test_the_adapter_alone_is_what_peft_loads(run, tiny):
    assert main(["export", str(run), "--to", "lora", "--stage", "sft", "--questions", "10"]) == 0
    folder = run / "export" / "lora"
    assert read_json(folder / "adapter_config.json")["base_model_name_or_path"] == "tiny"
    weights = "adapter_model.safetensors"
    assert (folder / weights).read_bytes() == (run / "sft" / "adapter" / weights).read_bytes()
    account = read_json(folder / "export.json")
    assert account["stage"] == "sft" and account["proof"]["same"] == 10
    assert "PeftModel.from_pretrained(base" in (folder / "README.md").read_text()


def test_a_base_that_is_quantised_on_the_hub_is_merged_in_16_bit(tiny, tmp_path):
    model, tokenizer = load_model(tiny.model_copy(update={"quantization": "4bit"}))
    pinned = "{%- set date_string = '26 Jul 2024' %}"
    tokenizer.chat_template = "{# strftime_now #}" + tokenizer.chat_template
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "base")
    cfg = tiny.model_copy(update={"name": str(tmp_path / "base")})
    random_adapter(cfg, tmp_path / "adapter", seed=3)
    forms.write_merged(cfg, tmp_path / "adapter", "bfloat16", tmp_path / "merged")
    config = read_json(tmp_path / "merged" / "config.json")
    assert "quantization_config" not in config and config["dtype"] == "bfloat16"
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert {weight.dtype for weight in whole.parameters()} == {torch.bfloat16}
    assert (tmp_path / "merged" / "chat_template.jinja").read_text().startswith(pinned)


def test_an_adapter_of_quantised_weights_is_proven_on_released_ones(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "made", ignore=shutil.ignore_patterns("export"))
    config = read_json(run / "config.json")
    config["config"]["model"]["quantization"] = "4bit"
    write_json(tmp_path / "made" / "config.json", config)
    words = ["--to", "merged", "--dtype", "float32", "--questions", "10"]
    assert main(["export", str(tmp_path / "made"), *words]) == 0
    folder = tmp_path / "made" / "export" / "merged"
    proof = read_json(folder / "export.json")["proof"]
    assert proof["same"] == 10 > proof["evaluated_same"]
    text = (folder / "README.md").read_text()
    assert f"on the quantised weights of training and evaluation it gives {proof['evaluated_same']} of them" in text
    assert "trained and evaluated on weights quantised to 4 bit (NF4)" in text


def test_an_export_that_answers_otherwise_is_told_and_not_sent(run, tmp_path, online, monkeypatch, capsys):
    def other(cfg, adapter, dtype, folder) -> None:
        write_merged(cfg, run / "sft" / "adapter", dtype, folder)

    write_merged = forms.write_merged
    monkeypatch.setattr(forms, "write_merged", other)
    out = tmp_path / "out"
    words = ["--to", "merged", "--dtype", "float32", "--questions", "10", "--out", str(out)]
    assert main(["export", str(run), *words]) == 1
    told = capsys.readouterr().err
    same = read_json(out / "export.json")["proof"]["same"]
    assert same < 9 and f"{same} of 10 greedy answers are the same" in told and "less than 90 %" in told
    assert "the first other answer, to " in told and "  trained: '" in told
    assert f"{same} of 10 greedy answers are the same" in (out / "README.md").read_text()
    with hub() as here:
        online(here.url)
        words[1] = "hub"
        assert main(["export", str(run), *words, "--repo", "ann/plans"]) == 2
    assert "doesn't answer as its adapter, so it is not sent" in capsys.readouterr().err and not here.commits


def test_the_merged_model_goes_to_the_hub_in_one_commit(run, merged, online, capsys):
    with hub() as here:
        online(here.url)
        words = ["--to", "hub", "--dtype", "float32", "--repo", "ann/plans", "--private"]
        assert main(["export", str(run), *words]) == 0
        here.refuses["/api/models/ann/plans/commit/main"] = 403
        assert main(["export", str(run), *words]) == 2
    told = capsys.readouterr().err
    assert f"{merged} → {here.url}/ann/plans" in told and "--repo ann/plans: " in told and TOKEN not in told
    assert here.created[0]["visibility"] == "private"
    ((title, files),) = here.commits
    assert title == "made: rl, merged in float32"
    assert set(files) == {path.name for path in merged.iterdir()}
    assert files["model.safetensors"] == (merged / "model.safetensors").read_bytes()
    text = files["README.md"].decode()
    assert '.from_pretrained("ann/plans")' in text and "# plans\n" in text
    assert all(TOKEN.encode() not in content and str(run).encode() not in content for content in files.values())


def test_a_merged_folder_of_another_adapter_is_not_sent(run, merged, online, capsys):
    with hub() as here:
        online(here.url)
        assert main(["export", str(run), "--to", "hub", "--repo", "ann/plans", "--stage", "sft"]) == 2
    assert "is of rl in float32" in capsys.readouterr().err and not here.commits


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--to", "merged"], "no run 'nowhere'"),
        (["RUN", "--to", "hub"], "--to hub and --repo OWNER/NAME go together"),
        (["RUN", "--to", "merged", "--repo", "a/b"], "--to hub and --repo OWNER/NAME go together"),
        (["RUN", "--to", "lora", "--quantization", "q8_0"], "--quantization is for --to gguf"),
        (["RUN", "--to", "gguf", "--dtype", "float16"], "--dtype is for --to merged"),
        (
            ["RUN", "--to", "gguf", "--quantization", "q4_k_m"],
            "llama-quantize, which is not on PATH; without it there are",
        ),
        (["RUN", "--to", "merged", "--stage", "sft"], "no adapter there"),
    ],
)
def test_bad_input_is_one_line_before_anything_heavy(words, said, tmp_path):
    write_json(tmp_path / "made" / "config.json", {"config": {"name": "made", "model": {"name": "tiny"}}})
    words = [str(tmp_path / "made") if word == "RUN" else word for word in words]
    if "sft" not in words:
        lora = {"base_model_name_or_path": "tiny", "r": 16, "lora_alpha": 32, "use_rslora": False}
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        folder = tmp_path / "made" / "sft" / "adapter"
        write_json(folder / "adapter_config.json", lora | {"target_modules": targets})
        (folder / "adapter_model.safetensors").touch()
    done = run_light("models", "export", *words)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_quantiser_on_the_path_is_used_and_its_failure_is_one_line(run, tmp_path, monkeypatch, capsys):
    program = tmp_path / "bin" / "llama-quantize"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$3" = Q4_K_M ] && cp "$1" "$2" || { echo "unknown kind" >&2; exit 1; }\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    words = ["export", str(run), "--to", "gguf", "--questions", "2", "--out", str(tmp_path / "out"), "--quantization"]
    assert main([*words, "q6_k"]) == 2
    assert "llama-quantize failed with status 1: unknown kind" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]
    assert main([*words, "q4_k_m"]) == 0
    assert json.loads((tmp_path / "out" / "export.json").read_text())["quantization"] == "q4_k_m"
    assert [path.name for path in (tmp_path / "out").glob("*.gguf")] == ["made-Q4_K_M.gguf"]
