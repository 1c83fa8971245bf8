#include "engine/freeze.h"

namespace karma::engine {

snapshot::Frozen freeze_store(const store::Store& store, Lsn lsn) {
  snapshot::Frozen frozen;
  frozen.lsn = lsn;
  for (std::string& name : store.names()) {
    store::SeriesView view = store.find(name)->view();
    frozen.series.emplace_back(std::move(name), std::move(view));
  }
  frozen.registry.view = store.registry().view();
  frozen.registry.record_count = frozen.registry.view->record_count();
  frozen.registry.committed_stream_count = frozen.registry.view->committed_stream_count();
  return frozen;
}

}  // namespace karma::engine
