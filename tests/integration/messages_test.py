#!/usr/bin/env python3
"""Every message about wrong settings, wrong arguments and a start that fails, held against one rule: faults_of().

What there is to be walked is read from the program: a setting, a command or an option that is new is walked, too."""

import errno
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import project_scripts  # noqa: E402

demo = project_scripts.load("demo.py")
SERVER = os.environ["KARMA_SERVER"]
TIMEOUT_SECONDS = 60
NOBODY = 65534
NOWHERE = "999.999.999.999"  # a host that no resolver knows

SYSTEM_REASONS = {os.strerror(code) for code in errno.errorcode}
INSIDES = ("basic_string", "std::", "what()", "terminate", "exception", "nullptr", "[json.")
# The stable words of the protocol, which programs compare: they are meant to be read.
PROTOCOL = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "protocol.md"
ERROR_CODES = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PROTOCOL.read_text(encoding="utf-8")))

EXPECTATION = re.compile(r"must (not )?be |needs a value|takes one value|= VALUE|cannot be set|requires |goes with ")
STEP = re.compile(r"--help|karma [a-z]+ |--[a-z]+(-[a-z]+)*|name (a|the) |restore the file|stop that one")
PLACE = re.compile(r"(?<![\w.])/\S|[\w.\]-]+:\d+\b")


def faults_of(message, typed="", names=(), expects=False):
    """What is wrong with a message, by the rule. `typed`: what the user gave, of which the message may repeat anything
    and whose flags are no next step, unless a part of the message begins with them. `names`: what it must name. `expects`: it must say what would be right."""
    faults = []
    if not message.startswith("ERROR: "):
        faults.append("does not begin with ERROR")
    faults += ["does not name " + name for name in names if name not in message]
    faults += ["shows the inside: " + word for word in INSIDES if word in message]
    for word in re.findall(r"(?<![\w/.-])[a-z]+(?:_[a-z0-9]+)+\b", message):
        if word not in typed and word not in ERROR_CODES:
            faults.append("an inner name: " + word)
    if any(reason in message for reason in SYSTEM_REASONS) and not PLACE.search(message):
        faults.append("a reason of the system without path or address")
    if expects and not EXPECTATION.search(message):
        faults.append("does not say what is expected")
    told = re.split(r"[\s=]+", typed)
    if not any(step.group() not in told or re.search(r"[;?.\n] ?$", message[:step.start()])
               for step in STEP.finditer(message)):
        faults.append("has no next step")
    return faults


class Ran:
    def __init__(self, arguments, done):
        self.typed = " ".join(arguments)
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.message = self.err[self.err.find("ERROR: "):] if "ERROR: " in self.err else self.err


def karma(*arguments, directory=None, binary=SERVER, stdin="system.ping\n", user=None, **variables):
    arguments = [str(argument) for argument in arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KARMA_")}
    as_user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    done = subprocess.run([binary, *arguments], input=stdin, capture_output=True, text=True, cwd=directory,
                          env={**environment, **variables}, timeout=TIMEOUT_SECONDS, check=False, **as_user)
    ran = Ran(arguments, done)
    ran.typed += "".join(" %s=%s" % item for item in variables.items())
    return ran


class Setting:
    def __init__(self, told, variables):
        self.name, self.flag, self.variable = told["name"], "--" + told["name"], variables[told["name"]]
        self.value = told["value"]
        self.is_truth = isinstance(self.value, bool)
        self.is_number = isinstance(self.value, int) and not self.is_truth
        self.is_list = isinstance(self.value, list)
        self.is_file = self.name == "config" or self.name.endswith("token-file")
        # What it is checked with only.
        self.company = ["--role=slave"] if self.name == "replication-source-host" else (
            ["--role=slave", "--replication-source-host=a"] if self.name.startswith("replication-") else [])

    def wrong_values(self):
        """Of the wrong type, out of range, empty. Texts without a list of choices are wrong when they are empty only."""
        if self.is_truth:
            return ["maybe", "1", ""]
        if self.is_number:
            return ["many", "1.5", "-2", "9" * 30, ""]
        if self.name == "recover":
            return []  # any name, or none: whether the file exists the start says
        if self.is_list:
            return ["nonsense"]
        if self.is_file or self.value is None:
            return [""]
        return ["nonsense", ""] if self.has_choices() else [""]

    def has_choices(self):
        return karma("config", self.flag + "=nonsense", *self.company).status != 0


def all_settings():
    text = re.sub(r"\n {10,}", " ", karma("--help").out)
    variables = {name: variable for name, variable in
                 re.findall(r"^  (?:-\w, )?--([a-z-]+)\b.* (KARMA_[A-Z0-9_]+)$", text, re.M)}
    return [Setting(told, variables) for told in json.loads(karma("config", "--json").out)["settings"]]


class Command:
    """A sub-command, as its --help describes it."""

    def __init__(self, name):
        self.name = name
        self.help = karma(name, "--help").out
        usage = self.help.split("\n", 1)[0].split("Usage: karma ", 1)[1]
        while re.search(r"\[[^][]*\]", usage):
            usage = re.sub(r"\[[^][]*\](\.\.\.)?", "", usage)
        required = usage.split()[1:] if usage.startswith(name) else []
        self.required = [word.removesuffix("...") for word in required]
        self.is_client = re.search(r"^  --host=HOST", self.help, re.M) is not None
        own = self.help if usage.startswith(name) else ""
        self.options = re.findall(r"^  (?:-\w, )?--([a-z-]+)(?:=([A-Z|a-z]+))?(?=[ ,\n])", own, re.M)

    def paths(self):
        """Where a path belongs: as an argument, or as an option."""
        found = [(word, word) for word in self.required if word.rpartition("=")[2] in ("FILE", "DIR")]
        taken = {word for word, _ in found}
        return found + [("--%s=%s" % option, None) for option in self.options
                        if option[1] in ("FILE", "DIR") and "--%s=%s" % option not in taken]


def all_commands():
    names = re.findall(r"^       karma ([a-z]+)\b", karma("--help").out, re.M)
    return [Command(name) for name in names]


class Listener:
    """A server that takes connections and does with each what `meet` says."""

    def __init__(self, meet):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port, self.meet, self.held = self.socket.getsockname()[1], meet, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                client, _ = self.socket.accept()
                self.held.append(client)
                self.meet(client)
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        for each in [self.socket, *self.held]:
            each.close()


class Messages(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory(prefix="karma-messages-")
        self.addCleanup(root.cleanup)
        self.root = pathlib.Path(root.name).resolve()
        self.root.chmod(0o755)

    def judge(self, ran, *names, expects=False, status=None):
        with self.subTest(typed=ran.typed):
            self.assertNotEqual(ran.status, 0, ran.out + ran.err)
            self.assertGreater(ran.status, 0, "killed by a signal")
            if status is not None:
                self.assertEqual(ran.status, status, ran.err)
            self.assertEqual(faults_of(ran.message, ran.typed, names, expects), [], ran.err)

    def free_port(self):
        return demo.Server.any_port()

    def start(self, *flags, name="data"):
        server = demo.Server(SERVER, str(self.root / name), flags)
        server.start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def refused_start(self, *flags, **more):
        return karma("--bind=127.0.0.1", "--log=false", *flags, directory=self.root, **more)

    def as_a_user_without_rights(self, *arguments, **more):
        """root may read and write everything."""
        if os.geteuid() != 0:
            return karma(*arguments, **more)
        binary = self.root / "karma"
        if not binary.exists():
            shutil.copy(SERVER, binary)
            binary.chmod(0o755)
        return karma(*arguments, binary=str(binary), user=NOBODY, **more)


class TheRule(unittest.TestCase):
    def test_finds_what_is_wrong(self):
        good = "ERROR: --port must be an integer between 1 and 65535\nkarma --help lists all options.\n"
        self.assertEqual(faults_of(good, "--port=x", ["--port"], expects=True), [])
        for message, fault in (
                ("ERROR: Cannot open x: No such file or directory; see --help", "a reason of the system"),
                ("ERROR: dump_dir must not be empty; see --help", "an inner name: dump_dir"),
                ("ERROR: basic_string::_M_create; see --help", "shows the inside"),
                ("ERROR: --port is bad; see --help", "does not say what is expected"),
                ("ERROR: --port must be an integer", "has no next step"),
                ("ERROR: it must be an integer; see --help", "does not name --port"),
                ("--port must be an integer; see --help", "does not begin")):
            found = faults_of(message, "--port=x", ["--port"], expects=True)
            self.assertTrue(any(one.startswith(fault) for one in found), (message, found))


class Settings(Messages):
    def setUp(self):
        super().setUp()
        self.settings = all_settings()
        self.assertGreater(len(self.settings), 50)

    def refuse(self, arguments, *names, **variables):
        """What `karma config` refuses a start refuses with the same words."""
        told = karma("config", *arguments, directory=self.root, **variables)
        self.judge(told, *names, expects=True, status=1)
        self.refused_alike(told, *arguments, **variables)

    def refused_alike(self, told, *arguments, **variables):
        if told.status == 1:  # else it starts
            started = karma(*arguments, directory=self.root, **variables)
            self.assertEqual((started.status, started.err), (2, told.err))

    def test_each_by_its_flag(self):
        for setting in self.settings:
            for value in setting.wrong_values():
                self.refuse([*setting.company, "%s=%s" % (setting.flag, value)], setting.flag)
            if not setting.is_truth:
                self.refuse([setting.flag], setting.flag)

    def test_each_by_its_variable(self):
        for setting in self.settings:
            for value in setting.wrong_values():
                if value or setting.is_truth:  # empty is unset
                    self.refuse(setting.company, setting.variable, **{setting.variable: value})

    def test_each_by_the_file(self):
        file = self.root / "karma.toml"
        for setting in self.settings:
            if setting.name == "config":
                lines = ["config = 'other.toml'"]
            else:
                lines = ["%s = '%s'" % (setting.name, value) for value in setting.wrong_values()]
                lines += [setting.name, setting.name + " =", "%s = 'open" % setting.name]
            for line in lines:
                file.write_text("# settings\n%s\n" % line)
                with self.subTest(line=line):
                    company = [flag for flag in setting.company if not flag.startswith(setting.flag)]
                    told = karma("config", "--config=karma.toml", *company, directory=self.root)
                    self.judge(told, "%s:2: " % file, status=1)
                    self.refused_alike(told, "--config=karma.toml", *company)

    def test_a_file_that_is_not_there_empty_or_a_directory(self):
        (self.root / "empty").write_text("")
        (self.root / "long").write_text("x" * (1 << 20) + "y")
        (self.root / "shut").write_text("x")
        (self.root / "shut").chmod(0)
        for setting in self.settings:
            if not setting.is_file:
                continue
            names = ["nowhere/file", "."] + (["long"] if setting.name == "config" else ["long", "empty"])
            for name in names:
                path = self.root / name
                self.judge(self.refused_start("%s=%s" % (setting.flag, name)), str(path), status=2)
                self.judge(self.refused_start(**{setting.variable: name}), str(path), status=2)
            self.judge(self.as_a_user_without_rights("config", setting.flag + "=shut", directory=self.root),
                       str(self.root / "shut"), "Permission denied", status=1)

    def test_names_that_are_no_settings(self):
        file = self.root / "karma.toml"
        for line in ("nonsense = 1", "max_connections = 1", "max-conections = 1", "[karma]"):
            file.write_text(line + "\n")
            ran = self.refused_start("--config=karma.toml")
            ran.typed += " " + line
            self.judge(ran, "%s:1: " % file, status=2)
        for flag in ("--nonsense", "--max_connections=1", "-port=1", "-x"):
            self.judge(self.refused_start(flag), flag.partition("=")[0], status=2)
        self.judge(self.refused_start("nonsense"), "nonsense", status=2)

    def test_settings_that_exclude_each_other(self):
        file = self.root / "karma.toml"
        (self.root / "token").write_text("x")
        for flags in (["--auth-token=x", "--auth-token-file=token"], ["--replication-source-host=a"],
                      ["--min-replicas-ack=1", "--wal=false"]):
            self.judge(self.refused_start(*flags), flags[0].partition("=")[0], status=2)
        file.write_text("replication-source-host = 'a'\n")
        self.judge(self.refused_start("--config=karma.toml"), "%s:1: " % file, "replication-source-host", status=2)


class Tools(Messages):
    def setUp(self):
        super().setUp()
        self.commands = all_commands()
        self.assertGreater(len(self.commands), 15)
        (self.root / "points").write_text('{"series":"links","key":1,"bucket":20260501,"value":2}\n')
        (self.root / "directory").mkdir()
        self.samples = {"FILE": "points", "DIR": "directory", "SERIES": "links", "OP": "system.ping"}

    def sample(self, word):
        flag, equals, kind = word.rpartition("=")
        return flag + equals + self.samples[kind]

    def complete(self, command, *more, without=None, port=None, timeout=1):
        """A call as the usage of the command wants it."""
        arguments = [self.sample(word) for word in command.required if word != without]
        if command.is_client:
            arguments += ["--port=%d" % (port or self.free_port()), "--timeout=%d" % timeout, "--retry-seconds=0"]
        return [command.name, *arguments, *more]

    def run_it(self, *arguments, **more):
        return karma(*arguments, directory=self.root, **more)

    def clients(self):
        found = [command for command in self.commands if command.is_client]
        self.assertGreater(len(found), 10)
        return found

    def test_options_that_are_unknown_lack_a_value_or_have_a_wrong_one(self):
        for command in self.commands:
            for flag in ("--nonsense", "-x", "--prt=1"):
                self.judge(self.run_it(*self.complete(command), flag), flag.partition("=")[0])
            for option, kind in command.options:
                flag = "--" + option
                if kind and option != "config":
                    self.judge(self.run_it(*self.complete(command), flag), flag, "needs a value", status=2)
                if not kind and option not in ("help", "version"):
                    ran = self.run_it(*self.complete(command), flag + "=maybe")
                    self.judge(ran, flag, expects=True)
                for value in ("", "-1", "nonsense") if kind else ():
                    ran = self.run_it(*self.complete(command), "%s=%s" % (flag, value))
                    # A text may be anything; then there is no server to tell it to.
                    if ran.message.startswith("ERROR: %s " % flag):
                        self.judge(ran, flag, expects=True)
                    # What is wrong with the lines of a file the files of tests/data/import show, kind by kind.
                    elif ran.status != 0 and not ran.message.startswith("ERROR: points"):
                        self.judge(ran)

    def test_arguments_that_are_missing_or_too_many(self):
        for command in self.commands:
            for word in command.required:
                self.judge(self.run_it(*self.complete(command, without=word)), "karma " + command.name, status=2)
            if "FILE" in command.required or "OP" in command.required:
                continue  # takes any number
            self.judge(self.run_it(*self.complete(command, "one", "more")))

    def test_paths(self):
        (self.root / "shut").write_text("1,20260501,2\n")
        (self.root / "shut").chmod(0)
        (self.root / "closed").mkdir()
        (self.root / "closed").chmod(0)
        server = self.start()
        with demo.Client(server.port) as client:
            client.answer(op="counter.increment", series="links", key=1, bucket=20260501)
        walked = 0
        for command in self.commands:
            for word, given in command.paths():
                flag, equals, kind = word.rpartition("=")
                bad = {"FILE": ("nowhere/file", "directory", "shut"), "DIR": ("nowhere/file", "points", "closed")}
                for name in bad[kind]:
                    if flag == "--rejects":
                        continue  # written once a line is wrong: see below
                    arguments = self.complete(command, flag + equals + name, without=given, port=server.port, timeout=30)
                    ran = self.as_a_user_without_rights(*arguments, directory=self.root)
                    if flag == "--output" and name == "shut":
                        continue  # a file is replaced, and its directory is what counts
                    self.judge(ran, str(self.root / name))
                    walked += 1
        self.assertGreater(walked, 10)

    def test_a_file_for_rejected_lines_that_cannot_be_written(self):
        (self.root / "points").write_text("key,bucket,value\nx,y,z\n")
        for name in ("nowhere/file", "directory"):
            self.judge(self.run_it("import", "points", "--series=links", "--on-error=skip", "--rejects=" + name,
                                   "--port=%d" % self.free_port(), "--retry-seconds=0"), str(self.root / name), status=1)

    def test_nobody_listens(self):
        for command in self.clients():
            port = self.free_port()
            self.judge(self.run_it(*self.complete(command, port=port)), "127.0.0.1:%d" % port, "Connection refused")
            self.judge(self.run_it(*self.complete(command, "--host=" + NOWHERE, port=port)), "%s:%d" % (NOWHERE, port))
            self.judge(self.run_it(*[argument for argument in self.complete(command) if "--port" not in argument],
                                   KARMA_PORT=str(port)), "127.0.0.1:%d" % port)
            self.judge(self.run_it(*[argument for argument in self.complete(command) if "--port" not in argument],
                                   KARMA_PORT="many"), "KARMA_PORT", expects=True, status=2)

    def test_something_that_does_not_answer_as_karma_does(self):
        for meet in (lambda client: None, lambda client: client.close(),
                     lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")):
            for command in self.clients():
                listener = Listener(meet)
                try:
                    self.judge(self.run_it(*self.complete(command, port=listener.port)),
                               "127.0.0.1:%d" % listener.port)
                finally:
                    listener.close()

    def test_a_server_that_refuses(self):
        server = self.start("--auth-token=right")
        address = "127.0.0.1:%d" % server.port
        for command in self.clients():
            for token in ([], ["--token=wrong"]):
                ran = self.run_it(*self.complete(command, *token, port=server.port))
                if ran.out and not ran.err and "unauthorized" in ran.out:
                    # `karma call` and `karma cli` print each reply as it came, for programs.
                    self.assertIn(command.name, ("call", "cli"))
                    self.assertNotEqual(ran.status, 0)
                    continue
                self.judge(ran, address, "nauthorized", status=ran.status)

    def test_a_series_that_is_not_there(self):
        server = self.start()
        for command in self.clients():
            if "--series=SERIES" in command.required and command.name != "import":
                ran = self.run_it(*self.complete(command, port=server.port))
                if ran.status != 0 and ran.err:
                    self.judge(ran, "links")


class StartUp(Messages):
    def test_a_port_that_is_taken(self):
        listener = Listener(lambda client: None)
        self.addCleanup(listener.close)
        address = "127.0.0.1:%d" % listener.port
        self.judge(self.refused_start("--port=%d" % listener.port), address, "--port", "--bind", "already in use",
                   status=1)
        self.judge(self.refused_start("--port=%d" % self.free_port(), "--http-port=%d" % listener.port), address,
                   "--http-port", "--http-bind", "already in use", status=1)

    def test_an_address_that_is_not_of_this_machine(self):
        for host in (NOWHERE, "192.0.2.1"):
            self.judge(karma("--bind=" + host, "--port=%d" % self.free_port(), "--log=false", directory=self.root), host,
                       status=1)

    def test_a_directory_that_cannot_be_used(self):
        (self.root / "file").write_text("")
        shut = self.root / "shut"
        shut.mkdir()
        shut.chmod(0o555)
        for name in ("file", "file/data"):
            self.judge(self.refused_start("--port=%d" % self.free_port(), "--directory=" + name), str(self.root / name),
                       status=1)
        for name in ("shut", "shut/data"):
            self.judge(self.as_a_user_without_rights("--bind=127.0.0.1", "--port=%d" % self.free_port(), "--log=false",
                                                     "--directory=" + name, directory=self.root),
                       str(self.root / name), "Permission denied", status=1)

    def test_a_directory_that_another_node_uses(self):
        self.start()
        self.judge(self.refused_start("--port=%d" % self.free_port(), "--directory=data"), str(self.root / "data"),
                   "in use", status=1)
        for command in ("check", "dump"):
            self.judge(karma(command, "data", directory=self.root), str(self.root / "data"), "in use", status=2)

    def test_data_that_is_damaged_or_missing(self):
        server = self.start()
        with demo.Client(server.port) as client:
            for day in (20260501, 20260502, 20260503):
                client.answer(op="counter.increment", series="links", key=42, bucket=day)
            client.answer(op="snapshot.create_all")
            client.answer(op="counter.increment", series="links", key=42, bucket=20260504)
            client.answer(op="counter.increment", series="links", key=42, bucket=20260505)
        server.kill()
        whole = self.root / "data"
        for pattern in ("karma.wal", "*.tree", "karma.manifest*"):
            for harm in ("damage", "removal"):
                if (pattern, harm) in (("karma.wal", "removal"), ("karma.manifest*", "removal")):
                    continue  # what is left is whole: an older state, and a directory of Karma 1.0
                directory = self.root / "harmed"
                shutil.rmtree(directory, ignore_errors=True)
                shutil.copytree(whole, directory)
                file = sorted(directory.glob(pattern))[0]
                if harm == "removal":
                    file.unlink()
                else:
                    content = file.read_bytes()
                    file.write_bytes(content[:10] + bytes(byte ^ 1 for byte in content[10:20]) + content[20:])
                with self.subTest(file=pattern, harm=harm):
                    self.judge(self.refused_start("--port=%d" % self.free_port(), "--directory=harmed"), str(directory),
                               file.name, status=1)
        self.judge(self.refused_start("--port=%d" % self.free_port(), "--directory=data", "--recover=nowhere"),
                   str(whole), "--recover=nowhere", status=1)

    def test_a_log_file_that_cannot_be_opened(self):
        for name in ("nowhere/log", "."):
            self.judge(karma("--bind=127.0.0.1", "--port=%d" % self.free_port(), "--log-file=" + name,
                             directory=self.root), str(self.root / name), "--log-file", status=1)

    def test_an_open_node_in_protected_mode(self):
        self.judge(karma("--protected-mode", "--log=false", "--port=%d" % self.free_port(), directory=self.root),
                   "--auth-token-file", status=1)


if __name__ == "__main__":
    unittest.main()
