#!/usr/bin/env python3
"""The alerts, the dashboard and the pages for those on call: whole, true, and tried."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
from http_node import HttpNode  # noqa: E402
from prometheus import Prometheus, programs  # noqa: E402
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
MONITORING = ROOT / "monitoring"
ALERTS = (MONITORING / "alerts.yml").read_text()
DASHBOARD = json.loads((MONITORING / "grafana.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
VARIABLES = {"$instance": ".*", "$job": "karma", "$__rate_interval": "1m"}


def promtool(*arguments):
    done = subprocess.run([programs() / "promtool", *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


class Monitoring(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory(prefix="karma-monitoring-")
        self.addCleanup(root.cleanup)
        self.directory = pathlib.Path(root.name)

    def test_each_alert_fires_when_it_should(self):
        for arguments in (["check", "rules", MONITORING / "alerts.yml"], ["test", "rules", MONITORING / "alerts_test.yml"]):
            code, said = promtool(*arguments)
            self.assertEqual(code, 0, said)

    def test_each_query_of_the_dashboard_can_be_read(self):
        self.assertGreater(len(QUERIES), 20)
        rules = []
        for number, query in enumerate(QUERIES):
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            rules.append({"record": f"query:{number}", "expr": query})
        path = self.directory / "queries.yml"
        path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
        code, said = promtool("check", "rules", path)
        self.assertEqual(code, 0, said)
        written = subprocess.run([MONITORING / "make_dashboard"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(json.loads(written), DASHBOARD, "monitoring/grafana.json is not what make_dashboard writes")

    def test_they_ask_for_metrics_that_there_are(self):
        page = (ROOT / "docs/operations.md").read_text()
        expressions = QUERIES + re.findall(r"expr: (.*)", ALERTS)
        for name in set(re.findall(r"\b(?:karma|process)_[a-z_]+", " ".join(expressions))):
            name = re.sub(r"_(bucket|count|sum)$", "", name)
            self.assertIn(f"`{name}`", page)

    def test_the_runbook_has_each_alert(self):
        alerts = re.findall(r"alert: (\w+)", ALERTS)
        self.assertEqual(re.findall(r"^### (Karma\w+)", (ROOT / "docs/runbook.md").read_text(), re.M), alerts)

    def test_a_stopped_slave_is_noticed(self):
        master = HttpNode(SERVER, self.directory / "master")
        master.start()
        self.addCleanup(master.kill)
        slave = HttpNode(SERVER, self.directory / "slave", "--role=slave", "--replication-source-host=127.0.0.1",
                         f"--replication-source-port={master.port}")
        slave.start()
        self.addCleanup(slave.kill)
        rules = self.directory / "alerts.yml"
        rules.write_text(re.sub(r"for: \w+", "for: 1s", ALERTS))  # a test has less patience
        prometheus = Prometheus(self.directory, {"master": master.http_port, "slave": slave.http_port}, rules=rules)
        self.addCleanup(prometheus.close)
        prometheus.wait_for("up", {"master": 1, "slave": 1})
        prometheus.wait_for("karma_replication_lag_seconds", {"master": 0, "slave": 0})
        slave.kill()
        prometheus.wait_for('ALERTS{alertname="KarmaDown",alertstate="firing"}', {"slave": 1})
        self.assertEqual(prometheus.values('ALERTS{alertname="KarmaNoMaster",alertstate="firing"}'), {})


class Backup(unittest.TestCase):
    """The commands of docs/backup.md."""

    def test_a_copy_of_a_running_node_is_restored(self):
        copy, restore = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/backup.md").read_text(), re.S)
        with tempfile.TemporaryDirectory(prefix="karma-backup-") as root:
            root = pathlib.Path(root)
            server = demo.Server(SERVER, str(root / "data"), [])
            server.start()
            self.addCleanup(lambda: server.process.poll() is None and server.kill())
            with demo.Client(server.port) as client:
                for series in ("links", "pages"):
                    client.answer(op="counter.increment", series=series, key=42, bucket=20260501, value=5)
            call = f'karma() {{ if [ "$1" = call ]; then "{SERVER}" "$@" --port={server.port}; else "{SERVER}" "$@"; fi; }}\n'
            copy = copy.replace("data=/var/lib/karma", f"data={root / 'data'}").replace("/backup/", f"{root}/backup/")
            self.assertIn("ok: 2 series, 2 keys", self.shell(call + copy))
            # What belongs to a machine with the service is left out here.
            lines = [line for line in restore.replace("/var/lib/karma", str(root / "new")).splitlines()
                     if not re.match(r"(install|chown|systemctl) ", line)]
            (root / "new").mkdir()
            self.shell(call + f"backup=$(echo {root}/backup/*)\n" + "\n".join(lines))
            server.kill()
            restored = demo.Server(SERVER, str(root / "new"), [])
            restored.start()
            self.addCleanup(restored.kill)
            with demo.Client(restored.port) as client:
                self.assertEqual(client.answer(op="counter.sum", series="pages", key=42), 5)

    def shell(self, script):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout


if __name__ == "__main__":
    unittest.main()
