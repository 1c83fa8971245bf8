// Idempotency keys that a batch uses and that are not remembered yet. By hash alone: a key that only looks used costs a
// flush and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace karma::commands {

class PendingKeys {
 public:
  bool may_contain(std::uint64_t hash) const {
    if (count_ == 0) return false;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      if (slots_[i].round != round_) return false;
      if (slots_[i].hash == hash) return true;
    }
  }
  void add(std::uint64_t hash) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    insert(hash);
    ++count_;
  }
  // Costs nothing, however many there were.
  void clear() {
    if (count_ == 0) return;
    count_ = 0;
    ++round_;
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t round = 0;  // of clear(); another one: empty
  };

  std::size_t mask() const { return slots_.size() - 1; }
  void insert(std::uint64_t hash) {
    std::size_t i = hash & mask();
    while (slots_[i].round == round_) i = (i + 1) & mask();
    slots_[i] = {hash, round_};
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.round == round_) insert(slot.hash);
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
  std::uint64_t round_ = 1;
};

}  // namespace karma::commands
