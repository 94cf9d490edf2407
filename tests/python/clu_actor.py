"""An actor of the real sdss-clu, by default called lvmecp, that does what lvmecp 1.3 does as far as lvmbeat meets it.

Prints one line of JSON for each thing that happens:

    {"event": "ready"}
    {"event": "heartbeat", "count": 1, "commander", "command_id"}
    {"event": "network", "status": "DONE" | "TIMEDOUT" | ..., "internet", "lco"}

Standard input says what a heartbeat gets from then on: `done`, `fail`, `hang`. (To freeze it, stop the process.) The command
`echo WORD...` answers with all that can be in an answer. There is no PLC: `status` tells of a dome that is closed, and that
a heartbeat was acknowledged once one was done. With `--network-every SECONDS` it asks `lvmbeat` for its `status`, as lvmecp
does every 30 s.
"""

import argparse
import asyncio
import json
import sys
from datetime import datetime, timezone

import click

from clu import AMQPActor
from clu.parsers.click import command_parser

behaviour = "done"
count = 0
acknowledged = None

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "words": {"type": "array", "items": {"type": "string"}},
        "registers": {"type": "object"},
        "dome_status": {"type": "string"},
        "dome_status_labels": {"type": "string"},
        "dome_percent_open": {"type": "number"},
        "safety_status": {"type": "string"},
        "safety_status_labels": {"type": "string"},
        "engineering_mode": {"type": "object"},
        "heartbeat_ack": {"type": ["string", "null"]},
    },
    "additionalProperties": False,
}


def tell(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


@command_parser.command()
async def heartbeat(command):
    """Sets the heartbeat variable on the PLC."""
    global acknowledged, count
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
        return command.fail(error="Failed to set heartbeat.")
    acknowledged = datetime.now(timezone.utc).isoformat()
    return command.finish()


@command_parser.command()
@click.option("--no-registers", is_flag=True, help="Does not output registers.")
@click.option("--no-cache", is_flag=True, help="Ignores the internal cache.")
async def status(command, no_registers=False, no_cache=False):
    """Returns the enclosure status."""
    if not no_registers:
        command.info(
            registers={
                "hb_set": False,
                "hb_ack": acknowledged is not None,
                "hb_error": False,
                "dome_open": False,
                "dome_closed": True,
                "dome_position": 0,
            }
        )
    command.debug(
        dome_status="0x8002",
        dome_status_labels="CLOSED,DRIVE_AVAILABLE",
        dome_percent_open=0.0,
    )
    command.debug(safety_status="0x6", safety_status_labels="DOOR_CLOSED,DOOR_LOCKED")
    command.info(
        engineering_mode={
            "enabled": False,
            "started_at": None,
            "ends_at": None,
            "plc_software_bypass": False,
            "plc_hardware_bypass": False,
            "plc_software_bypass_mode": "none",
            "plc_hardware_bypass_mode": "none",
        }
    )
    command.info(heartbeat_ack=acknowledged)
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


async def watch_network(actor, every):
    """Asks as lvmecp does, and takes what is not said to be up."""
    while True:
        await asyncio.sleep(every)
        asked = await actor.send_command("lvmbeat", "status", internal=True, time_limit=5)
        try:
            network = asked.replies.get("network")
        except KeyError:
            network = {}
        tell(
            "network",
            status=asked.status.name,
            internet=network.get("internet", True),
            lco=network.get("lco", True),
        )


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="lvmecp")
    parser.add_argument("--network-every", type=float)
    options = parser.parse_args()

    actor = AMQPActor(options.name, url=options.url, version="0.0.0", schema=SCHEMA)
    await asyncio.wait_for(actor.start(), 30)
    tell("ready")
    if options.network_every:
        chores = asyncio.create_task(watch_network(actor, options.network_every))
        chores.add_done_callback(lambda task: task.cancelled() or task.result())
    await obey()
    await actor.stop()


asyncio.run(main())
