// An engine whose syncs of the disk wait while a gate is closed, and two clients of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "core/log.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"
#include "support/gate.h"

namespace karma::test {

class GatedEngine : public testing::Test {
 protected:
  void TearDown() override {
    gate_.open();
    close();
  }

  void open() {
    files_.before_sync([this] { gate_.pass(); });
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    writer_ = std::make_unique<Client>(*engine_, config_);
    other_ = std::make_unique<Client>(*engine_, config_);
  }
  void close() {
    if (engine_) (void)engine_->shutdown(false);
    writer_.reset();
    other_.reset();
    engine_.reset();
  }

  CrashableFileSystem files_;
  Gate gate_;
  ManualClock clock_;
  Config config_ = test_config();
  EventLog log_{clock_, false};
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Client> writer_;
  std::unique_ptr<Client> other_;
};

}  // namespace karma::test
