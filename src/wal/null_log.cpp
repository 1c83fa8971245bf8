// The log of a node that runs without one: the writer's loop is the same, and nothing is kept.
#include "wal/log.h"

namespace karma::wal {
namespace {

class NullLog final : public Log {
 public:
  explicit NullLog(Lsn last) : last_(last) {}

  bool keeps_entries() const override { return false; }
  Status append(std::span<const std::string_view>) override { return {}; }
  bool stopped() const override { return false; }
  Status rotate() override { return {}; }
  Status trim(Lsn) override { return {}; }
  std::vector<FileInfo> files() const override { return {}; }
  Lsn last() const override { return last_; }
  std::uint64_t bytes() const override { return 0; }
  std::uint64_t sync_count() const override { return 0; }
  std::uint64_t write_count() const override { return 0; }
  Status read(Lsn, const std::function<bool(Lsn, std::string_view)>&) override { return {}; }

 private:
  const Lsn last_;
};

}  // namespace

std::unique_ptr<Log> null_log(Lsn last) { return std::make_unique<NullLog>(last); }

}  // namespace karma::wal
