"""The README.md of an export: how to ask it, what it was made of, how good it is, and what it can't do."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl
from configs.markdown import Plain, fenced, filled
from configs.schema import Config
from models.export import Wanted
from models.proof import told
from models.recipe import data_facts, recipe
from models.sources import MADE_HERE, needs_no_hub
from models.trained import kind
from sandbox import database_file
from tasks.origin import LICENCES, ON_THE_HUB
from tasks.prompt import SYSTEM, messages
from tasks.task import Task
from tasks.trace import render

NAMES = {"base": "base", "sft": "SFT", "rl": "SFT + GRPO", "gold": "gold queries"}
PUBLISHED = {"smollm2-135m": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
"""What a model that is made here is on the hub, and its licence."""
ANSWERS = {
    "plan": "a query plan in words and the SQL that follows from it",
    "cot": "its reasoning and the SQL that follows from it",
    "sql_only": "SQL",
}
EXAMPLE = (
    "CREATE TABLE country (id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country_id INTEGER REFERENCES country(id), people INTEGER);"
    "INSERT INTO country VALUES (1, 'Norway'), (2, 'Italy');"
    "INSERT INTO city VALUES (1, 'Oslo', 1, 700000), (2, 'Rome', 2, 2800000);"
)
QUESTION = "Which cities are in Norway?"
HELD_OUT = {"databases": "that it was not trained on", "questions": "that it was trained on with other questions"}
SCORES = {"questions", "databases", "ex", "ex_interval", "ex_bird", "runs"}
LIBRARY = {"merged": "transformers", "lora": "peft", "gguf": "gguf"}


def card(made: Wanted, account: Mapping, repo: str | None = None) -> str:
    """Return the card of an export.

    account: what its export.json says.  repo: its name on the hub, where it goes there.
    """
    cfg = made.cfg
    system, user = _example(cfg)
    metrics = _metrics(made)
    return filled(
        Path(__file__).with_name("card.md"),
        front_matter=Plain(_front_matter(made)),
        name=(repo or cfg.name).rpartition("/")[2],
        base=base_name(cfg),
        answers=ANSWERS[cfg.data.answer],
        stages="SFT on verified traces"
        + (", then GRPO with rewards from running the SQL" if made.stage == "rl" else ""),
        system=fenced(system),
        user=fenced(user),
        schema_style="one table a line" if cfg.data.schema_style == "ddl" else "in M-Schema",
        examples=f"with up to {cfg.data.sample_values} example values a column"
        if cfg.data.sample_values
        else "without example values",
        form=fenced(render("…" if cfg.data.answer != "sql_only" else "", "SELECT …")),
        sample=_sample(made, repo, system, user),
        to=made.form,
        rank=cfg.model.lora and cfg.model.lora.r,
        this=NAMES[made.stage],
        asked="answered greedily" if not cfg.evaluation.temperature else _sampled(cfg),
        judge=Plain(cfg.evaluation.judge),
        held_out=HELD_OUT[cfg.data.split],
        proof=_proof(account, kind(cfg.model)),
        recipe=recipe(made),
        data=data_facts(made),
        prompt_lengths=_prompt_lengths(made),
        max_columns=cfg.data.max_columns,
        quantised=_quantised(made),
        licence=_licence(cfg),
        **metrics,
    )


def base_name(cfg: Config) -> str:
    """Return what the base model is called, without the folder that it lies in."""
    name = cfg.model.name
    return on_hub(name) or (f"planql's {name}" if name in MADE_HERE else Path(name).name)


def on_hub(name: str) -> str | None:
    """Return what the hub calls a base model; None for one that is not there."""
    if name in PUBLISHED:
        return PUBLISHED[name][0]
    return None if name.startswith((".", "/", "~")) or needs_no_hub(name) else name


def _front_matter(made: Wanted) -> str:
    cfg = made.cfg
    name = cfg.model.name
    base = on_hub(name)
    relation = {"lora": "adapter", "gguf": "quantized", "merged": "finetune"}[made.form]
    data = {
        "license": licence(cfg),
        "base_model": base,
        "base_model_relation": relation if base else None,
        "pipeline_tag": "text-generation",
        "library_name": LIBRARY[made.form],
        "language": ["en"] if cfg.data.source in LICENCES else None,
        "datasets": [ON_THE_HUB[cfg.data.source]] if cfg.data.source in ON_THE_HUB else None,
        "tags": [
            "text-to-sql",
            "sql",
            "sqlite",
            "query-plan",
            "planql",
            *(["grpo"] if made.stage == "rl" else ["sft"]),
        ],
    }
    return yaml.safe_dump({key: value for key, value in data.items() if value is not None}, sort_keys=False)


def licence(cfg: Config) -> str | None:
    """Return the licence where every part's is known to be the same; None where a person has to say."""
    own = cfg.model.name in MADE_HERE and cfg.data.source == "sample" and cfg.distill.teacher == "plan"
    return "apache-2.0" if own else None


def _licence(cfg: Config) -> str:
    if licence(cfg):
        return "Apache-2.0: that of the base model, of the questions and of what taught it."
    source = LICENCES.get(cfg.data.source)
    asked = f" ({source})" if source else ""
    return (
        "Not stated, so that the front matter has no license: it follows from that of the base model, of the questions"
        f"{asked} and from the terms of the teacher, which the publisher has to look up."
    )


def _example(cfg: Config) -> tuple[str, str]:
    """Return the system and the user message that ask about a small database, as the model was trained to be asked."""
    task = Task("example", QUESTION, "", "", str(database_file(EXAMPLE)), "L1")
    asked = messages(task, cfg.data.schema_style, cfg.data.sample_values, cfg.data.answer)
    database = Path(task.database).stem
    return SYSTEM[cfg.data.answer], asked[1]["content"].replace(database, "world")


def _sample(made: Wanted, repo: str | None, system: str, user: str) -> Plain:
    """Return code that asks the model, to be copied."""
    place = json.dumps(repo or "THIS FOLDER", ensure_ascii=False)
    base = json.dumps(on_hub(made.cfg.model.name) or "FOLDER OF THE BASE MODEL", ensure_ascii=False)
    longest = made.cfg.evaluation.max_new_tokens
    if made.form == "gguf":
        return fenced(f"llama-server --model {made.file} --jinja --temp 0 --predict {longest}", "sh")
    load = {
        "merged": f"tokenizer = AutoTokenizer.from_pretrained({place})\n"
        f'model = AutoModelForCausalLM.from_pretrained({place}, dtype="auto")',
        "lora": f"tokenizer = AutoTokenizer.from_pretrained({place})\n"
        f'base = AutoModelForCausalLM.from_pretrained({base}, dtype="auto")\n'
        f"model = PeftModel.from_pretrained(base, {place})",
    }[made.form]
    peft = "from peft import PeftModel\n" if made.form == "lora" else ""
    return fenced(
        f"{peft}from transformers import AutoModelForCausalLM, AutoTokenizer\n\n{load}\n"
        "messages = [\n"
        f'    {{"role": "system", "content": {json.dumps(system, ensure_ascii=False)}}},\n'
        f'    {{"role": "user", "content": {json.dumps(user, ensure_ascii=False)}}},\n'
        "]\n"
        "inputs = tokenizer.apply_chat_template(\n"
        '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"\n)\n'
        f"output = model.generate(**inputs, max_new_tokens={longest}, do_sample=False)\n"
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
        "python",
    )


def _metrics(made: Wanted) -> dict[str, object]:
    """Return the rows of evaluation's summary; `measured`: these very weights are what its row is of."""
    folder = made.run / "evaluation"
    if not (folder / "summary.json").exists():
        return {"metrics": []}
    summary = {name: row for name, row in read_json(folder / "summary.json").items() if name in NAMES}
    for name, row in summary.items():
        if not isinstance(row, dict) or not row.keys() >= SCORES:
            raise ConfigError(
                f"{folder / 'summary.json'}: {name!r} lacks scores; run evaluation again, or remove the file"
            )
    if not summary:
        return {"metrics": []}
    row = summary.get(made.stage) or next(iter(summary.values()))
    return {
        "metrics": [_row(name, summary[name]) for name in NAMES if name in summary],
        "measured": made.stage not in summary or _measured(folder, made.stage) == made.fingerprint,
        "questions": f"{int(row['questions']):,}",
        "databases": f"{len(row['databases']):,}",
    }


def _measured(folder: Path, stage: str) -> str | None:
    """Return the fingerprint of the weights that a row of the summary is of."""
    file = folder / f"{stage}.json"
    return read_json(file).get("adapter") if file.exists() else None


def _row(name: str, row: Mapping) -> dict[str, str]:
    low, high = row["ex_interval"]
    shares = {"ex": row["ex"], "low": low, "high": high, "bird": row["ex_bird"], "runs": row["runs"]}
    return {"name": NAMES[name]} | {key: f"{100 * share:.1f}" for key, share in shares.items()}


def _sampled(cfg: Config) -> str:
    """Return how evaluation sampled."""
    at = f"sampled at temperature {cfg.evaluation.temperature:g}"
    most = f"; of {cfg.evaluation.samples} answers the one whose rows most have counts"
    return f"{at}{most}" if cfg.evaluation.samples > 1 else at


def _proof(account: Mapping, trained: str) -> str:
    if not account["proof"]:
        return "Not made: the answers of this export were compared with no others."
    text = told(account["proof"], trained)
    files = "these files"
    if account["form"] == "gguf":
        files = "this file (weights and tokenizer; by transformers, not by llama.cpp, with the merged model's settings)"
    return f"On test questions of the data below, loaded anew from {files}, {text}."


def _prompt_lengths(made: Wanted) -> str:
    """Return how long the prompts were that it learned from, in characters."""
    file = made.run / "distill" / "traces.jsonl"
    lengths = sorted(len(row["messages"][1]["content"]) for row in read_jsonl(file)) if file.exists() else []
    if not lengths:
        return f"at most {made.cfg.model.max_length:,} tokens with the answer"
    return f"{lengths[0]:,} to {lengths[-1]:,} characters (half of them under {lengths[len(lengths) // 2]:,})"


def _quantised(made: Wanted) -> str | None:
    return {"4bit": "4 bit (NF4)", "8bit": "8 bit"}.get(made.cfg.model.quantization)
