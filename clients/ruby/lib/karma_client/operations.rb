# frozen_string_literal: true

require_relative "input"
require_relative "operations/counters"
require_relative "operations/series"
require_relative "operations/ingest"
require_relative "operations/snapshots"
require_relative "operations/node"

module KarmaClient
  # Every op of the protocol as a method. Whoever includes this has `perform(operation, fields, options)`.
  #
  # Values are parsed JSON, with strings as names. Days are integers (20260505), Dates, Times (their day in UTC) or
  # strings; ranges include both ends, and may be given as `range:` or as `from:` and `to:`.
  #
  # Options of all ops:
  #
  # - `timeout:`, seconds for the whole call
  # - `session:`, a {Session}: a read sees what the writes of the session have written, on any node
  #
  # and of all reads:
  #
  # - `fallback:`, returned instead of an exception when Karma cannot answer just now; a Proc is called with the exception
  # - `min_lsn:` and `wait_ms:`, as in the protocol
  module Operations
    include Counters
    include Series
    include Ingest
    include Snapshots
    include Node
  end
end
