#include "engine/freeze.h"

namespace karma::engine {

snapshot::Frozen freeze_store(const store::Store& store, Lsn lsn) {
  snapshot::Frozen frozen;
  frozen.lsn = lsn;
  for (std::string& name : store.names()) {
    store::SeriesView view = store.find(name)->view();
    frozen.series.emplace_back(std::move(name), std::move(view));
  }
  return frozen;
}

}  // namespace karma::engine
