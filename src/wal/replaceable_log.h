// A log that another one can take the place of while the writer and readers have it: that of a slave, which gets a copy
// of its master's data anew.
#pragma once

#include <memory>
#include <utility>

#include "core/mutex.h"
#include "wal/log.h"

namespace karma::wal {

class ReplaceableLog final : public Log {
 public:
  explicit ReplaceableLog(std::unique_ptr<Log> log) : keeps_entries_(log->keeps_entries()), log_(std::move(log)) {}

  // On the writer's thread. close(): nothing can be written or read until there is another one, of the same kind.
  // Readers that are inside the old one end it.
  void close() { put(std::make_unique<Closed>(last())); }
  void put(std::unique_ptr<Log> log) {
    std::shared_ptr<Log> old = std::move(log);
    const MutexLock lock(mutex_);
    log_.swap(old);
  }

  bool keeps_entries() const override { return keeps_entries_; }
  Status append(std::span<const std::string_view> entries) override { return get()->append(entries); }
  bool stopped() const override { return get()->stopped(); }
  Status rotate() override { return get()->rotate(); }
  Status trim(Lsn lsn, const Hold& hold = {}) override { return get()->trim(lsn, hold); }
  std::vector<FileInfo> files() const override { return get()->files(); }
  Lsn last() const override { return get()->last(); }
  std::uint64_t bytes() const override { return get()->bytes(); }
  std::uint64_t held_bytes() const override { return get()->held_bytes(); }
  std::uint64_t sync_count() const override { return get()->sync_count(); }
  std::uint64_t write_count() const override { return get()->write_count(); }
  Status read(Lsn after, const std::function<bool(Lsn, std::string_view entry)>& visit) override {
    return get()->read(after, visit);
  }

 private:
  class Closed final : public Log {
   public:
    explicit Closed(Lsn last) : last_(last) {}
    bool keeps_entries() const override { return true; }
    Status append(std::span<const std::string_view>) override { return closed(); }
    bool stopped() const override { return false; }
    Status rotate() override { return closed(); }
    Status trim(Lsn, const Hold&) override { return closed(); }
    std::vector<FileInfo> files() const override { return {}; }
    Lsn last() const override { return last_; }
    std::uint64_t bytes() const override { return 0; }
    std::uint64_t held_bytes() const override { return 0; }
    std::uint64_t sync_count() const override { return 0; }
    std::uint64_t write_count() const override { return 0; }
    Status read(Lsn, const std::function<bool(Lsn, std::string_view)>&) override { return closed(); }

   private:
    static Error closed() { return internal_error("the log is being replaced by a copy of the master's"); }
    const Lsn last_;
  };

  std::shared_ptr<Log> get() const {
    const MutexLock lock(mutex_);
    return log_;
  }

  const bool keeps_entries_;
  mutable Mutex mutex_;
  std::shared_ptr<Log> log_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::wal
