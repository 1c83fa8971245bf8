// The registry's file: which one counts, and whether it is what was written.
//
//   manifest lists it, checksum right                       it counts, with the manifest's LSN
//   listed, but the file and its sidecar have been written  Karma 1.0 wrote it: it counts, with the sidecar's LSN
//     again, agree with each other and are not older
//   listed, anything else                                   damaged
//   not listed                                              it counts, with the sidecar's LSN (without one: 0)
#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"
#include "snapshot/metadata.h"

namespace karma::snapshot {
namespace {

bool matches(const ManifestRegistry& registry, std::string_view text) {
  return text.size() == registry.meta.bytes && crc32c(text) == registry.crc;
}

}  // namespace

Result<std::optional<CurrentRegistry>> Manager::Impl::current_registry(const Inventory& inventory,
                                                                       std::vector<std::string>* warnings) {
  const std::string name(kRegistryName);
  const std::optional<ManifestRegistry> listed = inventory.manifest ? inventory.manifest->registry : std::nullopt;
  std::string fault = "it is missing";
  CurrentRegistry current;
  if (inventory.has(name)) {
    Result<std::string> text = read_file(files, path(name));
    if (!text && !listed) return internal_error(name + " is damaged: " + text.error().message);
    if (text && listed && matches(*listed, *text)) {
      check_registry_sidecar(inventory, warnings);
      return std::optional(CurrentRegistry{std::move(*text), listed->meta, listed->sidecar_crc, true});
    }
    fault = text ? "its checksum is wrong" : text.error().message;
    if (text) current.text = std::move(*text);
  }
  if (listed && inventory.has(staged_name(name))) {
    Result<std::string> text = read_file(files, path(staged_name(name)));
    if (text && matches(*listed, *text)) {
      check_registry_sidecar(inventory, warnings);
      return std::optional(CurrentRegistry{std::move(*text), listed->meta, listed->sidecar_crc, true});
    }
  }
  if (!listed && !inventory.has(name)) return std::optional<CurrentRegistry>();

  std::optional<RegistryMeta> sidecar;
  if (inventory.has(sidecar_name(name))) {
    Result<std::string> text = read_file(files, path(sidecar_name(name)));
    if (text) {
      sidecar = decode_registry_sidecar(*text);
      current.sidecar_crc = crc32c(*text);
    }
    if (!sidecar && warnings) warnings->push_back(sidecar_name(name) + " is damaged: it is unreadable");
  }
  if (listed) {
    const bool again = sidecar && inventory.has(name) && current.sidecar_crc != listed->sidecar_crc &&
                       sidecar->bytes == current.text.size() && sidecar->last_lsn >= listed->meta.last_lsn;
    if (!again) return internal_error(name + " is damaged: " + fault);
  }
  if (sidecar) current.meta = *sidecar;
  current.meta.bytes = current.text.size();
  return std::optional(std::move(current));
}

// Of the listed registry.
void Manager::Impl::check_registry_sidecar(const Inventory& inventory, std::vector<std::string>* warnings) {
  const std::string sidecar = sidecar_name(kRegistryName);
  if (!warnings || !inventory.has(sidecar) || !inventory.manifest->registry->sidecar_crc) return;
  for (const std::string& name : {sidecar, staged_name(sidecar)}) {
    if (!inventory.has(name)) continue;
    Result<std::string> text = read_file(files, path(name));
    if (!text) continue;
    if (crc32c(*text) == inventory.manifest->registry->sidecar_crc) return;
    // Karma 1.0 has written the same registry again since.
    const RegistryMeta& listed = inventory.manifest->registry->meta;
    const std::optional<RegistryMeta> again = decode_registry_sidecar(*text);
    if (again && again->bytes == listed.bytes && again->last_lsn > listed.last_lsn &&
        again->timestamp > listed.timestamp) {
      return;
    }
  }
  warnings->push_back(sidecar + " is damaged: it is not what was written");
}

std::vector<std::string> Manager::Impl::staged_registry_files(const Inventory& inventory) {
  std::vector<std::string> found;
  if (!inventory.manifest || !inventory.manifest->registry) return found;
  const ManifestRegistry& listed = *inventory.manifest->registry;
  const std::string sidecar = sidecar_name(kRegistryName);
  const auto checksum = [&](const std::string& name) -> std::optional<std::uint32_t> {
    if (!inventory.has(name)) return {};
    Result<std::string> text = read_file(files, path(name));
    return text ? std::optional(crc32c(*text)) : std::nullopt;
  };
  if (checksum(staged_name(kRegistryName)) == listed.crc) found.push_back(staged_name(kRegistryName));
  if (listed.sidecar_crc && checksum(staged_name(sidecar)) == listed.sidecar_crc) {
    found.push_back(staged_name(sidecar));
  }
  return found;
}

}  // namespace karma::snapshot
