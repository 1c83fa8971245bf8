// The targets that are files of a data directory.
#include <map>

#include "commands/catalog.h"
#include "fuzz/directory.h"
#include "fuzz/targets.h"
#include "snapshot/manifest.h"
#include "snapshot/manifest_text.h"
#include "snapshot/tree_decoder.h"
#include "snapshot/tree_encoder.h"
#include "store/exactly_once.h"
#include "wal/log.h"

namespace karma::test::fuzz {
namespace {

using Points = std::map<std::uint64_t, std::vector<std::pair<std::uint64_t, std::uint64_t>>>;

std::string path_of(std::string_view name) { return std::string(kDirectory) + "/" + std::string(name); }

// --- log

std::string fault_of_scan(CrashableFileSystem& files) {
  for (const bool beyond_damage : {false, true}) {
    std::uint64_t visited = 0;
    const auto visit = [&](Lsn, std::string_view) {
      ++visited;
      return Status();
    };
    const Result<wal::Scan> scan =
        wal::scan(files, std::string(kDirectory), visit, {.beyond_damage = beyond_damage, .progress = {}});
    if (!scan) return "the scan failed: " + scan.error().message;
    if (visited != scan->entry_count) return "entries were visited and not counted";
    if (scan->damage.empty() && scan->entry_count != 0 && scan->last.value - scan->first.value + 1 != scan->entry_count)
      return "a gap without damage";
  }
  return {};
}

// --- tree

struct Decoded {
  std::string fault;
  Points points;
  std::unique_ptr<store::Series> series;
};

Decoded decode(const std::string& bytes) {
  CrashableFileSystem files;
  files.edit("tree", bytes);
  Decoded decoded;
  store::Store store(1);
  store::Series& series = store.find_or_create("x");
  const auto take = [&](Key key, std::span<const store::Point> points) {
    auto& days = decoded.points[key.value];
    if (!days.empty()) return false;
    std::uint64_t last = 0;
    for (const store::Point& point : points) {
      if (point.value == 0 || (!days.empty() && point.bucket.number() <= last)) decoded.fault = "points out of order";
      last = point.bucket.number();
      days.emplace_back(last, point.value);
      series.set(key, point.bucket, point.value);
    }
    return true;
  };
  const Result<std::unique_ptr<File>> file = files.open("tree", FileSystem::Open::read);
  const Result<snapshot::TreeFacts> facts = snapshot::decode_tree(**file, take);
  if (!facts) decoded.fault = facts.error().message;
  std::erase_if(decoded.points, [](const auto& counter) { return counter.second.empty(); });
  if (facts) decoded.series = std::make_unique<store::Series>(std::move(series));
  return decoded;
}

}  // namespace

std::string fault_of_log(std::string_view input) {
  const std::unique_ptr<CrashableFileSystem> files = directory_of(input, wal::kActiveName);
  if (std::string fault = fault_of_scan(*files); !fault.empty()) return fault;
  return fault_of_directory(*files);
}

std::string fault_of_tree(std::string_view input) {
  const Decoded first = decode(std::string(input));
  if (first.series != nullptr && !first.fault.empty()) return first.fault;
  if (first.series != nullptr) {
    std::string bytes;
    const Result<store::Digest> encoded = snapshot::encode_tree(first.series->view(), [&](std::string_view piece) {
      bytes += piece;
      return Status();
    });
    if (!encoded) return "what was read cannot be written: " + encoded.error().message;
    const Decoded again = decode(bytes);
    if (!again.fault.empty()) return "what was written cannot be read: " + again.fault;
    if (again.points != first.points) return "what was written is not what was read";
  }
  const auto files = std::make_unique<CrashableFileSystem>();
  (void)files->create_directories(std::string(kDirectory));
  files->edit(path_of("1777982000_x.tree"), std::string(input));
  return fault_of_directory(*files);
}

std::string fault_of_manifest(std::string_view input) {
  const std::unique_ptr<CrashableFileSystem> files = directory_of(input, snapshot::kManifestName);
  if (const auto text = files->content(path_of(snapshot::kManifestName))) {
    if (const Result<snapshot::Manifest> manifest = snapshot::decode_manifest(*text)) {
      const std::string encoded = snapshot::encode_manifest(*manifest);
      const Result<snapshot::Manifest> again = snapshot::decode_manifest(encoded);
      if (!again) return "what was written cannot be read: " + again.error().message;
      if (snapshot::encode_manifest(*again) != encoded) return "a manifest changes by being written";
    }
  }
  if (const auto text = files->content(path_of(snapshot::kExactlyOnceName))) {
    const auto write = [](const store::ExactlyOnceState& exactly_once) {
      std::string out;
      (void)exactly_once.view().write_json(commands::operations(), [&](std::string_view piece) {
        out += piece;
        return Status();
      });
      return out;
    };
    store::ExactlyOnceState exactly_once(1);
    if (exactly_once.load(*text, commands::operations())) {
      exactly_once.check_invariants();
      const std::string written = write(exactly_once);
      store::ExactlyOnceState again(2);
      if (const Status loaded = again.load(written, commands::operations()); !loaded)
        return "what was written cannot be read: " + loaded.error().message;
      if (write(again) != written) return "an exactly-once state changes by being written";
    }
  }
  return fault_of_directory(*files);
}

}  // namespace karma::test::fuzz
