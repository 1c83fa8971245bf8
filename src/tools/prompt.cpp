#include "tools/prompt.h"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "commands/catalog.h"
#include "core/text.h"
#include "tools/caller.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using Json = nlohmann::ordered_json;
using commands::Op;

struct Meaning {
  std::string_view field;
  std::string_view meaning;
  std::string_view example;
  std::string_view op = {};  // only there; such rows come first
};

constexpr Meaning kMeanings[] = {
    {"items", "counters, as [{\"series\":\"links\",\"key\":42},...]", R"([{"series":"links","key":42}])",
     "counter.multi_sum"},
    {"before", "Unix seconds, or a text like \"2026-05-05T00:00:00Z\"", "1777939200", "idempotency.prune"},
    {"series", "name of the series", "links"},
    {"key", "number of the counter", "42"},
    {"keys", "numbers of counters, as [42,43]", "[42,43]"},
    {"bucket", "day, as 20260505 or 2026-05-05; else today (UTC)", "2026-05-05"},
    {"value", "how many; else 1", "5"},
    {"range", "days, both included, as {\"from\":20260501,\"to\":20260531}", R"({"from":20260501,"to":20260531})"},
    {"ranges", "up to 16 such ranges, null: all time; instead of range", R"([{"from":20260501,"to":20260531},null])"},
    {"compare_to", "a second range, to which that one is compared", R"({"from":20260401,"to":20260430})"},
    {"order_by", "value or delta, beside compare_to", "delta"},
    {"items", "points, as [[key,bucket,value],...]", "[[42,20260505,5]]"},
    {"before", "first day that stays", "20260501"},
    {"limit", "how many at most", "10"},
    {"cursor", "next_cursor of the page before", "42"},
    {"stream_id", "name of the stream", "clicks-1"},
    {"mode", "add, set or replace_series", "add"},
    {"granularity", "kept and told, nothing more", "day"},
    {"chunk_seq", "1, 2, 3, ...", "1"},
    {"file", "name of a snapshot, as in snapshot.info", "links-20260505.tree"},
    {"offset", "of the first byte", "0"},
    {"after_lsn", "the LSN before", "0"},
    {"wait_ms", "how long to wait for it", "1000"},
    {"replica", "who asks", "replica-1"},
    {"replica_epoch", "whose entries it has", "epoch-1"},
    {"durable_lsn", "up to where it has them on disk", "0"},
    {"source", "name of a producer", "clicks"},
    {"source_offset", "how far it has been read", "1000"},
    {"event_id", "the last event of it", "e-1000"},
    {"checked_points", "how many were compared", "1000"},
    {"mismatch_count", "how many differ", "0"},
    {"absolute_drift", "by how much in all", "0"},
    {"max_abs_delta", "by how much at most", "0"},
    {"idempotency_key", "a repeat with the same key is not counted again", "k-1"},
    {"fingerprint", "refused unless it is the one that the server computes", "0"},
    {"want_lsn", "true: the reply tells the LSN of the write", "true"},
    {"min_lsn", "answer when this LSN is applied", "1"},
};

const Meaning& meaning_of(const Op& op, std::string_view field) {
  static constexpr Meaning kUnknown{{}, "see docs/protocol.md", "1"};
  const auto* const found = std::ranges::find_if(kMeanings, [&](const Meaning& meaning) {
    return meaning.field == field && (meaning.op.empty() || meaning.op == op.name);
  });
  return found == std::end(kMeanings) ? kUnknown : *found;
}

struct Field {
  std::string name;
  bool required = false;
};

// As the catalog lists them, "series, key, [range]", and those that several ops have without listing them.
std::vector<Field> fields_of(const Op& op) {
  std::vector<Field> fields;
  const std::string text = op.fields();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(", ", at), text.size());
    const std::string name = text.substr(at, end - at);
    const bool required = !name.starts_with('[');
    fields.push_back({required ? name : name.substr(1, name.size() - 2), required});
    at = end + 2;
  }
  if (op.idempotent) fields.push_back({"idempotency_key"});
  if (op.kind == commands::Kind::mutation) fields.push_back({"want_lsn"});
  if (op.kind == commands::Kind::query && !op.of_node && op.awaited == nullptr) fields.push_back({"min_lsn"});
  return fields;
}

std::string_view family_of(std::string_view name) { return name.substr(0, name.find('.')); }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Result<std::vector<std::string>> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  int depth = 0;  // of brackets
  char quote = '\0';
  const auto end_word = [&] {
    if (std::exchange(begun, false)) words.push_back(std::exchange(word, {}));
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\0' && depth == 0 && is_blank(c)) {
      end_word();
      continue;
    }
    begun = true;
    if (quote == '\'' || (quote == '\0' && c == '\'')) {
      quote = c != '\'' ? quote : quote == '\0' ? c : '\0';
      if (c != '\'') word += c;
      continue;
    }
    word += c;
    if (quote == '"') {
      if (c == '\\' && i + 1 < line.size()) word += line[++i];
      if (c == '"') quote = '\0';
    } else if (c == '"') {
      quote = c;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      depth = std::max(depth - 1, 0);
    }
  }
  if (quote != '\0') return validation_error(std::string("a ") + quote + " is not closed");
  if (depth != 0) return validation_error("a bracket is not closed");
  end_word();
  return words;
}

Result<std::string> request_of_line(std::string_view line) {
  const std::string_view text = trim(line);
  if (text.starts_with('{')) return std::string(text);
  const Result<std::vector<std::string>> words = words_of(text);
  if (!words) return words.error();
  return request_of_fields(*words);
}

bool may_hold_token(std::string_view line) {
  constexpr std::string_view kToken = "token";
  const auto same = [](char a, char b) { return (a | 0x20) == b; };
  if (std::search(line.begin(), line.end(), kToken.begin(), kToken.end(), same) != line.end()) return true;
  // In JSON a name can be spelled in many ways.
  if (line.find('\\') == line.npos) return false;
  const Result<std::string> request = request_of_line(line);
  const Json json = request ? Json::parse(*request, nullptr, false) : Json(Json::value_t::discarded);
  return !json.is_object() || json.contains(kToken);
}

std::string Completion::common() const {
  if (words.empty()) return {};
  std::string_view same = words.front();
  for (const std::string_view word : words)
    same = same.substr(0, static_cast<std::size_t>(std::ranges::mismatch(same, word).in1 - same.begin()));
  std::string rest(same.substr(typed));
  if (words.size() == 1 && !same.ends_with('=')) rest += ' ';
  return rest;
}

Completion complete(std::string_view before_cursor) {
  Completion completion;
  const std::size_t begin = before_cursor.find_last_of(" \t") + 1;  // npos + 1 is 0
  const std::string_view typed = before_cursor.substr(begin);
  const std::string_view before = trim(before_cursor.substr(0, begin));
  completion.typed = typed.size();
  const auto offer = [&](std::string word) {
    if (word.starts_with(typed)) completion.words.push_back(std::move(word));
  };
  if (before.empty() || before == "help") {
    for (const Op& op : commands::catalog()) offer(std::string(op.name));
    if (before.empty())
      for (const char* word : {"help", "quit"}) offer(word);
    return completion;
  }
  const Result<std::vector<std::string>> words = words_of(before);
  if (!words) return completion;  // inside of a value
  const Op* const op = commands::find_op(words->front());
  if (op == nullptr) return completion;
  for (const Field& field : fields_of(*op)) {
    const std::string name = field.name + "=";
    if (std::ranges::none_of(*words, [&](const std::string& word) { return word.starts_with(name); })) offer(name);
  }
  return completion;
}

std::string help_ops() {
  std::string text =
      "An op and its fields    counter.sum series=links key=42\n"
      "or a request in JSON    {\"op\":\"counter.sum\",\"series\":\"links\",\"key\":42}\n"
      "A value that is no JSON is a text. Tab completes ops and fields.\n\n";
  std::string_view family;
  for (const Op& op : commands::catalog()) {
    if (family_of(op.name) != family) {
      text += family.empty() ? "  " : "\n  ";
      family = family_of(op.name);
      text += std::string(family) + std::string(16 - family.size(), ' ');
    } else {
      // Lines end before the 80th column, and go on under their beginning.
      const std::size_t column = text.size() - (text.rfind('\n') + 1);
      text += column + op.name.size() - family.size() > 79 ? "\n" + std::string(18, ' ') : " ";
    }
    text += op.name.substr(family.size() + 1);
  }
  return text + "\n\nhelp OP explains one of them, quit or Ctrl-D ends.\n";
}

std::string help_op(std::string_view name) {
  const Op* const op = commands::find_op(name);
  if (op == nullptr) return {};
  std::string text(op->name);
  for (const std::string_view alias : op->aliases) text += ", also " + std::string(alias);
  const bool logged = op->kind == commands::Kind::mutation;
  const bool writes = logged || (op->kind == commands::Kind::admin && op->access == commands::Access::write);
  text += writes ? logged ? ": a write, which is logged" : ": takes the write token" : ": a read";
  text += "\n";
  const std::vector<Field> fields = fields_of(*op);
  std::string example(op->name);
  std::size_t width = 0;
  for (const Field& field : fields) width = std::max(width, field.name.size());
  for (const Field& field : fields) {
    const Meaning& meaning = meaning_of(*op, field.name);
    text += "  " + field.name + std::string(width - field.name.size() + 2, ' ') +
            (field.required ? "required  " : "optional  ") + std::string(meaning.meaning) + "\n";
    if (field.required) example += " " + field.name + "=" + std::string(meaning.example);
  }
  if (op->deletes) text += "  It deletes: fields that it does not take are refused.\n";
  return text + "Example: " + example + "\n";
}

std::string folded(const Json& json, std::size_t width) {
  const auto fold = [width](const auto& self, const Json& value, std::size_t indent, std::size_t room) -> std::string {
    std::string line = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!value.is_structured() || value.empty() || indent + room + line.size() <= width) return line;
    std::string text(value.is_object() ? "{" : "[");
    const char* before = "\n";
    for (const auto& [name, child] : value.items()) {
      const std::string label =
          value.is_object() ? Json(name).dump(-1, ' ', false, Json::error_handler_t::replace) + ": " : std::string();
      text += before + std::string(indent + 2, ' ') + label + self(self, child, indent + 2, label.size() + 1);
      before = ",\n";
    }
    return text + "\n" + std::string(indent, ' ') + (value.is_object() ? "}" : "]");
  };
  return fold(fold, json, 0, 0);
}

}  // namespace karma::tools
