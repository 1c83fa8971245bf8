# frozen_string_literal: true

# Rates of actions that are compared with each other.
class Measure
  TURNS = 9

  # @param seconds [Float] for each action, all turns together
  def initialize(seconds)
    @seconds = seconds / TURNS
  end

  # Prints the rate of each action, and how the first compares with the others. Actions that are nil are left out.
  # @param each [Integer] so many calls are in an action
  def show(title, actions, each: 1)
    actions = actions.compact
    turns = Array.new(TURNS) { actions.transform_values { |action| rate(action) * each } }
    puts title
    first = actions.keys.first
    actions.each_key do |name|
      value = median(turns.map { |turn| turn[name] })
      ratio = median(turns.map { |turn| turn[first] / turn[name] })
      puts format("  %-22<name>s %9<value>d/s %8.1<micros>f µs%<ratio>s", name: name, value: value, micros: 1e6 / value,
                                                                          ratio: name == first ? "" : compared(ratio))
    end
  end

  private

  def compared(ratio)
    format("   the client at %.2<ratio>f of it", ratio: ratio)
  end

  def rate(action)
    calls = 0
    start = now
    until now - start >= @seconds
      20.times { action.call }
      calls += 20
    end
    calls / (now - start)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def median(values)
    values.sort[values.size / 2]
  end
end
