#include "store/exactly_once.h"

#include <gtest/gtest.h>

#include <string>

#include "support/exactly_once_text.h"

namespace karma::store {
namespace {

using test::to_json;

const std::string kHex(64, 'a');

std::string record(std::string_view operation, std::string_view response) {
  return R"({"records":[{"key":"k","operation":")" + std::string(operation) + R"(","fingerprint":")" + kHex +
         R"(","response":)" + std::string(response) + R"(,"created_at_unix":5}],"committed_streams":[]})";
}

std::string load_fault(std::string_view text) {
  ExactlyOnceState exactly_once(7);
  Status status = exactly_once.load(text, commands::operations());
  return status ? "" : status.error().message;
}

TEST(ExactlyOnceState, ReadsAndWritesTheFileOfKarmaOne) {
  const std::string file =
      R"({"records":[{"key":"k1","operation":"increment","fingerprint":")" + kHex +
      R"(","response":5,"created_at_unix":1795332076}],"committed_streams":[{"stream_id":"r","mode":"replace_series",)"
      R"("granularity":"day","series_name":"rep","last_chunk_seq":1,"begin_fingerprint":)"
      R"("a8f2f0bb6cd80f7e64e1b17eb7235d2d776fc41cec9943ec90d5d33d9cc16fae","chunk_fingerprints":{"1":")" +
      kHex + R"("},"committed_at_unix":1795332147}]})";
  ExactlyOnceState exactly_once(7);
  ASSERT_EQ(load_fault(file), "");
  ASSERT_TRUE(exactly_once.load(file, commands::operations()).ok());
  exactly_once.check_invariants();
  EXPECT_EQ(exactly_once.records().find(exactly_once.records().key("k1"))->first, 5u);
  EXPECT_EQ(exactly_once.streams().committed("r")->series, "rep");
  EXPECT_EQ(to_json(exactly_once.view()), file);
}

TEST(ExactlyOnceState, AnEmptyOneIsWhatKarmaOneWrites) {
  EXPECT_EQ(to_json(ExactlyOnceState(7).view()), R"({"records":[],"committed_streams":[]})");
}

TEST(ExactlyOnceState, ReadsTheResponseOfEveryOperationAndWritesItBack) {
  for (const auto& [operation, response] : {
           std::pair{"increment", "18446744073709551615"},
           {"decrement", "0"},
           {"batch_add", R"({"applied":2,"total":18446744073709551614})"},
           {"batch_set", R"({"applied":3})"},
           {"reset", R"("OK")"},
           {"batch_reset", R"({"reset":1,"missing":2})"},
           {"delete", "true"},
           {"batch_delete_range", R"({"deleted":1,"missing":0})"},
       }) {
    ExactlyOnceState exactly_once(7);
    const std::string file = record(operation, response);
    ASSERT_TRUE(exactly_once.load(file, commands::operations()).ok()) << operation;
    EXPECT_EQ(to_json(exactly_once.view()), file);
  }
}

TEST(ExactlyOnceState, RefusesResponsesThatAnOperationNeverGives) {
  for (const auto& [operation, response] : {
           std::pair{"increment", "\"5\""},
           {"increment", "-5"},
           {"batch_add", R"({"applied":2})"},
           {"batch_set", R"({"applied":3,"total":4})"},
           {"batch_reset", R"({"reset":1,"missing":"2"})"},
           {"reset", R"("ok")"},
           {"delete", "false"},
           {"drop", R"("OK")"},
       }) {
    EXPECT_NE(load_fault(record(operation, response)).find("records[0]"), std::string::npos) << operation << response;
  }
}

TEST(ExactlyOnceState, RefusesWrongStructureAndSaysWhere) {
  EXPECT_NE(load_fault(""), "");
  EXPECT_NE(load_fault("{}"), "");
  EXPECT_NE(load_fault(R"({"records":[]})"), "");
  EXPECT_NE(load_fault(R"({"records":{},"committed_streams":[]})"), "");
  EXPECT_NE(load_fault(R"({"records":[],"committed_streams":[]} x)"), "");
  EXPECT_NE(load_fault(R"({"records":[5],"committed_streams":[]})").find("records[0]"), std::string::npos);
  const std::string head = R"({"records":[],"committed_streams":[],"active_streams":[{"stream_id":"x",)";
  const std::string good =
      R"("mode":"replace_series","last_chunk_seq":1,"series_name":"s","chunk_fingerprints":{"1":")" + kHex +
      R"("},"staged":)";
  EXPECT_EQ(load_fault(head + good + "[[1,20260101,5],[1,20260102,5],[2,20260101,1]]}]}"), "");
  EXPECT_NE(load_fault(head + good + "[[1,20260102,5],[1,20260101,5]]}]}"), "");
  EXPECT_NE(load_fault(head + good + "[[1,20260102]]}]}"), "");
  EXPECT_NE(load_fault(head + good + "[[1,20260102,0]]}]}"), "");
  EXPECT_NE(load_fault(head + good + "[[1,20260102,1,1]]}]}"), "");
  EXPECT_NE(load_fault(head + good + "5}]}"), "");
  EXPECT_NE(load_fault(head + R"("mode":"add","last_chunk_seq":1,"chunk_fingerprints":{}}]})"), "");
  EXPECT_NE(load_fault(head + R"("mode":"add","last_chunk_seq":1,"series_name":"s","chunk_fingerprints":{"2":")" +
                       kHex + R"("}}]})"),
            "");
  EXPECT_NE(load_fault(head + R"("mode":"sub","last_chunk_seq":0,"chunk_fingerprints":{}}]})"), "");
  const std::string empty = R"("mode":"add","last_chunk_seq":0,"chunk_fingerprints":{}})";
  EXPECT_EQ(load_fault(head + empty + "]}"), "");
  EXPECT_NE(load_fault(head + empty + R"(,{"stream_id":"x",)" + empty + "]}"), "");
}

TEST(ExactlyOnceState, PassesOverFieldsThatItDoesNotKnow) {
  EXPECT_EQ(load_fault(R"({"more":[1],"records":[{"x":{"y":1},"key":"\u006b","operation":"reset","fingerprint":")" +
                       kHex + R"(","response":"OK","created_at_unix":1}],"committed_streams":[]})"),
            "");
}

TEST(ExactlyOnceState, ActiveStreamsSurviveAsText) {
  const Bucket day = Bucket::of_number(20260101);
  ExactlyOnceState exactly_once(7);
  IngestStreams& streams = exactly_once.streams();
  streams.begin("add \"1\"", IngestMode::add, {});
  streams.begin("replace", IngestMode::replace_series, "day");
  streams.add_chunk("replace", "s\n", sha256("1"),
                    std::vector<Item>{{Key{9}, day, 5}, {Key{1}, Bucket::of_number(7), UINT64_MAX}});
  streams.add_chunk("replace", "s\n", sha256("2"), {});
  const std::string text = to_json(exactly_once.view());

  ExactlyOnceState other(8);
  ASSERT_TRUE(other.load(text, commands::operations()).ok());
  other.check_invariants();
  const ActiveStream* stream = other.streams().active("replace");
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->series, "s\n");
  EXPECT_EQ(stream->chunks.size(), 2u);
  EXPECT_EQ(stream->staged->total(Key{1}), UINT64_MAX);
  EXPECT_EQ(stream->staged->sum(Key{9}, {day, day}), 5u);
  EXPECT_EQ(other.streams().staged_points(), 2u);
  ASSERT_NE(other.streams().active("add \"1\""), nullptr);
  EXPECT_FALSE(other.streams().active("add \"1\"")->identity->granularity);
}

TEST(ExactlyOnceState, GoesOutInPiecesAndStopsAtAnError) {
  ExactlyOnceState exactly_once(7);
  for (int i = 0; i < 5000; ++i)
    exactly_once.records().remember(
        {.key = exactly_once.records().key("key-" + std::to_string(i)), .content = {}, .created_at = 1});
  std::size_t pieces = 0;
  const Status status = exactly_once.view().write_json(commands::operations(), [&](std::string_view piece) -> Status {
    EXPECT_LT(piece.size(), 100u * 1024);
    return ++pieces == 3 ? Status(internal_error("full")) : Status();
  });
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(pieces, 3u);
}

}  // namespace
}  // namespace karma::store
