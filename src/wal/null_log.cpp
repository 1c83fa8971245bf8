// The log of a node that runs without one: the writer's loop is the same, and nothing is kept.
#include <atomic>

#include "wal/log.h"

namespace karma::wal {
namespace {

class NullLog final : public Log {
 public:
  NullLog(Lsn last, bool numbers) : numbers_(numbers), last_(last.value) {}

  bool keeps_entries() const override { return false; }
  Status append(std::span<const std::string_view> entries) override {
    if (numbers_) last_.fetch_add(entries.size(), std::memory_order_release);
    return {};
  }
  bool stopped() const override { return false; }
  Status rotate() override { return {}; }
  Status trim(Lsn, const Hold&) override { return {}; }
  std::vector<FileInfo> files() const override { return {}; }
  Lsn last() const override { return Lsn{last_.load(std::memory_order_acquire)}; }
  std::uint64_t bytes() const override { return 0; }
  std::uint64_t held_bytes() const override { return 0; }
  std::uint64_t sync_count() const override { return 0; }
  std::uint64_t write_count() const override { return 0; }
  Status read(Lsn, const std::function<bool(Lsn, std::string_view)>&) override { return {}; }

 private:
  const bool numbers_;
  std::atomic<std::uint64_t> last_;
};

}  // namespace

std::unique_ptr<Log> null_log(Lsn last, bool numbers) { return std::make_unique<NullLog>(last, numbers); }

}  // namespace karma::wal
