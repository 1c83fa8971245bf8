// The exactly-once state as the text of karma.idempotency.json.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "commands/catalog.h"
#include "store/exactly_once.h"

namespace karma::test {

inline std::string to_json(const store::ExactlyOnceView& view) {
  std::string text;
  const Status status = view.write_json(commands::operations(), [&](std::string_view piece) {
    text += piece;
    return Status();
  });
  EXPECT_TRUE(status.ok());
  return text;
}

}  // namespace karma::test
