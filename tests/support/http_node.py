"""A server with a port for HTTP."""

import http.client
import socket
import time

import project_scripts  # noqa: F401
import node

PATIENCE_SECONDS = 60


class HttpNode(node.Server):
    def __init__(self, binary, directory, *flags):
        self.http_port = self.any_port()
        super().__init__(binary, directory, ["--http-port=%d" % self.http_port, *flags])

    def get(self, path, method="GET"):
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def raw(self, request, half_close=False):
        """All that comes back for some bytes."""
        with socket.create_connection(("127.0.0.1", self.http_port), PATIENCE_SECONDS) as connection:
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            reply = b""
            while part := connection.recv(65536):
                reply += part
            return reply

    def wait_for(self, path, status):
        """Returns the body of the first answer with that status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        answer = None
        while time.monotonic() < deadline:
            answer = self.get(path)
            if answer[0] == status:
                return answer[1]
            time.sleep(0.02)
        raise AssertionError("%s never answered %d, at last %s" % (path, status, answer))
