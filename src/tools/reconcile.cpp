// karma reconcile: points that something else has counted, day by day, against those of the server.
//
// The file speaks for all of its days: what the server has in them and the file has not is drift as well.
#include <algorithm>
#include <limits>
#include <ostream>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/ask.h"
#include "tools/commands.h"
#include "tools/input_file.h"
#include "tools/progress.h"
#include "tools/retry.h"
#include "tools/series_source.h"

namespace karma::tools {

using protocol::Reply;
namespace {

constexpr int kNoDrift = 0;
constexpr int kDrift = 1;
constexpr int kCannotTell = 2;
constexpr std::uint64_t kMaxReported = std::numeric_limits<std::int64_t>::max();

using Wide = unsigned __int128;

std::string text_of(Wide number) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
    number /= 10;
  } while (number != 0);
  return digits;
}

std::uint64_t distance(std::uint64_t a, std::uint64_t b) { return a < b ? b - a : a - b; }
std::uint64_t reported(Wide number) {
  return number > kMaxReported ? kMaxReported : static_cast<std::uint64_t>(number);
}

// What the comparison found, and a line for each key that differs.
class Drift {
 public:
  explicit Drift(std::ostream& out) : out_(out) {}

  // Both sorted, of one key.
  void compare(Key key, std::span<const Item> expected, std::span<const Item> actual) {
    Wide expected_sum = 0;
    Wide actual_sum = 0;
    std::uint64_t days = 0;
    while (!expected.empty() || !actual.empty()) {
      const bool take_expected =
          actual.empty() || (!expected.empty() && !by_key_and_bucket(actual.front(), expected.front()));
      const bool take_actual =
          expected.empty() || (!actual.empty() && !by_key_and_bucket(expected.front(), actual.front()));
      const std::uint64_t left = take_expected ? expected.front().value : 0;
      const std::uint64_t right = take_actual ? actual.front().value : 0;
      expected_sum += left;
      actual_sum += right;
      days += count(left, right);
      if (take_expected) expected = expected.subspan(1);
      if (take_actual) actual = actual.subspan(1);
    }
    if (days > 0) print(key, expected_sum, actual_sum, days);
  }

  std::uint64_t points = 0;  // compared
  std::uint64_t different = 0;
  std::uint64_t keys = 0;  // that differ
  Wide absolute = 0;
  std::uint64_t largest = 0;

 private:
  bool count(std::uint64_t left, std::uint64_t right) {
    ++points;
    if (left == right) return false;
    ++different;
    absolute += distance(left, right);
    largest = std::max(largest, distance(left, right));
    return true;
  }

  void print(Key key, Wide expected, Wide actual, std::uint64_t days) {
    if (keys++ == 0) out_ << "key,expected,actual,delta,days\n";
    const bool less = actual < expected;
    out_ << key.value << ',' << text_of(expected) << ',' << text_of(actual) << ',' << (less ? "-" : "")
         << text_of(less ? expected - actual : actual - expected) << ',' << days << '\n';
  }

  std::ostream& out_;
};

class Reconciliation {
 public:
  Reconciliation(const ReconcileOptions& options, const Streams& streams)
      : options_(options),
        streams_(streams),
        client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err),
        source_(client_, retry_, options.series),
        drift_(streams.out) {}

  Result<bool> run() {
    if (Status status = read_file(); !status.ok()) return status.error();
    if (Status status = choose_range(); !status.ok()) return status.error();
    Result<std::vector<BucketRange>> windows = source_.windows(range_);
    if (!windows) return windows.error();
    if (Status status = compare(*windows); !status.ok()) return status.error();
    streams_.out.flush();
    tell();
    if (options_.report) {
      if (Status status = report(); !status.ok()) return status.error();
    }
    return drift_.different > 0;
  }

 private:
  Status read_file() {
    Result<std::unique_ptr<File>> file =
        open_input(options_.file, [this](const std::string& text) { streams_.err << "karma: " << text << std::endl; });
    if (!file) return file.error();
    const std::string name = shown_name(options_.file);
    PointsReader reader(options_.points, options_.series);
    const auto take = [&](std::uint64_t line, const Result<Item>& item) -> Status {
      if (!item) return validation_error(name + ":" + std::to_string(line) + ": " + item.error().message);
      if (wanted(item->bucket)) expected_.push_back(*item);
      return {};
    };
    const Result<Sha256Digest> read = for_each_item(**file, reader, take);
    if (!read) return read.error();
    std::sort(expected_.begin(), expected_.end(), by_key_and_bucket);
    return merge_repeated();
  }

  bool wanted(Bucket bucket) const {
    return (!options_.from || *options_.from <= bucket) && (!options_.to || bucket <= *options_.to);
  }

  // Several lines of one key and day add up.
  Status merge_repeated() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      const Item& item = expected_[i];
      if (kept == 0 || by_key_and_bucket(expected_[kept - 1], item)) {
        expected_[kept++] = item;
      } else if (__builtin_add_overflow(expected_[kept - 1].value, item.value, &expected_[kept - 1].value)) {
        return validation_error("the values of key " + std::to_string(item.key.value) + " on " +
                                std::to_string(item.bucket.number()) + " add up to more than 64 bits");
      }
    }
    expected_.resize(kept);
    return {};
  }

  Status choose_range() {
    if (expected_.empty() && (!options_.from || !options_.to))
      return validation_error(options_.file + " holds no points to compare; with --from and --to it may be empty");
    const auto by_bucket = [](const Item& a, const Item& b) { return a.bucket < b.bucket; };
    const auto [first, last] = std::minmax_element(expected_.begin(), expected_.end(), by_bucket);
    range_.from = options_.from ? *options_.from : first->bucket;
    range_.to = options_.to ? *options_.to : last->bucket;
    return {};
  }

  // Keys of both sides in ascending order: a page of the server's, and those of the file up to its last.
  Status compare(const std::vector<BucketRange>& windows) {
    Progress progress(streams_.err, streams_.terminal, "comparing " + options_.series, "points", 0);
    std::span<const Item> expected = expected_;
    std::optional<Key> cursor;
    do {
      Result<KeyPage> page = source_.keys(cursor);
      if (!page) return page.error();
      cursor = page->next;
      std::span<const Item> of_page = expected;
      if (cursor) of_page = of_page.first(up_to(of_page, *cursor));
      expected = expected.subspan(of_page.size());
      std::vector<Key> keys;
      for (const KeyTotal& key : page->keys) {
        if (!options_.listed_keys_only || holds(of_page, key.key)) keys.push_back(key.key);
      }
      const Result<std::vector<Item>> actual = source_.points(keys, windows);
      if (!actual) return actual.error();
      compare_page(of_page, *actual);
      if (streams_.terminal) progress.at(drift_.points);
    } while (cursor);
    return {};
  }

  void compare_page(std::span<const Item> expected, std::span<const Item> actual) {
    while (!expected.empty() || !actual.empty()) {
      Key key = expected.empty() ? actual.front().key : expected.front().key;
      if (!actual.empty()) key = std::min(key, actual.front().key);
      const std::span<const Item> left = expected.first(up_to(expected, key));
      const std::span<const Item> right = actual.first(up_to(actual, key));
      drift_.compare(key, left, right);
      expected = expected.subspan(left.size());
      actual = actual.subspan(right.size());
    }
  }

  // How many of the sorted points have a key up to this one.
  static std::size_t up_to(std::span<const Item> points, Key key) {
    const auto after = [](Key wanted, const Item& point) { return wanted < point.key; };
    return static_cast<std::size_t>(std::upper_bound(points.begin(), points.end(), key, after) - points.begin());
  }
  static bool holds(std::span<const Item> points, Key key) {
    const std::size_t end = up_to(points, key);
    return end > 0 && points[end - 1].key == key;
  }

  void tell() const {
    streams_.err << "compared " << drift_.points << " points of " << options_.series << " from " << range_.from.number()
                 << " to " << range_.to.number() << ": ";
    if (drift_.different == 0) {
      streams_.err << "no drift" << std::endl;
      return;
    }
    streams_.err << drift_.different << " points of " << drift_.keys << " keys differ, by " << text_of(drift_.absolute)
                 << " in all and by " << drift_.largest << " at most" << std::endl;
  }

  // Once: a report that was sent twice would count twice.
  Status report() {
    client_.send("reconciliation.report", {{"checked_points", drift_.points},
                                           {"mismatch_count", drift_.different},
                                           {"absolute_drift", reported(drift_.absolute)},
                                           {"max_abs_delta", reported(drift_.largest)}});
    const Result<Reply> reply = client_.receive();
    if (!reply) return internal_error("the result was not reported: " + reply.error().message);
    if (!reply->success) return internal_error("the result was not reported: " + reply->error().message);
    return {};
  }

  const ReconcileOptions& options_;
  const Streams& streams_;
  Client client_;
  Retry retry_;
  SeriesSource source_;
  Drift drift_;
  std::vector<Item> expected_;
  BucketRange range_;
};

}  // namespace

int run_reconcile(const ReconcileOptions& options, const Streams& streams) {
  const Result<bool> drift = Reconciliation(options, streams).run();
  if (drift) return *drift ? kDrift : kNoDrift;
  print_error(drift.error(), streams);
  return kCannotTell;
}

}  // namespace karma::tools
