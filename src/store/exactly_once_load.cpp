// Reads karma.idempotency.json. Wrong structure is damage: forgetting a record would let a repeat count twice.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/json_values.h"
#include "store/exactly_once.h"

namespace karma::store {
namespace {

using json::Type;
using json::Value;

// One object of the file; `where` says which.
class Object : public json::Object {
 public:
  Object(const Value& object, std::string where) : json::Object(object), where_(std::move(where)) {}

  Status status() const { return ok() ? Status() : internal_error(where_ + " " + fault()); }
  Fingerprint fingerprint(std::string_view name) {
    Fingerprint fingerprint{};
    if (!parse_hex(want(name, Type::string).text, fingerprint)) fail("has no valid " + std::string(name));
    return fingerprint;
  }
  std::int64_t seconds(std::string_view name) {
    const std::int64_t time = signed_number(name);
    if (time < 0) fail("has no valid " + std::string(name));
    return time;
  }

 private:
  std::string where_;
};

// Calls load(element, "name[i]") for each element until it fails.
template <class Load>
Status for_each_element(const Value& array, const std::string& name, Load&& load) {
  Status status;
  std::size_t i = 0;
  json::each_element(array, [&](const Value& element) {
    status = load(element, name + "[" + std::to_string(i++) + "]");
    return status.ok();
  });
  return status;
}

Status load_record(const Value& element, std::string where, Operations operations, IdempotencyRecords& records) {
  Object object(element, std::move(where));
  IdempotencyRecord record;
  const std::string_view key = object.text("key");
  if (key.empty() || key.size() > kMaxIdempotencyKeyBytes) object.fail("has a key of no valid length");
  record.key = records.key(key);
  const Fingerprint fingerprint = object.fingerprint("fingerprint");
  record.content = fingerprint;
  record.created_at = object.seconds("created_at_unix");
  const std::string_view command = object.text("operation");
  const auto found = std::find_if(operations.begin(), operations.end(),
                                  [command](const Operation& operation) { return operation.command == command; });
  if (found != operations.end()) {
    record.operation = static_cast<OperationId>(found - operations.begin() + 1);
    const Value* reply = object.find("response");
    if (reply == nullptr || !found->reply.read(*reply, record.first, record.second))
      object.fail("has a response that \"" + std::string(command) + "\" never gives");
  } else {
    object.fail("has an operation that honours no key");
  }
  if (object.ok()) records.load(record);
  return object.status();
}

// {"1":"<hex>",…}, in any order, without a gap.
void load_chunks(Object& object, ChunkList& chunks) {
  const std::uint64_t last = object.number("last_chunk_seq");
  const Value fingerprints = object.want("chunk_fingerprints", Type::object);
  if (!object.ok()) return;
  std::vector<std::pair<std::uint64_t, Fingerprint>> read;
  bool fits = true;
  json::Reader reader(fingerprints.text);
  reader.read_object([&](const Value& name, const Value& value) {
    json::Reader digits(name.text);
    Value number;
    Fingerprint fingerprint;
    fits = fits && digits.read_value(number) && digits.at_end() && number.type == Type::unsigned_integer &&
           value.type == Type::string && parse_hex(value.text, fingerprint);
    if (fits) read.emplace_back(number.number, fingerprint);
  });
  std::sort(read.begin(), read.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; fits && i < read.size(); ++i) fits = read[i].first == i + 1;
  if (!fits || read.size() != last) return object.fail("has no valid chunk_fingerprints");
  for (const auto& [number, fingerprint] : read) chunks.push_back(fingerprint);
}

// [[key,bucket,value],…], the points of a key one after the other.
class StagedLoader {
 public:
  explicit StagedLoader(Series& series) : series_(series) {}

  bool point(const Value& point) {
    std::uint64_t numbers[3];
    if (json::read_numbers(point, numbers) != 3) return false;
    if (numbers[0] != key_.value && !finish_counter()) return false;
    key_ = Key{numbers[0]};
    points_.push_back({Bucket::of_number(numbers[1]), numbers[2]});
    return true;
  }
  bool finish_counter() {
    const bool fits = series_.load(key_, points_);
    points_.clear();
    return fits;
  }

 private:
  Series& series_;
  Key key_;
  std::vector<Point> points_;
};

void load_staged(Object& object, ActiveStream& stream, std::uint64_t hash_seed) {
  const bool wanted = stream.series && stream.identity->mode == IngestMode::replace_series;
  if (!wanted) return;
  const Value staged = object.want("staged", Type::array);
  if (!object.ok()) return;
  stream.staged.emplace(hash_seed);
  StagedLoader loader(*stream.staged);
  const bool fits = json::each_element(staged, [&](const Value& point) { return loader.point(point); });
  if (!fits || !loader.finish_counter()) object.fail("has no valid staged");
}

// What committed and active streams have in common.
void load_stream(Object& object, Stream& stream) {
  auto* identity = new StreamIdentity;
  stream.identity = Ref<const StreamIdentity>(identity);
  identity->id = object.text("stream_id");
  if (identity->id.empty()) object.fail("has no valid stream_id");
  const std::optional<IngestMode> mode = ingest_mode_of(object.text("mode"));
  if (!mode) object.fail("has no valid mode");
  identity->mode = mode.value_or(IngestMode::add);
  identity->granularity = object.optional_text("granularity");
  stream.series = object.optional_text("series_name");
  load_chunks(object, stream.chunks);
}

Status load_committed(const Value& element, std::string where, IngestStreams& streams) {
  Object object(element, std::move(where));
  CommittedStream stream;
  load_stream(object, stream);
  stream.committed_at = object.seconds("committed_at_unix");
  if (object.ok() && !streams.load(std::move(stream))) object.fail("is there twice");
  return object.status();
}

Status load_active(const Value& element, std::string where, IngestStreams& streams, std::uint64_t hash_seed) {
  Object object(element, std::move(where));
  ActiveStream stream;
  load_stream(object, stream);
  if (stream.series.has_value() != (stream.chunks.size() != 0)) object.fail("has no valid series_name");
  // Files of 1.0, and of 2.0 before it knew them, have neither.
  if (object.find("began_at_unix") != nullptr) stream.began_at = object.seconds("began_at_unix");
  if (object.find("points") != nullptr) stream.points = object.number("points");
  if (object.ok()) load_staged(object, stream, hash_seed);
  if (object.ok() && !streams.load(std::move(stream))) object.fail("is there twice");
  return object.status();
}

}  // namespace

Status ExactlyOnceState::load(std::string_view text, Operations operations) {
  json::Reader reader(text);
  Value root;
  if (!reader.read_value(root) || !reader.at_end())
    return internal_error("it is no JSON: " + std::string(reader.fault()));
  Object object(root, "the file");
  const Value records = object.want("records", Type::array);
  const Value committed = object.want("committed_streams", Type::array);
  // Karma 1.0 writes none.
  const bool has_active = object.find("active_streams") != nullptr;
  const Value active = has_active ? object.want("active_streams", Type::array) : Value();
  if (!object.ok()) return object.status();

  Status status = for_each_element(records, "records", [&](const Value& element, std::string where) {
    return load_record(element, std::move(where), operations, records_);
  });
  if (!status) return status;
  status = for_each_element(committed, "committed_streams", [&](const Value& element, std::string where) {
    return load_committed(element, std::move(where), streams_);
  });
  if (!status || !has_active) return status;
  return for_each_element(active, "active_streams", [&](const Value& element, std::string where) {
    return load_active(element, std::move(where), streams_, hash_seed_);
  });
}

}  // namespace karma::store
