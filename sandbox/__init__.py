"""SQL that a model wrote, run over a database: nothing is changed, nothing hangs, and it is judged fairly.

    result = execute("shop.sqlite", "SELECT name FROM customer", Limits(timeout_s=2))
    same_result(execute(database, gold_sql), result, ordered=is_ordered(gold_sql))

Covered.  Each query runs in a worker process with an empty environment.  SQLite opens the file read-only
and immutable, and asks an authorizer about each step: reading is allowed, all else is `denied` (writing,
ATTACH, PRAGMA, load_extension and other functions that reach outside).  One statement a query.  Time, rows,
bytes of the result and memory are limited while the query runs; a worker that does not answer is killed and
replaced, and dies with its parent.  Workers can write no file (RLIMIT_FSIZE 0), not even a temporary one: a
database made from a script is built in a worker's memory, and written by the parent.

Not covered.  Workers are ordinary processes of the same user: a hole in SQLite that lets SQL run machine
code could read what the user can read, and use the network.  There is no chroot and no system-call filter.
Load within the limits is allowed: one core per worker until the time is up, reading a large file from end
to end.  A database in WAL mode with changes not yet checkpointed is refused; a database must not be changed
while a query reads it.  Answers may differ between versions of SQLite, and `random()` or `date('now')`
differ from call to call.  Linux only.
"""

from sandbox.databases import database_file
from sandbox.execution import execute, execute_many
from sandbox.judge import is_ordered, same_result
from sandbox.result import Limits, Result

__all__ = ["Limits", "Result", "database_file", "execute", "execute_many", "is_ordered", "same_result"]
