#include "protocol/near_miss.h"

#include <gtest/gtest.h>

namespace karma::protocol {
namespace {

constexpr FieldSet kAll = ~FieldSet{0};
constexpr FieldSet kOfAnIncrement =
    set_of(Field::series, Field::tree, Field::key, Field::bucket, Field::date, Field::value, Field::idempotency_key);

TEST(NearMiss, AFewSlipsAreSeenThrough) {
  for (const char* typed : {"vlaue", "valeu", "vale", "values", "Value", "VALUE", "val_ue", "falue", "walu"})
    EXPECT_EQ(near_miss(typed, kOfAnIncrement), Field::value) << typed;
  for (const char* typed : {"idempotencyKey", "idempotency-key", "IdempotencyKey", "idempotencykey", "idempotency.key",
                            "Idempotency Key", "idempotency_kye", "idempotncy_key", "idempotenc_key"})
    EXPECT_EQ(near_miss(typed, kOfAnIncrement), Field::idempotency_key) << typed;
  for (const char* typed : {"kye", "ky", "kez", "keyy", "Key"})
    EXPECT_EQ(near_miss(typed, kOfAnIncrement), Field::key) << typed;
  EXPECT_EQ(near_miss("OP", kAll), Field::op);
  EXPECT_EQ(near_miss("sereis", kAll), Field::series);
  EXPECT_EQ(near_miss("bukcte", kAll), Field::bucket);
}

TEST(NearMiss, OtherNamesMeanSomethingElse) {
  for (const char* typed : {"comment", "note", "user", "trace_id", "x", "k", "a", "", "source_ip", "vvvvalue",
                            "a name that is longer than any field of the protocol"})
    EXPECT_EQ(near_miss(typed, kOfAnIncrement), std::nullopt) << typed;
  EXPECT_EQ(near_miss("limits", kOfAnIncrement), std::nullopt) << "near a field of another op";
  for (const char* typed : {"od", "o", "opp", "w"})
    EXPECT_EQ(near_miss(typed, set_of(Field::op, Field::v)), std::nullopt);
}

TEST(NearMiss, TheNearestNameIsMeant) {
  EXPECT_EQ(near_miss("keyss", kAll), Field::keys);
  EXPECT_EQ(near_miss("Keys", kAll), Field::keys);
  EXPECT_EQ(near_miss("wait-ms", kAll), Field::wait_ms);
}

}  // namespace
}  // namespace karma::protocol
