"""Beats as the overwatcher does, with the real sdss-clu: `set NAME` at an interval, with a time limit and a few tries.

Prints one line of JSON for each beat:

    {"event": "ready"}
    {"event": "beat", "status": "DONE" | "TIMEDOUT" | ..., "tries", "seconds"}

A beat that has failed as often as it is tried is told with the status of the last try, and the next one follows. With `--prove` each
beat repeats the value of `seen` in the last reply, which proves when it was sent (CLIENTS.md).
"""

import argparse
import asyncio
import json
import time

from clu import AMQPClient


def tell(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


seen = ""


async def prove(client, name):
    global seen
    command = await client.send_command("lvmbeat", f"set {name} --seen '{seen}'", time_limit=5)
    seen = next((reply.message["seen"] for reply in command.replies if "seen" in reply.message), "")
    return command


async def beat(client, options):
    start = time.monotonic()
    if options.prove:
        command = await prove(client, options.name)
        tell("beat", status=command.status.name, tries=1, seconds=time.monotonic() - start)
        return
    for number in range(1, options.tries + 1):
        command = await client.send_command("lvmbeat", f"set {options.name}", time_limit=options.limit)
        if command.status.did_succeed or number == options.tries:
            break
        await asyncio.sleep(options.pause)
    seconds = time.monotonic() - start
    tell("beat", status=command.status.name, tries=number, seconds=seconds)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="overwatcher")
    parser.add_argument("--interval", type=float, default=5)
    parser.add_argument("--limit", type=float, default=5)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--pause", type=float, default=1)
    parser.add_argument("--prove", action="store_true")
    options = parser.parse_args()

    client = AMQPClient("overwatcher", url=options.url)
    await asyncio.wait_for(client.start(), 30)
    tell("ready")
    while True:
        await beat(client, options)
        await asyncio.sleep(options.interval)


asyncio.run(main())
