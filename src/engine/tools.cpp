#include <karma/tools.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <set>

#include "core/json_text.h"
#include "engine/engine.h"
#include "engine/freeze.h"
#include "engine/recovery.h"
#include "engine/verify.h"
#include "io/at_path.h"
#include "io/path.h"
#include "io/replace_file.h"
#include "ops/checkpoints.h"
#include "snapshot/file_name.h"

namespace karma {
namespace {

constexpr int kWhole = 0;
constexpr int kDamaged = 1;
constexpr int kNotExaminable = 2;

// A log, a snapshot, checkpoints, or what belongs to them; or the lock of a start that was killed before it made them.
// Whatever can make a start fail is among them: it is damage, and not a directory that is not Karma's.
bool is_ours(const std::string& name) {
  return name.starts_with("karma.") || snapshot::without_suffixes(name).ends_with(snapshot::kTreeSuffix) ||
         name == ops::kCheckpointsName || is_temp_file_name(name);
}

// Both tools start with this: a directory that exists and that no node uses.
class Examined {
 public:
  Examined(const std::string& directory, FileSystem& files)
      : manager(files, directory, system_clock(), {.retention = 0, .on_event = [](const auto&, const auto&) {}}) {}

  // Empty, or why the directory cannot be examined.
  std::string open(const std::string& directory, FileSystem& files) {
    const Result<std::vector<std::string>> names = files.list(directory);
    if (!names) return at_path(directory, names.error().message + "; DIR is the --directory of a server");
    if (std::none_of(names->begin(), names->end(), is_ours))
      return at_path(
          directory,
          "no Karma data here, neither a log (karma.wal) nor snapshots (*.tree); DIR is the --directory of a server");
    return files.exists(join_path(directory, engine::kLockName)) ? take_lock(directory, files) : std::string();
  }

  // Empty, or why it cannot be done. If a start would be refused, it does nothing: the check says why.
  std::string repair(const std::string& directory, FileSystem& files, std::ostream& out) {
    if (lock == nullptr) {
      if (std::string refusal = take_lock(directory, files); !refusal.empty()) return refusal;
    }
    store::Store store(0);
    // What a node remembers is for its flags to say.
    store.exactly_once().set_limits({.records = {.max_records = UINT64_MAX, .max_age_seconds = 0}, .streams = {}});
    engine::RecoveryOptions options;
    options.now = system_clock().unix_seconds();
    Result<engine::Recovered> recovered = engine::recover(files, directory, manager, store, options);
    if (!recovered) return {};
    const auto repaired = [&out](const std::string& what) { out << "repaired: " << what << "\n"; };
    Result<std::vector<std::string>> before = files.list(directory);
    if (!before) return before.error().message;
    if (Status removed = remove_temp_files(files, directory); !removed) return removed.error().message;
    if (Status finished = manager.finish_interrupted(); !finished) return finished.error().message;
    Result<std::vector<std::string>> after = files.list(directory);
    if (!after) return after.error().message;
    const std::set<std::string> left(after->begin(), after->end());
    for (const std::string& name : *before)
      if (!left.contains(name)) repaired(is_temp_file_name(name) ? name + " removed" : name + " renamed or removed");
    // Karma 1.0 replays the whole log on top of its snapshots, and does not start if an entry fails.
    const wal::Scan& log = recovered->log;
    const bool anew = recovered->decision == engine::Decision::go_on_anew || recovered->covered != 0 ||
                      recovered->refused != 0 || recovered->streams_began_before;
    if (anew) {
      if (Status saved = manager.create_all(engine::freeze_store(store, recovered->last)); !saved)
        return saved.error().message;
      repaired("snapshots of everything written, the log begins anew");
    }
    // Opened as at a start, which repairs its end.
    Result<std::unique_ptr<wal::Log>> opened =
        wal::open_log(files, directory, log, recovered->last, {.discard_entries = anew});
    if (!opened) return opened.error().message;
    const std::string name(wal::kActiveName);
    if (log.torn_bytes != 0)
      repaired(name + ": cut " + std::to_string(log.torn_bytes) + " bytes of an unfinished tail");
    if (log.unfinished_line) repaired(name + ": the last line has its line feed now");
    return {};
  }

  snapshot::Manager manager;
  std::unique_ptr<FileSystem::Lock> lock;

 private:
  // Empty, or who has it.
  std::string take_lock(const std::string& directory, FileSystem& files) {
    Result<std::unique_ptr<FileSystem::Lock>> taken = files.lock(join_path(directory, engine::kLockName));
    if (!taken) return at_path(directory, taken.error().message + "; stop that one first");
    lock = std::move(*taken);
    return {};
  }
};

void print_point(std::ostream& out, Buffer& line, std::string_view series, Key key, const store::Point& point) {
  line.clear();
  line.append('{');
  json::append_field(line, "series", series);
  json::append_field(line, "key", key.value);
  json::append_field(line, "bucket", point.bucket.number());
  json::append_field(line, "value", point.value);
  line.append("}\n");
  out << line.view();
}

void print_series(std::ostream& out, std::string_view name, const store::SeriesView& series) {
  Buffer line;
  if (series.key_count() == 0) {
    line.append('{');
    json::append_field(line, "series", name);
    line.append("}\n");
    out << line.view();
  }
  std::vector<Key> keys;
  series.all_keys(keys, {});
  std::vector<store::Point> points;
  constexpr BucketRange kEverything{Bucket::of_number(0), Bucket::of_number(UINT64_MAX)};
  for (const Key key : keys) {
    points.clear();
    series.points(key, kEverything, points);
    for (const store::Point& point : points) print_point(out, line, name, key, point);
  }
}

}  // namespace

int check_directory(const std::string& directory, std::ostream& out, std::ostream& err, FileSystem& files) {
  Examined examined(directory, files);
  if (const std::string fault = examined.open(directory, files); !fault.empty()) {
    err << "ERROR: " << fault << "\n";
    return kNotExaminable;
  }
  Result<engine::Verification> verification = engine::verify_directory(files, directory, examined.manager);
  if (!verification) {
    err << "ERROR: " << verification.error().message << "\n";
    return kNotExaminable;
  }
  for (const std::string& warning : verification->warnings) out << "warning: " << warning << "\n";
  for (const std::string& fault : verification->faults) out << "damaged: " << fault << "\n";
  if (!verification->refusal.empty()) out << "refused: " << verification->refusal << "\n";
  const commands::Verified& found = verification->found;
  if (!verification->content()) return kDamaged;
  out << "ok: " << found.trees << " series, " << found.keys << " keys, " << found.dump_count << " snapshots up to LSN "
      << found.snapshot_lsn.value << ", " << found.wal_entries << " log entries up to LSN " << found.wal_last.value
      << "\n";
  return kWhole;
}

int repair_directory(const std::string& directory, std::ostream& out, std::ostream& err, FileSystem& files) {
  {
    Examined examined(directory, files);
    std::string fault = examined.open(directory, files);
    if (fault.empty()) fault = examined.repair(directory, files, out);
    if (!fault.empty()) {
      err << "ERROR: " << fault << "\n";
      return kNotExaminable;
    }
  }
  return check_directory(directory, out, err, files);
}

int dump_directory(const std::string& directory, std::ostream& out, std::ostream& err, FileSystem& files) {
  Examined examined(directory, files);
  if (const std::string fault = examined.open(directory, files); !fault.empty()) {
    err << "ERROR: " << fault << "\n";
    return kNotExaminable;
  }
  store::Store store(0);
  engine::RecoveryOptions options;
  options.now = system_clock().unix_seconds();
  options.on_event = [](const std::string&, const std::string&) {};
  options.on_warning = [&](const std::string&, const std::string& message) { err << "warning: " << message << "\n"; };
  Result<engine::Recovered> recovered = engine::recover(files, directory, examined.manager, store, options);
  if (!recovered) {
    err << "ERROR: " << recovered.error().message << "\n";
    return kDamaged;
  }
  for (const std::string& name : store.names()) print_series(out, name, store.find(name)->view());
  out.flush();
  return out.good() ? kWhole : kDamaged;
}

}  // namespace karma
