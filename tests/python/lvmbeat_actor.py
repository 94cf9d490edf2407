"""An actor of the real sdss-clu called lvmbeat, with the commands of the Python lvmbeat.

Prints one line of JSON for each thing that happens:

    {"event": "ready"}
    {"event": "set", "heartbeat", "commander"}

It ends when its standard input does. If another connection holds its queues it cannot start: it says so and ends with exit
code 1.
"""

import argparse
import asyncio
import json
import sys
from datetime import datetime, timezone

import click

from clu import AMQPActor
from clu.exceptions import CluError
from clu.parsers.click import command_parser

last_seen = None

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "heartbeats": {"type": "object"},
        "last_emitted_ecp": {"type": ["string", "null"]},
        "last_emitted_outside": {"type": ["string", "null"]},
        "network": {"type": "object"},
    },
    "additionalProperties": False,
}


def tell(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


@command_parser.command(name="set")
@click.argument("HEARTBEAT", type=str)
async def set_heartbeat(command, heartbeat):
    """Sets the heartbeat for a component."""
    global last_seen
    if heartbeat != "overwatcher":
        return command.fail(error=f"Heartbeat {heartbeat!r} not found.")
    last_seen = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    tell("set", heartbeat=heartbeat, commander=command.commander_id)
    return command.finish(text="Heartbeat set.")


@command_parser.command()
async def status(command):
    """Returns the status of the heartbeats."""
    return command.finish(
        heartbeats={"overwatcher": {"current": last_seen is not None, "last_seen": last_seen}},
        last_emitted_ecp=None,
        last_emitted_outside=None,
        network={"internet": True, "lco": True},
    )


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    options = parser.parse_args()

    actor = AMQPActor("lvmbeat", url=options.url, version="0.3.0", schema=SCHEMA)
    try:
        await asyncio.wait_for(actor.start(), 30)
    except CluError as error:
        sys.exit(f"lvmbeat_actor: {error}")
    tell("ready")
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        pass
    await actor.stop()


asyncio.run(main())
