// karma export: all points of a series as text.
//
// No op tells which days a series has. So the days around today are surveyed first; what is missing from a key's total
// is looked for in all the calendar, and what even that does not find (buckets of Karma 1.0 that are no dates) is
// reported.
#include <algorithm>
#include <chrono>
#include <ostream>

#include "tools/ask.h"
#include "tools/commands.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/retry.h"
#include "tools/series_source.h"

namespace karma::tools {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr std::uint64_t kFirstDate = 10101;
constexpr std::uint64_t kLastDate = 99991231;
constexpr std::uint64_t kNearFrom = 19700101;
constexpr std::int32_t kDayZero = 0;  // 1970-01-01
constexpr std::int32_t kDaysAhead = 366;
// A total and the points are read one after the other; who writes in between may make them differ once, not often.
constexpr int kAttempts = 3;
constexpr std::uint64_t kMaxTold = 10;

std::int32_t today() {
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return static_cast<std::int32_t>(std::chrono::floor<std::chrono::days>(now).time_since_epoch().count());
}

std::uint64_t sum_of(std::span<const Item> points) {
  std::uint64_t sum = 0;
  for (const Item& point : points) sum += point.value;  // at most the counter's total, which fits
  return sum;
}

// The points, as they are written.
class PointsOutput {
 public:
  PointsOutput(const ExportOptions& options, std::ostream& out)
      : format_(options.format), output_(options.output, out) {}

  Status open() {
    if (Status opened = output_.open(); !opened) return opened;
    if (format_ == PointsFormat::csv) text_.append("key,bucket,value\n");
    return {};
  }
  Status write(std::span<const Item> points) {
    for (const Item& point : points) {
      if (format_ == PointsFormat::csv) {
        append_csv(text_, point);
      } else {
        append_ndjson(text_, point);
      }
    }
    return flush();
  }
  Status finish() {
    if (Status status = flush(); !status.ok()) return status;
    return output_.finish();
  }

 private:
  Status flush() {
    const Status status = output_.write(text_.view());
    text_.clear();
    return status;
  }

  const PointsFormat format_;
  Output output_;
  Buffer text_;
};

class Export {
 public:
  Export(const ExportOptions& options, const Streams& streams)
      : options_(options),
        streams_(streams),
        client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err),
        source_(client_, retry_, options.series),
        output_(options, streams.out) {}

  Result<bool> run() {
    std::optional<Key> cursor;
    Result<PointPage> first = source_.point_page(cursor);
    if (!first && !needs_windows(first.error())) return first.error();
    if (Status status = output_.open(); !status.ok()) return status.error();
    Progress progress(streams_.err, streams_.terminal, "exporting " + options_.series, "points", 0);
    Result<bool> done = first ? read_point_pages(std::move(*first), cursor, progress) : false;
    if (!done) return done.error();
    if (!*done) {
      const bool everything = !options_.from && !options_.to;
      if (Status status = everything ? survey_near() : survey_wanted(); !status.ok()) return status.error();
      if (Status status = read_pages(everything, cursor, progress); !status.ok()) return status.error();
    }
    if (Status status = output_.finish(); !status.ok()) return status.error();
    streams_.err << "exported " << points_ << " points of " << keys_ << " keys of " << options_.series << std::endl;
    if (incomplete_ == 0) return true;
    streams_.err << "karma: " << incomplete_
                 << " keys have more in total than their points add up to: buckets that are no calendar days, which "
                    "the protocol cannot read (karma dump can)"
                 << std::endl;
    return false;
  }

 private:
  // The node does not know tree.points, or one key has more of them than a reply may hold.
  static bool needs_windows(const Error& error) {
    return error.code == ErrorCode::unknown_command || error.code == ErrorCode::response_too_large;
  }

  // False: from `cursor` on it has to be done in the other way.
  Result<bool> read_point_pages(PointPage page, std::optional<Key>& cursor, Progress& progress) {
    while (true) {
      if (Status status = output_.write(wanted(page.points, progress)); !status.ok()) return status.error();
      if (streams_.terminal) progress.at(points_);
      if (!page.next) return true;
      cursor = page.next;
      Result<PointPage> next = source_.point_page(cursor);
      if (!next) {
        if (needs_windows(next.error())) return false;
        return next.error();
      }
      page = std::move(*next);
    }
  }

  // Counts keys, and leaves in `points` those that are asked for.
  std::span<const Item> wanted(std::vector<Item>& points, Progress& progress) {
    const bool everything = !options_.from && !options_.to;
    auto kept = points.begin();
    for (auto point = points.begin(); point != points.end();) {
      const Key key = point->key;
      std::uint64_t missing = 0;
      ++keys_;
      for (; point != points.end() && point->key == key; ++point) {
        if (!point->bucket.day()) {
          missing += point->value;
        } else if ((!options_.from || !(point->bucket < *options_.from)) &&
                   (!options_.to || !(*options_.to < point->bucket))) {
          *kept++ = *point;
        }
      }
      if (everything && missing != 0) tell_incomplete(key, missing, progress);
    }
    points.erase(kept, points.end());
    points_ += points.size();
    return points;
  }

  void tell_incomplete(Key key, std::uint64_t missing, Progress& progress) {
    if (++incomplete_ > kMaxTold) return;
    progress.clear();
    streams_.err << "karma: key " << key.value << ": " << missing << " of its total are in no calendar day"
                 << (incomplete_ == kMaxTold ? " (further keys are only counted)" : "") << std::endl;
  }

  Status read_pages(bool everything, std::optional<Key> cursor, Progress& progress) {
    do {
      Result<KeyPage> page = source_.keys(cursor);
      if (!page) return page.error();
      std::vector<Key> keys;
      for (const KeyTotal& key : page->keys) keys.push_back(key.key);
      Result<std::vector<Item>> points = source_.points(keys, windows_);
      if (!points) return points.error();
      if (Status status = everything ? write_checked(page->keys, *points, progress) : output_.write(*points);
          !status.ok())
        return status;
      keys_ += keys.size();
      points_ += points->size();
      if (streams_.terminal) progress.at(points_);
      cursor = page->next;
    } while (cursor);
    return {};
  }

  // Key by key, so that one whose points do not add up can be looked at again.
  Status write_checked(std::span<const KeyTotal> keys, std::vector<Item>& points, Progress& progress) {
    std::vector<Item> checked;
    checked.reserve(points.size());
    auto begin = points.begin();
    for (const KeyTotal& key : keys) {
      const auto end = std::find_if(begin, points.end(), [&](const Item& point) { return point.key != key.key; });
      std::vector<Item> of_key(begin, end);
      begin = end;
      if (sum_of(of_key) < key.total) {
        if (Status status = complete(key.key, of_key, progress); !status.ok()) return status;
      }
      checked.insert(checked.end(), of_key.begin(), of_key.end());
    }
    points = std::move(checked);
    return output_.write(points);
  }

  // Looks for what the windows near today do not hold; tells if it is not found.
  Status complete(Key key, std::vector<Item>& points, Progress& progress) {
    std::uint64_t missing = 0;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      // Writers may have used a part of the calendar that was empty. Not again for each of very many keys.
      if (attempt > 0 && incomplete_ < kMaxTold) {
        if (Status status = survey_near(); !status.ok()) return status;
      }
      if (Status status = survey_far(); !status.ok()) return status;
      const Result<std::uint64_t> total = source_.total(key);
      if (!total) return total.error();
      std::vector<BucketRange> windows = windows_;
      windows.insert(windows.end(), far_->begin(), far_->end());
      Result<std::vector<Item>> found = source_.points({&key, 1}, windows);
      if (!found) return found.error();
      points = std::move(*found);
      const std::uint64_t sum = sum_of(points);
      if (sum >= *total) return {};
      missing = *total - sum;
    }
    tell_incomplete(key, missing, progress);
    return {};
  }

  // Appends the parts of the range that hold points.
  Status survey(BucketRange range, std::vector<BucketRange>& windows) {
    const Result<std::vector<BucketRange>> found = source_.windows(range);
    if (!found) return found.error();
    windows.insert(windows.end(), found->begin(), found->end());
    return {};
  }

  Status survey_wanted() {
    return survey(
        {options_.from.value_or(Bucket::of_number(kFirstDate)), options_.to.value_or(Bucket::of_number(kLastDate))},
        windows_);
  }

  Status survey_near() {
    windows_.clear();
    return survey({Bucket::of_number(kNearFrom), Bucket::of_day(last_near_day_)}, windows_);
  }

  // Once: the rest of the calendar.
  Status survey_far() {
    if (far_) return {};
    far_.emplace();
    if (Status status = survey({Bucket::of_number(kFirstDate), Bucket::of_day(kDayZero - 1)}, *far_); !status)
      return status;
    return survey({Bucket::of_day(last_near_day_ + 1), Bucket::of_number(kLastDate)}, *far_);
  }

  const ExportOptions& options_;
  const Streams& streams_;
  Client client_;
  Retry retry_;
  SeriesSource source_;
  PointsOutput output_;
  const std::int32_t last_near_day_ = today() + kDaysAhead;
  std::vector<BucketRange> windows_;             // that are read of every key
  std::optional<std::vector<BucketRange>> far_;  // that are read of keys which need them
  std::uint64_t keys_ = 0;
  std::uint64_t points_ = 0;
  std::uint64_t incomplete_ = 0;
};

}  // namespace

int run_export(const ExportOptions& options, const Streams& streams) {
  const Result<bool> complete = Export(options, streams).run();
  if (complete) return *complete ? kDone : kFailed;
  print_error(complete.error(), streams);
  return kFailed;
}

}  // namespace karma::tools
