"""aiontfy, with which Home Assistant speaks to ntfy, against papod: its set-up, notices both ways, what
becomes of them.

Called with papod's address (http://127.0.0.1:1234), bob's password, and a token of ana's. Prints each
message as bob was sent it, for the test that calls it.
"""

import asyncio
import sys

import aiohttp
from aiontfy import Message, Ntfy
from aiontfy.exceptions import NtfyException

web, password, ana = sys.argv[1:]


async def main():
    async with aiohttp.ClientSession() as session:
        # The set-up: who is it, and a token in place of the password.
        setup = Ntfy(web, session, username="bob", password=password)
        account = await setup.account()
        assert account.username == "bob", account
        token = (await setup.generate_token("Home Assistant")).token
        bob, sender = Ntfy(web, session, token=token), Ntfy(web, session, token=ana)
        await bob.can_subscribe(["ana"])
        await bob.stats()

        events = asyncio.Queue()
        listening = asyncio.create_task(bob.subscribe(["ana"], events.put_nowait))

        async def came(what):
            while True:
                event = await asyncio.wait_for(events.get(), 20)
                if event.event == what:
                    print(f"{event.event} {event.priority} {event.message}", flush=True)
                    return event

        await came("open")
        notice = Message(topic="bob", title="Door", message="It is open", priority=4, tags=["door"])
        sent = await sender.publish(notice)
        assert (await came("message")).id == sent.id
        changed = Message(topic="bob", message="It is shut", sequence_id=sent.id)
        await sender.publish(changed)
        assert (await came("message")).sequence_id == sent.id
        await bob.clear("ana", sent.id)
        await came("message_clear")
        await sender.delete("bob", sent.id)
        await came("message_delete")
        try:
            await sender.publish(Message(topic="nobody", message="hello"))
        except NtfyException as refused:
            print(type(refused).__name__, flush=True)
        listening.cancel()


asyncio.run(main())
