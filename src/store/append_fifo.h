// A queue of small values, appended to at the back and dropped from the front, that can be frozen while it goes on.
//
// Values lie in blocks. A view holds references to the blocks and the two ends. After a view's end the owner goes on
// writing into the same block: the view never looks there, so nothing is cloned. A block that only views need any more
// dies with the last of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/ref.h"

namespace karma::store {

// Changed by one thread; views are thread-safe to read. Elements are never changed once they are in.
template <class T, std::size_t kPerBlock>
class AppendFifo {
  struct Block : RefCounted {
    std::array<T, kPerBlock> values;
  };

 public:
  class View {
   public:
    std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
    const T& operator[](std::size_t i) const {
      return blocks_[(begin_ + i) / kPerBlock - begin_ / kPerBlock]->values[(begin_ + i) % kPerBlock];
    }

   private:
    friend class AppendFifo;
    std::vector<Ref<Block>> blocks_;
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
  };

  std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
  bool empty() const { return begin_ == end_; }

  // Values are numbered from 0 since the beginning; a number stays what it is when others are dropped.
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  const T& at(std::uint64_t number) const {
    return blocks_[static_cast<std::size_t>(number / kPerBlock - begin_ / kPerBlock)]->values[number % kPerBlock];
  }

  void push_back(T value) {
    if (end_ % kPerBlock == 0 || blocks_.empty()) blocks_.push_back(Ref<Block>(new Block));
    blocks_.back()->values[end_ % kPerBlock] = std::move(value);
    ++end_;
  }
  void pop_front() {
    ++begin_;
    if (begin_ % kPerBlock == 0 || begin_ == end_) blocks_.pop_front();
  }

  View view() const {
    View view;
    view.blocks_.assign(blocks_.begin(), blocks_.end());
    view.begin_ = begin_;
    view.end_ = end_;
    return view;
  }

 private:
  std::deque<Ref<Block>> blocks_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace karma::store
