#include "engine/history.h"

#include <algorithm>
#include <random>

#include "core/crc32c.h"
#include "core/json_reader.h"
#include "core/json_text.h"
#include "core/json_values.h"
#include "core/text.h"
#include "io/path.h"
#include "io/replace_file.h"

namespace karma::engine {
namespace {

constexpr std::uint64_t kFormat = 1;

std::optional<Epoch> epoch_of(const json::Value& triple) {
  if (triple.type != json::Type::array) return {};
  Epoch epoch;
  std::size_t count = 0;
  json::Reader reader(triple.text);
  const bool read = reader.read_array([&](const json::Value& value) {
    ++count;
    if (count == 1 && value.type == json::Type::string) epoch.id = value.text;
    if (count == 2 && value.type == json::Type::unsigned_integer) epoch.first = Lsn{value.number};
    if (count == 3) epoch.term = value.type == json::Type::unsigned_integer ? value.number : 0;
    return true;
  });
  if (!read || count != 3 || epoch.term == 0 || epoch.id.size() != kIdDigits || epoch.first == Lsn{}) return {};
  return epoch;
}

bool have_common_epoch(const History& a, const History& b) {
  return std::ranges::find_first_of(a.epochs(), b.epochs(), {}, &Epoch::id, &Epoch::id) != a.epochs().end();
}

}  // namespace

std::string random_id() {
  std::random_device device;
  std::string id;
  while (id.size() < kIdDigits) id += kHexDigits[device() % 16];
  return id;
}

const Epoch* History::at(Lsn lsn) const {
  const auto later =
      std::upper_bound(epochs_.begin(), epochs_.end(), lsn, [](Lsn l, const Epoch& epoch) { return l < epoch.first; });
  return later == epochs_.begin() ? nullptr : &*std::prev(later);
}

void History::begin_epoch(Lsn last) {
  const std::uint64_t term = std::max<std::uint64_t>(this->term() + (following_ ? 1 : 0), 1);
  following_ = false;
  // Of what was lost since, too: a log that was put back to an earlier state.
  std::erase_if(epochs_, [&](const Epoch& epoch) { return epoch.first > last; });
  if (epochs_.size() >= kMaxEpochs) epochs_.erase(epochs_.begin());
  epochs_.push_back({random_id(), last.next(), term});
}

void History::promote(Lsn last, std::string master) {
  following_ = true;
  begin_epoch(last);
  promoted_from_ = std::move(master);
}

std::string History::to_json() const {
  Buffer out;
  out.append('[');
  for (const Epoch& epoch : epochs_) {
    out.append(&epoch == &epochs_.front() ? R"([")" : R"(,[")");
    out.append(epoch.id);
    out.append(R"(",)");
    json::append_number(out, epoch.first.value);
    out.append(',');
    json::append_number(out, epoch.term);
    out.append(']');
  }
  out.append(']');
  return std::string(out.view());
}

std::optional<History> History::of_json(std::string_view text) {
  std::vector<Epoch> epochs;
  bool good = true;
  json::Reader reader(text);
  const bool read = reader.read_array([&](const json::Value& value) {
    std::optional<Epoch> epoch = epoch_of(value);
    good = epoch && epochs.size() < kMaxEpochs && (epochs.empty() || epochs.back().first < epoch->first);
    if (good) epochs.push_back(std::move(*epoch));
    return good;
  });
  if (!read || !good || !reader.at_end()) return {};
  return History(std::move(epochs));
}

Relation relation(const History& slave, const History& master, Lsn last) {
  if (last == Lsn{}) return Relation::same;
  // A master that knows nothing of what is here is no old one: it was wiped.
  if (!master.empty() && slave.term() > master.term())
    return have_common_epoch(slave, master) ? Relation::outdated : Relation::diverged;
  const Epoch* const mine = slave.at(last);
  const Epoch* const its = master.at(last);
  if (mine == nullptr || its == nullptr) return Relation::unknown;
  return mine->id == its->id ? Relation::same : Relation::diverged;
}

std::optional<Lsn> fork(const History& history, Lsn last, const History& other) {
  const auto find = [](const std::vector<Epoch>& epochs, const Epoch& wanted) {
    return std::find_if(epochs.begin(), epochs.end(), [&](const Epoch& epoch) { return epoch.id == wanted.id; });
  };
  const auto end = [](const std::vector<Epoch>& epochs, std::vector<Epoch>::const_iterator epoch) {
    return std::next(epoch) == epochs.end() ? Lsn{UINT64_MAX} : Lsn{std::next(epoch)->first.value - 1};
  };
  const std::vector<Epoch>& mine = history.epochs();
  const std::vector<Epoch>& its = other.epochs();
  for (auto epoch = mine.end(); epoch != mine.begin();) {
    --epoch;
    const auto same = find(its, *epoch);
    if (same == its.end() || epoch->first > last) continue;
    if (same->first != epoch->first) return {};
    return std::min({end(mine, epoch), end(its, same), last});
  }
  // Both know of their first entries, which are of different epochs.
  const bool whole = !mine.empty() && !its.empty() && mine.front().first == Lsn{1} && its.front().first == Lsn{1};
  return whole ? std::optional(Lsn{}) : std::nullopt;
}

Result<History> read_history(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, kHistoryName);
  if (!files.exists(path)) return History();
  const Result<std::string> content = read_file(files, path);
  if (!content) return content.error();
  json::Object object{std::string_view(*content)};
  const std::uint64_t format = object.number("format");
  const json::Value epochs = object.want("epochs", json::Type::array);
  std::optional<History> history;
  if (has_right_checksum(*content) && object.ok() && format == kFormat) history = History::of_json(epochs.text);
  if (!history) return internal_error(std::string(kHistoryName) + " is damaged");
  if (object.truth("following")) history->follow();
  history->promoted_from_ = object.optional_text("promoted_from");
  return std::move(*history);
}

Status write_history(FileSystem& files, const std::string& directory, const History& history) {
  std::string text = R"({"format":)" + std::to_string(kFormat);
  text += history.following() ? R"(,"following":true)" : R"(,"following":false)";
  if (history.promoted_from()) {
    Buffer master;
    json::append_string(master, *history.promoted_from());
    text += R"(,"promoted_from":)" + std::string(master.view());
  }
  text += R"(,"epochs":)" + history.to_json();
  text += checksum_end(text);
  return replace_file(files, directory, std::string(kHistoryName), text);
}

}  // namespace karma::engine
