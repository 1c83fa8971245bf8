#include "replication/staged_copy.h"

#include <utility>

#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/current_set.h"
#include "snapshot/file_name.h"

namespace karma::replication {

Status StagedCopy::add(snapshot::ManifestFile& listed, const Bytes& bytes) {
  const Result<std::uint32_t> sidecar_crc =
      add_file(listed.meta.file, snapshot::encode_sidecar(listed.meta), listed.crc, bytes);
  if (!sidecar_crc) return sidecar_crc.error();
  listed.meta.has_sidecar = true;
  listed.sidecar_crc = *sidecar_crc;
  return {};
}

Status StagedCopy::add(snapshot::ManifestExactlyOnce& listed, const Bytes& bytes) {
  const Result<std::uint32_t> sidecar_crc =
      add_file(std::string(snapshot::kExactlyOnceName), snapshot::encode_sidecar(listed.meta), listed.crc, bytes);
  if (!sidecar_crc) return sidecar_crc.error();
  listed.sidecar_crc = *sidecar_crc;
  return {};
}

Result<std::uint32_t> StagedCopy::add_file(const std::string& name, std::string_view sidecar,
                                           std::optional<std::uint32_t> expected, const Bytes& bytes) {
  Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files_, directory_, name);
  if (!file) return file.error();
  std::uint32_t crc = 0;
  const Status taken = bytes([&](std::string_view piece) -> Status {
    if (Status status = go_on(); !status) return status;
    crc = crc32c(piece, crc);
    bytes_ += piece.size();
    tell({});
    return (*file)->append(piece);
  });
  if (!taken) return taken.error();
  if (expected && crc != *expected)
    return Error{ErrorCode::replication_error, name + " has another checksum than the manifest says"};
  if (Status finished = (*file)->finish(); !finished) return finished.error();
  Result<std::unique_ptr<ReplaceFile>> beside = ReplaceFile::create(files_, directory_, snapshot::sidecar_name(name));
  if (!beside) return beside.error();
  Status written = (*beside)->append(sidecar);
  if (written) written = (*beside)->finish();
  if (!written) return written.error();
  return crc32c(sidecar);
}

Result<std::unique_ptr<wal::Log>> StagedCopy::begin_log(Lsn after) {
  return wal::open_log(files_, directory_, {}, after, {});
}

Status StagedCopy::put(engine::History masters) {
  if (masters.empty()) return {};
  masters.follow();
  return engine::write_history(files_, directory_, masters);
}

Status StagedCopy::put(snapshot::Manifest manifest) {
  manifest.older.clear();
  return replace_file(files_, directory_, std::string(snapshot::kManifestName),
                      snapshot::encode_manifest(snapshot::CurrentSet::of(std::move(manifest))));
}

Status StagedCopy::go_on() const {
  return options_.stopped() ? Status(internal_error("the node is shutting down")) : Status();
}

void StagedCopy::tell(const std::string& what) {
  if (!what.empty()) what_ = what;
  const auto now = std::chrono::steady_clock::now();
  if (!options_.on_progress || now - told_ < std::chrono::seconds(1)) return;
  told_ = now;
  options_.on_progress(what_ + ", " + std::to_string(bytes_ >> 20) + " MiB so far");
}

}  // namespace karma::replication
