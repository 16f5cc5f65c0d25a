#!/usr/bin/env python3
"""papo.py: bots and scripts on papo, in one file, with nothing but Python 3.9 or later.

    import asyncio, papo

    async def main():
        async with papo.Bot("127.0.0.1:7276", "echo", "papo_...") as bot:
            async for m in bot:
                await m.reply("you said: " + m.text)

    asyncio.run(main())

A server is HOST:PORT, tls:HOST:PORT or unix:PATH, or several of them with commas, of which the next is
tried if one gives no answer; without arguments Bot() uses PAPO_SERVER, PAPO_AS and PAPO_SECRET. Each message from someone else comes at least once, in order, even if it was sent
while the bot was away, and is marked as read when the loop asks for the next one. A reply is sent
exactly once, however often the bot or the server is killed in between: its key is made from the
message's id. So do in the loop only what may be done twice, and leave the rest to reply().

Run as a program, it is that echo bot:  PAPO_SERVER=... PAPO_AS=echo PAPO_SECRET=... contrib/papo.py
"""

import asyncio
import base64
import hashlib
import os
import random
import re
import ssl
import sys
from collections import namedtuple

__all__ = ["Bot", "Message", "Refused", "escape", "unescape"]

LINE = 1 << 18  # A line from the server is at most about 128 KiB.
SILENCE = 60  # Seconds without a line after which it sends a PING.
ANSWER = 30  # Seconds to wait for the answer to that, or to any other command.
REACH = 10  # Seconds to reach a server.
SHORTEST = 0.2  # The longest first pause before reconnecting, in seconds.
LONGEST = 30  # The longest pause, in seconds.
PAGE = 1000  # The most rows that HIST gives.
PUT = 48000  # Bytes in a PUT, a multiple of three.
AHEAD = 16  # PUTs without an answer.
LOST = (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError)  # No server, or none any more.


class Refused(Exception):
    """The server answered ERR. `code` is the word for programs, `text` the sentence for people."""

    def __init__(self, line):
        super().__init__(line)
        words = line.split(" ", 3)
        self.verb, self.code = words[1], words[2]
        self.text = words[3] if len(words) > 3 else ""

    def passing(self):
        """Whether a later retry may succeed."""
        return self.code in ("too-fast", "too-many", "storage", "timeout")


def escape(text):
    """Text for one protocol line: line breaks become \\n; colours and controls are removed, but TAB."""
    text = re.sub("\x1b\\[[0-?]*[ -/]*[@-~]", "", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    text = "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f"))
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def unescape(body):
    """The text of a body."""
    parts = body.split("\\\\")
    return "\\".join(part.replace("\\n", "\n") for part in parts)


def given(name, what):
    """An environment variable that must be set."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise ValueError("%s is not set; it is %s" % (name, what))
    return value


class Message(namedtuple("Message", "id time sender to tags text bot")):
    """A message from someone else. `to` is the bot's handle, or a group with its #."""

    @property
    def chat(self):
        """The conversation, and where a reply goes: the group, or the author."""
        return self.to if self.to.startswith("#") else self.sender

    @property
    def re(self):
        """The id of the message that this one answers, or None."""
        ids = [tag[3:] for tag in self.tags.split(",") if tag.startswith("re=")]
        return int(ids[0]) if ids else None

    @property
    def file(self):
        """How many bytes the file has that this message is, whose name is its text; or None."""
        sizes = [tag[5:] for tag in self.tags.split(",") if tag.startswith("file=")]
        return int(sizes[0]) if sizes else None

    async def fetch(self):
        """The bytes of the file that this message is."""
        return await self.bot.fetch(self.id)

    async def react(self, word):
        """Reacts to the message with a word or an emoji; - takes that back."""
        if word.split() != [word]:
            raise ValueError("a reaction is one word")
        await self.bot.command("REACT %d %s" % (self.id, word))

    async def reply(self, text, n=0):
        """Sends `text` to the same conversation, exactly once, and returns its id. A second reply to
        the same message needs another `n`. None: the message was answered before, with another text."""
        try:
            return await self.bot.send(self.chat, text, key="re-%d-%s" % (self.id, n))
        except Refused as refusal:
            if refusal.code == "key-reused":
                return None
            raise


class Link:
    """One connection that has logged in."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, servers, handle, secret, quiet):
        """Logs in at the first of these servers that answers."""
        *others, last = servers
        for server in others:
            try:
                return await cls.open_at(server, handle, secret, quiet)
            except LOST:
                pass
        return await cls.open_at(last, handle, secret, quiet)

    @classmethod
    async def open_at(cls, server, handle, secret, quiet):
        way, _, rest = server.partition(":")
        if way == "unix":
            reader, writer = await asyncio.open_unix_connection(rest, limit=LINE)
        else:
            secure = way == "tls"
            host, _, port = (rest if secure else server).rpartition(":")
            context = ssl.create_default_context() if secure else None
            opening = asyncio.open_connection(host.strip("[]"), int(port), ssl=context, limit=LINE)
            reader, writer = await asyncio.wait_for(opening, REACH)
        link = cls(reader, writer)
        try:
            await link.say("LOGIN %s %s%s" % (handle, secret, " quiet" if quiet else ""))
            await link.answer("LOGIN")
            return link
        except BaseException:
            link.close()
            raise

    async def say(self, line):
        if "\n" in line:
            raise ValueError("a command is one line")
        self.writer.write(line.encode() + b"\n")
        await asyncio.wait_for(self.writer.drain(), ANSWER)

    async def line(self, seconds=ANSWER):
        line = await asyncio.wait_for(self.reader.readline(), seconds)
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection has ended")
        line = line[:-1].decode()
        if line.startswith("BYE "):
            raise ConnectionError("the server says " + line)
        return line

    async def answer(self, verb, seconds=ANSWER):
        """Returns the rows and the final line of a command."""
        rows = []
        while True:
            line = await self.line(seconds)
            if line.startswith("OK "):
                return rows, line
            if line.startswith("ERR "):
                raise Refused(line)
            rows.append(line)

    def close(self):
        self.writer.close()


class Bot:
    """An account whose messages are handled one by one: `async with`, then `async for`."""

    def __init__(self, server=None, handle=None, secret=None):
        self.servers = (server or os.environ.get("PAPO_SERVER") or "127.0.0.1:7276").split(",")
        for server in self.servers:
            if not re.fullmatch(r"unix:.+|.+:\d+", server):
                raise ValueError("the server is %s; expected HOST:PORT, tls:HOST:PORT or unix:PATH" % server)
        self.handle = handle or given("PAPO_AS", "the account")
        self.secret = secret or given("PAPO_SECRET", "its password or a token")
        self._desk, self._lock = None, asyncio.Lock()
        self._feed = self._last = self._task = self._waiting = None
        self._closed = False  # Before Python 3.12 wait_for may swallow a cancellation.
        self._newest = 0  # The highest id passed on.
        self._queue = asyncio.Queue(100)

    async def __aenter__(self):
        self._task = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *_):
        self._closed = True
        self._task.cancel()
        for link in (self._feed, self._desk):
            if link:
                link.close()

    def __aiter__(self):
        return self

    async def __anext__(self):
        # The loop is done with the previous message.
        if self._last:
            await self._mark("READ", self._last)
            self._last = None
        # One that was cancelled here may be given the next message, which must not get lost.
        if not self._waiting:
            self._waiting = asyncio.ensure_future(self._queue.get())
        await asyncio.wait({self._waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        waiting, self._waiting = self._waiting, None
        if not waiting.done():
            waiting.cancel()
            self._task.result()
        self._last = waiting.result()
        return self._last

    async def send(self, to, text, key=None):
        """Sends a message exactly once, and returns its id. Two calls with the same key send once."""
        text = escape(text)
        if not text:
            raise ValueError("nothing to send")
        key = key or "py-%032x" % random.getrandbits(128)
        _, ok = await self.command("ONCE %s MSG %s %s" % (key, to, text))
        return int(ok.split(" ")[2])

    async def send_file(self, to, name, data, key=None):
        """Sends a file exactly once, from bytes or an open binary file, and returns its id."""
        data = data.read() if hasattr(data, "read") else bytes(data)
        if not data or not name.strip() or "/" in name or name[0] in ".-":
            raise ValueError("a file has bytes, and a name without / that does not begin with . or -")
        command = "ONCE %s FILE %s %s" % (key or "py-%032x" % random.getrandbits(128), to, escape(name))
        pause = Pause()
        while True:
            link = None
            try:
                link = await Link.open(self.servers, self.handle, self.secret, True)
                unanswered = 0
                for at in range(0, len(data), PUT):
                    await link.say("PUT " + base64.b64encode(data[at : at + PUT]).decode())
                    unanswered += 1
                    if unanswered == AHEAD:
                        await link.answer("PUT")
                        unanswered -= 1
                for _ in range(unanswered):
                    await link.answer("PUT")
                await link.say(command)
                _, ok = await link.answer("FILE")
                return int(ok.split(" ")[2])
            except Refused as refusal:
                if not refusal.passing():
                    raise
                await pause.after(refusal)
            except LOST as e:
                if self._closed:
                    raise
                await pause.after(e)
            finally:
                if link:
                    link.close()

    async def fetch(self, id):
        """The bytes of the file of a message."""
        rows, ok = await self.command("GET %d" % id)
        data = b"".join(base64.b64decode(row[5:]) for row in rows if row.startswith("DATA "))
        if hashlib.sha256(data).hexdigest() != ok.split(" ")[4]:
            raise ValueError("the file was damaged on its way")
        return data

    async def edit(self, id, text):
        """Gives a message of the bot's own another text."""
        text = escape(text)
        if not text:
            raise ValueError("nothing to send")
        await self.command("EDIT %d %s" % (id, text))

    async def delete(self, id):
        """Deletes a message of the bot's own for everyone."""
        await self.command("DEL %d" % id)

    async def expire(self, to, seconds=None):
        """Has what is sent to a conversation from now on deleted after so many seconds; None: never."""
        await self.command("EXPIRE %s %s" % (to, "-" if seconds is None else int(seconds)))

    async def flag(self, to, flag, seconds=None, on=True):
        """Mutes (`mute`), pins (`pin`) or archives (`archive`) a conversation for the clients of the bot's
        account, or calls it unread (`unread`): for so many seconds or for good, or not any more."""
        how = " off" if not on else "" if seconds is None else " %d" % seconds
        await self.command("FLAG %s %s%s" % (to, flag, how))

    async def search(self, words, to="-", count=PAGE):
        """The newest messages in which words begin like these, the oldest first: in the conversation
        with `to`, or in all of the bot's."""
        found, before = [], ""
        while len(found) < count:
            rows = min(count - len(found), PAGE)
            line = "HIST %s %d%s with %s" % (to, rows, before, escape(words))
            rows, ok = await self.command(line)
            found = [self._parse(row) for row in rows if row.startswith("HIST ")] + found
            if ok.endswith(" end"):
                break
            before = " before %s" % ok.rsplit(" ", 1)[1]
        return found

    async def command(self, line, seconds=ANSWER):
        """Returns the rows and the final line of any command that may safely be carried out twice."""
        async with self._lock:
            pause = Pause()
            while True:
                try:
                    if not self._desk:
                        self._desk = await Link.open(self.servers, self.handle, self.secret, True)
                    await self._desk.say(line)
                    return await self._desk.answer(line.split(" ", 1)[0], seconds)
                except Refused as refusal:
                    if refusal.verb == "LOGIN" and not refusal.passing():
                        raise
                    if not refusal.passing() or refusal.code == "timeout":
                        raise
                    await pause.after(refusal)
                except LOST as e:
                    self._hang_up()
                    if self._closed:
                        raise
                    await pause.after(e)
                except asyncio.CancelledError:
                    # The answer may come yet, and is not that of the next command.
                    self._hang_up()
                    raise

    def _hang_up(self):
        if self._desk:
            self._desk.close()
        self._desk = None

    async def _mark(self, verb, message):
        try:
            await self.command("%s %d" % (verb, message.id))
        except Refused as refusal:
            # Deleted by age meanwhile.
            if refusal.code != "no-such-message":
                raise

    async def _read(self):
        pause = Pause()
        while True:
            try:
                self._feed = await Link.open(self.servers, self.handle, self.secret, False)
                await self._follow(pause)
            except Refused as refusal:
                if not refusal.passing():
                    raise
                await self._again(pause, refusal, refusal)
            except LOST as e:
                if self._closed:
                    return
                await self._again(pause, e, e.strerror if getattr(e, "strerror", None) else e)

    async def _again(self, pause, why, text):
        if pause.is_first():
            text = str(text) or "no answer"
            print("papo: %s: %s; trying again" % (",".join(self.servers), text), file=sys.stderr, flush=True)
        await pause.after(why)

    async def _follow(self, pause):
        """Passes on everything unread, then new messages. A LIVE below an id already seen means that
        the server restored a backup: then everything starts over."""
        held = []
        while True:
            line = await self._next_line()
            if line.startswith("LIVE "):
                break
            held.append(line)
        pause.over()
        if int(line.split(" ")[1]) < self._newest:
            print("papo: the server's log was put back; starting over", file=sys.stderr)
            self._newest = 0
        # Another session may have acknowledged what this bot has not handled: what counts is the
        # read cursor.
        for row in sorted(await self._unread(), key=lambda m: m.id):
            await self._pass_on(row)
        for line in held:
            await self._take(line)
        while True:
            await self._take(await self._next_line())

    async def _next_line(self):
        if self._closed:
            raise ConnectionError("the bot has ended")
        try:
            return await self._feed.line(SILENCE)
        except asyncio.TimeoutError:
            await self._feed.say("PING")
            return await self._feed.line(ANSWER)

    async def _unread(self):
        chats, _ = await self.command("CHATS")
        found = []
        for _, to, unread, last, _ in (row.split(" ", 4) for row in chats if row.startswith("CHAT ")):
            # What has come since then is not counted, and the feed brings it.
            wanted, before = int(unread), int(last) + 1
            while wanted > 0:
                rows, ok = await self.command("HIST %s %d before %d" % (to, PAGE, before))
                entries = [self._parse(row) for row in rows if row.startswith("HIST ")]
                # The newest from others are the unread ones.
                others = [m for m in entries if not self._is_own(m)]
                found += others[-wanted:]
                wanted -= len(others)
                if ok.endswith(" end") or not entries:
                    break
                before = entries[0].id
        return found

    def _parse(self, line):
        _, id, time, sender, to, tags, body = (line.split(" ", 6) + [""])[:7]
        return Message(int(id), time, sender, to, tags, unescape(body), self)

    def _is_own(self, entry):
        # What AT and UNLESS put into one's notes waits like a message from another.
        is_reminder = entry.to == self.handle and "late=" in entry.tags
        return entry.sender == self.handle and not is_reminder

    async def _take(self, line):
        verb = line.split(" ", 1)[0]
        if verb == "MSG":
            await self._pass_on(self._parse(line))
        elif verb in ("GROUP", "EXPIRE", "EDIT", "DEL", "REACT", "GONE"):
            entry = self._parse(line)
            # The loop never sees it, and it would come again at each login.
            if not self._is_own(entry):
                await self._mark("ACK", entry)

    async def _pass_on(self, message):
        if message.id > self._newest:
            self._newest = message.id
            is_message = "kind=" not in message.tags
            if is_message and not self._is_own(message):
                await self._queue.put(message)


class Pause:
    """Growing pauses between tries, of random length, so that a crowd does not come back at the same
    moment."""

    def __init__(self):
        self.over()

    def over(self):
        self.longest = SHORTEST

    def is_first(self):
        return self.longest == SHORTEST

    async def after(self, why):
        least = 0
        if isinstance(why, Refused) and why.code == "too-fast":
            number = why.text.split(" ", 1)[0]
            least = int(number) if number.isdigit() else 1
        await asyncio.sleep(least + random.uniform(0, self.longest))
        self.longest = min(self.longest * 2, LONGEST)


async def echo():
    try:
        bot = Bot()
    except ValueError as wrong:
        print("papo: %s" % wrong, file=sys.stderr)
        return 2
    async with bot:
        async for message in bot:
            await message.reply(message.text)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(echo()))
    except KeyboardInterrupt:
        pass
    except Refused as refusal:
        sys.exit("papo: " + str(refusal))
