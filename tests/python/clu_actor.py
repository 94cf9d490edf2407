"""An actor of the real sdss-clu, by default called lvmecp, with the command `heartbeat`.

Prints one line of JSON for each thing that happens:

    {"event": "ready"}
    {"event": "heartbeat", "count": 1, "commander", "command_id"}

Standard input says what a heartbeat gets from then on: `done`, `fail`, `hang`. (To freeze it, stop the process.) The command
`echo WORD...` answers with all that can be in an answer.
"""

import argparse
import asyncio
import json
import sys

import click

from clu import AMQPActor
from clu.parsers.click import command_parser

behaviour = "done"
count = 0

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"words": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": False,
}


def tell(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


@command_parser.command()
async def heartbeat(command):
    """Sets the heartbeat variable on the PLC."""
    global count
    count += 1
    tell(
        "heartbeat",
        count=count,
        commander=command.commander_id,
        command_id=command.command_id,
    )
    if behaviour == "hang":
        await asyncio.Event().wait()
    if behaviour == "fail":
        return command.fail("Failed to set heartbeat.")
    return command.finish()


@command_parser.command()
@click.argument("words", nargs=-1)
async def echo(command, words):
    """Says everything that there is to say."""
    command.debug(text="debug")
    command.info(words=list(words))
    command.warning(text="warning")
    command.error(error="error")
    return command.finish(text="done")


async def obey():
    global behaviour
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        behaviour = line.strip()
        tell("behaviour", is_now=behaviour)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="lvmecp")
    options = parser.parse_args()

    actor = AMQPActor(options.name, url=options.url, version="0.0.0", schema=SCHEMA)
    await asyncio.wait_for(actor.start(), 30)
    tell("ready")
    await obey()
    await actor.stop()


asyncio.run(main())
