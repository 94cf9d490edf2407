"""A client of the real sdss-clu.

Loads the models that it is told to, runs commands, and prints one line of JSON for each thing that happens:

    {"event": "ready", "models": {"lvmbeat": {...} or null}}
    {"event": "reply", "actor", "command", "code", "sender", "internal", "keywords", "valid", "unknown", "error"}
    {"event": "done", "actor", "command", "status": "DONE" | "FAILED" | "TIMEOUT" | ..., "seconds"}
    {"event": "model", "actor", "values"}

`valid` says whether the reply holds to the schema that was loaded of its sender, and `unknown` lists its keywords of which that
schema says nothing; both null without a schema. Commands come from the command line, as `ACTOR COMMAND...` in one argument
each, and with `--stdin` as lines of JSON: `{"actor", "command"}`. A line `{"model": ACTOR}` asks for what the client's model of
an actor holds.
"""

import argparse
import asyncio
import json
import sys
import time
import warnings

from clu import AMQPClient


def tell(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


def schema_of(client, actor):
    model = client.models.get(actor)
    return model.schema if model is not None else None


def validate(client, sender, keywords):
    model = client.models.get(sender)
    if model is None:
        return {"valid": None, "unknown": None, "error": None}
    valid, error = model.validate(keywords, update_model=False)
    return {
        "valid": valid,
        "unknown": [name for name in keywords if name not in model.schema["properties"]],
        "error": str(error) if error else None,
    }


async def run(client, actor, command_string, limit):
    replies = asyncio.Queue()
    start = time.monotonic()
    command = await client.send_command(
        actor,
        command_string,
        await_command=False,
        reply_callback=replies.put_nowait,
    )
    try:
        await asyncio.wait_for(asyncio.shield(command), limit)
        status = command.status.name
    except asyncio.TimeoutError:
        status = "TIMEOUT"
    seconds = time.monotonic() - start
    while not replies.empty():
        reply = replies.get_nowait()
        tell(
            "reply",
            actor=actor,
            command=command_string,
            code=reply.message_code.value
            if hasattr(reply.message_code, "value")
            else reply.message_code,
            sender=reply.sender,
            internal=reply.internal,
            keywords=reply.body,
            **validate(client, reply.sender, reply.body),
        )
    # Where the message could not be routed, the client makes up a reply that no callback sees.
    if command.status.did_fail and command.replies:
        last = command.replies[-1].message
        error = last.get("error")
    else:
        error = None
    tell("done", actor=actor, command=command_string, status=status, seconds=seconds, error=error)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="pyclient")
    parser.add_argument("--models", default="")
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("--stdin", action="store_true")
    parser.add_argument("commands", nargs="*")
    options = parser.parse_args()

    client = AMQPClient(
        options.name,
        url=options.url,
        models=[name for name in options.models.split(",") if name],
    )
    with warnings.catch_warnings():
        # A model that cannot be loaded is a warning in CLU; here it is null in the first line.
        warnings.simplefilter("ignore")
        await asyncio.wait_for(client.start(), 30)
    tell("ready", models={actor: schema_of(client, actor) for actor in client.models.actors})

    for line in options.commands:
        actor, _, command = line.partition(" ")
        await run(client, actor, command, options.limit)
    if options.stdin:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            if "model" in order:
                tell("model", actor=order["model"], values=client.models[order["model"]].flatten())
                continue
            await run(client, order["actor"], order["command"], options.limit)
    await client.stop()


asyncio.run(main())
