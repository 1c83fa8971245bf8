// karma import: each file through one ingest stream.
//
// Every chunk has a number and always the same content, and the server counts a number once. So whatever breaks, the
// way on is the same: begin the stream again, which answers how many chunks are in, and send the rest.
//
// A stream that is committed is done for mode add, unless its series was dropped since. set and replace_series promise
// something else: when the command ends, the file's days, or the series, are what the file says. There each run is a
// new stream, a repetition, whose id is that of the first with random digits behind it; one that was interrupted is
// found among the active streams and goes on.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <limits>
#include <ostream>
#include <random>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "protocol/limits.h"
#include "store/ingest.h"
#include "tools/commands.h"
#include "tools/import_plan.h"
#include "tools/input_file.h"
#include "tools/overflow.h"
#include "tools/progress.h"
#include "tools/retry.h"
#include "tools/terminal.h"
#include "tools/wrong_lines.h"

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

// What the reply calls a committed stream.
constexpr std::string_view kCommitted = "already_committed";

class Import {
 public:
  Import(const ImportOptions& options, std::string path, PointsReader::Others others, const Streams& streams)
      : options_(options),
        streams_(streams),
        path_(std::move(path)),
        name_(shown_name(path_)),
        reader_(points_options(options), options.series, others),
        client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err) {}

  // A stream that is named needs no file: that may be gone, or another one.
  Status abort_named() {
    stream_id_ = options_.stream_id;
    return retry_.run([this] { return abort(); });
  }

  Status run(const File& file) {
    file_ = &file;
    if (Status status = check_file(); !status.ok()) return status;
    if (options_.abort) return retry_.run([this] { return abort(); });
    if (options_.check) return tell_what_would_be_sent();
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
    Progress progress(streams_.err, streams_.terminal, "checking " + name_, "bytes", *size);
    WrongLines wrong(name_, options_.skips && !options_.check ? rejects() : "");
    Result<ImportPlan> plan = plan_import(
        *file_, reader_, cut_, options_.skips, [&](const WrongLine& line) { wrong.add(line, reader_.header()); },
        [&](std::uint64_t bytes) { progress.at(bytes); });
    progress.clear();
    wrong.tell(streams_.err);
    if (!plan) {
      const std::string count = wrong.count() == 0 ? "" : name_ + ": " + count_of(wrong.count(), "wrong line") + "; ";
      return nothing_sent(count + plan.error().message);
    }
    if (Status status = wrong.finish(); !status.ok()) return nothing_sent(status.error().message);
    if (wrong.count() > 0)
      streams_.err << "karma: " << count_of(wrong.count(), "wrong line") << " of " << name_ << " left out"
                   << (options_.check ? "" : ", see " + shown_name(rejects())) << std::endl;
    if (plan->points == 0) return nothing_sent(name_ + " holds no points");
    if (plan->chunks.size() > store::kMaxChunksPerStream)
      return nothing_sent("the file would be " + grouped(plan->chunks.size()) + " chunks, of which a stream takes " +
                          grouped(store::kMaxChunksPerStream) +
                          " at most: raise --max-request-bytes, here and at the server");
    plan_ = std::move(*plan);
    stream_id_ = options_.stream_id.empty() ? stream_id_of(plan_, options_.series, options_.mode) : options_.stream_id;
    return options_.abort ? Status() : check_overflow();
  }

  Status check_overflow() {
    if (plan_.sum <= std::numeric_limits<std::uint64_t>::max()) return {};
    const Result<std::optional<OverflowPlace>> found = find_overflow(*file_, reader_, options_.mode != "add");
    if (!found) return found.error();
    if (!*found) return {};
    return nothing_sent(name_ + ":" + std::to_string((*found)->line) + ": with this line the values of key " +
                        std::to_string((*found)->key.value) +
                        " add up to more than 18446744073709551615, where counters end");
  }

  static std::string count_of(std::uint64_t count, std::string_view what) {
    return grouped(count) + " " + std::string(what) + (count == 1 ? "" : "s");
  }
  static Error nothing_sent(const std::string& why) { return validation_error(why + "; nothing was sent"); }
  std::string rejects() const { return options_.rejects.empty() ? path_ + ".rejects" : options_.rejects; }

  Status tell_what_would_be_sent() {
    const auto wide = [](unsigned __int128 number) {
      const auto limit = std::numeric_limits<std::uint64_t>::max();
      return number > limit ? "more than " + std::to_string(limit) : std::to_string(static_cast<std::uint64_t>(number));
    };
    streams_.out << name_ << ": " << reader_.form() << "; " << count_of(plan_.points, "point") << ", "
                 << wide(plan_.sum) << " in all, of the days from " << plan_.first_day.number() << " to "
                 << plan_.last_day.number() << "\nwould be sent into " << options_.series << " (" << options_.mode
                 << ") in " << count_of(plan_.chunks.size(), "chunk") << " as stream " << stream_id_
                 << "; nothing was sent" << std::endl;
    return {};
  }

  Status upload() {
    const auto start = std::chrono::steady_clock::now();
    Progress progress(streams_.err, streams_.terminal, "importing " + name_, "points", plan_.points);
    progress_ = &progress;
    Status status = retry_.run([this] { return attempt(); });
    progress_ = nullptr;
    progress.clear();
    if (!status.ok()) return explained(status.error());
    if (already_) {
      streams_.out << name_ << " is imported into " << options_.series << " already (stream " << stream_id_
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

  // On a new connection: ask what is in, send the rest, commit.
  Status attempt() {
    if (Status status = begin(); !status.ok() || already_) return status;
    const Ask ask = [this](std::uint64_t chunk, Buffer& line) { return ask_chunk(chunk, line); };
    const Take take = [this](std::uint64_t chunk, const Reply& reply) { return take_chunk(chunk, reply); };
    if (Status status = converse(client_, next_, plan_.chunks.size(), ask, take); !status.ok()) return status;
    return commit();
  }

  Status begin() {
    Result<StreamStatus> stream = begin_stream();
    if (!stream) return stream.error();
    if (stream->status == kCommitted && !committing_) {
      stream = repeat();
      if (!stream || already_) return stream ? Status() : stream.error();
    }
    if (stream->last_chunk > plan_.chunks.size())
      return validation_error("stream " + stream_id_ + " holds more chunks than the file has");
    begun_ = true;
    if (stream->status == kCommitted) {
      next_ = plan_.chunks.size();  // it is the answer to our own commit that was lost
      return {};
    }
    if (stream->last_chunk != next_) go_on_behind(stream->last_chunk);
    return {};
  }

  Result<StreamStatus> begin_stream() {
    Result<StreamStatus> stream =
        stream_op("ingest.begin", {{"mode", options_.mode}, {"granularity", granularity_of(plan_, cut_)}});
    if (stream) return stream;
    // The id tells the content, so a conflict over a committed stream can only be about the size of chunks.
    const bool committed = stream.error().message.find("already committed") != std::string::npos;
    if (stream.error().code == ErrorCode::idempotency_conflict && committed && options_.stream_id.empty())
      return StreamStatus{std::string(kCommitted), 0};
    return stream;
  }

  // The stream is committed. Is it already_ done, or done again, by which stream?
  Result<StreamStatus> repeat() {
    if (!options_.stream_id.empty()) return already_ = true, StreamStatus();
    const std::string first = stream_id_;
    Result<std::optional<std::string>> active = unfinished_repetition(first);
    if (!active) return active.error();
    if (!*active && options_.mode == "add") {
      Result<bool> gone = series_is_gone();
      if (!gone) return gone.error();
      if (!*gone) return already_ = true, StreamStatus();
      notice(options_.series + " was dropped since " + name_ + " was imported: it is imported again");
    }
    stream_id_ = *active ? **active : repetition_of(first);
    return begin_stream();
  }

  static std::string repetition_of(const std::string& first) {
    std::random_device device;
    std::string id = first + ".";
    for (int digit = 0; digit < 16; ++digit) id += kHexDigits[device() % 16];
    return id;
  }

  Result<std::optional<std::string>> unfinished_repetition(const std::string& first) {
    Result<nlohmann::json> found = read("ingest.status", {{"cursor", first}, {"limit", 1}});
    // An older server cannot tell. Only of mode add that matters.
    if (!found && found.error().code == ErrorCode::unknown_command && options_.mode != "add")
      return std::optional<std::string>();
    if (!found) return found.error();
    const nlohmann::json& streams = (*found)["streams"];
    if (!streams.is_array() || streams.empty() || !streams[0]["stream_id"].is_string())
      return std::optional<std::string>();
    std::string id = streams[0]["stream_id"];
    return id.starts_with(first + ".") ? std::optional(std::move(id)) : std::optional<std::string>();
  }

  // Of mode add. It holds at least what the file has, unless somebody has taken it away.
  Result<bool> series_is_gone() {
    Result<nlohmann::json> found = read("tree.summary", {{"series", options_.series}});
    if (!found && found.error().code == ErrorCode::not_found) return true;
    if (!found) return found.error();
    const nlohmann::json& total = (*found)["total"];
    if (!total.is_number_unsigned() || total.get<std::uint64_t>() >= plan_.sum || found->value("saturated", false))
      return false;
    return validation_error(
        name_ + " was imported into " + options_.series + " before (stream " + stream_id_ + "), but that holds only " +
        std::to_string(total.get<std::uint64_t>()) +
        " in all now, less than the file: it was dropped or replaced, or days were deleted. If the file is "
        "to be counted again, name the stream anew: --stream-id=" +
        stream_id_ + ".2");
  }

  // A read on the connection of the stream.
  Result<nlohmann::json> read(std::string_view op, const Client::Fields& fields) {
    client_.send(op, fields);
    Result<Reply> reply = client_.receive();
    if (!reply) return reply.error();
    if (!reply->success) return reply->error();
    nlohmann::json found = reply->json();
    if (!found.is_object()) return internal_error("the reply to " + std::string(op) + " is not understood");
    return found;
  }

  void go_on_behind(std::uint64_t last_chunk) {
    // It has forgotten the points together with the chunks, so sending them again is right.
    if (last_chunk < next_)
      notice("the server holds fewer chunks than it has acknowledged; does it run without --wal-fsync?");
    notice("resuming after chunk " + grouped(last_chunk) + " of " + grouped(plan_.chunks.size()) +
           (options_.mode == "set" && sent_points_ == 0 ? "; what those before it have set is not set again" : ""));
    go_to(last_chunk);
    if (progress_ != nullptr && sent_points_ == 0) progress_->from(points_in_);
  }

  void go_to(std::uint64_t chunk) {
    next_ = std::min<std::uint64_t>(chunk, plan_.chunks.size());
    points_in_ = 0;
    for (std::uint64_t i = 0; i < next_; ++i) points_in_ += plan_.chunks[i].items;
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
      refused_ = chunk;
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
    if (!stream && stream.error().code == ErrorCode::not_found && options_.stream_id.empty()) {
      const Result<std::optional<std::string>> repetition = unfinished_repetition(stream_id_);
      if (repetition && *repetition) {
        stream_id_ = **repetition;
        stream = stream_op("ingest.abort");
      }
    }
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

  // What the stream is left as, and how to go on.
  Error explained(Error error) {
    if (refused_) error.message = place_of(*refused_, error.message) + ": " + error.message;
    if (error.code == ErrorCode::request_too_large) {
      error.message +=
          ". The server takes shorter requests than --max-request-bytes=" + std::to_string(options_.max_request_bytes) +
          " here: give it the same value as the server's --max-request-bytes";
    } else if (error.code == ErrorCode::idempotency_conflict) {
      error.message +=
          ". Stream " + stream_id_ +
          " was begun with another content, mode or size of chunks: run it with the options of the first time (or give "
          "it up with --abort, which leaves in place what mode add or set has counted)";
      return error;
    }
    if (client_.lost()) {
      error.message += ". Nothing is lost or counted twice: the same command goes on where this one stopped";
    } else if (begun_) {
      error.message += left_behind(error.message.find(kFileChanged) != std::string::npos);
    }
    return error;
  }

  // Nothing stays open that nobody needs.
  std::string left_behind(bool file_changed) {
    const std::string give_up = "karma import --abort --stream-id=" + stream_id_;
    const bool staged = options_.mode == "replace_series";
    if (const Status connected = client_.connect(); !connected.ok())
      return "; its stream is open: give it up with " + give_up;
    // Of what was under way when it failed some may be in.
    if (const Result<StreamStatus> now = begin_stream(); now && !staged) go_to(now->last_chunk);
    if (next_ == 0 || staged) {
      const Result<StreamStatus> gone = stream_op("ingest.abort");
      if (!gone) return "; its stream is open: give it up with " + give_up;
      if (gone->last_chunk == 0 || staged) return "; nothing was counted";
      go_to(gone->last_chunk);
      return "; " + grouped(points_in_) + " points before it are counted, and its stream is given up";
    }
    const std::string counted = "; " + grouped(points_in_) + " points before it are counted";
    if (file_changed) return counted + ", and its stream is open: " + give_up + " gives it up";
    return counted + ". Once it is mended at the server, the same command goes on there; " + give_up +
           " gives the rest up";
  }

  // The line that the server's message is about, or the first of the chunk.
  std::string place_of(std::uint64_t chunk, const std::string& message) {
    const auto number_after = [&](std::string_view word) -> std::optional<std::uint64_t> {
      const std::size_t at = message.find(word);
      if (at == std::string::npos) return std::nullopt;
      const std::string_view rest = std::string_view(message).substr(at + word.size());
      return parse_number<std::uint64_t>(rest.substr(0, rest.find_first_not_of("0123456789")));
    };
    const auto key = number_after("key=");
    const auto bucket = number_after("bucket=");
    std::optional<Item> item;
    if (key && bucket) item = Item{{*key}, Bucket::of_number(*bucket), 0};
    const Result<std::uint64_t> line = line_of(*file_, plan_, chunk, reader_, item);
    if (!line) return name_;
    return name_ + ":" + std::to_string(*line) + (item ? "" : " (or after it)");
  }

  void notice(const std::string& text) {
    if (progress_ != nullptr) progress_->clear();
    streams_.err << "karma: " << text << std::endl;
  }

  const ImportOptions& options_;
  const Streams& streams_;
  const std::string path_;
  const std::string name_;  // for messages
  PointsReader reader_;
  Client client_;
  Retry retry_;
  const File* file_ = nullptr;
  Buffer scratch_;
  Cut cut_;
  ImportPlan plan_;
  std::string stream_id_;
  Progress* progress_ = nullptr;          // while uploading
  std::uint64_t next_ = 0;                // chunk; all before are acknowledged
  std::uint64_t sent_points_ = 0;         // acknowledged in this run
  std::uint64_t points_in_ = 0;           // with those of earlier runs
  std::optional<std::uint64_t> refused_;  // chunk
  bool begun_ = false;                    // in this run
  bool committing_ = false;
  bool already_ = false;
};

// A stream for each series that the lines name.
Status import_each(const ImportOptions& options, const std::string& path, const File& file, const Streams& streams) {
  const Result<std::set<std::string>> names = series_named(file, options.points);
  const std::string name = shown_name(path);
  if (!names) return validation_error(name + ": " + names.error().message + "; nothing was sent");
  if (names->empty()) return validation_error(name + " holds no points; nothing was sent");
  for (const std::string& series : *names) {
    ImportOptions one = options;
    one.series = series;
    Import import(one, path, PointsReader::Others::passed_over, streams);
    if (Status status = import.run(file); !status.ok()) return status;
  }
  return {};
}

Status import_file(const ImportOptions& options, const std::string& path, const Streams& streams) {
  const Result<std::unique_ptr<File>> file =
      open_input(path, [&](const std::string& text) { streams.err << "karma: " << text << std::endl; });
  if (!file) return validation_error(file.error().message + "; nothing was sent");
  if (options.series.empty()) return import_each(options, path, **file, streams);
  return Import(options, path, PointsReader::Others::refused, streams).run(**file);
}

std::string names_of(std::span<const std::string> paths) {
  std::string names;
  for (const std::string& path : paths) names += (names.empty() ? "" : ", ") + shown_name(path);
  return names;
}

}  // namespace

int run_import(const ImportOptions& options, const Streams& streams) {
  const std::span<const std::string> files = options.files;
  Status status;
  std::size_t done = 0;
  if (files.empty()) status = Import(options, "", PointsReader::Others::refused, streams).abort_named();
  while (status.ok() && done < files.size()) {
    status = import_file(options, files[done], streams);
    if (status.ok()) ++done;
  }
  if (status.ok()) return kDone;
  streams.err << "ERROR: " << printable(status.error().message) << std::endl;
  if (files.size() > 1) {
    const std::string before = done == 0 ? "none" : names_of(files.first(done));
    const std::string after = done + 1 == files.size() ? "none" : names_of(files.subspan(done + 1));
    streams.err << "karma: of the files " << (options.abort || options.check ? "done" : "in") << ": " << before
                << "; stopped at " << shown_name(files[done]) << "; not begun: " << after
                << ". The same command goes on there: what is in is not counted again." << std::endl;
  }
  return kFailed;
}

}  // namespace karma::tools
