# frozen_string_literal: true

# Rates of actions that are compared with each other. They run in many short turns; the rate that one turn in twenty
# exceeds is the one without others that disturb it.
class Measure
  TURN_SECONDS = 0.02

  # @param seconds [Float] for each action, all turns together
  def initialize(seconds)
    @turns = (seconds / TURN_SECONDS).ceil
  end

  # Prints the rate of each action, and how the first compares with the others. Actions that are nil are left out.
  # @param each [Integer] so many calls are in an action
  def show(title, actions, each: 1)
    actions = actions.compact
    turns = Array.new(@turns) { actions.transform_values { |action| rate(action) * each } }
    puts title
    best = actions.keys.to_h { |name| [name, turns.map { |turn| turn[name] }.sort[@turns * 95 / 100]] }
    first = best.values.first
    best.each do |name, rate|
      compared = format("   the client at %.2<ratio>f of it", ratio: first / rate) unless rate.equal?(first)
      puts format("  %-22<name>s %9<rate>d/s %8.1<micros>f µs%<compared>s",
                  name: name, rate: rate, micros: 1e6 / rate, compared: compared)
    end
  end

  private

  def rate(action)
    calls = 0
    start = now
    until now - start >= TURN_SECONDS
      5.times { action.call }
      calls += 5
    end
    calls / (now - start)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
