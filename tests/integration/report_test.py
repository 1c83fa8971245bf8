#!/usr/bin/env python3
"""`karma report`: the figures on its page are those of the server, and the page is whole, safe and readable."""

import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60
NASTY = "a&b<script>alert(1)<\\script>\"'"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children, self.texts = tag, dict(attributes), parent, [], []

    def all(self, tag=None, **attributes):
        """Those inside, in the order of the page. Attributes by name with _ for -; True: has it."""
        found = []
        for child in self.children:
            if tag in (None, child.tag) and all(
                    child.attributes.get(name.replace("_", "-").rstrip("-")) == value or
                    (value is True and name.replace("_", "-") in child.attributes) for name, value in attributes.items()):
                found.append(child)
            found += child.all(tag, **attributes)
        return found

    def one(self, tag=None, **attributes):
        found = self.all(tag, **attributes)
        assert len(found) == 1, (tag, attributes, len(found))
        return found[0]

    def __getitem__(self, name):
        return self.attributes[name]

    @property
    def text(self):
        return "".join(part if isinstance(part, str) else part.text for part in self.texts)


class Page(html.parser.HTMLParser):
    """A tree of the page's elements; an end without a beginning, or the other way round, is a failure."""

    def __init__(self, text):
        super().__init__()
        self.root = self.at = Element("", [], None)
        self.feed(text)
        self.close()
        assert self.at is self.root, "<%s> is not closed" % self.at.tag

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs, self.at)
        self.at.children.append(element)
        self.at.texts.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.at = self.at.parent

    def handle_endtag(self, tag):
        assert tag == self.at.tag, "</%s> within <%s>" % (tag, self.at.tag)
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.texts.append(data)


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="karma-report-")
        cls.directory = pathlib.Path(cls.root.name)
        cls.server = demo.Server(SERVER, str(cls.directory / "data"), ["--http-port=%d" % demo.Server.any_port()])
        cls.server.start()
        with demo.Client(cls.server.port) as client:
            for key in range(1, 14):
                for day in (20260501, 20260503, 20260531):
                    client.answer(op="counter.increment", series="links", key=key, bucket=day, value=key * (day % 7 + 1))
            client.answer(op="counter.increment", series="links", key=2**64 - 1, bucket=20260502, value=2**63)
            client.answer(op="counter.increment", series=NASTY, key=1, bucket=20260501)
            client.answer(op="tree.create", series="empty")

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.root.cleanup()

    def report(self, *arguments, port=None, at="", **options):
        done = subprocess.run([SERVER, "report", "--port=%d" % (port or self.server.port), *arguments],
                              capture_output=True, text=True, cwd=at or self.directory, timeout=TIMEOUT_SECONDS, **options)
        return done.returncode, done.stdout, done.stderr

    def page(self, *arguments):
        status, out, err = self.report("--output=-", "--seconds=0", "--range=2026-05-01..2026-05-31", *arguments)
        self.assertEqual((status, err), (0, ""))
        return Page(out).root

    def ask(self, **fields):
        with demo.Client(self.server.port) as client:
            return client.answer(**fields)

    def test_the_file_is_replaced_when_it_is_complete(self):
        status, out, err = self.report("--seconds=1")
        self.assertEqual((status, out, err), (0, "", "wrote karma-report.html\n"))
        page = Page((self.directory / "karma-report.html").read_text()).root
        self.assertRegex(page.text, r"A second, in the 1(\.\d+)? s in which it was watched")
        row = page.one("tr", data_op="system.stats")
        self.assertGreater(float(row.all("td")[0].text), 0)
        before = (self.directory / "karma-report.html").read_bytes()
        self.assertEqual(self.report("--seconds=0", "--series=nothing")[0], 1)
        self.assertEqual((self.directory / "karma-report.html").read_bytes(), before)
        self.assertEqual([path.name for path in self.directory.glob("*html*")], ["karma-report.html"])

    def test_figures_are_those_of_the_server(self):
        page = self.page()
        tiles = {tile["data-statistic"]: json.loads(tile["data-value"]) for tile in page.all("dd", data_statistic=True)}
        stats = self.ask(op="system.stats")
        for name in ("trees", "keys", "wal_current_lsn", "error_count", "query_timeout_count", "batch_read_count"):
            self.assertEqual(tiles[name], stats[name], name)
        self.assertLess(tiles["command_count"], stats["command_count"])
        self.assertIn("version " + stats["version"], page.one("header").text)
        keys = page.all("dd", data_statistic="keys")[0].text
        self.assertEqual(keys.replace(",", ""), str(stats["keys"]))

    def test_latencies_are_those_of_the_server(self):
        page = self.page()
        histograms = self.ask(op="system.histograms")
        counts = histograms["requests"]["counter.increment"]["counts"]
        figure = page.one("figure", data_histogram="counter.increment")
        rows = {int(row["data-bucket"]): int(row["data-count"]) for row in figure.all("tr", data_bucket=True)}
        self.assertEqual(rows, {bucket: count for bucket, count in enumerate(counts) if count})
        bars = figure.one("g", class_="bars").all("rect")
        self.assertEqual(len(bars), len(rows))
        largest = max(rows.values())
        full = max(float(bar["height"]) for bar in bars)
        for bar, count in zip(bars, rows.values()):
            self.assertAlmostEqual(float(bar["height"]), max(full * count / largest, 1), delta=0.01)
            self.assertIn(": %d requests, " % count, bar.one("title").text)
        row = page.one("tr", data_op="counter.increment")
        self.assertEqual(int(row["data-count"]), histograms["requests"]["counter.increment"]["count"])

    def test_bars_are_the_days_of_the_largest_keys(self):
        page = self.page("--top=3")
        section = page.one("section", data_series="links")
        items = section.all("li", data_key=True)
        top = self.ask(op="tree.top", series="links", limit=3, range={"from": 20260501, "to": 20260531})["items"]
        self.assertEqual([int(item["data-key"]) for item in items], [item["key"] for item in top])
        for item, expected in zip(items, top):
            days = self.ask(op="counter.series", series="links", key=expected["key"],
                            range={"from": 20260501, "to": 20260531})
            bars = item.one("g", class_="bars").all("rect")
            self.assertEqual(
                {bar.one("title").text for bar in bars},
                {"%s-%s-%s: %s" % (day[:4], day[4:6], day[6:], format(value, ",")) for day, value in days.items()})
            largest = max(days.values())
            for bar, (day, value) in zip(bars, sorted(days.items())):
                self.assertAlmostEqual(float(bar["height"]), max(40 * value / largest, 1), delta=0.01)
                self.assertEqual(float(bar["x"]), (int(day) - 20260501) * 10 + 1)
            self.assertIn(format(expected["value"], ","), item.text)
        summary = self.ask(op="tree.summary", series="links", range={"from": 20260501, "to": 20260531})
        self.assertIn("in these days %s in %d keys" % (format(summary["total"], ","), summary["active_keys"]), section.text)
        table = section.one("table")
        self.assertEqual(len(table.one("tbody").all("tr")), 4, "days that have a value")

    def test_series_are_the_largest_ones_or_the_named_ones(self):
        page = self.page()
        self.assertEqual([section["data-series"] for section in page.all("section", data_series=True)],
                         ["links", NASTY, "empty"])
        self.assertIn("No key has a value in these days", page.one("section", data_series="empty").text)
        page = self.page("--series=empty", "--series=links")
        self.assertEqual([section["data-series"] for section in page.all("section", data_series=True)],
                         ["empty", "links"])

    def test_the_page_is_safe_and_loads_nothing(self):
        page = self.page()
        self.assertEqual(page.all("script"), [])
        for element in page.all():
            for name, value in element.attributes.items():
                self.assertFalse(name.startswith("on"), name)
                self.assertNotIn(name, ("src", "href", "srcset", "action", "style"))
                self.assertNotRegex(value or "", r"https?:|//")
        style = page.one("style").text
        self.assertNotRegex(style, r"url\(|@import")
        self.assertEqual(page.one("meta", http_equiv="Content-Security-Policy")["content"],
                         "default-src 'none'; style-src 'unsafe-inline'")
        self.assertEqual(page.one("section", data_series=NASTY).one("h3").text, NASTY)

    def test_pictures_have_a_text(self):
        page = self.page()
        ids = [element["id"] for element in page.all(id=True)]
        self.assertEqual(len(ids), len(set(ids)))
        pictures = page.all("svg", role="img")
        self.assertGreater(len(pictures), 15)
        for picture in pictures:
            for name in picture["aria-labelledby"].split():
                self.assertTrue(page.one(id=name).text)
        for section in page.all("section"):
            self.assertIn(section["aria-labelledby"], ids)
        self.assertEqual(page.one("html")["lang"], "en")

    def test_without_histograms_it_says_how_to_have_them(self):
        server = demo.Server(SERVER, str(self.directory / "plain"))
        server.start()
        self.addCleanup(server.kill)
        status, out, _ = self.report("--output=-", "--seconds=0", port=server.port)
        self.assertEqual(status, 0)
        page = Page(out).root
        self.assertIn("when it is started with --http-port", page.text)
        self.assertEqual(page.all("figure"), [])
        self.assertIn("There are none.", page.text)

    def test_a_slave_before_its_first_copy_is_shown_without_series(self):
        slave = demo.Server(SERVER, str(self.directory / "slave"), [
            "--role=slave", "--replication-source-host=127.0.0.1",
            "--replication-source-port=%d" % demo.Server.any_port()])
        slave.start()
        self.addCleanup(slave.kill)
        status, out, err = self.report("--output=-", "--seconds=0", port=slave.port)
        self.assertEqual(status, 0, err)
        self.assertIn("They could not be read: ", Page(out).root.text)
        self.assertTrue(err.startswith("karma: the series cannot be read: "), err)

    def test_failures_say_what_to_do(self):
        status, out, err = self.report("--output=-", port=demo.Server.any_port())
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(err.startswith("ERROR: cannot connect to 127.0.0.1:"), err)
        status, out, err = self.report("--output=no/such/directory/page.html", "--seconds=0")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("no/such/directory", err)
        status, _, err = self.report("--output=-", "--seconds=0", "--series=nothing")
        self.assertEqual(status, 1)
        self.assertRegex(err, r"\AERROR: .*nothing")
        for arguments in (["--top=0"], ["--top=51"], ["--range=x"], ["--output="], ["--series=a/b"], ["file"], ["--what"]):
            status, out, err = self.report(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(err.startswith("ERROR: "), err)

    def test_help_fits_a_screen(self):
        status, out, _ = self.report("--help")
        self.assertEqual(status, 0)
        self.assertLessEqual(len(out.splitlines()), 50)
        self.assertLessEqual(max(map(len, out.splitlines())), 120)
        for example in re.findall(r"^  karma report (.*)$", out, re.M):
            self.assertIn("--", example)


if __name__ == "__main__":
    unittest.main()
