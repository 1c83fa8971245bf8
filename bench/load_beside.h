// Increments at a steady rate while something else is measured.
#pragma once

#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "tools/load/clients.h"

namespace karma::tools::load {

// A thread of its own writes until finish().
class WriterBeside {
 public:
  WriterBeside(const Address& address, Dialect dialect, Requests& requests, double rate)
      : clients_(address, dialect, kClients, kPipeline) {
    thread_ = std::thread([this, &requests, rate] {
      Plan plan;
      plan.rate = rate;
      plan.stop = &stop_;
      try {
        measured_ = clients_.run(requests, plan);
      } catch (...) {
        failure_ = std::current_exception();
      }
    });
  }
  ~WriterBeside() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  WriterBeside(const WriterBeside&) = delete;
  WriterBeside& operator=(const WriterBeside&) = delete;

  Measured finish() {
    stop_ = true;
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(measured_);
  }

 private:
  static constexpr std::uint64_t kClients = 4;
  static constexpr std::uint64_t kPipeline = 1024;  // enough that a slow sync holds nothing up

  Clients clients_;
  Measured measured_;
  std::exception_ptr failure_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace karma::tools::load
