// The bounds of requests, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace karma::protocol {

inline constexpr std::size_t kMaxBatchItems = 10000;   // keys or items of one request
inline constexpr std::int32_t kMaxRangeDays = 366;     // days between both ends of a range
inline constexpr std::size_t kMaxRanges = 16;          // of one request; times its keys at most kMaxBatchItems
inline constexpr std::uint64_t kMaxKeysLimit = 10000;  // tree.keys
inline constexpr std::uint64_t kDefaultKeysLimit = 100;
inline constexpr std::uint64_t kMaxTopLimit = 1000;  // tree.top
inline constexpr std::uint64_t kDefaultTopLimit = 50;
inline constexpr std::uint64_t kMaxChunkBytes = 524288;  // snapshot.fetch_chunk
inline constexpr std::uint64_t kDefaultChunkBytes = 262144;
inline constexpr std::uint64_t kMaxEntriesLimit = 10000;  // replication.entries
inline constexpr std::uint64_t kDefaultEntriesLimit = 1000;
inline constexpr std::uint64_t kMaxWaitMs = 10000;        // replication.entries and a read wait no longer
inline constexpr std::uint64_t kDefaultWaitMs = 1000;     // of a read with min_lsn
inline constexpr std::size_t kReplyEnvelopeBytes = 96;    // around a response, at most
inline constexpr std::size_t kMaxIdBytes = 64;            // of a request that is a string
inline constexpr std::size_t kMaxStreamIdBytes = 1024;    // ingest.*, granularity likewise
inline constexpr std::size_t kMaxCheckpointBytes = 1024;  // source, offset and event_id of recovery.checkpoint, each
inline constexpr std::uint64_t kMaxListLimit = 1000;      // ingest.status, recovery.status
inline constexpr std::uint64_t kDefaultListLimit = 100;
inline constexpr std::size_t kMaxFingerprintBytes = 512;
inline constexpr std::uint64_t kMaxPruneLimit = 100000;  // idempotency.prune
// Its `before` is a moment that has passed, or one from here on: "all", as clients of 1.0 say it.
inline constexpr std::int64_t kFirstSecondOfAllTime = 29348006400;  // 2900-01-01
inline constexpr std::int64_t kLastSecond = 253402300799;           // 9999-12-31T23:59:59Z

}  // namespace karma::protocol
