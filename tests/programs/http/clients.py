"""Programs that speak ntfy's API, against papod: Apprise, python-ntfy, websocket-client, requests.

Called with papod's address (http://127.0.0.1:1234), a token of ana's, a token of bob's and a hook of
ana's to bob. Prints each message as bob was sent it, for the test that calls it.
"""

import base64
import json
import sys
from datetime import datetime, timedelta, timezone

import apprise
import requests
import websocket
from python_ntfy import NtfyClient

web, ana, bob, hook = sys.argv[1:]
place = web.removeprefix("http://")


def stream(form, **more):
    """A subscription of bob's to what ana says."""
    auth = base64.urlsafe_b64encode(f"Basic {base64.b64encode(f'bob:{bob}'.encode()).decode()}".encode())
    return f"{place}/ana/{form}?auth={auth.decode().rstrip('=')}"


# A browser's WebSocket, which can say who it is only in its address.
socket = websocket.create_connection("ws://" + stream("ws"), timeout=20)
assert json.loads(socket.recv())["event"] == "open"
# A stream of JSON, read as Home Assistant's and others' do: by lines, as they come.
lines = requests.get(f"{web}/ana/json", auth=("bob", bob), stream=True, timeout=20).iter_lines()
assert json.loads(next(lines))["event"] == "open"


def came():
    """The next message on both streams, which have to agree."""
    one, other = json.loads(socket.recv()), json.loads(next(lines))
    assert one == other, (one, other)
    shown = {key: one[key] for key in ("event", "message", "priority", "sequence_id") if key in one}
    print(json.dumps(shown, ensure_ascii=False), flush=True)
    return one


# Apprise: JSON, with the token as a password and as what Bearer takes; a text that is long; a refusal.
ways = apprise.Apprise()
ways.add(f"ntfy://ana:{ana}@{place}/bob?priority=high&tags=warning")
assert ways.notify(title="Low disk", body="97 % of / is used")
came()
ways = apprise.Apprise()
ways.add(f"ntfy://{ana}@{place}/bob?auth=token")
assert ways.notify(body="by its token")
came()
# It makes a file of a long one.
assert ways.notify(body="long " * 2_000)
assert requests.get(came()["attachment"]["url"], timeout=20).text.count("long") == 2_000
ways = apprise.Apprise()
ways.add(f"ntfy://ana:{ana}@{place}/nobody")
assert not ways.notify(body="to nobody")

# Hooks: Slack's form from Apprise's point of view is JSON to an address; Gotify has its own.
ways = apprise.Apprise()
ways.add(f"json://{place}/hook/{hook}")
assert ways.notify(title="A title", body="and a text", notify_type="info")
came()
ways = apprise.Apprise()
ways.add(f"gotify://{place}/{hook}?priority=high")
assert ways.notify(title="Gotify", body="too")
came()

# python-ntfy: Basic, its own names of headers, a schedule, a poll that ends.
client = NtfyClient(topic="bob", server=web, auth=("ana", ana))
sent = client.send("from python", title="ntfy", priority=NtfyClient.MessagePriority.MAX, tags=["tada"])
assert sent["id"] == came()["id"], sent
later = client.send("later", schedule=datetime.now(timezone.utc) + timedelta(hours=1))
assert later["id"] == "at-1" and later["time"] > sent["time"] + 3_000, later
reader = NtfyClient(topic="ana", server=web, auth=("bob", bob))
assert any(one["id"] == sent["id"] for one in reader.get_cached_messages(since="all"))

# Changed, deleted, cancelled.
me = ("ana", ana)
assert requests.put(f"{web}/bob/{sent['id']}", "changed", auth=me, timeout=20).ok
assert came()["sequence_id"] == sent["id"]
assert requests.delete(f"{web}/bob/{sent['id']}", auth=me, timeout=20).ok
assert came()["event"] == "message_delete"
assert requests.delete(f"{web}/bob/at-1", auth=me, timeout=20).ok
socket.close()
