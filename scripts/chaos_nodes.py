"""Nodes that replicate from each other, and the network between them, for scripts/chaos."""

import asyncio
import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import threading

import node

# Ports of nodes that come back: none that the system gives to a connection meanwhile.
PORTS = range(12000, 30000)


def free_port():
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class Link:
    """What a slave takes for its master: passes on lines, or not."""

    def __init__(self, source, rng):
        self.source, self.rng = source, rng
        self.port = free_port()
        self.tasks = set()
        self.heal()

    def heal(self):
        self.refuses = self.frozen = False
        self.faults = {}  # of a reply, with its probability; "delay": seconds at most

    async def accept(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        ends = [writer]
        try:
            if self.refuses:
                return
            source_reader, source_writer = await asyncio.open_connection("127.0.0.1", self.source, limit=1 << 28)
            ends.append(source_writer)
            ways = [asyncio.ensure_future(self.pass_questions(reader, source_writer)),
                    asyncio.ensure_future(self.pass_replies(source_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(asyncio.current_task())
            for end in ends:
                end.transport.abort()

    async def pass_questions(self, reader, writer):
        while data := await reader.read(65536):
            await self.thaw()
            writer.write(data)
            await writer.drain()

    async def pass_replies(self, reader, writer):
        async def send(line):
            await self.thaw()
            writer.write(line)
            await writer.drain()

        while line := await reader.readline():
            if "delay" in self.faults:
                await asyncio.sleep(self.rng.random() * self.faults["delay"])
            if self.happens("cut"):
                return
            if self.happens("truncate"):
                await send(line[:self.rng.randrange(len(line))])
                return
            if self.happens("reorder"):
                with contextlib.suppress(asyncio.TimeoutError):
                    await send(await asyncio.wait_for(reader.readline(), 0.05))
            await send(line)
            if self.happens("repeat"):
                await send(line)

    def happens(self, fault):
        return self.rng.random() < self.faults.get(fault, 0)

    async def thaw(self):
        while self.frozen:
            await asyncio.sleep(0.005)

    def reset(self):
        for task in list(self.tasks):
            task.cancel()


class Network:
    """A link for each two nodes, all served by one thread."""

    def __init__(self, nodes, seed):
        self.loop = asyncio.new_event_loop()
        self.links = {(slave, source): Link(source.port, random.Random(f"{seed}/{slave.name}/{source.name}"))
                      for slave in nodes for source in nodes if slave is not source}
        for link in self.links.values():
            self.loop.run_until_complete(
                asyncio.start_server(link.accept, "127.0.0.1", link.port, limit=1 << 28))
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def link(self, slave, source):
        return self.links[slave, source]

    def reset(self, links):
        for link in links:
            self.loop.call_soon_threadsafe(link.reset)

    def cut_off(self, source):
        links = [link for (_, its_source), link in self.links.items() if its_source is source]
        for link in links:
            link.refuses = True
        self.reset(links)

    def heal(self):
        for link in self.links.values():
            link.heal()

    def close(self):
        self.reset(self.links.values())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


class Node(node.Server):
    def __init__(self, binary, root, name, flags):
        self.name, self.common = name, list(flags)
        super().__init__(binary, os.path.join(root, name), port=free_port(), log=os.path.join(root, name + ".log"))
        self.link = None           # by its settings: that to its master
        self.promoted_from = None  # the link, where its settings still are those of a slave
        self.stopped = False

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        role = ["--role=master"]
        if self.link:
            role = ["--role=slave", "--replication-source-host=127.0.0.1",
                    "--replication-source-port=%d" % self.link.port]
        self.flags = self.common + role
        super().start()

    def be_master(self):
        """With the settings of one."""
        self.end()
        self.link = self.promoted_from = None
        self.start()

    def follow(self, link):
        self.end()
        if self.promoted_from is link:
            self.be_master()  # the runbook: once, where the new master has the very address of the old one
            self.end()
        self.link, self.promoted_from = link, None
        self.start()

    def kill(self):
        if self.running:
            super().kill()
        elif self.process and self.process.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError("%s ended by itself, with %d" % (self.name, self.process.returncode))
        self.stopped = False

    end = kill

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.stopped = True

    def go_on(self):
        if self.stopped:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

    def limit_files(self, size):
        with contextlib.suppress(OSError):
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def fill_disk(self, rng):
        """From now on some writes to files fail, or all."""
        log = os.path.join(self.directory, "karma.wal")
        size = 0
        with contextlib.suppress(OSError):  # the node itself may be changing it for a new segment, or another log
            size = os.path.getsize(log)
        self.limit_files(rng.choice([1, size + rng.randrange(1, 3000)]))

    def free_disk(self):
        self.limit_files(resource.RLIM_INFINITY)

    def empty_directory(self):
        shutil.rmtree(self.directory)

    def ask(self, **fields):
        """Returns the reply, or nothing if there was none."""
        try:
            with node.Client(self.port) as client:
                return client.ask(**fields)
        except (OSError, EOFError, ValueError):
            return None

    def response(self, **fields):
        reply = self.ask(**fields)
        return reply["response"] if reply and reply["success"] else None

    def status(self):
        return self.response(op="replication.status")

    def content(self):
        """All there is, or nothing if it cannot be read."""
        names = self.response(op="tree.list")
        if names is None:
            return None
        points = {}
        try:
            with node.Client(self.port) as client:
                for name in names:
                    points[name], cursor = [], {}
                    while cursor is not None:
                        page = client.ask(op="tree.points", series=name, limit=10000, **cursor)
                        if not page["success"]:
                            return None
                        points[name] += page["response"]["points"]
                        following = page["response"]["next_cursor"]
                        cursor = None if following is None else {"cursor": following}
                streams = client.ask(op="ingest.status", limit=1000)["response"]["streams"]
                stats = client.ask(op="system.stats")["response"]
        except (OSError, EOFError, ValueError):
            return None
        for stream in streams:
            del stream["age_seconds"]
        return {"points": points, "streams": streams,
                "keys": stats["idempotency_record_count"], "committed": stats["idempotency_committed_stream_count"]}
