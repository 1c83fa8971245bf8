#include "tools/csv_record.h"

#include <algorithm>
#include <cstring>

namespace karma::tools {
namespace {

const char* find(const char* at, const char* end, char wanted) {
  const void* const found = std::memchr(at, wanted, static_cast<std::size_t>(end - at));
  return found == nullptr ? end : static_cast<const char*>(found);
}

// Each "" is one quote.
std::string_view without_doubled_quotes(std::string_view text, Arena& arena) {
  char* const begin = static_cast<char*>(arena.allocate(text.size(), 1));
  char* to = begin;
  for (std::size_t i = 0; i < text.size(); ++i) {
    *to++ = text[i];
    if (text[i] == '"') ++i;
  }
  return {begin, to};
}

}  // namespace

CsvRecord::Found CsvRecord::read(const char*& at, const char* end) {
  fields_.clear();
  unquoted_.reset();
  lines_ = 1;
  for (const char* now = at;;) {
    now = skip_blanks(now, end);
    if (now != end && *now == '"') {
      const Found found = read_quoted(now, end);
      if (found != Found::record) return found;
    } else {
      const char* const begin = now;
      while (now != end && *now != separator_ && *now != '\n') ++now;
      const char* field_end = now;
      if (field_end != begin && field_end[-1] == '\r' && (now == end || *now == '\n')) --field_end;
      while (field_end != begin && (field_end[-1] == ' ' || field_end[-1] == '\t')) --field_end;
      fields_.emplace_back(begin, field_end);
    }
    if (now == end || *now++ == '\n') {
      at = now;
      return Found::record;
    }
  }
}

CsvRecord::Found CsvRecord::read_quoted(const char*& at, const char* end) {
  const char* const begin = at + 1;
  const char* close = begin;
  bool doubled = false;
  while (true) {
    close = find(close, end, '"');
    if (close == end) return separator_ == '\t' ? Found::tab_in_quotes : Found::open_quote;
    if (close + 1 == end || close[1] != '"') break;
    doubled = true;
    close += 2;
  }
  const std::string_view text(begin, close);
  const auto line_ends = std::count(begin, close, '\n');
  if (separator_ == '\t' && (line_ends > 0 || text.find('\t') != std::string_view::npos)) return Found::tab_in_quotes;
  lines_ += static_cast<std::uint64_t>(line_ends);
  fields_.push_back(doubled ? without_doubled_quotes(text, unquoted_) : text);
  at = skip_blanks(close + 1, end);
  if (at != end && *at == '\r' && (at + 1 == end || at[1] == '\n')) ++at;
  return at == end || *at == separator_ || *at == '\n' ? Found::record : Found::broken_quote;
}

const char* CsvRecord::skip_blanks(const char* at, const char* end) const {
  while (at != end && (*at == ' ' || *at == '\t') && *at != separator_) ++at;
  return at;
}

}  // namespace karma::tools
