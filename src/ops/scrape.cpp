#include "ops/scrape.h"

#include "ops/exposition.h"

namespace karma::ops {
namespace {

using Type = Exposition::Type;

void write(const ProcessFigures& process, Exposition& out) {
  out.family("process_cpu_seconds_total", Type::counter,
             "Time that all threads have had, of the program and of the system for it.");
  out.add(process.cpu_seconds);
  out.family("process_start_time_seconds", Type::gauge, "When the process was started, Unix time.");
  out.add(process.start_unix);
  out.family("process_resident_memory_bytes", Type::gauge, "Resident memory.");
  out.add(process.resident_bytes);
  out.family("process_virtual_memory_bytes", Type::gauge, "Address space.");
  out.add(process.virtual_bytes);
  out.family("process_open_fds", Type::gauge, "Descriptors in use.");
  out.add(process.open_descriptors);
  out.family("process_max_fds", Type::gauge, "The limit on descriptors.");
  out.add(process.max_descriptors);
}

void write(const Timings& timings, Exposition& out) {
  if (!timings.requests.empty()) {
    out.family("karma_request_duration_seconds", Type::histogram,
               "From the wake-up of an I/O thread that read a request until its reply was ready.");
    for (const Timings::OfOp& of : timings.requests) out.add_seconds(of.durations, {{"op", of.op}});
  }
  out.family("karma_wal_queue_duration_seconds", Type::histogram,
             "From the wake-up of an I/O thread that read a write to the beginning of the batch that logs it.");
  out.add_seconds(timings.log_queue);
  out.family("karma_wal_batch_entries", Type::histogram, "Writes that share one append to the log and one sync.");
  out.add_numbers(timings.log_batch);
  out.family("karma_wal_sync_duration_seconds", Type::histogram, "How long the syncs of batches took.");
  out.add_seconds(timings.log_sync);
}

void write_spins(const NodeFigures& node, Exposition& out) {
  out.family("karma_spins_total", Type::counter,
             "How often a thread looked for work a moment longer, by --spin-us, and whether some came.");
  const auto add = [&](std::string_view thread, const SpinPlaces::Counts& counts) {
    out.add(counts.paid, {{"thread", thread}, {"result", "paid"}});
    out.add(counts.in_vain, {{"thread", thread}, {"result", "in_vain"}});
  };
  add("io", node.io_spins);
  add("writer", node.writer_spins);
}

}  // namespace

std::string scrape_text(std::string_view version, const ProcessFigures& process,
                        const std::optional<NodeFigures>& node) {
  Exposition out;
  out.family("karma_build_info", Type::gauge, "1; the label says the version.");
  out.add(std::uint64_t{1}, {{"version", version}});
  write(process, out);
  if (!node) return out.text();
  out.family("karma_health_problems", Type::gauge, "Problems that system.health names; 0: it says ok.");
  out.add(node->problems);
  out.family("karma_health_warnings", Type::gauge, "Warnings that system.health names.");
  out.add(node->warnings);
  scrape_stats(node->stats, out);
  write(node->timings, out);
  write_spins(*node, out);
  return out.text();
}

}  // namespace karma::ops
