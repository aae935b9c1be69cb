"""A Llama of 1 M parameters that knows the sample corpus: a student small enough to experiment with on a CPU.

It is trained here, from nothing, on questions over the corpus's narrow training databases and their SQL.  They come
from other seeds than the corpus itself, so rows and constants differ, and none of the corpus's own questions or queries
is among them.  It has seen plans and it has seen SQL, but never both in one answer: that is left to SFT.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from configs.screen import progress
from distill.plan import write_plan
from tasks.load import width
from tasks.prompt import messages
from tasks.sample import load_sample, split_of
from tasks.schema import read_schema
from tasks.task import Task
from tasks.trace import TAGS, render

SEEDS = range(1, 25)
"""Of the corpora that it learns from; the corpus itself has seed 0."""
MAX_COLUMNS = 11
"""Of a database that it learns."""
TURNS = 8
"""Questions in one conversation, which has the schema once."""
VOCABULARY = 3072
STEPS, BATCH, WARMUP = 1600, 4, 100
LEARNING_RATE, MATRIX_LEARNING_RATE = 8e-3, 2e-2
"""Of AdamW, for embeddings and norms, and of Muon, for all other weights."""
CHAT_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
PLAN_ASKED = {"role": "system", "content": "Answer with the query plan in <think></think>."}
PLAN_WORDS = """open filter join left join deliver distinct group having sort desc limit average of number count sum max
min compute repeat combine for each row of subquery as on and or not in union except intersect without with"""
_PIECES = Regex(r"\d| ?[^\W\d]\w*| ?[^\w\s]+|\s+")
"""A name such as release_year is one piece, which may become one token."""


def make_nano(template: str, steps: int = STEPS):
    """Return the model and its tokenizer; steps: of its training, which takes minutes, each on BATCH conversations."""
    tasks = other_questions()
    tokenizer = make_tokenizer(tasks, template)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
        )
        model = AutoModelForCausalLM.from_config(settings, dtype=torch.float32)
        pretrain(model, conversations(tasks, tokenizer), steps)
    return model, tokenizer


def other_questions() -> list[Task]:
    """Return questions over those databases that the corpus does not ask, nor answers by the same query."""
    own = [task for task in load_sample() if split_of(task) == "train" and width(task.database) <= MAX_COLUMNS]
    database = {_domain(task): task.database for task in own}
    taken = {(_domain(task), text) for task in own for text in (task.question, task.gold_sql)}
    return [
        replace(task, database=database[_domain(task)])  # the schema is the same
        for seed in SEEDS
        for task in load_sample(seed)
        if _domain(task) in database and not {(_domain(task), task.question), (_domain(task), task.gold_sql)} & taken
    ]


def make_tokenizer(tasks: list[Task], template: str) -> PreTrainedTokenizerFast:
    """Return a BPE tokenizer of VOCABULARY tokens, trained on prompts and queries; each tag of a trace is one token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    texts = [f"{messages(task, 'ddl', 0)[1]['content']}\n{task.gold_sql}\n" for task in tasks[::2]]
    bpe.train_from_iterator(
        [*texts, *[PLAN_WORDS] * 50],
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - len(TAGS),
            special_tokens=list(CHAT_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    bpe.add_tokens([AddedToken(tag, special=False) for tag in TAGS])  # special ones are left out of an answer's text
    return PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<|endoftext|>", chat_template=template)


def conversations(tasks: list[Task], tokenizer) -> list[torch.Tensor]:
    """Return chats of TURNS questions over one database, as tokens; answered with SQL alone, or with a plan alone.

    Which of the two changes from one chat to the next, so what is to stand in one answer is never seen together.
    """
    chats = []
    for asked in _shuffled_by_database(tasks):
        for start in range(0, len(asked), TURNS):
            chat: list[dict[str, str]] = []
            plans = bool(len(chats) % 2)
            for task in asked[start : start + TURNS]:
                system, user = messages(task, "ddl", 0, "sql_only")
                schema_known = {"role": "user", "content": user["content"].rpartition("\n")[2]}
                chat += [schema_known] if chat else [PLAN_ASKED if plans else system, user]
                chat.append({"role": "assistant", "content": _plan(task) if plans else render("", task.gold_sql)})
            text = tokenizer.apply_chat_template(chat, tokenize=False)
            chats.append(torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"]))
    return chats


def _plan(task: Task) -> str:
    return f"<think>\n{write_plan(task, read_schema(task.database, 0), 'short')}\n</think>"


def pretrain(model, chats: list[torch.Tensor], steps: int) -> None:
    """Train all weights on the next token of the chats: matrices by Muon, the rest by AdamW."""
    embeddings = model.get_input_embeddings().weight
    matrices = [weight for weight in model.parameters() if weight.ndim == 2 and weight is not embeddings]
    others = [weight for weight in model.parameters() if weight.ndim != 2 or weight is embeddings]
    optimizers = [
        torch.optim.Muon(matrices, lr=MATRIX_LEARNING_RATE, weight_decay=0.01),
        torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1),
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(each, lambda step: min((step + 1) / WARMUP, max(0.02, 1 - step / steps)))
        for each in optimizers
    ]
    batches = _batches(chats)
    model.train()
    with progress("nano: steps", steps) as advance:
        for _ in range(steps):
            batch = next(batches)
            tokens, wanted = (pad_sequence(batch, batch_first=True, padding_value=fill) for fill in (0, -100))
            loss = cross_entropy(model(tokens).logits[:, :-1].flatten(0, 1), wanted[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for each in (*optimizers, *schedules):
                each.step()
            model.zero_grad()
            advance(note=f"loss {loss.item():.2f}")
    model.eval()


def _batches(chats: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield batches without end, of chats that are nearly as long as each other."""
    rng = random.Random(0)
    while True:
        order = sorted(chats, key=lambda chat: len(chat) + 20 * rng.random())
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        rng.shuffle(batches)
        yield from batches


def _shuffled_by_database(tasks: list[Task]) -> Iterator[list[Task]]:
    by_database: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_database[task.database].append(task)
    rng = random.Random(0)
    for asked in by_database.values():
        rng.shuffle(asked)
        yield asked


def _domain(task: Task) -> str:
    return task.task_id.rpartition("-")[0]
