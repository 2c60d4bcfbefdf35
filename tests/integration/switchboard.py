"""A network between members on this machine whose cables a test can cut: every connection to a member's peer port runs
through here. A cut says nothing to either side, as a network does that loses everything; what was on its way comes when
the cut heals."""

import asyncio
import os
import threading

from servers import HOST, free_ports


class Switchboard:
    def __init__(self, members):
        """Takes the place of the members' peer ports. Requires: none has been started."""
        self.members = members
        self.cuts = set()
        self.servers = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        for member, port in zip(members, free_ports(len(members))):
            member.peer_listen_port = port

    def cut(self, one, other):
        self.cuts.add(frozenset((one.name, other.name)))

    def isolate(self, member):
        for other in self.members:
            if other is not member:
                self.cut(member, other)

    def heal(self):
        self.cuts.clear()

    def caller(self, port):
        """The member whose process owns the socket at this local port."""
        local = f":{port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(local)}
        for member in self.members:
            folder = f"/proc/{member.process.pid}/fd"
            try:
                if any(os.readlink(os.path.join(folder, name)) in sockets for name in os.listdir(folder)):
                    return member.name
            except FileNotFoundError:
                continue  # The member or its descriptor has just gone.
        return None

    async def relay(self, reader, writer, pair):
        try:
            while data := await reader.read(65536):
                while pair in self.cuts:
                    await asyncio.sleep(0.01)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(self, called, reader, writer):
        pair = frozenset((called.name, self.caller(writer.get_extra_info("peername")[1])))
        try:
            there = await asyncio.open_connection(HOST, called.peer_listen_port)
        except (OSError, asyncio.CancelledError):
            writer.close()
            return
        await asyncio.gather(self.relay(reader, there[1], pair), self.relay(there[0], writer, pair))

    async def listen(self):
        for member in self.members:
            self.servers.append(
                await asyncio.start_server(lambda r, w, m=member: self.connect(m, r, w), HOST, member.peer_port))

    async def close(self):
        for server in self.servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __enter__(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result()
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
