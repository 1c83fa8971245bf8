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
  store::RegistryView registry = store.registry().view();
  frozen.registry.record_count = registry.record_count();
  frozen.registry.committed_stream_count = registry.committed_stream_count();
  frozen.registry.write = [view = std::move(registry)](const snapshot::Registry::Sink& sink) {
    return view.write_json(commands::operations(), sink);
  };
  return frozen;
}

}  // namespace karma::engine
