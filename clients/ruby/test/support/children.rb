# frozen_string_literal: true

require_relative "questions"

# Blocks that run in forked children, and what comes of them.
module Children
  def self.always_true(name)
    KarmaClient::Stream.class_eval do
      remove_method name
      define_method(name) { |*| true }
    end
  end

  # How each of the means that keep answers apart is switched off.
  OFF = {
    pending: -> { always_true(:reusable?) },
    ids: -> { always_true(:answer?) }
  }.freeze

  # Runs the block in a child. Returns a Proc that waits for its value.
  def in_child
    reader, writer = IO.pipe(binmode: true)
    pid = fork do
      reader.close
      writer.write(Marshal.dump(yield))
      writer.close
      exit!(0)
    end
    writer.close
    lambda do
      bytes = reader.read
      assert_predicate Process.wait2(pid).last, :success?
      Marshal.load(bytes) # rubocop:disable Security/MarshalLoad
    end
  end

  # Runs the block in a process of its own, without some of the means.
  def without(*means)
    in_child do
      means.each { |name| OFF.fetch(name).call }
      yield
    end.call
  end

  # All of them ask with the same client, so many questions each; the children begin when all are there. Returns the
  # tally and the wrong answers of each.
  def in_parent_and_children(count, client, calls)
    client.ping
    ask = lambda do |questions|
      calls.times { questions.ask(client) }
      [questions.tally.to_a.to_h, questions.wrong.first(3)]
    end
    questions = Questions.new(random)
    parent = Thread.new { ask.call(questions) }
    gate, holder = IO.pipe
    children = Array.new(count) do
      own = Questions.new(random)
      in_child do
        holder.close
        gate.read
        ask.call(own)
      end
    end
    [gate, holder].each(&:close)
    [parent.value, *children.map(&:call)]
  end
end
