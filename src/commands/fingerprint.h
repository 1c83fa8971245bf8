// The visitor of describe() that says what a request asks for, in 32 bytes: see store/fingerprint.h. Fields come in the
// order of describe(), which for these ops may therefore never change.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <karma/types.h>

#include "commands/codec.h"
#include "store/fingerprint.h"
#include "store/ingest.h"
#include "store/request_content.h"

namespace karma::commands {

class Fingerprinter {
 public:
  explicit Fingerprinter(std::string_view command) : builder_(command) {}

  void series(const SeriesName& name) { builder_.text("series", name.text); }
  void key(Key key) { builder_.number("key", key.value); }
  void no_key() { builder_.absent("key"); }
  void keys(std::span<const Key> keys) {
    builder_.count("keys_count", keys.size());
    for (const Key key : keys) builder_.number("key_value", key.value);
  }
  void items(std::span<const Item> items, std::string_view, std::uint64_t) { builder_.items(items); }
  void bucket(Bucket bucket) { builder_.number("bucket", bucket.number()); }
  void amount(std::uint64_t value) { builder_.number("value", value); }
  void range(BucketRange range) {
    builder_.number("range_from", range.from.number());
    builder_.number("range_to", range.to.number());
  }
  void granularity_day() {}
  void stream_id(std::string_view id) { builder_.text("stream_id", id); }
  void number(Field field, std::uint64_t number) { builder_.number(name_of(field), number); }

  store::Fingerprint finish() { return builder_.finish(); }

 private:
  store::FingerprintBuilder builder_;
};

template <class C>
store::Fingerprint fingerprint_of(const C& command) {
  Fingerprinter fields(C::kSpec.command);
  C::describe(command, fields);
  return fields.finish();
}

// What tells the command from others of its kind. In the arena.
template <class C>
store::RequestContent content_of(const C& c, Arena& arena) {
  if constexpr (requires { store::CounterChange{c.series.text, c.key, c.bucket, c.value}; }) {
    auto& room = *static_cast<store::RequestContent::Room*>(arena.allocate(sizeof(store::RequestContent::Room), 1));
    if (const auto kept = store::RequestContent::keep({c.series.text, c.key, c.bucket, c.value}, room)) return *kept;
  }
  return *arena.make<store::Fingerprint>(fingerprint_of(c));
}

}  // namespace karma::commands
