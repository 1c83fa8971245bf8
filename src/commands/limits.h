// The bounds of requests, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace karma::commands {

inline constexpr std::size_t kMaxBatchItems = 10000;   // keys or items of one request
inline constexpr std::int32_t kMaxRangeDays = 366;     // days between both ends of a range
inline constexpr std::uint64_t kMaxKeysLimit = 10000;  // tree.keys
inline constexpr std::uint64_t kDefaultKeysLimit = 100;
inline constexpr std::uint64_t kMaxTopLimit = 1000;  // tree.top
inline constexpr std::uint64_t kDefaultTopLimit = 50;
inline constexpr std::uint64_t kMaxChunkBytes = 524288;  // snapshot.fetch_chunk
inline constexpr std::uint64_t kDefaultChunkBytes = 262144;
inline constexpr std::uint64_t kMaxEntriesLimit = 10000;  // replication.entries
inline constexpr std::uint64_t kDefaultEntriesLimit = 1000;
inline constexpr std::size_t kMaxStreamIdBytes = 1024;  // ingest.*, granularity likewise
inline constexpr std::size_t kMaxFingerprintBytes = 512;
inline constexpr std::uint64_t kMaxPruneLimit = 100000;  // idempotency.prune
inline constexpr std::uint64_t kInlineScanKeys = 2000;   // longer reads of a series go to a worker thread

}  // namespace karma::commands
