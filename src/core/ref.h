// An intrusive reference count, for copy-on-write: whoever holds the only reference may change the object.
//
// std::shared_ptr::use_count() cannot be used for that: it does not synchronise with the release of the last other
// owner, so that changing the object in place would race with that owner's reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace karma {

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) {}
  RefCounted& operator=(const RefCounted&) = delete;

  // True: no other reference exists, and everything that others did with theirs has happened before.
  bool has_one_owner() const { return references_.load(std::memory_order_acquire) == 1; }

 private:
  template <class T>
  friend class Ref;
  mutable std::atomic<std::uint32_t> references_{0};
};

// Thread safety as for std::shared_ptr: different Refs to one object may be used from different threads.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { retain(); }
  Ref(const Ref& other) : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { release(); }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

  bool unique() const { return object_->has_one_owner(); }

 private:
  void retain() {
    if (object_) object_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  void release() {
    if (object_ && object_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete object_;
  }
  T* object_ = nullptr;
};

}  // namespace karma
