// karma cli: requests at a prompt, or from a script.
#include <algorithm>
#include <iostream>
#include <optional>
#include <ostream>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <karma/version.h>

#include "core/text.h"
#include "tools/ask.h"
#include "tools/caller.h"
#include "tools/history_file.h"
#include "tools/line_editor.h"
#include "tools/prompt.h"
#include "tools/terminal.h"

namespace karma::tools {
namespace {

using Json = nlohmann::ordered_json;

// A text as a server sent it, of several lines perhaps.
std::string lines_of(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(
      result, [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') || c == '\x7f'; },
      '?');
  return result;
}

class Cli {
 public:
  Cli(const CliOptions& options, const Streams& streams)
      : options_(options),
        streams_(streams),
        address_(options.connection.endpoint.address()),
        caller_(options.connection, streams.err) {
    if (!options.history.empty()) history_.emplace(options.history);
  }

  int run_prompt() {
    greet();
    LineEditor editor(address_ + "> ");
    recall(editor);
    std::string line;
    while (true) {
      const LineEditor::Came came = editor.read(line);
      if (came == LineEditor::Came::end) return 0;
      if (came == LineEditor::Came::interrupt || trim(line).empty()) continue;
      keep(editor, std::string(trim(line)));
      if (is_quit(line)) return 0;
      if (help(line)) continue;
      const Result<std::string> request = request_of_line(line);
      if (request) {
        answer(*request);
      } else {
        print_error("not sent", request.error().message);
      }
    }
  }

  int run_script(std::istream& in) {
    bool all = true;
    std::uint64_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (trim(line).empty()) continue;
      if (is_quit(line)) break;
      const Result<std::string> request = request_of_line(line);
      if (!request) {
        streams_.err << "ERROR: line " << number << ": " << request.error().message << std::endl;
        all = false;
        continue;
      }
      const Result<protocol::Reply> reply = caller_.call(*request);
      if (!reply) {
        streams_.err << "ERROR: line " << number << ": " << reply.error().message << std::endl;
        return 1;
      }
      streams_.out << reply->line << std::endl;
      all = reply->success && all;
    }
    return all ? 0 : 1;
  }

 private:
  static bool is_quit(std::string_view line) { return trim(line) == "quit" || trim(line) == "exit"; }

  void greet() {
    streams_.out << "karma " << version() << ", " << address_;
    Client client(options_.connection.endpoint);
    const Status connected = client.connect();
    const std::string state = connected ? state_of(client) : std::string();
    if (!state.empty()) streams_.out << ": " << printable(state);
    streams_.out << std::endl;
    if (!connected) print_error("not connected", connected.error().message + "; each request tries again");
    streams_.out << "help lists the ops, Tab completes them and their fields, quit or Ctrl-D ends." << std::endl;
  }

  // Whether it asked for help, which it has then.
  bool help(std::string_view line) {
    const std::string_view text = trim(line);
    if (text == "help" || text == "?") {
      streams_.out << help_ops() << std::flush;
      return true;
    }
    if (!text.starts_with("help ")) return false;
    const std::string_view op = trim(text.substr(5));
    const std::string found = help_op(op);
    if (found.empty()) {
      print_error("help", "there is no op " + printable(op) + "; help lists them");
    } else {
      streams_.out << found << std::flush;
    }
    return true;
  }

  void answer(const std::string& request) {
    const Result<protocol::Reply> reply = caller_.call(request);
    if (!reply) return print_error("no reply", reply.error().message);
    const Json json = Json::parse(reply->line, nullptr, false);
    if (options_.json || !json.is_object() || !json.contains("response")) {
      streams_.out << reply->line << std::endl;
      return;
    }
    if (!reply->success) return print_error(reply->error_code, reply->response);
    const Json& response = json.at("response");
    if (response.is_string()) {
      const std::string text = lines_of(response.get<std::string>());
      streams_.out << text << (text.ends_with('\n') ? "" : "\n");
    } else {
      streams_.out << printable_json(response) << '\n';
    }
    for (const auto& [name, value] : json.items()) {
      if (name != "protocol_version" && name != "success" && name != "response" && name != "error_code")
        streams_.out << printable(name) << " " << printable_json(value) << '\n';
    }
    streams_.out << std::flush;
  }

  static std::string printable_json(const Json& json) { return lines_of(folded(json, terminal_size().columns)); }

  void print_error(std::string_view code, std::string_view message) {
    const bool colour = options_.canvas.colour;
    streams_.out << (colour ? "\x1b[31m" : "") << printable(code) << (colour ? "\x1b[0m" : "") << ": "
                 << printable(message) << std::endl;
  }

  void recall(LineEditor& editor) {
    if (!history_) return;
    const Result<std::vector<std::string>> lines = history_->load();
    if (!lines) return without_history(lines.error());
    for (const std::string& line : *lines) editor.remember(line);
  }

  void keep(LineEditor& editor, const std::string& line) {
    if (may_hold_token(line)) return;
    editor.remember(line);
    if (!history_) return;
    if (const Status kept = history_->add(line); !kept) without_history(kept.error());
  }

  void without_history(const Error& error) {
    print_error("note", error.message);
    history_.reset();
  }

  const CliOptions& options_;
  const Streams& streams_;
  const std::string address_;
  Caller caller_;
  std::optional<HistoryFile> history_;
};

}  // namespace

int run_cli(const CliOptions& options, const Streams& streams) {
  Cli cli(options, streams);
  if (::isatty(STDIN_FILENO) == 1 && streams.out_terminal) return cli.run_prompt();
  return cli.run_script(std::cin);
}

}  // namespace karma::tools
