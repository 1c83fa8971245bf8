"""A real Prometheus, for tests."""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.parse
import urllib.request

import project_scripts
import node
from http_node import PATIENCE_SECONDS


def programs():
    """The directory of prometheus and promtool."""
    done = subprocess.run([project_scripts.SCRIPTS / "get_prometheus"], check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(done.stdout.strip())


class Prometheus:
    """Scrapes some ports of this machine, and watches by rules if there are any."""

    def __init__(self, directory, ports, rules=None):
        self.port = node.Server.any_port()
        configuration = pathlib.Path(directory) / "prometheus.yml"
        configuration.write_text(json.dumps({  # JSON is YAML
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": [{"job_name": "karma", "static_configs": [
                {"targets": ["127.0.0.1:%d" % port], "labels": {"node": name}} for name, port in ports.items()]}]}))
        with open(os.path.join(directory, "prometheus.log"), "wb") as log:
            self.process = subprocess.Popen(
                [str(programs() / "prometheus"), "--config.file=%s" % configuration,
                 "--storage.tsdb.path=%s" % os.path.join(directory, "prometheus"),
                 "--web.listen-address=127.0.0.1:%d" % self.port], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self):
        self.process.kill()
        self.process.wait()

    def ask(self, query):
        """The answer of the API. Raises OSError until it is up."""
        url = "http://127.0.0.1:%d/api/v1/query?%s" % (self.port, urllib.parse.urlencode({"query": query}))
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as reply:
            return json.load(reply)

    def values(self, query):
        """By the label that names the node."""
        answer = self.ask(query)
        assert answer["status"] == "success", answer
        return {each["metric"].get("node", ""): float(each["value"][1]) for each in answer["data"]["result"]}

    def wait_for(self, query, expected):
        deadline = time.monotonic() + PATIENCE_SECONDS
        values = None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                values = self.values(query)
                if values == expected:
                    return
            time.sleep(0.1)
        raise AssertionError("%s never was %s, at last %s" % (query, expected, values))
