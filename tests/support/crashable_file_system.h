// A file system in memory that knows what has reached the disk and what has not, for tests of crashes and of disks that
// fail. Paths are plain strings; a directory is the text before the last slash.
//
// Faults it makes:
//   - a crash (after_crash): content written or truncated since the file's last sync, and names changed since the
//     directory's last sync, are lost, kept or kept in part; a directory that is lost takes what is in it along;
//   - the process is killed and the machine goes on (power_off_at, then power_on): what was not synced still is not;
//   - one call of one kind or of any, or every one from then on, fails (fail, fail_call, power_off_at); a failing write
//     may have written a part;
//   - a call takes as long as the test likes (before_call);
//   - a sync that fails leaves what it should have synced as unsynced as before.
// What "in part" means (Unsynced::some): of the changes of one file a random prefix in order, of the last write among
// them a random prefix of bytes, after which the rest of that write may be NULs; where that write overwrites what was
// there, any of its sectors. Of the changes of names, all directories together, a random prefix in order.
// Faults it does not make: bits that flip (tests do that with edit()), later parts of what makes a file longer without
// the earlier ones, names that change out of order, a sync that lies.
//
// Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <karma/file_system.h>

namespace karma::test {

class CrashableFileSystem final : public FileSystem {
 public:
  enum class Operation {
    create,
    open,
    read,
    write,
    sync,
    truncate,
    rename,
    remove,
    sync_directory,
    create_directory,
    open_directory,  // also the first half of FileSystem::sync_directory
    exists,          // a failing one cannot say no, so it says yes
    list,
    size,
    lock,
  };
  static constexpr std::size_t kOperationCount = 15;
  enum class Unsynced { lost, kept, some };

  CrashableFileSystem();
  ~CrashableFileSystem() override;

  // --- crashes

  // The disk as a crash at this moment could leave it, with all of it synced and without faults or locks.
  std::unique_ptr<CrashableFileSystem> after_crash(Unsynced unsynced, std::uint64_t seed = 0) const;

  // The `nth` changing operation from now on (1 is the next one) and everything after it fails, reads too. The `nth`
  // itself may be done in part, as `seed` decides.
  void power_off_at(std::uint64_t nth, std::uint64_t seed = 0);
  bool power_is_off() const;
  // It was only the process that ended: the next one finds all as it was, and without locks.
  void power_on();

  // --- failing operations

  struct Fault {
    std::optional<Operation> operation = Operation::write;  // nothing: any
    std::uint64_t nth = 1;                                  // of this kind, from now on
    std::uint64_t count = 1;                                // how many fail in a row
    std::size_t written = 0;                                // bytes that a failing write leaves in the file
    std::string name = {};                                  // only files or directories with this base name; empty: all
    std::string text = "No space left on device";
  };
  static constexpr std::uint64_t kForEver = ~std::uint64_t{0};
  void fail(Fault fault);
  // The `nth` call from now on fails, whatever it is: with a loop each step of what a test does breaks in turn.
  void fail_call(std::uint64_t nth, std::string text);
  void heal();  // forgets all faults; power stays off

  // --- looking and changing from outside; all of it counts as synced and as no operation

  std::uint64_t count(Operation operation) const;  // calls so far, failed ones too
  std::uint64_t calls() const;                     // of all kinds
  std::uint64_t changes() const;                   // of the kinds that change something
  std::uint64_t started_bytes() const;             // told to File::start_sync so far
  std::optional<std::string> content(const std::string& path) const;
  void edit(const std::string& path, std::string content);  // created if missing
  void erase(const std::string& path);
  // Called at the beginning of every call, without any lock held: it may block.
  using Hook = std::function<void(Operation, const std::string& path)>;
  void before_call(Hook hook);
  // The same for File::sync only.
  void before_sync(std::function<void()> hook);

  // What space() says; until then it fails.
  void set_space(Space space);

  // --- FileSystem

  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  bool exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<std::vector<std::string>> list_directories(const std::string& directory) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status sync_directory(const std::string& directory) override;
  Result<std::unique_ptr<Directory>> open_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Result<Space> space(const std::string& directory) override;
  Result<std::unique_ptr<Lock>> lock(const std::string& path) override;

 private:
  struct Change;
  struct Node;
  struct NameChange;
  class OpenFile;
  class OpenDirectory;
  class HeldLock;
  using NodePointer = std::shared_ptr<Node>;
  struct Names {
    std::map<std::string, NodePointer> files;
    std::set<std::string> directories;
  };

  struct Verdict {
    std::optional<Error> error;
    std::size_t written = 0;  // of a failing write
    bool partly = false;      // power goes off inside this operation: it may be done
  };
  Verdict begin(Operation operation, const std::string& path, std::size_t length = 0);
  void change_name(NameChange change);
  void call_hook(Operation operation, const std::string& path) const;
  bool is_directory(const std::string& path) const;
  Status sync_open_directory(const std::string& path);

  mutable std::mutex mutex_;
  Names names_;                      // as processes see them
  Names durable_names_;              // as the disk has them
  std::vector<NameChange> pending_;  // changes of names that are not durable, in order
  std::set<std::string> locked_;
  std::optional<Space> space_;
  std::vector<Fault> faults_;
  std::array<std::uint64_t, kOperationCount> counts_{};
  std::optional<std::uint64_t> power_off_in_;
  bool power_is_off_ = false;
  std::mt19937_64 random_;
  Hook before_call_;
  std::uint64_t started_bytes_ = 0;
};

}  // namespace karma::test
