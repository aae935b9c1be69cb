"""Questions one after the other, with what was asked and answered before in front of the model, as far as it fits."""

from collections.abc import Callable
from dataclasses import dataclass, field

from configs.schema import Config
from evaluation.ask.reply import Reply, read_reply
from evaluation.ask.responder import Chat, Responder
from tasks.prompt import flat, messages
from tasks.task import Task


@dataclass
class Session:
    """A conversation about one database.

    evidence: what the questions need to know, as BIRD's hints.
    say: gets what the user should know of the prompt, a line at a time.
    turns: question and answer of each turn that is still in the prompt.
    """

    responder: Responder
    cfg: Config
    database: str
    evidence: str
    say: Callable[[str], None]
    turns: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, question: str) -> Reply:
        """Return the reply; the turn is remembered, the oldest ones are forgotten where the prompt grows too long."""
        chat = self._fitting(question)
        reply = read_reply(question, self.responder.answer(chat), self.database, self.cfg)
        self.turns.append((question, reply.answer.text))
        return reply

    def chat(self, question: str) -> Chat:
        """Return the messages: the schema stands before the first question, so that one alone is as in evaluation."""
        asked = [*(before for before, _ in self.turns), question]
        task = Task("", asked[0], self.evidence, gold_sql="", database=self.database, level="L1")
        found = messages(task, self.cfg.data.schema_style, self.cfg.data.sample_values, self.cfg.data.answer)
        for (_, answer), following in zip(self.turns, asked[1:], strict=True):
            found.append({"role": "assistant", "content": answer})
            found.append({"role": "user", "content": f"Question: {flat(following)}"})
        return found

    def _fitting(self, question: str) -> Chat:
        room, forgotten = self.responder.room, 0
        while self.turns and self.responder.tokens(self.chat(question)) > room:
            del self.turns[0]
            forgotten += 1
        if forgotten:
            what = "1 earlier question is" if forgotten == 1 else f"{forgotten} earlier questions are"
            self.say(f"{what} forgotten: a prompt may have {room:,} tokens")
        chat = self.chat(question)
        if (over := self.responder.tokens(chat) - room) > 0:
            self.say(
                f"the prompt is {over:,} tokens longer than model.max_length − evaluation.max_new_tokens = {room:,}: "
                "the answer may suffer"
            )
        return chat
