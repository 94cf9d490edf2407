"""Beats from the loop that does the work, with aio-pika alone: with_aio_pika.py URL HEARTBEAT [SECONDS]"""

import asyncio
import json
import sys
import uuid

import aio_pika

ACTOR = "lvmbeat"
LIMIT = 5  # seconds: a beat that nobody has taken by then is of no use to anybody


class Heart:
    """One connection to the broker, opened again by the beat that follows its loss."""

    def __init__(self, url, heartbeat):
        self.url, self.heartbeat, self.client = url, heartbeat, f"{heartbeat}-client"
        self.connection, self.seen = None, ""

    async def beat(self):
        """Sends one beat, and gives the answer's code and keywords. Raises if there is none in time."""
        try:
            return await asyncio.wait_for(self._beat(), LIMIT)
        except BaseException:
            if self.connection:
                connection, self.connection = self.connection, None
                await asyncio.wait_for(connection.close(), 1)
            raise

    async def _beat(self):
        if self.connection is None:
            await self._open()
        command, commander = str(uuid.uuid4()), f"{self.client}.{ACTOR}"
        message = aio_pika.Message(
            # With the value of the last answer the beat proves when it was sent.
            json.dumps({"command_string": f"set {self.heartbeat} --seen '{self.seen}'"}).encode(),
            content_type="text/json",
            correlation_id=command,
            reply_to=self.replies.name,
            expiration=LIMIT,
            headers={"command_id": command, "commander_id": commander, "internal": False, "write_to_log": True},
        )
        await self.exchange.publish(message, routing_key=f"command.{ACTOR}")
        while True:
            reply = await self.arrived.get()
            code = reply.headers.get("message_code")
            if reply.correlation_id == command and reply.headers.get("sender") == ACTOR and code in (":", "f"):
                keywords = json.loads(reply.body)
                self.seen = keywords.get("seen", "")
                return code, keywords

    async def _open(self):
        self.connection = await aio_pika.connect(self.url)
        channel = await self.connection.channel()
        self.exchange = await channel.declare_exchange("sdss_exchange", "topic", auto_delete=True)
        self.replies = await channel.declare_queue(f"{self.client}_replies", exclusive=True)
        await self.replies.bind(self.exchange, f"reply.{self.client}.#")
        self.arrived, self.seen = asyncio.Queue(100), ""
        await self.replies.consume(self.arrived.put, no_ack=True)


async def work():
    """One round of what the program is for. If it hangs or fails, no beat follows."""


async def main(url, heartbeat, every=5.0):
    heart = Heart(url, heartbeat)
    while True:
        await work()
        knock = heart.seen == ""
        try:
            code, keywords = await heart.beat()
            if code == "f" or "held" in keywords:
                print(f"{heartbeat}: {keywords.get('error') or keywords.get('held')}", flush=True)
        except Exception as error:
            print(f"{heartbeat}: no answer ({error!r})", flush=True)
        # The first beat of a connection only knocks; the next one counts.
        await asyncio.sleep(min(every, 0.2) if knock else every)


asyncio.run(main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])))
