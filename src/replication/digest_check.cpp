#include "replication/digest_check.h"

#include <algorithm>

namespace karma::replication {
namespace {

using namespace std::chrono_literals;

// After one that came to nothing, as a rule because another slave's is being counted.
constexpr std::chrono::seconds kAgainAfter = 2s;
// Between two questions whether the master has counted.
constexpr std::chrono::milliseconds kAskEvery = 100ms;

}  // namespace

DigestCheck::DigestCheck(engine::Engine& engine, Source& source)
    : engine_(engine), source_(source), interval_(engine.config().replication_check_interval), due_(now()) {}

void DigestCheck::connected(bool master_knows) { master_knows_ = master_knows; }

bool DigestCheck::wants_step() const {
  switch (stage_) {
    case Stage::none:
      return interval_ != 0s && now() >= due_;
    case Stage::reaching:
      return false;
    case Stage::counting:
      return now() >= ask_at_;
  }
  return false;
}

Result<std::optional<std::string>> DigestCheck::step(Lsn position) {
  std::optional<std::string> different;
  if (!wants_step()) return different;
  if (!master_knows_) {
    not_compared("the master is a Karma 1.0, which has no digests", interval_);
    return different;
  }
  ask_at_ = now() + kAskEvery;
  if (stage_ == Stage::counting) {
    look_at_own();
    if (stage_ != Stage::counting || own_ == nullptr) return different;
  }
  std::optional<MasterDigest> answer;
  if (Status asked = ask(stage_ == Stage::none ? position : lsn_, answer); !asked) return asked.error();
  if (!answer) return different;
  if (stage_ == Stage::none) {
    lsn_ = answer->lsn;
    stage_ = Stage::reaching;
    applied(position);
  } else if (answer->lsn != lsn_) {
    not_compared("the master has no digest of LSN " + std::to_string(lsn_.value) + " any more", kAgainAfter);
  } else if (answer->ready) {
    different = compare(*answer);
  }
  return different;
}

// A refusal ends the check, a lost connection the following.
Status DigestCheck::ask(Lsn after, std::optional<MasterDigest>& answer) {
  Result<MasterDigest> digest = source_.digest(after);
  if (digest) {
    answer = std::move(*digest);
  } else {
    if (!source_.connected()) return digest.error();
    not_compared("the master has no digest: " + digest.error().message, kAgainAfter);
  }
  return {};
}

int DigestCheck::most_entries(Lsn after, int limit) const {
  if (stage_ != Stage::reaching || lsn_ <= after) return limit;
  return static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(limit), lsn_.value - after.value));
}

void DigestCheck::applied(Lsn position) {
  if (stage_ != Stage::reaching || position < lsn_) return;
  stage_ = Stage::counting;
  look_at_own();
}

// The first look pins the state.
void DigestCheck::look_at_own() {
  if (own_ != nullptr) return;
  const Result<commands::DigestAt> own = engine_.state_digest(lsn_);
  if (!own) return not_compared(own.error().message, kAgainAfter);
  if (own->lsn != lsn_) return not_compared("this slave is beyond LSN " + std::to_string(lsn_.value), kAgainAfter);
  own_ = own->digest;
}

std::optional<std::string> DigestCheck::compare(const MasterDigest& master) {
  if (!master.epoch.empty() && master.epoch != own_->epoch) {
    not_compared("the histories are not the same any more", kAgainAfter);
    return {};
  }
  const bool equal = master.all == own_->all;
  engine_.follow_status().digests_compared(lsn_, equal, now());
  equal_ = equal;
  differences_ = equal ? 0 : differences_ + 1;
  std::optional<std::string> different;
  if (!equal) different = difference(master);
  again_after(interval_);
  return different;
}

std::string DigestCheck::difference(const MasterDigest& master) const {
  const auto text = [&](const std::string& name, store::Digest own, store::Digest its) {
    return "at LSN " + std::to_string(lsn_.value) + " the digest of " + name + " is " + own.text() + " here and " +
           its.text() + " on the master";
  };
  std::map<std::string, store::Digest, std::less<>> own(own_->series.begin(), own_->series.end());
  for (const auto& [name, digest] : master.series) {
    const auto mine = own.find(name);
    const store::Digest here = mine == own.end() ? store::Digest() : mine->second;
    if (here != digest) return text("series '" + name + "'", here, digest);
    if (mine != own.end()) own.erase(mine);
  }
  for (const auto& [name, digest] : own)
    if (master.all_named && digest != store::Digest()) return text("series '" + name + "'", digest, {});
  return text("all series", own_->all, master.all);
}

void DigestCheck::again_after(std::chrono::seconds time) {
  stage_ = Stage::none;
  own_ = nullptr;
  due_ = now() + time;
}

void DigestCheck::copied() {
  equal_ = false;
  again_after(differs_again() ? interval_ : 0s);
}

void DigestCheck::not_compared(const std::string& why, std::chrono::seconds again) {
  engine_.follow_status().digests_not_compared(why);
  again_after(std::min(again, interval_));
}

void DigestCheck::give_up(const std::string& why) {
  if (interval_ == 0s || (stage_ == Stage::none && now() < due_)) return;
  not_compared(why, kAgainAfter);
}

}  // namespace karma::replication
