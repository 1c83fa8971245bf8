// snapshot.verify's part of the files: everything is read, nothing is changed. Content is every state that a crash, a
// drop or a snapshot of one series leaves; only what is not as it was written, or contradicts itself, is a fault.
#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"

namespace karma::snapshot {
namespace {

class Checker {
 public:
  Checker(Manager::Impl& impl, const LogReach& log, const Manager::Stopped& stopped)
      : impl_(impl), log_(log), stopped_(stopped) {}

  Result<Manager::Checked> run() {
    Result<Inventory> inventory = take_inventory(impl_.files, impl_.directory);
    if (!inventory) return inventory.error();
    inventory_ = std::move(*inventory);
    // That a newer Karma wrote it is no damage, and a start says so.
    if (!inventory_.manifest_fault.empty() && !inventory_.manifest_newer)
      checked_.faults.push_back(inventory_.manifest_trouble());
    const Choice choice = choose(inventory_, log_);
    for (const Candidate& candidate : inventory_.candidates) {
      if (candidate.present || choice.is_current(candidate)) check(candidate);
      if (stopped()) return internal_error("The check was stopped");
    }
    check_exactly_once();
    return std::move(checked_);
  }

 private:
  void check(const Candidate& candidate) {
    if (candidate.present) ++checked_.dump_count;
    Result<TreeFacts> facts =
        impl_.decode(candidate, [this](Key, std::span<const store::Point>) { return !stopped(); });
    if (!facts) {
      fault(candidate.file.meta.file, facts.error().message);
    } else if (const std::string odd = facts->oddities(); !odd.empty()) {
      fault(candidate.file.meta.file, "it holds " + odd);
    }
    check_sidecar(candidate);
  }

  void check_sidecar(const Candidate& candidate) {
    const Meta& meta = candidate.file.meta;
    const std::string name = sidecar_name(meta.file);
    std::string disk_name = name;
    if (!inventory_.has(disk_name)) disk_name = staged_name(name);
    if (!inventory_.has(disk_name)) {
      if (candidate.present) ++checked_.missing_metadata;
      return;
    }
    ++checked_.metadata_checked;
    if (!candidate.sidecar_fault.empty()) return fault(name, candidate.sidecar_fault);
    if (candidate.origin != Origin::older) return;  // has been compared
    Result<std::string> text = read_file(impl_.files, impl_.path(disk_name));
    if (!text) return fault(name, text.error().message);
    if (candidate.file.sidecar_crc && crc32c(*text) != candidate.file.sidecar_crc)
      fault(name, "it is not what was written");
    const std::optional<Meta> sidecar = decode_sidecar(*text);
    if (!sidecar) return fault(name, "it is unreadable");
    if (sidecar->file != meta.file || sidecar->series != meta.series || sidecar->timestamp != meta.timestamp) {
      fault(name, "it belongs to another file");
    }
  }

  void check_exactly_once() {
    Result<std::optional<CurrentExactlyOnce>> exactly_once =
        impl_.current_exactly_once(inventory_, log_, &checked_.faults);
    if (!exactly_once) checked_.faults.push_back(exactly_once.error().message);
  }

  bool stopped() const { return stopped_ && stopped_(); }

  void fault(const std::string& file, const std::string& what) { checked_.faults.push_back(damage_of(file, what)); }

  Manager::Impl& impl_;
  const LogReach& log_;
  const Manager::Stopped& stopped_;
  Inventory inventory_;
  Manager::Checked checked_;
};

}  // namespace

Result<Manager::Checked> Manager::check(const LogReach& log, const Stopped& stopped) {
  return Checker(*impl_, log, stopped).run();
}

}  // namespace karma::snapshot
