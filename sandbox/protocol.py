"""How the parent and its workers talk: four bytes of length (big-endian), then JSON, with bytes as {"base64": …}.

The parent asks for many jobs at once, and the worker answers in order, some jobs to a message:

    {"do": "jobs", "databases": [[uri, *key], …], "jobs": […], "how": …, "quick_s": …, "share_s": …,
     and the Limits}
        a job is [database's number, sql] for rows, or [database's number, gold sql, sql] for a verdict
        → {"replies": [[…], …]}, again and again, until every job has its reply:
            ["rows", status, columns, rows, message, seconds], ["verdict", gold status, status, correct, message],
            ["steps", number or None] for rows where `how` is "steps",
            ["unusable", why] where the database is none, ["later"] where quick_s was too short
            for it, ["waiting"] where the jobs before it took longer than share_s
    {"do": "build", "script": …, and the Limits}
        → {"image": the database file's bytes}  or  {"unusable": why}
    {"do": "fill", "schema": [statement, …], "tables": [[INSERT statement, [row, …]], …], and the Limits}
        → the same, with "refused": for each table, the numbers of the rows that it did not take

A message with "last": true is followed by the worker's own end.
"""

import base64
import json
import struct

GRACE_S = 0.4
"""How long after the time limit a worker that cannot be stopped is killed, seconds."""
OUT_OF_MEMORY = 77
"""Exit status of a worker that had not even the memory to say so."""
HEADER = struct.Struct(">I")
AT_BYTES = 8
"""The memory that a worker shares: the number of the job it is at, and 1 while it is at that job's gold query."""
NO_JOB = 2**32 - 1
"""The number while it is at none."""


def pack(message: dict) -> bytes:
    """Return a message as it goes over the pipe.

    >>> unpack(pack({"a": [b"\\x00", 2**62, float("inf"), "é", None]})[4:])
    {'a': [b'\\x00', 4611686018427387904, inf, 'é', None]}
    """
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_bytes_to_json)
    body = text.encode("utf-8", "surrogatepass")
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> dict:
    """Return the message in `body`, which is what `pack` made less its four bytes of length."""
    return json.loads(body.decode("utf-8", "surrogatepass"), object_hook=_bytes_from_json)


def _bytes_to_json(value: bytes) -> dict:
    return {"base64": base64.b64encode(value).decode()}


def _bytes_from_json(value: dict) -> dict | bytes:
    return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else value
