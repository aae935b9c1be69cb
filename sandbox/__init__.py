"""SQL that a model wrote, run over a database: nothing is changed, nothing hangs, and it is judged fairly.

    result = execute("shop.sqlite", "SELECT name FROM customer", Limits(timeout_s=2))
    judge_many([("shop.sqlite", gold_sql, sql), …])    # a whole GRPO batch: a Verdict for each

Covered, layer by layer (`python -m sandbox doctor` tries each):
- SQLite opens the file with mode=ro and immutable=1, query_only and an untrusted schema;
- an authorizer is asked about each step: reading, recursive CTEs and a list of functions are allowed, all else
  is `denied` (writing, ATTACH, PRAGMA other than descriptions, load_extension, virtual tables); one statement a query;
- limits inside SQLite (length of values and of SQL, nesting), of steps of its virtual machine, of the clock, of
  rows and bytes while they are fetched; sorting stays in memory;
- a worker process with an empty environment and limits of address space, CPU time, descriptors (32) and written
  files (none, not even a temporary one); one that does not answer is killed and replaced, and dies with its parent;
- Landlock, where the kernel has it: files can only be read, no TCP, no signals to others.

A database made from a script is built in a worker's memory under the same limits, and written by the parent.

Not covered.  Workers are ordinary processes of the same user: a hole in SQLite that lets SQL run machine code
could read the files that the user can read, and use UDP or Unix sockets: there is no chroot, no network
namespace and no seccomp filter.  Load within the limits is allowed: one core per worker until the time is up,
reading a large file from end to end.  A database in WAL mode with changes not yet checkpointed is refused; a
database must not be changed while a query reads it.  Answers may differ between versions of SQLite, and
`random()` or `date('now')` differ from call to call.  Linux only.
"""

from sandbox.databases import database_file
from sandbox.execution import execute, execute_many, judge_many
from sandbox.judge import is_ordered, same_result
from sandbox.result import Limits, Result, Verdict

__all__ = [
    "Limits",
    "Result",
    "Verdict",
    "database_file",
    "execute",
    "execute_many",
    "is_ordered",
    "judge_many",
    "same_result",
]
