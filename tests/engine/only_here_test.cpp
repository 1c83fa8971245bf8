// What only the copy had that gave way to a master's data: which entries are counted by an import, and which are not.
#include "engine/only_here.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "engine/engine.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using json = nlohmann::json;
using test::CrashableFileSystem;

// A node of which the inside can be looked at.
class OpenNode {
 public:
  OpenNode(FileSystem& files, const std::string& directory) {
    config_ = test::test_config();
    config_.directory = directory;
    Result<std::unique_ptr<Engine>> opened = Engine::open(config_, files, clock_, log_);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    client_ = std::make_unique<test::Client>(*engine_, config_);
  }
  ~OpenNode() {
    client_.reset();
    engine_.reset();
  }
  void expect(const std::string& op, json fields = json::object()) {
    fields["v"] = 2;
    fields["op"] = op;
    const std::string reply = client_->ask(fields.dump());
    EXPECT_TRUE(test::succeeded(reply)) << reply;
  }
  Engine& engine() { return *engine_; }

 private:
  Config config_;
  test::ManualClock clock_;
  EventLog log_{clock_, false};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<test::Client> client_;
};

const json kPoint = {{"series", "s"}, {"key", 1}, {"bucket", 20260505}, {"value", 3}};

json with(json fields, const json& more) {
  fields.update(more);
  return fields;
}

json chunk(const std::string& stream, int number, int key) {
  return {{"stream_id", stream}, {"series", "s"}, {"chunk_seq", number}, {"items", {{key, 20260505, 10}}}};
}

class OnlyHereTest : public testing::Test {
 protected:
  static constexpr const char* kDirectory = "data";

  // The copy: what `write` does after the entries that both have.
  template <class Common, class Write>
  void make_copy(Common&& common, Write&& write) {
    ASSERT_TRUE(files_.create_directories("data").ok());
    {
      OpenNode node(files_, "made");
      common(node);
      fork_ = node.engine().position();
      write(node);
      last_ = node.engine().position();
      history_ = node.engine().history();
    }
    copy_ = "diverged-" + history_.epochs().back().id + "-" + std::to_string(last_.value);
    const std::string path = std::string(kDirectory) + "/" + copy_;
    const Result<std::vector<std::string>> names = files_.list("made");
    ASSERT_TRUE(names.ok());
    for (const std::string& name : *names) files_.edit(path + "/" + name, *files_.content("made/" + name));
    std::vector<Epoch> epochs = history_.epochs();
    epochs.push_back({std::string(32, 'd'), fork_.next(), 2});
    present_history_ = History(std::move(epochs));
  }
  Result<std::optional<OnlyHere>> write(OpenNode& present, FileSystem& files) {
    const Present now{present_history_, present.engine().store(), present.engine().store().lock().add_reader(), 0};
    return write_only_here(files, kDirectory, copy_, now, {});
  }
  std::vector<json> lines(CrashableFileSystem& files, std::string_view name) const {
    std::vector<json> found;
    const std::optional<std::string> text =
        files.content(std::string(kDirectory) + "/" + copy_ + "/" + std::string(name));
    EXPECT_TRUE(text.has_value()) << name;
    std::istringstream stream(text.value_or(""));
    for (std::string line; std::getline(stream, line);) found.push_back(json::parse(line));
    return found;
  }

  CrashableFileSystem files_;
  std::string copy_;
  History history_;
  History present_history_;
  Lsn fork_;
  Lsn last_;
};

TEST_F(OnlyHereTest, AdditionsAfterTheForkAreForAnImportAndTheRestIsForPeople) {
  make_copy([](OpenNode& node) { node.expect("counter.increment", kPoint); },
            [](OpenNode& node) {
              node.expect("counter.increment", kPoint);  // 2
              node.expect("series.batch_add", {{"series", "t"}, {"items", {{7, 20260506, 1}, {8, 20260507, 2}}}});
              node.expect("counter.decrement", kPoint);                                       // 4
              node.expect("counter.increment", with(kPoint, {{"idempotency_key", "here"}}));  // 5
              node.expect("counter.increment", with(kPoint, {{"idempotency_key", "both"}}));  // 6
              node.expect("tree.drop", {{"series", "t"}});                                    // 7
            });
  OpenNode present(files_, "present");
  present.expect("counter.increment", with(kPoint, {{"idempotency_key", "both"}}));
  const Result<std::optional<OnlyHere>> written = write(present, files_);
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ((*written)->fork, Lsn{1});
  EXPECT_EQ((*written)->last, Lsn{7});
  EXPECT_EQ((*written)->points, 4U);
  EXPECT_EQ((*written)->rest, 3U);
  const json line = with(kPoint, {{"lsn", 2}});
  EXPECT_EQ(lines(files_, kOnlyHereName),
            (std::vector<json>{line,
                               {{"series", "t"}, {"key", 7}, {"bucket", 20260506}, {"value", 1}, {"lsn", 3}},
                               {{"series", "t"}, {"key", 8}, {"bucket", 20260507}, {"value", 2}, {"lsn", 3}},
                               with(line, {{"lsn", 5}})}));
  const std::vector<json> rest = lines(files_, kOnlyHereRestName);
  ASSERT_EQ(rest.size(), 3U);
  EXPECT_EQ(rest[0]["lsn"], 4);
  EXPECT_EQ(rest[0]["why"], "not an addition");
  EXPECT_EQ(rest[0]["entry"]["op"], "counter.decrement");
  EXPECT_EQ(rest[1]["why"], "its idempotency key is known to the master");
  EXPECT_EQ(rest[1]["entry"]["idempotency_key"], "both");
  EXPECT_EQ(rest[2]["entry"]["op"], "tree.drop");
  EXPECT_FALSE((*write(present, files_)).has_value()) << "once only";
}

TEST_F(OnlyHereTest, ChunksOfAStreamCountAsTheMasterKnowsThem) {
  const auto begin = [](OpenNode& node, const std::string& id, const char* mode = "add") {
    node.expect("ingest.begin", {{"stream_id", id}, {"mode", mode}});
  };
  make_copy(
      [&](OpenNode& node) {
        begin(node, "open");
        begin(node, "forgotten");
      },
      [&](OpenNode& node) {
        begin(node, "new");
        node.expect("ingest.chunk", chunk("new", 1, 1));
        node.expect("ingest.commit", {{"stream_id", "new"}});
        node.expect("ingest.chunk", chunk("open", 1, 2));
        node.expect("ingest.chunk", chunk("open", 2, 3));
        node.expect("ingest.chunk", chunk("forgotten", 1, 4));
        begin(node, "set", "set");
        node.expect("ingest.chunk", chunk("set", 1, 5));
      });
  OpenNode present(files_, "present");
  begin(present, "open");
  present.expect("ingest.chunk", chunk("open", 1, 2));
  const Result<std::optional<OnlyHere>> written = write(present, files_);
  ASSERT_TRUE(written.ok()) << written.error().message;
  const std::vector<json> points = lines(files_, kOnlyHereName);
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0]["key"], 1) << "of the stream that only the copy has";
  std::vector<std::string> why;
  for (const json& line : lines(files_, kOnlyHereRestName)) why.push_back(line["why"]);
  EXPECT_EQ(why,
            (std::vector<std::string>{"the master has the chunk, too",
                                      "the master has the stream, too, and its producer may send the chunk again",
                                      "the mode of its stream is not known", "not an addition", "not an addition"}));
}

TEST_F(OnlyHereTest, WhatOnlySnapshotsHaveIsTold) {
  make_copy([](OpenNode& node) { node.expect("counter.increment", kPoint); },
            [](OpenNode& node) {
              node.expect("counter.increment", kPoint);
              node.expect("counter.increment", kPoint);
              node.expect("snapshot.create_all");
              node.expect("counter.increment", kPoint);
            });
  OpenNode present(files_, "present");
  ASSERT_TRUE(write(present, files_).ok());
  const std::vector<json> points = lines(files_, kOnlyHereName);
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0]["lsn"], 4);
  const std::vector<json> rest = lines(files_, kOnlyHereRestName);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0]["lsn"], 2);
  EXPECT_EQ(rest[0]["to"], 3);
}

TEST_F(OnlyHereTest, WhereItIsNotKnownWhereHistoriesPartNothingIsGuessed) {
  make_copy([](OpenNode& node) { node.expect("counter.increment", kPoint); },
            [](OpenNode& node) { node.expect("counter.increment", kPoint); });
  present_history_ = History({{std::string(32, 'd'), Lsn{2}, 2}});
  OpenNode present(files_, "present");
  EXPECT_FALSE(write(present, files_).ok());
  EXPECT_FALSE(files_.content("data/" + copy_ + "/" + std::string(kOnlyHereName)));
}

// A crash or a failure at any call leaves no file, or the whole one; and the next attempt makes it.
TEST_F(OnlyHereTest, ACrashAtEachCallLeavesNothingOrAllOfIt) {
  make_copy([](OpenNode& node) { node.expect("counter.increment", kPoint); },
            [](OpenNode& node) {
              for (int i = 0; i < 20; ++i) node.expect("counter.increment", kPoint);
              node.expect("counter.decrement", kPoint);
            });
  CrashableFileSystem other;
  OpenNode present(other, "present");
  const auto whole = [&](CrashableFileSystem& files) {
    return lines(files, kOnlyHereName).size() == 20 && lines(files, kOnlyHereRestName).size() == 1;
  };
  for (std::uint64_t call = 1, ended = 0; ended == 0; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    auto files = files_.after_crash(CrashableFileSystem::Unsynced::kept);
    files->power_off_at(call, call);
    if (write(present, *files).ok()) ended = call;
    for (const auto unsynced : {CrashableFileSystem::Unsynced::lost, CrashableFileSystem::Unsynced::some}) {
      auto left = files->after_crash(unsynced, call);
      if (left->content("data/" + copy_ + "/" + std::string(kOnlyHereName))) {
        EXPECT_TRUE(whole(*left));
      }
      ASSERT_TRUE(write(present, *left).ok());
      EXPECT_TRUE(whole(*left));
      const Result<std::vector<std::string>> names = left->list("data/" + copy_);
      for (const std::string& name : *names) EXPECT_FALSE(name.ends_with(".tmp")) << name;
    }
  }
}

}  // namespace
}  // namespace karma::engine
