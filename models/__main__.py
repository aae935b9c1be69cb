"""`python -m models nano | export | serve`: a model to experiment with, and what to do with one that is trained."""

import argparse
import signal
import sys
from pathlib import Path
from typing import get_args

from configs.errors import ConfigError
from configs.evaluation_schema import Stage
from configs.stage import complain
from models import commands
from models.export import QUANTISERS

ABOUT = "Make a small model to experiment with; write what a run trained as other programs load it; serve it."
NANO = """\
Make a Llama of 1 M parameters with a tokenizer of its own, trained for minutes on questions over the sample corpus's
training databases and their SQL (but for those questions that the corpus itself asks): SFT and GRPO then learn in
minutes, too.  configs/nano.yaml uses it; as model.name: nano it is made once, into the cache.
"""
EXPORT = """\
Write what a run trained last (or in --stage) in a form that other programs load, with a model card, and prove it: the
export, loaded anew from its files, and the run's own model answer the same test questions greedily.  Exit status 1
where fewer than 90 % of the answers are the same.

merged  one model in 16 bit, for transformers and vLLM; its chat template and its ends are those of the training
gguf    one file for llama.cpp, Ollama and LM Studio: Llama, Qwen2 and Qwen3.  Kinds other than f32, f16, bf16 and
        q8_0 need llama.cpp's program llama-quantize on PATH
lora    the adapter alone with tokenizer and template, for PEFT and vLLM's --lora-modules; not where model.lora is null
hub     the merged model, as a model of the Hugging Face hub (--repo), in one commit; the token comes from HF_TOKEN
"""
SERVE = """\
Serve the merged export of a run, which is made where there is none, behind an OpenAI-compatible API: by vLLM where it
is installed, else by transformers' own server.  Prints the base_url and the model's name, for a teacher
(distill.base_url, distill.model) or any other client.
"""
EXPORT_EXAMPLES = """\
examples:
  python -m models export demo --to merged                        runs/demo/export/merged
  python -m models export demo --to gguf --quantization q8_0      runs/demo/export/gguf/demo-Q8_0.gguf
  python -m models export demo --to lora --stage sft --out sft-adapter
  python -m models export demo --to hub --repo ann/demo-sql --private
"""
SERVE_EXAMPLES = """\
examples:
  python -m models serve demo
  python -m models serve demo --port 9000 --dry-run               the command alone
"""


def main(argv: list[str] | None = None) -> int:
    """Return the exit status: 0; 1 where an export answers otherwise; 2 for bad input; 130 when stopped."""
    args = vars(_parser().parse_args(argv))
    command = args.pop("command")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half written goes then, too
    try:
        return {"nano": commands.nano, "export": commands.export_run, "serve": commands.serve_run}[command](**args)
    except ConfigError as error:
        complain("models", error)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=ABOUT)
    made = parser.add_subparsers(dest="command", required=True, metavar="nano|export|serve")
    raw = argparse.RawDescriptionHelpFormatter
    nano = made.add_parser("nano", description=NANO, help="make a model of 1 M parameters, for experiments on a CPU")
    nano.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder; without it the cache")
    nano.add_argument("--steps", type=_count, metavar="N", help="steps of its training (default: as many as are good)")
    export = made.add_parser(
        "export", description=EXPORT, epilog=EXPORT_EXAMPLES, formatter_class=raw, help="write what a run trained"
    )
    _add_run(export, "a new folder (default: RUN/export/FORM)")
    export.add_argument("--to", required=True, choices=["merged", "gguf", "lora", "hub"], help="the form")
    export.add_argument("--quantization", choices=QUANTISERS, help="of gguf (default f16)")
    export.add_argument("--repo", metavar="OWNER/NAME", help="of hub: where to")
    export.add_argument("--private", action="store_true", help="of hub: a new repository is private")
    serve = made.add_parser(
        "serve", description=SERVE, epilog=SERVE_EXAMPLES, formatter_class=raw, help="serve what a run trained"
    )
    _add_run(serve, "where the merged export is, or is made (default: RUN/export/merged)")
    serve.add_argument("--host", default="127.0.0.1", help="address it listens on (default %(default)s: this machine)")
    serve.add_argument("--port", type=_count, default=8000, help="default %(default)s")
    serve.add_argument("--dry-run", action="store_true", help="print the command, make and serve nothing")
    return parser


def _add_run(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's folder, its name in runs/, or its config")
    parser.add_argument("--stage", choices=get_args(Stage)[1:], help="of which stage (default: the newest)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=out)
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], help="of merged (default bfloat16)")
    parser.add_argument(
        "--questions", type=_number, default=20, metavar="N", help="that are compared (default %(default)s); 0: none"
    )


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 0")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
