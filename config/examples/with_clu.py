"""Beats from the loop that does the work, with sdss-clu: with_clu.py URL HEARTBEAT [SECONDS]"""

import asyncio
import sys

from clu import AMQPClient


async def work():
    """One round of what the program is for. If it hangs or fails, no beat follows."""


async def main(url, heartbeat, every=5.0):
    client = AMQPClient(f"{heartbeat}-client", url=url)
    await client.start()
    seen = ""
    while True:
        await work()
        # With the value of the last answer the beat proves when it was sent.
        beat = await client.send_command("lvmbeat", f"set {heartbeat} --seen '{seen}'", time_limit=5)
        knocked = seen == ""
        seen = next((reply.message["seen"] for reply in beat.replies if "seen" in reply.message), "")
        if not beat.status.did_succeed or knocked:
            print(f"{heartbeat}: {beat.status.name}", flush=True)
        await asyncio.sleep(min(every, 0.2) if knocked else every)


asyncio.run(main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])))
