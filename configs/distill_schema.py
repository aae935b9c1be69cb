"""The section `distill` of a run: which questions are asked, whom, how often and at what price."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from configs.strict import Strict


class EvaluationSet(Strict):
    """Questions that a score will be published on: nothing is learned from what stands too near to them."""

    source: Literal["sample", "spider", "bird", "kaggledbqa", "gretel", "jsonl"]
    """Loader, as in data.source."""
    path: str | None = None
    """Folder or file, as in data.path; of a folder the published test or development part is read."""
    databases: str | None = None
    """As data.databases."""
    columns: dict[str, str] = {}
    """As data.columns."""

    @model_validator(mode="after")
    def _files_need_a_path(self) -> "EvaluationSet":
        if self.source != "sample" and not self.path:
            raise ValueError(f"source {self.source!r} needs a path, where its files are")
        return self


class Distill(Strict):
    """Stage 1: questions → verified traces."""

    teacher: Literal["plan", "openai", "inference_endpoints", "vllm", "transformers", "llamacpp"] = "plan"
    """`plan` writes the trace from the gold SQL, free and offline; `openai` asks a server with OpenAI's protocol and
    `inference_endpoints` Hugging Face's, which has it too; `vllm`, `transformers` and `llamacpp` load a model here."""
    model: str | None = None
    """The teacher's model: as its server knows it, a hub name, a folder, or a GGUF file (all but plan)."""
    options: dict[str, Any] = {}
    """Passed through: to a server as more keys of each request, else to distilabel's class of the teacher."""
    generations: int = Field(1, ge=1, le=64)
    """Answers to a question that are asked for at once; the shortest that is verified is kept."""
    retries: int = Field(0, ge=0, le=16)
    """How often a question without a verified answer is asked again, told why the last one was rejected."""
    input_price: float | None = Field(None, ge=0)
    """Price of a million tokens of prompts, dollars."""
    output_price: float | None = Field(None, ge=0)
    """Price of a million tokens of answers, dollars."""
    max_dollars: float | None = Field(None, gt=0)
    """What the answers of a run may cost, dollars; nothing is asked that could cost more."""
    base_url: str | None = None
    """Address of the server, as http://host:port/v1; none: OPENAI_BASE_URL from the environment, or the usual one."""
    api_key_env: str | None = None
    """Environment variable that holds the key, which never stands in a file; none: OPENAI_API_KEY, or HF_TOKEN."""
    temperature: float = Field(0.7, ge=0, le=2)
    """Sampling temperature of the teacher (all but plan)."""
    max_new_tokens: int = Field(2048, ge=16)
    """Longest answer of the teacher, tokens (all but plan)."""
    traces: int = Field(1000, ge=1)
    """Verified traces wanted for training."""
    validation_traces: int = Field(100, ge=0)
    """Verified traces wanted for the validation loss, from the validation databases."""
    levels: dict[Literal["L1", "L2", "L3", "L4"], Annotated[float, Field(gt=0)]] = {
        "L1": 0.25,
        "L2": 0.25,
        "L3": 0.25,
        "L4": 0.25,
    }
    """Target share of each level; {}: as the questions come."""
    per_query: int | None = Field(None, ge=1)
    """Questions that may ask one database for the same query, constants and all, at most; none: any number."""
    decontaminate: list[EvaluationSet] = []
    """Evaluation sets, besides the run's own test split, whose like is not learned from."""
    schema_overlap: float = Field(0.8, gt=0, le=1)
    """Left out are databases that share this part of all table.column names (Jaccard index) with an evaluated one."""
    variants: int = Field(0, ge=0, le=32)
    """Changed copies of its database on which a trace's query must give the gold rows too; 4 find out most luck."""
    detail: Literal["short", "full"] = "full"
    """How long a plan the `plan` teacher writes: `short` is terse (for tiny models), `full` explains."""
    repair_share: float = Field(0.0, ge=0, le=1)
    """Share of the `plan` teacher's traces that first write a wrong query, run it and say what is wrong with it."""
    ray: bool = False
    """Run on Ray: the cluster that RAY_ADDRESS names, whose machines have planql and the same folders, or one here."""
    replicas: int = Field(1, ge=1)
    """Copies of the teacher, and of the verification, that work side by side."""
    batch_size: int = Field(50, ge=1)
    """Questions per distilabel batch; an interrupted run loses at most two."""

    @model_validator(mode="after")
    def _teachers_have_what_they_need(self) -> "Distill":
        if self.teacher != "plan" and not self.model:
            raise ValueError(f"teacher {self.teacher!r} needs distill.model, the name of its model")
        if self.teacher == "plan" and (self.generations > 1 or self.retries):
            raise ValueError("teacher 'plan' always gives the same answer: generations is 1 and retries 0")
        if self.repair_share and self.teacher != "plan":
            raise ValueError(f"repair_share is for teacher 'plan', not for {self.teacher!r}; remove it")
        if self.options and self.teacher == "plan":
            raise ValueError(f"teacher {self.teacher!r} takes no distill.options")
        if refused := sorted(self.options.keys() & {"api_key", "token", "trust_remote_code"}):
            raise ValueError(f"options may not have {refused[0]!r}: keys come from the environment, code from no model")
        if self.max_dollars is not None and (self.input_price is None or self.output_price is None):
            raise ValueError("max_dollars needs input_price and output_price, dollars a million tokens")
        return self
