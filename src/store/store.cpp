#include "store/store.h"

#include <algorithm>

namespace karma::store {

Store::Store(std::uint64_t hash_seed)
    : hash_seed_(hash_seed), series_(0, TextHash(hash_seed)), exactly_once_(hash_seed) {}

const Store::SeriesByName::value_type* Store::look_up(std::string_view name) const {
  if (latest_ != nullptr && latest_->first == name) return latest_;
  const auto found = series_.find(name);
  return found == series_.end() ? nullptr : &*found;
}

const Series* Store::find(std::string_view name) const {
  const SeriesByName::value_type* found = look_up(name);
  return found == nullptr ? nullptr : &found->second;
}

Series* Store::find(std::string_view name) { return const_cast<Series*>(std::as_const(*this).find(name)); }

Series& Store::find_or_create(std::string_view name) {
  auto* found = const_cast<SeriesByName::value_type*>(look_up(name));
  if (found == nullptr) found = &*series_.emplace(std::string(name), make_own_series()).first;
  latest_ = found;
  return found->second;
}

bool Store::drop(std::string_view name) {
  auto found = series_.find(name);
  if (found == series_.end()) return false;
  deferred_free_.push_back(std::move(found->second));
  if (latest_ == &*found) latest_ = nullptr;
  series_.erase(found);
  return true;
}

bool Store::clear(std::string_view name) {
  Series* series = find(name);
  if (!series) return false;
  deferred_free_.push_back(std::exchange(*series, make_own_series()));
  return true;
}

void Store::replace(std::string_view name, Series series) {
  series.clear_into(&deferred_free_);
  deferred_free_.push_back(std::exchange(find_or_create(name), std::move(series)));
}

void Store::remove_range(std::string_view name, BucketRange range) {
  Series& series = find_or_create(name);
  const bool listed = !series.counted();
  series.begin_removal(range);
  if (!listed && !series.counted()) unpurged_.emplace_back(name);
}

void Store::purge_some(std::size_t slots) {
  while (!unpurged_.empty() && slots != 0) {
    Series* const series = find(unpurged_.back());  // it may have been dropped meanwhile
    if (series != nullptr && series->purge_some(slots)) continue;
    unpurged_.pop_back();
  }
}

void Store::purge_all() {
  while (!purged()) purge_some(SIZE_MAX);
}

void Store::swap(Store& other) {
  series_.swap(other.series_);
  for (Store* store : {this, &other}) {
    store->latest_ = nullptr;
    for (auto& [name, series] : store->series_) series.clear_into(&store->deferred_free_);
  }
  exactly_once_.swap(other.exactly_once_);
  deferred_free_.swap(other.deferred_free_);
  unpurged_.swap(other.unpurged_);
}

Series Store::make_series() const { return Series(hash_seed_); }

Series Store::make_own_series() {
  Series series = make_series();
  series.clear_into(&deferred_free_);
  return series;
}

std::vector<std::string> Store::unsorted_names() const {
  std::vector<std::string> names;
  names.reserve(series_.size());
  for (const auto& [name, series] : series_) names.push_back(name);
  return names;
}

std::vector<std::string> Store::names() const {
  std::vector<std::string> names = unsorted_names();
  std::sort(names.begin(), names.end());
  return names;
}

std::size_t Store::series_count() const { return series_.size(); }

std::uint64_t Store::key_count() const {
  std::uint64_t count = 0;
  for (const auto& [name, series] : series_) count += series.key_count();
  return count;
}

void Store::check_invariants() const {
  for (const auto& [name, series] : series_) series.check_invariants();
  exactly_once_.check_invariants();
}

}  // namespace karma::store
