"""Mail servers that are odd, and whether Python's smtplib delivers to them: the measure of what a mail client has to cope with.

Each serves in a thread. Lines of standard output, JSON objects with an `event`:

    peer    `name`, `port`, `login` (whether one has to log in), `smtplib`: null if it has delivered, else what it says
    ready   all were said
    taken   `name`: the peer of that name has taken a message

It ends when its standard input does. The user is `alerts`, the password `hunter2`.
"""

import base64
import hashlib
import hmac
import json
import smtplib
import socketserver
import sys
import threading

USER, PASSWORD = "alerts", "hunter2"
LOCK = threading.Lock()


def say(event, **fields):
    with LOCK:
        print(json.dumps({"event": event, **fields}), flush=True)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


PLAIN = encoded(f"\0{USER}\0{PASSWORD}")
CHALLENGE = "<1.2@mail.example>"
CRAM = encoded(f"{USER} {hmac.new(PASSWORD.encode(), CHALLENGE.encode(), hashlib.md5).hexdigest()}")
OFFERS = "250-mail.example\r\n250 AUTH "


def login(mechanisms, answers):
    return {"EHLO": f"{OFFERS}{mechanisms}", **answers}


# What each answers to a line that begins so, if not what is usual. `.` is the end of a message, and
# `` the beginning.
PEERS = {
    "usual": {},
    "latin-1": {"": b"220 gr\xfc\xdf Gott", ".": b"250 sch\xf6n", "MAIL": b"250 n\xe4chster"},
    "codes alone": {"": "220", "EHLO": "250", "MAIL": "250", "RCPT": "250", "DATA": "354", ".": "250"},
    "codes and a space": {"": "220 ", "EHLO": "250 ", "MAIL": "250 ", ".": "250 "},
    "lines end with LF": {"end": b"\n"},
    "byte by byte": {"dribble": True},
    "a long greeting": {"": "220-one\r\n220-\r\n220-three\r\n220 four"},
    "EHLO is not known": {"EHLO": "500 what?"},
    "EHLO is not wanted": {"EHLO": "550 no"},
    "HELO alone, and a word": {"EHLO": "502", "HELO": "250"},
    "another recipient": {"RCPT": "251 will forward"},
    "many extensions": {"EHLO": "250-mail.example\r\n" + "250-X-NOTHING\r\n" * 500 + "250 SIZE"},
    "long extensions": {"EHLO": "250-mail.example\r\n250-X " + "y" * 8000 + "\r\n250 size 100000000"},
    "a long verdict": {".": "250-taken\r\n" * 20 + "250 " + "z" * 8000},
    "several lines": {".": "250-taken\r\n250 and more"},
    "closes after the verdict": {".": "250 taken", "close": "."},
    "closes within the verdict": {".": "250 taken", "end": b"", "close": "."},
    "no farewell": {"QUIT": "500 stay"},
    "AUTH PLAIN": login("PLAIN", {"AUTH PLAIN " + PLAIN: "235 welcome"}),
    "AUTH=PLAIN": {"EHLO": "250-mail.example\r\n250 AUTH=PLAIN", "AUTH PLAIN " + PLAIN: "235"},
    "AUTH twice": {
        "EHLO": "250-mail.example\r\n250-AUTH GSSAPI\r\n250 AUTH LOGIN PLAIN",
        "AUTH PLAIN " + PLAIN: "235-it\r\n235 is you",
    },
    "known already": login("PLAIN", {"AUTH": "503 known"}),
    "AUTH LOGIN": login(
        "LOGIN",
        {"AUTH LOGIN " + encoded(USER): "334 UGFzc3dvcmQ6", encoded(PASSWORD): "235 welcome"},
    ),
    "AUTH LOGIN in other words": login(
        "LOGIN",
        {
            "AUTH LOGIN " + encoded(USER): "334 " + encoded("Kennwort, bitte"),
            encoded(PASSWORD): "235 welcome",
        },
    ),
    "AUTH LOGIN without words": login(
        "LOGIN", {"AUTH LOGIN " + encoded(USER): "334", encoded(PASSWORD): "235"}
    ),
    "AUTH CRAM-MD5": login(
        "CRAM-MD5", {"AUTH CRAM-MD5": "334 " + encoded(CHALLENGE), CRAM: "235 welcome"}
    ),
    "offers what it cannot do": login(
        "CRAM-MD5 PLAIN LOGIN",
        {"AUTH CRAM-MD5": "535 no", "AUTH PLAIN " + PLAIN: "504 no",
         "AUTH LOGIN " + encoded(USER): "334 UGFzc3dvcmQ6", encoded(PASSWORD): "235 welcome"},
    ),
}
USUAL = {"": "220 mail.example", "DATA": "354 go on", "QUIT": "221 bye", "AUTH": "535 wrong", "RSET": "250"}


class Conversation(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def answer(self, said):
        peer = self.server.peer
        for answers in (peer, USUAL):
            for begin, answer in answers.items():
                if begin not in ("end", "dribble", "close") and (
                    said.startswith(begin) if begin else not said
                ):
                    return answer
        return "250 ok" if said.split(" ")[0] in ("EHLO", "HELO", "MAIL", "RCPT", ".") else "500 what?"

    def reply(self, said):
        peer, answer = self.server.peer, self.answer(said)
        answer = answer if isinstance(answer, bytes) else answer.encode()
        is_last = peer.get("close") == said
        end = peer.get("end", b"\r\n") if "close" not in peer or is_last else b"\r\n"
        answer = answer.replace(b"\r\n", end or b"\r\n") + end
        step = 1 if peer.get("dribble") else len(answer)
        for at in range(0, len(answer), step):
            self.wfile.write(answer[at : at + step])
        return answer[:3]

    def handle(self):
        code, is_taken = self.reply(""), False
        while line := self.rfile.readline():
            said = line.decode().rstrip("\r\n")
            if code == b"354":
                if said != ".":
                    continue
                say("taken", name=self.server.name)
            upper = said if said.startswith(("AUTH", "auth")) or " " not in said else said.upper()
            for word in ("ehlo", "helo", "mail", "rcpt", "data", "quit", "rset", "auth"):
                if upper.lower().startswith(word):
                    upper = word.upper() + upper[len(word) :]
            code = self.reply(upper)
            if upper in ("QUIT", self.server.peer.get("close")):
                return


def serve(name, peer):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
    server.daemon_threads, server.name, server.peer = True, name, peer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    needs_login = any(key.startswith("AUTH") for key in peer)
    problem = None
    try:
        client = smtplib.SMTP("127.0.0.1", port, local_hostname="measure.example", timeout=30)
        if needs_login:
            client.login(USER, PASSWORD)
        client.sendmail("me@example.org", ["you@example.org"], "Subject: measure\r\n\r\n.\r\nBye.\r\n")
        client.close()
    except Exception as error:
        problem = repr(error)
    say("peer", name=name, port=port, login=needs_login, smtplib=problem)


for each in PEERS.items():
    serve(*each)
say("ready")
sys.stdin.read()
