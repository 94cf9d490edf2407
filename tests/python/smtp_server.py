"""A mail server, by aiosmtpd: takes e-mail and shows it as Python's e-mail parser reads it, or fails in many ways.

Lines of standard output, JSON objects with an `event`:

    listening   `port`, at the start
    fault       `name`: from now on it fails like that
    connected   somebody has connected
    login       `user`, `right`: somebody has tried to log in
    message     one that was taken, in the fields of `read`

Lines of standard input: the name of a fault, and perhaps an argument:

    none                 takes everything
    refuse ADDRESS       550 to that recipient
    later                451 to every sender
    never                554 to every message
    silent               accepts connections and says nothing
    disconnect           closes the connection when the message is to come
    deaf                 reads the message and does not answer
    hangs_up             reads the message and closes the connection
    latin1               takes the message, and says so in Latin-1
    code                 takes the message, and says so by a code alone
    scans SECONDS        takes the message, but looks into it for so long before
    floods               greets with a line that has no end
    throttles            450 to every message: the limit is reached
    no_farewell          takes the message and does not answer QUIT
    parrot               repeats what was sent to log in
    password PASSWORD    that is the right one now
    certificate FILE KEY its certificate for STARTTLS, as of an impostor: no session goes on from one with another
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys
from email.utils import parsedate_to_datetime

from aiosmtpd.smtp import SMTP, AuthResult


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


async def forever():
    await asyncio.Event().wait()


class Fault:
    name, argument = "none", None


def addresses(message, header):
    value = message[header]
    if value is None:
        return []
    return [[address.display_name, address.addr_spec] for address in value.addresses]


def read(envelope, server):
    """What a mail program would see."""
    message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
    defects = [repr(defect) for part in message.walk() for defect in part.defects]
    for header in message.values():
        defects += [repr(defect) for defect in header.defects]
    body = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    headers = ("subject", "message-id", "in-reply-to", "references", "auto-submitted")
    return {
        "mail_from": envelope.mail_from,
        "rcpt_to": envelope.rcpt_tos,
        "tls": server.transport.get_extra_info("sslcontext") is not None,
        "from": addresses(message, "from"),
        "to": addresses(message, "to"),
        "reply-to": addresses(message, "reply-to"),
        "date": int(parsedate_to_datetime(message["date"]).timestamp()),
        "type": message.get_content_type(),
        "parts": [part.get_content_type() for part in message.iter_parts()],
        "longest_line": max(len(line) for line in envelope.original_content.splitlines()),
        "repeated": [name for name in set(message.keys()) if len(message.get_all(name)) > 1],
        "defects": defects,
        **{name: message[name] for name in headers},
        **{kind: part.get_content().replace("\r\n", "\n") for kind, part in body.items()},
    }


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if Fault.name == "later":
            return "451 4.3.0 The disk is full, try again later"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if Fault.name == "refuse" and address == Fault.argument:
            return f"550 5.1.1 <{address}>: user unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if Fault.name == "never":
            return "554 5.7.1 Message refused by policy"
        if Fault.name == "throttles":
            say("throttled")
            return "450 4.5.127 Message rejected. Excessive message rate from sender."
        say("message", **read(envelope, server))
        if Fault.name == "deaf":
            await forever()
        if Fault.name == "hangs_up":
            server.transport.abort()
        if Fault.name == "latin1":
            return "250 angenommen, schönen Tag".encode("latin-1")
        if Fault.name == "code":
            return b"250"
        if Fault.name == "scans":
            await asyncio.sleep(float(Fault.argument))
        return "250 2.0.0 Taken"


class Server(SMTP):
    async def smtp_DATA(self, arg):
        if Fault.name != "disconnect":
            return await super().smtp_DATA(arg)
        self.transport.abort()

    async def smtp_AUTH(self, arg):
        if Fault.name != "parrot":
            return await super().smtp_AUTH(arg)
        await self.push(f'500 Error: command "AUTH {arg}" not recognized')

    async def smtp_QUIT(self, arg):
        if Fault.name == "no_farewell":
            await forever()
        await super().smtp_QUIT(arg)


class Flood(asyncio.Protocol):
    """A line without end, as fast as it is read."""

    def connection_made(self, transport):
        self.transport = transport
        self.resume_writing()

    def pause_writing(self):
        self.is_paused = True

    def resume_writing(self):
        self.is_paused = False
        while not self.is_paused and not self.transport.is_closing():
            self.transport.write(b"220 " + b"x" * 65536)


def authenticator(options):
    def check(server, session, envelope, mechanism, data):
        password = Fault.argument if Fault.name == "password" else options.password
        right = (data.login.decode(), data.password.decode()) == (options.user, password)
        say("login", user=data.login.decode(), right=right)
        return AuthResult(success=right, handled=False)

    return check


class Tls:
    context = None

    @classmethod
    def show(cls, certificate, key):
        cls.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        cls.context.load_cert_chain(certificate, key)


async def orders(options):
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        Fault.name, _, Fault.argument = line.strip().partition(" ")
        if Fault.name == "certificate":
            Tls.show(*Fault.argument.split())
        elif options.tls != "none":
            Tls.show(options.certificate, options.key)
        say("fault", name=Fault.name)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"), default="none")
    parser.add_argument("--certificate", help="PEM: the chain, without the root")
    parser.add_argument("--key", help="PEM")
    parser.add_argument("--user", help="who has to log in")
    parser.add_argument("--password")
    parser.add_argument("--fault", default="none", help="with its argument after a space")
    options = parser.parse_args()
    Fault.name, _, Fault.argument = options.fault.partition(" ")

    if options.tls != "none":
        Tls.show(options.certificate, options.key)
    starttls = options.tls == "starttls"
    loop = asyncio.get_running_loop()

    def connected():
        say("connected")
        if Fault.name == "silent":
            return asyncio.Protocol()
        if Fault.name == "floods":
            return Flood()
        return Server(
            Handler(),
            hostname="localhost",
            loop=loop,
            tls_context=Tls.context if starttls else None,
            require_starttls=starttls,
            auth_required=options.user is not None,
            auth_require_tls=starttls,
            auth_exclude_mechanism=[] if options.user else ["LOGIN", "PLAIN"],
            authenticator=authenticator(options),
        )

    server = await loop.create_server(
        connected, "127.0.0.1", options.port, ssl=None if starttls else Tls.context
    )
    say("listening", port=server.sockets[0].getsockname()[1])
    await orders(options)


asyncio.run(main())
