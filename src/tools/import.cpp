// karma import: a file through one ingest stream.
//
// Every chunk has a number and always the same content, and the server counts a number once. So whatever breaks, the
// way on is the same: begin the stream again, which answers how many chunks are in, and send the rest.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <limits>
#include <ostream>

#include <nlohmann/json.hpp>

#include "protocol/limits.h"
#include "store/ingest.h"
#include "tools/commands.h"
#include "tools/import_plan.h"
#include "tools/progress.h"
#include "tools/retry.h"

namespace karma::tools {

using protocol::Ask;
using protocol::converse;
using protocol::Reply;
using protocol::Take;
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;

// A full disk, a log that failed, slaves that are away: the chunk is not in, or not safe, and may be sent again when
// the server can.
bool not_now(const Error& error) {
  return error.code == ErrorCode::internal_error || error.code == ErrorCode::not_confirmed;
}

// What ingest.begin, commit and abort answer.
struct StreamStatus {
  std::string status;
  std::uint64_t last_chunk = 0;
};

Result<StreamStatus> status_of(const Reply& reply) {
  nlohmann::json fields = reply.json();
  if (!fields.is_object() || !fields["status"].is_string())
    return internal_error("the reply about the stream is not understood");
  StreamStatus found{fields["status"], 0};
  // A stream without chunks has no last one.
  if (const nlohmann::json& last = fields["last_chunk_seq"]; last.is_number_unsigned()) found.last_chunk = last;
  return found;
}

PointsOptions points_options(const ImportOptions& options) {
  PointsOptions points = options.points;
  points.zero_allowed = options.mode != "add";
  return points;
}

class Import {
 public:
  Import(const ImportOptions& options, PointsReader::Others others, const Streams& streams)
      : options_(options),
        streams_(streams),
        reader_(points_options(options), options.series, others),
        client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err) {}

  Status run() {
    // A stream that is named needs no file: that may be gone, or another one.
    if (options_.file.empty()) {
      stream_id_ = options_.stream_id;
      return retry_.run([this] { return abort(); });
    }
    Result<std::unique_ptr<File>> file = posix_file_system().open(options_.file, FileSystem::Open::read);
    if (!file) return file.error();
    file_ = std::move(*file);
    if (Status status = check_file(); !status.ok()) return status;
    if (options_.abort) return retry_.run([this] { return abort(); });
    return upload();
  }

 private:
  // The first pass.
  Status check_file() {
    cut_ = Cut::of(static_cast<std::size_t>(options_.chunk_items), static_cast<std::size_t>(options_.max_request_bytes),
                   other_bytes());
    if (cut_.max_bytes == 0) return validation_error("--max-request-bytes leaves no room for a point");
    Result<std::uint64_t> size = file_->size();
    if (!size) return size.error();
    Progress progress(streams_.err, streams_.terminal, "checking " + options_.file, "bytes", *size);
    const auto on_bad_line = [&](std::uint64_t line, const Error& error) {
      progress.clear();
      streams_.err << options_.file << ":" << line << ": " << error.message << "\n";
    };
    Result<ImportPlan> plan =
        plan_import(*file_, reader_, cut_, on_bad_line, [&](std::uint64_t bytes) { progress.at(bytes); });
    if (!plan) return validation_error(plan.error().message + "; nothing was sent");
    if (plan->points == 0) return validation_error(options_.file + " holds no points; nothing was sent");
    if (plan->chunks.size() > store::kMaxChunksPerStream)
      return validation_error("the file would be " + grouped(plan->chunks.size()) +
                              " chunks, of which a stream takes " + grouped(store::kMaxChunksPerStream) +
                              " at most: raise --max-request-bytes, here and at the server; nothing was sent");
    plan_ = std::move(*plan);
    stream_id_ = options_.stream_id.empty() ? stream_id_of(plan_, options_.series, options_.mode) : options_.stream_id;
    return {};
  }

  Status upload() {
    const auto start = std::chrono::steady_clock::now();
    Progress progress(streams_.err, streams_.terminal, "importing " + options_.file, "points", plan_.points);
    progress_ = &progress;
    Status status = retry_.run([this] { return attempt(); });
    progress_ = nullptr;
    progress.clear();
    if (!status.ok()) {
      // Nothing is in, so nothing keeps the stream to a size of chunks that the server does not take.
      if (status.error().code == ErrorCode::request_too_large && next_ == 0) forget_stream();
      return explained(status.error());
    }
    if (already_) {
      streams_.out << options_.file << " is imported into " << options_.series << " already (stream " << stream_id_
                   << "): nothing to do. To count the same content once more give it another --stream-id.\n";
      return {};
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const double rate = static_cast<double>(sent_points_) / std::max(took.count(), 0.001);
    streams_.out << "imported " << plan_.points << " points into " << options_.series << " (" << options_.mode
                 << "): " << sent_points_ << " sent in " << std::fixed << std::setprecision(2) << took.count() << " s, "
                 << static_cast<std::uint64_t>(rate) << " points/s" << std::endl;
    return {};
  }

  void forget_stream() {
    if (Status status = client_.connect(); status.ok()) (void)stream_op("ingest.abort");
  }

  // On a new connection: ask what is in, send the rest, commit.
  Status attempt() {
    if (Status status = begin(); !status.ok() || already_) return status;
    const Ask ask = [this](std::uint64_t chunk, Buffer& line) { return ask_chunk(chunk, line); };
    const Take take = [this](std::uint64_t chunk, const Reply& reply) { return take_chunk(chunk, reply); };
    if (Status status = converse(client_, next_, plan_.chunks.size(), ask, take); !status.ok()) return status;
    return commit();
  }

  Status begin() {
    Result<StreamStatus> stream =
        stream_op("ingest.begin", {{"mode", options_.mode}, {"granularity", granularity_of(plan_, cut_)}});
    if (!stream) return committed_otherwise(stream.error());
    if (stream->last_chunk > plan_.chunks.size())
      return validation_error("stream " + stream_id_ + " holds more chunks than the file has");
    if (stream->status == "already_committed") {
      already_ = !committing_;  // else it is the answer to our own commit that was lost
      next_ = plan_.chunks.size();
      return {};
    }
    if (stream->last_chunk != next_) go_on_behind(stream->last_chunk);
    return {};
  }

  // The id tells the content, so a conflict over a committed stream can only be about the size of chunks.
  Status committed_otherwise(const Error& error) {
    const bool committed = error.message.find("already committed") != std::string::npos;
    if (error.code != ErrorCode::idempotency_conflict || !committed || !options_.stream_id.empty()) return error;
    already_ = true;
    return {};
  }

  void go_on_behind(std::uint64_t last_chunk) {
    // It has forgotten the points together with the chunks, so sending them again is right.
    if (last_chunk < next_)
      notice("the server holds fewer chunks than it has acknowledged; does it run without --wal-fsync?");
    notice("resuming after chunk " + grouped(last_chunk) + " of " + grouped(plan_.chunks.size()));
    next_ = last_chunk;
    points_in_ = 0;
    for (std::uint64_t i = 0; i < last_chunk; ++i) points_in_ += plan_.chunks[i].items;
  }

  Status ask_chunk(std::uint64_t chunk, Buffer& line) {
    begin_chunk(line, stream_id_, chunk + 1);
    if (Status status = append_chunk(*file_, plan_, chunk, reader_, scratch_, line); !status.ok()) return status;
    line.append('}');
    return {};
  }

  Status take_chunk(std::uint64_t chunk, const Reply& reply) {
    if (!reply.success) {
      const Error refused = reply.error();
      if (not_now(refused)) return client_.lose(refused.message);
      return refused;
    }
    sent_points_ += plan_.chunks[chunk].items;
    points_in_ += plan_.chunks[chunk].items;
    progress_->at(points_in_);
    retry_.progress();
    return {};
  }

  Status commit() {
    committing_ = true;
    Result<StreamStatus> stream = stream_op("ingest.commit");
    if (!stream) return stream.error();
    if (stream->last_chunk != plan_.chunks.size())
      return internal_error("the server committed " + grouped(stream->last_chunk) + " chunks of " +
                            grouped(plan_.chunks.size()));
    return {};
  }

  Status abort() {
    Result<StreamStatus> stream = stream_op("ingest.abort");
    if (!stream) return stream.error();
    streams_.out << "aborted stream " << stream_id_ << " after chunk " << stream->last_chunk;
    if (!plan_.chunks.empty()) streams_.out << " of " << plan_.chunks.size();
    if (options_.mode != "replace_series" && stream->last_chunk > 0)
      streams_.out << "; what " << (plan_.chunks.empty() ? "mode add or set" : "it") << " has counted stays";
    streams_.out << "\n";
    return {};
  }

  Result<StreamStatus> stream_op(std::string_view op, Client::Fields fields = Client::Fields::object()) {
    fields["stream_id"] = stream_id_;
    client_.send(op, fields);
    Result<Reply> reply = client_.receive();
    if (!reply) return reply.error();
    if (reply->success) return status_of(*reply);
    const Error refused = reply->error();
    return not_now(refused) ? client_.lose(refused.message) : refused;
  }

  // Up to its items.
  void begin_chunk(Buffer& line, std::string_view stream_id, std::uint64_t number) const {
    client_.begin_request(line, "ingest.chunk",
                          {{"series", options_.series}, {"stream_id", stream_id}, {"chunk_seq", number}});
    line.append(R"(,"items":)");
  }

  // What a chunk's request has besides its items, at most.
  std::size_t other_bytes() const {
    Buffer line;
    begin_chunk(line, options_.stream_id, std::numeric_limits<std::uint64_t>::max());
    constexpr std::size_t kOwnIdAndEnds = 100;
    return line.size() + kOwnIdAndEnds;
  }

  Error explained(Error error) const {
    if (error.code == ErrorCode::request_too_large) {
      error.message +=
          ". The server takes shorter requests than --max-request-bytes=" + std::to_string(options_.max_request_bytes) +
          " here: give it the same value as the server's --max-request-bytes";
    } else if (error.code == ErrorCode::idempotency_conflict) {
      error.message +=
          ". Stream " + stream_id_ +
          " was begun with another content, mode or size of chunks: run it with the options of the first time (or give "
          "it up with --abort, which leaves in place what mode add or set has counted)";
    } else if (client_.lost()) {
      error.message += ". Nothing is lost or counted twice: the same command goes on where this one stopped";
    }
    return error;
  }

  void notice(const std::string& text) {
    if (progress_ != nullptr) progress_->clear();
    streams_.err << "karma: " << text << std::endl;
  }

  const ImportOptions& options_;
  const Streams& streams_;
  PointsReader reader_;
  Client client_;
  Retry retry_;
  std::unique_ptr<File> file_;
  Buffer scratch_;
  Cut cut_;
  ImportPlan plan_;
  std::string stream_id_;
  Progress* progress_ = nullptr;   // while uploading
  std::uint64_t next_ = 0;         // chunk; all before are acknowledged
  std::uint64_t sent_points_ = 0;  // acknowledged in this run
  std::uint64_t points_in_ = 0;    // with those of earlier runs
  bool committing_ = false;
  bool already_ = false;
};

// A stream for each series that the lines name.
Status import_each(const ImportOptions& options, const Streams& streams) {
  const Result<std::unique_ptr<File>> file = posix_file_system().open(options.file, FileSystem::Open::read);
  if (!file) return file.error();
  const Result<std::set<std::string>> names = series_named(**file, options.points);
  if (!names) return validation_error(options.file + ": " + names.error().message + "; nothing was sent");
  if (names->empty()) return validation_error(options.file + " holds no points; nothing was sent");
  for (const std::string& name : *names) {
    ImportOptions one = options;
    one.series = name;
    if (Status status = Import(one, PointsReader::Others::passed_over, streams).run(); !status.ok()) return status;
  }
  return {};
}

}  // namespace

int run_import(const ImportOptions& options, const Streams& streams) {
  const bool each = options.series.empty() && !options.file.empty();
  const Status status =
      each ? import_each(options, streams) : Import(options, PointsReader::Others::refused, streams).run();
  if (status.ok()) return kDone;
  streams.err << "ERROR: " << status.error().message << std::endl;
  return kFailed;
}

}  // namespace karma::tools
