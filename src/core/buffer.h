// A byte buffer that grows at the end. Unlike std::string, it does not zero bytes that are about to be overwritten.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace karma {

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  char* data() { return data_; }
  const char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }

  void clear() { size_ = 0; }
  void truncate(std::size_t size) { size_ = size; }  // size <= size()
  // Frees the memory.
  void release() { *this = Buffer(); }

  // Room for `count` more bytes at end(); commit() the bytes that were used.
  [[gnu::always_inline]] char* reserve(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return data_ + size_;
  }
  void commit(std::size_t count) { size_ += count; }
  char* end() { return data_ + size_; }

  // Inlined, so that appending a constant, the usual case, takes a few instructions.
  [[gnu::always_inline]] void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void append(char byte) {
    *reserve(1) = byte;
    ++size_;
  }
  // Removes the first `count` bytes.
  void consume(std::size_t count) {
    if (count != 0 && count != size_) std::memmove(data_, data_ + count, size_ - count);
    size_ -= count;
  }

 private:
  [[gnu::noinline]] void grow(std::size_t count) {
    std::size_t capacity = capacity_ < 256 ? 256 : capacity_ * 2;
    if (capacity < size_ + count) capacity = size_ + count;
    void* data = std::realloc(data_, capacity);
    if (data == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(data);
    capacity_ = capacity;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace karma
