// Reads a whole series from a node, page by page, with what the protocol offers: points of many keys; or, where the
// node does not know tree.points, keys with their totals, and the points of one key in at most 367 days. Reads that a
// lost connection interrupted are asked again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <karma/error.h>
#include <karma/types.h>

#include "protocol/client.h"
#include "tools/retry.h"

namespace karma::tools {

using protocol::Ask;
using protocol::Client;
using protocol::Reply;
using protocol::Take;

struct KeyTotal {
  Key key;
  std::uint64_t total = 0;
};

struct KeyPage {
  std::vector<KeyTotal> keys;  // ascending
  std::optional<Key> next;     // cursor of the next page
};

struct PointPage {
  std::vector<Item> points;  // by key and bucket; of each key all or none
  std::optional<Key> next;
};

inline bool by_key_and_bucket(const Item& a, const Item& b) {
  return a.key != b.key ? a.key < b.key : a.bucket < b.bucket;
}

// Not thread-safe.
class SeriesSource {
 public:
  SeriesSource(Client& client, Retry& retry, std::string series);

  Result<KeyPage> keys(std::optional<Key> cursor);
  // Refused with unknown_command by older nodes, and with response_too_large where one key has too many points.
  // The page that follows is asked for ahead: `cursor` is best the last page's `next`.
  Result<PointPage> point_page(std::optional<Key> cursor);
  Result<std::uint64_t> total(Key key);
  // The parts of the range that hold points, each short enough for points(), ascending.
  Result<std::vector<BucketRange>> windows(BucketRange range);
  // All points of these keys in these windows, by key and bucket.
  Result<std::vector<Item>> points(std::span<const Key> keys, std::span<const BucketRange> windows);

 private:
  Status append(Buffer& line, std::string_view op, Client::Fields fields) const;
  Status ask_all(std::uint64_t count, const Ask& ask, const Take& take);
  template <class Value, class Parse>
  Result<Value> ask_one(std::string_view op, const Client::Fields& fields, Parse&& parse);
  void ask_point_page(std::optional<Key> cursor);
  void forget_asked_ahead();

  Client& client_;
  Retry& retry_;
  const std::string series_;
  std::optional<Key> asked_ahead_;  // cursor of a page that was asked for on the connection that is open
};

}  // namespace karma::tools
