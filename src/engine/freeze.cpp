#include "engine/freeze.h"

#include "commands/catalog.h"

namespace karma::engine {

snapshot::Frozen freeze_store(const store::Store& store, Lsn lsn) {
  snapshot::Frozen frozen;
  frozen.lsn = lsn;
  for (std::string& name : store.names()) {
    store::SeriesView view = store.find(name)->view();
    frozen.series.emplace_back(std::move(name), std::move(view));
  }
  store::ExactlyOnceView exactly_once = store.exactly_once().view();
  frozen.exactly_once.record_count = exactly_once.record_count();
  frozen.exactly_once.committed_stream_count = exactly_once.committed_stream_count();
  frozen.exactly_once.write = [view = std::move(exactly_once)](const snapshot::ExactlyOnceState::Sink& sink) {
    return view.write_json(commands::operations(), sink);
  };
  return frozen;
}

}  // namespace karma::engine
