"""The section `evaluation` of a run: which models answer which questions, how, and when an answer is right."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from configs.strict import Strict

Stage = Literal["base", "sft", "rl"]
STAGES: tuple[Stage, ...] = get_args(Stage)
TAKEN = ("gold", "compared", "databases", "official", "state", "summary", "dev.json", "dev.jsonl", "dev_gold.sql")
"""Names that mean something else in the evaluation's folder."""


class Server(Strict):
    """A model that is measured where it is: behind a server with OpenAI's protocol."""

    base_url: str
    """Address of the server, as http://host:port/v1."""
    model: str
    """The model's name, as the server knows it."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key, which never stands in a file; servers nearby need none."""
    options: dict[str, Any] = {}
    """More keys of each request, as the server understands them; null leaves out one of ours, as max_tokens: null."""
    input_price: float | None = Field(None, ge=0)
    """Price of a million tokens of prompts, dollars."""
    output_price: float | None = Field(None, ge=0)
    """Price of a million tokens of answers, dollars."""


class Evaluation(Strict):
    """Stage 4: models → predictions, scores, table."""

    models: list[str] = ["base", "sft", "rl"]
    """What is measured, side by side: `base`, `sft`, `rl`, and the names of evaluation.servers."""
    servers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")], Server] = {}
    """Models behind servers, by names of your choice: a teacher, a hosted model, an export that is served."""
    questions: int = Field(200, ge=1)
    """Questions of the test databases, the same for every model."""
    batch_size: int = Field(16, ge=1)
    """Answers made at a time; of a server, requests at a time."""
    max_new_tokens: int = Field(512, ge=8)
    """Longest answer, tokens."""
    samples: int = Field(1, ge=1, le=256)
    """Answers to a question: of several, the one whose rows most others have counts, and pass@k is told too."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Sampling temperature; 0: greedy."""
    judge: Literal["ordered", "multiset", "bird", "spider"] = "ordered"
    """When rows are the gold rows: `ordered` (by ORDER BY), `multiset`, `bird` (a set), `spider` (permuted columns)."""
    variants: int = Field(4, ge=0, le=32)
    """Changed copies of its database on which an answer must be right too, for the test-suite accuracy; 0: none."""
    bootstrap: int = Field(10_000, ge=100)
    """Resamples behind each 95 % interval."""

    @model_validator(mode="after")
    def _models_are_known(self) -> "Evaluation":
        if taken := sorted(self.servers.keys() & {*STAGES, *TAKEN}):
            raise ValueError(f"servers.{taken[0]}: this name is taken; choose another")
        known = (*STAGES, *self.servers)
        if unknown := [name for name in self.models if name not in known]:
            raise ValueError(f"models: unknown {unknown[0]!r}; allowed: {', '.join(known)}, and names in servers")
        if not self.models:
            raise ValueError(f"models is an empty list; allowed: {', '.join(known)}")
        if self.samples > 1 and not self.temperature:
            raise ValueError(f"samples {self.samples} would all be the same greedy answer; set temperature: 0.8, say")
        return self
