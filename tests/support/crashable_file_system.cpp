#include "crashable_file_system.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "io/path.h"

namespace karma::test {

// A write or a truncation that no sync has followed yet.
struct CrashableFileSystem::Change {
  bool truncates = false;
  std::uint64_t offset = 0;  // or the new size
  std::string bytes;
};

struct CrashableFileSystem::Node {
  std::string content;
  std::string durable;
  std::vector<Change> changes;  // what makes content of durable
};

// `node` gets the name `path`; with `from`, it had that one before; without node, the name goes. Or it is the name of a
// directory that is new, or goes.
struct CrashableFileSystem::NameChange {
  std::string path;
  NodePointer node;
  std::string from = {};
  bool is_directory = false;
  bool goes = false;

  bool touches(const std::string& directory) const {
    return parent_path(path) == directory || (!from.empty() && parent_path(from) == directory);
  }
  void apply(Names& names) const {
    if (goes) {
      // The names in it went before, and no later than with it.
      std::erase_if(names.files, [this](const auto& file) { return parent_path(file.first) == path; });
      names.directories.erase(path);
      return;
    }
    if (is_directory) {
      names.directories.insert(path);
      return;
    }
    if (!from.empty()) names.files.erase(from);
    if (node) {
      names.files[path] = node;
    } else {
      names.files.erase(path);
    }
  }
};

namespace {

using Fs = CrashableFileSystem;

constexpr std::uint64_t kSector = 512;

bool is_change(Fs::Operation operation) {
  switch (operation) {
    case Fs::Operation::open:
    case Fs::Operation::read:
    case Fs::Operation::open_directory:
    case Fs::Operation::exists:
    case Fs::Operation::list:
    case Fs::Operation::size:
    case Fs::Operation::lock:
      return false;
    default:
      return true;
  }
}

const char* verb(Fs::Operation operation) {
  constexpr const char* kVerbs[Fs::kOperationCount] = {"create",
                                                       "open",
                                                       "read",
                                                       "write",
                                                       "sync",
                                                       "truncate",
                                                       "rename",
                                                       "remove",
                                                       "sync the directory",
                                                       "create the directory",
                                                       "open the directory",
                                                       "look for",
                                                       "list",
                                                       "examine",
                                                       "lock"};
  return kVerbs[static_cast<std::size_t>(operation)];
}

Error failure(Fs::Operation operation, const std::string& path, const std::string& text) {
  return internal_error(std::string("Cannot ") + verb(operation) + " " + base_name(path) + ": " + text);
}

bool lies_in(std::string path, const std::set<std::string>& directories) {
  for (std::string parent = parent_path(path); parent != path; parent = parent_path(path)) {
    if (directories.contains(parent)) return true;
    path = std::move(parent);
  }
  return false;
}

void write_into(std::string& content, std::uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  content.replace(offset, bytes.size(), bytes);
}

}  // namespace

CrashableFileSystem::CrashableFileSystem() = default;
CrashableFileSystem::~CrashableFileSystem() = default;

// --- open files ------------------------------------------------------------------------------------------------------

class CrashableFileSystem::OpenFile final : public File {
 public:
  OpenFile(CrashableFileSystem& files, NodePointer node, std::string path)
      : files_(files), node_(std::move(node)), path_(std::move(path)) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    files_.call_hook(Operation::write, path_);
    const std::lock_guard lock(files_.mutex_);
    const Verdict verdict = files_.begin(Operation::write, path(), bytes.size());
    if (verdict.error) bytes = bytes.substr(0, verdict.written);
    if (!bytes.empty()) {
      write_into(node_->content, offset, bytes);
      node_->changes.push_back({false, offset, std::string(bytes)});
    }
    if (verdict.error) return *verdict.error;
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t length) const override {
    files_.call_hook(Operation::read, path_);
    const std::lock_guard lock(files_.mutex_);
    if (Verdict verdict = files_.begin(Operation::read, path()); verdict.error) return *verdict.error;
    if (offset >= node_->content.size()) return std::size_t{0};
    return node_->content.copy(into, length, offset);
  }

  // What of it reaches the disk a crash decides anyway: unsynced bytes may be lost, kept, or some of them.
  void start_sync(std::uint64_t offset, std::uint64_t length) override {
    const std::lock_guard lock(files_.mutex_);
    KARMA_CHECK(offset + length <= node_->content.size());
    files_.started_bytes_ += length;
  }

  Status sync() override {
    files_.call_hook(Operation::sync, path_);
    const std::lock_guard lock(files_.mutex_);
    const Verdict verdict = files_.begin(Operation::sync, path());
    if (!verdict.error || verdict.partly) {
      node_->durable = node_->content;
      node_->changes.clear();
    }
    if (verdict.error) return *verdict.error;
    return {};
  }

  Status truncate(std::uint64_t size) override {
    files_.call_hook(Operation::truncate, path_);
    const std::lock_guard lock(files_.mutex_);
    const Verdict verdict = files_.begin(Operation::truncate, path());
    if (!verdict.error || verdict.partly) {
      node_->content.resize(size, '\0');
      node_->changes.push_back({true, size, {}});
    }
    if (verdict.error) return *verdict.error;
    return {};
  }

  Result<std::uint64_t> size() const override {
    files_.call_hook(Operation::size, path_);
    const std::lock_guard lock(files_.mutex_);
    if (Verdict verdict = files_.begin(Operation::size, path()); verdict.error) return *verdict.error;
    return std::uint64_t{node_->content.size()};
  }

 private:
  // Its name now: it may have been renamed. Requires the mutex.
  const std::string& path() const {
    const auto& names = files_.names_.files;
    const auto same = [this](const auto& name) { return name.second == node_; };
    if (const auto found = names.find(path_); found != names.end() && found->second == node_) return path_;
    const auto found = std::find_if(names.begin(), names.end(), same);
    return found != names.end() ? found->first : path_;
  }

  CrashableFileSystem& files_;
  const NodePointer node_;
  const std::string path_;
};

class CrashableFileSystem::OpenDirectory final : public Directory {
 public:
  OpenDirectory(CrashableFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  Status sync() override { return files_.sync_open_directory(path_); }

 private:
  CrashableFileSystem& files_;
  const std::string path_;
};

class CrashableFileSystem::HeldLock final : public Lock {
 public:
  HeldLock(CrashableFileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  ~HeldLock() override {
    const std::lock_guard lock(files_.mutex_);
    files_.locked_.erase(path_);
  }

 private:
  CrashableFileSystem& files_;
  const std::string path_;
};

// --- crashes and faults ----------------------------------------------------------------------------------------------

std::unique_ptr<CrashableFileSystem> CrashableFileSystem::after_crash(Unsynced unsynced, std::uint64_t seed) const {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  const auto up_to = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
  const auto kept = [&](std::size_t of) {
    return unsynced == Unsynced::lost ? 0 : unsynced == Unsynced::kept ? of : up_to(of);
  };

  Names names = durable_names_;
  const std::size_t kept_names = kept(pending_.size());
  for (std::size_t i = 0; i < kept_names; ++i) pending_[i].apply(names);

  std::set<std::string> lost;
  for (const std::string& path : names_.directories) {
    if (!names.directories.contains(path)) lost.insert(path);
  }
  auto disk = std::make_unique<CrashableFileSystem>();
  for (const std::string& path : names.directories) {
    if (!lies_in(path, lost)) disk->names_.directories.insert(path);
  }
  std::map<const Node*, NodePointer> copies;
  for (const auto& [path, node] : names.files) {
    if (lies_in(path, lost)) continue;
    NodePointer& copy = copies[node.get()];
    if (!copy) {
      copy = std::make_shared<Node>();
      copy->content = node->durable;
      const std::size_t whole = kept(node->changes.size());
      for (std::size_t i = 0; i < whole; ++i) {
        const Change& change = node->changes[i];
        if (change.truncates) {
          copy->content.resize(change.offset, '\0');
        } else {
          write_into(copy->content, change.offset, change.bytes);
        }
      }
      if (unsynced == Unsynced::some && whole < node->changes.size() && !node->changes[whole].truncates) {
        const Change& torn = node->changes[whole];
        std::string_view rest = torn.bytes;
        std::uint64_t offset = torn.offset;
        const std::uint64_t there = copy->content.size();
        while (offset < there && !rest.empty()) {
          const std::string_view sector = rest.substr(0, (offset / kSector + 1) * kSector - offset);
          if (up_to(1)) write_into(copy->content, offset, sector);
          offset += sector.size();
          rest.remove_prefix(sector.size());
        }
        std::string bytes(rest.substr(0, up_to(rest.size())));
        if (up_to(1)) bytes.resize(bytes.size() + up_to(rest.size() - bytes.size()), '\0');
        if (!bytes.empty()) write_into(copy->content, offset, bytes);
      }
      copy->durable = copy->content;
    }
    disk->names_.files[path] = copy;
  }
  disk->durable_names_ = disk->names_;
  return disk;
}

void CrashableFileSystem::power_off_at(std::uint64_t nth, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  power_off_in_ = nth;
  random_.seed(seed);
}

bool CrashableFileSystem::power_is_off() const {
  const std::lock_guard lock(mutex_);
  return power_is_off_;
}

void CrashableFileSystem::power_on() {
  const std::lock_guard lock(mutex_);
  power_is_off_ = false;
  power_off_in_.reset();
  locked_.clear();
}

void CrashableFileSystem::fail(Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
}

void CrashableFileSystem::fail_call(std::uint64_t nth, std::string text) {
  fail({.operation = std::nullopt, .nth = nth, .text = std::move(text)});
}

void CrashableFileSystem::heal() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
}

CrashableFileSystem::Verdict CrashableFileSystem::begin(Operation operation, const std::string& path,
                                                        std::size_t length) {
  ++counts_[static_cast<std::size_t>(operation)];
  if (power_is_off_) return {failure(operation, path, "the power is off"), 0, false};
  if (power_off_in_ && is_change(operation) && --*power_off_in_ == 0) {
    power_is_off_ = true;
    const std::size_t written = std::uniform_int_distribution<std::size_t>(0, length)(random_);
    return {failure(operation, path, "the power goes off"), written, (random_() & 1) != 0};
  }
  for (Fault& fault : faults_) {
    if (fault.operation.value_or(operation) != operation || fault.count == 0) continue;
    if (!fault.name.empty() && fault.name != base_name(path)) continue;
    if (fault.nth > 1) {
      --fault.nth;
      continue;
    }
    if (fault.count != kForEver) --fault.count;
    return {failure(operation, path, fault.text), std::min(fault.written, length), false};
  }
  return {};
}

void CrashableFileSystem::change_name(NameChange change) {
  change.apply(names_);
  pending_.push_back(std::move(change));
}

// --- from outside ----------------------------------------------------------------------------------------------------

std::uint64_t CrashableFileSystem::count(Operation operation) const {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<std::size_t>(operation)];
}

std::uint64_t CrashableFileSystem::started_bytes() const {
  const std::lock_guard lock(mutex_);
  return started_bytes_;
}

std::uint64_t CrashableFileSystem::calls() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::uint64_t CrashableFileSystem::changes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    if (is_change(static_cast<Operation>(i))) sum += counts_[i];
  }
  return sum;
}

std::optional<std::string> CrashableFileSystem::content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.files.find(path);
  if (found == names_.files.end()) return std::nullopt;
  return found->second->content;
}

void CrashableFileSystem::edit(const std::string& path, std::string content) {
  const std::lock_guard lock(mutex_);
  NodePointer& node = names_.files[path];
  if (!node) node = std::make_shared<Node>();
  node->content = node->durable = std::move(content);
  node->changes.clear();
  durable_names_.files[path] = node;
  names_.directories.insert(parent_path(path));
  durable_names_.directories.insert(parent_path(path));
}

void CrashableFileSystem::erase(const std::string& path) {
  const std::lock_guard lock(mutex_);
  names_.files.erase(path);
  durable_names_.files.erase(path);
}

void CrashableFileSystem::before_call(Hook hook) {
  const std::lock_guard lock(mutex_);
  before_call_ = std::move(hook);
}

void CrashableFileSystem::before_sync(std::function<void()> hook) {
  if (!hook) return before_call({});
  before_call([hook = std::move(hook)](Operation operation, const std::string&) {
    if (operation == Operation::sync) hook();
  });
}

void CrashableFileSystem::call_hook(Operation operation, const std::string& path) const {
  Hook hook;
  {
    const std::lock_guard lock(mutex_);
    hook = before_call_;
  }
  if (hook) hook(operation, path);
}

// --- FileSystem ------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<File>> CrashableFileSystem::open(const std::string& path, Open how) {
  call_hook(how == Open::read ? Operation::open : Operation::create, path);
  const std::lock_guard lock(mutex_);
  const auto found = names_.files.find(path);
  const bool missing = found == names_.files.end();
  const Operation operation = missing && how != Open::read ? Operation::create : Operation::open;
  const Verdict verdict = begin(operation, path);
  if (verdict.error && !(operation == Operation::create && verdict.partly)) return *verdict.error;
  if (missing && how == Open::read) return failure(operation, path, "No such file or directory");
  if (!missing && how == Open::create_new) return failure(operation, path, "File exists");
  NodePointer node = missing ? std::make_shared<Node>() : found->second;
  if (missing) change_name({path, node});
  if (verdict.error) return *verdict.error;
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(node), path));
}

bool CrashableFileSystem::exists(const std::string& path) {
  call_hook(Operation::exists, path);
  const std::lock_guard lock(mutex_);
  if (begin(Operation::exists, path).error) return true;
  return names_.files.contains(path) || is_directory(path);
}

Result<std::vector<std::string>> CrashableFileSystem::list(const std::string& directory) {
  call_hook(Operation::list, directory);
  const std::lock_guard lock(mutex_);
  if (Verdict verdict = begin(Operation::list, directory); verdict.error) return *verdict.error;
  std::vector<std::string> names;
  for (const auto& [path, node] : names_.files) {
    if (parent_path(path) == directory) names.push_back(base_name(path));
  }
  return names;
}

Result<std::vector<std::string>> CrashableFileSystem::list_directories(const std::string& directory) {
  call_hook(Operation::list, directory);
  const std::lock_guard lock(mutex_);
  if (Verdict verdict = begin(Operation::list, directory); verdict.error) return *verdict.error;
  std::vector<std::string> names;
  for (const std::string& path : names_.directories) {
    if (parent_path(path) == directory && path != directory) names.push_back(base_name(path));
  }
  return names;
}

Status CrashableFileSystem::rename(const std::string& from, const std::string& to) {
  call_hook(Operation::rename, to);
  const std::lock_guard lock(mutex_);
  const Verdict verdict = begin(Operation::rename, to);
  if (verdict.error && !verdict.partly) return *verdict.error;
  const auto found = names_.files.find(from);
  if (found == names_.files.end()) return failure(Operation::rename, from, "No such file or directory");
  change_name({to, found->second, from});
  if (verdict.error) return *verdict.error;
  return {};
}

Status CrashableFileSystem::remove(const std::string& path) {
  call_hook(Operation::remove, path);
  const std::lock_guard lock(mutex_);
  const Verdict verdict = begin(Operation::remove, path);
  if (verdict.error && !verdict.partly) return *verdict.error;
  if (!names_.files.contains(path)) return failure(Operation::remove, path, "No such file or directory");
  change_name({path, nullptr});
  if (verdict.error) return *verdict.error;
  return {};
}

Status CrashableFileSystem::remove_directory(const std::string& path) {
  call_hook(Operation::remove, path);
  const std::lock_guard lock(mutex_);
  const Verdict verdict = begin(Operation::remove, path);
  if (verdict.error && !verdict.partly) return *verdict.error;
  const auto in_it = [&](const auto& file) { return parent_path(file.first) == path; };
  if (!names_.directories.contains(path)) return failure(Operation::remove, path, "No such file or directory");
  if (std::any_of(names_.files.begin(), names_.files.end(), in_it))
    return failure(Operation::remove, path, "Directory not empty");
  change_name({path, nullptr, {}, true, true});
  if (verdict.error) return *verdict.error;
  return {};
}

Status CrashableFileSystem::sync_open_directory(const std::string& directory) {
  call_hook(Operation::sync_directory, directory);
  const std::lock_guard lock(mutex_);
  const Verdict verdict = begin(Operation::sync_directory, directory);
  if (!verdict.error || verdict.partly) {
    std::vector<NameChange> others;
    for (NameChange& change : pending_) {
      if (change.touches(directory)) {
        change.apply(durable_names_);
      } else {
        others.push_back(std::move(change));
      }
    }
    pending_ = std::move(others);
  }
  if (verdict.error) return *verdict.error;
  return {};
}

Result<std::unique_ptr<FileSystem::Directory>> CrashableFileSystem::open_directory(const std::string& path) {
  call_hook(Operation::open_directory, path);
  const std::lock_guard lock(mutex_);
  if (Verdict verdict = begin(Operation::open_directory, path); verdict.error) return *verdict.error;
  return std::unique_ptr<Directory>(std::make_unique<OpenDirectory>(*this, path));
}

Status CrashableFileSystem::sync_directory(const std::string& directory) {
  const Result<std::unique_ptr<Directory>> opened = open_directory(directory);
  return opened ? (*opened)->sync() : opened.error();
}

// Requires mutex_.
bool CrashableFileSystem::is_directory(const std::string& path) const {
  return path == parent_path(path) || names_.directories.contains(path);
}

Status CrashableFileSystem::create_directories(const std::string& path) {
  const std::string parent = parent_path(path);
  if (parent == path) return {};
  bool missing;
  {
    const std::lock_guard lock(mutex_);
    missing = !is_directory(path);
  }
  if (missing) {
    if (Status made = create_directories(parent); !made) return made;
    call_hook(Operation::create_directory, path);
    const std::lock_guard lock(mutex_);
    const Verdict verdict = begin(Operation::create_directory, path);
    if (!verdict.error || verdict.partly) change_name({path, nullptr, {}, true});
    if (verdict.error) return *verdict.error;
  }
  return sync_directory(parent);
}

void CrashableFileSystem::set_space(Space space) {
  const std::lock_guard lock(mutex_);
  space_ = space;
}

Result<FileSystem::Space> CrashableFileSystem::space(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (!space_) return internal_error("cannot look at the disk of " + directory);
  return *space_;
}

Result<std::unique_ptr<FileSystem::Lock>> CrashableFileSystem::lock(const std::string& path) {
  call_hook(Operation::lock, path);
  const std::lock_guard lock(mutex_);
  if (Verdict verdict = begin(Operation::lock, path); verdict.error) return *verdict.error;
  if (!locked_.insert(path).second) return failure(Operation::lock, path, "it is locked");
  return std::unique_ptr<Lock>(std::make_unique<HeldLock>(*this, path));
}

}  // namespace karma::test
