// The exactly-once state's file: which one counts, and whether it is what was written.
//
//   manifest lists it, checksum right                       it counts, with the manifest's LSN
//   listed, but the file and its sidecar have been written  Karma 1.0 wrote it: it counts, with the sidecar's LSN
//     again, agree with each other and are not older
//   the same, and the file has the same content             likewise
//   listed, but only the file has been written again, by    it counts, with the manifest's LSN: the log still has
//     a Karma 1.0 that was killed before the sidecar          what follows
//   listed, anything else                                   damaged
//   not listed                                              it counts, with the sidecar's LSN (without one: 0)
#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"

namespace karma::snapshot {
namespace {

bool matches(const ManifestExactlyOnce& exactly_once, const Sum& sum) {
  return sum.bytes == exactly_once.meta.bytes && sum.crc == exactly_once.crc;
}

// Snapshots that the manifest does not list tell that Karma 1.0 was at work.
Lsn newest_of_1_0(const Inventory& inventory) {
  Lsn newest;
  for (const Candidate& candidate : inventory.candidates) {
    if (candidate.origin == Origin::unlisted) newest = std::max(newest, candidate.file.meta.last_lsn);
  }
  return newest;
}

// It writes this file after its snapshots and before it empties the log. What was logged after the snapshots may be in
// the file, but its counters would be nowhere. A flipped bit leaves the size as it was.
bool written_after_snapshots(const ManifestExactlyOnce& listed, std::uint64_t bytes, const Inventory& inventory,
                             const LogReach& log) {
  const Lsn newest = newest_of_1_0(inventory);
  return bytes != 0 && bytes != listed.meta.bytes && newest > listed.meta.last_lsn && log.last == newest &&
         log.has_all(listed.meta.last_lsn, newest);
}

}  // namespace

Result<std::optional<CurrentExactlyOnce>> Manager::Impl::current_exactly_once(const Inventory& inventory,
                                                                              const LogReach& log_reach,
                                                                              std::vector<std::string>* warnings) {
  const std::string name(kExactlyOnceName);
  exactly_once_as_listed = false;
  const ManifestExactlyOnce* const listed =
      inventory.manifest && inventory.manifest->exactly_once ? &*inventory.manifest->exactly_once : nullptr;
  std::string fault(kMissing);
  CurrentExactlyOnce current;
  if (inventory.has(name)) {
    const Result<Sum> sum = sum_of(name);
    if (!sum && !listed) return internal_error(damage_of(name, sum.error().message));
    if (sum && listed && matches(*listed, *sum)) return listed_exactly_once(inventory, name, warnings);
    fault = sum ? "its checksum is wrong" : sum.error().message;
    if (sum) {
      current.crc = sum->crc;
      current.meta.bytes = sum->bytes;
    }
    current.disk_name = name;
  }
  if (listed && inventory.has(staged_name(name))) {
    const Result<Sum> sum = sum_of(staged_name(name));
    if (sum && matches(*listed, *sum)) return listed_exactly_once(inventory, staged_name(name), warnings);
  }
  if (!listed && !inventory.has(name)) return std::optional<CurrentExactlyOnce>();

  std::optional<ExactlyOnceMeta> sidecar;
  if (inventory.has(sidecar_name(name))) {
    Result<std::string> text = read_file(files, path(sidecar_name(name)));
    if (text) {
      sidecar = decode_exactly_once_sidecar(*text);
      current.sidecar_crc = crc32c(*text);
    }
    if (!sidecar && warnings) warnings->push_back(sidecar_name(name) + " is damaged: it is unreadable");
  }
  if (listed) {
    const bool again = sidecar && inventory.has(name) && current.sidecar_crc != listed->sidecar_crc &&
                       sidecar->bytes == current.meta.bytes && sidecar->last_lsn >= listed->meta.last_lsn;
    if (!again) {
      if (!written_after_snapshots(*listed, current.meta.bytes, inventory, log_reach))
        return internal_error(damage_of(name, fault));
      sidecar = listed->meta;
    }
  }
  const std::uint64_t bytes = current.meta.bytes;
  if (sidecar) current.meta = *sidecar;
  current.lsn_known = sidecar.has_value();
  current.meta.bytes = bytes;
  return std::optional(std::move(current));
}

std::optional<CurrentExactlyOnce> Manager::Impl::listed_exactly_once(const Inventory& inventory, std::string disk_name,
                                                                     std::vector<std::string>* warnings) {
  const ManifestExactlyOnce& listed = *inventory.manifest->exactly_once;
  CurrentExactlyOnce current{std::move(disk_name), listed.crc, listed.meta, listed.sidecar_crc, true, true};
  exactly_once_as_listed = true;
  const std::string sidecar = sidecar_name(kExactlyOnceName);
  if (!inventory.has(sidecar) || !listed.sidecar_crc) return current;
  for (const std::string& name : {sidecar, staged_name(sidecar)}) {
    if (!inventory.has(name)) continue;
    Result<std::string> found = read_file(files, path(name));
    if (!found) continue;
    const std::uint32_t crc = crc32c(*found);
    if (crc == listed.sidecar_crc) return current;
    // Karma 1.0 has written the same exactly-once state again since. Without any write in between only the time stamp
    // is another, which alone might be damage.
    const std::optional<ExactlyOnceMeta> again = decode_exactly_once_sidecar(*found);
    if (again && again->bytes == listed.meta.bytes && again->timestamp > listed.meta.timestamp &&
        (again->last_lsn > listed.meta.last_lsn ||
         (again->last_lsn == listed.meta.last_lsn && newest_of_1_0(inventory) == again->last_lsn))) {
      current.meta = *again;
      current.sidecar_crc = crc;
      current.as_listed = exactly_once_as_listed = false;
      return current;
    }
  }
  if (warnings) warnings->push_back(sidecar + " is damaged: it is not what was written");
  return current;
}

std::vector<std::string> Manager::Impl::staged_exactly_once_files(const Inventory& inventory) {
  std::vector<std::string> found;
  if (!inventory.manifest || !inventory.manifest->exactly_once) return found;
  const ManifestExactlyOnce& listed = *inventory.manifest->exactly_once;
  const std::string sidecar = sidecar_name(kExactlyOnceName);
  const auto is = [&](const std::string& name, std::uint32_t crc) {
    if (!inventory.has(name)) return false;
    const Result<Sum> sum = sum_of(name);
    return sum && sum->crc == crc;
  };
  if (is(staged_name(kExactlyOnceName), listed.crc)) found.emplace_back(kExactlyOnceName);
  if (listed.sidecar_crc && is(staged_name(sidecar), *listed.sidecar_crc)) found.push_back(sidecar);
  return found;
}

}  // namespace karma::snapshot
