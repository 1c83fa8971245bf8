#include "engine/freeze.h"

#include "commands/catalog.h"

namespace karma::engine {

std::vector<std::pair<std::string, store::SeriesView>> pin_series(const store::Store& store) {
  std::vector<std::pair<std::string, store::SeriesView>> pinned;
  for (std::string& name : store.names()) {
    store::SeriesView view = store.find(name)->view();
    pinned.emplace_back(std::move(name), std::move(view));
  }
  return pinned;
}

snapshot::Frozen freeze_store(const store::Store& store, Lsn lsn) {
  snapshot::Frozen frozen;
  frozen.lsn = lsn;
  frozen.series = pin_series(store);
  store::ExactlyOnceView exactly_once = store.exactly_once().view();
  frozen.exactly_once.record_count = exactly_once.record_count();
  frozen.exactly_once.committed_stream_count = exactly_once.committed_stream_count();
  frozen.exactly_once.write = [view = std::move(exactly_once)](const snapshot::ExactlyOnceState::Sink& sink) {
    return view.write_json(commands::operations(), sink);
  };
  return frozen;
}

}  // namespace karma::engine
